"""step_through: the page of `explore` in which a graph is computed step by step, and its gradients term by term."""

from collections.abc import Mapping
from contextvars import Context

from scalargrad.drawing.figure import check_options
from scalargrad.engine import Value
from scalargrad.explaining.steps import Story
from scalargrad.explaining.terms import backward_terms, copy_of
from scalargrad.pages.explore import explore_page
from scalargrad.pages.recorded import Recorded
from scalargrad.pages.widget import WidgetPage
from scalargrad.support.words import brief, short_name


class SteppingPage(WidgetPage):
    """A page of `step_through`."""


def step_through(
    output: Value, names: Mapping[str, object] | None = None, title: str | None = None, theme: str = "auto"
) -> SteppingPage:
    """A page to step through how `output` was computed, and how its gradients are, term by term.

    names   the user's variables, for values without a label: `step_through(loss, names=locals())`
    title   the heading
    theme   "light", "dark", or "auto": as the reader's browser is set

    The gradients on the page begin at 0 and are its own: `backward()` need not have run, and no `.grad` changes. It is
    the page of `explore`, opened in its mode Step. In a notebook the result shows itself; elsewhere
    `.save("steps.html")`. ValueError above 300 values.

    >>> x = Value(3.0, "x")
    >>> step_through(x * x + x)
    <SteppingPage output, step by step: 3 values: 2 results forward, the seed, 4 chain-rule terms backward>
    """
    if not isinstance(output, Value):
        raise TypeError(f"step_through takes a Value, got {brief(output)}; for a network, its output or its loss")
    check_options(theme, None, names, "" if title is None else title)
    # In a context of its own: no_grad() or anomaly_detection() around this call are not meant for the copy.
    return Context().run(_page, output, names, title, theme)


def _page(output: Value, names: Mapping[str, object] | None, title: str | None, theme: str) -> SteppingPage:
    copy = copy_of(output, names)
    recorded, story = Recorded(copy), Story(copy, backward_terms(copy))
    title = title or f"{short_name(story.names[-1])}, step by step"
    return explore_page(SteppingPage, recorded, recorded.leaves().values(), title, story.summary(), theme, "step")
