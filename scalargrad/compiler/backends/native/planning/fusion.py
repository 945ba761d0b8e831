"""Fusion: tasks become groups that one kernel does in one go, so that their intermediate results stay in registers.

A task may join the group that computes its operands, if it reads them row for row, and if its other operands are there
before. So a bias, an activation and its slope ride on the product before them, and an optimizer is one loop.
"""

from dataclasses import dataclass, field

import numpy as np

from scalargrad.compiler.backends.native.planning.schedule import Task, TaskKind
from scalargrad.compiler.program import LANE, UNIFORM, Program, Table

MOST_TASKS = 24  # of a group
NAMED = 6  # tasks, where a group is shown


@dataclass(eq=False)
class Group:
    """Fused tasks. The first one may be of any kind, the others are maps over as many rows.

    sums     sums over lanes of their results
    place    in the order of all groups
    stored   the tasks whose results another group reads, or the caller; those of the others stay in registers
    """

    tasks: list[Task]
    sums: list[Task] = field(default_factory=list)
    place: int = -1
    stored: list[Task] = field(default_factory=list)

    @property
    def head(self) -> Task:
        return self.tasks[0]

    @property
    def all(self) -> list[Task]:
        return [*self.tasks, *self.sums]

    def __str__(self) -> str:
        named = [task.op if task.kind is TaskKind.MAP else task.kind for task in self.tasks]
        more = f" + {len(named) - NAMED} more" if len(named) > NAMED else ""
        return f"{' + '.join(named[:NAMED])}{more} [{self.head.count}]"

    @property
    def takes_more(self) -> bool:
        alone = self.head.sums_lanes or (self.head.kind is not TaskKind.MAP and self.head.bank == UNIFORM)
        alone = alone or self.head.adds_to is not None  # its results are complete only at its end
        return not alone and len(self.tasks) < MOST_TASKS


class Fusion:
    """The groups of a program in order: by stage, and there uniform rows first.

    writer      for each row of a bank the group that computes it, or -1
    last_use    for each row of a bank the last group that reads it, or -1: the end of its live range
    enabled     False: each task is a group of its own
    """

    def __init__(self, program: Program, tasks: list[Task], enabled: bool) -> None:
        self.program, self.enabled = program, enabled
        self.writer = {LANE: np.full(program.lane_rows, -1), UNIFORM: np.full(program.uniform_rows, -1)}
        self.last_use = {LANE: np.full(program.lane_rows, -1), UNIFORM: np.full(program.uniform_rows, -1)}
        self.groups: list[Group] = []
        started = 0
        previous: tuple = ()
        for task in sorted(tasks, key=lambda task: task.part):
            if task.part != previous:  # a group stays in its stage
                started, previous = len(self.groups), task.part
            self._place(task, started)
        self._find_stored()

    def _place(self, task: Task, started: int) -> None:
        """Join a group of this stage, the first of which has the number `started`, or begin one."""
        group = self._partner(task, started) if self.enabled else None
        if group is None:
            group = Group([], place=len(self.groups))
            self.groups.append(group)
        self._join(task, group)

    def _partner(self, task: Task, started: int) -> Group | None:
        """The producer of the task's operands, or a later group of uniform rows, if the task may join one."""
        producer = max((int(self.writer[c.bank][c.rows].max(initial=-1)) for c in task.columns), default=-1)
        if task.is_update:  # of rows that others still read
            producer = max(producer, int(self.last_use[task.bank][task.rows].max(initial=-1)))
        if task.kind is TaskKind.LANE_SUM:
            return self.groups[producer] if producer >= started and self._sums_up(task, self.groups[producer]) else None
        if task.kind is not TaskKind.MAP:
            return None
        candidates = [producer] if task.bank == LANE else range(len(self.groups) - 1, max(producer, started) - 1, -1)
        return next((self.groups[n] for n in candidates if n >= started and self._fits(task, self.groups[n])), None)

    def _fits(self, task: Task, group: Group) -> bool:
        if not group.takes_more or group.head.count != task.count or group.head.bank != task.bank:
            return False
        for column in task.columns:
            inside = self.writer[column.bank][column.rows] == group.place
            if inside.any() and not self._is_result(column, group):
                return False
        return not task.is_update or self._read_row_for_row(task, group)

    def _sums_up(self, task: Task, group: Group) -> bool:
        table, head = task.columns[0], group.head
        shape = table.rows.shape
        if head.kind is TaskKind.CONTRACT and head.bank == LANE:  # a sum for each row of its weights
            fits = shape == (len(head.columns[0].rows), len(head.columns[1].rows)) and shape[1] > 1
        else:
            fits = head.kind is TaskKind.MAP and head.count == table.rows.size
        alike = not group.sums or group.sums[0].columns[0].rows.shape == shape
        return fits and alike and self._is_result(Table(table.bank, table.rows.ravel()), group)

    def _is_result(self, column: Table, group: Group) -> bool:
        return any(
            t.bank == column.bank and not t.is_update and np.array_equal(t.rows, column.rows) for t in group.tasks
        )

    def _read_row_for_row(self, update: Task, group: Group) -> bool:
        """Whether the group reads the rows that an update overwrites only in the place where they are written."""
        for task in group.tasks:
            for column in task.columns:
                if column.bank == update.bank and not np.array_equal(column.rows, update.rows):
                    low, high = update.rows.min(), update.rows.max()
                    if ((column.rows >= low) & (column.rows <= high)).any():
                        return False
        return True

    def _join(self, task: Task, group: Group) -> None:
        (group.sums if task.kind is TaskKind.LANE_SUM and group.tasks else group.tasks).append(task)
        if not task.is_update:
            self.writer[task.bank][task.rows] = group.place
        for column in task.columns:
            read = self.last_use[column.bank]
            rows = column.rows.ravel()
            read[rows] = np.maximum(read[rows], group.place)

    def _find_stored(self) -> None:
        """Results that another group, or the caller, reads."""
        wanted = {bank: np.zeros(len(rows), bool) for bank, rows in self.writer.items()}
        for table in self.program.outputs() if not self.program.moves else (self.program.mean,):
            if table is not None:
                wanted[table.bank][table.rows] = True
        for group in self.groups:
            for task in group.all:
                for column in task.columns:
                    rows = column.rows.ravel()
                    away = self.writer[column.bank][rows] != group.place
                    wanted[column.bank][rows[away]] = True
        for group in self.groups:
            group.stored = [
                task
                for task in group.tasks
                if not task.sums_lanes and (task.is_update or wanted[task.bank][task.rows].any())
            ]
