// Operations on many operands, by hand: they take an array of the operands, and partials fill an array of slopes.

import { dot, maximum, random, sum, take } from "./elementary.js";

// As the table has it: the 1 of the largest is left to log1p.
function beyondPeak(values, first, peak) {
  let others = -0;
  let hits = -0;
  for (let n = first; n < values.length; n++) {
    if (values[n] === peak) hits += 1;
    others += values[n] === peak ? 0 : Math.exp(values[n] - peak);
  }
  return Math.log1p(others + (hits + 0 - 1));
}

// The softmax of the values from `first` on, less 1 at `index`: what is close to 1 is known by what the others leave.
function softmax(values, first, slopes, index) {
  const peak = maximum(values.subarray(first));
  for (let n = first; n < values.length; n++) slopes[n] = Math.exp(values[n] - peak);
  const total = peak - peak === 0 ? sum(slopes.subarray(first)) : 1;
  let others = -0;
  for (let n = first; n < values.length; n++) {
    slopes[n] /= total;
    others += slopes[n] * (slopes[n] > 0.75 ? 0 : 1);
  }
  for (let n = first; n < values.length; n++) {
    const close = slopes[n] > 0.75;
    slopes[n] = (close ? 0 - others : slopes[n]) + ((close ? 1 : 0) - (n - first === index ? 1 : 0));
  }
  return slopes;
}

// Ties share, and nan follows from 0 / 0.
function sharesOfTies(y, values, slopes) {
  let count = 0;
  for (let n = 0; n < values.length; n++) count += values[n] === y ? 1 : 0;
  for (let n = 0; n < values.length; n++) slopes[n] = (values[n] === y ? 1 : 0) / count;
  return slopes;
}

function minimum(values) {
  let smallest = values[0];
  for (let n = 0; n < values.length; n++) {
    if (values[n] !== values[n]) return NaN;
    if (values[n] < smallest) smallest = values[n];
  }
  return smallest;
}

function logsumexp(values) {
  const peak = maximum(values);
  return peak + beyondPeak(values, 0, peak);
}

function surprisal(operands) {
  const peak = maximum(operands.subarray(1));
  return peak - take(operands) + beyondPeak(operands, 1, peak);
}

function chosen(y, operands, slopes) {
  slopes.fill(0)[1 + operands[0]] = 1;
  return slopes;
}

function crossed(y, operands, slopes) {
  const count = operands.length / 2;
  slopes.set(operands.subarray(count));
  slopes.set(operands.subarray(0, count), count);
  return slopes;
}

function surprisalSlopes(y, operands, slopes) {
  slopes[0] = 0;
  return softmax(operands, 1, slopes, operands[0]);
}

export const MANY = {
  maximum: { value: maximum, partials: sharesOfTies },
  minimum: { value: minimum, partials: sharesOfTies },
  take: { value: take, partials: chosen },
  random: { value: random, partials: null },
  sum: { value: sum, partials: (y, values, slopes) => slopes.fill(1) },
  dot: { value: dot, partials: crossed },
  mean: {
    value: (values) => sum(values) / values.length,
    partials: (y, values, slopes) => slopes.fill(1 / values.length),
  },
  logsumexp: { value: logsumexp, partials: (y, values, slopes) => softmax(values, 0, slopes, -1) },
  surprisal: { value: surprisal, partials: surprisalSlopes },
};
