"""Layers of images: with PyTorch's weights they compute PyTorch's numbers and gradients, in training and evaluation."""

from importlib import import_module

import numpy as np
import pytest

from scalargrad import SGD, Value, compile, cross_entropy, dot, leaky_relu, nn, relu, sin, tanh
from scalargrad.datasets.nested import like, numbers_in, on_each_number
from scalargrad.demos.networks import convolutional_network
from scalargrad.nn import (
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Layer,
    LayerNorm,
    MaxPool2d,
    Module,
    Parameter,
    Sequential,
    log_softmax,
    softmax,
)
from scalargrad.nn.normalisation import Normalize
from scalargrad.randomness import current_share, uniform
from scalargrad.training.checkpoint import Checkpoint
from tests.compiler.backends.suite import INSTALLED

NEAR = {"rtol": 1e-10, "atol": 1e-10}


def torch():
    return import_module("torch")


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def in_torch(array):
    return torch().tensor(array, dtype=torch().float64)


def nested_parameters(array):
    return tuple(map(nested_parameters, array)) if isinstance(array, list) else Parameter(array)


def lists_of(model):
    return {name: array.tolist() for name, array in model.state_dict().items()}


def slopes(model):
    """The gradients of a model's arrays, by name."""
    return {
        name: np.array(on_each_number(lambda p: p.grad, array))
        for name, array in model.named_arrays()
        if isinstance(next(numbers_in(array)), Parameter)
    }


# name: (what makes the layer, of our module `nn` and of PyTorch's, the shape of a sample)
LAYERS = {
    "convolution":           (lambda n: n.Conv2d(2, 3, 3),                         (2, 5, 4)),
    "without bias":          (lambda n: n.Conv2d(2, 3, 3, bias=False),             (2, 5, 4)),
    "1x1":                   (lambda n: n.Conv2d(3, 2, 1),                         (3, 2, 3)),
    "as large as the image": (lambda n: n.Conv2d(1, 2, (3, 4)),                    (1, 3, 4)),
    "rectangular":           (lambda n: n.Conv2d(2, 2, (1, 3)),                    (2, 3, 5)),
    "stride":                (lambda n: n.Conv2d(1, 2, 2, stride=2),               (1, 5, 4)),
    "strides":               (lambda n: n.Conv2d(1, 2, 2, stride=(2, 3)),          (1, 5, 6)),
    "padding":               (lambda n: n.Conv2d(2, 3, 3, padding=1),              (2, 3, 4)),
    "paddings and a stride": (lambda n: n.Conv2d(1, 2, 3, 2, (0, 2)),              (1, 5, 3)),
    "max-pool":              (lambda n: n.MaxPool2d(2),                            (2, 4, 5)),
    "overlapping max-pool":  (lambda n: n.MaxPool2d((3, 2), stride=(1, 2)),        (2, 4, 5)),
    "average pool":          (lambda n: n.AvgPool2d(2),                            (2, 4, 5)),
    "average of overlaps":   (lambda n: n.AvgPool2d(2, stride=1),                  (2, 3, 3)),
    "global average":        (lambda n: global_average(n),                         (3, 2, 4)),
    "batch norm 2d":         (lambda n: n.BatchNorm2d(2),                          (2, 3, 2)),
    "other constants":       (lambda n: n.BatchNorm2d(2, eps=0.1, momentum=0.4),   (2, 3, 2)),
    "one position":          (lambda n: n.BatchNorm2d(3),                          (3, 1, 1)),
    "batch norm 1d":         (lambda n: n.BatchNorm1d(3),                          (3,)),
    "1d with positions":     (lambda n: n.BatchNorm1d(2),                          (2, 4)),
    "layer norm":            (lambda n: n.LayerNorm(4),                            (4,)),
    "layer norm of parts":   (lambda n: n.LayerNorm(3, eps=0.01),                  (2, 2, 3)),
    "layer norm of images":  (lambda n: n.LayerNorm((2, 3)),                       (2, 2, 3)),
    "known mean":            (lambda n: normaliser(n),                             (2, 2, 3)),
    "flatten":               (lambda n: n.Flatten(),                               (2, 2, 3)),
    "several":               (lambda n: several(n),                                (1, 5, 5)),
}  # fmt: skip


