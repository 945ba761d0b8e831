"""The table of objectives: scores, predictions, probabilities and measures against NumPy, scikit-learn and PyTorch."""

import itertools

import numpy as np
import pytest

from scalargrad import losses
from scalargrad.compiler import compile
from scalargrad.training.objectives import OBJECTIVES, confusion, measure_of, objective_of, refuse_one_class

NAN, INF = float("nan"), float("inf")
CLASSIFIERS = [name for name, row in OBJECTIVES.items() if row.measure == "accuracy"]
REGRESSORS = [name for name, row in OBJECTIVES.items() if row.measure == "r2"]
TWO_CLASSES = [name for name in CLASSIFIERS if name != "cross_entropy"]
BACKENDS = [("eager", "float64"), ("numpy", "float64"), ("native", "float64"), ("native", "float32")]


def scores(name, outputs, targets, backend="numpy", dtype="float64"):
    """The score of each row, from a compiled program."""
    program = compile(lambda output, target: [OBJECTIVES[name].score(output, target)], backend=backend, dtype=dtype)
    return program(outputs, targets)[:, 0]


def scores_one_by_one(name, outputs, targets):
    """The score of each row, on floats."""
    rows = zip(outputs.tolist(), targets.tolist(), strict=True)
    return [OBJECTIVES[name].score(output, target) for output, target in rows]


def examples(name, rows=40, seed=0):
    """Outputs and targets of such a model, with ties."""
    random = np.random.default_rng(seed)
    if name == "cross_entropy":
        return random.integers(-2, 3, (rows, 4)).astype(float), random.integers(0, 4, rows)
    if name in TWO_CLASSES:
        return random.integers(-2, 3, rows).astype(float), random.choice(OBJECTIVES[name].classes(()), rows)
    return random.normal(size=(rows, 3)), random.normal(size=(rows, 3))


# Scores.


def all_logits(values, classes=3):
    """Every row of logits of these values, with every label."""
    rows = [(logits, label) for logits in itertools.product(values, repeat=classes) for label in range(classes)]
    return np.array([logits for logits, _ in rows]), np.array([label for _, label in rows])


@pytest.mark.parametrize(("backend", "dtype"), BACKENDS)
def test_accuracy_is_the_choice_of_argmax_with_all_ties(backend, dtype):
    logits, labels = all_logits([-INF, -1.0, -0.0, 0.0, 1.0, INF])
    expected = logits.argmax(axis=1) == labels
    assert (scores("cross_entropy", logits, labels, backend, dtype) == expected).all()
    assert scores_one_by_one("cross_entropy", logits, labels) == expected.tolist()


@pytest.mark.parametrize(("backend", "dtype"), BACKENDS)
def test_logits_with_a_nan_are_wrong(backend, dtype):
    logits, labels = all_logits([NAN, 0.0, 1.0])
    expected = (logits.argmax(axis=1) == labels) & ~np.isnan(logits).any(axis=1)
    assert (scores("cross_entropy", logits, labels, backend, dtype) == expected).all()
    assert scores_one_by_one("cross_entropy", logits, labels) == expected.tolist()
    assert measure_of(OBJECTIVES["cross_entropy"], logits, labels) == expected.mean()


