"""hypot.

Reduction        both numbers times a power of two, so that no square leaves the middle of the range.
Reconstruction   the squares, their sum and its root are pairs, and rounded once.
"""

from scalargrad.compiler.backends.native.code import Code
from scalargrad.compiler.backends.native.functions import pairs
from scalargrad.compiler.backends.native.functions.floating import inf

LARGE, SMALL = 2.0**400, 2.0**-300
SHRINK, GROW = 2.0**-600, 2.0**700


def hypot(code: Code, x: str, y: str) -> str:
    a, b, one = code.abs(x), code.abs(y), code.constant(1.0)
    wins = code.compare("ogt", a, b)
    long, short = code.select(wins, a, b), code.select(wins, b, a)
    large, small = code.compare("ogt", long, code.constant(LARGE)), code.compare("olt", long, code.constant(SMALL))

    def by_size(shrink: float, grow: float) -> str:
        return code.select(large, code.constant(shrink), code.select(small, code.constant(grow), one))

    scale = by_size(SHRINK, GROW)
    long, short = code.mul(long, scale), code.mul(short, scale)
    first, second = pairs.product_of(code, long, long), pairs.product_of(code, short, short)
    high, low = pairs.root(code, pairs.add(code, first, second))
    length = code.mul(code.add(high, low), by_size(1.0 / SHRINK, 1.0 / GROW))
    infinite = code.constant(inf)  # beside nan, too
    ends = code.mask("or", code.compare("oeq", a, infinite), code.compare("oeq", b, infinite))
    return code.select(ends, infinite, length)
