"""How long does it take to build, save and load a network of 109,386 parameters? Beside an older state, in turns.

    python benchmarks/building.py [--before PATH] > benchmarks/results/building.txt

PATH is a folder with another state of this repository. Each state is measured in processes of its own, on one core and
with the garbage collector as Python has it; the processes take turns. Both must give the same file to the byte, and the
same numbers and names from it, or the script stops.
"""

import argparse
import hashlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

GOALS = {
    "MLP(784, [128, 64, 10], rng=0)": 120,
    "model.save(path)": 25,
    "load(path)": 100,
    "load_into(model, path)": 100,
}
HERE = Path(__file__).resolve().parent.parent


def measure(state: str, runs: int) -> dict:
    """Seconds of each case, and digests of what came out."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])
    sys.path.insert(0, state)
    import scalargrad
    from scalargrad import MLP, load, load_into

    assert Path(scalargrad.__file__).is_relative_to(state), scalargrad.__file__
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.safetensors"
        build = lambda: MLP(784, [128, 64, 10], rng=0)  # noqa: E731
        model, other = build(), MLP(784, [128, 64, 10], rng=1)
        model.save(path)
        cases = [build, lambda: model.save(path), lambda: load(path), lambda: load_into(other, path)]
        seconds = {name: [timed(case) for _ in range(runs)] for name, case in zip(GOALS, cases, strict=True)}
        found = [
            [(name, p.label, p.data.hex()) for name, p in m.named_parameters()] for m in (model, load(path), other)
        ]
        assert found[0] == found[1] == found[2]
        digests = [hashlib.sha256(data).hexdigest() for data in (path.read_bytes(), json.dumps(found).encode())]
    return {"seconds": seconds, "digests": digests}


def timed(case: Callable[[], Any]) -> float:
    begin = perf_counter()
    result = case()
    end = perf_counter()
    del result  # not part of it
    return end - begin


def in_own_process(state: Path, runs: int) -> dict:
    command = [sys.executable, __file__, "--measure", str(state), "--runs", str(runs)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", type=Path)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.runs)))
        return
    states = {"before": options.before.resolve()} if options.before else {}
    states["now"] = HERE
    results: dict[str, list[dict]] = {name: [] for name in states}
    for _ in range(options.turns):
        for name, state in states.items():
            results[name].append(in_own_process(state, options.runs))
    if len({str(result["digests"]) for name in states for result in results[name]}) > 1:
        sys.exit("the states disagree about the file, the numbers or the names")
    print(f"784-128-64-10, 109,386 parameters, Python {platform.python_version()}, one core: ms, medians\n")
    print(f"{'':30} {' '.join(f'{name:>8}' for name in states)}  goal")
    for case, goal in GOALS.items():
        seconds = [statistics.median(s for result in results[name] for s in result["seconds"][case]) for name in states]
        print(f"{case:30} {' '.join(f'{1e3 * s:8.1f}' for s in seconds)}  {goal:4}")


if __name__ == "__main__":
    main()
