"""Numbers that lie where programs compute with them: nobody can tell, but by the time it takes.

Whatever is done with Values while they are away gives the bits that it gives where they always stay at home.
"""

import copy
import copyreg
import gc
import io
import linecache
import multiprocessing
import os
import pickle
import random
import re
import struct
import sys
import weakref
from itertools import count

import numpy
import pytest

from scalargrad import MLP, SGD, Adam, Layer, Value, compile, diagnose, draw, explain, load, mse
from scalargrad.away import Guard, class_away, guards, in_slot, moving, numbers_of
from scalargrad.compiler import TraceError, variants
from scalargrad.compiler.store import LONGEST_STAY, WORTH_GOING, Lease, Store
from scalargrad.nn import BatchNorm1d, Module, Parameter, Sequential
from scalargrad.structure import Buffer
from tests.oracles.forks import in_a_child
from tests.oracles.threads import at_once


def is_away(value):
    return type(in_slot(value)) is tuple


def sent_away(*values):
    """A program that has read these twice, so that they are away; it lives as long as it is held."""
    program = compile(lambda x: sum((x * value for value in values), start=0.0 * x))
    for _ in range(2):
        program([1.0])
    assert all(map(is_away, values))
    return program


class Tied(Module):
    """Another model with some parameters of a first one, and one of its own."""

    def __init__(self, other):
        self.shared, self.own = other.layers[0].neurons[0].weights, Parameter(0.5)

    def __call__(self, x):
        return self.own * x[0] + self.shared[0] * x[1] - self.shared[1]


class World:
    """Two models that share parameters, and all that may be done with them."""

    def __init__(self, dtype):
        self.model = Sequential(Layer(2, 3, rng=1), BatchNorm1d(3), Layer(3, 1, activation="linear", rng=2))
        self.tied, self.dtype = Tied(self.model), dtype
        self.X, self.Y = numpy.random.default_rng(0).normal(size=(6, 2)), numpy.arange(6.0) / 6
        self.adam, self.sgd = Adam(0.01), SGD(0.05, momentum=0.9)
        self.loss = compile(lambda x, y: mse(self.model(x), y), dtype=dtype)
        self.both = compile(lambda x, y: mse(self.model(x) + self.tied(x), y), dtype=dtype)
        some = self.model.parameters()[1::2]
        self.trainers = [
            self.loss.trainer(self.adam),
            self.both.trainer(self.sgd, batch_size=4),
            self.loss.trainer(self.sgd, parameters=some),
        ]

    def parameters(self):
        return [*self.model.parameters(), self.tied.own]

    def leaves(self):
        norm = self.model.layers[1]
        return [*self.parameters(), *norm.running_mean, *norm.running_var]

    def one(self, draw):
        return draw.choice(self.leaves())

    # Whatever these return is compared.

    def step(self, draw):
        return draw.choice(self.trainers).step(self.X[:4], self.Y[:4])

    def epochs(self, draw):
        return draw.choice(self.trainers).run(self.X, self.Y, 2)

    def fit(self, draw):
        return dict(self.model.fit(self.X, self.Y, loss="mse", epochs=2, optimizer=self.adam, progress=False))

    def predict(self, draw):
        return self.model.predict(self.X).tolist()

    def call(self, draw):
        program = draw.choice([self.loss, self.both])
        return program(self.X, self.Y)

    def slopes(self, draw):
        program = draw.choice([self.loss, self.both])
        mean, slopes = program.value_and_grad(self.X, self.Y)
        return mean, slopes.tolist()

    def backward(self, draw):
        found = self.both.backward(self.X, self.Y)
        return found, [p.grad for p in self.parameters()]

    def eager_step(self, draw):
        self.tied.zero_grad()
        loss = mse(self.tied((1.0, 2.0)), 0.25)
        loss.backward()
        self.sgd.step(self.tied.parameters())
        return loss.data

    def read(self, draw):
        x = self.one(draw)
        return x.data, repr(x), f"{x:.3f}", float(x), bool(x), x.grad

    def read_all(self, draw):
        return [x.data for x in self.leaves()]

    def write(self, draw):
        self.one(draw).data = draw.uniform(0.0, 1.0)

    def write_a_whole_number(self, draw):
        x = draw.choice(self.parameters())
        x.data = draw.randrange(2)
        return type(x.data).__name__

    def add(self, draw):
        self.one(draw).data += 0.125

    def write_all(self, draw):
        self.model.load_parameters([p.data * 0.5 for p in self.model.parameters()])

    def copied(self, draw):
        x = draw.choice([copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])(self.one(draw))
        return type(x).__name__, type(x) in (Parameter, Buffer), x.data, x.grad, x.label

    def copied_model(self, draw):
        twin = draw.choice([copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])(self.model)
        assert {type(p) for p in twin.parameters()} == {Parameter}
        return twin.predict(self.X).tolist(), [p.data for p in twin.parameters()]

    def saved(self, draw):
        return {name: array.tolist() for name, array in self.model.state_dict().items()}

    def loaded(self, draw):
        state = self.model.state_dict()
        self.model.load_state_dict({name: array + 0.25 for name, array in state.items()})

    def evaluated(self, draw):
        return self.model.evaluate(self.X, self.Y, loss="mse").loss

    def traced_anew(self, draw):
        draw.choice([self.loss, self.both]).retrace()

    def new_program(self, draw):
        self.loss = compile(lambda x, y: mse(self.model(x), y), dtype=self.dtype)

    def replaced(self, draw):
        self.tied.own = Parameter(draw.uniform(0.0, 1.0))

    def remembered(self, draw):
        return [self.adam.state.get(p) for p in self.parameters()]


