"""A Value where Python, NumPy and micrograd ask for a number: conversions, `==`, names, and backward(gradient)."""

import inspect
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
