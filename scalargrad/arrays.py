"""Arithmetic on NumPy's arrays: without warnings, and the random numbers of randomness.py for many counters at once."""

from collections.abc import Callable, Sequence
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, TypeVar

from scalargrad.randomness import GAMMA, MIX, SCRAMBLE

if TYPE_CHECKING:
    from numpy import ndarray

SHUFFLE = 0x5AFE  # the site of the counters that shuffle, beside those of random() in programs
F = TypeVar("F", bound=Callable[..., Any])


def quiet(function: F) -> F:
    """The function, in which NumPy gives inf, nan and 0 without a word. For what calls no code of users."""

    @wraps(function)
    def called(*arguments: Any, **options: Any) -> Any:
        import numpy

        with numpy.errstate(all="ignore"):
            return function(*arguments, **options)

    return called  # type: ignore[return-value]


@cache
def name_of(dtype: object) -> str:
    """The name of NumPy's type of numbers, such as "float32": NumPy puts it together anew each time, in 4 µs."""
    return str(dtype)


def uniform_array(numpy: Any, counters: Sequence[Any], dtype: str = "float64") -> Any:
    """`uniform` of arrays of counters, element by element, in NumPy or, with `numpy` = jax.numpy, in JAX."""
    integers = [counter.astype(numpy.int64).astype(numpy.uint64) for counter in counters]
    gamma = numpy.full((), GAMMA, numpy.uint64)
    key = gamma
    for counter in integers[:-1]:
        key = _mixed_array(numpy, key + counter, MIX) + gamma
    (low, high), (site, above) = _words(numpy, key), _words(numpy, integers[-1])
    word = _mixed_array(numpy, _mixed_array(numpy, site + low, SCRAMBLE) ^ (above + high), SCRAMBLE)
    if dtype == "float32":
        return (word >> numpy.uint32(8)).astype("float32") * numpy.float32(2.0**-24)
    more = _mixed_array(numpy, word ^ low, SCRAMBLE) >> numpy.uint32(11)
    return ((word.astype(numpy.uint64) << numpy.uint64(21)) + more) * 2.0**-53


def _words(numpy: Any, integers: Any) -> tuple[Any, Any]:
    """The low and the high 32 bits."""
    return integers.astype(numpy.uint32), (integers >> numpy.uint64(32)).astype(numpy.uint32)


def _mixed_array(numpy: Any, bits: Any, steps: tuple) -> Any:
    for shift, factor in steps:
        bits = bits ^ bits >> bits.dtype.type(shift)
        if factor is not None:
            bits = bits * bits.dtype.type(factor)
    return bits


def _checked_order(order: object, rows: int) -> "ndarray":
    """The order as int64, if it has each row once: native code reads rows where it says."""
    import numpy

    array = numpy.asarray(order)
    if array.shape != (rows,) or array.dtype.kind not in "iu" or (numpy.sort(array) != numpy.arange(rows)).any():
        raise ValueError(f"rng returned {array!r:.100}: an order of {rows} rows holds each of 0 to {rows - 1} once")
    return array.astype("int64", copy=False)


def shuffled(rows: int, seed: "int | Callable[[int, int], ndarray]", epoch: int) -> "ndarray":
    """The numbers 0 to rows - 1 in the random order of an epoch: an array of int64.

    They are sorted by the numbers of (seed, epoch, row, SHUFFLE), whose last bits give way to the row itself.

    seed   a whole number; or a function (rows, epoch) -> order, which gives the same one whenever it is asked

    >>> shuffled(5, seed=0, epoch=0).tolist(), shuffled(5, seed=0, epoch=1).tolist()
    ([1, 2, 4, 3, 0], [3, 4, 0, 1, 2])
    """
    import numpy

    if callable(seed):
        return _checked_order(seed(rows, epoch), rows)
    counters = [numpy.array([n], "float64") for n in (seed, epoch)]
    numbers = uniform_array(numpy, [*counters, numpy.arange(rows), numpy.array([SHUFFLE])])
    bits = rows.bit_length()
    keys = ((numbers * 2.0**53).astype("int64") >> bits << bits) | numpy.arange(rows)
    keys.sort()
    return keys & ((1 << bits) - 1)
