"""A trainer on sequences of different lengths takes the steps of a loop in Values, batch by batch."""

import math
from contextlib import contextmanager

import numpy as np
import pytest

from scalargrad import SGD, Adam, AdamW, Buffer, Value, compile, mean, ops, tanh, where
from scalargrad import random as random_number
from scalargrad.compiler.programs import MOST_SHAPES
from scalargrad.optim import Optimizer
from scalargrad.schedules import Constant, Cosine
from tests.oracles.optimizers import check_same_state
from tests.oracles.sequences import batches_of_shapes, train_by_values

LENGTHS = [3, 6, 4, 3, 5, 3, 6, 4, 3, 3, 5, 4]
BACKENDS = pytest.mark.parametrize("backend", ["numpy", "native"])


def sequences(*inner, seed=0, lengths=LENGTHS):
    source = np.random.default_rng(seed)
    return [source.normal(size=(length, *inner)) for length in lengths]


X, NUMBERS, PER_POSITION = sequences(2), np.random.default_rng(1).normal(size=len(LENGTHS)), sequences(seed=2)


class Recurrence:
    """A hidden number that walks along a sequence of pairs; only what is longer than 4 reads the parameter `late`."""

    def __init__(self):
        self.parameters = [Value(x) for x in (0.5, -0.3, 0.8, 0.1, 0.7, 0.2)]

    def states(self, x):
        a, b, c, d, late, scale = self.parameters
        hidden, found = 0.0, []
        for step, (first, second) in enumerate(x):
            hidden = tanh(a * first + b * second + c * hidden + d)
            hidden = hidden + late * first if step >= 4 else hidden
            found.append(scale * hidden)
        return found

    def loss(self, x, y):
        return (self.states(x)[-1] - y) ** 2

    def loss_of_positions(self, x, ys):
        return mean([(state - y) ** 2 for state, y in zip(self.states(x), ys, strict=True)])

    def dropping(self, x, y):
        kept = [[where(random_number(7, 2 * n + k) - 0.3, 1.0, 0.0) * x[n][k] for k in range(2)] for n in range(len(x))]
        return self.loss(kept, y)

    @property
    def numbers(self):
        return [parameter.data for parameter in self.parameters]


LOSSES = {"loss": NUMBERS, "loss_of_positions": PER_POSITION, "dropping": NUMBERS}


class OwnStep(Optimizer):
    """Overrides `step`: the compiler does not know its formula."""

    def step(self, parameters, lr=None):
        for parameter in parameters:
            parameter.data -= (self.lr if lr is None else lr) * parameter.grad
        self.steps += 1


OPTIMIZERS = {
    "momentum": lambda: SGD(0.05, momentum=0.9),
    "Adam": lambda: Adam(0.02),
    "AdamW": lambda: AdamW(0.02, weight_decay=0.1),
    "own": lambda: OwnStep(0.05),
}


def check_as_by_values(backend, loss="loss", optimizer="AdamW", batch_size=2, schedule=None, epochs=3):
    ours, theirs = Recurrence(), Recurrence()
    mine, other = OPTIMIZERS[optimizer](), OPTIMIZERS[optimizer]()
    program = compile(getattr(ours, loss), backend=backend)
    found = program.trainer(mine, batch_size, schedule=schedule).run(X, LOSSES[loss], epochs)
    columns = X, LOSSES[loss]
    expected = train_by_values(getattr(theirs, loss), theirs.parameters, other, columns, epochs, batch_size, schedule)
    np.testing.assert_allclose(found["loss"], expected, rtol=1e-12)
    np.testing.assert_allclose(ours.numbers, theirs.numbers, rtol=1e-12)
    if mine.state_size:
        check_same_state(mine, other, ours.parameters, theirs.parameters)
    assert mine.steps == other.steps


@pytest.mark.parametrize(
    ("backend", "loss"),
    [
        *(("numpy", loss) for loss in LOSSES),
        ("native", "loss"),
        *(pytest.param("native", loss, marks=pytest.mark.long) for loss in LOSSES if loss != "loss"),
        *(pytest.param("jax", loss, marks=pytest.mark.long) for loss in ("loss", "dropping")),
    ],
)
def test_a_run_is_that_of_values(backend, loss):
    check_as_by_values(backend, loss)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_all_optimizers_move_as_by_values(optimizer):
    """Also what short sequences do not read: it moves from the first step on, as all lengths were read before."""
    check_as_by_values("numpy", optimizer=optimizer)


@pytest.mark.parametrize("batch_size", [1, 3, 100, None])
def test_all_sizes_of_batches(batch_size):
    check_as_by_values("numpy", batch_size=batch_size)


@pytest.mark.parametrize("optimizer", ["AdamW", "own"])
def test_a_schedule_is_as_long_as_there_are_batches(optimizer):
    check_as_by_values("numpy", schedule=Cosine(), optimizer=optimizer)
    check_as_by_values("numpy", schedule=Constant(), optimizer=optimizer)


