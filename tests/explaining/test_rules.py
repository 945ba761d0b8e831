"""Rules: local derivatives in symbols are those of the table, against mpmath; and how they read."""

import itertools
import json
import math

import pytest
from mpmath import mp, mpf

from scalargrad import ops
from scalargrad.engine import Value, partials_of_floats
from scalargrad.explaining.symbols import Symbol, cases_of, parsed, rules_of
from scalargrad.explaining.templates import words_for_pages
from scalargrad.operands import flatten
from scalargrad.ops import OPERATIONS
from tests.explaining.graphs import words_of
from tests.oracles.mpmath import CHOOSING, DIGITS, TRUTH, deep, flat, points, tails

NUMERIC = [op for name, op in OPERATIONS.items() if name != "random"]
TABLE = pytest.mark.parametrize("op", NUMERIC, ids=str)
NOTHING = mpf(10) ** -700
# 1 - tanh(x)**2 at 700 has its first digit at the 609th place; in logsumexp it is x - y that cancels.
MORE_DIGITS = {"tanh": 760, "sigmoid": 760, "surprisal": 760, "logsumexp": 300}
FUNCTIONS = {name: truth.value for name, truth in TRUTH.items()}


def evaluated(term, names):
    """A term in mpmath's arithmetic. Of `where` only the branch that holds."""
    if not isinstance(term, list):
        return names(term) if isinstance(term, str) else mpf(term)
    if term[0] == "where":
        _, condition, chosen, otherwise = term
        return evaluated(chosen if evaluated(condition, names) else otherwise, names)
    return FUNCTIONS[term[0]](*(evaluated(x, names) for x in term[1:]))


def names_at(op, args, place):
    """What names in the rule by the operand at `place` stand for, read from the words of `Op` alone."""
    operands, arguments = flat(args), [name.strip("[]*") for name in op.arguments]
    values = args[-1] if isinstance(args[-1], tuple) else ()
    value = TRUTH[op.name].value(*args)
    singles = len(args) - sum(isinstance(x, tuple) for x in args)
    names = dict(zip(arguments[:singles], args, strict=False))
    names |= {"result": value, "pi": mp.pi, "count": mpf(len(values))}
    if place >= singles and values:
        names["x"], names["place"] = operands[place], mpf((place - singles) % len(values))
        names["other"] = operands[(place + len(values)) % len(operands)]
        names["ties"] = mpf(sum(x == value for x in values))
        if op.arguments[0] == "index":
            names["chosen"] = values[int(args[0])] if int(args[0]) < len(values) else mpf(0)
    return names.__getitem__


def rule_at(op, place):
    rules = rules_of(op)
    return rules[min(place, len(rules) - 1)]


def worst_rule(op, arguments, rule=rule_at):
    """How far rules are from the true derivatives, relatively; these from the partials, test_ops.py says."""
    worst = 0.0
    by_operand = TRUTH[op.name].derivatives or (lambda *args: (0,) * len(flat(args)))
    with mp.workdps(MORE_DIGITS.get(op.name, 2 * DIGITS)):
        for args in arguments:
            exact = deep(mpf, args)
            if op.name in ("div", "mod") and exact[1] == 0:
                continue  # a pole
            for place, expected in enumerate(by_operand(*exact)):
                found = evaluated(rule(op, place), names_at(op, exact, place))
                off = abs(found - expected)
                if off > NOTHING:
                    worst = max(worst, float(off / abs(expected)) if expected else math.inf)
    return worst


@TABLE
def test_each_rule_is_the_derivative(op):
    assert worst_rule(op, points(op, 6)) < 1e-30


@pytest.mark.long
@TABLE
def test_each_rule_is_the_derivative_at_many_points_and_edges(op):
    assert worst_rule(op, points(op, 100, seed=1)) < 1e-30
    assert worst_rule(op, tails(op)) < 1e-30


# What the partials say where mathematics says nothing, or several things, a rule says, too; but not of x**n at x = 0,
# where log(0) is multiplied by 0.
EDGES = [0.0, -0.0, 1.0, -1.0, 2.0, -3.0]


