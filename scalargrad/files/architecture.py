"""Descriptions of models: a few words of JSON, which can hold no code, and the model again from these words.

A description says which class the model has and the arguments that make its constructor build it again: {"class":
"MLP", "arguments": {"fan_in": 2, "fan_outs": [8, 1], "activation": "relu", "output_activation": "linear"}}. Layers in
it are descriptions, or names of FUNCTIONS: {"class": "Sequential", "arguments": {"layers": [{"class": "Flatten",
"arguments": {}}, "relu"]}}. A class is described by what it declares beside its constructor: see `described`.

A description may come from a file that somebody else made: nothing is built before its arguments have been checked, and
the shapes that it demands are known before anything of this size is made.
"""

import random
import reprlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from scalargrad import observers
from scalargrad.checks import real
from scalargrad.structure import Structure, state_of
from scalargrad.support.collecting import uncollected
from scalargrad.support.words import plural

if TYPE_CHECKING:
    from numpy import ndarray

Arguments = dict[str, Any]
Description = dict[str, Any]
Shapes = dict[str, list[int]]
Kind = TypeVar("Kind", bound=type[Structure])

DEEPEST = 100  # lists and dicts inside each other: 33 Sequentials


class Architecture(NamedTuple):
    """A class of models that a file can describe: see `described`."""

    kind: type[Structure]
    arguments: Callable[[Any], Arguments | None]
    shapes: Callable[..., Shapes]
    build: Callable[..., Structure]
    parts: str
    free: tuple[str, ...]


class Undrawn(random.Random):
    """Random numbers for a model whose numbers are all about to be set: zeros, without drawing."""

    def uniform(self, a: float, b: float) -> float:
        return 0.0

    def gauss(self, mu: float = 0.0, sigma: float = 1.0) -> float:
        return 0.0


ARCHITECTURES: dict[str, Architecture] = {}  # by the name of the class; a class is here once its file is loaded
FUNCTIONS: dict[str, Callable] = {}  # that a description may name


def described(
    shapes: Callable[..., Shapes],
    arguments: Callable[[Any], Arguments | None] | None = None,
    build: Callable[..., Structure] | None = None,
    parts: str = "",
    free: tuple[str, ...] = (),
) -> Callable[[Kind], Kind]:
    """Declare how a file describes a layer of `scalargrad.nn`: a decorator of its class.

    shapes     from the arguments to the shapes of its arrays, which are known before anything is built; ValueError for
               arguments of which the constructor would take no notice
    arguments  from a model to the arguments that build it again, None if it is not as its constructor makes it; unless
               said, they are its attributes of the names that `shapes` takes, tuples as lists
    build      from the arguments to a model of any numbers; unless said the class, with rng=0 if it takes one, so that
               Python's global random numbers stay as they are, or with `Undrawn` ones, if nobody observes
    parts      the name of an argument that lists descriptions of layers
    free       names of arguments in which two models may differ, and their files fit each other all the same

    A subclass is another class: it has no description, unless it declares its own.
    """

    def declare(kind: Kind) -> Kind:
        if kind.__module__.partition(".nn.")[0] != "scalargrad":
            raise ValueError(f"files describe layers of scalargrad.nn, and {kind.__qualname__} is of {kind.__module__}")
        make: Any = kind
        makes = partial(_with_seed, make) if "rng" in _parameters(make.__init__) else make
        given = arguments or _attributes(_parameters(shapes))
        ARCHITECTURES[kind.__name__] = Architecture(kind, given, shapes, build or makes, parts, free)
        return kind

    return declare


def describe(model: Structure, state: "tuple[dict[str, ndarray], bool] | None" = None) -> Description:
    """The class of a model and the arguments that make its constructor build it again, or None if there are none.

    state   what `state_of` gives for it, if somebody has that

    >>> from scalargrad.nn import Neuron
    >>> describe(Neuron(2, activation="tanh"))
    {'class': 'Neuron', 'arguments': {'fan_in': 2, 'activation': 'tanh'}}
    """
    import json  # which `import scalargrad` does without

    name = type(model).__name__
    unknown = {"class": name, "arguments": None}
    if name not in ARCHITECTURES or type(model) is not ARCHITECTURES[name].kind:
        return unknown
    try:
        description = {"class": name, "arguments": ARCHITECTURES[name].arguments(model)}
        check_depth(description)
        json.dumps(description)  # or a TypeError: NumPy's float32 is no number of JSON
        shapes = shapes_of(description)
        arrays, once = state or state_of(model)
        return description if once and array_shapes(arrays) == shapes else unknown
    except (AttributeError, IndexError, TypeError, ValueError):
        return unknown


def shapes_of(description: object) -> Shapes:
    """The shapes of the arrays of a model of this description, by name. TypeError or ValueError, if there is none.

    >>> from scalargrad.nn import Layer
    >>> shapes_of({"class": "Layer", "arguments": {"fan_in": 3, "fan_out": 2, "activation": "relu"}})
    {'weight': [2, 3], 'bias': [2]}
    """
    architecture, arguments = _row_of(description)
    return architecture.shapes(**arguments)


def build(description: object) -> Structure:
    """Build a model of this description, of any numbers. TypeError or ValueError as `shapes_of`, which comes first."""
    architecture, arguments = _row_of(description)
    with uncollected():
        return architecture.build(**arguments)


