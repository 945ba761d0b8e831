"""A compiled function: it checks its arguments, keeps a program for each shape, and runs it."""

import copyreg
import pickle
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import update_wrapper
from types import MappingProxyType
from typing import Any

from scalargrad.compiler.backends import eager
from scalargrad.compiler.backends.native.running.backend import NativeBackend
from scalargrad.compiler.backends.native.running.threads import available_threads
from scalargrad.compiler.backends.reference import NumpyBackend
from scalargrad.compiler.backends.xla.backend import JaxBackend
from scalargrad.compiler.backends.xla.export import exported
from scalargrad.compiler.copies import by_name, check_pickled, copied, is_plain
from scalargrad.compiler.program import Program
from scalargrad.compiler.trace import refuse_inside_a_trace
from scalargrad.compiler.trainer import Trainer
from scalargrad.compiler.variants import BACKENDS, Backend, Builder, Version, to_front
from scalargrad.compiler.watch.guards import token
from scalargrad.datasets.arrays import as_array
from scalargrad.engine import Value, gradients
from scalargrad.forks import freed
from scalargrad.ieee import quiet
from scalargrad.observers import with_grad
from scalargrad.operands import refuse_hidden
from scalargrad.ops import mean
from scalargrad.optim import Optimizer
from scalargrad.schedules import Schedule
from scalargrad.structure import Buffer

DTYPES = ("float64", "float32")
MOST_SHAPES = 32  # of arguments, for which programs are kept
NO_MEASURES: Mapping[str, Buffer] = MappingProxyType({})
MOST_VERSIONS = 4  # programs kept for one shape of arguments: for train() and eval(), and some more


