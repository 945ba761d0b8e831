"""The estimators at home in scikit-learn: its own checks, its own perceptron as the oracle, and its tools."""

import pickle
import subprocess
import sys
import warnings

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris, make_moons
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError
from sklearn.inspection import DecisionBoundaryDisplay
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from scalargrad.nn import MLP
from scalargrad.nn.estimators.fitted import Recorder
from scalargrad.nn.estimators.settings import SOLVERS
from scalargrad.nn.loading import load
from scalargrad.sklearn import MLPClassifier, MLPRegressor
from tests.paths import ROOT

ESTIMATORS = pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
UNFINISHED = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
pytestmark = UNFINISHED  # most tests train for a few epochs only

MOONS = make_moons(60, noise=0.2, random_state=0)
IRIS = load_iris(return_X_y=True)
SMALL = {"hidden_layer_sizes": (4,), "max_iter": 5, "random_state": 0}


def data_for(estimator):
    X, labels = MOONS
    return (X, labels) if estimator is MLPClassifier else (X, X[:, 0] - X[:, 1] ** 2)


def outputs_of(estimator, X):
    return estimator.decision_function(X) if hasattr(estimator, "decision_function") else estimator.predict(X)


def weights_of(estimator):
    return [parameter.data for parameter in estimator.module_.parameters()]


@pytest.mark.long
@parametrize_with_checks(
    [
        MLPClassifier(),
        MLPRegressor(),
        MLPClassifier(solver="lbfgs"),
        MLPRegressor(solver="lbfgs"),
        MLPClassifier(solver="sgd"),
        MLPRegressor(solver="sgd", learning_rate="adaptive"),
    ]
)
def test_scikit_learns_checks_pass(estimator, check):
    from sklearn.neural_network import MLPClassifier as TheirClassifier

    name = getattr(check, "func", check).__name__
    if estimator.solver == "lbfgs" and name == "check_classifiers_multilabel_output_format_predict_proba":
        for own in (estimator, TheirClassifier(solver="lbfgs")):  # a probability is 1.0 with both
            with pytest.raises(AssertionError, match="probabilities of the positive class"):
                check(own)
    else:
        check(estimator)


@pytest.mark.long
def test_scikit_learns_networks_are_never_imported():
    code = (
        "import sys; from scalargrad.sklearn import MLPClassifier as C, MLPRegressor as R; "
        "X = [[0.0], [1.0], [2.0], [3.0]]; "
        "C((2,), max_iter=2, tol=9.0, n_iter_no_change=1).fit(X, list('aabb')).predict_proba(X); "
        "R((2,), max_iter=2, tol=9.0, n_iter_no_change=1).partial_fit(X, [0, 1, 2, 3]).predict(X); "
        "print([name for name in sys.modules if name.startswith('sklearn.neural_network')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


# scikit-learn's own perceptron as the oracle: the first weights, the order of the rows, and every step are the same.

IN_BATCHES = {"solver": "sgd", "learning_rate_init": 0.05, "batch_size": 32}  # the last one is smaller
SAME_AS_SCIKIT_LEARN = {
    "sgd": {"solver": "sgd", "learning_rate_init": 0.1},
    "no Nesterov": {"solver": "sgd", "learning_rate_init": 0.1, "nesterovs_momentum": False},
    "no momentum": {"solver": "sgd", "learning_rate_init": 0.1, "momentum": 0.0},
    "strong alpha": {"solver": "sgd", "alpha": 10.0},
    "tanh": {"solver": "sgd", "activation": "tanh", "hidden_layer_sizes": (5, 4)},
    "logistic": {"solver": "sgd", "activation": "logistic", "hidden_layer_sizes": 7},
    "identity": {"solver": "sgd", "activation": "identity"},
    "no hidden layer": {"solver": "sgd", "hidden_layer_sizes": ()},
    "tol": {"solver": "sgd", "tol": 0.01, "n_iter_no_change": 3},
    "early stopping": {"solver": "sgd", "learning_rate_init": 0.1, "early_stopping": True, "n_iter_no_change": 4},
    "early, tol": {"solver": "sgd", "early_stopping": True, "tol": 0.1, "n_iter_no_change": 4},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.1, "power_t": 0.1},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.02, "n_iter_no_change": 2, "max_iter": 60},
    "adaptive, to its end": {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "tol": 10.0,
        "n_iter_no_change": 1,
        "max_iter": 60,
    },
    "batches": IN_BATCHES,
    "batches, strong alpha": {**IN_BATCHES, "alpha": 5.0},
    "batches, unshuffled": {**IN_BATCHES, "shuffle": False},
    "batches, invscaling": {**IN_BATCHES, "learning_rate": "invscaling"},
    "batches, adam": {"batch_size": 32, "learning_rate_init": 0.01, "activation": "tanh"},
    "batches, early": {**IN_BATCHES, "early_stopping": True, "n_iter_no_change": 4},
    "adam": {"activation": "tanh", "alpha": 0.1},
    "adam, betas": {"activation": "tanh", "beta_1": 0.5, "beta_2": 0.9, "epsilon": 0.1},
    "lbfgs": {"solver": "lbfgs", "activation": "tanh", "alpha": 1.0, "max_iter": 15},
    "lbfgs, max_fun": {"solver": "lbfgs", "activation": "tanh", "alpha": 1.0, "max_fun": 8},
    "lbfgs, tol": {"solver": "lbfgs", "activation": "tanh", "alpha": 1.0, "tol": 0.05},
}


