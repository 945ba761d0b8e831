// The training itself: numbers, steps, epochs, measures. No page: node runs it as it is.

// Samples as programs take them: an array for each argument, [samples][numbers of one sample], flat.
export class Samples {
  constructor(points, targets, countsRows) {
    this.count = points.length;
    this.targets = targets.map((target) => target[0]);
    this.arrays = [Float64Array.from(points.flat()), Float64Array.from(targets.flat())];
    this.counted = countsRows ? [...this.arrays, Float64Array.from(points.keys())] : this.arrays;
  }
}

export class Training {
  // data: what Python wrote; programs: {name: Program, order}, as compiler/backends/javascript has them
  constructor(data, programs) {
    this.data = data;
    this.programs = programs;
    this.leaves = Float64Array.from(data.leaves, Number);
    this.count = data.parameters.length;
    this.slopes = new Float64Array(this.count); // of the loss, at the last step
    this.samples = new Samples(data.points, data.targets, data.countsRows);
    this.held = new Set();
    this.frozen = new Set(data.frozen);
    this.room = {}; // arrays that programs write, by name
    this.settings = { ...data.settings };
    this.restart();
  }

  restart() {
    const { strength, rate } = this.data.places;
    this.leaves.set(Float64Array.from(this.data.leaves, Number));
    this.leaves[strength] = this.settings.l2;
    this.leaves[rate] = this.settings.rate;
    this.chooseOptimizer(this.settings.optimizer);
    if (this.settings.optimizer === this.data.settings.optimizer) {
      this.leaves[this.data.places.time] = this.data.stepsBefore;
      this.state.set(this.data.memory.flat());
    }
    this.epochs = 0;
    this.steps = 0;
    this.begun = null; // the batches of this epoch that are left, the sum of its losses, its rows so far
  }

  set(setting, value) {
    this.settings[setting] = value;
    if (setting === "optimizer") this.chooseOptimizer(value);
    if (setting === "batch") this.begun = null;
    if (setting === "rate" || setting === "l2") {
      this.leaves[this.data.places[setting === "l2" ? "strength" : "rate"]] = value;
    }
  }

  // An optimizer begins with no memory, as a new one does in Python.
  chooseOptimizer(name) {
    this.settings.optimizer = name;
    this.state = new Float64Array(this.data.optimizers[name].remembers * this.count);
    this.leaves[this.data.places.time] = 0;
  }

  hold(place, held) {
    if (held) this.held.add(place);
    else this.held.delete(place);
  }

  get moving() {
    const moving = [];
    for (let place = 0; place < this.count; place++) {
      if (!this.held.has(place) && !this.frozen.has(place)) moving.push(place);
    }
    return moving;
  }

  // One step on the next batch. Returns its loss; where that is no number, nothing has moved.
  step() {
    if (this.begun === null) {
      const epoch = this.data.stepsBefore + this.epochs;
      this.begun = { left: this.batches(epoch), sum: 0 };
    }
    const chosen = this.begun.left[0];
    const count = chosen === null ? this.samples.count : chosen.length;
    const loss = this.differentiate(chosen, count);
    if (!Number.isFinite(loss)) return loss;
    this.move();
    for (const [place, number] of this.updates) this.leaves[place] = number;
    this.leaves[this.data.places.step] += 1;
    this.steps += 1;
    this.begun.sum += loss * count;
    this.begun.left.shift();
    if (this.begun.left.length === 0) {
      this.lossOfEpoch = this.begun.sum / this.samples.count;
      this.begun = null;
      this.epochs += 1;
    }
    return loss;
  }

  // The rows of each step of an epoch, in its seeded order; null stands for all rows in theirs.
  batches(epoch) {
    const { count } = this.samples;
    const size = this.settings.batch;
    if (!size || size >= count) return [null];
    const order = this.programs.order(count, this.data.seed, epoch);
    const found = [];
    for (let first = 0; first < count; first += size) found.push(order.subarray(first, first + size));
    return found;
  }

  // The steps that are left of this epoch. Returns the mean of its losses, or the one that is no number.
  epoch() {
    do {
      const loss = this.step();
      if (!Number.isFinite(loss)) return loss;
    } while (this.begun !== null);
    return this.lossOfEpoch;
  }

  // The loss over some rows, or, with null, over all; afterwards `slopes` has its derivatives, `updates` new numbers of
  // buffers.
  differentiate(chosen, count) {
    const { slopes, updates } = this.data.programs.loss;
    const program = this.compute("loss", this.samples.counted, chosen, count);
    this.slopes.fill(0);
    for (let n = 0; n < slopes.length; n++) this.slopes[slopes[n]] = program.u[program.gradient[n]];
    this.updates = updates.map((place, n) => [place, program.u[program.updates[n]]]);
    return program.u[program.mean];
  }