def test_a_wrong_order_would_be_seen():
    ours, theirs = Recurrence(), Recurrence()
    compile(ours.loss, backend="numpy").trainer(SGD(0.05), 2, rng=1).run(X, NUMBERS, 2)
    train_by_values(theirs.loss, theirs.parameters, SGD(0.05), (X, NUMBERS), 2, 2, seed=0)
    assert max(abs(np.subtract(ours.numbers, theirs.numbers))) > 1e-6


def test_runs_in_parts_are_one_run():
    ours, theirs = Recurrence(), Recurrence()
    one, several = (compile(each.loss, backend="numpy").trainer(Adam(0.02), 2) for each in (ours, theirs))
    found = one.run(X, NUMBERS, 4)["loss"]
    assert found == [loss for _ in range(4) for loss in several.run(X, NUMBERS, 1)["loss"]]
    assert ours.numbers == theirs.numbers


def test_arguments_of_every_kind_are_the_same():
    expected = None
    objects = np.empty(len(X), object)
    objects[:] = [x.tolist() for x in X]
    for samples in (X, tuple(X), [x.tolist() for x in X], objects):
        ours = Recurrence()
        found = compile(ours.loss, backend="numpy").trainer(SGD(0.05), 2).run(samples, NUMBERS.tolist(), 2)
        expected = expected or found
        assert found == expected


@BACKENDS
def test_equal_lengths_are_what_an_array_is(backend):
    x = sequences(2, lengths=[4] * 7)
    found = []
    for samples in (np.stack(x), x, [sample.tolist() for sample in x]):
        ours = Recurrence()
        history = compile(ours.loss, backend=backend).trainer(Adam(0.02), 3).run(samples, NUMBERS[:7], 3)
        found.append((history, ours.numbers))
    assert found[0] == found[1] == found[2]


def test_a_number_for_all_samples_is_passed_on():
    w = Value(1.0)
    program = compile(lambda xs, power: w * ops.sum(xs) ** power, backend="numpy")
    program.trainer(SGD(0.0)).run(sequences(), 2.0, epochs=1)
    assert program.trainer(SGD(0.0)).run([[1.0], [1.0, 2.0]], 2.0, epochs=1)["loss"] == [5.0]


def test_all_lengths_are_compiled_before_the_first_epoch_and_kept():
    ours = Recurrence()
    program = compile(ours.loss, backend="numpy")
    training, seconds = program.trainer(SGD(0.05), 2), []
    callbacks = [lambda epoch, measures: seconds.append(program.seconds)]
    training.run(X, NUMBERS, 2, callbacks=callbacks)
    training.run(X, NUMBERS, 1, callbacks=callbacks)
    assert seconds[0]["tracing"] > 0.0
    assert seconds[0] == seconds[1] == seconds[2]


def test_what_callbacks_change_is_honoured():
    ours, theirs, x = Recurrence(), Recurrence(), [sample.copy() for sample in X]

    def change(epoch, measures):
        x[3][:] += 1.0
        x[4] = x[4][:-1]
        ours.parameters[0].data = 0.25

    training = compile(ours.loss, backend="numpy").trainer(SGD(0.05), 2)
    found = training.run(x, NUMBERS, 2, callbacks=[change])["loss"]
    other = compile(theirs.loss, backend="numpy").trainer(SGD(0.05), 2)
    first = other.run(X, NUMBERS, 1)["loss"]
    theirs.parameters[0].data = 0.25
    changed = [*X]
    changed[3], changed[4] = X[3] + 1.0, X[4][:-1]
    assert found == first + other.run(changed, NUMBERS, 1)["loss"]


def test_measures_are_means_over_all_rows():
    ours, lengths = Recurrence(), Buffer(0.0)

    def loss(x, y):
        lengths.update(lengths + float(len(x)))
        return ours.loss(x, y)

    training = compile(loss, backend="numpy").trainer(SGD(0.05), 2, measures={"length": lengths})
    assert training.run(X, NUMBERS, 1)["length"] == [pytest.approx(np.mean(LENGTHS))]


def test_a_watcher_sees_every_batch():
    ours, seen = Recurrence(), []
    training = compile(ours.loss, backend="numpy").trainer(SGD(0.05), 2)
    found = training.epoch(X, NUMBERS, watch=lambda rows, measures: seen.append((rows, measures["loss"])))
    batches = batches_of_shapes([x.shape for x in X], 2, 0, 0)
    assert [rows for rows, _ in seen] == np.cumsum([len(batch) for batch in batches]).tolist()
    assert seen[-1][1] == found["loss"]


@BACKENDS
def test_an_epoch_that_leaves_the_numbers_ends_after_that_step(backend):
    ours, batches = Recurrence(), batches_of_shapes([x.shape for x in X], 2, 0, 0)
    y = NUMBERS.copy()
    y[batches[2][0]] = math.inf
    training = compile(ours.loss, backend=backend).trainer(optimizer := SGD(0.05), 2)
    with pytest.raises(FloatingPointError, match="inf in epoch 1"):
        training.run(X, y, 3)
    assert optimizer.steps == 3  # with the one that was not finite


