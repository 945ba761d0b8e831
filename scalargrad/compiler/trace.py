"""trace: run a function of one sample on stand-ins for its numbers, and keep what it did.

Values stay what they are: leaves from before the trace are parameters, leaves made inside are constants, and reading
the number of one is an error, as it is of a stand-in.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import CodeType
from typing import Any

from scalargrad import randomness
from scalargrad.away import SLOTS, Guard, guards
from scalargrad.compiler.errors import (
    TraceError,
    active_trace,
    state,
)
from scalargrad.compiler.tracer import SHARE, Trace, Tracer, refuse_inside_a_trace
from scalargrad.compiler.watch.quiet import quiet_places
from scalargrad.compiler.watch.watching import tracing, watched
from scalargrad.engine import Value
from scalargrad.modes import modes_asked
from scalargrad.observers import observed_only_by, with_grad
from scalargrad.operands import number as as_number
from scalargrad.structure import Buffer
from scalargrad.support.callers import PACKAGE
from scalargrad.support.forks import undone


def trace(
    function: Callable,
    shapes: list,
    arguments: list,
    step: Buffer | None = None,
    moved: bool = False,
    watch: bool = False,
    whole: bool = False,
    located: int | None = None,
) -> Trace:
    """Run `function` once. An array argument of sample shape (2, 3) comes as a tuple of 2 tuples of 3 tracers.

    shapes      for each argument the shape of one sample, or None for an argument that is passed as it is
    arguments   the arguments that are passed as they are
    step        what stands for the number of the training step
    moved       whether this package reads the numbers of Values from outside slightly off
    watch       whether to note which functions run
    whole       whether whole numbers are read as they are, nevertheless
    located     of which operation to note the user's line
    """
    result = Trace(step, moved, whole, located)
    with _tracing(result):
        passed = []
        for shape, argument in zip(shapes, arguments, strict=True):
            if shape is None:
                passed.append(argument)
            else:
                result.inputs.append([])
                passed.append(_stand_ins(result, shape, result.inputs[-1]))
        outer = (
            randomness.row.set(result.row_number),
            randomness.step.set(0.0 if step is None else step),
            randomness.share.set(SHARE),
        )
        try:
            watching = watched(lambda: quiet_places(Tracer)) if watch else nullcontext(result.codes)
            with modes_asked() as result.asked, watching as result.codes:
                returned = function(*passed)
            result.result = result.nested_lists(returned)
        except Exception as error:
            if result.refused is None or error is result.refused:
                raise
            raise result.refused from error
        finally:
            randomness.row.reset(outer[0])
            randomness.step.reset(outer[1])
            randomness.share.reset(outer[2])
        if result.refused is not None:
            raise result.refused
    if result.row is not None:
        result.inputs.append([result.row])
    return result


def _stand_ins(trace: Trace, shape: tuple[int, ...], flat: list[Tracer]) -> Any:
    if not shape:
        flat.append(Tracer(trace))
        return flat[-1]
    return tuple(_stand_ins(trace, shape[1:], flat) for _ in range(shape[0]))


@contextmanager
def _tracing(trace: Trace) -> Iterator[None]:
    refuse_inside_a_trace()
    with tracing, observed_only_by(trace), with_grad(), _guarded("data"), _guarded("grad"):
        state.trace = trace
        try:
            yield
        finally:
            state.trace = None


@contextmanager
def _guarded(field: str) -> Iterator[None]:
    """While a function is traced, its own reads and writes of a Value's `data` or `grad` are errors.

    What the package itself reads, for a repr or to compute, differs between the first trace and the second, so that it
    is noticed if it gets into the trace. Other threads read and write what there is.
    """
    slot = SLOTS[field]
    looking = {getattr(Value, name).__code__ for name in ("__bool__", "__float__", "__format__", "__lt__")}
    making = Value.__init__.__code__

    def read(self: Value) -> float:
        return seen(self, slot.__get__(self), sys._getframe(1).f_code)

    def seen(value: Value, number: float, code: CodeType) -> Any:
        trace: Trace | None = active_trace()
        if trace is None:
            return number
        if code in looking or not code.co_filename.startswith(PACKAGE):
            raise TraceError.at_line(
                f"reading the {WORDS[field]} of {value.label or 'a Value'} inside a compiled function would freeze it",
                "compute with the Value itself, or use where()",
            )
        if type(number) is not float:  # set by hand; made a float here, as nothing inside may write
            number = as_number(number, f".{field}")
            slot.__set__(value, number)
        if (
            trace.moved and value not in trace.made and not (trace.whole and number.is_integer())
        ):  # the step stays a whole number: random() counts with it
            return number + (1.0 if value is trace.step else 1e-3 * (abs(number) + 1.0))
        return number

    def write(self: Value, number: float) -> None:
        refuse_setting(self, sys._getframe(1).f_code)
        slot.__set__(self, number)

    def refuse_setting(value: Value, code: CodeType) -> None:
        if active_trace() is not None and code is not making:
            raise TraceError.at_line(
                f"setting the {WORDS[field]} of {value.label or 'a Value'} inside a compiled function "
                "would happen once and not in each run",
                "set it outside, or return the new number",
            )

    def put_back() -> None:
        setattr(Value, field, slot)
        guards[field].clear()

    with undone(put_back):
        try:
            guards[field][:] = [Guard(seen, refuse_setting)]  # for Values that are away
            setattr(Value, field, property(read, write))
            yield
        finally:  # by no function of Python: a Ctrl-C may come when one begins
            setattr(Value, field, slot)
            guards[field].clear()


WORDS = {"data": "number", "grad": "gradient"}
