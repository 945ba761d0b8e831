"""explain: the chain rule written out with its numbers, path by path.

The derivative of an output with respect to one of the values it was computed from is a sum over all paths between the
two, and each path is a product of local derivatives. There may be more paths than atoms: they are counted and added up
without being listed, and the largest are shown.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import frexp
from operator import itemgetter
from typing import Any, NamedTuple

from scalargrad.drawing.lettering import number, visible
from scalargrad.drawing.snapshot import Snapshot, is_infix
from scalargrad.engine import Value, gradients, local_derivatives
from scalargrad.ieee import total as sum_of

LONGEST_LABEL = 40  # characters
LONGEST_FORMULA = 60
LONGEST_LINE = 100
FACTORS_SHOWN = 10  # of a path; a deep graph has paths of 100,000
LEGEND_LINES = 12
PLAIN = re.compile(r"[\w.#\[\]]+(e−[0-9]+)?|\w+\([^()]*\)")  # a name, a number or a call: needs no brackets


class Step(NamedTuple):
    """One edge of a path: the result `target` changes by `derivative` for each unit of its operand `source`.

    occurrence says which one is meant where an operand stands more than once, 1 or 2 in `a * a`; otherwise it is 0.
    """

    operation: str
    source: str
    target: str
    derivative: float
    occurrence: int


@dataclass(frozen=True)
class Path:
    """One term of the chain rule: the steps from the output back to the value asked about, and their product.

    share is |product| / sum of |products| over all paths; nan where that sum is 0, inf or nan.
    """

    steps: tuple[Step, ...]
    product: float
    share: float


@dataclass(frozen=True, repr=False)
class Explanation:
    """What `explain` found. `print` it for the text; a notebook shows the formula; the fields are the data.

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

    @property
    def shown_share(self) -> float:
        """The share of the paths that are shown in the sum of |products|."""
        return sum_of([path.share for path in self.paths])

    def __str__(self) -> str:
        return "\n".join([*_formula(self, TEXT), *self.legend, self.check])

    __repr__ = __str__

    def _repr_latex_(self) -> str:
        lines = _formula(self, LATEX)
        if not self.agrees:
            lines.append(f"&{LATEX.words(self.check)}")
        return "$\\displaystyle\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}$"


def explain(output: Value, wrt: Value, names: Mapping[str, Any] | None = None, show: int = 8) -> Explanation:
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
            raise TypeError(f"explain takes one Value as {role}, got {shortened(ascii(value))}; {remedy}")
    if isinstance(show, bool) or not isinstance(show, int) or show < 1:
        raise ValueError(f"show is how many paths to write out, at least 1, got {show!r}")
    snapshot = Snapshot(output, names)
    order, called = snapshot.values, _names(snapshot)
    asked = called[wrt] if wrt in called else shortened(visible(str(wrt.label))) or "wrt"
    links = _links(order, wrt)
    if output not in links:
        count, total, magnitude = 0, 0.0, 0.0
        paths: tuple[Path, ...] = ()
        reason = _why_no_path(order, wrt, asked, called)
    else:
        count, total, magnitude = _sums(order, links, wrt)
        paths = _paths(_largest(order, links, wrt, show), magnitude, called)
        if len(paths) == count:
            total = sum_of([path.product for path in paths])
        reason = "a value changes by 1 when it changes by 1" if output is wrt else ""
    derivative = gradients(output, wrt)
    agrees, check = _compared(output, wrt, asked, total, magnitude, derivative)
    on_paths = {name for path in paths for step in _ends(path.steps) for name in (step.source, step.target)}
    legend = _legend([value for value in order if called[value] in on_paths], called)
    return Explanation(called[output], asked, paths, count, total, magnitude, derivative, agrees, check, reason, legend)


# The paths.


class _Link(NamedTuple):
    """An edge of the graph that lies on a path from `wrt`: `result` changes by `slope` with its operand."""

    result: Value
    position: int  # among the operands of the result
    operand: Value
    slope: float


Links = dict[Value, list[_Link]]


