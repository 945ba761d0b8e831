"""What the operations take: Values and compiler terms as they are, and everything that is a real number as a float."""

from collections.abc import Iterable, Iterator, Mapping, Set
from math import inf
from numbers import Real
from operator import is_
from typing import Any

from scalargrad.ieee import Number


def is_recorded(x: Any) -> bool:
    """Is `x` a Value or a compiler term, something that records the operations applied to it?"""
    return hasattr(x, "apply_operation")


def flatten(args: Iterable) -> Iterator:
    """The operands of an argument list: tuples are opened."""
    for argument in args:
        if type(argument) is tuple or type(argument) is list:
            yield from argument
        else:
            yield argument


def operand(x: Any, taker: str) -> Any:
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


def refuse_hidden(x: Any, name: str) -> None:
    """A ValueError, if `x` is a masked array that hides numbers, or a list of such: they would be computed with."""
    if type(x) is list or type(x) is tuple:
        for item in x:
            if type(item) is float or type(item) is int:
                break  # a row of numbers
            refuse_hidden(item, name)
    elif hasattr(x, "filled") and getattr(x, "mask", False) is not False and x.mask.any():
        raise ValueError(f"{name} has numbers that are masked; {UNMASK}")


UNMASK = "fill it in with filled(number), or leave it out with compressed()"


def plain(setting: Any) -> Any:
    """A setting with its numbers as Python's own, and anything else as it is.

    float32 times float is float32 to NumPy: such a rate would round every parameter that it moves.
    """
    if type(setting) is tuple or type(setting) is list:
        items = list(map(plain, setting))
        return setting if all(map(is_, items, setting)) else type(setting)(items)  # settings are compared by identity
    if type(setting) in (float, int, bool) or is_recorded(setting):
        return setting
    refuse_hidden(setting, "a setting")
    if getattr(setting, "shape", None) == ():  # of NumPy, PyTorch or JAX
        return plain(setting.item()) if not isinstance(setting.item(), type(setting)) else number(setting, "a setting")
    return number(setting, "a setting") if isinstance(setting, Real) else setting


def listed(x: Any, taker: str, wanted: str = "a list or tuple of Values and numbers") -> Any:
    """`x` as it is, if to walk over it gives its items in their order.

    A TypeError for numbers and text, for sets, and for what gives its labels instead: dictionaries and DataFrames.

    >>> listed({0: 0.5, 1: -1.0}, "mean", "a list")
    Traceback (most recent call last):
    TypeError: mean takes a list, and to walk over a dict gives its keys: pass list(dict.values())
    """
    if type(x) is tuple or type(x) is list:
        return x
    kind = type(x).__name__
    if isinstance(x, str | bytes) or not is_list(x):
        remedy = "; pass parameters()" if hasattr(x, "parameters") else ""
        raise TypeError(f"{taker} takes {wanted}, got {brief(x)}{remedy}")
    if isinstance(x, Set):
        raise TypeError(f"{taker} takes {wanted}, and a {kind} has no order: pass a list")
    if hasattr(x, "columns"):
        raise TypeError(
            f"{taker} takes {wanted}, and to walk over a {kind} gives its columns: pass its numbers, as an array "
            "(to_numpy()), or one row of them (to_numpy()[0])"
        )
    if isinstance(x, Mapping) or (hasattr(x, "keys") and not hasattr(x, "dtype")):  # a pandas Series has both
        raise TypeError(f"{taker} takes {wanted}, and to walk over a {kind} gives its keys: pass list({kind}.values())")
    return x


def is_list(x: Any) -> bool:
    """Can one walk over `x`?"""
    return hasattr(x, "__iter__") and not is_recorded(x) and getattr(x, "shape", None) != ()  # a tensor may have none


def brief(x: Any) -> str:
    """An object as an error shows it: in a line that is not long."""
    text = repr(x)
    first = text.split("\n")[0][:120]
    return text if text == first else f"{first[:100]}..."
