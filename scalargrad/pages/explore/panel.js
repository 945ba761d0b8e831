// What the gradient of the selected value says, and why it is what it is: its local rule and the sum over its paths.

import { Field, Slider } from "./cards.js";
import { makeCurve } from "./curve.js";
import { button, element, fill, setAttribute, setClass, setText } from "./dom.js";
import { tint } from "./look.js";
import { factor, gradientText, number } from "../words/numbers.js";
import { paths } from "../words/words.js";

const PATHS_SHOWN = 3;

// options: lights: false, where no path is to be lit in the graph.
export function makePanel(state, { panel }, { lights = true } = {}) {
  const made = new Panel(state, lights);
  return {
    update: () => made.update(),
    show: () => panel.append(made.parts.root),
    hide: () => (lights && state.light(null), made.parts.root.remove()),
  };
}

class Panel {
  constructor(state, lights) {
    const { graph, words } = state;
    Object.assign(this, { state, lights, graph, words });
    this.found = { paths: [], others: 0, restShare: 0 };
    this.chosen = 0; // the path that is lit
    this.kept = 0; // the one that is lit when no other is looked at
    this.shown = null; // the value that the panel is about
    this.parts = build();
    this.curve = makeCurve(state, this.parts.curved);
  }

  update() {
    const position = this.state.selected ?? this.graph.output;
    if (position !== this.shown) this.begin(position);
    this.found = paths(this.graph, position, PATHS_SHOWN);
    this.chosen = Math.min(this.chosen, Math.max(0, this.found.paths.length - 1));
    this.writeWho();
    for (const control of this.controls) control.paint();
    this.writeRule();
    this.writePaths();
    this.parts.curved.hidden = position === this.graph.output; // a straight line, whatever the graph
    this.curve.update(position);
    this.light();
  }

  // About another value. On a phone a leaf is moved here.
  begin(position) {
    const { state, parts } = this;
    [this.shown, this.chosen, this.kept] = [position, 0, 0];
    const range = state.sliders.get(position);
    parts.mover.hidden = !range;
    setClass(parts.mover, `sg-mover sg-${state.kind(position)}`);
    this.controls = range ? [new Slider(state, position), new Field(state, position)] : [];
    if (!range) return;
    const [slider, field] = this.controls;
    for (const { input } of this.controls) input.removeAttribute("tabindex");
    const track = element("div", "sg-track", {}, slider.input, slider.notch);
    const less = button("sg-minus", "less", () => state.nudge(position, -1), "−");
    const more = button("sg-plus", "more", () => state.nudge(position, 1), "+");
    parts.mover.replaceChildren(less, element("div", "", {}, track, parts.ends), more, field.input);
  }

  // Its name, its numbers and a sentence.
  writeWho() {
    const { shown, graph, parts, words, state } = this;
    const [data, grad, kind] = [graph.data[shown], graph.grad[shown], state.kind(shown)];
    setText(parts.name, state.names[shown]);
    setText(parts.kind, kind);
    setClass(parts.kind, `sg-kind sg-is-${kind}`);
    setText(parts.data, number(data));
    setText(parts.gradName, `grad, ${words.partial(shown)}`);
    setText(parts.grad, gradientText(grad));
    setClass(parts.gradCell, `sg-${tint(grad, state.largest)}`);
    setText(parts.short, `${words.partial(shown)} = `);
    setText(parts.shortGrad, gradientText(grad));
    const why = words.why(shown);
    setText(parts.saysTitle, why ? question(grad) : "What it says");
    setText(parts.says, why ? why.sentence : words.says(shown));
    const range = state.sliders.get(shown);
    if (!range) return;
    setText(parts.low, number(range.low));
    setText(parts.began, `began at ${number(state.began.get(shown))}`);
    setText(parts.high, number(range.high));
  }

  // The local rule of the first link of the path that is lit; where that leads into a unit, of all links inside.
  // On a phone of the next that is not 1, too.
  writeRule() {
    const { shown, graph, words, parts, found } = this;
    const { cards, cardOf } = this.state.folded;
    const links = found.paths[this.chosen]?.edges ?? [];
    const several = found.paths.length + found.others > 1;
    const card = links.length ? cardOf[links[0][0]] : -1;
    const outside = links.findIndex(([result]) => cardOf[result] !== card);
    const into = outside < 0 ? links : links.slice(0, outside);
    setText(parts.ruleTitle, several && into.length ? `Local rule, into ${cards[card].name}` : "Its local rule");
    const lines = [];
    if (into.length) {
      if (into.length === 1)
        lines.push({ text: this.equation(into[0][0]), look: "sg-wide" });
      lines.push(...into.map((link) => this.ruleOf(link, cards[card])));
      const slopes = into.map(([result, place]) => graph.slopes[result][place]);
      if (into.length > 1)
        lines.push({ text: `${product(slopes)} = `, value: gradientText(slopes.reduce((one, other) => one * other)) });
      const next = links.slice(into.length).find(([result, place]) => graph.slopes[result][place] !== 1);
      if (next && into.length === 1) lines.push({ ...this.ruleOf(next), look: "sg-narrow" });
    } else {
      if (!this.state.isLeaf(shown)) lines.push({ text: this.equation(shown) });
      if (shown === graph.output) lines.push({ text: `${words.partial(shown)} = `, value: "1" });
      else lines.push({ text: `no path leads from ${words.name(shown)} to ${words.name(graph.output)}` });
    }
    fill(
      parts.rule,
      lines,
      () => element("p", "", {}, element("span"), element("b")),
      (line, { text, value = "", look = "" }) => {
        setClass(line, look);
        setText(line.firstChild, text);
        setText(line.lastChild, value);
      },
    );
  }

