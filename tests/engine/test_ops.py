"""Every row of the table of operations: its values and derivatives against mpmath, NumPy and complex numbers."""

import cmath
import itertools
import math
import random

import pytest
from mpmath import mp, mpf

from scalargrad import ieee, ops
from scalargrad.engine import Value, gradients
from scalargrad.functional import jvp
from scalargrad.ops import OPERATIONS, Op, dot, logsumexp, mean, pow, sigmoid, tanh, where
from scalargrad.ops import sum as total
from tests.oracles.mpmath import (
    CHOOSING,
    DIGITS,
    GRADIENT_ULP,
    HIGHER_ULP,
    TRUTH,
    VALUE_ULP,
    Worst,
    backward,
    deep,
    few_operands,
    flat,
    points,
    tails,
    worst_case,
    worst_derivative,
)

# The table without `random`, which is no function of real numbers: test_randomness.py holds it to its specification.
NUMERIC = {name: op for name, op in OPERATIONS.items() if name != "random"}
TABLE = pytest.mark.parametrize("op", NUMERIC.values(), ids=str)
QUICK, LONG = 300, 4_000
AWKWARD = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 5e-324, -5e-324, 1.7e308, -1.7e308, 710.0, -745.0]
AWKWARD += [math.inf, -math.inf, math.nan]


def is_true(op: Op, worst: Worst) -> bool:
    return worst.value <= VALUE_ULP and worst.gradient <= GRADIENT_ULP[op.name]


def same(x: float, y: float) -> bool:
    """The same bits, or nan on both sides."""
    return (x != x and y != y) or (x == y and math.copysign(1.0, x) == math.copysign(1.0, y))


# Values and gradients.


def test_the_oracle_knows_every_operation():
    assert set(NUMERIC) <= set(TRUTH)


@TABLE
def test_values_and_gradients_match_mpmath(op):
    worst = worst_case(op, points(op, QUICK))
    assert is_true(op, worst), worst


@pytest.mark.long
@TABLE
def test_values_and_gradients_match_mpmath_at_many_points(op):
    worst = worst_case(op, points(op, LONG, seed=1))
    assert is_true(op, worst), worst


# Derivatives of derivatives: a partial may be right and its own derivative cancel.

SLOPED = pytest.mark.parametrize("op", [op for op in NUMERIC.values() if op.partials], ids=str)


@pytest.mark.sampled(4)
@SLOPED
def test_second_derivatives_match_mpmath_in_the_tails(op):
    error, where = worst_derivative(op, itertools.chain(tails(op), few_operands(op, 10, seed=7)), order=2)
    assert error <= HIGHER_ULP, where


@pytest.mark.long
@pytest.mark.parametrize("order", [2, 3])
@SLOPED
def test_second_and_third_derivatives_match_mpmath_at_many_points(op, order):
    error, where = worst_derivative(op, itertools.chain(tails(op), few_operands(op, 30, seed=7)), order)
    assert error <= HIGHER_ULP, where


@pytest.mark.parametrize("x", [1e-8, 0.5, 3.0, 700.0])
def test_the_slope_of_a_power_changes_with_an_exponent_of_0(x):
    """n x**(n - 1) is 0 there, and its derivative by n is 1 / x."""
    base, exponent = Value(x), Value(0.0)
    by_base, by_exponent = gradients(pow(base, exponent), [base, exponent], create_graph=True)
    assert by_base.data == 0.0
    assert gradients(by_base, exponent) == pytest.approx(1.0 / x, rel=1e-15)
    assert gradients(by_exponent, base) == pytest.approx(1.0 / x, rel=1e-15)


def test_powers_of_negative_numbers_match_mpmath():
    with mp.workdps(DIGITS):
        for x, n in itertools.product((-2.0, -0.3, -7.5, -1e-3), range(-9, 10)):
            data, (slope, by_exponent) = backward(pow, (x, float(n)))
            assert data == pytest.approx(float(mpf(x) ** n), rel=1e-15)
            assert slope == pytest.approx(float(n * mpf(x) ** (n - 1)), rel=1e-15)
            assert math.isnan(by_exponent)


