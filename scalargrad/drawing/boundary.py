"""DecisionBoundary: what a classifier of points in the plane says everywhere, at one moment of its training."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, SupportsFloat

from scalargrad.drawing.layout import Box, Layout
from scalargrad.drawing.lettering import clipped
from scalargrad.drawing.palette import THEMES, tint

if TYPE_CHECKING:
    from PIL.Image import Image

    from scalargrad.drawing.svg import SvgWriter

SIDE, MARGIN, HEADING = 360.0, 20.0, 34.0  # pixels
AROUND_POINTS = 0.08  # of their extent
DOT_RADIUS = 4.0
HEADING_SIZE = 13.0
MOST_CELLS_ACROSS = 200


class DecisionBoundary:
    """The plane coloured by a classifier's score, with the training points: blue above `level`, orange below.

    score       takes a list of [x, y] rows and gives one number (or Value) for each
    points      the rows of the training data
    classes     their labels; the upper half of them is drawn blue
    level       the score at which the decision changes: 0.5 for labels 0 and 1, 0 for labels -1 and 1
    resolution  cells across; each costs one evaluation, so resolution² in all
    title       the heading, such as "epoch 20"

    >>> DecisionBoundary(lambda rows: [x - y for x, y in rows], [[0, 1], [1, 0]], [0, 1], level=0.0, title="x = y")
    <DecisionBoundary 'x = y', 2 points>
    """

    def __init__(
        self,
        score: Callable[[list[list[float]]], Iterable[SupportsFloat]],
        points: Sequence[Sequence[float]],
        classes: Sequence[float],
        *,
        level: float = 0.5,
        resolution: int = 40,
        theme: str = "light",
        title: str = "",
    ) -> None:
        if not 2 <= resolution <= MOST_CELLS_ACROSS:
            raise ValueError(f"resolution is the number of cells across, 2 to {MOST_CELLS_ACROSS}, got {resolution!r}")
        if theme not in THEMES:
            raise ValueError(f"theme is one of {', '.join(map(repr, THEMES))}, got {theme!r}")
        self.points = [(float(x), float(y)) for x, y in points]
        self.classes = [float(label) for label in classes]
        if not all(math.isfinite(x) for point in self.points for x in point):
            raise ValueError("a boundary is drawn around points that are finite numbers")
        if not self.points or len(self.points) != len(self.classes):
            counts = f"{len(self.points)} points and {len(self.classes)} classes"
            raise ValueError(f"a boundary needs as many classes as points, and at least one, got {counts}")
        self.level, self.resolution, self.theme, self.heading = level, resolution, theme, title
        self.description = f"{len(self.points)} points and the classifier's score around them"
        xs, ys = zip(*self.points, strict=True)
        self.x_range, self.y_range = _range(xs), _range(ys)
        rows = [[x, y] for y in self._centres(self.y_range, reverse=True) for x in self._centres(self.x_range)]
        self.scores = [float(x) - level for x in score(rows)]
        if len(self.scores) != len(rows):
            raise ValueError(f"score(rows) must give one number for each of {len(rows)} rows, got {len(self.scores)}")

    def _centres(self, bounds: tuple[float, float], reverse: bool = False) -> list[float]:
        low, high = bounds
        centres = [low + (place + 0.5) * (high - low) / self.resolution for place in range(self.resolution)]
        return centres[::-1] if reverse else centres

    def strips(self) -> list[tuple[Box, str]]:
        """The coloured plane: neighbours of one colour in one strip, at (0, 0) the upper left corner."""
        largest = max((abs(score) for score in self.scores if math.isfinite(score)), default=0.0)
        cell = SIDE / self.resolution
        strips = []
        for row in range(self.resolution):
            colours = [tint(score, largest) for score in self.scores[row * self.resolution :][: self.resolution]]
            begin = 0
            for place in range(1, self.resolution + 1):
                if place == self.resolution or colours[place] != colours[begin]:
                    strips.append((Box(begin * cell, row * cell, (place - begin) * cell, cell), colours[begin]))
                    begin = place
        return strips

    def dots(self) -> list[tuple[float, float, str]]:
        """The training points in the picture."""
        half = (min(self.classes) + max(self.classes)) / 2

        def share(x: float, bounds: tuple[float, float]) -> float:
            return (x - bounds[0]) / (bounds[1] - bounds[0])

        return [
            (
                SIDE * share(x, self.x_range),
                SIDE * (1 - share(y, self.y_range)),
                "positive" if label > half else "negative",
            )
            for (x, y), label in zip(self.points, self.classes, strict=True)
        ]

    def elements(self, writer: "SvgWriter", shared: Layout | None = None) -> tuple[list[str], tuple[float, float]]:
        """The SVG elements of this frame, and its width and height."""
        heading = clipped(self.heading, SIDE, HEADING_SIZE, bold=True)
        parts = [writer.text(MARGIN, MARGIN + 8, heading, HEADING_SIZE, "ink", style="bold")]
        parts.append(f'<g transform="translate({MARGIN:g} {HEADING + 6:g})" shape-rendering="crispEdges">')
        parts += [writer.rectangle(box, colour) for box, colour in self.strips()]
        parts.append(f'</g><g transform="translate({MARGIN:g} {HEADING + 6:g})">')
        for x, y, colour in self.dots():
            look = f'class="{writer.fill(colour)} {writer.stroke("ground")}" r="{DOT_RADIUS:g}" stroke-width="1"'
            parts.append(f'<circle {look} cx="{x:.1f}" cy="{y:.1f}"/>')
        return [*parts, "</g>"], (SIDE + 2 * MARGIN, SIDE + HEADING + 6 + MARGIN)

    def image(self) -> "Image":
        """The same as pixels, by Pillow."""
        from PIL import Image, ImageDraw

        colours = THEMES[self.theme][0]
        down = HEADING + 6
        image = Image.new("RGB", (int(SIDE + 2 * MARGIN), int(SIDE + down + MARGIN)), colours["ground"])
        canvas = ImageDraw.Draw(image)
        canvas.text((MARGIN, MARGIN - 6), self.heading, fill=colours["ink"])
        for box, colour in self.strips():
            corners = (box.left + MARGIN, box.top + down, box.right + MARGIN - 1, box.bottom + down - 1)
            canvas.rectangle(corners, fill=colours[colour])
        for x, y, colour in self.dots():
            x, y = x + MARGIN, y + down
            corners = (x - DOT_RADIUS, y - DOT_RADIUS, x + DOT_RADIUS, y + DOT_RADIUS)
            canvas.ellipse(corners, fill=colours[colour], outline=colours["ground"])
        return image

    def __repr__(self) -> str:
        return f"<DecisionBoundary {self.heading!r}, {len(self.points)} points>"


def _range(numbers: Iterable[float]) -> tuple[float, float]:
    numbers = list(numbers)
    low, high = min(numbers), max(numbers)
    border = (high - low) * AROUND_POINTS or 1.0
    return low - border, high + border
