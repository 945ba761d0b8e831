// Causes: where on the paths a gradient became 0, tiny, huge, inf or nan. explaining/causes.py does the same.

import { Atoms } from "./atoms.js";
import { count, factor, gradientText, number, signedSum } from "./numbers.js";

export class Causes {
  constructor(words) {
    Object.assign(this, { words, graph: words.graph, limits: words.words.limits, sentences: words.words.sentences });
  }

  // {sentence, cause} about an odd gradient: what happened, and the position of the value that is the cause; else null.
  why(x) {
    const { graph } = this;
    if (x === graph.output) return null;
    if (this.words.consumers[x].length === 0) return this.told("here", x, this.noPath(x));
    const gradient = graph.grad[x];
    if (gradient === 0) return this.whyZero(x);
    const clause = Number.isFinite(gradient) ? this.nearlyCancelled(x) ?? this.oddFactor(x) : this.notFinite(x);
    return clause && this.toldAt(x, clause);
  }

  toldAt(x, clause) {
    return this.told(clause.at === x ? "here" : "on the way", x, clause);
  }

  told(template, x, clause, ways = 1) {
    const holes = { count: count(ways), at: this.words.name(clause.at), why: clause.words };
    return { sentence: this.said(template, x, holes), cause: clause.cause };
  }

  // A sentence about a value, its holes filled.
  said(template, x, holes) {
    const { words, graph } = this;
    const known = { x: words.name(x), o: words.name(graph.output), partial: words.partial(x), "x=": number(graph.data[x]) };
    return words.fill(this.sentences[template], { ...known, gradient: gradientText(graph.grad[x]), ...holes });
  }

  // A clause about a local derivative.
  saidOf(template, { result, place, local, upstream }, holes = {}) {
    const above = { above: this.words.partial(result), upstream: factor(upstream + 0), local: gradientText(local) };
    const texts = { ...this.words.rule(result, place), ...above, ...holes };
    return this.words.filled(template, new Atoms(this.words, result, place), texts);
  }

  // What is added to the gradient of a value, in the order of backward().
  terms(x) {
    return this.words.consumers[x].map(([result, place]) => {
      const [local, upstream] = [this.graph.slopes[result][place], this.graph.grad[result]];
      return { result, place, local, upstream, product: local * upstream };
    });
  }

  sumOf(terms) {
    const most = this.limits.terms;
    return signedSum(terms.slice(0, most).map(({ product }) => product)) + (terms.length > most ? " + …" : "");
  }

  // 0.

  noPath(x) {
    const { graph, words } = this;
    const flat = new Map();
    for (const result of graph.resultsOf(x)) {
      if (!words.row(result).sloped && !flat.has(graph.op(result))) flat.set(graph.op(result), result);
    }
    const texts = { ops: [...flat.keys()].join(", ") };
    return { words: this.said("no path", x, texts), at: x, cause: [...flat.values()][0] ?? x };
  }

  whyZero(x) {
    const [first, ...others] = this.deadEnds(x);
    return others.length ? this.told("dead ends", x, first, 1 + others.length) : this.toldAt(x, first);
  }

  // Where the ways from a value to the output end at a 0, the nearest first.
  *deadEnds(x) {
    const pending = [x];
    const seen = new Set(pending);
    for (const value of pending) {
      const terms = this.terms(value);
      const alive = terms.filter(({ product }) => product !== 0);
      if (alive.length) { // the gradient is 0 all the same
        const texts = { count: count(alive.length), sum: this.sumOf(alive) };
        yield { words: this.said("cancel", value, texts), at: value, cause: value };
        continue;
      }
      for (const term of terms) {
        if (term.local === 0) {
          yield this.zero(term, value === x);
        } else if (term.upstream !== 0) {
          yield { words: this.saidOf(this.sentences.vanished, term), at: value, cause: term.result };
        } else if (!seen.has(term.result)) {
          seen.add(term.result);
          pending.push(term.result);
        }
      }
    }
  }

  zero(term, isHere) {
    const { result, place } = term;
    const { zero, stays } = this.words.derivative(result, place);
    const operand = this.graph.operands[result][place];
    const movesIt = [operand, ...this.graph.resultsOf(operand)].includes(this.otherFactor(term)); // as in x * x
    const words = this.saidOf(movesIt ? zero : zero + stays, term);
    return { words, at: isHere ? operand : result, cause: this.causeOf(term) };
  }

  // The operand that the derivative is; else the result.
  otherFactor({ result, place }) {
    return new Atoms(this.words, result, place).position(this.words.derivative(result, place).cause);
  }

  // The other factor, if it is no constant; else the result.
  causeOf(term) {
    const { result } = term;
    const position = this.otherFactor(term);
    return position === null || this.words.isConstant(position) ? result : position;
  }

  // Tiny and huge.