def several(n):
    first = [n.Conv2d(1, 2, 2), rectifier(n), n.BatchNorm2d(2), n.Dropout(0.0)]
    return n.Sequential(*first, n.Conv2d(2, 3, 1), n.MaxPool2d(2), n.Flatten())


def rectifier(n):
    return relu if n is nn else n.ReLU()


def normaliser(n):
    if n is nn:
        return Normalize(0.1307, 0.3081)

    class Normaliser(n.Module):
        def forward(self, x):
            return (x - 0.1307) / 0.3081

    return Normaliser()


def global_average(n):
    return n.GlobalAvgPool() if n is nn else n.AdaptiveAvgPool2d(1)


def twins(name):
    """Our layer and PyTorch's, with the same arrays, and what sets the input: arrays of 5 samples and of factors."""
    layer, shape = LAYERS[name]
    ours, theirs = layer(nn), layer(torch().nn).double()
    for place, array in enumerate(theirs.state_dict().values()):
        if array.dtype == torch().float64:  # not the number of batches
            array.copy_(in_torch(0.5 + np.abs(numbers(*array.shape, seed=place))))
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs, numbers(5, *shape, seed=20), 0.5 + np.abs(numbers(*shape, seed=21))


@pytest.mark.oracle("torch")
@pytest.mark.parametrize("backend", INSTALLED)
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("name", LAYERS)
def test_outputs_and_gradients_are_pytorchs(name, training, backend):
    ours, theirs, X, factors = twins(name)
    ours.train(training)
    theirs.train(training)
    scales = nested_parameters(factors.tolist())  # whose gradients are made of those of the inputs

    def inputs(x):
        pairs = zip(numbers_in(x), numbers_in(scales), strict=True)
        return like(x, (sin(number * scale) for number, scale in pairs))

    torch_scales = in_torch(factors).requires_grad_()
    expected = theirs(torch().sin(in_torch(X) * torch_scales))
    outputs = compile(lambda x: ours(inputs(x)), backend=backend)(X)
    np.testing.assert_allclose(outputs, expected.detach().numpy(), **NEAR)

    factors = numbers(*expected.shape, seed=22)
    program = compile(lambda x, y: dot(tuple(numbers_in(ours(inputs(x)))), tuple(numbers_in(y))), backend=backend)
    loss = (expected * in_torch(factors)).sum() / len(X)
    loss.backward()
    assert program.backward(X, factors) == pytest.approx(loss.item(), rel=1e-10)
    np.testing.assert_allclose(on_each_number(lambda p: p.grad, scales), torch_scales.grad.numpy(), **NEAR)
    found = slopes(ours)
    assert list(found) == [name for name, _ in theirs.named_parameters()]
    for name, parameter in theirs.named_parameters():
        np.testing.assert_allclose(found[name], parameter.grad.numpy(), **NEAR)
    for name, array in theirs.state_dict().items():  # running averages, too: both have seen one batch
        np.testing.assert_allclose(ours.state_dict()[name], array.numpy(), **NEAR)


@pytest.mark.oracle("torch")
@pytest.mark.parametrize(
    "name", ["several", "layer norm", "batch norm 1d", "paddings and a stride", "max-pool", "average pool", "flatten"]
)
def test_one_sample_of_values_or_numbers_is_computed_as_well(name):
    ours, theirs, X, _ = twins(name)
    ours.eval()
    expected = theirs.eval()(in_torch(X[:1]))[0].detach().numpy()
    for sample in (X[0], X[0].tolist(), on_each_number(Value, X[0].tolist())):
        outputs = on_each_number(float, ours(sample))
        np.testing.assert_allclose(outputs, expected, **NEAR)


# Convolutions.


