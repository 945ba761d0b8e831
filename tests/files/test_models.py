"""Models in files: what is loaded is what was saved, to the bit, and a model is never left half loaded."""

import gc
import json
import math
import os
import random
import re
import subprocess
import sys
from functools import partial
from itertools import chain

import numpy as np
import pytest

from scalargrad import Value, nn
from scalargrad.datasets.nested import numbers_in
from scalargrad.demos.networks import convolutional_network
from scalargrad.files.architecture import ARCHITECTURES, describe, described
from scalargrad.files.safetensors import read_arrays, write_arrays
from scalargrad.nn import (
    GRU,
    LSTM,
    MLP,
    RNN,
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Buffer,
    CausalSelfAttention,
    Conv2d,
    Dropout,
    Embedding,
    Flatten,
    GlobalAvgPool,
    GRUCell,
    Layer,
    LayerNorm,
    LSTMCell,
    MaxPool2d,
    Module,
    Neuron,
    Parameter,
    RNNCell,
    Sequential,
    TransformerBlock,
    log_softmax,
)
from scalargrad.nn.loading import load, load_into
from scalargrad.nn.normalisation import Normalize
from scalargrad.observers import Observer, observed_by
from scalargrad.ops import leaky_relu, mean, relu, tanh
from scalargrad.optim import SGD
from tests.oracles.damage import flipped_bits, shorter_lengths
from tests.oracles.threads import at_once
from tests.paths import ROOT


class Gate(Module):
    """A module of one's own, with all that a state can have: buffers, lists, dicts and layers."""

    def __init__(self, rng=0):
        self.towers = {"left": Layer(2, 2, rng=rng), "right": MLP(2, [3, 1], rng=rng)}
        self.matrix = [[Parameter(float(i + j + rng)) for j in range(3)] for i in range(2)]
        self.scale, self.mean = Parameter(rng + 1.0), Buffer(rng + 2.0)


NAN, HUGE = math.nan, 10**400

