"""Kept inventories: the same one while nothing changes, and never one that has become wrong."""

import copy
import gc
import pickle
import weakref
from collections import deque

import numpy as np
import pytest

from scalargrad.holders import inventory, noted
from scalargrad.inventories import inventory_of
from scalargrad.modes import in_mode
from scalargrad.nn import MLP, BatchNorm1d, Buffer, Dropout, Module, Neuron, Parameter
from scalargrad.optim import SGD
from scalargrad.training.programs import lock_of


class Model(Module):
    def __init__(self):
        self.w = Parameter(1.0)
        self.row, self.other, self.empty, self.numbers = [Parameter(2.0), Parameter(3.0)], [Parameter(4.0)], [], [0.5]
        self.table = {"a": Parameter(5.0), "b": [Parameter(6.0)], "c": 0.5}
        self.nested = ([[Parameter(7.0)]], (Parameter(8.0),))
        self.layers = [Neuron(2), BatchNorm1d(1), Dropout(0.5, rng=0)]
        self.array = np.zeros(2)


class Base(Module):
    pass


class Below(Base):
    pass


class Other(Module):
    shared = Parameter(0.25)


CHANGES = {
    "an attribute": lambda model, new: setattr(model, "w", new),
    "a new attribute": lambda model, new: setattr(model, "new", new),
    "a removed attribute": lambda model, new: delattr(model, "w"),
    "an attribute, by vars": lambda model, new: vars(model).update(w=new),
    "all attributes": lambda model, new: setattr(model, "__dict__", {"w": new}),
    "an item of a row": lambda model, new: model.row.__setitem__(0, new),
    "a longer row": lambda model, new: model.row.append(new),
    "a shorter row": lambda model, new: model.row.pop(),
    "a row turned around": lambda model, new: model.row.reverse(),
    "a row that is equal": lambda model, new: setattr(model, "row", model.row.copy()) or model.row.append(new),
    "an item that has moved on": lambda model, new: model.other.insert(0, model.row.pop()),
    "an empty list": lambda model, new: model.empty.append(new),
    "a list of numbers": lambda model, new: model.numbers.__setitem__(0, new),
    "a table": lambda model, new: model.table.update(a=new),
    "a number of a table": lambda model, new: model.table.update(c=new),
    "a list in a table": lambda model, new: model.table["b"].append(new),
    "a list in a tuple": lambda model, new: model.nested[0][0].append(new),
    "a layer": lambda model, new: model.layers.append(Neuron(1)),
    "an attribute of a layer": lambda model, new: setattr(model.layers[0], "bias", new),
    "a row of a layer": lambda model, new: setattr(model.layers[0], "weights", (new,)),
    "a buffer": lambda model, new: setattr(model.layers[1], "running_mean", (Buffer(0.5),)),
    "a module that was none": lambda model, new: setattr(model.layers[2], "p", Neuron(1)),
    "an array": lambda model, new: setattr(model, "array", np.array([new])),
    "a deque": lambda model, new: setattr(model, "array", deque([new])),
    "its class": lambda model, new: setattr(model, "__class__", Other),
}


def as_lists(found):
    return list(found.parameters), list(found.buffers), found.modules


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_seen(name):
    model, new = Model(), Parameter(9.0)
    before = model.parameters()
    assert inventory_of(model) is inventory_of(model)
    CHANGES[name](model, new)
    found = inventory([model])
    assert as_lists(inventory_of(model).found) == as_lists(found)
    assert model.parameters() == list(found.parameters)
    assert list(model.modules()) == found.modules
    assert (model.parameters() != before) == (name not in ("a buffer", "an item that has moved on"))


@pytest.mark.parametrize("hold", [deque, np.array], ids=["deque", "array"])
def test_what_is_in_other_holders_is_looked_for_each_time(hold):
    model, new = Model(), Parameter(9.0)
    model.array = hold([Parameter(1.0), Parameter(2.0)])
    before = model.parameters()
    model.array[0] = new
    assert new in model.parameters()
    assert len(model.parameters()) == len(before)


