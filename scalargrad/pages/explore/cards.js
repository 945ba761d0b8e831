// Cards: a value, or a unit of several, as a button with its numbers; leaves with a slider and a field.

import { button, element, setAttribute, setClass, setText } from "./dom.js";
import { fitted, fittedRange, tint } from "./look.js";
import { gradientText, number } from "../words/numbers.js";
import { BADGE_ABOVE, BADGE_RADIUS } from "./place.js";

const [HEADER, CELLS, SLIDER, ROW] = [21, 33, 28, 25];
const [RESULT_WIDTH, LEAF_WIDTH, RANGE_WIDTH, OPEN_WIDTH, PHONE_LEAF_WIDTH, PHONE_RANGE_WIDTH] = [122, 143, 236, 240, 88, 168];
const [MOST_ROWS, ROWS_SHOWN] = [12, 8];

// How large a card is, and how far its badge stands out.
export function sizeOf(card, state, down, open = state.open.has(card.exits.at(-1))) {
  const overhang = card.badge ? (down ? BADGE_ABOVE : badgeWidth(card) - BADGE_RADIUS) : 0;
  const [exit] = card.exits;
  if (open) {
    const rows = rowsOf(card, state).length + (hiddenRows(card, state) > 0);
    return { width: Math.max(OPEN_WIDTH, card.header), height: HEADER + ROW * rows + CELLS + 2, overhang };
  }
  const slides = card.exits.length === 1 && state.sliders.has(exit);
  if (down && state.isLeaf(exit)) return { width: card.exits.length > 1 ? PHONE_RANGE_WIDTH : PHONE_LEAF_WIDTH, height: slides ? 74 : 62, overhang };
  const narrowest = card.exits.length > 1 ? RANGE_WIDTH : slides ? LEAF_WIDTH : RESULT_WIDTH;
  return { width: Math.max(narrowest, down ? 0 : card.header), height: HEADER + CELLS + (slides ? SLIDER : 0), overhang };
}

export function badgeWidth(card) {
  return Math.max(2 * BADGE_RADIUS, card.badge_width ?? 0);
}

// The values that an open card shows in rows, parameters first: all but its exit, or the largest gradients of many.
export function rowsOf(card, state) {
  const { names, graph } = state;
  const inside = (card.members ?? []).filter((x) => card.exits.length > 1 || x !== card.exits[0]);
  const all = inside.length <= MOST_ROWS || state.rows.has(card.exits.at(-1));
  const shown = all ? inside : [...inside].sort((one, other) => Math.abs(graph.grad[other]) - Math.abs(graph.grad[one])).slice(0, ROWS_SHOWN);
  const rank = (x) => (state.isLeaf(x) ? (/bias$/.test(names[x]) ? 1 : 0) : 2);
  return [...shown].sort((one, other) => rank(one) - rank(other) || (rank(one) === 2 ? one - other : inOrder(names[one], names[other])));
}

// Names with numbers, weights.2 before weights.10.
const inOrder = new Intl.Collator("en", { numeric: true }).compare;

function hiddenRows(card, state) {
  const inside = (card.members?.length ?? 0) - (card.exits.length === 1);
  return inside - rowsOf(card, state).length;
}

// The slider of a leaf, with a notch at the number that it began with.
export class Slider {
  constructor(state, position) {
    this.state = state;
    this.position = position;
    this.input = element("input", "sg-slider", { type: "range", tabindex: "-1", "aria-label": state.names[position], autocomplete: "off" });
    this.notch = element("span", "sg-notch", { "aria-hidden": "true" });
    this.input.addEventListener("input", () => state.set(position, this.input.valueAsNumber));
  }

  paint() {
    const { low, high, step } = this.state.sliders.get(this.position);
    const data = this.state.graph.data[this.position];
    const share = (x) => (Number.isFinite(x) ? Math.min(Math.max((x - low) / (high - low || 1), 0), 1) : 0);
    setAttribute(this.input, "min", low);
    setAttribute(this.input, "max", high);
    setAttribute(this.input, "step", step || Number(((high - low) / 200).toPrecision(3)));
    if (this.input.valueAsNumber !== data) this.input.value = data;
    setAttribute(this.input, "aria-valuetext", number(data));
    setStyle(this.input, "--share", share(data));
    setStyle(this.notch, "--share", share(this.state.began.get(this.position)));
  }
}