@pytest.mark.parametrize("op", [tanh, sigmoid], ids=str)
def test_saturating_slopes_keep_their_digits(op):
    source = random.Random(0)
    with mp.workdps(DIGITS):
        for _ in range(2_000):
            x = source.uniform(-40.0, 40.0)
            (exact,) = TRUTH[op.name].derivatives(mpf(x))
            _, (slope,) = backward(op, (x,))
            assert abs(slope - exact) <= 9e-16 * exact, x


@TABLE
def test_backward_gradients_and_recorded_gradients_give_the_same_bits(op):
    for args in points(op, 60, seed=2):
        values = deep(Value, args)
        result = op(*values)
        operands = flat(values)
        result.backward()
        plain = gradients(result, operands)
        recorded = gradients(result, operands, create_graph=True)
        for x, slope, slope_value in zip(operands, plain, recorded, strict=True):
            assert same(x.grad, slope + 0.0), args  # backward adds to 0.0, which turns -0.0 into 0.0
            assert same(slope, slope_value.data), args


@TABLE
def test_forward_mode_matches_reverse_mode(op):
    source = random.Random(op.name)
    for args in points(op, 60, seed=3):
        values = deep(Value, args)
        operands = flat(values)
        result = op(*values)
        slopes = gradients(result, operands)
        tangents = [source.uniform(-1.0, 1.0) for _ in operands]
        terms = [slope * tangent for slope, tangent in zip(slopes, tangents, strict=True)]
        if all(map(math.isfinite, terms)):
            difference = abs(jvp(result, operands, tangents) - math.fsum(terms))
            assert difference <= 1e-12 * math.fsum(map(abs, terms)), args


@TABLE
def test_floats_and_values_give_the_same_bits(op):
    for args in points(op, 60, seed=4):
        assert same(float(op(*args)), op(*deep(Value, args)).data), args


ADDED_UP = {
    "tenths": [0.1] * 10,
    "a small one that a large one swallows": [1e16, 1.0, -1e16],
    "what cancels in the end": [1.0, 1e100, 1.0, -1e100],
    "thirds": [1.0 / 3.0 for _ in range(99)],
    "an inf in between": [1.0, math.inf, -1.0],
    "zeros": [-0.0, -0.0],
}


@pytest.mark.parametrize("name", ADDED_UP)
def test_sums_add_from_left_to_right(name):
    """To the bit, on every Python: its builtin sum compensates from 3.12 on, accumulate adds one by one."""
    terms = ADDED_UP[name]
    *_, expected = itertools.accumulate(terms)
    ones = [1.0] * len(terms)
    for op, args, right in (
        (total, (terms,), expected),
        (mean, (terms,), expected / len(terms)),
        (dot, (terms, ones), expected),
    ):
        assert same(op(*args), right)
        assert same(op(*deep(Value, tuple(map(tuple, args)))).data, right)
        assert same(op(*deep(ieee.Number, tuple(map(tuple, args)))), right)


# The truth about an operation is itself checked: mpmath differentiates its values numerically.

UNTOLD = {*NUMERIC} - TRUTH.keys()
assert not UNTOLD, f"a row of TRUTH is missing in tests/oracles/mpmath.py: {UNTOLD}"
SMOOTH = [name for name in NUMERIC if TRUTH[name].derivatives and name not in CHOOSING]


@pytest.mark.parametrize("name", SMOOTH)
def test_the_derivatives_of_the_oracle_are_those_of_its_values(name):
    op, truth = OPERATIONS[name], TRUTH[name]
    with mp.workdps(DIGITS):
        moderate = (args for args in points(op, 400, seed=5) if all(1e-3 < abs(x) < 50.0 for x in flat(args)))
        smooth = (args for args in moderate if len({*flat(args)}) == len(flat(args)))  # a bound of clamp is a kink
        for args in itertools.islice(smooth, 5):
            exact = deep(mpf, args)
            for position, slope in enumerate(truth.derivatives(*exact)):
                assert mp.almosteq(_numerical(truth.value, exact, position), slope, 1e-20, 1e-20), args


def _numerical(function, args, position):
    def along(x):
        places = itertools.count()
        return function(*deep(lambda y: x if next(places) == position else y, args))

    x = flat(args)[position]
    return mp.diff(along, x, h=mpf(10) ** -50)


# Complex numbers: f(x + ih) = f(x) + ih f'(x), and nothing cancels.

