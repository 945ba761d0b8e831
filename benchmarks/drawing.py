"""How long a picture takes, and how that grows: medians over several runs, for graphs of several shapes and sizes.

    python benchmarks/drawing.py [--runs 5]

The growth is the exponent between a size and the one before it: 1 is linear, 2 quadratic.
"""

import argparse
import math
import random
import statistics
import time
from collections.abc import Callable
from itertools import pairwise

from scalargrad.drawing import draw
from scalargrad.engine import Value
from scalargrad.ops import dot
from scalargrad.ops import sum as sum_of


class Weight(Value):
    """A Value that calls itself a parameter."""

    is_parameter = True


def chain(size: int) -> Value:
    """x → x·w → + 0.1 → relu → ..."""
    value, weight = Value(1.0, "x"), Weight(1.0001, "weight")
    for _ in range(size // 3):
        value = (value * weight + 0.1).relu()
    return value


def shuffled(size: int) -> Value:
    """Sums and products of random earlier values."""
    chance = random.Random(0)
    values = [Value(chance.random(), f"x{place}") for place in range(10)]
    for _ in range(size - 11):
        first, second = chance.choice(values), chance.choice(values)
        values.append(first * second if chance.random() < 0.5 else first + second)
    used = {operand for value in values for operand in value.operands}
    return sum_of(tuple(value for value in values if value not in used))


def binary_network(size: int) -> Value:
    """A network 2-n-n-1 written one binary operation at a time, as in micrograd."""
    width = max(2, round(math.sqrt(size / 3.3)))
    return _network([2, width, width, 1], samples=1, with_dot=False)


def batch(size: int) -> Value:
    """The loss of a network 16-32-32-1 over as many samples as give the size."""
    parameters, values_per_sample = 16 * 32 + 32 * 32 + 32 + 65, 3 * 65 + 18
    return _network([16, 32, 32, 1], samples=max(1, (size - parameters) // values_per_sample), with_dot=True)


def _network(sizes: list[int], samples: int, with_dot: bool) -> Value:
    chance = random.Random(0)
    layers = [
        [
            (
                tuple(
                    Weight(chance.uniform(-1, 1), f"layers.{layer}.neurons.{unit}.weights.{x}") for x in range(fan_in)
                ),
                Weight(0.0, f"layers.{layer}.neurons.{unit}.bias"),
            )
            for unit in range(fan_out)
        ]
        for layer, (fan_in, fan_out) in enumerate(pairwise(sizes))
    ]
    losses = []
    for _ in range(samples):
        values = tuple(Value(chance.uniform(-1, 1), f"x{place}") for place in range(sizes[0]))
        for layer in layers:
            values = tuple(_neuron(weights, bias, values, with_dot) for weights, bias in layer)
        losses.append((values[0] - 1.0) ** 2)
    return sum_of(tuple(losses))


def _neuron(weights: tuple, bias: Value, inputs: tuple, with_dot: bool) -> Value:
    if with_dot:
        return (dot(weights, inputs) + bias).relu()
    total = bias
    for weight, x in zip(weights, inputs, strict=True):
        total = total + weight * x
    return total.relu()


CASES: list[tuple[str, Callable[[int], Value], str, tuple[int, ...]]] = [
    ("chain", chain, "values", (500, 1000, 2000, 4000)),
    ("random graph", shuffled, "values", (500, 1000, 2000, 4000)),
    ("network of + and ×", binary_network, "values", (500, 1000, 2000, 4000)),
    ("chain", chain, "folded", (7500, 15000, 30000, 60000)),
    ("random graph", shuffled, "folded", (7500, 15000, 30000, 60000)),
    ("network of + and ×", binary_network, "folded", (7500, 15000, 30000, 60000)),
    ("batch of a network", batch, "folded", (7500, 15000, 30000, 60000)),
    ("batch of a network", batch, "layers", (7500, 15000, 30000, 60000)),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="runs of which the median is shown")
    runs = parser.parse_args().runs
    print(
        f"{'graph':20} {'detail':8} {'values':>7} {'cards':>6} {'edges':>6} {'seconds':>8} {'growth':>7} {'SVG kB':>7}"
    )
    for name, build, detail, sizes in CASES:
        before = None
        for size in sizes:
            output = build(size)
            output.backward()
            times = []
            for _ in range(runs):
                start = time.perf_counter()
                drawing = draw(output, detail=detail)
                svg = drawing.svg()
                times.append(time.perf_counter() - start)
            seconds, view = statistics.median(times), drawing.view
            count = len(view.values)
            growth = f"{math.log(seconds / before[1]) / math.log(count / before[0]):7.2f}" if before else ""
            counts = f"{count:7} {len(view.cards):6} {len(view.edges):6}"
            print(f"{name:20} {detail:8} {counts} {seconds:8.2f} {growth:>7} {len(svg) // 1000:7}", flush=True)
            before = (count, seconds)


if __name__ == "__main__":
    main()
