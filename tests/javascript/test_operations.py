"""Every row of the table in JavaScript: against the eager engine, at the edges too, and against mpmath."""

import itertools
import math
import random
import re

import pytest

from scalargrad.compiler.backends.native.functions import error_functions
from scalargrad.engine import Value, local_derivatives
from scalargrad.javascript.bundle import HERE
from scalargrad.javascript.operations import operations_module
from scalargrad.javascript.terms import number
from scalargrad.ops import OPERATIONS
from scalargrad.randomness import uniform
from tests.javascript.rows import computed_rows, script
from tests.oracles.mpmath import GRADIENT_ULP, VALUE_ULP, deep, points, worst_case
from tests.oracles.scripts import in_a_page_of, in_node

inf, nan = math.inf, math.nan
NUMERIC = [op for op in OPERATIONS.values() if op.name != "random"]
TABLE = pytest.mark.parametrize("op", NUMERIC, ids=str)
EDGES = [
    nan,
    *(s * x for x in (0.0, 5e-324, 1e-300, 0.5, 0.75, 1.0, 2.0, 3.0, 28.0, 710.0, 1.7e308, inf) for s in (1.0, -1.0)),
]
# What is as Python's to the bit, in values; in all others Math's functions differ in their last digits.
EXACT = "add sub mul div neg sqrt relu leaky_relu abs step sign maximum minimum where take sum dot batch_mean mean"
EXACT = {*EXACT.split(), *(op.name for op in NUMERIC if op.symbol in ("<", "<=", "==", "and", "or", "not"))}


@pytest.fixture
def run(node):
    return lambda text, data: in_node(node, text, data)


def eager(op, args):
    values = deep(Value, args)
    result = Value.apply_operation(op, values)
    return result.data, [slope for _, slope in local_derivatives(result)]


def edges(op):
    """Argument lists of awkward numbers; of many operands some."""
    if op.scalars:
        return list(itertools.product(EDGES, repeat=op.scalars))
    if op.name in ("take", "surprisal"):
        return [(float(place), xs) for xs in itertools.product(EDGES, repeat=2) for place in (0, 1)]
    if op.name == "where":
        return [(condition, xs) for condition in EDGES for xs in [(1.0, -0.0), (inf, nan)]]
    if op.name == "clamp":
        return [(x, bounds) for x in EDGES for bounds in itertools.product((-1.0, -0.0, 2.0, -inf, inf, nan), repeat=2)]
    lists = [xs for length in (1, 2) for xs in itertools.product(EDGES, repeat=length)]
    if op.name == "dot":
        return [(xs, ys) for xs, ys in zip(lists, reversed(lists), strict=True) if len(xs) == len(ys)]
    return [(xs,) for xs in lists]


def same(x, y):
    return (x != x and y != y) or (x == y and math.copysign(1.0, x) == math.copysign(1.0, y))


def near(found, expected, ulp):
    if expected != expected or math.isinf(expected) or expected == 0.0:
        return same(found, expected)
    return abs(found - expected) <= ulp * math.ulp(expected) and math.copysign(1.0, found) == math.copysign(
        1.0, expected
    )


@pytest.mark.sampled(4)
@TABLE
def test_awkward_arguments_give_what_values_give(op, run):
    check_edges(op, run)


def check_edges(op, run):
    arguments = edges(op)
    for args, (value, slopes) in zip(arguments, computed_rows(run, op, arguments), strict=True):
        expected, expected_slopes = eager(op, args)
        assert same(value, expected) if op.name in EXACT else near(value, expected, 4), (args, value, expected)
        for found, slope in zip(slopes, expected_slopes, strict=True):
            assert near(found + 0.0, slope + 0.0, 16), (args, slopes, expected_slopes)


@pytest.mark.sampled(4)
@TABLE
def test_values_and_gradients_match_mpmath(op, run):
    worst = judged(run, op, list(points(op, 300)))
    assert worst.value <= VALUE_ULP, worst
    assert worst.gradient <= GRADIENT_ULP[op.name], worst


@pytest.mark.long
def test_values_and_gradients_match_mpmath_in_a_browser(browser):
    with in_a_page_of(browser) as run:
        for op in NUMERIC:
            worst = judged(run, op, list(points(op, 300, seed=1)))
            assert worst.value <= VALUE_ULP, (op, worst)
            assert worst.gradient <= GRADIENT_ULP[op.name], (op, worst)


