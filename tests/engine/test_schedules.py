"""Each schedule against PyTorch's, step by step, on floats and compiled."""

import dataclasses
import math

import numpy as np
import pytest

from scalargrad.compiler import compile
from scalargrad.engine import Value
from scalargrad.optim import SGD
from scalargrad.schedules import SCHEDULES, Constant, Cosine, LinearDecay, OneCycle, Schedule, Step, WarmUp, schedule_of

SHAPES = {
    "constant": Constant(),
    "step": Step(every=0.3, by=0.5),
    "step, often": Step(every=0.01, by=0.9),
    "step, never": Step(every=1.0),
    "step, to zero": Step(every=0.5, by=0.0),
    "cosine": Cosine(),
    "cosine, to a tenth": Cosine(final=0.1),
    "linear": LinearDecay(),
    "linear, settings": LinearDecay(0.2),
    "one cycle": OneCycle(),
    "one cycle, only rising": OneCycle(warm_up=1.0),
    "one cycle, only falling": OneCycle(warm_up=0.0, final=0.0),
    "warm-up": WarmUp(),
    "warm-up, cosine": WarmUp(0.25, Cosine(final=0.2), start=0.0),
    "warm-up, step": WarmUp(0.5, Step(every=0.25)),
    "warm-up, warm-up": WarmUp(0.5, WarmUp(0.5, OneCycle())),
}
EVERY_SHAPE = pytest.mark.parametrize("schedule", SHAPES.values(), ids=SHAPES)


def factors(schedule, steps):
    return [schedule.factor(t, steps) for t in range(steps)]


def theirs(scheduler, steps):
    """The factors of a scheduler of PyTorch, from (lr_scheduler, optimizer) of rate 1."""
    import torch

    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    made = scheduler(torch.optim.lr_scheduler, optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(rates) < steps:  # OneCycleLR refuses one more
            made.step()
    return rates


def warm_up(length, then):
    """PyTorch's line from 0.05, then the scheduler that `then` makes."""

    def scheduler(lr, optimizer):
        line = lr.LinearLR(optimizer, start_factor=0.05, total_iters=length)
        return lr.SequentialLR(optimizer, [line, then(lr, optimizer)], milestones=[length])

    return scheduler


# name: (steps, ours, PyTorch's)
# fmt: off
PYTORCH = {
    "step, thirds":       (30, Step(),                        lambda lr, o: lr.StepLR(o, 10, gamma=0.1)),
    "step, tenths":       (70, Step(every=0.1, by=0.5),       lambda lr, o: lr.StepLR(o, 7, gamma=0.5)),
    "step, with a rest":  (40, Step(every=0.3, by=0.7),       lambda lr, o: lr.StepLR(o, 12, gamma=0.7)),
    "step, hundredths":   (300, Step(every=0.01, by=0.99),    lambda lr, o: lr.StepLR(o, 3, gamma=0.99)),
    "step, each step":    (50, Step(every=0.02, by=0.9),      lambda lr, o: lr.StepLR(o, 1, gamma=0.9)),
    "cosine":             (37, Cosine(),                      lambda lr, o: lr.CosineAnnealingLR(o, 37)),
    "cosine, to a tenth": (50, Cosine(final=0.1),             lambda lr, o: lr.CosineAnnealingLR(o, 50, eta_min=0.1)),
    "linear":             (20, LinearDecay(0.1),             lambda lr, o: lr.LinearLR(o, 1.0, 0.1, 20)),
    "one cycle":          (50, OneCycle(),                    lambda lr, o: lr.OneCycleLR(o, 1.0, total_steps=50)),
    "one cycle, uneven":  (47, OneCycle(warm_up=0.37),
                           lambda lr, o: lr.OneCycleLR(o, 1.0, total_steps=47, pct_start=0.37)),
    "one cycle, settings": (40, OneCycle(warm_up=0.5, start=0.2, final=0.01),
                            lambda lr, o: lr.OneCycleLR(o, 1.0, total_steps=40, pct_start=0.5, div_factor=5.0,
                                                        final_div_factor=20.0)),
    "one cycle, late":    (10, OneCycle(warm_up=0.95),
                           lambda lr, o: lr.OneCycleLR(o, 1.0, total_steps=10, pct_start=0.95)),
    "warm-up":            (30, WarmUp(start=0.05),            warm_up(3, lambda lr, o: lr.ConstantLR(o, factor=1.0))),
    "warm-up, cosine":    (40, WarmUp(0.25, Cosine(), start=0.05),
                           warm_up(10, lambda lr, o: lr.CosineAnnealingLR(o, 30))),
    "warm-up, step":      (70, WarmUp(0.1, Step(every=1 / 3, by=0.5), start=0.05),
                           warm_up(7, lambda lr, o: lr.StepLR(o, 21, gamma=0.5))),
}
# fmt: on


@pytest.mark.oracle("torch")
@pytest.mark.parametrize("name", PYTORCH)
def test_every_step_is_pytorchs(name):
    steps, schedule, scheduler = PYTORCH[name]
    assert factors(schedule, steps) == pytest.approx(theirs(scheduler, steps), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 97])
