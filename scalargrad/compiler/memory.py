"""The memory of an optimizer: what it remembers of each parameter, in one place for all programs that train with it."""

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import NamedTuple, Protocol

import numpy
from numpy import ndarray

from scalargrad.arrays import quiet
from scalargrad.engine import Value

Numbers = tuple[float, ...]  # what is remembered of one parameter


class Loan(NamedTuple):
    """A copy of some columns of a memory, and the state in which that was."""

    memory: "Memory"
    state: int
    columns: ndarray


class Holder(Protocol):
    """A program with a copy of what is remembered of its parameters; `lent` says what it was copied from."""

    parameters: Sequence[Value]
    lent: Loan | None

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

    def lend(self, holder: Holder) -> None:
        """Let a program have the numbers of its parameters: from now on these are the newest ones."""
        if holder is self.holder:
            return
        self.bring_home()
        lent = holder.lent
        if lent and lent.memory is not self and lent.memory.holder is holder:  # it was another optimizer's
            lent.memory.bring_home()
        if lent is None or lent.memory is not self or lent.state != self.state:
            columns = lent.columns if lent and lent.memory is self else self._columns(holder.parameters)
            holder.lent = None  # should it be broken off
            holder.remember(self.numbers.take(columns, axis=1))
            holder.lent = Loan(self, self.state, columns)
        self.holder = holder

    def bring_home(self) -> None:
        """Have the newest numbers here, and nowhere else."""
        holder = self.holder
        if holder is not None and holder.lent is not None:
            for row, numbers in zip(self.numbers, holder.remembered(), strict=True):  # twice as fast as all at once
                row[holder.lent.columns] = numbers
            self.state += 1
            holder.lent = holder.lent._replace(state=self.state)  # it has the same ones
            self.holder = None

    def _columns(self, parameters: Sequence[Value]) -> ndarray:
        """The columns of these; of new ones zeros are remembered."""
        fresh = [parameter for parameter in dict.fromkeys(parameters) if parameter not in self.place]
        if fresh:
            self.numbers = numpy.pad(self.numbers, [(0, 0), (0, len(fresh))])
            self.place.update({parameter: n for n, parameter in enumerate(fresh, len(self.place))})
        return numpy.array([self.place[parameter] for parameter in parameters], int)

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
        (place,) = self._columns([parameter]).tolist()  # first: it may make more columns
        self.numbers[:, place] = numbers
        self.state += 1

    def __delitem__(self, parameter: Value) -> None:
        if parameter not in self.place:
            raise KeyError(parameter)
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
