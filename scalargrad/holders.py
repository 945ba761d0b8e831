"""Holders of parameters and modules: attributes of a module, lists, tuples, dictionaries, arrays, and all in these.

A Module finds them by `inventory` (quickly, without names), `walk` (with names) and `arrays` (for files), and these
open a holder by `opened`. What is no holder may hide some all the same: `refuse_lost` looks for them.
"""

import gc
import sys
import types
import weakref
from collections import Counter, OrderedDict, UserDict, UserList, defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from contextvars import ContextVar
from functools import cached_property, lru_cache
from itertools import chain
from typing import Any, NamedTuple, Self

from scalargrad import observers
from scalargrad.engine import Value
from scalargrad.operands import brief
from scalargrad.ops import Op

_made = Value.__init__  # a model makes a hundred thousand parameters, and super() takes its time


class Parameter(Value):
    """A leaf Value that training moves. Its label is its name in the network: `layers.0.neurons.3.weights.1`.

    With `requires_grad = False` it is frozen: no step moves it, whatever its gradient is, and what an optimizer
    remembers of it stays. `backward()` computes its gradient all the same. Copies and pickles of it are frozen, too;
    files of a model, like PyTorch's, do not say it. To freeze a plain Value, leave it out of the list of parameters.

    >>> w, frozen = Parameter(1.0), Parameter(2.0, requires_grad=False)
    >>> w.requires_grad = False
    """

    __slots__ = ("_frozen",)  # without content in those that nobody ever froze
    is_parameter = True

    def __init__(
        self,
        data: object,
        label: str = "",
        op: Op | None = None,
        first: object = (),
        second: object = (),
        *,
        requires_grad: bool = True,
    ) -> None:
        _made(self, data, label, op, first, second)
        if requires_grad is not True:
            self.requires_grad = requires_grad

    @property
    def requires_grad(self) -> bool:
        return not getattr(self, "_frozen", False)

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if type(wanted) is not bool:
            raise TypeError(f"requires_grad is True or False, got {brief(wanted)}")
        observers.tell("frozen", [self], "setting requires_grad", "set it outside")
        if wanted is not self.requires_grad:
            self._frozen = not wanted
            changes_of_frozen[0] += 1

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freeze this parameter (False) or thaw it, and return it, as in PyTorch."""
        self.requires_grad = requires_grad
        return self

    def __reduce__(self) -> tuple:
        kind, arguments, (_, state) = super().__reduce__()
        return kind, arguments, (None, state if self.requires_grad else {**state, "requires_grad": False})


changes_of_frozen = [0]  # how often any parameter was frozen or thawed


def without_frozen(parameters: Sequence[Value]) -> Sequence[Value]:
    """The parameters that a step moves: the same list, as long as nobody has frozen any."""
    if not changes_of_frozen[0]:
        return parameters
    return [x for x in parameters if not isinstance(x, Parameter) or x.requires_grad]


class Buffer(Value):
    """A leaf Value that belongs to a module's state but that training does not move: a running average."""

    __slots__ = ()

    def update(self, expression: Any) -> None:
        """Set the number to that of `expression`. In a compiled program: once after each training step."""
        if not any(observer.updated(self, expression) for observer in observers.observers.get()):
            self.data = float(expression)


NOTES = ("inventory", "lock", "places", "programs", "searched")  # on a model, which are no part of what it is
UNSEEN = tuple(f"_scalargrad_{name}" for name in NOTES)  # the slots of them: users have a `_lock` of their own


class Holder:
    """The base of Module: an object whose attributes are looked at."""

    __slots__ = UNSEEN


_slots = {name: getattr(Holder, slot) for name, slot in zip(NOTES, UNSEEN, strict=True)}


def noted(model: Holder, name: str) -> Any:
    """The note of this name on a model, or None. Its `__getattr__` is not asked: it may hand on those of another."""
    try:
        return _slots[name].__get__(model)
    except AttributeError:
        return None


def note(model: Holder, name: str, content: object) -> None:
    """Put a note on a model."""
    _slots[name].__set__(model, content)


BARE: set[type] = {object, Holder}  # classes without attributes of interest; Module adds itself
LISTS = (list, tuple, deque, UserList)
DICTIONARIES = (dict, UserDict)
FAMILIAR = {list, tuple, dict, deque, OrderedDict, defaultdict, Counter}  # which have nothing but their items
UNCOPIED = (types.MappingProxyType, weakref.WeakKeyDictionary, weakref.WeakValueDictionary)  # a copy would share items
PROXIES = (weakref.ProxyType, weakref.CallableProxyType)
HERE: Any = object()  # the name of the only item of an array without axes: that of the array
ALONE = (HERE,)
EMPTY: tuple[Collection, Collection] = ((), ())
NOTHING: tuple[bool, dict] = (False, {})  # of a class
GARBAGE_COLLECTED, MADE_BY_CLASS = 1 << 14, 1 << 9  # flags of types
MANY = 300  # objects, among which one does not look in every step of training