def _links(order: list[Value], wrt: Value) -> Links:
    """The links of each value that depends on `wrt` to its operands that do.

    A locally constant operation (step, less) has no slope to pass on: no path leads through it, as in `backward`.
    """
    links: Links = {wrt: []}
    for value in order:
        if value is wrt or value.op is None or value.op.partials is None or links.keys().isdisjoint(value.operands):
            continue
        slopes = enumerate(local_derivatives(value))
        links[value] = [_Link(value, position, x, slope) for position, (x, slope) in slopes if x in links]
    return links


def _sums(order: list[Value], links: Links, wrt: Value) -> tuple[int, float, float]:
    """How many paths lead from `wrt` to the output, the sum of their products, and of the absolute values of those."""
    last_use = {link.operand: value for value in order if value in links for link in links[value]}
    sums: dict[Value, tuple[int, float, float]] = {wrt: (1, 1.0, 1.0)}
    for value in order:
        if value in links and value is not wrt:
            count, total, magnitude = 0, 0.0, 0.0
            for link in links[value]:
                count_below, total_below, magnitude_below = sums[link.operand]
                count += count_below
                total += total_below * link.slope
                magnitude += magnitude_below * abs(link.slope)
            sums[value] = count, total, magnitude
            for link in links[value]:
                if last_use[link.operand] is value:
                    sums.pop(link.operand, None)  # 100,000 counts of 30,000 digits each would fill the memory
    return sums[order[-1]]


# What the product of a path can be, from the smallest to the largest, and of what kind the product of two kinds is.
ZERO, FINITE, INFINITE, NAN = range(4)
KIND_OF_PRODUCT = (
    (ZERO, ZERO, NAN, NAN),
    (ZERO, FINITE, INFINITE, NAN),
    (NAN, INFINITE, INFINITE, NAN),
    (NAN, NAN, NAN, NAN),
)


class _Trail(NamedTuple):
    """A path from the output to some value as a linked list: its last link, and the trail before it.

    The product's magnitude is mantissa * 2**exponent, so that it neither overflows nor vanishes on the way.
    """

    kind: int
    exponent: int
    mantissa: float
    link: _Link | None = None
    before: "_Trail | None" = None


_size = itemgetter(0, 1, 2)  # what trails are compared by


def _largest(order: list[Value], links: Links, wrt: Value, show: int) -> list[_Trail]:
    """The paths with the largest |product|, by dynamic programming from the output down.

    Of all trails that end at one value, only the `show` largest of each kind can become one of the largest paths.
    """
    arriving: dict[Value, list[_Trail]] = {order[-1]: [_Trail(FINITE, 1, 0.5)]}
    for value in reversed(order):
        if value is wrt:
            break
        if value not in links or value not in arriving:  # no path from `wrt` here, or none from here to the output
            continue
        trails = _largest_of_each_kind(arriving.pop(value), show)
        for link in links[value]:
            kind, shift, scale = _scaled(link.slope)
            arrived = arriving.setdefault(link.operand, [])
            for trail in trails:
                mantissa, carry = frexp(trail.mantissa * scale)
                exponent = trail.exponent + shift + carry
                arrived.append(_Trail(KIND_OF_PRODUCT[trail.kind][kind], exponent, mantissa, link, trail))
    return sorted(arriving[wrt], key=_size, reverse=True)[:show]


def _largest_of_each_kind(trails: list[_Trail], show: int) -> list[_Trail]:
    if len(trails) <= show:
        return trails
    ranked = sorted(trails, key=_size, reverse=True)
    if ranked[0].kind == ranked[-1].kind:
        return ranked[:show]
    return [trail for kind in range(4) for trail in [trail for trail in ranked if trail.kind == kind][:show]]


def _scaled(slope: float) -> tuple[int, int, float]:
    """(kind, exponent, mantissa) of |slope|."""
    if slope == 0.0:
        return ZERO, 0, 1.0
    if math.isfinite(slope):
        mantissa, exponent = frexp(abs(slope))
        return FINITE, exponent, mantissa
    return (NAN if math.isnan(slope) else INFINITE), 0, 1.0


