// Quiz mode: gradients are hidden, from the output backwards they are asked for, and a wrong number is named.

import { button, element, fill, setAttribute, setClass, setText } from "./dom.js";
import { tint, typed } from "./look.js";
import { gradientText, number } from "../words/numbers.js";
import { guessed } from "../words/words.js";

const [WITHIN, LEAST] = [0.01, 0.005]; // right is within 1 %, or within 0.005
const TRIES = 2; // then "Show me" is stressed
const TERMS_SHOWN = 3;
const ATTEMPTS = 200; // at new numbers that are all finite

export function makeQuiz(state, { panel, bar }) {
  const quiz = new Quiz(state, panel, bar);
  return {
    keys: { h: () => quiz.hint(), Enter: (event) => event.target.matches(".sg-pick") && quiz.parts.field.focus() },
    update: () => quiz.update(),
    show: () => quiz.show(),
    hide: () => quiz.hide(),
  };
}

// Is it the gradient, to the digits that one can type?
export function isRight(number, gradient) {
  if (!Number.isFinite(gradient)) return Object.is(number, gradient);
  return Math.abs(number - gradient) <= Math.max(WITHIN * Math.abs(gradient), LEAST);
}

class Quiz {
  constructor(state, panel, bar) {
    Object.assign(this, { state, panel, bar });
    this.order = order(state); // of all values that are asked for, should they be seen
    this.answers = new Map(); // by position: {right, text}: text is the last wrong number, or ""
    this.active = false; // is it on the page?
    this.asked = null;
    this.tries = 0;
    this.last = null; // the position of the latest gradient that was shown
    this.version = state.version;
    this.parts = build(this);
    state.on("selection", (position) => this.choose(position));
  }

  // The questions: what is to be seen of them, in their order.
  get questions() {
    const seen = new Set(this.state.visible());
    return this.order.filter((position) => seen.has(position));
  }

  open() {
    return this.questions.filter((position) => !this.answers.has(position));
  }

  get counts() {
    const answers = this.questions.map((position) => this.answers.get(position));
    const right = answers.filter((answer) => answer?.right).length;
    const open = answers.filter((answer) => !answer).length;
    return { right, open, not: answers.length - right - open, all: answers.length };
  }

  // Asking.

  ask(position) {
    this.asked = position;
    this.tries = 0;
    this.told(null);
    this.parts.field.value = "";
    this.changed();
  }

  // The question after this one, and after the last one the first that is still open.
  next() {
    const open = this.open();
    const rank = this.order.indexOf(this.asked);
    return open.find((position) => this.order.indexOf(position) > rank) ?? open[0] ?? null;
  }

  choose(position) {
    if (!this.active || position === this.asked || !this.open().includes(position)) return;
    this.ask(position);
    this.state.select(null); // it glows instead
    // Who walks from card to card with the Tab key stays there, and goes to the field with Enter.
    if (!this.panel.getRootNode().activeElement?.matches(".sg-pick:focus-visible")) this.parts.field.focus();
  }

  check() {
    const { words, graph } = this.state;
    if (this.asked === null || !this.parts.field.value.trim()) return;
    const answer = typed(this.parts.field.value);
    const gradient = graph.grad[this.asked];
    if (Number.isNaN(answer) && !Number.isNaN(gradient)) {
      this.told({ title: "That is no number.", text: "Type one like 0.5, −3 or 1e−4." });
    } else if (isRight(answer, gradient)) {
      const asked = this.asked;
      this.answers.set(asked, { right: true, text: "" });
      this.ask(this.next());
      this.told({ right: true, title: `✓ ${words.partial(asked)} = ${gradientText(gradient)}`, text: "" });
    } else {
      this.tries += 1;
      this.wrong = number(answer);
      this.told(this.wrongAnswer(answer));
      this.changed();
    }
    this.parts.field.select();
  }

  // A wrong number, named for what it is, else the rule.
  wrongAnswer(answer) {
    const what = guessed(this.state.words, this.asked, answer);
    const more = this.tries < TRIES ? " Try once more." : "";
    const title = `✗ Not ${number(answer)}${what?.what ? `: that is ${what.what}` : ""}.`;
    return { title, text: `${what?.rule ?? this.rules()}${more}` };
  }