// The data of a leaf as a field. What is typed counts on Enter and where the field is left; Escape forgets it.
export class Field {
  constructor(state, position, room) {
    this.state = state;
    this.position = position;
    this.room = room;
    this.input = element("input", "sg-field sg-number", {
      type: "text", inputmode: "decimal", tabindex: "-1", "aria-label": `data of ${state.names[position]}`, autocomplete: "off", spellcheck: "false",
    });
    this.input.addEventListener("focus", () => {
      this.input.value = number(state.graph.data[position]);
      this.input.select();
    });
    this.input.addEventListener("blur", () => this.take());
    this.input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== "Escape") return;
      if (event.key === "Escape") this.input.value = number(state.graph.data[position]);
      else this.take();
      event.stopPropagation();
      event.preventDefault();
      const holder = this.input.closest(".sg-card, .sg-row");
      if (holder) holder.querySelector(".sg-pick").focus();
      else this.input.blur();
    });
  }

  take() {
    if (this.input.value !== number(this.state.graph.data[this.position])) this.state.type(this.position, this.input.value);
    this.paint(true);
  }

  paint(left = false) {
    if (!left && this.input.getRootNode().activeElement === this.input) return;
    const text = fitted(this.state.graph.data[this.position], this.room);
    if (this.input.value !== text) this.input.value = text;
  }
}

// A row of an open card: name, slider and field of a parameter, or name and number of what is computed; gradient.
class Row {
  constructor(state, position, name) {
    this.state = state;
    this.position = position;
    const slides = state.sliders.has(position);
    this.pick = button("sg-pick", state.names[position], () => state.select(position), "");
    this.grad = element("span", "sg-number sg-grad", { "aria-hidden": "true" });
    this.controls = slides ? [new Slider(state, position), new Field(state, position)] : [];
    this.data = element("span", "sg-number", { "aria-hidden": "true" });
    const middle = slides
      ? [element("span", "sg-track", {}, this.controls[0].input, this.controls[0].notch), this.controls[1].input]
      : [this.data];
    this.root = element("div", `sg-row sg-${state.kind(position)}${slides ? "" : " sg-still-row"}`, { "data-value": position }, this.pick,
      element("span", "sg-name", { "aria-hidden": "true" }, name), ...middle, this.grad);
  }

  paint(context) {
    const shown = shownGradient(this.state, [this.position], context);
    for (const control of this.controls) control.paint();
    if (!this.controls.length) setText(this.data, fitted(this.state.graph.data[this.position]));
    setText(this.grad, shown.text);
    setClass(this.grad, `sg-number sg-grad sg-${shown.tint}`);
    setAttribute(this.pick, "aria-label", spoken(this.state, this.position, shown));
    this.root.classList.toggle("sg-selected", this.state.selected === this.position);
    this.root.classList.toggle("sg-cause", context.cause === this.position);
  }
}

export class Card {
  constructor(state, folded, index) {
    this.state = state;
    this.folded = folded;
    this.index = index;
    this.card = folded.cards[index];
    this.exit = this.card.exits.at(-1);
    this.rows = [];
    this.controls = [];
    this.root = element("div", "", { "data-card": index, "data-value": this.exit });
    this.build();
  }

  // The elements of the card: again, when it opens or folds.
  build() {
    const { state, card } = this;
    const single = card.exits.length === 1;
    const focused = this.root.contains(this.root.getRootNode().activeElement) && this.root.getRootNode().activeElement.className;
    this.isOpen = state.open.has(this.exit);
    this.slides = single && state.sliders.has(this.exit);
    this.pick = button("sg-pick", card.name, () => state.select(this.exit), "");
    this.tag = element("span", "sg-tag", { "aria-hidden": "true" });
    this.data = element("span", "sg-number", { "aria-hidden": "true" });
    this.grad = element("span", "sg-number", { "aria-hidden": "true" });
    this.mark = element("span", "sg-mark", { "aria-hidden": "true" });
    this.gradCell = element("div", "sg-cell sg-grad", {}, caption("grad"), this.mark, this.grad);
    this.rows = this.isOpen ? rowsOf(card, state).map((x) => new Row(state, x, nameInside(state.names[x], card))) : [];
    this.controls = this.slides ? [new Field(state, this.exit), new Slider(state, this.exit)] : [];
    this.name = element("span", "sg-name", { "aria-hidden": "true" }, card.name);
    const header = element("div", "sg-header", {}, this.name, this.tag);
    if (card.members) header.append(this.toggle());
    const dataCell = element("div", "sg-cell sg-data", {}, caption("data"), this.slides ? this.controls[0].input : this.data);
    const parts = [this.pick, header, ...this.rows.map((row) => row.root)];
    const hidden = this.isOpen ? hiddenRows(card, state) : 0;
    if (hidden) parts.push(button("sg-more", `${hidden} more`, () => state.showAllRows(this.exit)));
    parts.push(element("div", "sg-cells", {}, dataCell, this.gradCell));
    if (this.slides) parts.push(element("div", "sg-track", {}, this.controls[1].input, this.controls[1].notch));
    if (card.badge) parts.push(element("span", "sg-badge", { "aria-hidden": "true" }, card.badge));
    this.root.replaceChildren(...parts);
    if (focused) this.root.querySelector(focused === "sg-toggle" ? ".sg-toggle" : ".sg-pick").focus();
  }