def difference(one: object, other: object) -> tuple[str, str] | None:
    """Two descriptions in words, where they first differ; None, if at most in what is free, such as seeds.

    >>> from scalargrad.nn import Flatten, Neuron, Sequential
    >>> difference(describe(Sequential(Flatten(), Neuron(2))), describe(Sequential(Flatten(), Neuron(3))))
    ("a Sequential whose layer 1 is Neuron(fan_in=2, activation='relu')",
     "a Sequential whose layer 1 is Neuron(fan_in=3, activation='relu')")
    """
    whole, another = _parts_of(one), _parts_of(other)
    if whole is None or another is None or whole[0] != another[0] or len(whole[1]) != len(another[1]):
        return None if _without_free(one) == _without_free(other) else (_shown(one), _shown(other))
    for place, pair in enumerate(zip(whole[1], another[1], strict=True)):
        if found := difference(*pair):
            first, second = (f"a {whole[0]} whose layer {place} is {words}" for words in found)
            return first, second
    return None


def classes_in(description: object) -> Iterator[str]:
    """The names of classes in a description of any depth that `check_depth` allows."""
    if isinstance(description, dict) and isinstance(name := description.get("class"), str):
        yield name
    for item in _items(description):
        yield from classes_in(item)


def array_shapes(arrays: Any) -> Shapes:
    return {name: list(array.shape) for name, array in arrays.items()}


def check_depth(description: object) -> bool:
    """True, or a ValueError if lists and dicts lie too deep inside each other for functions that call themselves."""
    level = [description]
    for _ in range(DEEPEST):
        level = [item for part in level for item in _items(part)]
        if not level:
            return True
    raise ValueError(f"it has lists and dicts that lie more than {DEEPEST} deep inside each other")


# Helpers.


def _row_of(description: object) -> tuple[Architecture, dict[str, Any]]:
    match description:
        case {"class": str() as name, "arguments": dict() as arguments} if name in ARCHITECTURES:
            return ARCHITECTURES[name], arguments
    known = f"a class, {', '.join(ARCHITECTURES)}, or the name of a function, {', '.join(FUNCTIONS)}"
    raise ValueError(f"{reprlib.repr(description)} does not describe a layer: it has {known}")


def _parts_of(description: object) -> tuple[str, list] | None:
    match description:
        case {"class": str() as name, "arguments": dict() as arguments} if name in ARCHITECTURES:
            parts = arguments.get(ARCHITECTURES[name].parts)
            return (name, parts) if isinstance(parts, list) else None
    return None


def _without_free(description: object) -> Any:
    match description:
        case {"class": str() as name, "arguments": dict() as arguments} if name in ARCHITECTURES:
            return {"class": name, "arguments": {**arguments, **dict.fromkeys(ARCHITECTURES[name].free)}}
    return description


def _shown(description: object) -> str:
    if whole := _parts_of(description):
        name, layers = whole
        return f"a {name} of {plural(len(layers), 'layer')}"
    match description:
        case {"class": str() as name, "arguments": dict() as arguments}:
            return f"{name}({', '.join(f'{argument}={setting!r}' for argument, setting in arguments.items())})"
    return str(description)


def _items(part: object) -> Iterable[Any]:
    if isinstance(part, dict):
        return part.values()
    return part if isinstance(part, list) else ()


# Helpers of layers that declare themselves.


def check_number(name: str, number: object, largest: float = inf) -> None:
    real(name, number, 0.0, largest)


def check_flag(name: str, flag: object) -> None:
    if not isinstance(flag, bool):
        raise ValueError(f"{name} is true or false, got {reprlib.repr(flag)}")


def prefixed(prefix: str, shapes: Shapes) -> Shapes:
    """The shapes of a part, under the names that the whole gives them.

    >>> prefixed("norm1", {"weight": [4]})
    {'norm1.weight': [4]}
    """
    return {f"{prefix}.{name}": shape for name, shape in shapes.items()}


def shapes_of_parts(parts: dict[str, Description]) -> Shapes:
    """The shapes of a layer that consists of layers, of their descriptions by the names of its attributes."""
    return {name: shape for part, one in parts.items() for name, shape in prefixed(part, shapes_of(one)).items()}


def consists_of(layer: Structure, parts: dict[str, Description]) -> bool:
    """Do these attributes of a layer have these descriptions?"""
    return all(describe(getattr(layer, name)) == description for name, description in parts.items())


def no_shapes(**arguments: object) -> Shapes:
    """The shapes of a layer without arrays and arguments: none."""
    return {}


def _with_seed(make: Callable[..., Structure], **arguments: object) -> Structure:
    return make(**arguments, rng=0 if observers.open_blocks else Undrawn())


def _parameters(function: Callable) -> tuple[str, ...]:
    """The names of the parameters of a function; none of one that is not written in Python."""
    code = getattr(getattr(function, "__wrapped__", function), "__code__", None)
    return code.co_varnames[: code.co_argcount] if code else ()


def _attributes(names: Iterable[str]) -> Callable[[Structure], Arguments]:
    def arguments(layer: Structure) -> Arguments:
        found = {name: getattr(layer, name) for name in names}
        return {name: list(one) if isinstance(one, tuple) else one for name, one in found.items()}

    return arguments
