// The network: units with what each sees, and their weights as edges that can be chosen.

import { paintUnit } from "./colours.js";
import { element, setAttribute, setClass, setText, shape } from "../explore/dom.js";
import { number } from "../words/numbers.js";

export const MAP = 24; // places across a unit's map
const OUTPUT = 60; // and across the small picture of the output
const [UNIT, TALL, SHORT, GAP] = [106, 46, 18, 6]; // pixels: width and heights of a unit, and between two
const [HEAD, FOOT] = [34, 12];
const PITCH = 168; // between two columns, at least: then it pans
const [THINNEST, WIDER] = [0.7, 5.8];

export class Network {
  // acts: {chooseNode(node), chooseEdge(edge)}
  constructor(data, acts) {
    this.data = data;
    const { nodes, columns, edges, ends } = data.network;
    this.last = nodes.length - 1;
    this.columns = [{ nodes: [0, 1] }, ...columns, { nodes: [this.last] }];
    this.lines = edges.map((edge, n) => this.makeEdge(edge, n, acts));
    this.ends = ends.map((node) => ({ node, path: shape("path", "sg-end") }));
    this.pill = shape("g", "sg-pill", { hidden: "" }, shape("rect", "", { x: -29, y: -11, width: 58, height: 22, rx: 11 }), shape("text", "", { y: 4.5 }));
    this.halo = shape("path", "sg-halo", { hidden: "" });
    const paths = [...this.ends.map(({ path }) => path), ...this.lines.map(({ path }) => path), this.halo];
    this.svg = shape("svg", "sg-edges", { "aria-hidden": "true" }, ...paths, ...this.lines.map(({ hit }) => hit), this.pill);
    this.cards = nodes.map((node, place) => this.makeCard(node, place, acts));
    this.heads = columns.map(({ title, kind, more }) => ({
      band: element("div", "sg-band"),
      head: element("p", "sg-head", {}, element("b", "", {}, title), element("span", "", {}, ` · ${kind}`)),
      more: more ? element("p", "sg-more", {}, `${more} more`) : null,
    }));
    this.legend = makeLegend();
    this.stage = element("div", "sg-stage", {}, ...this.heads.map(({ band }) => band), this.svg, ...this.heads.map(({ head }) => head),
      ...this.cards.map(({ root }) => root), ...this.heads.flatMap(({ more }) => (more ? [more] : [])));
    this.root = element("section", "sg-network", { "aria-label": "Network" }, element("div", "sg-scroll", {}, this.stage), this.legend);
  }

