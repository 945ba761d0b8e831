"""Writes the cards and edges of a picture as SVG.

Every card is a group `{figure}-node-{n}`, every edge a group `{figure}-edge-{n}`, its label a `{figure}-pill-{n}`,
where n counts View.cards and View.edges, in whatever order they are painted; they carry the number as data-node or
data-edge, too. Inside a card, `sg-data` and `sg-grad` hold the two cells. In each group the first shape is the
background of the group's texts.
"""

import math
from typing import NamedTuple

from scalargrad.drawing import layout as measures
from scalargrad.drawing.layout import (
    Box,
    Layout,
    Point,
    Route,
    badge_overhang,
    badge_width,
    pill_text,
    pill_width,
    turn,
)
from scalargrad.drawing.legend import Legend
from scalargrad.drawing.lettering import clipped, clipped_name, escaped, width
from scalargrad.drawing.svg import SvgWriter, round_off
from scalargrad.drawing.view import Card, Edge, View

MARGIN = 26.0
HEADING_SIZE, SUMMARY_SIZE = 15.0, 11.5
THINNEST, THICKEST = 1.2, 5.0
MOST_HALOS = 600  # edges that are drawn with a gap around them where they cross others


class Shape(NamedTuple):
    """The outline of a kind of card."""

    radius: float
    line: float


SHAPES = {
    "input": Shape(radius=15.0, line=1.4),
    "parameter": Shape(radius=2.0, line=1.6),
    "result": Shape(radius=9.0, line=1.3),
    "output": Shape(radius=9.0, line=3.0),
}