# Kinds of things that hold nothing or, as functions do, hold it where nobody looks: on purpose.
LEAVES = {
    *(bool, int, float, complex, str, bytes, bytearray, type(None), range, slice, Value, Op),
    *(types.FunctionType, types.BuiltinFunctionType, types.ModuleType, types.CodeType, types.FrameType),
    *(types.TracebackType, property, staticmethod, classmethod, cached_property, types.MemberDescriptorType),
    *(types.GetSetDescriptorType, types.MethodDescriptorType, types.WrapperDescriptorType),
}
# What these define works on the parameters of others and shows them, or leads to everything that there is.
BLIND = (
    *(f"scalargrad.{part}." for part in ("compiler", "drawing", "explaining", "pages")),
    "logging.",
)


class Inventory(NamedTuple):
    """The contents of holders.

    found        parameters in order, as often as they are there
    buffers      each once, in order
    modules      likewise, those that were asked for first
    seen         modules and other holders, by id
    others       what is no holder, or has more than its items: it may hide some
    unclear      may two things have one name?
    contents     of each holder that may come to hold something else, what it held; None, if that is not all that may
    """

    found: list[Parameter]
    buffers: dict[Buffer, None]
    modules: list[Any]
    seen: dict[int, Any]
    others: list[Any]
    unclear: bool
    contents: list[tuple[Any, list]] | None = None

    @property
    def parameters(self) -> dict[Parameter, None]:
        """Each once, in order."""
        return dict.fromkeys(self.found)


def inventory(things: Iterable) -> Inventory:
    """Find all that these are and hold, however deep and in whatever circles."""
    found: list[Any] = []
    buffers: dict[Any, None] = {}
    modules: list[Any] = []
    seen: dict[int, Any] = {}
    others: list[Any] = []
    contents: list[tuple[Any, list]] = []
    unclear, known = False, True
    classes: dict[type, tuple[bool, dict]] = {}
    stack = [iter(things)]
    while stack:
        for x in stack[-1]:
            kind = type(x)
            if kind is Parameter:
                found.append(x)
                continue
            if kind in LEAVES:
                continue
            if kind is tuple or kind is list:
                inside = x.copy() if kind is list else x
                if kind is list:
                    contents.append((x, inside))
                kinds = set(map(type, inside))
                if _are_parameters(kinds):  # a row of weights, at once
                    found += inside
                    continue
                if kinds <= LEAVES:
                    continue
            elif issubclass(kind, Value):
                if issubclass(kind, Parameter):
                    found.append(x)
                elif issubclass(kind, Buffer):
                    buffers[x] = None
                continue
            elif issubclass(kind, Holder):
                if id(x) in seen:
                    continue
                modules.append(x)
                inside = list((vars(x) if classes.get(kind) is NOTHING else attributes(x, classes)).values())
                contents.append((x, inside))
            elif _holds_nothing(kind):
                LEAVES.add(kind)
                continue
            else:
                names, inside = opened(x)
                if kind is dict:
                    names, inside = list(names), list(inside)
                    contents.append((x, [*names, *inside]))
                else:
                    known = known and _is_array_of_numbers(x)
                if not _has_only_items(kind) or not _are_leaves(names):
                    others.append(x)
                if _are_leaves(inside):
                    continue
                unclear = unclear or not _differ(names)
            if id(x) not in seen:
                seen[id(x)] = x
                stack.append(iter(inside))
                break
        else:
            stack.pop()
    return Inventory(found, buffers, modules, seen, others, unclear, contents if known and not others else None)


def walk(
    items: Iterable[tuple[str, Any]], owner: object = None, into_modules: bool = True
) -> Iterator[tuple[str, Any]]:
    """(name, part) for these and all that is in them. A holder comes once, a parameter under each of its names.

    owner   whose items these are: where something leads back to it, the walk goes no further
    """
    for name, x, (endings, row) in walk_by_rows(items, owner, into_modules):
        yield name, x
        for ending, part in zip(endings, row):  # noqa: B905 (many)
            yield name + ending, part


