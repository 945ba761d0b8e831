"""Vector mathematics: the elementary functions as formulas on vectors, to two units in the last place.

Each is written once for doubles and floats, as LLVM's language calls them, and compiled as a function of its own. All
lanes go the same way: where a formula has cases, each is computed and every lane selects its own. (Only angles beyond
2**30 take a branch.) `exp`, `log`, `tanh`, `sigmoid`, `sin` and `cos` of floats are computed in floats; the others in
doubles, and rounded. All have the special values of `scalargrad.ieee`.

The files: `exponentials`, `logarithms`, `powers`, `circular` with `quarter_turns`, `inverse_circular`,
`error_functions`. What they share: `floating`, `pairs`.
"""

from scalargrad.compiler.backends.native.code import Formula
from scalargrad.compiler.backends.native.functions.circular import cos, sin, tan
from scalargrad.compiler.backends.native.functions.error_functions import erf, erfc
from scalargrad.compiler.backends.native.functions.exponentials import cosh, exp, expm1, sigmoid, sinh, tanh
from scalargrad.compiler.backends.native.functions.floating import in_doubles
from scalargrad.compiler.backends.native.functions.inverse_circular import acos, asin, atan
from scalargrad.compiler.backends.native.functions.logarithms import log, log1p
from scalargrad.compiler.backends.native.functions.powers import pow

FUNCTIONS: dict[str, Formula] = {
    "exp": exp,
    "expm1": in_doubles(expm1),
    "log": log,
    "log1p": in_doubles(log1p),
    "sin": sin,
    "cos": cos,
    "tan": in_doubles(tan),
    "asin": in_doubles(asin),
    "acos": in_doubles(acos),
    "atan": in_doubles(atan),
    "sinh": in_doubles(sinh),
    "cosh": in_doubles(cosh),
    "tanh": tanh,
    "sigmoid": sigmoid,
    "erf": in_doubles(erf),
    "erfc": in_doubles(erfc),
    "pow": pow,
}
