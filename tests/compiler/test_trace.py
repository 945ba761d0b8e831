"""Tracing is never silently wrong: every way to freeze a number is planted, and is an error, or traces again."""

import copy
import functools
import itertools
import math
import random
import threading
import time
import types
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from scalargrad.anomaly import anomaly_detection
from scalargrad.compiler import TraceError, compile
from scalargrad.engine import Value, gradients
from scalargrad.functional import hessian, jvp
from scalargrad.losses import cross_entropy, mse
from scalargrad.nn import MLP, Buffer, Module, Parameter
from scalargrad.observers import no_grad
from scalargrad.ops import OPERATIONS, batch_mean, dot, log, maximum, mean, relu, take, tanh
from tests.compiler.changes.cases import module
from tests.oracles.functions import loop, numbers

X = np.array([1.0, 2.0, 3.0])
SCALE = 2.0
FLAG = True


def values_of(function, x=X):
    """What the function gives for each row, by the loop that knows no compiler."""
    return [float(v) for v in loop(function, x)]


def compiled_values(program, x=X):
    """The rows of a program whose function returns [one number]."""
    return program(x)[:, 0].tolist()


# Looking at a traced number.


def branch(x):
    return x if x else -x


def loop_until(x):
    while x < 100.0:
        x = x * 2.0
    return x


# fmt: off
LOOKS = {
    "if":                lambda x: branch(x),
    "if, compared":      lambda x: x if x > 0.0 else 0.0 * x,
    "if, reflected":     lambda x: x if 0.0 < x else 0.0 * x,  # noqa: SIM300
    "if, of a result":   lambda x: x if (x * x - 1.0) >= 0.0 else 0.0 * x,
    "while":             lambda x: loop_until(x),
    "and":               lambda x: x and 2.0 * x,
    "not":               lambda x: x if not x else 2.0 * x,
    "assert":            lambda x: check_positive(x),
    "==":                lambda x: x if x == 1.0 else 2.0 * x,
    "!=":                lambda x: x if x != 1.0 else 2.0 * x,
    "== another":        lambda x: x if x == x * 1.0 + 1.0 else 2.0 * x,
    "in":                lambda x: x if 1.0 in (x, 2.0) else 2.0 * x,
    "float()":           lambda x: float(x) * 2.0,
    "int()":             lambda x: int(x) * 2.0,
    "round()":           lambda x: round(x) * 2.0,
    "max()":             lambda x: max(x, 2.0),
    "sorted()":          lambda x: sorted([x, 2.0 * x])[0],
    "math.exp":          lambda x: math.exp(x) * 1.0,
    "range()":           lambda x: sum(x for _ in range(x)),
    "an index":          lambda x: [1.0, 2.0, 3.0][x],
    "np.maximum":        lambda x: np.maximum(np.array([x, x]), 0.0)[0],
    "a float array":     lambda x: float(np.array([x], dtype=float)[0]),
}
# fmt: on


def check_positive(x):
    assert x > 0.0
    return x


@pytest.mark.parametrize("name", LOOKS)
def test_looking_at_a_traced_number_is_an_error_with_line_and_remedy(name):
    with pytest.raises(TraceError, match=r"test_trace\.py:\d+: .*(where\(\)|take\(\))") as caught:
        compile(LOOKS[name])(X)
    assert "freeze" in str(caught.value)


def test_the_data_of_a_traced_number_is_an_error():
    for function in (lambda x: x.data * 2.0, lambda x: (x * x).data * x, lambda x: getattr(x, "data") + x):  # noqa: B009
        with pytest.raises(TraceError, match=r"test_trace\.py:\d+: `\.data` of a traced number .* freeze"):
            compile(function)(X)


def test_the_line_is_that_of_the_mistake():
    def function(x):
        y = x * 2.0
        return y if y > 1.0 else x

    line = function.__code__.co_firstlineno + 2
    with pytest.raises(TraceError, match=rf"test_trace\.py:{line}: "):
        compile(function)(X)


def test_backward_and_detach_of_a_traced_number_are_errors():
    w = Value(2.0)
    for function in (lambda x: (x * w).backward(), lambda x: (w * w).backward()):
        with pytest.raises(TraceError, match=r"return the loss and call program\.backward"):
            compile(function)(X)
    with pytest.raises(TraceError, match="detach"):
        compile(lambda x: x.detach() * w)(X)


# Looking at a parameter's number.

w, v = Value(3.0, "w"), Value(1.0, "v")
PRODUCT = w * w


def branch_on_a_parameter(x):
    return x * w if w.data > 0.0 else x * v


def set_and_use(x):
    constant = Value(1.0)
    first = constant * x
    constant.data = 2.0
    return first + constant * x


def set_a_parameter(x):
    w.data = 5.0
    return w * x


