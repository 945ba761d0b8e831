// Where everything stands: coordinates for the cards and edges of a view, whose columns Python has put in order.
//
// "Along" is the way from inputs to the output, to the right or, on a phone, down; "across" is the other one. Heights
// are found as drawing/placement.py finds them: a vertex moves towards its neighbours, as order and distances allow.

const BETWEEN_CARDS = 18;
const AROUND_LANE = 9;
const NARROWEST_GAP = 52;
const WIDEST_GAP = 150;
export const GAPS = ["loose", "tight", "tightest"]; // where a graph would not fit otherwise; the last leaves labels out where there are several
const TIGHT_GAP = 40;
const ROOM_FOR_TITLE = 28; // of a layer, above its cards, where the graph runs down
const [FEW_LABELS, MANY_LABELS] = [2, 6]; // in one gap
const SHARES = [0.5, 0.45, 0.55, 0.35, 0.65, 0.25, 0.75, 0.15, 0.82];
export const PILL_HEIGHT = 17;
export const MOST_PILLS = 60;
export const BADGE_RADIUS = 11;
export const BADGE_ABOVE = 19; // of a card, where the graph runs down

// view: {cards, edges: [[source, target]], columns: [[vertex]], paths: [[vertex] or null]}
// sizes: of each card {width, height, overhang}: how far its badge stands out against the flow
// pills: of each edge the width of its label, or 0
// down: does the graph run from top to bottom?
// gaps: one of GAPS
export function place(view, sizes, pills, down, gaps = GAPS[0]) {
  const layers = neighbours(view);
  const along = sizes.map((size) => (down ? size.height : size.width));
  const across = sizes.map((size) => (down ? size.width : size.height));
  const between = down ? 8 : BETWEEN_CARDS;
  const distance = (upper, lower) =>
    [upper, lower].reduce((sum, vertex) => sum + (vertex < sizes.length ? across[vertex] / 2 + between / 2 : AROUND_LANE), 0);
  const middles = heights(layers, distance);
  const least = Math.min(...middles.map((middle, vertex) => middle - (across[vertex] ?? 0) / 2));
  middles.forEach((_, vertex) => (middles[vertex] -= least));
  let depth = Math.max(...middles.map((middle, vertex) => middle + (across[vertex] ?? 0) / 2));
  const [starts, ends] = columnsAlong(view, layers, middles, along, sizes, pills, { down, gaps });

  const boxes = along.map((size, card) => {
    const column = layers.column[card];
    const start = down ? (starts[column] + ends[column] - size) / 2 : starts[column];
    const length = down ? size : ends[column] - starts[column];
    return { start, length, top: middles[card] - across[card] / 2, breadth: across[card] };
  });
  const arrivals = arrivalsOf(view, middles, across, down);
  const underneath = new Map();
  const routes = view.edges.map(([source, target], number) => {
    const path = view.paths[number];
    let lanes;
    if (path === null) {
      if (!underneath.has(source)) underneath.set(source, (depth += AROUND_LANE));
      lanes = [[starts[layers.column[source] + 1], ends[layers.column[target] - 1], underneath.get(source)]];
    } else {
      lanes = path.slice(1, -1).map((lane) => [starts[layers.column[lane]], ends[layers.column[lane]], middles[lane]]);
    }
    const from = boxes[source];
    const to = boxes[target];
    const offset = arrivals[number].twin;
    const end = [to.start - sizes[target].overhang, to.start, arrivals[number].level];
    return routeOf([from.start + from.length, middles[source] + offset], [...lanes, end]);
  });
  const map = ([x, y]) => (down ? [y, x] : [x, y]);
  return {
    boxes: boxes.map(({ start, length, top, breadth }) =>
      down ? { x: top, y: start, width: breadth, height: length } : { x: start, y: top, width: length, height: breadth },
    ),
    routes: routes.map((points) => points.map(map)),
    width: down ? depth : ends.at(-1),
    height: down ? ends.at(-1) : depth,
    columns: starts.map((start, column) => [start, ends[column]]),
    down,
  };
}

// Columns as numbers, and of each vertex those beside it.
function neighbours(view) {
  const count = Math.max(-1, ...view.columns.flat()) + 1;
  const layers = { columns: view.columns, column: [], left: [], right: [], cards: view.cards.length };
  for (let vertex = 0; vertex < count; vertex++) layers.left.push([]) && layers.right.push([]);
  view.columns.forEach((column, place) => column.forEach((vertex) => (layers.column[vertex] = place)));
  const lanes = new Set(); // which edges may share
  for (const path of view.paths) {
    for (let step = 1; path && step < path.length; step++) {
      const [below, above] = [path[step - 1], path[step]];
      const key = `${below} ${above}`;
      if (above >= view.cards.length && lanes.has(key)) continue;
      lanes.add(key);
      layers.right[below].push(above);
      layers.left[above].push(below);
    }
  }
  return layers;
}

