// Modes: what stands in the panel, in the row below and in the strip above the graph.

// Each maker is (state, {panel, bar, strip}) -> {update(), show(), hide(), keys}: keys, which may be left out, maps the
// names of keys to functions of the event; one that returns false has not taken it.
export const MODES = {
  explore: { name: "Explore", key: "e", makers: [] },
  step: { name: "Step", key: "s", makers: [] },
  quiz: { name: "Quiz", key: "q", makers: [] },
};
