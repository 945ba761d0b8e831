"""The table of operations: each one's value and partial derivatives, declared once and read by everything else.

A row holds for whatever its arguments are: on floats it computes (`backward`), on Values it records (gradients of
gradients), on compiler terms it writes code. So partials are written in operations of this table only, with `pow(x, n)`
for a power. They must differentiate again, and keep their digits: the partials of a smooth operation use no abs or
sign, unless to choose, `where` only between two ways to write one function, of which each cancels where the other does
not, and `maximum` only for a number on which the result does not depend.
"""

import math
import operator
from collections.abc import Callable
from types import FunctionType
from typing import Any

from scalargrad import ieee, randomness
from scalargrad.checks import checked_arguments, in_order
from scalargrad.operands import Operand, flatten, is_recorded

OPERATIONS: dict[str, "Op"] = {}  # by name, in the order of the table
inf = math.inf


class Op:
    """One operation.

    name        what users call it: the name of the function and of the method of Value
    arguments   one or two: `x` is one operand, `[values]` a tuple of them, `*xs` a tuple that a call writes out
    formula     its value. A primitive's works on floats; a composite's is written in operations of this table. Its
                arguments may be passed by their names, and left out where it has defaults
    partials    (result, *arguments) -> a derivative for each argument, nested likewise; None: locally constant
    symbol      how formulas and pictures write it
    special     the name of the Python operator that it implements: "add" for `__add__` and `__radd__`
    domain      an interval for each argument (the last one repeats), from which the tests draw
    rule        partials in symbols, a text for each operand (the last one repeats), where they do not say it well as
                they stand. In it are the arguments and, of a tuple's operands: x, this one; place, where it stands;
                other, its partner in a dot; chosen, the one at the index; ties, how many equal the result; count
    """

    def __init__(
        self,
        name: str,
        arguments: str,
        formula: Callable[..., Any],
        partials: Callable[..., tuple] | None,
        *,
        symbol: str = "",
        special: str = "",
        domain: tuple[tuple[float, float], ...] = ((-inf, inf),),
        rule: str | tuple[str, ...] = (),
        composite: bool = False,
    ) -> None:
        self.name, self.arguments, self.symbol, self.special = name, tuple(arguments.split()), symbol or name, special
        self.formula = self.on_floats = formula
        self.partials: Any = partials
        self.partials_on_floats: Any = partials
        self.domain, self.composite = domain, composite
        self.defaults: tuple[float, ...] = getattr(formula, "__defaults__", None) or ()
        code = getattr(formula, "__code__", None)  # none of one written in C
        self.names: tuple[str, ...] = code.co_varnames[: code.co_argcount] if code else self.arguments
        self.rule = (rule,) if isinstance(rule, str) else rule
        self.scalars = 0 if set(arguments) & set("[*") else len(self.arguments)  # 1, 2, or 0 where tuples come in
        self.collects = self.arguments[-1][0] == "*"
        self.quick = self.scalars > 0 or name == "dot"
        OPERATIONS[name] = self

    def __call__(self, *args: Any, **named: Any) -> Any:
        """The value for floats, a recorded Value for Values, a term for compiler terms."""
        if named:
            args = in_order(self, args, named)
        last = args[-1] if args else None
        kind: Any = type(last[0] if type(last) is tuple and last else last)
        if kind is float:
            if self.scalars == len(args) and all(type(x) is float for x in args):
                return self.on_floats(*args)
        elif (
            self.quick
            and hasattr(kind, "apply_operation")
            and not (self.scalars and tuple in (type(args[0]), type(last)))
        ):
            return kind.apply_operation(self, args)  # which checks what does not fit
        args = self.checked(args)
        for x in flatten(args):
            if is_recorded(x):
                return x.apply_operation(self, args)
        result = self.compute(*args)
        return ieee.Number(result) if any(type(x) is ieee.Number for x in flatten(args)) else result

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> str:
        return self.name  # pickled by its name in this module: there is one of each

    checked = checked_arguments  # with numbers as floats and operand lists as tuples

    def compute(self, *args: Any) -> float:
        """The value for arguments that are floats and tuples of floats."""
        return self.on_floats(*args[:-1], *args[-1]) if self.collects else self.on_floats(*args)


def _shares_of_ties(y: Operand, xs: Operand) -> tuple:
    hits = tuple(equal(x, y) for x in xs)
    count = sum(hits)  # none, if y is nan: 0/0 makes the shares nan, too
    return (tuple(hit / count for hit in hits),)


