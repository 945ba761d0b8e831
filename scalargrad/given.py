"""Parameters that an optimizer is given: once, before its settings, as in PyTorch, or again at each step."""

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any, Protocol

from scalargrad.checks import is_list, is_real, listed, settle
from scalargrad.engine import Value
from scalargrad.holders import without_frozen
from scalargrad.operands import brief

WORDS = ("parameters", "params")  # as this package and PyTorch call them


class Taker(Protocol):
    """An optimizer, which stands above."""

    own_parameters: tuple[Value, ...] | None


def after_parameters(constructor: Callable[..., None]) -> Callable[..., None]:
    """The constructor of an optimizer, whose first setting is a rate: parameters may come before that.

    They are kept, and the constructor gets the rest: SGD(parameters, 0.1) is SGD(0.1) with parameters of its own.
    """
    names = _names(constructor)

    @wraps(constructor)
    def made(self: Taker, *settings: object, **named: object) -> None:
        kind = type(self).__name__
        given = [named.pop(word) for word in WORDS if word in named and word not in names]
        if settings and (_may_be_parameters(settings[0]) or (isinstance(settings[0], Value) and names[1] in named)):
            given, settings = [settings[0], *given], settings[1:]
        if len(given) > 1 or (given and settings and _are_parameters(settings[0])):
            raise TypeError(f"{kind} takes one list of parameters, and got two: join them, [*one, *other]")
        if given:
            object.__setattr__(self, "own_parameters", checked_given(kind, given[0]))
        try:
            constructor(self, *settings, **named)
        except TypeError as error:
            inside = error.__traceback__ and error.__traceback__.tb_next
            if inside:
                raise
            problem = str(error).partition("() ")[2] or str(error)
            wanted = f"({', '.join(names[1:])})"
            raise TypeError(f"{kind} {problem}: it takes {wanted}, and parameters before, to keep them") from None

    return made


def at_a_step(step: Callable) -> Callable:
    """A user's own `step(parameters)`, which gets those that the optimizer was given where it is called without any."""
    first = _names(step)[1]

    @wraps(step)
    def taken(self: Taker, *arguments: object, **named: object) -> object:
        if self.own_parameters is not None and (arguments[0] if arguments else named.get(first)) is None:
            named.pop(first, None)
            arguments = (list(self.own_parameters), *arguments[1:])
        return step(self, *arguments, **named)

    return taken


def take_parameters(kind: type, base: type) -> None:
    """Let a user's own class of optimizers, whose `base` is that of all, take parameters as others do.

    A constructor that begins with something else than a setting, such as `params`, gets all arguments itself.
    """
    constructor, step = (_own(kind, base, name) for name in ("__init__", "step"))
    if _begins_with_a_setting(constructor):
        kind.__init__ = after_parameters(constructor)  # type: ignore[misc]
    if _names(step)[1:2] not in ((), ("closure",)):  # which is PyTorch's argument of that place
        kind.step = at_a_step(step)  # type: ignore[attr-defined]


def _begins_with_a_setting(constructor: Any) -> bool:
    """Is its first argument a rate by its name, or a number by its default?"""
    names = _names(constructor)[1:]
    defaults: tuple = getattr(constructor, "__defaults__", None) or ()
    is_number = bool(names) and len(defaults) == len(names) and is_real(defaults[0])
    return bool(names) and (names[0] == "lr" or "rate" in names[0] or is_number)


def _own(kind: type, base: type, name: str) -> Any:
    """A method of a class itself, or one that it has from a class which is no optimizer."""
    owner = next(owner for owner in kind.__mro__ if name in vars(owner))
    return None if owner is not kind and issubclass(owner, base) else vars(owner)[name]


def parameters_for(optimizer: Taker, verb: str, parameters: Iterable[Value] | None = None) -> Iterable[Value]:
    """The parameters, or else those that the optimizer was given; a TypeError if there are neither."""
    if parameters is not None:
        return parameters
    if optimizer.own_parameters is None:
        kind = type(optimizer).__name__
        raise TypeError(
            f"{kind}.{verb} has no parameters: make the optimizer with them, {kind}(model.parameters(), lr=0.01), "
            f"or {'call model.zero_grad()' if verb == 'zero_grad' else f'pass them, {verb}(model.parameters())'}"
        )
    return optimizer.own_parameters


def given_among(optimizer: Taker, parameters: Sequence[Value]) -> Sequence[Value]:
    """The parameters among these that the optimizer was given: the same list, if it was given none."""
    if optimizer.own_parameters is None:
        return parameters
    given = set(optimizer.own_parameters)
    return [parameter for parameter in parameters if parameter in given]


def checked_given(taker: str, parameters: object) -> tuple[Value, ...]:
    """Parameters to keep, each once; a ValueError if there are none."""
    values = tuple(checked_parameters(taker, parameters))
    if not values:
        raise ValueError(f"{taker} got no parameters: the list is empty, or a generator that was walked before")
    if len(set(values)) < len(values):
        raise ValueError(f"{taker} takes each parameter once, and got one twice")
    return values


def moving_parameters(taker: str, parameters: Iterable[Value]) -> list[Value]:
    """The parameters that are not frozen, as `checked_parameters` gives them."""
    return checked_parameters(taker, without_frozen(listed(parameters, taker, "a list of parameters")))


def checked_parameters(taker: str, parameters: object) -> list[Value]:
    """The parameters, whose numbers and gradients are Python floats from now on, whoever has set them."""
    values = list(listed(parameters, taker, "a list of parameters"))
    for parameter in values:
        if not isinstance(parameter, Value):
            raise TypeError(
                f"{taker} takes parameters, which are Values, and got {brief(parameter)[:60]} among them"
                f"{_remedy(parameter)}"
            )
        settle(parameter)
    return values


def _remedy(item: object) -> str:
    if isinstance(item, dict):
        return "; of groups each has an optimizer of its own"
    if hasattr(type(item), "parameters"):
        return "; pass its parameters()"
    if isinstance(item, tuple) and item and isinstance(item[0], str):
        return "; pass parameters(), without names"
    return "; pass one list, which holds no lists" if is_list(item) else ""


def _may_be_parameters(x: object) -> bool:
    """Is it a list, or something that has or gives parameters, such as a model? A rate is none of these."""
    return not isinstance(x, str | bytes) and (is_list(x) or callable(x) or hasattr(type(x), "parameters"))


def _are_parameters(x: object) -> bool:
    return hasattr(type(x), "parameters") or (isinstance(x, list | tuple) and bool(x) and isinstance(x[0], Value))


def _names(function: Any) -> tuple[str, ...]:
    """The names of a function's arguments; none of what is not written in Python."""
    code = getattr(function, "__code__", None)
    return code.co_varnames[: code.co_argcount] if code else ()
