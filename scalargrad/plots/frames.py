"""Shared by all pictures: a figure, the frame around a panel, the legend."""

import textwrap
from collections.abc import Sequence
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any

from scalargrad.checks import instance, listed
from scalargrad.drawing.palette import LIGHT

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE_LETTER = 0.1  # inches that a letter of a title takes, generously


def new_figure(width: float, height: float) -> "Figure":
    """A figure of its own, in inches: pyplot, which keeps every figure that it makes, is not asked."""
    return _figure_class()(figsize=(width, height), dpi=150, layout="constrained", facecolor=LIGHT["ground"])


@cache
def _figure_class() -> type["Figure"]:
    from matplotlib.figure import Figure

    class NotebookFigure(Figure):
        """Notebooks show figures once pyplot has made one; these are shown without it."""

        def _repr_png_(self) -> bytes:
            picture = BytesIO()
            self.savefig(picture, format="png")
            return picture.getvalue()

    return NotebookFigure


def frame(axes: "Axes") -> None:
    """Two quiet lines, at the left and below, and a grid behind the data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(LIGHT["band-line"])
    axes.tick_params(colors=LIGHT["muted"], which="both")
    axes.grid(color=LIGHT["tint-zero"])
    axes.set_axisbelow(True)


def legend(figure: "Figure", handles: "Sequence[Artist] | None" = None, columns: int = 3) -> None:
    """Below the picture, where it hides nothing: of these handles, or else of all that has a label."""
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)


def letters(names: Sequence[Any], taker: str, wanted: str) -> Sequence[Any]:
    """A list of names, or a text, of which each letter is one."""
    return [*names] if isinstance(names, str) else listed(names, taker, wanted)


def fitted(title: str, width: float) -> str:
    """A title in lines that fit into so many inches."""
    instance("title", title, str, "a text")
    return "\n".join(textwrap.fill(line, int((width - 0.4) / TITLE_LETTER)) for line in title.split("\n"))


def title_width(title: str) -> float:
    """Inches that a title needs, where the picture below it could be narrower."""
    instance("title", title, str, "a text")
    return 0.4 + TITLE_LETTER * max(map(len, title.split("\n")))
