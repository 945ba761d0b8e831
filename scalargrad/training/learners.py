"""Learners: an epoch of training, by compiled code or by Values one sample after another. Both take the same steps."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import nullcontext
from typing import NamedTuple

import numpy
from numpy import ndarray

from scalargrad import randomness
from scalargrad.compiler.backends import BACKENDS
from scalargrad.compiler.own_steps import take_step
from scalargrad.compiler.trainer import Measures, Watch
from scalargrad.datasets.nested import Sample, on_each_number
from scalargrad.datasets.sequences import Group, Ragged, grouped, pieces_of_an_epoch, steps_of_an_epoch
from scalargrad.engine import Value
from scalargrad.given import given_among
from scalargrad.holders import flat
from scalargrad.losses import l2 as sum_of_squares
from scalargrad.observers import observed_by
from scalargrad.ops import dot, mean, sum
from scalargrad.schedules import schedule_of
from scalargrad.structure import Buffer, Structure
from scalargrad.support.words import brief
from scalargrad.training.data import Data
from scalargrad.training.objectives import Objective
from scalargrad.training.programs import Target, Updates, in_batch_of, one_value, rows_as_tuples, training_program
from scalargrad.training.settings import FitSettings


class Counters(NamedTuple):
    """Counts of how far a learner is; what it does next depends on nothing else but parameters and optimizer.

    epochs   shuffles so far
    steps    so far, as random() counts them
    start    the steps of the optimizer before the schedule began
    """

    epochs: int
    steps: int
    start: int


class Learner(ABC):
    """The base of both: a model, what it is to learn from, and how; `devices` is how many share the rows of a step."""

    def __init__(
        self, model: Structure, objective: Objective, data: Data, settings: FitSettings, devices: int | None = None
    ) -> None:
        self.model, self.objective, self.data, self.settings = model, objective, data, settings
        self.devices, self.schedule = devices, schedule_of(settings.schedule)
        self.rows = len(data.inputs)
        self.columns = [data.inputs, data.targets, *([] if data.weights is None else [data.weights])]
        self.groups = grouped(self.columns)
        sizes = [len(group.arrays[0]) for group in self.groups]
        self.steps = settings.epochs * steps_of_an_epoch(sizes, settings.batch_size)  # of the schedule
        # From the optimizer's steps so far, not from 0: a later fit with it shuffles otherwise than this one.
        self.first = Counters(*[settings.optimizer.steps] * 3)

    @property
    @abstractmethod
    def counters(self) -> Counters: ...

    @abstractmethod
    def prepare(self, progress: bool = False) -> None:
        """Do now what an epoch needs before its first step: trace, compile; `progress` shows how many lengths are."""

    @abstractmethod
    def go_on_from(self, counters: Counters) -> None: ...

    @abstractmethod
    def epoch(self, watch: Watch) -> Measures:
        """Train on all rows; `watch` is told now and then how far that is, and the measures over these rows."""

    def groups_of(self, epoch: int) -> list[Group]:
        """Rows of one shape each, as the model sees them in that epoch, counted over all fits."""
        (inputs, *others), augment = self.columns, self.settings.augment
        if augment is None or isinstance(inputs, Ragged):
            return self.groups
        found = numpy.asarray(augment(inputs, self.settings.rng, epoch))
        if found.dtype.kind not in "biuf":
            raise TypeError(f"augment returns an array of real numbers, and this one returned {brief(found)}")
        changed = numpy.ascontiguousarray(found, inputs.dtype)
        if changed.shape != inputs.shape:
            raise ValueError(f"augment returned the shape {changed.shape} for inputs of {inputs.shape}")
        return grouped([changed, *others])

    def measures(self, loss: float, score: float) -> Measures:
        """By name, from the means over an epoch's rows."""
        if self.objective.from_mean is None:
            return {"loss": loss}
        return {"loss": loss, self.objective.measure: self.objective.from_mean(score, self.data.targets)}


