"""Clipped gradients in `fit` and in trainers: the numbers of the loop that people write by hand, on every backend."""

import math

import numpy as np
import pytest

from scalargrad import MLP, SGD, Adam, AdamW, Checkpoint, Module, Parameter, Value, clip_grad_norm, compile, mean, sqrt
from scalargrad.arrays import shuffled
from scalargrad.datasets import load_moons
from scalargrad.losses import cross_entropy, l2
from scalargrad.nn import Conv2d, Embedding, Flatten, Layer, LayerNorm, Sequential

POINTS, LABELS = load_moons(40, noise=0.2, seed=1)
OPTIMIZERS = {
    "sgd": lambda: SGD(0.5),
    "nesterov": lambda: SGD(0.5, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "adam": lambda: Adam(0.05),
}


def numbers(model):
    return np.array([parameter.data for parameter in model.parameters()])


def loop(model, X, y, optimizer, epochs, batch_size, penalty, max_norm):
    """By hand: the norms before each step, and how often they were too large."""
    norms = []
    for epoch in range(epochs):
        order = shuffled(len(X), 0, epoch)
        for first in range(0, len(X), batch_size):
            rows = order[first : first + batch_size].tolist()
            loss = mean([cross_entropy(model(tuple(X[row])), int(y[row])) for row in rows])
            loss = loss + penalty * l2(model.parameters())
            model.zero_grad()
            loss.backward()
            norms.append(clip_grad_norm(model.parameters(), max_norm))
            optimizer.step(model.parameters())
    return norms


def network(seed=0):
    return MLP(2, [6, 2], activation="tanh", init="xavier", rng=seed)


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("backend", ["eager", "numpy", "native", "jax", "javascript"])
def test_fit_is_the_loop_written_by_hand(backend, name):
    by_hand, fitted = network(), network()
    norms = loop(by_hand, POINTS, LABELS, OPTIMIZERS[name](), 4, 16, 1e-2, 0.2)
    assert min(norms) < 0.2 < max(norms)  # some steps are clipped, and some are not
    settings = {"batch_size": 16, "l2": 1e-2, "backend": backend, "progress": False}
    fitted.fit(POINTS, LABELS, "cross_entropy", OPTIMIZERS[name](), 4, clip_grad_norm=0.2, **settings)
    np.testing.assert_allclose(numbers(fitted), numbers(by_hand), rtol=1e-12, atol=1e-14)


def test_without_it_nothing_changes_and_a_large_norm_changes_no_bit():
    ends = []
    for settings in ({}, {"clip_grad_norm": None}, {"clip_grad_norm": 1e9}):
        model = network()
        model.fit(POINTS, LABELS, "cross_entropy", Adam(0.05), 4, 16, progress=False, **settings)
        ends.append(numbers(model).tolist())
    assert ends[0] == ends[1] == ends[2]


class Words(Module):
    """Looks up rows of an embedding: most of its parameters have a gradient of 0 in a batch."""

    def __init__(self):
        self.table, self.norm, self.out = Embedding(9, 4, rng=0), LayerNorm(4), Layer(4, 2, rng=0)

    def __call__(self, x):
        return self.out(self.norm(self.table(x[0])))


SHAPES = {
    "one": (lambda: MLP(2, [1, 2], rng=0), POINTS),
    "deep": (lambda: MLP(2, [9, 17, 5, 2], activation="tanh", init="xavier", rng=0), POINTS),
    "wide": (lambda: MLP(2, [150, 2], activation="relu", init="he", rng=0), POINTS),
    "words": (Words, (np.arange(40) % 5.0)[:, None]),
    "convolution": (
        lambda: Sequential(Conv2d(1, 2, 3, rng=0), Flatten(), Layer(8, 2, rng=0)),
        np.sin(np.arange(40.0 * 16)).reshape(40, 1, 4, 4),
    ),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("frozen", [False, True], ids=["all", "some frozen"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("batch_size", [None, 16])
def test_models_of_many_shapes(batch_size, shape, frozen):
    make, X = SHAPES[shape]
    ends = []
    for backend in ("eager", "numpy", "native"):
        model = make()
        for place, parameter in enumerate(model.parameters()):
            parameter.requires_grad = not (frozen and place % 3 == 1)
        history = model.fit(
            X, LABELS, "cross_entropy", SGD(0.5), 2, batch_size, backend=backend, progress=False, clip_grad_norm=0.02
        )
        ends.append(np.append(numbers(model), history["loss"]))
    np.testing.assert_allclose(ends[1], ends[0], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(ends[2], ends[0], rtol=1e-10, atol=1e-12)


@pytest.mark.oracle("torch")
def test_pytorchs_loop_gives_the_same(torch):
    ours, theirs = network(), torch.nn.Sequential(torch.nn.Linear(2, 6), torch.nn.Tanh(), torch.nn.Linear(6, 2))
    theirs = theirs.double()
    state = ours.state_dict().values()
    with torch.no_grad():
        for parameter, numbers_of_ours in zip(theirs.parameters(), state, strict=True):
            parameter.copy_(torch.tensor(numbers_of_ours))
    optimizer = torch.optim.AdamW(theirs.parameters(), lr=0.05)
    X, y = torch.tensor(POINTS), torch.tensor(LABELS)
    for _ in range(20):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(theirs(X), y).backward()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 0.1)
        optimizer.step()
    ours.fit(POINTS, LABELS, "cross_entropy", AdamW(0.05), 20, progress=False, clip_grad_norm=0.1)
    expected = [parameter.detach().numpy() for parameter in theirs.parameters()]
    for found, right in zip(ours.state_dict().values(), expected, strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("threads", [2, 3])
def test_any_number_of_threads_gives_the_same_bits(threads):
    ends = []
    for count in (1, threads):
        model = MLP(2, [40, 30, 2], activation="tanh", init="xavier", rng=0)
        program = compile(lambda x, y, model=model: cross_entropy(model(x), y), threads=count)
        program.trainer(Adam(0.05), 16, clip_grad_norm=0.05).run(POINTS, LABELS, epochs=3, progress=False)
        ends.append(numbers(model).tolist())
    assert ends[0] == ends[1]


# Gradients that are no numbers to clip.


GRADIENTS = {  # of losses that are finite, at a = 0 and b = 2
    "small": lambda a, b: 0.1 * a + 0.2 * b,
    "large": lambda a, b: 3.0 * a + 4.0 * b,
    "zero": lambda a, b: 0.0 * a + 0.0 * b,
    "inf": lambda a, b: sqrt(a) + b,
    "nan": lambda a, b: 0.0 * sqrt(a) + b,
    "squares beyond": lambda a, b: 1e200 * a + 1e200 * b,
    "squares below": lambda a, b: 1e-200 * a + 1e-200 * b,
}


@pytest.mark.parametrize("name", GRADIENTS)
@pytest.mark.parametrize("backend", ["numpy", "native", "jax", "javascript"])
def test_gradients_of_any_size_are_taken_as_the_function_takes_them(backend, name):
    ends = []
    for compiled in (False, True):
        weights, optimizer = [Value(0.0), Value(2.0)], SGD(0.125)
        if compiled:
            program = compile(lambda x, w=weights: GRADIENTS[name](*w) + 0.0 * x, backend=backend)
            program.trainer(optimizer, clip_grad_norm=0.5).step([0.0])
        else:
            GRADIENTS[name](*weights).backward()
            clip_grad_norm(weights, 0.5)
            optimizer.step(weights)
        ends.append([weight.data for weight in weights])
    np.testing.assert_allclose(*ends, rtol=1e-12)


# Settings.


@pytest.mark.parametrize("wrong", [-1.0, math.nan, math.inf, "1.0", True, [1.0]], ids=str)
def test_what_is_no_norm_is_refused_in_one_line(wrong):
    model = network()
    before = numbers(model).tolist()
    program = compile(lambda x: model(x)[0])
    for call in (
        lambda: model.fit(POINTS, LABELS, "cross_entropy", clip_grad_norm=wrong, progress=False),
        lambda: program.trainer(Adam(), clip_grad_norm=wrong),
    ):
        with pytest.raises(ValueError, match=r"^clip_grad_norm is a number from 0 on, got") as caught:
            call()
        assert "\n" not in str(caught.value)
    assert numbers(model).tolist() == before


def test_a_norm_of_0_moves_nothing_but_what_decays():
    for backend in ("eager", "native"):
        model = network()
        before = numbers(model)
        model.fit(POINTS, LABELS, "cross_entropy", SGD(0.5), 2, backend=backend, progress=False, clip_grad_norm=0.0)
        assert numbers(model).tolist() == before.tolist()


def test_another_norm_is_another_step():
    """Of one program: what was compiled for one norm is not taken for another."""
    w = Parameter(0.0)
    program = compile(lambda x: 100.0 * w * x)
    for max_norm, moved in ((1.0, 1.0), (0.5, 0.5), (None, 100.0)):
        w.data = 0.0
        program.trainer(SGD(1.0), clip_grad_norm=max_norm).step([1.0])
        assert w.data == pytest.approx(-moved)


class Counted(SGD):
    """Takes its steps itself."""

    def step(self, parameters, lr=None):
        self.norms = [*getattr(self, "norms", []), math.hypot(*(parameter.grad for parameter in parameters))]
        super().step(parameters, lr)


@pytest.mark.parametrize("backend", ["eager", "native"])
def test_an_optimizers_own_step_gets_clipped_gradients(backend):
    model, optimizer = network(), Counted(0.1)
    model.fit(POINTS, LABELS, "cross_entropy", optimizer, 3, backend=backend, progress=False, clip_grad_norm=0.01)
    assert optimizer.norms == pytest.approx([0.01] * 3, rel=1e-3)


def test_a_resumed_run_has_the_same_norm(tmp_path):
    path = tmp_path / "run.safetensors"

    def trained(epochs, **settings):
        model = network()
        settings = {"clip_grad_norm": 0.05, **settings}
        model.fit(POINTS, LABELS, "cross_entropy", Adam(0.05), epochs, 16, progress=False, **settings)
        return numbers(model).tolist()

    trained(2, callbacks=[Checkpoint(path)])
    assert trained(4, resume=path) == trained(4)
    for other in (None, 0.1):
        with pytest.raises(ValueError, match=r"a run with clip_grad_norm 0\.05, and this one has"):
            trained(4, resume=path, clip_grad_norm=other)


def test_sequences_of_different_lengths_are_clipped():
    sequences, targets = [[1.0], [1.0, 2.0], [2.0], [0.5, 1.0]], [1.0, 0.0, 2.0, 3.0]
    ends = []

    class Weighted(Module):
        def __init__(self):
            self.weights = [Parameter(0.5), Parameter(-0.5)]

        def __call__(self, x):
            return sum(w * number for w, number in zip(self.weights, x))  # noqa: B905 (some are longer)

    for backend in ("eager", "numpy", "native"):
        model = Weighted()
        model.fit(
            sequences, targets, "mse", SGD(0.1, momentum=0.5), 5, backend=backend, progress=False, clip_grad_norm=0.3
        )
        ends.append(numbers(model))
    np.testing.assert_allclose(ends[1:], [ends[0]] * 2, rtol=1e-12)