  hint() {
    if (this.asked !== null) this.told({ hint: true, title: "Hint", text: this.rules() });
  }

  rules() {
    const { words } = this.state;
    const terms = words.consumers[this.asked].slice(0, TERMS_SHOWN);
    return [...new Set(terms.map((term) => words.rule(...term).sentence))].join(" ");
  }

  showMe() {
    if (this.asked === null) return;
    this.answers.set(this.asked, { right: false, text: this.tries ? this.wrong : "" });
    this.last = this.asked;
    this.ask(this.next());
    this.parts.field.focus();
  }

  showAll() {
    for (const position of this.open()) this.answers.set(position, { right: false, text: "" });
    this.ask(null);
  }

  hideAll() {
    this.answers.clear();
    this.last = null;
    this.ask(this.questions[0] ?? null);
    this.parts.field.focus();
  }

  newNumbers() {
    const numbers = roundNumbers(this.state);
    if (numbers) this.state.setLeaves(numbers);
    this.hideAll();
  }

  // What is shown.

  overlay() {
    const { graph } = this.state;
    const known = (position) => position === graph.output || this.asked === null || this.answers.has(position);
    return {
      grad: (position) => {
        if (!known(position)) return { text: "?", tint: tint(0, 1), unknown: true, mark: "" };
        const mark = { true: "✓", false: "✗" }[this.answers.get(position)?.right] ?? "";
        return { text: gradientText(graph.grad[position]), tint: tint(graph.grad[position], this.largest()), mark };
      },
      edge: (result, place) => (known(graph.operands[result][place]) ? "known" : "passed"),
      glow: this.asked,
      gives: [],
      legend: false,
    };
  }

  // The scale of tints, of those gradients that are known: others would be given away.
  largest() {
    const known = [...this.answers.keys()].map((position) => Math.abs(this.state.graph.grad[position]));
    return Math.max(1, ...known.filter(Number.isFinite));
  }

  update() {
    if (this.version !== this.state.version) {
      this.version = this.state.version;
      for (const answer of this.answers.values()) answer.text = ""; // it was about other numbers
      this.told(null);
    }
    const before = this.asked;
    if (this.asked === null || !this.questions.includes(this.asked)) this.asked = this.open()[0] ?? null;
    if (this.asked !== before) this.changed();
    else this.paint();
  }

  // Told only where something is new: who is told paints.
  changed() {
    this.paint();
    if (this.active) this.state.setOverlay(this.overlay());
  }

  told(feedback) {
    this.feedback = feedback;
    const { told } = this.parts;
    told.root.hidden = !feedback;
    setClass(told.root, `sg-told ${feedback?.right ? "sg-right" : feedback?.hint ? "sg-hint" : "sg-wrong"}`);
    setClass(this.parts.field, feedback && !feedback.right && !feedback.hint ? "sg-answer sg-wrong" : "sg-answer");
    setText(told.title, feedback?.title ?? "");
    setText(told.text, feedback?.text ?? "");
  }

  paint() {
    const { parts, asked, counts } = this;
    const { words } = this.state;
    setText(parts.rank, asked === null ? "" : `question ${this.questions.indexOf(asked) + 1} of ${counts.all}`);
    parts.question.hidden = asked === null;
    parts.done.hidden = asked !== null;
    setText(parts.done, `All ${counts.all} are known: ${counts.right} right, ${counts.not} not.`);
    if (asked !== null) {
      setText(parts.what, words.partial(asked));
      this.paintFormula();
      setAttribute(parts.field, "aria-label", `${words.partial(asked)}, your answer`);
      parts.showMe.classList.toggle("sg-primary", this.tries >= TRIES);
      parts.check.classList.toggle("sg-primary", this.tries < TRIES);
    }
    this.paintList();
    this.paintLast();
    this.paintBar();
  }

