"use strict";
// Shows and hides what Python has written: no number is computed here.
(() => {
  const MILLISECONDS_A_STEP = 1200;
  const element = (id) => document.getElementById(id);
  const { steps, cards, edges, explanations } = JSON.parse(element("data").textContent);
  const [slider, play, picture, explanation] = ["slider", "play", "picture", "explanation"].map(element);
  const cardGroups = cards.map((_, place) => element(`figure-node-${place}`));
  const edgeGroups = edges.map((_, place) => element(`figure-edge-${place}`));
  const pillGroups = edges.map((_, place) => element(`figure-pill-${place}`)); // null where there is no room for one
  const stillness = matchMedia("(prefers-reduced-motion: reduce)");
  const last = steps.length - 1;
  let at = 0;
  let timer = null;
  let picked = null;

  function show(step) {
    at = Math.min(Math.max(step, 0), last);
    const now = steps[at];
    cards.forEach((readings, place) => showCard(place, readings.findLast((reading) => reading[0] <= at), now));
    edges.forEach((edge, place) => showEdge(place, edge, now.edges.includes(place)));
    element("formula").replaceChildren(...now.formula.map(([text, caption]) => piece(text, caption)));
    element("note").textContent = now.note;
    slider.value = at;
    slider.setAttribute("aria-valuetext", `${at} of ${last}, ${now.phase}`);
    const phase = document.createElement("b");
    phase.textContent = now.phase;
    element("counter").replaceChildren(`${at} / ${last}`, phase);
    element("back").setAttribute("aria-disabled", at === 0);
    element("forward").setAttribute("aria-disabled", at === last);
    follow(now);
  }

  function showCard(place, [, gradient, colour, tint, title], now) {
    const group = cardGroups[place];
    const texts = group.querySelectorAll(".sg-grad text");
    group.querySelector("title").textContent = title;
    group.querySelector(".sg-grad path").setAttribute("class", `sg-f-${tint}`);
    texts[1].setAttribute("class", `sg-f-${colour}`);
    texts[1].textContent = gradient;
    group.classList.toggle("unknown", cards[place][1][0] > at);
    group.classList.toggle("gains", now.gains === place);
    group.classList.toggle("gives", now.gives.includes(place));
  }

  function showEdge(place, edge, active) {
    const added = edge.added !== null && edge.added <= at;
    for (const group of [edgeGroups[place], pillGroups[place]]) {
      if (!group) continue;
      group.classList.toggle("ahead", edge.computed > at);
      group.classList.toggle("passed", edge.computed <= at && !added);
      group.classList.toggle("active", active);
      group.querySelector("title").textContent = added ? edge.after : edge.before;
    }
  }

  function piece(text, caption) {
    const span = document.createElement("span");
    span.textContent = text;
    if (caption) {
      const small = document.createElement("small");
      small.textContent = caption;
      span.append(" ", small);
    }
    return span;
  }

  // Scroll the picture in its box, and nothing else, so that the cards of this step can be seen.
  function follow(now) {
    if (now.gains === null) return;
    const whole = picture.getBoundingClientRect();
    const top = Math.max(whole.top, element("controls").getBoundingClientRect().bottom);
    const box = { left: whole.left, right: whole.right, top, bottom: Math.min(whole.bottom, innerHeight) };
    const needed = [...now.gives, now.gains].map((place) => cardGroups[place].getBoundingClientRect());
    const main = needed.at(-1);
    const shift = (low, high) => {
      const fits = (rectangles) => {
        const first = Math.min(...rectangles.map((r) => r[low])) - 40;
        const end = Math.max(...rectangles.map((r) => r[high])) + 40;
        return end - first <= box[high] - box[low] ? [first, end] : null;
      };
      const [first, end] = fits(needed) ?? [main[low] - 8, main[high] + 8];
      return first < box[low] ? first - box[low] : end > box[high] ? end - box[high] : 0;
    };
    picture.scrollTo({
      left: picture.scrollLeft + shift("left", "right"),
      top: picture.scrollTop + shift("top", "bottom"),
      behavior: stillness.matches ? "instant" : "smooth",
    });
  }

  function setPlaying(playing) {
    clearInterval(timer);
    timer = playing ? setInterval(playStep, MILLISECONDS_A_STEP) : null;
    play.textContent = playing ? "Pause" : "Play";
    element("step").setAttribute("aria-live", playing ? "off" : "polite"); // no flood of announcements
    if (playing) show(at === last ? 0 : at + 1);
  }

  function playStep() {
    show(at + 1);
    if (at === last) setPlaying(false);
  }

  function goTo(step) {
    setPlaying(false);
    show(step);
  }

  function pick(place) {
    if (picked !== null) cardGroups[picked].classList.remove("picked");
    picked = place;
    explanation.hidden = place === null;
    if (place === null) return;
    cardGroups[place].classList.add("picked");
    explanation.querySelector("h2").textContent = explanations[place].heading;
    explanation.querySelector("pre").textContent = explanations[place].text;
    explanation.scrollIntoView({ block: "nearest", behavior: stillness.matches ? "instant" : "smooth" });
  }

  function close() {
    if (picked === null) return;
    const group = cardGroups[picked];
    if (explanation.contains(document.activeElement)) group.focus();
    pick(null);
  }

  const KEYS = {
    ArrowRight: () => goTo(at + 1),
    ArrowLeft: () => goTo(at - 1),
    Home: () => goTo(0),
    End: () => goTo(last),
    " ": () => setPlaying(timer === null),
    Escape: close,
  };

  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const on = event.target;
    const card = on.closest(".sg-node");
    if (card && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      pick(Number(card.dataset.node));
      return;
    }
    if (event.key === " " && on.closest("button")) return; // it presses the button
    if (event.key.startsWith("Arrow") && on.closest("pre")) return; // they scroll it
    if (KEYS[event.key]) {
      event.preventDefault();
      KEYS[event.key]();
    }
  });

  slider.addEventListener("input", () => goTo(slider.valueAsNumber));
  element("back").addEventListener("click", () => goTo(at - 1));
  element("forward").addEventListener("click", () => goTo(at + 1));
  play.addEventListener("click", () => setPlaying(timer === null));
  element("close").addEventListener("click", close);
  element("figure").setAttribute("role", "group"); // an image has no parts to focus
  cardGroups.forEach((group, place) => {
    group.setAttribute("role", "button");
    group.setAttribute("tabindex", "0");
    group.addEventListener("click", () => pick(place));
  });
  for (const id of ["controls", "step", "help"]) element(id).hidden = false;
  show(0);
})();
