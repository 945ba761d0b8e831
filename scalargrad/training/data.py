"""Data: the arrays of one `fit`, checked before anything changes."""

import zlib

import numpy
from numpy import ndarray

from scalargrad.arrays import quiet, shuffled
from scalargrad.checks import is_real
from scalargrad.datasets.arrays import checked_inputs, checked_weights
from scalargrad.structure import Structure
from scalargrad.training.objectives import Objective, refuse_one_class
from scalargrad.training.programs import shape_of_outputs

SPLIT = 2**52  # in the place of an epoch, for the shuffle that chooses rows for validation; seeds are smaller


class Data:
    """The checked arrays of one `fit`.

    inputs, targets, weights   to train on; weights are None or above 0
    held_out                   (inputs, targets) to validate on, or None
    shape                      of what the model returns for a sample
    """

    def __init__(
        self,
        model: Structure,
        objective: Objective,
        X: object,
        y: object,
        validation: object,
        sample_weight: object,
        seed: int,
    ) -> None:
        inputs = checked_inputs(X)
        self.shape = shape_of_outputs(model, inputs)
        targets = objective.targets(y, self.shape, len(inputs))
        weights = None if sample_weight is None else _shares(checked_weights(sample_weight, len(inputs)), inputs.dtype)
        self.held_out: tuple[ndarray, ndarray] | None = None
        if is_real(validation):
            kept, put_aside = _split(len(inputs), float(validation), seed)
            self.held_out = inputs[put_aside], targets[put_aside]
            inputs, targets = inputs[kept], targets[kept]
            weights = None if weights is None else weights[kept]
        elif validation is not None:
            self.held_out = self._other_samples(objective, inputs, validation)
        if weights is not None and not weights.all():
            taking_part = weights > 0.0
            inputs, targets, weights = inputs[taking_part], targets[taking_part], weights[taking_part]
            if not len(weights):
                raise ValueError("sample_weight is 0 for every row that is left to train on")
        refuse_one_class(objective, targets)
        self._refuse_targets_beyond(inputs.dtype, targets)
        self.inputs, self.targets = _unchanging(inputs), _unchanging(targets)
        self.weights = None if weights is None else _unchanging(weights)

    def _refuse_targets_beyond(self, dtype: numpy.dtype, targets: ndarray) -> None:
        largest = abs(targets).max()
        if largest > numpy.finfo(dtype).max:
            raise ValueError(f"y holds {largest:g}, which is beyond {dtype}, the type of X: scale the targets")

    def _other_samples(self, objective: Objective, inputs: ndarray, validation: object) -> tuple[ndarray, ndarray]:
        if not isinstance(validation, tuple | list) or len(validation) != 2:
            raise ValueError(f"validation is (X, y), or a fraction of the rows such as 0.1; got {validation!r:.100}")
        others = checked_inputs(validation[0], "validation X", str(inputs.dtype))
        if others.shape[1:] != inputs.shape[1:]:
            raise ValueError(f"validation X has rows of the shape {others.shape[1:]}, and X of {inputs.shape[1:]}")
        return others, objective.targets(validation[1], self.shape, len(others), "validation y")

    def fingerprint(self) -> str:
        """Equal for equal arrays."""
        arrays = [self.inputs, self.targets, self.weights, *(self.held_out or ())]
        sums = [0 if array is None else zlib.crc32(array) for array in arrays]
        return " ".join(f"{number:08x}" for number in sums)


def _unchanging(array: ndarray) -> ndarray:
    """The array as one that nobody writes to while it is trained on: it may stay on a device."""
    view = array.view()
    view.flags.writeable = False
    return view


@quiet
def _shares(weights: ndarray, dtype: numpy.dtype) -> ndarray:
    """Only ratios of weights count: as shares of the largest one they fit into every type, or are as good as 0."""
    shares = (weights / weights.max()).astype(dtype)
    return numpy.where(shares < numpy.finfo(dtype).tiny, 0, shares).astype(dtype)


def _split(rows: int, fraction: float, seed: int) -> tuple[ndarray, ndarray]:
    """The rows to train on and those to validate on, each in their order."""
    if not 0.0 < fraction < 1.0:
        raise ValueError(f"validation is (X, y), or a fraction of the rows above 0 and below 1; got {fraction}")
    count = round(rows * fraction)
    if not 0 < count < rows:
        raise ValueError(f"validation={fraction} of {rows} rows leaves {rows - count} to train on, {count} to validate")
    chosen = shuffled(rows, seed, SPLIT)
    return numpy.sort(chosen[count:]), numpy.sort(chosen[:count])
