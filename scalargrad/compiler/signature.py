"""What a function reads around itself: when that changes, a trace of it is out of date."""

import os
from array import array
from collections.abc import Callable, Iterable
from functools import partial
from operator import is_
from pathlib import PurePath
from types import CodeType, FunctionType, MethodType
from typing import Any, NamedTuple

from scalargrad.contexts import PACKAGE
from scalargrad.engine import Value
from scalargrad.nn.module import Module

PLAIN = (bool, int, float, str, bytes, type(None), complex)
LARGEST_ARRAY = 2**18  # bytes: items of a larger NumPy array are not compared, only which array it is
STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep


class Surroundings:
    """The numbers, lists, arrays and modules that a function can reach: its closure, globals, defaults and arguments.

    `state()` is cheap and compares equal as long as nothing has changed that a trace depends on: numbers and texts,
    which objects there are, the items of lists, dicts, sets and small NumPy arrays, and the attributes of any Module.
    Functions that are called are followed, into partials, methods and objects with a `__call__`; of those of Python's
    library, installed packages and this one only the closures: what these define does not change.
    """

    def __init__(self, function: Callable, arguments: Iterable = ()) -> None:
        self.variables: list[Callable[[], Any]] = []  # each reads one
        self.containers: list[Any] = []
        self.modules: list[Module] = []
        self.seen: dict[int, Any] = {}  # by id; kept alive, so that an id stays its own
        self.version = -1
        self.attributes: list = []  # of the modules, at that version
        self._object(function)
        for argument in arguments:
            self._object(argument)

    def state(self) -> "State":
        """What is there now."""
        read = [read() for read in self.variables]
        kept = [_Kept(x) if isinstance(x, list) else None for x in self.containers]
        return State(self._tokens(), read, kept, Module.version)

    def same(self, state: "State") -> bool:
        """Has nothing changed since? First a quick look: the same objects are the same tokens."""
        if not self.modules or state.version == Module.version:
            for read, before in zip(self.variables, state.read, strict=True):
                if read() is not before:
                    break
            else:
                if all(kept and kept.same(now) for now, kept in zip(self.containers, state.kept, strict=True)):
                    return True
        return self._tokens() == state.tokens

    def _tokens(self) -> tuple:
        if self.modules and self.version != Module.version:
            self.version = Module.version
            # `training` is an attribute of the class until train() or eval() sets it on a module.
            self.attributes = [_items({**vars(module), "training": module.training}) for module in self.modules]
        return self.attributes, [token(read()) for read in self.variables], [_items(x) for x in self.containers]

    def _object(self, content: Any) -> None:
        if isinstance(content, (*PLAIN, Value)) or id(content) in self.seen:
            return
        self.seen[id(content)] = content
        if hasattr(content, "__wrapped__"):  # a decorated function
            self._object(content.__wrapped__)
        if isinstance(content, FunctionType):
            self._function(content)
        elif isinstance(content, MethodType):
            self._object(content.__self__)
            self._object(content.__func__)
        elif isinstance(content, partial):
            self._objects((content.func, content.args, content.keywords))
        elif isinstance(content, property):
            self._object(content.fget)
        elif isinstance(content, staticmethod | classmethod):
            self._object(content.__func__)
        elif isinstance(content, list | tuple | dict | set):
            if not isinstance(content, tuple):
                self.containers.append(content)
            items = content.values() if isinstance(content, dict) else content
            if not all(isinstance(item, Value) for item in items):
                self._objects(items)
        elif _is_array(content):
            self.containers.append(content)
        elif isinstance(content, type):
            self._functions_of(content)
        else:
            if isinstance(content, Module):
                self.modules.append(content)
                self._objects(vars(content).values())
            self._functions_of(type(content))

    def _objects(self, contents: Iterable) -> None:
        for content in list(contents):
            self._object(content)

    def _functions_of(self, kind: type) -> None:
        """The methods of a class: any of them may be called."""
        for base in kind.__mro__:
            for attribute in list(vars(base).values()):
                if isinstance(attribute, FunctionType | property | staticmethod | classmethod):
                    self._object(attribute)

    def _function(self, function: FunctionType) -> None:
        for cell in function.__closure__ or ():  # of a library's, too: they hold what users gave it, such as their loss
            self._variable(lambda cell=cell: _content(cell))  # type: ignore[misc]
        if _is_library(function.__code__.co_filename):
            return
        scope = function.__globals__
        for name in sorted(_names(function.__code__) & scope.keys()):
            self._variable(lambda name=name: scope.get(name, MISSING))  # type: ignore[misc]
        self._variable(lambda: function.__defaults__)
        self._variable(lambda: function.__kwdefaults__)

    def _variable(self, read: Callable[[], Any]) -> None:
        self.variables.append(read)
        self._object(read())