PROBLEMS = ["two classes", "three classes", "three labels", "one output", "two outputs", "counts"]
DIFFERENT = {
    # of two outputs: their loss is the mean over outputs, but they move along the gradient of the sum
    *((name, "two outputs") for name in ("tol", "adaptive", "lbfgs", "lbfgs, max_fun", "lbfgs, tol")),
}
CASES = [(name, problem) for name in SAME_AS_SCIKIT_LEARN for problem in PROBLEMS if (name, problem) not in DIFFERENT]


def problem_for(problem):
    X, labels = IRIS
    return {
        "two classes": (X[:100], labels[:100]),
        "three classes": (X, labels),
        "three labels": (X, np.stack([labels == 1, X[:, 0] > 5.5, X[:, 1] > 3.0], axis=1).astype(int)),
        "one output": (X[:, :2], X[:, 3]),
        "two outputs": (X[:, :2], X[:, 2:]),
        "counts": (X[:, :2] / 4.0, np.floor(X[:, 3] * 4.0) * (labels > 0)),
    }[problem]


@pytest.mark.long
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize(("name", "problem"), CASES)
def test_training_is_that_of_scikit_learn(name, problem, weighted):
    from sklearn.neural_network import MLPClassifier as TheirClassifier
    from sklearn.neural_network import MLPRegressor as TheirRegressor

    X, y = problem_for(problem)
    classes = "classes" in problem or "labels" in problem
    kinds = (MLPClassifier, TheirClassifier) if classes else (MLPRegressor, TheirRegressor)
    settings = {"hidden_layer_sizes": (6,), "max_iter": 30, "random_state": 3, **SAME_AS_SCIKIT_LEARN[name]}
    if problem == "counts":
        settings |= {"loss": "poisson", "learning_rate_init": settings.get("learning_rate_init", 0.001) / 10.0}
    # Ours leaves out rows of weight 0, which in batches is another cut.
    least = 1 if "batch" in name else 0
    options = {"sample_weight": np.random.default_rng(0).integers(least, 4, len(X))} if weighted else {}
    ours, theirs = (kind(**settings).fit(X, y, **options) for kind in kinds)
    tolerance = 1e-6 if "lbfgs" in name else 1e-9  # a step of L-BFGS doubles the digits that differ
    assert (ours.n_iter_, ours.t_, ours.n_layers_, ours.n_outputs_, ours.out_activation_) == (
        (theirs.n_iter_, theirs.t_, theirs.n_layers_, theirs.n_outputs_, theirs.out_activation_)
    )
    for our, their in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        assert our == pytest.approx(their, rel=tolerance, abs=tolerance)
    assert ours.predict(X) == pytest.approx(theirs.predict(X), rel=tolerance, abs=tolerance)
    if classes:
        assert ours.predict_proba(X) == pytest.approx(theirs.predict_proba(X), rel=tolerance, abs=tolerance)
        assert ours.predict_log_proba(X) == pytest.approx(theirs.predict_log_proba(X), rel=tolerance, abs=tolerance)
    if problem == "two outputs":
        return
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=tolerance)
    for record in ("loss_curve_", "best_loss_", "best_validation_score_", "validation_scores_"):
        if getattr(theirs, record, None) is not None:
            assert getattr(ours, record) == pytest.approx(getattr(theirs, record), rel=tolerance, abs=tolerance)


