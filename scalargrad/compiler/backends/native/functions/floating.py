"""Floating-point numbers from the inside: exponents, whole numbers and scaling by powers of two, lane by lane.

A double is a sign, 11 bits of exponent and 52 bits of fraction; a float has 8 and 23. The formulas here need no
conversion between integers and numbers, which processors before AVX-512 do not have for 64 bits.
"""

import math
from collections.abc import Callable
from dataclasses import replace

from scalargrad.compiler.backends.native.code import Code, Formula
from scalargrad.compiler.backends.native.functions.pairs import Pair

inf, nan = math.inf, math.nan

FRACTION = {"double": 52, "float": 23}  # bits
BIAS = {"double": 1023, "float": 127}  # what the exponent's bits hold for 2**0


def nearest_whole(code: Code, x: str, factor: float = 1.0) -> str:
    """The whole number nearest to factor * x, for results up to 2**51 (floats: 2**22); else nonsense, but no trap."""
    # A sum beyond 2**52 has no bits after the point: the addition rounds them away.
    shift = code.constant(_no_fraction(code))
    return code.sub(code.multiply_add(x, code.constant(factor), shift), shift)


def whole_bits(code: Code, k: str) -> str:
    """Integers whose lowest bits are those of the whole number k, negative ones as two's complement."""
    return code.bits_of(code.add(k, code.constant(_no_fraction(code))))


def power_of_two(code: Code, k: str) -> str:
    """2**k for a whole number k whose power is a normal number."""
    return _power(code, code.add(k, code.constant(_no_fraction(code) + BIAS[code.number])))


def _power(code: Code, biased: str) -> str:
    """2**k where the last bits of `biased` are k + bias: they become the exponent."""
    return code.with_bits(code.on_integers("shl", code.bits_of(biased), code.integer(FRACTION[code.number])))


def scaled(code: Code, y: Pair, k: str) -> str:
    """(high + low) 2**k. In two factors, since 2**1024 and 2**-1074 are no normal numbers, but 2**512 is."""
    shift = code.constant(_no_fraction(code) + BIAS[code.number])
    biased = code.multiply_add(k, code.constant(0.5), shift)
    first = _power(code, biased)
    second = power_of_two(code, code.sub(k, code.sub(biased, shift)))
    return code.mul(code.multiply_add(y[1], first, code.mul(y[0], first)), second)


def exponent_and_fraction(code: Code, x: str) -> tuple[str, str]:
    """x = m * 2**k with a whole number k and sqrt(1/2) <= m < sqrt(2), for positive numbers x."""
    fraction, bias = FRACTION[code.number], BIAS[code.number]
    smallest, lift = 2.0 ** (1 - bias), fraction + 2
    subnormal = code.compare("olt", x, code.constant(smallest))
    x = code.select(subnormal, code.mul(x, code.constant(2.0**lift)), x)
    lifted = code.select(subnormal, code.constant(bias + lift), code.constant(bias))

    # Seen as integers, numbers ascend, and one power of two is 2**52 away from the next.
    one, root = bias << fraction, _bits_of_root(code)
    bits = code.on_integers("add", code.bits_of(x), code.integer(one - root))
    biased = code.on_integers("lshr", bits, code.integer(fraction))
    inside = code.on_integers("and", bits, code.integer((1 << fraction) - 1))
    m = code.with_bits(code.on_integers("add", inside, code.integer(root)))

    # An integer written into the fraction of 2**52 is 2**52 plus that integer.
    whole = (bias + fraction) << fraction
    counted = code.with_bits(code.on_integers("or", biased, code.integer(whole)))
    return code.sub(code.sub(counted, code.constant(2.0**fraction)), lifted), m


def polynomial(code: Code, x: str, coefficients: list[float]) -> str:
    """c[0] + c[1] x + c[2] x**2 + ... as even(x**2) + x odd(x**2): the two halves do not wait for each other."""
    square = code.mul(x, x)
    even, odd = code.polynomial(square, coefficients[::2]), code.polynomial(square, coefficients[1::2])
    return code.multiply_add(x, odd, even)


def bit_is_set(code: Code, n: str, bit: int) -> str:
    return code.compare_integers("ne", code.on_integers("and", n, code.integer(bit)), code.integer(0))


def at_most(code: Code, x: str, limit: float) -> str:
    """The smaller of x and the limit; nan stays nan."""
    bound = code.constant(limit)
    return code.select(code.compare("ogt", x, bound), bound, x)


def at_least(code: Code, x: str, limit: float) -> str:
    """The larger of x and the limit; nan stays nan."""
    bound = code.constant(limit)
    return code.select(code.compare("olt", x, bound), bound, x)


def negative_where(code: Code, mask: str, y: str) -> str:
    return code.select(mask, code.neg(y), y)


def repeated(code: Code, first: list[str], step: Callable[..., tuple[list[str], str]]) -> list[str]:
    """The numbers after some turns of step(*numbers) -> (numbers, mask), until the mask is set in no lane."""
    before, begin, end, after = (code.fresh(name) for name in ("before", "turn", "turned", "after"))
    code.write(f"br label %{before}")
    code.label(before)
    code.write(f"br label %{begin}")
    code.label(begin)
    numbers, start = [f"%{code.fresh('kept')}" for _ in first], len(code.lines)
    results, mask = step(*numbers)
    again = any_lane(code, mask)
    code.write(f"br label %{end}")
    code.label(end)
    code.write(f"br i1 {again}, label %{begin}, label %{after}")
    code.label(after)
    code.lines[start:start] = [
        f"  {number} = phi {code.vector} [ {old}, %{before} ], [ {new}, %{end} ]"
        for number, old, new in zip(numbers, first, results, strict=True)
    ]
    return results


def any_lane(code: Code, mask: str) -> str:
    """Is the mask set in any lane?"""
    name, bits = f"llvm.vector.reduce.or.v{code.width}i1", f"<{code.width} x i1>"
    code.calls[name] = f"declare i1 @{name}({bits})"
    return code(f"call i1 @{name}({bits} {mask})")


def in_doubles(formula: Formula) -> Formula:
    """The formula computed in doubles, whatever the numbers are."""

    def through(code: Code, *names: str) -> str:
        if code.number == "double":
            return formula(code, *names)
        wide = replace(code, number="double")  # writes into the same lines
        doubles = [wide(f"fpext {code.vector} {x} to {wide.vector}") for x in names]
        result = formula(wide, *doubles)
        code.count = wide.count
        return code(f"fptrunc {wide.vector} {result} to {code.vector}")

    return through


def _no_fraction(code: Code) -> float:
    return 1.5 * 2.0 ** FRACTION[code.number]  # 1.5: negative numbers must not leave this power of two


def _bits_of_root(code: Code) -> int:
    """The bits of the number just below sqrt(1/2)."""
    fraction, bias = FRACTION[code.number], BIAS[code.number]
    return ((bias - 1) << fraction) + int((math.sqrt(2.0) - 1.0) * 2**fraction)
