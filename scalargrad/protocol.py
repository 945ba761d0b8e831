"""The rest of a number: what Python, NumPy and micrograd ask of one beside the operations of the table."""

import operator
import sys
import warnings
from collections.abc import Callable
from numbers import Real
from typing import TYPE_CHECKING, Any

from scalargrad import observers
from scalargrad.operands import Operand, number, takes_over

# NumPy calls a method of its function's name on each item of an object array: its name, and ours.
NUMPY_NAMES = {
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "arctan2": "atan2",
    "arcsinh": "asinh",
    "arccosh": "acosh",
    "arctanh": "atanh",
    "fabs": "abs",
    "rint": "round",
}
# Code that compares whatever it is given, for which it is no slip: of tests, above all.
COMPARING = sys.stdlib_module_names | {"_pytest"}


class RealNumber:
    """The base of Value: conversions give plain numbers, `<` compares these, and `==` is identity."""

    __slots__ = ()

    def __float__(self) -> float:
        if observers.open_blocks:
            observers.tell("read", self)
        return self.data if type(self.data) is float else number(self.data, "float()")

    def item(self) -> float:
        """The number, as NumPy's scalars and PyTorch's tensors give theirs."""
        return float(self)

    def __int__(self) -> int:
        return int(float(self))

    __trunc__ = __int__

    def __round__(self, digits: int | None = None) -> float:
        return round(float(self), digits)

    def __pos__(self) -> Any:
        return self

    conjugate = __pos__  # NumPy asks for it, and for `real`, where it computes variances and norms of objects
    real = property(__pos__)

    def __divmod__(self, other: Operand) -> tuple:
        return self // other, self % other

    def __rdivmod__(self, other: Operand) -> tuple:
        return other // self, other % self

    def __bool__(self) -> bool:
        return self.data != 0.0

    def __format__(self, spec: str) -> str:
        return format(self.data, spec) if spec else repr(self)

    # Identity: a Value is a node of a graph, which sets and dictionaries hold, and equal numbers are different nodes.
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, Real):
            return self is other or NotImplemented
        if sys._getframe(1).f_globals.get("__name__", "").partition(".")[0] not in COMPARING:
            warnings.warn(
                f"`==` and `!=` ask whether it is the same Value, which a number ({other!r}) never is: compare the "
                f"numbers, v.data == {other!r}, or record the answer with equal(v, {other!r})",
                stacklevel=2,
            )
        return False

    if TYPE_CHECKING:  # what the subclass has, and what is stamped on it from the table, at the end of engine.py
        data: float

        def _operator(self, other: Operand) -> Any: ...
        def __getattr__(self, name: str) -> Any: ...
        def __neg__(self) -> Any: ...
        def __abs__(self) -> Any: ...
        def __lt__(self, other: Operand) -> bool: ...
        def __gt__(self, other: Operand) -> bool: ...

        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _operator
        __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = _operator
        __le__ = __ge__ = __lt__

    # The names that micrograd's notebooks read.
    _prev = property(lambda self: set(self.operands))
    _op = property(lambda self: self.op.symbol if self.op else "")


def _comparison(compare: Callable[[Any, Any], bool]) -> Callable:
    def method(self: Operand, other: Operand) -> bool:
        is_one = isinstance(other, RealNumber)
        if takes_over(other) and not is_one:
            return NotImplemented
        here, there = self.data, other.data if is_one else other
        if not type(here) is type(there) is float:
            here, there = number(here, "a comparison"), number(there, "a comparison")
        return compare(here, there)

    return method


for _name in ("lt", "le", "gt", "ge"):
    setattr(RealNumber, f"__{_name}__", _comparison(getattr(operator, _name)))