def _paths(trails: list[_Trail], magnitude: float, called: Mapping[Value, str]) -> tuple[Path, ...]:
    steps: dict[tuple[Value, int], Step] = {}  # long paths share most of theirs

    def path(trail: _Trail) -> Path:
        backwards = []
        while trail.link is not None and trail.before is not None:
            key = trail.link[:2]
            if key not in steps:
                steps[key] = _step(trail.link, called)
            backwards.append(steps[key])
            trail = trail.before
        taken = tuple(reversed(backwards))
        product = math.prod([step.derivative for step in taken], start=1.0)
        return Path(taken, product, abs(product) / magnitude if 0.0 < magnitude < math.inf else math.nan)

    return tuple(map(path, trails))


def _step(link: _Link, called: Mapping[Value, str]) -> Step:
    operands = link.result.operands
    occurrence = operands[: link.position + 1].count(link.operand) if operands.count(link.operand) > 1 else 0
    return Step(str(link.result.op), called[link.operand], called[link.result], link.slope, occurrence)


def _why_no_path(order: list[Value], wrt: Value, asked: str, called: Mapping[Value, str]) -> str:
    output = called[order[-1]]
    if wrt in called:
        depends, without_slope = {wrt}, []
        for value in order:
            if not depends.isdisjoint(value.operands):
                depends.add(value)
                if value.op is not None and value.op.partials is None and value.op.name not in without_slope:
                    without_slope.append(value.op.name)
        return f"{asked} reaches {output} only through {', '.join(without_slope)}, which has no slope to pass on"
    if order[-1].op is None:
        return f"{output} is a leaf: it was not computed from {asked}, or its history was cut by detach() or no_grad()"
    return f"{output} was not computed from {asked}: no path leads from one to the other"


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
    called: dict[Value, str] = {}
    repeats: Counter[str] = Counter()
    for position, value in enumerate(snapshot.values):
        name = shortened(visible(snapshot.name(position)))
        repeats[name] += 1
        called[value] = name if repeats[name] == 1 else f"{name}#{repeats[name]}"
    return called


def _legend(values: Iterable[Value], called: Mapping[Value, str]) -> tuple[str, ...]:
    """What the numbered names stand for: `where v4 = y − v3 = 3`."""
    lines = []
    for value in values:
        if re.fullmatch(r"v[0-9]+|output", called[value]):
            parts = [called[value], _formula_of(value, called), number(value.data)]
            lines.append(" = ".join(part for part in parts if part))
    lines.reverse()
    if len(lines) > LEGEND_LINES:
        lines[LEGEND_LINES:] = [f"… {len(lines) - LEGEND_LINES:,} more"]
    return tuple(f"{'     ' if place else 'where'} {line}" for place, line in enumerate(lines))


def _formula_of(value: Value, called: Mapping[Value, str]) -> str:
    """The operation with the names of its operands: `y − v3`, `tanh(v4)`, `dot(… 32 operands …)`; "" for a leaf."""
    op = value.op
    if op is None:
        return ""
    if len(value.operands) > LONGEST_FORMULA:
        return f"{op.name}(… {len(value.operands):,} operands …)"
    parts = [_argument(argument, called) for argument in value.args]
    if is_infix(op):
        left, right = map(_in_brackets, parts)
        symbol = {"+": " + ", "-": " − ", "and": " and ", "or": " or "}.get(op.symbol, op.symbol)
        return f"{left}{symbol}{right}"
    formula = f"{op.name}({', '.join(parts)})" if op.symbol[0].isalpha() else f"−{_in_brackets(parts[0])}"
    return formula if len(formula) <= LONGEST_FORMULA else f"{op.name}(… {len(value.operands):,} operands …)"


def _argument(argument: Any, called: Mapping[Value, str]) -> str:
    if isinstance(argument, tuple):
        return f"[{', '.join(_argument(x, called) for x in argument)}]"
    return number(argument) if isinstance(argument, float) else called[argument]


def _in_brackets(name: str) -> str:
    """`∂(x*w)`, but `∂w`."""
    return name if PLAIN.fullmatch(name) else f"({name})"


def shortened(text: str) -> str:
    return text if len(text) <= LONGEST_LABEL else f"{text[: LONGEST_LABEL - 1]}…"


# Numbers.


