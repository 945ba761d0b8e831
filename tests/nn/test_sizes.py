"""Sizes and other whole numbers from NumPy: as Python's in every layer, and kept as Python's."""

import json
import random

import numpy
import pytest

import scalargrad
from scalargrad import MLP, Layer, Neuron, Value, nn
from scalargrad.datasets.augmentation import Shift
from scalargrad.demos.networks import AttentionNames, LSTMNames
from scalargrad.files.architecture import describe
from scalargrad.training.checkpoint import Checkpoint
from tests.one_line import check_one_line

KINDS = {
    "int8": numpy.int8,
    "int64": numpy.int64,
    "uint16": numpy.uint16,
    "an array without axes": numpy.array,
    "a masked array that hides nothing": numpy.ma.array,
}
LAYERS = {  # of `n`, which makes a size
    "Neuron": lambda n: Neuron(n(3), fan_out=n(2), init="xavier", rng=n(5)),
    "Layer": lambda n: Layer(n(3), n(2), n(5)),
    "MLP": lambda n: MLP(n(3), [n(4), n(2)], rng=n(5)),
    "MLP, an array of sizes": lambda n: MLP(n(3), numpy.array([4, 2]), rng=n(5)),
    "Conv2d": lambda n: nn.Conv2d(n(2), n(3), n(3), n(2), n(1), rng=n(5)),
    "Conv2d, pairs": lambda n: nn.Conv2d(n(1), n(1), (n(1), n(2)), [n(2), n(1)], numpy.array([0, 1]), rng=n(5)),
    "MaxPool2d": lambda n: nn.MaxPool2d(n(2), (n(1), n(2))),
    "AvgPool2d": lambda n: nn.AvgPool2d(numpy.array([1, 2], "uint8")),
    "BatchNorm1d": lambda n: nn.BatchNorm1d(n(3)),
    "BatchNorm2d": lambda n: nn.BatchNorm2d(n(3)),
    "LayerNorm": lambda n: nn.LayerNorm(n(3)),
    "LayerNorm, several axes": lambda n: nn.LayerNorm((n(2), n(3))),
    "LayerNorm, an array": lambda n: nn.LayerNorm(numpy.array([2, 3])),
    "Embedding": lambda n: nn.Embedding(n(5), n(2), n(5)),
    "RNNCell": lambda n: nn.RNNCell(n(2), n(3), rng=n(5)),
    "GRUCell": lambda n: nn.GRUCell(n(2), n(3), rng=n(5)),
    "LSTMCell": lambda n: nn.LSTMCell(n(2), n(3), rng=n(5)),
    "RNN": lambda n: nn.RNN(n(2), n(3), n(2), rng=n(5)),
    "GRU": lambda n: nn.GRU(n(2), n(3), n(2), rng=n(5)),
    "LSTM": lambda n: nn.LSTM(n(2), n(3), n(2), rng=n(5)),
    "CausalSelfAttention": lambda n: nn.CausalSelfAttention(n(4), n(2), n(5)),
    "TransformerBlock": lambda n: nn.TransformerBlock(n(4), n(2), n(3), rng=n(5)),
    "Dropout": lambda n: nn.Dropout(0.5, n(5)),
    "LSTMNames": lambda n: LSTMNames(n(2), n(3), n(5)),
    "AttentionNames": lambda n: AttentionNames(n(4), n(2), n(3), n(5)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LAYERS)
def test_a_size_from_numpy_is_one_of_python(name, kind):
    """The layer is the same to the bit, and nothing in it is NumPy's: repr, files and pickles stay what they were."""
    found, expected = LAYERS[name](KINDS[kind]), LAYERS[name](int)
    assert repr(found) == repr(expected)
    assert json.dumps(describe(found)) == json.dumps(describe(expected))
    assert [x.data for x in found.parameters()] == [x.data for x in expected.parameters()]
    kinds = {type(item) for part in found.modules() for item in numbers(vars(part).values())}
    assert not [kind for kind in kinds if kind.__module__ == "numpy"]


def numbers(attributes):
    for x in attributes:
        if isinstance(x, tuple | list):
            yield from numbers(x)
        else:
            yield x


@pytest.mark.parametrize(
    "size",
    [
        *(True, numpy.True_, numpy.array(True), 2.0, numpy.float64(2.0), numpy.array(2.0), "2", None, 2 + 0j),
        *([2], numpy.array([2]), numpy.zeros((100, 100), int), Value(2.0), 0, -1, numpy.int64(0), numpy.array(-1)),
        *(numpy.ma.array(2, mask=True), {2, 3}, {2: 3}, float("nan")),
    ],
    ids=lambda size: f"{size!r:.20}",
)
@pytest.mark.parametrize(
    "make",
    [
        *(Neuron, lambda n: Neuron(2, fan_out=n), lambda n: Layer(2, n), lambda n: MLP(n, [1]), lambda n: MLP(1, [n])),
        *(lambda n: nn.Conv2d(1, 1, (2, n)), lambda n: nn.MaxPool2d(n if type(n) is not list else [n, 2])),
        *(lambda n: nn.LayerNorm((n, 2)), nn.BatchNorm1d, lambda n: nn.Embedding(n, 2), lambda n: nn.LSTM(2, 3, n)),
        lambda n: nn.CausalSelfAttention(2, n),
    ],
)
def test_no_other_size_is_taken(make, size):
    with pytest.raises((TypeError, ValueError)) as caught:
        make(size)
    check_one_line(caught.value, most=250)


@pytest.mark.parametrize(
    "rng", [True, 1.5, "1", numpy.array([1]), numpy.random.default_rng(0)], ids=lambda rng: type(rng).__name__
)
@pytest.mark.parametrize("make", [lambda rng: Layer(3, 2, rng), lambda rng: nn.Dropout(0.5, rng)])
def test_a_seed_is_a_whole_number_or_a_random(make, rng):
    with pytest.raises(TypeError, match=r"^rng is a seed, a whole number, or a random\.Random, got "):
        make(rng)
    make(random.Random(0))


def test_a_probability_and_other_numbers_may_be_numpys():
    for number in (numpy.float32(0.5), numpy.float64(0.5), numpy.array(0.5)):
        assert repr(nn.Dropout(number, rng=0)) == "Dropout(0.5)"
        layer = nn.BatchNorm1d(numpy.int64(2), number, number)
        assert (type(layer.eps), type(layer.momentum)) == (float, float)
        assert repr(nn.Normalize(number, number)) == "Normalize(0.5, 0.5)"
    for layer in (lambda: nn.Dropout(numpy.array([0.5])), lambda: nn.BatchNorm1d(2, momentum="0.1")):
        with pytest.raises(ValueError, match=r"^(p is a probability|momentum is a number) from 0 to"):
            layer()


def test_whole_numbers_of_other_callables_may_be_numpys(tmp_path):
    for n in KINDS.values():
        assert repr(Shift(n(2))) == "Shift(pixels=2, fill=0.0)"
        assert type(Checkpoint(tmp_path / "run", n(2)).every) is int
        x = Value(2.0)
        assert str(scalargrad.explain(x * x, x, show=n(1))) == str(scalargrad.explain(x * x, x, show=1))


@pytest.mark.parametrize("kind", KINDS)
def test_a_trainer_takes_numpys_numbers(kind):
    histories = []
    for n in (int, KINDS[kind]):
        w = nn.Parameter(0.0)
        program = scalargrad.compile(lambda x, w=w: (w * x - 1.0) ** 2, threads=n(1))
        trainer = program.trainer(scalargrad.SGD(0.1), n(2), n(3), steps=n(4))
        assert (type(trainer.batch_size), type(trainer.rng)) == (int, int)
        histories.append(trainer.run([1.0, 2.0, 3.0], n(2)))
    assert histories[0] == histories[1]


def test_a_fit_takes_numpys_numbers():
    X, y = numpy.array([[0.0], [1.0], [2.0]]), numpy.array([0.0, 1.0, 2.0])
    runs = []
    for n in (int, numpy.int64, numpy.array):
        model = MLP(X.shape[1], [n(2), n(1)], rng=n(0))
        runs.append(model.fit(X, y, epochs=n(2), batch_size=n(2), rng=n(1), early_stopping=n(5))["loss"])
    assert runs[0] == runs[1] == runs[2]
