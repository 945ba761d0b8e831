"""Functions of all the numbers of a layer at once: softmax and its logarithm."""

from collections.abc import Iterable
from typing import Any

from scalargrad.ops import exp, logsumexp


def softmax(values: Iterable[Any]) -> tuple:
    """Numbers above 0 that add up to 1, in the ratios of exp(value): probabilities from logits.

    >>> [round(p, 3) for p in softmax([2.0, 0.0, 0.0])]
    [0.787, 0.107, 0.107]
    """
    return tuple(exp(x) for x in log_softmax(values))


def log_softmax(values: Iterable[Any]) -> tuple:
    """The logarithms of `softmax`, finite where it rounds to 0. The loss `cross_entropy` takes the values themselves.

    >>> log_softmax([1000.0, 0.0])
    (0.0, -1000.0)
    """
    values = tuple(values)
    total = logsumexp(values)
    return tuple(x - total for x in values)
