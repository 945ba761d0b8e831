"""The native backend: memory bounds, equal bits for any number of threads, any number of rows, any width of vectors."""

import itertools
import math
import mmap
import os
import platform
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scalargrad import ops
from scalargrad.compiler import compile
from scalargrad.compiler.backends.native.kernels.driver import barrier, driver
from scalargrad.compiler.backends.native.kernels.kernel_code import KernelCode
from scalargrad.compiler.backends.native.planning.accumulation import with_sums_in_products
from scalargrad.compiler.backends.native.planning.schedule import schedule
from scalargrad.compiler.backends.native.running import backend as native_backend
from scalargrad.compiler.backends.native.running import buffers
from scalargrad.compiler.backends.native.running import threads as native_threads
from scalargrad.compiler.backends.native.running.backend import NativeBackend
from scalargrad.compiler.backends.native.running.target import Machine, UnavailableError
from scalargrad.compiler.backends.reference import NumpyBackend
from scalargrad.compiler.plan import plan
from scalargrad.datasets.nested import numbers_in
from scalargrad.engine import Value
from scalargrad.nn import MLP, Buffer, Conv2d, GlobalAvgPool, Sequential
from scalargrad.ops import batch_mean, dot, exp, maximum, relu, sqrt, take, tanh
from scalargrad.optim import SGD, Adam
from tests.machines import WIDTHS, machine_with
from tests.oracles.functions import CASES, Case, flat, numbers, planned, rolled, weights
from tests.oracles.guard import EDGES, Guard
from tests.oracles.programs import SETTINGS, one_output, programs, results_of
from tests.paths import ROOT

ROWS = (1, 2, 7, 8, 9, 31, 32, 33, 63, 64, 65, 129, 500, 3_000)
BOTH_PRECISIONS = pytest.mark.parametrize("dtype", ["float64", "float32"])


def alone(code, *arguments, timeout=300):
    """Run code in a process of its own."""
    code = f"from tests.machines import install_if_asked\ninstall_if_asked()\n{code}"
    command = [sys.executable, "-X", "faulthandler", "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", cwd=ROOT, timeout=timeout, check=False)


@pytest.fixture
def many_threads(monkeypatch):
    """Every call is worth a thread."""
    monkeypatch.setattr(native_backend, "WORTH_A_THREAD", 1)
    monkeypatch.setattr(native_backend, "WORTH_STARTING", 0.0)


# Functions of one sample of three numbers.


def network(rng=0):
    model = MLP(3, [6, 5, 1], activation="relu", rng=rng)
    return lambda x: (model(x) - 0.3) ** 2


def standardised():
    """Three stages: two means over the batch, one after another, and a buffer that follows them."""
    w, average = weights(3, seed=1), Buffer(0.5)

    def loss(x):
        h = dot(w, x)
        centre = batch_mean(h)
        spread = batch_mean((h - centre) ** 2)
        average.update(0.9 * average + 0.1 * spread)
        z = (h - centre) / sqrt(spread + 1e-2)
        return (z - exp(0.1 * x[0])) ** 2 + batch_mean(z * x[1]) * w[0]

    return loss


def with_random_numbers():
    from scalargrad.randomness import current_row, current_step

    w = weights(3, seed=2)

    def loss(x):
        drawn = [ops.random(3, current_step(), current_row(), site) for site in range(3)]
        return sum(wi * xi * r for wi, xi, r in zip(w, x, drawn, strict=True)) ** 2

    return loss


def with_many_uniform_rows():
    """So many parameters that the threads share the loops over them."""
    w = weights(1_400, 3, seed=3)

    def loss(x):
        return dot([relu(dot(row, x)) for row in w[:40]], w[40] * 13 + w[41][:1]) + 1e-3 * ops.sum(
            [p * p for row in w for p in row]
        )

    return loss


PROGRAMS = {
    "network": network,
    "standardised": standardised,
    "random numbers": with_random_numbers,
    "many uniform rows": with_many_uniform_rows,
}


# Threads.


@pytest.mark.long
@BOTH_PRECISIONS
@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.usefixtures("many_threads")
def test_any_number_of_threads_gives_equal_bits(name, dtype):
    function = PROGRAMS[name]()
    programs = [compile(function, dtype=dtype, threads=threads) for threads in (1, 2, 3, 8)]
    lists = [compile(lambda x: [function(x), x[0]], dtype=dtype, threads=threads) for threads in (1, 3)]
    for rows in ROWS:
        x = numbers(rows, 3, seed=rows)
        (value, slopes), *others = (program.value_and_grad(x) for program in programs)
        for other, other_slopes in others:
            assert (other.hex(), other_slopes.tobytes()) == (value.hex(), slopes.tobytes()), rows
        results, *others = (program(x) for program in lists)
        assert all(other.tobytes() == results.tobytes() for other in others), rows


@pytest.mark.sampled(5)
@BOTH_PRECISIONS
@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.usefixtures("many_threads")
def test_many_small_blocks_give_what_one_gives(name, dtype, monkeypatch):
    """Each share of the batch takes several blocks: its sums go on from one to the next. The bits may differ."""
    function = PROGRAMS[name]()
    x = numbers(1_000, 3)
    expected, expected_slopes = compile(function, dtype=dtype).value_and_grad(x)
    monkeypatch.setattr(native_backend, "BLOCK_BYTES", 1)
    results = [compile(function, dtype=dtype, threads=threads).value_and_grad(x) for threads in (1, 2, 3, 8)]
    value, slopes = results[0]
    assert all((other, found.tobytes()) == (value, slopes.tobytes()) for other, found in results)
    bound = 1e-12 if dtype == "float64" else 1e-5
    assert value == pytest.approx(expected, rel=bound)
    assert np.allclose(slopes, expected_slopes, rtol=bound, atol=bound * np.abs(expected_slopes).max())


