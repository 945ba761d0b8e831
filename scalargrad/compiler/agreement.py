"""Two traces of one function must be the same: what differs was read from somewhere that a program cannot see."""

import os
from collections.abc import Callable, Mapping, Set
from operator import is_

from scalargrad.compiler.errors import TraceError, written_at
from scalargrad.compiler.trace import trace
from scalargrad.compiler.tracer import Trace, Tracer, flatten_results
from scalargrad.compiler.watch.chance import global_generators, states_of
from scalargrad.compiler.watch.surroundings import NOTHING, Surroundings
from scalargrad.engine import Value, topological_order
from scalargrad.operands import flatten
from scalargrad.structure import Buffer


def traced_twice(
    function: Callable,
    shapes: list,
    arguments: list,
    step: Buffer | None = None,
    without: Mapping[int, Set[str]] = NOTHING,
    root: Callable | None = None,
) -> tuple[Trace, Surroundings]:
    """A trace that another one agrees with, and what the function depends on besides its arguments.

    without   attributes that are not watched, by the id of their object
    root      what leads to all that is watched: the function, unless this package has wrapped that of a user
    """
    generators = global_generators()
    drawn = [states_of(generators)]
    first = trace(function, shapes, arguments, step, watch=True)
    if any((os.path.basename(code.co_filename), code.co_qualname) in HANDING_OVER for code in first.codes):
        raise TraceError(f"{place_of(DisagreementError(), function, shapes, arguments)}: {THREADS}")
    drawn.append(states_of(generators))
    surroundings = Surroundings(root or function, first.codes, arguments, without, first.asked.values())
    places = states_of(surroundings.sources)
    try:
        second = trace(function, shapes, arguments, step, moved=True)
    except (IndexError, ValueError):  # a whole number of a parameter, moved to another one: take() at such an index
        second = trace(function, shapes, arguments, step, moved=True, whole=True)
    drawn.append(states_of(generators))
    # Another thread may draw from the global ones once; who does so all the time is not told from the function.
    draws = places != states_of(surroundings.sources) or (drawn[0] != drawn[1] and drawn[1] != drawn[2])
    try:
        must_agree(first, second)
        what, is_a_list = surroundings.changed_by_a_run()
        if is_a_list:  # as a log of calls: does it matter how long that is?
            for _ in range(MORE_RUNS):
                must_agree(first, trace(function, shapes, arguments, step))
            what = ""
        if what or draws:
            raise DisagreementError(CHANGES.format(what) if what else "the function would repeat what it drew")
    except DisagreementError as error:
        place = place_of(error, function, shapes, arguments, step)
        raise DisagreementError(f"{place}: {error}{DRAWS if draws else ''}") from None
    surroundings.renew()
    return first, surroundings


class DisagreementError(TraceError):
    """Two traces differ; if it is known, at the operation number `term` of the first one."""

    term: int | None = None


def place_of(
    error: DisagreementError, function: Callable, shapes: list, arguments: list, step: Buffer | None = None
) -> str:
    """`file.py:14`: where two traces part, or where the function is written, as far as that can be found."""
    line = "" if error.term is None else trace(function, shapes, arguments, step, located=error.term).line
    return line or written_at(function) or repr(function)


MORE_RUNS = 8
HANDING_OVER = {
    ("threading.py", "Thread.start"),
    ("threading.py", "Condition.wait"),  # for another thread's result
    ("thread.py", "ThreadPoolExecutor.submit"),
    ("process.py", "ProcessPoolExecutor.submit"),
    ("pool.py", "Pool.apply_async"),
    ("pool.py", "Pool._map_async"),
}
THREADS = (
    "the function hands work to another thread or process, or waits for it: what is read there is not seen, and would "
    "be frozen; do it before, or compute it here"
)
DRAWS = (
    "; it draws random numbers, or the next item of an iterator: use scalargrad.random() or Dropout, or draw before "
    "and pass the number as an argument"
)
CHANGES = (
    "the function changes {} when it runs, which a program does not: it would count once and not for every sample; "
    "return what it computes, use a Buffer's update(), or change it outside"
)


