"""Subclasses of everything: an attribute that an object of one has, and a method that its class has."""

import array
import collections
import datetime
import decimal
import fractions
import functools
import io
import itertools
import pathlib
import random
import threading
import types
import weakref

import numpy as np

from scalargrad import Value
from scalargrad.nn import Buffer, Layer, Module, Parameter
from tests.compiler.changes.cases import change


class Thing:
    """What a weak reference refers to."""


THING = Thing()
BASES = {  # a class, and what makes an object of its subclass
    array.array: ("d", [1.0]),
    bytearray: (b"a",),
    bytes: (b"a",),
    collections.ChainMap: ({},),
    collections.Counter: ("a",),
    collections.OrderedDict: (),
    collections.UserDict: (),
    collections.UserList: ([1.0],),
    collections.UserString: ("a",),
    collections.defaultdict: (list,),
    collections.deque: ([1.0],),
    complex: (1.0, 2.0),
    datetime.date: (2024, 5, 2),
    decimal.Decimal: ("2.0",),
    dict: (),
    fractions.Fraction: (1, 2),
    float: (1.0,),
    frozenset: ("a",),
    functools.partial: (max, 1.0),
    int: (1,),
    io.StringIO: ("a",),
    itertools.count: (1,),
    list: ([1.0],),
    np.float64: (1.0,),
    np.ndarray: (2,),
    object: (),
    pathlib.PurePosixPath: ("a",),
    random.Random: (0,),
    set: ("a",),
    str: ("a",),
    threading.Thread: (),
    threading.local: (),
    tuple: ([1.0],),
    type: ("Made", (), {}),
    types.ModuleType: ("made",),
    types.SimpleNamespace: (),
    ValueError: ("a",),
    weakref.ref: (THING,),
    Value: (1.0,),
    Parameter: (1.0,),
    Buffer: (1.0,),
    Module: (),
    Layer: (1, 1),
}


def attribute(base):
    def case():
        thing = type("Kind", (base,), {})(*BASES[base])
        thing.scale = 2.0
        yield lambda x: x * thing.scale
        thing.scale = 3.0

    case.__name__ = f"an_attribute_of_a_subclass_of_{base.__name__}"
    return case


def method(base):
    def case():
        kind = type("Kind", (base,), {"scale": lambda self: 2.0})
        thing = kind(*BASES[base])
        yield lambda x: x * thing.scale()
        kind.scale = lambda self: 3.0

    case.__name__ = f"a_method_of_a_subclass_of_{base.__name__}"
    return case


for base in BASES:
    change(attribute(base))
    change(method(base))
