"""The suite that every backend passes: compiled values and gradients against a plain eager loop over the rows."""

import itertools
import math
import random
import sys

import numpy as np
import pytest
from hypothesis import given, settings

from scalargrad import ops
from scalargrad.compiler import compile
from scalargrad.compiler.program import LANE, Kind
from scalargrad.engine import Value, gradients
from scalargrad.nn import MLP
from scalargrad.ops import OPERATIONS, batch_mean, dot, sqrt, tanh
from tests.compiler.backends.suite import COMPILED, EVERY_BACKEND, EVERY_PRECISION, INSTALLED, SINGLE
from tests.oracles.functions import (
    CASES,
    STYLES,
    Case,
    ConvolutionalNetwork,
    agree,
    attention,
    chain,
    check_against_the_loop,
    check_loss,
    flat,
    locally_connected,
    loop,
    network_in_style,
    numbers,
    planned,
    rolled,
    two_towers,
    weights,
)
from tests.oracles.mpmath import backward, deep, points
from tests.oracles.mpmath import flat as flat_args
from tests.oracles.programs import SETTINGS, check_random_program, is_subnormal, programs

# batch_mean alone looks at the other rows: it has tests of its own.
TABLE = pytest.mark.parametrize("op", [op for op in OPERATIONS.values() if op is not batch_mean], ids=str)


# Every operation of the table, over its edge cases.

LANES = (1, 7, 64, 1_000)
EDGES = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 1e-300, 5e-324, -5e-324, 1.7e308, -1.7e308, 40.0, 710.0, -745.0]
EDGES += [math.inf, -math.inf, math.nan]
WIDTH = 3  # of the operations that take a list


def edges(backend) -> list[float]:
    return [x for x in EDGES if backend != "jax" or not is_flushed(x)]


def is_flushed(x) -> bool:
    """XLA takes subnormal numbers for 0 on most processors, and exponentials too: there is nothing to compare there."""
    return is_subnormal(x) or x == -745.0


def same(backend, computed, expected, size):
    """As `agree`; what is subnormal, or a product of that, may be 0."""
    if backend == "jax":
        computed, expected = (math.copysign(0.0, x) if is_subnormal(x, 1e-304) else x for x in (computed, expected))
    return agree(computed, expected, size)


def edge_cases(op, backend) -> list[tuple]:
    """Argument lists: edges of every operand against each other, and ordinary points between them."""
    return [args for args in _edge_cases(op) if backend != "jax" or not any(map(is_flushed, flat_args(args)))]


def _edge_cases(op):
    source = random.Random(op.name)
    if op.name in ("take", "surprisal"):
        found = [(float(i), values) for values in _edge_lists(source, 400) for i in range(WIDTH)]
    elif op.name == "random":  # it counts in whole numbers
        found = [(tuple(float(source.choice((0, 1, 7, 2**31, 2**53))) for _ in range(4)),) for _ in range(100)]
    elif op.name in ("where", "clamp"):
        found = [(c, values[:2]) for c, values in itertools.product(EDGES, _edge_lists(source, 40))]
    elif op.scalars:
        found = list(itertools.product(EDGES, repeat=op.scalars))
    else:
        found = [tuple(_edge_list(source) for _ in op.arguments) for _ in range(600)]
    found += [args for args in points(op, 400) if len(flat_args(args)) == len(flat_args(found[0]))]
    source.shuffle(found)
    return found


def _edge_list(source):
    return tuple(source.choice(EDGES) for _ in range(WIDTH))


def _edge_lists(source, count):
    return [_edge_list(source) for _ in range(count)]


def arguments_like(args, operands):
    """Operands in a row, put together as the argument list `args` is."""
    following = iter(operands)
    return deep(lambda _: next(following), args)


