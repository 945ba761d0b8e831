"""erf and erfc.

Up to 3/4        erf x = x (9/8 + ERF(x**2)), erfc x = 1 - erf x.
From there on    erfc x = e**-x**2 (9/8 + ERFC(t)) / (1 + 2 x) with t = (x - 4) / (x + 4), erf x = 1 - erfc x. The
                 factor in brackets hardly moves: 1.27 at 3/4, 1.13 at infinity. (M. M. Shepherd and J. G. Laframboise,
                 "Chebyshev approximation of (1 + 2x) exp(x**2) erfc x in 0 <= x < infinity", 1981, had this form; the
                 coefficients are our own.)
Reconstruction   x**2, its exponential, the product and the quotient are pairs: an error of 2**-53 in x**2 = 700 would
                 be one of 2**-43.5 in the result.
"""

from scalargrad.compiler.backends.native.code import Code
from scalargrad.compiler.backends.native.functions import pairs
from scalargrad.compiler.backends.native.functions.exponentials import exp_of_pair
from scalargrad.compiler.backends.native.functions.floating import at_most, polynomial, scaled
from scalargrad.compiler.backends.native.functions.pairs import Pair

# fmt: off
# erf(x) / x - 9/8 as a polynomial in x**2, for |x| <= 3/4: error 2**-56.4.
ERF = [
    0.003379167095512573, -0.37612638903183715, 0.11283791670952596, -0.026866170644428485,
    0.005223977615420539, -0.0008548326188759752, 0.00012055289567541706, -1.4924196305569617e-05,
    1.643068417974155e-06, -1.5940066854661717e-07, 1.1472499701094691e-08,
]

# (1 + 2 x) e**x**2 erfc x - 9/8 as a polynomial in t, for 3/4 <= x <= 28: error 2**-56.9.
ERFC = [
    0.10799511862555251, -0.13962111684056247, 0.015379652102619766, 0.06809705425468682, -0.10103906603630404,
    0.09373283499861676, -0.06633036581228409, 0.037167515531919895, -0.01619773405591165,
    0.0050319700416283026, -0.0007577733136210261, -0.00019925713398403304, 0.0001506218660584476,
    -2.4397293709348743e-05, -1.122291861702589e-05, 5.704325527318425e-06, 2.9639671701474037e-07,
    -8.157536030264092e-07, 7.007726225939664e-08, 9.963669781288243e-08, -1.3478117328949061e-08,
    -8.162435007722838e-09,
]
# fmt: on

FAR = 0.75  # where the second formula begins
ERFC_IS_0 = 28.0  # from there on, when rounded


def erf(code: Code, x: str) -> str:
    a, one = code.abs(x), code.constant(1.0)
    near = code.add(*_erf_near_0(code, a))
    far = code.sub(one, _far_erfc(code, a))
    return code.copysign(code.select(code.compare("ogt", a, code.constant(FAR)), far, near), x)


def erfc(code: Code, x: str) -> str:
    a, one, zero = code.abs(x), code.constant(1.0), code.constant(0.0)
    y, rest = _erf_near_0(code, x)
    near, lost = pairs.sum_of(code, one, code.neg(y))
    near = code.add(near, code.sub(lost, rest))
    far = _far_erfc(code, a)
    far = code.select(code.compare("olt", x, zero), code.sub(code.constant(2.0), far), far)
    return code.select(code.compare("ogt", a, code.constant(FAR)), far, near)


def _erf_near_0(code: Code, x: str) -> Pair:
    y, lost = pairs.product_of(code, x, code.constant(1.125))
    return y, code.multiply_add(x, polynomial(code, code.mul(x, x), ERF), lost)


def _far_erfc(code: Code, x: str) -> str:
    one, four, eight = (code.constant(c) for c in (1.0, 4.0, 8.0))
    x = at_most(code, x, ERFC_IS_0)
    square, lost = pairs.product_of(code, x, x)
    k, e = exp_of_pair(code, (code.neg(square), code.neg(lost)))

    t = code.sub(one, code.div(eight, code.add(x, four)))
    factor = pairs.ordered_sum(code, code.constant(1.125), polynomial(code, t, ERFC))
    below = pairs.sum_of(code, code.add(x, x), one)
    y = pairs.divide(code, pairs.multiply(code, e, factor), below)
    return scaled(code, y, k)
