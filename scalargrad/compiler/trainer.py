"""The trainer: whole epochs of training inside a program, with the optimizer's formula as its last instructions.

Parameters and what the optimizer remembers lie in the program's memory. Values are in step with it whenever code of the
user runs: after each call, in callbacks, after an exception; what that code changes is read back before going on.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from math import isfinite
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy
from numpy import ndarray

from scalargrad.arrays import shuffled
from scalargrad.checks import functions, instance, is_whole, real, whole
from scalargrad.compiler.loop import Loop
from scalargrad.compiler.own_steps import OwnSteps, is_one_formula, own_classes
from scalargrad.compiler.program import Program
from scalargrad.compiler.programs import MOST_SHAPES, Programs, columns_of
from scalargrad.compiler.variants import Variant, to_front
from scalargrad.datasets.sequences import (
    Group,
    Piece,
    grouped,
    pieces_of_an_epoch,
    refuse_too_many,
    shapes_in_words,
    steps_of_an_epoch,
)
from scalargrad.engine import Value
from scalargrad.given import checked_parameters
from scalargrad.holders import changes_of_frozen, without_frozen
from scalargrad.ops import mean
from scalargrad.optim import Optimizer
from scalargrad.schedules import Constant, Schedule
from scalargrad.structure import Buffer
from scalargrad.support.progress import progress_bar
from scalargrad.support.words import brief

NO_MEASURES: Mapping[str, Buffer] = MappingProxyType({})
Measures = dict[str, float]  # of an epoch: "loss", and whatever else is measured
BY_NAME = "a dict of Buffers by name"
Callback = Callable[[int, Measures], Any]
Watch = Callable[[int, Measures], Any]  # called during an epoch with the rows done so far, and the measures over these
MOST_POSITIONS = 2**18  # of the shuffled orders of several epochs that are made at once
MOST_LOOPS = 64  # kept: for sequences of so many lengths
MOMENTS = 8  # between two looks at an epoch, each as long as the caller's thread may be away


class Part(NamedTuple):
    """A group of rows of one shape, ready to train on.

    arrays   as programs take them, [rows, numbers of one sample]
    """

    loop: Loop | OwnSteps
    arrays: list
    rows: int
    variant: Variant
    group: Group


class Trainer:
    """Made by `program.trainer(optimizer, batch_size=None, rng=seed)`.

    batch_size   rows of a step; None: all of them. In minibatches the rows come shuffled anew in each epoch, and the
                 last batch of an epoch may be smaller. Of sequences of different lengths a batch has one length, and
                 None means all of one length: `pieces_of_an_epoch` says in which order
    rng          a whole number: the seed of the shuffles; or a function (rows, epoch) -> the order of the rows
    schedule     changes the rate from step to step, over all steps of a run
    steps        how many there will be for the schedule, where `step` makes them
    clip_grad_norm   each step is made on gradients that the function of this name has scaled to that norm; None: as
                 they are
    measures     Buffers by name, to each of which a step adds a mean over its rows: their means over an epoch's rows
                 are recorded beside the loss
    parameters   each step is `zero_grad(); backward(); optimizer.step(parameters)`: those that the program does not
                 read have a gradient of 0, so that momentum and weight decay move them on; all others stay. None:
                 those that the optimizer was given, or else the parameters that this trainer's programs have read so
                 far, in all shapes of their arguments

    Frozen parameters (`requires_grad = False`) stay, as `optimizer.step` leaves them. The attribute `moving` has those
    that were given, or None, and may be set. An optimizer that overrides `step` has it called with all that move.

    >>> from scalargrad import SGD, Value, compile
    >>> w = Value(0.0)
    >>> trainer = compile(lambda x, y: (w * x - y) ** 2).trainer(SGD(lr=0.1))
    >>> history = trainer.run([1.0, 2.0], [2.0, 4.0], epochs=3)
    >>> history["loss"], w.data
    ([10.0, 2.5, 0.625], 1.75)
    """

    given: Sequence[Value] | None = None  # a tuple: it stays what it was
    read: Sequence[Value] = ()  # parameters so far, by these programs
    programs_read: Sequence[Program] = ()
    moved: Sequence[Value] = ()  # by a step: those of `candidates` that were not frozen after so many changes
    candidates: Sequence[Value] = ()
    changes = 0

    def __init__(
        self,
        compiled: Programs,
        optimizer: Optimizer,
        batch_size: int | None,
        rng: int | Callable,
        schedule: Schedule | None,
        measures: Mapping[str, Buffer],
        parameters: Iterable[Value] | None = None,
        steps: int | None = None,
        clip_grad_norm: float | None = None,
    ) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"trainer takes an optimizer such as SGD(lr=0.1), got {brief(optimizer)}")
        if batch_size is not None and not (is_whole(batch_size) and batch_size >= 1):
            raise ValueError(f"batch_size is a whole number from 1 on, or None for all rows; got {brief(batch_size)}")
        if not callable(rng) and not (is_whole(rng) and 0 <= rng < 2**53):
            raise ValueError(f"rng is a seed, a whole number from 0 to 2**53; got {brief(rng)}")
        if schedule is not None and not isinstance(schedule, Schedule):
            raise TypeError(f"schedule is a Schedule such as Cosine(), or None; got {brief(schedule)}")
        if steps is not None:
            whole("steps", steps, 1)
        self.clip_grad_norm = None if clip_grad_norm is None else real("clip_grad_norm", clip_grad_norm, 0.0)
        self.compiled, self.optimizer, self.rng = compiled, optimizer, rng if callable(rng) else int(rng)
        self.batch_size = None if batch_size is None else int(batch_size)
        buffers = {str(name): buffer for name, buffer in instance("measures", measures, Mapping, BY_NAME).items()}
        for buffer in buffers.values():
            instance("measures", buffer, Buffer, BY_NAME)
        self.schedule, self.measures = schedule, buffers
        self.moving = optimizer.own_parameters if parameters is None else parameters
        self.epochs = 0  # so far, over all runs
        self.span = (optimizer.steps, int(steps or 0))  # of the schedule: the steps before it, and how many it has

    @property
    def moving(self) -> Sequence[Value] | None:
        return self.given

    @moving.setter
    def moving(self, parameters: Iterable[Value] | None) -> None:
        given = None if parameters is None else tuple(checked_parameters("trainer", parameters))
        if given and len(set(given)) < len(given):
            raise ValueError("trainer takes each parameter once, and got one twice")
        self.given = given

    def step(self, *arrays: object) -> float:
        """One step on all these rows; returns the loss at the parameters before it."""
        self._refuse_beyond_the_schedule()
        with self.compiled.lock:
            (part,) = self._parts([Group(None, arrays)])
            (loss,) = self._in_step(part, lambda: part.loop.steps(part.arrays, None, part.rows, 1, 0))
            return loss

    def run(
        self, *arrays: Any, epochs: int | None = None, callbacks: Sequence[Callback] = (), progress: bool = True
    ) -> dict[str, list[float]]:
        """Train for some epochs: `run(X, Y, 10)` or `run(X, Y, epochs=10)`. Returns {"loss": [of each epoch]}.

        arrays      a row for each sample; or, of sequences of different lengths, a list of arrays [length, ...]. There
                    is a program for each length, all of which are compiled first
        callbacks   each is called after every epoch with the number of the epoch, 1 to `epochs`, and {"loss": loss}
        progress    after a second, show a bar on standard error, if that is a terminal

        The loss of an epoch is the mean over its rows, each at the parameters of its step. FloatingPointError, if it
        becomes inf or nan. After an exception, Ctrl-C too, the parameters are those of the last finished step.
        """
        if epochs is None:
            if not arrays or not is_whole(arrays[-1]):
                raise TypeError("run takes the arrays and then how many epochs: run(X, Y, 10)")
            *arrays, epochs = arrays  # type: ignore[assignment]
        if not (is_whole(epochs) and epochs >= 0):
            raise ValueError(f"epochs is a whole number from 0 on, got {brief(epochs)}")
        epochs = int(epochs)
        callbacks = functions("callbacks", callbacks, "a list of functions of the epoch and its measures")
        history: dict[str, list[float]] = {name: [] for name in ("loss", *self.measures)}
        groups = self._groups(arrays)
        self.span = (self.optimizer.steps, epochs * self._steps_of_an_epoch(groups))
        if len(groups) > 1 and epochs:
            self._prepare(groups, checked=False, progress=progress)
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

    def epoch(self, *arrays: object, watch: Watch | None = None) -> Measures:
        """One epoch of a run that somebody else leads: `span` says where in its schedule it is.

        watch   now and then called with the rows of the epoch that are done and the measures over these; parameters
                are not in step then
        A loss of inf or nan is returned, not raised: there the epoch stopped.
        """
        if watch is not None:
            instance("watch", watch, Callable, "a function of rows and measures")
        return {name: found[0] for name, found in self._epochs(arrays, 1, watch).items()}

    def prepare(self, *arrays: object, progress: bool = False) -> None:
        """Trace and compile now what an epoch on such arrays would. What was traced before is traced again, as a check.

        progress   show how many of several lengths are compiled, as `run` does
        With JAX on one device, these stay there: until the next call of `prepare` nobody changes them.
        """
        self._prepare(self._groups(arrays), True, progress)

    def _prepare(self, groups: Sequence[Group], checked: bool, progress: bool) -> None:
        refuse_too_many(len(groups), MOST_SHAPES)
        shown = progress and len(groups) > 1
        pieces: list[Piece] = []
        with self.compiled.lock, progress_bar(len(groups), " lengths compiled", shown, delay=1.0) as show:
            if checked and any(own_classes(type(x)) for x in (self.optimizer, self.schedule) if x is not None):
                self.compiled.loops.clear()  # formulas of a user's own: nobody knows what they read
            prepared = []
            for group in groups:  # all of them first: what one reads moves in the steps of the others, too
                show(0, {"now": shapes_in_words(group)})
                prepared.append(self._prepared(group, checked))
            for number, group in enumerate(groups):
                show(number, {"now": shapes_in_words(group)})
                part = self._part(group, *prepared[number])
                pieces = pieces or self._pieces([_numbers(other, part.rows) for other in groups])
                own = [cut for piece in pieces if piece.group == number for cut in _cut(piece, part.loop)]
                sizes = {(piece.size, piece.steps) for piece in own}
                part.loop.prepare(part.arrays, own[0].chosen is not None, sorted(sizes, reverse=True))
            show(len(groups), {})

    def _steps_of_an_epoch(self, groups: Sequence[Group]) -> int:
        arrays = [[array for array in group.arrays if hasattr(array, "__len__")][:1] for group in groups]
        return steps_of_an_epoch([len(array) for first in arrays for array in first], self.batch_size)

    def _refuse_beyond_the_schedule(self) -> None:
        before, steps = self.span
        if self.schedule is None or type(self.schedule) is Constant or self.optimizer.steps - before < steps:
            return
        kind = type(self.schedule).__name__
        if steps:
            raise ValueError(f"{kind} has ended: it was for {steps} steps, and these are made")
        raise ValueError(f"{kind} depends on how many steps there will be: say it, trainer(..., steps=1000)")

    def _check(self, losses: list[float]) -> None:
        if not isfinite(losses[-1]):
            epoch = next(n for n, loss in enumerate(losses, 1) if not isfinite(loss))
            remedy = "a smaller learning rate helps, if data and parameters were finite"
            raise FloatingPointError(f"the loss is {losses[epoch - 1]} in epoch {epoch}; {remedy}")

    def _epochs(self, arrays: tuple, most: int, watch: Watch | None = None) -> dict[str, list[float]]:
        """The measures of one epoch, or of up to `most` if they are short and no one looks."""
        with self.compiled.lock:
            parts = self._parts(self._groups(arrays))
            loop, flat, rows, *_ = parts[0]
            batch = min(self.batch_size or rows, rows)
            if len(parts) > 1 or self.measures or watch or rows % batch or loop.step_by_step:
                found = self._one_epoch(parts, watch)
            elif batch == rows:
                most = min(most, loop.steps_at_once(rows))
                found = {"loss": self._in_step(parts[0], lambda: loop.steps(flat, None, rows, most, 0))}
            else:
                epochs = max(1, min(most, MOST_POSITIONS // rows))
                found = {"loss": self._in_step(parts[0], lambda: self._whole_batches(loop, flat, rows, batch, epochs))}
            self.epochs += len(found["loss"])
            return found

    def _in_step(self, part: Part, work: Callable[[], Any]) -> Any:
        return part.variant.timed(part.loop.in_step, self.optimizer, self.span, work)

    def _whole_batches(self, loop: Loop | OwnSteps, arrays: list, rows: int, batch: int, epochs: int) -> list[float]:
        """The losses of epochs of batches of one size. The last is inf or nan, if a step's was: there it stopped."""
        order = numpy.concatenate([shuffled(rows, self.rng, self.epochs + n) for n in range(epochs)])
        steps = rows // batch
        losses = loop.steps(arrays, order, batch, steps * epochs, batch)
        parts = [losses[first : first + steps] for first in range(0, len(losses), steps)]
        return [mean(part) for part in parts]

    def _one_epoch(self, parts: list[Part], watch: Watch | None) -> dict[str, list[float]]:
        """An epoch in pieces of steps of one size. The loss is inf or nan, if a step's was: there it stopped."""
        names, measures = ("loss", *self.measures), list(self.measures.values())
        numbers = [_numbers(part.group, part.rows) for part in parts]
        sums, done = [0.0] * len(names), 0

        def work(loop: Loop | OwnSteps, arrays: list, pieces: list[Piece]) -> None:
            nonlocal sums, done
            for piece in pieces:
                found = loop.measured_steps(arrays, piece.chosen, piece.size, piece.steps, measures)
                sums = [total + piece.size * number for total, number in zip(sums, found, strict=True)]
                done += piece.steps * piece.size
                if not isfinite(sums[0]):
                    break
                if watch:
                    watch(done, {name: total / done for name, total in zip(names, sums, strict=True)})

        for group, pieces in groupby(self._pieces(numbers), key=lambda piece: piece.group):
            loop, arrays, *_ = parts[group]
            cut = [part for piece in pieces for part in (_cut(piece, loop) if watch else [piece])]
            self._in_step(parts[group], partial(work, loop, arrays, cut))
            if not isfinite(sums[0]):
                break
        return {name: [total / done] for name, total in zip(names, sums, strict=True)}

    def _groups(self, arrays: tuple) -> list[Group]:
        """Arguments in groups of one shape, or such groups as they are."""
        if arrays and isinstance(arrays[0], Group):
            return list(arrays)
        return grouped(columns_of(arrays, self.compiled.dtype))

    def _pieces(self, numbers: Sequence[Sequence[int] | ndarray]) -> list[Piece]:
        """The steps of the next epoch, on groups of rows of these numbers."""
        return pieces_of_an_epoch(numbers, self.batch_size, self.rng, self.epochs)

    def _parts(self, groups: Sequence[Group]) -> list[Part]:
        """A program for each group. What moves is what all of them have read, unless that was given."""
        refuse_too_many(len(groups), MOST_SHAPES)
        prepared = [self._prepared(group) for group in groups]
        return [self._part(group, *one) for group, one in zip(groups, prepared, strict=True)]

    def _prepared(self, group: Group, checked: bool = False) -> tuple[Variant, list, int]:
        """The program for a group, its arrays and rows; the parameters that it reads count as read from now on.

        checked   make sure that the function is still the same
        """
        variant, arrays, rows = self.compiled.prepared(group.arrays, checked, group.rows)
        program = variant.backward
        if self.given is None and program not in self.programs_read:
            self.programs_read = [program, *self.programs_read][:MOST_LOOPS]
            more = dict.fromkeys([*self.read, *program.reached()])
            if len(more) > len(self.read):
                self.read = list(more)
        return variant, arrays, rows

    def _part(self, group: Group, variant: Variant, flat: list, rows: int) -> Part:
        """A group with a loop on its program."""
        if not is_one_formula(self.optimizer):
            own = OwnSteps(
                self.compiled, variant, group, self.optimizer, self.schedule, self._candidates, self.clip_grad_norm
            )
            return Part(own, flat, rows, variant, group)
        program, loops, moving, most = variant.backward, self.compiled.loops, self._moving(), self.clip_grad_norm
        for loop in loops:
            if loop.program is program and loop.optimizes_as(self.optimizer, self.schedule, moving, most):
                break
        else:
            loops[:] = [loop for loop in loops if self.compiled.keeps(loop.program)]
            loop = Loop(self.compiled, program, self.optimizer, self.schedule, moving, self.compiled.build, most)
        loop.take_along(moving)
        to_front(loops, loop, MOST_LOOPS)
        return Part(loop, flat, rows, variant, group)

    @property
    def _candidates(self) -> Sequence[Value]:
        """The parameters that move unless they are frozen: a list that stays the same one for as long as it can."""
        return self.read if self.given is None else self.given

    def _moving(self) -> Sequence[Value]:
        """The parameters that a step moves: a list that stays the same one for as long as it can."""
        candidates, changes = self._candidates, changes_of_frozen[0]
        if candidates is not self.candidates or changes != self.changes:
            self.moved = without_frozen(candidates)
            self.candidates, self.changes = candidates, changes
        return self.moved


def _numbers(group: Group, rows: int) -> Sequence[int] | ndarray:
    """The numbers of its rows, of which there are so many, if they are all."""
    return range(rows) if group.rows is None else group.rows


def _cut(piece: Piece, loop: Loop | OwnSteps) -> Iterator[Piece]:
    """A piece in parts that are about equal, between which somebody looks: the loop says how many steps it makes."""
    done = 0
    while done < piece.steps:
        count = piece.steps - done
        parts = -(-count // (MOMENTS * loop.steps_at_once(piece.size)))
        count = -(-count // parts)
        first, last = done * piece.size, (done + count) * piece.size
        yield piece._replace(chosen=None if piece.chosen is None else piece.chosen[first:last], steps=count)
        done += count
