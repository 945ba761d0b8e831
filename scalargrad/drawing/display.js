// A picture in a cell or a page: the finest one whose texts can be read at this width, with zoom, pan and tooltips.
// `pictures` are [least width, SVG text or null for that of the image], the finest first.
((figure, pictures, rules) => {
  const MOST = 4; // times its natural size
  const STEP = 1.25;

  const parsed = (text) => document.importNode(
    new DOMParser().parseFromString(text, "image/svg+xml").documentElement, true);
  const imageText = (image) => new TextDecoder().decode(
    Uint8Array.from(atob(image.src.split(",")[1]), (letter) => letter.charCodeAt(0)));
  const clamp = (x, low, high) => Math.min(Math.max(x, low), Math.max(low, high));

  // Dark or light as the host is, where it says so: JupyterLab, VS Code, Colab, marimo.
  const hostScheme = () => {
    const { body, documentElement: page } = document;
    if (body.dataset.jpThemeLight) return body.dataset.jpThemeLight === "false" ? "dark" : "light";
    for (const scheme of ["dark", "light"]) {
      const says = body.classList.contains(`vscode-${scheme}`) || page.getAttribute("theme") === scheme;
      if (says || body.classList.contains(scheme) || page.classList.contains(scheme)) return scheme;
    }
    return "";
  };

  const mount = (root) => {
    const image = root.querySelector("img");
    const views = pictures.map(([least, text]) => {
      const svg = parsed(text ?? imageText(image));
      const style = svg.querySelector("style");
      const [width, height] = ["width", "height"].map((side) => Number(svg.getAttribute(side)));
      return { least, svg, style, colours: style.textContent, width, height };
    });
    const stage = document.createElement("div");
    const bar = document.createElement("div");
    Object.assign(stage, { className: "sg-stage", tabIndex: 0 });
    stage.setAttribute("role", "group");
    stage.setAttribute("aria-label", "Picture: plus and minus zoom, 0 fits, arrows move");
    bar.className = "sg-bar";
    const button = (text, says, act) => {
      const made = document.createElement("button");
      Object.assign(made, { type: "button", textContent: text, title: says });
      made.setAttribute("aria-label", says);
      made.addEventListener("click", act);
      bar.append(made);
      return made;
    };

    let place = 0; // of the view that is shown
    let chosen = null; // or null: by the width
    let scale = 0; // pixels for one unit of the picture; 0: fitted
    let [left, top, across, tall] = [0, 0, 0, 0];

    const fitting = () => {
      const first = views.findIndex((view) => view.least <= root.clientWidth);
      return first < 0 ? views.length - 1 : first;
    };
    const least = () => across / views[place].width;

    const paint = () => {
      const best = fitting();
      if (!root.clientWidth) return;
      place = chosen ?? best;
      const { svg, width, height } = views[place];
      if (stage.firstChild !== svg) stage.replaceChildren(svg);
      across = Math.min(root.clientWidth, width);
      const tooWide = place < best;
      tall = tooWide ? Math.min(height, 0.8 * window.innerHeight) : height * across / width;
      const now = scale || (tooWide ? 1 : least());
      left = clamp(left, 0, width - across / now);
      top = clamp(top, 0, height - tall / now);
      svg.style.cssText = `display:block;width:${across}px;height:${tall}px`;
      svg.setAttribute("viewBox", `${left} ${top} ${across / now} ${tall / now}`);
      percent.textContent = `${Math.round(100 * now)} %`;
      const moves = across / now < width - 0.5 || tall / now < height - 0.5;
      stage.classList.toggle("sg-moves", moves);
      coarser.disabled = place === views.length - 1;
      finer.disabled = place === 0;
    };
    const present = () => scale || (place < fitting() ? 1 : least());
    const zoom = (to, x = across / 2, y = tall / 2) => {
      const before = present();
      const now = clamp(to, Math.min(1, least()), MOST);
      left += x / before - x / now;
      top += y / before - y / now;
      scale = now <= least() && place >= fitting() ? 0 : now;
      paint();
    };
    const move = (x, y) => { left += x / present(); top += y / present(); paint(); };
    const fit = () => { [chosen, scale, left, top] = [null, 0, 0, 0]; paint(); };
    const other = (by) => { [chosen, scale, left, top] = [clamp(place + by, 0, views.length - 1), 0, 0, 0]; paint(); };

    button("−", "Zoom out", () => zoom(present() / STEP));
    const percent = button("100 %", "Natural size", () => zoom(1));
    button("+", "Zoom in", () => zoom(present() * STEP));
    button("Fit", "Fit to the width", fit);
    const finer = button("More", "Show more detail", () => other(-1));
    const coarser = button("Less", "Show less detail", () => other(1));
    finer.hidden = coarser.hidden = views.length < 2;
    if (views[0].svg.querySelector(".sg-frame")) {
      const pause = button("Pause", "Hold the film", () => {
        const paused = root.toggleAttribute("data-paused");
        pause.textContent = paused ? "Play" : "Pause";
        pause.setAttribute("aria-label", pause.title = paused ? "Let the film go on" : "Hold the film");
      });
      pause.className = "sg-pause";
    }

    stage.addEventListener("keydown", (event) => {
      const arrows = { ArrowLeft: [-60, 0], ArrowRight: [60, 0], ArrowUp: [0, -60], ArrowDown: [0, 60] };
      const [closer, further] = [() => zoom(present() * STEP), () => zoom(present() / STEP)];
      const keys = { "+": closer, "=": closer, "-": further, 0: fit };
      const act = arrows[event.key] && stage.classList.contains("sg-moves")
        ? () => move(...arrows[event.key]) : keys[event.key];
      if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      act();
    });
    stage.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return; // a plain wheel scrolls the page
      event.preventDefault();
      const box = stage.getBoundingClientRect();
      zoom(present() * Math.exp(-event.deltaY / 300), event.clientX - box.left, event.clientY - box.top);
    }, { passive: false });
    stage.addEventListener("pointerdown", (event) => {
      if (event.button || !stage.classList.contains("sg-moves")) return;
      stage.setPointerCapture(event.pointerId);
      let [x, y] = [event.clientX, event.clientY];
      const drag = (next) => { move(x - next.clientX, y - next.clientY); [x, y] = [next.clientX, next.clientY]; };
      stage.addEventListener("pointermove", drag);
      stage.addEventListener("lostpointercapture", () => stage.removeEventListener("pointermove", drag), { once: true });
    });

    const follow = () => {
      const scheme = hostScheme();
      const media = scheme ? (scheme === "dark" ? "all" : "not all") : "(prefers-color-scheme:dark)";
      for (const { style, colours } of views) style.textContent = colours.replace("(prefers-color-scheme:dark)", media);
    };
    follow();
    for (const watched of [document.body, document.documentElement]) {
      new MutationObserver(follow).observe(watched, { attributes: true });
    }
    const style = document.createElement("style");
    style.textContent = rules;
    root.dataset.alive = "";
    root.replaceChildren(style, stage, bar);
    new ResizeObserver(paint).observe(root);
    paint();
  };

  for (const root of document.querySelectorAll(`[id="${figure}"]:not([data-alive])`)) mount(root);
})
