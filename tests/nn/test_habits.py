"""Habits from PyTorch and micrograd: forward, children, modules, apply, frozen parameters, nin and nout."""

import copy
import pickle

import numpy as np
import pytest

import scalargrad
from scalargrad import MLP, SGD, Layer, Module, Neuron, Value, compile, load_into, mse, relu
from scalargrad.nn import LSTM, Conv2d, Dropout, Embedding, Flatten, LayerNorm, MaxPool2d, Parameter, Sequential

X, Y = [[0.5, -1.0], [1.0, 2.0], [-0.25, 0.75]], [1.0, -0.5, 0.25]


class Called(Module):
    """What the others are to be: a network with a `__call__`."""

    def __init__(self):
        self.first, self.others = Layer(2, 3, activation="tanh", rng=0), [Dropout(0.5, rng=1), Layer(3, 1, rng=2)]
        self.scale = Parameter(2.0)

    def __call__(self, x, times=1.0):
        return self.others[1](self.others[0](self.first(x))) * self.scale * times


class Forward(Module):
    __init__ = Called.__init__

    def forward(self, x, times=1.0):
        return self.others[1](self.others[0](self.first(x))) * self.scale * times


class Heir(Forward):
    """Another one's forward, in its own."""

    def forward(self, x, times=1.0):
        return super().forward(x, times=times)


class Mixin:
    def forward(self, x, times=1.0):
        return self.others[1](self.others[0](self.first(x))) * self.scale * times


class MixedBefore(Mixin, Module):
    __init__ = Called.__init__


class MixedAfter(Module, Mixin):
    __init__ = Called.__init__


FORWARD = [Forward, Heir, MixedBefore, MixedAfter]


