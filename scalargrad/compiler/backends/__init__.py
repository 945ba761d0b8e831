"""Backends: what runs programs. Each is one row of BACKENDS and one module, which is loaded when it is used."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from time import perf_counter
from typing import Any, NamedTuple, Protocol

from numpy import ndarray

from scalargrad.arrays import quiet
from scalargrad.checks import one_of
from scalargrad.compiler.program import Program
from scalargrad.compiler.store import Places
from scalargrad.compiler.tracer import Trace
from scalargrad.structure import Buffer
from scalargrad.support.collecting import uncollected
from scalargrad.support.forks import loaded

# The mean over a batch, its gradient in the order of the program's parameters, and the new numbers of buffers.
Slopes = tuple[float, ndarray, dict[Buffer, float]]


DTYPES = ("float64", "float32")


class Row(NamedTuple):
    """A backend: where its class is, where the function that finds its devices, if it has some, and can it train?

    dtypes   of its numbers
    """

    path: str
    devices: str = ""
    trains: bool = True
    dtypes: tuple[str, ...] = DTYPES


BACKENDS = {
    "eager": Row("scalargrad.compiler.backends.eager.EagerBackend", trains=False),
    "numpy": Row("scalargrad.compiler.backends.reference.NumpyBackend"),
    "native": Row("scalargrad.compiler.backends.native.running.backend.NativeBackend"),
    "jax": Row(
        "scalargrad.compiler.backends.xla.backend.JaxBackend", "scalargrad.compiler.backends.xla.devices.jax_devices"
    ),
    "javascript": Row("scalargrad.compiler.backends.javascript.backend.JavascriptBackend", dtypes=("float64",)),
}
ALIASES = {"compiled": "native"}  # words of before, of fit's `engine`


def checked_backend(word: object, what: str = "backend") -> str:
    """The name in BACKENDS of what a user calls by its name, or by a word of before.

    >>> checked_backend("compiled")
    'native'
    >>> checked_backend("metal")
    Traceback (most recent call last):
        ...
    ValueError: backend 'metal' is not known; there are eager, numpy, native, jax, javascript, or compiled for native
    """
    if isinstance(word, str) and word in ALIASES:
        return ALIASES[word]
    return one_of(what, word, BACKENDS, "".join(f", or {alias} for {name}" for alias, name in ALIASES.items()))


def checked_dtype(dtype: object, backend: str) -> str:
    """The type of numbers that a user asks a backend for, if it has it.

    >>> checked_dtype("float32", "javascript")
    Traceback (most recent call last):
        ...
    ValueError: the backend "javascript" computes in float64, not in float32
    """
    one_of("dtype", dtype, DTYPES)
    if dtype not in BACKENDS[backend].dtypes:
        raise ValueError(
            f'the backend "{backend}" computes in {" and ".join(BACKENDS[backend].dtypes)}, not in {dtype}'
        )
    return str(dtype)


def chosen_backend(backend: str, engine: str | None = None) -> str:
    """The backend that `backend` says or, if it is there, `engine`, the argument of before. ValueError, if they differ.

    "native", the default of `backend`, differs from none.
    """
    chosen = checked_backend(backend)
    if engine is None:
        return chosen
    found = checked_backend(engine, "engine")
    if chosen not in ("native", found):
        raise ValueError(f"backend {backend!r} and engine {engine!r} are two backends: pass backend alone")
    return found


def old_word(backend: str) -> str:
    """The word of before for a backend, which files go on saying."""
    return next((word for word, name in ALIASES.items() if name == backend), backend)


class Backend(Protocol):
    """A program, ready to run on any number of rows.

    Arrays are [rows, numbers of one sample], in the toolchain's `dtype`; what Values and buffers say is read anew by
    each call.
    """

    @classmethod
    def made(cls, source: "Source", toolchain: "Toolchain") -> "Backend": ...

    def results(self, arrays: list[ndarray], rows: int) -> ndarray:
        """[rows, numbers of one result]."""

    def slopes(self, arrays: list[ndarray], rows: int) -> Slopes:
        """See `Slopes`."""

    def report(self, rows: int) -> str:
        """Say where the program runs, and how well, on so many rows."""


class TrainingBackend(Backend, Protocol):
    """A backend that keeps parameters, buffers and the memory of an optimizer, and runs whole steps.

    leaves   the places of the parameters and buffers
    done     steps that have been finished so far
    """

    leaves: slice

    @property
    def done(self) -> int: ...

    def train(
        self, arrays: list[ndarray], order: ndarray | None, rows: int, steps: int, advance: int, history: ndarray
    ) -> bool:
        """Steps of a program with `moves`, on `rows` rows each, `advance` positions of the order apart.

        Stops after a step with a loss of inf or nan; writes the loss of each step into `history`. False, if an
        operation met a wrong argument: that step is not made.
        """

    def refuse(self, arrays: list[ndarray]) -> None:
        """Raise the error for the argument of an operation that is wrong in these arrays, as things stand."""

    def prepare(self, arrays: list[ndarray], shuffled: bool, sizes: list[tuple[int, int]]) -> None:
        """Compile now what `train` would for so many rows and steps. Until the next call these arrays do not change."""

    def steps_at_once(self, rows: int) -> int:
        """The number of steps for one call, which nobody can interrupt."""

    def located(self, rows: ndarray) -> Places:
        """The places of uniform rows that last from step to step."""

    def read(self, places: Places) -> ndarray:
        """The numbers at places; at a slice, such as `leaves`, a view, through which they may be set."""

    def write(self, places: Places, numbers: object) -> None:
        """Set them."""


@dataclass(frozen=True)
class Source:
    """The source of a backend: a program, which is made when it is first needed, and the trace of it."""

    make: Callable[[], Program]
    trace: Trace | None = None

    @property
    def program(self) -> Program:
        return self.make()


class Toolchain:
    """The way from programs of a function to backends of one kind, and the seconds spent on it and on tracing.

    seconds    spent so far on "tracing" and on "compiling"
    """

    def __init__(self, name: str, dtype: str, threads: int | None, devices: int | str | None = None) -> None:
        row = BACKENDS[name]
        loaded("numpy.ma", _module_of(row.path))
        self.name, self.dtype, self.threads = name, dtype, threads
        self.devices = devices_for(name, devices)
        self.kind: type[Backend] = _found(row.path)
        self.seconds = {"tracing": 0.0, "compiling": 0.0}

    @quiet
    def build(self, source: Source) -> Backend:
        """A backend with memory of its own."""
        with self.timed("compiling"):
            return self.kind.made(source, self)

    @contextmanager
    def timed(self, what: str = "") -> Iterator[None]:
        """A block whose time counts as `what`; one in another counts once."""
        begin, before = perf_counter(), self.seconds.get(what, 0.0)
        with uncollected():  # hundreds of thousands of objects are made, and few of them are garbage
            try:
                yield
            finally:
                if what:
                    self.seconds[what] = before + perf_counter() - begin


def devices_for(name: str, asked: int | str | None) -> Any:
    """The devices of a backend that share the rows, of so many or "all" that are asked for; None, if it has none."""
    path = BACKENDS[name].devices
    return _found(path)(asked) if path else None


def _found(path: str) -> Any:
    return getattr(import_module(_module_of(path)), path.rpartition(".")[2])


def _module_of(path: str) -> str:
    return path.rpartition(".")[0]
