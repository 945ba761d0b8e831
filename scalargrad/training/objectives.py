"""The table of objectives: a named loss with all that training, prediction and evaluation need to know about it."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy
from numpy import ndarray

from scalargrad.arrays import quiet
from scalargrad.checks import one_of
from scalargrad.engine import Value
from scalargrad.losses import binary_cross_entropy_with_logits, cross_entropy, hinge, huber, mse, pairs
from scalargrad.ops import both, either, equal, less, less_equal, sum, take, where
from scalargrad.support.words import brief
from scalargrad.training.targets import any_numbers, class_numbers, listed_labels, numbers_for_outputs, two_labels


class Objective(NamedTuple):
    """A loss and what is meant by its outputs. `outputs_shape` is () for a model that returns one Value, (k,) for k.

    name            what `fit(loss=...)` calls it
    loss            (outputs, target) -> Value: of one sample
    measure         the name of how good a model is: "accuracy", "r2", or "" for none
    score           (outputs, target) -> number, of one sample, in operations of the table. "accuracy": 1 if the
                    prediction is right, else 0, also where it is nan. "r2": the squared error, summed over outputs
    from_mean       (mean of the scores, targets, weights=None) -> the measure
    targets         (y, outputs_shape, rows=None, name="y") -> the checked targets: labels as int64 [rows], numbers
                    as float64 [rows, *outputs_shape]. A ValueError names what is wrong with `y` and the way out
    predictions     (outputs [n] or [n, k]) -> what `predict` returns: labels as int64 [n], or the numbers themselves
    probabilities   (outputs) -> float64 [n, classes], a column for each class; None: the loss knows none
    classes         (outputs_shape) -> the labels, in the order of these columns; None: it predicts numbers
    """

    name: str
    loss: Callable[[Any, Any], Any]
    measure: str
    score: Callable[[Any, Any], Any] | None
    from_mean: Callable[..., float] | None
    targets: Callable[..., ndarray]
    predictions: Callable[[ndarray], ndarray]
    probabilities: Callable[[ndarray], ndarray] | None
    classes: Callable[[tuple], Sequence[int]] | None


def objective_of(loss: str | Callable) -> Objective:
    """The row of that name; a function (outputs, target) -> Value becomes an objective without a measure.

    >>> objective_of("hinge").measure
    'accuracy'
    >>> objective_of(lambda output, target: (output - target) ** 4).measure
    ''
    """
    if isinstance(loss, str):
        return OBJECTIVES[one_of("loss", loss, OBJECTIVES, ", or pass a function")]
    if not callable(loss):
        raise TypeError(f"loss is a name or a function (outputs, target) -> Value, got {brief(loss)}")
    name = f"{getattr(loss, '__name__', type(loss).__name__)}()"  # no row of the table is called so
    return Objective(name, loss, "", None, None, any_numbers, _as_they_are, None, None)


# How good a model is.


@quiet
def measure_of(objective: Objective, outputs: ndarray, targets: ndarray, weights: ndarray | None = None) -> float:
    """The measure over all rows: the share of right predictions, or R squared.

    outputs   of the model, [n] or [n, k]
    targets   as `objective.targets` checked them

    R squared is 1 - (all squared errors) / (all squared distances of the targets from the mean of their output), which
    is scikit-learn's r2_score; of several outputs its `multioutput="variance_weighted"`, except that errors of an
    output whose targets are constant count, too. It is nan for a single row.
    """
    if objective.from_mean is None:
        raise ValueError(f"the loss {objective.name} has no measure beside itself")
    if objective.measure == "accuracy":
        known = ~numpy.isnan(outputs).reshape(len(targets), -1).any(axis=1)
        scores = known & (objective.predictions(outputs).reshape(targets.shape) == targets)
    else:
        errors = numpy.reshape(outputs, targets.shape) - targets
        scores = (errors**2).reshape(len(targets), -1).sum(axis=1)
    return objective.from_mean(numpy.average(scores, weights=weights), targets, weights)


def confusion(
    targets: Sequence[int] | ndarray, predictions: Sequence[int] | ndarray, classes: Sequence[int]
) -> ndarray:
    """Counts of which label was taken for which: int64 [classes, classes], a row for the true one, a column for the
    predicted one, in the order of `classes`, which rises.

    >>> confusion([0, 1, 1, 2], [0, 1, 2, 2], range(3))
    array([[1, 0, 0],
           [0, 1, 1],
           [0, 0, 1]])
    """
    for labels in (targets, predictions):
        unknown = numpy.setdiff1d(labels, classes).tolist()
        if unknown:
            raise ValueError(f"confusion: {listed_labels(unknown)} is not among the classes {listed_labels(classes)}")
    rows, columns = numpy.searchsorted(classes, targets), numpy.searchsorted(classes, predictions)
    counts = numpy.bincount(rows * len(classes) + columns, minlength=len(classes) ** 2)
    return counts.astype("int64").reshape(len(classes), len(classes))


def refuse_one_class(objective: Objective, targets: ndarray, name: str = "y") -> None:
    """A ValueError if labels to train on are all the same: there is nothing to tell apart."""
    if objective.classes is not None and (targets == targets[0]).all():
        raise ValueError(f"{name} holds one class only, {targets[0]}: training needs samples of at least two")


def _share(mean_score: float, targets: ndarray, weights: ndarray | None = None) -> float:
    """The mean itself. Without weights it is a number of rows out of all: what float32 has lost comes back."""
    return float(mean_score) if weights is not None else round(mean_score * len(targets)) / len(targets)


def _r_squared(mean_score: float, targets: ndarray, weights: ndarray | None = None) -> float:
    """From the mean squared error, summed over outputs. Constant targets as in scikit-learn: 1 if hit, else 0."""
    if len(targets) < 2:
        return float("nan")
    means = numpy.average(targets, axis=0, weights=weights)
    variance = numpy.average((targets - means) ** 2, axis=0, weights=weights).sum()
    # The mean of equal numbers may differ from them by a rounding: so the second question.
    if variance == 0.0 or not numpy.ptp(targets, axis=0).any():
        return 1.0 if mean_score == 0.0 else 0.0
    return float(1.0 - mean_score / variance)


# Scores: traced by the compiler, and so written in operations of the table.


def _largest_is_chosen(logits: Sequence[Value], label: float) -> Value:
    """1 if numpy.argmax would choose the label: the first one of the largest logits."""
    chosen = take(label, logits)
    # Positions before the label must be smaller, the others may be equal.
    beaten = [
        where(less(float(place), label), less(logit, chosen), less_equal(logit, chosen))
        for place, logit in enumerate(logits)
    ]
    return where(equal(sum(beaten), float(len(logits))), 1.0, 0.0)


def _sign_is_right(output: Value, label: float) -> Value:
    """1 if the output is above 0 for the upper label, 1, and not above it for the lower one, -1 or 0."""
    upper = equal(label, 1.0)
    return where(either(both(upper, less(0.0, output)), both(less(label, 1.0), less_equal(output, 0.0))), 1.0, 0.0)


def _squared_error(outputs: Value | Sequence[Value], target: float | Sequence[float]) -> Value:
    errors = [output - number for output, number in pairs("r2", outputs, target)]
    return sum(error * error for error in errors)


# Predictions.


def _as_they_are(outputs: ndarray) -> ndarray:
    """The outputs are the prediction."""
    return outputs


def _position_of_largest(outputs: ndarray) -> ndarray:
    return numpy.argmax(outputs, axis=1).astype("int64")


def _upper_or(lower: int) -> Callable[[ndarray], ndarray]:
    def label(outputs: ndarray) -> ndarray:
        return numpy.where(numpy.asarray(outputs) > 0.0, 1, lower).astype("int64")

    return label


@quiet  # exp(-inf) and exp(-1000) are the 0 that is wanted; inf - inf is nan
def _softmax(outputs: ndarray) -> ndarray:
    outputs = numpy.asarray(outputs, "float64")
    powers = numpy.exp(outputs - outputs.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@quiet  # 1 / inf is the 0 that is wanted
def _sigmoid(outputs: ndarray) -> ndarray:
    """Columns for 0 and 1. Both are computed: 1 - p has no digits left where p is close to 1."""
    logits = numpy.asarray(outputs, "float64")
    logits = numpy.stack([-logits, logits], axis=1)
    powers = numpy.exp(-numpy.abs(logits))  # of the sign that does not overflow: then as small as p may be
    return numpy.where(logits < 0.0, powers, 1.0) / (1.0 + powers)


# The table.

_zero_or_one = two_labels("binary_cross_entropy", 0, -1, "(numpy.asarray({name}) + 1) / 2")
_minus_or_plus_one = two_labels("hinge", -1, 0, "2 * numpy.asarray({name}) - 1")

# fmt: off
OBJECTIVES: dict[str, Objective] = {row[0]: Objective(*row) for row in (
    # name, loss, measure, score, from_mean
    #     targets, predictions, probabilities, classes
    ("mse",                  mse,                              "r2",       _squared_error,     _r_squared,
         numbers_for_outputs,           _as_they_are,                     None,       None),
    ("huber",                huber,                            "r2",       _squared_error,     _r_squared,
         numbers_for_outputs,           _as_they_are,                     None,       None),
    ("cross_entropy",        cross_entropy,                    "accuracy", _largest_is_chosen, _share,
         class_numbers,     _position_of_largest,             _softmax,   lambda shape: range(shape[0])),
    ("binary_cross_entropy", binary_cross_entropy_with_logits, "accuracy", _sign_is_right,     _share,
         _zero_or_one,       _upper_or(0),                     _sigmoid,   lambda shape: (0, 1)),
    ("hinge",                hinge,                            "accuracy", _sign_is_right,     _share,
         _minus_or_plus_one, _upper_or(-1),                    None,       lambda shape: (-1, 1)),
)}
# fmt: on