  // "n = v6 + b"; a value without a name may be called by its formula, and then that is all.
  equation(result) {
    return [...new Set([this.words.name(result), this.words.formula(result)])].join(" = ");
  }

  // Values inside the card of a unit are called by what they are in it: not layers.0.neurons.3.sum, but sum.
  ruleOf([result, place], card = null) {
    const { symbols, numbers, value } = this.words.rule(result, place);
    const last = gradientText(value);
    const pieces = [this.words.ratio(result, place), symbols, numbers].filter((piece) => piece && piece !== last);
    const text = `${[...new Set(pieces)].join(" = ")} = `;
    const unit = card?.members ? this.words.name(card.exits[0]) : null;
    return { text: unit ? text.replaceAll(`${unit}.`, "").replaceAll(unit, card.name) : text, value: last };
  }

  // The sum over paths.
  writePaths() {
    const { parts, found, graph, shown } = this;
    const count = found.paths.length + found.others;
    const single = count === 1 && found.paths[0].edges.length > 0;
    parts.pathed.hidden = count === 0 || (count === 1 && !single);
    parts.links.hidden = !single;
    parts.many.hidden = count <= 1;
    const which = found.others ? `the first of the largest ${found.paths.length} is lit` : "the largest is lit";
    setText(parts.pathsAside, single ? "1 path, lit in the graph" : `${counted(count)} paths, ${which}`);
    if (single) this.writeLinks(found.paths[0]);
    if (count > 1) this.writeMany();
    const shortly = single
      ? `1 path: ${product(found.paths[0].factors)} = `
      : `${counted(count)} paths: ${this.sum()} = `;
    setText(parts.pathsShort, count ? shortly : "no path: ");
    parts.inShort.hidden = parts.pathed.hidden;
    setText(parts.pathsTotal, gradientText(graph.grad[shown]));
  }

  // One path alone: link by link.
  writeLinks({ edges, factors }) {
    const { words, parts } = this;
    const rows = edges.map(([result, place], index) => [
      ...[this.state.badge(result), words.ratio(result, place)],
      ...[words.rule(result, place).reason, gradientText(factors[index])],
    ]);
    fill(parts.linkRows, rows, makeLink, (row, [badge, ratio, reason, value]) => {
      const [sign, text, total] = row.children;
      setText(sign, badge);
      setText(text.firstChild, ratio);
      setText(text.lastChild, reason);
      setText(total, value);
    });
    parts.linkSum.hidden = edges.length === 1;
    setText(parts.linkProduct, product(factors));
    setText(parts.linkTotal, gradientText(this.graph.grad[this.shown]));
  }

  writeMany() {
    const { parts, found } = this;
    const trails = found.paths.map((path) => this.trailOf(path));
    const common = trails[0].names.filter((name) => trails.every((trail) => trail.names.includes(name)));
    fill(
      parts.rows,
      found.paths,
      (place) => this.makePath(place),
      (row, path, place) => {
        const [trail, total, factors, part, bar] = row.children;
        const sign = path.product < 0 ? "sg-falls" : path.product > 0 ? "sg-rises" : "sg-flat";
        setClass(row, place === this.chosen ? "sg-path sg-lit" : "sg-path");
        setAttribute(row, "aria-pressed", place === this.chosen);
        fill(
          trail,
          trails[place].names,
          () => element("span"),
          (span, name) => {
            setText(span, name);
            setClass(span, common.includes(name) ? "" : "sg-own");
          },
        );
        setText(total, gradientText(path.product));
        setClass(total, sign);
        setText(factors, product(trails[place].factors));
        setText(part, percent(path.share));
        setClass(bar, `sg-share ${sign}`);
        bar.firstChild.style.width = `${(100 * path.share) / found.paths[0].share || 0}%`;
      },
    );
    parts.rest.hidden = !found.others;
    setText(parts.rest, `and ${counted(found.others)} more, together ${percent(found.restShare)}`);
    setText(parts.sum, `${this.sum()} = `);
    setText(parts.total, gradientText(this.graph.grad[this.shown]));
  }

