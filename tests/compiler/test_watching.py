"""What runs while a function is traced is seen, whoever else watches; nothing stays behind, and nobody is disturbed."""

import bdb
import contextlib
import cProfile
import functools
import gc
import itertools
import os
import pstats
import subprocess
import sys
import threading
from importlib import import_module

import numpy as np
import pytest

from scalargrad import MLP, SGD, TraceError, Value, compile, dot, mean, sum
from scalargrad.compiler.tracer import Tracer
from scalargrad.compiler.watch.quiet import quiet_places
from scalargrad.compiler.watch.watching import watched
from scalargrad.nn import Conv2d, Layer, Neuron
from scalargrad.ops import Op
from tests.oracles.forks import a_thread_at
from tests.oracles.threads import at_once
from tests.paths import ROOT

X = [1.0, 2.0]
MONITORED = hasattr(sys, "monitoring")  # from Python 3.12 on
TOOLS = range(6)
PLACES = quiet_places(Tracer)


def hooks():
    """All that a watcher may leave behind."""
    held = [sys.getprofile(), sys.gettrace(), *(vars(place.owner)[place.name] for place in PLACES)]
    return held + [sys.monitoring.get_tool(tool) for tool in TOOLS] if MONITORED else held


@pytest.fixture(autouse=True)
def _nothing_stays_behind():
    before = hooks()
    yield
    assert hooks() == before


def test_operations_and_layers_are_quiet_places():
    assert {Op, Value, Tracer, Layer, Neuron, Conv2d} <= {place.owner for place in PLACES}


def test_what_another_thread_watches_is_no_change():
    """On Python 3.11 a watch replaces methods of classes for a while. A program of these classes stays as it is."""
    model = MLP(2, [3, 1], rng=0)
    program = compile(model)
    program([X])
    spent = program.seconds["tracing"]

    def traces(stop):
        with contextlib.suppress(TraceError):  # it waits inside
            compile(lambda x: (model(x), stop()))([X])

    with a_thread_at(traces):
        caller = threading.Thread(target=program, args=([X],))
        caller.start()
        caller.join(0.1)
    caller.join()
    assert program.seconds["tracing"] == spent


@pytest.mark.long
def test_several_threads_fit_networks_at_once():
    wrong = []

    def again_and_again():
        try:
            for _ in range(20):
                MLP(2, [3, 1], rng=0).fit([X, X], [0.0, 1.0], epochs=3)
        except Exception as error:
            wrong.append(error)

    at_once(*[again_and_again] * 3)
    assert wrong == []


# What is seen.


def key(x):
    return x


def passes(x):
    return True


def added(x, y):
    return x + y


def numbers():
    yield 1
    yield 2


def delegating():
    yield from numbers()


def forgiving():
    try:
        yield 1
    except ValueError:
        yield 2


def ending():
    try:
        yield 1
    finally:
        key(1)


async def answer():
    return 1


@contextlib.contextmanager
def block():
    yield


class Descriptor:
    def __get__(self, thing, kind=None):
        return 1

    def __set__(self, thing, content): ...


class Meta(type):
    def __call__(cls, *args):
        return super().__call__(*args)


class Everything(metaclass=Meta):
    described = Descriptor()

    def __init__(self): ...
    def __getitem__(self, index):
        return index

    def __setitem__(self, index, content): ...
    def __len__(self):
        return 1

    def __iter__(self):
        return iter(())

    def __contains__(self, x):
        return True

    def __call__(self): ...
    def __add__(self, other):
        return self

    def __radd__(self, other):
        return self

    def __lt__(self, other):
        return True

    def __eq__(self, other):
        return True

    def __hash__(self):
        return 1

    def __bool__(self):
        return True

    def __float__(self):
        return 1.0

    def __index__(self):
        return 1

    def __repr__(self):
        return ""

    def __format__(self, how):
        return ""

    def __enter__(self): ...
    def __exit__(self, *_): ...
    def __getattr__(self, name):
        return 1

    def __del__(self): ...

    @property
    def shown(self):
        return 1

    @functools.cached_property
    def kept(self):
        return 1

    @classmethod
    def of_class(cls): ...
    @staticmethod
    def of_none(): ...
    @functools.singledispatchmethod
    def by_type(self, x): ...
    def plain(self): ...