@pytest.mark.parametrize("padding", [0, 1])
def test_a_convolution_is_one_contraction_padded_or_not(padding):
    model = Conv2d(2, 4, 3, padding=padding, bias=False, rng=0)
    program = compile(lambda x: model(x), backend="numpy")
    outputs = program(numbers(3, 2, 5, 5))
    positions = outputs.shape[2] * outputs.shape[3]
    contractions = [line.split("  ")[1] for line in str(program).splitlines() if "contract" in line]
    assert contractions == [f"contract [4, 18] x [18, {positions}]"]
    assert not any(op in str(program) for op in ("dot", "sum", "mul"))


def test_first_weights_are_pytorchs_or_those_of_a_neuron():
    layer = Conv2d(2, 50, (3, 2), rng=0)
    drawn = np.concatenate([layer.state_dict()["weight"].ravel(), layer.state_dict()["bias"]])
    bound = 1.0 / np.sqrt(2 * 3 * 2)
    assert np.abs(drawn).max() == pytest.approx(bound, rel=0.01)
    assert drawn.std() == pytest.approx(bound / np.sqrt(3.0), rel=0.1)  # evenly
    layer = Conv2d(2, 50, (3, 2), init="he", rng=0)
    assert layer.state_dict()["weight"].std() == pytest.approx(np.sqrt(2.0 / 12.0), rel=0.1)
    assert not layer.state_dict()["bias"].any()
    same = Conv2d(2, 50, (3, 2), init="he", rng=0).state_dict()
    assert all((array == same[name]).all() for name, array in layer.state_dict().items())


def test_ties_in_a_pool_share_the_gradient():
    image = on_each_number(Value, [[[1.0, 5.0], [5.0, 5.0]]])
    MaxPool2d(2)(image)[0][0][0].backward()
    assert [x.grad for x in numbers_in(image)] == [0.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0]


# Batch normalisation.


@pytest.mark.oracle("torch")
@pytest.mark.parametrize("backend", ["numpy", "native"])
def test_running_averages_after_steps_of_several_sizes_are_pytorchs(backend):
    def model(n, activation):
        return [n.Conv2d(1, 2, 2), activation, n.BatchNorm2d(2), n.Flatten(), n.BatchNorm1d(8)]

    theirs = torch().nn.Sequential(*model(torch().nn, torch().nn.Tanh())).double()
    ours = Sequential(*model(nn, tanh))
    ours.load_state_dict(theirs.state_dict())
    X, factors = numbers(9, 1, 3, 3), numbers(9, 8, seed=1)
    trainer = compile(lambda x, y: dot(ours(x), y), backend=backend).trainer(SGD(lr=0.1))
    optimizer = torch().optim.SGD(theirs.parameters(), lr=0.1)
    for rows in (9, 4, 2, 4):
        trainer.step(X[:rows], factors[:rows])
        optimizer.zero_grad()
        ((theirs(in_torch(X[:rows])) * in_torch(factors[:rows])).sum() / rows).backward()
        optimizer.step()
    for name, array in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[name], array.numpy(), rtol=1e-9, atol=1e-9, err_msg=name)
    assert ours.state_dict()["2.num_batches_tracked"] == 4.0


@pytest.mark.parametrize("backend", INSTALLED)
def test_a_share_is_one_over_the_samples_of_a_call(backend):
    program = compile(lambda x: [current_share() * 3.0, x], backend=backend)
    for rows in (1, 3, 4, 1):
        assert program(np.ones(rows)) == pytest.approx(np.array([[3.0 / rows, 1.0]] * rows))
    assert current_share() == 1.0


@pytest.mark.parametrize("backend", INSTALLED)
def test_a_batch_of_one_number_leaves_the_averages_as_they_are(backend):
    layer = BatchNorm1d(2)
    program = compile(lambda x: dot(layer(x), x), backend=backend)
    program.backward([[1.0, 2.0]])
    assert layer.state_dict()["running_mean"].tolist() == [0.0, 0.0]
    assert layer.state_dict()["running_var"].tolist() == [1.0, 1.0]
    program.backward([[1.0, 2.0], [3.0, 4.0]])
    assert layer.state_dict()["running_mean"] == pytest.approx([0.2, 0.3])
    assert layer.state_dict()["running_var"] == pytest.approx([1.1, 1.1])