  makeCard(node, place, acts) {
    const canvas = element("canvas", "sg-map", { width: MAP, height: MAP, "aria-hidden": "true" });
    const name = element("b", "", {}, node.name);
    const share = element("span", "sg-share");
    const root = element("button", `sg-unit sg-${node.kind}`, { type: "button", "aria-pressed": "false" }, canvas, element("span", "sg-text", {}, name, " ", share));
    if (node.kind === "output") root.append(element("span", "sg-below", {}, meaning(this.data.decision)));
    root.addEventListener("click", () => acts.chooseNode(place));
    root.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && acts.chooseNode(place));
    root.addEventListener("focus", () => root.matches(":focus-visible") && acts.chooseNode(place));
    return { root, canvas, share, painter: canvas.getContext("2d"), image: null };
  }

  makeEdge([from, to, place], n, acts) {
    const path = shape("path", "sg-edge");
    const hit = shape("path", "sg-hit", { "data-edge": n });
    hit.addEventListener("click", () => acts.chooseEdge(n));
    return { from, to, place, path, hit, width: "", look: "" };
  }

  // Places for a box of this width and height; on a phone units are maps without words.
  arrange(width, height, isPhone) {
    const most = Math.max(2, ...this.columns.slice(1, -1).map(({ nodes, more }) => nodes.length + (more ? 0.5 : 0)));
    const [unit, pitch] = isPhone ? [34, 76] : [UNIT, PITCH];
    const room = Math.max(isPhone ? 0 : height, 300) - HEAD - FOOT;
    const tall = Math.max(SHORT, Math.min(isPhone ? 34 : TALL, Math.floor(room / most) - (isPhone ? 3 : GAP)));
    const side = isPhone ? 46 : 72; // of an input
    const large = isPhone ? 56 : 104; // of the output
    const across = Math.max(width, 24 + side + large + this.heads.length * pitch + (isPhone ? 20 : 40));
    const down = Math.max(HEAD + FOOT + most * (tall + (isPhone ? 3 : GAP)), isPhone ? 0 : height, 200);
    this.boxes = [];
    const middle = HEAD + (down - HEAD - FOOT) / 2;
    const put = (node, x, y, w, h) => (this.boxes[node] = { x, y: y - h / 2, w, h });
    const left = isPhone ? 8 : 16;
    [0, 1].forEach((node) => put(node, left, middle + (node - 0.5) * Math.min(150, 2.2 * side), side, side));
    const begin = left + side;
    const span = across - begin - large - (isPhone ? 8 : 52);
    this.heads.forEach(({ band, head, more }, n) => {
      const { nodes } = this.columns[n + 1];
      const x = begin + ((n + 0.62) / (this.heads.length + 0.24)) * span - unit / 2;
      const step = tall + (isPhone ? 3 : GAP);
      const top = middle - (nodes.length * step) / 2;
      nodes.forEach((node, k) => put(node, x, top + (k + 0.5) * step, unit, tall));
      const box = { x: x - 13, y: top - HEAD + 4, w: unit + 26, h: nodes.length * step + HEAD + (more ? 20 : 4) };
      place(band, box);
      place(head, { x: box.x - 16, y: box.y + 7, w: box.w + 32 });
      if (more) place(more, { x: box.x, y: box.y + box.h - 20, w: box.w });
    });
    put(this.last, across - large - (isPhone ? 8 : 52), middle, large, large);
    this.cards.forEach(({ root }, node) => {
      place(root, this.boxes[node]);
      root.classList.toggle("sg-low", tall < 34);
    });
    for (const [name, size] of [["width", across], ["height", down]]) {
      this.stage.style[name] = `${size}px`;
      setAttribute(this.svg, name, size);
    }
    this.route();
  }

  // Edges leave a unit in the middle of its right side, and reach the next one spread over a part of its left side.
  route() {
    const into = new Map();
    for (const line of this.lines) into.set(line.to, [...(into.get(line.to) ?? []), line]);
    for (const lines of into.values()) {
      const { h } = this.boxes[lines[0].to];
      const gap = Math.min(4, (0.55 * h) / lines.length);
      lines.forEach((line, n) => {
        line.d = curve(this.boxes[line.from], this.boxes[line.to], (n - (lines.length - 1) / 2) * gap);
        line.path.setAttribute("d", line.d);
        line.hit.setAttribute("d", line.d);
      });
    }
    this.ends.forEach(({ node, path }) => path.setAttribute("d", curve(this.boxes[node], this.boxes[this.last], 0)));
  }

  // Widths and colours of the weights, and what is chosen.
  paintEdges(leaves, node, edge) {
    let largest = 1e-12;
    for (const { place } of this.lines) if (Math.abs(leaves[place]) < Infinity) largest = Math.max(largest, Math.abs(leaves[place]));
    this.lines.forEach((line, n) => {
      const weight = leaves[line.place];
      const size = Math.abs(weight) < Infinity ? Math.abs(weight) / largest : 1;
      const width = (THINNEST + WIDER * size).toFixed(1);
      if (width !== line.width) line.path.setAttribute("stroke-width", (line.width = width));
      const sign = Number.isFinite(weight) ? (weight > 0 ? "positive" : weight < 0 ? "negative" : "zero") : "not-finite";
      const look = `sg-edge sg-stroke-${sign}${line.to === node || line.from === node || n === edge ? " sg-lit" : ""}`;
      if (look !== line.look) setClass(line.path, (line.look = look));
    });
    const chosen = this.lines[edge];
    for (const part of [this.halo, this.pill]) part.toggleAttribute("hidden", !chosen);
    if (!chosen) return;
    setAttribute(this.halo, "d", chosen.d);
    const half = chosen.path.getPointAtLength(chosen.path.getTotalLength() * 0.5);
    setAttribute(this.pill, "transform", `translate(${half.x.toFixed(1)} ${half.y.toFixed(1)})`);
    setText(this.pill.lastChild, number(leaves[chosen.place]));
  }

  // The map of one node; `values` [first ...] on a grid of MAP x MAP.
  paintNode(node, values, first, palette) {
    const card = this.cards[node];
    card.image ??= card.painter.createImageData(MAP, MAP);
    card.largest = paintUnit(card.image.data, values, first, MAP * MAP, palette);
    card.painter.putImageData(card.image, 0, 0);
  }

  // The output is the large map, small.
  paintOutput(says) {
    const { canvas, painter } = this.cards[this.last];
    if (canvas.width !== OUTPUT) canvas.width = canvas.height = OUTPUT;
    says.copyTo(painter, OUTPUT, OUTPUT);
  }

  // The share of points that switch a unit on.
  setShare(node, share) {
    const card = this.cards[node];
    const { activation, name, layer } = this.data.network.nodes[node];
    const said = share === 0 ? "off" : `on ${Math.round(100 * share)} %`;
    setText(card.share, said);
    card.root.classList.toggle("sg-off", share === 0);
    setAttribute(card.root, "aria-label", `${name} ${said}, ${layer}, ${activation}`);
  }

  choose(node) {
    this.cards.forEach(({ root }, place) => {
      setAttribute(root, "aria-pressed", place === node);
      root.classList.toggle("sg-chosen", place === node);
    });
  }

  mark(layers) {
    this.cards.forEach(({ root }, place) => root.classList.toggle("sg-marked", layers.has(this.data.network.nodes[place].layer)));
  }

  // The node that an arrow leads to.
  neighbour(node, key) {
    const column = this.columns.findIndex(({ nodes }) => nodes.includes(node));
    const row = this.columns[column].nodes.indexOf(node);
    const turn = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[key];
    const next = this.columns[column + turn[0]]?.nodes;
    return turn[0] ? next?.[Math.min(row, next.length - 1)] : next[row + turn[1]];
  }
}

