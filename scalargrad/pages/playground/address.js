// The address of a playground: settings that were changed stand after its #.

import { PageAddress } from "../address.js";
import { SPEEDS } from "./controls.js";

export class Address extends PageAddress {
  // playground: of a page of its own; others have no address
  constructor(playground) {
    super();
    this.playground = playground;
    this.read();
  }

  // #rate=0.1&optimizer=sgd&speed=max: those that are not as they were.
  parts() {
    const { data, run, speed } = this.playground;
    const now = { ...run.training.settings, speed };
    const began = { ...data.settings, speed: data.speed };
    return Object.keys(now).filter((name) => now[name] !== began[name]).map((name) => `${name}=${encodeURIComponent(now[name])}`);
  }

  // What is written there by hand may be anything.
  read() {
    const { data } = this.playground;
    const known = {
      rate: (text) => Number(text) > 0 && Number(text) < Infinity && Number(text),
      l2: (text) => Number(text) >= 0 && Number(text) < Infinity && Number(text),
      optimizer: (text) => Object.hasOwn(data.optimizers, text) && text,
      batch: (text) => data.batches.includes(Number(text)) && Number(text),
      speed: (text) => Object.hasOwn(SPEEDS, text) && text,
    };
    for (const [name, text] of new URLSearchParams(location.hash.slice(1))) {
      const value = Object.hasOwn(known, name) && text !== "" ? known[name](text) : false;
      if (value !== false) this.playground.set(name, value);
    }
  }
}
