// The functions of a module: what they take, and where it lies in the state of a program.
//
// facts: {parameters, buffers: Float64Array, inputs: shapes of one sample, countsRows}; places: {parameters, buffers, ...}: of each, its positions in
// the state of a program, or one position.

import { random } from "../../../javascript/elementary.js";

// The rows of an argument as one flat array: of nested arrays, of one row, of one number, or of numbers that are flat.
export function flatRows(argument, shape, name) {
  const width = shape.reduce((product, length) => product * length, 1);
  const wanted = `${name} has rows of ${shape.length ? `the shape [${shape.join(", ")}]` : "one number"}`;
  const isFlat = ArrayBuffer.isView(argument) || (Array.isArray(argument) && argument.every((x) => typeof x === "number"));
  if (isFlat) {
    if (argument.length === 0 || argument.length % width) throw new Error(`${wanted}, and not ${argument.length} numbers`);
    return argument instanceof Float64Array ? argument : Float64Array.from(argument);
  }
  const flat = [];
  if (addRow(argument, shape, flat)) return Float64Array.from(flat);
  if (!Array.isArray(argument)) throw new Error(`${wanted}, and not ${String(argument).slice(0, 60)}`);
  const wrong = argument.findIndex((row) => !addRow(row, shape, flat));
  if (wrong >= 0) throw new Error(`${wanted}, and row ${wrong} is none: ${String(JSON.stringify(argument[wrong])).slice(0, 60)}`);
  return Float64Array.from(flat);
}

// Append the numbers of nested arrays of this shape; false for anything else.
function addRow(row, shape, flat) {
  if (shape.length === 0) return typeof row === "number" && flat.push(row) > 0;
  if (!(Array.isArray(row) || ArrayBuffer.isView(row)) || row.length !== shape[0]) return false;
  for (let n = 0; n < row.length; n++) if (!addRow(row[n], shape.slice(1), flat)) return false;
  return true;
}

// The arrays of a program, and how many samples there are. The last array counts the rows, if the program asks for it.
function samplesOf(program, inputs, rows, { inputs: shapes, countsRows }) {
  if (!Array.isArray(inputs) || inputs.length !== shapes.length) {
    throw new Error(`the inputs are an array of ${shapes.length}: the rows of each argument`);
  }
  const arrays = inputs.map((argument, place) => flatRows(argument, shapes[place], `argument ${place}`));
  const counts = arrays.map((array, place) => array.length / program.inputs[place]);
  if (counts.some((count) => count !== counts[0])) throw new Error(`the arguments have ${counts.join(" and ")} rows`);
  if (rows !== null && (rows.length === 0 || rows.some((row) => !(row >= 0 && row < counts[0])))) {
    throw new Error(`rows are some of 0 to ${counts[0] - 1}`);
  }
  if (countsRows) arrays.push(Float64Array.from({ length: counts[0] }, (_, row) => row));
  return { arrays, samples: rows === null ? counts[0] : rows.length };
}

// The state of a program, from numbers by the names of their places.
function filled(program, places, numbers) {
  const state = new Float64Array(program.size);
  for (const [name, where] of Object.entries(places)) {
    const given = numbers[name];
    if (typeof where === "number") state[where] = given;
    else if (given.length !== where.length) throw new Error(`${name} are ${where.length} numbers, and not ${given.length}`);
    else for (let n = 0; n < where.length; n++) state[where[n]] = given[n];
  }
  return state;
}

function readBack(state, places, numbers) {
  for (const [name, where] of Object.entries(places)) {
    if (typeof where === "number") numbers[name] = state[where];
    else for (let n = 0; n < where.length; n++) numbers[name][n] = state[where[n]];
  }
}

// Parameters alone, or with buffers of a state.
const withBuffers = (given, facts) => (given.parameters ? given : { parameters: given, buffers: facts.buffers });

export function forwardOf(program, places, facts) {
  return function forward(parameters, inputs, rows = null) {
    const { arrays, samples } = samplesOf(program, inputs, rows, facts);
    return program.results(filled(program, places, withBuffers(parameters, facts)), arrays, rows, samples);
  };
}

export function backwardOf(program, places, facts) {
  return function backward(parameters, inputs, rows = null) {
    const { arrays, samples } = samplesOf(program, inputs, rows, facts);
    const state = filled(program, places, withBuffers(parameters, facts));
    const { mean, gradient } = program.slopes(state, arrays, rows, samples);
    return { mean, gradient: Float64Array.from(places.parameters, (place) => gradient[place]) };
  };
}

// settings: the numbers of a state that are single, such as the rate.
export function startOf(places, facts, settings) {
  return function start() {
    const memory = new Float64Array(places.memory.length);
    return { parameters: facts.parameters.slice(), buffers: facts.buffers.slice(), memory, ...settings };
  };
}

export function stepOf(program, places, facts) {
  return function step(state, inputs, rows = null) {
    const { arrays, samples } = samplesOf(program, inputs, rows, facts);
    const numbers = filled(program, places, state);
    const losses = [];
    program.train(numbers, arrays, rows, samples, 1, 0, losses);
    readBack(numbers, places, state);
    return losses[0];
  };
}

// The rows 0 to count - 1 in the random order of an epoch: arrays.py says how.
export function order(count, seed, epoch) {
  const bits = 2 ** (32 - Math.clz32(count));
  const keys = new Float64Array(count);
  for (let row = 0; row < count; row++) {
    keys[row] = Math.floor((random([seed, epoch, row, 0x5afe]) * 2 ** 53) / bits) * bits + row;
  }
  return Int32Array.from(keys.sort(), (key) => key % bits);
}
