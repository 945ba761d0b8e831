"""Explanations: the paths that are written out against all paths, listed one by one, and against the gradients."""

import math
import re
import tracemalloc
from dataclasses import asdict
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scalargrad import ops
from scalargrad.engine import Value, gradients, local_derivatives, topological_order
from scalargrad.explaining import explanation
from scalargrad.explaining.explanation import explain
from scalargrad.explaining.paths import links_from, sums_over_paths
from scalargrad.ops import dot, less, log, maximum, pow, step, sum, tanh, where


def worked_example(y=8.27):
    """x = 2, z1 = x·w, z2 = z1 + b, z3 = y − z2, L = z3², at w = 2 and b = 3, where z3 = 1.27."""
    values = {name: Value(data, name) for name, data in {"x": 2.0, "w": 2.0, "b": 3.0, "y": y}.items()}
    values["z1"] = values["x"] * values["w"]
    values["z2"] = values["z1"] + values["b"]
    values["z3"] = values["y"] - values["z2"]
    values["L"] = values["z3"] ** 2
    for name, value in values.items():
        value.label = name
    return values


def all_products(output, wrt):
    """The product of every path, from the output on, by listing the paths."""
    if output is wrt:
        return [[]]
    if output.op is None or output.op.partials is None:
        return []
    return [[slope, *rest] for x, slope in local_derivatives(output) for rest in all_products(x, wrt)]


SIX_DERIVATIVES = {"z3": 2.54, "y": 2.54, "z2": -2.54, "z1": -2.54, "b": -2.54, "w": -5.08}


@pytest.mark.parametrize(("name", "derivative"), SIX_DERIVATIVES.items())
def test_the_worked_example(name, derivative):
    values = worked_example()
    values["L"].backward()
    explained = explain(values["L"], values[name])
    assert explained.total == pytest.approx(derivative, rel=1e-12)
    assert explained.derivative == values[name].grad
    assert (explained.count, explained.agrees) == (1, True)


def test_the_worked_example_in_text():
    values = worked_example()
    values["L"].backward()
    assert str(explain(values["L"], values["w"])) == (
        "∂L/∂w = ∂L/∂z3 · ∂z3/∂z2 · ∂z2/∂z1 · ∂z1/∂w = 2.54 × (−1) × 1 × 2 = −5.08\n"
        "Checked: gradients() and the grad of w give the same."
    )
    assert str(explain(values["L"], values["z3"])).startswith("∂L/∂z3 = 2.54\n")


def test_the_worked_example_as_data():
    values = worked_example()
    (path,) = explain(values["L"], values["z2"]).paths
    assert [tuple(taken) for taken in path.steps] == [
        ("pow", "z3", "L", pytest.approx(2.54), 0),
        ("sub", "z2", "z3", -1.0, 0),
    ]
    assert (path.product, path.share) == (pytest.approx(-2.54), 1.0)
    assert asdict(explain(values["L"], values["z2"]))["count"] == 1


def test_its_update_loop_converges():
    w, b, x, y, rate = Value(2.0), Value(3.0), 2.0, 10.0, 0.1
    for _ in range(200):
        w.grad = b.grad = 0.0
        ((y - (w * x + b)) ** 2).backward()
        w.data -= rate * w.grad
        b.data -= rate * b.grad
    assert (w.data * x + b.data, w.data, b.data) == pytest.approx((10.0, 3.2, 3.6), rel=1e-12)


def test_several_paths_are_written_in_symbols_then_numbers_then_summed():
    a, b = Value(2.0, "a"), Value(3.0, "b")
    c, d = a + b, a * b
    y = (c + d) + c * d
    y.backward()
    assert str(explain(y, a, names=locals())).splitlines() == [
        "4 paths lead from a to y.",
        "∂y/∂a = ∂y/∂(c*d) · ∂(c*d)/∂d · ∂d/∂a",
        "      + ∂y/∂(c*d) · ∂(c*d)/∂c · ∂c/∂a",
        "      + ∂y/∂(c+d) · ∂(c+d)/∂d · ∂d/∂a",
        "      + ∂y/∂(c+d) · ∂(c+d)/∂c · ∂c/∂a",
        "      = 1 × 5 × 3 = 15   60 %",
        "      + 1 × 6 × 1 =  6   24 %",
        "      + 1 × 1 × 3 =  3   12 %",
        "      + 1 × 1 × 1 =  1    4 %",
        "      = 15 + 6 + 3 + 1 = 25",
        "Checked: gradients() and the grad of a give the same.",
    ]


