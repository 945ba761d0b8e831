"""exp and its relatives: exp, exp2, expm1, sinh, cosh, tanh, sigmoid.

Reduction        x = k ln 2 + r with a whole number k and |r| <= ln(2)/2: then e**x = 2**k e**r.
Polynomial       e**r = 1 + r + r**2 EXP(r), sinh r = r + r**3 SINH(r**2), cosh r = 1 + r**2 COSH(r**2).
Reconstruction   a multiplication by 2**k is exact. Where 1 is subtracted, the large parts are added without error, and
                 the polynomial contributes only to the small rest.

Coefficients here and in the files beside this one: interpolation at Chebyshev nodes, in mpmath (tests/polynomials.py).
The errors given are relative, of the whole formula, and without rounding.
"""

import math

from scalargrad.compiler.backends.native.code import Code
from scalargrad.compiler.backends.native.functions import pairs
from scalargrad.compiler.backends.native.functions.floating import (
    at_least,
    at_most,
    nearest_whole,
    polynomial,
    power_of_two,
    scaled,
)
from scalargrad.compiler.backends.native.functions.pairs import Pair

# ln 2 in two parts. The first is short, so that its product with any k is exact.
LN2 = {"double": (0.6931471805598903, 5.497923018708371e-14), "float": (0.693145751953125, 1.428606765330187e-06)}

# Beyond these exp is 0 and inf, also when rounded. They keep k small.
EXP_RANGE = {"double": (-746.0, 710.0), "float": (-104.0, 89.0)}

# fmt: off
# (e**r - 1 - r) / r**2 for |r| <= ln(2)/2: error 2**-60.0, floats 2**-29.2, relative to e**r - 1.
EXP = {
    "double": [
        0.5, 0.1666666666666667, 0.04166666666666667, 0.008333333333326136, 0.0013888888888883748,
        0.00019841269874820627, 2.4801587325547743e-05, 2.7557255400206422e-06, 2.75572736431103e-07,
        2.5105217004720745e-08, 2.0914686968086876e-09,
    ],
    "float": [
        0.5, 0.1666666716337204, 0.04166646674275398, 0.00833331048488617, 0.0013933649752289057,
        0.00019890991097781807,
    ],
}

# (sinh r - r) / r**3 as a polynomial in r**2: error 2**-60.7.
SINH = [
    0.16666666666666677, 0.008333333333321617, 0.000198412698861564, 2.755724418401513e-06,
    2.51090441811507e-08,
]

# (cosh r - 1) / r**2 as a polynomial in r**2: error 2**-64.7.
COSH = [
    0.5, 0.04166666666666671, 0.0013888888888863933, 2.4801587363401533e-05, 2.755724181960226e-07,
    2.0924427112390133e-09,
]
# fmt: on


def reduced(code: Code, x: str) -> tuple[str, str, str]:
    """x = k ln 2 + r + low: k, r, and the digits `low` that rounding took from r."""
    large, small = LN2[code.number]
    k = nearest_whole(code, x, 1.0 / (large + small))
    rest = code.multiply_add(k, code.constant(-large), x)
    r = code.multiply_add(k, code.constant(-small), rest)
    return k, r, code.multiply_add(k, code.constant(-small), code.sub(rest, r))


def with_higher_orders(code: Code, r: str, rest: str) -> str:
    """rest + (e**r - 1 - r)"""
    return code.multiply_add(code.mul(r, r), polynomial(code, r, EXP[code.number]), rest)


def exp(code: Code, x: str) -> str:
    lowest, highest = EXP_RANGE[code.number]
    x = at_most(code, at_least(code, x, lowest), highest)
    k, r, low = reduced(code, x)
    high, rest = pairs.ordered_sum(code, code.constant(1.0), r)
    return scaled(code, (high, with_higher_orders(code, r, code.add(rest, low))), k)


def exp_of_pair(code: Code, x: Pair) -> tuple[str, Pair]:
    """e**(high + low) = y * 2**k: k, and y as a pair."""
    k, r, low = reduced(code, x[0])
    r, low = pairs.ordered_sum(code, r, code.add(low, x[1]))
    high, rest = pairs.ordered_sum(code, code.constant(1.0), r)
    return k, pairs.ordered_sum(code, high, with_higher_orders(code, r, code.add(rest, low)))