# fmt: off
PARAMETER_LOOKS = {
    "if on .data":               branch_on_a_parameter,
    ".data as a factor":         lambda x: w.data * x,
    "if":                        lambda x: w * x if w else x,
    "if, compared":              lambda x: w * x if w > 0.0 else x,
    "if, two compared":          lambda x: w * x if w > v else x,
    "float()":                   lambda x: float(w) * x,
    "float() of a result":       lambda x: float(w * w) * x,
    "max()":                     lambda x: max(w, v) * x,
    "math.exp":                  lambda x: math.exp(w) * x,
    "text":                      lambda x: float(f"{w:.3f}") * x,
    "getattr":                   lambda x: getattr(w, "data") * x,  # noqa: B009
}
# What goes through functions of the package, where reading a number is right: it must not be frozen unseen.
QUIET_LOOKS = {
    "detach":                    lambda x: w.detach() * x,
    "detach, and use":           lambda x: w.detach() * x + w,
    "copy":                      lambda x: copy.copy(w) * x,
    "repr":                      lambda x: float(repr(w).split("=")[1].split(",")[0]) * x,
    "repr of a result outside":  lambda x: float(repr(PRODUCT).split("=")[1].split(",")[0]) * x,
    "gradients":                 lambda x: gradients(w * w, w) * x,
    "gradients of a kink":       lambda x: gradients(relu(w), w) * x + w,
    "jvp":                       lambda x: jvp(w * w, w, 1.0) * x,
    "hessian":                   lambda x: hessian(lambda p: p[0] ** 2 * w.detach())([2.0])[0][0] * x,
    "gradient field":            lambda x: w.grad * x,
    "setting a constant":        set_and_use,
    "setting a parameter":       set_a_parameter,
}
# fmt: on


@pytest.fixture(autouse=True)
def _parameters_as_they_were():
    yield
    w.data, v.data, w.grad, v.grad = 3.0, 1.0, 0.0, 0.0


@pytest.mark.parametrize("name", PARAMETER_LOOKS)
def test_reading_a_parameters_number_is_an_error_with_line_and_remedy(name):
    with pytest.raises(TraceError, match=r"test_trace\.py:\d+: .* freeze it; compute with the Value itself"):
        compile(PARAMETER_LOOKS[name])(X)


@pytest.mark.parametrize("name", QUIET_LOOKS)
def test_a_number_that_a_function_of_the_package_reads_is_not_frozen(name):
    """An error, or a program that goes with the parameter."""
    function = QUIET_LOOKS[name]
    program = compile(lambda x: [function(x)])
    try:
        first = compiled_values(program)
    except TraceError:
        assert (w.data, v.data) == (3.0, 1.0)
        return
    assert first == values_of(function)
    w.data, w.grad = -5.0, 7.0
    assert compiled_values(program) == values_of(function)


def test_printing_inside_a_function_is_allowed(capsys):
    def function(x):
        print(w, x)
        return w * x

    assert compile(function)(X) == 6.0
    assert "data=3.0" in capsys.readouterr().out


def test_reading_numbers_is_allowed_again_after_an_error():
    for function in (branch_on_a_parameter, branch):
        with pytest.raises(TraceError):
            compile(function)(X)
        assert (w.data, float(w), w > 0.0) == (3.0, 3.0, True)


# What differs from run to run.


def clock(x):
    return time.perf_counter() * x


def growing(x, kept=[]):  # noqa: B006
    kept.append(x)
    return sum(kept) * 1.0


def random_order(x):
    f = tanh(w)
    g = tanh(f)
    return x * (g * f if next(TURNS) else g * g)


def random_order_of_lanes(x):
    f = tanh(x)
    g = tanh(f)
    return g * f if next(TURNS) else g * g


# fmt: off
UNSTEADY = {
    "a random number":               lambda x: random.random() * x,
    "a random constant Value":       lambda x: Value(random.random()) * x,
    "a random choice":               lambda x: (x * w) if next(TURNS) else (x + w),
    "a random parameter":            lambda x: (w if next(TURNS) else v) * x,
    "a random result":               lambda x: (x, w * x)[next(TURNS)],
    "a random order":                random_order,
    "a random order of lanes":       random_order_of_lanes,
    "a clock":                       clock,
    "a list that grows":             growing,
    "a random number of parameters": lambda x: x * (w + random.random()),
    "a random number alone":         lambda x: w * random.random(),
    "a counter":                     lambda x: x * next(COUNTER),
    "the sign of a zero":            lambda x: x * (0.0 if next(TURNS) else -0.0),
}
# fmt: on
TURNS = itertools.cycle((True, False))
COUNTER = itertools.count()


@pytest.mark.parametrize("name", UNSTEADY)
def test_what_differs_from_run_to_run_is_an_error(name):
    with pytest.raises(TraceError, match=r"two runs of the function differ|left its compiled function"):
        compile(UNSTEADY[name])(X)
    assert (w.data, v.data) == (3.0, 1.0)


# What changes between calls traces again.


def traced_again(function, change, x=X):
    """The rows before and after a change, compiled and by the loop, from one program."""
    program = compile(lambda x: [function(x)])
    before = compiled_values(program, x), values_of(function, x)
    change()
    after = compiled_values(program, x), values_of(function, x)
    assert before[0] == before[1]
    assert after[0] == after[1]
    assert before[1] != after[1], "the change changes nothing: this test would not notice"


