"""What a model is, in a few words of JSON, and the model again from these words, which can hold no code.

A description says which class the model has and, for the classes of ARCHITECTURES, the arguments that make its
constructor build it again: {"class": "MLP", "arguments": {"fan_in": 2, "fan_outs": [8, 1], "activation": "relu",
"output_activation": "linear"}}. The layers of a Sequential are descriptions, or names of FUNCTIONS: {"class":
"Sequential", "arguments": {"layers": [{"class": "Dropout", "arguments": {"p": 0.1, "seed": 7.0}}, "relu"]}}.

A description may come from a file that somebody else made: nothing is built before its arguments have been checked, and
the shapes that it demands are known before anything of this size is made.
"""

import reprlib
import sys
from collections.abc import Callable, Iterable
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

from scalargrad.nn import (
    MLP,
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
    Neuron,
    Sequential,
    log_softmax,
    softmax,
)
from scalargrad.nn.convolution import pair
from scalargrad.nn.dense import ACTIVATIONS
from scalargrad.nn.nested import numbers_in
from scalargrad.nn.normalisation import Normalize
from scalargrad.ops import OPERATIONS

Description = dict[str, Any]
Shapes = dict[str, list[int]]

LARGEST = sys.float_info.max
DEEPEST = 100  # lists and dicts inside each other: 33 Sequentials
FUNCTIONS: dict[str, Callable] = {
    **{name: OPERATIONS[name] for name in ACTIVATIONS},
    "softmax": softmax,
    "log_softmax": log_softmax,
}


class Architecture(NamedTuple):
    """A class of models that a file can describe.

    kind       the class
    arguments  from a model to the arguments that build it again; None if it is not as its constructor makes it
    shapes     from these arguments to the shapes of its arrays, which are known before anything is built; it also
               refuses arguments of which the constructor would take no notice
    build      from these arguments to a model of any numbers, without Python's global random numbers
    """

    kind: type[Module]
    arguments: Callable[[Any], dict[str, Any] | None]
    shapes: Callable[..., Shapes]
    build: Callable[..., Module]


def describe(model: Module) -> Description:
    """The class of a model and the arguments that make its constructor build it again, or None if there are none.

    >>> describe(Neuron(2, activation="tanh"))
    {'class': 'Neuron', 'arguments': {'fan_in': 2, 'activation': 'tanh'}}
    """
    name = type(model).__name__
    unknown = {"class": name, "arguments": None}
    if name not in ARCHITECTURES or type(model) is not ARCHITECTURES[name].kind:
        return unknown
    description = {"class": name, "arguments": ARCHITECTURES[name].arguments(model)}
    try:
        return description if check_depth(description) and _has_just(model, shapes_of(description)) else unknown
    except (TypeError, ValueError):
        return unknown


def shapes_of(description: Any) -> Shapes:
    """The shapes of the arrays of a model of this description, by name. TypeError or ValueError, if there is none.

    >>> shapes_of({"class": "Layer", "arguments": {"fan_in": 3, "fan_out": 2, "activation": "relu"}})
    {'weight': [2, 3], 'bias': [2]}
    """
    architecture, arguments = _row_of(description)
    return architecture.shapes(**arguments)


def build(description: Any) -> Module:
    """A model of this description, of any numbers. TypeError or ValueError, if there is none; see `shapes_of` first."""
    architecture, arguments = _row_of(description)
    return architecture.build(**arguments)


def difference(one: Any, other: Any) -> tuple[str, str] | None:
    """Two descriptions in words, where they first differ; None, if at most in the seeds of Dropouts.

    >>> difference(describe(Sequential(Flatten(), Neuron(2))), describe(Sequential(Flatten(), Neuron(3))))
    ("a Sequential whose layer 1 is Neuron(fan_in=2, activation='relu')",
     "a Sequential whose layer 1 is Neuron(fan_in=3, activation='relu')")
    """
    layers, others = _layers_of(one), _layers_of(other)
    if layers is None or others is None or len(layers) != len(others):
        return None if _without_seed(one) == _without_seed(other) else (_shown(one), _shown(other))
    for place, pair_of_layers in enumerate(zip(layers, others, strict=True)):
        if found := difference(*pair_of_layers):
            first, second = (f"a Sequential whose layer {place} is {words}" for words in found)
            return first, second
    return None


def array_shapes(arrays: Any) -> Shapes:
    return {name: list(array.shape) for name, array in arrays.items()}


def check_depth(description: Any) -> bool:
    """True, or a ValueError if lists and dicts lie too deep inside each other for functions that call themselves."""
    level = [description]
    for _ in range(DEEPEST):
        level = [item for part in level for item in _items(part)]
        if not level:
            return True
    raise ValueError(f"it has lists and dicts that lie more than {DEEPEST} deep inside each other")


