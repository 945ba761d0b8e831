"""How fast and how exact are the vector functions of the native backend? Beside NumPy and SciPy, on one core.

    python -m benchmarks.vector_math > benchmarks/results/vector_math.txt

Nanoseconds for one element, of 2,048 that stay in the cache, in vectors as the machine has them: the best of some
turns. Errors are the largest of many points (those of the tests of these functions), in units in the last place.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy
from scipy import special

from scalargrad.compiler.backends.native.functions import FUNCTIONS
from scalargrad.compiler.backends.native.running.target import machine
from scalargrad.ops import OPERATIONS
from tests.oracles.native_functions import TYPES, Native, places, worst

COUNT, TURNS, REPEATS = 2048, 15, 50
PRECISIONS = {"double": "float64", "float": "float32"}
PEERS = {
    "asin": numpy.arcsin,
    "acos": numpy.arccos,
    "atan": numpy.arctan,
    "atan2": numpy.arctan2,
    "asinh": numpy.arcsinh,
    "acosh": numpy.arccosh,
    "atanh": numpy.arctanh,
    "pow": numpy.power,
    "sigmoid": special.expit,
    "erf": special.erf,
    "erfc": special.erfc,
}


def arguments(name: str, number: str) -> list[Any]:
    source = numpy.random.default_rng(0)
    lowest, highest = OPERATIONS[name].domain[0]
    low, high = max(lowest, -4.0), min(highest, 4.0)
    return [source.uniform(low, high, COUNT).astype(TYPES[number]) for _ in range(OPERATIONS[name].scalars)]


def nanoseconds(run: Callable[[], Any], repeats: int) -> float:
    """For one element; `run` computes all of them `repeats` times."""
    best = float("inf")
    for _ in range(TURNS):
        begin = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - begin)
    return best / repeats / COUNT * 1e9


def ours(native: Native, name: str, arrays: list[Any]) -> float:
    function = getattr(native, name)
    return nanoseconds(lambda: function(*arrays, repeats=REPEATS), REPEATS)


def theirs(name: str, arrays: list[Any]) -> float:
    function, results = PEERS.get(name) or getattr(numpy, name), numpy.empty_like(arrays[0])

    def run() -> None:
        for _ in range(REPEATS):
            function(*arrays, results)

    return nanoseconds(run, REPEATS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=4000, help="points for each error (default 4,000)")
    options = parser.parse_args()
    widths = {number: machine().width(dtype) for number, dtype in PRECISIONS.items()}
    compiled = {number: Native(FUNCTIONS, number, machine()) for number in widths}
    wider = {number: Native(FUNCTIONS, number, machine(), 2 * width) for number, width in widths.items()}
    print(
        "Nanoseconds for one element: in one vector, in two at once, and NumPy's or SciPy's; the largest error in ulp\n"
    )
    heads = [f"{PRECISIONS[number]} x {width}" for number, width in widths.items()]
    print(f"{'':8} {heads[0]:^31}   {heads[1]:^31}")
    print(f"{'':8}" + 2 * f" {'one':>7} {'two':>7} {'peer':>7} {'ulp':>6}   ".rstrip(" "))
    for name in FUNCTIONS:
        columns = []
        for number in TYPES:
            arrays = arguments(name, number)
            times = ours(compiled[number], name, arrays), ours(wider[number], name, arrays), theirs(name, arrays)
            error, _ = worst(name, number, compiled[number], places(name, number, options.points // 2, seed=5))
            columns.append("".join(f"{t:8.2f}" for t in times) + f"{error:7.2f}")
        print(f"{name:8}" + "   ".join(columns), flush=True)


if __name__ == "__main__":
    main()
