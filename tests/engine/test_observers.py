"""no_grad() and its kin as decorators: of functions, generators, coroutines and methods, and what is no function."""

import asyncio
import functools
import inspect

import pytest

from scalargrad.anomaly import AnomalyError, anomaly_detection
from scalargrad.engine import Value
from scalargrad.observers import Observer, no_grad, observed_by, observed_only_by, with_grad
from scalargrad.ops import log

X = Value(3.0)


def function():
    return X * X


def generator():
    given = yield X * X
    assert given == "sent"
    yield X + X
    return X * 2.0


async def coroutine():
    await asyncio.sleep(0.0)
    first = X * X
    await asyncio.sleep(0.0)
    return first + X


async def async_generator():
    await asyncio.sleep(0.0)
    given = yield X * X
    assert given in ("sent", None)
    await asyncio.sleep(0.0)
    yield X + X


class Callables:
    def method(self):
        yield X * X

    @no_grad()
    @staticmethod
    def static():
        return X * X

    @no_grad()
    @classmethod
    def of_class(cls):
        assert cls is Callables
        return X * X

    @staticmethod
    @no_grad()
    def inner_static():
        yield X * X

    def __call__(self):
        yield X * X


def items(made):
    """All Values that a call gives, with the caller's own work between them recorded."""
    found = []
    if inspect.isgenerator(made):
        step, given = made.send, None
        while True:
            try:
                found.append(step(given))
            except StopIteration as end:
                return found + ([end.value] if end.value is not None else [])
            assert (X * X).op is not None
            given = "sent"
    if inspect.iscoroutine(made):
        return [asyncio.run(made)]
    if inspect.isasyncgen(made):

        async def all_items():
            async for item in made:
                assert (X * X).op is not None
                found.append(item)

        asyncio.run(all_items())
        return found
    return [made]


DECORATED = {
    "function": lambda quiet: quiet(function),
    "generator": lambda quiet: quiet(generator),
    "coroutine": lambda quiet: quiet(coroutine),
    "async generator": lambda quiet: quiet(async_generator),
    "partial function": lambda quiet: quiet(functools.partial(function)),
    "partial generator": lambda quiet: quiet(functools.partial(generator)),
    "partial coroutine": lambda quiet: quiet(functools.partial(coroutine)),
    "bound method": lambda quiet: quiet(Callables().method),
    "callable object": lambda quiet: quiet(Callables()),
    "lambda": lambda quiet: quiet(lambda: X * X),
    "function that returns a generator": lambda quiet: quiet(lambda: generator()),
    "function that returns a coroutine": lambda quiet: quiet(lambda: coroutine()),
    "function that returns an async generator": lambda quiet: quiet(lambda: async_generator()),
    "cached": lambda quiet: quiet(functools.lru_cache(function)),
    "static method": lambda quiet: quiet(staticmethod(function)).__func__,
}


@pytest.mark.parametrize("name", DECORATED)
def test_nothing_is_recorded_inside_and_everything_around(name):
    found = items(DECORATED[name](no_grad())())
    assert found
    assert [value.op for value in found] == [None] * len(found)
    found = items(DECORATED[name](with_grad())())
    assert all(value.op is not None for value in found)
    assert (X * X).op is not None


def test_methods_of_every_kind():
    for made in (Callables.static(), Callables().static(), Callables.of_class(), Callables().of_class()):
        assert made.op is None
    assert next(Callables().inner_static()).op is None


@pytest.mark.parametrize(
    ("original", "is_kind"),
    [
        (function, inspect.isfunction),
        (generator, inspect.isgeneratorfunction),
        (coroutine, inspect.iscoroutinefunction),
        (async_generator, inspect.isasyncgenfunction),
    ],
)
def test_what_is_decorated_stays_of_its_kind(original, is_kind):
    quiet = no_grad()(original)
    assert is_kind(quiet)
    assert quiet.__name__ == original.__name__


def test_a_generator_is_sent_to_thrown_into_and_closed():
    seen = []

    @no_grad()
    def patient():
        while True:
            try:
                seen.append((yield X * X))
            except KeyError:
                seen.append((X * X).op)
            except GeneratorExit:
                seen.append(("closed", (X * X).op))
                raise

    steps = patient()
    next(steps)
    steps.send("sent")
    steps.throw(KeyError())
    steps.close()
    assert seen == ["sent", None, ("closed", None)]
    failing = patient()
    next(failing)
    with pytest.raises(ValueError, match="from outside"):
        failing.throw(ValueError("from outside"))


def test_an_async_generator_is_sent_to_thrown_into_and_closed():
    seen = []

    @no_grad()
    async def patient():
        while True:
            try:
                seen.append((yield X * X))
            except KeyError:
                await asyncio.sleep(0.0)
                seen.append((X * X).op)
            except GeneratorExit:
                seen.append(("closed", (X * X).op))
                raise

    async def talk():
        steps = patient()
        await steps.asend(None)
        await steps.asend("sent")
        await steps.athrow(KeyError())
        await steps.aclose()

    asyncio.run(talk())
    assert seen == ["sent", None, ("closed", None)]


def test_coroutines_side_by_side_do_not_quiet_each_other():
    @no_grad()
    async def quiet():
        for _ in range(5):
            assert (X * X).op is None
            await asyncio.sleep(0.0)

    async def loud():
        for _ in range(5):
            assert (X * X).op is not None
            await asyncio.sleep(0.0)

    async def both():
        await asyncio.gather(quiet(), loud(), quiet(), loud())

    asyncio.run(both())


def test_an_error_passes_through_and_ends_the_block():
    @no_grad()
    def failing():
        yield X * X
        raise KeyError("from inside")

    steps = failing()
    next(steps)
    with pytest.raises(KeyError, match="from inside"):
        next(steps)
    assert (X * X).op is not None


def test_anomaly_detection_decorates_too_and_keeps_the_observers_of_the_call():
    @anomaly_detection()
    def numbers():
        yield X * X
        yield log(X - 4.0)

    steps = numbers()
    assert next(steps).data == 9.0
    log(X - 4.0)  # outside
    with pytest.raises(AnomalyError, match="log gave nan"):
        next(steps)
    inner = anomaly_detection()(lambda: X * X)
    with anomaly_detection():
        inner()
        with pytest.raises(AnomalyError):
            log(X - 4.0)


def test_a_block_can_be_entered_again():
    quiet = no_grad()
    for _ in range(2):
        with quiet, quiet:
            assert (X * X).op is None
        assert (X * X).op is not None


@pytest.mark.parametrize("wrong", [type("Model", (), {}), 1.0, None])
def test_what_is_no_function_is_refused(wrong):
    with pytest.raises(TypeError, match="this decorates functions"):
        no_grad()(wrong)


@pytest.mark.parametrize("block", [observed_by, observed_only_by])
@pytest.mark.parametrize(
    "wrong", [type("Old", (), {"recorded": print})(), Observer, None], ids=["old", "class", "None"]
)
def test_an_observer_that_is_none_is_refused_before_its_block(block, wrong):
    with pytest.raises(TypeError, match=r"an observer derives from scalargrad\.observers\.Observer, got "):
        block(wrong)


def test_forgotten_parentheses_are_told():
    with pytest.raises(TypeError, match=r"@no_grad\(\), with parentheses"):

        @no_grad
        def square():
            return X * X
