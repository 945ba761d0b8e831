"""A loop: a program with a whole training step inside, and the optimizer's memory in that of the program."""

from collections.abc import Callable, Iterator, MutableMapping, Sequence
from typing import Any

import numpy
from numpy import ndarray

from scalargrad.arrays import quiet
from scalargrad.compiler.backends import TrainingBackend
from scalargrad.compiler.formulas import CHANGING
from scalargrad.compiler.own_steps import own_classes
from scalargrad.compiler.program import Program
from scalargrad.compiler.programs import Programs
from scalargrad.compiler.step import LOWEST, with_optimizer
from scalargrad.compiler.watch.contents import contents
from scalargrad.compiler.watch.guards import PLAIN, token
from scalargrad.engine import Value
from scalargrad.ops import sum
from scalargrad.optim import Optimizer, checked_rate
from scalargrad.schedules import Schedule
from scalargrad.structure import Buffer


class Loop:
    """A program with the optimizer inside, and its memory."""

    step_by_step = False

    def __init__(
        self,
        programs: Programs,
        program: Program,
        optimizer: Optimizer,
        schedule: Schedule | None,
        moving: Sequence[Value] | None,
    ) -> None:
        self.programs, self.program = programs, program
        self.settings = _settings(optimizer), _settings(schedule)
        self.made_for = optimizer, schedule
        self.moving = None if moving is None else list(moving)
        self.counts_steps = programs.steps in program.buffers
        reached = program.reached()
        free = set(reached if moving is None else moving)
        self.parameters = [parameter for parameter in reached if parameter in free]
        self.training, self.clock, self.state, self.formulas = with_optimizer(
            program, optimizer, schedule, programs.steps, self.parameters
        )
        self.backend: TrainingBackend = programs.build(self.training)
        self.prepare, self.steps_at_once = self.backend.prepare, self.backend.steps_at_once
        self.values = [*program.parameters, *program.buffers]
        self.owner: Optimizer | None = None  # whose state lies here
        self.view = _State(self)
        self.history = numpy.zeros(1, programs.dtype)  # of a single step

    def optimizes_as(self, optimizer: Optimizer, schedule: Schedule | None, moving: Sequence[Value] | None) -> bool:
        """Is what the formulas read, and what moves, as it was?"""
        if not (moving is None if self.moving is None else moving is not None and list(moving) == self.moving):
            return False
        is_same = optimizer is self.made_for[0] and schedule is self.made_for[1]
        if not is_same and self.settings != (_settings(optimizer), _settings(schedule)):
            return False
        return not any(formula.has_changed() for formula in self.formulas)

    @quiet
    def in_step(self, optimizer: Optimizer, span: tuple[int, int], work: Callable[[], Any]) -> Any:
        """Do some work with what Values and the optimizer say now, and tell them what came of it, whatever happens."""
        self._read(optimizer, span)
        before = optimizer.steps, self.programs.steps.data, self.backend.done
        try:
            try:
                found = work()
            finally:
                self._write(optimizer, *before)
            for lowest in self.backend.read(self.clock[LOWEST:]).tolist():
                checked_rate(lowest)
            return found
        except BaseException:  # such as a Ctrl-C while it was written: from the beginning, then
            self._write(optimizer, *before)
            raise

    def _read(self, optimizer: Optimizer, span: tuple[int, int]) -> None:
        backend = self.backend
        backend.write(backend.leaves, [value.data for value in self.values])
        before, steps = span
        clock = optimizer.steps, checked_rate(optimizer.lr), optimizer.steps - before, steps
        backend.write(self.clock, [*map(float, clock), 0.0][: len(self.clock)])
        if optimizer.state is not self.view:
            if self.owner is not None and self.owner.state is self.view:
                self.owner.state = self.view.copy()  # it was trained here before
            self.view.take_over(optimizer.state)
            self.owner, optimizer.state = optimizer, self.view  # type: ignore[assignment]

    def _write(self, optimizer: Optimizer, steps: int, calls: float, done: int) -> None:
        """Tell Values and counters, which were so far before, and again after an interruption."""
        made = self.backend.done - done
        if made:
            numbers = self.backend.read(self.backend.leaves).tolist()
            for value, number in zip(self.values, numbers, strict=True):
                value.data = number
            optimizer.steps = steps + made
            if not self.counts_steps:
                self.programs.steps.data = calls + made

    def measured_steps(
        self, arrays: list[ndarray], order: ndarray | None, rows: int, count: int, measures: list[Buffer]
    ) -> list[float]:
        """The sum of the losses of so many steps, and of what they add to each measure."""
        first = self.backend.leaves.start + len(self.program.parameters)
        places = [first + self.program.buffers.index(measure) for measure in measures]
        self.backend.write(places, [0.0] * len(places))
        losses = self.steps(arrays, order, rows, count, rows)
        return [sum(losses), *self.backend.read(places).tolist()]

    def steps(self, arrays: list[ndarray], order: ndarray | None, rows: int, count: int, advance: int) -> list[float]:
        """The losses of so many steps, each on the next rows of the order; fewer, if one is inf or nan."""
        history = self.history if count == 1 else numpy.zeros(count, self.programs.dtype)
        before = self.backend.done
        if not self.backend.train(arrays, order, rows, count, advance, history):
            self.backend.refuse(arrays)
        return history[: self.backend.done - before].tolist()


