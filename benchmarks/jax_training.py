"""How near does the backend "jax" come to JAX written by hand? And on a GPU, to PyTorch, and to what the GPU can do?

    pip install jax torch==2.13.0
    python benchmarks/jax_training.py [--turns 7] [--tiny] [--only MLP]

Whole epochs of training with Adam in float32, on a processor (one device and eight virtual ones) or, where JAX finds a
GPU, on that; JAX_PLATFORMS=cpu takes the processor all the same. The networks and the sides are in
jax_training_sides.py. Every side is a process of its own; they take turns, and ratios are medians of the ratios of each
turn, since a machine is faster in some turns than in others. All sides start from the same weights and take the same
rows in the same order; the mean loss of the first epoch must agree, or the script stops. Products have the full
precision of float32 everywhere. "prepared" is from the function to the end of the first turn, less another turn, so
tracing and compiling. The roofs are measured in the same run, by a large product and a large copy; what is far below
both waits for something else, such as the start of many small kernels.
--tiny runs the rows of a GPU on small data, wherever: to see that all of it works.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from jax_training_sides import BY_HAND, NETWORKS, OURS, ROWS, SIDES, Row

# The roofs.


class Roofs(NamedTuple):
    platform: str
    name: str
    multiply_adds: float  # a second
    bytes: float  # a second, read and written


def roofs() -> Roofs:
    import jax
    import jax.numpy as jnp

    device = jax.devices()[0]
    size, length = (2048, 2**26) if device.platform == "cpu" else (8192, 2**30)
    matrix, line = jnp.ones((size, size)), jnp.ones(length)
    product = jax.jit(lambda a: jnp.matmul(a, a, precision="highest"))
    copy = jax.jit(lambda a: a + 1.0)
    return Roofs(
        device.platform,
        device.device_kind,
        size**3 / best_seconds(lambda: product(matrix).block_until_ready()),
        8 * length / best_seconds(lambda: copy(line).block_until_ready()),
    )


def best_seconds(work: Callable[[], Any]) -> float:
    work()
    found = []
    for _ in range(10):
        begin = time.perf_counter()
        work()
        found.append(time.perf_counter() - begin)
    return min(found)


# A side in a process of its own.


def serve(name: str, row: Row) -> None:
    """Train for two turns, and then for one more for each line that comes in; answers with seconds of an epoch."""
    begin = time.perf_counter()
    train = SIDES[name](row)
    losses = train()
    middle = time.perf_counter()
    train()
    prepared = 2.0 * middle - begin - time.perf_counter()
    print(json.dumps({"loss": losses[0], "prepared": prepared}), flush=True)
    for _ in sys.stdin:
        begin, busy = time.perf_counter(), time.process_time()
        train()
        times = time.perf_counter() - begin, time.process_time() - busy
        print(json.dumps([seconds / row.epochs for seconds in times]), flush=True)


def start(*arguments: str, devices: int = 1) -> subprocess.Popen:
    environment = {**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}  # sides share the memory of a GPU
    if devices > 1:
        virtual = f"--xla_force_host_platform_device_count={devices}"
        environment["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {virtual}"
    command = [sys.executable, __file__, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", env=environment)


def answer(process: subprocess.Popen) -> Any:
    """None, if the process has ended: its error stands on standard error."""
    assert process.stdout is not None
    line = process.stdout.readline()
    return json.loads(line) if line else None


# The tables.


def compare(row: Row, names: list[str], turns: int, roofs: Roofs) -> None:
    print(f"\n{row}")
    processes, first = {}, {}
    times: dict[str, list[list[float]]] = {}
    for name in names:
        print(f"  starting {name}", file=sys.stderr)
        process = start("--serve", name, "--row", json.dumps(row), devices=row.devices)
        found = answer(process)
        if found is None:
            print(f"  {name} could not run")
            continue
        processes[name], first[name], times[name] = process, found, []
    if BY_HAND not in processes:
        sys.exit(f"without {BY_HAND} there is nothing to compare with")
    check({name: found["loss"] for name, found in first.items()}, NETWORKS[row.network].tolerance)
    for turn in range(turns):
        print(f"  turn {turn + 1} of {turns}", file=sys.stderr)
        for name, process in processes.items():
            assert process.stdin is not None
            process.stdin.write("turn\n")
            process.stdin.flush()
            times[name].append(answer(process))
    for process in processes.values():
        process.communicate()
    print(
        f"  {'':32}{'s an epoch':>11}{'best':>8}{'/ by hand':>11}{'on CPU':>9}{'/ by hand':>11}"
        f"{'images/s':>12}{'arithmetic':>12}{'memory':>8}{'prepared, s':>13}"
    )
    for name, found in times.items():
        seconds, busy = (statistics.median(column) for column in zip(*found, strict=True))
        print(
            f"  {name:32}{seconds:11.4f}{min(found)[0]:8.4f}{ratio(found, times[BY_HAND], 0):11.2f}{busy:9.3f}"
            f"{ratio(found, times[BY_HAND], 1):11.2f}{row.images / seconds:12,.0f}"
            f"{row.multiply_adds / seconds / roofs.multiply_adds:12.1%}{row.least_bytes / seconds / roofs.bytes:8.1%}"
            f"{first[name]['prepared']:13.1f}"
        )
    print(f"  {limit(row, times, roofs)}")
    goal = NETWORKS[row.network].goals.get(roofs.platform)
    if goal is not None and OURS in times:
        reached = ratio(times[OURS], times[BY_HAND], 0)
        print(f"  {'met   ' if reached <= goal else 'MISSED'} {reached:.2f} x the time of {BY_HAND} (goal: {goal:g})")
    sys.stdout.flush()


def ratio(found: list[list[float]], others: list[list[float]], column: int) -> float:
    """The median of the ratios of the turns."""
    return statistics.median(a[column] / b[column] for a, b in zip(found, others, strict=True))


def check(losses: dict[str, float], tolerance: float) -> None:
    wanted = losses[BY_HAND]
    for name, loss in losses.items():
        if not abs(loss - wanted) <= tolerance * wanted:
            sys.exit(f"{name}: the mean loss of the first epoch is {loss}, and that of {BY_HAND} {wanted}")
    print(f"  mean loss of the first epoch: {wanted:.6f}; all agree to {tolerance:g}")


def limit(row: Row, times: dict[str, list[list[float]]], roofs: Roofs) -> str:
    """How long a step is, and how long it would be under the nearer roof: what is far from both waits for something."""
    scale = 1e6 * row.batch / row.images
    bounds = {"arithmetic": row.multiply_adds / roofs.multiply_adds, "memory": row.least_bytes / roofs.bytes}
    nearest = max(bounds, key=bounds.__getitem__)
    steps = {name: scale * statistics.median(seconds for seconds, _ in found) for name, found in times.items()}
    each = ", ".join(f"{name} {microseconds:,.0f}" for name, microseconds in steps.items())
    return f"microseconds a step: {each}; {nearest} alone {scale * bounds[nearest]:,.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--only", default="", help="the rows whose title holds this")
    parser.add_argument("--tiny", action="store_true", help="the rows of a GPU on small data, wherever")
    parser.add_argument("--serve", choices=[*SIDES, "roofs"], help=argparse.SUPPRESS)
    parser.add_argument("--row", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve == "roofs":
        print(json.dumps(roofs()))
        return
    if options.serve:
        serve(options.serve, Row(*json.loads(options.row)))
        return
    found = answer(process := start("--serve", "roofs"))
    process.communicate()
    if found is None:
        sys.exit("JAX could not run")
    here = Roofs(*found)
    with_torch = options.tiny or here.platform == "gpu"
    rows = ROWS["gpu" if with_torch else "cpu"]
    if options.tiny:
        rows = [row._replace(batch=row.batch // 32, images=row.batch // 8) for row in rows]
    names = [name for name in SIDES if with_torch or not name.startswith("PyTorch")]
    print(f"Adam, float32, {here.name}, Python {platform.python_version()}")
    print(f"roofs: {here.multiply_adds / 1e9:,.0f} billion multiply-adds and {here.bytes / 1e9:,.0f} GB a second")
    for row in rows:
        if options.only in str(row):
            compare(row, names, options.turns, here)


if __name__ == "__main__":
    main()
