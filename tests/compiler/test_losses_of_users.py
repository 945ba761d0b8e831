"""Losses that look at their label, as beginners write them: the compiler gives what the eager engine gives, or refuses.

Where it refuses, the message names the line, what stands there, and what to write instead. The line is the last one of
a loss, or the one that ends in `# here`.
"""

import functools
import inspect
import os
import random
import re

import numpy as np
import pytest

from scalargrad import TraceError, Value
from scalargrad.compiler import variants
from tests.compiler.losses_of_users import INDICES, LOSSES, VERBS, check, fit

# How a loss is run and judged.


@pytest.fixture(autouse=True)
def _no_net_and_the_random_state_as_it_was(monkeypatch):
    """Nothing is traced again without a reason: when that finds something is a matter of time."""
    monkeypatch.setattr(variants.Variant, "check", lambda self: None)
    state = random.getstate()
    yield
    random.setstate(state)


# The tests.


@pytest.mark.sampled(3)
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_compiled_right_or_refused_in_words(name, verb):
    check(LOSSES[name], VERBS[verb])


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("name", INDICES)
def test_an_index_is_refused_in_words(name, verb):
    row = INDICES[name]
    with pytest.raises((TypeError, IndexError)) as plain:
        VERBS[verb](row.make(), "eager")
    assert not isinstance(plain.value, TraceError)
    with pytest.raises(TraceError) as refused:
        VERBS[verb](row.make(), "compiled")
    row.check(str(refused.value))


@pytest.mark.parametrize("verb", VERBS)
def test_a_type_that_is_compared_is_frozen_as_documented(verb):
    """Nothing in Python tells a number that somebody asked `type` for its class."""

    def kind(output, target):
        return (5.0 if type(target) is float else 1.0) * (output - target) ** 2

    eager, compiled = (VERBS[verb](kind, engine) for engine in ("eager", "compiled"))
    np.testing.assert_allclose(eager, VERBS[verb](lambda o, t: 5.0 * (o - t) ** 2, "eager"), rtol=1e-9)
    np.testing.assert_allclose(compiled, VERBS[verb](lambda o, t: (o - t) ** 2, "eager"), rtol=1e-9)


@pytest.mark.parametrize("verb", VERBS)
def test_a_label_is_a_value_while_it_is_traced_as_documented(verb):
    """The eager engine gives floats. Written as usual, to make a Value of what is none, both are right."""

    def kind(output, target):
        return (5.0 if isinstance(target, Value) else 1.0) * (output - target) ** 2

    eager, compiled = (VERBS[verb](kind, engine) for engine in ("eager", "compiled"))
    assert not np.allclose(eager, compiled)

    def usual(output, target):
        return (output - (target if isinstance(target, Value) else Value(target))) ** 2

    eager, compiled = (VERBS[verb](usual, engine) for engine in ("eager", "compiled"))
    np.testing.assert_allclose(compiled, eager, rtol=1e-9)


def test_there_are_many_losses():
    assert len(LOSSES) >= 60


# The checker: what is wrong does not pass.


@pytest.mark.parametrize("name", ["a_dictionary_by_label", "an_if_equal", "a_sum", "a_random_branch"])
@pytest.mark.parametrize("verb", VERBS)
def test_a_loss_that_is_frozen_is_seen(name, verb):
    def frozen(loss, engine):
        """The compiled engine of this one takes the weights that it saw first."""
        if engine == "compiled":
            first = loss(2.0, 0.0)
            return VERBS[verb](lambda output, target: first * (output - target) ** 2, "eager")
        return VERBS[verb](loss, engine)

    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check(LOSSES[name], frozen)


@pytest.mark.parametrize(
    ("message", "missing"),
    [
        ("FILE:FIRST: a traced number as a dictionary key; use where()", "FILE:LINE"),
        ("FILE:LINE: a traced number; use where()", "dictionary"),
        ("FILE:LINE: a traced number as a dictionary key; do not", "where"),
    ],
)
def test_a_message_that_does_not_name_all_is_seen(message, missing):
    row = LOSSES["a_dictionary_by_label"]
    lines, first = inspect.getsourcelines(row.source)
    names = {
        "FILE": os.path.basename(inspect.getsourcefile(row.source)),
        "FIRST": str(first),
        "LINE": str(first + len(lines) - 1),
    }

    def named(text):
        return functools.reduce(lambda text, name: text.replace(name, names[name]), names, text)

    row.check(named("FILE:LINE: a traced number as a dictionary key; use where()"))
    with pytest.raises(AssertionError, match=re.escape(named(missing))):
        row.check(named(message))


def test_a_refusal_of_what_must_run_is_seen():
    def refusing(loss, engine):
        if engine == "compiled":
            raise TraceError("anything")
        return fit(loss, engine)

    with pytest.raises(AssertionError, match="refused: anything"):
        check(LOSSES["a_sum"], refusing)
