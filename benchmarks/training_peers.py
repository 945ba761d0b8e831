"""Training with `fit`, side by side with scikit-learn and PyTorch: seconds of a fit, and the accuracy that it leaves.

    pip install torch==2.13.0
    SCALARGRAD_DATA=folder python benchmarks/training_peers.py > benchmarks/results/training_peers.txt

The same network, data, batch size, number of epochs and Adam on all sides, first weights from Glorot's uniform
distribution, rows shuffled anew in each epoch. Each fit runs in a fresh process that is held to one core; the sides
take turns, and the turn is the seed. Before its clock starts, a process has imported its library, read the data and
trained another, tiny network. Then everything counts from the constructor to the trained network: for scalargrad also
tracing and compiling, in every fit. Accuracy is that on the test set, which no setting here was chosen by. Progress
goes to standard error. About ten minutes.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy
from numpy import ndarray
from peers import has_avx512, hold_to_cores

from scalargrad.datasets import load_digits, load_mnist

CLASSES = 10


class Task(NamedTuple):
    """A network and how it is trained, with cross-entropy and Adam."""

    name: str
    hidden: tuple[int, ...]
    batch: int
    epochs: int
    rate: float
    data: Callable[[], tuple[ndarray, ndarray, ndarray, ndarray]]  # training images and labels, test images and labels

    def __str__(self) -> str:
        rows = self.data()[0]
        sizes = "-".join(map(str, (rows.shape[1], *self.hidden, CLASSES)))
        return (
            f"{self.name}: {sizes}, {len(rows):,} rows of {rows.dtype}, batches of {self.batch}, {self.epochs} epochs"
        )


def digits() -> tuple[ndarray, ndarray, ndarray, ndarray]:
    """The split that digits_training.py makes."""
    images, labels = load_digits()
    order = numpy.random.default_rng(0).permutation(len(labels))
    test, training = numpy.split(order, [len(labels) // 5])
    return images[training], labels[training], images[test], labels[test]


MNIST_NETWORK: dict[str, Any] = {"hidden": (128, 64), "epochs": 5, "rate": 0.001, "data": load_mnist}
TASKS = {
    "mnist64": Task("MNIST", batch=64, **MNIST_NETWORK),
    "mnist200": Task("MNIST", batch=200, **MNIST_NETWORK),
    "digits": Task("digits", (32,), batch=32, epochs=50, rate=0.01, data=digits),
}


# The sides: each trains a network on these images and labels, and returns what predicts labels.


def with_fit(task: Task, images: ndarray, labels: ndarray, seed: int) -> Callable[[ndarray], ndarray]:
    from scalargrad import MLP, Adam

    model = MLP(images.shape[1], [*task.hidden, CLASSES], init="xavier", rng=seed)
    model.fit(
        images,
        labels,
        loss="cross_entropy",
        optimizer=Adam(lr=task.rate),
        epochs=task.epochs,
        batch_size=task.batch,
        rng=seed,
        progress=False,
    )
    return model.predict


def with_estimator(
    estimator: type, task: Task, images: ndarray, labels: ndarray, seed: int
) -> Callable[[ndarray], ndarray]:
    """Scikit-learn's MLPClassifier or ours: what they are told is the same."""
    network = estimator(
        hidden_layer_sizes=task.hidden,
        activation="relu",
        solver="adam",
        alpha=0.0,
        batch_size=task.batch,
        learning_rate_init=task.rate,
        max_iter=task.epochs,
        n_iter_no_change=task.epochs,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has not converged: it is not meant to
        network.fit(images, labels)
    return network.predict


def with_our_estimator(task: Task, images: ndarray, labels: ndarray, seed: int) -> Callable[[ndarray], ndarray]:
    from scalargrad.sklearn import MLPClassifier

    return with_estimator(MLPClassifier, task, images, labels, seed)


def with_sklearn(task: Task, images: ndarray, labels: ndarray, seed: int) -> Callable[[ndarray], ndarray]:
    from sklearn.neural_network import MLPClassifier

    return with_estimator(MLPClassifier, task, images, labels, seed)


def with_torch(
    task: Task, images: ndarray, labels: ndarray, seed: int, fused: bool = False
) -> Callable[[ndarray], ndarray]:
    import torch

    torch.manual_seed(seed)
    layers: list[Any] = []
    for fan_in, fan_out in zip((images.shape[1], *task.hidden), (*task.hidden, CLASSES), strict=True):
        layers += [torch.nn.Linear(fan_in, fan_out), torch.nn.ReLU()]
        torch.nn.init.xavier_uniform_(layers[-2].weight)
        torch.nn.init.zeros_(layers[-2].bias)
    inputs, targets = torch.from_numpy(images), torch.from_numpy(labels)
    network = torch.nn.Sequential(*layers[:-1]).to(inputs.dtype)
    optimizer = torch.optim.Adam(network.parameters(), lr=task.rate, fused=fused)
    for _ in range(task.epochs):
        for chosen in torch.randperm(len(inputs)).split(task.batch):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(inputs[chosen]), targets[chosen]).backward()
            optimizer.step()

    def predict(images: ndarray) -> ndarray:
        with torch.no_grad():
            return network(torch.from_numpy(images)).argmax(dim=1).numpy()

    return predict


