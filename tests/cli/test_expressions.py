"""Expressions from a shell: what they may hold, against Python's own arithmetic, and that nothing else gets through."""

import ast
import math
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scalargrad.cli import expressions
from scalargrad.cli.expressions import DEEPEST, LONGEST, ExpressionError, evaluate, parse_assignments
from scalargrad.engine import Value
from scalargrad.ops import OPERATIONS, tanh


def refusal(call, *arguments):
    """The message of the ExpressionError, which is one line that any terminal can show."""
    with pytest.raises(ExpressionError) as caught:
        call(*arguments)
    message = str(caught.value)
    assert message
    assert message.isascii()
    assert message.isprintable()
    assert len(message) < 600
    return message


def test_the_neuron():
    numbers = parse_assignments(["x1=2", "w1=-3", "x2=0", "w2=1", "b=6.8814"])
    output, leaves = evaluate("tanh(x1*w1 + x2*w2 + b)", numbers)
    output.backward()
    assert output.data == pytest.approx(math.sqrt(0.5), abs=1e-4)
    assert leaves["x1"].grad == pytest.approx(-1.5, abs=1e-3)
    assert {name: leaf.data for name, leaf in leaves.items()} == numbers
    assert all(leaf.label == name for name, leaf in leaves.items())
    assert (output.op, output.label) == (tanh, "")


AS_IN_PYTHON = [
    *("x", "((x))", "-x**2", "(-x)**2", "2**3**2 - x", "2**-x", "-2**-x", "x**2**-1", "- -x", "1 - -x", "-x*-x"),
    *("x - 1 - 1", "x - (1 - 1)", "8/4/x", "8/(4/x)", "2*x/3*4", "x*3 + 4*x", "x*(3 + 4)*x", "-(x + 1)*2", "x-1+x"),
    *("pi*x + e", "1.5e3*x", ".5*x", "5.*x", "1E-3 + x", "1e999*x", "x\t+\n1", "  x  "),
]


@pytest.mark.parametrize("text", AS_IN_PYTHON)
def test_arithmetic_is_read_as_python_reads_it(text):
    expected = eval(f"({text})", {"x": 3.0, "pi": math.pi, "e": math.e})
    assert evaluate(text, {"x": 3.0})[0].data == pytest.approx(expected, rel=1e-15)


SUMS = st.recursive(
    st.sampled_from(["x", "y", "2", "0.5", "3."]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "**", " - "]), inner).map("".join),
        inner.map("-{}".format),
        inner.map("({})".format),
    ),
    max_leaves=8,
)


@given(SUMS)
@settings(max_examples=400, deadline=None)
def test_any_arithmetic_is_read_as_python_reads_it(text):
    text = f"{text} + 0*x + 0*y"
    try:
        expected = eval(text, {"x": 1.25, "y": 0.75})
        if isinstance(expected, complex):
            return
    except (ZeroDivisionError, OverflowError):
        return
    if math.isfinite(expected):
        assert evaluate(text, {"x": 1.25, "y": 0.75})[0].data == pytest.approx(expected, rel=1e-12)


NUMERIC = pytest.mark.parametrize("op", [op for op in OPERATIONS.values() if op.name != "random"], ids=str)


@NUMERIC
def test_every_operation_of_the_table_can_be_called(op):
    """With single operands, a list, a tuple, and as many as it likes."""
    spellings = {"[": ["[x, 0.5]", "(x, 0.5,)"], "*": ["x, 0.5"]}
    for choice in range(2):
        texts = [(spellings.get(form[0], ["x"]) * 2)[choice] for form in op.arguments]
        if op.name in ("take", "surprisal"):
            texts[0] = "1"
        output, leaves = evaluate(f"{op.name}({', '.join(texts)})", {"x": 0.25})
        assert math.isfinite(output.data) is (op.domain[0][0] < 0.25)
        assert output.op is op
        assert leaves["x"] in output.operands


