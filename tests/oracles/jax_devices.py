"""What programs give on several devices of one process, and what NumPy gives, as JSON: for test_xla.py, which runs

    XLA_FLAGS=--xla_force_host_platform_device_count=8 JAX_PLATFORMS=cpu python -m tests.oracles.jax_devices

in a process of its own, for JAX learns once in a process how many devices there are.
"""

import json
import math
import re
from typing import Any, NamedTuple

import numpy as np

from scalargrad import ops
from scalargrad.compiler import compile
from scalargrad.compiler.backends.xla import backend
from scalargrad.engine import Value
from scalargrad.losses import cross_entropy, mse
from scalargrad.nn import LSTM, MLP, BatchNorm2d, Conv2d, Dropout, Flatten, GlobalAvgPool, Layer, Module, Sequential
from scalargrad.ops import batch_mean, relu
from scalargrad.optim import SGD, Adam
from tests.oracles.functions import numbers

ROWS = 100  # of the data
# (rows, devices): shares that are not equal, devices that have repeated rows only, and equal shares.
SHARES = [(97, 3), (100, 8), (3, 8), (97, 1), (96, 8)]
NUMPY: dict = {"backend": "numpy"}


def jax_on(devices: int) -> dict:
    return {"backend": "jax", "devices": devices}


class Problem(NamedTuple):
    model: Module
    loss: Any
    arrays: tuple

    def numbers(self) -> list[float]:
        """Of parameters and buffers."""
        return [number for array in self.model.state_dict().values() for number in np.ravel(array).tolist()]

    def first(self, rows: int) -> tuple:
        return tuple(array[:rows] for array in self.arrays)


def perceptron() -> Problem:
    model = MLP(3, [8, 6, 1], activation="tanh", rng=1)
    return Problem(model, lambda x, y: mse(model(x), y), (numbers(ROWS, 3), numbers(ROWS, seed=1)))


def convolutional_network() -> Problem:
    """Two 3x3 of which one moves by 2, each with batch norm, an average, dropout, three classes."""
    model = Sequential(
        Conv2d(1, 2, 3, bias=False, rng=1), BatchNorm2d(2), relu,
        Conv2d(2, 3, 3, stride=2, bias=False, rng=2), BatchNorm2d(3), relu,
        GlobalAvgPool(), Flatten(), Dropout(0.2, rng=5), Layer(3, 3, activation="linear", rng=3),
    )  # fmt: skip
    images, labels = numbers(ROWS, 1, 7, 7, seed=2), np.arange(ROWS) % 3
    return Problem(model, lambda x, y: cross_entropy(model(x), y), (images, labels))


def recurrent_network() -> Problem:
    cells, head = LSTM(2, 3, rng=1), Layer(3, 1, activation="linear", rng=2)
    model = Sequential(lambda x: cells(x)[0][-1], head)
    model.cells = cells
    sequences = numbers(ROWS, 4, 2, seed=3)
    return Problem(model, lambda x, y: mse(model(x), y), (sequences, numbers(ROWS, seed=4)))


def spread() -> Problem:
    """Numbers of the whole batch: means inside of means."""
    model = MLP(2, [2], activation="linear", rng=4)

    def loss(x, y):
        first, second = model(x)
        centre = batch_mean(first)
        deviation = ops.sqrt(batch_mean((first - centre) ** 2))
        return (second * (first - centre) / deviation - y) ** 2 + first**2 + ops.sin(batch_mean(second))

    return Problem(model, loss, (numbers(ROWS, 2, seed=5), numbers(ROWS, seed=6)))


PROBLEMS = {
    "perceptron": perceptron,
    "convolutional network": convolutional_network,
    "recurrent network": recurrent_network,
    "spread": spread,
}


def slopes() -> dict:
    """For each network and share: the mean, its gradient and the numbers of buffers, and what they are in NumPy."""
    return {
        f"{name}, {rows} rows on {devices}": [_slopes(make(), rows, way) for way in (jax_on(devices), NUMPY)]
        for name, make in PROBLEMS.items()
        for rows, devices in SHARES[: 5 if name in ("perceptron", "spread") else 3]
    }


def _slopes(problem: Problem, rows: int, way: dict) -> list[float]:
    mean = compile(problem.loss, **way).backward(*problem.first(rows))
    return [mean, *(parameter.grad for parameter in problem.model.parameters()), *problem.numbers()]


# 30 rows divide by 3 and not by 8, and leave 10 of 100.
CURVES = [
    ("perceptron", 8, {"batch_size": 30}),
    ("perceptron", 3, {"batch_size": 30}),
    ("perceptron", 2, {"batch_size": None}),
    ("perceptron", 8, {"batch_size": 25, "dtype": "float32"}),
    ("convolutional network", 8, {"batch_size": 50}),
    ("recurrent network", 3, {"batch_size": 50}),
    ("spread", 8, {"batch_size": 20}),
]


