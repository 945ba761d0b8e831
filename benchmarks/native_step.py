"""How fast is a training step in machine code? Side by side with its peers, on one core, in turns.

    pip install micrograd numpy scikit-learn torch jax casadi    # each but NumPy and scikit-learn may be missing
    python benchmarks/native_step.py                             # wants gcc, too, and g++ for torch.compile

One full-batch step (forward, backward, SGD) of MLP 2-16-16-1, and of 2-8-8-1, on 100 moons: relu, a linear output, mean
squared error plus L2, float64. All sides start at the same weights and must give the same 20 losses to 1e-9, or the
script stops. Each is written as an expert of it would: parameters in one flat array, buffers donated or reused, the
whole step compiled where that can be done. scikit-learn has another loss; it is there because many would reach for it.

The bound is tuned_step.c: what hand-written C reaches. It counts if it is 2.5 times as fast as JAX's scan, itself.
In the table "to tuned C" and "to trainer.run" are a side's time divided by theirs; "cores" is processor time divided by
time, so less than 1 says that others wanted the core, too.
"""

import argparse
import contextlib
import ctypes
import gc
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import numpy
from sklearn.datasets import make_moons

import scalargrad
from scalargrad import MLP, l2

HERE = Path(__file__).parent
LANES, ALPHA, RATE = 100, 1e-4, 0.01
CHECKED, TOLERANCE = 20, 1e-9  # losses that must agree, and how closely
TURN_SECONDS = 0.05  # what a side's turn takes, if a step is not longer than that
SLOW_STEPS = 3  # of a turn of micrograd

Run = Callable[[int], Sequence[float]]  # trains on for so many steps; returns the loss before each


class NotHereError(Exception):
    """Why a side does not take part."""


@dataclass(eq=False)  # so that what was compiled for it can be cached
class Task:
    """A network's sizes and first weights, the data, and a folder for what sides compile."""

    width: int
    points: numpy.ndarray  # [LANES, 2]
    labels: numpy.ndarray  # [LANES]
    folder: Path
    model: MLP = field(init=False)

    def __post_init__(self) -> None:
        self.model = self.new_model()

    def new_model(self) -> MLP:
        return MLP(2, [self.width, self.width, 1], rng=0)

    @property
    def widths(self) -> list[int]:
        return [2, self.width, self.width, 1]

    def unit_after_unit(self) -> numpy.ndarray:
        """The parameters in scalargrad's order: of each unit the weights, then the bias."""
        return numpy.array([parameter.data for parameter in self.model.parameters()])

    def layer_after_layer(self) -> tuple[numpy.ndarray, list[tuple[int, ...]]]:
        """The parameters in the order of array libraries: of each layer the weights, then the biases. And shapes."""
        arrays = list(self.model.state_dict().values())
        return numpy.concatenate([array.ravel() for array in arrays]), [array.shape for array in arrays]


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


# --- C ---


def compiled_c(source: Path, output: Path, *options: str) -> Any:
    """The function `train` of a C file."""
    if shutil.which("gcc") is None:
        raise NotHereError("not installed: gcc")
    flags = ["-O3", "-march=native", "-fPIC", f"-DLANES={LANES}", f"-DALPHA={ALPHA}", *options]
    unlinked = output.with_suffix(".o")
    # In two commands: linked with -ffast-math, a library would make the whole process flush small numbers to zero.
    for command in (["gcc", *flags, "-c", source, "-o", unlinked], ["gcc", "-shared", unlinked, "-o", output]):
        done = subprocess.run(command, capture_output=True, encoding="utf-8")
        if done.returncode:
            raise NotHereError(f"does not compile here: {first_line(done.stderr)}")
    train = ctypes.CDLL(str(output)).train
    doubles = numpy.ctypeslib.ndpointer(numpy.float64, flags="C_CONTIGUOUS")
    train.argtypes = [doubles, doubles, doubles, ctypes.c_double, ctypes.c_long, doubles]
    train.restype = None
    return train


def run_of_c(task: Task, train: Any) -> Run:
    parameters = task.unit_after_unit()

    def run(steps: int) -> numpy.ndarray:
        losses = numpy.empty(steps)
        train(parameters, task.points, task.labels, RATE, steps, losses)
        return losses

    return run


def plain_c(task: Task) -> Run:
    library = task.folder / f"plain{task.width}.so"
    return run_of_c(task, compiled_c(HERE / "c" / "plain_step.c", library, f"-DWIDTH={task.width}"))


def plain_c_fast_math(task: Task) -> Run:
    library = task.folder / f"plain_fast{task.width}.so"
    return run_of_c(task, compiled_c(HERE / "c" / "plain_step.c", library, f"-DWIDTH={task.width}", "-ffast-math"))