  nearlyCancelled(x) {
    const terms = this.terms(x).filter(({ product }) => product !== 0);
    const size = terms.reduce((sum, { product }) => sum + Math.abs(product), 0);
    const gradient = Math.abs(this.graph.grad[x]);
    const bound = this.limits.cancelled * size;
    if (terms.length < 2 || !(gradient < bound && bound < Infinity)) return null;
    return { words: this.said("nearly cancel", x, { count: count(terms.length), sum: this.sumOf(terms) }), at: x, cause: x };
  }

  // What made a gradient tiny or huge: one factor on the path of the largest terms, or many.
  oddFactor(x) {
    const { limits, sentences } = this;
    const size = Math.abs(this.graph.grad[x]);
    if (limits.tiny <= size && size <= limits.huge) return null;
    const tiny = size < limits.tiny;
    const path = this.largestPath(x);
    const product = path.reduce((all, { local }) => all * local, 1);
    if (tiny && Math.abs(product) >= limits.tiny) return this.cancelledOn(x, path);
    if (!tiny && Math.abs(product) <= limits.huge) {
      return { words: this.said("paths", x, { product: gradientText(product) }), at: x, cause: x };
    }
    const odd = path.reduce((a, b) => ((tiny ? Math.abs(b.local) < Math.abs(a.local) : Math.abs(b.local) > Math.abs(a.local)) ? b : a));
    const at = odd === path[0] ? x : odd.result;
    const told = (template, texts, where) => ({ words: this.saidOf(sentences[template], odd, texts), at: where, cause: this.causeOf(odd) });
    if (tiny ? Math.abs(odd.local) < limits.flat : Math.abs(odd.local) > limits.steep) {
      const { flat, cause } = this.words.derivative(odd.result, odd.place);
      const kind = tiny && flat ? "saturated" : tiny ? "small" : "large";
      if (cause === "result") return told(kind, {}, at);
      const position = new Atoms(this.words, odd.result, odd.place).position(cause);
      return told(`${kind} factor`, { factor: this.words.withNumber(position) }, at);
    }
    const alone = [x, ...path.slice(0, -1).map((term) => term.result)].every((value) => this.terms(value).length === 1);
    const where = alone ? "" : sentences["one of many"];
    return told(tiny ? "many small" : "many large", { count: count(path.length), product: gradientText(product), where }, x);
  }

  // The value on a path of which most was lost in the sum of its terms.
  cancelledOn(x, path) {
    const left = (value) => Math.abs(this.graph.grad[value]) / (this.terms(value).reduce((sum, { product }) => sum + Math.abs(product), 0) || 1);
    const value = [x, ...path.slice(0, -1).map((term) => term.result)].reduce((a, b) => (left(b) < left(a) ? b : a));
    const terms = this.terms(value);
    return { words: this.said("nearly cancel", value, { count: count(terms.length), sum: this.sumOf(terms) }), at: value, cause: value };
  }

  largestPath(x) {
    const path = [];
    for (let value = x; value !== this.graph.output; value = path.at(-1).result) {
      path.push(this.terms(value).reduce((a, b) => (Math.abs(b.product) > Math.abs(a.product) ? b : a)));
    }
    return path;
  }

  // inf and nan: where on the way back the first one came up.
  notFinite(x) {
    const isInfinite = (number) => Math.abs(number) === Infinity;
    for (let value = x; ; ) {
      const terms = this.terms(value);
      let wrong = terms.find(({ product }) => Number.isNaN(product));
      if (!wrong && isInfinite(this.graph.grad[value])) wrong = terms.find(({ product }) => isInfinite(product));
      if (!wrong) return { words: this.said("sum", value, { sum: this.sumOf(terms) }), at: value, cause: value }; // inf − inf
      const { result, local, upstream } = wrong;
      const meets = (local === 0 || upstream === 0) && isInfinite(local + upstream);
      if (Number.isFinite(upstream) || meets) {
        const at = value === x ? x : result;
        const steep = Number.isNaN(local) ? "no slope" : "steep";
        const template = meets ? "0 times inf" : Number.isFinite(local) ? "beyond" : steep;
        return this.firstNumber(result, at) ?? { words: this.saidOf(this.sentences[template], wrong), at, cause: result };
      }
      value = result;
    }
  }

  // The first number that is not finite among those that a result was computed from, and itself.
  firstNumber(result, at) {
    const { graph, words } = this;
    const pending = [result];
    const seen = new Set(pending);
    for (const value of pending) {
      for (const operand of graph.operands[value]) {
        if (seen.has(operand) || words.isConstant(operand)) continue;
        seen.add(operand);
        pending.push(operand);
      }
    }
    const wrong = pending.filter((value) => !Number.isFinite(graph.data[value]));
    if (!wrong.length) return null;
    const first = wrong.reduce((a, b) => Math.min(a, b));
    const template = graph.op(first) === null ? "given" : "became";
    return { words: this.said(template, first, { numbers: words.formula(first, true) }), at, cause: first };
  }
}
