"""Blocks in which many objects are made and few of them are garbage: the garbage collector would look in vain."""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from scalargrad.support.forks import freed, undone

_counting = freed(threading.RLock())
_uncollected: dict[object, bool] = {}  # blocks where the collector does not run, and did it before the first of them?


@contextmanager
def uncollected() -> Iterator[None]:
    """A block in which the garbage collector does not run; when every thread has left its own, it does as before."""
    block = object()

    def leave() -> None:
        with _counting:
            if _uncollected.pop(block, False) and not _uncollected:
                gc.enable()

    with undone(leave):
        try:
            with _counting:
                _uncollected[block] = gc.isenabled() or any(_uncollected.values())
                gc.disable()
            yield
        finally:
            leave()
