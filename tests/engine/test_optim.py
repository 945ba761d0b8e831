"""Each optimizer against PyTorch's, step by step."""

import random

import pytest

from scalargrad.engine import Value
from scalargrad.optim import SGD, Adam, AdamW, RMSProp, clip_grad_norm

OPTIMIZERS = {
    "sgd": (SGD, "SGD", {"lr": 0.1}),
    "sgd, momentum": (SGD, "SGD", {"lr": 0.1, "momentum": 0.9}),
    "sgd, nesterov": (SGD, "SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "sgd, everything": (SGD, "SGD", {"lr": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.05}),
    "rmsprop": (RMSProp, "RMSprop", {"lr": 0.01}),
    "rmsprop, everything": (RMSProp, "RMSprop", {"lr": 0.02, "alpha": 0.9, "momentum": 0.7, "weight_decay": 0.1}),
    "adam": (Adam, "Adam", {"lr": 0.05}),
    "adam, everything": (Adam, "Adam", {"lr": 0.05, "betas": (0.8, 0.99), "eps": 1e-6, "weight_decay": 0.1}),
    "adamw": (AdamW, "AdamW", {"lr": 0.05}),
    "adamw, everything": (AdamW, "AdamW", {"lr": 0.05, "betas": (0.8, 0.99), "weight_decay": 0.3}),
}
STEPS = 50


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_step_is_pytorchs(name, torch):
    ours, theirs, settings = OPTIMIZERS[name]
    rng = random.Random(name)
    start = [rng.uniform(-2.0, 2.0) for _ in range(5)]
    parameters = [Value(x) for x in start]
    tensor = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimizer, oracle_optimizer = ours(**settings), getattr(torch.optim, theirs)([tensor], **settings)
    for _ in range(STEPS):
        slopes = [rng.gauss(0.0, 1.0) * 10.0 ** rng.uniform(-6.0, 3.0) for _ in parameters]
        for parameter, slope in zip(parameters, slopes, strict=True):
            parameter.grad = slope
        tensor.grad = torch.tensor(slopes, dtype=torch.float64)
        optimizer.step(parameters)
        oracle_optimizer.step()
        assert [p.data for p in parameters] == pytest.approx(tensor.tolist(), rel=1e-12, abs=1e-12)


def test_the_norm_adds_from_left_to_right():
    """To the bit, on every Python: each 1 is lost beside 1e16, where a sum that compensates keeps them all."""
    parameters = [Value(0.0) for _ in range(101)]
    for parameter in parameters:
        parameter.grad = 1.0
    parameters[0].grad = 1e8
    assert clip_grad_norm(parameters, 1e9) == 1e8


@pytest.mark.parametrize("max_norm", [0.5, 100.0, 0.0])
def test_clipping_is_pytorchs(max_norm, torch):
    slopes = [3.0, -4.0, 12.0]
    parameters = [Value(0.0) for _ in slopes]
    for parameter, slope in zip(parameters, slopes, strict=True):
        parameter.grad = slope
    tensor = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    tensor.grad = torch.tensor(slopes, dtype=torch.float64)
    expected = torch.nn.utils.clip_grad_norm_([tensor], max_norm)
    assert clip_grad_norm(parameters, max_norm) == pytest.approx(expected.item(), rel=1e-12)
    assert [p.grad for p in parameters] == pytest.approx(tensor.grad.tolist(), rel=1e-12)


def test_an_optimizer_shows_its_settings():
    assert repr(SGD(lr=0.1, momentum=0.9)) == "SGD(lr=0.1, momentum=0.9, nesterov=False, weight_decay=0.0)"


@pytest.mark.parametrize(
    "make",
    [
        lambda: SGD(lr=-1.0),
        lambda: SGD(lr=float("nan")),
        lambda: SGD(nesterov=True),
        lambda: SGD(momentum=-0.1),
        lambda: Adam(betas=(1.0, 0.9)),
        lambda: RMSProp(alpha=1.5),
        lambda: clip_grad_norm([], -1.0),
    ],
)
def test_a_setting_out_of_range_is_refused(make):
    with pytest.raises(ValueError, match=r"out of range|set momentum"):
        make()
