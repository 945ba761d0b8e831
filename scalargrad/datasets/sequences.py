"""Sequences of different lengths: samples in groups of one shape, and the batches of an epoch.

Samples of one shape are a single group, so that all that is said of groups holds for them, too.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from typing import Any, NamedTuple, cast

import numpy
from numpy import ndarray

from scalargrad.arrays import quiet, shuffled
from scalargrad.datasets.arrays import as_numbers, checked_inputs
from scalargrad.support.words import plural


class Ragged:
    """Samples whose lengths may differ: arrays [length, ...] of one type, alike after the first axis; nobody writes.

    >>> sequences = Ragged([numpy.array([1.0, 2.0]), numpy.array([3.0])])
    >>> sequences.shapes, sequences[1]
    ([(2,), (1,)], array([3.]))
    """

    def __init__(self, samples: Sequence[ndarray]) -> None:
        self.samples = [sample.view() for sample in samples]
        for sample in self.samples:
            sample.flags.writeable = False

    @property
    def dtype(self) -> numpy.dtype:
        return self.samples[0].dtype

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        return [sample.shape for sample in self.samples]

    @quiet
    def astype(self, dtype: str | numpy.dtype, copy: bool = True) -> "Ragged":
        return Ragged([sample.astype(dtype, copy=copy) for sample in self.samples])

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[ndarray]:
        return iter(self.samples)

    def __getitem__(self, rows: int | ndarray) -> Any:
        """A sample, or, for an array of their numbers or of bools, the samples of these rows."""
        if isinstance(rows, ndarray):
            return Ragged([self.samples[row] for row in numpy.arange(len(self))[rows].tolist()])
        return self.samples[rows]


Column = ndarray | Ragged  # one argument for all samples: [rows, ...], or samples of different lengths


class Group(NamedTuple):
    """Samples of one shape.

    rows     int64 [n]: their numbers among all samples, which rise; None, if these are all
    arrays   for each argument of a function of a sample [n, ...], or what is passed to all samples as it is
    """

    rows: ndarray | None
    arrays: tuple


class Piece(NamedTuple):
    """Some steps in a row, of one size and on one group.

    group    the number of the group
    chosen   int64 [steps * size]: positions among the rows of the group, for one step after another; None for a
             single step on all of them as they are
    """

    group: int
    chosen: ndarray | None
    size: int
    steps: int


def grouped(columns: Sequence[object]) -> list[Group]:
    """Samples by the shapes of all their arguments, in groups from the smallest shape to the largest.

    columns   for each argument a Column, or what is passed to all samples as it is

    >>> x, y = Ragged([numpy.ones(2), numpy.ones(1), numpy.ones(2)]), numpy.arange(3.0)
    >>> [(group.rows.tolist(), group.arrays[1].tolist()) for group in grouped([x, y])]
    [([1], [1.0]), ([0, 2], [0.0, 2.0])]
    """
    ragged = [column for column in columns if isinstance(column, Ragged)]
    if not ragged:
        return [Group(None, tuple(columns))]
    counts = [len(column) for column in columns if isinstance(column, Column)]
    if len(set(counts)) > 1:
        raise ValueError(f"the arrays have {' and '.join(map(str, counts))} rows: one for each sample")
    rows_of: dict[tuple, list[int]] = {}
    for row, shapes in enumerate(zip(*(column.shapes for column in ragged), strict=True)):
        rows_of.setdefault(shapes, []).append(row)
    groups = [numpy.array(rows_of[shapes]) for shapes in sorted(rows_of)]
    return [Group(rows, tuple(_rows_of(column, rows) for column in columns)) for rows in groups]


def _rows_of(column: object, rows: ndarray) -> object:
    if isinstance(column, Ragged):
        return numpy.stack([column.samples[row] for row in rows.tolist()])
    return column[rows] if isinstance(column, ndarray) else column


def shapes_in_words(group: Group) -> str:
    """The shapes of a sample, such as "5 x 8, 5"."""
    arrays = [array for array in group.arrays if isinstance(array, ndarray) and array.ndim > 1]
    return ", ".join(" x ".join(map(str, array.shape[1:])) for array in arrays)


def joined(groups: Sequence[Group], parts: Sequence[ndarray]) -> Any:
    """Results of groups in the order of the samples: an array [rows, ...], or a list of arrays, if shapes differ."""
    if len(groups) == 1:
        return parts[0]
    numbers = numpy.concatenate([group.rows for group in groups if group.rows is not None])
    if len({part.shape[1:] for part in parts}) == 1:
        return numpy.concatenate(parts)[numpy.argsort(numbers)]
    results = [result for part in parts for result in part]
    return [results[place] for place in numpy.argsort(numbers)]


# The batches of an epoch.


def pieces_of_an_epoch(
    groups: Sequence[Sequence[int] | ndarray], batch: int | None, seed: int | Callable, epoch: int
) -> list:
    """The steps of an epoch, a list of Pieces.

    groups   the numbers of the rows of each group
    batch    rows of a step, all of one group; None: all rows of a group

    All samples are shuffled, each group is cut into batches in that order, the last of which may be smaller, and a
    batch has the place of its first sample. A single batch of all samples is not shuffled.

    >>> for piece in pieces_of_an_epoch([[0, 2, 4, 5], [1, 3]], 3, seed=0, epoch=0):
    ...     print(piece.group, piece.chosen.tolist())
    1 [0, 1]
    0 [1, 2, 0]
    0 [3]
    """
    if len(groups) == 1:
        rows = len(groups[0])
        size = min(batch or rows, rows)
        if size == rows:
            return [Piece(0, None, rows, 1)]
        order, even = shuffled(rows, seed, epoch), rows // size * size
        rest = [Piece(0, order[even:], rows - even, 1)] if even < rows else []
        return [Piece(0, order[:even], size, rows // size), *rest]
    number, position = (numpy.empty(sum(map(len, groups)), "int64") for _ in range(2))
    for group, rows_of_group in enumerate(groups):
        number[rows_of_group], position[rows_of_group] = group, numpy.arange(len(rows_of_group))
    order = shuffled(len(number), seed, epoch)
    found = []
    for group in range(len(groups)):
        places = numpy.flatnonzero(number[order] == group)
        for first in range(0, len(places), batch or len(places)):
            chosen = places[first : first + (batch or len(places))]
            found.append((chosen[0], Piece(group, position[order[chosen]], len(chosen), 1)))
    return [piece for _, piece in sorted(found, key=lambda pair: pair[0])]


def steps_of_an_epoch(sizes: Sequence[int], batch: int | None) -> int:
    """The number of batches of groups of these sizes."""
    return sum(-(-size // (batch or size)) for size in sizes if size)


# Checks.


def differ_in_length(samples: object) -> bool:
    """Is it a list of sequences, not all of one length? Whether these are good ones, `as_ragged` says.

    >>> differ_in_length([[1.0], [2.0, 3.0]]), differ_in_length([[1.0], [2.0]])
    (True, False)
    """
    is_row_of_objects = getattr(getattr(samples, "dtype", None), "kind", "") == "O" and getattr(samples, "ndim", 0) == 1
    if not (isinstance(samples, list | tuple) or is_row_of_objects):
        return False
    lengths = set()
    for sample in cast(Iterable[object], samples):
        if isinstance(sample, str | bytes | Mapping | Set) or not hasattr(sample, "__len__"):
            return False
        if getattr(sample, "shape", None) == ():
            return False
        try:
            lengths.add(len(sample))
        except Exception:  # a sparse matrix does not tell
            return False
    return len(lengths) > 1


def as_ragged(samples: Iterable[object], name: str, dtype: str | None = None) -> Ragged:
    """Samples of different lengths as arrays of one type, or an error that says which of them is none.

    dtype   None: float32 if all of them are, else float64
    """
    arrays = [
        sample if type(sample) is ndarray and sample.dtype.kind == "f" else as_numbers(sample, f"{name}[{row}]")
        for row, sample in enumerate(samples)
    ]
    for row, array in enumerate(arrays):
        if not array.size:
            raise ValueError(f"{name}[{row}] is empty, of the shape {array.shape}: a sequence has at least one number")
        if array.shape[1:] != arrays[0].shape[1:]:
            raise ValueError(
                f"{name} is ragged: {name}[{row}] has the shape {array.shape} and {name}[0] {arrays[0].shape}; "
                "sequences may differ in their length, and in nothing after it"
            )
    single = all(array.dtype == numpy.float32 for array in arrays)
    return Ragged([_cast(array, dtype or ("float32" if single else "float64")) for array in arrays])


@quiet
def _cast(array: ndarray, dtype: str) -> ndarray:
    return array.astype(dtype, copy=False)


def checked_samples(samples: object, name: str = "X", dtype: str | None = None) -> Column:
    """As `checked_inputs`, and sequences [length, ...] of different lengths are welcome."""
    if not differ_in_length(samples):
        return checked_inputs(samples, name, dtype)
    return checked_ragged(cast(Iterable, samples), name, dtype)


@quiet
def checked_ragged(samples: Iterable[object], name: str, dtype: str | None = None) -> Ragged:
    """Sequences of finite numbers."""
    ragged = as_ragged(samples, name, dtype)
    if not numpy.isfinite(sum(float(sample.sum()) for sample in ragged)):
        for row, sample in enumerate(ragged):
            if not numpy.isfinite(sample).all():
                index = tuple(numpy.argwhere(~numpy.isfinite(sample))[0].tolist())
                place = f"{name}[{row}][{', '.join(map(str, index))}]"
                raise ValueError(f"{place} is {sample[index]}, which is not finite: fill it in, or leave it out")
    return ragged


def same_inside(first: Column, second: Column) -> bool:
    """Are the samples of both alike: of one shape or, if lengths may differ, of one after the first axis?"""
    shapes = [column[0].shape for column in (first, second)]
    if isinstance(first, Ragged) or isinstance(second, Ragged):
        return len(shapes[0]) == len(shapes[1]) and shapes[0][1:] == shapes[1][1:]
    return shapes[0] == shapes[1]


def refuse_too_many(count: int, most: int) -> None:
    """A ValueError for more shapes than programs are kept."""
    if count > most:
        raise ValueError(too_many(count, most))


def too_many(count: int, most: int) -> str:
    return (
        f"the sequences have {plural(count, 'different shape')}, and programs are kept for {most}, so that each pass "
        "would compile anew: pad them to fewer lengths, as notebooks/sequences.md shows"
    )
