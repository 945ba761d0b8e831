"""The peers, written once: each as an expert of its library would, for the scripts that compare with them.

A step on moons: one full-batch step (forward, backward, SGD) of a small network, by PyTorch, JAX, NumPy, scikit-learn,
CasADi, micrograd and C. An epoch: the MNIST-shaped network 784-128-64-10 with Adam, by PyTorch, JAX, NumPy and
scikit-learn. And what a core can do at most. A library is imported by the side that needs it.
"""

import contextlib
import ctypes
import gc
import itertools
import math
import os
import shutil
import subprocess
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy
from numpy import ndarray

from scalargrad import MLP

HERE = Path(__file__).parent


class NotHereError(Exception):
    """Why a side does not take part."""


def first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "no message")[:100]


def hold_to_cores(threads: int) -> None:
    """Before any library counts the cores."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])


# --- a step on moons ---

LANES, ALPHA, RATE = 100, 1e-4, 0.01
CHECKED = 20  # losses that must agree

Run = Callable[[int], Sequence[float]]  # trains on for so many steps; returns the loss before each


@dataclass(eq=False)  # so that what was compiled for it can be cached
class Task:
    """A network's sizes and first weights, the data, and a folder for what sides compile."""

    width: int
    points: ndarray  # [LANES, 2]
    labels: ndarray  # [LANES]
    folder: Path = HERE
    model: MLP = field(init=False)

    def __post_init__(self) -> None:
        self.model = self.new_model()

    def new_model(self) -> MLP:
        return MLP(2, [self.width, self.width, 1], rng=0)

    @property
    def widths(self) -> list[int]:
        return [2, self.width, self.width, 1]

    def unit_after_unit(self) -> ndarray:
        """The parameters in scalargrad's order: of each unit the weights, then the bias."""
        return numpy.array([parameter.data for parameter in self.model.parameters()])

    def layer_after_layer(self) -> tuple[ndarray, list[tuple[int, ...]]]:
        """The parameters in the order of array libraries: of each layer the weights, then the biases. And shapes."""
        arrays = list(self.model.state_dict().values())
        return numpy.concatenate([array.ravel() for array in arrays]), [array.shape for array in arrays]


def numpy_by_hand(task: Task) -> Run:
    """Lanes innermost, a row of ones for the biases, every result written into place."""
    width, flat = task.width, task.unit_after_unit()
    slopes = numpy.empty_like(flat)

    def layers(array: ndarray) -> tuple[ndarray, ...]:
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

    def run(steps: int) -> ndarray:
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

    def run(steps: int) -> ndarray:
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

    def run(steps: int) -> ndarray:
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


# --- an epoch of an MNIST-shaped network ---

SIZES, BATCH, STEPS, ADAM_RATE = (784, 128, 64, 10), 64, 937, 1e-3
ROWS = BATCH * STEPS  # 59,968: the last 32 of 60,000 would make a step of another size
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
FIRST_STEPS = 5
# Weight gradients everywhere, input gradients everywhere but in the first layer.
MULTIPLY_ADDS = ROWS * sum(a * b * (3 if i else 2) for i, (a, b) in enumerate(itertools.pairwise(SIZES)))


class Epoch(NamedTuple):
    """One library on the MNIST-shaped network.

    gradient  of the first batch: the loss, and the gradients in the order of `first_parameters`; None: not offered
    losses    before each of the first steps of Adam, all on the first batch
    epoch     trains on all rows in a new order and returns the mean of the losses; None: cannot train yet
    note      printed below the table
    """

    gradient: Callable[[], tuple[float, list[ndarray]]] | None
    losses: Callable[[], list[float]]
    epoch: Callable[[], float] | None
    note: str = ""


def first_parameters() -> list[ndarray]:
    """Weights [fan_out, fan_in] and biases of each layer."""
    rng, parameters = numpy.random.default_rng(1), []
    for fan_in, fan_out in itertools.pairwise(SIZES):
        parameters += [rng.normal(0.0, (2.0 / fan_in) ** 0.5, (fan_out, fan_in)), rng.uniform(-0.1, 0.1, fan_out)]
    return [array.astype("float32") for array in parameters]


def rows() -> tuple[ndarray, ndarray]:
    rng = numpy.random.default_rng(0)
    return rng.random((ROWS, SIZES[0]), dtype="float32"), rng.integers(0, SIZES[-1], ROWS)