def tuned_c(task: Task) -> Run:
    library = task.folder / f"tuned{task.width}.so"
    return run_of_c(task, compiled_c(HERE / "c" / "tuned_step.c", library, f"-DWIDTH={task.width}", "-ffast-math"))


# --- array libraries ---


def numpy_by_hand(task: Task) -> Run:
    """Lanes innermost, a row of ones for the biases, every result written into place."""
    width, flat = task.width, task.unit_after_unit()
    slopes = numpy.empty_like(flat)

    def layers(array: numpy.ndarray) -> tuple[numpy.ndarray, ...]:
        first, second, last = numpy.split(array, [width * 3, width * (width + 4)])
        return first.reshape(width, 3), second.reshape(width, width + 1), last

    first, second, last = layers(flat)
    slope_of_first, slope_of_second, slope_of_last = layers(slopes)
    x = numpy.vstack([task.points.T, numpy.ones(LANES)])
    one, two = numpy.ones((width + 1, LANES)), numpy.ones((width + 1, LANES))
    hidden_one, hidden_two, backward = one[:width], two[:width], second[:, :width].T
    back_one, back_two, error = numpy.empty((width, LANES)), numpy.empty((width, LANES)), numpy.empty(LANES)
    last_weights, positive = last[:width, None], numpy.empty((width, LANES), bool)

    def step() -> float:
        numpy.matmul(first, x, out=hidden_one)
        numpy.maximum(hidden_one, 0.0, out=hidden_one)
        numpy.matmul(second, one, out=hidden_two)
        numpy.maximum(hidden_two, 0.0, out=hidden_two)
        numpy.matmul(last, two, out=error)
        numpy.subtract(error, task.labels, out=error)
        loss = error.dot(error) / LANES + ALPHA * flat.dot(flat)

        numpy.multiply(error, 2.0 / LANES, out=error)
        numpy.matmul(two, error, out=slope_of_last)
        numpy.multiply(last_weights, error, out=back_two)
        numpy.multiply(back_two, numpy.greater(hidden_two, 0.0, out=positive), out=back_two)
        numpy.matmul(back_two, one.T, out=slope_of_second)
        numpy.matmul(backward, back_two, out=back_one)
        numpy.multiply(back_one, numpy.greater(hidden_one, 0.0, out=positive), out=back_one)
        numpy.matmul(back_one, x.T, out=slope_of_first)

        numpy.multiply(flat, 1.0 - 2.0 * ALPHA * RATE, out=flat)
        numpy.multiply(slopes, RATE, out=slopes)
        numpy.subtract(flat, slopes, out=flat)
        return loss

    return lambda steps: [step() for _ in range(steps)]


def jax_step(task: Task) -> tuple[Callable[[Any, Any, Any], Any], Any]:
    """(parameters, points, labels) -> (parameters, loss); and the first parameters."""
    try:
        import jax
    except ImportError:
        raise NotHereError("not installed: jax") from None
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_cpu_enable_async_dispatch", False)  # else a step runs on a thread of its own: two cores
    flat, shapes = task.layer_after_layer()
    cuts = numpy.cumsum([math.prod(shape) for shape in shapes])[:-1]

    def loss(parameters: Any, points: Any, labels: Any) -> Any:
        arrays = [part.reshape(shape) for part, shape in zip(jnp.split(parameters, cuts), shapes, strict=True)]
        hidden = points
        for weight, bias in zip(arrays[:-2:2], arrays[1:-2:2], strict=True):
            hidden = jax.nn.relu(weight @ hidden + bias[:, None])
        error = (arrays[-2] @ hidden + arrays[-1][:, None])[0] - labels
        return jnp.mean(error * error) + ALPHA * jnp.vdot(parameters, parameters)

    def step(parameters: Any, points: Any, labels: Any) -> Any:
        number, slopes = jax.value_and_grad(loss)(parameters, points, labels)
        return parameters - RATE * slopes, number

    return step, jnp.asarray(flat)


def jax_jit(task: Task) -> Run:
    step, parameters = jax_step(task)
    import jax

    compiled = jax.jit(step, donate_argnums=0)
    points, labels = jax.device_put(task.points.T.copy()), jax.device_put(task.labels)

    def run(steps: int) -> numpy.ndarray:
        nonlocal parameters
        losses = []
        for _ in range(steps):
            parameters, loss = compiled(parameters, points, labels)
            losses.append(loss)
        jax.block_until_ready((parameters, losses))
        return numpy.array(losses[:CHECKED])

    return run


def jax_scan(task: Task) -> Run:
    step, parameters = jax_step(task)
    import jax

    def scan(parameters: Any, points: Any, labels: Any, steps: int) -> Any:
        return jax.lax.scan(lambda carry, _: step(carry, points, labels), parameters, length=steps)

    compiled = jax.jit(scan, donate_argnums=0, static_argnums=3)
    points, labels = jax.device_put(task.points.T.copy()), jax.device_put(task.labels)

    def run(steps: int) -> numpy.ndarray:
        nonlocal parameters
        parameters, losses = compiled(parameters, points, labels, steps)
        return numpy.asarray(losses)

    return run


