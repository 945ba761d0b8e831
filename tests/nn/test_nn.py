"""Modules: names, state, initialisation, errors, and agreement with PyTorch's network of the same weights."""

import gc
import math
import random
import statistics

import pytest

from scalargrad.engine import Value
from scalargrad.losses import mse
from scalargrad.nn import MLP, Layer, Module, Neuron, Parameter
from scalargrad.observers import Observer, observed_by


def test_parameters_know_their_names():
    model = MLP(2, [16, 3, 1], rng=0)
    names = dict(model.named_parameters())
    assert names["layers.0.neurons.3.weights.1"] is model.layers[0].neurons[3].weights[1]
    assert all(parameter.label == name for name, parameter in names.items())
    assert len(model.parameters()) == len(names) == 2 * 16 + 16 + 16 * 3 + 3 + 3 + 1


def test_a_shared_parameter_is_listed_once():
    class Tied(Module):
        def __init__(self):
            self.first = self.second = Parameter(1.0)

    assert len(Tied().parameters()) == 1


def test_a_neuron_is_one_dot_plus_bias_plus_activation():
    neuron = Neuron(3, rng=0)
    output = neuron([Value(1.0), Value(2.0), Value(3.0)])
    total = output.operands[0]
    product = total.operands[0]
    assert (output.op.name, total.op.name, product.op.name) == ("relu", "add", "dot")
    assert product.first is neuron.weights


def test_neurons_of_a_layer_share_their_inputs():
    outputs = Layer(2, 3, nonlin=False, rng=0)([1.0, 2.0])
    assert len({id(output.operands[0].second) for output in outputs}) == 1


def test_the_last_layer_of_an_mlp_is_linear():
    assert [layer.neurons[0].activation for layer in MLP(2, [4, 4, 1]).layers] == ["relu", "relu", "linear"]


def test_a_seed_gives_the_same_network():
    one, other = (MLP(2, [4, 1], rng=7) for _ in range(2))
    assert [p.data for p in one.parameters()] == [p.data for p in other.parameters()]
    random.seed(3)
    first = Neuron(2).weights[0].data
    random.seed(3)
    assert Neuron(2).weights[0].data == first  # micrograd's way: Python's global generator


def draws(seed):
    return random.Random(seed), random.Random(seed)


@pytest.mark.parametrize("init", ["uniform", "he", "xavier"])
def test_weights_are_drawn_neuron_by_neuron_whoever_draws(init):
    def drawn(fan_in, fan_out):
        if init == "he":
            return rng.gauss(0.0, math.sqrt(2.0 / fan_in))
        return rng.uniform(-1.0, 1.0) * (math.sqrt(6.0 / (fan_in + fan_out)) if init == "xavier" else 1.0)

    rng, of_model = draws(3)
    model = MLP(3, [4, 2], init=init, rng=of_model)
    expected = [[*(drawn(a, b) for _ in range(a)), 0.0] for a, b in ((3, 4), (4, 2)) for _ in range(b)]
    assert [p.data.hex() for p in model.parameters()] == [x.hex() for row in expected for x in row]
    assert of_model.getstate() == rng.getstate()


def test_an_observer_is_told_of_each_parameter_when_it_is_drawn():
    class Told(Observer):
        def recorded(self, value):
            values.append((value, value.label, value.data, rng.getstate()))

    values = []
    rng, again = draws(0)
    with observed_by(Told()):
        model = MLP(2, [3, 1], rng=rng)
    assert [value for value, *_ in values] == model.parameters()
    for parameter, (_, label, number, state) in zip(model.parameters(), values, strict=True):
        assert label == ""  # no part of anything yet
        assert number == (0.0 if parameter.label.endswith("bias") else again.uniform(-1.0, 1.0))
        assert state == again.getstate()


