"""The table of layers: shapes, parameters and multiply-adds against PyTorch's, and a model left as it was."""

import re
from itertools import pairwise
from threading import Event, Thread
from typing import NamedTuple

import numpy as np
import pytest

from scalargrad.anomaly import anomaly_detection
from scalargrad.engine import gradients
from scalargrad.nn import MLP, Buffer, Layer, Module, Neuron, Parameter
from scalargrad.nn.summary import summary
from scalargrad.observers import no_grad
from scalargrad.ops import dot, log, tanh


class Line(NamedTuple):
    """A line of the table as numbers; None stands for a dash."""

    title: str
    output: str
    parameters: int
    work: int | None


def lines_of(text):
    """path -> Line, from the text of a summary."""
    table = [re.split(r" {2,}", line.strip()) for line in text.splitlines()[2:]]
    return {
        cells[0]: Line(cells[1] if len(cells) == 5 else "", cells[-3], *map(whole, cells[-2:]))
        for cells in table
        if len(cells) > 1
    }


def whole(cell):
    return None if cell == "-" else int(cell.replace(",", ""))


class Convolution(Module):
    """One dimension, one channel, no padding."""

    def __init__(self, width):
        self.weights = tuple(Parameter(0.1 * i) for i in range(width))
        self.bias = Parameter(0.0)

    def __call__(self, xs):
        width = len(self.weights)
        return [dot(self.weights, xs[i : i + width]) + self.bias for i in range(len(xs) - width + 1)]


class Network(Module):
    """A convolution, a layer on top, and one that is never used."""

    def __init__(self):
        self.convolution = Convolution(3)
        self.head = {"score": Layer(6, 2), "spare": Layer(6, 1)}

    def __call__(self, xs):
        return self.head["score"]([tanh(x) for x in self.convolution(xs)])


class Recurrence(Module):
    """The same cell for each number of a sequence, and a gain of its own."""

    def __init__(self):
        self.cell = Layer(3, 2, activation="tanh")
        self.gain = Parameter(2.0)

    def __call__(self, xs):
        state = (0.0, 0.0)
        for x in xs:
            state = self.cell((x, *state))
        return [self.gain * x for x in state]


class Returning(Module):
    """Gives back what it was made with."""

    def __init__(self, outputs):
        self.outputs = lambda: outputs

    def __call__(self, xs):
        return self.outputs()


