"""Memory planning: where the rows of a program lie in memory.

Lane rows get a place for the time that they are live, and share it with others before and after: a linear scan over
live ranges, as of registers. Sums over lanes, mostly gradients, lie in the order of the parameters that they belong to:
an optimizer reads them as one stretch.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from scalargrad.compiler.backends.native.kernels.kernel_code import CACHE_LINE
from scalargrad.compiler.backends.native.planning.fusion import Fusion
from scalargrad.compiler.backends.native.planning.schedule import Task, TaskKind
from scalargrad.compiler.program import LANE, UNIFORM, Program

LINE = CACHE_LINE // 4  # numbers: a line of float32, two of float64
LONG = 64  # numbers, from which on a stretch of them begins on a line
BEHIND = 2**62  # all places in a gradient


@dataclass
class MemoryPlan:
    """lanes, uniform: the place of each row; lane_places, uniform_places: how many there are; sums: where sums begin.

    The first parameter is meant to lie at the beginning of a line of the cache.
    """

    lanes: ndarray
    uniform: ndarray
    lane_places: int
    uniform_places: int
    sums: int
    sum_ranges: list[tuple[int, int]]  # of each stage, from `sums` on


def plan_memory(program: Program, fusion: Fusion) -> MemoryPlan:
    lanes, places = _lane_places(program, fusion)
    uniform, sums, ranges = _uniform_places(program, fusion)
    total = 1 + int(uniform.max(initial=0))
    return MemoryPlan(lanes, uniform, places, total, sums, ranges)


@dataclass
class LiveRange:
    """A block of lane rows, and the groups that write it and read it last, by their place."""

    first: int
    count: int
    written: int  # -1: an input
    last_use: int


def live_ranges(program: Program, fusion: Fusion) -> Iterator[LiveRange]:
    """The blocks of lane rows in the order in which they are written. Liveness is that of a block's longest row."""
    last_use = fusion.last_use[LANE].copy()
    if program.result is not None and program.result.bank == LANE and program.mean is None:
        last_use[program.result.rows] = len(fusion.groups)
    inputs = sum(program.inputs)
    blocks = [(-1, 0, inputs)] if inputs else []
    for group in fusion.groups:
        blocks += [(group.place, int(t.rows[0]), t.count) for t in group.stored if t.bank == LANE and t.count]
    for written, first, count in blocks:
        yield LiveRange(first, count, written, max(int(last_use[first : first + count].max()), written))


def _lane_places(program: Program, fusion: Fusion) -> tuple[ndarray, int]:
    """The place of each lane row, and how many places there are."""
    places = np.full(program.lane_rows, -1)
    free, used = _FreeList(), 0
    ending: dict[int, list[tuple[int, int]]] = {}
    position = -1
    for block in live_ranges(program, fusion):
        while position < block.written:
            for place, size in ending.pop(position, ()):
                free.give(place, size)
            position += 1
        found = free.take(block.count)
        place = used if found is None else found
        used = max(used, place + block.count)
        places[block.first : block.first + block.count] = np.arange(place, place + block.count)
        ending.setdefault(block.last_use, []).append((place, block.count))
    return places, max(used, 1)


class _FreeList:
    """Stretches of free places, taken by best fit: from the smallest one that is large enough."""

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


def _uniform_places(program: Program, fusion: Fusion) -> tuple[ndarray, int, list[tuple[int, int]]]:
    sums = [task for group in fusion.groups for task in group.all if task.sums_lanes]
    stages = 1 + max((task.stage for task in sums), default=-1)
    stage_of = np.full(program.uniform_rows, -1)
    for task in sums:
        stage_of[task.rows] = task.stage
    parameter = _parameter_of(program, fusion, stage_of >= 0)
    rows = np.flatnonzero(stage_of >= 0)
    places, start = _other_places(program, stage_of < 0)
    scattered = [True]
    while any(scattered):  # products whose gradients would not be affine keep their own order, behind the others
        order = np.lexsort((rows, parameter[rows], stage_of[rows]))
        places[rows[order]] = start + np.arange(len(rows))
        scattered = [task.kind is TaskKind.OUTER and not _is_affine(task, places) for task in sums]
        for task, away in zip(sums, scattered, strict=True):
            if away:
                parameter[task.rows] = BEHIND
    counts = [int((stage_of[rows] == stage).sum()) for stage in range(stages)]
    begins = [sum(counts[:stage]) for stage in range(stages)]
    return places, start, list(zip(begins, counts, strict=True))


def _other_places(program: Program, mine: ndarray) -> tuple[ndarray, int]:
    """The places of uniform rows that are no sums, and the first one behind them; long stretches begin on a line."""
    places = np.empty(program.uniform_rows, dtype=np.int64)
    first, leaves = len(program.constants), program.batch_row + 1
    places[:leaves] = np.arange(leaves)
    following = leaves

    def aligned(place: int) -> int:
        return place + (first - place) % LINE

    for instruction in program.instructions:
        if instruction.bank == UNIFORM and mine[instruction.first]:
            following = aligned(following) if instruction.count >= LONG else following
            places[instruction.rows] = np.arange(following, following + instruction.count)
            following += instruction.count
    return places, aligned(following)


def _is_affine(task: Task, places: ndarray) -> bool:
    return affine_matrix(places[task.rows].reshape(len(task.columns[0].rows), -1))[1] is not None


def _parameter_of(program: Program, fusion: Fusion, is_sum: ndarray) -> ndarray:
    """The place in the gradient that each sum over lanes adds to, or one behind all of them, as for other rows."""
    result = np.full(program.uniform_rows, BEHIND)
    if program.gradient is None:
        return result
    gradient = program.gradient.rows
    position = np.full(program.uniform_rows, BEHIND)
    position[gradient] = np.arange(len(gradient))
    result[is_sum] = position[is_sum]
    for task in _tasks(fusion):
        if task.kind is TaskKind.MAP and task.op == "sum" and task.bank == UNIFORM:
            for number, column in enumerate(task.columns):
                if column.bank == UNIFORM:
                    fresh = is_sum[column.rows] & (result[column.rows] == BEHIND) & (position[task.rows] < BEHIND)
                    result[column.rows[fresh]] = number * len(gradient) + position[task.rows][fresh]
    return result


def _tasks(fusion: Fusion) -> list[Task]:
    return [task for group in fusion.groups for task in group.all]


# Affine places need no index table.


def affine(places: ndarray) -> tuple[int, int | None]:
    """(start, step) of evenly spaced places, step None where they are not."""
    if len(places) < 2:
        return int(places[0]) if len(places) else 0, 0
    step = int(places[1] - places[0])
    even = len(places) == 2 or bool((places[1:] - places[:-1] == step).all())
    return int(places[0]), step if even else None


def affine_matrix(places: ndarray) -> tuple[int, int | None, int]:
    """(start, step, stride) of places [n, m] = start + i * step + k * stride; step None where they are not."""
    start, step = affine(places[:, 0])
    _, stride = affine(places[0])
    if step is None or stride is None:
        return start, None, 0
    n, m = places.shape
    even = start + np.arange(n)[:, None] * step + np.arange(m) * stride
    return (start, step, stride) if (places == even).all() else (start, None, 0)
