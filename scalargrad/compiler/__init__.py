"""compile: from the scalars of one sample to a program over a whole batch. The passes, in the order of their work:

trace          run the function on stand-ins for the numbers of a sample (tracer), twice, and see that it agrees with
               itself (agreement); guard what it reads around itself (watch)
simplify       a trace as a scalar program (scalars): constants, equal and dead terms; chains of + and * as dots, sums
roll           scalars of one shape as one array instruction (program)
differentiate  the transpose of each instruction, which a writer appends
plan           fewer instructions, in the order that the backends like
step           for a trainer: the optimizer's formula, as the last instructions
backends       "native", machine code for the processor; "numpy", the readable reference; "jax", XLA for accelerators
               and many devices; "javascript", what pages compute with, here in node; "eager", the oracle: no pass, but
               the trace in Values, row by row

A variant is one trace with all that is made from it; programs keeps the variants of a function, for each shape of its
arguments; compiled is what the user has. A trainer runs epochs, and a loop keeps the optimizer's memory in a program.
"""

from scalargrad.compiler.compiled import Compiled, compile
from scalargrad.compiler.errors import TraceError

__all__ = ["Compiled", "TraceError", "compile"]