def test_what_is_in_slots_is_looked_for_each_time():
    class Slotted(Module):
        __slots__ = ("inside",)

    model = Slotted()
    assert model.parameters() == []
    model.inside = Parameter(1.0)
    assert model.parameters() == [model.inside]


def test_attributes_of_classes_are_seen():
    model, new = Model(), Parameter(9.0)
    model.layers.append(Below())
    count = len(model.parameters())
    try:
        Base.late = new
        assert new in model.parameters()
        Base.late = Parameter(8.0)
        assert new not in model.parameters()
    finally:
        del Base.late
    assert len(model.parameters()) == count
    try:
        Below.__bases__ = (Other,)
        assert Other.shared in model.parameters()
    finally:
        Below.__bases__ = (Base,)
    assert len(model.parameters()) == count


def test_names_of_a_dictionary_that_become_equal_are_refused():
    model = Module()
    model.table = {"1": Parameter(1.0), "2": Parameter(2.0)}
    assert len(model.parameters()) == 2
    model.table[1] = model.table.pop("2")
    with pytest.raises(ValueError, match=r"two parameters of this Module are called table\.1"):
        model.parameters()


def test_what_would_be_lost_is_refused_each_time():
    model = Model()
    model.parameters()
    model.array = {Parameter(1.0)}
    for _ in range(2):
        with pytest.raises(TypeError, match="parameters\\(\\) does not find"):
            model.parameters()


def test_a_list_of_parameters_is_the_callers():
    model = Model()
    model.parameters().clear()
    assert model.parameters()
    assert model.parameters() is not model.parameters()


def test_a_copy_has_an_inventory_of_its_own():
    model = MLP(2, [2, 1], rng=0)
    model.parameters()
    for other in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert noted(other, "inventory") is None
        assert next(other.modules()) is other
        assert list(inventory([other]).parameters) == other.parameters()


class Wrapper(Module):
    """Hands on to another model what it does not know itself."""

    def __init__(self, inner):
        self.inner, self.scale = inner, Parameter(3.0)

    def __getattr__(self, name):
        return getattr(self.__dict__["inner"], name)

    def __call__(self, x):
        return self.scale * self.inner(x)


def test_a_model_that_hands_on_what_it_does_not_know_has_notes_of_its_own():
    inner = MLP(2, [3, 1], rng=0)
    x = np.ones((4, 2))
    alone = inner.predict(x)
    inner.evaluate(x, alone, loss="mse")
    with in_mode(inner, training=False):
        assert not inner.layers[0].training
    model = Wrapper(inner)
    assert model.parameters() == [*inner.parameters(), model.scale]
    assert list(model.modules()) == [model, *inner.modules()]
    np.testing.assert_array_equal(model.predict(x), 3.0 * alone)
    with in_mode(model, training=False):
        assert not model.training
        assert not inner.layers[0].training
    assert lock_of(model) is not lock_of(inner)
    model.retrace()
    np.testing.assert_array_equal(inner.predict(x), alone)
    model.fit(x, alone, optimizer=SGD(lr=0.01), epochs=1, progress=False)
    assert model.scale.data != 3.0


def test_names_of_notes_are_free():
    class Own(MLP):
        __slots__ = ("_kept", "_lock", "_places")

    model = Own(2, [1], rng=0)
    model._kept, model._lock, model._places, model._programs, model._searched = range(5)
    model.fit(np.ones((2, 2)), np.ones(2), epochs=1, progress=False)
    for one in (model, copy.deepcopy(model)):
        assert (one._kept, one._lock, one._places, one._programs, one._searched) == tuple(range(5))


def test_an_inventory_dies_with_its_model():
    model = MLP(2, [2, 1], rng=0)
    model.parameters()
    watched = [weakref.ref(model), weakref.ref(model.layers[0])]
    del model
    gc.collect()
    assert [ref() for ref in watched] == [None, None]
