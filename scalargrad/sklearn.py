"""Networks of Values as scikit-learn's estimators: its parameter names and conventions, this engine behind them.

The classes inherit from scikit-learn's, so this module, unlike the rest of the package, imports it at its top.
"""

import warnings
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from itertools import pairwise
from math import inf
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy
from numpy import ndarray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from scalargrad.checks import is_real, is_whole, refuse_hidden
from scalargrad.datasets.arrays import checked_weights
from scalargrad.engine import Value
from scalargrad.losses import l2, pairs
from scalargrad.nn import MLP, Buffer
from scalargrad.nn.dense import ACTIVATIONS
from scalargrad.optim import SGD, Adam, AdamW, Optimizer, RMSProp
from scalargrad.training.objectives import OBJECTIVES, Objective
from scalargrad.training.prediction import outputs_of
from scalargrad.training.run import Run

SOLVERS: dict[str, Callable[[Any], Optimizer]] = {
    "adam": lambda network: Adam(network.learning_rate_init),
    "adamw": lambda network: AdamW(network.learning_rate_init),
    "rmsprop": lambda network: RMSProp(network.learning_rate_init),
    "sgd": lambda network: SGD(
        network.learning_rate_init, network.momentum, bool(network.nesterovs_momentum and network.momentum)
    ),
}
OTHER_NAMES = {"logistic": "sigmoid", "identity": "linear"}  # of activations: scikit-learn's and ours
AUTO_BATCH = 200  # rows, as in scikit-learn


