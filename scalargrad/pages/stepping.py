"""step_through: a page that replays the forward and the backward pass of a graph, one chain-rule term at a time.

Every number and every word on the page is written here; its script only shows and hides.
"""

import base64
import hashlib
import html
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass
from importlib import resources
from itertools import chain
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

from scalargrad.drawing.figure import check_options
from scalargrad.drawing.layout import lay_out
from scalargrad.drawing.lettering import escaped, factor, number, visible
from scalargrad.drawing.palette import THEMES, tint
from scalargrad.drawing.snapshot import SIGNS, Snapshot, is_infix, largest_size
from scalargrad.drawing.svg import SvgWriter
from scalargrad.drawing.view import Card, View, view_of
from scalargrad.engine import Value, data_of, local_derivatives, topological_order
from scalargrad.explaining.explanation import PLAIN, TEXT, explain, ordinal, shortened
from scalargrad.files.atomic import replace_file
from scalargrad.ops import dot

MOST_VALUES = 300
MOST_TERMS = 1000
MOST_ARGUMENTS = 6  # of an operation that are written out
PATHS_SHOWN = 4  # of an explanation
FIGURE = "figure"  # the id of the picture
FRAME_HEIGHTS = 420, 760  # of the page inside a notebook, at least and at most
AROUND_THE_FIGURE = 320  # the height of title, controls, text and explanation
HEADING_HEIGHT = 50  # of the picture, whose heading the page replaces


@dataclass(frozen=True, repr=False)
class SteppingPage:
    """A page in one piece: `.save` it, or let a notebook show it.

    html     the page; it asks the network for nothing
    title    its heading
    summary  "10 values: 5 results forward, the seed, 9 chain-rule terms backward"
    height   how high a notebook shows it, in pixels
    """

    html: str
    title: str
    summary: str
    height: int

    def save(self, path: str | Path) -> Path:
        """Write the page to `path`, which ends in .html. Returns the path."""
        path = Path(path)
        if path.suffix.lower() not in (".html", ".htm"):
            raise ValueError(f"a stepping page is saved as .html, got {path.name!r:.100}")
        replace_file(path, self.html.encode())
        return path

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{html.escape(self.html)}" sandbox="allow-scripts" title="{escaped(self.title)}" '
            f'width="100%" height="{self.height}" frameborder="0"></iframe>'
        )

    def __repr__(self) -> str:
        return f"<SteppingPage {self.title}: {self.summary}>"


