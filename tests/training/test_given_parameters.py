"""Optimizers that were given some of a model's parameters: `fit` moves no others, and files of a run say which."""

import numpy as np
import pytest

from scalargrad import MLP, SGD, Adam, Checkpoint
from scalargrad.optim import Optimizer

X = np.random.default_rng(0).normal(size=(6, 2))
Y = X[:, 0] - 0.5 * X[:, 1]
BACKENDS = ["eager", "numpy", "native", pytest.param("jax", marks=[pytest.mark.long, pytest.mark.oracle("jax")])]


class OwnStep(SGD):
    """A user's own step."""

    def step(self, parameters, lr=None):
        self.met = [*parameters]
        super().step(parameters, lr)


OPTIMIZERS = {
    "SGD": lambda *given: SGD(*given, lr=0.1, momentum=0.9, weight_decay=0.1),
    "Adam": lambda *given: Adam(*given, lr=0.05),
    "own step": lambda *given: OwnStep(*given, lr=0.1, weight_decay=0.1),
}


def network():
    return MLP(2, [3, 1], activation="tanh", rng=0)


def numbers(model):
    return [p.data for p in model.parameters()]


def fitted(model, optimizer, epochs=4, **settings):
    return model.fit(X, Y, "mse", optimizer, epochs, batch_size=2, progress=False, **settings)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_all_parameters_given_is_none_given_to_the_bit(name, backend):
    one, other = network(), network()
    curves = [fitted(one, OPTIMIZERS[name](), backend=backend)["loss"]]
    curves.append(fitted(other, OPTIMIZERS[name](other.parameters()), backend=backend)["loss"])
    assert curves[0] == curves[1]
    assert numbers(one) == numbers(other)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_some_parameters_given_is_the_others_frozen(name, backend):
    one, other = network(), network()
    one.layers[0].requires_grad_(False)
    other.layers[1].neurons[0].bias.requires_grad = False  # of those that were given
    one.layers[1].neurons[0].bias.requires_grad = False
    curves = [fitted(one, OPTIMIZERS[name](), backend=backend, l2=0.1)["loss"]]
    optimizer = OPTIMIZERS[name](other.layers[1].parameters())
    curves.append(fitted(other, optimizer, backend=backend, l2=0.1)["loss"])
    assert curves[0] == curves[1]
    assert numbers(one) == numbers(other)
    assert numbers(other.layers[0]) == numbers(network().layers[0])
    assert len({p.requires_grad for p in other.layers[0].parameters()}) == 1
    if name == "own step":
        assert optimizer.met == [*other.layers[1].neurons[0].weights]


def test_parameters_of_another_model_are_refused_before_anything_moves():
    model, other = network(), network()
    for given, count in ((other.parameters(), 13), ([*model.parameters(), other.parameters()[0]], 1)):
        with pytest.raises(
            ValueError, match=rf"^fit moves parameters of this MLP, .* {count} are not: make it"
        ) as caught:
            fitted(model, SGD(given, lr=0.1))
        assert len(str(caught.value)) <= 200
    assert numbers(model) == numbers(other) == numbers(network())


@pytest.mark.parametrize("backend", ["eager", "numpy"])
def test_a_run_resumes_with_the_parameters_that_it_had(backend, tmp_path):
    path = tmp_path / "run.safetensors"

    def made(chosen):
        model = network()
        return model, Adam(chosen(model), lr=0.05)

    def head(model):
        return model.layers[1].parameters()

    whole, parts, again = (made(head) for _ in range(3))
    fitted(*whole, epochs=5, backend=backend)
    fitted(*parts, epochs=2, backend=backend, callbacks=[Checkpoint(path)])
    fitted(*again, epochs=5, backend=backend, resume=path)
    assert numbers(again[0]) == numbers(whole[0])
    for chosen in (lambda model: model.parameters(), lambda model: model.layers[0].parameters()):
        with pytest.raises(ValueError, match="holds a run with choice of parameters '4 of 13, "):
            fitted(*made(chosen), epochs=5, backend=backend, resume=path)
    with pytest.raises(ValueError, match="choice of parameters"):
        fitted(network(), Adam(lr=0.05), epochs=5, backend=backend, resume=path)


def test_all_parameters_given_go_on_from_a_run_without_any(tmp_path):
    path, model, again = tmp_path / "run.safetensors", network(), network()
    fitted(model, Adam(lr=0.05), epochs=2, backend="eager", callbacks=[Checkpoint(path)])
    fitted(again, Adam(again.parameters(), lr=0.05), epochs=2, backend="eager", resume=path)
    assert numbers(again) == numbers(model)


def test_a_schedule_and_a_callback_change_the_rate_of_an_optimizer_with_parameters():
    one, other = network(), network()
    settings = {
        "schedule": "one_cycle",
        "backend": "numpy",
        "callbacks": [lambda run: setattr(run.optimizer, "lr", 0.2)],
    }
    fitted(one, SGD(lr=0.1), **settings)
    fitted(other, SGD(other.parameters(), lr=0.1), **settings)
    assert numbers(one) == numbers(other)


def test_an_update_may_ask_how_many_parameters_there_are():
    class Peeking(Optimizer):
        def update(self, p, g, state, lr, t):
            return p - lr * g * len(self.own_parameters), ()

    model = network()
    history = fitted(model, Peeking(model.parameters(), 0.01), backend="eager")
    other = network()
    assert fitted(other, Peeking(other.parameters(), 0.01), backend="numpy")["loss"] == pytest.approx(history["loss"])
