"""Programs as functions for a user's own JAX code: what they compute, their derivatives, and what they refuse."""

import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import pytest

from scalargrad import ops
from scalargrad.compiler import compile
from scalargrad.engine import Value, gradients
from scalargrad.losses import binary_cross_entropy_with_logits, cross_entropy, mse
from scalargrad.nn import LSTM, MLP, BatchNorm2d, Conv2d, Dropout, Flatten, GlobalAvgPool, Layer, Module, Sequential
from scalargrad.ops import OPERATIONS, relu, take
from scalargrad.optim import Adam
from tests.oracles.functions import attention, loop, numbers, value_of_row
from tests.oracles.mpmath import deep, flat
from tests.paths import ROOT

inf, nan = math.inf, math.nan
INDEXED = (ops.take, ops.surprisal)
X, Y = numbers(6, 2), numbers(6, seed=1)


@pytest.fixture
def jax(jax):
    """JAX with float64, in this test only."""
    with jax.enable_x64(True):
        yield jax


class Problem(NamedTuple):
    """A loss, the Values that its gradient is for, in order, and arrays."""

    loss: Any
    parameters: list
    arrays: tuple = (X, Y)


def perceptron(seed=0):
    model = MLP(2, [3, 1], activation="tanh", rng=seed)
    return Problem(lambda x, y: mse(model(x), y), model.parameters()), model


def convolutional_network():
    """With batch norm, whose averages move, and dropout."""
    model = Sequential(
        Conv2d(1, 2, 3, rng=1), BatchNorm2d(2), relu, GlobalAvgPool(), Flatten(), Dropout(0.3, rng=5),
        Layer(2, 3, activation="linear", rng=3),
    )  # fmt: skip
    arrays = numbers(8, 1, 4, 4, seed=2), np.arange(8) % 3
    return Problem(lambda x, y: cross_entropy(model(x), y), model.parameters(), arrays), model


def recurrent_network():
    cells, head = LSTM(2, 2, rng=1), Layer(2, 1, activation="linear", rng=2)
    return Problem(
        lambda x, y: mse(head(cells(x)[0][-1]), y), cells.parameters() + head.parameters(), (numbers(5, 3, 2), Y[:5])
    )


def looks_at_itself():
    function, parameters, arrays = attention()
    return Problem(function, parameters, arrays)


def two_models():
    first, second = MLP(2, [2, 2], rng=1), MLP(2, [3, 1], rng=2)
    return Problem(lambda x, y: mse(second(first(x)), y), first.parameters() + second.parameters())


def one_layer_of_a_model():
    model = MLP(2, [3, 1], activation="tanh", rng=0)
    return Problem(lambda x, y: (model.layers[0](x)[1] - y) ** 2, model.parameters())


def a_model_and_values():
    scale, model, shift = Value(2.0), MLP(2, [2, 1], rng=1), Value(-1.0)
    return Problem(lambda x, y: (scale * model(x) + shift - y) ** 2, [*model.parameters(), scale, shift])


def a_shared_model():
    one = MLP(2, [2, 1], rng=1)

    class Twice(Module):
        def __init__(self):
            self.first, self.second = one, [one]

        def __call__(self, x, y):
            return (self.first(x) + 2.0 * self.second[0](x[::-1]) - y) ** 2

    model = Twice()
    return Problem(model, model.parameters())


PROBLEMS = {
    "a perceptron": lambda: perceptron()[0],
    "a recurrent network": recurrent_network,
    "attention, over bare Values": looks_at_itself,
    "two models": two_models,
    "one layer of a model": one_layer_of_a_model,
    "a model and Values": a_model_and_values,
    "a shared model": a_shared_model,
    "no parameters": lambda: Problem(lambda x, y: (x[0] - y) ** 2, []),
}


def loss_and_gradient(program, problem):
    """As the program itself has them, in the order of the problem's parameters; 0 for those that it does not read."""
    mean, gradient = program.value_and_grad(*problem.arrays)
    slopes = dict(zip(program.parameters, gradient.tolist(), strict=True))
    return mean, [slopes.get(parameter, 0.0) for parameter in problem.parameters]


