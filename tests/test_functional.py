"""Derivatives of functions: against formulas, PyTorch, and each other."""

import pytest

from scalargrad.engine import Value, gradients
from scalargrad.functional import GradcheckError, grad, gradcheck, hessian, hvp, jvp, value_and_grad
from scalargrad.ops import OPERATIONS, dot, exp, maximum, sin, tanh, where
from tests.oracle import oracle


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


def test_the_gradient_agrees_with_pytorch():
    torch = oracle("torch")
    expected = torch.func.grad(bumpy_in_torch(torch))(torch.tensor(POINT, dtype=torch.float64))
    assert grad(bumpy)(POINT) == pytest.approx(expected.tolist(), rel=1e-12)


def test_the_hessian_agrees_with_pytorch():
    torch = oracle("torch")
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
