// Step mode: the forward pass result by result, the seed, and the backward pass one term of the chain rule at a time.

import { button, element, fill, icon, setAttribute, setClass, setText } from "./dom.js";
import { tint } from "./look.js";
import { makePanel } from "./panel.js";
import { Story } from "./story.js";
import { gradientText, number } from "../words/numbers.js";

const SECONDS = 1.2; // from a step to the next; for those who asked for less motion at least 1
const SPEEDS = new Map([
  [0.5, "½×"],
  [1, "1×"],
  [2, "2×"],
  [4, "4×"],
]);
const PHASES = ["forward", "seed", "backward"];
const BACK = "M13 2v12L3 8z";
const FORWARD = "M3 2v12l10-6z";
const PAUSE = "M3 2h4v12H3zM9 2h4v12H9z";

export function makeStep(state, { panel, strip }) {
  const mode = new Step(state, panel, strip);
  const keys = {
    ArrowLeft: () => mode.goTo(mode.at - 1),
    ArrowRight: () => mode.goTo(mode.at + 1),
    Home: () => mode.goTo(0),
    End: () => mode.goTo(mode.last),
    " ": (event) => !event.target.matches("button") && mode.play(mode.timer === null),
    Escape: () => mode.explained !== null && mode.explain(null),
  };
  [...SPEEDS.keys()].forEach((times, place) => (keys[place + 1] = () => mode.setSpeed(times)));
  return { keys, update: () => mode.update(), show: () => mode.show(), hide: () => mode.hide() };
}

class Step {
  constructor(state, panel, strip) {
    Object.assign(this, { state, panel, strip, graph: state.graph });
    this.stillness = matchMedia("(prefers-reduced-motion: reduce)");
    this.steps = state.words.steps();
    this.story = new Story(this.steps, this.graph);
    this.written = state.version; // the numbers that the words are about
    this.last = this.steps.length - 1;
    this.at = 0;
    this.timer = null;
    this.speed = 1;
    this.active = false; // is it on the page?
    this.explained = null; // the value whose explanation is open
    this.parts = { ...this.buildStrip(), ...this.buildPanel() };
    this.explanation = makePanel(state, { panel: this.parts.explained }, { lights: false });
    state.on("selection", (position) => this.active && this.explain(position));
  }

  // Steps.

  goTo(step) {
    this.setPlaying(false);
    this.showStep(step);
  }

  play(playing) {
    this.setPlaying(playing);
    if (playing) this.showStep(this.at === this.last ? 0 : this.at + 1);
  }

  setPlaying(playing) {
    const { parts, state } = this;
    const seconds = SECONDS / this.speed;
    clearInterval(this.timer);
    this.timer = playing
      ? setInterval(() => this.playStep(), 1000 * (this.stillness.matches ? Math.max(1, seconds) : seconds))
      : null;
    state.playing = playing;
    setText(parts.playWord, playing ? "Pause" : "Play");
    setAttribute(parts.playIcon.firstChild, "d", playing ? PAUSE : FORWARD);
    setAttribute(parts.step, "aria-live", playing ? "off" : "polite"); // no flood of announcements
  }

  playStep() {
    this.showStep(this.at + 1);
    if (this.at === this.last) this.setPlaying(false);
  }

  setSpeed(times) {
    this.speed = times;
    this.parts.speeds.forEach((choice, place) =>
      setAttribute(choice, "aria-pressed", [...SPEEDS.keys()][place] === times),
    );
    if (this.timer !== null) this.setPlaying(true);
  }

  showStep(step) {
    this.at = Math.min(Math.max(step, 0), this.last);
    this.write();
    this.keepInView(this.parts.rows[this.at - 1]);
    this.state.setOverlay(this.overlay());
  }

  // Other numbers: other words for the same steps.
  update() {
    if (this.written !== this.state.version) {
      this.written = this.state.version;
      this.steps = this.state.words.steps();
      this.write();
    }
    if (this.explained !== null) this.explanation.update();
  }

  // What cards and edges show at this step, for the numbers that the graph has when it is painted.
  overlay() {
    const { story, graph, state, at } = this;
    const { gains, gives, edges } = this.steps[at];
    const moving = new Set(edges.map(String));
    let [version, sums, largest] = [null];
    const sum = (position) => {
      if (version !== state.version) [version, sums, largest] = [state.version, story.sumsAt(at).sums, story.largest()];
      return sums[position];
    };
    return {
      grad: (position) => ({
        text: gradientText(sum(position)),
        tint: tint(sum(position), largest),
        turns: story.turnsAt(position, at),
      }),
      data: (position) => story.isComputed(position, at),
      edge(result, place) {
        const added = story.isAdded(result, place, at);
        if (moving.has(`${result},${place}`)) return added ? "active" : "moving";
        return added ? "known" : story.isComputed(result, at) ? "passed" : "ahead";
      },
      glow: gains ?? null,
      gives,
      largest: () => (sum(graph.output), largest),
    };
  }

