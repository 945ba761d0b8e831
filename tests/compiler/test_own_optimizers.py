"""Optimizers and schedules of a user's own: a compiled fit computes what an eager fit computes, or says why not."""

import random
import re
from contextlib import nullcontext
from types import MethodType, SimpleNamespace

import numpy as np
import pytest

from scalargrad import MLP, SGD, Checkpoint, Value, ops
from scalargrad.compiler import TraceError, compile
from scalargrad.nn import BatchNorm1d, Buffer, Dropout, Layer, Module, Parameter
from scalargrad.optim import AdamW, Optimizer
from scalargrad.schedules import Schedule, WarmUp
from tests.compiler.own_optimizers import REFUSED, RULES, SCHEDULES, Momentum

X = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.25], [-1.0, 0.3], [0.2, -0.7]])
Y = np.array([0.0, 1.0, 1.0, 0.5, 0.2])


def fitted(make, engine, batch_size, schedule=None, epochs=6):
    """The parameters after a fit, its losses, and the optimizer; or what was raised, and where the parameters are."""
    random.seed(3)
    model = MLP(2, [3, 1], rng=0)
    optimizer = make()
    schedule = schedule and schedule()
    try:
        history = model.fit(
            X,
            Y,
            "mse",
            optimizer,
            epochs=epochs,
            batch_size=batch_size,
            schedule=schedule,
            engine=engine,
            progress=False,
        )
    except Exception as error:
        return [p.data for p in model.parameters()], error, optimizer
    return [p.data for p in model.parameters()], history["loss"], optimizer


def check(name, what, make, schedule, batch_size):
    start = [p.data for p in MLP(2, [3, 1], rng=0).parameters()]
    right, curve, _ = fitted(make, "eager", batch_size, schedule)
    found, losses, _ = fitted(make, "compiled", batch_size, schedule)
    if what == REFUSED:
        assert isinstance(losses, (TraceError, TypeError, ValueError)), f"{name}: {losses}"
        assert found == start
        message = str(losses)
        if isinstance(losses, TraceError):
            assert re.match(r"\S+\.py:\d+", message), message
            assert re.search(r"use|keep|compute|override", message), message
        else:
            assert re.sub("got .*", "", str(curve)) == re.sub("got .*", "", message), f"eager says {curve!r}"
        return
    assert not isinstance(curve, Exception), f"{name}, eager: {curve!r}"
    assert not isinstance(losses, Exception), f"{name}: {losses!r}"
    assert found == pytest.approx(right, rel=1e-9, abs=1e-12)
    assert losses == pytest.approx(curve, rel=1e-9)
    assert found != start


@pytest.mark.sampled(5)
@pytest.mark.parametrize("batch_size", [pytest.param(None, marks=pytest.mark.long), 2])
@pytest.mark.parametrize("name", RULES)
def test_an_optimizer_compiled_is_the_eager_one_or_refused(name, batch_size):
    what, make = RULES[name]
    check(name, what, lambda: make(0.1), None, batch_size)


@pytest.mark.sampled(5)
@pytest.mark.parametrize("batch_size", [pytest.param(None, marks=pytest.mark.long), 2])
@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_compiled_is_the_eager_one_or_refused(name, batch_size):
    what, make = SCHEDULES[name]
    check(name, what, lambda: SGD(0.1, momentum=0.5), make, batch_size)


def test_what_a_refused_formula_has_changed_of_its_own_is_put_back():
    for name in [name for name, (what, _) in RULES.items() if what == REFUSED]:
        model, optimizer = MLP(2, [1], rng=0), RULES[name][1](0.1)
        kept, history = {**vars(optimizer)}, getattr(optimizer, "history", None)
        with pytest.raises((TraceError, TypeError, ValueError)):
            model.fit(X, Y, "mse", optimizer, epochs=1, progress=False)
        assert vars(optimizer) == kept, name
        assert history is None or not history["seen"]


def test_formulas_are_traced_twice_and_run_for_numbers(capsys):
    class Telling(Optimizer):
        def update(self, p, g, state, lr, t):
            print("number" if type(p) is float else "traced")
            return p - lr * g, ()

    class Falling(Schedule):
        def factor(self, t, steps):
            print("Number" if type(t) is float else "Traced")
            return 1.0 - t / steps

    w = Value(1.0)
    compile(lambda x: (w * x) ** 2).trainer(Telling(0.1), schedule=Falling()).run([1.0], epochs=3, progress=False)
    said = capsys.readouterr().out
    assert (said.count("traced"), said.count("Traced")) == (2, 2)
    assert min(said.count("number"), said.count("Number")) >= 3