# Dense layers.


def _neuron_arguments(neuron: Neuron) -> dict[str, Any]:
    return {"fan_in": len(neuron.weights), "activation": neuron.activation}


def _layer_arguments(layer: Layer) -> dict[str, Any] | None:
    if any(type(neuron) is not Neuron for neuron in layer.neurons):
        return None
    kinds = {(len(neuron.weights), neuron.activation) for neuron in layer.neurons}
    if len(kinds) != 1:
        return None
    ((fan_in, activation),) = kinds
    return {"fan_in": fan_in, "fan_out": len(layer.neurons), "activation": activation}


def _mlp_arguments(mlp: MLP) -> dict[str, Any] | None:
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


def _neuron_shapes(fan_in: int, activation: str) -> Shapes:
    return {"weights": [fan_in], "bias": []}


def _layer_shapes(fan_in: int, fan_out: int, activation: str) -> Shapes:
    return {"weight": [fan_out, fan_in], "bias": [fan_out]}


def _mlp_shapes(fan_in: int, fan_outs: list[int], activation: str, output_activation: str) -> Shapes:
    layers = [_layer_shapes(*sizes, activation) for sizes in pairwise([fan_in, *fan_outs])]
    return {f"layers.{i}.{name}": shape for i, layer in enumerate(layers) for name, shape in layer.items()}


# Layers of images, normalisation and dropout: their arguments are attributes of the same names.


def _attributes(*names: str) -> Callable[[Module], dict[str, Any]]:
    """A function that gives these attributes of a layer as JSON has them, tuples as lists."""

    def arguments(layer: Module) -> dict[str, Any]:
        found = {name: getattr(layer, name) for name in names}
        return {name: list(one) if isinstance(one, tuple) else one for name, one in found.items()}

    return arguments


def _convolution_arguments(layer: Conv2d) -> dict[str, Any]:
    sizes = _attributes("in_channels", "out_channels", "kernel_size", "stride", "padding")
    return {**sizes(layer), "bias": layer.bias is not None}


def _convolution_shapes(
    in_channels: int, out_channels: int, kernel_size: Any, stride: Any, padding: Any, bias: bool
) -> Shapes:
    kernel, frame = pair("kernel_size", kernel_size), pair("padding", padding, least=0)
    # The sizes of kernels are checked against arrays. Padding has none, and takes memory for each image.
    if any(beside > size for beside, size in zip(frame, kernel, strict=True)):
        raise ValueError(f"padding is at most as large as the kernel, {kernel_size}, got {padding}")
    if not isinstance(bias, bool):
        raise ValueError(f"bias is true or false, got {bias!r}")
    return {"weight": [out_channels, in_channels, *kernel], **({"bias": [out_channels]} if bias else {})}


def _pool_shapes(kernel_size: Any, stride: Any) -> Shapes:
    pair("stride", stride)  # which the constructor can do without
    return {}


def _batch_norm_shapes(num_features: int, eps: float, momentum: float) -> Shapes:
    _check_number("eps", eps, LARGEST)
    _check_number("momentum", momentum, 1.0)
    names = ("weight", "bias", "running_mean", "running_var")
    return {**{name: [num_features] for name in names}, "num_batches_tracked": []}


def _layer_norm_shapes(normalized_shape: list[int], eps: float) -> Shapes:
    _check_number("eps", eps, LARGEST)
    return {"weight": list(normalized_shape), "bias": list(normalized_shape)}


def _dropout_shapes(p: float, seed: float) -> Shapes:
    _check_number("seed", seed, 2.0**24 - 1.0)
    if not float(seed).is_integer():
        raise ValueError(f"seed is a whole number, got {seed}")
    return {}


def _dropout(p: float, seed: float) -> Dropout:
    layer = Dropout(p, rng=0)
    layer.seed = float(seed)
    return layer


def _no_shapes(**arguments: Any) -> Shapes:
    return {}


# Layers one after another.


def _sequential_arguments(model: Sequential) -> dict[str, Any] | None:
    layers = [describe(layer) if isinstance(layer, Module) else _name_of(layer) for layer in model.layers]
    return None if None in layers else {"layers": layers}


def _sequential_shapes(layers: list) -> Shapes:
    if not isinstance(layers, list):
        raise ValueError(f"layers is a list, got {reprlib.repr(layers)}")
    shapes = _for_each(layers, lambda layer: {} if _is_function(layer) else shapes_of(layer))
    return {f"{place}.{name}": shape for place, arrays in enumerate(shapes) for name, shape in arrays.items()}


