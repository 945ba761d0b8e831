"""Up to which channels, kernel, batch and threads is scalargrad faster at convolutions than PyTorch?

    pip install torch==2.13.0 matplotlib
    python benchmarks/convolution_scaling.py [--turns 5] [--quick] [--picture FILE]

Training steps (forward, backward, SGD with momentum) in float32 of a network of two convolutions, on batches of images
[1, 14, 14] that are ready; padding keeps them at that size. Each sweep changes one size. Every side is a process of its
own, held to as many cores as it may have threads; they take turns, and the median counts. Before that, the losses of
the first steps from the same weights must agree. PyTorch is eager; of its two layouts of images in memory the faster
counts, at each size by itself. Preparation is scalargrad's, from the function to the first steps, imports left out.
"""

import argparse
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy
from peers import hold_to_cores

IMAGE, CLASSES = 14, 10  # rows and columns; logits
RATE, MOMENTUM = 0.05, 0.9
FIRST_STEPS, TOLERANCE = 5, 1e-5  # a step that forgets a layer changes the losses by 2e-5 or more
LEAST_SECONDS = 0.3  # of a turn
FASTER = 1.05  # times the images a second; less than that is noise


class Shape(NamedTuple):
    """Two convolutions of that many channels, relu behind each, the mean of each channel, 10 logits."""

    channels: int = 16
    kernel: int = 3
    batch: int = 128
    threads: int = 1

    @property
    def multiply_adds(self) -> int:
        """Of an image in a step: forward, weight gradients, and input gradients in every layer but the first."""
        moved = IMAGE**2 * self.kernel**2  # where padding is, too: a common way to count
        first, second, last = moved * self.channels, moved * self.channels**2, self.channels * CLASSES
        return 2 * first + 3 * (second + last)

    def without(self, name: str) -> str:
        return ", ".join(f"{field} {size:,}" for field, size in self._asdict().items() if field != name)


class Sweep(NamedTuple):
    """Shapes that differ in the size of that name only."""

    name: str
    shapes: list[Shape]


def sweeps_of(quick: bool) -> list[Sweep]:
    cores = os.cpu_count() or 1
    threads = sorted({cores, *(2**i for i in range(cores.bit_length()))})
    sweeps = [
        Sweep("channels", [Shape(channels=2**i) for i in range(1, 8)]),
        Sweep("kernel", [Shape(kernel=size) for size in (1, 3, 5, 7)]),
        Sweep("batch", [Shape(batch=2**i) for i in range(3, 11)]),
        Sweep("threads", [Shape(batch=32, threads=count) for count in threads]),
        Sweep("threads", [Shape(batch=1024, threads=count) for count in threads]),
    ]
    return [Sweep(name, [shapes[0], shapes[-1]]) for name, shapes in sweeps] if quick else sweeps


# The sides: the losses before each of the first steps, and what trains for that many steps more.

Side = tuple[list[float], Callable[[int], object]]


def batch_of(shape: Shape) -> tuple[Any, Any]:
    source = numpy.random.default_rng(0)
    images = source.random((shape.batch, 1, IMAGE, IMAGE), dtype="float32")
    return images, source.integers(0, CLASSES, shape.batch)


def network(shape: Shape) -> Any:
    from scalargrad.nn import Conv2d, Flatten, GlobalAvgPool, Layer, Sequential
    from scalargrad.ops import relu

    padding = shape.kernel // 2
    return Sequential(
        Conv2d(1, shape.channels, shape.kernel, padding=padding, bias=False, rng=0),
        relu,
        Conv2d(shape.channels, shape.channels, shape.kernel, padding=padding, bias=False, rng=1),
        relu,
        GlobalAvgPool(),
        Flatten(),
        Layer(shape.channels, CLASSES, activation="linear", init="xavier", rng=2),
    )


def scalargrad_side(shape: Shape) -> Side:
    import scalargrad
    from scalargrad import SGD, cross_entropy

    model = network(shape)
    program = scalargrad.compile(lambda x, y: cross_entropy(model(x), y), dtype="float32", threads=shape.threads)
    trainer = program.trainer(SGD(RATE, momentum=MOMENTUM))
    x, y = batch_of(shape)

    def steps(count: int) -> list[float]:
        return trainer.run(x, y, count, progress=False)["loss"]

    return steps(FIRST_STEPS), steps