  // "∂o/∂w1 = ∂(x1*w1)/∂w1 × ∂o/∂(x1*w1)", and below it the numbers that are known.
  paintFormula() {
    const { words, graph } = this.state;
    const terms = words.consumers[this.asked];
    const shown = terms.slice(0, TERMS_SHOWN);
    const rest = terms.length > shown.length ? [" + … "] : [];
    const symbols = shown.map((term) => `${words.ratio(...term)} × ${words.partial(term[0])}`);
    setText(this.parts.symbols, `${words.partial(this.asked)} = ${symbols.join(" + ")}${rest.join("")}`);
    const unknown = () => element("b", "", {}, "?");
    const isKnown = (result) => result === graph.output || this.answers.has(result);
    const numbers = shown.flatMap(([result], place) => {
      const upstream = isKnown(result) ? gradientText(graph.grad[result]) : unknown();
      return [place ? " + " : "= ", unknown(), " × ", upstream];
    });
    this.parts.numbers.replaceChildren(...numbers, ...rest, " = ", unknown());
  }

  paintList() {
    const { parts, counts } = this;
    const { words, graph } = this.state;
    const rows = this.questions.filter((position) => this.answers.has(position) || position === this.asked);
    parts.soFar.hidden = !rows.length;
    setText(parts.tallied, `${counts.right} right, ${counts.not} not, ${counts.open} to go`);
    const makeRow = () =>
      element(
        "p",
        "",
        {},
        element("span"),
        element("span", "sg-text"),
        element("b", "", {}, element("s"), " ", element("span")),
      );
    fill(parts.rows, rows, makeRow, (row, position) => {
      const answer = this.answers.get(position);
      const [mark, name, value] = row.children;
      setClass(
        row,
        position === this.asked ? "sg-listed sg-present" : answer.right ? "sg-listed sg-right" : "sg-listed sg-not",
      );
      setText(mark, !answer ? "…" : answer.right ? "✓" : "✗");
      setText(name, words.partial(position));
      setText(value.firstChild, answer?.text ?? "");
      setText(value.lastChild, answer ? gradientText(graph.grad[position]) : "?");
    });
  }

  // Why the latest gradient that was shown is what it is.
  paintLast() {
    const { last, parts } = this;
    const { words, graph } = this.state;
    parts.last.hidden = last === null;
    if (last === null) return;
    const typed = this.answers.get(last)?.text;
    const is = gradientText(graph.grad[last]);
    setText(
      parts.lastTitle,
      typed ? `${words.name(last)}: you typed ${typed}, it is ${is}` : `${words.name(last)}: it is ${is}`,
    );
    setText(parts.lastText, words.why(last)?.sentence ?? words.says(last));
  }

  paintBar() {
    const { parts } = this;
    const { right, not, open, all } = this.counts;
    setText(parts.progress, `${right + not} of ${all}`);
    setText(parts.tally, `${right} right ✓, ${not} not ✗, ${open} to go`);
    parts.rightBar.style.width = `${(100 * right) / (all || 1)}%`;
    parts.notBar.style.width = `${(100 * not) / (all || 1)}%`;
  }

