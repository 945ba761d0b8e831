"""Tracer: what stands for a number of a sample while a function is traced, and Trace, the record of what it does.

A `Tracer` stands for a number that differs from sample to sample. It has no data, so a function that looks at it gets
an error instead of one branch, frozen for every sample.
"""

import sys
from collections.abc import Callable, Iterable
from functools import cache
from types import CodeType
from typing import Any

import numpy

from scalargrad import ieee, observers
from scalargrad.compiler.errors import (
    TraceError,
    active_trace,
    called_by_package,
    is_no_matter,
    prints,
)
from scalargrad.engine import Value
from scalargrad.methods import stamp_operations
from scalargrad.operands import flatten
from scalargrad.operands import number as as_number
from scalargrad.ops import Op, dot
from scalargrad.protocol import RealNumber
from scalargrad.structure import Buffer
from scalargrad.support.callers import frame_of_user, line_of

SHARE = Buffer(1.0, "share")  # stands for 1 / the number of samples, which a program is told when it runs


def _refusing(what: str, remedy: str, answer: Callable | None = None, may_print: bool = False) -> Any:
    """A method that is an error in user code; code of this package gets an answer, if there is one."""

    def method(self: "Tracer", *others: object) -> Any:
        frame = sys._getframe(1)
        own = called_by_package(frame)  # which may handle the error
        if answer is not None and (active_trace() is None or own or (may_print and prints(frame))):
            return answer(self, *others)
        raise TraceError.at_line(f"{what} would freeze one answer for every sample", remedy, kept=not own)

    return method


@cache
def _functions_of_numpy() -> frozenset[str]:
    return frozenset(name for name, content in vars(numpy).items() if isinstance(content, numpy.ufunc))


def _not_in_table(name: str) -> TraceError:
    return TraceError.at_line(
        f"numpy.{name} of a traced number is no operation of the table",
        "use the functions of scalargrad, where(), step() or take()",
    )


