"""Blocks around code, and as decorators around the body of a function: of a generator, around each of its steps."""

from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import AbstractContextManager
from functools import partial, wraps
from types import AsyncGeneratorType, CoroutineType, GeneratorType, coroutine
from typing import Any

Maker = Callable[[], AbstractContextManager]  # of a block


class Block:
    """A block of code, or as a decorator the body of a function: of a generator and a coroutine, too, step by step.

    Between two steps of a generator its caller is at work, who is outside. A `with` block around a `yield` ends when
    the generator goes on past it, and holds for the caller until then: decorate the generator instead.
    """

    def __init__(self, make: Callable[[], AbstractContextManager]) -> None:
        self.make = make
        self.entered: list[AbstractContextManager] = []

    def __enter__(self) -> Any:
        self.entered.append(self.make())
        return self.entered[-1].__enter__()

    def __exit__(self, *error: Any) -> Any:
        return self.entered.pop().__exit__(*error)

    def __call__(self, function: Any) -> Any:
        return decorated(function, self.make)


def decorated(function: Any, make: Maker) -> Any:
    """The function, whose body runs in blocks that `make` makes. A TypeError for what is no function."""
    import inspect  # a tenth of the time of `import scalargrad`

    if isinstance(function, staticmethod | classmethod):
        return type(function)(decorated(function.__func__, make))
    if isinstance(function, type) or not callable(function):
        raise TypeError(f"this decorates functions, got {function!r}: for a class, decorate its methods")
    body = function if hasattr(function, "__code__") or isinstance(function, partial) else function.__call__
    if inspect.isasyncgenfunction(body):
        run = _async_generator_of(function, make)
    elif inspect.iscoroutinefunction(body):
        run = _coroutine_of(function, make)
    elif inspect.isgeneratorfunction(body):
        run = _generator_of(function, make)
    else:
        run = _function_of(function, make)
    return wraps(function)(run)


def _function_of(function: Callable, make: Maker) -> Callable:
    def run(*args: Any, **named: Any) -> Any:
        with make():
            result = function(*args, **named)
        return STEPWISE[type(result)](result, make) if type(result) in STEPWISE else result

    return run


def _generator_of(function: Callable, make: Maker) -> Callable:
    def run(*args: Any, **named: Any) -> Iterator:
        return (yield from _steps(function(*args, **named), make))

    return run


def _coroutine_of(function: Callable, make: Maker) -> Callable:
    async def run(*args: Any, **named: Any) -> Any:
        return await _steps(function(*args, **named), make)

    return run


def _async_generator_of(function: Callable, make: Maker) -> Callable:
    async def run(*args: Any, **named: Any) -> AsyncIterator:
        generator = function(*args, **named)
        step = generator.asend(None)
        while True:
            try:
                item = await _steps(step, make)
            except StopAsyncIteration:
                return
            try:
                step = generator.asend((yield item))
            except GeneratorExit:
                await _steps(generator.aclose(), make)
                raise
            except BaseException as error:
                step = generator.athrow(error)

    return run


@coroutine
def _steps(inner: Any, make: Maker) -> Generator[Any, Any, Any]:
    """The steps of a generator, or of something that is awaited, each in a block of its own."""
    step, given = inner.send, None
    while True:
        try:
            with make():
                item = step(given)
        except StopIteration as end:
            return end.value
        try:
            step, given = inner.send, (yield item)
        except GeneratorExit:
            with make():
                inner.close()
            raise
        except BaseException as error:
            step, given = inner.throw, error  # type: ignore[assignment]


STEPWISE: dict[type, Callable[[Any, Maker], Any]] = {  # what a function may return before it has done anything
    GeneratorType: lambda generator, make: _generator_of(lambda: generator, make)(),
    CoroutineType: lambda coroutine, make: _coroutine_of(lambda: coroutine, make)(),
    AsyncGeneratorType: lambda generator, make: _async_generator_of(lambda: generator, make)(),
}
