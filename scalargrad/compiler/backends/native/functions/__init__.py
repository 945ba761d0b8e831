"""Vector mathematics: the elementary functions as formulas on vectors, to two units in the last place.

Each is written once for doubles and floats, as LLVM's language calls them, and compiled as a function of its own. All
lanes go the same way: where a formula has cases, each is computed and every lane selects its own. (Only angles beyond
2**30 take a branch, and `mod` repeats a step until the last lane is done.) `exp`, `log`, `tanh`, `sigmoid`, `sin` and
`cos` of floats are computed in floats; the others in doubles, and rounded. All have the special values of
`scalargrad.ieee`.

The files: `exponentials`, `logarithms`, `powers`, `circular` with `quarter_turns`, `inverse_circular`,
`inverse_hyperbolic`, `error_functions`, `lengths`, `remainders`. What they share: `floating`, `pairs`.
"""

from scalargrad.compiler.backends.native.code import Formula
from scalargrad.compiler.backends.native.functions.circular import cos, sin, tan
from scalargrad.compiler.backends.native.functions.error_functions import erf, erfc
from scalargrad.compiler.backends.native.functions.exponentials import cosh, exp, exp2, expm1, sigmoid, sinh, tanh
from scalargrad.compiler.backends.native.functions.floating import in_doubles
from scalargrad.compiler.backends.native.functions.inverse_circular import acos, asin, atan, atan2
from scalargrad.compiler.backends.native.functions.inverse_hyperbolic import acosh, asinh, atanh
from scalargrad.compiler.backends.native.functions.lengths import hypot
from scalargrad.compiler.backends.native.functions.logarithms import log, log1p, log2, log10
from scalargrad.compiler.backends.native.functions.powers import pow
from scalargrad.compiler.backends.native.functions.remainders import mod

FUNCTIONS: dict[str, Formula] = {
    "exp": exp,
    "exp2": in_doubles(exp2),
    "expm1": in_doubles(expm1),
    "log": log,
    "log1p": in_doubles(log1p),
    "log2": in_doubles(log2),
    "log10": in_doubles(log10),
    "sin": sin,
    "cos": cos,
    "tan": in_doubles(tan),
    "asin": in_doubles(asin),
    "acos": in_doubles(acos),
    "atan": in_doubles(atan),
    "atan2": in_doubles(atan2),
    "sinh": in_doubles(sinh),
    "cosh": in_doubles(cosh),
    "asinh": in_doubles(asinh),
    "acosh": in_doubles(acosh),
    "atanh": in_doubles(atanh),
    "tanh": tanh,
    "sigmoid": sigmoid,
    "erf": in_doubles(erf),
    "erfc": in_doubles(erfc),
    "hypot": in_doubles(hypot),
    "pow": pow,
    "mod": in_doubles(mod),
}
