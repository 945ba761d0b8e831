"""Watching: which code runs while a function is traced decides what is looked at before each call."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import CodeType, FrameType
from typing import Any

from scalargrad.compiler.errors import TraceError
from scalargrad.compiler.watch.quiet import Quiet
from scalargrad.support.collecting import uncollected
from scalargrad.support.forks import freed, undone

tracing = freed(threading.RLock())  # held by a trace, which replaces methods of classes for a while
TOOLS = (4, 3, 5, 2, 1, 0)  # sys.monitoring's: those without a name first


@contextmanager
def watched(quiet: Callable[[], list[Quiet]] = list) -> Iterator[set[CodeType]]:
    """A block, and the codes of the functions that this thread starts or resumes in it; complete when it has ended.

    quiet   gives the methods whose inside need not be seen: where watching is dear, it stops there

    Debuggers, profilers and coverage go on, or are put back. A TraceError, if one that is started or stopped inside the
    block takes the hook away.
    """
    codes: set[CodeType] = set()
    if hasattr(sys, "monitoring"):
        way = _monitored(codes)
    elif sys.getprofile() is None or _is_profiler(sys.getprofile()):
        way = _profiled(codes, quiet)
    else:  # a profiler that could not be put back
        way = _traced(codes)
    with uncollected(), way:  # what the collector calls is not the function's
        yield codes


@contextmanager
def _monitored(codes: set[CodeType]) -> Iterator[None]:
    """Watch by events, from Python 3.12 on, which reach every thread; what is switched off is off for all."""
    monitoring: Any = sys.monitoring  # type: ignore[attr-defined]
    tool = _taken_tool(monitoring)
    if tool is None:
        with _traced(codes):
            yield
        return
    thread, events = threading.get_ident(), monitoring.events

    def seen(code: CodeType, _: int) -> Any:
        if threading.get_ident() != thread:
            return None
        codes.add(code)
        return monitoring.DISABLE

    def thrown(code: CodeType, *_: object) -> None:  # an event that cannot be switched off
        if threading.get_ident() == thread:
            codes.add(code)

    callbacks = {events.PY_START: seen, events.PY_RESUME: seen, events.PY_THROW: thrown}

    def stop() -> None:
        monitoring.set_events(tool, 0)
        for event in callbacks:
            monitoring.register_callback(tool, event, None)
        monitoring.free_tool_id(tool)

    with undone(stop):
        try:
            for event, callback in callbacks.items():
                monitoring.register_callback(tool, event, callback)
            monitoring.restart_events()  # what an earlier watch has switched off
            monitoring.set_events(tool, sum(callbacks))
            yield
        finally:
            stop()


def _taken_tool(monitoring: Any) -> int | None:
    """A tool that was free, or None."""
    for tool in TOOLS:
        with suppress(ValueError):  # somebody has it
            monitoring.use_tool_id(tool, "scalargrad")
            return tool
    return None


def _is_profiler(holder: object) -> bool:
    import _lsprof

    return isinstance(holder, _lsprof.Profiler)


@contextmanager
def _profiled(codes: set[CodeType], quiet: Callable[[], list[Quiet]]) -> Iterator[None]:
    """Python 3.11: cProfile's own profiler notes the codes, at a third of the price of a function in Python."""
    import _lsprof

    other: Any = sys.getprofile()
    profiler: Any = _lsprof.Profiler(subcalls=False, builtins=False)
    pauses = _Pauses(profiler, codes)
    if other is not None:
        other.disable()
    try:
        with undone(pauses.put_back):
            pauses.begin(quiet())
            profiler.enable()
            yield
            _must_be_there(profiler, sys.getprofile())
    finally:
        profiler.disable()
        pauses.put_back()
        codes.update(entry.code for entry in profiler.getstats() if isinstance(entry.code, CodeType))
        if other is not None:
            other.enable()


class _Pauses:
    """While these places are at work, a profiler does not look."""

    def __init__(self, profiler: Any, codes: set[CodeType]) -> None:
        self.profiler, self.codes = profiler, codes
        self.originals: list[tuple[Quiet, Any]] = []

    def begin(self, places: list[Quiet]) -> None:
        for place in places:
            original = vars(place.owner)[place.name]
            self.originals.append((place, original))
            is_static = isinstance(original, staticmethod)
            made = self._pausing(place, original.__func__ if is_static else original)
            setattr(place.owner, place.name, staticmethod(made) if is_static else made)

    def put_back(self) -> None:
        for place, original in self.originals:
            setattr(place.owner, place.name, original)

    def _pausing(self, place: Quiet, function: Callable) -> Callable:
        def pausing(*args: Any, **options: Any) -> Any:
            # In another thread, and where it is paused already, the hook is not this one.
            codes = place.codes(*args) if sys.getprofile() is self.profiler else None
            if codes is None:
                return function(*args, **options)
            self.codes |= codes
            self.profiler.disable()
            try:
                return function(*args, **options)
            finally:
                self.profiler.enable()

        pausing.__wrapped__ = function  # type: ignore[attr-defined]
        return pausing


@contextmanager
def _traced(codes: set[CodeType]) -> Iterator[None]:
    """Watch by the hook of debuggers, who are told, too."""
    other: Any = sys.gettrace()

    def seen(frame: FrameType, event: str, argument: object) -> Any:
        codes.add(frame.f_code)
        if other is None:
            return None
        local = other(frame, event, argument)
        if sys.gettrace() is other:  # coverage's puts itself back
            sys.settrace(seen)
        return local

    sys.settrace(seen)
    try:
        yield
        _must_be_there(seen, sys.gettrace())
    finally:
        if sys.gettrace() is seen:
            sys.settrace(other)


def _must_be_there(hook: object, now: object) -> None:
    if now is not hook:
        raise TraceError(
            "a compiled function starts or stops a profiler or a debugger, so that it is not seen what runs in it; "
            "start it around the call"
        )
