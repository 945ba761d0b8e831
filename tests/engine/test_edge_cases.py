"""The awkward arguments, row by row: what each gives, what is refused and in which words, and NumPy on the left."""

import itertools
import math
import operator
from fractions import Fraction

import numpy as np
import pytest

from scalargrad import anomaly, ops
from scalargrad.engine import Value, gradients
from scalargrad.ops import OPERATIONS, dot, log, logsumexp, maximum, mean, minimum, pow, sqrt, take, where
from scalargrad.ops import sum as total

inf, nan = math.inf, math.nan


def evaluate(function, numbers):
    """The value and the gradients of `function` at a list of numbers."""
    values = [Value(x) for x in numbers]
    result = function(*values)
    result.backward()
    return result.data, [x.grad for x in values]


def approximately(expected, rel=1e-15):
    return pytest.approx(expected, rel=rel, abs=0.0, nan_ok=True)


# fmt: off
VALUES_AND_GRADIENTS = [
    # function                                arguments         value        gradients
    (ops.relu,                                [0.0],            0.0,         [0.0]),
    (ops.relu,                                [-0.0],           0.0,         [0.0]),
    (ops.relu,                                [nan],            nan,         [nan]),
    (abs,                                     [0.0],            0.0,         [0.0]),
    (abs,                                     [-0.0],           0.0,         [0.0]),
    (lambda x: ops.leaky_relu(x, 0.01),       [0.0],            0.0,         [0.01]),
    (ops.leaky_relu,                          [0.0],            0.0,         [0.01]),
    (ops.leaky_relu,                          [-3.0],           -0.03,       [0.01]),
    (ops.leaky_relu,                          [-3.0, 0.5],      -1.5,        [0.5, -3.0]),

    (maximum,                                 [2.0, 2.0],       2.0,         [0.5, 0.5]),
    (minimum,                                 [2.0, 2.0],       2.0,         [0.5, 0.5]),
    (maximum,                                 [0.0, -0.0],      0.0,         [0.5, 0.5]),
    (maximum,                                 [7.0, 7.0, 7.0],  7.0,         [1 / 3, 1 / 3, 1 / 3]),
    (minimum,                                 [1.0, 5.0, 1.0],  1.0,         [0.5, 0.0, 0.5]),
    (lambda x: maximum(x, x),                 [4.0],            4.0,         [1.0]),
    (maximum,                                 [nan, 1.0],       nan,         [nan, nan]),
    (maximum,                                 [1.0, nan],       nan,         [nan, nan]),
    (minimum,                                 [nan, 1.0],       nan,         [nan, nan]),
    (maximum,                                 [inf, 1.0],       inf,         [1.0, 0.0]),

    (lambda x: x**0,                          [0.0],            1.0,         [0.0]),
    (lambda x: x**0,                          [nan],            1.0,         [0.0]),
    (pow,                                     [0.0, 0.0],       1.0,         [0.0, 0.0]),
    (pow,                                     [0.0, 2.0],       0.0,         [0.0, 0.0]),
    (pow,                                     [0.0, 0.5],       0.0,         [inf, 0.0]),
    (pow,                                     [0.0, -1.0],      inf,         [-inf, -inf]),
    (pow,                                     [-2.0, 3.0],      -8.0,        [12.0, nan]),
    (lambda x: x**3,                          [-2.0],           -8.0,        [12.0]),
    (lambda x: x**2,                          [-3.0],           9.0,         [-6.0]),
    (pow,                                     [-2.0, 0.5],      nan,         [nan, nan]),
    (lambda x: x ** (1 / 3),                  [-8.0],           nan,         [nan]),
    (lambda x: 2.0**x,                        [10.0],           1024.0,      [1024.0 * math.log(2.0)]),
    (lambda x: 0.0**x,                        [2.0],            0.0,         [0.0]),

    (log,                                     [0.0],            -inf,        [inf]),
    (log,                                     [-1.0],           nan,         [-1.0]),
    (sqrt,                                    [0.0],            0.0,         [inf]),
    (sqrt,                                    [-1.0],           nan,         [nan]),
    (operator.truediv,                        [1.0, 0.0],       inf,         [inf, -inf]),
    (operator.truediv,                        [1.0, -0.0],      -inf,        [-inf, -inf]),
    (operator.truediv,                        [-1.0, 0.0],      -inf,        [inf, inf]),
    (operator.truediv,                        [0.0, 0.0],       nan,         [inf, nan]),
    (lambda y: 1 / y,                         [0.0],            inf,         [-inf]),
    (lambda x: x / 0,                         [2.0],            inf,         [inf]),

    (ops.exp,                                 [710.0],          inf,         [inf]),
    (ops.exp,                                 [-745.0],         5e-324,      [5e-324]),
    (ops.exp,                                 [-inf],           0.0,         [0.0]),
    (ops.sigmoid,                             [-710.0],         4.476286225675130e-309, [4.476286225675130e-309]),
    (ops.sigmoid,                             [inf],            1.0,         [0.0]),
    (ops.sigmoid,                             [-inf],           0.0,         [0.0]),
    (ops.tanh,                                [inf],            1.0,         [0.0]),
    (ops.tanh,                                [-1e300],         -1.0,        [0.0]),
    (ops.softplus,                            [1e4],            1e4,         [1.0]),
    (ops.softplus,                            [-1e4],           0.0,         [0.0]),
    (ops.softplus,                            [inf],            inf,         [1.0]),
    (ops.softplus,                            [-inf],           0.0,         [0.0]),
    (ops.sinh,                                [-711.0],         -inf,        [inf]),
    (ops.sin,                                 [inf],            nan,         [nan]),

    (ops.asinh,                               [-0.0],           -0.0,        [1.0]),
    (ops.asinh,                               [1e200],          461.2101657793691, [1e-200]),
    (ops.asinh,                               [-inf],           -inf,        [0.0]),
    (ops.acosh,                               [1.0],            0.0,         [inf]),
    (ops.acosh,                               [0.5],            nan,         [nan]),
    (ops.acosh,                               [inf],            inf,         [0.0]),
    (ops.atanh,                               [1.0],            inf,         [inf]),
    (ops.atanh,                               [-1.0],           -inf,        [inf]),
    (ops.atanh,                               [2.0],            nan,         [-1 / 3]),
    (ops.atan2,                               [0.0, 0.0],       0.0,         [0.0, 0.0]),
    (ops.atan2,                               [0.0, -1.0],      math.pi,     [-1.0, 0.0]),
    (ops.atan2,                               [-0.0, -1.0],     -math.pi,    [-1.0, 0.0]),
    (ops.atan2,                               [1e200, 1e200],   math.pi / 4, [5e-201, -5e-201]),
    (ops.atan2,                               [1e-200, 1e-200], math.pi / 4, [5e199, -5e199]),
    (ops.hypot,                               [0.0, 0.0],       0.0,         [0.0, 0.0]),
    (ops.hypot,                               [3.0, -4.0],      5.0,         [0.6, -0.8]),
    (ops.hypot,                               [1e200, 1e200],   math.hypot(1e200, 1e200), [math.sqrt(0.5)] * 2),
    (ops.hypot,                               [5e-324, 0.0],    5e-324,      [1.0, 0.0]),
    (ops.hypot,                               [-inf, 1.0],      inf,         [-1.0, 0.0]),
    (ops.hypot,                               [inf, inf],       inf,         [nan, nan]),
    (lambda x: ops.hypot(x, x),               [0.0],            0.0,         [0.0]),
    (ops.log2,                                [8.0],            3.0,         [0.125 / math.log(2.0)]),
    (ops.log2,                                [0.0],            -inf,        [inf]),
    (ops.log10,                               [1000.0],         3.0,         [0.001 / math.log(10.0)]),
    (ops.log10,                               [-1.0],           nan,         [-1.0 / math.log(10.0)]),
    (ops.exp2,                                [10.0],           1024.0,      [1024.0 * math.log(2.0)]),
    (ops.exp2,                                [1024.0],         inf,         [inf]),
    (ops.exp2,                                [-1075.0],        0.0,         [0.0]),
    (ops.floor,                               [-0.5],           -1.0,        [0.0]),
    (ops.floor,                               [-0.0],           -0.0,        [0.0]),
    (ops.ceil,                                [-0.5],           -0.0,        [0.0]),
    (ops.ceil,                                [inf],            inf,         [0.0]),
    (ops.round,                               [0.5],            0.0,         [0.0]),
    (ops.round,                               [1.5],            2.0,         [0.0]),
    (ops.round,                               [nan],            nan,         [0.0]),
    (operator.mod,                            [7.0, -2.0],      -1.0,        [1.0, 4.0]),
    (operator.mod,                            [-7.0, 2.0],      1.0,         [1.0, 4.0]),
    (operator.mod,                            [6.0, 3.0],       0.0,         [1.0, -2.0]),
    (operator.mod,                            [1.0, 0.0],       nan,         [1.0, -inf]),
    (operator.mod,                            [0.0, 0.0],       nan,         [1.0, nan]),
    (operator.mod,                            [5.0, inf],       5.0,         [1.0, 0.0]),
    (operator.mod,                            [-5.0, inf],      inf,         [1.0, 1.0]),
    (operator.mod,                            [inf, 1.0],       nan,         [1.0, nan]),
    (lambda x: x % 3,                         [7.5],            1.5,         [1.0]),
    (lambda x: 7.5 % x,                       [2.0],            1.5,         [-3.0]),
    (operator.floordiv,                       [1.0, 0.1],       9.0,         [0.0, 0.0]),
    (operator.floordiv,                       [1.0, 0.0],       inf,         [0.0, 0.0]),
    (operator.floordiv,                       [1.0, -0.0],      -inf,        [0.0, 0.0]),
    (operator.floordiv,                       [0.0, 0.0],       nan,         [0.0, 0.0]),
    (operator.floordiv,                       [-5.0, inf],      -1.0,        [0.0, 0.0]),
    (operator.floordiv,                       [inf, 1.0],       nan,         [0.0, 0.0]),
    (ops.silu,                                [1e4],            1e4,         [1.0]),
    (ops.silu,                                [-40.0],          -1.6993417021166355e-16, [-1.65685815956372e-16]),
    (ops.silu,                                [-inf],           nan,         [nan]),
    (ops.elu,                                 [0.0],            0.0,         [1.0]),
    (lambda x: ops.elu(x, alpha=2.0),         [0.0],            0.0,         [2.0]),
    (ops.elu,                                 [-inf],           -1.0,        [0.0]),
    (ops.elu,                                 [1e4],            1e4,         [1.0]),
    (ops.elu,                                 [-1.0, 2.0],      -1.2642411176571153, [2.0 / math.e, math.expm1(-1.0)]),
    (ops.log_sigmoid,                         [-1000.0],        -1000.0,     [1.0]),
    (ops.log_sigmoid,                         [inf],            -0.0,        [0.0]),
    (ops.log_sigmoid,                         [-inf],           -inf,        [1.0]),
    (lambda x: ops.clamp(x, 0, 1),            [0.0],            0.0,         [1.0]),
    (lambda x: ops.clamp(x, 0, 1),            [1.0],            1.0,         [1.0]),
    (lambda x: ops.clamp(x, 0, 1),            [nan],            nan,         [0.0]),
    (lambda x: ops.clamp(x, high=1),          [-5.0],           -5.0,        [1.0]),
    (lambda x: x.clamp(low=1),                [-5.0],           1.0,         [0.0]),
    (ops.clamp,                               [-1.0, 0.0, 1.0], 0.0,         [0.0, 1.0, 0.0]),
    (ops.clamp,                               [2.0, 0.0, 1.0],  1.0,         [0.0, 0.0, 1.0]),
    (ops.clamp,                               [1.0, 1.0, 1.0],  1.0,         [1.0, 0.0, 0.0]),
    (ops.clamp,                               [0.0, 1.0, 1.0],  1.0,         [0.0, 0.0, 0.0]),
    (ops.clamp,                               [0.5, 1.0, 0.0],  0.0,         [0.0, 0.0, 1.0]),
    (ops.clamp,                               [0.5, nan, 1.0],  nan,         [0.0, 0.0, 0.0]),

    (lambda *xs: logsumexp(xs),               [-inf, -inf],     -inf,        [nan, nan]),
    (lambda *xs: logsumexp(xs),               [inf, 0.0],       inf,         [nan, 0.0]),
    (lambda *xs: logsumexp(xs),               [-1e300, 1e300],  1e300,       [0.0, 1.0]),
    (lambda p: -log(p),                       [0.0],            inf,         [-inf]),
    (lambda a, b: sqrt(a * a + b * b),        [0.0, 0.0],       0.0,         [nan, nan]),
    (lambda x: where(x > 0.0, log(x), 0.0),   [0.0],            0.0,         [nan]),
    (lambda c, x, y: where(c, x, y),          [1.0, 2.0, 3.0],  2.0,         [0.0, 1.0, 0.0]),
    (lambda c, x, y: where(c, x, y),          [0.0, 2.0, 3.0],  3.0,         [0.0, 0.0, 1.0]),

    (lambda *xs: dot(xs, xs),                 [2.0, 3.0],       13.0,        [4.0, 6.0]),
    (lambda *xs: dot([xs[0], 2.0], [3.0, xs[1]]), [5.0, 7.0],   29.0,        [3.0, 2.0]),
    (lambda *xs: dot([2.0, xs[0]], [xs[1], 3.0]), [5.0, 7.0],   29.0,        [3.0, 2.0]),
    (lambda x: dot([1.0, 2.0], [x, x]),       [5.0],            15.0,        [3.0]),
    (lambda x: mean([x, 1.0, x]),             [4.0],            3.0,         [2 / 3]),
    (lambda x: mean([1.0, x]),                [4.0],            2.5,         [0.5]),
    (lambda x: total([1.0, x, 2]),            [4.0],            7.0,         [1.0]),
    (lambda x: maximum(1.0, x),               [4.0],            4.0,         [1.0]),
    (lambda x: maximum(9.0, x),               [4.0],            9.0,         [0.0]),
    (lambda x: minimum(4.0, x),               [4.0],            4.0,         [0.5]),
    (lambda x: logsumexp([-inf, x]),          [4.0],            4.0,         [1.0]),
    (lambda x: where(False, 1.0, x),          [4.0],            4.0,         [1.0]),
    (lambda x: take(1, [1.0, x]),             [4.0],            4.0,         [1.0]),
    (lambda x: take(0, [1.0, x]),             [4.0],            1.0,         [0.0]),
    (lambda i, x, y: take(i, [x, y]),         [1.0, 2.0, 3.0],  3.0,         [0.0, 0.0, 1.0]),
    (lambda i: take(i, [5.0, 6.0]),           [1.0],            6.0,         [0.0]),
]
# fmt: on


