"""Random numbers by counting: held to the specification in randomness.py, the same for floats and for arrays."""

import statistics

import numpy
import pytest

from scalargrad.engine import Value
from scalargrad.ops import random
from scalargrad.randomness import uniform, uniform_array


def test_known_numbers():
    # Computed from the specification in another language's integers: h >> 11 for the counters given.
    assert [int(uniform(*counters) * 2**53) for counters in ((0, 0, 0, 0), (1, 2, 3, 4), (7, 0, 2**40, 5))] == KNOWN


def mix(z):
    """The finalizer of SplitMix64, in Python's integers of any size."""
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


def specified(counters):
    h = 0
    for counter in counters:
        h = mix((h + counter + 0x9E3779B97F4A7C15) % 2**64)
    return h >> 11


KNOWN = [specified(counters) for counters in ((0, 0, 0, 0), (1, 2, 3, 4), (7, 0, 2**40, 5))]


def test_the_first_number_of_splitmix64_with_seed_0_is_the_published_one():
    assert mix(0x9E3779B97F4A7C15) == 0xE220A8397B1DCDAF


def test_arrays_give_the_same_bits():
    rows = numpy.arange(100.0)
    counters = [numpy.full(100, 3.0), numpy.full(100, 11.0), rows, numpy.full(100, 5.0)]
    assert uniform_array(numpy, counters).tolist() == [uniform(3, 11, row, 5) for row in range(100)]


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


def test_counters_are_whole_numbers():
    with pytest.raises(ValueError, match=r"random counts in whole numbers, got 0\.5"):
        random(0.5, 0, 0, 0)
