"""What `fit` gives on several devices and in several processes, as JSON: for test_jax_training.py, which runs

    python -m tests.oracles.jax_processes one FOLDER           with 8 devices
    python -m tests.oracles.jax_processes begin FOLDER         with 8 devices: a run that others go on with
    python -m tests.oracles.jax_processes two FOLDER 0 PORT    with 2 devices, and beside it
    python -m tests.oracles.jax_processes two FOLDER 1 PORT
    python -m tests.oracles.jax_processes end FOLDER           with 8 devices

each in processes of their own, for JAX learns once in a process what devices and what other processes there are. The
number of devices is that of XLA_FLAGS=--xla_force_host_platform_device_count.
"""

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from scalargrad.arrays import shuffled
from scalargrad.compiler.backends.xla.devices import Devices
from scalargrad.datasets.augmentation import Shift
from scalargrad.holders import noted
from scalargrad.nn import LSTM, MLP, BatchNorm2d, Conv2d, Dropout, Embedding, Flatten, GlobalAvgPool, Layer, Module
from scalargrad.nn import Sequential as Layers
from scalargrad.ops import relu
from scalargrad.optim import SGD, Adam
from scalargrad.training import checkpoint, fit
from scalargrad.training.checkpoint import Checkpoint
from scalargrad.training.run import Run
from tests.oracles.functions import numbers

COMPILED: dict = {"engine": "compiled"}
JAX: dict = {"engine": "jax"}  # on one device or, in several processes, on all


def jax_on(devices: int | str) -> dict:
    return {"engine": "jax", "devices": devices}


# What is trained.


class Problem:
    """A model, which is put back to its first numbers and thawed before each fit, samples, and settings.

    It is one model for all fits, so that what is compiled for it is compiled once.
    """

    def __init__(self, model: Module, X: Any, y: Any, optimizer: Callable, **settings: Any) -> None:
        self.model, self.X, self.y, self.optimizer, self.settings = model, X, y, optimizer, settings
        self.start = model.state_dict()

    def fit(self, start: float = 0.0, **changes: Any) -> dict:
        """What a fit measures and leads to. `start` is added to all numbers before it."""
        self.model.requires_grad_().load_state_dict({name: array + start for name, array in self.start.items()})
        settings = {"X": self.X, "y": self.y, "optimizer": self.optimizer(), "progress": False, **self.settings}
        history = self.model.fit(**{**settings, **changes})
        return {
            "curves": dict(history),
            "numbers": self.numbers(),
            "stopped": history.stopped,
            "best_epoch": history.best_epoch,
        }

    def numbers(self) -> list[float]:
        """Of parameters and buffers."""
        return [number for array in self.model.state_dict().values() for number in np.ravel(array).tolist()]


@cache
def perceptron(dtype: str = "float64") -> Problem:
    """81 rows to train on: 5 steps of 16 and one of a single row."""
    X = numbers(90, 4)
    return Problem(
        MLP(4, [8, 3], activation="tanh", rng=1), X.astype(dtype), X[:, :3].argmax(axis=1), partial(Adam, 0.02),
        loss="cross_entropy", epochs=4, batch_size=16, l2=1e-3, validation=0.1, schedule="one_cycle",
    )  # fmt: skip


@cache
def clipped_perceptron() -> Problem:
    """The norm is that of the gradients of the whole batch, whose rows count by their labels."""
    like = perceptron()
    settings = {**like.settings, "schedule": None, "clip_grad_norm": 0.3, "class_weight": "balanced"}
    return Problem(MLP(4, [8, 3], activation="tanh", rng=2), like.X, like.y, partial(SGD, 0.5), **settings)


@cache
def convolutional_network() -> Problem:
    """43 rows that have a weight: 2 steps of 16 and one of 11, which do not divide.

    A bias before batch norm would have gradients of 0, but for rounding, from which Adam makes steps.
    """
    model = Layers(
        Conv2d(1, 2, 3, bias=False, rng=1), BatchNorm2d(2), relu, GlobalAvgPool(), Flatten(), Dropout(0.2, rng=5),
        Layer(2, 3, activation="linear", rng=3),
    )  # fmt: skip
    images, labels, weights = numbers(46, 1, 6, 6), np.arange(46) % 3, numbers(46, low=0.5, high=2.0)
    weights[[3, 20, 45]] = 0.0
    return Problem(
        model, images, labels, partial(Adam, 0.02), loss="cross_entropy", epochs=3, batch_size=16,
        augment=Shift(1), sample_weight=weights, validation=(numbers(7, 1, 6, 6, seed=1), np.arange(7) % 3),
    )  # fmt: skip