RARE = {"traced_anew", "new_program", "replaced", "copied_model", "fit"}
OFTEN = ["step", "predict", "call", "slopes", "epochs"]
ACTIONS = [name for name in vars(World) if name[0] != "_" and name not in ("parameters", "leaves", "one")]


def history(seed, dtype, actions):
    """Whatever some random actions returned, and all numbers at the end."""
    draw, world = random.Random(seed), World(dtype)
    names = [name for name in ACTIONS if name not in RARE]
    said, away = [], 0
    while len(said) < actions:
        name = draw.choice(draw.choice([names, OFTEN, OFTEN]) if draw.random() < 0.95 else sorted(RARE))
        for _ in range(draw.choice([1, 1, 3]) if name in OFTEN else 1):
            said.append((name, getattr(world, name)(draw)))
            away += any(map(is_away, world.leaves()))
    return [*said, [x.data for x in world.leaves()]], away


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 9))])
def test_random_actions_give_what_they_give_at_home(monkeypatch, seed, dtype):
    found, away = history(seed, dtype, 80)
    monkeypatch.setattr(Lease, "_go_out", lambda lease: None)
    at_home, never = history(seed, dtype, 80)
    assert away > 20
    assert never == 0
    for action, expected in zip(found, at_home, strict=True):
        assert repr(action) == repr(expected)


# One Value.


def test_a_value_that_is_away_is_what_it_was():
    w = Parameter(3.0, "w")
    w.grad = 0.5
    program = sent_away(w)
    assert repr(w) == "Parameter(data=3.0, grad=0.5, label='w')"
    assert w.__class__ is Parameter
    assert isinstance(w, Parameter)
    assert (float(w), int(w), bool(w), f"{w:.1f}", w > 2) == (3.0, 3, True, "3.0", True)
    assert ((w * 2).data, (2 - w).data) == (6.0, -1.0)
    w.grad += 1.0
    assert w.grad == 1.5
    again = pickle.loads(pickle.dumps(w))
    assert (type(again), again.data, again.grad, again.label) == (Parameter, 3.0, 1.5, "w")
    assert type(copy.copy(w)) is type(copy.deepcopy(w)) is Parameter
    assert program([1.0]) == 3.0
    with pytest.raises(AttributeError):
        w.nothing = 1


def test_a_number_that_is_written_goes_to_all_programs():
    w, v = Value(3.0, "w"), Value(1.0, "v")
    first, second = sent_away(w, v), sent_away(v, w)
    w.data = 5.0
    assert (first([1.0]), second([1.0])) == (6.0, 6.0)
    v.data -= 0.5
    assert (first([1.0]), second([1.0]), v.data) == (5.5, 5.5, 0.5)


