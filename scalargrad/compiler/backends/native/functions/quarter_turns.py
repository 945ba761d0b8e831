"""The angle x modulo a quarter turn, pi/2, to twice the digits of a number: also where x is huge.

Up to 2**30 pi/2 in three parts is enough (Cody and Waite: the first product cancels against x without error). Beyond
that x 2/pi is computed modulo 4 from those digits of 2/pi that matter (Payne and Hanek): digits whose products with
the last bit of x are multiples of 4 are left out. That is slow, and done only if a lane needs it.
"""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import cache

from scalargrad.compiler.backends.native.code import Code
from scalargrad.compiler.backends.native.functions import pairs
from scalargrad.compiler.backends.native.functions.floating import any_lane, bit_is_set, nearest_whole
from scalargrad.compiler.backends.native.functions.pairs import Pair

LARGEST_ANGLE = {"double": 2.0**30, "float": 2.0**15}  # for which three parts are enough
STEP = 32  # exponents that share the digits of 2/pi that matter
ROWS = {"double": 32, "float": 4}  # how many times STEP exponents there are


def reduced(code: Code, x: str) -> tuple[str, Pair]:
    """x = k pi/2 + r: a whole number that is k or differs by a multiple of 4, and r as a pair."""
    huge = code.compare("ogt", code.abs(x), code.constant(LARGEST_ANGLE[code.number]))
    usual = _with_three_parts(code, x)

    def with_huge_ones() -> list[str]:
        others = _in_doubles(code, code.select(huge, x, code.constant(1.0)))
        return [code.select(huge, new, old) for new, old in zip(others, usual, strict=True)]

    k, high, low = unless_rare(code, huge, usual, with_huge_ones)
    return k, (high, low)


def unless_rare(code: Code, mask: str, usual: list[str], rare: Callable[[], list[str]]) -> list[str]:
    """The usual results, or those of rare(), which is run only if the mask is set in some lane."""
    before, inside, after = (code.fresh(name) for name in ("before", "rare", "after"))
    some = any_lane(code, mask)
    code.write(f"br label %{before}")
    code.label(before)
    code.write(f"br i1 {some}, label %{inside}, label %{after}")
    code.label(inside)
    results = rare()
    code.write(f"br label %{after}")
    code.label(after)
    return [
        code(f"phi {code.vector} [ {old}, %{before} ], [ {new}, %{inside} ]")
        for old, new in zip(usual, results, strict=True)
    ]


def _with_three_parts(code: Code, x: str) -> list[str]:
    """x - k pi/2, with pi/2 in three parts."""
    first, second, third = (code.constant(part) for part in pairs.parts(pi(200) / 2, 3, code.number))
    k = nearest_whole(code, x, float(2 / pi(200)))
    near = pairs.exact_multiply_add(code, code.neg(k), first, x)
    part, lost = pairs.product_of(code, k, second)
    high, low = pairs.sum_of(code, near, code.neg(part))
    return [k, high, code.multiply_add(code.neg(k), third, code.sub(low, lost))]


def _in_doubles(code: Code, x: str) -> list[str]:
    if code.number == "double":
        return _with_all_digits(code, x, ROWS["double"])
    wide = replace(code, number="double")  # writes into the same lines
    k, *r = _with_all_digits(wide, wide(f"fpext {code.vector} {x} to {wide.vector}"), ROWS["float"])
    exact = wide.add(*r)

    def narrow(y: str) -> str:
        return wide(f"fptrunc {wide.vector} {y} to {code.vector}")

    high = narrow(exact)
    rest = wide.sub(exact, wide(f"fpext {code.vector} {high} to {wide.vector}"))
    results = [narrow(k), high, narrow(rest)]
    code.count = wide.count
    return results


def _with_all_digits(code: Code, x: str, rows: int) -> list[str]:
    """x 2/pi modulo 4, for |x| >= 1, as whole and fraction; the fraction times pi/2 is the rest.

    x = y 2**base with a multiple of STEP as base and 1 <= |y| < 2**32. The last bit of y is 2**-52 or more: of
    2**base 2/pi, what is a multiple of 2**54 gives multiples of 4. The next 212 bits are enough, also for that x which
    comes nearest to a multiple of pi/2 (2**-61).
    """
    exponent = code.on_integers("lshr", code.bits_of(code.abs(x)), code.integer(52))
    exponent = code.on_integers("sub", exponent, code.integer(1023))
    base = code.on_integers("and", exponent, code.integer(-STEP))
    scale = code.on_integers("shl", code.on_integers("sub", code.integer(1023), base), code.integer(52))
    y = code.mul(x, code.with_bits(scale))

    bits = [bit_is_set(code, exponent, STEP << n) for n in range(rows.bit_length() - 1)]
    digits = [_entry(code, bits, column) for column in zip(*_digits_of_two_over_pi(rows), strict=True)]
    terms = [term for digit in digits for term in pairs.product_of(code, y, digit)]
    terms = [_modulo_4(code, term) for term in terms[:3]] + terms[3:]

    # Most of the first terms may cancel: three numbers hold the sum.
    high, low, lowest = terms[0], code.constant(0.0), code.constant(0.0)
    for term in terms[1:]:
        high, lost = pairs.sum_of(code, high, term)
        low, lost = pairs.sum_of(code, low, lost)
        lowest = code.add(lowest, lost)
    k = nearest_whole(code, high)
    high, low = pairs.sum_of(code, code.sub(high, k), low)
    fraction = pairs.ordered_sum(code, high, code.add(low, lowest))
    return [k, *pairs.multiply(code, fraction, pairs.constant(code, pi(200) / 2))]


def _modulo_4(code: Code, x: str) -> str:
    turns = code.nearest(code.mul(x, code.constant(0.25)))
    return code.sub(x, code.mul(turns, code.constant(4.0)))


def _entry(code: Code, bits: list[str], numbers: tuple[float, ...]) -> str:
    """The number whose place in the list has these bits, the lowest first."""
    names = [code.constant(x) for x in numbers]
    for bit in bits:
        names = [code.select(bit, odd, even) for even, odd in zip(names[::2], names[1::2], strict=True)]
    return names[0]


@cache
def _digits_of_two_over_pi(rows: int) -> list[list[float]]:
    """2**base 2/pi modulo 2**54 in four parts, for each base."""
    exact = 2 / pi(1400)
    return [pairs.parts(exact * 2 ** (STEP * row) % 2**54, 4) for row in range(rows)]


@cache
def pi(bits: int) -> Fraction:
    """pi to so many bits after the point, by Machin's formula of 1706."""
    unit = 1 << (bits + 16)

    def atan_of_inverse(n: int) -> int:
        total, power, divisor = 0, unit // n, 1
        while power:
            total += power // divisor if divisor % 4 == 1 else -(power // divisor)
            power, divisor = power // (n * n), divisor + 2
        return total

    return Fraction(16 * atan_of_inverse(5) - 4 * atan_of_inverse(239), unit)
