"""Data: the arrays of one `fit`, checked before anything changes."""

import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import cast

import numpy
from numpy import ndarray

from scalargrad.arrays import quiet, shuffled
from scalargrad.checks import is_real
from scalargrad.datasets.arrays import checked_numbers, checked_weights
from scalargrad.datasets.sequences import (
    Column,
    Ragged,
    checked_ragged,
    checked_samples,
    differ_in_length,
    same_inside,
)
from scalargrad.structure import Structure
from scalargrad.support.words import brief, plural
from scalargrad.training.class_weights import ClassWeight, weights_of_rows
from scalargrad.training.objectives import Objective, refuse_one_class
from scalargrad.training.programs import shapes_of_outputs
from scalargrad.training.targets import counted, numbers_for_outputs

SPLIT = 2**52  # in the place of an epoch, for the shuffle that chooses rows for validation; seeds are smaller


class Data:
    """The checked arrays of one `fit`.

    inputs, targets, weights   to train on; weights are None or above 0
    held_out                   (inputs, targets) to validate on, or None
    objective                  without a measure, if targets differ in length: it is that of the mean of each output
    """

    def __init__(
        self,
        model: Structure,
        objective: Objective,
        X: object,
        y: object,
        validation: object,
        sample_weight: object,
        seed: int | Callable,
        class_weight: ClassWeight | None = None,
    ) -> None:
        inputs = checked_samples(X)
        shapes = shapes_of_outputs(model, inputs)
        targets = checked_targets(objective, y, inputs, shapes)
        self.model, self.objective = model, without_measure(objective) if isinstance(targets, Ragged) else objective
        weights = None if sample_weight is None else _shares(checked_weights(sample_weight, len(inputs)), inputs.dtype)
        self.held_out: tuple[Column, Column] | None = None
        if is_real(validation):
            kept, put_aside = _split(len(inputs), float(validation), seed)
            self.held_out = inputs[put_aside], targets[put_aside]
            inputs, targets = inputs[kept], targets[kept]
            weights = None if weights is None else weights[kept]
        elif validation is not None:
            self.held_out = self._other_samples(inputs, validation)
        if class_weight is not None:
            weights = weights_of_rows(class_weight, objective, next(iter(shapes.values())), targets, weights)
            weights = _shares(weights, inputs.dtype) if weights.any() else weights
        if weights is not None and not weights.all():
            taking_part = weights > 0.0
            inputs, targets, weights = inputs[taking_part], targets[taking_part], weights[taking_part]
            if not len(weights):
                words = "sample_weight" if class_weight is None else "the product of class_weight and sample_weight"
                raise ValueError(f"{words} is 0 for every row that is left to train on")
        if isinstance(targets, ndarray):
            refuse_one_class(objective, targets)
        self._refuse_targets_beyond(inputs.dtype, targets)
        self.inputs, self.targets = _unchanging(inputs), _unchanging(targets)
        self.weights = None if weights is None else _unchanging(weights)

    def _refuse_targets_beyond(self, dtype: numpy.dtype, targets: Column) -> None:
        largest = max(abs(sample).max() for sample in ([targets] if isinstance(targets, ndarray) else targets))
        if largest > numpy.finfo(dtype).max:
            raise ValueError(f"y holds {largest:g}, which is beyond {dtype}, the type of X: scale the targets")

    def _other_samples(self, inputs: Column, validation: object) -> tuple[Column, Column]:
        if not isinstance(validation, tuple | list) or len(validation) != 2:
            raise ValueError(f"validation is (X, y), or a fraction of the rows such as 0.1; got {brief(validation)}")
        others = checked_samples(validation[0], "validation X", str(inputs.dtype))
        if not same_inside(others, inputs):
            raise ValueError(f"validation X has rows of the shape {others[0].shape}, and X of {inputs[0].shape}")
        shapes = shapes_of_outputs(self.model, others, "validation X")
        targets = checked_targets(self.objective, validation[1], others, shapes, "validation y")
        if isinstance(targets, Ragged):
            self.objective = without_measure(self.objective)
        return others, targets

    def fingerprint(self) -> str:
        """Equal for equal arrays."""
        arrays = [self.inputs, self.targets, self.weights, *(self.held_out or ())]
        sums = [0 if array is None else _checksum(array) for array in arrays]
        return " ".join(f"{number:08x}" for number in sums)


def checked_targets(
    objective: Objective, y: object, inputs: Column, shapes: Mapping[tuple, tuple], name: str = "y"
) -> Column:
    """The targets for these samples, which an objective checks where all outputs have one shape.

    shapes   of what the model returns, by the shape of a sample

    Targets that differ in length are numbers. As many as there are outputs, unless the loss is a user's own.
    """
    different = sorted(set(shapes.values()))
    if len(different) == 1 and not differ_in_length(y):
        return objective.targets(y, different[0], len(inputs), name)
    if objective.classes is not None:
        what = (
            f"{name} is ragged"
            if differ_in_length(y)
            else f"the model returns {counted(different[0])} or {counted(different[-1])}"
        )
        raise ValueError(
            f"{what}, and {objective.name} takes one label for each sample, and as many outputs for each: for a label "
            "at each position, pass a function (outputs, target) -> Value as the loss"
        )
    if differ_in_length(y):
        targets: Column = checked_ragged(cast(Iterable, y), name, "float64")
    else:
        targets = checked_numbers(y, len(inputs), name)
    if len(targets) != len(inputs):
        raise ValueError(
            f"{name} has {plural(len(targets), 'row')} and X has {len(inputs)}: they must match, row by row"
        )
    if objective.targets is numbers_for_outputs:
        for row, (sample, target) in enumerate(zip(inputs, targets, strict=True)):
            outputs = shapes[sample.shape]
            if outputs != target.shape:
                raise ValueError(
                    f"{name}[{row}] holds {counted(target.shape)} and the model returns {counted(outputs)} for "
                    f"a sample of the shape {sample.shape}: each output needs a target"
                )
    return targets


def without_measure(objective: Objective) -> Objective:
    """The loss alone: R squared is that of the mean of each output, and targets of different lengths have none."""
    return objective._replace(measure="", score=None, from_mean=None)


def _checksum(column: Column) -> int:
    if isinstance(column, ndarray):
        return zlib.crc32(column.data)
    found = zlib.crc32(repr(column.shapes).encode())
    for sample in column:
        found = zlib.crc32(numpy.ascontiguousarray(sample).data, found)
    return found


def _unchanging(array: Column) -> Column:
    """The array as one that nobody writes to while it is trained on: it may stay on a device."""
    if isinstance(array, Ragged):
        return array
    view = array.view()
    view.flags.writeable = False
    return view


@quiet
def _shares(weights: ndarray, dtype: numpy.dtype) -> ndarray:
    """Only ratios of weights count: as shares of the largest one they fit into every type, or are as good as 0."""
    shares = (weights / weights.max()).astype(dtype)
    return numpy.where(shares < numpy.finfo(dtype).tiny, 0, shares).astype(dtype)


def _split(rows: int, fraction: float, seed: int | Callable) -> tuple[ndarray, ndarray]:
    """The rows to train on and those to validate on, each in their order."""
    if not 0.0 < fraction < 1.0:
        raise ValueError(f"validation is (X, y), or a fraction of the rows above 0 and below 1; got {fraction}")
    count = round(rows * fraction)
    if not 0 < count < rows:
        raise ValueError(f"validation={fraction} of {rows} rows leaves {rows - count} to train on, {count} to validate")
    chosen = shuffled(rows, seed, SPLIT)
    return numpy.sort(chosen[count:]), numpy.sort(chosen[:count])
