"""Random numbers by counting: the number for (seed, step, row, site) is a function of these four, the same everywhere.

So a dropout mask needs no state: it depends on the row of the data set and on the training step, never on the order in
which samples are computed. Specified to the bit, in integers of 64 bits that wrap around:

    h = 0
    for n in (seed, step, row, site):  h = mix(h + n + 0x9E3779B97F4A7C15)
    mix(z):  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;  z = (z ^ z >> 27) * 0x94D049BB133111EB;  z ^ z >> 31
    the number is (h >> 11) / 2**53, in [0, 1)

`mix` is the finalizer of SplitMix64 (Steele, Lea and Flood 2014).
"""

from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

MASK = 2**64 - 1
SHUFFLE = 0x5AFE  # the site of the counters that shuffle, beside those of random() in programs
GAMMA, FIRST, SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB

# Where a function of one sample is: the row of its sample, the step of training, and the sample's share of its batch.
# A compiled program sets them.
row: ContextVar[Any] = ContextVar("row", default=0.0)
step: ContextVar[Any] = ContextVar("step", default=0.0)
share: ContextVar[Any] = ContextVar("share", default=1.0)


def current_row() -> Any:
    """The row of this sample in its batch: 0 outside of a compiled program."""
    number = row.get()
    return number() if callable(number) else number


def current_step() -> Any:
    """The step of training: 0 outside of a compiled program."""
    return step.get()


def current_share() -> Any:
    """1 / the number of samples over which batch_mean goes: 1 outside of a compiled program."""
    return share.get()


def uniform(*counters: float) -> float:
    """A number in [0, 1) for whole numbers (seed, step, row, site).

    >>> uniform(0, 0, 0, 0) == uniform(0, 0, 0, 0) != uniform(0, 0, 1, 0)
    True
    """
    state = 0
    for counter in counters:
        if counter != int(counter):
            raise ValueError(f"random counts in whole numbers, got {counter}")
        state = (state + int(counter) + GAMMA) & MASK
        state = ((state ^ state >> 30) * FIRST) & MASK
        state = ((state ^ state >> 27) * SECOND) & MASK
        state ^= state >> 31
    return (state >> 11) * 2.0**-53


def uniform_array(numpy: Any, counters: Sequence[Any]) -> Any:
    """The same for arrays of counters, element by element."""
    state = numpy.zeros((), numpy.uint64)
    for counter in counters:
        state = state + counter.astype(numpy.int64).astype(numpy.uint64) + numpy.uint64(GAMMA)
        state = (state ^ state >> numpy.uint64(30)) * numpy.uint64(FIRST)
        state = (state ^ state >> numpy.uint64(27)) * numpy.uint64(SECOND)
        state = state ^ state >> numpy.uint64(31)
    return (state >> numpy.uint64(11)) * 2.0**-53


def shuffled(rows: int, seed: int, epoch: int) -> Any:
    """The numbers 0 to rows - 1 in the random order of an epoch: an array of int64.

    They are sorted by the numbers of (seed, epoch, row, SHUFFLE), whose last bits give way to the row itself.

    >>> shuffled(5, seed=0, epoch=0).tolist(), shuffled(5, seed=0, epoch=1).tolist()
    ([3, 2, 1, 4, 0], [1, 2, 4, 0, 3])
    """
    import numpy

    counters = [numpy.array([n], "float64") for n in (seed, epoch)]
    numbers = uniform_array(numpy, [*counters, numpy.arange(rows), numpy.array([SHUFFLE])])
    bits = rows.bit_length()
    keys = ((numbers * 2.0**53).astype("int64") >> bits << bits) | numpy.arange(rows)
    keys.sort()
    return keys & ((1 << bits) - 1)
