"""MLPRegressor: one number a row or several, as scikit-learn's regressors have them."""

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Self

import numpy
from numpy import ndarray
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted, column_or_1d

from scalargrad.nn.estimators.losses import OF_A_REGRESSOR
from scalargrad.nn.estimators.network import InSteps, Network
from scalargrad.nn.estimators.settings import LOSSES, choice
from scalargrad.support.doors import as_called
from scalargrad.training.objectives import Objective


@as_called
@dataclass(repr=False, eq=False)
class MLPRegressor(RegressorMixin, Network):
    """A multilayer perceptron that predicts numbers: half the squared error, summed over outputs.

    The parameters are those of `Settings` and, by its name only, `loss`; the attributes after `fit` those of `Fitted`.
    `y` is one number a row, or [rows, outputs].

    loss    "squared_error"; or "poisson" for counts, from 0 on: half the Poisson deviance, and predictions are exp of
            the network's outputs

    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [1.0, 3.0, 5.0, 7.0]
    >>> line = MLPRegressor((), solver="lbfgs", alpha=0.0, random_state=0).fit(X, y)
    >>> line.predict([[10.0]]).round(1).tolist()
    [21.0]
    """

    _: KW_ONLY
    loss: str = choice(*LOSSES)

    _target_options: ClassVar = {"y_numeric": True}

    @InSteps
    def partial_fit(self, X: object, y: object, sample_weight: object = None) -> Self:
        """One epoch over these rows; the optimizer goes on where it was."""
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X: object) -> ndarray:
        """The predicted numbers: [rows], or [rows, outputs]."""
        return self._objective.predictions(self._outputs(X))

    @property
    def out_activation_(self) -> str:
        check_is_fitted(self, "module_")
        return "exp" if self.loss == "poisson" else "identity"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.positive_only = self.loss == "poisson"
        return tags

    @property
    def _objective(self) -> Objective:
        return OF_A_REGRESSOR[self.loss]

    def _targets(self, y: ndarray, weights: ndarray | None, fresh: bool, partial: bool, classes: object) -> ndarray:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        outputs = 1 if y.ndim == 1 else y.shape[1]
        if not fresh and outputs != self.n_outputs_:
            raise ValueError(f"y has {outputs} numbers a row, and the network was made for {self.n_outputs_}")
        if self.loss == "poisson" and (y < 0).any():
            place = tuple(numpy.argwhere(y < 0)[0])
            raise ValueError(f'y has {y[place]} in row {place[0]}, and loss="poisson" takes numbers from 0 on')
        self.n_outputs_ = outputs
        return y

    def _score_of(self, outputs: ndarray, targets: ndarray, weights: ndarray | None) -> float:
        predictions = self._objective.predictions(outputs)
        if not numpy.isfinite(predictions).all():
            return float("nan")
        return r2_score(targets, predictions, sample_weight=weights)
