"""A classifier right and wrong: how often which class is taken for which, and which images."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy
from numpy import ndarray

from scalargrad.arrays import quiet
from scalargrad.checks import listed, whole
from scalargrad.datasets.arrays import as_numbers
from scalargrad.drawing.palette import LIGHT
from scalargrad.plots.frames import legend, letters, new_figure, title_width

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# From paper to the darkest on which black text is read well: blue for what is right, orange for mistakes.
RIGHT = [LIGHT["ground"], *(LIGHT[f"tint-positive-{step}"] for step in (1, 2, 3, 4))]
MISTAKEN = [LIGHT[f"tint-negative-{step}"] for step in (1, 2, 3, 4)]
CELL = 0.55  # inches of a cell of the confusion matrix
LETTER = 0.075  # inches that a letter of a caption takes, generously
POINTS = 72  # of a font, an inch


@quiet
def plot_confusion(matrix: object, classes: Sequence[object], title: str) -> "Figure":
    """Draw counts [classes, classes] of which class was taken for which: a row a true class, a column a prediction.

    The deeper a cell's blue (right) or orange (a mistake), the larger its share of its row. Mistakes have a scale of
    their own, up to the largest share among them: beside a thousand hits, one would not see them. ValueError, if the
    matrix does not hold whole numbers from 0 on, one row and one column a class.

    >>> figure = plot_confusion([[50, 0], [3, 47]], ["setosa", "virginica"], "97 of 100")
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['50', '0', '3', '47']
    """
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.patches import Patch

    names = [str(name) for name in letters(classes, "plot_confusion", "a list of classes")]
    counts = _checked_counts(matrix, len(names))
    shares = counts / numpy.maximum(counts.sum(axis=1, keepdims=True), 1)
    diagonal = numpy.eye(len(names), dtype=bool)
    worst = shares[~diagonal].max(initial=0.0)
    right = LinearSegmentedColormap.from_list("right", RIGHT)(shares)
    mistaken = LinearSegmentedColormap.from_list("mistaken", MISTAKEN)(shares / (worst or 1.0))
    none = numpy.array([1.0, 1.0, 1.0, 1.0])
    colours = numpy.where(diagonal[:, :, None], right, numpy.where(counts[:, :, None] > 0, mistaken, none))

    texts = [[f"{count:,}" for count in row] for row in counts.tolist()]
    longest_count = max(len(text) for row in texts for text in row)
    longest_name = max(map(len, names))
    cell = max(CELL, LETTER * longest_count + 0.15)
    across = len(names) * cell
    width = max(across + LETTER * longest_name + 1.1, title_width(title), 3.6)
    slanted = LETTER * longest_name > cell
    figure = new_figure(width, across + 1.6 + (LETTER * longest_name if slanted else 0.0))
    axes = figure.subplots()
    axes.imshow(colours)
    for row, column in numpy.ndindex(counts.shape):
        colour = LIGHT["ink"] if counts[row, column] else LIGHT["muted"]
        axes.text(column, row, texts[row][column], ha="center", va="center", fontsize=9, color=colour)
    axes.set_xticks(range(len(names)), names, rotation=90 if slanted else 0)
    axes.set_yticks(range(len(names)), names)
    # White lines between the cells.
    axes.set_xticks(numpy.arange(len(names) - 1) + 0.5, minor=True)
    axes.set_yticks(numpy.arange(len(names) - 1) + 0.5, minor=True)
    axes.grid(which="minor", color=LIGHT["band-line"], linewidth=0.8)
    axes.tick_params(which="both", length=0, colors=LIGHT["ink"])
    axes.spines[:].set_color(LIGHT["band-line"])
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    figure.suptitle(title, x=0.02, ha="left", fontsize="large", color=LIGHT["ink"])
    key = [Patch(facecolor=RIGHT[-1], label="right: 100% of its row")]
    if worst:
        key.append(Patch(facecolor=MISTAKEN[-1], label=f"mistaken: {100 * worst:.2g}% of its row"))
    legend(figure, key, columns=2 if width > 4.5 else 1)
    return figure


@quiet
def plot_images(images: object, titles: Sequence[str], title: str, columns: int = 6) -> "Figure":
    """Small square images [n, pixels], each under its own title: 0.0 is white paper, 1.0 (or the largest) black ink.

    ValueError, if there is no image, if the pixels make no square, or if the titles are not as many as the images.

    >>> figure = plot_images([[0.0, 1.0, 1.0, 0.0]], ["4, not 9 (0.98)"], "The worst")
    >>> figure.axes[0].get_title()
    '4, not 9 (0.98)'
    """
    pixels = as_numbers(images, "images").astype("float64")
    titles = listed(titles, "plot_images", "a list of titles")
    if pixels.ndim != 2 or len(pixels) == 0 or math.isqrt(pixels.shape[1]) ** 2 != pixels.shape[1] or not pixels.size:
        raise ValueError(f"images is [n, pixels], at least one image of side * side pixels, got {list(pixels.shape)}")
    if not numpy.isfinite(pixels).all():
        raise ValueError("images has pixels that are inf or NaN")
    if len(titles) != len(pixels):
        raise ValueError(f"plot_images takes a title for each image, got {len(pixels)} images and {len(titles)} titles")
    columns = whole("columns", columns, 1)
    side = math.isqrt(pixels.shape[1])
    columns = min(columns, len(pixels))
    rows = -(-len(pixels) // columns)
    lines = [line for text in titles for line in str(text).split("\n")]
    tile = max(1.1, LETTER * max(map(len, lines)) + 0.15)
    figure = new_figure(max(columns * tile + 0.2, title_width(title)), rows * (tile + 0.2) + 0.5)
    paper, ink = min(0.0, pixels.min()), max(1.0, pixels.max())
    for place, (image, text) in enumerate(zip(pixels, titles, strict=True), start=1):
        axes = figure.add_subplot(rows, columns, place)
        axes.imshow(image.reshape(side, side), cmap="gray_r", vmin=paper, vmax=ink)
        axes.set_title(str(text), fontsize=9, color=LIGHT["ink"])
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_color(LIGHT["band-line"])
    figure.suptitle(title, x=0.02, ha="left", fontsize="large", color=LIGHT["ink"])
    return figure


def _checked_counts(matrix: object, classes: int) -> ndarray:
    """The matrix as int64 [classes, classes]."""
    counts = as_numbers(matrix, "matrix")
    if classes == 0 or counts.shape != (classes, classes):
        raise ValueError(f"matrix of {classes} classes is [{classes}, {classes}], got {list(counts.shape)}")
    if counts.dtype.kind not in "iuf" or (counts < 0).any() or (counts != numpy.floor(counts)).any():
        raise ValueError("matrix holds counts, whole numbers from 0 on; multiply shares by the number of samples")
    return counts.astype("int64")
