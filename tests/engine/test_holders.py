"""What holds parameters and modules: they are found, named, saved, trained and copied. What would lose some says so."""

import copy
import functools
import gc
import pickle
import threading
import types
import weakref
from collections import ChainMap, Counter, OrderedDict, UserDict, UserList, defaultdict, deque, namedtuple
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
import pytest

import scalargrad
from scalargrad import holders, structure
from scalargrad.engine import Value
from scalargrad.nn import MLP, RNN, BatchNorm1d, Buffer, Dropout, Layer, Module, Neuron, Parameter
from scalargrad.nn import Sequential as Layers
from scalargrad.nn.loading import load_into
from scalargrad.ops import relu
from scalargrad.optim import SGD, Adam

Pair = namedtuple("Pair", ["first", "second"])
X = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.25]])
Y = np.array([0.0, 1.0, 1.0])


def numbers(*shape):
    """Parameters 0.5, 1.0, ... as an array of objects."""
    array = np.empty(shape, dtype=object)
    for place, index in enumerate(np.ndindex(*shape), start=1):
        array[index] = Parameter(0.5 * place)
    return array


def records():
    return np.array([(Parameter(0.5), 2.0)], dtype=[("weight", object), ("scale", float)])


def masked(array):
    return np.ma.array(array, mask=[True, *[False] * (len(array) - 1)])


class Shelf(Mapping):
    """A Mapping that is no dict."""

    def __init__(self, **items):
        self.inside = list(items.items())

    def __getitem__(self, key):
        return dict(self.inside)[key]

    def __iter__(self):
        return (name for name, _ in self.inside)

    def __len__(self):
        return len(self.inside)


class Row(Sequence):
    """A Sequence that is no list."""

    def __init__(self, *items):
        self.items = items

    def __getitem__(self, place):
        return self.items[place]

    def __len__(self):
        return len(self.items)


class Weights(list):
    """A list with a name."""


class Net(Module):
    """Computes with whatever its attribute `w` holds; how it is found is no part of this."""

    def __init__(self, w=None):
        if w is not None:
            self.w = w

    def __call__(self, x):
        weights = [p for p in parts_of(self.w) if isinstance(p, Parameter)]
        return sum(p * (0.5 * place) * x[place % 2] for place, p in enumerate(weights, start=1))


def parts_of(x):
    """All parameters and modules in a holder, by a way of its own."""
    if isinstance(x, Neuron):
        return [x, *x.weights, x.bias]
    if isinstance(x, Layer):
        return [x, *(part for neuron in x.neurons for part in parts_of(neuron))]
    if isinstance(x, Parameter | Module):
        return [x]
    if isinstance(x, np.ndarray):
        return parts_of(np.ma.getdata(x).ravel().tolist())
    if isinstance(x, Mapping):
        return parts_of(list(x.values()))
    if isinstance(x, Sequence) and not isinstance(x, str):
        return [part for item in x for part in parts_of(item)]
    return []


class Own(Net):
    w = [Parameter(9.0)]  # noqa: RUF012

    def __init__(self):
        self.w = (Parameter(0.5), Parameter(1.0))


class Slots(Net):
    __slots__ = ("w", "again")  # noqa: RUF023 (the order of their names)

    def __init__(self):
        self.w = {"b": Parameter(0.5), "a": Parameter(1.0)}
        self.again = self.w["a"]


class Hidden(Net):
    __slots__ = ("__w",)

    def __init__(self):
        self.__w = [Parameter(0.5), Parameter(1.0)]

    w = property(lambda self: self.__w)


@dataclass
class Fields(Net):
    w: list
    size: int = 2


def of_class():
    class OfClass(Net):
        w = (Parameter(0.5), [Parameter(1.0)])

    return OfClass()


def of_a_base():
    class Base(Net):
        w = numbers(2, 2)

    class Derived(Base):
        def __init__(self):
            self.name = "derived"

    return Derived()


def of_a_mixin():
    class Mixin:
        w = Pair((Parameter(0.5),), Layer(2, 1, rng=0))

    class Mixed(Net, Mixin):
        pass

    return Mixed()


def held(make):
    return lambda: Net(make())


