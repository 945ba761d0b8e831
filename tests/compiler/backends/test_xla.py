"""The JAX backend: windows, the operations that a program becomes, runs and trainings, several devices.

That its values and gradients are right is shown by the suites of every backend: test_backends.py and test_trainer.py.
"""

import json
import math
import os
import random
import re
import subprocess
import sys
from collections import Counter
from importlib import import_module
from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scalargrad import ops
from scalargrad.compiler import compile
from scalargrad.compiler.backends.reference import NumpyBackend
from scalargrad.compiler.backends.xla.lower import Lowered
from scalargrad.compiler.backends.xla.windows import window
from scalargrad.compiler.program import LANE, UNIFORM, Instruction, Kind, Program, Table
from scalargrad.engine import Value
from scalargrad.losses import mse
from scalargrad.nn import MLP, BatchNorm1d, Buffer, Conv2d, Dropout, Layer, MaxPool2d, Sequential
from scalargrad.ops import OPERATIONS, dot, log, mean, take, tanh
from scalargrad.optim import SGD, Adam
from scalargrad.schedules import Cosine, OneCycle, WarmUp
from tests.oracles.flags import IN_HASTE
from tests.oracles.functions import numbers, weights
from tests.paths import ROOT

SETTINGS = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "suppress_health_check": [HealthCheck.too_slow],
}


# Windows: what they read is what the table says.


def image(channels, height, width, kernel, stride=1, dilation=1, first=0):
    """The table of a convolution, [windows, places in a window], over an image whose rows begin at `first`."""
    span = (kernel - 1) * dilation
    corners = [width * y + x for y in range(0, height - span, stride) for x in range(0, width - span, stride)]
    places = product(range(channels), range(kernel), range(kernel))
    below = [height * width * c + dilation * (width * dy + dx) for c, dy, dx in places]
    return first + np.add.outer(corners, below)


def pools(channels, height, width, size):
    """The windows of a pool, which lie side by side, in each channel."""
    return np.concatenate([image(1, height, width, size, size, first=height * width * c) for c in range(channels)])


