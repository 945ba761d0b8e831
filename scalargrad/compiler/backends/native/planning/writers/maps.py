"""Records of maps: rows of lanes, and of uniform rows."""

from itertools import pairwise

import numpy as np
from numpy import ndarray

from scalargrad.compiler.backends.native.kernels.maps import map_kernel, uniform_kernel, uniform_rows_kernel
from scalargrad.compiler.backends.native.planning.fusion import Group
from scalargrad.compiler.backends.native.planning.memory import affine
from scalargrad.compiler.backends.native.planning.table import SCALAR_CODE, SHARED, UNIFORM_CODE, RecordTable
from scalargrad.compiler.backends.native.planning.writers.operands import ALL, GroupBody, body_of
from scalargrad.compiler.program import LANE


def write_map(table: RecordTable, group: Group) -> None:
    head, body = group.head, body_of(group)
    if head.bank == LANE:
        for rows in _rows_of_a_key(table, body, head.count):
            placed, fields = body.placed(table, rows=rows)
            table.add_lanes(head.stage, table.kernel(map_kernel, placed), [rows.stop - rows.start, *fields], group)
    elif not _changes_nothing(group):
        pieces = _affine_pieces(table, body)
        for rows in pieces:
            _write_uniform(table, body, rows, vector=True)
        if not pieces:
            _write_uniform(table, body, slice(0, head.count), vector=False)


def _changes_nothing(group: Group) -> bool:
    """Whether it is an update of rows by themselves."""
    (task, *others) = group.tasks
    return not others and task.op == "copy" and task.is_update and np.array_equal(task.columns[0].rows, task.rows)


def _write_uniform(table: RecordTable, body: GroupBody, rows: slice, vector: bool) -> None:
    """Uniform rows of a group as a vector, if all operands are stretches or one place there, or one by one."""
    placed, fields = body.placed(table, vector, rows if vector else ALL)
    if vector:
        kernel = table.kernel(uniform_kernel, placed, registers=UNIFORM_CODE)
    else:
        kernel = table.kernel(uniform_rows_kernel, placed, registers=SCALAR_CODE)
    count = rows.stop - rows.start
    shared = count >= SHARED
    table.add_uniform(body.group.head.stage, kernel, [count, shared, *fields], body.group, shared)


def _affine_pieces(table: RecordTable, body: GroupBody) -> list[slice]:
    """The rows cut where an operand jumps; none, if there are many jumps, or operands are strided."""
    count = body.group.head.count
    if count < table.width:
        return []
    columns = [table.places(column) for column, whole in body.operands if whole is None]
    jumps = np.zeros(count - 1, bool)
    for places in columns:
        steps = np.diff(places)
        jumps |= (steps != 1) & (steps != 0)
        jumps[1:] |= steps[1:] != steps[:-1]
    pieces = _pieces_between(jumps)
    contiguous = all(affine(places[piece])[1] in (0, 1) for piece in pieces for places in columns)
    return pieces if contiguous else []


def _rows_of_a_key(table: RecordTable, body: GroupBody, count: int) -> list[slice]:
    """The rows cut where random() gets another key, so that it is mixed once for each piece of them."""
    jumps = np.zeros(count - 1, bool)
    for operation in body.operations:
        for kind, number in operation.args[:-1] if operation.op == "random" else ():
            column, whole = body.operands[number] if kind == "in" else (None, None)
            if column is not None and whole is None:
                jumps |= np.diff(table.places(column)) != 0
    return _pieces_between(jumps) or [slice(0, count)]


def _pieces_between(jumps: ndarray) -> list[slice]:
    """Pieces of rows that end where a jump to the next one is; none, if there are too many to be worth it."""
    count = len(jumps) + 1
    edges = [0, *(np.flatnonzero(jumps) + 1).tolist(), count]
    return [slice(a, b) for a, b in pairwise(edges)] if len(edges) <= 2 + count // 32 else []
