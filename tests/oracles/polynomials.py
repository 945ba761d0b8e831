"""Where the coefficients of vector_math come from: interpolation in mpmath's arithmetic.

    python -m tests.oracles.polynomials      prints them all, and how far each polynomial is from its function

A polynomial that meets a function at the roots of a Chebyshev polynomial is nearly the best one of its degree: the
error swings evenly between its nodes. Where the polynomial in z is multiplied by z afterwards, the error at small z
counts little, and the Chebyshev polynomial is stretched until its first root is 0.
"""

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

from mpmath import mp, mpf

from scalargrad.compiler.backends.native.code import rounded

DIGITS = 50


class Approximation(NamedTuple):
    """module, name   where the coefficients are
    function        what the polynomial stands for
    interval        of its argument
    degree          for doubles, for floats (None: floats use the doubles')
    weight          the error that counts, for an error of 1 in the polynomial; it is relative to the final result
    stretched       is the weight 0 where the interval begins?
    """

    module: str
    name: str
    function: Callable[[Any], Any]
    interval: tuple[Any, Any]
    degree: tuple[int, int | None]
    weight: Callable[[Any], Any]
    stretched: bool = True


def of_root(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function of r as one of z = r**2."""
    return lambda z: function(mp.sqrt(z))


def scaled_erfc(t: Any) -> Any:
    """(1 + 2 x) exp(x**2) erfc(x), between 1.13 and 1.29 for x >= 3/4, where t = (x - 4) / (x + 4)."""
    x = 4 * (1 + t) / (1 - t)
    return mp.exp(x * x) * mp.erfc(x) * (1 + 2 * x)


with mp.workdps(DIGITS):
    HALF_LN2 = mp.log(2) / 2 * mpf("1.0001")  # a little more, as k is rounded
    EIGHTH_TURN = mp.pi / 4 * mpf("1.0005")
    LOG_END = (3 - 2 * mp.sqrt(2)) * mpf("1.0001")  # (m - 1) / (m + 1) at m = sqrt(2)
    ATAN_END = (mp.sqrt(2) - 1) * mpf("1.0001")
    ERFC_INTERVAL = 1 - 8 / mpf(4.75), 1 - 8 / mpf(32)  # x = 3/4, x = 28

# fmt: off
APPROXIMATIONS = [
    Approximation("exponentials", "EXP", lambda r: mp.hyp1f1(1, 3, r) / 2, (-HALF_LN2, HALF_LN2), (10, 5),
                  lambda r: abs(r * r / mp.expm1(r)) if r else 0, stretched=False),
    Approximation("exponentials", "SINH", of_root(lambda r: (mp.sinh(r) - r) / r**3), (0, HALF_LN2**2), (4, None),
                  lambda z: z),
    Approximation("exponentials", "COSH", of_root(lambda r: (mp.cosh(r) - 1) / r**2), (0, HALF_LN2**2), (5, None),
                  lambda z: z),
    Approximation("logarithms", "LOG", of_root(lambda s: 2 * (mp.atanh(s) - s) / s**3), (0, LOG_END**2), (6, 2),
                  lambda z: z / 2),
    Approximation("powers", "LOG", of_root(lambda s: (mp.atanh(s) - s - s**3 / 3) / s**5), (0, LOG_END**2), (7, None),
                  lambda z: z * z),
    Approximation("circular", "SIN", of_root(lambda r: (mp.sin(r) - r) / r**3), (0, EIGHTH_TURN**2), (5, 3),
                  lambda z: z),
    Approximation("circular", "COS", of_root(lambda r: (mp.cos(r) - 1 + r * r / 2) / r**4), (0, EIGHTH_TURN**2), (5, 2),
                  lambda z: z * z),
    Approximation("inverse_circular", "ATAN", of_root(lambda t: (mp.atan(t) - t) / t**3), (0, ATAN_END**2), (10, None),
                  lambda z: z),
    Approximation("inverse_circular", "ASIN", of_root(lambda s: (mp.asin(s) - s) / s**3), (0, mpf(1) / 4), (12, None),
                  lambda z: z),
    Approximation("error_functions", "ERF", of_root(lambda x: mp.erf(x) / x - 1.125), (0, mpf(0.5625)), (10, None),
                  lambda z: 1 / mpf(1.125), stretched=False),
    Approximation("error_functions", "ERFC", lambda t: scaled_erfc(t) - 1.125, ERFC_INTERVAL, (21, None),
                  lambda t: 1 / scaled_erfc(t), stretched=False),
]
# fmt: on


def nodes(approximation: Approximation, count: int) -> list:
    (low, high), stretched = approximation.interval, approximation.stretched
    roots = [mp.cos(mp.pi * (2 * i + 1) / (2 * (count + stretched))) for i in range(count + stretched)]
    first = roots.pop() if stretched else mpf(-1)
    return [low + (high - low) * (root - first) / (1 - first) for root in roots]


def coefficients(approximation: Approximation, degree: int) -> list:
    """Of the polynomial that meets the function at the nodes, the constant one first."""
    with mp.workdps(DIGITS):
        places = nodes(approximation, degree + 1)
        powers = mp.matrix([[x**n for n in range(degree + 1)] for x in places])
        return list(mp.lu_solve(powers, mp.matrix([approximation.function(x) for x in places])))


def written(approximation: Approximation) -> dict[str, list[float]]:
    """The coefficients as the module has them."""
    module = importlib.import_module(f"scalargrad.compiler.backends.native.functions.{approximation.module}")
    found = getattr(module, approximation.name)
    return found if isinstance(found, dict) else {"double": found}


def computed(approximation: Approximation) -> dict[str, list[float]]:
    double, single = approximation.degree
    result = {"double": [float(c) for c in coefficients(approximation, double)]}
    if single is not None:
        result["float"] = [rounded(float(c)) for c in coefficients(approximation, single)]
    return result


def error(approximation: Approximation, polynomial: list[float], points: int = 200) -> float:
    """The largest relative error that the polynomial brings into the result."""
    low, high = approximation.interval
    with mp.workdps(DIGITS):
        places = [low + (high - low) * (mpf(i) + mpf(1) / 3) / points for i in range(points)]
        exact = [abs(approximation.function(x) - sum(c * x**n for n, c in enumerate(polynomial))) for x in places]
        return float(max(e * approximation.weight(x) for e, x in zip(exact, places, strict=True)))


if __name__ == "__main__":
    for row in APPROXIMATIONS:
        for number, polynomial in computed(row).items():
            size = mp.log(error(row, polynomial), 2)
            print(f"{row.module}.{row.name}, {number}: relative error 2**{float(size):.1f}")
            print("\n".join(f"    {c!r}," for c in polynomial))