@pytest.mark.parametrize("name", ["moons", pytest.param("digits", marks=pytest.mark.long)])
def test_accuracy_is_that_of_scikit_learn(name):
    """In small batches, which the two shuffle differently: the mean over a few random states."""
    from sklearn.neural_network import MLPClassifier as TheirClassifier

    X, y = load_digits(return_X_y=True) if name == "digits" else make_moons(600, noise=0.2, random_state=1)
    samples, others, labels, other_labels = train_test_split(X, y, test_size=0.4, random_state=0)
    settings = {"hidden_layer_sizes": (32,), "batch_size": 64, "learning_rate_init": 0.02, "max_iter": 20}
    ours, theirs = (
        np.mean(
            [kind(**settings, random_state=n).fit(samples, labels).score(others, other_labels) for n in range(3)],
        )
        for kind in (MLPClassifier, TheirClassifier)
    )
    assert ours >= theirs - 0.02
    assert ours >= 0.94


# Labels and outputs.


@pytest.mark.parametrize(
    ("labels", "kind"),
    [(["no", "yes"], "U"), ([-1, 1], "i"), ([0.5, 2.5], "f"), ([False, True], "b"), (["a", "b", "c"], "U")],
)
def test_labels_come_back_as_they_came(labels, kind):
    X, y = (IRIS[0][:100], IRIS[1][:100]) if len(labels) == 2 else IRIS
    named = np.array(labels)[y]
    if kind == "f":
        named = np.array([1.0, 2.0])[y]  # scikit-learn takes fractions for a regression's targets
    model = MLPClassifier(**{**SMALL, "max_iter": 200, "learning_rate_init": 0.05}).fit(X, named)
    assert model.predict(X).dtype.kind == kind
    assert model.classes_.tolist() == sorted(set(named.tolist()))
    assert model.score(X, named) > 0.9


def test_outputs_have_scikit_learns_shapes():
    from sklearn.linear_model import LogisticRegression

    for X, y in (MOONS, IRIS):
        ours, theirs = MLPClassifier(**SMALL).fit(X, y), LogisticRegression(max_iter=10).fit(X, y)
        for method in ("decision_function", "predict_proba", "predict"):
            assert getattr(ours, method)(X).shape == getattr(theirs, method)(X).shape
        assert (ours.predict_proba(X).argmax(axis=1) == ours.predict(X)).all()


@pytest.mark.parametrize("outputs", [1, 2])
def test_a_regressor_returns_as_many_numbers_as_it_was_given(outputs):
    X = IRIS[0][:, :2]
    y = IRIS[0][:, 2] if outputs == 1 else IRIS[0][:, 2:]
    model = MLPRegressor((16,), "tanh", learning_rate_init=0.05, random_state=0).fit(X, y)
    assert model.predict(X).shape == y.shape
    assert model.n_outputs_ == outputs
    assert model.score(X, y) > 0.8


@ESTIMATORS
def test_a_column_of_targets_is_flattened_with_a_warning(estimator):
    X, y = data_for(estimator)
    with pytest.warns(DataConversionWarning, match="column-vector"):
        model = estimator(**SMALL).fit(X, y[:, None])
    assert model.predict(X).shape == y.shape


@ESTIMATORS
def test_float32_is_trained_in_float32(estimator):
    X, y = data_for(estimator)
    model = estimator(**SMALL).fit(X.astype("float32"), y)
    assert outputs_of(model, X.astype("float32")).dtype == np.float32
    weights = np.array(weights_of(model))
    assert (weights == weights.astype("float32")).all()
    assert weights.tolist() != weights_of(estimator(**SMALL).fit(X, y))


# Training.