class Tracer:
    """A number that depends on the sample: it records what is done to it, and has no data."""

    __slots__ = ("first", "index", "label", "op", "second")

    def __init__(self, trace: "Trace", op: Op | None = None, first: object = (), second: object = ()) -> None:
        if not observers.recording.get():
            raise TraceError.at_line(*NO_GRAD)
        self.op, self.first, self.second, self.label = op, first, second, ""
        self.index = len(trace.tracers)
        if self.index == trace.located:
            trace.line = line_of(frame_of_user())
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
        if len(args) != len(op.arguments) or not trace.recordable(args, tuples=not op.scalars):
            args = op.checked(args)
            trace.recordable(args)  # lists may have held numbers of another trace
        if op is dot:
            args = args if all(type(x) is tuple for x in args) else op.checked(args)
            ieee.check_dot(*args)
        return Tracer(trace, op, *args)

    @staticmethod
    def lift(number: float) -> float:
        return number

    # What would freeze one answer for every sample.

    __bool__ = _refusing("`if`, `while`, `and`, `not` or bool() of a traced number", "use where(), maximum() or relu()")
    __lt__ = __le__ = __gt__ = __ge__ = _refusing(
        "`if`, `while`, a comparison, max(), min() or sorted() on a traced number, or NumPy's maximum() or clip(),",
        "use where() with less(), and scalargrad's maximum(), minimum(), clamp() or relu()",
    )
    __float__ = __int__ = __complex__ = __round__ = __trunc__ = __floor__ = __ceil__ = _refusing(
        "float(), int(), round() or a function of math or NumPy on a traced number",
        "use the functions of scalargrad: sin(), round(), floor() and the others, or where(), step() or take()",
    )
    item = _refusing("item() of a traced number", "use it as it is: it is a Value")
    __index__ = _refusing(
        "a traced number as a list index, or in range()", "use take(index, values), or where() with equal()"
    )
    __hash__ = _refusing(
        "a traced number as a dictionary key, in a set or in hash()",
        "use take(index, values), or where() with equal()",
        object.__hash__,
    )
    __eq__ = _refusing(
        "a comparison with a traced number (`==`, `in`)", "use where() with equal()", lambda self, other: self is other
    )
    __ne__ = _refusing(
        "a comparison with a traced number (`!=`)", "use where() with equal()", lambda self, other: self is not other
    )
    __str__ = __repr__ = __format__ = _refusing(
        "text of a traced number (str(), repr(), an f-string)",
        "compute with the number itself, with where() or take(); print what the program returns",
        lambda self, *_: f"<traced {self.op or 'input'}>",
        may_print=True,
    )
    imag = is_integer = hex = as_integer_ratio = property(
        _refusing("an attribute of Python's floats of a traced number", "use the functions of scalargrad, or where()")
    )

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # what isinstance() asks for
        frame = sys._getframe(1)
        if active_trace() is None or called_by_package(frame):
            return Tracer
        if is_no_matter(frame, Value):
            return Value
        raise TraceError.at_line(
            "isinstance() or the class of a traced number would be another one than that of the number",
            "leave it out, or ask isinstance(x, Value); use where() to choose",
        )

    __pos__ = conjugate = RealNumber.__pos__
    real = RealNumber.real
    __divmod__, __rdivmod__ = RealNumber.__divmod__, RealNumber.__rdivmod__

    def refuse_as_number(self, taker: str) -> None:
        """An error for what takes a number and no operand."""
        raise TraceError.at_line(f"{taker} takes a number, and a traced one has none", "use it as it is: it is a Value")

    def __array_ufunc__(self, function: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """A function of NumPy: on each number the operation of this name; an error, where there is none."""
        boxed = [numpy.array(x, object) if type(x) is Tracer else x for x in inputs]
        try:
            if function not in (numpy.equal, numpy.not_equal):  # which would ask whether it is the same object
                return getattr(function, method)(*boxed, **options)
        except AttributeError as error:
            what = f"numpy.{function.__name__} asks its first argument for the operation, and that is no Value"
            raise TraceError.at_line(what, "use the functions of scalargrad") from error
        except TypeError as error:
            raise _not_in_table(function.__name__) from error
        raise _not_in_table(function.__name__)

    def __getattr__(self, name: str) -> Any:
        if name in _functions_of_numpy():  # that ask for a method of their name
            raise _not_in_table(name)
        raise AttributeError(f"a traced number has no attribute {name}")

    def _no_number(self, *_: object) -> Any:
        raise TraceError.at_line(
            "`.data` of a traced number would freeze one sample's number",
            "compute with the Value itself: where(), maximum(), minimum(), take()",
            kept=not called_by_package(sys._getframe(1)),
        )

    data = property(_no_number, _no_number)

    def _no_gradient(self, *_: object) -> Any:
        raise TraceError.at_line(
            "`.grad` of a traced number does not exist", "call gradients(..., create_graph=True), or return the loss"
        )

    grad = property(_no_gradient, _no_gradient)

    def __reduce__(self) -> Any:
        raise TraceError.at_line("a traced number is neither copied nor pickled", "use it as it is")

    def detach(self) -> "Tracer":
        raise TraceError.at_line(
            "detach() of a traced number is not compiled", "stop the gradient outside, or use where()"
        )

    def backward(self, gradient: object = 1.0) -> None:
        raise TraceError.at_line(
            "backward() inside a compiled function", "return the loss and call program.backward(X, Y)"
        )


class Trace(observers.Observer):
    """The record of one run of a function: its inputs, its tracers in the order of their making, its result."""

    def __init__(self, step: Buffer | None, moved: bool, whole: bool, located: int | None) -> None:
        self.step = step  # stands for the number of the training step
        self.moved = moved  # do reads of a number from outside give one that is slightly off?
        self.whole = whole  # and of a whole number the number itself?
        self.located, self.line = located, ""  # of this operation the line of user code
        self.refused: TraceError | None = None  # the first one: raised at the end, if the function swallowed it
        self.codes: set[CodeType] = set()  # of the functions that ran, if they were watched
        self.asked: dict[int, Any] = {}  # modules that were asked for their mode, by id
        self.tracers: list[Tracer] = []
        self.inputs: list[list[Tracer]] = []  # for each array argument, its numbers in C order
        self.result: Any = None
        self.constants: set[Value] = set()  # leaf Values made inside
        self.updates: dict[Buffer, Any] = {}  # what becomes of buffers after a step of training
        self.made: set[Value] = set()  # all Values from inside
        self.row: Tracer | None = None  # the number of the sample's row, if the function asked for it
        self.checked_tuples: dict[int, tuple] = {}

    def recorded(self, value: Value) -> None:
        self.made.add(value)
        if value.op is None:
            self.constants.add(value)
        elif not observers.recording.get():
            raise TraceError.at_line(*NO_GRAD)

    def before_backward(self, order: list) -> None:
        raise TraceError.at_line(
            "backward() inside a compiled function", "return the loss and call program.backward(X, Y)"
        )

    def before_gradients(self, order: list) -> None:
        """Gradients inside are part of the program; those that reach over to other samples are not compiled."""
        if any(value.op and value.op.name == "batch_mean" for value in order):
            raise TraceError.at_line(
                "a gradient through batch_mean() inside a compiled function would need the other samples",
                "return the loss and call program.backward(X, Y)",
            )

    before_jvp = before_gradients

    def frozen(self, values: list, what: str, remedy: str) -> None:
        """An error if a number that is about to leave the graph depends on a parameter or a sample."""
        if any(value.op is None and value not in self.constants for value in values):
            raise TraceError.at_line(f"{what} inside a compiled function would freeze a number", remedy)

    def refuse_from_outside(self, value: Value) -> None:
        """An error for a result of operations that were done before the function ran."""
        if value.op is not None and value not in self.made:
            raise TraceError(
                f"{value.label or value.op} is a result that was computed before, outside of the function: the eager "
                "engine goes on with its number when what it came from moves, and a program would compute it anew; "
                "compute it inside, or detach() it"
            )

    def updated(self, buffer: Buffer, expression: object) -> bool:
        self.updates[buffer] = expression
        return True

    def row_number(self) -> Tracer:
        if self.row is None:
            self.row = Tracer(self)
        return self.row

    def recordable(self, arguments: tuple, tuples: bool = True) -> bool:
        """Is each a float, a Value, a Tracer, or, where `tuples` are allowed, a tuple of them?

        An error if another trace made one of them.
        """
        for x in arguments:
            kind = type(x)
            if kind is Tracer:
                if x.index >= len(self.tracers) or self.tracers[x.index] is not x:
                    raise TraceError.at_line(
                        "a number of another trace is used: it has left its compiled function",
                        "return it instead of storing it",
                    )
            elif kind is tuple and tuples:
                if id(x) not in self.checked_tuples:
                    if not self.recordable(x, tuples=False):
                        return False
                    self.checked_tuples[id(x)] = x  # keeps it alive, so that its id stays its own
            elif kind is not float and not isinstance(x, Value):
                return False
        return True

    def nested_lists(self, result: object) -> Any:
        """The result of the function, with NumPy's arrays as lists."""
        if hasattr(result, "tolist"):
            result = result.tolist()
        if isinstance(result, list | tuple):
            return [self.nested_lists(item) for item in result]
        self.recordable((result,))
        return result

    def __str__(self) -> str:
        """Every tracer with what it was made from, one a line: a Value by its name, a number as it is."""

        def shown(x: object) -> str:
            if type(x) is tuple:
                return f"({', '.join(map(shown, x))})"
            return f"%{x.index}" if type(x) is Tracer else getattr(x, "label", "") or str(getattr(x, "data", x))

        return "\n".join(f"{shown(t)} = {' '.join([str(t.op or 'input'), *map(shown, t.args)])}" for t in self.tracers)


NO_GRAD = (
    "no_grad() inside a compiled function is not compiled",
    "leave it out: a compiled function differentiates only in backward() and value_and_grad()",
)


def _active_trace() -> Trace:
    trace = active_trace()
    if trace is None:
        raise TraceError("a traced number has left its compiled function; return it instead of storing it")
    return trace


def refuse_inside_a_trace() -> None:
    """An error where a function is being traced: a compiled function inside it would give one number for all."""
    if active_trace() is not None:
        raise TraceError.at_line("a compiled function was called inside another", "call the plain function there")


def flatten_results(result: object) -> Iterable[Any]:
    """The Values, Tracers and floats in a nested result."""
    if isinstance(result, list | tuple):
        for item in result:
            yield from flatten_results(item)
    else:
        yield result_operand(result)


def result_operand(x: object) -> Any:
    return x if isinstance(x, (Tracer, Value)) else as_number(x, "the result of a compiled function")


stamp_operations(Tracer)
