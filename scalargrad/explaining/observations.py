"""Observations of a training run: all that the checks of the gradient doctor share."""

import linecache
from collections.abc import Iterable
from typing import NamedTuple

from scalargrad.engine import Value, reverse_sweep
from scalargrad.explaining.findings import REMEDIES, Finding, Place, place_in_words
from scalargrad.holders import without_frozen
from scalargrad.structure import layer_of, owner_of
from scalargrad.support.words import plural, short_list


class BackwardPass(NamedTuple):
    """A backward pass that is about to run.

    order   the Values that it runs through, in topological order
    slopes  d output / d value, for each value that the output depends on
    place   the line that calls backward()
    """

    order: list[Value]
    slopes: dict[Value, float]
    place: Place | None


class Observations:
    """A training run as far as it has been seen. Graphs are kept until their backward pass, then only numbers.

    parameters, names       what is to learn, which frozen ones are not, and how a report calls it
    findings                what is wrong
    passes                  how many backward passes there were, the present one included
    pass_places             the line of each pass
    reached                 for each parameter, the number of the latest pass that reached it
    data, slopes            its number and its gradient at that pass
    output                  the id of the output of the latest pass
    places, data_at_start   of the present step, since the latest pass: the line that made each Value, and the number of
                            each parameter at the first operation
    """

    def __init__(self, parameters: list[Value]) -> None:
        self.parameters = without_frozen(parameters)
        self.names = {p: p.label or f"parameters[{position}]" for position, p in enumerate(parameters)}
        self.findings: list[Finding] = []
        self.passes = 0
        self.pass_places: dict[int, Place | None] = {}
        self.reached: dict[Value, int] = {}
        self.data: dict[Value, float] = {}
        self.slopes: dict[Value, float] = {}
        self.output = 0
        self.places: dict[Value, Place | None] = {}
        self.data_at_start: dict[Value, float] = {}

    def begin_pass(self, coming: BackwardPass) -> None:
        self.passes += 1
        self.pass_places[self.passes] = coming.place
        self.reached |= {p: self.passes for p in self.parameters if p in coming.slopes}

    def end_pass(self, ended: BackwardPass) -> None:
        for p in self.parameters:
            if p in ended.slopes:
                self.data[p], self.slopes[p] = p.data, ended.slopes[p]
        self.output = id(ended.order[-1])
        self.data_at_start = {}
        self.places.clear()

    def add(self, kind: str, place: Place | None, what: str, once: bool = True) -> None:
        """A finding; of each kind the first, which is the cause of those that follow."""
        if not once or all(found.kind != kind for found in self.findings):
            code = linecache.getline(*place).strip() if place else ""
            self.findings.append(Finding(kind, place_in_words(place), what, REMEDIES[kind], code))

    # Words.

    def name(self, value: Value) -> str:
        return self.names.get(value) or value.label or f"an unnamed Value ({value.data:.6g})"

    def shown(self, operands: Iterable[Value]) -> str:
        """The operands with their data."""
        operands = dict.fromkeys(operands)
        return short_list([f"{self.names.get(x) or x.label or 'operand'} = {x.data:.6g}" for x in operands])

    def listed(self, parameters: Iterable[Value]) -> str:
        """The names of parameters; layers of which all parameters are meant by the layers' names."""
        chosen = set(parameters)
        names = []
        for layer, members in self.by_layer(self.parameters).items():
            if chosen.issuperset(members) and len(members) > 1:
                names.append(f"{layer} ({plural(len(members), 'parameter')})")
            else:
                names += [self.names[p] for p in members if p in chosen]
        return short_list(names)

    def by_layer(self, parameters: Iterable[Value]) -> dict[str, list[Value]]:
        """The parameters of each layer; one that belongs to none stands by itself."""
        layers: dict[str, list[Value]] = {}
        for p in parameters:
            layers.setdefault(layer_named_in(p.label) or self.names[p], []).append(p)
        return layers


class Check:
    """A kind of mistake that is looked for. A subclass looks at what it needs, and adds findings."""

    def __init__(self, seen: Observations) -> None:
        self.seen = seen

    def before_pass(self, coming: BackwardPass) -> None:
        """Look at a backward pass that is about to run."""

    def conclude(self) -> None:
        """Add what follows from the whole run."""


def layer_named_in(parameter: str) -> str:
    """The name of the layer, or "" for a parameter that belongs to none."""
    owner = owner_of(parameter)
    return owner and (layer_of(owner, "neurons") or "the layer")


def slopes_of(order: list[Value]) -> dict[Value, float]:
    """d output / d value for each value that the output depends on: a backward pass that leaves every `.grad` alone."""
    slopes = {order[-1]: 1.0}
    for _, upstream, operands in reverse_sweep(order, slopes):
        for x, dx in operands:
            slopes[x] = slopes.get(x, 0.0) + dx * upstream
    return slopes
