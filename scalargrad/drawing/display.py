"""HTML in which a picture fits its place: an image that every host shows, and a script that brings it to life.

A host that runs no scripts, or strips them, is left with the image. The script puts its SVG in its place, or a coarser
one where the texts would be too small: so tooltips are alive, and there are zoom and pan.
"""

import base64
import json
import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources

from scalargrad.drawing.lettering import escaped

LEAST_TEXT = 9.0  # pixels
NARROWEST_CELL, WIDEST_CELL = 360, 1500  # pixels, for which a picture has a size of its own
MUCH_NARROWER = 0.85


def figure_html(figure: str, pictures: Sequence[str], description: str) -> str:
    """The element `figure` with these SVGs, the finest first."""
    source = base64.b64encode(pictures[0].encode()).decode()
    views = [[least_width(svg), svg if place else None] for place, svg in enumerate(pictures)]
    arguments = ",".join(map(_inside_script, (figure, views, _file("display.css").replace("ID", f"#{figure}"))))
    return (
        f'<div id="{figure}" class="scalargrad-figure" data-lm-suppress-shortcuts="true">'
        f'<img alt="{escaped(description)}" style="max-width:100%" src="data:image/svg+xml;base64,{source}"></div>\n'
        f"<script>\n{_file('display.js').rstrip()}({arguments});\n</script>"
    )


def much_narrower(pictures: Iterable[str]) -> list[str]:
    """The first of these SVGs, and of the others those that do with much less room than any before."""
    chosen: list[str] = []
    for svg in pictures:
        least = least_width(svg)
        is_narrow = chosen and (least <= NARROWEST_CELL or least < MUCH_NARROWER * least_width(chosen[-1]))
        if not chosen or (is_narrow and least < WIDEST_CELL):
            chosen.append(svg)
        if least <= NARROWEST_CELL:
            break
    return chosen


def least_width(svg: str) -> int:
    """The width in pixels at which the smallest text of a picture can be read, or that of the picture.

    >>> least_width('<svg width="300"><text font-size="12">x</text><text font-size="10">y</text></svg>')
    270
    """
    (width,) = re.findall(r'<svg[^>]* width="(\d+)"', svg)
    smallest = min(map(float, re.findall(r'<text[^>]* font-size="([\d.]+)"', svg)), default=LEAST_TEXT)
    return int(-(-int(width) * min(LEAST_TEXT / smallest, 1.0) // 1))


@cache
def _file(name: str) -> str:
    return resources.files("scalargrad.drawing").joinpath(name).read_text(encoding="utf-8")


def _inside_script(data: object) -> str:
    """JSON in ASCII without what could end, or comment out, the script element around it."""
    return json.dumps(data, separators=(",", ":")).replace("</", "<\\/").replace("<!", "\\u003c!")
