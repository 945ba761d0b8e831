"""Contents of containers and arrays, read in their order, whatever a subclass says of reading them."""

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy

from scalargrad.compiler.watch.guards import tokens
from scalargrad.compiler.watch.libraries import is_installed

LARGEST_ARRAY = 2**18  # bytes: of a larger array only is watched which one it is

CONTAINERS: tuple[tuple[type, Callable[[Any], list]], ...] = (
    (list, list.copy),
    (tuple, lambda items: [*tuple.__iter__(items)]),
    (OrderedDict, lambda items: [*OrderedDict.__iter__(items), *OrderedDict.values(items)]),
    (defaultdict, lambda items: [items.default_factory, *dict.keys(items), *dict.values(items)]),
    (dict, lambda items: [*dict.keys(items), *dict.values(items)]),
    (set, lambda items: [*set.__iter__(items)]),
    (frozenset, lambda items: [*frozenset.__iter__(items)]),
    (deque, lambda items: [*deque.__iter__(items)]),
)


def reader_of(thing: Any) -> Callable[[Any], list] | None:
    """A function that reads the items of a container; None for other things."""
    if issubclass(type(thing), numpy.ndarray) and thing.dtype == object:
        return lambda items: [*items.shape, *numpy.ndarray.ravel(items).tolist()]
    return next((read for kind, read in CONTAINERS if issubclass(type(thing), kind)), None)


def contents(thing: object) -> Any:
    """Tokens of what a container or an array holds, one level deep; None for other things."""
    read = reader_of(thing)
    if read is not None:
        return tokens(read(thing))
    numbers = numbers_of(thing)
    return None if numbers is None or numbers[0] > LARGEST_ARRAY else numbers[1]()


def numbers_of(thing: Any) -> tuple[int, Callable[[], Any]] | None:
    """The bytes of an array, or of what is like one, and a function that reads its numbers; None for other things."""
    if issubclass(type(thing), numpy.generic):
        return 0, lambda: None  # it does not change
    if issubclass(type(thing), numpy.ndarray):
        mask = getattr(thing, "_mask", None)
        return thing.nbytes, lambda: (
            thing.shape,
            thing.dtype.str,
            numpy.ndarray.tobytes(thing),
            None if mask is None else numpy.asarray(getattr(thing, "_mask", None)).tobytes(),
        )
    if _is_of_user(getattr(type(thing), "__buffer__", None)) or _is_of_user(getattr(type(thing), "__array__", None)):
        return None  # its numbers are what its code reads
    try:
        size = memoryview(thing).nbytes
        return size, lambda: bytes(memoryview(thing))
    except (TypeError, ValueError):
        pass
    if not hasattr(type(thing), "__array__"):
        return None
    try:
        array = _as_array(thing)
    except Exception:
        return None
    return array.nbytes, lambda: _numbers(_as_array(thing))


def _is_of_user(method: object) -> bool:
    return type(method) is FunctionType and not is_installed(method.__code__.co_filename)


def _as_array(thing: object) -> Any:
    if hasattr(thing, "detach"):  # PyTorch's
        thing = thing.detach().cpu()
    return numpy.asarray(thing)


def _numbers(array: Any) -> Any:
    numbers = tokens(array.ravel().tolist()) if array.dtype == object else array.tobytes()
    return array.shape, array.dtype.str, numbers
