"""Derivatives of functions: against formulas, PyTorch, and each other."""

import math
import random

import pytest

from scalargrad.engine import Value, gradients
from scalargrad.functional import GradcheckError, grad, gradcheck, hessian, hvp, jvp, value_and_grad
from scalargrad.observers import no_grad
from scalargrad.ops import OPERATIONS, abs, cos, dot, exp, log, maximum, relu, sigmoid, sin, take, tanh, where
from tests.oracles.mpmath import deep, flat, points
from tests.platforms import Later

numpy = Later("numpy")


def bumpy(x):
    """A function of three numbers that uses every kind of operation, with shared operands."""
    a, b, c = x
    product = a * b + c
    return tanh(product) * product + exp(-a) / (1.0 + b * b) + dot([a, b, c], [c, a, product]) ** 2


POINT = [0.7, -1.3, 0.4]


def bumpy_in_torch(torch):
    def function(x):
        a, b, c = x
        product = a * b + c
        crossed = a * c + b * a + c * product
        return torch.tanh(product) * product + torch.exp(-a) / (1.0 + b * b) + crossed**2

    return function


def test_the_gradient_agrees_with_pytorch(torch):
    expected = torch.func.grad(bumpy_in_torch(torch))(torch.tensor(POINT, dtype=torch.float64))
    assert grad(bumpy)(POINT) == pytest.approx(expected.tolist(), rel=1e-12)


def test_the_hessian_agrees_with_pytorch(torch):
    point = torch.tensor(POINT, dtype=torch.float64)
    expected = torch.autograd.functional.hessian(bumpy_in_torch(torch), point)
    for row, expected_row in zip(hessian(bumpy)(POINT), expected.tolist(), strict=True):
        assert row == pytest.approx(expected_row, rel=1e-11)


def test_hvp_is_the_hessian_times_the_direction():
    direction = [0.3, -2.0, 1.0]
    rows = hessian(bumpy)(POINT)
    expected = [sum(h * d for h, d in zip(row, direction, strict=True)) for row in rows]
    assert hvp(bumpy, POINT, direction) == pytest.approx(expected, rel=1e-12)


def test_jvp_is_the_gradient_times_the_tangents():
    inputs, tangents = [Value(x) for x in POINT], [0.3, -2.0, 1.0]
    output = bumpy(inputs)
    expected = sum(g * t for g, t in zip(gradients(output, inputs), tangents, strict=True))
    assert jvp(output, inputs, tangents) == pytest.approx(expected, rel=1e-12)


def test_nested_derivatives_are_not_confused():
    assert grad(lambda x: x * grad(lambda y: x + y)(1.0))(3.0) == 1.0  # untagged dual numbers give 2
    assert grad(lambda x: x * grad(lambda y: x * y)(1.0))(3.0) == 6.0


def test_nested_forward_derivatives_are_not_confused():
    x = Value(3.0)
    y = x * 1.0
    inner = jvp(x + y, y, 1.0, create_graph=True)  # d(x + y)/dy, where y is an input of its own
    assert jvp(x * inner, x, 1.0) == 1.0


def test_a_derivative_that_depends_on_a_value_outside_keeps_that_dependence():
    x = Value(3.0)
    slope = grad(lambda t: x * t * t)(2.0)
    slope.backward()
    assert (slope.data, x.grad) == (12.0, 4.0)


def test_grad_of_grad_of_grad():
    third = grad(grad(grad(sin)))
    assert third(0.5) == pytest.approx(-0.8775825618903728, rel=1e-15)


def test_argnum_may_name_several_and_count_from_the_end():
    assert value_and_grad(lambda x, y: x * y**2, argnum=(1, 0))(3.0, 4.0) == (48.0, (24.0, 16.0))
    assert grad(lambda x, y: x * y**2, argnum=-1)(3.0, 4.0) == 24.0


def test_gradients_have_the_structure_of_the_argument():
    assert grad(lambda w: w[0][0] * w[1][0] + w[1][1])([[2.0], [5.0, 1.0]]) == [[5.0], [2.0, 1.0]]


def test_the_gradient_by_a_value_that_is_used_outside_the_argument_counts_the_argument_only():
    x = Value(3.0)
    assert float(grad(lambda y: x * y)(x)) == 3.0


