"""Maps: what a model of two inputs says about every place, as pixels, drawn again and again while it trains.

`plot_boundary` makes the same picture with axes and words, in a hundred times the time.
"""

from base64 import b64encode
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

import numpy
from numpy import ndarray

from scalargrad.arrays import quiet
from scalargrad.drawing.palette import LIGHT
from scalargrad.plots.places import SHADES

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

SIDE = 300  # pixels; twice as many are drawn, for screens that have them
AROUND = 0.08  # of the extent of the points
MOST_POINTS = 600  # that are drawn
RADIUS = 7.0  # of a point, in pixels that are drawn
AREAS = (("tint-positive-4", 0.9), ("tint-negative-4", 0.9), ("parameter", 0.45), ("output", 0.45))  # at most so deep
COLOURS = ("positive", "negative", "parameter", "output")  # of classes, which have shapes besides
SHAPES = ("dots", "diamonds", "squares", "triangles")
CORNERS = {
    "diamonds": ((0.0, -1.2), (1.2, 0.0), (0.0, 1.2), (-1.2, 0.0)),
    "squares": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
    "triangles": ((0.0, -1.2), (1.1, 0.9), (-1.1, 0.9)),
}


class Says(NamedTuple):
    """A model's words about some places.

    scores    [places]: of one output, from 0 and below to 1 and above; of classes, the probability of that chosen
    chosen    [places]: the class, by its position; None for one output
    """

    scores: ndarray
    chosen: ndarray | None = None