# fmt: off
PATTERNS = {
    "one row":                          np.array([5]),
    "one row as a matrix":              np.array([[5]]),
    "the first row":                    np.array([0]),
    "neighbours":                       np.arange(3, 13),
    "every 4th":                        np.arange(3, 40, 4),
    "two rows":                         np.array([2, 9]),
    "one row again and again":          np.full(5, 7),
    "each row three times":             np.repeat(np.arange(2, 7), 3),
    "all rows three times":             np.tile(np.arange(2, 7), 3),
    "each twice, all three times":      np.tile(np.repeat(np.arange(4), 2), 3),
    "one row as a matrix of copies":    np.full((3, 4), 6),
    "a row for each column":            np.tile(np.arange(4), (5, 1)),
    "a row for each line":              np.repeat(np.arange(4), 5).reshape(4, 5),
    "a matrix":                         np.arange(12).reshape(3, 4) + 2,
    "a matrix, turned":                 np.arange(12).reshape(3, 4).T + 2,
    "a matrix, turned and read on":     np.arange(12).reshape(3, 4).T.ravel(),
    "some columns of a matrix":         np.arange(40).reshape(5, 8)[:, 2:5],
    "some lines of a matrix":           np.arange(40).reshape(5, 8)[1:4],
    "every other column":               np.arange(40).reshape(5, 8)[:, ::2],
    "every other line":                 np.arange(40).reshape(5, 8)[::2],
    "one column":                       np.arange(40).reshape(5, 8)[:, 3],
    "a block of three dimensions":      np.arange(60).reshape(3, 4, 5)[1:, 1:3, 2:].reshape(2, -1),
    "three dimensions, turned":         np.arange(60).reshape(3, 4, 5).transpose(2, 0, 1).reshape(5, -1),
    "groups with gaps":                 np.array([0, 1, 2, 5, 6, 7, 10, 11, 12]),
    "overlapping windows of a line":    np.add.outer(np.arange(9), np.arange(4)),
    "windows of a line, 2 apart":       np.add.outer(np.arange(0, 12, 2), np.arange(3)),
    "a dilated window of a line":       np.add.outer(np.arange(12), 3 * np.arange(4)),
    "the pools of a line":              np.arange(12).reshape(4, 3),
    "pools of 2x2":                     pools(3, 8, 6, 2),
    "pools of 3x3":                     pools(2, 9, 9, 3),
    "a pool that leaves rows over":     pools(1, 7, 9, 2),
    "a global average":                 np.arange(75).reshape(3, 25),
    "the second group of channels":     image(2, 8, 8, 3, first=2 * 64),
    "one channel of five":              image(1, 8, 8, 3, first=3 * 64),
    "an image behind 5 other rows":     image(2, 6, 6, 3, first=5),
    "a matrix across its own lines":    np.arange(40).reshape(5, 8)[:, 2:6] + 3,
    "convolution of 28x28":             image(1, 28, 28, 3),
    "convolution of 28x28, by 2":       image(1, 28, 28, 3, stride=2),
    "a high image":                     image(2, 9, 4, 3),
    "a broad image":                    image(2, 4, 9, 3),
    "1x1 of 3 channels":                image(3, 8, 8, 1),
    "1x1 of 3 channels, by 2":          image(3, 8, 8, 1, stride=2),
    "the whole image":                  image(2, 5, 5, 5),
    "dilated by 2":                     image(1, 9, 9, 3, dilation=2),
    "dilated by 2, 3 channels":         image(3, 10, 10, 3, dilation=2),
    "dilated by 3":                     image(2, 12, 12, 3, dilation=3),
}
PATTERNS |= {
    f"{kernel}x{kernel} of {channels} channels by {stride}": image(channels, 11, 9, kernel, stride, first=99 * group)
    for channels, kernel, stride, group in product((1, 2, 3), (2, 3, 4, 5), (1, 2), (0, 2))
}
IRREGULAR = {
    "backwards":                        np.array([3, 2, 1]),
    "one backwards":                    np.array([0, 1, 2, 4, 3]),
    "a permutation":                    np.array([3, 0, 4, 1, 5, 2, 7]),
    "squares":                          np.arange(5) ** 2,
    "a group that is too short":        np.array([0, 1, 2, 5, 6, 7, 10, 11]),
    "groups of two lengths":            np.array([0, 1, 5, 6, 7, 10]),
    "a triangle":                       np.array([[0, 1, 2], [1, 2, 3], [2, 3, 5]]),
    "one line that is another":         np.array([[0, 1, 2], [3, 4, 5], [6, 8, 7]]),
    "a wrong last place":               np.array([[0, 1], [2, 3], [4, 6]]),
    "a shuffled convolution":           np.random.default_rng(0).permutation(36)[image(1, 6, 6, 3)],
    "the first row, then all":          np.array([0, 0, 1, 2, 3]),
    "three directions in one line":     np.add.outer(np.add.outer(np.arange(3), np.arange(3)), np.arange(3)).ravel(),
}
# fmt: on
BOTH_WAYS = [*PATTERNS, *(f"{name} transposed" for name, table in PATTERNS.items() if table.ndim == 2)]


def table_of(name):
    return PATTERNS[name.removesuffix(" transposed")].T if name.endswith(" transposed") else PATTERNS[name]


def check_window(table, count):
    """The window of a table, whose rows are the table's: None if it has none. Row 0 has the number 1: 0 is no row."""
    found = window(table, count)
    if found is not None:
        rows = np.arange(1, count + 1)[:, None] * np.array([1, 1_000_003])
        np.testing.assert_array_equal(found.read(np, rows), rows[table])
    return found


@pytest.mark.parametrize("name", BOTH_WAYS)
def test_a_pattern_is_read_by_slices(name):
    table = table_of(name)
    for more in (0, 1, 2, 17, 64):
        assert check_window(table, int(table.max()) + 1 + more) is not None, f"no slices with {more} rows behind it"


