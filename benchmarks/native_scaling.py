"""Does the cost of a training step grow with the work alone, in batch, width and depth? Or is there a cliff?

    python benchmarks/native_scaling.py [--threads 1] [--dtype float64] [--picture FILE]

A full-batch step (forward, backward, SGD) of a multilayer perceptron with relu and mean squared error, on one core.
Each sweep changes one size and prints the time (the best of many turns), the work in multiply-adds and their rate. The
dashed line of the picture is the linear law at the best of these rates. A cliff would be a size at which a multiply-add
costs much more than at some smaller size. A perceptron of width 512 has 272,000 parameters, each of them a Value: that
takes a while to compile.
"""

import argparse
import itertools
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy

import scalargrad
from scalargrad import MLP, SGD, mse

FAN_IN, LEAST_SECONDS = 16, 0.05
CLIFF = 1.5  # times the cost of a multiply-add at the best smaller size; noise makes 1.3


class Shape(NamedTuple):
    """Hidden layers of equal width between 16 inputs and one output."""

    batch: int = 256
    width: int = 64
    depth: int = 3

    @property
    def fan_outs(self) -> list[int]:
        return [self.width] * (self.depth - 1) + [1]

    @property
    def multiply_adds(self) -> int:
        """Of a step: forward, weight gradients, and input gradients in every layer but the first."""
        products = [a * b for a, b in itertools.pairwise([FAN_IN, *self.fan_outs])]
        return self.batch * (3 * sum(products) - products[0])

    def without(self, name: str) -> str:
        return ", ".join(f"{field} {size}" for field, size in self._asdict().items() if field != name)


SWEEPS: dict[str, list[Shape]] = {
    "batch": [Shape(batch=2**i) for i in range(5, 16)],
    "width": [Shape(width=2**i) for i in range(3, 10)],
    "depth": [Shape(width=32, depth=2**i) for i in range(1, 7)],
}


class Point(NamedTuple):
    shape: Shape
    seconds: float

    @property
    def picoseconds_each(self) -> float:
        return 1e12 * self.seconds / self.shape.multiply_adds


class Run:
    """A training run of a perceptron, compiled, and how long it takes for few steps and for many."""

    def __init__(self, shape: Shape, options: dict[str, Any]) -> None:
        self.shape = shape
        model = MLP(FAN_IN, shape.fan_outs, init="he", rng=0)
        rng = numpy.random.default_rng(0)
        inputs, targets = rng.normal(size=(shape.batch, FAN_IN)), rng.normal(size=shape.batch)
        begin = time.perf_counter()
        program = scalargrad.compile(lambda x, y: mse(model(x), y), **options)
        self.steps = steps_of(program, inputs, targets)
        self.steps(1)
        self.compiling = time.perf_counter() - begin
        self.more, once = 1, self.time_of(1)
        while self.time_of(1 + self.more) - once < LEAST_SECONDS:
            self.more *= 2
        self.short: list[float] = []
        self.long: list[float] = []

    def time_of(self, count: int) -> float:
        begin = time.perf_counter()
        self.steps(count)
        return time.perf_counter() - begin

    def take_turn(self) -> None:
        self.short.append(self.time_of(1))
        self.long.append(self.time_of(1 + self.more))

    @property
    def seconds_a_step(self) -> float:
        """By how much the longer run is longer: what a run costs by itself cancels."""
        return (min(self.long) - min(self.short)) / self.more


def steps_of(program: Any, inputs: Any, targets: Any) -> Callable[[int], None]:
    """What trains for that many steps."""
    trainer = program.trainer(SGD(1e-3))
    return lambda count: trainer.run(inputs, targets, count)


def report(name: str, runs: list[Run]) -> list[Point]:
    points = [Point(run.shape, run.seconds_a_step) for run in runs]
    print(f"\n{name} (at {points[0].shape.without(name)})")
    print(f"{name:>8} {'multiply-adds':>15} {'microseconds':>13} {'GFLOP/s':>8} {'to compile':>11}")
    for (shape, seconds), run in zip(points, runs, strict=True):
        rate = 2e-9 * shape.multiply_adds / seconds
        numbers = f"{shape.multiply_adds:15,} {1e6 * seconds:13,.1f} {rate:8.1f} {run.compiling:9.2f} s"
        print(f"{getattr(shape, name):8,} {numbers}")
    ratio, at = worst_growth(name, points)
    verdict = "A CLIFF" if ratio > CLIFF else "no cliff"
    print(f"{verdict}: at {at:,} a multiply-add costs {ratio:.2f} times what it does at the best smaller {name}")
    return points


def worst_growth(name: str, points: list[Point]) -> tuple[float, int]:
    """How many times more a multiply-add costs than at the best smaller size, at most, and where."""
    best = itertools.accumulate((point.picoseconds_each for point in points), min)
    return max((b.picoseconds_each / a, getattr(b.shape, name)) for a, b in zip(best, points[1:], strict=False))


def draw(sweeps: dict[str, list[Point]], title: str, file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(sweeps), figsize=(13, 4.2), layout="constrained")
    for panel, (name, points) in zip(panels, sweeps.items(), strict=True):
        sizes = [getattr(point.shape, name) for point in points]
        best = min(point.picoseconds_each for point in points)
        linear = [point.shape.multiply_adds * best * 1e-6 for point in points]
        panel.loglog(sizes, linear, "--", color="#999999", label="the work at the best rate")
        panel.loglog(sizes, [1e6 * point.seconds for point in points], "o-", color="#2060a0", label="measured")
        panel.set_xticks(sizes, [f"{size:,}" for size in sizes], rotation=45 if len(sizes) > 8 else 0)
        panel.minorticks_off()
        panel.set_xlabel(f"{name}  ({points[0].shape.without(name)})")
        panel.grid(alpha=0.3)
        panel.legend(frameon=False)
    panels[0].set_ylabel("microseconds a training step")
    figure.suptitle(title)
    figure.savefig(file, dpi=110)
    print(f"\nsaved {file.name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--dtype", default="float64", choices=["float64", "float32"])
    parser.add_argument("--picture", type=Path, default=Path(__file__).parent / "results" / "native_scaling.png")
    arguments = parser.parse_args()
    options: dict[str, Any] = {"dtype": arguments.dtype, "threads": arguments.threads}
    code = f"native code, {arguments.threads} thread{'s' * (arguments.threads > 1)}"
    title = f"A training step of a perceptron with 16 inputs and one output: {code}, {arguments.dtype}"
    print(title)
    runs: dict[str, list[Run]] = {name: [] for name in SWEEPS}
    for name, shapes in SWEEPS.items():
        for shape in shapes:
            print(f"  compiling {name} {getattr(shape, name)}", file=sys.stderr)
            runs[name].append(Run(shape, options))
    for turn in range(arguments.turns):
        print(f"  turn {turn + 1} of {arguments.turns}", file=sys.stderr)
        for run in itertools.chain(*runs.values()):
            run.take_turn()
    draw({name: report(name, some) for name, some in runs.items()}, title, arguments.picture)


if __name__ == "__main__":
    main()
