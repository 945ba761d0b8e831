"""Neuron, Layer and MLP: each is a list of the one before. Sizes go by micrograd's names, too: nin, nout and nouts."""

import random
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import sqrt
from typing import Any

from scalargrad.checks import is_whole, listed, one_of, whole
from scalargrad.engine import Value
from scalargrad.files.architecture import Arguments, Description, Shapes, described, prefixed
from scalargrad.holders import arrays_of, inventory
from scalargrad.nn.module import Module, Parameter
from scalargrad.operands import brief, is_recorded, number
from scalargrad.ops import OPERATIONS, dot
from scalargrad.support.collecting import uncollected
from scalargrad.support.keywords import also_called

# A weight's distribution from (rng, fan_in, fan_out): the sources of a unit and how many units read the same sources.
INITIALISATIONS = {
    "uniform": lambda rng, fan_in, fan_out: rng.uniform(-1.0, 1.0),  # micrograd's
    "he": lambda rng, fan_in, fan_out: rng.gauss(0.0, sqrt(2.0 / fan_in)),  # He et al. 2015, for relu
    "xavier": lambda rng, fan_in, fan_out: rng.uniform(-1.0, 1.0) * sqrt(6.0 / (fan_in + fan_out)),  # Glorot 2010
}
ACTIVATIONS = [
    name
    for name, op in OPERATIONS.items()
    if op.partials
    and not op.special
    and (op.arguments == ("x",) or (op.scalars and op.defaults))
    and name != "batch_mean"
]


def _neuron_shapes(fan_in: int, activation: str) -> Shapes:
    return {"weights": [fan_in], "bias": []}


@described(_neuron_shapes, lambda neuron: {"fan_in": len(neuron.weights), "activation": neuron.activation})
class Neuron(Module):
    """activation(dot(weights, inputs) + bias).

    fan_in      how many inputs it takes
    nonlin      False for a linear neuron, as in micrograd
    activation  the name of an operation of one argument: "relu", "tanh", "sigmoid", "gelu" ...; or "linear"
    init        "uniform" (-1 to 1, micrograd's), "he" or "xavier"
    rng         a seed or a random.Random; None uses Python's global one
    fan_out     how many neurons read the same inputs, for "xavier"

    >>> neuron = Neuron(2, rng=0)
    >>> neuron([1.0, 1.0]).op
    relu
    """

    @also_called(nin="fan_in")
    def __init__(
        self,
        fan_in: int,
        nonlin: bool = True,
        activation: str = "relu",
        init: str = "uniform",
        rng: int | random.Random | None = None,
        fan_out: int = 1,
    ) -> None:
        fan_in, fan_out = checked_size("fan_in", fan_in), checked_size("fan_out", fan_out)
        one_of("activation", activation, [*ACTIVATIONS, "linear"])
        one_of("init", init, INITIALISATIONS)
        rng, draw = generator(rng), INITIALISATIONS[init]
        self.weights = tuple([Parameter(draw(rng, fan_in, fan_out)) for _ in range(fan_in)])
        self.bias = Parameter(0.0)
        self.activation = activation if nonlin else "linear"

    def __call__(self, inputs: Sequence[Any]) -> Any:
        if type(inputs) is not tuple:  # as that of a layer is
            inputs = listed(inputs, "this Neuron", "a list of numbers or Values")
        if len(inputs) != len(self.weights):
            raise ValueError(f"this Neuron takes {len(self.weights)} inputs, got {len(inputs)}")
        total = dot(self.weights, inputs) + self.bias
        return total if self.activation == "linear" else getattr(total, self.activation)()

    def _zeros(self) -> tuple[Value, ...]:
        return tuple(Value(0.0) for _ in self.weights)

    def __repr__(self) -> str:
        return f"Neuron({len(self.weights)}, {self.activation})"


def _layer_arguments(layer: "Layer") -> Arguments | None:
    if any(type(neuron) is not Neuron for neuron in layer.neurons):
        return None
    kinds = {(len(neuron.weights), neuron.activation) for neuron in layer.neurons}
    if len(kinds) != 1:
        return None
    ((fan_in, activation),) = kinds
    return {"fan_in": fan_in, "fan_out": len(layer.neurons), "activation": activation}


def _layer_shapes(fan_in: int, fan_out: int, activation: str) -> Shapes:
    return {"weight": [fan_out, fan_in], "bias": [fan_out]}


def layer_description(fan_in: int, fan_out: int, activation: str) -> Description:
    """The description of a Layer, as `describe` gives it."""
    return {"class": "Layer", "arguments": {"fan_in": fan_in, "fan_out": fan_out, "activation": activation}}


@described(_layer_shapes, _layer_arguments)
class Layer(Module):
    """Neurons that read the same inputs. Returns their outputs, or the output of a single one.

    >>> len(Layer(2, 3)([1.0, 2.0]))
    3
    """

    @also_called(nin="fan_in", nout="fan_out")
    def __init__(self, fan_in: int, fan_out: int, rng: int | random.Random | None = None, **options: Any) -> None:
        fan_in, fan_out, rng = checked_size("fan_in", fan_in), checked_size("fan_out", fan_out), generator(rng)
        with uncollected():
            self.neurons = [Neuron(fan_in, rng=rng, fan_out=fan_out, **options) for _ in range(fan_out)]

    def __call__(self, inputs: Sequence[Any]) -> Any:
        operands = as_operands(inputs, len(self.neurons[0].weights), "Layer")
        outputs = tuple([neuron(operands) for neuron in self.neurons])
        return outputs[0] if len(outputs) == 1 else outputs

    def named_arrays(self) -> Iterator[tuple[str, Any]]:
        """PyTorch's names for a linear layer: `weight` [fan_out, fan_in] and `bias` [fan_out]."""
        yield "weight", [neuron.weights for neuron in self.neurons]
        yield "bias", [neuron.bias for neuron in self.neurons]
        # What somebody has added.
        yield from arrays_of(self, but=("neurons",))
        for place, neuron in enumerate(self.neurons):
            for name, array in arrays_of(neuron, but=("weights", "bias")):
                yield f"neurons.{place}.{name}", array

    def _zeros(self) -> tuple[Value, ...]:
        return self.neurons[0]._zeros()

    def __repr__(self) -> str:
        return f"Layer({len(self.neurons[0].weights)}, {len(self.neurons)}, {self.neurons[0].activation})"


