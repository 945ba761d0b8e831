"""The walk: from a function on, over all objects in reach, and guards for the names under which code asks for them."""

import builtins
import gc
import os
import sys
from abc import ABCMeta, get_cache_token
from collections import deque
from collections.abc import Callable, Mapping, Set
from contextvars import ContextVar
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
    SimpleNamespace,
)
from typing import Any
from weakref import ref

from scalargrad.away import HOMES, class_away
from scalargrad.compiler.watch.chance import is_drawn_from
from scalargrad.compiler.watch.contents import LARGEST_ARRAY, numbers_of, reader_of
from scalargrad.compiler.watch.facts import IMPORTS, Facts, facts_of
from scalargrad.compiler.watch.guards import (
    MISSING,
    PLAIN,
    Bits,
    Containers,
    Dicts,
    Items,
    Kinds,
    Reads,
    Sizes,
    Spaces,
    is_text_or_row,
)
from scalargrad.compiler.watch.libraries import is_of_library, module_of
from scalargrad.holders import UNSEEN
from scalargrad.modes import MODE
from scalargrad.ops import Op
from scalargrad.structure import Structure
from scalargrad.support.callers import PACKAGE, is_library

VALUES = {*HOMES, *map(class_away, HOMES)}
ASKED_OF_VALUES = {"label": "the label of {}", "requires_grad": "requires_grad of {}"}  # besides their numbers
LEAVES = {*PLAIN, *VALUES, Op, CodeType, type(Ellipsis), type(NotImplemented)}
LONGEST_LABEL = 100
COMPILER = "scalargrad.compiler"  # whose objects are not the user's
# Methods that C code calls, for operations of the table, too: they count as having run.
CALLED_BY_C = {"__float__", "__int__", "__index__", "__len__", "__iter__", "__getitem__", "__bool__", "__array__"}
NONE: Set[str] = frozenset()
ASKED_OF_FUNCTIONS = {"__defaults__", "__kwdefaults__", "__closure__", "__code__", "__name__", "__doc__"}


class Reached:
    """The code that counts as having run, and the names it asks for: a walk may find more, and is made again then.

    codes       of the functions that ran
    more_names  besides those that the codes read
    asked       ids of objects of which any attribute may be asked
    """

    def __init__(self, codes: set[CodeType]) -> None:
        self.codes = set(codes)
        self.more_names: set[str] = set()
        self.asked: set[int] = set()

    @property
    def extent(self) -> tuple[int, int, int]:
        return len(self.codes), len(self.more_names), len(self.asked)