def test_moved_parameters_are_read_at_every_call():
    traced_again(lambda x: w * x, lambda: setattr(w, "data", 5.0))


def test_a_changed_number_of_the_closure_traces_again():
    scale = 2.0

    def change():
        nonlocal scale
        scale = 5.0

    traced_again(lambda x: scale * x, change)


def test_a_closure_number_that_changes_its_sign_from_zero_traces_again():
    zero = 0.0

    def change():
        nonlocal zero
        zero = -0.0

    traced_again(lambda x: x / zero, change)


def uses_global(x):
    return SCALE * x


def uses_global_deep_inside(x):
    return mean([mean([SCALE * xi for xi in (x, x)]) for _ in range(2)])


def uses_global_through_a_function(x):
    return uses_global(x) + 1.0


def uses_global_in_a_lambda_in_a_lambda(x):
    return (lambda a: (lambda b: b * SCALE)(a))(x)


class UsesGlobal:
    def __call__(self, x):
        return SCALE * x

    def method(self, x):
        return SCALE * x


class NetworkWithAMethod(Module):
    def __init__(self):
        self.weight = Parameter(2.0)

    def __call__(self, x):
        return self.forward(x)

    def forward(self, x):
        return self.weight * x * SCALE


READERS = {
    "in the function": uses_global,
    "in a comprehension in a comprehension": uses_global_deep_inside,
    "in a lambda in a lambda": uses_global_in_a_lambda_in_a_lambda,
    "in a function that it calls": uses_global_through_a_function,
    "in a partial": functools.partial(uses_global),
    "in a wrapped function": functools.wraps(uses_global)(lambda *args: uses_global(*args)),
    "in a bound method": UsesGlobal().method,
    "in an object that is called": UsesGlobal(),
    "in a method of a module": NetworkWithAMethod(),
}


@pytest.mark.parametrize("name", READERS)
def test_a_changed_global_number_traces_again(name, monkeypatch):
    program = compile(READERS[name])
    assert program(X) == pytest.approx(mean(values_of(READERS[name])))
    monkeypatch.setitem(globals(), "SCALE", 5.0)
    assert program(X) == pytest.approx(mean(values_of(READERS[name])))


def test_changed_items_of_lists_and_dicts_trace_again():
    # -1.0 and -2.0 have one hash.
    for container, key, new in (([2.0], 0, 5.0), ([-1.0], 0, -2.0), ([[2.0], [3.0]], 1, [4.0]), ({"a": 2.0}, "a", 5.0)):
        traced_again(
            lambda x, c=container: (c["a"] if isinstance(c, dict) else c[-1][0] if type(c[-1]) is list else c[0]) * x,
            lambda c=container, key=key, new=new: c.__setitem__(key, new),
        )
    nested = {"settings": {"scale": 2.0}}
    traced_again(lambda x: nested["settings"]["scale"] * x, lambda: nested["settings"].update(scale=5.0))
    swapped = {"a": 1.0, "b": 2.0}

    def swap():
        swapped.clear()
        swapped.update(b=1.0, a=2.0)

    traced_again(lambda x: swapped["a"] * x, swap)


def test_changed_items_of_numpy_arrays_trace_again():
    constants = np.array([2.0, 3.0])
    traced_again(lambda x: x * constants[0], lambda: constants.__setitem__(0, 5.0))


class Noisy(Module):
    def __init__(self):
        self.weight = Parameter(3.0)
        self.factor = 2.0

    def __call__(self, x):
        return self.weight * x * (self.factor if self.training else 1.0)


def test_a_train_or_eval_flag_traces_again():
    for read in (lambda module: lambda x: module(x), lambda module: module, lambda module: module.__call__):
        module = Noisy()
        traced_again(read(module), module.eval)
        traced_again(read(module), module.train)
        traced_again(read(module), lambda module=module: setattr(module, "factor", 7.0))


def test_train_and_eval_take_turns_without_tracing_again():
    module = Noisy()
    program = compile(module)
    seen = []
    for mode, expected in ((True, 12.0), (False, 6.0), (True, 12.0), (False, 6.0)):
        module.train(mode)
        assert program(X) == expected
        seen.append(program.last)
    assert seen[0] is seen[2] is not seen[1]
    assert seen[1] is seen[3]


def test_updates_of_buffers_are_compared():
    buffer = Buffer(1.0)
    with pytest.raises(TraceError, match="two runs of the function differ"):
        compile(lambda x: (buffer.update(buffer * random.random()), w * x)[1])(X)
    with pytest.raises(TraceError, match="two runs of the function differ"):
        compile(lambda x: (buffer.update(2.0) if next(TURNS) else None, w * x)[1])(X)


def test_only_a_few_programs_are_kept():
    scale = 0.0
    program = compile(lambda x: scale * x)
    for scale in range(20):
        assert program(X) == 2.0 * scale
    assert all(len(kept) <= 4 for kept in program.variants.values())


def test_the_flag_of_a_module_inside_another_traces_again():
    class Outer(Module):
        def __init__(self):
            self.inner = [Noisy()]

        def __call__(self, x):
            return self.inner[0](x)

    outer = Outer()
    traced_again(outer, outer.eval)


