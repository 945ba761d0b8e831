"""Records of folds: many operands of a row become one."""

from scalargrad.compiler.backends.native.kernels.folds import fold_kernel
from scalargrad.compiler.backends.native.planning.fusion import Group
from scalargrad.compiler.backends.native.planning.table import LANE_CODE, SCALAR_CODE, RecordTable
from scalargrad.compiler.backends.native.planning.writers.operands import body_of, gathered_operand, matrix_operand
from scalargrad.compiler.backends.native.planning.writers.products import write_long_dot
from scalargrad.compiler.program import UNIFORM, Table


def write_fold(table: RecordTable, group: Group) -> None:
    head, uniform = group.head, group.head.bank == UNIFORM
    if uniform and head.op in ("dot", "sum") and write_long_dot(table, group):
        return
    matrices = [t if t.rows.ndim == 2 else Table(t.bank, t.rows[:, None]) for t in head.columns]
    operands = []
    for number, matrix in enumerate(matrices):
        gathered = head.op == "take" and number == 1  # each lane reads a row of its own
        operands.append(gathered_operand(table, matrix) if gathered else matrix_operand(table, matrix))
    body, fields = body_of(group).placed(table)
    kinds = tuple(kind for kind, _ in operands)
    registers = SCALAR_CODE if uniform else LANE_CODE
    kernel = table.kernel(fold_kernel, head.op, kinds, body, uniform, registers=registers)
    record = [head.count, matrices[-1].rows.shape[1], *(x for _, more in operands for x in more), *fields]
    if uniform:
        table.add_uniform(head.stage, kernel, record, group)
    else:
        table.add_lanes(head.stage, kernel, record, group)