# Steps that are run: what the trainer does around them is what it does with a formula inside.


class Formula(SGD):
    def __init__(self, lr=0.05):
        super().__init__(lr, momentum=0.5)


class Run(Formula):
    """The same, in a step that a trainer has to call."""

    def step(self, parameters, lr=None):
        self.given = list(parameters)
        super().step(self.given, lr)


class Network(Module):
    """With numbers that are random, numbers of the batch, a parameter that is not read and one that is frozen."""

    def __init__(self):
        self.unused, self.layer = Parameter(1.0), Layer(2, 3, activation="tanh", rng=1)
        self.dropout, self.norm, self.last = (
            Dropout(0.3, rng=2),
            BatchNorm1d(3),
            Layer(3, 1, activation="linear", rng=3),
        )
        self.frozen = Value(0.5)

    def __call__(self, x):
        return self.last(self.norm(self.dropout(self.layer(x)))) * self.frozen


# fmt: off
FITS = {
    "all rows":          {},
    "a score":           {"batch_size": 2, "loss": "binary_cross_entropy"},
    "batches":           {"batch_size": 2},
    "a schedule":        {"batch_size": 2, "schedule": "one_cycle"},
    "l2":                {"batch_size": 3, "l2": 0.1},
    "weights":           {"batch_size": 2, "sample_weight": [1.0, 2.0, 0.5, 1.0, 3.0]},
    "validation":        {"batch_size": 2, "validation": 0.4, "early_stopping": 1, "rng": 3},
    "augmented":         {"batch_size": 2, "augment": lambda inputs, seed, epoch: inputs * (1.0 + 0.1 * epoch)},
}
# fmt: on


def trained(kind, engine="compiled", epochs=4, loss="mse", **settings):
    """All that a fit leaves behind."""
    model, optimizer, y = Network(), kind(), Y > 0.3 if loss == "binary_cross_entropy" else Y
    history = model.fit(X, y, loss, optimizer, epochs=epochs, engine=engine, progress=False, **settings)
    state = [list(optimizer.state.get(p, (0.0,))) for p in model.parameters()]
    numbers = [number for array in model.state_dict().values() for number in array.ravel().tolist()]
    return [numbers, *history.values(), *state, optimizer.steps], (history.stopped, list(history))


WAYS = [*((name, "compiled") for name in FITS), *((name, "jax") for name in ("a schedule", "weights"))]


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("name", "engine"), WAYS)
def test_a_step_that_is_run_does_what_a_formula_does(name, engine):
    right, found = trained(Formula, engine, **FITS[name]), trained(Run, engine, **FITS[name])
    assert found[1] == right[1]
    for ours, theirs in zip(found[0], right[0], strict=True):
        assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("backend", ["numpy", "native", "jax"])
def test_a_trainers_steps_runs_and_epochs_run_the_step(backend):
    found = []
    for kind in (Formula, Run):
        w, v = Value(1.0), Value(0.5)
        optimizer = kind()
        trainer = compile(lambda x, y, w=w, v=v: (w * x + v - y) ** 2, backend=backend).trainer(optimizer, 2, rng=1)
        losses = [trainer.step(Y, X[:, 0]), *trainer.run(Y, X[:, 0], epochs=3, progress=False)["loss"]]
        losses.append(trainer.epoch(Y, X[:, 0])["loss"])
        trainer.moving = [v]
        losses += trainer.run(Y, X[:, 0], epochs=2, progress=False, callbacks=[lambda epoch, measures: None])["loss"]
        found.append([*losses, w.data, v.data, optimizer.steps, trainer.epochs, trainer.compiled.steps.data])
        if kind is Run:
            assert optimizer.given == [v]
    assert found[1] == pytest.approx(found[0], rel=1e-9)


def test_a_step_gets_the_models_parameters_in_the_models_order():
    given = []
    for engine in ("eager", "compiled"):
        model, optimizer = MLP(2, [2, 1], rng=0), Run()
        model.spare = Parameter(2.0)
        model.fit(X, Y, "mse", optimizer, epochs=1, engine=engine, progress=False)
        names = {p: name for name, p in model.named_parameters()}
        given.append([(names[p], round(p.grad, 9)) for p in optimizer.given])
    assert given[0] == given[1]
    assert "spare" in [name for name, _ in given[0]]


