// All keys, in a dialog.

import { button, element } from "./dom.js";

const KEYS = [
  ["Tab, Shift Tab", "next value, the one before"],
  ["← →", "nudge it by 1 % of its range; with Shift ten times that"],
  ["Enter", "into the number field; Enter again takes the number, Esc forgets it"],
  ["+ −", "open a unit, fold it"],
  ["E, S, Q", "Explore, Step, Quiz"],
  ["D", "one step down"],
  ["0", "fit the graph; Ctrl and the wheel zoom, dragging the ground moves it"],
  ["R, Ctrl Z", "reset, and take that back"],
  ["In Step: ← → Home End", "a step, the first, the last; Space plays, 1 to 4 set the speed"],
  ["In Quiz: Enter, H, Tab", "check, hint, next question"],
  ["?", "these keys"],
  ["Esc", "back"],
];

export function makeHelp() {
  const rows = KEYS.flatMap(([keys, does]) => [element("dt", "", {}, keys), element("dd", "", {}, does)]);
  const dialog = element("dialog", "sg-help", { "aria-label": "Keys" }, element("h2", "", {}, "Keys"), element("dl", "", {}, ...rows));
  dialog.append(button("", "Close", () => dialog.close()));
  return dialog;
}
