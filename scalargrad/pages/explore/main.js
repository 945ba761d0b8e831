// mount: the page that computes, inside an element, with nothing outside of it.

import { Area } from "./area.js";
import { Address } from "./address.js";
import { Aloud } from "./aloud.js";
import { button, element, icon, setAttribute, setText } from "./dom.js";
import { makeHelp } from "./help.js";
import { listenToKeys } from "./keys.js";
import { Legend } from "./legend.js";
import { makeSheet } from "./sheet.js";
import { MODES } from "./modes.js";
import { State } from "./state.js";
import { number } from "../words/numbers.js";

const PAPER = 680; // pixels that a printed page is wide
const [WIDE, PHONE] = [1100, 600]; // from WIDE on the panel stands at the right; below PHONE it is a sheet
const RESET = "M13.2 8.6a5.2 5.2 0 1 1-1.5-4.2M13.4 1.6v3.6h-3.6";
const UNDO = "M3 6.5h6.2a3.6 3.6 0 0 1 0 7.2H5.5M6 3 2.6 6.5 6 10";
const HALF = "M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 1 0 0-13m0 1.6v9.8a4.9 4.9 0 0 1 0-9.8";

// options: {onleaf(position, number): a leaf was moved here; theme: "light", "dark" or "auto"; mode; page: is it a page of
// its own, whose address and keys are its own, too?}. Returns {setLeaves([[position, number]]), destroy(), state}.
export function mount(root, data, options = {}) {
  const frame = element("div", "sg-frame", { tabindex: "-1" });
  root.classList.add("sg-live");
  root.dataset.theme = options.theme ?? data.theme;
  root.replaceChildren(frame);

  let asked = 0;
  const schedule = () => (asked ||= requestAnimationFrame(paint));
  const state = new State({ ...data, mode: options.mode ?? data.mode }, schedule);
  const area = new Area(state);
  const aloud = new Aloud(state);
  const legend = new Legend(state);
  const elements = {
    panel: element("section", "sg-panel", { "aria-label": "About the chosen value" }),
    bar: element("div", "sg-bar-row"),
    strip: element("div", "sg-strip"),
  };
  const top = makeTop(state, root);
  const zoom = makeZoom(area);
  const hint = element("p", "sg-hint");
  const help = makeHelp(state);
  const graph = element("section", "sg-graph", { "aria-label": "Graph" }, element("div", "sg-above", {}, hint, zoom.root), area.ground, legend.root);
  elements.graph = graph;
  frame.append(top.root, element("div", "sg-main", {}, elements.strip, graph), makeSheet(elements.panel), elements.bar, aloud.root, help);

  const made = {};
  const current = () => (made[state.mode] ??= MODES[state.mode].makers.map((make) => make(state, elements)));
  const changeMode = (_, before) => {
    for (const part of made[before] ?? []) part.hide();
    if (before) state.setOverlay(null);
    frame.dataset.mode = state.mode;
    for (const part of current()) part.show();
    if (before) area.fit(); // the strip above the graph comes and goes
  };

  function arrange() {
    const width = frame.clientWidth;
    if (!width) return;
    frame.dataset.size = width >= WIDE ? "wide" : width >= PHONE ? "middle" : "phone";
    area.arrange(area.ground.clientWidth, width < PHONE);
  }

  function paint() {
    asked = 0;
    if (!area.layout) return;
    const context = area.paint();
    legend.paint(context);
    top.paint();
    setText(hint, hintOf(state, area));
    hint.hidden = !hint.textContent;
    for (const part of current()) part.update();
  }

  state.on("mode", changeMode);
  state.on("overlay", () => area.layout && state.overlay && area.reveal(state.overlay.glow));
  state.on("view", arrange);
  state.on("reset", () => area.fit());
  state.on("numbers", (positions, outside) => {
    aloud.changed(positions);
    if (!outside && options.onleaf) for (const x of positions) options.onleaf(x, state.graph.data[x]);
  });
  const resized = new ResizeObserver(() => {
    if (frame.clientWidth === arrange.width) return;
    arrange.width = frame.clientWidth;
    arrange();
    schedule();
  });
  const print = () => {
    frame.dataset.size = "middle";
    aloud.write();
    area.arrange(PAPER, false);
  };
  addEventListener("beforeprint", print);
  addEventListener("afterprint", arrange);
  area.onzoom = zoom.show;
  const forget = listenToKeys(options.page ? document : root, { state, area, help, current, root });
  const address = options.page ? new Address(state) : null;
  changeMode();
  arrange();
  resized.observe(frame);
  address?.read();
  schedule();
  return {
    state,
    setLeaves: (pairs) => state.setLeaves(pairs, true),
    destroy() {
      resized.disconnect();
      removeEventListener("beforeprint", print);
      removeEventListener("afterprint", arrange);
      forget();
      address?.close();
      aloud.close();
      for (const part of Object.values(made).flat()) part.hide();
      cancelAnimationFrame(asked);
      root.replaceChildren();
    },
  };
}

