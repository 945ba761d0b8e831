"""Writes a picture as SVG.

Every card is a group `{figure}-node-{n}`, every edge a group `{figure}-edge-{n}`, its label a `{figure}-pill-{n}`,
where n counts View.cards and View.edges; they carry the number as data-node or data-edge, too. Inside a card, `sg-data`
and `sg-grad` hold the two cells. In each group the first shape is the background of the group's texts.
"""

import math
from typing import NamedTuple

from scalargrad.drawing import layout as measures
from scalargrad.drawing.layout import Box, Layout, Point, Route, badge_width, pill_text, pill_width
from scalargrad.drawing.lettering import clipped, escaped, number, width
from scalargrad.drawing.palette import THEMES, TINT_STEPS
from scalargrad.drawing.view import Card, Edge, View

MARGIN = 26.0
HEADING_SIZE, SUMMARY_SIZE, LEGEND_SIZE = 15.0, 11.5, 10.5
THINNEST, THICKEST = 1.2, 5.0
MOST_HALOS = 600  # edges that are drawn with a gap around them where they cross others

SANS_FONT = "Verdana, 'DejaVu Sans', Geneva, sans-serif"
MONO_FONT = "'DejaVu Sans Mono', Menlo, Consolas, monospace"


class Shape(NamedTuple):
    """How a kind of card is drawn."""

    radius: float
    line: float


SHAPES = {
    "input": Shape(radius=15.0, line=1.4),
    "parameter": Shape(radius=2.0, line=1.6),
    "result": Shape(radius=9.0, line=1.3),
    "output": Shape(radius=9.0, line=3.0),
}


