// The graph on the page: the view that fits, its cards and edges on a stage that zooms and pans.

import { Card, badgeWidth, sizeOf } from "./cards.js";
import { element } from "./dom.js";
import { Edges, pillWidths } from "./edges.js";
import { Folded } from "./fold.js";
import { BADGE_ABOVE, BADGE_RADIUS, GAPS, groupOf, place } from "./place.js";

const [SMALLEST, LARGEST] = [0.2, 4]; // of the zoom
const LEAST_FIT = 0.7; // below that units fold
const [MARGIN, BAND, BAND_TITLE] = [16, 14, 34];
const [LEAST_HEIGHT, MOST_HEIGHT] = [260, 900]; // of the ground in a notebook

export class Area {
  constructor(state) {
    this.state = state;
    this.foldeds = state.data.views.map((view) => new Folded(view, state.graph));
    this.stage = element("div", "sg-stage");
    this.ground = element("div", "sg-ground", { role: "group", "aria-label": "Computation graph" }, this.stage);
    this.scale = 1;
    this.offset = [0, 0];
    this.listen();
  }

  // Lay out for a ground of this width: the first view that fits, or the least wide.
  arrange(width, down) {
    [this.width, this.down] = [width, down];
    const scaleOf = ({ layout }) => (width - 2 * this.margin) / layout.width;
    const largest = (folded) => {
      folded.compute();
      return Math.max(...GAPS.map((gaps) => scaleOf(this.layoutOf(folded, gaps, false))));
    };
    let [folded, fit] = [null, -Infinity];
    for (const next of this.foldeds) {
      if (fit >= LEAST_FIT) break;
      const scale = largest(next);
      if (scale > fit) [folded, fit] = [next, scale];
    }
    const [loose, tight, tightest] = GAPS.map((gaps) => this.layoutOf(folded, gaps));
    const arranged = scaleOf(loose) >= 1 ? loose : scaleOf(tight) >= LEAST_FIT ? tight : tightest;
    if (arranged.folded !== this.folded) this.show(arranged.folded);
    for (const card of this.cards) if (card.isOpen !== this.state.open.has(card.exit) || card.isOpen) card.build();
    this.put(arranged);
  }

  get margin() {
    return this.down ? MARGIN / 2 : MARGIN;
  }

  show(folded) {
    this.folded = this.state.folded = folded;
    this.cards = folded.cards.map((_, index) => new Card(this.state, folded, index));
    this.edges = new Edges(folded);
    this.bands = element("div", "", { "aria-hidden": "true" });
    this.stage.replaceChildren(this.bands, this.edges.root, ...this.cards.map((card) => card.root));
  }

  // open: false leaves out what is open, which is no reason to fold all
  layoutOf(folded, gaps, open) {
    const sizes = folded.cards.map((card) => sizeOf(card, this.state, this.down, open));
    const widths = pillWidths(folded);
    return { folded, widths, layout: place(folded.view, sizes, widths, this.down, gaps) };
  }

  put({ folded, widths, layout }) {
    this.layout = layout;
    layout.boxes.forEach((box, card) => this.cards[card].put(box));
    const badges = folded.cards.flatMap((card, index) => (card.badge ? [badgeBox(card, layout.boxes[index], this.down)] : []));
    this.edges.put(layout, badges, widths);
    this.putBands();
    this.makeRoomForNames();
    this.fit();
  }

  // Where a name would be cut off on a phone, the word beside it gives way: shape and colour of the card say the same.
  makeRoomForNames() {
    for (const card of this.cards) card.root.classList.remove("sg-cramped");
    for (const card of this.cards) card.isCramped = this.down && card.name.scrollWidth > card.name.clientWidth;
  }

  // A box around each column whose cards are of one layer.
  putBands() {
    const { layout, folded } = this;
    this.bands.replaceChildren();
    this.topMargin = 0;
    folded.view.columns.forEach((column, number) => {
      const cards = column.filter((vertex) => vertex < folded.cards.length);
      const group = groupOf(folded.view, column);
      if (!group) return;
      const functions = [...new Set(cards.map((card) => folded.cards[card].function))].filter(Boolean).sort().join(" or ");
      const title = element("span", "", {}, functions ? `${group} · ${cards.length} ${functions}` : group);
      const [start, end] = layout.columns[number];
      const band = element("div", "sg-band", {}, title);
      const along = [start - BAND, end - start + 2 * BAND];
      const [[left, width], [top, height]] = this.down
        ? [[-BAND, layout.width + 2 * BAND], [along[0] - 8, along[1] + 8]]
        : [along, [-BAND_TITLE, layout.height + BAND_TITLE + BAND]];
      for (const [side, length] of Object.entries({ left, top, width, height })) band.style[side] = `${length}px`;
      this.bands.append(band);
      this.topMargin = BAND_TITLE;
    });
  }

  // Zoom and pan.

  get sizeNow() {
    return { width: this.ground.clientWidth, height: this.ground.clientHeight };
  }