// What can be done here; and, first of all, what was computed anew.
function hintOf({ data, version, mode, names, graph }, area) {
  if (data.stale.length && version === 0) {
    const [[position, before], ...more] = data.stale;
    const others = more.length ? `, and ${more.length} more` : "";
    return `Operands were changed after ${names[position]} was computed${others}: here it is computed anew, `
      + `${number(graph.data[position])} instead of ${number(before)}.`;
  }
  if (mode !== "explore") return "";
  if (area.folded.view.detail !== "values") return "Drag a slider: every number follows. + opens a unit, − folds it.";
  return "Drag a slider or type a number: data, gradients and widths follow at once. Click a card to see why.";
}

// Title, modes, reset, theme and help.
function makeTop(state, root) {
  const { data } = state;
  const modes = Object.entries(MODES).map(([mode, { name }]) => {
    const made = button("", name, () => state.setMode(mode));
    const refused = mode === "step" && data.too_big_to_step;
    if (refused) made.title = refused;
    if (refused) made.setAttribute("aria-disabled", "true");
    if (refused) made.append(element("span", "sg-unseen", {}, `, not here: ${refused}`));
    return [mode, made];
  });
  const word = document.createTextNode("Reset");
  const [reset_icon, undo_icon] = [icon(RESET, false), icon(UNDO, false)];
  const reset = element("button", "sg-reset", { type: "button" }, reset_icon, undo_icon, word);
  reset.addEventListener("click", () => (state.undoable ? state.undo() : state.reset()));
  const theme = button("sg-theme", "light or dark", () => (root.dataset.theme = nextTheme(root)), icon(HALF));
  const question = button("sg-ask", "all keys", () => root.querySelector(".sg-help").showModal(), "?");
  const titles = element("div", "sg-titles", {}, element("h1", "", {}, data.title), element("p", "", {}, data.summary));
  const switcher = element("div", "sg-modes", { role: "group", "aria-label": "Mode" }, ...modes.map(([, made]) => made));
  return {
    root: element("header", "sg-top", {}, titles, switcher, element("div", "sg-tools", {}, reset, theme, question)),
    paint() {
      for (const [mode, made] of modes) setAttribute(made, "aria-pressed", mode === state.mode);
      word.data = state.undoable ? "Undo" : "Reset";
      undo_icon.toggleAttribute("hidden", !state.undoable);
      reset_icon.toggleAttribute("hidden", Boolean(state.undoable));
    },
  };
}

function nextTheme(root) {
  const dark = root.dataset.theme === "dark" || (root.dataset.theme === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  return dark ? "light" : "dark";
}

function makeZoom(area) {
  const now = button("sg-percent", "zoom 100 %", () => area.zoom(1 / area.scale), "");
  const root = element("div", "sg-zoom", { role: "group", "aria-label": "Zoom" },
    button("", "zoom out", () => area.zoom(1 / 1.25), "−"), now, button("", "zoom in", () => area.zoom(1.25), "+"),
    button("", "Fit", () => area.fit()));
  const show = (scale) => {
    setText(now, `${Math.round(100 * scale)} %`);
    setAttribute(now, "aria-label", `zoom ${Math.round(100 * scale)} %, back to 100 %`);
  };
  return { root, show };
}