function place(node, { x, y, w, h }) {
  node.style.left = `${x}px`;
  node.style.top = `${y}px`;
  node.style.width = `${w}px`;
  if (h !== undefined) node.style.height = `${h}px`;
}

function curve(from, to, offset) {
  const [x1, y1] = [from.x + from.w, from.y + from.h / 2];
  const [x2, y2] = [to.x, to.y + to.h / 2 + offset];
  const half = (x2 - x1) / 2;
  return `M${x1.toFixed(1)} ${y1.toFixed(1)}C${(x1 + half).toFixed(1)} ${y1.toFixed(1)} ${(x2 - half).toFixed(1)} ${y2.toFixed(1)} ${x2.toFixed(1)} ${y2.toFixed(1)}`;
}

// What the output means, in a few words.
function meaning({ kind, level, labels }) {
  if (kind === "threshold") return `above ${number(level)}: class ${number(labels[1])}`;
  return kind === "argmax" ? "the largest of all" : "";
}

function makeLegend() {
  const line = (sign, width) => shape("svg", "sg-key", { viewBox: "0 0 28 8", "aria-hidden": "true" }, shape("path", `sg-stroke-${sign}`, { d: "M0 4H28", "stroke-width": width }));
  const item = (mark, text) => element("li", "", {}, mark, text);
  return element("ul", "sg-legend sg-weights", {}, item(line("positive", 5), "weight above 0"), item(line("negative", 5), "below 0, width its size"),
    item(element("span", "sg-scale", { "aria-hidden": "true" }), "maps: below 0, 0, above 0"));
}
