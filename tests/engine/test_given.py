"""Optimizers that were given parameters, as PyTorch's are, and what they remember as plain data."""

import copy
import inspect
import json
import pickle
import random
from functools import partial

import numpy as np
import pytest

from scalargrad import MLP, SGD, Adam, AdamW, Value, clip_grad_norm, compile, mse
from scalargrad.nn import Module, Parameter
from scalargrad.optim import Optimizer, RMSProp
from tests.compiler.own_optimizers import EQUAL, RULES
from tests.one_line import check_one_line

X = [[0.0, 1.0], [1.0, -1.0], [0.5, 2.0]]
Y = [1.0, -0.5, 0.25]


class Descent(Optimizer):
    """A user's own formula."""

    state_size = 1

    def __init__(self, lr=0.05, beta=0.5):
        super().__init__(lr)
        self.beta = beta

    def update(self, p, g, state, lr, t):
        v = self.beta * state[0] + g
        return p - lr * v, (v,)


class OwnStep(Descent):
    """A user's own step, which needs its parameters."""

    def step(self, parameters, lr=None):
        self.met = list(parameters)
        super().step([p for p in parameters if p.grad], lr)


class ByAnotherName(SGD):
    """A setting of one's own word comes first."""

    def __init__(self, learning_rate, beta=0.5):
        super().__init__(learning_rate, beta)


class ByDefault(SGD):
    def __init__(self, eta=0.2):
        super().__init__(eta)


class AsInPyTorch(SGD):
    """A constructor that takes parameters itself, and hands them on."""

    def __init__(self, params, lr=0.05):
        super().__init__(params, lr=lr, momentum=0.5)


class HandedOn(AdamW):
    def __init__(self, *settings, **named):
        super().__init__(*settings, **named)
        self.note = "mine"


class OwnStepWithoutANeed(Descent):
    def step(self, parameters=None, lr=None):
        super().step(parameters, lr)


