"""Writes the key to the colours and lines of a picture as SVG."""

from scalargrad.drawing.layout import PILL_SIZE, Box, Layout
from scalargrad.drawing.lettering import number, width
from scalargrad.drawing.palette import TINT_STEPS
from scalargrad.drawing.svg import SvgWriter, round_off
from scalargrad.drawing.view import View

LEGEND_SIZE = 10.5


class Legend:
    """Writes the key of one view."""

    def __init__(self, writer: SvgWriter, view: View, layout: Layout) -> None:
        self.svg, self.view, self.layout = writer, view, layout

    def least_width(self) -> float:
        """Room enough for each part of it in any font."""
        return 1.1 * max(part_width for _, part_width in self._items())

    def elements(self, room: float) -> tuple[list[str], float]:
        """The key in as many rows as fit into the room, and its height."""
        parts, x, row = [], 0.0, 0.0
        for item, item_width in self._items():
            if x and x + item_width > room:
                x, row = 0.0, row + 22.0
            parts.append(f'<g transform="translate({round_off(x)} {row:g})">{item}</g>')
            x += item_width + 26
        return parts, row + 18.0

    def _items(self) -> list[tuple[str, float]]:
        """Its parts, with their widths."""
        view = self.view
        if not view.backward_ran:
            return [self._words("backward() not run: no gradients to show yet")]
        largest = f"largest |grad| {number(view.largest_gradient)}, each step ×3"
        items = [self._scale(), self._words(largest)]
        if view.edges_are_weights:
            items.append(self._words("edge = weight: colour and width are its gradient's; dashed = 0"))
        elif view.edges:
            items.append(self._line_sample())
        if any(route.pill for route in self.layout.routes):
            items.append(self._pill_sample())
        return items

    def _words(self, text: str) -> tuple[str, float]:
        return self.svg.text(0, 11, text, LEGEND_SIZE, "muted"), width(text, LEGEND_SIZE)

    def _scale(self) -> tuple[str, float]:
        x = width("gradient −", LEGEND_SIZE) + 6
        swatches = ""
        for place, step in enumerate(TINT_STEPS):
            swatches += self.svg.rectangle(Box(x + 18 * place, 0, 18, 14), step, line="band-line", line_width=1)
        words = self.svg.text(0, 11, "gradient −", LEGEND_SIZE, "muted")
        x += 18 * len(TINT_STEPS) + 6
        words += self.svg.text(x, 11, "+", LEGEND_SIZE, "muted")
        return f"<g>{swatches}</g>{words}", x + width("+", LEGEND_SIZE)

    def _line_sample(self) -> tuple[str, float]:
        words = "edge width = |local × upstream|, dashed = 0"
        line = self.svg.line("M0 7H34", "positive", 4)
        return line + self.svg.text(42, 11, words, LEGEND_SIZE, "muted"), 42 + width(words, LEGEND_SIZE)

    def _pill_sample(self) -> tuple[str, float]:
        words = "local derivative"
        pill = self.svg.rectangle(Box(0, -1, 42, 16), "ground", radius=8, line="zero")
        pill += self.svg.text(21, 10.7, "×0.5", PILL_SIZE, "ink", anchor="middle", style="mono")
        return f"<g>{pill}</g>" + self.svg.text(50, 11, words, LEGEND_SIZE, "muted"), 50 + width(words, LEGEND_SIZE)