  toggle() {
    const label = this.isOpen ? `fold ${this.card.name}` : `open ${this.card.name}`;
    const made = button("sg-toggle", label, () => this.state.toggle(this.exit), this.isOpen ? "−" : "+");
    made.setAttribute("aria-expanded", this.isOpen);
    made.setAttribute("tabindex", "-1");
    return made;
  }

  put(box) {
    for (const [side, length] of Object.entries({ left: box.x, top: box.y, width: box.width, height: box.height })) {
      this.root.style[side] = `${Math.round(length * 10) / 10}px`;
    }
  }

  // context: {largest, cause, litCards}; all else from the state.
  paint(context) {
    const { state, card } = this;
    const overlay = state.overlay;
    const known = overlay?.data?.(this.exit) ?? true;
    const shown = shownGradient(state, card.exits, context);
    for (const control of this.controls) control.paint();
    for (const row of this.rows) row.paint(context);
    if (!this.slides) setText(this.data, known ? fittedRange(card.exits.map((x) => state.graph.data[x])) : "");
    setText(this.grad, shown.text);
    setText(this.mark, shown.mark ?? "");
    const off = this.folded.isOff(this.index);
    setText(this.tag, off ? "off" : (card.tag ?? ""));
    setClass(this.gradCell, `sg-cell sg-grad sg-${shown.tint}${shown.unknown ? " sg-unknown" : ""}`);
    const looks = { open: this.isOpen, several: card.exits.length > 1, leaf: state.isLeaf(this.exit), slides: this.slides, badged: card.badge, cramped: this.isCramped, off, unknown: !known,
      selected: this.holds(state.selected), lit: context.litCards.has(this.index), cause: this.holds(context.cause),
      glow: overlay && this.holds(overlay.glow), gives: overlay?.gives?.some((x) => this.holds(x)),
      "not-finite": !card.exits.every((x) => Number.isFinite(state.graph.data[x])) };
    const on = Object.keys(looks).filter((look) => looks[look]);
    setClass(this.root, ["sg-card", `sg-${card.kind}`, ...on.map((look) => `sg-${look}`)].join(" "));
    setAttribute(this.pick, "aria-label", card.members ? this.spokenUnit(shown) : spoken(state, this.exit, shown));
    setAttribute(this.pick, "aria-pressed", this.holds(state.selected));
  }

  // Is this value on the card, and in no row of its own?
  holds(position) {
    if (position === null || position === undefined) return false;
    return this.folded.cardOf[position] === this.index && !this.rows.some((row) => row.position === position);
  }

  spokenUnit(shown) {
    const data = fittedRange(this.card.exits.map((x) => this.state.graph.data[x]));
    return `${this.card.name}, unit of ${this.card.members.length} values, data ${data}, gradient ${shown.text}`;
  }
}

// The name of a value without that of the unit that it is in.
function nameInside(name, card) {
  const unit = `${card.unit ?? ""}.`;
  return name.startsWith(unit) ? name.slice(unit.length) : name;
}

function caption(text) {
  return element("span", "sg-caption", { "aria-hidden": "true" }, text);
}

function setStyle(node, name, setting) {
  const text = String(Math.round(setting * 1e4) / 1e4);
  if (node.style.getPropertyValue(name) !== text) node.style.setProperty(name, text);
}

// What the gradient cell of these values shows: the overlay's, or their own.
function shownGradient(state, exits, context) {
  const overlaid = state.overlay?.grad(exits.at(-1));
  if (overlaid) return overlaid;
  const grads = exits.map((x) => state.graph.grad[x] + 0);
  if (!grads.every(Number.isFinite)) return { text: fittedRange(grads), tint: "not-finite" };
  const largest = grads.reduce((one, other) => (Math.abs(other) > Math.abs(one) ? other : one));
  return { text: exits.length > 1 ? fittedRange(grads) : fitted(largest), tint: tint(largest, context.largest) };
}

// A value in words: "w1, parameter, data −3, gradient 1".
export function spoken(state, position, shown) {
  const gradient = shown?.unknown ? "not known" : (shown?.text ?? gradientText(state.graph.grad[position]));
  const kind = state.kind(position);
  const data = state.overlay?.data?.(position) ?? true ? number(state.graph.data[position]) : "not known";
  const [added, all] = shown?.turns ?? [0, 0];
  const turns = added ? `, ${added} of ${all} terms` : "";
  return `${state.names[position]}, ${kind}, data ${data}, gradient ${gradient}${turns}`;
}