class CompiledLearner(Learner):
    """The trainer of a compiled program, in the type of the inputs."""

    def prepare(self, progress: bool = False) -> None:
        settings, objective, dtype = self.settings, self.objective, self.data.inputs.dtype
        target = Target(str(dtype), settings.backend, self.devices)
        weighted = self.data.weights is not None
        self.program, score = training_program(self.model, objective, settings.l2, weighted, target)
        # In the type of the program: what does not change stays on a device from epoch to epoch.
        self.columns = [column.astype(dtype, copy=False) for column in self.columns]
        self.groups = grouped(self.columns)
        measures = {"score": score} if objective.score else {}
        self.trainer = self.program.trainer(
            settings.optimizer,
            settings.batch_size,
            settings.rng,
            self.schedule,
            measures,
            clip_grad_norm=settings.clip_grad_norm,
        )
        self.moving: Sequence[Value] = []
        self.found: object = None  # the inventory that has these
        self._look_for_parameters()
        self.go_on_from(self.first)  # before it prepares: an order of rows that somebody computes is asked for once
        self.trainer.prepare(*self.groups, progress=progress)

    def go_on_from(self, counters: Counters) -> None:
        self.start = counters.start
        self.trainer.epochs, self.program.steps.data = counters.epochs, float(counters.steps)
        self.trainer.span = counters.start, self.steps

    def epoch(self, watch: Watch) -> Measures:
        self._look_for_parameters()
        measures = self.measures

        def watched(rows: int, found: Measures) -> None:
            watch(rows, measures(found["loss"], found.get("score", 0.0)))

        found = self.trainer.epoch(*self.groups_of(self.trainer.epochs), watch=watched)
        return measures(found["loss"], found.get("score", 0.0))

    def _look_for_parameters(self) -> None:
        """Look at what the model has now: a callback may have frozen or replaced some."""
        has_its_own = getattr(self.model.parameters, "__func__", None) is not Structure.parameters
        found = None if has_its_own else self.model._inventory()  # to make a list of many takes longer
        if found is None or found is not self.found or self.trainer.moving is None:
            parameters, self.found = given_among(self.settings.optimizer, self.model.parameters()), found
            if parameters != self.moving or self.trainer.moving is None:
                self.moving = parameters
                self.trainer.moving = parameters

    @property
    def counters(self) -> Counters:
        return Counters(self.trainer.epochs, int(self.program.steps.data), self.start)


class EagerLearner(Learner):
    """Values that record each sample anew: slow, open to every debugger, and the oracle of the other."""

    def prepare(self, progress: bool = False) -> None:
        self.so_far = self.first
        values = [value for _, array in self.model.named_arrays() for value in flat(array)]
        self.has_buffers = any(isinstance(value, Buffer) for value in values)

    @property
    def counters(self) -> Counters:
        return self.so_far

    def go_on_from(self, counters: Counters) -> None:
        self.so_far = counters

    def epoch(self, watch: Watch) -> Measures:
        epoch, settings = self.so_far.epochs, self.settings
        groups = self.groups_of(epoch)
        numbers = [numpy.arange(self.rows) if group.rows is None else group.rows for group in groups]
        losses, scores, done = 0.0, 0.0, 0
        for number, chosen, size, steps in pieces_of_an_epoch(numbers, settings.batch_size, settings.rng, epoch):
            places = numpy.arange(size) if chosen is None else chosen
            for step in range(steps):
                batch = places[step * size : (step + 1) * size]
                loss, score = self._step([array[batch] for array in groups[number].arrays], numbers[number][batch])
                losses, scores, done = losses + loss * size, scores + score, done + size
                watch(done, self.measures(losses / done, scores / done))
        self.so_far = self.so_far._replace(epochs=self.so_far.epochs + 1)
        return self.measures(losses / done, scores / done)

    def _step(self, arrays: Sequence[ndarray], numbers: ndarray) -> tuple[float, float]:
        """One step on rows of these numbers. Returns the loss, and the sum of their scores."""
        settings, parameters, updates = self.settings, self.model.parameters(), Updates()
        samples = zip(*(map(rows_as_tuples, array) for array in arrays[:2]), numbers.tolist(), strict=True)
        with in_batch_of(len(numbers)), observed_by(updates) if self.has_buffers else nullcontext():
            found = [self._sample(*sample) for sample in samples]
        if self.data.weights is None:
            loss = mean([loss for loss, _ in found])
        else:
            weights = arrays[2].tolist()
            loss = dot(weights, [loss for loss, _ in found]) / sum(weights)
        if settings.l2:
            loss = loss + settings.l2 * sum_of_squares(parameters)
        self.model.zero_grad()
        loss.backward()
        moving, span = given_among(settings.optimizer, parameters), (self.so_far.start, self.steps)
        take_step(settings.optimizer, self.schedule, span, moving, updates.numbers, settings.clip_grad_norm)
        self.so_far = self.so_far._replace(steps=self.so_far.steps + 1)
        return loss.data, sum([score for _, score in found])

    def _sample(self, x: Sample, target: Sample, row: int) -> tuple[Value, float]:
        """The loss of a row, and its score."""
        objective = self.objective
        outer = randomness.row.set(float(row)), randomness.step.set(float(self.so_far.steps))
        try:
            outputs = self.model(x)
        finally:
            randomness.row.reset(outer[0])
            randomness.step.reset(outer[1])
        loss = one_value(objective.loss(outputs, target))
        score = 0.0 if objective.score is None else objective.score(on_each_number(float, outputs), target)
        return loss, score


def learner_for(
    model: Structure, objective: Objective, data: Data, settings: FitSettings, devices: int | None
) -> Learner:
    """The learner of a backend: whole steps in one that trains, else Values."""
    kind = CompiledLearner if BACKENDS[settings.backend].trains else EagerLearner
    return kind(model, objective, data, settings, devices)
