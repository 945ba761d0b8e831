"""The steps of a graph: each result forward, the seed, each term of the chain rule backward, and what they show."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from scalargrad.drawing.formulas import badge_of
from scalargrad.drawing.lettering import factor, gradient_text, number, product_text, visible
from scalargrad.drawing.palette import tint
from scalargrad.drawing.snapshot import Snapshot, largest_size
from scalargrad.drawing.view import Card, View, view_of
from scalargrad.engine import Value
from scalargrad.explaining.explanation import explain
from scalargrad.explaining.recording import Recording
from scalargrad.explaining.stale import is_stale
from scalargrad.explaining.terms import Term
from scalargrad.explaining.words import Words
from scalargrad.support.words import ordinal, plural, short_name

PATHS_SHOWN = 4  # of an explanation


class Event(NamedTuple):
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


def plain(text: str) -> str:
    """A formula without what differs between the names of results and formulas."""
    return text.translate(str.maketrans({"×": "*", "−": "-", "≤": "<=", **dict.fromkeys(" ()[]")})).replace("==", "=")


class Reading(NamedTuple):
    """The contents of a card from a step on."""

    step: int
    gradient: str
    colour: str
    tint: str
    title: str


class Story:
    """Writes the steps of a graph whose backward terms are known, and what each card and edge shows at which step."""

    def __init__(self, output: Value, terms: list[Term]) -> None:
        self.terms = terms
        self.snapshot = Snapshot(output)
        self.values = self.snapshot.values
        self.names = [visible(self.snapshot.name(position)) for position in range(len(self.values))]
        self.recording = Recording(self.values, dict(zip(self.values, map(short_name, self.names), strict=True)))
        self.words = Words(self.recording)
        self.results = [position for position, value in enumerate(self.values) if value.op is not None]
        self.seed_step = len(self.results) + 1
        self.term_count = Counter(term.operand for term in terms)
        self.largest = largest_size([1.0, *(term.after for term in terms)])
        view = view_of(output, "values")
        self.edge_at = {(edge.target, edge.operand): place for place, edge in enumerate(view.edges)}
        cards = [card._replace(tint=self.tint(value.grad)) for card, value in zip(view.cards, self.values, strict=True)]
        self.view = view._replace(cards=cards, largest_gradient=self.largest, summary="")

    def summary(self) -> str:
        values, results = plural(len(self.values), "value"), plural(len(self.results), "result")
        return f"{values}: {results} forward, the seed, {plural(len(self.terms), 'chain-rule term')} backward"

    def tint(self, gradient: float) -> str:
        return tint(gradient, self.largest)

    # The steps.

    def steps(self) -> list[Event]:
        backward = map(self.backward_step, self.terms)
        return [self.start(), *map(self.forward_step, self.results), self.seed(), *backward]

    def start(self) -> Event:
        leaves = len(self.values) - len(self.results)
        given = "One number is given" if leaves == 1 else f"{leaves} numbers are given"
        text = f"{given}, {len(self.results)} will be computed from {'it' if leaves == 1 else 'them'}."
        if not self.results:
            text = f"{given}, and nothing is computed from it."
        return Event("start", [(text, "")], "The gradients are 0. Press → for the first step, or Play.")

    def forward_step(self, position: int) -> Event:
        value, operands = self.values[position], self.snapshot.operands[position]
        name, data, symbols = self.words.name(position), number(value.data), self.words.formula(position)
        pieces = [name, symbols, self.words.formula(position, with_numbers=True), data]
        if plain(symbols) == plain(name):  # its name is the expression
            del pieces[1]
        formula = [(f"= {piece}" if place else piece, "") for place, piece in enumerate(dict.fromkeys(pieces))]
        note = f"{name} remembers what it was computed from: the backward pass will ask for it."
        if is_stale(value):
            note = f"{name} was {data} when it was computed; an operand has been changed since."
        edges = [self.edge_at[position, place] for place in range(len(operands))]
        return Event("forward", formula, note, position, sorted(set(operands)), edges)

    def seed(self) -> Event:
        last = len(self.values) - 1
        name = self.words.name(last)
        note = f"The backward pass begins here: when {name} changes by 1, {name} changes by 1."
        return Event("seed", [(self.words.partial(last), ""), ("= 1", "seed")], note, last)

    def backward_step(self, term: Term) -> Event:
        words, product = self.words, term.local * term.upstream
        gradient, place = words.partial(term.operand), self.recording.place(term.result, term.place)
        formula = [
            (gradient, ""),
            ("+=", ""),
            (words.local_partial(term.result, place), "local"),
            ("×", ""),
            (words.partial(term.result), "upstream"),
            (f"= {product_text(term.local, term.upstream)}", ""),
            (f"= {gradient_text(product)}", ""),
        ]
        count = self.term_count[term.operand]
        which = "its only term" if count == 1 else f"the {ordinal(term.turn)} of its {count} terms"
        sum_so_far = f"{gradient_text(term.before)} + {factor(product + 0.0)} = {gradient_text(term.after)}"
        note = f"{gradient} is now {sum_so_far}: {which}. {words.rule(term.result, place).sentence}"
        edge = self.edge_at[term.result, term.place]
        return Event("backward", formula, note, term.operand, [term.result], [edge])

    # What cards and edges show.

    def readings(self) -> list[list[Reading]]:
        """For each card its contents, from which step on."""
        computed = {position: step for step, position in enumerate(self.results, 1)}
        readings = []
        for position in range(len(self.values)):
            name = f"{self.names[position]} ({badge_of(self.values[position]) or self.snapshot.kind(position)})"
            known = f"{name}: data {number(self.values[position].data)}"
            first = Reading(computed.get(position, 0), "0", "ink", self.tint(0.0), known)
            readings.append([first._replace(step=0, title=f"{name}: not computed yet"), first])
        seeded = readings[-1][-1].title + f"; {self.words.partial(len(self.values) - 1)} = 1, the seed"
        readings[-1].append(Reading(self.seed_step, "1", "ink", self.tint(1.0), seeded))
        for step, term in enumerate(self.terms, self.seed_step + 1):
            known, count = readings[term.operand][1].title, self.term_count[term.operand]
            after = gradient_text(term.after)
            title = f"{known}; {self.words.partial(term.operand)} = {after}, {term.turn} of {count} terms"
            colour = "ink" if term.after - term.after == 0.0 else "not-finite"
            readings[term.operand].append(Reading(step, after, colour, self.tint(term.after), title))
        return readings

    def edges(self) -> list[dict[str, object]]:
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
                "heading": f"{self.words.partial(position)} = {gradient_text(value.grad)}",
                "text": str(explain(output, value, show=PATHS_SHOWN)),
            }
            for position, value in enumerate(self.values)
        ]

    def widest_view(self, readings: list[list[Reading]]) -> View:
        """The picture with the longest gradient that each card will show: the layout leaves room for it."""

        def widest(card: Card, shown: list[Reading]) -> Card:
            return card._replace(grad=max((reading.gradient for reading in shown), key=len))

        return self.view._replace(cards=list(map(widest, self.view.cards, readings)))
