"""Models in files: what they have learned as arrays, what they are as a few words of JSON, and never any code.

The metadata `architecture` of a file says which class the model has and, for the classes of ARCHITECTURES, the
arguments that make its constructor build it again: {"class": "MLP", "arguments": {"fan_in": 2, "fan_outs": [8, 1],
"activation": "relu", "output_activation": "linear"}}. A model of any other class is loaded into one that exists.
`loss` is the name of the loss that it was fitted with, if it was: what its outputs mean.
"""

import json
import os
from collections.abc import Callable, Mapping
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from scalargrad.nn import MLP, Layer, Module, Neuron
from scalargrad.safetensors_file import read_arrays, write_arrays

if TYPE_CHECKING:
    from numpy import ndarray

Arrays = Mapping[str, "ndarray"]
Shapes = dict[str, list[int]]


class Architecture(NamedTuple):
    """A class of models that a file can describe.

    build      its constructor
    arguments  from a model to the arguments that build it again; None if it is not as its constructor makes it
    shapes     from these arguments to the shapes of its arrays, which are known before anything is built
    """

    build: Callable[..., Module]
    arguments: Callable[[Any], dict[str, Any] | None]
    shapes: Callable[..., Shapes]


def save(model: Module, path: str | os.PathLike[str]) -> None:
    """Write a model to a safetensors file, which is replaced in one step; `model.save(path)` does the same.

    ValueError, and the file as it was, if a parameter is inf or nan: such a model cannot be loaded.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(MLP(2, [8, 1], rng=0), f"{folder}/m.safetensors")
    ...     load(f"{folder}/m.safetensors")
    MLP(2, [8, 1]), 33 parameters
      layers.0  Layer(2, 8, relu)   24 parameters
      layers.1  Layer(8, 1, linear)  9 parameters
    """
    import numpy

    arrays = {name: numpy.asarray(array, dtype=float) for name, array in model.state_dict().items()}
    try:
        _check_numbers(arrays)
    except ValueError as error:
        raise ValueError(f"this {type(model).__name__} is not saved: {error}") from None
    loss = {"loss": model.fitted_loss} if model.fitted_loss else {}
    write_arrays(path, arrays, {"architecture": json.dumps(describe(model)), **loss})


def load(path: str | os.PathLike[str]) -> Module:
    """The model that a file holds, if it is an MLP, a Layer or a Neuron; for others there is `load_into`.

    ValueError, naming the file and what is wrong with it, unless every bit of it is as it was saved.
    """
    arrays, description, loss = _read_model(path)
    name = description["class"]
    if name not in ARCHITECTURES or description["arguments"] is None:
        raise ValueError(
            f"{path} holds the arrays of a model ({name}) that only its own code builds: build it as before, and use "
            "scalargrad.checkpoint.load_into(model, path)"
        )
    architecture, arguments = ARCHITECTURES[name], description["arguments"]
    try:
        _check_shapes(arrays, architecture.shapes(**arguments))
        model = architecture.build(**arguments, rng=0)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} has the architecture {name}, but {error}") from error
    model.load_state_dict(arrays)
    model.fitted_loss = loss
    return model


def load_into(model: Module, path: str | os.PathLike[str]) -> None:
    """Set the parameters and buffers of a model, of whatever class, from the file of one that was built like it.

    ValueError, and the model as it was, if the file is damaged or of another architecture.

    >>> import tempfile
    >>> one, other = MLP(2, [8, 1], rng=0), MLP(2, [8, 1], rng=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     one.save(f"{folder}/m.safetensors")
    ...     load_into(other, f"{folder}/m.safetensors")
    >>> one([1.0, 2.0]).data == other([1.0, 2.0]).data
    True
    """
    arrays, description, loss = _read_model(path)
    own = describe(model)
    if own["arguments"] and description["arguments"] and own != description:
        shown, here = _shown(description), _shown(own)
        raise ValueError(f"{path} holds {shown}, and the model is {here}: scalargrad.load(path) builds the former")
    try:
        model.load_state_dict(arrays)
    except ValueError as error:
        raise ValueError(f"{path} cannot be loaded: {error}") from None
    model.fitted_loss = loss


def describe(model: Module) -> dict[str, Any]:
    """The class of a model and the arguments that make its constructor build it again, or None if there are none.

    >>> describe(Neuron(2, activation="tanh"))
    {'class': 'Neuron', 'arguments': {'fan_in': 2, 'activation': 'tanh'}}
    """
    name = type(model).__name__
    if name in ARCHITECTURES and type(model) is ARCHITECTURES[name].build:
        arguments = ARCHITECTURES[name].arguments(model)
        if arguments is not None and _has_just(model, ARCHITECTURES[name].shapes(**arguments)):
            return {"class": name, "arguments": arguments}
    return {"class": name, "arguments": None}


# The classes of which ARCHITECTURES knows.


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


ARCHITECTURES = {
    "Neuron": Architecture(Neuron, _neuron_arguments, _neuron_shapes),
    "Layer": Architecture(Layer, _layer_arguments, _layer_shapes),
    "MLP": Architecture(MLP, _mlp_arguments, _mlp_shapes),
}


# Helpers.


def _read_model(path: str | os.PathLike[str]) -> tuple[Arrays, dict[str, Any], str]:
    """The arrays, all of them finite float64, the description of the model, and the loss that it was fitted with."""
    arrays, metadata = read_arrays(path)
    try:
        description = json.loads(metadata["architecture"])
    except (KeyError, ValueError, RecursionError):
        description = None
    match description:
        case {"class": str(), "arguments": dict() | None}:
            pass
        case _:
            raise ValueError(f"{path} holds arrays, but does not say of which model: model.save() did not make it")
    try:
        _check_numbers(arrays)
    except ValueError as error:
        raise ValueError(f"{path} holds no usable model: {error}") from None
    return arrays, description, metadata.get("loss", "")


def _check_numbers(arrays: Arrays) -> None:
    import numpy

    for name, array in arrays.items():
        if array.dtype != numpy.float64:
            raise ValueError(f"{name} is {array.dtype}, and the arrays of a model are float64")
        wrong = numpy.argwhere(~numpy.isfinite(array))
        if len(wrong):
            place = wrong[0].tolist()
            raise ValueError(f"{name}{place or ''} is {array[tuple(place)]}")


def _check_shapes(arrays: Arrays, expected: Shapes) -> None:
    found = _shapes(arrays)
    for name, shape in expected.items():
        if name not in found:
            raise ValueError(f"{name} is missing")
        if found[name] != shape:
            raise ValueError(f"{name} has shape {found[name]}, not {shape}")
    for name in found:
        if name not in expected:
            raise ValueError(f"{name} does not belong to it")


def _shapes(arrays: Arrays) -> Shapes:
    return {name: list(array.shape) for name, array in arrays.items()}


def _has_just(model: Module, shapes: Shapes) -> bool:
    """Does it have the arrays of these shapes, no others, and no parameter in two places?"""
    return _shapes(model.state_dict()) == shapes and len(model.parameters()) == sum(map(prod, shapes.values()))


def _shown(description: dict[str, Any]) -> str:
    arguments = ", ".join(f"{name}={argument!r}" for name, argument in description["arguments"].items())
    return f"{description['class']}({arguments})"
