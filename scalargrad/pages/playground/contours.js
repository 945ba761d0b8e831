// Lines where a function on a grid has one value: marching squares, as the `d` of a path.

const [TOP, RIGHT, BOTTOM, LEFT] = [0, 1, 2, 3];
// Sides of a cell that the line joins, by which corners are above: upper left 1, upper right 2, lower right 4, lower left 8.
const JOINED = [
  ...[[], [[LEFT, TOP]], [[TOP, RIGHT]], [[LEFT, RIGHT]], [[RIGHT, BOTTOM]], [[LEFT, TOP], [RIGHT, BOTTOM]], [[TOP, BOTTOM]], [[LEFT, BOTTOM]]],
  ...[[[LEFT, BOTTOM]], [[TOP, BOTTOM]], [[TOP, RIGHT], [LEFT, BOTTOM]], [[RIGHT, BOTTOM]], [[LEFT, RIGHT]], [[TOP, RIGHT]], [[LEFT, TOP]], []],
];

// `values` [first ...] in rows from the top; the line where they are `level`. Places are scaled to width and height; the
// values stand in the middles of their cells.
export function contour(values, first, across, down, level, width, height) {
  const neighbours = new Map(); // of a crossing: one or two others
  const join = (a, b) => neighbours.set(a, [...(neighbours.get(a) ?? []), b]);
  for (let row = 0; row + 1 < down; row++) {
    for (let column = 0; column + 1 < across; column++) {
      const place = first + row * across + column;
      const [a, b, c, d] = [values[place], values[place + 1], values[place + across + 1], values[place + across]];
      const kind = (a > level ? 1 : 0) | (b > level ? 2 : 0) | (c > level ? 4 : 0) | (d > level ? 8 : 0);
      if (kind === 0 || kind === 15 || Number.isNaN(a + b + c + d)) continue;
      // A crossing is known by the grid's edge on which it lies: from a place to the right, or, odd, down.
      const at = place - first;
      const edges = [2 * at, 2 * (at + 1) + 1, 2 * (at + across), 2 * at + 1];
      for (const [from, to] of JOINED[kind]) {
        join(edges[from], edges[to]);
        join(edges[to], edges[from]);
      }
    }
  }
  const point = (edge) => {
    const at = edge >> 1;
    const isDown = edge & 1;
    const [a, b] = [values[first + at], values[first + at + (isDown ? across : 1)]];
    const share = (level - a) / (b - a);
    const x = (at % across) + (isDown ? 0 : share) + 0.5;
    const y = Math.floor(at / across) + (isDown ? share : 0) + 0.5;
    return `${((x * width) / across).toFixed(1)} ${((y * height) / down).toFixed(1)}`;
  };
  return lines(neighbours).map((line) => `M${line.map(point).join("L")}`).join("");
}

// The crossings in lines: first those with two ends, then what is closed.
function lines(neighbours) {
  const seen = new Set();
  const found = [];
  const walk = (start) => {
    const line = [];
    for (let at = start; at !== undefined; at = neighbours.get(at).find((other) => !seen.has(other))) {
      seen.add(at);
      line.push(at);
    }
    if (line.length > 2 && neighbours.get(start).includes(line.at(-1))) line.push(start);
    found.push(line);
  };
  for (const [crossing, others] of neighbours) if (others.length === 1 && !seen.has(crossing)) walk(crossing);
  for (const crossing of neighbours.keys()) if (!seen.has(crossing)) walk(crossing);
  return found;
}

// Of several outputs, how far each is above the best of the others: the lines between classes are where that is 0.
export function margins(outputs, count, classes, room) {
  for (let k = 0; k < classes; k++) {
    for (let place = 0; place < count; place++) {
      let best = -Infinity;
      for (let other = 0; other < classes; other++) {
        if (other !== k && outputs[other * count + place] > best) best = outputs[other * count + place];
      }
      room[k * count + place] = outputs[k * count + place] - best;
    }
  }
  return room;
}
