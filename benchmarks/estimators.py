"""The estimators beside scikit-learn's perceptron, on five of its data sets: scores of ten seeds, and seconds of a fit.

    python benchmarks/estimators.py > benchmarks/results/estimators.txt    # or estimators.py lbfgs

Each seed splits the rows anew (a quarter is for testing) and is the random_state of both sides, which take turns in one
process that is held to one core. Columns of X, and numbers to predict, have mean 0 and deviation 1 on the rows to learn
from. Both sides are told the same; what is not in the table is scikit-learn's default. A score is the share of right
labels, or R squared, on the rows for testing.

"First": one fit in a fresh process that has imported its library and read the data, the median of three; "later": the
median of the ten seeds. Ours trace and compile in every fit, which is in all of these; "preparing" says how long that
took, but for lbfgs, whose program is not kept. Mean scores that are more than 0.01 apart are told as missed. About ten
minutes.
"""

import json
import subprocess
import sys
import time
import warnings
from statistics import mean, median
from typing import Any

from peers import hold_to_cores
from sklearn import datasets
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

SEEDS, FIRST_FITS, MOST = range(10), 3, 0.01
DATA = ("iris", "wine", "breast_cancer", "digits", "diabetes")
SOLVERS: dict[str, dict[str, Any]] = {
    "adam": {"learning_rate_init": 0.01},
    "sgd": {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.05},
    "lbfgs": {"solver": "lbfgs", "alpha": 0.1, "max_iter": 500},
}
SIDES = ("ours", "theirs")


def split(name: str, seed: int) -> tuple:
    """(X, y) to learn from, and (X, y) for testing."""
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    options = {"test_size": 0.25, "random_state": seed}
    X, others, y, other_y = train_test_split(X, y, stratify=None if name == "diabetes" else y, **options)
    scaler = StandardScaler().fit(X)
    if name == "diabetes":
        y, other_y = ((numbers - y.mean()) / y.std() for numbers in (y, other_y))
    return (scaler.transform(X), y), (scaler.transform(others), other_y)


def estimator(side: str, name: str, solver: str, seed: int) -> Any:
    if side == "ours":
        from scalargrad import sklearn as library
    else:
        from sklearn import neural_network as library
    kind = library.MLPRegressor if name == "diabetes" else library.MLPClassifier
    return kind(hidden_layer_sizes=(50,), random_state=seed, **SOLVERS[solver])


def measure(side: str, name: str, solver: str, seed: int) -> dict[str, float]:
    """A fit: its seconds, what of these it spent on preparing a program, and the score that it leaves."""
    from scalargrad.training.programs import seconds_of_preparation

    learned, others = split(name, seed)
    model = estimator(side, name, solver, seed)
    begin = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it could go on
        model.fit(*learned)
    seconds = time.perf_counter() - begin
    preparing = sum(seconds_of_preparation(model.module_).values()) if side == "ours" else 0.0
    return {"seconds": seconds, "preparing": preparing, "score": model.score(*others), "epochs": model.n_iter_}


def first_fit(side: str, name: str, solver: str) -> float:
    """Seconds of the only fit of a fresh process."""
    command = [sys.executable, __file__, side, name, solver]
    answer = subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", check=True)
    return json.loads(answer.stdout)["seconds"]


def compare(name: str, solver: str) -> bool:
    """A line of the table. Are the scores alike?"""
    found = [{side: measure(side, name, solver, seed) for side in SIDES} for seed in SEEDS]
    firsts = [{side: first_fit(side, name, solver) for side in SIDES} for _ in range(FIRST_FITS)]
    scores = {side: mean(one[side]["score"] for one in found) for side in SIDES}
    later = {side: median(one[side]["seconds"] for one in found) for side in SIDES}
    first = {side: median(one[side] for one in firsts) for side in SIDES}
    apart = max(abs(one["ours"]["score"] - one["theirs"]["score"]) for one in found)
    epochs = sum(one["ours"]["epochs"] == one["theirs"]["epochs"] for one in found)
    preparing = median(one["ours"]["preparing"] for one in found)
    print(
        f"{name:14} {solver:6} {scores['ours']:8.4f} {scores['theirs']:8.4f} {apart:8.4f} {epochs:4} / {len(found)} "
        f"{first['ours']:9.3f} {first['theirs']:8.3f} {later['ours']:9.3f} {later['theirs']:8.3f} "
        f"{later['theirs'] / later['ours']:7.2f} {f'{preparing:.3f}' if preparing else '-':>10}",
        flush=True,
    )
    return abs(scores["ours"] - scores["theirs"]) <= MOST


def main() -> None:
    hold_to_cores(1)
    if len(sys.argv) == 4:
        side, name, solver = sys.argv[1:]
        estimator(side, name, solver, 0)  # the library is imported
        print(json.dumps(measure(side, name, solver, 0)))
        return
    estimator("ours", "iris", "adam", 0), estimator("theirs", "iris", "adam", 0)
    print("a hidden layer of 50, one core, float64; seconds of a fit; apart: a seed's scores, at most")
    print(f"{'':22}{'mean score':>16} {'':8} {'equal':>9} {'first fit':>18} {'later':>18} {'theirs':>7} {'ours,':>10}")
    print(
        f"{'data':14} {'solver':6} {'ours':>8} {'theirs':>8} {'apart':>8} {'epochs':>9} {'ours':>9} {'theirs':>8} "
        f"{'ours':>9} {'theirs':>8} {'/ ours':>7} {'preparing':>10}"
    )
    for _ in range(2):
        measure("ours", "iris", "adam", 0), measure("theirs", "iris", "adam", 0)  # neither side begins cold
    alike = [compare(name, solver) for solver in sys.argv[1:] or SOLVERS for name in DATA]
    print(
        f"\ngoal: mean scores within 0.01 of theirs: {'met' if all(alike) else 'MISSED'}, {sum(alike)} of {len(alike)}"
    )


if __name__ == "__main__":
    main()
