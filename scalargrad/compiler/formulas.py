"""Formulas of an optimizer and a schedule: traced twice, compared with what they give for numbers, replayed on rows.

What a formula does besides computing from its arguments would happen once, and not in each compiled step: an error.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from math import isclose, isnan
from types import TracebackType
from typing import Any

from scalargrad.compiler.agreement import DisagreementError, traced_twice
from scalargrad.compiler.errors import TraceError, written_at
from scalargrad.compiler.saved_attributes import SavedAttributes
from scalargrad.compiler.tracer import SHARE, flatten_results
from scalargrad.compiler.watch.guards import token
from scalargrad.engine import Value, topological_order
from scalargrad.operands import Operand, brief
from scalargrad.optim import Optimizer, checked_move
from scalargrad.schedules import Schedule, checked_factor
from scalargrad.structure import Buffer
from scalargrad.support.callers import PACKAGE
from scalargrad.support.forks import undone

RUN_IT = "override step, which is run and not traced"
KEEP_IT = f"keep it in the state: state_size says how many numbers; or {RUN_IT}"
COMPUTE_IT = "compute it from t and steps"
OPERATIONS = "compute with operations such as where(), less(), maximum(), sqrt() and take()"
SAMPLES_OF_AN_UPDATE, SAMPLES_OF_A_FACTOR = 6, 32  # at most, of which long formulas see fewer
LEAST_SAMPLES, WORK = 3, 300
CHANGING = {"lr": "lr", "steps": "t", "state": "state"}  # of an optimizer, from step to step, and the argument for it


class Formula:
    """A function of numbers as a trace, which can be replayed on other things than numbers.

    values   the Values that it read, with their numbers, which are constants of the trace
    """

    def __init__(
        self, owner: object, name: str, shapes: list, samples: list[list], checked: Callable, remedy: str
    ) -> None:
        """Trace the method `name` of its owner.

        shapes    of its arguments: () for a number, (2,) for two
        samples   numbers for all of these, for which the trace must give what the function gives
        checked   makes of what the function returned what is computed with
        """
        self.function = getattr(owner, name)
        self.name = f"{type(owner).__name__}.{name}()"
        self.line, self.remedy = written_at(self.function) or "a formula", remedy
        self.values: dict[Value, float] = {}
        try:
            self.trace, self.surroundings = traced_twice(
                self._traceable(checked),
                shapes,
                [None] * len(shapes),
                without={id(owner): CHANGING.keys()},
                root=self.function,
            )
        except DisagreementError as error:
            raise TraceError(f"{error} (in {self.name}); {self.remedy}") from None
        if self.trace.updates:
            raise self._error("updates a Buffer", "keep that in the state, or update it in the model")
        self._compare(shapes, samples, checked)
        if what := self.surroundings.changed_by_a_run()[0]:
            raise self._error(f"changes {what}, which a compiled step would do once, and not each time")

    def on(self, *inputs: Any) -> list:
        """Its results for these: floats, or anything else that operations can be applied to."""
        place: dict[Any, Any] = {SHARE: 1.0}
        made = self.trace.made
        tracers = [tracer for flat in self.trace.inputs for tracer in flat]
        if self.trace.row is not None:
            inputs = (*inputs, 0.0)  # there is no row here, as in an optimizer's own step
        place.update(zip(tracers, inputs, strict=True))

        def number_of(x: Any) -> Any:
            if type(x) is tuple:
                return tuple(map(number_of, x))
            if type(x) is float:
                return x
            if x not in place:
                if x not in made:  # the number that it has, as in an optimizer's own step
                    place[x] = self.values[x] = float(x)
                for value in topological_order(x) if x in made else ():
                    if value in made:
                        place[value] = value.op(*map(number_of, value.args)) if value.op else value.data
            return place[x]

        for tracer in self.trace.tracers:
            if tracer.op is not None:
                place[tracer] = tracer.op(*map(number_of, tracer.args))
        return [number_of(result) for result in flatten_results(self.trace.result)]

    def has_changed(self) -> bool:
        """Is something that it read another thing now?"""
        for value, number in self.values.items():
            if token(value.data) != token(number):
                return True
        return bool(self.surroundings.changed())

    def _traceable(self, checked: Callable) -> Callable:
        function, name, line = self.function, self.name, self.line

        def called(*arguments: object) -> Any:
            try:
                return checked(function(*arguments))
            except TraceError:
                raise
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
                raise TraceError(
                    f"{_line_in(error.__traceback__) or line}: {name} is traced when it is compiled: "
                    f"{type(error).__name__}: {error}; {OPERATIONS}"
                ) from error

        return called

    def _error(self, what: str, remedy: str = "") -> TraceError:
        return TraceError(f"{self.line}: {self.name} {what}; {remedy or self.remedy}")

    def _compare(self, shapes: list, samples: list[list], checked: Callable) -> None:
        """An error if the trace gives other numbers: not all that Python does with a number can be seen in a trace."""
        most, failed = max(LEAST_SAMPLES, WORK // (1 + len(self.trace.tracers))), 0
        for sample in samples[:most]:
            flat = iter(sample)
            arguments = [tuple(next(flat) for _ in range(*shape)) if shape else next(flat) for shape in shapes]
            try:
                right = list(map(float, flatten_results(checked(self.function(*arguments)))))
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
                failed += 1  # as an eager step would, but there may be others that do not
                if failed == len(samples[:most]):
                    raise self._error(f"raises for the numbers {brief(arguments)}: {error!r}", OPERATIONS) from error
                continue
            found = list(map(float, self.on(*sample)))
            if not all(map(_close, found, right)):
                raise self._error(
                    f"computes {brief(found)} in a compiled step, where for the numbers {brief(arguments)} it returns "
                    f"{brief(right)}: does it look at what its arguments are, or use one as a key or an index?",
                    OPERATIONS,
                )


class Adjusted:
    """An optimizer of which some settings are arguments of its formula: after the others, in the order of `names`."""

    def __init__(self, optimizer: Optimizer, names: Sequence[str]) -> None:
        self.optimizer, self.names = optimizer, names

    def update(self, p: Operand, g: Operand, state: tuple, lr: Operand, t: Operand, *settings: Operand) -> tuple:
        copy = object.__new__(type(self.optimizer))
        vars(copy).update(vars(self.optimizer) | dict(zip(self.names, settings, strict=True)))
        return copy.update(p, g, state, lr, t)


def formulas(
    optimizer: Optimizer, schedule: Schedule | None, read: Iterable[Value], adjusted: Sequence[str] = ()
) -> tuple[Formula, Formula | None]:
    """The formulas of a compiled step; `read`: Values that the step itself changes. TraceError if they are none.

    adjusted   settings of the optimizer that are arguments of its formula, see `Adjusted`
    """
    changing = set(read)
    settings: dict[Value, float] = {}
    size = optimizer.state_size
    with _out_of_reach(optimizer, schedule, changing, settings):
        samples = [
            [
                0.7 - 0.3 * n,
                (-0.6) ** n,
                *(0.11 * n * (place + 1.0) for place in range(size)),
                0.01 * (n + 1.0),
                n + 1.0,
                *(0.02 * n for _ in adjusted),
            ]
            for n in range(SAMPLES_OF_AN_UPDATE)
        ]
        owner = Adjusted(optimizer, adjusted) if adjusted else optimizer
        shapes: list[tuple] = [(), (), (size,), (), (), *(() for _ in adjusted)]
        update = Formula(owner, "update", shapes, samples, partial(checked_move, optimizer), KEEP_IT)
        factor = None
        if schedule is not None:
            moments = [[float(t), float(SAMPLES_OF_A_FACTOR)] for t in range(SAMPLES_OF_A_FACTOR)]
            factor = Formula(schedule, "factor", [(), ()], moments, checked_factor, COMPUTE_IT)
    for formula in (update, factor):
        if formula is not None:
            formula.surroundings.renew()  # the settings are what they were again
        if formula is not None and not changing.isdisjoint(formula.values):
            value = next(value for value in formula.values if value in changing)
            raise formula._error(f"reads {value.label or 'a Value'}, which the same step changes", RUN_IT)
    update.values |= settings
    return update, factor


@contextmanager
def _out_of_reach(
    optimizer: Optimizer, schedule: Schedule | None, changing: set[Value], settings: dict[Value, float]
) -> Iterator[None]:
    """In this block the formulas read their arguments only, and settings that are Values as numbers: these are noted.

    `lr`, `steps` and `state` change from step to step, which a trace would not see.
    """
    refused: list[TraceError] = []
    owners = [owner for owner in (optimizer, schedule) if owner is not None]
    saved = [SavedAttributes(owner) for owner in owners]

    def put_back() -> None:
        for one in saved:
            one.put_back()

    with undone(put_back):
        try:
            for owner in owners:
                for name, setting in list(vars(owner).items()):
                    vars(owner)[name] = _number(setting, changing, settings)
            elsewhere = {name: _Elsewhere(f"self.{name}", argument, refused) for name, argument in CHANGING.items()}
            vars(optimizer).update(elsewhere)
            yield
            if refused:  # and the formula went on
                raise refused[0]
            for name, before in elsewhere.items():
                if vars(optimizer)[name] is not before:
                    raise TraceError(
                        f"{written_at(optimizer.update)}: {type(optimizer).__name__}.update() changes self.{name}, "
                        f"which a compiled step would do once, and not each time; {KEEP_IT}"
                    )
        finally:
            put_back()


def _number(setting: object, changing: set[Value], settings: dict[Value, float]) -> Any:
    """A Value as its number, so that an `if` may look at it; other settings as they are."""
    if type(setting) is tuple and any(isinstance(x, Value) for x in setting):
        return tuple(_number(x, changing, settings) for x in setting)
    if not isinstance(setting, Value) or isinstance(setting, Buffer) or setting in changing:
        return setting
    settings[setting] = float(setting)
    return settings[setting]


class _Elsewhere:
    """Something that cannot be used here, and what to use instead."""

    def __init__(self, name: str, argument: str, refused: list[TraceError]) -> None:
        self._name, self._argument, self._refused = name, argument, refused

    def _refuse(self, *_: object) -> Any:
        error = TraceError.at_line(
            f"{self._name} is read, which a compiled step would not see change", f"use the argument {self._argument}"
        )
        self._refused.append(error)
        raise error

    __getattr__ = _refuse


for _name in (
    *("add", "sub", "mul", "truediv", "floordiv", "mod", "divmod", "pow"),
    *("radd", "rsub", "rmul", "rtruediv", "rfloordiv", "rmod", "rdivmod", "rpow"),
    *("neg", "pos", "abs", "float", "int", "complex", "index", "bool", "round", "trunc", "floor", "ceil"),
    *("lt", "le", "gt", "ge", "eq", "ne", "hash", "str", "repr", "format"),
    *("iter", "len", "contains", "getitem", "setitem", "delitem", "call"),
):
    setattr(_Elsewhere, f"__{_name}__", _Elsewhere._refuse)


def _close(found: float, right: float) -> bool:
    return isclose(found, right, rel_tol=1e-9, abs_tol=1e-12) or (isnan(found) and isnan(right))


def _line_in(traceback: TracebackType | None) -> str:
    """The innermost line outside of this package."""
    line = ""
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if not file.startswith(PACKAGE):
            line = f"{os.path.basename(file)}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return line
