"""Value: what it remembers, the order, backward and gradients, deep graphs, memory, threads, copies, anomalies."""

import copy
import gc
import inspect
import math
import os
import pickle
import random
import re
import subprocess
import sys
import threading
import tracemalloc
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from scalargrad.anomaly import AnomalyError, anomaly_detection
from scalargrad.engine import Value, gradients, local_derivatives, reverse_sweep, topological_order
from scalargrad.functional import jvp
from scalargrad.observers import no_grad
from scalargrad.ops import OPERATIONS, add, dot, exp, less, log, logsumexp, maximum, mean, mul, sqrt, tanh, where
from scalargrad.ops import sum as total
from tests.oracles.mpmath import deep, flat, points
from tests.paths import PACKAGE, ROOT
from tests.platforms import Later

np = Later("numpy")


class Weight(Value):
    """A Value with a name of its own."""


# What a Value remembers.


def test_a_leaf_has_no_history():
    x = Value(3, "x")
    assert (x.data, x.grad, x.label, x.op, x.args, x.operands) == (3.0, 0.0, "x", None, (), ())
    assert repr(x) == "Value(data=3.0, grad=0.0, label='x')"
    assert repr(Weight(1)) == "Weight(data=1.0, grad=0.0)"


def test_a_value_has_the_protocol_of_a_number():
    v = Value(2.5)
    assert +v is v.conjugate() is v
    assert (round(v, 1), round(v), int(v), float(v), abs(-v).data) == (2.5, 2, 2, 2.5, 2.5)
    pair = np.array([[Value(3.0), Value(4.0)]])
    assert (+pair)[0, 0] is pair[0, 0]
    assert (np.var(pair).data, np.std(pair).data, np.linalg.norm(pair, axis=1)[0].data) == (0.25, 0.5, 5.0)


def test_a_result_remembers_its_operation_and_operands():
    x, y = Value(2.0), Value(3.0)
    product, shifted, power = x * y, x + 1, 2**y
    assert (product.op, product.args, product.operands) == (mul, (x, y), (x, y))
    assert (shifted.op, shifted.args, shifted.operands) == (add, (x, 1.0), (x,))
    assert (power.args, power.operands) == ((2.0, y), (y,))
    assert (x * x).operands == (x, x)
    assert (product._prev, product._op, x._op) == ({x, y}, "*", "")


def test_dot_keeps_its_two_tuples():
    weights, inputs = (Value(1.0), Value(2.0)), (Value(3.0), Value(4.0))
    first, second = dot(weights, inputs), dot(inputs, inputs)
    assert first.args[0] is weights
    assert first.args[1] is second.args[0] is second.args[1] is inputs
    assert first.operands == (*weights, *inputs)


@pytest.mark.parametrize("op", OPERATIONS.values(), ids=str)
def test_an_operation_of_its_own_arguments_computes_the_same_again(op):
    for args in points(op, 10):
        result = op(*deep(Value, args))
        again = result.op(*result.args)
        assert result.op is op
        assert again.operands == result.operands
        assert again.data == result.data


def test_a_subclass_gives_plain_results():
    w = Weight(2.0, "w")
    results = [w * w, w + 1, 1 + w, -w, w.exp(), w**2, dot([w], [w]), maximum(w, 1.0), abs(w), tanh(w)]
    assert {type(y) for y in results} == {Value}
    total(results).backward()
    assert w.grad != 0.0


# The order.


def assert_in_order(output):
    order = topological_order(output)
    position = {value: place for place, value in enumerate(order)}
    assert len(position) == len(order)
    assert order[-1] is output
    for value in order:
        assert all(position[x] < position[value] for x in value.operands)
    reachable, stack = set(), [output]
    while stack:
        value = stack.pop()
        if value not in reachable:
            reachable.add(value)
            stack += value.operands
    assert reachable == set(order)


def test_operands_come_before_results_and_each_once():
    a, b = Value(2.0), Value(3.0)
    assert topological_order(a) == [a]
    square = a * a
    both = square + b * square
    assert_in_order(both)
    assert_in_order(both * both + a)


def test_a_shared_tuple_whose_members_depend_on_a_result_of_the_other():
    group = (Value(1.0), Value(2.0))
    below = total(group)
    other = (below * 2.0, Value(3.0))
    for output in (dot(group, other), dot(other, group), dot(other, other) + dot(group, group) + dot(group, other)):
        assert_in_order(output)
        for x in group:
            x.grad = 0.0
        output.backward()
        expected = gradients(output, group)
        assert [x.grad for x in group] == expected
    assert gradients(dot(group, other), group) == [6.0 + 2.0, 3.0 + 2.0]