@cache
def recurrent_network() -> Problem:
    """48 rows in one step; the rate is so high that it stops early and goes back."""
    model = Layers(LSTM(2, 3, rng=1), last_output, Layer(3, 1, activation="linear", rng=2))
    X = numbers(64, 3, 2)
    return Problem(
        model, X, X[:, -1, 0] * X[:, 0, 1], partial(SGD, 0.8, momentum=0.9), loss="mse", epochs=20, validation=0.25,
        early_stopping=2,
    )  # fmt: skip


def last_output(found: tuple) -> Any:
    outputs, _ = found
    return outputs[-1]


@cache
def table() -> Problem:
    """Reads the row of a table that each sample names."""
    model = Layers(Embedding(4, 2, rng=1), first_row, Layer(2, 1, activation="linear", rng=2))
    return Problem(
        model, np.arange(40.0).reshape(40, 1) % 4, numbers(40), partial(SGD, 0.1), loss="mse", epochs=2, batch_size=8
    )


def first_row(rows: tuple) -> Any:
    return rows[0]


PROBLEMS: dict[str, Callable[[], Problem]] = {
    "perceptron": perceptron,
    "clipped perceptron": clipped_perceptron,
    "convolutional network": convolutional_network,
    "recurrent network": recurrent_network,
    "perceptron in float32": partial(perceptron, "float32"),
}


def refusal(problem: Problem, **settings: Any) -> list:
    """What a fit that is refused says, and whether everything is as it was."""
    optimizer = settings.setdefault("optimizer", problem.optimizer())
    problem.model.fitted_loss, steps = "before", optimizer.steps
    try:
        problem.fit(**settings)
        return ["", False]
    except (ValueError, TypeError) as error:
        start = [x + settings.get("start", 0.0) for array in problem.start.values() for x in np.ravel(array).tolist()]
        same = problem.numbers() == start and problem.model.fitted_loss == "before"
        return [f"{type(error).__name__}: {error}", same and optimizer.steps == steps and not dict(optimizer.state)]


def no_number(**way: Any) -> list:
    """What is said where the loss is lost, and the number of steps before."""
    optimizer = Adam(1e300)
    try:
        perceptron().fit(optimizer=optimizer, schedule=None, **way)
    except FloatingPointError as error:
        return [str(error), optimizer.steps]
    return []


def wrong_index(**way: Any) -> list:
    """What is said of a row that the table does not have, and what is left: the number of steps, and the numbers."""
    problem, optimizer = table(), SGD(0.1)
    X, order = problem.X.copy(), shuffled(len(problem.X), 0, 0)
    X[order[20]] = 4.0  # in the third step
    try:
        problem.fit(X=X, optimizer=optimizer, **way)
    except IndexError as error:
        return [str(error), optimizer.steps, problem.numbers()]
    return []


# In one process.


def curves(folder: Path) -> dict:
    """For each network the same training in several ways."""
    ways = [COMPILED, JAX, jax_on(2), jax_on("all")]
    return {
        name: [make().fit(**way) for way in (ways if "float32" not in name else ways[::3])]
        for name, make in PROBLEMS.items()
    }


def resumed(folder: Path) -> list:
    """9 epochs at a stretch, and on 8 devices, 1 and 8, each of which goes on where the one before was stopped."""
    problem, path = convolutional_network(), folder / "run.safetensors"
    whole = problem.fit(epochs=9, **COMPILED)
    for epochs, devices in ((3, 8), (6, 1), (9, 8)):
        found = go_on(problem, path, epochs, devices)
    return [whole, found]


def go_on(problem: Problem, path: Path, epochs: int, devices: int | None) -> dict:
    """Up to that epoch. All numbers come from the file, if there is one: the model has others."""
    before = {"resume": path, "start": 1.0} if path.exists() else {}
    return problem.fit(epochs=epochs, devices=devices, callbacks=[Checkpoint(path)], **JAX, **before)


