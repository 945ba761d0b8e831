"""Records of contractions, and of long dots of uniform rows."""

from dataclasses import replace

from scalargrad.compiler.backends.native.kernels.body import Body
from scalargrad.compiler.backends.native.kernels.operands import Access
from scalargrad.compiler.backends.native.kernels.products import Contraction, contraction_kernel, long_dot_kernel
from scalargrad.compiler.backends.native.kernels.sums import Sums
from scalargrad.compiler.backends.native.planning.fusion import Group
from scalargrad.compiler.backends.native.planning.memory import affine
from scalargrad.compiler.backends.native.planning.table import LANE_CODE, SCALAR_CODE, UNIFORM_CODE, RecordTable
from scalargrad.compiler.backends.native.planning.writers.operands import body_of, matrix_operand
from scalargrad.compiler.backends.native.planning.writers.sums import sums_of
from scalargrad.compiler.backends.native.planning.writers.tiles import most_rows, tiles_of
from scalargrad.compiler.program import UNIFORM, Table

CONFLICTING = 2048  # bytes: rows a multiple of this apart compete for the same sets of the first cache
COLUMN_BYTES = 16_384  # of a column that stays in the first cache while all weights meet it


def write_contraction(table: RecordTable, group: Group) -> None:
    head = group.head
    uniform = head.bank == UNIFORM
    if uniform and write_long_dot(table, group):
        return
    weights, inputs = (matrix_operand(table, operand) for operand in head.columns)
    rows, terms = head.columns[0].rows.shape
    columns = len(head.columns[1].rows)
    body, body_fields = body_of(group).placed(table)
    sums, targets = sums_of(table, group, group.sums)
    most = 1 if uniform else most_rows(table, weights[0])
    variant = _variant(table, group, weights, inputs, body, sums, most)
    _reserve_scratch(table, variant, rows, terms)
    adds = [] if head.adds_to is None else [table.index_table(head.adds_to), head.count]
    first = 0
    for height, tiles in tiles_of(rows, most):
        registers = SCALAR_CODE if uniform else LANE_CODE
        kernel = table.kernel(contraction_kernel, replace(variant, height=height), registers=registers)
        record = [tiles, first, columns, terms, *weights[1], *inputs[1], *targets, *adds, *body_fields]
        adds[1:] = [0] * len(adds[1:])  # results are cleared once
        if uniform:
            table.add_uniform(head.stage, kernel, record, group)
        else:
            table.add_lanes(head.stage, kernel, record, group)
        first += height * tiles


def _variant(
    table: RecordTable,
    group: Group,
    weights: tuple[Access, list[int]],
    inputs: tuple[Access, list[int]],
    body: Body,
    sums: Sums,
    most: int,
) -> Contraction:
    """The kernel, but for the height of its tiles. Packing and blocks pay where columns are read again."""
    uniform, single = group.head.bank == UNIFORM, len(group.head.columns[1].rows) == 1
    (kind, fields), (rows, terms) = inputs, group.head.columns[0].rows.shape
    read_again = not uniform and not single and rows > most  # by another tile
    slow = kind == Access.ROW_TABLE or (kind == Access.ROW and fields[2] % CONFLICTING == 0)
    long = terms * table.row_bytes > COLUMN_BYTES
    return Contraction(
        height=0,
        weights=weights[0],
        inputs=kind,
        body=body,
        uniform=uniform,
        single=single,
        packed=read_again and terms > 4 and slow,
        depth_block=COLUMN_BYTES // table.row_bytes if read_again and long else 0,
        sums=sums,
        scattered=group.head.adds_to is not None,
    )


def _reserve_scratch(table: RecordTable, variant: Contraction, rows: int, terms: int) -> None:
    """Room for a packed column, the sums of its rows, and those over columns and lanes."""
    packed = (variant.depth_block or terms) if variant.packed else 0
    row_sums = rows if variant.depth_block else 0
    table.reserve_scratch(packed + row_sums + rows * len(variant.sums.operations))


def write_long_dot(table: RecordTable, group: Group) -> bool:
    """A single dot or sum of long stretches of uniform rows has a kernel of its own; returns whether it is one."""
    operands, starts = group.head.columns, []
    for operand in operands:
        start, step = affine(table.places(Table(operand.bank, operand.rows.ravel())))
        if len(operand.rows) != 1 or step != 1 or operand.rows.size < 4 * table.width:
            return False
        starts.append(start * table.size)
    if len(group.tasks) > 1:
        return False
    kernel = table.kernel(long_dot_kernel, len(operands) == 2, registers=UNIFORM_CODE)
    head = group.head
    target = int(table.memory.uniform[head.rows[0]]) * table.size
    table.add_uniform(head.stage, kernel, [operands[0].rows.size, target, *starts], group)
    return True
