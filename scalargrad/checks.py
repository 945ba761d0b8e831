"""Checks of what users pass: each gives it back as it is needed, or raises an error that says what it should be."""

from collections.abc import Callable, Iterable, Mapping, Set
from math import inf, isfinite, nan
from numbers import Integral, Real
from operator import is_
from os import PathLike
from typing import Any, TypeGuard

from scalargrad.ieee import dot, total
from scalargrad.operands import UNMASK, brief, flatten, is_recorded, number, operand


def is_whole(x: object) -> TypeGuard[int]:
    """Is `x` a whole number, of Python or NumPy, or an array of one without axes? True and False are none."""
    return type(x) is int or _is_number(_opened(x), Integral)  # most are: layers ask often


def is_real(x: object) -> TypeGuard[float]:
    """Is `x` a number, as `is_whole` takes them, inf and nan among them? True and False are none."""
    return _is_number(_opened(x), Real)


def _is_number(x: object, kind: type) -> bool:
    return isinstance(x, kind) and not isinstance(x, bool)


def _opened(x: object) -> object:
    """The number in an array or tensor without axes, and anything else as it is."""
    if getattr(x, "shape", None) != () or is_recorded(x):
        return x
    refuse_hidden(x, "a number")
    return getattr(x, "item", lambda: x)()


def whole(name: str, setting: object, least: int, what: str = "", most: float = inf) -> int:
    """A whole number of at least `least`, else a ValueError that says `what` the setting is.

    >>> whole("epochs", 2.5, least=0)
    Traceback (most recent call last):
    ValueError: epochs is a whole number from 0 on, got 2.5
    """
    if not is_whole(setting) or not least <= setting <= most:
        raise ValueError(f"{name} is {what or f'a whole number from {least} on,'} got {brief(setting)}")
    return int(setting)


def real(name: str, setting: object, low: float = -inf, high: float = inf, what: str = "") -> float:
    """A finite number from `low` to `high`, else a ValueError that says `what` the setting is.

    >>> real("momentum", 1.5, 0.0, 1.0)
    Traceback (most recent call last):
    ValueError: momentum is a number from 0 to 1, got 1.5
    """
    found = number(setting, name) if is_real(setting) else nan
    if not (isfinite(found) and low <= found <= high):
        limits = f" from {low:g} to {high:g}" if high < inf else f" from {low:g} on" if low > -inf else ""
        raise ValueError(f"{name} is {what or f'a number{limits},'} got {brief(setting)}")
    return found


def instance(name: str, x: object, kind: Any, what: str) -> Any:
    """`x`, if it is of that kind or of one of those kinds, else a TypeError that says `what` it is meant to be.

    >>> instance("title", 3, str, "a text")
    Traceback (most recent call last):
    TypeError: title is a text, got 3
    """
    if not isinstance(x, kind):
        raise TypeError(f"{name} is {what}, got {brief(x)}")
    return x


def file_name(path: object, name: str = "path") -> Any:
    """A path, else a TypeError.

    >>> file_name(None)
    Traceback (most recent call last):
    TypeError: path is the name of a file, a text or a pathlib.Path, got None
    """
    return instance(name, path, str | PathLike, "the name of a file, a text or a pathlib.Path")


def functions(name: str, given: object, what: str) -> tuple[Callable, ...]:
    """Functions in a list or the like, which may be a generator: it is walked once. A TypeError for anything else.

    >>> functions("callbacks", [print, 3], "a list of functions")
    Traceback (most recent call last):
    TypeError: callbacks is a list of functions, got 3 among them
    """
    if not isinstance(given, Iterable):
        raise TypeError(f"{name} is {what}, got {brief(given)}")
    found = tuple(given)
    for function in found:
        if not callable(function):
            raise TypeError(f"{name} is {what}, got {brief(function)} among them")
    return found


