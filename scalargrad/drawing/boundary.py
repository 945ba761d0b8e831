"""DecisionBoundary: what a classifier of points in the plane says everywhere, at one moment of its training."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, SupportsFloat

from scalargrad.checks import instance, listed, one_of, real, whole
from scalargrad.drawing.contours import Contours, Point, contours
from scalargrad.drawing.layout import Box
from scalargrad.drawing.lettering import clipped
from scalargrad.drawing.palette import THEMES
from scalargrad.drawing.svg import round_off
from scalargrad.operands import number
from scalargrad.support.words import brief

if TYPE_CHECKING:
    from PIL.Image import Image

    from scalargrad.drawing.svg import SvgWriter

SIDE, MARGIN, HEADING = 360.0, 20.0, 34.0  # pixels
AROUND_POINTS = 0.08  # of their extent
DOT_RADIUS = 4.0
HEADING_SIZE = 13.0
MOST_CELLS_ACROSS = 200
LINE = 2.0  # the width of the line where the decision changes
FINER = 3  # pixels of the image for each that is shown, so that its edges are smooth

# The colour from each share of the largest score on: steps of three, as for gradients.
LOWEST = "tint-negative-3"
SHADES = [
    (-1 / 3, "tint-negative-2"),
    (-1 / 9, "tint-negative-1"),
    (0.0, "tint-positive-1"),
    (1 / 9, "tint-positive-2"),
    (1 / 3, "tint-positive-3"),
]


class DecisionBoundary:
    """The plane coloured by a classifier's score, with the training points: blue above `level`, orange below.

    score       takes a list of [x, y] rows and gives one number (or Value) for each
    points      the rows of the training data
    classes     their labels; the upper half of them are blue dots, the others orange diamonds
    level       the score at which the decision changes, where the line runs: 0.5 for labels 0 and 1, 0 for -1 and 1
    resolution  places across; each costs one evaluation, so resolution² in all
    theme       as in `draw`
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
        theme: str | None = None,
        title: str = "",
    ) -> None:
        instance("score", score, Callable, "a function of a list of points")
        limits = f"the number of places across, 2 to {MOST_CELLS_ACROSS},"
        self.resolution = whole("resolution", resolution, 2, limits, MOST_CELLS_ACROSS)
        one_of("theme", "light" if theme is None else theme, THEMES)
        self.points = [_point(x) for x in listed(points, "DecisionBoundary", "a list of points [x, y]")]
        self.classes = [number(x, "classes") for x in listed(classes, "DecisionBoundary", "a list of classes")]
        if not self.points or len(self.points) != len(self.classes):
            counts = f"{len(self.points)} points and {len(self.classes)} classes"
            raise ValueError(f"DecisionBoundary takes as many classes as points, and at least one, got {counts}")
        self.level, self.heading = real("level", level), instance("title", title, str, "a text")
        self.theme, self.theme_of_pages = theme or "light", theme or "auto"
        self.description = f"{len(self.points)} points, dots and diamonds, and the classifier's score around them"
        xs, ys = zip(*self.points, strict=True)
        self.x_range, self.y_range = _range(xs), _range(ys)
        rows = [[x, y] for y in self._places(self.y_range)[::-1] for x in self._places(self.x_range)]
        found = instance("score", score(rows), Iterable, "a function that gives a number for each point")
        self.scores = [float(x) - self.level for x in found]
        if len(self.scores) != len(rows):
            raise ValueError(f"score(rows) must give one number for each of {len(rows)} rows, got {len(self.scores)}")

    def _places(self, bounds: tuple[float, float]) -> list[float]:
        low, high = bounds
        return [low + place * (high - low) / (self.resolution - 1) for place in range(self.resolution)]

    def areas(self) -> list[tuple[str, Contours]]:
        """The colours of the plane above the LOWEST, each on top of the one before, at (0, 0) the upper left corner.

        The first positive one begins where the decision changes. A score that is not finite counts as none.
        """
        largest = max((abs(score) for score in self.scores if math.isfinite(score)), default=0.0) or 1.0
        known = [score if math.isfinite(score) else math.copysign(largest, score) for score in self.scores]
        known = [0.0 if score != score else score / largest for score in known]
        rows = [known[place : place + self.resolution] for place in range(0, len(known), self.resolution)]
        return [(colour, self._scaled(contours(rows, share))) for share, colour in SHADES]

    def unknown(self) -> list[Box]:
        """The surroundings of places where the score is NaN."""
        cell = SIDE / (self.resolution - 1)
        boxes = []
        for place, score in enumerate(self.scores):
            if score != score:
                x, y = (cell * (x - 0.5) for x in (place % self.resolution, place // self.resolution))
                left, top, right, bottom = (min(max(edge, 0.0), SIDE) for edge in (x, y, x + cell, y + cell))
                boxes.append(Box(left, top, right - left, bottom - top))
        return boxes

    def _scaled(self, found: Contours) -> Contours:
        cell = SIDE / (self.resolution - 1)
        return Contours(*([[(cell * x, cell * y) for x, y in _corners(line)] for line in lines] for lines in found))

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

    def elements(self, writer: "SvgWriter") -> tuple[list[str], tuple[float, float]]:
        """The SVG elements of this frame, and its width and height."""
        heading = clipped(self.heading, SIDE, HEADING_SIZE, bold=True)
        decision = ""
        parts = [writer.text(MARGIN, MARGIN + 8, heading, HEADING_SIZE, "ink", style="bold")]
        parts.append(f'<g transform="translate({MARGIN:g} {HEADING + 6:g})">')
        parts.append(writer.rectangle(Box(0, 0, SIDE, SIDE), LOWEST))
        for colour, area in self.areas():
            if area.outlines:
                parts.append(writer.area("".join(_path_of(line) + "Z" for line in area.outlines), colour))
            if colour == "tint-positive-1" and area.lines:
                decision = writer.line("".join(map(_path_of, area.lines)), "ink", LINE)
        parts += [writer.rectangle(box, "tint-zero") for box in self.unknown()]
        parts += [decision] if decision else []
        for x, y, colour in self.dots():
            look = f'class="{writer.fill(colour)} {writer.stroke("ground")}" stroke-width="1"'
            if colour == "positive":
                parts.append(f'<circle {look} r="{DOT_RADIUS:g}" cx="{x:.1f}" cy="{y:.1f}"/>')
            else:
                parts.append(f'<path {look} d="{_path_of(_diamond(x, y))}Z"/>')
        return [*parts, "</g>"], (SIDE + 2 * MARGIN, SIDE + HEADING + 6 + MARGIN)

    def image(self) -> "Image":
        """The same as pixels, by Pillow."""
        from PIL import Image, ImageChops, ImageDraw

        colours = THEMES[self.theme][0]
        down, side = int(HEADING + 6), int(SIDE)
        plane = Image.new("RGB", (side * FINER, side * FINER), colours[LOWEST])
        canvas = ImageDraw.Draw(plane)

        def larger(line: list[Point]) -> list[Point]:
            return [(FINER * x, FINER * y) for x, y in line]

        areas = self.areas()
        for colour, area in areas:
            mask = Image.new("1", plane.size)
            for outline in area.outlines:  # what lies inside of two is a hole
                other = Image.new("1", plane.size)
                ImageDraw.Draw(other).polygon(larger(outline), fill=1)
                mask = ImageChops.logical_xor(mask, other)
            plane.paste(colours[colour], mask=mask)
        for box in self.unknown():
            canvas.rectangle(larger([(box.left, box.top), (box.right, box.bottom)]), fill=colours["tint-zero"])
        for line in dict(areas)["tint-positive-1"].lines:
            canvas.line(larger(line), fill=colours["ink"], width=round(FINER * LINE), joint="curve")
        for x, y, colour in self.dots():
            if colour == "positive":
                corners = larger([(x - DOT_RADIUS, y - DOT_RADIUS), (x + DOT_RADIUS, y + DOT_RADIUS)])
                canvas.ellipse(corners, fill=colours[colour], outline=colours["ground"], width=FINER)
            else:
                canvas.polygon(larger(_diamond(x, y)), fill=colours[colour], outline=colours["ground"], width=FINER)
        image = Image.new("RGB", (int(SIDE + 2 * MARGIN), int(SIDE + down + MARGIN)), colours["ground"])
        ImageDraw.Draw(image).text((MARGIN, MARGIN - 6), self.heading, fill=colours["ink"])
        image.paste(plane.resize((side, side), Image.Resampling.LANCZOS), (int(MARGIN), down))
        return image

    def __repr__(self) -> str:
        return f"<DecisionBoundary {self.heading!r}, {len(self.points)} points>"


def _point(point: object) -> Point:
    """Two finite numbers, or an error."""
    numbers = [number(x, "points") for x in listed(point, "DecisionBoundary", "a list of points [x, y]")]
    if len(numbers) != 2 or not all(map(math.isfinite, numbers)):
        raise ValueError(f"points are pairs of finite numbers, [x, y], got {brief(point)}")
    return numbers[0], numbers[1]


def _range(numbers: Iterable[float]) -> tuple[float, float]:
    numbers = list(numbers)
    low, high = min(numbers), max(numbers)
    border = (high - low) * AROUND_POINTS or 1.0
    return low - border, high + border


def _diamond(x: float, y: float) -> list[Point]:
    """A mark as large as a dot."""
    reach = 1.25 * DOT_RADIUS
    return [(x, y - reach), (x + reach, y), (x, y + reach), (x - reach, y)]


def _corners(line: list[Point]) -> list[Point]:
    """A line without the points that lie between two others on one row or column of the grid."""
    kept = list(line[:1])
    for here, after in zip(line[1:], [*line[2:], line[0]], strict=True):
        before = kept[-1]
        if not (before[0] == here[0] == after[0] or before[1] == here[1] == after[1]):
            kept.append(here)
    return kept if len(line) > 2 else line


def _path_of(line: list[Point]) -> str:
    points = " ".join(f"{round_off(x)} {round_off(y)}" for x, y in line)
    return f"M{points}"