const [MOST_SWEEPS, LEAST_SWEEPS, WORK] = [40, 6, 120_000];
const [LANE_TO_LANE, CARD_TO_LANE, CARD_TO_CARD, OWN_LEAF] = [8, 2, 1, 0.001];

function heights(layers, distance) {
  const middle = layers.column.map(() => 0);
  const offsets = layers.columns.map((column) => {
    const offset = [0];
    for (let place = 1; place < column.length; place++) {
      offset.push(offset.at(-1) + distance(column[place - 1], column[place]));
    }
    column.forEach((vertex, place) => (middle[vertex] = offset[place] - offset.at(-1) / 2));
    return offset;
  });
  const both = layers.left.map((left, vertex) => [...left, ...layers.right[vertex]]);
  const size = both.reduce((sum, beside) => sum + 1 + beside.length / 2, 0);
  const sweeps = Math.max(LEAST_SWEEPS, Math.min(MOST_SWEEPS, Math.floor(WORK / (size + 1))));
  const forwards = layers.columns.map((_, place) => place);
  const backwards = [...forwards].reverse();
  for (let sweep = 0; sweep < sweeps; sweep++) {
    const with_flow = sweep % 2 === 1;
    const beside = sweep < Math.floor(sweeps / 2) ? (with_flow ? layers.left : layers.right) : both;
    for (const place of with_flow ? forwards : backwards) settle(layers, place, offsets[place], beside, middle);
  }
  return middle;
}

// Move the vertices of one column as near to their neighbours as order and distances allow.
function settle(layers, place, offsets, beside, middle) {
  const column = layers.columns[place];
  const weights = [];
  const wanted = column.map((vertex, own) => {
    let [total, weight] = [0, 0];
    for (const other of beside[vertex]) {
      const stiffness = stiffnessOf(layers, vertex, other);
      total += stiffness * middle[other];
      weight += stiffness;
    }
    if (weight === 0) [total, weight] = [0.01 * middle[vertex], 0.01]; // nothing to follow: stays where it is
    weights.push(weight);
    return total / weight - offsets[own];
  });
  isotonic(wanted, weights).forEach((level, own) => (middle[column[own]] = level + offsets[own]));
}

function stiffnessOf(layers, vertex, other) {
  const isOwnLeaf = (x) => layers.left[x].length === 0 && layers.right[x].length === 1;
  if (isOwnLeaf(vertex) || isOwnLeaf(other)) return OWN_LEAF;
  return [CARD_TO_CARD, CARD_TO_LANE, LANE_TO_LANE][(vertex >= layers.cards) + (other >= layers.cards)];
}

// The non-decreasing numbers nearest to `wanted` by weighted least squares.
export function isotonic(wanted, weights) {
  const pools = []; // [mean, weight, how many]
  wanted.forEach((mean, place) => {
    let [weight, count] = [weights[place], 1];
    while (pools.length && pools.at(-1)[0] > mean) {
      const [meanAbove, weightAbove, countAbove] = pools.pop();
      mean = (meanAbove * weightAbove + mean * weight) / (weightAbove + weight);
      weight += weightAbove;
      count += countAbove;
    }
    pools.push([mean, weight, count]);
  });
  return pools.flatMap(([mean, , count]) => Array(count).fill(mean));
}

// The layer of which all cards of this column are, or "".
export function groupOf(view, column) {
  const groups = new Set(column.filter((vertex) => vertex < view.cards.length).map((card) => view.cards[card].group ?? ""));
  return groups.size === 1 ? [...groups][0] : "";
}

// Beginning and end of each column: as long as its longest card, a gap that its edges, labels and badges need.
function columnsAlong(view, layers, middles, along, sizes, pills, { down, gaps }) {
  const zeros = () => view.columns.map(() => 0);
  const [longest, overhang, widest, labels, steepest] = [zeros(), zeros(), zeros(), zeros(), zeros()];
  along.forEach((size, card) => {
    const column = layers.column[card];
    longest[column] = Math.max(longest[column], size);
    overhang[column] = Math.max(overhang[column], sizes[card].overhang);
  });
  view.edges.forEach(([, target], number) => {
    const column = layers.column[target];
    widest[column] = Math.max(widest[column], pills[number]);
    labels[column] += pills[number] > 0;
  });
  layers.left.forEach((beside, vertex) => {
    const column = layers.column[vertex];
    for (const other of beside) steepest[column] = Math.max(steepest[column], Math.abs(middles[vertex] - middles[other]));
  });
  const starts = [overhang[0]];
  const ends = [overhang[0] + longest[0]];
  for (let column = 1; column < view.columns.length; column++) {
    const label = gaps === "tightest" && labels[column] > FEW_LABELS ? 0 : widest[column];
    let gap = gapOf(label, steepest[column], { down, gaps });
    if (labels[column] > MANY_LABELS) gap += down ? 2 * PILL_HEIGHT : { loose: 1.5, tight: 0.5, tightest: 0 }[gaps] * widest[column];
    if (down && groupOf(view, view.columns[column])) gap += ROOM_FOR_TITLE;
    starts.push(ends[column - 1] + gap + overhang[column]);
    ends.push(starts[column] + longest[column]);
  }
  return [starts, ends];
}

