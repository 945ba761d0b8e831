"""A Value where Python, NumPy and micrograd ask for a number: conversions, `==`, names, and backward(gradient)."""

import inspect
import itertools
import math
import operator
import unittest
import warnings
from fractions import Fraction

import numpy
import pytest

import scalargrad
from scalargrad import Value
from scalargrad.compiler import TraceError

CONVERSIONS = {
    "float": float,
    "int": int,
    "bool": bool,
    "abs": lambda x: float(abs(x)),
    "round": round,
    "round to digits": lambda x: round(x, 1),
    "round to tens": lambda x: round(x, -1),
    "floor": math.floor,
    "ceil": math.ceil,
    "trunc": math.trunc,
    "a format": lambda x: f"{x:.3f}",
    "item": lambda x: x.item() if isinstance(x, Value) else float(x),
    "plus": lambda x: float(+x),
}


@pytest.mark.parametrize("name", CONVERSIONS)
def test_conversions_give_pythons_numbers(name):
    convert = CONVERSIONS[name]
    for number in (2.5, -2.5, 0.5, 1.5, -0.0, 3.0, 1234.56, 1e300):
        found = convert(Value(number))
        assert (found, type(found)) == (convert(number), type(convert(number)))


@pytest.mark.parametrize("convert", [int, round, math.floor, math.ceil, math.trunc])
@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_what_is_no_whole_number_is_the_error_of_a_float(convert, number):
    with pytest.raises((OverflowError, ValueError)) as right:
        convert(number)
    with pytest.raises(right.type, match=str(right.value)):
        convert(Value(number))


def test_plus_is_the_value_itself():
    v = Value(2.5)
    assert +v is v
    array = numpy.array([v])
    assert (+array)[0] is v


# Equality.


def written_here(compare):
    """The one warning of a comparison, at the line that compares."""
    with pytest.warns(UserWarning, match="ask whether it is the same Value") as caught:
        result = compare()
    (warning,) = caught
    assert warning.filename == __file__
    return result, str(warning.message)


@pytest.mark.parametrize("number", [0.0, 0, True, 2.5, math.nan, Fraction(5, 2), numpy.float64(2.5), numpy.int64(2)])
def test_equality_with_a_number_is_never_true_and_says_so(number):
    v = Value(2.5)
    result, message = written_here(lambda: v == number)
    assert result is False
    assert f"v.data == {number!r}" in message
    assert f"equal(v, {number!r})" in message
    assert written_here(lambda: v != number)[0] is True
    if not isinstance(number, numpy.generic):
        assert written_here(lambda: number == v)[0] is False
    assert written_here(lambda: v in [number])[0] is False


def test_a_line_warns_once():
    v, code = Value(1.0), compile("for _ in range(5): v == 0.0", "lesson.py", "exec")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        exec(code, {"v": v, "__name__": "lesson"})
        exec(code, {"v": v, "__name__": "lesson", "__warningregistry__": {}})
    assert [(warning.filename, warning.lineno) for warning in caught[:1]] == [("lesson.py", 1)]
    assert len(caught) == 2  # of two modules


def test_identity_is_asked_without_a_warning():
    v, other, same = Value(2.5), Value(2.5), "2.5"
    assert v == v
    assert operator.ne(v, v) is False
    assert v != other
    for thing in (None, same, [], [2.5], (), 1j, object(), math, {}, ...):
        assert v != thing
        assert operator.eq(v, thing) is False
        assert thing != v
    assert v in [other, v]
    assert v not in [other, None]
    assert [other, v].index(v) == 1
    assert {v: "v", other: "other"}[v] == "v"
    assert len({v, other, v}) == 2
    assert hash(v) != hash(other)
    assert hash(v) == object.__hash__(v)


def test_arrays_compare_item_by_item():
    v, other = Value(1.0), Value(0.0)
    array = numpy.array([v, other])
    assert (array == array).tolist() == [True, True]
    assert (array == v).tolist() == (v == array).tolist() == [True, False]
    assert (array != array[::-1]).tolist() == [True, True]
    with pytest.warns(UserWarning, match=r"v\.data == 0\.0"):
        assert (array == 0.0).tolist() == [False, False]
    assert (array <= 0.0).tolist() == [False, True]


def test_test_tools_may_compare_what_they_are_given():
    """They ask `==` first, and how far it is then."""
    almost_equal = unittest.TestCase().assertAlmostEqual
    almost_equal(Value(2.5), 2.5)
    with pytest.raises(AssertionError):
        almost_equal(Value(2.5), 2.6)


