// The large map: what the network says of every place, the line where it changes its mind, the points.

import { paintDecision } from "./colours.js";
import { contour, margins } from "./contours.js";
import { legendOf, markOf, Points } from "./points.js";
import { element, fill, setAttribute, setText, shape } from "../explore/dom.js";
import { number } from "../words/numbers.js";

export const ACROSS = 100; // places
export const DOWN = 87;

export class DecisionMap {
  constructor(data) {
    this.data = data;
    this.canvas = element("canvas", "sg-map", { width: ACROSS, height: DOWN });
    this.painter = this.canvas.getContext("2d");
    this.image = this.painter.createImageData(ACROSS, DOWN);
    this.line = shape("path", "sg-level");
    this.points = new Points(data);
    this.svg = shape("svg", "sg-over", {}, this.line, this.points.root);
    this.ticks = shape("svg", "sg-axes", { "aria-hidden": "true" });
    this.box = element("div", "sg-plane", {}, this.canvas, this.svg);
    this.wrong = element("span");
    const { decision } = data;
    const classes = legendOf(data).map(({ kind, text }) => item(key(markOf(kind, 5)), text));
    const line = decision.kind === "number" ? [] : [item(key(shape("path", "sg-level", { d: "M-13 0H13" }), 30), decision.kind === "argmax" ? "between classes" : `output ${number(decision.level)}`)];
    const ring = decision.kind === "number" ? [] : [item(key(shape("circle", "sg-ring", { r: 8 })), this.wrong)];
    this.legend = element("ul", "sg-legend", {}, ...classes, ...line, ...ring);
    const title = element("h2", "", {}, "What the network says");
    this.frame = element("div", "sg-framed", {}, this.ticks, this.box);
    this.root = element("section", "sg-says", { "aria-label": "What the network says" }, element("header", "", {}, title, element("span", "", {}, "of every place")), this.frame, this.legend);
  }

  arrange() {
    const { clientWidth: width, clientHeight: height, offsetLeft, offsetTop } = this.box;
    if (!width || !height) return;
    this.size = [width, height];
    setAttribute(this.svg, "viewBox", `0 0 ${width} ${height}`);
    this.points.place(width, height);
    const [left, right, bottom, top] = this.data.range;
    const marks = [
      ...ticksOf(left, right).map((x) => ({ x: offsetLeft + ((x - left) / (right - left)) * width, y: offsetTop + height + 17, anchor: "middle", text: number(x), d: (at) => `M${at.x} ${offsetTop + height}v4` })),
      ...ticksOf(bottom, top).map((y) => ({ x: offsetLeft - 8, y: offsetTop + ((top - y) / (top - bottom)) * height + 4, anchor: "end", text: number(y), d: (at) => `M${offsetLeft - 4} ${at.y - 4}h4` })),
    ].filter(({ anchor, x, y }) => (anchor === "middle" ? x < offsetLeft + width - 34 : y > offsetTop + 24));
    const names = [
      { x: offsetLeft + width, y: offsetTop + height + 17, anchor: "end", text: this.data.names[0], bold: true },
      { x: offsetLeft - 8, y: offsetTop + 13, anchor: "end", text: this.data.names[1], bold: true },
    ];
    fill(this.ticks, [...marks, ...names], () => shape("g", "", {}, shape("path"), shape("text")), (group, mark) => {
      setAttribute(group, "class", mark.bold ? "sg-bold" : "");
      setAttribute(group.firstChild, "d", mark.d ? mark.d(mark) : "");
      for (const name of ["x", "y"]) setAttribute(group.lastChild, name, mark[name].toFixed(1));
      setAttribute(group.lastChild, "text-anchor", mark.anchor);
      setText(group.lastChild, mark.text);
    });
  }

  // outputs: [number][place] on the grid of ACROSS x DOWN
  paint(outputs, palette, room) {
    const { decision } = this.data;
    const count = ACROSS * DOWN;
    paintDecision(this.image.data, outputs, count, decision, palette);
    this.painter.putImageData(this.image, 0, 0);
    if (!this.size) return;
    if (decision.kind === "threshold") setAttribute(this.line, "d", contour(outputs, 0, ACROSS, DOWN, decision.level, ...this.size));
    if (decision.kind === "argmax") {
      margins(outputs, count, decision.classes, room);
      const lines = [...Array(decision.classes).keys()].map((k) => contour(room, k * count, ACROSS, DOWN, 0, ...this.size));
      setAttribute(this.line, "d", lines.join(""));
    }
  }

  ring(wrong) {
    this.points.ring(wrong);
    setText(this.wrong, `wrong: ${wrong.length}`);
  }

  // The same picture, small, on the output's card.
  copyTo(painter, width, height) {
    painter.drawImage(this.canvas, 0, 0, width, height);
  }
}

function key(mark, width = 18) {
  return shape("svg", "sg-key", { viewBox: `${-width / 2} -9 ${width} 18`, width, height: 18, "aria-hidden": "true" }, mark);
}

function item(mark, text) {
  return element("li", "", {}, mark, text);
}

// Round numbers between two, about five of them.
function ticksOf(low, high) {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const found = [];
  for (let n = Math.ceil(low / step); n * step <= high; n++) found.push(n * step);
  return found;
}
