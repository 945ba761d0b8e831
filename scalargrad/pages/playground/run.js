// The run: the training with its history, epoch after epoch, at the speed that was chosen. It touches no page.

import { Samples, Training } from "./training.js";

const MOST_ENTRIES = 2000; // of the history; then every second one goes

export class Run {
  constructor(data, programs) {
    this.training = new Training(data, programs);
    this.heldOut = data.validation && new Samples(data.validation.points, data.validation.targets, false);
    this.restart();
  }

  restart() {
    this.training.restart();
    this.due = 0; // epochs that time has earned
    this.broken = null; // the loss that is no number, which ended the run
    this.history = [];
    this.record();
  }

  // The measures of now: {epoch, loss, accuracy, wrong, val_loss, val_accuracy}.
  measured() {
    const { epochs } = this.training;
    const { loss, accuracy, wrong } = this.training.measure();
    const entry = { epoch: epochs, loss, accuracy, wrong };
    if (this.heldOut) {
      const held = this.training.measure(this.heldOut);
      Object.assign(entry, { val_loss: held.loss, val_accuracy: held.accuracy });
    }
    return entry;
  }

  record() {
    const entry = this.measured();
    if (this.history.at(-1)?.epoch === entry.epoch) this.history.pop();
    this.history.push(entry);
    if (this.history.length > MOST_ENTRIES) this.history = this.history.filter((_, n) => n % 2 === 0 || n === this.history.length - 1);
  }

  get now() {
    return this.history.at(-1);
  }

  // One step; with all rows in a batch that is an epoch. False, where the loss is no number any more.
  step() {
    const { epochs } = this.training;
    const loss = this.training.step();
    if (!Number.isFinite(loss)) {
      this.broken = loss;
      return false;
    }
    if (this.training.epochs > epochs) this.record();
    return true;
  }

  // What is due after so many seconds at so many epochs a second, for at most so many milliseconds.
  advance(seconds, speed, most) {
    const end = performance.now() + most;
    this.due = Math.min(this.due + seconds * speed, Math.max(1, speed));
    let isWhole = true;
    while ((this.due >= 1 || !isWhole) && performance.now() < end) {
      const { epochs } = this.training;
      if (!this.step()) return false;
      isWhole = this.training.epochs > epochs;
      if (isWhole && speed < Infinity) this.due -= 1;
    }
    return true;
  }
}