class Map:
    """A square of the plane around points, with what a model says there.

    points   [rows, 2], of which some hundred are drawn
    classes  [rows]: their classes by position, or numbers between 0 and 1 where `lined` is False
    cells    places along each side at which the model is asked
    lined    is there a line where a score of one output is 0.5?
    """

    def __init__(self, points: ndarray, classes: ndarray, cells: int, lined: bool = True) -> None:
        stride = -(-len(points) // MOST_POINTS)
        self.points, self.classes = numpy.asarray(points[::stride], "float64"), classes[::stride]
        self.cells, self.lined = cells, lined
        low, high = self.points.min(axis=0), self.points.max(axis=0)
        border = numpy.where(high > low, (high - low) * AROUND, 1.0)
        self.low, self.high = low - border, high + border
        across, upward = (numpy.linspace(begin, end, cells) for begin, end in zip(self.low, self.high, strict=True))
        x1, x2 = numpy.meshgrid(across, upward[::-1])
        self.places = numpy.stack([x1.ravel(), x2.ravel()], axis=1)  # [cells * cells, 2], the upper left one first

    def legend(self, names: list[str]) -> str:
        """The classes of these names in words: their shapes."""
        if not self.lined:
            return "orange is more, blue is less; the dots are the samples"
        if len(names) > len(SHAPES):
            return "the samples bear the numbers of their classes"
        shapes = ", ".join(f"{shape}: {name}" for shape, name in zip(SHAPES, names, strict=False))
        return shapes if len(names) > 2 else f"{shapes}, line: where they meet"

    @quiet
    def png(self, says: Says, count: int) -> bytes:
        """The picture of what was said about `places`, of `count` classes, as a PNG of 2 SIDE pixels each way."""
        from PIL import Image, ImageDraw

        scores = self._smooth(says.scores)
        known = numpy.isfinite(scores)
        pixels = _shaded(numpy.where(known, scores, 0.5)) if says.chosen is None else self._by_class(says, count)
        pixels[~known] = _rgb("tint-zero")
        if self.lined and says.chosen is None:
            upper = scores > 0.5
            edge = numpy.zeros_like(upper)
            edge[:, 1:] |= upper[:, 1:] != upper[:, :-1]
            edge[1:] |= upper[1:] != upper[:-1]
            edge[:, :-1] |= edge[:, 1:].copy()
            edge[:-1] |= edge[1:].copy()
            pixels[edge & known] = _rgb("ink")
        image = Image.fromarray(pixels)
        canvas = ImageDraw.Draw(image)
        shares = (self.points - self.low) / (self.high - self.low)
        for (x, y), label in zip(shares.tolist(), self.classes.tolist(), strict=True):
            self._point(canvas, 2 * SIDE * x, 2 * SIDE * (1 - y), label, count)
        file = BytesIO()
        image.save(file, "PNG", compress_level=3)
        return file.getvalue()

    def _smooth(self, numbers: ndarray) -> ndarray:
        """[2 SIDE, 2 SIDE] from one number for each place."""
        from PIL import Image

        square = Image.fromarray(numbers.reshape(self.cells, self.cells).astype("float32"))
        return numpy.asarray(square.resize((2 * SIDE, 2 * SIDE), Image.Resampling.BILINEAR))

    def _by_class(self, says: Says, count: int) -> ndarray:
        """Pixels in the tints of the classes; where they meet, each class has the pixels for which it scores most."""
        assert says.chosen is not None
        shares = numpy.stack(
            [self._smooth(numpy.where(says.chosen == label, says.scores, 0.0)) for label in range(count)]
        )
        paper, chosen = numpy.array(_rgb("ground"), "float64"), shares.argmax(axis=0)
        areas = [AREAS[label % len(AREAS)] for label in range(count)]
        deepest = numpy.array([depth * (numpy.array(_rgb(part)) - paper) for part, depth in areas])
        certainty = 0.3 + 0.7 * numpy.clip(shares.max(axis=0), 0.0, 1.0)[:, :, None]
        return (paper + certainty * deepest[chosen]).astype("uint8")

    def _point(self, canvas: "ImageDraw", x: float, y: float, label: float, count: int) -> None:
        if not self.lined:
            shade = tuple(_shaded(numpy.array([[label]]))[0, 0].tolist())
            canvas.ellipse((x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS), shade, LIGHT["ink"])
            return
        place = int(label)
        fill, shape = LIGHT[COLOURS[place % len(COLOURS)]], SHAPES[place % len(SHAPES)]
        if count > len(SHAPES):
            canvas.text((x, y), str(place), LIGHT[COLOURS[place % len(COLOURS)]], anchor="mm", font_size=20)
        elif shape == "dots":
            canvas.ellipse((x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS), fill, LIGHT["ground"], 2)
        else:
            corners = [(x + RADIUS * across, y + RADIUS * down) for across, down in CORNERS[shape]]
            canvas.polygon(corners, fill, LIGHT["ground"], 2)


def as_source(png: bytes) -> str:
    """A PNG as the source of an image in HTML."""
    return f"data:image/png;base64,{b64encode(png).decode()}"


def asked(
    outputs: Callable[[ndarray], ndarray], probabilities: Callable[[ndarray], ndarray] | None, places: ndarray
) -> Says:
    """A model's words about places, from its outputs [places] or [places, classes]."""
    found = outputs(places)
    if found.ndim == 1:
        return Says(found if probabilities is None else probabilities(found)[:, 1])
    shares = found if probabilities is None else probabilities(found)
    chosen = shares.argmax(axis=1)
    scores = shares[numpy.arange(len(shares)), chosen]
    return Says(scores if probabilities else numpy.where(numpy.isfinite(scores), 1.0, numpy.nan), chosen)


def _shaded(scores: ndarray) -> ndarray:
    """Pixels, uint8 [.., .., 3], of scores: the shades of `plot_boundary`, blue below 0.5, orange above."""
    levels, colours = zip(*SHADES, strict=True)
    steps = numpy.array(levels) + numpy.array([0.0, 0.0, 1e-9, 0.0])  # a step at 0.5
    parts = numpy.array([_hex(colour) for colour in colours], "float64").T
    return numpy.stack([numpy.interp(scores, steps, part) for part in parts], axis=-1).astype("uint8")


def _rgb(part: str) -> tuple[int, ...]:
    return _hex(LIGHT[part])


def _hex(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))