def test_an_operand_that_stands_twice_gives_two_paths():
    a = Value(3.0, "a")
    explained = explain(a * a, a)
    assert (explained.count, explained.total) == (2, 6.0)
    assert [taken.occurrence for path in explained.paths for taken in path.steps] == [1, 2]
    assert "∂(a*a)/∂(1st a)" in str(explained)
    assert "∂(a*a)/∂(2nd a)" in str(explained)


def test_paths_that_are_not_shown_are_counted_and_added_up():
    xs = [Value(float(k), f"x{k}") for k in range(1, 6)]
    w = Value(2.0, "w")
    explained = explain(sum([x * w for x in xs]), w, show=2)
    assert explained.count == 5
    assert [path.product for path in explained.paths] == [5.0, 4.0]
    assert explained.shown_share == pytest.approx(9 / 15)
    text = str(explained)
    assert "5 paths lead from w to output; these are the 2 largest, 60 % of the sum of |products|." in text
    assert "+ ⋯ 3 more = 6\n" in text
    assert text.splitlines()[7].strip() == "= 15"


# Every path, one by one.


@st.composite
def graphs(draw):
    """(output, leaf) of a random graph in which results are shared, also twice by one operation."""
    numbers = st.sampled_from([-1.5, -1.0, 0.0, 0.5, 1.0, 2.0])
    values = [Value(draw(numbers), "a"), Value(draw(numbers), "b")]
    for _ in range(draw(st.integers(1, 9))):
        x, y = (draw(st.sampled_from(values[-5:])) for _ in range(2))
        operations = [x + y, x + x, x - y, x * y, x * x, -x, x * 0.5, tanh(x), maximum(x, y), step(x) * y]
        operations += [dot([x, y], [y, x]), sum([x, y, x]), where(less(x, y), x, y)]
        values.append(draw(st.sampled_from(operations)))
    return values[-1], values[0]


@given(graphs())
@settings(max_examples=60, deadline=None)
def test_the_listed_paths_are_all_paths_and_add_up_to_the_gradient(graph):
    check_listed(graph)


@pytest.mark.long
@given(graphs())
@settings(max_examples=300, deadline=None)
def test_the_listed_paths_of_many_graphs_are_all_paths(graph):
    check_listed(graph)


def check_listed(graph):
    output, leaf = graph
    expected = [math.prod(slopes, start=1.0) for slopes in all_products(output, leaf)]
    explained = explain(output, leaf, show=100_000)
    assert explained.count == len(expected) == len(explained.paths)
    assert sorted(path.product for path in explained.paths) == pytest.approx(sorted(expected), rel=1e-12)
    scale = math.fsum(map(abs, expected))
    assert explained.magnitude == pytest.approx(scale, rel=1e-12)
    assert explained.total == pytest.approx(gradients(output, leaf), rel=0, abs=1e-12 * max(1.0, scale))
    assert explained.agrees
    some = explain(output, leaf, show=3)
    assert (some.count, some.total) == (explained.count, pytest.approx(explained.total, rel=0, abs=1e-12 * (1 + scale)))
    assert str(some)
    assert some._repr_latex_()


AWKWARD = [0.0, -0.0, math.inf, -math.inf, math.nan, 1e-300, -1e-200, 1e300, -1e200, 1.0, -2.0, 3.0, 4.0]


def size(slopes):
    """How large a product is: nan before inf before numbers before 0; numbers exactly."""
    if any(math.isnan(x) for x in slopes) or (0.0 in slopes and any(map(math.isinf, slopes))):
        return 3, 0
    if any(map(math.isinf, slopes)):
        return 2, 0
    if 0.0 in slopes:
        return 0, 0
    return 1, math.prod(Fraction(abs(x)) for x in slopes)


LAYERS = st.lists(st.lists(st.sampled_from(AWKWARD), min_size=1, max_size=3), min_size=1, max_size=5)


@given(LAYERS, st.integers(1, 6))
@example([[2.0, 3.0], [4.0, 3.0]], 2)  # 3·3 is larger than 2·4, though the exponents of 2 and 4 add up to more
@settings(max_examples=60, deadline=None)
def test_the_shown_paths_are_the_largest_also_with_zeros_infinities_and_nan(layers, show):
    check_shown(layers, show)


@pytest.mark.long
@given(LAYERS, st.integers(1, 6))
@settings(max_examples=300, deadline=None)
def test_the_shown_paths_of_many_graphs_are_the_largest(layers, show):
    check_shown(layers, show)