@ESTIMATORS
def test_the_network_is_ready_to_be_drawn_and_explained(estimator):
    from scalargrad import draw, explain

    X, y = data_for(estimator)
    model = estimator(**SMALL).fit(X, y)
    assert type(model.module_) is MLP
    output = model.module_(X[0].tolist())
    assert output.data == pytest.approx(outputs_of(model, X[:1])[0], rel=1e-12)
    output.backward()
    assert "bias" in draw(output).svg()
    bias = model.module_.layers[0].neurons[0].bias
    assert "layers.0.neurons.0.bias" in str(explain(output, bias))


@ESTIMATORS
def test_the_network_knows_what_its_outputs_mean(estimator, tmp_path):
    X, y = data_for(estimator)
    model = estimator(**SMALL).fit(X, y)
    model.module_.save(tmp_path / "model.safetensors")
    for network in (model.module_, load(tmp_path / "model.safetensors")):
        assert (network.predict(X) == model.predict(X)).all()  # the labels of the moons are 0 and 1
        if estimator is MLPClassifier:
            assert (network.predict_proba(X) == model.predict_proba(X)).all()


@ESTIMATORS
@pytest.mark.parametrize("random_state", [7, np.random.RandomState])
def test_a_random_state_gives_equal_bits(estimator, random_state):
    X, y = data_for(estimator)
    states = [random_state(7) if callable(random_state) else random_state for _ in range(2)]
    settings = {**SMALL, "batch_size": 16, "early_stopping": True}
    first, second = (estimator(**{**settings, "random_state": state}).fit(X, y) for state in states)
    assert weights_of(first) == weights_of(second)
    assert first.loss_curve_ == second.loss_curve_
    other = estimator(**{**settings, "random_state": 8}).fit(X, y)
    assert weights_of(first) != weights_of(other)


@ESTIMATORS
def test_in_one_batch_a_weight_is_a_repetition(estimator):
    X, y = data_for(estimator)
    weights = np.random.default_rng(1).integers(0, 4, len(X))
    settings = {**SMALL, "max_iter": 40, "alpha": 1.0}
    weighted = estimator(**settings).fit(X, y, sample_weight=weights)
    repeated = estimator(**settings).fit(X.repeat(weights, axis=0), y.repeat(weights))
    scaled = estimator(**settings).fit(X, y, sample_weight=weights / 2)
    assert outputs_of(weighted, X) == pytest.approx(outputs_of(repeated, X), rel=1e-9, abs=1e-9)
    assert outputs_of(weighted, X) != pytest.approx(outputs_of(scaled, X), rel=1e-9, abs=1e-9)  # alpha weighs more


@ESTIMATORS
@pytest.mark.parametrize("batch_size", [2, "auto"])
def test_rows_of_weight_zero_take_no_part(estimator, batch_size):
    X, y = data_for(estimator)
    settings = {**SMALL, "batch_size": batch_size, "alpha": 1.0}
    many, targets = np.tile(X, (5, 1)), np.tile(y, 5)  # more than a batch of "auto"
    weights = np.where(np.arange(len(many)) < len(X), 2.0, 0.0)
    weighted = estimator(**settings).fit(many, targets, sample_weight=weights)
    alone = estimator(**settings).fit(X, y, sample_weight=weights[: len(X)])
    assert weights_of(weighted) == weights_of(alone)


@ESTIMATORS
@pytest.mark.parametrize("solver", sorted({*SOLVERS} - {"lbfgs"}))
def test_epochs_of_partial_fit_are_epochs_of_fit(estimator, solver):
    """In one batch, where no shuffle tells them apart: the optimizer keeps its state from call to call."""
    X, y = data_for(estimator)
    options = {"classes": [0, 1]} if estimator is MLPClassifier else {}
    whole, parts = (estimator(**SMALL, solver=solver) for _ in range(2))
    whole.fit(X, y)
    for _ in range(SMALL["max_iter"]):
        assert parts.partial_fit(X, y, **options) is parts
    assert weights_of(parts) == weights_of(whole)
    assert parts.loss_curve_ == whole.loss_curve_