@pytest.mark.parametrize(("function", "numbers", "value", "slopes"), VALUES_AND_GRADIENTS)
def test_values_and_gradients_of_awkward_arguments(function, numbers, value, slopes):
    assert evaluate(function, numbers) == (approximately(value), approximately(slopes))
    leaves = [Value(x) for x in numbers]
    assert gradients(function(*leaves), leaves) == approximately(slopes)
    assert [x.grad for x in leaves] == [0.0] * len(leaves)


def test_the_slope_of_tanh_at_20_is_not_lost():
    (slope,) = evaluate(ops.tanh, [20.0])[1]
    assert slope == pytest.approx(1.699341702116631e-17, rel=9e-16)


def test_logsumexp_of_large_numbers():
    value, slopes = evaluate(lambda *xs: logsumexp(xs), [1000.0, 1000.0])
    assert value == pytest.approx(1000.0 + math.log(2.0), rel=1e-15)
    assert slopes == pytest.approx([0.5, 0.5], rel=1e-13)


def test_anomaly_detection_finds_the_documented_nan():
    with anomaly.anomaly_detection():
        x = Value(0.0, "x")
        a_root = sqrt(x * x)
        with pytest.raises(anomaly.AnomalyError, match=r"test_edge_cases.py:\d+: sqrt passes back inf"):
            a_root.backward()
    assert x.grad == 0.0