def short_count(count: int) -> str:
    """A whole number, in words of powers of ten where it has too many digits to be read.

    >>> short_count(1234567), short_count(2**1000)
    ('1,234,567', 'about 1.072e301')
    """
    if count < 10**15:
        return f"{count:,}"
    exponent = math.log10(count)  # str() of an int stops at 4,300 digits
    digits, power = 10.0 ** (exponent % 1.0), math.floor(exponent)
    return f"about {digits:.4g}e{power}" if f"{digits:.4g}" != "10" else f"about 1e{power + 1}"


def short_share(share: float) -> str:
    if share != share:
        return ""
    return f"{100.0 * share:.3g} %" if share >= 0.001 else "< 0.1 %"


# The formula, in text or in LaTeX.


class _Text:
    """How the pieces of the formula are written in plain text."""

    times, dot, dots = " × ", " · ", "⋯"

    def ratio(self, target: str, source: str, occurrence: int = 0) -> str:
        below = f"({ordinal(occurrence)} {_in_brackets(source)})" if occurrence else _in_brackets(source)
        return f"∂{_in_brackets(target)}/∂{below}"

    def number(self, x: float) -> str:
        return number(x)

    def words(self, text: str) -> str:
        return text

    def sentence(self, text: str) -> str:
        return text

    def rows(self, head: str, rows: list[tuple[str, str]]) -> list[str]:
        """`head` once, and behind it a sign and a piece of the formula on each line."""
        return [f"{' ' * len(head) if place else head} {sign} {piece}" for place, (sign, piece) in enumerate(rows)]

    def table(self, rows: list[tuple[str, str, str]]) -> list[str]:
        """Columns of factors, products and shares."""
        wide, wider, widest = (max(map(len, column)) for column in zip(*rows, strict=True))
        return [f"{x:<{wide}} = {product:>{wider}}   {share:>{widest}}".rstrip() for x, product, share in rows]


class _Latex(_Text):
    """The same in LaTeX, as MathJax reads it."""

    times, dot, dots = r" \times ", r" \cdot ", r"\cdots"

    def ratio(self, target: str, source: str, occurrence: int = 0) -> str:
        above, below = self.name(_in_brackets(target)), self.name(_in_brackets(source))
        if occurrence:
            below = f"{{{below}}}_{{\\text{{{ordinal(occurrence)}}}}}"
        return f"\\frac{{\\partial {above}}}{{\\partial {below}}}"

    def number(self, x: float) -> str:
        if not math.isfinite(x):
            return r"\text{nan}" if math.isnan(x) else r"\infty" if x > 0.0 else r"-\infty"
        mantissa, _, exponent = number(x).replace("−", "-").partition("e")
        return f"{mantissa} \\cdot 10^{{{exponent}}}" if exponent else mantissa

    def name(self, text: str) -> str:
        """`w12` as w with a subscript, longer words upright, and no character that LaTeX would take for its own."""

        def piece(match: re.Match) -> str:
            letter, digits, word, other = match.groups()
            if letter:
                return f"{letter}_{{{digits}}}" if digits else letter
            if word:
                return f"\\mathrm{{{word.replace('_', LATEX_CHARACTERS['_'])}}}"
            return LATEX_CHARACTERS.get(other, other)

        return re.sub(r"\b([A-Za-z])([0-9]*)\b|([A-Za-z0-9_]+)|(.)", piece, text)

    def words(self, text: str) -> str:
        return re.sub(
            r"([A-Za-z0-9 .,:;()+=/\[\]-]+)|(.)",
            lambda match: f"\\text{{{match[1]}}}" if match[1] else LATEX_CHARACTERS.get(match[2], match[2]),
            text,
        )

    def sentence(self, text: str) -> str:
        return f"&{self.words(text)}"

    def rows(self, head: str, rows: list[tuple[str, str]]) -> list[str]:
        return [f"{'' if place else head} &{sign} {piece}" for place, (sign, piece) in enumerate(rows)]

    def table(self, rows: list[tuple[str, str, str]]) -> list[str]:
        return [f"{x} = {product} \\quad {self.words(share)}" for x, product, share in rows]


