// The keyboard. Letters act only while no field is being edited.

import { MODES } from "./modes.js";

// Listen on this element, or on a page that is all ours; returns a function that ends it.
export function listenToKeys(target, { state, area, help, current, root }) {
  const general = {
    0: () => area.fit(),
    r: () => state.reset(),
    "?": () => help.showModal(),
    Escape: () => escape(),
    ...Object.fromEntries(Object.entries(MODES).map(([mode, { key }]) => [key, () => state.setMode(mode)])),
  };

  function escape() {
    if (state.mode !== "explore") return state.setMode("explore");
    root.getRootNode().activeElement?.blur?.();
    return state.select(null);
  }

  // Keys of the card that has the focus.
  function onCard(event) {
    const holder = event.target.closest?.("[data-value]");
    if (!holder) return false;
    const position = Number(holder.dataset.value);
    const turn = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (turn && state.sliders.has(position)) {
      state.nudge(position, event.shiftKey ? 10 * turn : turn);
      return true;
    }
    const field = holder.querySelector(":scope > .sg-cells .sg-field, :scope > .sg-field");
    if (event.key === "Enter" && field && event.target.matches(".sg-pick, .sg-slider")) {
      state.select(position);
      field.focus();
      return true;
    }
    const toggle = holder.closest(".sg-card").querySelector(".sg-toggle");
    const isOpen = toggle?.getAttribute("aria-expanded") === "true";
    if (toggle && ((event.key === "+" && !isOpen) || (event.key === "-" && isOpen))) {
      toggle.click();
      return true;
    }
    return false;
  }

  function onKey(event) {
    if (event.defaultPrevented || help.open || event.isComposing) return;
    const { key } = event;
    if (key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && state.undoable && !isField(event.target)) {
      event.preventDefault();
      return state.undo();
    }
    if (event.altKey || event.ctrlKey || event.metaKey || isField(event.target)) return;
    if ((key === " " || key === "Enter") && event.target.matches?.("button:not(.sg-pick), summary, a")) return; // it presses the button
    const slides = event.target.matches?.("input[type=range]");
    const modal = !event.shiftKey && !(slides && event.target.closest(".sg-card"))
      && current().some((part) => part.keys && taken(part.keys[key] ?? part.keys[key.toLowerCase()], event));
    if (modal || onCard(event) || taken(general[key] ?? general[key.toLowerCase()], event)) event.preventDefault();
  }

  const taken = (act, event) => act !== undefined && act(event) !== false;
  target.addEventListener("keydown", onKey);
  const chosen = (event) => {
    const holder = event.target.closest?.("[data-value]");
    if (holder && event.target.matches(":focus-visible, input")) {
      state.select(Number(holder.dataset.value));
      area.reveal(state.selected);
    }
  };
  root.addEventListener("focusin", chosen);
  return () => {
    target.removeEventListener("keydown", onKey);
    root.removeEventListener("focusin", chosen);
  };
}

function isField(node) {
  return node.matches?.("input[type=text], input[type=number], textarea, select, [contenteditable]") ?? false;
}