def test_anomaly_detection_finds_the_branch_that_where_did_not_take():
    with anomaly.anomaly_detection():
        x = Value(0.25, "x")
        root = sqrt(x - 0.25)
        with pytest.raises(anomaly.AnomalyError, match="sqrt"):
            where(x > 1.0, root, 0.0).backward()


# Graphs with shared nodes, and backward more than once.


def test_a_value_used_three_times_gets_all_its_gradients():
    a = Value(3.0)
    c = (a * a) * a
    c.backward()
    assert a.grad == 27.0
    c.backward()
    assert a.grad == 54.0


def test_interior_gradients_do_not_survive_into_the_next_backward():
    a = Value(3.0)
    b = a * a
    c = b * b
    c.backward()
    c.backward()
    assert (a.grad, b.grad) == (216.0, 18.0)


def test_one_result_under_two_outputs():
    w = Value(3.0)
    h = w * w
    (2.0 * h).backward()
    w.grad = 0.0
    (3.0 * h).backward()
    assert w.grad == 18.0


def test_backward_on_a_leaf_adds_one():
    a = Value(5.0)
    a.backward()
    assert a.grad == 1.0
    a.backward()
    assert a.grad == 2.0


def test_results_that_need_a_topological_order():
    a, b = Value(2.0), Value(3.0)
    c = a + b
    d = a * b
    ((c + d) + c * d).backward()
    assert (a.grad, b.grad) == (25.0, 19.0)