@pytest.mark.long
@BOTH_PRECISIONS
@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.usefixtures("many_threads")
def test_any_number_of_threads_trains_with_equal_bits(name, dtype):
    found = []
    for threads in (1, 2, 3, 8):
        optimizer = Adam(0.01)
        program = compile(PROGRAMS[name](), dtype=dtype, threads=threads)
        history = []
        for batch_size, rows in ((None, 600), (256, 600), (7, 30)):
            training = program.trainer(optimizer, batch_size, rng=1)
            history += training.run(numbers(rows, 3, seed=rows), epochs=2)["loss"]
        state = [optimizer.state[p] for p in program.parameters]
        found.append((history, [p.data for p in program.parameters], state, optimizer.steps))
    assert all(each == found[0] for each in found)


HANG = """
import faulthandler
import numpy as np
from scalargrad import Value, compile, ops
from scalargrad.compiler.backends.native.running import backend

faulthandler.dump_traceback_later(200, exit=True)
backend.WORTH_A_THREAD, backend.WORTH_STARTING = 1, 0.0
a, values = Value(-5.0), tuple(Value(float(i)) for i in range(3))
program = compile(lambda x: ops.take(3.0 * ops.step(a), values) * x, threads=2)
x = np.ones(2_000)
assert program(x) == 0.0
a.data = 5.0
for _ in range(300):
    try:
        program(x)
    except IndexError:
        continue
    raise AssertionError("index 3 was taken")
print("no thread waits")
"""


def test_a_mistake_in_one_thread_does_not_keep_the_others_waiting():
    """What is wrong with a parameter is found by the thread that leads: the others must not leave before it."""
    assert alone(HANG).stdout == "no thread waits\n"


REENTERED = """
import faulthandler
import signal
import sys
import numpy as np
from scalargrad import MLP, compile, mse
from scalargrad.compiler.backends.native.running import backend

faulthandler.dump_traceback_later(200, exit=True)
backend.WORTH_A_THREAD, backend.WORTH_STARTING = 1, 0.0
model = MLP(8, [32, 32, 1], activation="relu", rng=0)
x, y = np.random.default_rng(0).normal(size=(60_000, 8)), np.zeros(60_000)
program = compile(lambda x, y: mse(model(x), y), threads=int(sys.argv[1]))
(alone, slopes), few = program.value_and_grad(x, y), program.value_and_grad(x[:50], y[:50])[0]
called = []

def handler(*_):
    called.append(1)
    try:
        assert program.value_and_grad(x[:50], y[:50])[0] == few
    except RuntimeError as refused:
        assert "running" in str(refused), refused

signal.signal(signal.SIGALRM, handler)
for _ in range(5):
    signal.setitimer(signal.ITIMER_REAL, 0.005)
    value, found = program.value_and_grad(x, y)
    assert value == alone, (value, alone)
    assert (found == slopes).all()
assert called
print("undisturbed")
"""


@pytest.mark.sampled(2)
@pytest.mark.skipif(sys.platform == "win32", reason="needs an interval timer")
@pytest.mark.parametrize("threads", ["2", "1"])
def test_a_call_in_a_signal_handler_does_not_disturb_the_call_that_it_interrupts(threads):
    done = alone(REENTERED, threads)
    assert done.stdout == "undisturbed\n", done.stderr


REPORTS = """
import faulthandler
import numpy as np
from scalargrad import MLP, compile
from scalargrad.compiler.backends.native.running import backend

faulthandler.dump_traceback_later(200, exit=True)
backend.WORTH_A_THREAD, backend.WORTH_STARTING = 1, 0.0
model = MLP(3, [8, 2], activation="relu", rng=0)
x = np.random.default_rng(0).normal(size=(300, 3))
for threads in (1, 2):
    for function in (lambda x: model(x)[0] ** 2, lambda x: model(x), lambda x: [x[0]], lambda x: [], lambda x: 2.5):
        program = compile(function, threads=threads)
        program(x[:200])
        before = program(x)
        program(x[:200])
        report = program.report()
        assert report.startswith("native: all of"), report
        assert "200 rows" in report, report
        assert "nan" not in report, report
        assert np.array_equal(program(x), before)
print("reported")
"""


def test_a_report_changes_nothing():
    done = alone(REPORTS)
    assert done.stdout == "reported\n", done.stderr


# Rows.


@pytest.mark.sampled(5)
@BOTH_PRECISIONS
@pytest.mark.parametrize("name", PROGRAMS)
def test_any_number_of_rows(name, dtype):
    function = PROGRAMS[name]()
    program, reference = compile(function, dtype=dtype), compile(function, dtype=dtype, backend="numpy")
    bound = 1e-11 if dtype == "float64" else 2e-4
    for rows in (*range(1, 19), 31, 32, 33, 65, 129, 500):
        x = numbers(rows, 3, seed=rows)
        value, slopes = program.value_and_grad(x)
        expected, expected_slopes = reference.value_and_grad(x)
        assert value == pytest.approx(expected, rel=bound, abs=bound), rows
        assert slopes.tolist() == pytest.approx(expected_slopes.tolist(), rel=bound, abs=bound), rows


