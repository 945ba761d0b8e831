"""Structure: something with parameters, which finds, names and sets them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self

from scalargrad.away import numbers_of, set_numbers
from scalargrad.checks import instance, refuse_hidden
from scalargrad.engine import Value
from scalargrad.holders import (
    BARE,
    LEAVES,
    MANY,
    RENAME,
    UNSEEN,
    Buffer,
    Holder,
    Parameter,
    arrays_of,
    attributes,
    attributes_of_class,
    nested,
    note,
    noted,
    refuse_equal_names,
    refuse_lost,
    rows,
    walk,
    walk_by_rows,
)
from scalargrad.inventories import Kept, inventory_of
from scalargrad.modes import Mode, give_mode, in_mode
from scalargrad.support.words import brief, plural, short_list

if TYPE_CHECKING:
    from numpy import ndarray

__all__ = ["Buffer", "OwnName", "Parameter", "Structure", "in_mode"]

_changes = [0]  # how often an attribute of any structure was set
replaced = [0]  # how often any structure was given another `__dict__`


class OwnName(str):
    """A label that a module gives a result of its own, such as a gate: a name that the user has for it goes first."""

    __slots__ = ()


class Structure(Holder):
    """The base of Module: attributes that hold parameters, and the names, arrays and modes that follow from them."""

    __slots__ = ("__dict__", "__weakref__")
    training = Mode()
    forward: Callable[..., Any]  # PyTorch's name for the call
    fitted_loss = ""  # the name of the loss that `fit` last trained it with: what its outputs mean

    def __setattr__(self, name: str, attribute: object) -> None:
        super().__setattr__(name, attribute)
        _changes[0] += 1
        if type(attribute) is Parameter:
            attribute.label = name
        elif name == "__dict__":
            replaced[0] += 1
            _label(vars(self).items(), self)
        elif type(attribute) not in LEAVES:
            _label([(name, attribute)], self)

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        give_mode(cls)
        _call_forward(cls)
        _label(attributes_of_class(cls)[1].items())

    def __call__(self, *inputs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not say how to compute: define __call__ or forward")

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """(name, parameter) for each scalar parameter, in the order of the attributes; a shared one comes once."""
        self._inventory()
        seen = set()
        for name, part in walk(attributes(self).items(), self):
            if isinstance(part, Parameter) and part not in seen:
                seen.add(part)
                yield name, part

    def parameters(self) -> list[Parameter]:
        """Every scalar parameter, in the order of `named_parameters`.

        TypeError for one where it would be lost, ValueError for two of one name: see `Module`.
        """
        return self._inventory().parameters.copy()

    def _inventory(self) -> Kept:
        """All that this structure holds, if nothing is lost: the same object as before, if nothing has changed."""
        kept = inventory_of(self)
        found = kept.found
        if found.others and noted(self, "searched") != _changes[0] and refuse_lost(self, found) > MANY:
            note(self, "searched", _changes[0])  # much was searched, and nothing is lost
        if found.unclear:
            refuse_equal_names(self)
            self._arrays_by_name()
        return kept

    def zero_grad(self, set_to_none: bool = False) -> None:
        """Set the gradient of every parameter to 0, before the next `backward()` adds to it.

        set_to_none   PyTorch's, for its code to run: here a gradient is a number, and becomes 0 in either case
        """
        for parameter in self.parameters():
            parameter.grad = 0.0

    def modules(self) -> Iterator[Self]:
        """This module and those inside it, in the order of the attributes; a shared one comes once."""
        return iter(inventory_of(self).found.modules)

    def named_modules(self) -> Iterator[tuple[str, "Structure"]]:
        """(name, module) for each of `modules()`; this one is called ""."""
        yield "", self
        yield from _modules_among(walk(attributes(self).items(), self), self)

    def children(self) -> Iterator["Structure"]:
        """The modules that this one has itself, as attributes or in lists and the like: not those inside of these."""
        return (child for _, child in Structure.named_children(self))

    def named_children(self) -> Iterator[tuple[str, "Structure"]]:
        """(name, module) for each of `children()`: `norm`, `layers.0`."""
        return _modules_among(walk(attributes(self).items(), self, into_modules=False), self)

    def apply(self, function: Callable[["Structure"], object]) -> Self:
        """Call a function with each module inside this one, the innermost first, and with this one at the end."""
        if not callable(function):
            raise TypeError(f"apply takes a function of a module, got {brief(function)}")
        for module in list(_innermost_first(self, {id(self)})):
            function(module)
        return self

    def train(self, mode: bool = True) -> Self:
        """Set this module and those inside it to training (or, with False, to evaluation)."""
        for module in self.modules():
            module.training = mode
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freeze all parameters (False), so that no step moves them, or thaw them: see `Parameter`."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def eval(self) -> Self:
        """Set this module and those inside it to evaluation."""
        return self.train(False)

    def named_arrays(self) -> Iterator[tuple[str, Any]]:
        """(name, nested list) for each array of parameters or buffers. Layers rename theirs as PyTorch does."""
        return iter(arrays_of(self))

    def state_dict(self) -> dict[str, "ndarray"]:
        """The parameters as float64 arrays under PyTorch's names, such as `layers.0.weight` of shape [16, 2].

        As in PyTorch, arrays do not say which parameters are frozen; nor do files. Copies and pickles do.
        """
        return state_of(self)[0]

    def _whole_state(self) -> tuple[dict[str, Any], bool]:
        """Its arrays by name, and has each number one place in them?

        ValueError, if a class that names its own arrays has left out a parameter.
        """
        parameters, arrays = self._inventory().found.found, self._arrays_by_name()
        places = [row for array in arrays.values() for row in rows(array)]
        held = set().union(*places)
        if not held.issuperset(parameters):
            name = next(name for name, parameter in self.named_parameters() if parameter not in held)
            raise ValueError(
                f"{name} is in no array of this {type(self).__name__}, and would not be saved: a named_arrays() that "
                "leaves it out should yield it, too"
            )
        return arrays, len(held) == sum(map(len, places))

    def _arrays_by_name(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, array in self.named_arrays():
            if name in found:
                raise ValueError(f"two arrays of this {type(self).__name__} are called {name}: {RENAME}")
            found[name] = nested(array)
        return found

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set the parameters from arrays as `state_dict` gives them; PyTorch's tensors do as well.

        ValueError if a name is missing, unknown or of another shape; then nothing has been changed.
        """

        instance("state", state, Mapping, "a dict of arrays by name, as state_dict() gives them")
        own, _ = self._whole_state()
        problems = [f"missing {name}" for name in own if name not in state]
        problems += [f"unknown {name}" for name in state if name not in own]
        loaded: dict[str, Any] = {}
        for name in own.keys() & state.keys():
            shape = _numbers(own[name]).shape
            refuse_hidden(state[name], name)
            loaded[name] = _as_floats(state[name])
            if loaded[name] is None:
                problems.append(f"{name} does not hold numbers")
                continue
            if loaded[name].shape != shape:
                problems.append(f"{name} has shape {list(loaded[name].shape)}, not {list(shape)}")
        if problems:
            told = short_list(sorted(problems), "; ")
            raise ValueError(f"this state does not fit the {type(self).__name__}: {told}")
        for name, array in loaded.items():
            _set(own[name], array.tolist())

    def load_parameters(self, numbers: object) -> None:
        """Set the parameters from a flat array [parameters] in the order of `parameters()`: see `Compiled.to_jax`.

        ValueError if it is of another length; then nothing has been changed.
        """
        import numpy

        refuse_hidden(numbers, "the array of parameters")
        own, flat = self.parameters(), numpy.asarray(numbers)
        if flat.dtype.kind not in "biuf":
            raise TypeError(f"numbers is an array of real numbers, got {brief(numbers)}")
        if flat.shape != (len(own),):
            raise ValueError(
                f"this {type(self).__name__} has {len(own)} parameters, and the array has the shape {flat.shape}"
            )
        set_numbers(own, flat.astype(float).tolist())

    def __getstate__(self) -> Any:
        """All attributes, for copies and pickles, which get no compiled programs."""
        state = super().__getstate__()
        if not isinstance(state, tuple):
            return state
        slots = {name: attribute for name, attribute in state[1].items() if name not in UNSEEN}
        return (state[0], slots) if slots else state[0]

    def __repr__(self) -> str:
        return f"{type(self).__name__}, {plural(len(inventory_of(self).parameters), 'parameter')}"


