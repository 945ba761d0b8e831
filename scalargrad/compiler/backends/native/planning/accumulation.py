"""Accumulation: products whose rows are read only by sums take these over, as a scatter-add.

So it is with the gradient of an image that a convolution has read: each pixel gets as many terms as there are patches
around it, and a product makes them all. Instead of keeping them for the sum of each pixel's terms, the product's kernel
adds every row to its result at once: that memory is smaller by the number of terms, and stays in the cache.
"""

from dataclasses import replace

import numpy as np
from numpy import ndarray

from scalargrad.compiler.backends.native.planning.schedule import Task, TaskKind
from scalargrad.compiler.program import LANE, Program, Table

WORTH = 2  # rows for each place, from which on it is done


def with_sums_in_products(program: Program, tasks: list[Task]) -> list[Task]:
    """The tasks without the sums that products have taken over."""
    columns = [column.rows for column in _columns(tasks)]
    read = np.zeros(program.lane_rows, int)  # how often
    for rows in columns:
        read += np.bincount(rows.ravel(), minlength=len(read))
    moved = np.arange(program.lane_rows)
    gone: set[int] = set()
    taken: dict[int, Task] = {}
    for number, sums in _sums_of_products(program, tasks, read).items():
        product = tasks[number]
        added_to = np.arange(program.lane_rows)
        for task in sums:
            added_to[_terms(task)] = task.rows[:, None]
        added_to = added_to[product.rows]
        wanted = read[added_to] > 0
        results = _order(np.unique(added_to[wanted]), columns)
        if wanted.sum() >= WORTH * len(results):
            place = np.full(program.lane_rows, len(results))  # a dead row has one behind the others
            place[results] = np.arange(len(results))
            rows = product.rows[: len(results) + (not wanted.all())]
            moved[results] = rows[: len(results)]
            taken[number] = replace(product, rows=rows, adds_to=place[added_to])
            gone |= {id(task) for task in sums}
    left = [taken.get(number, task) for number, task in enumerate(tasks) if id(task) not in gone]
    return [replace(task, columns=tuple(_moved(column, moved) for column in task.columns)) for task in left]


def _sums_of_products(program: Program, tasks: list[Task], read: ndarray) -> dict[int, list[Task]]:
    """The sums of rows of products, by the number of the product, where nothing else reads these rows."""
    outside = np.zeros(program.lane_rows, bool)
    for table in program.outputs():
        if table.bank == LANE:
            outside[table.rows] = True
    product = np.full(program.lane_rows, -1)  # that a row belongs to
    for number, task in enumerate(tasks):
        several = task.kind is TaskKind.CONTRACT and task.bank == LANE and len(task.columns[1].rows) > 1
        if several and not outside[task.rows].any():
            product[task.rows] = number
    found: dict[int, list[Task]] = {}
    for task in tasks:
        of_lanes = task.op == "sum" and all(bank == LANE for bank in (task.bank, *(c.bank for c in task.columns)))
        if of_lanes and not outside[task.rows].any() and read[task.rows].all():
            terms = _terms(task)
            number = int(product[terms[0, 0]])
            if number >= 0 and (product[terms] == number).all() and (read[terms] == 1).all():
                found.setdefault(number, []).append(task)
    return found


def _terms(task: Task) -> ndarray:
    """The rows that a sum adds up, [results, terms]."""
    return np.concatenate([column.rows.reshape(task.count, -1) for column in task.columns], axis=1)


def _columns(tasks: list[Task]) -> list[Table]:
    return [column for task in tasks for column in task.columns if column.bank == LANE]


def _order(rows: ndarray, columns: list[ndarray]) -> ndarray:
    """The rows in the order in which a task reads them: one after another is quickest."""
    for column in columns:
        if column.ndim == 1 and len(column) == len(rows) and np.array_equal(np.sort(column), rows):
            return column
    return rows


def _moved(column: Table, moved: ndarray) -> Table:
    return Table(column.bank, moved[column.rows]) if column.bank == LANE else column
