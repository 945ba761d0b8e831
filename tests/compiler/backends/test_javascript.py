"""JavaScript: the module that a page imports trains as Python does, and node runs programs whatever happens to it."""

import gc
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from scalargrad import MLP, SGD, Adam, AdamW, RMSProp, Value, compile, ops
from scalargrad.arrays import shuffled
from scalargrad.compiler.backends.javascript import backend, lower
from scalargrad.compiler.backends.javascript.backend import JavascriptBackend, text_of
from scalargrad.compiler.backends.javascript.kernels import ARRAYS
from scalargrad.compiler.backends.javascript.process import node as running
from scalargrad.datasets import load_moons
from scalargrad.javascript.terms import takes_an_array
from scalargrad.losses import binary_cross_entropy_with_logits, l2, mse
from scalargrad.nn import BatchNorm1d, Dropout, Layer, Parameter, Sequential
from scalargrad.ops import OPERATIONS
from scalargrad.optim import Optimizer
from tests.oracles.forks import in_a_child
from tests.oracles.functions import CASES, check_against_the_loop
from tests.oracles.scripts import in_a_page_of, in_node
from tests.platforms import needs_posix

needs_node = pytest.mark.oracle("node")

# The module's text as a classic script: what it exports is M.
SCRIPT = """
globalThis.answer = (() => {{
{module}
const M = {{ {names} }};
return {body};
}})();
"""
LOSSES = """({ inputs, epochs, settings, order, batch }) => {
  const state = M.start();
  const losses = [];
  const count = inputs[inputs.length - 1].length;
  for (let epoch = 0; epoch < epochs; epoch++) {
    Object.assign(state, settings[epoch] ?? {});
    const rows = order ? M.order(count, 0, epoch) : null;
    for (let first = 0; first < count; first += batch) {
      losses.push(M.step(state, inputs, rows === null ? null : rows.subarray(first, first + batch)));
    }
  }
  return [...losses, ...state.parameters, ...state.buffers];
}"""


def script(text, body):
    names = [
        name
        for names in re.findall(r"^export const (?:\{ )?([\w, ]+?)(?: \})? =", text, re.M)
        for name in names.split(", ")
    ]
    return SCRIPT.format(module=re.sub(r"^export ", "", text, flags=re.M), names=", ".join(names), body=body)


def moons_problem():
    points, labels = load_moons(100, 0.1, 0)
    model = MLP(2, [16, 16, 1], activation="tanh", rng=0)
    parameters = model.parameters()
    return model, lambda x, y: mse(model(x), y) + 1e-4 * l2(parameters), (points, labels.astype(float))


