"""The trainer against a plain loop: batches, optimizers, callbacks, buffers, mistakes and interruptions."""

import copy
import math
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from scalargrad import ops, optim, randomness
from scalargrad.compiler import compile, compiled, own_steps, programs, saved_attributes, step, trainer, variants
from scalargrad.compiler import loop as loop_module
from scalargrad.compiler.backends.native.planning import lower
from scalargrad.compiler.backends.native.running import backend as native_backend
from scalargrad.compiler.backends.native.running import buffers, executable, job
from scalargrad.compiler.backends.native.running import threads as native_threads
from scalargrad.compiler.program import UNIFORM, Table
from scalargrad.compiler.writer import Rows
from scalargrad.engine import Value
from scalargrad.losses import mse
from scalargrad.nn import MLP, Buffer, Module, Parameter
from scalargrad.ops import batch_mean, relu, sqrt
from scalargrad.optim import SGD, Adam, AdamW, Optimizer, RMSProp
from tests.compiler.backends.suite import TRAINING, TRAINING_AT_LENGTH
from tests.oracles.forks import PATIENCE
from tests.oracles.functions import loop, numbers
from tests.oracles.optimizers import check_same_state, close, state_of
from tests.paths import ROOT
from tests.platforms import needs_posix

SHUFFLE = 0x5AFE  # part of what the trainer promises: the same seed gives the same batches for ever


# The oracle: a loop in Values.


def batches_of(rows, batch_size, seed, epoch):
    """The rows of each batch: in order if one batch has them all, else sorted by the random bits of each row."""
    if batch_size is None or batch_size >= rows:
        return [list(range(rows))]
    bits = rows.bit_length()  # that make room for the number of the row
    order = sorted(
        range(rows), key=lambda row: (int(randomness.uniform(seed, epoch, row, SHUFFLE) * 2**53) >> bits, row)
    )
    return [order[first : first + batch_size] for first in range(0, rows, batch_size)]


def mean_loss(function, arrays, chosen, step):
    """The mean over those rows. Each knows its number, and the step."""
    losses = []
    for row in chosen:
        outer = randomness.row.set(float(row)), randomness.step.set(float(step))
        losses += loop(function, *(array[row : row + 1] for array in arrays))
        randomness.row.reset(outer[0])
        randomness.step.reset(outer[1])
    return ops.mean(losses)


def train_in_a_loop(function, parameters, optimizer, arrays, epochs, batch_size=None, seed=0, first_epoch=0):
    """Returns the loss of each epoch."""
    history, rows = [], len(arrays[0])
    for epoch in range(first_epoch, first_epoch + epochs):
        total = 0.0
        for chosen in batches_of(rows, batch_size, seed, epoch):
            for parameter in parameters:
                parameter.grad = 0.0
            loss = mean_loss(function, arrays, chosen, optimizer.steps)
            loss.backward()
            optimizer.step(parameters)
            total += loss.data * len(chosen)
        history.append(total / rows)
    return history


class Problem:
    """A small network with its loss and data; every instance starts alike."""

    def __init__(self, rows=10):
        self.model = MLP(2, [5, 1], activation="relu", rng=3)
        self.parameters = self.model.parameters()
        self.arrays = numbers(rows, 2, seed=rows), numbers(rows, seed=rows + 1)

    def loss(self, x, y):
        return mse(self.model(x), y)

    def numbers(self):
        return [parameter.data for parameter in self.parameters]


class Lion(Optimizer):
    """An optimizer of the user's own: the sign of a moving average (Chen and others 2023)."""

    state_size = 1

    def update(self, p, g, state, lr, t):
        (average,) = state
        return p - lr * ops.sign(0.9 * average + 0.1 * g), (0.99 * average + 0.01 * g,)


class Swapping(Optimizer):
    """Its two memories trade places in each step, and the rate falls with time."""

    state_size = 2

    def update(self, p, g, state, lr, t):
        first, second = state
        return p - lr / sqrt(t) * ops.where(ops.less(0.0, g), g, 0.5 * g) - 0.01 * first, (second, first + g)


class WhereItWas(Optimizer):
    """It remembers the parameter before this step, and before the last: what is kept is written in this step, too."""

    state_size = 2

    def update(self, p, g, state, lr, t):
        first, second = state
        return p - lr * g - 0.01 * (first - second), (p, first)


class Forgetful(Optimizer):
    """No state at all."""

    def update(self, p, g, state, lr, t):
        return p - lr * g, ()


class Idle(Optimizer):
    """Remembers the last gradient and a constant, and moves nothing."""

    state_size = 2

    def update(self, p, g, state, lr, t):
        return p, (g, 7.0)


# fmt: off
OPTIMIZERS = {
    "sgd":                  lambda: SGD(0.1),
    "sgd, momentum":        lambda: SGD(0.1, momentum=0.9),
    "sgd, nesterov":        lambda: SGD(0.1, momentum=0.9, nesterov=True),
    "sgd, everything":      lambda: SGD(0.1, momentum=0.8, nesterov=True, weight_decay=0.05),
    "rmsprop":              lambda: RMSProp(0.01),
    "rmsprop, everything":  lambda: RMSProp(0.02, alpha=0.9, momentum=0.7, weight_decay=0.1),
    "adam":                 lambda: Adam(0.05),
    "adam, everything":     lambda: Adam(0.05, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.1),
    "adamw":                lambda: AdamW(0.05),
    "adamw, everything":    lambda: AdamW(0.05, betas=(0.8, 0.99), weight_decay=0.3),
    "the user's own":       lambda: Lion(0.01),
    "swapping":             lambda: Swapping(0.05),
    "where it was":         lambda: WhereItWas(0.1),
    "without state":        lambda: Forgetful(0.1),
    "idle":                 lambda: Idle(0.1),
}
# fmt: on


@pytest.mark.sampled(2)
@TRAINING_AT_LENGTH
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_moves_as_in_the_loop(name, backend):
    ours, theirs = Problem(), Problem()
    optimizer, other = OPTIMIZERS[name](), OPTIMIZERS[name]()
    program = compile(ours.loss, backend=backend)
    history = program.trainer(optimizer, batch_size=4, rng=5).run(*ours.arrays, epochs=4)
    expected = train_in_a_loop(theirs.loss, theirs.parameters, other, theirs.arrays, 4, 4, seed=5)
    assert close(history["loss"], expected)
    assert close(ours.numbers(), theirs.numbers())
    check_same_state(optimizer, other, ours.parameters, theirs.parameters)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_moves_alike_where_its_operations_are_not_done_in_one_go(name, monkeypatch):
    """As in a large irregular graph, where each operation has a loop of its own."""
    found = []
    for most_kernels in (lower.MOST_KERNELS, 0):
        monkeypatch.setattr(lower, "MOST_KERNELS", most_kernels)
        problem, optimizer = Problem(), OPTIMIZERS[name]()
        training = compile(problem.loss).trainer(optimizer, batch_size=4)
        training.run(*problem.arrays, epochs=3)
        state = state_of(optimizer, problem.parameters)
        found.append([*problem.numbers(), *(number for row in state for number in row)])
    assert found[1] == found[0]


