"""The losses that people write: each is compiled right, or refused in words that its row gives."""

import bisect
import cmath
import collections
import contextlib
import copy
import dataclasses
import enum
import functools
import heapq
import inspect
import itertools
import json
import logging
import math
import numbers
import operator
import os
import pickle
import random
import re
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from scalargrad import MLP, SGD, TraceError, Value
from scalargrad.ops import OPERATIONS

X = np.array([[1.0], [2.0], [-0.5], [0.25], [1.5]])
Y = np.array([0.0, 1.0, 2.0, 0.0, 1.0])

# What a message says to do: to use a function of this package, unless a loss knows better.
FUNCTION = rf"\b({'|'.join(OPERATIONS)})\("
LEAVE_OUT = rf"{FUNCTION}|leave it out|outside"
VALUE = rf"{LEAVE_OUT}|Value"
ELSEWHERE = rf"{FUNCTION}|random\(|argument|outside|parameters"

# What it names.
COMPARISON = r"comparison"
TRUTH = r"`if`"
KEY = r"dictionary key|in a set"
INDEX = r"list index"
NUMBER = r"(int|float|round)\(\)"
NUMBER_OR_COMPARISON = rf"{COMPARISON}|{NUMBER}"
TEXT = r"text|str\(\)"
KIND = r"isinstance\(\)"
DATA = r"`\.data`"
COPY = r"copied|copy|pickled"
RANDOM = r"random"
DIFFERENT = r"random|clock|two runs|changes"


class Row(NamedTuple):
    """A loss, and how it may be refused.

    make        -> a new loss: one may keep something from call to call
    source      what was written: the lines are its
    construct   a pattern for what the message names; None: it is not refused
    remedy      a pattern for what it says to do
    line        does the message name the line?
    """

    make: Callable
    source: Callable
    construct: str | None
    remedy: str
    line: bool

    def check(self, message):
        """Does it say where, what, and what else to write?"""
        lines, first = inspect.getsourcelines(self.source)
        marked = [place for place, line in enumerate(lines) if line.endswith("# here\n")] or [len(lines) - 1]
        places = [f"{os.path.basename(__file__)}:{first + place}:" for place in marked]
        assert self.construct is not None, f"refused: {message}"
        assert not self.line or any(place in message for place in places), f"{places} in: {message}"
        assert re.search(self.construct, message), f"{self.construct} in: {message}"
        assert re.search(self.remedy, message), f"{self.remedy} in: {message}"


LOSSES: dict[str, Row] = {}


def loss(construct, remedy=FUNCTION, line=True):
    """A decorator for a loss."""

    def add(function):
        assert function.__name__ not in LOSSES
        LOSSES[function.__name__] = Row(lambda: function, function, construct, remedy, line)
        return function

    return add


def maker(construct, remedy=FUNCTION, line=True):
    """A decorator for a function that makes a loss."""

    def add(function):
        assert function.__name__ not in LOSSES
        LOSSES[function.__name__] = Row(function, function, construct, remedy, line)
        return function

    return add


def fit(loss, engine):
    """The parameters after two epochs, and the losses."""
    model = MLP(1, [2, 1], activation="tanh", rng=0)
    history = model.fit(X, Y, loss, SGD(0.05), epochs=2, engine=engine, progress=False)
    return [*history["loss"], *(parameter.data for parameter in model.parameters())]


def evaluate(loss, engine):
    return [MLP(1, [2, 1], activation="tanh", rng=0).evaluate(X, Y, loss, engine=engine).loss]


VERBS = {"fit": fit, "evaluate": evaluate}


def check(row, verb):
    random.seed(19)
    expected = verb(row.make(), "eager")
    random.seed(19)
    try:
        found = verb(row.make(), "compiled")
    except TraceError as error:
        row.check(str(error))
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


# Dictionaries, sets and what else is found by its hash.

WEIGHTS = {0.0: 1.0, 1.0: 5.0, 2.0: 3.0}


@loss(KEY)
def a_dictionary_by_label(output, target):
    return WEIGHTS[target] * (output - target) ** 2


@loss(KEY)
def a_dictionary_with_a_default(output, target):
    return WEIGHTS.get(target, 2.0) * (output - target) ** 2


@loss(KEY)
def a_key_that_is_asked_for(output, target):
    weight = 5.0 if target in {1.0: "rare"} else 1.0  # here
    return weight * (output - target) ** 2


