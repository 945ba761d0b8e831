"""What users of scikit-learn's perceptron reach for: its parameters, attributes, solvers, and kinds of data."""

import copy
import inspect
import pickle

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.neural_network import MLPRegressor as TheirRegressor

from scalargrad import MLP, Adam
from scalargrad.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, SPECIES = load_iris(return_X_y=True)
TWO = (X[:100], SPECIES[:100])
LABELS = np.stack([SPECIES == 1, X[:, 0] > 5.5, X[:, 1] > 3.0], axis=1).astype(int)
SMALL = {"hidden_layer_sizes": (4,), "max_iter": 5, "random_state": 0}
BOTH = pytest.mark.parametrize(
    ("ours", "theirs"), [(MLPClassifier, TheirClassifier), (MLPRegressor, TheirRegressor)], ids=["classes", "numbers"]
)


@BOTH
def test_every_parameter_of_theirs_is_taken_with_their_default(ours, theirs):
    known, wanted = (inspect.signature(kind).parameters for kind in (ours, theirs))
    assert {name: x.default for name, x in wanted.items()} == {name: x.default for name, x in known.items()}
    assert [*known][:2] == ["hidden_layer_sizes", "activation"]
    for method in ("fit", "partial_fit", "predict", "score"):
        assert [*inspect.signature(getattr(ours, method)).parameters] == [
            *inspect.signature(getattr(theirs, method)).parameters
        ]


@BOTH
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_every_attribute_of_theirs_is_there_after_fit_and_none_before(ours, theirs, solver):
    found, wanted = (kind(**SMALL, solver=solver).fit(*TWO) for kind in (ours, theirs))
    names = [name for name in dir(wanted) if name.endswith("_") and not name.startswith("_")]
    assert "coefs_" in names
    assert [name for name in names if type(getattr(found, name)) is not type(getattr(wanted, name))] in (
        [],
        ["coefs_", "intercepts_"],
        ["coefs_", "intercepts_", "loss_"],  # a number of NumPy's there
        ["best_loss_", "coefs_", "intercepts_", "loss_"],
    )
    assert [name for name in names if hasattr(ours(), name)] == []
    methods = {name for name in dir(wanted) if not name.startswith("_") and callable(getattr(wanted, name))}
    without = {"partial_fit"} if solver == "lbfgs" else set()  # which their regressor has, and refuses to call
    assert {name for name in methods if not hasattr(found, name)} <= without


@pytest.mark.parametrize("y", [SPECIES, LABELS, X[:, :2], X[:, 0]], ids=["classes", "labels", "two", "one"])
def test_weights_have_their_shapes_and_predict_by_hand(y):
    kind = MLPClassifier if y.dtype.kind == "i" else MLPRegressor
    model = kind(**SMALL, activation="tanh").fit(X.astype("float32"), y)
    assert isinstance(model.coefs_, list)
    assert [a.shape for a in model.coefs_] == [(4, 4), (4, model.n_outputs_)]
    assert [a.shape for a in model.intercepts_] == [(4,), (model.n_outputs_,)]
    assert {a.dtype.name for a in model.coefs_ + model.intercepts_} == {"float32"}
    assert (model.n_layers_, model.t_) == (3, 5 * len(X))
    hidden = np.tanh(X @ model.coefs_[0] + model.intercepts_[0])
    outputs = (hidden @ model.coefs_[1] + model.intercepts_[1]).reshape(len(X), -1)
    found = model.decision_function(X) if kind is MLPClassifier else model.predict(X)
    assert found.reshape(outputs.shape) == pytest.approx(outputs, rel=1e-4, abs=1e-4)