def uses_everything(thing):
    thing[0], thing.shown, thing.kept, thing.absent, thing.described, len(thing), [*thing], 1 in thing, thing()
    thing[0] = thing.described = 1
    thing + 1, 1 + thing, thing < 1, thing == 1, {thing}, bool(thing), float(thing), hex(thing), repr(thing)
    thing.of_class(), thing.of_none(), thing.by_type(1), thing.plain(), f"{thing}"
    with thing:
        pass
    Everything()


def started(make):
    """A generator that has been started before."""
    generator = make()
    next(generator)
    return generator


def awaited():
    with contextlib.suppress(StopIteration):
        answer().send(None)


# What is done, and the functions that run.
DONE = {
    "a call": (lambda: key(1), [key]),
    "the key of sorted": (lambda: sorted([2, 1], key=key), [key]),
    "the key of max": (lambda: max([2, 1], key=key), [key]),
    "map": (lambda: [*map(key, [1])], [key]),
    "filter": (lambda: [*filter(passes, [1])], [passes]),
    "reduce": (lambda: functools.reduce(added, [1, 2]), [added]),
    "a partial": (lambda: functools.partial(added, 1)(2), [added]),
    "accumulate": (lambda: [*itertools.accumulate([1, 2], added)], [added]),
    "a generator": (lambda: [*numbers()], [numbers]),
    "a generator that delegates": (lambda: [*delegating()], [delegating, numbers]),
    "a generator that was started before": (functools.partial(next, started(numbers)), [numbers]),
    "one that delegates, started before": (functools.partial(next, started(delegating)), [delegating, numbers]),
    "an error thrown into a generator": (functools.partial(started(forgiving).throw, ValueError()), [forgiving]),
    "a generator that is closed": (started(ending).close, [ending, key]),
    "a coroutine": (awaited, [answer]),
    "the end of a block that was entered before": (
        functools.partial((lambda entered: entered.__enter__() or entered)(block()).__exit__, None, None, None),
        [block.__wrapped__],
    ),
    "a function that numpy calls": (lambda: np.vectorize(key)([1.0]), [key]),
}
METHODS = [
    getattr(member, "fget", None) or getattr(member, "func", None) or getattr(member, "__func__", None) or member
    for name, member in vars(Everything).items()
    if callable(member) or isinstance(member, property | functools.cached_property | classmethod | staticmethod)
]
METHODS = [member for member in METHODS if hasattr(member, "__code__")]


@pytest.mark.parametrize("name", DONE)
def test_what_runs_is_seen(name):
    work, functions = DONE[name]
    with watched() as codes:
        work()
    assert {function.__code__ for function in functions} <= codes


def test_methods_are_seen_whoever_calls_them():
    thing = Everything()
    with watched() as codes:
        uses_everything(thing)
        del thing
    assert len(METHODS) > 25
    methods = [*METHODS, Meta.__call__, Descriptor.__get__, Descriptor.__set__]
    assert {method.__qualname__ for method in methods if method.__code__ not in codes} == set()


def test_what_does_not_run_is_not_seen():
    key(1)
    with watched() as codes:
        added(1, 2)
    key(1)
    assert added.__code__ in codes
    assert key.__code__ not in codes


def test_a_second_watch_sees_all_again():
    for _ in range(3):
        with watched() as codes:
            key(1)
        assert key.__code__ in codes


def test_a_watch_in_a_watch_sees_its_part():
    """Tracing refuses it, but a test or a tool may do it."""
    with watched() as outer:
        added(1, 2)
        if MONITORED:
            with watched() as inner:
                key(1)
            assert key.__code__ in inner
            assert added.__code__ not in inner
        key(1)
    assert {added.__code__, key.__code__} <= outer


