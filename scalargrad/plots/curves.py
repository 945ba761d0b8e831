"""How training went: each measure by epoch."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from scalargrad.arrays import quiet
from scalargrad.checks import instance, listed, real, whole
from scalargrad.drawing.curves import VALIDATION, ZOOM
from scalargrad.drawing.palette import LIGHT
from scalargrad.plots.frames import fitted, frame, legend, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy import ndarray

# Told apart by colour, and in grey by their dashes.
COLOURS = [LIGHT["positive"], LIGHT["negative"], LIGHT["parameter"], LIGHT["output"]]
WIDTH = 6.4  # inches of a picture
DASHES = ["-", "--", "-.", ":"]
NOTHING_KNOWN: Mapping[str, float] = MappingProxyType({})


class Curve(NamedTuple):
    """One line of a panel; a label other than "" is explained in the legend."""

    label: str
    numbers: "ndarray"
    colour: str
    dashes: str


def plot_curves(history: Mapping[str, Sequence[float]], title: str, first_epoch: int = 1) -> "Figure":
    """Each measure of a History by epoch, one panel below the other: what `fit` returned, or any dict of such lists.

    A measure and its "val_" share a panel: training is a solid line, validation a dashed one. Losses above 0 are
    drawn on a logarithmic scale. first_epoch is the epoch of the first numbers: 1, or 0 for the untrained network.

    >>> figure = plot_curves({"loss": [0.5, 0.2], "val_loss": [0.6, 0.4], "accuracy": [0.8, 0.9]}, "Two epochs")
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['loss', 'accuracy']
    """
    measures = _measures("history", history)
    validated = any(name.startswith(VALIDATION) for name in measures)
    panels: dict[str, list[Curve]] = {}
    for name, numbers in measures.items():
        if name.startswith(VALIDATION):
            curve = Curve("validation", numbers, LIGHT["negative"], "--")
        else:
            curve = Curve("training" if validated else "", numbers, LIGHT["output"], "-")
        panels.setdefault(name.removeprefix(VALIDATION), []).append(curve)
    return _draw(panels, title, first_epoch)


def plot_history(history: Mapping[str, Sequence[float]], title: str) -> "Figure":
    """The curves of a history that begins with the untrained network, at epoch 0."""
    return plot_curves(history, title, first_epoch=0)


def plot_comparison(
    histories: Mapping[str, Mapping[str, Sequence[float]]], measures: Iterable[str], title: str, first_epoch: int = 1
) -> "Figure":
    """Several runs in one picture: a panel for each of the measures, a line in it for each history, by its name.

    ValueError, if a history lacks one of the measures.

    >>> runs = {"Adam": {"loss": [0.5, 0.1]}, "SGD": {"loss": [0.9, 0.8]}}
    >>> [text.get_text() for text in plot_comparison(runs, ["loss"], "Two optimizers").legends[0].get_texts()]
    ['Adam', 'SGD']
    """
    panels: dict[str, list[Curve]] = {}
    instance("histories", histories, Mapping, "a dict of histories by the names of their runs")
    runs = {name: _measures("histories", history) for name, history in histories.items()}
    for measure in listed(measures, "plot_comparison", "a list of names of measures"):
        instance("measures", measure, str, "a list of names of measures")
        spoken = f"validation {measure.removeprefix(VALIDATION)}" if measure.startswith(VALIDATION) else measure
        panels[spoken] = []
        for place, (name, history) in enumerate(runs.items()):
            if measure not in history:
                has = ", ".join(history) or "nothing"
                raise ValueError(f"measures: the history of {name} has no {measure!r}; it has {has}")
            # After the fourth run each colour comes again, with other dashes.
            dashes = DASHES[(place + place // len(COLOURS)) % len(DASHES)]
            panels[spoken].append(Curve(name, history[measure], COLOURS[place % len(COLOURS)], dashes))
    return _draw(panels, title, first_epoch)


@quiet
def plot_steps(losses: Sequence[float], title: str, known: Mapping[str, float] = NOTHING_KNOWN) -> "Figure":
    """The loss of each step, pale, and its mean over the steps around; `known` losses by name are lines across.

    The mean is over a fiftieth of all steps, and over what there is of these at both ends.

    >>> [line.get_label() for line in plot_steps([3.0, 2.0, 2.5], "Three steps", {"a guess": 2.7}).axes[0].lines]
    ['a step', 'mean of the steps around', 'a guess']
    """
    import numpy
    from matplotlib.ticker import MaxNLocator

    numbers = _curve("losses", losses)
    if not len(numbers):
        raise ValueError("losses are none: there is nothing to draw, no step was made")
    instance("known", known, Mapping, "a dict of losses by name")
    known = {name: real("known", loss) for name, loss in known.items()}
    reach = 1 + len(numbers) // 100  # to both sides
    sums, places = numpy.concatenate([[0.0], numbers.cumsum()]), numpy.arange(len(numbers))
    begin, end = numpy.maximum(places - reach, 0), numpy.minimum(places + reach + 1, len(numbers))
    title = fitted(title, WIDTH)
    figure = new_figure(WIDTH, 3.4 + 0.2 * title.count("\n"))
    axes = figure.subplots()
    frame(axes)
    marker = "o" if len(numbers) == 1 else ""
    axes.plot(places + 1, numbers, color=LIGHT["tint-positive-4"], linewidth=0.8, marker=marker, label="a step")
    means = (sums[end] - sums[begin]) / (end - begin)
    axes.plot(places + 1, means, color=LIGHT["output"], linewidth=2.0, label="mean of the steps around")
    for (name, loss), dashes in zip(known.items(), cycle(DASHES[1:])):
        axes.axhline(loss, color=LIGHT["negative"], linestyle=dashes, linewidth=1.5, label=name)
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title(title, loc="left", color=LIGHT["ink"])
    legend(figure)
    return figure


def _measures(name: str, history: Mapping[str, Sequence[float]]) -> dict[str, "ndarray"]:
    """The curves of a History, each a row of numbers."""
    instance(name, history, Mapping, "what fit returned, or a dict of lists of numbers by measure")
    return {str(measure): _curve(f"{name}[{measure!r}]", numbers) for measure, numbers in history.items()}


def _curve(name: str, numbers: object) -> "ndarray":
    from scalargrad.datasets.arrays import as_numbers

    found = as_numbers(numbers, name).astype("float64")
    if found.ndim != 1:
        raise ValueError(f"{name} is a list of numbers, and has the shape {found.shape}")
    return found


@quiet
def _draw(panels: Mapping[str, Sequence[Curve]], title: str, first_epoch: int) -> "Figure":
    longest = max((len(curve.numbers) for curves in panels.values() for curve in curves), default=0)
    if longest == 0:
        raise ValueError("history holds no epoch: there is nothing to draw")
    whole("first_epoch", first_epoch, 0)
    title = fitted(title, WIDTH)
    figure = new_figure(WIDTH, 2.6 * len(panels) + 0.2 * title.count("\n"))
    rows = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
    for axes, (name, curves) in zip(rows, panels.items(), strict=True):
        frame(axes)
        for label, numbers, colour, dashes in curves:
            # A line through one point has no length, so a dot is put there.
            marker = "o" if len(numbers) == 1 else ""
            epochs = range(first_epoch, first_epoch + len(numbers))
            (line,) = axes.plot(epochs, numbers, color=colour, linestyle=dashes, linewidth=2.0, marker=marker)
            if label:
                line.set_label(label)
        axes.set_ylabel(name)
        _scale(axes, name, [number for curve in curves for number in curve.numbers])
    rows[-1].set_xlabel("epoch")
    rows[-1].xaxis.get_major_locator().set_params(integer=True)
    if longest == 1:
        rows[-1].set_xticks([first_epoch])
    else:
        rows[-1].set_xlim(first_epoch, first_epoch + longest - 1)
    rows[0].set_title(title, loc="left", color=LIGHT["ink"])
    named = {line.get_label(): line for axes in rows for line in axes.lines if not line.get_label().startswith("_")}
    if named:
        legend(figure, list(named.values()), columns=4)
    return figure


def _scale(axes: "Axes", name: str, numbers: Sequence[float]) -> None:
    """The scale of a panel that suits its measure."""
    numbers = [number for number in numbers if math.isfinite(number)]
    if not numbers:
        return
    if name.endswith("accuracy"):
        if min(numbers) > ZOOM:
            low, high = axes.get_ylim()
            axes.set_ylim(top=min(high, 1.0 + 0.03 * (1.0 - low)))
        else:
            axes.set_ylim(-0.03, 1.03)
        axes.yaxis.set_major_formatter(lambda share, position: f"{100 * share:.4g}%")
    elif name.endswith("r2"):
        if min(numbers) < -1.0:  # far below, a scale that still shows what happens near 1
            axes.set_yscale("symlog", linthresh=1.0)
    elif min(numbers) > 0.0:
        axes.set_yscale("log")
