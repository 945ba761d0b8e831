// What a screen reader is told: changes, at most one a second, and a table in the place of the graph.

import { element, setText } from "./dom.js";
import { gradientText, number } from "../words/numbers.js";

const PAUSE = 1000; // milliseconds
const MOST_ROWS = 300;

export class Aloud {
  constructor(state) {
    this.state = state;
    this.region = element("p", "sg-unseen", { role: "status", "aria-live": "polite" });
    this.table = element("table", "", {});
    this.root = element("div", "sg-unseen sg-aloud", {}, this.region, this.table);
    this.build();
    state.on("overlay", () => this.write());
  }

  build() {
    const { graph, names, constants } = { ...this.state, constants: this.state.graph.constants };
    const all = names.map((_, position) => position).filter((position) => !constants.has(position));
    const shown = all.length <= MOST_ROWS ? all : all.filter((x) => this.state.isLeaf(x) || x === graph.output).slice(-MOST_ROWS);
    const heads = ["name", "data", "gradient", "local rule"].map((text) => element("th", "", { scope: "col" }, text));
    this.cells = shown.map((position) => {
      const row = element("tr", "", {}, element("th", "", { scope: "row" }, names[position]), ...[0, 1, 2].map(() => element("td")));
      return { position, row, texts: [...row.children].slice(1) };
    });
    this.table.append(element("caption", "", {}, "The values of the graph"), element("thead", "", {}, element("tr", "", {}, ...heads)),
      element("tbody", "", {}, ...this.cells.map(({ row }) => row)));
    this.write();
  }

  write() {
    const { graph, words, overlay } = this.state;
    for (const { position, texts } of this.cells) {
      const rule = this.state.isLeaf(position) ? "" : words.formula(position);
      const data = overlay?.data?.(position) ?? true ? number(graph.data[position]) : "not known";
      [data, this.gradient(position), rule].forEach((text, place) => setText(texts[place], text));
    }
  }

  // What Step and Quiz hide is hidden here, too.
  gradient(position) {
    const { graph, overlay } = this.state;
    if (!overlay) return gradientText(graph.grad[position]);
    const { text, unknown } = overlay.grad(position);
    return unknown ? "not known" : text;
  }

  // Leaves were moved: that is told when a second has passed since the last time.
  changed(positions) {
    this.position = positions.at(-1);
    if (this.timer || this.state.playing) return;
    this.timer = setTimeout(() => {
      this.timer = 0;
      this.write();
      const { graph, names, output, playing } = this.state;
      if (playing) return;
      const x = this.position;
      this.say(`${names[x]} ${number(graph.data[x])}: ${names[output]} ${number(graph.data[output])}, gradient ${this.gradient(x)}`);
    }, PAUSE);
  }

  say(text) {
    setText(this.region, text);
  }

  close() {
    clearTimeout(this.timer);
  }
}
