"""Expressions typed in a shell, `tanh(x*w + b)`: read by a small parser of our own, never run as Python."""

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from keyword import iskeyword
from typing import Any, NamedTuple, NoReturn

from scalargrad.engine import Value
from scalargrad.ops import OPERATIONS, Op
from scalargrad.support.words import short_list

LONGEST = 10_000  # characters
DEEPEST = 50  # brackets, signs and powers inside each other
LONGEST_QUOTE = 40

CONSTANTS = {"pi": math.pi, "e": math.e}
INFIX = {op.symbol: op for op in OPERATIONS.values() if op.special and op.scalars == 2}
SIGNS = {op.symbol: op for op in OPERATIONS.values() if op.special and op.scalars == 1 and op.symbol in INFIX}
TAKING_LISTS = [op.name for op in OPERATIONS.values() if any(argument[0] == "[" for argument in op.arguments)]
ALL_OPERATIONS = f"there are {', '.join(op.name for op in OPERATIONS.values())}"
PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "//": 2, "%": 2, "**": 4}
SIGN = 3  # as in Python, -x**2 is -(x**2)

TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<symbol>\*\*|//|[-+*/%(),\[\]])"
)
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
NUMBER = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf|nan)")
REMEDIES = {
    "^": "a power is written **",
    "<": "write less(a, b) or less_equal(a, b)",
    ">": "write less(b, a) or less_equal(b, a)",
    "=": "inputs are given after the expression, as name=number; to compare, write equal(a, b)",
    "×": "write *",
    "·": "write *",
    "÷": "write /",
    "−": "write the minus sign of the keyboard, -",
    "²": "write **2",
}


class ExpressionError(ValueError):
    """An expression or an input that cannot be read. The message is one line."""


def evaluate(text: str, variables: Mapping[str, float]) -> tuple[Value, dict[str, Value]]:
    """The value of an expression, with its history, and the leaves that the variables became, by name.

    It may hold numbers, names, + - * / // % **, brackets, the constants pi and e, and operations of the table by name,
    with their operands in a list where the operation takes one: `sum([a, b])`. ExpressionError for anything else, for
    a name without a number, and for a variable that the expression does not use.

    >>> output, leaves = evaluate("(y - (x*w + b))**2", {"x": 2.0, "w": 2.0, "b": 3.0, "y": 10.0})
    >>> output.backward()
    >>> output.data, leaves["w"].grad
    (9.0, -12.0)
    """
    if not isinstance(text, str):
        raise ExpressionError(f"an expression is text, got {quoted(text)}")
    if len(text) > LONGEST:
        raise ExpressionError(f"the expression has {len(text):,} characters; {LONGEST:,} are the limit")
    leaves = {}
    for name, number in variables.items():
        check_name(name)
        try:
            leaves[name] = Value(number, name)
        except TypeError as error:
            raise ExpressionError(f"{name} takes a real number, got {quoted(number)}") from error
    parser = _Parser(text, leaves)
    output = parser.whole()
    if unused := [shortened(name) for name in leaves if name not in parser.used]:
        raise ExpressionError(
            f"the expression does not use {short_list(unused)}: leave it out, or is a name misspelled?"
        )
    return (output if isinstance(output, Value) else Value(output)), leaves


def parse_assignments(assignments: Iterable[str]) -> dict[str, float]:
    """The numbers of inputs that were typed as `name=number`. ExpressionError for anything else, and for a repetition.

    >>> parse_assignments(["x1=2", "w1=-3e-1", "b = inf"])
    {'x1': 2.0, 'w1': -0.3, 'b': inf}
    """
    numbers: dict[str, float] = {}
    for assignment in assignments:
        if not isinstance(assignment, str):
            raise ExpressionError(f"an input is text such as x1=2, got {quoted(assignment)}")
        name, equals, number = (part.strip(" \t") for part in assignment.partition("="))
        if not equals:
            raise ExpressionError(f"an input is written name=number, such as x1=2, got {quoted(assignment)}")
        check_name(name)
        if name in numbers:
            raise ExpressionError(f"{name} is given twice")
        if len(number) > LONGEST or not NUMBER.fullmatch(number):
            raise ExpressionError(f"{name} takes a number such as 2, -0.5, 1e-3, inf or nan, got {quoted(number)}")
        numbers[name] = float(number)
    return numbers