SCALE = 1.0


class ReadsItsOwnRate(Forgetful):
    """self.lr and not lr."""

    def update(self, p, g, state, lr, t):
        return p - self.lr * g, ()


class ReadsItsOwnSteps(Forgetful):
    """self.steps and not t."""

    def update(self, p, g, state, lr, t):
        return p - lr * min(1.0, self.steps / 4) * g, ()


class ReadsAGlobal(Forgetful):
    def update(self, p, g, state, lr, t):
        return p - lr * SCALE * g, ()


class HasAList(Forgetful):
    """A setting whose content may change."""

    def __init__(self, lr):
        super().__init__(lr)
        self.scales = [1.0]

    def update(self, p, g, state, lr, t):
        return p - lr * self.scales[0] * g, ()


class Branches(Forgetful):
    def update(self, p, g, state, lr, t):
        return (p - lr if g > 0.0 else p + lr), ()


class ComparesWithZero(Forgetful):
    def update(self, p, g, state, lr, t):
        return (p + 1.0 if g == 0.0 else p - lr * g), ()


class ForgetsItsState(Optimizer):
    """It says that it remembers one number, and gives none."""

    state_size = 1

    def update(self, p, g, state, lr, t):
        return p - lr * g, ()


OF_THEIR_OWN = (ReadsItsOwnRate, ReadsItsOwnSteps, ReadsAGlobal, HasAList, Branches, ComparesWithZero, ForgetsItsState)


@pytest.mark.parametrize("kind", OF_THEIR_OWN)
def test_an_optimizer_that_does_not_compile_is_refused_and_never_silently_another(kind, monkeypatch):
    """What the formula reads besides its arguments may change between steps: then it counts, or it is an error."""

    def change(optimizer):
        monkeypatch.setitem(globals(), "SCALE", SCALE / 2.0)
        optimizer.lr *= 0.5
        if kind is HasAList:
            optimizer.scales[0] *= 0.5

    def train(step, optimizer):
        monkeypatch.setitem(globals(), "SCALE", 1.0)
        for _ in range(4):
            step()
            change(optimizer)

    ours, theirs, x = Value(1.0), Value(1.0), np.array([0.0, 1.0])
    optimizer, other = kind(0.1), kind(0.1)
    idle = Value(2.0)  # it has no part in the slope of the first parameter, its own is 0
    training = compile(lambda x: (ours * x) ** 2 + 0.0 * idle).trainer(optimizer)
    refusal = None
    try:
        train(lambda: training.step(x), optimizer)
    except (TypeError, ValueError, AttributeError) as error:
        refusal = str(error)
    if refusal is not None:
        assert any(word in refusal for word in ("where", "update", "argument", "state")), f"teaches nothing: {refusal}"
        assert ours.data == 1.0
        return
    same = Value(2.0)
    train(
        lambda: train_in_a_loop(lambda x: (theirs * x) ** 2 + 0.0 * same, [theirs, same], other, (x,), 1),
        other,
    )
    assert close([ours.data, idle.data], [theirs.data, same.data])


@TRAINING
@pytest.mark.parametrize("batch_size", [None, 1, 3, 9, 10, 11, 1_000])
def test_batches_are_those_of_the_seed_and_the_last_may_be_smaller(batch_size, backend):
    ours, theirs = Problem(), Problem()
    optimizer, other = SGD(0.1, momentum=0.5), SGD(0.1, momentum=0.5)
    training = compile(ours.loss, backend=backend).trainer(optimizer, batch_size, rng=11)
    history = training.run(*ours.arrays, 3)["loss"] + training.run(*ours.arrays, 2)["loss"]
    expected = train_in_a_loop(theirs.loss, theirs.parameters, other, theirs.arrays, 5, batch_size, seed=11)
    assert close(history, expected)
    assert close(ours.numbers(), theirs.numbers())
    assert optimizer.steps == other.steps == 5 * len(batches_of(10, batch_size, 11, 0))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_numpy_and_native_agree(dtype):
    found = []
    for backend in ("numpy", "native"):
        problem = Problem(rows=37)
        optimizer = Adam(0.01)
        training = compile(problem.loss, backend=backend, dtype=dtype).trainer(optimizer, batch_size=8)
        history = training.run(*problem.arrays, epochs=10)["loss"]
        found.append((history, problem.numbers(), state_of(optimizer, problem.parameters)))
    tolerance = 1e-10 if dtype == "float64" else 2e-4
    for ours, reference in zip(*found, strict=True):
        for row, expected in zip(np.ravel(ours), np.ravel(reference), strict=True):
            assert close(float(row), float(expected), tolerance)