def test_what_another_thread_runs_is_its_own():
    """It runs a function all the time, which must not hide that from this one, and others, which do not count."""
    running, ended = threading.Event(), threading.Event()

    def elsewhere():
        while not ended.is_set():
            key(1)
            added(1, 2)
            running.set()

    thread = threading.Thread(target=elsewhere)
    thread.start()
    try:
        assert running.wait(60)
        for _ in range(20):
            with watched() as codes:
                running.clear()
                assert running.wait(60)
                key(1)
            assert key.__code__ in codes
            assert not {elsewhere.__code__, added.__code__} & codes
    finally:
        ended.set()
        thread.join()


# From end to end: a method is changed, and what was compiled follows.


def model():
    """An object whose method reads an attribute, and its compiled call."""

    class Model:
        scale = 2.0

        def scaled(self, x):
            return x * self.scale

        def __call__(self, x):
            return max([self], key=lambda model: model.scale).scaled(x) + 0.0 * x

    thing = Model()
    return Model, compile(thing, backend="numpy")


def assert_noticed(kind, program):
    """Changes of a class attribute, of a method and of what the new method reads."""
    assert program(X) == 3.0
    kind.scale = 4.0
    assert program(X) == 6.0
    kind.scaled = lambda self, x: x * self.other
    kind.other = 6.0
    assert program(X) == 9.0
    kind.other = 8.0
    assert program(X) == 12.0


class Number:
    scale = 2.0


def scaled(x):
    return x * Number.scale


# What the function does in a place where nothing of the user's seems to run.
INSIDE = {
    "sum of a generator": lambda x: sum(scaled(x) for _ in range(2)),
    "sum of map": lambda x: sum(map(scaled, [x, x])),
    "mean of map": lambda x: mean(map(scaled, [x, x])),
    "dot of map": lambda x: dot(map(scaled, [x, x]), [1.0, 1.0]),
    "a list that computes what it holds": lambda x: sum(Scaling([x, x])),
}


class Scaling(list):
    def __iter__(self):
        return map(scaled, list.__iter__(self))


@pytest.mark.parametrize("name", INSIDE)
def test_what_an_operation_calls_is_seen(name, monkeypatch):
    monkeypatch.setattr(Number, "scale", 2.0)
    program = compile(INSIDE[name], backend="numpy")
    before = program(X)
    Number.scale = 4.0
    assert program(X) == 2.0 * before


@pytest.mark.parametrize("kind", [Neuron, Layer, MLP])
@pytest.mark.parametrize("when", ["before", "later"])
def test_a_layer_of_this_package_with_another_method(kind, when, monkeypatch):
    monkeypatch.setattr(Number, "scale", 2.0)
    model, original = MLP(1, [1], rng=0), kind.__call__
    program = compile(lambda x: sum([model([x])]), backend="numpy")
    plain = program(X) if when == "later" else compile(lambda x: sum([model([x])]), backend="numpy")(X)

    @functools.wraps(original)
    def call(self, x):
        found = original(self, x)
        return [scaled(y) for y in found] if isinstance(found, list | tuple) else scaled(found)

    monkeypatch.setattr(kind, "__call__", call)
    assert program(X) == 2.0 * plain
    Number.scale = 4.0
    assert program(X) == 4.0 * plain


ENDS = [ValueError, KeyboardInterrupt, GeneratorExit, SystemExit, StopIteration, RecursionError, MemoryError]


@pytest.mark.parametrize("error", ENDS, ids=lambda error: error.__name__)
def test_an_exception_in_the_middle_leaves_no_watcher(error):
    before, fails = hooks(), []

    def function(x):
        y = (x + Value(1.0)).tanh()
        if not fails:
            fails.append(hooks())
            raise error("in the middle")
        return y

    with pytest.raises(error, match="in the middle"):
        compile(function, backend="numpy")(X)
    assert hooks() == before
    assert fails[0] != before  # it was watched
    assert_noticed(*model())