@pytest.mark.parametrize("name", IRREGULAR)
def test_what_is_no_pattern_is_not_read_by_slices(name):
    table = IRREGULAR[name]
    for form in (table, table.T.copy()):
        assert window(form, int(table.max()) + 1) is None


def test_every_kind_of_convolution_is_read_as_the_table_says():
    """By slices where the windows touch each other. Others may be no window, and never a wrong one."""
    for channels, width, kernel, stride, dilation in product((1, 2, 3), (5, 8), (1, 2, 3, 5), (1, 2, 3), (1, 2)):
        for height, group, behind in product((5, 9), (0, 1), (0, 3, 40)):
            if (kernel - 1) * dilation < min(height, width):
                table = image(channels, height, width, kernel, stride, dilation, group * height * width)
                count = (group + channels) * height * width + behind
                for form in (table, table.T, table.ravel()):
                    found = check_window(form, count)
                    assert found is not None or stride > kernel or dilation > 1


def test_windows_with_too_many_slices_are_none():
    """Such as a signal with a filter of 50 places: more slices than a gather is worth."""
    for places, is_one in ((16, True), (17, False), (50, False)):
        assert (check_window(np.add.outer(np.arange(100), np.arange(places)), 200) is not None) == is_one


@st.composite
def tables(draw):
    """Tables of evenly spaced directions, up to four, in any order; one number may be moved."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    strides = draw(
        st.lists(st.sampled_from((0, 1, 1, 2, 3, 4, 5, 8, 12, 24, 25)), min_size=len(sizes), max_size=len(sizes))
    )
    rows = np.array(draw(st.integers(0, 12)))
    for size, stride in zip(sizes, strides, strict=True):
        rows = np.add.outer(rows, stride * np.arange(size))
    lines = math.prod(sizes[: draw(st.integers(0, len(sizes)))])
    table = rows.ravel().copy() if draw(st.booleans()) else rows.reshape(lines, -1).copy()
    if draw(st.integers(0, 9)) == 0:
        table.flat[draw(st.integers(0, table.size - 1))] += draw(st.integers(1, 3))
    return table, int(table.max()) + 1 + draw(st.sampled_from((0, 1, 2, 5, 11, 30)))


@pytest.mark.long
@settings(max_examples=400, **SETTINGS)
@given(case=tables())
def test_windows_of_random_tables(case):
    check_window(*case)


@pytest.mark.long
@settings(max_examples=3_000, **SETTINGS)
@given(case=tables())
def test_windows_of_many_random_tables(case):
    check_window(*case)


@pytest.mark.parametrize("rows", [[0], [0, 1, 2], [5, 3], [2, 2, 2, 2], [1, 4, 2, 0, 3]])
def test_small_tables_of_few_rows_are_read_to_the_last_row(rows):
    """Every table of these rows and every end of what is read: slices must not stop before it or go beyond."""
    for count, split in product(range(max(rows) + 1, max(rows) + 4), (1, len(rows))):
        check_window(np.array(rows), count)
        check_window(np.array(rows).reshape(split, -1), count)


# What programs become.


def operations(jaxpr):
    """How often each of JAX's primitives occurs, also inside of others."""
    found = Counter()
    for equation in jaxpr.eqns:
        found[equation.primitive.name] += 1
        for parameter in equation.params.values():
            for part in parameter if isinstance(parameter, list | tuple) else [parameter]:
                part = getattr(part, "jaxpr", part)
                if hasattr(part, "eqns"):
                    found += operations(part)
    return found


def lowered(function, *arrays):
    """The operations of a loss and its gradient, or of a function that returns a list."""
    import jax

    compiled = compile(function, backend="numpy")
    compiled(*arrays)
    program = compiled.last.program
    ready = Lowered(program, "float64")
    leaves = np.array([leaf.data for leaf in (*program.parameters, *program.buffers)])

    def run(arrays, leaves):
        made = ready.run(arrays, leaves)
        return [made.rows(table) for table in program.outputs()]

    with jax.enable_x64(True):
        flat = [np.asarray(array, "float64").reshape(len(array), -1) for array in arrays]
        return operations(jax.make_jaxpr(run)(flat, leaves).jaxpr)


