"""Results of an estimator, under scikit-learn's names, and the recorder that writes them down epoch by epoch."""

from collections.abc import Iterable
from math import inf
from typing import Any, cast

import numpy
from numpy import ndarray
from sklearn.utils.validation import check_is_fitted

from scalargrad.nn import MLP
from scalargrad.nn.estimators.settings import Settings
from scalargrad.nn.estimators.solvers import SLOWEST
from scalargrad.optim import Optimizer
from scalargrad.training.prediction import outputs_of
from scalargrad.training.run import Run


class Fitted(Settings):
    """Attributes of an estimator after `fit`. Validation scores are None without early stopping, best_loss_ with it.

    module_                          the network, to draw and explain
    coefs_, intercepts_              its weights [inputs, neurons] and biases [neurons], an array for each layer: copies
                                     that cannot be written to. Set whole arrays: `coefs_[0] = array`, `coefs_ = arrays`
    n_layers_, n_outputs_            the layers, that of inputs among them, and the neurons of the last one
    out_activation_                  of the probabilities, or predictions: "logistic", "softmax", "identity" or "exp"
    n_iter_                          epochs of the last call; iterations, of "lbfgs"
    t_                               rows seen so far, each in each epoch; 0 for "lbfgs"
    loss_, loss_curve_, best_loss_   the last loss, that of each epoch or iteration, the smallest
    validation_scores_               on the held-out rows, for each epoch
    best_validation_score_           the largest of these
    n_features_in_                   columns of X
    feature_names_in_                their names, if X was a table whose columns have some
    """

    module_: MLP
    n_outputs_: int
    n_iter_: int
    t_: int
    loss_: float
    loss_curve_: list[float]
    best_loss_: float | None
    validation_scores_: list[float] | None
    best_validation_score_: float | None
    n_features_in_: int
    feature_names_in_: ndarray

    _optimizer: Optimizer | None
    _dtype: numpy.dtype  # of X, when the network was made
    _without_progress: int  # epochs, so far
    _best_state: dict  # of the network, on the held-out rows

    @property
    def coefs_(self) -> list[ndarray]:
        return LayerArrays(self, "weight")

    @coefs_.setter
    def coefs_(self, arrays: Iterable) -> None:
        _set_arrays(self, "weight", list(arrays))

    @property
    def intercepts_(self) -> list[ndarray]:
        return LayerArrays(self, "bias")

    @intercepts_.setter
    def intercepts_(self, arrays: Iterable) -> None:
        _set_arrays(self, "bias", list(arrays))

    @property
    def n_layers_(self) -> int:
        check_is_fitted(self, "module_")
        return len(self.module_.layers) + 1

    @property
    def out_activation_(self) -> str:
        raise NotImplementedError

    def _score_of(self, outputs: ndarray, targets: ndarray, weights: ndarray | None) -> float:
        raise NotImplementedError

    def _forget(self) -> None:
        """Start the records of a new network."""
        self.t_, self.loss_curve_, self.best_loss_ = 0, [], inf
        self.validation_scores_, self.best_validation_score_ = None, None
        self._without_progress, self._best_state = 0, {}


class LayerArrays(list):
    """The weights or biases of each layer, as a list that hands on to the network what is set in it."""

    def __init__(self, fitted: Fitted, kind: str) -> None:
        check_is_fitted(fitted, "module_")
        state = fitted.module_.state_dict()
        arrays = [state[f"layers.{place}.{kind}"].T.astype(fitted._dtype) for place in range(fitted.n_layers_ - 1)]
        for array in arrays:
            array.flags.writeable = False  # a number set in a copy would be lost
        super().__init__(arrays)
        self.fitted, self.kind = fitted, kind

    def __setitem__(self, place: Any, array: object) -> None:
        arrays = list(self)
        arrays[place] = array
        _set_arrays(self.fitted, self.kind, arrays)
        super().__setitem__(place, array)

    def __reduce__(self) -> tuple:
        return list, (list(self),)


def _set_arrays(fitted: Fitted, kind: str, arrays: list) -> None:
    """Give the network other weights or biases; a ValueError where they do not fit it."""
    known, name = LayerArrays(fitted, kind), {"weight": "coefs_", "bias": "intercepts_"}[kind]
    wanted, found = [array.shape for array in known], [numpy.shape(array) for array in arrays]
    if wanted != found:
        raise ValueError(f"{name} takes arrays of the shapes {wanted}, one for each layer, got {found}")
    if not all(numpy.isfinite(numpy.asarray(array, float)).all() for array in arrays):
        raise ValueError(f"{name} takes finite numbers, and got inf or nan among them")
    new = {f"layers.{place}.{kind}": numpy.asarray(array, float).T for place, array in enumerate(arrays)}
    fitted.module_.load_state_dict({**fitted.module_.state_dict(), **new})


class Recorder:
    """Called after every epoch: it keeps scikit-learn's records and follows its rules for the rate and the end.

    rows       of an epoch
    held_out   (X, targets, weights) to score on, or None
    """

    def __init__(self, network: Fitted, rows: int, held_out: tuple | None) -> None:
        self.network, self.rows, self.held_out = network, rows, held_out
        self.has_converged = False
        network.n_iter_ = 0
        if held_out and network.validation_scores_ is None:
            network.validation_scores_, network.best_validation_score_, network.best_loss_ = [], -inf, None

    def __call__(self, run: Run) -> None:
        network = self.network
        network.n_iter_ = run.epoch
        network.t_ += self.rows
        self.record(run.measures["loss"])
        is_better = self._scored_better() if self.held_out else self._lost_less()
        network._without_progress = 0 if is_better else network._without_progress + 1
        if network.solver == "sgd" and network.learning_rate == "invscaling":
            run.optimizer.lr = network.learning_rate_init / (network.t_ + 1) ** network.power_t
        if network._without_progress > network.n_iter_no_change:
            self._end_or_slow_down(run)

    def record(self, loss: float) -> None:
        """Note the loss of an epoch or iteration."""
        network = self.network
        network.loss_ = loss
        network.loss_curve_.append(loss)
        if network.verbose:
            print(f"Iteration {network.n_iter_}, loss = {loss:.8f}")

    def finish(self) -> None:
        """The best network takes the place of the last one, if rows were held out."""
        if self.held_out and self.network._best_state:
            self.network.module_.load_state_dict(self.network._best_state)

    def _end_or_slow_down(self, run: Run) -> None:
        network = self.network
        why = f"no progress of {network.tol} in {network.n_iter_no_change} epochs"
        if network.solver == "sgd" and network.learning_rate == "adaptive" and run.optimizer.lr > SLOWEST:
            run.optimizer.lr /= 5.0
            network._without_progress = 0
            why += f": the learning rate is {run.optimizer.lr:g} from now on"
        else:
            self.has_converged = True
            run.stop(why)
        if network.verbose:
            print(why)

    def _lost_less(self) -> bool:
        network = self.network
        best = inf if network.best_loss_ is None else network.best_loss_
        network.best_loss_ = min(best, network.loss_)
        return network.loss_ <= best - network.tol

    def _scored_better(self) -> bool:
        network = self.network
        X, targets, weights = cast(tuple, self.held_out)
        score = network._score_of(outputs_of(network.module_, X), targets, weights)
        best = cast(float, network.best_validation_score_)
        cast(list, network.validation_scores_).append(score)
        if network.verbose:
            print(f"Validation score: {score:f}")
        if score > best:
            network.best_validation_score_ = score
            network._best_state = network.module_.state_dict()
        return score >= best + network.tol
