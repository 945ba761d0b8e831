"""Functions of all the numbers of a layer at once: softmax and its logarithm."""

from collections.abc import Iterable
from typing import Any

from scalargrad.checks import listed
from scalargrad.operands import operand
from scalargrad.ops import log, log1p, powers, shares, where


def softmax(values: Iterable[Any]) -> tuple:
    """Numbers above 0 that add up to 1, in the ratios of exp(value): probabilities from logits.

    >>> [round(p, 3) for p in softmax([2.0, 0.0, 0.0])]
    [0.787, 0.107, 0.107]
    """
    _, exponentials, total = powers(_operands("softmax", values))
    return tuple(rest + is_close for is_close, rest in shares(exponentials, total))


def log_softmax(values: Iterable[Any]) -> tuple:
    """The logarithms of `softmax`, finite where it rounds to 0. The loss `cross_entropy` takes the values themselves.

    >>> log_softmax([1000.0, 0.0])
    (0.0, -1000.0)
    """
    differences, exponentials, total = powers(_operands("log_softmax", values))
    logarithm = log(total)
    # log(1 - others) where that is close to 0: it keeps its digits.
    return tuple(
        where(is_close, log1p(rest), x - logarithm)
        for x, (is_close, rest) in zip(differences, shares(exponentials, total), strict=True)
    )


def _operands(name: str, values: Iterable[Any]) -> tuple:
    """The values, at least one, as operands of operations."""
    if not (operands := tuple([operand(x, name) for x in listed(values, name)])):
        raise ValueError(f"{name} of no values is not defined: pass at least one")
    return operands
