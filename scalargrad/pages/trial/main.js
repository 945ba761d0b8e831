// A page that tries a model: the numbers of a row in, and what the model says of it out.

import { outputs, predict, probabilities, SHAPE } from "./model.js";

const MOST_FIELDS = 32; // of more numbers there is one field for all

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// A number, short; whole ones as they are.
function shown(x) {
  return Number.isInteger(x) ? String(x) : String(Number(x.toPrecision(6)));
}

// The numbers of a text, between spaces, commas, semicolons and brackets.
function numbersOf(text) {
  const words = text.split(/[\s,;[\]]+/).filter(Boolean);
  const wrong = words.find((word) => !Number.isFinite(Number(word)));
  if (wrong !== undefined) throw new Error(`"${wrong.slice(0, 40)}" is no finite number`);
  return words.map(Number);
}

// The fields, and a function that gives the numbers in them.
function fieldsFor(size, changed) {
  const box = element("fieldset", { className: "sg-fields" }, element("legend", { textContent: "One row" }));
  if (size > MOST_FIELDS) {
    const label = `${size} numbers, with spaces or commas between them`;
    const field = element("textarea", { rows: 8, spellcheck: false, value: Array(size).fill(0).join(" "), oninput: changed });
    box.append(element("label", {}, label, field));
    return [box, () => numbersOf(field.value)];
  }
  const fields = Array.from({ length: size }, () => element("input", { type: "number", step: "any", value: 0, oninput: changed }));
  fields.forEach((field, n) => box.append(element("label", {}, `x${n + 1}`, field)));
  return [box, () => fields.flatMap((field) => numbersOf(field.value || "nothing"))];
}

// The rows of the table: one for each output, with its probability if there is one.
function linesOf(found, shares) {
  const flat = [found].flat(Infinity);
  const lines = flat.map((x, n) => {
    const line = element("tr", {}, element("th", { scope: "row", textContent: flat.length > 1 ? n : "output" }));
    line.append(element("td", { textContent: shown(x) }));
    if (shares && shares.length === flat.length) line.append(shareOf(shares[n], `probability of ${n}`));
    return line;
  });
  if (shares && shares.length !== flat.length) {
    lines.push(element("tr", {}, element("th", { scope: "row", textContent: "of 1" }), shareOf(shares[1], "probability of 1")));
  }
  return lines;
}

function shareOf(p, name) {
  const meter = element("meter", { min: 0, max: 1, value: p });
  meter.setAttribute("aria-label", name);
  return element("td", {}, meter, ` ${(100 * p).toFixed(1)} %`);
}

const root = document.querySelector(".sg-page");
const { title, model, labels } = JSON.parse(document.getElementById("data").textContent);
const size = SHAPE.reduce((product, length) => product * length, 1);
const said = element("output", { className: "sg-said" });
const body = element("tbody");
const [fields, numbers] = fieldsFor(size, show);

function show() {
  try {
    const row = numbers();
    if (row.length !== size) throw new Error(`a row has ${size} numbers, and these are ${row.length}`);
    const [found] = outputs(row);
    said.textContent = labels ? `predicted: ${predict(row)[0]}` : "";
    body.replaceChildren(...linesOf(found, probabilities && probabilities(row)[0]));
  } catch (error) {
    said.textContent = error.message;
    body.replaceChildren();
  }
}

document.querySelector(".sg-still").remove();
root.append(
  element(
    "div",
    { className: "sg-trial" },
    element("h1", { textContent: title }),
    element("pre", { textContent: model }),
    fields,
    said,
    element("table", {}, body),
  ),
);
show();
