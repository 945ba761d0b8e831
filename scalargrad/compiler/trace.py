"""trace: run a function of one sample on stand-ins for its numbers, and keep what it did.

A `Tracer` stands for a number that differs from sample to sample. It has no data, so a function that looks at it gets
an error instead of one branch, frozen for every sample. Values stay what they are: leaves from before the trace are
parameters, leaves made inside are constants, and reading the number of one is an error, too.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from scalargrad import randomness
from scalargrad.contexts import PACKAGE, line_of_user_code, observed_by
from scalargrad.engine import Value
from scalargrad.nn.module import Buffer
from scalargrad.operands import flatten, is_recorded
from scalargrad.ops import OPERATIONS, Op


class TraceError(TypeError):
    """The function does something that a program for every sample cannot repeat."""

    @classmethod
    def at_line(cls, what: str, remedy: str) -> "TraceError":
        return cls(f"{line_of_user_code()}: {what}; {remedy}")


class Tracer:
    """A number that depends on the sample: it records what is done to it, and has no data."""

    __slots__ = ("first", "index", "op", "second")

    def __init__(self, op: Op | None, first: Any = (), second: Any = ()) -> None:
        trace = _active_trace()
        self.op, self.first, self.second = op, first, second
        self.index = len(trace.tracers)
        trace.tracers.append(self)

    @property
    def args(self) -> tuple:
        return (self.first, self.second)[: len(self.op.arguments)] if self.op else ()

    @property
    def operands(self) -> tuple:
        return tuple(x for x in flatten((self.first, self.second)) if type(x) is not float)

    @staticmethod
    def apply_operation(op: Op, args: tuple) -> "Tracer":
        trace = _active_trace()
        if not all(trace.recordable(argument) for argument in args) or len(args) != len(op.arguments):
            args = op.checked(args)
        return Tracer(op, *args)

    @staticmethod
    def lift(number: float) -> Value:
        return Value(number)

    def _refuse(self, *_: Any) -> Any:
        raise TraceError.at_line(
            "`if`, `while`, a comparison or float() on a traced number would freeze one answer for every sample",
            "use where(), less(), maximum(), relu() or take()",
        )

    __bool__ = __float__ = __int__ = __index__ = __lt__ = __le__ = __gt__ = __ge__ = __round__ = _refuse
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        if sys._getframe(1).f_code.co_filename.startswith(PACKAGE):
            return self is other
        return self._refuse()

    @property
    def data(self) -> float:
        raise TraceError.at_line(
            "`.data` of a traced number would freeze one sample's number", "compute with the Value itself"
        )

    def detach(self) -> "Tracer":
        raise TraceError.at_line(
            "detach() of a traced number is not compiled", "stop the gradient outside, or use where()"
        )

    def backward(self) -> None:
        raise TraceError.at_line(
            "backward() inside a compiled function", "return the loss and call program.backward(X, Y)"
        )

    def __repr__(self) -> str:
        return f"<traced {self.op or 'input'}>"


class Trace:
    """What one run of a function did: its inputs, its tracers in the order of their making, its result."""

    def __init__(self) -> None:
        self.tracers: list[Tracer] = []
        self.inputs: list[list[Tracer]] = []  # for each array argument, its numbers in C order
        self.result: Any = None
        self.constants: set[Value] = set()  # leaf Values made inside
        self.updates: dict[Buffer, Any] = {}  # what becomes of buffers after a step of training
        self.row: Tracer | None = None  # the number of the sample's row, if the function asked for it
        self.checked_tuples: dict[int, tuple] = {}

    def recorded(self, value: Value) -> None:
        if value.op is None:
            self.constants.add(value)

    def before_backward(self, order: list) -> None:
        raise TraceError.at_line(
            "backward() inside a compiled function", "return the loss and call program.backward(X, Y)"
        )

    def before_gradients(self, order: list) -> None:
        """Gradients inside are part of the program."""

    def updated(self, buffer: Buffer, expression: Any) -> None:
        self.updates[buffer] = expression

    def row_number(self) -> Tracer:
        if self.row is None:
            self.row = Tracer(None)
        return self.row

    def recordable(self, argument: Any) -> bool:
        """Is it a float, a Value, a Tracer, or a tuple of Values and Tracers?"""
        if type(argument) is tuple:
            if id(argument) not in self.checked_tuples:
                if not all(isinstance(x, (Tracer, Value)) for x in argument):
                    return False
                self.checked_tuples[id(argument)] = argument  # keeps it alive, so that its id stays its own
            return True
        return type(argument) is float or isinstance(argument, (Tracer, Value))


_state = threading.local()
_lock = threading.RLock()


def _active_trace() -> Trace:
    trace = getattr(_state, "trace", None)
    if trace is None:
        raise TraceError("a traced number has left its compiled function; return it instead of storing it")
    return trace


def trace(function: Callable, shapes: list, arguments: list, step: Buffer | None = None) -> Trace:
    """Run `function` once. An array argument of sample shape (2, 3) comes as a tuple of 2 tuples of 3 tracers.

    shapes      for each argument the shape of one sample, or None for an argument that is passed as it is
    arguments   the arguments that are passed as they are
    step        what stands for the number of the training step
    """
    result = Trace()
    with _tracing(result):
        passed = []
        for shape, argument in zip(shapes, arguments, strict=True):
            if shape is None:
                passed.append(argument)
            else:
                result.inputs.append([])
                passed.append(_stand_ins(shape, result.inputs[-1]))
        outer = randomness.row.set(result.row_number), randomness.step.set(0.0 if step is None else step)
        try:
            result.result = function(*passed)
        finally:
            randomness.row.reset(outer[0])
            randomness.step.reset(outer[1])
    if result.row is not None:
        result.inputs.append([result.row])
    return result


def _stand_ins(shape: tuple[int, ...], flat: list[Tracer]) -> Any:
    if not shape:
        flat.append(Tracer(None))
        return flat[-1]
    return tuple(_stand_ins(shape[1:], flat) for _ in range(shape[0]))


@contextmanager
def _tracing(trace: Trace) -> Iterator[None]:
    if getattr(_state, "trace", None) is not None:
        raise TraceError("a compiled function was called inside another: call the plain function there")
    with _lock, observed_by(trace), _guarded_data():
        _state.trace = trace
        try:
            yield
        finally:
            _state.trace = None


@contextmanager
def _guarded_data() -> Iterator[None]:
    """While a function is traced, its own reads of a Value's number are errors: they would be frozen."""
    slot: Any = Value.__dict__["data"]
    reading = {getattr(Value, name).__code__ for name in ("__bool__", "__float__", "__format__", "__lt__")}

    def read(self: Value) -> float:
        if getattr(_state, "trace", None) is not None:
            code = sys._getframe(1).f_code
            if code in reading or not code.co_filename.startswith(PACKAGE):
                raise TraceError.at_line(
                    f"reading the number of {self.label or 'a Value'} inside a compiled function would freeze it",
                    "compute with the Value itself, or use where()",
                )
        return slot.__get__(self)

    Value.data = property(read, slot.__set__)  # type: ignore[assignment,misc]
    try:
        yield
    finally:
        Value.data = slot  # type: ignore[misc]


def _method(op: Op) -> Callable:
    def method(self: Tracer, *others: Any) -> Any:
        return op((self, *others)) if op.arguments == ("[values]",) else op(self, *others)

    return method


def _operator(op: Op, reflected: bool) -> Callable:
    def method(self: Tracer, other: Any) -> Any:
        if getattr(other, "shape", ()) != ():
            return NotImplemented  # an array computes element by element
        args = (other, self) if reflected else (self, other)
        return Tracer.apply_operation(op, args if is_recorded(other) else op.checked(args))

    return method


for _op in OPERATIONS.values():
    setattr(Tracer, _op.name, _method(_op))
    if _op.special and _op.scalars == 2:
        setattr(Tracer, f"__{_op.special}__", _operator(_op, reflected=False))
        setattr(Tracer, f"__r{_op.special}__", _operator(_op, reflected=True))
    elif _op.special:
        setattr(Tracer, f"__{_op.special}__", _method(_op))
