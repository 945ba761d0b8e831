// The legend below the graph, and the keys of the mode.

import { element, setText } from "./dom.js";
import { number } from "../words/numbers.js";

const TINTS = [...[4, 3, 2, 1].map((step) => `negative-${step}`), "zero", ...[1, 2, 3, 4].map((step) => `positive-${step}`)];
const KEYS = {
  explore: [["Tab", "next value"], ["← →", "nudge"], ["Shift ← →", "×10"], ["D", "descend"], ["E S Q", "mode"], ["0", "fit"], ["R", "reset"]],
  step: [["← →", "step"], ["Space", "play or pause"], ["Home End", "first, last"], ["1 2 3 4", "speed"], ["E", "explore"]],
  quiz: [["Enter", "check"], ["H", "hint"], ["Tab", "next ?"], ["E", "explore"]],
};

export class Legend {
  constructor(state) {
    this.state = state;
    this.largest = element("span");
    const tints = TINTS.map((tint) => element("span", `sg-tint-${tint}`));
    const item = (...children) => element("span", "sg-item", {}, ...children);
    const line = element("span", "sg-sample-line", { "aria-hidden": "true" });
    const pill = element("span", "sg-sample-pill", { "aria-hidden": "true" }, "×0.5");
    const scale = element("span", "sg-scale", { "aria-hidden": "true" }, ...tints);
    this.keys = element("p", "sg-keys");
    this.root = element("div", "sg-legend", {},
      element("p", "", {}, item("gradient −", scale, "+", this.largest), item(line, "width = |local × upstream|, dashed = 0"), item(pill, "local derivative")),
      this.keys);
  }

  paint({ largest }) {
    const hidden = this.state.overlay?.legend === false;
    setText(this.largest, hidden ? "(each step ×3)" : `(largest |grad| ${number(largest)}, each step ×3)`);
    if (this.mode === this.state.mode) return;
    this.mode = this.state.mode;
    this.keys.replaceChildren(...KEYS[this.mode].map(([keys, does]) =>
      element("span", "sg-item", {}, ...keys.split(" ").map((key) => element("kbd", "", {}, key)), does)));
  }
}
