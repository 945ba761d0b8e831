"""An installed package does what a checkout does, wherever it lies: compiled functions notice the same changes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import scalargrad

PACKAGE = Path(scalargrad.__file__).parent
CHANGES = """
import functools
import sys

import numpy
import scalargrad
from scalargrad import MLP, SGD, Value, compile
from scalargrad.nn import Layer, Parameter

assert scalargrad.__file__.startswith(sys.argv[1]), scalargrad.__file__
X, y = numpy.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.25]]), numpy.array([0.0, 1.0, 1.0])


def check(model):
    assert abs(model.predict(X) - model.predict(X, engine="eager")).max() < 1e-12


model = MLP(2, [3, 1], rng=0)
check(model)
model.layers[1] = Layer(3, 1, activation="linear", rng=9)
check(model)
for neuron in model.layers[0].neurons:
    neuron.activation = "tanh"
check(model)

SCALE = 1.0
before = model.evaluate(X, y, loss := lambda outputs, target: SCALE * (outputs - target) ** 2).loss
SCALE = 10.0
assert abs(model.evaluate(X, y, loss).loss / before - 10.0) < 1e-12


def fresh_bias(run):
    if run.epoch == 1:
        run.model.layers[0].neurons[0].bias = Parameter(0.5)


ends = []
for engine in ("eager", "compiled"):
    model = MLP(2, [1], rng=0)
    model.fit(X, y, "mse", SGD(0.1), epochs=3, callbacks=[fresh_bias], engine=engine, progress=False)
    ends.append(numpy.array([p.data for p in model.parameters()]))
assert abs(ends[0] - ends[1]).max() < 1e-12


@functools.singledispatch  # of Python's library, which keeps it in a closure
def scaled(x):
    return SCALE * x


program = compile(lambda x: scaled(x))
assert program([1.0]) == 10.0
SCALE = 3.0
assert program([1.0]) == 3.0

# What users have installed themselves: the changes of a closure and of a module are noticed there, too.
sys.path.insert(0, sys.argv[2])
from of_mine import Line, times

factor = [2.0]
program = compile(times(factor))
assert program([1.0]) == 2.0
factor[0] = 5.0
assert program([1.0]) == 5.0
line = Line()
program = compile(lambda x: line(x))
assert program([1.0]) == 2.0
line.slope = Value(4.0)
assert program([1.0]) == 4.0
"""
OF_MINE = """
from scalargrad import Module, Value


def times(factor):
    return lambda x: factor[0] * x


class Line(Module):
    def __init__(self):
        self.slope = Value(2.0)

    def __call__(self, x):
        return self.slope * x
"""


def run(script, *arguments):
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    environment["PYTHONPATH"] = str(arguments[0])
    command, cwd = [sys.executable, "-", *map(str, arguments)], Path(arguments[0]).parent
    done = subprocess.run(command, input=script, encoding="utf-8", capture_output=True, env=environment, cwd=cwd)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.sampled(4)
@pytest.mark.parametrize("folder", ["lib/site-packages", "lib/dist-packages", "lib/target", "a.zip", "lib/link"])
def test_what_changes_is_noticed_wherever_the_package_lies(folder, tmp_path):
    place = tmp_path / folder
    if folder == "a.zip":
        shutil.make_archive(tmp_path / "a", "zip", PACKAGE.parent, "scalargrad")
    elif folder == "lib/link":
        shutil.copytree(PACKAGE, tmp_path / "site-packages" / "scalargrad")
        place.parent.mkdir()
        try:
            place.symlink_to(tmp_path / "site-packages", target_is_directory=True)
        except OSError:
            pytest.skip("links cannot be made here")
    else:
        shutil.copytree(PACKAGE, place / "scalargrad")
    own = tmp_path / "site-packages"
    own.mkdir(exist_ok=True)
    (own / "of_mine.py").write_text(OF_MINE, encoding="utf-8")
    run(CHANGES, place, own)


def test_a_folder_of_ones_own_may_be_called_almost_like_that(tmp_path):
    """Not a folder of libraries: what its functions read of their module is noticed."""
    own = tmp_path / "my site-packages of 2024"
    own.mkdir()
    (own / "settings.py").write_text("RATE = 2.0\n\n\ndef rated(x):\n    return RATE * x\n", encoding="utf-8")
    script = "import sys, scalargrad; sys.path.insert(0, sys.argv[2]); import settings\n"
    script += "program = scalargrad.compile(settings.rated); assert program([1.0]) == 2.0\n"
    script += "settings.RATE = 3.0; assert program([1.0]) == 3.0"
    run(script, PACKAGE.parent, own)
