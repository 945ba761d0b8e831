"""Random numbers by counting: held to the specification in randomness.py, the same for floats and for arrays."""

import math
import re
import statistics

import numpy
import pytest

from scalargrad.arrays import uniform_array
from scalargrad.compiler import compile
from scalargrad.engine import Value
from scalargrad.ops import random
from scalargrad.randomness import uniform
from tests.compiler.backends.suite import EVERY_BACKEND, SINGLE

GAMMA = 0x9E3779B97F4A7C15


def mix(z):
    """The finalizer of SplitMix64, in Python's integers of any size."""
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


def scramble(w):
    """The finalizer of MurmurHash3 for 32 bits."""
    w = (w ^ (w >> 16)) * 0x85EBCA6B % 2**32
    w = (w ^ (w >> 13)) * 0xC2B2AE35 % 2**32
    return w ^ (w >> 16)


def specified(counters):
    """The bits of the word, and of the one behind it."""
    *others, site = (counter % 2**64 for counter in counters)
    key = GAMMA
    for counter in others:
        key = (mix((key + counter) % 2**64) + GAMMA) % 2**64
    low, high = key % 2**32, key // 2**32
    word = scramble(scramble((site + low) % 2**32) ^ (site // 2**32 + high) % 2**32)
    return word, scramble(word ^ low)


COUNTERS = [(0, 0, 0, 0), (1, 2, 3, 4), (7, 0, 2**40, 5), (5,), (5, 2**40 + 3), (0, 2**53), (-1, -2), (3, -(2**40))]


@pytest.mark.parametrize("counters", COUNTERS, ids=str)
def test_known_numbers(counters):
    word, more = specified(counters)
    assert uniform(*counters) * 2**53 == word * 2**21 + more // 2**11
    arrays = [numpy.array([float(counter)]) for counter in counters]
    assert uniform_array(numpy, arrays).tolist() == [uniform(*counters)]
    assert uniform_array(numpy, arrays, "float32").tolist() == [(word >> 8) / 2**24]


def test_published_numbers_of_the_finalizers():
    assert mix(GAMMA) == 0xE220A8397B1DCDAF  # the first number of SplitMix64 with seed 0
    assert scramble(1) == 0x514E28B7  # what MurmurHash3 makes of no bytes and the seed 1


def test_arrays_give_the_same_bits():
    rows = numpy.arange(100.0)
    counters = [numpy.full(100, 3.0), numpy.full(100, 11.0), rows, numpy.full(100, 5.0)]
    assert uniform_array(numpy, counters).tolist() == [uniform(3, 11, row, 5) for row in range(100)]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_numbers_of_neighbours_have_nothing_in_common(dtype):
    """Rows by sites: each of the 24 highest bits is set in half of them, whatever the neighbours' bits are."""
    rows, sites = numpy.arange(512)[:, None], numpy.arange(512)[None, :]
    bits = (uniform_array(numpy, [numpy.array([7]), rows, sites], dtype) * 2.0**24).astype(numpy.int64)
    ones = numpy.stack([bits >> place & 1 for place in range(24)])
    close = 5.0 * 0.5 / 512.0  # five standard deviations of a mean of 512 x 512 fair bits
    assert ones.mean((1, 2)) == pytest.approx(0.5, abs=close)
    for neighbours in (ones[:, 1:] ^ ones[:, :-1], ones[:, :, 1:] ^ ones[:, :, :-1], ones[1:] ^ ones[:-1]):
        assert neighbours.mean((1, 2)) == pytest.approx(0.5, abs=close)


@SINGLE
def test_float32_stays_below_1(backend):
    """The number for these counters is so near to 1 that float32 rounds it to 1."""
    counters = (0.0, 9_105_705.0)
    assert numpy.float32(uniform(*counters)) == 1.0
    program = compile(lambda x: [random(counters[0], x)], dtype="float32", backend=backend)
    assert program(numpy.array([counters[1]])).tolist() == [[1.0 - 2.0**-24]]


def test_numbers_are_spread_evenly_over_every_counter():
    for place in range(4):
        numbers = [uniform(*(n if i == place else 9 for i in range(4))) for n in range(4000)]
        assert statistics.fmean(numbers) == pytest.approx(0.5, abs=0.02)
        assert statistics.variance(numbers) == pytest.approx(1.0 / 12.0, rel=0.05)
        assert len(set(numbers)) == 4000


def test_the_operation_takes_values_and_has_no_slope():
    seed = Value(7.0)
    number = random(seed, 0, 1, 2)
    number.backward()
    assert (number.data, seed.grad) == (uniform(7, 0, 1, 2), 0.0)


@pytest.mark.parametrize("counter", [0.5, 2.0**63, -1e19, math.inf, math.nan])
@pytest.mark.parametrize("place", [0, 1])
@EVERY_BACKEND
def test_counters_are_whole_numbers(backend, counter, place):
    counters = [counter, 3.0] if place == 0 else [3.0, counter]
    message = re.escape(f"random counts in whole numbers below 2**63, got {counter}")
    with pytest.raises(ValueError, match=message):
        random(*counters)
    with pytest.raises(ValueError, match=r"random counts in|random: |random\(\)"):
        compile(lambda x: random(*(x if n is counter else n for n in counters)), backend=backend)([counter])