def mean_of_squares(outputs):
    return mean([x * x for channel in outputs for row in channel for x in row])


def of_layers():
    dense, perceptron = Layer(5, 3, activation="tanh", rng=0), MLP(4, [6, 5, 3], activation="relu", rng=0)
    wide, narrow = Conv2d(2, 3, 3, rng=0), Conv2d(1, 2, 5, rng=0)
    moving, single = Conv2d(2, 2, 3, stride=2, rng=0), Conv2d(3, 4, 1, rng=0)
    pool = MaxPool2d(2)
    x, y = numbers(4, 5), numbers(4, 3)
    images = numbers(4, 2, 9, 9)
    return {
        "dense": (lambda x: mean([z * z for z in dense(x)]), x),
        "outputs of a dense layer": (lambda x: list(dense(x)), x),
        "perceptron": (lambda x, y: mse(perceptron(x), y), x[:, :4], y),
        "3x3": (lambda x: mean_of_squares(wide(x)), images),
        "5x5": (lambda x: mean_of_squares(narrow(x)), images[:, :1]),
        "3x3 by 2": (lambda x: mean_of_squares(moving(x)), images),
        "1x1": (lambda x: mean_of_squares(single(x)), numbers(4, 3, 6, 6)),
        "3x3 and its outputs": (lambda x: [list(map(list, channel)) for channel in wide(x)], images),
        "3x3 and a pool": (lambda x: mean_of_squares(pool(wide(x))), numbers(4, 2, 8, 8)),
    }


@pytest.mark.oracle("jax")
@pytest.mark.parametrize("name", of_layers())
def test_layers_are_products_of_slices_and_gather_nothing(name):
    found = lowered(*of_layers()[name])
    assert found["gather"] == found["scatter"] == found["scatter-add"] == 0
    assert found["dot_general"] >= (1 if "outputs" in name else 2)


@pytest.mark.oracle("jax")
def test_a_layer_whose_inputs_lie_anywhere_gathers_them():
    order, own = random.Random(1).sample(range(20), 20), weights(6, 2, 4)

    def loss(x):
        x = [x[n] for n in order]
        return mean([tanh(dot(row, x[3 * n : 3 * n + 4])) for n, rows in enumerate(own) for row in rows])

    assert lowered(loss, numbers(4, 20))["gather"] > 0


# Tables over many arrays: in NumPy, they are read from one.


def program_of_many_arrays():
    """Inputs, constants, parameters, buffers, leaves and results of several sizes, one next to another."""
    program = Program([5, 1, 8], [2.0, -1.0, 0.5], [Value(n / 8) for n in range(7)], [Buffer(3.0), Buffer(4.0)])
    program.lane_rows, program.uniform_rows = sum(program.inputs), program.batch_row + 1

    def add(kind, bank, count, *args, op=None, number=0.0):
        program.append(Instruction(Kind(kind), bank, count, args, OPERATIONS[op] if op else None, number=number))

    add("map", LANE, 4, Table(LANE, np.arange(2, 6)), op="neg")
    add("leaf", UNIFORM, 3)
    add("constant", UNIFORM, 1, number=7.0)
    add("map", UNIFORM, 6, Table(UNIFORM, np.arange(3, 9)), op="neg")
    add("broadcast", LANE, 2, Table(UNIFORM, np.array([4, 0])))
    add("constant", UNIFORM, 1, number=-3.0)
    add("map", LANE, 9, Table(LANE, np.arange(3, 12)), Table(UNIFORM, np.arange(4, 13)), op="mul")
    add("map", UNIFORM, 1, Table(UNIFORM, np.array([5])), op="neg")
    program.verify()
    return program


