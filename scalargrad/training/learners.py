"""What does an epoch of training: compiled code, or Values one sample after another. Both take the same steps."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

from scalargrad import randomness
from scalargrad.arrays import shuffled
from scalargrad.compiler.own_steps import take_step
from scalargrad.compiler.trainer import Measures, Watch
from scalargrad.datasets.nested import is_nested
from scalargrad.engine import Value, topological_order
from scalargrad.losses import l2 as sum_of_squares
from scalargrad.observers import observed_by
from scalargrad.ops import dot, mean, sum
from scalargrad.optim import Optimizer
from scalargrad.schedules import Schedule
from scalargrad.structure import Buffer, Structure
from scalargrad.training.objectives import Objective
from scalargrad.training.programs import Target, Updates, flat, in_batch_of, one_value, rows_as_tuples, training_program


class Task(NamedTuple):
    """What a learner is to do.

    inputs      [rows, ...], and what belongs to each row: targets [rows, ...], and weights [rows] or None; they are not
                to be written to
    batch_size  rows of a step; None: all
    seed        of the order of rows in each epoch
    augment     (inputs, seed, epoch) -> the inputs of an epoch, or None
    engine      of LEARNERS
    devices     how many of JAX's devices share the rows of a step
    """

    model: Structure
    objective: Objective
    optimizer: Optimizer
    schedule: Schedule | None
    inputs: Any
    targets: Any
    weights: Any
    batch_size: int | None
    l2: float
    seed: int
    augment: Callable[[Any, int, int], Any] | None = None
    engine: str = "compiled"
    devices: int | None = None

    def inputs_of(self, epoch: int) -> Any:
        """What the model sees in that epoch, counted over all fits."""
        if self.augment is None:
            return self.inputs
        import numpy

        changed = numpy.ascontiguousarray(self.augment(self.inputs, self.seed, epoch), self.inputs.dtype)
        if changed.shape != self.inputs.shape:
            raise ValueError(f"augment returned the shape {changed.shape} for inputs of {self.inputs.shape}")
        return changed

    @property
    def rows(self) -> int:
        return len(self.inputs)

    @property
    def steps_of_an_epoch(self) -> int:
        return -(-self.rows // (self.batch_size or self.rows))

    def measures(self, loss: float, score: float) -> Measures:
        """By name, from the means over an epoch's rows."""
        if self.objective.from_mean is None:
            return {"loss": loss}
        return {"loss": loss, self.objective.measure: self.objective.from_mean(score, self.targets)}


class Counters(NamedTuple):
    """How far a learner is; what it does next depends on nothing else but parameters and optimizer.

    epochs   shuffles so far
    steps    so far, as random() counts them
    start    the steps of the optimizer before the schedule began
    """

    epochs: int
    steps: int
    start: int


class CompiledLearner:
    """The trainer of a compiled program, in the type of the inputs."""

    def __init__(self, task: Task, counters: Counters, epochs: int) -> None:
        import numpy

        self.task = task
        weighted = task.weights is not None
        target = Target(str(task.inputs.dtype), task.engine, task.devices)
        self.program, score = training_program(task.model, task.objective, task.l2, weighted, target)
        # In the type of the program: what does not change stays on a device from epoch to epoch.
        others = [task.targets, *([task.weights] if weighted else [])]
        self.others = [numpy.ascontiguousarray(array, target.dtype) for array in others]
        self.trainer = self.program.trainer(
            task.optimizer,
            task.batch_size,
            task.seed,
            task.schedule,
            {"score": score} if task.objective.score else {},
        )
        self.moving: Sequence[Value] = []
        self._look_for_parameters()
        self.steps = epochs * task.steps_of_an_epoch  # of the schedule
        self.trainer.prepare(task.inputs, *self.others)
        self.go_on_from(counters)

    def go_on_from(self, counters: Counters) -> None:
        self.start = counters.start
        self.trainer.epochs, self.program.steps.data = counters.epochs, float(counters.steps)
        self.trainer.span = counters.start, self.steps

    def epoch(self, watch: Watch) -> Measures:
        self._look_for_parameters()
        measures = self.task.measures

        def watched(rows: int, found: Measures) -> None:
            watch(rows, measures(found["loss"], found.get("score", 0.0)))

        found = self.trainer.epoch(self.task.inputs_of(self.trainer.epochs), *self.others, watch=watched)
        return measures(found["loss"], found.get("score", 0.0))

    def _look_for_parameters(self) -> None:
        """What the model has now: a callback may have frozen or replaced some."""
        parameters = self.task.model.parameters()
        if parameters != self.moving or self.trainer.moving is None:
            self.moving = self.trainer.moving = parameters

    @property
    def counters(self) -> Counters:
        return Counters(self.trainer.epochs, int(self.program.steps.data), self.start)