LAYER = ["neurons.0.weights.0", "neurons.0.weights.1", "neurons.0.bias"]
# What builds a model, the names of its parameters, the shapes of its arrays.
HELD = {
    "parameter": (held(lambda: Parameter(0.5)), ["w"], {"w": ()}),
    "list": (held(lambda: list(numbers(2))), ["w.0", "w.1"], {"w": (2,)}),
    "list of unequal lists": (
        held(lambda: [list(numbers(1)), list(numbers(2))]),
        ["w.0.0", "w.1.0", "w.1.1"],
        {"w.0": (1,), "w.1": (2,)},
    ),
    "lists that differ further in": (
        held(lambda: [numbers(2, 1).tolist(), numbers(2, 2).tolist()]),
        ["w.0.0.0", "w.0.1.0", "w.1.0.0", "w.1.0.1", "w.1.1.0", "w.1.1.1"],
        {"w.0": (2, 1), "w.1": (2, 2)},
    ),
    "list of parameters and others": (
        held(lambda: [2.0, Parameter(0.5), None, "text", Value(3.0)]),
        ["w.1"],
        {"w.1": ()},
    ),
    "list of a class of one's own": (held(lambda: Weights(numbers(2))), ["w.0", "w.1"], {"w": (2,)}),
    "tuple": (held(lambda: tuple(numbers(2))), ["w.0", "w.1"], {"w": (2,)}),
    "tuple of tuples": (
        held(lambda: tuple(map(tuple, numbers(2, 2)))),
        ["w.0.0", "w.0.1", "w.1.0", "w.1.1"],
        {"w": (2, 2)},
    ),
    "named tuple": (held(lambda: Pair(*numbers(2))), ["w.0", "w.1"], {"w": (2,)}),
    "dict": (held(lambda: dict(zip("ba", numbers(2), strict=True))), ["w.b", "w.a"], {"w.b": (), "w.a": ()}),
    "dict of lists": (
        held(lambda: {"a": list(numbers(2)), "b": list(numbers(1))}),
        ["w.a.0", "w.a.1", "w.b.0"],
        {"w.a": (2,), "w.b": (1,)},
    ),
    "dict of numbers as keys": (held(lambda: dict(enumerate(numbers(2)))), ["w.0", "w.1"], {"w.0": (), "w.1": ()}),
    "dict of keys with dots": (held(lambda: {"a.b": Parameter(0.5), 1.5: Parameter(1.0)}), ["w.a.b", "w.1.5"], None),
    "ordered dict": (held(lambda: OrderedDict(b=Parameter(0.5), a=Parameter(1.0))), ["w.b", "w.a"], None),
    "default dict": (held(lambda: defaultdict(list, a=list(numbers(2)))), ["w.a.0", "w.a.1"], {"w.a": (2,)}),
    "counter": (held(lambda: Counter(a=Parameter(0.5))), ["w.a"], {"w.a": ()}),
    "deque": (held(lambda: deque(numbers(2))), ["w.0", "w.1"], {"w": (2,)}),
    "user's dict": (held(lambda: UserDict(a=Parameter(0.5))), ["w.a"], {"w.a": ()}),
    "user's list": (held(lambda: UserList(numbers(2))), ["w.0", "w.1"], {"w": (2,)}),
    "chain of dicts": (held(lambda: ChainMap({"a": Parameter(0.5)}, {"b": Parameter(1.0)})), ["w.b", "w.a"], None),
    "mapping of one's own": (held(lambda: Shelf(b=Parameter(0.5), a=Parameter(1.0))), ["w.b", "w.a"], None),
    "sequence of one's own": (held(lambda: Row(*numbers(2))), ["w.0", "w.1"], None),
    "array": (held(lambda: numbers(3)), ["w.0", "w.1", "w.2"], {"w": (3,)}),
    "matrix": (held(lambda: numbers(2, 2)), ["w.0.0", "w.0.1", "w.1.0", "w.1.1"], {"w": (2, 2)}),
    "matrix, transposed": (held(lambda: numbers(1, 2).T), ["w.0.0", "w.1.0"], {"w": (2, 1)}),
    "array of three axes": (held(lambda: numbers(1, 2, 1)), ["w.0.0.0", "w.0.1.0"], {"w": (1, 2, 1)}),
    "array without axes": (held(lambda: numbers()), ["w"], {"w": ()}),
    "array with gaps": (
        held(lambda: np.array([[Parameter(0.5), None], [0.0, Parameter(1.0)]])),
        ["w.0.0", "w.1.1"],
        {"w.0.0": (), "w.1.1": ()},
    ),
    "masked array": (held(lambda: masked(numbers(2))), ["w.0", "w.1"], {"w": (2,)}),
    "array of records": (held(records), ["w.0.0"], {"w.0.0": ()}),
    "list of arrays": (
        held(lambda: [numbers(2), numbers(2)]),
        ["w.0.0", "w.0.1", "w.1.0", "w.1.1"],
        {"w": (2, 2)},
    ),
    "dict of matrices": (held(lambda: {"a": numbers(1, 2)}), ["w.a.0.0", "w.a.0.1"], {"w.a": (1, 2)}),
    "deque of tuples": (held(lambda: deque([tuple(numbers(1))] * 2)), ["w.0.0"], {"w": (2, 1)}),
    "modules in an array": (
        held(lambda: np.array([Layer(2, 1, rng=0), Layer(2, 1, rng=1)])),
        [f"w.{place}.{name}" for place in (0, 1) for name in LAYER],
        {f"w.{place}.{name}": shape for place in (0, 1) for name, shape in (("weight", (1, 2)), ("bias", (1,)))},
    ),
    "a module in an array without axes": (
        held(lambda: np.array(Layer(2, 1, rng=0), dtype=object)),
        [f"w.{name}" for name in LAYER],
        {"w.weight": (1, 2), "w.bias": (1,)},
    ),
    "modules in a dict of deques": (
        held(lambda: {"a": deque([Dropout(0.5, rng=0), Layer(2, 1, rng=0)])}),
        [f"w.a.1.{name}" for name in LAYER],
        {"w.a.1.weight": (1, 2), "w.a.1.bias": (1,)},
    ),
    "attribute over one of the class": (Own, ["w.0", "w.1"], {"w": (2,)}),
    "slots": (Slots, ["w.b", "w.a"], {"w.b": (), "w.a": (), "again": ()}),
    "a slot of a private name": (Hidden, ["_Hidden__w.0", "_Hidden__w.1"], {"_Hidden__w": (2,)}),
    "dataclass": (lambda: Fields(list(numbers(2))), ["w.0", "w.1"], {"w": (2,)}),
    "class": (of_class, ["w.0", "w.1.0"], {"w.0": (), "w.1": (1,)}),
    "class of a base": (of_a_base, ["w.0.0", "w.0.1", "w.1.0", "w.1.1"], {"w": (2, 2)}),
    "class of a mixin": (
        of_a_mixin,
        ["w.0.0", *(f"w.1.{name}" for name in LAYER)],
        {"w.0": (1,), "w.1.weight": (1, 2), "w.1.bias": (1,)},
    ),
}
every_holder = pytest.mark.parametrize("name", HELD)