MODELS = {
    "MLP": lambda rng: MLP(2, [3, 4, 1], rng=rng),
    "MLP with other activations": lambda rng: MLP(3, [5, 2], "tanh", "sigmoid", "he", rng),
    "MLP of one layer": lambda rng: MLP(3, [2], output_activation="gelu", rng=rng),
    "Layer": lambda rng: Layer(3, 2, rng, activation="softplus", init="xavier"),
    "Layer of one neuron": lambda rng: Layer(1, 1, rng, nonlin=False),
    "Neuron": lambda rng: Neuron(3, rng=rng),
    "linear Neuron": lambda rng: Neuron(3, False, rng=rng),
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m.safetensors"


def bits(model):
    return {name: array.tobytes() for name, array in model.state_dict().items()}


def activations(model):
    if isinstance(model, Neuron):
        return model.activation
    return [activations(inner) for inner in (model.neurons if isinstance(model, Layer) else model.layers)]


@pytest.mark.parametrize("build", MODELS.values(), ids=MODELS)
def test_a_model_comes_back_from_its_file_alone(path, build):
    model = build(1)
    model.save(path)
    loaded = load(path)
    assert type(loaded) is type(model)
    assert bits(loaded) == bits(model)
    assert activations(loaded) == activations(model)
    assert [label for label, _ in loaded.named_parameters()] == [label for label, _ in model.named_parameters()]
    x = [0.25, -3.0, 0.5][: describe(model)["arguments"]["fan_in"]]
    assert outputs(loaded, x) == outputs(model, x)


def outputs(model, x):
    return [float(number) for number in numbers_in(model(x))]


def image_layers(rng):
    rng = random.Random(rng)
    first = [Normalize(0.25, 0.5), Conv2d(1, 2, 2, rng=rng), relu, BatchNorm2d(2), Dropout(0.25, rng=rng), MaxPool2d(2)]
    return Sequential(*first, Flatten(), LayerNorm(2, eps=0.125), Layer(2, 3, rng=rng), log_softmax)


def other_layers(rng):
    convolution = Conv2d(1, 3, (2, 1), stride=(1, 2), padding=(0, 1), bias=False, rng=rng)
    first = Sequential(convolution, BatchNorm2d(3, eps=0.25, momentum=0.5), leaky_relu, AvgPool2d((2, 1), stride=1))
    return Sequential(first, GlobalAvgPool(), Flatten(), BatchNorm1d(3), MLP(3, [2], rng=rng), tanh, Neuron(2, rng=rng))


SEQUENTIALS = {  # and the rows and columns of an image
    "layers of images": (image_layers, 3),
    "other layers, nested": (other_layers, 4),
    "no layers": (lambda rng: Sequential(), 2),
}
LARGE = {"the network of 13,808 parameters": (lambda rng: convolutional_network(rng=rng), 28)}


@pytest.mark.parametrize("name", [*SEQUENTIALS, pytest.param(*LARGE, marks=pytest.mark.long)])
def test_a_sequence_of_layers_comes_back_from_its_file_alone(path, name):
    build, side = (SEQUENTIALS | LARGE)[name]
    model = build(1)
    for place, (_, array) in enumerate(model.named_arrays()):
        for number in numbers_in(array):
            if isinstance(number, Buffer):
                number.data = 0.5 + place  # as if it had seen something
    model.fitted_loss = "cross_entropy"
    model.save(path)
    loaded = load(path)
    assert type(loaded) is Sequential
    assert repr(loaded) == repr(model)
    assert bits(loaded) == bits(model)
    assert loaded.fitted_loss == "cross_entropy"
    image = np.random.default_rng(0).random((1, side, side)).tolist()
    assert outputs(loaded.eval(), image) == outputs(model.eval(), image)


TOKENS, STEPS = [2, 0, 1, 1], [[0.5, -1.0], [0.25, 2.0], [0.0, 1.0]]
RECURRENT = {  # models of sequences, and what they read
    "Embedding": (lambda rng: Embedding(3, 2, rng=rng), TOKENS),
    "RNNCell": (lambda rng: RNNCell(2, 3, nonlinearity="relu", rng=rng), STEPS[0]),
    "GRUCell": (lambda rng: GRUCell(2, 3, bias=False, rng=rng), STEPS[0]),
    "LSTMCell": (lambda rng: LSTMCell(2, 3, rng=rng), STEPS[0]),
    "RNN": (lambda rng: RNN(2, 3, num_layers=3, nonlinearity="relu", bias=False, rng=rng), STEPS),
    "GRU": (lambda rng: GRU(2, 3, num_layers=2, rng=rng), STEPS),
    "LSTM": (lambda rng: LSTM(2, 3, rng=rng), STEPS),
    "CausalSelfAttention": (lambda rng: CausalSelfAttention(2, num_heads=2, rng=rng), STEPS),
    "TransformerBlock": (lambda rng: TransformerBlock(2, 1, 5, "gelu", 0.25, rng=rng), STEPS),
}
RECURRENT |= {
    "an embedding before a block": (
        lambda rng: Sequential(Embedding(3, 2, rng=rng), TransformerBlock(2, 2, 3, rng=rng), LayerNorm(2)),
        TOKENS,
    ),
    "an embedding before a network": (
        lambda rng: Sequential(Embedding(3, 2, rng=rng), GRU(2, 3, num_layers=2, rng=rng)),
        TOKENS,
    ),
}


@pytest.mark.parametrize(("build", "read"), RECURRENT.values(), ids=RECURRENT)
def test_a_model_of_sequences_comes_back_from_its_file_alone(path, build, read):
    model = build(random.Random(1))
    for n, parameter in enumerate(model.parameters()):
        parameter.data = math.sin(n + 1.0)
    model.save(path)
    loaded = load(path)
    assert type(loaded) is type(model)
    assert repr(loaded) == repr(model)
    assert bits(loaded) == bits(model)
    assert flat(loaded(read)) == flat(model(read))


def flat(outputs):
    return [x for part in outputs for x in flat(part)] if isinstance(outputs, tuple) else [outputs.data]


def test_a_file_is_read_where_nothing_of_its_layers_is_loaded(path):
    Sequential(Embedding(3, 2, rng=0), GRU(2, 3, rng=0)).save(path)
    code = f"import scalargrad; print(scalargrad.load({str(path)!r}))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True, cwd=ROOT)
    assert "GRU(2, 3)" in shown.stdout


def test_another_architecture_is_refused_where_nothing_of_it_is_loaded(path):
    Sequential(GRU(2, 3, rng=0)).save(path)
    code = f"import scalargrad; scalargrad.load_into(scalargrad.MLP(2, [1]), {str(path)!r})"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", cwd=ROOT)
    assert "holds a Sequential of 1 layer, and the model is MLP(fan_in=2" in shown.stderr


def test_every_known_class_was_tested():
    models = [module for build, _ in (SEQUENTIALS | RECURRENT).values() for module in build(0).modules()]
    missing = {*ARCHITECTURES} - {type(module).__name__ for module in models}
    assert not missing, f"no model here has {missing}: put them into other_layers, or into a row of RECURRENT"


@pytest.mark.parametrize("build", [build for build, _ in (SEQUENTIALS | RECURRENT).values()])
def test_layers_declare_the_shapes_that_they_have(build):
    for module in build(0).modules():
        row = ARCHITECTURES[type(module).__name__]
        declared = row.shapes(**row.arguments(module))
        assert declared == {name: list(array.shape) for name, array in module.state_dict().items()}, repr(module)


def test_every_exported_layer_can_be_described():
    layers = {name for name in nn.__all__ if isinstance(getattr(nn, name), type)} - {"Module", "Parameter", "Buffer"}
    assert layers <= {*ARCHITECTURES}
    with pytest.raises(ValueError, match=r"files describe layers of scalargrad.nn, and Gate is of tests"):
        described(dict)(Gate)


def test_layers_drop_the_same_numbers_again(path):
    model = Sequential(Dropout(0.5, rng=3), Flatten())
    model.save(path)
    image = np.ones((1, 5, 5)).tolist()
    assert 0.0 in outputs(model, image)
    assert outputs(load(path), image) == outputs(model, image)
    other = Sequential(Dropout(0.5, rng=4), Flatten())
    load_into(other, path)  # of another seed, which stays: a model is set up like this to go on with
    assert outputs(other, image) != outputs(model, image)


@pytest.mark.parametrize(
    "build", [*MODELS.values(), Gate, image_layers, other_layers], ids=[*MODELS, "Gate", "image layers", "other layers"]
)
def test_a_model_of_any_class_is_loaded_into_one_that_exists(path, build):
    model, other = build(1), build(2)
    model.save(str(path))
    assert bits(other) != bits(model)
    load_into(other, str(path))
    assert bits(other) == bits(model)


def test_numbers_come_back_to_the_bit(path):
    model = Layer(6, 1, rng=0)
    numbers = [-0.0, 5e-324, -1.7976931348623157e308, math.pi, 1e-310, 3]
    for weight, number in zip(model.neurons[0].weights, numbers, strict=True):
        weight.data = number
    model.neurons[0].bias.data = 3  # a whole number, as users set it
    model.save(path)
    loaded = [weight.data for weight in load(path).neurons[0].weights]
    assert loaded == numbers
    assert math.copysign(1.0, loaded[0]) == -1.0
    assert all(type(number) is float for number in loaded)


def test_the_file_says_what_it_holds(path):
    model = MLP(2, [8, 1], "tanh", rng=0)
    model.save(path)
    arrays, metadata = read_arrays(path)
    assert list(arrays) == ["layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"]
    assert all(array.dtype == np.float64 for array in arrays.values())
    arguments = {"fan_in": 2, "fan_outs": [8, 1], "activation": "tanh", "output_activation": "linear"}
    assert {name: json.loads(text) for name, text in metadata.items()} == {
        "architecture": {"class": "MLP", "arguments": arguments}
    }


@pytest.mark.oracle("safetensors")
def test_pytorch_reads_what_was_saved(path, torch):
    from safetensors.torch import load_file

    model = MLP(3, [5, 2], rng=0)
    model.save(path)
    peer = torch.nn.Module()
    peer.layers = torch.nn.ModuleList([torch.nn.Linear(a, b, dtype=torch.float64) for a, b in ((3, 5), (5, 2))])
    peer.load_state_dict(load_file(path))
    x = torch.tensor([0.3, -1.2, 0.7], dtype=torch.float64)
    y = peer.layers[1](torch.relu(peer.layers[0](x)))
    assert y.tolist() == pytest.approx(outputs(model, x.tolist()), rel=1e-13)


@pytest.mark.oracle("safetensors")
def test_pytorch_reads_a_sequence_that_was_saved(path, torch):
    from safetensors.torch import load_file

    n = torch.nn
    model = Sequential(Conv2d(1, 2, 2, rng=0), relu, BatchNorm2d(2), MaxPool2d(2), Flatten(), Layer(2, 3, rng=1))
    model.layers[2].running_mean[1].data = 0.75
    model.save(path)
    peer = n.Sequential(n.Conv2d(1, 2, 2), n.ReLU(), n.BatchNorm2d(2), n.MaxPool2d(2), n.Flatten(), n.Linear(2, 3))
    peer.double().load_state_dict(load_file(path))
    image = np.random.default_rng(0).random((1, 3, 3))
    expected = torch.relu(peer.eval()(torch.tensor(image)[None]))[0]  # a Layer ends in relu
    assert outputs(load(path).eval(), image.tolist()) == pytest.approx(expected.tolist(), rel=1e-12)


def test_saving_and_loading_draw_no_random_numbers_and_load_knows_no_earlier_mode(path):
    random.seed(5)
    before = random.getstate()
    MLP(2, [3, 1], rng=0).eval().save(path)
    assert load(path).training
    assert random.getstate() == before


def test_an_observer_of_loading_is_told_of_a_model_of_seed_0(path):
    class Told(Observer):
        def recorded(self, value):
            told.append((type(value), value.data))

    told = []
    MLP(2, [3, 1], init="he", rng=5).save(path)
    with observed_by(Told()):
        load(path)
    assert told == [(Parameter, parameter.data) for parameter in MLP(2, [3, 1], rng=0).parameters()]


def test_threads_that_build_save_and_load_at_once_leave_the_collector_running(tmp_path):
    def work(name):
        path = tmp_path / name
        for seed in range(30):
            model = MLP(3, [8, 2], rng=seed)
            model.save(path)
            same.append(bits(load(path)) == bits(model))
            load_into(model, path)
            path.write_bytes(path.read_bytes()[:-1])
            for refused in (load, partial(load_into, model)):
                with pytest.raises(ValueError, match="is truncated"):
                    refused(path)

    same = []
    assert gc.isenabled()
    at_once(partial(work, "one"), partial(work, "other"))
    assert gc.isenabled()
    assert same == [True] * 60


def test_a_trained_model_goes_on_where_it_was(path):
    def losses(model):
        optimizer = SGD(lr=0.05)
        for _ in range(3):
            model.zero_grad()
            loss = (model([1.0, 2.0]) - 3.0) ** 2
            loss.backward()
            optimizer.step(model.parameters())
            yield loss.data

    model = MLP(2, [3, 1], "tanh", rng=0)
    list(losses(model))
    model.save(path)
    assert list(losses(load(path))) == list(losses(model))


def test_a_number_that_is_kept_from_training_is_saved_with_the_others(path):
    model = Layer(2, 3, rng=0)
    model.neurons[1].bias = Value(0.5)
    assert len(model.parameters()) == 8
    model.save(path)
    assert bits(load(path)) == bits(model)


# What only its own code builds.


class Doubled(MLP):
    def __call__(self, inputs):
        return 2.0 * super().__call__(inputs)


class Odd(Neuron):
    def __call__(self, inputs):
        return super().__call__(inputs) + 1.0


def changed(change, build=lambda: MLP(2, [3, 3, 1], rng=0)):
    model = build()
    change(model)
    return model


def make_deeper(model):
    model.layers.append(Doubled(1, [1], rng=0))


def tie(model):
    model.layers[1].neurons[0].weights = model.layers[1].neurons[1].weights


class Residual(Module):
    def __init__(self):
        self.weight = Parameter(2.0)

    def __call__(self, inputs):
        return self.weight * inputs


def twice(layer):
    return Sequential(layer, relu, layer)


def nested(times):
    model = Sequential(Neuron(2, rng=0))
    for _ in range(times):
        model = Sequential(model)
    return model


def deep():
    return RNN(2, 3, num_layers=2, rng=0)


NOT_REBUILT = {
    "a class of one's own": Gate(),
    "a subclass": Doubled(2, [1], rng=0),
    "a namesake": type("MLP", (Gate,), {})(),
    "no parameters": Module(),
    "one activation changed": changed(lambda model: setattr(model.layers[0].neurons[1], "activation", "tanh")),
    "activations differ by layer": changed(
        lambda model: [setattr(n, "activation", "sin") for n in model.layers[1].neurons]
    ),
    "a layer of another class": changed(make_deeper),
    "a layer with another input": changed(lambda model: setattr(model, "layers", [Layer(2, 3), Layer(5, 1)])),
    "no layers": changed(lambda model: setattr(model, "layers", [])),
    "no neurons": changed(lambda model: setattr(model.layers[0], "neurons", [])),
    "one more parameter": changed(lambda model: setattr(model, "temperature", Parameter(1.0))),
    "one more buffer": changed(lambda model: setattr(model, "mean", Buffer(1.0))),
    "shared parameters": changed(tie),
    "a sequence with a function of one's own": Sequential(Neuron(2, rng=0), lambda x: x + 1.0),
    "a sequence with an operation on all numbers": Sequential(Layer(2, 2, rng=0), mean),
    "a sequence with a layer of one's own": Sequential(Neuron(2, rng=0), Residual()),
    "a sequence with a subclass": Sequential(Doubled(2, [1], rng=0)),
    "a subclass of Sequential": type("Chain", (Sequential,), {})(Neuron(2, rng=0)),
    "a sequence with a changed layer": Sequential(changed(make_deeper)),
    "a sequence with a layer twice": twice(Conv2d(1, 1, 1, rng=0)),
    "a sequence with a norm twice": twice(BatchNorm1d(2)),
    "a sequence with one more buffer": changed(lambda model: setattr(model, "mean", Buffer(1.0)), lambda: nested(0)),
    "a convolution with more padding than kernel": Conv2d(1, 1, 1, padding=2, rng=0),
    "sequences inside each other, 41 deep": nested(40),
    "a network of cells that differ": changed(lambda model: setattr(model.cells[1], "nonlinearity", "relu"), deep),
    "a network of other cells": changed(lambda model: setattr(model, "cells", [GRUCell(2, 3, rng=0)]), deep),
    "a subclass of a network": type("Slow", (LSTM,), {})(2, 3, rng=0),
    "attention with another projection": changed(
        lambda model: setattr(model, "out_proj", Layer(2, 2, activation="tanh", rng=0)),
        lambda: CausalSelfAttention(2, rng=0),
    ),
    "a block with another norm": changed(
        lambda model: setattr(model, "norm2", LayerNorm(2, eps=0.5)), lambda: TransformerBlock(2, 1, 3, rng=0)
    ),
    "a block with another layer": changed(
        lambda model: setattr(model, "linear1", Sequential(Layer(2, 3, rng=0))),
        lambda: TransformerBlock(2, 1, 3, rng=0),
    ),
    "a block with a function for a norm": changed(
        lambda model: setattr(model, "norm1", lambda x: x), lambda: TransformerBlock(2, 1, 3, rng=0)
    ),
    "a cell with an array of biases": changed(
        lambda model: setattr(model, "bias_ih", np.array(model.bias_ih, object)), lambda: GRUCell(2, 1, rng=0)
    ),
    "a norm with NumPy's number": changed(lambda model: setattr(model, "eps", np.float32(0.1)), lambda: BatchNorm1d(2)),
    "a sequence with NumPy's number": Sequential(
        changed(lambda model: setattr(model, "p", np.float32(0.5)), lambda: Dropout(0.5, rng=0))
    ),
    "neurons of a subclass": changed(lambda model: setattr(model.layers[0], "neurons", [Odd(2), Odd(2), Odd(2)])),
}


@pytest.mark.parametrize("model", NOT_REBUILT.values(), ids=NOT_REBUILT)
def test_a_model_that_its_constructor_does_not_build_says_how_to_load_it(path, model):
    model.save(path)
    assert describe(model) == {"class": type(model).__name__, "arguments": None}
    with pytest.raises(ValueError, match=r"not how to build it: .* scalargrad.load_into\(model, path\)"):
        load(path)
    before = bits(model)
    for parameter in model.parameters():
        parameter.data = 7.0
    load_into(model, path)
    assert bits(model) == before


# What is refused.


def test_a_damaged_file_of_any_kind_leaves_the_model_as_it_was(path):
    MLP(2, [1], rng=1).save(path)
    model = MLP(2, [1], rng=2)
    before = bits(model)
    for damage in chain(flipped_bits(path), shorter_lengths(path)):
        with pytest.raises(ValueError, match=f"^{re.escape(str(path))} "):
            load_into(model, path)
        assert bits(model) == before, damage


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf], ids=str)
def test_a_model_with_nan_or_inf_is_not_saved_and_not_loaded(path, number):
    model = MLP(2, [3, 1], rng=0)
    model.save(path)
    before = path.read_bytes()
    model.layers[0].neurons[2].weights[1].data = number
    with pytest.raises(ValueError, match=rf"this MLP is not saved: layers.0.weight\[2, 1\] is {number}"):
        model.save(path)
    assert path.read_bytes() == before
    arrays, metadata = read_arrays(path)
    arrays["layers.1.bias"][0] = number
    write_arrays(path, arrays, metadata)
    assert_refused(path, rf"holds no usable model: layers.1.bias\[0\] is {number}")


