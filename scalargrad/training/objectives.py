"""The table of objectives: a named loss with all that training, prediction and evaluation need to know about it."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from scalargrad.arrays import quiet
from scalargrad.checks import one_of
from scalargrad.datasets.arrays import checked_numbers, variable
from scalargrad.losses import binary_cross_entropy_with_logits, cross_entropy, hinge, huber, mse, pairs
from scalargrad.ops import both, either, equal, less, less_equal, sum, take, where

MOST_LABELS = 8  # that an error lists


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
    targets: Callable[..., Any]
    predictions: Callable[[Any], Any]
    probabilities: Callable[[Any], Any] | None
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
        raise TypeError(f"loss is a name or a function (outputs, target) -> Value, got {loss!r}")
    name = f"{getattr(loss, '__name__', type(loss).__name__)}()"  # no row of the table is called so
    return Objective(name, loss, "", None, None, _any_numbers, _as_they_are, None, None)


# How good a model is.


@quiet
def measure_of(objective: Objective, outputs: Any, targets: Any, weights: Any = None) -> float:
    """The measure over all rows: the share of right predictions, or R squared.

    outputs   of the model, [n] or [n, k]
    targets   as `objective.targets` checked them

    R squared is 1 - (all squared errors) / (all squared distances of the targets from the mean of their output), which
    is scikit-learn's r2_score; of several outputs its `multioutput="variance_weighted"`, except that errors of an
    output whose targets are constant count, too. It is nan for a single row.
    """
    import numpy

    if objective.from_mean is None:
        raise ValueError(f"the loss {objective.name} has no measure beside itself")
    if objective.measure == "accuracy":
        known = ~numpy.isnan(outputs).reshape(len(targets), -1).any(axis=1)
        scores = known & (objective.predictions(outputs).reshape(targets.shape) == targets)
    else:
        errors = numpy.reshape(outputs, targets.shape) - targets
        scores = (errors**2).reshape(len(targets), -1).sum(axis=1)
    return objective.from_mean(numpy.average(scores, weights=weights), targets, weights)


def confusion(targets: Any, predictions: Any, classes: Sequence[int]) -> Any:
    """How often each label was taken for each: int64 [classes, classes], a row for the true one, a column for the
    predicted one, in the order of `classes`, which rises.

    >>> confusion([0, 1, 1, 2], [0, 1, 2, 2], range(3))
    array([[1, 0, 0],
           [0, 1, 1],
           [0, 0, 1]])
    """
    import numpy

    for labels in (targets, predictions):
        unknown = numpy.setdiff1d(labels, classes).tolist()
        if unknown:
            raise ValueError(f"confusion: {_listed(unknown)} is not among the classes {_listed(classes)}")
    rows, columns = numpy.searchsorted(classes, targets), numpy.searchsorted(classes, predictions)
    counts = numpy.bincount(rows * len(classes) + columns, minlength=len(classes) ** 2)
    return counts.astype("int64").reshape(len(classes), len(classes))


def refuse_one_class(objective: Objective, targets: Any, name: str = "y") -> None:
    """A ValueError if labels to train on are all the same: there is nothing to tell apart."""
    if objective.classes is not None and (targets == targets[0]).all():
        raise ValueError(f"{name} holds one class only, {targets[0]}: training needs samples of at least two")


def _share(mean_score: float, targets: Any, weights: Any = None) -> float:
    """The mean itself. Without weights it is a number of rows out of all: what float32 has lost comes back."""
    return float(mean_score) if weights is not None else round(mean_score * len(targets)) / len(targets)


def _r_squared(mean_score: float, targets: Any, weights: Any = None) -> float:
    """From the mean squared error, summed over outputs. Constant targets as in scikit-learn: 1 if hit, else 0."""
    import numpy

    if len(targets) < 2:
        return float("nan")
    means = numpy.average(targets, axis=0, weights=weights)
    variance = numpy.average((targets - means) ** 2, axis=0, weights=weights).sum()
    # The mean of equal numbers may differ from them by a rounding: so the second question.
    if variance == 0.0 or not numpy.ptp(targets, axis=0).any():
        return 1.0 if mean_score == 0.0 else 0.0
    return float(1.0 - mean_score / variance)


# Scores: traced by the compiler, and so written in operations of the table.


def _largest_is_chosen(logits: Any, label: Any) -> Any:
    """1 if numpy.argmax would choose the label: the first one of the largest logits."""
    chosen = take(label, logits)
    # Positions before the label must be smaller, the others may be equal.
    beaten = [
        where(less(float(place), label), less(logit, chosen), less_equal(logit, chosen))
        for place, logit in enumerate(logits)
    ]
    return where(equal(sum(beaten), float(len(logits))), 1.0, 0.0)


def _sign_is_right(output: Any, label: Any) -> Any:
    """1 if the output is above 0 for the upper label, 1, and not above it for the lower one, -1 or 0."""
    upper = equal(label, 1.0)
    return where(either(both(upper, less(0.0, output)), both(less(label, 1.0), less_equal(output, 0.0))), 1.0, 0.0)


def _squared_error(outputs: Any, target: Any) -> Any:
    errors = [output - number for output, number in pairs("r2", outputs, target)]
    return sum(error * error for error in errors)


# Predictions.


def _as_they_are(outputs: Any) -> Any:
    """The outputs are the prediction."""
    return outputs


def _position_of_largest(outputs: Any) -> Any:
    import numpy

    return numpy.argmax(outputs, axis=1).astype("int64")


def _upper_or(lower: int) -> Callable[[Any], Any]:
    def label(outputs: Any) -> Any:
        import numpy

        return numpy.where(numpy.asarray(outputs) > 0.0, 1, lower).astype("int64")

    return label


@quiet  # exp(-inf) and exp(-1000) are the 0 that is wanted; inf - inf is nan
def _softmax(outputs: Any) -> Any:
    import numpy

    outputs = numpy.asarray(outputs, "float64")
    powers = numpy.exp(outputs - outputs.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@quiet  # 1 / inf is the 0 that is wanted
def _sigmoid(outputs: Any) -> Any:
    """Columns for 0 and 1. Both are computed: 1 - p has no digits left where p is close to 1."""
    import numpy

    logits = numpy.asarray(outputs, "float64")
    logits = numpy.stack([-logits, logits], axis=1)
    powers = numpy.exp(-numpy.abs(logits))  # of the sign that does not overflow: then as small as p may be
    return numpy.where(logits < 0.0, powers, 1.0) / (1.0 + powers)


# Targets.


def _any_numbers(y: Any, outputs_shape: tuple, rows: int | None = None, name: str = "y") -> Any:
    """Targets of a function that only the user knows: finite numbers, as many rows as there are samples."""
    return checked_numbers(y, rows, name)


def _numbers(y: Any, outputs_shape: tuple, rows: int | None = None, name: str = "y") -> Any:
    """A target for each output, float64 [rows, *outputs_shape]."""
    array = checked_numbers(y, rows, name)
    wanted, given = (len(array), *outputs_shape), array.shape[1:]
    one_each = array.size == len(array) and outputs_shape in ((), (1,))
    if array.shape != wanted and not one_each:
        remedy = "each output needs a target"
        if len(given) == 1:
            remedy = f"give its last layer {given[0]} neurons"
        elif not given:
            remedy += ', or, for labels of classes, use loss="cross_entropy"'
        raise ValueError(
            f"{name} holds {_each(given)} for each sample and the model returns {_each(outputs_shape)}: {remedy}"
        )
    return array.reshape(wanted)


def _class_numbers(y: Any, outputs_shape: tuple, rows: int | None = None, name: str = "y") -> Any:
    """Labels 0 to k - 1 for k outputs, int64 [rows]."""
    if len(outputs_shape) != 1 or outputs_shape[0] < 2:
        raise ValueError(
            f"cross_entropy needs an output for each class, and the model returns {_each(outputs_shape)}: give its "
            'last layer a neuron for each, or use loss="binary_cross_entropy" for two classes and one output'
        )
    count = outputs_shape[0]
    labels = _labels(y, rows, name, f"0, 1, ... {count - 1}")
    seen = _distinct(labels)
    if seen[0] < 0 or seen[-1] >= count:
        remedy = (
            f"number them with numpy.unique({variable(name)}, return_inverse=True)[1]"
            if len(seen) <= count
            else f"give its last layer {len(seen)} neurons, one for each class"
        )
        raise ValueError(
            f"{name} holds the labels {_listed(seen)}, and a model of {count} outputs knows 0 to {count - 1}: {remedy}"
        )
    return labels


def _two_labels(loss: str, lower: int, other: int, converted: str) -> Callable[..., Any]:
    """The check of labels `lower` and 1, for one output. `converted`: the formula for labels `other` and 1."""

    def targets(y: Any, outputs_shape: tuple, rows: int | None = None, name: str = "y") -> Any:
        if outputs_shape:
            raise ValueError(
                f"{loss} needs a model that returns one number, and this one returns {_each(outputs_shape)}: "
                'give its last layer one neuron, or use loss="cross_entropy", which takes an output for each class'
            )
        labels = _labels(y, rows, name, f"{lower} and 1")
        seen = _distinct(labels)
        if set(seen) <= {lower, 1}:
            return labels
        if set(seen) <= {other, 1}:
            remedy = f"pass {converted.format(name=variable(name))}"
        elif len(seen) <= 2:
            remedy = f"pass numpy.where(numpy.asarray({variable(name)}) == {seen[-1]}, 1, {lower})"
        else:
            remedy = f'use loss="cross_entropy" with a model of {len(seen)} outputs'
        raise ValueError(f"{name} holds the labels {_listed(seen)}, and {loss} takes {lower} and 1: {remedy}")

    return targets


def _labels(y: Any, rows: int | None, name: str, wanted: str) -> Any:
    """One whole number a row, int64 [rows]."""
    import numpy

    array = checked_numbers(y, rows, name, NUMBER_THE_CLASSES.format(name=variable(name)))
    if array.ndim > 1:
        raise ValueError(_why_not_one_label(array, name))
    broken = (array != numpy.rint(array)) | (numpy.abs(array) > 2.0**53)
    if broken.any():
        row = int(broken.argmax())
        raise ValueError(f"{name}[{row}] is {array[row]}: labels are the whole numbers {wanted}")
    return array.astype("int64")


NUMBER_THE_CLASSES = (
    "number the classes 0, 1, ... (numpy.unique({name}, return_inverse=True)[1]), "
    "or use scalargrad.sklearn.MLPClassifier, which maps them"
)


def _why_not_one_label(array: Any, name: str) -> str:
    if array.size == len(array):
        return f"{name} has the shape {array.shape}: one label for each sample, numpy.ravel({variable(name)})"
    one_hot = array.ndim == 2 and ((array == 0) | (array == 1)).all() and (array.sum(axis=1) == 1).all()
    what = "is one-hot" if one_hot else "holds several numbers for each sample"
    return (
        f"{name} {what}, of the shape {array.shape}, and labels are needed: pass numpy.argmax({variable(name)}, axis=1)"
    )


def _distinct(labels: Any) -> list[int]:
    import numpy

    return numpy.unique(labels).tolist()


def _listed(labels: Sequence[int]) -> str:
    """1, 2, 3 or, if there are many, 1, 2, 3, ... 99."""
    shown = [str(label) for label in labels]
    return ", ".join(shown if len(shown) <= MOST_LABELS else [*shown[: MOST_LABELS - 2], f"... {shown[-1]}"])


def _each(shape: tuple) -> str:
    if shape in ((), (1,)):
        return "a list of one number" if shape else "one number"
    return f"{shape[0]} numbers" if len(shape) == 1 else f"numbers of the shape {shape}"


# The table.

_zero_or_one = _two_labels("binary_cross_entropy", 0, -1, "(numpy.asarray({name}) + 1) / 2")
_minus_or_plus_one = _two_labels("hinge", -1, 0, "2 * numpy.asarray({name}) - 1")

# fmt: off
OBJECTIVES: dict[str, Objective] = {row[0]: Objective(*row) for row in (
    # name, loss, measure, score, from_mean
    #     targets, predictions, probabilities, classes
    ("mse",                  mse,                              "r2",       _squared_error,     _r_squared,
         _numbers,           _as_they_are,                     None,       None),
    ("huber",                huber,                            "r2",       _squared_error,     _r_squared,
         _numbers,           _as_they_are,                     None,       None),
    ("cross_entropy",        cross_entropy,                    "accuracy", _largest_is_chosen, _share,
         _class_numbers,     _position_of_largest,             _softmax,   lambda shape: range(shape[0])),
    ("binary_cross_entropy", binary_cross_entropy_with_logits, "accuracy", _sign_is_right,     _share,
         _zero_or_one,       _upper_or(0),                     _sigmoid,   lambda shape: (0, 1)),
    ("hinge",                hinge,                            "accuracy", _sign_is_right,     _share,
         _minus_or_plus_one, _upper_or(-1),                    None,       lambda shape: (-1, 1)),
)}
# fmt: on