def test_weights_that_are_set_are_those_of_the_network():
    model, other = (MLPClassifier(**{**SMALL, "random_state": n}).fit(X, SPECIES) for n in range(2))
    model.coefs_, model.intercepts_ = other.coefs_, other.intercepts_
    assert (model.predict_proba(X) == other.predict_proba(X)).all()
    model.coefs_[1] = np.zeros((4, 3))
    assert (model.coefs_[1] == 0.0).all()
    with pytest.raises(ValueError, match="read-only"):
        model.coefs_[0][0, 0] = 5.0
    with pytest.raises(ValueError, match=r"^coefs_ takes arrays of the shapes \[\(4, 4\), \(4, 3\)\].*, got"):
        model.coefs_ = [np.zeros((4, 4))]
    with pytest.raises(ValueError, match=r"^intercepts_ takes finite numbers"):
        model.intercepts_[0] = np.full(4, np.nan)
    assert type(pickle.loads(pickle.dumps(model.coefs_))) is list


# Several labels a row.


def test_several_labels_a_row_are_told_apart():
    model = MLPClassifier((16,), solver="lbfgs", random_state=0).fit(X, LABELS)
    probabilities = model.predict_proba(X)
    assert probabilities.shape == model.decision_function(X).shape == LABELS.shape
    assert (model.predict(X) == (probabilities > 0.5)).all()
    assert model.predict(X).dtype == int
    assert model.score(X, LABELS) > 0.9
    assert model.classes_.tolist() == [0, 1, 2]
    assert np.exp(model.predict_log_proba(X)) == pytest.approx(probabilities)


def test_several_labels_come_in_parts_too():
    whole, parts = MLPClassifier(**SMALL), MLPClassifier(**SMALL)
    whole.fit(X, LABELS.astype(bool))
    for _ in range(5):
        parts.partial_fit(X, LABELS, classes=[0, 1, 2])
    assert parts.predict_proba(X) == pytest.approx(whole.predict_proba(X), rel=1e-12)
    for targets, words in [
        (SPECIES % 2, r"^y holds one label a row, and the network was made for several"),
        (LABELS[:, :2], r"^y has 2 columns of labels, and there are 3 classes"),
        (LABELS * 2, r"^y is a matrix \[150, 3\] that holds .*2"),
    ]:
        with pytest.raises(ValueError, match=words):
            parts.partial_fit(X, targets)
    with pytest.raises(ValueError, match=r"^y has 3 columns of labels, and there are 4 classes"):
        MLPClassifier(**SMALL).partial_fit(X, LABELS, classes=range(4))
    with pytest.raises(ValueError, match=r"^y holds several labels a row, and the network was made for one"):
        MLPClassifier(**SMALL, warm_start=True).fit(X, SPECIES).fit(X, LABELS)


# Kinds of data.


@pytest.mark.parametrize("kind", ["csr_matrix", "csc_matrix", "coo_matrix", "csr_array", "lil_matrix"])
def test_sparse_samples_are_as_good_as_dense_ones(kind):
    sparse = getattr(scipy.sparse, kind)(np.where(X > 2.0, X, 0.0))
    for estimator, y in ((MLPClassifier, SPECIES), (MLPRegressor, X[:, 0])):
        dense = estimator(**SMALL).fit(sparse.toarray(), y)
        model = estimator(**SMALL).fit(sparse, y)
        assert (model.predict(sparse) == dense.predict(sparse.toarray())).all()


def test_sparse_samples_are_predicted_in_parts(monkeypatch):
    model = MLPClassifier(**SMALL).fit(X, SPECIES)
    monkeypatch.setattr("scalargrad.nn.estimators.network.ROWS_AT_ONCE", 64)
    assert (model.predict_proba(scipy.sparse.csr_matrix(X)) == model.predict_proba(X)).all()


def test_a_number_that_is_none_is_found_in_a_sparse_matrix_too():
    broken = X.copy()
    broken[7, 2] = np.nan
    with pytest.raises(ValueError, match=r"^X has NaN in row 7, column 2: "):
        MLPClassifier(**SMALL).fit(scipy.sparse.csc_matrix(broken), SPECIES)
    with pytest.raises(ValueError, match=r"^y is a sparse matrix: pass y.toarray\(\)"):
        MLPClassifier(**SMALL).fit(X, scipy.sparse.csr_matrix(LABELS))