def torch_arrays(task: Task) -> tuple[Any, Any, Any, Any]:
    try:
        import torch
    except ImportError:
        raise NotHereError("not installed: torch") from None

    torch.set_num_threads(1)
    flat, shapes = task.layer_after_layer()
    return torch.tensor(flat), shapes, torch.tensor(task.points), torch.tensor(task.labels)[:, None]


def torch_parts(flat: Any, shapes: Sequence[tuple[int, ...]]) -> list[Any]:
    sizes = [math.prod(shape) for shape in shapes]
    return [part.view(shape) for part, shape in zip(flat.split(sizes), shapes, strict=True)]


def torch_outputs(parts: list[Any], points: Any) -> Any:
    from torch.nn.functional import linear, relu

    one = relu(linear(points, parts[0], parts[1]))
    two = relu(linear(one, parts[2], parts[3]))
    return linear(two, parts[4], parts[5])


def torch_eager(task: Task) -> Run:
    """The fastest of six ways that were tried: leaves and gradients are views of one array each, L2 acts as decay."""
    flat, shapes, points, labels = torch_arrays(task)
    import torch
    from torch.nn.functional import mse_loss

    slopes = torch.zeros_like(flat)
    leaves = [part.requires_grad_() for part in torch_parts(flat, shapes)]
    for leaf, slope in zip(leaves, torch_parts(slopes, shapes), strict=True):
        leaf.grad = slope

    def step() -> Any:
        slopes.zero_()
        loss = mse_loss(torch_outputs(leaves, points), labels)
        loss.backward()
        with torch.no_grad():
            whole = torch.add(loss, flat.dot(flat), alpha=ALPHA)
            flat.mul_(1.0 - 2.0 * ALPHA * RATE).add_(slopes, alpha=-RATE)
        return whole

    return lambda steps: [loss.item() for loss in [step() for _ in range(steps)]]


def torch_compiled(task: Task) -> Run:
    """The whole step, gradient and update included, as one compiled function."""
    flat, shapes, points, labels = torch_arrays(task)
    import torch
    from torch.nn.functional import mse_loss

    def loss(parameters: Any) -> Any:
        outputs = torch_outputs(torch_parts(parameters, shapes), points)
        return mse_loss(outputs, labels) + ALPHA * parameters.dot(parameters)

    def step(parameters: Any) -> Any:
        slopes, number = torch.func.grad_and_value(loss)(parameters)
        parameters.sub_(RATE * slopes)
        return number

    torch.compiler.reset()  # else the network before this one makes the sizes variables
    compiled = torch.compile(step, fullgraph=True, options={"cpp_wrapper": True})

    def run(steps: int) -> list[float]:
        with torch.no_grad():
            return [loss.item() for loss in [compiled(flat) for _ in range(steps)]]

    try:
        compiled(flat.clone())
    except Exception as error:  # no C++ compiler, or one that it does not know
        raise NotHereError(f"does not work here: {first_line(str(error))}") from None
    return run


