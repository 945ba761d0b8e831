// Words: the local derivatives of a graph in symbols, numbers and words, for the numbers that it has now. What
// explaining/words.py writes, from the same templates, which come as data.

import { Atoms } from "./atoms.js";
import { Causes } from "./causes.js";
import { guessed } from "./guesses.js";
import { count, gradientText, number, ordinal, shortName } from "./numbers.js";
import { paths } from "./paths.js";
import { Steps } from "./steps.js";
import { inBrackets, pieceOf, written } from "./terms.js";

const HOLE = /\{(\w+)(=|:is|:zero)?\}/g;

export class Words {
  // words: what words_for_pages gives. names: a text for each position. A `place` is one among the operands of a result.
  constructor(words, graph, names) {
    Object.assign(this, { words, graph });
    this.names = names.map((name) => shortName(name ?? ""));
    this.causes = new Causes(this);
  }

  // Names, numbers, formulas.

  isConstant(position) {
    return this.graph.constants?.has(position) ?? !this.names[position];
  }

  name(position) {
    return this.isConstant(position) ? number(this.graph.data[position]) : this.names[position];
  }

  withNumber(position) {
    const [name, data] = [this.name(position), number(this.graph.data[position])];
    return name === data ? name : `${name} = ${data}`;
  }

  partial(position) {
    return ratio(this.name(this.graph.output), this.name(position));
  }

  // ∂(x1*w1)/∂x1, or ∂(a*a)/∂(2nd a)
  ratio(result, place) {
    const operands = this.graph.operands[result];
    const same = operands.map((x, at) => (x === operands[place] ? at : -1)).filter((at) => at >= 0);
    return ratio(this.name(result), this.name(operands[place]), same.length > 1 ? same.indexOf(place) + 1 : 0);
  }

  // The operation on the names of its operands, or on their numbers: `x1 × w1`, `2 × (−3)`.
  formula(result, withNumbers = false) {
    const { graph, words } = this;
    const op = graph.op(result);
    if (op === null) return number(graph.data[result]);
    const operands = graph.operands[result];
    const values = operands.filter((x) => !this.isConstant(x)).length;
    if (values > words.limits.arguments) return `${op}(… ${count(values)} operands …)`;
    const texts = operands.map((x) => (withNumbers ? number(graph.data[x]) : this.name(x)));
    const { singles, size } = this.shape(result);
    const groups = [];
    for (let start = singles; start < texts.length; start += size) groups.push(`[${texts.slice(start, start + size).join(", ")}]`);
    return this.applied(op, [...texts.slice(0, singles), ...groups]);
  }

  applied(op, texts) {
    const { kind, sign, spaced } = this.words.spellings[op];
    if (kind === "call") return `${sign}(${texts.join(", ")})`;
    if (kind === "before") return sign + inBrackets(texts[0]);
    const [left, right] = [inBrackets(texts[0], spaced), inBrackets(texts[1])];
    return spaced ? `${left} ${sign} ${right}` : `${left}${sign}${right}`;
  }

  // How many arguments of a result are single operands, the first ones, and how many each of the others has.
  shape(result) {
    const names = this.row(result).arguments;
    const singles = names.filter((name) => name[0] !== "[").length;
    return { singles, size: Math.floor((this.graph.operands[result].length - singles) / (names.length - singles || 1)) };
  }

  row(result) {
    return this.words.rows[this.graph.op(result)];
  }

  // The places of a result in the order in which backward() adds to its operands: those of a dot pair by pair.
  placesInOrder(result) {
    const { length } = this.graph.operands[result];
    const half = length / 2;
    const isPairs = this.row(result).arguments.filter((name) => name[0] === "[").length === 2;
    return Array.from({ length }, (_, at) => (isPairs ? (at >> 1) + (at % 2) * half : at));
  }

  // For each value the [result, place] that a gradient comes from, the last first.
  get consumers() {
    if (!this.found) {
      const { graph } = this;
      this.found = Array.from({ length: graph.length }, () => []);
      for (let result = graph.output; result >= 0; result--) {
        if (graph.op(result) === null || !graph.sloped[result] || !this.row(result).sloped) continue;
        for (const place of this.placesInOrder(result)) this.found[graph.operands[result][place]].push([result, place]);
      }
    }
    return this.found;
  }

