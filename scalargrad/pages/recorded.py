"""A graph as data for a page: its scalars for the interpreter, names, sliders, and views between which it chooses."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from scalargrad.drawing.folding import COARSER
from scalargrad.drawing.formulas import badge_of
from scalargrad.drawing.layering import Layers
from scalargrad.drawing.layout import NAME_SIZE, PADDING, TAG_SIZE, badge_width, header_indent
from scalargrad.drawing.lettering import clipped_name, visible, width
from scalargrad.drawing.ordering import reduce_crossings
from scalargrad.drawing.snapshot import Snapshot
from scalargrad.drawing.view import Card, View, view_at
from scalargrad.engine import Value
from scalargrad.explaining.stale import is_stale, recomputed
from scalargrad.explaining.templates import words_for_pages
from scalargrad.explaining.written import piece_of, written
from scalargrad.holders import Parameter
from scalargrad.operands import flatten
from scalargrad.ops import take
from scalargrad.structure import layer_of, owner_of
from scalargrad.support.words import distinct, plural, short_name

MOST_VALUES = 5000
MOST_CARDS = 120  # in a view; each frame of a drag writes them all
WIDEST_CARD, WIDEST_RANGES = 166, 236  # of a number, and of the lowest and highest of several
WORTH_FOLDING = 0.8  # of the cards of the view before, at most
MOST_VALUES_STEPPED, MOST_TERMS_STEPPED = 300, 1000
RANGE, RANGE_OF_WEIGHTS, WIDEST_RANGE = 10.0, 2.0, 2.0**1022  # the largest of which a range is a float
LONGEST_TITLE, MOST_IN_TITLE = 60, 16  # characters; names and numbers


class Recorded:
    """The graph of one output as a page has it.

    A page counts every argument, constants too: `x * 2` are three values. So it has positions of its own.

    values      the Values of the graph, operands before results
    position    of each of them, on the page
    names       of each position; "" for a constant
    """

    def __init__(self, output: Value, names: Mapping[str, object] | None = None) -> None:
        self.snapshot = Snapshot(output, names)
        self.values = self.snapshot.values
        if len(self.values) > MOST_VALUES:
            raise ValueError(
                f"explore takes up to {MOST_VALUES:,} values, and this graph has {len(self.values):,}: "
                "draw(detail='layers') shows it folded"
            )
        self.position: dict[Value, int] = {}
        self.operations: dict[str, int] = {}
        self.op: list[int] = []
        self.operands: list[list[int]] = []
        self.data: list[float] = []
        self.names: list[str] = []
        self.constants: list[int] = []
        self.badges: list[str] = []
        called = distinct(visible(self.snapshot.name(place)) for place in range(len(self.values)))
        for value, name in zip(self.values, called, strict=True):
            operands = [self._constant(x) if type(x) is float else self.position[x] for x in flatten(value.args)]
            kind = self.operations.setdefault(value.op.name, len(self.operations)) if value.op else -1
            self.position[value] = self._append(kind, operands, float(value.data), name, badge_of(value))

    def _append(self, op: int, operands: list[int], data: float, name: str, badge: str) -> int:
        self.op.append(op)
        self.operands.append(operands)
        self.data.append(data)
        self.names.append(name)
        self.badges.append(badge)
        return len(self.op) - 1

    def _constant(self, x: float) -> int:
        self.constants.append(len(self.op))
        return self._append(-1, [], x, "", "")

    def leaves(self) -> dict[int, Value]:
        """The leaves by their positions."""
        return {self.position[value]: value for value in self.values if value.op is None}

    def copy(self) -> Value:
        """The same graph in Values of its own, computed anew, with the names as labels."""
        copies: dict[Value, Value] = {}

        def moved(argument: Value | float | tuple) -> Value | float | tuple:
            if isinstance(argument, tuple):
                return tuple(map(moved, argument))
            return argument if isinstance(argument, float) else copies[argument]

        for value, label, is_parameter in zip(self.values, self.snapshot.labels, self.snapshot.parameters, strict=True):
            kind = Parameter if is_parameter else Value
            copied = kind(float(value.data), label, value.op, moved(value.first), moved(value.second))
            if value.op and (now := recomputed(copied)) is not None:
                copied.data = now
            copies[value] = copied
        return copies[self.values[-1]]

    def graph(self) -> dict[str, object]:
        """The scalars as graph.js takes them."""
        return {
            "operations": list(self.operations),
            "op": self.op,
            "operands": self.operands,
            "data": [x if math.isfinite(x) else str(x) for x in self.data],
        }

    def sliders(self, inputs: Iterable[Value]) -> list[tuple[int, float, float, float]]:
        """(position, lowest, highest, step) of each of these leaves; a step of 0 is left to the page.

        Symmetric, and twice the size of a number that would not fit. An index of `take` moves in whole steps.
        """
        choices: dict[Value, int] = {}
        for value in self.values:
            if value.op is take and isinstance(value.first, Value):
                choices[value.first] = min(choices.get(value.first, len(value.second)), len(value.second))
        sliders = []
        for leaf in sorted(set(inputs), key=self.position.__getitem__):
            place = self.position[leaf]
            if leaf in choices:
                sliders.append((place, 0.0, choices[leaf] - 1.0, 1.0))
                continue
            usual = RANGE_OF_WEIGHTS if self._is_weight(leaf) else RANGE
            size = abs(self.data[place])
            limit = min(2 * size, WIDEST_RANGE) if usual < size < math.inf else usual
            sliders.append((place, -limit, limit, 0.0))
        return sliders

    def _is_weight(self, leaf: Value) -> bool:
        return getattr(leaf, "is_parameter", False) is True and owner_of(str(leaf.label)) != ""

    def stale(self) -> list[tuple[int, float]]:
        """(position, number) of results that their operands no longer give."""
        return [(place, self.data[place]) for value, place in self.position.items() if is_stale(value)]

    def too_big_to_step(self) -> str:
        """Why Step mode does not take this graph; "" where it does."""
        values, terms = len(self.values), sum(map(len, self.snapshot.operands))
        if values <= MOST_VALUES_STEPPED and terms <= MOST_TERMS_STEPPED:
            return ""
        return (
            f"Step shows up to {MOST_VALUES_STEPPED} values and {MOST_TERMS_STEPPED:,} chain-rule terms, and this "
            f"graph has {values:,} and {terms:,}"
        )

    def summary(self) -> str:
        slopes = sum(map(len, self.snapshot.operands))
        return f"{plural(len(self.values), 'value')}, {plural(slopes, 'local derivative')}"

    def title(self) -> str:
        """The output as a formula of leaves, `o = tanh(x1·w1 + b)`, or only its name.

        That is where the formula is too long, and where it would end in results that have a number for a name.
        """
        spellings = words_for_pages(self.operations)["spellings"]
        terms: dict[Value, tuple[Any, int]] = {}  # and how many names and numbers are in it
        for place, (value, owner) in enumerate(zip(self.values, self.snapshot.owners, strict=True)):
            name, args = self.names[self.position[value]], () if owner else value.args  # a unit is called by its name
            parts = [(x, 1) if isinstance(x, float) else terms[x] for x in args if not isinstance(x, tuple)]
            size = sum(count for _, count in parts)
            opened = args != () and len(parts) == len(args) and size <= MOST_IN_TITLE
            is_number = value.op is not None and name == f"v{place}" and not self.snapshot.labels[place]
            closed = (name, MOST_IN_TITLE + 1 if is_number else 1)
            terms[value] = ([str(value.op), *(part for part, _ in parts)], size) if opened else closed
        formula = written(terms[self.values[-1]][0], piece_of, spellings).text.replace(" × ", "·")
        has_name = self.snapshot.labels[-1] or formula == self.names[-1]
        output = short_name(self.names[-1]) if has_name else "output"
        is_long = len(formula) > LONGEST_TITLE or formula in (self.names[-1], output)
        return output if is_long else f"{output} = {formula}"

    # Views.

    def views(self) -> list[dict[str, object]]:
        """Values, units and layers, or values and sums: those with few enough cards, each with fewer than the last."""
        details = ["values", *(["units", "layers"] if any(self.snapshot.owners) else ["folded"]), *COARSER]
        if len(self.values) > MOST_CARDS:
            del details[0]
        found: list[View] = []
        for detail in details:
            if found and detail in COARSER:
                break
            view = view_at(self.snapshot, detail)
            fewer = not found or len(view.cards) <= WORTH_FOLDING * len(found[-1].cards)
            if fewer and len(view.cards) <= MOST_CARDS:
                found.append(view)
        return [self._view(view) for view in found]

    def _view(self, view: View) -> dict[str, object]:
        edges = [(edge.source, edge.target) for edge in view.edges]
        layers = Layers(len(view.cards), edges)
        reduce_crossings(layers)
        return {
            "detail": view.detail,
            "cards": [self._card(card, view.detail) for card in view.cards],
            "edges": edges,
            "columns": layers.columns,
            "paths": layers.paths,
        }

    def _card(self, card: Card, detail: str) -> dict[str, object]:
        places = [self.position[self.values[x]] for x in card.members]
        exits = [self.position[self.values[x]] for x in card.exits]
        name = self.names[exits[0]] if detail == "values" else visible(card.name)
        tag = card.function if card.off else card.tag
        header = header_indent(card) + 8 + width(tag, TAG_SIZE, bold=True) + PADDING + (26 if len(places) > 1 else 0)
        shown = clipped_name(name, (WIDEST_CARD if len(exits) == 1 else WIDEST_RANGES) - header, NAME_SIZE)
        data: dict[str, object] = {"exits": exits, "kind": card.kind, "name": shown}
        data["header"] = math.ceil(header + width(shown, NAME_SIZE, bold=True))
        if shown != name:
            data["whole"] = name
        if len(places) > 1:
            data["members"] = places
            owner = self.snapshot.owners[card.exits[-1]] or ""
            data["unit"] = layer_of(owner) if detail == "layers" else owner
        if card.badge:
            data |= {"badge": card.badge, "badge_width": math.ceil(badge_width(card.badge))}
        for part, text in {"tag": tag, "group": card.group, "function": card.function}.items():
            if text:
                data[part] = text
        return data


def page_data(recorded: Recorded, inputs: Iterable[Value], title: str, theme: str, mode: str) -> dict[str, Any]:
    """All that explore/main.js mounts."""
    flags = recorded.snapshot.parameters
    return {
        "title": visible(title),
        "summary": recorded.summary(),
        "theme": theme,
        "mode": mode,
        "recorded": recorded.graph(),
        "constants": recorded.constants,
        "names": recorded.names,
        "words": words_for_pages(recorded.operations),
        "badges": recorded.badges,
        "parameters": [recorded.position[x] for x, is_one in zip(recorded.values, flags, strict=True) if is_one],
        "sliders": recorded.sliders(inputs),
        "stale": [(place, x if math.isfinite(x) else str(x)) for place, x in recorded.stale()],
        "too_big_to_step": recorded.too_big_to_step(),
        "views": recorded.views(),
    }
