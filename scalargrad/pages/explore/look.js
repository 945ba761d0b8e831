// Numbers, tints and widths as cards and edges show them.

import { number } from "../words/numbers.js";

export const ROOM = 7; // characters in a cell of a card
const [THINNEST, THICKEST] = [1.2, 5];

// A number in so many characters: with four digits, or fewer, or with an exponent.
export function fitted(x, room = ROOM) {
  if (!Number.isFinite(x)) return number(x);
  const shorter = [3, 2, 1].flatMap((digits) => [number(Number(x.toPrecision(digits))), exponential(x, digits)]);
  return [number(x), ...shorter].find((text) => text.length <= room) ?? shorter.at(-1);
}

function exponential(x, digits) {
  return x.toExponential(digits - 1).replace("e+", "e").replaceAll("-", "−");
}

// One number, or the lowest and the highest of several.
export function fittedRange(numbers) {
  if (numbers.length === 1) return fitted(numbers[0]);
  const lowest = fitted(Math.min(...numbers), 6);
  const highest = fitted(Math.max(...numbers), 6);
  return lowest === highest ? lowest : `${lowest} … ${highest}`;
}

// The tint of a gradient, as drawing/palette.py has it: each of four steps is a third of the one above.
export function tint(gradient, largest) {
  if (!Number.isFinite(gradient)) return "not-finite";
  if (gradient === 0 || !(Math.abs(gradient) <= largest)) return "tint-zero";
  let step = 4;
  while (step > 1 && Math.abs(gradient) < (largest / 3 ** (4 - step)) * (1 - 1e-9)) step -= 1;
  return `tint-${gradient > 0 ? "positive" : "negative"}-${step}`;
}

export function signColour(x) {
  if (!Number.isFinite(x)) return "not-finite";
  return x > 0 ? "positive" : x < 0 ? "negative" : "zero";
}

export function thickness(flow, largest) {
  if (largest === 0) return THINNEST;
  const share = Number.isFinite(flow) ? Math.min(Math.abs(flow) / largest, 1) : 0.2;
  return THINNEST + (THICKEST - THINNEST) * Math.sqrt(share);
}

// The largest size of those that are finite.
export function largestSize(numbers) {
  let largest = 0;
  for (const x of numbers) {
    const size = Math.abs(x);
    if (size > largest && size < Infinity) largest = size;
  }
  return largest;
}

// What somebody typed, as a number; nan for what is none. A true minus and a decimal comma are taken, too.
export function typed(text) {
  const plain = text.trim().replaceAll("−", "-").replace(",", ".").toLowerCase();
  if (/^[+-]?(inf|infinity)$/.test(plain)) return plain.startsWith("-") ? -Infinity : Infinity;
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/.test(plain) ? Number(plain) : NaN;
}
