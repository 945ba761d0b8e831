"""asinh, acosh and atanh: logarithms of a pair, which they round once more.

asinh a          log(1 + a + a**2 / (1 + sqrt(1 + a**2))) for a = |x|
acosh x          log(x + sqrt((x - 1) (x + 1)))
atanh a          log(1 + 2 a / (1 - a)) / 2 for a = |x|
Reconstruction   the argument of the logarithm is w + c, where c is what rounding took from it: log w + c / w. So digits
                 beside the 1 are kept. From 2**28 on the first two are log(2 x): the next term is x**-2 / 4.
"""

from scalargrad.compiler.backends.native.code import Code
from scalargrad.compiler.backends.native.functions import pairs
from scalargrad.compiler.backends.native.functions.floating import inf, nan
from scalargrad.compiler.backends.native.functions.logarithms import at_the_ends, log_of_positive
from scalargrad.compiler.backends.native.functions.pairs import Pair

LARGE = 2.0**28
LN2 = 0.6931471805599453


def asinh(code: Code, x: str) -> str:
    a, one = code.abs(x), code.constant(1.0)
    square = code.mul(a, a)
    more = code.div(square, code.add(one, code.sqrt(code.add(one, square))))
    w, lost = pairs.sum_of(code, one, a)
    w, lost_then = pairs.sum_of(code, w, more)
    return code.copysign(_log_or_that_of_twice(code, a, (w, code.add(lost, lost_then))), x)


def acosh(code: Code, x: str) -> str:
    one, two = code.constant(1.0), code.constant(2.0)
    d = code.sub(x, one)
    above, rest = pairs.sum_of(code, d, two)
    product, lost = pairs.product_of(code, d, above)
    root, low = pairs.root(code, (product, code.multiply_add(d, rest, lost)))
    w, lost = pairs.sum_of(code, x, root)
    y = _log_or_that_of_twice(code, x, (w, code.add(lost, low)))
    return code.select(code.compare("olt", x, one), code.constant(nan), y)


def _log_or_that_of_twice(code: Code, x: str, w: Pair) -> str:
    """log w, or log 2 x where x is large."""
    large = code.compare("ogt", x, code.constant(LARGE))
    argument = code.select(large, x, w[0])
    correction = code.select(large, code.constant(LN2), code.div(w[1], w[0]))
    return at_the_ends(code, argument, log_of_positive(code, argument, correction))


def atanh(code: Code, x: str) -> str:
    a, zero, one = code.abs(x), code.constant(0.0), code.constant(1.0)
    ratio, rest = pairs.divide(code, (code.add(a, a), zero), pairs.sum_of(code, one, code.neg(a)))
    w, lost = pairs.sum_of(code, one, ratio)
    y = code.mul(log_of_positive(code, w, code.div(code.add(lost, rest), w)), code.constant(0.5))
    at_end = code.select(code.compare("oeq", a, one), code.constant(inf), code.constant(nan))
    return code.copysign(code.select(code.compare("olt", a, one), y, at_end), x)