@pytest.mark.parametrize("engine", ["eager", "compiled"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_a_step_that_is_broken_off_leaves_what_was_before_it(engine, error):
    class Breaking(Momentum):
        """Its update raises an error at some call; it counts and keeps something of its own."""

        def __init__(self, at):
            super().__init__(0.1)
            self.left, self.own = at, {"sums": [0.0]}

        def step(self, parameters, lr=None):
            self.own["sums"][0] += 1.0
            super().step(parameters, lr)

        def update(self, p, g, state, lr, t):
            self.left -= 1
            if self.left == 0:
                raise error("here")
            return super().update(p, g, state, lr, t)

    def numbers_of(model, optimizer):
        state = {name: optimizer.state.get(p, (0.0,)) for name, p in model.named_parameters()}
        return [p.data for p in model.parameters()], state, optimizer.steps, optimizer.own

    def after(steps):
        model, optimizer = MLP(2, [1], rng=0), Breaking(0)
        model.fit(X[:1], Y[:1], "mse", optimizer, epochs=steps, engine=engine, progress=False)
        return numbers_of(model, optimizer)

    for at in range(1, 10):  # of 3 parameters
        model, optimizer = MLP(2, [1], rng=0), Breaking(at)
        with nullcontext() if error is KeyboardInterrupt else pytest.raises(error):
            model.fit(X[:1], Y[:1], "mse", optimizer, epochs=5, engine=engine, progress=False)
        assert numbers_of(model, optimizer) == after((at - 1) // 3), at
        optimizer.left = 0
        model.fit(X[:1], Y[:1], "mse", optimizer, epochs=1, engine=engine, progress=False)
        assert numbers_of(model, optimizer) == after((at - 1) // 3 + 1), at


@pytest.mark.parametrize("engine", ["eager", "compiled"])
def test_a_run_with_a_step_of_its_own_resumes(engine, tmp_path):
    whole, parts = (MLP(2, [3, 1], rng=0) for _ in range(2))
    settings = {"batch_size": 2, "engine": engine, "progress": False}
    whole.fit(X, Y, "mse", Run(), epochs=5, **settings)
    path = tmp_path / "run.safetensors"
    parts.fit(X, Y, "mse", Run(), epochs=2, callbacks=[Checkpoint(path)], **settings)
    again = MLP(2, [3, 1], rng=0)
    again.fit(X, Y, "mse", Run(), epochs=5, resume=path, **settings)
    assert [p.data for p in again.parameters()] == [p.data for p in whole.parameters()]


@pytest.mark.parametrize("engine", ["eager", "compiled"])
def test_a_step_may_change_what_the_loss_reads(engine):
    scale = [1.0]

    class Cooling(SGD):
        def step(self, parameters, lr=None):
            super().step(parameters, lr)
            scale[0] *= 0.5

    w = Value(0.0)
    if engine == "compiled":
        trainer = compile(lambda x: scale[0] * (w - x)).trainer(Cooling(1.0), batch_size=1)
        trainer.run([1.0, 1.0, 1.0], epochs=1, progress=False)
    else:
        optimizer = Cooling(1.0)
        for _ in range(3):
            w.grad = 0.0
            (scale[0] * (w - 1.0)).backward()
            optimizer.step([w])
    assert w.data == -1.75


def test_a_rate_that_a_schedule_changes_needs_a_step_that_takes_it():
    class WithoutARate(SGD):
        def step(self, parameters):
            super().step(parameters)

    messages = []
    for engine in ("eager", "compiled"):
        with pytest.raises(TypeError, match=r"takes no rate.*define step\(self, parameters, lr=None\)") as raised:
            MLP(2, [1], rng=0).fit(
                X, Y, "mse", WithoutARate(0.1), epochs=3, schedule="cosine", engine=engine, progress=False
            )
        messages.append(str(raised.value))
    assert messages[0] == messages[1]


@pytest.mark.parametrize("backend", ["numpy", "native"])
def test_a_step_that_comes_later_is_run_from_then_on(backend, monkeypatch):
    """On one object, and for a whole class; and what was remembered goes on."""
    ends = []
    original, calls = SGD.step, []

    def step(self, *rest):
        calls.append(self)
        original(self, *rest)

    for own in (False, True):
        w, optimizer = Value(1.0), SGD(0.1, momentum=0.9)
        trainer = compile(lambda x, w=w: (w * x) ** 2, backend=backend).trainer(optimizer)
        trainer.run([1.0, 2.0], epochs=2, progress=False)
        with monkeypatch.context() as patch:
            if own:
                patch.setattr(SGD, "step", step)
            trainer.run([1.0, 2.0], epochs=2, progress=False)
            assert len(calls) == 2 * own
        if own:
            optimizer.step = MethodType(step, optimizer)
        trainer.run([1.0, 2.0], epochs=2, progress=False)
        if own:
            del optimizer.step
        trainer.run([1.0, 2.0], epochs=2, progress=False)
        assert len(calls) == 4 * own
        ends.append([w.data, *optimizer.state[w], optimizer.steps])
    assert ends[1] == pytest.approx(ends[0], rel=1e-12)


# What a formula reads besides its arguments, and that changes between epochs.


class Reading(Optimizer):
    scales = {"a": [1.0]}  # noqa: RUF012

    def __init__(self):
        super().__init__(0.1)
        self.table = {"x": {"y": [1.0]}}
        self.options = SimpleNamespace(scale=1.0, more=SimpleNamespace(scale=1.0))
        self.array = np.ones(2)
        self.value = Value(1.0)
        self.values = [Value(1.0)]
        self.own = Own()

    def update(self, p, g, state, lr, t):
        scale = self.table["x"]["y"][0] * self.options.scale * self.options.more.scale * float(self.array[1])
        scale = scale * self.value * self.scales["a"][0] * self.own.scale
        return p - lr * scale * self.values[0] * g, ()


class Own:
    def __init__(self):
        self.scale = 1.0


CHANGES = {
    "an item further in": lambda o: o.table["x"]["y"].append(o.table["x"]["y"].pop() * 0.5),
    "an attribute of an object": lambda o: vars(o.options).update(scale=o.options.scale * 0.5),
    "an attribute further in": lambda o: vars(o.options.more).update(scale=o.options.more.scale * 0.5),
    "an attribute of an object of one's own": lambda o: vars(o.own).update(scale=o.own.scale * 0.5),
    "an item of an array": lambda o: o.array.__setitem__(1, 0.5 * o.array[1]),
    "a Value": lambda o: setattr(o.value, "data", 0.5 * o.value.data),
    "a Value in a list": lambda o: setattr(o.values[0], "data", 0.5 * o.values[0].data),
    "another Value in a list": lambda o: o.values.__setitem__(0, Value(0.5 * o.values[0].data)),
    "an item of a class": lambda o: o.scales.update(a=[0.5 * o.scales["a"][0]]),
    "an attribute of a class": lambda o: setattr(type(o), "scales", {"a": [0.5 * o.scales["a"][0]]}),
    "a method": lambda o: setattr(type(o), "update", Optimizer.update),
    "the rate": lambda o: setattr(o, "lr", 0.5 * o.lr),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_a_callback_changes_in_an_optimizer_counts(name, monkeypatch):
    ends = []
    for engine in ("eager", "compiled"):
        monkeypatch.setattr(Reading, "scales", {"a": [1.0]})
        model = MLP(2, [1], rng=0)
        with monkeypatch.context() as patch:
            patch.setattr(Reading, "update", Reading.update)  # and back again
            try:
                model.fit(
                    X, Y, "mse", Reading(), epochs=4, engine=engine, progress=False,
                    callbacks=[lambda run: CHANGES[name](run.optimizer)],
                )  # fmt: skip
            except NotImplementedError:
                assert name == "a method"
        ends.append([p.data for p in model.parameters()])
    assert ends[1] == pytest.approx(ends[0], rel=1e-9)


def test_a_formula_that_reads_what_its_step_changes_is_refused():
    w = Value(1.0, "w")

    class Scaled(Optimizer):
        def __init__(self, weights):
            super().__init__(0.1)
            self.weights = weights

        def update(self, p, g, state, lr, t):
            return p - lr * self.weights[0] * g, ()

    with pytest.raises(
        TraceError, match=r"test_own_optimizers.py:\d+: .* reads w, which the same step changes; override"
    ):
        compile(lambda x: (w * x) ** 2).trainer(Scaled([w])).step([1.0])
    v = Value(0.5)
    compile(lambda x: (w * x) ** 2).trainer(Scaled([v])).step([1.0])
    assert w.data == 0.9


def test_a_refusal_comes_before_anything_moves_and_says_that_eager_training_can():
    what, make = RULES["a counter on self"]
    model, optimizer = MLP(2, [1], rng=0), make(0.1)
    before = [p.data for p in model.parameters()]
    with pytest.raises(TraceError, match=r"two runs of the function differ") as raised:
        model.fit(X, Y, "mse", optimizer, epochs=1, progress=False)
    assert what == REFUSED
    assert 'fit(backend="eager")' in raised.value.__notes__[0]
    assert ([p.data for p in model.parameters()], vars(optimizer)) == (before, vars(make(0.1)))


@pytest.mark.parametrize("batch_size", [pytest.param(None, marks=pytest.mark.long), 2])
@pytest.mark.parametrize("outside", [lambda f: f, lambda f: WarmUp(0.1, f)])
@pytest.mark.parametrize("sign", [1.0, -1.0, np.nan])
def test_a_rate_below_0_is_an_error_wherever_it_comes_from(sign, outside, batch_size):
    class Falling(Schedule):
        def factor(self, t, steps):
            return sign * (1.0 - t / 4.0)

    class Constantly(Schedule):
        def factor(self, t, steps):
            return sign

    for schedule in (Falling, Constantly):
        for engine in ("eager", "compiled"):
            model, fails = MLP(2, [1], rng=0), sign != 1.0 or schedule is Falling
            with pytest.raises(ValueError, match=r"lr=.* out of range") if fails else nullcontext():
                model.fit(
                    X, Y, "mse", SGD(0.01), epochs=6, batch_size=batch_size, schedule=outside(schedule()), engine=engine
                )


@pytest.mark.parametrize("engine", ["eager", "compiled"])
def test_a_step_that_is_broken_off_leaves_what_a_program_remembers(engine):
    """After a compiled fit the state lies in the program's memory."""

    def half_a_step(self, parameters, lr=None):
        SGD.step(self, parameters[:1], lr)
        raise RuntimeError("here")

    model, optimizer = MLP(2, [1], rng=0), SGD(0.1, momentum=0.9)
    model.fit(X, Y, "mse", optimizer, epochs=2, progress=False)
    before = [(p.data, optimizer.state[p]) for p in model.parameters()], optimizer.steps
    optimizer.step = MethodType(half_a_step, optimizer)
    with pytest.raises(RuntimeError, match="here"):
        model.fit(X, Y, "mse", optimizer, epochs=2, progress=False, engine=engine)
    assert ([(p.data, optimizer.state[p]) for p in model.parameters()], optimizer.steps) == before


@pytest.mark.parametrize("kind", [AdamW, Run])
def test_the_gradient_of_parameters_that_only_a_buffer_reads_is_0(kind):
    class Averaging(Module):
        def __init__(self):
            self.w, self.only, self.bound = Parameter(1.0), Parameter(2.0), Parameter(0.3)
            self.layer, self.average = Layer(2, 2, rng=0), Buffer(0.0)

        def __call__(self, x):
            self.average.update(ops.batch_mean(self.layer(x)[0]) + self.only * 0.5)
            return self.w * x[0] * ops.where(ops.less(self.bound, 0.5), 1.0, 2.0) + self.layer(x)[1]

    found = []
    for engine in ("eager", "compiled"):
        model, optimizer = Averaging(), kind(0.1)
        optimizer.weight_decay = 0.5
        model.fit(X[:1], Y[:1], "mse", optimizer, epochs=3, engine=engine, progress=False)
        found.append([p.data for p in model.parameters()])
    assert found[1] == pytest.approx(found[0], rel=1e-9)
    alone, optimizer = Parameter(2.0), kind(0.1)
    optimizer.weight_decay = 0.5
    for _ in range(3):
        optimizer.step([alone])
    assert model.only.data == pytest.approx(alone.data, rel=1e-12)
    assert model.bound.data != 0.3


def test_a_rate_below_0_that_a_callback_sets_is_an_error():
    def set_rate(run):
        run.optimizer.lr = -0.1

    ends = []
    for engine in ("eager", "compiled"):
        model, optimizer = MLP(2, [1], rng=0), SGD(0.1)
        with pytest.raises(ValueError, match=r"lr=-0\.1 is out of range"):
            model.fit(X, Y, "mse", optimizer, epochs=3, engine=engine, callbacks=[set_rate], progress=False)
        with pytest.raises(ValueError, match=r"lr=-0\.1 is out of range"):
            optimizer.step(model.parameters())
        ends.append([p.data for p in model.parameters()])
    assert ends[1] == pytest.approx(ends[0], rel=1e-9)