def test_six_times_a_square():
    a = Value(3.0)
    square = a * a
    y = square * 6.0
    y.backward()
    assert a.grad == 36.0


def test_a_sum_of_a_thousand():
    xs = [Value(x) for x in range(1000)]
    result = xs[0]
    for x in xs[1:]:
        result = result + x
    result.backward()
    assert result.data == 499_500.0
    assert all(x.grad == 1.0 for x in xs)


# What is taken for a number.

NUMBERS = [
    (True, 1.0), (False, 0.0), (3, 3.0), (10**400, inf), (-(10**400), -inf), (Fraction(1, 4), 0.25),
    (np.float64(3), 3.0), (np.float32(0.5), 0.5), (np.int8(-3), -3.0), (np.uint64(7), 7.0),
    (np.bool_(True), 1.0), (np.longdouble(2), 2.0), (np.array(3.0), 3.0), (np.array(3), 3.0), (np.float16(inf), inf),
]  # fmt: skip


@pytest.mark.parametrize(("number", "expected"), NUMBERS)
def test_every_real_number_is_an_operand(number, expected):
    v = Value(2.0)
    assert Value(number).data == expected
    assert type(Value(number).data) is float
    for operation in (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow):
        with np.errstate(all="ignore"):
            for result, reference in [
                (operation(v, number), operation(v, Value(expected))),
                (operation(number, v), operation(Value(expected), v)),
            ]:
                assert type(result) is Value
                assert result.data == approximately(reference.data)
    for compare in (operator.lt, operator.le, operator.gt, operator.ge):
        assert bool(compare(v, number)) is compare(2.0, expected)
        assert bool(compare(number, v)) is compare(expected, 2.0)