@pytest.mark.parametrize("number", [3, True, numpy.float64(3.0), numpy.float32(3.0)], ids=lambda x: type(x).__name__)
def test_numbers_of_other_kinds_stay_what_they_are(number):
    w, v = Value(1.0, "w"), Value(1.0, "v")
    program = sent_away(w, v)
    w.data = number
    assert type(w.data) is type(number)
    assert w.data == number
    assert program([1.0]) == number + 1.0
    assert program([1.0]) == number + 1.0
    assert type(w.data) is type(number)


def test_what_is_no_number_is_refused_by_the_next_call():
    w = Value(1.0, "w")
    program = sent_away(w)
    w.data = "3"
    with pytest.raises(TypeError, match="a parameter holds no number"):
        program([1.0])
    w.data = 2.0
    assert program([1.0]) == 2.0


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -0.0, 5e-324, 1.7976931348623157e308])
def test_numbers_come_home_to_the_bit(number):
    w = Value(number)
    program = sent_away(w)
    assert struct.pack("d", w.data) == struct.pack("d", number)
    for _ in range(2):
        assert struct.pack("d", w.data) == struct.pack("d", number)
    assert not is_away(w)
    del program


def test_a_frozen_number_is_not_rounded_by_a_program_in_float32():
    w, frozen = Value(0.3, "w"), Value(0.1, "frozen")
    trainer = compile(lambda x: (w * x - frozen) ** 2, dtype="float32").trainer(SGD(0.1), parameters=[w])
    for _ in range(3):
        trainer.step([1.0, 2.0])
    assert frozen.data == 0.1
    assert w.data == numpy.float32(w.data)


class Doubled(Parameter):
    """A parameter whose number a user computes."""

    __slots__ = ()

    @property
    def data(self):
        return 2.0 * Parameter.data.__get__(self)

    @data.setter
    def data(self, number):
        Parameter.data.__set__(self, number)


class Named(Parameter):
    """A parameter with attributes."""


class Slotted(Parameter):
    """A parameter of another class, with the same slots."""

    __slots__ = ()


def test_values_of_a_users_own_class_stay_at_home():
    named, w = Named(1.0), Value(1.0)
    named.name = "n"
    program = compile(lambda x: x * (named + w))
    assert [program([1.0]) for _ in range(3)] == [2.0] * 3
    assert is_away(w)
    assert not is_away(named)
    named.data = 3.0
    assert program([1.0]) == 4.0
    trainer = program.trainer(SGD(0.5))
    for _ in range(3):
        trainer.step([1.0])
    assert (w.data, named.data) == (-0.5, 1.5)
    assert numbers_of([w, named, Doubled(1.0)]) == [-0.5, 1.5, 2.0]


# Coming and going.


def test_many_looks_bring_all_home_and_a_few_none():
    values = [Value(float(n)) for n in range(40)]
    program = sent_away(*values)
    for _ in range(3):
        assert [values[n].data for n in range(10)] == list(range(10))
        assert all(map(is_away, values))
        program([1.0])  # the looks before it do not count any more
    assert [x.data for x in values] == list(range(40))
    assert not any(map(is_away, values))
    assert numbers_of(values) == list(range(40))


def test_what_is_written_comes_home_sooner():
    values = [Value(float(n)) for n in range(40)]
    program = sent_away(*values)
    for n in range(3):
        assert all(map(is_away, values))
        values[n].data = 0.0
    assert not any(map(is_away, values))
    assert program([1.0]) == sum(range(3, 40))


def test_where_somebody_always_looks_numbers_stay_at_home():
    values = [Value(float(n)) for n in range(5)]
    program, moves = compile(lambda x: sum(x * value for value in values)), 0
    for _ in range(100):
        program([1.0])
        moves += is_away(values[0])
        for _ in range(3):
            assert [x.data for x in values] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert moves <= 7
    for _ in range(LONGEST_STAY + WORTH_GOING):
        program([1.0])
    assert is_away(values[0])