def test_a_refused_sample_changes_no_average():
    layer = BatchNorm1d(2)
    with pytest.raises(ValueError, match="one number of each channel"):
        layer([1.0, 2.0])
    assert lists_of(layer) == lists_of(BatchNorm1d(2))


def test_evaluation_changes_no_average():
    layer = BatchNorm2d(1).eval()
    before = lists_of(layer)
    compile(lambda x: dot(tuple(numbers_in(layer(x))), (1.0,) * 4)).backward(numbers(3, 1, 2, 2))
    layer(numbers(1, 2, 2))
    assert lists_of(layer) == before


# Dropout.


def test_what_is_dropped_is_counted_by_row_step_layer_and_place():
    layer = Dropout(0.3, rng=0)
    X = np.ones((6, 2, 2))

    def masks(step):
        drawn = [[uniform(row, step, layer.seed, site) for site in range(4)] for row in range(6)]
        return np.where(np.array(drawn) < 0.3, 0.0, 1.0 / 0.7).reshape(6, 2, 2)

    for backend in INSTALLED:
        for dtype in ["float64"] if backend == "eager" else ["float64", "float32"]:
            weights = nested_parameters(np.ones((2, 2)).tolist())
            program = compile(
                lambda x: dot(tuple(numbers_in(layer(x))), tuple(numbers_in(weights))),  # noqa: B023
                backend=backend,
                dtype=dtype,
            )
            for step in range(3):
                for weight in numbers_in(weights):
                    weight.grad = 0.0
                program.backward(X)
                found = on_each_number(lambda p: p.grad, weights)
                np.testing.assert_allclose(found, masks(step).mean(axis=0), rtol=1e-6)
    assert np.asarray(layer(X[0].tolist())) == pytest.approx(masks(0)[0])


def test_dropout_keeps_the_mean_and_drops_its_share():
    layer = Dropout(0.2, rng=1)
    outputs = compile(lambda x: layer(x))(np.ones((400, 25)))
    assert np.mean(outputs == 0.0) == pytest.approx(0.2, abs=0.01)
    assert set(outputs.ravel()) == {0.0, 1.25}
    assert outputs.mean() == pytest.approx(1.0, abs=0.02)
    other = Dropout(0.2, rng=2)
    assert np.corrcoef(outputs.ravel(), compile(lambda x: other(x))(np.ones((400, 25))).ravel())[0, 1] < 0.05


def test_evaluation_and_probability_0_drop_nothing():
    inputs = ((1.0, 2.0), (3.0, 4.0))
    assert Dropout(0.9, rng=0).eval()(inputs) is inputs
    assert Dropout(0.0)(inputs) is inputs


def test_layers_of_one_generator_have_seeds_of_their_own_the_same_in_each_run():
    one, other = (
        [layer.seed for layer in convolutional_network(rng=7).layers if isinstance(layer, Dropout)] for _ in range(2)
    )
    assert one == other
    assert len(set(one)) == len(one) == 6


# Functions, and layers one after another.


@pytest.mark.oracle("torch")
@pytest.mark.parametrize("values", [[0.3], [1.0, -2.0, 0.5], [1000.0, 999.0, -1000.0], [0.0] * 4])
def test_softmax_and_its_logarithm_are_pytorchs(values):
    tensor = in_torch(values)
    np.testing.assert_allclose(softmax(values), torch().softmax(tensor, 0).numpy(), **NEAR)
    np.testing.assert_allclose(log_softmax(values), torch().log_softmax(tensor, 0).numpy(), **NEAR)


