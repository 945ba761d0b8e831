"""Each pass of the compiler by itself: what it does, its verifier, and that planted bugs are caught."""

import math
import random
from dataclasses import replace

import numpy as np
import pytest

from scalargrad.compiler import compile, variants
from scalargrad.compiler import differentiate as differentiate_module
from scalargrad.compiler import plan as plan_module
from scalargrad.compiler import roll as roll_module
from scalargrad.compiler import simplify as simplify_module
from scalargrad.compiler.backends import reference
from scalargrad.compiler.differentiate import differentiate
from scalargrad.compiler.plan import plan
from scalargrad.compiler.program import LANE, UNIFORM, Instruction, Kind, Program, Table
from scalargrad.compiler.roll import roll
from scalargrad.compiler.scalars import ScalarProgram
from scalargrad.compiler.simplify import simplify, without_dead_terms
from scalargrad.compiler.trace import trace
from scalargrad.engine import Value
from scalargrad.ops import OPERATIONS, batch_mean, dot, exp, maximum, mean, sin, take, tanh
from tests.oracles.functions import (
    CASES,
    Case,
    check_against_the_loop,
    flat,
    loop,
    network_in_style,
    numbers,
    planned,
    rolled,
    simplified,
    weights,
)

SMALL = ["2-16-16-1", "attention", "overlapping groups", "embedding", "two towers", "locally connected"]


def scalars_of(function, *shapes):
    return simplify(trace(function, list(shapes) or [()], [None] * max(1, len(shapes))))


def counts(scalars):
    """How many terms there are of each operation."""
    names = [op.name for op in scalars.ops if op]
    return {name: names.count(name) for name in set(names)}


# trace


def test_a_trace_has_each_operation_once_in_the_order_of_the_function():
    w = Value(2.0)
    result = trace(lambda x, y: sin(x) * w + y, [(), ()], [None, None])
    assert [t.op and t.op.name for t in result.tracers] == [None, None, "sin", "mul", "add"]
    assert [len(flat_inputs) for flat_inputs in result.inputs] == [1, 1]
    assert result.result is result.tracers[-1]


def test_inputs_come_nested_as_the_array_is_in_c_order():
    result = trace(lambda x: x[1][2], [(2, 3)], [None])
    assert result.result is result.inputs[0][5]


def test_tuples_that_operations_share_stay_shared():
    w, v = weights(3), weights(3, seed=1)
    result = trace(lambda x: dot(w, x) * dot(v, x), [(3,)], [None])
    dots = [t for t in result.tracers if t.op is dot]
    assert dots[0].second is dots[1].second


# simplify


def test_equal_terms_are_one_and_unused_terms_are_gone():
    w = Value(2.0)
    scalars = scalars_of(lambda x: (exp(x * w), sin(x) + tanh(x), exp(x * w) * exp(x * w))[2])
    assert counts(scalars) == {"mul": 2, "exp": 1}


def test_a_program_of_which_nothing_is_dead_stays_as_it_is():
    w = weights(3)
    scalars = scalars_of(lambda x: dot(w, x) + 1.0, (3,))
    assert without_dead_terms(scalars) is scalars
    scalars.results = [scalars.ops.index(dot)]  # the addition is dead now
    assert counts(without_dead_terms(scalars)) == {"dot": 1}


def test_constants_are_computed():
    scalars = scalars_of(lambda x: x * (Value(2.0) * 3.0 + exp(Value(0.0))) + mean([Value(1.0), 2.0]))
    assert counts(scalars) == {"mul": 1, "add": 1}
    assert sorted(leaf[1] for leaf in scalars.leaves.values() if leaf[0] == "constant") == [1.5, 7.0]


def test_parameters_are_never_constants_and_0_times_x_stays():
    w = Value(0.0)
    assert counts(scalars_of(lambda x: w * x + 0.0 * x)) == {"mul": 2, "add": 1}