def dense_in_jax(parameters: list[Any], x: Any) -> Any:
    """The logits of three dense layers with relu between them."""
    import jax

    w1, b1, w2, b2, w3, b3 = parameters
    return jax.nn.relu(jax.nn.relu(x @ w1.T + b1) @ w2.T + b2) @ w3.T + b3


def adam_in_jax(parameters: Any, slopes: Any, first: Any, second: Any, count: Any, rate: float) -> tuple:
    """A step of Adam: parameters, both moments and the number of steps."""
    import jax
    import jax.numpy as jnp

    count = count + 1.0
    first = jax.tree.map(lambda m, g: BETA1 * m + (1.0 - BETA1) * g, first, slopes)
    second = jax.tree.map(lambda v, g: BETA2 * v + (1.0 - BETA2) * g * g, second, slopes)
    rate, scale = rate / (1.0 - BETA1**count), 1.0 / jnp.sqrt(1.0 - BETA2**count)
    moved = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) * scale + EPSILON), parameters, first, second)
    return moved, first, second, count


def torch_epoch(threads: int, fused: bool) -> Epoch:
    import torch
    from torch.nn.functional import cross_entropy, linear, relu

    torch.set_num_threads(threads)
    inputs, labels = map(torch.from_numpy, rows())
    order_of_rows = torch.Generator().manual_seed(0)

    def start() -> tuple[list[Any], Any]:
        parameters = [torch.tensor(array, requires_grad=True) for array in first_parameters()]
        return parameters, torch.optim.Adam(parameters, lr=ADAM_RATE, fused=fused)

    def loss_of(parameters: list[Any], x: Any, y: Any) -> Any:
        w1, b1, w2, b2, w3, b3 = parameters
        return cross_entropy(linear(relu(linear(relu(linear(x, w1, b1)), w2, b2)), w3, b3), y)

    def step(parameters: list[Any], optimizer: Any, x: Any, y: Any) -> Any:
        loss = loss_of(parameters, x, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    def gradient() -> tuple[float, list[ndarray]]:
        parameters, _ = start()
        loss = loss_of(parameters, inputs[:BATCH], labels[:BATCH])
        loss.backward()
        return loss.item(), [parameter.grad.numpy() for parameter in parameters]

    def losses() -> list[float]:
        state = start()
        return [step(*state, inputs[:BATCH], labels[:BATCH]).item() for _ in range(FIRST_STEPS)]

    state = start()

    def epoch() -> float:
        total = torch.zeros(())
        for chosen in torch.randperm(ROWS, generator=order_of_rows).view(STEPS, BATCH):
            total += step(*state, inputs[chosen], labels[chosen])
        return total.item() / STEPS

    return Epoch(gradient, losses, epoch)


def jax_epoch(threads: int, whole_epoch: bool, in_order: bool = False) -> Epoch:
    """`whole_epoch`: a scan over the steps, compiled as one; else a compiled step. `in_order`: without shuffling."""
    import jax
    import jax.numpy as jnp

    inputs, labels = (jnp.asarray(array) for array in rows())
    batches = inputs.reshape(STEPS, BATCH, -1), labels.reshape(STEPS, BATCH)
    order_of_rows = numpy.random.default_rng(0)

    def loss_of(parameters: list[Any], x: Any, y: Any) -> Any:
        logits = dense_in_jax(parameters, x)
        chosen = jnp.sum(logits * jax.nn.one_hot(y, SIZES[-1], dtype=logits.dtype), axis=1)
        return jnp.mean(jax.nn.logsumexp(logits, axis=1) - chosen)

    def step(state: tuple, x: Any, y: Any) -> tuple[tuple, Any]:
        parameters, *moments = state
        loss, slopes = jax.value_and_grad(loss_of)(parameters, x, y)
        return adam_in_jax(parameters, slopes, *moments, ADAM_RATE), loss

    def start() -> tuple:
        parameters = [jnp.asarray(array) for array in first_parameters()]
        return parameters, list(map(jnp.zeros_like, parameters)), list(map(jnp.zeros_like, parameters)), jnp.zeros(())

    @jax.jit
    def gradient_of_first_batch(parameters: list[Any]) -> Any:
        return jax.value_and_grad(loss_of)(parameters, inputs[:BATCH], labels[:BATCH])

    def gradient() -> tuple[float, list[ndarray]]:
        loss, slopes = gradient_of_first_batch(start()[0])
        return float(loss), list(map(numpy.asarray, slopes))

    def losses() -> list[float]:
        compiled, state, found = jax.jit(step), start(), []
        for _ in range(FIRST_STEPS):
            state, loss = compiled(state, inputs[:BATCH], labels[:BATCH])
            found.append(float(loss))
        return found

    def step_on_chosen(state: tuple, total: Any, all_inputs: Any, all_labels: Any, chosen: Any) -> tuple:
        state, loss = step(state, all_inputs[chosen], all_labels[chosen])
        return state, total + loss

    def epoch_in_a_scan(state: tuple, all_inputs: Any, all_labels: Any, order: Any) -> tuple:
        return jax.lax.scan(lambda state, chosen: step(state, all_inputs[chosen], all_labels[chosen]), state, order)

    def epoch_in_order(state: tuple, all_inputs: Any, all_labels: Any) -> tuple:
        return jax.lax.scan(lambda state, batch: step(state, *batch), state, (all_inputs, all_labels))

    compiled_step = jax.jit(step_on_chosen, donate_argnums=(0, 1))
    compiled_epoch = jax.jit(epoch_in_order if in_order else epoch_in_a_scan, donate_argnums=0)
    state = start()

    def epoch() -> float:
        nonlocal state
        if in_order:
            state, every = compiled_epoch(state, *batches)
            return float(every.mean())
        order = order_of_rows.permutation(ROWS).astype("int32").reshape(STEPS, BATCH)
        if whole_epoch:
            state, every = compiled_epoch(state, inputs, labels, order)
            return float(every.mean())
        total = jnp.zeros(())
        for chosen in order:
            state, total = compiled_step(state, total, inputs, labels, chosen)
        return float(total) / STEPS

    return Epoch(gradient, losses, epoch)


class NumpyNetwork:
    """The network by hand: all parameters in one array, so that Adam's update is a few passes over one array."""

    def __init__(self, dtype: str) -> None:
        arrays = first_parameters()
        self.all = numpy.concatenate([array.ravel() for array in arrays]).astype(dtype)
        self.slope, self.first, self.second, self.spare = (numpy.zeros_like(self.all) for _ in range(4))
        ends = numpy.cumsum([0, *(array.size for array in arrays)])
        self.parameters, self.slopes = (
            [flat[a:b].reshape(array.shape) for array, a, b in zip(arrays, ends, ends[1:], strict=False)]
            for flat in (self.all, self.slope)
        )
        self.steps = 0

    def gradient(self, x: ndarray, labels: ndarray) -> float:
        """The loss; the gradient is left in `slopes`."""
        layers, outputs = len(self.parameters) // 2, [x]
        for i in range(layers):
            weights, bias = self.parameters[2 * i : 2 * i + 2]
            output = outputs[-1] @ weights.T
            output += bias
            outputs.append(numpy.maximum(output, 0.0, out=output) if i < layers - 1 else output)
        places = numpy.arange(len(x)), labels
        logits = outputs.pop()
        logits -= logits.max(axis=1, keepdims=True)
        wanted = logits[places]
        shares = numpy.exp(logits, out=logits)
        totals = shares.sum(axis=1, keepdims=True)
        loss = (numpy.log(totals[:, 0]) - wanted).mean()
        shares /= totals
        shares[places] -= 1.0
        shares /= len(x)
        upstream = shares
        for i in reversed(range(layers)):
            numpy.matmul(upstream.T, outputs[i], out=self.slopes[2 * i])
            numpy.sum(upstream, axis=0, out=self.slopes[2 * i + 1])
            if i:
                upstream = upstream @ self.parameters[2 * i]
                upstream *= outputs[i] > 0.0
        return float(loss)

    def step(self, x: ndarray, labels: ndarray) -> float:
        loss = self.gradient(x, labels)
        self.steps += 1
        slope, spare = self.slope, self.spare
        self.first *= BETA1
        self.first += numpy.multiply(slope, 1.0 - BETA1, out=spare)
        self.second *= BETA2
        numpy.multiply(slope, slope, out=spare)
        spare *= 1.0 - BETA2
        self.second += spare
        numpy.sqrt(self.second, out=spare)
        spare *= (1.0 - BETA2**self.steps) ** -0.5
        spare += EPSILON
        numpy.divide(self.first, spare, out=spare)
        spare *= ADAM_RATE / (1.0 - BETA1**self.steps)
        self.all -= spare
        return loss


def numpy_epoch(threads: int) -> Epoch:
    inputs, labels = rows()
    order_of_rows = numpy.random.default_rng(0)

    def gradient() -> tuple[float, list[ndarray]]:
        network = NumpyNetwork("float32")
        return network.gradient(inputs[:BATCH], labels[:BATCH]), network.slopes

    def losses() -> list[float]:
        network = NumpyNetwork("float32")
        return [network.step(inputs[:BATCH], labels[:BATCH]) for _ in range(FIRST_STEPS)]

    network = NumpyNetwork("float32")

    def epoch() -> float:
        order = order_of_rows.permutation(ROWS).reshape(STEPS, BATCH)
        return sum(network.step(inputs[chosen], labels[chosen]) for chosen in order) / STEPS

    return Epoch(gradient, losses, epoch)


def sklearn_epoch(threads: int) -> Epoch:
    from sklearn.neural_network import MLPClassifier

    inputs, labels = rows()
    numpy.random.seed(0)

    def start() -> Any:
        network = MLPClassifier(SIZES[1:-1], alpha=0.0, batch_size=BATCH, learning_rate_init=ADAM_RATE, random_state=0)
        network.partial_fit(inputs[:BATCH], labels[:BATCH], classes=range(SIZES[-1]))
        parameters = first_parameters()
        for own, new in zip(network.coefs_, parameters[::2], strict=True):
            own[...] = new.T
        for own, new in zip(network.intercepts_, parameters[1::2], strict=True):
            own[...] = new
        del network._optimizer  # the step above; the next call makes a new one
        return network

    def losses() -> list[float]:
        network = start()
        return [float(network.partial_fit(inputs[:BATCH], labels[:BATCH]).loss_) for _ in range(FIRST_STEPS)]

    network = start()
    return Epoch(None, losses, lambda: float(network.partial_fit(inputs, labels).loss_))


# --- what a core can do at most ---


def multiply_add_kernel() -> tuple[Callable[[int], None], int, Any]:
    """Multiply-adds in float32 that do not wait for each other: (what runs n rounds, how many a round, their owner)."""
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    lanes, chains = (16 if has_avx512() else 8), 12
    vector, numbers = f"<{lanes} x float>", ", ".join(["float 0.5"] * lanes)
    lines = [f"%a{i} = phi {vector} [zeroinitializer, %entry], [%b{i}, %loop]" for i in range(chains)]
    lines += [
        f"%b{i} = call {vector} @llvm.fma.v{lanes}f32({vector} %a{i}, {vector} %factor, {vector} %factor)"
        for i in range(chains)
    ]
    total = [f"%s{i} = fadd {vector} %{f's{i - 1}' if i > 1 else 'b0'}, %b{i}" for i in range(1, chains)]
    text = "\n".join(
        [
            f"declare {vector} @llvm.fma.v{lanes}f32({vector}, {vector}, {vector})",
            f"define void @run(i64 %times, ptr %out) {{\nentry:\n%start = load {vector}, ptr %out",
            f"%factor = fmul {vector} %start, <{numbers}>\nbr label %loop\nloop:",
            "%i = phi i64 [0, %entry], [%next, %loop]",
            *lines,
            "%next = add i64 %i, 1\n%more = icmp ult i64 %next, %times\nbr i1 %more, label %loop, label %end\nend:",
            *total,
            f"store {vector} %s{chains - 1}, ptr %out\nret void\n}}",
        ]
    )
    machine = binding.Target.from_default_triple().create_target_machine(
        cpu=binding.get_host_cpu_name(), features=binding.get_host_cpu_features().flatten(), opt=3
    )
    engine = binding.create_mcjit_compiler(binding.parse_assembly(text), machine)
    engine.finalize_object()
    function = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p)(engine.get_function_address("run"))
    memory = numpy.zeros(64, dtype="float32")
    place = memory.ctypes.data + -memory.ctypes.data % 64
    return lambda times: function(times, place), chains * lanes, (engine, memory)


def has_avx512() -> bool:
    from llvmlite import binding

    return bool(binding.get_host_cpu_features().get("avx512f"))


def multiply_adds_a_second() -> float:
    run, each, _owner = multiply_add_kernel()
    times, best = 2_000_000, 0.0
    for _ in range(5):
        begin = time.perf_counter()
        run(times)
        best = max(best, times * each / (time.perf_counter() - begin))
    return best