@pytest.mark.oracle("torch")
@pytest.mark.parametrize("function", [softmax, log_softmax])
def test_their_gradients_are_pytorchs(function):
    values, factors = numbers(4, seed=1), numbers(4, seed=2)
    inputs = tuple(map(Value, values))
    dot(function(inputs), tuple(factors)).backward()
    tensor = in_torch(values).requires_grad_()
    (getattr(torch(), function.__name__)(tensor, 0) * in_torch(factors)).sum().backward()
    np.testing.assert_allclose([x.grad for x in inputs], tensor.grad.numpy(), **NEAR)


def test_cross_entropy_is_the_negative_log_likelihood_of_log_softmax():
    logits = numbers(5).tolist()
    for label in range(5):
        assert cross_entropy(logits, label) == pytest.approx(-log_softmax(logits)[label], rel=1e-14)


@pytest.mark.oracle("torch")
def test_a_sequence_applies_operations_to_numbers_and_functions_to_all():
    model = Sequential(tanh, leaky_relu, Flatten(), log_softmax, lambda outputs: outputs[0])
    sample = ((0.5, -0.25), (1.0, 0.0))
    expected = torch().log_softmax(torch().nn.functional.leaky_relu(torch().tanh(in_torch(sample))).flatten(), 0)[0]
    assert model(sample) == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.oracle("torch")
def test_arrays_of_sequences_in_modules_are_named_as_in_pytorch():
    class Ours(Module):
        def __init__(self):
            self.features = Sequential(Sequential(Conv2d(1, 2, 1), BatchNorm2d(2)), relu)
            self.head = Sequential(Flatten(), Layer(2, 3))

    n = torch().nn
    theirs = n.ModuleDict(
        {
            "features": n.Sequential(n.Sequential(n.Conv2d(1, 2, 1), n.BatchNorm2d(2)), n.ReLU()),
            "head": n.Sequential(n.Flatten(), n.Linear(2, 3)),
        }
    )
    shapes = {name: array.shape for name, array in Ours().state_dict().items()}
    assert shapes == {name: tuple(array.shape) for name, array in theirs.state_dict().items()}


@pytest.mark.parametrize(
    ("layer", "shown"),
    [
        (Conv2d(1, 16, 3), "Conv2d(1, 16, 3)"),
        (Conv2d(1, 2, (3, 1), 2, (1, 0), False), "Conv2d(1, 2, (3, 1), stride=2, padding=(1, 0), bias=False)"),
        (MaxPool2d(2), "MaxPool2d(2)"),
        (AvgPool2d((2, 3), stride=1), "AvgPool2d((2, 3), stride=1)"),
        (GlobalAvgPool(), "GlobalAvgPool()"),
        (BatchNorm1d(4), "BatchNorm1d(4)"),
        (BatchNorm2d(4), "BatchNorm2d(4)"),
        (LayerNorm(4), "LayerNorm(4)"),
        (LayerNorm((4, 2)), "LayerNorm((4, 2))"),
        (Normalize(0.1307, 0.3081), "Normalize(0.1307, 0.3081)"),
        (Dropout(0.1), "Dropout(0.1)"),
        (Flatten(), "Flatten()"),
        (Sequential(relu), "Sequential, 0 parameters\n  0  relu"),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, Module) else "",
)  # fmt: skip
def test_a_layer_says_what_it_is(layer, shown):
    assert repr(layer) == shown