  fit() {
    const { layout } = this;
    const side = this.topMargin ? BAND : 0;
    const whole = layout.width + 2 * side;
    this.scale = Math.min(1, Math.max(LEAST_FIT, (this.width - 2 * this.margin) / whole));
    const height = (layout.height + this.topMargin + side) * this.scale + 2 * MARGIN;
    this.ground.style.setProperty("--graph-height", `${Math.min(Math.max(height, LEAST_HEIGHT), MOST_HEIGHT)}px`);
    const room = Math.max(this.ground.clientHeight, Math.min(height, MOST_HEIGHT));
    const spare = (length, size) => Math.max(this.margin, (length - size * this.scale) / 2);
    this.offset = [
      (this.down ? spare(this.width, whole) : MARGIN) + side * this.scale,
      (this.down ? 12 : spare(room, layout.height + this.topMargin + side)) + this.topMargin * this.scale,
    ];
    this.move();
  }

  // Zoom by a factor, so that what lies at this point of the ground stays there; its middle, if none is given.
  zoom(factor, x = this.sizeNow.width / 2, y = this.sizeNow.height / 2) {
    const scale = Math.min(Math.max(this.scale * factor, SMALLEST), LARGEST);
    const share = scale / this.scale;
    this.offset = [x - (x - this.offset[0]) * share, y - (y - this.offset[1]) * share];
    this.scale = scale;
    this.move();
  }

  pan(x, y) {
    this.offset = [this.offset[0] + x, this.offset[1] + y];
    this.move();
  }

  move() {
    const { width, height } = this.sizeNow;
    const reach = (offset, size, room) => Math.min(Math.max(offset, 60 - size * this.scale), Math.max(room - 60, 60));
    this.offset = [reach(this.offset[0], this.layout.width, width), reach(this.offset[1], this.layout.height, height)];
    const [x, y] = this.offset.map((length) => Math.round(length * 10) / 10);
    this.stage.style.transform = `translate(${x}px, ${y}px) scale(${Math.round(this.scale * 1e4) / 1e4})`;
    const fits = this.layout.height * this.scale <= height;
    this.ground.classList.toggle("sg-tall", !fits); // a finger on it pans; else it scrolls the page
    this.onzoom?.(this.scale);
  }

  // Have the card of this value in sight.
  reveal(position) {
    const card = this.cards[this.folded.cardOf[position]];
    if (!card) return;
    const [seen, whole] = [card.root.getBoundingClientRect(), this.ground.getBoundingClientRect()];
    const shift = (low, high, start, end) => (low < start ? start - low : high > end ? end - high : 0);
    const x = shift(seen.left, seen.right, whole.left + 8, whole.right - 8);
    const y = shift(seen.top, seen.bottom, whole.top + 8, whole.bottom - 8);
    if (x || y) this.pan(x, y);
  }

  listen() {
    const { ground } = this;
    const fingers = new Map();
    const local = (event) => {
      const box = ground.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    const spread = ([one, other]) => Math.hypot(one[0] - other[0], one[1] - other[1]);
    ground.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return; // it scrolls the page
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 300), ...local(event));
    }, { passive: false });
    ground.addEventListener("pointerdown", (event) => {
      if (event.target.closest(".sg-card") && event.pointerType !== "touch") return;
      if (event.target.closest("input") || (event.pointerType === "mouse" && event.button !== 0)) return;
      fingers.set(event.pointerId, local(event));
      if (!event.target.closest(".sg-card")) ground.setPointerCapture(event.pointerId);
    });
    ground.addEventListener("pointermove", (event) => {
      if (!fingers.has(event.pointerId)) return;
      const before = [...fingers.values()];
      const [now, was] = [local(event), fingers.get(event.pointerId)];
      fingers.set(event.pointerId, now);
      const after = [...fingers.values()];
      if (after.length === 2) {
        const middle = [0, 1].map((axis) => (after[0][axis] + after[1][axis]) / 2);
        const moved = [0, 1].map((axis) => middle[axis] - (before[0][axis] + before[1][axis]) / 2);
        this.pan(...moved);
        this.zoom(spread(after) / (spread(before) || 1), ...middle);
      } else {
        ground.classList.add("sg-panning");
        this.pan(now[0] - was[0], now[1] - was[1]);
      }
    });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      ground.addEventListener(end, (event) => {
        fingers.delete(event.pointerId);
        ground.classList.remove("sg-panning");
      });
    }
  }

  // Paint everything anew.
  paint() {
    const { state, folded } = this;
    folded.compute();
    const context = this.context();
    this.edges.paint(context, state.overlay);
    for (const card of this.cards) card.paint(context);
    return context;
  }

  context() {
    const { state, folded } = this;
    const litEdges = new Set();
    const litCards = new Set();
    for (const [result, place] of state.lit ?? []) {
      const edge = folded.edgeOf[result][place];
      if (edge >= 0) {
        litEdges.add(edge);
        folded.view.edges[edge].forEach((card) => litCards.add(card));
      }
    }
    return { largest: state.largest, litEdges, litCards, cause: state.mode === "explore" ? state.why?.cause ?? null : null };
  }
}

function badgeBox(card, box, down) {
  const width = badgeWidth(card);
  const [x, y] = down
    ? [box.x + box.width / 2 - width / 2, box.y - BADGE_ABOVE]
    : [box.x + BADGE_RADIUS - width, box.y + box.height / 2 - BADGE_RADIUS];
  return { x, y, width, height: 2 * BADGE_RADIUS };
}