@EVERY_SHAPE
def test_factors_lie_between_0_and_1(schedule, steps):
    assert all(0.0 <= factor <= 1.0 + 1e-15 for factor in factors(schedule, steps))


@pytest.mark.parametrize(
    ("schedule", "first", "last"),
    [
        (Constant(), 1.0, 1.0),
        (Step(every=0.25, by=0.5), 1.0, 0.125),
        (Cosine(final=0.1), 1.0, 0.1 + 0.9 * math.sin(math.pi / 200) ** 2),
        (OneCycle(start=0.2, final=0.01), 0.2, 0.01),
        (OneCycle(warm_up=1.0, start=0.2), 0.2, 1.0),
        (OneCycle(warm_up=0.0, final=0.01), 1.0, 0.01),
        (WarmUp(start=0.3), 0.3, 1.0),
        (WarmUp(0.1, OneCycle(start=0.2, final=0.01), start=0.0), 0.0, 0.01),
    ],
    ids=str,
)
def test_the_ends_of_a_run_of_100_steps(schedule, first, last):
    assert schedule.factor(0, 100) == pytest.approx(first, rel=1e-12)
    assert schedule.factor(99, 100) == pytest.approx(last, rel=1e-12)


@EVERY_SHAPE
def test_the_only_step_of_a_run_has_the_whole_rate(schedule):
    assert schedule.factor(0, 1) == 1.0


@pytest.mark.parametrize("steps", [10, 30, 70, 1_000, 46_900])
@pytest.mark.parametrize("parts", [2, 3, 5, 7, 10])
def test_rounding_moves_no_step_across_a_drop(steps, parts):
    schedule = Step(every=1.0 / parts, by=0.5)
    for count in range(1, parts):
        if (count * steps) % parts == 0:
            drop = count * steps // parts
            assert (schedule.factor(drop - 1, steps), schedule.factor(drop, steps)) == (0.5 ** (count - 1), 0.5**count)


@pytest.mark.sampled(5)
@pytest.mark.parametrize("backend", ["numpy", "native"])
@EVERY_SHAPE
def test_a_compiled_schedule_is_the_same(schedule, backend):
    program = compile(lambda x: schedule.factor(x[0], x[1]) + 0.0 * x[0], backend=backend)
    for steps in (1, 2, 40):
        compiled = [program([[float(t), float(steps)]]) for t in range(steps)]
        assert compiled == pytest.approx(factors(schedule, steps), rel=1e-12, abs=1e-15)


