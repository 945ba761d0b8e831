"""asin, acos, atan and atan2.

Reduction        asin beyond 1/2 by asin a = pi/2 - 2 asin sqrt((1 - a) / 2); atan beyond tan(pi/8) by
                 atan a = pi/4 + atan((a - 1) / (a + 1)), and beyond tan(3 pi/8) by atan a = pi/2 + atan(-1 / a).
                 atan2 is the atan of the smaller part by the larger one, from an axis on or back to it.
Polynomial       asin s = s + s**3 ASIN(s**2), atan t = t + t**3 ATAN(t**2).
Reconstruction   the multiple of pi/4 and the quotient are pairs: their small parts are added to the polynomial first.
"""

import math

from scalargrad.compiler.backends.native.code import Code
from scalargrad.compiler.backends.native.functions import pairs
from scalargrad.compiler.backends.native.functions.floating import at_most, inf, nan, negative_where, polynomial
from scalargrad.compiler.backends.native.functions.pairs import Pair
from scalargrad.compiler.backends.native.functions.quarter_turns import pi

# fmt: off
# (asin s - s) / s**3 as a polynomial in s**2, for |s| <= 1/2: error 2**-59.3.
ASIN = [
    0.16666666666666752, 0.0749999999997315, 0.04464285717236861, 0.030381942815076998, 0.022372211982030567,
    0.0173516655888634, 0.013980184093834582, 0.011404068082388074, 0.010751656079494408, 0.003813270416705725,
    0.021450242779625966, -0.020638983964698716, 0.032405832749597234,
]

# (atan t - t) / t**3 as a polynomial in t**2, for |t| <= tan(pi/8): error 2**-57.6.
ATAN = [
    -0.3333333333333319, 0.19999999999951662, -0.1428571428001098, 0.11111110774592928, -0.0909089751399115,
    0.07692056066353384, -0.06663058863316086, 0.05847573765770132, -0.05037938107876785, 0.03803113945341777,
    -0.01787193309727227,
]
# fmt: on

HALF_PI = pairs.parts(pi(200) / 2, 2)


def asin(code: Code, x: str) -> str:
    zero, one, minus_two = (code.constant(c) for c in (0.0, 1.0, -2.0))
    beyond, s, tail = _asin_parts(code, x)
    base = pairs.choice(code, beyond, _half_pi(code, 1.0), (zero, zero))
    y = _base_and_multiple(code, base, code.select(beyond, minus_two, one), s, tail)
    return code.copysign(y, x)


def acos(code: Code, x: str) -> str:
    """pi/2 - asin x within 1/2; beyond, twice the asin of the root, or pi less that for negative x."""
    zero, two = code.constant(0.0), code.constant(2.0)
    beyond, s, tail = _asin_parts(code, x)
    negative = code.compare("olt", x, zero)
    base = pairs.choice(code, negative, _half_pi(code, 2.0), (zero, zero))
    base = pairs.choice(code, beyond, base, _half_pi(code, 1.0))
    factor = negative_where(code, negative, code.select(beyond, two, code.constant(-1.0)))
    return _base_and_multiple(code, base, factor, s, tail)


def _asin_parts(code: Code, x: str) -> tuple[str, str, str]:
    """The mask of |x| > 1/2, the number s whose asin is needed, and that asin less s."""
    a, half = code.abs(x), code.constant(0.5)
    beyond = code.compare("ogt", a, half)
    z = code.select(beyond, code.mul(code.sub(code.constant(1.0), a), half), code.mul(a, a))
    s = code.select(beyond, code.sqrt(z), a)
    return beyond, s, code.mul(code.mul(s, z), polynomial(code, z, ASIN))