@pytest.mark.parametrize("collects", [True, False])
def test_a_network_that_cannot_be_built_leaves_the_collector_as_it_was(collects):
    before = gc.isenabled()
    (gc.enable if collects else gc.disable)()
    try:
        MLP(2, [3, 1], rng=0)
        assert gc.isenabled() == collects
        with pytest.raises(ValueError, match="init 'half' is not known"):
            MLP(2, [3, 1], init="half", rng=0)
        assert gc.isenabled() == collects
    finally:
        (gc.enable if before else gc.disable)()


@pytest.mark.parametrize(
    ("init", "variance"),
    [("uniform", 1.0 / 3.0), ("he", 2.0 / 50.0), ("xavier", 2.0 / (50.0 + 30.0))],
)
def test_initial_weights_have_the_variance_of_their_recipe(init, variance):
    layer = Layer(50, 30, init=init, rng=1)
    weights = [w.data for neuron in layer.neurons for w in neuron.weights]
    assert statistics.variance(weights) == pytest.approx(variance, rel=0.1)
    assert abs(statistics.fmean(weights)) < 4.0 * math.sqrt(variance / len(weights))
    assert all(neuron.bias.data == 0.0 for neuron in layer.neurons)


def test_zero_grad_train_and_eval_reach_everything():
    model = MLP(2, [3, 1], rng=0)
    model([1.0, 2.0]).backward()
    assert any(p.grad for p in model.parameters())
    model.zero_grad()
    assert not any(p.grad for p in model.parameters())
    assert not model.eval().layers[0].neurons[2].training
    assert model.train().layers[0].neurons[2].training


def test_a_network_is_pytorchs_with_the_same_weights(torch):
    model = MLP(3, [5, 4, 2], activation="tanh", rng=0)
    linears = [torch.nn.Linear(a, b, dtype=torch.float64) for a, b in ((3, 5), (5, 4), (4, 2))]
    peer = torch.nn.Module()
    peer.layers = torch.nn.ModuleList(linears)
    model.load_state_dict(peer.state_dict())
    x, target = [0.3, -1.2, 0.7], [1.0, -1.0]
    loss = mse(model(x), target)
    loss.backward()
    hidden = torch.tensor(x, dtype=torch.float64)
    for linear in linears[:-1]:
        hidden = torch.tanh(linear(hidden))
    expected = torch.nn.functional.mse_loss(linears[-1](hidden), torch.tensor(target, dtype=torch.float64))
    expected.backward()
    assert loss.data == pytest.approx(expected.item(), rel=1e-13)
    for index, linear in enumerate(linears):
        for neuron, row, bias in zip(
            model.layers[index].neurons, linear.weight.grad.tolist(), linear.bias.grad.tolist(), strict=True
        ):
            assert [w.grad for w in neuron.weights] == pytest.approx(row, rel=1e-11, abs=1e-15)
            assert neuron.bias.grad == pytest.approx(bias, rel=1e-11)


def test_state_has_pytorchs_names_and_shapes_and_returns_what_was_saved():
    model = MLP(2, [16, 1], rng=0)
    state = model.state_dict()
    shapes = {name: array.shape for name, array in state.items()}
    assert shapes == {
        "layers.0.weight": (16, 2),
        "layers.0.bias": (16,),
        "layers.1.weight": (1, 16),
        "layers.1.bias": (1,),
    }
    assert state["layers.0.weight"][3, 1] == model.layers[0].neurons[3].weights[1].data
    other = MLP(2, [16, 1], rng=1)
    other.load_state_dict(state)
    assert [p.data for p in other.parameters()] == [p.data for p in model.parameters()]


@pytest.mark.parametrize("bias", [["0.5", "1"], [0.5 + 1j, 1.0], [b"1", b"2"], [None, [1.0]]])
def test_a_state_of_text_or_complex_numbers_is_refused(bias):
    model = MLP(2, [2], rng=0)
    with pytest.raises(ValueError, match=r"^this state does not fit the MLP: layers.0.bias does not hold numbers$"):
        model.load_state_dict(model.state_dict() | {"layers.0.bias": bias})