def curves() -> dict:
    """For each training the losses of its epochs and the numbers that it leads to, and what they are in NumPy."""
    return {
        f"{name} on {devices}, {', '.join(f'{key} {value}' for key, value in settings.items())}": [
            _curve(PROBLEMS[name](), way, **settings) for way in (jax_on(devices), NUMPY)
        ]
        for name, devices, settings in CURVES
    }


def _curve(problem: Problem, way: dict, batch_size: int | None, dtype: str = "float64") -> list[list[float]]:
    training = compile(problem.loss, dtype=dtype, **way).trainer(Adam(0.02), batch_size, rng=3)
    losses = training.run(*problem.arrays, epochs=3)["loss"] + training.run(*problem.arrays, epochs=3)["loss"]
    return [losses, problem.numbers()]


def calls_of_few_samples() -> list:
    """A training whose samples are sent to the devices for a step at a time, and what it is in NumPy."""
    most, backend.MOST_BYTES = backend.MOST_BYTES, 1
    found = _curve(perceptron(), jax_on(3), 25)
    backend.MOST_BYTES = most
    return [found, _curve(perceptron(), NUMPY, 25)]


def extreme_inputs() -> dict:
    """The last row, which is the one that is repeated, holds inf or nan: sums are what they are on one device."""
    found: dict[str, list] = {}
    w, v = Value(0.5), Value(-2.0)
    functions = {
        "a product": lambda x: w * x,
        "a dot": lambda x: ops.dot((w, v), (x, 1.0 / x)),
        "a mean over the batch": lambda x: v * batch_mean(ops.tanh(w * x)),
        "a choice": lambda x: ops.where(ops.less(x, 10.0), w * x, v),
    }
    for name, function in functions.items():
        programs = [compile(function, **jax_on(devices)) for devices in (1, 3, 8)]
        for last in (math.inf, -math.inf, math.nan, 1e308, 0.0):
            results = [program.value_and_grad(np.array([1.0, -2.0, 0.5, 3.0, last])) for program in programs]
            found[f"{name}, {last}"] = [[mean, *gradient.tolist()] for mean, gradient in results]
    return found


def mistakes() -> list:
    """On 1 and 8 devices: the errors for a wrong index in the last row, and what they left of the numbers."""
    found = []
    for devices in (1, 8):
        table, tokens, y = tuple(map(Value, (0.1, 0.2, 0.3))), np.arange(20.0) % 3, numbers(20)
        optimizer = SGD(0.1, momentum=0.9)
        program = compile(lambda token, y, table=table: (ops.take(token, table) - y) ** 2, **jax_on(devices))
        training = program.trainer(optimizer, 5, rng=2)  # row 19 is in the third batch
        spoiled = tokens.copy()
        spoiled[19] = 3.0
        words = []
        for call in (program, program.value_and_grad, training.step):
            try:
                call(spoiled, y)
            except IndexError as error:
                words.append(str(error))
        unchanged = optimizer.steps, [p.data for p in table]
        try:
            training.run(spoiled, y, epochs=1)
        except IndexError as error:
            words.append(str(error))
        found.append({"words": words, "unchanged": unchanged, "left": [optimizer.steps, *(p.data for p in table)]})
    return found


def losses_that_are_no_numbers() -> list:
    """On 8 devices and in NumPy, a training that comes to the logarithm of a negative number: where it stopped."""
    found = []
    for way in (jax_on(8), NUMPY):
        w, optimizer = Value(1.0), SGD(0.3)
        training = compile(lambda x, w=w: ops.log(w) * x, **way).trainer(optimizer, 5)
        try:
            training.run(np.ones(40), epochs=3)
        except FloatingPointError as error:
            found.append([str(error), optimizer.steps, w.data])
    return found


def sums_between_devices() -> dict:
    """How often the devices wait for each other in a training step of each network: for the sums of XLA's program."""
    found: dict[str, int] = {}
    for name, make in PROBLEMS.items():
        problem = make()
        program = compile(problem.loss, **jax_on(8))
        program.trainer(Adam(0.01)).step(*problem.first(16))
        (step,) = program.loops[0].backend.compiled.values()
        found[name] = len(re.findall(r" all-reduce(-start)?\(", step.as_text()))
    return found


PARTS = (
    slopes,
    curves,
    calls_of_few_samples,
    extreme_inputs,
    mistakes,
    losses_that_are_no_numbers,
    sums_between_devices,
)

if __name__ == "__main__":
    print(json.dumps({part.__name__: part() for part in PARTS}))
