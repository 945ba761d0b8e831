"""Kill a process with SIGKILL while it saves a model, a thousand times: is the file always one of the whole versions?

    python benchmarks/kill_while_saving.py > benchmarks/results/kill_while_saving.txt

A child saves versions 1, 2, 3 ... of a network to one file (in version 3 every parameter is 3), and reports each one
when it is saved. It dies at every step of a save, then at random moments. The file must then hold the version that was
reported last or, as complete, the one after it; and after one more save there must be nothing else in the folder.
Exit status 1 if not. No Windows: it needs fork. About a minute.
"""

import argparse
import os
import platform
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # a process that forks should have one thread

from scalargrad.files import atomic
from scalargrad.nn import MLP
from scalargrad.nn.loading import load_into

model = MLP(16, [64, 10], rng=0)


def die(*arguments: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def write_half(target: Path, unfinished: Path) -> None:
    unfinished.write_bytes(target.read_bytes()[: target.stat().st_size // 2])
    die()


STEPS = [  # what a save is about to do when it dies, and what to put in the place of which function
    ("lock its new file", atomic, "_lock", die),
    ("write to it", shutil, "copymode", die),
    ("write the second half", shutil, "copymode", write_half),
    ("flush it", os, "fsync", die),
    ("rename it", os, "replace", die),
    ("flush the folder", atomic, "_flush_folder", die),
]


def save(version: int, file: Path) -> None:
    for parameter in model.parameters():
        parameter.data = float(version)
    model.save(file)


def version_in(file: Path) -> int:
    load_into(model, file)
    versions = {parameter.data for parameter in model.parameters()}
    require(len(versions) == 1, f"the file is a mixture of the versions {versions}")
    return int(versions.pop())


def killed(file: Path, after: int, seconds: float | None = None, prepare: Callable[[], None] | None = None) -> int:
    """Let a child save the versions after `after` and kill it after so many seconds, unless it is prepared to die.

    Returns the last version that it reported.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(60)  # should nobody kill it
            if prepare:
                prepare()
            for version in count(after + 1):
                save(version, file)
                os.write(writing, b".")
        finally:
            os._exit(1)
    os.close(writing)
    with open(reading, "rb") as reports:
        if seconds is not None:
            time.sleep(seconds)
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        require(os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, "the child was not killed")
        return after + len(reports.read())


def check(file: Path, reported: int) -> tuple[int, int]:
    """The version that the file holds after a kill, and how many other files the folder holds."""
    version = version_in(file)
    require(version in (reported, reported + 1), f"version {reported} was saved, and the file holds {version}")
    return version, len(os.listdir(file.parent)) - 1


def check_next_save(file: Path, version: int) -> None:
    save(version, file)
    require(version_in(file) == version, "the next save is not in the file")
    require(os.listdir(file.parent) == [file.name], f"the next save leaves {os.listdir(file.parent)}")


def require(fact: bool, otherwise: str) -> None:
    if not fact:
        raise SystemExit(otherwise)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=1000, help="at random moments (default 1000)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    source = random.Random(options.seed)

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.safetensors"
        start = time.perf_counter()
        for version in range(1, 11):
            save(version, file)
        duration = (time.perf_counter() - start) / 10
        print(f"Python {platform.python_version()}; a save of {len(model.parameters()):,} parameters ", end="")
        print(f"({file.stat().st_size:,} bytes) takes {duration * 1e3:.1f} ms\n")

        print(f"{'killed when about to':24}{'the file then holds':22}{'left beside it':>14}")
        for step, module, name, action in STEPS:
            reported = killed(file, version, prepare=lambda: setattr(module, name, action))  # noqa: B023
            found, left = check(file, reported)
            print(f"{step:24}{'the version before' if found == version else 'the new version':22}{left:>14}")
            version = found + 1
            check_next_save(file, version)

        newer = leftovers = 0
        for _ in range(options.kills):
            reported = killed(file, version, source.uniform(0.0, 3.0 * duration))
            version, left = check(file, reported)
            newer += version > reported
            leftovers += left > 0
        check_next_save(file, version + 1)
        print(f"\n{options.kills:,} kills at random moments (seed {options.seed}): each time a whole version;")
        print(f"{newer:,} times one that the child had not yet reported, {leftovers:,} times with leftovers beside it.")
        print("After one more save there was nothing but the file.")


if __name__ == "__main__":
    main()
