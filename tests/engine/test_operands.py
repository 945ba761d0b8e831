"""What comes in as a number, a list of numbers, or a setting: it means what it says, or an error says what to pass."""

import copy
import math
import pickle
import random
from fractions import Fraction
from importlib import import_module

import numpy as np
import pytest

from scalargrad import (
    MLP,
    SGD,
    Adam,
    AdamW,
    RMSProp,
    Value,
    add,
    binary_cross_entropy_with_logits,
    clip_grad_norm,
    compile,
    cross_entropy,
    dot,
    gradients,
    hinge,
    huber,
    jvp,
    logsumexp,
    mean,
    mse,
    take,
)
from scalargrad import sum as total
from scalargrad.losses import l2
from scalargrad.nn import (
    BatchNorm1d,
    CausalSelfAttention,
    Conv2d,
    Dropout,
    Embedding,
    LayerNorm,
    MaxPool2d,
    Neuron,
    Normalize,
    RNNCell,
)
from scalargrad.nn.dense import Layer
from scalargrad.nn.functions import log_softmax, softmax
from scalargrad.ops import OPERATIONS
from scalargrad.schedules import Schedule
from tests.oracles.needed import marked

# Numbers that somebody set.

FOREIGN = [
    np.uint8(200),
    np.int8(-128),
    np.float16(0.3),
    np.float32(0.1),
    np.float64(0.2),
    np.int64(2**62),
    np.array(0.1, "float32"),
    3,
    2**60 + 1,
    True,
    Fraction(1, 3),
]


def computed(op, first, second, set_after):
    """An operation's number, and the gradients by both passes, with a number that is set by hand."""
    x, y = Value(0.0), Value(second)
    x.data = float(first) if set_after else first
    operands = {1: [x], 2: [x, y]}.get(op.scalars) or ([x, y, x] if op.collects else [[x, y, x]])
    operands = [[x, y], [y, x]] if op.name == "dot" else operands
    operands = [1.0, [x, y]] if op.arguments == ("index", "[values]") else operands
    result = op(*operands)
    x.data = first
    slopes = gradients(result, [x, y])
    x.data = first
    result.backward()
    assert type(x.data) is float or not op.partials
    return repr((result.data, x.grad, y.grad, slopes, jvp(result, [x], [1.0])))


@pytest.mark.parametrize("set_after", [False, True])
@pytest.mark.parametrize("op", [op for op in OPERATIONS.values() if op.name != "random"], ids=str)
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")  # NumPy's, of the bytes
def test_numbers_set_by_hand_compute_as_floats(op, set_after):
    for number in FOREIGN:
        for other in (0.1, 300.0, -2.5):
            assert computed(op, number, other, set_after) == computed(op, float(number), other, set_after)


@pytest.mark.parametrize("number", [10**400, -(10**400)], ids=["large", "small"])
def test_a_whole_number_beyond_the_floats_set_by_hand_is_infinite(number):
    def operands():
        x = Value(0.0)
        x.data = number
        return x, Value(2.0)

    x, y = operands()
    expected = add(x, y).data
    assert math.isinf(expected)
    for result in (total([x, y]), dot([x], [y]), dot([y], [x]), dot([x, y], [y, y])):
        assert result.data == expected
    x, y = operands()
    dot([x], [y]).backward()
    assert (x.data, x.grad, y.grad) == (expected, 2.0, expected)


def test_a_number_of_pytorch_set_by_hand_computes_as_a_float(torch):
    x = Value(0.0)
    x.data = torch.tensor(200, dtype=torch.uint8)
    assert (x + x).data == 400.0


def test_what_is_no_number_is_refused_when_it_is_used():
    x, w = Value(1.0), Value(2.0)
    x.data = "3"
    with pytest.raises(TypeError, match=r"\.data takes a real number, got '3'"):
        x + x
    w.grad = None
    with pytest.raises(TypeError, match=r"\.grad .* takes a real number, got None"):
        (w * w).backward()


def test_numbers_set_by_hand_are_compared_and_read_as_floats():
    x = Value(0.0)
    x.data = np.float32(0.1)
    assert x > 0.1  # NumPy compares in float32, where they are equal
    assert float(x) == float(np.float32(0.1))
    x.data = np.uint8(200)
    assert not x < Value(100.0)
    assert copy.copy(x).data == pickle.loads(pickle.dumps(x)).data == 200.0