def torch_side(shape: Shape, channels_last: bool = False) -> Side:
    import torch
    from torch import nn

    torch.set_num_threads(shape.threads)
    model: Any = nn.Sequential(
        nn.Conv2d(1, shape.channels, shape.kernel, padding="same", bias=False),
        nn.ReLU(),
        nn.Conv2d(shape.channels, shape.channels, shape.kernel, padding="same", bias=False),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(shape.channels, CLASSES),
    )
    weights = network(shape).state_dict()
    model.load_state_dict({name: torch.from_numpy(array.astype("float32")) for name, array in weights.items()})
    x, y = (torch.from_numpy(array) for array in batch_of(shape))
    if channels_last:
        model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM)

    def step() -> Any:
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    def steps(count: int) -> None:
        for _ in range(count):
            step()

    return [step().item() for _ in range(FIRST_STEPS)], steps


OURS, FIRST, LAST = "scalargrad", "channels first", "channels last"
SIDES: dict[str, Callable[[Shape], Side]] = {
    OURS: scalargrad_side,
    FIRST: torch_side,
    LAST: lambda shape: torch_side(shape, channels_last=True),
}


def serve(name: str, shape: Shape) -> None:
    """A side's own process: it answers a line of its input with a line of its output."""
    hold_to_cores(shape.threads)
    SIDES[name](Shape(channels=1, kernel=1, batch=1, threads=shape.threads))  # so that all is imported
    begin = time.perf_counter()
    losses, steps = SIDES[name](shape)
    print(json.dumps({"losses": losses, "prepared": time.perf_counter() - begin}), flush=True)
    count = 1
    while seconds_of(steps, count) < LEAST_SECONDS:
        count *= 2
    for _ in sys.stdin:
        print(json.dumps({"seconds": seconds_of(steps, count) / count}), flush=True)


def seconds_of(steps: Callable[[int], object], count: int) -> float:
    begin = time.perf_counter()
    steps(count)
    return time.perf_counter() - begin


# Side by side.


class Child:
    """A process that serves a side."""

    def __init__(self, name: str, shape: Shape) -> None:
        threads = str(shape.threads)
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--serve", name, *map(str, shape)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env={**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads},
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.questions, self.answers = self.process.stdin, self.process.stdout
        self.first = self.answer()
        self.seconds: list[float] = []

    def answer(self) -> dict[str, Any]:
        line = self.answers.readline()
        if not line:
            raise SystemExit("a side has ended; what it said is above")
        return json.loads(line)

    def take_turn(self) -> None:
        self.questions.write("\n")
        self.questions.flush()
        self.seconds.append(self.answer()["seconds"])

    def end(self) -> None:
        self.questions.close()
        self.process.wait()


class Point(NamedTuple):
    """Images a second of each side."""

    shape: Shape
    rates: dict[str, float]
    prepared: float  # seconds, ours

    @property
    def layout(self) -> str:
        return max(FIRST, LAST, key=self.rates.__getitem__)

    @property
    def ours(self) -> float:
        return self.rates[OURS]

    @property
    def theirs(self) -> float:
        return self.rates[self.layout]

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs


def measure(shape: Shape, turns: int) -> Point:
    children = {name: Child(name, shape) for name in SIDES}
    for losses in zip(*(child.first["losses"] for child in children.values()), strict=True):
        if not max(losses) - min(losses) <= TOLERANCE:  # nan, too
            found = {name: child.first["losses"] for name, child in children.items()}
            raise SystemExit(f"{shape}: the sides differ in the losses of the first steps: {found}")
    for _ in range(turns):
        for child in children.values():
            child.take_turn()
    for child in children.values():
        child.end()
    rates = {name: shape.batch / statistics.median(child.seconds) for name, child in children.items()}
    return Point(shape, rates, children[OURS].first["prepared"])


# What came out.


