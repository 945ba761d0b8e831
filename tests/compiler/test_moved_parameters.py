"""Which parameters a step of a trainer moves: as the loop zero_grad(); backward(); optimizer.step(parameters)."""

import itertools
import sys

import numpy as np
import pytest

from scalargrad import SGD, Adam, AdamW, Value, compile, mean, ops
from scalargrad.nn import Module, Parameter
from scalargrad.optim import RMSProp
from scalargrad.schedules import Constant, Cosine, LinearDecay, OneCycle
from tests.oracles.optimizers import check_same_state

BACKENDS = pytest.mark.parametrize("backend", ["numpy", "native", pytest.param("jax", marks=pytest.mark.long)])
OPTIMIZERS = {
    "SGD": lambda: SGD(0.1),
    "momentum": lambda: SGD(0.1, momentum=0.9),
    "Nesterov, decay": lambda: SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    "RMSProp": lambda: RMSProp(0.01, momentum=0.5),
    "Adam": lambda: Adam(0.05),
    "Adam, decay": lambda: Adam(0.05, weight_decay=0.1),
    "AdamW": lambda: AdamW(0.05, weight_decay=0.1),
}
LENGTHS = [3, 1, 4, 1, 2, 4, 3, 1, 1, 2]  # of sequences, one after another


class Positions(Module):
    """A weight for each place in a sequence: short ones read the first few only. One is never read."""

    def __init__(self):
        self.weights = [Parameter(0.5 + 0.1 * n) for n in range(4)]
        self.unread = Parameter(2.0)

    def __call__(self, x):
        return ops.sum([w * xi for w, xi in zip(self.weights, x, strict=False)])


def sequences():
    source = np.random.default_rng(0)
    return [source.normal(size=(5, length)) for length in LENGTHS]


def loss_of(model):
    return lambda x: (model(x) - 1.0) ** 2


def in_a_loop(model, optimizer, parameters, xs, schedule=None):
    """Losses; `parameters` None: those that were read so far."""
    losses, read, loss = [], {}, loss_of(model)
    for step, x in enumerate(xs):
        for parameter in model.parameters():
            parameter.grad = 0.0
        found = mean([loss(row) for row in x])
        found.backward()
        read |= dict.fromkeys(model.weights[: x.shape[1]])
        rate = None if schedule is None else optimizer.lr * schedule.factor(step, len(xs))
        optimizer.step(list(read) if parameters is None else parameters, rate)
        losses.append(found.data)
    return losses


