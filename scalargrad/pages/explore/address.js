// The address: what was dragged stands after its #, so that a link shares it.

const PAUSE = 300; // milliseconds without a change, before it is written

export class Address {
  constructor(state) {
    this.state = state;
    this.onhash = () => this.read();
    state.on("numbers", () => this.later());
    state.on("mode", () => this.later());
    addEventListener("hashchange", this.onhash);
  }

  // #w1=-2.8&x=0.5&mode=step: those that are no longer what they were, by name.
  write() {
    const { state } = this;
    const moved = state.leaves().filter(([x, data]) => !Object.is(data, state.began.get(x)));
    const parts = moved.map(([x, data]) => `${encodeURIComponent(state.names[x])}=${data}`);
    if (state.mode !== state.data.mode) parts.push(`&mode=${state.mode}`);
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

  close() {
    clearTimeout(this.timer);
    removeEventListener("hashchange", this.onhash);
  }
}
