"""Models in files: what they have learned as arrays, what they are as a few words of JSON, and never any code.

The metadata `architecture` of a file is the description of the model, as architecture.py has it. A model of a class
that it does not know is loaded into one that exists. `loss` is the name of the loss that it was fitted with, if it was:
what its outputs mean.
"""

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from scalargrad.files.architecture import (
    Description,
    Shapes,
    array_shapes,
    check_depth,
    describe,
)
from scalargrad.files.safetensors import read_arrays, write_arrays
from scalargrad.structure import Structure, state_of

if TYPE_CHECKING:
    from numpy import ndarray

Arrays = Mapping[str, "ndarray"]


def save(model: Structure, path: str | os.PathLike[str]) -> None:
    """Write a model to a safetensors file, which is replaced in one step; `model.save(path)` does the same.

    ValueError, and the file as it was, if a parameter is inf or nan: such a model cannot be loaded.

    >>> import tempfile
    >>> from scalargrad import MLP, load
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(MLP(2, [8, 1], rng=0), f"{folder}/m.safetensors")
    ...     load(f"{folder}/m.safetensors")
    MLP(2, [8, 1]), 33 parameters
      layers.0  Layer(2, 8, relu)   24 parameters
      layers.1  Layer(8, 1, linear)  9 parameters
    """
    import numpy

    is_ours = getattr(model.state_dict, "__func__", None) is Structure.state_dict
    state = state_of(model) if is_ours else None  # once for the numbers and for the description
    found = state[0] if state else model.state_dict()
    arrays = {name: numpy.asarray(array, dtype=float) for name, array in found.items()}
    try:
        _check_numbers(arrays)
    except ValueError as error:
        raise ValueError(f"this {type(model).__name__} is not saved: {error}") from None
    loss = {"loss": model.fitted_loss} if model.fitted_loss else {}
    write_arrays(path, arrays, {"architecture": json.dumps(describe(model, state)), **loss})


def read_model(path: str | os.PathLike[str]) -> tuple[Arrays, Description, str]:
    """The arrays, all of them finite float64, the description of the model, and the loss that it was fitted with."""
    arrays, metadata = read_arrays(path)
    try:
        description = json.loads(metadata["architecture"])
        check_depth(description)
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


def check_shapes(arrays: Arrays, expected: Shapes) -> None:
    found = array_shapes(arrays)
    for name, shape in expected.items():
        if name not in found:
            raise ValueError(f"{name} is missing")
        if found[name] != shape:
            raise ValueError(f"{name} has shape {found[name]}, not {shape}")
    for name in found:
        if name not in expected:
            raise ValueError(f"{name} does not belong to it")