IMAGE = ((1.0, 2.0), (3.0, 4.0))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Conv2d(0, 1, 3), "in_channels is a whole number of at least 1, got 0"),
        (lambda: Conv2d(1, 1.5, 3), "out_channels is a whole number of at least 1, got 1.5"),
        (lambda: Conv2d(1, 1, 0), "kernel_size is a whole number of at least 1, or a pair of them, got 0"),
        (lambda: Conv2d(1, 1, (3, 3, 3)), r"kernel_size .* got \(3, 3, 3\)"),
        (lambda: Conv2d(1, 1, 3, stride=0), "stride is a whole number of at least 1, or a pair of them, got 0"),
        (lambda: Conv2d(1, 1, 3, padding=-1), "padding is a whole number of at least 0, or a pair of them, got -1"),
        (lambda: Conv2d(1, 1, True), "kernel_size is .* got True"),
        (lambda: Conv2d(1, 1, 3, init="zeros"), "init 'zeros' is not known; there are fan_in, uniform, he, xavier"),
        (lambda: MaxPool2d("2"), "kernel_size is .* got '2'"),
        (lambda: Conv2d(1, 2, 3)([0.0] * 784), r"takes an image \[1, rows, columns\], got \[784\]: shape an array"),
        (lambda: Conv2d(1, 2, 3)(0.5), r"this Conv2d\(1, 2, 3\) takes an image .*, got a number"),
        (lambda: Conv2d(1, 2, 3)("image"), "got a number"),
        (lambda: Conv2d(3, 2, 1)([IMAGE]), r"this Conv2d\(3, 2, 1\) takes an image of 3 channels, got \[1, 2, 2\]"),
        (lambda: Conv2d(1, 2, 3)([IMAGE]), r"this Conv2d\(1, 2, 3\) takes an image of at least 3x3, got 2x2"),
        (lambda: Conv2d(1, 2, (1, 5), padding=1)([IMAGE]), "an image of at least 1x5, got 4x4"),
        (lambda: Conv2d(2, 2, 1)([IMAGE, IMAGE[:1]]), r"lists of a sample differ in length: \[1, 2\] and \[2, 2\]"),
        (lambda: Conv2d(1, 2, 1)([((1.0, 2.0), (3.0,))]), r"differ in length: \[1\] and \[2\]"),
        (lambda: Conv2d(1, 2, 1)([[]]), r"takes .* got \[1, 0\], which holds no numbers"),
        (lambda: Conv2d(1, 2, 1)([[["a", "b"]]]), "Value takes a real number, got 'a'"),
        (lambda: MaxPool2d(3)([IMAGE]), r"this MaxPool2d\(3\) takes an image of at least 3x3, got 2x2"),
        (lambda: AvgPool2d(2)(IMAGE), r"this AvgPool2d\(2\) takes an image \[channels, rows, columns\], got \[2, 2\]"),
        (lambda: GlobalAvgPool()([1.0]), r"this GlobalAvgPool\(\) takes an image .* got \[1\]"),
        (lambda: BatchNorm2d(3)([IMAGE]), r"this BatchNorm2d\(3\) takes an image of 3 channels, got \[1, 2, 2\]"),
        (lambda: BatchNorm2d(2)(IMAGE), r"this BatchNorm2d\(2\) takes an image .* got \[2, 2\]"),
        (lambda: BatchNorm1d(3)(IMAGE), r"this BatchNorm1d\(3\) takes \[3\] or \[3, positions\], got \[2, 2\]"),
        (lambda: BatchNorm1d(1)([IMAGE]), r"takes \[1\] or \[1, positions\], got \[1, 2, 2\]"),
        (lambda: BatchNorm1d(2)((1.0, 2.0)), r"BatchNorm1d\(2\) is in training and got one number of each"),
        (lambda: BatchNorm2d(2)([[[1.0]], [[2.0]]]), r"got one number of each channel"),
        (lambda: BatchNorm2d(0), "num_features is a whole number of at least 1, got 0"),
        (lambda: BatchNorm2d(2, momentum=1.5), "momentum is a number from 0 to 1, got 1.5"),
        (lambda: LayerNorm(()), "normalized_shape"),
        (lambda: LayerNorm((2, 0)), "normalized_shape: each size is a whole number of at least 1, got 0"),
        (lambda: LayerNorm(3)(IMAGE), r"this LayerNorm\(3\) takes \[..., 3\], got \[2, 2\]"),
        (lambda: LayerNorm((2, 2))([1.0, 2.0]), r"this LayerNorm\(\(2, 2\)\) takes \[..., 2, 2\], got \[2\]"),
        (lambda: Normalize(0.0, 0.0), "deviation is a number above 0, got 0.0"),
        (lambda: Normalize(float("nan"), 1.0), "mean is a number, got nan"),
        (lambda: Normalize(0.0, "1"), "deviation is a number, got '1'"),
        (lambda: Normalize(0.0, 10**400), "deviation is a number, got 1000"),
        (lambda: Dropout(1.0), "p is a probability from 0 to less than 1, got 1.0"),
        (lambda: Dropout(-0.1), "p is a probability from 0 to less than 1, got -0.1"),
        (lambda: Dropout("half"), "p is a probability from 0 to less than 1, got 'half'"),
        (lambda: Sequential(Conv2d(1, 1, 1), 3), "Sequential takes modules and functions, got 3 as layer 1"),
        (lambda: Sequential(Flatten), r"got <class .*Flatten'> as layer 0, a class: write Flatten\(\.\.\.\)"),
    ],
)  # fmt: skip
def test_a_wrong_use_is_told(call, words):
    with pytest.raises((TypeError, ValueError), match=words):
        call()