  // Rules.

  // The derivative of a result by one of its operands: `1 − tanh²(n)`, `1 − 0.7071²`, 0.5, and why it is so, in a few
  // words and in a sentence.
  rule(result, place) {
    const { spellings } = this.words;
    const atoms = new Atoms(this, result, place);
    const cases = atoms.cases();
    const symbols = inSymbols(cases, atoms, spellings);
    const [, term, ...texts] = cases.find(([condition]) => atoms.holds(condition));
    const numbers = written(term, (name) => pieceOf(number(atoms.number(name))), spellings).text;
    const value = this.graph.slopes[result][place];
    const whole = chained(symbols, numbers, gradientText(value));
    const known = { symbols, numbers, rule: chained(symbols, numbers), whole };
    const [reason, sentence] = texts.map((text) => this.filled(text, atoms, known));
    return { ...known, value, reason, sentence };
  }

  // What the row has to say of a derivative by this operand.
  derivative(result, place) {
    const { places } = this.row(result);
    return places[Math.min(place, places.length - 1)];
  }

  // A template with its holes filled by these texts,
  fill(template, texts) {
    return template.replace(HOLE, (hole) => texts[hole.slice(1, -1)]);
  }

  // or by these and by names and numbers of the atoms.
  filled(template, atoms, texts) {
    return template.replace(HOLE, (hole, name, kind = "") => {
      if (name in texts) return texts[name];
      if (name in FILLERS) return FILLERS[name](this, atoms.result, atoms.place);
      const position = atoms.position(name);
      if (position === null) return number(atoms.number(name));
      if (kind === "=") return number(this.graph.data[position]);
      if (kind === ":is") return this.withNumber(position);
      const called = this.name(position);
      return kind === ":zero" && !this.isConstant(position) ? `${called}, and ${called} is 0` : called;
    });
  }

  // Gradients.

  // "Raise x1 by 0.01, and o falls by about 0.015."
  says(position) {
    const { graph, words } = this;
    const { step } = words.limits;
    const gradient = graph.grad[position];
    const change = number(Math.abs(gradient) * step);
    const kind = position === graph.output ? "output" : !Number.isFinite(gradient) ? "none"
      : gradient === 0 ? "still" : gradient > 0 ? "rises" : "falls";
    const texts = { x: this.name(position), o: this.name(graph.output), step: number(step), change };
    return this.fill(words.sentences[kind], { ...texts, partial: this.partial(position), gradient: gradientText(gradient) });
  }

  // {sentence, cause}: why a gradient is 0, tiny, huge, inf or nan, and which value is the cause; else null.
  why(position) {
    return this.causes.why(position);
  }

  // The steps of both passes, each {phase, formula: [[text, caption], ...], note, gains, gives, edges}.
  steps() {
    return new Steps(this).all();
  }
}

const FILLERS = {
  formula: (words, result) => words.formula(result),
  partial: (words, result, place) => words.ratio(result, place),
  slope: (words, result, place) => gradientText(words.graph.slopes[result][place]),
  op: (words, result) => words.graph.op(result),
};

// `a = b = c`, each text once.
function chained(...texts) {
  return [...new Set(texts)].join(" = ");
}

function ratio(target, source, occurrence = 0) {
  const below = occurrence ? `(${ordinal(occurrence)} ${inBrackets(source)})` : inBrackets(source);
  return `∂${inBrackets(target)}/∂${below}`;
}

// `1 where x > 0, −1 where x < 0, else 0`
function inSymbols(cases, atoms, spellings) {
  const text = (term) => written(term, (name) => atoms.namePiece(name), spellings).text;
  const each = cases.map(([condition, term], place) => {
    if (condition !== null) return `${text(term)} where ${text(condition)}`;
    return place === 0 ? text(term) : `else ${text(term)}`;
  });
  return each.join(", ");
}

export { guessed, paths };
