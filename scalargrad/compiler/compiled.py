"""A compiled function: it checks its arguments, keeps a program for each shape, and runs it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any

from scalargrad.compiler import eager_backend
from scalargrad.compiler.agreement import must_agree, parameters_of
from scalargrad.compiler.differentiate import differentiate
from scalargrad.compiler.numpy_backend import NumpyBackend
from scalargrad.compiler.plan import plan
from scalargrad.compiler.program import LANE, Program
from scalargrad.compiler.roll import roll
from scalargrad.compiler.signature import Surroundings, token
from scalargrad.compiler.simplify import simplify
from scalargrad.compiler.trace import Trace, TraceError, refuse_inside_a_trace, trace
from scalargrad.contexts import with_grad
from scalargrad.engine import Value, gradients
from scalargrad.nn.module import Buffer
from scalargrad.ops import mean

BACKENDS = ("eager", "numpy")
DTYPES = ("float64", "float32")
MOST_VERSIONS = 4  # programs kept for one shape of arguments: for train() and eval(), and some more


def compile(function: Callable | None = None, *, dtype: str = "float64", backend: str = "numpy") -> Any:
    """A function of one sample as a program for a whole batch. Also a decorator.

    function   ordinary Python over Values: it takes the numbers of one sample and returns a Value, or a nested list
    dtype      "float64" or "float32"
    backend    "numpy", or "eager", which replays the function in Values row by row and is the oracle of the others

    Values that exist before the call are parameters, read anew by each run; numbers, flags and other objects that the
    function reads are part of the program. Changed numbers of its closure, replaced parameters and `train()`/`eval()`
    are noticed and trace again; attributes of other objects and the items of NumPy arrays above 256 KiB are not: call
    `retrace()`. A few programs are kept, so that `train()` and `eval()` can take turns.

    >>> from scalargrad import Value
    >>> w = Value(3.0, "w")
    >>> program = compile(lambda x, y: (w * x - y) ** 2)
    >>> program([1.0, 2.0], [2.0, 4.0])
    2.5
    >>> program.backward([1.0, 2.0], [2.0, 4.0])
    2.5
    >>> w.grad
    5.0
    """
    if dtype not in DTYPES:
        raise ValueError(f"dtype {dtype!r} is not known; there are {', '.join(DTYPES)}")
    if backend not in BACKENDS:
        raise ValueError(f"backend {backend!r} is not known; there are {', '.join(BACKENDS)}")
    if function is None:
        return lambda decorated: Compiled(decorated, dtype, backend)
    if not callable(function):
        raise TypeError(f"compile takes a function of one sample, got {function!r}")
    return Compiled(function, dtype, backend)


@dataclass
class _Version:
    """What was made for one shape of arguments and one state of the function's surroundings."""

    trace: Trace
    surroundings: Surroundings
    state: Any  # of the surroundings at the time
    shape: Any  # how the results are nested; None for a single number
    forward: NumpyBackend | None = None
    backward: NumpyBackend | None = None