def assert_refused(path, message, model=None):
    """Both by load and by load_into, which leaves the model as it was."""
    model = model or MLP(2, [3, 1], rng=0)
    before = bits(model)
    for attempt in (lambda: load(path), lambda: load_into(model, path)):
        with pytest.raises(ValueError, match=message) as error:
            attempt()
        assert str(error.value).startswith(f"{path} ")
    assert bits(model) == before


OTHER_ARRAYS = [
    ({"layers.0.weight": np.zeros((2, 3))}, r"layers.0.weight has shape \[2, 3\], not \[3, 2\]"),
    ({"layers.0.bias": np.zeros(4)}, r"layers.0.bias has shape \[4\], not \[3\]"),
    ({"layers.1.bias": np.zeros(())}, r"layers.1.bias has shape \[\], not \[1\]"),
    ({"layers.1.bias": None}, r"layers.1.bias is missing|missing layers.1.bias"),
    ({"layers.2.bias": np.zeros(1)}, r"layers.2.bias does not belong to it|unknown layers.2.bias"),
    ({"layers.1.bias": np.zeros(1, np.float32)}, "layers.1.bias is float32, and the arrays of a model are float64"),
    ({"layers.1.bias": np.zeros(1, np.int64)}, "layers.1.bias is int64"),
]