class _Kept:
    """What a list held."""

    __slots__ = ("items", "values")

    def __init__(self, items: list) -> None:
        self.items = list(items)
        self.values = all(isinstance(item, Value) for item in items)

    def same(self, items: list) -> bool:
        """Are they the same objects? A Value is equal to itself only, and lists of them compare twenty times faster."""
        if self.values:
            return items == self.items
        return len(items) == len(self.items) and all(map(is_, items, self.items))


class State(NamedTuple):
    """Tokens of all that a function reads; what the variables and lists held; how often modules had changed."""

    tokens: tuple
    read: list
    kept: list
    version: int


class Identity:
    """An object as a token: equal to the token of the same object only."""

    __slots__ = ("content",)

    def __init__(self, content: Any) -> None:
        self.content = content

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity) and other.content is self.content

    def __hash__(self) -> int:
        return id(self.content)


class Identities:
    """Objects as one token: equal to the token of the same objects in the same order. Many at the price of one."""

    __slots__ = ("contents",)

    def __init__(self, contents: tuple) -> None:
        self.contents = contents

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Identities) or len(other.contents) != len(self.contents):
            return False
        return all(map(is_, self.contents, other.contents))

    def __hash__(self) -> int:
        return hash(tuple(map(id, self.contents)))


MISSING = Identity(None)  # an empty cell, a global that was deleted


def token(content: Any) -> Any:
    """What stands for a number, a text or an object: equal as long as a trace cannot tell the difference.

    >>> token(float("nan")) == token(float("nan")), token(0.0) == token(-0.0), token(1) == token(True)
    (True, False, False)
    """
    if isinstance(content, float):
        return type(content), content.hex()
    if isinstance(content, complex):
        return complex, repr(content)
    return (type(content), content) if isinstance(content, PLAIN) else Identity(content)


def contents(content: Any) -> Any:
    """Tokens of what a list, dict, set or array holds, one level deep; None for other things."""
    if isinstance(content, set):
        return frozenset(map(token, content))
    return _items(content) if isinstance(content, list | tuple | dict) or _is_array(content) else None


def _items(content: Any) -> Any:
    """The tokens of what a container holds, in a form that is quick to make and to compare."""
    if isinstance(content, dict):
        return _tokens(content.keys()), _tokens(content.values())
    if not _is_array(content):
        return _tokens(content)
    if content.dtype == object:
        return content.shape, _tokens(content.ravel().tolist())
    if content.nbytes > LARGEST_ARRAY:
        return Identity(content)
    return content.shape, content.dtype.str, content.tobytes()


def _tokens(items: Iterable) -> Any:
    items = tuple(items)
    kinds = set(map(type, items))
    if kinds == {float}:
        return array("d", items).tobytes()  # the bits: 0.0 is not -0.0, nan is nan
    if not any(issubclass(kind, PLAIN) for kind in kinds):
        return Identities(items)
    return tuple(map(token, items))


def _is_array(content: Any) -> bool:
    return type(content).__module__ == "numpy" and hasattr(content, "tobytes") and hasattr(content, "ravel")


def _is_library(file: str) -> bool:
    return file.startswith((STANDARD_LIBRARY, PACKAGE)) or "site-packages" in PurePath(file).parts


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return MISSING


def _names(code: CodeType) -> set[str]:
    """The names that a function reads, and those that the functions and comprehensions inside it read."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names(constant)
    return names