MISTAKES: dict[str, dict] = {
    "too many devices": jax_on(9),
    "no devices": jax_on(0),
    "a truth": jax_on(True),
    "a word": jax_on("many"),
    "a fraction": {"engine": "jax", "devices": 2.5},
    "a batch that does not divide": {"batch_size": 100, **jax_on(8)},
    "all rows that do not divide": {"batch_size": None, **jax_on(8)},
    "a batch smaller than the devices": {"batch_size": 3, **jax_on(8)},
    "compiled": {"engine": "compiled", "devices": 2},
    "eager": {"engine": "eager", "devices": "all"},
}


def mistakes(folder: Path) -> dict:
    return {name: refusal(perceptron(), **settings) for name, settings in MISTAKES.items()}


def lost(folder: Path) -> list:
    return [no_number(**way) for way in (COMPILED, JAX, jax_on(8))]


def wrong_indices(folder: Path) -> list:
    return [wrong_index(**way) for way in (COMPILED, JAX, jax_on(8))]


def interrupted(folder: Path) -> list:
    """Training on 8 devices that a Ctrl-C ends: the history and the numbers; the same number of steps compiled."""

    def soon(run: Any) -> None:
        if run.epoch == 3:
            threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGINT)).start()

    problem, optimizer, endless = recurrent_network(), SGD(0.1), {"validation": None, "early_stopping": None}
    found = problem.fit(optimizer=optimizer, epochs=1_000_000, callbacks=[soon], **endless, **jax_on(8))
    # An epoch is one step.
    return [found, problem.fit(optimizer=SGD(0.1), epochs=optimizer.steps, **endless, **COMPILED)]


def predictions(folder: Path) -> list:
    """Of a convolutional network on an odd number of rows, from both engines."""
    problem = convolutional_network()
    problem.fit(**COMPILED)
    model, X, y = problem.model, problem.X[:13], problem.y[:13]
    found = []
    for engine in ("compiled", "jax"):
        loss, accuracy, _, confusion, _ = model.evaluate(X, y, engine=engine)
        found.append(
            {
                "predict": model.predict(X, engine=engine).tolist(),
                "predict_proba": model.predict_proba(X, engine=engine).ravel().tolist(),
                "evaluate": [loss, accuracy, *confusion.ravel().tolist()],
            }
        )
    return found


def turns(folder: Path) -> list:
    """Epochs in engines that take turns with one model and one optimizer, and all of them compiled."""
    found = []
    for ways in ((COMPILED, jax_on(8), JAX, COMPILED, jax_on(8)), (COMPILED,) * 5):
        problem, optimizer = perceptron(), Adam(0.02)
        problem.fit(optimizer=optimizer, epochs=0)
        losses = []
        for way in ways:
            settings = {**problem.settings, "epochs": 2, "schedule": None, "progress": False, **way}
            losses += problem.model.fit(problem.X, problem.y, optimizer=optimizer, **settings)["loss"]
        found.append([losses, problem.numbers()])
    return found


class Changing(MLP):
    """Layers may be frozen."""

    frozen: tuple = ()

    def parameters(self) -> list:
        return [p for place, layer in enumerate(self.layers) if place not in self.frozen for p in layer.parameters()]


def programs(folder: Path) -> list:
    """Of one model that was fitted in several engines: what each program is for, and what runs it."""
    found, problem = [], perceptron()
    for way in (COMPILED, JAX, jax_on(8)):
        problem.fit(**way)
    for (kind, *_, target), (made, _) in noted(problem.model, "programs").items():
        program = made[0] if isinstance(made, tuple) else made
        devices = program.toolchain.devices
        found.append([kind, target.backend, target.devices, program.backend_name, devices and len(devices)])
    return found


def change(run: Any) -> None:
    """Another rate from the second epoch on, a frozen layer from the third on, a new one in the fourth, and a unit."""
    if run.epoch == 1:
        run.optimizer.lr *= 0.5
    if run.epoch == 2:
        run.model.frozen = (0,)
    if run.epoch == 3:
        run.model.layers[1] = MLP(5, [3], activation="tanh", rng=9).layers[0]
    if run.epoch == 4:
        run.model.layers[1].neurons[0].requires_grad_(False)


