"""Attributes of objects of every kind, and those that are not there at first."""

import collections
import contextlib
import dataclasses
import enum
import operator
import types
import typing

from tests.compiler.changes.cases import change, module


@change
def an_attribute():
    class Settings:
        def __init__(self):
            self.scale = 2.0

    settings = Settings()
    yield lambda x: x * settings.scale
    settings.scale = 3.0


@change
def an_attribute_of_an_attribute():
    class Node:
        pass

    root = Node()
    root.child = Node()
    root.child.child = Node()
    root.child.child.scale = 2.0
    yield lambda x: x * root.child.child.scale
    root.child.child.scale = 3.0


@change
def an_object_in_between():
    class Node:
        def __init__(self, **attributes):
            vars(self).update(attributes)

    root = Node(child=Node(scale=2.0))
    yield lambda x: x * root.child.scale
    root.child = Node(scale=3.0)


@change
def an_attribute_of_a_dataclass():
    @dataclasses.dataclass
    class Settings:
        scale: float = 2.0

    settings = Settings()
    yield lambda x: x * settings.scale
    settings.scale = 3.0


@change
def a_frozen_dataclass_that_is_replaced():
    @dataclasses.dataclass(frozen=True)
    class Settings:
        scale: float = 2.0

    settings = Settings()
    yield lambda x: x * settings.scale
    settings = dataclasses.replace(settings, scale=3.0)


@change
def a_list_in_a_frozen_dataclass():
    @dataclasses.dataclass(frozen=True)
    class Settings:
        scales: list = dataclasses.field(default_factory=lambda: [2.0])

    settings = Settings()
    yield lambda x: x * settings.scales[0]
    settings.scales[0] = 3.0


@change
def two_dataclasses_that_are_compared():
    @dataclasses.dataclass
    class Settings:
        scale: float = 2.0

    ours, theirs = Settings(), Settings()
    yield lambda x: x * 2.0 if ours == theirs else x
    theirs.scale = 3.0


@change
def the_fields_of_a_dataclass():
    @dataclasses.dataclass
    class Settings:
        scale: float = 2.0

    settings = Settings()
    yield lambda x: x * dataclasses.asdict(settings)["scale"]
    settings.scale = 3.0


@change
def a_slot():
    class Settings:
        __slots__ = ("scale",)

    settings = Settings()
    settings.scale = 2.0
    yield lambda x: x * settings.scale
    settings.scale = 3.0


@change
def a_slot_of_a_dataclass():
    @dataclasses.dataclass(slots=True)
    class Settings:
        scale: float = 2.0

    settings = Settings()
    yield lambda x: x * settings.scale
    settings.scale = 3.0


@change
def a_slot_that_was_empty():
    class Settings:
        __slots__ = ("scale",)

    settings = Settings()
    yield lambda x: x * getattr(settings, "scale", 2.0)
    settings.scale = 3.0


@change
def an_attribute_of_a_namespace():
    settings = types.SimpleNamespace(scale=2.0)
    yield lambda x: x * settings.scale
    settings.scale = 3.0


@change
def a_namedtuple_that_is_replaced():
    settings = collections.namedtuple("Settings", "scale")(2.0)
    yield lambda x: x * settings.scale
    settings = settings._replace(scale=3.0)


@change
def a_list_in_a_namedtuple():
    class Settings(typing.NamedTuple):
        scales: list

    settings = Settings([2.0])
    yield lambda x: x * settings.scales[0]
    settings.scales[0] = 3.0


@change
def the_dict_of_an_object():
    class Settings:
        pass

    settings = Settings()
    settings.scale = 2.0
    yield lambda x: x * settings.scale
    settings.__dict__ = {"scale": 3.0}


@change
def vars_of_an_object():
    class Settings:
        def __init__(self):
            self.scale = 2.0

    settings = Settings()
    yield lambda x: x * sum(vars(settings).values())
    settings.offset = 3.0