def report(name: str, points: Sequence[Point]) -> None:
    print(f"\n{name} (at {points[0].shape.without(name)})")
    print(f"{name:>8}{'images/s: ours':>16}{'PyTorch':>11}  {'':14}{'ratio':>6}{'our GFLOP/s':>13}{'prepared':>11}")
    for point in points:
        work = 2e-9 * point.shape.multiply_adds * point.ours
        print(
            f"{getattr(point.shape, name):8,}{point.ours:16,.0f}{point.theirs:11,.0f}  {point.layout:14}"
            f"{point.ratio:6.2f}{work:13.1f}{point.prepared:9.1f} s"
        )
    print(verdict(name, points), flush=True)


def verdict(name: str, points: Sequence[Point]) -> str:
    """Where scalargrad is faster, and from where on it is not."""
    phrases = []
    for is_faster, run in itertools.groupby(points, lambda point: point.ratio > FASTER):
        alike = list(run)
        sizes = span([f"{getattr(point.shape, name):,}" for point in alike])
        ratios = span([f"{ratio:.2f}" for ratio in sorted(point.ratio for point in alike)])
        phrases.append(f"{'faster' if is_faster else 'NOT faster'} at {name} {sizes} ({ratios} times PyTorch)")
    return f"scalargrad is {', '.join(phrases)}."


def span(texts: Sequence[str]) -> str:
    return texts[0] if texts[0] == texts[-1] else f"{texts[0]} to {texts[-1]}"


def draw(sweeps: list[tuple[str, list[Point]]], title: str, file: Path) -> None:
    """A panel for each size; where two sweeps change the same one, the second is dashed."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    names = list(dict.fromkeys(name for name, _ in sweeps))
    figure, panels = plt.subplots(1, len(names), figsize=(16, 5.0), layout="constrained", sharey=True)
    for panel, name in zip(panels, names, strict=True):
        runs = [points for changed, points in sweeps if changed == name]
        draw_run(panel, name, runs[0], "-")
        for points in runs[1:]:
            draw_run(panel, name, points, "--")
        sizes = [getattr(point.shape, name) for point in runs[0]]
        panel.set_xticks(sizes, [f"{size:,}" for size in sizes], rotation=45 if len(sizes) > 7 else 0)
        panel.minorticks_off()
        panel.margins(0.12, 0.15)
        panel.set_xlabel(name)
        panel.grid(alpha=0.3)
        panel.legend(frameon=False, fontsize=8, loc="upper right")
    panels[0].set_ylabel("images a second")
    figure.suptitle(title)
    figure.savefig(file, dpi=110)
    print(f"\nsaved {file.name}")


def draw_run(panel: Any, name: str, points: Sequence[Point], dashes: str) -> None:
    """Both sides by size, and the ratio: below solid lines, above dashed ones."""
    sizes = [getattr(point.shape, name) for point in points]
    setting = points[0].shape.without(name)
    panel.loglog(sizes, [point.ours for point in points], f"o{dashes}", color="#2060a0", label=f"scalargrad, {setting}")
    panel.loglog(sizes, [point.theirs for point in points], f"s{dashes}", color="#c05020", label="PyTorch")
    end, up = (min, -13) if dashes == "-" else (max, 7)
    for size, point in zip(sizes, points, strict=True):
        text, place = f"{point.ratio:.1f} x", (size, end(point.ours, point.theirs))
        panel.annotate(text, place, (0, up), textcoords="offset points", ha="center", fontsize=8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="only the ends of each sweep")
    parser.add_argument("--picture", type=Path, default=Path(__file__).parent / "results" / "convolution_scaling.png")
    parser.add_argument("--serve", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        name, *sizes = options.serve
        serve(name, Shape(*map(int, sizes)))
        return
    title = f"Training two convolutions on images of {IMAGE} x {IMAGE}, float32: images a second"
    print(f"{title}; Python {platform.python_version()}")
    measured: dict[Shape, Point] = {}
    sweeps = []
    for name, shapes in sweeps_of(options.quick):
        for shape in shapes:
            if shape not in measured:
                print(f"  {shape}", file=sys.stderr)
                measured[shape] = measure(shape, options.turns)
        sweeps.append((name, [measured[shape] for shape in shapes]))
        report(*sweeps[-1])
    draw(sweeps, title, options.picture)


if __name__ == "__main__":
    main()