@pytest.mark.parametrize("kind", [Tracer, Value])
def test_an_exception_inside_an_operation_leaves_no_watcher(kind):
    before = hooks()

    class Interrupting:
        def __float__(self):
            raise KeyboardInterrupt

    def function(x):
        return (x if kind is Tracer else Value(2.0)) * Interrupting() + x

    with pytest.raises((KeyboardInterrupt, TypeError)):
        compile(function, backend="numpy")(X)
    assert hooks() == before
    assert_noticed(*model())


def test_a_watch_in_a_generator_that_is_closed_or_thrown_at():
    def watching():
        with watched(lambda: PLACES) as codes:
            key(1)
            yield codes

    before = hooks()
    for end in (lambda x: x.close(), lambda x: x.throw(KeyboardInterrupt), lambda x: next(x)):
        generator = watching()
        codes = next(generator)
        with contextlib.suppress(KeyboardInterrupt, StopIteration):
            end(generator)
        assert hooks() == before
        assert key.__code__ in codes


def test_a_compile_inside_is_refused_and_leaves_no_watcher():
    before = hooks()
    inner = compile(lambda x: x * 2.0, backend="numpy")
    for catches in (False, True):

        def function(x, catches=catches):
            try:
                return x * inner(X)
            except TraceError:
                if not catches:
                    raise
                return x

        with pytest.raises(TraceError, match="inside another"):
            compile(function, backend="numpy")(X)
        assert hooks() == before
    assert inner(X) == 3.0


def test_threads_that_compile_at_once():
    models, errors = [model() for _ in range(8)], []
    barrier = threading.Barrier(len(models))

    def work(kind, program):
        try:
            barrier.wait(60)
            assert_noticed(kind, program)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=pair) for pair in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
@pytest.mark.parametrize("who", ["this_thread", "another_thread"])
def test_a_fork_in_the_middle(who):
    """In a process of its own: here, JAX may have threads, and warns of forks."""
    code = f"from tests.compiler import test_watching; test_watching.forked_by_{who}()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8", timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]


def goes_on_in_a_child(before):
    assert hooks() == before
    assert_noticed(*model())


def forked_by_another_thread():
    from tests.oracles.forks import a_thread_at, in_a_child

    before = hooks()
    assert_noticed(*model())

    def traces(stop):
        def function(x):
            stop()
            return x + x

        assert compile(function, backend="numpy")(X) == 3.0

    with a_thread_at(traces):
        assert in_a_child(lambda: goes_on_in_a_child(before)) == ""
    goes_on_in_a_child(before)


def forked_by_this_thread():
    """The child, too, comes to the end of the trace."""
    before, children = hooks(), []

    def function(x):
        if not children:
            children.append(os.fork())
        return x + x

    status = 1
    try:
        assert compile(function, backend="numpy")(X) == 3.0
        goes_on_in_a_child(before)
        status = 0
    finally:
        if children == [0]:
            os._exit(status)
    assert os.waitpid(children[0], 0)[1] == 0


# Others who watch.


@contextlib.contextmanager
def nobody(seen, monkeypatch):
    yield


@contextlib.contextmanager
def a_profile_function(seen, monkeypatch):
    def profile(frame, event, argument):
        if event == "call":
            seen.append(frame.f_code.co_name)

    sys.setprofile(profile)
    try:
        yield
        assert sys.getprofile() is profile
    finally:
        sys.setprofile(None)


@contextlib.contextmanager
def a_profiler(seen, monkeypatch):
    profiler = cProfile.Profile()
    profiler.enable()
    try:
        yield
        assert MONITORED or sys.getprofile() is profiler
    finally:
        profiler.disable()
    seen += [name for _, _, name in pstats.Stats(profiler).stats]


@contextlib.contextmanager
def a_trace_function(seen, monkeypatch):
    def trace(frame, event, argument):
        if event == "call":
            seen.append(frame.f_code.co_name)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
        assert sys.gettrace() is trace
    finally:
        sys.settrace(before)


