"""How fast is a compiled training step with the NumPy backend? Side by side with PyTorch eager, on one core.

    pip install torch==2.13.0
    python benchmarks/compiled_step.py

One full-batch step (forward, backward, SGD) of MLP 2-16-16-1 on 100 moons: mean squared error plus L2, float64. All
compute from the same weights and must agree on the loss and every gradient, or the script stops. The sides take turns.
PyTorch is written as a learner writes it; native_step.py has it as an expert would.
"""

import cProfile
import os
import pstats
import statistics
import sys
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy
import torch
from sklearn.datasets import make_moons

import scalargrad
from scalargrad import MLP, l2

ALPHA, RATE, TURNS, STEPS = 1e-4, 0.01, 15, 200


def scalargrad_step(model: MLP, points: numpy.ndarray, labels: numpy.ndarray) -> Callable[[], float]:
    parameters = model.parameters()
    program = scalargrad.compile(lambda x, y: (model(x) - y) ** 2 + ALPHA * l2(parameters), backend="numpy")
    program.value_and_grad(points, labels)

    def step() -> float:
        loss, slopes = program.value_and_grad(points, labels)
        for parameter, slope in zip(program.parameters, slopes.tolist(), strict=True):
            parameter.data -= RATE * slope
        return loss

    return step


def torch_step(model: MLP, points: numpy.ndarray, labels: numpy.ndarray) -> Callable[[], float]:
    torch.set_num_threads(1)
    state = {name: torch.tensor(array, requires_grad=True) for name, array in model.state_dict().items()}
    inputs, targets = torch.tensor(points), torch.tensor(labels)
    count = len(model.layers)

    def step() -> float:
        hidden = inputs
        for i in range(count):
            hidden = hidden @ state[f"layers.{i}.weight"].T + state[f"layers.{i}.bias"]
            if i < count - 1:
                hidden = torch.relu(hidden)
        squares = sum((tensor * tensor).sum() for tensor in state.values())
        loss = ((hidden[:, 0] - targets) ** 2).mean() + ALPHA * squares
        for tensor in state.values():
            tensor.grad = None
        loss.backward()
        with torch.no_grad():
            for tensor in state.values():
                tensor -= RATE * tensor.grad
        return loss.item()

    return step


def main() -> None:
    points, labels = make_moons(100, noise=0.1, random_state=0)
    labels = labels.astype(float)
    ours = scalargrad_step(MLP(2, [16, 16, 1], rng=0), points, labels)
    theirs = torch_step(MLP(2, [16, 16, 1], rng=0), points, labels)
    losses = [(ours(), theirs()) for _ in range(20)]
    if any(abs(a - b) > 1e-10 * abs(b) for a, b in losses):
        sys.exit(f"the losses disagree: {losses}")
    seconds: dict[str, list[float]] = {"scalargrad": [], "torch": []}
    for _ in range(TURNS):
        for name, step in (("scalargrad", ours), ("torch", theirs)):
            begin = time.perf_counter()
            for _ in range(STEPS):
                step()
            seconds[name].append((time.perf_counter() - begin) / STEPS)
    medians = {name: statistics.median(times) * 1e6 for name, times in seconds.items()}
    shown = ", ".join(f"{name} {microseconds:.0f} us" for name, microseconds in medians.items())
    print(f"a step of 2-16-16-1 on 100 moons: {shown}")
    print(f"ratio {medians['torch'] / medians['scalargrad']:.2f} (goal: at least 2)")

    profile = cProfile.Profile()
    profile.enable()
    for _ in range(STEPS):
        ours()
    profile.disable()
    rows = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    total = sum(row[2] for row in rows.values())
    own = sum(row[2] for (file, _, _), row in rows.items() if "scalargrad" in file or "benchmarks" in file)
    print(f"of the time {own / total:.0%} in our own Python, {1.0 - own / total:.0%} in NumPy and built-ins (profiled)")


if __name__ == "__main__":
    main()