NEUTRAL = {
    "x * 1": lambda x: x * 1.0,
    "1 * x": lambda x: 1.0 * x,
    "x / 1": lambda x: x / 1.0,
    "x ** 1": lambda x: x**1.0,
    "x + -0.0": lambda x: x + -0.0,
    "-0.0 + x": lambda x: -0.0 + x,
    "x - 0.0": lambda x: x - 0.0,
}
NOT_NEUTRAL = {
    "x + 0.0": lambda x: x + 0.0,  # -0.0 + 0.0 is 0.0
    "0.0 + x": lambda x: 0.0 + x,
    "x - -0.0": lambda x: x - -0.0,
    "0.0 - x": lambda x: 0.0 - x,
    "x * 0": lambda x: x * 0.0,  # nan and inf
    "x ** 0": lambda x: x**0.0 * x,
    "x * -1": lambda x: x * -1.0,
    "1 / x": lambda x: 1.0 / x,
    "x - x": lambda x: x - x,
    "x / x": lambda x: x / x,
}
AWKWARD = np.array([0.0, -0.0, 1.0, -1.5, math.inf, -math.inf, math.nan, 5e-324, 1.7e308])


@pytest.mark.parametrize("name", NEUTRAL)
def test_an_operation_that_changes_no_bit_is_gone(name):
    assert counts(scalars_of(NEUTRAL[name])) == {}


@pytest.mark.parametrize("name", NEUTRAL | NOT_NEUTRAL)
def test_no_rewrite_changes_a_bit(name):
    function = (NEUTRAL | NOT_NEUTRAL)[name]
    assert same_bits(compile(lambda x: [function(x)])(AWKWARD)[:, 0], [v.data for v in loop(function, AWKWARD)])


@pytest.mark.parametrize("name", NOT_NEUTRAL)
def test_an_operation_that_changes_a_bit_stays(name):
    assert counts(scalars_of(NOT_NEUTRAL[name])) != {}


def same_bits(found, expected):
    return all(
        (math.isnan(x) and math.isnan(y)) or (x == y and math.copysign(1.0, x) == math.copysign(1.0, y))
        for x, y in zip(found, expected, strict=True)
    )


def test_constants_are_told_apart_by_their_bits():
    scalars = scalars_of(lambda x: [x + 0.0, 1.0 / (x * 0.0), x * -0.0, x + math.nan, x * math.nan])
    constants = [leaf[1].hex() for leaf in scalars.leaves.values() if leaf[0] == "constant"]
    assert sorted(constants) == sorted([(0.0).hex(), (-0.0).hex(), (1.0).hex(), math.nan.hex()])


CHAINS = {
    "a sum of products": (lambda w, x: sum((a * b for a, b in zip(w, x, strict=True)), 0), {"dot": 1, "add": 1}),
    "a bias first": (lambda w, x: sum((a * b for a, b in zip(w[1:], x, strict=False)), w[0]), {"dot": 1}),
    "a bias last": (lambda w, x: w[0] * x[0] + w[1] * x[1] + w[2], {"dot": 1, "add": 1}),
    "a sum": (lambda w, x: x[0] + x[1] + x[2] + x[3], {"sum": 1}),
    "products, then a sum": (lambda w, x: w[0] * x[0] + w[1] * x[1] + x[2] + x[3] + w[3], {"dot": 1, "sum": 1}),
    "one product": (lambda w, x: w[0] * x[0] + x[1], {"mul": 1, "add": 1}),
    "to the right": (lambda w, x: x[0] + (x[1] + (x[2] + x[3])), {"add": 3}),
    "a part used twice": (lambda w, x: [(x[0] + x[1] + x[2]) + x[3], x[0] + x[1] + x[2]], {"add": 3}),
    "twice the same": (lambda w, x: (x[0] + x[1]) + (x[0] + x[1]), {"add": 2}),
}


@pytest.mark.parametrize("name", CHAINS)
def test_chains_become_dots_and_sums_that_add_in_the_same_order(name):
    function, expected = CHAINS[name]
    w = weights(4)
    found = counts(scalars_of(lambda x: function(w, x), (4,)))
    assert found == expected
    rows = numbers(50, 4, low=-1e3, high=1e3)
    rows[::7] *= 1e-12
    rows[3], rows[4] = -0.0, [math.inf, -math.inf, 0.0, -0.0]
    scalars = scalars_of(lambda x: function(w, x), (4,))
    for row in rows.tolist():
        expected = [v.data for v in flat(function(w, tuple(map(Value, row))))]
        assert same_bits(evaluated(scalars, row), expected)

    def loss(x):
        result = function(w, x)
        return mean(result) if isinstance(result, list) else result

    case = Case(loss, list(w), (numbers(5, 4),))
    check_against_the_loop(compile(case.function), case)


