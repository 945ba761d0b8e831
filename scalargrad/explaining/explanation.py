"""explain: the chain rule written out with its numbers, path by path.

The derivative of an output with respect to one of the values it was computed from is a sum over all paths between the
two, and each path is a product of local derivatives. There may be more paths than atoms: they are counted and added up
without being listed, and the largest are shown.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from scalargrad.checks import whole
from scalargrad.drawing.figure import check_options
from scalargrad.drawing.formulas import COMPACT, abridged, arguments_of, is_infix
from scalargrad.drawing.lettering import number, visible
from scalargrad.drawing.snapshot import Snapshot
from scalargrad.engine import Value, gradients
from scalargrad.explaining.causes import why_odd
from scalargrad.explaining.formula import LATEX, TEXT, Text, ends_of, one_path, sum_of_paths
from scalargrad.explaining.paths import Path, largest_trails, links_from, paths_along, sums_over_paths
from scalargrad.explaining.wrapping import wrapped
from scalargrad.ieee import total as sum_of
from scalargrad.support.words import brief, distinct, short_count, short_name, short_share

LONGEST_FORMULA = 60
LEGEND_LINES = 12


@dataclass(frozen=True, repr=False)
class Explanation:
    """A derivative written out. `print` it for the text; a notebook shows the formula; the fields are the data.

    output      the name of the output
    wrt         the name of the value asked about
    paths       the largest paths, by |product|
    count       how many paths there are, exactly
    total       the sum of the products of all paths
    magnitude   the sum of their absolute values
    derivative  d output / d wrt, as `gradients` computes it
    agrees      do total, derivative and, if backward() ran, `wrt.grad` agree?
    check       a sentence that says so, or what differs
    reason      why there is nothing to write out: "" unless there is no path, or only that of a value to itself
    legend      what the numbered names stand for
    why         where a derivative of 0, or a tiny, huge or infinite one or nan, came from: a sentence, or ""
    """

    output: str
    wrt: str
    paths: tuple[Path, ...]
    count: int
    total: float
    magnitude: float
    derivative: float
    agrees: bool
    check: str
    reason: str = ""
    legend: tuple[str, ...] = ()
    why: str = ""

    @property
    def shown_share(self) -> float:
        """The share of the paths that are shown in the sum of |products|."""
        return sum_of([path.share for path in self.paths])

    def __str__(self) -> str:
        return "\n".join([*self._formula(TEXT), *self.legend, *([self.why] if self.why else []), self.check])

    __repr__ = __str__

    def _repr_latex_(self) -> str:
        lines = self._formula(LATEX)
        lines += [LATEX.sentence(text) for text in (self.why, "" if self.agrees else self.check) if text]
        return "$\\displaystyle\\begin{aligned}\n" + " \\\\\n".join(wrapped(lines)) + "\n\\end{aligned}$"

    def _formula(self, style: Text) -> list[str]:
        head = style.ratio(self.output, self.wrt)
        if self.reason:
            return style.rows(head, [("=", f"{style.number(self.total)}{style.words(f': {self.reason}')}")])
        if self.count == 1:
            return one_path(self.paths[0], head, style)
        formula = sum_of_paths(self.paths, self.count, self.total, head, style)
        if self.magnitude == 0.0:
            formula = style.rows(head, [("=", style.number(0.0))])
        return [style.sentence(self._count_in_words()), *formula]

    def _count_in_words(self) -> str:
        words, shown = f"{short_count(self.count)} paths lead from {self.wrt} to {self.output}", len(self.paths)
        if self.magnitude == 0.0:
            words += ", and the product of each is 0"
        elif self.count > shown:
            words += f"; {'this is the largest' if shown == 1 else f'these are the {shown} largest'}"
            if share := short_share(self.shown_share):
                words += f", {share} of the sum of |products|"
        return f"{words}."


def explain(output: Value, wrt: Value, names: Mapping[str, object] | None = None, show: int = 8) -> Explanation:
    """d output / d wrt as the sum of its paths, each a product of local derivatives.

    names   variables to call values without a label by: `explain(loss, w, names=locals())`
    show    how many paths to write out, the largest first; all of them are counted and added up

    >>> x, w, b = Value(2.0, "x"), Value(3.0, "w"), Value(1.0, "b")
    >>> print(explain((x * w + b) * w, w))
    2 paths lead from w to output.
    ∂output/∂w = ∂output/∂w
               + ∂output/∂v4 · ∂v4/∂(x*w) · ∂(x*w)/∂w
               = 7         = 7   53.8 %
               + 3 × 1 × 2 = 6   46.2 %
               = 7 + 6 = 13
    where output = v4*w = 21
          v4 = (x*w) + b = 7
    Checked: gradients() gives the same. The grad of w is 0: backward() has not run.
    """
    for role, value in (("output", output), ("wrt", wrt)):
        if not isinstance(value, Value):
            remedy = "call explain once for each" if isinstance(value, Iterable) else "pass the Value itself"
            raise TypeError(f"explain takes one Value as {role}, got {brief(value)}; {remedy}")
    check_options("light", None, names, "")
    show = whole("show", show, 1, "how many paths to write out, at least 1,")
    snapshot = Snapshot(output, names)
    order, called = snapshot.values, _names(snapshot)
    asked = called[wrt] if wrt in called else short_name(visible(str(wrt.label))) or "wrt"
    links = links_from(order, wrt)
    count, total, magnitude, reason = 0, 0.0, 0.0, ""
    paths: tuple[Path, ...] = ()
    if output in links:
        count, total, magnitude = sums_over_paths(order, links, wrt)
        paths = paths_along(largest_trails(order, links, wrt, show), magnitude, called)
        if len(paths) == count:
            total = sum_of([path.product for path in paths])
        reason = "a value changes by 1 when it changes by 1" if output is wrt else ""
    elif wrt not in called:
        reason = _why_unconnected(output, asked, called)
    derivative = gradients(output, wrt)
    agrees, check = _compared(output, wrt, asked, total, magnitude, derivative)
    shown = paths if count == 1 or magnitude != 0.0 else ()
    on_paths = {name for path in shown for factor in ends_of(path) for name in (factor.source, factor.target)}
    unlabelled = (position for position in range(len(order)) if not snapshot.labels[position])
    told = [order[x] for x in unlabelled if called[order[x]] in on_paths and not snapshot.short_formula(x)]
    why = "" if reason else why_odd(order, called, wrt, derivative, magnitude)
    if count == 0 and why:
        reason, why = why.removesuffix("."), ""
    return Explanation(
        called[output],
        asked,
        paths,
        count,
        total,
        magnitude,
        derivative,
        agrees,
        check,
        reason,
        _legend(told, called),
        why,
    )


def _why_unconnected(output: Value, asked: str, called: Mapping[Value, str]) -> str:
    name = called[output]
    if output.op is None:
        return f"{name} is a leaf: it was not computed from {asked}, or its history was cut by detach() or no_grad()"
    return f"{name} was not computed from {asked}: no path leads from one to the other"


def _compared(
    output: Value, wrt: Value, asked: str, total: float, magnitude: float, derivative: float
) -> tuple[bool, str]:
    """Do the sum of the paths, `gradients` and `wrt.grad` agree, and a sentence about it."""

    def same(x: float, y: float) -> bool:
        return (x != x and y != y) or math.isclose(x, y, rel_tol=0.0, abs_tol=max(1e-9 * magnitude, 1e-300))

    if not same(total, derivative):
        return False, (
            f"They disagree: the paths add up to {total!r}, but gradients() gives {derivative!r}. "
            "A number may overflow or vanish on the way, or a derivative be wrong: try gradcheck()."
        )
    if same(wrt.grad, derivative):
        return True, f"Checked: gradients() and the grad of {asked} give the same."
    agreed = "Checked: gradients() gives the same."
    if wrt.grad == 0.0 and output.grad == 0.0:
        return True, f"{agreed} The grad of {asked} is 0: backward() has not run."
    if same(wrt.grad, derivative * output.grad):
        why = f"{number(output.grad)} times as much, as the grad of the output is {number(output.grad)}"
        return True, f"{agreed} The grad of {asked} is {number(wrt.grad)}: {why}."
    held = f"{agreed} But the grad of {asked} is {number(wrt.grad)}"
    if output.grad != 1.0:
        return True, f"{held}, from another output: backward() has not run on this one."
    times = wrt.grad / derivative if derivative else math.nan
    if math.isfinite(times) and round(times) > 1 and math.isclose(times, round(times), rel_tol=1e-9):
        return False, f"{held}, {round(times)} times as much: backward() ran more than once without zero_grad()."
    return False, f"{held}: no zero_grad() before, another output that added to it, or a number changed afterwards."


# Names.


def _names(snapshot: Snapshot) -> dict[Value, str]:
    """The names that a picture of the graph gives, but a different one for each value: the second `h` is `h#2`."""
    names = distinct(short_name(visible(snapshot.name(position))) for position in range(len(snapshot.values)))
    return dict(zip(snapshot.values, names, strict=True))


def _legend(values: Iterable[Value], called: Mapping[Value, str]) -> tuple[str, ...]:
    """The meaning of names that do not say it: `where v4 = y − v3 = 3`."""
    lines = []
    for value in values:
        parts = [called[value], _formula_of(value, called), number(value.data)]
        lines.append(" = ".join(part for part in parts if part))
    lines.reverse()
    if len(lines) > LEGEND_LINES:
        lines[LEGEND_LINES:] = [f"… {len(lines) - LEGEND_LINES:,} more"]
    return tuple(f"{'     ' if place else 'where'} {line}" for place, line in enumerate(lines))


def _formula_of(value: Value, called: Mapping[Value, str]) -> str:
    """The operation with the names of its operands: `y − v3`, `tanh(v4)`, `dot(… 32 operands …)`; "" for a leaf."""
    if value.op is None:
        return ""
    if len(value.operands) > LONGEST_FORMULA:
        return abridged(value)
    formula = COMPACT.formula(value.op, arguments_of(value, called.__getitem__))
    return formula if len(formula) <= LONGEST_FORMULA or is_infix(value.op) else abridged(value)
