"""What users have set elsewhere, for NumPy or for Python, changes no number, and is as it was afterwards."""

import decimal
import os
import random
import subprocess
import sys
import warnings

import numpy
import pytest

from scalargrad import MLP, SGD, Adam, Value, compile
from scalargrad.datasets import load_digits, load_moons
from scalargrad.datasets.augmentation import Rotate, normalised
from scalargrad.nn import Layer, Sequential
from scalargrad.plots import plot_confusion, plot_points
from tests.paths import ROOT

HUGE, TINY = 1e300, 1e-300


def far(scale, outputs=1):
    """A model whose outputs are far from 0, where exponentials overflow and underflow."""
    model = MLP(2, [outputs], rng=0)
    for place, parameter in enumerate(model.parameters()):
        parameter.data = scale * (place - 1.0)
    return model


def probabilities(labels, loss, outputs):
    def use():
        model = far(0.0, outputs)
        model.fit([[1.0, 2.0], [2.0, -1.0]], labels, loss, SGD(0.0), epochs=1)
        for place, parameter in enumerate(model.parameters()):
            parameter.data = 1e5 * (place - 1.0)
        return model.predict_proba([[1.0, 2.0], [-300.0, 0.1]]), model.evaluate([[1.0, 2.0], [2.0, -1.0]], labels).loss

    return use


def trained(dtype, engine="compiled"):
    def use():
        X = numpy.array([[1.0, 2.0], [3.0, 1e-30]], dtype)
        model = MLP(2, [3, 1], rng=0)
        optimizer = Adam(lr=1e-3)
        weights = [1.0, 1e-300]
        history = model.fit(X, [0.0, 1e-44], optimizer=optimizer, epochs=3, sample_weight=weights, engine=engine)
        return model.predict(X, engine=engine), model.evaluate(X, [0.0, 1.0]).r2, history["loss"]

    return use


def compiled(backend, dtype):
    def use():
        w = Value(TINY)
        program = compile(lambda x, y: (w * x[0] * x[1] / x[1] + y).exp(), dtype=dtype, backend=backend)
        rows = [[1e30, 1e-30], [1.0, 1e30]]
        return program(rows, [-800.0, 1.0]), program.value_and_grad(rows, [-800.0, 1.0])[1]

    return use


USES = {
    "softmax": probabilities([0, 1], "cross_entropy", 2),
    "sigmoid": probabilities([0, 1], "binary_cross_entropy", 1),
    "R squared": lambda: far(HUGE).evaluate([[1.0, 2.0], [3.0, 4.0]], [0.0, HUGE], "mse").r2,
    "overflowing losses": lambda: far(1e154).evaluate([[1.0, 2.0], [3.0, 4.0]], [0.0, 1.0], "mse").loss,
    "float64": trained("float64"),
    "float32": trained("float32"),
    "eager": trained("float64", "eager"),
    **{
        f"compiled by {backend} for {dtype}": compiled(backend, dtype)
        for backend in ("native", "numpy", "eager")
        for dtype in ("float64", "float32")
    },
    "rotation": lambda: Rotate(5.0)(numpy.full((2, 1, 4, 4), 1e-42, "float32"), 0, 0),
    "normalising": lambda: normalised(numpy.array([[1e-320, 1.0]]), 0.5, 1e-310),
    "data": lambda: (load_digits()[0].sum(), load_moons(10)[0].sum()),
    "layers": lambda: Sequential(Layer(2, 2, rng=0)).predict([[1e300, 1e-300]]),
    "confusion": lambda: len(plot_confusion([[0, 0], [1, 3]], ["a", "b"], "none of one").axes),
    "points": lambda: len(plot_points([[0.0, 1e-320], [1e300, 0.0]], [0, 1], "far").axes),
}


@pytest.mark.sampled(5)
@pytest.mark.parametrize("name", USES)
def test_numpys_error_state_changes_no_number(name):
    with numpy.errstate(all="ignore"):
        right = USES[name]()
    with numpy.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        before = numpy.geterr()
        found = USES[name]()
        assert numpy.geterr() == before
    numpy.testing.assert_equal(found, right)


def test_callbacks_and_augmentations_of_users_see_their_own_error_state():
    seen = []

    def augment(images, seed, epoch):
        seen.append(numpy.geterr()["under"])
        return images

    with numpy.errstate(all="raise"):
        callbacks = [lambda run: seen.append(numpy.geterr()["under"])]
        MLP(2, [1], rng=0).fit([[1.0, 2.0], [2.0, 1.0]], [0.0, 1.0], epochs=2, augment=augment, callbacks=callbacks)
    assert {*seen} == {"raise"}


def test_generators_print_options_and_contexts_are_neither_read_nor_changed():
    def everything():
        return [USES[name]() for name in ("softmax", "float32", "rotation", "layers")], repr(MLP(2, [1], rng=0))

    right = everything()
    options = numpy.get_printoptions()
    try:
        numpy.set_printoptions(precision=1, threshold=2, suppress=True)
        with decimal.localcontext(decimal.Context(prec=1, traps=[decimal.Inexact])):
            random.seed(5)
            numpy.random.seed(5)
            before = random.getstate(), numpy.random.get_state()[1].tolist()
            found = everything()
            assert (random.getstate(), numpy.random.get_state()[1].tolist()) == before
            assert decimal.getcontext().prec == 1
        assert numpy.get_printoptions()["precision"] == 1
    finally:
        numpy.set_printoptions(**options)
    numpy.testing.assert_equal(found, right)


def test_no_text_is_read_or_written_in_the_encoding_of_the_system(tmp_path):
    """Python says so where it is asked to: in another system the encoding is another one."""
    code = """
import os, sys, warnings
from scalargrad import MLP, Checkpoint, Value, draw, load, step_through
warnings.simplefilter("always", EncodingWarning)
with warnings.catch_warnings(record=True) as seen:
    os.chdir(sys.argv[1])
    model = MLP(2, [1], rng=0)
    model.fit([[0.0, 1.0], [1.0, 0.0]], [0.0, 1.0], epochs=1, callbacks=[Checkpoint("r")]).to_csv("h.csv")
    model.save("m.safetensors"), load("m.safetensors")
    x = Value(2.0, "∂") * 3.0
    draw(x).save("a.svg"), draw(x).save("a.dot"), step_through(x).save("a.html")
import scalargrad
package = os.path.dirname(scalargrad.__file__)
sys.exit("\\n".join(str(w) for w in seen if w.category is EncodingWarning and w.filename.startswith(package)) or 0)
"""
    command = [sys.executable, "-X", "warn_default_encoding", "-c", code, str(tmp_path)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, encoding="utf-8", env={**os.environ, "PYTHONUTF8": "0"}
    )
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.iterdir())) == 6