def changes(folder: Path) -> list:
    """Training whose callback changes the rate and the model, compiled and on 8 devices."""
    X, y = perceptron().X, perceptron().y
    return [
        Problem(Changing(4, [5, 3], activation="tanh", rng=2), X, y, partial(SGD, 0.1, momentum=0.9)).fit(
            loss="cross_entropy", epochs=5, batch_size=24, callbacks=[change], **way
        )
        for way in (COMPILED, jax_on(8))
    ]


def other_numbers_in_the_same_array(folder: Path) -> list:
    """The losses of two fits, compiled and on one device; in between, the samples changed in place."""
    found = []
    for way in (COMPILED, JAX):
        model, optimizer, X = MLP(4, [3, 1], rng=0), SGD(0.1), numbers(32, 4)
        losses, y = [], X[:, 0].copy()
        for _ in range(2):
            losses += model.fit(X, y, "mse", optimizer, epochs=2, batch_size=8, **way)["loss"]
            X *= -2.0
        found.append(losses)
    return found


ONE = (
    curves,
    resumed,
    mistakes,
    lost,
    wrong_indices,
    interrupted,
    predictions,
    turns,
    programs,
    changes,
    other_numbers_in_the_same_array,
)


# In two processes: what each of them finds.


def curves_of_all(folder: Path, rank: int) -> dict:
    """For each network the training of both processes, and the same one compiled."""
    return {name: [make().fit(**way) for way in (COMPILED, jax_on("all"))] for name, make in PROBLEMS.items()}


def go_on_together(folder: Path, rank: int) -> dict:
    """The run of one process up to the sixth epoch, and how often this process wrote it."""
    written, write = [], checkpoint.write_run

    def counted(path: Any, run: Any) -> None:
        written.append(run.epoch)
        write(path, run)

    checkpoint.write_run = counted
    found = go_on(convolutional_network(), folder / "run.safetensors", 6, None)
    checkpoint.write_run = write
    return {"written": written, "epochs": len(found["curves"]["loss"])}


class Recorded:
    """An array that notes which rows of it are read."""

    def __init__(self, array: Any, read: list) -> None:
        self.array, self.read, self.shape = array, read, array.shape

    def __getitem__(self, rows: Any) -> Any:
        self.read.append(rows)
        return self.array[rows]


def rows_read(folder: Path, rank: int) -> list:
    """Which rows of X this process reads for each step of 16 rows of an epoch, [steps][rows of its two devices]."""
    read: list = []
    place_rows = Devices.place_rows

    def recorded(devices: Devices, array: Any, positions: Any) -> Any:
        if positions.ndim == 1 or positions.shape[1] != 16 or array.shape[1] != 4:  # of validation, of y, of the rest
            return place_rows(devices, array, positions)
        read.clear()  # the first time it was to prepare
        return place_rows(devices, Recorded(array, read), positions)

    Devices.place_rows = recorded  # type: ignore[method-assign, assignment]
    perceptron().fit(epochs=1, validation=None, **JAX)
    Devices.place_rows = place_rows  # type: ignore[method-assign]
    return np.concatenate(read, axis=1).tolist()


def bars(folder: Path, rank: int) -> list:
    """Whether this process wanted to show a bar."""
    wanted, bar = [], fit.progress_bar

    def noted(total: int, unit: str, shown: bool, **more: Any) -> Any:
        wanted.append(shown)
        return bar(total, unit, False, **more)

    fit.progress_bar = noted  # type: ignore[assignment]
    perceptron().fit(progress=True, epochs=1, **JAX)
    fit.progress_bar = bar
    return wanted


def agreement(folder: Path, rank: int) -> list:
    """Validation that process 1 rounds otherwise."""
    measured = fit.measured

    def rounded(*arguments: Any) -> tuple:
        loss, outputs = measured(*arguments)
        return loss + 1e-6 * rank, outputs

    fit.measured = rounded
    found = recurrent_network().fit(**JAX)
    fit.measured = measured
    return [recurrent_network().fit(**COMPILED), found]


