// mount: the playground inside an element, with nothing outside of it.

import { Address } from "./address.js";
import { CodePanel } from "./code.js";
import { paletteOf } from "./colours.js";
import { SPEEDS, Settings, Top } from "./controls.js";
import { Curve, percent } from "./curves.js";
import { ACROSS, DecisionMap, DOWN } from "./decision.js";
import { listenToKeys } from "./keys.js";
import { MAP, Network } from "./network.js";
import { ACROSS as NEURON_ACROSS, DOWN as NEURON_DOWN, NeuronPanel } from "./neuron.js";
import { Run } from "./run.js";
import { gridOf } from "./training.js";
import { WeightPanel } from "./weight.js";
import { element, setAttribute, setText } from "../explore/dom.js";
import { number } from "../words/numbers.js";

const [WIDE, PHONE] = [1100, 600]; // as in the pages of explore
const FRAME = 30; // milliseconds that a frame may take: training has what drawing leaves
const [LEAST, MOST] = [4, 22]; // milliseconds of a frame for training
const PAUSE = 1000; // between two frames for those who asked for less motion, and between two words to a screen reader
const TABS = { network: "Network", neuron: "Neuron", settings: "Settings", code: "Code" };

// options: {theme: "light", "dark" or "auto"; page: is it a page of its own, whose keys are its own, too?}
export function mount(root, data, programs, options = {}) {
  const playground = new Playground(root, data, programs, options);
  return { destroy: () => playground.destroy(), run: playground.run, playground };
}

class Playground {
  constructor(root, data, programs, options) {
    Object.assign(this, { root, data });
    this.run = new Run(data, programs);
    Object.assign(this, { node: data.network.nodes.length - 1, edge: -1, speed: data.speed, isPlaying: false, next: 0, drawing: 8 });
    this.grids = { outputs: gridOf(data.range, ACROSS, DOWN), units: gridOf(data.range, MAP, MAP), neuron: gridOf(data.range, NEURON_ACROSS, NEURON_DOWN) };
    this.units = data.network.nodes.map((_, place) => place).filter((place) => data.network.nodes[place].kind === "unit");
    const act = (method) => (...given) => this[method](...given);
    const acts = Object.fromEntries(["restart", "play", "step", "turnTheme", "set", "setWeight", "hold", "chooseNode", "chooseEdge", "mark"].map((name) => [name, act(name)]));
    this.top = new Top(data, acts);
    this.settings = new Settings(data, acts);
    this.network = new Network(data, acts);
    this.says = new DecisionMap(data);
    this.neuron = new NeuronPanel(data);
    this.weight = new WeightPanel(data, acts);
    this.code = new CodePanel(data, acts);
    this.curves = [new Curve("loss", "loss", "log"), ...(data.decision.kind === "number" ? [] : [new Curve("accuracy", "accuracy", "share")])];
    this.status = element("p", "sg-status", { role: "status" });
    this.aloud = element("p", "sg-unseen", { role: "status", "aria-live": "polite" });
    this.build(root, options);
    this.reduced = matchMedia("(prefers-reduced-motion: reduce)");
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.onscheme = () => this.changed();
    this.scheme.addEventListener("change", this.onscheme);
    this.stopListening = listenToKeys(options.page ? document : root, this);
    this.resized = new ResizeObserver(() => this.arrange());
    this.resized.observe(this.frame);
    this.arrange();
    if (options.page) this.address = new Address(this);
  }

  build(root, options) {
    root.classList.add("sg-live");
    root.dataset.theme = options.theme ?? this.data.theme;
    const tabs = Object.entries(TABS).map(([name, text]) => {
      const tab = element("button", "", { type: "button", "aria-pressed": "false" }, text);
      tab.addEventListener("click", () => this.chooseTab(name));
      return tab;
    });
    this.tabs = element("nav", "sg-tabs", { "aria-label": "Parts" }, ...tabs);
    const curves = element("section", "sg-curves", { "aria-label": "Curves" }, ...this.curves.map((curve) => curve.root));
    const right = element("div", "sg-right", {}, this.says.root, curves);
    const strip = element("div", "sg-strip", {}, this.neuron.root, this.weight.root, this.code.root);
    this.table = makeTable(this.data);
    this.frame = element("div", "sg-frame sg-playground", { tabindex: "-1" }, this.top.root, this.settings.root, this.status, element("div", "sg-parts", {}, this.network.root, strip, right), this.tabs,
      element("div", "sg-unseen", {}, this.aloud, this.table.root));
    root.replaceChildren(this.frame);
    this.chooseTab("network");
    this.network.choose(this.node);
  }