def step_through(
    output: Value, names: Mapping[str, Any] | None = None, title: str | None = None, theme: str = "auto"
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


# The backward pass, on a copy.


class Term(NamedTuple):
    """One addition of the chain rule: the gradient of an operand += local × upstream.

    result, operand   positions in the topological order
    place             which operand of the result it is
    before, after     the gradient of the operand: the running sum
    turn              1 for the operand's first term
    """

    result: int
    operand: int
    place: int
    local: float
    upstream: float
    before: float
    after: float
    turn: int


def backward_terms(output: Value) -> list[Term]:
    """What `output.backward()` adds, addition by addition in its order; sets `.grad` of all values, from 0.

    >>> x = Value(3.0, "x")
    >>> [(term.local, term.upstream, term.after) for term in backward_terms(x * x)]
    [(3.0, 1.0, 3.0), (3.0, 1.0, 6.0)]
    """
    order = topological_order(output)
    index = {value: position for position, value in enumerate(order)}
    turns: Counter[Value] = Counter()
    terms = []
    for value in order:
        value.grad = 0.0
    output.grad = 1.0
    for value in reversed(order):
        if value.op is None or value.op.partials is None:  # a leaf, or a predicate: no slope to pass on
            continue
        slopes = local_derivatives(value)
        for place in _places_in_order(value):
            operand, local = slopes[place]
            before = operand.grad
            operand.grad += local * value.grad
            turns[operand] += 1
            terms.append(
                Term(index[value], index[operand], place, local, value.grad, before, operand.grad, turns[operand])
            )
    return terms


def _places_in_order(value: Value) -> list[int]:
    """The operands of `value` in the order in which backward() adds to them: those of a dot pair by pair."""
    count = len(value.operands)
    if value.op is dot and count == 2 * len(value.first):
        return list(chain.from_iterable((place, place + count // 2) for place in range(count // 2)))
    return list(range(count))


class _Parameter(Value):
    __slots__ = ()
    is_parameter = True


def _copy(output: Value, names: Mapping[str, Any] | None) -> Value:
    """The same graph in Values of its own, with `names` as labels, and no label twice: the second `h` is `h#2`."""
    snapshot = Snapshot(output, names)
    if len(snapshot.values) > MOST_VALUES or sum(map(len, snapshot.operands)) > MOST_TERMS:
        raise ValueError(
            f"step_through shows up to {MOST_VALUES} values and {MOST_TERMS:,} chain-rule terms, and this graph has "
            f"{len(snapshot.values):,} and {sum(map(len, snapshot.operands)):,}: draw(detail='units') shows it folded, "
            "and a smaller network or fewer samples can be stepped through"
        )
    copies: dict[Value, Value] = {}
    repeats: Counter[str] = Counter()
    for position, value in enumerate(snapshot.values):
        kind = _Parameter if snapshot.is_parameter(position) else Value
        name = snapshot.name(position)
        repeats[name] += 1
        label = snapshot.labels[position] if repeats[name] == 1 else f"{name}#{repeats[name]}"
        first, second = _moved(value.first, copies), _moved(value.second, copies)
        copies[value] = kind(value.data, label, value.op, first, second)
    return copies[output]


def _moved(argument: Any, copies: Mapping[Value, Value]) -> Any:
    """An argument of an operation with its Values replaced by their copies."""
    if type(argument) is tuple:
        return tuple(_moved(x, copies) for x in argument)
    return argument if type(argument) is float else copies[argument]


# What happens, step by step.


class Step(NamedTuple):
    """One position of the slider.

    phase    start, forward, seed or backward
    formula  its pieces, each with a caption or ""
    note     a sentence about it
    gains    the card that something is written on, or None
    gives    the cards that it comes from
    edges    those that it comes along
    """

    phase: str
    formula: list[tuple[str, str]]
    note: str
    gains: int | None = None
    gives: Sequence[int] = ()
    edges: Sequence[int] = ()


class Reading(NamedTuple):
    """What a card shows from a step on."""

    step: int
    gradient: str
    colour: str
    tint: str
    title: str


class _Story:
    """Writes the steps of a graph whose backward terms are known, and what each card and edge shows at which step."""

    def __init__(self, output: Value, terms: list[Term]) -> None:
        self.terms = terms
        self.snapshot = Snapshot(output)
        self.values = self.snapshot.values
        self.names = [visible(self.snapshot.name(position)) for position in range(len(self.values))]
        self.results = [position for position, value in enumerate(self.values) if value.op is not None]
        self.seed_step = len(self.results) + 1
        self.term_count = Counter(term.operand for term in terms)
        self.largest = largest_size([1.0, *(term.after for term in terms)])
        view = view_of(output, "values")
        self.edge_at = {(edge.target, edge.operand): place for place, edge in enumerate(view.edges)}
        cards = [card._replace(tint=self.tint(value.grad)) for card, value in zip(view.cards, self.values, strict=True)]
        self.view = view._replace(cards=cards, largest_gradient=self.largest, summary="")

    def summary(self) -> str:
        values, results, terms = (
            f"{count} {noun}{'s' * (count != 1)}"
            for count, noun in (
                (len(self.values), "value"),
                (len(self.results), "result"),
                (len(self.terms), "chain-rule term"),
            )
        )
        return f"{values}: {results} forward, the seed, {terms} backward"

    def tint(self, gradient: float) -> str:
        return tint(gradient, self.largest)

    # The steps.

    def steps(self) -> list[Step]:
        backward = map(self.backward_step, self.terms)
        return [self.start(), *map(self.forward_step, self.results), self.seed(), *backward]

    def start(self) -> Step:
        leaves = len(self.values) - len(self.results)
        given = "One number is given" if leaves == 1 else f"{leaves} numbers are given"
        text = f"{given}, {len(self.results)} will be computed from {'it' if leaves == 1 else 'them'}."
        if not self.results:
            text = f"{given}, and nothing is computed from it."
        return Step("start", [(text, "")], "The gradients are 0. Press → for the first step, or Play.")

    def forward_step(self, position: int) -> Step:
        value, operands = self.values[position], self.snapshot.operands[position]
        name, data = self.short(position), number(value.data)
        pieces = [name, self.expression(position, with_numbers=True), data]
        if value.label or re.fullmatch(r"v\d+|output", name):  # else its name is the expression
            pieces.insert(1, self.expression(position, with_numbers=False))
        pieces = [piece for place, piece in enumerate(pieces) if piece not in pieces[:place]]
        formula = [(f"= {piece}" if place else piece, "") for place, piece in enumerate(pieces)]
        note = f"{name} remembers what it was computed from: the backward pass will ask for it."
        if not _is_up_to_date(value):
            note = f"{name} was {data} when it was computed; an operand has been changed since."
        edges = [self.edge_at[position, place] for place in range(len(operands))]
        return Step("forward", formula, note, position, sorted(set(operands)), edges)

    def seed(self) -> Step:
        name, last = self.short(-1), len(self.values) - 1
        note = f"The backward pass begins here: when {name} changes by 1, {name} changes by 1."
        return Step("seed", [(self.gradient(last), ""), ("= 1", "seed")], note, last)

    def backward_step(self, term: Term) -> Step:
        gradient, product = self.gradient(term.operand), term.local * term.upstream
        operands = self.snapshot.operands[term.result]
        occurrence = operands[: term.place + 1].count(term.operand) if operands.count(term.operand) > 1 else 0
        formula = [
            (gradient, ""),
            ("+=", ""),
            (TEXT.ratio(self.short(term.result), self.short(term.operand), occurrence), "local"),
            ("×", ""),
            (self.gradient(term.result), "upstream"),
            (f"= {plain(term.local)} × {factor(term.upstream + 0.0)}", ""),
            (f"= {plain(product)}", ""),
        ]
        count = self.term_count[term.operand]
        which = "its only term" if count == 1 else f"the {ordinal(term.turn)} of its {count} terms"
        sum_so_far = f"{plain(term.before)} + {factor(product + 0.0)} = {plain(term.after)}"
        note = f"{gradient} is now {sum_so_far}: {which}."
        edge = self.edge_at[term.result, term.place]
        return Step("backward", formula, note, term.operand, [term.result], [edge])

    # Names and expressions.

    def short(self, position: int) -> str:
        return shortened(self.names[position])

    def gradient(self, position: int) -> str:
        return TEXT.ratio(self.short(-1), self.short(position))

    def expression(self, position: int, with_numbers: bool) -> str:
        """The operation on the names of its operands, or on their numbers: `x1 × w1`, `2 × (−3)`."""
        value, op = self.values[position], self.snapshot.op(position)
        operands = iter(self.snapshot.operands[position])

        def written(argument: Any) -> str:
            if isinstance(argument, tuple):
                return f"[{', '.join(map(written, argument))}]"
            if type(argument) is float:
                return number(argument)
            operand = next(operands)
            return number(self.values[operand].data) if with_numbers else self.short(operand)

        if op is None:
            return number(value.data)
        if len(value.operands) > MOST_ARGUMENTS:
            return f"{op.name}(… {len(value.operands)} operands …)"
        parts = [written(argument) for argument in value.args]
        if is_infix(op):
            left, right = _in_brackets(parts[0], leading=op.special != "pow"), _in_brackets(parts[1])
            sign = SIGNS.get(op.symbol, op.symbol)
            return f"{left}{sign}{right}" if op.special == "pow" else f"{left} {sign} {right}"
        return f"{op.name}({', '.join(parts)})" if op.symbol[0].isalpha() else f"−{_in_brackets(parts[0])}"

    # What cards and edges show.

    def readings(self) -> list[list[Reading]]:
        """For each card what it shows, from which step on."""
        computed = {position: step for step, position in enumerate(self.results, 1)}
        readings = []
        for position in range(len(self.values)):
            name = f"{self.names[position]} ({self.snapshot.operation(position) or self.snapshot.kind(position)})"
            known = f"{name}: data {number(self.values[position].data)}"
            first = Reading(computed.get(position, 0), "0", "ink", self.tint(0.0), known)
            readings.append([first._replace(step=0, title=f"{name}: not computed yet"), first])
        seeded = readings[-1][-1].title + f"; {self.gradient(len(self.values) - 1)} = 1, the seed"
        readings[-1].append(Reading(self.seed_step, "1", "ink", self.tint(1.0), seeded))
        for step, term in enumerate(self.terms, self.seed_step + 1):
            known, count = readings[term.operand][1].title, self.term_count[term.operand]
            title = f"{known}; {self.gradient(term.operand)} = {plain(term.after)}, {term.turn} of {count} terms"
            colour = "ink" if term.after - term.after == 0.0 else "not-finite"
            readings[term.operand].append(Reading(step, plain(term.after), colour, self.tint(term.after), title))
        return readings

    def edges(self) -> list[dict[str, Any]]:
        """For each edge the steps at which its result is computed and at which its term is added, and its tooltips."""
        computed = {position: step for step, position in enumerate(self.results, 1)}
        added = {
            self.edge_at[term.result, term.place]: step for step, term in enumerate(self.terms, self.seed_step + 1)
        }
        return [
            {
                "computed": computed[edge.target],
                "added": added.get(place),
                "before": f"{self.names[edge.source]} → {self.names[edge.target]}",
                "after": visible(edge.explanation),
            }
            for place, edge in enumerate(self.view.edges)
        ]

    def explanations(self) -> list[dict[str, str]]:
        output = self.values[-1]
        return [
            {
                "heading": f"{self.gradient(position)} = {plain(value.grad)}",
                "text": str(explain(output, value, show=PATHS_SHOWN)),
            }
            for position, value in enumerate(self.values)
        ]

    def widest_view(self, readings: list[list[Reading]]) -> View:
        """The picture with the longest gradient that each card will show: the layout leaves room for it."""

        def widest(card: Card, shown: list[Reading]) -> Card:
            return card._replace(grad=max((reading.gradient for reading in shown), key=len))

        return self.view._replace(cards=list(map(widest, self.view.cards, readings)))


def plain(x: float) -> str:
    """`x` as a picture shows a gradient: -0.0, the slope of a switched-off unit times a negative number, as 0."""
    return number(x + 0.0)


def _in_brackets(text: str, leading: bool = False) -> str:
    """`text` where it stands beside a sign: a name or a number as it is, a formula or a negative number in brackets."""
    negative = text.startswith("−") and not leading
    return f"({text})" if negative or not PLAIN.fullmatch(text.removeprefix("−")) else text


def _is_up_to_date(value: Value) -> bool:
    """Is the number of a result still what its operands give?"""
    try:
        computed = value.op.compute(*map(data_of, value.args)) if value.op else value.data
    except IndexError:  # `take` with an index that has been changed
        return False
    return computed == value.data or computed != computed


# The page.


def _page(output: Value, names: Mapping[str, Any] | None, title: str | None, theme: str) -> SteppingPage:
    copy = _copy(output, names)
    story = _Story(copy, backward_terms(copy))
    title = title or f"{shortened(story.names[-1])}, step by step"
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


def _picture(story: _Story, readings: list[list[Reading]], title: str, theme: str) -> tuple[str, int]:
    """The picture as it is at the end, and its height."""
    writer = SvgWriter(FIGURE, theme)
    layout = lay_out([story.view, story.widest_view(readings)])
    body, (width, height) = writer.graph(story.view, layout, "")
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
    """What a content security policy calls an inline style or script by."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _inside_script(data: Any) -> str:
    """JSON in ASCII without the characters that could end, or comment out, the script element around it."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
