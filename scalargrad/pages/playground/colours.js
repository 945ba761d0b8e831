// Colours of the page's theme as numbers, for canvases.

const PARTS = [
  ...["tint-zero", "output", "parameter", "positive", "negative", "not-finite", "muted", "card"],
  ...[1, 2, 3, 4].flatMap((step) => [`tint-positive-${step}`, `tint-negative-${step}`]),
];
export const CLASSES = ["positive", "negative", "parameter", "output", "not-finite", "muted"]; // of points, by class

// The palette as it is now: {part: [red, green, blue]}.
export function paletteOf(root) {
  const style = getComputedStyle(root);
  return Object.fromEntries(PARTS.map((part) => [part, parsed(style.getPropertyValue(`--${part}`).trim())]));
}

function parsed(hex) {
  return [1, 3, 5].map((place) => Number.parseInt(hex.slice(place, place + 2), 16) || 0);
}

function put(pixels, place, from, to, share) {
  for (let k = 0; k < 3; k++) pixels[4 * place + k] = from[k] + (to[k] - from[k]) * share;
  pixels[4 * place + 3] = 255;
}

// What the network says: blue below the level and orange above, as plot_boundary shades them; a colour for each class;
// of numbers blue above the middle and orange below.
export function paintDecision(pixels, outputs, count, decision, palette) {
  if (decision.kind === "argmax") return paintClasses(pixels, outputs, count, decision, palette);
  const [low, high] = decision.labels;
  for (let place = 0; place < count; place++) {
    const output = outputs[place];
    if (Number.isNaN(output)) put(pixels, place, palette["not-finite"], palette["not-finite"], 0);
    else {
      const share = decision.logits ? 1 / (1 + Math.exp(decision.level - output)) : (output - low) / (high - low || 1);
      const away = Math.min(1, Math.max(-1, 2 * share - 1));
      const side = away > 0 === (decision.kind === "number") ? "positive" : "negative";
      put(pixels, place, palette[`tint-${side}-1`], palette[`tint-${side}-3`], Math.abs(away));
    }
  }
}

function paintClasses(pixels, outputs, count, { classes }, palette) {
  for (let place = 0; place < count; place++) {
    let best = 0;
    for (let k = 1; k < classes; k++) if (outputs[k * count + place] > outputs[best * count + place]) best = k;
    const colour = Number.isNaN(outputs[place]) ? "not-finite" : CLASSES[best % CLASSES.length];
    put(pixels, place, palette.card, palette[colour], 0.35);
  }
}

// What a unit says: violet above 0, teal below, each as far as its largest. Returns that.
export function paintUnit(pixels, outputs, first, count, palette) {
  let largest = 0;
  for (let place = 0; place < count; place++) {
    const size = Math.abs(outputs[first + place]);
    if (size > largest && size < Infinity) largest = size;
  }
  for (let place = 0; place < count; place++) {
    const output = outputs[first + place];
    const share = largest === 0 ? 0 : Math.min(1, Math.abs(output) / largest);
    if (Number.isNaN(output)) put(pixels, place, palette["not-finite"], palette["not-finite"], 0);
    else put(pixels, place, palette["tint-zero"], palette[output > 0 ? "output" : "parameter"], 0.85 * share);
  }
  return largest;
}
