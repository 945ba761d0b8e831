"""Keywords: arguments that go by another library's names, too."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])


def also_called(**names: str) -> Callable[[F], F]:
    """A decorator of a function whose arguments may be passed by other names, too.

    names   ours by the other ones; a TypeError, if one argument comes by both

    >>> @also_called(nin="fan_in")
    ... def sizes(fan_in, fan_out=1):
    ...     return fan_in, fan_out
    >>> sizes(nin=2), sizes(2)
    ((2, 1), (2, 1))
    """

    def decorated(function: F) -> F:
        @wraps(function)
        def called(*arguments: object, **named: object) -> Any:
            if not names.keys().isdisjoint(named):
                for other in names.keys() & named:
                    own = names[other]
                    if own in named:
                        taker = function.__qualname__.removesuffix(".__init__")
                        raise TypeError(f"{taker} got both {own} and {other}, which are one argument: pass {own}")
                    named[own] = named.pop(other)
            return function(*arguments, **named)

        return cast(F, called)

    return decorated
