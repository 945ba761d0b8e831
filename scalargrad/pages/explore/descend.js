// Gradient descent on the output: parameters move against their gradients, a step at a time.

import { button, element, icon, setAttribute, setText, shape } from "./dom.js";
import { number } from "../words/numbers.js";

const AHEAD = 24; // steps that are shown before they are taken
const BEHIND = 72; // steps taken that stay in the picture
const STEPS_A_SECOND = 10; // 1 for those who asked for less motion
const NAMES_SHOWN = 4; // more are counted
const [SMALLEST_RATE, LARGEST_RATE, FIRST_RATE] = [0.001, 1, 0.05];
const MOST_WORK = 60000; // values computed: a larger graph looks ahead only when it has come to rest
const REST = 150; // milliseconds
const TOO_FAR = "The next step is not finite: a smaller learning rate helps.";
const PLAY = "M3 2v12l10-6z";
const PAUSE = "M3 2h4v12H3zM9 2h4v12H9z";
const [WIDTH, HEIGHT, INSET] = [260, 58, 7];

export function makeDescend(state, { bar, graph }) {
  const made = new Descend(state, bar, graph);
  return {
    keys: { d: () => made.stepOnce() },
    update: () => made.update(),
    show: () => made.show(),
    hide: () => made.hide(),
  };
}

// The outputs of the next steps of SGD, as many as are finite, and the movers' numbers after the first, null where
// that is not finite. The graph is afterwards as it was.
export function lookAhead(graph, movers, rate, steps) {
  const put = (numbers) => {
    movers.forEach((position, place) => graph.set(position, numbers[place]));
    graph.compute();
  };
  const before = movers.map((position) => graph.data[position]);
  const outputs = [];
  let first = null;
  while (outputs.length < steps) {
    const after = movers.map((position) => graph.data[position] - rate * graph.grad[position]);
    if (!after.every(Number.isFinite)) break;
    put(after);
    if (!Number.isFinite(graph.data[graph.output])) break;
    outputs.push(graph.data[graph.output]);
    first ??= after;
  }
  put(before);
  return { outputs, first };
}

class Descend {
  constructor(state, bar, place) {
    Object.assign(this, { state, bar, place, graph: state.graph });
    const leaves = [...state.sliders.keys()].filter((position) => state.sliders.get(position).step !== 1);
    const parameters = leaves.filter((position) => state.kind(position) === "parameter");
    this.areParameters = parameters.length > 0;
    this.movable = this.areParameters ? parameters : leaves;
    this.held = new Set();
    this.stillness = matchMedia("(prefers-reduced-motion: reduce)");
    this.rate = FIRST_RATE;
    this.timer = null;
    this.waiting = null; // to look ahead
    this.past = []; // outputs before the present one
    this.stepped = null; // the version of the numbers after the last step: with another one a new line begins
    this.parts = this.build(state.words.name(this.graph.output));
  }

  get movers() {
    return this.movable.filter((position) => !this.held.has(position));
  }

  step() {
    const { state, graph, movers } = this;
    const { first } = lookAhead(graph, movers, this.rate, 1);
    if (!first) {
      this.run(false);
      setText(this.parts.words, TOO_FAR);
      return;
    }
    this.past = [...this.past, graph.data[graph.output]].slice(-BEHIND);
    this.stepped = state.version + 1;
    state.setLeaves(movers.map((position, place) => [position, first[place]]));
    this.stepped = state.version; // the same as before where all gradients are 0
  }

  stepOnce() {
    this.run(false);
    this.step();
  }

  run(running) {
    clearInterval(this.timer);
    this.timer = running ? setInterval(() => this.step(), 1000 / (this.stillness.matches ? 1 : STEPS_A_SECOND)) : null;
    this.state.playing = running;
    setText(this.parts.runWord, running ? "Pause" : "Run");
    setAttribute(this.parts.runIcon.firstChild, "d", running ? PAUSE : PLAY);
    if (running) this.step();
  }

  hold(position) {
    if (!this.held.delete(position)) this.held.add(position);
    setText(this.parts.words, "");
    this.update();
  }

  // What is shown is what is used: two digits.
  setRate(exponent) {
    this.rate = Number(Math.min(Math.max(10 ** exponent, SMALLEST_RATE), LARGEST_RATE).toPrecision(2));
    setText(this.parts.words, "");
    this.update();
  }

  update() {
    const { parts, graph, state } = this;
    if (this.stepped !== null && this.stepped !== state.version) {
      [this.past, this.stepped] = [[], null];
      setText(parts.words, "");
    }
    this.writeMovers();
    setText(parts.rate, number(this.rate));
    setAttribute(parts.slider, "aria-valuetext", number(this.rate));
    const exponent = Math.log10(this.rate);
    if (Math.abs(parts.slider.valueAsNumber - exponent) > 0.02) parts.slider.value = exponent;
    parts.slider.style.setProperty("--share", (exponent - parts.slider.min) / (parts.slider.max - parts.slider.min));
    setText(parts.now, number(graph.data[graph.output]));
    clearTimeout(this.waiting);
    if (graph.length * AHEAD <= MOST_WORK) this.look();
    else this.waiting = setTimeout(() => this.look(), REST);
  }

  look() {
    const { parts, graph } = this;
    const { outputs } = lookAhead(graph, this.movers, this.rate, AHEAD);
    setText(parts.next, outputs.length ? number(outputs[0]) : "not finite");
    parts.chart.draw(this.past, graph.data[graph.output], outputs);
  }

