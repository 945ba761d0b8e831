"""Sequential: layers one after another. Flatten: the numbers of a sample in a row."""

import reprlib
from collections.abc import Callable, Iterator
from typing import Any

from scalargrad.datasets.nested import Sample, numbers_in, on_each_number
from scalargrad.files.architecture import (
    FUNCTIONS,
    Arguments,
    Shapes,
    build,
    describe,
    described,
    no_shapes,
    prefixed,
    shapes_of,
)
from scalargrad.holders import inventory
from scalargrad.nn.dense import ACTIVATIONS
from scalargrad.nn.functions import log_softmax, softmax
from scalargrad.nn.module import Module
from scalargrad.operands import operand
from scalargrad.ops import OPERATIONS, Op
from scalargrad.support.words import brief

FUNCTIONS |= {**{name: OPERATIONS[name] for name in ACTIVATIONS}, "softmax": softmax, "log_softmax": log_softmax}


def _sequential_arguments(model: "Sequential") -> Arguments | None:
    layers = [describe(layer) if isinstance(layer, Module) else _name_in_files(layer) for layer in model.layers]
    return None if None in layers else {"layers": layers}


def _sequential_shapes(layers: list) -> Shapes:
    if not isinstance(layers, list):
        raise ValueError(f"layers is a list, got {reprlib.repr(layers)}")
    shapes = _for_each(layers, lambda layer: {} if _is_function(layer) else shapes_of(layer))
    return {name: shape for place, found in enumerate(shapes) for name, shape in prefixed(f"{place}", found).items()}


def _sequential(layers: list) -> "Sequential":
    return Sequential(*_for_each(layers, lambda layer: FUNCTIONS[layer] if _is_function(layer) else build(layer)))


def _for_each(layers: list, function: Callable[[Any], Any]) -> list:
    """Call the function with each layer; a ValueError says which one it refused."""
    made = []
    for place, layer in enumerate(layers):
        try:
            made.append(function(layer))
        except (TypeError, ValueError) as error:
            raise ValueError(f"layer {place}: {error}") from error
    return made


def _name_in_files(function: object) -> str | None:
    return next((name for name, known in FUNCTIONS.items() if known is function), None)


def _is_function(layer: object) -> bool:
    return isinstance(layer, str) and layer in FUNCTIONS


@described(_sequential_shapes, _sequential_arguments, _sequential, parts="layers")
class Sequential(Module):
    """Layers one after another: each takes what the one before it returns.

    A layer is a Module; an operation on numbers such as `relu` or `tanh`, which is applied to each of them; or any
    function, which is called with all of them, such as `log_softmax`. Arrays are named as in PyTorch: `0.weight`.

    >>> from scalargrad import tanh
    >>> from scalargrad.nn import Layer
    >>> model = Sequential(Layer(2, 8, activation="linear", rng=0), tanh, Layer(8, 1, activation="linear", rng=1))
    >>> model
    Sequential, 33 parameters
      0  Layer(2, 8, linear)  24 parameters
      1  tanh
      2  Layer(8, 1, linear)   9 parameters
    >>> score = model([0.5, -0.25])
    """

    def __init__(self, *layers: Callable[..., Any]) -> None:
        for place, layer in enumerate(layers):
            if not callable(layer) or isinstance(layer, type):
                called = f", a class: write {layer.__name__}(...)" if isinstance(layer, type) else ""
                raise TypeError(f"Sequential takes modules and functions, got {brief(layer)} as layer {place}{called}")
        self.layers = list(layers)

    def __call__(self, inputs: Sample) -> Any:
        for layer in self.layers:
            of_numbers = isinstance(layer, Op) and layer.scalars
            inputs = on_each_number(layer, inputs) if of_numbers else layer(inputs)
        return inputs

    def named_arrays(self) -> Iterator[tuple[str, Any]]:
        for name, array in super().named_arrays():
            yield name.removeprefix("layers."), array

    def __repr__(self) -> str:
        shown = [
            repr(layer).splitlines()[0] if isinstance(layer, Module | Op) else name_of(layer) for layer in self.layers
        ]
        counts = [len(inventory([layer]).parameters) if isinstance(layer, Module) else 0 for layer in self.layers]
        number, most = len(str(len(shown) - 1)), len(str(max(counts, default=0)))
        wide = max((len(text) for text, count in zip(shown, counts, strict=True) if count), default=0)
        rows = [
            f"  {place:>{number}}  {text:<{wide}}  {count:>{most}} parameters"
            if count
            else f"  {place:>{number}}  {text}"
            for place, (text, count) in enumerate(zip(shown, counts, strict=True))
        ]
        return "\n".join([super().__repr__(), *rows])


@described(no_shapes)
class Flatten(Module):
    """The numbers of a sample in a row, from the last axis to the first, as PyTorch has them.

    >>> Flatten()([[[1.0, 2.0]], [[3.0, 4.0]]])
    (1.0, 2.0, 3.0, 4.0)
    """

    def __call__(self, inputs: Sample) -> tuple:
        return tuple([operand(x, "Flatten") for x in numbers_in(inputs)])

    def __repr__(self) -> str:
        return "Flatten()"


def name_of(function: object) -> str:
    return getattr(function, "__name__", repr(function))
