"""Float arithmetic that gives inf and nan where Python raises.

Python's floats are IEEE 754 numbers, but `1.0 / 0.0`, `math.exp(710.0)` and `math.log(-1.0)` raise.
A gradient wants the IEEE answer: inf, inf and nan. The functions here give it, and so do the operators of `Number`.
"""

import builtins
import math
import operator
from collections.abc import Callable, Sequence

inf, nan = math.inf, math.nan


def _total(function: Callable[..., float], overflow: Callable[[float], float] = abs) -> Callable[[float], float]:
    """`function` with IEEE results: nan outside its domain, and `overflow(inf or -inf)` beyond the largest float."""

    def total(x: float) -> float:
        try:
            return function(x)
        except ValueError:
            return nan
        except OverflowError:
            return overflow(math.copysign(inf, x))

    total.__name__ = function.__name__
    return total


exp, exp2, expm1, cosh = map(_total, (math.exp, math.exp2, math.expm1, math.cosh))
sqrt, sin, cos, tan = map(_total, (math.sqrt, math.sin, math.cos, math.tan))
asin, acos, acosh = map(_total, (math.asin, math.acos, math.acosh))
sinh = _total(math.sinh, overflow=float)


def _logarithm(function: Callable[[float], float], pole: float = 0.0) -> Callable[[float], float]:
    return lambda x: function(x) if x > pole else -inf if x == pole else nan


log, log2, log10 = map(_logarithm, (math.log, math.log2, math.log10))
log1p = _logarithm(math.log1p, pole=-1.0)


def atanh(x: float) -> float:
    return math.atanh(x) if math.fabs(x) < 1.0 else divide(x, 0.0) if math.fabs(x) == 1.0 else nan


def _whole(function: Callable[..., float]) -> Callable[[float], float]:
    """`function` as one from floats to floats, with inf, nan and the sign of -0.0."""
    return lambda x: math.copysign(function(x), x) if x - x == 0.0 else x


floor, ceil, round = _whole(math.floor), _whole(math.ceil), _whole(builtins.round)


def mod(x: float, y: float) -> float:
    """x % y, with the sign of y; nan where Python raises."""
    return float(x) % float(y) if y else nan


def divide(x: float, y: float) -> float:
    try:
        return x / y
    except ZeroDivisionError:
        return nan if x == 0.0 or x != x else math.copysign(inf, x) * math.copysign(1.0, y)


def pow(x: float, n: float) -> float:
    try:
        return math.pow(x, n)
    except (ValueError, OverflowError):
        if x < 0.0 and not float(n).is_integer():
            return nan  # the true power is complex
        return -inf if math.copysign(1.0, x) < 0.0 and n % 2.0 == 1.0 else inf


def sech(x: float) -> float:
    """1 / cosh(x), which does not overflow."""
    e = math.exp(-math.fabs(x))
    return 2.0 * e / (1.0 + e * e)


def sigmoid(x: float) -> float:
    if x < 0.0:
        e = exp(x)
        return e / (1.0 + e)  # exp(-x) would overflow where the result is still a float
    return 1.0 / (1.0 + exp(0.0 - x))  # not -x, which is 56 for a byte of 200


def relu(x: float) -> float:
    return 0.0 if x <= 0.0 else x  # in this order nan stays nan


def step(x: float) -> float:
    return 1.0 if x > 0.0 else 0.0 if x <= 0.0 else x


def maximum(*xs: float) -> float:
    return max(map(float, xs)) if all(map(operator.eq, xs, xs)) else nan


def where(condition: float, x: float, y: float) -> float:
    return x if condition else y


def take(index: float, values: Sequence[float]) -> float:
    if not 0 <= index < len(values) or index != int(index):
        raise IndexError(f"take: index {index} is not one of the {len(values)} positions 0..{len(values) - 1}")
    return values[int(index)]


# From Python 3.12 on the builtin sum of floats compensates its roundings: other bits than a chain of additions has.


def total(values: Sequence[float]) -> float:
    """The sum from left to right; -0.0 is the start that changes no bit of it."""
    result = -0.0 if values else 0.0
    for x in values:
        result += x
    return result


def dot(weights: Sequence[float], inputs: Sequence[float]) -> float:
    """The sum of products from left to right."""
    check_dot(weights, inputs)
    result = -0.0 if weights else 0.0
    for w, x in zip(weights, inputs):  # noqa: B905 (equally long, and hot)
        result += w * x
    return result


def check_dot(weights: Sequence, inputs: Sequence) -> None:
    """ValueError where there is not one weight for each input."""
    if len(weights) != len(inputs):
        raise ValueError(f"dot: {len(weights)} weights do not fit {len(inputs)} inputs")


class Number(float):
    """A float whose operators never raise: 1/0 is inf, 0/0 is nan."""

    __slots__ = ()

    def __neg__(self) -> "Number":
        return Number(-float(self))


def _stamp(special: str, function: Callable[[float, float], float]) -> None:
    setattr(Number, f"__{special}__", lambda x, y: Number(function(float(x), float(y))))
    setattr(Number, f"__r{special}__", lambda x, y: Number(function(float(y), float(x))))


for _special, _function in (("add", operator.add), ("sub", operator.sub), ("mul", operator.mul), ("truediv", divide)):
    _stamp(_special, _function)
