"""Layout: where the rows of a program lie in memory.

Lane rows get a place for as long as somebody reads them, and share it with others before and after. Sums over lanes,
mostly gradients, lie in the order of the parameters that they belong to: what follows reads them as one stretch.
"""

from dataclasses import dataclass
from typing import Any

from scalargrad.compiler.backends.native.planning.fusion import Grouping
from scalargrad.compiler.backends.native.planning.schedule import Task
from scalargrad.compiler.program import LANE, UNIFORM, Program

LINE, LONG = 16, 64  # numbers that make a line of the cache; from how many on a stretch of them begins on one
BEHIND = 2**62  # all places in a gradient


@dataclass
class Layout:
    """lanes, uniform: the place of each row; lane_places, uniform_places: how many there are; sums: where sums begin.

    The first parameter is meant to lie at the beginning of a line of the cache.
    """

    lanes: Any
    uniform: Any
    lane_places: int
    uniform_places: int
    sums: int
    sum_ranges: list[tuple[int, int]]  # of each stage, from `sums` on


def layout(program: Program, grouping: Grouping) -> Layout:
    lanes, places = _lane_places(program, grouping)
    uniform, sums, ranges = _uniform_places(program, grouping)
    total = 1 + int(uniform.max(initial=0))
    return Layout(lanes, uniform, places, total, sums, ranges)


def _lane_places(program: Program, grouping: Grouping) -> tuple[Any, int]:
    import numpy

    end = len(grouping.groups)
    read = grouping.read_last[LANE].copy()
    if program.result is not None and program.result.bank == LANE and program.mean is None:
        read[program.result.rows] = end
    inputs = sum(program.inputs)
    blocks = [(-1, 0, inputs)] if inputs else []  # when it is written, first row, rows
    for group in grouping.groups:
        blocks += [(group.place, int(t.rows[0]), t.count) for t in group.stored if t.bank == LANE and t.count]
    places = numpy.full(program.lane_rows, -1)
    free, used = _Free(), 0
    leaving: dict[int, list[tuple[int, int]]] = {}
    position = -1
    for written, first, count in blocks:
        while position < written:
            for place, size in leaving.pop(position, ()):
                free.give(place, size)
            position += 1
        found = free.take(count)
        place = used if found is None else found
        used = max(used, place + count)
        places[first : first + count] = numpy.arange(place, place + count)
        last = max(int(read[first : first + count].max()), written)
        leaving.setdefault(last, []).append((place, count))
    return places, max(used, 1)


class _Free:
    """Stretches of free places: taken where the smallest one fits."""

    def __init__(self) -> None:
        self.stretches: dict[int, int] = {}  # first place -> how many

    def take(self, count: int) -> int | None:
        fitting = [(size, place) for place, size in self.stretches.items() if size >= count]
        if not fitting:
            return None
        size, place = min(fitting)
        del self.stretches[place]
        if size > count:
            self.stretches[place + count] = size - count
        return place

    def give(self, place: int, count: int) -> None:
        following = self.stretches.pop(place + count, 0)
        for before, size in self.stretches.items():
            if before + size == place:
                self.stretches[before] = size + count + following
                return
        self.stretches[place] = count + following


def _uniform_places(program: Program, grouping: Grouping) -> tuple[Any, int, list[tuple[int, int]]]:
    import numpy

    sums = [task for group in grouping.groups for task in group.all if task.sums_lanes]
    stages = 1 + max((task.stage for task in sums), default=-1)
    stage_of = numpy.full(program.uniform_rows, -1)
    for task in sums:
        stage_of[task.rows] = task.stage
    parameter = _parameter_of(program, grouping, stage_of >= 0)
    rows = numpy.flatnonzero(stage_of >= 0)
    places, start = _other_places(program, stage_of < 0)
    scattered = [True]
    while any(scattered):  # products whose gradients would not lie evenly keep their own order, behind the others
        order = numpy.lexsort((rows, parameter[rows], stage_of[rows]))
        places[rows[order]] = start + numpy.arange(len(rows))
        scattered = [task.kind == "outer" and not _lies_evenly(task, places) for task in sums]
        for task, away in zip(sums, scattered, strict=True):
            if away:
                parameter[task.rows] = BEHIND
    counts = [int((stage_of[rows] == stage).sum()) for stage in range(stages)]
    begins = [sum(counts[:stage]) for stage in range(stages)]
    return places, start, list(zip(begins, counts, strict=True))


def _other_places(program: Program, mine: Any) -> tuple[Any, int]:
    """The places of uniform rows that are no sums, and the first one behind them; long stretches begin on a line."""
    import numpy

    places = numpy.empty(program.uniform_rows, dtype=numpy.int64)
    first, leaves = len(program.constants), program.batch_row + 1
    places[:leaves] = numpy.arange(leaves)
    following = leaves

    def aligned(place: int) -> int:
        return place + (first - place) % LINE

    for instruction in program.instructions:
        if instruction.bank == UNIFORM and mine[instruction.first]:
            following = aligned(following) if instruction.count >= LONG else following
            places[instruction.rows] = numpy.arange(following, following + instruction.count)
            following += instruction.count
    return places, aligned(following)


def _lies_evenly(task: Task, places: Any) -> bool:
    return plane(places[task.rows].reshape(len(task.columns[0].rows), -1))[1] is not None


def _parameter_of(program: Program, grouping: Grouping, is_sum: Any) -> Any:
    """For each row that is a sum over lanes the place in the gradient that it adds to, or one behind all of them."""
    import numpy

    result = numpy.full(program.uniform_rows, BEHIND)
    if program.gradient is None:
        return result
    gradient = program.gradient.rows
    position = numpy.full(program.uniform_rows, BEHIND)
    position[gradient] = numpy.arange(len(gradient))
    result[is_sum] = position[is_sum]
    for task in _tasks(grouping):
        if task.kind == "map" and task.op == "sum" and task.bank == UNIFORM:
            for number, column in enumerate(task.columns):
                if column.bank == UNIFORM:
                    fresh = is_sum[column.rows] & (result[column.rows] == BEHIND) & (position[task.rows] < BEHIND)
                    result[column.rows[fresh]] = number * len(gradient) + position[task.rows][fresh]
    return result


def _tasks(grouping: Grouping) -> list[Task]:
    return [task for group in grouping.groups for task in group.all]


# Places that lie evenly need no table.


def line(places: Any) -> tuple[int, int | None]:
    """(start, step) of evenly spaced places, step None where they are not."""
    if len(places) < 2:
        return int(places[0]) if len(places) else 0, 0
    step = int(places[1] - places[0])
    even = len(places) == 2 or bool((places[1:] - places[:-1] == step).all())
    return int(places[0]), step if even else None


def plane(places: Any) -> tuple[int, int | None, int]:
    """(start, step, stride) of places [n, m] = start + i * step + k * stride; step None where they are not."""
    start, step = line(places[:, 0])
    _, stride = line(places[0])
    if step is None or stride is None:
        return start, None, 0
    n, m = places.shape
    import numpy

    even = start + numpy.arange(n)[:, None] * step + numpy.arange(m) * stride
    return (start, step, stride) if (places == even).all() else (start, None, 0)
