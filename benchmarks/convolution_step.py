"""How long is a training step of the convolutional network of 13,808 parameters? Beside PyTorch and JAX.

    pip install torch==2.13.0 jax
    python benchmarks/convolution_step.py [--turns 5] [--threads 1 2] [--batches 64 128] [--profile]

Forward, backward and a step of SGD with momentum, float32, dropout 0.1 and batch normalisation in training mode; images
in batches that are ready. Every side is a process of its own, held to as many cores as it may have threads; they take
turns. Before that, each computes the loss of the first batch without dropout from the same weights, which must agree.
Preparation is from the function to the first step, imports left out; memory is the most that a process had in use.
--profile lists where scalargrad's step spends its time, kernel by kernel.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy

STEPS = 12  # of a turn
MULTIPLY_ADDS = 3_393_376  # forward, an image
# Per block: output channels, kernel, padding; "pool" and the plain 1 x 1 convolutions are between and behind them.
RATE, MOMENTUM, DROPOUT = 0.01, 0.9, 0.1
MEAN, DEVIATION = 0.1307, 0.3081
FASTER, PREPARED, MEMORY = 2.0, 6.0, 1.5  # goals: times the best of the others; seconds; GiB


def batch_of(size: int) -> tuple[Any, Any]:
    source = numpy.random.default_rng(0)
    return source.random((size, 1, 28, 28), dtype="float32"), source.integers(0, 10, size)


def first_weights() -> list[Any]:
    """The convolutions in their order, as PyTorch has them; normalisation starts at 1 and 0."""
    from scalargrad.demos.networks import convolutional_network

    state = convolutional_network(rng=0).state_dict()
    return [array.astype("float32") for name, array in state.items() if array.ndim == 4]


def scalargrad_side(size: int, threads: int, dropout: float) -> tuple[Callable[[], float], Callable[[], float]]:
    import scalargrad
    from scalargrad import SGD, cross_entropy
    from scalargrad.demos.networks import convolutional_network

    model = convolutional_network(dropout, rng=0)
    program = scalargrad.compile(lambda x, y: cross_entropy(model(x), y), dtype="float32", threads=threads)
    x, y = batch_of(size)
    trainer = program.trainer(SGD(RATE, momentum=MOMENTUM))

    def steps() -> float:
        return trainer.run(x, y, STEPS, progress=False)["loss"][-1]

    return lambda: float(program.value_and_grad(x, y)[0]), steps


def torch_side(size: int, threads: int, dropout: float, channels_last: bool) -> tuple[Callable, Callable]:
    import torch
    from torch import nn

    torch.set_num_threads(threads)

    def block(inputs: int, outputs: int, padding: int = 0) -> list:
        layers = [nn.Conv2d(inputs, outputs, 3, padding=padding, bias=False), nn.ReLU(), nn.BatchNorm2d(outputs)]
        return [*layers, nn.Dropout(dropout)]

    model = nn.Sequential(
        *block(1, 16),
        *block(16, 32),
        nn.Conv2d(32, 10, 1, bias=False),
        nn.MaxPool2d(2),
        *block(10, 16),
        *block(16, 16),
        *block(16, 16),
        *block(16, 16, padding=1),
        nn.AdaptiveAvgPool2d(1),
        nn.Conv2d(16, 10, 1, bias=False),
        nn.Flatten(),
    )
    convolutions = [layer for layer in model if isinstance(layer, nn.Conv2d)]
    with torch.no_grad():
        for layer, weight in zip(convolutions, first_weights(), strict=True):
            layer.weight.copy_(torch.from_numpy(weight))
    x, y = map(torch.from_numpy, batch_of(size))
    x = (x - MEAN) / DEVIATION
    if channels_last:
        model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM)

    def steps() -> float:
        for _ in range(STEPS):
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return loss.item()

    return lambda: nn.functional.cross_entropy(model(x), y).item(), steps


def jax_side(size: int, threads: int, dropout: float) -> tuple[Callable, Callable]:
    import jax
    import jax.numpy as jnp

    weights = [jnp.asarray(weight) for weight in first_weights()]
    channels = [weight.shape[0] for weight in weights]
    normalised = [n for n, weight in enumerate(weights) if weight.shape[-1] == 3]
    scales = [(jnp.ones(channels[n]), jnp.zeros(channels[n])) for n in normalised]
    x, y = map(jnp.asarray, batch_of(size))
    x = (x - MEAN) / DEVIATION

    def loss_of(parameters: Any, key: Any) -> Any:
        weights, scales = parameters
        h, block = x, 0
        for n, weight in enumerate(weights):
            if n == len(weights) - 1:
                h = h.mean(axis=(2, 3), keepdims=True)
            padding = "SAME" if n == 6 else "VALID"
            h = jax.lax.conv_general_dilated(h, weight, (1, 1), padding)
            if n in normalised:
                h = jax.nn.relu(h)
                scale, shift = scales[block]
                mean, variance = h.mean(axis=(0, 2, 3), keepdims=True), h.var(axis=(0, 2, 3), keepdims=True)
                h = (h - mean) * jax.lax.rsqrt(variance + 1e-5) * scale[:, None, None] + shift[:, None, None]
                if dropout:
                    kept = jax.random.bernoulli(jax.random.fold_in(key, n), 1.0 - dropout, h.shape)
                    h = jnp.where(kept, h / (1.0 - dropout), 0.0)
                block += 1
            elif n == 2:
                h = jax.lax.reduce_window(h, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
        logits = h.reshape(len(h), -1)
        return jnp.mean(jax.nn.logsumexp(logits, axis=1) - logits[jnp.arange(len(h)), y])

    @jax.jit
    def step(state: Any, key: Any) -> Any:
        parameters, velocity = state
        loss, slopes = jax.value_and_grad(loss_of)(parameters, key)
        velocity = jax.tree.map(lambda v, g: MOMENTUM * v + g, velocity, slopes)
        return (jax.tree.map(lambda p, v: p - RATE * v, parameters, velocity), velocity), loss

    state = (weights, scales), jax.tree.map(jnp.zeros_like, (weights, scales))
    key = jax.random.key(0)

    def steps() -> float:
        nonlocal state, key
        for _ in range(STEPS):
            key, own = jax.random.split(key)
            state, loss = step(state, own)
        return float(loss)

    return lambda: float(jax.jit(loss_of)((weights, scales), key)), steps


SIDES: dict[str, Callable] = {
    "scalargrad, trainer.run": scalargrad_side,
    "PyTorch": lambda *how: torch_side(*how, channels_last=False),
    "PyTorch, channels last": lambda *how: torch_side(*how, channels_last=True),
    "JAX, jit": jax_side,
}


def serve(name: str, size: int, threads: int) -> None:
    """A side's own process: it answers a line of its input with a line of its output."""
    loss, _ = SIDES[name](size, threads, 0.0)
    found = loss()
    begin = time.perf_counter()
    _, steps = SIDES[name](size, threads, DROPOUT)
    steps()
    middle = time.perf_counter()
    steps()
    print(json.dumps({"loss": found, "prepared": 2.0 * middle - begin - time.perf_counter()}), flush=True)
    for _ in sys.stdin:
        begin = time.perf_counter()
        last = steps()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            json.dumps({"seconds": (time.perf_counter() - begin) / STEPS, "loss": last, "memory": memory}), flush=True
        )