@BOTH_PRECISIONS
@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan, 1e30])
def test_lanes_without_a_sample_never_count(number, dtype):
    """They repeat the last row. What is computed in them must not reach a sum, not even as 0 times inf."""
    w, v = weights(5, 3, seed=1), weights(5, seed=2)

    def loss(x):
        # Large where the last number is: there it is cut off, with a slope of exactly 0.
        hidden = [relu(dot(row, x[:3])) for row in w]
        return ops.where(ops.less(0.5, x[3]), 0.0, dot(v, hidden))

    program = compile(loss, dtype=dtype)
    for rows in (1, 5, 8, 17, 33, 100):
        x = np.ones((rows + 1, 4)) * 0.1
        x[-1, :] = 1.0
        clean = program.value_and_grad(x)
        longer = np.vstack([x, np.ones((40, 4))])
        longer[rows + 1 :, :3] = number
        program.value_and_grad(longer)  # leaves large numbers and nan in the memory
        value, slopes = program.value_and_grad(x)
        assert value == clean[0]
        assert slopes.tobytes() == clean[1].tobytes()
        assert np.isfinite(slopes).all()


def test_a_last_row_that_is_not_finite_stays_in_its_row():
    model = MLP(3, [6, 2], activation="relu", rng=0)
    program = compile(model)
    for rows in (1, 2, 9, 31, 33, 64, 257):
        x = numbers(rows + 1, 3, seed=rows)
        clean = program(x)
        for number in (math.nan, math.inf):
            x[-1, 1] = number
            assert (program(x)[:-1] == clean[:-1]).all(), rows


# The vectors of other processors. LLVM splits what is wider than what this one has.

PROCESSORS = list(itertools.product(("float64", "float32"), WIDTHS, (True, False)))
EVERY_PROCESSOR = pytest.mark.parametrize(("dtype", "vector_bytes", "fma"), PROCESSORS)
OTHER_PROCESSORS = pytest.mark.parametrize(
    ("dtype", "vector_bytes", "fma"),
    [("float64", 16, False), pytest.param("float64", 32, True, marks=pytest.mark.long), ("float32", 64, True)],
)


def check_against_numpy(program, batches, machine, dtype, threads=1):
    """All that a backend computes, by the reference in double precision."""
    native, reference = NativeBackend(program, dtype, machine, threads), NumpyBackend(program, "float64")
    for arrays in batches:
        rows = len(arrays[0])
        given = [np.ascontiguousarray(np.reshape(array, (rows, -1)), dtype) for array in arrays]
        wide = [np.asarray(array, "float64") for array in given]
        if program.gradient is None:
            check_close(native.results(given, rows), reference.results(wide, rows), dtype)
            continue
        for found, expected in zip(native.slopes(given, rows), reference.slopes(wide, rows), strict=True):
            if isinstance(expected, dict):
                assert found.keys() == expected.keys()
                found, expected = list(found.values()), list(expected.values())
            check_close(found, expected, dtype)


def check_close(found, expected, dtype):
    found, expected = np.asarray(found, "float64"), np.asarray(expected)
    bound = (1e-11 if dtype == "float64" else 3e-4) * np.abs(expected).max(initial=1.0)
    assert np.allclose(found, expected, rtol=0.0, atol=bound), np.abs(found - expected).max()


def product(rows, terms, columns, kind):
    """rows x columns dots of `terms` terms, whose inputs are computed, so that all three products are there.

    affine    weights and inputs follow each other
    table     they stand in no order
    lanes     the weights depend on the sample, too
    uniform   nothing does
    """
    source = np.random.default_rng(rows * 1_000 + terms * 10 + columns)
    w, scales = flat(weights(rows * terms, seed=rows)), flat(weights(columns * terms, seed=terms))
    left, right = np.arange(rows * terms), np.arange(columns * terms)
    if kind == "table":
        source.shuffle(left)
        source.shuffle(right)

    def loss(x):
        inputs = [s * xi if kind != "uniform" else s * s for s, xi in zip(scales, x, strict=True)]
        matrix = [p * x[0] if kind == "lanes" else p for p in w]
        weight_rows = [tuple(matrix[i] for i in row) for row in left.reshape(rows, terms)]
        input_rows = [tuple(inputs[i] for i in row) for row in right.reshape(columns, terms)]
        outputs = [dot(a, b) for a in weight_rows for b in input_rows]
        return ops.sum([relu(y + 0.1) * (1.0 + 0.01 * n) for n, y in enumerate(outputs)]) / len(outputs)

    return Case(loss, [*w, *scales], (numbers(9, columns * terms, seed=1),))


KINDS = ("affine", "table", "lanes", "uniform")
SHAPES = [(rows, terms, columns) for rows in range(1, 14) for terms in range(1, 21) for columns in range(1, 6)]
FEW_SHAPES = [(1, 1, 1), (1, 20, 1), (3, 8, 1), (5, 9, 1), (7, 16, 1), (13, 20, 1), (2, 5, 2), (4, 4, 5), (12, 3, 3)]
CHECKED_ROWS = (1, 9, 40)


def check_product(shape, kind, machine, dtype):
    case = product(*shape, kind)
    batches = [(numbers(rows, shape[1] * shape[2], seed=rows),) for rows in (1, 9, 40)]
    check_against_numpy(planned(case), batches, machine, dtype)
    check_against_numpy(plan(rolled(case)), batches, machine, dtype, threads=2)


@pytest.mark.sampled(3)
@OTHER_PROCESSORS
def test_products_of_a_few_shapes(dtype, vector_bytes, fma):
    for number, shape in enumerate(FEW_SHAPES):
        check_product(shape, KINDS[number % len(KINDS)], machine_with(vector_bytes, fma), dtype)