@pytest.mark.parametrize(("backend", "dtype"), BACKENDS)
@pytest.mark.parametrize("name", TWO_CLASSES)
def test_accuracy_of_one_output_is_the_side_of_0(name, backend, dtype):
    outputs = np.array([-INF, -1.0, -1e-30, -0.0, 0.0, 1e-30, 1.0, INF, NAN] * 2)
    lower, upper = OBJECTIVES[name].classes(())
    labels = np.repeat([lower, upper], len(outputs) // 2)
    right = [True] * 5 + [False] * 4 + [False] * 5 + [True] * 3 + [False]
    assert scores(name, outputs, labels, backend, dtype).tolist() == right
    assert scores_one_by_one(name, outputs, labels) == right
    assert ((OBJECTIVES[name].predictions(outputs) == labels) & ~np.isnan(outputs)).tolist() == right
    assert measure_of(OBJECTIVES[name], outputs, labels) == np.mean(right)


@pytest.mark.parametrize(("backend", "dtype"), BACKENDS)
@pytest.mark.parametrize("name", REGRESSORS)
def test_the_score_of_numbers_is_the_squared_error_of_all_outputs(name, backend, dtype):
    outputs, targets = examples(name)
    expected = ((outputs - targets) ** 2).sum(axis=1)
    tolerance = 1e-14 if dtype == "float64" else 1e-5
    assert scores(name, outputs, targets, backend, dtype) == pytest.approx(expected, rel=tolerance)
    assert scores(name, outputs[:, 0], targets[:, 0], backend, dtype) == pytest.approx(
        (outputs[:, 0] - targets[:, 0]) ** 2, rel=tolerance, abs=tolerance * 1e-3
    )


def test_the_score_of_many_classes_has_no_more_instructions_than_of_few():
    counts = []
    for classes in (3, 50):
        program = compile(OBJECTIVES["cross_entropy"].score, backend="numpy")
        program(np.zeros((2, classes)), [0, 1])
        counts.append(len(str(program).splitlines()))
    assert counts[0] == counts[1] < 15


# Measures.


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_mean_of_the_scores_becomes_the_measure(name):
    row = OBJECTIVES[name]
    outputs, targets = examples(name)
    mean = scores(name, outputs, targets).mean()
    assert row.from_mean(mean, targets) == pytest.approx(measure_of(row, outputs, targets), rel=1e-14)


@pytest.mark.parametrize("weights", [None, np.arange(40) % 3], ids=["alike", "weighted"])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_measure_is_scikit_learns(name, weights):
    from sklearn import metrics

    outputs, targets = examples(name)
    measure = measure_of(OBJECTIVES[name], outputs, targets, weights)
    if name in CLASSIFIERS:
        predictions = OBJECTIVES[name].predictions(outputs)
        assert measure == pytest.approx(metrics.accuracy_score(targets, predictions, sample_weight=weights), rel=1e-14)
        return
    weighted = {"sample_weight": weights, "multioutput": "variance_weighted"}
    assert measure == pytest.approx(metrics.r2_score(targets, outputs, **weighted), rel=1e-12)
    alone = measure_of(OBJECTIVES[name], outputs[:, 0], targets[:, 0], weights)
    assert alone == pytest.approx(metrics.r2_score(targets[:, 0], outputs[:, 0], sample_weight=weights), rel=1e-12)


@pytest.mark.parametrize("outputs", [[2.0, 2.0, 2.0], [2.0, 2.0, 3.0]])
def test_r_squared_of_constant_targets_is_scikit_learns(outputs):
    from sklearn import metrics

    outputs, targets = np.array(outputs), np.array([2.0, 2.0, 2.0])
    assert measure_of(OBJECTIVES["mse"], outputs, targets) == metrics.r2_score(targets, outputs)


def test_targets_are_constant_though_their_mean_is_rounded():
    targets = np.full(3, 0.1)
    assert np.average(targets) != 0.1
    assert measure_of(OBJECTIVES["mse"], np.zeros(3), targets) == 0.0


def test_rows_of_weight_0_do_not_keep_targets_from_being_constant():
    assert measure_of(OBJECTIVES["mse"], np.zeros(3), np.array([1.0, 1.0, 5.0]), np.array([1.0, 1.0, 0.0])) == 0.0


def test_errors_of_a_constant_output_count():
    targets = np.array([[0.0, 7.0], [2.0, 7.0]])
    assert measure_of(OBJECTIVES["mse"], targets + np.array([0.0, 1.0]), targets) == 0.0  # 1 - 2 / 2


def test_r_squared_of_a_single_row_is_not_defined():
    assert np.isnan(measure_of(OBJECTIVES["mse"], np.array([1.0]), np.array([1.0])))


@pytest.mark.parametrize(("output", "measure"), [(INF, -INF), (NAN, NAN), (1e300, -INF)])
def test_outputs_out_of_bounds_are_measured_quietly(output, measure):
    found = measure_of(OBJECTIVES["mse"], np.array([output, 1.0]), np.array([0.0, 1.0]))
    assert found == pytest.approx(measure, nan_ok=True)


def test_outputs_in_a_column_are_not_compared_with_every_target():
    targets = np.array([1.0, 2.0, 4.0])
    assert measure_of(OBJECTIVES["mse"], targets[:, None], targets) == 1.0


def test_a_function_has_no_measure():
    with pytest.raises(ValueError, match=r"the loss quartic\(\) has no measure"):
        measure_of(objective_of(quartic), np.array([1.0]), np.array([1.0]))


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_confusion_is_scikit_learns(name):
    from sklearn import metrics

    outputs, targets = examples(name)
    classes = OBJECTIVES[name].classes(outputs.shape[1:])
    predictions = OBJECTIVES[name].predictions(outputs)
    counts = confusion(targets, predictions, classes)
    assert counts.dtype == np.int64
    assert (counts == metrics.confusion_matrix(targets, predictions, labels=list(classes))).all()


def test_confusion_keeps_room_for_classes_that_do_not_occur():
    assert confusion([1, 1], [0, 1], range(3)).tolist() == [[0, 0, 0], [1, 1, 0], [0, 0, 0]]


@pytest.mark.parametrize(("targets", "predictions"), [([0, 3], [0, 1]), ([0, 1], [3, 0])])
def test_confusion_with_an_unknown_label_is_refused(targets, predictions):
    with pytest.raises(ValueError, match="3 is not among the classes 0, 1, 2"):
        confusion(targets, predictions, range(3))


# Predictions and probabilities.


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_predictions_are_whole_numbers_of_the_classes(name, dtype):
    outputs, _ = examples(name)
    predictions = OBJECTIVES[name].predictions(outputs.astype(dtype))
    assert predictions.dtype == np.int64
    assert predictions.shape == (len(outputs),)
    assert set(predictions.tolist()) == set(OBJECTIVES[name].classes(outputs.shape[1:]))


@pytest.mark.parametrize("name", REGRESSORS)
def test_predictions_of_numbers_are_the_outputs(name):
    outputs, _ = examples(name)
    assert OBJECTIVES[name].predictions(outputs) is outputs


LOGITS = [[0.3, -1.7, 2.5], [0.0, 0.0, 0.0], [1000.0, 999.0, -1000.0], [-1e308, 1e308, 0.0], [-745.0, 0.0, -30.0]]


def test_probabilities_of_cross_entropy_are_pytorchs_softmax(torch):
    found = OBJECTIVES["cross_entropy"].probabilities(np.array(LOGITS))
    expected = torch.softmax(torch.tensor(LOGITS, dtype=torch.float64), dim=1).numpy()
    assert found == pytest.approx(expected, rel=1e-14, abs=1e-320)


def test_probabilities_of_one_output_are_pytorchs_sigmoid_of_both_signs(torch):
    logits = torch.tensor([-800.0, -40.0, -1.3, -0.0, 1e-20, 0.7, 36.0, 700.0, INF], dtype=torch.float64)
    found = OBJECTIVES["binary_cross_entropy"].probabilities(logits.numpy())
    assert found[:, 1] == pytest.approx(torch.sigmoid(logits).numpy(), rel=1e-15)
    assert found[:, 0] == pytest.approx(torch.sigmoid(-logits).numpy(), rel=1e-15)  # not 0 where p rounds to 1


def test_probabilities_of_one_output_are_as_small_as_they_are():
    """Where exp(710) is beyond the floats, sigmoid(-710) is not 0."""
    (row,) = OBJECTIVES["binary_cross_entropy"].probabilities(np.array([710.0]))
    assert row.tolist() == [pytest.approx(4.476286225675130e-309, rel=1e-12), 1.0]


@pytest.mark.parametrize("name", [name for name in CLASSIFIERS if OBJECTIVES[name].probabilities])
def test_the_likeliest_class_is_predicted(name):
    outputs, _ = examples(name)
    classes = np.array(OBJECTIVES[name].classes(outputs.shape[1:]))
    probabilities = OBJECTIVES[name].probabilities(outputs.astype("float32"))
    assert probabilities.dtype == np.float64
    assert probabilities.shape == (len(outputs), len(classes))
    assert probabilities.sum(axis=1) == pytest.approx(1.0, rel=1e-15)
    assert (classes[probabilities.argmax(axis=1)] == OBJECTIVES[name].predictions(outputs)).all()


def test_logits_that_are_no_numbers_give_no_probabilities():
    logits = np.array([[NAN, 0.0], [INF, 0.0], [1.0, 1.0]])
    found = OBJECTIVES["cross_entropy"].probabilities(logits)
    assert np.isnan(found[:2]).all()
    assert found[2].tolist() == [0.5, 0.5]


def test_only_losses_of_likelihoods_have_probabilities():
    assert [name for name, row in OBJECTIVES.items() if row.probabilities] == ["cross_entropy", "binary_cross_entropy"]


# Targets.

WELCOME = [
    ("cross_entropy", [0, 2, 1], (3,), [0, 2, 1]),
    ("cross_entropy", [0.0, 2.0], (3,), [0, 2]),
    ("cross_entropy", [1, 1], (3,), [1, 1]),  # to evaluate with
    ("cross_entropy", np.array([True, False]), (2,), [1, 0]),
    ("cross_entropy", np.array([9, 0], "uint8"), (10,), [9, 0]),
    ("binary_cross_entropy", (1, 0), (), [1, 0]),
    ("binary_cross_entropy", [True, False], (), [1, 0]),
    ("hinge", [-1.0, 1], (), [-1, 1]),
    ("mse", [1, 2], (), [1.0, 2.0]),
    ("mse", [[1], [2]], (), [1.0, 2.0]),
    ("mse", [1, 2], (1,), [[1.0], [2.0]]),
    ("mse", [[1, 2, 3], [4, 5, 6]], (3,), [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
    ("huber", [[[1, 2]], [[3, 4]]], (1, 2), [[[1.0, 2.0]], [[3.0, 4.0]]]),
]


@pytest.mark.parametrize(("name", "y", "outputs_shape", "expected"), WELCOME)
def test_targets_come_as_labels_or_as_numbers(name, y, outputs_shape, expected):
    targets = OBJECTIVES[name].targets(y, outputs_shape, len(y))
    assert targets.dtype == ("int64" if name in CLASSIFIERS else "float64")
    assert targets.tolist() == expected


MAPS_THEM = r"number the classes 0, 1, .* \(numpy\.unique\(y, return_inverse=True\)\[1\]\), or use .*MLPClassifier"
REFUSED = [
    ("cross_entropy", [0, NAN, 1], (3,), r"y\[1\] is nan: row 1"),
    ("cross_entropy", ["cat", "dog", "cat"], (2,), rf"y holds text, such as y\[0\] = 'cat': {MAPS_THEM}"),
    ("cross_entropy", np.array(["1", 2, 3], dtype=object), (3,), rf"y holds text, .*: {MAPS_THEM}"),
    ("cross_entropy", [0, 0.5, 1], (3,), r"y\[1\] is 0\.5: labels are the whole numbers 0, 1, \.\.\. 2"),
    ("cross_entropy", [0, 1e300, 1], (3,), r"y\[1\] is 1e\+300: labels are the whole numbers"),
    (
        "cross_entropy",
        [1, 2, 3],
        (3,),
        r"labels 1, 2, 3, and a model of 3 outputs knows 0 to 2: number them with numpy",
    ),
    ("cross_entropy", [-1, 0, 1], (3,), "labels -1, 0, 1, and a model of 3 outputs knows 0 to 2: number them"),
    ("cross_entropy", [0, 1, 2], (2,), "labels 0, 1, 2, and a model of 2 outputs .* give its last layer 3 neurons"),
    ("cross_entropy", range(40), (3,), r"labels 0, 1, 2, 3, 4, 5, \.\.\. 39, and .* give its last layer 40 neurons"),
    ("cross_entropy", [[1, 0], [0, 1], [1, 0]], (2,), r"y is one-hot, .*: pass numpy\.argmax\(y, axis=1\)"),
    ("cross_entropy", [[0.9, 0.1]] * 3, (2,), r"y holds several numbers .*: pass numpy\.argmax\(y, axis=1\)"),
    ("cross_entropy", [[0], [1], [1]], (2,), r"y has the shape \(3, 1\): .* numpy\.ravel\(y\)"),
    ("cross_entropy", [0, 1, 1], (), 'an output for each class, and the model returns one number: .*"binary_cross_en'),
    ("cross_entropy", [0, 1, 1], (1,), "the model returns a list of one number"),
    ("cross_entropy", [0, 1, 1], (2, 3), r"the model returns numbers of the shape \(2, 3\)"),
    (
        "binary_cross_entropy",
        [-1, 1, 1],
        (),
        r"labels -1, 1, and .* takes 0 and 1: pass \(numpy\.asarray\(y\) \+ 1\) / 2",
    ),
    ("binary_cross_entropy", [1, 2, 2], (), r"takes 0 and 1: pass numpy\.where\(numpy\.asarray\(y\) == 2, 1, 0\)"),
    ("binary_cross_entropy", [0, 0.5, 1], (), r"y\[1\] is 0\.5: labels are the whole numbers 0 and 1"),
    ("binary_cross_entropy", [0, 1, 1], (2,), "needs a model that returns one number, and this one returns 2 numbers"),
    ("hinge", [0, 1, 1], (), r"labels 0, 1, and hinge takes -1 and 1: pass 2 \* numpy\.asarray\(y\) - 1"),
    ("hinge", [True, False, True], (), r"pass 2 \* numpy\.asarray\(y\) - 1"),
    ("hinge", [3, 5, 3], (), r"pass numpy\.where\(numpy\.asarray\(y\) == 5, 1, -1\)"),
    ("hinge", [0, 1, 2], (), 'use loss="cross_entropy" with a model of 3 outputs'),
    ("hinge", ["a", "b", "a"], (), MAPS_THEM),
    ("hinge", [-1, 1, 1], (3,), 'returns 3 numbers: give its last layer one neuron, or use loss="cross_entropy"'),
    ("mse", [1.0, INF, 2.0], (), r"y\[1\] is inf: row 1"),
    ("mse", ["a", "b", "c"], (), r"y holds text, such as y\[0\] = 'a': pass numbers"),
    ("mse", [1j, 2, 3], (), "y holds complex128 and not real numbers"),
    ("mse", [[1, 2]] * 3, (), "y holds 2 numbers .* the model returns one number: give its last layer 2 neurons"),
    ("mse", [[1, 2]] * 3, (3,), "y holds 2 numbers .* the model returns 3 numbers: give its last layer 2 neurons"),
    ("mse", [0, 1, 2], (3,), 'y holds one number .* returns 3 numbers: .* for labels of classes, use loss="cross_entr'),
    ("huber", np.ones((3, 2, 2)), (3,), r"y holds numbers of the shape \(2, 2\) .*: each output needs a target"),
]


@pytest.mark.parametrize(("name", "y", "outputs_shape", "words"), REFUSED)
def test_bad_targets_are_refused_with_a_remedy(name, y, outputs_shape, words):
    with pytest.raises(ValueError, match=words):
        OBJECTIVES[name].targets(y, outputs_shape, len(y))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_there_must_be_a_target_for_each_sample(name):
    with pytest.raises(ValueError, match="y has 2 rows and X has 3: they must match, row by row"):
        OBJECTIVES[name].targets([0, 1], (2,) if name == "cross_entropy" else (), 3)


@pytest.mark.parametrize(
    ("name", "y", "outputs_shape"),
    [
        ("cross_entropy", ["cat", "dog", "cat"], (2,)),
        ("cross_entropy", [1, 2, 4], (3,)),
        ("cross_entropy", [-1, 1, 1], (2,)),
        ("cross_entropy", [[1, 0], [0, 1]], (2,)),
        ("cross_entropy", [[1], [0]], (2,)),
        ("binary_cross_entropy", [-1, 1, 1], ()),
        ("binary_cross_entropy", [3, 8, 3], ()),
        ("hinge", [0, 1, 1], ()),
        ("hinge", [True, False], ()),
        ("hinge", [1, 2, 2], ()),
    ],
)
def test_the_remedy_is_one(name, y, outputs_shape):
    with pytest.raises(ValueError, match=r"numpy\.") as refusal:
        OBJECTIVES[name].targets(y, outputs_shape)
    formulas = ("numpy.unique(y, return_inverse=True)[1]", *str(refusal.value).split("pass ")[1:], "numpy.ravel(y)")
    formula = next(formula for formula in formulas if formula in str(refusal.value))
    remedied = OBJECTIVES[name].targets(eval(formula, {"numpy": np, "y": y}), outputs_shape, len(y))
    assert len(set(remedied.tolist())) == len(np.unique(y, axis=0))


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("given", [None, 1.0, "text", {0, 1}, (label for label in (0, 1))], ids=lambda x: str(type(x)))
def test_targets_that_are_no_list_are_a_wrong_type(name, given):
    with pytest.raises(TypeError, match="y takes an array or a list with a row for each sample"):
        OBJECTIVES[name].targets(given, (2,) if name == "cross_entropy" else ())


def test_an_error_calls_the_targets_by_their_name():
    with pytest.raises(ValueError, match=r"validation y holds .*: pass 2 \* numpy\.asarray\(y\) - 1"):
        OBJECTIVES["hinge"].targets([0, 1], (), name="validation y")


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_one_class_is_nothing_to_learn(name):
    row = OBJECTIVES[name]
    targets = row.targets([1, 1], (2,) if name == "cross_entropy" else ())
    with pytest.raises(ValueError, match="y holds one class only, 1: training needs samples of at least two"):
        refuse_one_class(row, targets)


def test_constant_numbers_may_be_learned():
    refuse_one_class(OBJECTIVES["mse"], np.array([1.0, 1.0]))
    refuse_one_class(objective_of(quartic), np.array([1.0, 1.0]))


# Functions as losses.


def quartic(output, target):
    return (output - target) ** 4


def test_a_function_becomes_an_objective_of_its_name():
    row = objective_of(quartic)
    assert (row.name, row.loss, row.measure, row.score) == ("quartic()", quartic, "", None)
    assert row.targets([[1, 2], [3, 4]], (5,), 2).tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert row.predictions(outputs := np.ones(3)) is outputs
    assert row.probabilities is row.classes is None


def test_an_object_that_can_be_called_becomes_an_objective_of_its_class():
    class Quartic:
        def __call__(self, output, target):
            return quartic(output, target)

    assert objective_of(Quartic()).name == "Quartic()"


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_row_is_found_by_its_name(name):
    assert objective_of(name) is OBJECTIVES[name]
    assert OBJECTIVES[name].name == name
    assert OBJECTIVES[name].loss in vars(losses).values()


def test_an_unknown_loss_is_refused():
    with pytest.raises(ValueError, match="loss 'crossentropy' is not known; there are mse, huber, cross_entropy, "):
        objective_of("crossentropy")
    with pytest.raises(TypeError, match="loss is a name or a function"):
        objective_of(3)
