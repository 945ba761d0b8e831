"""Page: one HTML file that needs nothing else, with a script that computes and a text for where it cannot run."""

import base64
import gzip
import hashlib
import html
import json
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from string import Template

from scalargrad.checks import file_name
from scalargrad.drawing.figure import Drawing
from scalargrad.drawing.lettering import escaped
from scalargrad.drawing.palette import THEMES
from scalargrad.drawing.svg import MONO_FONT
from scalargrad.files.atomic import replace_file
from scalargrad.javascript.bundle import bundle
from scalargrad.javascript.operations import operations_module

HERE = Path(str(resources.files("scalargrad.pages")))
STILL = re.compile("<style>(.*?)</style>", re.DOTALL)  # of a picture
GAP = re.compile(r'<path class="sg-line sg-s-ground"[^>]*/>')  # around an edge, where it crosses others
HANDLE = re.compile(r'(?<=<g class="sg-(?:node|edge|pill)") [^>]*')
TOOLTIP = re.compile(r"(?<=>)<title>[^<]*</title>")


@dataclass(frozen=True, repr=False)
class Page:
    """A page in one piece: `.save` it, or let a notebook show it.

    html     the page; it asks the network for nothing
    title    its heading
    summary  such as "10 values, 9 local derivatives"
    height   how high a notebook shows it, in pixels
    """

    html: str
    title: str
    summary: str
    height: int

    def save(self, path: str | Path) -> Path:
        """Write the page to `path`, which ends in .html. Returns the path."""
        path = Path(file_name(path))
        if path.suffix.lower() not in (".html", ".htm"):
            raise ValueError(f"path: a page is saved as .html, got {path.name!r:.100}")
        replace_file(path, self.html.encode())
        return path

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{html.escape(self.html)}" sandbox="allow-scripts" title="{escaped(self.title)}" '
            f'width="100%" height="{self.height}" frameborder="0"></iframe>'
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.title}: {self.summary}>"


def page_html(title: str, theme: str, style: str, script: str, data: object, still: str) -> str:
    """The text of a page.

    style, script  what the page's elements look like and do. They are packed, and named by their hashes in its policy
    data           JSON for the script, which finds it in the element with the id "data"
    still          what is there where no script runs: an element of the class `sg-still`, which the script removes. Its
                   own <style> is allowed, too
    """
    own_style, unpack = colours() + text_of("page.css"), text_of("unpack.js")
    parts = json.dumps({"style": style, "script": script}).encode()
    return Template(text_of("page.html")).substitute(
        styles=" ".join(map(_hash, [own_style, *STILL.findall(still), style])),
        scripts=f"{_hash(unpack)} {_hash(script)}",
        scheme={"auto": "light dark"}.get(theme, theme),
        theme=theme,
        title=escaped(title),
        style=own_style,
        still=still,
        data=_inside_script(data),
        packed=base64.b64encode(gzip.compress(parts, mtime=0)).decode(),
        unpack=unpack,
    )


def colours() -> str:
    """The palette as variables of what has the class `sg-live`, light or dark by its attribute `data-theme`."""
    light, dark = THEMES["auto"]

    def variables(palette: dict[str, str] | None) -> str:
        return "".join(f"--{part}:{colour};" for part, colour in (palette or {}).items())

    by_day, by_night = f"color-scheme:light;{variables(light)}", f"color-scheme:dark;{variables(dark)}"
    return (
        f".sg-live{{{by_day}}}.sg-live[data-theme=dark]{{{by_night}}}"
        f"@media screen and (prefers-color-scheme:dark){{.sg-live[data-theme=auto]{{{by_night}}}}}\n"
        f"@media print{{.sg-live.sg-live{{{by_day}}}}}\n"
    )


@cache
def text_of(name: str) -> str:
    """A file of this folder."""
    return (HERE / name).read_text(encoding="utf-8")


def styles_of(folder: str) -> str:
    """All style sheets of a folder."""
    return "".join(text_of(str(path.relative_to(HERE))) for path in sorted((HERE / folder).glob("*.css")))


def script_of(entry: str | Path, operations: tuple[str, ...], module: bool = False) -> str:
    """A module of this folder (or a text) with all that it imports, and with these operations of the table."""
    return bundle(entry, {"operations.js": operations_module(operations)}, module)


def still_picture(drawing: Drawing) -> str:
    """A picture as a page may hold it, whose policy forbids the attribute `style`; small, without gaps and tooltips."""
    svg = drawing.svg().replace(drawing.id, "still").replace(' style="max-width:100%;height:auto"', "", 1)
    return HANDLE.sub("", TOOLTIP.sub("", GAP.sub("", svg))).replace(
        f' font-family="{MONO_FONT}"', ' font-family="monospace"'
    )


def _hash(text: str) -> str:
    """The name of an inline style or script in a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _inside_script(data: object) -> str:
    """JSON in ASCII without the characters that could end, or comment out, the script element around it."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