  // What a reader may do.

  play(playing = !this.isPlaying) {
    this.isPlaying = playing && this.run.broken === null;
    this.last = performance.now();
    this.run.due = 0;
    this.changed();
  }

  step() {
    this.play(false);
    this.run.step();
    if (this.run.now.epoch !== this.run.training.epochs || this.run.training.begun) this.run.record();
    this.changed();
  }

  restart() {
    this.isPlaying = false;
    this.run.restart();
    this.changed();
  }

  set(setting, value) {
    if (setting === "speed") this.speed = value;
    else this.run.training.set(setting, value);
    if (!this.isPlaying) this.run.record();
    this.address?.later();
    this.changed();
  }

  setWeight(place, number) {
    this.run.training.leaves[place] = number;
    this.run.broken = null;
    this.run.record();
    this.changed();
  }

  hold(place, held) {
    this.run.training.hold(place, held);
    this.changed();
  }

  chooseNode(node) {
    if (node === this.node) return;
    this.node = node;
    this.network.choose(node);
    this.changed();
  }

  chooseEdge(edge) {
    this.edge = edge;
    this.chooseTabOf("neuron");
    this.changed();
  }

  // W, and then arrows: the weights of the chosen neuron, one after another.
  nextWeight(turn) {
    const { edges } = this.data.network;
    const own = edges.map((_, n) => n).filter((n) => edges[n][1] === this.node);
    if (own.length === 0) return;
    const place = own.indexOf(this.edge);
    this.chooseEdge(own[(place + turn + own.length + (place < 0 && turn < 0 ? 1 : 0)) % own.length]);
  }

  mark(layers) {
    this.network.mark(layers);
  }

  turnTheme() {
    const isDark = this.root.dataset.theme === "dark" || (this.root.dataset.theme === "auto" && this.scheme.matches);
    this.root.dataset.theme = isDark ? "light" : "dark";
    this.changed();
  }

  chooseTab(name) {
    this.frame.dataset.tab = name;
    [...this.tabs.children].forEach((tab, n) => setAttribute(tab, "aria-pressed", Object.keys(TABS)[n] === name));
    if (this.frame.isConnected) this.arrange();
  }

  chooseTabOf(name) {
    if (this.frame.dataset.size === "phone" && this.frame.dataset.tab !== name) this.chooseTab(name);
  }

  // Drawing.

  arrange() {
    const width = this.frame.clientWidth;
    if (!width) return;
    this.frame.dataset.size = width >= WIDE ? "wide" : width >= PHONE ? "middle" : "phone";
    this.network.arrange(this.network.root.clientWidth, this.network.root.clientHeight, width < PHONE);
    this.says.arrange();
    this.neuron.arrange();
    this.changed();
  }

  // Something is new: all of it is drawn in the next frame.
  changed() {
    this.isNew = true;
    this.next = 0;
    this.ask();
  }

  ask() {
    if (this.asked) return;
    const draw = () => {
      this.asked = 0;
      this.draw();
    };
    const isSlow = this.isPlaying && this.reduced.matches && !this.isNew;
    this.asked = isSlow ? setTimeout(() => (this.asked = requestAnimationFrame(draw)), PAUSE) : requestAnimationFrame(draw);
  }

  // A frame: train, decision map, curves, unit maps one by one for as long as there is time.
  draw() {
    const begin = performance.now();
    if (this.isPlaying) {
      const most = Math.min(MOST, Math.max(LEAST, FRAME - this.drawing));
      if (!this.run.advance((begin - this.last) / 1000, SPEEDS[this.speed], most)) this.isPlaying = false;
      this.last = begin;
      this.isNew = true;
    }
    const drawn = performance.now();
    if (this.isNew) this.drawAll();
    this.isNew = false;
    const isDone = this.drawUnits(begin);
    this.drawing += 0.2 * (performance.now() - drawn - this.drawing);
    if (this.isPlaying || !isDone) this.ask();
    else this.tell();
  }