def test_chains_add_from_left_to_right_to_the_bit():
    """Evaluated term by term, the simplified program gives the bits of the function."""
    source = random.Random(0)
    for _ in range(200):
        kinds = [source.choice("pxc") for _ in range(source.randint(2, 7))]

        def function(x, kinds=kinds):
            terms = [{"p": x[i] * x[i + 1], "x": x[i], "c": Value(0.0)}[kind] for i, kind in enumerate(kinds)]
            total = terms[0]
            for term in terms[1:]:
                total = total + term
            return total

        case = Case(function, [], (np.zeros((1, 8)),))
        row = [source.choice((0.0, -0.0, 1e16, -1e16, 1.0, 3.0, 0.1)) for _ in range(8)]
        assert same_bits(evaluated(simplified(case), row), [function(tuple(map(Value, row))).data])


def evaluated(scalars, row):
    """The results of a scalar program for one row of inputs, with the table's formulas."""
    numbers_of: list = []
    for term, op in enumerate(scalars.ops):
        if op is None:
            kind, *what = scalars.leaves[term]
            numbers_of.append(row[what[1]] if kind == "input" else what[0] if kind == "constant" else what[0].data)
        else:
            args = [
                tuple(numbers_of[x] for x in scalars.groups[-1 - a]) if a < 0 else numbers_of[a]
                for a in scalars.args[term]
            ]
            numbers_of.append(float(op.compute(*args)))
    return [numbers_of[term] for term in scalars.results]


def test_the_verifier_of_scalars_sees_a_use_before_its_term():
    scalars = scalars_of(lambda x: sin(x) + exp(x))
    scalars.verify()
    last = len(scalars.ops) - 1
    for wrong in ((last, 0), (last + 5, 0)):
        broken = ScalarProgram(scalars.ops, [*scalars.args[:-1], wrong], scalars.groups, scalars.leaves, [last])
        with pytest.raises(AssertionError, match="before it is computed"):
            broken.verify()
    with pytest.raises(AssertionError, match="neither a leaf nor an operation"):
        ScalarProgram([None], [()], [], {}, [0]).verify()
    with pytest.raises(AssertionError):
        ScalarProgram(scalars.ops, scalars.args, scalars.groups, scalars.leaves, [last + 1]).verify()


def test_scalars_print_readably():
    w = Value(2.0, "w")
    scalars = scalars_of(lambda x: dot((w, w), (x, x)) + 1.0)
    assert "1 dot" in str(scalars)
    assert "parameter w" in scalars.listing()
    assert any(line.endswith("= dot (%1 %1) (%0 %0)") for line in scalars.listing().splitlines())


# roll


@pytest.mark.parametrize("name", CASES)
def test_the_rolled_program_passes_its_verifier_and_reads_every_term_once(name):
    case = CASES[name]()
    scalars = simplified(case)
    program = roll(scalars, [int(np.prod(np.shape(a)[1:])) for a in case.arrays])
    program.verify()
    made = sum(i.count for i in program.instructions if i.kind not in (Kind.BROADCAST, Kind.LANE_SUM, Kind.CONSTANT))
    assert made == sum(op is not None for op in scalars.ops) or "batch_mean" in counts(scalars)


def test_buckets_are_split_into_components():
    a, b = weights(3, 4, seed=1), weights(2, 4, seed=2)

    def function(x, y):
        return mean([tanh(dot(r, x)) for r in a] + [tanh(dot(r, y)) for r in b])

    program = rolled(Case(function, [], (numbers(1, 4), numbers(1, 4))))
    shapes = sorted(
        (*i.args[0].rows.shape, len(i.args[1].rows)) for i in program.instructions if i.kind is Kind.CONTRACT
    )
    assert shapes == [(2, 4, 1), (3, 4, 1)]


def test_a_bucket_with_a_hole_is_no_contraction():
    w = weights(2, 3)

    def function(x):
        windows = x[:3], x[3:]
        return mean([dot(w[0], windows[0]), dot(w[0], windows[1]), dot(w[1], windows[0])])

    case = Case(function, flat(w), (numbers(4, 6),))
    assert [i.kind for i in rolled(case).instructions if i.op is dot] == [Kind.MAP]
    check_against_the_loop(compile(function), case)


