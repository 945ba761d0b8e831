"""The eager backend: the scalar trace replayed in Values, row by row. Slow, and the oracle of all other backends."""

from typing import Any

from scalargrad.compiler.simplify import flatten_results
from scalargrad.compiler.trace import SHARE, Trace, Tracer
from scalargrad.engine import Value, topological_order
from scalargrad.ops import mean


def replay(trace: Trace, columns: list[list[float]], lanes: int) -> tuple[list[list[Any]], dict[Any, Any]]:
    """For each result its Value in every row, and for each buffer its update; what no row changes is shared.

    columns   the numbers of each input, in the order of the trace, [inputs][lanes]
    """
    place: dict[Any, list[Any]] = {SHARE: [Value(1.0 / lanes)] * lanes}
    for tracer, column in zip((x for flat in trace.inputs for x in flat), columns, strict=True):
        place[tracer] = [Value(x) for x in column]

    def rows_of(x: Any) -> list[Any]:
        if isinstance(x, Value) and x not in place:
            for value in topological_order(x):  # computed anew: its leaves may have moved since the trace
                if value not in place:
                    trace.refuse_from_outside(value)
                    place[value] = [value if value.op is None else _again(value, place)] * lanes
        return place[x] if isinstance(x, (Tracer, Value)) else [x] * lanes

    for tracer in trace.tracers:
        if tracer.op is None:
            continue
        if tracer.op.name == "batch_mean":
            place[tracer] = [mean(rows_of(tracer.first))] * lanes
            continue
        by_argument = [
            list(zip(*map(rows_of, x), strict=True)) if type(x) is tuple else rows_of(x) for x in tracer.args
        ]
        place[tracer] = [tracer.op(*args) for args in zip(*by_argument, strict=True)]
    updates = {buffer: rows_of(x)[0] for buffer, x in trace.updates.items()}
    return [rows_of(result) for result in flatten_results(trace.result)], updates


def _again(value: Value, place: dict[Any, list[Any]]) -> Any:
    args = (
        tuple(_first(x, place) for x in argument) if type(argument) is tuple else _first(argument, place)
        for argument in value.args
    )
    assert value.op is not None
    return value.op(*args)


def _first(x: Any, place: dict[Any, list[Any]]) -> Any:
    return x if type(x) is float else place[x][0]
