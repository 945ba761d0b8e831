"""`fit` on sequences of different lengths: one history on every backend, PyTorch's, resumed; predictions; errors."""

import numpy as np
import pytest

from scalargrad import MLP, SGD, Adam, AdamW, Checkpoint, Module, cross_entropy, ops
from scalargrad.compiler.programs import MOST_SHAPES
from scalargrad.nn import Dropout, Parameter
from scalargrad.nn.recurrent import RNN
from tests.oracles.sequences import batches_of_shapes

LENGTHS = [3, 6, 4, 3, 5, 3, 6, 4, 3, 3, 5, 4, 3, 4]
SHAPES = [(length, 2) for length in LENGTHS]


def sequences(*inner, seed=0, lengths=LENGTHS):
    source = np.random.default_rng(seed)
    return [source.normal(size=(length, *inner)) for length in lengths]


X = sequences(2)
NUMBERS = np.array([x[:, 0].sum() for x in X])
LABELS = np.array([int(x.sum() > 0.0) + (len(x) > 4) for x in X])
PER_POSITION = [np.cumsum(x[:, 0]) for x in X]
WEIGHTS = np.linspace(0.0, 2.0, len(X))


class Reader(Module):
    """A recurrent network; what it makes of the last state or, for `each`, of every state, is `outputs` numbers."""

    def __init__(self, outputs=1, each=False, dropout=0.0, rng=0):
        self.rnn, self.head = RNN(2, 2, rng=rng), MLP(2, [outputs], rng=rng + 1)
        self.drop, self.each = Dropout(dropout, rng=3) if dropout else None, each

    def __call__(self, x):
        states, _ = self.rnn(x)
        if self.drop is not None:
            states = [self.drop(state) for state in states]
        return tuple(map(self.head, states)) if self.each else self.head(states[-1])


def numbers(model):
    return np.array([parameter.data for parameter in model.parameters()])


CASES = {
    "numbers": (Reader, NUMBERS, {"loss": "mse"}),
    "labels": (lambda: Reader(3), LABELS, {"loss": "cross_entropy"}),
    "positions": (lambda: Reader(each=True), PER_POSITION, {"loss": "mse"}),
    "a function": (lambda: Reader(), PER_POSITION, {"loss": lambda output, target: (output - ops.sum(target)) ** 2}),
    "weights": (Reader, NUMBERS, {"loss": "huber", "sample_weight": WEIGHTS}),
    "everything": (
        lambda: Reader(3, dropout=0.3),
        LABELS,
        {"loss": "cross_entropy", "l2": 1e-3, "validation": 0.3, "schedule": "cosine", "rng": 5},
    ),
    "all of a length": (Reader, NUMBERS, {"batch_size": None}),
}


def fitted(case, backend, epochs=3, **more):
    make, y, settings = CASES[case]
    model = make()
    settings = {"optimizer": AdamW(0.02), "batch_size": 3, "progress": False, **settings, **more}
    return model, model.fit(X, y, epochs=epochs, backend=backend, **settings)