def size_of_terms(op, args) -> float:
    """What the error of an operation's value is measured by: itself, or the sum of |terms| where it adds."""
    terms = {
        "sum": lambda xs: xs,
        "mean": lambda xs: xs,
        "dot": lambda ws, xs: [w * x for w, x in zip(ws, xs, strict=True)],
    }
    if op.name in terms:
        return sum(map(abs, terms[op.name](*args)))
    if op.name == "logsumexp":
        return max(map(abs, args[0])) + 1.0
    return abs(backward(op, args)[0])


def a_product_overflows(xs, ys) -> bool:
    return any(math.isinf(x * y) and math.isfinite(x) and math.isfinite(y) for x, y in zip(xs, ys, strict=True))


def windows(cases, lanes):
    """Batches of that many rows out of `cases`, which begin again where they end."""
    count = max(1, min(8 if lanes < 64 else 2, len(cases)))
    for number in range(count):
        start = number * max(1, len(cases) // count)
        yield [cases[(start + i) % len(cases)] for i in range(lanes)]


def rows_of(cases):
    return np.array([flat_args(args) for args in cases])


@pytest.mark.sampled(9)
@EVERY_BACKEND
@TABLE
def test_an_operation_gives_in_every_lane_what_it_gives_alone(op, backend):
    cases = edge_cases(op, backend)
    program = compile(lambda x: [op(*arguments_like(cases[0], x))], backend=backend)
    for lanes in LANES:
        for batch in windows(cases, lanes):
            found = program(rows_of(batch))
            assert found.shape == (lanes, 1)
            for args, computed in zip(batch, found[:, 0].tolist(), strict=True):
                if op.name == "dot" and a_product_overflows(*args):
                    continue  # fused with an addition it does not
                expected = float(backward(op, args)[0])
                tiny = 1e-300 if abs(expected) < 1e-300 else 0.0  # below the normal floats a last bit is much
                assert same(backend, computed, expected, size_of_terms(op, args) + tiny), (args, computed, expected)


@pytest.mark.sampled(9)
@EVERY_BACKEND
@TABLE
def test_the_gradient_of_an_operation_is_the_mean_over_the_lanes(op, backend):
    cases = edge_cases(op, backend)
    shift = [Value(-0.0) for _ in flat_args(cases[0])]  # -0.0 + x is x to the bit

    def loss(x):
        return op(*arguments_like(cases[0], [s + xi for s, xi in zip(shift, x, strict=True)]))

    program = compile(loss, backend=backend)
    for lanes in LANES:
        for batch in windows(cases, lanes):
            _, slopes = program.value_and_grad(rows_of(batch))
            found = dict(zip(program.parameters, slopes.tolist(), strict=True))
            expected = [backward(op, args)[1] for args in batch]
            for place, leaf in enumerate(shift):
                terms = [row[place] / lanes for row in expected]
                size = sum(map(abs, terms)) + 1e-300
                if math.isinf(size) and all(map(math.isfinite, terms)):
                    continue  # whether the sum overflows depends on its order
                computed = found.get(leaf, 0.0)
                assert same(backend, computed, sum(terms), size), (batch[:3], place, computed, sum(terms))


UNIFORM_AND_LANE = [op for op in OPERATIONS.values() if op.scalars == 2]


@pytest.mark.sampled(9)
@EVERY_BACKEND
@pytest.mark.parametrize("op", UNIFORM_AND_LANE, ids=str)
def test_an_operation_takes_parameters_beside_inputs(op, backend):
    for place in (0, 1):
        w = Value(0.0)
        values, loss = one_beside_another(op, w, 1 - place, backend)
        for w.data in edges(backend):
            found = values(np.array(edges(backend)))[:, 0].tolist()
            for x, computed in zip(edges(backend), found, strict=True):
                args = (w.data, x) if place == 0 else (x, w.data)
                expected, expected_slopes = backward(op, args)
                assert same(backend, computed, float(expected), abs(expected) + 1e-300), (args, computed, expected)
                slope, computed = expected_slopes[place], only(loss.value_and_grad(np.array([x]))[1])
                assert same(backend, computed, slope, abs(slope) + 1e-300), (args, computed, slope)


def one_beside_another(op, other, place, backend):
    """`op` of an input at that place and `other`: its values, and a loss. The input of the loss is moved by a leaf."""
    shift = Value(-0.0) if type(other) is float else None

    def args(x):
        return (x, other) if place == 0 else (other, x)

    values = compile(lambda x: [op(*args(x))], backend=backend)
    return values, compile(lambda x: op(*args(x if shift is None else shift + x)), backend=backend)


def only(slopes):
    """The gradient by the one parameter; 0 where it has no part in the program."""
    return slopes.tolist()[0] if len(slopes) else 0.0


@pytest.mark.sampled(9)
@EVERY_BACKEND
@pytest.mark.parametrize("number", [0.0, -0.0, 1.0, -1.0, 2.5, math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("op", UNIFORM_AND_LANE, ids=str)
def test_an_operation_takes_constants_beside_inputs(op, number, backend):
    for place in (0, 1):
        values, loss = one_beside_another(op, number, place, backend)
        found = values(np.array(edges(backend)))[:, 0].tolist()
        for x, computed in zip(edges(backend), found, strict=True):
            moved = Value(x)
            args = (moved, number) if place == 0 else (number, moved)
            expected = op(*args)
            assert same(backend, computed, expected.data, abs(expected.data) + 1e-300), (args, computed)
            slope, computed = gradients(expected, moved), only(loss.value_and_grad(np.array([x]))[1])
            assert same(backend, computed, slope, abs(slope) + 1e-300), (args, computed, slope)


@pytest.mark.long
@SINGLE
@TABLE
def test_an_operation_in_single_precision(op, backend):
    cases = [args for args in points(op, 400) if all(1e-3 < abs(x) < 50.0 for x in flat_args(args))][:100]
    lengths = {len(flat_args(args)) for args in cases}
    for length in sorted(lengths):
        batch = [deep(lambda x: float(np.float32(x)), args) for args in cases if len(flat_args(args)) == length]
        program = compile(lambda x, like=batch[0]: [op(*arguments_like(like, x))], dtype="float32", backend=backend)
        found = program(rows_of(batch))
        assert found.dtype == np.float32
        for args, computed in zip(batch, found[:, 0].tolist(), strict=True):
            expected = float(backward(op, args)[0])
            if 1e-30 < abs(expected) < 1e30:
                assert agree(computed, expected, size_of_terms(op, args), "float32"), (args, computed, expected)


@pytest.mark.sampled(2)
@EVERY_PRECISION
def test_random_numbers_are_the_same_to_the_bit_everywhere(backend, dtype):
    """In float32 it is the first 24 bits of the number. The counters, a seed of nine digits too, are never rounded."""
    for seed in (0, 1, 123_456_789, 2**40):
        program = compile(lambda x: [ops.random(seed, x, 3, 0.0)], backend=backend, dtype=dtype)  # noqa: B023
        found = program(np.arange(1_000))[:, 0].astype(dtype)
        expected = np.array([ops.random(seed, row, 3, 0.0) for row in range(1_000)])
        if dtype == "float32" and backend != "eager":  # eager computes in doubles, and rounds its results
            expected = np.floor(expected * 2.0**24) / 2.0**24
        expected = expected.astype(dtype)
        assert (found == expected).all()


@EVERY_BACKEND
def test_what_is_flat_still_passes_on_nan(backend):
    condition, factor, x = Value(1.0), Value(3.0), np.array([2.0])
    for function in (
        lambda x: ops.log(ops.where(condition, 0.0 * x, x)),  # inf arrives, and 0 * inf is nan
        lambda x: ops.log((factor * x) * 0.0),
        lambda x: ops.log(ops.take(0, ((factor * x) * 0.0, x))),
    ):
        program = compile(function, backend=backend)
        _, slopes = program.value_and_grad(x)
        (loss,) = loop(function, x)
        found = dict(zip(program.parameters, slopes.tolist(), strict=True))
        for leaf in (condition, factor):
            expected = gradients(loss, leaf)
            assert agree(found.get(leaf, 0.0), expected, abs(expected)), (leaf, found)


def products_with_an_infinite_weight():
    first, second = (np.vectorize(Value)(np.arange(9.0 + 3 * more).reshape(-1, 3) - 4.0) for more in (0, 1))
    second[0, 1].data = math.inf

    def function(*x):
        hidden = [dot(tuple(row), x) for row in first]
        outputs = [dot(tuple(row), tuple(hidden)) for row in second]
        return ops.less(outputs[0], 0.0) * 2.0 + outputs[1] + outputs[2] * outputs[2] + outputs[3]

    return function, [*first.flat, *second.flat]


def means_with_a_slope_of_infinity():
    scales = [Value(float(i)) for i in range(3)]

    def function(*x):
        means = [batch_mean(ops.log(scale * number)) for scale, number in zip(scales, x, strict=True)]
        return ops.less(means[0], 0.0) + x[0] * means[1] + x[1] * means[2]

    return function, scales


@EVERY_BACKEND
@pytest.mark.parametrize("make", [products_with_an_infinite_weight, means_with_a_slope_of_infinity])
def test_no_gradient_goes_where_none_arrives(make, backend):
    """What only a predicate reads gets nothing, and not 0, which an infinite partial makes nan."""
    function, leaves = make()
    row = (1.0, 2.0, 3.0)
    program = compile(lambda x: function(*x), backend=backend)
    _, slopes = program.value_and_grad(np.array([row]))
    found = dict(zip(program.parameters, slopes.tolist(), strict=True))
    loss = function(*row)
    for leaf in leaves:
        expected = gradients(loss, leaf)
        assert agree(found.get(leaf, 0.0), expected, abs(expected)), leaf


@EVERY_BACKEND
@settings(max_examples=6, **SETTINGS)
@given(program=programs())
def test_random_programs(program, backend):
    check_random_program(program, backend)


@pytest.mark.long
@SINGLE
@settings(max_examples=15, **SETTINGS)
@given(program=programs(margin=1e-3))
def test_random_programs_in_single_precision(program, backend):
    check_random_program(program, backend, "float32")


@pytest.mark.long
@pytest.mark.parametrize("backend", [*INSTALLED, "javascript"])
@settings(max_examples=400, **SETTINGS)
@given(program=programs())
def test_many_random_programs(program, backend):
    check_random_program(program, backend)


@pytest.mark.long
@pytest.mark.parametrize("backend", ["jax"])
@settings(max_examples=50, **SETTINGS)  # XLA takes half a second for each
@given(program=programs())
def test_more_random_programs(program, backend):
    check_random_program(program, backend)


# Losses, networks, and graphs of other shapes.


@pytest.mark.sampled(9)
@EVERY_PRECISION
@pytest.mark.parametrize("name", CASES)
def test_a_function_gives_what_the_loop_gives(name, backend, dtype):
    case = CASES[name]()
    check_against_the_loop(compile(case.function, backend=backend, dtype=dtype), case, dtype)


@pytest.mark.sampled(3)
@EVERY_BACKEND
@pytest.mark.parametrize("style", STYLES)
def test_a_network_in_any_style_gives_what_the_loop_gives(style, backend):
    case = network_in_style(style)
    check_against_the_loop(compile(case.function, backend=backend), case)


@COMPILED
@pytest.mark.parametrize("rows", LANES)
def test_any_number_of_rows_is_served_by_one_program(rows, backend):
    case = CASES["2-16-16-1"]()
    program = compile(case.function, backend=backend)
    program(*case.arrays)
    arrays = numbers(rows, 2, seed=rows), numbers(rows, seed=rows + 1)
    assert program.value_and_grad(*arrays)[0] == pytest.approx(program(*arrays), rel=1e-12)
    if rows < 1_000:
        check_against_the_loop(program, case._replace(arrays=arrays))
    assert program(*case.arrays) == compile(case.function, backend=backend)(*case.arrays)


@pytest.mark.sampled(3)
@EVERY_BACKEND
@pytest.mark.parametrize("rows", [1, 2, 7])
def test_batch_mean_is_the_mean_over_the_rows_and_its_gradient_crosses_them(rows, backend):
    w, v = weights(3), weights(2, seed=1)
    x, y = numbers(rows, 3, seed=2), numbers(rows, seed=3)

    def standardised(h, average):
        centre = average(h)
        deviations = [hi - ci for hi, ci in zip(h, centre, strict=True)]
        spread = average([d * d for d in deviations])
        return [d / sqrt(s + 1e-2) for d, s in zip(deviations, spread, strict=True)]

    def over_lanes(column):
        return [batch_mean(column[0])]

    def loss(x, y):
        (h,) = standardised([dot(w, x)], over_lanes)
        (h,) = standardised([tanh(h * v[0] + v[1])], over_lanes)
        return (h - y) ** 2 + batch_mean(h * y) * batch_mean(v[0])

    def over_rows(column):
        return [ops.mean(column)] * rows

    rows_of_inputs = [tuple(map(Value, row)) for row in x.tolist()]
    h = standardised([dot(w, row) for row in rows_of_inputs], over_rows)
    h = standardised([tanh(hi * v[0] + v[1]) for hi in h], over_rows)
    common = ops.mean([hi * yi for hi, yi in zip(h, y.tolist(), strict=True)]) * v[0]
    expected = ops.mean([(hi - yi) ** 2 + common for hi, yi in zip(h, y.tolist(), strict=True)])
    program = compile(loss, backend=backend)
    check_loss(program, Case(loss, [*w, *v], (x, y)), expected)


@EVERY_BACKEND
def test_backward_adds_to_the_gradients(backend):
    case = CASES["2-16-16-1"]()
    program = compile(case.function, backend=backend)
    value = program.backward(*case.arrays)
    once = [p.grad for p in case.parameters]
    assert program.backward(*case.arrays) == value
    assert [p.grad for p in case.parameters] == [slope + slope for slope in once]
    assert any(once)


@EVERY_BACKEND
def test_results_keep_the_shape_of_the_lists(backend):
    w = Value(2.0)
    x = numbers(4, 3)
    for shape, function in {
        (): lambda x: w * x[0],
        (1,): lambda x: [w * x[0]],
        (3,): lambda x: tuple(w * xi for xi in x),
        (2, 3): lambda x: [[w * xi for xi in x], [w, 1.0, x[0]]],
        (0,): lambda x: [],
    }.items():
        found = compile(function, backend=backend)(x)
        assert np.shape(found) == ((4, *shape) if shape else ())
        if shape:
            assert found.tolist() == [[float(v) for v in flat(row)] for row in loop(function, x)] or len(shape) > 1


@EVERY_BACKEND
def test_results_that_do_not_depend_on_the_sample(backend):
    w = Value(3.0)
    x = numbers(4)
    for function, value, slopes in (
        (lambda x: 2.5, 2.5, []),
        (lambda x: w * w, 9.0, [6.0]),
        (lambda x: batch_mean(x * w), 3.0 * x.mean(), [x.mean()]),
    ):
        program = compile(function, backend=backend)
        assert program(x) == pytest.approx(value, rel=1e-14)
        found, gradient = program.value_and_grad(x)
        assert found == pytest.approx(value, rel=1e-14)
        assert gradient.tolist() == pytest.approx(slopes, rel=1e-14)


@EVERY_BACKEND
def test_results_are_not_overwritten_by_the_next_call(backend):
    w = Value(2.0)
    program = compile(lambda x: [w * x], backend=backend)
    first = program(np.ones(3))
    program(np.zeros(3))
    assert first.tolist() == [[2.0]] * 3
    squared = compile(lambda x: (w * x) ** 2, backend=backend)
    _, slopes = squared.value_and_grad(np.ones(3))
    squared.value_and_grad(np.zeros(3))
    assert slopes.tolist() == [4.0]


@EVERY_BACKEND
def test_nan_stays_in_its_row(backend):
    model = MLP(2, [8, 3], activation="tanh", rng=0)
    program = compile(lambda x: model(x), backend=backend)
    x = numbers(64, 2)
    clean = program(x)
    for spoiled in (0, 31, 63):
        for number in (math.nan, math.inf):
            dirty = x.copy()
            dirty[spoiled, 0] = number
            found = program(dirty)
            others = np.arange(64) != spoiled
            assert (found[others] == clean[others]).all()


@pytest.mark.sampled(3)
@EVERY_PRECISION
def test_programs_compiled_twice_give_equal_bits(backend, dtype):
    for name in ("2-16-16-1", "attention", "overlapping groups", "cross-entropy"):
        case = CASES[name]()
        first, second = (compile(case.function, backend=backend, dtype=dtype) for _ in range(2))
        assert first(*case.arrays).hex() == second(*case.arrays).hex()
        (value, slopes), (value_again, slopes_again) = (p.value_and_grad(*case.arrays) for p in (first, second))
        assert value.hex() == value_again.hex()
        assert slopes.tobytes() == slopes_again.tobytes()
        assert first.value_and_grad(*case.arrays)[1].tobytes() == slopes.tobytes()
        assert first.parameters == second.parameters


@EVERY_BACKEND
def test_gradients_of_a_network_are_pytorchs(backend, torch):
    model = MLP(3, [16, 16, 4], activation="tanh", rng=0)
    x, labels = numbers(20, 3), np.arange(20) % 4
    program = compile(lambda x, y: ops.logsumexp(model(x)) - ops.take(y, model(x)), backend=backend)
    value, slopes = program.value_and_grad(x, labels)
    arrays = {name: torch.tensor(array, requires_grad=True) for name, array in model.state_dict().items()}
    outputs = torch.tensor(x)
    for layer in range(3):
        outputs = outputs @ arrays[f"layers.{layer}.weight"].T + arrays[f"layers.{layer}.bias"]
        outputs = torch.tanh(outputs) if layer < 2 else outputs
    expected = torch.nn.functional.cross_entropy(outputs, torch.tensor(labels))
    expected.backward()
    found = dict(zip(program.parameters, slopes.tolist(), strict=True))
    assert value == pytest.approx(expected.item(), abs=1e-10)
    for name, nested in model.named_arrays():
        ours = [found[p] for p in flat(nested)]
        assert ours == pytest.approx(arrays[name].grad.ravel().tolist(), abs=1e-10), name


@EVERY_BACKEND
def test_training_moves_as_the_loop_does(backend):
    compiled, eager = (CASES["2-16-16-1"]() for _ in range(2))
    program = compile(compiled.function, backend=backend)
    for _ in range(3):
        program.backward(*compiled.arrays)
        ops.mean(loop(eager.function, *eager.arrays)).backward()
        for p in (*compiled.parameters, *eager.parameters):
            p.data -= 0.1 * p.grad
            p.grad = 0.0
    for p, q in zip(compiled.parameters, eager.parameters, strict=True):
        assert p.data == pytest.approx(q.data, rel=1e-12, abs=1e-13)


# What the scalars roll into. No number here depends on the backend.


def contractions(instructions):
    """(weight rows, terms of a dot, input rows) of every contraction, in order."""
    return [(*i.args[0].rows.shape, len(i.args[1].rows)) for i in instructions if i.kind is Kind.CONTRACT]


@pytest.mark.parametrize(
    ("style", "bias"),
    [("dots", 0), ("the bias last", 0), ("object arrays", 0), ("one operation at a time", 1)],
)
def test_every_style_of_neuron_rolls_into_one_contraction_a_layer(style, bias):
    """A sum that starts with the bias, as micrograd's, is a dot with one more term: bias times 1."""
    found = contractions(rolled(network_in_style(style)).instructions)
    assert found == [(16, 2 + bias, 1), (16, 16 + bias, 1), (1, 16 + bias, 1)]


def test_attention_scores_roll_into_contractions_of_lanes_with_lanes():
    instructions = rolled(attention()).instructions
    lane_by_lane = [i for i in instructions if i.kind is Kind.CONTRACT and {t.bank for t in i.args} == {LANE}]
    assert (3, 4, 3) in contractions(lane_by_lane)
    assert contractions(instructions)[0] == (12, 2, 3)  # query, key and content read the same tokens


def test_a_locally_connected_layer_is_a_contraction_for_each_window_or_one_table_of_dots():
    few, many = (rolled(locally_connected(positions)).instructions for positions in (3, 40))
    assert contractions(few) == [(2, 3, 1)] * 3  # two rows of weights for each window
    assert contractions(many) == []
    (table,) = (i for i in many if i.op and i.op.name == "dot")
    assert table.count == 80


def test_two_towers_that_share_their_inputs_are_one_contraction():
    assert contractions(rolled(two_towers()).instructions)[0] == (7, 3, 1)


@pytest.mark.parametrize("style", STYLES)
def test_the_number_of_instructions_does_not_grow_with_the_width(style):
    layer = STYLES[style]

    def count(width):
        rows, biases = weights(width, width, seed=1), weights(width, seed=2)

        def loss(x):
            return dot(tuple(map(tanh, layer(rows, biases, x))), biases)

        return len(planned(Case(loss, [], (numbers(2, width),))).instructions)

    assert count(5) == count(24)


@pytest.mark.parametrize("count", [100, pytest.param(1_000, marks=pytest.mark.long)])
def test_irregular_graphs_have_an_instruction_for_each_depth_and_operation(count):
    """Random expressions: however many scalars there are."""
    names, depth, w = ("add", "mul", "sub", "tanh", "sin"), 6, weights(8)
    patterns = 4  # uniform or lane, for both operands

    def loss(x):
        source, terms = random.Random(1), [*x, *w]
        for _ in range(depth):
            drawn = [OPERATIONS[source.choice(names)] for _ in range(count)]
            terms = [op(*(source.choice(terms) for _ in range(op.scalars))) for op in drawn]
        return ops.mean(terms)

    case = Case(loss, list(w), (numbers(3, 8),))
    assert len(rolled(case).instructions) <= (depth + 2) * len(names) * patterns
    check_against_the_loop(compile(loss), case)


def test_a_chain_deeper_than_python_recurses_compiles():
    case = chain(sys.getrecursionlimit() + 100)
    check_against_the_loop(compile(case.function), case)


@pytest.mark.long
def test_a_chain_10000_deep_compiles():
    case = chain(10_000)
    check_against_the_loop(compile(case.function), case)


CONTRACTIONS = [(16, 9, 676), (32, 144, 576), (10, 32, 576), (16, 90, 100), (16, 144, 64), (16, 144, 36), (16, 144, 36)]


@pytest.mark.long
def test_a_convolution_is_a_contraction_of_kernels_and_patches():
    """One 28x28 image: 13,808 parameters, about 200,000 scalars. How long it takes is in benchmarks/compile_time.py."""
    network = ConvolutionalNetwork()
    assert len(network.parameters()) == 13_808
    program = rolled(Case(network, [], (np.zeros((1, 28, 28)), np.zeros(1))))
    assert 180_000 < program.scalars < 240_000
    assert contractions(program.instructions) == [*CONTRACTIONS, (10, 16, 1)]
    assert len(program.instructions) < 200
    assert sum(i.work for i in program.instructions if i.kind is Kind.CONTRACT) == 3_393_376


# What is printed.


def test_a_program_prints_how_its_neurons_became_contractions():
    model = MLP(2, [16, 16, 1], rng=0)
    program = compile(lambda x, y: (model(x) - y) ** 2)
    assert "not called yet" in str(program)
    program(numbers(5, 2), numbers(5))
    for words in ("contract [16, 2]", "contract [16, 16]", "layers.0", "layers.1", "layers.2"):
        assert words in str(program)
    assert len(program.full.splitlines()) > 10
