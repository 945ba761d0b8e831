"""What does an epoch of `fit` cost beside the same epoch inside `trainer.run`? 784-128-64-10, 100 steps of 64 rows.

    python benchmarks/fit_epoch.py > benchmarks/results/fit_epoch.txt

Both sides train networks of one seed with Adam on the same random rows in the same order; after each epoch of `fit`, in
its callback, the trainers run theirs. All losses must be equal to 12 digits, or the script stops: means are added up in
another order. `fit` measures the accuracy, too: one of the trainers does not, the other one does, with `fit`'s Buffer.
"""

import os
import platform
import statistics
import sys
from collections.abc import Callable
from math import isclose
from time import perf_counter

if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])

import numpy

from scalargrad import MLP, Adam, compile, cross_entropy
from scalargrad.training.objectives import OBJECTIVES
from scalargrad.training.programs import Target, training_program
from scalargrad.training.run import Run

ROWS, BATCH, EPOCHS, GOAL = 6400, 64, 31, 1.05


def network() -> MLP:
    return MLP(784, [128, 64, 10], rng=0)


def trainer_with(measures: bool, dtype: str, X: numpy.ndarray, y: numpy.ndarray) -> Callable[[], float]:
    """An epoch of `trainer.run`; returns its loss."""
    model, found = network(), {}
    if measures:
        target = Target(dtype)
        program, found["score"] = training_program(model, OBJECTIVES["cross_entropy"], 0.0, False, target)
    else:
        program = compile(lambda x, y: cross_entropy(model(x), y), dtype=dtype)
    trainer = program.trainer(Adam(lr=1e-3), batch_size=BATCH, rng=0, measures=found)
    trainer.prepare(X, y)
    return lambda: trainer.run(X, y, epochs=1, progress=False)["loss"][0]


def measure(dtype: str) -> dict[str, list[float]]:
    """Seconds of the epochs of each side."""
    random = numpy.random.default_rng(0)
    X, y = (random.random((ROWS, 784)) / 28).astype(dtype), random.integers(0, 10, ROWS)
    sides = {
        "trainer.run": trainer_with(False, dtype, X, y.astype(dtype)),
        "trainer.run, accuracy measured": trainer_with(True, dtype, X, y.astype(dtype)),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ("fit", *sides)}
    begin = 0.0

    def others(run: Run) -> None:
        nonlocal begin
        seconds["fit"].append(perf_counter() - begin)
        for name, epoch in sides.items():
            begin = perf_counter()
            loss = epoch()
            seconds[name].append(perf_counter() - begin)
            if not isclose(loss, run.history["loss"][-1], rel_tol=1e-12):
                sys.exit(f"{name} has the loss {loss}, and fit {run.history['loss'][-1]}")
        begin = perf_counter()

    settings = {"loss": "cross_entropy", "epochs": EPOCHS, "batch_size": BATCH, "optimizer": Adam(lr=1e-3), "rng": 0}
    network().fit(X, y, **settings, callbacks=[others], progress=False)
    return {name: found[1:] for name, found in seconds.items()}  # the first one has the preparation in it


def main() -> None:
    print(f"784-128-64-10, {ROWS // BATCH} steps of {BATCH}, Python {platform.python_version()}, one core: medians\n")
    print(f"{'':34} {'ms':>7} {'fit takes':>10}   goal")
    for dtype in ("float64", "float32"):
        seconds = measure(dtype)
        print(dtype)
        for name, found in seconds.items():
            ratio = statistics.median(one / other for one, other in zip(seconds["fit"], found, strict=True))
            shown = f"{ratio:10.3f} {GOAL if name == 'trainer.run' else '':>6}" if name != "fit" else ""
            print(f"  {name:32} {1e3 * statistics.median(found):7.1f} {shown}".rstrip())


if __name__ == "__main__":
    main()
