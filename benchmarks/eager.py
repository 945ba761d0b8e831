"""How fast is the eager engine? Beside micrograd and a plain engine (plain_value.py), on the same numbers, in turns.

    pip install micrograd
    python -m benchmarks.eager > benchmarks/results/eager.txt

Each measurement is the median of several runs in a process of its own, so that neither engine inherits the other's
memory; the processes take turns. All must compute the same value and gradient, or the script stops.
"""

import argparse
import gc
import importlib
import json
import random
import statistics
import subprocess
import sys
import threading
import time

CHAIN = 100_000
SIZES = [2, 16, 16, 1]
MODULES = {  # of Value, and of MLP
    "micrograd": ("micrograd.engine", "micrograd.nn"),
    "plain": ("benchmarks.plain_value", "benchmarks.plain_value"),
    "scalargrad": ("scalargrad.engine", "scalargrad.nn"),
}


def measure_chain(engine: str, runs: int) -> dict:
    """Nanoseconds an operation for a chain of multiply, add, relu, forward and backward."""
    Value = importlib.import_module(MODULES[engine][0]).Value  # noqa: N806

    def once() -> tuple[float, float, float]:
        start, factor, shift = Value(0.5), Value(1.000001), Value(1e-6)
        begin = time.perf_counter()
        value = start
        for _ in range(CHAIN // 3):
            value = (value * factor + shift).relu()
        value.backward()
        return time.perf_counter() - begin, value.data, factor.grad

    results = [once() for _ in range(runs)]
    return {"seconds": [r[0] / CHAIN for r in results], "numbers": results[0][1:]}


def measure_step(engine: str, runs: int) -> dict:
    """Seconds for one full-batch training step of MLP 2-16-16-1 on 100 moons: mean squared error, L2, SGD."""
    from sklearn.datasets import make_moons

    points, labels = make_moons(100, noise=0.1, random_state=0)
    points, labels = points.tolist(), labels.tolist()
    from scalargrad.losses import l2, mse

    model = importlib.import_module(MODULES[engine][1]).MLP(SIZES[0], SIZES[1:])
    rng, parameters = random.Random(0), model.parameters()
    for parameter in parameters:
        parameter.data = rng.uniform(-0.5, 0.5)

    def loss_of_sums():
        errors = [model(point) - label for point, label in zip(points, labels, strict=True)]
        return sum(e * e for e in errors) * (1.0 / len(errors)) + 1e-4 * sum(p * p for p in parameters)

    def loss_of_scalargrad():
        return mse([model(point) for point in points], labels) + 1e-4 * l2(parameters)

    loss_of = loss_of_scalargrad if engine == "scalargrad" else loss_of_sums
    seconds, losses = [], []
    for _ in range(runs):
        begin = time.perf_counter()
        loss = loss_of()
        model.zero_grad()
        loss.backward()
        for parameter in parameters:
            parameter.data -= 0.01 * parameter.grad
        seconds.append(time.perf_counter() - begin)
        losses.append(loss.data)
        del loss  # its graph, too, is part of a step's cost
    return {"seconds": seconds, "numbers": [*losses[:2], parameters[0].grad]}


def measure_memory() -> float:
    """Bytes a node of the chain, after backward."""
    import tracemalloc

    from scalargrad.engine import Value

    tracemalloc.start()
    start, factor, shift = Value(0.5), Value(1.000001), Value(1e-6)
    before = tracemalloc.get_traced_memory()[0]
    value = start
    for _ in range(CHAIN // 3):
        value = (value * factor + shift).relu()
    value.backward()
    return (tracemalloc.get_traced_memory()[0] - before) / (CHAIN // 3 * 3)


MEASURES = {"chain": measure_chain, "step": measure_step}


def in_own_process(case: str, engine: str, collector: bool, runs: int) -> dict:
    command = [sys.executable, "-m", "benchmarks.eager", "--case", case, "--engine", engine, "--runs", str(runs)]
    command += ["--no-gc"] * (not collector)
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8")
    return json.loads(output.stdout)


def child(case: str, engine: str, collector: bool, runs: int) -> None:
    if not collector:
        gc.disable()
    sys.setrecursionlimit(10**7)  # micrograd sorts by recursion
    threading.stack_size(1 << 30)
    result: dict = {}
    worker = threading.Thread(target=lambda: result.update(MEASURES[case](engine, runs)))
    worker.start()
    worker.join()
    if not result:
        sys.exit(1)  # the thread has said why
    print(json.dumps(result))


def same(ours: list[float], theirs: list[float]) -> bool:
    return all(abs(a - b) <= 1e-9 * max(1.0, abs(b)) for a, b in zip(ours, theirs, strict=True))


def compare(case: str, collector: bool, turns: int, runs: int) -> list[float]:
    """Seconds by engine, medians."""
    seconds: dict[str, list[float]] = {engine: [] for engine in MODULES}
    numbers = {}
    for _ in range(turns):
        for engine in MODULES:
            result = in_own_process(case, engine, collector, runs)
            seconds[engine] += result["seconds"]
            numbers[engine] = result["numbers"]
    if not all(same(numbers["scalargrad"], others) for others in numbers.values()):
        sys.exit(f"{case}: the engines disagree: {numbers}")
    return [statistics.median(seconds[engine]) for engine in MODULES]


def import_cost() -> float:
    """Milliseconds that `import scalargrad` takes beyond `python -c pass`."""

    def run(code: str) -> float:
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - begin

    pairs = [(run("import scalargrad"), run("pass")) for _ in range(15)]
    return 1e3 * (statistics.median(p[0] for p in pairs) - statistics.median(p[1] for p in pairs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--case", choices=MEASURES, help=argparse.SUPPRESS)
    parser.add_argument("--engine", choices=MODULES, help=argparse.SUPPRESS)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--no-gc", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        child(options.case, options.engine, not options.no_gc, options.runs)
        return
    rows = [
        ("chain of 100,000, collector on", "chain", True, 1e9, "ns an operation", 8),
        ("chain of 100,000, collector off", "chain", False, 1e9, "ns an operation", None),
        ("100 moons, a step of 2-16-16-1, collector on", "step", True, 1e3, "ms", 60),
        ("100 moons, a step of 2-16-16-1, collector off", "step", False, 1e3, "ms", 8),
    ]
    engines = f"{'micrograd':>10} {'plain':>10} {'scalargrad':>10}"
    print(f"{'':46} {engines}  {'':16} {'micrograd: ratio':>16}  goal  plain: ratio")
    for title, case, collector, scale, unit, goal in rows:
        theirs, plain, ours = compare(case, collector, options.turns, options.runs)
        times = f"{theirs * scale:10.1f} {plain * scale:10.1f} {ours * scale:10.2f}  {unit:16}"
        print(f"{title:46} {times} {theirs / ours:16.1f}  {goal or '-':>4}  {plain / ours:12.2f}", flush=True)
    print(f"memory: {measure_memory():.0f} bytes a node (goal: at most 200)")
    print(f"import scalargrad: {import_cost():.0f} ms more than `python -c pass` (goal: at most 40)")


if __name__ == "__main__":
    main()
