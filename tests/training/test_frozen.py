"""Frozen parameters: no step moves them, eager or compiled, and what is remembered of them stays."""

import copy
import pickle
from itertools import pairwise

import numpy as np
import pytest

from scalargrad import MLP, SGD, Adam, AdamW, Checkpoint, TraceError, Value, clip_grad_norm, compile, diagnose, mean
from scalargrad.compiler import trainer as trainer_module
from scalargrad.compiler import variants
from scalargrad.losses import mse
from scalargrad.nn import Buffer, Module, Parameter
from scalargrad.optim import Optimizer, RMSProp
from tests.oracles.optimizers import check_same_state


class OwnStep(SGD):
    """A user's own step: momentum by hand, with what it remembers beside the state."""

    def __init__(self, lr):
        super().__init__(lr, momentum=0.9)
        self.met = []

    def step(self, parameters, lr=None):
        self.met.append(len(parameters))
        super().step(parameters, lr)


OPTIMIZERS = {
    "SGD": lambda: SGD(0.1, weight_decay=0.1),
    "momentum": lambda: SGD(0.05, momentum=0.9, weight_decay=0.1),
    "Nesterov": lambda: SGD(0.05, momentum=0.9, nesterov=True),
    "RMSProp": lambda: RMSProp(0.01, momentum=0.5),
    "Adam": lambda: Adam(0.05, weight_decay=0.1),
    "AdamW": lambda: AdamW(0.05, weight_decay=0.1),
    "own step": lambda: OwnStep(0.05),
}
BACKENDS = ["numpy", "native", pytest.param("jax", marks=[pytest.mark.long, pytest.mark.oracle("jax")])]
X = np.random.default_rng(0).normal(size=(6, 2))
Y = X[:, 0] - 0.5 * X[:, 1]
# Which parameters are frozen in each step: one, others, none, all, a whole layer.
FREEZING = [(0,), (0,), (1, 4), (), range(9), (0, 1, 2, 3, 4, 5), (), (8,), (8,), ()]


def network():
    return MLP(2, [2, 1], activation="tanh", rng=0)


def freeze(model, chosen):
    for n, parameter in enumerate(model.parameters()):
        parameter.requires_grad = n not in chosen


def numbers(model):
    return [parameter.data for parameter in model.parameters()]


def eager_step(model, optimizer, parameters):
    for parameter in parameters:
        parameter.grad = 0.0
    loss = mean([(model(x) - y) ** 2 for x, y in zip(X.tolist(), Y.tolist(), strict=True)])
    loss.backward()
    optimizer.step([parameter for parameter in parameters if parameter.requires_grad])  # what "untouched" means
    return loss.data


def loss_of(model):
    return lambda x, y: (model(x) - y) ** 2


# The rule.


