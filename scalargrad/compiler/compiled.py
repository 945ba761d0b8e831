"""A compiled function: it checks its arguments, keeps a program for each shape, and runs it."""

import copyreg
import pickle
from collections.abc import Callable, Iterable, Mapping
from functools import update_wrapper
from typing import Any

import numpy
from numpy import ndarray

from scalargrad.arrays import quiet
from scalargrad.checks import whole
from scalargrad.compiler.backends import BACKENDS, Slopes, Toolchain, checked_backend, checked_dtype
from scalargrad.compiler.copies import by_name, check_pickled, copied, is_plain
from scalargrad.compiler.programs import Programs
from scalargrad.compiler.tracer import refuse_inside_a_trace
from scalargrad.compiler.trainer import NO_MEASURES, Trainer
from scalargrad.compiler.variants import Variant
from scalargrad.engine import Value
from scalargrad.optim import Optimizer
from scalargrad.schedules import Schedule
from scalargrad.structure import Buffer
from scalargrad.support.doors import as_called
from scalargrad.support.words import brief


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
               says so. "jax": operations of JAX, for accelerators and many devices. "javascript": what
               `javascript()` writes, in a process of node, in float64. "eager" replays the function in Values, row by
               row: the oracle of the others
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
    backend = checked_backend(backend)
    dtype = checked_dtype(dtype, backend)
    if threads is not None:
        threads = whole("threads", threads, 1, "a whole number from 1 on, or None for all processors;")
    if devices is not None and not BACKENDS[backend].devices:
        raise ValueError(f'devices are those of JAX: backend="jax", not {backend!r}')
    if function is None:
        return lambda decorated: Compiled(decorated, dtype, backend, threads, devices)
    if not callable(function):
        raise TypeError(f"compile takes a function of one sample, got {brief(function)}")
    return Compiled(function, dtype, backend, threads, devices)