def walk_by_rows(
    items: Iterable[tuple[str, Any]], owner: object = None, into_modules: bool = True
) -> Iterator[tuple[str, Any, tuple[Collection, Collection]]]:
    """(name, part, row) as `walk`, but the parameters of a row all at once: the ends of their names, and they."""
    seen: dict[int, Any] = {}
    classes: dict[type, tuple[bool, dict]] = {}
    stack = list(items)[::-1]
    while stack:
        name, x = stack.pop()
        kind = type(x)
        if kind is not Parameter and not issubclass(kind, Value):
            if kind in LEAVES or id(x) in seen:
                continue
            seen[id(x)] = x
        if issubclass(kind, Value) or x is owner or (issubclass(kind, Holder) and not into_modules):
            yield name, x, EMPTY
            continue
        keys, inside = opened(x, classes)
        kinds = set(map(type, inside))
        if _are_parameters(kinds) and keys is not ALONE:  # a row of weights
            yield name, x, (_endings_of_places(len(keys)) if type(keys) is range else _endings(keys), inside)
            continue
        yield name, x, EMPTY
        if not kinds <= LEAVES:
            stack += [(_joined(name, key), part) for key, part in zip(keys, inside, strict=True)][::-1]


def arrays(name: str, x: Any) -> Iterator[tuple[str, Any]]:
    """(name, nested lists) for each array of parameters or buffers in something: modules name their own.

    What is held twice comes twice, but what is inside of itself only once.
    """
    kind = type(x)
    if issubclass(kind, Parameter | Buffer):
        yield name, x
        return
    if kind in LEAVES:
        return
    naming = _naming.get()
    assert naming is not None, "a Module names its arrays"
    seen, classes = naming
    keys, inside = opened(x, classes)
    if _are_leaves(inside) or (id(x) in seen and id(x) in inventory(inside).seen):
        return
    seen[id(x)] = x
    if issubclass(kind, Holder):
        for rest, array in x.named_arrays():
            yield f"{name}.{rest}", array
    elif shape_of_array(x) is not None:
        yield name, nested(x)
    else:
        for key, part in zip(keys, inside, strict=True):
            yield from arrays(_joined(name, key), part)


def arrays_of(module: object, but: Collection[str] = ()) -> list[tuple[str, Any]]:
    """The arrays in the attributes of a module, `but` those of some names. All at once: see `_naming`."""
    naming = _naming.get() or ({}, {})
    token = _naming.set(naming)
    try:
        seen, classes = naming
        seen.setdefault(id(module), module)
        found = attributes(module, classes).items()
        return [array for name, attribute in found if name not in but for array in arrays(name, attribute)]
    finally:
        _naming.reset(token)


# While a module asks those inside it in turn: what has been named, by id, and what is known of classes.
_naming: ContextVar[tuple[dict[int, Any], dict[type, tuple[bool, dict]]] | None] = ContextVar("_naming", default=None)


def shape_of_array(x: Any, around: tuple[int, ...] = ()) -> tuple[int, ...] | None:
    """The shape of a parameter, of a list of them, or of equally long such lists; None for anything else."""
    if isinstance(x, Value):
        return () if isinstance(x, Parameter | Buffer) else None
    if isinstance(x, Holder) or not (isinstance(x, LISTS) or _is_array(x)) or id(x) in around:
        return None
    keys, inside = opened(x)
    if all(issubclass(kind, Parameter) for kind in set(map(type, inside))):
        shapes: set = {()} if len(inside) else {None}
    else:
        shapes = {shape_of_array(item, (*around, id(x))) for item in inside}
    if len(shapes) != 1 or None in shapes:
        return None
    (shape,) = shapes
    return shape if keys == ALONE else (len(inside), *shape)


def nested(x: Any) -> Any:
    """An array as lists, or tuples, in each other; a number as it is."""
    if isinstance(x, Value):
        return x
    keys, inside = opened(x)
    if keys == ALONE:
        return nested(next(iter(inside)))
    return x if isinstance(x, list | tuple) and _are_values(x) else [nested(item) for item in inside]


def flat(x: Any) -> Iterator[Value]:
    """The numbers of an array, in a row."""
    return chain.from_iterable(rows(nested(x)))


def rows(x: Any) -> list[Sequence[Value]]:
    """The innermost rows of an array that is `nested`; a number is a row of one."""
    if isinstance(x, Value):
        return [(x,)]
    return [x] if _are_values(x) else [row for item in x for row in rows(item)]


