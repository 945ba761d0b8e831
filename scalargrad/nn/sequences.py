"""Shared by layers over sequences: their operands, checked, and matrices of parameters with the sums over them."""

from collections.abc import Callable, Sequence
from typing import Any

from scalargrad.datasets.nested import Sample, checked_shape, shown
from scalargrad.nn.dense import as_operands
from scalargrad.nn.module import Parameter
from scalargrad.ops import dot

Rows = Sequence[tuple[Parameter, ...]]


def matrix(rows: int, columns: int, draw: Callable[[], float]) -> list[tuple[Parameter, ...]]:
    """Parameters [rows][columns]; a row is a tuple, so that the dots that read it share it."""
    return [tuple(Parameter(draw()) for _ in range(columns)) for _ in range(rows)]


def linear(weights: Rows, biases: Sequence[Parameter], inputs: tuple) -> list[Any]:
    """dot(row, inputs) + bias for each row; without biases, if there are none."""
    totals = [dot(row, inputs) for row in weights]
    return [total + bias for total, bias in zip(totals, biases, strict=True)] if biases else totals


def as_sequence(sequence: Sample, width: int, layer: object) -> tuple[tuple, ...]:
    """The steps of a sequence [steps][width], each as a tuple of Values that several dots can share."""
    wanted = f"a sequence [steps, {width}]"
    shape = checked_shape(sequence, layer, wanted)
    if len(shape) != 2 or shape[1] != width:
        raise ValueError(f"this {layer} takes {wanted}, got {shown(shape)}")
    return tuple([as_operands(step, width, "sequence") for step in sequence])
