"""explore: a page in which the numbers of a recorded graph are moved, and all that follows from them moves along."""

from collections.abc import Iterable, Iterator, Mapping
from contextvars import Context
from typing import Any, TypeVar

from scalargrad.drawing.display import least_width
from scalargrad.drawing.figure import check_options, draw
from scalargrad.drawing.lettering import escaped, gradient_text, number, visible
from scalargrad.engine import Value, topological_order
from scalargrad.explaining.recording import Recording
from scalargrad.explaining.words import Words
from scalargrad.pages.page import HERE, page_html, script_of, still_picture, styles_of
from scalargrad.pages.recorded import Recorded, page_data
from scalargrad.pages.widget import WidgetPage
from scalargrad.support.words import brief

ENTRY = """import { mount } from "../pages/explore/main.js";
const data = JSON.parse(document.getElementById("data").textContent);
mount(document.querySelector(".sg-page"), data, { page: true });
"""
HEIGHT = 760  # of the page inside a notebook
LARGEST_PICTURE, WIDEST_PICTURE = 90_000, 1168  # characters and pixels; above that layers are drawn
MOST_RULES, MOST_ARGUMENTS = 300, 6


class ExplorePage(WidgetPage):
    """A page of `explore`."""


def explore(
    output: Value,
    inputs: Value | Iterable[Value] | None = None,
    names: Mapping[str, object] | None = None,
    title: str | None = None,
    theme: str = "auto",
) -> ExplorePage:
    """A page with the graph of `output`, in which leaves have sliders, and data and gradients follow.

    inputs  the leaves that have sliders; all, unless said
    names   the user's variables, for values without a label: `explore(loss, names=locals())`
    title   the heading
    theme   "light", "dark", or "auto": as the reader's browser is set

    The page computes by itself: no `.data` and no `.grad` changes, and `backward()` need not have run. In a notebook
    the result shows itself; elsewhere `.save("page.html")`.

    In a notebook with `anywidget` it is a widget: what is moved there moves here, too. Then the leaf has its new
    `.data`, each result that of its operands, and each `.grad` is what `backward()` of this output gives, from zero.
    What is set here, `w.data = 0.5`, moves the page, in the middle of a loop, too; the numbers of results stay here
    those that were computed, as ever.

    ValueError above 5,000 values, and for a Value that was computed from nothing; TypeError for an input that is no
    leaf of the graph.

    >>> x, w = Value(2.0, "x"), Value(-3.0, "w")
    >>> explore((x * w).tanh())
    <ExplorePage output = tanh(x·w): 4 values, 3 local derivatives>
    """
    if not isinstance(output, Value):
        raise TypeError(f"explore takes a Value, got {brief(output)}; for a network, its output or its loss")
    check_options(theme, None, names, "" if title is None else title)
    if output.op is None:
        raise ValueError(
            f"{visible(str(output.label)) or 'this Value'} was computed from nothing, and there is nothing to explore: "
            "it is a leaf, or its history was left out by no_grad() or cut by detach(); compute it outside of no_grad()"
        )
    # In a context of its own: no_grad() or anomaly_detection() around this call are not meant for the page.
    return Context().run(_page, output, inputs, names, title, theme)


def _page(
    output: Value,
    inputs: Value | Iterable[Value] | None,
    names: Mapping[str, object] | None,
    title: str | None,
    theme: str,
) -> ExplorePage:
    recorded = Recorded(output, names)
    return explore_page(
        ExplorePage, recorded, chosen(inputs, recorded), title or recorded.title(), recorded.summary(), theme, "explore"
    )


P = TypeVar("P", bound=WidgetPage)


def explore_page(
    kind: type[P], recorded: Recorded, inputs: Iterable[Value], title: str, summary: str, theme: str, mode: str
) -> P:
    """A page of this kind, opened in this mode: "explore", "step" or "quiz"."""
    data = page_data(recorded, inputs, title, theme, mode)
    still = _still(recorded, data, theme)
    text = page_html(data["title"], theme, styles_of("explore"), explore_script(recorded, ENTRY), data, still)
    return kind(text, data["title"], summary, HEIGHT, recorded, data)


def explore_script(recorded: Recorded, entry: str = "", module: bool = False) -> str:
    """The script of a page, or the ES module that exports `mount`, with the operations of this graph."""
    return script_of(entry or HERE / "explore/main.js", tuple(recorded.operations), module)


def chosen(inputs: Value | Iterable[Value] | None, recorded: Recorded) -> list[Value]:
    """The leaves that have sliders. TypeError for what is none of this graph."""
    leaves = list(recorded.leaves().values())
    if inputs is None:
        return leaves
    asked = [inputs] if isinstance(inputs, Value) else inputs
    if isinstance(asked, str) or not isinstance(asked, Iterable):
        raise TypeError(f"inputs takes leaves of the graph, such as [x, w], got {brief(inputs)}")
    wanted = list(asked)
    known = set(leaves)
    for x in wanted:
        if not isinstance(x, Value):
            raise TypeError(f"inputs takes leaves of the graph, Values that were computed from nothing, got {brief(x)}")
        if x not in known:
            what = "it was computed from others" if x.op is not None else "the output does not depend on it"
            raise TypeError(f"inputs takes leaves of the graph, got {brief(x)}: {what}")
    return wanted


# What is there without JavaScript.


def _still(recorded: Recorded, data: dict[str, Any], theme: str) -> str:
    """The picture of `draw`, the output's numbers, and how each result was computed."""
    output = recorded.copy()
    output.backward()
    pictures = [still_picture(draw(output, theme=theme, detail=detail)) for detail in (None, "layers")]
    pictures = [svg for svg in pictures if len(svg) <= LARGEST_PICTURE]
    picture = next((svg for svg in pictures if least_width(svg) <= WIDEST_PICTURE), pictures[-1] if pictures else "")
    rules = "".join(f"<li>{escaped(line)}</li>" for line in _rules(recorded, output))
    return (
        f'<div class="sg-still"><h1>{escaped(data["title"])}</h1><p>{escaped(data["summary"])}. Moving the numbers '
        f'needs JavaScript.</p><div class="sg-still-picture" tabindex="0" role="group" aria-label="The graph">{picture}'
        f"</div><ol>{rules}</ol></div>\n"
    )


def _rules(recorded: Recorded, output: Value) -> Iterator[str]:
    """A line for each of the last results: its formula, its number, its gradient, and its local derivatives."""
    order = topological_order(output)
    names = [recorded.names[recorded.position[value]] for value in recorded.values]
    words = Words(Recording(order, dict(zip(order, names, strict=True))))
    results = [position for position, value in enumerate(order) if value.op is not None]
    for result in results[-MOST_RULES:]:
        data, gradient = number(order[result].data), gradient_text(order[result].grad)
        yield f"{words.name(result)} = {words.formula(result)} = {data}; gradient {gradient}"
        for place, x in enumerate(words.graph.operands[result][:MOST_ARGUMENTS]):
            if words.graph.names[x]:
                rule = words.rule(result, place)
                pieces = dict.fromkeys(
                    [words.local_partial(result, place), rule.symbols, rule.numbers, number(rule.value)]
                )
                yield " = ".join(filter(None, pieces))
