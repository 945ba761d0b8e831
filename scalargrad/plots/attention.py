"""Attention: which tokens of a text a network looks back at, and how much, head by head."""

from collections.abc import Sequence
from functools import cache
from math import ceil, sqrt
from typing import TYPE_CHECKING, Any

from scalargrad.arrays import quiet
from scalargrad.checks import instance, listed
from scalargrad.drawing.palette import LIGHT
from scalargrad.operands import number
from scalargrad.plots.frames import letters, new_figure, title_width

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# From nothing to all of the weight, on white paper.
SHADES = [LIGHT["ground"], *(LIGHT[f"tint-positive-{step}"] for step in (1, 2, 3, 4)), LIGHT["positive"]]
CELL = 0.26  # inches of a weight
LETTER = 0.09  # inches that a letter of a token takes, generously


@quiet
def plot_attention(weights: Sequence[Sequence[Sequence[float]]], tokens: Sequence[str], title: str) -> "Figure":
    """Weights [heads][tokens][tokens so far], a panel a head: a row for each token, a column for each one looked at.

    Letters that the font lacks are shown by their numbers in Unicode. ValueError, if there are no weights, or a row has
    not one weight for each token up to its own.

    >>> figure = plot_attention([[[1.0], [0.25, 0.75]]], ["▸", "a"], "One head")
    >>> [axes.get_title() for axes in figure.axes], figure.axes[0].get_yticklabels()[1].get_text()
    (['head 1', ''], 'a')
    """
    import numpy
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap

    tokens = [
        instance("tokens", token, str, "a list of texts")
        for token in letters(tokens, "plot_attention", "a list of tokens")
    ]
    heads = [[_row(row) for row in _list(head)] for head in _list(weights)]
    if not heads or not tokens:
        raise ValueError("plot_attention has nothing to draw: no head, or no token")
    for head in heads:
        if [len(row) for row in head] != list(range(1, len(tokens) + 1)):
            shape = f"a row for each of {len(tokens)} tokens, with a weight for each up to its own"
            raise ValueError(f"weights of a head are {shape}, got rows of {[len(row) for row in head][:9]}")
    instance("title", title, str, "a text")
    shown, title = [_shown(token) for token in tokens], _shown(title)
    columns = ceil(sqrt(len(heads)))
    rows = ceil(len(heads) / columns)
    cell = max(CELL, LETTER * max(map(len, shown)) + 0.1)
    side = max(1.6, cell * len(tokens)) + 0.5
    figure = new_figure(max(columns * side + 1.0, title_width(title)), rows * side + 0.9)
    panels = figure.subplots(rows, columns, squeeze=False)
    shades = LinearSegmentedColormap.from_list("attention", SHADES)
    for place, axes in enumerate(panels.flat):
        if place >= len(heads):
            axes.set_axis_off()
            continue
        square = numpy.full((len(tokens), len(tokens)), numpy.nan)
        for step, row in enumerate(heads[place]):
            square[step, : step + 1] = row
        axes.set_facecolor(LIGHT["tint-zero"])  # which is seen where tokens are still to come
        axes.imshow(square, cmap=shades, vmin=0.0, vmax=1.0)
        axes.set_xticks(range(len(tokens)), shown, parse_math=False)
        axes.set_yticks(range(len(tokens)), shown, parse_math=False)
        axes.set_title(f"head {place + 1}", fontsize=9, color=LIGHT["ink"])
        axes.tick_params(length=0, colors=LIGHT["ink"])
        axes.spines[:].set_color(LIGHT["band-line"])
    figure.supxlabel("looks back at", fontsize="medium")
    figure.supylabel("having read", fontsize="medium")
    figure.colorbar(
        ScalarMappable(cmap=shades), ax=panels, shrink=0.8, label="weight: a row adds up to 1"
    ).outline.set_visible(False)
    figure.suptitle(title, x=0.02, ha="left", fontsize="large", color=LIGHT["ink"], parse_math=False)
    return figure


def _list(weights: object) -> Any:
    return listed(weights, "plot_attention", "weights [heads][tokens][tokens so far]")


def _row(weights: object) -> list[float]:
    return [number(weight, "plot_attention") for weight in _list(weights)]


def _shown(text: str) -> str:
    """The text, with the numbers of letters of which the font has no picture."""
    return "".join(letter if ord(letter) in _letters() else f"{ord(letter):X}" for letter in text)


@cache
def _letters() -> frozenset[int]:
    """Letters that matplotlib's font has."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset(get_font(findfont(FontProperties())).get_charmap())
