"""sin, cos and tan.

Reduction        x = k pi/2 + r with a whole number k and |r| <= pi/4; only k mod 4 matters then: `quarter_turns.py`.
Polynomial       sin r = r + r**3 SIN(r**2), cos r = 1 - r**2/2 + r**4 COS(r**2).
Reconstruction   sin x is sin r, cos r, -sin r, -cos r for k mod 4 = 0, 1, 2, 3.
"""

from scalargrad.compiler.backends.native.code import Code
from scalargrad.compiler.backends.native.functions import pairs
from scalargrad.compiler.backends.native.functions.floating import bit_is_set, whole_bits
from scalargrad.compiler.backends.native.functions.pairs import Pair
from scalargrad.compiler.backends.native.functions.quarter_turns import reduced

# fmt: off
# (sin r - r) / r**3 as a polynomial in r**2, for |r| <= pi/4: error 2**-57.0, floats 2**-28.2.
SIN = {
    "double": [
        -0.16666666666666632, 0.008333333333322363, -0.00019841269829766242, 2.7557313677063887e-06,
        -2.5050755724869933e-08, 1.5896653512707057e-10,
    ],
    "float": [
        -0.1666666716337204, 0.008333329111337662, -0.00019839330343529582, 2.7182672965864185e-06,
    ],
}

# (cos r - 1 + r**2/2) / r**4 as a polynomial in r**2, for |r| <= pi/4: error 2**-60.6, floats 2**-30.3.
COS = {
    "double": [
        0.041666666666666644, -0.0013888888888882026, 2.480158729439156e-05, -2.755731575442994e-07,
        2.087591097969816e-09, -1.136919780484827e-11,
    ],
    "float": [
        0.041666653007268906, -0.0013887728564441204, 2.4476779799442738e-05,
    ],
}
# fmt: on


def sin(code: Code, x: str) -> str:
    k, r = reduced(code, x)
    return zero_as_it_is(code, x, _quadrant(code, whole_bits(code, k), *_sin_and_cos(code, r)))


def cos(code: Code, x: str) -> str:
    k, r = reduced(code, x)
    following = code.on_integers("add", whole_bits(code, k), code.integer(1))  # cos x = sin(x + pi/2)
    return _quadrant(code, following, *_sin_and_cos(code, r))


def tan(code: Code, x: str) -> str:
    """sin r / cos r for even k, -cos r / sin r for odd k."""
    k, r = reduced(code, x)
    s, c = _sin_and_cos(code, r)
    s, c = pairs.ordered_sum(code, *s), pairs.ordered_sum(code, *c)
    odd = bit_is_set(code, whole_bits(code, k), 1)
    above, below = pairs.choice(code, odd, pairs.negative(code, c), s), pairs.choice(code, odd, s, c)
    return zero_as_it_is(code, x, code.add(*pairs.divide(code, above, below)))


def _sin_and_cos(code: Code, r: Pair) -> tuple[Pair, Pair]:
    """Of high + low: sin high + low cos high, and cos high - low sin high."""
    high, low = r
    z, one = code.mul(high, high), code.constant(1.0)
    half = code.mul(z, code.constant(0.5))
    base = code.sub(one, half)
    lost = code.sub(code.sub(one, base), half)
    odd = code.mul(code.mul(high, z), code.polynomial(z, SIN[code.number]))
    even = code.mul(code.mul(z, z), code.polynomial(z, COS[code.number]))
    sine = high, code.multiply_add(low, base, odd)
    return sine, (base, code.add(lost, code.multiply_add(code.neg(high), low, even)))


def _quadrant(code: Code, k: str, s: Pair, c: Pair) -> str:
    """s, c, -s, -c for k mod 4 = 0, 1, 2, 3."""
    odd = bit_is_set(code, k, 1)
    y = code.add(*pairs.choice(code, odd, c, s))
    sign = code.on_integers("shl", code.on_integers("and", k, code.integer(2)), code.integer(code.bits - 2))
    return code.with_bits(code.on_integers("xor", code.bits_of(y), sign))


def zero_as_it_is(code: Code, x: str, y: str) -> str:
    """y, but 0.0 and -0.0 where x is that."""
    return code.select(code.compare("oeq", x, code.constant(0.0)), x, y)