def test_random_is_pythons_in_a_browser_and_the_edges_too(browser):
    counters = counters_of_all_sizes()
    with in_a_page_of(browser) as run:
        found = computed_rows(run, OPERATIONS["random"], [(xs,) for xs in counters])
        assert [value for value, _ in found] == [uniform(*xs) for xs in counters]
        for name in ("pow", "exp", "erfc", "sigmoid", "tanh", "maximum", "where"):
            check_edges(OPERATIONS[name], run)


def judged(run, op, arguments, text=None):
    found = iter(computed_rows(run, op, arguments, text))
    return worst_case(op, arguments, computed=lambda op, args: next(found))


def counters_of_all_sizes():
    source = random.Random(0)
    counters = [
        tuple(float(source.randrange(-(2**bits), 2**bits)) for _ in range(count))
        for bits in (3, 31, 33, 53, 63)
        for count in (1, 2, 4, 5)
    ]
    return counters + list(
        itertools.product((0.0, 1.0, -1.0, 2.0**31, 2.0**32, -(2.0**62), 2.0**63 - 1024.0), repeat=2)
    )


def test_random_is_pythons_to_the_bit(run):
    counters = counters_of_all_sizes()
    found = computed_rows(run, OPERATIONS["random"], [(xs,) for xs in counters])
    assert [value for value, _ in found] == [uniform(*xs) for xs in counters]


@pytest.mark.parametrize(
    ("name", "operands", "words"),
    [
        ("take", [2.0, 1.0, 1.0], "take: index 2 is not one of the 2 positions 0..1"),
        ("take", [-1.0, 1.0], "take: index -1 is not"),
        ("take", [0.5, 1.0, 1.0], "take: index 0.5 is not"),
        ("take", [nan, 1.0], "take: index NaN is not"),
        ("surprisal", [3.0, 1.0], "take: index 3 is not"),
        ("random", [0.5], "random counts in whole numbers below 2[*][*]63, got 0.5"),
        ("random", [0.0, 2.0**63], "whole numbers"),
    ],
)
def test_what_is_no_index_or_counter_is_an_error(name, operands, words, run):
    with pytest.raises(AssertionError, match=words):
        run(script(), [name, [operands]])


def test_the_error_functions_are_those_of_the_native_backend():
    text = (HERE / "elementary.js").read_text(encoding="utf-8")
    for name in ("ERF", "ERFC"):
        (listed,) = re.findall(rf"const {name} = \[(.*?)\];", text, re.DOTALL)
        assert [float(x) for x in listed.split(",") if x.strip()] == getattr(error_functions, name)


def test_there_is_a_function_for_each_primitive_and_a_row_by_hand_for_tuples():
    text = (HERE / "elementary.js").read_text(encoding="utf-8")
    assert {op.name for op in OPERATIONS.values() if not op.composite} <= set(
        re.findall(r"^export \w+ (\w+)", text, re.M)
    )
    by_hand = set(re.findall(r"^  (\w+): \{", (HERE / "many.js").read_text(encoding="utf-8"), re.M))
    assert by_hand == {op.name for op in OPERATIONS.values() if not op.scalars} - {"where", "clamp"}


def test_a_module_has_the_rows_that_it_is_asked_for():
    text = operations_module(["tanh", "dot"])
    assert re.findall(r"^  (\w+):", text, re.M) == ["tanh", "dot"]
    assert 'import { sech, tanh } from "./elementary.js";' in text
    with pytest.raises(ValueError, match="operation 'tanhh' is not known"):
        operations_module(["tanhh"])


@pytest.mark.parametrize("x", [0.1, 1e22, -5e-324, 1.7976931348623157e308, -0.0, inf, -inf, 3.0, 1e-7])
def test_numbers_are_read_back_to_the_bit(x, run):
    assert same(run(f"globalThis.answer = () => [{number(x)}];", 0)[0], x)


# The checks themselves.


def test_a_wrong_digit_and_a_wrong_edge_are_found(run):
    right = script()
    op = OPERATIONS["erfc"]
    wrong = right.replace("0.10799511862555251", "0.10799511862555451")
    assert wrong != right
    assert judged(run, op, list(points(op, 300)), wrong).value > VALUE_ULP
    op, unwrapped = OPERATIONS["pow"], right.replace("x === 1 ||", "")
    ((value, _),) = computed_rows(run, op, [(1.0, nan)], unwrapped)
    assert not near(value, *[eager(op, (1.0, nan))[0], 4])
