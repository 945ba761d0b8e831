"""Operands as kernels take them: affine where their places are evenly spaced, else through an index table."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from scalargrad.compiler.backends.native.kernels.body import HEAD_RESULT, Body, Operation
from scalargrad.compiler.backends.native.kernels.operands import Access
from scalargrad.compiler.backends.native.planning.fusion import Group
from scalargrad.compiler.backends.native.planning.memory import affine, affine_matrix
from scalargrad.compiler.backends.native.planning.schedule import Task, TaskKind
from scalargrad.compiler.backends.native.planning.table import RecordTable
from scalargrad.compiler.program import LANE, Table

ALL: Final = slice(0, None)  # rows of a group


@dataclass
class GroupBody:
    """The operations of a group behind its head, and their operands, each once.

    operands   a column, and the constant that it is, if it is one of random() and one
    """

    group: Group
    operations: tuple[Operation, ...]
    stores: tuple[int, ...]
    operands: list[tuple[Table, int | None]]

    def placed(self, table: RecordTable, vector: bool = False, rows: slice = ALL) -> tuple[Body, list[int]]:
        """The body with the kinds of its operands, and their fields, for all rows of the group or a piece of them.

        vector    uniform rows are what the vector runs over
        """
        kinds: list[Access] = []
        fields: list[int] = []
        for number, (column, whole) in enumerate(self.operands):
            if whole is not None:
                kind, more = Access.WHOLE, [whole]
            else:
                part = Table(column.bank, column.rows[rows])
                kind, more = column_operand(table, part, vector, number in self.counters)
            kinds.append(kind)
            fields += more
        for task in self.group.stored:
            start, step = affine(table.places(Table(task.bank, task.rows)))
            assert step == 1 or task.count == 1, "results follow each other"
            fields.append((start + rows.start) * table.unit(task.bank))
        return Body(tuple(kinds), self.operations, self.stores), fields

    @property
    def counters(self) -> set[int]:
        """The operands of random()."""
        return {n for step in self.operations if step.op == "random" for kind, n in step.args if kind == "in"}


def body_of(group: Group) -> GroupBody:
    operands: list[tuple[Table, int | None]] = []
    numbers: dict[int | tuple[str, bytes], int] = {}  # of operands, by what they are
    operations: list[Operation] = []
    done: list[tuple[Task, int]] = []  # and the number of its operation
    tasks = group.tasks
    if group.head.kind is not TaskKind.MAP:
        tasks, done = tasks[1:], [(group.head, HEAD_RESULT)]
    for task in tasks:
        args = []
        for column, whole in zip(task.columns, task.whole or (None,) * len(task.columns), strict=True):
            inside = [n for t, n in done if t.bank == column.bank and not t.is_update and _same(t, column)]
            if inside:
                args.append(("result", inside[0]))
                continue
            key = whole if whole is not None else (column.bank, column.rows.tobytes())
            if key not in numbers:
                numbers[key] = len(operands)
                operands.append((column, whole))
            args.append(("in", numbers[key]))
        done.append((task, len(operations)))
        operations.append(Operation(task.op, tuple(args)))
    number_of = {id(task): number for task, number in done}
    stores = tuple(number_of[id(task)] for task in group.stored)
    return GroupBody(group, tuple(operations), stores, operands)


def _same(task: Task, column: Table) -> bool:
    return np.array_equal(task.rows, column.rows)


def column_operand(table: RecordTable, column: Table, vector: bool, counter: bool) -> tuple[Access, list[int]]:
    """The kind of an operand with one place for each row, and its fields.

    counter   it is one of random(): worth telling apart if it is the same for all rows
    """
    places, unit = table.places(column), table.unit(column.bank)
    start, step = affine(places)
    if step is None:
        assert not vector
        return (Access.ROW_TABLE if column.bank == LANE else Access.NUMBER_TABLE), [table.index_table(places)]
    if vector and step == 1:
        return Access.NUMBERS, [start * unit]
    if counter and step == 0:
        return (Access.ROW_ONCE if column.bank == LANE else Access.NUMBER_ONCE), [start * unit]
    return (Access.ROW if column.bank == LANE else Access.NUMBER), [start * unit, step * unit]


def matrix_operand(table: RecordTable, matrix: Table) -> tuple[Access, list[int]]:
    """The kind of operands [i, k], and their (start, step, stride): bytes, or places in an index table."""
    places, unit = table.places(matrix), table.unit(matrix.bank)
    start, step, stride = affine_matrix(places)
    if step is not None:
        return (Access.ROW if matrix.bank == LANE else Access.NUMBER), [start * unit, step * unit, stride * unit]
    return gathered_operand(table, matrix)


def gathered_operand(table: RecordTable, matrix: Table) -> tuple[Access, list[int]]:
    """The kind of operands [i, k] and their fields, always through an index table."""
    places = table.places(matrix)
    return (Access.ROW_TABLE if matrix.bank == LANE else Access.NUMBER_TABLE), [
        table.index_table(places),
        places.shape[1],
        1,
    ]