def test_the_flag_of_a_module_that_is_an_argument_traces_again():
    module = Noisy()
    program = compile(lambda module, x: module(x))
    assert program(module, X) == 12.0
    module.eval()
    assert program(module, X) == 6.0


def test_a_replaced_parameter_traces_again_and_gets_the_gradient():
    module = Noisy()
    program = compile(module)
    program.backward(X)
    old, module.weight = module.weight, Parameter(10.0)
    assert program(X) == 40.0
    program.backward(X)
    assert (old.grad, module.weight.grad) == (4.0, 4.0)


def test_a_replaced_value_in_a_closure_or_a_list_traces_again():
    a, items = Value(2.0), [Value(3.0)]

    def replace():
        nonlocal a
        a = Value(5.0)

    traced_again(lambda x: a * x, replace)
    traced_again(lambda x: items[0] * x, lambda: items.__setitem__(0, Value(7.0)))


def test_a_parameter_list_that_grew_traces_again():
    items = [Value(3.0)]
    traced_again(lambda x: dot(items, [x] * len(items)), lambda: items.append(Value(4.0)))
    program = compile(lambda x: dot(items, [x] * len(items)))
    program(X)
    items.append(Value(1.0))
    assert program.value_and_grad(X)[1].tolist() == [2.0] * 3


def test_a_layer_that_was_added_traces_again():
    class Stack(Module):
        def __init__(self):
            self.layers = [Noisy()]

        def __call__(self, x):
            for layer in self.layers:
                x = layer(x)
            return x

    stack = Stack()
    traced_again(stack, lambda: stack.layers.append(Noisy()))


def test_a_replaced_function_traces_again(monkeypatch):
    program = compile(uses_global_through_a_function)
    assert program(X) == 5.0
    monkeypatch.setitem(globals(), "uses_global", lambda x: 10.0 * x)
    assert program(X) == 21.0


def test_python_valued_arguments_have_programs_of_their_own():
    program = compile(lambda x, power, flag: x**power if flag else x / power)
    assert program(X, 2, True) == pytest.approx(14.0 / 3.0)
    assert program(X, 3, True) == 12.0
    assert program(X, 2, False) == 1.0
    assert program(X, 0.0, False) == math.inf
    assert program(X, -0.0, False) == -math.inf
    assert program(X, 2, True) == pytest.approx(14.0 / 3.0)


def test_a_change_that_is_not_noticed_is_renewed_by_retrace():
    class Settings:
        scale = 2.0

    settings = Settings()
    program = compile(lambda x: settings.scale * x)
    assert program(X) == 4.0
    settings.scale = 5.0
    program.retrace()
    assert program(X) == 10.0


def test_functions_that_come_from_anywhere_compile():
    scope = {"__builtins__": __builtins__}
    exec("def twice(x): return 2.0 * x", scope)
    for function in (scope["twice"], functools.partial(lambda k, x: k * x, 2.0), lambda x: x + x):
        assert compile(function)(X) == 4.0


# Contexts around and inside.


def test_a_program_runs_in_any_block():
    function = lambda x: w * w + x * v  # noqa: E731
    for block in (no_grad, anomaly_detection):
        program = compile(function)
        with block():
            assert program(X) == 11.0  # traced inside the block
        assert program.value_and_grad(X)[0] == 11.0


def test_no_grad_inside_a_function_is_not_ignored():
    """Where the loop would pass no gradient on, the program passes none, or there is an error."""

    def function(x):
        with no_grad():
            h = w * x
        return h * w

    program = compile(function)
    try:
        _, slopes = program.value_and_grad(X)
    except TraceError:
        return
    assert slopes.tolist() == [gradients(mean(loop(function, X)), w)]


def test_gradients_inside_without_a_graph_say_what_to_do():
    with pytest.raises(TraceError, match="create_graph=True"):
        compile(lambda x: gradients(w * x, x) * x)(X)


def test_gradients_through_batch_mean_inside_are_right_or_an_error():
    """d mean(w x) / d w is mean(x), for every row."""

    def function(x):
        (slope,) = gradients(batch_mean(w * x), [w], create_graph=True)
        return [slope]

    try:
        found = compile(function)(X)
    except TraceError:
        return
    assert found[:, 0].tolist() == [2.0, 2.0, 2.0]


def test_a_compiled_function_inside_another_is_an_error():
    inner = compile(lambda x: w * x)
    for function in (lambda x: inner(x), lambda x: inner([1.0]) * x, lambda x: inner.backward([1.0]) * x):
        with pytest.raises(TypeError, match="call the plain function"):
            compile(function)(X)
    inner([1.0])
    with pytest.raises(TypeError, match="call the plain function"):  # its number would be frozen
        compile(lambda x: inner([1.0]) * x)(X)