# Networks of images.


@pytest.mark.long
def test_the_network_of_13808_parameters_and_3393376_multiply_adds():
    model = convolutional_network(rng=0)
    assert len(model.parameters()) == 13_808
    rows = [line.split() for line in model.summary(numbers(1, 28, 28)).splitlines() if "Conv2d" in line]
    assert sum(int(row[-1].replace(",", "")) for row in rows) == 3_393_376


@pytest.mark.oracle("torch")
def test_it_is_pytorchs():
    def network(n):
        def block(inputs, outputs, padding=0):
            convolution = n.Conv2d(inputs, outputs, 3, padding=padding, bias=False)
            return [convolution, rectifier(n), n.BatchNorm2d(outputs), n.Dropout(0.1)]

        first = [normaliser(n), *block(1, 16), *block(16, 32), n.Conv2d(32, 10, 1, bias=False), n.MaxPool2d(2)]
        second = [*block(10, 16), *block(16, 16), *block(16, 16), *block(16, 16, padding=1)]
        return n.Sequential(*first, *second, global_average(n), n.Conv2d(16, 10, 1, bias=False), n.Flatten())

    theirs, ours = network(torch().nn).double().eval(), convolutional_network(rng=0).eval()
    assert repr(ours) == repr(network(nn))
    ours.load_state_dict(theirs.state_dict())
    image = numbers(1, 28, 28)
    np.testing.assert_allclose(
        on_each_number(float, ours(image)), theirs(in_torch(image)[None])[0].detach().numpy(), **NEAR
    )


def small_network():
    convolution = [Conv2d(1, 3, 2, rng=0), relu, BatchNorm2d(3), Dropout(0.2, rng=1), MaxPool2d(2)]
    return Sequential(*convolution, Flatten(), Layer(12, 2, init="he", rng=2, activation="linear"))


def test_a_network_of_images_is_fitted_resumed_and_asked(tmp_path):
    X = numbers(24, 1, 5, 5)
    y = (X[:, 0, 1, 1] > 0.0).astype(int)
    options = {"loss": "cross_entropy", "batch_size": 7, "rng": 3, "progress": False}
    whole, stopped, resumed = small_network(), small_network(), small_network()
    history = whole.fit(X, y, epochs=6, optimizer=SGD(lr=0.05, momentum=0.9), **options)
    assert history["loss"][-1] < history["loss"][0]
    path = tmp_path / "run.safetensors"

    def stop(run):
        if run.epoch == 3:
            run.stop("half of it")

    stopped.fit(X, y, epochs=6, optimizer=SGD(lr=0.05, momentum=0.9), callbacks=[Checkpoint(path), stop], **options)
    resumed.fit(X, y, epochs=6, optimizer=SGD(lr=0.05, momentum=0.9), resume=path, **options)
    for name, array in whole.state_dict().items():
        assert (array == resumed.state_dict()[name]).all(), name
    assert whole.predict(X).shape == (24,)
    assert whole.evaluate(X, y).accuracy > 0.6