def must_agree(first: Trace, second: Trace) -> None:
    """A DisagreementError if the traces differ in structure or in a constant."""
    known: dict[tuple[int, int], bool] = {}
    for one, other in zip(first.tracers, second.tracers, strict=False):
        try:
            if one.op is not other.op:
                raise DisagreementError(DIFFERENT_STRUCTURE)
            for x, y in ((one.first, other.first), (one.second, other.second)):
                if x is not y:
                    _same(x, y, first, second, known)
        except DisagreementError as error:
            error.term = one.index
            raise
    if len(first.tracers) != len(second.tracers):
        raise DisagreementError(DIFFERENT_STRUCTURE)
    _must_not_keep(first, second)
    if list(first.updates) != list(second.updates):
        raise DisagreementError(DIFFERENT_STRUCTURE)
    results = [
        [*flatten_results(trace.result), *flatten_results([*trace.updates.values()])] for trace in (first, second)
    ]
    if len(results[0]) != len(results[1]):
        raise DisagreementError(DIFFERENT_STRUCTURE)
    for x, y in zip(*results, strict=True):
        _same(x, y, first, second, known)


def _must_not_keep(first: Trace, second: Trace) -> None:
    """No Value may be made by the first run and found by the second: a constant there, a parameter here."""
    if not first.constants:
        return
    used = (x for tracer in second.tracers for x in tracer.args if type(x) is not Tracer)
    pending = [*used, *flatten_results([second.result, *second.updates.values()])]
    looked_at: set[int] = set()
    while pending:
        x = pending.pop()
        if type(x) is Tracer or not isinstance(x, tuple | Value) or id(x) in looked_at:
            continue
        looked_at.add(id(x))
        if isinstance(x, Value) and x in first.constants:
            raise DisagreementError(KEPT)
        pending += x if isinstance(x, tuple) else x.args


KEPT = "the function keeps a Value that its first run made: make parameters before, outside of it"
DIFFERENT_STRUCTURE = (
    "two runs of the function differ in structure: does it branch on a parameter's number, on a random number, "
    "or on something that it changes itself?"
)


def _same(x: object, y: object, first: Trace, second: Trace, known: dict[tuple[int, int], bool]) -> None:
    if type(x) is Tracer and type(y) is Tracer:
        if x.index != y.index:
            raise DisagreementError(DIFFERENT_STRUCTURE)
        return
    if x is y:
        return  # one parameter, or one tuple of parameters
    if type(x) is float and type(y) is float:
        _same_number(x, y)
        return
    if isinstance(x, Value) and isinstance(y, Value) and x.op is None and y.op is None:
        _same_leaves(x, y, first, second)
        return
    pair = (id(x), id(y))
    if pair in known:
        return
    known[pair] = True
    if type(x) is tuple and type(y) is tuple and len(x) == len(y):
        for a, b in zip(x, y, strict=True):
            _same(a, b, first, second, known)
    elif isinstance(x, Value) and isinstance(y, Value):
        _same_values(x, y, first, second, known)
    else:
        raise DisagreementError(DIFFERENT_STRUCTURE)


def _same_values(x: Value, y: Value, first: Trace, second: Trace, known: dict) -> None:
    """Results that the function computed from parameters alone, and constants that it made."""
    orders = topological_order(x), topological_order(y)
    if len(orders[0]) != len(orders[1]):
        raise DisagreementError(DIFFERENT_STRUCTURE)
    places = [{value: place for place, value in enumerate(order)} for order in orders]
    for one, other in zip(*orders, strict=True):
        if one.op is not other.op:
            raise DisagreementError(DIFFERENT_STRUCTURE)
        if one.op is None:
            if one is not other:
                _same_leaves(one, other, first, second)
            continue
        known[id(one), id(other)] = True
        if all(map(_is_same, one.args, other.args)):
            continue
        if len(one.operands) != len(other.operands):
            raise DisagreementError(DIFFERENT_STRUCTURE)
        for a, b in zip(flatten(one.args), flatten(other.args), strict=True):
            if type(a) is float and type(b) is float:
                _same_number(a, b)
            elif type(a) is float or type(b) is float or places[0][a] != places[1][b]:
                raise DisagreementError(DIFFERENT_STRUCTURE)


def _is_same(x: object, y: object) -> bool:
    """One Value, or tuples of the same Values: their rows of weights, say."""
    if type(x) is type(y) is tuple:
        return len(x) == len(y) and all(map(is_, x, y))
    return x is y and isinstance(x, Value)


def _same_leaves(x: Value, y: Value, first: Trace, second: Trace) -> None:
    """Two leaves that are not the same: constants that the function made."""
    if x not in first.constants or y not in second.constants:
        raise DisagreementError(DIFFERENT_STRUCTURE)
    _same_number(x.data, y.data)


def _same_number(x: float, y: float) -> None:
    if x == y != 0.0:
        return
    if x.hex() != y.hex():  # the bits: 0.0 is not -0.0, and nan is nan
        raise DisagreementError(
            f"two runs of the function differ: {x} and {y}; a random number, a clock, or a number read from a "
            "parameter would be frozen (use parameters as Values)"
        )
