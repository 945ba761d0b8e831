"""A backend is a row: what loads which, another word for one, and a new backend in one row and one class."""

import subprocess
import sys

import numpy as np
import pytest

from scalargrad import MLP, SGD, Value
from scalargrad.compiler import compile
from scalargrad.compiler.backends import BACKENDS, Row, checked_backend
from scalargrad.compiler.backends.reference import NumpyBackend

COMPILES = "from scalargrad import Value, compile; compile(lambda x: Value(2.0) * x{})([1.0])"
FITS = """
import numpy as np
from scalargrad.nn import MLP
MLP(2, [2, 1], activation="tanh", rng=0).fit(np.ones((4, 2)), np.array([0, 1, 0, 1]), epochs=1, progress=False)
"""


@pytest.mark.parametrize("code", [COMPILES.format(""), COMPILES.format(', backend="numpy"'), FITS])
def test_xla_is_loaded_for_jax_only(code):
    loaded = f"{code}\nimport sys; print([name for name in sys.modules if 'backends.xla' in name or name == 'jax'])"
    done = subprocess.run([sys.executable, "-c", loaded], stdout=subprocess.PIPE, encoding="utf-8", check=True)
    assert done.stdout.strip() == "[]"


class Counting(NumpyBackend):
    """NumPy's, and a count of the runs."""

    runs = 0

    def run(self, *arguments):
        Counting.runs += 1
        return super().run(*arguments)

    def report(self, rows):
        return f"counting: {Counting.runs} runs, {rows} rows"


def test_a_new_backend_is_a_row_and_a_class(monkeypatch):
    monkeypatch.setitem(BACKENDS, "counting", Row(f"{__name__}.Counting"))
    monkeypatch.setattr(Counting, "runs", 0)
    w = Value(3.0)
    program = compile(lambda x, y: (w * x - y) ** 2, backend="counting")
    expected = compile(lambda x, y: (w * x - y) ** 2, backend="numpy")
    x, y = np.array([1.0, 2.0]), np.array([2.0, 4.0])
    assert program(x, y) == expected(x, y) == 2.5
    assert program.value_and_grad(x, y) == expected.value_and_grad(x, y)
    assert program.report() == "counting: 2 runs, 2 rows"
    assert program.trainer(SGD(0.1)).step(x, y) == 2.5
    assert Counting.runs == 3


@pytest.mark.parametrize("name", BACKENDS)
def test_each_name_is_its_own(name):
    assert checked_backend(name) == name


def test_words_of_before_go_on_working():
    assert compile(lambda x: x, backend="compiled").backend_name == "native"


def test_an_unknown_word_names_those_that_there_are():
    with pytest.raises(ValueError, match="backend 'metal' is not known; there are eager, numpy, native, jax"):
        compile(lambda x: x, backend="metal")


@pytest.mark.parametrize("name", [name for name, row in BACKENDS.items() if not row.trains])
def test_without_steps_of_its_own_a_backend_has_no_trainer(name):
    with pytest.raises(ValueError, match="has no trainer"):
        compile(lambda x: x, backend=name).trainer(SGD(0.1))


@pytest.mark.parametrize("name", [name for name, row in BACKENDS.items() if not row.devices])
def test_devices_are_for_backends_that_have_some(name):
    with pytest.raises(ValueError, match="devices are those of JAX"):
        compile(lambda x: x, backend=name, devices=2)


@pytest.mark.parametrize("word", [[], {}, None, 3, float("nan")])
def test_what_is_no_word_is_told_as_an_unknown_one(word):
    model = MLP(1, [1], rng=0)
    with pytest.raises(ValueError, match=r"backend .* is not known; there are eager, numpy, native, jax"):
        compile(lambda x: x, backend=word)
    with pytest.raises(ValueError, match=r"backend .* is not known; there are eager, numpy, native, jax"):
        model.fit([[0.0]], [1.0], backend=word)