def any_table(source, count):
    """Rows of a bank of so many: runs, columns and single rows, out of one array and out of several."""
    kind, lines, places = source.randrange(6), source.randint(1, 6), source.randint(1, 6)
    if kind == 0:  # anywhere
        rows = [[source.randrange(count) for _ in range(places)] for _ in range(lines)]
    elif kind == 1:  # runs that may cross from one array to the next
        rows = [[min(first + n, count - 1) for n in range(places)] for first in source.sample(range(count), lines)]
    elif kind == 2:  # columns, each from somewhere
        firsts = [source.randrange(count - lines) for _ in range(places)]
        rows = [[first + n for first in firsts] for n in range(lines)]
    elif kind == 3:  # one row in each column
        rows = [[source.randrange(count) for _ in range(places)]] * lines
    elif kind == 4:  # all of them
        rows = [list(range(count))]
    else:  # every other one, across all arrays
        rows = [list(range(source.randrange(3), count, source.randint(1, 3)))]
    table = np.array(rows)
    return source.choice((table, table.T.copy(), table.ravel(), table[:, 0].copy(), table[:0]))


def check_tables(seed, how_many):
    jax, source, program = import_module("jax"), random.Random(seed), program_of_many_arrays()
    backend, ready = NumpyBackend(program, "float64"), Lowered(program, "float64")
    arrays, leaves, kept = [numbers(3, n, seed=n) for n in program.inputs], numbers(9), numbers(3, seed=1)
    backend.kept[[row for i in program.instructions if i.kind is Kind.LEAF for row in i.rows]] = kept
    backend.write(backend.leaves, leaves)
    banks = dict(zip((LANE, UNIFORM), backend.run(np.concatenate(arrays, axis=1).T, 3), strict=True))
    wanted = [
        Table(bank, any_table(source, len(banks[bank])))
        for bank in (source.choice((LANE, UNIFORM)) for _ in range(how_many))
    ]

    def read(arrays, leaves, kept):
        run = ready.run(arrays, leaves, [kept])
        return [run.rows(table) for table in wanted]

    with jax.enable_x64(True):
        found = jax.jit(read)(arrays, leaves, kept)
    for table, rows in zip(wanted, found, strict=True):
        if table.rows.size:
            expected = np.broadcast_to(banks[table.bank][table.rows], rows.shape)
            np.testing.assert_array_equal(rows, expected, err_msg=f"{table.bank} {table.rows.tolist()}")
        else:
            assert rows.shape[:-1] == table.rows.shape


@pytest.mark.oracle("jax")
def test_tables_over_several_arrays():
    check_tables(seed=0, how_many=40)


@pytest.mark.oracle("jax")
@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 9))
def test_many_tables_over_several_arrays(seed):
    check_tables(seed, how_many=120)


# Calls.


w = Value(1.5)
# fmt: off
RESULTS = {
    "no numbers":                    (lambda x: [], np.ones(3)),
    "two lists of no numbers":       (lambda x: [[], []], np.ones(3)),
    "the same for all rows":         (lambda x: [w * 2.0, w], np.ones(3)),
    "constants":                     (lambda x: [1.0, 2.0, 1.0], np.ones(3)),
    "a constant":                    (lambda x: 2.0, np.ones(3)),
    "the input":                     (lambda x: x, numbers(4)),
    "inputs, constants, parameters": (lambda x: [x[1], 3.0, w, x[0], w * x[1], w], numbers(3, 2)),
    "the input and back":            (lambda x: [*x, *x[::-1]], numbers(3, 4)),
    "inputs in turns":               (lambda x, y: [z for both in zip(x, y, strict=True) for z in both],
                                      numbers(3, 4), numbers(3, 4, seed=1)),
    "an input of no numbers":        (lambda x, y: [y, w], np.ones((3, 0)), numbers(3)),
    "only an input of no numbers":   (lambda x: [w, 1.0], np.ones((3, 0))),
    "whole numbers and answers":     (lambda x, y: [x * w, y], np.arange(3), np.array([True, False, True])),
}
# fmt: on


