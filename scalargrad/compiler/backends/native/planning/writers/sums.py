"""Records of sums over lanes: of rows, and of outer products."""

import numpy as np

from scalargrad.compiler.backends.native.kernels.body import HEAD_RESULT, Operation
from scalargrad.compiler.backends.native.kernels.kernel_code import VECTORS
from scalargrad.compiler.backends.native.kernels.operands import Access
from scalargrad.compiler.backends.native.kernels.outer import Outer, dense_outer_kernel, outer_kernel
from scalargrad.compiler.backends.native.kernels.sums import Sums, lane_sum_kernel
from scalargrad.compiler.backends.native.planning.fusion import Group
from scalargrad.compiler.backends.native.planning.memory import affine, affine_matrix
from scalargrad.compiler.backends.native.planning.schedule import Task, TaskKind
from scalargrad.compiler.backends.native.planning.table import RecordTable
from scalargrad.compiler.backends.native.planning.writers.operands import GroupBody, body_of, matrix_operand
from scalargrad.compiler.backends.native.planning.writers.tiles import most_of_outer, most_rows, tiles_of
from scalargrad.compiler.program import LANE, Table

FEWEST_ROWS = 3  # of an outer product that is worth packing its inputs


def write_lane_sum(table: RecordTable, group: Group) -> None:
    """Sums over lanes of rows as they are, or of what a group of maps computes for each row."""
    tasks = group.sums or [group.head]
    if group.sums:
        body = body_of(group)
    else:
        rows = Table(LANE, group.head.columns[0].rows.ravel())
        body = GroupBody(group, (Operation("copy", (("in", 0),)),), (), [(rows, None)])
    placed, fields = body.placed(table)
    sums, targets = sums_of(table, group, tasks)
    kernel = table.kernel(lane_sum_kernel, placed, sums)
    table.add_lanes(group.head.stage, kernel, [*tasks[0].columns[0].rows.shape, *targets, *fields], group)


def sums_of(table: RecordTable, group: Group, tasks: list[Task]) -> tuple[Sums, list[int]]:
    """The operations of a group that are summed over lanes, and the fields that say where the sums go."""
    targets, tables = [], []
    for task in tasks:
        places = table.partial_places(task.rows)
        start, step = affine(places)
        tables.append(step is None)
        targets += [table.index_table(places), 1] if step is None else [start * table.size, step * table.size]
    operations = tuple(_summed(group, task) if group.sums else 0 for task in tasks)
    return Sums(operations, tuple(tables)), targets


def _summed(group: Group, task: Task) -> int:
    """The number of the operation whose results a lane_sum adds up."""
    wanted = task.columns[0].rows.ravel()
    place = next(n for n, t in enumerate(group.tasks) if np.array_equal(t.rows, wanted))
    return place if group.head.kind is TaskKind.MAP else place - 1 if place else HEAD_RESULT


def write_outer(table: RecordTable, group: Group) -> None:
    head = group.head
    upstream, inputs = head.columns
    rows, terms = len(upstream.rows), inputs.rows.shape[1]
    start, step, stride = affine_matrix(table.partial_places(head.rows).reshape(rows, terms))
    assert step is not None, "gradients of a product are affine"
    target = [start * table.size, step * table.size, stride * table.size]
    first = 0
    if len(inputs.rows) == 1 and stride == 1 and rows >= FEWEST_ROWS:  # vectors along the terms, as many as fill them
        for vectors in (2, 1):
            tiles = (terms - first) // (vectors * table.width)
            if tiles:
                _write_dense_outer(table, group, vectors, first, tiles, target[:2])
                first += tiles * vectors * table.width
    _write_tiled_outer(table, group, first, target, adjacent=stride == 1)


def _write_tiled_outer(table: RecordTable, group: Group, first: int, target: list[int], adjacent: bool) -> None:
    """An outer product from the term `first` on, in tiles."""
    (upstream, above), (inputs, below) = (matrix_operand(table, operand) for operand in group.head.columns)
    rows, (columns, terms) = len(group.head.columns[0].rows), group.head.columns[1].rows.shape
    single = columns == 1
    high, wide = most_of_outer(table)
    first_row = 0
    for height, row_tiles in tiles_of(rows, high):
        first_term = first
        for width, term_tiles in tiles_of(terms - first, wide) if terms > first else ():
            kernel = table.kernel(outer_kernel, Outer(height, width, upstream, inputs, adjacent, single))
            if not single:  # for accumulators
                table.reserve_scratch(-(-term_tiles * height * width // VECTORS))
            record = [row_tiles, term_tiles, columns, first_row, first_term, *above, *below, *target]
            table.add_lanes(group.head.stage, kernel, record, group)
            first_term += width * term_tiles
        first_row += height * row_tiles


def _write_dense_outer(
    table: RecordTable, group: Group, vectors: int, first: int, tiles: int, target: list[int]
) -> None:
    (upstream, above), (inputs, below) = (matrix_operand(table, operand) for operand in group.head.columns)
    first_row = 0
    for height, row_tiles in tiles_of(len(group.head.columns[0].rows), most_rows(table, Access.NUMBER)):
        kernel = table.kernel(dense_outer_kernel, height, vectors, upstream, inputs)
        record = [row_tiles, first_row, tiles, first, *above, *below, *target]
        table.add_lanes(group.head.stage, kernel, record, group)
        first_row += height * row_tiles
