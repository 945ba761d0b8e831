"""Doors: packages that load a name when it is first used, so that an import of the engine stays quick."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import ModuleType

from scalargrad.support.forks import whole
from scalargrad.support.moved import MOVED


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
        vars(package).update({name: getattr(loaded, name) for name in names[module]})

    def get(name: str) -> object:
        with whole:
            if name in modules:
                return getattr(import_module(modules[name]), name)
            path = f"{package.__name__}.{name}"
            if name in names or path.removeprefix("scalargrad.") in MOVED:
                return import_module(path)
        raise AttributeError(f"module {package.__name__!r} has no attribute {name!r}")

    def names_there() -> list[str]:
        return sorted({*vars(package), *modules})

    return get, names_there, list(modules)