def check_shown(layers, show):
    x = value = Value(1.0)
    for slopes in layers:
        value = sum([value * slope for slope in slopes])
    expected = sorted(map(size, all_products(value, x)), reverse=True)[:show]
    shown = [size([taken.derivative for taken in path.steps]) for path in explain(value, x, show=show).paths]
    assert [kind for kind, _ in shown] == [kind for kind, _ in expected]
    assert all(math.isclose(x / y, 1.0, rel_tol=1e-12) for (_, x), (_, y) in zip(shown, expected, strict=True) if y)


# Graphs with more paths than can be listed.


def test_paths_are_counted_exactly():
    a = value = Value(1.0, "a")
    for _ in range(300):
        value = sum([value] * 10)
    explained = explain(value, a, show=1)
    assert explained.count == 10**300
    assert explained.total == pytest.approx(1e300)
    assert "about 1e300 paths" in str(explained)
    assert "< 0.1 %" in str(explained)


def test_large_counts_do_not_fill_the_memory():
    a = value = Value(1.0, "a")
    for _ in range(20_000):
        value = value + value
    order = topological_order(value)
    links = links_from(order, a)
    tracemalloc.start()
    count, _, _ = sums_over_paths(order, links, a)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 2**20_000
    assert peak < 10e6  # bytes; all counts together have 27 million


@pytest.mark.long
def test_a_deep_graph_is_explained_without_recursion():
    a = value = Value(1.0, "a")
    depth = 100_000
    for _ in range(depth):
        value = value + value
    explained = explain(value, a, show=2)
    assert explained.count == 2**depth
    assert len(explained.paths[0].steps) == depth
    assert len(str(explained)) < 5_000
    assert "⋯ 99,990 more ⋯" in str(explained)
    assert "about 9.99e30102 paths" in str(explained)


# What there is to say when there is no path, or nothing agrees.


def test_no_path_is_said():
    a, b = Value(2.0, "a"), Value(3.0, "b")
    cases = [
        (a * 2.0, b, "∂(a*2)/∂b = 0: a*2 was not computed from b"),
        ((a * b).detach(), b, "detach()"),
        (step(a) + b, a, "= 0: a reaches output only through step, which has no slope to pass on"),
        (a, b, "∂a/∂b = 0: a is a leaf"),
        (a * b, Value(1.0), "∂(a*b)/∂wrt = 0"),
    ]
    for output, wrt, expected in cases:
        explained = explain(output, wrt)
        assert expected in str(explained)
        assert (explained.count, explained.total, explained.paths) == (0, 0.0, ())
        assert explained.agrees


def test_a_value_depends_on_itself_with_slope_1():
    a = Value(2.0, "a")
    explained = explain(a, a)
    assert (explained.count, explained.total) == (1, 1.0)
    assert str(explained).startswith("∂a/∂a = 1: ")


def test_no_path_leads_through_a_predicate():
    a = Value(2.0, "a")
    assert explain(where(less(a, 3.0), a * a, a), a).count == 3


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((Value(1.0), "w"), TypeError, "one Value as wrt, got 'w'"),
        ((3.0, Value(1.0)), TypeError, "one Value as output, got 3.0; pass the Value itself"),
        ((Value(1.0), [Value(1.0)]), TypeError, "call explain once for each"),
        ((Value(1.0), Value(1.0), {}, 0), ValueError, "at least 1"),
    ],
)
def test_wrong_arguments(arguments, error, words):
    with pytest.raises(error, match=re.escape(words)):
        explain(*arguments)


def test_a_grad_that_disagrees_is_reported():
    values = worked_example()
    loss, w = values["L"], values["w"]
    assert "backward() has not run" in explain(loss, w).check
    loss.backward()
    assert "the grad of w give the same" in explain(loss, w).check
    loss.backward()
    explained = explain(loss, w)
    assert not explained.agrees
    assert "2 times as much: backward() ran more than once" in explained.check
    assert "2 times as much" in explained._repr_latex_()
    w.grad = 17.0
    assert "is 17: " in explain(loss, w).check
    (w * 3.0 + loss).backward()
    w.grad, loss.grad = 3.0, 0.0
    assert "from another output" in explain(loss, w).check


