"""Places in the plane: points of two classes, and what a network says about every place between them."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, SupportsFloat

import numpy

from scalargrad.arrays import quiet
from scalargrad.checks import instance
from scalargrad.datasets.arrays import as_numbers, checked_inputs
from scalargrad.drawing.palette import LIGHT
from scalargrad.observers import no_grad
from scalargrad.operands import operand
from scalargrad.plots.frames import frame, legend, new_figure
from scalargrad.support.words import brief

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Blue and orange, and two shapes: told apart by every eye, and in grey.
CLASSES = [(0, LIGHT["positive"], "o"), (1, LIGHT["negative"], "D")]
# The colours of a place by the output there: one shade of blue to the next below 0.5, of orange above.
SHADES = [
    (0.0, LIGHT["tint-positive-3"]),
    (0.5, LIGHT["tint-positive-1"]),
    (0.5, LIGHT["tint-negative-1"]),
    (1.0, LIGHT["tint-negative-3"]),
]
GRID = 60  # places along each side at which a boundary picture asks the network
MARGIN = 0.4  # around the outermost points


@quiet
def plot_points(points: Sequence[Sequence[float]], labels: Sequence[int], title: str) -> "Figure":
    """Points [samples, 2] of the classes 0 and 1.

    >>> plot_points([[0.0, 1.0], [1.0, 0.0]], [0, 1], "Two points").axes[0].get_title(loc="left")
    'Two points'
    """
    figure = new_figure(6.4, 4.8)
    axes = figure.subplots()
    _scatter(axes, points, labels, title)
    legend(figure)
    return figure


def plot_boundary(
    output: Callable[[list[float]], SupportsFloat], points: Sequence[Sequence[float]], labels: Sequence[int], title: str
) -> "Figure":
    """Draw what a network says about every place: `output([x1, x2])` above 0.5 is class 1.

    The colour goes with the output, from 0 and below to 1 and above; a black line runs where it is 0.5.
    """
    from matplotlib.colors import LinearSegmentedColormap

    instance("output", output, Callable, "a function of a point [x1, x2]")
    figure = new_figure(6.4, 4.8)
    axes = figure.subplots()
    left, right, bottom, top = _scatter(axes, points, labels, title)
    across, upward = numpy.linspace(left, right, GRID), numpy.linspace(bottom, top, GRID)
    with no_grad():
        outputs = numpy.array(
            [[float(operand(output([x1, x2]), "output")) for x1 in across.tolist()] for x2 in upward.tolist()]
        )
    axes.grid(False)
    axes.imshow(
        outputs,
        cmap=LinearSegmentedColormap.from_list("shades", SHADES),
        vmin=0.0,
        vmax=1.0,
        extent=(left, right, bottom, top),
        origin="lower",
        interpolation="bilinear",
        aspect="auto",
        zorder=0,
    )
    if (outputs < 0.5).any() and (outputs > 0.5).any():  # else there is no line to draw
        axes.contour(across, upward, outputs, levels=[0.5], colors=LIGHT["ink"], linewidths=1.8, zorder=1)
        axes.plot([], [], color=LIGHT["ink"], linewidth=1.8, label="output 0.5")
    legend(figure)
    return figure


def _scatter(
    axes: "Axes", points: Sequence[Sequence[float]], labels: Sequence[int], title: str
) -> tuple[float, float, float, float]:
    """Draw the points; returns the left, right, lower and upper end of the picture."""
    places, classes = checked_inputs(points, "points").tolist(), as_numbers(labels, "labels").tolist()
    if len(places[0]) != 2 or len(classes) != len(places):
        raise ValueError(f"points are [x1, x2], each with a label, got {brief(points)} and labels {brief(labels)}")
    frame(axes)
    for label, colour, shape in CLASSES:
        chosen = [point for point, own in zip(places, classes, strict=True) if own == label]
        x1, x2 = [point[0] for point in chosen], [point[1] for point in chosen]
        axes.scatter(
            x1, x2, s=34, c=colour, marker=shape, edgecolors="white", linewidths=0.8, label=f"class {label}", zorder=2
        )
    axes.set_xlabel("x1")
    axes.set_ylabel("x2", rotation=0)
    axes.set_title(instance("title", title, str, "a text"), loc="left", color=LIGHT["ink"])
    x1, x2 = [point[0] for point in places], [point[1] for point in places]
    ends = min(x1) - MARGIN, max(x1) + MARGIN, min(x2) - MARGIN, max(x2) + MARGIN
    axes.set_xlim(*ends[:2])
    axes.set_ylim(*ends[2:])
    return ends
