"""Losses of one sample as scikit-learn defines them: sums over outputs, and a penalty that a batch counts once."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy
from numpy import ndarray

from scalargrad.arrays import quiet
from scalargrad.engine import Value
from scalargrad.losses import binary_cross_entropy_with_logits, l2, pairs
from scalargrad.nn import MLP, Buffer
from scalargrad.ops import batch_mean, exp, less, log, sum, where
from scalargrad.randomness import current_share
from scalargrad.training.objectives import OBJECTIVES, Objective


class PenalisedLoss:
    """The loss of a sample plus alpha / 2 * (the squared weights) / (the sum of the sample weights of its batch).

    weighted   the last number of a target is the weight of its sample

    No closure: an estimator is pickled with it.
    """

    def __init__(self, module: MLP, loss: Callable[[Any, Any], Any], weighted: bool) -> None:
        self.loss, self.weighted = loss, weighted
        self.weights = tuple(weight for layer in module.layers for neuron in layer.neurons for weight in neuron.weights)
        self.half_alpha = Buffer(0.0, "half_alpha")  # a leaf: another number needs no other program

    def __call__(self, outputs: Any, target: Any) -> Value:
        penalty = self.half_alpha * current_share() * l2(self.weights)
        if not self.weighted:
            return self.loss(outputs, target) + penalty
        *numbers, weight = target
        loss = self.loss(outputs, numbers if len(numbers) > 1 else numbers[0])
        return (batch_mean(weight * loss) + penalty) / batch_mean(weight)


def half_squared_error(outputs: Value | Sequence[Value], targets: float | Sequence[float]) -> Value:
    """Summed over outputs."""
    return 0.5 * l2(output - target for output, target in pairs("half_squared_error", outputs, targets))


def half_poisson_deviance(outputs: Value | Sequence[Value], targets: float | Sequence[float]) -> Value:
    """Summed over outputs, which are logarithms of what is expected: exp(x) - y * x - (y - y * log(y))."""
    return sum(
        exp(output) - target * output - target + target * log(where(less(0.0, target), target, 1.0))
        for output, target in pairs("half_poisson_deviance", outputs, targets)
    )


def label_losses(logits: Sequence[Value], labels: Sequence[float]) -> Value:
    """The cross-entropies of labels that are 0 or 1 each, summed."""
    return sum(binary_cross_entropy_with_logits(logit, label) for logit, label in zip(logits, labels, strict=True))


# Which numbers mean what: rows of the table of objectives, with these losses.


def _probability_of_each(outputs: ndarray) -> ndarray:
    probabilities = OBJECTIVES["binary_cross_entropy"].probabilities
    assert probabilities
    return probabilities(outputs)[:, 1]


SQUARED_ERROR = OBJECTIVES["mse"]._replace(loss=half_squared_error)
POISSON = OBJECTIVES["mse"]._replace(name="poisson()", loss=half_poisson_deviance, predictions=quiet(numpy.exp))
SEVERAL_LABELS = OBJECTIVES["binary_cross_entropy"]._replace(
    name="label_losses()", loss=label_losses, probabilities=_probability_of_each
)
OF_A_REGRESSOR: dict[str, Objective] = {"squared_error": SQUARED_ERROR, "poisson": POISSON}