class Walk:
    """One walk from some roots, each with a label.

    without   attributes that are not watched, by the id of their object
    guards    of what was found
    modules   the Modules among it
    sources   the generators of random numbers and the iterators among it
    """

    def __init__(self, roots: list[tuple[Any, str]], reached: Reached, without: Mapping[int, Set[str]]) -> None:
        # Shared: what this walk finds, the next one knows.
        self.codes, self.more_names, self.asked = reached.codes, reached.more_names, reached.asked
        self.without = without
        self.modules: list[Structure] = []
        self.sources: list[Any] = []
        self.seen: dict[Any, Any] = {}  # by id; kept alive, so that an id stays its own
        self.met: dict[int, tuple] = {}  # by the id of a class what is known of its objects
        self.met_codes: set[CodeType] = set()
        self.reads, self.reads_of_layers = Reads(), Reads(is_text_or_row)
        self.sizes, self.sizes_of_layers, self.classes = Sizes(), Sizes(), Kinds()
        self.containers: list[Items] = []
        self.guards: list[Any] = []
        self._collect_names()
        self.waiting = deque(roots)
        if "getenv" in self.names:
            self.waiting.append((os.environ, "the environment"))
        if not IMPORTS.isdisjoint(self.names):  # of a name that may be computed
            modules = [module for module in list(sys.modules.values()) if issubclass(type(module), ModuleType)]
            self.waiting += [(module, module.__name__) for module in modules if not is_library(module.__name__)]
        self._go_on()
        # Functions that ran and that the walk has not met, such as those that C code keeps.
        others = [code for code in self.codes - self.met_codes if not is_of_library(code)]
        if others:
            holders = [thing for thing in gc.get_referrers(*others) if type(thing) is FunctionType]
            self.waiting += [(function, function.__name__) for function in holders]
            self._go_on()
        layers = Spaces(self.reads_of_layers, self.sizes_of_layers)
        containers = Containers(self.containers)
        self.guards[:0] = filter(None, [Dicts(self.modules), layers, self.reads, self.sizes, self.classes, containers])

    def _collect_names(self) -> None:
        """The names that code of this package asks for, and those that other code does."""
        self.names: set[str] = set(self.more_names)
        self.own_names: set[str] = set()
        for code in self.codes:
            (self.own_names if code.co_filename.startswith(PACKAGE) else self.names).update(facts_of(code).names)
        self.computes_names = any(
            facts_of(code).computes for code in self.codes if not code.co_filename.startswith(PACKAGE)
        )
        self.walks_modules = self.computes_names or "vars" in self.own_names  # as parameters() does
        self.own_names |= self.names
        self.asked_of_values = {name: label for name, label in ASKED_OF_VALUES.items() if name in self.names}

    def _go_on(self) -> None:
        while self.waiting:
            self._visit(*self.waiting.popleft())

    def _then(self, content: object, label: str) -> None:
        if type(content) not in LEAVES or self.asked_of_values:
            self.waiting.append((content, label))

    def _visit(self, thing: object, label: str) -> None:
        kind = type(thing)
        if kind in VALUES:
            for name, described in self.asked_of_values.items():
                self.reads.add(described.format(label), getattr, thing, name, MISSING)
        if kind in LEAVES or thing is MISSING or id(thing) in self.seen or module_of(kind).startswith(COMPILER):
            return
        self.seen[id(thing)] = thing
        if len(label) > LONGEST_LABEL:  # of a long chain of objects: each would repeat those before
            label = label[:LONGEST_LABEL] + "..."
        visit = next((visit for kinds, visit in VISITS if issubclass(kind, kinds)), None)
        if visit is not None:
            visit(self, thing, label)
        elif is_drawn_from(thing):
            self.sources.append(thing)
        elif not self._contents(thing, label):
            self._object(thing, label)
            return
        if not is_of_library(kind) and visit is not Walk._class:
            self._object(thing, label)

    # Functions and modules.

    def _function(self, function: FunctionType, label: str) -> None:
        code, name = function.__code__, function.__qualname__.replace("<locals>.", "")
        if vars(function):
            self._namespace(vars(function), self.names | {"__wrapped__"}, f"{{}} of {name}")
        for part in self.names & ASKED_OF_FUNCTIONS:
            self._then(self.reads.add(f"{part} of {name}", getattr, function, part, MISSING), f"{part} of {name}")
        if code not in self.codes:
            return
        self._reach(code)
        for variable, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            self._cell(cell, f"{variable} around {name}")
        if is_of_library(code):
            return  # what these define does not change
        for part in ("__code__", "__defaults__", "__kwdefaults__"):
            self._then(self.reads.add(f"{part} of {name}", getattr, function, part, MISSING), f"a default of {name}")
        facts, scope = facts_of(code), function.__globals__
        described = f"{{}} among the globals of {name}"
        self._namespace(scope, facts.globals, described, facts, not facts.names.isdisjoint(("globals", "eval", "exec")))
        self._namespace(vars(builtins), facts.globals - scope.keys(), described)
        self.asked |= {id(scope[name]) for name in facts.asked if name in scope}
        for imported in facts.imports:
            for path in (imported, ".".join(filter(None, (scope.get("__package__"), imported)))):
                if issubclass(type(sys.modules.get(path)), ModuleType):
                    self._module(sys.modules[path], facts)

    def _cell(self, cell: CellType, label: str) -> None:
        self._then(self.reads.add(label, getattr, cell, "cell_contents", MISSING), label)

    def _reach(self, code: CodeType) -> None:
        self.met_codes.add(code)
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                self._reach(constant)

    def _module(self, module: ModuleType, facts: Facts) -> None:
        """Look at what code reads of a module, and of those inside it."""
        if (id(module), id(facts)) in self.seen:
            return
        self.seen[id(module), id(facts)] = facts
        computes = "getattr" in facts.names and not is_library(module.__name__)
        self._namespace(vars(module), facts.names, f"{{}} of the module {module.__name__}", facts, computes)

    def _namespace(
        self,
        space: dict,
        names: Set[str],
        label: str,
        facts: Facts | None = None,
        every: bool = False,
        is_own: bool = False,
        without: Set[str] = NONE,
    ) -> None:
        """Guard these names, or `every` one, where they are and where they are not.

        facts   of the code that asks: modules are looked into, for its names
        is_own  does only code of this package ask?
        without these
        """
        names = names - without if without else names
        reads, sizes = (self.reads_of_layers, self.sizes_of_layers) if is_own else (self.reads, self.sizes)
        if every:
            present = {name for name in list(space) if not _is_dunder(name)} - without | names & space.keys()
        else:
            present = names & space.keys()
        for name in sorted(present, key=str):  # the order in which modules are met is that of their parameters
            described = label.format(name)
            content = reads.add(described, dict.get, space, name, MISSING)
            if facts is not None and issubclass(type(content), ModuleType):
                self._module(content, facts)
            if facts is None or not issubclass(type(content), ModuleType) or not is_library(content.__name__):
                self._then(content, described)  # a module, too: code may hand it on to other code
        wanted: Callable[[str], bool] = (lambda name: name not in without) if every else names.__contains__
        sizes.add(space, wanted, label)

    # Classes and objects.

    def _class(self, kind: type, label: str) -> None:
        if is_of_library(kind):
            return
        self.reads.add(f"the bases of {kind.__name__}", getattr, kind, "__mro__", MISSING)
        if "__subclasses__" in self.names:
            children = Items(kind, type.__subclasses__, f"a subclass of {kind.__name__}")
            self.containers.append(children)
            for child in children.items:
                self._then(child, f"a subclass of {kind.__name__}")
        if isinstance(kind, ABCMeta):
            self.reads.add(f"what is registered as a {kind.__name__}", get_cache_token)
        for base in kind.__mro__:
            if ("base", id(base)) in self.seen or is_of_library(base):
                continue
            self.seen["base", id(base)] = base
            is_own = module_of(base).startswith("scalargrad.")
            names, space = self.own_names if is_own else self.names, vars(base)
            for name, content in list(space.items()):
                if type(content) in (GetSetDescriptorType, MemberDescriptorType):
                    continue
                if type(content) is FunctionType and name in CALLED_BY_C and not is_own:
                    self.codes.add(content.__code__)
                ran = type(content) is FunctionType and content.__code__ in self.codes
                every = id(kind) in self.asked and not _is_dunder(name)
                if name in names or ran or every or name == "__match_args__":
                    described = f"{name} of the class {base.__name__}"
                    self._then(self.reads.add(described, MappingProxyType.get, space, name, MISSING), described)
            self.sizes.add(space, partial(_may_be_asked, names), f"{{}} of {base.__name__}")
        self._class(type(kind), label)

    def _object(self, thing: Any, label: str) -> None:
        kind = type(thing)
        if id(kind) not in self.met:
            self.met[id(kind)] = self._meet(kind, label)
        names, read, slots = self.met[id(kind)]
        without = is_changing = self.without.get(id(thing), NONE)
        self.classes.add(thing, f"the class of {label}")
        is_module = issubclass(kind, Structure)
        if is_module:
            self.modules.append(thing)
            without = without if self.computes_names else without | {MODE}  # `Modes` knows who was asked for it
        space = _attributes(thing, read)
        if space is not None:
            if not is_module:
                self.reads.add(f"the attributes of {label}", _attributes, thing, read)
            every = self.walks_modules if is_module else self.computes_names
            every = every or id(thing) in self.asked or kind is SimpleNamespace  # which C code compares and shows
            is_own = module_of(kind).startswith("scalargrad.") and not is_changing  # so that it stays what it is
            self._namespace(space, names, f"{{}} of {_named(thing, label)}", None, every, is_own, without)
        for name, member in slots:
            described = f"{name} of {_named(thing, label)}"
            self._then(self.reads.add(described, _content, member, thing), described)
        if space is None and is_of_library(kind):  # written in C: whatever it refers to
            for content in gc.get_referents(thing):
                if not issubclass(type(content), type | ModuleType):
                    self._then(content, label)

    def _meet(self, kind: type, label: str) -> tuple[Set[str], Callable, list[tuple[str, Any]]]:
        """Facts of the objects of a class: names that are asked of them, a reader of their attributes, their slots."""
        self._class(kind, label)
        is_own = any(module_of(base).startswith("scalargrad.") for base in kind.__mro__)
        names = self.own_names if is_own else self.names
        slots = [
            (name, member)
            for base in kind.__mro__
            for name, member in list(vars(base).items())
            if type(member) is MemberDescriptorType and name not in UNSEEN and (name in names or self.computes_names)
        ]
        return names, _reader_of_attributes(kind), slots

    # Containers and arrays.

    def _contents(self, thing: object, label: str) -> bool:
        """Guard what it holds, if it is a container or an array."""
        read = reader_of(thing)
        if read is not None:
            described = f"an item of {label}"
            items = read(thing)
            if not issubclass(type(thing), tuple | frozenset):
                name = label.split()[0]
                name = "" if name in ("a", "an", "the") else name
                self.containers.append(Items(thing, read, described, name))
            if self.asked_of_values or not set(map(type, items)) <= LEAVES:
                for item in items:
                    self._then(item, described)
            return True
        numbers = numbers_of(thing)
        if numbers is None:
            return False
        if 0 < numbers[0] <= LARGEST_ARRAY:
            self.guards.append(Bits(numbers[1], f"a number of {label}"))
        return True


