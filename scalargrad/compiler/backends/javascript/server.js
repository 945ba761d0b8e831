// A process that runs programs for Python, one call after another, until its input ends.
//
// A message is the length of its head (4 bytes), the head in JSON, and the float64 numbers of its arrays, of which the
// head says the lengths: {call, program, arrays: [...]}; the answer likewise. Nothing else may write to the output.

const fs = require("fs");

const programs = new Map();

function read(length) {
  const buffer = Buffer.alloc(length);
  for (let place = 0; place < length; ) {
    const count = fs.readSync(0, buffer, place, length - place, null);
    if (count === 0) process.exit(0);
    place += count;
  }
  return buffer;
}

function write(buffer) {
  for (let place = 0; place < buffer.length; ) place += fs.writeSync(1, buffer, place, buffer.length - place);
}

function numbers(length) {
  const buffer = read(8 * length);
  return new Float64Array(buffer.buffer, buffer.byteOffset, length);
}

const calls = {
  define({ program, text }) {
    programs.set(program, new Function(text)());
    return [{}, []];
  },

  results({ program, samples }, [state, ...arrays]) {
    return [{}, [programs.get(program).results(state, arrays, null, samples)]];
  },

  slopes({ program, samples }, [state, ...arrays]) {
    const { mean, gradient, updates } = programs.get(program).slopes(state, arrays, null, samples);
    return [{}, [Float64Array.of(mean), gradient, updates]];
  },

  train({ program, samples, steps, advance, ordered }, [state, ...arrays]) {
    const order = ordered ? Int32Array.from(arrays.pop()) : null;
    const losses = [];
    const words = wrong(() => programs.get(program).train(state, arrays, order, samples, steps, advance, losses));
    return [{ wrong: words }, [state, Float64Array.from(losses)]];
  },
};

// What take() or random() said of an argument; "" if there was nothing.
function wrong(work) {
  try {
    work();
    return "";
  } catch (error) {
    if (error instanceof RangeError && /^(take|random)/.test(error.message)) return error.message;
    throw error;
  }
}

function answer(head, arrays) {
  let found = [{}, []];
  try {
    const words = wrong(() => (found = calls[head.call](head, arrays)));
    if (words) found = [{ wrong: words }, []];
  } catch (error) {
    found = [{ failed: String(error.stack) }, []];
  }
  return found;
}

for (;;) {
  const head = JSON.parse(read(read(4).readUInt32LE(0)).toString());
  const arrays = head.arrays.map(numbers);
  for (const program of head.dropped) programs.delete(program);
  const [found, results] = answer(head, arrays);
  const text = Buffer.from(JSON.stringify({ ...found, arrays: results.map((array) => array.length) }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  write(Buffer.concat([length, text, ...results.map((array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength))]));
}