class Stops(bdb.Bdb):
    """A debugger with a breakpoint at the first line of some functions."""

    def __init__(self, seen):
        super().__init__()
        self.reset()
        self.seen = seen
        for function in (before_it, scale, after_it):
            self.set_break(__file__, function.__code__.co_firstlineno + 1)

    def user_line(self, frame):
        if self.break_here(frame):
            self.seen.append(frame.f_code.co_name)
        self.set_continue()


@contextlib.contextmanager
def a_debugger(seen, monkeypatch):
    debugger, before = Stops(seen), sys.gettrace()
    sys.settrace(debugger.trace_dispatch)
    try:
        yield
        assert sys.gettrace() == debugger.trace_dispatch
    finally:
        sys.settrace(before)
        debugger.clear_all_breaks()


def coverage_by(core):
    @contextlib.contextmanager
    def measured(seen, monkeypatch):
        monkeypatch.setenv("COVERAGE_CORE", core)
        measure = import_module("coverage").Coverage(data_file=None, config_file=False, include=[__file__])
        measure.start()
        try:
            yield
        finally:
            measure.stop()
        lines = measure.get_data().lines(__file__) or []
        for function in (before_it, scale, after_it):
            if function.__code__.co_firstlineno + 1 in lines:
                seen.append(function.__name__)

    return measured


def together(*holders):
    @contextlib.contextmanager
    def all_of_them(seen, monkeypatch):
        with contextlib.ExitStack() as stack:
            several = [[] for _ in holders]
            for holder, found in zip(holders, several, strict=True):
                stack.enter_context(holder(found, monkeypatch))
            yield
        seen += set.intersection(*map(set, several))

    return all_of_them


HOLDERS = {
    "nobody": nobody,
    "a profile function": a_profile_function,
    "cProfile": a_profiler,
    "a trace function": a_trace_function,
    "a debugger": a_debugger,
    "coverage in C": coverage_by("ctrace"),
    "coverage in Python": coverage_by("pytrace"),
    **({"coverage by monitoring": coverage_by("sysmon")} if MONITORED else {}),
    "cProfile and a debugger": together(a_profiler, a_debugger),
    "cProfile and coverage": together(a_profiler, coverage_by("ctrace")),
    "a profile function and coverage": together(a_profile_function, coverage_by("ctrace")),
    "a profile function and a debugger": together(a_profile_function, a_debugger),
}


def before_it():
    return 1


def scale(thing):
    return thing.scale


def after_it():
    return 1


@contextlib.contextmanager
def all_tools_taken():
    """Those of `sys.monitoring`: what is left is the hook of debuggers."""
    taken = [tool for tool in TOOLS if sys.monitoring.get_tool(tool) is None] if MONITORED else []
    for tool in taken:
        sys.monitoring.use_tool_id(tool, "somebody")
    try:
        yield
    finally:
        for tool in taken:
            sys.monitoring.free_tool_id(tool)


NEED_A_TOOL = {"coverage by monitoring", *(name for name in HOLDERS if "cProfile" in name)}
TAKEN = {"tools are free": contextlib.nullcontext, "all tools are taken": all_tools_taken}
SITUATIONS = [
    (tools, name) for tools in TAKEN for name in HOLDERS if tools == "tools are free" or name not in NEED_A_TOOL
]


@pytest.mark.parametrize(("tools", "name"), SITUATIONS if MONITORED else SITUATIONS[: len(HOLDERS)])
def test_who_watches_already_goes_on_and_changes_are_noticed(tools, name, monkeypatch):
    class Thing:
        scale = 2.0

    class Model:
        def scaled(self, x):
            return x * scale(Thing)

        def __call__(self, x):
            return self.scaled(x) + 0.0 * x

    seen, found = [], []
    program = compile(Model(), backend="numpy")
    with TAKEN[tools](), HOLDERS[name](seen, monkeypatch):
        before_it()
        found.append(program(X))
        Thing.scale = 4.0
        found.append(program(X))
        Model.scaled = lambda self, x: x * scale(Thing) * 2.0
        found.append(program(X))
        after_it()
    assert found == [3.0, 6.0, 12.0]
    assert name == "nobody" or {"before_it", "scale", "after_it"} <= {*seen}


