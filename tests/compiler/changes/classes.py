"""Classes: their attributes, methods, descriptors and special methods, and those of their parents."""

import abc
import functools
import types

from tests.compiler.changes.cases import change


@change
def an_attribute_of_a_class():
    class Settings:
        scale = 2.0

    yield lambda x: x * Settings.scale
    Settings.scale = 3.0


@change
def an_attribute_of_the_class_of_an_object():
    class Settings:
        scale = 2.0

    settings = Settings()
    yield lambda x: x * settings.scale
    Settings.scale = 3.0


@change
def an_inherited_attribute():
    class Parent:
        scale = 2.0

    class Child(Parent):
        pass

    child = Child()
    yield lambda x: x * child.scale
    Parent.scale = 3.0


@change
def an_inherited_attribute_that_a_child_overrides():
    class Parent:
        scale = 2.0

    class Child(Parent):
        pass

    child = Child()
    yield lambda x: x * child.scale
    Child.scale = 3.0


@change
def an_attribute_of_a_class_that_an_object_overrides():
    class Settings:
        scale = 2.0

    settings = Settings()
    yield lambda x: x * settings.scale
    settings.scale = 3.0


@change
def an_attribute_of_an_object_that_is_deleted():
    class Settings:
        scale = 2.0

    settings = Settings()
    settings.scale = 3.0
    yield lambda x: x * settings.scale
    del settings.scale


@change
def an_attribute_of_a_metaclass():
    class Meta(type):
        scale = 2.0

    class Settings(metaclass=Meta):
        pass

    yield lambda x: x * Settings.scale
    Meta.scale = 3.0


@change
def a_list_of_a_class():
    class Settings:
        scales = [2.0]  # noqa: RUF012

    settings = Settings()
    yield lambda x: x * settings.scales[0]
    Settings.scales.append(settings.scales.pop() + 1.0)


@change
def a_registry_of_a_class():
    class Layer:
        known = {}  # noqa: RUF012

        def __init_subclass__(cls, **options):
            Layer.known[cls.__name__] = cls

    class Double(Layer):
        scale = 2.0

    yield lambda x: x * sum(kind.scale for kind in Layer.known.values())

    class Triple(Layer):
        scale = 3.0


@change
def a_singleton():
    class Settings:
        only = None

        def __new__(cls):
            if cls.only is None:
                cls.only = super().__new__(cls)
                cls.only.scale = 2.0
            return cls.only

    Settings()
    yield lambda x: x * Settings().scale
    Settings().scale = 3.0


@change
def state_that_all_objects_share():
    class Borg:
        shared = {"scale": 2.0}  # noqa: RUF012

        def __init__(self):
            self.__dict__ = self.shared

    one, other = Borg(), Borg()
    yield lambda x: x * one.scale
    other.scale = 3.0


@change
def a_method_of_a_class():
    class Model:
        def forward(self, x):
            return x * 2.0

    model = Model()
    yield lambda x: model.forward(x)
    Model.forward = lambda self, x: x * 3.0


@change
def a_method_of_an_object():
    class Model:
        def forward(self, x):
            return x * 2.0

    model = Model()
    yield lambda x: model.forward(x)
    model.forward = lambda x: x * 3.0


@change
def a_method_of_a_base_class():
    class Base:
        def scale(self):
            return 2.0

    class Model(Base):
        def __call__(self, x):
            return x * super().scale()

    yield Model()
    Base.scale = lambda self: 3.0


@change
def the_bases_of_a_class():
    class Double:
        def scale(self):
            return 2.0

    class Triple:
        def scale(self):
            return 3.0

    class Model(Double):
        pass

    model = Model()
    yield lambda x: x * model.scale()
    Model.__bases__ = (Triple,)


@change
def the_class_of_an_object():
    class Double:
        scale = 2.0

    class Triple:
        scale = 3.0

    model = Double()
    yield lambda x: x * model.scale
    model.__class__ = Triple


@change
def the_class_of_an_object_that_is_asked_for():
    class Double:
        pass

    class Triple:
        pass

    model = Double()
    yield lambda x: x * 2.0 if isinstance(model, Double) else x * 3.0
    model.__class__ = Triple


@change
def a_classmethod():
    class Model:
        @classmethod
        def scale(cls):
            return 2.0

    yield lambda x: x * Model.scale()
    Model.scale = classmethod(lambda cls: 3.0)


@change
def a_staticmethod():
    class Model:
        @staticmethod
        def scale():
            return 2.0

    yield lambda x: x * Model().scale()
    Model.scale = staticmethod(lambda: 3.0)


@change
def the_attribute_behind_a_property():
    class Settings:
        def __init__(self):
            self._scale = 2.0

        @property
        def scale(self):
            return self._scale

    settings = Settings()
    yield lambda x: x * settings.scale
    settings._scale = 3.0


@change
def a_property():
    class Settings:
        @property
        def scale(self):
            return 2.0

    settings = Settings()
    yield lambda x: x * settings.scale
    Settings.scale = property(lambda self: 3.0)


@change
def a_cached_property():
    class Settings:
        base = 1.0

        @functools.cached_property
        def scale(self):
            return self.base + 1.0

    settings = Settings()
    yield lambda x: x * settings.scale
    settings.base = 2.0
    del settings.scale


@change
def the_state_of_a_descriptor():
    class Field:
        def __init__(self, number):
            self.number = number

        def __get__(self, owner, kind):
            return self.number

    class Settings:
        scale = Field(2.0)

    settings = Settings()
    yield lambda x: x * settings.scale
    vars(Settings)["scale"].number = 3.0


