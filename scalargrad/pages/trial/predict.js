import { flatRows } from "../../compiler/backends/javascript/functions.js";

// What a saved model says of rows, as model.predict() does in Python.

// The labels and the probabilities that the outputs of a row mean, by the loss that the model was fitted with.
const LABELS = {
  cross_entropy: positionOfLargest,
  binary_cross_entropy: (logit) => (logit > 0 ? 1 : 0),
  hinge: (score) => (score > 0 ? 1 : -1),
};
const PROBABILITIES = { cross_entropy: softmax, binary_cross_entropy: (logit) => [share(-logit), share(logit)] };

// numpy.argmax: the first of the largest; nan is larger than all.
function positionOfLargest(outputs) {
  let place = 0;
  for (let n = 1; n < outputs.length && outputs[place] === outputs[place]; n++) {
    if (!(outputs[n] <= outputs[place])) place = n;
  }
  return place;
}

function softmax(outputs) {
  const largest = Math.max(...outputs);
  const powers = outputs.map((x) => Math.exp(x - largest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

// 1 / (1 + exp(-x)), which does not overflow.
function share(x) {
  const power = Math.exp(-Math.abs(x));
  return (x < 0 ? power : 1) / (1 + power);
}

// A flat array as nested arrays of this shape, from a place on; a number for [].
function nested(flat, shape, begin = 0) {
  if (shape.length === 0) return flat[begin];
  const [count, ...inner] = shape;
  const size = inner.reduce((product, length) => product * length, 1);
  return Array.from({ length: count }, (_, n) => nested(flat, inner, begin + n * size));
}

// Rows as nested arrays: one row is several, of one. An error for what has not their shape, or is not finite.
function checkedRows(rows, shape) {
  const size = shape.reduce((product, length) => product * length, 1);
  const flat = flatRows(rows, shape, "a model");
  const wrong = flat.findIndex((x) => !Number.isFinite(x));
  if (wrong >= 0) throw new Error(`row ${Math.floor(wrong / size)} holds ${flat[wrong]}: all numbers are finite`);
  return flat;
}

// forward, numbers: of a compiled model, whose results have the shape [1, ...shape of its outputs].
export function verbsOf(forward, numbers, shape, output, loss) {
  const of_each = (functions, rows) => {
    const found = outputs(rows);
    return loss in functions ? found.map(functions[loss]) : found;
  };

  function outputs(rows) {
    const flat = forward(numbers, [checkedRows(rows, shape)]);
    const size = output.reduce((product, length) => product * length, 1);
    return nested(flat, [flat.length / size, ...output.slice(1)]);
  }
  const predict = (rows) => of_each(LABELS, rows);
  const probabilities = loss in PROBABILITIES ? (rows) => of_each(PROBABILITIES, rows) : null;
  return { outputs, predict, probabilities };
}