class Network(BaseEstimator):
    """Base of the two estimators. Parameters mean what they mean in scikit-learn:

    hidden_layer_sizes    neurons of each hidden layer; () for none, a number for one layer
    activation            "relu", "tanh", "logistic", "identity", or any other of `scalargrad.MLP`, such as "gelu"
    solver                "adam", "sgd", or ours: "adamw" (it also shrinks parameters by its own 0.01), "rmsprop"
    alpha                 alpha / 2 * (sum of the squared weights, without biases) / (rows of a full batch, times
                          their mean sample weight) is added to the loss
    batch_size            rows of a step; "auto": 200, or all of fewer
    learning_rate_init    the rate of every step
    max_iter              epochs at most; a ConvergenceWarning says that it ended there
    random_state          of the first weights, the shuffles and the validation rows: None, a seed, or a RandomState
    tol                   fit ends where the loss (with early_stopping: the validation score) was no better than the
    n_iter_no_change      best one by tol for more than n_iter_no_change epochs in a row
    verbose               prints the loss of every epoch
    warm_start            fit goes on from the network of the last fit
    momentum, nesterovs_momentum    of "sgd"
    early_stopping        holds out validation_fraction of the rows and keeps the network that scored best on these
    """

    module_: MLP
    n_outputs_: int
    n_iter_: int
    loss_: float
    loss_curve_: list[float]
    best_loss_: float | None
    validation_scores_: list[float] | None
    best_validation_score_: float | None

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] | ndarray = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate_init: float = 0.001,
        max_iter: int = 200,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: float = 10,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change

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
            raise ValueError("partial_fit has no early_stopping: hold rows out yourself, or set early_stopping=False")
        learner = copy(self)
        learner._fit(X, y, sample_weight, partial=True, classes=classes)
        self.__dict__ = learner.__dict__
        return self

    def _fit(self, X: Any, y: Any, sample_weight: object, partial: bool = False, classes: object = None) -> None:
        check_settings(self)
        refuse_hidden(X, "X")
        refuse_hidden(y, "y")
        fresh = not (hasattr(self, "module_") and (partial or self.warm_start))
        X, y = validate_data(
            self,
            X,
            y,
            dtype=(numpy.float64, numpy.float32),
            ensure_all_finite=False,  # below, with row and column
            order="C",
            reset=fresh,
            **self._target_options,
        )
        refuse_nan_and_inf(X)
        weights = None if sample_weight is None else checked_weights(sample_weight, len(X))
        targets = self._targets(y, weights, fresh, partial, classes)
        if fresh or not partial:
            self._random_state = check_random_state(self.random_state)
            self._optimizer = SOLVERS[self.solver](self)
        if fresh:
            self.module_ = self._first_module(X.shape[1])
            self._loss = PenalisedLoss(self.module_, self._objective.loss)
            self.loss_curve_, self.best_loss_ = [], inf
            self.validation_scores_, self.best_validation_score_ = None, None
        recorder = self._train(X, targets, weights, 1 if partial else self.max_iter)
        if self.n_iter_ == self.max_iter and not recorder.has_converged and not partial:
            warnings.warn(
                f"{self.max_iter} epochs, which is max_iter, were over before the loss stopped getting better: "
                "a larger max_iter lets it, a larger tol is content with less",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _first_module(self, fan_in: int) -> MLP:
        """A network with the parameters that scikit-learn would start from, given the same random state."""
        sizes = [fan_in, *hidden_sizes(self.hidden_layer_sizes), self.n_outputs_]
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

    def _train(self, X: ndarray, targets: ndarray, weights: ndarray | None, epochs: int) -> "Recorder":
        held_out = None
        if self.early_stopping:
            X, targets, weights, held_out = self._split(X, targets, weights)
        if weights is not None:
            taking_part = weights > 0.0
            X, targets, weights = X[taking_part], targets[taking_part], weights[taking_part]
        rows = min(AUTO_BATCH if self.batch_size == "auto" else int(self.batch_size), len(X))
        self._loss.factor.data = 0.5 * float(self.alpha) / (rows * (1.0 if weights is None else float(weights.mean())))
        recorder = Recorder(self, held_out)
        history = self.module_.fit(
            X,
            targets,
            loss=self._loss,
            optimizer=self._optimizer,
            epochs=epochs,
            batch_size=rows,
            sample_weight=weights,
            callbacks=[recorder],
            rng=int(self._random_state.randint(2**31)),
            progress=False,
        )
        if history.stopped == "interrupted":
            warnings.warn("training was interrupted: the network is that of the last step", stacklevel=4)
        self.module_.fitted_loss = self._objective.name  # so that its own `predict` knows what the outputs mean
        recorder.finish()
        return recorder

    def _split(self, X: ndarray, targets: ndarray, weights: ndarray | None) -> tuple:
        """Rows to learn from, and what was held out of them: (X, targets, weights)."""
        arrays = [X, targets] if weights is None else [X, targets, weights]
        parts = train_test_split(
            *arrays,
            random_state=self._random_state,
            test_size=self.validation_fraction,
            stratify=targets if isinstance(self, ClassifierMixin) else None,
        )
        learned, held_out = parts[::2], parts[1::2]
        if len(held_out[0]) < 2:
            raise ValueError(
                f"validation_fraction={self.validation_fraction} of {len(X)} rows holds out one only: "
                "a larger fraction or more rows can tell how well it goes"
            )
        if weights is None:
            return *learned, None, (*held_out, None)
        for part, what in ((learned, "learned from"), (held_out, "held out")):
            if not part[2].any():
                raise ValueError(f"the weights of all rows {what} are zero: another random_state splits differently")
        return *learned, tuple(held_out)

    def _outputs(self, X: Any) -> ndarray:
        """Outputs of the network for checked samples: [rows], or [rows, outputs] of several outputs."""
        check_is_fitted(self, "module_")
        refuse_hidden(X, "X")
        X = validate_data(
            self, X, dtype=(numpy.float64, numpy.float32), ensure_all_finite=False, order="C", reset=False
        )
        refuse_nan_and_inf(X)
        return outputs_of(self.module_, X)

    # What the estimators differ in.

    _target_options: ClassVar[dict[str, bool]]

    @property
    def _objective(self) -> Objective:
        raise NotImplementedError

    def _targets(self, y: ndarray, weights: ndarray | None, fresh: bool, partial: bool, classes: object) -> ndarray:
        raise NotImplementedError

    def _score_of(self, outputs: ndarray, targets: ndarray, weights: ndarray | None) -> float:
        raise NotImplementedError


class MLPClassifier(ClassifierMixin, Network):
    """A multilayer perceptron that tells classes apart: cross-entropy, and any labels that NumPy can sort.

    The parameters are those of `Network`. After `fit`: `classes_`; `module_`, the `scalargrad.MLP` to draw and explain,
    of one output for two classes and of one for each of more; `loss_curve_` (the loss of each epoch), `loss_`,
    `best_loss_`, `n_iter_` (epochs of the last call), `n_outputs_`, `n_features_in_`, `feature_names_in_`,
    `validation_scores_` and `best_validation_score_`.

    >>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], ["even", "odd", "odd", "even"]
    >>> xor = MLPClassifier((8,), "tanh", learning_rate_init=0.1, random_state=0).fit(X, y)
    >>> xor.predict(X).tolist()
    ['even', 'odd', 'odd', 'even']
    >>> xor.module_
    MLP(2, [8, 1]), 33 parameters
      layers.0  Layer(2, 8, tanh)    24 parameters
      layers.1  Layer(8, 1, linear)   9 parameters
    """

    classes_: ndarray
    _target_options: ClassVar = {"multi_output": False}

    def partial_fit(self, X: object, y: object, classes: object = None, sample_weight: object = None) -> Self:
        """One epoch over these rows; the optimizer goes on where it was.

        classes    all labels that will ever come: needed by the first call, unless `fit` was there before
        """
        return self._partial_fit(X, y, sample_weight, classes=classes)

    def decision_function(self, X: object) -> ndarray:
        """The network's outputs: [rows], above 0 for `classes_[1]`, or [rows, classes], the largest for the class."""
        return self._outputs(X)

    def predict_proba(self, X: object) -> ndarray:
        """The probability of each class, in the order of `classes_`: [rows, classes]."""
        outputs = self._outputs(X)
        assert self._objective.probabilities
        return self._objective.probabilities(outputs)

    def predict(self, X: object) -> ndarray:
        """The label of the most probable class: [rows]."""
        outputs = self._outputs(X)
        return self.classes_[self._objective.predictions(outputs)]

    @property
    def _objective(self) -> Objective:
        return OBJECTIVES["binary_cross_entropy" if len(self.classes_) == 2 else "cross_entropy"]

    def _targets(self, y: ndarray, weights: ndarray | None, fresh: bool, partial: bool, classes: object) -> ndarray:
        """The place of each label in `classes_`, which a fresh network learns here."""
        check_classification_targets(y)
        labels = numpy.unique(y)
        if fresh and partial and classes is None:
            raise ValueError("the first call of partial_fit must be told all classes: classes=numpy.unique(all_y)")
        named = labels if classes is None else numpy.unique(column_or_1d(classes))
        if fresh:
            self.classes_ = named
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

    def _score_of(self, outputs: ndarray, targets: ndarray, weights: ndarray | None) -> float:
        return accuracy_score(targets, self._objective.predictions(outputs), sample_weight=weights)


class MLPRegressor(RegressorMixin, Network):
    """A multilayer perceptron that predicts numbers: half the squared error, summed over outputs.

    The parameters are those of `Network`, the attributes after `fit` those of `MLPClassifier` without `classes_`.
    `y` is one number a row, or [rows, outputs].

    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [1.0, 3.0, 5.0, 7.0]
    >>> line = MLPRegressor((), solver="sgd", alpha=0.0, max_iter=10000, tol=1e-9, random_state=0).fit(X, y)
    >>> line.predict([[10.0]]).round(1).tolist()
    [21.0]
    """

    _target_options: ClassVar = {"multi_output": True, "y_numeric": True}

    def partial_fit(self, X: object, y: object, sample_weight: object = None) -> Self:
        """One epoch over these rows; the optimizer goes on where it was."""
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X: object) -> ndarray:
        """The predicted numbers: [rows], or [rows, outputs]."""
        return self._outputs(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    @property
    def _objective(self) -> Objective:
        return OBJECTIVES["mse"]._replace(loss=half_squared_error)

    def _targets(self, y: ndarray, weights: ndarray | None, fresh: bool, partial: bool, classes: object) -> ndarray:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        outputs = 1 if y.ndim == 1 else y.shape[1]
        if not fresh and outputs != self.n_outputs_:
            raise ValueError(f"y has {outputs} numbers a row, and the network was made for {self.n_outputs_}")
        self.n_outputs_ = outputs
        return y

    def _score_of(self, outputs: ndarray, targets: ndarray, weights: ndarray | None) -> float:
        return r2_score(targets, outputs, sample_weight=weights)


# Training.


class PenalisedLoss:
    """The loss of one sample, plus factor * the squared weights. No closure: an estimator is pickled with it."""

    def __init__(self, module: MLP, loss: Callable[[Any, Any], Any]) -> None:
        self.loss = loss
        self.weights = tuple(weight for layer in module.layers for neuron in layer.neurons for weight in neuron.weights)
        self.factor = Buffer(0.0, "penalty")  # a leaf: another number needs no other program

    def __call__(self, outputs: Any, target: Any) -> Value:
        return self.loss(outputs, target) + self.factor * l2(self.weights)


def half_squared_error(outputs: Value | Sequence[Value], targets: float | Sequence[float]) -> Value:
    """Summed over outputs."""
    return 0.5 * l2(output - target for output, target in pairs("half_squared_error", outputs, targets))


class Recorder:
    """Called after every epoch: it keeps scikit-learn's records and follows its rule of when to stop."""

    def __init__(self, network: Network, held_out: tuple | None) -> None:
        self.network, self.held_out = network, held_out
        self.without_progress = 0  # epochs
        self.has_converged = False
        self.scores: list[float] = []  # of validation
        self.best_state: dict = {}
        network.n_iter_ = 0
        if held_out:
            network.validation_scores_, network.best_validation_score_, network.best_loss_ = self.scores, -inf, None

    def __call__(self, run: Run) -> None:
        network, loss = self.network, run.measures["loss"]
        network.n_iter_, network.loss_ = run.epoch, loss
        network.loss_curve_.append(loss)
        if network.verbose:
            print(f"Iteration {run.epoch}, loss = {loss:.8f}")
        is_better = self._scored_better() if self.held_out else self._lost_less(loss)
        self.without_progress = 0 if is_better else self.without_progress + 1
        if self.without_progress > network.n_iter_no_change:
            self.has_converged = True
            run.stop(f"no progress of {network.tol} in {network.n_iter_no_change} epochs")

    def finish(self) -> None:
        """The best network takes the place of the last one, if rows were held out."""
        if self.best_state:
            self.network.module_.load_state_dict(self.best_state)

    def _lost_less(self, loss: float) -> bool:
        best = inf if self.network.best_loss_ is None else self.network.best_loss_
        self.network.best_loss_ = min(best, loss)
        return loss <= best - self.network.tol

    def _scored_better(self) -> bool:
        assert self.held_out
        X, targets, weights = self.held_out
        score = self.network._score_of(outputs_of(self.network.module_, X), targets, weights)
        best = max(self.scores, default=-inf)
        self.scores.append(score)
        if self.network.verbose:
            print(f"Validation score: {score:f}")
        if score > best:
            self.network.best_validation_score_ = score
            self.best_state = self.network.module_.state_dict()
        return score >= best + self.network.tol


# Settings and samples.


def check_settings(network: Network) -> None:
    """A ValueError that names the first setting that makes no sense."""
    hidden_sizes(network.hidden_layer_sizes)
    for name, (fits, what) in SETTINGS.items():
        setting = getattr(network, name)
        if not fits(setting):
            raise ValueError(f"{name} is {what}, got {setting!r}")


def hidden_sizes(sizes: Any) -> list[int]:
    """The sizes as a list: of a list, of an array, or of one number."""
    listed = list(sizes) if isinstance(sizes, Iterable) and not isinstance(sizes, str) else [sizes]
    if not all(is_whole(size) and size >= 1 for size in listed):
        raise ValueError(f"hidden_layer_sizes is a list of whole numbers from 1 on, got {sizes!r}")
    return [int(size) for size in listed]


def _is_flag(x: object) -> bool:
    return isinstance(x, bool | numpy.bool_ | Integral)


def _one_of(names: Iterable[str]) -> tuple[Callable[[Any], bool], str]:
    known = list(names)
    return lambda x: isinstance(x, str) and x in known, f"one of {', '.join(known)}"


SETTINGS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "activation": _one_of([*OTHER_NAMES, "linear", *ACTIVATIONS]),
    "solver": _one_of(SOLVERS),
    "alpha": (lambda x: is_real(x) and 0.0 <= x < inf, "a number from 0 on"),
    "batch_size": (lambda x: x == "auto" if isinstance(x, str) else is_whole(x) and x >= 1, '"auto" or 1, 2, ...'),
    "learning_rate_init": (lambda x: is_real(x) and 0.0 < x < inf, "a number above 0"),
    "max_iter": (lambda x: is_whole(x) and x >= 1, "a whole number from 1 on"),
    "tol": (lambda x: is_real(x) and x >= 0.0, "a number from 0 on"),
    "verbose": (_is_flag, "True or False"),
    "warm_start": (_is_flag, "True or False"),
    "momentum": (lambda x: is_real(x) and 0.0 <= x <= 1.0, "a number from 0 to 1"),
    "nesterovs_momentum": (_is_flag, "True or False"),
    "early_stopping": (_is_flag, "True or False"),
    "validation_fraction": (lambda x: is_real(x) and 0.0 < x < 1.0, "a number between 0 and 1"),
    "n_iter_no_change": (lambda x: x == inf or (is_whole(x) and x >= 1), "a whole number from 1 on, or inf"),
}


def refuse_nan_and_inf(X: ndarray) -> None:
    """A ValueError with row and column of the first number that is none."""
    finite = numpy.isfinite(X)
    if not finite.all():
        row, column = numpy.argwhere(~finite)[0]
        shown = "NaN" if numpy.isnan(X[row, column]) else "inf"
        raise ValueError(f"X has {shown} in row {row}, column {column}: fill it in, or take the row out")