def data(values):
    return [value.data for value in values]


# What it computes.


@pytest.mark.parametrize("name", PROBLEMS)
def test_losses_and_gradients_are_the_programs(name, jax):
    problem = PROBLEMS[name]()
    program = compile(problem.loss, backend="numpy")
    function, parameters = program.to_jax(*problem.arrays)
    assert parameters.dtype == "float64"
    assert parameters.tolist() == data(problem.parameters)

    def both(parameters, *arrays):
        return function(parameters, *arrays), jax.grad(lambda moved: function(moved, *arrays)[0])(parameters)

    (loss, gradient), derived = jax.jit(both)(parameters, *problem.arrays)
    expected_loss, expected = loss_and_gradient(program, problem)
    assert float(loss) == pytest.approx(expected_loss, rel=1e-13)
    assert gradient.tolist() == pytest.approx(expected, rel=1e-11, abs=1e-14)
    assert derived.tolist() == pytest.approx(expected, rel=1e-11, abs=1e-14)


@pytest.mark.parametrize("wide", [False, True], ids=["float32 alone", "float64 switched on"])
def test_programs_of_float32_stay_in_float32(wide, jax):
    problem, _ = perceptron()
    program = compile(problem.loss, dtype="float32")
    with jax.enable_x64(wide):
        function, parameters = program.to_jax(X, Y)
        loss, gradient = jax.jit(function)(parameters, X, Y)
        second = jax.jit(jax.grad(lambda moved: function(moved, X, Y)[1].sum()))(parameters)
    assert {array.dtype.name for array in (parameters, loss, gradient, second)} == {"float32"}
    expected_loss, expected = loss_and_gradient(program, problem)
    assert float(loss) == pytest.approx(expected_loss, rel=1e-6)
    assert gradient.tolist() == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_arrays_of_any_kind_and_of_any_number_of_rows(jax):
    problem, _ = perceptron()
    program = compile(problem.loss)
    function, parameters = program.to_jax(X, Y)
    function = jax.jit(function)
    for arrays in ((X[:1], Y[:1]), (np.arange(12).reshape(6, 2), np.arange(6)), (X > 0.0, Y > 0.0), (X[::-1], Y[::-1])):
        assert float(function(parameters, *arrays)[0]) == pytest.approx(program(*arrays), rel=1e-13)
    lists = jax.jit(lambda: function(parameters.tolist(), X.tolist(), Y[:, None].tolist()))()
    for array, expected in zip(lists, function(parameters, X, Y), strict=True):
        assert array.tolist() == pytest.approx(expected.tolist(), rel=1e-12)


def test_flags_are_part_of_the_program(jax):
    w = Value(2.0)
    program = compile(lambda x, squared: (w * x) ** 2 if squared else w * x)
    for flag in (True, False):
        function, parameters = program.to_jax(Y, flag)
        assert float(jax.jit(function)(parameters, Y)[0]) == pytest.approx(program(Y, flag), rel=1e-14)


def test_a_function_does_not_change_with_the_model_and_does_not_change_it(jax):
    problem, model = perceptron()
    program = compile(problem.loss)
    function, parameters = program.to_jax(X, Y)
    before = parameters.tolist()
    first = [array.tolist() for array in jax.jit(function)(parameters, X, Y)]
    assert data(problem.parameters) == before
    assert [p.grad for p in problem.parameters] == [0.0] * len(before)
    model.load_parameters(2.0 * parameters)
    assert parameters.tolist() == before
    assert [array.tolist() for array in jax.jit(lambda *given: function(*given))(parameters, X, Y)] == first
    assert program.to_jax(X, Y)[1].tolist() == (2.0 * parameters).tolist()


def test_buffers_that_nothing_moves_are_those_of_the_export(jax):
    problem, model = convolutional_network()
    model.eval()
    program = compile(problem.loss)
    function, parameters = program.to_jax(*problem.arrays)
    expected = program(*problem.arrays)
    for buffer in program.last.backward.buffers:
        buffer.data = 5.0
    assert program(*problem.arrays) != pytest.approx(expected)
    assert float(jax.jit(function)(parameters, *problem.arrays)[0]) == pytest.approx(expected, rel=1e-13)