def other_samples() -> dict:
    X = perceptron().X.copy()
    X[3] += 1e-9
    return {"X": X}


# What process 1 does otherwise -> what the error calls it.
DIFFERENCES: dict[str, Callable[[], dict]] = {
    "data": other_samples,
    "rng": lambda: {"rng": 1},
    "batch_size": lambda: {"batch_size": 32},
    "optimizer": lambda: {"optimizer": Adam(0.03)},
    "l2": lambda: {"l2": 1e-4},
    "clip_grad_norm": lambda: {"clip_grad_norm": 1.0},
    "epochs": lambda: {"epochs": 3},  # of the schedule
    "early_stopping": lambda: {"early_stopping": 3},
    "number in the model": lambda: {"start": 1e-9},
    "number of checkpoints": lambda: {"callbacks": [Checkpoint("run.safetensors")]},
    "state of the optimizer": lambda: {"optimizer": used(perceptron().optimizer())},
}


def used(optimizer: Any) -> Any:
    optimizer.steps = 8
    return optimizer


def slower(run: Run) -> None:
    run.optimizer.lr *= 0.5


def moved(run: Run) -> None:
    run.model.parameters()[0].data += 1.0


def frozen(run: Run) -> None:
    run.model.parameters()[0].requires_grad = False


# What process 1 does otherwise on the way -> what both processes say.
LATER: dict[str, tuple[Callable[[], dict], str]] = {
    "stop": (lambda: {"callbacks": [lambda run: run.stop()]}, "process 1 has another reason to stop than process 0: "),
    "rate": (lambda: {"callbacks": [slower]}, "process 1 has another learning rate than process 0: "),
    "numbers": (lambda: {"callbacks": [moved]}, "process 1 has another number in the model than process 0: "),
    "frozen": (lambda: {"callbacks": [frozen]}, "process 1 has another choice of frozen parameters than process 0: "),
}


def later(folder: Path, rank: int) -> dict:
    return {name: said(**JAX, **(changed() if rank else {})) for name, (changed, _) in LATER.items()}


def failures_of_one(folder: Path, rank: int) -> list[str]:
    """Process 1 has labels that are none; process 0 cannot write."""
    y = perceptron().y + 7 * rank
    path = folder / ("run-of-process-1.safetensors" if rank else "not/there.safetensors")
    return [said(y=y, **JAX), said(callbacks=[Checkpoint(path)], **JAX)]


def said(**settings: Any) -> str:
    """What a fit says that does not come to its end."""
    try:
        perceptron().fit(**settings)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def differences(folder: Path, rank: int) -> dict:
    """What each process says if process 1 does something otherwise, and whether everything is as it was."""
    return {name: refusal(perceptron(), **JAX, **(changed() if rank else {})) for name, changed in DIFFERENCES.items()}


def too_few_devices(folder: Path, rank: int) -> list:
    return refusal(perceptron(), **jax_on(2))


def lost_together(folder: Path, rank: int) -> list:
    return no_number(**JAX)


def wrong_index_together(folder: Path, rank: int) -> list:
    return [wrong_index(**way) for way in (COMPILED, JAX)]


def alone(folder: Path, rank: int) -> dict:
    """Process 0 predicts and evaluates, and the other one does not."""
    return predictions(folder) if rank == 0 else {}


TWO = (
    curves_of_all,
    go_on_together,
    rows_read,
    bars,
    agreement,
    differences,
    later,
    failures_of_one,
    too_few_devices,
    lost_together,
    wrong_index_together,
    alone,
)


def main(what: str, folder: Path, rank: int = 0, port: int = 0) -> dict:
    if what == "one":
        return {part.__name__: part(folder) for part in ONE}
    if what in ("begin", "end"):
        return go_on(convolutional_network(), folder / "run.safetensors", {"begin": 3, "end": 9}[what], 8)
    import jax

    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(f"127.0.0.1:{port}", 2, rank)
    return {part.__name__: part(folder, rank) for part in TWO}


if __name__ == "__main__":
    try:
        print(json.dumps(main(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:]))), flush=True)
    except BaseException:
        traceback.print_exc()
        os._exit(1)  # at an ordinary exit JAX waits for the other process, which waits for this one