@loss(KEY)
def a_key_that_is_tried(output, target):
    try:
        weight = {1.0: 5.0}[target]  # here
    except KeyError:
        weight = 1.0
    return weight * (output - target) ** 2


@loss(KEY)
def a_dictionary_of_functions(output, target):
    losses = {0.0: lambda error: error * error, 1.0: abs, 2.0: lambda error: 2.0 * abs(error)}
    return losses[target](output - target)


@loss(KEY)
def a_dictionary_made_of_the_label(output, target):
    return {target: 5.0}.get(1.0, 1.0) * (output - target) ** 2


@loss(KEY)
def a_setdefault(output, target):
    return dict(WEIGHTS).setdefault(target, 2.0) * (output - target) ** 2


@loss(KEY)
def a_defaultdict(output, target):
    return collections.defaultdict(lambda: 1.0, WEIGHTS)[target] * (output - target) ** 2


@loss(KEY)
def a_counter_of_labels(output, target):
    return (output - target) ** 2 / collections.Counter([0.0, 0.0, 1.0, 2.0, 2.0, 2.0])[target]


@loss(KEY)
def a_pair_as_key(output, target):
    return {(1.0, "rare"): 5.0}.get((target, "rare"), 1.0) * (output - target) ** 2


@loss(KEY)
def a_set(output, target):
    return (5.0 if target in {1.0, 2.0} else 1.0) * (output - target) ** 2


@loss(KEY)
def a_frozenset(output, target):
    rare = frozenset([1.0])
    return (5.0 if target in rare else 1.0) * (output - target) ** 2


@loss(KEY)
def the_size_of_a_set(output, target):
    return len({target, 1.0}) * (output - target) ** 2


@loss(KEY)
def a_hash(output, target):
    return (1.0 + hash(target) % 3) * (output - target) ** 2


@functools.lru_cache
def cached_weight(label):
    return 1.0 + 2.0 * label


@loss(KEY)
def a_cached_function(output, target):
    return cached_weight(target) * (output - target) ** 2


@maker(KEY)
def a_memo():
    known = {}

    def loss(output, target):
        if target not in known:  # here
            known[target] = 1.0 + len(known)
        return known[target] * (output - target) ** 2

    return loss


class Label(enum.Enum):
    """The classes."""

    NONE, SOME, MANY = 0.0, 1.0, 2.0


@loss(KEY)
def a_member_of_an_enum(output, target):
    return (5.0 if Label(target) is Label.SOME else 1.0) * (output - target) ** 2


# Indices. Lists take no floats as indices, so that the label becomes an int first.


@loss(NUMBER, remedy=r"take\(")
def an_index(output, target):
    return [1.0, 5.0, 3.0][int(target)] * (output - target) ** 2


@loss(NUMBER, remedy=r"take\(")
def an_index_into_an_array(output, target):
    weights = np.array([1.0, 5.0, 3.0])
    return float(weights[int(target)]) * (output - target) ** 2  # here


@loss(NUMBER)
def a_row_of_the_identity(output, target):
    one_hot = np.eye(3)[int(target)]  # here
    return (output - target) ** 2 * float(one_hot @ [1.0, 5.0, 3.0])


@loss(NUMBER)
def a_slice(output, target):
    return (output - target) ** 2 * sum([1.0, 5.0, 3.0][: int(target) + 1])


@loss(NUMBER)
def a_range(output, target):
    return sum((output - target) ** 2 for _ in range(int(target) + 1))


@loss(NUMBER)
def a_character(output, target):
    return (output - target) ** 2 * float("153"[int(target)])


@loss(NUMBER)
def an_index_named_on_the_way(output, target):
    return (output - target) ** 2 * (1.0 + (index := int(target)) + index)


# `if` and comparisons.


@loss(COMPARISON)
def an_if_equal(output, target):
    if target == 1:  # here
        return 5.0 * (output - target) ** 2
    return (output - target) ** 2


@loss(COMPARISON)
def an_if_larger(output, target):
    if target > 0:  # here
        return -output
    return output


@loss(COMPARISON)
def an_elif(output, target):
    if target == 0:  # here
        weight = 1.0
    elif target == 1:
        weight = 5.0
    else:
        weight = 3.0
    return weight * (output - target) ** 2


@loss(COMPARISON)
def a_ternary(output, target):
    return (5.0 if target == 1 else 1.0) * (output - target) ** 2


@loss(COMPARISON)
def a_chained_comparison(output, target):
    return (5.0 if 0 < target < 2 else 1.0) * (output - target) ** 2


