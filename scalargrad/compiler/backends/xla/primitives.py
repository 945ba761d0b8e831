"""Each primitive in JAX, for arrays [rows, lanes]; a list of operands is one array [rows, operands, lanes]."""

import math
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING

from scalargrad.arrays import uniform_array
from scalargrad.compiler.backends.reference import elementary
from scalargrad.randomness import LARGEST

if TYPE_CHECKING:
    from jax import Array


LARGEST_EXPONENT = 2200.0  # 2 to it, and to its opposite, is inf and 0


def primitives(jax: ModuleType) -> dict[str, Callable]:
    """Operation -> a function of arrays."""
    numpy = jax.numpy
    return {
        **elementary(numpy),
        "exp2": partial(_exp2, numpy),
        "log2": partial(_log2, numpy),
        "log10": partial(_log10, numpy),
        "atanh": partial(_atanh, numpy),
        "mod": partial(_mod, numpy),
        "pow": numpy.power,
        "sech": partial(_sech, numpy),
        "tanh": numpy.tanh,
        "sigmoid": partial(_sigmoid, numpy),
        "relu": lambda x: numpy.where(x <= 0.0, 0.0, x),
        "erf": jax.scipy.special.erf,
        "erfc": jax.scipy.special.erfc,
        "abs": numpy.abs,
        "step": lambda x: numpy.where(numpy.isnan(x), x, (x > 0.0).astype(x.dtype)),
        "maximum": lambda xs: numpy.max(xs, axis=1),
        "where": lambda condition, xs: numpy.where(condition != 0.0, xs[:, 0], xs[:, 1]),
        "less": _answer(numpy.less),
        "less_equal": _answer(numpy.less_equal),
        "equal": _answer(numpy.equal),
        "both": lambda x, y: ((x != 0.0) & (y != 0.0)).astype(x.dtype),
        "either": lambda x, y: ((x != 0.0) | (y != 0.0)).astype(x.dtype),
        "invert": lambda x: (x == 0.0).astype(x.dtype),
        "take": partial(_take, numpy),
        "sum": lambda xs: numpy.sum(xs, axis=1),
        "dot": lambda weights, inputs: numpy.sum(weights * inputs, axis=1),
        "batch_mean": lambda x: x,
    }


def _answer(compare: Callable) -> Callable:
    return lambda x, y: compare(x, y).astype(x.dtype)


def _exp2(numpy: ModuleType, x: "Array") -> "Array":
    """Rounded before it is an exponential, x ln 2 would lose digits, and 2**10 be no whole number."""
    x = numpy.clip(x, -LARGEST_EXPONENT, LARGEST_EXPONENT)
    whole = numpy.rint(x)
    return numpy.ldexp(numpy.exp((x - whole) * math.log(2.0)), whole.astype("int32"))


def _log2(numpy: ModuleType, x: "Array") -> "Array":
    return _whole_where_exact(numpy, numpy.log2(x), x, partial(_exp2, numpy))


def _log10(numpy: ModuleType, x: "Array") -> "Array":
    powers = numpy.asarray([10.0**n for n in range(23)], x.dtype)  # all that are floats
    return _whole_where_exact(
        numpy, numpy.log10(x), x, lambda n: numpy.take(powers, numpy.nan_to_num(n).astype("int32"), mode="clip")
    )


def _whole_where_exact(numpy: ModuleType, logarithm: "Array", x: "Array", power: Callable) -> "Array":
    """XLA divides by log 2, and misses log2(2**29) by a last bit."""
    whole = numpy.rint(logarithm)
    return numpy.where(power(whole) == x, whole, logarithm)


def _atanh(numpy: ModuleType, x: "Array") -> "Array":
    """Of |x|: for negative numbers XLA's log1p has few digits."""
    size = numpy.abs(x)
    return numpy.copysign(0.5 * numpy.log1p(2.0 * size / (1.0 - size)), x)


def _mod(numpy: ModuleType, x: "Array", y: "Array") -> "Array":
    rest = numpy.mod(x, y)
    return numpy.where(rest == 0.0, numpy.copysign(0.0, y), rest)


def _sech(numpy: ModuleType, x: "Array") -> "Array":
    e = numpy.exp(-numpy.abs(x))
    return 2.0 * e / (1.0 + e * e)


def _sigmoid(numpy: ModuleType, x: "Array") -> "Array":
    e = numpy.exp(-numpy.abs(x))  # exp(-x) would overflow where the result is still a float
    return numpy.where(x < 0.0, e, 1.0) / (1.0 + e)


def _take(numpy: ModuleType, index: "Array", values: "Array") -> "Array":
    """nan where the index is none: see `wrong_index`."""
    index, values = numpy.broadcast_arrays(index[:, None], values)
    places = numpy.clip(numpy.nan_to_num(index[:, :1]), 0.0, values.shape[1] - 1.0).astype("int32")
    found = numpy.take_along_axis(values, places, axis=1)[:, 0]
    return numpy.where(wrong_index(numpy, index[:, 0], values), numpy.nan, found)


def wrong_index(numpy: ModuleType, index: "Array", values: "Array") -> "Array":
    """The lanes in which take() is asked for what is not there."""
    return ~((index >= 0.0) & (index < values.shape[1]) & (index == numpy.floor(index)))


def random(jax: ModuleType, counters: list, dtype: str) -> tuple["Array", "Array"]:
    """Numbers in [0, 1), and where a counter was none.

    counters   seed, step, row and site, each as (array, which of its rows are constants, these constants): floats that
               are read as they are, and numbers of 64 bits in their place where it is known what they are
    """
    numpy = jax.numpy
    with jax.enable_x64(True):  # the integers have 64 bits, whatever the floats have
        exact, wrong = [], numpy.asarray(False)
        for array, known, constants in counters:
            number = numpy.where(known, constants, array.astype("float64"))
            wrong |= ~((numpy.abs(number) < LARGEST) & (number == numpy.floor(number)))
            if dtype == "float32":  # it has no whole numbers of its own from there on
                wrong |= ~known & (numpy.abs(number) >= 2.0**24)
            exact.append(number)
        return uniform_array(numpy, exact, dtype), wrong
