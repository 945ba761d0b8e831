// One neuron, enlarged: what it says of every place, the points, and a dashed line where it turns on.

import { paintUnit } from "./colours.js";
import { contour } from "./contours.js";
import { Points } from "./points.js";
import { element, setAttribute, setText, shape } from "../explore/dom.js";
import { number } from "../words/numbers.js";

export const ACROSS = 50; // places
export const DOWN = 38;

export class NeuronPanel {
  constructor(data) {
    this.data = data;
    this.name = element("h2");
    this.kind = element("span");
    this.canvas = element("canvas", "sg-map", { width: ACROSS, height: DOWN });
    this.painter = this.canvas.getContext("2d");
    this.image = this.painter.createImageData(ACROSS, DOWN);
    this.line = shape("path", "sg-on");
    this.points = new Points(data, 0.62);
    this.svg = shape("svg", "sg-over", {}, this.line, this.points.root);
    this.box = element("div", "sg-plane", {}, this.canvas, this.svg);
    this.scale = element("p");
    this.turns = element("p");
    this.root = element("section", "sg-panel sg-neuron", { "aria-label": "Neuron" }, element("header", "", {}, this.name, this.kind), this.box, this.scale, this.turns);
  }

  arrange() {
    const { clientWidth: width, clientHeight: height } = this.box;
    if (!width || !height) return;
    this.size = [width, height];
    setAttribute(this.svg, "viewBox", `0 0 ${width} ${height}`);
    this.points.place(width, height);
  }

  // values [first ...] and totals [total ...] on the grid of ACROSS x DOWN; without totals there is no line.
  paint(node, share, { values, first, total, wrong, palette }) {
    const { name, layer, kind, activation } = this.data.network.nodes[node];
    const isUnit = kind === "unit";
    setText(this.name, layer && isUnit ? `${layer} ${name}` : name);
    setText(this.kind, isUnit ? `${activation}, ${share === 0 ? "off" : `on ${Math.round(100 * share)} %`}` : kind === "input" ? "input" : (activation ?? ""));
    const largest = paintUnit(this.image.data, values, first, ACROSS * DOWN, palette);
    this.painter.putImageData(this.image, 0, 0);
    if (this.size) setAttribute(this.line, "d", total === null ? "" : contour(values, total, ACROSS, DOWN, 0, ...this.size));
    this.points.ring(wrong);
    setText(this.scale, `Grey: 0. Darkest: ${number(largest)}.`);
    setText(this.turns, total === null ? "Violet is above 0, teal below." : "Dashed: where it turns on.");
  }
}