@loss(COMPARISON)
def a_match(output, target):
    match target:
        case 0.0:  # here
            weight = 1.0
        case 1.0:
            weight = 5.0
        case _:
            weight = 3.0
    return weight * (output - target) ** 2


@loss(COMPARISON)
def a_match_with_a_guard(output, target):
    match target:
        case label if label > 0.5:  # here
            weight = 5.0
        case _:
            weight = 1.0
    return weight * (output - target) ** 2


@loss(COMPARISON)
def a_while(output, target):
    weight = 1.0
    while target > 0:  # here
        weight, target = weight * 2.0, target - 1.0
    return weight * output**2


@loss(TRUTH)
def a_while_of_the_number_itself(output, target):
    weight, left = 1.0, target
    while left:  # here
        weight, left = weight * 2.0, left - 1.0
    return weight * (output - target) ** 2


@loss(TRUTH)
def a_truth(output, target):
    return (5.0 if target else 1.0) * (output - target) ** 2


@loss(TRUTH)
def a_not(output, target):
    return (1.0 if not target else 5.0) * (output - target) ** 2


@loss(TRUTH)
def a_bool(output, target):
    return (1.0 + bool(target)) * (output - target) ** 2


@loss(TRUTH)
def an_and(output, target):
    return (target and output) ** 2 + output**2


@loss(TRUTH)
def an_or(output, target):
    return (output - (target or 0.5)) ** 2


@loss(COMPARISON)
def equal_to_true(output, target):
    return (5.0 if target == True else 1.0) * (output - target) ** 2  # noqa: E712


@loss(COMPARISON)
def not_equal(output, target):
    return (1.0 + (target != 1)) * (output - target) ** 2


@loss(COMPARISON)
def a_comparison_as_a_number(output, target):
    return (1.0 + 4.0 * (target == 1)) * (output - target) ** 2


@loss(None)
def a_label_that_is_none(output, target):
    return output**2 if target is None else (output - target) ** 2


@loss(COMPARISON)
def an_assert(output, target):
    assert target in (0, 1, 2)  # here
    return (output - target) ** 2


@loss(COMPARISON)
def an_assert_with_a_message(output, target):
    assert target >= 0, f"a label is not negative: {target}"  # here
    return (output - target) ** 2


@loss(COMPARISON)
def an_error_for_a_bad_label(output, target):
    if target not in [0, 1, 2]:  # here
        raise ValueError(f"unknown label {target}")
    return (output - target) ** 2


@loss(COMPARISON)
def a_label_in_a_list(output, target):
    return (5.0 if target in [1, 2] else 1.0) * (output - target) ** 2


@loss(COMPARISON)
def the_place_in_a_list(output, target):
    return (1.0 + [2.0, 1.0, 0.0].index(target)) * (output - target) ** 2


@loss(COMPARISON)
def how_often_in_a_list(output, target):
    return (1.0 + [1.0, 1.0, 2.0].count(target)) * (output - target) ** 2


@loss(COMPARISON)
def a_loop_that_finds_the_label(output, target):
    for label, weight in WEIGHTS.items():
        if label == target:  # here
            return weight * (output - target) ** 2
    raise ValueError("unknown label")


@loss(COMPARISON)
def a_generator_that_finds_the_label(output, target):
    weight = next(weight for label, weight in WEIGHTS.items() if label == target)  # here
    return weight * (output - target) ** 2


@loss(COMPARISON)
def a_one_hot_list(output, target):
    one_hot = [1.0 if place == target else 0.0 for place in range(3)]  # here
    return sum((output - bit) ** 2 for bit in one_hot)


@loss(COMPARISON)
def an_enumerate(output, target):
    outputs = [output, 2.0 * output, 3.0 * output]
    return sum(-x if place == target else x for place, x in enumerate(outputs)) ** 2


@loss(COMPARISON)
def a_filter(output, target):
    return (output - target) ** 2 * sum(filter(lambda weight: weight > target, [1.0, 2.0, 3.0]))


@loss(COMPARISON)
def a_recursion_by_label(output, target):
    def power(left):
        return 1.0 if left <= 0 else 2.0 * power(left - 1)  # here

    return power(target) * (output - target) ** 2


@loss(COMPARISON)
def any_of_comparisons(output, target):
    return (5.0 if any(target == label for label in (1, 2)) else 1.0) * (output - target) ** 2


