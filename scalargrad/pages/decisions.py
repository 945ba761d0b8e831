"""Decisions: what the outputs of a network mean on a map, and from where on they mean the other class."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy
from numpy import ndarray

from scalargrad.engine import Value
from scalargrad.losses import Nested
from scalargrad.training.objectives import Objective

STEPS = 200  # of the bisection, more than a float has digits
CLOSE = 1e-9  # to half way or to 0, in distances between the labels: then the level is that
WIDEST = 1e6  # how far from the labels a level is looked for, in distances between the labels


class Decision(NamedTuple):
    """A kind of answer.

    kind      "threshold": one output, two labels; "argmax": an output for each class; "number": regression
    labels    the lower and the upper one of two; of regression the least and the largest target
    level     of one output: above it the upper label is chosen
    logits    is the output the logit of a probability, so that a map shades it by its sigmoid?
    classes   how many
    """

    kind: str
    labels: list[float]
    level: float = 0.0
    logits: bool = False
    classes: int = 0

    def labels_of(self, outputs: ndarray) -> ndarray:
        """The label that each row of outputs [rows, numbers] says; nan, where one of them is."""
        chosen = (
            outputs.argmax(axis=1)
            if self.kind == "argmax"
            else numpy.where(outputs[:, 0] > self.level, *self.labels[::-1])
        )
        return numpy.where(numpy.isnan(outputs).any(axis=1), numpy.nan, chosen)


def decision_of(objective: Objective, outputs_shape: tuple[int, ...], targets: ndarray) -> Decision:
    """The kind of answer that fits a loss, the outputs and the targets.

    A level is where the loss is the same for both labels: 0.5 for squares of 0 and 1, 0 for logits.

    >>> from scalargrad.training.objectives import objective_of
    >>> decision_of(objective_of("mse"), (), numpy.array([0.0, 1.0])).level
    0.5
    """
    count = int(numpy.prod(outputs_shape))
    distinct = numpy.unique(targets)
    if count > 1:
        whole = targets.ndim == 1 and not (distinct % 1).any() and distinct[0] >= 0 and distinct[-1] < count
        if whole:
            return Decision("argmax", [], classes=count)
    elif len(distinct) == 2 or objective.classes is not None:
        lower, upper = map(float, objective.classes(()) if objective.classes else distinct)
        level = _level(objective.loss, lower, upper, outputs_shape)
        half, apart = 0.5 * (lower + upper), upper - lower
        level = next((even for even in (half, 0.0) if abs(level - even) < CLOSE * apart), level)
        return Decision("threshold", [lower, upper], level, level != half, 2)
    least, largest = float(distinct[0]), float(distinct[-1])
    return Decision("number", [least, largest], 0.5 * (least + largest))


def _level(loss: Callable[[Any, Any], Any], lower: float, upper: float, shape: tuple[int, ...]) -> float:
    """The output whose loss is the same for both labels; half way between them, if there is none to be found."""
    half, apart = 0.5 * (lower + upper), upper - lower

    def prefers_lower(output: float) -> bool:
        given: Nested = Value(output) if shape == () else (Value(output),)
        return float(loss(given, upper)) > float(loss(given, lower))

    low, high = half - apart, half + apart
    try:
        while not (prefers_lower(low) and not prefers_lower(high)):
            low, high = half - 2.0 * (half - low), half + 2.0 * (high - half)
            if high - half > WIDEST * apart:
                return half
        for _ in range(STEPS):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if prefers_lower(middle) else (low, middle)
    except Exception:  # a loss of the user's own, which may want Values: what is wrong with it, `compile` says
        return half
    return 0.5 * (low + high)