@pytest.mark.long
@BOTH_PRECISIONS
@pytest.mark.parametrize("kind", KINDS)
def test_products_of_many_shapes(kind, dtype):
    for shape in SHAPES[:: 97 if dtype == "float64" else 311]:
        check_product(shape, kind, machine_with(), dtype)


@pytest.mark.long
@EVERY_PROCESSOR
@pytest.mark.parametrize("kind", KINDS)
def test_products_of_shapes_of_every_size(kind, dtype, vector_bytes, fma):
    for shape in SHAPES[::41]:
        check_product(shape, kind, machine_with(vector_bytes, fma), dtype)


def check_all_cases(dtype, vector_bytes, fma):
    machine = machine_with(vector_bytes, fma)
    for make in CASES.values():
        case = make()
        check_against_numpy(planned(case), [case.arrays], machine, dtype)
        check_against_numpy(plan(rolled(case)), [case.arrays], machine, dtype)


# fmt: off
CONVOLUTIONS = {  # channels between two convolutions, and the second one: kernel, stride, padding
    "two heights of tiles": (1, 3, 1, 0),
    "border":               (3, 3, 1, 1),
    "stride":               (2, 5, 2, 2),
    "long columns":         (13, 5, 1, 2),
}
# fmt: on


@pytest.mark.sampled(3)
@BOTH_PRECISIONS
@pytest.mark.parametrize(("channels", "kernel", "stride", "padding"), CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_rows_of_a_product_are_added_up_as_they_come(channels, kernel, stride, padding, dtype):
    """The gradient of the image between two convolutions: no sum of it is left, and the numbers are those of NumPy."""
    model = Sequential(
        Conv2d(1, channels, 3, rng=0), tanh, Conv2d(channels, 2, kernel, stride, padding, rng=1), GlobalAvgPool()
    )
    images = numbers(19, 1, 8, 8)
    case = Case(lambda image: dot(tuple(numbers_in(model(image))), (1.0, -2.0)), list(model.parameters()), (images,))
    program = planned(case)
    before = schedule(program)
    after = with_sums_in_products(program, before)
    assert any(task.adds_to is not None for task in after)
    assert sum_tasks(after) < sum_tasks(before)
    check_against_numpy(program, [case.arrays], machine_with(), dtype)


@BOTH_PRECISIONS
@pytest.mark.parametrize("returned", ["the sums", "some rows", "neither"])
def test_rows_that_are_returned_keep_their_places(returned, dtype):
    kernels, x = weights(6, 3), numbers(5, 12)

    def function(x):
        rows = [[dot(kernel, tuple(x[place : place + 3])) for place in range(10)] for kernel in kernels]
        sums = [ops.sum([row[place] for row in rows[:5]]) for place in range(10)]
        kept = {"the sums": sums, "some rows": [rows[0][0], rows[5][3]], "neither": []}[returned]
        return [*(tanh(total) for total in sums), *(tanh(number) for number in rows[5]), *kept]

    program = plan(rolled(Case(function, flat(kernels), (x,))))
    assert any(t.adds_to is not None for t in with_sums_in_products(program, schedule(program))) == (
        returned == "neither"
    )
    check_against_numpy(program, [(x,)], machine_with(), dtype)


def sum_tasks(tasks):
    return sum(task.op == "sum" for task in tasks)


@pytest.mark.long
@OTHER_PROCESSORS
def test_functions_of_all_kinds_for_other_processors(dtype, vector_bytes, fma):
    check_all_cases(dtype, vector_bytes, fma)


@pytest.mark.long
@EVERY_PROCESSOR
def test_functions_of_all_kinds_for_every_processor(dtype, vector_bytes, fma):
    check_all_cases(dtype, vector_bytes, fma)


@pytest.mark.long
@EVERY_PROCESSOR
@settings(max_examples=40, **SETTINGS)
@given(program=programs(margin=1e-3), rows=st.sampled_from([1, 7, 33, 100]))
def test_random_programs_for_every_processor(program, rows, dtype, vector_bytes, fma):
    case = case_of(program, rows)
    machine = machine_with(vector_bytes, fma)
    check_against_numpy(planned(case), [case.arrays], machine, dtype)


@pytest.mark.sampled(7)
@pytest.mark.parametrize("vector_bytes", WIDTHS)
@BOTH_PRECISIONS
@pytest.mark.parametrize("name", ["network", "standardised", "random numbers"])
def test_every_width_agrees_with_eager(name, dtype, vector_bytes, monkeypatch):
    """Values, gradients and steps of training, compiled as users compile them."""
    monkeypatch.setattr(native_backend, "machine", lambda: machine_with(vector_bytes))
    found = all_numbers(PROGRAMS[name](), dtype, "native", "native")
    expected = all_numbers(PROGRAMS[name](), "float64", "eager", "numpy")  # eager is no trainer
    bound = 1e-11 if dtype == "float64" else 2e-4
    assert found == pytest.approx(expected, rel=bound, abs=bound)


def all_numbers(function, dtype, backend, trainer):
    """The mean, its gradient, and what two epochs of training make of the losses and the parameters."""
    x = numbers(37, 3)
    value, slopes = compile(function, backend=backend, dtype=dtype).value_and_grad(x)
    program = compile(function, backend=trainer, dtype=dtype)
    losses = program.trainer(SGD(1e-3), batch_size=20, rng=0).run(x, epochs=2)["loss"]
    return [value, *slopes, *losses, *(p.data for p in program.parameters)]


def case_of(program, rows):
    """The loss of a random program, on its rows again and again."""
    leaves, inputs = list(map(Value, program.parameters)), len(program.data[0])

    def loss(x):
        terms = [*x, *leaves]
        for step in program.steps:
            terms += results_of(step, terms)
        return one_output(terms, inputs)

    return Case(loss, leaves, (np.resize(np.array(program.data), (rows, inputs)),))


@pytest.mark.long
@pytest.mark.usefixtures("many_threads")
@settings(max_examples=100, **SETTINGS | {"suppress_health_check": list(HealthCheck)})
@given(program=programs(margin=1e-3), rows=st.integers(1, 150), batch_size=st.integers(1, 160))
def test_random_programs_train_as_numpy_trains_them(program, rows, batch_size):
    case = case_of(program, rows)
    found = []
    for backend, threads in (("numpy", 1), ("native", 1), ("native", 3)):
        for leaf, number in zip(case.parameters, program.parameters, strict=True):
            leaf.data = number
        training = compile(case.function, backend=backend, threads=threads).trainer(SGD(1e-6, momentum=0.5), batch_size)
        history = training.run(*case.arrays, epochs=2)["loss"]
        found.append([*history, *(leaf.data for leaf in case.parameters)])
    assert found[1] == found[2]
    scale = max(map(abs, found[0]))
    assert found[1] == pytest.approx(found[0], rel=1e-9, abs=1e-9 * scale)


# What a user may pass.


def long_chain():
    w = Value(1.0)

    def loss(x):
        y = x[1]
        for _ in range(100):
            y = y * w + 1e-4
        return y

    return loss


def wide_take():
    table = weights(300, seed=1)
    return lambda x: take(ops.minimum(299.0, ops.maximum(0.0, x[0])), table) * x[1]


def unused_parameters():
    many = [Value(float(i)) for i in range(5_000)]
    return lambda x: many[7] * x[0]


def all_parameters_alone():
    w = weights(2_000, seed=4)
    return lambda x: dot(w, w) + ops.sum(w[:999]) + maximum(*w[:50]) + relu(w[3]) * w[4]


def scattered_uniform():
    """Dots of parameters with parameters, by rows, by columns and in no order."""
    w = weights(12, 12, seed=5)
    columns = list(zip(*w, strict=True))

    def loss(x):
        mixed = tuple(w[i][(5 * i) % 12] for i in range(12))
        products = [dot(row, column) for row in w for column in columns[:3]]
        return ops.sum(products) * x[0] + dot(mixed, mixed) + dot(products[:12], mixed) + ops.mean(products[::5])

    return loss


def a_third_of_everything():
    w = weights(2, seed=6)
    return lambda x: dot(w, x[:2]) / (w[0] * 0.0 + 3.0) + ops.where(ops.less(x[0], 0.0), w[1], x[1])


# fmt: off
SUSPICIOUS = {  # each a function of (x[0], x[1]), whole numbers 0 to 6 and numbers from -1 to 1
    "it ignores its inputs":     lambda: lambda x: Value(2.0) * 3.0,
    "a number":                  lambda: lambda x: 2.5,
    "an input":                  lambda: lambda x: x[1],
    "no parameters":             lambda: lambda x: x[0] * x[1],
    "unused parameters":         unused_parameters,
    "a chain of 200":           long_chain,
    "a choice of 300":           wide_take,
    "a sum of 1,000":            lambda: (lambda w: lambda x: ops.sum([p * x[1] for p in w]))(weights(1_000)),
    "a dot of 1,000":            lambda: (lambda w: lambda x: dot(w, (x[0], x[1]) * 500))(weights(1_000)),
    "the maximum of 50":         lambda: (lambda w: lambda x: maximum(*(p + x[1] * 0.1 for p in w)))(weights(50)),
    "a maximum of parameters":   lambda: (lambda w: lambda x: maximum(*w) * x[1])(weights(50)),
    "a sum of parameters":       lambda: (lambda w: lambda x: ops.sum(w) * x[1])(weights(333)),
    "parameters alone":          all_parameters_alone,
    "scattered parameters":      scattered_uniform,
    "batch means alone":         lambda: (lambda w: lambda x: batch_mean(x[0]) * batch_mean(w * x[1]))(Value(2.0)),
    "a batch mean of a number":  lambda: (lambda w: lambda x: batch_mean(w) * x[1])(Value(2.0)),
    "a mean of a mean":          lambda: (lambda w: lambda x: batch_mean(x[1] * batch_mean(w * x[0])))(Value(2.0)),
    "a third":                   a_third_of_everything,
    "the same thing 100 times":  lambda: (lambda w: lambda x: ops.sum([w * x[0]] * 100))(Value(2.0)),
}
# fmt: on


@pytest.mark.sampled(11)
@pytest.mark.parametrize("rows", [1, 33])
@pytest.mark.parametrize("name", SUSPICIOUS)
def test_unusual_functions_are_what_numpy_says(name, rows):
    function = SUSPICIOUS[name]()
    x = np.stack([np.arange(rows) % 7.0, numbers(rows)], axis=1)
    program, reference = (compile(function, backend=backend) for backend in ("native", "numpy"))
    assert program(x) == pytest.approx(reference(x), rel=1e-12, abs=1e-12)
    value, slopes = program.value_and_grad(x)
    expected, expected_slopes = reference.value_and_grad(x)
    assert value == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert slopes.tolist() == pytest.approx(expected_slopes.tolist(), rel=1e-11, abs=1e-11)
    start, moved = [p.data for p in program.parameters], []
    for compiled in (program, reference):
        for parameter, number in zip(program.parameters, start, strict=True):
            parameter.data = number
        assert compiled.trainer(SGD(1e-3)).step(x) == pytest.approx(expected, rel=1e-12, abs=1e-12)
        moved.append([p.data for p in program.parameters])
    assert moved[0] == pytest.approx(moved[1], rel=1e-11, abs=1e-11)


@BOTH_PRECISIONS
@pytest.mark.parametrize("number", [0.0, -0.0, 5e-324, 1e-310, 1.7e308, -1.7e308, math.inf, -math.inf, math.nan])
def test_extreme_numbers_as_numpy_takes_them(number, dtype):
    """As input and as parameter; nan and inf where NumPy has them."""
    w = Value(0.5), Value(-1.5)
    programs = [
        compile(
            lambda x: [w[0] * x + w[1], relu(x), abs(x) - w[0], sqrt(x * x), maximum(x, w[1])], backend=b, dtype=dtype
        )
        for b in ("native", "numpy")
    ]
    x = np.array([number, 1.0, -2.0, number, 0.25])
    for w[0].data in (0.5, number):
        with np.errstate(over="ignore"):  # 1.7e308 as float32
            found, expected = (program(x) for program in programs)
        assert np.allclose(found, expected, rtol=1e-6 if dtype == "float32" else 1e-14, atol=0.0, equal_nan=True)


def test_arrays_of_any_kind():
    w = weights(6)
    function = lambda x: [dot(w, (*x[0], *x[1]))]  # noqa: E731
    program = compile(function)
    x = np.arange(60.0).reshape(10, 2, 3) % 2.0
    expected = program(x)
    strided = np.zeros((20, 4, 3))
    strided[::2, ::2] = x
    frozen = x.copy()
    frozen.flags.writeable = False
    shifted = np.frombuffer(b"\0" + x.tobytes(), "float64", offset=1).reshape(x.shape)
    # fmt: off
    kinds = [
        x.tolist(), x.astype(bool), x.astype("int8"), x.astype("uint64"), x.astype("float16"), x.astype("float32"),
        x.astype(">f8"), x.astype("longdouble"), np.asfortranarray(x), strided[::2, ::2], x[::-1][::-1], frozen,
        shifted,
        x.transpose(2, 1, 0).copy().transpose(2, 1, 0), np.ma.array(x), x.astype(">i4"),
    ]
    # fmt: on
    for kind in kinds:
        assert (program(kind) == expected).all()
    assert (program(x[::-1]) == expected[::-1]).all()
    assert (program(np.broadcast_to(x[:1], (5, 2, 3))) == expected[:1]).all()


def test_arrays_of_any_size():
    w = Value(2.0)
    assert compile(lambda x, y: w * y)(np.zeros((5, 0)), np.ones(5)) == 2.0
    assert compile(lambda x: w * 3.0)(np.zeros((5, 0))) == 6.0
    assert compile(lambda x: [])(np.zeros((5, 3))).shape == (5, 0)
    program = compile(lambda x: w * x[0])
    assert program(np.ones((100_000, 1))) == 2.0
    assert program.value_and_grad(np.ones((100_000, 1)))[1].tolist() == [pytest.approx(1.0, rel=1e-12)]
    assert program(np.ones((1, 1))) == 2.0
    for wrong in (np.zeros((0, 1)), np.zeros((0, 0))):
        with pytest.raises(ValueError, match="no rows"):
            program(wrong)


# Other surroundings: without llvmlite, on other systems.

WITHOUT = """
import sys
sys.modules["llvmlite"] = None
from scalargrad import SGD, Value, compile
w = Value(3.0)
program = compile(lambda x, y: (w * x - y) ** 2)
print(program([1.0, 2.0], [2.0, 4.0]), program.value_and_grad([1.0, 2.0], [2.0, 4.0]))
print(program.trainer(SGD(0.1), batch_size=1).run([1.0, 2.0], [2.0, 4.0], epochs=2)["loss"], w.data)
print(program.report())
"""


def test_without_llvmlite_numpy_does_it_and_the_report_says_so():
    done = alone(WITHOUT)
    lines = done.stdout.splitlines()
    assert lines[0] == "2.5 (2.5, array([5.]))", done.stderr
    w = Value(3.0)
    program = compile(lambda x, y: (w * x - y) ** 2, backend="numpy")
    history = program.trainer(SGD(0.1), batch_size=1).run([1.0, 2.0], [2.0, 4.0], epochs=2)["loss"]
    assert lines[1] == f"{history} {w.data}"
    assert lines[2].startswith("numpy: all")
    assert "llvmlite" in lines[2]


def raising(problem):
    def refuse(*_, **__):
        raise problem

    return refuse


# Where llvmlite is there and of no use: what fails, and how.
UNAVAILABLE = {
    "initialize_native_target": RuntimeError("no target\n for this"),
    "get_host_cpu_name": OSError("libstdc++.so.6:\n gone"),
    "parse_assembly": RuntimeError("expected type"),  # an old LLVM, whose pointers have types
    "create_mcjit_compiler": AttributeError("no MCJIT"),  # one to come
}


@pytest.mark.parametrize("name", UNAVAILABLE)
def test_where_there_is_no_native_code_numpy_does_it_and_says_why_in_one_line(name, monkeypatch):
    llvm = pytest.importorskip("llvmlite.binding")
    monkeypatch.setattr(llvm, name, raising(UNAVAILABLE[name]))
    monkeypatch.setattr(native_backend, "machine", Machine)
    program = compile(lambda x: 2.0 * x)
    assert program([1.0, 2.0]) == 3.0
    reason = " ".join(str(UNAVAILABLE[name]).split())
    assert program.report().endswith(f"in NumPy: there is no native code, {type(UNAVAILABLE[name]).__name__}: {reason}")


def test_an_llvmlite_that_fails_at_import_is_as_good_as_none(tmp_path, monkeypatch):
    (tmp_path / "llvmlite").mkdir()
    (tmp_path / "llvmlite/__init__.py").write_text("raise OSError('cannot open\\n libllvmlite')", encoding="utf-8")
    for name in [name for name in sys.modules if name.partition(".")[0] == "llvmlite"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UnavailableError, match=r"^OSError: cannot open libllvmlite$"):
        Machine()


@pytest.mark.parametrize(
    ("attribute", "replaced"),
    [("get_host_cpu_name", lambda: "generic"), ("get_host_cpu_features", raising(RuntimeError("who knows")))],
)
def test_a_processor_that_llvm_does_not_know_gets_code_for_any_of_its_kind(attribute, replaced, monkeypatch):
    monkeypatch.setattr(pytest.importorskip("llvmlite.binding"), attribute, replaced)
    machine = Machine()
    case = product(3, 8, 1, "affine")
    check_against_numpy(planned(case), [case.arrays], machine, "float64")


def test_code_for_narrower_vectors_uses_no_wider_ones():
    """And none of the instructions that processors with such vectors do not have."""
    machines = [machine_with(vector_bytes) for vector_bytes in WIDTHS]
    if not machines[0].x86:
        pytest.skip("other processors have vectors of one width")
    for machine, wider in zip(machines, (r"%[yz]mm|\bv\w+pd", "%zmm", "%nothing is"), strict=True):
        code = KernelCode("double", 8, machine.fma)
        x = code.load("%record")
        code.store(code.multiply_add(x, x, x), "%context")
        module = machine.llvm.parse_assembly(code.text("f"))
        assert not re.search(wider, machine.target.emit_assembly(module)), wider


# Names of architectures, and what their processors have: fused multiply-adds, instructions of x86.
ARCHITECTURES = {
    "arm64-apple-darwin22.6.0": (True, False),
    "aarch64-pc-windows-msvc": (True, False),
    "riscv64-unknown-linux-gnu": (False, False),
    "x86_64-pc-windows-msvc": (False, True),
}


@pytest.mark.parametrize("triple", ARCHITECTURES)
def test_what_a_processor_can_do_is_what_llvm_compiles_for(triple, monkeypatch):
    """Not what the name of the computer says: a Python for x86 may run on an Arm."""
    llvm = pytest.importorskip("llvmlite.binding")
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    monkeypatch.setattr(llvm.Target, "from_default_triple", lambda: llvm.Target.from_triple(triple))
    monkeypatch.setattr(llvm, "get_host_cpu_features", dict)
    monkeypatch.setattr(platform, "machine", lambda: "ARM64")
    machine = Machine()
    assert (machine.fma, machine.x86) == ARCHITECTURES[triple]
    text = driver(machine.code("float64")) + barrier(machine._pause(), 0)
    assert ("x86" in text) == machine.x86
    assert "barrier" in machine.target.emit_assembly(llvm.parse_assembly(text))


@pytest.mark.usefixtures("many_threads")
@pytest.mark.parametrize(
    ("name", "replaced"),
    [("ctypes.CDLL", raising(TypeError("as on Windows"))), ("sys.platform", "win32")],
)
def test_threads_meet_where_they_cannot_give_way(name, replaced, monkeypatch):
    machine = Machine()
    with monkeypatch.context() as patch:
        patch.setattr(name, replaced)
        assert machine._give_way() == 0
        machine.run_address("float64")
    monkeypatch.setattr(native_backend, "machine", lambda: machine)
    x = numbers(200, 3)
    found = [compile(network(), threads=threads).value_and_grad(x) for threads in (1, 3)]
    assert found[0][0] == found[1][0]
    assert found[0][1].tobytes() == found[1][1].tobytes()


# fmt: off
PROCESSORS_TO_USE = {  # affinity, processors, the quota of the container; threads
    "as many as may be used":       (3, 8, None, 3),
    "a quota":                      (8, 8, "250000 100000\n", 3),
    "less than one processor":      (8, 8, "50000 100000\n", 1),
    "a quota that says max":        (2, 8, "max 100000\n", 2),
    "a quota of more than it has":  (2, 8, "800000 100000\n", 2),
    "macOS and Windows":            (None, 4, None, 4),
    "nothing is known":             (None, None, None, 1),
    "a file of something else":     (2, 8, "", 2),
}
# fmt: on


@pytest.mark.parametrize("name", PROCESSORS_TO_USE)
def test_threads_are_as_many_as_processors_may_be_used(name, tmp_path, monkeypatch):
    affinity, processors, quota, threads = PROCESSORS_TO_USE[name]
    if affinity is None:
        monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    else:
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(affinity)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: processors)
    monkeypatch.setattr(native_threads, "QUOTA", tmp_path / "cpu.max")
    if quota is not None:
        native_threads.QUOTA.write_text(quota, encoding="ascii")
    assert native_threads.available_threads() == threads


