"""Forks: what one may not cut in two, and what a child sets afresh, for of its parent's threads it has only one."""

import os
import threading
from collections.abc import Callable
from functools import cached_property
from importlib import import_module
from typing import Any, TypeVar
from weakref import WeakSet

T = TypeVar("T")

whole = threading.RLock()  # held where a child could not go on from the middle: a fork in another thread waits
_also_whole: list[Any] = []  # what other packages hold likewise
_loaded: set[str] = set()
_locks: WeakSet = WeakSet()
_open: dict["undone", int] = {}  # blocks, with the threads that are in them


def freed(lock: Any) -> Any:
    """The lock, a `threading.Lock` or `RLock`, which a child finds free if a thread held it that is not there.

    >>> with freed(threading.RLock()):
    ...     pass
    """
    _locks.add(lock)
    return lock


def kept(make: Callable[[Any], T]) -> cached_property[T]:
    """A `cached_property`, of which Python 3.11's has a lock."""
    made = cached_property(make)
    if hasattr(made, "lock"):
        freed(made.lock)
    return made


class undone:  # noqa: N801, read as a statement: with undone(...)
    """A block, to be undone in a child that another thread forks meanwhile: `undo()` is called there.

    >>> with undone(lambda: print("in a child only")):
    ...     pass
    """

    __slots__ = ("undo",)

    def __init__(self, undo: Callable[[], Any]) -> None:
        self.undo = undo

    def __enter__(self) -> None:
        _open[self] = threading.get_ident()

    def __exit__(self, *_: object) -> None:
        _open.pop(self, None)


def in_whole(lock: Any) -> None:
    """Let forks wait for this lock, too: of code that is called in `whole` blocks, and elsewhere."""
    with whole:  # so that the locks that a fork takes are those that it gives back
        if lock not in _also_whole:
            _also_whole.append(lock)


def loaded(*modules: str) -> None:
    """Load what functions are about to import: a child of the middle of an import would wait for its end for ever."""
    if _loaded.issuperset(modules):
        return
    with whole:
        for module in modules:
            import_module(module)
            _loaded.add(module)


def in_children(setup: Callable[[], Any]) -> None:
    """Call this in every child, where there are forks."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=setup)


def _wait() -> None:
    whole.acquire()
    for lock in _also_whole:
        lock.__enter__()


def _go_on() -> None:
    for lock in reversed(_also_whole):
        lock.__exit__(None, None, None)
    whole.release()


def _set_afresh() -> None:
    _go_on()
    for lock in _locks:
        if lock.acquire(blocking=False):  # it was free, or this thread holds it
            lock.release()
        else:
            lock._at_fork_reinit()  # as logging and concurrent.futures do
    for block, thread in reversed(_open.copy().items()):
        if thread != threading.get_ident():
            del _open[block]
            block.undo()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_wait, after_in_parent=_go_on, after_in_child=_set_afresh)