  // The cards that a path leads through, and its factor from each to the next, the output's first.
  trailOf({ edges, factors }) {
    const { cards, cardOf } = this.state.folded;
    const at = (position) => cardOf[position];
    const stations = [this.shown];
    const products = [];
    edges.forEach(([result], index) => {
      const inside = products.length && at(result) === at(stations.at(-1)) && at(result) >= 0;
      if (inside) products.push(products.pop() * factors[index]);
      else products.push(factors[index]);
      if (inside) stations.pop();
      stations.push(result);
    });
    return {
      names: stations.map((position) => cards[at(position)]?.name ?? this.words.name(position)),
      factors: products.reverse(),
    };
  }

  // "1.618 + 0.2778 − 0.0155"
  sum() {
    const terms = this.found.paths.map(({ product }, place) => {
      if (!place) return gradientText(product);
      return product < 0 ? ` − ${number(-product)}` : ` + ${gradientText(product)}`;
    });
    return `${terms.join("")}${this.found.others ? " + …" : ""}`;
  }

  makePath(place) {
    const row = button("sg-path", "", () => ((this.kept = place), this.choose(place)));
    const bar = element("span", "sg-share", {}, element("span"));
    row.replaceChildren(element("span", "sg-trail"), element("b"), element("span", "sg-factors"), element("span"), bar);
    for (const begin of ["pointerenter", "focus"]) row.addEventListener(begin, () => this.choose(place));
    for (const end of ["pointerleave", "blur"]) row.addEventListener(end, () => this.choose(this.kept));
    return row;
  }

  choose(place) {
    if (place === this.chosen || place >= this.found.paths.length) return;
    this.chosen = place;
    this.writeRule();
    this.writeMany();
    this.light();
  }

  // Told only where it is another path: who is told paints.
  light() {
    if (!this.lights) return;
    const links = this.found.paths[this.chosen]?.edges ?? null;
    if (String(links) !== String(this.state.lit)) this.state.light(links);
  }
}

// Elements.

function build() {
  const made = {};
  const part = (name, tag, classes = "", ...children) => (made[name] = element(tag, classes, {}, ...children));
  const header = (...children) => element("header", "", {}, ...children);
  const equation = (name, classes, left, right) => part(name, "p", classes, part(left, "span"), part(right, "b"));
  part("gradCell", "div", "", part("gradName", "dt"), part("grad", "dd"));
  part("ends", "p", "sg-ends", part("low", "span"), part("began", "span"), part("high", "span"));
  part("mover", "div", "sg-mover");
  const cells = element(
    "dl",
    "sg-facts",
    {},
    element("div", "", {}, element("dt", "", {}, "data"), part("data", "dd")),
    made.gradCell,
  );
  const heading = header(
    part("name", "h2"),
    part("kind", "span"),
    equation("shortly", "sg-short", "short", "shortGrad"),
  );
  part("who", "section", "sg-who", heading, cells, made.mover);
  const inShort = equation("inShort", "sg-in-short", "pathsShort", "pathsTotal");
  part("said", "section", "sg-says sg-said", inShort, part("saysTitle", "h3"), part("says", "p"));
  part("ruled", "section", "sg-ruled", header(part("ruleTitle", "h3")), part("rule", "div", "sg-box sg-formulas"));
  part(
    "links",
    "div",
    "sg-box sg-links",
    part("linkRows", "div"),
    equation("linkSum", "sg-sum", "linkProduct", "linkTotal"),
  );
  part(
    "many",
    "div",
    "sg-box sg-many",
    part("rows", "div"),
    part("rest", "p", "sg-rest"),
    equation("manySum", "sg-sum", "sum", "total"),
  );
  const pathsHeading = header(element("h3", "", {}, "Sum over paths"), part("pathsAside", "p", "sg-aside"));
  part("pathed", "section", "sg-pathed", pathsHeading, made.links, made.many);
  part("curved", "section", "sg-curved");
  const columns = [
    [made.who, made.said],
    [made.ruled, made.curved],
  ].map((parts) => element("div", "sg-column", {}, ...parts));
  part("root", "div", "sg-explains", ...columns, made.pathed);
  return made;
}

function makeLink() {
  const text = element("span", "", {}, element("span", "sg-ratio"), element("span", "sg-reason"));
  return element("p", "sg-link", {}, element("span", "sg-sign"), text, element("b"));
}

// Words.

function question(grad) {
  if (grad === 0) return "Why is this 0?";
  if (!Number.isFinite(grad)) return `Why is this ${number(grad)}?`;
  return `Why is this so ${Math.abs(grad) < 1 ? "small" : "large"}?`;
}

function product(factors) {
  return factors.map((x, place) => (place ? factor(x + 0) : gradientText(x))).join(" × ");
}

function percent(share) {
  return Number.isNaN(share) ? "" : `${number(Number((100 * share).toPrecision(3)))} %`;
}

function counted(count) {
  return count < 1e6 ? count.toLocaleString("en") : number(count);
}