def test_collections_of_many_values_never_ask_equality(monkeypatch):
    asked = []
    monkeypatch.setattr(Value, "__eq__", lambda self, other: asked.append(other) or NotImplemented)
    values = [Value(float(n)) for n in range(500)]
    output = scalargrad.dot(values, values) + sum(values)
    output.backward()
    scalargrad.gradients(output, values, create_graph=True)
    assert not [other for other in asked if not isinstance(other, Value)]


# backward(gradient).


def test_backward_takes_the_gradient_of_its_result():
    x = Value(3.0)
    y = x * x
    y.backward(2.0)
    assert (x.grad, y.grad) == (12.0, 2.0)
    y.backward(Value(-1.0))
    assert (x.grad, y.grad) == (6.0, -1.0)
    y.backward(gradient=numpy.float64(0.5))
    assert (x.grad, y.grad) == (9.0, 0.5)
    x.backward(True)
    assert x.grad == 10.0
    assert type(x.grad) is float


@pytest.mark.oracle("torch")
@pytest.mark.parametrize("gradient", [1.0, 0.0, -2.5, math.inf, math.nan])
def test_backward_of_a_gradient_is_pytorchs(gradient):
    import torch

    numbers = (0.7, -1.2)
    ours, theirs = [Value(x) for x in numbers], [torch.tensor(x, requires_grad=True).double() for x in numbers]
    for x in theirs:
        x.retain_grad()
    (ours[0] * ours[1] + ours[0].exp()).backward(gradient)
    (theirs[0] * theirs[1] + theirs[0].exp()).backward(gradient=torch.tensor(gradient, dtype=torch.float64))
    assert [x.grad for x in ours] == pytest.approx([x.grad.item() for x in theirs], rel=1e-6, nan_ok=True)


@pytest.mark.parametrize("gradient", [None, "1", [1.0], 1j, numpy.ones(2)], ids=repr)
def test_backward_refuses_what_is_no_gradient_and_leaves_all_as_it_is(gradient):
    x = Value(3.0)
    y = x * x
    y.backward()
    with pytest.raises(TypeError, match=r"^backward takes a real number, got"):
        y.backward(gradient)
    assert (x.grad, y.grad) == (6.0, 1.0)


# NumPy's functions, which ask the items of an object array for a method of their name.

UNARY = {
    "arcsin": 0.3, "arccos": 0.3, "arctan": 0.3, "arcsinh": 0.3, "arccosh": 1.3, "arctanh": 0.3, "sin": 0.3, "cos": 0.3,
    "tan": 0.3, "sinh": 0.3, "cosh": 0.3, "tanh": 0.3, "exp": 0.3, "exp2": 0.3, "expm1": 0.3, "log": 0.3, "log2": 0.3,
    "log10": 0.3, "log1p": 0.3, "sqrt": 0.3, "square": 0.3, "reciprocal": 0.3, "fabs": -0.3, "abs": -0.3, "rint": 2.5,
    "round": 2.5, "negative": 0.3, "positive": 0.3, "conjugate": 0.3, "conj": 0.3, "cumsum": 0.3, "cumprod": 0.3,
    "mean": 0.3, "var": 0.3, "std": 0.3, "prod": 0.3, "diff": 0.3, "ptp": 0.3, "max": 0.3, "linalg.norm": 0.3,
}  # fmt: skip
BINARY = [
    "add", "subtract", "multiply", "divide", "power", "arctan2", "hypot", "remainder", "mod", "floor_divide",
    "dot", "inner", "outer",
]  # fmt: skip
ASKING_THE_FIRST = ("arctan2", "hypot")  # for a method, which a float does not have


def numpy_function(name):
    return operator.attrgetter(name)(numpy)


def checked_as(found, right, values):
    """Values with NumPy's numbers, and gradients that lead to the operands."""
    found, right = numpy.ravel(numpy.array(found, object)), numpy.ravel(right)
    assert all(type(x) is Value for x in found)
    assert [x.data for x in found] == pytest.approx(right.tolist(), rel=1e-14)
    found.sum().backward()
    assert all(type(x.grad) is float for x in values)


@pytest.mark.parametrize("name", UNARY)
def test_numpys_functions_of_one_array(name):
    numbers = UNARY[name] + numpy.array([0.0, 0.1, 0.25])
    values = numpy.array([Value(x) for x in numbers])
    checked_as(numpy_function(name)(values), numpy_function(name)(numbers), values)
    item = Value(numbers[0])
    if isinstance(numpy_function(name), numpy.ufunc):
        checked_as(numpy_function(name)(item), numpy_function(name)(numbers[0]), [item])