def test_tuples_shared_by_many_results_keep_the_order():
    for seed in range(200):
        source = random.Random(seed)
        values = [Value(source.uniform(-1.0, 1.0)) for _ in range(3)]
        tuples = [tuple(values)]
        for _ in range(25):
            left = source.choice(tuples)
            right = source.choice([group for group in tuples if len(group) == len(left)])
            kind = source.randrange(4)
            if kind == 0:
                result = dot(left, right)
            elif kind == 1:
                result = mean(left) * source.choice(values)
            elif kind == 2:
                result = maximum(*left) + source.choice(values)
            else:
                result = logsumexp(right) - total(left)
            values.append(result.tanh() if abs(result.data) > 2.0 else result)
            if source.random() < 0.5:
                tuples.append(tuple(source.choice(values) for _ in range(source.choice((2, 3)))))
        output = total(values)
        assert_in_order(output)
        output.backward()
        leaves = values[:3]
        flattened = [jvp(output, [leaf], [1.0]) for leaf in leaves]
        assert [leaf.grad for leaf in leaves] == pytest.approx(flattened, rel=1e-9, abs=1e-9)


# backward and gradients.


def test_leaves_accumulate_and_the_interior_is_set_afresh():
    x = Value(2.0)
    inner = x * x
    y = inner * 3.0
    for times in (1, 2, 3):
        y.backward()
        assert (x.grad, inner.grad, y.grad) == (12.0 * times, 3.0, 1.0)


def test_backward_through_an_interior_value_that_was_an_output_before():
    x = Value(2.0)
    inner = x * x
    inner.backward()
    (inner * 5.0).backward()
    assert (x.grad, inner.grad) == (4.0 + 20.0, 5.0)


def test_the_sweep_gives_what_each_term_is_made_of():
    x, y = Value(3.0, "x"), Value(2.0, "y")
    z = where(less(x, y), 1.0, x * y) + x
    slopes, terms = {z: 1.0}, []
    for value, upstream, operands in reverse_sweep(topological_order(z), slopes):
        for operand, local in operands:
            terms.append((value.op.name, operand.label, local, upstream))
            slopes[operand] = slopes.get(operand, 0.0) + local * upstream
    assert terms == [
        *(("add", "", 1.0, 1.0), ("add", "x", 1.0, 1.0)),
        *(("where", "", 0.0, 1.0), ("where", "", 0.0, 1.0), ("where", "", 1.0, 1.0)),
        *(("mul", "x", 2.0, 1.0), ("mul", "y", 3.0, 1.0)),
    ]  # and nothing by way of the predicate
    assert [slopes[x], slopes[y]] == gradients(z, [x, y]) == [3.0, 3.0]


def test_nobody_else_writes_the_sweep_out():
    sweep = re.compile(r"in reversed\(order\):.{,400}local_derivatives\(", re.DOTALL)
    written = [path.name for path in PACKAGE.rglob("*.py") if sweep.search(path.read_text(encoding="utf-8"))]
    assert written == ["engine.py"]


def test_gradients_leave_every_grad_alone():
    x, y = Value(2.0), Value(3.0)
    product = x * y
    output = product + x
    output.backward()
    before = [v.grad for v in (x, y, product, output)]
    assert gradients(output, [x, y, product, output]) == [4.0, 2.0, 1.0, 1.0]
    gradients(output, x, create_graph=True)
    assert [v.grad for v in (x, y, product, output)] == before


def test_gradients_by_anything():
    x, unused = Value(2.0), Value(5.0)
    inner = x * x
    y = inner * inner
    assert gradients(y, x) == 32.0
    assert gradients(y, inner) == 8.0
    assert gradients(y, y) == 1.0
    assert gradients(y, unused) == 0.0
    assert gradients(y, []) == []
    assert gradients(y, (x, x, unused, inner)) == [32.0, 32.0, 0.0, 8.0]
    assert gradients(y, (v for v in (x, inner))) == [32.0, 8.0]
    slopes = gradients(y, [x, unused, y], create_graph=True)
    assert [type(slope) for slope in slopes] == [Value] * 3
    assert [slope.data for slope in slopes] == [32.0, 0.0, 1.0]


