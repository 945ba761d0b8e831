// Graph: recorded scalars as data, computed forward and backward by interpreting them.

export class Graph {
  // recorded: {operations: [names], op: [index of a name, -1 for a leaf], operands: [[positions]], data: [numbers]}, in
  // an order in which operands stand before results, the output last. Of dot the operands are weights, then inputs; of
  // take the index, then values. inf and nan are texts in JSON.
  constructor(recorded, OPERATIONS) {
    const count = recorded.op.length;
    this.length = count;
    this.output = count - 1;
    this.operations = recorded.operations;
    this.kinds = recorded.op;
    this.rows = recorded.op.map((kind) => (kind < 0 ? null : OPERATIONS[recorded.operations[kind]]));
    this.operands = recorded.operands;
    this.data = Float64Array.from(recorded.data, numberOf);
    this.grad = new Float64Array(count);
    this.slopes = this.operands.map((operands) => new Float64Array(operands.length));
    // The numbers of the operands, for rows that take them in one array.
    this.gathered = this.operands.map((operands, n) => (this.rows[n]?.many ? new Float64Array(operands.length) : null));
    this.sloped = this.reachedBySlopes();
  }

  // The name of the operation, null for a leaf.
  op(position) {
    return this.kinds[position] < 0 ? null : this.operations[this.kinds[position]];
  }

  // 1 for each value that a gradient reaches: what only predicates read has none.
  reachedBySlopes() {
    const reached = new Uint8Array(this.length);
    reached[this.output] = 1;
    for (let n = this.output; n >= 0; n--) {
      if (reached[n] && this.rows[n]?.partials) for (const x of this.operands[n]) reached[x] = 1;
    }
    return reached;
  }

  forward() {
    for (let n = 0; n < this.length; n++) if (this.rows[n]) this.data[n] = this.result(n);
  }

  // NaN, where Python has no result: take() of an index that is none, say, when what it is computed from has moved.
  result(n) {
    try {
      return this.value(n);
    } catch (error) {
      if (error instanceof RangeError) return NaN;
      throw error;
    }
  }

  value(n) {
    const row = this.rows[n];
    const x = this.operands[n];
    const data = this.data;
    if (row.many) return row.value(this.gather(n));
    if (x.length === 1) return row.value(data[x[0]]);
    if (x.length === 2) return row.value(data[x[0]], data[x[1]]);
    return row.value(data[x[0]], data[x[1]], data[x[2]]);
  }

  gather(n) {
    const gathered = this.gathered[n];
    const x = this.operands[n];
    for (let place = 0; place < x.length; place++) gathered[place] = this.data[x[place]];
    return gathered;
  }

  // As Value.backward does it, from gradients of 0, and in its order.
  backward() {
    const grad = this.grad.fill(0);
    grad[this.output] = 1;
    for (let n = this.output; n >= 0; n--) {
      if (!this.rows[n]?.partials) continue;
      const slopes = this.localSlopes(n);
      if (!this.sloped[n]) continue;
      const x = this.operands[n];
      const upstream = grad[n];
      const half = this.op(n) === "dot" ? x.length / 2 : 0; // weight, input, weight, input, ...
      for (let at = 0; at < x.length; at++) {
        const place = half ? (at >> 1) + (at & 1) * half : at;
        grad[x[place]] += slopes[place] * upstream;
      }
    }
  }

  localSlopes(n) {
    const { partials, many } = this.rows[n];
    const x = this.operands[n];
    const data = this.data;
    const slopes = this.slopes[n];
    if (many) partials(data[n], this.gather(n), slopes);
    else if (x.length === 1) slopes[0] = partials(data[n], data[x[0]])[0];
    else if (x.length === 2) [slopes[0], slopes[1]] = partials(data[n], data[x[0]], data[x[1]]);
    else slopes.set(partials(data[n], data[x[0]], data[x[1]], data[x[2]]));
    return slopes;
  }

  // Set a leaf; compute() brings the rest up to date.
  set(position, number) {
    if (this.rows[position]) throw new Error(`value ${position} is a result: only leaves are set`);
    this.data[position] = number;
  }

  compute() {
    this.forward();
    this.backward();
  }

  // The output for each of these numbers as the value at `position`, a leaf or a result, with all else as it is.
  along(position, numbers) {
    const moved = this.resultsOf(position);
    const before = [position, ...moved].map((n) => this.data[n]);
    const outputs = new Float64Array(numbers.length);
    try {
      for (let place = 0; place < numbers.length; place++) {
        this.data[position] = numbers[place];
        for (const n of moved) this.data[n] = this.result(n);
        outputs[place] = this.data[this.output];
      }
    } finally {
      [position, ...moved].forEach((n, place) => (this.data[n] = before[place]));
    }
    return outputs;
  }

  // The positions of what is computed from the value at `position`, in order.
  resultsOf(position) {
    const depends = new Uint8Array(this.length);
    depends[position] = 1;
    const found = [];
    for (let n = position + 1; n < this.length; n++) {
      if (this.operands[n].some((x) => depends[x])) {
        depends[n] = 1;
        found.push(n);
      }
    }
    return found;
  }
}

const WORDS = { inf: Infinity, "-inf": -Infinity, nan: NaN };

// A number as JSON has it: what it cannot write is a text, "-0.0" too.
export function numberOf(x) {
  return typeof x === "number" ? x : x in WORDS ? WORDS[x] : Number(x);
}
