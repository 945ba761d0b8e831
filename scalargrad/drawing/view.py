"""The cards and edges of a picture: what each says, before its place is known."""

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

from scalargrad.drawing.folding import MOST_CARDS, fold
from scalargrad.drawing.formulas import badge_of
from scalargrad.drawing.lettering import gradient_text, number, product_text
from scalargrad.drawing.palette import sign_colour, tint
from scalargrad.drawing.snapshot import Snapshot, largest_size
from scalargrad.engine import Value
from scalargrad.ops import dot
from scalargrad.ops import sum as sum_of
from scalargrad.structure import layer_of
from scalargrad.support.words import plural

MOST_TERMS = 4  # of a chain rule that a tooltip writes out
MOST_LEAVES = 12  # whose gradients the description lists


class Card(NamedTuple):
    """One card: a value, or several that are folded into one."""

    members: tuple[int, ...]  # positions in the topological order
    exits: tuple[int, ...]  # those that other cards use
    kind: str  # input, parameter, result or output
    off: bool  # a switched-off relu
    name: str
    tag: str  # the word at the right of the header
    badge: str  # the operation; "" for leaves
    data: str
    data_colour: str  # parts of the palette
    grad: str  # "" where backward() has not run
    grad_colour: str
    tint: str
    group: str  # the layer around it
    function: str  # a unit's activation: relu, linear
    explanation: str


class Edge(NamedTuple):
    """From a card to one that uses it."""

    source: int  # places in View.cards
    target: int
    operand: int  # which operand of the target, counted in `Value.operands`; -1 for a folded edge
    slope: float | None  # d target / d source, where both are one value
    flow: float | None  # slope × upstream: what this edge adds to the gradient of its source
    colour: str
    explanation: str


class View(NamedTuple):
    """All that a picture says."""

    cards: list[Card]
    edges: list[Edge]
    detail: str
    backward_ran: bool
    largest_gradient: float
    largest_flow: float
    edges_are_weights: bool
    summary: str  # "103 values folded into 11 units, after backward()"
    description: str  # the gradients of the leaves
    output_name: str
    snapshot: Snapshot

    @property
    def values(self) -> list[Value]:
        return self.snapshot.values


def view_of(output: Value, detail: str | None = None, names: Mapping[str, object] | None = None) -> View:
    """The cards and edges of a picture of `output` at this detail."""
    return view_at(Snapshot(output, names), detail)


def view_at(snapshot: Snapshot, detail: str | None) -> View:
    """The cards and edges of a picture of a graph as it was, at this detail or one of COARSER."""
    folding, detail = fold(snapshot, detail)
    members: dict[Hashable, list[int]] = {}
    for position, home in enumerate(folding):
        members.setdefault(home, []).append(position)
    members = dict(sorted(members.items(), key=lambda item: item[1][-1]))  # operands before results
    place = {home: index for index, home in enumerate(members)}
    card_of = [place[home] for home in folding]
    edges = _edges_apart(snapshot) if detail == "values" else _edges_folded(snapshot, card_of, detail)
    cards = _Cards(snapshot, card_of, list(members.values()), detail).all()
    return View(
        cards,
        edges,
        detail,
        snapshot.backward_ran,
        largest_size(snapshot.grads),
        largest_size(edge.flow for edge in edges if edge.flow is not None),
        detail in ("units", "layers") and any(card.group for card in cards),
        _summary(snapshot, len(cards), detail),
        _description(snapshot),
        snapshot.name(snapshot.output),
        snapshot,
    )


def _summary(snapshot: Snapshot, count: int, detail: str) -> str:
    values = len(snapshot.values)
    text = plural(values, "value")
    if count < values:
        text += f" folded into {plural(count, detail[:-1] if detail in ('units', 'layers') else 'card')}"
    return text + (", after backward()" if snapshot.backward_ran else ", backward() not run")


def _description(snapshot: Snapshot) -> str:
    output = snapshot.output
    result = f"{snapshot.name(output)} = {number(snapshot.data[output])}."
    leaves = [x for x in range(output + 1) if snapshot.op(x) is None]
    if not snapshot.backward_ran:
        return f"{result} backward() has not run: there are no gradients yet."
    listed = ", ".join(f"{snapshot.partial(x)} = {gradient_text(snapshot.grads[x])}" for x in leaves[:MOST_LEAVES])
    more = f" and {len(leaves) - MOST_LEAVES} more" if len(leaves) > MOST_LEAVES else ""
    return f"{result} Gradients of the leaves: {listed}{more}."


