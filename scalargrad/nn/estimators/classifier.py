"""MLPClassifier: classes, or several labels a row, as scikit-learn's classifiers have them."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy
from numpy import ndarray
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from scalargrad.nn.estimators.losses import SEVERAL_LABELS
from scalargrad.nn.estimators.network import InSteps, Network
from scalargrad.support.doors import as_called
from scalargrad.training.objectives import OBJECTIVES, Objective


@as_called
@dataclass(repr=False, eq=False)
class MLPClassifier(ClassifierMixin, Network):
    """A multilayer perceptron that tells classes apart: cross-entropy, and any labels that NumPy can sort.

    The parameters are those of `Settings`, the attributes after `fit` those of `Fitted` and `classes_`. `module_` has
    one output for two classes and one for each of more. Where y is a matrix of zeros and ones [rows, labels], a row has
    any number of the labels: `classes_` are their columns, `predict` gives such a matrix, and `predict_proba` the
    probability of each label.

    >>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], ["even", "odd", "odd", "even"]
    >>> xor = MLPClassifier((8,), "tanh", learning_rate_init=0.1, random_state=0).fit(X, y)
    >>> xor.predict(X).tolist()
    ['even', 'odd', 'odd', 'even']
    >>> xor.module_
    MLP(2, [8, 1]), 33 parameters
      layers.0  Layer(2, 8, tanh)    24 parameters
      layers.1  Layer(8, 1, linear)   9 parameters
    """

    _target_options: ClassVar = {}

    @InSteps
    def partial_fit(self, X: object, y: object, sample_weight: object = None, classes: object = None) -> Self:
        """One epoch over these rows; the optimizer goes on where it was.

        classes    all labels that will ever come: needed by the first call, unless `fit` was there before, or y is a
                   matrix that has a column for each
        """
        return self._partial_fit(X, y, sample_weight, classes=classes)

    def decision_function(self, X: object) -> ndarray:
        """The network's outputs: [rows], above 0 for `classes_[1]`, or [rows, classes], the largest for the class.

        Of several labels a row, [rows, labels], above 0 for those that it has.
        """
        return self._outputs(X)

    def predict_proba(self, X: object) -> ndarray:
        """The probability of each class, in the order of `classes_`: [rows, classes]."""
        outputs = self._outputs(X)
        assert self._objective.probabilities
        return self._objective.probabilities(outputs)

    def predict_log_proba(self, X: object) -> ndarray:
        """Logarithms of `predict_proba`: [rows, classes]; -inf where the probability is 0 in float64."""
        with numpy.errstate(divide="ignore"):
            return numpy.log(self.predict_proba(X))

    def predict(self, X: object) -> ndarray:
        """The label of the most probable class: [rows]. Of several labels a row, zeros and ones: [rows, labels]."""
        outputs = self._outputs(X)
        predictions = self._objective.predictions(outputs)
        return predictions if self._several_labels else self.classes_[predictions]

    @property
    def out_activation_(self) -> str:
        check_is_fitted(self, "module_")
        return "softmax" if self.n_outputs_ > 1 and not self._several_labels else "logistic"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    @property
    def _objective(self) -> Objective:
        if self._several_labels:
            return SEVERAL_LABELS
        return OBJECTIVES["binary_cross_entropy" if len(self.classes_) == 2 else "cross_entropy"]

    @property
    def _is_stratified(self) -> bool:  # type: ignore[override]
        return self.n_outputs_ == 1

    def _targets(self, y: ndarray, weights: ndarray | None, fresh: bool, partial: bool, classes: object) -> ndarray:
        """Places of labels in `classes_`, which a fresh network learns here; or the matrix of labels."""
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        several = y.ndim == 2
        if fresh:
            self._several_labels: bool = several
        elif several != self._several_labels:
            held, made = ("several labels", "one") if several else ("one label", "several")
            raise ValueError(f"y holds {held} a row, and the network was made for {made}")
        return self._label_matrix(y, fresh, classes) if several else self._places(y, weights, fresh, partial, classes)

    def _places(self, y: ndarray, weights: ndarray | None, fresh: bool, partial: bool, classes: object) -> ndarray:
        check_classification_targets(y)
        labels = numpy.unique(y)
        if fresh and partial and classes is None:
            raise ValueError("classes: the first call of partial_fit must be told all, classes=numpy.unique(all_y)")
        named = labels if classes is None else numpy.unique(column_or_1d(classes))
        if fresh:
            self.classes_: ndarray = named
        elif classes is not None and not numpy.array_equal(named, self.classes_):
            raise ValueError(f"classes={classes} are not those of the calls before, {self.classes_}")
        unseen = numpy.setdiff1d(labels, self.classes_)
        if len(unseen):
            raise ValueError(f"y holds labels that are not among the classes of before, {self.classes_}: {unseen}")
        trained = self.classes_ if partial else labels if weights is None else numpy.unique(y[weights > 0])
        if len(trained) < 2:
            where = "classes name" if partial else "y holds" if weights is None else "with these weights y holds"
            raise ValueError(f"{where} one class only, {trained.tolist()}: a classifier tells at least two apart")
        self.n_outputs_ = 1 if len(self.classes_) == 2 else len(self.classes_)
        return numpy.searchsorted(self.classes_, y)

    def _label_matrix(self, y: ndarray, fresh: bool, classes: object) -> ndarray:
        count = y.shape[1] if classes is None else len(numpy.unique(column_or_1d(classes)))
        known = count if fresh else self.n_outputs_
        if not known == count == y.shape[1]:
            raise ValueError(f"y has {y.shape[1]} columns of labels, and there are {known} classes")
        if not numpy.isin(y, (0, 1)).all():
            other = y[~numpy.isin(y, (0, 1))][0]
            raise ValueError(
                f"y is a matrix {list(y.shape)} that holds {other!r}: several labels a row are zeros and ones, a "
                "column for each label, and classes are one a row"
            )
        self.classes_, self.n_outputs_ = numpy.arange(count), count
        return y.astype("float64")

    def _score_of(self, outputs: ndarray, targets: ndarray, weights: ndarray | None) -> float:
        return accuracy_score(targets, self._objective.predictions(outputs), sample_weight=weights)
