"""How fast is a training step in machine code? Side by side with its peers, on one core, in turns.

    pip install micrograd numpy scikit-learn torch jax casadi    # each but NumPy and scikit-learn may be missing
    python benchmarks/native_step.py                             # wants gcc, too, and g++ for torch.compile

One full-batch step (forward, backward, SGD) of MLP 2-16-16-1, and of 2-8-8-1, on 100 moons: relu, a linear output, mean
squared error plus L2, float64. All sides start at the same weights and must give the same 20 losses to 1e-9, or the
script stops. Each is written as an expert of it would (peers.py): parameters in one flat array, buffers donated or
reused, the whole step compiled where that can be done. scikit-learn has another loss; it is there because many would
reach for it.

The bound is c/tuned_step.c: what hand-written C reaches. It counts if it is 2.5 times as fast as JAX's scan, itself. In
the table "to tuned C" and "to trainer.run" are a side's time divided by theirs; "cores" is processor time divided by
time, so less than 1 says that others wanted the core, too.
"""

import argparse
import gc
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import numpy
import peers
from peers import ALPHA, CHECKED, LANES, RATE, NotHereError, Run, Task
from sklearn.datasets import make_moons

import scalargrad
from scalargrad import l2

TOLERANCE = 1e-9  # of the losses that must agree
TURN_SECONDS = 0.05  # what a side's turn takes, if a step is not longer than that
SLOW_STEPS = 3  # of a turn of micrograd

# --- scalargrad ---


def scalargrad_loss(task: Task) -> Callable[[Any, Any], Any]:
    """Of one sample, as a learner writes it."""
    model = task.new_model()
    parameters = model.parameters()
    return lambda x, y: (model(x) - y) ** 2 + ALPHA * l2(parameters)


def scalargrad_trainer(task: Task) -> Any:
    return scalargrad.compile(scalargrad_loss(task), threads=1).trainer(scalargrad.SGD(lr=RATE))


def scalargrad_run(task: Task) -> Run:
    trainer = scalargrad_trainer(task)
    return lambda steps: trainer.run(task.points, task.labels, steps)["loss"]


def scalargrad_step(task: Task) -> Run:
    trainer = scalargrad_trainer(task)
    return lambda steps: [trainer.step(task.points, task.labels) for _ in range(steps)]


def scalargrad_numpy(task: Task) -> Run:
    """The readable backend, without a trainer: the reference for everybody's losses."""
    program = scalargrad.compile(scalargrad_loss(task), backend="numpy")

    def step() -> float:
        loss, slopes = program.value_and_grad(task.points, task.labels)
        for parameter, slope in zip(program.parameters, slopes.tolist(), strict=True):
            parameter.data -= RATE * slope
        return loss

    return lambda steps: [step() for _ in range(steps)]


# --- the comparison ---


@dataclass
class Side:
    name: str
    build: Callable[[Task], Run]
    alike: bool = False  # the same work for another loss: not checked
    slow: bool = False  # takes fewer turns

    run: Run | None = None
    missing: str = ""
    steps: int = 1  # of a turn
    seconds: list[float] = field(default_factory=list)  # a step, one number a turn
    cores: list[float] = field(default_factory=list)  # seconds of processor time a second

    @property
    def microseconds(self) -> float | None:
        return statistics.median(self.seconds) * 1e6 if self.seconds else None


OURS, OURS_FROM_PYTHON, REFERENCE = "scalargrad, trainer.run", "scalargrad, trainer.step", "scalargrad, NumPy backend"


def all_sides() -> list[Side]:
    return [
        Side(REFERENCE, scalargrad_numpy),
        Side(OURS, scalargrad_run),
        Side(OURS_FROM_PYTHON, scalargrad_step),
        Side("micrograd", peers.micrograd, slow=True),
        Side("micrograd, collector off", peers.micrograd_without_collector, slow=True),
        Side("PyTorch eager", peers.torch_eager),
        Side("torch.compile", peers.torch_compiled),
        Side("scikit-learn, an epoch (alike)", peers.scikit_learn, alike=True),
        Side("NumPy by hand", peers.numpy_by_hand),
        Side("JAX jit", peers.jax_jit),
        Side("JAX scan", peers.jax_scan),
        Side("CasADi's C, its call", peers.casadi_call),
        Side("CasADi's C, its call on buffers", peers.casadi_buffers),
        Side("CasADi's C, in a loop in C", peers.casadi_inside),
        Side("plain C", peers.plain_c),
        Side("plain C, -ffast-math", peers.plain_c_fast_math),
        Side("tuned C", peers.tuned_c),
    ]


