"""What a traced function depends on besides its arguments: found once, after its first run, and guarded from then on.

What ran decides what is watched. The code that ran says by which names it reads: globals, attributes, items of modules.
From the function on, all objects in reach are walked once, and what they hold under these names is guarded: names that
are absent, too, for they may appear. A container that is read is guarded by its items, an array by its numbers.
"""

import gc
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dis import opmap
from functools import cached_property, lru_cache, partial, partialmethod
from operator import attrgetter, itemgetter, methodcaller
from types import (
    BuiltinMethodType,
    CellType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
)
from typing import Any
from weakref import ref

from scalargrad.compiler.chance import is_drawn_from
from scalargrad.compiler.errors import LIBRARIES
from scalargrad.compiler.guards import MISSING, PLAIN, Bits, Items, Reads, Sizes, is_made_inside, tokens
from scalargrad.contexts import PACKAGE
from scalargrad.engine import Value
from scalargrad.nn.module import UNSEEN, Buffer, Module, Parameter
from scalargrad.ops import Op

STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep
LARGEST_ARRAY = 2**18  # bytes: of a larger array only is watched which one it is
VALUES = {Value, Parameter, Buffer}
LEAVES = {*PLAIN, *VALUES, Op, CodeType, type(Ellipsis), type(NotImplemented)}
# Code that uses one of these may ask for any name.
COMPILER = "scalargrad.compiler"  # whose objects are not the user's
COMPUTED = {"getattr", "hasattr", "vars", "dir", "__dict__", "__getattribute__", "eval", "exec", "globals", "locals"}
# Methods that C code calls, for operations of the table, too: they count as having run.
CALLED_BY_C = {"__float__", "__int__", "__index__", "__len__", "__iter__", "__getitem__", "__bool__", "__array__"}
LOOKUPS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS", "IMPORT_NAME", "EXTENDED_ARG")
OPCODES = {opmap[name]: name for name in LOOKUPS if name in opmap}


