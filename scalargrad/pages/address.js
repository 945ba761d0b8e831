// The address of a page: what was changed stands after its #, so that a link shares it.

const PAUSE = 300; // milliseconds without a change, before it is written

export class PageAddress {
  constructor() {
    this.onhash = () => this.read();
    addEventListener("hashchange", this.onhash);
  }

  // parts() of a page are texts such as "rate=0.1"; read() takes what stands there, which may be anything.
  write() {
    const parts = this.parts();
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

  close() {
    clearTimeout(this.timer);
    removeEventListener("hashchange", this.onhash);
  }
}
