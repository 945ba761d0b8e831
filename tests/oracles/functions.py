"""Functions of one sample for the compiler's tests, their plain loop over the rows, and how far two may differ."""

import itertools
import math
import random
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from scalargrad.compiler.differentiate import differentiate
from scalargrad.compiler.plan import plan, with_parameters_in_order
from scalargrad.compiler.program import Program
from scalargrad.compiler.roll import roll
from scalargrad.compiler.scalars import ScalarProgram
from scalargrad.compiler.simplify import simplify
from scalargrad.compiler.trace import trace
from scalargrad.engine import Value, gradients, local_derivatives, topological_order
from scalargrad.losses import binary_cross_entropy_with_logits, cross_entropy, hinge, huber, l2, mse
from scalargrad.nn import MLP, Parameter
from scalargrad.ops import batch_mean, dot, exp, logsumexp, maximum, mean, relu, sin, sqrt, take, tanh

BOUND = {"float64": 1e-12, "float32": 1e-5}  # times the sum of |terms|


# The oracle that knows nothing of the compiler: a loop over the rows.


def value_of_row(row: Any) -> Any:
    """A row of an array as what a function of one sample takes: Values, in tuples where the row has axes."""
    return tuple(map(value_of_row, row)) if np.ndim(row) else Value(float(row))


def loop(function: Callable, *arrays: Any) -> list:
    """What the function returns for each row."""
    return [function(*map(value_of_row, rows)) for rows in zip(*arrays, strict=True)]


def flat(result: Any) -> list[Value]:
    """The Values of a nested list, in order."""
    if isinstance(result, list | tuple):
        return [x for item in result for x in flat(item)]
    return [result if isinstance(result, Value) else Value(result)]


# The agreement bound.


def path_terms(output: Value) -> dict[Value, float]:
    """For every Value below `output`, the sum of |products of partials| over all paths to it."""
    order = topological_order(output)
    terms = dict.fromkeys(order, 0.0)
    terms[output] = 1.0
    for value in reversed(order):
        for x, dx in local_derivatives(value):
            terms[x] += abs(dx) * terms[value]
    return terms


def all_terms(output: Value) -> float:
    """The sum of |terms| propagated through a graph: what one rounding of every Value in it can do to `output`."""
    return sum(abs(x.data) * terms for x, terms in path_terms(output).items())


def agree(computed: float, expected: float, terms: float, dtype: str = "float64") -> bool:
    """nan where nan is expected, that infinity where one is expected, else within the bound."""
    if expected != expected or math.isinf(expected):
        return computed == expected or (computed != computed and expected != expected)
    return abs(computed - expected) <= BOUND[dtype] * terms


class Case(NamedTuple):
    """A function of one sample, the Values that it learns, and arrays with a row for each sample."""

    function: Callable
    parameters: list[Value]
    arrays: tuple


def check_against_the_loop(program: Any, case: Case, dtype: str = "float64", strict: bool = False) -> None:
    """The mean and the gradient of a compiled loss are those of the loop. `strict`: with a bound for each gradient
    from a graph of that gradient, which is dear, and not from the paths of the loss."""
    losses = [x if isinstance(x, Value) else Value(x) for x in loop(case.function, *case.arrays)]
    loss = mean(losses)
    check_loss(program, case, loss, dtype, strict)


def check_loss(program: Any, case: Case, loss: Value, dtype: str = "float64", strict: bool = False) -> None:
    terms = path_terms(loss)
    scale = sum(abs(x.data) * terms[x] for x in terms)
    assert agree(program(*case.arrays), loss.data, scale, dtype)
    value, slopes = program.value_and_grad(*case.arrays)
    assert agree(value, loss.data, scale, dtype), (value, loss.data)
    found = dict(zip(program.parameters, slopes.tolist(), strict=True))
    wanted = gradients(loss, case.parameters, create_graph=strict)
    for parameter, slope in zip(case.parameters, wanted, strict=True):
        bound = all_terms(slope) if strict else terms.get(parameter, 0.0)
        expected = slope.data if strict else slope
        computed = found.pop(parameter, 0.0)
        assert agree(computed, expected, bound, dtype), (parameter, computed, expected, bound)
    assert not any(found.values()), "a gradient of something that is no parameter"


# The passes, one after another, without the object around them.


def traced(case: Case) -> Any:
    return trace(case.function, [np.shape(array)[1:] for array in case.arrays], [None] * len(case.arrays))


def simplified(case: Case) -> ScalarProgram:
    return simplify(traced(case))


def rolled(case: Case) -> Program:
    inputs = [int(np.prod(np.shape(array)[1:])) for array in case.arrays]
    return with_parameters_in_order(roll(simplified(case), inputs))