class Surroundings:
    """What a function reads around itself, and whether that is as it was.

    codes      what ran while it was traced
    arguments  what it was given besides arrays
    modules    the Modules that it reads
    sources    the generators of random numbers and the iterators in its reach
    """

    def __init__(self, function: Callable, codes: set[CodeType], arguments: Iterable = ()) -> None:
        self.codes, self.more_names = set(codes), set()  # type: ignore[var-annotated]
        roots = [(function, "the function"), *((argument, "an argument") for argument in arguments)]
        known = (-1, -1)
        while known != (len(self.codes), len(self.more_names)):  # a walk may find that more counts as having run
            known = len(self.codes), len(self.more_names)
            self._walk(roots)
        del self.seen

    def changed(self) -> str:
        """What has changed that a trace depends on, in words; "" if nothing has."""
        for guard in self.guards:
            what = guard.changed()
            if what:
                return what
        return ""

    def renew(self) -> None:
        """What is there now counts."""
        for guard in self.guards:
            guard.renew()

    def changed_by_a_run(self) -> str:
        """What the function itself has just changed. What it only writes down does not count: numbers of the graph that it
        keeps, and lists that have grown at their end.
        """
        for guard in self.guards:
            if not isinstance(guard, Reads):
                has_grown = isinstance(guard, Items) and guard.has_grown()
                what = "" if has_grown else guard.changed()
                if what:
                    return what
                continue
            for label, before, now in guard.differences():
                if not (is_made_inside(now) and (before is MISSING or before is None or is_made_inside(before))):
                    return label
        return ""

    # The walk.

    def _walk(self, roots: list[tuple[Any, str]]) -> None:
        self.modules: list[Module] = []
        self.sources: list[Any] = []
        self.seen: dict[Any, Any] = {}  # by id; kept alive, so that an id stays its own
        self.reached: set[CodeType] = set()
        self.in_dicts, self.in_classes, self.attributes = Reads(dict.get), Reads(MappingProxyType.get), Reads(getattr)
        self.calls = Reads(lambda read, name, missing: read())
        self.sizes = Sizes()
        self.guards: list[Any] = [self.in_dicts, self.in_classes, self.attributes, self.calls, self.sizes]
        self._collect_names()
        self.waiting = deque(roots)
        self._go_on()
        # Functions that ran and that the walk has not met, such as those that C code keeps.
        others = [code for code in self.codes - self.reached if not _is_of_library(code)]
        if others:
            holders = [thing for thing in gc.get_referrers(*others) if isinstance(thing, FunctionType)]
            self.waiting += [(function, function.__name__) for function in holders]
            self._go_on()
        self.guards = [guard for guard in self.guards if not isinstance(guard, Reads | Sizes) or guard]

    def _collect_names(self) -> None:
        """The names that code of this package asks for, and those that other code does."""
        self.names: set[str] = set(self.more_names)
        self.own_names: set[str] = set()
        for code in self.codes:
            (self.own_names if code.co_filename.startswith(PACKAGE) else self.names).update(facts_of(code).names)
        self.computes_names = not COMPUTED.isdisjoint(self.names)
        self.walks_modules = self.computes_names or "vars" in self.own_names  # as parameters() does
        self.own_names |= self.names

    def _go_on(self) -> None:
        while self.waiting:
            self._visit(*self.waiting.popleft())

    def _then(self, content: Any, label: str) -> None:
        if type(content) not in LEAVES or "label" in self.names:
            self.waiting.append((content, label))

    def _visit(self, thing: Any, label: str) -> None:
        kind = type(thing)
        if kind in VALUES and "label" in self.names:
            self.attributes.add(thing, "label", f"the label of {label}")
        if kind in LEAVES or thing is MISSING or id(thing) in self.seen or kind.__module__.startswith(COMPILER):
            return
        self.seen[id(thing)] = thing
        for kinds, visit in VISITS:
            if isinstance(thing, kinds):
                visit(self, thing, label)
                return
        if is_drawn_from(thing):
            self.sources.append(thing)
        elif not self._contents(thing, label):
            self._object(thing, label)

    # Functions and modules.

    def _function(self, function: FunctionType, label: str) -> None:
        if hasattr(function, "__wrapped__"):
            self._then(function.__wrapped__, label)
        code, name = function.__code__, function.__qualname__.replace("<locals>.", "")
        if code not in self.codes:
            return
        self._reach(code)
        for variable, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            described = f"{variable} around {name}"
            self._then(self.attributes.add(cell, "cell_contents", described), described)
        if _is_of_library(code):
            return  # what these define does not change
        for part in ("__code__", "__defaults__", "__kwdefaults__"):
            self._then(self.attributes.add(function, part, f"{part} of {name}"), f"a default of {name}")
        facts, scope = facts_of(code), function.__globals__
        names = facts.globals
        if not facts.names.isdisjoint(("globals", "eval", "exec")):
            names = names | {key for key in scope if not _is_dunder(key)}
        self._namespace(scope, names, f"the global {{}} of {name}", facts)
        for imported in facts.imports:
            for path in (imported, ".".join(filter(None, (scope.get("__package__"), imported)))):
                if isinstance(sys.modules.get(path), ModuleType):
                    self._module(sys.modules[path], facts)
        self._namespace(vars(function), self.names, f"{{}} of {name}")

    def _reach(self, code: CodeType) -> None:
        self.reached.add(code)
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                self._reach(constant)

    def _module(self, module: ModuleType, facts: "Facts") -> None:
        """What code reads of a module, and of those inside it."""
        if (id(module), id(facts)) in self.seen:
            return
        self.seen[id(module), id(facts)] = facts
        names, space = facts.names, vars(module)
        if "getattr" in names and module.__name__.partition(".")[0] not in LIBRARIES:
            names = names | {key for key in space if not _is_dunder(key)}
        self._namespace(space, names, f"{{}} of the module {module.__name__}", facts)

    def _namespace(self, space: dict, names: set[str], label: str, facts: "Facts | None" = None) -> None:
        """Guard these names, where they are and where they are not. With `facts` modules are looked into."""
        for name in names.intersection(space) if len(names) < len(space) else [name for name in space if name in names]:
            described = label.format(name)
            content = self.in_dicts.add(space, name, described)
            if facts is not None and isinstance(content, ModuleType):
                self._module(content, facts)
            else:
                self._then(content, described)
        self.sizes.add(space, names.__contains__, label)

    # Classes and objects.

    def _class(self, kind: type, label: str) -> None:
        if _is_of_library(kind):
            return
        self.attributes.add(kind, "__mro__", f"the bases of {kind.__name__}")
        for base in kind.__mro__:
            if ("base", id(base)) in self.seen or _is_of_library(base):
                continue
            self.seen["base", id(base)] = base
            is_own = base.__module__.startswith("scalargrad.")
            names, space = self.own_names if is_own else self.names, vars(base)
            for name, content in list(space.items()):
                if isinstance(content, GetSetDescriptorType | MemberDescriptorType):
                    continue
                if isinstance(content, FunctionType) and name in CALLED_BY_C and not is_own:
                    self.codes.add(content.__code__)
                if name in names or (isinstance(content, FunctionType) and content.__code__ in self.codes):
                    described = f"{name} of the class {base.__name__}"
                    self._then(self.in_classes.add(space, name, described), described)
            self.sizes.add(
                space, lambda name, names=names: name in names or _is_dunder(name), f"{{}} of {base.__name__}"
            )
        self._class(type(kind), label)

    def _object(self, thing: Any, label: str) -> None:
        kind = type(thing)
        is_own = any(base.__module__.startswith("scalargrad.") for base in kind.__mro__)
        names = self.own_names if is_own else self.names
        self.attributes.add(thing, "__class__", f"the class of {label}")
        if isinstance(thing, Module):
            self.modules.append(thing)
        space = getattr(thing, "__dict__", None)
        if type(space) is dict:
            if not isinstance(thing, Module):
                self.attributes.add(thing, "__dict__", f"the attributes of {label}")
            if self.walks_modules if isinstance(thing, Module) else self.computes_names:
                names = names | space.keys()
            self._namespace(space, names, f"{{}} of {_named(thing, label)}")
        for base in kind.__mro__:
            for name, member in list(vars(base).items()):
                wanted = name in names or self.computes_names
                if wanted and isinstance(member, MemberDescriptorType) and name not in UNSEEN:
                    described = f"{name} of {_named(thing, label)}"
                    self._then(self.calls.add(partial(_content, member, thing), "", described), described)
        self._class(kind, label)
        if type(space) is not dict and _is_of_library(kind):  # written in C: whatever it refers to
            for content in gc.get_referents(thing):
                if not isinstance(content, type | ModuleType):
                    self._then(content, label)

    # Containers and arrays.

    def _contents(self, thing: Any, label: str) -> bool:
        """Guard what it holds, if it is a container or an array. Is that all there is to it?"""
        read = next((read for kind, read in CONTAINERS if isinstance(thing, kind)), None)
        if read is None and is_array_of_objects(thing):
            read = items_of_array
        if read is not None:
            described = f"an item of {label}"
            items = read(thing)
            if not isinstance(thing, tuple | frozenset):
                self.guards.append(Items(thing, read, described))
            if "label" in self.names or not set(map(type, items)) <= LEAVES:
                for item in items:
                    self._then(item, described)
            return _is_of_library(type(thing))
        numbers = numbers_of(thing)
        if numbers is None:
            return False
        size, read = numbers
        if 0 < size <= LARGEST_ARRAY:
            self.guards.append(Bits(read, f"a number of {label}"))
        return _is_of_library(type(thing)) or not hasattr(thing, "__array_finalize__")  # a subclass of NumPy's has more