def check_backends(case, backend, **more):
    ours, history = fitted(case, backend, **more)
    theirs, expected = fitted(case, "eager", **more)
    assert history.keys() == expected.keys()
    for name in expected:
        np.testing.assert_allclose(history[name], expected[name], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(numbers(ours), numbers(theirs), rtol=1e-11, atol=1e-12)
    y = CASES[case][1]
    if "loss" in CASES[case][2] and isinstance(CASES[case][2]["loss"], str):
        np.testing.assert_allclose(ours.evaluate(X, y).loss, theirs.evaluate(X, y, backend="eager").loss, rtol=1e-11)
    for mine, other in zip(ours.predict(X), theirs.predict(X, backend="eager"), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_numpy_has_the_history_of_values(case):
    check_backends(case, "numpy")


@pytest.mark.long
@pytest.mark.parametrize("case", CASES)
def test_native_has_the_history_of_values(case):
    check_backends(case, "native")


@pytest.mark.long
@pytest.mark.parametrize("backend", ["jax"])
@pytest.mark.parametrize("case", ["positions", "everything"])
def test_jax_has_the_history_of_values(case, backend):
    check_backends(case, backend)


@pytest.mark.parametrize("backend", ["eager", "numpy", pytest.param("native", marks=pytest.mark.long)])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_an_epoch_is_pytorchs(backend, optimizer, torch):
    """Loops over batches of packed sequences, in an order that is computed otherwise."""
    model, peer = Reader(), torch.nn.RNN(2, 2, batch_first=True).double()
    head = torch.nn.Linear(2, 1).double()
    state = {name: torch.tensor(array) for name, array in model.rnn.state_dict().items()}
    peer.load_state_dict(state)
    weights = model.head.state_dict()
    head.load_state_dict({name.rpartition(".")[2]: torch.tensor(array) for name, array in weights.items()})
    both = [*peer.parameters(), *head.parameters()]
    ours = {"sgd": SGD(0.05, momentum=0.9), "adam": Adam(0.02)}[optimizer]
    theirs = {"sgd": torch.optim.SGD(both, 0.05, momentum=0.9), "adam": torch.optim.Adam(both, 0.02)}[optimizer]
    history = model.fit(X, NUMBERS, "mse", ours, 1, 3, backend=backend, progress=False)
    total = 0.0
    for rows in batches_of_shapes(SHAPES, 3, 0, 0):
        packed = torch.nn.utils.rnn.pack_sequence([torch.tensor(X[row]) for row in rows])
        _, last = peer(packed)
        loss = ((head(last[0])[:, 0] - torch.tensor(NUMBERS[rows])) ** 2).mean()
        theirs.zero_grad()
        loss.backward()
        theirs.step()
        total += loss.item() * len(rows)
    np.testing.assert_allclose(history["loss"], [total / len(X)], rtol=1e-12)
    found = [*model.rnn.state_dict().values(), *model.head.state_dict().values()]
    for array, parameter in zip(found, both, strict=True):
        np.testing.assert_allclose(array, parameter.detach().numpy().reshape(array.shape), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("backend", ["numpy", "native"])
def test_equal_lengths_are_what_an_array_is(backend):
    x, found = sequences(2, lengths=[4] * 8), []
    for samples in (np.stack(x), x, [sample.tolist() for sample in x]):
        model = Reader()
        history = model.fit(samples, NUMBERS[:8], "mse", AdamW(0.02), 3, 3, backend=backend, progress=False)
        found.append((dict(history), numbers(model).tolist()))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("backend", ["eager", "numpy"])
def test_a_resumed_run_has_the_bits_of_a_whole_one(tmp_path, backend):
    whole, history = fitted("everything", backend, epochs=4, early_stopping=10)
    path = tmp_path / "run.safetensors"

    def stop(run):
        if run.epoch == 2:
            run.stop()

    fitted("everything", backend, epochs=4, early_stopping=10, callbacks=[stop, Checkpoint(path)])
    resumed, again = fitted("everything", backend, epochs=4, early_stopping=10, resume=path)
    assert dict(again) == dict(history)
    assert (numbers(resumed) == numbers(whole)).all()


def test_a_run_on_other_sequences_is_not_resumed(tmp_path):
    path, model = tmp_path / "run.safetensors", Reader()
    model.fit(X, NUMBERS, epochs=1, backend="eager", callbacks=[Checkpoint(path)], progress=False)
    others = [X[0][:2], np.concatenate([X[0][2:], X[1]]), *X[2:]]  # the same numbers in a row
    with pytest.raises(ValueError, match="a run on other samples"):
        Reader().fit(others, NUMBERS, epochs=2, backend="eager", resume=path, progress=False)


def test_other_sequences_are_validated_on():
    others = sequences(2, seed=3, lengths=[7, 2, 7])
    model = Reader()
    settings = {"epochs": 2, "backend": "numpy", "progress": False}
    history = model.fit(X, NUMBERS, validation=(others, [1.0, 2.0, 3.0]), **settings)
    assert history["val_loss"][-1] == pytest.approx(model.evaluate(others, [1.0, 2.0, 3.0]).loss, rel=1e-12)
    same = np.stack(sequences(2, seed=3, lengths=[4, 4]))
    assert "val_r2" in Reader().fit(X, NUMBERS, validation=(same, [1.0, 2.0]), **settings)
    assert "val_r2" in Reader().fit(same, [1.0, 2.0], validation=(X, NUMBERS), **settings)


def test_single_sequences_are_trained_on_in_float32():
    single = [x.astype("float32") for x in X]
    model = Reader()
    model.fit(single, NUMBERS, epochs=1, backend="numpy", progress=False)
    assert model.predict(single).dtype == np.float32


def test_preparation_has_the_seconds_and_training_traces_nothing_more():
    model, seconds = Reader(), []

    def look(run):
        seconds.append(dict(run.history.preparation))

    history = model.fit(X, NUMBERS, epochs=2, batch_size=3, backend="numpy", callbacks=[look], progress=False)
    assert seconds[0] == seconds[1] == history.preparation
    assert min(history.preparation.values()) > 0.0


# Predictions.


def test_outputs_are_an_array_where_they_have_one_shape_and_else_a_list():
    plain, wide, each = Reader(), Reader(3), Reader(each=True)
    assert plain.predict(X).shape == (len(X),)
    assert wide.predict(X).shape == (len(X), 3)
    found = each.predict(X)
    assert [output.shape for output in found] == [(length,) for length in LENGTHS]
    for model, outputs in ((plain, plain.predict(X)), (wide, wide.predict(X)), (each, found)):
        for row in (0, 1, 4):
            np.testing.assert_allclose(outputs[row], model.predict([X[row]])[0], rtol=1e-12)


def test_labels_and_probabilities_of_sequences():
    model, _ = fitted("labels", "numpy")
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (len(X), 3)
    assert (model.predict(X) == probabilities.argmax(axis=1)).all()
    found = model.evaluate(X, LABELS)
    assert found.accuracy == (model.predict(X) == LABELS).mean()
    assert found.confusion.sum() == len(X)


def test_evaluate_is_the_mean_over_samples():
    model = Reader(each=True)
    found = model.evaluate(X, PER_POSITION, "mse")
    errors = [((outputs - y) ** 2).mean() for outputs, y in zip(model.predict(X), PER_POSITION, strict=True)]
    assert found.loss == pytest.approx(np.mean(errors), rel=1e-12)
    assert found.r2 is None
    assert Reader().evaluate(X, NUMBERS, "mse").r2 is not None


def test_many_lengths_to_predict_are_warned_of():
    class Sum(Module):
        def __init__(self):
            self.w = Parameter(2.0)

        def __call__(self, x):
            return self.w * x[0]

    samples = [np.full(length, float(length)) for length in range(1, MOST_SHAPES + 2)]
    with pytest.warns(UserWarning, match=r"65 different shapes, .*: pad them to fewer lengths"):
        found = Sum().predict(samples, backend="numpy")
    with pytest.warns(UserWarning, match="65 different shapes") as told:
        Sum().evaluate(samples, found, "mse", backend="numpy")
    assert {warning.filename for warning in told} == {__file__}
    assert found.tolist() == [2.0 * length for length in range(1, MOST_SHAPES + 2)]
    assert len(Sum().predict(samples, backend="eager")) == len(samples)
    with pytest.raises(ValueError, match="65 different shapes"):
        Sum().fit(samples, found, backend="numpy", progress=False)


# Mistakes: one error, and nothing changed.

NAN = [x.copy() for x in X]
NAN[2][1, 0] = np.nan
BAD = {
    "nan": ({"X": NAN}, r"X\[2\]\[1, 0\] is nan, which is not finite"),
    "an empty one": ({"X": [*X[:-1], np.ones((0, 2))]}, r"X\[13\] is empty, of the shape \(0, 2\)"),
    "another inside": ({"X": [*X[:-1], np.ones((4, 3))]}, r"X\[13\] has the shape \(4, 3\) and X\[0\] \(3, 2\)"),
    "too wide": ({"X": sequences(3)}, r"X is ragged: row 1 has the shape \(6, 3\), row 0 has the shape \(3, 3\), and"),
    "None": ({"X": [*X[:-1], None]}, "X is ragged: row 13 has no list, but None, row 0 has the shape"),
    "a number": ({"X": [*X[:-1], 1.5]}, "X is ragged: row 13 has no list, but one number, row 0 has the shape"),
    "fewer targets": ({"y": NUMBERS[:3]}, "y has 3 rows and X has 14"),
    "ragged targets for one output": ({"y": PER_POSITION}, r"y\[0\] holds 3 numbers and the model returns one number"),
    "ragged labels": ({"y": PER_POSITION, "loss": "hinge"}, "y is ragged, and hinge takes one label for each sample"),
    "fewer ragged targets": ({"y": PER_POSITION[:4]}, "y has 4 rows and X has 14"),
    "nan in targets": ({"y": [*PER_POSITION[:-1], [1.0, np.nan]]}, r"y\[13\]\[1\] is nan"),
    "a shape in validation": ({"validation": (sequences(3), NUMBERS)}, "validation X has rows of the shape"),
    "ragged weights": ({"sample_weight": PER_POSITION}, "sample_weight is ragged"),
    "augment": ({"augment": lambda x, seed, epoch: x}, "augment changes samples of one shape, and X has several"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_error_and_changes_nothing(name):
    changes, message = BAD[name]
    model, optimizer = Reader(), Adam()
    before = numbers(model)
    arguments = {"X": X, "y": NUMBERS, "optimizer": optimizer, "epochs": 2, "backend": "numpy", **changes}
    with pytest.raises(ValueError, match=message) as caught:
        model.fit(**arguments, progress=False)
    assert "\n" not in str(caught.value)
    assert (numbers(model) == before).all()
    assert (model.fitted_loss, optimizer.steps, optimizer.state) == ("", 0, {})


def test_a_sequence_that_is_too_long_for_the_model():
    class Places(Module):
        def __init__(self):
            self.weights = [Parameter(0.5) for _ in range(5)]

        def __call__(self, x):
            return ops.sum([self.weights[place] * step[0] for place, step in enumerate(x)])

    for train in (
        lambda X: Places().fit(X, NUMBERS[: len(X)], progress=False),
        lambda X: Places().evaluate(X, NUMBERS[: len(X)], "mse"),
    ):
        with pytest.raises(
            IndexError, match=r"the model does not take rows of the shape \(6, 2\): .*index out of range"
        ):
            train(X)


def test_a_target_for_each_position_is_checked_against_the_outputs():
    with pytest.raises(ValueError, match=r"y\[0\] holds 2 numbers and the model returns 3 numbers for a sample of the"):
        Reader(each=True).fit(X, [y[1:] for y in PER_POSITION], backend="numpy", progress=False)
    with pytest.raises(
        ValueError, match=r"the model returns 3 numbers or 6 numbers, and cross_entropy takes one label"
    ):
        Reader(each=True).fit(X, LABELS, "cross_entropy", backend="numpy", progress=False)


def test_a_label_at_each_position_by_a_function():
    """As the page says: cross_entropy takes lists of both."""
    labels = [(x[:, 0] > 0.0).astype(int) for x in X]
    model = Tagger()
    history = model.fit(X, labels, cross_entropy, AdamW(0.05), 4, 4, backend="numpy", progress=False)
    assert history["loss"][-1] < history["loss"][0]
    assert [outputs.shape for outputs in model.predict(X)] == [(length, 2) for length in LENGTHS]


class Tagger(Module):
    def __init__(self):
        self.rnn, self.head = RNN(2, 2, rng=0), MLP(2, [2], rng=1)

    def __call__(self, x):
        states, _ = self.rnn(x)
        return tuple(map(self.head, states))