LATEX_CHARACTERS = {character: f"\\{character}" for character in " {}$&#%_"} | {
    "\\": "\\backslash ",
    "^": "\\wedge ",
    "~": "\\sim ",
    "<": "\\lt ",
    ">": "\\gt ",
    "|": "\\vert ",
    "*": "{*}",
    "−": "-",
    "`": "{`}",
    "'": "{\\prime}",
    '"': "{''}",
    "…": "\\ldots ",
}
TEXT, LATEX = _Text(), _Latex()


def _formula(explanation: Explanation, style: _Text) -> list[str]:
    """Symbols, then numbers, then the sum: the lines of the formula."""
    head, total = style.ratio(explanation.output, explanation.wrt), style.number(explanation.total)
    if explanation.reason:
        return style.rows(head, [("=", f"{total}{style.words(f': {explanation.reason}')}")])
    if explanation.count == 1:
        return _one_path(explanation.paths[0], head, style)
    paths, others = explanation.paths, explanation.count - len(explanation.paths)
    products = [path.product for path in paths]
    symbols = [_symbols(path, style) for path in paths]
    numbers = style.table(
        [(_numbers(path, style), style.number(path.product), short_share(path.share)) for path in paths]
    )
    result = f"{_signed_sum(products, style)} = {total}"
    if others:
        more = f"{style.dots} {style.words(f'{short_count(others)} more')}"
        rest = explanation.total - sum_of(products)
        symbols.append(more)
        numbers.append(f"{more} = {style.number(rest)}" if math.isfinite(rest) else more)
        result = total
    rows = [("+" if place else "=", piece) for lines in (symbols, numbers) for place, piece in enumerate(lines)]
    return [style.sentence(_count_in_words(explanation, others)), *style.rows(head, [*rows, ("=", result)])]


def _count_in_words(explanation: Explanation, others: int) -> str:
    words = f"{short_count(explanation.count)} paths lead from {explanation.wrt} to {explanation.output}"
    if others:
        shown = len(explanation.paths)
        words += f"; {'this is the largest' if shown == 1 else f'these are the {shown} largest'}"
        if share := short_share(explanation.shown_share):
            words += f", {share} of the sum of |products|"
    return f"{words}."


def _one_path(path: Path, head: str, style: _Text) -> list[str]:
    pieces = [_symbols(path, style), _numbers(path, style), style.number(path.product)]
    pieces = [piece for place, piece in enumerate(pieces) if piece not in (head, *pieces[place + 1 :])]
    line = " = ".join([head, *pieces])
    if style is TEXT and len(line) <= LONGEST_LINE:
        return [line]
    return style.rows(head, [("=", piece) for piece in pieces])


def _symbols(path: Path, style: _Text) -> str:
    ratios = [style.ratio(step.target, step.source, step.occurrence) for step in _ends(path.steps)]
    return style.dot.join(_with_gap(ratios, path, style))


def _numbers(path: Path, style: _Text) -> str:
    factors = [style.number(step.derivative) for step in _ends(path.steps)]
    factors = [f"({x})" if place and x[0] in "−-" else x for place, x in enumerate(factors)]
    return style.times.join(_with_gap(factors, path, style))


def _ends(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    half = FACTORS_SHOWN // 2
    return steps if len(steps) <= FACTORS_SHOWN else (*steps[:half], *steps[-half:])


def _with_gap(pieces: list[str], path: Path, style: _Text) -> list[str]:
    """`pieces`, with dots in the middle if they are only the two ends of a path."""
    if len(pieces) == len(path.steps):
        return pieces
    half, left_out = len(pieces) // 2, len(path.steps) - len(pieces)
    gap = f"{style.dots} {style.words(f'{left_out:,} more')} {style.dots}"
    return [*pieces[:half], gap, *pieces[half:]]


def _signed_sum(terms: list[float], style: _Text) -> str:
    """`6 − 2 + 1`."""
    first, *others = (style.number(term) for term in terms)
    return first + "".join(f" {x[0]} {x[1:]}" if x[0] in "−-" else f" + {x}" for x in others)


def ordinal(place: int) -> str:
    """
    >>> [ordinal(place) for place in (1, 2, 3, 4, 11, 22)]
    ['1st', '2nd', '3rd', '4th', '11th', '22nd']
    """
    ending = {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th") if place % 100 not in (11, 12, 13) else "th"
    return f"{place}{ending}"
