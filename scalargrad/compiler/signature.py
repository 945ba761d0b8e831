"""What a function reads around itself: when that changes, a trace of it is out of date."""

from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any

from scalargrad.engine import Value
from scalargrad.nn.module import Module

PLAIN = (bool, int, float, str, bytes, type(None), complex)


class Surroundings:
    """The numbers, lists and modules that a function can reach through its closure, its globals and its defaults.

    `state()` is cheap and compares equal as long as nothing has changed that a trace depends on: numbers and texts,
    which objects there are, the length and items of lists, and any attribute of any Module (a flag, a parameter).
    """

    def __init__(self, function: Callable) -> None:
        self.cells: list[Callable[[], Any]] = []  # each reads one variable
        self.lists: list[Any] = []
        self.seen: set[int] = set()
        self.has_modules = False
        self._function(function)

    def state(self) -> tuple:
        version = Module.version if self.has_modules else 0
        return version, tuple(_token(read()) for read in self.cells), tuple(_items(x) for x in self.lists)

    def _function(self, function: Any) -> None:
        if isinstance(function, MethodType):
            self._object(function.__self__)
            function = function.__func__
        if not isinstance(function, FunctionType):
            self._object(function)
            return
        if id(function) in self.seen or function.__module__.partition(".")[0] == "scalargrad":
            return
        self.seen.add(id(function))
        for cell in function.__closure__ or ():
            self._variable(lambda cell=cell: cell.cell_contents)  # type: ignore[misc]
        names, scope = set(function.__code__.co_names), function.__globals__
        for name in sorted(names & scope.keys()):
            self._variable(lambda name=name: scope.get(name))  # type: ignore[misc]
        for default in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
            self._object(default)
        for code in function.__code__.co_consts:  # inner functions and comprehensions read globals, too
            for name in sorted(set(getattr(code, "co_names", ())) & scope.keys() - names):
                self._variable(lambda name=name: scope.get(name))  # type: ignore[misc]

    def _variable(self, read: Callable[[], Any]) -> None:
        try:
            content = read()
        except ValueError:  # an empty cell: not assigned yet
            return
        self.cells.append(read)
        self._object(content)

    def _object(self, content: Any) -> None:
        if id(content) in self.seen or isinstance(content, (*PLAIN, Value)):
            return
        if isinstance(content, FunctionType | MethodType):
            self._function(content)
        elif isinstance(content, Module):
            self.seen.add(id(content))
            self.has_modules = True
            for attribute in vars(content).values():
                self._object(attribute)
            self._function(type(content).__call__)
        elif isinstance(content, list | tuple | dict):
            self.seen.add(id(content))
            if not isinstance(content, tuple):
                self.lists.append(content)
            items = content.values() if isinstance(content, dict) else content
            if not all(isinstance(item, Value) for item in items):
                for item in items:
                    self._object(item)


def _token(content: Any) -> Any:
    return (type(content), content) if isinstance(content, PLAIN) else id(content)


def _items(content: Any) -> Any:
    items = tuple(content.values() if isinstance(content, dict) else content)
    try:
        return len(items), hash(items)
    except TypeError:  # it holds lists
        return len(items), tuple(map(_token, items))
