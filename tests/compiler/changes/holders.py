"""A thing behind something that holds it: each thing behind each holder."""

import collections
import contextvars
import dataclasses
import enum
import functools
import itertools
import operator
import queue
import types
import typing
import weakref

from scalargrad.nn import Module, Parameter
from tests.compiler.changes.cases import Doubling, change, object_array


class Holder:
    """An ordinary object with one attribute."""

    def __init__(self, thing):
        self.thing = thing


@dataclasses.dataclass
class Held:
    """The same, as a dataclass."""

    thing: typing.Any


class Slotted:
    """The same, with a slot."""

    __slots__ = ("thing",)

    def __init__(self, thing):
        self.thing = thing


class Kept(Module):
    """The same, as a module."""

    def __init__(self, thing):
        self.thing = thing


def weak(thing):
    """A weak reference, and what keeps the thing alive."""
    return weakref.ref(thing), thing


def in_a_method(thing):
    """A method bound to an object that holds the thing."""
    return types.MethodType(lambda holder: holder.thing, Holder(thing))


def in_a_cell(thing):
    return lambda: thing


def in_a_default(thing):
    return lambda held=thing: held


def in_an_attribute(thing):
    def function():
        return None

    function.thing = thing
    return function


def in_a_generator_function(thing):
    def things():
        yield thing

    return things


def in_a_queue(thing):
    held = queue.Queue()
    held.put(thing)
    return held


class Settings:
    """One number."""

    def __init__(self):
        self.scale = 2.0


class Line:
    """One Parameter, in an ordinary object."""

    def __init__(self):
        self.slope = Parameter(2.0)


class Scales(list):
    """A list that can be referred to weakly."""


# fmt: off
HOLDERS = {  # how a thing is put away, and how it is reached
    "an_object":                 (Holder, lambda held: held.thing),
    "an_object_in_an_object":    (lambda thing: Holder(Holder(thing)), lambda held: held.thing.thing),
    "a_list_of_an_object":       (lambda thing: Holder([thing]), lambda held: held.thing[0]),
    "a_dict_of_an_object":       (lambda thing: Holder({"a": thing}), lambda held: held.thing["a"]),
    "a_dict_of_a_list":          (lambda thing: [{"a": thing}], lambda held: held[0]["a"]),
    "a_tuple_of_tuples":         (lambda thing: ((thing,),), lambda held: held[0][0]),
    "a_dataclass":               (Held, lambda held: held.thing),
    "slots":                     (Slotted, lambda held: held.thing),
    "a_module":                  (Kept, lambda held: held.thing),
    "a_namespace":               (lambda thing: types.SimpleNamespace(thing=thing), lambda held: held.thing),
    "a_deque":                   (lambda thing: collections.deque([thing]), lambda held: held[0]),
    "a_defaultdict":             (lambda thing: collections.defaultdict(list, a=thing), lambda held: held["a"]),
    "a_mappingproxy":            (lambda thing: types.MappingProxyType({"a": thing}), lambda held: held["a"]),
    "a_userlist":                (lambda thing: collections.UserList([thing]), lambda held: held[0]),
    "a_weak_reference":          (weak, lambda held: held[0]()),
    "a_weak_dictionary":         (lambda thing: (weakref.WeakValueDictionary(a=thing), thing),
                                  lambda held: held[0]["a"]),
    "a_cell":                    (in_a_cell, lambda held: held()),
    "a_partial":                 (lambda thing: functools.partial(max, thing, default=None),
                                  lambda held: held.args[0]),
    "a_bound_method":            (in_a_method, lambda held: held()),
    "an_object_array":           (object_array, lambda held: held[0]),
    "a_class":                   (lambda thing: type("Kind", (), {"thing": thing}), lambda held: held.thing),
    "a_property":                (lambda thing: type("Kind", (), {"thing": property(lambda self: thing)})(),
                                  lambda held: held.thing),
    "a_context_variable":        (lambda thing: contextvars.ContextVar("held", default=thing),
                                  lambda held: held.get()),
    "a_weak_proxy":              (lambda thing: (weakref.proxy(thing), thing), lambda held: held[0]),
    "a_chainmap":                (lambda thing: collections.ChainMap({}, {"a": thing}), lambda held: held["a"]),
    "an_enum":                   (lambda thing: enum.Enum("Kind", {"A": thing}), lambda held: held.A.value),
    "a_default":                 (in_a_default, lambda held: held()),
    "a_function":                (in_an_attribute, lambda held: held.thing),
    "a_generator_function":      (in_a_generator_function, lambda held: next(held())),
    "a_queue":                   (in_a_queue, lambda held: held.queue[0]),
}
THINGS = {  # how a thing is made, used and changed
    "a_module":     (Doubling, lambda model, x: model(x), lambda model: model.eval()),
    "an_attribute": (Settings, lambda settings, x: x * settings.scale,
                     lambda settings: setattr(settings, "scale", 3.0)),
    "an_item":      (lambda: Scales([2.0]), lambda scales, x: x * scales[0],
                     lambda scales: operator.setitem(scales, 0, 3.0)),
    "a_parameter":  (Line, lambda line, x: line.slope * x, lambda line: setattr(line, "slope", Parameter(3.0))),
}
# fmt: on


def held(thing, holder):
    (make, use, alter), (put_away, reach) = THINGS[thing], HOLDERS[holder]

    def case():
        changing = make()
        where = put_away(changing)
        yield lambda x: use(reach(where), x)
        alter(changing)

    case.__name__ = f"{thing}_behind_{holder}"
    return case


for thing, holder in itertools.product(THINGS, HOLDERS):
    change(held(thing, holder))
