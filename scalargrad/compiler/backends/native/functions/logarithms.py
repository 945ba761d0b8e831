"""log, log1p, log2 and log10.

Reduction        x = m 2**k with a whole number k and m between sqrt(1/2) and sqrt(2): log x = k ln 2 + log m.
Polynomial       with f = m - 1 and s = f / (2 + f), log m = 2 atanh s = 2 s + s**3 LOG(s**2).
Reconstruction   2 s = f - s f, and s f = f**2/2 - s f**2/2: so log m = f - (f**2/2 - s (f**2/2 + s**2 LOG(s**2))).
                 Here f is exact, and what is subtracted from it is small: its rounding errors hardly count.
Other bases      log2 x = k + log2 e log m, log10 x = k log10 2 + log10 e log m, where log m and the factor are pairs:
                 so logarithms that are whole numbers are exact.
"""

from scalargrad.compiler.backends.native.code import Code
from scalargrad.compiler.backends.native.functions import pairs
from scalargrad.compiler.backends.native.functions.exponentials import LN2
from scalargrad.compiler.backends.native.functions.floating import exponent_and_fraction, inf, nan, polynomial

# fmt: off
# 2 (atanh s - s) / s**3 as a polynomial in s**2, for |s| <= 3 - 2 sqrt(2): error 2**-59.2, floats 2**-30.1.
LOG = {
    "double": [
        0.6666666666666734, 0.3999999999941852, 0.28571428741561117, 0.2222219865498682, 0.18183560234751694,
        0.15314151163104317, 0.14794982816072527,
    ],
    "float": [
        0.6666677594184875, 0.3997761309146881, 0.2987005114555359,
    ],
}
# fmt: on


# log2 2 and log10 2 in two parts, the first with exact products; 1 / ln 2 and 1 / ln 10 in two parts.
BASE_2 = (1.0, 0.0), (1.4426950408889634, 2.0355273740931033e-17)
BASE_10 = (0.30102999566361177, 3.694239077158931e-13), (0.4342944819032518, 1.098319650216765e-17)


def log(code: Code, x: str) -> str:
    return at_the_ends(code, x, log_of_positive(code, x))


def log1p(code: Code, x: str) -> str:
    """log(1 + x) = log u + c / u, if rounding to u took c from 1 + x."""
    u, c = pairs.sum_of(code, code.constant(1.0), x)
    y = log_of_positive(code, u, correction=code.div(c, u))
    return code.copysign(at_the_ends(code, u, y), x)  # -0.0 stays -0.0


def log2(code: Code, x: str) -> str:
    return at_the_ends(code, x, _log_to_base(code, x, *BASE_2))


def log10(code: Code, x: str) -> str:
    return at_the_ends(code, x, _log_to_base(code, x, *BASE_10))


def _log_to_base(code: Code, x: str, of_2: tuple[float, float], factor: tuple[float, float]) -> str:
    k, f, less = _exponent_and_log_parts(code, x)
    log_m = pairs.ordered_sum(code, f, code.neg(less))
    high, low = pairs.multiply(code, log_m, (code.constant(factor[0]), code.constant(factor[1])))
    total, lost = pairs.ordered_sum(code, code.mul(k, code.constant(of_2[0])), high)
    return code.add(total, code.add(lost, code.multiply_add(k, code.constant(of_2[1]), low)))


def log_of_positive(code: Code, x: str, correction: str | None = None) -> str:
    k, f, less = _exponent_and_log_parts(code, x)
    large, small = LN2[code.number]
    high, low = pairs.ordered_sum(code, code.mul(k, code.constant(large)), f)
    rest = code.sub(code.multiply_add(k, code.constant(small), low), less)
    return code.add(high, rest if correction is None else code.add(rest, correction))


def _exponent_and_log_parts(code: Code, x: str) -> tuple[str, str, str]:
    """k, f and f**2/2 - s (f**2/2 + s**2 LOG(s**2)), for 0 < x < inf."""
    k, m = exponent_and_fraction(code, x)
    one, two, half = code.constant(1.0), code.constant(2.0), code.constant(0.5)
    f = code.sub(m, one)
    s = code.div(f, code.add(two, f))
    z = code.mul(s, s)
    square = code.mul(code.mul(f, f), half)
    series = code.multiply_add(z, polynomial(code, z, LOG[code.number]), square)
    return k, f, code.sub(square, code.mul(s, series))


def at_the_ends(code: Code, x: str, y: str) -> str:
    """log x: y between 0 and inf, -inf and inf there; nan for negative numbers and nan."""
    zero, infinite = code.constant(0.0), code.constant(inf)
    below = code.select(code.compare("oeq", x, zero), code.constant(-inf), code.constant(nan))
    y = code.select(code.compare("ogt", x, zero), y, below)
    return code.select(code.compare("oeq", x, infinite), infinite, y)