def test_a_compiled_function_reads_a_number_set_by_hand():
    w = Value(0.0)
    w.data = np.uint8(200)
    program = compile(lambda x: x[0] * (w + w))
    assert program(np.array([[1.0]])) == 400.0
    assert w.data == 200


# Inputs and outputs of derivatives.

W = Value(3.0, "w")
LOSS = W * W


@pytest.mark.parametrize(
    "call",
    [
        lambda: gradients(LOSS, [W.data]),
        lambda: gradients(LOSS, W.data),
        lambda: gradients(LOSS.data, [W]),
        lambda: gradients(LOSS, ["w"]),
        lambda: gradients(LOSS, "w"),
        lambda: gradients(LOSS, None),
        lambda: gradients(None, [W]),
        lambda: gradients(LOSS, [[W]]),
        lambda: gradients(LOSS, {"w": W}),
        lambda: gradients(LOSS, {W}),
        lambda: gradients(LOSS, MLP(1, [1])),
        lambda: gradients(LOSS, (x.data for x in [W])),
        lambda: gradients([LOSS], [W]),
        lambda: jvp(LOSS, [W.data], [1.0]),
        lambda: jvp(LOSS.data, [W], [1.0]),
        lambda: jvp(LOSS, [W], 1.0),
        lambda: jvp(LOSS, [W], ["1.0"]),
        lambda: jvp(LOSS, [W], [None]),
        lambda: jvp(LOSS, [W], {0: 1.0}),
    ],
)
def test_derivatives_are_by_values_and_of_values(call):
    with pytest.raises(TypeError, match=r"^(gradients|jvp)"):
        call()


def test_inputs_may_be_any_iterable_in_order():
    a, b = Value(2.0), Value(5.0)
    assert gradients(a * b, (x for x in (a, b))) == gradients(a * b, {"a": a, "b": b}.values()) == [5.0, 2.0]
    assert gradients(a * b, np.array([a, b])) == [5.0, 2.0]


# Lists of operands.


class Frame:
    """What a DataFrame of polars or another library looks like: walking over it gives something else than its rows."""

    columns = (0, 1, 2)
    shape = (1, 3)

    def __iter__(self):
        return iter(self.columns)

    def __len__(self):
        return 3

    def __getitem__(self, key):
        return key


class Group:
    """A mapping that is not registered as one, as h5py's."""

    def keys(self):
        return ["0", "1", "2"]

    def __iter__(self):
        return iter((0, 1, 2))

    def __len__(self):
        return 3

    def __getitem__(self, key):
        return key


def pandas_frame():
    import pandas

    return pandas.DataFrame([[0.5, -1.0, 2.0]] * 3)