SETTINGS = {
    "SGD": (SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    "RMSProp": (RMSProp, {"lr": 0.01, "momentum": 0.5}),
    "Adam": (Adam, {"lr": 0.05, "betas": (0.8, 0.95)}),
    "AdamW": (AdamW, {"lr": 0.05}),
    "a formula of one's own": (Descent, {}),
    "a step of one's own": (OwnStep, {"lr": 0.1}),
    "a step of one's own with a default": (OwnStepWithoutANeed, {"beta": 0.1}),
    "a rate by another name": (ByAnotherName, {"learning_rate": 0.1}),
    "a rate by its default": (ByDefault, {}),
    "a constructor that hands all on": (HandedOn, {"lr": 0.1}),
}
RATE_FIRST = {
    name: (make, {"lr": 0.05}) for name, (what, make) in RULES.items() if what == EQUAL and type(make) is type
}


def numbers(model):
    return [(p.data, p.grad) for p in model.parameters()]


def loss_of(model):
    return mse([model(x) for x in X], Y)


def trained_by_hand(optimizer, model, *parameters, steps=4, **rate):
    random.seed(0)  # which some steps take
    for _ in range(steps):
        loss = loss_of(model)
        optimizer.zero_grad() if optimizer.own_parameters else model.zero_grad()
        loss.backward()
        optimizer.step(*parameters, **rate)
    return numbers(model), [[*optimizer.state.get(p, ())] for p in model.parameters()], optimizer.steps


@pytest.mark.parametrize("name", [*SETTINGS, *RATE_FIRST])
def test_parameters_given_both_ways_mean_the_same_to_the_bit(name):
    kind, settings = copy.deepcopy({**SETTINGS, **RATE_FIRST}[name])
    one, other, third = (MLP(2, [3, 1], activation="tanh", rng=0) for _ in range(3))
    demanded = name in RATE_FIRST and "lr" in inspect.signature(kind.step).parameters
    rate = {"lr": 0.05} if demanded else {}
    right = trained_by_hand(kind(**settings), one, one.parameters(), **rate)
    assert trained_by_hand(kind(other.parameters(), **settings), other, **rate) == right
    rates = [settings.pop(word) for word in ("lr", "learning_rate") if word in settings]
    assert trained_by_hand(kind(iter(third.parameters()), *rates, **settings), third, **rate) == right


@pytest.mark.parametrize("make", [list, tuple, iter, lambda ps: (p for p in ps), lambda ps: np.array(ps, object)])
def test_parameters_come_in_lists_and_generators(make):
    model = MLP(2, [1], rng=0)
    optimizer = SGD(make(model.parameters()), 0.1, 0.9)
    assert optimizer.own_parameters == tuple(model.parameters())
    assert (optimizer.lr, optimizer.momentum) == (0.1, 0.9)
    assert SGD(params=make(model.parameters())).own_parameters == optimizer.own_parameters  # PyTorch's word
    assert SGD(lr=0.1, parameters=make(model.parameters())).own_parameters == optimizer.own_parameters


def test_a_rate_comes_first_where_there_are_no_parameters():
    rate = Value(0.5)
    assert (SGD(0.1).lr, SGD(0.1).own_parameters, SGD(rate).lr) == (0.1, None, rate)
    assert AsInPyTorch([Value(1.0)]).lr == 0.05
    with pytest.raises(TypeError, match=r"^ByAnotherName missing 1 required positional argument: 'learning_rate'"):
        ByAnotherName([Value(1.0)])


@pytest.mark.parametrize(
    ("ours", "theirs", "settings"),
    [
        (SGD, "SGD", {"lr": 0.1, "momentum": 0.9}),
        (Adam, "Adam", {"lr": 0.05}),
        (AdamW, "AdamW", {"lr": 0.05}),
        (RMSProp, "RMSprop", {"lr": 0.01}),
    ],
)
def test_a_loop_as_in_pytorch_is_pytorchs(ours, theirs, settings, torch):
    model = MLP(2, [3, 1], activation="tanh", rng=0)
    layers = [torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1)]
    network = torch.nn.Sequential(*layers).double()
    with torch.no_grad():
        for theirs_array, array in zip(network.parameters(), model.state_dict().values(), strict=True):
            theirs_array.copy_(torch.tensor(array))
    x, y = torch.tensor(X, dtype=torch.float64), torch.tensor(Y, dtype=torch.float64)
    oracle, optimizer = (
        getattr(torch.optim, theirs)(network.parameters(), **settings),
        ours(model.parameters(), **settings),
    )
    for _ in range(20):
        loss = ((network(x)[:, 0] - y) ** 2).mean()
        oracle.zero_grad()
        loss.backward()
        oracle.step()
        loss = loss_of(model)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    for array, theirs_array in zip(model.state_dict().values(), network.parameters(), strict=True):
        assert array == pytest.approx(theirs_array.detach().numpy(), rel=1e-11, abs=1e-12)


def test_only_those_that_were_given_move_and_of_these_only_those_that_are_not_frozen():
    model = MLP(2, [3, 1], rng=0)
    optimizer = SGD(model.layers[1].parameters(), lr=0.1)
    model.layers[1].neurons[0].bias.requires_grad = False
    before = dict(zip(model.parameters(), [p.data for p in model.parameters()], strict=True))
    loss_of(model).backward()
    optimizer.step()
    moved = [p for p in model.parameters() if p.data != before[p]]
    assert moved == [*model.layers[1].neurons[0].weights]
    others = [p.grad for p in model.layers[0].parameters()]
    optimizer.zero_grad()
    assert {p.grad for p in model.layers[1].parameters()} == {0.0}
    assert [p.grad for p in model.layers[0].parameters()] == others != [0.0] * len(others)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_trainer_moves_those_that_its_optimizer_was_given(name):
    kind, settings = SETTINGS[name]
    found = []
    for give in (True, False):
        w, v, unread = (Parameter(x) for x in (1.0, 0.5, 2.0))
        program = compile(lambda x, w=w, v=v: (w * x + v) ** 2, backend="numpy")
        optimizer = kind([w, unread], **settings) if give else kind(**settings)
        trainer = program.trainer(optimizer, 2, rng=1, **({} if give else {"parameters": [w, unread]}))
        losses = [trainer.step([1.0, 2.0]), *trainer.run([1.0, 2.0, 3.0], 3, progress=False)["loss"]]
        found.append((losses, w.data, v.data, unread.data, optimizer.steps))
    assert found[0] == found[1]
    assert found[0][2] == 0.5