# The verifier of array programs.


def changed(program, place, **fields):
    """The program with one instruction different."""
    instructions = list(program.instructions)
    instructions[place] = replace(instructions[place], **fields)
    return replace(program, instructions=instructions)


@pytest.mark.parametrize("name", SMALL)
def test_the_verifier_sees_rows_read_too_early_counts_and_banks(name):
    program = planned(CASES[name]())
    program.verify()
    broken = 0
    for place, instruction in enumerate(program.instructions):
        mistakes = [{"count": instruction.count + 1}, {"first": instruction.first + 1}]
        if instruction.kind is not Kind.CONSTANT:
            table = instruction.args[0]
            own = Table(instruction.bank, np.full_like(table.rows, instruction.first))
            mistakes.append({"args": (own, *instruction.args[1:])})
            mistakes.append({"args": (Table(table.bank, table.rows - 10_000), *instruction.args[1:])})
            mistakes.append({"args": (Table(table.bank, table.rows[:-1]), *instruction.args[1:])})
        for mistake in mistakes:
            print(instruction, mistake)  # for the one that the verifier does not see
            with pytest.raises((AssertionError, ValueError)):
                changed(program, place, **mistake).verify()
            broken += 1
    assert broken > 20
    for output in ("result", "mean", "gradient"):
        with pytest.raises(AssertionError, match="never computed"):
            replace(program, **{output: Table(UNIFORM, np.array([10_000]))}).verify()
    with pytest.raises(AssertionError):
        replace(program, lane_rows=program.lane_rows + 1).verify()


def test_the_verifier_sees_lanes_that_go_into_a_uniform_row():
    program = Program([2], [], [], lane_rows=2, uniform_rows=1)
    program.append(Instruction(Kind.MAP, UNIFORM, 1, (Table(LANE, np.array([0])),), OPERATIONS["exp"]))
    with pytest.raises(AssertionError, match="lanes into a uniform row"):
        program.verify()


def test_the_verifier_sees_an_operation_with_the_wrong_number_of_operands():
    program = Program([2], [], [], lane_rows=2, uniform_rows=1)
    program.append(Instruction(Kind.MAP, LANE, 1, (Table(LANE, np.array([0])),), OPERATIONS["add"]))
    with pytest.raises(AssertionError):
        program.verify()


# differentiate and plan


@pytest.mark.parametrize("name", CASES)
def test_gradients_and_plans_pass_the_verifier(name):
    case = CASES[name]()
    program = differentiate(rolled(case))
    program.verify()
    assert len(program.gradient.rows) == len(program.parameters)
    shorter = plan(program)
    shorter.verify()
    assert len(shorter.instructions) <= len(program.instructions)
    assert set(shorter.parameters) == set(program.parameters)


def test_what_only_the_data_needs_gets_no_gradient():
    w = Value(2.0)
    program = planned(Case(lambda x: sin(exp(tanh(x))) * w, [w], (numbers(3),)))
    assert not any(i.backward and i.op and i.op.name in ("cos", "exp", "sigmoid") for i in program.instructions)


def test_a_plan_puts_the_weights_of_a_layer_into_one_block():
    program = planned(network_in_style("dots"))
    weights_of = [i.args[0].rows for i in program.instructions if i.kind is Kind.CONTRACT and not i.backward]
    assert all((np.diff(rows.ravel()) == 1).all() for rows in weights_of)


def test_an_instruction_that_nobody_reads_is_dropped():
    program = rolled(Case(lambda x: x * 2.0, [], (numbers(3),)))
    fresh = replace(program, instructions=list(program.instructions))
    fresh.append(Instruction(Kind.MAP, LANE, 1, (Table(LANE, np.array([0])),), OPERATIONS["exp"]))
    fresh.verify()
    assert [i.op.name for i in plan(fresh).instructions] == ["mul"]


@pytest.mark.parametrize("name", CASES)
def test_the_same_function_gives_the_same_program(name):
    case = CASES[name]()
    assert planned(case).full == planned(case).full