# Guard pages. That they catch what they are there for:

PLANTED = """
import sys
import numpy as np
from scalargrad import Value, compile, relu
from scalargrad.compiler.backends.native.planning.table import RecordTable
from scalargrad.compiler.backends.native.running.executable import Executable
from tests.oracles.guard import install

edge, kernel, field, change = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
install(edge)
planted = []

def integers(self, record):
    fields = list(record.fields)
    if record.kernel in kernels and not planted:
        planted.append(record.kernel)
        planned = fields[field]
        fields[field] = {"nothing": planned, "one more": planned + 1, "too early": -self.native.row_bytes}[change]
    return [self.native.addresses[record.kernel], 2 + len(fields), *fields]

kernels = set()
write_kernel = RecordTable.kernel

def noted(self, write, *variant, **options):
    name = write_kernel(self, write, *variant, **options)
    if write.__name__ == f"{kernel}_kernel":
        kernels.add(name)
    return name

RecordTable.kernel = noted
Executable._integers = integers
w = Value(2.0)
program = compile(lambda x: [relu(w * x)])
assert program(np.ones(16)).tolist() == [[2.0]] * 16
assert planted
print("survived")
"""
OVERRUNS = [
    ("end", "map", 0, "one more"),  # row
    ("end", "import", 1, "one more"),  # column
    ("end", "export", 0, "one more"),  # number of a result
    ("start", "map", -1, "too early"),  # results before the first row
]