def test_derivatives_of_every_order():
    x = Value(1.5)
    derivative, factorial = x**7, 1.0
    for order in range(1, 8):
        derivative = gradients(derivative, x, create_graph=True)
        factorial *= 8 - order
        assert derivative.data == pytest.approx(factorial * 1.5 ** (7 - order), rel=1e-14)
    assert gradients(derivative, x) == 0.0
    derivative = exp(x)
    for _ in range(12):
        derivative = gradients(derivative, x, create_graph=True)
    assert derivative.data == exp(1.5)


def test_a_recorded_gradient_runs_backward():
    x, y = Value(2.0), Value(3.0)
    slope = gradients(x * x * y, x, create_graph=True)
    slope.backward()
    assert (slope.data, x.grad, y.grad) == (12.0, 6.0, 4.0)


def test_mixed_second_derivatives_agree():
    x, y = Value(0.7), Value(-0.4)
    output = tanh(x * y) * exp(x - y) + dot([x, y], [y, x])
    by_x, by_y = gradients(output, [x, y], create_graph=True)
    assert gradients(by_x, y) == pytest.approx(gradients(by_y, x), rel=1e-14)


def test_predicates_pass_no_gradient():
    x, y = Value(2.0), Value(3.0)
    assert gradients(x.less(y) * x, [x, y]) == [1.0, 0.0]
    assert local_derivatives(x.less(y)) == [(x, 0.0), (y, 0.0)]
    y.step().backward()
    assert y.grad == 0.0


# Recording.


def test_no_grad_records_nothing():
    x = Value(3.0)
    with no_grad():
        y = x * x + dot([x], [x])
        assert (y.data, y.op, y.operands) == (18.0, None, ())
    assert (x * x).op is mul


def test_no_grad_is_a_decorator_nests_and_ends_with_an_error():
    x = Value(3.0)

    @no_grad()
    def square(x):
        return x * x

    assert square(x).op is square(x).op is None
    assert (x * x).op is mul
    with pytest.raises(KeyError), no_grad():
        raise KeyError
    assert (x * x).op is mul
    with no_grad():
        with no_grad():
            pass
        assert (x * x).op is None


def test_detach_cuts():
    x = Value(3.0, "x")
    y = x * x
    cut = y.detach()
    assert (cut.data, cut.op) == (9.0, None)
    (cut * x).backward()
    assert (x.grad, cut.grad, y.grad) == (9.0, 3.0, 0.0)


def test_no_grad_in_one_thread_does_not_stop_recording_in_another():
    inside, looked = threading.Event(), threading.Event()
    seen = {}

    def quiet():
        with no_grad():
            inside.set()
            assert looked.wait(10)
            seen["quiet"] = (Value(2.0) * 3.0).op

    thread = threading.Thread(target=quiet)
    thread.start()
    assert inside.wait(10)
    seen["here"] = (Value(2.0) * 3.0).op
    looked.set()
    thread.join()
    assert seen == {"quiet": None, "here": mul}


def test_anomaly_detection_in_one_thread_does_not_watch_another():
    with anomaly_detection():
        results = []
        thread = threading.Thread(target=lambda: results.append(log(Value(-1.0)).data))
        thread.start()
        thread.join()
    assert len(results) == 1


def test_threads_run_backward_on_their_own_graphs():
    slopes = {}

    def work(seed):
        x = Value(float(seed))
        for _ in range(200):
            with no_grad():
                assert (x * x).op is None
            (x * x).backward()
        slopes[seed] = x.grad

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert slopes == {seed: 200 * 2.0 * seed for seed in range(1, 9)}


# Copies.


@pytest.mark.parametrize("kind", [Value, Weight])
def test_leaves_are_copied_and_pickled_with_their_gradient(kind):
    leaf = kind(3.0, "w")
    leaf.grad = 2.0
    for twin in (copy.copy(leaf), copy.deepcopy(leaf), *(pickle.loads(pickle.dumps(leaf, p)) for p in range(2, 6))):
        assert twin is not leaf
        assert (type(twin), twin.data, twin.grad, twin.label, twin.op) == (kind, 3.0, 2.0, "w", None)
    first, second, third = copy.deepcopy([leaf, leaf, Value(1.0)])
    assert first is second is not third