def test_a_table_s_columns_are_called_by_their_names(pandas):
    table = pandas.DataFrame(X, columns=["sepal", "width", "petal", "breadth"])
    model = MLPClassifier(**SMALL).fit(table, pandas.Series(np.array(["a", "b", "c"])[SPECIES]))
    assert set(model.predict(table)) <= {"a", "b", "c"}
    table.loc[3, "petal"] = np.inf
    with pytest.raises(ValueError, match=r"^X has inf in row 3, column 'petal'"):
        model.predict(table)


@pytest.mark.parametrize("column", ["red", b"red", np.datetime64("2020-01-01"), [[1.0]] * 150])
def test_columns_that_hold_no_numbers_are_called_by_their_names(column, pandas):
    frame = pandas.DataFrame(X, columns=["a", "b", "c", "d"])
    fitted = MLPClassifier(**SMALL).fit(frame, SPECIES)
    frame["c"] = column
    for call in (lambda: MLPClassifier(**SMALL).fit(frame, SPECIES), lambda: fitted.predict(frame)):
        with pytest.raises(ValueError, match=r"^X has columns that hold no numbers, 'c' \("):
            call()


def test_text_is_refused_even_where_it_spells_numbers():
    with pytest.raises(ValueError, match=r"^X holds text, "):
        MLPClassifier(**SMALL).fit(X.astype(str), SPECIES)


def test_one_weight_for_all_changes_the_penalty_only():
    weighted = MLPRegressor(**SMALL, alpha=1.0).fit(X, X[:, 0], 2.0)
    half = MLPRegressor(**SMALL, alpha=0.5).fit(X, X[:, 0])
    assert weighted.predict(X) == pytest.approx(half.predict(X), rel=1e-9)


def test_counts_are_predicted_above_zero():
    counts = np.floor(X[:, 3] * 4.0)
    model = MLPRegressor((8,), loss="poisson", solver="lbfgs", max_iter=500, random_state=0).fit(X, counts)
    assert (model.predict(X) > 0.0).all()
    assert model.score(X, counts) > 0.8
    for targets in (counts - 1.0, np.stack([counts, -counts], axis=1)):
        with pytest.raises(ValueError, match=r'^y has -\d\.0 in row \d+, and loss="poisson" takes numbers from 0 on'):
            MLPRegressor(loss="poisson").fit(X, targets)
    with pytest.raises(ValueError, match=r"^loss is one of squared_error, poisson, got 'log_loss'"):
        MLPRegressor(loss="log_loss").fit(X, counts)
    with pytest.raises(ValueError, match=r"^hidden_layer_sizes is .* passed by its name, loss='poisson'"):
        MLPRegressor("poisson").fit(X, counts)


# L-BFGS.


def test_lbfgs_has_no_epochs():
    model = MLPClassifier(**SMALL, solver="lbfgs")
    assert not hasattr(model, "partial_fit")
    with pytest.raises(AttributeError, match=r'^partial_fit is an epoch, and solver="lbfgs" has none: use solver='):
        model.partial_fit(*TWO)
    with pytest.raises(ValueError, match=r'^early_stopping .* "lbfgs" has no epochs: '):
        model.set_params(early_stopping=True).fit(*TWO)
    assert hasattr(model.set_params(solver="adam"), "partial_fit")
    assert "epoch" in MLPClassifier.partial_fit.__doc__


