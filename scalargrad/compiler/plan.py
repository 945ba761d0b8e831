"""plan: the same program, shorter and laid out for the backends.

What nobody reads is dropped, and instructions of one depth and kind are put together. Before that, parameters have been
put in the order in which the contractions read them, so that a layer's weights are one block and so is their gradient.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy
from numpy import ndarray

from scalargrad.compiler.program import LANE, UNIFORM, Instruction, Kind, Program, Table
from scalargrad.compiler.writer import Rows, Writer
from scalargrad.engine import Value

ALONE = (Kind.CONTRACT, Kind.OUTER, Kind.LANE_SUM, Kind.CONSTANT)  # are not put together with others


def plan(program: Program) -> Program:
    program = with_depths_merged(without_dead(without_repeats(with_composites_expanded(program))))
    program.verify()
    return program


def with_composites_expanded(program: Program) -> Program:
    """Composites written in primitives. Before this pass they are one instruction, with partials of their own."""
    if not any(instruction.op and instruction.op.composite for instruction in program.instructions):
        return program
    fresh, moves = _emptied(program)
    writer = Writer(fresh)
    for instruction in program.instructions:
        args = tuple(_moved(table, moves) for table in instruction.args)
        writer.backward = instruction.backward
        if instruction.op and instruction.op.composite:
            result = Rows.apply_operation(instruction.op, writer.operands(args)).table
            rows = (writer.broadcast(result) if instruction.bank == LANE else result).rows
        elif instruction.kind is Kind.CONSTANT:
            rows = writer.constant(instruction.number, 1).rows
        else:
            rows = fresh.append(replace(instruction, args=args)).rows
        moves[instruction.bank][instruction.first : instruction.first + instruction.count] = rows
    return _with_outputs(fresh, program, moves)


def without_repeats(program: Program) -> Program:
    """Each instruction once: a composite and its partials often begin with the same terms."""
    fresh, moves = _emptied(program)
    known: dict[tuple, ndarray] = {}
    for instruction in program.instructions:
        args = tuple(_moved(table, moves) for table in instruction.args)
        tables = tuple((table.bank, table.rows.shape, table.rows.tobytes()) for table in args)
        op = instruction.op and instruction.op.name
        key = (instruction.kind, op, instruction.bank, instruction.count, instruction.number.hex(), tables)
        if key not in known or instruction.kind is Kind.LEAF:
            known[key] = fresh.append(replace(instruction, args=args)).rows
        moves[instruction.bank][instruction.first : instruction.first + instruction.count] = known[key]
    return _with_outputs(fresh, program, moves)


def without_dead(program: Program) -> Program:
    """Only instructions that an output depends on."""
    read = {LANE: numpy.zeros(program.lane_rows, bool), UNIFORM: numpy.zeros(program.uniform_rows, bool)}
    for table in program.outputs():
        read[table.bank][table.rows] = True
    kept = []
    for instruction in reversed(program.instructions):
        if read[instruction.bank][instruction.first : instruction.first + instruction.count].any():
            kept.append(instruction)
            for table in instruction.args:
                read[table.bank][table.rows] = True
    return _renumbered(program, [[instruction] for instruction in reversed(kept)])


def with_depths_merged(program: Program) -> Program:
    """Elementwise instructions of one depth, operation and shape as one instruction over all their rows."""
    depth = {LANE: numpy.zeros(program.lane_rows, int), UNIFORM: numpy.zeros(program.uniform_rows, int)}
    buckets: dict[tuple, list[Instruction]] = defaultdict(list)
    for place, instruction in enumerate(program.instructions):
        deepest = max((int(depth[t.bank][t.rows].max()) for t in instruction.args if t.rows.size), default=0) + 1
        depth[instruction.bank][instruction.first : instruction.first + instruction.count] = deepest
        shape = tuple((table.bank, table.rows.shape[1:]) for table in instruction.args)
        alone = place if instruction.kind in ALONE else -1
        kind = (instruction.kind, instruction.op and instruction.op.name, instruction.bank, instruction.backward)
        buckets[deepest, alone, kind, shape].append(instruction)
    first_place = {id(instruction): place for place, instruction in enumerate(program.instructions)}
    in_order = sorted(buckets.items(), key=lambda item: (item[0][0], first_place[id(item[1][0])]))
    return _renumbered(program, [members for _, members in in_order])


def with_parameters_in_order(program: Program) -> Program:
    """Parameters in the order in which the contractions read them, the largest first, then the others."""
    first = len(program.constants)
    last = first + len(program.parameters)
    tables = [i.args[0].rows.ravel() for i in program.instructions if i.kind is Kind.CONTRACT and not i.backward]
    tables.sort(key=len, reverse=True)
    wanted = numpy.concatenate([*tables, numpy.arange(first, last)]) if tables else numpy.arange(first, last)
    wanted = wanted[(wanted >= first) & (wanted < last)]
    _, places = numpy.unique(wanted, return_index=True)
    order = wanted[numpy.sort(places)]  # old rows in their new order
    moved = numpy.arange(program.uniform_rows)
    moved[order] = numpy.arange(first, last)
    moves = {LANE: numpy.arange(program.lane_rows), UNIFORM: moved}
    result = _moved_outputs(program, moves)
    result.parameters = [program.parameters[row - first] for row in order]
    if result.gradient is not None:
        result.gradient = Table(UNIFORM, result.gradient.rows[order - first])
    result.instructions = [replace(i, args=tuple(_moved(t, moves) for t in i.args)) for i in program.instructions]
    return result


def with_more_parameters(program: Program, parameters: Sequence[Value]) -> Program:
    """The program with parameters, after its own, that it does not read: `gradient` has no rows for them."""
    last = len(program.constants) + len(program.parameters)
    rows = numpy.arange(program.uniform_rows)
    moves = {LANE: numpy.arange(program.lane_rows), UNIFORM: rows + len(parameters) * (rows >= last)}
    result = _moved_outputs(program, moves)
    result.parameters = [*program.parameters, *parameters]
    result.uniform_rows += len(parameters)
    result.instructions = [
        replace(i, first=int(moves[i.bank][i.first]), args=tuple(_moved(t, moves) for t in i.args))
        for i in program.instructions
    ]
    return result


def _renumbered(program: Program, groups: list[list[Instruction]]) -> Program:
    """A program of one instruction for each group, with all rows in their new places."""
    fresh, moves = _emptied(program)
    for members in groups:
        head = members[0]
        args = tuple(
            Table(head.args[i].bank, numpy.concatenate([_moved(m.args[i], moves).rows for m in members]))
            if len(members) > 1
            else _moved(head.args[i], moves)
            for i in range(len(head.args))
        )
        added = fresh.append(replace(head, count=sum(m.count for m in members), args=args))
        row = added.first
        for member in members:
            moves[head.bank][member.first : member.first + member.count] = numpy.arange(row, row + member.count)
            row += member.count
    return _with_outputs(fresh, program, moves)


def _emptied(program: Program) -> tuple[Program, dict[str, ndarray]]:
    """The program without instructions, and where its old rows go: so far only the leaves have a place."""
    moves = {LANE: numpy.full(program.lane_rows, -1), UNIFORM: numpy.full(program.uniform_rows, -1)}
    leaves = {LANE: sum(program.inputs), UNIFORM: program.batch_row + 1}
    for bank, count in leaves.items():
        moves[bank][:count] = numpy.arange(count)
    return replace(program, instructions=[], lane_rows=leaves[LANE], uniform_rows=leaves[UNIFORM]), moves


def _with_outputs(fresh: Program, program: Program, moves: dict[str, ndarray]) -> Program:
    outputs = _moved_outputs(program, moves)
    fresh.result, fresh.mean, fresh.gradient = outputs.result, outputs.mean, outputs.gradient
    fresh.updates = outputs.updates
    return fresh


def _moved_outputs(program: Program, moves: dict[str, ndarray]) -> Program:
    return replace(
        program,
        result=program.result and _moved(program.result, moves),
        mean=program.mean and _moved(program.mean, moves),
        gradient=program.gradient and _moved(program.gradient, moves),
        updates={buffer: _moved(table, moves) for buffer, table in program.updates.items()},
    )


def _moved(table: Table, moves: dict[str, ndarray]) -> Table:
    return Table(table.bank, moves[table.bank][table.rows])