@pytest.mark.oracle("jax")
@pytest.mark.parametrize("name", RESULTS)
def test_results_of_any_kind_are_numpys(name):
    function, *arrays = RESULTS[name]
    found, expected = (compile(function, backend=backend)(*arrays) for backend in ("jax", "numpy"))
    np.testing.assert_array_equal(found, expected)
    assert np.shape(found) == np.shape(expected)


@pytest.mark.oracle("jax")
def test_results_belong_to_the_caller():
    program = compile(lambda x: [x, w], backend="jax")
    first = program(np.ones(3))
    first[...] = 0.0
    assert program(np.ones(3)).tolist() == [[1.0, 1.5]] * 3
    value, gradient = compile(lambda x: w * x, backend="jax").value_and_grad(np.ones(3))
    gradient += 1.0
    assert (value, gradient.tolist()) == (1.5, [2.0])


def calls_of(program, training):
    """All the ways to run a program."""
    return {
        "call": program,
        "value_and_grad": program.value_and_grad,
        "backward": program.backward,
        "step": training.step,
        "run": lambda *arrays: training.run(*arrays, epochs=2),
    }


@pytest.mark.oracle("jax")
@pytest.mark.parametrize("index", [3.0, math.nan])
def test_a_wrong_index_is_named_with_its_row_as_numpy_does(index):
    words = {}
    for backend in ("numpy", "jax"):
        table = tuple(map(Value, (0.1, 0.2, 0.3)))
        program = compile(lambda token, y, table=table: (take(token, table) - y) ** 2, backend=backend)
        optimizer = SGD(0.1)
        tokens, y = np.array([0.0, 2.0, 1.0, index, 0.0]), numbers(5)
        for name, call in calls_of(program, program.trainer(optimizer)).items():
            with pytest.raises(IndexError, match="row 3") as error:
                call(tokens, y)
            words.setdefault(name, set()).add(str(error.value))
            assert [p.data for p in table] == [0.1, 0.2, 0.3], name
            assert [p.grad for p in table] == [0.0, 0.0, 0.0], name
            assert optimizer.steps == program.steps.data == 0, name
    assert all(len(both) == 1 for both in words.values()), words


@pytest.mark.oracle("jax")
@pytest.mark.parametrize("counter", [0.5, 2.0**63])
def test_a_wrong_counter_of_random_is_named_as_numpy_does(counter):
    words = set()
    for backend in ("numpy", "jax"):
        factor = Value(2.0)
        program = compile(lambda x, factor=factor: (factor * ops.random(3.0, x)) ** 2, backend=backend)
        optimizer = SGD(0.1)
        for name, call in calls_of(program, program.trainer(optimizer)).items():
            with pytest.raises(ValueError, match="random counts in whole numbers") as error:
                call([1.0, 2.0, counter])
            words.add(str(error.value))
            assert (factor.data, factor.grad, optimizer.steps) == (2.0, 0.0, 0), name
    assert len(words) == 1


# Training.


class Training:
    """What a trainer is made from, and the numbers that change: `make` gives loss, leaves and what moves."""

    def __init__(self, make, optimizer, arrays, batch_size=None, **options):
        self.make, self.optimizer, self.arrays = make, optimizer, arrays
        self.batch_size, self.options = batch_size, options

    def result(self, backend):
        """The history of two runs, and the numbers after them."""
        loss, leaves, more = self.make()
        optimizer = self.optimizer()
        training = compile(loss, backend=backend).trainer(
            optimizer, self.batch_size, rng=7, **self.options, measures=more.get("measures", {})
        )
        training.moving = more.get("moving")
        runs = [training.run(*self.arrays, epochs=2) for _ in range(2)]
        history = {name: runs[0][name] + runs[1][name] for name in runs[0]}
        memory = [list(optimizer.state.get(leaf, ())) for leaf in leaves]
        return {**history, "numbers": [leaf.data for leaf in leaves], "steps": [optimizer.steps]} | {
            f"memory {n}": row for n, row in enumerate(memory)
        }


def perceptron():
    model = MLP(2, [5, 1], activation="tanh", rng=3)
    return lambda x, y: mse(model(x), y), model.parameters(), {}


