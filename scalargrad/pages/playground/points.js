// The points on a map: dots and diamonds, letters above 3 classes, rings around the wrong ones.

import { CLASSES } from "./colours.js";
import { fill, setAttribute, shape } from "../explore/dom.js";

const SIZE = 4.6; // pixels, of a dot on the large map
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

export class Points {
  // data: points, targets, range, decision; share: how large they are beside those of the large map
  constructor(data, share = 1) {
    this.data = data;
    this.share = share;
    this.kinds = data.points.map((_, row) => kindOf(data, row));
    this.marks = this.kinds.map((kind) => markOf(kind, SIZE * share));
    this.rings = shape("g", "sg-rings");
    this.root = shape("g", "sg-points", {}, ...this.marks, this.rings);
  }

  place(width, height) {
    const [left, right, bottom, top] = this.data.range;
    this.data.points.forEach(([x, y], row) => {
      const across = (((x - left) / (right - left)) * width).toFixed(1);
      const down = (((top - y) / (top - bottom)) * height).toFixed(1);
      this.marks[row].setAttribute("transform", `translate(${across} ${down})`);
    });
    this.ring(this.wrong ?? []);
  }

  ring(wrong) {
    this.wrong = wrong;
    const radius = 2.1 * SIZE * Math.sqrt(this.share);
    fill(this.rings, wrong, () => shape("circle", "sg-ring", { r: radius }), (ring, row) => {
      setAttribute(ring, "transform", this.marks[row].getAttribute("transform") ?? "");
    });
  }
}

// {place among the classes, letter or "", colour of the palette, share of a number between the least and the largest}
function kindOf({ targets, decision }, row) {
  const target = targets[row][0];
  if (decision.kind === "number") return { colour: target >= decision.level ? "positive" : "negative", place: 0, letter: "" };
  const place = decision.kind === "argmax" ? target : target > decision.labels[0] ? 1 : 0;
  return { colour: CLASSES[place % CLASSES.length], place, letter: decision.classes > 3 ? LETTERS[place % LETTERS.length] : "" };
}

// A dot, a diamond or a triangle by the place of the class; above 3 classes a disc with a letter.
export function markOf({ place, letter, colour }, size) {
  const look = `sg-point sg-fill-${colour}`;
  if (letter) {
    const text = shape("text", "sg-letter", { y: 0.62 * size, "font-size": (1.7 * size).toFixed(1) }, letter);
    return shape("g", look, {}, shape("circle", "", { r: 1.45 * size }), text);
  }
  if (place === 1) return shape("path", look, { d: `M0 ${-1.3 * size}L${1.3 * size} 0L0 ${1.3 * size}L${-1.3 * size} 0Z` });
  if (place === 2) return shape("path", look, { d: `M0 ${-1.3 * size}L${1.2 * size} ${size}L${-1.2 * size} ${size}Z` });
  return shape("circle", look, { r: size });
}

// What a legend says: [{mark, text}] for each class; empty for numbers.
export function legendOf({ decision }) {
  if (decision.kind === "number") {
    return ["above", "below"].map((side, n) => ({ kind: { place: 0, letter: "", colour: n ? "negative" : "positive" }, text: `${side} the middle` }));
  }
  const places = [...Array(decision.classes).keys()];
  return places.map((place) => ({
    kind: { place, colour: CLASSES[place % CLASSES.length], letter: decision.classes > 3 ? LETTERS[place % LETTERS.length] : "" },
    text: `class ${decision.kind === "argmax" ? place : decision.labels[place]}`,
  }));
}