@pytest.mark.long
@pytest.mark.parametrize(("seeded", "orders"), [(True, 6), (False, 8)], ids=["a seed", "a RandomState"])
@ESTIMATORS
def test_partial_fit_shuffles_as_its_random_state_says(estimator, seeded, orders):
    """By a seed alike in every call, as in scikit-learn; a RandomState goes on from call to call."""
    X, y = data_for(estimator)
    weights = np.arange(1.0, len(X) + 1.0)  # the loss of an epoch depends on which rows share a batch
    settings = {**SMALL, "batch_size": 8, "learning_rate_init": 1e-300}
    settings["random_state"] = 0 if seeded else np.random.RandomState(0)
    model = estimator(**settings).fit(X, y, sample_weight=weights)
    for _ in range(3):
        model.partial_fit(X, y, sample_weight=weights)
    assert len(set(np.round(model.loss_curve_, 9))) == orders


@ESTIMATORS
def test_warm_start_goes_on_from_the_last_fit(estimator):
    X, y = data_for(estimator)
    model = estimator(**SMALL, warm_start=True)
    first = model.fit(X, y).module_
    assert model.fit(X, y).module_ is first
    assert len(model.loss_curve_) == 10
    assert model.set_params(warm_start=False).fit(X, y).module_ is not first
    assert len(model.loss_curve_) == 5


@ESTIMATORS
def test_training_that_was_cut_short_warns(estimator):
    X, y = data_for(estimator)
    with pytest.warns(ConvergenceWarning, match="5 epochs"):
        estimator(**SMALL).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = estimator(**{**SMALL, "max_iter": 200, "tol": 1.0}).fit(X, y)
        estimator(**{**SMALL, "max_iter": 1}).partial_fit(
            X, y, **({"classes": [0, 1]} if estimator is MLPClassifier else {})
        )
    assert model.n_iter_ == 12  # one better than none, and more than n_iter_no_change without progress


@ESTIMATORS
def test_an_interrupted_training_keeps_the_network(estimator, monkeypatch):
    X, y = data_for(estimator)
    record = Recorder.__call__

    def interrupt(recorder, run):
        record(recorder, run)
        if run.epoch == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(Recorder, "__call__", interrupt)
    with pytest.warns(UserWarning, match="interrupted"):
        model = estimator(**SMALL).fit(X, y)
    assert len(model.loss_curve_) == model.n_iter_ == 3
    monkeypatch.undo()
    assert weights_of(model) == weights_of(estimator(**{**SMALL, "max_iter": 3}).fit(X, y))


def test_verbose_prints_every_epoch(capsys):
    MLPClassifier(**{**SMALL, "early_stopping": True}, verbose=True).fit(*MOONS)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines[::2]] == [f"Iteration {n}" for n in range(1, 6)]
    assert all(line.startswith("Validation score: ") for line in lines[1::2])


@pytest.mark.parametrize("activation", ["gelu", "softplus", "sigmoid", "linear"])
def test_our_own_activations_train_too(activation):
    model = MLPClassifier(**SMALL, activation=activation).fit(*MOONS)
    assert [layer.neurons[0].activation for layer in model.module_.layers] == [activation, "linear"]


# Mistakes.

X, Y = MOONS


def with_number(row, column, number):
    changed = X.copy()
    changed[row, column] = number
    return changed


REFUSED = {
    "NaN": (with_number(3, 1, np.nan), Y, "NaN in row 3, column 1"),
    "inf": (with_number(5, 0, -np.inf), Y, "inf in row 5, column 0"),
    "ragged": ([[1.0, 2.0], [3.0]], [0, 1], "inhomogeneous|ragged|sequence"),
    "no rows": (X[:0], Y[:0], "0 sample"),
    "no columns": (X[:, :0], Y, "0 feature"),
    "lengths": (X, Y[:-1], "inconsistent numbers of samples"),
    "text": (np.full(X.shape, "a"), Y, "X holds text"),
    "one dimension": (X[:, 0], Y, "2D array"),
    "NaN in y": (X, np.where(np.arange(len(Y)) == 4, np.nan, Y), "NaN"),
    "no y": (X, None, "requires y"),
}
REFUSED_LABELS = {
    "one class": (X, np.ones(len(X)), "one class only"),
    "fractions": (X, X[:, 0], "continuous"),
    "several a row": (X, np.stack([Y, Y + 5], axis=1), r"y is a matrix \[60, 2\] that holds"),
    "more axes": (X, np.zeros((len(X), 2, 2)), "dim 3"),
}
REFUSED_WEIGHTS = {
    "zeros": (np.zeros(len(X)), "zero"),
    "below zero": (np.where(Y == 1, -1.0, 1.0), "0 or more"),
    "NaN": (np.full(len(X), np.nan), "nan"),
    "lengths": (np.ones(3), "3 rows"),
}