def _squared(x: Operand) -> Operand:
    return x * x


def _slope_by_base(x: Operand, n: Operand) -> Operand:
    """Of x**n: n * x**(n - 1), and 0 where that is 0 * inf, which the choices keep out of the next order, too."""
    if type(n) is float:
        return n * pow(x, n - 1.0) if n != 0.0 else 0.0
    flat = where(equal(n, 0.0), invert(less(1e-300, x)), 0.0)  # from there on 1 / x is a float
    return where(flat, 0.0, n * pow(x, where(flat, 1.0, n - 1.0)))


def _one_less_square(x: Operand) -> Operand:
    """1 - x**2. Near 1 the difference cancels, near 0 the slope of the product, (1 - x) - (1 + x)."""
    return where(less(x * x, 0.5), 1.0 - x * x, (1.0 - x) * (1.0 + x))


def _polar_slopes(x: Operand, y: Operand) -> tuple:
    """Of the length z of (x, y) and of its angle: (x / z, y / z), (x / z**2, -y / z**2); 0 at 0.

    By the ratio of the shorter to the longer: in the slope of x / z, (1 - (x / z)**2) / z, all digits may cancel.
    """
    steep = less(abs(x), abs(y))
    longer = where(steep, y, x)
    ratio = where(steep, x, y) / where(equal(longer, 0.0), 1.0, longer)
    size = sqrt(1.0 + ratio * ratio)
    long, short = sign(longer) / size, sign(longer) * ratio / size
    by_x, by_y = where(steep, short, long), where(steep, long, short)
    z = where(equal(longer, 0.0), 1.0, hypot(x, y))
    return (by_x, by_y), (by_x / z, -by_y / z)


def _up_to_0(x: Operand) -> Operand:
    return where(less(0.0, x), 0.0, x)


def _clamp_slopes(x: Operand, low: Operand, high: Operand) -> tuple:
    by_bounds = both(less(x, low), less(low, high)), either(less(high, x), less(high, low))
    return both(less_equal(low, x), less_equal(x, high)), by_bounds


def _floored(x: Operand, y: Operand) -> Operand:
    """Python's x // y: the whole number that is left when the remainder is taken away, so that 1 // 0.1 is 9."""
    rest = where(less(x, 0.0), -1.0, 1.0) * mod(abs(x), abs(y))  # with the sign of x
    quotient = div(x - rest, y) - both(rest, invert(equal(less(x, 0.0), less(y, 0.0))))
    whole, rounded = floor(quotient) + less(0.5, quotient - floor(quotient)), floor(div(x, y))
    return where(equal(y, 0.0), rounded, where(equal(quotient, 0.0), 0.0 * rounded, whole))


def _beyond_peak(xs: Operand, peak: Operand) -> Operand:
    """logsumexp(xs) - peak. The 1 of the largest is left to log1p: beside it the others would be lost."""
    others = sum(tuple(where(equal(x, peak), 0.0, exp(x - peak)) for x in xs))
    return log1p(others + (sum(tuple(equal(x, peak) for x in xs)) - 1.0))


def powers(xs: Operand) -> tuple:
    """(x - peak for each x, the exponentials of these, their sum): what the xs have in common costs no digits."""
    peak = maximum(*xs)
    differences = tuple(x - peak for x in xs)
    exponentials = tuple(exp(x) for x in differences)
    return differences, exponentials, where(equal(peak - peak, 0.0), sum(exponentials), 1.0)


def shares(exponentials: Operand, total: Operand) -> tuple:
    """The shares of the exponentials in their sum, each as (is it close to 1?, the rest beyond that 1 or 0).

    What is close to 1 is known by what the others leave: 1 - p, and slopes, p (1 - p), keep all digits.
    """
    plain = tuple(x / total for x in exponentials)
    close = tuple(less(0.75, p) for p in plain)
    others = sum(tuple(p * (1.0 - is_close) for is_close, p in zip(close, plain, strict=True)))
    return tuple((is_close, where(is_close, 0.0 - others, p)) for is_close, p in zip(close, plain, strict=True))


def _logsumexp(xs: Operand) -> Operand:
    peak = maximum(*xs)
    return peak + _beyond_peak(xs, peak)


def _surprisal(index: Operand, xs: Operand) -> Operand:
    peak = maximum(*xs)
    return (peak - take(index, xs)) + _beyond_peak(xs, peak)


