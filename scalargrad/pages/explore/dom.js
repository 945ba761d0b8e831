// Elements: built without markup, so that no label can become any.

const SVG = "http://www.w3.org/2000/svg";

// An element of these classes, attributes and children; a child is an element or a text.
export function element(tag, classes = "", attributes = {}, ...children) {
  return filled(document.createElement(tag), classes, attributes, children);
}

export function shape(tag, classes = "", attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), classes, attributes, children);
}

function filled(made, classes, attributes, children) {
  if (classes) made.setAttribute("class", classes);
  for (const [name, setting] of Object.entries(attributes)) made.setAttribute(name, setting);
  made.append(...children);
  return made;
}

export function button(classes, label, onclick, ...children) {
  const made = element("button", classes, { type: "button" }, ...(children.length ? children : [label]));
  if (children.length) made.setAttribute("aria-label", label);
  made.addEventListener("click", onclick);
  return made;
}

// An icon of 16 x 16, drawn with the colour of the text.
export function icon(path, filledIn = true) {
  const look = filledIn ? { fill: "currentColor" } : { fill: "none", stroke: "currentColor", "stroke-width": "1.8" };
  return shape("svg", "sg-icon", { viewBox: "0 0 16 16", "aria-hidden": "true" }, shape("path", "", { d: path, ...look }));
}

// Setters that touch the page only where something is new: a frame has hundreds of them.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, setting) {
  const text = String(setting);
  if (node.getAttribute(name) !== text) node.setAttribute(name, text);
}

export function setClass(node, classes) {
  setAttribute(node, "class", classes);
}

// As many children as there are items: those that are there stay, and with them the focus; each is written by `write`.
export function fill(parent, items, makeChild, write) {
  while (parent.children.length > items.length) parent.lastElementChild.remove();
  while (parent.children.length < items.length) parent.append(makeChild(parent.children.length));
  items.forEach((item, place) => write(parent.children[place], item, place));
}

// As many children as there are items: those that are there stay, and with them the focus. Each is written by `write`.
export function fill(parent, items, makeChild, write) {
  while (parent.children.length > items.length) parent.lastElementChild.remove();
  while (parent.children.length < items.length) parent.append(makeChild(parent.children.length));
  items.forEach((item, place) => write(parent.children[place], item, place));
}
