"""How fast are the contractions of a convolution, forward and both gradients, beside what this core can do at most?

    python benchmarks/native_contraction.py

A 3x3 convolution from 16 to 16 channels, written in scalar Values, 64 samples as lanes, float32, one core. Each kernel
is timed by itself, as `program.report()` does. Two limits are measured in the same run: fused multiply-adds that wait
for nothing, and OpenBLAS's product of two matrices of 1,024 x 1,024. The gradients are checked against NumPy's backend.
"""

import os
import statistics
import sys
from pathlib import Path
from time import perf_counter

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy

import scalargrad
from scalargrad import Value, dot
from scalargrad.compiler.backends.native.running.report import peak, timed_lines

SIDE, CHANNELS, LANES, TURNS = 10, 16, 64, 7
LIMIT = {"forward": (140, 229), "input gradient": (100, 229), "weight gradient": (100, 229)}  # of the reference machine


def convolution() -> scalargrad.compiler.Compiled:
    source = numpy.random.default_rng(0)
    first = [Value(x) for x in source.normal(size=CHANNELS).tolist()]
    kernels = [tuple(map(Value, row)) for row in source.normal(size=(CHANNELS, 9 * CHANNELS)).tolist()]

    def loss(image):
        # A scale for each channel comes first, so that there is a gradient with respect to the input.
        channels = [[[w * x for x in row] for row in channel] for w, channel in zip(first, image, strict=True)]
        total = []
        for i in range(SIDE - 2):
            for j in range(SIDE - 2):
                patch = tuple(channel[i + a][j + b] for channel in channels for a in range(3) for b in range(3))
                total += [dot(row, patch) for row in kernels]
        return scalargrad.mean([x * x for x in total])

    return scalargrad.compile(loss, dtype="float32", threads=1)


def product_peak() -> float:
    a = numpy.random.default_rng(0).normal(size=(1024, 1024)).astype("float32")
    best = float("inf")
    for _ in range(5):
        begin = perf_counter()
        a @ a
        best = min(best, perf_counter() - begin)
    return 2 * 1024**3 / best / 1e9


def main() -> None:
    program = convolution()
    images = numpy.random.default_rng(1).normal(size=(LANES, CHANNELS, SIDE, SIDE)).astype("float32")
    value, slopes = program.value_and_grad(images)
    reference = scalargrad.compile(program.function, dtype="float32", backend="numpy")
    expected, expected_slopes = reference.value_and_grad(images)
    found, wanted = (
        dict(zip(p.parameters, s, strict=True)) for p, s in ((program, slopes), (reference, expected_slopes))
    )
    wrong = max(abs(float(found[p]) - float(wanted[p])) for p in found) / float(abs(expected_slopes).max())
    if abs(value - expected) > 1e-5 * abs(expected) or wrong > 1e-5:
        sys.exit(f"the gradients disagree with NumPy's: {wrong}")
    backend = program.last.backward_backend
    executable = backend.executable
    flat = [images.reshape(LANES, -1)]
    patches = (SIDE - 2) ** 2
    works = {"forward": [], "input gradient": [], "weight gradient": []}
    limits: list[tuple[float, float]] = []
    for _ in range(TURNS):
        limits.append((peak(executable), product_peak()))
        for line in timed_lines(executable, backend.batch(LANES), flat):
            if line.work < LANES * patches * CHANNELS * 9 * CHANNELS:
                continue
            name = line.name.split(": ")[-1]
            place = (
                "weight gradient"
                if name.startswith("outer")
                else ("forward" if f"[{CHANNELS * patches}]" in name else "input gradient")
            )
            works[place].append(line.rate)
    most, product = (statistics.median(column) for column in zip(*limits, strict=True))
    print(f"multiply-adds at most {most:.0f} GFLOP/s, OpenBLAS 1,024 x 1,024 {product:.0f} GFLOP/s\n")
    print(f"{'':<16} {'GFLOP/s':>8} {'of multiply-adds':>17} {'of OpenBLAS':>12}   goal on the reference machine")
    for name, rates in works.items():
        rate = statistics.median(rates)
        goal, of = LIMIT[name]
        print(
            f"{name:<16} {rate:>8.0f} {rate / most:>17.0%} {rate / product:>12.0%}   "
            f"{goal} GFLOP/s, {goal / of:.0%} of its product peak"
        )


if __name__ == "__main__":
    main()