@every_holder
def test_parameters_are_found_and_named(name):
    build, names, _ = HELD[name]
    model = build()
    parameters = list(dict.fromkeys(p for p in parts_of(model.w) if isinstance(p, Parameter)))
    assert [found for found, _ in model.named_parameters()] == names
    assert [id(p) for _, p in model.named_parameters()] == [id(p) for p in model.parameters()]
    assert set(model.parameters()) == set(parameters)
    if name != "slots":  # there the second name is the last one given
        assert [p.label for p in model.parameters()] == names


@every_holder
def test_modules_are_found(name):
    model = HELD[name][0]()
    inside = [part for part in parts_of(model.w) if isinstance(part, Module)]
    assert [id(module) for module in model.modules()] == [id(model), *map(id, inside)]
    model.eval()
    assert not any(module.training for module in inside)
    model.train()
    assert all(module.training for module in inside)
    model.predict(X)
    assert all(module.training for module in inside)


@every_holder
def test_state_is_saved_and_loaded(name, tmp_path):
    build, _, shapes = HELD[name]
    model = build()
    state = model.state_dict()
    if shapes is not None:
        assert {key: array.shape for key, array in state.items()} == shapes
    assert all(array.dtype == np.float64 for array in state.values())
    before = [p.data for p in model.parameters()]
    assert sorted(set(np.concatenate([array.ravel() for array in state.values()]))) == sorted(set(before))
    model.save(tmp_path / "m.safetensors")
    for p in model.parameters():
        p.data += 1.0
    changed = [p.data for p in model.parameters()]
    model.load_state_dict(state)
    assert [p.data for p in model.parameters()] == before
    model.load_state_dict({key: array + 1.0 for key, array in state.items()})
    assert [p.data for p in model.parameters()] == changed
    load_into(model, tmp_path / "m.safetensors")
    assert [p.data for p in model.parameters()] == before


