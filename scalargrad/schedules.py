"""Schedules: how the learning rate changes during a run, each one formula of the step, so that it also compiles.

Lengths are fractions of the whole run, so that a schedule fits runs of every length: `Step(every=1 / 3)` in 30 epochs
lowers the rate after 10 and after 20.
"""

import math
from dataclasses import dataclass

from scalargrad.checks import one_of, real
from scalargrad.operands import Operand, operand
from scalargrad.ops import cos, less, less_equal, maximum, pow, sum, where
from scalargrad.support.words import brief


class Schedule:
    """The base of all schedules, and of your own: a subclass gives `factor`.

    >>> class Decay(Schedule):
    ...     def factor(self, t, steps):
    ...         return 1.0 / (1.0 + t)
    >>> [schedule_of(Decay()).factor(t, 4) for t in (0, 1, 3)]
    [1.0, 0.5, 0.25]
    """

    def factor(self, t: Operand, steps: Operand) -> Operand:
        """The factor of the learning rate at step number t = 0, 1, ... steps - 1.

        t and steps are numbers or terms of the compiler: choose with where(), not with `if`. A compiled run traces it,
        and so refuses what else than t and steps it depends on, such as a counter or the key of a dictionary.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how the rate changes: define factor(t, steps)")


@dataclass(frozen=True)
class Constant(Schedule):
    """The same rate throughout."""

    def factor(self, t: Operand, steps: Operand) -> Operand:
        return 1.0


@dataclass(frozen=True)
class Step(Schedule):
    """The rate is multiplied by `by` after each part `every` of the run, at the nearest step but the first.

    every  a fraction of the run, from 0.01 to 1
    by     a number from 0 on

    PyTorch's StepLR(step_size=every * steps, gamma=by).

    >>> [round(Step(every=0.5, by=0.1).factor(t, 4), 9) for t in range(4)]
    [1.0, 1.0, 0.1, 0.1]
    """

    every: float = 1 / 3
    by: float = 0.1

    def __post_init__(self) -> None:
        _check(self, "every", 0.01, 1.0)
        _check(self, "by", 0.0, math.inf)

    def factor(self, t: Operand, steps: Operand) -> Operand:
        counts = range(1, math.ceil(1.0 / self.every))
        # Half a step of slack: 3 * 0.1 * 10 is a little more than 3. No drop comes before the first step.
        drops = tuple(less_equal(maximum(count * self.every * steps, 1.0), t + 0.5) for count in counts)
        return pow(self.by, sum(drops))


@dataclass(frozen=True)
class LinearDecay(Schedule):
    """The rate falls along a line to `final` times itself. The last step is one short of its end.

    PyTorch's LinearLR(start_factor=1, end_factor=final, total_iters=steps).

    >>> [LinearDecay().factor(t, 4) for t in range(4)]
    [1.0, 0.75, 0.5, 0.25]
    """

    final: float = 0.0

    def __post_init__(self) -> None:
        _check(self, "final", 0.0, 1.0)

    def factor(self, t: Operand, steps: Operand) -> Operand:
        return 1.0 - (1.0 - self.final) * (t / steps)


@dataclass(frozen=True)
class Cosine(Schedule):
    """The rate falls along half a wave of a cosine to `final` times itself (Loshchilov and Hutter 2017).

    The last step is one short of the end of the wave: with final=0.0 it still moves.
    PyTorch's CosineAnnealingLR(T_max=steps, eta_min=final * lr).

    >>> [round(Cosine().factor(t, 4), 3) for t in range(4)]
    [1.0, 0.854, 0.5, 0.146]
    """

    final: float = 0.0

    def __post_init__(self) -> None:
        _check(self, "final", 0.0, 1.0)

    def factor(self, t: Operand, steps: Operand) -> Operand:
        return _wave(1.0, self.final, t / steps)


@dataclass(frozen=True)
class OneCycle(Schedule):
    """The rate rises from `start` times itself to itself and falls to `final` times (Smith and Topin 2018).

    warm_up       the fraction of the run in which it rises
    start, final  factors of the first and of the last step, from 0 to 1

    PyTorch's OneCycleLR(max_lr=lr, total_steps=steps, pct_start=warm_up, div_factor=1 / start,
    final_div_factor=start / final), with its defaults, if there is more than one step of warm-up; else it only falls.

    >>> cycle = OneCycle(warm_up=0.5, start=0.2, final=0.0)
    >>> for t in range(12):
    ...     print("#" * round(20 * cycle.factor(t, 12)))
    ####
    ######
    ##########
    ##############
    ##################
    ####################
    ###################
    ###############
    ##########
    #####
    #
    <BLANKLINE>
    """

    warm_up: float = 0.3
    start: float = 1 / 25
    final: float = 1 / 250_000

    def __post_init__(self) -> None:
        _check(self, "warm_up", 0.0, 1.0)
        _check(self, "start", 0.0, 1.0)
        _check(self, "final", 0.0, 1.0)

    def factor(self, t: Operand, steps: Operand) -> Operand:
        last = steps - 1.0
        peak = maximum(self.warm_up * steps - 1.0, 0.0)
        rising = _wave(self.start, 1.0, _part(t, 0.0, peak))
        falling = _wave(1.0, self.final, _part(t, peak, last))
        return where(less(t, peak), rising, falling)


@dataclass(frozen=True)
class WarmUp(Schedule):
    """The rate rises in a line from `start` times itself, then follows another schedule for the rest of the run.

    part   the fraction of the run in which it rises, between 0 and 1
    then   the schedule of the rest, which is a run of its own to it
    start  the factor of the first step, from 0 to 1

    PyTorch's SequentialLR of LinearLR(start_factor=start, total_iters=part * steps) and of `then` with the steps that
    remain, with the milestone part * steps.

    >>> [round(WarmUp(0.5, Cosine(), start=0.2).factor(t, 8), 3) for t in range(8)]
    [0.2, 0.4, 0.6, 0.8, 1.0, 0.854, 0.5, 0.146]
    """

    part: float = 0.1
    then: Schedule = Constant()
    start: float = 0.01

    def __post_init__(self) -> None:
        _check(self, "part", 0.0, 1.0)
        if self.part in (0.0, 1.0):
            raise ValueError(f"WarmUp takes a part between 0 and 1, got {self.part}: neither line may be empty")
        if not isinstance(self.then, Schedule):
            raise ValueError(f"WarmUp takes a Schedule such as Cosine() for then, got {brief(self.then)}")
        _check(self, "start", 0.0, 1.0)

    def factor(self, t: Operand, steps: Operand) -> Operand:
        length = self.part * steps
        rising = self.start + (1.0 - self.start) * t / length
        rest = self.then.factor(maximum(t - length, 0.0), steps - length)
        # Half a step of slack, as in Step; and a run of one step is not spent on warming up for a tenth of it.
        return where(less(t + 0.5, length), rising, rest)


def _wave(first: float, last: float, part: Operand) -> Operand:
    """From `first` at part 0 to `last` at part 1 along half a wave of a cosine."""
    return last + 0.5 * (first - last) * (1.0 + cos(math.pi * part))


def _part(t: Operand, start: Operand, end: Operand) -> Operand:
    """The part of the way from `start` to `end` that lies behind t; a way of no length is all ahead."""
    return (t - start) / where(less(start, end), end - start, 1.0)


def _check(schedule: Schedule, name: str, low: float, high: float) -> None:
    """Replace a setting by itself as a float, or raise a ValueError if it is none from `low` to `high`."""
    setting = real(f"{type(schedule).__name__}'s {name}", getattr(schedule, name), low, high)
    object.__setattr__(schedule, name, setting)  # the class is frozen


def checked_factor(found: object) -> Operand:
    """The result of `factor`, if it is one number; a TypeError if not."""
    return operand(found, "the factor of a schedule")


SCHEDULES: dict[str, Schedule] = {
    "constant": Constant(),
    "step": Step(),
    "linear": LinearDecay(),
    "cosine": Cosine(),
    "one_cycle": OneCycle(),
    "warm_up": WarmUp(),
}


def schedule_of(schedule: str | Schedule | None) -> Schedule:
    """The schedule of that name with its default settings, or itself; None is Constant().

    >>> schedule_of("step")
    Step(every=0.3333333333333333, by=0.1)
    """
    if schedule is None:
        return Constant()
    if isinstance(schedule, Schedule):
        return schedule
    return SCHEDULES[one_of("schedule", schedule, list(SCHEDULES), ", or a Schedule such as Cosine(final=0.1)")]