@NUMERIC
def test_every_operation_takes_numbers_that_are_at_the_edge(op):
    for number in ("0", "-0.0", "1e999", "-1e999", "1e999 - 1e999", "-1", "710", "1e-320"):
        texts = {"[": f"[{number}, 1]", "*": f"{number}, 1"}
        call = f"{op.name}({', '.join(texts.get(form[0], f'{number}') for form in op.arguments)})"
        if op.name in ("take", "surprisal") and number not in ("0", "-0.0"):
            assert "not one of the 2 positions" in refusal(evaluate, call, {})
        else:
            assert isinstance(evaluate(call, {})[0], Value)


FACTS = [
    ("maximum(x, 1, 7)", 7.0),
    ("where(less(x, 5), 1, 2)", 1.0),
    ("take(1, [x, 9])", 9.0),
    ("leaky_relu(-x)", -0.03),
    ("-x // 2 * 2 + 7 % 4", -1.0),
    ("x % 2 ** 2 // 2", 1.0),
    ("clamp(x, 0, 1) + hypot(x, 4)", 6.0),
    ("leaky_relu(-x, 0.1)", -0.3),
    ("sum([x, 1, pi - pi])", 4.0),
    ("dot([x, 1], (2, 3))", 9.0),
    ("9**9**9*x", math.inf),
    ("1/0 + x", math.inf),
    ("2 + 3 + 0*x", 5.0),
]


@pytest.mark.parametrize(("text", "expected"), FACTS)
def test_facts(text, expected):
    assert evaluate(text, {"x": 3.0})[0].data == pytest.approx(expected)


def test_a_variable_may_be_called_like_a_constant_or_an_operation():
    assert evaluate("e*step + tanh(tanh)", {"e": 2.0, "step": 3.0, "tanh": 0.0})[0].data == 6.0


def test_an_expression_without_variables_is_a_leaf():
    output, leaves = evaluate("2*pi", {})
    assert (output.data, output.op, leaves) == (2 * math.pi, None, {})


REFUSED = [
    ("", "empty"),
    (" \n", "empty"),
    ("x +", "column 4: expected a number, a name or (, found the end"),
    ("(x", "column 3: expected an operator, or ) for the ( of column 1, found the end"),
    ("x)", "column 2: expected an operator, found ')'"),
    ("2x", "a product is written with *"),
    ("x y", "found 'y'"),
    ("x(3)", "'x' is a number, not an operation"),
    ("+x", "found '+'"),
    ("x.data", "column 2: '.' is not understood"),
    ("x[0]", "column 2: expected an operator, found '['"),
    ("lambda x: x", "':' is not understood"),
    ("x if x else 1", "'if' is a word of Python's"),
    ("x and x", "'and' is a word of Python's"),
    ("None", "word of Python's"),
    ("x < 1", "write less(a, b)"),
    ("x == 1", "write equal(a, b)"),
    ("x := 1", "':' is not understood"),
    ("x^2", "a power is written **"),
    ("'x'", "is not understood"),
    ("f'{x}'", "is not understood"),
    ("{x}", "'{' is not understood"),
    ("x # y", "'#' is not understood"),
    ("x; x", "';' is not understood"),
    ("1j*x", "found 'j'"),
    ("0x10*x", "found 'x10'"),
    ("1_000*x", "found '_000'"),
    ("xx", "'xx' has no value: add xx=..., or did you mean x?"),
    ("nan*x", "'nan' has no value"),
    ("__import__(x)", "names that begin with __ are Python's own"),
    ("__x", "names that begin with __"),
    ("open(x)", "'open' is not an operation"),
    ("sigmod(x)", "did you mean sigmoid?"),
    ("tanh", "tanh is an operation: write what it applies to in brackets, tanh(...)"),
    ("tanh()", "tanh is written tanh(x), got 0 arguments"),
    ("tanh(x, x)", "tanh is written tanh(x), got 2 arguments"),
    ("tanh([x])", "tanh is written tanh(x)"),
    ("sum(x)", "sum is written sum([values])"),
    ("sum([x, [x]])", "a list stands only as an argument"),
    ("dot([x], [1, 2])", "1 weights do not fit 2 inputs"),
    ("mean([])", "mean of no values is not defined"),
    ("maximum()", "maximum is written maximum(xs, ...)"),
    ("maximum([x, 1])", "maximum is written maximum(xs, ...)"),
    ("where(x, 1)", "where takes"),
    ("take(5, [x])", "not one of the 1 positions"),
    ("take(0.5, [x])", "not one of the 1 positions"),
    ("leaky_relu(x, slope=0.1)", "'=' is not understood"),
    ("sum(*[x])", "found '*'"),
    ("[x]", "a list stands only as an argument of take, sum, dot, mean, logsumexp"),
    ("(x, 1)", "a list stands only as an argument"),
    ("-[x]", "a list stands only as an argument"),
    ("[x]*2", "a list stands only as an argument"),
    ("2*[x]", "a list stands only as an argument"),
    ("()", "expected a number, a name or ("),
    ("sum([x,,])", "found ','"),
    ("x\0", "is not understood"),
    ("\ud800", "a character (U+D800) is not understood"),
    ("\u0445 + x", "CYRILLIC SMALL LETTER HA (U+0445) is not understood"),
    ("\uff58", "FULLWIDTH LATIN SMALL LETTER X"),
    ("x − 1", "MINUS SIGN (U+2212) is not understood: write the minus sign of the keyboard"),
    ("\u0663*x", "ARABIC-INDIC DIGIT THREE"),
    ("x\u00a0+ 1", "NO-BREAK SPACE"),
    ("1", "does not use x: leave it out, or is a name misspelled?"),
]