@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**53 - 1])
def test_the_seed_says_the_order(seed):
    first, second = (Problem() for _ in range(2))
    for problem in (first, second):
        compile(problem.loss).trainer(SGD(0.1), batch_size=3, rng=seed).run(*problem.arrays, epochs=3)
    assert first.numbers() == second.numbers()
    other = Problem()
    compile(other.loss).trainer(SGD(0.1), batch_size=3, rng=seed // 2 + 7).run(*other.arrays, epochs=3)
    assert other.numbers() != first.numbers()


@TRAINING
def test_steps_and_runs_may_take_turns_with_the_loop(backend):
    """Whoever makes a step goes on where the other one stopped: parameters, memory, time."""
    ours, theirs = Problem(), Problem()
    optimizer, other = Adam(0.05), Adam(0.05)
    program = compile(ours.loss, backend=backend)
    training = program.trainer(optimizer)
    for turn in range(3):
        train_in_a_loop(ours.loss, ours.parameters, optimizer, ours.arrays, 2)
        losses = [training.step(*ours.arrays), *training.run(*ours.arrays, epochs=2)["loss"]]
        ours.model.zero_grad()
        program.backward(*ours.arrays)
        optimizer.step(ours.parameters)
        expected = train_in_a_loop(theirs.loss, theirs.parameters, other, theirs.arrays, 6)
        assert close(losses, expected[2:5]), turn
        assert close(ours.numbers(), theirs.numbers()), turn
        check_same_state(optimizer, other, ours.parameters, theirs.parameters)


@TRAINING
def test_a_step_returns_the_loss_before_it_and_many_are_a_run(backend):
    ours, theirs = Problem(), Problem()
    one, many = (compile(problem.loss, backend=backend).trainer(SGD(0.1)) for problem in (ours, theirs))
    losses = [one.step(*ours.arrays) for _ in range(7)]
    assert losses == many.run(*theirs.arrays, epochs=7)["loss"]
    assert ours.numbers() == theirs.numbers()
    assert losses[0] == compile(Problem().loss, backend=backend).value_and_grad(*ours.arrays)[0]


def test_each_step_may_have_other_rows():
    ours, theirs = Problem(), Problem()
    optimizer, other = SGD(0.05, momentum=0.9), SGD(0.05, momentum=0.9)
    training = compile(ours.loss).trainer(optimizer)
    for rows in (1, 40, 3, 100, 32, 1, 17, 33, 2, 64, 5):
        arrays = numbers(rows, 2, seed=rows), numbers(rows, seed=rows + 1)
        (expected,) = train_in_a_loop(theirs.loss, theirs.parameters, other, arrays, 1)
        assert close(training.step(*arrays), expected), rows
    assert close(ours.numbers(), theirs.numbers())


# Callbacks.


@TRAINING
def test_callbacks_see_values_in_step(backend):
    ours, theirs = Problem(), Problem()
    optimizer, other = Adam(0.02), Adam(0.02)
    seen = []

    def look(epoch, measures):
        expected = train_in_a_loop(theirs.loss, theirs.parameters, other, theirs.arrays, 1)
        assert close([measures["loss"]], expected)
        assert close(ours.numbers(), theirs.numbers())
        check_same_state(optimizer, other, ours.parameters, theirs.parameters)
        seen.append(epoch)

    history = compile(ours.loss, backend=backend).trainer(optimizer).run(*ours.arrays, epochs=5, callbacks=[look])
    assert seen == [1, 2, 3, 4, 5]
    assert len(history["loss"]) == 5


@TRAINING
def test_what_callbacks_change_is_honoured(backend):
    """Parameters, the rate, settings of the optimizer, its memory, its time, and the data."""
    ours, theirs = Problem(), Problem()
    optimizer, other = (SGD(0.1, momentum=0.5) for _ in range(2))

    def change(epoch, problem, optimizer):
        if epoch == 1:
            problem.parameters[0].data = 0.25
            problem.parameters[-1].data = -1
        elif epoch == 2:
            optimizer.lr = 0.03
        elif epoch == 3:
            optimizer.momentum, optimizer.nesterov, optimizer.weight_decay = 0.8, True, 0.01
        elif epoch == 4:
            optimizer.state[problem.parameters[1]] = (0.5,)
            del optimizer.state[problem.parameters[2]]
        elif epoch == 5:
            optimizer.state = {}
            optimizer.steps = 100
        elif epoch == 6:
            problem.arrays[0][...] *= 0.5

    changes = [lambda epoch, measures: change(epoch, ours, optimizer)]
    history = compile(ours.loss, backend=backend).trainer(optimizer).run(*ours.arrays, epochs=8, callbacks=changes)
    expected = []
    for epoch in range(1, 9):
        expected += train_in_a_loop(theirs.loss, theirs.parameters, other, theirs.arrays, 1)
        change(epoch, theirs, other)
    assert close(history["loss"], expected)
    assert close(ours.numbers(), theirs.numbers())
    assert optimizer.steps == other.steps == 103


class Switched(Module):
    """Another formula, with another parameter, in evaluation."""

    def __init__(self):
        self.w, self.v = Parameter(1.5), Parameter(-0.5)

    def __call__(self, x, y):
        return (self.w * x - y) ** 2 if self.training else (self.w * x + self.v - y) ** 2


@TRAINING
def test_train_and_eval_in_callbacks_change_the_program(backend):
    """And what the optimizer remembers of a parameter is still there when the program reads it again."""
    ours, theirs = Switched(), Switched()
    x, y = numbers(6), numbers(6, seed=1)
    optimizer, other = (SGD(0.05, momentum=0.9) for _ in range(2))

    def switch(epoch, measures):
        ours.train(epoch % 3 == 0)

    history = compile(ours.__call__, backend=backend).trainer(optimizer).run(x, y, epochs=9, callbacks=[switch])
    expected, read = [], [theirs.w]
    for epoch in range(1, 10):
        if not theirs.training:  # what was read once moves on, with a gradient of 0
            read = [theirs.w, theirs.v]
        expected += train_in_a_loop(theirs.__call__, read, other, (x, y), 1)
        theirs.train(epoch % 3 == 0)
    assert close(history["loss"], expected)
    assert close([ours.w.data, ours.v.data], [theirs.w.data, theirs.v.data])


@TRAINING
def test_an_exception_in_a_callback_leaves_everything_in_step(backend):
    ours, theirs = Problem(), Problem()
    optimizer, other = Adam(0.05), Adam(0.05)
    training = compile(ours.loss, backend=backend).trainer(optimizer, batch_size=4)

    def stop(epoch, measures):
        if epoch == 3:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        training.run(*ours.arrays, epochs=10, callbacks=[stop])
    train_in_a_loop(theirs.loss, theirs.parameters, other, theirs.arrays, 3, 4)
    assert close(ours.numbers(), theirs.numbers())
    check_same_state(optimizer, other, ours.parameters, theirs.parameters)
    training.run(*ours.arrays, epochs=2)
    train_in_a_loop(theirs.loss, theirs.parameters, other, theirs.arrays, 2, 4, first_epoch=3)
    assert close(ours.numbers(), theirs.numbers())


def test_callbacks_may_come_from_a_generator_and_all_are_called_in_each_epoch():
    w, seen = Value(2.0), []
    trainer = compile(lambda x: (w * x - 1.0) ** 2, backend="numpy").trainer(SGD(0.1))
    trainer.run([1.0], 3, callbacks=(lambda epoch, measures, name=name: seen.append((name, epoch)) for name in "ab"))
    assert seen == [(name, epoch) for epoch in (1, 2, 3) for name in "ab"]
    with pytest.raises(TypeError, match=r"^callbacks is a list of functions .*, got 3 among them$"):
        trainer.run([1.0], 3, callbacks=[3])


def test_a_callback_may_use_the_program_and_the_trainer():
    problem = Problem()
    program = compile(problem.loss)
    training = program.trainer(SGD(0.01))
    losses = []

    def use(epoch, measures):
        losses.append((program(*problem.arrays), program.value_and_grad(*problem.arrays)[0]))
        if epoch == 2:
            training.step(*problem.arrays)

    history = training.run(*problem.arrays, epochs=4, callbacks=[use])["loss"]
    for (loss, again), following in zip(losses, history[1:], strict=False):
        assert loss == pytest.approx(again, rel=1e-12)
        assert (loss == pytest.approx(following, rel=1e-12)) == (loss != losses[1][0])


# What else the optimizer and the Values are used for.


@TRAINING
def test_an_optimizer_goes_on_with_parameters_that_the_program_does_not_read(backend):
    """In a loop an optimizer serves whatever parameters it is given; so it must after a trainer had it."""
    w, extra, x = Value(1.0), Value(2.0), np.ones(3)
    optimizer = SGD(0.1, momentum=0.9)
    extra.grad = 1.0
    optimizer.step([extra])
    program = compile(lambda x: (w * x) ** 2, backend=backend)
    program.trainer(optimizer).run(x, epochs=2)
    assert optimizer.state[extra] == (1.0,), "what it remembered of another parameter is lost"
    optimizer.step([extra])
    assert extra.data == pytest.approx(2.0 - 0.1 - 0.19)
    fresh = Value(1.0)
    fresh.grad = 1.0
    optimizer.step([w, fresh])
    assert fresh.data == pytest.approx(0.9)
    assert optimizer.state[fresh] == (1.0,)
    optimizer.state[another := Value(1.0)] = (0.5,)
    assert optimizer.state[another] == (0.5,)


@TRAINING
def test_two_trainers_of_one_program_and_two_programs_with_one_optimizer(backend):
    ours, theirs = Problem(), Problem()
    program = compile(ours.loss, backend=backend)
    optimizers = SGD(0.1, momentum=0.9), Adam(0.01)
    trainers = [program.trainer(optimizer) for optimizer in optimizers]
    others = SGD(0.1, momentum=0.9), Adam(0.01)
    for turn in range(3):
        for training, other in zip(trainers, others, strict=True):
            losses = training.run(*ours.arrays, epochs=2)["loss"]
            assert close(losses, train_in_a_loop(theirs.loss, theirs.parameters, other, theirs.arrays, 2)), turn
    assert close(ours.numbers(), theirs.numbers())
    second = compile(lambda x, y: ours.loss(x, y) * 2.0, backend=backend).trainer(optimizers[0])
    second.run(*ours.arrays, epochs=2)
    trainers[0].run(*ours.arrays, epochs=1)
    train_in_a_loop(lambda x, y: theirs.loss(x, y) * 2.0, theirs.parameters, others[0], theirs.arrays, 2)
    train_in_a_loop(theirs.loss, theirs.parameters, others[0], theirs.arrays, 1)
    assert close(ours.numbers(), theirs.numbers())
    check_same_state(optimizers[0], others[0], ours.parameters, theirs.parameters)


@TRAINING
def test_models_and_optimizers_can_be_copied_after_training(backend):
    problem = Problem()
    optimizer = Adam(0.05)
    training = compile(problem.loss, backend=backend).trainer(optimizer)
    training.run(*problem.arrays, epochs=2)
    model = copy.deepcopy(problem.model)
    assert [p.data for p in model.parameters()] == problem.numbers()
    kept = copy.deepcopy(optimizer)
    before = [list(numbers) for numbers in optimizer.state.values()]
    training.run(*problem.arrays, epochs=2)
    assert sorted(map(list, kept.state.values())) == sorted(before)
    assert kept.steps == 2
    assert [p.data for p in model.parameters()] != problem.numbers()
    assert "lr=0.05" in repr(optimizer)


@TRAINING
def test_backward_and_the_trainer_may_be_mixed(backend):
    problem = Problem()
    program = compile(problem.loss, backend=backend)
    training = program.trainer(SGD(0.1))
    program.backward(*problem.arrays)
    before = [p.grad for p in problem.parameters]
    training.run(*problem.arrays, epochs=3)
    assert [p.grad for p in problem.parameters] == before, "the trainer leaves .grad alone"
    program.backward(*problem.arrays)
    fresh = compile(problem.loss, backend=backend)
    found = dict(zip(fresh.parameters if fresh.last else [], [], strict=True))
    assert found == {}
    value, slopes = fresh.value_and_grad(*problem.arrays)
    expected = dict(zip(fresh.parameters, slopes.tolist(), strict=True))
    for parameter, slope in zip(problem.parameters, before, strict=True):
        assert parameter.grad == pytest.approx(slope + expected[parameter], rel=1e-12, abs=1e-15)
    assert value == program.value_and_grad(*problem.arrays)[0]
    assert program.steps.data == 5.0


@TRAINING
def test_values_on_their_own_are_parameters_too(backend):
    """No module, parameters read once or twice, one not read at all, uniform programs."""
    a, b, unused = Value(2.0), Value(-1.0), Value(5.0)
    for function, parameters in (
        (lambda x: (a * x + b * b - 1.0) ** 2, [a, b]),
        (lambda x: (a - 1.0) ** 2, [a]),
        (lambda x: (a * batch_mean(x) - b) ** 2, [a, b]),
    ):
        a.data, b.data = 2.0, -1.0
        optimizer = SGD(0.05)
        history = compile(function, backend=backend).trainer(optimizer).run([1.0, 2.0, 3.0], epochs=40)["loss"]
        assert history[-1] < history[0]
        assert set(optimizer.state) == set(parameters)
        assert unused.data == 5.0


class LooksAtTheNeighbours:
    """No formula of one parameter: each moves towards the next one, and remembers what its neighbour remembered."""

    def __init__(self):
        self.values = {}  # settings that it reads

    def on(self, p, g, memory, lr, t):
        return p + lr * (self.next_to(p) - p) - lr * g, self.next_to(memory) + p

    @staticmethod
    def next_to(rows):
        return Rows(rows.writer, Table(UNIFORM, np.roll(rows.table.rows, -1)))


@pytest.mark.parametrize("count", [1, 2, 3, 50, pytest.param(4_500, marks=pytest.mark.long)])
@pytest.mark.parametrize("neighbours", [True, False])
def test_a_parameter_that_others_read_is_moved_after_they_did(neighbours, count, monkeypatch):
    """One loop does a step for all parameters, threads share it: it must not read what it has already written."""
    if neighbours:
        monkeypatch.setattr(step, "formulas", lambda *_: (LooksAtTheNeighbours(), None))
    monkeypatch.setattr(native_backend, "WORTH_A_THREAD", 1)
    monkeypatch.setattr(native_backend, "WORTH_STARTING", 0.0)
    found = []
    for backend, threads in (("numpy", 1), ("native", 1), ("native", 2)):
        w, v = ([Value(function(n)) for n in range(count)] for function in (math.sin, math.cos))

        def loss(x, w=w, v=v):
            return ops.sum([a * b for a, b in zip(w, v, strict=True)]) + w[0] * x

        optimizer = SGD(0.1)
        training = compile(loss, backend=backend, threads=threads).trainer(optimizer)
        history = training.run(np.linspace(-1.0, 1.0, 40), epochs=3)["loss"]
        found.append([*history, *(p.data for p in (*w, *v)), *(x for row in state_of(optimizer, w) for x in row)])
    assert found[1] == found[2]
    assert close(found[1], found[0])


class WithSettings(Forgetful):
    """It has something besides numbers."""

    def __init__(self, setting):
        super().__init__(0.1)
        self.setting = setting


SETTINGS = [
    np.array([1.0, 2.0]),
    {"a": np.ones(3)},
    object(),
    threading.Lock(),
    Value(0.5),
    [Value(1.0)],
    math.nan,
    len,
]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: type(setting).__name__)
def test_settings_of_any_kind_stay_what_they_are(setting):
    """They are compared in each epoch: as equal, or the step is compiled in each epoch anew."""
    w, program = program_of_w()
    training = program.trainer(WithSettings(setting))
    training.step(X)
    loop = program.loops[0]
    training.run(X, epochs=2, callbacks=[lambda epoch, measures: None])
    assert program.loops == [loop]
    assert w.data == pytest.approx(0.8**3)