def test_an_optimizer_shows_how_many_parameters_it_has():
    model = MLP(2, [3, 1], rng=0)
    assert repr(SGD([Value(1.0)], lr=0.1)) == "SGD(1 parameter, lr=0.1, momentum=0.0, nesterov=False, weight_decay=0.0)"
    assert repr(Descent(model.parameters())) == "Descent(13 parameters, lr=0.05, beta=0.5)"


# Wrong calls.

MODEL = MLP(2, [3, 1], rng=0)
W = Value(1.0)
# fmt: off
WRONG = [
    (lambda kind: kind(MODEL), r"takes a list of parameters, got MLP.*; pass parameters\(\)"),
    (lambda kind: kind(MODEL, lr=0.1), r"takes a list of parameters, got MLP.*; pass parameters\(\)"),
    (lambda kind: kind(MODEL.parameters), "takes a list of parameters, got <bound method"),
    (lambda kind: kind([{"params": MODEL.parameters()}]), "got {.*; of groups each has an optimizer"),
    (lambda kind: kind([{"params": MODEL.parameters(), "lr": 0.1}], lr=0.2), "of groups each has an optimizer"),
    (lambda kind: kind(MODEL.parameters(), MODEL.parameters()), r"takes one list of parameters, and got two: join"),
    (lambda kind: kind(MODEL.parameters(), MODEL), r"takes one list of parameters, and got two"),
    (lambda kind: kind(MODEL.parameters(), params=[W]), r"takes one list of parameters, and got two"),
    (lambda kind: kind([]), "got no parameters: the list is empty"),
    (lambda kind: kind(iter(())), "got no parameters: the list is empty, or a generator"),
    (lambda kind: kind([W, W]), "takes each parameter once"),
    (lambda kind: kind(W, lr=0.1), r"takes a list of parameters, got Value\("),
    (lambda kind: kind(MODEL.parameters(), 0.1, lr=0.1), "got multiple values for argument 'lr': it takes \\(lr, "),
    (lambda kind: kind(MODEL.parameters(), speed=0.1), "got an unexpected keyword argument 'speed'"),
    (lambda kind: kind(0.1, speed=0.1), "got an unexpected keyword argument 'speed'"),
    (lambda kind: kind(*[0.5] * 9), "positional arguments but 10 were given"),
    (lambda kind: kind(MODEL.named_parameters()), r"pass parameters\(\), without names"),
    (lambda kind: kind(dict(MODEL.named_parameters())), r"pass list\(dict.values\(\)\)"),
    (lambda kind: kind(MODEL.state_dict()), r"pass list\(dict.values\(\)\)"),
    (lambda kind: kind(set(MODEL.parameters())), "a set has no order: pass a list"),
    (lambda kind: kind(MODEL.layers), r"pass its parameters\(\)"),
    (lambda kind: kind([MODEL.parameters()]), "pass one list, which holds no lists"),
    (lambda kind: kind([0.1, 0.2]), "takes parameters, which are Values, and got 0.1"),
    (lambda kind: kind(np.zeros(3)), "takes parameters, which are Values, and got"),
    (lambda kind: kind(lr=0.1).step(), r".step has no parameters: make the optimizer with them"),
    (lambda kind: kind(lr=0.1).zero_grad(), r".zero_grad has no parameters.*model.zero_grad\(\)"),
    (lambda kind: kind(lr=0.1).state_dict(), r".state_dict has no parameters.*state_dict\(model.parameters\(\)\)"),
    (lambda kind: kind(lr=0.1).load_state_dict({}), ".load_state_dict has no parameters"),
    (lambda kind: kind(lr=0.1).step(MODEL), r".step takes a list of parameters, got MLP.*; pass parameters\(\)"),
    (lambda kind: kind(MODEL.parameters()).step(0.1), ".step takes a list of parameters, got 0.1"),
    (lambda kind: kind(MODEL.parameters()).step(lambda: 1.0), ".step takes a list of parameters, got <function"),
    (lambda kind: kind([W]).load_state_dict([]), r".load_state_dict takes what state_dict\(\) gave, got \[\]"),
]
# fmt: on