@loss(COMPARISON)
def all_of_comparisons(output, target):
    return (5.0 if all([target > 0, target < 2]) else 1.0) * (output - target) ** 2


@loss(TRUTH)
def any_of_numbers(output, target):
    return (5.0 if any([target, 0.0]) else 1.0) * (output - target) ** 2


@loss(COMPARISON)
def tuples_that_are_compared(output, target):
    return (5.0 if (target, 0) == (1.0, 0) else 1.0) * (output - target) ** 2


@dataclasses.dataclass
class Sample:
    """A label in a dataclass."""

    label: float


@loss(COMPARISON)
def dataclasses_that_are_compared(output, target):
    return (5.0 if Sample(target) == Sample(1.0) else 1.0) * (output - target) ** 2


@loss(COMPARISON)
def operator_eq(output, target):
    return (5.0 if operator.eq(target, 1.0) else 1.0) * (output - target) ** 2


@loss(COMPARISON)
def a_place_by_bisection(output, target):
    return (1.0 + bisect.bisect([0.5, 1.5], target)) * (output - target) ** 2


@loss(COMPARISON)
def a_branch_on_the_output(output, target):
    if output > 0:  # here
        return (output - target) ** 2
    return 2.0 * (output - target) ** 2


@loss(COMPARISON)
def a_huber_loss(output, target):
    error = abs(output - target)
    if error < 1.0:  # here
        return 0.5 * error * error
    return error - 0.5


@loss(COMPARISON)
def a_right_guess(output, target):
    right = (output > 0.5) == (target > 0.5)  # here
    return (output - target) ** 2 * (0.5 if right else 2.0)


# max(), min(), sorted() and their like.


@loss(COMPARISON, remedy=r"maximum\(")
def a_hinge_with_max(output, target):
    return max(0, 1 - (2 * target - 1) * output) + 0.1 * output


@loss(COMPARISON, remedy=r"maximum\(|minimum\(")
def a_largest_label(output, target):
    return (output - max(target, 1.0)) ** 2


@loss(COMPARISON, remedy=r"maximum\(|minimum\(")
def a_smallest_label(output, target):
    return (output - min(target, 1.0)) ** 2


@loss(COMPARISON, remedy=r"maximum\(|minimum\(")
def a_clipped_label(output, target):
    return (output - max(0.25, min(target, 1.5))) ** 2


@loss(COMPARISON)
def a_sorted_list(output, target):
    low, high = sorted([target, 0.5])  # here
    return (output - low) ** 2 + 2.0 * (output - high) ** 2


@loss(COMPARISON)
def a_sorted_list_with_a_key(output, target):
    nearest = sorted([0.0, 1.0], key=lambda label: abs(label - target))[0]  # here
    return (output - nearest) ** 2


@loss(COMPARISON)
def the_nearest_by_min(output, target):
    nearest = min([0.25, 1.25], key=lambda label: abs(label - target))  # here
    return (output - nearest) ** 2


@loss(COMPARISON)
def the_smallest_by_heapq(output, target):
    return (output - heapq.nsmallest(1, [target, 0.5])[0]) ** 2


@loss(None)
def a_sum(output, target):
    return sum([output, -target]) ** 2


@loss(None)
def a_sum_with_a_start(output, target):
    return sum([output * output, target * target], start=1.0)


@loss(None)
def an_absolute_value(output, target):
    return abs(output - target)


@loss(None)
def a_zip(output, target):
    return sum((x - y) ** 2 for x, y in zip((output, 2.0 * output), (target, 1.0), strict=True))


@loss(None)
def a_running_sum(output, target):
    return functools.reduce(operator.add, itertools.accumulate([output * output, target * target]))


# int(), float(), round(), and the functions of `math`, which ask for a float.


@loss(NUMBER)
def an_int(output, target):
    return (output - int(target)) ** 2 + 0.5 * output


@loss(NUMBER)
def a_float(output, target):
    return (output - float(target)) ** 2


@loss(NUMBER)
def a_round(output, target):
    return (output - round(target / 1.5)) ** 2


@loss(NUMBER)
def a_round_with_digits(output, target):
    return (output - round(target / 3.0, 1)) ** 2


@loss(NUMBER)
def a_complex(output, target):
    return (output - abs(complex(target))) ** 2


@loss(NUMBER)
def the_float_of_an_output(output, target):
    return (output - target) ** 2 * (1.0 + abs(float(output)))


