// Terms as texts, in symbols or with numbers in place of names: explaining/written.py once more.

import { number } from "./numbers.js";

// A name, a number or a call, which need no brackets beside a sign.
const TERM = /^(?:[\p{L}\p{N}_.#[\]]+(?:e−[0-9]+)?|[\p{L}\p{N}_]+\([^()]*\))$/u;
const SUPERSCRIPTS = { "−": "⁻", ...Object.fromEntries([..."⁰¹²³⁴⁵⁶⁷⁸⁹"].map((raised, digit) => [digit, raised])) };
const COMPARISONS = { less: ["<", ">"], less_equal: ["≤", "≥"], equal: ["=", "="] };

// How strongly the parts of a text hang together.
const [COMPARISON, SUM, PRODUCT, POWER, ATOM] = [0, 1, 2, 3, 4];

// A part of a formula. A call is a name with arguments, whose power stands behind the name: tanh²(n).
export function piece(text, level, isCall = false) {
  return { text, level, isCall };
}

// A name or a number.
export function pieceOf(text) {
  return piece(text, TERM.test(withoutSign(text)) ? ATOM : COMPARISON);
}

// An operand beside a sign, as formulas have it: `x`, `(x*w)`, `(−3)`.
export function inBrackets(text, leading = false) {
  return TERM.test(leading ? withoutSign(text) : text) ? text : `(${text})`;
}

function withoutSign(text) {
  return text.startsWith("−") ? text.slice(1) : text;
}

// In brackets, if it hangs together less than that, or begins with a minus and is not leading.
function beside({ text, level }, least, leading = false) {
  return level >= least && (leading || !text.startsWith("−")) ? text : `(${text})`;
}

export function isName(term) {
  return typeof term === "string";
}

function isNumber(term) {
  return typeof term === "number";
}

export function namesIn(term) {
  return Array.isArray(term) ? term.slice(1).some(namesIn) : isName(term);
}

// A term with the numbers of its constants, and without powers of 1 and factors of 1 or 0.
export function simplified(term, constant) {
  if (isName(term)) return constant(term) ?? term;
  if (isNumber(term)) return term;
  const head = term[0];
  const [left, right] = term.slice(1).map((x) => simplified(x, constant));
  const rest = term.slice(3).map((x) => simplified(x, constant));
  if (head === "add" && isNumber(left) && isNumber(right)) return left + right;
  if (head === "sub" && isNumber(left) && isNumber(right)) return left - right;
  if (head === "neg" && isNumber(left)) return 0 - left;
  if (head === "mul" && (left === 0 || right === 0)) return 0;
  if (head === "div" && left === 0) return 0;
  if (head === "mul" && right === 1) return left;
  if (head === "mul" && left === 1) return right;
  if ((head === "pow" || head === "div") && right === 1) return left;
  if (head === "pow" && right === 0) return 1;
  return right === undefined ? [head, left] : [head, left, right, ...rest];
}

// The text of a term, each name as `named` has it.
export function written(term, named, spellings) {
  if (isName(term)) return term === "pi" ? pieceOf("π") : named(term);
  if (isNumber(term)) return pieceOf(number(term));
  const head = term[0];
  const pieces = term.slice(1).map((x) => written(x, named, spellings));
  const [left, right] = pieces;
  if (head in COMPARISONS) {
    const [sign, turned] = COMPARISONS[head];
    const text = isNumber(term[1]) ? `${right.text} ${turned} ${left.text}` : `${left.text} ${sign} ${right.text}`;
    return piece(text, COMPARISON);
  }
  if (head === "pow") return power(left, right);
  if (head === "neg") return piece(`−${beside(left, POWER)}`, PRODUCT);
  const { kind, sign } = spellings[head];
  if (kind === "call") return piece(`${sign}(${pieces.map(({ text }) => text).join(", ")})`, ATOM, true);
  if (head === "div" && right.text === "1") return left;
  const level = head === "add" || head === "sub" ? SUM : PRODUCT;
  const least = head === "add" ? SUM : level + 1;
  return piece(`${beside(left, level, true)} ${sign} ${beside(right, least)}`, level);
}

function power(base, exponent) {
  if (!/^−?[0-9]+$/.test(exponent.text)) return piece(`${beside(base, ATOM)}**${beside(exponent, ATOM)}`, POWER);
  const raised = [...exponent.text].map((character) => SUPERSCRIPTS[character]).join("");
  if (!base.isCall) return piece(`${beside(base, ATOM)}${raised}`, POWER);
  const bracket = base.text.indexOf("(");
  return piece(base.text.slice(0, bracket) + raised + base.text.slice(bracket), ATOM);
}
