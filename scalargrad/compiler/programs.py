"""Programs of one function: a variant for each shape of its arguments, which are checked here."""

import threading
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy
from numpy import ndarray

from scalargrad.arrays import quiet
from scalargrad.checks import refuse_hidden
from scalargrad.compiler.backends import Source, Toolchain, TrainingBackend
from scalargrad.compiler.program import Program
from scalargrad.compiler.tracer import refuse_inside_a_trace
from scalargrad.compiler.variants import Variant, to_front
from scalargrad.compiler.watch.guards import token
from scalargrad.datasets.arrays import as_array, why_ragged
from scalargrad.datasets.sequences import as_ragged, differ_in_length
from scalargrad.structure import Buffer
from scalargrad.support.forks import freed

MOST_SHAPES = 64  # of arguments, for which programs are kept
MOST_VARIANTS = 4  # programs kept for one shape of arguments: for train() and eval(), and some more


class Programs:
    """The variants of a function, and the loops of its trainers, made when they are first needed.

    variants   for each shape of arguments; the last ones used come last
    loops      of trainers: programs with an optimizer inside; the last ones used come first
    last       the variant that was used last, on so many `rows`
    steps      of training: how often backward() has run, or a trainer has made a step
    lock       held during a call, as a program's memory serves one at a time
    """

    def __init__(self, function: Callable, toolchain: Toolchain) -> None:
        self.function, self.toolchain = function, toolchain
        self.dtype = toolchain.dtype
        self.variants: dict[Any, list[Variant]] = {}
        self.loops: list = []
        self.last: Variant | None = None
        self.rows = 1
        self.steps = Buffer(0.0, "step")
        self.lock = freed(threading.RLock())

    def retrace(self) -> None:
        """Forget all programs: for the few changes that cannot be noticed, such as another content of a file."""
        refuse_inside_a_trace()
        with self.lock:
            self.variants.clear()
            self.loops.clear()

    def _prepared(
        self, args: tuple, checked: bool = False, numbers: ndarray | None = None
    ) -> tuple[Variant, list, int]:
        """The program for these arguments, their arrays [rows, numbers of one sample], and how many rows.

        numbers   of the rows, as random() counts them: 0, 1, ... unless given
        """
        given: list[ndarray] = []
        shapes: list[Any] = [None] * len(args)
        static = shapes.copy()
        for place, argument in enumerate(args):
            array = _as_array(argument, place, self.dtype)
            if array is None:
                static[place] = argument
            else:
                given.append(array)
                shapes[place] = array.shape[1:]
        if not given:
            name = getattr(self.function, "__name__", type(self.function).__name__)
            raise TypeError(f"{name} is compiled and takes at least one array, of which each row is a sample")
        lanes = len(given[0])
        for array in given:
            if len(array) != lanes:
                raise ValueError(
                    f"the arrays have {' and '.join(str(len(a)) for a in given)} rows: one for each sample"
                )
        if not lanes:
            raise ValueError("the arrays have no rows: a mean over no samples is not defined")
        variant = self._traced(shapes, static, checked)
        self.rows = lanes
        flat = [numpy.ascontiguousarray(array.reshape(lanes, -1)) for array in given]
        if variant.trace.row is not None:
            numbers = numpy.arange(lanes) if numbers is None else numbers
            flat.append(numbers.astype(self.dtype).reshape(lanes, 1))
        return variant, flat, lanes

    def _traced(self, shapes: list, static: list, checked: bool) -> Variant:
        key = tuple(shapes), tuple(map(token, static)) if None in shapes else ()
        kept = self.variants.get(key, [])
        for variant in kept:
            if variant.is_current:
                try:
                    variant.check() if checked else variant.check_in_time()
                except Exception:
                    kept.remove(variant)  # the next call traces anew
                    raise
                break
        else:
            variant = Variant(self.function, shapes, static, self.steps, self.toolchain)
        to_front(kept, variant, MOST_VARIANTS)
        if key != next(reversed(self.variants), None):  # the last one used comes last
            others = [(other, kept) for other, kept in self.variants.items() if other != key]
            self.variants = dict([*others[1 - MOST_SHAPES :], (key, kept)])
        self.last = variant
        return variant

    def _last(self) -> Variant:
        if self.last is None:
            raise RuntimeError("there is no program yet: call it with arrays first")
        return self.last

    def prepared(self, args: tuple, checked: bool = False, numbers: ndarray | None = None) -> tuple[Variant, list, int]:
        """The variant for these arguments, their arrays as backends take them, and how many rows; see `_prepared`.

        checked   whether to make sure, by another trace, that the function is still the same
        """
        refuse_inside_a_trace()
        return self._prepared(args, checked, numbers)

    def keeps(self, program: Program) -> bool:
        """Is this still the program of some arguments?"""
        return any(vars(variant).get("backward") is program for kept in self.variants.values() for variant in kept)

    def build(self, program: Program) -> TrainingBackend:
        """A backend for a program of this function, with memory of its own."""
        return cast(TrainingBackend, self.toolchain.build(Source(lambda: program)))


def columns_of(args: tuple, dtype: str) -> Sequence[object]:
    """Arguments as `grouped` takes them, where one of them has sequences of different lengths; else as they are."""
    are_ragged = list(map(differ_in_length, args))
    if not any(are_ragged):
        return args
    return [
        as_ragged(argument, f"argument {place}", dtype) if is_ragged else _column(argument, place, dtype)
        for place, (argument, is_ragged) in enumerate(zip(args, are_ragged, strict=True))
    ]


def _column(argument: object, place: int, dtype: str) -> object:
    array = _as_array(argument, place, dtype)
    return argument if array is None else array


def _as_array(argument: object, place: int, dtype: str) -> ndarray | None:
    """An argument as an array [rows, ...], or None for one that is passed on as it is: a number, a string, None."""
    if type(argument) is ndarray and argument.dtype == dtype and argument.ndim:
        return argument
    if argument is None or isinstance(argument, bool | int | float | str | bytes) or callable(argument):
        return None
    refuse_hidden(argument, f"argument {place}")
    try:
        array = as_array(argument)
    except ValueError as error:
        name = f"argument {place}"
        why = why_ragged(argument, name) if isinstance(argument, list | tuple) else f"{name} is no array: {error}"
        only = "; a call takes rows of one shape, run() and fit() also sequences of different lengths"
        raise ValueError(f"{why}{only if differ_in_length(argument) else ''}") from error
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
def _cast(array: ndarray, dtype: str) -> ndarray:
    return array.astype(dtype)