# Cards.


class _Cards:
    """Writes the cards of one folding."""

    def __init__(self, snapshot: Snapshot, card_of: list[int], members: list[list[int]], detail: str) -> None:
        self.snapshot, self.card_of, self.members, self.detail = snapshot, card_of, members, detail
        self.largest = largest_size(snapshot.grads)
        self.owners = snapshot.owners if detail in ("units", "layers") else [None] * len(card_of)

    def all(self) -> list[Card]:
        return [self.card(place, members) for place, members in enumerate(self.members)]

    def card(self, place: int, members: list[int]) -> Card:
        snapshot = self.snapshot
        exits = [
            x
            for x in members
            if x == snapshot.output or any(self.card_of[consumer] != place for consumer in snapshot.consumers[x])
        ]
        last = exits[-1]
        results = [x for x in members if snapshot.op(x) is not None]
        kind = "output" if snapshot.output in members else snapshot.kind(last)
        off = len(exits) == 1 and snapshot.is_off(last)
        data, data_colour = self._cell([snapshot.data[x] for x in exits])
        grad, grad_colour, shade = "", "", ""
        if snapshot.backward_ran:
            grads = [x + 0.0 for x in (snapshot.grads[exit] for exit in exits)]
            grad, grad_colour = self._cell(grads)
            shade = tint(max(grads, key=abs), self.largest) if all(map(math.isfinite, grads)) else "tint-zero"
        return Card(
            tuple(members),
            tuple(exits),
            kind,
            off,
            self._name(members, exits, results),
            self._tag(kind, off, exits, results),
            self._badge(members, exits, results),
            data,
            data_colour,
            grad,
            grad_colour,
            shade,
            self._group(members, last),
            self._activation(last) if self._unit(last) and results else "",
            self._explanation(members, exits),
        )

    def _cell(self, numbers: Sequence[float]) -> tuple[str, str]:
        """The text of a cell, a number or a range, and the colour to write it in."""
        colour = "ink" if all(map(math.isfinite, numbers)) else "not-finite"
        finite_first = sorted(numbers, key=lambda x: (math.isnan(x), x))
        lowest, highest = number(finite_first[0]), number(finite_first[-1])
        return (lowest if lowest == highest else f"{lowest} … {highest}"), colour

    def _unit(self, last: int) -> str | None:
        owner = self.owners[last]
        return layer_of(owner) if owner and self.detail == "layers" else owner

    def _name(self, members: list[int], exits: list[int], results: list[int]) -> str:
        snapshot, last, unit = self.snapshot, exits[-1], self._unit(exits[-1])
        if unit and results:
            layer = layer_of(unit)
            return unit.removeprefix(layer + ".") if layer != unit else unit
        if len(members) == 1 or len(exits) == 1:
            return snapshot.name(last)
        if not results:
            return unit or f"{len(members)} {snapshot.kind(last)}s"
        operation = self._common_operation(results)
        return f"{len(results)} × {operation}" if operation else f"{len(members)} values"

    def _tag(self, kind: str, off: bool, exits: list[int], results: list[int]) -> str:
        if off:
            return "off"
        if kind == "output":
            return "output" if self.snapshot.name(self.snapshot.output) != "output" or self._unit(exits[-1]) else ""
        if len(exits) > 1:
            return f"×{len(exits)}"
        if kind != "result":
            return {"parameter": "param"}.get(kind, kind)
        return self._activation(exits[-1]) if self._unit(exits[-1]) else ""

    def _activation(self, last: int) -> str:
        op = self.snapshot.op(last)
        return op.name if op is not None and len(self.snapshot.operands[last]) == 1 else "linear"

    def _badge(self, members: list[int], exits: list[int], results: list[int]) -> str:
        if not results or self._unit(exits[-1]):
            return ""
        last = exits[-1]
        if len(exits) > 1:
            return self._common_operation(results) or "…"
        if len(results) == 1:
            is_sum = self.detail == "folded" and self.snapshot.op(last) in (dot, sum_of)
            return "Σ" if is_sum else badge_of(self.snapshot.values[last])
        return "Σ" if self.detail == "folded" and len(members) <= MOST_CARDS and self._is_sum(last) else "…"

    def _common_operation(self, results: list[int]) -> str:
        """The operation that all of them share, with its constant or at least without; or ""."""
        operations = {badge_of(self.snapshot.values[x]) for x in results}
        if len(operations) > 1:
            operations = {op.name for x in results if (op := self.snapshot.op(x))}
        return operations.pop() if len(operations) == 1 else ""

    def _is_sum(self, last: int) -> bool:
        op = self.snapshot.op(last)
        return op is not None and (op is sum_of or op is dot or op.special == "add")

    def _group(self, members: list[int], last: int) -> str:
        if self.detail != "units":
            return ""
        owner = self.owners[last]
        if self.snapshot.op(last) is None:
            return "inputs" if self.snapshot.kind(last) == "input" else ""
        return "" if owner is None or layer_of(owner) == owner else layer_of(owner)

    def _explanation(self, members: list[int], exits: list[int]) -> str:
        snapshot, last = self.snapshot, exits[-1]
        unit = self._unit(last)
        if len(exits) > 1:
            data, _ = self._cell([snapshot.data[x] for x in exits])
            grad, _ = self._cell([snapshot.grads[x] for x in exits])
            what = unit or f"{badge_of(snapshot.values[last]) or snapshot.kind(last)}"
            text = f"{what}: {len(members)} values, {len(exits)} of them used further on; data {data}"
            return text + (f"; gradients {grad}" if snapshot.backward_ran else "")
        operation = badge_of(snapshot.values[last])
        named = unit or snapshot.name(last)
        text = f"{named} ({operation or snapshot.kind(last)}): data {number(snapshot.data[last])}"
        if len(members) > 1:
            text += f"; {len(members)} values on this card"
        return text + (f"; {self._chain_rule(last)}" if snapshot.backward_ran else "; backward() not run")

    def _chain_rule(self, position: int) -> str:
        """∂o/∂x = −3 × 0.5 + 2 × 1 = 0.5"""
        snapshot = self.snapshot
        text = f"{snapshot.partial(position)} = "
        consumers = list(dict.fromkeys(snapshot.consumers[position]))
        terms = []
        for consumer in consumers[: MOST_TERMS + 1]:
            for slope, operand in zip(snapshot.slopes[consumer], snapshot.operands[consumer], strict=True):
                if operand == position:
                    terms.append(product_text(slope, snapshot.grads[consumer]))
        if terms:
            shown = " + ".join(terms[:MOST_TERMS])
            uses = len(snapshot.consumers[position])
            text += shown + (f" + … ({uses} terms)" if uses > MOST_TERMS else "") + " = "
        return text + gradient_text(snapshot.grads[position])


