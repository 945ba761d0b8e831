"""A loop: a program with a whole training step inside, and the optimizer's memory in that of the program."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy
from numpy import ndarray

from scalargrad.arrays import quiet
from scalargrad.compiler.backends import TrainingBackend
from scalargrad.compiler.backends.reference import NumpyBackend
from scalargrad.compiler.formulas import CHANGING, Formula
from scalargrad.compiler.memory import Loan, Memory
from scalargrad.compiler.own_steps import own_classes
from scalargrad.compiler.program import Program
from scalargrad.compiler.programs import Programs
from scalargrad.compiler.step import LOWEST, of_nothing, with_optimizer
from scalargrad.compiler.store import Lease
from scalargrad.compiler.watch.contents import contents
from scalargrad.compiler.watch.guards import PLAIN, token
from scalargrad.engine import Value
from scalargrad.ops import sum
from scalargrad.optim import Optimizer, checked_rate
from scalargrad.schedules import Schedule
from scalargrad.structure import Buffer


class Loop:
    """A program with the optimizer inside, and with a copy of what that remembers of the program's parameters.

    parameters   those that move: of the program in its order, then those that it does not read: their gradient is 0
    lent         see `Holder`
    later        a loop of parameters that move, too, since other programs have read them
    """

    step_by_step = False

    def __init__(
        self,
        programs: Programs,
        program: Program,
        optimizer: Optimizer,
        schedule: Schedule | None,
        moving: Sequence[Value],
        make: Callable[[Program], TrainingBackend],
        clip_grad_norm: float | None = None,
    ) -> None:
        self.programs, self.program = programs, program
        self.settings = _settings(optimizer), _settings(schedule)
        self.made_for = optimizer, schedule, clip_grad_norm
        self.counts_steps = programs.steps in program.buffers
        self.moving, free = moving, dict.fromkeys(moving)
        self.parameters = list(dict.fromkeys([x for x in program.parameters if x in free]) | free)
        self.along: Sequence[Value] = ()  # what it was told last to take along
        self.later: Loop | None = None
        self.training, clock, state, self.formulas = with_optimizer(
            program, optimizer, schedule, programs.steps, self.parameters, clip_grad_norm=clip_grad_norm
        )
        self.backend = make(self.training)
        self.shape = optimizer.state_size, len(self.parameters)
        self.clock, self.lowest, self.state = map(self.backend.located, (clock[:LOWEST], clock[LOWEST:], state))
        self.prepare, self.steps_at_once = self.backend.prepare, self.backend.steps_at_once
        first, moved = self.backend.leaves.start, [target.rows for _, target in self.training.moves]
        rows = numpy.unique(numpy.concatenate([numpy.zeros(0, int), *moved]))
        self.lease = Lease(self.training.leaves, rows[(rows >= first) & (rows < self.backend.leaves.stop)] - first)
        self.lent: Loan | None = None
        self.rounds_nothing = programs.dtype == "float64"
        self.history = numpy.zeros(1, programs.dtype)  # of a single step

    def take_along(self, parameters: Sequence[Value]) -> None:
        """Let those of these parameters move, too, that other programs have read since this loop was made."""
        if parameters is self.along:
            return
        own = set(self.parameters)
        others = [parameter for parameter in parameters if parameter not in own]
        known = [] if self.later is None else self.later.parameters
        if others != known:
            optimizer, schedule, _ = self.made_for
            self.later = (
                Loop(self.programs, of_nothing(), optimizer, schedule, others, self._in_numpy) if others else None
            )
        self.along = parameters

    def _in_numpy(self, program: Program) -> TrainingBackend:
        return cast(TrainingBackend, NumpyBackend(program, self.programs.dtype))

    def optimizes_as(
        self, optimizer: Optimizer, schedule: Schedule | None, moving: Sequence[Value], clip_grad_norm: float | None
    ) -> bool:
        """Is what the formulas read, and what moves, as it was?"""
        if moving is not self.moving:
            own, free = set(self.parameters), set(moving)
            if not own <= free or any(x in free and x not in own for x in self.program.parameters):
                return False
            self.moving = moving
        if clip_grad_norm != self.made_for[2]:
            return False
        is_same = optimizer is self.made_for[0] and schedule is self.made_for[1]
        if not is_same and self.settings != (_settings(optimizer), _settings(schedule)):
            return False
        return not any(map(Formula.has_changed, self.formulas))

    def in_step(self, optimizer: Optimizer, span: tuple[int, int], work: Callable[[], Any]) -> Any:
        """Do some work with what Values and the optimizer say now, and tell them what came of it, whatever happens."""
        step = self._in_step if self.rounds_nothing else self._in_rounded_step
        return step(optimizer, span, work)

    @quiet
    def _in_rounded_step(self, *arguments: Any) -> Any:
        return self._in_step(*arguments)

    def _in_step(self, optimizer: Optimizer, span: tuple[int, int], work: Callable[[], Any]) -> Any:
        self._read(optimizer, span)
        memory: Any = optimizer.state
        if not isinstance(memory, Memory):
            memory = optimizer.state = Memory(optimizer.state_size, memory)  # type: ignore[assignment]
        memory.lend(self)
        if self.later:
            self.later._read(optimizer, span)
        before = optimizer.steps, self.programs.steps.data, self.done
        try:
            try:
                found = work()
            finally:
                self._write(optimizer, *before)
            for lowest in self.backend.read(self.lowest).tolist():
                checked_rate(lowest)
            return found
        except BaseException:  # such as a Ctrl-C while it was written: from the beginning, then
            self._write(optimizer, *before)
            raise

    def _read(self, optimizer: Optimizer, span: tuple[int, int]) -> None:
        backend = self.backend
        self.lease.copy_to(backend.read(backend.leaves))
        before, steps = span
        backend.write(self.clock, (optimizer.steps, checked_rate(optimizer.lr), optimizer.steps - before, steps))
        backend.write(self.lowest, 0.0)

    def _write(self, optimizer: Optimizer, steps: int, calls: float, done: tuple[int, int]) -> None:
        """Tell Values and counters, which were so far before, and again after an interruption."""
        made = self.backend.done - done[0]
        if not made:
            self.lease.forget()  # measures were set to 0, say
        else:
            memory: Any = optimizer.state
            memory.lend(self)  # still: a thread that reads it meanwhile brings it home
            self._tell()
            if self.later:
                memory.lend(self.later)
                self.later.follow(made - (self.later.backend.done - done[1]))
                memory.lend(self.later)
            optimizer.steps = steps + made
            if not self.counts_steps:
                self.programs.steps.data = calls + made

    def _tell(self) -> None:
        self.lease.take(self.backend.read(self.backend.leaves)[self.lease.own])

    @property
    def done(self) -> tuple[int, int]:
        """The steps of this loop so far, and of that of the parameters that came later."""
        return self.backend.done, self.later.backend.done if self.later else 0

    def follow(self, steps: int) -> None:
        """Make the steps that another loop has made, from where the clock stands."""
        if steps:
            self.backend.train([numpy.zeros((1, 1), self.programs.dtype)], None, 1, steps, 0, numpy.zeros(steps))
        self._tell()

    def remembered(self) -> ndarray:
        return self.backend.read(self.state).reshape(self.shape)

    def remember(self, numbers: ndarray) -> None:
        self.backend.write(self.state, numbers.ravel())

    def measured_steps(
        self, arrays: list[ndarray], order: ndarray | None, rows: int, count: int, measures: list[Buffer]
    ) -> list[float]:
        """The sum of the losses of so many steps, and of what they add to each measure."""
        first = self.backend.leaves.start + len(self.training.parameters)
        places = numpy.array([first + self.training.buffers.index(measure) for measure in measures], int)
        self.backend.write(places, 0.0)
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
