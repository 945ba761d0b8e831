"""Why a gradient is 0, tiny, huge, inf or nan: the sentence, and the value that is the cause."""

import pytest

from scalargrad import ops
from scalargrad.engine import gradients, topological_order
from scalargrad.explaining.causes import Causes
from scalargrad.explaining.explanation import explain
from scalargrad.explaining.templates import SENTENCES
from tests.explaining.graphs import words_of
from tests.explaining.odd_gradients import CASES, leaf, named, of


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