# Edges.


def _edges_apart(snapshot: Snapshot) -> list[Edge]:
    """One edge for each operand: a + a has two."""
    edges = []
    for target, operands in enumerate(snapshot.operands):
        for place, source in enumerate(operands):
            slope = snapshot.slopes[target][place] if snapshot.backward_ran else None
            edges.append(_edge(snapshot, source, target, source, target, place, slope))
    return edges


def _edge(
    snapshot: Snapshot, source_card: int, target_card: int, source: int, target: int, place: int, slope: float | None
) -> Edge:
    if slope is None:
        explanation = f"{snapshot.name(source)} → {snapshot.name(target)}"
        return Edge(source_card, target_card, place, None, None, "zero", explanation)
    upstream = snapshot.grads[target]
    flow = slope * upstream
    term = f"{snapshot.partial(source, of=target)} × {snapshot.partial(target)}"
    explanation = f"{snapshot.partial(source)} += {term} = {product_text(slope, upstream)} = {gradient_text(flow)}"
    return Edge(source_card, target_card, place, slope, flow, sign_colour(flow), explanation)


class _Bundle:
    """All edges between two cards."""

    __slots__ = ("count", "flow", "gradient", "slope", "source", "weighted", "weights")

    def __init__(self, source: int) -> None:
        self.source = source
        self.count = self.weighted = 0
        self.slope = self.flow = self.gradient = 0.0
        self.weights: list[int] = []  # the parameters that operands are multiplied with