@as_called
class Compiled(Programs):
    """A compiled function, called with arrays whose rows are samples.

    A copy is a compiled function of the same function, or a deep one of a copy of what the function is a method of, and
    traces anew. It is pickled as its function is: by name.
    """

    def __init__(
        self, function: Callable, dtype: str, backend: str, threads: int | None, devices: int | str | None
    ) -> None:
        super().__init__(function, Toolchain(backend, dtype, threads, devices))
        self.settings = dtype, backend, threads, devices
        self.exported: Variant | None = None  # by to_jax
        update_wrapper(self, function, updated=())

    @property
    def backend_name(self) -> str:
        return self.toolchain.name

    def __call__(self, *args: object) -> Any:
        """The mean over rows for a scalar result, else an array [rows, ...] shaped like the result."""
        refuse_inside_a_trace()  # before the lock: another thread may hold it and wait for this trace to end
        with self.lock:
            variant, arrays, lanes = self._prepared(args)
            return variant.timed(self._results, variant, arrays, lanes)

    @quiet
    def _results(self, variant: Variant, arrays: list[ndarray], lanes: int) -> float | ndarray:
        results = variant.forward_backend.results(arrays, lanes)
        if variant.shape is None:
            return float(results[:, 0].mean())
        return numpy.array(results).reshape(lanes, *variant.shape)

    def value_and_grad(self, *args: object) -> tuple[float, ndarray]:
        """The mean over rows, and its gradient as a flat array in the order of `parameters`."""
        return self._run(*args)[:2]

    def _run(self, *args: object) -> Slopes:
        refuse_inside_a_trace()
        with self.lock:
            variant, arrays, lanes = self._prepared(args)
            return variant.timed(_slopes, variant, arrays, lanes)

    def backward(self, *args: object) -> float:
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

    @property
    def full(self) -> str:
        """Every instruction of the last program, one a line."""
        return self._last().program.full

    def __str__(self) -> str:
        return str(self._last().program) if self.last else f"compiled {self.function!r}, not called yet"

    @property
    def seconds(self) -> dict[str, float]:
        """Spent so far on "tracing" the function, twice each time, and on "compiling" the traces."""
        return dict(self.toolchain.seconds)

    def trainer(
        self,
        optimizer: Optimizer,
        batch_size: int | None = None,
        rng: int | Callable = 0,
        schedule: Schedule | None = None,
        measures: Mapping[str, Buffer] = NO_MEASURES,
        parameters: Iterable[Value] | None = None,
        steps: int | None = None,
        clip_grad_norm: float | None = None,
    ) -> Trainer:
        """Training with whole steps in the program: see `Trainer`."""
        if not BACKENDS[self.backend_name].trains:
            raise ValueError(
                f'the backend "{self.backend_name}" has no trainer: write the loop yourself, with optimizer.step()'
            )
        return Trainer(self, optimizer, batch_size, rng, schedule, measures, parameters, steps, clip_grad_norm)

    def to_jax(self, *arrays: object, buffers: bool = False) -> tuple:
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
        from scalargrad.compiler.backends.xla.export import exported  # nobody else needs JAX

        refuse_inside_a_trace()
        with self.lock:
            variant = self._prepared(arrays)[0] if arrays else self._last()
            self.exported, program = variant, variant.backward
        function, parameters, state = exported(
            program, self.dtype, variant.parameters_of_modules(), variant.trace.row is not None, self.steps
        )
        if buffers:
            return function, parameters, state
        if program.updates or self.steps in program.buffers:
            raise ValueError("this program changes buffers from step to step: to_jax(buffers=True) hands them through")

        def pure(parameters: object, *arrays: object) -> tuple:
            return function(parameters, state, *arrays)[:2]

        return pure, parameters

    def javascript(self, *arrays: object, optimizer: Optimizer | None = None, names: bool = True) -> str:
        """The program as one ES module, which imports nothing, for pages and for node: numbers are float64.

        The module exports `forward(parameters, inputs)`, of a function that returns one number also
        `backward(parameters, inputs)` and, with an optimizer, `start()` and `step(state, inputs)`; PARAMETERS, NUMBERS
        and INPUTS say what they take. `help("scalargrad.compiler.backends.javascript")` has all of it. Without arrays
        it is the program of the last call. ValueError for an optimizer with a `step` of its own.

        names   of parameters and buffers, which may be most of the text

        >>> w = Value(3.0, "w")
        >>> text = compile(lambda x: (w * x - 1.0) ** 2).javascript([0.0])
        >>> 'export const PARAMETERS = ["w"];' in text
        True
        """
        from scalargrad.compiler.backends.javascript.export import exported  # nobody else needs it

        refuse_inside_a_trace()
        with self.lock:
            variant = self._prepared(arrays)[0] if arrays else self._last()
            return exported(variant, optimizer, self.steps, names)

    def load_buffers(self, buffers: object) -> None:
        """Set the buffers from the flat array that a function of `to_jax(buffers=True)` returned."""
        if self.exported is None:
            raise RuntimeError("to_jax(buffers=True) comes first: its buffers are these")
        own, numbers = self.exported.backward.buffers, numpy.asarray(buffers, "float64")
        if numbers.shape != (len(own),):
            raise ValueError(f"the program has {len(own)} buffers, and the array has the shape {numbers.shape}")
        for buffer, number in zip(own, numbers.tolist(), strict=True):
            buffer.data = number

    def report(self) -> str:
        """The share of the last program's work that is native code, where time goes, and how near the peak it comes.

        Each kernel is timed by itself, on as many rows as the last call had.
        """
        backend = self._last().backend
        with self.lock:
            return backend.report(self.rows)

    # Copies and pickles: a fresh compiled function with the same settings.

    def __copy__(self) -> "Compiled":
        return _compiled_anew(self.function, *self.settings)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Compiled":
        """A compiled function of a deep copy of the function, such as a method of a copy of its object."""
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


def _compiled_anew(function: Any, *settings: Any) -> Compiled:
    """A compiled function of the function, or of that of a compiled one."""
    return Compiled(function.function if isinstance(function, Compiled) else function, *settings)


def _reduced(trainer: Trainer) -> Any:
    """A trainer as it is copied and pickled: its parts, if they fit together afterwards."""
    optimizer = trainer.optimizer
    if (optimizer.state or optimizer.own_parameters) and is_plain(trainer.compiled.function):
        raise TypeError(
            "a trainer is not copied or pickled where its optimizer remembers something of Values that only a function "
            "reads: compile a method of the model, or make another one with program.trainer(optimizer)"
        )
    reduced: Any = object.__reduce_ex__(trainer, pickle.DEFAULT_PROTOCOL)
    make, arguments, attributes, *rest = reduced
    return make, arguments, {**attributes, "programs_read": ()}, *rest  # the copy has programs of its own


copyreg.pickle(Trainer, _reduced)


@quiet
def _slopes(variant: Variant, arrays: list[ndarray], lanes: int) -> Slopes:
    return variant.backward_backend.slopes(arrays, lanes)