@pytest.mark.parametrize("kind", [SGD, Adam, AdamW, RMSProp, Descent])
@pytest.mark.parametrize(("call", "message"), WRONG, ids=range(len(WRONG)))
def test_a_half_right_call_gets_one_short_line_that_begins_with_its_name(call, message, kind):
    with pytest.raises((TypeError, ValueError), match=f"^{kind.__name__}.*{message}") as caught:
        call(kind)
    check_one_line(caught.value, most=200)


@pytest.mark.parametrize(
    "parameters", [MODEL, MODEL.layers, [{"params": [W]}], W, {"w": W}, {W}, [MODEL.parameters()], None, 0.1]
)
def test_clipping_says_what_to_pass_in_one_short_line(parameters):
    with pytest.raises(TypeError, match=r"^clip_grad_norm takes ") as caught:
        clip_grad_norm(parameters, 1.0)
    assert len(str(caught.value)) <= 200


def test_what_a_constructor_of_ones_own_raises_is_raised():
    class Careful(SGD):
        def __init__(self, lr):
            if lr > 1.0:
                raise TypeError("too fast")
            super().__init__(lr)

    with pytest.raises(TypeError, match=r"^too fast$"):
        Careful([W], 2.0)


def test_a_step_of_ones_own_with_another_argument_is_left_alone():
    class Closed(SGD):
        def step(self, closure=None):
            self.closures = [*getattr(self, "closures", ()), closure]

    optimizer = Closed([W])
    optimizer.step()
    optimizer.step(closure=None)
    assert optimizer.closures == [None, None]


# Copies, pickles, and states as plain data.


def pickled(protocol):
    return lambda x: pickle.loads(pickle.dumps(x, protocol))


@pytest.mark.parametrize("copied", [copy.deepcopy, *map(pickled, (1, 2, pickle.HIGHEST_PROTOCOL))])
def test_a_copy_of_a_model_and_its_optimizer_goes_on_alike(copied):
    model = MLP(2, [3, 1], activation="tanh", rng=0)
    optimizer = Adam(model.parameters(), 0.05)
    trained_by_hand(optimizer, model)
    model_2, optimizer_2 = copied((model, optimizer))
    assert optimizer_2.own_parameters == tuple(model_2.parameters())
    assert trained_by_hand(optimizer_2, model_2) == trained_by_hand(optimizer, model)


def test_a_shallow_copy_has_the_same_parameters():
    optimizer = SGD([W], 0.1)
    assert copy.copy(optimizer).own_parameters is optimizer.own_parameters


def in_json(state):
    return json.loads(json.dumps(state))


def by_a_trainer(optimizer, model, steps=4):
    def loss(x, y):
        return (model(x) - y) ** 2

    trainer = compile(loss, backend="numpy").trainer(optimizer)
    for _ in range(steps):
        trainer.step(X, Y)
    return numbers(model), optimizer.state_dict(), optimizer.steps


def by_fit(optimizer, model, steps=4, backend="numpy"):
    model.fit(X, Y, "mse", optimizer, steps, progress=False, backend=backend)
    return [p.data for p in model.parameters()], optimizer.state_dict(), optimizer.steps


WAYS = {
    "by hand": trained_by_hand,
    "a trainer": by_a_trainer,
    "fit": by_fit,
    "fit, eager": partial(by_fit, backend="eager"),
}


