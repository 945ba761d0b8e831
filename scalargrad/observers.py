"""Blocks of code in which every new Value is looked at: recording switched off, or observers told."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from threading import get_ident
from typing import Any, Protocol

from scalargrad.forks import in_children


class Observer(Protocol):
    """What a block is told: each new Value, and the order of a backward pass or of `gradients` about to run."""

    def recorded(self, value: Any) -> None: ...
    def before_backward(self, order: list) -> None: ...
    def before_gradients(self, order: list) -> None: ...


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


class Block:
    """A block of code, or as a decorator the body of a function: of a generator and a coroutine, too, step by step.

    Between two steps of a generator its caller is at work, who is outside. A `with` block around a `yield` ends when
    the generator goes on past it, and holds for the caller until then: decorate the generator instead.
    """

    def __init__(self, make: Callable[[], AbstractContextManager]) -> None:
        self.make = make
        self.entered: list[AbstractContextManager] = []

    def __enter__(self) -> Any:
        self.entered.append(self.make())
        return self.entered[-1].__enter__()

    def __exit__(self, *error: Any) -> Any:
        return self.entered.pop().__exit__(*error)

    def __call__(self, function: Any) -> Any:
        from scalargrad.stepwise import decorated  # a tenth of the time of `import scalargrad`

        return decorated(function, self.make)


def show(value: Any) -> None:
    """Show a new Value to the blocks around the code that made it."""
    for observer in observers.get():
        observer.recorded(value)
    if not recording.get():
        value.op, value.first, value.second = None, (), ()


def about_to_freeze(values: list, what: str, remedy: str) -> None:
    """Tell the blocks around that a number of `values` leaves the graph: where a function is traced, an error."""
    for observer in observers.get():
        if hasattr(observer, "frozen"):
            observer.frozen(values, what, remedy)


def about_to_read(value: Any) -> None:
    """Tell the blocks around that `float` is about to take the number of a Value out of the graph."""
    for observer in observers.get():
        if hasattr(observer, "read"):
            observer.read(value)


def detached(leaf: Any) -> None:
    """Tell the blocks around that a new leaf was made by `detach`."""
    for observer in observers.get():
        if hasattr(observer, "detached"):
            observer.detached(leaf)


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
        raise TypeError(
            f"no_grad takes nothing, got {function[0]!r}: as a decorator it is @no_grad(), with parentheses"
        )
    return Block(lambda: _block(recording, False))


def with_grad() -> Any:
    """A block in which results are recorded, also inside of `no_grad`."""
    return Block(lambda: _block(recording, True))


def observed_by(observer: Observer) -> Any:
    """A block whose new Values and backward passes are shown to `observer`."""
    return Block(lambda: _block(observers, (*observers.get(), observer)))


def observed_only_by(observer: Observer) -> Any:
    """The same, and the observers of the blocks around are not told."""
    return Block(lambda: _block(observers, (observer,)))


PACKAGE = os.path.dirname(__file__) + os.sep  # pathlib would be a third of the time of `import scalargrad`


def place_of_user_code() -> tuple[str, int]:
    """File and line number of the innermost line on the stack that is outside this package."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def line_of_user_code() -> str:
    """`file.py:14`, the same for people."""
    file, line = place_of_user_code()
    return f"{os.path.basename(file)}:{line}"