@pytest.mark.parametrize(("number", "expected"), NUMBERS)
@pytest.mark.parametrize("name", ["add", "mul", "pow", "less", "less_equal", "equal", "both", "either"])
def test_every_function_takes_every_real_number_on_both_sides(name, number, expected):
    op = OPERATIONS[name]
    for left, right in itertools.product((Value(0.0), Value(3.0), number), (Value(1.0), number)):
        reference = op(*(Value(expected) if x is number else x for x in (left, right)))
        result = op(left, right)
        assert float(result) == approximately(reference.data)


@pytest.mark.parametrize("number", [number for number, _ in NUMBERS])
def test_lists_mix_values_and_every_real_number(number):
    x = Value(2.0)
    for values in ([x, number], [number, x], (x, number), (number, x), [number, number, x]):
        plain = [float(v) if isinstance(v, Value) else Value(number).data for v in values]
        for op in (total, mean, logsumexp):
            assert op(values).data == approximately(op(plain))
        assert dot(values, values).data == approximately(dot(plain, plain))
        assert maximum(*values).data == max(plain)
        for index in range(len(values)):
            assert take(index, values).data == plain[index]
            assert take(Value(index), values).data == plain[index]
    assert where(True, number, x).data == where(False, x, number).data == Value(number).data


def test_a_fraction_beyond_the_floats_is_infinite():
    huge = Fraction(-(10**400))
    assert Value(huge).data == (Value(2.0) + huge).data == (huge * Value(2.0)).data == -inf


