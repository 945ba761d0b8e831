"""How long is one epoch of an MNIST-shaped network in native code? Side by side with its peers, on one core and on two.

    pip install torch==2.13.0 jax
    python benchmarks/native_mnist.py [--turns 7] [--threads 1 2] [--only JAX]

MLP 784-128-64-10, relu, cross-entropy, Adam, float32: 937 batches of 64 random rows, in a new order each epoch. Every
side is a process of its own with as many threads as the table says (and held to as many cores); they take turns. Before
that each computes the loss and the gradient of one batch and five steps of Adam on it, which must agree with a formula
in float64, or the script stops. The peers are written in peers.py. The bound is the arithmetic alone, at the rate of
fused multiply-adds that a core reaches in the same run.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy
import peers
from numpy import ndarray
from peers import (
    ADAM_RATE,
    BATCH,
    FIRST_STEPS,
    MULTIPLY_ADDS,
    SIZES,
    Epoch,
    NumpyNetwork,
    first_parameters,
    has_avx512,
    hold_to_cores,
    multiply_adds_a_second,
    rows,
)


def scalargrad_epoch(threads: int) -> Epoch:
    import scalargrad
    from scalargrad import MLP, Adam, cross_entropy

    inputs, labels = rows()
    model = MLP(SIZES[0], list(SIZES[1:]), rng=0)
    names = list(model.state_dict())
    program = scalargrad.compile(lambda x, y: cross_entropy(model(x), y), dtype="float32", threads=threads)

    def start_again() -> None:
        model.load_state_dict(dict(zip(names, first_parameters(), strict=True)))

    def gradient() -> tuple[float, list[ndarray]]:
        start_again()
        loss, flat = program.value_and_grad(inputs[:BATCH], labels[:BATCH])
        slopes = dict(zip(program.parameters, flat.tolist(), strict=True))
        slopes_of = numpy.vectorize(slopes.__getitem__, otypes=[float])
        return loss, [slopes_of(numpy.array(array, dtype=object)) for _, array in model.named_arrays()]

    def losses() -> list[float]:
        start_again()
        trainer = program.trainer(Adam(ADAM_RATE))
        return [trainer.step(inputs[:BATCH], labels[:BATCH]) for _ in range(FIRST_STEPS)]

    trainer: Any = None

    def epoch() -> float:
        nonlocal trainer
        if trainer is None:
            start_again()
            trainer = program.trainer(Adam(ADAM_RATE), batch_size=BATCH, rng=0)
        return trainer.run(inputs, labels, 1)["loss"][-1]

    begin = time.perf_counter()
    program.value_and_grad(inputs[:BATCH], labels[:BATCH])
    note = f"tracing and compiling took {time.perf_counter() - begin:.2f} s"
    return Epoch(gradient, losses, epoch, note)


OURS, TORCH, FUSED = "scalargrad, trainer.run", "PyTorch eager", "PyTorch eager, fused Adam"
SCAN, IN_ORDER = "JAX, a scan over the steps", "JAX, a scan, rows never shuffled"
NUMPY, SKLEARN = "NumPy by hand", "scikit-learn MLPClassifier"
WIDE = ", AVX-512 kernels"  # OpenBLAS has them and picks others by itself on some processors
SIDES: dict[str, Callable[[int], Epoch]] = {
    OURS: scalargrad_epoch,
    TORCH: lambda threads: peers.torch_epoch(threads, fused=False),
    FUSED: lambda threads: peers.torch_epoch(threads, fused=True),
    "JAX, jit step by step": lambda threads: peers.jax_epoch(threads, whole_epoch=False),
    SCAN: lambda threads: peers.jax_epoch(threads, whole_epoch=True),
    IN_ORDER: lambda threads: peers.jax_epoch(threads, whole_epoch=True, in_order=True),
    NUMPY: peers.numpy_epoch,
    NUMPY + WIDE: peers.numpy_epoch,
    SKLEARN: peers.sklearn_epoch,
    SKLEARN + WIDE: peers.sklearn_epoch,
}


# A side in a process of its own.


def check(name: str, side: Epoch) -> None:
    """Stop unless the numbers are those of the formula in float64."""
    inputs, labels = rows()
    x, y = inputs[:BATCH].astype(float), labels[:BATCH]
    exact = NumpyNetwork("float64")
    loss = exact.gradient(x, y)
    if side.gradient is not None:
        found, slopes = side.gradient()
        if abs(found - loss) > 1e-6 * loss:
            sys.exit(f"{name}: the loss is {found} and should be {loss}")
        for place, (slope, wanted) in enumerate(zip(slopes, exact.slopes, strict=True)):
            worst = abs(slope - wanted).max() / abs(wanted).max()
            if not worst < 1e-5:
                sys.exit(f"{name}: the gradient of parameter array {place} is off by {worst:.1e} of its largest number")
    wanted_losses = [exact.step(x, y) for _ in range(FIRST_STEPS)]
    losses = side.losses()
    # scikit-learn's Adam adds epsilon elsewhere, which is seen where gradients are below 1e-6.
    bound = 1e-3 if name.startswith(SKLEARN) else 1e-5
    if not all(abs(a - b) <= bound * b for a, b in zip(losses, wanted_losses, strict=True)):
        sys.exit(f"{name}: the losses of Adam's first steps are {losses} and should be {wanted_losses}")


def worker(name: str, threads: int) -> None:
    """Check, train one epoch, and then one more for each line that comes in; answers with its seconds."""
    hold_to_cores(threads)
    side = SIDES[name](threads)
    check(name, side)
    first = side.epoch() if side.epoch else None
    print(json.dumps({"first": first, "note": side.note}), flush=True)
    for _ in sys.stdin:
        assert side.epoch is not None
        begin = time.perf_counter()
        side.epoch()
        print(time.perf_counter() - begin, flush=True)


def start_worker(name: str, threads: int) -> subprocess.Popen:
    limits = {key: str(threads) for key in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    environment = {**os.environ, **limits}
    if name.endswith(WIDE):
        environment["OPENBLAS_CORETYPE"] = "SkylakeX"
    if threads == 1:
        environment["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    command = [sys.executable, __file__, "--worker", name, "--threads", str(threads)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", env=environment)


def answer(name: str, process: subprocess.Popen) -> Any:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        sys.exit(f"{name}: its process ended with status {process.wait()}")
    return json.loads(line)


# The table.


def compare(names: list[str], threads: int, turns: int) -> dict[str, float]:
    """Seconds of an epoch, the median of the turns."""
    print(f"\n{'one core' if threads == 1 else f'{threads} threads'}")
    processes, seconds, notes = {}, {}, {}
    for name in names:
        print(f"  starting {name}", file=sys.stderr)
        processes[name] = start_worker(name, threads)
        started = answer(name, processes[name])
        if started["note"]:
            notes[name] = started["note"]
        if started["first"] is not None:
            seconds[name] = []
            # On random labels all can only learn the shares of the classes: the logarithm of 10 is 2.303.
            if not 2.2 < started["first"] < 2.5:
                sys.exit(f"{name}: the mean loss of the first epoch is {started['first']}")
    peak = multiply_adds_a_second()
    for turn in range(turns):
        print(f"  turn {turn + 1} of {turns}", file=sys.stderr)
        for name, times in seconds.items():
            process = processes[name]
            assert process.stdin is not None
            process.stdin.write("epoch\n")
            process.stdin.flush()
            times.append(answer(name, process))
        peak = max(peak, multiply_adds_a_second())
    for process in processes.values():
        process.communicate()
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    ours = medians.get(OURS)
    print(f"  {'':44} {'s an epoch':>10} {'best':>7} {'/ ours':>7}")
    for name, median in medians.items():
        ratio = f"{median / ours:7.2f}" if ours else f"{'-':>7}"
        print(f"  {name:44} {median:10.3f} {min(seconds[name]):7.3f} {ratio}")
    bound = MULTIPLY_ADDS / peak / threads
    rate = f"{2e-9 * MULTIPLY_ADDS:.1f} GFLOP at {2e-9 * peak:.0f} GFLOP/s a core"
    print(f"  {'the bound: ' + rate:44} {bound:10.3f} {'':7} {f'{bound / ours:7.2f}' if ours else ''}")
    for name, note in notes.items():
        print(f"  {name}: {note}")
    return medians


def goals(medians: dict[int, dict[str, float]]) -> None:
    print("\ngoals")
    one = medians.get(1, {})
    ours = one.get(OURS)
    if ours is None:
        print("  not judged: scalargrad was not timed")
        return
    for name, wanted in ((TORCH, 2.5), (FUSED, 2.5), (SCAN, 1.0), (IN_ORDER, 1.0)):
        if name in one:
            ratio = one[name] / ours
            print(f"  {'met   ' if ratio >= wanted else 'MISSED'} {ratio:.2f} x faster than {name} (goal: {wanted})")
    two = medians.get(2, {}).get(OURS)
    if two is not None:
        print(f"  {'met   ' if two < ours else 'MISSED'} {ours / two:.2f} x faster with two threads (goal: above 1)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--only", default="", help="the sides whose name holds this")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker, options.threads[0])
        return
    print("MLP 784-128-64-10, 937 batches of 64, cross-entropy, Adam, float32")
    medians = {}
    for threads in options.threads:
        names = [name for name in SIDES if options.only in name and (has_avx512() or not name.endswith(WIDE))]
        if threads > 1:
            names = [name for name in names if name == OURS or name.startswith(("PyTorch", "JAX"))]
        medians[threads] = compare(names, threads, options.turns)
    goals(medians)


if __name__ == "__main__":
    main()
