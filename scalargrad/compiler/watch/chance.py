"""Chance: sources that answer anew each time, generators of random numbers and iterators. Has a run moved one?"""

import gc
import itertools
import pickle
import random
import sys
from collections.abc import Iterable
from types import GeneratorType, MethodDescriptorType
from typing import Any

from scalargrad.compiler.watch.guards import tokens


def is_drawn_from(thing: object) -> bool:
    """Does drawing from this change it?"""
    return issubclass(type(thing), random.Random) or _numpy_state(thing) is not None or hasattr(type(thing), "__next__")


def global_generators() -> list[Any]:
    """The generators that `random.random()` and `numpy.random.rand()` draw from."""
    generators: list[Any] = [random._inst]  # type: ignore[attr-defined]
    numpy_random = sys.modules.get("numpy.random")
    return [*generators, numpy_random.mtrand._rand] if numpy_random is not None else generators  # type: ignore[attr-defined]


def states_of(sources: Iterable) -> list[Any]:
    """The state of each source: compares equal as long as nobody has drawn."""
    return [_state(source, set()) for source in sources]


def _state(source: Any, inside: set[int]) -> Any:
    """`inside` has the ids of those that were looked at: an iterator may refer to itself."""
    if id(source) in inside:
        return None
    inside.add(id(source))
    kind = type(source)
    if issubclass(kind, random.Random):
        return None if issubclass(kind, random.SystemRandom) else source.getstate()
    numbers = _numpy_state(source)
    if numbers is not None:
        return pickle.dumps(numbers)
    if kind is GeneratorType:
        frame = source.gi_frame
        inner = _state(source.gi_yieldfrom, inside)
        return None if frame is None else (frame.f_lasti, list(frame.f_locals), tokens(frame.f_locals.values()), inner)
    if kind is itertools.count:
        return repr(source)
    if isinstance(getattr(kind, "__length_hint__", None), MethodDescriptorType):  # no code of the user's
        return source.__length_hint__()
    if kind is list:
        return len(source)
    if kind is tuple or hasattr(kind, "__next__"):  # zip, cycle, map: what they walk over and keep
        inner = [x for x in gc.get_referents(source) if type(x) in (list, tuple) or hasattr(type(x), "__next__")]
        return [_state(x, inside) for x in inner]
    return None


def _numpy_state(thing: object) -> Any:
    """The state of one of NumPy's generators, or None for other things."""
    if type(thing).__module__.partition(".")[0] != "numpy":
        return None
    if hasattr(thing, "get_state"):
        return thing.get_state(legacy=False)
    generator = getattr(thing, "bit_generator", thing)
    return generator.state if hasattr(generator, "state") and hasattr(generator, "random_raw") else None