COMPLEX = {
    "exp": cmath.exp,
    "expm1": lambda z: cmath.exp(z) - 1.0,
    "log": cmath.log,
    "log1p": lambda z: cmath.log(1.0 + z),
    "sqrt": cmath.sqrt,
    "sin": cmath.sin,
    "cos": cmath.cos,
    "tan": cmath.tan,
    "asin": cmath.asin,
    "acos": cmath.acos,
    "atan": cmath.atan,
    "asinh": cmath.asinh,
    "atanh": cmath.atanh,
    "exp2": lambda z: 2.0**z,
    "log2": lambda z: cmath.log(z) / math.log(2.0),
    "log10": cmath.log10,
    "silu": lambda z: z / (1.0 + cmath.exp(-z)),
    "log_sigmoid": lambda z: -cmath.log(1.0 + cmath.exp(-z)),
    "sinh": cmath.sinh,
    "cosh": cmath.cosh,
    "sech": lambda z: 1.0 / cmath.cosh(z),
    "tanh": cmath.tanh,
    "sigmoid": lambda z: 1.0 / (1.0 + cmath.exp(-z)),
    "softplus": lambda z: cmath.log(1.0 + cmath.exp(z)),
    "pow": lambda z: z**2.5,
    "div": lambda z: 2.5 / z,
    "mul": lambda z: z * z,
}
ENGINE = {"pow": lambda x: x**2.5, "div": lambda x: 2.5 / x, "mul": lambda x: x * x}


@pytest.mark.parametrize("name", COMPLEX)
def test_slopes_match_the_complex_step(name):
    source, tiny = random.Random(name), 1e-200
    lowest, highest = OPERATIONS[name].domain[0]
    for _ in range(200):
        x = source.uniform(max(lowest, -5.0), min(highest, 5.0))
        value = Value(x)
        slope = gradients(ENGINE.get(name, OPERATIONS[name])(value), value)
        assert slope == pytest.approx(COMPLEX[name](complex(x, tiny)).imag / tiny, rel=1e-13), x


# Derivatives of derivatives.

ANALYTIC = [
    "exp", "expm1", "log1p", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh",
    "sech", "tanh", "sigmoid", "softplus", "erf", "erfc", "gelu", "asinh", "atanh", "exp2", "silu", "log_sigmoid",
]  # fmt: skip
FUNCTIONS = {
    **{name: (OPERATIONS[name], TRUTH[name].value) for name in ANALYTIC},
    **{f"x**{n}": (lambda x, n=n: x**n, lambda x, n=n: x**n) for n in range(6)},
    "x*x*x": (lambda x: x * x * x, lambda x: x**3),
    "x-x*x": (lambda x: -(x * x - x), lambda x: x - x**2),
    "2**x": (lambda x: 2.0**x, lambda x: mpf(2) ** x),
    "x/(1+x)": (lambda x: x / (1.0 + x), lambda x: x / (1 + x)),
    "1/(2-x)": (lambda x: 1.0 / (2.0 - x), lambda x: 1 / (2 - x)),
    "(1+x)**2.5": (lambda x: (1.0 + x) ** 2.5, lambda x: (1 + x) ** 2.5),
    "sqrt(1+x)": (lambda x: (1.0 + x).sqrt(), lambda x: mp.sqrt(1 + x)),
    "log(1+x)": (lambda x: (1.0 + x).log(), lambda x: mp.log(1 + x)),
    "sum": (lambda x: total([x, x * x, 1.0]), lambda x: x + x**2 + 1),
    "mean": (lambda x: mean([1.0, x, x * x]), lambda x: (1 + x + x**2) / 3),
    "dot": (lambda x: dot([x, 2.0, x], [x, x, x * x]), lambda x: x**2 + 2 * x + x**3),
    "logsumexp": (lambda x: logsumexp([x, 2.0 * x, 1.0]), lambda x: mp.log(mp.exp(x) + mp.exp(2 * x) + mp.e)),
    "where": (lambda x: where(True, x * x, x), lambda x: x**2),
}


@pytest.mark.parametrize("x", [0.0, -0.0, 1e-300, -1e-300])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_four_derivatives_at_zero_match_mpmath(name, x):
    function, truth = FUNCTIONS[name]
    value = Value(x)
    derivative = function(value)
    for order in range(1, 5):
        derivative = gradients(derivative, value, create_graph=True)
        with mp.workdps(DIGITS):
            expected = float(mp.diff(truth, mpf(x), order))
        assert derivative.data == pytest.approx(expected, rel=1e-14, abs=1e-14), f"derivative {order}"