def pytorchs(network, *shape):
    """(parameters, multiply-adds) of a network of PyTorch, which counts two operations for each."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(shape))
    return sum(p.numel() for p in network.parameters()), counter.get_total_flops() // 2


@pytest.mark.parametrize("sizes", [[2, 8, 8, 1], [1, 1], [64, 32, 10], [784, 16, 10]], ids=str)
def test_an_mlp_is_counted_as_pytorch_counts(sizes, torch):
    nn = torch.nn
    lines = lines_of(summary(MLP(sizes[0], sizes[1:])))
    pairs = list(pairwise(sizes))
    for i, (fan_in, fan_out) in enumerate(pairs):
        line = lines[f"layers.{i}"]
        assert (line.parameters, line.work) == pytorchs(nn.Linear(fan_in, fan_out), 1, fan_in)
        assert line.output == ("number" if fan_out == 1 else f"[{fan_out}]")
        assert line.title.startswith(f"Layer({fan_in}, {fan_out}, ")
    network = nn.Sequential(*(nn.Linear(*pair) for pair in pairs))
    assert (lines["total"].parameters, lines["total"].work) == pytorchs(network, 1, sizes[0])
    assert set(lines) == {f"layers.{i}" for i in range(len(pairs))} | {"total"}


def test_a_network_of_ones_own_is_counted_as_pytorch_counts(torch):
    nn = torch.nn
    lines = lines_of(summary(Network(), np.zeros(8)))
    assert lines["convolution"] == ("Convolution", "[6]", *pytorchs(nn.Conv1d(1, 1, 3), 1, 1, 8))
    assert lines["head.score"] == ("Layer(6, 2, relu)", "[2]", *pytorchs(nn.Linear(6, 2), 1, 6))
    assert lines["head.spare"] == ("Layer(6, 1, relu)", "-", 7, None)
    assert lines["total"] == ("", "[2]", 4 + 14 + 7, 18 + 12)


def test_a_layer_called_several_times_shows_the_work_of_all_calls():
    lines = lines_of(summary(Recurrence(), [1.0] * 5))
    assert lines["cell"] == ("Layer(3, 2, tanh), 5 calls", "[2]", 8, 5 * 6)
    assert lines["itself"] == ("Recurrence", "[2]", 1, 2)
    assert lines["total"] == ("", "[2]", 9, 32)


@pytest.mark.parametrize(("unit", "fan_in"), [(Neuron(3), 3), (Layer(3, 2), 3), (Layer(3, 1), 3), (MLP(3, [4]), 3)])
def test_the_units_of_this_package_need_no_sample(unit, fan_in):
    assert summary(unit) == summary(unit, [1.0] * fan_in) == unit.summary()


def test_a_model_without_layers_is_one_line():
    lines = lines_of(summary(Neuron(3, activation="tanh")))
    assert lines == {"itself": ("Neuron(3, tanh)", "number", 4, 3), "total": ("", "number", 4, 3)}


def test_the_table_is_aligned_and_sets_thousands_apart():
    text = summary(MLP(100, [30, 10], rng=0)).splitlines()
    assert text == [
        "MLP(100, [30, 10]), 3340 parameters",
        "            layer                  output  parameters  multiply-adds",
        "  layers.0  Layer(100, 30, relu)     [30]       3,030          3,000",
        "  layers.1  Layer(30, 10, linear)    [10]         310            300",
        "  total                              [10]       3,340          3,300",
    ]


def test_only_direct_children_have_a_line():
    class Wrapper(Module):
        def __init__(self):
            self.parts = [(MLP(2, [3, 1]), Neuron(1))]

        def __call__(self, xs):
            return self.parts[0][1]([self.parts[0][0](xs)])

    lines = lines_of(summary(Wrapper(), [1, 2]))
    assert lines == {
        "parts.0.0": ("MLP(2, [3, 1])", "number", 13, 9),
        "parts.0.1": ("Neuron(1, relu)", "number", 2, 1),
        "total": ("", "number", 15, 10),
    }


def test_shared_parameters_count_once_in_the_total():
    class Tied(Module):
        def __init__(self):
            self.one, self.two = Neuron(2), Neuron(2)
            self.two.weights = self.one.weights
            self.bias = self.one.bias

        def __call__(self, xs):
            return self.one(xs) + self.two(xs) + self.bias

    model = Tied()
    text = summary(model, [1.0, 2.0])
    lines = lines_of(text)
    assert (lines["one"].parameters, lines["two"].parameters) == (3, 3)
    assert lines["total"].parameters == len(model.parameters()) == 4
    assert "itself" not in lines
    assert text.endswith("\n  Parameters that several layers share are counted once in the total.")


def test_a_layer_with_two_names_has_one_line():
    class Twice(Module):
        def __init__(self):
            self.first = self.second = Neuron(1)

        def __call__(self, x):
            return self.second([self.first([x])])

    lines = lines_of(summary(Twice(), 1.0))
    assert lines == {"first": ("Neuron(1, relu), 2 calls", "number", 2, 2), "total": ("", "number", 2, 2)}


def test_work_inside_a_layer_inside_a_layer_counts_for_the_inner_one():
    class Outer(Module):
        def __init__(self, inner):
            self.inner = inner

        def __call__(self, xs):
            return 3.0 * self.inner(xs)

    class Both(Module):
        def __init__(self):
            self.inner = Neuron(2)
            self.outer = Outer(self.inner)

        def __call__(self, xs):
            return self.outer(xs)

    lines = lines_of(summary(Both(), [1.0, 2.0]))
    assert (lines["inner"].work, lines["outer"].work, lines["total"].work) == (2, 1, 3)


def test_super_is_part_of_the_same_call():
    class Doubled(Neuron):
        def __call__(self, xs):
            return 2.0 * super().__call__(xs)

    class Inherited(Doubled):
        pass

    class Three(Module):
        def __init__(self):
            self.neurons = [Neuron(2), Doubled(2), Inherited(2)]

        def __call__(self, xs):
            return [neuron(xs) for neuron in self.neurons]

    for _ in range(2):
        lines = lines_of(summary(Three(), [1.0, 2.0]))
        assert [lines[f"neurons.{i}"].work for i in range(3)] == [2, 3, 3]
        assert not any("calls" in line.title for line in lines.values())


def test_products_of_the_sample_count_too():
    class Square(Module):
        def __call__(self, x):
            return x[0][0] * x[0][1] + x[1][0] * 2.0

    assert lines_of(summary(Square(), np.ones((2, 2), np.float32)))["total"].work == 2


# fmt: off
SHAPES = [
    (1.0,                                "number"),
    (Parameter(1.0),                     "number"),
    ([1.0],                              "[1]"),
    ((1.0, 2.0),                         "[2]"),
    ([[1.0, 2.0, 3.0]] * 2,              "[2, 3]"),
    (np.zeros((2, 3, 4)),                "[2, 3, 4]"),
    ([np.zeros(3), np.zeros(3)],         "[2, 3]"),
    (([1.0, 2.0], 3.0),                  "([2], number)"),
    ([([1.0, 2.0], 3.0)] * 4,            "4 of ([2], number)"),
    ([],                                 "[0]"),
    (None,                               "NoneType"),
    ({"a": 1.0},                         "dict"),
]
# fmt: on


@pytest.mark.parametrize(("outputs", "shape"), SHAPES, ids=[shape for _, shape in SHAPES])
def test_shapes(outputs, shape):
    assert lines_of(summary(Returning(outputs), 1.0))["total"].output == shape


def test_a_model_that_hides_its_width_needs_a_sample():
    with pytest.raises(ValueError, match=r"a Recurrence does not say .* show it one, summary\(sample=X\[0\]\)"):
        summary(Recurrence())
    model = MLP(2, [2, 1])
    model.layers[0] = lambda x: x
    with pytest.raises(ValueError, match="a MLP does not say what a sample looks like"):
        summary(model)


def test_a_model_may_call_what_it_likes_zeros():
    class Padded(Module):
        def __init__(self):
            self.zeros = [1, 2]

    with pytest.raises(ValueError, match="a Padded does not say what a sample looks like"):
        summary(Padded())


@pytest.mark.parametrize(
    ("sample", "error", "message"),
    [
        ([1.0], ValueError, "this MLP takes 2 inputs, got 1"),
        (1.0, TypeError, "takes a list of 2 numbers"),
        (["a", "b"], TypeError, "convert text with float"),
    ],
)
def test_a_sample_that_does_not_fit_is_refused_by_the_model(sample, error, message):
    with pytest.raises(error, match=message):
        summary(MLP(2, [1]), sample)


# The model stays what it was.


class Running(Module):
    """Counts its calls, in training and always, and can fail."""

    def __init__(self, fails=False):
        self.calls, self.neuron, self.fails = Buffer(0.0), Neuron(1), fails
        self.in_training = Buffer(0.0)

    def __call__(self, xs):
        self.calls.update(self.calls + 1.0)
        if self.training:
            self.in_training.update(self.in_training + 1.0)
        if self.fails:
            raise RuntimeError("as told")
        return self.neuron(xs)


class Pair(Module):
    def __init__(self, fails=False):
        self.parts = [Running(), Running(fails)]

    def __call__(self, xs):
        return [part(xs) for part in self.parts]


def state_of(model):
    flags = [(module, module.training) for module in model.modules()]
    classes = [(kind, vars(kind).get("__call__")) for kind in (Pair, Running, Neuron, Layer, Module)]
    numbers = [(p, p.data, p.grad, p.label) for p in model.parameters()]
    return flags, classes, numbers, [(part.calls.data, part.in_training.data) for part in model.parts]


@pytest.mark.parametrize("fails", [False, True])
def test_a_model_is_as_it_was_before(fails):
    model = Pair(fails)
    model.parts[0].eval()
    before = state_of(model)
    try:
        summary(model, [1.0])
    except RuntimeError:
        assert fails
    assert state_of(model) == before


def test_a_model_computes_in_evaluation_mode():
    class Mode(Module):
        def __call__(self, x):
            return [x] if self.training else [x, x]

    assert lines_of(summary(Mode(), 1.0))["total"].output == "[2]"


def test_an_inherited_call_is_inherited_again():
    class Own(Neuron):
        pass

    class One(Module):
        def __init__(self):
            self.neuron = Own(1)

        def __call__(self, xs):
            return self.neuron(xs)

    summary(One(), [1.0])
    assert "__call__" not in vars(Own)


def test_blocks_around_see_nothing_of_it():
    class Logarithm(Module):
        def __call__(self, x):
            return log(x)

    with anomaly_detection():
        assert lines_of(summary(Logarithm(), 0.0))["total"].output == "number"


def test_what_is_not_recorded_is_counted_all_the_same():
    with no_grad():
        text = summary(Recurrence(), [1.0])
    assert text == summary(Recurrence(), [1.0])


def test_a_model_may_use_gradients():
    class Slope(Module):
        def __call__(self, x):
            return gradients(x * x * x, [x], create_graph=True)

    assert lines_of(summary(Slope(), 2.0))["total"].output == "[1]"


def test_a_summary_in_another_thread_leaves_the_classes_alone():
    inside, done = Event(), Event()

    class Two(Module):
        def __init__(self, during):
            self.neuron, self.during = Neuron(1), during

        def __call__(self, xs):
            self.during()
            return self.neuron(xs)

    def begin_the_other():
        other.start()
        inside.wait(0.2)  # in vain, if each has its turn

    def outlast_the_first():
        inside.set()
        done.wait()

    plain, texts = Neuron.__call__, []
    other = Thread(target=lambda: texts.append(summary(Two(outlast_the_first), [1.0])))
    texts.append(summary(Two(begin_the_other), [1.0]))
    done.set()
    other.join()
    assert texts[0] == texts[1]
    assert Neuron.__call__ is plain