def test_a_constant_function_has_gradient_0():
    assert grad(lambda x: 7.0)(3.0) == 0.0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: grad(lambda x: x, argnum=2)(1.0), "argnum=2 does not fit"),
        (lambda: grad(lambda x: [x, x])(1.0), "returns one Value"),
        (lambda: jvp(Value(1.0), [Value(1.0)], [1.0, 2.0]), "2 tangents do not fit 1 inputs"),
    ],
)
def test_a_wrong_use_is_told(call, words):
    with pytest.raises((TypeError, ValueError), match=words):
        call()


def test_gradcheck_passes_what_is_right_also_at_kinks():
    assert gradcheck(lambda x, y: maximum(x, y) * exp(x).relu() + where(x < y, x, y * y), [1.0, 1.0])
    assert gradcheck(lambda x: x.abs() + x.relu() + x.leaky_relu(0.2), [0.0])
    assert gradcheck(bumpy, [POINT])


@pytest.mark.parametrize("name", ["tanh", "exp", "mul", "logsumexp", "dot"])
def test_gradcheck_names_the_operation_that_is_wrong(name, monkeypatch):
    op = OPERATIONS[name]
    right = op.partials_on_floats

    def doubled(value):
        return tuple(map(doubled, value)) if isinstance(value, tuple | list) else 2.0 * value

    monkeypatch.setattr(op, "partials_on_floats", lambda *args: doubled(right(*args)))
    values = {"logsumexp": lambda x, y: op([x, y]), "dot": lambda x, y: op([x, y], [y, 2.0]), "mul": op}
    function = values.get(name, lambda x, y: op(x) + y)
    with pytest.raises(GradcheckError, match=f"^{name}: its derivative by .* is declared as"):
        gradcheck(lambda x, y: sin(function(x, y)), [0.5, -0.8])


def test_gradcheck_sees_a_cut_graph():
    with pytest.raises(GradcheckError, match="the recorded graph is not the function"):
        gradcheck(lambda x: x * x.detach(), [3.0])


LOST = {
    "1/x at 0.01": (lambda x: 1.0 / x.detach(), 0.01),
    "1/x at 1e-20": (lambda x: 1.0 / x.detach(), 1e-20),
    "log at 0.005": (lambda x: log(x.detach()), 0.005),
    "sin(200 x)": (lambda x: sin(200.0 * x.detach()), 0.1),
    "sin at 1e10": (lambda x: sin(x.detach()), 1e10),
    "exp(300 x)": (lambda x: exp(300.0 * x.detach()), 0.01),
    "beside a minimum": (lambda x: 1000.0 * (x - 0.5) ** 2 + 5.0 * x.detach(), 0.5),
    "beside a sharp minimum": (lambda x: 1e10 * (x - 0.5) ** 2 + x.detach(), 0.5),
    "beside relu at 0": (lambda x: relu(x) + 100.0 * x.detach(), 0.0),
    "beside abs near 0": (lambda x: abs(x) + 100.0 * x.detach(), 1e-7),
    "beside abs at 0": (lambda x: abs(x) - x.detach(), 0.0),
    "beside maximum at a tie": (lambda x: maximum(x, 0.0) + 100.0 * x.detach(), 0.0),
    "beside two kinks": (lambda x: relu(x) + relu(-x) + 0.01 * x.detach(), 0.0),
    "beside a kink of rounded numbers": (lambda x: abs((x + 1.0) - 1.0 + x) + 100.0 * x.detach(), 0.0),
    "inside relu": (lambda x: relu(x.detach()), 0.0),
    "on one side": (lambda x: relu(x) - x if x <= 0.0 else relu(x.detach()) - x, 0.0),
    "at one point": (lambda x: sin(x) if x > 0.0 or x < 0.0 else x.detach(), 0.0),
    "a small part": (lambda x: x + 1e-4 * x.detach(), 2.0),
    "of a small slope": (lambda x: 1e-12 * x.detach(), 2.0),
    "under a large number": (lambda x: 1e9 + x.detach(), 3.0),
    "math.sin": (math.sin, 0.5),
    "float()": (lambda x: x * float(x), 0.5),
    "data": (lambda x: x * x.data, 0.5),
    "no_grad": (lambda x: x * quiet_square(x), 0.5),
    "a branch": (lambda x: x * x if x > 1.0 else x * x.detach(), 0.5),
}


