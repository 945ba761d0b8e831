// The output as one value moves and all else is held, with the tangent whose slope is the gradient.

import { element, fill, setAttribute, setText, shape } from "./dom.js";
import { gradientText, number } from "../words/numbers.js";

const REACH = 3; // to either side
const SAMPLES = 60; // intervals, of which the value is in the middle
const MOST_WORK = 400000; // values computed for one curve: a large graph gets fewer samples
const [LEFT, RIGHT, TOP, BOTTOM, WIDTH, HEIGHT] = [40, 314, 12, 108, 328, 134];
const TANGENT = 46; // half its length

export function makeCurve(state, parent) {
  const drawn = {
    grid: shape("path", "sg-curve-grid"),
    here: shape("path", "sg-curve-here"),
    line: shape("path", "sg-curve-line"),
    tangent: shape("path", "sg-curve-tangent"),
    point: shape("circle", "sg-curve-point", { r: 5 }),
    heights: shape("g", "sg-curve-heights"),
    places: shape("g", "sg-curve-places"),
  };
  const box = { x: LEFT, y: 0, width: RIGHT - LEFT, height: BOTTOM + 8 };
  const clip = shape("svg", "", { ...box, viewBox: Object.values(box).join(" ") }, drawn.line);
  const svg = shape("svg", "sg-curve", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  svg.append(drawn.grid, drawn.here, clip, drawn.tangent, drawn.point, drawn.heights, drawn.places);
  const title = element("h3");
  const aside = element("p", "sg-aside", {}, "slope of the tangent = grad");
  const none = element("p", "sg-none", { hidden: "" });
  parent.append(element("header", "", {}, title, aside), element("div", "sg-box", {}, svg, none));

  function update(position) {
    const { graph, words } = state;
    const [at, output, slope] = [graph.data[position], graph.data[graph.output], graph.grad[position]];
    const [name, of] = [words.name(position), words.name(graph.output)];
    setText(title, `${of} as ${name} moves`);
    const known = Number.isFinite(at) && Number.isFinite(output);
    svg.toggleAttribute("hidden", !known);
    aside.hidden = !known;
    none.hidden = known;
    if (!known) {
      const [which, found] = Number.isFinite(at) ? [of, output] : [name, at];
      setText(none, `There is no curve, since ${which} is ${number(found)}.`);
      return;
    }
    const whole = state.sliders.get(position)?.step === 1;
    const places = whole ? wholeAround(at, state.sliders.get(position)) : placesAround(at, graph.length);
    const heights = graph.along(position, places);
    const [low, high] = extent(heights, output);
    const x = (place) => LEFT + ((place - at + REACH) / (2 * REACH)) * (RIGHT - LEFT);
    const y = (height) => BOTTOM - ((height - low) / (high - low)) * (BOTTOM - TOP);
    setAttribute(drawn.line, "d", lineThrough(places, heights, x, y, whole));
    setAttribute(drawn.tangent, "d", tangentThrough(x(at), y(output), (slope * (y(1) - y(0))) / (x(1) - x(0))));
    setAttribute(drawn.point, "cx", x(at));
    setAttribute(drawn.point, "cy", y(output));
    setAttribute(drawn.here, "d", `M${x(at)} ${TOP - 6}V${BOTTOM + 4}`);
    const ticks = ticksBetween(low, high);
    setAttribute(drawn.grid, "d", ticks.map((tick) => `M${LEFT} ${y(tick).toFixed(1)}H${RIGHT}`).join(""));
    write(
      drawn.heights,
      ticks.map((tick) => [LEFT - 8, y(tick) + 4, "end", number(tick)]),
    );
    write(drawn.places, [
      [LEFT, HEIGHT - 6, "start", number(at - REACH)],
      [x(at), HEIGHT - 6, "middle", `${shortened(name)} = ${number(at)}`],
      [RIGHT, HEIGHT - 6, "end", number(at + REACH)],
    ]);
    const ends = [heights[0], heights[heights.length - 1]].map(number).join(" to ");
    const moved = `${of} from ${ends} as ${name} moves from ${number(at - REACH)} to ${number(at + REACH)}`;
    setAttribute(svg, "aria-label", `${moved}; at ${number(at)} the slope is ${gradientText(slope)}`);
  }

  return { update };
}

function placesAround(at, length) {
  const half = Math.max(4, Math.min(SAMPLES, Math.floor(MOST_WORK / length)) >> 1);
  return Float64Array.from({ length: 2 * half + 1 }, (_, place) => at + (REACH * (place - half)) / half);
}

// An index moves in whole steps: each is a point.
function wholeAround(at, { low, high }) {
  const [first, last] = [Math.max(low, at - REACH), Math.min(high, at + REACH)];
  return Float64Array.from({ length: last - first + 1 }, (_, place) => first + place);
}

// From the lowest to the highest, but a pole does not flatten all else.
function extent(heights, output) {
  const sorted = [...heights].filter(Number.isFinite).sort((a, b) => a - b);
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
  let [low, high] = [at(0), at(1)];
  const [from, to] = [at(0.1), at(0.9)];
  if (to > from && high - low > 12 * (to - from)) {
    [low, high] = [Math.max(low, 2 * from - to), Math.min(high, 2 * to - from)];
  }
  [low, high] = [Math.min(low, output), Math.max(high, output)];
  const least = 1e-3 * Math.max(1, Math.abs(low));
  if (high - low < least) return [output - Math.max(1, Math.abs(output)), output + Math.max(1, Math.abs(output))];
  const margin = 0.04 * (high - low);
  return [low - margin, high + margin];
}

function lineThrough(places, heights, x, y, points) {
  let line = "";
  let broken = true;
  places.forEach((place, index) => {
    const height = y(heights[index]);
    const known = Number.isFinite(height);
    if (known)
      line += `${broken ? "M" : "L"}${x(place).toFixed(1)} ${Math.min(Math.max(height, -999), 999).toFixed(1)}`;
    if (known && points) line += "h0.01";
    broken = !known || points;
  });
  return line || "M0 0";
}

function tangentThrough(x, y, steepness) {
  if (Number.isNaN(steepness)) return "M0 0";
  const angle = Math.atan(steepness);
  let length = TANGENT;
  // In its box: shorter where it is steep.
  const room = Math.max(8, Math.min(TANGENT, Math.max(y - TOP + 8, BOTTOM + 8 - y)));
  if (Math.abs(Math.sin(angle)) * length > room) length = room / Math.abs(Math.sin(angle));
  const [dx, dy] = [Math.cos(angle) * length, Math.sin(angle) * length];
  return `M${(x - dx).toFixed(1)} ${(y - dy).toFixed(1)}L${(x + dx).toFixed(1)} ${(y + dy).toFixed(1)}`;
}

// Two to four round numbers.
export function ticksBetween(low, high) {
  const size = 10 ** Math.floor(Math.log10(high - low));
  const step = [0.5, 1, 2, 5, 10].map((times) => times * size).find((tried) => (high - low) / tried <= 3.5);
  const ticks = [];
  for (let tick = Math.ceil(low / step - 1e-9); tick <= Math.floor(high / step + 1e-9); tick++)
    ticks.push(tick * step + 0);
  return ticks;
}

function shortened(name) {
  return name.length > 14 ? `${name.slice(0, 13)}…` : name;
}

function write(group, texts) {
  fill(
    group,
    texts,
    () => shape("text"),
    (label, [x, y, anchor, text]) => {
      setAttribute(label, "x", x.toFixed(1));
      setAttribute(label, "y", y.toFixed(1));
      setAttribute(label, "text-anchor", anchor);
      setText(label, text);
    },
  );
}
