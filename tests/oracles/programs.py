"""Random programs for the backends: shared terms, all kinds of operand, dots of all patterns, gradients inside."""

import itertools
import sys
from typing import NamedTuple

import numpy as np
from hypothesis import HealthCheck, assume
from hypothesis import strategies as st

from scalargrad import ops
from scalargrad.compiler import compile
from scalargrad.engine import Value, gradients
from scalargrad.losses import binary_cross_entropy_with_logits, mse
from scalargrad.ops import OPERATIONS, dot
from tests.oracles.domains import ALLOWED
from tests.oracles.functions import (
    Case,
    agree,
    all_terms,
    check_loss,
)


def is_subnormal(x, below=sys.float_info.min):
    return 0.0 < abs(x) < below


# Random programs: shared terms, all kinds of operand, dots of all patterns, gradients inside.


class Step(NamedTuple):
    """One operation on earlier terms by their number. `layer`: a dot for every pair of two lists of groups."""

    name: str
    operands: tuple


# fmt: off
STEPS = {
    **OPERATIONS,
    "leaky_relu": lambda x: ops.leaky_relu(x, 0.1),
    "elu":        lambda x: ops.elu(x, 1.3),
    "sum":        lambda *xs: ops.sum(xs),
    "mean":       lambda *xs: ops.mean(xs),
    "logsumexp":  lambda *xs: ops.logsumexp(xs),
    "where":      lambda c, x, y: ops.where(ops.less(0.0, c), x, y),
    "square":     lambda x: x**2,
    "shift":      lambda x: 1.5 - x,
    "halve":      lambda x: x / 2.0,
    "power":      lambda x: x**3,
    "slope":      lambda y, x: gradients(y, [x], create_graph=True)[0],
    "loss":       lambda x, y: binary_cross_entropy_with_logits([x, y], [0.5, 1]) + mse([x, y, x], [y, x, 0.0]),
    "take":       lambda index, *xs: ops.take(index, xs),
}
ARITY = {
    **dict.fromkeys(("exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "sqrt", "sin", "cos", "tan", "asin",
                     "acos", "atan", "sinh", "cosh", "sech", "asinh", "acosh", "atanh", "tanh", "sigmoid", "relu",
                     "leaky_relu", "softplus", "log_sigmoid", "silu", "elu", "erf", "erfc", "gelu", "abs", "sign",
                     "step", "floor", "ceil", "round", "neg", "square", "shift", "halve", "power"), 1),
    **dict.fromkeys(("add", "sub", "mul", "div", "pow", "atan2", "hypot", "mod", "floor_divide"), 2),
    **dict.fromkeys(("maximum", "minimum", "mean", "logsumexp", "where", "sum", "clamp"), 3),
}
# fmt: on
KINKED = ("relu", "leaky_relu", "elu", "abs", "sign", "step", "where")
LARGEST = 10.0


def results_of(step, terms, table=STEPS):
    """The new terms of a step, for one sample."""
    if step.name == "layer":
        rows, columns = ([tuple(terms[i] for i in group) for group in groups] for groups in step.operands)
        return [dot(row, column) for row in rows for column in columns]
    return [table[step.name](*(terms[i] for i in step.operands))]


def in_lockstep(step, columns):
    """The new terms of a step for all rows at once: each column has a term's Values, one for each row."""
    if step.name == "batch_mean":
        (column,) = (columns[i] for i in step.operands)
        return [[ops.mean(column)] * len(column)]
    rows = [results_of(step, row) for row in zip(*columns, strict=True)]
    return [list(column) for column in zip(*rows, strict=True)]


def one_output(terms, leaves):
    """The last term plus a tenth of every other one: no result is unused."""
    return terms[-1] + ops.sum([term * 0.1 for term in (terms[0], *terms[leaves:])])


class RandomProgram(NamedTuple):
    data: list  # rows of inputs; the last one is a position, 0 to 2
    parameters: list
    steps: list


