// Paths: the largest from a value to the output, by dynamic programming; all of them are counted and added up.
// explaining/paths.py does the same.

// What the product of a path can be, from the smallest to the largest, and of what kind the product of two kinds is.
const [ZERO, FINITE, INFINITE, NAN] = [0, 1, 2, 3];
const KIND_OF_PRODUCT = [
  [ZERO, ZERO, NAN, NAN],
  [ZERO, FINITE, INFINITE, NAN],
  [NAN, INFINITE, INFINITE, NAN],
  [NAN, NAN, NAN, NAN],
];

// {paths: [{edges: [[result, place], ...], factors, product, share}, ...], others, restShare}: the paths with the
// largest |product|, each from the value on; how many others there are, Infinity where no number says it (`count` is
// all of them, a BigInt), and their share in the sum of |products|, nan where that sum is 0, inf or nan.
export function paths(graph, position, most = 3) {
  const links = linksFrom(graph, position);
  if (links[graph.output] === null) return { paths: [], others: 0, restShare: NaN, count: 0n };
  const { count, magnitude } = sumsOverPaths(graph, links, position);
  const whole = magnitude > 0 && magnitude < Infinity;
  const found = largestTrails(graph, links, position, most).map((trail) => {
    const edges = [];
    const factors = [];
    for (let at = trail; at.link; at = at.before) {
      edges.push([at.link.result, at.link.place]);
      factors.push(at.link.slope);
    }
    const product = factors.reduceRight((all, x) => all * x, 1);
    return { edges, factors, product, share: whole ? Math.abs(product) / magnitude : NaN };
  });
  const shown = found.reduce((sum, { share }) => sum + share, 0);
  return { paths: found, others: Number(count - BigInt(found.length)), restShare: Math.max(0, 1 - shown), count };
}

// For each value that depends on this one its links to operands that do; null for the others.
function linksFrom(graph, position) {
  const links = new Array(graph.length).fill(null);
  links[position] = [];
  for (let result = position + 1; result <= graph.output; result++) {
    if (!graph.rows[result]?.partials) continue; // no slope to pass on
    const operands = graph.operands[result];
    for (let place = 0; place < operands.length; place++) {
      const operand = operands[place];
      if (links[operand] === null) continue;
      (links[result] ??= []).push({ result, place, operand, slope: graph.slopes[result][place] });
    }
  }
  return links;
}

function sumsOverPaths(graph, links, position) {
  const counts = new Array(graph.length).fill(0n);
  const magnitudes = new Float64Array(graph.length);
  counts[position] = 1n;
  magnitudes[position] = 1;
  for (let value = position + 1; value <= graph.output; value++) {
    for (const { operand, slope } of links[value] ?? []) {
      counts[value] += counts[operand];
      magnitudes[value] += magnitudes[operand] * Math.abs(slope);
    }
  }
  return { count: counts[graph.output], magnitude: magnitudes[graph.output] };
}

// A trail is a path from the output to some value: {kind, exponent, mantissa, link, before}. |product| is mantissa times
// 2 ** exponent, so that it neither overflows nor vanishes on the way. Of all trails that end at one value, only the
// `most` largest of each kind can become one of the largest paths.
function largestTrails(graph, links, position, most) {
  const arriving = new Map([[graph.output, [{ kind: FINITE, exponent: 1, mantissa: 0.5, link: null, before: null }]]]);
  for (let value = graph.output; value > position; value--) {
    if (links[value] === null || !arriving.has(value)) continue;
    const trails = largestOfEachKind(arriving.get(value), most);
    arriving.delete(value);
    for (const link of links[value]) {
      const kind = kindOf(link.slope);
      const [scale, shift] = kind === FINITE ? frexp(Math.abs(link.slope)) : [1, 0];
      if (!arriving.has(link.operand)) arriving.set(link.operand, []);
      for (const before of trails) {
        const [mantissa, carry] = frexp(before.mantissa * scale);
        const joint = KIND_OF_PRODUCT[before.kind][kind];
        arriving.get(link.operand).push({ kind: joint, exponent: before.exponent + shift + carry, mantissa, link, before });
      }
    }
  }
  return arriving.get(position).sort(bySize).slice(0, most);
}

// A positive number as [mantissa, exponent], with the mantissa from 0.5 to 1.
function frexp(x) {
  const exponent = Math.max(-1000, Math.min(1000, Math.floor(Math.log2(x)) + 1));
  let [mantissa, rest] = [x * 2 ** -exponent, exponent];
  for (; mantissa < 0.5; mantissa *= 2) rest -= 1;
  for (; mantissa >= 1; mantissa /= 2) rest += 1;
  return [mantissa, rest];
}

function bySize(a, b) {
  return b.kind - a.kind || b.exponent - a.exponent || b.mantissa - a.mantissa;
}

function largestOfEachKind(trails, most) {
  if (trails.length <= most) return trails;
  trails.sort(bySize);
  return [ZERO, FINITE, INFINITE, NAN].flatMap((kind) => trails.filter((trail) => trail.kind === kind).slice(0, most));
}

function kindOf(slope) {
  if (slope === 0) return ZERO;
  return Number.isFinite(slope) ? FINITE : Number.isNaN(slope) ? NAN : INFINITE;
}