@change
def a_descriptor_that_keeps_numbers_in_the_object():
    class Positive:
        def __set_name__(self, kind, name):
            self.name = "_" + name

        def __get__(self, owner, kind):
            return getattr(owner, self.name)

        def __set__(self, owner, number):
            setattr(owner, self.name, abs(number))

    class Settings:
        scale = Positive()

    settings = Settings()
    settings.scale = 2.0
    yield lambda x: x * settings.scale
    settings.scale = -3.0


@change
def the_dict_behind_getattr():
    class Settings:
        def __init__(self):
            self.content = {"scale": 2.0}

        def __getattr__(self, name):
            return self.content[name]

    settings = Settings()
    yield lambda x: x * settings.scale
    settings.content["scale"] = 3.0


@change
def the_object_behind_a_proxy():
    class Proxy:
        def __init__(self, inside):
            object.__setattr__(self, "inside", inside)

        def __getattribute__(self, name):
            return getattr(object.__getattribute__(self, "inside"), name)

    inside = types.SimpleNamespace(scale=2.0)
    proxy = Proxy(inside)
    yield lambda x: x * proxy.scale
    inside.scale = 3.0


@change
def the_pattern_of_a_class_in_a_match():
    class Point:
        __match_args__ = ("a", "b")
        a, b = 2.0, 3.0

    point = Point()

    def function(x):
        match point:
            case Point(scale):
                return x * scale

    yield function
    Point.__match_args__ = ("b", "a")


# Special methods that are replaced: name, what the class has before and after, and how it is used.


def gives(answer):
    return lambda *_: answer


# fmt: off
SPECIAL = {
    "__abs__":       (gives(2.0), gives(3.0), lambda thing: abs(thing)),
    "__add__":       (gives(2.0), gives(3.0), lambda thing: thing + 1.0),
    "__bool__":      (gives(True), gives(False), lambda thing: 2.0 if thing else 3.0),
    "__call__":      (gives(2.0), gives(3.0), lambda thing: thing()),
    "__contains__":  (gives(True), gives(False), lambda thing: 2.0 if 1.0 in thing else 3.0),
    "__divmod__":    (gives((2.0, 0.0)), gives((3.0, 0.0)), lambda thing: divmod(thing, 1.0)[0]),
    "__enter__":     (gives(2.0), gives(3.0), lambda thing: entered(thing)),
    "__eq__":        (gives(True), gives(False), lambda thing: 2.0 if thing == 1.0 else 3.0),
    "__float__":     (gives(2.0), gives(3.0), lambda thing: float(thing)),
    "__format__":    (gives("ab"), gives("abc"), lambda thing: len(f"{thing}")),
    "__getattr__":   (gives(2.0), gives(3.0), lambda thing: thing.scale),
    "__getitem__":   (gives(2.0), gives(3.0), lambda thing: thing[0]),
    "__hash__":      (gives(2), gives(3), lambda thing: hash(thing)),
    "__index__":     (gives(2), gives(3), lambda thing: (1.0, 1.0, 2.0, 3.0)[thing]),
    "__int__":       (gives(2), gives(3), lambda thing: int(thing)),
    "__iter__":      (lambda _: iter([2.0]), lambda _: iter([3.0]), lambda thing: sum(thing)),
    "__len__":       (gives(2), gives(3), lambda thing: len(thing)),
    "__lt__":        (gives(True), gives(False), lambda thing: 2.0 if thing < 1.0 else 3.0),
    "__matmul__":    (gives(2.0), gives(3.0), lambda thing: thing @ thing),
    "__neg__":       (gives(2.0), gives(3.0), lambda thing: -thing),
    "__next__":      (gives(2.0), gives(3.0), lambda thing: next(thing)),
    "__repr__":      (gives("ab"), gives("abc"), lambda thing: len(repr(thing))),
    "__reversed__":  (gives([2.0]), gives([3.0]), lambda thing: reversed(thing)[0]),
    "__rmul__":      (gives(2.0), gives(3.0), lambda thing: 1.0 * thing),
    "__round__":     (gives(2.0), gives(3.0), lambda thing: round(thing)),
    "__str__":       (gives("ab"), gives("abc"), lambda thing: len(str(thing))),
}
# fmt: on


def entered(thing):
    with thing as scale:
        return scale


def special_method(name):
    before, after, use = SPECIAL[name]

    def case():
        kind = type("Thing", (), {"__exit__": gives(None), name: before})
        thing = kind()
        yield lambda x: x * use(thing)
        setattr(kind, name, after)

    case.__name__ = f"special_method{name.rstrip('_')}"
    return case


for name in SPECIAL:
    change(special_method(name))


@change
def a_class_that_gets_a_subclass():
    class Base: ...

    kept = []
    yield lambda x: x * (1.0 + len(Base.__subclasses__()))
    kept.append(type("Child", (Base,), {}))


@change
def an_attribute_of_a_subclass():
    class Base: ...

    class Child(Base):
        scale = 2.0

    yield lambda x: x * sum(child.scale for child in Base.__subclasses__())
    Child.scale = 3.0


@change
def a_class_that_is_registered():
    class Base(abc.ABC): ...  # noqa: B024

    class Model: ...

    model = Model()
    yield lambda x: x * (2.0 if isinstance(model, Base) else 3.0)
    Base.register(Model)
