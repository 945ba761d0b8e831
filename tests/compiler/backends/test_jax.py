"""A second oracle beside PyTorch: first and second derivatives of the table's functions against JAX, in float64."""

import pytest

from scalargrad.functional import grad, hessian
from scalargrad.ops import OPERATIONS, dot, exp, tanh

# Our operation -> JAX's function, by name in jax.numpy, jax.nn or jax.scipy.special.
THEIRS = {
    "numpy": "exp expm1 log log1p sqrt sin cos tan asin acos atan sinh cosh tanh abs",
    "nn": "sigmoid relu softplus",
    "scipy.special": "erf erfc",
}
pytestmark = pytest.mark.oracle("jax")
POINTS = (0.3, 0.7, -0.45)


def jax_in_float64():
    import jax

    jax.config.update("jax_enable_x64", True)
    return jax


def function_of(jax, place, name):
    module = jax
    for part in place.split("."):
        module = getattr(module, part)
    return getattr(module, name)


@pytest.mark.parametrize(
    ("place", "name"), [(place, name) for place, names in THEIRS.items() for name in names.split()]
)
def test_first_and_second_derivatives_are_jaxs(place, name):
    jax = jax_in_float64()
    theirs, ours = function_of(jax, place, name), OPERATIONS[name]
    for x in POINTS:
        if x < 0.0 and name in ("log", "sqrt"):
            continue
        assert grad(ours)(x) == pytest.approx(float(jax.grad(theirs)(x)), rel=1e-12, abs=1e-15)
        assert grad(grad(ours))(x) == pytest.approx(float(jax.grad(jax.grad(theirs))(x)), rel=1e-11, abs=1e-14)


def test_a_hessian_is_jaxs():
    jax = jax_in_float64()

    def ours(x):
        a, b, c = x
        return tanh(a * b + c) * exp(-a) + dot([a, b, c], [c, a, b]) ** 2 / (1.0 + b * b)

    def theirs(x):
        a, b, c = x
        return jax.numpy.tanh(a * b + c) * jax.numpy.exp(-a) + (a * c + b * a + c * b) ** 2 / (1.0 + b * b)

    point = [0.7, -1.3, 0.4]
    for row, expected in zip(hessian(ours)(point), jax.hessian(theirs)(jax.numpy.array(point)).tolist(), strict=True):
        assert row == pytest.approx(expected, rel=1e-12)
