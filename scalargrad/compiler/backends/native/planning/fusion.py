"""Groups: tasks that one kernel does in one go, so that what they hand to each other stays in registers.

A task may join the group that computes its operands, if it reads them row for row, and if its other operands are there
before. So a bias, an activation and its slope ride on the product before them, and an optimizer is one loop.
"""

from dataclasses import dataclass, field

from scalargrad.compiler.backends.native.planning.schedule import Task
from scalargrad.compiler.program import LANE, UNIFORM, Program, Table

LONGEST = 24  # tasks of a group


@dataclass(eq=False)
class Group:
    """The first task may be of any kind, the others are maps over as many rows. `sums`: of their results over lanes."""

    tasks: list[Task]
    sums: list[Task] = field(default_factory=list)
    place: int = -1  # in the order of all groups
    stored: list[Task] = field(default_factory=list)  # whose results somebody else reads

    @property
    def head(self) -> Task:
        return self.tasks[0]

    @property
    def all(self) -> list[Task]:
        return [*self.tasks, *self.sums]

    @property
    def takes_more(self) -> bool:
        alone = self.head.sums_lanes or (self.head.kind != "map" and self.head.bank == UNIFORM)
        alone = alone or self.head.adds_to is not None  # whose results are there at its end
        return not alone and len(self.tasks) < LONGEST


class Grouping:
    """The groups of a program in order: by stage, and there uniform rows first."""

    def __init__(self, program: Program, tasks: list[Task], fuse: bool) -> None:
        import numpy

        self.numpy, self.program = numpy, program
        self.writer = {LANE: numpy.full(program.lane_rows, -1), UNIFORM: numpy.full(program.uniform_rows, -1)}
        self.read_last = {LANE: numpy.full(program.lane_rows, -1), UNIFORM: numpy.full(program.uniform_rows, -1)}
        self.groups: list[Group] = []
        started = 0
        previous: tuple = ()
        for task in sorted(tasks, key=lambda task: task.part):
            if task.part != previous:  # a group stays in its stage
                started, previous = len(self.groups), task.part
            self._place(task, started, fuse)
        self._find_stored()

    def _place(self, task: Task, started: int, fuse: bool) -> None:
        update = task.is_update
        needed = max((int(self.writer[c.bank][c.rows].max(initial=-1)) for c in task.columns), default=-1)
        if update:
            needed = max(needed, int(self.read_last[task.bank][task.rows].max(initial=-1)))
        if fuse and task.kind == "lane_sum" and needed >= started and self._sums_up(task, self.groups[needed]):
            self._join(task, self.groups[needed])
            return
        candidates = [needed] if task.bank == LANE else range(len(self.groups) - 1, max(needed, started) - 1, -1)
        for place in candidates if fuse and task.kind == "map" else ():
            if place >= started and self._fits(task, self.groups[place], update):
                self._join(task, self.groups[place])
                return
        self.groups.append(Group([], place=len(self.groups)))
        self._join(task, self.groups[-1])

    def _fits(self, task: Task, group: Group, update: bool) -> bool:
        if not group.takes_more or group.head.count != task.count or group.head.bank != task.bank:
            return False
        for column in task.columns:
            inside = self.writer[column.bank][column.rows] == group.place
            if inside.any() and not self._is_result(column, group):
                return False
        return not update or self._read_row_for_row(task, group)

    def _sums_up(self, task: Task, group: Group) -> bool:
        table, head = task.columns[0], group.head
        shape = table.rows.shape
        if head.kind == "contract" and head.bank == LANE:  # a sum for each row of its weights
            fits = shape == (len(head.columns[0].rows), len(head.columns[1].rows)) and shape[1] > 1
        else:
            fits = head.kind == "map" and head.count == table.rows.size
        alike = not group.sums or group.sums[0].columns[0].rows.shape == shape
        return fits and alike and self._is_result(Table(table.bank, table.rows.ravel()), group)

    def _is_result(self, column: Table, group: Group) -> bool:
        return any(
            t.bank == column.bank and not t.is_update and self.numpy.array_equal(t.rows, column.rows)
            for t in group.tasks
        )

    def _read_row_for_row(self, update: Task, group: Group) -> bool:
        """Does the group read the rows that an update overwrites only where it writes them?"""
        for task in group.tasks:
            for column in task.columns:
                if column.bank == update.bank and not self.numpy.array_equal(column.rows, update.rows):
                    low, high = update.rows.min(), update.rows.max()
                    if ((column.rows >= low) & (column.rows <= high)).any():
                        return False
        return True

    def _join(self, task: Task, group: Group) -> None:
        (group.sums if task.kind == "lane_sum" and group.tasks else group.tasks).append(task)
        if not task.is_update:
            self.writer[task.bank][task.rows] = group.place
        for column in task.columns:
            read = self.read_last[column.bank]
            rows = column.rows.ravel()
            read[rows] = self.numpy.maximum(read[rows], group.place)

    def _find_stored(self) -> None:
        """Results that another group, or the caller, reads."""
        numpy = self.numpy
        wanted = {bank: numpy.zeros(len(rows), bool) for bank, rows in self.writer.items()}
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
