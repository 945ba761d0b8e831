"""How well does `scalargrad moons` do, seed by seed? A hundred seeds with the defaults, and with other choices.

    python benchmarks/moons_seeds.py > benchmarks/results/moons_seeds.txt

The seed gives the points and the first weights. Accuracy is that of the network as it stays after the last epoch, on
the points that it was trained on. Progress goes to standard error. Two processes; ten minutes and more.
"""

import argparse
import platform
import statistics
import sys
import time
from collections import Counter
from multiprocessing import Pool

from scalargrad.demos.moons import Settings, learn

WITH_SGD = {"optimizer": "sgd", "lr": 0.01, "epochs": 100}
RUNS = {
    "the defaults": {},
    "--optimizer sgd --lr 0.01 --epochs 100": WITH_SGD,
    "--optimizer sgd --lr 0.01 --epochs 100 --output-activation relu": {**WITH_SGD, "output_activation": "relu"},
    "--output-activation relu": {"output_activation": "relu"},
}
CLASSES = [("1.00", 1.0), ("0.99", 0.99), ("0.90", 0.90), ("0.80", 0.80), ("0.51", 0.51), ("0.50", 0.0)]


def final_accuracy(settings: Settings) -> float:
    return learn(settings).accuracy


def counts(accuracies: list[float]) -> list[int]:
    """How many are in each class, from its lower end up to the class before.

    >>> counts([1.0, 0.995, 0.99, 0.5])
    [1, 2, 0, 0, 0, 1]
    """
    classes = Counter(next(name for name, least in CLASSES if accuracy >= least) for accuracy in accuracies)
    return [classes[name] for name, _ in CLASSES]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds a run has (default 100)")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()

    print(f"scalargrad moons, seeds 0 to {options.seeds - 1}, Python {platform.python_version()}")
    print(f"the defaults: {Settings()}\n")
    print("How many seeds end at which accuracy (0.90 stands for 0.90 to 0.98, and so on; 0.50 for all below, too)\n")
    heads = "".join(f"{name:>6}" for name, _ in CLASSES)
    print(f"{'':64}{heads}   >=0.99  median  lowest")
    missed = []
    with Pool(options.processes) as pool:
        for label, changes in RUNS.items():
            every = [Settings(seed=seed, **changes) for seed in range(options.seeds)]
            start, accuracies = time.perf_counter(), []
            for accuracy in pool.imap(final_accuracy, every):
                accuracies.append(accuracy)
                print(f"\r{label}: {len(accuracies)} of {len(every)}", end="", file=sys.stderr, flush=True)
            print(f", {time.perf_counter() - start:.0f} s", file=sys.stderr)
            good = sum(accuracy >= 0.99 for accuracy in accuracies)
            shown = "".join(f"{count:>6}" for count in counts(accuracies))
            print(f"{label:64}{shown}{good:>9}{statistics.median(accuracies):>8.3f}{min(accuracies):>8.2f}", flush=True)
            if not changes:
                missed = [f"{seed} ({own:.2f})" for seed, own in enumerate(accuracies) if own < 0.99]
    print(f"\nSeeds that miss 0.99 with the defaults: {', '.join(missed) or 'none'}")


if __name__ == "__main__":
    main()
