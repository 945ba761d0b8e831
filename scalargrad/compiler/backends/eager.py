"""The eager backend: the scalar trace replayed in Values, row by row. Slow, and the oracle of all other backends."""

from typing import Any

import numpy
from numpy import ndarray

from scalargrad.compiler.backends import Slopes, Source, Toolchain
from scalargrad.compiler.tracer import SHARE, Trace, Tracer, flatten_results
from scalargrad.engine import Value, gradients, topological_order
from scalargrad.observers import with_grad
from scalargrad.ops import mean


class EagerBackend:
    """A trace as it is: no pass has touched it, and each call computes with Values."""

    def __init__(self, source: Source, trace: Trace) -> None:
        self.source, self.trace = source, trace

    @classmethod
    def made(cls, source: Source, toolchain: Toolchain) -> "EagerBackend":
        assert source.trace is not None, "it replays a trace"
        return cls(source, source.trace)

    def results(self, arrays: list[ndarray], rows: int) -> ndarray:
        results, _ = replay(self.trace, _columns(arrays), rows)
        return numpy.array([[float(x) for x in row] for row in results]).reshape(len(results), rows).T

    def slopes(self, arrays: list[ndarray], rows: int) -> Slopes:
        parameters = self.source.program.parameters
        with with_grad():
            (losses,), updates = replay(self.trace, _columns(arrays), rows)
            total = mean([x if isinstance(x, Value) else Value(x) for x in losses])
            slopes = gradients(total, parameters)
        return total.data, numpy.array(slopes), {buffer: float(x) for buffer, x in updates.items()}

    def report(self, rows: int) -> str:
        return "eager: Values replay the function row by row; nothing is compiled"


def replay(trace: Trace, columns: list[list[float]], lanes: int) -> tuple[list[list[Any]], dict[Any, Any]]:
    """The Values of each result, one a row, and the update of each buffer; rows share what is the same for all.

    columns   the numbers of each input, in the order of the trace, [inputs][lanes]
    """
    place: dict[Any, list[Any]] = {SHARE: [Value(1.0 / lanes)] * lanes}
    for tracer, column in zip((x for flat in trace.inputs for x in flat), columns, strict=True):
        place[tracer] = [Value(x) for x in column]

    def rows_of(x: object) -> list[Any]:
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


def _first(x: object, place: dict[Any, list[Any]]) -> Any:
    return x if type(x) is float else place[x][0]


def _columns(arrays: list[ndarray]) -> list[list[float]]:
    """The numbers of each input, [inputs][rows]."""
    return [column for array in arrays for column in array.T.tolist()]
