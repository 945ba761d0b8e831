"""Steps by an optimizer's own `step`: compiled gradients and eager training take them alike, one after another."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from inspect import signature
from math import isfinite
from typing import Any

from numpy import ndarray

from scalargrad.arrays import quiet
from scalargrad.away import numbers_of, set_numbers
from scalargrad.compiler.backends import Slopes
from scalargrad.compiler.memory import Memory
from scalargrad.compiler.programs import Programs
from scalargrad.compiler.saved_attributes import SavedAttributes
from scalargrad.compiler.variants import Variant
from scalargrad.datasets.sequences import Group
from scalargrad.engine import Value
from scalargrad.holders import without_frozen
from scalargrad.ops import sum
from scalargrad.optim import Optimizer, clip_grad_norm
from scalargrad.schedules import Schedule, checked_factor
from scalargrad.structure import Buffer

STEP, SETS, GETS = Optimizer.step, Optimizer.__setattr__, Optimizer.__getattribute__


def is_one_formula(optimizer: Optimizer) -> bool:
    """Is its step that of all optimizers, with a formula of its own, and nothing else that a user's code does?"""
    kind = type(optimizer)
    if "step" in vars(optimizer) or kind.step is not STEP:
        return False
    if kind.__setattr__ is not SETS or kind.__getattribute__ is not GETS:
        return False
    return all(map(COMPUTED.isdisjoint, map(vars, own_classes(kind))))


COMPUTED = frozenset(("lr", "steps", "state", "__getattr__"))  # by a property, if a class has them


def _own_classes(kind: type) -> list[type]:
    """The bases of a class, itself first, that a user wrote."""
    return [base for base in kind.__mro__ if base is not object and base.__module__.partition(".")[0] != "scalargrad"]


own_classes: Callable[[Any], list[type]] = lru_cache(_own_classes)  # it is asked for at each step


def take_step(
    optimizer: Optimizer,
    schedule: Schedule | None,
    span: tuple[int, int],
    parameters: Sequence[Value],
    updates: Mapping[Buffer, float],
    max_norm: float | None = None,
) -> None:
    """One step on gradients that are there, and new numbers of buffers. If it fails, nothing has moved.

    Of the parameters, those that are not frozen move.

    span       of the schedule: the steps before it, and how many it has
    max_norm   of the gradients: they are clipped to it
    """
    if max_norm is not None:
        clip_grad_norm(parameters, max_norm)
    if isinstance(optimizer.state, Memory):  # it may lie in a program
        optimizer.state = optimizer.state.copy()
    rate: Any = optimizer.lr
    if schedule is not None:
        rate *= checked_factor(schedule.factor(float(optimizer.steps - span[0]), float(span[1])))
    with _whole(optimizer, [*parameters, *updates]):
        _step(optimizer, without_frozen(parameters), rate)
        for buffer, number in updates.items():
            buffer.data = number


def _step(optimizer: Optimizer, parameters: Sequence[Value], rate: Any) -> None:
    """Take a step by the method `step`, which a user may have defined without a rate."""
    if getattr(optimizer.step, "__func__", None) is STEP or _fits(optimizer.step, parameters, rate):
        optimizer.step(parameters, rate)
    elif _fits(optimizer.step, parameters, lr=rate):
        optimizer.step(parameters, lr=rate)
    elif float(rate) == float(optimizer.lr):
        optimizer.step(parameters)
    else:
        raise TypeError(
            f"{type(optimizer).__name__}.step takes no rate, and the schedule makes it {float(rate)}: "
            "define step(self, parameters, lr=None)"
        )


def _fits(function: Callable, *arguments: object, **named: object) -> bool:
    try:
        signature(function).bind(*arguments, **named)
    except TypeError:
        return False
    except ValueError:  # nobody knows what it takes
        pass
    return True


@contextmanager
def _whole(optimizer: Optimizer, values: Sequence[Value]) -> Iterator[None]:
    """A block that is done, or else has changed no Value of these, no attribute of the optimizer, no item of one."""
    numbers = numbers_of(values)
    saved = SavedAttributes(optimizer)

    def put_back() -> None:
        saved.put_back()
        set_numbers(values, numbers)

    try:
        yield
    except BaseException:
        try:
            put_back()
        except BaseException:  # such as a second Ctrl-C
            put_back()
            raise
        raise


class OwnSteps:
    """Gradients by a program, and steps by the optimizer's own method: what a trainer does in place of a `_Loop`."""

    step_by_step = True

    def __init__(
        self,
        programs: Programs,
        variant: Variant,
        group: Group,
        optimizer: Optimizer,
        schedule: Schedule | None,
        moving: Sequence[Value],
        max_norm: float | None = None,
    ) -> None:
        """`variant` is that of the group."""
        self.programs, self.variant, self.group, self.moving = programs, variant, group, moving
        self.optimizer, self.schedule, self.max_norm, self.span = optimizer, schedule, max_norm, (0, 1)

    def in_step(self, optimizer: Optimizer, span: tuple[int, int], work: Callable[[], Any]) -> Any:
        """Do some work: Values and the optimizer are in step all the time."""
        self.span = span
        return work()

    def steps_at_once(self, rows: int) -> int:
        return 1

    def prepare(self, *_: object) -> None:
        """Compile the gradients."""
        self.variant.backward_backend  # noqa: B018 (made when it is asked for)

    def measured_steps(
        self, arrays: list[ndarray], order: ndarray | None, rows: int, count: int, measures: list[Buffer]
    ) -> list[float]:
        """The sum of the losses of so many steps, and of what they add to each measure."""
        for measure in measures:
            measure.data = 0.0
        losses = self.steps(arrays, order, rows, count, rows)
        return [sum(losses), *(measure.data for measure in measures)]

    def steps(self, arrays: list[ndarray], order: ndarray | None, rows: int, count: int, advance: int) -> list[float]:
        """The losses of so many steps, each on the next rows of the order; fewer, if one is inf or nan."""
        losses: list[float] = []
        while len(losses) < count and (not losses or isfinite(losses[-1])):
            if not self.variant.is_current:  # a step may change what the loss reads
                self.variant, arrays, _ = self.programs.prepared(self.group.arrays, numbers=self.group.rows)
            first = len(losses) * advance
            chosen = arrays if order is None else [array[order[first : first + rows]] for array in arrays]
            losses.append(self._one_step(chosen, rows))
        return losses

    def _one_step(self, arrays: list, rows: int) -> float:
        read = self.variant.backward.parameters
        loss, slopes, updates = self._slopes(arrays, rows)
        for parameter in self.moving:
            parameter.grad = 0.0
        for parameter, slope in zip(read, slopes.tolist(), strict=True):
            parameter.grad += slope
        counted = {**updates, self.programs.steps: self.programs.steps.data + 1.0}
        take_step(self.optimizer, self.schedule, self.span, list(self.moving), counted, self.max_norm)
        return loss

    @quiet
    def _slopes(self, arrays: list, rows: int) -> Slopes:
        return self.variant.backward_backend.slopes(arrays, rows)