@ESTIMATORS
@pytest.mark.parametrize("name", REFUSED)
def test_bad_data_is_refused_and_changes_nothing(estimator, name):
    samples, targets, words = REFUSED[name]
    model = estimator(**SMALL)
    with pytest.raises(ValueError, match=words):
        model.fit(samples, targets)
    assert vars(model) == vars(estimator(**SMALL))
    model.fit(*data_for(estimator))
    before = vars(model).copy(), weights_of(model)
    with pytest.raises(ValueError, match=words):
        model.fit(samples, targets)
    assert (vars(model), weights_of(model)) == before


@pytest.mark.parametrize("name", REFUSED_LABELS)
def test_bad_labels_are_refused(name):
    samples, targets, words = REFUSED_LABELS[name]
    with pytest.raises(ValueError, match=words):
        MLPClassifier(**SMALL).fit(samples, targets)


@ESTIMATORS
@pytest.mark.parametrize("name", REFUSED_WEIGHTS)
def test_bad_weights_are_refused(estimator, name):
    weights, words = REFUSED_WEIGHTS[name]
    with pytest.raises(ValueError, match=words):
        estimator(**SMALL).fit(*data_for(estimator), sample_weight=weights)


def test_weights_that_leave_one_class_are_refused():
    with pytest.raises(ValueError, match="with these weights y holds one class only"):
        MLPClassifier(**SMALL).fit(X, Y, sample_weight=Y)


def test_partial_fit_refuses_what_it_was_not_told():
    with pytest.raises(ValueError, match="first call"):
        MLPClassifier(**SMALL).partial_fit(X, Y)
    with pytest.raises(ValueError, match="one class only"):
        MLPClassifier(**SMALL).partial_fit(X, np.ones(len(X)), classes=[1])
    model = MLPClassifier(**SMALL).partial_fit(X[:1], Y[:1], classes=[1, 0, 2])
    with pytest.raises(ValueError, match=r"not among the classes.*\[3\]"):
        model.partial_fit(X, Y + 2)
    with pytest.raises(ValueError, match="not those of the calls before"):
        model.partial_fit(X, Y, classes=[0, 1])
    with pytest.raises(ValueError, match="early_stopping"):
        MLPRegressor(**SMALL, early_stopping=True).partial_fit(X, Y)
    with pytest.raises(ValueError, match="made for 1"):
        MLPRegressor(**SMALL).fit(X, X[:, 0]).partial_fit(X, X)


NO_SETTINGS = {
    "hidden_layer_sizes": [0, (3, 0), "8", (2.5,), None, "squared_error"],
    "activation": ["softmax", None],
    "solver": ["newton", None],
    "alpha": [-1e-9, np.nan, "1", np.inf],
    "batch_size": [0, "all", 2.5],
    "learning_rate": ["cosine", 0.1],
    "learning_rate_init": [0.0, np.inf, None],
    "power_t": [-0.5, "0.5"],
    "max_iter": [0, 2.5],
    "shuffle": ["no", None],
    "random_state": [-1, "seed", np.random.default_rng(0)],
    "tol": [-1.0, np.nan],
    "verbose": ["yes"],
    "warm_start": [None],
    "momentum": [-0.1, 1.5],
    "nesterovs_momentum": ["no"],
    "early_stopping": [0.1],
    "validation_fraction": [-0.1, 1.0],
    "beta_1": [1.0, -0.1],
    "beta_2": [1.0, None],
    "epsilon": [0.0, np.nan],
    "n_iter_no_change": [0, 2.5],
    "max_fun": [0, 1e4],
}


