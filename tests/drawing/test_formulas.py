"""Operations in words: one writer for names in pictures, for legends of explanations and for steps."""

import pytest

from scalargrad.drawing.formulas import CODE, COMPACT, TEXTBOOK, arguments_of, badge_of
from scalargrad.engine import Value
from scalargrad.ops import both, dot, either, invert, leaky_relu, less_equal, sum

X, W = Value(2.0, "x"), Value(-3.0, "w")


@pytest.mark.parametrize(
    ("value", "code", "compact", "textbook", "badge"),
    [
        (X * W, "x*w", "x*w", "x × w", "×"),
        (X - W, "x-w", "x − w", "x − w", "−"),
        (X * -3.0, "x*−3", "x*(−3)", "x × (−3)", "×(−3)"),
        (-3.0 * X, "−3*x", "(−3)*x", "−3 × x", "−3×"),
        (X - -1.0, "x-−1", "x − (−1)", "x − (−1)", "−(−1)"),
        (X**2, "x**2", "x**2", "x**2", "**2"),
        (1 / X, "1/x", "1/x", "1 / x", "1/"),
        (-X, "-x", "−x", "−x", "−"),
        (X.tanh(), "tanh(x)", "tanh(x)", "tanh(x)", "tanh"),
        (
            leaky_relu(X, 0.01),
            "leaky_relu(x, 0.01)",
            "leaky_relu(x, 0.01)",
            "leaky_relu(x, 0.01)",
            "leaky_relu(·, 0.01)",
        ),
        (less_equal(X, W), "x<=w", "x<=w", "x ≤ w", "≤"),
        (both(X, W), "x and w", "x and w", "x and w", "and"),
        (either(X, 1.0), "x or 1", "x or 1", "x or 1", "or 1"),
        (invert(X), "not(x)", "invert(x)", "invert(x)", "not"),
        (sum([X, W]), "sum([x, w])", "sum([x, w])", "sum([x, w])", "Σ"),
        (dot([X], [2.0]), "dot([x], [2])", "dot([x], [2])", "dot([x], [2])", "dot(·, 2)"),
    ],
    ids=str,
)
def test_an_operation_in_words(value, code, compact, textbook, badge):
    operands = arguments_of(value, lambda x: x.label or f"{x.data:g}")
    written = [spelling.formula(value.op, operands) for spelling in (CODE, COMPACT, TEXTBOOK)]
    assert [*written, badge_of(value)] == [code, compact, textbook, badge]