@pytest.mark.parametrize(("changes", "message"), OTHER_ARRAYS, ids=[row[1] for row in OTHER_ARRAYS])
def test_arrays_that_do_not_fit_are_refused_by_name(path, changes, message):
    MLP(2, [3, 1], rng=0).save(path)
    arrays, metadata = read_arrays(path)
    arrays = {name: array for name, array in {**arrays, **changes}.items() if array is not None}
    write_arrays(path, arrays, metadata)
    assert_refused(path, message)


def test_two_arrays_of_one_name_are_not_saved(path):
    class Twice(Module):
        def __init__(self):
            self.parts = {"a": {"b": Parameter(1.0)}, "a.b": Parameter(2.0)}

    with pytest.raises(ValueError, match=r"two parameters of this Twice are called parts.a.b"):
        Twice().save(path)
    assert not os.listdir(path.parent)


OTHER_MODELS = [
    (MLP(2, [4, 1]), r"holds MLP\(fan_in=2, fan_outs=\[3, 1\], .*, and the model is MLP\(fan_in=2, fan_outs=\[4, 1\]"),
    (MLP(2, [3, 1], "tanh"), r"activation='relu', .* and the model is .* activation='tanh'"),  # of the same shapes
    (Layer(2, 3), r"and the model is Layer\(fan_in=2, fan_out=3, activation='relu'\): scalargrad.load\(path\) builds"),
    (Gate(), "cannot be loaded: this state does not fit the Gate: missing matrix"),
    (Doubled(2, [4, 1]), r"cannot be loaded: .* layers.0.bias has shape \[3\], not \[4\]"),
]


