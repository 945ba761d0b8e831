"""Blocks of code in which every new Value is looked at: recording switched off, or observers told."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import get_ident
from typing import Any

from scalargrad.support.forks import in_children
from scalargrad.support.stepwise import Block
from scalargrad.support.words import brief


class Observer:
    """The base of all observers: a block tells them what happens in it, and a subclass looks at what it needs."""

    def recorded(self, value: Any) -> None:
        """A new Value."""

    def before_backward(self, order: list) -> None:
        """The Values through which `backward` is about to run, in topological order."""

    def before_gradients(self, order: list) -> None:
        """Likewise for `gradients`."""

    def before_jvp(self, order: list) -> None:
        """Likewise for `jvp`."""

    def frozen(self, values: list, what: str, remedy: str) -> None:
        """`what` is about to take a number that depends on these values out of the graph."""

    def read(self, value: Any) -> None:
        """`float` is about to take the number of a Value out of the graph."""

    def detached(self, leaf: Any) -> None:
        """A new leaf, made by `detach`."""

    def updated(self, buffer: Any, expression: Any) -> bool:
        """A new number for a buffer; True keeps it from being set."""
        return False


open_blocks = 0  # in all threads together: while it is 0, a new Value asks nothing else
recording: ContextVar[bool] = ContextVar("recording", default=True)
observers: ContextVar[tuple[Observer, ...]] = ContextVar("observers", default=())
_threads: dict[int, int] = {}  # that opened the blocks, by the id of the block's token


@contextmanager
def _block(variable: ContextVar, setting: Any) -> Iterator[None]:
    global open_blocks
    token = variable.set(setting)
    _threads[id(token)] = get_ident()
    open_blocks += 1
    try:
        yield
    finally:
        if _threads.pop(id(token), None) is not None:
            open_blocks -= 1
        variable.reset(token)


def _count_own_blocks() -> None:
    """In a child: the threads that opened the others are not there to close them."""
    global open_blocks
    for block, thread in _threads.copy().items():
        if thread != get_ident():
            del _threads[block]
    open_blocks = len(_threads)


in_children(_count_own_blocks)


def show(value: Any) -> None:
    """Show a new Value to the blocks around the code that made it."""
    for observer in observers.get():
        observer.recorded(value)
    if not recording.get():
        value.op, value.first, value.second = None, (), ()


def tell(event: str, *particulars: Any) -> None:
    """Tell the blocks around of an event, by the name of a method of Observer."""
    for observer in observers.get():
        getattr(observer, event)(*particulars)


def no_grad(*function: Any) -> Any:
    """A block (or, as a decorator, a function) in which results are leaves: nothing is recorded.

    As a decorator, `@no_grad()`, it also takes generators and coroutines: see `Block`.

    >>> from scalargrad import Value
    >>> x = Value(3.0)
    >>> with no_grad():
    ...     y = x * x
    >>> y.op is None
    True
    """
    if function:
        raise TypeError(f"no_grad takes nothing, got {brief(function[0])}: write @no_grad(), with parentheses")
    return Block(lambda: _block(recording, False))


def with_grad() -> Any:
    """A block in which results are recorded, also inside of `no_grad`."""
    return Block(lambda: _block(recording, True))


def observed_by(observer: Observer, only: bool = False) -> Any:
    """A block whose new Values and backward passes are shown to `observer`: a TypeError, if it is no Observer."""
    if not isinstance(observer, Observer):
        raise TypeError(f"an observer derives from scalargrad.observers.Observer, got {brief(observer)}")
    return Block(lambda: _block(observers, (observer,) if only else (*observers.get(), observer)))


def observed_only_by(observer: Observer) -> Any:
    """The same, and the observers of the blocks around are not told."""
    return observed_by(observer, only=True)
