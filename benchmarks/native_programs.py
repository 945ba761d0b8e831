"""How fast is native code on programs that nobody tuned it for? Side by side with JAX, on one core.

    pip install jax
    python benchmarks/native_programs.py [--only attention] [--turns 9]

Each program is a loss of one sample, written in Values; its peer is the same loss of the whole batch, written with
arrays by hand, in the fastest of several ways that were tried. One call computes the loss and all gradients in float64,
from arrays that are NumPy's on our side and already JAX's own on the other. The two must agree within 1e-9 of the
largest gradient, or the script stops. They take turns on one core. The 200 expressions take JAX a minute to compile.
"""

import argparse
import math
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import jax
import jax.numpy as jnp
import numpy
from numpy import ndarray

import scalargrad
from scalargrad import Value, dot, exp, gelu, gradients, logsumexp, mse, relu, tanh

AGREEMENT, LEAST_SECONDS = 1e-9, 0.02


class Case(NamedTuple):
    """A loss, twice.

    loss        of one sample, in Values
    parameters  that it reads: arrays of Values
    arrays      with a row for each sample
    by_hand     the mean of the losses, from a list of arrays of parameters and the arrays
    """

    loss: Callable[..., Any]
    parameters: list[ndarray]
    arrays: tuple[ndarray, ...]
    by_hand: Callable[..., Any]


def parameters(*shapes: tuple[int, ...]) -> list[ndarray]:
    """Arrays of Values, evenly from -a to a with a**2 = 3 / fan_in."""
    rng = numpy.random.default_rng(0)
    draws = [rng.uniform(-1.0, 1.0, shape) * math.sqrt(3.0 / shape[-1]) for shape in shapes]
    return [numpy.vectorize(Value, otypes=[object])(draw) for draw in draws]


def numbers(*shape: int, seed: int = 1) -> ndarray:
    return numpy.random.default_rng(seed).normal(size=shape)


def in_tuples(array: Any) -> Any:
    """An array of Values as nested tuples: a row that several dots share is one object."""
    return tuple(map(in_tuples, array)) if isinstance(array, ndarray) else array


def layer(matrix: tuple, biases: tuple, inputs: tuple) -> tuple:
    return tuple(dot(row, inputs) + bias for row, bias in zip(matrix, biases, strict=True))


# The programs.


def attention() -> Case:
    """A block of a transformer: two heads look at 8 tokens of width 16, then a network on each token; 64 samples."""
    tokens, width, heads, wide, samples = 8, 16, 2, 32, 64
    size = width // heads
    square = (width, width)
    own = parameters(square, square, square, square, (wide, width), (wide,), (width, wide), (width,))
    query, key, content, output, up, up_bias, down, down_bias = map(in_tuples, own)

    def softmax(scores: tuple) -> tuple:
        total = logsumexp(scores)
        return tuple(exp(score - total) for score in scores)

    def each(matrix: tuple, sequence: tuple) -> tuple:
        return tuple(tuple(dot(row, token) for row in matrix) for token in sequence)

    def head(queries: tuple, keys: tuple, contents: tuple) -> list[tuple]:
        columns = tuple(zip(*contents, strict=True))
        shares = [softmax(tuple(dot(mine, other) * size**-0.5 for other in keys)) for mine in queries]
        return [tuple(dot(row, column) for column in columns) for row in shares]

    def loss(x: tuple, y: tuple) -> Any:
        projected = each(query, x), each(key, x), each(content, x)
        found = []
        for first in range(0, width, size):
            found.append(head(*(tuple(token[first : first + size] for token in part) for part in projected)))
        joined = tuple(sum(parts, ()) for parts in zip(*found, strict=True))
        predictions = []
        for token, seen in zip(x, each(output, joined), strict=True):
            token = tuple(a + b for a, b in zip(token, seen, strict=True))
            changed = layer(down, down_bias, tuple(map(gelu, layer(up, up_bias, token))))
            predictions.append(tuple(a + b for a, b in zip(token, changed, strict=True)))
        return mse(predictions, y)

    def by_hand(p: list[Any], x: Any, y: Any) -> Any:
        query, key, content, output, up, up_bias, down, down_bias = p
        queries, keys, contents = (
            (x @ matrix.T).reshape(samples, tokens, heads, size) for matrix in (query, key, content)
        )
        shares = jax.nn.softmax(jnp.einsum("nqhs,nkhs->nhqk", queries, keys) * size**-0.5)
        seen = jnp.einsum("nhqk,nkhs->nqhs", shares, contents).reshape(samples, tokens, width)
        x = x + seen @ output.T
        x = x + jax.nn.gelu(x @ up.T + up_bias, approximate=False) @ down.T + down_bias
        return jnp.mean((x - y) ** 2)

    return Case(loss, own, (numbers(samples, tokens, width), numbers(samples, tokens, width, seed=2)), by_hand)