@pytest.mark.parametrize("carried", [in_json, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["SGD", "Adam", "a formula of one's own", "a constructor that hands all on"])
def test_a_state_goes_through_json_and_pickle_and_on_to_the_bit(name, way, carried):
    kind, settings = SETTINGS[name]
    model, again = (MLP(2, [3, 1], activation="tanh", rng=0) for _ in range(2))
    optimizer = kind(model.parameters(), **settings)
    WAYS[way](optimizer, model)
    state = carried(optimizer.state_dict())
    again.load_state_dict(model.state_dict())
    for number, p in zip(model.parameters(), again.parameters(), strict=True):
        p.grad = number.grad
    other = kind(again.parameters(), lr=0.75)
    other.load_state_dict(state)
    assert vars(other) | {"state": 0} == vars(optimizer) | {"state": 0}
    assert WAYS[way](other, again) == WAYS[way](optimizer, model)
    assert carried(other.state_dict()) == carried(optimizer.state_dict())


def test_a_state_of_an_optimizer_without_parameters_of_its_own_takes_them():
    w = Value(2.0)
    optimizer = SGD(0.5, momentum=0.5)
    w.grad = 1.0
    optimizer.step([w])
    state = optimizer.state_dict([w])
    assert state["state"] == [[1.0]]
    other, v = SGD(0.1), Value(3.0)
    other.load_state_dict(state, [v])
    assert (other.lr, other.momentum, other.steps, other.state) == (0.5, 0.5, 1, {v: (1.0,)})


def changed(**changes):
    return lambda state: {**state, **changes}


def settings_changed(**changes):
    return lambda state: {**state, "settings": {**state["settings"], **changes}}


MISFITS = {
    "of another optimizer": (changed(optimizer="RMSProp"), "it is that of 'RMSProp'"),
    "of more parameters": (changed(state=[[0.0, 0.0]] * 14), "it remembers 14 parameters, and here are 13"),
    "no list": (changed(state=None), "it remembers None parameters, and here are 13"),
    "too few numbers": (changed(state=[[0.0]] * 13), r"of each parameter it remembers 2 numbers, got \[0.0\]"),
    "text": (changed(state=[["0", "0"]] * 13), "of each parameter it remembers 2 numbers"),
    "half a step": (changed(steps=0.5), "steps is a whole number from 0 on, got 0.5"),
    "fewer than no steps": (changed(steps=-1), "steps is a whole number from 0 on, got -1"),
    "a setting more": (settings_changed(speed=1.0), "unknown speed"),
    "a setting less": (lambda state: {**state, "settings": {"lr": 0.1}}, "missing betas, missing eps"),
    "a rate below 0": (settings_changed(lr=-1.0), "lr=-1.0 is out of range"),
    "a rate in words": (settings_changed(lr="fast"), "lr takes a real number, got 'fast'"),
    "betas out of range": (settings_changed(betas=[2.0, 0.9]), "betas=2.0 is out of range"),
    "one beta": (settings_changed(betas=[0.9]), "there are two"),
    "no settings": (changed(settings=3), "settings is a dict, got 3"),
    "PyTorch's": (lambda state: {"state": {}, "param_groups": []}, "missing optimizer.*unknown param_groups"),
    "nothing": (lambda state: {}, "missing optimizer, missing settings"),
}


@pytest.mark.parametrize("name", MISFITS)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(name):
    change, message = MISFITS[name]
    model = MLP(2, [3, 1], rng=0)
    optimizer = Adam(model.parameters(), 0.05)
    trained_by_hand(optimizer, model)
    before = optimizer.state_dict()
    with pytest.raises(ValueError, match=f"^this state does not fit the Adam: .*{message}") as caught:
        optimizer.load_state_dict(change(copy.deepcopy(before)))
    assert len(str(caught.value)) <= 200
    assert optimizer.state_dict() == before


def test_a_setting_that_is_no_plain_data_is_told_and_not_lost():
    with pytest.raises(TypeError, match=r"^SGD.state_dict holds numbers.*lr is or has a Value: copy or pickle"):
        SGD([W], Value(0.1)).state_dict()


def test_a_module_may_hold_its_optimizer():
    class Learner(Module):
        def __init__(self):
            self.w = Parameter(1.0)
            self.optimizer = SGD([self.w, W], 0.1)

        def __call__(self, x):
            return self.w * x

    learner = Learner()
    assert learner.parameters() == [learner.w]
    learner(2.0).backward()
    learner.optimizer.step()
    assert learner.w.data == 0.8