def _softmax(xs: Operand) -> tuple:
    _, exponentials, total = powers(xs)
    return tuple(is_close + rest for is_close, rest in shares(exponentials, total))


def _surprisal_slopes(index: Operand, xs: Operand) -> tuple:
    """The softmax, less 1 at the index: exact where both are 1."""
    _, exponentials, total = powers(xs)
    places = enumerate(shares(exponentials, total))
    return tuple(rest + (is_close - equal(index, float(place))) for place, (is_close, rest) in places)


POSITIVE, UNIT = ((0.0, inf),), ((-1.0, 1.0),)

# fmt: off
# Arithmetic.       name, arguments, formula           partials
add   = Op("add",   "x y",  operator.add,      lambda z, x, y: (1.0, 1.0),              symbol="+", special="add")
sub   = Op("sub",   "x y",  operator.sub,      lambda z, x, y: (1.0, -1.0),             symbol="-", special="sub")
mul   = Op("mul",   "x y",  operator.mul,      lambda z, x, y: (y, x),                  symbol="*", special="mul")
div   = Op("div",   "x y",  ieee.divide,       lambda z, x, y: (1.0 / y, -z / y),       symbol="/", special="truediv",
           rule=("1 / y", "-x / y**2"))
neg   = Op("neg",   "x",    operator.neg,      lambda y, x: (-1.0,),                    symbol="-", special="neg")
pow   = Op("pow",   "x n",  ieee.pow,          lambda y, x, n: (
               _slope_by_base(x, n), y * log(where(both(equal(x, 0.0), less_equal(0.0, n)), 1.0, x))),
           symbol="**", special="pow", domain=((0.0, inf), (-inf, inf)), rule=("n * x**(n - 1)", "x**n * log(x)"))

# Exponentials and logarithms.
exp   = Op("exp",   "x",    ieee.exp,          lambda y, x: (y,))
expm1 = Op("expm1", "x",    ieee.expm1,        lambda y, x: (exp(x),))  # y + 1 has no digits left at x = -40
exp2  = Op("exp2",  "x",    ieee.exp2,         lambda y, x: (math.log(2.0) * y,),       rule="exp2(x) * log(2)")
log   = Op("log",   "x",    ieee.log,          lambda y, x: (1.0 / x,),                 domain=POSITIVE)
log1p = Op("log1p", "x",    ieee.log1p,        lambda y, x: (1.0 / (1.0 + x),),         domain=((-1.0, inf),))
log2  = Op("log2",  "x",    ieee.log2,         lambda y, x: (1.0 / math.log(2.0) / x,),         domain=POSITIVE,
           rule="1 / (x * log(2))")
log10 = Op("log10", "x",    ieee.log10,        lambda y, x: (1.0 / math.log(10.0) / x,),        domain=POSITIVE,
           rule="1 / (x * log(10))")
sqrt  = Op("sqrt",  "x",    ieee.sqrt,         lambda y, x: (0.5 / y,),                 domain=POSITIVE)

# Circular and hyperbolic functions.
sin   = Op("sin",   "x",    ieee.sin,          lambda y, x: (cos(x),))
cos   = Op("cos",   "x",    ieee.cos,          lambda y, x: (-sin(x),))
tan   = Op("tan",   "x",    ieee.tan,          lambda y, x: (1.0 + y * y,))
asin  = Op("asin",  "x",    ieee.asin,         lambda y, x: (1.0 / sqrt(_one_less_square(x)),),     domain=UNIT,
           rule="1 / sqrt(1 - x**2)")
acos  = Op("acos",  "x",    ieee.acos,         lambda y, x: (-1.0 / sqrt(_one_less_square(x)),),    domain=UNIT,
           rule="-1 / sqrt(1 - x**2)")
atan  = Op("atan",  "x",    math.atan,         lambda y, x: (1.0 / (1.0 + x * x),),     domain=((-1e150, 1e150),))
atan2 = Op("atan2", "y x",  math.atan2,        lambda z, y, x: _polar_slopes(x, y)[1],
           rule=("0 if x == 0 else x / hypot(x, y)**2", "0 if y == 0 else -y / hypot(x, y)**2"))
hypot = Op("hypot", "x y",  lambda x, y: math.hypot(x, y), lambda z, x, y: _polar_slopes(x, y)[0],  # math's takes more
           rule=("x / hypot(x, y) if hypot(x, y) > 0 else 0", "y / hypot(x, y) if hypot(x, y) > 0 else 0"))
