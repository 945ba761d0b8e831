// The keyboard. Letters act only while no field is being edited.

// Listen on this element, or on a page that is all ours; returns a function that ends it.
export function listenToKeys(target, playground) {
  const general = {
    " ": () => playground.play(),
    ArrowRight: () => playground.step(),
    r: () => playground.restart(),
    c: () => playground.code.turn(),
    w: () => {
      playground.weighs = true;
      playground.nextWeight(1);
    },
    Escape: () => {
      playground.weighs = false;
      playground.chooseEdge(-1);
    },
  };

  // Arrows go from weight to weight after W, and from neuron to neuron where one has the focus.
  function onUnit(event) {
    const { network } = playground;
    const node = network.cards.findIndex(({ root }) => root === event.target);
    const turn = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (!turn) return false;
    if (playground.weighs) playground.nextWeight(turn);
    else if (node < 0) return false;
    else network.cards[network.neighbour(node, event.key) ?? node].root.focus();
    return true;
  }

  function onKey(event) {
    if (event.defaultPrevented || event.isComposing || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.target.matches?.("input, select, textarea, [contenteditable]")) return;
    const isButton = event.target.matches?.("button:not(.sg-unit)");
    if (isButton && (event.key === " " || event.key === "Enter")) return; // it presses the button
    if (event.target.matches?.("pre") && event.key.startsWith("Arrow")) return; // it scrolls
    const act = general[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!onUnit(event)) {
      if (!act) return;
      act();
    }
    event.preventDefault();
  }

  const onFocus = (event) => {
    if (event.target.matches?.(".sg-unit")) playground.weighs = false;
  };
  // A button is pressed when Space is released.
  const onRelease = (event) => event.key === " " && event.target.matches?.(".sg-unit") && event.preventDefault();
  target.addEventListener("keydown", onKey);
  target.addEventListener("keyup", onRelease);
  target.addEventListener("focusin", onFocus);
  return () => {
    target.removeEventListener("keydown", onKey);
    target.removeEventListener("keyup", onRelease);
    target.removeEventListener("focusin", onFocus);
  };
}
