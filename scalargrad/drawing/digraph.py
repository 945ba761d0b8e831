"""Writes a picture as DOT, for Graphviz: a box for each card, its operation on its own in front of it."""

from typing import TYPE_CHECKING

from scalargrad.drawing.layout import MOST_PILLS, pill_text
from scalargrad.drawing.lettering import visible
from scalargrad.drawing.palette import THEMES
from scalargrad.drawing.view import Card, View

if TYPE_CHECKING:
    import graphviz

MOST_CHARACTERS = 60
LONGEST_TOOLTIP = 1000  # Graphviz refuses strings beyond 16384


def digraph_of(view: View, theme: str, heading: str) -> "graphviz.Digraph":
    """The cards and edges of a view as a graphviz.Digraph; `theme="auto"` is the light one here."""
    from graphviz import Digraph

    colours = THEMES[theme][0]
    graph = Digraph(
        "scalargrad",
        graph_attr={
            "rankdir": "LR",
            "bgcolor": colours["ground"],
            "fontcolor": colours["ink"],
            "fontname": "Helvetica",
            "labelloc": "t",
            "label": _html(f"<B>{as_entities(heading)}</B><BR/>{as_entities(view.summary)}"),
        },
        node_attr={"shape": "plain", "fontname": "Helvetica", "fontsize": "11", "fontcolor": colours["ink"]},
        edge_attr={"fontname": "Helvetica", "fontsize": "9", "fontcolor": colours["ink"], "arrowsize": "0.6"},
    )
    for place, card in enumerate(view.cards):
        graph.node(f"value{place}", _html(_table(card, colours)), tooltip=_tooltip(card.explanation))
        if card.badge:
            badge = {"shape": "ellipse", "style": "filled", "fillcolor": colours["badge"], "margin": "0.04"}
            graph.node(f"operation{place}", _html(as_entities(card.badge)), fontcolor=colours["badge-ink"], **badge)
            graph.edge(f"operation{place}", f"value{place}", color=colours["zero"])
    for edge in view.edges:
        end = "operation" if view.cards[edge.target].badge else "value"
        style = {"color": colours[edge.colour], "tooltip": _tooltip(edge.explanation)}
        if edge.slope is not None and len(view.edges) <= MOST_PILLS:
            style["label"] = pill_text(edge)
        if edge.flow == 0.0:
            style["style"] = "dashed"
        graph.edge(f"value{edge.source}", f"{end}{edge.target}", **style)
    return graph


def rendered(graph: "graphviz.Digraph", file_format: str) -> bytes:
    """The graph as Graphviz draws it, or a RuntimeError that says what to install."""
    from graphviz import CalledProcessError, ExecutableNotFound

    try:
        return graph.pipe(format=file_format)
    except ExecutableNotFound:
        raise RuntimeError(
            "pictures other than .svg are drawn by Graphviz's program `dot`, which is not installed here: get it from "
            "graphviz.org or your package manager, or save the picture as .svg, which needs no program"
        ) from None
    except (CalledProcessError, OSError) as error:
        said = " ".join((getattr(error, "stderr", None) or b"").decode(errors="replace").split())
        raise RuntimeError(f"Graphviz's program `dot` made no {file_format}: {said[:300] or error}") from error


def as_entities(text: str) -> str:
    """`text` for an HTML-like label: letters and digits as they are, whatever could mean something as its number.

    >>> as_entities("a<b")
    'a&#60;b'
    """
    shown = visible(text)
    shown = shown if len(shown) <= MOST_CHARACTERS else shown[:MOST_CHARACTERS] + "…"
    return "".join(x if x.isalnum() or x in " _.()+" else f"&#{ord(x)};" for x in shown)


def _html(markup: str) -> str:
    return f"<{markup}>"  # angle brackets outside: Graphviz's sign for markup


def _tooltip(text: str) -> str:
    return visible(text[:LONGEST_TOOLTIP]).replace("&", "&amp;").replace("\\", "\\\\")


def _table(card: Card, colours: dict[str, str]) -> str:
    columns = 2 if card.grad else 1
    border = 3 if card.kind == "output" else 1
    cells = f'<TD WIDTH="56">data<BR/><FONT COLOR="{colours[card.data_colour]}">{as_entities(card.data)}</FONT></TD>'
    if card.grad:
        ink = colours[card.grad_colour]
        cells += f'<TD WIDTH="56" BGCOLOR="{colours[card.tint]}">grad<BR/><FONT COLOR="{ink}">'
        cells += f"<B>{as_entities(card.grad)}</B></FONT></TD>"
    tag = f"  {as_entities(card.tag)}" if card.tag else ""
    return (
        f'<TABLE BORDER="{border}" CELLBORDER="0" CELLSPACING="0" CELLPADDING="4" COLOR="{colours[card.kind]}" '
        f'BGCOLOR="{colours["card"]}"><TR><TD COLSPAN="{columns}" BGCOLOR="{colours["header"]}">'
        f"<B>{as_entities(card.name) or ' '}</B>{tag}</TD></TR><TR>{cells}</TR></TABLE>"
    )