sinh  = Op("sinh",  "x",    ieee.sinh,         lambda y, x: (cosh(x),))
cosh  = Op("cosh",  "x",    ieee.cosh,         lambda y, x: (sinh(x),))
sech  = Op("sech",  "x",    ieee.sech,         lambda y, x: (-y * tanh(x),))
asinh = Op("asinh", "x",    math.asinh,        lambda y, x: (1.0 / hypot(1.0, x),),     rule="1 / sqrt(x**2 + 1)")
acosh = Op("acosh", "x",    ieee.acosh,        lambda y, x: (1.0 / (sqrt(x - 1.0) * sqrt(x + 1.0)),),
           domain=((1.0, inf),), rule="1 / sqrt(x**2 - 1)")
atanh = Op("atanh", "x",    ieee.atanh,        lambda y, x: (1.0 / _one_less_square(x),),       domain=UNIT,
           rule="1 / (1 - x**2)")

# Activations. The squares keep every digit in the tails, where 1 - y**2 and y * (1 - y) keep none.
tanh       = Op("tanh",       "x", math.tanh,    lambda y, x: (_squared(sech(x)),), rule="1 - tanh(x)**2")
sigmoid    = Op("sigmoid",    "x", ieee.sigmoid, lambda y, x: (_squared(0.5 * sech(0.5 * x)),),
                rule="sigmoid(x) * (1 - sigmoid(x))")
relu       = Op("relu",       "x", ieee.relu,    lambda y, x: (step(y),), rule="1 if x > 0 else 0")
leaky_relu = Op("leaky_relu", "x slope", lambda x, slope=0.01: where(less(0.0, x), x, slope * x), lambda y, x, slope: (
    where(less(0.0, x), 1.0, slope), where(less(0.0, x), 0.0, x)), composite=True,
                rule=("1 if x > 0 else slope", "0 if x > 0 else x"))
softplus   = Op("softplus",   "x", lambda x: where(less(0.0, x), x, 0.0) + log1p(exp(where(less(0.0, x), -x, x))),
                lambda y, x: (sigmoid(x),), composite=True)
log_sigmoid = Op("log_sigmoid", "x", lambda x: -softplus(-x), lambda y, x: (sigmoid(-x),), composite=True)
silu       = Op("silu",       "x", lambda x: x * sigmoid(x), lambda y, x: (where(  # its root, or its symmetry at 0
    less(x, -0.5), sigmoid(x) * (1.0 + x * sigmoid(-x)), sigmoid(x) + x * _squared(0.5 * sech(0.5 * x))),),
                composite=True, rule="sigmoid(x) * (1 + x * (1 - sigmoid(x)))")
elu        = Op("elu",        "x alpha", lambda x, alpha=1.0: where(less(0.0, x), x, alpha * expm1(x)),
                lambda y, x, alpha: (where(less(0.0, x), 1.0, alpha * exp(_up_to_0(x))), expm1(_up_to_0(x))),
                composite=True, rule=("1 if x > 0 else alpha * exp(x)", "0 if x > 0 else expm1(x)"))
erf        = Op("erf",        "x", math.erf,     lambda y, x: (2.0 / math.sqrt(math.pi) * exp(-x * x),),
                rule="2 / sqrt(pi) * exp(-x**2)")
erfc       = Op("erfc",       "x", math.erfc,    lambda y, x: (-2.0 / math.sqrt(math.pi) * exp(-x * x),),
                rule="-2 / sqrt(pi) * exp(-x**2)")
gelu       = Op("gelu",       "x", lambda x: 0.5 * x * erfc(-x * math.sqrt(0.5)), lambda y, x: (
    0.5 * erfc(-x * math.sqrt(0.5)) + x * exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi),), composite=True,
                rule="erfc(-x / sqrt(2)) / 2 + x * exp(-x**2 / 2) / sqrt(2 * pi)")

# Kinks and choices: PyTorch's minimum-norm subgradient; ties share equally.
abs     = Op("abs",     "x",    operator.abs,  lambda y, x: (sign(x),), symbol="abs", special="abs",
             rule="1 if x > 0 else -1 if x < 0 else 0")