@pytest.mark.parametrize(("model", "message"), OTHER_MODELS, ids=[row[1] for row in OTHER_MODELS])
def test_another_architecture_is_refused_and_shown(path, model, message):
    MLP(2, [3, 1], rng=0).save(path)
    before = bits(model)
    with pytest.raises(ValueError, match=message) as error:
        load_into(model, path)
    assert str(error.value).startswith(f"{path} ")
    assert bits(model) == before


OTHER_SEQUENCES = [
    (
        Sequential(Flatten(), Dropout(0.5), relu),
        r"whose layer 1 is Dropout\(p=0.25, .* whose layer 1 is Dropout\(p=0.5, ",
    ),
    (Sequential(Flatten(), Dropout(0.25), tanh), "holds a .* whose layer 2 is relu, and the model is a .* 2 is tanh: "),
    (Sequential(Flatten(), relu), "holds a Sequential of 3 layers, and the model is a Sequential of 2 layers: scalarg"),
    (MLP(2, [1]), r"holds a Sequential of 3 layers, and the model is MLP\(fan_in=2, "),
    (Flatten(), r"holds a Sequential of 3 layers, and the model is Flatten\(\): "),
]


@pytest.mark.parametrize(("model", "message"), OTHER_SEQUENCES, ids=[row[1] for row in OTHER_SEQUENCES])
def test_another_sequence_is_refused_and_shown(path, model, message):
    Sequential(Flatten(), Dropout(0.25), relu).save(path)
    with pytest.raises(ValueError, match=message):
        load_into(model, path)