def some_of_a_perceptron():
    """Of the first layer every other parameter moves, and the last of all."""
    loss, parameters, _ = perceptron()
    return loss, parameters, {"moving": [*parameters[0:10:2], parameters[-1]]}


def none_of_a_perceptron():
    return *perceptron()[:2], {"moving": []}


def perceptron_with_measures():
    loss, parameters, _ = perceptron()
    error, large = Buffer(0.0), Buffer(0.0)

    def measured(x, y):
        found = loss(x, y)
        error.update(error + ops.batch_mean(ops.sqrt(found)))
        large.update(large + ops.batch_mean(ops.less(0.1, found)))
        return found

    return measured, parameters, {"measures": {"error": error, "large": large}}


def normalised():
    model = Sequential(Layer(2, 4, activation="linear", rng=1), BatchNorm1d(4), Layer(4, 1, rng=2))
    norm = model.layers[1]
    buffers = [*norm.running_mean, *norm.running_var, norm.num_batches_tracked]
    return lambda x, y: mse(model(x), y), [*model.parameters(), *buffers], {}


def with_dropout():
    model = Sequential(Layer(2, 6, rng=1), Dropout(0.4, rng=2), Layer(6, 1, activation="linear", rng=3))
    return lambda x, y: mse(model(x), y), model.parameters(), {}


def momentum():
    return SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.01)


DATA = numbers(10, 2, seed=1), numbers(10, seed=2)
# fmt: off
TRAININGS = {
    "momentum, a rest":         Training(perceptron, momentum, DATA, 4, schedule=Cosine()),
    "adam, a rest":             Training(perceptron, lambda: Adam(0.05), DATA, 3, schedule=WarmUp(0.25, Cosine())),
    "adam, no rest":            Training(perceptron, lambda: Adam(0.05), DATA, 5, schedule=OneCycle()),
    "measures, a rest":         Training(perceptron_with_measures, momentum, DATA, 4),
    "batch norm, a rest":       Training(normalised, momentum, DATA, 4),
    "dropout, a rest":          Training(with_dropout, momentum, DATA, 4),
    "some move":                Training(some_of_a_perceptron, lambda: Adam(0.05), DATA, 5),
    "none moves":               Training(none_of_a_perceptron, lambda: Adam(0.05), DATA, 5),
}
# fmt: on


def check_close(found, expected, tolerance, what):
    """Each number of some lists by name; nan and inf are themselves."""
    assert found.keys() == expected.keys(), what
    for name, numbers_of in expected.items():
        assert found[name] == pytest.approx(numbers_of, rel=tolerance, abs=tolerance, nan_ok=True), (what, name)


@pytest.mark.oracle("jax")
@pytest.mark.parametrize("name", TRAININGS)
def test_training_is_numpys(name):
    training = TRAININGS[name]
    check_close(training.result("jax"), training.result("numpy"), 1e-12, name)


@pytest.mark.oracle("jax")
@pytest.mark.parametrize("batch_size", [None, 4, 5])
def test_training_stops_where_the_loss_is_no_number_with_the_step_that_numpy_did_last(batch_size):
    results = []
    for backend in ("numpy", "jax"):
        factor, shift, optimizer = Value(1.0), Value(0.0), SGD(0.2, momentum=0.5)
        training = compile(
            lambda x, factor=factor, shift=shift: log(factor) * x + shift**2 + shift, backend=backend
        ).trainer(optimizer, batch_size)
        with pytest.raises(FloatingPointError) as error:
            training.run(np.linspace(0.5, 1.5, 10), epochs=20)
        state = [*optimizer.state[factor], *optimizer.state[shift]]
        results.append((str(error.value), optimizer.steps, [factor.data, shift.data, *state]))
    assert results[1][:2] == results[0][:2]
    assert results[1][2] == pytest.approx(results[0][2], rel=1e-12, nan_ok=True)
    assert 1 < results[0][1] < 20