@pytest.mark.parametrize("name", BINARY)
def test_numpys_functions_of_two_arrays(name):
    left, right = numpy.array([0.3, -1.7, 2.5]), numpy.array([0.7, 0.4, -2.0])
    left = abs(left) if name == "power" else left
    x, y = ([Value(n) for n in numbers] for numbers in (left, right))
    function = numpy_function(name)
    for first, second in itertools.product((numpy.array(x), left), (numpy.array(y), right)):
        if first.dtype == object or (second.dtype == object and name not in ASKING_THE_FIRST):
            checked_as(function(first, second), function(left, right), x + y)


def test_numpys_functions_along_an_axis():
    numbers = numpy.array([[3.0, 4.0], [-5.0, 12.0]])
    values = numpy.array([[Value(x) for x in row] for row in numbers])
    for function in (numpy.mean, numpy.var, numpy.std, numpy.linalg.norm, numpy.sum, numpy.cumsum, numpy.average):
        for axis in (0, 1):
            checked_as(function(values, axis=axis), function(numbers, axis=axis), values.ravel())
    checked_as(numpy.var(values, ddof=1), numpy.var(numbers, ddof=1), values.ravel())
    checked_as(numpy.round(values / 3.0, 1), numpy.round(numbers / 3.0, 1), values.ravel())
    checked_as(numpy.linalg.norm(values, ord=1, axis=0), numpy.linalg.norm(numbers, ord=1, axis=0), values.ravel())


def test_numpys_floor_ceil_and_trunc_are_those_of_math_and_give_numbers():
    values = numpy.array([Value(-1.5), Value(2.5)])
    for function, right in ((numpy.floor, [-2, 2]), (numpy.ceil, [-1, 3]), (numpy.trunc, [-1, 2])):
        found = function(values).tolist()
        assert (found, {type(x) for x in found}) == (right, {int})
    assert [x.data for x in (scalargrad.floor(x) for x in values)] == [-2.0, 2.0]


def test_numpys_maximum_minimum_and_clip_compare_and_choose():
    values = numpy.array([Value(-1.0), Value(2.0)])
    assert numpy.maximum(values, values[::-1])[0] is values[1]
    assert numpy.sort(values[::-1])[0] is values[0]
    assert numpy.clip(values, 0.0, 1.0).tolist() == [0.0, 1.0]  # no Value, and no gradient


def test_divmod_gives_values():
    x = Value(-7.5)
    for found in (divmod(x, 2), divmod(x, Value(2.0))):
        assert tuple(map(float, found)) == divmod(-7.5, 2.0)
    assert tuple(map(float, divmod(7, x))) == divmod(7.0, -7.5)


def test_numpys_functions_and_pythons_operators_compile():
    def function(x):
        array = numpy.array([x[0], x[1]])
        angles = numpy.arctan2(array, 2.0) + numpy.arcsinh(array) * numpy.log2(numpy.abs(array) + 1.0)
        whole, rest = divmod(x[0], 0.75)
        terms = numpy.rint(array), numpy.linalg.norm(array[None], axis=1), numpy.std(array), numpy.hypot(array, 3.0)
        return sum(map(numpy.sum, terms)) + angles.sum() + whole + rest + x[1] % 0.7 + x[1] // 0.3 + 7.5 % x[0]

    rows = [[0.9, -1.7], [-2.3, 0.4], [5.0, 6.0]]
    leaves = [[Value(x) for x in row] for row in rows]
    right = [function(row) for row in leaves]
    program = scalargrad.compile(function, backend="numpy")
    assert [program([row]) for row in rows] == pytest.approx([x.data for x in right], rel=1e-14)


# In a trace.

REFUSED = {
    "item": lambda x: x.item(),
    "int": int,
    "round": round,
    "round to digits": lambda x: round(x, 1),
    "floor": math.floor,
    "ceil": math.ceil,
    "trunc": math.trunc,
    "==": lambda x: x == 0.0,
    "!=": lambda x: x != 0.0,
    "in": lambda x: x in [0.0],
    "backward": lambda x: x.backward(2.0),
    "a gradient": lambda x: (Value(1.0) * 2.0).backward(x),
    "numpy.maximum": lambda x: numpy.maximum(x, 0.0),
    "numpy.minimum": lambda x: numpy.minimum(x, 0.0),
    "numpy.clip": lambda x: numpy.clip(numpy.array([x]), 0.0, 1.0)[0],
    "numpy.sort": lambda x: numpy.sort(numpy.array([x, 0.0]))[0],
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_traced_number_is_no_number(name):
    ask = REFUSED[name]
    line = inspect.getsourcelines(ask)[1] if inspect.isfunction(ask) and ask.__name__ == "<lambda>" else 0

    def function(x):
        found = ask(x[0])
        return x[0] * found

    with pytest.raises(TraceError, match=rf"test_protocol\.py:{line or chr(92) + 'd+'}: .*; ") as error:
        scalargrad.compile(function, backend="numpy")([[0.5]])
    assert "\n" not in str(error.value)