@st.composite
def programs(draw, margin=1e-6):
    number = st.floats(-2.0, 2.0, allow_subnormal=False, width=32)
    rows, inputs = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    data = [[*(draw(number) for _ in range(inputs)), float(draw(st.integers(0, 2)))] for _ in range(rows)]
    parameters = draw(st.lists(number, min_size=1, max_size=4))
    columns = [[Value(row[i]) for row in data] for i in range(inputs + 1)]
    columns += [[x] * rows for x in map(Value, parameters)]
    leaves, crosses = len(columns), [False] * len(columns)  # crosses: does it depend on other rows?
    token, steps = inputs, []
    names = st.sampled_from([*sorted(ARITY), *["layer", "layer", "batch_mean", "slope", "slope", "take", "loss"]])

    def pick(count):
        return tuple(draw(st.integers(0, len(columns) - 1)) for _ in range(count))

    for name in draw(st.lists(names, min_size=1, max_size=12)):
        if name == "layer":
            length = draw(st.integers(1, 4))
            operands = tuple(tuple(pick(length) for _ in range(draw(st.integers(1, 3)))) for _ in range(2))
            read = [i for groups in operands for group in groups for i in group]
        else:
            operands = pick({"batch_mean": 1, "slope": 2, "loss": 2, "take": 3}.get(name) or ARITY[name])
            read = list(operands)
            if name == "take":
                operands = (token, *operands)
        arguments = [[x.data for x in columns[i]] for i in read]
        if name == "slope" and crosses[operands[0]]:
            continue  # inside a function, the gradient through the other rows is not to be had
        if name in ALLOWED and not all(itertools.starmap(ALLOWED[name], zip(*arguments, strict=True))):
            continue
        if name in KINKED and any(abs(x) <= margin for x in arguments[0]):
            continue
        if name in ("maximum", "minimum", "clamp") and not apart_or_the_same(read, arguments, margin):
            continue
        step = Step(name, operands)
        results = in_lockstep(step, columns)
        if all(abs(x.data) <= LARGEST for column in results for x in column):
            columns += results
            crosses += [name == "batch_mean" or any(crosses[i] for i in read)] * len(results)
            steps.append(step)
    assume(steps)
    assert leaves == inputs + 1 + len(parameters)
    return RandomProgram(data, parameters, steps)


def apart_or_the_same(operands, arguments, margin):
    pairs = itertools.combinations(zip(operands, arguments, strict=True), 2)
    return all(i == j or all(abs(x - y) > margin for x, y in zip(xs, ys, strict=True)) for (i, xs), (j, ys) in pairs)


def check_random_program(program, backend, dtype="float64"):
    data, parameters, steps = program
    leaves = list(map(Value, parameters))
    inputs = len(data[0])

    def terms_of(x):
        terms = [*x, *leaves]
        for step in steps:
            terms += results_of(step, terms)
        return terms

    columns = [[Value(row[i]) for row in data] for i in range(inputs)] + [[leaf] * len(data) for leaf in leaves]
    for step in steps:
        columns += in_lockstep(step, columns)
    # Numbers that have no place in float32, or, on most processors, in XLA.
    smallest = 1e-36 if dtype == "float32" else 1e-300 if backend == "jax" else 0.0
    assume(not any(is_subnormal(x.data, smallest) for column in columns for x in column))
    x = np.array(data)
    outputs = [one_output(terms, inputs) for terms in zip(*columns, strict=True)]
    compiled = compile(lambda x: one_output(terms_of(x), inputs), backend=backend, dtype=dtype)
    check_loss(compiled, Case(None, leaves, (x,)), ops.mean(outputs), dtype, strict=True)

    found = compile(lambda x: terms_of(x)[inputs + len(leaves) :], backend=backend, dtype=dtype)(x)
    for computed, expected in zip(found.T.tolist(), columns[inputs + len(leaves) :], strict=True):
        for number, value in zip(computed, expected, strict=True):
            assert agree(number, value.data, all_terms(value), dtype), (number, value.data)


SETTINGS = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
}