# What is looked at how.


def _inside(*attributes: str) -> Callable[[Walk, Any, str], None]:
    """Go on with these attributes, which stay what they are."""

    def visit(walk: Walk, thing: object, label: str) -> None:
        for attribute in attributes:
            walk._then(getattr(thing, attribute), label)

    return visit


def _referents(walk: Walk, thing: object, label: str) -> None:
    for content in gc.get_referents(thing):
        walk._then(content, label)


def _asked(walk: Walk, thing: Any, label: str) -> None:
    """Something of which one asks what it is now: a weak reference, a context variable."""
    get: Callable = ref.__call__ if issubclass(type(thing), ref) else _value_of
    walk._then(walk.reads.add(label, get, thing), label)


def _getter(walk: Walk, thing: object, label: str) -> None:
    """operator.attrgetter and its like: the names that they have been given."""
    given = thing.__reduce__()[1]
    walk.more_names |= {part for text in given if type(text) is str for part in text.split(".")}
    for content in given:
        walk._then(content, label)


def _cached(walk: Walk, thing: Any, label: str) -> None:
    """A function with a cache: it counts as having run, even where the cache knew the answer."""
    if type(thing.__wrapped__) is FunctionType:
        walk.codes.add(thing.__wrapped__.__code__)
    walk._then(thing.__wrapped__, label)


