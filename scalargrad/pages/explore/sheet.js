// The sheet of a phone: the panel below the graph, low, half or high, by its handle.

import { button, element } from "./dom.js";

const HEIGHTS = ["low", "half", "high"];
const FAR = 40; // pixels that a finger moves for another height

export function makeSheet(panel) {
  const root = element("div", "sg-side", { "data-sheet": "half" });
  const move = (steps) => {
    const at = HEIGHTS.indexOf(root.dataset.sheet) + steps;
    root.dataset.sheet = HEIGHTS[Math.min(Math.max(at, 0), HEIGHTS.length - 1)];
  };
  let from = null;
  let dragged = false;
  const handle = button("sg-handle", "higher or lower", () => {
    if (!dragged) root.dataset.sheet = HEIGHTS[(HEIGHTS.indexOf(root.dataset.sheet) + 1) % HEIGHTS.length];
    dragged = false;
  }, "");
  handle.addEventListener("pointerdown", (event) => {
    [from, dragged] = [event.clientY, false];
    handle.setPointerCapture(event.pointerId);
  });
  handle.addEventListener("pointermove", (event) => {
    if (from === null || Math.abs(event.clientY - from) < FAR) return;
    move(event.clientY < from ? 1 : -1);
    [from, dragged] = [event.clientY, true];
  });
  for (const end of ["pointerup", "pointercancel"]) handle.addEventListener(end, () => (from = null));
  root.append(handle, panel);
  return root;
}