def test_many_numbers_are_read_without_bringing_them_home():
    model = MLP(2, [3, 1], rng=0)
    before = [p.data for p in model.parameters()]
    for _ in range(3):
        model.predict([[1.0, 2.0]])
    for _ in range(3):
        assert numbers_of(model.parameters()) == before
        assert numbers_of(model.parameters()[::-1]) == before[::-1]
        assert numbers_of([*model.parameters()[2:5], Value(7.0)]) == [*before[2:5], 7.0]
        state = model.state_dict()
    assert numpy.concatenate([array.ravel() for array in state.values()]).size == len(before)
    assert all(map(is_away, model.parameters()))


def test_a_model_is_collected_while_its_numbers_are_away():
    model = MLP(2, [3, 1], rng=0)
    for _ in range(3):
        model.predict([[1.0, 2.0]])
    store, _ = in_slot(model.parameters()[0])
    gone, kept = weakref.ref(store), model.parameters()[0]
    number = kept.data
    del model, store
    gc.collect()
    assert kept.data == number
    del kept
    gc.collect()
    assert gone() is None


def test_a_model_is_collected_that_shared_a_program_with_another_one():
    student, teacher = MLP(2, [3, 1], rng=0), MLP(2, [3, 1], rng=1)
    difference = compile(lambda x: (student(x) - teacher(x)) ** 2)
    for _ in range(3):
        difference([[1.0, 2.0]])
    kept = teacher.parameters()[0]
    assert is_away(kept)
    gone = weakref.ref(in_slot(kept)[0])
    number = kept.data
    del difference
    teacher = None
    gc.collect()
    for _ in range(3):
        student.predict([[1.0, 2.0]])
    gc.collect()
    assert gone() is None
    assert kept.data == number


def test_stores_of_many_small_programs_become_one():
    values = [Value(float(n)) for n in range(30)]
    small = [sent_away(*values[n : n + 2]) for n in range(0, 30, 2)]
    program = sent_away(*values)
    assert len({id(in_slot(x)[0]) for x in values}) == 1
    assert [one([1.0]) for one in small] == [4.0 * n + 1.0 for n in range(15)]
    values[3].data = 0.0
    assert (small[1]([1.0]), program([1.0])) == (2.0, sum(range(30)) - 3.0)


# What users may do to one.


def test_its_type_makes_values_that_are_at_home():
    w = Parameter(3.0, "w")
    program = sent_away(w)
    other = type(w)(4.0, label="other")
    assert (type(other), other.data, other.label) == (Parameter, 4.0, "other")
    assert type(w).__slots__ == Parameter.__slots__
    assert program([1.0]) == 3.0


def test_its_class_may_be_set():
    w = Parameter(3.0, "w")
    program = sent_away(w)
    w.__class__ = Slotted
    assert (type(w), w.data) == (Slotted, 3.0)
    assert [program([2.0]) for _ in range(3)] == [6.0] * 3


def test_its_number_may_be_deleted():
    w = Parameter(3.0, "w")
    program = sent_away(w)
    del w.data
    with pytest.raises(AttributeError):
        w.data  # noqa: B018
    w.data = 2.0
    assert program([1.0]) == 2.0


def test_a_users_way_to_copy_is_taken():
    w = Value(3.0, "w")
    program = sent_away(w)
    copyreg.pickle(Value, lambda x: (Value, (x.data + 1.0,)))
    try:
        copies = [copy.copy(w), copy.deepcopy(w), pickle.loads(pickle.dumps(w))]
    finally:
        del copyreg.dispatch_table[Value]
    assert [x.data for x in copies] == [4.0] * 3
    assert program([1.0]) == 3.0


@pytest.mark.parametrize("number", [(1.0, 2.0), 10**400, None, [1.0]], ids=str)
def test_what_is_no_float_is_refused_at_home_and_away(number):
    w, v = Value(1.0, "w"), Value(1.0)
    program = sent_away(w, v)
    w.data = number
    for _ in range(3):
        with pytest.raises(TypeError, match="a parameter holds no number"):
            program([1.0])
    w.data = 2.0
    assert program([1.0]) == 3.0


# Traces.


