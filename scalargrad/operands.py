"""Operands of operations: Values and compiler terms as they are, and everything that is a real number as a float."""

from collections.abc import Iterable, Iterator
from math import inf
from numbers import Real
from typing import Any

from scalargrad.ieee import Number
from scalargrad.support.words import brief as brief

Operand = Any  # a float, a Value or a term of the compiler: formulas hold for each of them


def is_recorded(x: object) -> bool:
    """Is `x` a Value or a compiler term, something that records the operations applied to it?"""
    return hasattr(x, "apply_operation")


def flatten(args: Iterable) -> Iterator:
    """The operands of an argument list: tuples are opened."""
    for argument in args:
        if type(argument) is tuple or type(argument) is list:
            yield from argument
        else:
            yield argument


def takes_over(other: object) -> bool:
    """An array computes element by element, and a compiler term records: their reflected operators do the work."""
    return type(other) is not float and (is_recorded(other) or getattr(other, "shape", ()) != ())


def operand(x: object, taker: str) -> Operand:
    """`x` if operations can be applied to it, else the float that it stands for."""
    return x if type(x) is float or type(x) is Number or is_recorded(x) else number(x, taker)


def number(x: Any, taker: str) -> float:
    """`x` as a float: bool, int, float, Fraction and NumPy's real scalars; else a TypeError that says what to do."""
    if isinstance(x, Real):
        try:
            return float(x)
        except OverflowError:  # an int beyond the floats rounds to infinity
            return inf if x > 0 else -inf  # type: ignore[operator]
    if getattr(x, "shape", None) == () and not is_recorded(x):  # numpy.bool, an array or a tensor of no dimensions
        if getattr(x, "mask", False):
            raise TypeError(f"{taker} takes a real number, got one that is masked; {UNMASK}")
        if not isinstance(x.item(), type(x)):
            return number(x.item(), taker)
    if hasattr(type(x), "refuse_as_number"):  # a term of the compiler
        x.refuse_as_number(taker)
    remedy = "convert it first"
    if isinstance(x, str | bytes):
        remedy = "convert text with float(...)"
    elif x is None:
        remedy = "is a `return` missing where it comes from?"
    elif isinstance(x, complex):
        remedy = "for a complex number, use two Values"
    elif is_recorded(x):
        remedy = "it is one already: use it as it is, or detach() for a copy without history"
    elif isinstance(x, Iterable):
        remedy = "for a list, build one Value per item"
    raise TypeError(f"{taker} takes a real number, got {brief(x)}; {remedy}")


UNMASK = "fill it in with filled(number), or leave it out with compressed()"
