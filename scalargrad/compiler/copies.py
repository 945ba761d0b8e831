"""Copies and pickles of compiled functions: what is copied is the function and the settings, and no program.

A function itself is never copied. The copy reads the Values that the original reads: right where it is copied alone,
and wrong in the copy of something bigger, such as a model that has it as an attribute.
"""

import copy
import pickle
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial, reduce
from types import FunctionType, ModuleType
from typing import Any

from scalargrad.compiler.watch.facts import facts_of
from scalargrad.engine import Value
from scalargrad.holders import leads_to_some

REMEDY = "copy, pickle or save the model, and call compile() again there"
_state = threading.local()


def copied(function: Callable, memo: dict[int, Any]) -> Callable:
    """A deep copy of a function, or itself, if it is a plain one. TypeError where the two would not fit together.

    memo   what else is being copied, as `copy.deepcopy` has it
    """
    if memo and is_plain(function) and _reads_values(_without_arguments(function)):
        raise TypeError(
            f"a copy of this compiled function would go on with the Values that {_name(function)} reads, and not with "
            f"copies of them: compile a method of what is copied, or {REMEDY}"
        )
    try:
        return copy.deepcopy(function, memo)
    except Exception as error:
        raise TypeError(f"this compiled function is not copied, {_reason(error)}: {REMEDY}") from error


def by_name(function: Any) -> Any:
    """The object that Python finds under the name of a function: itself, or what a decorator made of it, or None."""
    try:
        return reduce(getattr, function.__qualname__.split("."), sys.modules[function.__module__])
    except (AttributeError, KeyError):
        return None


def check_pickled(function: Callable) -> None:
    """TypeError, if a function cannot be pickled."""
    if isinstance(function, FunctionType):
        if by_name(function) is not function:
            raise TypeError(
                f"a compiled function is pickled by the name of its function, and nothing imports {_name(function)} by "
                f"name: {REMEDY}"
            )
    elif not getattr(_state, "checks", False):  # it may have this compiled function as an attribute
        _state.checks = True
        try:
            pickle.dumps(function)
        except Exception as error:
            raise TypeError(f"this compiled function is not pickled, {_reason(error)}: {REMEDY}") from error
        finally:
            _state.checks = False


def is_plain(function: object) -> bool:
    """Is it a function, perhaps with some arguments, and nothing that has Values of its own?"""
    return isinstance(_without_arguments(function), FunctionType)


def _without_arguments(function: object) -> Any:
    while isinstance(function, partial):
        function = function.func
    return function


def _reads_values(function: FunctionType) -> bool:
    """Can it reach Values: by its closure, globals and defaults, and those of functions that it reads?"""
    waiting: list[Any] = [function]
    seen: dict[int, Any] = {}
    while waiting:
        x = waiting.pop()
        if id(x) in seen:
            continue
        seen[id(x)] = x
        if isinstance(x, FunctionType):
            waiting += _variables(x)
        elif isinstance(x, list | tuple):
            waiting += x
        elif isinstance(x, Value) or (not isinstance(x, ModuleType | type) and leads_to_some(x)):
            return True
    return False


def _variables(function: FunctionType) -> list:
    """The objects that a function reads besides its arguments."""
    scope = function.__globals__
    found = [scope[name] for name in facts_of(function.__code__).globals if name in scope]
    for cell in function.__closure__ or ():
        with suppress(ValueError):  # not assigned yet
            found.append(cell.cell_contents)
    return [*found, *(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]


def _name(function: object) -> str:
    return _without_arguments(function).__qualname__


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:150]