def test_lbfgs_says_how_it_ended(capsys):
    with pytest.warns(ConvergenceWarning, match=r"^5 iterations or .* max_iter or max_fun"):
        model = MLPClassifier(**SMALL, solver="lbfgs", verbose=True).fit(*TWO)
    assert [line.split(",")[0] for line in capsys.readouterr().out.splitlines()] == [
        f"Iteration {n}" for n in range(1, 6)
    ]
    assert model.loss_ == model.loss_curve_[-1] == model.best_loss_
    ended = MLPClassifier(**{**SMALL, "max_iter": 300}, solver="lbfgs", alpha=1.0).fit(*TWO)
    assert ended.n_iter_ < 300
    go_on = MLPClassifier(**SMALL, solver="lbfgs", alpha=1.0, warm_start=True).fit(*TWO)
    for _ in range(3):
        before = go_on.loss_
        go_on.fit(*TWO)
        assert go_on.loss_ < before
    assert len(go_on.loss_curve_) == 20


def test_lbfgs_then_epochs():
    model = MLPClassifier(**SMALL, solver="lbfgs").fit(*TWO)
    before = model.loss_
    model.set_params(solver="adam").partial_fit(*TWO)
    assert (len(model.loss_curve_), model.n_iter_, model.t_) == (6, 1, 100)
    assert model.loss_ == pytest.approx(before, rel=1e-9)  # the loss before the step is that after the last one


def test_lbfgs_leaves_frozen_layers():
    model = MLPRegressor(**SMALL, solver="lbfgs", warm_start=True).fit(X, X[:, 0])
    model.module_.layers[0].requires_grad_(False)
    before = [array.copy() for array in model.coefs_]
    model.fit(X, X[:, 0])
    assert [(old == new).all() for old, new in zip(before, model.coefs_, strict=True)] == [True, False]


def test_lbfgs_that_is_interrupted_keeps_its_last_iteration(monkeypatch):
    shorter = MLPRegressor(**{**SMALL, "max_iter": 3}, solver="lbfgs").fit(X, X[:, 0])
    minimize = scipy.optimize.minimize

    def interrupted(function, *arguments, callback, **options):
        done = []

        def stop(intermediate_result):
            callback(intermediate_result)
            done.append(1)

        def losses(numbers):
            if len(done) == 3:
                raise KeyboardInterrupt
            return function(numbers)

        return minimize(losses, *arguments, callback=stop, **options)

    monkeypatch.setattr(scipy.optimize, "minimize", interrupted)
    with pytest.warns(UserWarning, match="interrupted"):
        model = MLPRegressor(**SMALL, solver="lbfgs").fit(X, X[:, 0])
    assert model.n_iter_ == 3
    assert (model.predict(X) == shorter.predict(X)).all()


def test_lbfgs_refuses_losses_that_are_no_numbers_and_changes_nothing():
    model = MLPRegressor(**SMALL, solver="lbfgs", warm_start=True).fit(X, X[:, 0])
    before = model.predict(X)
    with np.errstate(over="ignore"), pytest.raises(FloatingPointError, match=r"^the loss is "):
        model.fit(X, X[:, 0] * 1e300)
    assert (model.predict(X) == before).all()


# Epochs.


def test_the_rate_falls_as_it_is_told_to(capsys):
    settings = {**SMALL, "solver": "sgd", "max_iter": 40, "tol": 1.0, "n_iter_no_change": 2, "verbose": True}
    MLPRegressor(**settings, learning_rate="adaptive").fit(X, X[:, 0])
    printed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("no progress")]
    assert printed[0] == "no progress of 1.0 in 2 epochs: the learning rate is 0.0002 from now on"
    assert printed[-1] == "no progress of 1.0 in 2 epochs"


def test_warm_starts_count_what_was_before():
    settings = {**SMALL, "solver": "sgd", "early_stopping": True, "warm_start": True}
    ours, theirs = (kind(**settings).fit(*TWO).fit(*TWO) for kind in (MLPClassifier, TheirClassifier))
    assert ours.validation_scores_ == pytest.approx(theirs.validation_scores_)
    assert (ours.t_, ours.n_iter_) == (theirs.t_, theirs.n_iter_) == (900, 5)