def _sequential(layers: list) -> Sequential:
    return Sequential(*_for_each(layers, lambda layer: FUNCTIONS[layer] if _is_function(layer) else build(layer)))


def _for_each(layers: list, function: Callable[[Any], Any]) -> list:
    """What the function makes of each layer; a ValueError says which one it refused."""
    made = []
    for place, layer in enumerate(layers):
        try:
            made.append(function(layer))
        except (TypeError, ValueError) as error:
            raise ValueError(f"layer {place}: {error}") from error
    return made


def _name_of(function: Any) -> str | None:
    return next((name for name, known in FUNCTIONS.items() if known is function), None)


def _is_function(layer: Any) -> bool:
    return isinstance(layer, str) and layer in FUNCTIONS


_of_pool = _attributes("kernel_size", "stride")
_of_batch_norm = _attributes("num_features", "eps", "momentum")
_of_layer_norm = _attributes("normalized_shape", "eps")

# fmt: off
ARCHITECTURES = {row.kind.__name__: row for row in (
    #            class          its arguments                     shapes of its arrays  built again by
    Architecture(Neuron,        _neuron_arguments,                _neuron_shapes,       partial(Neuron, rng=0)),
    Architecture(Layer,         _layer_arguments,                 _layer_shapes,        partial(Layer, rng=0)),
    Architecture(MLP,           _mlp_arguments,                   _mlp_shapes,          partial(MLP, rng=0)),
    Architecture(Conv2d,        _convolution_arguments,           _convolution_shapes,  partial(Conv2d, rng=0)),
    Architecture(MaxPool2d,     _of_pool,                         _pool_shapes,         MaxPool2d),
    Architecture(AvgPool2d,     _of_pool,                         _pool_shapes,         AvgPool2d),
    Architecture(GlobalAvgPool, _attributes(),                    _no_shapes,           GlobalAvgPool),
    Architecture(BatchNorm1d,   _of_batch_norm,                   _batch_norm_shapes,   BatchNorm1d),
    Architecture(BatchNorm2d,   _of_batch_norm,                   _batch_norm_shapes,   BatchNorm2d),
    Architecture(LayerNorm,     _of_layer_norm,                   _layer_norm_shapes,   LayerNorm),
    Architecture(Normalize,     _attributes("mean", "deviation"), _no_shapes,           Normalize),
    Architecture(Dropout,       _attributes("p", "seed"),         _dropout_shapes,      _dropout),
    Architecture(Flatten,       _attributes(),                    _no_shapes,           Flatten),
    Architecture(Sequential,    _sequential_arguments,            _sequential_shapes,   _sequential),
)}
# fmt: on


# Helpers.


def _row_of(description: Any) -> tuple[Architecture, dict[str, Any]]:
    match description:
        case {"class": str() as name, "arguments": dict() as arguments} if name in ARCHITECTURES:
            return ARCHITECTURES[name], arguments
    known = f"a class, {', '.join(ARCHITECTURES)}, or the name of a function, {', '.join(FUNCTIONS)}"
    raise ValueError(f"{reprlib.repr(description)} does not describe a layer: it has {known}")


def _has_just(model: Module, shapes: Shapes) -> bool:
    """Does it have the arrays of these shapes, no others, and no number in two places?"""
    numbers = [number for _, array in model.named_arrays() for number in numbers_in(array)]
    distinct = set(numbers)
    return (
        array_shapes(model.state_dict()) == shapes
        and len(distinct) == len(numbers)
        and distinct.issuperset(model.parameters())
    )


def _layers_of(description: Any) -> list | None:
    match description:
        case {"class": "Sequential", "arguments": {"layers": list() as layers}}:
            return layers
    return None


def _without_seed(description: Any) -> Any:
    match description:
        case {"class": "Dropout", "arguments": dict() as arguments}:
            return {**description, "arguments": {**arguments, "seed": None}}
    return description


def _shown(description: Any) -> str:
    layers = _layers_of(description)
    if layers is not None:
        return f"a Sequential of {len(layers)} layer{'' if len(layers) == 1 else 's'}"
    match description:
        case {"class": str() as name, "arguments": dict() as arguments}:
            return f"{name}({', '.join(f'{argument}={setting!r}' for argument, setting in arguments.items())})"
    return str(description)


def _items(part: Any) -> Iterable[Any]:
    if isinstance(part, dict):
        return part.values()
    return part if isinstance(part, list) else ()


def _check_number(name: str, number: Any, largest: float) -> None:
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0.0 <= number <= largest:
        raise ValueError(f"{name} is a number from 0 to {largest:g}, got {reprlib.repr(number)}")