@TABLE
def test_rules_give_what_partials_give_at_edges(op):
    if op.partials is None:
        return
    for args in edges(op):
        result = op.compute(*args)
        slopes = [*map(float, flatten(partials_of_floats(op, result, args)))]
        for place, slope in enumerate(slopes):
            if not math.isfinite(slope) or (op.name == "pow" and args[0] <= 0.0):
                continue
            with mp.workdps(DIGITS):
                found = evaluated(rule_at(op, place), names_at(op, deep(mpf, args), place))
            assert float(found) == pytest.approx(slope, rel=1e-12), (args, place)


def edges(op):
    if op.scalars:
        for args in itertools.product(EDGES, repeat=op.scalars):
            domains = [*op.domain] + [op.domain[-1]] * (op.scalars - len(op.domain))
            if all(low < x < high for x, (low, high) in zip(args, domains, strict=True)):
                yield args
        return
    if op.name == "clamp":
        yield from ((x, (-1.0, 2.0)) for x in EDGES)
        return
    lists = [(1.0,), (2.0, 2.0), (0.0, -0.0), (3.0, -1.0, 3.0), (0.0, 0.0, 0.0)]
    for xs in lists:
        if op.name == "where":
            yield from ((condition, xs) for condition in (0.0, -0.0, 2.0) if len(xs) == 2)
        elif op.name in CHOOSING:
            yield from ((float(place), xs) for place in range(len(xs)))
        else:
            yield tuple(xs for _ in op.arguments)


