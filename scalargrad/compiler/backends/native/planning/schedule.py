"""The schedule: the instructions of a program as tasks, each in the stage where its operands are available."""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy import ndarray

from scalargrad.compiler.program import LANE, UNIFORM, Instruction, Kind, Program, Table

WIDEST = 8  # operands of one row that a kernel holds in registers; more are folded in a loop
FALLIBLE = ("take", "random")  # operations that refuse some arguments
POWERS = {1.0: "copy", 2.0: "square", 3.0: "cube", -1.0: "inverse"}


class TaskKind(StrEnum):
    """Of tasks, by the kernel that does them. A dot is a fold, if its operands are no matrices."""

    MAP = "map"
    FOLD = "fold"
    CONTRACT = "contract"
    OUTER = "outer"
    LANE_SUM = "lane_sum"


@dataclass(eq=False)
class Task:
    """One instruction for one stage, in the form that kernels take.

    op       the operation of a map or a fold
    stage    a stage is: uniform rows, then lanes, then sums over lanes
    rows     [count], the rows of its results
    columns  for a map a row for each operand and result, as tables [count]; else the tables of the instruction
    whole    for each operand of random() the constant that it is, if it is one
    adds_to  for each row of a product the number of the result that it is added to; None: it is one itself
    """

    kind: TaskKind
    op: str
    bank: str
    stage: int
    rows: ndarray
    columns: tuple[Table, ...]
    whole: tuple[int | None, ...] = ()
    instruction: Instruction | None = None  # that it does; None for an update of a row that stays
    adds_to: ndarray | None = None

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def is_update(self) -> bool:
        return self.instruction is None

    @property
    def work(self) -> int:
        """Multiply-adds or operations for one sample."""
        return 0 if self.instruction is None else self.instruction.work

    @property
    def sums_lanes(self) -> bool:
        return self.kind in (TaskKind.OUTER, TaskKind.LANE_SUM)

    @property
    def part(self) -> tuple[int, bool]:
        """The stage, and there whether the task is done lane by lane."""
        return self.stage, self.bank == LANE or self.sums_lanes


class _Availability:
    """The stage from which on each row is available.

    copied   for each lane row the uniform row that it is a copy of, or -1
    """

    def __init__(self, program: Program) -> None:
        self.stages = {LANE: np.zeros(program.lane_rows, int), UNIFORM: np.zeros(program.uniform_rows, int)}
        self.copied = np.full(program.lane_rows, -1)
        self.constants = program.numbers
        self.last = 0

    def of(self, tables: tuple[Table, ...]) -> int:
        return max((int(self.stages[table.bank][table.rows].max(initial=0)) for table in tables), default=0)

    def constant(self, table: Table) -> float | None:
        """The number, if all rows are one constant."""
        first = int(table.rows[0])
        same = table.bank == UNIFORM and first in self.constants and (table.rows == first).all()
        return self.constants[first] if same else None


def schedule(program: Program) -> list[Task]:
    """The tasks of a planned program, in its order, with the copies of its `moves` at the end."""
    available = _Availability(program)
    tasks = []
    for instruction in program.instructions:
        if instruction.kind.is_given:
            continue
        stage, rows = available.of(instruction.args), instruction.rows
        task = _task(instruction, stage, available)
        if instruction.kind is Kind.BROADCAST:
            available.copied[rows] = instruction.args[0].rows
        available.last = max(available.last, stage + (instruction.bank == LANE or task.sums_lanes))
        available.stages[instruction.bank][rows] = stage + task.sums_lanes
        tasks.append(task)
    if any(task.bank == UNIFORM and task.op in FALLIBLE for task in tasks):
        available.last += 1  # what may fail is over before the step is made
    for source, target in program.moves:
        tasks.append(Task(TaskKind.MAP, "copy", UNIFORM, available.last, target.rows, (source,), (None,)))
    tasks = _without_dead_copies(program, tasks, available.copied)
    _sink(program, tasks)
    return tasks


