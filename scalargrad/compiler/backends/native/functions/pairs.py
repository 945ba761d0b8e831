"""Pairs: a number as the unevaluated sum of two, `high + low`, where one number has too few digits.

What a rounded sum or product loses is a number itself, and can be computed: by Dekker and Knuth for sums, and by one
fused multiply-add for products (Dekker's splitting where the processor has none). Sources: T. J. Dekker, "A
floating-point technique for extending the available precision", 1971; D. E. Knuth, "Seminumerical algorithms", 4.2.2.
"""

from fractions import Fraction

from scalargrad.compiler.backends.native.code import Code, rounded

Pair = tuple[str, str]

HALF_OF_THE_DIGITS = {"double": 27, "float": 12}


def sum_of(code: Code, x: str, y: str) -> Pair:
    """x + y, and what rounding took from it."""
    total = code.add(x, y)
    of_y = code.sub(total, x)
    of_x = code.sub(total, of_y)
    return total, code.add(code.sub(x, of_x), code.sub(y, of_y))


def ordered_sum(code: Code, x: str, y: str) -> Pair:
    """x + y, and what rounding took from it, where |x| >= |y| or x = 0."""
    total = code.add(x, y)
    return total, code.sub(y, code.sub(total, x))


def product_of(code: Code, x: str, y: str) -> Pair:
    """x * y, and what rounding took from it."""
    result = code.mul(x, y)
    if code.fma:
        return result, code.multiply_add(x, y, code.neg(result))
    (a, b), (c, d) = _halves(code, x), _halves(code, y)
    error = code.sub(code.mul(a, c), result)
    error = code.add(code.add(error, code.mul(a, d)), code.mul(b, c))
    return result, code.add(error, code.mul(b, d))


def _halves(code: Code, x: str) -> Pair:
    """x as a sum of two numbers with half of the digits each: products of those are exact."""
    big = code.mul(x, code.constant(2.0 ** HALF_OF_THE_DIGITS[code.number] + 1.0))
    high = code.sub(big, code.sub(big, x))
    return high, code.sub(x, high)


def exact_multiply_add(code: Code, x: str, y: str, z: str) -> str:
    """x * y + z where that is a number: with no rounding on the way."""
    if code.fma:
        return code.multiply_add(x, y, z)
    high, low = product_of(code, x, y)
    return code.add(code.add(high, z), low)


def add(code: Code, x: Pair, y: Pair) -> Pair:
    """x + y where |x| >= |y|."""
    high, low = ordered_sum(code, x[0], y[0])
    return ordered_sum(code, high, code.add(low, code.add(x[1], y[1])))


def multiply(code: Code, x: Pair, y: Pair) -> Pair:
    high, low = product_of(code, x[0], y[0])
    low = code.multiply_add(x[0], y[1], low)
    return ordered_sum(code, high, code.multiply_add(x[1], y[0], low))


def divide(code: Code, x: Pair, y: Pair) -> Pair:
    inverse = code.div(code.constant(1.0), y[0])
    high = code.mul(x[0], inverse)
    remainder = exact_multiply_add(code, code.neg(high), y[0], x[0])
    remainder = code.add(remainder, code.multiply_add(code.neg(high), y[1], x[1]))
    return high, code.mul(remainder, inverse)


def root(code: Code, x: Pair) -> Pair:
    """The square root of x >= 0, which is a pair of zeros for 0."""
    zero, half = code.constant(0.0), code.constant(0.5)
    high = code.sqrt(x[0])
    remainder = code.add(exact_multiply_add(code, code.neg(high), high, x[0]), x[1])
    low = code.div(code.mul(remainder, half), high)
    return high, code.select(code.compare("oeq", high, zero), zero, low)


def choice(code: Code, mask: str, x: Pair, y: Pair) -> Pair:
    """x in the lanes where the mask is set, else y."""
    return code.select(mask, x[0], y[0]), code.select(mask, x[1], y[1])


def negative(code: Code, x: Pair) -> Pair:
    return code.neg(x[0]), code.neg(x[1])


def constant(code: Code, exact: Fraction) -> Pair:
    high, low = parts(exact, 2, code.number)
    return code.constant(high), code.constant(low)


def parts(exact: Fraction, count: int, number: str = "double") -> list[float]:
    """A number in so many parts: the nearest float, the nearest to the rest, and so on."""
    result = []
    for _ in range(count):
        part = float(exact) if number == "double" else rounded(float(exact))
        result.append(part)
        exact -= Fraction(part)
    return result