def locally_connected() -> Case:
    """A convolution whose weights are not shared: 64 windows of 9 inputs, each with 4 rows of its own; 64 samples."""
    positions, window, rows, samples = 64, 9, 4, 64
    own = parameters((positions, rows, window), (positions, rows))
    matrices, biases = map(in_tuples, own)

    def loss(x: tuple, y: tuple) -> Any:
        outputs = [layer(matrices[i], biases[i], x[i : i + window]) for i in range(positions)]
        return mse([tuple(map(tanh, output)) for output in outputs], y)

    def by_hand(p: list[Any], x: Any, y: Any) -> Any:
        # Samples last: 159 microseconds where windows of each sample take 330, and conv_general_dilated_local 184.
        matrices, biases = p
        windows = jnp.stack([x.T[i : i + positions] for i in range(window)], axis=1)
        outputs = jnp.tanh(jnp.einsum("pwn,prw->prn", windows, matrices) + biases[:, :, None])
        return jnp.mean((outputs - jnp.transpose(y, (1, 2, 0))) ** 2)

    arrays = numbers(samples, positions + window - 1), numbers(samples, positions, rows, seed=2)
    return Case(loss, own, arrays, by_hand)


def twin_towers() -> Case:
    """Two networks 16-32-16 that read the same inputs; the loss looks at the dot of their outputs; 256 samples."""
    own = parameters(*[(32, 16), (32,), (16, 32), (16,)] * 2)
    towers = tuple(map(in_tuples, own[:4])), tuple(map(in_tuples, own[4:]))

    def loss(x: tuple, y: Any) -> Any:
        left, right = (layer(w2, b2, tuple(map(relu, layer(w1, b1, x)))) for w1, b1, w2, b2 in towers)
        return (dot(left, right) - y) ** 2

    def by_hand(p: list[Any], x: Any, y: Any) -> Any:
        left, right = (jax.nn.relu(x @ w1.T + b1) @ w2.T + b2 for w1, b1, w2, b2 in (p[:4], p[4:]))
        return jnp.mean((jnp.sum(left * right, axis=1) - y) ** 2)

    return Case(loss, own, (numbers(256, 16), numbers(256, seed=2)), by_hand)


def differential_equation() -> Case:
    """y'' = -y, y(0) = 1, y(pi/2) = 0 for a network 1-16-16-1: a loss that holds a second derivative; 100 points."""
    own = parameters((16, 1), (16,), (16, 16), (16,), (1, 16), (1,))
    w1, b1, w2, b2, w3, b3 = map(in_tuples, own)
    end = math.pi / 2.0

    def network(x: Any) -> Any:
        hidden = tuple(map(tanh, layer(w2, b2, tuple(map(tanh, layer(w1, b1, (x,)))))))
        return layer(w3, b3, hidden)[0]

    def loss(x: Any) -> Any:
        y = network(x)
        (slope,) = gradients(y, [x], create_graph=True)
        (bend,) = gradients(slope, [x], create_graph=True)
        return (bend + y) ** 2 + (network(0.0) - 1.0) ** 2 + network(end) ** 2

    def by_hand(p: list[Any], x: Any) -> Any:
        w1, b1, w2, b2, w3, b3 = p

        def network(x: Any) -> Any:
            return w3[0] @ jnp.tanh(w2 @ jnp.tanh(w1[:, 0] * x + b1) + b2) + b3[0]

        bends = jax.vmap(jax.grad(jax.grad(network)))(x)
        residuals = bends + jax.vmap(network)(x)
        return jnp.mean(residuals**2) + (network(0.0) - 1.0) ** 2 + network(end) ** 2

    return Case(loss, own, (numpy.linspace(0.0, end, 100),), by_hand)


