// State: the numbers of the graph, and what is chosen, lit and open; everything on the page reads it and is told.

import { Graph } from "../../javascript/graph.js";
import { OPERATIONS } from "../../javascript/operations.js";
import { Words } from "../words/words.js";
import { largestSize, typed } from "./look.js";

const MODES = ["explore", "step", "quiz"];
const WIDEST_RANGE = 2 ** 1022; // the largest of which a range is a float
const EVENTS = ["numbers", "selection", "mode", "overlay", "lit", "view", "reset"];

export class State {
  // data: what recorded.py writes. schedule: asks for one frame in which everything is painted.
  constructor(data, schedule) {
    this.data = data;
    this.schedule = schedule;
    this.names = data.names;
    this.graph = new Graph(data.recorded, OPERATIONS);
    this.graph.constants = new Set(data.constants);
    this.graph.compute();
    this.words = new Words(data.words, this.graph, this.names);
    this.sliders = new Map(data.sliders.map(([position, low, high, step]) => [position, { low, high, step }]));
    this.began = new Map([...this.sliders.keys()].map((position) => [position, this.graph.data[position]]));
    this.mode = data.mode;
    this.selected = null; // the position of a value
    this.lit = null; // [[result, place], ...]: the links of a path
    this.overlay = null; // how Step and Quiz show gradients and edges: see setOverlay
    this.folded = null; // the view that is shown: see fold.js
    this.open = new Set(); // cards that show their rows, by the position of their last value
    this.rows = new Set(); // those that show all of them
    this.playing = false; // nothing is read out meanwhile
    this.undoable = null;
    this.version = 0; // counts changes of numbers
    this.listeners = new Map(EVENTS.map((event) => [event, new Set()]));
  }

  on(event, listener) {
    this.listeners.get(event).add(listener);
  }

  emit(event, ...particulars) {
    for (const listener of this.listeners.get(event)) listener(...particulars);
    this.schedule();
  }

  get output() {
    return this.graph.output;
  }

  isLeaf(position) {
    return this.graph.op(position) === null;
  }

  kind(position) {
    if (position === this.output && !this.isLeaf(position)) return "output";
    if (!this.isLeaf(position)) return "result";
    return this.data.parameters.includes(position) ? "parameter" : "input";
  }

  // The operation of a result as its badge has it.
  badge(position) {
    return this.data.badges[position];
  }

  // The positions whose gradients are to be seen, each in a cell of its own.
  visible() {
    return this.folded.cards.flatMap(({ exits, members }) => {
      if (members && this.open.has(exits.at(-1))) return members;
      return exits.length === 1 ? exits : [];
    });
  }

  // Numbers.

  // The size of the largest gradient: the end of the scale of tints.
  get largest() {
    if (this.largestAt !== this.version) {
      this.largestAt = this.version;
      const { grad, constants } = this.graph;
      this.largestFound = largestSize(grad.filter((_, position) => !constants.has(position)));
    }
    return this.largestFound;
  }

  // Set a leaf, and compute everything that follows from it. A leaf without a slider stays as it is.
  set(position, number) {
    this.setLeaves([[position, number]]);
  }

  // Set a leaf to what somebody typed: no change where that is no number.
  type(position, text) {
    const number = typed(text);
    if (!Number.isNaN(number)) this.set(position, number);
  }

  // `outside`: from Python, which knows already.
  setLeaves(pairs, outside = false) {
    let changed = false;
    for (const [position, number] of pairs) {
      const range = this.sliders.get(position);
      if (!range || Object.is(this.graph.data[position], number)) continue;
      const size = Math.abs(number);
      if (range.step !== 1 && Number.isFinite(size) && size > range.high) {
        range.high = Math.min(2 * size, WIDEST_RANGE);
        range.low = -range.high;
      }
      this.graph.set(position, range.step === 1 ? Math.min(Math.max(Math.round(number), range.low), range.high) : number);
      changed = true;
    }
    if (!changed) return;
    this.graph.compute();
    this.version += 1;
    this.undoable = null;
    this.emit("numbers", pairs.map(([position]) => position), outside);
  }

  // One nudge is a hundredth of the range; where the numbers are whole, 1.
  nudge(position, times) {
    const range = this.sliders.get(position);
    if (!range) return;
    const size = range.step === 1 ? 1 : (range.high - range.low) / 100;
    const moved = Number((this.graph.data[position] + times * size).toPrecision(12));
    this.set(position, Math.min(Math.max(moved, range.low), range.high));
  }

  leaves() {
    return [...this.sliders.keys()].map((position) => [position, this.graph.data[position]]);
  }

  // Back to the numbers of the beginning, and to the mode and the view; undo() takes it back, once.
  reset() {
    const before = { leaves: this.leaves(), selected: this.selected, open: new Set(this.open) };
    this.open.clear();
    this.rows.clear();
    this.setLeaves([...this.began]);
    this.emit("reset");
    this.undoable = before;
    this.emit("view");
  }

  undo() {
    if (!this.undoable) return;
    const { leaves, selected, open } = this.undoable;
    this.open = open;
    this.setLeaves(leaves);
    this.undoable = null;
    this.select(selected);
    this.emit("view");
  }

  // What is chosen, lit and shown.

  select(position) {
    if (position === this.selected) return;
    this.selected = position;
    this.emit("selection", position);
  }

  setMode(name) {
    if (name === this.mode || !MODES.includes(name) || (name === "step" && this.data.too_big_to_step)) return;
    const before = this.mode;
    this.mode = name;
    this.emit("mode", name, before);
  }

  // links: those of a path, or null. Cards at their ends are outlined.
  light(links) {
    this.lit = links;
    this.emit("lit");
  }

  // null, or an object with
  //   grad(position)       {text, tint, unknown, mark, turns}: the gradient cell; mark is a sign beside its caption; turns
  //                        how many terms are added, and how many there are (what is not said may be left out)
  //   data(position)       is its number known yet? (may be left out)
  //   edge(result, place)  "ahead": not computed yet, "passed": no term yet, "known", "active": the term of this step,
  //                        "moving": data of this step
  //   glow                 the position of the card that receives, or null
  //   gives                the positions of those that it comes from
  //   legend               false hides the largest gradient (may be left out)
  setOverlay(overlay) {
    this.overlay = overlay;
    this.emit("overlay");
  }

  toggle(card) {
    if (!this.open.delete(card)) this.open.add(card);
    this.rows.delete(card);
    this.emit("view");
  }

  showAllRows(card) {
    this.rows.add(card);
    this.emit("view");
  }

  // Why the selected gradient is 0, huge or not finite: {sentence, cause} or null.
  get why() {
    if (this.selected === null) return null;
    if (this.whyAt !== `${this.version} ${this.selected}`) {
      this.whyAt = `${this.version} ${this.selected}`;
      this.whySaid = this.words.why(this.selected);
    }
    return this.whySaid;
  }
}
