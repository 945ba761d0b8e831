"""The memory of an optimizer: what it remembers of each parameter, in one place for all programs that train with it."""

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import Protocol

import numpy
from numpy import ndarray

from scalargrad.arrays import quiet
from scalargrad.engine import Value

Numbers = tuple[float, ...]  # what is remembered of one parameter


class Holder(Protocol):
    """A program with a copy of what is remembered of its parameters.

    lent   the memory that it was copied from, and in which state
    """

    parameters: Sequence[Value]
    lent: "tuple[Memory, int] | None"

    def remembered(self) -> ndarray:
        """[numbers of one parameter, parameters]: what it has now."""

    def remember(self, numbers: ndarray) -> None: ...


class Memory(MutableMapping):
    """Numbers by parameter, as an optimizer has them in its `state`.

    numbers   float64 [numbers of one parameter, parameters]
    place     of each parameter its column
    holder    the program that has newer numbers of its parameters, if there is one: it was lent them last
    state     counts the changes, so that a program knows whether its copy is still the same
    """

    @quiet
    def __init__(self, size: int, known: Mapping[Value, Numbers]) -> None:
        self.place = {parameter: n for n, parameter in enumerate(known)}
        self.numbers = numpy.array([*known.values()], "float64").reshape(len(known), size).T.copy()
        self.holder: Holder | None = None
        self.state = 0
        self.columns: dict[int, tuple[Sequence[Value], ndarray]] = {}  # by the id of a program's parameters

    def lend(self, holder: Holder) -> None:
        """Let a program have the numbers of its parameters: from now on these are the newest ones."""
        if holder is self.holder:
            return
        self.bring_home()
        if holder.lent and holder.lent[0].holder is holder:  # it was another optimizer's
            holder.lent[0].bring_home()
        columns = self._columns(holder.parameters)
        if holder.lent != (self, self.state):
            holder.remember(self.numbers[:, columns])
            holder.lent = self, self.state
        self.holder = holder

    def bring_home(self) -> None:
        """Have the newest numbers here, and nowhere else."""
        if self.holder is not None:
            self.numbers[:, self._columns(self.holder.parameters)] = self.holder.remembered()
            self.state += 1
            self.holder.lent = self, self.state  # it has the same ones
            self.holder = None

    def _columns(self, parameters: Sequence[Value]) -> ndarray:
        """The columns of these; of new ones zeros are remembered."""
        if id(parameters) not in self.columns:
            fresh = [parameter for parameter in dict.fromkeys(parameters) if parameter not in self.place]
            self.place.update({parameter: n for n, parameter in enumerate(fresh, len(self.place))})
            self.numbers = numpy.pad(self.numbers, [(0, 0), (0, len(fresh))])
            columns = numpy.array([self.place[parameter] for parameter in parameters], int)
            self.columns[id(parameters)] = parameters, columns
        return self.columns[id(parameters)][1]

    def copy(self) -> dict[Value, Numbers]:
        """A copy, as of now, in an ordinary dict."""
        self.bring_home()
        return dict(zip(self.place, map(tuple, self.numbers.T.tolist()), strict=True))

    def __getitem__(self, parameter: Value) -> Numbers:
        place = self.place[parameter]
        self.bring_home()
        return tuple(self.numbers[:, place].tolist())

    @quiet
    def __setitem__(self, parameter: Value, numbers: Numbers) -> None:
        self.bring_home()
        (place,) = self._columns([parameter]).tolist()
        self.numbers[:, place] = numbers
        self.state += 1

    def __delitem__(self, parameter: Value) -> None:
        self[parameter] = (0.0,) * len(self.numbers)  # as at first

    def clear(self) -> None:
        """Nothing is remembered any more: zeros, as at first."""
        self.bring_home()
        self.numbers[:] = 0.0
        self.state += 1

    def __iter__(self) -> Iterator[Value]:
        return iter(self.place)

    def __len__(self) -> int:
        return len(self.place)

    def __reduce__(self) -> tuple:
        return dict, (list(self.copy().items()),)  # the programs are not there