  // One step of the optimizer, for which each parameter that moves is a sample: (p, g, *state) -> (p, *state).
  move() {
    const name = this.settings.optimizer;
    const moving = this.moving;
    const count = moving.length;
    if (count === 0) return;
    const { remembers } = this.data.optimizers[name];
    const arrays = [];
    for (let k = 0; k < 2 + remembers; k++) arrays.push(this.array(`moving ${k}`, count));
    for (let n = 0; n < count; n++) {
      arrays[0][n] = this.leaves[moving[n]];
      arrays[1][n] = this.slopes[moving[n]];
      for (let k = 0; k < remembers; k++) arrays[2 + k][n] = this.state[k * this.count + moving[n]];
    }
    this.leaves[this.data.places.time] += 1;
    const found = this.found(this.compute(name, arrays, null, count), "moved", count);
    for (let n = 0; n < count; n++) {
      this.leaves[moving[n]] = found[n];
      for (let k = 0; k < remembers; k++) this.state[k * this.count + moving[n]] = found[(1 + k) * count + n];
    }
  }

  // Loss, outputs [number][sample] and which samples are wrong, with the numbers of now, in evaluation.
  measure(samples = this.samples) {
    const { count } = samples;
    const found = this.found(this.compute("measure", samples.arrays, null, count), "measured", count);
    let sum = 0;
    for (let row = 0; row < count; row++) sum += found[row];
    const outputs = found.subarray(count);
    return { loss: sum / count, outputs, ...this.judged(outputs, samples) };
  }

  // The share of right answers and the places of wrong ones; null, where outputs are numbers and not classes.
  judged(outputs, samples) {
    const { kind } = this.data.decision;
    if (kind === "number") return { accuracy: null, wrong: [] };
    const wrong = [];
    for (let row = 0; row < samples.count; row++) {
      if (this.decided(outputs, row, samples.count) !== samples.targets[row]) wrong.push(row);
    }
    return { accuracy: (samples.count - wrong.length) / samples.count, wrong };
  }

  // The label that the outputs [number][place] say; NaN, where one of them is.
  decided(outputs, place, count) {
    const { kind, level, labels, classes } = this.data.decision;
    if (kind === "threshold") {
      const output = outputs[place];
      return Number.isNaN(output) ? NaN : labels[output > level ? 1 : 0];
    }
    let best = 0;
    for (let k = 0; k < classes; k++) {
      const output = outputs[k * count + place];
      if (Number.isNaN(output)) return NaN;
      if (output > outputs[best * count + place]) best = k;
    }
    return best;
  }

  // What a program of one argument says of places [places][2], as [results][places].
  ask(name, places) {
    const count = places.length / 2;
    return this.found(this.compute(name, [places], null, count), `${name} ${count}`, count);
  }

  // A program after a run with the numbers of now.
  compute(name, arrays, chosen, count) {
    const program = this.programs[name];
    const { leaves } = this.data.programs[name];
    const state = this.array(`leaves of ${name}`, leaves.length);
    for (let n = 0; n < leaves.length; n++) state[n] = this.leaves[leaves[n]];
    program.load(state);
    program.compute(arrays, chosen, count);
    return program;
  }

  // Its results, [numbers][samples].
  found(program, name, count) {
    const { bank, rows } = program.result;
    const found = this.array(name, rows.length * count);
    for (let n = 0; n < rows.length; n++) {
      if (bank === "lane") found.set(program.v.subarray(rows[n] * count, (rows[n] + 1) * count), n * count);
      else found.fill(program.u[rows[n]], n * count, (n + 1) * count);
    }
    return found;
  }

  // Memory that is used again.
  array(name, length) {
    if (this.room[name]?.length !== length) this.room[name] = new Float64Array(length);
    return this.room[name];
  }
}

// The places of a grid in rows from the top: {places [places][2], coordinates [2][places]}, flat.
export function gridOf([left, right, bottom, top], across, down) {
  const count = across * down;
  const places = new Float64Array(2 * count);
  const coordinates = new Float64Array(2 * count);
  for (let place = 0; place < count; place++) {
    const x = left + (((place % across) + 0.5) / across) * (right - left);
    const y = top - ((Math.floor(place / across) + 0.5) / down) * (top - bottom);
    places.set([x, y], 2 * place);
    coordinates[place] = x;
    coordinates[count + place] = y;
  }
  return { places, coordinates };
}