def _of_module(walk: Walk, thing: Any, label: str) -> None:
    walk._namespace(vars(thing), walk.names, f"{{}} of the module {thing.__name__}")


VISITS: tuple[tuple[Any, Callable[[Walk, Any, str], None]], ...] = (
    (FunctionType, Walk._function),
    (MethodType, _inside("__self__", "__func__")),
    (partial, _inside("func", "args", "keywords")),
    (partialmethod, _inside("func", "args", "keywords")),
    (property, _inside("fget")),
    (cached_property, _inside("func")),
    (staticmethod | classmethod, _inside("__func__")),
    (type, Walk._class),
    (ModuleType, _of_module),
    (BuiltinMethodType | MethodWrapperType, _inside("__self__")),
    (CellType, Walk._cell),
    (MappingProxyType | type({}.keys()) | type({}.values()) | type({}.items()), _referents),
    (ref | ContextVar, _asked),
    (attrgetter | itemgetter | methodcaller, _getter),
    (type(lru_cache(len)), _cached),
)


def _named(thing: object, label: str) -> str:
    return f"{label} (a {type(thing).__name__})"


def _value_of(variable: ContextVar) -> Any:
    try:
        return variable.get()
    except LookupError:
        return MISSING


def _reader_of_attributes(kind: type) -> Callable[[Any], Any]:
    """A reader of the `__dict__` of objects of this class, whatever the class says of getting attributes."""
    getter: Any = kind.__getattribute__
    if type(getter) is not FunctionType and getter is not object.__getattribute__:
        return lambda thing: getter(thing, "__dict__")  # written in C, such as that of threading.local
    for base in kind.__mro__:
        member: Any = vars(base).get("__dict__")
        if type(member) in (GetSetDescriptorType, MemberDescriptorType):
            return member.__get__
    return lambda thing: None


def _attributes(thing: object, read: Callable[[Any], Any]) -> dict | None:
    try:
        space = read(thing)
    except (AttributeError, TypeError):  # its class has become another one
        return None
    return space if type(space) is dict else None


def _content(member: Any, thing: Any) -> Any:
    """The content of a slot."""
    try:
        return member.__get__(thing)
    except AttributeError:
        return MISSING


def _may_be_asked(names: set[str], name: str) -> bool:
    return name in names or _is_dunder(name)


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")