WRONG = {
    "tanh": "1 - tanh(x)",
    "sigmoid": "sigmoid(x) * (1 + sigmoid(x))",
    "relu": "1 if x < 0 else 0",
    "abs": "1 if x > 0 else 0",
    "pow": "n * x**n",
    "div": "1 / y",
    "maximum": "1 if x == maximum(xs) else 0",
    "take": "1 if place == 0 else 0",
    "dot": "x",
    "mean": "1 / 3",
    "gelu": "erfc(-x / sqrt(2)) / 2",
    "logsumexp": "exp(x)",
    "surprisal": "exp(x - chosen - surprisal(index, values))",
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_rule_is_found(name):
    op = OPERATIONS[name]
    wrong = parsed(WRONG[name], op)
    arguments = [*points(op, 6), *(tails(op) if op.scalars == 0 else ())]
    assert worst_rule(op, arguments, lambda op, place: wrong if place or op.name not in CHOOSING else 0) > 1e-6


# How they read.


def rule(output, place=0):
    words, values = words_of(output)
    return words.rule(len(values) - 1, place)


X, Y, N = Value(3.0, "x"), Value(-0.5, "y"), Value(0.881373587, "n")
CHOSE_ANOTHER = "take chose another one, since its index is 1"
HYPOT = "x / hypot(x, 4) where hypot(x, 4) > 0, else 0"
READ = [
    (lambda: N.tanh(), 0, "1 − tanh²(n)", "1 − 0.7071²", "1 − tanh²(n) = 1 − 0.7071²"),
    (lambda: X * Y, 0, "y", "−0.5", "the other factor, y"),
    (lambda: X * 2.0, 0, "2", "2", "the other factor, 2"),
    (lambda: X + Y, 0, "1", "1", "a sum passes it on as it is"),
    (lambda: X - Y, 1, "−1", "−1", "a difference turns its sign"),
    (lambda: X / Y, 1, "−x / y²", "−3 / (−0.5)²", "−x / y² = −3 / (−0.5)²"),
    (lambda: X**2, 0, "2 × x", "2 × 3", "2 × x = 2 × 3"),
    (lambda: X**3, 0, "3 × x²", "3 × 3²", "3 × x² = 3 × 3²"),
    (lambda: Y.relu(), 0, "1 where y > 0, else 0", "0", "relu is off, since its input −0.5 is not above 0"),
    (lambda: X.relu(), 0, "1 where x > 0, else 0", "1", "relu is on, since its input 3 is above 0"),
    (lambda: abs(Y), 0, "1 where y > 0, −1 where y < 0, else 0", "−1", None),
    (lambda: Y.leaky_relu(), 0, "1 where y > 0, else 0.01", "0.01", None),
    (lambda: Y.sigmoid(), 0, "sigmoid(y) × (1 − sigmoid(y))", "0.3775 × (1 − 0.3775)", None),
    (lambda: X.sqrt(), 0, "0.5 / sqrt(x)", "0.5 / 1.732", None),
    (lambda: Y.exp(), 0, "exp(y)", "0.6065", None),
    (lambda: ops.maximum(X, X), 0, "1 / ties where x = maximum([x, x]), else 0", "1 / 2", "maximum took x = 3"),
    (lambda: ops.mean([X, Y, N]), 1, "1 / 3", "1 / 3", "one of 3, and each counts for 1/3"),
    (lambda: ops.dot([X, Y], [N, X]), 1, "x", "3", "the other factor, x"),
    (lambda: ops.take(1.0, [X, Y]), 2, "1", "1", None),
    (lambda: ops.take(Value(1.0, "i"), [X, Y]), 1, "1 where i = 0, else 0", "0", CHOSE_ANOTHER),
    (lambda: ops.logsumexp([X, Y]), 0, "exp(x − logsumexp([x, y]))", "exp(3 − 3.03)", None),
    (lambda: ops.step(X), 0, "0", "0", "step has no slope to pass on"),
    (lambda: X % Y, 1, "−(x // y)", "−(3 // (−0.5))", "−(x // y) = −(3 // (−0.5))"),
    (lambda: ops.hypot(X, 4.0), 0, HYPOT, "3 / 5", "hypot has the slope 3 / 5 here, since its result 5 is above 0"),
    (lambda: ops.hypot(0.0 * X, 0.0), 0, None, "0", "hypot has the slope 0 here, since its result 0 is not above 0"),
    (lambda: ops.atan2(X, X), 1, None, None, "atan2 has the slope −3 / hypot²(3, 3) here, since its input x is not 0"),
    (lambda: ops.atan2(X, Y - Y), 0, None, "0", "atan2 has the slope 0 here, since its input y-y is 0"),
    (lambda: ops.clamp(X, X, 4.0), 1, None, "0", "clamp is off, since its input x is x"),
    (lambda: ops.clamp(X, Y, 4.0), 1, None, "0", "clamp took x = 3, and not y"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "place", "symbols", "numbers", "reason"), READ)
def test_rules_read_well(make, place, symbols, numbers, reason):
    found = rule(make(), place)
    assert symbols in (None, found.symbols)
    assert numbers in (None, found.numbers)
    assert reason in (None, found.reason)


@pytest.mark.parametrize("op", OPERATIONS.values(), ids=str)
def test_every_row_has_words_that_json_can_carry(op):
    words = words_for_pages([op.name])
    assert json.loads(json.dumps(words)) == words
    for place in words["rows"][op.name]["places"]:
        conditions = [condition for condition, *_ in place["cases"]]
        assert conditions[-1] is None
        assert None not in conditions[:-1]


def test_symbols_take_every_operation_of_the_table():
    x = Symbol("x")
    assert repr((2.0 * x).tanh() ** 3) == "['pow', ['tanh', ['mul', 2.0, 'x']], 3.0]"
    assert ops.where(ops.less(x, 0.0), x, -x).term == ["where", ["less", "x", 0.0], "x", ["neg", "x"]]
    assert ops.dot([x], [x]).term == ["dot", "x", "x"]
    assert cases_of(["where", "c", 1, ["where", "d", 2, 3]]) == [("c", 1), ("d", 2), (None, 3)]


@pytest.mark.parametrize("text", ["x if", "open(x)", "x @ y", "x < y < 3", "lambda: x", "[x]"])
def test_a_rule_that_cannot_be_read_is_refused(text):
    with pytest.raises((ValueError, SyntaxError)):
        parsed(text, ops.mul)


@pytest.mark.parametrize("number", [9.0, -1.0, math.nan])
def test_an_index_that_has_been_changed_since_is_no_error(number):
    index = Value(1.0, "i")
    chosen = ops.surprisal(index, [X, Y])
    index.data = number
    assert rule(chosen, 1).symbols.startswith("exp(−surprisal(i, [x, y])) − 1 where i = 0, else exp(x − chosen")