def _without_dead_copies(program: Program, tasks: list[Task], copied: ndarray) -> list[Task]:
    """Kernels that read an operand from one place for all lanes leave many of its copies in lanes dead."""
    read = np.zeros(program.lane_rows, bool)
    for table in [*(column for task in tasks for column in task.columns), *program.outputs()]:
        if table is not None and table.bank == LANE:
            read[table.rows.ravel()] = True
    kept = []
    for task in tasks:
        wanted = read[task.rows] | (copied[task.rows] < 0) if task.bank == LANE else np.ones(task.count, bool)
        if wanted.any():
            first, last = np.flatnonzero(wanted)[[0, -1]]
            kept.append(_cut(task, slice(first, last + 1)) if wanted.sum() < task.count else task)
    return kept


def _cut(task: Task, rows: slice) -> Task:
    """The copies of some rows, which follow each other like those of the whole task."""
    columns = tuple(Table(column.bank, column.rows[rows]) for column in task.columns)
    return replace(task, rows=task.rows[rows], columns=columns)


def _sink(program: Program, tasks: list[Task]) -> None:
    """Move uniform rows to the stage that reads them, however early they are available: there fusion may join them."""
    never = 1 + max((task.stage for task in tasks), default=0)
    wanted = np.full(program.uniform_rows, never)
    for task in reversed(tasks):
        if task.bank == UNIFORM and not task.sums_lanes and not task.is_update and task.op not in FALLIBLE:
            stage = int(wanted[task.rows].min())
            task.stage = max(task.stage, stage) if stage < never else task.stage
        for column in task.columns:
            if column.bank == UNIFORM:
                rows = column.rows.ravel()
                wanted[rows] = np.minimum(wanted[rows], task.stage)


def _task(instruction: Instruction, stage: int, available: _Availability) -> Task:
    kind, op, columns = _form(instruction, available)
    if kind is TaskKind.MAP and op == "pow" and (exponent := available.constant(columns[1])) in POWERS:
        op, columns = POWERS[exponent], columns[:1]
    whole = tuple(_whole(available.constant(column)) if op == "random" else None for column in columns)
    return Task(kind, op, instruction.bank, stage, instruction.rows, columns, whole, instruction)


def _form(instruction: Instruction, available: _Availability) -> tuple[TaskKind, str, tuple[Table, ...]]:
    """The kind of an instruction's task, the operation, and the tables that its kernel reads."""
    args, widths = instruction.args, [table.rows.shape[1] for table in instruction.args if table.rows.ndim > 1]
    if instruction.kind.sums_lanes:
        return TaskKind(instruction.kind), instruction.kind, args
    if instruction.kind is Kind.CONTRACT:
        return (TaskKind.CONTRACT, "dot", args) if widths[0] > 1 else (TaskKind.MAP, "mul", _product_columns(*args))
    if instruction.kind is Kind.BROADCAST:
        return TaskKind.MAP, "copy", args
    if max(widths, default=0) > WIDEST:
        return TaskKind.FOLD, instruction.name, args
    columns = tuple(_original(column, available.copied) for table in args for column in _columns(table))
    return TaskKind.MAP, instruction.name, columns


def _product_columns(weights: Table, inputs: Table) -> tuple[Table, Table]:
    """A product of one term each, [r, 1] x [1, c], as two operands for each result."""
    rows, columns = len(weights.rows), len(inputs.rows)
    return (
        Table(weights.bank, np.repeat(weights.rows[:, 0], columns)),
        Table(inputs.bank, np.tile(inputs.rows[:, 0], rows)),
    )


def _columns(table: Table) -> list[Table]:
    return [table] if table.rows.ndim == 1 else [Table(table.bank, column) for column in table.rows.T]


def _original(column: Table, copied: ndarray) -> Table:
    """The uniform rows that all rows of the column are copies of, if they are."""
    if column.bank == LANE and (originals := copied[column.rows]).min(initial=0) >= 0:
        return Table(UNIFORM, originals)
    return column


def _whole(number: float | None) -> int | None:
    return int(number) if number is not None and number == number // 1 and abs(number) < 2.0**63 else None