def _edges_folded(snapshot: Snapshot, card_of: list[int], detail: str) -> list[Edge]:
    """One edge for each pair of cards, with d target / d source summed over the ways inside the target."""
    exit_of = _only_exits(snapshot, card_of)
    inner = _slopes_inside(snapshot, card_of, exit_of)
    bundles: dict[tuple[int, int], _Bundle] = {}
    for target, operands in enumerate(snapshot.operands):
        home, upstream = card_of[target], snapshot.grads[target]
        slopes = snapshot.slopes[target] or [0.0] * len(operands)
        for place, (source, slope) in enumerate(zip(operands, slopes, strict=True)):
            below = card_of[source]
            if below == home:
                continue
            bundle = bundles.get((below, home))
            if bundle is None:
                bundle = bundles[below, home] = _Bundle(source)
            bundle.count += 1
            bundle.slope += slope * inner[target]
            bundle.flow += slope * upstream
            if detail == "units" and (weight := _weight_of(snapshot, target, place)) is not None:
                bundle.weighted += 1
                bundle.gradient += snapshot.data[source] * upstream
                if weight not in bundle.weights[-1:]:
                    bundle.weights.append(weight)
    return [_folded_edge(snapshot, below, home, bundle, exit_of) for (below, home), bundle in bundles.items()]


def _only_exits(snapshot: Snapshot, card_of: list[int]) -> list[int]:
    """For each card the one value that other cards use, or -1 where there are several."""
    exits = [-2] * (max(card_of) + 1)
    for position, consumers in enumerate(snapshot.consumers):
        home = card_of[position]
        if position == snapshot.output or any(card_of[x] != home for x in consumers):
            exits[home] = position if exits[home] == -2 else -1
    return exits


def _slopes_inside(snapshot: Snapshot, card_of: list[int], exit_of: list[int]) -> list[float]:
    """d exit / d value for each value of a card with one exit: backward() within the card."""
    inner = [1.0 if exit_of[home] == position else 0.0 for position, home in enumerate(card_of)]
    for position in reversed(range(len(inner))):
        if inner[position] != 0.0:
            for source, slope in zip(snapshot.operands[position], snapshot.slopes[position], strict=False):
                if card_of[source] == card_of[position]:
                    inner[source] += slope * inner[position]
    return inner


def _weight_of(snapshot: Snapshot, target: int, place: int) -> int | None:
    """The parameter that this operand is multiplied with."""
    operands, op = snapshot.operands[target], snapshot.op(target)
    half, odd = divmod(len(operands), 2)
    if odd or (op is not dot and getattr(op, "special", "") != "mul"):
        return None
    other = operands[(place + half) % len(operands)]
    return other if snapshot.is_parameter(other) else None


def _folded_edge(snapshot: Snapshot, below: int, home: int, bundle: _Bundle, exit_of: list[int]) -> Edge:
    source, target = exit_of[below], exit_of[home]
    is_weight = bundle.weighted == bundle.count
    if source >= 0 and target >= 0 and not is_weight:
        return _edge(snapshot, below, home, source, target, -1, bundle.slope if snapshot.backward_ran else None)
    if not snapshot.backward_ran:
        return Edge(below, home, -1, None, None, "zero", f"{bundle.count} edges")
    if is_weight:
        weights = sorted(set(bundle.weights))
        text = f"{len(weights)} weights, their gradients together {gradient_text(bundle.gradient)}"
        if len(weights) == 1:
            (weight,) = weights
            text = f"{snapshot.name(weight)} = {number(snapshot.data[weight])}, "
            text += f"gradient of the weight {gradient_text(bundle.gradient)}"
        if source >= 0:
            text += f"; adds {gradient_text(bundle.flow)} to {snapshot.partial(source)}"
        return Edge(below, home, -1, None, bundle.gradient, sign_colour(bundle.gradient), text)
    text = f"{plural(bundle.count, 'edge')}, their local × upstream together "
    text += gradient_text(bundle.flow)
    return Edge(below, home, -1, None, bundle.flow, sign_colour(bundle.flow), text)