def atan(code: Code, x: str) -> str:
    zero, one = code.constant(0.0), code.constant(1.0)
    a = at_most(code, code.abs(x), 2.0**60)  # from there on atan is pi/2 when rounded
    middle = code.compare("ogt", a, code.constant(math.sqrt(2.0) - 1.0))
    steep = code.compare("ogt", a, code.constant(math.sqrt(2.0) + 1.0))

    less, more = pairs.sum_of(code, a, code.constant(-1.0)), pairs.sum_of(code, a, one)
    above = pairs.choice(code, middle, less, (a, zero))
    below = pairs.choice(code, middle, more, (one, zero))
    base = pairs.choice(code, middle, _half_pi(code, 0.5), (zero, zero))
    above = pairs.choice(code, steep, (code.constant(-1.0), zero), above)
    below = pairs.choice(code, steep, (a, zero), below)
    base = pairs.choice(code, steep, _half_pi(code, 1.0), base)

    t, tail = _atan_parts(code, pairs.divide(code, above, below))
    return code.copysign(_base_and_multiple(code, base, one, t, tail), x)


def _atan_parts(code: Code, t: Pair) -> Pair:
    """t and atan t - t, for |t| <= tan(pi/8)."""
    z = code.mul(t[0], t[0])
    tail = code.mul(code.mul(t[0], z), polynomial(code, z, ATAN))
    slope = code.sub(code.constant(1.0), z)  # nearly 1 / (1 + z), the derivative
    return t[0], code.multiply_add(t[1], slope, tail)


def atan2(code: Code, y: str, x: str) -> str:
    """The angle from the axis of positive x to the point (x, y), between -pi and pi."""
    zero, one = code.constant(0.0), code.constant(1.0)
    width, height = code.abs(x), code.abs(y)
    steep = code.compare("ogt", height, width)
    large, small = code.select(steep, height, width), code.select(steep, width, height)
    both = code.compare("oeq", small, code.constant(inf))
    small, large = code.select(both, one, small), code.select(both, one, large)
    large = code.select(code.compare("oeq", large, zero), one, large)

    tiny = code.compare("olt", small, code.mul(large, code.constant(2.0**-30)))  # atan t is t then
    middle = code.compare("ogt", small, code.mul(large, code.constant(math.sqrt(2.0) - 1.0)))
    ratio = code.div(small, large)
    small, large = (code.mul(part, _to_the_middle(code, large)) for part in (small, large))
    above = pairs.choice(code, middle, pairs.sum_of(code, small, code.neg(large)), (small, zero))
    below = pairs.choice(code, middle, pairs.sum_of(code, small, large), (large, zero))
    t = pairs.choice(code, tiny, (ratio, zero), pairs.divide(code, above, below))

    # From one of the axes on, or back to it: in eighths of a turn.
    left = code.compare_integers("slt", code.bits_of(x), code.integer(0))  # -0.0, too
    back = negative_where(code, code.mask("xor", steep, left), one)
    at_axis = pairs.choice(code, steep, _eighths(code, 2), pairs.choice(code, left, _eighths(code, 4), (zero, zero)))
    base = pairs.choice(code, middle, pairs.choice(code, left, _eighths(code, 3), _eighths(code, 1)), at_axis)
    angle = code.copysign(_base_and_multiple(code, base, back, *_atan_parts(code, t)), y)
    return code.select(code.compare("uno", y, x), code.constant(nan), angle)


def _to_the_middle(code: Code, x: str) -> str:
    """A power of two by which numbers of the size of x are far from the largest and from the smallest."""
    shrink = code.select(code.compare("ogt", x, code.constant(2.0**500)), code.constant(2.0**-600), code.constant(1.0))
    return code.select(code.compare("olt", x, code.constant(2.0**-500)), code.constant(2.0**600), shrink)


def _eighths(code: Code, count: int) -> Pair:
    """So many eighths of a turn."""
    return pairs.constant(code, pi(200) / 4 * count)


def _base_and_multiple(code: Code, base: Pair, factor: str, s: str, tail: str) -> str:
    """base + factor * (s + tail), where the product is smaller than the base, or the base is 0."""
    high, low = pairs.ordered_sum(code, base[0], code.mul(factor, s))
    return code.add(high, code.add(low, code.multiply_add(factor, tail, base[1])))


def _half_pi(code: Code, factor: float) -> Pair:
    """pi/2 times a power of two."""
    return code.constant(HALF_PI[0] * factor), code.constant(HALF_PI[1] * factor)
