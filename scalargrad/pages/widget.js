// The page as a widget of a notebook: leaves that are moved here move in Python, and the other way round.

import { mount } from "./explore/main.js";

const numberOf = (x) => (typeof x === "string" ? Number(x.replace("inf", "Infinity")) : x); // JSON has no inf
const written = (x) => (Number.isFinite(x) ? x : Number.isNaN(x) ? "nan" : x > 0 ? "inf" : "-inf");

// A notebook is light or dark by its own choice: the text around tells.
function isDark(element) {
  const [red, green, blue] = getComputedStyle(element.isConnected ? element : document.body).color.match(/[\d.]+/g).map(Number);
  return 0.299 * red + 0.587 * green + 0.114 * blue > 140;
}

function render({ model, el }) {
  const data = model.get("page");
  const theme = () => (data.theme === "auto" ? (isDark(el) ? "dark" : "light") : data.theme);
  const root = document.createElement("div");
  // Letters are for the widget while it has the focus, and no commands of the notebook; Ctrl+S and its like are.
  const isOwn = (event) => !(event.ctrlKey || event.metaKey || event.altKey);
  const suppress = (event) => { // Notebook 7 hears keys before the widget does, and asks the element in focus
    if (root.contains(event.target)) event.target.toggleAttribute("data-lm-suppress-shortcuts", isOwn(event));
  };
  window.addEventListener("keydown", suppress, true);
  root.addEventListener("keydown", (event) => isOwn(event) && event.stopPropagation());
  el.append(root);

  let moved = {};
  function send() {
    model.set("leaves", { ...model.get("leaves"), ...moved });
    moved = {};
    model.save_changes();
  }
  const page = mount(root, data, {
    theme: theme(),
    onleaf(position, number) {
      if (!Object.keys(moved).length) queueMicrotask(send); // one message for all that move together
      moved[position] = written(number);
    },
  });
  const take = () => page.setLeaves(Object.entries(model.get("leaves")).map(([position, x]) => [Number(position), numberOf(x)]));
  take();
  model.on("change:leaves", take);
  const adapt = () => (root.dataset.theme = theme());
  requestAnimationFrame(adapt); // once it is in the page
  const around = new MutationObserver(adapt);
  for (const element of [document.documentElement, document.body]) {
    around.observe(element, { attributes: true, attributeFilter: ["class", "style", "data-theme", "data-jp-theme-light", "data-jp-theme-name"] });
  }
  const count = (more) => {
    model.set("shown", model.get("shown") + more);
    model.save_changes();
  };
  count(1);
  return () => {
    model.off("change:leaves", take);
    around.disconnect();
    window.removeEventListener("keydown", suppress, true);
    page.destroy();
    count(-1);
  };
}

export default { render };
