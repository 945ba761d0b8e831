"""Modes: training or evaluation, as each module says for itself, or as a block around the code says for a whole model.

A block changes nothing in the modules: no other thread sees it, and nothing is left to undo after an error.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple
from weakref import ref

from scalargrad.engine import Value
from scalargrad.holders import LEAVES, Holder, attributes, note, noted, opened

MODE = "training"  # the name of the attribute


class _Block:
    """A block of `in_mode`; `since` has the modes that its code has set in it, and their modules, by id."""

    __slots__ = ("model", "since", "training")

    def __init__(self, model: Holder, training: bool) -> None:
        self.model, self.training = model, training
        self.since: dict[int, tuple[Any, Any]] = {}


_blocks: ContextVar[tuple[_Block, ...]] = ContextVar("blocks", default=())  # the innermost one comes last
_asked: ContextVar[dict[int, Any] | None] = ContextVar("asked", default=None)  # modules for their mode, by id


class Mode:
    """The attribute `training` of modules: in a block of `in_mode` around the code what that says, else their own.

    first   what a module says that was told nothing; or a property, or a slot, of a class that keeps it in its own way

    A class may have its own `training = False`, which becomes the first of a Mode: see `_give_modes`.
    """

    __slots__ = ("first",)

    def __init__(self, first: object = True) -> None:
        self.first = first

    def __get__(self, module: object, kind: type | None = None) -> Any:
        if module is None:
            return self.first
        asked, blocks = _asked.get(), _blocks.get()
        if asked is not None:
            asked[id(module)] = module
        own = self._own(module)
        for block in reversed(blocks):
            if block.since or block.training != own:
                return _said_by(blocks, module, own)
        return own

    def __set__(self, module: object, mode: object) -> None:
        for block in reversed(_blocks.get()):
            if is_inside(module, block.model):
                block.since[id(module)] = module, mode  # until the end of the block, and in no other thread
                return
        if hasattr(self.first, "__set__"):
            self.first.__set__(module, mode)
        else:
            module.__dict__[MODE] = mode

    def __delete__(self, module: object) -> None:
        if hasattr(self.first, "__delete__"):
            self.first.__delete__(module)
        elif MODE in module.__dict__:
            del module.__dict__[MODE]
        else:
            raise AttributeError(f"{type(module).__name__!r} object has no attribute {MODE!r}")

    def _own(self, module: object) -> Any:
        if hasattr(self.first, "__get__"):
            return self.first.__get__(module, type(module))
        return module.__dict__.get(MODE, self.first)


LEAVES.add(Mode)


_kinds: list[ref[type]] = []  # the classes of modules


def give_mode(kind: type) -> None:
    """Make what a new class of modules has as its own `training` the first of a Mode, which blocks change."""
    first = next(vars(base)[MODE] for base in kind.__mro__ if MODE in vars(base))
    if type(first) is not Mode:
        setattr(kind, MODE, Mode(first))
    _kinds.append(ref(kind, _kinds.remove))


def _give_modes() -> None:
    """Do so for what classes were given since they were made, as dataclasses are."""
    for known in _kinds.copy():
        kind = known()
        if kind is not None and type(first := kind.__dict__.get(MODE, _MODE)) is not Mode:
            setattr(kind, MODE, Mode(first))


_MODE = Mode()


def _said_by(blocks: tuple[_Block, ...], module: object, own: object) -> Any:
    """The mode of the innermost block that says one for this module, or its own."""
    for block in reversed(blocks):
        if id(module) in block.since:
            return block.since[id(module)][1]
        if is_inside(module, block.model):
            return block.training
    return own


@contextmanager
def in_mode(model: Holder, training: bool) -> Iterator[None]:
    """A block in which the model and the modules inside it are in training, or in evaluation; then as before.

    It holds for the code that runs in it, and not in other threads. What that code sets, as `train()` does, holds until
    the end of the block. TypeError for what is no Module.
    """
    if not isinstance(model, Holder):
        raise TypeError(f"in_mode takes a Module, got {model!r:.100}")
    _give_modes()
    block = _Block(model, training)

    def leave() -> None:
        # A block that is thrown away may end anywhere: in others, which go on.
        _blocks.set(tuple(other for other in _blocks.get() if other is not block))

    try:
        try:
            _blocks.set((*_blocks.get(), block))
            yield
        finally:
            leave()
    finally:  # should a Ctrl-C have come just there
        leave()


@contextmanager
def modes_asked() -> Iterator[dict[int, Any]]:
    """A block, and the modules that are asked for their mode in it, by id."""
    for block in _blocks.get():
        places_in(block.model)  # now: a search inside would look as if the block's code read all of the model
    asked: dict[int, Any] = {}
    token = _asked.set(asked)
    try:
        yield asked
    finally:
        _asked.reset(token)


# What is inside of a model.


class Place(NamedTuple):
    """The place of a thing in a model: the holder that it is in, and the key there."""

    thing: object
    holder: object
    key: Any


def is_inside(module: object, model: Holder) -> bool:
    """Is this the model, or one of its `modules()`?

    Where it was found once is looked at first. A search that does not find it is never remembered: it may be put
    into a list at any time.
    """
    return module is model or _stands(module, model, places_in(model)) or id(module) in places_in(model, anew=True)


def places_in(model: Holder, anew: bool = False) -> dict[int, Place]:
    """The places of all that a model holds, but for what has nothing inside, by id; they may have changed since."""
    if not anew and (known := noted(model, "places")) is not None:
        return known
    found: dict[int, Place] = {}
    classes: dict = {}
    waiting: list[object] = [model]
    while waiting:
        holder = waiting.pop()
        for key, thing in zip(*opened(holder, classes), strict=True):
            kind = type(thing)
            if kind in LEAVES or issubclass(kind, Value) or thing is model or id(thing) in found:
                continue
            if (kind is tuple or kind is list) and _has_nothing_inside(thing):
                continue
            found[id(thing)] = Place(thing, holder, key)
            waiting.append(thing)
    note(model, "places", found)
    return found


def _has_nothing_inside(items: Iterable) -> bool:
    return all(kind in LEAVES or issubclass(kind, Value) for kind in set(map(type, items)))


def _stands(thing: object, model: Holder, places: dict[int, Place]) -> bool:
    """Is it still where it was, and what it was in, and so on up to the model?"""
    while thing is not model:
        place = places.get(id(thing))
        if place is None or not _is_at(place):
            return False
        thing = place.holder
    return True


def _is_at(place: Place) -> bool:
    thing, holder, key = place
    if isinstance(holder, list | tuple) and type(holder) in (list, tuple):
        return key < len(holder) and holder[key] is thing
    if isinstance(holder, Holder):
        return holder.__dict__.get(key) is thing or attributes(holder).get(key) is thing
    return any(part is thing for part in opened(holder)[1])