def test_a_state_that_does_not_fit_is_refused_by_name_and_changes_nothing():
    model = MLP(2, [2, 1], rng=0)
    before = [p.data for p in model.parameters()]
    state = model.state_dict()
    state["layers.0.bias"] = [1.0, 2.0, 3.0]
    state["extra"] = [1.0]
    state["layers.1.bias"] = ["one"]
    del state["layers.1.weight"]
    with pytest.raises(ValueError, match="does not fit the MLP") as error:
        model.load_state_dict(state)
    for words in (
        "layers.0.bias has shape [3], not [2]",
        "unknown extra",
        "missing layers.1.weight",
        "layers.1.bias does not hold numbers",
    ):
        assert words in str(error.value)
    assert [p.data for p in model.parameters()] == before


def test_a_module_of_ones_own_has_names_and_state():
    class Pair(Module):
        def __init__(self):
            self.towers = {"left": Layer(2, 2, rng=0), "right": Layer(2, 2, rng=1)}
            self.matrix = [[Parameter(float(i + j)) for j in range(3)] for i in range(2)]
            self.scale = Parameter(1.0)

    pair = Pair()
    shapes = {name: array.shape for name, array in pair.state_dict().items()}
    assert shapes["matrix"] == (2, 3)
    assert shapes["scale"] == ()
    assert shapes["towers.left.weight"] == (2, 2)
    assert pair.matrix[1][2].label == "matrix.1.2"
    pair.load_state_dict(pair.state_dict() | {"scale": 5.0})
    assert pair.scale.data == 5.0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: MLP(2, [3, 1])([1.0]), "this MLP takes 2 inputs, got 1"),
        (lambda: MLP(2, [3, 1])([1.0, 2.0, 3.0]), "this MLP takes 2 inputs, got 3"),
        (lambda: Layer(2, 3)([1.0]), "this Layer takes 2 inputs, got 1"),
        (lambda: Neuron(2)([1.0]), "this Neuron takes 2 inputs, got 1"),
        (lambda: MLP(2, [3, 1])(1.0), "takes a list of 2 numbers or Values, got 1.0"),
        (lambda: MLP(2, [3, 1])("ab"), "takes a list of 2 numbers or Values, got 'ab'"),
        (lambda: MLP(2, []), "at least one layer"),
        (lambda: MLP(0, [1]), "fan_in is a whole number of at least 1, got 0"),
        (lambda: MLP(2, [2.5]), "fan_outs: each size is a whole number of at least 1, got 2.5"),
        (lambda: Neuron(2, activation="rule"), "activation 'rule' is not known; there are"),
        (lambda: Neuron(2, init="zeros"), "init 'zeros' is not known; there are uniform, he, xavier"),
    ],
)
def test_a_wrong_use_is_told(call, words):
    with pytest.raises((TypeError, ValueError), match=words):
        call()


def test_micrograds_demo_runs_and_trains_against_our_import():
    """The demo of micrograd's repository in outline: max-margin loss on moons, SGD with a falling rate."""
    sklearn_datasets = pytest.importorskip("sklearn.datasets")
    random.seed(1337)
    points, labels = sklearn_datasets.make_moons(n_samples=40, noise=0.1, random_state=1)
    labels = labels * 2 - 1
    model = MLP(2, [16, 16, 1])

    def loss():
        inputs = [list(map(Value, row)) for row in points]
        scores = list(map(model, inputs))
        losses = [(1 + -label * score).relu() for label, score in zip(labels, scores, strict=True)]
        data_loss = sum(losses) * (1.0 / len(losses))
        reg_loss = 1e-4 * sum(p * p for p in model.parameters())
        accuracy = [(label > 0) == (score.data > 0) for label, score in zip(labels, scores, strict=True)]
        return data_loss + reg_loss, sum(accuracy) / len(accuracy)

    for step in range(60):
        total, accuracy = loss()
        model.zero_grad()
        total.backward()
        for p in model.parameters():
            p.data -= (1.0 - 0.9 * step / 100) * p.grad
    assert accuracy >= 0.95
    assert total._prev == set(total.operands)
    assert total._op == "+"
