"""step: the optimizer's formula as the last instructions of a program of gradients: a whole training step."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy
from numpy import ndarray

from scalargrad.compiler.formulas import Formula, formulas
from scalargrad.compiler.plan import with_more_parameters
from scalargrad.compiler.program import UNIFORM, Kind, Program, Table
from scalargrad.compiler.writer import Rows, Writer
from scalargrad.engine import Value
from scalargrad.ops import add, dot, minimum, mul, sqrt
from scalargrad.optim import Optimizer, checked_rate, scale_of_clipped
from scalargrad.schedules import Schedule

LOWEST = 4  # the place in the clock of the lowest rate


def with_optimizer(
    program: Program,
    optimizer: Optimizer,
    schedule: Schedule | None,
    steps: Value,
    parameters: list[Value],
    adjusted: Sequence[str] = (),
    clip_grad_norm: float | None = None,
) -> tuple[Program, ndarray, ndarray, list[Formula]]:
    """The program whose `moves` make one training step; the rows of its clock; those of the state; what it was made of.

    The clock is the number of steps so far, the rate, the number of steps since the schedule began, and its length; and
    if there is a schedule, the lowest rate that it gave, as far as it is below 0.
    The parameters in `parameters` move, also those that the program does not read: their gradient is 0.
    The clock ends with settings of the optimizer whose names are in `adjusted`: these may change between steps.
    The gradients of all that moves are clipped as by the function `clip_grad_norm`, unless that is None.
    """
    update, factor = formulas(optimizer, schedule, [*parameters, steps, *program.updates], adjusted)
    read = set(program.parameters)
    program = with_more_parameters(program, [parameter for parameter in parameters if parameter not in read])
    assert program.gradient is not None
    place = {parameter: n for n, parameter in enumerate(program.parameters)}
    fresh = replace(program, instructions=list(program.instructions), moves=[])
    writer = Writer(fresh, backward=True)
    count, first = len(parameters), len(program.constants)
    chosen = numpy.array([place[parameter] for parameter in parameters], int)

    def leaf(rows: int) -> Table:
        return writer.emit(Kind.LEAF, UNIFORM, rows, ())

    def many(table: Table) -> Rows:
        return Rows(writer, Table(UNIFORM, numpy.repeat(table.rows, count)))

    clock: tuple[Table, ...] = (leaf(1), leaf(1), leaf(1), leaf(1))
    time, rate, position, span = clock
    state_rows = leaf(count * optimizer.state_size).rows if count * optimizer.state_size else numpy.zeros(0, int)
    state = [Table(UNIFORM, rows) for rows in state_rows.reshape(optimizer.state_size, count)]
    one = writer.constant(1.0, 1)
    following = writer.map(add, time, one)
    moves = [(following, time)]
    if factor is not None:
        full, now, whole = (Rows(writer, table) for table in (rate, position, span))
        (share,) = factor.on(now, whole)
        rate = _table(writer, mul(full, share), 1)
        if isinstance(share, Rows):
            clock = (*clock, lowest := leaf(1))
            below = minimum(Rows(writer, rate), Rows(writer, lowest))
            moves.append((_table(writer, below, 1), lowest))
        else:
            checked_rate(share)
        moves.append((writer.map(add, position, one), position))
    settings = [leaf(1) for _ in adjusted]
    clock = (*clock, *settings)
    places = first + chosen
    if count:
        remembered = [Rows(writer, table) for table in state]
        slopes = program.gradient.rows
        if unread := len(program.parameters) - len(slopes):
            slopes = numpy.concatenate([slopes, writer.constant(0.0, unread).rows])
        gradient = Rows(writer, Table(UNIFORM, slopes[chosen]))
        if clip_grad_norm is not None:
            gradient = mul(gradient, many(_scale(gradient, clip_grad_norm)))
        parameter = Rows(writer, Table(UNIFORM, places))
        moved, *kept = update.on(parameter, gradient, *remembered, *map(many, (rate, following, *settings)))
        moved_rows = _table(writer, moved, count).rows
        for part in numpy.split(numpy.arange(count), numpy.flatnonzero(numpy.diff(places) != 1) + 1):
            moves.append((Table(UNIFORM, moved_rows[part]), Table(UNIFORM, places[part])))
        moves += [(_table(writer, x, count), table) for x, table in zip(kept, state, strict=True)]
    for number, buffer in enumerate(program.buffers):
        row = Table(UNIFORM, numpy.array([first + len(program.parameters) + number]))
        if buffer is steps:
            moves.append((writer.map(add, row, one), row))
        elif buffer in program.updates:
            moves.append((program.updates[buffer], row))
    fresh.moves += _without_overwriting(writer, moves)
    fresh.verify()
    rows_of_clock = numpy.concatenate([table.rows for table in clock])
    return fresh, rows_of_clock, state_rows, [update, factor] if factor else [update]


def _without_overwriting(writer: Writer, moves: list[tuple[Table, Table]]) -> list[tuple[Table, Table]]:
    """The moves that change something, with copies of what would be overwritten before it is read."""
    targets = numpy.concatenate([target.rows for _, target in moves])
    nothing = writer.constant(-0.0, 1)  # x + -0.0 is x
    found = []
    for source, target in moves:
        if numpy.array_equal(source.rows, target.rows):
            continue
        if numpy.isin(source.rows, targets).any():
            source = writer.map(add, source, Table(UNIFORM, numpy.repeat(nothing.rows, len(source.rows))))
        found.append((source, target))
    return found


def _scale(gradient: Rows, max_norm: float) -> Table:
    """One row: what all gradients are multiplied by, so that their norm is at most `max_norm`."""
    writer = gradient.writer
    whole = Table(UNIFORM, gradient.table.rows[None])  # in the order of the parameters, as backends keep it
    norm = sqrt(Rows(writer, writer.map(dot, whole, whole)))
    return _table(writer, scale_of_clipped(norm, max_norm), 1)


def of_nothing() -> Program:
    """A program that reads nothing: the mean is 0."""
    zero = Table(UNIFORM, numpy.zeros(1, int))
    return Program([1], [0.0], [], mean=zero, gradient=Table(UNIFORM, zero.rows[:0]), lane_rows=1, uniform_rows=2)


def _table(writer: Writer, x: Any, count: int) -> Table:
    return x.table if isinstance(x, Rows) else writer.constant(float(x), count)
