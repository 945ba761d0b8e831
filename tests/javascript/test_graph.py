"""Recorded scalars, interpreted: numbers, gradients and local derivatives are those of Values, on random graphs."""

import math
import random

import pytest

from scalargrad import ops
from scalargrad.engine import Value, local_derivatives, topological_order
from scalargrad.javascript.bundle import bundle
from scalargrad.javascript.operations import operations_module
from scalargrad.nn import MLP
from scalargrad.operands import flatten
from scalargrad.ops import OPERATIONS
from tests.oracles import domains
from tests.oracles.functions import path_terms
from tests.oracles.scripts import in_node

ENTRY = """
import { Graph } from "./graph.js";
import { OPERATIONS } from "./operations.js";
const graphOf = (recorded) => new Graph(recorded, OPERATIONS);
"""
COMPUTED = """
globalThis.answer = (all) => all.flatMap((recorded) => {
  const graph = graphOf(recorded);
  graph.data.forEach((x, n) => { if (graph.op(n)) graph.data[n] = NaN; });
  graph.compute();
  return [...graph.data, ...graph.grad, ...graph.slopes.flatMap((slopes) => [...slopes])];
});
"""


def script(body):
    return bundle(ENTRY + body, {"operations.js": operations_module()})


def recorded(output):
    """A graph as data, with numbers among operands as leaves of their own."""
    found = {"operations": [*OPERATIONS], "op": [], "operands": [], "data": []}
    places: dict = {}

    def add(key, op, operands, data):
        places[key] = len(found["op"])
        found["op"].append(op)
        found["operands"].append(operands)
        found["data"].append(data)

    for value in topological_order(output):
        operands = []
        for x in flatten(value.args):
            if type(x) is float and (key := ("number", x.hex())) not in places:
                add(key, -1, [], x)
            operands.append(places["number", x.hex()] if type(x) is float else places[x])
        add(value, found["operations"].index(value.op.name) if value.op else -1, operands, value.data)
    return found, places


def random_graph(source):
    """Every operation of the table, where it is smooth or not, on shared operands; some through predicates alone."""
    values = [Value(source.uniform(-2.0, 2.0)) for _ in range(4)]
    for _ in range(source.randint(1, 25)):
        op = OPERATIONS[source.choice([*OPERATIONS])]
        xs = [source.choice(values) for _ in range(source.randint(1, 5))]
        if op.scalars:
            args = [source.choice(values) for _ in range(op.scalars)]
            if source.random() < 0.2 and op.scalars == 2:
                args[source.randrange(2)] = source.choice([0.0, 1.0, 2.0, 3.0, -0.5])
        elif op.name in ("take", "surprisal"):
            args = [float(source.randrange(len(xs))), xs]
        elif op.name in ("where", "clamp"):
            args = [source.choice(values), *(source.choice(values) for _ in range(2))]
        elif op.name == "random":
            args = [1.0, 2.0, float(source.randrange(9)), Value(3.0)]
        else:
            args = xs if op.collects else [xs] * len(op.arguments)
        allowed = domains.ALLOWED.get(op.name)
        if allowed and not allowed(*[float(x) for x in args]):
            continue
        result = op(*args)
        if isinstance(result, Value) and abs(result.data) < 100.0:
            values.append(result)
    return ops.sum(values[-6:])


def check(outputs, numbers):
    """Numbers, gradients and local derivatives of each graph, within 1e-12 of their terms; returns the worst."""
    numbers, worst = iter(numbers), 0.0
    for output in outputs:
        data, places = recorded(output)
        order = topological_order(output)
        for value in order:
            value.grad = 0.0  # leaves may be shared by several graphs, and accumulate
        output.backward()
        terms = path_terms(output)
        found = [[next(numbers) for _ in data["op"]] for _ in range(2)]
        slopes = [[next(numbers) for _ in operands] for operands in data["operands"]]
        for value in order:
            place = places[value]
            worst = max(worst, off(found[0][place], value.data, max(1.0, abs(value.data))))
            worst = max(worst, off(found[1][place], value.grad, max(1.0, terms[value])))
            own = [s for x, s in zip(flatten(value.args), slopes[place], strict=True) if type(x) is not float]
            for slope, (_, expected) in zip(own, local_derivatives(value), strict=True):
                worst = max(worst, off(slope, expected, max(1.0, abs(expected))))
    return worst


def off(found, expected, scale):
    if not math.isfinite(expected):
        return 0.0 if found == expected or (found != found and expected != expected) else math.inf
    return abs(found - expected) / scale if math.isfinite(found) else math.inf


def test_random_graphs_are_computed_as_values_are(node):
    source = random.Random(1)
    outputs = [random_graph(source) for _ in range(300)]
    assert len({value.op.name for output in outputs for value in topological_order(output) if value.op}) >= 47
    numbers = in_node(node, script(COMPUTED), [recorded(output)[0] for output in outputs])
    assert check(outputs, numbers) <= 1e-12