def planned(case: Case) -> Program:
    """With gradients."""
    return plan(differentiate(rolled(case)))


def numbers(*shape: int, seed: int = 0, low: float = -1.0, high: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(low, high, shape)


def weights(*shape: int, seed: int = 0) -> Any:
    """Parameters in nested tuples, drawn evenly from -1 to 1."""
    return _parameters(numbers(*shape, seed=seed).tolist())


def _parameters(array: Any) -> Any:
    return tuple(map(_parameters, array)) if isinstance(array, list) else Value(array)


# Neurons, written three ways.


def neurons_as_dots(rows: Any, biases: Any, x: tuple) -> tuple:
    return tuple(dot(row, x) + bias for row, bias in zip(rows, biases, strict=True))


def neurons_one_operation_at_a_time(rows: Any, biases: Any, x: tuple) -> tuple:
    """micrograd's `sum((wi * xi for ...), self.b)`."""
    return tuple(
        _python_sum((w * xi for w, xi in zip(row, x, strict=True)), bias)
        for row, bias in zip(rows, biases, strict=True)
    )


def neurons_with_the_bias_last(rows: Any, biases: Any, x: tuple) -> tuple:
    """`sum(w * x for ...) + b`: Python's sum starts with 0."""
    return tuple(
        _python_sum((w * xi for w, xi in zip(row, x, strict=True)), 0) + bias
        for row, bias in zip(rows, biases, strict=True)
    )


def neurons_as_object_arrays(rows: Any, biases: Any, x: tuple) -> tuple:
    """`W @ x + b` over NumPy arrays of Values."""
    return tuple(np.array(rows, dtype=object) @ np.array(x, dtype=object) + np.array(biases, dtype=object))


def _python_sum(terms: Iterable, start: Any) -> Any:
    for term in terms:
        start = start + term
    return start


STYLES = {
    "dots": neurons_as_dots,
    "one operation at a time": neurons_one_operation_at_a_time,
    "the bias last": neurons_with_the_bias_last,
    "object arrays": neurons_as_object_arrays,
}


def network_in_style(style: str) -> Case:
    """2-16-16-1 with tanh, squared error."""
    layer = STYLES[style]
    sizes = (2, 16, 16, 1)
    rows = [weights(o, i, seed=i + o) for i, o in itertools.pairwise(sizes)]
    biases = [weights(o, seed=o) for o in sizes[1:]]

    def loss(x, y):
        for place, (matrix, shifts) in enumerate(zip(rows, biases, strict=True)):
            x = layer(matrix, shifts, x)
            if place < 2:
                x = tuple(map(tanh, x))
        return (x[0] - y) ** 2

    return Case(loss, flat(rows) + flat(biases), (numbers(9, 2), numbers(9, seed=1)))


# Losses and perceptrons.


def with_network(sizes: tuple, loss: Callable, targets: Any, **options: Any) -> Case:
    model = MLP(sizes[0], list(sizes[1:]), rng=sum(sizes), **options)
    return Case(lambda x, y: loss(model(x), y), model.parameters(), (numbers(len(targets), sizes[0]), targets))


def one_number(outputs: Any) -> Any:
    return outputs[0] if isinstance(outputs, tuple) else outputs


REAL, SIGNS = numbers(11, seed=2), np.where(numbers(11, seed=3) > 0, 1.0, -1.0)
CLASSES, HALVES = np.arange(11) % 3, np.arange(11) % 2

# fmt: off
LOSSES: dict[str, Callable[[], Case]] = {
    "mse":                  lambda: with_network((2, 5, 1), mse, REAL),
    "mse of a list":        lambda: with_network((2, 5, 3), mse, numbers(11, 3)),
    "huber":                lambda: with_network((2, 5, 1), lambda p, y: huber(p, y, delta=0.5), 3.0 * REAL),
    "hinge":                lambda: with_network((2, 5, 1), hinge, SIGNS),
    "binary cross-entropy": lambda: with_network((2, 5, 1), binary_cross_entropy_with_logits, HALVES),
    "cross-entropy":        lambda: with_network((2, 5, 3), cross_entropy, CLASSES),
    "l2":                   lambda: regularised(),
}
NETWORKS: dict[str, Callable[[], Case]] = {
    "1-1":               lambda: with_network((1, 1), mse, REAL),
    "3-1":               lambda: with_network((3, 1), mse, REAL),
    "1-7-1":             lambda: with_network((1, 7, 1), mse, REAL, activation="tanh"),
    "2-16-16-1":         lambda: with_network((2, 16, 16, 1), mse, REAL),
    "4-1-4-2":           lambda: with_network((4, 1, 4, 2), cross_entropy, HALVES, activation="sigmoid"),
    "5-4-3-3, gelu":     lambda: with_network((5, 4, 3, 3), cross_entropy, CLASSES, activation="gelu"),
    "2-3-3-3-3, sin":    lambda: with_network((2, 3, 3, 3, 3), cross_entropy, CLASSES, activation="sin"),
}
# fmt: on


def regularised() -> Case:
    model = MLP(2, [5, 1], rng=0)
    return Case(
        lambda x, y: mse(model(x), y) + 1e-2 * l2(model.parameters()), model.parameters(), (numbers(11, 2), REAL)
    )


# Graphs of other shapes.


def attention() -> Case:
    """Three positions look at each other: every score is a dot of two tuples that differ from sample to sample."""
    query, key, content = weights(4, 2, seed=1), weights(4, 2, seed=2), weights(4, 2, seed=3)

    def loss(x, y):
        q, k, v = (tuple(tuple(dot(row, token) for row in matrix) for token in x) for matrix in (query, key, content))
        outputs = []
        for mine in q:
            scores = tuple(dot(mine, other) * 0.5 for other in k)
            peak = logsumexp(scores)
            shares = tuple(exp(score - peak) for score in scores)
            outputs.append(tuple(dot(shares, column) for column in zip(*v, strict=True)))
        return mse(outputs, y)

    return Case(loss, flat((query, key, content)), (numbers(5, 3, 2), numbers(5, 3, 4, seed=1)))


def locally_connected(positions: int = 12, width: int = 3, rows: int = 2) -> Case:
    """A convolution whose weights are not shared: each window of inputs has its own."""
    own = weights(positions, rows, width)

    def loss(x):
        windows = [x[i : i + width] for i in range(positions)]
        outputs = [tanh(dot(row, window)) for rows, window in zip(own, windows, strict=True) for row in rows]
        return mean(outputs)

    return Case(loss, flat(own), (numbers(5, positions + width - 1),))


def two_towers() -> Case:
    """Two networks that read the same inputs."""
    left, right, biases = weights(4, 3, seed=1), weights(3, 3, seed=2), weights(4, seed=3)

    def loss(x):
        a = tuple(map(tanh, neurons_as_dots(left, biases, x)))
        b = tuple(map(relu, neurons_as_dots(right, biases[:3], x)))
        return dot(a[:3], b) + a[3]

    return Case(loss, flat((left, right, biases)), (numbers(6, 3),))


def overlapping_groups() -> Case:
    """Tuples that share operands, tuples that mix parameters and inputs, and dots of parameters with each other."""
    w, v = weights(4, seed=1), weights(4, seed=2)

    def loss(x):
        mixed = (w[0], x[1], v[2], x[0])
        parts = (
            dot(w, x), dot(x, w), dot(w[1:], x[:3]), dot(w, v), dot(w, w), dot(x, x), dot(mixed, x), dot(w, mixed),
            dot(mixed, mixed), dot((w[0], w[0], v[0], v[0]), x), dot(x, (x[0], x[0], x[0], w[0])),
        )  # fmt: skip
        return dot(parts, tuple(map(sin, parts)))

    return Case(loss, flat((w, v)), (numbers(7, 4),))


def embedding() -> Case:
    """A table of vectors, one of which each sample looks up."""
    table, row = weights(5, 3), weights(3, seed=1)

    def loss(token, y):
        vector = tuple(take(token, column) for column in zip(*table, strict=True))
        return (dot(row, tuple(map(tanh, vector))) - y) ** 2

    return Case(loss, flat((table, row)), (np.array([0, 3, 3, 1, 4, 3, 0]), numbers(7, seed=2)))


def differential_equation() -> Case:
    """y' = -y for a small network: the loss holds a gradient."""
    model = MLP(1, [4, 4, 1], activation="tanh", rng=0)

    def loss(x):
        y = model((x,))
        (slope,) = gradients(y, [x], create_graph=True)
        start = model((0.0,)) - 1.0
        return (slope + y) ** 2 + start * start

    return Case(loss, model.parameters(), (numbers(6),))


def curvature() -> Case:
    """Gradients of gradients: the sum of squares of d²y/dx²."""
    w = weights(3)

    def loss(x):
        y = tanh(dot(w, (x, x * x, sin(x))))
        (slope,) = gradients(y, [x], create_graph=True)
        (bend,) = gradients(slope, [x], create_graph=True)
        return bend * bend

    return Case(loss, list(w), (numbers(5),))


def largest_of_many() -> Case:
    w = weights(6)

    def loss(x):
        return maximum(*(wi * xi for wi, xi in zip(w, x, strict=True))) + maximum(w[0], x[0], 0.25)

    return Case(loss, list(w), (numbers(8, 6, seed=4),))


OTHERS: dict[str, Callable[[], Case]] = {
    "attention": attention,
    "locally connected": locally_connected,
    "two towers": two_towers,
    "overlapping groups": overlapping_groups,
    "embedding": embedding,
    "differential equation": differential_equation,
    "curvature": curvature,
    "largest of many": largest_of_many,
}
CASES = LOSSES | NETWORKS | OTHERS


# The convolutional network of 13,808 parameters, one image of it.

CONVOLUTIONS = (
    (3, 1, 16, 0),
    (3, 16, 32, 0),
    (1, 32, 10, 0),
    (3, 10, 16, 0),
    (3, 16, 16, 0),
    (3, 16, 16, 0),
    (3, 16, 16, 1),
)


class ConvolutionalNetwork:
    """3x3 1->16, 3x3 16->32, 1x1 32->10, max-pool 2, 3x3 10->16, three 3x3 16->16 of which the last pads with 1,
    global average, 1x1 16->10: plain loops over Values. Every 3x3 is followed by relu and batch normalisation."""

    def __init__(self, seed: int = 0) -> None:
        source = random.Random(seed)

        def draw(fan_in: int) -> Parameter:
            return Parameter(source.gauss(0.0, math.sqrt(2.0 / fan_in)))

        self.kernels = [
            [tuple(draw(k * k * i) for _ in range(i * k * k)) for _ in range(o)] for k, i, o, _ in CONVOLUTIONS
        ]
        self.scales = [[Parameter(1.0) for _ in range(o)] if k == 3 else [] for k, _, o, _ in CONVOLUTIONS]
        self.shifts = [[Parameter(0.0) for _ in range(o)] if k == 3 else [] for k, _, o, _ in CONVOLUTIONS]
        self.head = [tuple(draw(16) for _ in range(16)) for _ in range(10)]

    def parameters(self) -> list[Parameter]:
        return flat([self.kernels, self.scales, self.shifts, self.head])

    def __call__(self, image: Any, label: Any) -> Any:
        channels = [image]
        for place, (size, _, _, padding) in enumerate(CONVOLUTIONS):
            channels = convolution(channels, self.kernels[place], size, padding)
            if size == 3:
                channels = [
                    normalised([[relu(x) for x in row] for row in channel], scale, shift)
                    for channel, scale, shift in zip(channels, self.scales[place], self.shifts[place], strict=True)
                ]
            if place == 2:
                channels = [max_pool(channel) for channel in channels]
        averages = tuple(mean([x for row in channel for x in row]) for channel in channels)
        logits = tuple(dot(row, averages) for row in self.head)
        return logsumexp(logits) - take(label, logits)


def convolution(channels: list, kernels: list, size: int, padding: int) -> list:
    if padding:
        zero = Value(0.0)
        wide = [zero] * (len(channels[0][0]) + 2 * padding)
        edge = [zero] * padding
        channels = [
            [wide] * padding + [[*edge, *row, *edge] for row in channel] + [wide] * padding for channel in channels
        ]
    height, width = len(channels[0]) - size + 1, len(channels[0][0]) - size + 1
    patches = [
        [
            tuple(channel[i + k][j + l] for channel in channels for k in range(size) for l in range(size))
            for j in range(width)
        ]
        for i in range(height)
    ]
    return [[[dot(kernel, patch) for patch in row] for row in patches] for kernel in kernels]


def max_pool(channel: list) -> list:
    return [
        [
            maximum(channel[i][j], channel[i][j + 1], channel[i + 1][j], channel[i + 1][j + 1])
            for j in range(0, len(channel[0]), 2)
        ]
        for i in range(0, len(channel), 2)
    ]


def normalised(channel: list, scale: Any, shift: Any) -> list:
    """Batch normalisation of one channel: the mean over its positions, and over the batch."""
    cells = [x for row in channel for x in row]
    centre = batch_mean(mean(cells))
    deviations = [[x - centre for x in row] for row in channel]
    flat_deviations = tuple(x for row in deviations for x in row)
    spread = batch_mean(dot(flat_deviations, flat_deviations) / len(cells))
    factor = scale / sqrt(spread + 1e-5)
    return [[x * factor + shift for x in row] for row in deviations]


def chain(depth: int) -> Case:
    """Multiply, add, sine, one after another."""
    w, b = Value(0.9), Value(0.1)

    def loss(x):
        for _ in range(depth // 3):
            x = sin(x * w + b)
        return x

    return Case(loss, [w, b], (numbers(4),))
