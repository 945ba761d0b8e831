// The top bar and the settings: all act on the running training at once.

import { percent } from "./curves.js";
import { button, element, icon, setAttribute, setText } from "../explore/dom.js";
import { number } from "../words/numbers.js";

const ICONS = {
  restart: "M2.5 2.5v11M13.5 2.5 5 8l8.5 5.5z",
  play: "M4 2.5 13.5 8 4 13.5z",
  pause: "M3.5 2.5h3.4v11H3.5zM9.1 2.5h3.4v11H9.1z",
  step: "M13.5 2.5v11M2.5 2.5 11 8l-8.5 5.5z",
  half: "M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 1 0 0-13m0 1.6v9.8a4.9 4.9 0 0 1 0-9.8",
};
const STEPS = 400; // of a slider
const [LEAST_RATE, MOST_RATE] = [1e-4, 1];
const [LEAST_L2, MOST_L2] = [1e-6, 1];
export const SPEEDS = { "1×": 1, "10×": 10, max: Infinity }; // epochs a second

function drawn(name) {
  const drawing = icon(ICONS[name]);
  if (name === "restart" || name === "step") {
    drawing.firstChild.setAttribute("stroke", "currentColor");
    drawing.firstChild.setAttribute("stroke-width", "2");
  }
  return drawing;
}

export class Top {
  // acts: {restart(), play(), step(), turnTheme()}
  constructor(data, acts) {
    this.data = data;
    this.title = element("h1", "", {}, element("span", "sg-what", {}, "playground · "), data.title);
    this.about = element("p", "sg-about", {}, data.summary);
    const labelled = (name, text, act) => button("sg-button", text, () => act(), drawn(name), element("span", "", {}, text));
    this.restart = labelled("restart", "Restart", acts.restart);
    this.play = labelled("play", "Play", acts.play);
    this.play.classList.add("sg-main-button");
    this.step = labelled("step", "One step", acts.step);
    this.theme = button("sg-button sg-theme", "Light or dark", acts.turnTheme, drawn("half"));
    const reading = (name) => {
      const value = element("b");
      return { value, root: element("div", `sg-reading sg-${name}`, {}, element("span", "", {}, name), element("span", "sg-value", {}, value)) };
    };
    this.epoch = reading("epoch");
    this.of = element("span", "sg-of");
    this.epoch.root.lastChild.append(this.of);
    this.loss = reading("loss");
    this.accuracy = reading("accuracy");
    this.accuracy.root.hidden = data.decision.kind === "number";
    this.speed = makeSpeed(data, acts);
    this.root = element("header", "sg-top", {}, element("div", "sg-titles", {}, this.title, this.about), element("div", "sg-run", {}, this.restart, this.play, this.step, this.speed.root),
      element("div", "sg-readings", {}, this.epoch.root, this.loss.root, this.accuracy.root, this.theme));
  }

  paint(entry, isPlaying) {
    setText(this.epoch.value, String(entry.epoch));
    setText(this.of, ` / ${this.data.epochs}`);
    setText(this.loss.value, number(entry.loss));
    this.loss.root.classList.toggle("sg-broken", !Number.isFinite(entry.loss));
    if (entry.accuracy !== null) setText(this.accuracy.value, percent(entry.accuracy));
    const text = isPlaying ? "Pause" : "Play";
    if (this.play.lastChild.textContent === text) return;
    setText(this.play.lastChild, text);
    setAttribute(this.play, "aria-label", text);
    this.play.replaceChild(drawn(isPlaying ? "pause" : "play"), this.play.firstChild);
  }
}

// The same three buttons stand in the settings and, on a phone, in the top bar.
export function makeSpeed(data, acts) {
  const buttons = Object.keys(SPEEDS).map((name) => {
    const label = name === "max" ? "as fast as it goes" : `${SPEEDS[name]} epoch${SPEEDS[name] > 1 ? "s" : ""} a second`;
    const made = element("button", "", { type: "button", "aria-label": `${name}: ${label}` }, name);
    made.addEventListener("click", () => acts.set("speed", name));
    return made;
  });
  const root = element("div", "sg-speed", { role: "group", "aria-label": "Speed" }, ...buttons);
  return { root, paint: (speed) => buttons.forEach((made) => setAttribute(made, "aria-pressed", made.textContent === speed)) };
}

export class Settings {
  // acts: {set(setting, value)}
  constructor(data, acts) {
    this.data = data;
    this.rate = makeSlider("learning rate", (share) => rounded(LEAST_RATE * (MOST_RATE / LEAST_RATE) ** share), (rate) => acts.set("rate", rate));
    this.l2 = makeSlider("L2", (share) => (share === 0 ? 0 : rounded(LEAST_L2 * (MOST_L2 / LEAST_L2) ** share)), (l2) => acts.set("l2", l2));
    this.optimizer = makeSelect("optimizer", Object.entries(data.optimizers).map(([name, { title }]) => [name, title]), (name) => acts.set("optimizer", name));
    const rows = data.points.length;
    const batches = data.batches.filter((size) => size < rows).map((size) => [String(size), size ? String(size) : `all ${rows}`]);
    this.batch = makeSelect("batch", batches, (size) => acts.set("batch", Number(size)));
    this.speed = makeSpeed(data, acts);
    const speed = element("div", "sg-setting", {}, element("span", "", {}, "speed"), this.speed.root);
    const keys = element("p", "sg-keys", {}, ...[["Space", "play"], ["→", "one step"], ["R", "restart"], ["Tab", "next neuron"]].map(([key, text]) => element("span", "", {}, element("kbd", "", {}, key), ` ${text}`)));
    this.root = element("section", "sg-settings", { "aria-label": "Settings" }, this.rate.root, this.optimizer.root, this.l2.root, this.batch.root, speed, keys);
  }

  paint({ rate, l2, optimizer, batch }, speed) {
    this.rate.paint(rate, Math.log(rate / LEAST_RATE) / Math.log(MOST_RATE / LEAST_RATE));
    this.l2.paint(l2, l2 === 0 ? 0 : Math.log(l2 / LEAST_L2) / Math.log(MOST_L2 / LEAST_L2));
    this.optimizer.paint(optimizer);
    this.batch.paint(String(batch));
    this.speed.paint(speed);
  }
}

const rounded = (x) => Number(x.toPrecision(2));

function makeSlider(name, numberAt, act) {
  const shown = element("b");
  const slider = element("input", "sg-slider", { type: "range", min: 0, max: STEPS, step: 1, "aria-label": name });
  slider.addEventListener("input", () => act(numberAt(slider.valueAsNumber / STEPS)));
  const root = element("label", "sg-setting", {}, element("span", "", {}, `${name} `, shown), slider);
  const paint = (value, share) => {
    const inside = Math.min(1, Math.max(0, Number.isFinite(share) ? share : 0));
    setText(shown, number(value));
    setAttribute(slider, "aria-valuetext", number(value));
    if (numberAt(slider.valueAsNumber / STEPS) !== value) slider.value = Math.round(inside * STEPS);
    slider.style.setProperty("--share", String(inside));
  };
  return { root, paint };
}

function makeSelect(name, choices, act) {
  const options = choices.map(([value, text]) => element("option", "", { value }, text));
  const select = element("select", "sg-select", { "aria-label": name }, ...options);
  select.addEventListener("change", () => act(select.value));
  const root = element("label", "sg-setting", {}, element("span", "", {}, name), select);
  return { root, paint: (value) => select.value !== value && (select.value = value) };
}