@no_grad()
def quiet_square(x):
    return x * x


@pytest.mark.parametrize("name", LOST)
def test_gradcheck_sees_a_lost_part(name):
    function, x = LOST[name]
    with pytest.raises(GradcheckError, match="the recorded graph is not the function"):
        gradcheck(function, [x])


def test_gradcheck_sees_a_lost_part_in_nested_arguments():
    def function(weights, x):
        return sin(weights[0][0] * x) + weights[1][0].detach() * exp(weights[0][1])

    with pytest.raises(GradcheckError, match=r"^input 2 = -0.3: the gradient is 0.0, "):
        gradcheck(function, [[[0.5, 1.5], [-0.3]], 2.0])


RIGHT = {
    **{f"sin at {x:g}": (sin, x) for x in (1e6, 1e8, 1e10, 1e13, 1e16, 1e17, 1e100, -1e300)},
    **{f"sin(x) cos(x) at {x:g}": (lambda x: sin(x) * cos(x), x) for x in (1e8, 1e12)},
    **{f"a polynomial at {x:g}": (lambda x: 3.0 * x**2 - x + 1.0, x) for x in (0.0, 1e-300, 1e-20, 1.0, 1e10, 1e150)},
    **{f"log at {x:g}": (log, x) for x in (5e-324, 1e-310, 1e-300, 1.0, 1e300)},
    "sin(1e6 x)": (lambda x: sin(1e6 * x), 0.3),
    "1/x at 1e-300": (lambda x: 1.0 / x, 1e-300),
    "cancellation": (lambda x: (x + 1e8) - 1e8, 1.0),
    "all digits lost": (lambda x: (x + 1e20) - 1e20 + 2.0 * x, 1.0),
    "two kinks": (lambda x: relu(x) + relu(-x), 0.0),
    "kinks that cancel": (lambda x: relu(x) - relu(-x), 0.0),
    "abs and maximum": (lambda x: abs(x) + maximum(x, 0.0) + maximum(x, -x, 2.0 * x), 0.0),
    "a kink of rounded numbers": (lambda x: abs((x + 1.0) - 1.0 + x), 0.0),
    "a kink near by": (lambda x: abs(x) + relu(x - 2e-7), 1e-7),
    "a step": (lambda x: x.step() + x, 0.0),
    "a step near by": (lambda x: (x - 1e-7).step() + x, 0.0),
    "a branch": (lambda x: x if x > 0.0 else -x, 0.0),
    "whole numbers": (lambda x: x * int(float(x)), 2.5),
    "the root of a square": (lambda x: (x * x).sqrt(), 0.0),
    "the root at 0": (lambda x: x.sqrt(), 0.0),
    "a shift by the largest, detached": (
        lambda x: (exp(x - x.detach()) + exp(1.0 - x.detach())).log() + x.detach(),
        2.0,
    ),
    "saturated": (lambda x: tanh(x) + sigmoid(x), 40.0),
    "overflowed": (exp, 800.0),
    "inf": (lambda x: x * 2.0, math.inf),
    "nan": (lambda x: x * 2.0, math.nan),
    "constant": (lambda x: 7.0, 3.0),
    "an index": (lambda x: take(x, [1.0, x, 3.0]), 2.0),
}


@pytest.mark.parametrize("name", RIGHT)
def test_gradcheck_passes_what_is_right(name):
    function, x = RIGHT[name]
    assert gradcheck(function, [x])


def called_with(op):
    """The operation as a function of its arguments, lists opened where it takes them one by one."""
    if op.collects and len(op.arguments) == 2:
        return lambda first, others: op(first, *others)
    return (lambda xs: op(*xs)) if op.collects else op


TABLE = [op for op in OPERATIONS.values() if op.name != "random"]
STEPPED = ("floor", "ceil", "round", "mod", "floor_divide")


@pytest.mark.sampled(4)
@pytest.mark.parametrize("op", TABLE, ids=str)
def test_gradcheck_passes_every_operation_all_over_its_domain(op):
    for args in points(op, 25, seed=15):
        if op.name in STEPPED and not 1e-2 < abs((*args, 1.0)[1]) > 1e-4 * abs(args[0]):
            continue  # where steps are so close together that differences see the slope of a line
        assert gradcheck(called_with(op), [list(x) if isinstance(x, tuple) else x for x in args])