class SvgWriter:
    """Writes figures with one id and one theme, and collects the colours that they use."""

    def __init__(self, figure: str, theme: str) -> None:
        self.figure, self.theme = figure, theme
        self.prefix = figure  # of the ids of cards and edges: another one for each frame of an animation
        self.fills: set[str] = set()
        self.strokes: set[str] = set()

    # Elements.

    def fill(self, colour: str) -> str:
        self.fills.add(colour)
        return f"sg-f-{colour}"

    def stroke(self, colour: str) -> str:
        self.strokes.add(colour)
        return f"sg-s-{colour}"

    def text(
        self, x: float, y: float, text: str, size: float, colour: str, *, anchor: str = "start", style: str = ""
    ) -> str:
        """One line of text; `style` is "bold", "mono", "bold mono" or nothing."""
        attributes = f' text-anchor="{anchor}"' if anchor != "start" else ""
        attributes += ' font-weight="bold"' if "bold" in style else ""
        attributes += f' font-family="{MONO_FONT}"' if "mono" in style else ""
        return (
            f'<text class="{self.fill(colour)}" x="{round_off(x)}" y="{round_off(y)}" font-size="{size:g}"{attributes}>'
            f"{escaped(text)}</text>"
        )

    def rectangle(self, box: Box, fill: str, radius: float = 0.0, line: str = "", line_width: float = 1.2) -> str:
        """A rectangle, filled, framed, or both."""
        corners = f' rx="{radius:g}"' if radius else ""
        border = f' stroke-width="{line_width:g}"' if line else ""
        border += "" if fill else ' fill="none"'
        classes = " ".join(([self.fill(fill)] if fill else []) + ([self.stroke(line)] if line else []))
        return (
            f'<rect class="{classes}" x="{round_off(box.left)}" y="{round_off(box.top)}" '
            f'width="{round_off(box.width)}" height="{round_off(box.height)}"{corners}{border}/>'
        )

    def document(
        self, size: tuple[float, float], title: str, description: str, body: list[str], style: str = ""
    ) -> str:
        """A whole SVG file around what was written."""
        width, height = map(math.ceil, size)
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" id="{self.figure}" class="scalargrad" role="img" '
            f'aria-labelledby="{self.figure}-title {self.figure}-desc" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" font-family="{SANS_FONT}" style="max-width:100%;height:auto">'
        )
        ground = self.rectangle(Box(0, 0, width, height), "ground", radius=10)
        parts = [
            head,
            f'<title id="{self.figure}-title">{escaped(title)}</title>',
            f'<desc id="{self.figure}-desc">{escaped(description)}</desc>',
            f"<style>{self._colours()}{style}</style>",
            ground,
            *body,
            "</svg>\n",
        ]
        return "\n".join(parts)

    def _colours(self) -> str:
        self.fills.add("ground")
        colours, dark = THEMES[self.theme]

        def rules(palette: dict[str, str]) -> str:
            fills = "".join(f"#{self.figure} .sg-f-{name}{{fill:{palette[name]}}}" for name in sorted(self.fills))
            return fills + "".join(
                f"#{self.figure} .sg-s-{name}{{stroke:{palette[name]}}}" for name in sorted(self.strokes)
            )

        return rules(colours) + (f"@media (prefers-color-scheme:dark){{{rules(dark)}}}" if dark else "")

    # A graph.

    def graph(self, view: View, layout: Layout, heading: str) -> tuple[list[str], tuple[float, float]]:
        """The elements of a figure, and its width and height."""
        header_height = 58.0 + (34.0 if layout.bands else 0.0)
        side = MARGIN + (14.0 if layout.bands else 0.0)
        inner = max(layout.width + 2 * (side - MARGIN), 1.1 * self._scale(view)[1])  # room for the legend in any font
        legend, legend_height = self._legend(view, layout, inner)
        down = MARGIN + header_height - 8
        legend_top = down + layout.height + (14.0 if layout.bands else 0.0) + 26
        size = (inner + 2 * MARGIN, legend_top + legend_height + MARGIN - 10)
        shown = clipped(heading, inner, HEADING_SIZE, bold=True)
        summary = clipped(view.summary, inner, SUMMARY_SIZE)
        parts = [
            self.text(MARGIN, MARGIN + 10, shown, HEADING_SIZE, "ink", style="bold"),
            self.text(MARGIN, MARGIN + 29, summary, SUMMARY_SIZE, "muted"),
            f'<g transform="translate({side:g} {round_off(down)})">',
            *self._bands(layout),
            *(self._edge(place, view, layout.routes[place]) for place in range(len(view.edges))),
            *(self._card(place, card, layout.boxes[place]) for place, card in enumerate(view.cards)),
            *(self._pill(place, edge, layout.routes[place].pill) for place, edge in enumerate(view.edges)),
            "</g>",
            f'<g class="sg-legend" transform="translate({MARGIN:g} {round_off(legend_top)})">',
            *legend,
            "</g>",
        ]
        return [part for part in parts if part], size

    def _bands(self, layout: Layout) -> list[str]:
        parts = []
        for box, title in layout.bands:
            title = clipped(title, box.width - 24, 11.0, bold=True)
            frame = self.rectangle(box, "band", radius=12, line="band-line")
            frame = frame.replace("/>", ' stroke-dasharray="5 4"/>')
            parts.append(f"<g>{frame}{self.text(box.left + 12, box.top + 19, title, 11.0, 'muted', style='bold')}</g>")
        return parts

    def _card(self, place: int, card: Card, box: Box) -> str:
        shape = SHAPES[card.kind]
        split = box.top + measures.HEADER
        has_bar = card.kind == "parameter"
        left = box.left + measures.header_indent(card)
        right = box.right - measures.PADDING
        tag_width = width(card.tag, measures.TAG_SIZE, bold=True)
        room = right - left - tag_width - (6 if card.tag else 0)
        name = clipped(card.name, room, measures.NAME_SIZE, bold=True, end=has_bar)  # weights.3 says more than layers.0
        tag_colour = "negative" if card.off else {"result": "muted"}.get(card.kind, card.kind)
        radius = shape.radius
        parts = [
            f'<g class="sg-node" id="{self.prefix}-node-{place}" data-node="{place}">',
            f"<title>{escaped(card.explanation)}</title>",
            self.rectangle(box, "card", radius=radius),
            '<g class="sg-header">',
            _rounded(self.fill("header"), Box(box.left, box.top, box.width, measures.HEADER), (radius, radius, 0, 0)),
            self.text(left, box.top + 15, name, measures.NAME_SIZE, "ink", style="bold"),
            self.text(right, box.top + 14.5, card.tag, measures.TAG_SIZE, tag_colour, anchor="end", style="bold")
            if card.tag
            else "",
            "</g>",
        ]
        half = box.width / 2 if card.grad else box.width
        data_box = Box(box.left, split, half, measures.CELLS)
        radii = (0, 0, 0 if card.grad else radius, radius)
        parts.append(
            self._cell("data", card.data, card.data_colour, data_box, "card", radii, measures.cell_indent(card))
        )
        if card.grad:
            grad_box = Box(box.left + half, split, half, measures.CELLS)
            parts.append(self._cell("grad", card.grad, card.grad_colour, grad_box, card.tint, (0, 0, radius, 0)))
        dashes = ' stroke-dasharray="5 4"' if card.off else ""
        border = self.rectangle(box, "", radius=radius, line=card.kind, line_width=shape.line)
        parts.append(border.replace("/>", f"{dashes}/>"))
        if has_bar:
            parts.append(self.rectangle(Box(box.left, box.top, 6, box.height), "parameter", radius=2))
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
            f'<g class="sg-{caption}">{_rounded(self.fill(ground), box, radii)}'
            + self.text(middle, box.top + 12.5, caption, measures.CAPTION_SIZE, "caption", anchor="middle")
            + self.text(
                middle, box.top + 26.5, clipped(text, room, size, mono=True), size, colour, anchor="middle", style=style
            )
            + "</g>"
        )

    def _badge(self, badge: str, box: Box) -> str:
        badge_box = Box(
            box.left + measures.BADGE_RADIUS - badge_width(badge),
            box.middle - measures.BADGE_RADIUS,
            badge_width(badge),
            2 * measures.BADGE_RADIUS,
        )
        text = clipped(badge, badge_box.width - 10, measures.BADGE_SIZE, bold=True)
        middle = badge_box.left + badge_box.width / 2
        return (
            '<g class="sg-badge">'
            + self.rectangle(badge_box, "badge", measures.BADGE_RADIUS, line="ground", line_width=2)
            + self.text(middle, box.middle + 4.3, text, measures.BADGE_SIZE, "badge-ink", anchor="middle", style="bold")
            + "</g>"
        )

    def _edge(self, place: int, view: View, route: Route) -> str:
        edge = view.edges[place]
        line = _path_of(route.points)
        thickness = 1.4
        if edge.flow is not None and view.largest_flow > 0:
            share = min(abs(edge.flow) / view.largest_flow, 1.0) if math.isfinite(edge.flow) else 0.2
            thickness = THINNEST + (THICKEST - THINNEST) * math.sqrt(share)
        halo = ""
        if len(view.edges) <= MOST_HALOS:
            halo = self._line(line, "ground", thickness + 3)
        dashes = ' stroke-dasharray="5 4"' if edge.flow == 0.0 else ""
        return (
            f'<g class="sg-edge" id="{self.prefix}-edge-{place}" data-edge="{place}" '
            f'data-from="{edge.source}" data-to="{edge.target}"><title>{escaped(edge.explanation)}</title>{halo}'
            f"{self._line(line, edge.colour, thickness, dashes)}</g>"
        )

    def _line(self, path: str, colour: str, thickness: float, dashes: str = "") -> str:
        look = f'class="sg-line {self.stroke(colour)}" fill="none" stroke-width="{thickness:.1f}"{dashes}'
        return f'<path {look} d="{path}"/>'

    def _pill(self, place: int, edge: Edge, at: Point | None) -> str:
        if at is None or edge.slope is None:
            return ""
        x, y = at
        half, height = pill_width(edge) / 2, measures.PILL_HEIGHT
        box = Box(x - half, y - height / 2, 2 * half, height)
        colour = "ink" if math.isfinite(edge.slope) else "not-finite"
        return (
            f'<g class="sg-pill" id="{self.prefix}-pill-{place}" data-edge="{place}">'
            + f"<title>{escaped(edge.explanation)}</title>"
            + self.rectangle(box, "ground", radius=height / 2, line=edge.colour)
            + self.text(x, y + 3.7, pill_text(edge), measures.PILL_SIZE, colour, anchor="middle", style="mono")
            + "</g>"
        )

    def _legend(self, view: View, layout: Layout, room: float) -> tuple[list[str], float]:
        """The key to colours and lines, in as many rows as it needs."""
        if not view.backward_ran:
            text = clipped("backward() not run: there are no gradients to show yet", room, LEGEND_SIZE)
            return [self.text(0, 11, text, LEGEND_SIZE, "muted")], 18.0
        items = [self._scale(view)]
        if view.edges_are_weights:
            items.append(self._words("edge = weight: colour and width are its gradient's; dashed = 0"))
        elif view.edges:
            items.append(self._line_sample())
        if any(route.pill for route in layout.routes):
            items.append(self._pill_sample())
        parts, x, row = [], 0.0, 0.0
        for item, item_width in items:
            if x and x + item_width > room:
                x, row = 0.0, row + 22.0
            parts.append(f'<g transform="translate({round_off(x)} {row:g})">{item}</g>')
            x += item_width + 26
        return parts, row + 18.0

    def _words(self, text: str) -> tuple[str, float]:
        return self.text(0, 11, text, LEGEND_SIZE, "muted"), width(text, LEGEND_SIZE)

    def _scale(self, view: View) -> tuple[str, float]:
        before = "gradient −"
        after = f"+ (largest |grad| {number(view.largest_gradient)}, each step ×3)"
        x = width(before, LEGEND_SIZE) + 6
        swatches = ""
        for place, step in enumerate(TINT_STEPS):
            swatches += self.rectangle(Box(x + 18 * place, 0, 18, 14), step, line="band-line", line_width=1)
        words = self.text(0, 11, before, LEGEND_SIZE, "muted")
        x += 18 * len(TINT_STEPS) + 6
        words += self.text(x, 11, after, LEGEND_SIZE, "muted")
        return f"<g>{swatches}</g>{words}", x + width(after, LEGEND_SIZE)

    def _line_sample(self) -> tuple[str, float]:
        words = "edge width = |local × upstream|, dashed = 0"
        return self._line("M0 7H34", "positive", 4) + self.text(42, 11, words, LEGEND_SIZE, "muted"), 42 + width(
            words, LEGEND_SIZE
        )

    def _pill_sample(self) -> tuple[str, float]:
        words = "local derivative"
        pill = self.rectangle(Box(0, -1, 42, 16), "ground", radius=8, line="zero")
        pill += self.text(21, 10.7, "×0.5", measures.PILL_SIZE, "ink", anchor="middle", style="mono")
        return f"<g>{pill}</g>" + self.text(50, 11, words, LEGEND_SIZE, "muted"), 50 + width(words, LEGEND_SIZE)