# JAX's own transformations.


def test_many_parameters_at_once_by_vmap(jax):
    problem, model = perceptron()
    program = compile(problem.loss)
    function, parameters = program.to_jax(X, Y)
    several = np.array(parameters) * np.array([[1.0], [2.0], [-0.5]])
    losses, slopes = jax.jit(jax.vmap(function, in_axes=(0, None, None)))(several, X, Y)
    for row, loss, slope in zip(several, losses, slopes, strict=True):
        model.load_parameters(row)
        expected_loss, expected = loss_and_gradient(program, problem)
        assert float(loss) == pytest.approx(expected_loss, rel=1e-13)
        assert slope.tolist() == pytest.approx(expected, rel=1e-12, abs=1e-14)


def test_directions_and_hessians_are_those_of_eager_values(jax):
    problem, _ = perceptron()
    function, parameters = compile(problem.loss).to_jax(X, Y)

    def loss(parameters):
        return function(parameters, X, Y)[0]

    total = ops.mean(loop(problem.loss, X, Y))
    slopes = gradients(total, problem.parameters, create_graph=True)
    rows = [gradients(slope, problem.parameters) for slope in slopes]
    direction = numbers(len(rows), seed=3)
    _, change = jax.jit(lambda moved: jax.jvp(loss, (moved,), (direction,)))(parameters)
    assert float(change) == pytest.approx(float(np.dot(data(slopes), direction)), rel=1e-12)
    for made in (jax.hessian(loss), jax.jacobian(lambda moved: function(moved, X, Y)[1])):
        assert np.array(jax.jit(made)(parameters)) == pytest.approx(np.array(rows), rel=1e-10, abs=1e-13)


def test_gradients_by_the_samples(jax):
    problem, _ = perceptron()
    function, parameters = compile(problem.loss).to_jax(X, Y)
    found = jax.jit(jax.grad(lambda x, y: function(parameters, x, y)[0], argnums=(0, 1)))(X, Y)
    rows = [(value_of_row(x), Value(y)) for x, y in zip(X, Y, strict=True)]
    total = ops.mean([problem.loss(*row) for row in rows])
    expected = [gradients(total, [*x, y]) for x, y in rows]
    assert np.column_stack(found) == pytest.approx(np.array(expected), rel=1e-12)


def test_training_by_optax_is_our_own(jax, optax):
    problem, model = perceptron()
    function, parameters = compile(problem.loss).to_jax(X, Y)
    optimizer = optax.adam(0.05)

    @jax.jit
    def trained(parameters, *arrays):
        def step(carry, _):
            parameters, state = carry
            loss, gradient = function(parameters, *arrays)
            updates, state = optimizer.update(gradient, state, parameters)
            return (optax.apply_updates(parameters, updates), state), loss

        return jax.lax.scan(step, (parameters, optimizer.init(parameters)), length=20)

    (moved, _), losses = trained(parameters, X, Y)
    expected = compile(problem.loss, backend="numpy").trainer(Adam(0.05)).run(X, Y, epochs=20)["loss"]
    assert losses.tolist() == pytest.approx(expected, rel=1e-10)
    assert moved.tolist() == pytest.approx(data(problem.parameters), rel=1e-9)

    model.load_parameters(0.0 * moved)
    model.load_parameters(moved)
    eager = ops.mean(loop(problem.loss, X, Y)).data
    assert eager == pytest.approx(float(jax.jit(function)(moved, X, Y)[0]), rel=1e-13)


DEVICES = """
import numpy as np
import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from scalargrad.compiler import compile
from tests.compiler.backends.test_to_jax import convolutional_network

jax.config.update("jax_enable_x64", True)
assert len(jax.devices()) == 8
problem, model = convolutional_network()
program = compile(problem.loss, backend="numpy")
function, parameters, buffers = program.to_jax(*problem.arrays, buffers=True)
mesh = Mesh(np.array(jax.devices()), ("rows",))
rows, everywhere = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in (["rows"], []))
arrays = [jax.device_put(np.asarray(array, float), rows) for array in problem.arrays]
state = [jax.device_put(array, everywhere) for array in (parameters, buffers)]
step = jax.jit(function, out_shardings=everywhere)
loss, gradient, following = step(*state, *arrays)
assert len(loss.sharding.device_set) == 8
mean, expected = program.value_and_grad(*problem.arrays)
slopes = dict(zip(program.parameters, expected, strict=True))
program.backward(*problem.arrays)
print(abs(loss - mean) + abs(gradient - np.array([slopes[p] for p in problem.parameters])).max())
print(abs(following - np.array([buffer.data for buffer in program.last.backward.buffers])).max())
"""