LABELLED = {
    "a dictionary": lambda: {0: 0.5, 1: -1.0, 2: 2.0},
    "its keys": lambda: {0: 0.5, 1: -1.0, 2: 2.0}.keys(),
    "a set": lambda: {0.5, -1.0, 2.0},
    "a frozenset": lambda: frozenset({0.5, -1.0, 2.0}),
    "text": lambda: "012",
    "bytes": lambda: b"012",
    "a table": Frame,
    "a group": Group,
    "a DataFrame": pandas_frame,
}
THREE = [Value(0.5), Value(-1.0), Value(2.0)]
TAKERS = {
    "sum": total,
    "mean": mean,
    "logsumexp": logsumexp,
    "dot, weights": lambda x: dot(x, THREE),
    "dot, inputs": lambda x: dot(tuple(THREE), x),
    "take": lambda x: take(1, x),
    "maximum": OPERATIONS["maximum"],
    "softmax": softmax,
    "log_softmax": log_softmax,
    "l2": l2,
    "mse, predictions": lambda x: mse(x, [1.0, 2.0, 3.0]),
    "mse, targets": lambda x: mse(THREE, x),
    "mse, both": lambda x: mse(x, x),
    "mse, nested": lambda x: mse([x], [[1.0, 2.0, 3.0]]),
    "huber": lambda x: huber(THREE, x),
    "hinge": lambda x: hinge(THREE, x),
    "binary cross-entropy": lambda x: binary_cross_entropy_with_logits(THREE, x),
    "cross_entropy": lambda x: cross_entropy(x, 1),
    "cross_entropy, rows": lambda x: cross_entropy([x], [1]),
    "cross_entropy, labels": lambda x: cross_entropy([THREE] * 3, x),
    "MLP": lambda x: MLP(3, [2, 1])(x),
    "Layer": lambda x: Layer(3, 2)(x),
    "Neuron": lambda x: Neuron(3)(x),
    "Conv2d": lambda x: Conv2d(1, 1, 1)([[x]]),
    "MaxPool2d": lambda x: MaxPool2d(1)([[x]]),
    "RNNCell": lambda x: RNNCell(3, 2)(x),
    "RNNCell, hidden": lambda x: RNNCell(2, 3)([1.0, 2.0], x),
    "CausalSelfAttention": lambda x: CausalSelfAttention(3)([x]),
    "Embedding": lambda x: Embedding(3, 2)(x),
    "LayerNorm": lambda x: LayerNorm(3)(x),
    "BatchNorm1d": lambda x: BatchNorm1d(3).eval()(x),
    "Dropout": lambda x: Dropout(0.5, rng=0)(x),
    "Normalize": lambda x: Normalize(0.0, 1.0)(x),
    "clip_grad_norm": lambda x: clip_grad_norm(x, 1.0),
    "optimizer.step": lambda x: SGD().step(x),
}


@pytest.mark.parametrize("labelled", marked(LABELLED, {"a DataFrame": "pandas"}))
@pytest.mark.parametrize("taker", TAKERS)
def test_nothing_is_computed_from_labels_or_without_an_order(taker, labelled):
    x = LABELLED[labelled]()
    in_words = "." if isinstance(x, str | bytes) else "takes|Neuron|targets"
    with pytest.raises((TypeError, ValueError), match=in_words):
        TAKERS[taker](x)


def test_series_arrays_and_views_are_lists(pandas):
    numbers = [0.5, -1.0, 2.0]
    model = MLP(3, [2, 1], rng=0)
    series = pandas.Series(numbers, index=[7, 5, 6])
    for row in (series, np.array(numbers), dict(enumerate(numbers)).values(), tuple(numbers), iter(numbers)):
        assert model(row).data == model(numbers).data
        row = numbers if not hasattr(row, "__len__") else row
        assert (mean(row), logsumexp(row)) == (mean(numbers), logsumexp(numbers))
    assert mse(THREE, series).data == 0.0
    assert LayerNorm(3)(series)[0].data == LayerNorm(3)(numbers)[0].data


def test_arrays_on_both_sides_of_a_loss_are_subtracted_as_floats():
    predictions, targets = np.array([1, 200], "uint8"), np.array([2, 100], "uint8")
    assert mse(predictions, targets) == mse([1.0, 200.0], [2.0, 100.0])
    rounded = np.array([0.1, 0.7], "float32")
    for loss in (mse, huber, hinge, binary_cross_entropy_with_logits):
        assert loss(rounded, [0.3, 0.9]) == loss(rounded.tolist(), [0.3, 0.9])
    assert huber([1.0], [0.0], delta=np.float32(0.1)) == huber([1.0], [0.0], delta=float(np.float32(0.1)))


@pytest.mark.parametrize(
    "library", [pytest.param(name, marks=pytest.mark.oracle(name.partition(".")[0])) for name in ("torch", "jax.numpy")]
)
def test_targets_may_be_tensors_of_one_dimension(library):
    module = import_module(library)
    tensor = module.asarray([1.0, 0.0, 1.0])
    assert mse(THREE, tensor).data == mse(THREE, [1.0, 0.0, 1.0]).data
    assert cross_entropy(THREE, module.asarray(1)).data == cross_entropy(THREE, 1).data


# Settings.