@pytest.mark.oracle("jax")
def test_a_step_whose_loss_is_no_number_says_so_and_the_next_goes_on():
    found = []
    for backend in ("numpy", "jax"):
        factor, optimizer = Value(-1.0), SGD(0.1)
        training = compile(lambda x, factor=factor: log(factor) * x, backend=backend).trainer(optimizer)
        losses = [training.step(np.ones(3))]
        factor.data = 2.0
        losses.append(training.step(np.ones(3)))
        found.append((*losses, factor.data, optimizer.steps))
    assert found[1] == pytest.approx(found[0], nan_ok=True)
    assert math.isnan(found[0][0])


@pytest.mark.oracle("jax")
@pytest.mark.parametrize("writeable", [True, False])
def test_other_numbers_in_the_same_array_are_trained_on(writeable):
    """Samples lie on the device from call to call only if nobody can have changed them."""
    x = np.ones((8, 1))
    x.flags.writeable = writeable
    training = compile(lambda x: (w * x[0]) ** 2, backend="jax").trainer(SGD(0.0), batch_size=4)
    (before,) = training.run(x, epochs=1)["loss"]
    if not writeable:
        x = np.ones((8, 1))
    x[...] = 3.0
    x.flags.writeable = writeable
    (after,) = training.run(x, epochs=1)["loss"]
    assert after == pytest.approx(9.0 * before, rel=1e-14)


# Several devices of one process.

DEVICES = "--xla_force_host_platform_device_count=8"


@pytest.fixture(scope="module")
def shared(jax):
    """What jax_devices.py found, by its functions."""
    command = [sys.executable, "-m", "tests.oracles.jax_devices"]
    for flags in (f"{DEVICES} {IN_HASTE}", DEVICES):
        environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", check=False)
        if "Unknown flag" not in done.stderr:
            break
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_slopes_of_shared_batches_are_numpys(shared):
    """Relative to the sum of their sizes; means over the batch are over all devices' rows."""
    assert len(shared["slopes"]) > 12
    for name, (found, expected) in shared["slopes"].items():
        size = math.fsum(map(abs, expected))
        for number, wanted in zip(found, expected, strict=True):
            assert abs(number - wanted) <= 1e-12 * size, name


def test_training_on_devices_is_numpys(shared):
    for name, (found, expected) in (shared["curves"] | {"few samples": shared["calls_of_few_samples"]}).items():
        tolerance = 1e-4 if "float32" in name else 1e-10
        for ours, theirs in zip(found, expected, strict=True):
            assert ours == pytest.approx(theirs, rel=tolerance, abs=tolerance), name


def test_extreme_inputs_in_the_last_row_give_what_one_device_gives(shared):
    """The last row is repeated where rows are left over, and counts once, whatever it holds."""
    for name, (alone, *others) in shared["extreme_inputs"].items():
        for found in others:
            assert found == pytest.approx(alone, rel=1e-14, nan_ok=True), name


def test_a_wrong_index_on_one_of_the_devices_is_named_and_nothing_is_lost(shared):
    alone, many = shared["mistakes"]
    assert many["words"] == alone["words"]
    assert len(alone["words"]) == 4
    assert all(re.search("index 3.0 in row 19", words) for words in alone["words"])
    assert many["unchanged"] == alone["unchanged"] == [0, [0.1, 0.2, 0.3]]
    assert many["left"] == pytest.approx(alone["left"], rel=1e-12)
    assert alone["left"][0] == 2, "two batches come before the wrong one"


def test_devices_stop_together_where_the_loss_is_no_number(shared):
    (words, *found), (same, *expected) = shared["losses_that_are_no_numbers"]
    assert words == same
    assert found == pytest.approx(expected, rel=1e-12)


def test_devices_add_up_all_sums_of_a_step_at_once(shared):
    """Means over the batch that others are made from cannot wait: two layers of batch norm have two each, both ways."""
    most = {"perceptron": 1, "recurrent network": 1, "spread": 5, "convolutional network": 10}
    assert shared["sums_between_devices"].keys() == most.keys()
    for name, count in shared["sums_between_devices"].items():
        assert 1 <= count <= most[name], name