def test_a_table_is_a_range_where_its_rows_are_evenly_spaced():
    for rows, expected in (([3, 4, 5], slice(3, 6, 1)), ([3, 5, 7], slice(3, 8, 2)), ([3, 4, 6], None), ([5, 4], None)):
        assert Table(LANE, np.array(rows)).range == expected
    assert Table(LANE, np.array([7])).range == slice(7, 8, 1)
    assert Table(LANE, np.array([[1, 2]])).range is None
    assert Table(LANE, np.array([], dtype=int)).range is None


# Planted bugs: the suite's check goes red.


def suite(backend="native"):
    """A few cases of test_backends.py that together use every transpose."""
    for name in ("2-16-16-1", "attention", "overlapping groups", "cross-entropy", "locally connected", "embedding"):
        case = CASES[name]()
        check_against_the_loop(compile(case.function, backend=backend), case)
    w = Value(0.5)
    for x in (-0.0, 0.0):
        found = compile(lambda x: [1.0 / (x + -0.0), 1.0 / (0.0 + x), 1.0 / (x * 1.0)], backend=backend)(np.array([x]))[
            0
        ].tolist()
        assert found == [math.copysign(math.inf, x), math.inf, math.copysign(math.inf, x)]
    case = Case(lambda x: (x + (Value(2.0) - Value(3.0)) * w) ** 2 + maximum(w, w, x), [w], (numbers(4),))
    check_against_the_loop(compile(case.function, backend=backend), case)
    x = numbers(4)
    value, slopes = compile(lambda x: batch_mean(tanh(w * x)) * x + w, backend=backend).value_and_grad(x)
    mean_of = np.tanh(0.5 * x).mean()
    assert value == pytest.approx(mean_of * x.mean() + 0.5, rel=1e-12)
    assert slopes[0] == pytest.approx(((1.0 - np.tanh(0.5 * x) ** 2) * x).mean() * x.mean() + 1.0, rel=1e-12)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("backend", ["numpy", "native"])
def test_the_checks_of_the_planted_bugs_are_green_without_them(backend):
    suite(backend)


def is_caught(backend="native"):
    with pytest.raises((AssertionError, ValueError, IndexError, KeyError)):
        suite(backend)


def test_a_wrong_transpose_is_caught(monkeypatch):
    right = differentiate_module._Differentiator.transpose_contraction

    def wrong(self, args, reached, upstream):
        rows, columns = (len(table.rows) for table in args)
        turned = upstream.rows.reshape(rows, columns).T if rows == columns else upstream.rows.reshape(rows, columns)
        right(self, args, reached, Table(upstream.bank, turned.ravel()))

    monkeypatch.setattr(differentiate_module._Differentiator, "transpose_contraction", wrong)
    is_caught()


def test_an_inner_product_read_the_wrong_way_round_is_caught(monkeypatch):
    right = reference._block

    def wrong(table, banks):
        rows = table.rows
        square = rows.ndim == 2 and rows.shape[0] == rows.shape[1] > 1
        return right(Table(table.bank, rows.T) if square else table, banks)

    monkeypatch.setattr(reference, "_block", wrong)
    is_caught("numpy")


@pytest.mark.parametrize("bank", [LANE, UNIFORM])
def test_an_index_off_by_one_is_caught(bank, monkeypatch):
    right = roll_module._Roller._column

    def wrong(self, terms, position, lane):
        table = right(self, terms, position, lane)
        return Table(table.bank, np.maximum(table.rows - 1, 0)) if table.bank == bank else table

    monkeypatch.setattr(roll_module._Roller, "_column", wrong)
    is_caught()


def test_a_dropped_duplicate_in_the_scatter_add_is_caught(monkeypatch):
    right = differentiate_module._Differentiator.arrive

    def wrong(self, target, terms):
        rows, first = np.unique(target.rows.ravel(), return_index=True)
        right(self, Table(target.bank, rows), Table(terms.bank, terms.rows.ravel()[first]))

    monkeypatch.setattr(differentiate_module._Differentiator, "arrive", wrong)
    is_caught()


def test_a_dropped_term_of_a_sum_is_caught(monkeypatch):
    right = differentiate_module._Differentiator.adjoint

    def wrong(self, bank, first, count, place, **options):
        if len(self.arrived.get(place, [])) > 1:
            self.arrived[place].pop()
        return right(self, bank, first, count, place, **options)

    monkeypatch.setattr(differentiate_module._Differentiator, "adjoint", wrong)
    is_caught()


