"""Kill training with SIGKILL at random moments and resume it: does it end with the bits of a run that never stopped?

    python benchmarks/kill_and_resume.py > benchmarks/results/kill_and_resume.txt

For each optimizer a child process trains a small network and writes a checkpoint after every epoch. It dies at a random
moment after the first of them; another process resumes from the file and trains to the end. Parameters, running
average, optimizer state and history must then have the bits of an undisturbed run without any checkpoints. The run has
all that a resumed one could lose: noise that depends on the step, a running average, a schedule, shuffled batches of
which the last one is smaller, measures on a held-out fifth. Exit status 1 if a bit differs. No Windows: it needs fork.
A few minutes.
"""

import argparse
import json
import os
import platform
import random
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TextIO

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # a process that forks should have one thread

import numpy
from peers import hold_to_cores

from scalargrad import MLP, SGD, Adam, AdamW, Buffer, Module, RMSProp, batch_mean, ops
from scalargrad.randomness import current_row, current_step
from scalargrad.training.checkpoint import Checkpoint

OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "SGD": lambda: SGD(lr=0.1),
    "SGD, momentum": lambda: SGD(lr=0.03, momentum=0.9),
    "SGD, Nesterov": lambda: SGD(lr=0.03, momentum=0.9, nesterov=True),
    "RMSProp": lambda: RMSProp(lr=0.01),
    "RMSProp, momentum": lambda: RMSProp(lr=0.003, momentum=0.9),
    "Adam": lambda: Adam(lr=0.01),
    "AdamW": lambda: AdamW(lr=0.01, weight_decay=0.1),
}
SCHEDULES = ["one_cycle", "cosine", "step", "warm_up", "constant"]  # they take turns
EPOCHS, ROWS, BATCH, SEED = 40, 104, 16, 3  # 83 rows to train on: the last batch has 3


class Network(Module):
    """A perceptron of noisy inputs, whose first output is centred by a running average."""

    def __init__(self) -> None:
        self.perceptron = MLP(4, [8, 3], activation="tanh", init="xavier", rng=SEED)
        self.average = Buffer(0.0)

    def __call__(self, inputs: Sequence[Any]) -> Any:
        if self.training:
            noise = [ops.random(SEED, current_step(), current_row(), float(site)) for site in range(4)]
            inputs = tuple(x + 0.2 * (u - 0.5) for x, u in zip(inputs, noise, strict=True))
        first, *others = self.perceptron(inputs)
        if self.training:
            self.average.update(0.9 * self.average + 0.1 * batch_mean(first))
        return first - self.average, *others


class End(NamedTuple):
    """What a run ends with: all its numbers, in hexadecimal; and after which epoch it went on."""

    numbers: dict[str, list[str]]
    resumed_after: int


def train(name: str, schedule: str, file: Path | None) -> End:
    """To the end, with a checkpoint in that file after each epoch; it goes on from one that is there."""
    source = numpy.random.default_rng(SEED)
    rows = source.normal(size=(ROWS, 4))
    labels = (rows @ source.normal(size=(4, 3))).argmax(axis=1)
    model, optimizer, first_epochs = Network(), OPTIMIZERS[name](), []
    history = model.fit(
        rows,
        labels,
        loss="cross_entropy",
        optimizer=optimizer,
        schedule=schedule,
        epochs=EPOCHS,
        batch_size=BATCH,
        l2=1e-4,
        validation=0.2,
        rng=SEED,
        progress=False,
        callbacks=[Checkpoint(file), lambda run: first_epochs.append(run.epoch)] if file else [],
        resume=file if file and file.exists() else None,
    )
    numbers = {
        "parameters": [parameter.data for parameter in model.parameters()],
        "average": [model.average.data],
        "state": [number for parameter in model.parameters() for number in optimizer.state[parameter]],
        "steps": [float(optimizer.steps), optimizer.lr],
        **history,
    }
    in_bits = {what: [float(number).hex() for number in every] for what, every in numbers.items()}
    return End(in_bits, min(first_epochs, default=EPOCHS + 1) - 1)


