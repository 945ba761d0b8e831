"""compile: from the scalars of one sample to a program of array instructions over a whole batch.

trace          run the function on stand-ins for one sample's numbers
simplify       constants, equal and dead terms; chains of + and * as dots and sums
roll           scalars of one shape as one array instruction
differentiate  the transpose of each instruction
plan           fewer instructions, in the order that the backends like
backend        "eager", the oracle: Values, row by row; "numpy", the readable reference
"""

from scalargrad.compiler.compiled import Compiled, compile
from scalargrad.compiler.errors import TraceError

__all__ = ["Compiled", "TraceError", "compile"]