@pytest.mark.sampled(2)
@pytest.mark.skipif(sys.platform != "linux", reason="mprotect")
@pytest.mark.parametrize(
    ("edge", "kernel", "field", "change"), [("end", "map", 0, "nothing"), ("start", "map", -1, "nothing")]
)
def test_guarded_programs_work(edge, kernel, field, change):
    done = alone(PLANTED, edge, kernel, str(field), str(change))
    assert (done.stdout, done.returncode) == ("survived\n", 0), done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="mprotect")
@pytest.mark.parametrize("edge", EDGES)
def test_guard_pages_are_as_large_as_the_pages_of_the_system(edge, monkeypatch):
    """16 KiB, as Apple's are: parts of a page cannot be protected."""
    monkeypatch.setattr(mmap, "PAGESIZE", 16_384)
    guard, asked = Guard(edge), []
    monkeypatch.setattr(guard, "protect", lambda address, size, _: asked.append((address, size)))
    array = guard.allocated(5_000, "float64")
    (before, size), (behind, same_size) = asked
    assert size == same_size == 16_384
    assert (behind - before) % 16_384 == 0
    begin = array.ctypes.data
    assert (begin == before + size) if edge == "start" else (begin + array.nbytes == behind)


@pytest.mark.skipif(sys.platform != "linux", reason="mprotect")
def test_both_edges_are_drawn_and_again_the_same_ones():
    """An array that begins at a page, as none does that ends there, is flush with its start."""
    drawn = []
    for guard in (Guard(), Guard()):
        begins = [guard.allocated(5, "float64").ctypes.data % mmap.PAGESIZE for _ in range(200)]
        assert set(begins) == {0, mmap.PAGESIZE - 40}
        drawn.append([begin == 0 for begin in begins])
    assert 60 < sum(drawn[0]) < 140
    assert drawn[0] == drawn[1]