step    = Op("step",    "x",    ieee.step,     None)
sign    = Op("sign",    "x",    lambda x: step(x) - step(0.0 - x), None, composite=True)
maximum = Op("maximum", "*xs",  ieee.maximum,  _shares_of_ties, rule="1 / ties if x == maximum(xs) else 0")
minimum = Op("minimum", "*xs",  lambda *xs: -maximum(*(-1.0 * x for x in xs)), _shares_of_ties, composite=True,
             rule="1 / ties if x == minimum(xs) else 0")
clamp   = Op("clamp",   "value *bounds", lambda x, low=-inf, high=inf: minimum(maximum(x, low), high),
             lambda y, x, bounds: _clamp_slopes(x, *bounds), composite=True,
             rule=("1 if value == clamp(value, bounds) else 0",
                   "0 if value == x else 1 if x == clamp(value, bounds) else 0"))
where   = Op("where",   "condition *choices", ieee.where, lambda y, condition, choices: (
    0.0, (where(condition, 1.0, 0.0), where(condition, 0.0, 1.0))),
             rule=("0", "1 if condition else 0", "0 if condition else 1"))
take    = Op("take",    "index [values]", ieee.take, lambda y, index, values: (
    0.0, tuple(equal(index, float(position)) for position in range(len(values)))),
             rule=("0", "1 if index == place else 0"))

# Whole numbers and what they leave, as Python has them, with IEEE's results where it raises.
floor     = Op("floor", "x",      ieee.floor,    None)
ceil      = Op("ceil",  "x",      ieee.ceil,     None)
round     = Op("round", "x",      ieee.round,    None)  # half to even
mod       = Op("mod",   "x y",    ieee.mod,      lambda z, x, y: (1.0, -floor_divide(x, y)),
               symbol="%", special="mod", rule=("1", "-(x // y)"))
floor_divide = Op("floor_divide", "x y", _floored, None, symbol="//", special="floordiv", composite=True)

# Predicates: true or false.
less       = Op("less",       "x y", operator.lt,                    None, symbol="<")
less_equal = Op("less_equal", "x y", operator.le,                    None, symbol="<=")
equal      = Op("equal",      "x y", operator.eq,                    None, symbol="==")
both       = Op("both",       "x y", lambda x, y: bool(x and y),     None, symbol="and")
either     = Op("either",     "x y", lambda x, y: bool(x or y),      None, symbol="or")
invert     = Op("invert",     "x",   operator.not_,                  None, symbol="not")

# A number in [0, 1) for the counters (seed, step, row, site); see randomness.py.
random     = Op("random",     "*counters", randomness.uniform,       None)

# Many operands at once.
sum       = Op("sum",       "[values]",           ieee.total, lambda y, values: ((1.0,) * len(values),), rule="1")
dot       = Op("dot",       "[weights] [inputs]", ieee.dot, lambda y, weights, inputs: (inputs, weights), rule="other")
batch_mean = Op("batch_mean", "x", randomness.of_one_sample, lambda y, x: (1.0,))  # compiled: of all samples
mean      = Op("mean",      "[values]", lambda values: sum(values) / len(values), lambda y, values: (
    (1.0 / len(values),) * len(values),), composite=True, rule="1 / count")
logsumexp = Op("logsumexp", "[values]",           _logsumexp, lambda y, values: (_softmax(values),), composite=True,
               rule="exp(x - logsumexp(values))")
surprisal = Op("surprisal", "index [values]",     _surprisal, lambda y, index, values: (
    0.0, _surprisal_slopes(index, values)), composite=True,  # -log(softmax(values)[index])
               rule=("0", "exp(-surprisal(index, values)) - 1 if index == place else "
                          "exp(x - chosen - surprisal(index, values))"))
# fmt: on


# On floats the same code runs with every operation replaced by its formula: no dispatch on the hot path.
_FLOATS = {**globals(), **{op.name: op.formula for op in OPERATIONS.values()}}


def _on_floats(function: Any) -> Any:
    return FunctionType(function.__code__, _FLOATS) if isinstance(function, FunctionType) else function


_HELPERS = {name: x for name, x in globals().items() if isinstance(x, FunctionType) and x.__module__ == __name__}
_FLOATS |= {name: _on_floats(helper) for name, helper in _HELPERS.items()}
for _op in OPERATIONS.values():
    if _op.composite:
        _op.on_floats = _FLOATS[_op.name] = _on_floats(_op.formula)
    _op.partials_on_floats = _on_floats(_op.partials)