@pytest.mark.sampled(7)
@every_holder
@pytest.mark.parametrize("optimizer", [SGD, Adam])
def test_fit_moves_them_alike_in_every_engine(name, optimizer):
    ends = []
    for engine in ("eager", "compiled"):
        model = HELD[name][0]()
        before = [p.data for p in model.parameters()]
        model.fit(X, Y, "mse", optimizer(0.01), epochs=3, l2=1e-3, engine=engine, progress=False)
        ends.append([p.data for p in model.parameters()])
        assert all(a != b for a, b in zip(before, ends[-1], strict=True))
    np.testing.assert_allclose(*ends, rtol=1e-9)


@every_holder
def test_zero_grad_reaches_them(name):
    model = HELD[name][0]()
    model([1.0, 2.0]).backward()
    assert all(p.grad for p in model.parameters())
    model.zero_grad()
    assert not any(p.grad for p in model.parameters())


@every_holder
def test_copies_have_their_own(name):
    """Attributes of a class are shared by copies, as by all of its objects."""
    model = HELD[name][0]()
    other = copy.deepcopy(model)
    shared = name.startswith("class")
    assert [found for found, _ in other.named_parameters()] == [found for found, _ in model.named_parameters()]
    assert [p.data for p in other.parameters()] == [p.data for p in model.parameters()]
    assert set(other.parameters()).isdisjoint(model.parameters()) is not shared
    if not name.startswith("class"):  # these classes are made in functions
        again = pickle.loads(pickle.dumps(model))
        assert [p.data for p in again.parameters()] == [p.data for p in model.parameters()]


def test_a_copy_that_was_not_saved_has_what_its_class_has():
    model = HELD["class"][0]()
    model.w[0].data = 7.0
    assert copy.copy(model).parameters()[0].data == copy.deepcopy(model).parameters()[0].data == 7.0


def test_state_is_float64_whatever_the_numbers_are():
    model = Net([Parameter(1.0), Parameter(2.0)])
    model.w[0].data, model.w[1].data = 3, 4
    state = model.state_dict()["w"]
    assert (state.dtype, state.tolist()) == (np.float64, [3.0, 4.0])


@pytest.mark.parametrize(
    ("make", "inside"),
    [
        (lambda: Layer(2, 2, rng=0), lambda layer: layer),
        (lambda: Layer(2, 2, rng=0), lambda layer: layer.neurons[1]),
        (lambda: MLP(2, [2, 1], rng=0), lambda mlp: mlp),
        (lambda: MLP(2, [2, 1], rng=0), lambda mlp: mlp.layers[1]),
        (lambda: RNN(2, 2, rng=0), lambda rnn: rnn),
        (lambda: RNN(2, 2, rng=0), lambda rnn: rnn.cells[0]),
        (lambda: Layers(Layer(2, 2, rng=0)), lambda layers: layers.layers[0]),
        (lambda: BatchNorm1d(2), lambda layer: layer),
    ],
)
def test_what_is_added_to_a_layer_is_saved_with_it(make, inside, tmp_path):
    models = make(), make()
    for number, model in enumerate(models, start=1):
        inside(model).gain, inside(model).gains = Parameter(float(number)), numbers(2)
        inside(model).gate = Neuron(2, rng=0)
    assert len(models[0].state_dict()) == len(make().state_dict()) + 4
    models[0].save(tmp_path / "m.safetensors")
    load_into(models[1], tmp_path / "m.safetensors")
    assert inside(models[1]).gain.data == 1.0


def test_a_parameter_that_a_class_forgets_to_name_is_not_lost_in_files(tmp_path):
    class Forgetful(Net):
        def named_arrays(self):
            yield "weight", self.w

    model = Net([Forgetful(Parameter(1.0))])
    assert model.state_dict().keys() == {"w.0.weight"}
    model.w[0].gain = Parameter(2.0)
    for use in (model.state_dict, lambda: model.save(tmp_path / "m.safetensors"), lambda: model.load_state_dict({})):
        with pytest.raises(ValueError, match=r"w\.0\.gain is in no array of this Net, and would not be saved"):
            use()