def one_of(what: str, name: object, known: Iterable[str], more: str = "") -> Any:
    """The name of something, if it is known, else a ValueError that lists those that are.

    >>> one_of("backend", "fortran", ["numpy", "native"])
    Traceback (most recent call last):
    ValueError: backend 'fortran' is not known; there are numpy, native
    """
    if not isinstance(name, str) or name not in known:
        raise ValueError(f"{what} {brief(name)} is not known; there are {', '.join(known)}{more}")
    return name


def listed(x: Any, taker: str, wanted: str = "a list or tuple of Values and numbers") -> Any:
    """`x` as it is, if to walk over it gives its items in their order.

    A TypeError for numbers and text, for sets, and for what gives its labels instead: dictionaries and DataFrames.

    >>> listed({0: 0.5, 1: -1.0}, "mean", "a list")
    Traceback (most recent call last):
    TypeError: mean takes a list, and to walk over a dict gives its keys: pass list(dict.values())
    """
    if type(x) is tuple or type(x) is list:
        return x
    kind = type(x).__name__
    if isinstance(x, str | bytes) or not is_list(x):
        remedy = "; pass parameters()" if hasattr(x, "parameters") else ""
        raise TypeError(f"{taker} takes {wanted}, got {brief(x)}{remedy}")
    if isinstance(x, Set):
        raise TypeError(f"{taker} takes {wanted}, and a {kind} has no order: pass a list")
    if hasattr(x, "columns"):
        raise TypeError(
            f"{taker} takes {wanted}, and to walk over a {kind} gives its columns: pass its numbers, as an array "
            "(to_numpy()), or one row of them (to_numpy()[0])"
        )
    if isinstance(x, Mapping) or (hasattr(x, "keys") and not hasattr(x, "dtype")):  # a pandas Series has both
        raise TypeError(f"{taker} takes {wanted}, and to walk over a {kind} gives its keys: pass list({kind}.values())")
    return x


def is_list(x: object) -> bool:
    """Can one walk over `x`?"""
    return hasattr(x, "__iter__") and not is_recorded(x) and getattr(x, "shape", None) != ()  # a tensor may have none


def checked_values(name: str, output: object, inputs: object) -> list[Any]:
    """The inputs as a list. A TypeError for what is no Value: the derivative by a number would be 0 without a word."""
    wanted = [inputs] if is_recorded(inputs) else list(listed(inputs, name, "a Value or a list of them as inputs"))
    for role, x in (("output", output), *(("input", x) for x in wanted)):
        if not is_recorded(x):
            raise TypeError(f"{name} takes Values, and got {brief(x)} as {role}: pass the Value itself, not its number")
    return wanted


def checked_outputs(output: object) -> Any:
    """A Value, a term of the compiler, or a tuple of such and floats; a TypeError for anything else."""
    items = output if type(output) is tuple else (output,)
    for x in items:
        if isinstance(x, type) or not (is_recorded(x) or (type(x) is float and type(output) is tuple)):
            raise TypeError(f"topological_order takes a Value, or a tuple of Values, got {brief(x)}")
    return output


def in_order(op: Any, args: tuple, named: dict[str, Any]) -> tuple:
    """The arguments of a call of which some were passed by name, or a TypeError."""
    names = op.names
    defaults = dict(zip(reversed(names), reversed(op.defaults), strict=False))
    given = dict(zip(names, args, strict=False))
    if len(args) > len(names) or not named.keys() <= {*names} - given.keys() or {*names} > {*defaults, *given, *named}:
        got = [*map(brief, args), *(f"{name}={brief(x)}" for name, x in named.items())]
        raise TypeError(f"{op.name} takes ({', '.join(names or op.arguments)}), got ({', '.join(got)})")
    given = defaults | given | named
    return tuple(given[name] for name in names)