class Facts:
    """What a code reads, and the functions and comprehensions inside it.

    names    of attributes, and texts that may be names
    globals  what it looks up in its module
    imports  modules that it imports when it runs
    """

    def __init__(self, code: CodeType) -> None:
        self.names, self.globals, self.imports = set(code.co_names), set(), set()  # type: ignore[var-annotated]
        self._constants(code.co_consts)
        extended, raw = 0, code.co_code
        for opcode, low in zip(raw[::2], raw[1::2], strict=True):
            name = OPCODES.get(opcode)
            if name is None:
                extended = 0
                continue
            argument = extended | low
            extended = argument << 8 if name == "EXTENDED_ARG" else 0
            if name == "IMPORT_NAME":
                self.imports.add(code.co_names[argument])
            elif name != "EXTENDED_ARG":
                self.globals.add(code.co_names[argument >> 1 if name == "LOAD_GLOBAL" else argument])

    def _constants(self, constants: Iterable) -> None:
        for constant in constants:
            if isinstance(constant, str):
                self.names |= {part for part in constant.split(".") if part.isidentifier()}
            elif isinstance(constant, tuple | frozenset):
                self._constants(constant)
            elif isinstance(constant, CodeType):
                inner = facts_of(constant)
                self.names |= inner.names
                self.globals |= inner.globals
                self.imports |= inner.imports


_of_this_package: dict[int, Facts] = {}  # by the id of a code, which stays: of others there may come ever more


def facts_of(code: CodeType) -> Facts:
    if not code.co_filename.startswith(PACKAGE):
        return Facts(code)
    if id(code) not in _of_this_package:
        _of_this_package[id(code)] = Facts(code)
    return _of_this_package[id(code)]


# What is looked at how.


def _inside(*attributes: str) -> Callable[[Surroundings, Any, str], None]:
    """Go on with these attributes, which stay what they are."""

    def visit(walk: Surroundings, thing: Any, label: str) -> None:
        for attribute in attributes:
            walk._then(getattr(thing, attribute), label)

    return visit


def _referents(walk: Surroundings, thing: Any, label: str) -> None:
    for content in gc.get_referents(thing):
        walk._then(content, label)


def _asked(walk: Surroundings, thing: Any, label: str) -> None:
    """Something of which one asks what it is now: a weak reference, a context variable."""
    read = thing if isinstance(thing, ref) else partial(thing.get, MISSING)
    walk._then(walk.calls.add(read, "", label), label)


def _getter(walk: Surroundings, thing: Any, label: str) -> None:
    """operator.attrgetter and its like: the names that they have been given."""
    given = thing.__reduce__()[1]
    walk.more_names |= {part for text in given if isinstance(text, str) for part in text.split(".")}
    for content in given:
        walk._then(content, label)