def test_a_value_that_the_first_run_made_and_the_second_one_finds_is_an_error():
    kept = []

    def keeping(x, use):
        if not kept:
            kept.append(Value(3.0))
        return use(kept[0], x)

    uses = (
        lambda value, x: value * x,
        lambda value, x: dot((value, w), (x, x)),
        lambda value, x: (value * w) * x,
        lambda value, x: [x, value],
    )
    for use in uses:
        kept.clear()
        with pytest.raises(TraceError, match="keeps a Value that its first run made"):
            compile(functools.partial(keeping, use=use))(X)


def test_a_value_that_a_function_makes_anew_in_each_run_is_a_constant():
    program = compile(lambda x: x * maximum(w, w * w + 0.5, 0.1) * Value(2.0))
    assert program.value_and_grad(X)[0] == np.mean(X) * 2.0 * 9.5
    assert program.parameters == [w]


def test_a_dot_of_what_does_not_fit_says_what_it_says_to_floats():
    cases = (((1.0, 1.0), (1.0,)), ((), (1.0, 1.0)), (1.0, (1.0,)), ((1.0,), 1.0), (1.0, 1.0))
    for weights, inputs in cases:
        with pytest.raises((ValueError, TypeError)) as expected:
            dot(weights, inputs)

        def traced(x, weights=weights, inputs=inputs):
            return dot(*(tuple(x for _ in a) if type(a) is tuple else x for a in (weights, inputs)))

        with pytest.raises(expected.type, match=str(expected.value).split(",")[0]):
            compile(traced)(X)


# A tracer that escapes.


def test_a_tracer_that_escapes_is_an_error():
    kept = []

    def function(x):
        kept.append(x * 2.0)
        return kept[-1] * w

    compile(function)(X)
    assert repr(kept[0]) == "<traced mul>"
    for use in (lambda: kept[0] * 2.0, lambda: w * kept[0], lambda: dot([kept[0]], [w]), lambda: relu(kept[0])):
        with pytest.raises(TraceError, match="has left its compiled function; return it instead"):
            use()
    for use in (lambda: float(kept[0]), lambda: kept[0].data, lambda: kept[0].backward()):
        with pytest.raises(TraceError):
            use()
    others = (
        lambda x: x * kept[0],
        lambda x: kept[0],
        lambda x: w * kept[0],
        lambda x: dot([x, w], [kept[0], x]),
        lambda x: dot([kept[0], w], (x, x)),
    )
    for other in others:
        with pytest.raises(TraceError, match=r"another trace|left its compiled function|two runs"):
            compile(other)(X)


# Bad input to a program.


def network():
    model = MLP(2, [4, 3], rng=0)
    return compile(lambda x, y: cross_entropy(model(x), y))


GOOD, LABELS = numbers(6, 2), np.array([0, 1, 2, 2, 1, 0])

# fmt: off
BAD = {
    "wrong width":        ((numbers(6, 3), LABELS),             ValueError, "takes 2 inputs, got 3"),
    "no width":           ((numbers(6), LABELS),                TypeError,  "list of 2 numbers"),
    "one row more":       ((numbers(7, 2), LABELS),             ValueError, "7 and 6 rows: one for each sample"),
    "zero rows":          ((GOOD[:0], LABELS[:0]),              ValueError, "no rows"),
    "no rows in a list":  (([], []),                            ValueError, "no rows"),
    "objects":            ((GOOD.astype(object), LABELS),       TypeError,  "argument 0 holds object and not numbers"),
    "Values":             (([[Value(1.0), Value(2.0)]], [0]),   TypeError,  "argument 0 holds object and not numbers"),
    "text":               (([["1", "2"]], [0]),                 TypeError,  "argument 0 holds .* and not numbers"),
    "complex":            ((GOOD + 1j, LABELS),                 TypeError,  "argument 0 holds complex128"),
    "None in a list":     (([[None, 1.0]], [0]),                TypeError,  "argument 0 holds object and not numbers"),
    "ragged":             (([[1.0, 2.0], [3.0]], [0, 1]),       ValueError, "argument 0 is ragged"),
    "one number":         ((np.float32(1.0), LABELS),           TypeError,  "argument 0 is one number"),
    "nothing":            ((),                                  TypeError,  "at least one array"),
    "only numbers":       ((1.0, 2.0),                          TypeError,  "at least one array"),
    "one too few":        ((GOOD,),                             TypeError,  "missing 1 required positional argument"),
    "one too many":       ((GOOD, LABELS, LABELS),              TypeError,  "takes 2 positional arguments but 3"),
    "label too large":    ((GOOD, LABELS + 1),                  IndexError, r"index 3\.0 in row 2 .* positions 0\.\.2"),
    "label negative":     ((GOOD, LABELS - 1),                  IndexError, r"index -1\.0 in row 0 .* 0\.\.2"),
    "label between":      ((GOOD, LABELS + 0.5),                IndexError, r"index 0\.5 in row 0 .* positions 0\.\.2"),
    "label nan":          ((GOOD, LABELS * math.nan),           IndexError, r"index nan in row 0 .* positions 0\.\.2"),
}
# fmt: on


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_told(name):
    arguments, error, words = BAD[name]
    program = network()
    before = program(GOOD, LABELS)
    for method in (program, program.value_and_grad, program.backward):
        with pytest.raises(error, match=words):
            method(*arguments)
    assert program(GOOD, LABELS) == before  # and the program goes on