  // In the field: Enter checks, H hints, Tab goes to the next question, and after the last one out of the field.
  pressed(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const rank = this.order.indexOf(this.asked);
    const later = this.open().find((position) => this.order.indexOf(position) > rank);
    if (event.key === "Enter") this.check();
    else if (event.key.toLowerCase() === "h") this.hint();
    else if (event.key === "Tab" && !event.shiftKey && later !== undefined) this.ask(later);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  show() {
    this.before = this.state.selected;
    this.state.select(null);
    this.active = true;
    this.panel.append(this.parts.root);
    this.bar.append(this.parts.score);
    this.state.setOverlay(this.overlay());
  }

  hide() {
    if (!this.active) return;
    this.active = false;
    this.parts.root.remove();
    this.parts.score.remove();
    this.state.setOverlay(null);
    this.state.select(this.asked ?? this.before);
  }
}

// Elements.

function build(quiz) {
  const made = {};
  const part = (name, tag, classes = "", ...children) => (made[name] = element(tag, classes, {}, ...children));
  made.field = element("input", "sg-answer", {
    type: "text",
    inputmode: "decimal",
    autocomplete: "off",
    spellcheck: "false",
  });
  made.field.addEventListener("keydown", (event) => quiz.pressed(event));
  made.check = button("sg-primary", "Check", () => quiz.check());
  made.showMe = button("", "Show me", () => quiz.showMe());
  made.told = { root: element("div", "sg-told", { role: "status" }), title: element("h3"), text: element("p") };
  made.told.root.append(made.told.title, made.told.text);
  const question = element("p", "sg-what", {}, "What is ", part("what", "b"), " ?");
  const formula = element("div", "sg-formulas", {}, part("symbols", "p"), part("numbers", "p"));
  const entry = element("div", "sg-entry", {}, made.field, made.check, made.showMe);
  part("question", "div", "sg-question", question, formula, entry, made.told.root);
  const heading = element("header", "sg-heading", {}, element("h2", "", {}, "Quiz"), part("rank", "p"));
  const soFar = element("header", "", {}, element("h3", "", {}, "So far"), part("tallied", "p", "sg-aside"));
  part("soFar", "section", "sg-so-far", soFar, part("rows", "div", "sg-box"));
  part("last", "section", "sg-says", part("lastTitle", "h3"), part("lastText", "p"));
  const asking = element("section", "sg-asking", {}, heading, made.question, part("done", "p", "sg-done"));
  part("root", "div", "sg-quiz", asking, made.soFar, made.last);
  const buttons = [
    button("", "New numbers", () => quiz.newNumbers()),
    button("", "Hide all again", () => quiz.hideAll()),
    button("", "Show all", () => quiz.showAll()),
  ];
  const gauge = element(
    "span",
    "sg-gauge",
    { "aria-hidden": "true" },
    part("rightBar", "span"),
    part("notBar", "span"),
  );
  const tally = element("p", "", {}, part("progress", "b"), gauge, part("tally", "span"));
  part("score", "section", "sg-score", tally, element("div", "sg-buttons", {}, ...buttons));
  made.score.setAttribute("aria-label", "Progress");
  for (const part of [made.told.root, made.done, made.soFar, made.last]) part.hidden = true;
  return made;
}

// Numbers and order.

// Values in the order in which the backward pass completes their gradients; not those that no gradient reaches.
function order({ words, graph }) {
  const found = new Map(); // to the place of the last term, as the backward pass comes to them
  words.consumers.forEach((terms, position) => {
    if (terms.length && !graph.constants.has(position)) found.set(position, terms.at(-1));
  });
  const ranks = ([, [result, place]]) => [-result, words.placesInOrder(result).indexOf(place)];
  return [...found]
    .sort((one, other) => ranks(one)[0] - ranks(other)[0] || ranks(one)[1] - ranks(other)[1])
    .map(([position]) => position);
}

// Small round numbers for all leaves, such that everything is finite; null where none are found.
function roundNumbers({ sliders, graph }) {
  const leaves = [...sliders];
  const put = (numbers) => {
    for (const [position, x] of numbers) graph.set(position, x);
    graph.compute();
  };
  const before = leaves.map(([position]) => [position, graph.data[position]]);
  let found = null;
  for (let attempt = 0; attempt < ATTEMPTS && !found; attempt++) {
    const drawn = leaves.map(([position, range]) => [position, roundNumber(range, attempt)]);
    put(drawn);
    if (graph.data.every(Number.isFinite) && graph.grad.every(Number.isFinite)) found = drawn;
  }
  put(before);
  return found;
}

function roundNumber({ low, high, step }, attempt) {
  if (step === 1) return low + Math.floor(Math.random() * (high - low + 1));
  const size = Math.min(high, 3);
  const steps = Math.round(2 * size);
  const drawn = Math.ceil(Math.random() * steps) / 2; // no 0: it would answer half of the questions
  return attempt < ATTEMPTS / 2 && Math.random() < 0.5 ? -drawn : drawn;
}
