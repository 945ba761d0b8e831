"""Where no code of the user runs: on Python 3.11, where watching is dear, it pauses there.

Operations of the table, and layers of this package that hold neither modules nor functions. What would be seen inside
is known without looking: the code of the layer's class and of its file.
"""

import sys
from collections.abc import Callable, Iterator, Set
from functools import cache
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from scalargrad.engine import Value
from scalargrad.nn.module import Module
from scalargrad.ops import Op


class Quiet(NamedTuple):
    """A method of a class, and what it would run for these arguments; None where that is not known without looking."""

    owner: type
    name: str
    codes: Callable[..., Set[CodeType] | None]


def quiet_places(*terms: type) -> list[Quiet]:
    """All of them; `terms`: what stands for numbers besides Values."""
    operations = [(Op, "__call__"), *((kind, "apply_operation") for kind in (Value, *terms))]
    places = [Quiet(owner, name, lambda *_: frozenset()) for owner, name in operations]
    return places + [Quiet(kind, "__call__", _codes_of_leaf) for kind in _layers(Module)]


def _layers(kind: Any) -> Iterator[Any]:
    """The subclasses in this package that say how to compute."""
    for layer in type.__subclasses__(kind):
        if layer.__module__.startswith("scalargrad.nn."):
            if "__call__" in vars(layer):
                yield layer
            yield from _layers(layer)


def _codes_of_leaf(layer: Any, *_: Any) -> Set[CodeType] | None:
    """Of a layer of this package that holds nothing which somebody else may have written."""
    kind = type(layer)
    if not kind.__module__.startswith("scalargrad.nn."):
        return None
    for attribute in vars(layer).values():
        first = attribute[0] if type(attribute) in (list, tuple) and attribute else attribute
        if isinstance(first, Module) or (callable(first) and not isinstance(first, Value)):
            return None
    return codes_of(kind)  # type: ignore[arg-type]


@cache
def codes_of(layer: Any) -> frozenset[CodeType]:
    """Of its own methods, and of the functions of its file."""
    spaces = [vars(base) for base in layer.__mro__[: layer.__mro__.index(Module)]]
    found = [content for space in (*spaces, vars(sys.modules[layer.__module__])) for content in space.values()]
    return frozenset(content.__code__ for content in found if isinstance(content, FunctionType))
