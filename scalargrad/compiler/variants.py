"""A variant: one trace of a function, and the programs and backends that are made from it when they are needed."""

from collections.abc import Callable
from time import perf_counter
from typing import TypeVar

from scalargrad.compiler.agreement import DisagreementError, must_agree, place_of, traced_twice
from scalargrad.compiler.backends import Backend, Source, Toolchain
from scalargrad.compiler.differentiate import differentiate
from scalargrad.compiler.errors import TraceError
from scalargrad.compiler.plan import plan, with_parameters_in_order
from scalargrad.compiler.program import Program
from scalargrad.compiler.roll import roll
from scalargrad.compiler.simplify import simplify
from scalargrad.compiler.trace import trace
from scalargrad.engine import Value
from scalargrad.structure import Buffer
from scalargrad.support.forks import kept

T = TypeVar("T")
SHARE_OF_CHECKS = 1 / 20  # of the time that programs run, for tracing again


class Variant:
    """The trace for one shape of arguments and one state of the function's surroundings, and all that is made from it.

    shape    how the results are nested; None for a single number
    running  the seconds that its programs have run so far
    calls    how many there were, and `checked` the last of them after which the function was seen to be the same
    """

    def __init__(self, function: Callable, shapes: list, static: list, steps: Buffer, toolchain: Toolchain) -> None:
        self.toolchain = toolchain
        self.arguments = function, shapes, static, steps
        self.running = self.checking = 0.0
        self.calls = self.checked = 0
        begin = perf_counter()
        with toolchain.timed("tracing"):
            self.trace, self.surroundings = traced_twice(function, shapes, static, steps)
            self.shape = _result_shape(self.trace.result)
        self.cost = 0.5 * (perf_counter() - begin)  # of another trace, about

    @property
    def is_current(self) -> bool:
        """Has nothing changed that the function reads?"""
        return not self.surroundings.changed()

    def timed(self, work: Callable[..., T], *arguments: object) -> T:
        """Do some work in which a program runs."""
        begin, compiling = perf_counter(), self.toolchain.seconds["compiling"]
        try:
            return work(*arguments)
        finally:
            self.calls += 1
            self.running += perf_counter() - begin - (self.toolchain.seconds["compiling"] - compiling)

    def check_in_time(self) -> None:
        """`check`, if that costs little beside what the programs have cost so far."""
        if SHARE_OF_CHECKS * self.running > self.checking + self.cost:
            self.check()

    def check(self) -> None:
        """Trace once more: guards cannot see everything. A TraceError, if the function has become another one."""
        if self.calls == self.checked:
            return
        begin = perf_counter()
        with self.toolchain.timed():
            again = trace(*self.arguments)
            try:
                must_agree(self.trace, again)
            except DisagreementError as error:
                first, last = self.checked + 1, self.calls
                since = f"call {last}" if first == last else f"calls {first} to {last}"
                raise TraceError(
                    f"{place_of(error, *self.arguments)}: the function has become another one, through something "
                    "that it cannot watch (a file, an array above 256 KiB, the state of an extension): call "
                    f"{self.checked} of this program was the last to be checked, and {since} may have given what the "
                    "old one gives; the next call traces it anew, as retrace() does"
                ) from error
            self.surroundings.renew()
        self.checked = self.calls
        self.cost = perf_counter() - begin
        self.checking += self.cost

    def parameters_of_modules(self) -> list[Value]:
        """Parameters of the modules that the program reads, all of them in order, and then the Values of no module."""
        modules, read = self.surroundings.modules, set(self.program.parameters)
        parts = {part for module in modules for part in module.modules() if part is not module}
        found: dict[Value, None] = {}
        for module in modules:
            if module not in parts and not read.isdisjoint(own := module.parameters()):
                found.update(dict.fromkeys(own))
        return list(found | dict.fromkeys(self.program.parameters))

    @kept
    def forward(self) -> Program:
        with self.toolchain.timed("compiling"):
            return plan(self._rolled())

    @kept
    def backward(self) -> Program:
        """The program with the mean and its gradient."""
        if self.shape is not None:
            raise TypeError(
                "a list has no gradient: compile a function that returns one number, such as a loss of the list"
            )
        with self.toolchain.timed("compiling"):
            return plan(differentiate(self._rolled()))

    @kept
    def forward_backend(self) -> Backend:
        return self.toolchain.build(Source(lambda: self.forward, self.trace))

    @kept
    def backward_backend(self) -> Backend:
        return self.toolchain.build(Source(lambda: self.backward, self.trace))

    @property
    def program(self) -> Program:
        """The program, with gradients, if there are any."""
        return self.backward if self.shape is None else self.forward

    @property
    def backend(self) -> Backend:
        """The backend of `program`."""
        return self.backward_backend if self.shape is None else self.forward_backend

    def _rolled(self) -> Program:
        inputs = [len(flat) for flat in self.trace.inputs]
        return with_parameters_in_order(roll(simplify(self.trace), inputs))


def to_front(kept: list, used: object, most: int) -> None:
    """Put the one that is used now first; in one step, so that a Ctrl-C loses none."""
    if not kept or kept[0] is not used:
        kept[:] = [used, *(other for other in kept if other is not used)][:most]


def _result_shape(result: object) -> tuple[int, ...] | None:
    return _shape(result) if isinstance(result, list) else None


def _shape(result: object) -> tuple[int, ...]:
    if not isinstance(result, list):
        return ()
    shapes = {_shape(item) for item in result}
    if len(shapes) > 1:
        raise TraceError("the result is ragged: its lists differ in length; return lists of equal length")
    return (len(result), *(shapes.pop() if shapes else ()))