# Buffers and random numbers.


class Standardised(Module):
    """One number of each sample with the mean and spread of its batch, and running averages of both."""

    def __init__(self):
        self.w, self.scale = Parameter(0.7), Parameter(1.2)
        self.centre, self.spread, self.count = Buffer(0.0), Buffer(1.0), Buffer(0.0)

    def __call__(self, x):
        h = self.w * x
        if not self.training:
            return self.scale * (h - self.centre) / sqrt(self.spread + 1e-3)
        centre = batch_mean(h)
        spread = batch_mean((h - centre) ** 2)
        self.centre.update(0.9 * self.centre + 0.1 * centre)
        self.spread.update(0.9 * self.spread + 0.1 * spread)
        self.count.update(self.count + 1.0)
        return self.scale * (h - centre) / sqrt(spread + 1e-3)

    def leaves(self):
        return [self.w, self.scale, self.centre, self.spread, self.count]


@TRAINING
@pytest.mark.parametrize("batch_size", [None, 4])
def test_buffers_follow_the_steps(batch_size, backend):
    """Against the same batches through the eager backend and the eager optimizer."""
    x, y = numbers(11, seed=1), numbers(11, seed=2)
    ours, theirs = Standardised(), Standardised()
    optimizer, other = (SGD(0.1, momentum=0.5) for _ in range(2))
    oracle = compile(lambda x, y: (theirs(x) - y) ** 2, backend="eager")

    def follow(epoch, measures):
        for chosen in batches_of(11, batch_size, 0, epoch - 1):
            theirs.zero_grad()
            oracle.backward(x[chosen], y[chosen])
            other.step([theirs.w, theirs.scale])
        assert close([leaf.data for leaf in ours.leaves()], [leaf.data for leaf in theirs.leaves()])

    training = compile(lambda x, y: (ours(x) - y) ** 2, backend=backend).trainer(optimizer, batch_size)
    training.run(x, y, epochs=4, callbacks=[follow])
    assert ours.count.data == 4 * len(batches_of(11, batch_size, 0, 0))
    ours.centre.data = 5.0
    training.step(x, y)
    assert ours.centre.data > 4.0
    ours.eval()
    before = [ours.centre.data, ours.spread.data]
    training.run(x, y, epochs=2)
    assert [ours.centre.data, ours.spread.data] == before