def opened(x: Any, classes: dict[type, tuple[bool, dict]] | None = None) -> tuple[Collection, Collection]:
    """The names of what a holder holds, and what it holds. Both are empty for what is no holder.

    classes   what is known of classes of modules so far

    >>> opened({"x": 0.5, "y": "a"})
    (dict_keys(['x', 'y']), dict_values([0.5, 'a']))
    """
    kind = type(x)
    if kind is tuple or kind is list:
        return range(len(x)), x
    if issubclass(kind, Holder):
        found = attributes(x, classes)
        return found.keys(), found.values()
    if issubclass(kind, LISTS):
        return range(len(x)), x
    if issubclass(kind, DICTIONARIES):
        return x.keys(), x.values()
    if _is_array(x):
        items = _without_mask(x).tolist()
        return (range(len(items)), items) if x.ndim else (ALONE, (items,))
    # Others may make their items when they are asked, from files even: not if there is nothing to find.
    if issubclass(kind, Mapping) and not issubclass(kind, UNCOPIED) and leads_to_some(x):
        return list(x), [x[key] for key in x]
    if issubclass(kind, Sequence) and leads_to_some(x):
        return range(len(x)), list(x)
    return EMPTY


def attributes(module: object, classes: dict[type, tuple[bool, dict]] | None = None) -> Mapping[str, Any]:
    """The attributes of a module by name: its own, those in its slots, then those of its class.

    classes   what is known of classes so far
    """
    kind, classes = type(module), {} if classes is None else classes
    if kind not in classes:
        classes[kind] = attributes_of_class(kind)
    if classes[kind] is NOTHING:
        return vars(module)
    has_slots, shared = classes[kind]
    found = dict(vars(module))
    if has_slots:
        state = object.__getstate__(module)
        slots = state[1] if isinstance(state, tuple) else {}
        found.update((name, attribute) for name, attribute in slots.items() if name not in UNSEEN)
    return {**found, **{name: attribute for name, attribute in shared.items() if name not in found}}


def attributes_of_class(kind: type) -> tuple[bool, dict[str, Any]]:
    """Has a class of modules slots of its own? And its attributes that may hold something, of its bases, too."""
    found: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        if base not in BARE:
            found.update(vars(base))
    has_slots = types.MemberDescriptorType in set(map(type, found.values()))
    shared = _holding(found)
    return (has_slots, shared) if has_slots or shared else NOTHING