def _settings(formula: Optimizer | Schedule | None) -> tuple:
    """Tokens of the class and the settings: equal as long as nobody can tell the difference."""
    owners = [] if formula is None else [formula, *own_classes(type(formula))]
    return type(formula), [{name: _setting(x) for name, x in _attributes(owner).items()} for owner in owners]


def _setting(x: object) -> Any:
    return _settings(x) if isinstance(x, Schedule) else (token(x), None if type(x) in PLAIN else contents(x))


def _attributes(owner: object) -> dict[str, Any]:
    """The settings of an optimizer or a schedule, or those of all objects of a class."""
    but = CHANGING if isinstance(owner, Optimizer) else ("__dict__", "__weakref__") if isinstance(owner, type) else ()
    return {name: x for name, x in vars(owner).items() if name not in but}


class _State(MutableMapping):
    """The memory of an optimizer for each parameter; for parameters of a loop it lies in that of the program."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.place = {parameter: n for n, parameter in enumerate(loop.parameters)}
        self.others: dict[Value, tuple[float, ...]] = {}

    @quiet
    def take_over(self, state: Any) -> None:
        """Take over what was remembered elsewhere."""
        fresh = (0.0,) * len(self.loop.state)
        rows = [state.get(parameter, fresh) for parameter in self.loop.parameters]
        numbers = numpy.array(rows, "float64").reshape(len(rows), len(fresh))
        for rows_of_state, column in zip(self.loop.state, numbers.T, strict=True):
            self.loop.backend.write(rows_of_state, column)
        self.others = {parameter: state[parameter] for parameter in state if parameter not in self.place}

    def copy(self) -> dict[Value, tuple[float, ...]]:
        """A copy, as of now, in an ordinary dict."""
        columns = [self.loop.backend.read(rows).tolist() for rows in self.loop.state]
        rows = zip(*columns, strict=True) if columns else [()] * len(self.place)
        return {**dict(zip(self.place, rows, strict=True)), **self.others}

    def __getitem__(self, parameter: Value) -> tuple[float, ...]:
        if parameter not in self.place:
            return self.others[parameter]
        place = self.place[parameter]
        return tuple(float(self.loop.backend.read(rows[place : place + 1])[0]) for rows in self.loop.state)

    @quiet
    def __setitem__(self, parameter: Value, numbers: tuple[float, ...]) -> None:
        if parameter not in self.place:
            self.others[parameter] = numbers
            return
        place = self.place[parameter]
        for rows, number in zip(self.loop.state, numbers, strict=True):
            self.loop.backend.write(rows[place : place + 1], [number])

    def __delitem__(self, parameter: Value) -> None:
        if parameter in self.place:
            self[parameter] = (0.0,) * len(self.loop.state)
        else:
            del self.others[parameter]

    def clear(self) -> None:
        """Nothing is remembered: a parameter of the loop has zeros, as at first."""
        for rows in self.loop.state:
            self.loop.backend.write(rows, [0.0] * len(rows))
        self.others.clear()

    def __iter__(self) -> Iterator[Value]:
        yield from self.place
        yield from self.others

    def __len__(self) -> int:
        return len(self.place) + len(self.others)

    def __reduce__(self) -> tuple:
        return dict, (list(self.copy().items()),)  # it has no program there