@TRAINING
@pytest.mark.parametrize("batch_size", [None, 4])
def test_dropout_counts_steps_and_rows_as_the_loop_does(batch_size, backend):
    """Rows are those of the data, whatever their place in a batch; steps go on over epochs and runs."""

    def with_dropout(w, v):
        def loss(x, y):
            hidden = [relu(wi * x + 0.1) for wi in w]
            step, row = randomness.current_step(), randomness.current_row()
            kept = [
                ops.where(ops.less(ops.random(9, step, row, place), 0.6), h / 0.6, 0.0)
                for place, h in enumerate(hidden)
            ]
            return (ops.dot(v, tuple(kept)) - y) ** 2

        return loss

    def leaves():
        return tuple(Value(x) for x in (0.5, -0.7, 0.9)), tuple(Value(x) for x in (0.3, 0.8, -0.4))

    x, y = numbers(10, seed=3), numbers(10, seed=4)
    ours, theirs = leaves(), leaves()
    optimizer, other = SGD(0.1), SGD(0.1)
    program = compile(with_dropout(*ours), backend=backend)
    training = program.trainer(optimizer, batch_size)
    found = training.run(x, y, epochs=3)["loss"] + training.run(x, y, epochs=2)["loss"]
    expected = train_in_a_loop(with_dropout(*theirs), [*theirs[0], *theirs[1]], other, (x, y), 5, batch_size)
    assert close(found, expected)
    assert close([p.data for p in (*ours[0], *ours[1])], [p.data for p in (*theirs[0], *theirs[1])])
    assert program.steps.data == optimizer.steps == other.steps


@TRAINING
def test_a_random_number_of_the_step_alone_is_one_for_all_rows(backend):
    def with_mask(w):
        return lambda x, y: (x * w * ops.less(0.4, ops.random(randomness.current_step(), 7.0)) - y) ** 2

    x, y = numbers(10, seed=3), numbers(10, seed=4)
    ours, theirs = Value(2.0), Value(2.0)
    found = compile(with_mask(ours), backend=backend).trainer(SGD(0.1), 5).run(x, y, epochs=4)["loss"]
    assert close(found, train_in_a_loop(with_mask(theirs), [theirs], SGD(0.1), (x, y), 4, 5))
    assert close([ours.data], [theirs.data])