def check_name(name: object) -> None:
    """ExpressionError unless `name` can stand in an expression."""
    if not isinstance(name, str) or len(name) > LONGEST or not NAME.fullmatch(name):
        raise ExpressionError(
            f"a name is made of letters a-z, digits and _, and begins with no digit; got {quoted(name)}"
        )
    if name.startswith("__"):
        raise ExpressionError(f"{quoted(name)}: names that begin with __ are Python's own")
    if iskeyword(name):
        raise ExpressionError(f"{quoted(name)} is a word of Python's, not a name")


class _Token(NamedTuple):
    kind: str  # "number", "name", "symbol", or "end"
    text: str
    column: int  # from 1

    def __str__(self) -> str:
        return quoted(self.text) if self.text else "the end"


class _Parser:
    """A parser by precedence that computes as it reads. Lists become tuples, which only a call takes."""

    def __init__(self, text: str, leaves: Mapping[str, Value]) -> None:
        self.tokens = list(_tokens(text))
        self.place = 0
        self.depth = 0
        self.leaves = leaves
        self.used: set[str] = set()

    @property
    def token(self) -> _Token:
        return self.tokens[self.place]

    def take(self) -> _Token:
        token = self.token
        self.place += 1
        return token

    def close(self, symbol: str, opened: _Token) -> None:
        if self.token.text != symbol:
            wanted = f"an operator, or {symbol} for the {opened.text} of column {opened.column}"
            fail(self.token, f"expected {wanted}, found {self.token}")
        self.place += 1

    def whole(self) -> Any:
        if self.token.kind == "end":
            raise ExpressionError("the expression is empty")
        result = self.number()
        if self.token.kind != "end":
            if self.token.kind == "name":
                check_name(self.token.text)
            fail(self.token, f"expected an operator, found {self.token}; a product is written with *")
        return result

    def number(self, weakest: int = 1) -> Any:
        """An expression that is no list."""
        start = self.token
        result = self.expression(weakest)
        if isinstance(result, tuple):
            fail(start, f"a list stands only as an argument of {short_list(TAKING_LISTS)}")
        return result

    def expression(self, weakest: int = 1) -> Any:
        """An operand, and the operators behind it that bind at least as tightly as `weakest`."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise ExpressionError(f"column {self.token.column}: nested more than {DEEPEST} levels deep, the limit")
        start = self.token
        left = self.operand()
        while PRECEDENCE.get(self.token.text, 0) >= weakest:
            if isinstance(left, tuple):
                fail(start, f"a list stands only as an argument of {short_list(TAKING_LISTS)}")
            symbol = self.take().text
            # On its right a power takes powers and signs, 2**3**2 and 2**-1; a difference no difference, 3 - 2 - 1.
            right = self.number(SIGN if symbol == "**" else PRECEDENCE[symbol] + 1)
            left = applied(INFIX[symbol], left, right)
        self.depth -= 1
        return left

    def operand(self) -> Any:
        token = self.take()
        if token.kind == "number":
            return float(token.text)
        if token.kind == "name":
            return self.call(token) if self.token.text == "(" else self.named(token)
        if token.text in SIGNS:
            return applied(SIGNS[token.text], self.number(SIGN))
        if token.text == "[":
            return tuple(self.items("]", token, self.number))
        if token.text != "(":
            fail(token, f"expected a number, a name or (, found {token}")
        first = self.number()
        if self.token.text != ",":
            self.close(")", token)
            return first
        self.place += 1
        return (first, *self.items(")", token, self.number))

    def items(self, end: str, opened: _Token, item: Callable[[], Any]) -> list:
        """Items between commas, up to `end`; a comma before that is allowed, as in Python."""
        items = []
        while self.token.text != end:
            items.append(item())
            if self.token.text != ",":
                break
            self.place += 1
        self.close(end, opened)
        return items

    def named(self, token: _Token) -> Any:
        name = token.text
        if name in self.leaves:
            self.used.add(name)
            return self.leaves[name]
        if name in CONSTANTS:
            return CONSTANTS[name]
        check_name(name)
        if name in OPERATIONS:
            fail(token, f"{name} is an operation: write what it applies to in brackets, {name}(...)")
        guess = f", or did you mean {near[0]}?" if (near := get_close_matches(name, self.leaves, n=1)) else ""
        return fail(token, f"{quoted(name)} has no value: add {shortened(name)}=...{guess}")

    def call(self, token: _Token) -> Any:
        name, opened = token.text, self.take()
        check_name(name)
        if name not in OPERATIONS:
            if name in self.leaves or name in CONSTANTS:
                fail(token, f"{quoted(name)} is a number, not an operation; a product is written with *")
            near = get_close_matches(name, OPERATIONS, n=1)
            fail(token, f"{quoted(name)} is not an operation; {f'did you mean {near[0]}?' if near else ALL_OPERATIONS}")
        op = OPERATIONS[name]
        arguments = self.items(")", opened, self.expression)
        for position, argument in enumerate(arguments):
            form = op.arguments[min(position, len(op.arguments) - 1)]
            if isinstance(argument, tuple) != (form[0] == "["):
                fail(token, f"{name} is written {_form(op)}")
        if not arguments or (op.scalars and len(arguments) > len(op.arguments)):
            fail(token, f"{name} is written {_form(op)}, got {len(arguments)} arguments")
        try:
            return applied(op, *arguments)
        except (TypeError, ValueError, IndexError) as error:
            return fail(token, " ".join(str(error).split()))


def applied(op: Op, *arguments: Any) -> Any:
    result = op(*arguments)
    return result if isinstance(result, Value) else float(result)


def _form(op: Op) -> str:
    """A call of it as it is written: `dot([weights], [inputs])`, `maximum(xs, ...)`."""
    arguments = (f"{argument[1:]}, ..." if argument[0] == "*" else argument for argument in op.arguments)
    return f"{op.name}({', '.join(arguments)})"


def _tokens(text: str) -> Iterator[_Token]:
    place = 0
    while place < len(text):
        match = TOKEN.match(text, place)
        if not match:
            raise ExpressionError(
                f"column {place + 1}: {_described(text[place])} is not understood{_remedy(text[place])}"
            )
        if match.lastgroup != "space":
            yield _Token(str(match.lastgroup), match[0], place + 1)
        place = match.end()
    yield _Token("end", "", len(text) + 1)


def fail(token: _Token, problem: str) -> NoReturn:
    raise ExpressionError(f"column {token.column}: {problem}")


def _described(character: str) -> str:
    """A character in ASCII; one that is not, by its name: a look-alike of a letter is seen for what it is."""
    if character.isascii():
        return quoted(character)
    return f"{unicodedata.name(character, 'a character')} (U+{ord(character):04X})"


def _remedy(character: str) -> str:
    if character in REMEDIES:
        return f": {REMEDIES[character]}"
    return ": there are numbers, names of letters a-z, digits and _, + - * / // % ** ( ) [ ] , and operations by name"


def quoted(thing: object) -> str:
    """`thing` as Python writes it, in ASCII and short: an error is one line that every terminal can show."""
    return ascii(shortened(thing)) if isinstance(thing, str) else shortened(ascii(thing))


def shortened(text: str) -> str:
    """As `short_name` does it, but with dots that are ASCII."""
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}..."