def test_rows_shared_by_eight_devices(jax):
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu"}
    found = alone(DEVICES, **flags)
    assert found.returncode == 0, found.stderr
    assert [float(line) < 1e-13 for line in found.stdout.split()] == [True, True]


def alone(code, **environment):
    """Run code in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", cwd=ROOT, env={**os.environ, **environment}
    )


def test_functions_are_pure(jax):
    problem, _ = perceptron()
    function, parameters = compile(problem.loss).to_jax(X, Y)
    with jax.checking_leaks():
        step = jax.jit(lambda *given: (function(*given), jax.grad(lambda p: function(p, X, Y)[0])(given[0])))
        first = jax.tree.map(np.array, step(parameters, X, Y))
    again = jax.tree.map(np.array, step(parameters, X, Y))
    assert jax.tree.all(jax.tree.map(np.array_equal, first, again))


def test_functions_serve_several_threads(jax):
    problem, _ = perceptron()
    function, parameters = compile(problem.loss).to_jax(X, Y)

    def losses(rows):
        with jax.enable_x64(True):  # it is a thread's own
            step = jax.jit(lambda *given: function(*given))
            return [float(step(scale * parameters, X[:rows], Y[:rows])[0]) for scale in (1.0, 2.0)]

    sizes = [2, 6, 3, 6]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(losses, sizes))
    assert found == [losses(rows) for rows in sizes]


# Buffers.


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_buffers_move_as_the_programs_do(dtype, jax):
    problem, model = convolutional_network()
    program = compile(problem.loss, backend="numpy", dtype=dtype)
    function, parameters, buffers = program.to_jax(*problem.arrays, buffers=True)
    close = 1e-12 if dtype == "float64" else 1e-5

    def step(state, _):
        parameters, buffers = state
        loss, gradient, buffers = function(parameters, buffers, *problem.arrays)
        return (parameters - 0.1 * gradient, buffers), loss

    with jax.enable_x64(dtype == "float64"):
        (moved, following), losses = jax.jit(lambda *state: jax.lax.scan(step, state, length=3))(parameters, buffers)
    assert moved.dtype == following.dtype == losses.dtype == dtype
    for loss in losses.tolist():
        for parameter in problem.parameters:
            parameter.grad = 0.0
        assert program.backward(*problem.arrays) == pytest.approx(loss, rel=close)
        for parameter in problem.parameters:
            parameter.data -= 0.1 * parameter.grad
    own = program.last.backward.buffers
    assert moved.tolist() == pytest.approx(data(problem.parameters), rel=10 * close, abs=close)
    assert following.tolist() == pytest.approx(data(own), rel=10 * close, abs=close)

    expected = program(*problem.arrays)
    model.load_parameters(0.0 * moved)
    program.load_buffers(0.0 * following)
    assert program(*problem.arrays) != pytest.approx(expected)
    model.load_parameters(moved)
    program.load_buffers(following)
    assert data(own) == following.tolist()
    assert program(*problem.arrays) == pytest.approx(expected, rel=close)


def test_masks_are_those_of_the_step_to_the_bit(jax):
    drop = Dropout(0.5, rng=3)
    program = compile(lambda x: ops.dot(drop(x), [2.0**n for n in range(8)]))
    ones = np.ones((16, 8))  # the mean tells all 128 places of a mask apart by their bits
    ones *= 2.0 ** (np.arange(16) % 4)[:, None]
    function, parameters, buffers = program.to_jax(ones, buffers=True)
    function, seen = jax.jit(function), set()
    for n in range(5):
        assert buffers.tolist() == [n]
        loss, _, buffers = function(parameters, buffers, ones)
        assert float(loss) == program.backward(ones)
        seen.add(float(loss))
    assert len(seen) == 5
    with pytest.raises(
        ValueError, match=r"changes buffers from step to step: to_jax\(buffers=True\) hands them through"
    ):
        program.to_jax(ones)


# Derivatives of the table.

EDGES = (0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 3.0, 20.0, -20.0, 710.0, -746.0, 1e154, -1e300, inf, -inf, nan)
SECOND = (0.0, -0.0, 0.5, 1.0, 2.0, -3.0, inf, nan)
PAIRS = [(x, y) for x in (0.0, -0.0, 0.5, -2.0, 1e200, inf, -inf, nan) for y in SECOND]
LISTS = [(x, y, 2.0) for x in (0.0, 1.0, 2.0, -300.0, -inf, nan) for y in (0.0, 2.0, 1.0)]


def arguments(op):
    """Its arguments at their edges."""
    if op.scalars == 1 or op is ops.batch_mean:
        return [(x,) for x in EDGES]
    if op in (ops.leaky_relu, ops.elu):  # of a slope that is a number
        return [(x, slope) for x in (0.0, -0.0, 3.0, -2.0, nan) for slope in (0.01, 0.0, -1.0)]
    if op is ops.hypot:  # beside nan a slope that is masked is nan for Values, where 0 times nan is that
        return [pair for pair in PAIRS if not any(map(math.isnan, pair))]
    if op.scalars == 2 or op in (ops.maximum, ops.minimum):
        return PAIRS
    if op in (ops.where, ops.clamp):
        return [(condition, *pair) for condition in (0.0, 1.0, nan, -2.0) for pair in PAIRS[:9]]
    if op in INDEXED:
        return [(float(place), values) for values in LISTS for place in range(3)]
    if op is ops.dot:
        return [(values, tuple(reversed(values))) for values in LISTS]
    return [(values,) for values in LISTS]


def applied(op, args, index):
    """An index is no parameter."""
    return op(index, args[1]) if op in INDEXED else op(*args)


def close(found, expected):
    if expected != expected or math.isinf(expected):
        return found == expected or (found != found and expected != expected)
    return abs(found - expected) <= 1e-11 * abs(expected) + 1e-14


def slopes_and_their_slopes(jax, function, parameters, *arrays):
    """The gradient, and the gradient of its sum."""

    def slopes(parameters):
        return jax.grad(lambda moved: function(moved, *arrays)[0])(parameters)

    def total(parameters):
        found = slopes(parameters)
        return found.sum(), found

    second, first = jax.jit(jax.grad(total, has_aux=True))(parameters)
    return zip(first.tolist(), second.tolist(), strict=True)


@pytest.mark.parametrize("op", [op for op in OPERATIONS.values() if op.partials is not None], ids=str)
def test_first_and_second_derivatives_at_the_edges_are_those_of_eager_values(op, jax):
    """The gradient of the sum of the results at all points has a number for each argument at each point."""
    cases = [
        (args, tuple(tuple(map(Value, x)) if isinstance(x, tuple) else Value(x) for x in args))
        for args in arguments(op)
    ]

    def total(x):
        moved = [(args, deep(lambda value: value * x[1], values)) for args, values in cases]
        indices = [x[int(args[0])] if op in INDEXED else None for args, _ in moved]
        return ops.sum([applied(op, values, i) for i, (_, values) in zip(indices, moved, strict=True)]) * x[1]

    row = np.array([[0.0, 1.0, 2.0]])
    program = compile(total, backend="numpy")
    function, parameters = program.to_jax(row)
    found = dict(zip(program.parameters, slopes_and_their_slopes(jax, function, parameters, row), strict=True))
    for args, values in cases:
        leaves = flat(values)[op in INDEXED :]
        first = gradients(applied(op, values, args[0]), leaves, create_graph=True)
        second = gradients(ops.sum(first), leaves)
        for leaf, *expected in zip(leaves, data(first), second, strict=True):
            assert all(map(close, found[leaf], expected)), (args, found[leaf], expected)


def test_the_hessian_of_a_logit_of_0(jax):
    w = Value(0.0)
    program = compile(lambda x, y: binary_cross_entropy_with_logits(w * x, y))
    function, parameters = program.to_jax([2.0, -1.0], [1.0, 0.0])
    ((_, second),) = slopes_and_their_slopes(jax, function, parameters, np.array([2.0, -1.0]), np.array([1.0, 0.0]))
    assert second == pytest.approx(0.25 * (4.0 + 1.0) / 2.0, rel=1e-12)


def test_powers_that_are_constants_beside_powers_that_are_parameters(jax):
    """One instruction has them all; the slope by a power that is a constant, here nan, is nobody's."""
    base, other, power = Value(-2.0), Value(3.0), Value(2.0)
    program = compile(lambda x: (base**2 + other**power) * x)
    function, parameters = program.to_jax([1.0])
    found = jax.jit(jax.grad(lambda moved: function(moved, np.ones(1))[0]))(parameters)
    slopes = dict(zip(program.parameters, found.tolist(), strict=True))
    assert [slopes[x] for x in (base, other, power)] == pytest.approx([-4.0, 6.0, 9.0 * math.log(3.0)], rel=1e-12)