def _holding(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a class that may hold something, without what Python notes there."""
    return {name: x for name, x in attributes.items() if type(x) not in LEAVES and not name.startswith(("__", "_abc_"))}


# What is lost behind other things.


def refuse_lost(module: object, found: Inventory) -> int:
    """TypeError if something that is no holder hides what was not found; else how many objects were looked at."""
    part, count = _lost(module, found, found.others)
    if part is None:
        return count
    others = set(map(id, found.others))
    for name, x in walk(attributes(module).items(), module):
        if id(x) in others and (part := _lost(module, found, [x])[0]) is not None:
            label = f" {part.label}" if isinstance(part, Value) and part.label else ""
            raise TypeError(
                f"{type(module).__name__}.{name} is {_words(x)}: parameters() does not find the {type(part).__name__}"
                f"{label} in it, which would be neither trained nor saved. {_remedy(x, part)}; what is not to be "
                "trained may stay in a function"
            )
    raise AssertionError("what is lost is behind one of them")


def refuse_equal_names(module: object) -> None:
    """ValueError if two parameters or buffers have one name."""
    named: dict[str, Any] = {}
    for name, x in walk(attributes(module).items(), module):
        if isinstance(x, Parameter | Buffer) and named.setdefault(name, x) is not x:
            raise ValueError(f"two parameters of this {type(module).__name__} are called {name}: {RENAME}")


RENAME = "one would be lost. Give the dictionary keys that differ as texts without dots, or use a list"


def _lost(module: object, found: Inventory, others: Iterable) -> tuple[Any, int]:
    """The first parameter, buffer or module behind others that was not found, or None; and how much was looked at."""
    waiting, parameters = list(others), found.parameters
    seen = {id(x): x for x in waiting}
    while waiting:
        for part in _referents(waiting.pop()):
            kind = type(part)
            if kind in LEAVES or id(part) in seen or id(part) in found.seen:
                continue
            seen[id(part)] = part
            if issubclass(kind, Parameter | Buffer):
                if part not in parameters and part not in found.buffers:
                    return part, len(seen)
            elif issubclass(kind, Holder):
                inside = inventory([part])
                if id(module) in inside.seen:  # a way back to what the module itself is part of
                    continue
                known = parameters.keys() >= set(inside.found) and inside.buffers.keys() <= found.buffers.keys()
                if not known or not (inside.found or inside.buffers):  # one without any is lost to eval()
                    return part, len(seen)
                waiting.append(part)
            elif not issubclass(kind, Value):
                waiting.append(part)
    return None, len(seen)


def leads_to_some(x: Any) -> bool:
    """Is there a parameter, a buffer or a module behind an object, in whatever way?"""
    return _lost(None, Inventory([], {}, [], {}, [], False), [x])[0] is not None


def _referents(x: Any) -> Iterable[Any]:
    """The objects that an object holds: its attributes, items, arguments, and what its class has."""
    kind = type(x)
    if f"{kind.__module__}.".startswith(BLIND):
        return ()
    if issubclass(kind, Holder):
        return attributes(x).values()
    if issubclass(kind, weakref.ref):
        return (x(),)
    if kind in PROXIES:
        try:
            return (x.__reduce_ex__.__self__,)  # the object behind
        except ReferenceError:
            return ()
    if _is_array(x):
        return [*_without_mask(x).ravel().tolist(), *gc.get_referents(x)]
    if any(base.__module__ == "scalargrad.optim" for base in kind.__mro__):
        return [setting for name, setting in vars(x).items() if name != "state"]  # it remembers those that it moved
    if not issubclass(kind, type):
        return gc.get_referents(x)
    if issubclass(x, Holder):
        return ()
    return [attribute for base in x.__mro__ if not _is_standard(base) for attribute in _holding(vars(base)).values()]


def _words(x: Any) -> str:
    kind = type(x).__name__
    if isinstance(x, Set):
        return f"a {kind}, which has no order"
    if isinstance(x, type):
        return f"the class {x.__name__}"
    if type(x) in FAMILIAR:
        return f"a {kind} with objects as keys"
    return "a weak reference" if isinstance(x, weakref.ref) or type(x) in PROXIES else f"a {kind}"


def _remedy(x: Any, part: object) -> str:
    if isinstance(x, Set):
        return "Use a list"
    make = f"Make {type(x).__name__} a Module, or hold" if not _is_standard(type(x)) else "Hold"
    return f"{make} the {type(part).__name__} as an attribute, or in a list, tuple or dict"


def _is_standard(kind: type) -> bool:
    return str(kind.__module__).partition(".")[0] in sys.stdlib_module_names


# Helpers.


def _is_array(x: Any) -> bool:
    """Is it an array of objects? Nobody has one who has not loaded NumPy."""
    array = getattr(sys.modules.get("numpy"), "ndarray", None)
    return array is not None and issubclass(type(x), array) and x.dtype.hasobject


def _is_array_of_numbers(x: object) -> bool:
    return type(x) is getattr(sys.modules.get("numpy"), "ndarray", None) and not _is_array(x)


def _without_mask(x: Any) -> Any:
    import numpy

    return numpy.asarray(x)


def _holds_nothing(kind: type) -> bool:
    """Is it a kind written in C that the garbage collector does not look into, such as NumPy's numbers?"""
    numpy: Any = sys.modules.get("numpy")  # nor does it look into its arrays and records
    return not kind.__flags__ & (GARBAGE_COLLECTED | MADE_BY_CLASS) and not (
        numpy and issubclass(kind, (numpy.ndarray, numpy.void))
    )


def _has_only_items(kind: type) -> bool:
    return kind in FAMILIAR or kind is getattr(sys.modules.get("numpy"), "ndarray", None)


def _are_parameters(kinds: set[type]) -> bool:
    """Are there some of these classes, and are they those of parameters, at home or away?"""
    return bool(kinds) and all(issubclass(kind, Parameter) for kind in kinds)


def _are_leaves(contents: Collection) -> bool:
    return isinstance(contents, range) or LEAVES.issuperset(map(type, contents))


def _are_values(contents: Collection) -> bool:
    return all(issubclass(kind, Value) for kind in set(map(type, contents)))


def _differ(names: Collection) -> bool:
    """Do these names differ as texts, from each other and from names of names?"""
    kinds = set(map(type, names))
    return kinds <= {int} or names == ALONE or (kinds == {str} and "." not in "".join(names))


def _joined(name: str, key: object) -> str:
    return name if key is HERE else f"{name}.{key}"


def _endings(keys: Iterable) -> list[str]:
    return [f".{key}" for key in keys]


@lru_cache(8)
def _endings_of_places(count: int) -> list[str]:
    """Made once for the rows of a layer, which are equally long: to write a number takes longer than to join it."""
    return _endings(range(count))
