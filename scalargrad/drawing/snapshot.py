"""The contents of a graph at the moment when it is drawn: names, numbers, and how the values hang together."""

import math
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from scalargrad.drawing.formulas import CODE, NAME, arguments_of, bracketed
from scalargrad.drawing.owners import names_in_modules, owners_of
from scalargrad.engine import Value, local_derivatives, topological_order
from scalargrad.ops import Op
from scalargrad.structure import OwnName

LONGEST_EXPRESSION = 20
DEEPEST_NESTING = 3  # of lists in `names`: a list of lists of lists of Values


class Snapshot:
    """The graph of one output, values numbered so that operands come before results. Training on does not change it.

    values         the Values themselves, in topological order
    data, grads    their numbers when the snapshot was taken
    labels         what the user calls them, or else their modules, or ""
    parameters     for each value, is it a parameter of a network?
    operands       for each value the numbers of its operands, in order, repeated where repeated
    slopes         for each value d value / d operand, in the same order; empty unless backward() has run
    consumers      for each value the values that use it, in order
    backward_ran   False if every result still has the gradient 0 that it was made with
    """

    def __init__(self, output: Value, names: Mapping[str, object] | None = None) -> None:
        self.values = topological_order(output)
        index = {value: position for position, value in enumerate(self.values)}
        self.output = len(self.values) - 1
        self.data = [value.data for value in self.values]
        self.grads = [value.grad for value in self.values]
        self.labels = ["" if isinstance(value.label, OwnName) else str(value.label) for value in self.values]
        for value, name in _named(names or {}):
            if value in index:
                self.labels[index[value]] = self.labels[index[value]] or name
        self.labels = [label or str(value.label) for label, value in zip(self.labels, self.values, strict=True)]
        self.parameters = [value.op is None and getattr(value, "is_parameter", False) is True for value in self.values]
        self.operands = [[index[x] for x in value.operands] if value.op else [] for value in self.values]
        self.consumers: list[list[int]] = [[] for _ in self.values]
        for position, operands in enumerate(self.operands):
            for operand in operands:
                self.consumers[operand].append(position)
        results_have_gradients = any(value.grad != 0.0 for value in self.values if value.op is not None)
        self.backward_ran = results_have_gradients or output.grad != 0.0
        self.slopes: list[list[float]] = [[] for _ in self.values]
        if self.backward_ran:
            self.slopes = [[slope for _, slope in local_derivatives(value)] for value in self.values]

    @cached_property
    def owners(self) -> list[str | None]:
        """The module whose parameters a value was made with, or whose sum or activation it is; None for all others."""
        return owners_of([value.op for value in self.values], self.operands, self.labels, self.parameters)

    @cached_property
    def _names_in_modules(self) -> list[str]:
        ops = [value.op for value in self.values]
        return names_in_modules(ops, self.operands, self.consumers, self.labels, self.owners)

    def op(self, position: int) -> Op | None:
        return self.values[position].op

    def kind(self, position: int) -> str:
        """input, parameter or result."""
        if self.values[position].op is not None:
            return "result"
        return "parameter" if self.is_parameter(position) else "input"

    def is_parameter(self, position: int) -> bool:
        return self.parameters[position]

    def is_off(self, position: int) -> bool:
        """A function of one operand that passes nothing forward and nothing back, such as relu below zero."""
        op, data = self.op(position), self.data[position]
        if data != 0.0 or op is None or op.scalars != 1 or op.partials is None:
            return False
        slopes = self.slopes[position] or [slope for _, slope in local_derivatives(self.values[position])]
        return slopes == [0.0]

    def name(self, position: int) -> str:
        """Its label, or else its formula in names ("x1*w1"), its name in its module, or its number ("v7").

        >>> from scalargrad import Neuron
        >>> snapshot = Snapshot(Neuron(1, activation="tanh")([Value(1.0, "x")]))
        >>> [snapshot.name(position) for position in range(6)]
        ['weights.0', 'x', 'dot', 'bias', 'sum', 'output']
        """
        if self.labels[position]:
            return self.labels[position]
        if formula := self.short_formula(position):
            return formula
        if position == self.output:
            return "output"
        return self._names_in_modules[position] or f"v{position}"

    def short_formula(self, position: int) -> str:
        """Its formula in names, where that is short enough to be its own name; else ""."""
        value, called = self.values[position], [self.labels[operand] for operand in self.operands[position]]
        if value.op is None or not 1 <= value.op.scalars <= 2:
            return ""
        if not self._names_in_modules[position]:
            in_modules = (self._names_in_modules[operand] for operand in self.operands[position])
            called = [label or name for label, name in zip(called, in_modules, strict=True)]
        if not all(called):
            return ""
        operands = arguments_of(value, dict(zip(value.operands, called, strict=True)).__getitem__)
        formula = CODE.formula(value.op, operands) if all(map(NAME.fullmatch, operands)) else ""
        return formula if len(formula) <= LONGEST_EXPRESSION else ""

    def partial(self, position: int, of: int | None = None) -> str:
        """∂(output)/∂(this value), or of another result."""
        above, below = self.name(self.output if of is None else of), self.name(position)
        return f"∂{bracketed(above)}/∂{bracketed(below)}"


def largest_size(numbers: Iterable[float]) -> float:
    """The largest of |numbers| that are finite; 0 if there are none."""
    return max((abs(x) for x in numbers if math.isfinite(x)), default=0.0)


def _named(names: Mapping[str, Any]) -> Iterable[tuple[Value, str]]:
    """The Values among variables and, as x[0], in their lists; IPython's own variables begin with an underscore."""
    found = []
    pending = [(name, item, 0) for name, item in reversed(list(names.items())) if not name.startswith("_")]
    while pending:
        name, item, depth = pending.pop()
        if isinstance(item, Value):
            found.append((item, name))
            continue
        if str(getattr(item, "dtype", "")) == "object":  # a NumPy array of Values
            item = item.tolist()
        is_list_of_values = isinstance(item, list | tuple) and item and isinstance(item[0], Value | list | tuple)
        if is_list_of_values and depth < DEEPEST_NESTING:
            pending += [(f"{name}[{place}]", x, depth + 1) for place, x in reversed(list(enumerate(item)))]
    return found