@pytest.mark.parametrize(("text", "words"), REFUSED, ids=[ascii(text) for text, _ in REFUSED])
def test_anything_else_is_one_clear_line(text, words):
    assert words in refusal(evaluate, text, {"x": 2.0})


LEVELS = {"(": 1, "-": 1, "2**": 1, "tanh(": 1, "x - (": 2, "sum([": 2, "2**-(": 3}  # that one repetition adds


@pytest.mark.parametrize(("opening", "levels"), LEVELS.items())
def test_nesting_has_a_limit_that_the_message_states(opening, levels):
    message = f"nested more than {DEEPEST} levels deep, the limit"
    assert message in refusal(evaluate, opening * (LONGEST // len(opening) - 1) + "x", {"x": 2.0})
    closing = "".join({"(": ")", "[": "]"}.get(character, "") for character in reversed(opening))
    times = (DEEPEST - 1) // levels
    assert isinstance(evaluate(opening * times + "x" + closing * times, {"x": 1.0})[0], Value)


def test_length_has_a_limit_that_the_message_states():
    assert f"1,000,001 characters; {LONGEST:,} are the limit" in refusal(evaluate, "x" + "+x" * 500_000, {"x": 1.0})
    longest = "x" + "+x" * ((LONGEST - 1) // 2)
    assert evaluate(longest, {"x": 1.0})[0].data == 1.0 + (LONGEST - 1) // 2
    assert evaluate("x + " + "1" * (LONGEST - 4), {"x": 1.0})[0].data == math.inf
    assert "has no value" in refusal(evaluate, "a" * LONGEST, {})


WRONG_VARIABLES = [
    ({"1x": 1.0}, "begins with no digit"),
    ({"__x": 1.0}, "Python's own"),
    ({"if": 1.0}, "word of Python's"),
    ({"х": 1.0}, "letters a-z"),  # Cyrillic
    ({"": 1.0}, "letters a-z"),
    ({3: 1.0}, "letters a-z"),
    ({"x": "3"}, "x takes a real number, got '3'"),
    ({"x": None}, "real number"),
    ({"x": 2.0, "y": 1.0, "z": 1.0}, "does not use y, z"),
    ({"x": 2.0, **{f"y{k}": 1.0 for k in range(100)}}, "y4 and 95 more"),
]


@pytest.mark.parametrize(("variables", "words"), WRONG_VARIABLES, ids=[ascii(words) for _, words in WRONG_VARIABLES])
def test_wrong_variables(variables, words):
    assert words in refusal(evaluate, "x", variables)
    assert "an expression is text" in refusal(evaluate, None, {})


def test_assignments():
    assert parse_assignments([]) == {}
    assert parse_assignments(["x=2", " y = -.5 ", "z=+1e-3", "_w1=inf"]) == {
        "x": 2,
        "y": -0.5,
        "z": 1e-3,
        "_w1": math.inf,
    }
    assert math.isnan(parse_assignments(["x=-nan"])["x"])
    assert parse_assignments(["x=1e999"]) == {"x": math.inf}


WRONG_ASSIGNMENTS = [
    (["x"], "name=number, such as x1=2, got 'x'"),
    ([""], "name=number"),
    (["=1"], "letters a-z"),
    (["x="], "x takes a number such as 2, -0.5, 1e-3, inf or nan, got ''"),
    (["x==2"], "got '=2'"),
    (["x=1", "y=2", "x=1"], "x is given twice"),
    (["x=1/3"], "got '1/3'"),
    (["x=1_0"], "got '1_0'"),
    (["x=0x1"], "got '0x1'"),
    (["x=Infinity"], "got 'Infinity'"),
    (["x=1j"], "got '1j'"),
    (["x=\u0663"], "takes a number"),  # float() would take this digit
    (["x=" + "1" * 1_000_000], "takes a number"),
    (["1x=2"], "begins with no digit"),
    (["x y=2"], "letters a-z"),
    (["__x=2"], "Python's own"),
    (["lambda=2"], "word of Python's"),
    (["x\n=2"], "letters a-z"),
    (["\ud800=2"], "letters a-z"),
    (["х=2"], "letters a-z"),  # Cyrillic
    ([3], "an input is text"),
]


@pytest.mark.parametrize(("assignments", "words"), WRONG_ASSIGNMENTS, ids=[ascii(x)[:30] for x, _ in WRONG_ASSIGNMENTS])
def test_wrong_assignments(assignments, words):
    assert words in refusal(parse_assignments, assignments)


PIECES = ["x", "y", "tanh", "sum", "dot", "where", "take", "less", "pow", "log", "e", "lambda", "__class__", "1", "0"]
PIECES += [
    "9e999",
    ".",
    "(",
    ")",
    "[",
    "]",
    ",",
    "+",
    "-",
    "*",
    "**",
    "/",
    " ",
    "\n",
    "=",
    "'",
    "\\",
    "\0",
    "é",
    "\ud800",
]


ANY_TEXT = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=30).map("".join))


@given(ANY_TEXT)
@example("tanh(x" * 30)
@example("[" * 9_999)
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_value_or_one_clear_line(text):
    check_text(text)


@pytest.mark.long
@given(ANY_TEXT)
@settings(max_examples=1_500, deadline=None)
def test_many_texts_are_values_or_one_clear_line(text):
    check_text(text)


def check_text(text):
    attempts = [(evaluate, text, variables) for variables in ({}, {"x": 0.5}, {"y": 0.5}, {"x": 0.5, "y": -1.0})]
    attempts += [(parse_assignments, [text, f"x={text}"])]
    for call, *arguments in attempts:
        try:
            result = call(*arguments)
        except ExpressionError:
            refusal(call, *arguments)
        else:
            if call is evaluate:
                result[0].backward()


def test_nothing_is_run_as_python():
    tree = ast.parse(Path(expressions.__file__).read_text(encoding="utf-8"))
    called = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not called & {"eval", "exec", "compile", "getattr", "__import__", "globals"}
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported == {"math", "re", "unicodedata"}
