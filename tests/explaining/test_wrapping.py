"""Wrapped LaTeX: nothing is lost, nothing is wider than a cell, and brackets stay whole."""

import re

import pytest

from scalargrad import MLP, Value, explain
from scalargrad.explaining import wrapping
from scalargrad.explaining.wrapping import ROOM, wrapped


def through(values):
    """A long chain, and a sum of many paths."""
    x = Value(0.5, "input")
    y = x
    for _ in range(values):
        y = (y * 1.01).tanh() + y
    return y, x


def network():
    model = MLP(2, [16, 16, 1], rng=0)
    return model([0.5, -1.0]), model.parameters()[0]


CASES = {"a chain": through(1), "a sum": through(7), "a network": network()}


def joined(lines):
    """The lines without their breaks, and their words without brackets."""
    text = "".join(line.replace("&", "") for line in lines)
    return re.sub(r"\\qquad|\s|\\text\{([^{}]*)\}", r"\1", text)


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_lost_and_nothing_is_wider_than_the_cell(case, monkeypatch):
    output, wrt = CASES[case]
    found = explain(output, wrt)
    lines = found._repr_latex_().split("\n")[1:-1]
    lines = [line.removesuffix(r" \\") for line in lines]
    monkeypatch.setattr(wrapping, "ROOM", 1e9)
    monkeypatch.setattr(wrapping, "WIDEST_HEAD", 1e9)
    plain = [line.removesuffix(r" \\") for line in found._repr_latex_().split("\n")[1:-1]]
    assert joined(lines) == joined(plain)
    assert all(line.count("&") == 1 for line in lines)
    assert max(sum(map(wrapping._width, line.split("&"))) for line in lines) <= ROOM + 30
    for line in lines:
        bare = re.sub(r"\\[{}]", "", line)
        assert bare.count("{") == bare.count("}")


def test_short_lines_stay_as_they_are():
    lines = [r"\frac{\partial y}{\partial x} &= 3 \times (-2) \times 1 = -6", r" &+ 1 \quad \text{75 }\%"]
    assert wrapped(lines) == lines


def test_a_long_line_is_broken_before_signs_and_not_in_brackets():
    (first, *others) = wrapped([r"x &= " + r" \times ".join(["(-1.234)"] * 60)])
    assert first.startswith(r"x &= (-1.234) \times (-1.234)")
    assert all(re.match(r"&\\qquad \\times \(-1\.234\)", line) for line in others)
    assert len(others) >= 4


def test_a_wide_name_stands_above_its_lines():
    head = rf"\frac{{\partial y}}{{\partial \mathrm{{{'long' * 9}}}}}"
    assert wrapped([rf"{head} &= 1 + 2", " &= 3"]) == [f"&{head}", r"&\qquad = 1 + 2", r"&\qquad = 3"]
