// The primitives of the table on floats: Math's functions, and what Math lacks or does otherwise than Python's floats.
//
// Conditions are numbers: 0 is false, all others are true, nan too. Operations on many operands take one array of them.

export const add = (x, y) => x + y;
export const sub = (x, y) => x - y;
export const mul = (x, y) => x * y;
export const div = (x, y) => x / y;
export const neg = (x) => -x;

// 1 to any power, and -1 to an infinite one, are 1 for IEEE and nan for Math.
export function pow(x, n) {
  return x === 1 || (x === -1 && (n === Infinity || n === -Infinity)) ? 1 : Math.pow(x, n);
}

export const exp = Math.exp;
export const exp2 = (x) => Math.pow(2, x);
export const expm1 = Math.expm1;
export const log = Math.log;
export const log1p = Math.log1p;
export const log2 = Math.log2;
export const log10 = Math.log10;
export const sqrt = Math.sqrt;
export const sin = Math.sin;
export const cos = Math.cos;
export const tan = Math.tan;
export const asin = Math.asin;
export const acos = Math.acos;
export const atan = Math.atan;
export const atan2 = Math.atan2;
export const sinh = Math.sinh;
export const cosh = Math.cosh;
export const tanh = Math.tanh;
export const asinh = Math.asinh;
export const acosh = Math.acosh;
export const atanh = Math.atanh;
export const hypot = Math.hypot;

export function sech(x) {
  const e = Math.exp(-Math.abs(x));
  return (2 * e) / (1 + e * e);
}

// For x < 0 in this form: exp(-x) would overflow where the result is still a float.
export function sigmoid(x) {
  if (x < 0) {
    const e = Math.exp(x);
    return e / (1 + e);
  }
  return 1 / (1 + Math.exp(-x));
}

export const relu = (x) => (x <= 0 ? 0 : x); // in this order nan stays nan
export const step = (x) => (x > 0 ? 1 : x <= 0 ? 0 : x);
export const abs = Math.abs;

export const floor = Math.floor;
export const ceil = Math.ceil;

// Half a number to the even one beside it: from 2**52 on there are no others than whole numbers.
export function round(x) {
  const size = Math.abs(x);
  if (!(size < 2 ** 52)) return x;
  const y = size + 2 ** 52 - 2 ** 52;
  return isNegative(x) ? -y : y;
}

const isNegative = (x) => x < 0 || Object.is(x, -0);

// The remainder has the sign of the divisor, and so has 0.
export function mod(x, y) {
  const rest = x % y;
  if (rest === 0) return isNegative(y) ? -0 : 0;
  return rest < 0 === y < 0 ? rest : rest + y;
}

export const where = (condition, x, y) => (condition !== 0 ? x : y);
export const less = (x, y) => +(x < y);
export const less_equal = (x, y) => +(x <= y);
export const equal = (x, y) => +(x === y);
export const both = (x, y) => +(x !== 0 && y !== 0);
export const either = (x, y) => +(x !== 0 || y !== 0);
export const invert = (x) => +(x === 0);
export const batch_mean = (x) => x; // of a batch of one

// erf and erfc: the formulas and the coefficients of the native backend's error_functions.py; a test compares them.

// erf(x) / x - 9/8 as a polynomial in x * x, up to 3/4.
const ERF = [
  0.003379167095512573, -0.37612638903183715, 0.11283791670952596, -0.026866170644428485,
  0.005223977615420539, -0.0008548326188759752, 0.00012055289567541706, -1.4924196305569617e-05,
  1.643068417974155e-06, -1.5940066854661717e-07, 1.1472499701094691e-08,
];

// (1 + 2 x) exp(x * x) erfc(x) - 9/8 as a polynomial in (x - 4) / (x + 4), from 3/4 on.
const ERFC = [
  0.10799511862555251, -0.13962111684056247, 0.015379652102619766, 0.06809705425468682, -0.10103906603630404,
  0.09373283499861676, -0.06633036581228409, 0.037167515531919895, -0.01619773405591165,
  0.0050319700416283026, -0.0007577733136210261, -0.00019925713398403304, 0.0001506218660584476,
  -2.4397293709348743e-05, -1.122291861702589e-05, 5.704325527318425e-06, 2.9639671701474037e-07,
  -8.157536030264092e-07, 7.007726225939664e-08, 9.963669781288243e-08, -1.3478117328949061e-08,
  -8.162435007722838e-09,
];

const FAR = 0.75; // where the second formula begins
const ERFC_IS_0 = 28; // from there on, when rounded
const SPLITTER = 134217729; // 2**27 + 1
const TINY = Math.exp(-600);

function polynomial(x, coefficients) {
  let y = 0;
  for (let n = coefficients.length - 1; n >= 0; n--) y = y * x + coefficients[n];
  return y;
}

// x * 9/8, rounded, and the rest of erf(x): what rounding lost, and the polynomial.
const erf_large_part = (x) => x + x / 8;
const erf_rest = (x, y) => x * polynomial(x * x, ERF) + (x / 8 - (y - x));