def trained(optimizer, make=moons_problem, epochs=30, batch=None, settings=None, run=None):
    """The losses, parameters and buffers of Python's trainer, and of the module."""
    model, loss, arrays = make()
    text = compile(loss).javascript(*arrays, optimizer=optimizer())
    count = len(arrays[0])
    data = {
        "inputs": [array.ravel().tolist() for array in arrays],
        "epochs": epochs,
        "settings": settings or {},
        "order": batch is not None,
        "batch": batch or count,
    }
    found = run(script(text, LOSSES), data)
    trainer = compile(loss).trainer(own := optimizer(), batch)
    losses = []
    for epoch in range(epochs):
        for name, number in (settings or {}).get(epoch, {}).items():
            setattr(own, name, number)
        losses += trainer.run(*arrays, epochs=1, progress=False)["loss"]
    steps = [
        np.mean(found[n : n + count // (batch or count)])
        for n in range(0, epochs * count // (batch or count), count // (batch or count))
    ]
    return steps, losses, found[len(steps) * (count // (batch or count)) :], [x.data for x in model.parameters()]


@pytest.fixture
def run(node):
    return lambda text, data: in_node(node, text, data)


OPTIMIZERS = {
    "sgd": lambda: SGD(0.1),
    "momentum": lambda: SGD(0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "rmsprop": lambda: RMSProp(0.01, momentum=0.5),
    "adam": lambda: Adam(0.025),
    "adamw": lambda: AdamW(0.01),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_module_trains_as_python_does(optimizer, run):
    losses, expected, numbers, parameters = trained(optimizer, run=run)
    assert losses == pytest.approx(expected, abs=1e-12)
    assert numbers == pytest.approx(parameters, abs=1e-11)
    assert losses[-1] < losses[0]


def moons_at_their_rate():
    points, labels = load_moons(100, 0.1, 0)
    model = MLP(2, [8, 8, 1], rng=0)
    parameters = model.parameters()
    return model, lambda x, y: mse(model(x), y) + 1e-4 * l2(parameters), (points, labels.astype(float))


def test_the_loss_curve_of_the_moons_is_pythons(run):
    """Their own network and rate, 200 epochs of all points at once."""
    losses, expected, *_ = trained(lambda: Adam(0.025), moons_at_their_rate, epochs=200, run=run)
    assert losses == pytest.approx(expected, abs=1e-12)


def test_the_loss_curve_of_the_moons_is_pythons_in_a_browser(browser):
    with in_a_page_of(browser) as run:
        losses, expected, *_ = trained(lambda: Adam(0.025), moons_at_their_rate, epochs=200, run=run)
    assert losses == pytest.approx(expected, abs=1e-12)


def test_batches_come_in_pythons_order(run):
    losses, expected, *_ = trained(lambda: SGD(0.05), epochs=5, batch=20, run=run)
    assert losses == pytest.approx(expected, abs=1e-12)


def dropping():
    points, labels = load_moons(60, 0.1, 0)
    model = Sequential(Layer(2, 16, activation="tanh", rng=0), Dropout(0.5, rng=3), Layer(16, 1, rng=1))
    return model, lambda x, y: binary_cross_entropy_with_logits(model(x), y), (points, labels.astype(float))


def test_what_dropout_leaves_out_is_what_it_leaves_out_in_python(run):
    losses, expected, *_ = trained(lambda: SGD(0.2), dropping, epochs=6, batch=20, run=run)
    assert losses == pytest.approx(expected, abs=1e-12)


def normalising():
    points, labels = load_moons(60, 0.1, 0)
    model = Sequential(Layer(2, 6, activation="linear", rng=0), BatchNorm1d(6), Layer(6, 1, rng=1))
    return model, lambda x, y: mse(model(x), y), (points, labels.astype(float))


def test_buffers_move_with_the_steps(run):
    losses, expected, numbers, parameters = trained(lambda: SGD(0.1), normalising, epochs=5, run=run)
    assert losses == pytest.approx(expected, abs=1e-12)
    _model, loss, arrays = normalising()
    program = compile(loss)
    program.trainer(SGD(0.1)).run(*arrays, epochs=5, progress=False)
    buffers = [x.data for x in program.last.backward.buffers]
    assert numbers == pytest.approx([*parameters, *buffers], abs=1e-11)


def test_the_rate_and_the_decay_may_change_between_steps(run):
    settings = {3: {"lr": 0.02}, 6: {"weight_decay": 0.05}, 9: {"lr": 0.01, "weight_decay": 0.0}}
    for optimizer in (lambda: SGD(0.1), lambda: AdamW(0.01, weight_decay=0.1)):
        losses, expected, *_ = trained(optimizer, epochs=12, settings=settings, run=run)
        assert losses == pytest.approx(expected, abs=1e-12)


class Deciding(Optimizer):
    """A formula that looks at its setting, as no formula can that takes it as an argument."""

    def update(self, p, g, state, lr, t):
        if self.weight_decay:
            g = g + self.weight_decay * p
        return p - lr * g, ()


def test_a_decay_that_a_formula_decides_on_is_a_part_of_it(run):
    optimizer = Deciding(0.1)
    optimizer.weight_decay = 0.5
    w = Value(2.0, "w")
    text = compile(lambda x: (w * x) ** 2).javascript([1.0], optimizer=optimizer)
    body = "() => { const s = M.start(); M.step(s, [[1]]); return [s.parameters[0], +('weight_decay' in s)]; }"
    assert run(script(text, body), 0) == pytest.approx([2.0 - 0.1 * (4.0 + 0.5 * 2.0), 0])


def test_only_parameters_that_the_optimizer_was_given_move(run):
    w, v = Value(2.0, "w"), Value(3.0, "v")
    text = compile(lambda x: w * x + v).javascript([1.0], optimizer=SGD([v], lr=0.5))
    body = "() => { const s = M.start(); M.step(s, [[1]]); return [...s.parameters]; }"
    assert run(script(text, body), 0) == [2.0, 2.5]


# The other functions of a module.


def test_forward_and_backward_give_what_the_program_gives(run):
    model, loss, arrays = moons_problem()
    program = compile(loss)
    mean, gradient = program.value_and_grad(*arrays)
    text = program.javascript()
    body = """(inputs) => {
      const { mean, gradient } = M.backward(M.NUMBERS, inputs);
      return [mean, ...gradient, ...M.forward(M.NUMBERS, inputs)];
    }"""
    found = run(script(text, body), [array.tolist() for array in arrays])
    slopes = dict(zip(program.parameters, gradient.tolist(), strict=True))
    assert found[: 1 + len(gradient)] == pytest.approx([mean, *(slopes[p] for p in model.parameters())], abs=1e-13)
    assert np.mean(found[1 + len(gradient) :]) == pytest.approx(mean, rel=1e-14)


def test_parameters_are_in_the_order_of_the_model_and_shapes_are_told(run):
    model, loss, arrays = moons_problem()
    text = compile(loss).javascript(*arrays)
    assert json.loads(re.search(r"PARAMETERS = (.*);", text)[1]) == [p.label for p in model.parameters()]
    assert json.loads(re.search(r"INPUTS = (.*);", text)[1]) == [[2], []]
    assert json.loads(re.search(r"OUTPUT = (.*);", text)[1]) == []
    assert run(script(text, "() => [...M.NUMBERS]"), 0) == [p.data for p in model.parameters()]
    outputs = compile(lambda x: [[x[0], x[1] * 2.0, 1.0]]).javascript(np.zeros((1, 2)))
    assert json.loads(re.search(r"OUTPUT = (.*);", outputs)[1]) == [1, 3]
    assert run(script(outputs, "() => [...M.forward([], [[[1, 2], [3, 4]]])]"), 0) == [1, 4, 1, 3, 8, 1]
    assert "backward" not in outputs.partition("= (() =>")[0]


def test_one_row_or_several_are_taken_flat_or_nested(run):
    w = Value(3.0)
    text = compile(lambda x, y: w * x[0] + x[1] * y).javascript(np.zeros((1, 2)), [0.0])
    typed = "[Float64Array.of(1, 2, 3, 4), Float64Array.of(5, 6)]"
    ways = f"[[[1, 2], 5], [[[1, 2], [3, 4]], [5, 6]], {typed}]"
    body = f"() => {ways}.flatMap((inputs) => [...M.forward([3], inputs)])"
    assert run(script(text, body), 0) == [13, 13, 33, 13, 33]
    chosen = "() => [...M.forward([3], [[[1, 2], [3, 4]], [5, 6]], Int32Array.of(1, 1, 0))]"
    assert run(script(text, chosen), 0) == [33, 33, 13]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("M.forward([3], [[1, 2, 3], 5])", "argument 0 has rows of the shape [2], and not 3 numbers"),
        ("M.forward([3], [[[1, 2], [3]], 5])", "argument 0 has rows of the shape [2], and row 1 is none: [3]"),
        ("M.forward([3], [[[1], [2]], 5])", "argument 0 has rows of the shape [2], and row 0 is none: [1]"),
        ("M.forward([3], [[1, 2], [[5]]])", "argument 1 has rows of one number, and row 0 is none: [5]"),
        ("M.forward([3], [[1, 2], null])", "argument 1 has rows of one number, and not null"),
        ("M.forward([3], [[[1, 2], [3, 4]], 5])", "the arguments have 2 and 1 rows"),
        ("M.forward([3], [[1, 2]])", "the inputs are an array of 2: the rows of each argument"),
        ("M.forward([3], [[], []])", "argument 0 has rows of the shape [2], and not 0 numbers"),
        ("M.forward([3, 4], [[1, 2], 5])", "parameters are 1 numbers, and not 2"),
        ("M.forward([3], [[1, 2], 5], [1])", "rows are some of 0 to 0"),
        ("M.forward([3], [[1, 2], 5], [])", "rows are some of 0 to 0"),
        ("M.forward([3], [[1, 2], 1.5])", "take: index 1.5 is not one of the 2 positions 0..1"),
    ],
)
def test_wrong_calls_are_told(call, words, run):
    w = Value(3.0)
    text = compile(lambda x, y: w * ops.take(y, x)).javascript(np.zeros((1, 2)), [0.0])
    with pytest.raises(AssertionError, match=re.escape(words)):
        run(script(text, f"() => [{call}]"), 0)


def test_orders_are_those_of_python(run):
    w = Value(3.0)
    text = compile(lambda x: w * x).javascript([0.0])
    for count, seed, epoch in [(1, 0, 0), (2, 0, 1), (5, 3, 2), (64, 1, 0), (1000, 2**40, 7)]:
        found = run(script(text, f"() => [...M.order({count}, {seed}, {epoch})]"), 0)
        assert found == shuffled(count, seed, epoch).tolist()


def test_an_optimizer_with_a_step_of_its_own_is_refused():
    class Own(SGD):
        def step(self, parameters, lr=None):
            super().step(parameters, lr)

    program = compile(lambda x: Value(1.0) * x)
    with pytest.raises(ValueError, match="Own has a step of its own, which is Python"):
        program.javascript([1.0], optimizer=Own(0.1))
    with pytest.raises(TypeError, match="takes an optimizer such as SGD"):
        program.javascript([1.0], optimizer="sgd")
    with pytest.raises(TypeError, match="a list has no gradient"):
        compile(lambda x: [x]).javascript([1.0], optimizer=SGD(0.1))
    with pytest.raises(RuntimeError, match="there is no program yet"):
        compile(lambda x: x).javascript()


def test_a_module_says_nothing_that_ends_a_comment_or_a_script():
    w = Value(1.0, "*/</script>\n")
    text = compile(lambda x: w * x).javascript([1.0])
    assert "</script" not in text
    assert json.loads(re.search(r"PARAMETERS = (.*);", text)[1]) == ["*/</script>\n"]


def test_a_frozen_parameter_stays(run):
    w, v = Parameter(2.0, "w"), Parameter(3.0, "v")
    v.requires_grad = False
    text = compile(lambda x: (w * v * x) ** 2).javascript([1.0], optimizer=SGD(0.01))
    found = run(script(text, "() => { const s = M.start(); M.step(s, [[1]]); return [...s.parameters]; }"), 0)
    assert found == pytest.approx([2.0 - 0.01 * 36.0, 3.0])


# Kernels and tables.


PLANTED = {
    "a sum that starts anew": ("v.fill(-0, out, out + L)", "0"),
    "the wrong sample": ("s += v[a + l]", "s += v[a + (l ? l - 1 : 0)]"),
    "a product": ("(v[a0 + l] * v[b0 + l])", "(v[a0 + l] + v[b0 + l])"),
}


@needs_node
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_found_by_the_suite(name, monkeypatch):
    right, wrong = PLANTED[name]

    def broken(program):
        text = text_of(program)
        return text.replace(right, wrong)

    monkeypatch.setattr(backend, "text_of", broken)
    case = CASES["2-16-16-1"]()
    program = compile(case.function, backend="javascript")

    def check_twice():  # in the second run memory is not 0
        for _ in range(2):
            check_against_the_loop(program, case)

    with pytest.raises(AssertionError):
        check_twice()
    assert wrong in program.last.backward_backend.text


def test_there_is_a_kernel_for_each_primitive():
    assert {op.name for op in OPERATIONS.values() if takes_an_array(op) and not op.composite} == {*ARRAYS}


def test_tables_of_rows_are_read_back(run):
    source = np.random.default_rng(0)
    tables = [
        *(np.arange(first, first + step * count, step) for first, step, count in [(3, 1, 1), (5, 2, 9), (0, 7, 30)]),
        *(source.integers(0, 50, count) for count in (0, 1, 2, 30)),
        np.concatenate([np.arange(20), [7], np.arange(40, 90, 2), np.repeat(3, 12), [1, 2]]),
        np.arange(6)[:, None] * 17 + np.arange(4),
        (np.arange(3)[:, None, None] * 100 + np.arange(6)[:, None] * 17 + np.arange(4)).reshape(6, -1),
        np.repeat(source.integers(0, 9, 4), 12),
    ]
    written = ", ".join(map(lower._written, tables))
    text = Path(lower.__file__).with_name("runtime.js").read_text(encoding="utf-8").replace("export ", "")
    found = run(f"{text}\nglobalThis.answer = () => [{written}].flatMap((table) => [...table]);", 0)
    assert found == [x for table in tables for x in table.ravel().tolist()]
    assert max(map(len, map(lower._written, tables[:3] + tables[8:10]))) < 100


# The process.


def squared(w=None):
    w = Value(3.0) if w is None else w
    return compile(lambda x: (w * x) ** 2, backend="javascript")


@needs_node
def test_a_process_that_has_ended_is_started_anew():
    program, x = squared(), np.array([1.0, 2.0])
    assert program(x) == 22.5
    starts = running.starts
    running.process.kill()
    running.process.wait()
    assert program(x) == 22.5
    assert program.value_and_grad(x)[0] == 22.5
    assert running.starts == starts + 1


@needs_node
def test_a_process_that_ends_in_a_call_is_an_error_and_the_next_call_works(monkeypatch):
    program, x = squared(), np.array([1.0, 2.0])
    program(x)
    running.process.send_signal(signal.SIGSTOP)  # or its answer would be there before it ends, now and then
    read = running._read
    monkeypatch.setattr(
        running, "_read", lambda count: (running.process.kill(), running.process.wait(), read(count))[2]
    )
    with pytest.raises(RuntimeError, match="node has ended with status -9 in the middle of a call; try it again"):
        program(x)
    monkeypatch.undo()
    assert program(x) == 22.5


@needs_posix
@needs_node
def test_a_child_has_a_process_of_its_own():
    program, x = squared(), np.array([1.0, 2.0])
    program(x)
    before = running.process.pid

    def work():
        assert program(x) == 22.5
        assert running.process.pid != before
        running.end()

    assert in_a_child(work) == ""
    assert program(x) == 22.5
    assert running.process.pid == before


@needs_posix
@needs_node
def test_a_call_that_is_broken_off_leaves_the_steps_before_it():
    w = Value(3.0)
    trainer = compile(lambda x: (w * x) ** 2, backend="javascript").trainer(SGD(1e-9))
    x = np.ones(2_000)
    trainer.run(x, epochs=1, progress=False)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        trainer.run(x, epochs=10**7, progress=False)
    timer.join()
    assert 0 < w.data < 3.0
    left, steps = w.data, trainer.optimizer.steps
    trainer.step(x)
    assert trainer.optimizer.steps == steps + 1
    assert w.data < left


def test_without_node_an_error_says_what_is_missing(monkeypatch):
    running.end()
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match='the backend "javascript" runs programs in node, which is not inst'):
        squared()([1.0])


def test_the_backend_computes_in_float64_only():
    with pytest.raises(ValueError, match='the backend "javascript" computes in float64, not in float32'):
        compile(lambda x: x, backend="javascript", dtype="float32")
    with pytest.raises(ValueError, match="computes in float64, not in float32"):
        MLP(1, [1], rng=0).fit(np.ones((2, 1), "float32"), [0.0, 1.0], epochs=1, backend="javascript", progress=False)


@needs_node
def test_programs_that_nobody_needs_leave_the_process():
    program = squared()
    program([1.0])
    number = program.last.forward_backend.number
    del program
    gc.collect()
    assert number in running.dropped
    squared()([1.0])
    assert number not in running.dropped


@needs_node
def test_a_failure_in_node_is_told(monkeypatch):
    program = squared()
    program([1.0])
    made = program.last.forward_backend
    assert isinstance(made, JavascriptBackend)
    made.number += 10**6
    with pytest.raises(RuntimeError, match="node: TypeError"):
        program([1.0])


@needs_node
def test_a_model_trains_and_predicts_in_node():
    found = []
    for name in ("numpy", "javascript"):
        model = MLP(2, [4, 1], activation="tanh", rng=0)
        history = model.fit(*load_moons(30, 0.1, 0), epochs=4, batch_size=8, backend=name, progress=False)
        found.append([*history["loss"], *model.predict([[0.0, 1.0]], backend=name).ravel()])
    assert found[1] == pytest.approx(found[0], abs=1e-12)


@needs_node
def test_the_process_ends_with_python():
    code = (
        "from scalargrad import Value, compile; w = Value(1.0); compile(lambda x: w * x, backend='javascript')([1.0])\n"
    )
    code += "from scalargrad.compiler.backends.javascript.process import node; print(node.process.pid)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, encoding="utf-8", check=True
    )
    assert done.stderr == ""
    for _ in range(50):
        try:
            os.kill(int(done.stdout), 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError("node goes on")
