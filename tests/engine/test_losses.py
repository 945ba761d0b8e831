"""Each loss against PyTorch's at ordinary predictions and against mpmath in the tails; values and derivatives."""

import math

import pytest
from mpmath import mp

from scalargrad.engine import Value, gradients
from scalargrad.losses import binary_cross_entropy_with_logits, cross_entropy, hinge, huber, l2, mse
from scalargrad.nn import log_softmax, softmax
from tests.oracles.losses import FAR, exact_binary_cross_entropy, exact_cross_entropy
from tests.platforms import Later

np = Later("numpy")

PREDICTIONS = [0.3, -1.7, 2.5, 0.0, 40.0, -800.0]
TARGETS = [1.0, 0.0, 1.0, 0.5, 0.0, 1.0]
SIGNS = [1.0, -1.0, 1.0, -1.0, 1.0, -1.0]

PAIRS = {
    "mse": (mse, TARGETS, lambda torch: torch.nn.functional.mse_loss),
    "huber": (huber, TARGETS, lambda torch: torch.nn.functional.huber_loss),
    "huber, delta 2": (
        lambda p, t: huber(p, t, delta=2.0),
        TARGETS,
        lambda torch: lambda p, t: torch.nn.functional.huber_loss(p, t, delta=2.0),
    ),
    "hinge": (hinge, SIGNS, lambda torch: lambda p, t: torch.relu(1.0 - t * p).mean()),
    "binary cross-entropy": (
        binary_cross_entropy_with_logits,
        TARGETS,
        lambda torch: torch.nn.functional.binary_cross_entropy_with_logits,
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_loss_and_its_gradient_are_pytorchs(name, torch):
    ours, targets, theirs = PAIRS[name]
    predictions = [Value(p) for p in PREDICTIONS]
    loss = ours(predictions, targets)
    inputs = torch.tensor(PREDICTIONS, dtype=torch.float64, requires_grad=True)
    expected = theirs(torch)(inputs, torch.tensor(targets, dtype=torch.float64))
    expected.backward()
    assert loss.data == pytest.approx(expected.item(), rel=1e-14)
    assert gradients(loss, predictions) == pytest.approx(inputs.grad.tolist(), rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("logits", [[[1.0, 2.0, -0.5], [0.0, 0.0, 0.0]], [[1000.0, 1.0, 0.0], [-1000.0, 0.0, 900.0]]])
def test_cross_entropy_is_pytorchs(logits, torch):
    labels = [2, 0]
    rows = [[Value(z) for z in row] for row in logits]
    loss = cross_entropy(rows, labels)
    inputs = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    expected = torch.nn.functional.cross_entropy(inputs, torch.tensor(labels))
    expected.backward()
    assert loss.data == pytest.approx(expected.item(), rel=1e-13)
    for row, expected_row in zip(rows, inputs.grad.tolist(), strict=True):
        assert gradients(loss, row) == pytest.approx(expected_row, rel=1e-11, abs=1e-16)


def test_cross_entropy_of_one_sample():
    assert cross_entropy([2.0, 0.0], 0) == pytest.approx(0.12692801104297263, rel=1e-15)


def test_l2_is_the_sum_of_squares():
    weights = [Value(3.0), Value(-4.0)]
    assert l2(weights).data == 25.0
    assert gradients(l2(weights), weights) == [6.0, -8.0]


# The tails: where a prediction is right, next to nothing is left of a loss, and none of that may be lost.

COMMON = [0.0, 1e6, -1e6, 1e15]
ROWS = [(0.0,), (1.0, -1.0), (40.0, 0.0), (0.0, 700.0), (30.0, 30.0), (40.0, 39.0, 0.0), (-700.0, 1.0, 2.0, 2.0)]
ULP = 32


def derivatives(loss, inputs):
    """The value, the slopes and the slopes of the slopes."""
    slopes = gradients(loss, inputs, create_graph=True)
    return [loss.data], [x.data for x in slopes], [second for x in slopes for second in gradients(x, inputs)]


def near(expected, scale=None):
    """Equal to a few units in the last place of each number; `scale` where a number is a difference of larger ones."""
    scales = [float(abs(x)) for x in (expected if scale is None else scale)]
    return [pytest.approx(float(x), abs=ULP * math.ulp(size)) for x, size in zip(expected, scales, strict=True)]


@pytest.mark.parametrize("label", [0.0, 1.0, 0.5, 0.3, 1e-6])
def test_binary_cross_entropy_keeps_its_digits(label):
    with mp.workdps(700):
        for x in FAR:
            logit = Value(x)
            found = derivatives(binary_cross_entropy_with_logits(logit, label), [logit])
            value, slope, second = exact_binary_cross_entropy(x, label)
            assert found == (
                [*near([value])],
                near([slope], [slope if label in (0.0, 1.0) else 1.0]),
                near([second]),
            ), x


def test_binary_cross_entropy_takes_labels_that_are_values():
    for x in FAR:
        logit, label = Value(x), Value(0.25)
        loss = binary_cross_entropy_with_logits(logit, label)
        assert gradients(loss, label) == -x
        assert gradients(gradients(loss, label, create_graph=True), logit) == pytest.approx(-1.0, rel=1e-15)


@pytest.mark.parametrize("common", COMMON)
def test_cross_entropy_keeps_its_digits(common):
    with mp.workdps(700):
        for row in ROWS:
            logits = [Value(x + common) for x in row]
            for label in range(len(row)):
                found = derivatives(cross_entropy(logits, label), logits)
                expected = exact_cross_entropy([x.data for x in logits], label)
                assert found == tuple(map(near, expected)), (row, label)


@pytest.mark.parametrize("common", COMMON)
def test_softmax_and_its_logarithm_keep_their_digits(common):
    with mp.workdps(700):
        for row in ROWS:
            logits = [Value(x + common) for x in row]
            exact = [exact_cross_entropy([x.data for x in logits], label) for label in range(len(row))]
            logarithms, probabilities = log_softmax(logits), softmax(logits)
            assert [x.data for x in logarithms] == near([-loss for (loss,), _, _ in exact]), row
            assert [x.data for x in probabilities] == near([mp.exp(-loss) for (loss,), _, _ in exact]), row
            for place, (_, slopes, seconds) in enumerate(exact):
                assert gradients(logarithms[place], logits) == near([-slope for slope in slopes]), row
                of_share = seconds[place * len(row) : (place + 1) * len(row)]
                assert gradients(probabilities[place], logits) == near(of_share), row


@pytest.mark.parametrize("logits", [[math.inf, 0.0], [0.0, -math.inf], [-math.inf, -math.inf, 1.0]])
def test_cross_entropy_of_infinite_logits(logits):
    """An impossible class costs nothing, unless it is the label; what is certain leaves nothing for the others."""
    for label, logit in enumerate(logits):
        others = [x for place, x in enumerate(logits) if place != label]
        expected = math.nan if logit == math.inf else math.inf if max(others) > logit + 1e300 else 0.0
        assert cross_entropy(logits, label) == pytest.approx(expected, nan_ok=True), label


def test_losses_of_distances_are_exact_where_numbers_are_large():
    for common in COMMON:
        for x in (1.0, -1.0, 0.5, 700.0):
            prediction = Value(common + x)
            assert derivatives(mse(prediction, common), [prediction]) == ([x * x], [2 * x], [2.0])
            bounded = (x * x / 2, x, 1.0) if abs(x) <= 1.0 else (abs(x) - 0.5, math.copysign(1.0, x), 0.0)
            assert derivatives(huber(prediction, common), [prediction]) == tuple([y] for y in bounded)
    for x in FAR:
        for label in (1, -1):
            score = Value(x)
            lost = label * x < 1.0
            expected = ([1.0 - label * x], [-float(label)], [0.0]) if lost else ([0.0], [0.0], [0.0])
            assert derivatives(hinge(score, label), [score]) == expected


# Wrong uses.


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mse([1.0, 2.0], [1.0]), "mse: 2 predictions for 1 targets"),
        (lambda: mse([], []), "mse: 0 predictions for 0 targets"),
        (lambda: mse([[1.0], 2.0], [1.0, 2.0]), "not nested alike"),
        (lambda: cross_entropy([0.0, 1.0], 2), "cross_entropy takes labels from 0 to 1 for 2 logits, got 2"),
        (lambda: cross_entropy([0.0, 1.0], 0.5), "labels from 0 to 1 for 2 logits, got 0.5"),
        (lambda: cross_entropy([[0.0, 1.0]], [0, 1]), "1 predictions for 2 targets"),
    ],
)
def test_a_wrong_use_is_told(call, words):
    with pytest.raises((ValueError, IndexError), match=words):
        call()