def test_a_wrong_constant_fold_is_caught(monkeypatch):
    right = simplify_module.Terms._constant_result

    def wrong(self, op, args):
        return right(self, op, args[::-1] if op.name == "sub" else args)

    monkeypatch.setattr(simplify_module.Terms, "_constant_result", wrong)
    is_caught()


def test_a_lost_minus_zero_is_caught(monkeypatch):
    monkeypatch.setitem(simplify_module.NEUTRAL, "add", (0.0, 0.0))
    is_caught()


def test_constants_merged_by_value_and_not_by_bits_are_caught(monkeypatch):
    right = simplify_module.Terms.constant
    monkeypatch.setattr(simplify_module.Terms, "constant", lambda self, number: right(self, number + 0.0))
    is_caught()


def test_terms_merged_without_looking_at_their_order_are_caught(monkeypatch):
    right = simplify_module.Terms.emit

    def wrong(self, op, args):
        return right(self, op, tuple(sorted(args)) if op.name in ("sub", "div") else args)

    monkeypatch.setattr(simplify_module.Terms, "emit", wrong)
    is_caught()


def test_a_chain_that_forgets_its_last_term_is_caught(monkeypatch):
    right = simplify_module.Terms.group

    def wrong(self, terms):
        return right(self, terms[:-1] if len(terms) == 3 else terms)

    monkeypatch.setattr(simplify_module.Terms, "group", wrong)
    case = network_in_style("one operation at a time")
    with pytest.raises(AssertionError):
        check_against_the_loop(compile(case.function), case)


def test_parameters_in_the_wrong_order_are_caught(monkeypatch):
    right = plan_module.with_parameters_in_order

    def wrong(program):
        result = right(program)
        result.parameters = result.parameters[::-1]
        return result

    monkeypatch.setattr(variants, "with_parameters_in_order", wrong)
    is_caught()


def test_instructions_merged_in_the_wrong_order_are_caught(monkeypatch):
    right = plan_module._renumbered

    def wrong(program, groups):
        return right(program, [members[::-1] if len(members) > 1 else members for members in groups[::-1]])

    monkeypatch.setattr(plan_module, "_renumbered", wrong)
    is_caught()


def test_a_gradient_that_forgets_the_size_of_the_batch_is_caught(monkeypatch):
    right = reference.NumpyBackend._steps

    def wrong(self, lanes):
        found = right(self, lanes)
        found[1][self.program.batch_row] = 1.0
        return found

    monkeypatch.setattr(reference.NumpyBackend, "_steps", wrong)
    is_caught("numpy")


@pytest.mark.parametrize("name", ["mul", "add", "sub", "tanh", "relu", "maximum", "take", "exp", "where"])
def test_a_wrong_partial_is_caught(name, monkeypatch):
    """The compiler reads partials; the loop reads partials_on_floats."""
    op = OPERATIONS[name]
    right = op.partials

    def larger(partial):
        return tuple(map(larger, partial)) if isinstance(partial, tuple) else partial * (1.0 + 1e-9)

    monkeypatch.setattr(op, "partials", lambda *args: larger(right(*args)))
    w = weights(3)

    def function(x):
        a, b, c = (wi * xi for wi, xi in zip(w, x, strict=True))
        parts = {
            "mul": lambda: a * b, "add": lambda: (a + b) * c, "sub": lambda: (a - b) * c, "tanh": lambda: tanh(a),
            "relu": lambda: OPERATIONS["relu"](a + 2.0), "maximum": lambda: maximum(a, b, c), "exp": lambda: exp(a),
            "take": lambda: take(1, (a, b, c)), "where": lambda: OPERATIONS["where"](1.0, a, b),
        }  # fmt: skip
        return parts[name]()

    case = Case(function, list(w), (numbers(4, 3),))
    with pytest.raises(AssertionError):
        check_against_the_loop(compile(function), case)


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - {"batch_mean"}))
def test_every_primitive_has_an_entry_in_the_numpy_backend(name):

    entries = reference.primitives()
    assert OPERATIONS[name].composite or name in entries
    assert not (OPERATIONS[name].composite and name in entries)
