"""Windows: tables of row numbers that are a regular pattern, read by slices instead of number by number.

A convolution reads its image by rows 784 * channel + 28 * (y + dy) + (x + dx): evenly spaced in five directions, two of
them along the same side of the image. The rows are looked at as a box, [channels, 28, 28], whose sides are sliced; of
a side with two directions there is a slice for each step of the shorter one.
"""

from math import prod
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from numpy import ndarray

if TYPE_CHECKING:
    from jax import Array

MOST_DIRECTIONS = 8
MOST_SLICES = 16  # of a side


class Direction(NamedTuple):
    """`size` rows, `stride` from one to the next; `parts` are the axes of the table that it stands for, in order."""

    size: int
    stride: int
    parts: tuple[int, ...]


class Side(NamedTuple):
    """A side of the box: its length, where its slices begin, and the directions along it, the shorter one first."""

    length: int
    begin: int
    directions: list[Direction]

    @property
    def end(self) -> int:
        return self.begin + sum((d.size - 1) * d.stride for d in self.directions) + 1


class Window(NamedTuple):
    """first    row of the box
    sides    of the box, the outermost first
    axes     of the box when it is sliced: which axes of the table they are
    sizes    of the table's axes; those that are none of the box repeat it
    shape    of the table, in which axes may be put together
    """

    first: int
    sides: list[Side]
    axes: list[int]
    sizes: list[int]
    shape: tuple[int, ...]

    def read(self, numpy: ModuleType, rows: "Array") -> "Array":
        """The table's rows of `rows`, as [shape, lanes]."""
        lanes, lengths, axis = rows.shape[1:], [side.length for side in self.sides], 0
        covered, there = prod(lengths), len(rows) - self.first
        box = rows[self.first :][:covered]
        if covered > there:
            box = numpy.pad(box, ((0, covered - there), (0, 0)))
        box = box.reshape(*lengths, *lanes)
        for side in self.sides:
            box = _sliced(numpy, box, axis, side)
            axis += len(side.directions)
        box = box.reshape(*(self.sizes[axis] for axis in self.axes), *lanes)
        box = box.transpose(*(self.axes.index(axis) for axis in sorted(self.axes)), len(self.axes))
        if len(self.axes) < len(self.sizes):
            spread = [size if axis in self.axes else 1 for axis, size in enumerate(self.sizes)]
            box = numpy.broadcast_to(box.reshape(*spread, *lanes), (*self.sizes, *lanes))
        return box.reshape(*self.shape, *lanes)


def window(rows: ndarray, count: int) -> Window | None:
    """The pattern of a table of row numbers below `count`, or None if there is none that slices can read."""
    if rows.ndim == 2 and not (rows == rows[:, :1] + rows[:1] - rows[0, 0]).all():
        return None
    found: list[tuple[int, int]] = []  # size and stride of each axis
    for line in (rows,) if rows.ndim == 1 else (rows[:, 0], rows[0]):
        axes = _axes(line)
        if axes is None:
            return None
        found += axes
    if len(found) > MOST_DIRECTIONS or any(stride < 0 for _, stride in found):
        return None
    offset, directions = int(rows.flat[0]), _directions(found)
    for first in (0, offset):  # the box has its ends where the first row has them, or the pattern
        sides = _sides(offset - first, directions, count - first)
        if sides is not None:
            order = [axis for side in sides for direction in side.directions for axis in direction.parts]
            return Window(first, sides, order, [size for size, _ in found], rows.shape)
    return None


def _axes(rows: ndarray) -> list[tuple[int, int]] | None:
    """Evenly spaced rows, evenly spaced groups of them, and so on: size and stride of each, the outermost first."""
    found: list[tuple[int, int]] = []
    while len(rows) > 1:
        stride = int(rows[1] - rows[0])
        uneven = (rows[1:] - rows[:-1] != stride).nonzero()[0]
        size = int(uneven[0]) + 1 if len(uneven) else len(rows)
        if len(rows) % size or len(found) == MOST_DIRECTIONS:
            return None
        groups = rows.reshape(-1, size)
        if not (groups - groups[:, :1] == groups[0] - groups[0, 0]).all():
            return None
        found.insert(0, (size, stride))
        rows = groups[:, 0]
    return found


def _directions(axes: list[tuple[int, int]]) -> list[Direction]:
    """The axes by their strides, those put together that are one evenly spaced direction."""
    found: list[Direction] = []
    for stride, size, axis in sorted((stride, size, axis) for axis, (size, stride) in enumerate(axes) if stride):
        last = found[-1] if found else None
        if last and last.size * last.stride == stride:
            found[-1] = Direction(size * last.size, last.stride, (axis, *last.parts))
        else:
            found.append(Direction(size, stride, (axis,)))
    return found


def _sides(offset: int, directions: list[Direction], count: int) -> list[Side] | None:
    """The sides of a box of `count` rows in which no direction runs over an end, the outermost first."""
    groups: list[list[Direction]] = [[]]
    steps, span = [1], 0
    for n, direction in enumerate(directions):
        step = direction.stride
        if step > max(span, steps[-1]) and all(d.stride % step == 0 for d in directions[n:]):  # a side of its own
            groups.append([])
            steps.append(step)
        groups[-1].append(direction)
        span += (direction.size - 1) * step
    sides: list[Side] = []
    steps.append(-(-count // steps[-1]) * steps[-1])  # the outermost side takes all rows, and more if it must
    for n, group in enumerate(groups):
        step, following = steps[n : n + 2]
        if following % step or any(direction.stride % step for direction in group):
            return None
        begin = offset // step if n + 1 == len(groups) else offset // step % (following // step)
        along = sorted((d._replace(stride=d.stride // step) for d in group), key=lambda d: d.size)
        side = Side(following // step, begin, along)
        if side.end > side.length or len(along) > 2 or (len(along) == 2 and along[0].size > MOST_SLICES):
            return None
        sides.insert(0, side)
    return sides


def _sliced(numpy: ModuleType, box: "Array", axis: int, side: Side) -> "Array":
    """The box with an axis for each direction along the side, in place of the axis of the side."""
    here = (slice(None),) * axis
    if not side.directions:
        return box[(*here, side.begin)]
    long = side.directions[-1]
    length = (long.size - 1) * long.stride + 1
    if len(side.directions) == 1:
        return box[(*here, slice(side.begin, side.begin + length, long.stride))]
    short = side.directions[0]
    begins = [side.begin + n * short.stride for n in range(short.size)]
    return numpy.stack([box[(*here, slice(begin, begin + length, long.stride))] for begin in begins], axis)