def test_a_constant_power_of_a_negative_number_in_every_direction(jax):
    """The slope by the power would be nan, and 0 times that is nan."""
    w = Value(-2.0)
    function, parameters = compile(lambda x: (w * x) ** 3).to_jax([1.0])

    def loss(moved):
        return function(moved, np.ones(1))[0]

    slope, hessian = jax.jit(lambda moved: (jax.jacfwd(loss)(moved), jax.hessian(loss)(moved)))(parameters)
    assert (slope.tolist(), hessian.tolist()) == ([12.0], [[-12.0]])


def test_take_of_an_index_that_does_not_exist_is_nan(jax):
    table = tuple(map(Value, (1.0, 2.0, 3.0)))
    function, parameters = compile(lambda index: take(index, table)).to_jax([0.0, 2.0])
    step = jax.jit(function)
    for index in (3.0, -1.0, 0.5, nan, inf):
        assert math.isnan(step(parameters, np.array([1.0, index]))[0])
    loss, gradient = step(parameters, np.array([1.0, 2.0]))
    assert (float(loss), gradient.tolist()) == (2.5, [0.0, 0.5, 0.5])


# The order of the parameters.


def test_a_part_of_a_model_that_the_function_reads_first_changes_no_order(jax):
    model = MLP(2, [3, 1], activation="tanh", rng=0)
    a_head = model.layers[1]  # before `model` in the alphabet
    program = compile(lambda x, y: (a_head(model.layers[0](x)) - y) ** 2)
    assert program.to_jax(X, Y)[1].tolist() == data(model.parameters())


