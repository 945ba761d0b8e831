"""The units of a network: which values of a recorded sample they are, and what weighs what.

Nothing is known of layers. A unit begins where parameters weigh values that depend on the inputs, by `dot` or by
products that are added up, and goes on for as long as each value depends on the inputs through this unit alone: its
bias, its activation. Where values of several units meet in another way, such as in a softmax, there is no unit.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass, field

from scalargrad.engine import Value, topological_order
from scalargrad.ops import OPERATIONS, dot, mul
from scalargrad.ops import sum as sum_of
from scalargrad.structure import layer_of, owner_of

SUMS = frozenset(OPERATIONS[name] for name in ("add", "sub", "neg", "sum"))  # a unit of weighed sums is still one sum


@dataclass(eq=False)
class Unit:
    """A weighed sum and what is made of it alone.

    weighed    (weight, value that it weighs), in the order of the operands
    total      the last value before the activation: where it is above 0 the unit is on
    output     the last value
    activation the name of the last operation that is no sum; "linear", if there is none
    layer      1 for units that read inputs alone, else one more than the units that it reads
    """

    weighed: list[tuple[Value, Value]]
    total: Value
    output: Value
    activation: str = "linear"
    layer: int = 0
    values: list[Value] = field(default_factory=list)

    @property
    def owner(self) -> str:
        """The module whose parameters weigh: `layers.0.neurons.3`; "" where their names tell of none."""
        return owner_of(str(self.weighed[0][0].label))


def units_of(inputs: Sequence[Value], outputs: Sequence[Value], parameters: Sequence[Value]) -> list[Unit]:
    """The units between some inputs and outputs, layer by layer, in each in the order of their parameters.

    >>> x1, x2, w1, w2 = Value(1.0, "x1"), Value(2.0, "x2"), Value(3.0, "w1"), Value(4.0, "w2")
    >>> (unit,) = units_of([x1, x2], [(w1 * x1 + w2 * x2).tanh()], [w1, w2])
    >>> [weight.label for weight, _ in unit.weighed], unit.activation, unit.layer
    (['w1', 'w2'], 'tanh', 1)
    """
    depends, unit_of = set(inputs), dict[Value, Unit]()
    place = {parameter: n for n, parameter in enumerate(parameters)}
    for value in recorded(outputs):
        if value.op is None:
            continue
        operands = [x for x in dict.fromkeys(value.operands) if x in depends]
        if not operands:
            continue
        depends.add(value)
        if weighed := _weighed(value, depends, place):
            unit_of[value] = Unit(weighed, value, value, values=[value])
        elif all(x in unit_of for x in operands):
            _go_on(value, [unit_of[x] for x in operands], unit_of)
    units = dict.fromkeys(unit_of[value] for value in recorded(outputs) if value in unit_of)
    layer = dict.fromkeys(inputs, 0)  # of each value, that of the last unit on the way to it
    for value in recorded(outputs):
        if unit := unit_of.get(value):
            unit.layer = max(unit.layer, *(1 + layer.get(source, 0) for _, source in unit.weighed))
            layer[value] = unit.layer
        elif value in depends and value.op is not None:
            layer[value] = max(layer.get(x, 0) for x in value.operands)
    return sorted(units, key=lambda unit: (unit.layer, place[unit.weighed[0][0]]))


def recorded(outputs: Sequence[Value]) -> list[Value]:
    """Every value that some outputs were computed from, and themselves: operands before results."""
    if len(outputs) == 1:
        return topological_order(outputs[0])
    return topological_order(sum_of(tuple(outputs)))[:-1]


def place_of_source(source: Value, inputs: Sequence[Value], units: Sequence[Unit]) -> int | None:
    """The place among inputs and then units of the value that a weight weighs; None, if it is of none."""
    for place, owner in enumerate([*inputs, *units]):
        if source is owner or (isinstance(owner, Unit) and source in owner.values):
            return place
    return None


def names_of(units: Sequence[Unit]) -> list[tuple[str, str]]:
    """(layer, unit) for each: ("layers.0", "n3") as its parameters are named, else ("layer 1", "n3") by its place."""
    columns: dict[int, list[Unit]] = {}
    for unit in units:
        columns.setdefault(unit.layer, []).append(unit)
    named = {}
    for layer, column in columns.items():
        homes = {layer_of(unit.owner) for unit in column}
        title = next(iter(homes)) if len(homes) == 1 and homes != {""} else f"layer {layer}"
        for place, unit in enumerate(column):
            named[unit] = title, f"n{place}"
    return [named[unit] for unit in units]


def _weighed(value: Value, depends: Container[Value], parameters: Container[Value]) -> list[tuple[Value, Value]]:
    """The weights of a product or of a dot with what they weigh, if each of its terms is a parameter times a value."""
    if value.op is mul:
        terms = [(value.first, value.second)]
    elif value.op is dot:
        terms = list(zip(value.first, value.second, strict=True))
    else:
        return []
    found = []
    for first, second in terms:
        weight, source = (second, first) if first in depends else (first, second)
        if source not in depends:
            continue  # a constant term
        if weight not in parameters:
            return []
        found.append((weight, source))
    return found


def _go_on(value: Value, units: list[Unit], unit_of: dict[Value, Unit]) -> None:
    """Let a value be part of the one unit that its operands are of, or join weighed sums that it adds up."""
    first, *others = units = list(dict.fromkeys(units))
    assert value.op is not None
    is_sum = value.op in SUMS
    if others and not (is_sum and all(unit.activation == "linear" for unit in units)):
        return
    for other in others:
        first.weighed += other.weighed
        first.values += other.values
        unit_of.update(dict.fromkeys(other.values, first))
    first.values.append(value)
    first.output = value
    unit_of[value] = first
    if not is_sum:
        first.activation = value.op.name
    elif first.activation == "linear":
        first.total = value