@pytest.mark.parametrize("given", [True, False], ids=["given", "as read"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_trainer_steps_as_the_loop_whatever_is_frozen(name, backend, given):
    ours, theirs = network(), network()
    optimizer, other = OPTIMIZERS[name](), OPTIMIZERS[name]()
    trainer = compile(loss_of(ours), backend=backend).trainer(
        optimizer, parameters=ours.parameters() if given else None
    )
    for frozen in FREEZING:
        freeze(ours, frozen)
        freeze(theirs, frozen)
        before = numbers(ours)
        loss = trainer.step(X, Y)
        assert loss == pytest.approx(eager_step(theirs, other, theirs.parameters()), rel=1e-12)
        assert numbers(ours) == pytest.approx(numbers(theirs), rel=1e-12, abs=1e-15)
        moved = [n for n, (now, then) in enumerate(zip(numbers(ours), before, strict=True)) if now != then]
        assert moved == [n for n in range(9) if n not in frozen]
    check_same_state(optimizer, other, ours.parameters(), theirs.parameters())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_by_hand_leaves_frozen_ones_untouched(name):
    """Whatever the gradients hold, and without a state for what never moved."""
    moving, frozen = Parameter(1.0), Parameter(2.0)
    frozen.requires_grad = False
    optimizer, other, alone = OPTIMIZERS[name](), OPTIMIZERS[name](), Parameter(1.0)
    for slope in (0.5, float("nan"), float("inf"), -0.0, None):
        frozen.grad = slope
        moving.grad = alone.grad = 0.25
        optimizer.step([frozen, moving])
        other.step([alone])
        assert (moving.data, frozen.data, frozen.grad) == pytest.approx((alone.data, 2.0, slope), nan_ok=True)
    assert list(optimizer.state) == [moving]
    frozen.requires_grad, frozen.grad = True, 1.0
    optimizer.step([frozen])
    assert frozen.data != 2.0


@pytest.mark.parametrize("backend", ["eager", *BACKENDS])
@pytest.mark.parametrize("name", ["momentum", "Adam", "own step"])
def test_fit_freezes_and_thaws_in_callbacks(name, backend):
    def change(run):
        if run.epoch in (3, 5):
            run.model.layers[0].requires_grad_(run.epoch == 5)

    model, other_model = network(), network()
    optimizer, other = OPTIMIZERS[name](), OPTIMIZERS[name]()
    seen = []
    model.fit(
        X, Y, "mse", optimizer, 8, callbacks=[change, lambda run: seen.append(numbers(run.model))], backend=backend
    )
    for epoch in range(8):
        other_model.layers[0].requires_grad_(epoch < 3 or epoch >= 5)
        eager_step(other_model, other, other_model.parameters())
        assert seen[epoch] == pytest.approx(numbers(other_model), rel=1e-12, abs=1e-15)
    assert seen[2][:6] == seen[3][:6] == seen[4][:6] != seen[5][:6]
    assert all(now != then for before, after in pairwise(seen) for now, then in zip(before[6:], after[6:], strict=True))
    check_same_state(optimizer, other, model.parameters(), other_model.parameters())


@pytest.mark.parametrize("backend", ["numpy", "native"])
def test_a_run_in_batches_leaves_them(backend):
    ours, theirs = network(), network()
    for model in (ours, theirs):
        model.layers[1].requires_grad_(False)
    penalty, l2 = 0.1, lambda model: sum((p * p for p in model.parameters()), start=Value(0.0))  # which reads them all
    program = compile(lambda x, y: (ours(x) - y) ** 2 + penalty * l2(ours), backend=backend)
    program.trainer(SGD(0.1, momentum=0.9), 3, rng=4).run(X, Y, epochs=5, progress=False)
    free = theirs.layers[0].parameters()
    other = compile(lambda x, y: (theirs(x) - y) ** 2 + penalty * l2(theirs), backend=backend)
    other.trainer(SGD(0.1, momentum=0.9), 3, rng=4, parameters=free).run(X, Y, epochs=5, progress=False)
    assert numbers(ours) == pytest.approx(numbers(theirs), rel=1e-12)
    assert numbers(ours)[6:] == numbers(network())[6:]


def test_a_penalty_reads_frozen_ones():
    """It is part of the loss, and only its gradient is not applied."""
    models = [network() for _ in range(2)]
    for model, backend in zip(models, ("eager", "native"), strict=True):
        model.layers[0].requires_grad_(False)
        model.fit(X, Y, "mse", SGD(0.1), 3, l2=0.5, backend=backend)
    assert numbers(models[0]) == pytest.approx(numbers(models[1]), rel=1e-12)
    assert numbers(models[0])[:6] == numbers(network())[:6]


def test_what_a_shape_does_not_read_is_frozen_likewise():
    ours, theirs = ([Parameter(1.0), Parameter(1.0)] for _ in range(2))
    optimizer, other = (SGD(0.1, momentum=0.9, weight_decay=0.1) for _ in range(2))
    trainer = compile(lambda xs: sum(w * x for w, x in zip(ours, xs, strict=False))).trainer(optimizer)
    for length, frozen in zip((2, 1, 1, 1, 2), (False, True, True, False, True), strict=True):
        ours[1].requires_grad = not frozen
        trainer.step([[0.5] * length])
        theirs[0].grad, theirs[1].grad = 0.5, 0.5 * (length == 2)
        other.step(theirs[:1] if frozen else theirs)
        assert [w.data for w in ours] == pytest.approx([w.data for w in theirs], rel=1e-12)
    check_same_state(optimizer, other, ours, theirs)


def test_a_step_may_freeze_what_the_next_one_leaves():
    class Freezing(SGD):
        def step(self, parameters, lr=None):
            super().step(parameters, lr)
            parameters[0].requires_grad = False

    for backend in ("eager", "native"):
        model = network()
        model.fit(X, Y, "mse", Freezing(0.1), 3, backend=backend)
        assert [parameter.requires_grad for parameter in model.parameters()] == [False] * 3 + [True] * 6
    assert len(model.parameters()) == 9


def test_tied_parameters_are_frozen_together():
    class Tied(Module):
        def __init__(self):
            self.first = self.second = Parameter(0.5)
            self.third = Parameter(0.5)

        def __call__(self, x):
            return self.first * x[0] + self.second * x[1] + self.third

    model = Tied()
    model.second.requires_grad = False
    model.fit(X, Y, "mse", SGD(0.1), 2)
    assert model.first.data == 0.5 != model.third.data
    assert [name for name, _ in model.named_parameters()] == ["first", "third"]


def test_nobody_asks_all_parameters_at_each_step(monkeypatch):
    model = network()
    asked = []
    monkeypatch.setattr(trainer_module, "without_frozen", lambda them: asked.append(1) or them)
    trainer = compile(loss_of(model)).trainer(SGD(0.1), parameters=model.parameters())
    for _ in range(3):
        trainer.step(X, Y)
    assert len(asked) == 1
    model.requires_grad_(True)  # they were
    trainer.step(X, Y)
    assert len(asked) == 1
    model.layers[1].neurons[0].bias.requires_grad = False
    trainer.step(X, Y)
    assert len(asked) == 2


def test_what_was_frozen_before_is_compiled_once():
    model = network()
    program = compile(loss_of(model))
    trainer = program.trainer(Adam(0.1))
    for turn in range(6):
        model.layers[0].requires_grad_(turn % 2 == 0)
        trainer.step(X, Y)
    assert len(program.loops) == 2


# PyTorch.


@pytest.mark.oracle("torch")
@pytest.mark.parametrize("thawed", [False, True])
@pytest.mark.parametrize(
    ("ours", "theirs", "settings"),
    [
        (SGD, "SGD", {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.1}),
        (Adam, "Adam", {"lr": 0.05, "weight_decay": 0.1}),
    ],
    ids=["SGD", "Adam"],
)
def test_freezing_is_pytorchs(ours, theirs, settings, thawed, torch):
    """There zero_grad() sets gradients to None, so that frozen ones are skipped. Adam's t is each parameter's own."""
    weights = [Parameter(0.5), Parameter(-1.5)]
    tensors = [torch.tensor(w.data, dtype=torch.float64, requires_grad=True) for w in weights]
    optimizer, oracle = ours(**settings), getattr(torch.optim, theirs)(tensors, **settings)
    for step in range(12):
        if step in (4, 8):
            for leaf in (weights[0], tensors[0]):
                leaf.requires_grad = thawed and step == 8
            if thawed and step == 8 and ours is Adam:
                oracle.state[tensors[0]]["step"] += 4.0  # the steps that it was frozen count here
        oracle.zero_grad(set_to_none=True)
        for weight in weights:
            weight.grad = 0.0
        for (w, v), sine in ((weights, np.sin), (tensors, np.sin)):
            ((w * v - float(sine(step))) ** 2 + (w - 1.0) ** 2).backward()
        optimizer.step(weights)
        oracle.step()
        assert [w.data for w in weights] == pytest.approx([x.item() for x in tensors], rel=1e-12)


def test_clipping_leaves_frozen_ones_out():
    moving, frozen = Parameter(1.0), Parameter(2.0)
    frozen.requires_grad = False
    moving.grad, frozen.grad = 4.0, float("inf")
    assert clip_grad_norm([moving, frozen], 2.0) == 4.0
    assert (moving.grad, frozen.grad) == (pytest.approx(2.0), float("inf"))


# The attribute.


def test_a_parameter_is_trained_until_somebody_freezes_it():
    w = Parameter(1.0)
    assert w.requires_grad is True
    w.requires_grad = False
    assert w.requires_grad is False
    (w * 3.0).backward()
    assert w.grad == 3.0  # computed, and ignored by steps


@pytest.mark.parametrize("wrong", [0, 1, None, "False", np.False_, Value(1.0)], ids=str)
def test_it_is_true_or_false(wrong):
    w = Parameter(1.0)
    with pytest.raises(TypeError, match="requires_grad is True or False, got"):
        w.requires_grad = wrong
    with pytest.raises(TypeError, match="requires_grad is True or False, got"):
        network().requires_grad_(wrong)
    assert w.requires_grad is True


@pytest.mark.parametrize("kind", [Value, Buffer])
def test_other_values_have_none(kind):
    with pytest.raises(AttributeError, match="requires_grad"):
        kind(1.0).requires_grad = False


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_are_frozen_too(copied):
    w, v = Parameter(1.5, "w"), Parameter(2.0)
    w.requires_grad, w.grad = False, 2.0
    again = copied(w)
    assert (type(again), again.data, again.label, again.grad, again.requires_grad) == (Parameter, 1.5, "w", 2.0, False)
    assert copied(v).requires_grad
    again.requires_grad = True
    assert not w.requires_grad


def test_a_module_freezes_all_that_it_has_and_lists_it():
    model = network()
    assert model.layers[0].requires_grad_(False) is model.layers[0]
    assert [p.requires_grad for p in model.parameters()] == [False] * 6 + [True] * 3
    assert len(list(model.named_parameters())) == 9
    assert [p.requires_grad for p in copy.deepcopy(model).parameters()] == [False] * 6 + [True] * 3
    assert model.requires_grad_().parameters()[0].requires_grad


def test_files_of_a_model_do_not_say_it(tmp_path):
    from scalargrad import load

    model = network().requires_grad_(False)
    model.save(tmp_path / "m.safetensors")
    assert all(p.requires_grad for p in load(tmp_path / "m.safetensors").parameters())
    state = {name: array + 1.0 for name, array in model.state_dict().items()}
    model.load_state_dict(state)
    assert not any(p.requires_grad for p in model.parameters())
    assert model.state_dict()["layers.0.weight"][0, 0] == state["layers.0.weight"][0, 0]


@pytest.mark.parametrize("begin", [1, 3, 4, 6])
def test_a_resumed_run_is_frozen_where_it_was(begin, tmp_path):
    def change(run):
        if run.epoch in (2, 5):
            run.model.layers[0].requires_grad_(run.epoch == 5)

    def trained(epochs, *callbacks, **options):
        model = network()
        model.fit(X, Y, "mse", Adam(0.1), epochs, 3, callbacks=[change, *callbacks], **options)
        return numbers(model)

    path = tmp_path / "run.safetensors"
    trained(begin, Checkpoint(path))
    assert trained(8, resume=path) == trained(8)


# What others make of it.


def test_a_program_notices_if_it_asks():
    w, v = Parameter(2.0), Parameter(3.0)
    program = compile(lambda x: x * (w if w.requires_grad else v))
    assert program([1.0]) == 2.0
    w.requires_grad = False
    assert program([1.0]) == 3.0
    w.requires_grad = True
    assert program([1.0]) == 2.0


def test_a_program_that_does_not_ask_is_not_traced_again(monkeypatch):
    monkeypatch.setattr(variants, "SHARE_OF_CHECKS", 0.0)  # because time has passed
    calls, w = [], Parameter(2.0)
    program = compile(lambda x: calls.append(1) or x * w)
    program([1.0])
    count = len(calls)
    w.requires_grad = False
    program([1.0])
    assert len(calls) == count


def test_a_program_does_not_freeze():
    w = Parameter(2.0)

    def frozen(x):
        w.requires_grad = False
        return x * w

    with pytest.raises(TraceError, match=r"setting requires_grad inside a compiled function .* set it outside"):
        compile(frozen)([1.0])
    assert w.requires_grad


def test_the_summary_counts_them():
    model = network()
    plain = model.summary()
    model.layers[0].requires_grad_(False)
    assert model.summary() == f"{plain}\n  Trainable are 3 of them; 6 are frozen."


def test_the_doctor_does_not_wait_for_frozen_ones():
    model = network()
    model.layers[0].requires_grad_(False)
    optimizer = SGD(0.1)
    with diagnose(model) as report:
        for _ in range(4):
            loss = mse([model(x) for x in X.tolist()], Y.tolist())
            for parameter in model.layers[1].parameters():
                parameter.grad = 0.0
            loss.backward()
            optimizer.step(model.parameters())
    assert not report.findings
    assert "3 parameters" in str(report)
    used, unused = Parameter(1.0, "used"), Parameter(1.0, "unused")
    assert diagnose((used - 2.0) ** 2, [used, unused]).findings
    unused.requires_grad = False
    assert not diagnose((used - 2.0) ** 2, [used, unused]).findings
    with pytest.raises(ValueError, match=r"no parameters: .* or are all frozen"):
        diagnose(model.requires_grad_(False))


def test_optimizers_of_users_have_the_rule_for_nothing():
    class Signs(Optimizer):
        def update(self, p, g, state, lr, t):
            return p - lr * g / (g * g + 1e-12) ** 0.5, ()

    ours, theirs = network(), network()
    trainer, other = compile(loss_of(ours)).trainer(Signs(0.1)), Signs(0.1)
    for frozen in FREEZING:
        freeze(ours, frozen)
        freeze(theirs, frozen)
        trainer.step(X, Y)
        eager_step(theirs, other, theirs.parameters())
    assert numbers(ours) == pytest.approx(numbers(theirs), rel=1e-11)


def test_a_model_that_names_its_parameters_anew_in_each_epoch_is_asked_each_time():
    """By an attribute of its own, behind which a list may change while nothing in the model does."""
    model = MLP(2, [2, 1], rng=0)
    first, last = [list(layer.parameters()) for layer in model.layers]
    chosen = [first]
    model.parameters = lambda: chosen[0]
    ends = []

    def change(run):
        ends.append([[p.data for p in layer] for layer in (first, last)])
        chosen[0] = last

    model.fit([[0.0, 1.0], [1.0, 0.5]], [0.0, 1.0], "mse", SGD(0.1), epochs=3, callbacks=[change], progress=False)
    assert ends[0][0] == ends[1][0] == ends[2][0]
    assert ends[0][1] != ends[1][1] != ends[2][1]
