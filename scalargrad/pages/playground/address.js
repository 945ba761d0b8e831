// The address: settings that were changed stand after its #, so that a link shares them.

import { SPEEDS } from "./controls.js";

const PAUSE = 300; // milliseconds without a change, before it is written

export class Address {
  // playground: of a page of its own; others have no address
  constructor(playground) {
    this.playground = playground;
    this.onhash = () => this.read();
    addEventListener("hashchange", this.onhash);
    this.read();
  }

  // #rate=0.1&optimizer=sgd&speed=max: those that are not as they were.
  write() {
    const { data, run, speed } = this.playground;
    const now = { ...run.training.settings, speed };
    const began = { ...data.settings, speed: data.speed };
    const parts = Object.keys(now).filter((name) => now[name] !== began[name]).map((name) => `${name}=${encodeURIComponent(now[name])}`);
    try {
      history.replaceState(null, "", parts.length ? `#${parts.join("&")}` : location.pathname + location.search);
    } catch {
      // A frame without an address of its own.
    }
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.write(), PAUSE);
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

  close() {
    clearTimeout(this.timer);
    removeEventListener("hashchange", this.onhash);
  }
}