SETTINGS = {
    "sgd": (SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.3}),
    "rmsprop": (RMSProp, {"lr": 0.1, "alpha": 0.9, "eps": 1e-3, "momentum": 0.7, "weight_decay": 0.1}),
    "adam": (Adam, {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
    "adamw": (AdamW, {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
}
ROUNDED = {
    "float32": np.float32,
    "float16": np.float16,
    "0-d": lambda x: np.array(x, "float32"),
    "torch": lambda x: import_module("torch").tensor(x),
    "Fraction": Fraction,
}


def trained(optimizer, gradient_as=float):
    w = Value(1.0)
    for _ in range(3):
        w.grad = 0.0
        (w * w * w + w).backward()
        w.grad = gradient_as(w.grad)
        optimizer.step([w])
    return w.data


def converted(setting, kind):
    return tuple(map(kind, setting)) if isinstance(setting, tuple) else kind(setting)


@pytest.mark.parametrize("kind", marked(ROUNDED, {"torch": "torch"}))
@pytest.mark.parametrize("name", SETTINGS)
def test_settings_of_other_number_types_round_nothing_else(name, kind):
    rule, settings = SETTINGS[name]
    given = {key: converted(setting, ROUNDED[kind]) for key, setting in settings.items()}
    as_floats = {key: converted(setting, float) for key, setting in given.items()}
    assert trained(rule(**given)) == trained(rule(**as_floats))
    changed = rule()
    for key, setting in given.items():
        setattr(changed, key, setting)
    assert trained(changed) == trained(rule(**as_floats))
    assert set(map(type, (changed.lr, changed.weight_decay))) == {float}


def test_the_rate_of_a_step_and_the_gradients_are_floats_too():
    ends = []
    for kind in (np.float32, lambda x: float(np.float32(x))):
        w = Value(1.0)
        w.grad = kind(0.3)
        SGD().step([w], lr=kind(0.1))
        ends.append(w.data)
    assert ends[0] == ends[1]
    assert trained(Adam(0.1), np.float32) == trained(Adam(0.1), lambda x: float(np.float32(x)))


def test_an_optimizer_of_ones_own_has_settings_of_floats():
    class Half(SGD):
        def __init__(self, part):
            super().__init__(0.1)
            self.part = part

        def update(self, p, g, state, lr, t):
            return p - lr * self.part * g, state

    assert trained(Half(np.float32(0.3))) == trained(Half(float(np.float32(0.3))))


def test_clipping_leaves_floats():
    w = Value(1.0)
    w.grad = np.float32(3.0)
    assert type(clip_grad_norm([w], np.float32(1.0))) is float
    assert type(w.grad) is float


class Tenth(Schedule):
    def factor(self, t, steps):
        return np.float32(0.1)


@pytest.mark.parametrize("options", [{"schedule": Tenth()}, {"l2": np.float32(0.1)}, {}])
def test_the_engines_agree_on_settings_of_float32(options):
    X = np.random.default_rng(0).normal(size=(20, 3))
    ends = []
    for engine in ("eager", "compiled"):
        model = MLP(3, [2, 1], rng=0)
        optimizer = SGD(np.float32(0.1), momentum=np.float16(0.3))
        model.fit(X, X[:, 0], "huber", optimizer, epochs=2, batch_size=8, engine=engine, progress=False, **options)
        ends.append([p.data for p in model.parameters()])
    assert ends[0] == pytest.approx(ends[1], rel=1e-12)


def test_layers_keep_their_settings_as_floats():
    ninth = np.float32(1 / 9)
    layers = [BatchNorm1d(2, ninth, ninth), LayerNorm(2, ninth), Dropout(ninth), Normalize(ninth, ninth)]
    for layer in layers:
        settings = [x for x in vars(layer).values() if isinstance(x, float | np.floating)]
        assert settings
        assert set(map(type, settings)) == {float}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Adam().step(MLP(20, [20, 10])), r"Adam.step takes a list .*parameters\(\)"),
        (lambda: Adam().step([1.0]), "Adam.step takes parameters, which are Values, and got 1.0"),
        (lambda: clip_grad_norm(MLP(2, [1]), 1.0), r"clip_grad_norm takes a list .*parameters\(\)"),
        (lambda: SGD("0.1"), "lr takes a real number, got '0.1'"),
        (lambda: SGD(momentum="0.9"), "momentum takes a real number, got '0.9'"),
        (lambda: Adam(betas=0.9), "betas takes two numbers, got 0.9"),
        (lambda: Adam(eps=None), "eps takes a real number, got None"),
        (lambda: MLP(3, 4), "MLP takes a list of layer sizes as fan_outs, got 4"),
        (lambda: MLP(3, [1], rng=1.5), "rng is a seed"),
        (lambda: Layer(3, 2, "tanh"), "rng is a seed"),
    ],
)
def test_a_wrong_use_is_told_in_a_line(call, words):
    with pytest.raises(TypeError, match=words) as caught:
        call()
    assert len(str(caught.value)) < 500


