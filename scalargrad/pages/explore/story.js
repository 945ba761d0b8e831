// Story: when each value is computed and each term of the chain rule added, and the running sums in between.

import { largestSize } from "./look.js";

export class Story {
  // steps: those of Words.steps(); the numbers are always the present ones of the graph
  constructor(steps, graph) {
    this.graph = graph;
    this.computed = new Map(); // position: step
    this.added = new Map(); // "result,place": step
    this.turns = new Map(); // operand: the steps of its terms
    this.terms = []; // [step, result, place]
    this.seed = 0;
    this.last = steps.length - 1;
    steps.forEach(({ phase, gains, edges }, step) => {
      if (phase === "forward") this.computed.set(gains, step);
      if (phase === "seed") this.seed = step;
      if (phase === "backward") this.addTerm(step, ...edges[0]);
    });
  }

  addTerm(step, result, place) {
    const operand = this.graph.operands[result][place];
    this.terms.push([step, result, place]);
    this.added.set(`${result},${place}`, step);
    this.turns.set(operand, [...(this.turns.get(operand) ?? []), step]);
  }

  isComputed(position, at) {
    return (this.computed.get(position) ?? 0) <= at;
  }

  isAdded(result, place, at) {
    return (this.added.get(`${result},${place}`) ?? Infinity) <= at;
  }

  // The step since which the gradient of this value is complete.
  completeAt(position) {
    return this.turns.get(position)?.at(-1) ?? this.seed;
  }

  // How many of its terms are added, and how many there are.
  turnsAt(position, at) {
    const steps = this.turns.get(position) ?? [];
    return [steps.filter((step) => step <= at).length, steps.length];
  }

  // Every running sum from the seed to this step, in turn: gradients, and the sizes that they had on the way.
  sumsAt(at) {
    const { graph } = this;
    const sums = new Float64Array(graph.length);
    const sizes = [1];
    if (at >= this.seed) sums[graph.output] = 1;
    for (const [step, result, place] of this.terms) {
      if (step > at) break;
      const operand = graph.operands[result][place];
      sums[operand] += graph.slopes[result][place] * graph.grad[result];
      sizes.push(sums[operand]);
    }
    return { sums, sizes };
  }

  // The tints of all steps are on one scale.
  largest() {
    return largestSize(this.sumsAt(this.last).sizes);
  }
}
