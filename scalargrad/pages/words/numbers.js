// Numbers, counts and names as texts: drawing/lettering.py and support/words.py once more.

const DIGITS = 4;

// `x` with four significant digits and a true minus sign.
export function number(x) {
  if (Number.isNaN(x)) return "NaN";
  const sign = x < 0 || Object.is(x, -0) ? "−" : "";
  if (!Number.isFinite(x)) return `${sign}inf`;
  return x === 0 ? `${sign}0` : sign + written(...rounded(Math.abs(x)));
}

// Its digits and its exponent. Ties go to the even digit, as in Python; toPrecision takes them up.
function rounded(size) {
  const [mantissa, power] = size.toExponential(30).split("e");
  const digits = mantissa.replace(".", "");
  const half = `5${"0".repeat(digits.length - DIGITS - 1)}`;
  const rest = digits.slice(DIGITS);
  let kept = Number(digits.slice(0, DIGITS));
  if (rest > half || (rest === half && kept % 2 === 1)) kept += 1;
  const text = `${kept}`;
  return [text.slice(0, DIGITS), Number(power) + text.length - DIGITS];
}

function written(digits, exponent) {
  if (exponent < -4 || exponent >= DIGITS) {
    const tail = exponent < 0 ? `−${-exponent}` : `${exponent}`;
    return `${stripped(`${digits[0]}.${digits.slice(1)}`)}e${tail}`;
  }
  if (exponent < 0) return stripped(`0.${"0".repeat(-exponent - 1)}${digits}`);
  return stripped(`${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`);
}

function stripped(text) {
  return text.replace(/\.?0*$/, "");
}

// `x` as the right side of a product: a negative number stands in brackets.
export function factor(x) {
  return x < 0 ? `(${number(x)})` : number(x);
}

// A gradient or a slope: -0, the slope of a switched-off unit times a negative number, as 0.
export function gradientText(x) {
  return number(x + 0);
}

// `−3 × (−0.5)`
export function productText(slope, upstream) {
  return `${gradientText(slope)} × ${factor(upstream + 0)}`;
}

// `6 − 2 + 1`
export function signedSum(terms) {
  return terms
    .map((term) => number(term + 0))
    .map((text, place) => (place === 0 ? text : text[0] === "−" ? ` − ${text.slice(1)}` : ` + ${text}`))
    .join("");
}

// A whole number with commas: `1,234,567`.
export function count(n) {
  return `${n}`.replace(/\B(?=(\d{3})+$)/g, ",");
}

// A BigInt, in words of powers of ten where it has too many digits to be read: `about 1.072e301`.
export function shortCount(n) {
  if (n < 10n ** 15n) return count(n);
  const digits = n.toString();
  const text = number(Number(`${digits[0]}.${digits.slice(1, 20)}`));
  return text === "10" ? `about 1e${digits.length}` : `about ${text}e${digits.length - 1}`;
}

export function ordinal(place) {
  const ending = place % 100 >= 11 && place % 100 <= 13 ? "th" : ["th", "st", "nd", "rd"][place % 10] ?? "th";
  return `${place}${ending}`;
}

export function plural(n, one, many = `${one}s`) {
  return `${n} ${n === 1 ? one : many}`;
}

const LONGEST_NAME = 40; // characters

export function shortName(name) {
  const characters = [...name];
  return characters.length <= LONGEST_NAME ? name : `${characters.slice(0, LONGEST_NAME - 1).join("")}…`;
}