def prepare(sides: list[Side], task: Task) -> None:
    """Build every side and hold its first losses to the reference's."""
    reference = None
    for side in sides:
        try:
            side.run = side.build(task)
        except NotHereError as reason:
            side.missing = str(reason)
            continue
        losses = first_losses(side)
        if reference is None:
            reference = losses
        if not side.alike and not numpy.allclose(losses, reference, rtol=TOLERANCE, atol=0.0):
            sys.exit(f"{side.name}: other losses than {sides[0].name}'s:\n{losses}\n{reference}")
        if side.slow:
            side.steps = SLOW_STEPS
        else:
            take_turn(side, CHECKED)
            side.steps = min(10_000, max(CHECKED, round(TURN_SECONDS / side.seconds.pop())))
            side.cores.clear()
            side.run(side.steps)  # JAX's scan compiles for each number of steps


def first_losses(side: Side) -> numpy.ndarray:
    """In one run; step by step for micrograd, whose graphs would take 3 GB without its collector."""
    assert side.run is not None
    if not side.slow:
        return numpy.array(side.run(CHECKED))
    losses: list[float] = []
    for _ in range(CHECKED):
        losses += side.run(1)
        gc.collect()
    return numpy.array(losses)


def take_turn(side: Side, steps: int) -> None:
    assert side.run is not None
    gc.collect()  # of what the side before left
    begin, begin_processor = time.perf_counter(), time.process_time()
    side.run(steps)
    seconds = time.perf_counter() - begin
    side.seconds.append(seconds / steps)
    side.cores.append((time.process_time() - begin_processor) / seconds)


def compare(width: int, turns: int, slow_turns: int, points: numpy.ndarray, labels: numpy.ndarray) -> list[Side]:
    sides = all_sides()
    with tempfile.TemporaryDirectory() as folder:
        prepare(sides, Task(width, points, labels, Path(folder)))
        gc.collect()
        gc.freeze()  # micrograd's collector has its own objects to walk, not those of all libraries
        for turn in range(turns):
            for side in sides:
                if side.run and (turn < slow_turns or not side.slow):
                    take_turn(side, side.steps)
        gc.unfreeze()
    return sides


def shown(number: float | None) -> str:
    return "-" if number is None else f"{number:,.2f}"


def ratio(above: float | None, below: float | None) -> float | None:
    return None if above is None or below is None else above / below


def show(width: int, sides: list[Side]) -> None:
    times = {side.name: side.microseconds for side in sides}
    print(f"MLP 2-{width}-{width}-1, a step on {LANES} moons")
    print(f"{'':32} {'us a step':>12} {'to tuned C':>11} {'to trainer.run':>14} {'cores':>6}")
    for side in sides:
        if side.missing:
            print(f"{side.name:32} {side.missing}")
            continue
        own, cores = times[side.name], statistics.median(side.cores) if side.cores else None
        columns = own, ratio(own, times["tuned C"]), ratio(own, times[OURS]), cores
        print("{:32} {:>12} {:>11} {:>14} {:>6}".format(side.name, *map(shown, columns)))
    print()


def show_targets(sides: list[Side]) -> None:
    times = {side.name: side.microseconds for side in sides}
    ours, from_python, tuned = times[OURS], times[OURS_FROM_PYTHON], times["tuned C"]
    targets = [
        ("tuned C counts: JAX scan / tuned C", ratio(times["JAX scan"], tuned), "at least", 2.5),
        ("trainer.run / tuned C", ratio(ours, tuned), "at most", 2.0),
        ("JAX scan / trainer.run", ratio(times["JAX scan"], ours), "at least", 1.5),
        ("PyTorch eager / trainer.run", ratio(times["PyTorch eager"], ours), "at least", 30.0),
        ("micrograd / trainer.run", ratio(times["micrograd"], ours), "at least", 100_000.0),
        ("JAX jit / trainer.step", ratio(times["JAX jit"], from_python), "above", 1.0),
    ]
    for title, reached, relation, bound in targets:
        if reached is None:
            verdict = "not measured"
        elif reached <= bound if relation == "at most" else reached >= bound:
            verdict = "met"
        else:
            verdict = "MISSED"
        print(f"  {title:36} {shown(reached):>12}   {relation:8} {bound:>9,.1f}   {verdict}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--slow-turns", type=int, default=3, help="turns of micrograd, which takes a second a step")
    parser.add_argument("--widths", type=int, nargs="+", default=[16, 8], help="units of both hidden layers")
    options = parser.parse_args()
    points, labels = make_moons(LANES, noise=0.1, random_state=0)
    labels = labels.astype(float)
    results = {}
    for width in options.widths:
        results[width] = compare(width, options.turns, options.slow_turns, points, labels)
        show(width, results[width])
    if 16 in results:
        print("targets, for 2-16-16-1")
        show_targets(results[16])


if __name__ == "__main__":
    main()
