"""The units of any network, what its outputs mean, and the words of its code."""

import numpy
import pytest

from scalargrad.engine import Value
from scalargrad.losses import binary_cross_entropy_with_logits, cross_entropy, huber, mse
from scalargrad.nn import MLP, BatchNorm1d, Dropout, Layer, LayerNorm, Module, Parameter, Sequential, softmax
from scalargrad.ops import tanh
from scalargrad.pages.code import source_of, words_of
from scalargrad.pages.decisions import decision_of
from scalargrad.pages.live_training import sample_of
from scalargrad.pages.network import MOST_UNITS, described, network_of
from scalargrad.training.objectives import objective_of


class ByHand(Module):
    """Two hidden units, in products and sums."""

    def __init__(self):
        self.a, self.b, self.c, self.d = (Parameter(x) for x in (1.0, -2.0, 0.5, 3.0))
        self.shift, self.out1, self.out2 = Parameter(0.1), Parameter(1.5), Parameter(-0.5)

    def __call__(self, x):
        first = (x[0] * self.a + self.b * x[1] + self.shift).tanh()
        second = (self.c * x[0] - x[1] * self.d).relu()
        return first * self.out1 + self.out2 * second


class Matrix(Module):
    """A matrix of parameters, and an activation that reads its input twice."""

    def __init__(self):
        self.W = [[Parameter(0.3 * (row + 1) - column) for column in range(2)] for row in range(3)]
        self.v = [Parameter(1.0 - row) for row in range(3)]

    def __call__(self, x):
        hidden = [sum((w * number for w, number in zip(row, x, strict=True)), 0.0) for row in self.W]
        hidden = [h * h.sigmoid() for h in hidden]  # swish
        return sum((w * h for w, h in zip(self.v, hidden, strict=True)), 0.0)


class Softmax(Module):
    def __init__(self):
        self.layer = Layer(2, 3, activation="linear", rng=0)

    def __call__(self, x):
        return softmax(self.layer(x))


class NoUnits(Module):
    def __init__(self):
        self.w = Parameter(2.0)

    def __call__(self, x):
        return tanh(x[0] * x[1]) + self.w


def units(model):
    return sample_of(model, [0.3, -0.7]).units


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: MLP(2, [1], rng=0), [(1, "linear", 2)]),
        (lambda: MLP(2, [3, 1], rng=0), [(1, "relu", 2)] * 3 + [(2, "linear", 3)]),
        (lambda: MLP(2, [1, 1], activation="tanh", rng=0), [(1, "tanh", 2), (2, "linear", 1)]),
        (lambda: MLP(2, [2, 2], "linear", "sigmoid", rng=0), [(1, "linear", 2)] * 2 + [(2, "sigmoid", 2)] * 2),
        (lambda: MLP(2, [2, 1], "gelu", rng=0), [(1, "gelu", 2)] * 2 + [(2, "linear", 2)]),
        (ByHand, [(1, "tanh", 2), (1, "relu", 2), (2, "linear", 2)]),
        (Matrix, [(1, "mul", 2)] * 3 + [(2, "linear", 3)]),
        (lambda: Sequential(Layer(2, 4), Dropout(0.5), Layer(4, 1)), [(1, "relu", 2)] * 4 + [(2, "relu", 4)]),
        (Softmax, [(1, "linear", 2)] * 3),
        (NoUnits, []),
    ],
)  # fmt: skip
def test_units_are_found_in_any_network(make, expected):
    found = units(make())
    assert [(unit.layer, unit.activation, len(unit.weighed)) for unit in found] == expected


def test_a_unit_is_on_where_its_total_is_above_zero():
    model = MLP(2, [3, 1], activation="sigmoid", rng=1)
    sample = sample_of(model, [0.3, -0.7])
    for unit, neuron in zip(sample.units, model.layers[0].neurons, strict=False):
        total = neuron.weights[0].data * 0.3 + neuron.weights[1].data * -0.7 + neuron.bias.data
        assert unit.total.data == pytest.approx(total, abs=1e-15)
        assert unit.output.data == Value(unit.total.data).sigmoid().data


def test_what_is_made_of_one_unit_alone_belongs_to_it():
    model = Sequential(Layer(2, 3, activation="linear", rng=0), BatchNorm1d(3), Layer(3, 1, activation="linear", rng=0))
    found = units(model)
    assert [unit.layer for unit in found] == [1, 1, 1, 2]
    scale = 1.0 / (1.0 + 1e-5) ** 0.5
    assert found[0].output.data == pytest.approx(scale * found[0].values[1].data)
    # A mean over the units is of none of them; what weighs the results is a layer again.
    assert [unit.layer for unit in units(Sequential(Layer(2, 3, rng=0), LayerNorm(3)))] == [1] * 3 + [2] * 3


