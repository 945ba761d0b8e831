// Steps: each result forward, the seed, each term of the chain rule backward. explaining/steps.py tells the same.

import { factor, gradientText, number, ordinal, plural, productText } from "./numbers.js";

export class Steps {
  constructor(words) {
    Object.assign(this, { words, graph: words.graph, name: (position) => words.name(position) });
    const all = Array.from({ length: this.graph.length }, (_, position) => position);
    this.values = all.filter((position) => !words.isConstant(position));
    this.results = this.values.filter((position) => this.graph.op(position) !== null);
    this.terms = this.termsInOrder();
  }

  all() {
    return [this.start(), ...this.results.map((n) => this.forward(n)), this.seed(), ...this.terms.map((term) => this.backward(term))];
  }

  // What backward() adds, addition by addition.
  termsInOrder() {
    const { words, graph } = this;
    const sums = new Float64Array(graph.length);
    const turns = new Int32Array(graph.length);
    const terms = [];
    for (const result of [...this.results].reverse()) {
      if (!graph.sloped[result] || !words.row(result).sloped) continue;
      for (const place of words.placesInOrder(result)) {
        const operand = graph.operands[result][place];
        if (words.isConstant(operand)) continue;
        const [local, upstream, before] = [graph.slopes[result][place], graph.grad[result], sums[operand]];
        const after = (sums[operand] += local * upstream);
        terms.push({ operand, result, place, local, upstream, before, after, turn: (turns[operand] += 1), turns });
      }
    }
    return terms;
  }

  start() {
    const leaves = this.values.length - this.results.length;
    const given = leaves === 1 ? "One number is given" : `${leaves} numbers are given`;
    const computed = `${this.results.length} will be computed from ${leaves === 1 ? "it" : "them"}`;
    const text = this.results.length ? `${given}, ${computed}.` : `${given}, and nothing is computed from it.`;
    return step("start", [[text, ""]], "The gradients are 0. Press → for the first step, or Play.");
  }

  forward(position) {
    const { words, graph } = this;
    const name = this.name(position);
    const symbols = words.formula(position);
    const pieces = [name, symbols, words.formula(position, true), number(graph.data[position])];
    if (plain(symbols) === plain(name)) pieces.splice(1, 1); // its name is the expression
    const formula = [...new Set(pieces)].map((text, place) => [place ? `= ${text}` : text, ""]);
    const places = graph.operands[position].map((_, place) => place);
    const shown = places.filter((place) => !words.isConstant(graph.operands[position][place]));
    const gives = [...new Set(shown.map((place) => graph.operands[position][place]))].sort((a, b) => a - b);
    const note = `${name} remembers what it was computed from: the backward pass will ask for it.`;
    return step("forward", formula, note, position, gives, shown.map((place) => [position, place]));
  }

  seed() {
    const { output } = this.graph;
    const name = this.name(output);
    const note = `The backward pass begins here: when ${name} changes by 1, ${name} changes by 1.`;
    return step("seed", [[this.words.partial(output), ""], ["= 1", "seed"]], note, output);
  }

  backward({ operand, result, place, local, upstream, before, after, turn, turns }) {
    const { words } = this;
    const [gradient, product] = [words.partial(operand), local * upstream];
    const formula = [
      [gradient, ""], ["+=", ""], [words.ratio(result, place), "local"], ["×", ""], [words.partial(result), "upstream"],
      [`= ${productText(local, upstream)}`, ""], [`= ${gradientText(product)}`, ""],
    ];
    const which = turns[operand] === 1 ? "its only term" : `the ${ordinal(turn)} of its ${turns[operand]} terms`;
    const sum = `${gradientText(before)} + ${factor(product + 0)} = ${gradientText(after)}`;
    const note = `${gradient} is now ${sum}: ${which}. ${words.rule(result, place).sentence}`;
    return step("backward", formula, note, operand, [result], [[result, place]]);
  }
}

function step(phase, formula, note, gains = null, gives = [], edges = []) {
  return { phase, formula, note, gains, gives, edges };
}

// A formula without what differs between the names of results and formulas.
function plain(text) {
  const signs = { "×": "*", "−": "-", "≤": "<=" };
  return text.replace(/[ ()[\]]/g, "").replace(/[×−≤]/g, (sign) => signs[sign]).replaceAll("==", "=");
}
