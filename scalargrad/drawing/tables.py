"""Tables and pictures of results in a cell of a notebook: HTML without scripts, in the colours of the page around it.

Notebooks are light or dark by their own choice, not by the browser's: so colours are mixed with that of the text
around, which is dark on light pages and light on dark ones.
"""

from collections.abc import Iterable, Sequence

from scalargrad.drawing.lettering import escaped
from scalargrad.drawing.palette import LIGHT

QUIET = "color-mix(in srgb, currentColor 22%, transparent)"  # lines between rows, and of grids
STRONG = {part: f"color-mix(in srgb, {LIGHT[part]} 62%, currentColor)" for part in ("output", "negative")}
MONO = "font-family:'DejaVu Sans Mono',Menlo,Consolas,monospace"
CELL = f"padding:3px 12px 3px 0;border:0;border-bottom:1px solid {QUIET};vertical-align:top"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> str:
    """An HTML table: the first columns, so many, are words and stand at the left, the others numbers at the right.

    headings   of the columns, or none

    >>> "<td" in table(["name", "size"], [["x<y", "3"]]), "x&lt;y" in table(["name", "size"], [["x<y", "3"]])
    (True, True)
    """

    def line(kind: str, cells: Sequence[str]) -> str:
        looks = ["text-align:left" if place < words else f"text-align:right;{MONO}" for place in range(len(cells))]
        return "".join(
            f'<{kind} style="{CELL};{look};font-weight:{"bold" if kind == "th" else "normal"}">{escaped(cell)}</{kind}>'
            for cell, look in zip(cells, looks, strict=True)
        )

    body = "".join(f'<tr style="background:none">{line("td", row)}</tr>' for row in rows)
    head = headings and f'<thead><tr style="background:none">{line("th", headings)}</tr></thead>'
    return (
        '<div style="overflow-x:auto"><table style="border-collapse:collapse;border:0;margin:4px 0;font-size:13px;'
        f'color:inherit">{head or ""}<tbody>{body}</tbody></table></div>'
    )


def titled(title: str, *parts: str) -> str:
    """Parts of HTML, one below the other, under a title."""
    return (
        "<div style=\"font-family:Verdana,'DejaVu Sans',Geneva,sans-serif;font-size:13px;line-height:1.5;"
        f'max-width:848px;color:inherit"><div style="font-weight:bold">{escaped(title)}</div>{"".join(parts)}</div>'
    )