@pytest.mark.sampled(5)
@pytest.mark.parametrize("backend", ["numpy", "native"])
@EVERY_SHAPE
def test_a_trainer_moves_by_the_rate_of_each_step(schedule, backend):
    w, steps = Value(0.0), 13
    program = compile(lambda x: w * x[0], backend=backend)
    program.trainer(SGD(lr=1.0), schedule=schedule).run([[-1.0]], epochs=steps)
    assert w.data == pytest.approx(sum(factors(schedule, steps)), rel=1e-12)


@pytest.mark.parametrize("backend", ["numpy", "native"])
def test_single_precision_moves_no_step_across_a_drop(backend):
    schedule, steps = Step(every=0.1, by=0.5), 46_900
    program = compile(lambda x: schedule.factor(x[0], x[1]), backend=backend, dtype="float32")
    near = [drop + t for drop in range(4_690, steps, 4_690) for t in (-1, 0)]
    assert [program([[t, steps]]) for t in near] == [schedule.factor(t, steps) for t in near]


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_goes_by_its_name(name):
    assert schedule_of(name) is SCHEDULES[name]
    assert schedule_of(name) == type(SCHEDULES[name])()


def test_no_schedule_is_a_constant_one():
    assert schedule_of(None) == Constant()


def test_a_schedule_of_ones_own_is_itself():
    class Half(Schedule):
        def factor(self, t, steps):
            return 0.5

    mine = Half()
    assert schedule_of(mine) is mine


@pytest.mark.parametrize("unknown", ["exponential", "Cosine", "", 0.5, Cosine, []], ids=str)
def test_an_unknown_schedule_is_refused_with_the_known_ones(unknown):
    with pytest.raises(
        ValueError, match=r"there are constant, step, linear, cosine, one_cycle, warm_up, or a Schedule such as"
    ):
        schedule_of(unknown)


def test_a_schedule_without_a_formula_says_so():
    with pytest.raises(NotImplementedError, match=r"define factor\(t, steps\)"):
        Schedule().factor(0, 1)


NUMBERS = [(Step, "every"), (Step, "by"), (Cosine, "final"), (WarmUp, "part"), (WarmUp, "start")]
WRONG = [-0.1, math.nan, math.inf, -math.inf, True, "0.5", None, [0.5]]
NUMBERS += [(LinearDecay, "final"), (OneCycle, "warm_up"), (OneCycle, "start"), (OneCycle, "final")]


@pytest.mark.parametrize("setting", [*WRONG, 10**400], ids=[*map(repr, WRONG), "10**400"])
@pytest.mark.parametrize(("schedule", "name"), NUMBERS, ids=lambda x: getattr(x, "__name__", x))
def test_a_setting_that_is_no_number_in_range_is_refused(schedule, name, setting):
    with pytest.raises(ValueError, match=rf"{schedule.__name__}'s {name} is a number from .*, got "):
        schedule(**{name: setting})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Step(every=10), "Step's every is a number from 0.01 to 1, got 10"),
        (lambda: Step(every=0.001), "Step's every is a number from 0.01 to 1, got 0.001"),
        (lambda: Cosine(final=1.5), "Cosine's final is a number from 0 to 1, got 1.5"),
        (lambda: WarmUp(0.0), "takes a part between 0 and 1, got 0.0"),
        (lambda: WarmUp(1), "takes a part between 0 and 1, got 1.0"),
        (lambda: WarmUp(0.1, "cosine"), "takes a Schedule such as Cosine"),
        (lambda: WarmUp(0.1, Cosine), "takes a Schedule such as Cosine"),
    ],
)
def test_a_refusal_shows_the_setting_and_its_limits(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_schedule_shows_its_settings_and_keeps_them():
    schedule = WarmUp(0.1, Cosine(final=np.float32(0.5)), start=0)
    assert repr(schedule) == "WarmUp(part=0.1, then=Cosine(final=0.5), start=0.0)"
    assert schedule == WarmUp(0.1, Cosine(0.5), 0.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        schedule.part = 0.2