@pytest.mark.parametrize("refused", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_value_with_history_is_neither_copied_nor_pickled(refused):
    result = Value(3.0) * 2.0
    with pytest.raises(TypeError, match=r"Value\(data=6.0.* has a history.*use detach\(\), or a leaf"):
        refused(result)
    with pytest.raises(TypeError, match="has a history"):
        refused({"deep": [result]}) if refused is not copy.copy else refused(result)
    refused(result.detach())


def test_operations_are_pickled_by_name():
    for op in OPERATIONS.values():
        assert pickle.loads(pickle.dumps(op)) is op
        assert copy.deepcopy(op) is op


# Anomalies.


def here(above=0):
    """`file.py:14` of the line that calls this, or of the line that called its function."""
    frame = inspect.stack()[1 + above].frame
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda x: log(x), "log gave nan; x = -1.0"),
        (lambda x: x.log(), "log gave nan; x = -1.0"),
        (lambda x: exp(x * -1000.0), "exp gave inf; operand = 1000.0"),
        (lambda x: x / 0.0, "div gave -inf; x = -1.0"),
        (lambda x: 1.0 / (x + 1.0), "div gave inf; operand = 0.0"),
        (lambda x: x**0.5, "pow gave nan; x = -1.0"),
        (lambda x: dot([x, x], [float("inf"), 1.0]), "dot gave -inf; x = -1.0, x = -1.0"),
    ],
)
def test_the_first_inf_or_nan_forward_names_operation_and_operands(make, words):
    with anomaly_detection(), pytest.raises(AnomalyError) as caught:
        make(Value(-1.0, "x"))
    assert str(caught.value).startswith("test_engine.py:")
    assert str(caught.value).endswith(words)


def test_an_anomaly_names_its_line():
    lines = []

    def place():
        lines.append(here(1))
        return Value(-1.0, "x")

    with anomaly_detection(), pytest.raises(AnomalyError) as caught:
        log(place())
    assert str(caught.value) == f"{lines[0]}: log gave nan; x = -1.0"


def test_an_anomaly_inside_of_a_library_names_the_users_line():
    from colorsys import rgb_to_yiq  # which multiplies and adds in Python

    line = inspect.currentframe().f_lineno + 2
    with anomaly_detection(), pytest.raises(AnomalyError, match=rf"^test_engine\.py:{line}: mul gave inf"):
        rgb_to_yiq(Value(math.inf), Value(0.0), Value(0.0))


@pytest.mark.parametrize("text", ["x = Value(-1.0)\nlog(x)", "def f(x):\n    return log(x)\nf(Value(-1.0))"])
def test_an_anomaly_in_a_text_that_is_run_names_the_line_of_the_text(text):
    with anomaly_detection(), pytest.raises(AnomalyError, match=r"^<string>:2: log gave nan"):
        exec(text, {"Value": Value, "log": log})


def test_an_anomaly_in_what_a_dataclass_has_written_names_the_users_line():
    @dataclass
    class Point:
        y: Value = field(default_factory=partial(log, Value(-1.0)))

    line = inspect.currentframe().f_lineno + 2
    with anomaly_detection(), pytest.raises(AnomalyError, match=rf"^test_engine\.py:{line}: log gave nan"):
        Point()


def test_an_anomaly_of_backward_names_the_line_of_the_forward_pass():
    x = Value(0.0, "x")
    with anomaly_detection():
        line, root = here(), sqrt(x)
        y = root * 3.0
        with pytest.raises(AnomalyError) as caught:
            y.backward()
    assert str(caught.value).startswith(f"{line}: sqrt passes back inf, its derivative inf times 3.0 from above")
    assert str(caught.value).endswith("x = 0.0")
    assert x.grad == root.grad == y.grad == 0.0


def test_an_anomaly_in_the_branch_that_was_not_taken_is_found():
    x = Value(0.0, "x")
    with anomaly_detection(), pytest.raises(AnomalyError, match="log gave -inf"):
        where(x > 0.0, log(x), 0.0)
    y = where(x > 0.0, log(x), 0.0)
    with (
        anomaly_detection(),
        pytest.raises(AnomalyError, match=r"made before anomaly_detection\(\): log passes back nan"),
    ):
        y.backward()


def test_gradients_are_watched_like_backward():
    x = Value(0.0, "x")
    with anomaly_detection():
        root = sqrt(x)
        for create_graph in (False, True):
            with pytest.raises(AnomalyError):
                gradients(root, x, create_graph=create_graph)


def test_anomaly_detection_changes_no_result_and_ends_with_its_block():
    x = Value(0.5)
    with anomaly_detection():
        y = tanh(x) * x
        y.backward()
    watched = x.grad
    x.grad = 0.0
    (tanh(x) * x).backward()
    assert x.grad == watched
    assert log(Value(-1.0)).data != 0.0


# Depth and memory.


