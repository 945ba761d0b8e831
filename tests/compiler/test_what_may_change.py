"""What may change around a compiled function: each kind of change is noticed or refused, never passed over in silence.

The cases are in tests/changes, a file for each family. Three columns run every one: the native backend, NumPy's, and
`fit`, where the function weighs a loss. They must give the eager answer, before the change and after it; after it they
may also raise a TraceError.
"""

import decimal
import math
import os
import random
import sys

import numpy as np
import pytest

import tests.compiler.changes  # noqa: F401 (its cases)
from scalargrad import TraceError, compile
from scalargrad.compiler import variants
from tests.compiler.changes.cases import CHANGES, FROZEN, ORACLES, REFUSABLE
from tests.compiler.changes.frozen import KINDS
from tests.compiler.changes.running import COLUMNS, X, answers, check, eagerly, fitted, surroundings
from tests.oracles.needed import marked


@pytest.fixture(autouse=True)
def _no_net(monkeypatch):
    """Nothing is traced again without a reason: when that finds something is a matter of time, and may hide a guard."""
    monkeypatch.setattr(variants.Variant, "check", lambda self: None)


# What runs on other backends, and in fits, comes of the same traces: in the long run only.
EVERY_COLUMN = [name if name == "numpy" else pytest.param(name, marks=pytest.mark.long) for name in COLUMNS]


@pytest.mark.parametrize("column", EVERY_COLUMN)
@pytest.mark.parametrize("name", marked(CHANGES, ORACLES))
def test_a_change_is_noticed_or_refused(name, column, tmp_path):
    check(CHANGES[name], tmp_path, COLUMNS[column])


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("name", REFUSABLE)
def test_what_may_be_refused_at_once_is_right_or_refused(name, column, tmp_path):
    check(REFUSABLE[name], tmp_path, COLUMNS[column], may_refuse=True)


@pytest.mark.parametrize("backend", ["native", "numpy"])
@pytest.mark.parametrize("name", FROZEN)
def test_what_no_guard_sees_stays_as_it_was_until_retrace(name, backend, tmp_path):
    before, after = answers(FROZEN[name], tmp_path, eagerly)
    assert before != after
    with surroundings(FROZEN[name], tmp_path) as (function, change):
        program = compile(function, backend=backend)
        found = [program(X)]
        change()
        found.append(program(X))
        program.retrace()
        found.append(program(X))
    np.testing.assert_allclose(found, [before, before, after], rtol=1e-12)


@pytest.mark.parametrize("backend", ["native", "numpy"])
@pytest.mark.parametrize("name", sorted(set().union(*(cases for cases, is_found in KINDS.values() if is_found))))
def test_tracing_again_finds_what_no_guard_sees(name, backend, tmp_path, monkeypatch):
    monkeypatch.undo()  # the net is there
    monkeypatch.setattr(variants, "SHARE_OF_CHECKS", math.inf)  # at every call
    before, after = answers(FROZEN[name], tmp_path, eagerly)
    with surroundings(FROZEN[name], tmp_path) as (function, change):
        program = compile(function, backend=backend)
        found = [program(X), program(X)]
        change()
        with pytest.raises(TraceError, match="cannot watch"):
            program(X)
        found.append(program(X))
    np.testing.assert_allclose(found, [before, before, after], rtol=1e-12)


def test_the_table_is_large_and_few_kinds_are_frozen():
    assert len(CHANGES) + len(REFUSABLE) >= 130
    assert len(KINDS) <= 5
    assert set().union(*(cases for cases, _ in KINDS.values())) == set(FROZEN)


# The checker: what is wrong does not pass.


def frozen_program(function):
    """A program that goes on with the first answer."""
    answer = eagerly(function)()
    return lambda: answer


def frozen_fit(function):
    """An eager fit whose loss goes on with the weights that it saw first."""
    weights = {x: float(function(x)) for x in X.tolist()}
    return fitted("eager")(lambda target: weights[target])


@pytest.mark.parametrize(
    "column", [(frozen_program, eagerly, 1e-12), (frozen_fit, fitted("eager"), 1e-9)], ids=["program", "fit"]
)
@pytest.mark.parametrize("name", ["a_number", "a_module_behind_an_object", "a_random_branch"])
def test_an_answer_that_is_frozen_is_seen(name, column, tmp_path):
    with pytest.raises(AssertionError, match="after the change"):
        check((CHANGES | REFUSABLE)[name], tmp_path, column, may_refuse=True)


@pytest.mark.parametrize("column", COLUMNS)
def test_a_case_that_changes_nothing_is_seen(column, tmp_path):
    def nothing():
        yield lambda x: x * 2.0

    with pytest.raises(AssertionError, match="nothing changes nothing"):
        check(nothing, tmp_path, COLUMNS[column])


@pytest.mark.parametrize("column", COLUMNS)
def test_a_function_that_is_refused_before_the_change_is_seen(column, tmp_path):
    def branch():
        scale = 2.0
        yield lambda x: x * scale if x > 0.0 else x
        scale = 3.0

    check(branch, tmp_path, COLUMNS[column], may_refuse=True)
    with pytest.raises(AssertionError, match="refused before"):
        check(branch, tmp_path, COLUMNS[column])


def test_an_error_that_is_no_refusal_is_seen(tmp_path):
    def broken(function):
        def run():
            raise TypeError("not a refusal")

        return run

    with pytest.raises(TypeError, match="not a refusal"):
        check(CHANGES["a_number"], tmp_path, (broken, eagerly, 1e-12))


def test_a_case_leaves_nothing_global_behind(tmp_path):
    def everything():
        return random.getstate(), dict(os.environ), math.tau, decimal.getcontext().prec, "helper" in sys.modules

    before = everything()
    for name in (
        "a_random_branch",
        "an_environment_variable",
        "a_number_of_the_standard_library",
        "the_precision_of_decimals",
        "a_global_of_a_helper",
    ):
        answers((CHANGES | REFUSABLE | FROZEN)[name], tmp_path, eagerly)
    assert everything() == before
    assert "helper" not in sys.modules
