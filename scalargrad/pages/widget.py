"""The page of a graph as a widget of a notebook, by `anywidget`: sliders move Values, and Values move sliders."""

import asyncio
import json
import math
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from time import perf_counter
from typing import TYPE_CHECKING, Any

from scalargrad.away import numbers_of
from scalargrad.drawing.figure import draw
from scalargrad.engine import Value
from scalargrad.explaining.stale import recomputed
from scalargrad.pages.followed import follow, leave
from scalargrad.pages.page import HERE, Page, colours, script_of, styles_of
from scalargrad.pages.recorded import Recorded
from scalargrad.pages.screens import in_a_kernel

if TYPE_CHECKING:
    from anywidget import AnyWidget

PAUSE = 0.04  # seconds between two messages while code runs


@dataclass(frozen=True, repr=False)
class WidgetPage(Page):
    """A page that is a widget in notebooks, if there is `anywidget`, and else stands there in a frame.

    recorded   the graph
    data       all that its script mounts
    """

    recorded: Recorded
    data: dict[str, Any]

    @cached_property
    def widget(self) -> "AnyWidget":
        """The widget, which ipywidgets can lay out beside others."""
        leaves = self.recorded.leaves()
        shown = {place: leaves[place] for place, *_ in self.data["sliders"]}
        script = script_of(HERE / "widget.js", tuple(self.recorded.operations), module=True)
        return widget_of(self.recorded.values, shown, self.data, script, colours() + styles_of("explore"))

    def __reduce__(self) -> tuple:
        """For copies and pickles: the page as it stands, which moves no Values."""
        return Page, (self.html, self.title, self.summary, self.height)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> tuple[dict, dict]:
        """Also a picture, for places that run no scripts."""
        # In a context of its own: no_grad() or anomaly_detection() around the cell are not meant for it.
        pictures = {"image/svg+xml": Context().run(self._picture), "text/plain": repr(self)}
        if not _is_widget():
            return pictures, {}
        live, metadata = self.widget._repr_mimebundle_()
        return live | pictures, metadata

    def _picture(self) -> str:
        output = self.recorded.copy()
        output.backward()
        return draw(output, theme="light").svg()

    def _repr_html_(self) -> str | None:  # type: ignore[override]
        return None if _is_widget() else super()._repr_html_()

    def _display_(self) -> object:
        """For marimo, which knows widgets by their class, and strings as text."""
        if _is_there():
            return self.widget
        return sys.modules["marimo"].Html(super()._repr_html_())


def _is_there() -> bool:
    return find_spec("anywidget") is not None


def _is_widget() -> bool:
    return _is_there() and in_a_kernel()


class Link:
    """The two ways between the leaves of a graph and the widgets that show them.

    values   of the graph, operands before results
    leaves   those that have sliders, by their positions on the page
    widget   its trait `leaves` has the numbers that are other ones than those of the page's beginning, by position;
             its trait `shown` counts the places in which it is displayed
    """

    def __init__(self, values: Sequence[Value], leaves: Mapping[int, Value], widget: "AnyWidget") -> None:
        self.values, self.leaves, self.widget = values, dict(leaves), widget
        self.known = dict(zip(self.leaves, numbers_of(list(self.leaves.values())), strict=True))  # to the page
        self.told = 0.0  # when the page was
        self.waiting = False  # is it to be told later?
        self.thread = threading.get_ident()
        self.loop: asyncio.AbstractEventLoop | None = None
        with suppress(RuntimeError):  # there is none in a script
            self.loop = asyncio.get_running_loop()
        widget.observe(lambda change: self.moved(change["new"]), "leaves")
        widget.observe(lambda change: self.displayed(change["new"]), "shown")

    # From the page.

    def moved(self, numbers: Mapping[str, object]) -> None:
        """Take over what was moved on the page, and compute all results and gradients anew."""
        fresh = {int(position): _number(x) for position, x in numbers.items()}
        fresh = {
            position: x
            for position, x in fresh.items()
            if position in self.leaves and not _same(x, self.known[position])
        }
        if not fresh:
            return
        for position, x in fresh.items():
            self.known[position] = x
            self.leaves[position].data = x
        # In a context of its own: code of a cell may stand in no_grad() or anomaly_detection() meanwhile.
        Context().run(compute_anew, self.values)
        self.changed()

    def displayed(self, count: int) -> None:
        """Follow the leaves while the widget is displayed somewhere."""
        if count > 0:
            follow(self.leaves.values(), self)
            self.changed()
        else:
            leave(self.leaves.values(), self)

    # To the page.

    def changed(self) -> None:
        """Tell the page, soon: a loop that sets numbers is shown a few times a second."""
        if threading.get_ident() == self.thread and perf_counter() - self.told > PAUSE:
            self.tell()
        elif not self.waiting and self.loop is not None and not self.loop.is_closed():
            self.waiting = True
            self.loop.call_soon_threadsafe(self.tell)

    def tell(self) -> None:
        """Tell the page the numbers that it does not know."""
        self.waiting, self.told = False, perf_counter()
        now = dict(zip(self.leaves, numbers_of(list(self.leaves.values())), strict=True))
        fresh = {position: x for position, x in now.items() if not _same(x, self.known[position])}
        if fresh:
            self.known |= fresh
            self.widget.leaves = {**self.widget.leaves, **{str(place): written(x) for place, x in fresh.items()}}

    def after_a_cell(self, *particulars: object) -> None:
        """Tell, and follow those once more that a program has taken in between."""
        if self.widget.shown > 0:
            follow(self.leaves.values(), self)
            self.tell()


def compute_anew(values: Iterable[Value]) -> None:
    """Set the data of all results from that of their operands, and all gradients as backward() gives them, from zero.

    An index of `take` that is out of range leaves the result as it was.
    """
    output = None
    for value in values:
        if value.op is None:
            value.grad = 0.0
        elif (number := recomputed(value)) is not None:
            value.data = number
        output = value
    if output is not None:
        output.backward()


def widget_of(
    values: Sequence[Value], leaves: Mapping[int, Value], page: Mapping[str, Any], script: str, style: str
) -> "AnyWidget":
    """A widget that shows a page; `page` is what its script mounts."""
    widget = _class()(page=json.loads(json.dumps(page)), _esm=script, _css=style)
    link = Link(values, leaves, widget)
    widget.link = link
    interpreter = sys.modules.get("IPython")
    if interpreter is not None and (shell := interpreter.get_ipython()) is not None:
        shell.events.register("post_run_cell", link.after_a_cell)
    return widget


@cache
def _class() -> type["AnyWidget"]:
    import traitlets
    from anywidget import AnyWidget

    class Explored(AnyWidget):
        """The widget of `explore`."""

        _esm = traitlets.Unicode().tag(sync=True)
        _css = traitlets.Unicode().tag(sync=True)
        page = traitlets.Dict().tag(sync=True)
        leaves = traitlets.Dict().tag(sync=True)
        shown = traitlets.Int(0).tag(sync=True)
        link: Link

    return Explored


def written(x: float) -> float | str:
    """A number as JSON has it, which knows no inf and no nan."""
    return x if math.isfinite(x) else str(x)


def _number(x: object) -> float:
    return float(x)  # type: ignore[arg-type]  # "inf", too


def _same(x: float, y: float) -> bool:
    return x == y or (x != x and y != y)