def checked_arguments(op: Any, args: tuple) -> tuple:
    """The arguments of an operation with numbers as floats and operand lists as tuples, or a TypeError."""
    names = op.names
    if op.defaults and 0 < len(args) < len(names) and type(args[-1]) is not tuple:
        args = (*args, *op.defaults[len(args) - len(names) :])
    count = len(op.arguments)
    if op.collects and not (len(args) == count and type(args[-1]) is tuple):
        args = (*args[: count - 1], args[count - 1 :])
    if len(args) != count or (op.collects and names and count - 1 + len(args[-1]) != len(names)):
        raise TypeError(f"{op.name} takes ({', '.join(names)}), got {len(tuple(flatten(args)))} arguments")
    if op.scalars:
        return tuple([operand(argument, op.name) for argument in args])
    return tuple(
        [
            operand(argument, op.name) if name[0] not in "[*" else _checked_operands(op, argument)
            for name, argument in zip(op.arguments, args, strict=True)
        ]
    )


def _checked_operands(op: Any, argument: Any) -> tuple:
    operands = tuple(listed(argument, op.name))
    if not operands and op.formula not in (total, dot):
        raise ValueError(f"{op.name} of no values is not defined: pass at least one")
    recorded = list(filter(is_recorded, operands))
    if len(recorded) == len(operands):
        return operands  # the same tuple: who shares it can be seen
    # All of one kind: the hot loops look at the first operand only.
    lift = recorded[0].lift if recorded else lambda x: x
    return tuple([x if is_recorded(x) else lift(operand(x, op.name)) for x in operands])


def data_of(argument: Any) -> Any:
    """The number or numbers of an argument, as floats, even if one was set by hand to another kind."""
    if type(argument) is tuple:
        if not argument or (type(argument[0]) is float and {float}.issuperset(map(type, argument))):
            return argument  # compiler terms keep numbers beside them as they are
        data = [x.data for x in argument]
        return data if {float}.issuperset(map(type, data)) else [number(x, ".data") for x in data]
    if is_recorded(argument):
        return argument.data if type(argument.data) is float else number(argument.data, ".data")
    if type(argument) is float:
        return argument
    raise TypeError(argument)  # other things have a `data`, too


def as_float(data: Any, op: Any, *arguments: Any) -> float:
    """The number of a new Value, which came as something else than a float.

    If it is the result of an operation, somebody may have set the data of an operand to a number that is not Python's,
    whose arithmetic is another one: 200 + 200 is 144 in bytes. Then it is computed again, from floats.
    """
    if op is not None and type(data) is not bool:
        data = op.compute(*map(data_of, arguments[: len(op.arguments)]))
    return data if type(data) is float else number(data, "Value")


def settle(value: Any) -> None:
    """Make floats of what somebody has set `data` and `grad` to; a TypeError for what is no number."""
    if type(value.data) is not float:
        value.data = number(value.data, ".data")
    if type(value.grad) is not float:
        value.grad = number(value.grad, ".grad (0.0 where nothing has arrived)")


def plain(setting: Any) -> Any:
    """A setting with its numbers as Python's own, and anything else as it is.

    float32 times float is float32 to NumPy: such a rate would round every parameter that it moves.
    """
    if type(setting) is tuple or type(setting) is list:
        items = list(map(plain, setting))
        return setting if all(map(is_, items, setting)) else type(setting)(items)  # settings are compared by identity
    if type(setting) in (float, int, bool) or is_recorded(setting):
        return setting
    refuse_hidden(setting, "a setting")
    if getattr(setting, "shape", None) == ():  # of NumPy, PyTorch or JAX
        return plain(setting.item()) if not isinstance(setting.item(), type(setting)) else number(setting, "a setting")
    return number(setting, "a setting") if isinstance(setting, Real) else setting


def refuse_hidden(x: Any, name: str) -> None:
    """A ValueError, if `x` is a masked array that hides numbers, or a list of such: they would be computed with."""
    if type(x) is list or type(x) is tuple:
        for item in x:
            if type(item) is float or type(item) is int:
                break  # a row of numbers
            refuse_hidden(item, name)
    elif hasattr(x, "filled") and getattr(x, "mask", False) is not False and x.mask.any():
        raise ValueError(f"{name} has numbers that are masked; {UNMASK}")