# What is refused.

NOT_NUMBERS = {
    "'3'": ("3", r"got '3'; convert text with float\(...\)"),
    "bytes": (b"3", r"got b'3'; convert text with float\(...\)"),
    "numpy text": (np.str_("3"), r"convert text with float\(...\)"),
    "None": (None, "got None; is a `return` missing"),
    "complex": (1j, "got 1j; for a complex number, use two Values"),
    "numpy complex": (np.complex128(1j), "for a complex number, use two Values"),
    "list": ([1.0, 2.0], r"got \[1.0, 2.0\]; for a list, build one Value per item"),
    "tuple": ((1.0,), r"got \(1.0,\); for a list, build one Value per item"),
    "dict": ({}, "for a list, build one Value per item"),
    "object": (object(), "got <object object>; convert it first"),
    "function": (math.sin, "convert it first"),
}
NOT_A_NUMBER = pytest.mark.parametrize(("thing", "words"), NOT_NUMBERS.values(), ids=NOT_NUMBERS)


@NOT_A_NUMBER
def test_a_value_of_something_else_is_refused(thing, words):
    with pytest.raises(TypeError, match=f"^Value takes a real number, .*{words}"):
        Value(thing)


def test_a_value_of_a_value_is_refused():
    with pytest.raises(TypeError, match=r"^Value takes a real number, got Value\(data=1.0.*one already"):
        Value(Value(1))


def test_a_value_of_an_array_is_refused():
    with pytest.raises(TypeError, match="for a list, build one Value per item"):
        Value(np.array([1.0, 2.0]))


@NOT_A_NUMBER
def test_operators_refuse_something_else(thing, words):
    for operation in (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow):
        for left, right in ((Value(2.0), thing), (thing, Value(2.0))):
            with pytest.raises(TypeError, match=f"takes a real number, .*{words}"):
                operation(left, right)


@NOT_A_NUMBER
def test_comparisons_refuse_something_else(thing, words):
    for compare in (operator.lt, operator.le, operator.gt, operator.ge):
        for left, right in ((Value(2.0), thing), (thing, Value(2.0))):
            with pytest.raises(TypeError, match=f"takes a real number, .*{words}"):
                compare(left, right)


@NOT_A_NUMBER
@pytest.mark.parametrize("op", [op for op in OPERATIONS.values() if op.scalars], ids=str)
def test_functions_refuse_something_else(op, thing, words):
    for position in range(op.scalars):
        for other in (Value(2.0), 2.0):
            args = [other] * op.scalars
            args[position] = thing
            with pytest.raises(TypeError, match=f"^{op.name} takes a real number, .*{words}"):
                op(*args)