def test_the_graph_is_followed_for_other_inputs():
    for model in (MLP(2, [4, 2], "tanh", rng=0), ByHand(), Matrix(), Softmax(), NoUnits()):
        sample = sample_of(model, [0.3, -0.7])
        again = sample.again([Value(-1.5), Value(2.0)], sample.outputs)
        outputs = model((Value(-1.5), Value(2.0)))
        outputs = outputs if isinstance(outputs, list | tuple) else [outputs]
        assert [value.data for value in again] == [value.data for value in outputs]


def test_sixteen_units_of_a_layer_are_shown_those_with_the_largest_outgoing_weights():
    model = MLP(2, [64, 1], rng=0)
    network = network_of(sample_of(model, [0.3, -0.7]))
    weights = [abs(weight.data) for weight in model.layers[1].neurons[0].weights]
    largest = sorted(range(64), key=lambda n: -weights[n])[:MOST_UNITS]
    owners = {f"layers.0.neurons.{n}" for n in largest}
    assert {unit.owner for unit in network.units} == owners
    place = {parameter: n for n, parameter in enumerate(model.parameters())}
    data = described(network, ["x1", "x2"], place)
    assert data["columns"][0]["more"] == 48
    assert data["columns"][0]["kind"] == "64 relu"
    assert len(data["edges"]) == 16 * 2 + 16
    names = [data["nodes"][node]["name"] for node in data["columns"][0]["nodes"]]
    assert names == [f"n{n}" for n in sorted(largest)]


@pytest.mark.parametrize(
    ("loss", "shape", "targets", "kind", "level", "logits"),
    [
        ("mse", (), [0, 1, 1], "threshold", 0.5, False),
        ("mse", (), [-1, 1], "threshold", 0.0, False),
        ("huber", (1,), [2, 5], "threshold", 3.5, False),
        ("binary_cross_entropy", (), [0, 1], "threshold", 0.0, True),
        ("hinge", (), [-1, 1], "threshold", 0.0, False),
        (lambda x, y: binary_cross_entropy_with_logits(3.0 * x - 1.0, y), (), [0, 1], "threshold", 1 / 3, True),
        (lambda output, label: (output - label).relu(), (), [0, 1], "threshold", 0.5, False),
        (lambda output, label: output.nonsense, (), [0, 1], "threshold", 0.5, False),
        ("mse", (), [0.1, 0.5, 0.9], "number", 0.5, False),
        ("cross_entropy", (3,), [0, 2, 1], "argmax", 0.0, False),
        (lambda outputs, label: cross_entropy(outputs, label), (2,), [0, 1], "argmax", 0.0, False),
        (lambda outputs, target: mse(outputs, target), (2,), [[0.0, 0.5], [1.0, 1.0]], "number", 0.5, False),
    ],
)  # fmt: skip
def test_what_the_outputs_mean(loss, shape, targets, kind, level, logits):
    decision = decision_of(objective_of(loss), shape, numpy.array(targets, float))
    assert (decision.kind, decision.logits) == (kind, logits)
    assert decision.level == pytest.approx(level, abs=1e-12)


def test_labels_of_outputs():
    two = decision_of(objective_of("hinge"), (), numpy.array([-1.0, 1.0]))
    found = two.labels_of(numpy.array([[0.0], [0.1], [numpy.nan]]))
    assert found[:2].tolist() == [-1.0, 1.0] and numpy.isnan(found[2])  # noqa: PT018 (one fact)
    three = decision_of(objective_of("cross_entropy"), (3,), numpy.array([0.0, 2.0]))
    assert three.labels_of(numpy.array([[1.0, 5.0, 5.0], [0.0, -1.0, 2.0]])).tolist() == [1, 2]


def test_code_is_shown_as_it_is_written():
    name, source = source_of(huber)
    assert name == "huber"
    assert source.startswith("def huber(")
    assert "bounded force" not in source  # what ours say of themselves is in the documentation
    assert "Two hidden units" in source_of(ByHand)[1]
    words = words_of(source)
    assert "".join(text for _, text in words) == source
    assert ("keyword", "def") in words
    assert ("number", "0.5") in words
    assert words_of("loss=(lambda output, target:") == [("", "loss=(lambda output, target:")]
    assert source_of(eval(compile("lambda x: x", "<nowhere>", "eval"))) == ("", "")