def test_names_and_state_are_those_of_pytorch(torch):
    peer = torch.nn.Module()
    parameter = lambda *shape: torch.nn.Parameter(torch.zeros(shape, dtype=torch.float64))  # noqa: E731
    peer.W = parameter(2, 3)
    peer.row = torch.nn.ParameterList([parameter(), parameter()])
    peer.named = torch.nn.ParameterDict({"b": parameter(), "a": parameter()})
    peer.blocks = torch.nn.ModuleDict({"x": torch.nn.ModuleList([torch.nn.Linear(2, 1, dtype=torch.float64)])})
    peer.tied = peer.blocks["x"][0]
    model = Net()
    model.W = numbers(2, 3)
    model.row = [Parameter(0.0), 0.0, Parameter(0.0)]  # of single ones: of all one makes an array
    model.row.pop(1)
    model.named = {"b": Parameter(0.0), "a": Parameter(0.0)}
    model.blocks = {"x": [Layer(2, 1, rng=0)]}
    model.tied = model.blocks["x"][0]
    state = peer.state_dict()
    state["row"] = torch.stack([state.pop("row.0"), state.pop("row.1")])
    assert {name: tuple(array.shape) for name, array in state.items()} == {
        name: array.shape for name, array in model.state_dict().items()
    }
    model.load_state_dict(state)
    assert len(model.parameters()) == sum(p.numel() for p in peer.parameters())  # the tied ones once
    assert [p.data for p in model.tied.neurons[0].weights] == peer.tied.weight[0].tolist()


def test_a_shared_parameter_comes_once_wherever_it_is():
    shared = Parameter(1.0)
    model = Net([shared, {"a": shared}, np.array([shared, shared]), (shared,)])
    model.again, model.twice = shared, [Net(shared), Net(shared)]
    assert model.parameters() == [shared]
    assert [name for name, _ in model.named_parameters()] == ["w.0"]
    assert len({id(p) for p in copy.deepcopy(model).parameters()}) == 1
    model.load_state_dict({name: array + 1.0 for name, array in model.state_dict().items()})
    assert shared.data == 2.0


def test_the_matrices_of_the_readme_are_trained():
    class Matrices(Module):
        def __init__(self):
            random = np.random.default_rng(0)
            self.W = np.vectorize(Parameter, otypes=[object])(random.normal(size=(3, 2)))
            self.V = np.vectorize(Parameter, otypes=[object])(random.normal(size=3))

        def __call__(self, x):
            hidden = self.W @ np.array(x, dtype=object)
            return self.V @ np.array([relu(h) for h in hidden], dtype=object)

    ends = []
    for engine in ("eager", "compiled"):
        model = Matrices()
        history = model.fit(X, Y, "mse", SGD(0.05), epochs=20, engine=engine, progress=False)
        assert history["loss"][-1] < 0.9 * history["loss"][0]
        ends.append([p.data for p in model.parameters()])
    np.testing.assert_allclose(*ends, rtol=1e-9)
    assert [p.label for p in model.W[1]] == ["W.1.0", "W.1.1"]
    program = scalargrad.compile(lambda x, y: (model(x) - y) ** 2)
    program.backward(X, Y)
    model.W[0, 0] = Parameter(5.0)
    np.testing.assert_allclose(model.predict(X), model.predict(X, engine="eager"), rtol=1e-12)


@pytest.mark.parametrize(
    ("loss", "targets"),
    [
        ("mse", X[:, ::-1]),
        ("huber", X[:, ::-1]),
        ("cross_entropy", np.array([0, 1, 0])),
        (lambda outputs, target: scalargrad.sum([o * o for o in outputs]) + target, Y),
    ],
)
def test_a_model_may_return_an_array(loss, targets):
    class Linear(Module):
        def __init__(self):
            self.W = numbers(2, 2)

        def __call__(self, x):
            return self.W @ np.array(x, dtype=object)

    found = []
    for engine in ("eager", "compiled"):
        model = Linear()
        history = model.fit(X, targets, loss, SGD(0.01), epochs=3, engine=engine, progress=False)
        evaluation = model.evaluate(X, targets, loss, engine=engine)
        predictions = model.predict(X, engine=engine)
        assert len(predictions) == 3
        found.append([*history["loss"], evaluation.loss, *predictions.ravel(), *(p.data for p in model.parameters())])
    np.testing.assert_allclose(*found, rtol=1e-9)