def exp2(code: Code, x: str) -> str:
    """2**x = 2**k e**(r ln 2) with r = x - k, which is exact: and 2**k too, as it is."""
    x = at_most(code, at_least(code, x, -1076.0), 1024.0)  # beyond these it is 0 and inf
    k = nearest_whole(code, x)
    r = code.mul(code.sub(x, k), code.constant(math.log(2.0)))
    high, rest = pairs.ordered_sum(code, code.constant(1.0), r)
    return scaled(code, (high, with_higher_orders(code, r, rest)), k)


def half_expm1(code: Code, x: str) -> Pair:
    """(e**x - 1) / 2 = (2**k / 2 - 1/2) + 2**k / 2 (e**r - 1), as a pair. Halved, 2**k is a number up to the end."""
    k, r, low = reduced(code, x)
    half = power_of_two(code, code.sub(k, code.constant(1.0)))
    base = code.sub(half, code.constant(0.5))
    high = code.multiply_add(half, r, base)
    lost = code.multiply_add(half, r, code.sub(base, high))
    return pairs.ordered_sum(code, high, code.multiply_add(half, with_higher_orders(code, r, low), lost))


def expm1(code: Code, x: str) -> str:
    half, _ = half_expm1(code, at_most(code, at_least(code, x, -40.0), 710.0))
    return itself_if_tiny(code, x, code.add(half, half))


def tanh(code: Code, x: str) -> str:
    """tanh a = -h / (1 + h) with h = (e**(-2a) - 1) / 2, for a = |x|."""
    a = at_most(code, code.abs(x), 22.0)  # from 19.07 on tanh is 1 when rounded
    high, low = half_expm1(code, code.mul(a, code.constant(-2.0)))
    d = pairs.ordered_sum(code, code.constant(1.0), high)
    y, rest = pairs.divide(code, (high, low), (d[0], code.add(d[1], low)))
    return code.copysign(code.add(y, rest), x)


def sigmoid(code: Code, x: str) -> str:
    """With e = e**-|x|: 1 / (1 + e) for positive x, e / (1 + e) for negative x."""
    e = exp(code, code.neg(code.abs(x)))
    zero, one = code.constant(0.0), code.constant(1.0)
    above = code.select(code.compare("olt", x, zero), e, one)
    return code.add(*pairs.divide(code, (above, zero), pairs.ordered_sum(code, one, e)))


def sinh(code: Code, x: str) -> str:
    """With c, s = (2**k + 2**-k) / 4, (2**k - 2**-k) / 4: sinh x / 2 = s cosh r + c sinh r."""
    r, low, c, s, odd, even = _hyperbolic_parts(code, x)
    half = _half_hyperbolic(code, r, low, c, s, odd, even)
    return itself_if_tiny(code, x, code.copysign(code.add(half, half), x))


def cosh(code: Code, x: str) -> str:
    """With the same c and s: cosh x / 2 = c cosh r + s sinh r."""
    r, low, c, s, odd, even = _hyperbolic_parts(code, x)
    half = _half_hyperbolic(code, r, low, s, c, odd, even)
    return code.add(half, half)


def _half_hyperbolic(code: Code, r: str, low: str, slope: str, base: str, odd: str, even: str) -> str:
    """base cosh r + slope sinh r, its large part base + slope r without error."""
    high = code.multiply_add(slope, r, base)
    rest = code.multiply_add(slope, r, code.sub(base, high))
    rest = code.multiply_add(slope, code.add(low, odd), code.multiply_add(base, even, rest))
    return code.add(high, rest)


def _hyperbolic_parts(code: Code, x: str) -> tuple[str, ...]:
    """r, low, c, s, sinh r - r and cosh r - 1, for |x| = k ln 2 + r + low."""
    k, r, low = reduced(code, at_most(code, code.abs(x), 710.6))
    grows = power_of_two(code, code.sub(k, code.constant(2.0)))
    shrinks = code.div(code.constant(0.0625), grows)
    z = code.mul(r, r)
    odd = code.mul(code.mul(z, r), polynomial(code, z, SINH))
    even = code.mul(z, polynomial(code, z, COSH))
    return r, low, code.add(grows, shrinks), code.sub(grows, shrinks), odd, even


def itself_if_tiny(code: Code, x: str, y: str) -> str:
    """x where |x| < 2**-60, also for -0.0; else y. For functions that are x + O(x**2) there."""
    return code.select(code.compare("olt", code.abs(x), code.constant(2.0**-60)), x, y)