class GraphPicture:
    """Writes one view, laid out, by way of a writer of SVG."""

    def __init__(self, writer: SvgWriter, view: View, layout: Layout) -> None:
        self.svg, self.view, self.layout = writer, view, layout

    def elements(self, heading: str) -> tuple[list[str], tuple[float, float]]:
        """The elements of a figure, and its width and height."""
        view, layout, legend = self.view, self.layout, Legend(self.svg, self.view, self.layout)
        header_height = 58.0 + (34.0 if layout.bands else 0.0)
        side = MARGIN + (14.0 if layout.bands else 0.0)
        inner = max(layout.width + 2 * (side - MARGIN), legend.least_width())
        key, key_height = legend.elements(inner)
        down = MARGIN + header_height - 8
        legend_top = down + layout.height + (14.0 if layout.bands else 0.0) + 26
        size = (inner + 2 * MARGIN, legend_top + key_height + MARGIN - 10)
        shown = clipped(heading, inner, HEADING_SIZE, bold=True)
        summary = clipped(view.summary, inner, SUMMARY_SIZE)
        parts = [
            self.svg.text(MARGIN, MARGIN + 10, shown, HEADING_SIZE, "ink", style="bold"),
            self.svg.text(MARGIN, MARGIN + 29, summary, SUMMARY_SIZE, "muted"),
            f'<g transform="translate({side:g} {round_off(down)})">',
            *self._bands(),
            *(self._edge(place, view.edges[place], layout.routes[place]) for place in self._painted()),
            *self._band_titles(),
            *(self._card(place, card, layout.boxes[place]) for place, card in enumerate(view.cards)),
            *(self._pill(place, edge, layout.routes[place].pill) for place, edge in enumerate(view.edges)),
            "</g>",
            f'<g class="sg-legend" transform="translate({MARGIN:g} {round_off(legend_top)})">',
            *key,
            "</g>",
        ]
        return [part for part in parts if part], size

    def _painted(self) -> list[int]:
        """The edges in the order in which they are painted: those of gradient 0 lie under the others."""
        return sorted(range(len(self.view.edges)), key=lambda place: self.view.edges[place].flow != 0.0)

    def _bands(self) -> list[str]:
        return [
            self.svg.rectangle(box, "band", radius=12, line="band-line", dashed=True) for box, _ in self.layout.bands
        ]

    def _band_titles(self) -> list[str]:
        """The names of the layers, above the edges that pass there."""
        parts = []
        for box, title in self.layout.bands:
            title = clipped(title, box.width - 24, 11.0, bold=True)
            ground = Box(box.left + 8, box.top + 6, width(title, 11.0, bold=True) + 8, 18)
            name = self.svg.text(box.left + 12, box.top + 19, title, 11.0, "muted", style="bold")
            parts.append(f"<g>{self.svg.rectangle(ground, 'band')}{name}</g>")
        return parts

    def _card(self, place: int, card: Card, box: Box) -> str:
        shape = SHAPES[card.kind]
        split = box.top + measures.HEADER
        has_bar = card.kind == "parameter"
        left = box.left + measures.header_indent(card, self.layout.downwards)
        right = box.right - measures.PADDING
        tag_width = width(card.tag, measures.TAG_SIZE, bold=True)
        room = right - left - tag_width - (6 if card.tag else 0)
        name = clipped_name(card.name, room, measures.NAME_SIZE)
        tag_colour = "negative" if card.off else {"result": "muted"}.get(card.kind, card.kind)
        radius = shape.radius
        parts = [
            f'<g class="sg-node" id="{self.svg.prefix}-node-{place}" data-node="{place}">',
            f"<title>{escaped(card.explanation)}</title>",
            self.svg.rectangle(box, "card", radius=radius),
            '<g class="sg-header">',
            self.svg.panel(Box(box.left, box.top, box.width, measures.HEADER), "header", (radius, radius, 0, 0)),
            self.svg.text(left, box.top + 15, name, measures.NAME_SIZE, "ink", style="bold"),
            self.svg.text(right, box.top + 14.5, card.tag, measures.TAG_SIZE, tag_colour, anchor="end", style="bold")
            if card.tag
            else "",
            "</g>",
        ]
        half = box.width / 2 if card.grad else box.width
        data_box = Box(box.left, split, half, measures.CELLS)
        radii = (0, 0, 0 if card.grad else radius, radius)
        parts.append(
            self._cell(
                "data",
                card.data,
                card.data_colour,
                data_box,
                "card",
                radii,
                measures.cell_indent(card, self.layout.downwards),
            )
        )
        if card.grad:
            grad_box = Box(box.left + half, split, half, measures.CELLS)
            parts.append(self._cell("grad", card.grad, card.grad_colour, grad_box, card.tint, (0, 0, radius, 0)))
        parts.append(self.svg.rectangle(box, "", radius=radius, line=card.kind, line_width=shape.line, dashed=card.off))
        if has_bar:
            parts.append(self.svg.rectangle(Box(box.left, box.top, 6, box.height), "parameter", radius=2))
        if card.badge:
            parts.append(self._badge(card.badge, box))
        parts.append("</g>")
        return "".join(parts)

    def _cell(
        self,
        caption: str,
        text: str,
        colour: str,
        box: Box,
        ground: str,
        radii: tuple[float, float, float, float],
        indent: float = 0.0,
    ) -> str:
        middle, room = box.left + (box.width + indent) / 2, box.width - indent - 8
        size = measures.NUMBER_SIZE
        while size > 9 and width(text, size, mono=True) > room:
            size -= 0.5
        style = "bold mono" if caption == "grad" else "mono"
        return (
            f'<g class="sg-{caption}">{self.svg.panel(box, ground, radii)}'
            + self.svg.text(middle, box.top + 12.5, caption, measures.CAPTION_SIZE, "caption", anchor="middle")
            + self.svg.text(
                middle, box.top + 26.5, clipped(text, room, size, mono=True), size, colour, anchor="middle", style=style
            )
            + "</g>"
        )

    def _badge(self, badge: str, box: Box) -> str:
        radius, size = measures.BADGE_RADIUS, badge_width(badge)
        badge_box = Box(box.left + radius - size, box.middle - radius, size, 2 * radius)
        if self.layout.downwards:
            top = box.top - badge_overhang(badge, downwards=True)
            badge_box = Box(box.left + (box.width - size) / 2, top, size, 2 * radius)
        text = clipped(badge, badge_box.width - 10, measures.BADGE_SIZE, bold=True)
        middle = badge_box.left + badge_box.width / 2
        return (
            '<g class="sg-badge">'
            + self.svg.rectangle(badge_box, "badge", measures.BADGE_RADIUS, line="ground", line_width=2)
            + self.svg.text(
                middle, badge_box.middle + 4.3, text, measures.BADGE_SIZE, "badge-ink", anchor="middle", style="bold"
            )
            + "</g>"
        )

    def _edge(self, place: int, edge: Edge, route: Route) -> str:
        line = _path_of(route.points, self.layout.downwards)
        thickness = 1.4
        if edge.flow is not None and self.view.largest_flow > 0:
            share = min(abs(edge.flow) / self.view.largest_flow, 1.0) if math.isfinite(edge.flow) else 0.2
            thickness = THINNEST + (THICKEST - THINNEST) * math.sqrt(share)
        halo = ""
        if len(self.view.edges) <= MOST_HALOS and edge.flow != 0.0:
            halo = self.svg.line(line, "ground", thickness + 3)
        return (
            f'<g class="sg-edge" id="{self.svg.prefix}-edge-{place}" data-edge="{place}" '
            f'data-from="{edge.source}" data-to="{edge.target}"><title>{escaped(edge.explanation)}</title>{halo}'
            f"{self.svg.line(line, edge.colour, thickness, edge.flow == 0.0)}</g>"
        )

    def _pill(self, place: int, edge: Edge, at: Point | None) -> str:
        if at is None or edge.slope is None:
            return ""
        x, y = at
        half, height = pill_width(edge) / 2, measures.PILL_HEIGHT
        box = Box(x - half, y - height / 2, 2 * half, height)
        colour = "ink" if math.isfinite(edge.slope) else "not-finite"
        return (
            f'<g class="sg-pill" id="{self.svg.prefix}-pill-{place}" data-edge="{place}">'
            + f"<title>{escaped(edge.explanation)}</title>"
            + self.svg.rectangle(box, "ground", radius=height / 2, line=edge.colour)
            + self.svg.text(x, y + 3.7, pill_text(edge), measures.PILL_SIZE, colour, anchor="middle", style="mono")
            + "</g>"
        )


def _path_of(points: list[Point], downwards: bool) -> str:
    """Curves that leave and arrive along the direction of the edges, and straight lines, by turns."""

    def at(along: float, across: float) -> str:
        x, y = turn((along, across), downwards)
        return f"{round_off(x)} {round_off(y)}"

    straight = "V" if downwards else "H"
    points = [turn(point, downwards) for point in points]
    begin, level = points[0]
    path = [f"M{at(begin, level)}"]
    for place in range(1, len(points), 2):
        (begin, level), (end, end_level), (line, _) = points[place - 1], points[place], points[place + 1]
        bend = (begin + end) / 2
        path.append(f"C{at(bend, level)} {at(bend, end_level)} {at(end, end_level)}")
        path.append(f"{straight}{round_off(line)}" if line != end else "")
    return "".join(path)
