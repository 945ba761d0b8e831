"""Learners: an epoch of training, by compiled code or by Values one sample after another. Both take the same steps."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import nullcontext
from typing import NamedTuple

import numpy
from numpy import ndarray

from scalargrad import randomness
from scalargrad.arrays import shuffled
from scalargrad.compiler.backends import BACKENDS
from scalargrad.compiler.own_steps import take_step
from scalargrad.compiler.trainer import Measures, Watch
from scalargrad.datasets.nested import on_each_number
from scalargrad.engine import Value
from scalargrad.holders import flat
from scalargrad.losses import l2 as sum_of_squares
from scalargrad.observers import observed_by
from scalargrad.ops import dot, mean, sum
from scalargrad.schedules import schedule_of
from scalargrad.structure import Buffer, Structure
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
        self.steps = settings.epochs * -(-self.rows // (settings.batch_size or self.rows))  # of the schedule
        # From the optimizer's steps so far, not from 0: a later fit with it shuffles otherwise than this one.
        self.first = Counters(*[settings.optimizer.steps] * 3)

    @property
    @abstractmethod
    def counters(self) -> Counters: ...

    @abstractmethod
    def prepare(self) -> None:
        """Do now what an epoch needs before its first step: trace, compile."""

    @abstractmethod
    def go_on_from(self, counters: Counters) -> None: ...

    @abstractmethod
    def epoch(self, watch: Watch) -> Measures:
        """Train on all rows; `watch` is told now and then how far that is, and the measures over these rows."""

    def inputs_of(self, epoch: int) -> ndarray:
        """Inputs that the model sees in that epoch, counted over all fits."""
        inputs, augment = self.data.inputs, self.settings.augment
        if augment is None:
            return inputs
        changed = numpy.ascontiguousarray(augment(inputs, self.settings.rng, epoch), inputs.dtype)
        if changed.shape != inputs.shape:
            raise ValueError(f"augment returned the shape {changed.shape} for inputs of {inputs.shape}")
        return changed

    def measures(self, loss: float, score: float) -> Measures:
        """By name, from the means over an epoch's rows."""
        if self.objective.from_mean is None:
            return {"loss": loss}
        return {"loss": loss, self.objective.measure: self.objective.from_mean(score, self.data.targets)}


class CompiledLearner(Learner):
    """The trainer of a compiled program, in the type of the inputs."""

    def prepare(self) -> None:
        data, settings, objective = self.data, self.settings, self.objective
        weighted = data.weights is not None
        target = Target(str(data.inputs.dtype), settings.backend, self.devices)
        self.program, score = training_program(self.model, objective, settings.l2, weighted, target)
        # In the type of the program: what does not change stays on a device from epoch to epoch.
        others = [data.targets, *([data.weights] if weighted else [])]
        self.others = [numpy.ascontiguousarray(array, target.dtype) for array in others]
        measures = {"score": score} if objective.score else {}
        self.trainer = self.program.trainer(
            settings.optimizer, settings.batch_size, settings.rng, self.schedule, measures
        )
        self.moving: Sequence[Value] = []
        self._look_for_parameters()
        self.trainer.prepare(data.inputs, *self.others)
        self.go_on_from(self.first)

    def go_on_from(self, counters: Counters) -> None:
        self.start = counters.start
        self.trainer.epochs, self.program.steps.data = counters.epochs, float(counters.steps)
        self.trainer.span = counters.start, self.steps

    def epoch(self, watch: Watch) -> Measures:
        self._look_for_parameters()
        measures = self.measures

        def watched(rows: int, found: Measures) -> None:
            watch(rows, measures(found["loss"], found.get("score", 0.0)))

        found = self.trainer.epoch(self.inputs_of(self.trainer.epochs), *self.others, watch=watched)
        return measures(found["loss"], found.get("score", 0.0))

    def _look_for_parameters(self) -> None:
        """Look at what the model has now: a callback may have frozen or replaced some."""
        parameters = self.model.parameters()
        if parameters != self.moving or self.trainer.moving is None:
            self.moving = parameters
            self.trainer.moving = parameters

    @property
    def counters(self) -> Counters:
        return Counters(self.trainer.epochs, int(self.program.steps.data), self.start)


class EagerLearner(Learner):
    """Values that record each sample anew: slow, open to every debugger, and the oracle of the other."""

    def prepare(self) -> None:
        self.so_far = self.first
        values = [value for _, array in self.model.named_arrays() for value in flat(array)]
        self.has_buffers = any(isinstance(value, Buffer) for value in values)

    @property
    def counters(self) -> Counters:
        return self.so_far

    def go_on_from(self, counters: Counters) -> None:
        self.so_far = counters

    def epoch(self, watch: Watch) -> Measures:
        rows = self.rows
        batch = min(self.settings.batch_size or rows, rows)
        order = range(rows) if batch == rows else shuffled(rows, self.settings.rng, self.so_far.epochs).tolist()
        inputs = self.inputs_of(self.so_far.epochs)
        losses = scores = 0.0
        for begin in range(0, rows, batch):
            chosen = order[begin : begin + batch]
            loss, score = self._step(inputs, chosen)
            losses, scores, done = losses + loss * len(chosen), scores + score, begin + len(chosen)
            watch(done, self.measures(losses / done, scores / done))
        self.so_far = self.so_far._replace(epochs=self.so_far.epochs + 1)
        return self.measures(losses / rows, scores / rows)

    def _step(self, inputs: ndarray, rows: Sequence[int]) -> tuple[float, float]:
        """One step on these rows. Returns the loss, and the sum of their scores."""
        settings, parameters, updates = self.settings, self.model.parameters(), Updates()
        with in_batch_of(len(rows)), observed_by(updates) if self.has_buffers else nullcontext():
            found = [self._sample(inputs, row) for row in rows]
        if self.data.weights is None:
            loss = mean([loss for loss, _ in found])
        else:
            weights = self.data.weights[rows].tolist()
            loss = dot(weights, [loss for loss, _ in found]) / sum(weights)
        if settings.l2:
            loss = loss + settings.l2 * sum_of_squares(parameters)
        self.model.zero_grad()
        loss.backward()
        take_step(settings.optimizer, self.schedule, (self.so_far.start, self.steps), parameters, updates.numbers)
        self.so_far = self.so_far._replace(steps=self.so_far.steps + 1)
        return loss.data, sum([score for _, score in found])

    def _sample(self, inputs: ndarray, row: int) -> tuple[Value, float]:
        """The loss of a row, and its score."""
        target, objective = rows_as_tuples(self.data.targets[row]), self.objective
        outer = randomness.row.set(float(row)), randomness.step.set(float(self.so_far.steps))
        try:
            outputs = self.model(rows_as_tuples(inputs[row]))
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