def test_input_of_every_numeric_kind_and_layout_is_taken():
    program = network()
    expected = program(GOOD, LABELS)
    wide = np.zeros((12, 4))
    wide[::2, ::2] = GOOD
    for x in (GOOD.tolist(), np.asfortranarray(GOOD), wide[::2, ::2], GOOD[::-1][::-1], GOOD.astype(">f8")):
        assert program(x, LABELS) == expected
    for labels in (LABELS.tolist(), LABELS.astype(np.int8), LABELS.astype(np.float32), LABELS.astype(np.uint64)):
        assert program(GOOD, labels) == expected
    single = GOOD.astype(np.float32)
    assert program(single, LABELS) == program(single.astype(float), LABELS)
    assert compile(lambda x: w * x)(np.array([True, False])) == 1.5
    assert np.isnan(program(GOOD * math.nan, LABELS))


def test_input_is_not_changed_and_not_kept():
    program, x = network(), GOOD.copy()
    program.backward(x, LABELS)
    assert (x == GOOD).all()
    x[:] = 0.0
    assert program(GOOD, LABELS) != program(x, LABELS)


def test_another_shape_is_another_program():
    program = compile(lambda x: mean(x))
    assert program(np.ones((2, 3))) == 1.0
    assert program(np.full((2, 5), 2.0)) == 2.0
    assert program(np.ones((2, 3))) == 1.0


def test_results_that_are_no_numbers_are_told():
    for result in (None, "3", {"loss": 1.0}, 1j, [[1.0], None], (x for x in ())):
        with pytest.raises(TypeError, match=r"takes a real number|returns? .*(Value|number)"):
            compile(lambda x, result=result: result)(X)
    for ragged in (lambda x: [x, [x]], lambda x: [[x], [x, x], []], lambda x: [[x, x], [x]], lambda x: [[], x]):
        with pytest.raises(TraceError, match="ragged"):
            compile(ragged)(X)


def test_object_arrays_are_results():
    matrix = np.array([[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]])
    found = compile(lambda x: matrix @ np.array(x))(np.array([[1.0, 1.0], [0.0, 1.0]]))
    assert found.tolist() == [[3.0, 7.0], [2.0, 4.0]]


def test_a_list_has_no_gradient():
    program = compile(lambda x: [w * x])
    for method in (program.backward, program.value_and_grad):
        with pytest.raises(TypeError, match="compile a function that returns one number"):
            method(X)


def test_settings_of_compile_are_checked():
    for options, words in (({"dtype": "float16"}, "float64, float32"), ({"backend": "gpu"}, "eager, numpy")):
        with pytest.raises(ValueError, match=words):
            compile(lambda x: x, **options)
    with pytest.raises(TypeError, match="function of one sample, got 3"):
        compile(3)
    with pytest.raises(RuntimeError, match="call it with arrays first"):
        compile(lambda x: x).parameters  # noqa: B018


def test_an_error_of_the_function_is_passed_on_and_leaves_no_trace():
    def broken(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        compile(broken)(X)
    assert compile(lambda x: w * x)(X) == 6.0
    assert w.data == 3.0


def test_parameters_are_put_back_when_the_second_trace_fails():
    calls = []

    def function(x):
        calls.append(1)
        if len(calls) == 2:
            raise KeyError("the second time")
        return w * x

    with pytest.raises(KeyError):
        compile(function)(X)
    assert w.data == 3.0


def test_compile_is_a_decorator():
    @compile
    def plain(x):
        """Three times."""
        return w * x

    @compile(dtype="float32")
    def single(x):
        return [w * x]

    assert (plain(X), plain.__name__, plain.__doc__) == (6.0, "plain", "Three times.")
    assert single(X).dtype == np.float32


# Threads.


def in_threads(*functions):
    """Run functions at the same time; the first error is raised here."""
    errors = []

    def guarded(function):
        try:
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(function,), daemon=True) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
        assert not thread.is_alive(), "a thread hangs"
    if errors:
        raise errors[0]


def test_threads_call_one_program_at_the_same_time():
    model = MLP(2, [8, 1], activation="tanh", rng=0)
    program = compile(lambda x, y: mse(model(x), y))
    batches = [(numbers(rows, 2, seed=rows), numbers(rows, seed=rows + 1)) for rows in (1, 5, 8, 13)]
    alone = [compile(lambda x, y: mse(model(x), y)).value_and_grad(*batch) for batch in batches]

    def work(batch, expected):
        for _ in range(30):
            value, slopes = program.value_and_grad(*batch)
            assert value == expected[0]
            assert slopes.tobytes() == expected[1].tobytes()

    in_threads(*(lambda b=b, e=e: work(b, e) for b, e in zip(batches, alone, strict=True)))