def test_weights_may_go_to_another_class_of_the_same_arrays(path):
    model, doubled = MLP(2, [3, 1], rng=0), Doubled(2, [3, 1], rng=1)
    model.save(path)
    load_into(doubled, path)
    assert doubled([1.0, 2.0]).data == 2.0 * model([1.0, 2.0]).data


def description(**changes):
    arguments = {"fan_in": 2, "fan_outs": [3, 1], "activation": "relu", "output_activation": "linear"}
    return json.dumps({"class": "MLP", "arguments": {**arguments, **changes}})


DESCRIPTIONS = [
    (None, "does not say of which model"),
    ("", "does not say of which model"),
    ("{", "does not say of which model"),
    ("[" * 100_000, "does not say of which model"),
    ('"MLP"', "does not say of which model"),
    ('{"class": 7, "arguments": {}}', "does not say of which model"),
    ('{"class": "MLP"}', "does not say of which model"),
    ('{"class": "MLP", "arguments": [2]}', "does not say of which model"),
]
ARGUMENTS = [
    (description(fan_in=10**9), r"layers.0.weight has shape \[3, 2\], not \[3, 1000000000\]"),
    (description(fan_outs=[10**6, 10**6]), r"layers.0.weight has shape \[3, 2\], not \[1000000, 2\]"),
    (description(fan_outs=[3]), r"layers.1.weight does not belong to it"),
    (description(fan_outs=[]), r"layers.0.weight does not belong to it"),
    (description(fan_outs=3), "has the architecture MLP, but"),
    (description(fan_outs="31"), "has the architecture MLP, but"),
    (description(fan_outs=[3.0, 1]), "fan_outs: each size is a whole number of at least 1, got 3.0"),
    (description(fan_in=None), "has the architecture MLP, but"),
    (description(activation="eval"), "activation 'eval' is not known"),
    (description(activation=[]), r"activation \[\] is not known"),
    (description(activation={}), r"activation \{\} is not known"),
    (description(rng=3), "rng"),
    (description(init="he"), "init"),
    ('{"class": "MLP", "arguments": {}}', "missing 4 required positional arguments"),
    (description().replace("MLP", "Layer"), "has the architecture Layer, but"),
    (description().replace("MLP", "Module"), "not how to build it"),
    (description().replace("MLP", "os.system"), "not how to build it"),
]


@pytest.mark.parametrize(("text", "message"), DESCRIPTIONS + ARGUMENTS, ids=lambda part: str(part)[:60])
def test_an_architecture_that_does_not_build_is_refused(path, text, message):
    write_arrays(path, MLP(2, [3, 1], rng=0).state_dict(), {} if text is None else {"architecture": text})
    if (text, message) in DESCRIPTIONS:
        assert_refused(path, message)
    with pytest.raises(ValueError, match=message) as error:
        load(path)
    assert str(error.value).startswith(f"{path} ")


