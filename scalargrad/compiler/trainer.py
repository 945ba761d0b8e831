"""The trainer: whole epochs of training inside a program, with the optimizer's formula as its last instructions.

Parameters and what the optimizer remembers lie in the program's memory. Values are in step with it whenever code of the
user runs: after each call, in callbacks, after an exception; what that code changes is read back before going on.
"""

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import replace
from math import isfinite
from numbers import Integral
from typing import TYPE_CHECKING, Any

from scalargrad.compiler.backends.native.running.buffers import allocated
from scalargrad.compiler.formulas import CHANGING, Formula, formulas
from scalargrad.compiler.own_steps import OwnSteps, is_one_formula, own_classes
from scalargrad.compiler.program import UNIFORM, Program, Table
from scalargrad.compiler.variants import Backend, to_front
from scalargrad.compiler.watch.contents import contents
from scalargrad.compiler.watch.guards import PLAIN, token
from scalargrad.compiler.writer import Rows, Writer
from scalargrad.engine import Value
from scalargrad.ieee import quiet
from scalargrad.ops import add, mean, minimum, mul, sum
from scalargrad.optim import Optimizer, checked_rate
from scalargrad.progress import progress_bar
from scalargrad.randomness import shuffled
from scalargrad.schedules import Schedule
from scalargrad.structure import Buffer

if TYPE_CHECKING:
    from scalargrad.compiler.compiled import Compiled

Measures = dict[str, float]
Callback = Callable[[int, Measures], Any]
Watch = Callable[[int, Measures], Any]
MOST_POSITIONS = 2**18  # of the shuffled orders of several epochs that are made at once
MOST_LOOPS = 4  # kept: for train() and eval(), and some more
LOWEST = 4  # the place in the clock of the lowest rate
MOMENTS = 8  # between two looks at an epoch, each as long as the caller's thread may be away