# Circles.


def test_circles_end():
    model, row, table = Net(Parameter(1.0)), [Parameter(2.0)], {}
    row.append(row)
    table |= {"again": table, "model": model}
    model.me, model.row, model.table = model, row, table
    assert [name for name, _ in model.named_parameters()] == ["w", "row.0"]
    assert model.state_dict().keys() == {"w", "row.0"}
    assert list(model.modules()) == [model]
    assert [p.label for p in model.parameters()] == ["w", "row.0"]
    assert "2 parameters" in repr(model)
    assert len(copy.deepcopy(model).parameters()) == 2
    array = np.empty(2, dtype=object)
    array[:] = [array, Parameter(3.0)]
    model.array = array
    assert len(model.parameters()) == len(model.state_dict()) == 3
    model.array = None
    array[0] = None  # NumPy's arrays are not collected in circles


def test_a_way_back_changes_no_names():
    model = Net(Net(Parameter(1.0)))
    model.w.parents, model.own = [model], Parameter(2.0)
    model.w.parent = model
    assert [name for name, _ in model.named_parameters()] == ["w.w", "own"]
    assert [p.label for p in model.parameters()] == ["w.w", "own"]
    assert len(model.w.parameters()) == 2


def test_modules_that_all_know_each_other_are_walked_through_once():
    peers = [Net(Parameter(float(place))) for place in range(30)]
    for peer in peers:
        peer.peers = peers
    assert len(peers[0].parameters()) == len(peers[0].state_dict()) == len(list(peers[0].modules())) == 30
    assert len(dict(peers[7].named_parameters())) == 30


def test_a_long_chain_of_modules_is_walked_through():
    model = None
    for _ in range(5000):
        model, inner = Net(), model
        vars(model).update(w=Parameter(1.0), inner=inner)  # each name in turn would be as long as the chain
    assert len(model.parameters()) == len(list(model.modules())) == 5000
    while model is not None:  # a chain as long as this is not freed at once
        model = vars(model).pop("inner")


# What would be lost.


class Plain:
    def __init__(self, net):
        self.net = net


class Slotted:
    __slots__ = ("net",)

    def __init__(self, net):
        self.net = net


@dataclass
class Task:
    net: object


class Named(dict):
    """A dict with an attribute."""

    def __init__(self, net):
        self.net = net


def in_a_thread(x):
    local = threading.local()
    local.net = x
    return local


def of_its_class(x):
    return type("Configured", (), {"net": x, "__module__": "user"})()


KEPT = deque(maxlen=1)  # what only weak references lead to


def kept(x):
    KEPT.append(x)
    return x