BARE.add(Structure)


def state_of(model: Structure) -> "tuple[dict[str, ndarray], bool]":
    """The parameters as `state_dict` gives them, and has each number one place in them?"""
    arrays, once = model._whole_state()
    return {name: _numbers(array) for name, array in arrays.items()}, once


def _call_forward(kind: type[Structure]) -> None:
    """Let `forward` be called, which is PyTorch's name for it, where no user has written a `__call__`.

    Layers of this package have both names, so that a subclass may define either, and call super().forward.
    """
    classes = kind.__mro__
    caller = next(base for base in classes if "__call__" in vars(base))
    owner = next((base for base in classes if hasattr(vars(base).get("forward"), "__get__")), None)
    called, ours = vars(caller)["__call__"], caller.__module__.partition(".")[0] == "scalargrad"
    if caller is kind and owner is not kind and ours:
        kind.forward = called
    elif owner is None or caller is kind or not (ours or vars(caller).get("forward") is called):
        return
    elif caller is Structure or classes.index(owner) < classes.index(caller):
        kind.__call__ = vars(owner)["forward"]  # type: ignore[method-assign]


def _modules_among(parts: Iterable[tuple[str, object]], owner: Structure) -> Iterator[tuple[str, Structure]]:
    return ((name, part) for name, part in parts if isinstance(part, Structure) and part is not owner)