def with_fused_torch(task: Task, images: ndarray, labels: ndarray, seed: int) -> Callable[[ndarray], ndarray]:
    return with_torch(task, images, labels, seed, fused=True)


FIT, ESTIMATOR = "scalargrad, model.fit", "scalargrad.sklearn.MLPClassifier"
WIDE = ", AVX-512 kernels"  # OpenBLAS has them and picks others by itself on some processors
SIDES = {
    FIT: with_fit,
    ESTIMATOR: with_our_estimator,
    "scikit-learn MLPClassifier": with_sklearn,
    "scikit-learn MLPClassifier" + WIDE: with_sklearn,
    "PyTorch, eager": with_torch,
    "PyTorch, eager, fused Adam": with_fused_torch,
}


# A side in a process of its own.


def measure(side: str, task: Task, seed: int) -> dict[str, float]:
    """Train and test; run in a process that is held to one core."""
    train = SIDES[side]
    images, labels, test_images, test_labels = task.data()
    train(task._replace(hidden=(3,), epochs=1), images[:100], numpy.arange(100) % CLASSES, 0)
    begin, busy = time.perf_counter(), time.process_time()
    predict = train(task, images, labels, seed)
    seconds, processor = time.perf_counter() - begin, time.process_time() - busy
    accuracy = float((predict(test_images) == test_labels).mean())
    return {"seconds": seconds, "processor": processor, "accuracy": accuracy}


def measured(side: str, name: str, seed: int) -> dict[str, float]:
    """The same from a fresh process."""
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environment = {**os.environ, **limits}
    if side.endswith(WIDE):
        environment["OPENBLAS_CORETYPE"] = "SkylakeX"
    command = [sys.executable, __file__, "--side", side, "--tasks", name, "--seed", str(seed)]
    answer = subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", env=environment)
    if answer.returncode:
        sys.exit(f"{side}: its process ended with status {answer.returncode}")
    return json.loads(answer.stdout)


# The tables.


def compare(name: str, sides: list[str], turns: int) -> dict[str, float]:
    """The median seconds of each side."""
    print(f"\n{TASKS[name]}", flush=True)
    found: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    for turn in range(turns):
        for side in sides:
            print(f"\r{name}: turn {turn + 1} of {turns}, {side:50}", end="", file=sys.stderr, flush=True)
            found[side].append(measured(side, name, turn))
    print(file=sys.stderr)
    print(
        f"{'':36} {'s a fit':>9} {'best':>7} {'/ ours':>7} {'on CPU':>8} {'accuracy':>10} {'lowest':>7} {'highest':>8}"
    )
    medians = {side: statistics.median(one["seconds"] for one in every) for side, every in found.items()}
    for side, every in found.items():
        accuracies = [one["accuracy"] for one in every]
        print(
            f"  {side:34} {medians[side]:9.3f} {min(one['seconds'] for one in every):7.3f} "
            f"{medians[side] / medians[sides[0]]:7.2f} {statistics.median(one['processor'] for one in every):8.3f} "
            f"{statistics.mean(accuracies):10.2%} {min(accuracies):7.2%} {max(accuracies):8.2%}",
            flush=True,
        )
    return medians


def goals(medians: dict[str, dict[str, float]]) -> None:
    print("\ngoal: no slower than any of them")
    for name, seconds in medians.items():
        others = {side: median for side, median in seconds.items() if side not in (FIT, ESTIMATOR)}
        fastest = min(others, key=others.__getitem__)
        for side in (FIT, ESTIMATOR):
            ratio = others[fastest] / seconds[side]
            print(f"  {'met   ' if ratio >= 1.0 else 'MISSED'} {name:9} {side:33} {ratio:.2f} x as fast as {fastest}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--side", choices=list(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        hold_to_cores(1)
        print(json.dumps(measure(options.side, TASKS[options.tasks[0]], options.seed)))
        return
    print("cross-entropy, Adam, one core; a fit includes our tracing and compiling; accuracy on the test set")
    print("s a fit: the median of the turns; on CPU: the same without what other processes took away")
    sides = [side for side in SIDES if has_avx512() or not side.endswith(WIDE)]
    goals({name: compare(name, sides, options.turns) for name in options.tasks})


if __name__ == "__main__":
    main()
