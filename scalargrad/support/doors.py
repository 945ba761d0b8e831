"""Doors: packages that load a name when it is first used, so that an import of the engine stays quick."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import FunctionType, ModuleType
from typing import TypeVar

from scalargrad.support.forks import whole
from scalargrad.support.moved import MOVED

T = TypeVar("T")


def door(
    package: ModuleType, names: Mapping[str, Sequence[str]], at_once: Sequence[str] = ()
) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package whose public names stand in a table, by module.

    names     by the module that has them, inside of the package, which can be asked for, too, as can old paths
    at_once   the modules that are loaded with the package
    """
    modules = {name: f"{package.__name__}.{module}" for module, listed in names.items() for name in listed}
    for module in at_once:
        loaded = import_module(f"{package.__name__}.{module}")
        vars(package).update({name: as_called(getattr(loaded, name)) for name in names[module]})

    def get(name: str) -> object:
        with whole:
            if name in modules:
                return as_called(getattr(import_module(modules[name]), name))
            path = f"{package.__name__}.{name}"
            if name in names or path.removeprefix("scalargrad.") in MOVED:
                return import_module(path)
        raise AttributeError(f"module {package.__name__!r} has no attribute {name!r}")

    def names_there() -> list[str]:
        return sorted({*vars(package), *modules})

    return get, names_there, list(modules)


def as_called(thing: T) -> T:
    """A class whose constructor and call bear the names of their users in Python's errors; other things as they are.

    >>> @as_called
    ... class Layer:
    ...     def __init__(self, size): ...
    >>> Layer()
    Traceback (most recent call last):
    TypeError: Layer() missing 1 required positional argument: 'size'
    """
    for owner in thing.__mro__ if isinstance(thing, type) else ():
        for method, name in (("__init__", owner.__name__), ("__call__", f"{owner.__name__}(…)")):
            function = vars(owner).get(method)
            # As it was written, decorated or not: somebody may have put another one in its place since.
            while isinstance(function, FunctionType) and function.__qualname__.endswith(f"{owner.__name__}.{method}"):
                function.__qualname__ = name
                function = vars(function).get("__wrapped__")
    return thing