class Trainer:
    """Made by `program.trainer(optimizer, batch_size=None, rng=seed)`.

    batch_size   rows of a step; None: all of them. In minibatches the rows come shuffled anew in each epoch, and the
                 last batch of an epoch may be smaller
    rng          a whole number: the seed of the shuffles
    schedule     changes the rate from step to step, over all steps of a run
    measures     Buffers by name, to each of which a step adds a mean over its rows: their means over an epoch's rows
                 are recorded beside the loss

    `moving`, some parameters, keeps all others where they are; None, as at first, lets all move. An optimizer that
    overrides `step` has it called, with the moving parameters that the program reads, in that order: with their
    gradients, as after `zero_grad()` and `backward()`.

    >>> from scalargrad import SGD, Value, compile
    >>> w = Value(0.0)
    >>> trainer = compile(lambda x, y: (w * x - y) ** 2).trainer(SGD(lr=0.1))
    >>> history = trainer.run([1.0, 2.0], [2.0, 4.0], epochs=3)
    >>> history["loss"], w.data
    ([10.0, 2.5, 0.625], 1.75)
    """

    def __init__(
        self,
        compiled: "Compiled",
        optimizer: Optimizer,
        batch_size: int | None,
        rng: int,
        schedule: Schedule | None,
        measures: Mapping[str, Buffer],
    ) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"trainer takes an optimizer such as SGD(lr=0.1), got {optimizer!r}")
        if batch_size is not None and not (_is_whole(batch_size) and batch_size >= 1):
            raise ValueError(f"batch_size is a whole number from 1 on, or None for all rows; got {batch_size!r}")
        if not _is_whole(rng) or not 0 <= rng < 2**53:
            raise ValueError(f"rng is a seed, a whole number from 0 to 2**53; got {rng!r}")
        if schedule is not None and not isinstance(schedule, Schedule):
            raise TypeError(f"schedule is a Schedule such as Cosine(), or None; got {schedule!r}")
        self.compiled, self.optimizer, self.rng = compiled, optimizer, int(rng)
        self.batch_size = None if batch_size is None else int(batch_size)
        self.schedule, self.measures = schedule, dict(measures)
        self.moving: Sequence[Value] | None = None
        self.epochs = 0  # so far, over all runs
        self.span = (optimizer.steps, 1)  # of the schedule: the steps before it, and how many it has

    def step(self, *arrays: Any) -> float:
        """One step on all these rows; returns the loss at the parameters before it."""
        with self.compiled.lock:
            loop, flat, rows = self._loop(arrays)
            with self.compiled.used():
                (loss,) = loop.in_step(self.optimizer, self.span, lambda: loop.steps(flat, None, rows, 1, 0))
            return loss

    def run(
        self, *arrays: Any, epochs: int | None = None, callbacks: Sequence[Callback] = (), progress: bool = True
    ) -> dict[str, list[float]]:
        """Train for some epochs: `run(X, Y, 10)` or `run(X, Y, epochs=10)`. Returns {"loss": [of each epoch]}.

        callbacks   each is called after every epoch with the number of the epoch, 1 to `epochs`, and {"loss": loss}
        progress    after a second, show a bar on standard error, if that is a terminal

        The loss of an epoch is the mean over its rows, each at the parameters of its step. FloatingPointError, if it
        becomes inf or nan. After an exception, Ctrl-C too, the parameters are those of the last finished step.
        """
        if epochs is None:
            if not arrays or not _is_whole(arrays[-1]):
                raise TypeError("run takes the arrays and then how many epochs: run(X, Y, 10)")
            *arrays, epochs = arrays  # type: ignore[assignment]
        if not (_is_whole(epochs) and epochs >= 0):
            raise ValueError(f"epochs is a whole number from 0 on, got {epochs!r}")
        epochs = int(epochs)
        history: dict[str, list[float]] = {name: [] for name in ("loss", *self.measures)}
        self.span = (self.optimizer.steps, epochs * self.steps_of_an_epoch(arrays))
        done = 0
        with progress_bar(epochs, "epoch", progress, delay=1.0) as show:
            while done < epochs:
                for name, found in self._epochs(tuple(arrays), 1 if callbacks else epochs - done).items():
                    history[name] += found
                done = len(history["loss"])
                self._check(history["loss"])
                measures = {name: numbers[-1] for name, numbers in history.items()}
                show(done, measures)
                for callback in callbacks:
                    callback(done, measures)
        return history

    def epoch(self, *arrays: Any, watch: Watch | None = None) -> Measures:
        """One epoch of a run that somebody else leads: `span` says where in its schedule it is.

        watch   now and then called with the rows of the epoch that are done and the measures over these; parameters
                are not in step then
        A loss of inf or nan is returned, not raised: there the epoch stopped.
        """
        return {name: found[0] for name, found in self._epochs(arrays, 1, watch).items()}

    def prepare(self, *arrays: Any) -> None:
        """Trace and compile now what an epoch on such arrays would. What was traced before is traced again, as a check.

        With JAX on one device, these stay there: until the next call of `prepare` nobody changes them.
        """
        with self.compiled.lock:
            loop, flat, rows = self._loop(arrays, checked=True)
            batch = min(self.batch_size or rows, rows)
            sizes = {(size, count) for _, size, count in _pieces(rows, batch, loop)}
            loop.prepare(flat, batch < rows, sorted(sizes, reverse=True))

    def steps_of_an_epoch(self, arrays: Sequence[Any]) -> int:
        rows = next((len(array) for array in arrays if hasattr(array, "__len__")), 0)
        return -(-rows // (self.batch_size or rows)) if rows else 0

    def _check(self, losses: list[float]) -> None:
        if not isfinite(losses[-1]):
            epoch = next(n for n, loss in enumerate(losses, 1) if not isfinite(loss))
            remedy = "a smaller learning rate helps, if data and parameters were finite"
            raise FloatingPointError(f"the loss is {losses[epoch - 1]} in epoch {epoch}; {remedy}")

    def _epochs(self, arrays: tuple, most: int, watch: Watch | None = None) -> dict[str, list[float]]:
        """The measures of one epoch, or of up to `most` if they are short and no one looks."""
        with self.compiled.lock:
            loop, flat, rows = self._loop(arrays)
            batch = min(self.batch_size or rows, rows)
            if self.measures or watch or rows % batch or loop.step_by_step:
                work = lambda: self._one_epoch(loop, flat, rows, batch, watch)  # noqa: E731
            elif batch == rows:
                most = min(most, loop.steps_at_once(rows))
                work = lambda: {"loss": loop.steps(flat, None, rows, most, 0)}  # noqa: E731
            else:
                epochs = max(1, min(most, MOST_POSITIONS // rows))
                work = lambda: {"loss": self._whole_batches(loop, flat, rows, batch, epochs)}  # noqa: E731
            with self.compiled.used():
                found = loop.in_step(self.optimizer, self.span, work)
            self.epochs += len(found["loss"])
            return found

    def _whole_batches(self, loop: "_Loop | OwnSteps", arrays: list, rows: int, batch: int, epochs: int) -> list[float]:
        """The losses of epochs of batches of one size. The last is inf or nan, if a step's was: there it stopped."""
        import numpy

        order = numpy.concatenate([shuffled(rows, self.rng, self.epochs + n) for n in range(epochs)])
        steps = rows // batch
        losses = loop.steps(arrays, order, batch, steps * epochs, batch)
        parts = [losses[first : first + steps] for first in range(0, len(losses), steps)]
        return [mean(part) for part in parts]

    def _one_epoch(
        self, loop: "_Loop | OwnSteps", arrays: list, rows: int, batch: int, watch: Watch | None
    ) -> dict[str, list[float]]:
        """An epoch in pieces of steps of one size. The loss is inf or nan, if a step's was: there it stopped."""
        order = None if batch == rows else shuffled(rows, self.rng, self.epochs)
        names = ("loss", *self.measures)
        sums = [0.0] * len(names)
        for done, size, count in _pieces(rows, batch, loop if watch else None):
            chosen = None if order is None else order[done : done + count * size]
            found = loop.measured_steps(arrays, chosen, size, count, list(self.measures.values()))
            sums = [total + size * number for total, number in zip(sums, found, strict=True)]
            done += count * size
            if not isfinite(sums[0]):
                break
            if watch:
                watch(done, {name: total / done for name, total in zip(names, sums, strict=True)})
        return {name: [total / done] for name, total in zip(names, sums, strict=True)}

    def _loop(self, arrays: tuple, checked: bool = False) -> tuple["_Loop | OwnSteps", list, int]:
        """The loop for these arrays, the arrays as programs take them, and how many rows they have.

        checked   whether to make sure that the function, and formulas of a user's own, are still the same
        """
        program, flat, rows = self.compiled.prepared(arrays, checked)
        if not is_one_formula(self.optimizer):
            return OwnSteps(self.compiled, arrays, self.optimizer, self.schedule, self.moving), flat, rows
        loops = self.compiled.loops
        if checked and any(own_classes(type(x)) for x in (self.optimizer, self.schedule) if x is not None):
            loops.clear()  # formulas of a user's own: nobody knows what they read
        for loop in loops:
            if loop.program is program and loop.optimizes_as(self.optimizer, self.schedule, self.moving):
                break
        else:
            loop = _Loop(self.compiled, program, self.optimizer, self.schedule, self.moving)
        to_front(loops, loop, MOST_LOOPS)
        return loop, flat, rows


def _pieces(rows: int, batch: int, loop: "_Loop | OwnSteps | None") -> Iterator[tuple[int, int, int]]:
    """An epoch in pieces of steps of one size: the rows before, those of a step, how many steps.

    loop   says how many steps it makes at once, if somebody looks in between; the pieces are about equal then
    """
    done = 0
    while done < rows:
        size = min(batch, rows - done)
        count = (rows - done) // size
        if loop is not None:
            pieces = -(-count // (MOMENTS * loop.steps_at_once(size)))
            count = -(-count // pieces)
        yield done, size, count
        done += count * size


class _Loop:
    """A program with the optimizer inside, and its memory."""

    step_by_step = False

    def __init__(
        self,
        compiled: "Compiled",
        program: Program,
        optimizer: Optimizer,
        schedule: Schedule | None,
        moving: Sequence[Value] | None,
    ) -> None:
        self.compiled, self.program = compiled, program
        self.settings = _settings(optimizer), _settings(schedule)
        self.made_for = optimizer, schedule
        self.moving = None if moving is None else list(moving)
        self.counts_steps = compiled.steps in program.buffers
        reached = program.reached()
        free = set(reached if moving is None else moving)
        self.parameters = [parameter for parameter in reached if parameter in free]
        self.training, self.clock, self.state, self.formulas = with_optimizer(
            program, optimizer, schedule, compiled.steps, self.parameters
        )
        self.backend: Backend = compiled.build(self.training)
        self.prepare, self.steps_at_once = self.backend.prepare, self.backend.steps_at_once
        self.values = [*program.parameters, *program.buffers]
        self.owner: Optimizer | None = None  # whose state lies here
        self.view = _State(self)
        self.history = allocated(1, compiled.dtype)  # of a single step

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
        before = optimizer.steps, self.compiled.steps.data, self.backend.done
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
        """To Values and counters, which were so far before; to be called again after an interruption."""
        made = self.backend.done - done
        if made:
            numbers = self.backend.read(self.backend.leaves).tolist()
            for value, number in zip(self.values, numbers, strict=True):
                value.data = number
            optimizer.steps = steps + made
            if not self.counts_steps:
                self.compiled.steps.data = calls + made

    def measured_steps(self, arrays: list, order: Any, rows: int, count: int, measures: list[Buffer]) -> list[float]:
        """The sum of the losses of so many steps, and of what they add to each measure."""
        first = self.backend.leaves.start + len(self.program.parameters)
        places = [first + self.program.buffers.index(measure) for measure in measures]
        self.backend.write(places, [0.0] * len(places))
        losses = self.steps(arrays, order, rows, count, rows)
        return [sum(losses), *self.backend.read(places).tolist()]

    def steps(self, arrays: list, order: Any, rows: int, count: int, advance: int) -> list[float]:
        """The losses of so many steps, each on the next rows of the order; fewer, if one is inf or nan."""
        import numpy

        history = self.history if count == 1 else numpy.zeros(count, self.compiled.dtype)
        before = self.backend.done
        if not self.backend.train(arrays, order, rows, count, advance, history):
            self.compiled.refuse(self.program, arrays, self.backend.read(self.backend.leaves).tolist())
        return history[: self.backend.done - before].tolist()


def _settings(formula: Optimizer | Schedule | None) -> tuple:
    """Tokens of the class and the settings: equal as long as nobody can tell the difference."""
    owners = [] if formula is None else [formula, *own_classes(type(formula))]
    return type(formula), [{name: _setting(x) for name, x in _attributes(owner).items()} for owner in owners]


def _setting(x: Any) -> Any:
    return _settings(x) if isinstance(x, Schedule) else (token(x), None if type(x) in PLAIN else contents(x))


def _attributes(owner: Any) -> dict[str, Any]:
    """The settings of an optimizer or a schedule, or those of all objects of a class."""
    but = CHANGING if isinstance(owner, Optimizer) else ("__dict__", "__weakref__") if isinstance(owner, type) else ()
    return {name: x for name, x in vars(owner).items() if name not in but}


class _State(MutableMapping):
    """What an optimizer remembers for each parameter: that of a loop's parameters lies in the loop's memory."""

    def __init__(self, loop: _Loop) -> None:
        self.loop = loop
        self.place = {parameter: n for n, parameter in enumerate(loop.parameters)}
        self.others: dict[Value, tuple[float, ...]] = {}

    @quiet
    def take_over(self, state: Any) -> None:
        """What was remembered elsewhere."""
        import numpy

        fresh = (0.0,) * len(self.loop.state)
        rows = [state.get(parameter, fresh) for parameter in self.loop.parameters]
        numbers = numpy.array(rows, "float64").reshape(len(rows), len(fresh))
        for rows_of_state, column in zip(self.loop.state, numbers.T, strict=True):
            self.loop.backend.write(rows_of_state, column)
        self.others = {parameter: state[parameter] for parameter in state if parameter not in self.place}

    def copy(self) -> dict[Value, tuple[float, ...]]:
        """All of it, as of now, in an ordinary dict."""
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


def with_optimizer(
    program: Program, optimizer: Optimizer, schedule: Schedule | None, steps: Value, parameters: list[Value]
) -> tuple[Program, Any, list, list[Formula]]:
    """The program whose `moves` make one training step; the rows of its clock; those of the state; what it was made of.

    The clock is the number of steps so far, the rate, the number of steps since the schedule began, and its length; and
    if there is a schedule, the lowest rate that it gave, as far as it is below 0.
    Of the parameters, those in `parameters` move.
    """
    import numpy

    assert program.gradient is not None
    update, factor = formulas(optimizer, schedule, [*parameters, steps, *program.updates])
    fresh = replace(program, instructions=list(program.instructions), moves=[])
    writer = Writer(fresh, backward=True)
    count, first = len(parameters), len(program.constants)
    moving = set(parameters)
    chosen = numpy.array([n for n, parameter in enumerate(program.parameters) if parameter in moving], int)

    def leaf(rows: int) -> Table:
        return writer.emit("leaf", UNIFORM, rows, ())

    def many(table: Table) -> Rows:
        return Rows(writer, Table(UNIFORM, numpy.repeat(table.rows, count)))

    clock: tuple[Table, ...] = (leaf(1), leaf(1), leaf(1), leaf(1))
    time, rate, position, span = clock
    state = [leaf(count) for _ in range(optimizer.state_size)]
    one = writer.constant(1.0, 1)
    following = writer.map(add, time, one)
    moves = [(following, time)]
    if factor is not None:
        full, now, whole = (Rows(writer, table) for table in (rate, position, span))
        (share,) = factor.on(now, whole)
        rate = _table(writer, mul(full, share), 1)
        if isinstance(share, Rows):
            clock = (*clock, lowest := leaf(1))
            below = minimum(Rows(writer, rate), Rows(writer, lowest))
            moves.append((_table(writer, below, 1), lowest))
        else:
            checked_rate(share)
        moves.append((writer.map(add, position, one), position))
    places = first + chosen
    if count:
        remembered = [Rows(writer, table) for table in state]
        gradient = Rows(writer, Table(UNIFORM, program.gradient.rows[chosen]))
        parameter = Rows(writer, Table(UNIFORM, places))
        moved, *kept = update.on(parameter, gradient, *remembered, many(rate), many(following))
        moved_rows = _table(writer, moved, count).rows
        for part in numpy.split(numpy.arange(count), numpy.flatnonzero(numpy.diff(places) != 1) + 1):
            moves.append((Table(UNIFORM, moved_rows[part]), Table(UNIFORM, places[part])))
        moves += [(_table(writer, x, count), table) for x, table in zip(kept, state, strict=True)]
    for number, buffer in enumerate(program.buffers):
        row = Table(UNIFORM, numpy.array([first + len(program.parameters) + number]))
        if buffer is steps:
            moves.append((writer.map(add, row, one), row))
        elif buffer in program.updates:
            moves.append((program.updates[buffer], row))
    targets = numpy.concatenate([target.rows for _, target in moves])
    nothing = writer.constant(-0.0, 1)  # x + -0.0 is x
    for source, target in moves:
        if numpy.array_equal(source.rows, target.rows):
            continue
        if numpy.isin(source.rows, targets).any():  # it would be overwritten before it is read
            source = writer.map(add, source, Table(UNIFORM, numpy.repeat(nothing.rows, len(source.rows))))
        fresh.moves.append((source, target))
    fresh.verify()
    rows_of_clock, rows_of_state = numpy.concatenate([table.rows for table in clock]), [table.rows for table in state]
    return fresh, rows_of_clock, rows_of_state, [update, factor] if factor else [update]


def _table(writer: Writer, x: Any, count: int) -> Table:
    return x.table if isinstance(x, Rows) else writer.constant(float(x), count)


def _is_whole(n: Any) -> bool:
    return isinstance(n, Integral) and not isinstance(n, bool)