class Compiled:
    """What `compile` returns. Call it with arrays whose rows are samples."""

    def __init__(self, function: Callable, dtype: str, backend: str) -> None:
        self.function, self.dtype, self.backend_name = function, dtype, backend
        self.versions: dict[Any, list[_Version]] = {}  # for each shape those used last
        self.last: _Version | None = None
        self.steps = Buffer(0.0, "step")  # of training: how often backward() has run
        self.lock = threading.RLock()  # a program's memory serves one call at a time
        update_wrapper(self, function, updated=())

    def __call__(self, *args: Any) -> Any:
        """The mean over rows for a scalar result, else an array [rows, ...] shaped like the result."""
        import numpy

        refuse_inside_a_trace()  # before the lock: another thread may hold it and wait for this trace to end
        with self.lock:
            version, columns, lanes = self._prepared(args)
            if self.backend_name == "eager":
                rows, _ = eager_backend.replay(version.trace, columns.tolist(), lanes)
                results = numpy.array([[float(x) for x in row] for row in rows]).reshape(len(rows), lanes)
            else:
                if version.forward is None:
                    version.forward = NumpyBackend(plan(self._rolled(version)), self.dtype)
                results = self._results(version.forward, columns, lanes)
            if version.shape is None:
                return float(results[0].mean())
            return results.T.reshape(lanes, *version.shape).copy()

    def value_and_grad(self, *args: Any) -> tuple[float, Any]:
        """The mean over rows, and its gradient as a flat array in the order of `parameters`."""
        return self._run(*args)[:2]

    def _run(self, *args: Any) -> tuple[float, Any, dict[Value, float]]:
        """The mean, its gradient, and the new numbers of buffers."""
        refuse_inside_a_trace()
        with self.lock:
            version, columns, lanes = self._prepared(args)
            if version.shape is not None:
                raise TypeError(
                    "a list has no gradient: compile a function that returns one number, such as a loss of the list"
                )
            if self.backend_name == "eager":
                return self._run_eagerly(version, columns, lanes)
            backend = self._differentiated(version)
            program = backend.program
            _, uniform = backend.run(columns, self._numbers(program), lanes)
            assert program.mean is not None
            assert program.gradient is not None
            updates = {buffer: float(uniform[table.rows[0], 0]) for buffer, table in program.updates.items()}
            return float(uniform[program.mean.rows[0], 0]), uniform[program.gradient.rows, 0], updates

    def backward(self, *args: Any) -> float:
        """Add d mean / d p to the `.grad` of every parameter; returns the mean."""
        refuse_inside_a_trace()
        with self.lock:
            mean, gradient, updates = self._run(*args)
            for parameter, slope in zip(self.parameters, gradient.tolist(), strict=True):
                parameter.grad += slope
            for buffer, number in updates.items():
                buffer.data = number
            self.steps.data += 1.0
            return mean

    @property
    def parameters(self) -> list[Value]:
        """The Values that the last program reads, in the order of its flat gradient."""
        version = self._version()
        if self.backend_name == "eager":
            return parameters_of(version.trace)
        return self._program().parameters

    def retrace(self) -> None:
        """Forget all programs: for changes that cannot be noticed, such as an attribute of an object of your own."""
        refuse_inside_a_trace()
        with self.lock:
            self.versions.clear()

    @property
    def full(self) -> str:
        """Every instruction of the last program, one a line."""
        return self._program().full

    def __str__(self) -> str:
        return str(self._program()) if self.last else f"compiled {self.function!r}, not called yet"

    # How a program comes about.

    def _prepared(self, args: tuple) -> tuple[_Version, Any, int]:
        """The program for these arguments, their numbers [numbers of one sample, rows], and how many rows."""
        arrays, static = [], []
        for place, argument in enumerate(args):
            array = _as_array(argument, place, self.dtype)
            arrays.append(array)
            static.append(argument if array is None else None)
        given = [array for array in arrays if array is not None]
        if not given:
            raise TypeError("a compiled function takes at least one array, of which each row is a sample")
        lanes = len(given[0])
        for array in given:
            if len(array) != lanes:
                raise ValueError(
                    f"the arrays have {' and '.join(str(len(a)) for a in given)} rows: one for each sample"
                )
        if not lanes:
            raise ValueError("the arrays have no rows: a mean over no samples is not defined")
        shapes = [None if array is None else array.shape[1:] for array in arrays]
        version = self._traced(shapes, static)
        columns = [array.reshape(lanes, -1) for array in given]
        import numpy

        if version.trace.row is not None:
            columns.append(numpy.arange(lanes, dtype=self.dtype).reshape(lanes, 1))
        return version, (columns[0] if len(columns) == 1 else numpy.concatenate(columns, axis=1)).T, lanes

    def _traced(self, shapes: list, static: list) -> _Version:
        kept = self.versions.setdefault((tuple(shapes), tuple(map(token, static))), [])
        for version in kept:
            if version.surroundings.state() == version.state:
                kept.remove(version)
                break
        else:
            version = self._new_version(shapes, static)
        kept.insert(0, version)
        del kept[MOST_VERSIONS:]
        self.last = version
        return version

    def _new_version(self, shapes: list, static: list) -> _Version:
        first = trace(self.function, shapes, static, self.steps)
        second = trace(self.function, shapes, static, self.steps, moved=True)
        must_agree(first, second)
        surroundings = Surroundings(self.function, static)
        return _Version(first, surroundings, surroundings.state(), _result_shape(first.result))

    def _rolled(self, version: _Version) -> Program:
        return roll(simplify(version.trace), [len(flat) for flat in version.trace.inputs])

    def _differentiated(self, version: _Version) -> NumpyBackend:
        if version.backward is None:
            version.backward = NumpyBackend(plan(differentiate(self._rolled(version))), self.dtype)
        return version.backward

    def _version(self) -> _Version:
        if self.last is None:
            raise RuntimeError("there is no program yet: call it with arrays first")
        return self.last

    def _program(self) -> Program:
        version = self._version()
        if version.shape is None:
            return self._differentiated(version).program
        if version.forward is None:
            version.forward = NumpyBackend(plan(self._rolled(version)), self.dtype)
        return version.forward.program

    @staticmethod
    def _numbers(program: Program) -> Any:
        return [leaf.data for leaf in (*program.parameters, *program.buffers)]

    def _results(self, backend: NumpyBackend, columns: Any, lanes: int) -> Any:
        import numpy

        lane_bank, uniform_bank = backend.run(columns, self._numbers(backend.program), lanes)
        table = backend.program.result
        assert table is not None
        if table.bank == LANE:
            return lane_bank[table.rows]
        return numpy.broadcast_to(uniform_bank[table.rows], (len(table.rows), lanes))

    def _run_eagerly(self, version: _Version, columns: Any, lanes: int) -> tuple[float, Any, dict[Value, float]]:
        import numpy

        with with_grad():
            (losses,), updates = eager_backend.replay(version.trace, columns.tolist(), lanes)
            total = mean([x if isinstance(x, Value) else Value(x) for x in losses])
            slopes = gradients(total, parameters_of(version.trace))
        return total.data, numpy.array(slopes), {buffer: float(x) for buffer, x in updates.items()}


def _as_array(argument: Any, place: int, dtype: str) -> Any:
    """An argument as an array [rows, ...], or None for one that is passed on as it is: a number, a string, None."""
    import numpy

    if argument is None or isinstance(argument, bool | int | float | str | bytes) or callable(argument):
        return None
    try:
        array = numpy.asarray(argument)
    except ValueError as error:
        raise ValueError(f"argument {place} is ragged: its rows differ in length") from error
    if array.dtype == object or array.dtype.kind not in "biuf":
        remedy = "; of Values and traced numbers, pass the numbers" if array.dtype == object else ""
        raise TypeError(f"argument {place} holds {array.dtype} and not numbers{remedy}")
    if array.ndim == 0:
        raise TypeError(f"argument {place} is one number; an array has a row for each sample")
    return numpy.asarray(array, dtype=dtype)


def _result_shape(result: Any) -> tuple[int, ...] | None:
    return _shape(result) if isinstance(result, list) else None


def _shape(result: Any) -> tuple[int, ...]:
    if not isinstance(result, list):
        return ()
    shapes = {_shape(item) for item in result}
    if len(shapes) > 1:
        raise TraceError("the result is ragged: its lists differ in length; return lists of equal length")
    return (len(result), *(shapes.pop() if shapes else ()))