# Data.


@TRAINING_AT_LENGTH
def test_data_of_any_kind(backend):
    x, y = [[1, 2], [3, 4], [5, 6]], [1, 0, 1]
    plain = np.array(x, dtype=float)
    strided = np.zeros((6, 4))
    strided[::2, 1:3] = plain
    readonly = plain.copy()
    readonly.flags.writeable = False
    found = []
    for data, labels in (
        (x, y),
        (tuple(map(tuple, x)), tuple(y)),
        (np.array(x), np.array(y, bool)),
        (np.array(x, "uint8"), np.array(y, "int64")),
        (plain.astype("float32"), np.array(y, "float16")),
        (plain.astype(">f8"), np.array(y, "longdouble")),
        (np.asfortranarray(plain), y),
        (strided[::2, 1:3], y),
        (plain[::-1][::-1], y),
        (readonly, y),
        (np.frombuffer(b"\0" + plain.tobytes(), "float64", offset=1).reshape(3, 2), y),
        (np.broadcast_to(plain[:, :, None], (3, 2, 1))[:, :, 0], y),
    ):
        w = Value(0.1), Value(0.2)
        training = compile(lambda x, y, w=w: (ops.dot(w, x) - y) ** 2, backend=backend).trainer(SGD(0.01), 2)
        found.append((training.run(data, labels, epochs=3)["loss"], [p.data for p in w]))
    assert all(each == found[0] for each in found)


@TRAINING
def test_one_row_and_many(backend):
    for rows in (1, 2, 3_000):
        ours = Problem(rows)
        training = compile(ours.loss, backend=backend).trainer(SGD(0.01), batch_size=1_024)
        history = training.run(*ours.arrays, epochs=2)["loss"]
        assert all(map(math.isfinite, history))
        assert training.optimizer.steps == 2 * len(batches_of(rows, 1_024, 0, 0))


# Mistakes.


def program_of_w(backend="native"):
    w = Value(1.0)
    return w, compile(lambda x: (w * x) ** 2, backend=backend)


WRONG_SETTINGS = [
    ((0.1,), TypeError, "takes an optimizer such as SGD"),
    ((SGD,), TypeError, "takes an optimizer such as SGD"),
    ((None,), TypeError, "takes an optimizer such as SGD"),
    ((SGD(0.1), 0), ValueError, "batch_size is a whole number"),
    ((SGD(0.1), -3), ValueError, "batch_size is a whole number"),
    ((SGD(0.1), 2.0), ValueError, "batch_size is a whole number"),
    ((SGD(0.1), True), ValueError, "batch_size is a whole number"),
    ((SGD(0.1), "4"), ValueError, "batch_size is a whole number"),
    ((SGD(0.1), 4, -1), ValueError, "rng is a seed"),
    ((SGD(0.1), 4, 0.5), ValueError, "rng is a seed"),
    ((SGD(0.1), 4, None), ValueError, "rng is a seed"),
    ((SGD(0.1), 4, 2**53), ValueError, "rng is a seed"),
]
X = np.ones((3, 1))[:, 0]
WRONG_RUNS = [
    ((), {}, TypeError, "how many epochs"),
    ((X,), {}, TypeError, "how many epochs"),
    ((X, 2.0), {}, TypeError, "how many epochs"),
    ((X, True), {}, TypeError, "how many epochs"),
    ((X,), {"epochs": -1}, ValueError, "whole number from 0 on, got -1"),
    ((X,), {"epochs": 1.5}, ValueError, "whole number from 0 on, got 1.5"),
    ((X,), {"epochs": "3"}, ValueError, "whole number from 0 on, got '3'"),
    ((), {"epochs": 3}, TypeError, "at least one array"),
    ((X, X), {"epochs": 1}, TypeError, "argument"),
    (([],), {"epochs": 1}, ValueError, "no rows"),
    (([[[1.0], [2.0]], [[1.0], [2.0, 3.0]]],), {"epochs": 1}, ValueError, "ragged"),
    (([[1.0], []],), {"epochs": 1}, ValueError, r"argument 0\[1\] is empty"),
    ((["a", "b"],), {"epochs": 1}, TypeError, "not numbers"),
    ((np.ones(3, complex),), {"epochs": 1}, TypeError, "not numbers"),
    ((5.0,), {"epochs": 1}, TypeError, "at least one array"),
    ((X,), {"epochs": 1, "callbacks": [3]}, TypeError, "callbacks is a list of functions"),
]


@pytest.mark.parametrize(("settings", "kind", "words"), WRONG_SETTINGS)
def test_wrong_settings_are_refused_by_name(settings, kind, words):
    _, program = program_of_w()
    with pytest.raises(kind, match=words):
        program.trainer(*settings)


@pytest.mark.parametrize(("arguments", "options", "kind", "words"), WRONG_RUNS)
def test_wrong_runs_are_refused(arguments, options, kind, words):
    w, program = program_of_w()
    training = program.trainer(SGD(0.1))
    with pytest.raises(kind, match=words):
        training.run(*arguments, **options)
    assert w.data == 1.0
    assert training.run(X, epochs=1)["loss"] == pytest.approx([1.0])


def test_arrays_of_different_lengths_are_refused():
    w = Value(1.0)
    training = compile(lambda x, y: (w * x - y) ** 2).trainer(SGD(0.1))
    for call in (training.step, lambda *arrays: training.run(*arrays, epochs=1)):
        with pytest.raises(ValueError, match="2 and 3 rows"):
            call([1.0, 2.0], [1.0, 2.0, 3.0])
    assert w.data == 1.0


def test_no_epochs_are_no_training():
    w, program = program_of_w()
    optimizer = SGD(0.1)
    assert program.trainer(optimizer).run(X, epochs=0) == {"loss": []}
    assert (w.data, optimizer.steps) == (1.0, 0)


@pytest.mark.parametrize("whole", [np.int64(2), np.uint8(2)])
def test_whole_numbers_of_numpy_are_whole_numbers(whole):
    _, program = program_of_w()
    assert len(program.trainer(SGD(0.1), batch_size=whole, rng=whole).run(X, epochs=whole)["loss"]) == 2