class EagerLearner:
    """Values that record each sample anew: slow, open to every debugger, and the oracle of the other."""

    def __init__(self, task: Task, counters: Counters, epochs: int) -> None:
        self.task, self.counters = task, counters
        self.steps = epochs * task.steps_of_an_epoch  # of the schedule
        values = [value for _, array in task.model.named_arrays() for value in flat(array)]
        self.has_buffers = any(isinstance(value, Buffer) for value in values)

    def go_on_from(self, counters: Counters) -> None:
        self.counters = counters

    def epoch(self, watch: Watch) -> Measures:
        task, rows = self.task, self.task.rows
        batch = min(task.batch_size or rows, rows)
        order = range(rows) if batch == rows else shuffled(rows, task.seed, self.counters.epochs).tolist()
        inputs = task.inputs_of(self.counters.epochs)
        losses = scores = 0.0
        for begin in range(0, rows, batch):
            chosen = order[begin : begin + batch]
            loss, score = self._step(inputs, chosen)
            losses, scores, done = losses + loss * len(chosen), scores + score, begin + len(chosen)
            watch(done, task.measures(losses / done, scores / done))
        self.counters = self.counters._replace(epochs=self.counters.epochs + 1)
        return task.measures(losses / rows, scores / rows)

    def _step(self, inputs: Any, rows: Sequence[int]) -> tuple[float, float]:
        """One step on these rows. Returns the loss, and the sum of their scores."""
        task, parameters, updates = self.task, self.task.model.parameters(), Updates()
        with in_batch_of(len(rows)), observed_by(updates) if self.has_buffers else nullcontext():
            found = [self._sample(inputs, row) for row in rows]
        if task.weights is None:
            loss = mean([loss for loss, _ in found])
        else:
            weights = task.weights[rows].tolist()
            loss = dot(weights, [loss for loss, _ in found]) / sum(weights)
        if task.l2:
            loss = loss + task.l2 * sum_of_squares(parameters)
        task.model.zero_grad()
        loss.backward()
        reached = set(topological_order(loss))
        # Others have no gradient, and stay as they are.
        moving = [parameter for parameter in parameters if parameter in reached]
        take_step(task.optimizer, task.schedule, (self.counters.start, self.steps), moving, updates.numbers)
        self.counters = self.counters._replace(steps=self.counters.steps + 1)
        return loss.data, sum([score for _, score in found])

    def _sample(self, inputs: Any, row: int) -> tuple[Value, float]:
        """The loss of a row, and its score."""
        task, target = self.task, rows_as_tuples(self.task.targets[row])
        outer = randomness.row.set(float(row)), randomness.step.set(float(self.counters.steps))
        try:
            outputs = task.model(rows_as_tuples(inputs[row]))
        finally:
            randomness.row.reset(outer[0])
            randomness.step.reset(outer[1])
        loss = one_value(task.objective.loss(outputs, target))
        score = 0.0 if task.objective.score is None else task.objective.score(_numbers(outputs), target)
        return loss, score


LEARNERS: dict[str, Any] = {"compiled": CompiledLearner, "jax": CompiledLearner, "eager": EagerLearner}


def _numbers(outputs: Any) -> Any:
    """The same without Values."""
    return tuple(map(_numbers, outputs)) if is_nested(outputs) else float(outputs)