def _cached(walk: Surroundings, thing: Any, label: str) -> None:
    """A function with a cache: it counts as having run, even where the cache knew the answer."""
    if isinstance(thing.__wrapped__, FunctionType):
        walk.codes.add(thing.__wrapped__.__code__)
    walk._then(thing.__wrapped__, label)


def _of_module(walk: Surroundings, thing: Any, label: str) -> None:
    walk._namespace(vars(thing), walk.names, f"{{}} of the module {thing.__name__}")


VISITS: tuple[tuple[Any, Callable[[Surroundings, Any, str], None]], ...] = (
    (FunctionType, Surroundings._function),
    (MethodType, _inside("__self__", "__func__")),
    (partial, _inside("func", "args", "keywords")),
    (partialmethod, _inside("func", "args", "keywords")),
    (property, _inside("fget")),
    (cached_property, _inside("func")),
    (staticmethod | classmethod, _inside("__func__")),
    (type, Surroundings._class),
    (ModuleType, _of_module),
    (BuiltinMethodType | MethodWrapperType, _inside("__self__")),
    (CellType | MappingProxyType | type({}.keys()) | type({}.values()) | type({}.items()), _referents),
    (ref | ContextVar, _asked),
    (attrgetter | itemgetter | methodcaller, _getter),
    (type(lru_cache(len)), _cached),
)

# How a container is read, in its order, whatever a subclass of it says.
CONTAINERS: tuple[tuple[type, Callable[[Any], list]], ...] = (
    (list, list),
    (tuple, lambda items: [*tuple.__iter__(items)]),
    (dict, lambda items: [*dict.keys(items), *dict.values(items)]),
    (set, lambda items: [*set.__iter__(items)]),
    (frozenset, lambda items: [*frozenset.__iter__(items)]),
    (deque, lambda items: [*deque.__iter__(items)]),
)


def contents(thing: Any) -> Any:
    """Tokens of what a container or an array holds, one level deep; None for other things."""
    read = next((read for kind, read in CONTAINERS if isinstance(thing, kind)), None)
    if read is not None:
        return tokens(read(thing))
    numbers = numbers_of(thing)
    return None if numbers is None or numbers[0] > LARGEST_ARRAY else numbers[1]()


def numbers_of(thing: Any) -> tuple[int, Callable[[], Any]] | None:
    """How many bytes of numbers an array has, or what is like one, and what reads them; None for other things."""
    import numpy

    if isinstance(thing, numpy.generic):
        return 0, lambda: None  # it does not change
    if isinstance(thing, numpy.ndarray):
        mask = getattr(thing, "_mask", None)
        return thing.nbytes, lambda: (
            thing.shape,
            thing.dtype.str,
            numpy.ndarray.tobytes(thing),
            None if mask is None else numpy.asarray(thing._mask).tobytes(),
        )
    try:
        size = memoryview(thing).nbytes
        return size, lambda: bytes(memoryview(thing))
    except (TypeError, ValueError):
        pass
    if not hasattr(type(thing), "__array__"):
        return None
    try:
        array = _as_array(thing)
    except Exception:
        return None
    return array.nbytes, lambda: _numbers(_as_array(thing))


def is_array_of_objects(thing: Any) -> bool:
    return (
        getattr(getattr(thing, "dtype", None), "kind", "") == "O"
        and type(thing).__module__ == "numpy"
        and hasattr(thing, "ravel")
    )


def items_of_array(array: Any) -> list:
    return [*array.shape, *array.ravel().tolist()]


def _as_array(thing: Any) -> Any:
    import numpy

    if hasattr(thing, "detach"):  # PyTorch's
        thing = thing.detach().cpu()
    return numpy.asarray(thing)


def _numbers(array: Any) -> Any:
    numbers = tokens(array.ravel().tolist()) if array.dtype == object else array.tobytes()
    return array.shape, array.dtype.str, numbers


def _named(thing: Any, label: str) -> str:
    return f"{label} (a {type(thing).__name__})"


def _content(member: Any, thing: Any) -> Any:
    """What is in a slot."""
    try:
        return member.__get__(thing)
    except AttributeError:
        return MISSING


def _is_of_library(thing: Any) -> bool:
    """Is this class Python's own or NumPy's, or this code one of theirs or of this package? It does not change."""
    if isinstance(thing, type):
        return thing.__module__.partition(".")[0] in LIBRARIES - {"scalargrad"}
    file = thing.co_filename
    return (
        file.startswith((PACKAGE, "<frozen"))
        or (file.startswith(STANDARD_LIBRARY) and "site-packages" not in file and "dist-packages" not in file)
        or f"{os.sep}numpy{os.sep}" in file
    )


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")