function far_erfc(x) {
  x = Math.min(x, ERFC_IS_0);
  const scaled = SPLITTER * x;
  const high = scaled - (scaled - x);
  const low = x - high;
  const square = x * x;
  const lost = high * high - square + 2 * high * low + low * low; // x * x is square + lost
  const factor = (1.125 + polynomial(1 - 8 / (x + 4), ERFC)) / (2 * x + 1);
  if (square <= 600) {
    const y = Math.exp(-square) * factor;
    return y - y * lost;
  }
  const y = Math.exp(600 - square) * factor; // which has all its digits yet
  return (y - y * lost) * TINY;
}

export function erf(x) {
  const a = Math.abs(x);
  if (a > FAR) return x < 0 ? far_erfc(a) - 1 : 1 - far_erfc(a);
  const y = erf_large_part(x);
  return x === 0 ? x : y + erf_rest(x, y);
}

export function erfc(x) {
  if (x > FAR) return far_erfc(x);
  if (x < -FAR) return 2 - far_erfc(-x);
  const y = erf_large_part(x);
  const difference = 1 - y;
  return difference + (1 - difference - y - erf_rest(x, y));
}

// Operations on many operands.

// From left to right; -0 is the start that changes no bit of it.
export function sum(values) {
  let total = values.length ? -0 : 0;
  for (let n = 0; n < values.length; n++) total += values[n];
  return total;
}

// The weights, and then as many inputs.
export function dot(operands) {
  const count = operands.length / 2;
  let total = count ? -0 : 0;
  for (let n = 0; n < count; n++) total += operands[n] * operands[count + n];
  return total;
}

export function maximum(values) {
  let largest = values[0];
  for (let n = 0; n < values.length; n++) {
    if (values[n] !== values[n]) return NaN;
    if (values[n] > largest) largest = values[n];
  }
  return largest;
}

// The index, if it is one of so many values.
export function checkedIndex(index, count) {
  if (index >= 0 && index < count && index === Math.floor(index)) return index;
  throw new RangeError(`take: index ${index} is not one of the ${count} positions 0..${count - 1}`);
}

// The index, and then the values.
export function take(operands) {
  return operands[1 + checkedIndex(operands[0], operands.length - 1)];
}

// random(seed, step, row, site): randomness.py says how. Numbers of 64 bits are two of 32, each unsigned.

let high = 0; // the results of mix
let low = 0;

function mix(above, below) {
  let shifted = ((above << 2) | (below >>> 30)) >>> 0;
  multiply((above ^ (above >>> 30)) >>> 0, (below ^ shifted) >>> 0, 0xbf58476d, 0x1ce4e5b9);
  shifted = ((high << 5) | (low >>> 27)) >>> 0;
  multiply((high ^ (high >>> 27)) >>> 0, (low ^ shifted) >>> 0, 0x94d049bb, 0x133111eb);
  shifted = ((high << 1) | (low >>> 31)) >>> 0;
  [high, low] = [(high ^ (high >>> 31)) >>> 0, (low ^ shifted) >>> 0];
}

function multiply(above, below, factorAbove, factorBelow) {
  const a = below >>> 16;
  const b = below & 0xffff;
  const c = factorBelow >>> 16;
  const d = factorBelow & 0xffff;
  const middle = b * c + ((b * d) >>> 16);
  const other = a * d + (middle & 0xffff);
  const carried = a * c + (middle >>> 16) + (other >>> 16);
  high = (carried + Math.imul(above, factorBelow) + Math.imul(below, factorAbove)) >>> 0;
  low = Math.imul(below, factorBelow) >>> 0;
}

function scramble(word) {
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return (word ^ (word >>> 16)) >>> 0;
}

function counted(counter) {
  if (!(Math.abs(counter) < 2 ** 63 && counter === Math.floor(counter))) {
    throw new RangeError(`random counts in whole numbers below 2**63, got ${counter}`);
  }
  return counter;
}

const GAMMA_HIGH = 0x9e3779b9;
const GAMMA_LOW = 0x7f4a7c15;
const WORD = 2 ** 32;

export function random(counters) {
  const last = counters.length - 1;
  let keyHigh = GAMMA_HIGH;
  let keyLow = GAMMA_LOW;
  for (let n = 0; n < last; n++) {
    const above = Math.floor(counted(counters[n]) / WORD);
    const added = keyLow + (counters[n] - above * WORD);
    mix((keyHigh + above + (added >= WORD)) >>> 0, added >>> 0);
    keyLow = low + GAMMA_LOW;
    keyHigh = (high + GAMMA_HIGH + (keyLow >= WORD)) >>> 0;
    keyLow >>>= 0;
  }
  const above = Math.floor(counted(counters[last]) / WORD);
  let word = scramble((counters[last] - above * WORD + keyLow) | 0);
  word = scramble((word ^ (above + keyHigh)) | 0);
  return (word * 2 ** 21 + (scramble(word ^ keyLow) >>> 11)) / 2 ** 53;
}
