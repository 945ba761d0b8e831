// The address of explore: what was dragged stands after its #.

import { PageAddress } from "../address.js";

export class Address extends PageAddress {
  constructor(state) {
    super();
    this.state = state;
    state.on("numbers", () => this.later());
    state.on("mode", () => this.later());
  }

  // #w1=-2.8&x=0.5&mode=step: those that are no longer what they were, by name.
  parts() {
    const { state } = this;
    const moved = state.leaves().filter(([x, data]) => !Object.is(data, state.began.get(x)));
    const parts = moved.map(([x, data]) => `${encodeURIComponent(state.names[x])}=${data}`);
    if (state.mode !== state.data.mode) parts.push(`&mode=${state.mode}`);
    return parts;
  }

  read() {
    const { state } = this;
    const positions = new Map([...state.sliders.keys()].map((x) => [state.names[x], x]));
    const pairs = [];
    for (const part of location.hash.slice(1).split("&")) {
      const [name, text] = part.split("=");
      let known = name;
      try {
        known = decodeURIComponent(name);
      } catch {
        continue; // no name that was written here
      }
      if (name === "" || text === undefined) continue;
      if (known === "mode" && !positions.has("mode")) state.setMode(text);
      const number = Number(text);
      if (positions.has(known) && text !== "" && !Number.isNaN(number)) pairs.push([positions.get(known), number]);
    }
    state.setLeaves(pairs);
  }
}
