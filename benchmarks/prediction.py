"""How long does a trained network take to predict? 784-128-64-10 beside scikit-learn's, one row and 1,000 rows.

    pip install scikit-learn
    python benchmarks/prediction.py > benchmarks/results/prediction.txt

Both have the same weights and give labels for the same rows, in turns, on one core. Probabilities must agree to 1e-5,
and labels must be the same, or the script stops.
"""

import os
import platform
import statistics
import sys
import warnings
from collections.abc import Callable
from time import perf_counter

if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy
import sklearn
from sklearn.neural_network import MLPClassifier

from scalargrad import MLP

SIZES, CLASSES = [784, 128, 64], 10
TURNS = {1: 300, 1000: 60}  # by rows
GOALS = {1: 1.0, 1000: 1.3}


def ours() -> MLP:
    """The network, as `fit` leaves one that gives labels."""
    model = MLP(SIZES[0], [*SIZES[1:], CLASSES], init="he", rng=0)
    model.fit(numpy.zeros((CLASSES, SIZES[0])), range(CLASSES), loss="cross_entropy", epochs=1, progress=False)
    return model


def theirs(model: MLP, dtype: str) -> MLPClassifier:
    """The same weights in scikit-learn, whose matrices are transposed."""
    other = MLPClassifier(SIZES[1:], max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it has not converged
        other.fit(numpy.eye(CLASSES, SIZES[0], dtype=dtype), range(CLASSES))
    state = list(model.state_dict().values())
    other.coefs_ = [numpy.ascontiguousarray(weights.T, dtype) for weights in state[::2]]
    other.intercepts_ = [biases.astype(dtype) for biases in state[1::2]]
    return other


def seconds(case: Callable[[], object]) -> float:
    begin = perf_counter()
    case()
    return perf_counter() - begin


def main() -> None:
    versions = f"Python {platform.python_version()}, scikit-learn {sklearn.__version__}"
    print(f"784-128-64-10, {versions}, one core: µs, medians\n")
    print(f"{'':8} {'rows':>6} {'scalargrad':>11} {'scikit-learn':>13} {'ratio':>6}   goal")
    model = ours()
    for dtype in ("float64", "float32"):
        other = theirs(model, dtype)
        for rows, turns in TURNS.items():
            X = numpy.random.default_rng(0).random((rows, SIZES[0])).astype(dtype)
            if not numpy.allclose(model.predict_proba(X), other.predict_proba(X), rtol=0.0, atol=1e-5):
                sys.exit(f"the probabilities differ for {rows} rows of {dtype}")
            if (model.predict(X) != other.predict(X)).any():
                sys.exit(f"the labels differ for {rows} rows of {dtype}")
            pairs = [(seconds(lambda: model.predict(X)), seconds(lambda: other.predict(X))) for _ in range(turns)]  # noqa: B023
            own, peer = (statistics.median(side) for side in zip(*pairs, strict=True))
            ratio = statistics.median(one / two for one, two in pairs)
            print(f"{dtype:8} {rows:6,} {1e6 * own:11,.0f} {1e6 * peer:13,.0f} {ratio:6.2f} {GOALS[rows]:6.1f}")


if __name__ == "__main__":
    main()