@BOTH
@pytest.mark.parametrize("options", [{"batch_size": 7}, {}, {"batch_size": 7, "solver": "sgd"}, {"shuffle": False}])
@pytest.mark.parametrize("seed", [3, np.random.RandomState(3)], ids=["seed", "RandomState"])
def test_parts_and_fits_one_after_another_go_as_theirs(ours, theirs, options, seed):
    def after(kind, seed):
        network = kind(**SMALL | options | {"random_state": seed}).fit(X[:60], SPECIES[30:90])
        for rows in (slice(60), slice(20, 60)):
            network.partial_fit(X[rows], SPECIES[30:90][rows])
        parts = [*network.coefs_, network.t_]
        return [*parts, *network.fit(X[:60], SPECIES[30:90]).coefs_, network.loss_]

    for found, wanted in zip(after(ours, copy.deepcopy(seed)), after(theirs, seed), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-7, atol=1e-9)


@BOTH
@pytest.mark.parametrize(("args", "named"), [((), {"layers": 3}), (((3,), "tanh", "adam"), {})])
def test_errors_of_constructors_name_the_estimator(ours, theirs, args, named):
    with pytest.raises(TypeError, match=rf"^{ours.__name__}\(\) (takes|got an unexpected)"):
        ours(*args, **named)


def test_an_order_of_rows_is_asked_for_once_each_epoch_with_a_used_optimizer_too():
    model, optimizer, asked = MLP(4, [1], rng=0), Adam(), []
    for _ in range(2):
        model.fit(X[:10], X[:10, 0], "mse", optimizer, 2, 5, rng=lambda *row: asked.append(row) or range(10))
    assert sorted(set(asked)) == [(10, 0), (10, 1), (10, 4), (10, 5)]


@pytest.mark.parametrize("rng", [lambda rows, epoch: range(rows), lambda rows, epoch: np.roll(np.arange(rows), epoch)])
def test_fit_takes_rows_in_an_order_of_its_user_s(rng):
    native, eager = (MLP(4, [3, 1], rng=0) for _ in range(2))
    for model, backend in ((native, "native"), (eager, "eager")):
        model.fit(X[:10], X[:10, 0], optimizer=Adam(), epochs=3, batch_size=4, rng=rng, backend=backend)
    assert native.state_dict()["layers.0.weight"] == pytest.approx(eager.state_dict()["layers.0.weight"])


@pytest.mark.parametrize("order", [[0, 1], [0.0] * 10, [*range(9), 10], [*range(9), -1], [*range(9), 0], None])
def test_an_order_that_is_none_is_refused(order):
    model = MLP(4, [3, 1], rng=0)
    before = model.state_dict()["layers.0.weight"]
    with pytest.raises(ValueError, match=r"^rng returned .*an order of 10 rows holds each of 0 to 9 once"):
        model.fit(X[:10], X[:10, 0], batch_size=4, rng=lambda rows, epoch: order)
    assert (model.state_dict()["layers.0.weight"] == before).all()
    with pytest.raises(ValueError, match=r"^rng is a function, and augment takes a seed"):
        model.fit(X[:10], X[:10, 0], rng=lambda rows, epoch: order, augment=lambda images, seed, epoch: images)


# Tools.


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_copies_go_on_alike(copied, solver):
    model = MLPClassifier(**SMALL, solver=solver, warm_start=True).fit(X, LABELS)
    other = copied(model)
    assert (other.predict_proba(X) == model.predict_proba(X)).all()
    assert (other.fit(X, LABELS).predict_proba(X) == model.fit(X, LABELS).predict_proba(X)).all()


@pytest.mark.long
def test_grids_and_calibration_go_over_all_solvers():
    search = GridSearchCV(MLPClassifier(**SMALL), {"solver": ["lbfgs", "sgd", "adam"], "shuffle": [True, False]}, cv=2)
    search.fit(X, SPECIES)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    calibrated = CalibratedClassifierCV(MLPClassifier(**SMALL, solver="lbfgs"), cv=2).fit(X, SPECIES)
    assert calibrated.predict_proba(X).shape == (150, 3)
