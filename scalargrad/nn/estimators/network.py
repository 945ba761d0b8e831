"""Network: the base of the two estimators, from scikit-learn's arrays to a trained network and its outputs."""

import warnings
from collections.abc import Callable
from copy import copy
from itertools import pairwise
from types import MethodType
from typing import Any, ClassVar, Self

import numpy
from numpy import ndarray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from scalargrad.checks import refuse_hidden
from scalargrad.datasets.frames import with_names
from scalargrad.nn import MLP
from scalargrad.nn.estimators.fitted import Fitted, Recorder
from scalargrad.nn.estimators.losses import PenalisedLoss
from scalargrad.nn.estimators.samples import ROWS_AT_ONCE, Samples, as_weights, dense, is_sparse, refuse_nan_and_inf
from scalargrad.nn.estimators.settings import OTHER_NAMES, check_settings, hidden_sizes
from scalargrad.nn.estimators.solvers import OPTIMIZERS, Order, in_their_order, minimise
from scalargrad.support.words import brief
from scalargrad.training.objectives import Objective
from scalargrad.training.prediction import outputs_of

AUTO_BATCH = 200  # rows, as in scikit-learn


class InSteps:
    """A method that an estimator has unless its solver is "lbfgs": an AttributeError says so, as in scikit-learn."""

    def __init__(self, method: Callable) -> None:
        self.__doc__, self.method = method.__doc__, method

    def __get__(self, network: "Network | None", kind: type) -> Callable:
        if network is None:
            return self.method
        if network.solver == "lbfgs":
            raise AttributeError(
                f'{self.method.__name__} is an epoch, and solver="lbfgs" has none: use solver="adam", or fit with '
                "warm_start=True"
            )
        return MethodType(self.method, network)