def test_the_gradient_that_backward_was_given_is_said():
    w = Value(3.0, "w")
    loss = w * w
    loss.backward(0.5)
    explained = explain(loss, w)
    assert explained.agrees
    assert explained.check.endswith("The grad of w is 3: 0.5 times as much, as the grad of the output is 0.5.")


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda x, y: x % y, "x % y"),
        (lambda x, y: (x + 1.0) * (x // y), "(x+1)*(x//y)"),
        (lambda x, y: ops.hypot(x, y), "hypot(x, y)"),
        (lambda x, y: ops.clamp(x, y, y * y + 4.0), "clamp(x, [y,"),
    ],
)
def test_whole_numbers_and_remainders_are_written_with_their_signs(make, text):
    x, y = Value(7.5, "x"), Value(2.0, "y")
    output = make(x, y)
    assert text.replace(" ", "") in str(explain(output + 0.0, x)).replace(" ", "")


def test_paths_and_gradients_that_disagree_are_reported(monkeypatch):
    values = worked_example()
    monkeypatch.setattr(explanation, "gradients", lambda output, wrt: -5.09)
    explained = explain(values["L"], values["w"])
    assert not explained.agrees
    assert "They disagree: the paths add up to -5.0" in str(explained)
    assert "disagree" in explained._repr_latex_()


def test_an_overflow_on_the_way_is_reported():
    a = Value(1.0, "a")
    value = sum([a * 1e-200, a * 0.0]) * 1e-200 * 1e200
    shown = explain(value, a)
    assert shown.agrees
    assert shown.paths[-1].product == 0.0
    broken = sum([sum([a] * 9) * 1e-200]) * 1e200 * 1e200
    explained = explain(broken, a)  # forward the paths add up to a number, backward the slope is inf
    assert math.isinf(explained.derivative)
    assert not explained.agrees


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (lambda a: log(a - 2.0) * 0.0 + a, "= NaN"),
        (lambda a: (a - 2.0) / 0.0, "inf"),
        (lambda a: a * math.nan, "NaN"),
        (lambda a: pow(a - 2.0, 2.0), "= 0"),
    ],
)
def test_awkward_numbers(output, words):
    a = Value(2.0, "a")
    explained = explain(output(a), a)
    assert words in str(explained)
    assert explained.agrees
    assert explained._repr_latex_()


# Names.


def test_names():
    x, w, unnamed = Value(2.0, "x"), Value(3.0), Value(1.0)
    h = x * w
    h.label = "h"
    again = h * unnamed + h
    again.label = "h"
    text = str(explain(again * x, w, names={"w": w, "_hidden": unnamed, "number": 3}))
    assert "∂h#2/∂h" in text
    assert "∂h/∂w" in text
    assert re.search(r"v[0-9]+ = h\*v[0-9]+ = 6", text)
    listed = [Value(1.0), Value(2.0)]
    assert "∂listed[1]" in str(explain(dot(listed, listed), listed[1], names=locals())).replace("(2nd ", "")


HOSTILE = [
    r"\input{x}",
    "$a$",
    "50% & more_or#less",
    "{",
    "}}",
    "a^b~c",
    "<script>",
    "line\nbreak",
    "x" * 500,
    "'\"`|*−…",
    "й漢😀",
    "\ud800",
]


@pytest.mark.parametrize("label", HOSTILE, ids=ascii)
def test_hostile_labels(label):
    a, b = Value(2.0, label), Value(3.0, "b")
    middle = a * b
    middle.label = label
    explained = explain(middle * a, a)
    assert max(map(len, str(explained).splitlines())) < 1_000
    latex = explained._repr_latex_()
    bare = re.sub(r"\\[{}$&#%_ \\]", "", latex.replace("\\\\\n", "\n"))
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") == 2
    assert not set("#%") & set(bare)
    assert "<" not in bare
    assert "input{" not in bare


@pytest.mark.sampled(5)
@pytest.mark.parametrize("label", ["w", "w12", "layers.0.weights.1", *(label for label in HOSTILE if label.isascii())])
def test_the_latex_is_read_by_a_parser_of_latex(label):
    from matplotlib.mathtext import MathTextParser

    a = Value(2.0, label)
    latex = explain(a * 1e-5 * a, a)._repr_latex_()
    known = {"\\lt ": "<", "\\gt ": ">", "\\vert ": "|", "\\&": "+"}  # MathJax knows these, matplotlib the characters
    for line in latex.splitlines()[1:-1]:
        for command, character in known.items():
            line = line.replace(command, character)
        line = re.sub(r"(?<!\\)&", "", line.removesuffix(" \\\\"))
        MathTextParser("path").parse(f"${line}$")