@pytest.mark.parametrize("name", ["nobody", "a profile function", "coverage in C"])
@pytest.mark.parametrize("tools", TAKEN)
def test_a_debugger_stops_inside_while_it_is_traced(tools, name, monkeypatch):
    """In both traces. At the breakpoint there is the traced number, for who looks at it."""

    class Looks(bdb.Bdb):
        def user_line(self, frame):
            if self.break_here(frame):
                looked.append(type(frame.f_locals["x"]))
            self.set_continue()

    def function(x):
        return x * 2.0

    debugger, looked = Looks(), []
    debugger.set_break(__file__, function.__code__.co_firstlineno + 1)
    program = compile(function, backend="numpy")
    try:
        with TAKEN[tools](), HOLDERS[name]([], monkeypatch):
            before = sys.gettrace()
            assert debugger.runcall(program, X) == 3.0
            sys.settrace(before)  # which the debugger does not do
    finally:
        debugger.clear_all_breaks()
    assert looked == [Tracer] * 2


class Started:
    """What is started and stopped inside a function."""

    def __init__(self, start, stop):
        self.start, self.stop = start, stop

    def __call__(self, x):
        self.start()
        y = x * key(2.0)
        self.stop()
        return y + Value(1.0) * x + 0.0


@pytest.mark.parametrize("tools", TAKEN)
@pytest.mark.parametrize("sets", [sys.setprofile, sys.settrace], ids=lambda sets: sets.__name__)
def test_a_hook_that_is_set_inside_is_refused_if_it_hides_what_runs(sets, tools):
    """Otherwise it does no harm."""
    before = sys.gettrace() if sets is sys.settrace else sys.getprofile()
    program = compile(Started(lambda: sets(lambda *_: None), lambda: sets(before)), backend="numpy")
    in_use = sys.setprofile if not MONITORED else sys.settrace if tools == "all tools are taken" else None
    with TAKEN[tools]():
        if sets is in_use:
            with pytest.raises(TraceError, match="profiler or a debugger"):
                program(X)
            sets(before)
        else:
            assert program(X) == 4.5


def test_a_debugger_that_is_started_inside_stays():
    def trace(*_):
        return None

    before = sys.gettrace()
    program = compile(Started(lambda: sys.settrace(trace), lambda: None), backend="numpy")
    try:
        with all_tools_taken():
            if MONITORED:
                with pytest.raises(TraceError, match="profiler or a debugger"):
                    program(X)
            else:
                assert program(X) == 4.5
        assert sys.gettrace() is trace
    finally:
        sys.settrace(before)


def test_a_profiler_that_is_started_inside():
    profiler = cProfile.Profile()
    program = compile(Started(profiler.enable, profiler.disable), backend="numpy")
    if MONITORED:
        assert program(X) == 4.5
    else:
        with pytest.raises(TraceError, match="profiler or a debugger"):
            program(X)


def test_what_the_collector_calls_is_not_the_functions():
    count = 0

    def called(*_):
        nonlocal count
        count += 1

    def function(x):
        return [[n] for n in range(2000)] and x * 2.0

    gc.callbacks.append(called)
    thresholds = gc.get_threshold()
    gc.set_threshold(10)
    try:
        program = compile(function, backend="numpy")
        assert program([1.0]) == 2.0
        trainer = compile(lambda x: (Value(1.0) * x) ** 2, backend="numpy").trainer(SGD(0.1))
        trainer.run([1.0], epochs=2, progress=False)
    finally:
        gc.set_threshold(*thresholds)
        gc.callbacks.remove(called)
    assert count
    assert gc.isenabled()
