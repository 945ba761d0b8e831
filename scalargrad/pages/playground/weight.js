// One weight: its name, slider and number, its gradient; holding it, and cutting it.

import { button, element, setAttribute, setText } from "../explore/dom.js";
import { signColour, typed } from "../explore/look.js";
import { gradientText, number } from "../words/numbers.js";

const RANGE = 2; // on both sides of 0; a larger number widens it to twice its size

export class WeightPanel {
  // acts: {setWeight(place, number), hold(place, held)}
  constructor(data, acts) {
    Object.assign(this, { data, acts });
    this.range = RANGE;
    this.name = element("p", "sg-name");
    this.hint = element("span", "", {}, "click an edge");
    this.slider = element("input", "sg-slider", { type: "range", step: "any" });
    this.field = element("input", "sg-field", { type: "text", inputmode: "decimal", autocomplete: "off", spellcheck: "false" });
    this.slope = element("b");
    this.tinted = element("p", "sg-slope", {}, element("span", "", {}, "∂loss/∂w"), this.slope);
    this.holds = button("sg-button", "Hold it", () => acts.hold(this.place, !this.held));
    this.cuts = button("sg-button", "Set to 0", () => acts.setWeight(this.place, 0));
    this.nothing = element("p", "sg-nothing", {}, "Each line is a weight: choose one, and change it.");
    this.body = element("div", "sg-body", {}, this.name, element("div", "sg-row", {}, this.slider, this.field), this.tinted, element("div", "sg-row", {}, this.holds, this.cuts));
    this.root = element("section", "sg-panel sg-weight", { "aria-label": "Weight" }, element("header", "", {}, element("h2", "", {}, "Weight"), this.hint), this.nothing, this.body);
    this.slider.addEventListener("input", () => acts.setWeight(this.place, this.slider.valueAsNumber));
    this.field.addEventListener("change", () => this.read());
    this.field.addEventListener("keydown", (event) => event.key === "Escape" && this.field.blur());
  }

  read() {
    const found = typed(this.field.value);
    if (Number.isFinite(found)) this.acts.setWeight(this.place, found);
    this.field.classList.toggle("sg-wrong", !Number.isFinite(found));
    setAttribute(this.field, "aria-invalid", !Number.isFinite(found));
  }

  // edge: [from, to, place] or null; without one there is nothing to change
  paint(edge, { leaves, slopes, held, frozen }) {
    this.body.hidden = !edge;
    this.nothing.hidden = !!edge;
    if (!edge) return;
    const [from, , place] = edge;
    const weight = leaves[place];
    const label = this.data.parameters[place];
    if (this.place !== place) {
      this.place = place;
      this.range = RANGE;
      this.field.classList.remove("sg-wrong");
      // A name may break in front of a dot.
      this.name.replaceChildren(...label.split(/(?=\.)/).flatMap((part, n) => (n ? [element("wbr"), part] : [part])), element("span", "", {}, ` from ${this.data.network.nodes[from].name}`));
      for (const part of [this.slider, this.field]) setAttribute(part, "aria-label", label);
    }
    while (Math.abs(weight) > this.range && Math.abs(weight) < Infinity) this.range = 2 * Math.abs(weight);
    setAttribute(this.slider, "min", -this.range);
    setAttribute(this.slider, "max", this.range);
    if (this.slider.valueAsNumber !== weight) this.slider.value = weight;
    this.slider.style.setProperty("--share", String((weight + this.range) / (2 * this.range)));
    setAttribute(this.slider, "aria-valuetext", number(weight));
    if (!this.isEdited()) this.field.value = number(weight);
    setText(this.slope, gradientText(slopes[place]));
    const sign = signColour(slopes[place]);
    setAttribute(this.tinted, "class", `sg-slope sg-tint-${sign}`);
    this.held = held.has(place) || frozen.has(place);
    setText(this.holds, this.held ? "Let it learn" : "Hold it");
    setAttribute(this.holds, "aria-pressed", this.held);
    this.holds.disabled = frozen.has(place);
    setText(this.hint, frozen.has(place) ? "frozen in Python" : this.held ? "held" : "click an edge");
  }

  isEdited() {
    return this.field.getRootNode().activeElement === this.field;
  }
}
