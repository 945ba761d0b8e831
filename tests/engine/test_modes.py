"""Modes: what a block says holds for all modules in the model just then, in this thread only, and no longer."""

import copy
import pickle
import sys
import threading
from collections import OrderedDict, UserList, deque
from dataclasses import dataclass, field
from inspect import getsourcelines

import numpy as np
import pytest

from scalargrad import compile
from scalargrad.holders import noted
from scalargrad.modes import in_mode
from scalargrad.nn import MLP, Buffer, Dropout, Module, Parameter
from scalargrad.optim import SGD
from tests.oracles.threads import at_once

X = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.25], [-1.0, 1.0]])
Y = np.array([0.0, 1.0, 1.0, 0.0])


class Flag(Module):
    """1 in training, 0 in evaluation."""

    def __call__(self, x):
        return 1.0 if self.training else 0.0


class Holding(Module):
    def __init__(self, *parts):
        self.parts = list(parts)


def with_slot(part):
    class Slotted(Module):
        __slots__ = ("inside",)

    model = Slotted()
    model.inside = part
    return model


def with_class_attribute(part):
    return type("Sharing", (Module,), {"inside": part})()


def array_of(part):
    array = np.empty((1, 2), object)
    array[0, 1] = [part]
    return array


def holding(wrap):
    def make(part):
        model = Module()
        model.inside = wrap(part)
        return model

    return make


HOLDERS = {
    "attribute": holding(lambda part: part),
    "list": holding(lambda part: [0.5, part]),
    "lists in lists": holding(lambda part: [[], [[part]]]),
    "tuple": holding(lambda part: (part,)),
    "dict": holding(lambda part: {"a": part}),
    "ordered dict": holding(lambda part: OrderedDict(a=part)),
    "deque": holding(lambda part: deque([part])),
    "user's list": holding(lambda part: UserList([part])),
    "array": holding(array_of),
    "array without axes": holding(lambda part: np.array(part, object)),
    "module in a module": holding(lambda part: Holding(Flag(), Holding(part))),
    "slot": with_slot,
    "class attribute": with_class_attribute,
}


@pytest.mark.parametrize("name", HOLDERS)
def test_a_block_says_the_mode_of_all_modules_inside(name):
    part = Flag()
    model, other = HOLDERS[name](part), Flag()
    for _ in range(2):
        with in_mode(model, training=False):
            assert not any(module.training for module in (part, model, *model.modules()))
            assert other.training
        assert part.training
    model.eval()
    with in_mode(model, training=True):
        assert part.training
    assert not part.training


def test_a_block_changes_nothing_in_modules():
    model = MLP(2, [2, 1], rng=0)
    model.layers[0].eval()
    before = [dict(vars(module)) for module in model.modules()]
    with in_mode(model, training=False):
        assert not model.layers[1].training
        assert [dict(vars(module)) for module in model.modules()] == before
    assert [dict(vars(module)) for module in model.modules()] == before


MOVES = {
    "a list": (lambda model, part: model.parts.append(part), lambda model, part: model.parts.remove(part)),
    "another place": (lambda model, part: model.parts.insert(0, part), lambda model, part: model.parts.pop(0)),
    "a new list": (
        lambda model, part: setattr(model, "parts", [part]),
        lambda model, part: setattr(model, "parts", []),
    ),
    "vars": (lambda model, part: vars(model).update(new=part), lambda model, part: vars(model).pop("new")),
    "an attribute": (lambda model, part: setattr(model, "new", part), lambda model, part: delattr(model, "new")),
    "a module inside": (
        lambda model, part: setattr(model.parts[0], "new", part),
        lambda model, part: delattr(model.parts[0], "new"),
    ),
    "the last list": (
        lambda model, part: model.parts[0].parts.append({"a": [part]}),
        lambda model, part: model.parts[0].parts.pop()["a"].clear(),
    ),
}


@pytest.mark.parametrize("name", MOVES)
def test_modules_that_come_and_go_are_in_the_block_while_they_are_inside(name):
    come, go = MOVES[name]
    model, part = Holding(Holding(Flag()), Flag()), Flag()
    with in_mode(model, training=False):
        for _ in range(2):
            assert part.training
            come(model, part)
            assert not part.training
            go(model, part)
            assert part.training


def test_the_innermost_block_counts():
    shared, outer, inner = Flag(), Holding(Flag()), Holding(Flag())
    outer.parts.append(shared)
    inner.parts.append(shared)
    with in_mode(outer, training=False):
        with in_mode(inner, training=True):
            assert [part.training for part in (*outer.parts, *inner.parts)] == [False, True, True, True]
            with in_mode(outer, training=False):
                assert [part.training for part in (*outer.parts, *inner.parts)] == [False, False, True, False]
            assert shared.training
        assert not shared.training
        assert inner.parts[0].training
    assert shared.training


