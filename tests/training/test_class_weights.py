"""Class weights: weights of samples by their labels, as PyTorch and scikit-learn have them."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from scalargrad import MLP, SGD, Adam, Checkpoint
from scalargrad.datasets import load_moons
from scalargrad.training.class_weights import checked_class_weight, weights_of_rows
from scalargrad.training.objectives import objective_of

POINTS, LABELS = load_moons(60, noise=0.2, seed=1)
LABELS = LABELS + (POINTS[:, 0] > 1.2) * LABELS  # 0, 1 and a rare 2
WEIGHTS = {0: 1.0, 1: 0.25, 2: 4.0}


def numbers(model):
    return np.array([parameter.data for parameter in model.parameters()])


def network(outputs=3):
    return MLP(2, [5, outputs], activation="tanh", init="xavier", rng=0)


def fitted(X=POINTS, y=LABELS, loss="cross_entropy", outputs=3, **settings):
    model, settings = (
        network(outputs),
        {"epochs": 3, "batch_size": 16, "backend": "numpy", "progress": False, **settings},
    )
    return model, model.fit(X, y, loss, Adam(0.05), **settings)


# What they are.


def test_balanced_weights_are_scikit_learns():
    choice = np.random.default_rng(0)
    for _ in range(20):
        labels, repeats = choice.integers(0, 4, 30), choice.integers(1, 4, 30)
        repeated = np.repeat(labels, repeats)  # a row of weight 3 counts like three rows
        for weights, those in ((None, labels), (repeats.astype(float), repeated)):
            seen = np.unique(labels)
            expected = dict(zip(seen, compute_class_weight("balanced", classes=seen, y=those), strict=True))
            found = weights_of_rows("balanced", objective_of("cross_entropy"), (4,), labels, weights)
            own = np.ones(30) if weights is None else weights
            np.testing.assert_allclose(found, own * [expected[label] for label in labels], rtol=1e-14)


def test_a_label_whose_rows_all_weigh_nothing_is_not_balanced():
    labels, weights = np.array([0, 0, 1, 2]), np.array([1.0, 1.0, 1.0, 0.0])
    found = weights_of_rows("balanced", objective_of("cross_entropy"), (3,), labels, weights)
    assert found.tolist() == [0.75, 0.75, 1.5, 0.0]


@pytest.mark.sampled(3)
@pytest.mark.parametrize("backend", ["native", "numpy", "jax", "eager"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_they_are_weights_of_samples(backend, dtype):
    X, own = POINTS.astype(dtype), 0.5 + np.arange(60.0) % 3
    by_label = np.array([WEIGHTS[label] for label in LABELS])
    balanced = compute_class_weight("balanced", classes=np.arange(3), y=LABELS)[LABELS]
    for class_weight, sample_weight, expected in (
        (WEIGHTS, None, by_label),
        (WEIGHTS, own, by_label * own),
        ("balanced", None, balanced),
    ):
        one, history = fitted(X, class_weight=class_weight, sample_weight=sample_weight, backend=backend)
        other, same = fitted(X, sample_weight=expected, backend=backend)
        np.testing.assert_allclose(numbers(one), numbers(other), rtol=1e-12 if dtype == "float64" else 1e-6)
        np.testing.assert_allclose(history["loss"], same["loss"], rtol=1e-12 if dtype == "float64" else 1e-6)
    assert np.abs(numbers(one) - numbers(fitted(X, backend=backend)[0])).max() > 0.01  # they do something


def test_the_loss_is_pytorchs_weighted_mean(torch):
    """sum(w * loss) / sum(w) over the batch; here of all rows, at a rate of 0."""
    model = network()
    history = model.fit(POINTS, LABELS, "cross_entropy", SGD(0.0), 1, class_weight=WEIGHTS, progress=False)
    outputs = torch.tensor([[output.data for output in model(point)] for point in POINTS], dtype=torch.float64)
    weight = torch.tensor(list(WEIGHTS.values()), dtype=torch.float64)
    expected = torch.nn.functional.cross_entropy(outputs, torch.tensor(LABELS), weight=weight)
    assert history["loss"][0] == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize(("loss", "labels"), [("binary_cross_entropy", (0, 1)), ("hinge", (-1, 1))])
def test_losses_of_two_labels_and_one_output_take_them(loss, labels):
    y = np.where(LABELS > 0, *labels[::-1])
    weights = {labels[0]: 3.0, labels[1]: np.float32(0.5)}
    one, _ = fitted(y=y, loss=loss, outputs=1, class_weight=weights)
    other, _ = fitted(y=y, loss=loss, outputs=1, sample_weight=[float(weights[label]) for label in y])
    assert (numbers(one) == numbers(other)).all()


def test_validation_is_not_weighted():
    both = [fitted(epochs=1, validation=(POINTS[:20], LABELS[:20]), class_weight=w) for w in (WEIGHTS, "balanced")]
    for model, history in both:
        assert history["val_loss"] == [model.evaluate(POINTS[:20], LABELS[:20], backend="numpy").loss]


def test_balanced_are_those_of_the_rows_to_train_on():
    settings = {"validation": 0.5, "rng": 3, "epochs": 1, "batch_size": None}
    trained = []

    def augment(X, seed, epoch):
        trained.append(X.tolist())
        return X

    one, _ = fitted(class_weight="balanced", augment=augment, **settings)
    rows = [POINTS.tolist().index(point) for point in trained[0]]
    seen = np.unique(LABELS[rows])
    weights = dict(zip(seen.tolist(), compute_class_weight("balanced", classes=seen, y=LABELS[rows]), strict=True))
    other, _ = fitted(class_weight=weights, **settings)
    np.testing.assert_allclose(numbers(one), numbers(other), rtol=1e-12)


def test_a_label_of_weight_0_takes_no_part():
    one, _ = fitted(class_weight={0: 1, 1: 1, 2: 0}, batch_size=None)
    kept = LABELS < 2
    other, _ = fitted(POINTS[kept], LABELS[kept], batch_size=None)
    np.testing.assert_allclose(numbers(one), numbers(other), rtol=1e-12)


# Errors.

LABEL = 'class_weight is "balanced" or a dictionary {label: weight}, got '
WRONG = {
    "another word": ("balance", ValueError, LABEL + "'balance'"),
    "a list": ([1.0, 2.0, 3.0], TypeError, LABEL + r"\[1.0, 2.0, 3.0\]; for a list of weights, dict\(enumerate"),
    "an array": (np.ones(3), TypeError, LABEL + ".*; for a list of weights, dict"),
    "a number": (2.0, TypeError, LABEL + "2.0$"),
    "no weight": ({0: 1.0, 1: 1.0}, ValueError, "class_weight has no weight for 2, and y holds 0, 1, 2$"),
    "nothing": ({}, ValueError, "class_weight has no weight for 0, 1, 2, and y holds"),
    "unknown": (
        {**WEIGHTS, 3: 1.0, 7: 2.0},
        ValueError,
        "class_weight has a weight for 3, 7, and the labels of this model are 0, 1, 2$",
    ),
    "text": ({"0": 1.0}, ValueError, "class_weight has the label '0', and labels are whole numbers"),
    "half a label": ({0.5: 1.0}, ValueError, "class_weight has the label 0.5, and labels are whole numbers"),
    "negative": ({**WEIGHTS, 1: -1.0}, ValueError, r"class_weight\[1\] is a number from 0 on, got -1.0"),
    "nan": ({**WEIGHTS, 1: float("nan")}, ValueError, r"class_weight\[1\] is a number from 0 on, got nan"),
    "text as a weight": ({**WEIGHTS, 1: "1"}, ValueError, r"class_weight\[1\] is a number from 0 on, got '1'"),
    "all 0": (
        dict.fromkeys(WEIGHTS, 0.0),
        ValueError,
        "the product of class_weight and sample_weight is 0 for every row",
    ),
    "one left": ({0: 0, 1: 1, 2: 0}, ValueError, "y holds one class only, 1"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_ones_are_one_line_and_change_nothing(name):
    wrong, kind, words = WRONG[name]
    model, optimizer = network(), Adam()
    before = numbers(model)
    with pytest.raises(kind, match=f"^{words.replace('{', '[{]')}") as caught:
        model.fit(POINTS, LABELS, "cross_entropy", optimizer, class_weight=wrong, progress=False)
    assert "\n" not in str(caught.value)
    assert ((numbers(model) == before).all(), optimizer.steps, model.fitted_loss) == (True, 0, "")


@pytest.mark.parametrize("loss", ["mse", lambda outputs, label: (outputs[0] - label) ** 2], ids=["mse", "own"])
def test_losses_without_classes_have_no_class_weights(loss):
    outputs = 1 if loss == "mse" else 3
    with pytest.raises(ValueError, match=r"^class_weight is for the losses of classes, .* pass sample_weight"):
        fitted(loss=loss, outputs=outputs, class_weight="balanced")


def test_labels_may_be_numpys_and_come_in_any_order():
    given = {np.int64(2): np.float32(4.0), 0.0: 1, np.uint8(1): np.array(0.25)}
    assert checked_class_weight(given) == WEIGHTS
    assert str(checked_class_weight(given)) == str(WEIGHTS)
    assert (numbers(fitted(class_weight=given)[0]) == numbers(fitted(class_weight=WEIGHTS)[0])).all()


def test_a_resumed_run_has_the_same(tmp_path):
    path = tmp_path / "run.safetensors"
    fitted(epochs=2, class_weight=WEIGHTS, callbacks=[Checkpoint(path)])
    settings = {"epochs": 4, "class_weight": dict(reversed(WEIGHTS.items()))}
    resumed, whole = fitted(resume=path, **settings)[0], fitted(**settings)[0]
    assert (numbers(resumed) == numbers(whole)).all()
    for other in (None, "balanced", {**WEIGHTS, 1: 2.0}):
        with pytest.raises(ValueError, match=r"holds a run with class_weight '.*', and this one has"):
            fitted(resume=path, epochs=4, class_weight=other)
