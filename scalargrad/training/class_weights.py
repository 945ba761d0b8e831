"""Class weights: how much the samples of each label count, as weights of the samples."""

from collections.abc import Mapping, Sequence

import numpy
from numpy import ndarray

from scalargrad.arrays import quiet
from scalargrad.checks import is_real, real
from scalargrad.datasets.sequences import Column
from scalargrad.operands import brief
from scalargrad.training.objectives import OBJECTIVES, Objective
from scalargrad.training.targets import listed_labels

BALANCED = "balanced"
ClassWeight = str | Mapping[int, float]


def checked_class_weight(given: object) -> ClassWeight:
    """ "balanced", or the weights by their labels, which rise; an error for anything else.

    >>> checked_class_weight({1: 3, 0: 0.5})
    {0: 0.5, 1: 3.0}
    """
    wanted = f'class_weight is "{BALANCED}" or a dictionary {{label: weight}}'
    if isinstance(given, str):
        if given != BALANCED:
            raise ValueError(f"{wanted}, got {given!r}")
        return given
    if not isinstance(given, Mapping):
        remedy = "; for a list of weights, dict(enumerate(weights))" if hasattr(given, "__len__") else ""
        raise TypeError(f"{wanted}, got {brief(given)}{remedy}")
    for label in given:
        if not (is_real(label) and label == label // 1):
            raise ValueError(f"class_weight has the label {label!r}, and labels are whole numbers")
    weights = {int(label): real(f"class_weight[{int(label)}]", weight, 0.0) for label, weight in given.items()}
    return dict(sorted(weights.items()))


@quiet
def weights_of_rows(
    class_weight: ClassWeight, objective: Objective, outputs_shape: tuple, labels: Column, weights: ndarray | None
) -> ndarray:
    """The weight of each row, float64 [rows]: that of its label times its own.

    weights   of the rows, float [rows]; None: 1

    "balanced" weights make all labels count alike, rows / (labels * rows of this label), where a row counts as much as
    its weight: scikit-learn's `compute_class_weight`. ValueError for a loss that has no classes, for a label of a row
    that has no weight, and for one that the model does not know.
    """
    if objective.classes is None:
        known = ", ".join(name for name, row in OBJECTIVES.items() if row.classes)
        raise ValueError(
            f"class_weight is for the losses of classes, {known}, and {objective.name} has none: pass sample_weight, a "
            "weight for each row"
        )
    assert isinstance(labels, ndarray)  # as all such losses have them
    own = numpy.ones(len(labels)) if weights is None else weights.astype("float64")
    seen, number = numpy.unique(labels, return_inverse=True)
    if isinstance(class_weight, str):
        counts = numpy.bincount(number, own)
        of_class = numpy.where(counts > 0.0, own.sum() / ((counts > 0.0).sum() * counts), 0.0)
    else:
        of_class = _looked_up(class_weight, seen.tolist(), objective.classes(outputs_shape))
    return of_class[number] * own


def _looked_up(class_weight: Mapping[int, float], seen: Sequence[int], classes: Sequence[int]) -> ndarray:
    if unknown := [label for label in class_weight if label not in classes]:
        raise ValueError(
            f"class_weight has a weight for {listed_labels(unknown)}, and the labels of this model are "
            f"{listed_labels(classes)}"
        )
    if missing := [label for label in seen if label not in class_weight]:
        raise ValueError(f"class_weight has no weight for {listed_labels(missing)}, and y holds {listed_labels(seen)}")
    return numpy.array([class_weight[label] for label in seen])