@pytest.mark.sampled(5)
@BACKENDS
@pytest.mark.parametrize("given", [True, False], ids=["given", "as read"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_on_shapes_in_turn_are_those_of_the_loop(name, given, backend):
    ours, theirs = Positions(), Positions()
    optimizer, other = OPTIMIZERS[name](), OPTIMIZERS[name]()
    parameters = ours.parameters() if given else None
    trainer = compile(loss_of(ours), backend=backend).trainer(optimizer, parameters=parameters)
    losses = [trainer.step(x) for x in sequences()]
    assert losses == pytest.approx(
        in_a_loop(theirs, other, theirs.parameters() if given else None, sequences()), rel=1e-12
    )
    found, expected = ([p.data for p in model.parameters()] for model in (ours, theirs))
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-15)
    assert len(optimizer.state) == len(other.state)
    check_same_state(optimizer, other, ours.parameters()[: len(other.state)], theirs.parameters()[: len(other.state)])


@pytest.mark.parametrize("backend", ["numpy", "native"])
@pytest.mark.parametrize("batch_size", [None, 2])
def test_a_run_moves_what_is_given_and_not_read_at_each_step_of_its_schedule(batch_size, backend):
    ours, theirs = Positions(), Positions()
    optimizer, other = Adam(0.05, weight_decay=0.1), Adam(0.05, weight_decay=0.1)
    x = sequences()[1]
    trainer = compile(loss_of(ours), backend=backend).trainer(
        optimizer, batch_size, schedule=Cosine(), parameters=ours.parameters()
    )
    trainer.run(x, epochs=7, progress=False)
    steps = 7 * -(-len(x) // (batch_size or len(x)))
    other.lr = 0.05
    for step in range(steps):
        for parameter in theirs.parameters():
            parameter.grad = 0.0
        other.step([*theirs.weights[1:], theirs.unread], 0.05 * Cosine().factor(step, steps))
    moved = [*ours.weights[1:], ours.unread], [*theirs.weights[1:], theirs.unread]
    assert [p.data for p in moved[0]] == pytest.approx([p.data for p in moved[1]], rel=1e-12)
    assert moved[0][0].data != Positions().weights[1].data
    check_same_state(optimizer, other, *moved)


def test_what_is_frozen_or_never_read_stays():
    model = Positions()
    frozen = model.weights[0]
    trainer = compile(loss_of(model)).trainer(SGD(0.1, weight_decay=0.5), parameters=model.weights[1:])
    for x in sequences():
        trainer.step(x)
    assert (frozen.data, model.unread.data) == (0.5, 2.0)
    assert frozen not in trainer.optimizer.state
    model = Positions()
    trainer = compile(loss_of(model)).trainer(SGD(0.1, weight_decay=0.5))
    trainer.step(sequences()[1])
    assert [w.data for w in model.weights[1:]] == [w.data for w in Positions().weights[1:]]
    assert model.unread.data == 2.0


def test_shapes_in_turn_are_compiled_once():
    model = Positions()
    program = compile(loss_of(model))
    trainer = program.trainer(Adam(0.05))
    for x in sequences():
        trainer.step(x)
    spent = dict(program.seconds)
    loops = {id(loop) for loop in program.loops}
    for x in sequences():
        trainer.step(x)
    assert {id(loop) for loop in program.loops} == loops
    assert len(loops) == 4
    assert program.seconds["compiling"] == spent["compiling"]


def test_as_many_shapes_as_are_kept_take_turns_and_none_is_compiled_again():
    w = Value(0.5, "w")
    program = compile(lambda x: mean([(w * number - 1.0) ** 2 for number in x]), backend="numpy")
    trainer = program.trainer(SGD(0.01), parameters=[w])
    shapes = [np.ones((1, length)) for length in range(1, 65)]
    for x in shapes:
        trainer.step(x)
    kept = {id(variant) for variants in program.variants.values() for variant in variants}
    loops, spent = {id(loop) for loop in program.loops}, program.seconds["compiling"]
    for x in shapes:
        trainer.step(x)
    assert {id(variant) for variants in program.variants.values() for variant in variants} == kept
    assert {id(loop) for loop in program.loops} == loops
    assert len(kept) == len(loops) == 64
    assert program.seconds["compiling"] == spent


# A schedule, where steps are made one by one.


@pytest.mark.sampled(4)
@BACKENDS
@pytest.mark.parametrize("schedule", [LinearDecay(), Cosine(0.1), OneCycle()], ids=lambda x: type(x).__name__)
def test_a_schedule_knows_how_many_steps_there_will_be(schedule, backend):
    ours, theirs = Positions(), Positions()
    optimizer, other = Adam(0.05), Adam(0.05)
    trainer = compile(loss_of(ours), backend=backend).trainer(optimizer, schedule=schedule, steps=len(LENGTHS))
    losses = [trainer.step(x) for x in sequences()]
    assert losses == pytest.approx(in_a_loop(theirs, other, None, sequences(), schedule), rel=1e-12)
    with pytest.raises(ValueError, match="has ended: it was for 10 steps"):
        trainer.step(sequences()[0])
    assert optimizer.steps == len(LENGTHS)


def test_a_schedule_without_an_end_is_refused():
    trainer = compile(loss_of(Positions())).trainer(SGD(0.1), schedule=Cosine())
    with pytest.raises(ValueError, match=r"say it, trainer\(\.\.\., steps=1000\)"):
        trainer.step(sequences()[0])
    compile(loss_of(Positions())).trainer(SGD(0.1), schedule=Constant()).step(sequences()[0])


@pytest.mark.parametrize("steps", [0, -1, 2.5, True, "10"])
def test_a_wrong_number_of_steps_is_refused(steps):
    with pytest.raises(ValueError, match="steps is a whole number from 1 on"):
        compile(loss_of(Positions())).trainer(SGD(0.1), schedule=Cosine(), steps=steps)


@pytest.mark.sampled(5)
@pytest.mark.parametrize("place", range(1, 400, 7))
def test_an_interruption_leaves_all_parameters_at_one_step(place):
    model = Positions()
    optimizer = SGD(0.1, momentum=0.9, weight_decay=0.1)
    trainer = compile(loss_of(model), backend="numpy").trainer(optimizer, parameters=model.parameters())
    x = sequences()[1]
    trainer.step(x)
    count = itertools.count()

    def interrupt(frame, event, argument):
        file = frame.f_code.co_filename
        if "compiler/" not in file or "store.py" in file:  # whose lock some of these lines would leave held
            return None
        if event == "line" and next(count) == place:
            sys.settrace(None)
            raise KeyboardInterrupt
        return interrupt

    interrupted = False
    sys.settrace(interrupt)
    try:
        trainer.step(x)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        sys.settrace(None)
    other, twin = SGD(0.1, momentum=0.9, weight_decay=0.1), Positions()
    in_a_loop(twin, other, twin.parameters(), [x] * optimizer.steps)
    assert [p.data for p in model.parameters()] == pytest.approx([p.data for p in twin.parameters()], rel=1e-12)
    check_same_state(optimizer, other, model.parameters(), twin.parameters())
    assert interrupted or optimizer.steps == 2


@pytest.mark.parametrize(
    ("parameters", "error", "words"),
    [
        (3.0, TypeError, "parameters"),
        ([1.0], TypeError, "which are Values"),
        ("w", TypeError, "parameters"),
    ],
)
def test_what_are_no_parameters_is_refused(parameters, error, words):
    with pytest.raises(error, match=words):
        compile(lambda x: x * x).trainer(SGD(0.1), parameters=parameters)


def test_a_parameter_that_is_given_twice_is_refused():
    w = Value(1.0, "w")
    with pytest.raises(ValueError, match="twice"):
        compile(lambda x: w * x).trainer(SGD(0.1), parameters=[w, w])


# What an optimizer remembers, in whatever order it is read and written.


def test_a_list_that_is_changed_afterwards_moves_what_it_was():
    model = Positions()
    given = [model.weights[0]]
    trainer = compile(loss_of(model)).trainer(SGD(0.1))
    trainer.moving = given
    trainer.step(sequences()[0])
    given.append(model.weights[1])
    trainer.step(sequences()[0])
    assert model.weights[1].data == Positions().weights[1].data


def test_steps_by_hand_after_a_trainer_leave_nothing_behind():
    ours, theirs = Positions(), Positions()
    optimizer, other = Adam(0.05), Adam(0.05)
    trainer = compile(loss_of(ours)).trainer(optimizer)
    xs = sequences()
    found = [trainer.step(xs[0])]
    in_a_loop(theirs, other, theirs.weights[:3], xs[:1])
    sizes = []
    for _ in range(3):
        in_a_loop(ours, optimizer, ours.weights[:3], xs[:1])
        in_a_loop(theirs, other, theirs.weights[:3], xs[:1])
        sizes.append([len(x) for x in vars(optimizer.state).values() if hasattr(x, "__len__")])
    found += [trainer.step(xs[0])]
    assert sizes[0] == sizes[2]
    assert found[1] == pytest.approx(in_a_loop(theirs, other, theirs.weights[:3], xs[:1])[0], rel=1e-12)
    check_same_state(optimizer, other, ours.weights[:3], theirs.weights[:3])


@pytest.mark.parametrize("backend", ["numpy", "native"])
def test_who_reads_during_a_step_loses_nothing(backend, monkeypatch):
    """A memory that is read is brought home, and the step goes on in the program."""
    ours, theirs = Positions(), Positions()
    optimizer, other = SGD(0.1, momentum=0.9), SGD(0.1, momentum=0.9)
    x = sequences()[1]
    program = compile(loss_of(ours), backend=backend)
    trainer = program.trainer(optimizer, parameters=ours.parameters())
    trainer.step(x)
    train = program.loops[0].backend.train

    def read_before_and_train(*arguments):
        assert optimizer.state[ours.weights[0]]
        return train(*arguments)

    monkeypatch.setattr(program.loops[0].backend, "train", read_before_and_train)
    trainer.step(x)
    in_a_loop(theirs, other, theirs.parameters(), [x] * 2)
    check_same_state(optimizer, other, ours.parameters(), theirs.parameters())


def test_optimizers_that_share_a_program_keep_their_memories_apart():
    ours, theirs = Positions(), Positions()
    pairs = [(SGD(0.1, momentum=0.9), SGD(0.1, momentum=0.9)) for _ in range(2)]
    program, x = compile(loss_of(ours)), sequences()[0]
    trainers = [program.trainer(optimizer) for optimizer, _ in pairs]
    for turn in (0, 1, 1, 0, 1, 0, 0):
        trainers[turn].step(x)
        in_a_loop(theirs, pairs[turn][1], theirs.weights[:3], [x])
    assert len(program.loops) == 1
    for optimizer, other in pairs:
        check_same_state(optimizer, other, ours.weights[:3], theirs.weights[:3])
    with pytest.raises(KeyError):
        del pairs[0][0].state[ours.unread]