def _mlp_arguments(mlp: "MLP") -> Arguments | None:
    known = [_layer_arguments(layer) for layer in mlp.layers if type(layer) is Layer]
    layers = [arguments for arguments in known if arguments]
    if not layers or len(layers) < len(mlp.layers):
        return None
    activations = [layer["activation"] for layer in layers]
    if len(set(activations[:-1])) > 1:
        return None
    return {
        "fan_in": layers[0]["fan_in"],
        "fan_outs": [layer["fan_out"] for layer in layers],
        "activation": activations[0] if len(layers) > 1 else "relu",
        "output_activation": activations[-1],
    }


def _mlp_shapes(fan_in: int, fan_outs: list[int], activation: str, output_activation: str) -> Shapes:
    layers = [_layer_shapes(*sizes, activation) for sizes in pairwise([fan_in, *fan_outs])]
    return {name: shape for i, layer in enumerate(layers) for name, shape in prefixed(f"layers.{i}", layer).items()}


@described(_mlp_shapes, _mlp_arguments)
class MLP(Module):
    """A multilayer perceptron: layers in a row, of which the last is linear.

    fan_in      how many numbers a sample has
    fan_outs    how many neurons each layer has
    activation  of every layer but the last; output_activation of the last
    init, rng   as in Neuron

    >>> model = MLP(2, [8, 8, 1], rng=0)
    >>> model
    MLP(2, [8, 8, 1]), 105 parameters
      layers.0  Layer(2, 8, relu)    24 parameters
      layers.1  Layer(8, 8, relu)    72 parameters
      layers.2  Layer(8, 1, linear)   9 parameters
    >>> score = model([0.5, -0.25])  # one Value; a tuple of Values if the last layer has several neurons
    """

    @also_called(nin="fan_in", nouts="fan_outs")
    def __init__(
        self,
        fan_in: int,
        fan_outs: Sequence[int],
        activation: str = "relu",
        output_activation: str = "linear",
        init: str = "uniform",
        rng: int | random.Random | None = None,
    ) -> None:
        fan_outs = listed(fan_outs, "MLP", "a list of layer sizes as fan_outs")
        rng, sizes = generator(rng), [fan_in, *(checked_size("fan_outs: each size", size) for size in fan_outs)]
        if len(sizes) < 2:
            raise ValueError("MLP has at least one layer: fan_outs is empty")
        one_of("activation", activation, [*ACTIVATIONS, "linear"])
        activations = [activation] * (len(sizes) - 2) + [output_activation]
        with uncollected():  # a hundred thousand parameters, and hardly any garbage
            self.layers = [
                Layer(sizes[i], sizes[i + 1], activation=name, init=init, rng=rng) for i, name in enumerate(activations)
            ]

    def __call__(self, inputs: Sequence[Any]) -> Any:
        outputs: Any = as_operands(inputs, len(self.layers[0].neurons[0].weights), "MLP")
        for layer in self.layers:
            outputs = layer(outputs if type(outputs) is tuple else (outputs,))
        return outputs

    def _zeros(self) -> tuple[Value, ...]:
        return self.layers[0]._zeros()

    def __repr__(self) -> str:
        sizes = [len(layer.neurons) for layer in self.layers]
        rows = [(f"layers.{i}", repr(layer), len(inventory([layer]).parameters)) for i, layer in enumerate(self.layers)]
        wide, most = max(len(row[1]) for row in rows), len(str(max(row[2] for row in rows)))
        title = (
            f"MLP({len(self.layers[0].neurons[0].weights)}, {sizes}), {len(inventory([self]).parameters)} parameters"
        )
        return "\n".join(
            [title, *(f"  {path}  {shown:<{wide}}  {count:>{most}} parameters" for path, shown, count in rows)]
        )


def as_operands(inputs: object, fan_in: int, name: str) -> tuple:
    """The inputs of a sample as a tuple of Values that several neurons can share, `fan_in` of them."""
    operands = tuple(listed(inputs, f"this {name}", f"a list of {fan_in} numbers or Values"))
    if len(operands) != fan_in:
        raise ValueError(f"this {name} takes {fan_in} inputs, got {len(operands)}")
    if all(map(is_recorded, operands)):
        return operands
    return tuple(x if is_recorded(x) else Value(x if type(x) is float else number(x, f"this {name}")) for x in operands)


def generator(rng: int | random.Random | None) -> Any:
    """A source of random numbers from a seed, from itself, or Python's global one."""
    if rng is None:
        return random
    if is_whole(rng):
        return random.Random(int(rng))
    if not all(hasattr(rng, name) for name in ("uniform", "gauss", "randrange")):
        raise TypeError(f"rng is a seed, a whole number, or a random.Random, got {brief(rng)}")
    return rng


def checked_size(name: str, size: object) -> int:
    """A whole number of at least 1, as Python's."""
    return whole(name, size, 1, "a whole number of at least 1,")
