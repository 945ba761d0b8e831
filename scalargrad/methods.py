"""The operations of the table as methods and operators, of Values and of terms: closures, one for each row."""

from collections.abc import Callable
from typing import Any

from scalargrad.operands import Operand, number, operand, takes_over
from scalargrad.ops import OPERATIONS, Op
from scalargrad.protocol import NUMPY_NAMES


def stamp_operations(cls: type, numeric: bool = False) -> None:
    """Give a class every operation as a method, and Python's operators: for Values, and for terms of the compiler.

    Of a `numeric` class, Value, the methods compute with `data`; a term only records.
    """
    quick = {1: _unary, 2: _binary}  # by how many arguments are single operands: the hot path of the eager engine
    for op in OPERATIONS.values():
        is_quick = numeric and op.scalars in quick and not op.defaults
        method = quick[op.scalars](op, cls) if is_quick else _general(op)
        method.__name__, method.__doc__ = op.name, f"The operation {op.name} of the table in ops.py."
        method.__qualname__ = f"{cls.__name__}.{op.name}"  # for Python's errors
        setattr(cls, op.name, method)
        if op.special and op.scalars == 1:
            setattr(cls, f"__{op.special}__", method)
        elif op.special:
            operator = _binary(op, cls, is_operator=True) if numeric else _recording(op, cls)
            operator.__name__, operator.__qualname__ = method.__name__, method.__qualname__
            reflected = _reflected(op, cls) if numeric else _recording(op, cls, reflected=True)
            setattr(cls, f"__{op.special}__", operator)
            setattr(cls, f"__r{op.special}__", reflected)
    for name, ours in NUMPY_NAMES.items():
        setattr(cls, name, getattr(cls, ours))


def _unary(op: Op, cls: Any) -> Callable:
    formula = op.on_floats

    def method(self: Operand) -> Operand:
        return cls(formula(self.data), "", op, self)

    return method


def _binary(op: Op, cls: Any, is_operator: bool = False) -> Callable:
    formula = op.on_floats

    def method(self: Operand, other: Operand) -> Operand:
        if isinstance(other, cls):
            return cls(formula(self.data, other.data), "", op, self, other)
        if takes_over(other):
            return NotImplemented if is_operator else op(self, other)
        other = number(other, op.name)
        return cls(formula(self.data, other), "", op, self, other)

    return method


def _reflected(op: Op, cls: Any) -> Callable:
    formula = op.on_floats

    def method(self: Operand, other: Operand) -> Operand:
        if takes_over(other):
            return NotImplemented
        other = number(other, op.name)
        return cls(formula(other, self.data), "", op, other, self)

    return method


def _general(op: Op) -> Callable:
    def method(self: Operand, *others: Operand, **named: Operand) -> Operand:
        return op((self, *others)) if op.arguments == ("[values]",) else op(self, *others, **named)

    return method


def _recording(op: Op, cls: Any, reflected: bool = False) -> Callable:
    def method(self: Operand, other: Operand) -> Operand:
        if type(other) is not cls and type(other) is not float:
            if getattr(other, "shape", ()) != ():
                return NotImplemented  # an array computes element by element
            other = operand(other, op.name)
        return cls.apply_operation(op, (other, self) if reflected else (self, other))

    return method
