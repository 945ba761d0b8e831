// The code: the user's own loss, the call that trains as the page does, and what the compiler made of it.

import { element, setAttribute, setText } from "../explore/dom.js";

export class CodePanel {
  // acts: {mark(layers)}: a line of the program was pointed at
  constructor(data, acts) {
    this.data = data;
    this.isCompiled = false;
    this.title = element("h2", "", {}, "The code");
    this.toggle = element("button", "sg-button", { type: "button", "aria-pressed": "false" }, "What the compiler made of it");
    this.toggle.addEventListener("click", () => this.turn());
    this.call = element("span");
    const words = data.code.words.map(([kind, text]) => (kind ? element("span", `sg-${kind}`, {}, text) : text));
    const gap = words.length ? "\n\n" : "";
    this.source = element("pre", "sg-source", { tabindex: "0", role: "region", "aria-label": data.code.name || "The code" }, ...words, gap, this.call);
    this.program = element("pre", "sg-program", { tabindex: "0", role: "region", "aria-label": "The compiled program", hidden: "" });
    for (const [line, layer, pass] of data.code.program) {
      const row = element("span", pass ? `sg-line sg-${pass}` : "sg-line sg-heading", {}, `${line}\n`);
      if (layer) {
        row.addEventListener("pointerenter", () => acts.mark(new Set([layer])));
        row.addEventListener("pointerleave", () => acts.mark(new Set()));
      }
      this.program.append(row);
    }
    this.root = element("section", "sg-panel sg-code", { "aria-label": "Code" }, element("header", "", {}, this.title, this.toggle), this.source, this.program);
  }

  turn() {
    this.isCompiled = !this.isCompiled;
    this.source.hidden = this.isCompiled;
    this.program.hidden = !this.isCompiled;
    setText(this.title, this.isCompiled ? "The program" : "The code");
    setText(this.toggle, this.isCompiled ? "The code" : "What the compiler made of it");
    setAttribute(this.toggle, "aria-pressed", this.isCompiled);
  }

  // The call in Python that trains as the settings say.
  paint({ optimizer, rate, l2, batch }) {
    const [before, after] = this.data.optimizers[optimizer].code;
    const parts = [`loss=${this.data.fit.loss}`, `optimizer=${before}lr=${pythonic(rate)}${after}`, `epochs=${this.data.epochs}`];
    if (batch) parts.push(`batch_size=${batch}`);
    if (l2) parts.push(`l2=${pythonic(l2)}`);
    if (this.data.seed) parts.push(`rng=${this.data.seed}`);
    setText(this.call, `model.fit(\n    X, y,\n${parts.map((part) => `    ${part},\n`).join("")})`);
  }
}

// A number as Python writes it.
export function pythonic(x) {
  return String(x).replace("e-", "e-0").replace(/e-0(\d\d)/, "e-$1");
}
