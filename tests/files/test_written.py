"""Files that the version before the folders wrote still load, and a run goes on to the same bits."""

import json

import numpy as np
import pytest

import scalargrad
from scalargrad import MLP, Adam
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


def test_a_run_goes_on():
    model, (x, y) = MLP(2, [5, 3], activation="relu", rng=3), samples((2,), 3)
    settings = {"loss": "cross_entropy", "batch_size": 4, "optimizer": Adam(0.05), "rng": 0, "progress": False}
    history = model.fit(x, y, epochs=5, resume=FOLDER / "run.safetensors", **settings)
    np.testing.assert_allclose(history["loss"], EXPECTED["run"], rtol=1e-12)