def _innermost_first(module: Structure, seen: set[int]) -> Iterator[Structure]:
    for child in Structure.children(module):
        if id(child) not in seen:
            seen.add(id(child))
            yield from _innermost_first(child, seen)
    yield module


def _label(items: Iterable[tuple[str, Any]], owner: object = None) -> None:
    """Name the parameters in these, unless they lead back to their owner: then they have their names from elsewhere."""
    parts = list(walk_by_rows(items, owner))
    if not any(part is owner for _, part, _ in parts):
        for name, part, (endings, row) in parts:
            if isinstance(part, Parameter):
                part.label = name
            for ending, parameter in zip(endings, row):  # noqa: B905 (many)
                parameter.label = name + ending


def _numbers(array: Any) -> "ndarray":
    """The numbers of nested lists of parameters and buffers."""
    import numpy

    def data(x: Any) -> Any:
        if isinstance(x, Value):
            return x.data
        return numbers_of(x) if all(issubclass(kind, Value) for kind in set(map(type, x))) else list(map(data, x))

    return numpy.array(data(array), dtype=float)


def _as_floats(given: object) -> "ndarray | None":
    """An array of float64; None for what holds text, complex numbers or anything else that is no real number."""
    import numpy

    try:
        array = numpy.asarray(given)
        return None if array.dtype.kind in "cSU" else array.astype(float)
    except (TypeError, ValueError):
        return None


def _set(array: Any, numbers: Any) -> None:
    """Set the numbers of nested lists of parameters and buffers."""
    if isinstance(array, Value):
        array.data = numbers
    else:
        for item, number in zip(array, numbers, strict=True):
            if isinstance(item, Value):
                item.data = number
            else:
                _set(item, number)


# Names of parameters: `layers.0.neurons.3.weights.1` is a weight of the unit `layers.0.neurons.3`.


def owner_of(parameter: str) -> str:
    """The module that a parameter belongs to; "" where the name tells of none.

    >>> owner_of("layers.0.neurons.3.weights.1"), owner_of("layers.0.neurons.3.bias"), owner_of("w")
    ('layers.0.neurons.3', 'layers.0.neurons.3', '')
    """
    parts = parameter.split(".")
    while parts and parts[-1].isdigit():
        parts.pop()
    return ".".join(parts[:-1])


def layer_of(module: str, units: str = "") -> str:
    """The module that has this one in a list, or the module itself. With `units`, only a list of that name counts.

    >>> layer_of("layers.0.neurons.3"), layer_of("encoder.layers.0"), layer_of("layers.0"), layer_of("norm")
    ('layers.0', 'encoder', 'layers.0', 'norm')
    >>> layer_of("layers.0.neurons.3", "neurons"), layer_of("encoder.layers.0", "neurons")
    ('layers.0', 'encoder.layers.0')
    >>> layer_of("neurons.3", "neurons")  # of the model itself
    ''
    """
    parts = module.split(".")
    is_unit = parts[-2:-1] == [units] if units else len(parts) > 2 and parts[-1].isdigit()
    return ".".join(parts[:-2]) if is_unit else module


def outermost_layer_of(parameter: str) -> str:
    """The layer of the whole model: up to the first place in a list, or the first attribute.

    >>> outermost_layer_of("layers.0.neurons.3.weights.1"), outermost_layer_of("norm.scale.2")
    ('layers.0', 'norm')
    """
    parts = parameter.split(".")
    first = next((place for place, part in enumerate(parts[:-1]) if part.isdigit()), 0)
    return ".".join(parts[: first + 1])