  drawAll() {
    const { training, now, history, broken } = this.run;
    this.palette = paletteOf(this.root);
    const outputs = training.ask("outputs", this.grids.outputs.places);
    this.says.paint(outputs, this.palette, training.array("margins", outputs.length));
    this.says.ring(now.wrong);
    this.top.paint({ ...now, epoch: training.epochs }, this.isPlaying);
    this.top.speed.paint(this.speed);
    this.settings.paint(training.settings, this.speed);
    for (const curve of this.curves) {
      const { clientWidth, clientHeight } = curve.svg;
      if (clientWidth) curve.paint(history, this.data.epochs, clientWidth, clientHeight);
    }
    this.network.paintEdges(training.leaves, this.node, this.edge);
    if (this.edge >= 0) training.differentiate(null, training.samples.count);
    this.weight.paint(this.data.network.edges[this.edge] ?? null, training);
    this.code.paint(training.settings);
    setText(this.status, broken === null ? "" : `The loss is ${number(broken)}: training has stopped. A smaller learning rate helps; Restart begins anew.`);
  }

  // Maps of the nodes, from where the last frame stopped. True, if all are as they should be.
  drawUnits(begin) {
    const { training } = this.run;
    const { nodes } = this.data.network;
    const count = MAP * MAP;
    const values = this.units.length ? training.ask("units", this.grids.units.places) : null;
    const total = this.data.points.length;
    if (this.next === 0) {
      this.shares = [];
      const found = this.units.length ? training.ask("units", training.samples.arrays[0]) : null;
      this.units.forEach((node, unit) => {
        let on = 0;
        for (let row = 0; row < total; row++) if (found[unit * total + row] > 0) on += 1;
        this.shares[node] = on / total;
        this.network.setShare(node, on / total);
      });
      this.drawNeuron();
    }
    while (this.next < nodes.length) {
      const node = this.next++;
      if (nodes[node].kind === "unit") this.network.paintNode(node, values, (this.units.length + this.units.indexOf(node)) * count, this.palette);
      else if (nodes[node].kind === "input") this.network.paintNode(node, this.grids.units.coordinates, node * count, this.palette);
      else this.network.paintOutput(this.says);
      if (performance.now() - begin > FRAME) break;
    }
    if (this.next < nodes.length) return false;
    this.next = this.isPlaying ? 0 : nodes.length;
    return true;
  }

  drawNeuron() {
    const { training, now } = this.run;
    const count = NEURON_ACROSS * NEURON_DOWN;
    const unit = this.units.indexOf(this.node);
    const more = { wrong: now.wrong, palette: this.palette, total: null };
    if (unit >= 0) {
      const values = training.ask("units", this.grids.neuron.places);
      this.neuron.paint(this.node, this.shares[this.node], { ...more, values, first: (this.units.length + unit) * count, total: unit * count });
    } else if (this.data.network.nodes[this.node].kind === "input") {
      this.neuron.paint(this.node, 0, { ...more, values: this.grids.neuron.coordinates, first: this.node * count });
    } else this.neuron.paint(this.node, 0, { ...more, values: training.ask("outputs", this.grids.neuron.places), first: 0 });
  }

  // A screen reader is told what has changed, at most once a second, and nothing while it plays.
  tell() {
    this.table.write(this.run.now);
    if (this.telling) return;
    this.telling = setTimeout(() => {
      this.telling = 0;
      const { now, training } = this.run;
      const accuracy = now.accuracy === null ? "" : `, accuracy ${percent(now.accuracy)}, wrong points ${now.wrong.length}`;
      if (!this.isPlaying) setText(this.aloud, `epoch ${training.epochs}: loss ${number(now.loss)}${accuracy}`);
    }, PAUSE);
  }

  destroy() {
    this.isPlaying = false;
    clearTimeout(this.telling);
    clearTimeout(this.asked);
    cancelAnimationFrame(this.asked);
    this.resized.disconnect();
    this.scheme.removeEventListener("change", this.onscheme);
    this.stopListening();
    this.address?.close();
    this.root.replaceChildren();
  }
}

// The numbers of the curves, for those who do not see them.
function makeTable({ decision }) {
  const names = decision.kind === "number" ? ["epoch", "loss"] : ["epoch", "loss", "accuracy", "wrong points"];
  const cells = names.map(() => element("td"));
  const root = element("table", "", {}, element("caption", "", {}, "The training"), element("thead", "", {}, element("tr", "", {}, ...names.map((name) => element("th", "", { scope: "col" }, name)))),
    element("tbody", "", {}, element("tr", "", {}, ...cells)));
  const write = (entry) => {
    const texts = [String(entry.epoch), number(entry.loss), entry.accuracy === null ? "" : percent(entry.accuracy), String(entry.wrong.length)];
    cells.forEach((cell, n) => setText(cell, texts[n]));
  };
  return { root, write };
}