# Random expressions. Each operation is written for scalargrad's functions and for jnp's alike.

# fmt: off
OPERATIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "add":      (2, lambda f, a, b: a + b),
    "subtract": (2, lambda f, a, b: a - b),
    "multiply": (2, lambda f, a, b: a * b),
    "divide":   (2, lambda f, a, b: a / (1.0 + b * b)),
    "sin":      (1, lambda f, a: f.sin(a)),
    "cos":      (1, lambda f, a: f.cos(a)),
    "tanh":     (1, lambda f, a: f.tanh(a)),
    "exp":      (1, lambda f, a: f.exp(-a * a)),
    "log":      (1, lambda f, a: f.log(1.0 + a * a)),
    "sqrt":     (1, lambda f, a: f.sqrt(1.0 + a * a)),
}
# fmt: on
INPUTS, OWN, LENGTH, SAMPLES = 8, 4, 20, 1024  # inputs, parameters and operations of an expression; rows


def random_expression(rng: random.Random, length: int) -> tuple:
    """A tree of `length` operations: (operation, operand, ...) down to ("input", i) and ("parameter", i)."""
    if not length:
        kind, count = rng.choice([("input", INPUTS), ("input", INPUTS), ("parameter", OWN)])
        return kind, rng.randrange(count)
    name = rng.choice(list(OPERATIONS))
    if OPERATIONS[name][0] == 1:
        return name, random_expression(rng, length - 1)
    left = rng.randrange(length)
    return name, random_expression(rng, left), random_expression(rng, length - 1 - left)


def evaluate(expression: tuple, functions: Any, inputs: Any, own: Any) -> Any:
    name, *operands = expression
    if name == "input":
        return inputs[operands[0]]
    if name == "parameter":
        return own[operands[0]]
    return OPERATIONS[name][1](functions, *(evaluate(operand, functions, inputs, own) for operand in operands))


def random_expressions(count: int, seed: int = 0) -> Case:
    """The sum of expressions of 20 operations over 8 inputs, with 4 parameters each; 1,024 samples."""
    rng, x = random.Random(seed), numbers(SAMPLES, INPUTS)
    own = parameters((count, OWN))
    starts = numpy.vectorize(float)(own[0])
    expressions: list[tuple] = []
    while len(expressions) < count:
        expression = random_expression(rng, LENGTH)
        with numpy.errstate(over="ignore", invalid="ignore"):
            sizes = numpy.abs(evaluate(expression, numpy, x.T, starts[len(expressions)]))
        if numpy.all(sizes < 100.0):  # products of products of products tell of overflow only
            expressions.append(expression)
    pairs = tuple(zip(expressions, in_tuples(own[0]), strict=True))

    def loss(x: tuple) -> Any:
        return scalargrad.sum([evaluate(expression, scalargrad, x, values) for expression, values in pairs])

    def by_hand(p: list[Any], x: Any) -> Any:
        columns, values = jnp.unstack(x, axis=1), jnp.unstack(p[0].reshape(-1))
        total = 0.0
        for i, expression in enumerate(expressions):
            total = total + evaluate(expression, jnp, columns, values[i * OWN : (i + 1) * OWN])
        return jnp.mean(total + jnp.zeros(len(x)))

    return Case(loss, own, (x,), by_hand)


# Measuring.


class Measured(NamedTuple):
    """Seconds: a call of each side, and until the first."""

    ours: float
    jax: float
    ours_compiling: float
    jax_compiling: float