@TRAINING_AT_LENGTH
@pytest.mark.parametrize("batch_size", [None, 4])
@pytest.mark.parametrize("wrong", [3.0, -1.0, 0.5, math.nan, math.inf, 1e300])
def test_a_wrong_index_in_the_data_is_named_and_nothing_is_lost(wrong, batch_size, backend):
    ours, theirs = ((Value(0.1), Value(0.2), Value(0.3)) for _ in range(2))
    optimizer, other = SGD(0.1, momentum=0.9), SGD(0.1, momentum=0.9)
    tokens, y = np.arange(10.0) % 3, numbers(10)

    def loss_of(table):
        return lambda token, y: (ops.take(token, table) - y) ** 2

    training = compile(loss_of(ours), backend=backend).trainer(optimizer, batch_size)
    training.run(tokens, y, epochs=2)
    spoiled = tokens.copy()
    spoiled[7] = wrong
    with pytest.raises(IndexError, match="take: index"):
        training.run(spoiled, y, epochs=3)
    train_in_a_loop(loss_of(theirs), theirs, other, (tokens, y), 2, batch_size)
    for chosen in batches_of(10, batch_size, 0, 2):  # up to the batch that holds the wrong row
        if 7 in chosen:
            break
        train_in_a_loop(loss_of(theirs), theirs, other, (tokens[chosen], y[chosen]), 1)
    assert close([p.data for p in ours], [p.data for p in theirs])
    check_same_state(optimizer, other, ours, theirs)
    assert math.isfinite(training.run(tokens, y, epochs=1)["loss"][0])


@TRAINING
@pytest.mark.parametrize("part_of_the_sample", [True, False])
def test_a_parameter_that_makes_an_index_wrong_loses_nothing(part_of_the_sample, backend):
    """Also where nothing depends on the sample, and a step is made in one go."""
    a, w, values = Value(-5.0), Value(0.5), tuple(map(Value, (0.0, 1.0, 2.0)))
    x = np.ones(5)

    def loss(x):
        return (w * (x if part_of_the_sample else 1.0) - 1.0) ** 2 + ops.take(3.0 * ops.step(a), values)

    optimizer = SGD(0.1, momentum=0.9)
    training = compile(loss, backend=backend).trainer(optimizer)
    training.run(x, epochs=2)
    leaves = (a, w, *values)
    before = [p.data for p in leaves], state_of(optimizer, leaves), optimizer.steps
    a.data = 5.0
    with pytest.raises(IndexError, match="take: index 3"):
        training.run(x, epochs=2)
    a.data = -5.0
    assert ([p.data for p in leaves], state_of(optimizer, leaves), optimizer.steps) == before


@TRAINING
def test_a_loss_that_is_no_number_is_an_error(backend):
    for start, rate, epoch in ((math.nan, 0.1, 1), (1.0, 1e200, 2), (math.inf, 0.1, 1)):
        w, program = program_of_w(backend)
        w.data = start
        with pytest.raises(FloatingPointError, match=f"in epoch {epoch}"):
            program.trainer(SGD(rate)).run(X, epochs=9)


@TRAINING
@pytest.mark.parametrize("callbacks", [[], [lambda epoch, measures: None]])
def test_a_loss_that_was_no_number_for_one_epoch_is_an_error(callbacks, backend):
    """1e200 squared is inf, but the step from there leads to 0."""
    w, program = program_of_w(backend)
    w.data = 1e200
    with pytest.raises(FloatingPointError, match="in epoch 1"):
        program.trainer(SGD(0.5)).run(X, epochs=5, callbacks=callbacks)


def test_settings_that_are_no_numbers_are_refused():
    """Not trained with: None would be nan, and nan spoils every parameter."""
    w, program = program_of_w()
    optimizer = SGD(0.1)
    training = program.trainer(optimizer)
    optimizer.lr = None
    with pytest.raises(TypeError):
        training.step(X)
    optimizer.lr, w.data = 0.1, None
    with pytest.raises(TypeError):
        training.step(X)
    w.data = 1.0
    assert training.step(X) == 1.0
    assert w.data == pytest.approx(0.8)


def test_memory_does_not_grow_with_the_programs_that_are_gone():
    """A function that changes in every epoch is traced again and again; its old programs must go."""
    w, factor = Value(1.0), [1.0]
    training = compile(lambda x: (w * x) ** 2 * factor[0]).trainer(SGD(0.001))

    def change(epoch, measures):
        factor[0] = 1.0 + epoch / 100

    training.run(X, epochs=12, callbacks=[change])
    assert len(training.compiled.loops) <= 8


# Threads and interruptions.


def test_a_trainer_works_in_a_thread():
    ours, theirs = Problem(), Problem()
    thread = threading.Thread(target=lambda: compile(ours.loss).trainer(SGD(0.1), 4).run(*ours.arrays, epochs=5))
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    compile(theirs.loss).trainer(SGD(0.1), 4).run(*theirs.arrays, epochs=5)
    assert ours.numbers() == theirs.numbers()


