// Modes: what stands in the panel, in the row below and in the strip above the graph.

import { makeDescend } from "./descend.js";
import { makePanel } from "./panel.js";
import { makeQuiz } from "./quiz.js";
import { makeStep } from "./step.js";

// Each maker is (state, {panel, bar, strip, graph}) -> {update(), show(), hide(), keys}: keys, which may be left out, maps the
// names of keys to functions of the event; one that returns false has not taken it.
export const MODES = {
  explore: { name: "Explore", key: "e", makers: [makePanel, makeDescend] },
  step: { name: "Step", key: "s", makers: [makeStep] },
  quiz: { name: "Quiz", key: "q", makers: [makeQuiz] },
};