SINGULAR = {
    "log": (OPERATIONS["log"], mp.log),
    "sqrt": (OPERATIONS["sqrt"], mp.sqrt),
    "1/x": (lambda x: 1.0 / x, lambda x: 1 / x),
    "x**-1": (lambda x: x**-1, lambda x: 1 / x),
    "x**0.5": (lambda x: x**0.5, mp.sqrt),
    "x**3.5": (lambda x: x**3.5, lambda x: x ** mpf(3.5)),
}


@pytest.mark.parametrize("x", [1e-300, 1e-40, 0.25])
@pytest.mark.parametrize("name", SINGULAR)
def test_four_derivatives_near_a_singularity_match_mpmath(name, x):
    function, truth = SINGULAR[name]
    value = Value(x)
    derivative = function(value)
    for order in range(1, 5):
        derivative = gradients(derivative, value, create_graph=True)
        with mp.workdps(400):
            expected = float(mp.diff(truth, mpf(x), order, h=mpf(10) ** -360))
        assert derivative.data == pytest.approx(expected, rel=1e-13), f"derivative {order}"


@pytest.mark.parametrize("name", ANALYTIC)
def test_four_derivatives_at_ordinary_points_match_mpmath(name):
    function, truth = FUNCTIONS[name]
    for x in (-0.75, -0.1, 0.3, 0.9):
        value = Value(x)
        derivative = function(value)
        for order in range(1, 5):
            derivative = gradients(derivative, value, create_graph=True)
            with mp.workdps(DIGITS):
                expected = float(mp.diff(truth, mpf(x), order))
            assert derivative.data == pytest.approx(expected, rel=1e-12, abs=1e-13), f"{x}: derivative {order}"


# inf, nan and the ends of the floats.

NUMPY = {  # loaded by its tests: the others run where there is no NumPy, too
    "add": "add", "sub": "subtract", "mul": "multiply", "div": "divide", "neg": "negative", "pow": "power",
    "exp": "exp", "expm1": "expm1", "log": "log", "log1p": "log1p", "sqrt": "sqrt",
    "sin": "sin", "cos": "cos", "tan": "tan", "asin": "arcsin", "acos": "arccos", "atan": "arctan",
    "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh",
    "atan2": "arctan2", "hypot": "hypot", "exp2": "exp2", "log2": "log2", "log10": "log10",
    "floor": "floor", "ceil": "ceil", "round": "rint", "mod": "mod", "floor_divide": "floor_divide",
    "abs": "abs", "sign": "sign",
    "maximum": "maximum", "minimum": "minimum", "less": "less", "less_equal": "less_equal", "equal": "equal",
    "both": "logical_and", "either": "logical_or", "invert": "logical_not",
}  # fmt: skip
SIGN_OF_ZERO_IS_FREE = ("maximum", "minimum", "sign")


@pytest.mark.parametrize("name", NUMPY)
def test_values_at_awkward_numbers_match_numpy(name):
    import numpy as np

    op, function = OPERATIONS[name], getattr(np, NUMPY[name])
    for args in itertools.product(AWKWARD, repeat=function.nin):
        if name == "pow" and args[1] == 0.5:
            continue  # NumPy takes it for sqrt, which differs from IEEE's pow at -0.0 and -inf
        with np.errstate(all="ignore"):
            expected = float(function(*map(np.float64, args)))
        data = op(*map(Value, args)).data
        assert data == pytest.approx(expected, rel=1e-15, abs=5e-324, nan_ok=True), args
        if data == 0.0 and name not in SIGN_OF_ZERO_IS_FREE:
            assert same(data, expected), args


@TABLE
def test_no_number_makes_an_operation_raise(op):
    length = op.scalars or 2
    for numbers in itertools.product(AWKWARD, repeat=length):
        args = {
            **dict.fromkeys(("take", "surprisal"), (1.0, numbers)),
            **dict.fromkeys(("where", "clamp"), (numbers[0], numbers)),
            "dot": (numbers, numbers[::-1]),
        }.get(op.name, numbers if op.scalars else (numbers,))
        values = deep(Value, args)
        result = op(*values)
        result.backward()
        plain = gradients(result, flat(values))
        recorded = gradients(result, flat(values), create_graph=True)
        for x, slope, slope_value in zip(flat(values), plain, recorded, strict=True):
            assert same(x.grad, slope + 0.0), args
            assert slope == pytest.approx(slope_value.data, nan_ok=True), args
            assert type(slope) is float