def test_a_part_of_a_model_alone_has_its_own_parameters(jax):
    model = MLP(2, [3, 1], activation="tanh", rng=0)
    first = model.layers[0]
    program = compile(lambda x, y: (first(x)[0] - y) ** 2)
    assert program.to_jax(X, Y)[1].tolist() == data(first.parameters())


def test_a_model_that_is_not_read_is_left_out(jax):
    problem, _ = perceptron()
    other, inner = MLP(2, [2, 1], rng=5), problem.loss
    program = compile(lambda x, y, doubled: inner(x, y) if not doubled else other(x))
    assert program.to_jax(X, Y, False)[1].tolist() == data(problem.parameters)


# What is refused, and in which words.


def said(call, kind):
    """The words of an error, on one line."""
    with pytest.raises(kind) as caught:
        call()
    words = str(caught.value)
    assert "\n" not in words
    return words


def test_what_a_program_cannot_hand_out(jax):
    problem, model = perceptron()
    program = compile(problem.loss)
    assert said(program.to_jax, RuntimeError) == "there is no program yet: call it with arrays first"
    assert said(lambda: program.to_jax(X, Y[:2]), ValueError).startswith("the arrays have 6 and 2 rows")
    outputs = compile(lambda x: [model(x), 1.0])
    for arrays in ((X,), ()):
        assert said(lambda arrays=arrays: outputs.to_jax(*arrays), TypeError) == (
            "a list has no gradient: compile a function that returns one number, such as a loss of the list"
        )


