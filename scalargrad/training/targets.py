"""Targets: the checks of y, each for one kind of loss. An error names what is wrong with y, and the way out."""

from collections.abc import Callable, Sequence

import numpy
from numpy import ndarray

from scalargrad.datasets.arrays import checked_numbers, variable

MOST_LABELS = 8  # that an error lists


def any_numbers(y: object, outputs_shape: tuple, rows: int | None = None, name: str = "y") -> ndarray:
    """Targets of a function that only the user knows: finite numbers, as many rows as there are samples."""
    return checked_numbers(y, rows, name)


def numbers_for_outputs(y: object, outputs_shape: tuple, rows: int | None = None, name: str = "y") -> ndarray:
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
            f"{name} holds {counted(given)} for each sample and the model returns {counted(outputs_shape)}: {remedy}"
        )
    return array.reshape(wanted)


def class_numbers(y: object, outputs_shape: tuple, rows: int | None = None, name: str = "y") -> ndarray:
    """Labels 0 to k - 1 for k outputs, int64 [rows]."""
    if len(outputs_shape) != 1 or outputs_shape[0] < 2:
        raise ValueError(
            f"cross_entropy needs an output for each class, and the model returns {counted(outputs_shape)}: give its "
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
            f"{name} holds the labels {listed_labels(seen)}, and a model of {count} outputs knows "
            f"0 to {count - 1}: {remedy}"
        )
    return labels


def two_labels(loss: str, lower: int, other: int, converted: str) -> Callable[..., ndarray]:
    """The check of labels `lower` and 1, for one output. `converted`: the formula for labels `other` and 1."""

    def targets(y: object, outputs_shape: tuple, rows: int | None = None, name: str = "y") -> ndarray:
        if outputs_shape:
            raise ValueError(
                f"{loss} needs a model that returns one number, and this one returns {counted(outputs_shape)}: "
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
        raise ValueError(f"{name} holds the labels {listed_labels(seen)}, and {loss} takes {lower} and 1: {remedy}")

    return targets


def _labels(y: object, rows: int | None, name: str, wanted: str) -> ndarray:
    """One whole number a row, int64 [rows]."""
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


def _why_not_one_label(array: ndarray, name: str) -> str:
    if array.size == len(array):
        return f"{name} has the shape {array.shape}: one label for each sample, numpy.ravel({variable(name)})"
    one_hot = array.ndim == 2 and ((array == 0) | (array == 1)).all() and (array.sum(axis=1) == 1).all()
    what = "is one-hot" if one_hot else "holds several numbers for each sample"
    return (
        f"{name} {what}, of the shape {array.shape}, and labels are needed: pass numpy.argmax({variable(name)}, axis=1)"
    )


def _distinct(labels: ndarray) -> list[int]:
    return numpy.unique(labels).tolist()


def listed_labels(labels: Sequence[int]) -> str:
    """1, 2, 3 or, if there are many, 1, 2, 3, ... 99."""
    shown = [str(label) for label in labels]
    return ", ".join(shown if len(shown) <= MOST_LABELS else [*shown[: MOST_LABELS - 2], f"... {shown[-1]}"])


def counted(shape: tuple) -> str:
    if shape in ((), (1,)):
        return "a list of one number" if shape else "one number"
    return f"{shape[0]} numbers" if len(shape) == 1 else f"numbers of the shape {shape}"