def test_guard_pages_say_where_there_are_none(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", raising(TypeError("as on Windows")))
    with pytest.raises(OSError, match="mprotect"):
        Guard("end")


@pytest.mark.sampled(2)
@pytest.mark.skipif(sys.platform != "linux", reason="mprotect")
@pytest.mark.parametrize(("edge", "kernel", "field", "change"), OVERRUNS)
def test_guard_pages_catch_a_planted_overrun(edge, kernel, field, change):
    done = alone(PLANTED, edge, kernel, str(field), str(change))
    assert done.stdout == ""
    assert done.returncode == -11, done.stderr
    assert "Segmentation fault" in done.stderr


@BOTH_PRECISIONS
def test_products_whose_rows_lie_a_power_of_two_apart(dtype):
    """64 columns of lanes: their rows would drive each other out of the cache, and are packed."""
    first, rows = weights(7), weights(13, 7, seed=1)

    def loss(x):
        columns = [tuple(w * xi for w, xi in zip(first, column, strict=True)) for column in x]
        return ops.mean([ops.dot(row, column) ** 2 for column in columns for row in rows])

    x = numbers(9, 64, 7)
    program, reference = (compile(loss, dtype=dtype, backend=backend) for backend in ("native", "numpy"))
    value, slopes = program.value_and_grad(x)
    assert program.last.backward_backend.executable.native.scratch_rows, "this is what the test is about"
    expected, expected_slopes = reference.value_and_grad(x)
    assert value == pytest.approx(expected, rel=1e-5)
    assert slopes.tolist() == pytest.approx(expected_slopes.tolist(), rel=1e-4, abs=1e-6)


def test_a_native_program_prints_its_records():
    pytest.importorskip("llvmlite.binding")
    w = Value(0.5)
    program = compile(lambda x: (w * x - 1.0) ** 2)
    program.value_and_grad(np.ones(4))
    assert str(program.last.backward_backend.executable.native).splitlines() == [
        "4 kernels, 2 rows of lanes in memory",
        "stage 0",
        "  lanes    import",
        "  lanes    lane_sum       mul + sub + square + mul + mul + mul [1]",
        "  sums     reduce",
        "stage 1",
        "  uniform  uniform_rows   mul [1]",
    ]


def test_arrays_that_nobody_may_write_into_are_read_where_they_lie():
    array = np.arange(6.0)
    fixed, empty = array.copy(), np.zeros(0)
    fixed.flags.writeable = False
    for shown in (array, array[2:], fixed, empty, np.broadcast_arrays(array, array[None])[0], array.astype("float32")):
        assert buffers.address(shown) == shown.ctypes.data