# What holds something where it is not found, and how the error calls it.
LOST = {
    "set": (lambda x: {x}, "a set, which has no order"),
    "frozenset": (lambda x: frozenset([x]), "a frozenset, which has no order"),
    "set in lists in a dict": (lambda x: {"a": [{x}]}, "a set, which has no order"),
    "plain object": (Plain, "a Plain"),
    "object in a list": (lambda x: [1.0, Plain(x)], "a Plain"),
    "object in an array": (lambda x: np.array([Plain(x), None], dtype=object), "a Plain"),
    "object in an object": (lambda x: Plain({"a": [Slotted(x)]}), "a Plain"),
    "object with slots": (Slotted, "a Slotted"),
    "object of a class that has it": (of_its_class, "a Configured"),
    "class": (lambda x: type(of_its_class(x)), "the class Configured"),
    "dataclass": (Task, "a Task"),
    "namespace": (lambda x: types.SimpleNamespace(net=x), "a SimpleNamespace"),
    "array of an object": (lambda x: Plain(np.array([x, None], dtype=object)), "a Plain"),
    "read-only dict": (lambda x: types.MappingProxyType({"net": x}), "a mappingproxy"),
    "view of a dict": (lambda x: {"net": x}.values(), "a dict_values"),
    "key of a dict": (lambda x: {x: 1.0}, "a dict with objects as keys"),
    "part of a key": (lambda x: {(x, 1): 1.0}, "a dict with objects as keys"),
    "attribute of a dict": (Named, "a Named"),
    "partial": (lambda x: functools.partial(print, x), "a partial"),
    "method": (lambda x: x.__repr__, "a method"),
    "iterator": (lambda x: iter([x]), "a list_iterator"),
    "thread's own": (in_a_thread, "a _local"),
    "weak reference": (lambda x: weakref.ref(kept(x)), "a weak reference"),
    "weak proxy": (lambda x: weakref.proxy(kept(x)), "a weak reference"),
    "weak set": (lambda x: weakref.WeakSet([kept(x)]), "a WeakSet, which has no order"),
    "weak values": (lambda x: weakref.WeakValueDictionary(net=kept(x)), "a WeakValueDictionary"),
    "weak keys": (lambda x: weakref.WeakKeyDictionary({kept(x): 1.0}), "a WeakKeyDictionary"),
}
PARTS = {
    "parameter": lambda: Parameter(1.0),
    "layer": lambda: Layer(2, 1, rng=0),
    "module without parameters": lambda: Dropout(0.5, rng=0),
    "buffer": lambda: Buffer(1.0),
}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", LOST)
def test_what_would_be_lost_is_told(name, part, tmp_path):
    hide, words = LOST[name]
    x = PARTS[part]()
    if "weak" in name and isinstance(x, Value):
        return  # there are no weak references to Values
    model = Net(Parameter(1.0))
    model.helper = hide(x)
    uses = [
        model.parameters,
        lambda: list(model.named_parameters()),
        model.zero_grad,
        model.state_dict,
        lambda: model.load_state_dict({}),
        lambda: model.save(tmp_path / "m.safetensors"),
        lambda: model.summary([1.0, 2.0]),
        lambda: model.fit(X, Y, epochs=1, progress=False),
    ]
    for use in uses:
        with pytest.raises(TypeError) as error:
            use()
        message = str(error.value)
        assert message.startswith("Net.helper")
        assert f" is {words}: parameters() does not find the {type(x).__name__} in it" in message
        assert "list" in message
        assert "\n" not in message
        assert len(message) < 350
    assert not list(tmp_path.iterdir())
    assert repr(model) == "Net, 1 parameter"
    model.found = x  # now it is not lost: the object only leads to it, too
    assert x in [*model.parameters(), *model.modules(), model.found]
    model.state_dict()


def test_the_error_names_the_place():
    model = Net({"a": [Parameter(1.0), np.array([[None, Plain(Layer(2, 1, rng=0))]], dtype=object)]})
    with pytest.raises(TypeError, match=r"^Net\.w\.a\.1\.0\.1 is a Plain: .* the Layer in it.* Make Plain a Module"):
        model.parameters()
    outer = Net([model])
    with pytest.raises(TypeError, match=r"^Net\.w\.0\.w\.a\.1\.0\.1 is a Plain"):
        outer.parameters()


def test_a_way_back_is_no_loss():
    model = Net([Net(Parameter(1.0)), Net(Parameter(2.0))])
    head = model.w[0]
    model.task = Plain(model)
    model.task.own = [model.w[1], model.w[0].w, Layers(*model.w)]  # a module whose parameters all are found
    head.parent, head.task, head.up = weakref.ref(model), Plain(model), weakref.proxy(model)
    model.task.whole = Net([model.w[0].w, model.w[1].w])
    model.task.whole.fit(X, Y, "binary_cross_entropy", epochs=1, progress=False)  # it keeps programs with buffers
    model.step = model.w[0].__call__
    model.frozen = {model.w[1].w}
    assert len(model.parameters()) == 2
    assert len(head.parameters()) == 1
    model.task.other = Net(Parameter(3.0))
    with pytest.raises(TypeError, match=r"^Net\.task is a Plain"):
        model.parameters()


def test_functions_hold_what_is_not_to_be_trained():
    teacher, model = Layer(2, 1, rng=0), Net(Parameter(1.0))
    model.teacher = lambda x: teacher(x)
    model.cached = functools.lru_cache(lambda: teacher)
    model.program = scalargrad.compile(lambda x, y: (teacher(x) - y) ** 2)
    model.program.backward(X, Y)
    model.trainer = model.program.trainer(Adam())
    model.trainer.run(X, Y, epochs=1)
    model.optimizer = Adam()
    teacher.fit(X, Y, optimizer=model.optimizer, epochs=1, engine="eager", progress=False)
    model.picture, model.loss = scalargrad.draw(teacher([1.0, 2.0])), teacher([1.0, 2.0])
    assert model.parameters() == [model.w]
    model.optimizer.net = teacher
    with pytest.raises(TypeError, match=r"^Net\.optimizer is a Adam"):
        model.parameters()