def test_a_ctrl_c_leaves_the_last_finished_step():
    ours, other = Recurrence(), Recurrence()

    def interrupt(rows, measures):
        if rows >= 5:
            raise KeyboardInterrupt

    training = compile(ours.loss, backend="numpy").trainer(optimizer := SGD(0.05, momentum=0.9), 2)
    with pytest.raises(KeyboardInterrupt):
        training.epoch(X, NUMBERS, watch=interrupt)
    batches = batches_of_shapes([x.shape for x in X], 2, 0, 0)
    steps = next(n for n in range(len(batches)) if sum(map(len, batches[:n])) >= 5)
    step = compile(other.loss, backend="numpy").trainer(SGD(0.05, momentum=0.9), parameters=other.parameters).step
    for rows in batches[:steps]:
        step(np.stack([X[row] for row in rows]), NUMBERS[rows])
    assert optimizer.steps == steps
    np.testing.assert_allclose(ours.numbers, other.numbers, rtol=1e-13)


# Mistakes.


def test_a_call_takes_one_shape():
    ours = Recurrence()
    program = compile(ours.loss, backend="numpy")
    training = program.trainer(SGD(0.1))
    for call in (program, program.backward, program.value_and_grad, training.step):
        with pytest.raises(ValueError, match=r"argument 0 is ragged: .*; a call takes rows of one shape, run\(\) and"):
            call(X, NUMBERS)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (([[1.0, 2.0], []], [1.0, 2.0]), ValueError, r"argument 0\[1\] is empty"),
        (([np.ones((2, 3)), np.ones((4, 2))], [1.0, 2.0]), ValueError, r"argument 0\[1\] has the shape \(4, 2\) and"),
        (([["a"], ["b", "c"]], [1.0, 2.0]), ValueError, r"argument 0\[0\] holds text"),
        (([[1.0], [Value(1.0), Value(2.0)]], [1.0, 2.0]), ValueError, r"argument 0\[1\]\[0\] is the Value"),
        ((X, NUMBERS[:3]), ValueError, "12 and 3 rows"),
        ((X, PER_POSITION[:3]), ValueError, "12 and 3 rows"),
        ((X, None), TypeError, "None"),
        (([*X[:2], None], NUMBERS[:3]), ValueError, "argument 0 is ragged: row 2 has no list, but None, row 0 has"),
        (([*X[:2], "ab"], NUMBERS[:3]), ValueError, "argument 0 is ragged: row 2 has no list, but 'ab', row 0 has"),
    ],
)
def test_bad_runs_change_nothing(arguments, kind, message):
    ours = Recurrence()
    before = ours.numbers
    with pytest.raises(kind, match=message):
        compile(ours.loss, backend="numpy").trainer(SGD(0.1)).run(*arguments, 2)
    assert ours.numbers == before


def test_more_lengths_than_programs_are_refused_before_any_is_traced():
    w, traced = Value(1.0), []

    def loss(xs):
        traced.append(len(xs))
        return w * ops.sum(xs)

    training = compile(loss, backend="numpy").trainer(SGD(0.1))
    samples = [np.ones(length) for length in range(1, MOST_SHAPES + 2)]
    with pytest.raises(ValueError, match=r"65 different shapes, and programs are kept for 64, .*: pad them to fewer"):
        training.run(samples, epochs=1)
    assert not traced


@pytest.mark.long
def test_as_many_lengths_as_programs_are_kept():
    w, kept = Value(1.0), []
    program = compile(lambda xs: w * ops.sum(xs), backend="numpy")
    samples = [np.ones(length) for length in range(1, MOST_SHAPES + 1)]
    program.trainer(SGD(0.0)).run(samples, epochs=2, callbacks=[lambda *_: kept.append({*program.loops})])
    assert kept[0] == kept[1]
    assert len(kept[0]) == MOST_SHAPES


def test_a_bar_counts_the_lengths_that_are_compiled(monkeypatch):
    bars = []

    @contextmanager
    def bar(total, unit, wanted, delay):
        bars.append((total, unit, wanted, shown := []))
        yield lambda done, what: shown.append((done, what))

    monkeypatch.setattr("scalargrad.compiler.trainer.progress_bar", bar)
    ours = Recurrence()
    compile(ours.loss, backend="numpy").trainer(SGD(0.05), 2).run(X, NUMBERS, 1)
    lengths = sorted({*LENGTHS})
    traced = [(0, {"now": f"{length} x 2"}) for length in lengths]
    shown = [(done, {"now": f"{length} x 2"}) for done, length in enumerate(lengths)]
    assert bars[0] == (4, " lengths compiled", True, [*traced, *shown, (4, {})])