@NOT_A_NUMBER
def test_lists_refuse_something_else(thing, words):
    v = Value(2.0)
    for op, args in [
        (total, ([v, thing],)), (total, ((thing, v),)), (mean, ([thing],)), (logsumexp, ((v, thing),)),
        (maximum, (v, thing)), (minimum, (thing, v)), (where, (v, v, thing)), (where, (thing, v, v)),
        (dot, ((v, v), (v, thing))), (dot, ([thing], [v])), (take, (0, (v, thing))), (take, (thing, (v, v))),
    ]:  # fmt: skip
        with pytest.raises(TypeError, match=f"^{op.name} takes a real number, .*{words}"):
            op(*args)


CALLS = [
    (lambda v: total(v), TypeError, r"sum takes a list or tuple of Values and numbers, got Value"),
    (lambda v: total("12"), TypeError, "sum takes a list or tuple"),
    (lambda v: dot(v, v), TypeError, "dot takes a list or tuple"),
    (lambda v: dot([v], [v, v]), ValueError, "1 weights do not fit 2 inputs"),
    (lambda v: dot((v, v), (v,)), ValueError, "2 weights do not fit 1 inputs"),
    (lambda v: dot((v, v), ()), ValueError, "2 weights do not fit 0 inputs"),
    (lambda v: dot((), (v,)), ValueError, "0 weights do not fit 1 inputs"),
    (lambda v: maximum(), ValueError, "maximum of no values is not defined"),
    (lambda v: minimum(), ValueError, "minimum of no values is not defined"),
    (lambda v: mean([]), ValueError, "mean of no values is not defined"),
    (lambda v: logsumexp([]), ValueError, "logsumexp of no values is not defined"),
    (lambda v: ops.add(v), TypeError, r"add takes \(x, y\), got 1 argument"),
    (lambda v: ops.exp(v, v), TypeError, r"exp takes \(x\), got 2 argument"),
    (lambda v: where(v, v), TypeError, "where takes"),
    (lambda v: where(v, v, v, v), TypeError, "where takes"),
    (lambda v: take(2, [v, v]), IndexError, r"take: index 2.* is not one of the 2 positions 0..1"),
    (lambda v: take(-1, [v, v]), IndexError, "index -1"),
    (lambda v: take(0.5, [v, v]), IndexError, "index 0.5"),
    (lambda v: take(nan, [v, v]), IndexError, "index nan"),
    (lambda v: take(inf, [v, v]), IndexError, "index inf"),
    (lambda v: take(Value(2.0), [v, v]), IndexError, "index 2.0"),
    (lambda v: take(2, [1.0, 2.0]), IndexError, "index 2"),
    (lambda v: take(0, []), (IndexError, ValueError), "take"),
]


@pytest.mark.parametrize(("call", "error", "words"), CALLS)
def test_wrong_calls_say_what_is_wrong(call, error, words):
    with pytest.raises(error, match=words):
        call(Value(3.0))


def test_sums_of_nothing_are_zero():
    assert total([]) == 0.0
    assert dot([], []) == 0.0


@pytest.mark.parametrize("kind", [list, tuple, iter, np.array], ids=["list", "tuple", "iterator", "array"])
def test_any_iterable_is_a_list_of_operands(kind):
    for numbers_first in (False, True):
        a, b = Value(2.0), Value(3.0)
        left, right = ([a, b], [5.0, 7.0]) if not numbers_first else ([5.0, 7.0], [a, b])
        result = dot(kind(left), kind(right))
        result.backward()
        assert (result.data, a.grad, b.grad) == (31.0, 5.0, 7.0)
        result = dot((a, b), kind([b, a])) + total(kind([a, b])) + take(a - 2.0, kind([a, b]))
        result.backward()
        assert (result.data, a.grad, b.grad) == (12.0 + 5.0 + 2.0, 5.0 + 6.0 + 2.0, 7.0 + 4.0 + 1.0)


def test_a_list_that_changes_later_does_not_change_the_graph():
    a, b, weights = Value(2.0), Value(3.0), [5.0, 7.0]
    inputs = [a, b]
    for result in (dot((a, b), inputs), dot(weights, inputs), total(inputs), take(0, inputs)):
        inputs.clear()
        assert len(result.operands) in (2, 4)
        inputs += [a, b]