LOOKS = {
    "data": lambda w, x: x * w.data,
    "float": lambda w, x: x * float(w),
    "bool": lambda w, x: x if w else -x,
    "greater": lambda w, x: x if w > 0.0 else -x,
    "format": lambda w, x: x * float(f"{w:.3f}"),
    "grad": lambda w, x: x * w.grad,
    "attribute": lambda w, x: x * vars(Value)["data"].__get__(w),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_a_trace_refuses_to_read_a_number_that_is_away(look):
    w = Value(3.0, "w")
    with pytest.raises(TraceError) as at_home:
        compile(lambda x: look(w, x) + w)([1.0])
    program = sent_away(w)
    with pytest.raises(TraceError) as away:
        compile(lambda x: look(w, x) + w)([1.0])
    assert str(away.value) == str(at_home.value)
    assert program([1.0]) == w.data == 3.0


def test_a_trace_refuses_to_set_a_number_that_is_away():
    w = Value(3.0, "w")
    program = sent_away(w)

    def setting(x):
        w.data = 4.0
        return w * x

    with pytest.raises(TraceError, match="setting the number of w"):
        compile(setting)([1.0])
    assert program([1.0]) == w.data == 3.0


def test_a_program_is_not_traced_anew_because_numbers_go_and_come(monkeypatch):
    monkeypatch.setattr(variants, "SHARE_OF_CHECKS", 0.0)  # nor because time has passed
    model, calls = MLP(2, [3, 1], rng=0), []

    def loss(x):
        calls.append(1)
        return model(x) ** 2

    program = compile(loss)
    for _ in range(20):
        program([[1.0, 2.0]])
        [p.data for p in model.parameters()] * 2
    assert len(calls) <= 3


# Threads and interrupts.


def test_other_threads_read_and_write_numbers_that_go_and_come():
    """Each Value has a number of its own; a thread that found the number of another one would see it."""
    values = [Value(float(n)) for n in range(200)]
    programs = [compile(lambda x, part=values[n:]: sum(x * value for value in part)) for n in (0, 50)]
    for program in programs:
        program([1.0])
    wrong, over, found = [], [], []

    def compute():
        try:
            for n in range(60):
                found.append(programs[n % 2]([1.0]))
                if n % 3 == 2:  # they go again at once
                    for program in programs:
                        program.last.forward_backend.lease.stay = 0
        finally:
            over.append(True)

    def read():
        draw = random.Random(1)
        while not over:
            n = draw.randrange(200)
            x = values[n].data
            if x != n:
                wrong.append((n, x))

    def write():
        draw = random.Random(2)
        while not over:
            n = draw.randrange(200)
            values[n].data = float(n)

    at_once(compute, read, read, write)
    assert wrong == []
    assert found == [sum(range(200)), sum(range(50, 200))] * 30
    assert [x.data for x in values] == list(range(200))


@pytest.mark.parametrize("place", [*range(0, 60, 7), *(pytest.param(n, marks=pytest.mark.long) for n in range(120))])
@pytest.mark.parametrize("coming", [False, True], ids=["going", "coming"])
def test_an_interrupt_on_the_way_loses_nothing(place, coming):
    values = [Value(float(n)) for n in range(4)]
    program = compile(lambda x: sum(x * value for value in values))
    program([1.0])
    if coming:
        program([1.0])
    lines = count()

    def interrupt(frame, event, argument):
        if "away.py" not in frame.f_code.co_filename and "store.py" not in frame.f_code.co_filename:
            return interrupt if event == "call" else None
        # No signal comes between the end of a block and the release of its lock, but a line does.
        line = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
        if event == "line" and "with moving" not in line and next(lines) == place:
            sys.settrace(None)
            raise KeyboardInterrupt
        return interrupt

    sys.settrace(interrupt)
    try:
        if coming:
            for x in values * 2:
                x.data  # noqa: B018
        else:
            program([1.0])
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(None)
        while moving._is_owned():  # an inlined comprehension has lines after the last ones of its block
            moving.release()
    for n, value in enumerate(values):
        assert value.data == n
        value.data = n + 1.0
    assert [program([1.0]) for _ in range(3)] == [10.0] * 3
    assert [x.data for x in values] == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_child_has_numbers_of_its_own():
    model = MLP(2, [3, 1], rng=0)
    x, y = numpy.eye(2), numpy.arange(2.0)
    trainer = compile(lambda x, y: mse(model(x), y)).trainer(SGD(0.1, momentum=0.9))
    twin = copy.deepcopy(model)
    other = compile(lambda x, y: mse(twin(x), y)).trainer(SGD(0.1, momentum=0.9))
    for _ in range(4):
        assert trainer.step(x, y) == other.step(x, y)
    assert all(map(is_away, model.parameters()))

    def work():
        expected = other.step(x, y)
        assert trainer.step(x, y) == expected
        assert [p.data for p in model.parameters()] == [p.data for p in twin.parameters()]
        model.parameters()[0].data = 100.0
        twin.parameters()[0].data = 100.0
        assert trainer.step(x, y) == other.step(x, y)

    assert in_a_child(work) == ""
    assert max(abs(x) for x in numbers_of(model.parameters())) < 10.0
    assert trainer.step(x, y) == other.step(x, y)
    assert numbers_of(model.parameters()) == numbers_of(twin.parameters())


@pytest.mark.long
def test_a_process_that_is_spawned_gets_the_numbers():
    model = MLP(2, [3, 1], rng=0)
    for _ in range(3):
        expected = model.predict([[1.0, 2.0]]).tolist()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(predicted, (model,)) == expected


def predicted(model):
    return model.predict([[1.0, 2.0]]).tolist()


def test_pictures_and_explanations_show_numbers_that_are_away():
    model = MLP(2, [2, 1], rng=0)
    twin = copy.deepcopy(model)
    for _ in range(3):
        model.predict([[1.0, 2.0]])
    assert all(map(is_away, model.parameters()))

    def shown(network):
        loss = mse(network((1.0, 2.0)), 0.5)
        loss.backward()
        return [
            re.sub("scalargrad-[0-9a-f]+-[0-9]+", "", draw(loss).svg()),
            str(explain(loss, network.layers[0].neurons[0].weights[0])),
            str(diagnose(loss, network)),
        ]

    assert shown(model) == shown(twin)


def test_an_interrupt_between_two_stores_forgets_no_leaf(monkeypatch):
    w, b = Value(1.0), Buffer(0.0)

    def loss(x):
        b.update(b + 1.0)
        return (w * x + 0.0 * b) ** 2

    trainer, go_out, calls = compile(loss).trainer(SGD(0.1)), Store.go_out, count(1)
    trainer.step([1.0])

    def interrupted(store):
        if next(calls) == 2:
            raise KeyboardInterrupt
        go_out(store)

    monkeypatch.setattr(Store, "go_out", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trainer.step([1.0])
    for n in range(2, 5):
        trainer.step([1.0])
        assert b.data == n
    b.data = 100.0
    trainer.step([1.0])
    assert b.data == 101.0


def test_a_trace_mends_what_an_interrupted_one_has_left():
    w = Value(3.0, "w")
    program = sent_away(w)
    slots = {field: vars(Value)[field] for field in ("data", "grad")}
    try:
        for field, slot in slots.items():
            setattr(Value, field, property(slot.__get__, slot.__set__))
        guards["data"].append(Guard(lambda value, number, code: 7.0, lambda value, code: None))
        assert compile(lambda x: w * x)([2.0]) == 6.0
        assert {field: vars(Value)[field] for field in slots} == slots
        assert guards == {"data": [], "grad": []}
    finally:
        for field, slot in slots.items():
            setattr(Value, field, slot)
            guards[field].clear()
    assert program([1.0]) == 3.0


def test_a_file_has_the_numbers_that_are_away(tmp_path):
    model = MLP(2, [3, 1], rng=0)
    model.fit([[0.0, 1.0], [1.0, 0.0]], [0.0, 1.0], loss="mse", epochs=4, progress=False)
    expected = model.predict([[1.0, 2.0]])
    model.predict([[1.0, 2.0]])
    model.save(tmp_path / "model.safetensors")
    assert (load(tmp_path / "model.safetensors").predict([[1.0, 2.0]]) == expected).all()
    stream = io.BytesIO()
    pickle.dump(model, stream)
    assert (pickle.loads(stream.getvalue()).predict([[1.0, 2.0]]) == expected).all()


def test_the_class_of_a_value_that_is_away_has_the_slots_of_the_other():
    for home in (Value, Parameter, Buffer):
        away = class_away(home)
        assert away is class_away(home)
        for name in ("__name__", "__qualname__", "__module__", "__doc__", "__basicsize__"):
            assert getattr(away, name) == getattr(home, name)