@pytest.mark.sampled(4)
@pytest.mark.parametrize("op", [op for op in TABLE if op.partials and op.name not in ("where", "take")], ids=str)
def test_gradcheck_sees_every_operation_cut_off_all_over_its_domain(op):
    def cut(*args):
        return called_with(op)(*deep(lambda x: x.detach(), tuple(tuple(x) if isinstance(x, list) else x for x in args)))

    seen = 0
    for args in points(op, 15, seed=15):
        values = deep(Value, args)
        result = called_with(op)(*values)
        slopes = gradients(result, flat(values))
        felt = [abs(slope * x.data) for slope, x in zip(slopes, flat(values), strict=True)]
        if all(map(math.isfinite, felt)) and max(felt) > max(1e-6 * abs(result.data), 1e-290):
            seen += 1
            with pytest.raises(GradcheckError):
                gradcheck(cut, [list(x) if isinstance(x, tuple) else x for x in args])
    assert seen


# The number of an argument instead of its Value.

NUMBERS_TAKEN = {
    "math.sin": math.sin,
    "math.exp in a product": lambda x: x * math.exp(x),
    "math on a result": lambda x: x + math.sin(x * 2.0),
    "float()": lambda x: float(x) ** 2,
    "data": lambda x: x.data**2,
    "data of a result": lambda x: (x * x).data,
    "numpy.asarray": lambda x: numpy.asarray([x], float).sum(),
    "numpy.float32": lambda x: numpy.float32(x) * 2,
    "astype": lambda x: numpy.array([x, x * x]).astype(float).mean(),
    "a list with it": lambda x: dot([math.sin(x), 1.0], [x, x]),
    "maximum with it": lambda x: maximum(x, math.exp(x)) + x,
    "a Value of it": lambda x: Value(math.sin(x)) * 2.0,
    "a Value of data": lambda x: Value(x.data) * 2.0,
    "under a large number": lambda x: 1e9 + math.sin(x),
    "after a check": lambda x: math.sin(x) if math.isfinite(x) else x,
}


@pytest.mark.parametrize("name", NUMBERS_TAKEN)
def test_a_number_that_went_on_without_its_value_is_told(name):
    function = NUMBERS_TAKEN[name]
    for call in (
        lambda: grad(function)(0.5),
        lambda: value_and_grad(function)(0.5),
        lambda: grad(lambda xs: function(xs[0]))([0.5]),
        lambda: hessian(lambda xs: function(xs[0]))([0.5]),
        lambda: hvp(lambda xs: function(xs[0]), [0.5], [1.0]),
        lambda: grad(lambda x: x * grad(function)(x))(0.5),
    ):
        with pytest.raises(TypeError, match=r"took the number out of a Value.*scalargrad\.sin, not math\.sin"):
            print(call())
    with pytest.raises(GradcheckError):
        gradcheck(function, [0.5])


HISTORY: list[float] = []


def logged(x):
    HISTORY.append(float(x))
    return x * x


def shifted(x):
    largest = max(float(x), 1.0)
    return (exp(x - largest) + exp(1.0 - largest)).log() + largest


NUMBERS_READ = {
    "a comparison": (lambda x: x * x if x > 0.0 else -x, 1.0),
    "a check": (lambda x: 2.0 * x if math.isfinite(x) else x, 2.0),
    "a text": (lambda x: x * x * len(f"{x:.1f} {x} {x!r}"[:1]), 1.0),
    "a log": (lambda x: logged(x), 1.0),
    "a log before constants": (lambda x: 3.0 * logged(x) + 1.0, 3.0),
    "a whole number": (lambda x: x ** int(float(x) + 2.0), 1.0),
    "a shift that cancels": (shifted, 1.0 / (1.0 + math.exp(0.5))),
    "detach": (lambda x: x * x.detach() * 3.0 if float(x) else x, 1.5),
    "detach alone": (lambda x: x.detach() * 2.0, 0.0),
    "no_grad": (lambda x: quiet_square(x) + 1.0, 0.0),
    "a constant": (lambda x: 7.0, 0.0),
    "another Value": (lambda x: float(OUTSIDE) * 2.0, 0.0),
    "chance": (lambda x: x * random.random() * 0.0 + x * 2.0 if float(x) else x, 2.0),
    "chance alone": (lambda x: random.random(), 0.0),
    "steps": (lambda x: math.floor(x * 3.0), 0.0),
}
OUTSIDE = Value(3.0)