@TABLE
def test_ieee_numbers_give_what_floats_give(op):
    for args in points(op, 20, seed=6):
        result = op(*deep(ieee.Number, args))
        assert type(result) is ieee.Number
        assert same(result, float(op(*args))), args


# The checker is checked.


def doctored(op: Op, **changes) -> Op:
    """A row with a wrong formula or wrong partials, outside the table."""
    twin = object.__new__(Op)
    vars(twin).update(vars(op), **changes)
    twin.on_floats = changes.get("formula", op.on_floats)
    twin.partials_on_floats = changes.get("partials", op.partials_on_floats)
    return twin


WRONG_SLOPES = {
    "sin": lambda y, x: (-math.cos(x),),
    "exp": lambda y, x: (y if abs(x) <= 12.0 else 0.999 * y,),
    "erf": lambda y, x: (2.0 / math.sqrt(math.pi) * ieee.exp(-x * x) if abs(x) <= 12.0 else 1e-60,),
    "atan": lambda y, x: (1.0 / (1.0 + x * x) if abs(x) <= 12.0 else 1.0 / (2.0 + x * x),),
    "softplus": lambda y, x: (ieee.sigmoid(x) if abs(x) <= 12.0 else 0.0,),
    "tanh": lambda y, x: (1.0 - y * y,),
    "sigmoid": lambda y, x: (y * (1.0 - y),),
    "expm1": lambda y, x: (y + 1.0,),
    "asin": lambda y, x: (1.0 / math.sqrt(1.0 + x * x),),
    "relu": lambda y, x: (1.0 if x > -1e-323 else 0.0,),
    "abs": lambda y, x: (1.0,),
    "mul": lambda z, x, y: (x, y),
    "sub": lambda z, x, y: (1.0, 1.0),
    "div": lambda z, x, y: (1.0 / y, z / y),
    "pow": lambda y, x, n: (n * ieee.pow(x, n - 1.0), y),
    "maximum": lambda y, xs: ([float(x >= xs[0]) for x in xs],),
    "take": lambda y, index, values: (0.0, [1.0] + [0.0] * (len(values) - 1)),
    "dot": lambda y, weights, inputs: (weights, inputs),
    "mean": lambda y, values: ((1.0,) * len(values),),
    "step": lambda y, x: (1e-300,),
    "hypot": lambda z, x, y: (x / ieee.sqrt(x * x + y * y), y / ieee.sqrt(x * x + y * y)),
    "atan2": lambda z, y, x: (x / (x * x + y * y), -y / (x * x + y * y)),
    "asinh": lambda y, x: (1.0 / ieee.sqrt(1.0 + x * x),),
    "acosh": lambda y, x: (1.0 / ieee.sqrt(x * x - 1.0),),
    "atanh": lambda y, x: (1.0 / (1.0 + x * x),),
    "silu": lambda y, x: (y + ieee.sigmoid(x) * (1.0 - y),),
    "log_sigmoid": lambda y, x: (1.0 - ieee.sigmoid(x),),
    "elu": lambda y, x, alpha: (1.0 if x > 0.0 else y + alpha, 0.0 if x > 0.0 else math.expm1(x)),
    "mod": lambda z, x, y: (1.0, -ieee.divide(x, y)),
    "clamp": lambda y, x, bounds: (1.0, (0.0, 0.0)),
}
WRONG_VALUES = {
    "expm1": lambda x: ieee.exp(x) - 1.0,
    "log1p": lambda x: ieee.log(1.0 + x),
    "sinh": lambda x: 0.5 * (ieee.exp(x) - ieee.exp(-x)),
    "sigmoid": lambda x: 1.0 / (1.0 + ieee.exp(-x)),
    "softplus": lambda x: ieee.log(1.0 + ieee.exp(x)),
    "gelu": lambda x: 0.5 * x * (1.0 + math.erf(x * math.sqrt(0.5))),
    "sin": lambda x: math.sin(x % (2.0 * math.pi)),
    "exp": lambda x: ieee.exp(x) if abs(x) <= 12.0 else ieee.exp(x) * (1.0 + 1e-12 * x),
    "relu": abs,
    "logsumexp": lambda xs: ieee.log(math.fsum(map(ieee.exp, xs))),
    "less": lambda x, y: x <= y,
    "floor_divide": lambda x, y: math.floor(x / y),
    "round": lambda x: math.copysign(math.floor(abs(x) + 0.5), x),
    "log2": lambda x: ieee.log2(1.0 + (x - 1.0)),
    "silu": lambda x: x - x * ieee.sigmoid(-x),
    "log_sigmoid": lambda x: ieee.log(ieee.sigmoid(x)),
    "atanh": lambda x: 0.5 * ieee.log((1.0 + x) / (1.0 - x)),
}


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", WRONG_SLOPES)
def test_a_wrong_slope_is_caught(name):
    op = doctored(OPERATIONS[name], partials=WRONG_SLOPES[name])
    worst = worst_case(op, points(op, QUICK))
    assert worst.value <= VALUE_ULP
    assert not is_true(op, worst)