@loss(NUMBER)
def a_logarithm_of_math(output, target):
    return (output - math.log(1.0 + target)) ** 2


@loss(NUMBER)
def an_exponential_of_math(output, target):
    return (output - math.exp(-target)) ** 2


@loss(NUMBER)
def a_square_root_of_math(output, target):
    return (output - math.sqrt(target)) ** 2


@loss(NUMBER)
def a_hyperbolic_tangent_of_math(output, target):
    return (output - math.tanh(target)) ** 2


@loss(NUMBER)
def a_logarithm_of_an_output(output, target):
    return -math.log(1.0 + abs(output)) * target + output**2


@loss(NUMBER)
def a_power_of_math(output, target):
    return (output - math.pow(target, 2)) ** 2


@loss(NUMBER)
def a_floor(output, target):
    return (output - math.floor(target / 1.5)) ** 2


@loss(NUMBER)
def a_ceiling(output, target):
    return (output - math.ceil(target / 1.5)) ** 2


@loss(NUMBER)
def a_trunc(output, target):
    return (output - math.trunc(target / 1.5)) ** 2


@loss(NUMBER)
def a_nan_that_is_asked_for(output, target):
    return output**2 if math.isnan(target) else (output - target) ** 2


@loss(NUMBER)
def an_isclose(output, target):
    return (5.0 if math.isclose(target, 1.0) else 1.0) * (output - target) ** 2


@loss(NUMBER)
def a_copysign(output, target):
    return (output - math.copysign(1.0, target - 0.5)) ** 2


@loss(NUMBER)
def a_fsum(output, target):
    return (output - math.fsum([target, 0.5])) ** 2


@loss(NUMBER)
def a_phase(output, target):
    return (output - cmath.phase(target - 0.5)) ** 2


@loss(rf"{NUMBER_OR_COMPARISON}|{KIND}|attribute", VALUE)
def a_mean_of_statistics(output, target):
    return (output - statistics.mean([target, 1.0])) ** 2


@loss(r"%|remainder|modulo")
def a_remainder(output, target):
    return (1.0 + target % 2) * (output - target) ** 2


