"""mod: the exact remainder, with the sign of the divisor, as Python's.

Reduction        with |x| = a 2**i and |y| = b 2**j, a and b between sqrt(1/2) and sqrt(2), |x| mod |y| is
                 (a 2**(i - j) mod b) 2**j, and |x| itself where it is smaller than |y|.
Division         in steps, as by hand: r 2**s mod b, with 2**s so small that the quotient is a whole number without
                 rounding, until i - j is used up. Each product and each difference is exact. Where the division rounds
                 up to the next whole number, r is the remainder on the other side of that multiple, below 0.
Reconstruction   a remainder whose sign is not the divisor's is one divisor off; 0 has the divisor's sign.
"""

from scalargrad.compiler.backends.native.code import Code
from scalargrad.compiler.backends.native.functions import pairs
from scalargrad.compiler.backends.native.functions.floating import (
    at_most,
    exponent_and_fraction,
    inf,
    nan,
    negative_where,
    power_of_two,
    repeated,
    scaled,
)

BITS_IN_A_STEP = 50.0


def mod(code: Code, x: str, y: str) -> str:
    zero, one, infinite = code.constant(0.0), code.constant(1.0), code.constant(inf)
    size, divisor = code.abs(x), code.abs(y)
    defined = code.mask("and", code.compare("olt", size, infinite), code.compare("ogt", divisor, zero))
    shorter = code.compare("olt", size, divisor)
    usual = code.mask("and", defined, code.invert(shorter))
    rest = _rest(code, code.select(usual, size, one), code.select(usual, divisor, one))
    rest = code.select(shorter, size, rest)

    rest = negative_where(code, code.compare("olt", x, zero), rest)
    opposite = code.mask("xor", code.compare("olt", rest, zero), code.compare("olt", y, zero))
    result = code.select(opposite, code.add(rest, y), rest)
    result = code.select(code.compare("oeq", rest, zero), code.copysign(zero, y), result)
    return code.select(defined, result, code.constant(nan))


def _rest(code: Code, x: str, y: str) -> str:
    """x mod y for x >= y > 0, or that less y."""
    (i, a), (j, b) = exponent_and_fraction(code, x), exponent_and_fraction(code, y)
    zero = code.constant(0.0)

    def step(left: str, r: str) -> tuple[list[str], str]:
        bits = at_most(code, left, BITS_IN_A_STEP)
        r = code.mul(r, power_of_two(code, bits))
        quotient = code.floor(code.div(r, b))
        r = pairs.exact_multiply_add(code, code.neg(quotient), b, r)
        left = code.sub(left, bits)
        return [left, r], code.compare("ogt", left, zero)

    _, r = repeated(code, [code.sub(i, j), a], step)
    return scaled(code, (r, zero), j)
