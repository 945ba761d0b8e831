"""The five recipes for contributors: their files are there, and what they promise of a row holds for a toy one."""

import re
import sys
from types import SimpleNamespace

import numpy
import pytest

from scalargrad import Value, cli, compile, dot, load, mse
from scalargrad.compiler.backends import BACKENDS, Row, reference
from scalargrad.compiler.backends.native.kernels.elementwise import ELEMENTWISE
from scalargrad.demos import moons
from scalargrad.files.architecture import ARCHITECTURES, described
from scalargrad.nn import Layer, Module, Parameter, Sequential
from scalargrad.ops import OPERATIONS, Op, less, where
from scalargrad.optim import OPTIMIZERS, Optimizer
from tests.oracles.needed import ORACLES_OF_BACKENDS
from tests.paths import ROOT, in_a_checkout

PAGE = ROOT / ".github" / "CONTRIBUTING.md"
MOST_FILES = {"An operation": 6, "A layer that can be saved": 3, "An optimizer": 2, "A command": 3, "A backend": 2}


@in_a_checkout
@pytest.mark.parametrize("title", MOST_FILES)
def test_a_recipe_names_few_files_that_are_there_and_the_command_that_tests_them(title):
    recipe = PAGE.read_text(encoding="utf-8").partition(f"## {title}\n")[2].partition("\n## ")[0]
    steps = re.findall(r"^\d\. \[([^]]+)\]\(\.\./([^)]+)\)", recipe, re.MULTILINE)
    assert 0 < len(steps) <= MOST_FILES[title]
    for name, path in steps:
        assert name.replace("\\", "") == path
        assert (ROOT / path).is_file()
    (command,) = re.findall(r"```sh\npytest (.*)\n```", recipe)
    paths = [word for word in command.split() if word.startswith(("tests", "scalargrad"))]
    assert paths
    assert all((ROOT / path).exists() for path in paths)


def test_the_tables_of_the_backends_have_every_primitive():
    primitives = {name for name, op in OPERATIONS.items() if not op.composite}
    assert primitives <= {*reference.primitives()}
    # Sums and products of many, and what differs between rows, have kernels of their own.
    assert primitives - {*ELEMENTWISE} <= {"sum", "dot", "maximum", "take", "batch_mean", "random"}


# Toy rows.


@pytest.mark.parametrize("backend", [name for name in BACKENDS if name not in ORACLES_OF_BACKENDS])
def test_a_composite_operation_is_one_row(backend):
    try:
        bent = Op(
            "bent",
            "x",
            lambda x: where(less(0.0, x), x, 0.25 * x),
            lambda y, x: (where(less(0.0, x), 1.0, 0.25),),
            composite=True,
        )
        assert bent(-2.0) == -0.5
        w = Value(3.0, "w")
        program = compile(lambda x: bent(w * x), backend=backend)
        mean, gradient = program.value_and_grad([1.0, -1.0])
        assert (mean, list(gradient)) == (1.125, [0.375])
    finally:
        OPERATIONS.pop("bent", None)


def test_a_layer_that_declares_itself_is_saved_and_loaded(tmp_path):
    class Scale(Module):
        __module__ = "scalargrad.nn.scaling"

        def __init__(self, features):
            self.features = features
            self.weight = [Parameter(1.0 + place) for place in range(features)]

        def __call__(self, sample):
            return tuple(weight * x for weight, x in zip(self.weight, sample, strict=True))

    try:
        described(lambda features: {"weight": [features]})(Scale)
        model = Sequential(Scale(3), Layer(3, 2, rng=0))
        model.layers[0].weight[1].data = -0.5
        model.save(tmp_path / "m.safetensors")
        loaded = load(tmp_path / "m.safetensors")
        assert type(loaded.layers[0]) is Scale
        assert [x.data for x in loaded.parameters()] == [x.data for x in model.parameters()]
    finally:
        ARCHITECTURES.pop("Scale", None)


class Sign(Optimizer):
    """Steps of one length."""

    def update(self, p, g, state, lr, t):
        return p - lr * where(less(0.0, g), 1.0, -1.0), ()


@pytest.mark.parametrize("engine", ["compiled", "eager"])
def test_an_optimizer_is_one_row(engine, monkeypatch):
    monkeypatch.setitem(OPTIMIZERS, "sign", Sign)
    result = moons.learn(moons.Settings(samples=10, hidden=(2,), epochs=3, optimizer="sign", lr=0.5, engine=engine))
    first = moons.learn(moons.Settings(samples=10, hidden=(2,), epochs=3, optimizer="sgd", lr=1e-300, engine=engine))
    moves = [(p.data - q.data) / 0.5 for p, q in zip(result.model.parameters(), first.model.parameters(), strict=True)]
    assert {round(abs(move)) for move in moves} <= {1, 3}
    assert all(abs(move - round(move)) < 1e-9 for move in moves)


def test_a_command_is_one_row(monkeypatch, capsys):
    def add_options(parser):
        parser.add_argument("--times", type=int, default=1)

    def run(options):
        """Say hello."""
        if options.times < 1:
            raise ValueError(f"times is at least 1, got {options.times}")
        print("hello " * options.times)

    module = SimpleNamespace(add_greet_options=add_options, run_greet=run)
    monkeypatch.setitem(sys.modules, "greetings", module)
    monkeypatch.setattr(cli, "COMMANDS", [*cli.COMMANDS, cli.Command("greet", "say hello", "greetings")])
    assert cli.main(["greet", "--times", "2"]) == 0
    assert capsys.readouterr().out == "hello hello \n"
    with pytest.raises(SystemExit):
        cli.main(["greet", "--times", "0"])
    assert capsys.readouterr().err == "scalargrad greet: error: times is at least 1, got 0\n"


class Counting(reference.NumpyBackend):
    """NumPy, with a count of the calls."""

    calls = 0

    def results(self, arrays, rows):
        type(self).calls += 1
        return super().results(arrays, rows)


def test_a_backend_is_one_row(monkeypatch):
    monkeypatch.setitem(BACKENDS, "counting", Row(f"{__name__}.Counting"))
    weights = [Value(0.5), Value(-1.0)]
    program = compile(lambda x: [dot(weights, x)], backend="counting")
    assert program(numpy.array([[1.0, 2.0], [3.0, 4.0]])).tolist() == [[-1.5], [-2.5]]
    assert Counting.calls == 1
    trained = compile(lambda x, y: mse(dot(weights, x), y), backend="counting").trainer(OPTIMIZERS["adam"](0.1))
    losses = trained.run([[1.0, 2.0], [3.0, 4.0]], [1.0, 2.0], epochs=50)["loss"]
    assert losses[-1] < losses[0]