def test_what_is_set_in_a_block_holds_until_its_end():
    model, other = Holding(Flag()), Flag()
    part = model.parts[0]
    with in_mode(model, training=False):
        model.train()
        other.eval()
        assert part.training
        with in_mode(model, training=False):
            assert not part.training
            part.training = True
            assert part.training
        part.eval()
        assert not part.training
        assert model.training
    assert part.training
    assert not other.training  # which is in no block
    model.eval()
    with in_mode(model, training=False):
        model.train()
    assert not part.training


class OfClass(Flag):
    training = False


class Inherited(OfClass):
    pass


class Mixin:
    training = False


class Mixed(Mixin, Flag):
    pass


class InInit(Flag):
    def __init__(self):
        self.training = False
        super().__init__()


class Property(Flag):
    told = False

    @property
    def training(self):
        return self.told

    @training.setter
    def training(self, mode):
        self.told = mode


class Slot(Flag):
    __slots__ = ("training",)

    def __init__(self):
        self.training = False


@pytest.mark.parametrize("kind", [OfClass, Inherited, Mixed, InInit, Property, Slot])
def test_modules_with_a_mode_of_their_own_are_in_the_block_too(kind):
    module = kind()
    model = Holding(module)
    assert module.training is False
    for mode in (True, False):
        with in_mode(model, training=mode):
            assert module.training is mode
            assert model.parts[0](1.0) == mode
        assert module.training is False
    assert module.predict([[1.0]], backend="eager") == module.predict([[1.0]]) == 0.0
    assert module.train().training is True
    assert kind().training is False
    assert module.predict([[1.0]], backend="eager") == module.predict([[1.0]]) == 0.0
    assert copy.deepcopy(module).training is pickle.loads(pickle.dumps(module)).training is True
    assert compile(module)([1.0]) == 1.0


@dataclass(eq=False)
class Field(Flag):
    weight: float = 1.0
    training: bool = field(default=True)


class SetLater(Flag):
    pass


class BelowSetLater(SetLater):
    pass


SetLater.training = True


@pytest.mark.parametrize("kind", [Field, SetLater, BelowSetLater])
def test_blocks_change_a_mode_that_a_class_was_given_after_it_was_made(kind):
    module, model = kind(), Holding(Flag())
    assert module.predict([[1.0]], backend="eager") == module.predict([[1.0]]) == 0.0
    assert module.training is kind.training is True
    with in_mode(model, training=False):
        assert module.training
    kind.training = True
    model.parts.append(module)
    with in_mode(model, training=False):
        assert not module.training
    assert module.training is kind.training is True
    assert not module.eval().training


def test_a_mode_that_a_class_was_given_may_be_taken_back():
    kind = type("Kind", (Flag,), {})
    kind.training = False
    with in_mode(kind(), training=True):
        assert kind().training is False  # which is another one
    del kind.training
    assert kind().training is kind.training is True


def test_a_block_that_ends_in_another_one_leaves_that_one_as_it_is():
    def blocks(model, mode):
        with in_mode(model, training=mode):
            yield

    model, other = Flag(), Flag()
    first, second = blocks(model, True), blocks(other, False)
    next(first), next(second)
    with in_mode(model, training=False):
        first.close()
        assert not model.training
        assert not other.training
        second.close()
        assert not model.training
        assert other.training
    assert model.training


def test_a_mode_is_an_attribute():
    module = Flag()
    assert Module.training is True
    assert OfClass.training is False
    assert "training" not in vars(module)
    module.training = False
    assert vars(module)["training"] is False
    vars(module)["training"] = True
    assert module.training
    del module.training
    assert module.training
    with pytest.raises(AttributeError, match=r"^'Flag' object has no attribute 'training'$"):
        del module.training
    with in_mode(module, training=False):
        assert copy.copy(module).training  # of another object


def test_only_modules_have_modes():
    with pytest.raises(TypeError, match="in_mode takes a Module, got 'training'"), in_mode("training", True):
        pass


def test_no_other_thread_sees_a_block():
    model, seen = Holding(Flag()), []
    with in_mode(model, training=False):
        at_once(lambda: seen.append(model.parts[0].training))
    assert seen == [True]