def round_off(x: float) -> str:
    """A coordinate with one decimal."""
    return f"{x:.1f}".removesuffix(".0")


def _path_of(points: list[Point]) -> str:
    """Curves that leave and arrive horizontally, and horizontal lines, by turns."""
    x, y = points[0]
    path = [f"M{round_off(x)} {round_off(y)}"]
    for place in range(1, len(points), 2):
        (x, y), (end_x, end_y), (line_x, _) = points[place - 1], points[place], points[place + 1]
        bend = round_off((x + end_x) / 2)
        path.append(f"C{bend} {round_off(y)} {bend} {round_off(end_y)} {round_off(end_x)} {round_off(end_y)}")
        path.append(f"H{round_off(line_x)}" if line_x != end_x else "")
    return "".join(path)


def _rounded(css_class: str, box: Box, radii: tuple[float, float, float, float]) -> str:
    """A rectangle with a radius for each corner: upper left, upper right, lower right, lower left."""
    upper_left, upper_right, lower_right, lower_left = radii
    arc = "a{0:g} {0:g} 0 0 1 {1:g} {2:g}".format
    path = f"M{round_off(box.left + upper_left)} {round_off(box.top)}H{round_off(box.right - upper_right)}"
    path += arc(upper_right, upper_right, upper_right) if upper_right else ""
    path += f"V{round_off(box.bottom - lower_right)}" + (
        arc(lower_right, -lower_right, lower_right) if lower_right else ""
    )
    path += f"H{round_off(box.left + lower_left)}" + (arc(lower_left, -lower_left, -lower_left) if lower_left else "")
    path += f"V{round_off(box.top + upper_left)}" + (arc(upper_left, upper_left, -upper_left) if upper_left else "")
    return f'<path class="{css_class}" d="{path}z"/>'
