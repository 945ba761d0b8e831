"""Files that the version before the folders wrote still load, and a run goes on to the same bits."""

import json

import numpy as np
import pytest

import scalargrad
from scalargrad import MLP, Adam
from scalargrad.nn import Embedding, Flatten, Layer, Sequential
from tests.paths import ROOT

FOLDER = ROOT / "tests" / "files" / "written"
EXPECTED = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))


def samples(shape, classes, rows=12):
    """Those that the models were fitted on."""
    n = np.arange(rows * int(np.prod(shape)), dtype=float)
    return np.round(np.sin(n * 1.7) * np.cos(n * 0.3), 3).reshape(rows, *shape), np.arange(rows) * 7 % classes


@pytest.mark.parametrize(("name", "shape"), [("mlp", (2,)), ("convolutional", (1, 6, 6))])
def test_a_model_says_what_it_said(name, shape):
    model = scalargrad.load(FOLDER / f"{name}.safetensors")
    np.testing.assert_allclose(model.predict_proba(samples(shape, 2)[0]), EXPECTED[name], rtol=1e-12)


MLP_RUN = MLP(2, [5, 3], activation="relu", rng=3), *samples((2,), 3)
# Of a layer that had no description then.
EMBEDDING_RUN = (
    Sequential(Embedding(5, 2, rng=0), Flatten(), Layer(6, 3, activation="linear", rng=1)),
    np.arange(36).reshape(12, 3) * 7 % 5,
    np.arange(12) * 7 % 3,
)


@pytest.mark.parametrize(
    ("name", "run"), [("run", MLP_RUN), ("embedding_run", EMBEDDING_RUN)], ids=["mlp", "embedding"]
)
def test_a_run_goes_on(name, run):
    model, x, y = run
    settings = {"loss": "cross_entropy", "batch_size": 4, "optimizer": Adam(0.05), "rng": 0, "progress": False}
    expected = EXPECTED[name]
    history = model.fit(x, y, epochs=len(expected), resume=FOLDER / f"{name}.safetensors", **settings)
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-12)
