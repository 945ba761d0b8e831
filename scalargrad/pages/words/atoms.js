// Atoms: what the names in rules stand for: those of explaining/words.py once more.

import { isName, namesIn, piece, pieceOf, simplified } from "./terms.js";

// The names in the rule of a result by one of its operands: what values and numbers they stand for.
export class Atoms {
  constructor(words, result, place) {
    Object.assign(this, { words, graph: words.graph, result, place }, words.shape(result));
    this.operands = this.graph.operands[result];
    this.arguments = words.row(result).arguments;
  }

  // The position of the value; null for a number.
  position(name) {
    const { operands, place, singles, size } = this;
    const argument = this.arguments.indexOf(name);
    if (name === "result") return this.result;
    if (argument >= 0 && argument < singles) return operands[argument];
    if (name === "x" || name === "this") return operands[place];
    if (name === "other") return operands[(place + size) % (2 * size)];
    if (name === "taken") return operands.find((x) => this.graph.data[x] === this.graph.data[this.result]) ?? operands[place];
    if (name === "chosen") {
      const index = this.graph.data[operands[0]];
      return operands[index >= 0 && index < size ? singles + Math.trunc(index) : place];
    }
    return null;
  }

  number(name) {
    const { graph, operands, size } = this;
    const position = this.position(name);
    if (position !== null) return graph.data[position];
    if (name === "ties") return operands.filter((x) => graph.data[x] === graph.data[this.result]).length;
    if (name === "count") return size;
    if (name === "place") return (this.place - this.singles) % (size || 1);
    throw new Error(`no rule has a ${name}`);
  }

  // Its number, if it is always the same.
  constant(name) {
    const position = this.position(name);
    if (position === null) return name === "ties" || name === "pi" ? null : this.number(name);
    return this.words.isConstant(position) ? this.graph.data[position] : null;
  }

  namePiece(name) {
    const { words, result } = this;
    const position = this.position(name);
    if (position === result) {
      const { kind, level } = words.words.spellings[this.graph.op(result)];
      return piece(words.formula(result), level, kind === "call");
    }
    const isOpen = name === "chosen" && !words.isConstant(this.operands[0]); // another one for another index
    return pieceOf(position === null || isOpen ? name : words.name(position));
  }

  // The cases of the rule that are possible with these constants, the last without a condition.
  cases() {
    const found = [];
    const constant = (name) => this.constant(name);
    for (const [condition, term, ...texts] of this.words.derivative(this.result, this.place).cases) {
      const left = condition === null ? null : simplified(condition, constant);
      const isCertain = left === null || !namesIn(left);
      if (isCertain && !this.holds(left)) continue;
      found.push([isCertain ? null : left, simplified(term, constant), ...texts]);
      if (isCertain) break;
    }
    return found;
  }

  // Is a condition true for the numbers of now?
  holds(condition) {
    if (condition === null) return true;
    const data = (atom) => (isName(atom) ? this.number(atom) : atom);
    if (!Array.isArray(condition)) return data(condition) !== 0;
    const [left, right] = condition.slice(1).map(data);
    return { less: left < right, less_equal: left <= right, equal: left === right }[condition[0]];
  }
}