OF_SEQUENCES = [
    (deep, {"num_layers": 10**9}, "num_layers is at most 1000 in a file"),
    (deep, {"num_layers": True}, "num_layers is a whole number"),
    (deep, {"num_layers": 1}, "weight_ih_l1 does not belong to it"),
    (deep, {"hidden_size": 10**9}, r"weight_ih_l0 has shape \[3, 2\], not \[1000000000, 2\]"),
    (deep, {"hidden_size": "3"}, "hidden_size is a whole number"),
    (deep, {"input_size": 2.0}, "input_size is a whole number"),
    (deep, {"bias": 1}, "bias is true or false, got 1"),
    (deep, {"bias": False}, "bias_ih_l0 does not belong to it"),
    (deep, {"nonlinearity": "eval"}, "nonlinearity 'eval' is not known"),
    (deep, {"rng": 3}, r"RNNCell has the options \['nonlinearity'\], got"),
    (lambda: LSTM(2, 3, rng=0), {"nonlinearity": "relu"}, "LSTMCell has the options"),
    (lambda: Embedding(3, 2, rng=0), {"num_embeddings": 10**9}, r"weight has shape \[3, 2\]"),
    (lambda: Embedding(3, 2, rng=0), {"num_embeddings": 3.0}, "num_embeddings is a whole number"),
    (lambda: CausalSelfAttention(2, rng=0), {"num_heads": 0}, "num_heads is a whole number"),
    (lambda: CausalSelfAttention(2, rng=0), {"num_heads": 3}, "num_heads divides embed_dim"),
    (lambda: TransformerBlock(2, 1, 3, rng=0), {"layer_norm_eps": NAN}, "eps is a number from 0"),
    (lambda: TransformerBlock(2, 1, 3, rng=0), {"dim_feedforward": 10**9}, "linear1.weight has shape"),
    (lambda: TransformerBlock(2, 1, 3, rng=0), {"activation": "tanh"}, "activation 'tanh' is not known"),
]


@pytest.mark.parametrize(("build", "change", "message"), OF_SEQUENCES)
def test_a_description_of_a_model_of_sequences_that_does_not_build_it_is_refused(path, build, change, message):
    model = build()
    found = describe(model)
    text = json.dumps({**found, "arguments": {**found["arguments"], **change}})
    write_arrays(path, model.state_dict(), {"architecture": text})
    with pytest.raises(ValueError, match=message) as error:
        load(path)
    assert str(error.value).startswith(f"{path} ")


# Descriptions of sequences, changed by somebody.


def image_description():
    """That of `image_layers`, as it is in a file."""
    return json.loads(json.dumps(describe(image_layers(0))))


CONVOLUTION, NORM, LEFT_OUT, POOL, LAYER_NORM = 1, 3, 4, 5, 7  # places of layers
LAYER_ARGUMENTS = [
    (0, {"mean": NAN}, "layer 0: mean is a number, got nan"),
    (0, {"deviation": 0}, "layer 0: deviation is a number above 0, got 0"),
    (0, {"deviation": HUGE}, "layer 0: deviation is a number, got 1000"),
    (CONVOLUTION, {"out_channels": 10**9}, r"1.weight has shape \[2, 1, 2, 2\], not \[1000000000, 1, 2, 2\]"),
    (CONVOLUTION, {"in_channels": 10**9}, r"1.weight has shape \[2, 1, 2, 2\], not \[2, 1000000000, 2, 2\]"),
    (CONVOLUTION, {"kernel_size": [10**9, 2]}, r"1.weight has shape \[2, 1, 2, 2\], not \[2, 1, 1000000000, 2\]"),
    (CONVOLUTION, {"padding": 10**9}, r"layer 1: padding is at most as large as the kernel, \[2, 2\], got 1000000000"),
    (CONVOLUTION, {"padding": [0, 3]}, r"layer 1: padding is at most as large as the kernel, \[2, 2\], got \[0, 3\]"),
    (CONVOLUTION, {"in_channels": 1.0}, "layer 1: in_channels is a whole number of at least 1, got 1.0"),
    (CONVOLUTION, {"in_channels": True}, "layer 1: in_channels is a whole number of at least 1, got True"),
    (CONVOLUTION, {"kernel_size": "22"}, "layer 1: kernel_size is a whole number of at least 1, or a pair of them"),
    (CONVOLUTION, {"stride": 0}, "layer 1: stride is a whole number of at least 1, or a pair of them, got 0"),
    (CONVOLUTION, {"bias": "no"}, "layer 1: bias is true or false, got 'no'"),
    (CONVOLUTION, {"bias": False}, "1.bias does not belong to it"),
    (CONVOLUTION, {"rng": 3}, "layer 1: .*rng"),
    (NORM, {"num_features": 10**9}, r"3.weight has shape \[2\], not \[1000000000\]"),
    (NORM, {"eps": NAN}, "layer 3: eps is a number from 0 on, got nan"),
    (NORM, {"eps": HUGE}, "layer 3: eps is a number from 0 on, got 1000"),
    (NORM, {"eps": "small"}, "layer 3: eps is a number from 0 on, got 'small'"),
    (NORM, {"momentum": True}, "layer 3: momentum is a number from 0 to 1, got True"),
    (LEFT_OUT, {"p": 1}, "layer 4: p is a probability from 0 to less than 1, got 1"),
    (LEFT_OUT, {"seed": 0.5}, "layer 4: seed is a whole number, got 0.5"),
    (LEFT_OUT, {"seed": -1}, r"layer 4: seed is a number from 0 to 1.67772e\+07, got -1"),
    (LEFT_OUT, {"seed": HUGE}, "layer 4: seed is a number from 0 to .*, got 1000"),
    (POOL, {"kernel_size": -2}, "layer 5: kernel_size is a whole number of at least 1, or a pair of them, got -2"),
    (POOL, {"stride": None}, "layer 5: stride is a whole number of at least 1, or a pair of them, got None"),
    (LAYER_NORM, {"normalized_shape": [10**9]}, r"7.weight has shape \[2\], not \[1000000000\]"),
    (LAYER_NORM, {"normalized_shape": 2}, "layer 7: "),
]  # fmt: skip