@loss(r"//|floor|whole")
def a_floor_division(output, target):
    return (1.0 + target // 2) * (output - target) ** 2


@loss(r"divmod|%|//")
def a_divmod(output, target):
    return (1.0 + divmod(target, 2)[1]) * (output - target) ** 2


# Errors that the loss catches.


@loss(NUMBER)
def a_float_that_is_tried(output, target):
    try:
        label = float(target)  # here
    except TypeError:
        label = 0.0
    return (output - label) ** 2


@loss(COMPARISON)
def a_branch_that_is_tried(output, target):
    try:
        weight = 5.0 if target > 0 else 1.0  # here
    except Exception:
        weight = 3.0
    return weight * (output - target) ** 2


@loss(COMPARISON)
def a_branch_behind_a_bare_except(output, target):
    try:
        weight = 5.0 if target > 0 else 1.0  # here
    except:  # noqa: E722
        weight = 3.0
    return weight * (output - target) ** 2


@loss(NUMBER)
def a_number_behind_suppress(output, target):
    weight = 1.0
    with contextlib.suppress(TypeError, ValueError):
        weight = 1.0 + int(target)  # here
    return weight * (output - target) ** 2


class Forgiving:
    """A block that swallows every error."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return True


@loss(COMPARISON)
def a_block_that_swallows(output, target):
    weight = 3.0
    with Forgiving():
        weight = 5.0 if target > 0 else 1.0  # here
    return weight * (output - target) ** 2


@loss(NUMBER)
def a_log_that_is_tried(output, target):
    try:
        return (output - math.log(target + 0.5)) ** 2  # here
    except (TypeError, ValueError):
        return output**2


@loss(COMPARISON)
def another_error_instead(output, target):
    try:
        weight = 5.0 if target > 0 else 1.0  # here
    except TypeError as error:
        with contextlib.suppress(RuntimeError):
            raise RuntimeError("no number") from error
        weight = 3.0
    return weight * (output - target) ** 2


# Questions about the kind of number.


@loss(KIND, VALUE)
def an_isinstance_of_float(output, target):
    return (5.0 if isinstance(target, float) else 1.0) * (output - target) ** 2


@loss(KIND, VALUE)
def an_isinstance_of_int_or_float(output, target):
    if isinstance(target, (int, float)):  # here
        return 2.0 * (output - target) ** 2
    return (output - target) ** 2


@loss(KIND, VALUE)
def an_isinstance_of_a_number(output, target):
    return (5.0 if isinstance(target, numbers.Real) else 1.0) * (output - target) ** 2


@loss(None)
def an_output_that_is_a_value(output, target):
    return (output - target) ** 2 if isinstance(output, Value) else output


@loss(KIND, VALUE)
def a_match_of_a_class(output, target):
    match target:
        case float():  # here
            weight = 5.0
        case _:
            weight = 1.0
    return weight * (output - target) ** 2


@loss(rf"{KIND}|__class__|type", VALUE)
def the_class_of_the_label(output, target):
    return (5.0 if target.__class__ is float else 1.0) * (output - target) ** 2


@functools.singledispatch
def weight_by_kind(label):
    return 1.0


@weight_by_kind.register
def _(label: float):
    return 5.0


@loss(rf"{KIND}|__class__|type", VALUE)
def a_singledispatch_function(output, target):
    return weight_by_kind(target) * (output - target) ** 2


@loss(DATA, remedy="Value itself")
def data_if_it_has_some(output, target):
    label = target.data if hasattr(target, "data") else target  # here
    return (output - label) ** 2


@loss(DATA, remedy="Value itself")
def the_data_of_an_output(output, target):
    return (output - target) ** 2 * (1.0 + abs(output.data))


@loss(DATA, remedy=r"Value itself|maximum\(")
def the_data_of_an_output_in_max(output, target):
    return (output - target) ** 2 * max(0.5, output.data)


@loss(DATA, remedy="Value itself")
def the_data_of_an_output_in_an_if(output, target):
    if output.data > target:  # here
        return 2.0 * (output - target) ** 2
    return (output - target) ** 2


@loss(r"detach", remedy=r"outside|where\(")
def a_detached_output(output, target):
    return (output - target) ** 2 * (1.0 + abs(output.detach()))


@loss(r"attribute|is_integer|float", VALUE)
def a_method_of_floats(output, target):
    return (5.0 if (target / 2.0).is_integer() else 1.0) * (output - target) ** 2


@loss(r"attribute|hasattr|is_integer|float", VALUE)
def a_method_of_floats_that_is_asked_for(output, target):
    return (5.0 if hasattr(target, "is_integer") else 1.0) * (output - target) ** 2


@loss(rf"{KIND}|attribute|dir\(\)", VALUE)
def what_dir_says(output, target):
    return (5.0 if "is_integer" in dir(target) else 1.0) * (output - target) ** 2


@loss(r"attribute|label", VALUE)
def a_label_for_the_output(output, target):
    output.label = "output"  # here
    return (output - target) ** 2


@loss(r"`\.grad`", remedy="return the loss")
def the_gradient_of_an_output(output, target):
    return (output - target) ** 2 * (1.0 + output.grad)


@loss(r"Value", remedy="as it is|itself")
def a_value_made_of_the_label(output, target):
    return (output - Value(target)) ** 2


# Text.


@loss(TEXT, LEAVE_OUT)
def a_text_by_label(output, target):
    return {"0.0": 1.0, "1.0": 5.0}.get(str(target), 3.0) * (output - target) ** 2


@loss(TEXT, LEAVE_OUT)
def an_f_string(output, target):
    return {"label 1.0": 5.0}.get(f"label {target}", 1.0) * (output - target) ** 2


@loss(TEXT, LEAVE_OUT)
def an_f_string_with_a_format(output, target):
    return {"1": 5.0}.get(f"{target:.0f}", 1.0) * (output - target) ** 2


@loss(TEXT, LEAVE_OUT)
def an_f_string_of_a_repr(output, target):
    return len(f"{target!r}") * (output - target) ** 2


@loss(rf"{TEXT}|{NUMBER}", LEAVE_OUT)
def a_percent_sign(output, target):
    return {"1": 5.0}.get("%d" % target, 1.0) * (output - target) ** 2  # noqa: UP031


@loss(TEXT, LEAVE_OUT)
def a_percent_s(output, target):
    return {"1.0": 5.0}.get("%s" % target, 1.0) * (output - target) ** 2  # noqa: UP031


@loss(TEXT, LEAVE_OUT)
def a_format_of_a_text(output, target):
    return {"1.0": 5.0}.get("{}".format(target), 1.0) * (output - target) ** 2  # noqa: UP032


@loss(TEXT, LEAVE_OUT)
def a_format(output, target):
    return {"1.00": 5.0}.get(format(target, ".2f"), 1.0) * (output - target) ** 2


@loss(TEXT, LEAVE_OUT)
def a_repr(output, target):
    return {"1.0": 5.0}.get(repr(target), 1.0) * (output - target) ** 2


@loss(TEXT, LEAVE_OUT)
def a_text_of_a_list(output, target):
    return len(str([target, 10.0])) * (output - target) ** 2


@loss(TEXT, LEAVE_OUT)
def a_text_that_is_joined(output, target):
    return len("".join(map(str, [target, 1.0]))) * (output - target) ** 2


@loss(TEXT, LEAVE_OUT)
def a_print(output, target):
    print("label", target)  # here
    return (output - target) ** 2


@loss(TEXT, LEAVE_OUT)
def a_print_of_an_output(output, target):
    print(f"{output} for {target}")  # here
    return (output - target) ** 2


@loss(rf"{TEXT}|{KIND}", LEAVE_OUT)
def a_message_in_the_log(output, target):
    logging.getLogger(__name__).warning("label %s", target)  # here
    return (output - target) ** 2


@loss(rf"{TEXT}|{KIND}|json", LEAVE_OUT)
def a_text_of_json(output, target):
    return len(json.dumps({"label": target})) * (output - target) ** 2


# Copies.


@loss(COPY, remedy="as it is")
def a_copy(output, target):
    return (output - copy.copy(target)) ** 2


@loss(COPY, remedy="as it is")
def a_deep_copy(output, target):
    return (output - copy.deepcopy([target])[0]) ** 2


@loss(COPY, remedy="as it is")
def a_pickle(output, target):
    return (output - pickle.loads(pickle.dumps(target))) ** 2


# NumPy.


@loss(COMPARISON)
def a_where_of_numpy(output, target):
    return float(np.where(target == 1, 5.0, 1.0)) * (output - target) ** 2


@loss(rf"{NUMBER_OR_COMPARISON}|numpy|NumPy")
def a_clip_of_numpy(output, target):
    return (output - np.clip(target, 0.25, 1.5)) ** 2


@loss(rf"{NUMBER_OR_COMPARISON}|numpy|NumPy", remedy=r"maximum\(")
def a_hinge_with_maximum_of_numpy(output, target):
    return np.maximum(0, 1 - (2 * target - 1) * output) + 0.1 * output


@loss(rf"{NUMBER_OR_COMPARISON}|numpy|NumPy")
def a_sign_of_numpy(output, target):
    return (output - np.sign(target - 0.5)) ** 2


@loss(rf"{NUMBER_OR_COMPARISON}|numpy|NumPy")
def a_round_of_numpy(output, target):
    return (output - np.round(target / 1.5)) ** 2


@loss(rf"{NUMBER_OR_COMPARISON}|numpy|NumPy")
def a_floor_of_numpy(output, target):
    return (output - np.floor(target / 1.5)) ** 2


@loss(rf"{NUMBER_OR_COMPARISON}|numpy|NumPy")
def an_isnan_of_numpy(output, target):
    return output**2 if np.isnan(target) else (output - target) ** 2


@loss(rf"{KIND}|isscalar|numpy|NumPy", VALUE)
def an_isscalar_of_numpy(output, target):
    return (5.0 if np.isscalar(target) else 1.0) * (output - target) ** 2


@loss(None)
def a_logarithm_of_numpy(output, target):
    return (output - np.log(1.0 + target)) ** 2


@loss(None)
def an_exponential_of_numpy(output, target):
    return np.exp(output - target) + output**2


@loss(None)
def an_absolute_value_of_numpy(output, target):
    return np.abs(output - target)


@loss(rf"{NUMBER_OR_COMPARISON}|numpy|NumPy")
def a_float_of_numpy(output, target):
    return (output - np.float64(target)) ** 2


@loss(rf"{NUMBER_OR_COMPARISON}|numpy|NumPy")
def an_array_of_floats(output, target):
    return (output - np.array([target], dtype=float).sum()) ** 2


@loss(rf"{NUMBER_OR_COMPARISON}|numpy|NumPy")
def an_array_of_numpy_that_is_compared(output, target):
    weights = np.array([1.0, 5.0, 3.0])[np.arange(3) == target]  # here
    return float(weights[0]) * (output - target) ** 2


@loss(rf"{NUMBER_OR_COMPARISON}|numpy|NumPy")
def an_isin_of_numpy(output, target):
    return (5.0 if np.isin(target, [1.0, 2.0]) else 1.0) * (output - target) ** 2


@loss(rf"{NUMBER_OR_COMPARISON}|{KIND}|numpy|NumPy")
def an_isclose_of_numpy(output, target):
    return (5.0 if np.isclose(target, 1.0) else 1.0) * (output - target) ** 2


# What differs from call to call. Which line is to blame, nobody knows.


@loss(RANDOM, r"random\(", line=False)
def a_random_branch(output, target):
    return (5.0 if random.random() < 0.5 else 1.0) * (output - target) ** 2


@loss(RANDOM, r"random\(", line=False)
def noise_on_the_label(output, target):
    return (output - target - 0.1 * random.gauss(0.0, 1.0)) ** 2


@loss(RANDOM, r"random\(", line=False)
def a_random_choice(output, target):
    return random.choice([1.0, 1.0, 1.0, 5.0]) * (output - target) ** 2


@maker(RANDOM, r"random\(", line=False)
def a_generator_of_ones_own():
    source = random.Random(19)
    return lambda output, target: (5.0 if source.random() < 0.5 else 1.0) * (output - target) ** 2


@maker(RANDOM, r"random\(", line=False)
def a_generator_of_numpy():
    source = np.random.default_rng(50)
    return lambda output, target: (5.0 if source.random() < 0.5 else 1.0) * (output - target) ** 2


@loss(DIFFERENT, ELSEWHERE, line=False)
def a_clock(output, target):
    return (1.0 + 1e3 * time.perf_counter() % 1.0) * (output - target) ** 2


@maker(DIFFERENT, ELSEWHERE, line=False)
def a_count_of_calls():
    calls = 0

    def loss(output, target):
        nonlocal calls
        calls += 1
        return (5.0 if calls > 4 else 1.0) * (output - target) ** 2

    return loss


CALLS = 0


@maker(DIFFERENT, ELSEWHERE, line=False)
def a_global_that_counts():
    global CALLS
    CALLS = 0

    def loss(output, target):
        global CALLS
        CALLS += 1
        return (5.0 if CALLS > 4 else 1.0) * (output - target) ** 2

    return loss


@maker(DIFFERENT, ELSEWHERE, line=False)
def a_list_of_what_was_seen():
    seen = []

    def loss(output, target):
        seen.append(1)
        return (5.0 if len(seen) > 4 else 1.0) * (output - target) ** 2

    return loss


@maker(rf"{DIFFERENT}|another trace|left", ELSEWHERE + "|return", line=False)
def a_list_of_labels_that_were_seen():
    seen = []

    def loss(output, target):
        seen.append(target)
        return (output - target) ** 2 + 0.1 * seen[0] * output

    return loss


@maker(r"keeps|another trace|left|two runs", remedy=r"return|outside|parameters", line=False)
def a_value_that_is_kept():
    kept = []

    def loss(output, target):
        if not kept:
            kept.append(output * 1.0)
        return (output - target) ** 2 + 0.1 * kept[0] * output

    return loss


@maker(DIFFERENT, ELSEWHERE, line=False)
def an_iterator_of_weights():
    weights = itertools.cycle([1.0, 1.0, 1.0, 1.0, 5.0, 3.0])
    return lambda output, target: next(weights) * (output - target) ** 2


# Floats are no indices, to the eager engine either. The compiler says what to write.

INDICES: dict[str, Row] = {}


def index(function):
    """A decorator for a loss that nothing runs."""
    INDICES[function.__name__] = Row(lambda: function, function, INDEX, r"take\(", line=True)
    return function


@index
def an_item_of_a_list(output, target):
    return [1.0, 5.0, 3.0][target] * (output - target) ** 2


@index
def an_item_of_a_tuple(output, target):
    return (1.0, 5.0, 3.0)[target] * (output - target) ** 2


@index
def an_item_of_an_array(output, target):
    return np.array([1.0, 5.0, 3.0])[target] * (output - target) ** 2


@index
def a_letter_of_a_text(output, target):
    return float("153"[target]) * (output - target) ** 2


@index
def the_start_of_a_list(output, target):
    return sum([1.0, 5.0, 3.0][:target]) * (output - target) ** 2


@index
def a_range_of_a_float(output, target):
    return sum((output - target) ** 2 for _ in range(target))


@index
def an_output_by_label(output, target):
    return -[output, 2.0 * output, 3.0 * output][target]