class Network(Fitted, BaseEstimator):
    """Base of the two estimators: `Settings` has their parameters, `Fitted` what they have learned.

    X is an array [rows, columns], a table, or a sparse matrix, which is made dense: as a whole by `fit`, by
    thousands of rows by what predicts. float32 is trained in float32, but for "lbfgs", anything else in float64.
    """

    def fit(self, X: object, y: object, sample_weight: object = None) -> Self:
        """Train a new network; with `warm_start`, go on with the last one. Returns the estimator.

        sample_weight    one number a row, from 0 on: the loss of a batch is sum(w * loss) / sum(w), so that a weight
                         of 2 is that row twice, as long as all rows fit into one batch

        ValueError for data or settings that make no sense, FloatingPointError where the loss becomes inf or nan: then
        the estimator is as it was, but for a network that `warm_start` or `partial_fit` went on training.
        """
        learner = copy(self)  # what fails, fails there
        learner._fit(X, y, sample_weight)
        self.__dict__ = learner.__dict__
        return self

    def _partial_fit(self, X: object, y: object, sample_weight: object, classes: object = None) -> Self:
        if self.early_stopping:
            raise ValueError("early_stopping: partial_fit has none; hold rows out yourself, or set it to False")
        learner = copy(self)
        learner._fit(X, y, sample_weight, partial=True, classes=classes)
        self.__dict__ = learner.__dict__
        return self

    def _fit(
        self, X: Samples, y: Samples, sample_weight: object, partial: bool = False, classes: object = None
    ) -> None:
        check_settings(self)
        refuse_hidden(X, "X")
        refuse_hidden(y, "y")
        if is_sparse(y):
            raise ValueError("y is a sparse matrix: pass y.toarray()")
        fresh = not (hasattr(self, "module_") and (partial or self.warm_start))
        X, y = self._checked(X, y=y, reset=fresh, multi_output=True, **self._target_options)
        refuse_nan_and_inf(X, getattr(self, "feature_names_in_", None))
        X = dense(X)
        weights = None if sample_weight is None else as_weights(sample_weight, len(X))
        targets = self._targets(y, weights, fresh, partial, classes)
        self._random_state = check_random_state(self.random_state)
        if fresh or not partial:
            self._optimizer = None
        if fresh:
            self._dtype = X.dtype
            self.module_ = self._first_module(X.shape[1])
            self._losses = [PenalisedLoss(self.module_, self._objective.loss, weighted) for weighted in (False, True)]
            self._forget()
        if self.solver == "lbfgs":
            why = self._minimise(X, targets, weights)
        else:
            why = self._train(X, targets, weights, 1 if partial else self.max_iter, partial)
        self.module_.fitted_loss = self._objective.name  # so that its own `predict` knows what the outputs mean
        if why:
            warnings.warn(why, ConvergenceWarning, stacklevel=3)

    def _first_module(self, fan_in: int) -> MLP:
        """A network with the parameters that scikit-learn would start from, given the same random state."""
        sizes = [fan_in, *map(int, hidden_sizes(self.hidden_layer_sizes)), self.n_outputs_]
        activation = OTHER_NAMES.get(self.activation, self.activation)
        module = MLP(fan_in, sizes[1:], activation, rng=0)
        factor = 2.0 if activation == "sigmoid" else 6.0
        state = {}
        for place, (sources, neurons) in enumerate(pairwise(sizes)):
            bound = (factor / (sources + neurons)) ** 0.5  # Glorot and Bengio 2010
            state[f"layers.{place}.weight"] = self._random_state.uniform(-bound, bound, (sources, neurons)).T
            state[f"layers.{place}.bias"] = self._random_state.uniform(-bound, bound, neurons)
        module.load_state_dict(state)
        return module

    # Training: each returns why it ended before it was done, or nothing.

    def _train(self, X: ndarray, targets: ndarray, weights: ndarray | None, epochs: int, partial: bool) -> str:
        """Epochs of steps, by `module_.fit`."""
        held_out = None
        if self.early_stopping:
            X, targets, weights, held_out = self._split(X, targets, weights)
        recorder = Recorder(self, len(X), held_out)
        X, targets, loss = self._taking_part(X, targets, weights)
        if self._optimizer is None:
            self._optimizer = OPTIMIZERS[self.solver](self)
        order = Order(self._random_state) if self.shuffle else in_their_order
        batch_size = min(AUTO_BATCH if self.batch_size == "auto" else int(self.batch_size), len(X))
        # Of one batch nobody asks for the order, and yet it is drawn: a RandomState goes on as with scikit-learn.
        unasked = [lambda run: order(len(X), run.epoch)] if batch_size == len(X) else []
        history = self.module_.fit(
            X,
            targets,
            loss=loss,
            optimizer=self._optimizer,
            epochs=epochs,
            batch_size=batch_size,
            callbacks=[recorder, *unasked],
            rng=order,
            progress=False,
        )
        recorder.finish()
        if history.stopped == "interrupted":
            warnings.warn("training was interrupted: the network is that of the last step", stacklevel=4)
        if partial or recorder.has_converged or self.n_iter_ < epochs:
            return ""
        return (
            f"{epochs} epochs, which is max_iter, were over before the loss stopped getting better: "
            "a larger max_iter lets it, a larger tol is content with less"
        )

    def _minimise(self, X: ndarray, targets: ndarray, weights: ndarray | None) -> str:
        """Iterations over all rows, by SciPy's L-BFGS."""
        recorder = Recorder(self, 0, None)

        def watch(loss: float) -> None:
            self.n_iter_ += 1
            recorder.record(loss)

        X, targets, loss = self._taking_part(X, targets, weights)
        found = minimise(self, self.module_, loss, (X.astype("float64"), targets), watch)
        if found.status is None:
            warnings.warn("training was interrupted: the network is that of the last iteration", stacklevel=4)
            return ""
        self.loss_ = float(found.fun)
        self.best_loss_ = min([self.loss_, *self.loss_curve_])
        return {
            0: "",
            1: f"{found.nit} iterations or {found.nfev} losses, which is max_iter or max_fun, were over before all "
            "slopes were below tol: larger ones let it go on; a StandardScaler for X makes it faster",
        }.get(found.status, f"lbfgs found no smaller loss after {found.nit} iterations: a StandardScaler for X helps")

    def _taking_part(self, X: ndarray, targets: ndarray, weights: ndarray | None) -> tuple:
        """Rows that weigh something, their targets with the weights as the last column, and the loss of these."""
        loss, largest = self._losses[weights is not None], 1.0
        if weights is not None:
            largest = weights.max()  # the others are shares of it: only ratios count, and they fit into every type
            shares = (weights / largest).astype(X.dtype)
            weighty = shares >= numpy.finfo(X.dtype).tiny
            X, targets = X[weighty], numpy.column_stack([targets[weighty], shares[weighty]])
        loss.half_alpha.data = 0.5 * float(self.alpha) / float(largest)
        return X, targets, loss

    def _split(self, X: ndarray, targets: ndarray, weights: ndarray | None) -> tuple:
        """Rows to learn from, and what was held out of them: (X, targets, weights)."""
        arrays = [X, targets] if weights is None else [X, targets, weights]
        if round(len(X) * self.validation_fraction, 9) <= 1:
            raise ValueError(
                f"validation_fraction={self.validation_fraction} of {len(X)} rows holds out one only, or none: "
                "a larger fraction or more rows can tell how well it goes"
            )
        # Classes as scikit-learn does it: two are split alike, more may have single rows, which nobody could split.
        parts = train_test_split(
            *arrays,
            random_state=self._random_state,
            test_size=self.validation_fraction,
            stratify=targets if self._is_stratified else None,
        )
        learned, held_out = parts[::2], parts[1::2]
        if weights is None:
            return *learned, None, (*held_out, None)
        for part, what in ((learned, "learned from"), (held_out, "held out")):
            if not part[2].any():
                raise ValueError(f"the weights of all rows {what} are zero: another random_state splits differently")
        return *learned, tuple(held_out)

    def _outputs(self, X: Samples) -> ndarray:
        """Outputs of the network for checked samples: [rows], or [rows, outputs] of several outputs."""
        check_is_fitted(self, "module_")
        refuse_hidden(X, "X")
        X = self._checked(X, reset=False)
        refuse_nan_and_inf(X, getattr(self, "feature_names_in_", None))
        if not is_sparse(X):
            return outputs_of(self.module_, X)
        starts = range(0, X.shape[0], ROWS_AT_ONCE)
        return numpy.concatenate([outputs_of(self.module_, dense(X[first : first + ROWS_AT_ONCE])) for first in starts])

    def _checked(self, X: Samples, **options: Any) -> Any:
        """Samples as floats, and targets with them, as scikit-learn checks them; nan and inf may be among them."""
        if isinstance(X, ndarray) and X.dtype.kind in "SU":
            raise ValueError(f"X holds text, {brief(X)}: pass numbers, X.astype(float)")
        kinds = (numpy.float64, numpy.float32)
        with with_names(X, "X"):
            return validate_data(
                self, X, dtype=kinds, ensure_all_finite=False, accept_sparse="csr", order="C", **options
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # What the estimators differ in, beside their `out_activation_` and `_score_of`.

    _target_options: ClassVar[dict[str, bool]]
    _is_stratified: bool = False  # are rows held out in proportion to the targets?

    @property
    def _objective(self) -> Objective:
        raise NotImplementedError

    def _targets(self, y: ndarray, weights: ndarray | None, fresh: bool, partial: bool, classes: object) -> ndarray:
        raise NotImplementedError
