"""Why a gradient is 0, tiny, huge, inf or nan: the sentence, and the value that is the cause."""

import math

import pytest

from scalargrad import ops
from scalargrad.engine import Value, gradients, topological_order
from scalargrad.explaining.causes import Causes
from scalargrad.explaining.explanation import explain
from scalargrad.explaining.templates import SENTENCES
from tests.explaining.graphs import words_of


def named(label, value):
    value.label = label
    return value


def leaf(label, data):
    return Value(float(data), label)


def off_relu():
    x, w = leaf("x", 2), leaf("w", -3)
    h = named("h", (x * w).relu())
    return named("L", (h - 1.0) ** 2)


def halved():
    y = leaf("x", 2)
    for _ in range(40):
        y = y * 0.5
    return named("y", y)


def doubled():
    y = leaf("x", 2)
    for _ in range(40):
        y = y * 2.0
    return named("y", y)


def zero_factor():
    return named("o", named("p", leaf("x2", 0) * leaf("w2", 1)) + leaf("b", 1))


def of(function, label="y"):
    """A graph of one x, at this number."""
    return lambda data: lambda: named(label, function(leaf("x", data)))


# A graph, the value asked about, the sentence, and the cause.
CASES = {
    "a factor": (zero_factor, "w2", "w2 is multiplied by x2, and x2 is 0: however w2 moves, p stays 0.", "x2"),
    "a constant factor": (of(lambda x: x * 0.0)(3), "x", "x is multiplied by 0: however x moves, y stays 0.", "y"),
    "a dot": (
        lambda: named("y", ops.dot([leaf("x", 2), leaf("z", 1)], [leaf("w", 0), leaf("v", 1)])),
        *("x", "x is multiplied by w, and w is 0: however x moves, its part of y stays 0.", "w"),
    ),
    "an off relu": (
        off_relu,
        *("w", "On the way from w to L, at h: relu is off, since its input −6 is not above 0.", "h"),
    ),
    "an off relu here": (
        of(lambda x: x.relu())(-0.4),
        *("x", "relu is off, since its input −0.4 is not above 0.", "y"),
    ),
    "a flat tanh": (
        of(lambda x: x.tanh())(800),
        *("x", "tanh is saturated: where x is 800, it is flat.", "y"),
    ),
    "a flat power": (
        of(lambda x: x**2)(0),
        *("x", "x**2 is flat where x is 0: ∂y/∂x is 2 × x = 2 × 0.", "y"),
    ),
    "a flat cosine": (
        of(lambda x: x.cos())(0),
        *("x", "cos(x) is flat where x is 0: ∂y/∂x is −sin(x) = −sin(0).", "y"),
    ),
    "another one": (
        lambda: named("y", ops.maximum(leaf("x", 1), leaf("z", 2))),
        *("x", "maximum took z = 2, and not x.", "y"),
    ),
    "a choice": (
        lambda: named("y", ops.where(leaf("c", 0), leaf("x", 1), leaf("z", 2))),
        *("x", "where chose the other one, since c is false.", "y"),
    ),
    "an index": (
        lambda: named("y", ops.take(leaf("i", 1), [leaf("x", 1), leaf("z", 2)])),
        *("i", "take only chooses by i: it has no slope by it.", "y"),
    ),
    "no path": (
        of(lambda x: ops.step(x) * 2.0)(3),
        *("x", "x reaches y only through step, which has no slope to pass on.", "step(x)"),
    ),
    "two terms": (
        of(lambda x: x * 3.0 - x * 3.0)(1),
        *("x", "2 terms of ∂y/∂x cancel: −3 + 3 = 0.", "x"),
    ),
    "two terms that nearly cancel": (
        of(lambda x: x * 3.0000001 - x * 3.0)(1),
        *("x", "2 terms of ∂y/∂x nearly cancel: −3 + 3 = 1e−7.", "x"),
    ),
    "dead ends": (
        lambda: named("y", (lambda x: (x * -1.0).relu() + (x * -2.0).relu())(leaf("x", 2))),
        "x",
        "Each of the 2 ways from x to y ends at a 0; one of them: relu is off, since its input −4 is not above 0.",
        None,
    ),
    "less than the smallest float": (
        of(lambda x: x * 1e-200 * 1e-200)(1),
        *("x", "1e−200 × 1e−200 is smaller than the smallest float: 0 is left of it.", "x*1e−200"),
    ),
    "a saturated tanh": (
        of(lambda x: (x * 2.0).tanh())(3),
        "x",
        "On the way from x to y, at y: tanh is saturated: where x*2 is 6, it passes on only 2.458e−5 of a change.",
        "y",
    ),
    "a small factor": (
        lambda: named("y", leaf("x", 3) * leaf("w", 1e-5)),
        *("x", "∂y/∂x is only 1e−5.", "w"),
    ),
    "many small factors": (
        halved,
        *("x", "40 factors multiply to 9.095e−13, of which the smallest is ∂(x*0.5)/∂x = 0.5.", "x*0.5"),
    ),
    "a large factor": (of(lambda x: 1.0 / x)(1e-4), "x", "∂y/∂x is −1e8.", "y"),
    "many large factors": (
        doubled,
        *("x", "40 factors multiply to 1.1e12, of which the largest is ∂(x*2)/∂x = 2.", "x*2"),
    ),
    "the first number": (
        of(lambda x: x.log() * 2.0)(0),
        *("x", "log(x) is −inf, the first number that is not finite: log(0).", "log(x)"),
    ),
    "a number that was given": (
        of(lambda x: x * x)(math.nan),
        *("x", "x is NaN, the first number that is not finite.", "x"),
    ),
    "a steep root": (
        of(lambda x: x.sqrt())(0),
        *("x", "sqrt(x) is infinitely steep where x is 0: ∂y/∂x is inf.", "y"),
    ),
    "0 times inf": (
        of(lambda x: (x * x).sqrt())(0),
        *("x", "∂(x*x)/∂(1st x) is 0 and ∂y/∂(x*x) is inf, and 0 × inf is NaN.", "x*x"),
    ),
    "inf minus inf": (
        of(lambda x: x.sqrt() - x.sqrt())(0),
        *("x", "the terms of ∂y/∂x add up to NaN: −inf + inf.", "x"),
    ),
    "more than the largest float": (
        of(lambda x: x * 1e200 * 1e200)(1e-200),
        *("x", "1e200 × 1e200 is beyond the largest float.", "x*1e200"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_sentence_says_why(case):
    make, asked, sentence, cause = CASES[case]
    words, values = words_of(make())
    names = words.graph.names
    why = Causes(words).why(names.index(asked))
    assert why.sentence == sentence
    assert cause is None or names[why.cause] == cause
    explained = explain(values[-1], values[names.index(asked)])
    assert sentence.removesuffix(".") in (explained.reason, explained.why.removesuffix("."))


def test_every_sentence_is_used():
    said = [sentence for _, _, sentence, _ in CASES.values()]
    plain = {"output", "rises", "falls", "still", "none"}
    for kind in SENTENCES.keys() - plain:
        pieces = SENTENCES[kind].replace("{", "\0{").replace("}", "}\0").split("\0")
        fixed = max((piece for piece in pieces if "{" not in piece), key=len)
        assert any(fixed in sentence for sentence in said), kind


@pytest.mark.parametrize("gradient", [0.5, -2.0, 100.0])
def test_of_an_ordinary_gradient_nothing_is_asked(gradient):
    x = leaf("x", 1)
    words, _ = words_of(x * gradient)
    assert Causes(words).why(0) is None
    assert explain(x * gradient, x).why == ""


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (of(lambda x: x * -1.5, "o")(2), "Raise x by 0.01, and o falls by about 0.015."),
        (of(lambda x: x * 2.0, "o")(2), "Raise x by 0.01, and o rises by about 0.02."),
        (of(lambda x: x * 0.0, "o")(2), "Move x a little, and o stays as it is."),
        (of(lambda x: x.log(), "o")(0), "Here o has no slope by x that is a number: ∂o/∂x is inf."),
        (lambda: leaf("x", 1), "x is the output: its gradient by itself is 1."),
    ],
)
def test_a_gradient_says_what_follows(make, sentence):
    assert words_of(make())[0].says(0) == sentence


def test_the_recorded_gradients_are_those_of_the_graph():
    for case in CASES:
        words, values = words_of(CASES[case][0]())
        for value, found in zip(values, words.graph.grad, strict=False):
            assert found == pytest.approx(gradients(values[-1], value), rel=1e-12, nan_ok=True)


def test_an_explanation_of_an_off_relu_is_one_sentence():
    xs = [leaf(f"x{k}", k) for k in range(1, 9)]
    w = leaf("w", -1)
    h = named("h", ops.sum([x * w for x in xs]).relu())
    loss = named("L", (h - 1.0) ** 2)
    loss.backward()
    assert str(explain(loss, w)).splitlines() == [
        "8 paths lead from w to L, and the product of each is 0.",
        "∂L/∂w = 0",
        "On the way from w to L, at h: relu is off, since its input −36 is not above 0.",
        "Checked: gradients() and the grad of w give the same.",
    ]
    assert "relu is off" in explain(loss, w)._repr_latex_()


@pytest.mark.long
def test_causes_of_a_deep_graph_are_found_without_recursion():
    x = value = leaf("x", 1)
    for _ in range(30_000):
        value = value * 0.999
    assert "30,000 factors multiply to" in explain(value, x).why
    assert explain(value.relu() * 0.0, x).why.startswith("On the way from x to output, at output: v")
    assert len(topological_order(value)) == 30_001
