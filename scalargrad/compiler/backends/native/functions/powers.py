"""pow: x**n = e**(n log |x|), with a sign.

An error of 2**-53 in n log x = 700 would be one of 2**-43.5 in the result: so the logarithm is a pair (about 2**-66).

Reduction        as in logarithms.py, with s = (m - 1) / (m + 1) as a pair.
Polynomial       atanh s = s + s w with w = s**2/3 + s**4 LOG(s**2). The first two terms are pairs.
Reconstruction   n (k ln 2 + 2 atanh s) as a pair, then `exp_of_pair`; last, the cases that have no logarithm.
"""

from fractions import Fraction

from scalargrad.compiler.backends.native.code import Code
from scalargrad.compiler.backends.native.functions import pairs
from scalargrad.compiler.backends.native.functions.exponentials import LN2, exp, exp_of_pair
from scalargrad.compiler.backends.native.functions.floating import (
    at_least,
    at_most,
    exponent_and_fraction,
    in_doubles,
    inf,
    nan,
    negative_where,
    polynomial,
    scaled,
)
from scalargrad.compiler.backends.native.functions.logarithms import log_of_positive
from scalargrad.compiler.backends.native.functions.pairs import Pair

# fmt: off
# (atanh s - s - s**3/3) / s**5 as a polynomial in s**2, for |s| <= 3 - 2 sqrt(2): error 2**-66.8.
LOG = [
    0.19999999999999998, 0.14285714285717094, 0.1111111111005651, 0.09090909282308146, 0.07692288503535369,
    0.06667784944958038, 0.05844730351382708, 0.05935652490779657,
]
# fmt: on

LARGE_POWER = 2.0**70  # for which every power of a number beside 1 is 0 or inf
LAST_EXPONENT = 800.0  # for which the exponential is


def pow(code: Code, x: str, n: str) -> str:
    zero, one, infinite = code.constant(0.0), code.constant(1.0), code.constant(inf)
    size = code.abs(x)
    y = _positive_power(code, size, n) if code.number == "double" else in_doubles(_rough_power)(code, size, n)

    # A base of 0 or inf has no logarithm: its powers are 0 and inf.
    grows = code.mask("xor", code.compare("ogt", size, one), code.compare("olt", n, zero))
    at_an_end = code.mask("or", code.compare("oeq", size, zero), code.compare("oeq", size, infinite))
    y = code.select(at_an_end, code.select(grows, infinite, zero), y)

    # A negative base needs a whole exponent, and an odd one keeps the sign.
    half = code.mul(n, code.constant(0.5))
    whole = code.compare("oeq", code.floor(n), n)
    odd = code.mask("and", whole, code.compare("one", code.floor(half), half))
    below = code.mask("and", code.compare("olt", x, zero), code.compare("one", size, infinite))
    y = code.select(code.mask("and", below, code.invert(whole)), code.constant(nan), y)
    y = negative_where(code, code.mask("and", odd, _has_sign(code, x)), y)

    # nan gives nan, but 1**n and x**0 are 1 even for nan, and so is (-1)**inf: as in C.
    y = code.select(code.compare("uno", x, n), code.constant(nan), y)
    last = code.mask("and", code.compare("oeq", size, one), code.compare("oeq", code.abs(n), infinite))
    certain = code.mask("or", code.compare("oeq", n, zero), code.compare("oeq", x, one))
    return code.select(code.mask("or", last, certain), one, y)


def _positive_power(code: Code, x: str, n: str) -> str:
    """x**n for 0 < x < inf."""
    high, low = log_pair(code, x)
    n = at_most(code, at_least(code, n, -LARGE_POWER), LARGE_POWER)
    exponent, lost = pairs.product_of(code, n, high)
    lost = code.multiply_add(n, low, lost)
    within = code.compare("olt", code.abs(exponent), code.constant(LAST_EXPONENT))
    lost = code.select(within, lost, code.constant(0.0))
    k, y = exp_of_pair(code, (at_most(code, at_least(code, exponent, -LAST_EXPONENT), LAST_EXPONENT), lost))
    return scaled(code, y, k)


def _rough_power(code: Code, x: str, n: str) -> str:
    """x**n for 0 < x < inf, precise enough for floats."""
    return exp(code, code.mul(n, log_of_positive(code, x)))


def log_pair(code: Code, x: str) -> Pair:
    """log x for 0 < x < inf as a pair."""
    k, m = exponent_and_fraction(code, x)
    one, zero = code.constant(1.0), code.constant(0.0)
    s = pairs.divide(code, (code.sub(m, one), zero), pairs.sum_of(code, m, one))
    z = pairs.multiply(code, s, s)
    third = pairs.multiply(code, z, pairs.constant(code, Fraction(1, 3)))
    w = pairs.add(code, third, (code.mul(code.mul(z[0], z[0]), polynomial(code, z[0], LOG)), zero))
    high, low = pairs.add(code, s, pairs.multiply(code, s, w))
    large, small = LN2[code.number]
    twice = code.add(high, high), code.add(low, low)
    return pairs.add(code, (code.mul(k, code.constant(large)), code.mul(k, code.constant(small))), twice)


def _has_sign(code: Code, x: str) -> str:
    """The mask of negative numbers and -0.0."""
    return code.compare_integers("slt", code.bits_of(x), code.integer(0))