@pytest.mark.parametrize(("place", "changes", "message"), LAYER_ARGUMENTS, ids=[row[2][:40] for row in LAYER_ARGUMENTS])
def test_arguments_of_a_layer_that_make_no_sense_are_refused_by_name(path, place, changes, message):
    description = image_description()
    description["arguments"]["layers"][place]["arguments"].update(changes)
    write_arrays(path, image_layers(0).state_dict(), {"architecture": json.dumps(description)})
    with pytest.raises(ValueError, match=message) as error:
        load(path)
    assert str(error.value).startswith(f"{path} has the architecture Sequential, but ")


LISTS_OF_LAYERS = [
    (None, "layers is a list, got None"),
    ("relu", "layers is a list, got 'relu'"),
    ({"0": "relu"}, r"layers is a list, got \{'0': 'relu'\}"),
    (
        ["eval"],
        "layer 0: 'eval' does not describe a layer: it has a class, .*Neuron, .*TransformerBlock.*, or the name",
    ),
    (["relu", "mul"], "layer 1: 'mul' does not describe a layer: .* or the name of a function, exp, .*, log_softmax"),
    ([7], "layer 0: 7 does not describe a layer"),
    ([[]], r"layer 0: \[\] does not describe a layer"),
    ([{"class": "Module", "arguments": {}}], "layer 0: {.*'Module'} does not describe a layer"),
    ([{"class": ["Flatten"], "arguments": {}}], "layer 0: .* does not describe a layer"),
    ([{"class": "Flatten"}], "layer 0: .* does not describe a layer"),
    ([{"class": "Gate", "arguments": None}], "layer 0: .* does not describe a layer"),
    ([{"class": "Flatten", "arguments": {"axis": 1}}], "0.weights does not belong to it"),
    ([{"class": "Sequential", "arguments": {}}], "layer 0: .*missing 1 required positional argument: 'layers'"),
    ([{"class": "Sequential", "arguments": {"layers": [{}]}}], "layer 0: layer 0: {} does not describe a layer"),
    ([], "0.weights does not belong to it"),
    (["relu"] * 50_000, "0.weights does not belong to it"),
]


@pytest.mark.parametrize(("layers", "message"), LISTS_OF_LAYERS, ids=[repr(row[0])[:50] for row in LISTS_OF_LAYERS])
def test_a_list_of_layers_that_makes_no_sense_is_refused(path, layers, message):
    text = json.dumps({"class": "Sequential", "arguments": {"layers": layers}})
    write_arrays(path, Sequential(Neuron(2, rng=0)).state_dict(), {"architecture": text})
    with pytest.raises(ValueError, match=f"has the architecture Sequential, but .*{message}"):
        load(path)


@pytest.mark.parametrize("times", [40, 200, 2_000, 10_000])
def test_sequences_too_deep_inside_each_other_are_refused(path, times):
    one = '{"class": "Sequential", "arguments": {"layers": ['
    text = one * times + "]}}" * times
    write_arrays(path, {}, {"architecture": text})
    assert_refused(path, "does not say of which model", Sequential())


def places_in(nested):
    """(container, key) for all that is inside of lists and dicts."""
    for key, item in list(nested.items() if isinstance(nested, dict) else enumerate(nested)):
        yield nested, key
        if isinstance(item, dict | list):
            yield from places_in(item)


@pytest.mark.long
def test_any_part_of_a_description_may_be_wrong_and_is_refused_or_makes_a_model(path):
    description, arrays = image_description(), image_layers(0).state_dict()
    odd = [None, True, -1, 0, 2, 1.5, 10**9, HUGE, NAN, math.inf, "relu", "2", [], [2, 2], [None], {}, {"p": 1}]
    messages = []
    for container, key in places_in(description):
        right = container[key]
        for wrong in odd:
            container[key] = wrong
            write_arrays(path, arrays, {"architecture": json.dumps(description)})
            try:
                assert describe(load(path))["arguments"] is not None
            except ValueError as error:
                messages.append(str(error))
        container[key] = right
    assert len(messages) > 500
    assert all(message.startswith(f"{path} ") for message in messages)