def test_trainers_in_two_threads_do_not_disturb_each_other():
    problems = [Problem(40) for _ in range(2)]
    shared = compile(lambda x, y, which: problems[which].loss(x, y))

    def work(which):
        training = shared.trainer(Adam(0.01), batch_size=7, rng=which)
        for _ in range(5):
            training.run(*problems[which].arrays, which, epochs=3)

    threads = [threading.Thread(target=work, args=(which,)) for which in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    for which, problem in enumerate(problems):
        alone = Problem(40)
        training = compile(alone.loss).trainer(Adam(0.01), batch_size=7, rng=which)
        training.run(*alone.arrays, epochs=15)
        assert close(problem.numbers(), alone.numbers())


class Interruption:
    """Raises KeyboardInterrupt before the line number `place` of all lines that run in those modules."""

    def __init__(self, place, modules):
        self.left, self.files = place, {module.__file__ for module in modules}

    def __call__(self, frame, event, argument):
        if frame.f_code.co_filename not in self.files:
            return None
        if event == "line":
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
        return self


INTERRUPTED = (
    *(compiled, programs, variants, trainer, loop_module, own_steps, saved_attributes, optim),
    *(native_backend, executable, buffers, job, native_threads),
)
STEPS = 2


class StepsItself(SGD):
    """It counts its steps itself, too, which an interruption may not leave one too many."""

    def __init__(self, *settings, **named):
        super().__init__(*settings, **named)
        self.counts = {"steps": 0}

    def step(self, parameters, lr=None):
        self.counts["steps"] += 1
        super().step(parameters, lr)


class Interrupted:
    """Three parameters in training; `run(place)` interrupts it there and says whether it got that far."""

    def __init__(self, threads, kind):
        self.parameters = [Value(0.0) for _ in range(3)]
        self.x = np.linspace(0.0, 1.0, 64)
        program = compile(lambda x: ops.sum([(p * x - n) ** 2 for n, p in enumerate(self.parameters)]), threads=threads)
        self.optimizer = kind(0.1, momentum=0.9)
        self.training = program.trainer(self.optimizer)
        self.start()
        self.path = [self.now()]  # what is right after each number of steps
        for _ in range(2 * STEPS):
            self.training.step(self.x)
            self.path.append(self.now())

    def start(self):
        for parameter, number in zip(self.parameters, (2.0, -1.0, 0.5), strict=True):
            parameter.data = number
        self.optimizer.state, self.optimizer.steps = {}, 0
        if isinstance(self.optimizer, StepsItself):
            self.optimizer.counts["steps"] = 0

    def now(self):
        memory = [tuple(self.optimizer.state.get(p, (0.0,))) for p in self.parameters]
        counts = getattr(self.optimizer, "counts", {})
        return self.optimizer.steps, [p.data for p in self.parameters], memory, dict(counts)

    def run(self, place):
        self.start()
        before = sys.gettrace()
        sys.settrace(Interruption(place, INTERRUPTED))
        try:
            self.training.run(self.x, epochs=STEPS, callbacks=[lambda epoch, measures: None], progress=False)
        except KeyboardInterrupt:
            return True
        finally:
            sys.settrace(before)
        return False


@pytest.mark.parametrize(("threads", "kind"), [(1, SGD), (2, SGD), (1, StepsItself)])
def test_an_interruption_at_any_line_leaves_values_and_optimizer_in_step(threads, kind, monkeypatch):
    if threads == 2:
        monkeypatch.setattr(native_backend, "WORTH_A_THREAD", 1)
        monkeypatch.setattr(native_backend, "WORTH_STARTING", 0.0)
    interrupted, wrong, place = Interrupted(threads, kind), [], 0
    loops = interrupted.training.compiled.loops[:1]
    while interrupted.run(place):
        found = interrupted.now()
        interrupted.training.step(interrupted.x)
        if found != interrupted.path[found[0]] or interrupted.now() != interrupted.path[found[0] + 1]:
            wrong.append((place, found))
        assert interrupted.training.compiled.loops[:1] == loops, f"place {place} loses the program"
        place += 1
    assert place > 50
    assert not wrong, f"{len(wrong)} of {place} places, such as {wrong[:3]}"


@needs_posix
@pytest.mark.parametrize("threads", [1, 2])
def test_after_an_interruption_no_thread_works_on(threads, monkeypatch):
    """Python's own Thread.join may say that a thread has ended, when a signal interrupts it, while it still runs."""
    settings = {
        "WORTH_A_THREAD": 1,
        "WORTH_STARTING": 0.0,
        "BRIEF": 0.0,
        "BLOCK_BYTES": 2**30,
        "MOST_SHARES": threads,
        "SMALLEST_SPLIT": 10**9,
    }
    for name, number in settings.items():  # each thread has one block, which takes milliseconds
        monkeypatch.setattr(native_backend, name, number)

    def interrupt(*_):
        raise KeyboardInterrupt

    def run_until(seconds):
        signal.setitimer(signal.ITIMER_REAL, seconds)
        training.run(*problem.arrays, epochs=10**6, progress=False)

    problem = Problem(rows=20_000)
    problem.model = MLP(2, [32, 32, 1], activation="relu", rng=3)
    training = compile(problem.loss, threads=threads).trainer(SGD(1e-3))
    training.step(*problem.arrays)
    backend, before = training.compiled.loops[0].backend, signal.signal(signal.SIGALRM, interrupt)
    try:
        for turn in range(4):
            with pytest.raises(KeyboardInterrupt):  # wherever it comes, on a machine that does other things besides
                run_until(0.05 + 0.003 * turn)
            steps = training.optimizer.steps
            assert steps == backend.done
            time.sleep(0.05)
            assert backend.done == steps, "a thread goes on with the step that was given up"
            training.step(*problem.arrays)
            assert training.optimizer.steps == backend.done == steps + 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


CHILD = """
import sys, time
import numpy as np
from scalargrad import Adam, MLP, compile, mse
from scalargrad.compiler.backends.native.running import backend

threads, callbacks, rows, batch_size = int(sys.argv[1]), sys.argv[2] == "1", int(sys.argv[3]), eval(sys.argv[4])
backend.WORTH_A_THREAD, backend.WORTH_STARTING = 1, 0.0
model = MLP(8, [16, 16, 1], activation="relu", rng=0)
x, y = np.random.default_rng(0).normal(size=(rows, 8)), np.zeros(rows)
program = compile(lambda x, y: mse(model(x), y), threads=threads)
optimizer = Adam(1e-4)
training = program.trainer(optimizer, batch_size)
training.step(x, y)
print("ready", flush=True)
try:
    training.run(x, y, epochs=10**7, callbacks=[lambda epoch, measures: None] if callbacks else [], progress=False)
except KeyboardInterrupt:
    print(time.monotonic(), flush=True)
parameters = program.parameters
found, steps = [p.data for p in parameters], optimizer.steps
assert np.isfinite(found).all()
assert found == program.loops[0].backend.read(program.loops[0].backend.leaves).tolist(), "Values are not in step"
assert steps == program.steps.data >= 1
training.step(x, y)
assert optimizer.steps == steps + 1
print("in step", flush=True)
"""


@pytest.mark.sampled(5)
@needs_posix
@pytest.mark.parametrize(
    ("threads", "callbacks", "rows", "batch_size"),
    [(1, 0, 200, None), (2, 0, 20_000, None), (1, 1, 50, None), (2, 0, 5_000, 64), (1, 0, 100_000, None)],
)
def test_ctrl_c_stops_a_run(threads, callbacks, rows, batch_size):
    command = [sys.executable, "-c", CHILD, *map(str, (threads, callbacks, rows, batch_size))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8", cwd=ROOT) as child:
        watchdog = threading.Timer(PATIENCE, child.kill)
        watchdog.start()
        assert child.stdout.readline() == "ready\n"
        time.sleep(0.3)
        sent = time.monotonic()
        child.send_signal(signal.SIGINT)
        stopped, state = child.stdout.readline(), child.stdout.readline()
        watchdog.cancel()
    assert state == "in step\n"
    assert float(stopped) >= sent  # and before the watchdog came: the run would take weeks