# NumPy on the left.


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int64, np.bool_, np.array])
def test_numpy_scalars_on_the_left_give_values(kind):
    v = Value(2.0)
    three = kind(1) if kind is np.bool_ else kind(3)
    n = float(three)
    for operation in (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow):
        result = operation(three, v)
        assert type(result) is Value
        assert result.data == operation(n, 2.0)
        result.backward()


def test_an_array_beside_a_value_computes_element_by_element():
    v, array = Value(2.0), np.array([1.0, 2.0])
    for operation in (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow):
        for result, numbers in [
            (operation(array, v), operation(array, 2.0)),
            (operation(v, array), operation(2.0, array)),
        ]:
            assert result.dtype == object
            assert all(type(x) is Value for x in result)
            assert [x.data for x in result] == numbers.tolist()
    for compare in (operator.lt, operator.le, operator.gt, operator.ge):
        assert compare(array, v).tolist() == compare(array, 2.0).tolist()
        assert compare(v, array).tolist() == compare(2.0, array).tolist()


def test_matrices_of_values_multiply():
    weights = np.array([[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]])
    inputs = np.array([Value(5.0), Value(6.0)])
    outputs = weights @ inputs
    assert [y.data for y in outputs] == [17.0, 39.0]
    outputs.sum().backward()
    assert [[w.grad for w in row] for row in weights] == [[5.0, 6.0], [5.0, 6.0]]
    assert [x.grad for x in inputs] == [4.0, 6.0]
    assert [y.data for y in weights @ np.array([5.0, 6.0])] == [17.0, 39.0]
    assert [y.data for y in np.array([[1.0, 2.0], [3.0, 4.0]]) @ inputs] == [17.0, 39.0]
    assert (weights.mean() * 4.0).data == 10.0


def test_numpy_functions_of_object_arrays_give_values():
    numbers = np.array([0.25, 0.5])
    values = np.array([Value(x) for x in numbers])
    for name in (
        "exp",
        "expm1",
        "log",
        "log1p",
        "sqrt",
        "sin",
        "cos",
        "tan",
        "sinh",
        "cosh",
        "tanh",
        "abs",
        "negative",
    ):
        function = getattr(np, name)
        results = function(values)
        assert all(type(y) is Value for y in results)
        assert [y.data for y in results] == pytest.approx(function(numbers).tolist(), rel=1e-15)
    assert np.maximum(values, values[::-1])[0] is values[1]


# Identity, truth, assignment.


def test_equality_and_hash_are_identity():
    a, b = Value(3.0), Value(3.0)
    assert a == a
    assert a != b
    assert len({a, b, a}) == 2
    assert [b, a].index(a) == 1


def test_comparisons_compare_data():
    a, b = Value(2.0), Value(3.0)
    assert a < b
    assert a <= b
    assert b > a
    assert b >= a
    assert not a < a
    assert a <= a
    assert 1 < a < 2.5
    assert not a < nan
    assert not Value(nan) <= Value(nan)
    assert max(a, b) is b
    assert sorted([b, a]) == [a, b]
    with pytest.raises(TypeError, match="'3'"):
        assert a < "3"


def test_bool_and_float_give_the_data():
    assert bool(Value(0.0)) is bool(Value(-0.0)) is False
    assert bool(Value(2.0)) is bool(Value(nan)) is True
    assert float(Value(2.5)) == 2.5
    assert type(float(Value(2))) is float
    assert math.exp(Value(0.0)) == 1.0
    assert f"{Value(2.0):.3f}" == "2.000"


def test_augmented_assignment_rebinds():
    a = Value(2.0)
    b = before = a
    b += 1.0
    b *= a
    assert before is a
    assert (a.data, b.data) == (2.0, 6.0)
    b.backward()
    assert a.grad == 5.0


def test_plain_sum_of_values_works():
    a, b = Value(2.0), Value(3.0)
    result = sum([a, b, 1])
    result.backward()
    assert (result.data, a.grad) == (6.0, 1.0)