def test_what_comes_later_is_noticed():
    model = Net(Parameter(1.0))
    model.helper, model.parts = Plain([0.0]), set()
    assert len(model.parameters()) == 1
    model.helper.net[0] = Parameter(2.0)
    with pytest.raises(TypeError, match=r"Net\.helper"):
        model.parameters()
    model.helper.net = [Plain(place) for place in range(holders.MANY)]
    assert len(model.parameters()) == 1
    model.helper.net.append(Layer(2, 1))
    with pytest.raises(TypeError, match=r"Net\.helper"):
        model.parameters()
    type(model).late = Parameter(3.0)
    try:
        model.helper = None
        assert [name for name, _ in model.named_parameters()] == ["w", "late"]
    finally:
        del Net.late


@pytest.mark.parametrize(
    ("table", "called"),
    [
        ({1: Parameter(1.0), "1": Parameter(2.0)}, "parameters of this Net are called w.1"),
        ({"a": {"b": Parameter(1.0)}, "a.b": Parameter(2.0)}, "parameters of this Net are called w.a.b"),
        ({"a": {"b": [Parameter(1.0)]}, "a.b": Parameter(2.0)}, "arrays of this Net are called w.a.b"),
        ({"a": [Parameter(1.0)], "a.0": Parameter(2.0)}, "parameters of this Net are called w.a.0"),
        ({True: Buffer(1.0), "True": Parameter(2.0)}, "parameters of this Net are called w.True"),
        ({"a": Net(Parameter(1.0)), "a.w": Parameter(2.0)}, "parameters of this Net are called w.a.w"),
        ([UserDict({None: Parameter(1.0), "None": Parameter(2.0)})], "parameters of this Net are called w.0.None"),
    ],
)
def test_two_of_one_name_are_refused(table, called):
    model = Net(table)
    for use in (model.parameters, lambda: list(model.named_parameters()), model.state_dict, model.zero_grad):
        with pytest.raises(ValueError, match=f"two {called}: .* use a list"):
            use()
    with pytest.raises(ValueError, match=f"two {called}"):
        model.load_state_dict({})


def test_a_parameter_under_two_keys_of_one_name_is_no_loss():
    p = Parameter(1.0)
    model = Net({"a": {"b": [p]}, "a.b.0": p})
    assert model.parameters() == [p]


# What it costs.


def test_nobody_asks_a_lazy_mapping_or_sequence_for_its_items():
    asked = count()

    class Files(Shelf):
        def __getitem__(self, key):
            next(asked)
            return super().__getitem__(key)

    class Samples(Row):
        def __getitem__(self, place):
            next(asked)
            return super().__getitem__(place)

    model = Net(Parameter(1.0))
    model.files, model.samples = Files(a="text", b=2.0), Samples(1.0, "two")
    assert len(model.parameters()) == 1
    assert next(asked) == 0


def test_numbers_and_texts_of_any_kind_hide_nothing():
    plain = [np.float64(1.0), np.int8(2), np.datetime64("2024-01-01"), np.str_("a"), 1j, b"", relu, None]
    model = Net([Parameter(1.0), *plain])
    model.more = {"array": np.zeros((2, 3)), "row": list(np.zeros(3)), "table": {"a": np.float32(1.0)}, "op": relu}
    assert [type(x) for x in holders.inventory([model]).others] in ([], [np.str_])  # text of NumPy's is a class of it
    assert len(model.parameters()) == 1


def test_much_that_hides_nothing_is_looked_at_once():
    model = Net(Parameter(1.0))
    model.data = Plain([Plain(place) for place in range(holders.MANY)])
    assert model.parameters() == [model.w]
    found = holders.inventory([model])
    looked = holders.refuse_lost(model, found)
    assert looked > holders.MANY
    assert holders.noted(model, "searched") == structure._changes[0]
    assert "searched" not in repr(copy.deepcopy(model).__getstate__())


def test_the_search_leaves_nothing_behind():
    model = Net(numbers(2, 2))
    model.helper = Plain([1.0, 2.0])
    model.parameters(), model.state_dict(), list(model.modules())
    gone = weakref.ref(model.helper)
    model.helper = None
    gc.collect()
    assert gone() is None