def test_random_sources_of_other_kinds_still_serve():
    assert MLP(2, [1], rng=random.Random(0)).parameters()[0].data == MLP(2, [1], rng=0).parameters()[0].data


# Masked arrays.

HIDDEN = np.ma.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.25]], mask=[[0, 1], [0, 0], [0, 0]])
NO_MASK = np.zeros(3)


@pytest.mark.parametrize(
    "call",
    [
        lambda: MLP(2, [1]).predict(HIDDEN),
        lambda: MLP(2, [1]).predict(list(HIDDEN)),
        lambda: MLP(2, [1]).fit(HIDDEN, NO_MASK, epochs=1),
        lambda: MLP(2, [1]).fit(HIDDEN.data, HIDDEN[:, 1], epochs=1),
        lambda: MLP(2, [1]).fit(HIDDEN.data, list(HIDDEN), epochs=1),
        lambda: MLP(2, [1]).fit(HIDDEN.data, NO_MASK, epochs=1, sample_weight=HIDDEN[:, 1]),
        lambda: MLP(2, [1]).fit(HIDDEN.data, NO_MASK, epochs=1, validation=(HIDDEN, NO_MASK)),
        lambda: MLP(2, [1]).evaluate(HIDDEN, NO_MASK, loss="mse"),
        lambda: MLP(2, [1])(HIDDEN[0]),
        lambda: MLP(2, [1]).load_state_dict({"layers.0.weight": HIDDEN[:1], "layers.0.bias": [0.0]}),
        lambda: MLP(1, [1]).load_parameters(HIDDEN[0]),
        lambda: compile(lambda x: x[0])(HIDDEN),
        lambda: compile(lambda x: x[0])(list(HIDDEN)),
        lambda: compile(lambda x, y: x[0] - y).backward(HIDDEN.data, HIDDEN[:, 1]),
        lambda: mean(HIDDEN[0]),
        lambda: total(HIDDEN[0]),
        lambda: dot([1.0, 2.0], HIDDEN[0]),
        lambda: mse(HIDDEN[0], [1.0, 2.0]),
        lambda: mse([[1.0, 2.0]], HIDDEN[:1]),
        lambda: cross_entropy(HIDDEN[0], 0),
        lambda: Value(np.ma.masked),
        lambda: Value(1.0) * HIDDEN[0, 1],
        lambda: SGD(lr=np.ma.masked),
    ],
)
def test_numbers_that_a_mask_hides_are_not_computed_with(call):
    with pytest.raises((TypeError, ValueError), match=r"masked[:;] .*fill it in"):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda regressor: regressor.fit(HIDDEN, NO_MASK),
        lambda regressor: regressor.fit(HIDDEN.data, HIDDEN[:, 1]),
        lambda regressor: regressor.partial_fit(HIDDEN.data, NO_MASK).predict(HIDDEN),
    ],
)
def test_the_estimators_see_masks_too(call):
    sklearn = pytest.importorskip("scalargrad.sklearn")
    with pytest.raises(ValueError, match="masked"):
        call(sklearn.MLPRegressor(hidden_layer_sizes=(2,), max_iter=2, n_iter_no_change=5))


def test_a_masked_array_that_hides_nothing_is_an_array():
    shown = np.ma.array(HIDDEN.data)
    model = MLP(2, [1], rng=0)
    assert model.predict(shown).tolist() == model.predict(HIDDEN.data).tolist()
    assert model(shown[0]).data == model(HIDDEN.data[0]).data
    assert mean(shown[0]) == mean(HIDDEN[0].data)
    program = compile(lambda x: x[0] * x[1])
    assert program(shown) == program(HIDDEN.data)
    assert Value(np.ma.array(3.0)).data == 3.0