def test_float64_has_to_be_switched_on(jax):
    problem, _ = perceptron()
    program = compile(problem.loss)
    words = 'float64 takes jax.config.update("jax_enable_x64", True) at the start; or compile with dtype="float32"'
    with jax.enable_x64(False):
        assert said(lambda: program.to_jax(X, Y), ValueError) == words
        with jax.enable_x64(True):
            function, parameters = program.to_jax(X, Y)
        assert said(lambda: function(parameters, X, Y), ValueError) == words
        assert said(lambda: jax.jit(function)(parameters, X, Y), ValueError) == words


def test_arrays_that_do_not_fit(jax):
    problem, _ = perceptron()
    function, parameters, none = compile(problem.loss).to_jax(X, Y, buffers=True)
    count, function = len(parameters), jax.jit(function)
    for wrong in (parameters[:-1], parameters[None], 1.0):
        words = said(lambda wrong=wrong: function(wrong, none, X, Y), ValueError)
        assert words == f"the parameters are one array of {count} numbers, and this has the shape {np.shape(wrong)}"
    words = said(lambda: function(parameters, np.zeros(1), X, Y), ValueError)
    assert words == "the buffers are one array of 0 numbers, and this has the shape (1,)"
    for arrays in ((X,), (X, Y, Y)):
        words = said(lambda arrays=arrays: function(parameters, none, *arrays), TypeError)
        assert words == f"the program takes 2 arrays, got {len(arrays)}"
    for wrong in (np.zeros((6, 3)), X.ravel(), 1.0, X.reshape(3, 4)):
        words = said(lambda wrong=wrong: function(parameters, none, wrong, Y[: len(np.atleast_1d(wrong))]), ValueError)
        assert words == f"the program takes 2 numbers for each row, and an array has the shape {np.shape(wrong)}"
    words = said(lambda: function(parameters, none, X[:3], Y), ValueError)
    assert words == "the arrays have 3 and 6 rows: one for each sample"
    words = said(lambda: function(parameters, none, X[:0], Y[:0]), ValueError)
    assert words == "the arrays have no rows: a mean over no samples is not defined"


def test_parameters_and_buffers_that_do_not_fit_change_nothing(jax):
    problem, model = convolutional_network()
    program = compile(problem.loss)
    _, parameters, buffers = program.to_jax(*problem.arrays, buffers=True)
    own = program.last.backward.buffers
    before = data(problem.parameters), data(own)
    for load, right in ((model.load_parameters, parameters), (program.load_buffers, buffers)):
        for wrong in (right[:-1], right[None], 1.0, [], "text", None, ["a"] * len(right), [[1.0], [1.0, 2.0]]):
            said(lambda load=load, wrong=wrong: load(wrong), (ValueError, TypeError))
    assert (data(problem.parameters), data(own)) == before
    words = said(lambda: model.load_parameters(parameters[:-1]), ValueError)
    assert words.startswith(f"this Sequential has {len(parameters)} parameters, and the array")
    words = said(lambda: program.load_buffers(buffers[:-1]), ValueError)
    assert words == f"the program has {len(buffers)} buffers, and the array has the shape ({len(buffers) - 1},)"


WITHOUT_JAX = """
import sys
sys.modules["jax"] = None
from scalargrad import MLP, compile
model = MLP(1, [1], rng=0)
program = compile(lambda x: model([x]))
print(program([1.0]) == program([1.0]))
for call in (
    lambda: program.to_jax([1.0]),
    lambda: compile(lambda x: x, backend="jax"),
    lambda: model.fit([[1.0], [2.0]], [1.0, 2.0], epochs=1, engine="jax", progress=False),
):
    try:
        call()
    except ModuleNotFoundError as error:
        print(error)
"""


def test_without_jax_one_line_says_how_to_get_it():
    found = alone(WITHOUT_JAX)
    assert found.returncode == 0, found.stderr
    words = 'JAX is not installed, and this takes it: pip install ".[jax]" in the folder of scalargrad'
    assert found.stdout.splitlines() == ["True", words, words, words]