def interrupted(line, work):
    """Do the work, with a Ctrl-C before this line of `in_mode`; has it come?"""
    code, seen = in_mode.__wrapped__.__code__, []

    def trace(frame, event, argument):
        inside = frame.f_code is code or frame.f_code in code.co_consts
        if inside and event == "line" and frame.f_lineno == line and not seen:
            seen.append(line)
            raise KeyboardInterrupt
        return trace if inside else None

    outer = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(outer)
    return bool(seen)


def test_a_block_that_is_interrupted_anywhere_is_left():
    model = Flag()

    def block():
        with in_mode(model, training=False):
            pass

    lines, first = getsourcelines(in_mode.__wrapped__)
    places = [line for line in range(first, first + len(lines)) if interrupted(line, block) or not model.training]
    assert len(places) > 5
    assert model.training


# Programs.


def test_a_program_follows_modes_and_blocks():
    model = Holding(Flag())
    program = compile(lambda x: model.parts[0](x))
    for _ in range(2):
        assert program([1.0]) == 1.0
        with in_mode(model, training=False):
            assert program([1.0]) == 0.0
            part = Flag()
            model.parts.insert(0, part)
            assert program([1.0]) == 0.0
            with in_mode(Holding(part), training=True):
                assert program([1.0]) == 1.0
            model.parts.pop(0)
        model.eval()
        assert program([1.0]) == 0.0
        model.train()


def test_a_program_follows_modules_that_come_and_go_where_it_does_not_look():
    model, part = Holding(), Flag()
    program = compile(lambda x: part(x))
    with in_mode(model, training=False):
        for _ in range(2):
            assert program([1.0]) == 1.0
            model.parts.append(part)
            assert program([1.0]) == 0.0
            model.parts.pop()


def test_a_block_inside_of_a_function_is_part_of_it():
    model = Holding(Flag())

    def function(x):
        with in_mode(model, training=False):
            inside = model.parts[0](x)
        return inside + 2.0 * model.parts[0](x)

    program = compile(function)
    assert program([1.0]) == 2.0
    assert program([1.0]) == 2.0
    model.eval()
    assert program([1.0]) == 0.0


def test_a_function_that_computes_the_name_notices_modes():
    model = Flag()
    for read in (lambda x: x * getattr(model, "train" + "ing"), lambda x: x * vars(model).get("training", True)):
        program = compile(read)
        assert program([3.0]) == 3.0
        model.eval()
        assert program([3.0]) == 0.0
        model.train()
        assert program([3.0]) == 3.0


class Dropping(Module):
    def __init__(self):
        self.drop, self.rest = Dropout(0.5, rng=0), MLP(2, [2, 1], rng=0)

    def __call__(self, x):
        return self.rest(self.drop(x))


@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_train_and_eval_trace_no_program_of_the_package_again(l2):
    model, optimizer = Dropping(), SGD(lr=0.1)
    for mode in (True, False, True):
        model.train(mode)
        model.fit(X, Y, epochs=1, optimizer=optimizer, l2=l2, progress=False)
        model.predict(X)
        programs = [made[0] if isinstance(made, tuple) else made for made, _ in noted(model, "programs").values()]
        assert [len(kept) for program in programs for kept in program.variants.values()] == [1, 1]
        assert {module.training for module in model.modules()} == {mode}


class Counting(Module):
    """Says in which mode it is asked, and has a number to train."""

    def __init__(self):
        self.w, self.drop, self.calls = Parameter(1.0), Dropout(0.5, rng=0), Buffer(0.0)

    def __call__(self, x):
        if self.training:
            self.calls.update(self.calls + 1.0)
        return self.drop([self.w * x[0] + x[1]])[0]


def test_one_thread_predicts_while_another_one_trains():
    def trained(model, callback=lambda run: None):
        model.fit(X, Y, loss="mse", epochs=12, optimizer=SGD(lr=0.01), callbacks=[callback], progress=False)

    alone, numbers = Counting(), {1.0}
    trained(alone, lambda run: numbers.add(run.model.w.data))
    expected = {tuple((w * X[:, 0] + X[:, 1]).tolist()) for w in numbers}

    model, seen, done = Counting(), set(), threading.Event()

    def train():
        try:
            trained(model)
        finally:
            done.set()

    def predict():
        while not done.is_set():
            seen.add(tuple(model.predict(X).tolist()))
            seen.add(tuple(model.predict(X, backend="eager").tolist()))
            seen.add(tuple(compiled(X)[:, 0].tolist()))

    still = Counting().eval()
    compiled = compile(lambda x: [still(x)])
    expected.add(tuple((X[:, 0] + X[:, 1]).tolist()))
    at_once(train, predict)
    assert model.w.data == alone.w.data
    assert model.calls.data == alone.calls.data
    assert model.training
    assert seen <= expected