  writeMovers() {
    const { parts, movable, held, state } = this;
    parts.holds.forEach((toggle, place) => {
      setAttribute(toggle, "aria-pressed", held.has(movable[place]));
      setAttribute(toggle, "aria-label", `hold ${state.words.name(movable[place])}`);
    });
    if (!parts.count) return;
    const words = `${movable.length} ${this.areParameters ? "parameters" : "inputs"}`;
    setText(parts.count, held.size ? `${words}, ${held.size} held` : words);
  }

  // On a phone the row is behind a button, and fills the sheet.
  open(opened) {
    this.bar.closest(".sg-frame").classList.toggle("sg-descending", opened);
    (opened ? this.parts.one : this.parts.opener).focus();
  }

  // Elements.

  build(name) {
    const made = {
      rate: element("b"),
      now: element("b"),
      next: element("b"),
      words: element("p", "sg-words", { role: "status" }),
    };
    made.holds = this.movable.map((position) =>
      button("sg-hold", this.state.words.name(position), () => this.hold(position)),
    );
    const ends = {
      min: Math.log10(SMALLEST_RATE),
      max: Math.log10(LARGEST_RATE),
      step: 0.01,
      value: Math.log10(FIRST_RATE),
    };
    made.slider = element("input", "sg-slider sg-violet", {
      type: "range",
      "aria-label": "learning rate",
      autocomplete: "off",
      ...ends,
    });
    made.slider.addEventListener("input", () => this.setRate(made.slider.valueAsNumber));
    made.one = button("sg-one", "Step", () => this.stepOnce());
    made.one.setAttribute("aria-label", "Step down");
    made.run = button("sg-primary sg-run", "", () => this.run(this.timer === null));
    [made.runIcon, made.runWord] = [icon(PLAY), element("span", "", {}, "Run")];
    made.run.append(made.runIcon, made.runWord);
    made.chart = new Chart();
    made.opener = button("sg-opener", "Descend", () => this.open(true));
    const close = button("sg-close", "Close", () => this.open(false));
    const line = (label, ...rest) => element("p", "", {}, `${label} `, ...rest);
    const which = element("div", "sg-which", {}, element("h2", "", {}, "Descend"), this.buildMovers(made));
    const rates = element("label", "sg-rates", {}, line("learning rate", made.rate), made.slider);
    const buttons = element("div", "sg-buttons", {}, made.one, made.run);
    const ahead = element("div", "sg-ahead", {}, line(`${name}, ${AHEAD} steps ahead`), made.chart.svg);
    const numbers = element("div", "sg-numbers", {}, line(name, made.now), line("next", made.next));
    made.row = element(
      "section",
      "sg-descend",
      { "aria-label": "Descend" },
      which,
      rates,
      buttons,
      ahead,
      numbers,
      made.words,
      close,
    );
    return made;
  }

  // Which leaves move: each name is a button that holds it; many are in a list that opens.
  buildMovers(made) {
    const { holds } = made;
    const several = holds.length > 1;
    if (!holds.length) return element("p", "sg-movers", {}, "There is nothing to move.");
    if (holds.length > NAMES_SHOWN) {
      made.count = element("summary");
      return element("details", "sg-movers", {}, made.count, element("div", "sg-holds", {}, ...holds));
    }
    const before = this.areParameters ? [] : [several ? "the inputs " : "the input "];
    const after = several ? "move against their gradients" : "moves against its gradient";
    return element("p", "sg-movers", {}, ...before, ...holds.flatMap((toggle) => [toggle, " "]), after);
  }

  show() {
    this.place.append(this.parts.opener);
    this.bar.append(this.parts.row);
  }

  hide() {
    this.run(false);
    clearTimeout(this.waiting);
    this.bar.closest(".sg-frame").classList.remove("sg-descending");
    this.parts.opener.remove();
    this.parts.row.remove();
  }
}

// The outputs of steps taken, solid, and of those ahead, dotted.
class Chart {
  constructor() {
    this.svg = shape("svg", "sg-chart", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": "" });
    [this.zero, this.past, this.ahead] = ["zero", "past", "ahead"].map((part) => shape("path", `sg-chart-${part}`));
    [this.next, this.now] = ["next", "now"].map((part) => shape("circle", `sg-chart-${part}`, { r: 4 }));
    this.svg.append(this.zero, this.past, this.ahead, this.next, this.now);
  }

  draw(past, present, next) {
    const known = Number.isFinite(present);
    this.svg.toggleAttribute("hidden", !known);
    if (!known) return;
    const outputs = [...past, present, ...next].filter(Number.isFinite);
    const here = outputs.length - next.length - 1;
    const [low, high] = [Math.min(...outputs), Math.max(...outputs)];
    const x = (place) => INSET + (place * (WIDTH - 2 * INSET)) / (here + AHEAD);
    const y = (output) => (high > low ? INSET + ((high - output) / (high - low)) * (HEIGHT - 2 * INSET) : HEIGHT / 2);
    const point = (output, place) => `${x(place).toFixed(1)} ${y(output).toFixed(1)}`;
    const points = outputs.map(point);
    setAttribute(this.past, "d", `M${points.slice(0, here + 1).join("L")}`);
    setAttribute(this.ahead, "d", `M${points.slice(here).join("L")}`);
    setAttribute(this.zero, "d", low <= 0 && high >= 0 ? `M${INSET} ${y(0).toFixed(1)}H${WIDTH - INSET}` : "M0 0");
    [this.now, this.next].forEach((circle, further) => {
      const place = here + further;
      circle.toggleAttribute("hidden", place >= outputs.length);
      if (place < outputs.length) setAttribute(circle, "transform", `translate(${points[place]})`);
    });
    const then = next.length ? `after ${next.length} more ${number(next.at(-1))}` : "the next step is not finite";
    setAttribute(this.svg, "aria-label", `${past.length} steps taken, now ${number(present)}, ${then}`);
  }
}
