// Edges: a line for each, as wide as what flows along it, and a label with its local derivative.

import { setAttribute, setClass, setText, shape } from "./dom.js";
import { largestSize, signColour, thickness } from "./look.js";
import { factor } from "../words/numbers.js";
import { MOST_PILLS, PILL_HEIGHT, pathOf, placePills } from "./place.js";

const [CHARACTER, PADDING] = [6.4, 12];
const LEAST_PILL = 4; // characters that a label has room for while numbers move

export class Edges {
  constructor(folded) {
    this.folded = folded;
    this.under = shape("g"); // of no gradient
    this.over = shape("g");
    this.pills = shape("g");
    this.halos = shape("g");
    this.root = shape("svg", "sg-edges", { "aria-hidden": "true" }, this.halos, this.under, this.over, this.pills);
    this.edges = folded.view.edges.map(() => ({
      halo: shape("path", "sg-halo"), line: shape("path", "sg-line"),
      frame: shape("rect"), text: shape("text", "", { "text-anchor": "middle" }),
    }));
    for (const edge of this.edges) {
      edge.pill = shape("g", "sg-pill", {}, edge.frame, edge.text);
      this.halos.append(edge.halo);
      this.over.append(edge.line);
      this.pills.append(edge.pill);
    }
  }

  put(layout, badges, widths) {
    [this.layout, this.badges] = [layout, badges];
    this.edges.forEach(({ line, halo }, number) => {
      const path = pathOf(layout.routes[number], layout.down);
      line.setAttribute("d", path);
      halo.setAttribute("d", path);
    });
    this.putPills(widths);
  }

  putPills(widths) {
    this.widths = widths;
    const strongest = new Set(this.edges.map((_, edge) => edge).filter((edge) => this.folded.flows[edge] !== 0));
    placePills(this.layout, widths, this.badges, strongest).forEach((at, number) => {
      const { pill, frame } = this.edges[number];
      this.edges[number].placed = at !== null;
      if (!at) return setAttribute(pill, "visibility", "hidden");
      setAttribute(pill, "visibility", "inherit");
      setAttribute(pill, "transform", `translate(${Math.round(at[0] * 10) / 10} ${Math.round(at[1] * 10) / 10})`);
      setAttribute(frame, "y", -PILL_HEIGHT / 2);
      setAttribute(frame, "height", PILL_HEIGHT);
      setAttribute(frame, "rx", PILL_HEIGHT / 2);
    });
  }

  // context: {litEdges}
  paint(context, overlay) {
    const { slopes, flows, links } = this.folded;
    const largest = largestSize(flows);
    const widths = pillWidths(this.folded);
    if (widths.some((width, edge) => width > this.widths[edge])) this.putPills(widths.map((width, edge) => Math.max(width, this.widths[edge])));
    this.edges.forEach((edge, number) => {
      const flow = flows[number];
      const status = overlay ? together(links[number].map(([result, place]) => overlay.edge(result, place))) : "known";
      const shown = status === "known" || status === "active";
      const lit = context.litEdges.has(number) || status === "active" || status === "moving";
      const colour = shown ? signColour(flow) : "zero";
      const group = shown && flow !== 0 ? this.over : this.under;
      if (edge.line.parentNode !== group) group.append(edge.line);
      setClass(edge.line, `sg-line sg-stroke-${colour}${flow === 0 && shown ? " sg-dashed" : ""} sg-${status}`);
      setAttribute(edge.line, "stroke-width", shown ? thickness(flow, largest).toFixed(1) : 1.4);
      setClass(edge.halo, lit ? "sg-halo sg-lit" : "sg-halo");
      if (!edge.placed) return;
      const text = pillText(slopes[number]);
      const width = CHARACTER * text.length + PADDING;
      setText(edge.text, text);
      setAttribute(edge.text, "y", 3.8);
      setAttribute(edge.frame, "x", -width / 2);
      setAttribute(edge.frame, "width", width);
      const look = Number.isFinite(slopes[number]) ? "" : " sg-not-finite";
      setClass(edge.pill, `sg-pill sg-stroke-${colour}${look}${lit ? " sg-lit" : ""}${shown ? "" : " sg-hidden"}`);
    });
  }
}

// The width of each label; 0 where there is none.
export function pillWidths(folded) {
  if (folded.view.edges.length > MOST_PILLS) return folded.view.edges.map(() => 0);
  return folded.view.edges.map((_, edge) =>
    folded.hasSlope(edge) ? CHARACTER * Math.max(LEAST_PILL, pillText(folded.slopes[edge]).length) + PADDING : 0,
  );
}

// The status of an edge that stands for several: it is known when all are.
function together(statuses) {
  for (const status of ["active", "moving"]) if (statuses.includes(status)) return status;
  if (statuses.includes("ahead")) return "ahead";
  return statuses.includes("passed") ? "passed" : "known";
}

function pillText(slope) {
  return `×${factor(slope + 0)}`;
}