function gapOf(label, steepest, { down, gaps }) {
  if (down) return label ? 9 + PILL_HEIGHT : 16;
  const bend = gaps === "tight" ? Math.min(0.3 * steepest, 90) : Math.min(0.25 * steepest, 60);
  if (gaps !== "loose") return Math.max(TIGHT_GAP, 8 + label, bend);
  return Math.min(Math.max(NARROWEST_GAP, 28 + label, 0.6 * steepest), WIDEST_GAP);
}

// The levels at which edges arrive at their targets, those from above above, and how far apart twins begin: of a + a.
function arrivalsOf(view, middles, across, down) {
  const arriving = new Map();
  view.edges.forEach(([source, target], number) => {
    const path = view.paths[number];
    const level = path === null ? Infinity : middles[path.at(-2)];
    if (!arriving.has(target)) arriving.set(target, []);
    arriving.get(target).push({ level, number, source });
  });
  const arrivals = [];
  for (const [target, incoming] of arriving) {
    incoming.sort((one, other) => one.level - other.level || one.number - other.number);
    const sources = incoming.map(({ source }) => source);
    const twins = new Set(sources).size < sources.length;
    const roomy = twins && incoming.length === 2 ? 18 : down ? 5 : 9;
    const step = Math.min(roomy, (across[target] - 14) / Math.max(1, incoming.length - 1));
    incoming.forEach(({ number, source }, own) => {
      const offset = (own - (incoming.length - 1) / 2) * step;
      const isTwin = sources.indexOf(source) !== sources.lastIndexOf(source);
      arrivals[number] = { level: middles[target] + offset, twin: isTwin ? offset : 0 };
    });
  }
  return arrivals;
}

// The points of a route along straight lines [from, to, level]; lines of one level become one.
function routeOf(start, lines) {
  const points = [start];
  for (const [from, to, level] of lines) {
    if (points.length > 1 && Math.abs(points.at(-1)[1] - level) < 0.05) points[points.length - 1] = [to, points.at(-1)[1]];
    else points.push([from, level], [to, level]);
  }
  return points;
}

// The path of a route: curves that leave and arrive with the flow, and straight lines, by turns.
export function pathOf(points, down) {
  const round = (x) => Math.round(x * 10) / 10;
  const written = ([x, y]) => `${round(x)} ${round(y)}`;
  let path = `M${written(points[0])}`;
  for (let place = 1; place < points.length; place += 2) {
    const [before, end, line] = [points[place - 1], points[place], points[place + 1]];
    path += `C${written(bendOf(before, end, down))} ${written(bendOf(end, before, down))} ${written(end)}`;
    if (line[0] !== end[0] || line[1] !== end[1]) path += `L${written(line)}`;
  }
  return path;
}

// The control point beside `near`: half of the way along, none across.
function bendOf(near, far, down) {
  return down ? [near[0], (near[1] + far[1]) / 2] : [(near[0] + far[0]) / 2, near[1]];
}

function pointOn(start, end, share, down) {
  const points = [start, bendOf(start, end, down), bendOf(end, start, down), end];
  const rest = 1 - share;
  const weights = [rest ** 3, 3 * rest ** 2 * share, 3 * rest * share ** 2, share ** 3];
  return [0, 1].map((axis) => points.reduce((sum, point, place) => sum + weights[place] * point[axis], 0));
}

// A place for each label, its middle, where it lies on no card and on no other label; or null, where there is none.
// widths: of the labels, 0 for an edge without one. First come those of `first`, edges that matter most.
export function placePills(layout, widths, badges, first = new Set()) {
  const taken = [...layout.boxes, ...badges].map(({ x, y, width, height }) => [x - 2, y - 1, x + width + 2, y + height + 1]);
  const order = [...widths.keys()].sort((one, other) => first.has(other) - first.has(one));
  const places = widths.map(() => null);
  for (const number of order) {
    if (!widths[number]) continue;
    const points = layout.routes[number];
    for (const [x, y] of choicesOn(points, layout.down)) {
      const box = [x - widths[number] / 2 - 1, y - PILL_HEIGHT / 2 - 1, x + widths[number] / 2 + 1, y + PILL_HEIGHT / 2 + 1];
      if (taken.some((other) => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1])) continue;
      places[number] = [x, y];
      taken.push(box);
      break;
    }
  }
  return places;
}

// Points of an edge where a label may lie: on its last curve, then on the others.
function* choicesOn(points, down) {
  for (let end = points.length - 2; end > 0; end -= 2) {
    for (const share of SHARES) yield pointOn(points[end - 1], points[end], share, down);
  }
}
