"""Lowering: a planned program becomes a table of records, each a kernel's address with its offsets and counts."""

from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from scalargrad.compiler.backends.native.kernels.packing import export_kernel, import_kernel
from scalargrad.compiler.backends.native.kernels.sums import reduce_kernel
from scalargrad.compiler.backends.native.planning.accumulation import with_sums_in_products
from scalargrad.compiler.backends.native.planning.fusion import Fusion
from scalargrad.compiler.backends.native.planning.memory import MemoryPlan, plan_memory
from scalargrad.compiler.backends.native.planning.schedule import Task, TaskKind, schedule
from scalargrad.compiler.backends.native.planning.table import BARRIER_KERNEL, SHARED, UNIFORM_CODE, RecordTable, Stage
from scalargrad.compiler.backends.native.planning.writers.folds import write_fold
from scalargrad.compiler.backends.native.planning.writers.maps import write_map
from scalargrad.compiler.backends.native.planning.writers.products import write_contraction
from scalargrad.compiler.backends.native.planning.writers.sums import write_lane_sum, write_outer
from scalargrad.compiler.backends.native.running.target import Machine
from scalargrad.compiler.program import LANE, Program, Table

MOST_KERNELS = 80  # before fusion is given up, as it multiplies the kernels of an irregular graph
WRITERS = {  # of records, by the kind of a group's head
    TaskKind.MAP: write_map,
    TaskKind.CONTRACT: write_contraction,
    TaskKind.FOLD: write_fold,
    TaskKind.OUTER: write_outer,
    TaskKind.LANE_SUM: write_lane_sum,
}


@dataclass
class NativeProgram:
    """The table of a program, its kernels compiled, and what its memory must hold.

    indices         the index tables, one after another: 32-bit numbers of places
    addresses       of kernels, by name
    crosses_stages  lane rows live on from one stage to the next
    kernels         their text in LLVM's language, by name
    scratch_rows    rows of lanes for which each thread needs scratch memory
    """

    program: Program
    memory: MemoryPlan
    stages: list[Stage]
    indices: ndarray
    addresses: dict[str, int]
    row_bytes: int
    crosses_stages: bool
    kernels: dict[str, str]
    scratch_rows: int

    @property
    def panel_bytes(self) -> int:
        return self.memory.lane_places * self.row_bytes

    def __str__(self) -> str:
        """The records, stage by stage."""
        head = f"{len(self.kernels)} kernels, {self.memory.lane_places} rows of lanes in memory"
        return "\n".join([head, *(f"stage {number}\n{stage}" for number, stage in enumerate(self.stages))])


def lower(program: Program, machine: Machine, dtype: str) -> NativeProgram:
    """The passes in their order. Compiles the kernels that are not there yet."""
    tasks = with_sums_in_products(program, schedule(program))
    table = _written(program, tasks, machine, dtype, fuse=True)
    if len(table.texts) > MOST_KERNELS:
        table = _written(program, tasks, machine, dtype, fuse=False)
    return NativeProgram(
        program,
        table.memory,
        table.stages,
        table.indices,
        machine.compiled(table.texts) | {BARRIER_KERNEL: machine.barrier_address(dtype)},
        table.row_bytes,
        _crosses_stages(program, tasks),
        table.texts,
        table.scratch_rows,
    )


def _written(program: Program, tasks: list[Task], machine: Machine, dtype: str, fuse: bool) -> RecordTable:
    fusion = Fusion(program, tasks, enabled=fuse)
    last = max((task.stage for task in tasks), default=0)
    table = RecordTable(machine, dtype, plan_memory(program, fusion), stages=last + 1)
    _write_imports(table, program)
    for group in fusion.groups:
        WRITERS[TaskKind.LANE_SUM if group.sums and group.head.kind is TaskKind.MAP else group.head.kind](table, group)
    _write_reductions(table)
    _write_export(table, program, tasks)
    return table


def _write_imports(table: RecordTable, program: Program) -> None:
    first = 0
    for array, numbers in enumerate(program.inputs):
        if numbers:
            table.add_lanes(0, table.kernel(import_kernel), [array, numbers, int(table.memory.lanes[first])])
        first += numbers


def _write_reductions(table: RecordTable) -> None:
    """The partial sums of the shares become one, stage by stage."""
    for stage, (begin, count) in enumerate(table.memory.sum_ranges):
        if count:
            kernel = table.kernel(reduce_kernel, registers=UNIFORM_CODE)
            target = (table.memory.sums + begin) * table.size
            table.add_sums(stage, kernel, [count, int(count >= SHARED), begin * table.size, target])


def _write_export(table: RecordTable, program: Program, tasks: list[Task]) -> None:
    result = _exported(program)
    if result is not None:
        stages = _stages_of_lanes(program, tasks)[result.rows]
        record = [result.rows.size, table.index_table(table.places(result))]
        table.add_lanes(int(stages.max()), table.kernel(export_kernel), record)


def _exported(program: Program) -> Table | None:
    """The rows of lanes that the caller gets."""
    result = program.result
    wanted = program.mean is None and result is not None and result.bank == LANE and result.rows.size
    return result if wanted else None


def _stages_of_lanes(program: Program, tasks: list[Task]) -> ndarray:
    """The stage of each lane row."""
    stages = np.zeros(program.lane_rows, int)
    for task in tasks:
        if task.bank == LANE:
            stages[task.rows] = task.stage
    return stages


def _crosses_stages(program: Program, tasks: list[Task]) -> bool:
    """Whether a lane row is read in a later stage, by a task or the export."""
    stages, result = _stages_of_lanes(program, tasks), _exported(program)
    read_later = any(
        column.bank == LANE and bool((stages[column.rows] < task.stage).any())
        for task in tasks
        for column in task.columns
    )
    return read_later or (result is not None and bool((stages[result.rows] < stages[result.rows].max()).any()))
