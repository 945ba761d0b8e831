"""Models from files: `load` builds what a file describes, `load_into` sets a model that exists."""

import os
from typing import cast

from scalargrad import nn
from scalargrad.checks import instance
from scalargrad.files.architecture import (
    ARCHITECTURES,
    Description,
    build,
    classes_in,
    describe,
    difference,
    shapes_of,
)
from scalargrad.files.models import Arrays, check_shapes, read_model
from scalargrad.nn.module import Module


def load(path: str | os.PathLike[str]) -> Module:
    """The model that a file holds, if its class is one of `scalargrad.nn`: a dense network, a Sequential of layers ...

    For others there is `load_into`. ValueError, naming the file and what is wrong with it, unless every bit of it is as
    it was saved.
    """
    arrays, description, loss = _read(path)
    name = description["class"]
    if name not in ARCHITECTURES or description["arguments"] is None:
        raise ValueError(
            f"{path} holds the arrays of a model ({name}) and not how to build it: build it as before, and use "
            "scalargrad.load_into(model, path)"
        )
    try:
        check_shapes(arrays, shapes_of(description))
        model = cast(Module, build(description))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} has the architecture {name}, but {error}") from error
    model.load_state_dict(arrays)
    model.fitted_loss = loss
    return model


def load_into(model: Module, path: str | os.PathLike[str]) -> None:
    """Set the parameters and buffers of a model, of whatever class, from the file of one that was built like it.

    ValueError, and the model as it was, if the file is damaged or of another architecture.

    >>> import tempfile
    >>> from scalargrad.nn import MLP
    >>> one, other = MLP(2, [8, 1], rng=0), MLP(2, [8, 1], rng=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     one.save(f"{folder}/m.safetensors")
    ...     load_into(other, f"{folder}/m.safetensors")
    >>> one([1.0, 2.0]).data == other([1.0, 2.0]).data
    True
    """
    instance("model", model, Module, "a Module built like that of the file")
    arrays, description, loss = _read(path)
    own = describe(model)
    both_known = own["arguments"] is not None and description["arguments"] is not None
    if both_known and (found := difference(description, own)):
        shown, here = found
        raise ValueError(f"{path} holds {shown}, and the model is {here}: scalargrad.load(path) builds the former")
    try:
        model.load_state_dict(arrays)
    except ValueError as error:
        raise ValueError(f"{path} cannot be loaded: {error}") from None
    model.fitted_loss = loss


def _read(path: str | os.PathLike[str]) -> tuple[Arrays, Description, str]:
    """Read a model, and load the classes in its description, which declare how they are described; all, if in doubt."""
    arrays, description, loss = read_model(path)
    names = set(classes_in(description))
    for name in names if names <= {*nn.__all__} else nn.__all__:
        getattr(nn, name)
    return arrays, description, loss
