"""A graph as lists of numbers, as pages have it, too: what words are written from."""

from collections.abc import Mapping, Sequence
from itertools import chain

from scalargrad.checks import data_of
from scalargrad.engine import Value, partials_of_floats
from scalargrad.operands import flatten
from scalargrad.ops import Op, dot


class Recording:
    """The values of a graph by position, operands before results, and behind them the constants in its operations.

    names      of the values; "" for a constant
    data       the numbers
    ops        the operations; None for leaves and constants
    operands   for each result the positions of its operands, tuples opened, constants among them
    slopes     for each result d result / d operand, in the same order
    consumers  for each value the (result, place among its operands) that a gradient comes from, the last first
    grad       d output / d value
    output     the position of the output
    """

    def __init__(self, values: Sequence[Value], names: Mapping[Value, str]) -> None:
        index = {value: position for position, value in enumerate(values)}
        self.output = len(values) - 1
        self.names = [names[value] for value in values]
        self.data = [float(value.data) for value in values]
        self.ops: list[Op | None] = [value.op for value in values]
        self.operands: list[list[int]] = []
        for value in values:
            operands = [self._constant(x) if type(x) is float else index[x] for x in flatten(value.args)]
            self.operands.append(operands)
        self.slopes = [_slopes_of(value) for value in values]
        self.consumers: list[list[tuple[int, int]]] = [[] for _ in self.data]
        self.grad = [0.0] * len(self.data)
        self._go_back()

    def place(self, result: int, number: int) -> int:
        """The place of an operand of which so many stand before it that are no constants."""
        places = [place for place, x in enumerate(self.operands[result]) if self.names[x]]
        return places[number]

    def _constant(self, x: float) -> int:
        self.names.append("")
        self.data.append(x)
        self.ops.append(None)
        return len(self.data) - 1

    def _go_back(self) -> None:
        """The chain rule from the output back, as `backward` goes."""
        reached = {self.output}
        self.grad[self.output] = 1.0
        for result in range(self.output, -1, -1):
            op = self.ops[result]
            if result not in reached or op is None or op.partials is None:
                continue
            operands, upstream = self.operands[result], self.grad[result]
            for place in places_in_order(op, len(operands)):
                operand = operands[place]
                reached.add(operand)
                self.consumers[operand].append((result, place))
                self.grad[operand] += self.slopes[result][place] * upstream


def _slopes_of(value: Value) -> list[float]:
    op = value.op
    if op is None:
        return []
    if op.partials is None:
        return [0.0 for _ in flatten(value.args)]
    return list(map(float, flatten(partials_of_floats(op, value.data, tuple(map(data_of, value.args))))))


def places_in_order(op: Op, count: int) -> Sequence[int]:
    """The places of `count` operands in the order in which backward() adds to them: those of a dot pair by pair."""
    if op is dot:
        return list(chain.from_iterable((place, place + count // 2) for place in range(count // 2)))
    return range(count)