def test_threads_that_train_with_arrays_of_different_shapes_add_every_gradient():
    """Each shape has a program of its own, with parameters of its own."""
    rows = [Value(0.5) for _ in range(5)]
    program = compile(lambda x: dot(rows[: len(x)], x))
    rounds = 50

    def work(width):
        for _ in range(rounds):
            program.backward(np.ones((2, width)))

    in_threads(*(lambda width=width: work(width) for width in (1, 3, 5)))
    assert [p.grad for p in rows] == [3.0 * rounds, 2.0 * rounds, 2.0 * rounds, rounds, rounds]


def test_tracing_in_one_thread_does_not_disturb_eager_training_in_another():
    eager = MLP(2, [4, 1], activation="tanh", rng=1)
    alone = copy.deepcopy(eager)
    compiled = MLP(2, [16, 16, 1], rng=0)
    done = threading.Event()

    def train(model, steps):
        for _ in range(steps):
            model.zero_grad()
            loss = mse(model([0.5, -1.0]), 1.0)
            loss.backward()
            for p in model.parameters():
                p.data -= 0.01 * p.grad
            assert float(loss) == loss.data

    def trace_again_and_again():
        while not done.is_set():
            compile(lambda x, y: mse(compiled(x), y))(numbers(3, 2), numbers(3))

    def train_and_stop():
        try:
            train(eager, 60)
        finally:
            done.set()

    in_threads(train_and_stop, trace_again_and_again)
    train(alone, 60)
    assert [p.data for p in eager.parameters()] == [p.data for p in alone.parameters()]


def test_a_parameter_that_another_thread_moves_while_it_is_traced_is_not_set_back():
    """The second trace runs with moved parameters; nobody else may see them, and nobody's update may be lost."""
    shared, calls, seen = Value(1.0), [], []
    tracing_again, moved = threading.Event(), threading.Event()

    def function(x):
        calls.append(1)
        if len(calls) == 2:
            tracing_again.set()
            moved.wait(2)
        return shared * x

    def move():
        tracing_again.wait(2)
        seen.append(shared.data)
        shared.data = 2.0
        moved.set()

    in_threads(lambda: compile(function)(X), move)
    assert seen == [1.0]
    assert shared.data == 2.0


@pytest.mark.parametrize("op", [op for op in OPERATIONS.values() if not op.scalars and op.name != "random"], ids=str)
def test_numbers_parameters_and_traced_numbers_stand_together_in_every_order(op):
    for kinds in itertools.product(["number", "parameter", "traced"], repeat=3):
        if "traced" not in kinds:
            continue
        parameters = [Value(1.0), Value(2.0), Value(0.5)]

        def function(x, kinds=kinds, parameters=parameters):
            chosen = zip(kinds, (1.0, 2.0, 0.5), parameters, (1.0 + 0.0 * x, x, 3.0 * x), strict=True)
            first, *rest = [{"number": n, "parameter": p, "traced": t}[kind] for kind, n, p, t in chosen]
            if op is dot:
                return [op([first, rest[0]], [rest[1], first])]
            if op.arguments == ("[values]",):
                return [op([first, *rest])]
            return [op(first, *rest) if op.collects else op(first, rest)]

        assert compiled_values(compile(function, backend="numpy")) == pytest.approx(
            [float(function(x)[0]) for x in X], rel=1e-14
        ), kinds


@pytest.mark.parametrize("op", [op for op in OPERATIONS.values() if op.scalars == 2], ids=str)
def test_methods_of_a_parameter_take_a_traced_number_and_refuse_an_array(op):
    p = Value(1.5, "p")
    program = compile(lambda x: [getattr(p, op.name)(x), getattr(x, op.name)(p)], backend="numpy")
    assert program(X).tolist() == [[op(1.5, x), op(x, 1.5)] for x in X]
    with pytest.raises(TypeError, match=f"{op.name} takes a real number, got array"):
        getattr(p, op.name)(np.array([1.0, 2.0]))


@pytest.mark.parametrize("function", [np.hypot, np.arctan2])
def test_functions_of_numpy_on_two_arrays_ask_the_first(function):
    p = Value(1.5, "p")
    program = compile(lambda x: [function(np.array([p]), np.array([x]))[0]], backend="numpy")
    assert compiled_values(program) == pytest.approx([float(function(1.5, x)) for x in X])
    with pytest.raises(TraceError, match=f"{function.__name__} asks its first argument"):
        compile(lambda x: function(2.0, x))(X)


def test_where_log_is_not_defined_both_branches_are_still_computed():
    """The known trap of where(): documented, the same compiled and eager."""
    from scalargrad.ops import less, where

    program = compile(lambda x: where(less(0.0, x), log(x * w), 0.0))
    assert program([0.0, 1.0]) == pytest.approx(math.log(3.0) / 2.0)
    assert np.isnan(program.value_and_grad([0.0, 1.0])[1]).all()
    assert compile(lambda x: take(0, (x * w, log(x))))([0.0]) == 0.0


