"""Random numbers by counting: the number for (seed, step, row, site) is a function of these four, the same everywhere.

So a dropout mask needs no state: it depends on the row of the data set and on the training step, never on the order in
which samples are computed. Specified to the bit, in integers that wrap around. All counters but the last make a key of
64 bits:

    key = 0x9E3779B97F4A7C15
    for n in (seed, step, row):  key = mix(key + n) + 0x9E3779B97F4A7C15
    mix(z):  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;  z = (z ^ z >> 27) * 0x94D049BB133111EB;  z ^ z >> 31

The last one, of which a key has many, is scrambled twice with the halves of the key, in words of 32 bits: a vector of
the processor holds twice as many of them, and multiplies them at once.

    word = scramble(scramble(site + key % 2**32) ^ (site >> 32) + (key >> 32))
    scramble(w):  w = (w ^ w >> 16) * 0x85EBCA6B;  w = (w ^ w >> 13) * 0xC2B2AE35;  w ^ w >> 16
    the number is (word * 2**21 + (scramble(word ^ key % 2**32) >> 11)) / 2**53, in [0, 1)
    in float32 it is the first 24 bits of that: (word >> 8) / 2**24

`mix` is the finalizer of SplitMix64 (Steele, Lea and Flood 2014), `scramble` that of MurmurHash3 (Appleby 2011).
"""

from contextvars import ContextVar
from typing import Any

MASK, WORD = 2**64 - 1, 2**32 - 1
LARGEST = 2.0**63  # beyond which counters do not go
GAMMA = 0x9E3779B97F4A7C15
MIX = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, None))  # shift, then factor: of 64 bits
SCRAMBLE = ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, None))  # of 32 bits

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
    for counter in counters:
        if not abs(counter) < LARGEST or counter != int(counter):
            raise ValueError(f"random counts in whole numbers below 2**63, got {counter}")
    key = GAMMA
    for counter in counters[:-1]:
        key = _mixed(key + int(counter), MIX, MASK) + GAMMA & MASK
    site = int(counters[-1]) & MASK
    word = _mixed(site + key, SCRAMBLE, WORD)
    word = _mixed(word ^ (site >> 32) + (key >> 32), SCRAMBLE, WORD)
    return ((word << 21) + (_mixed(word ^ key, SCRAMBLE, WORD) >> 11)) * 2.0**-53


def _mixed(bits: int, steps: tuple, mask: int) -> int:
    bits &= mask
    for shift, factor in steps:
        bits ^= bits >> shift
        if factor is not None:
            bits = bits * factor & mask
    return bits


def of_one_sample(x: float) -> float:
    """The mean over a batch where samples come one at a time: of a batch of one. ValueError for a larger one."""
    share = current_share()
    if type(share) is float and share != 1.0:
        raise ValueError('batch_mean: statistics of a batch take backend="native": Values see one sample at a time')
    return x
