"""step_through: a page that replays the forward and the backward pass of a graph, one chain-rule term at a time.

Every number and every word on the page is written here; its script only shows and hides.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from contextvars import Context
from importlib import resources
from string import Template

from scalargrad.drawing.figure import check_options
from scalargrad.drawing.layout import lay_out
from scalargrad.drawing.lettering import escaped
from scalargrad.drawing.palette import THEMES
from scalargrad.drawing.picture import GraphPicture
from scalargrad.drawing.svg import SvgWriter
from scalargrad.engine import Value
from scalargrad.explaining.steps import Reading, Story
from scalargrad.explaining.terms import backward_terms, copy_of
from scalargrad.pages.page import Page
from scalargrad.support.words import short_name

FIGURE = "figure"  # the id of the picture
FRAME_HEIGHTS = 420, 760  # of the page inside a notebook, at least and at most
AROUND_THE_FIGURE = 320  # the height of title, controls, text and explanation
HEADING_HEIGHT = 50  # of the picture, whose heading the page replaces


class SteppingPage(Page):
    """A page of `step_through`."""


def step_through(
    output: Value, names: Mapping[str, object] | None = None, title: str | None = None, theme: str = "auto"
) -> SteppingPage:
    """A page to step through how `output` was computed, and how its gradients are, term by term.

    names   the user's variables, for values without a label: `step_through(loss, names=locals())`
    title   the heading
    theme   "light", "dark", or "auto": as the reader's browser is set

    The gradients on the page begin at 0 and are its own: `backward()` need not have run, and no `.grad` changes.
    In a notebook the result shows itself; elsewhere `.save("steps.html")`. ValueError above 300 values.

    >>> x = Value(3.0, "x")
    >>> step_through(x * x + x)
    <SteppingPage output, step by step: 3 values: 2 results forward, the seed, 4 chain-rule terms backward>
    """
    if not isinstance(output, Value):
        raise TypeError(f"step_through takes a Value, got {output!r}; for a network, its output or its loss")
    check_options(theme, None, names, "" if title is None else title)
    # In a context of its own: no_grad() or anomaly_detection() around this call are not meant for the copy.
    return Context().run(_page, output, names, title, theme)


# The page.


def _page(output: Value, names: Mapping[str, object] | None, title: str | None, theme: str) -> SteppingPage:
    copy = copy_of(output, names)
    story = Story(copy, backward_terms(copy))
    title = title or f"{short_name(story.names[-1])}, step by step"
    readings = story.readings()
    steps = story.steps()
    script_data = {
        "steps": [step._asdict() for step in steps],
        "cards": readings,
        "edges": story.edges(),
        "explanations": story.explanations(),
    }
    picture, height = _picture(story, readings, title, theme)
    (picture_style,) = re.findall("<style>(.*?)</style>", picture, re.DOTALL)
    style = _colours(theme) + _file("shell.css")
    script = _file("shell.js")
    page = Template(_file("shell.html")).substitute(
        styles=f"{_hash(style)} {_hash(picture_style)}",
        scripts=_hash(script),
        scheme={"auto": "light dark"}.get(theme, theme),
        title=escaped(title),
        summary=escaped(story.summary()),
        last=len(steps) - 1,
        style=style,
        picture=picture,
        data=_inside_script(script_data),
        script=script,
    )
    shortest, tallest = FRAME_HEIGHTS
    return SteppingPage(page, title, story.summary(), min(max(shortest, height + AROUND_THE_FIGURE), tallest))


def _picture(story: Story, readings: list[list[Reading]], title: str, theme: str) -> tuple[str, int]:
    """The picture as it is at the end, and its height."""
    writer = SvgWriter(FIGURE, theme)
    layout = lay_out([story.view, story.widest_view(readings)])
    body, (width, height) = GraphPicture(writer, story.view, layout).elements("")
    height -= HEADING_HEIGHT
    body = [f'<g transform="translate(0 -{HEADING_HEIGHT})">', *body, "</g>"]
    # Where the window is narrower it shrinks a little, on a telephone not at all, before its box scrolls.
    limits = f"#{FIGURE}{{min-width:{0.8 * width:.0f}px;max-width:{1.25 * width:.0f}px}}"
    limits += f"@media(max-width:600px){{#{FIGURE}{{min-width:{width:.0f}px}}}}"
    svg = writer.document((width, height), title, story.view.description, body, limits)
    return svg.replace(' style="max-width:100%;height:auto"', "", 1), round(height)  # the policy forbids the attribute


def _colours(theme: str) -> str:
    """The palette of the picture as variables of the page."""
    light, dark = THEMES[theme]

    def variables(palette: dict[str, str]) -> str:
        return f":root{{{''.join(f'--{part}:{colour};' for part, colour in palette.items())}}}"

    return variables(light) + (f"@media (prefers-color-scheme:dark){{{variables(dark)}}}" if dark else "") + "\n"


def _file(name: str) -> str:
    return resources.files("scalargrad.pages").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """The name of an inline style or script in a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _inside_script(data: object) -> str:
    """JSON in ASCII without the characters that could end, or comment out, the script element around it."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