@pytest.mark.parametrize("name", NO_SETTINGS)
def test_settings_that_make_no_sense_are_refused_by_name(name):
    assert NO_SETTINGS.keys() == MLPClassifier().get_params().keys()
    for setting in NO_SETTINGS[name]:
        with pytest.raises(ValueError, match=f"^{name} is .*, got .*$") as caught:
            MLPClassifier(**{name: setting}).fit(X, Y)
        assert "\n" not in str(caught.value)


def test_too_few_rows_to_hold_out_are_refused():
    with pytest.raises(ValueError, match="validation_fraction"):
        MLPRegressor(**SMALL, early_stopping=True).fit(X[:8], Y[:8])


@ESTIMATORS
def test_a_rate_that_diverges_is_an_error_and_changes_nothing(estimator):
    model = estimator(**{**SMALL, "solver": "sgd", "learning_rate_init": 1e200, "max_iter": 50})
    with pytest.raises(FloatingPointError, match="smaller learning rate"):
        model.fit(*data_for(estimator))
    assert not hasattr(model, "module_")


@ESTIMATORS
def test_nothing_is_predicted_before_fit(estimator):
    for method in ("predict", "predict_proba", "decision_function"):
        if hasattr(estimator, method):
            with pytest.raises(NotFittedError):
                getattr(estimator(), method)("not even looked at")


# scikit-learn's tools.


@ESTIMATORS
def test_cross_validation_in_a_pipeline(estimator):
    settings = {"hidden_layer_sizes": (8,), "max_iter": 100, "learning_rate_init": 0.05, "random_state": 0}
    scores = cross_val_score(make_pipeline(StandardScaler(), estimator(**settings)), *data_for(estimator), cv=3)
    assert scores.mean() > 0.8


@pytest.mark.long
def test_a_grid_is_searched_in_two_processes():
    search = GridSearchCV(
        MLPClassifier(**SMALL), {"alpha": [1e-4, 1.0], "activation": ["relu", "tanh"]}, cv=2, n_jobs=2
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(*MOONS)
    alone = clone(search.best_estimator_).fit(*MOONS)
    assert weights_of(search.best_estimator_) == weights_of(alone)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@ESTIMATORS
def test_a_clone_has_the_settings_and_nothing_learned(estimator):
    model = estimator(**SMALL, solver="rmsprop").fit(*data_for(estimator))
    fresh = clone(model)
    assert fresh.get_params() == model.get_params()
    assert not hasattr(fresh, "module_")


@ESTIMATORS
@pytest.mark.parametrize("tool", [pickle, joblib], ids=lambda tool: tool.__name__)
def test_a_copy_on_disk_predicts_and_goes_on_alike(estimator, tool, tmp_path):
    X, y = data_for(estimator)
    model = estimator(**SMALL).fit(X, y)
    before = outputs_of(model, X)  # with a compiled program, which stays here
    path = tmp_path / "model"
    with path.open("wb") as file:
        tool.dump(model, file)
    with path.open("rb") as file:
        loaded = tool.load(file)
    assert (outputs_of(loaded, X) == before).all()
    model.partial_fit(X, y)
    loaded.partial_fit(X, y)
    assert weights_of(loaded) == weights_of(model)


def test_the_decision_boundary_is_drawn():
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    model = MLPClassifier(**SMALL).fit(*MOONS)
    display = DecisionBoundaryDisplay.from_estimator(model, X, grid_resolution=5)
    assert display.response.shape == (5, 5)
    pyplot.close(display.figure_)


def test_names_of_columns_are_kept_and_compared(pandas):
    frame = pandas.DataFrame(X, columns=["left", "right"])
    model = MLPClassifier(**SMALL).fit(frame, Y)
    assert model.feature_names_in_.tolist() == ["left", "right"]
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.rename(columns={"left": "up"}))


def test_an_estimator_goes_on_with_frozen_layers():
    regressor = MLPRegressor(**SMALL, warm_start=True).fit(*data_for(MLPRegressor))
    first, second = regressor.module_.layers
    first.requires_grad_(False)
    before = [[parameter.data for parameter in layer.parameters()] for layer in (first, second)]
    regressor.fit(*data_for(MLPRegressor))
    after = [[parameter.data for parameter in layer.parameters()] for layer in regressor.module_.layers]
    assert (regressor.module_.layers[0] is first, before[0] == after[0], before[1] == after[1]) == (True, True, False)