@pytest.mark.parametrize("name", NUMBERS_READ)
def test_numbers_that_are_only_looked_at_are_welcome(name):
    function, expected = NUMBERS_READ[name]
    assert float(grad(function)(0.5)) == pytest.approx(expected, rel=1e-14)
    assert float(grad(lambda x: grad(function)(x) * x)(0.5)) is not None


def test_a_function_that_reads_and_computes_no_further_runs_once():
    HISTORY.clear()
    assert value_and_grad(lambda x: (logged(x), x * x)[1])(3.0) == (9.0, 6.0)
    assert HISTORY == [3.0]


def test_a_gradient_inside_no_grad_is_a_gradient():
    with no_grad():
        assert grad(lambda x: x**3)(2.0) == 12.0
        assert hessian(lambda x: x[0] ** 3)([2.0]) == [[12.0]]
        assert hvp(lambda x: x[0] ** 3, [2.0], [1.0]) == [12.0]
        with pytest.raises(GradcheckError):
            gradcheck(lambda x: x * x.detach(), [2.0])


# Arrays as arguments.


def test_arrays_come_as_arrays_of_values_and_gradients_as_arrays():
    numbers = numpy.arange(6.0).reshape(2, 3)
    weights = numpy.array([[1.0, -1.0, 2.0], [0.5, 3.0, -2.0]])

    def function(x):
        return ((x * weights).sum(axis=1) ** 2).sum() + x[1, 2]

    slopes = grad(function)(numbers)
    expected = 2.0 * weights * (numbers * weights).sum(axis=1, keepdims=True)
    expected[1, 2] += 1.0
    assert slopes.dtype == float
    numpy.testing.assert_allclose(slopes, expected, rtol=1e-14)
    value, both = value_and_grad(lambda x, y: (x @ y).sum(), argnum=(0, 1))(numbers, weights.T)
    assert value == pytest.approx((numbers @ weights.T).sum())
    assert [slope.shape for slope in both] == [(2, 3), (3, 2)]
    assert gradcheck(function, [numbers])


@pytest.mark.parametrize("dtype", ["int64", "uint8", "float32", "bool", "object"])
def test_arrays_of_other_types_are_numbers(dtype):
    point = numpy.array([1, 1], dtype)
    assert grad(lambda w: w[0] * w[1] * 300.0)(point).tolist() == [300.0, 300.0]
    assert hessian(lambda w: w[0] * w[1])(point) == [[0.0, 1.0], [1.0, 0.0]]
    assert hvp(lambda w: w[0] * w[1], point, numpy.array([1, 2], "uint8")).tolist() == [2.0, 1.0]


def test_an_array_without_axes_is_a_number():
    for number in (numpy.array(2.0), numpy.float32(2.0), numpy.uint8(2)):
        assert repr(grad(lambda x: x * x * 100.0)(number)) == "400.0"
        assert gradcheck(lambda x: x * x, [number])


def test_an_array_of_values_from_outside_keeps_their_dependence():
    x = Value(3.0)
    slopes = grad(lambda w: w[0] * w[1])(numpy.array([x, x * x]))
    assert [slope.data for slope in slopes] == [9.0, 3.0]
    assert gradients(slopes[0], x) == 6.0
    assert grad(lambda t: grad(lambda w: w[0] ** 3)(numpy.array([t]))[0])(2.0) == 12.0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: grad(lambda w: w[0])({1.0, 2.0}), "takes a real number"),
        (lambda: grad(lambda w: w[0])(numpy.ma.array([1.0, 2.0], mask=[0, 1])), "masked"),
        (lambda: grad(lambda w: w[0])(numpy.array(["1.0"])), "convert text"),
        (lambda: gradcheck(lambda v: v * v, 1.0), "gradcheck takes a list of the function's arguments, got 1.0"),
    ],
)
def test_a_wrong_argument_is_told(call, words):
    with pytest.raises(TypeError, match=words):
        call()