def scikit_learn(task: Task) -> Run:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    settings = {"batch_size": LANES, "momentum": 0.0, "nesterovs_momentum": False, "tol": 0.0, "shuffle": False}

    def run(steps: int) -> list[float]:
        model = MLPClassifier(
            (task.width, task.width),
            solver="sgd",
            alpha=ALPHA,
            learning_rate_init=RATE,
            max_iter=steps,
            n_iter_no_change=steps,
            random_state=0,
            **settings,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return model.fit(task.points, task.labels).loss_curve_

    return run


# --- CasADi ---


@cache
def casadi_library(task: Task) -> tuple[Any, Path]:
    """One step as C, compiled: scalars of one sample, gradients summed over a map. The fastest of five ways."""
    try:
        import casadi
    except ImportError:
        raise NotHereError("not installed: casadi") from None

    widths = task.widths
    cuts = numpy.cumsum([0] + [(widths[i] + 1) * widths[i + 1] for i in range(3)]).tolist()

    def outputs(parameters: Any, point: Any) -> Any:
        hidden = point
        for i, part in enumerate(casadi.vertsplit(parameters, cuts)):
            rows = casadi.reshape(part, widths[i] + 1, widths[i + 1]).T  # arrays run down the columns
            hidden = rows[:, :-1] @ hidden + rows[:, -1]
            if i < 2:
                hidden = hidden * (hidden > 0.0)  # if_else becomes branches, and three times as slow
        return hidden

    parameters, x, y = casadi.SX.sym("parameters", cuts[-1]), casadi.SX.sym("x", 2), casadi.SX.sym("y")
    loss = (outputs(parameters, x) - y) ** 2
    sample = casadi.Function("sample", [parameters, x, y], [loss, casadi.gradient(loss, parameters)])
    batch = sample.map("batch", "serial", LANES, [0], [0, 1], {})  # one set of parameters; sums of both results

    p, points, labels = casadi.MX.sym("p", cuts[-1]), casadi.MX.sym("X", 2, LANES), casadi.MX.sym("Y", 1, LANES)
    total, slopes = batch(p, points, labels)
    moved = p - RATE * (slopes / LANES + 2.0 * ALPHA * p)
    step = casadi.Function("training_step", [p, points, labels], [moved, total / LANES + ALPHA * casadi.dot(p, p)])

    folder = task.folder / f"casadi{task.width}"
    folder.mkdir(exist_ok=True)
    with contextlib.chdir(folder):
        step.generate("training_step.c")
    sizes = {"ARGUMENTS": step.sz_arg(), "RESULTS": step.sz_res(), "INTEGERS": step.sz_iw(), "NUMBERS": step.sz_w()}
    options = [f"-D{name}={size}" for name, size in {**sizes, "PARAMETERS": cuts[-1]}.items()]
    library = folder / "training_step.so"
    return compiled_c(HERE / "c" / "casadi_loop.c", library, "-ffast-math", f"-I{folder}", *options), library


def casadi_inside(task: Task) -> Run:
    train, _ = casadi_library(task)
    return run_of_c(task, train)


def casadi_call(task: Task) -> Run:
    _, library = casadi_library(task)
    import casadi

    step = casadi.external("training_step", str(library))
    parameters, points, labels = map(casadi.DM, (task.unit_after_unit(), task.points.T, task.labels[None, :]))

    def run(steps: int) -> list[float]:
        nonlocal parameters
        losses = []
        for _ in range(steps):
            parameters, loss = step(parameters, points, labels)
            losses.append(loss)
        return [float(loss) for loss in losses]

    return run


def casadi_buffers(task: Task) -> Run:
    _, library = casadi_library(task)
    import casadi

    parameters, loss = task.unit_after_unit(), numpy.empty(1)
    moved = numpy.empty_like(parameters)
    buffer, evaluate = casadi.external("training_step", str(library)).buffer()
    for place, array in enumerate((parameters, task.points, task.labels)):
        buffer.set_arg(place, memoryview(array))
    for place, array in enumerate((moved, loss)):
        buffer.set_res(place, memoryview(array))

    def step() -> float:
        evaluate()
        parameters[:] = moved
        return loss.item()

    def run(steps: int, _keep: Any = buffer) -> list[float]:
        return [step() for _ in range(steps)]

    return run


# --- micrograd ---


def micrograd(task: Task) -> Run:
    try:
        from micrograd import nn
    except ImportError:
        raise NotHereError("not installed: micrograd") from None

    points, labels = task.points.tolist(), task.labels.tolist()
    model = nn.MLP(2, task.widths[1:])
    parameters = model.parameters()
    for neuron, ours in zip(neurons(model), neurons(task.model), strict=True):
        neuron.b.data = ours.bias.data
        for weight, our_weight in zip(neuron.w, ours.weights, strict=True):
            weight.data = our_weight.data

    def step() -> float:
        errors = [model(point) - label for point, label in zip(points, labels, strict=True)]
        loss = sum(e * e for e in errors) * (1.0 / LANES) + ALPHA * sum(p * p for p in parameters)
        model.zero_grad()
        loss.backward()
        for parameter in parameters:
            parameter.data -= RATE * parameter.grad
        return loss.data

    return lambda steps: [step() for _ in range(steps)]


def micrograd_without_collector(task: Task) -> Run:
    run = micrograd(task)

    def run_without_collector(steps: int) -> Sequence[float]:
        gc.disable()
        try:
            return run(steps)
        finally:
            gc.enable()

    return run_without_collector


def neurons(model: Any) -> list[Any]:
    return [neuron for layer in model.layers for neuron in layer.neurons]


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
        Side("micrograd", micrograd, slow=True),
        Side("micrograd, collector off", micrograd_without_collector, slow=True),
        Side("PyTorch eager", torch_eager),
        Side("torch.compile", torch_compiled),
        Side("scikit-learn, an epoch (alike)", scikit_learn, alike=True),
        Side("NumPy by hand", numpy_by_hand),
        Side("JAX jit", jax_jit),
        Side("JAX scan", jax_scan),
        Side("CasADi's C, its call", casadi_call),
        Side("CasADi's C, its call on buffers", casadi_buffers),
        Side("CasADi's C, in a loop in C", casadi_inside),
        Side("plain C", plain_c),
        Side("plain C, -ffast-math", plain_c_fast_math),
        Side("tuned C", tuned_c),
    ]


def first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "no message")[:100]


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
