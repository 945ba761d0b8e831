"""Losses, one formula each: the mean over predictions, so that the learning rate does not depend on how many there are.

Predictions and targets are single numbers, or (nested) lists of equal length.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from scalargrad.checks import listed
from scalargrad.operands import Operand, brief, is_recorded, operand
from scalargrad.ops import abs, dot, less_equal, mean, relu, softplus, step, surprisal, where

Nested = Any  # a number, a Value or a term, or (nested) lists of these


def mse(predictions: Nested, targets: Nested) -> Operand:
    """Mean squared error.

    >>> mse([1.0, 2.0], [0.0, 4.0])
    2.5
    """
    errors = tuple(prediction - target for prediction, target in pairs("mse", predictions, targets))
    return dot(errors, errors) / len(errors)


def huber(predictions: Nested, targets: Nested, delta: float = 1.0) -> Operand:
    """Half the squared error up to `delta`, then linear: outliers pull with a bounded force (Huber 1964)."""
    delta = operand(delta, "huber's delta")
    if type(delta) is float and not delta > 0.0:
        raise ValueError(f"huber's delta is a number above 0, got {delta:g}")

    def one(prediction: Operand, target: Operand) -> Operand:
        error = abs(prediction - target)
        return where(less_equal(error, delta), 0.5 * error * error, delta * (error - 0.5 * delta))

    return _mean_of("huber", one, predictions, targets)


def hinge(scores: Nested, labels: Nested) -> Operand:
    """Max-margin loss, labels -1 and 1: mean of relu(1 - label * score).

    >>> hinge([2.0, 0.5], [1, 1])
    0.25
    """
    return _mean_of("hinge", lambda score, label: relu(1.0 - label * score), scores, labels)


def binary_cross_entropy_with_logits(logits: Nested, labels: Nested) -> Operand:
    """-log of the probability given to the labels (0, 1, or between), where sigmoid(logit) is that of a 1.

    That is softplus(logit) - label * logit = softplus(-logit) + (1 - label) * logit. The first has all digits where the
    logit is negative, the second where it is positive, so it is written as the one or the other.
    """

    def one(logit: Operand, label: Operand) -> Operand:
        guess = step(logit)  # 0 or 1
        return softplus((1.0 - 2.0 * guess) * logit) + (guess - label) * logit

    return _mean_of("binary_cross_entropy_with_logits", one, logits, labels)


def cross_entropy(logits: Nested, labels: Nested) -> Operand:
    """-log softmax(logits)[label]: for one sample a list of logits and its label, or lists of both.

    Labels are positions, 0 to classes - 1.

    >>> round(cross_entropy([2.0, 0.0], 0), 4)
    0.1269
    """
    if not _is_list(labels):
        logits, labels = [logits], [labels]
    labels = listed(labels, "cross_entropy", "a label for each list of logits")
    rows = [
        _operands("cross_entropy", row, "a list of logits for each label") for row in listed(logits, "cross_entropy")
    ]
    _check_lengths("cross_entropy", rows, labels)
    return mean([surprisal(_position(label, len(row)), row) for row, label in zip(rows, labels, strict=True)])


def l2(parameters: Iterable[Any]) -> Operand:
    """The sum of squares, to be scaled and added to a loss: `loss + 1e-4 * l2(model.parameters())`."""
    parameters = _operands("l2", parameters, "a list of Values")
    return dot(parameters, parameters)


def pairs(name: str, predictions: Nested, targets: Nested) -> Iterator[tuple[Any, Any]]:
    """(prediction, target), with nested lists opened; a ValueError where the two do not fit each other."""
    if not _is_list(predictions) and not _is_list(targets):
        yield operand(predictions, name), operand(targets, name)  # bytes would be subtracted modulo 256
        return
    if not (_is_list(predictions) and _is_list(targets)):
        shown = f"predictions {brief(predictions)} and targets {brief(targets)}"
        raise ValueError(f"{name}: {shown} are not nested alike")
    predictions, targets = (listed(x, name, "numbers in (nested) lists") for x in (predictions, targets))
    _check_lengths(name, predictions, targets)
    for prediction, target in zip(predictions, targets, strict=True):
        yield from pairs(name, prediction, target)


def _mean_of(name: str, formula: Callable[[Any, Any], Any], predictions: Nested, targets: Nested) -> Operand:
    return mean([formula(prediction, target) for prediction, target in pairs(name, predictions, targets)])


def _operands(name: str, xs: Nested, wanted: str) -> tuple:
    return tuple([operand(x, name) for x in listed(xs, name, wanted)])


def _position(label: Operand, classes: int) -> Operand:
    """The label as a place among the logits; a ValueError for what is none."""
    label = operand(label, "cross_entropy")
    if type(label) is float and label not in range(classes):
        raise ValueError(f"cross_entropy takes labels from 0 to {classes - 1} for {classes} logits, got {label:g}")
    return label


def _check_lengths(name: str, predictions: Nested, targets: Nested) -> None:
    if len(predictions) != len(targets) or not len(predictions):
        raise ValueError(f"{name}: {len(predictions)} predictions for {len(targets)} targets")


def _is_list(x: Operand) -> bool:
    return not is_recorded(x) and hasattr(x, "__len__") and getattr(x, "shape", None) != ()  # a tensor has a length