@pytest.mark.parametrize("name", WRONG_VALUES)
def test_a_wrong_value_is_caught(name):
    op = doctored(OPERATIONS[name], formula=WRONG_VALUES[name])
    assert worst_case(op, points(op, QUICK)).value > VALUE_ULP


# Of which the value is right, and a derivative of it wrong somewhere.
CANCELLING_SLOPES = {
    "asin": lambda y, x: (1.0 / ops.sqrt((1.0 - x) * (1.0 + x)),),
    "acos": lambda y, x: (-1.0 / ops.sqrt((1.0 - x) * (1.0 + x)),),
    "atan": lambda y, x: (1.0 / ((1.0 - x) * (1.0 - x) + 2.0 * x),),
    "hypot": lambda z, x, y: (x / z, y / z),
    "atanh": lambda y, x: (1.0 / ((1.0 - x) * (1.0 + x)),),
    "silu": lambda y, x: (ops.sigmoid(x) * (1.0 + (x - y)),),
    "tanh": lambda y, x: (4.0 * ops.exp(-2.0 * ops.abs(x)) / pow(1.0 + ops.exp(-2.0 * ops.abs(x)), 2.0),),
    "sigmoid": lambda y, x: (y * (1.0 - y),),
    "softplus": lambda y, x: (1.0 - 1.0 / (1.0 + ops.exp(x)),),
    "logsumexp": lambda y, values: (tuple(ops.exp(x - y) for x in values),),
    "surprisal": lambda y, index, values: (
        0.0,
        tuple(ops.exp(x - logsumexp(values)) - float(place == index.data) for place, x in enumerate(values)),
    ),
    "pow": lambda y, x, n: (
        where(ops.equal(n, 0.0), 0.0, n * pow(x, where(ops.equal(n, 0.0), 1.0, n - 1.0))),
        y * ops.log(x),
    ),
}


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", CANCELLING_SLOPES)
def test_a_slope_whose_slope_cancels_is_caught(name):
    op = doctored(OPERATIONS[name], partials=CANCELLING_SLOPES[name])
    assert worst_derivative(op, tails(op), order=2)[0] > HIGHER_ULP


def test_a_doctored_row_that_is_right_passes():
    op = doctored(OPERATIONS["tanh"], partials=lambda y, x: (4.0 * ieee.sigmoid(2.0 * x) * ieee.sigmoid(-2.0 * x),))
    assert is_true(op, worst_case(op, points(op, QUICK)))


@pytest.mark.parametrize("op", OPERATIONS.values(), ids=str)
def test_arguments_of_any_number_and_nesting_fit_or_are_refused_by_name(op):
    v = Value(0.5)
    several = [v, 1.0, (v, v), (1.0, v), ()]
    for count in range(5):
        for args in itertools.product(several, repeat=count):
            refused = ""
            try:
                result = op(*args)
            except (IndexError, TypeError, ValueError) as error:
                result, refused = None, str(error)
            if isinstance(result, Value):
                assert len(result.args) == len(op.arguments)
                result.backward()
            assert not refused or refused.startswith((op.name, "take: index")), args  # a surprisal takes
