"""Each loss against PyTorch's, with values and gradients, at ordinary and at extreme predictions."""

import pytest

from scalargrad.engine import Value, gradients
from scalargrad.losses import binary_cross_entropy_with_logits, cross_entropy, hinge, huber, l2, mse
from tests.oracle import oracle

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
def test_a_loss_and_its_gradient_are_pytorchs(name):
    torch = oracle("torch")
    ours, targets, theirs = PAIRS[name]
    predictions = [Value(p) for p in PREDICTIONS]
    loss = ours(predictions, targets)
    inputs = torch.tensor(PREDICTIONS, dtype=torch.float64, requires_grad=True)
    expected = theirs(torch)(inputs, torch.tensor(targets, dtype=torch.float64))
    expected.backward()
    assert loss.data == pytest.approx(expected.item(), rel=1e-14)
    assert gradients(loss, predictions) == pytest.approx(inputs.grad.tolist(), rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("logits", [[[1.0, 2.0, -0.5], [0.0, 0.0, 0.0]], [[1000.0, 1.0, 0.0], [-1000.0, 0.0, 900.0]]])
def test_cross_entropy_is_pytorchs(logits):
    torch = oracle("torch")
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


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mse([1.0, 2.0], [1.0]), "mse: 2 predictions for 1 targets"),
        (lambda: mse([], []), "mse: 0 predictions for 0 targets"),
        (lambda: mse([[1.0], 2.0], [1.0, 2.0]), "not nested alike"),
        (lambda: cross_entropy([0.0, 1.0], 2), "take: index 2.0 is not one of the 2 positions"),
        (lambda: cross_entropy([0.0, 1.0], 0.5), "take: index 0.5"),
        (lambda: cross_entropy([[0.0, 1.0]], [0, 1]), "1 predictions for 2 targets"),
    ],
)
def test_a_wrong_use_is_told(call, words):
    with pytest.raises((ValueError, IndexError), match=words):
        call()