def awkward_graphs():
    x, y = Value(0.0, "x"), Value(2.0, "y")
    yield x.log() * y + y / x
    yield ops.where(ops.less(x.log(), y), y * 3.0, x)  # through a predicate no slope comes, not nan either
    yield ops.where(ops.less(0.0, x), x.log(), 0.0)  # but here it does
    yield Value(1.0)
    yield (y * y) * y + y
    yield MLP(2, [4, 3, 1], activation="tanh", rng=0)([x, y])
    yield ops.dot((x, y, y), (y, y, x))
    yield ops.maximum(y, y, x) + ops.logsumexp([x, y, y])


def test_shared_infinite_and_unreached_values(node):
    outputs = list(awkward_graphs())
    numbers = in_node(node, script(COMPUTED), [recorded(output)[0] for output in outputs])
    assert check(outputs, numbers) <= 1e-15


def test_a_chain_of_ten_thousand_needs_no_recursion(node):
    x = Value(1.0)
    for _ in range(10_000):
        x = x * 1.0001
    numbers = in_node(node, script(COMPUTED), [recorded(x)[0]])
    assert check([x], numbers) <= 1e-12


ALONG = """
globalThis.answer = ([recorded, position, numbers]) => {
  const graph = graphOf(recorded);
  graph.compute();
  const before = [...graph.data, ...graph.grad];
  const along = graph.along(position, numbers);
  const same = before.every((x, n) => Object.is(x, [...graph.data, ...graph.grad][n]));
  return [...along, +same];
};
"""


@pytest.mark.parametrize("name", ["x", "h"])
def test_the_output_along_a_leaf_or_a_result(name, node):
    def output_at(number):
        x, w = Value(0.5, "x"), Value(-1.5, "w")
        x = Value(number, "x") if name == "x" else x
        h = (x * w).tanh() if name == "x" else Value(number)
        return h * h + x

    x, w = Value(0.5, "x"), Value(-1.5, "w")
    h = (x * w).tanh()
    data, places = recorded(h * h + x)
    numbers = [-2.0, 0.0, 0.3, 7.0]
    *found, untouched = in_node(node, script(ALONG), [data, places[{"x": x, "h": h}[name]], numbers])
    assert found == pytest.approx([output_at(number).data for number in numbers], rel=1e-15)
    assert untouched


SET = """
globalThis.answer = ([recorded, position, number]) => {
  const graph = graphOf(recorded);
  graph.set(position, number);
  graph.compute();
  return [graph.length, graph.output, graph.data[graph.output], graph.grad[position], +(graph.op(position) === null)];
};
"""


def test_a_leaf_is_set_and_a_result_is_not(node):
    x = Value(2.0)
    data, places = recorded(x * x)
    assert in_node(node, script(SET), [data, places[x], 5.0]) == [2, 1, 25.0, 10.0, 1]
    with pytest.raises(AssertionError, match="value 1 is a result: only leaves are set"):
        in_node(node, script(SET), [data, 1, 5.0])


def test_a_dot_adds_pair_by_pair_as_values_do(node):
    source = random.Random(5)
    outputs = []
    for _ in range(100):
        values = [Value(source.uniform(-2.0, 2.0)) for _ in range(3)]
        count = source.randint(3, 6)
        outputs.append(ops.dot(*([source.choice(values) for _ in range(count)] for _ in range(2))) * 1.0)
    numbers = in_node(node, script(COMPUTED), [recorded(output)[0] for output in outputs])
    assert check(outputs, numbers) == 0.0


def test_a_result_that_python_would_refuse_is_nan(node):
    index, counter, y = Value(1.0), Value(3.0), Value(2.0)
    output = ops.take(index * 1.0, [y, y * 3.0]) * ops.less(ops.random(1.0, counter), 2.0)
    data, places = recorded(output)
    for leaf, number in [(index, 2.0), (index, 0.5), (index, math.nan), (counter, 0.5)]:
        *_, found, slope, _ = in_node(node, script(SET), [data, places[leaf], number])
        assert math.isnan(found) == (leaf is index)
        assert slope == 0.0 or math.isnan(slope)
    assert in_node(node, script(SET), [data, places[index], 0.0])[2] == 2.0


# The check itself.


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("grad[x[place]] += slopes", "grad[x[place]] = slopes"),
        ("if (!this.sloped[n]) continue;", ""),
        ("[(t0 * t0)]", "[(1 - (result * result)) * 1.00000000001]"),
    ],
    ids=["overwritten", "through predicates", "a wrong slope"],
)
def test_a_planted_bug_is_found(right, wrong, node):
    text = script(COMPUTED)
    broken = text.replace(right, wrong)
    assert broken != text
    source = random.Random(1)
    outputs = [*awkward_graphs(), *(random_graph(source) for _ in range(100))]
    assert check(outputs, in_node(node, broken, [recorded(output)[0] for output in outputs])) > 1e-12