def chain(x, length):
    """The chain of the speed benchmark: multiply, add, relu, and over again."""
    y = x
    for _ in range(length // 3):
        y = (y * 1.0000001 + 1e-9).relu()
    return y


def chain_of_dots(x, length):
    y = x
    for _ in range(length):
        y = dot((y,), (x,))
    return y


def chain_of_sums(x, length):
    y = x
    for _ in range(length):
        y = y + x
    return y


@pytest.mark.parametrize("length", [100_000, pytest.param(2_000_000, marks=pytest.mark.long)])
@pytest.mark.parametrize("build", [chain, chain_of_sums])
def test_a_deep_chain_is_built_run_and_freed_at_the_default_recursion_limit(build, length):
    assert sys.getrecursionlimit() <= 1000
    gc.collect()  # of what other tests have left
    x = Value(1.0)
    y = build(x, length)
    y.backward()
    assert x.grad == pytest.approx(1.0000001 ** (length // 3) if build is chain else length + 1.0, rel=1e-6)
    del y
    assert gc.collect() == 0


def test_a_deep_chain_of_dots():
    x = Value(1.0)
    y = chain_of_dots(x, 20_000)
    y.backward()
    assert x.grad == 20_001.0
    assert gradients(y, x) == 20_001.0
    assert jvp(y, x, 1.0) == 20_001.0


@pytest.mark.long
def test_gradients_of_a_deep_chain_have_a_graph_that_is_freed_too():
    gc.collect()
    x = Value(1.0)
    slope = gradients(chain_of_sums(x, 20_000) ** 2, x, create_graph=True)
    assert gradients(slope, x) == 2.0 * 20_001.0**2
    del slope
    assert gc.collect() == 0


def test_a_node_takes_at_most_200_bytes():
    length = 99_999
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        y = chain(Value(1.0), length)
        y.backward()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / length <= 200.0


def test_no_operation_makes_a_reference_cycle():
    gc.collect()
    gc.disable()
    try:
        for op in OPERATIONS.values():
            for args in points(op, 5):
                values = deep(Value, args)
                result = op(*values)
                result.backward()
                for slope in gradients(result, flat(values), create_graph=True):
                    slope.backward()
        del values, result, slope
        assert gc.collect() == 0
    finally:
        gc.enable()


TRAINING = """
import hashlib, random, struct
from scalargrad.engine import Value
from scalargrad.ops import dot, tanh
from scalargrad.ops import sum as total

source = random.Random(7)
hidden = [tuple(Value(source.uniform(-1, 1)) for _ in range(3)) for _ in range(4)]
readout = tuple(Value(source.uniform(-1, 1)) for _ in range(4))
weights = [w for row in (*hidden, readout) for w in row]


def squared_error():
    inputs = (Value(source.uniform(-1, 1)), Value(source.uniform(-1, 1)), Value(1.0))
    output = dot(readout, tuple(tanh(dot(row, inputs)) for row in hidden))
    error = output - inputs[0] * inputs[1]
    return error * error


def step():
    loss = total([squared_error() for _ in range(5)]) + total([w * w for w in weights]) * 1e-4
    for w in weights:
        w.grad = 0.0
    loss.backward()
    for w in weights:
        w.data -= 0.05 * w.grad
    return loss.data


def fingerprint():
    return hashlib.sha256(struct.pack(f"{len(weights)}d", *(w.data for w in weights))).hexdigest()
"""


@pytest.mark.parametrize("steps", [400, pytest.param(1000, marks=pytest.mark.long)])  # a Value of each would be seen
def test_training_steps_without_the_collector_leave_nothing_behind(steps):
    training = {}
    exec(TRAINING, training)
    training["step"]()
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(steps):
            training["step"]()
        assert gc.collect() == 0  # and Python's own store of tuples for reuse is emptied
        after, _ = tracemalloc.get_traced_memory()
        assert after - before < 64 * 1024
    finally:
        tracemalloc.stop()
        gc.enable()


def test_eight_fresh_processes_with_one_seed_give_one_hash_of_the_weights():
    script = TRAINING + "\nfor _ in range(100): step()\nprint(fingerprint())\n"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        for seed in ("0", "1", "2", "3", "random", "random", "random", "random")
    ]
    hashes = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert all(process.returncode == 0 for process in processes)
    assert len(hashes[0]) == 64
    assert len(set(hashes)) == 1


def test_what_only_a_predicate_reads_gets_no_gradient_and_no_nan():
    x = Value(0.0)
    y = where(less(1.0 / x, 5.0), x, 2.0 * x)  # the slope of 1/x is infinite, and no path leads through it
    y.backward()
    assert x.grad == gradients(y, x) == 2.0
