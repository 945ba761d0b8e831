"""Prediction: outputs, labels and probabilities of a trained model, and how often it is right."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy
from numpy import ndarray

from scalargrad.arrays import name_of, quiet
from scalargrad.compiler.backends import BACKENDS
from scalargrad.compiler.programs import MOST_SHAPES
from scalargrad.datasets.nested import numbers_in, shape_of
from scalargrad.datasets.sequences import Column, Group, Ragged, checked_samples, grouped, joined, too_many
from scalargrad.engine import Value
from scalargrad.observers import no_grad, observed_by
from scalargrad.structure import Structure, in_mode
from scalargrad.support.callers import warn
from scalargrad.support.progress import progress_bar
from scalargrad.training.data import checked_targets
from scalargrad.training.objectives import OBJECTIVES, Objective, confusion, measure_of, objective_of
from scalargrad.training.programs import (
    Sample,
    Target,
    Updates,
    in_batch_of,
    lock_of,
    loss_program,
    one_value,
    outputs_program,
    rows_as_tuples,
    shapes_of_outputs,
)

ROWS_AT_ONCE = 2048


class Evaluation(NamedTuple):
    """Measures of a model on some samples.

    loss               the mean over the samples
    accuracy, r2       the share of right labels, or R squared: what fits the loss; the other is None
    confusion          int64 [classes, classes]: how often a sample of the row's class was taken for the column's
    classes            of these rows and columns
    """

    loss: float
    accuracy: float | None = None
    r2: float | None = None
    confusion: ndarray | None = None
    classes: Sequence[int] = ()

    def _measures(self) -> dict[str, str]:
        found = {"loss": self.loss, "accuracy": self.accuracy, "r2": self.r2}
        return {name: f"{number:.4g}" for name, number in found.items() if number is not None}

    def _repr_html_(self) -> str:
        """Tables for a notebook."""
        from scalargrad.drawing.tables import table, titled

        parts = [table([], list(self._measures().items()))]
        if self.confusion is not None:
            headings = ["true \\ predicted", *map(str, self.classes)]
            rows = zip(self.classes, self.confusion.tolist(), strict=True)
            parts.append(table(headings, [(str(label), *(f"{n:,}" for n in row)) for label, row in rows]))
        return titled("Evaluation", *parts)

    def __repr__(self) -> str:
        first = ", ".join(f"{name} {number}" for name, number in self._measures().items())
        if self.confusion is None:
            return f"Evaluation({first})"
        wide = max(len(str(n)) for n in [*self.classes, *self.confusion.ravel().tolist()]) + 1
        rows = [self.classes, *self.confusion.tolist()]
        lines = ["".join(f"{n:>{wide}}" for n in row) for row in rows]
        names = ["true \\ predicted", *(f"{label:>16}" for label in self.classes)]
        return "\n".join([f"Evaluation({first})", *map("".join, zip(names, lines, strict=True))])


def predict(model: Structure, X: object, backend: str = "native") -> Any:
    """See `Module.predict`."""
    outputs, objective = outputs_of(model, checked_samples(X), backend), OBJECTIVES.get(model.fitted_loss)
    return outputs if objective is None else _of_each(objective.predictions, outputs)


def predict_proba(model: Structure, X: object, backend: str = "native") -> Any:
    """See `Module.predict_proba`."""
    objective = OBJECTIVES.get(model.fitted_loss)
    if objective is None or objective.probabilities is None:
        known = " or ".join(name for name, row in OBJECTIVES.items() if row.probabilities)
        trained = f"was trained with {model.fitted_loss}" if model.fitted_loss else "was not trained by fit"
        raise ValueError(f"this model {trained}, whose outputs are no probabilities: fit it with {known}")
    return _of_each(objective.probabilities, outputs_of(model, checked_samples(X), backend))


def evaluate(
    model: Structure, X: object, y: object, loss: str | Callable | None = None, backend: str = "native"
) -> Evaluation:
    """See `Module.evaluate`."""
    if loss is None and not model.fitted_loss:
        raise ValueError('this model was not trained by fit: evaluate(X, y, loss="cross_entropy"), say')
    if loss is None and model.fitted_loss not in OBJECTIVES:
        raise ValueError(f"this model was trained with a function, {model.fitted_loss}: pass it to evaluate as loss=")
    objective = objective_of(model.fitted_loss if loss is None else loss)
    inputs = checked_samples(X)
    shapes = shapes_of_outputs(model, inputs)
    targets = checked_targets(objective, y, inputs, shapes)
    mean_loss, outputs = measured(model, objective, inputs, targets, backend)
    if not objective.measure or isinstance(targets, Ragged):
        return Evaluation(mean_loss)
    measure = measure_of(objective, outputs, targets)
    if objective.classes is None:
        return Evaluation(mean_loss, r2=measure)
    classes = objective.classes(next(iter(shapes.values())))
    matrix = confusion(targets, objective.predictions(outputs), classes)
    return Evaluation(mean_loss, accuracy=measure, confusion=matrix, classes=classes)


def outputs_of(model: Structure, inputs: Column, backend: str = "native") -> Any:
    """Outputs of the model for each row, in evaluation: [rows] for one Value, [rows, k] for k.

    A list of arrays, if they differ in shape.
    """
    with lock_of(model), in_mode(model, training=False):
        groups = _groups(backend, inputs)
        return joined(groups, [_outputs_of_one_shape(model, group.arrays[0], backend) for group in groups])


def _outputs_of_one_shape(model: Structure, inputs: ndarray, backend: str) -> ndarray:
    if backend == "eager":
        return _as_array(_one_by_one(model, inputs))
    return _in_parts(outputs_program(model, Target(name_of(inputs.dtype), backend)), inputs)[:, 0]


def measured(
    model: Structure,
    objective: Objective,
    inputs: Column,
    targets: Column,
    backend: str = "native",
    progress: bool = False,
) -> tuple[float, Any]:
    """The mean loss in evaluation, and the outputs; `progress` shows how many of several lengths are compiled."""

    def outputs_and_loss(x: Sample, y: Sample) -> tuple[Sample, Value]:
        outputs = model(x)
        return outputs, one_value(objective.loss(outputs, y))

    def of_one_shape(inputs: ndarray, targets: ndarray) -> tuple[ndarray, ndarray]:
        if backend == "eager":
            found, losses = zip(*_one_by_one(outputs_and_loss, inputs, targets), strict=True)
            return _as_array(found), _as_array(losses)
        outputs = _outputs_of_one_shape(model, inputs, backend)
        return outputs, _in_parts(
            loss_program(model, objective, Target(name_of(inputs.dtype), backend)), outputs, targets
        )

    with lock_of(model), in_mode(model, training=False):
        groups, found = _groups(backend, inputs, targets), []
        shown = progress and len(groups) > 1
        with progress_bar(len(groups), " lengths compiled for validation", shown, delay=1.0) as show:
            for done, group in enumerate(groups, 1):
                found.append(of_one_shape(*group.arrays))
                show(done, {})
    outputs, losses = zip(*found, strict=True)
    return _mean(joined(groups, losses)), joined(groups, outputs)


def _groups(backend: str, *columns: Column) -> list[Group]:
    """Rows of one shape each. A warning, where they are more than there are programs kept for."""
    groups = grouped(columns)
    if len(groups) > MOST_SHAPES and BACKENDS[backend].trains:
        warn(too_many(len(groups), MOST_SHAPES))
    return groups


def _of_each(function: Callable, outputs: ndarray | list[ndarray]) -> Any:
    """A function of outputs [rows, ...], also where these are a list."""
    if isinstance(outputs, ndarray):
        return function(outputs)
    return [function(output[None])[0] for output in outputs]


@quiet
def _mean(losses: ndarray) -> float:
    return float(losses.mean(dtype="float64"))


def _one_by_one(function: Callable, *arrays: ndarray) -> list:
    """Results of the function, row by row."""
    with no_grad(), observed_by(Updates()), in_batch_of(len(arrays[0])):
        return [function(*row) for row in zip(*(map(rows_as_tuples, array) for array in arrays), strict=True)]


def _as_array(outputs: Sequence[Any]) -> ndarray:
    """[rows, ...] from what a model returned for each row."""
    try:
        shape = shape_of(outputs[0])
    except ValueError as error:
        raise ValueError(f"what the model returns is ragged: {error}") from None
    numbers = numpy.array([[float(number) for number in numbers_in(one)] for one in outputs])
    return numbers.reshape(len(outputs), *shape)


def _in_parts(program: Callable, *arrays: ndarray) -> ndarray:
    """Its results for all rows, some rows at a time: where NumPy runs it, it holds every scalar of every row."""
    starts = range(0, len(arrays[0]), ROWS_AT_ONCE)
    parts = [program(*[array[start : start + ROWS_AT_ONCE] for array in arrays]) for start in starts]
    return numpy.concatenate(parts) if len(parts) > 1 else parts[0]