def compare(size: int, threads: int, turns: int) -> None:
    children, times, memory = {}, {}, {}
    for name in SIDES:
        print(f"batch {size}, {threads} threads: {name}", file=sys.stderr)
        settings = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
        command = ["taskset", "-c", f"0-{threads - 1}", sys.executable, __file__, "--serve", name]
        child = subprocess.Popen(
            [*command, "--batches", str(size), "--threads", str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env={**os.environ, **settings},
        )
        assert child.stdout is not None
        children[name], times[name] = (child, json.loads(child.stdout.readline())), []
    losses = [first["loss"] for _, first in children.values()]
    if max(losses) - min(losses) > 1e-3:
        raise SystemExit(f"the sides differ in the loss of the first batch: {losses}")
    for _ in range(turns):
        for name, (child, _) in children.items():
            child.stdin.write("\n")
            child.stdin.flush()
            answer = json.loads(child.stdout.readline())
            times[name].append(answer["seconds"])
            memory[name] = answer["memory"]
    for child, _ in children.values():
        child.stdin.close()
        child.wait()
    medians = {name: statistics.median(found) for name, found in times.items()}
    ours = next(iter(medians.values()))
    print(f"batches of {size}, {threads} thread{'s' if threads > 1 else ''}; first loss {losses[0]:.6f}")
    print(f"  {'':26}{'s / 1,000 images':>17}{'best':>8}{'/ ours':>8}{'GFLOP/s':>9}{'prepared, s':>13}{'GiB':>6}")
    for name, median in medians.items():
        work = 6 * MULTIPLY_ADDS * size / median / 1e9  # two for each, forward and twice backward
        print(
            f"  {name:26}{1e3 * median / size:17.3f}{1e3 * min(times[name]) / size:8.3f}{median / ours:8.2f}{work:9.0f}"
            f"{children[name][1]['prepared']:13.1f}{memory[name]:6.2f}"
        )
    own = next(iter(medians))
    ratio = min(seconds for name, seconds in medians.items() if name != own) / ours
    prepared = children[own][1]["prepared"]
    for met, text in (
        (ratio >= FASTER, f"{ratio:.2f} x the best of the others (goal: {FASTER:g})"),
        (prepared <= PREPARED, f"{prepared:.1f} s of preparation (goal: {PREPARED:g})"),
        (memory[own] <= MEMORY, f"{memory[own]:.2f} GiB (goal: {MEMORY:g})"),
    ):
        print(f"  {'met   ' if met else 'MISSED'} {text}")
    print(flush=True)


def profile(size: int) -> str:
    """Where the time of a step goes, kernel by kernel, on one thread."""
    import scalargrad
    from scalargrad import cross_entropy
    from scalargrad.demos.networks import convolutional_network

    model = convolutional_network(DROPOUT, rng=0)
    program = scalargrad.compile(lambda x, y: cross_entropy(model(x), y), dtype="float32", threads=1)
    program.value_and_grad(*batch_of(size))
    return f"a batch of {size}, each kernel by itself and again and again\n{program.report()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--serve", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.batches[0], options.threads[0])
        return
    print(f"Python {platform.python_version()}; forward, backward and step, 13,808 parameters, float32\n")
    for threads in options.threads:
        for size in options.batches:
            compare(size, threads, options.turns)
    if options.profile:
        print(profile(options.batches[0]))


if __name__ == "__main__":
    main()
