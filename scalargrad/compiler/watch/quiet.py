"""Quiet places, where no code of the user runs: on Python 3.11, where watching is dear, it pauses there.

Operations of the table on numbers and lists of them, and layers of this package that hold neither modules nor
functions. What would be seen inside is known without looking: the code of the layer's class and of its file.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Set
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from scalargrad.away import PLAIN
from scalargrad.engine import Value
from scalargrad.holders import BARE
from scalargrad.ops import Op
from scalargrad.structure import Structure
from scalargrad.support.callers import is_library


class Quiet(NamedTuple):
    """A method of a class, and what it would run for these arguments; None where that is not known without looking."""

    owner: type
    name: str
    codes: Callable[..., Set[CodeType] | None]


def quiet_places(*terms: type) -> list[Quiet]:
    """All quiet places; `terms`: classes that stand for numbers, besides Value."""
    plain = {float, int, bool, tuple, list, *PLAIN, *terms}  # no generator, which would go on inside
    nothing: frozenset[CodeType] = frozenset()
    of_layers: dict[type, Set[CodeType] | None] = {}  # for one trace: somebody may give a class another method

    def of_operands(operands: Iterable) -> Set[CodeType] | None:
        return nothing if plain.issuperset(map(type, operands)) else None

    def of_layer(layer: object, *_: object) -> Set[CodeType] | None:
        kind = type(layer)
        if kind not in of_layers:
            of_layers[kind] = codes_of(kind)
        return of_layers[kind] if is_leaf(layer) else None

    return [
        Quiet(Op, "__call__", lambda _, *operands: of_operands(operands)),
        *(Quiet(kind, "apply_operation", lambda _, operands: of_operands(operands)) for kind in (Value, *terms)),
        *(Quiet(kind, "__call__", of_layer) for kind in layers(Structure)),
    ]


def layers(kind: Any) -> Iterator[Any]:
    """The subclasses in this package that say how to compute."""
    for layer in type.__subclasses__(kind):
        if layer.__module__.startswith("scalargrad.nn.") and "__call__" in vars(layer):
            yield layer
        yield from layers(layer)


def is_leaf(layer: object) -> bool:
    """Does it hold nothing which somebody else may have written?"""
    for attribute in vars(layer).values():
        first = attribute[0] if type(attribute) in (list, tuple) and attribute else attribute
        if isinstance(first, Structure) or (callable(first) and not isinstance(first, Value)):
            return False
    return True


def codes_of(layer: Any) -> Set[CodeType] | None:
    """The codes of a class's own methods, and of the functions of its file; None if one was written elsewhere."""
    if not layer.__module__.startswith("scalargrad.nn."):
        return None
    found, own = set(), [base for base in layer.__mro__ if base not in BARE]
    for space in (*map(vars, own), vars(sys.modules[layer.__module__])):
        for content in space.values():
            if type(content) is FunctionType:
                function = getattr(content, "__wrapped__", content)  # of one at which a watch pauses
                if not is_library(str(function.__globals__.get("__name__"))):
                    return None
                found.add(function.__code__)
    return found
