"""The operations of the table as methods and operators of Value: closures, one for each row."""

import operator
from collections.abc import Callable
from typing import Any

from scalargrad.operands import is_recorded, number
from scalargrad.ops import OPERATIONS, Op


def stamp_operations(cls: Any) -> None:
    """Give `cls` every operation as a method, and Python's operators.

    The closures of the unary and binary operations are the hot path of the eager engine: they ask little.
    """
    makers = {0: _general, 1: _unary, 2: _binary}  # by how many arguments are single operands
    for op in OPERATIONS.values():
        method = (_general if op.default is not None else makers[op.scalars])(op, cls)
        method.__name__, method.__doc__ = op.name, f"The operation {op.name} of the table in ops.py."
        setattr(cls, op.name, method)
        if op.special:
            setattr(cls, f"__{op.special}__", method)
            if op.scalars == 2:
                setattr(cls, f"__r{op.special}__", _reflected(op, cls))
    for name in ("lt", "le", "gt", "ge"):
        setattr(cls, f"__{name}__", _comparison(getattr(operator, name), cls))


def _unary(op: Op, cls: Any) -> Callable:
    formula = op.on_floats

    def method(self: Any) -> Any:
        return cls(formula(self.data), "", op, self)

    return method


def _binary(op: Op, cls: Any) -> Callable:
    formula = op.on_floats

    def method(self: Any, other: Any) -> Any:
        if isinstance(other, cls):
            return cls(formula(self.data, other.data), "", op, self, other)
        if _takes_over(other):
            return NotImplemented
        other = number(other, op.name)
        return cls(formula(self.data, other), "", op, self, other)

    return method


def _reflected(op: Op, cls: Any) -> Callable:
    formula = op.on_floats

    def method(self: Any, other: Any) -> Any:
        if _takes_over(other):
            return NotImplemented
        other = number(other, op.name)
        return cls(formula(other, self.data), "", op, other, self)

    return method


def _general(op: Op, cls: Any) -> Callable:
    def method(self: Any, *others: Any) -> Any:
        return op((self, *others)) if op.arguments == ("[values]",) else op(self, *others)

    return method


def _comparison(compare: Callable[[Any, Any], bool], cls: Any) -> Callable:
    def method(self: Any, other: Any) -> bool:
        if _takes_over(other) and not isinstance(other, cls):
            return NotImplemented
        here, there = self.data, other.data if isinstance(other, cls) else other
        if not type(here) is type(there) is float:
            here, there = number(here, "a comparison"), number(there, "a comparison")
        return compare(here, there)

    return method


def _takes_over(other: Any) -> bool:
    """An array computes element by element, and a compiler term records: their reflected operators do the work."""
    return type(other) is not float and (is_recorded(other) or getattr(other, "shape", ()) != ())