class Child(NamedTuple):
    """A process that was forked off this one, and where its answer will come from."""

    process: int
    answer: TextIO

    def end(self) -> End | None:
        """What it gives at last; None, if it was killed."""
        with self.answer:
            text = self.answer.read()
        _, status = os.waitpid(self.process, 0)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            return None
        if status:
            raise SystemExit(f"a child ended with status {status}")
        return End(*json.loads(text))


def start(name: str, schedule: str, file: Path | None) -> Child:
    """A process that trains."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        status = 1
        try:
            signal.alarm(600)  # should nobody wait for it
            with open(writing, "w", encoding="utf-8") as answer:
                json.dump(train(name, schedule, file), answer)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writing)
    return Child(process, open(reading, encoding="utf-8"))


@cache
def undisturbed(name: str, schedule: str) -> End | None:
    """The end of a run without checkpoints."""
    return start(name, schedule, None).end()


def kill(name: str, schedule: str, file: Path, source: random.Random) -> float:
    """Kill a child that trains, so many seconds after its first checkpoint; returns how many."""
    while True:
        child, moment = start(name, schedule, file), source.uniform(0.0, duration())
        wait_for(file)
        time.sleep(moment)
        os.kill(child.process, signal.SIGKILL)
        if child.end() is None:
            return moment
        file.unlink()  # it was done before the moment came: once more


@cache
def duration() -> float:
    """Seconds from the first checkpoint of a run to its end."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "run.safetensors"
        child = start("Adam", "constant", file)
        begin = wait_for(file)
        child.end()
        return time.perf_counter() - begin


def wait_for(file: Path) -> float:
    """Wait until it is there; returns the time."""
    for _ in range(100_000):
        if file.exists():
            return time.perf_counter()
        time.sleep(0.001)
    raise SystemExit("no checkpoint came")


def kill_and_resume(name: str, kills: int, source: random.Random) -> list[int]:
    """After how many epochs the resumed runs went on. SystemExit, if one ends with other bits."""
    found = []
    for number in range(kills):
        schedule = SCHEDULES[number % len(SCHEDULES)]
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "run.safetensors"
            moment = kill(name, schedule, file, source)
            end, wanted = start(name, schedule, file).end(), undisturbed(name, schedule)
        if end is None or wanted is None:
            raise SystemExit("a child was killed by somebody else")
        names = sorted(wanted.numbers.keys() | end.numbers.keys())
        wrong = [what for what in names if end.numbers.get(what) != wanted.numbers.get(what)]
        if wrong:
            raise SystemExit(
                f"{name}, {schedule}, killed {moment:.3f} s after its first checkpoint, went on after epoch "
                f"{end.resumed_after}: other bits in {', '.join(wrong)}"
            )
        found.append(end.resumed_after)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50, help="of each optimizer (default 50)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args()
    hold_to_cores(1)
    source = random.Random(options.seed)
    train("SGD", "constant", None)  # what is compiled once in a process is now there, in every child
    print(
        f"Python {platform.python_version()}; {options.kills} kills of each optimizer at random moments of a run of ",
        end="",
    )
    print(f"{EPOCHS} epochs,\nwith the schedules {', '.join(SCHEDULES)} in turn\n")
    print(f"{'':20}{'resumed after':>14}{'different':>11}")
    print(f"{'':20}{'epochs':>14}{'epochs':>11}")
    for name in OPTIMIZERS:
        epochs = kill_and_resume(name, options.kills, source)
        print(f"{name:20}{f'{min(epochs)} to {max(epochs)}':>14}{len(set(epochs)):>11}", flush=True)
    print(f"\nAll {options.kills * len(OPTIMIZERS):,} resumed runs ended with the bits of an undisturbed one:")
    print("parameters, running average, optimizer state, and every number of the history.")


if __name__ == "__main__":
    main()