@change
def an_attribute_by_a_name_that_is_computed():
    class Settings:
        scale_a, scale_b = 2.0, 3.0

    settings, which = Settings(), "a"
    yield lambda x: x * getattr(settings, "scale_" + which)
    which = "b"


@change
def an_attribute_that_a_computed_name_reads():
    class Settings:
        pass

    settings = Settings()
    settings.scale_a, which = 2.0, "a"
    yield lambda x: x * getattr(settings, "scale_" + which)
    settings.scale_a = 3.0


@change
def a_member_of_an_enum():
    class Mode(enum.Enum):
        SINGLE, DOUBLE = 1.0, 2.0

    mode = Mode.SINGLE
    yield lambda x: x * mode.value
    mode = Mode.DOUBLE


@change
def the_value_of_a_member():
    class Mode(enum.Enum):
        DOUBLE = 2.0

    yield lambda x: x * Mode.DOUBLE.value
    Mode.DOUBLE._value_ = 3.0


@change
def a_flag_of_an_enum():
    class Modes(enum.Flag):
        DOUBLE, NEGATIVE = enum.auto(), enum.auto()

    modes = Modes.DOUBLE
    yield lambda x: x * 2.0 if Modes.DOUBLE in modes else x
    modes = Modes.NEGATIVE


@change
def an_attribute_of_an_exception():
    error = ValueError("too large")
    error.scale = 2.0
    yield lambda x: x * error.scale
    error.scale = 3.0


# What is not there at first.


@change
def an_attribute_behind_hasattr():
    class Settings:
        pass

    settings = Settings()
    yield lambda x: x * 3.0 if hasattr(settings, "scale") else x
    settings.scale = None


@change
def an_attribute_with_a_default():
    class Settings:
        pass

    settings = Settings()
    yield lambda x: x * getattr(settings, "scale", 2.0)
    settings.scale = 3.0


@change
def an_attribute_that_is_tried():
    class Settings:
        pass

    settings = Settings()

    def function(x):
        try:
            return x * settings.scale
        except AttributeError:
            return x

    yield function
    settings.scale = 3.0


@change
def an_attribute_of_a_class_that_is_tried():
    class Settings:
        pass

    settings = Settings()

    def function(x):
        with contextlib.suppress(AttributeError):
            return x * settings.scale
        return x

    yield function
    Settings.scale = 3.0


@change
def a_global_that_is_tried(patch, folder):
    helper = module(
        patch, folder, "helper", "def function(x):", "    try: return x * SCALE", "    except NameError: return x"
    )
    yield helper.function
    helper.SCALE = 3.0


@change
def a_name_in_globals(patch, folder):
    helper = module(patch, folder, "helper", "def function(x): return x * globals().get('SCALE', 2.0)")
    yield helper.function
    helper.SCALE = 3.0


@change
def a_name_of_a_module_with_a_default():
    helper = types.ModuleType("helper")
    yield lambda x: x * getattr(helper, "scale", 2.0)
    helper.scale = 3.0


@change
def a_slot_of_a_parent_that_a_child_fills():
    class Parent:
        def scale(self):
            return getattr(self, "own", 2.0)

    class Child(Parent):
        pass

    child = Child()
    yield lambda x: x * child.scale()
    Child.own = 3.0


@change
def a_variable_that_is_assigned_later():
    def function(x):
        try:
            return x * scale
        except NameError:
            return x

    yield function
    scale = 3.0


@change
def an_attribute_in_the_fields_of_a_text():
    settings = types.SimpleNamespace(scale=2.0)
    yield lambda x: x * float("{0.scale:.3f}".format(settings))  # noqa: UP030, UP032
    settings.scale = 3.0


@change
def an_attribute_that_a_getter_of_a_computed_name_gets():
    settings = types.SimpleNamespace(scale=2.0)
    name = "".join(["sc", "ale"])
    yield lambda x: x * operator.attrgetter(name)(settings)
    settings.scale = 3.0