@pytest.mark.parametrize("kind", FORWARD)
def test_a_model_with_a_forward_is_one_with_a_call(kind, tmp_path):
    right, model = Called(), kind()
    for training in (True, False):
        model.train(training), right.train(training)
        assert model(X[0], times=3.0).data == model.forward(X[0], times=3.0).data == right(X[0], times=3.0).data
    for backend in ("eager", "numpy"):
        curves = [
            m.fit(X, Y, optimizer=SGD(0.1), epochs=3, backend=backend, progress=False)["loss"] for m in (model, right)
        ]
        assert curves[0] == curves[1]
        assert model.predict(X, backend=backend).tolist() == right.predict(X, backend=backend).tolist()
    lines = [str(m.summary(X[0])).replace(type(m).__name__, "").split() for m in (model, right)]
    assert lines[0] == lines[1]
    model.save(tmp_path / "m.safetensors")
    again = kind()
    load_into(again, tmp_path / "m.safetensors")
    for other in (again, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other.predict(X, backend="numpy").tolist() == right.predict(X, backend="numpy").tolist()


@pytest.mark.parametrize("kind", FORWARD)
def test_a_forward_is_a_layer_of_others(kind):
    model, right = Sequential(kind(), relu).eval(), Sequential(Called(), relu).eval()
    assert model(X[0]).data == right(X[0]).data
    outer = Module()
    outer.inner = kind()
    found, expected = (compile(lambda x, y, m=m: (m(x) - y) ** 2, backend="numpy") for m in (model, right))
    assert found.value_and_grad(X, Y)[0] == expected.value_and_grad(X, Y)[0]
    assert [name for name, _ in outer.named_parameters()][-1] == "inner.scale"
    program = compile(kind().eval(), backend="numpy")
    assert program(X) == compile(Called().eval(), backend="numpy")(X)


FACTOR = 2.0


class Reading(Module):
    def __init__(self):
        self.w, self.times = Parameter(3.0), 1.0

    def forward(self, x):
        return self.w * x * FACTOR * self.times


def test_a_program_sees_what_a_forward_reads(monkeypatch):
    model = Reading()
    program = compile(model, backend="numpy")
    assert program([1.0]) == 6.0
    monkeypatch.setitem(globals(), "FACTOR", 5.0)
    assert program([1.0]) == 15.0
    model.times = 2.0
    assert program([1.0]) == 30.0


def test_a_refusal_in_a_forward_names_its_line():
    class Branching(Module):
        def __init__(self):
            self.w = Parameter(1.0)

        def forward(self, x):
            return x if self.w * x > 0.0 else -x

    with pytest.raises(scalargrad.TraceError, match=r"^test_habits.py:\d+: "):
        compile(Branching(), backend="numpy")([1.0])


class Both(Module):
    """As people write it: a call that does more than its forward, which subclasses define."""

    def __call__(self, x):
        return self.forward(x) + 1.0

    def forward(self, x):
        return x


class Filled(Both):
    def forward(self, x):
        return super().forward(x) * 2.0


class Template(Module):
    def __call__(self, x):
        return self.forward(x) + 1.0


class FilledTemplate(Template):
    def forward(self, x):
        return x * 2.0


class CalledAgain(Forward):
    def __call__(self, x):
        return 5.0

    def forward(self, x, times=1.0):
        return 6.0


class Doubled(MLP):
    def forward(self, inputs):
        return super().forward(inputs) * 2.0


class DoubledTwice(Doubled):
    def forward(self, inputs):
        return super().forward(inputs) * 2.0


class DoubledByCall(MLP):
    def __call__(self, inputs):
        return super().__call__(inputs) * 2.0


def test_a_call_that_somebody_wrote_comes_first():
    assert (Both()(3.0), Filled()(3.0), FilledTemplate()(3.0), CalledAgain()(1.0)) == (4.0, 7.0, 7.0, 5.0)
    with pytest.raises(AttributeError, match="forward"):
        Template()(1.0)


def test_a_layer_of_the_package_may_be_overridden_by_either_name():
    numbers = [kind(2, [3, 1], rng=0)([1.0, 2.0]).data for kind in (MLP, Doubled, DoubledByCall, DoubledTwice)]
    assert numbers[0] != 0.0
    assert [x / numbers[0] for x in numbers] == [1.0, 2.0, 2.0, 4.0]
    assert Doubled(2, [3, 1], rng=0).predict([[1.0, 2.0]], backend="numpy").tolist() == [numbers[1]]


LAYERS = [
    (Neuron(2, rng=0), [1.0, 2.0]),
    (Layer(2, 3, rng=0), [1.0, 2.0]),
    (MLP(2, [3, 1], rng=0), [1.0, 2.0]),
    (Sequential(Flatten(), Layer(2, 1, rng=0)), [[1.0, 2.0]]),
    (Conv2d(1, 1, 1, rng=0), [[[1.0]]]),
    (MaxPool2d(1), [[[1.0]]]),
    (LayerNorm(2), [1.0, 2.0]),
    (Embedding(3, 2, rng=0), 1),
    (LSTM(2, 1, rng=0), [[1.0, 2.0]]),
]


@pytest.mark.parametrize(("layer", "sample"), LAYERS, ids=lambda x: type(x).__name__)
def test_every_layer_has_both_names(layer, sample):
    assert repr(layer.forward(sample)) == repr(layer(sample))


def test_a_model_with_neither_says_so():
    with pytest.raises(NotImplementedError, match=r"^Module does not say how to compute: define __call__ or forward$"):
        Module()(1.0)


# What is inside of a module.

TREE = {"a": {"x": {}, "y": {"z": {}}}, "b": {}, "c": {"x": {"x": {}}}}


def grown(module, tree):
    for name, inside in tree.items():
        setattr(module, name, grown(type(module)(), inside))
    return module


def test_children_and_modules_come_in_pytorchs_order(torch):
    ours, theirs = grown(Module(), TREE), grown(torch.nn.Module(), TREE)
    theirs.b_again, ours.b_again = theirs.b, ours.b  # shared: it comes once
    theirs.a.shared, ours.a.shared = theirs.c, ours.c
    for walk in ("named_modules", "named_children"):
        assert [name for name, _ in getattr(ours, walk)()] == [name for name, _ in getattr(theirs, walk)()]
    assert list(ours.modules()) == [module for _, module in ours.named_modules()]
    assert list(ours.children()) == [module for _, module in ours.named_children()]
    names = {module: name for name, module in theirs.named_modules()}, {m: name for name, m in ours.named_modules()}
    found = [], []
    assert theirs.apply(lambda module: found[0].append(names[0][module])) is theirs
    assert ours.apply(lambda module: found[1].append(names[1][module])) is ours
    assert found[1] == list(dict.fromkeys(found[0]))  # PyTorch calls it twice for what two modules share


def test_children_lie_in_lists_and_dictionaries_too():
    model = Module()
    model.layers, model.by_name = [Layer(1, 1, rng=0), (MLP(1, [1], rng=0),)], {"norm": LayerNorm(2)}
    assert [name for name, _ in model.named_children()] == ["layers.0", "layers.1.0", "by_name.norm"]
    model.layers[0].parent = model  # a way back
    assert [name for name, _ in model.named_children()] == ["layers.0", "layers.1.0", "by_name.norm"]
    assert [name for name, _ in model.named_modules()][:3] == ["", "layers.0", "layers.0.neurons.0"]
    seen = []
    model.apply(seen.append)
    assert seen[-1] is model
    assert len(seen) == len({*map(id, seen)}) == len(list(model.modules()))


def test_apply_initialises_as_people_do_it():
    def initialise(module):
        if isinstance(module, Layer):
            for parameter in module.parameters():
                parameter.data = 0.5

    model = MLP(2, [3, 1], rng=0)
    assert model.apply(initialise) is model
    assert {parameter.data for parameter in model.parameters()} == {0.5}
    with pytest.raises(TypeError, match=r"^apply takes a function of a module, got 0.5$"):
        model.apply(0.5)


def test_a_model_whose_attributes_bear_these_names_works_all_the_same():
    class Tree(Module):
        def __init__(self, depth):
            self.children = [Tree(depth - 1) for _ in range(2)] if depth else []
            self.w = Parameter(1.0)

        def forward(self, x):
            return self.w * x + sum((child(x) for child in self.children), Value(0.0))

    tree, count = Tree(2), []
    assert tree(1.0).data == 7.0
    assert tree.apply(count.append) is tree
    assert len(count) == 7


def test_a_parameter_may_be_made_frozen():
    frozen, free = Parameter(1.0, requires_grad=False), Parameter(1.0, "w", requires_grad=True)
    assert (frozen.requires_grad, free.requires_grad, Parameter(1.0).requires_grad) == (False, True, True)
    for copied in (copy.deepcopy(frozen), pickle.loads(pickle.dumps(frozen))):
        assert copied.requires_grad is False
    assert free.requires_grad_(False) is free
    assert (free.requires_grad, free.requires_grad_().requires_grad) == (False, True)
    optimizer = SGD([frozen, free], lr=1.0)
    mse([frozen, free], [0.0, 0.0]).backward()
    optimizer.step()
    assert (frozen.data, free.data) == (1.0, 0.0)
    with pytest.raises(TypeError, match=r"^requires_grad is True or False, got 'no'$"):
        Parameter(1.0, requires_grad="no")


# micrograd's words.


def test_sizes_go_by_micrograds_names():
    pairs = [
        (MLP(nin=2, nouts=[4, 1], rng=0), MLP(2, [4, 1], rng=0)),
        (Layer(nin=2, nout=3, nonlin=False, rng=0), Layer(2, 3, nonlin=False, rng=0)),
        (Neuron(nin=2, nonlin=True, rng=0), Neuron(2, rng=0)),
        (MLP(2, nouts=np.array([4, 1]), rng=0), MLP(2, [4, 1], rng=0)),
    ]
    for one, other in pairs:
        assert repr(one) == repr(other)
        assert [p.data for p in one.parameters()] == [p.data for p in other.parameters()]

    class Heir(MLP):
        def __init__(self, nin, nouts):
            super().__init__(nin=nin, nouts=nouts, rng=0)

    assert [p.data for p in Heir(2, [4, 1]).parameters()] == [p.data for p in pairs[0][0].parameters()]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MLP(fan_in=2, nin=2, nouts=[1]), "MLP got both fan_in and nin, which are one argument: pass fan_in"),
        (lambda: MLP(2, [1], nouts=[1]), "got multiple values for argument 'fan_outs'"),
        (lambda: Layer(2, nout=3, fan_out=3), "Layer got both fan_out and nout"),
        (lambda: Neuron(nin=2, fan_in=2), "Neuron got both fan_in and nin"),
        (lambda: Neuron(nout=2), "unexpected keyword argument 'nout'"),
        (lambda: MLP(nin=2), "missing 1 required positional argument: 'fan_outs'"),
    ],
)
def test_a_size_that_comes_by_both_names_is_an_error(make, message):
    with pytest.raises(TypeError, match=message) as caught:
        make()
    assert "__" not in str(caught.value)


def test_micrograds_notebook_runs():
    model = MLP(nin=2, nouts=[4, 4, 1])
    for _ in range(2):
        scores = list(map(model, [list(map(Value, row)) for row in X]))
        losses = [(1 + -label * score).relu() for label, score in zip([1, -1, 1], scores, strict=True)]
        data_loss = sum(losses) * (1.0 / len(losses))
        total = data_loss + 1e-4 * sum(p * p for p in model.parameters())
        model.zero_grad()
        total.backward()
        for p in model.parameters():
            p.data -= 0.1 * p.grad
    assert (total._op, len(total._prev), Value(data=2.0).data) == ("+", 2, 2.0)