  // What is written about it.

  write() {
    const { parts, at, last } = this;
    const now = this.steps[at];
    fill(parts.formula, now.formula, () => element("span"), writePiece);
    setText(parts.note, now.note);
    parts.slider.value = at;
    parts.slider.style.setProperty("--share", last ? at / last : 0);
    setAttribute(parts.slider, "aria-valuetext", `${at} of ${last}, ${now.phase}`);
    setText(parts.place, `${at}`);
    setText(parts.phase, now.phase);
    setAttribute(parts.back, "aria-disabled", at === 0);
    setAttribute(parts.forward, "aria-disabled", at === last);
    parts.rows.forEach((row, place) => this.writeRow(row, place + 1)); // the list leaves out the beginning
    this.writeAbout(now);
  }

  writeRow(row, step) {
    const [rank, text, result] = row.children;
    const [words, value] = this.inShort(this.steps[step]);
    setText(rank, `${step}`);
    setText(text, words);
    setText(result, step <= this.at ? value : "");
    setClass(row, `sg-listed${step > this.at ? " sg-later" : step === this.at ? " sg-present" : ""}`);
    if (step === this.at) row.setAttribute("aria-current", "step");
    else row.removeAttribute("aria-current");
  }

  inShort({ phase, formula, gains }) {
    const { state, graph } = this;
    const [what, value, numbers] = [formula[0][0], formula.at(-1)[0], formula.at(-2)?.[0]].map((text) =>
      text?.replace(/^= /, ""),
    );
    if (phase === "forward") return [`${what} = ${state.words.formula(gains)}`, number(graph.data[gains])];
    return phase === "seed" ? [`${what} = 1`, "1"] : [`${what} += ${numbers}`, value];
  }

  writeAbout({ phase, gains, gives }) {
    const { parts, state, graph } = this;
    parts.about.hidden = phase !== "backward";
    if (phase !== "backward") return;
    const [result, operand, output] = [gives[0], gains, graph.output].map((position) => state.words.name(position));
    setText(parts.local, `Local: how ${result} changes with ${operand}.`);
    setText(
      parts.upstream,
      `Upstream: how ${output} changes with ${result}, known since step ${this.story.completeAt(gives[0])}.`,
    );
  }

  // Scrolls the list, and nothing else.
  keepInView(row) {
    if (!row) return;
    let box = row.parentElement;
    while (box && !/auto|scroll/.test(getComputedStyle(box).overflowY))
      box = box.matches(".sg-frame") ? null : box.parentElement;
    if (!box) return;
    const [inside, whole] = [row.getBoundingClientRect(), box.getBoundingClientRect()];
    const beyond = Math.max(0, inside.bottom - whole.bottom + 24) || Math.min(0, inside.top - whole.top - 24);
    if (beyond) box.scrollTo({ top: box.scrollTop + beyond, behavior: this.stillness.matches ? "instant" : "smooth" });
  }

  // The value that was clicked, explained in the place of the list.
  explain(position) {
    const { parts, state } = this;
    if (position === this.explained) return;
    const hadFocus = parts.explanation.contains(document.activeElement);
    const before = this.explained;
    this.explained = position;
    parts.list.hidden = position !== null;
    parts.explanation.hidden = position === null;
    if (position !== null) return this.explanation.show();
    this.explanation.hide();
    state.select(null);
    if (hadFocus) this.panel.getRootNode().querySelector(`.sg-card[data-value="${before}"] .sg-pick`)?.focus();
  }

  // Elements.