def measure(name: str, case: Case, turns: int) -> Measured:
    """Medians of the turns, once both sides agree."""
    program = scalargrad.compile(case.loss, threads=1)
    begin = time.perf_counter()
    program.value_and_grad(*case.arrays)
    ours_compiling = time.perf_counter() - begin

    starts = [jnp.asarray(numpy.vectorize(float)(array)) for array in case.parameters]
    arrays = [jnp.asarray(array) for array in case.arrays]
    begin = time.perf_counter()
    compiled = jax.jit(jax.value_and_grad(case.by_hand)).lower(starts, *arrays).compile()
    jax_compiling = time.perf_counter() - begin

    def ours() -> Any:
        return program.value_and_grad(*case.arrays)

    def theirs() -> Any:
        return jax.block_until_ready(compiled(starts, *arrays))

    check(name, case, program.parameters, ours(), theirs())
    sides = {"ours": ours, "jax": theirs}
    counts = {side: calls_worth_timing(call) for side, call in sides.items()}
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(turns):
        for side, call in sides.items():
            begin = time.perf_counter()
            for _ in range(counts[side]):
                call()
            seconds[side].append((time.perf_counter() - begin) / counts[side])
    medians = {side: statistics.median(times) for side, times in seconds.items()}
    return Measured(medians["ours"], medians["jax"], ours_compiling - medians["ours"], jax_compiling)


def check(name: str, case: Case, order: list[Value], ours: tuple, theirs: tuple) -> None:
    slopes = dict(zip(order, ours[1].tolist(), strict=True))
    # A parameter that no program reads has no gradient here, and 0 there.
    found = numpy.array([slopes.get(p, 0.0) for array in case.parameters for p in array.ravel()])
    wanted = numpy.concatenate([numpy.asarray(array).ravel() for array in theirs[1]])
    worst = abs(found - wanted).max() / abs(wanted).max()
    if abs(ours[0] - theirs[0]) > AGREEMENT * abs(theirs[0]) or not worst <= AGREEMENT:
        sys.exit(
            f"{name}: the losses are {ours[0]} and {theirs[0]}, the gradients differ by {worst:.1e} of the largest"
        )


def calls_worth_timing(call: Callable[[], Any]) -> int:
    begin, count = time.perf_counter(), 0
    while time.perf_counter() - begin < LEAST_SECONDS:
        call()
        count += 1
    return count


CASES: dict[str, Callable[[], Case]] = {
    "attention": attention,
    "locally connected": locally_connected,
    "twin towers": twin_towers,
    "differential equation": differential_equation,
    "200 random expressions": lambda: random_expressions(200),
}


def report(name: str, measured: Measured) -> None:
    ours, theirs = measured.ours * 1e6, measured.jax * 1e6
    compiling = f"{measured.ours_compiling:9.2f} {measured.jax_compiling:9.2f}"
    print(f"{name:32} {ours:9.0f} {theirs:9.0f} {theirs / ours:7.2f}  {compiling}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="the programs whose name holds this")
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--alone", type=int, default=15, help="how many random expressions are compiled by themselves")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, [max(os.sched_getaffinity(0))])  # before JAX counts the cores
    jax.config.update("jax_enable_x64", True)
    print(f"{'':32} {'microseconds a call':>19} {'':7}  {'seconds to compile':>19}")
    print(f"{'loss and gradients, float64':32} {'ours':>9} {'JAX':>9} {'ratio':>7}  {'ours':>9} {'JAX':>9}")
    for name, make in CASES.items():
        if options.only in name:
            report(name, measure(name, make(), options.turns))
    if options.alone and options.only in "one random expression":
        name = "one random expression, median"
        every = [measure(name, random_expressions(1, seed), options.turns) for seed in range(options.alone)]
        report(name, Measured(*map(statistics.median, zip(*every, strict=True))))
    print("goal: every ratio above 1")


if __name__ == "__main__":
    main()
