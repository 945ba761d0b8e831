// What all compiled programs share: memory for rows of numbers, what a run reads and what it leaves.

// Row numbers, evenly spaced.
export function evenly(first, count, step) {
  return Int32Array.from({ length: count }, (_, n) => first + n * step);
}

// Row numbers that are a sum for each pair: [rows, columns], flat.
export function crossed(rows, columns) {
  const found = new Int32Array(rows.length * columns.length);
  for (let r = 0, n = 0; r < rows.length; r++) for (let c = 0; c < columns.length; c++) found[n++] = rows[r] + columns[c];
  return found;
}

// Row numbers from several lists, one after another.
export function joined(parts) {
  return Int32Array.from(parts.flatMap((part) => [...part]));
}

// One program. Lane rows (v) have a number for each sample, uniform rows (u) one for all of them.
//
// laneRows, uniformRows   how many there are
// constants               [row, number] of uniform rows
// inputs                  how many numbers each argument has for one sample: the first lane rows
// kept                    [first, count] of the uniform rows that a state is, in its order
// batchRow                the uniform row of 1 / how many samples
// result                  {bank, rows}; of a program with gradients also mean, a row, gradient and updates, rows
// moves                   of a step: {sources, targets}, uniform rows
// run                     (v, u, how many samples): all instructions
export class Program {
  constructor(shape, run) {
    Object.assign(this, shape);
    this.run = run;
    this.size = this.kept.reduce((total, [, count]) => total + count, 0); // of a state
    this.u = new Float64Array(this.uniformRows);
    for (const [row, number] of this.constants) this.u[row] = number;
    this.v = new Float64Array(0);
    this.moved = new Float64Array(this.moves?.sources.length ?? 0);
    this.samples = 0;
  }

  load(state) {
    let place = 0;
    for (const [first, count] of this.kept) {
      this.u.set(state.subarray(place, place + count), first);
      place += count;
    }
  }

  save(state) {
    let place = 0;
    for (const [first, count] of this.kept) {
      state.set(this.u.subarray(first, first + count), place);
      place += count;
    }
  }

  // arrays: flat, [rows, numbers of one sample]; chosen: the rows that are the samples, or null for all.
  compute(arrays, chosen, samples) {
    if (samples !== this.samples) {
      this.v = new Float64Array(this.laneRows * samples);
      this.samples = samples;
    }
    let at = 0;
    for (let n = 0; n < arrays.length; n++) {
      const array = arrays[n];
      const width = this.inputs[n];
      for (let place = 0; place < width; place++) {
        for (let l = 0; l < samples; l++) this.v[at++] = array[(chosen === null ? l : chosen[l]) * width + place];
      }
    }
    this.u[this.batchRow] = 1 / samples;
    this.run(this.v, this.u, samples);
  }

  // [samples, numbers of one result], flat.
  results(state, arrays, chosen, samples) {
    this.load(state);
    this.compute(arrays, chosen, samples);
    const { bank, rows } = this.result;
    const found = new Float64Array(samples * rows.length);
    for (let n = 0; n < rows.length; n++) {
      for (let l = 0; l < samples; l++) {
        found[l * rows.length + n] = bank === "lane" ? this.v[rows[n] * samples + l] : this.u[rows[n]];
      }
    }
    return found;
  }

  // The mean, its gradient, and the new numbers of buffers.
  slopes(state, arrays, chosen, samples) {
    this.load(state);
    this.compute(arrays, chosen, samples);
    const rows = (table) => Float64Array.from(table, (row) => this.u[row]);
    return { mean: this.u[this.mean], gradient: rows(this.gradient), updates: rows(this.updates) };
  }

  // What a step leaves: all new numbers are read before one is written.
  move() {
    const { sources, targets } = this.moves;
    for (let n = 0; n < sources.length; n++) this.moved[n] = this.u[sources[n]];
    for (let n = 0; n < targets.length; n++) this.u[targets[n]] = this.moved[n];
  }

  // Steps of training on so many samples each, `advance` positions of the order apart, up to a loss of inf or nan.
  // An error leaves the state and the losses of the steps before.
  train(state, arrays, order, samples, steps, advance, losses) {
    this.load(state);
    try {
      for (let step = 0; step < steps; step++) {
        const first = step * advance;
        this.compute(arrays, order === null ? null : order.subarray(first, first + samples), samples);
        this.move();
        losses.push(this.u[this.mean]);
        if (!Number.isFinite(losses[step])) break;
      }
    } finally {
      this.save(state);
    }
  }
}