  buildStrip() {
    const made = {};
    const part = (name, tag, classes, attributes, ...children) =>
      (made[name] = element(tag, classes, attributes, ...children));
    made.back = button("sg-back", "Step back", () => this.goTo(this.at - 1), icon(BACK));
    made.forward = button("sg-forward", "Step forward", () => this.goTo(this.at + 1), icon(FORWARD));
    made.play = button("sg-primary sg-play", "", () => this.play(this.timer === null));
    made.playIcon = icon(FORWARD);
    made.play.append(made.playIcon, part("playWord", "span", "", {}, "Play"));
    const range = {
      type: "range",
      min: 0,
      max: this.last,
      step: 1,
      value: 0,
      autocomplete: "off",
      "aria-label": "Step",
    };
    part("slider", "input", "sg-slider sg-violet", range);
    made.slider.addEventListener("input", () => this.goTo(made.slider.valueAsNumber));
    const place = part("counter", "output", "sg-counter", {}, part("place", "b", "", {}), ` / ${this.last}`);
    place.append(part("phase", "span", "sg-unseen", {}));
    made.speeds = [...SPEEDS].map(([times, name]) => button("", name, () => this.setSpeed(times)));
    made.speeds.forEach((choice, place) => choice.setAttribute("aria-pressed", place === 1));
    const speeds = element("div", "sg-speeds", { role: "group", "aria-label": "Speed" }, ...made.speeds);
    const timeline = element("div", "sg-timeline", {}, made.slider, phaseBar(this.story));
    const controls = [made.back, made.play, made.forward, timeline, made.counter, speeds];
    part("controls", "div", "sg-controls", { role: "group", "aria-label": "Steps" }, ...controls);
    const told = { "aria-live": "polite", "aria-atomic": "true" };
    part("step", "div", "sg-step", told, part("formula", "p", "sg-formula", {}), part("note", "p", "sg-note", {}));
    return made;
  }

  buildPanel() {
    const made = { rows: [] };
    const { computed, terms } = this.story;
    const counts = {
      forward: `${computed.size} ${computed.size === 1 ? "result" : "results"}`,
      seed: `${this.state.words.name(this.graph.output)} by itself`,
      backward: `${terms.length} ${terms.length === 1 ? "term" : "terms"} of the chain rule`,
    };
    const sections = PHASES.map((phase) => {
      const list = element("div", "sg-box");
      this.steps.forEach((step, place) => {
        if (step.phase !== phase) return;
        const row = button("sg-listed", "", () => this.goTo(place));
        row.replaceChildren(element("span", "sg-rank"), element("span", "sg-text"), element("b"));
        made.rows.push(row);
        list.append(row);
      });
      const title = element("h3", "", {}, phase[0].toUpperCase() + phase.slice(1));
      const section = element(
        "section",
        `sg-${phase}-steps`,
        {},
        element("header", "", {}, title, element("p", "sg-aside", {}, counts[phase])),
        list,
      );
      section.hidden = !list.children.length;
      return section;
    });
    [made.local, made.upstream] = [element("p"), element("p")];
    made.about = element(
      "section",
      "sg-says",
      {},
      element("h3", "", {}, "local × upstream"),
      made.local,
      made.upstream,
    );
    const heading = element(
      "header",
      "sg-heading",
      {},
      element("h2", "", {}, "All steps"),
      element("p", "", {}, "click one to go there"),
    );
    made.list = element("div", "sg-all-steps", {}, heading, ...sections, made.about);
    made.explained = element("div");
    made.close = button("sg-close", "Close", () => this.explain(null));
    made.explanation = element(
      "section",
      "sg-explanation",
      { "aria-label": "Explanation" },
      made.close,
      made.explained,
    );
    made.explanation.hidden = true;
    return made;
  }

  show() {
    const { parts, state } = this;
    this.before = state.selected;
    state.select(null);
    this.active = true;
    this.strip.append(parts.controls, parts.step);
    this.panel.append(parts.list, parts.explanation);
    this.update();
    this.showStep(this.at);
  }

  hide() {
    const { parts, state } = this;
    if (!this.active) return;
    this.setPlaying(false);
    const chosen = this.explained ?? this.before;
    this.explain(null);
    this.active = false;
    for (const part of [parts.controls, parts.step, parts.list, parts.explanation]) part.remove();
    state.setOverlay(null);
    state.select(chosen);
  }
}

// Below the slider: where it goes forward, and where backward.
function phaseBar({ computed, last }) {
  const lengths = { forward: computed.size, backward: last - computed.size };
  const spans = Object.entries(lengths).map(([name, length]) => {
    const span = element("span", "", {}, name);
    span.style.flexGrow = length;
    span.hidden = !length;
    return span;
  });
  return element("div", "sg-phases", { "aria-hidden": "true" }, ...spans);
}

function writePiece(span, [text, caption]) {
  if (span.textContent === (caption ? `${text} ${caption}` : text)) return;
  span.replaceChildren(text, ...(caption ? [" ", element("small", "", {}, caption)] : []));
}