def compile(
    function: Callable | None = None,
    *,
    dtype: str = "float64",
    backend: str = "native",
    threads: int | None = None,
    devices: int | str | None = None,
) -> Any:
    """A function of one sample as a program for a whole batch. Also a decorator.

    function   ordinary Python over Values: it takes the numbers of one sample and returns a Value, or a nested list
    dtype      "float64" or "float32"
    backend    "native": machine code for this processor; without llvmlite it falls back to "numpy", and `report()`
               says so. "jax": operations of JAX, for accelerators and many devices. "eager" replays the function in
               Values, row by row: the oracle of the others
    threads    how many may work on a call of the native backend; None for all processors. The bits are always the same
    devices    how many of JAX's devices share the rows, or "all"; one unless said

    Values that exist before the call are parameters, read anew by each run; numbers, flags and other objects that the
    function reads are part of the program. When one of these changes, the function is traced again: "What may change
    around a compiled function", notebooks/what_may_change.md, says what is noticed, what is refused, and the few things
    that need `retrace()`. A few programs are kept, so that `train()` and `eval()` can take turns.

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
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
        raise ValueError(f"threads is a whole number from 1 on, or None for all processors; got {threads!r}")
    if devices is not None and backend != "jax":
        raise ValueError(f'devices are those of JAX: backend="jax", not {backend!r}')
    if function is None:
        return lambda decorated: Compiled(decorated, dtype, backend, threads, devices)
    if not callable(function):
        raise TypeError(f"compile takes a function of one sample, got {function!r}")
    return Compiled(function, dtype, backend, threads, devices)


class Compiled:
    """What `compile` returns. Call it with arrays whose rows are samples.

    A copy is a compiled function of the same function, or a deep one of a copy of what the function is a method of, and
    traces anew. It is pickled as its function is: by name.
    """

    def __init__(
        self, function: Callable, dtype: str, backend: str, threads: int | None, devices: int | str | None
    ) -> None:
        self.function, self.dtype, self.backend_name = function, dtype, backend
        self.settings = dtype, backend, threads, devices
        self.builder = Builder(backend, dtype, threads or available_threads(), devices)
        self.versions: dict[Any, list[Version]] = {}  # for each shape of arguments; the last ones used come last
        self.loops: list = []  # of trainers: programs with an optimizer inside; the last ones used come first
        self.last: Version | None = None
        self.exported: Version | None = None  # by to_jax
        self.rows = 1  # of the last call
        self.steps = Buffer(0.0, "step")  # of training: how often backward() has run
        self.lock = freed(threading.RLock())  # a program's memory serves one call at a time
        update_wrapper(self, function, updated=())

    def __call__(self, *args: Any) -> Any:
        """The mean over rows for a scalar result, else an array [rows, ...] shaped like the result."""
        refuse_inside_a_trace()  # before the lock: another thread may hold it and wait for this trace to end
        with self.lock:
            version, arrays, lanes = self._prepared(args)
            with version.used():
                return self._results(version, arrays, lanes)

    @quiet
    def _results(self, version: Version, arrays: list, lanes: int) -> Any:
        import numpy

        if self.backend_name == "eager":
            rows, _ = eager.replay(version.trace, _lists(arrays), lanes)
            results = numpy.array([[float(x) for x in row] for row in rows]).reshape(len(rows), lanes).T
        else:
            results = version.forward_backend.results(arrays, _numbers(version.forward), lanes)
        if version.shape is None:
            return float(results[:, 0].mean())
        return numpy.array(results).reshape(lanes, *version.shape)

    def value_and_grad(self, *args: Any) -> tuple[float, Any]:
        """The mean over rows, and its gradient as a flat array in the order of `parameters`."""
        return self._run(*args)[:2]

    def _run(self, *args: Any) -> tuple[float, Any, dict[Value, float]]:
        """The mean, its gradient, and the new numbers of buffers."""
        refuse_inside_a_trace()
        with self.lock:
            version, arrays, lanes = self._prepared(args)
            run = _run_eagerly if self.backend_name == "eager" else _slopes
            with version.used():
                return run(version, arrays, lanes)

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
        return self._last().program.parameters

    def retrace(self) -> None:
        """Forget all programs: for the few changes that cannot be noticed, such as another content of a file."""
        refuse_inside_a_trace()
        with self.lock:
            self.versions.clear()
            self.loops.clear()

    @property
    def full(self) -> str:
        """Every instruction of the last program, one a line."""
        return self._last().program.full

    def __str__(self) -> str:
        return str(self._last().program) if self.last else f"compiled {self.function!r}, not called yet"

    @property
    def seconds(self) -> dict[str, float]:
        """Spent so far on "tracing" the function, twice each time, and on "compiling" the traces."""
        return dict(self.builder.seconds)

    def trainer(
        self,
        optimizer: Optimizer,
        batch_size: int | None = None,
        rng: int = 0,
        schedule: Schedule | None = None,
        measures: Mapping[str, Buffer] = NO_MEASURES,
    ) -> Trainer:
        """Training with whole steps in the program: see `Trainer`."""
        if self.backend_name == "eager":
            raise ValueError('the backend "eager" has no trainer: write the loop yourself, with optimizer.step()')
        return Trainer(self, optimizer, batch_size, rng, schedule, measures)

    def to_jax(self, *arrays: Any, buffers: bool = False) -> tuple:
        """The program as a pure function for code of your own in JAX: (parameters, X, Y) -> (loss, gradients).

        Returns the function and the flat parameters, an array [parameters] in the order of `model.parameters()`, or of
        those of several models one after another: `model.load_parameters(array)` brings them back. `jax.jit`, `vmap`,
        `grad` and sharding work on it, and its own derivatives are those of the table of operations. Without arrays it
        is the program of the last call.

        buffers   for a program that changes buffers, such as running averages and the step that dropout counts: the
                  function is (parameters, buffers, X, Y) -> (loss, gradients, buffers), and the flat buffers are
                  returned, too. `load_buffers` brings these back

        take() of an index that does not exist makes the loss nan: there is nobody who could raise an error.
        """
        refuse_inside_a_trace()
        with self.lock:
            version = self._prepared(arrays)[0] if arrays else self._last()
            self.exported, program = version, version.backward
        function, parameters, state = exported(
            program, self.dtype, version.parameters_of_modules(), version.trace.row is not None, self.steps
        )
        if buffers:
            return function, parameters, state
        if program.updates or self.steps in program.buffers:
            raise ValueError("this program changes buffers from step to step: to_jax(buffers=True) hands them through")

        def pure(parameters: Any, *arrays: Any) -> tuple:
            return function(parameters, state, *arrays)[:2]

        return pure, parameters

    def load_buffers(self, buffers: Any) -> None:
        """Set the buffers from the flat array that a function of `to_jax(buffers=True)` returned."""
        import numpy

        if self.exported is None:
            raise RuntimeError("to_jax(buffers=True) comes first: its buffers are these")
        own, numbers = self.exported.backward.buffers, numpy.asarray(buffers, "float64")
        if numbers.shape != (len(own),):
            raise ValueError(f"the program has {len(own)} buffers, and the array has the shape {numbers.shape}")
        for buffer, number in zip(own, numbers.tolist(), strict=True):
            buffer.data = number

    def report(self) -> str:
        """What share of the last program's work is native code, where its time goes, and how near to the peak it comes.

        Each kernel is timed by itself, on as many rows as the last call had.
        """
        version = self._last()
        if self.backend_name == "eager":
            return "eager: Values replay the function row by row; nothing is compiled"
        backend = version.backend
        if isinstance(backend, NativeBackend):
            import numpy

            arrays = [numpy.zeros((self.rows, count), self.dtype) for count in version.program.inputs]
            with self.lock:
                return backend.report(arrays, self.rows)
        if isinstance(backend, JaxBackend):
            return f"jax: all {len(version.program.instructions)} instructions, on {backend.devices}"
        reason = f": there is no native code, {self.builder.fallback}" if self.builder.fallback else ""
        return f"numpy: all {len(version.program.instructions)} instructions run in NumPy{reason}"

    # Copies and pickles: a fresh compiled function with the same settings.

    def __copy__(self) -> "Compiled":
        return _compiled_anew(self.function, *self.settings)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Compiled":
        """Of a deep copy of the function, such as a method of a copy of its object."""
        function = copied(self.function, memo)
        return memo[id(self)] if id(self) in memo else _compiled_anew(function, *self.settings)

    def __reduce__(self) -> tuple | str:
        named = by_name(self.function)
        if named is self:
            return self.function.__qualname__  # decorated: pickled by its name
        if not (isinstance(named, Compiled) and named.function is self.function):
            check_pickled(self.function)
            named = self.function
        return _compiled_anew, (named, *self.settings)

    # How a program comes about.

    def _prepared(self, args: tuple, checked: bool = False) -> tuple[Version, list, int]:
        """The program for these arguments, their arrays [rows, numbers of one sample], and how many rows."""
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
        version = self._traced(shapes, static, checked)
        import numpy

        self.rows = lanes
        flat = [numpy.ascontiguousarray(array.reshape(lanes, -1)) for array in given]
        if version.trace.row is not None:
            flat.append(numpy.arange(lanes, dtype=self.dtype).reshape(lanes, 1))
        return version, flat, lanes

    def _traced(self, shapes: list, static: list, checked: bool) -> Version:
        key = tuple(shapes), tuple(map(token, static))
        kept = self.versions.get(key, [])
        for version in kept:
            if version.is_current:
                try:
                    version.check() if checked else version.check_in_time()
                except Exception:
                    kept.remove(version)  # the next call traces anew
                    raise
                break
        else:
            version = Version(self.function, shapes, static, self.steps, self.builder)
        to_front(kept, version, MOST_VERSIONS)
        if key != next(reversed(self.versions), None):  # the last one used comes last
            others = [(other, kept) for other, kept in self.versions.items() if other != key]
            self.versions = dict([*others[1 - MOST_SHAPES :], (key, kept)])
        self.last = version
        return version

    def _last(self) -> Version:
        if self.last is None:
            raise RuntimeError("there is no program yet: call it with arrays first")
        return self.last

    # For the trainer.

    def prepared(self, args: tuple, checked: bool = False) -> tuple[Program, list, int]:
        """The program of the gradient for these arguments, their arrays as backends take them, and how many rows.

        checked   whether to make sure, by another trace, that the function is still the same
        """
        refuse_inside_a_trace()
        version, arrays, rows = self._prepared(args, checked)
        return version.backward, arrays, rows

    def used(self) -> AbstractContextManager[None]:
        """A block in which the program runs that was prepared last."""
        return self._last().used()

    def build(self, program: Program) -> Backend:
        """A backend for a program of this function, with memory of its own."""
        return self.builder.build(program)

    def refuse(self, program: Program, arrays: list, numbers: list[float]) -> None:
        """Say which argument of an operation is wrong in these arrays: NumPy runs the program and finds out."""
        NumpyBackend(program, self.dtype).slopes(arrays, numbers, len(arrays[0]))
        raise ValueError("an operation met a number that it cannot take")


def _compiled_anew(function: Any, *settings: Any) -> Compiled:
    """A compiled function of the function, or of that of a compiled one."""
    return Compiled(function.function if isinstance(function, Compiled) else function, *settings)


def _reduced(trainer: Trainer) -> Any:
    """What a trainer is copied and pickled as: what it consists of, if that fits together afterwards."""
    if trainer.optimizer.state and is_plain(trainer.compiled.function):
        raise TypeError(
            "a trainer is not copied or pickled where its optimizer remembers something of Values that only a function "
            "reads: compile a method of the model, or make another one with program.trainer(optimizer)"
        )
    return object.__reduce_ex__(trainer, pickle.DEFAULT_PROTOCOL)


copyreg.pickle(Trainer, _reduced)


@quiet
def _slopes(version: Version, arrays: list, lanes: int) -> tuple[float, Any, dict[Value, float]]:
    return version.backward_backend.slopes(arrays, _numbers(version.backward), lanes)


def _numbers(program: Program) -> list[float]:
    return [leaf.data for leaf in (*program.parameters, *program.buffers)]


def _run_eagerly(version: Version, arrays: list, lanes: int) -> tuple[float, Any, dict[Value, float]]:
    import numpy

    parameters = version.backward.parameters
    with with_grad():
        (losses,), updates = eager.replay(version.trace, _lists(arrays), lanes)
        total = mean([x if isinstance(x, Value) else Value(x) for x in losses])
        slopes = gradients(total, parameters)
    return total.data, numpy.array(slopes), {buffer: float(x) for buffer, x in updates.items()}


def _lists(arrays: list) -> list[list[float]]:
    """The numbers of each input, [inputs][rows]."""
    return [column for array in arrays for column in array.T.tolist()]


def _as_array(argument: Any, place: int, dtype: str) -> Any:
    """An argument as an array [rows, ...], or None for one that is passed on as it is: a number, a string, None."""

    if argument is None or isinstance(argument, bool | int | float | str | bytes) or callable(argument):
        return None
    refuse_hidden(argument, f"argument {place}")
    try:
        array = as_array(argument)
    except ValueError as error:
        raise ValueError(f"argument {place} is ragged: its rows differ in length") from error
    except (RuntimeError, TypeError) as error:  # JAX's for a number that it traces, PyTorch's for a sparse tensor
        why = str(error).splitlines()[0]
        raise TypeError(
            f"argument {place} has no numbers to read ({why}); in code that JAX traces, use to_jax()"
        ) from error
    if array.dtype == object or array.dtype.kind not in "biuf":
        remedy = "; of Values and traced numbers, pass the numbers" if array.dtype == object else ""
        raise TypeError(f"argument {place} holds {array.dtype} and not numbers{remedy}")
    if array.ndim == 0:
        raise TypeError(f"argument {place} is one number; an array has a row for each sample")
    return array if array.dtype == dtype else _cast(array, dtype)


@quiet
def _cast(array: Any, dtype: str) -> Any:
    return array.astype(dtype)