def test_a_mistake_in_one_thread_does_not_lock_another():
    """One thread traces a function that calls a program, by mistake, while another thread calls that program."""
    inner, inside = compile(lambda x: w * x), threading.Event()

    def mistaken(x):
        inside.set()
        time.sleep(0.1)  # the other thread is now waiting for its turn to trace
        return inner([1.0]) * x

    def trace_the_mistake():
        with pytest.raises(TypeError, match="call the plain function"):
            compile(mistaken)(X)

    def call():
        inside.wait(5)
        assert inner(X) == 6.0

    in_threads(trace_the_mistake, call)


class Recording:
    """Keeps its last output, and reads how it was before only where it has just written it."""

    def __init__(self):
        self.weight, self.last, self.seen = Value(2.0), None, None

    def __call__(self, x):
        self.last = self.seen = self.weight * x
        return self.last + 1.0


def test_what_a_function_only_writes_down_does_not_trace_it_again():
    model = Recording()
    program = compile(model, backend="numpy")
    program(X)
    first = program.last
    for _ in range(2):
        model(1.0)  # eagerly: another Value in `last` and `seen`
        program(X)
        assert program.last is first


def test_a_length_that_changes_with_what_is_written_down_is_refused():
    outputs = []

    def function(x):
        outputs.append(x)
        return x * float(len(outputs))

    with pytest.raises(TraceError, match="two runs of the function differ"):
        compile(function, backend="numpy")(X)


def test_an_iterator_that_refers_to_itself_is_looked_at_once():
    class Endless:
        __slots__ = ("itself", "scale")

        def __init__(self):
            self.scale, self.itself = 2.0, self

        def __next__(self):
            return self.scale

    numbers_without_end = Endless()
    program = compile(lambda x: x * next(numbers_without_end), backend="numpy")
    assert program(X) == 4.0
    numbers_without_end.scale = 3.0
    assert program(X) == 6.0


def in_a_pool(work):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def in_a_thread(work):
    results = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    thread.join()
    return results[0]


@pytest.mark.parametrize("elsewhere", [in_a_pool, in_a_thread])
def test_work_in_another_thread_is_refused(elsewhere):
    """Neither its reads nor its errors are seen from here."""
    weight = Value(2.0)

    def swallowing(x):
        def work():
            try:
                return 2.0 if x > 0.0 else 3.0
            except TypeError:
                return 5.0

        return x * elsewhere(work)

    for function in (lambda x: x * elsewhere(lambda: SCALE), lambda x: x * elsewhere(lambda: weight.data), swallowing):
        with pytest.raises(TraceError, match=r"test_trace\.py:\d+: the function hands work to another thread"):
            compile(function, backend="numpy")(X)


class Counting:
    """A class that trains: `steps` is not what its loss reads."""

    def __init__(self):
        self.weight, self.steps, self.name = Value(2.0), 0, "weight"


@pytest.mark.parametrize(
    ("loss", "again"),
    [
        (lambda self, x: self.weight * x if hasattr(self, "weight") else x, False),
        (lambda self, x: getattr(self, "weight", 1.0) * x * (x if getattr(self, "bias", None) else 1.0), False),
        (lambda self, x: getattr(self, self.name[:3] + "ght") * x, True),
        (lambda self, x: getattr(self, self.name) * x, True),
        (lambda self, x: getattr(self, "weight" if x is self else "name".replace("name", self.name)) * x, True),
        (lambda self, x: functools.reduce(getattr, ["weight"], self) * x, True),
    ],
)
def test_only_names_that_are_computed_may_be_any(loss, again):
    model = Counting()
    program = compile(functools.partial(loss, model), backend="numpy")
    program(X)
    first = program.last
    model.steps += 1
    program(X)
    assert (program.last is not first) == again
    model.weight = Value(3.0)
    assert program(X) == 6.0


def test_an_object_at_the_end_of_a_long_chain_is_named_in_short():
    """Words for each object that repeat those before would grow with the square of their number."""
    first = last = types.SimpleNamespace(scale=2.0, following=None)
    for _ in range(100):
        last.following = types.SimpleNamespace(scale=2.0, following=None)
        last = last.following

    def function(x):
        place = first
        while place.following is not None:
            place = place.following
        return x * place.scale

    program = compile(function, backend="numpy")
    assert program(X) == 4.0
    last.scale = 3.0
    assert len(program.last.surroundings.changed()) < 200
    assert program(X) == 6.0


# An index that is computed from parameters alone.


def test_take_at_an_index_of_parameters_follows_them():
    place, shift = Value(1.0), Value(1.0)

    def function(x):
        return take(place, [x, 2.0 * x, 3.0 * x]) + take(place + shift, [x, 4.0 * x, 5.0 * x])

    program = compile(lambda x: [function(x)])
    assert compiled_values(program) == values_of(function)
    place.data, shift.data = 0.0, 2.0
    assert compiled_values(program) == values_of(function)
    place.data = 3.0
    with pytest.raises((IndexError, ValueError)):
        program(X)


def test_an_error_names_a_file_of_the_users_that_is_called_like_one_of_pythons(tmp_path, monkeypatch):
    helper = module(monkeypatch, tmp_path, "sched", "def loss(x):", "    return x if x > 0.0 else -x")
    with pytest.raises(TraceError, match=r"sched\.py:2: .*comparison"):
        compile(helper.loss)(X)
