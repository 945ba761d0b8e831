"""draw: the picture of a computation graph, as SVG, as DOT, or as a file."""

import zlib
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from scalargrad.checks import file_name, instance, one_of
from scalargrad.drawing.display import figure_html, much_narrower
from scalargrad.drawing.folding import COARSER, DETAILS, MOST_CARDS
from scalargrad.drawing.layout import Layout, lay_out
from scalargrad.drawing.lettering import number
from scalargrad.drawing.palette import THEMES
from scalargrad.drawing.picture import GraphPicture
from scalargrad.drawing.svg import SvgWriter
from scalargrad.drawing.view import View, view_at, view_of
from scalargrad.engine import Value
from scalargrad.files.atomic import replace_file
from scalargrad.support.words import brief

if TYPE_CHECKING:
    import graphviz
    from PIL.Image import Image

BY_GRAPHVIZ = (".png", ".pdf")
AS_DOT = (".dot", ".gv")

_figures = count(1)


def draw(
    value: Value,
    *,
    theme: str | None = None,
    detail: str | None = None,
    names: Mapping[str, object] | None = None,
    title: str = "",
) -> "Drawing":
    """The computation graph of `value`, with data, gradients and local derivatives, as it is now.

    theme   "light", "dark", or "auto": as the reader's notebook or browser is set; None is "auto" in a notebook, where
            a picture is on somebody's page, and "light" in files, which may be printed
    detail  "values"  every value a card
            "folded"  a dot, or an unlabelled chain of additions, is one Σ card
            "units"   one card per neuron, edges are weights
            "layers"  one card per layer
            None      chosen by size
    names   the user's variables, for values without a label: `draw(loss, names=locals())`
    title   the heading

    In a notebook the result shows itself, fitted to the cell: where its texts would be too small it runs downwards
    or is folded further. Elsewhere `.save("x.svg")`.

    >>> x = Value(3.0, "x"); y = x * x; y.backward()
    >>> draw(y)
    <Drawing of x*x = 9: 2 values, after backward()>
    """
    if not isinstance(value, Value):
        raise TypeError(f"draw takes a Value, got {brief(value)}; draw a network by its output: draw(model(x))")
    check_options("light" if theme is None else theme, detail, names, title)
    return Drawing(view_of(value, detail, names), theme, title)


def check_options(theme: object, detail: object, names: object, title: object) -> None:
    """A ValueError or TypeError that lists the choices, for an option that is none of them."""
    one_of("theme", theme, THEMES)
    if detail is not None:
        one_of("detail", detail, DETAILS, ", or None")
    if names is not None and not (isinstance(names, Mapping) and all(isinstance(name, str) for name in names)):
        raise TypeError(f"names takes a dict from names to Values such as locals(), got {brief(names)}")
    instance("title", title, str, "a text")


class Drawing:
    """A picture of a graph: what was drawn is fixed, training on does not change it.

    view    the cards and edges, in the order in which the SVG numbers them; `view.values` are the Values
    id      the id of the SVG element, unique per figure
    """

    def __init__(self, view: View, theme: str | None = None, title: str = "") -> None:
        self.view, self.theme, self.title = view, theme or "light", title
        self.theme_of_pages = theme or "auto"
        self.description = view.description
        self.heading = title or f"{view.output_name} = {number(view.values[-1].data)}"
        self.id = self._new_id()
        self._svg = ""

    def _new_id(self) -> str:
        content = repr([(card.name, card.data, card.grad) for card in self.view.cards]).encode(errors="replace")
        return f"scalargrad-{zlib.crc32(content):08x}-{next(_figures)}"

    def svg(self) -> str:
        """The picture as SVG: one element, needing nothing else."""
        if not self._svg:
            self._svg = self._document(SvgWriter(self.id, self.theme), self.view, lay_out([self.view]))
        return self._svg

    def _document(self, writer: SvgWriter, view: View, layout: Layout) -> str:
        body, size = self.elements(writer, view, layout)
        return writer.document(size, f"{self.heading}: {view.summary}", self.description, body)

    def html(self) -> str:
        """The picture for a cell or a page, as wide as there is room: see display.py."""
        figure = self._new_id()  # another one each time: a page may show a drawing twice
        pictures = (
            self._document(SvgWriter(f"{figure}-{place}", self.theme_of_pages), view, layout)
            for place, ((view,), layout) in enumerate(views_by_width([self.view]))
        )
        return figure_html(figure, much_narrower(pictures), f"{self.heading}: {self.view.summary}. {self.description}")

    def elements(
        self, writer: SvgWriter, view: View | None = None, layout: Layout | None = None
    ) -> tuple[list[str], tuple[float, float]]:
        """The contents of the SVG element, and its width and height; of another view of the graph, laid out."""
        view = view or self.view
        return GraphPicture(writer, view, layout or lay_out([view])).elements(self.heading)

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
        path = Path(file_name(path))
        if path.suffix.lower() not in (".svg", *AS_DOT, *BY_GRAPHVIZ):
            raise ValueError(f"path: a drawing is saved as .svg, .png, .pdf, .dot or .gv, got {path.name!r:.100}")
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
        return {"text/html": self.html(), "image/svg+xml": self.svg(), "text/plain": repr(self)}

    def __repr__(self) -> str:
        return f"<Drawing of {self.heading}: {self.view.summary}>"


def views_by_width(views: list[View]) -> Iterator[tuple[list[View], Layout]]:
    """Graphs of one structure for less and less room: downwards, and at each coarser detail both ways."""
    yield views, lay_out(views)
    if len(views[0].cards) <= MOST_CARDS:
        yield views, lay_out(views, downwards=True)
    for detail in (*DETAILS[DETAILS.index(views[0].detail) + 1 :], *COARSER):
        coarser = [view_at(view.snapshot, detail) for view in views]
        for downwards in (False, True):
            yield coarser, lay_out(coarser, downwards)
