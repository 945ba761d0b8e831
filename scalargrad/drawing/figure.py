"""draw: the picture of a computation graph, as SVG, as DOT, or as a file."""

import zlib
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from scalargrad.drawing.folding import DETAILS
from scalargrad.drawing.layout import Layout, lay_out
from scalargrad.drawing.lettering import number
from scalargrad.drawing.palette import THEMES
from scalargrad.drawing.picture import GraphPicture
from scalargrad.drawing.svg import SvgWriter
from scalargrad.drawing.view import View, view_of
from scalargrad.engine import Value
from scalargrad.files.atomic import replace_file

if TYPE_CHECKING:
    import graphviz
    from PIL.Image import Image

BY_GRAPHVIZ = (".png", ".pdf")
AS_DOT = (".dot", ".gv")

_figures = count(1)


def draw(
    value: Value,
    *,
    theme: str = "light",
    detail: str | None = None,
    names: Mapping[str, object] | None = None,
    title: str = "",
) -> "Drawing":
    """The computation graph of `value`, with data, gradients and local derivatives, as it is now.

    theme   "light", "dark", or "auto": as the reader's browser is set
    detail  "values"  every value a card
            "folded"  a dot, or an unlabelled chain of additions, is one Σ card
            "units"   one card per neuron, edges are weights
            "layers"  one card per layer
            None      chosen by size
    names   the user's variables, for values without a label: `draw(loss, names=locals())`
    title   the heading

    In a notebook the result shows itself; elsewhere `.save("x.svg")`.

    >>> x = Value(3.0, "x"); y = x * x; y.backward()
    >>> draw(y)
    <Drawing of x*x = 9: 2 values, after backward()>
    """
    if not isinstance(value, Value):
        raise TypeError(f"draw takes a Value, got {value!r}; draw a network by its output: draw(model(x))")
    check_options(theme, detail, names, title)
    return Drawing(view_of(value, detail, names), theme, title)


def check_options(theme: object, detail: object, names: object, title: object) -> None:
    """A ValueError or TypeError that lists the choices, for an option that is none of them."""
    if theme not in THEMES:
        raise ValueError(f"theme is one of {', '.join(map(repr, THEMES))}, got {theme!r}")
    if detail is not None and detail not in DETAILS:
        raise ValueError(f"detail is one of {', '.join(map(repr, DETAILS))} or None, got {detail!r}")
    if names is not None and not isinstance(names, Mapping):
        raise TypeError(f"names takes a dict from names to Values such as locals(), got {names!r}")
    if not isinstance(title, str):
        raise TypeError(f"title takes a text, got {title!r}")


class Drawing:
    """A picture of a graph: what was drawn is fixed, training on does not change it.

    view    the cards and edges, in the order in which the SVG numbers them; `view.values` are the Values
    id      the id of the SVG element, unique per figure
    """

    def __init__(self, view: View, theme: str, title: str = "") -> None:
        self.view, self.theme, self.title = view, theme, title
        self.description = view.description
        self.heading = title or f"{view.output_name} = {number(view.values[-1].data)}"
        content = repr([(card.name, card.data, card.grad) for card in view.cards]).encode(errors="replace")
        self.id = f"scalargrad-{zlib.crc32(content):08x}-{next(_figures)}"
        self._svg = ""

    def svg(self) -> str:
        """The picture as SVG: one element, needing nothing else."""
        if not self._svg:
            writer = SvgWriter(self.id, self.theme)
            body, size = self.elements(writer)
            self._svg = writer.document(size, f"{self.heading}: {self.view.summary}", self.description, body)
        return self._svg

    def elements(self, writer: SvgWriter, shared: Layout | None = None) -> tuple[list[str], tuple[float, float]]:
        """The contents of the SVG element, and its width and height; in a geometry of several pictures or its own."""
        return GraphPicture(writer, self.view, shared or lay_out([self.view])).elements(self.heading)

    def image(self) -> "Image":
        """The picture as pixels, drawn by Graphviz."""
        from io import BytesIO

        from PIL import Image

        from scalargrad.drawing.digraph import rendered

        return Image.open(BytesIO(rendered(self.dot(), "png"))).convert("RGB")

    def dot(self) -> "graphviz.Digraph":
        """The same cards and edges for Graphviz; the values are boxes, the operations stand on their own."""
        from scalargrad.drawing.digraph import digraph_of

        return digraph_of(self.view, self.theme, self.heading)

    def save(self, path: str | Path) -> Path:
        """Write the picture: .svg or .dot by ourselves, .png or .pdf by Graphviz. Returns the path.

        ValueError for other endings. RuntimeError, if there is no Graphviz for what it draws.
        """
        path = Path(path)
        if path.suffix.lower() not in (".svg", *AS_DOT, *BY_GRAPHVIZ):
            raise ValueError(f"a drawing is saved as .svg, .png, .pdf, .dot or .gv, got {path.name!r:.100}")
        replace_file(path, self.contents(path.suffix))
        return path

    def contents(self, suffix: str) -> bytes:
        """The contents of a file of this ending."""
        suffix = suffix.lower()
        if suffix == ".svg":
            return self.svg().encode()
        if suffix in AS_DOT:
            return self.dot().source.encode()
        from scalargrad.drawing.digraph import rendered

        return rendered(self.dot(), suffix[1:])

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"image/svg+xml": self.svg(), "text/plain": repr(self)}

    def __repr__(self) -> str:
        return f"<Drawing of {self.heading}: {self.view.summary}>"
