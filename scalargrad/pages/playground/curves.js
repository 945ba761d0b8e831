// Curves over epochs: the loss on a logarithmic scale, accuracy with a closer look where all of it is high.

import { element, fill, setAttribute, setText, shape } from "../explore/dom.js";
import { number } from "../words/numbers.js";

const [LEFT, RIGHT, TOP, BOTTOM] = [44, 8, 10, 20]; // pixels around the plot
const ZOOM = 0.75; // accuracies that are all above this get a closer look

export class Curve {
  // scale: "log" or "share"; key: the measure of each entry of the history, and of its validation
  constructor(title, key, scale) {
    Object.assign(this, { key, scale });
    this.now = element("b", "sg-now");
    this.grid = shape("g", "sg-grid");
    this.held = shape("path", "sg-curve sg-held");
    this.line = shape("path", "sg-curve");
    this.dot = shape("circle", "sg-dot", { r: 4.5 });
    this.svg = shape("svg", "sg-plot", { "aria-hidden": "true" }, this.grid, this.held, this.line, this.dot);
    this.root = element("figure", "sg-figure", {}, element("figcaption", "", {}, element("b", "", {}, title), this.now), this.svg);
  }

  paint(history, epochs, width, height) {
    const last = history.at(-1);
    setText(this.now, this.scale === "share" ? percent(last[this.key]) : number(last[this.key]));
    const numbers = history.flatMap((entry) => [entry[this.key], entry[`val_${this.key}`]]).filter((x) => Number.isFinite(x));
    const end = endOf(last.epoch, epochs);
    const { low, high, ticks, at } = this.scale === "share" ? shares(numbers) : logarithms(numbers);
    const x = (epoch) => LEFT + (epoch / end) * (width - LEFT - RIGHT);
    const y = (value) => TOP + (1 - (at(value) - low) / (high - low || 1)) * (height - TOP - BOTTOM);
    setAttribute(this.svg, "viewBox", `0 0 ${width} ${height}`);
    const lines = ticks.map(([value, text]) => ["line", y(value), text]);
    const names = [0, end / 2, end].map((epoch) => ["epoch", x(epoch), String(epoch)]);
    fill(this.grid, [...lines, ...names], () => shape("g", "", {}, shape("path"), shape("text")), (group, [kind, where, text], n) => {
      const [path, label] = group.children;
      const isLine = kind === "line";
      setAttribute(path, "d", isLine ? `M${LEFT} ${where.toFixed(1)}H${width - RIGHT}` : "");
      setAttribute(label, "x", isLine ? LEFT - 6 : where.toFixed(1));
      setAttribute(label, "y", isLine ? (where + 4).toFixed(1) : height - 4);
      setAttribute(label, "text-anchor", isLine ? "end" : n === lines.length ? "start" : n === lines.length + 2 ? "end" : "middle");
      setText(label, text);
    });
    const path = (key) => {
      let d = "";
      for (const entry of history) {
        if (!Number.isFinite(entry[key])) continue;
        d += `${d ? "L" : "M"}${x(entry.epoch).toFixed(1)} ${y(entry[key]).toFixed(1)}`;
      }
      return d;
    };
    setAttribute(this.line, "d", path(this.key));
    setAttribute(this.held, "d", path(`val_${this.key}`));
    const isShown = Number.isFinite(last[this.key]);
    this.dot.toggleAttribute("hidden", !isShown);
    if (isShown) {
      setAttribute(this.dot, "cx", x(last.epoch).toFixed(1));
      setAttribute(this.dot, "cy", y(last[this.key]).toFixed(1));
    }
  }
}

export const percent = (share) => `${number(Math.round(1000 * share) / 10)} %`;

// The end of the axis: the epochs that were planned, doubled as often as needed.
function endOf(epoch, planned) {
  let end = Math.max(planned, 2);
  while (end < epoch) end *= 2;
  return end;
}

function logarithms(numbers) {
  const above = numbers.filter((x) => x > 0);
  const low = above.length ? Math.floor(Math.log10(Math.min(...above)) + 1e-9) : -1;
  const high = Math.max(low + 1, above.length ? Math.log10(Math.max(...above)) : 0);
  const every = Math.ceil((Math.floor(high) - low + 1) / 4);
  const ticks = [];
  for (let power = low; power <= high; power += every) ticks.push([10 ** power, number(10 ** power)]);
  return { low, high, ticks, at: (x) => (x > 0 ? Math.log10(x) : low) };
}

function shares(numbers) {
  const lowest = Math.min(1, ...numbers);
  const low = lowest > ZOOM ? 0.7 : 0;
  const ticks = (low ? [0.7, 0.8, 0.9, 1] : [0, 0.5, 1]).map((x) => [x, `${Math.round(100 * x)}%`]);
  return { low, high: 1, ticks, at: (x) => x };
}
