"""What an epoch of `fit` is, written out; and what it does with a loss that is lost."""

import inspect
import math
import subprocess
import sys
from dataclasses import fields

import pytest

from scalargrad import MLP, Adam, mse
from scalargrad.training.history import refuse_inf_and_nan
from scalargrad.training.settings import FitSettings
from tests.paths import ROOT

X, Y = [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]


def line():
    return MLP(1, [1], output_activation="linear", rng=0)


def test_training_is_the_loop_written_out():
    trained, by_hand = line(), line()
    history = trained.fit(X, Y, optimizer=Adam(lr=0.1), epochs=30, engine="eager", progress=False)
    optimizer, losses = Adam(lr=0.1), []
    for _ in range(30):
        by_hand.zero_grad()
        loss = mse([by_hand(x) for x in X], Y)
        losses.append(loss.data)
        loss.backward()
        optimizer.step(by_hand.parameters())
    assert [p.data for p in trained.parameters()] == [p.data for p in by_hand.parameters()]
    assert history["loss"] == losses


@pytest.mark.parametrize("engine", ["compiled", "eager"])
def test_gradients_from_before_do_not_count(engine):
    fresh, used = line(), line()
    for parameter in used.parameters():
        parameter.grad = 1000.0
    for model in (fresh, used):
        model.fit(X, Y, epochs=1, engine=engine, progress=False)
    assert [p.data for p in fresh.parameters()] == [p.data for p in used.parameters()]


@pytest.mark.parametrize(
    ("loss", "epoch", "message"),
    [
        (math.inf, 0, "the loss is inf before any training"),
        (math.nan, 0, "the loss is nan before any training"),
        (math.inf, 1, "the loss is inf after epoch 1; a smaller learning rate helps"),
    ],
)
def test_a_loss_that_is_lost_is_an_error(loss, epoch, message):
    with pytest.raises(FloatingPointError, match=message):
        refuse_inf_and_nan(loss, epoch)


WORDS = {"native": "compiled", "eager": "eager"}


@pytest.mark.parametrize("backend", WORDS)
def test_backend_is_the_word_and_engine_that_of_before(backend):
    found = []
    for choice in ({"backend": backend}, {"engine": WORDS[backend]}, {"backend": WORDS[backend]}):
        model = line()
        history = model.fit(X, Y, epochs=3, progress=False, **choice)
        predicted, evaluation = model.predict(X, **choice).tolist(), model.evaluate(X, Y, **choice)
        found.append((dict(history), predicted, evaluation.loss, [p.data for p in model.parameters()]))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("ask", ["fit", "predict", "evaluate"])
def test_two_words_that_differ_are_refused(ask):
    calls = {"fit": (X, Y), "predict": (X,), "evaluate": (X, Y, "mse")}
    with pytest.raises(ValueError, match="backend 'jax' and engine 'compiled' are two backends: pass backend alone"):
        getattr(line(), ask)(*calls[ask], backend="jax", engine="compiled")
    for words in ({"backend": "compiled", "engine": "native"}, {"backend": "eager", "engine": "eager"}):
        getattr(line(), ask)(*calls[ask], **words)


def test_numpy_trains_as_native_code_does():
    models = {backend: line() for backend in ("numpy", "native")}
    losses = [model.fit(X, Y, epochs=5, backend=name, progress=False)["loss"] for name, model in models.items()]
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)


def test_every_setting_is_an_argument_of_fit():
    arguments = inspect.signature(MLP.fit).parameters
    assert {setting.name for setting in fields(FitSettings)} <= set(arguments)


def test_runs_are_named_without_numpy():
    code = "import sys; sys.modules['numpy'] = None; from scalargrad.training import EarlyStopping, History, Run"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_fit_loads_no_layer_that_the_model_lacks_and_nothing_of_other_backends():
    code = (
        "import sys, scalargrad; before = set(sys.modules); model = scalargrad.MLP(1, [2, 1])\n"
        "model.fit([[0.0], [1.0]], [0.0, 1.0], epochs=1, progress=False)\n"
        "new = sorted(name for name in set(sys.modules) - before if name.startswith('scalargrad.'))\n"
        "others = ('scalargrad.nn.', 'scalargrad.compiler.backends.xla', 'scalargrad.plots.', 'scalargrad.drawing')\n"
        "print([name for name in new if name.startswith(others)])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True, cwd=ROOT)
    assert shown.stdout.strip() == "[]"
