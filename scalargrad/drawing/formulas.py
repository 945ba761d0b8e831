"""An operation with its operands in words: `x1*w1`, `y − v3`, `2 × (−3)`, `tanh(v4)`."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from scalargrad.drawing.lettering import number
from scalargrad.engine import Value
from scalargrad.operands import flatten
from scalargrad.ops import Op

MULTIPLICATION = {"*": "×", "-": "−", "<=": "≤", "==": "="}
WORDS = ("and", "or")
SIGNS = MULTIPLICATION | {"sum": "Σ"}  # on badges

NAME = re.compile(r"[\w.\[\]−]+")  # or a number
TERM = re.compile(r"[\w.#\[\]]+(e−[0-9]+)?|\w+\([^()]*\)")  # a name, a number or a call: needs no brackets


def bracketed(name: str) -> str:
    """A name or a number as it is, anything else in brackets: in pictures `∂w`, `∂(x*w)`, and `∂(tanh(x))`.

    Narrower than `in_brackets`, which leaves a call bare: its `∂tanh(x)` is how explanations write it.
    """
    return name if NAME.fullmatch(name) else f"({name})"


def in_brackets(text: str, leading: bool = False) -> str:
    """An operand beside a sign: a formula stands in brackets, and a negative number, if it is not `leading`.

    >>> in_brackets("x"), in_brackets("tanh(x)"), in_brackets("x*w"), in_brackets("−3"), in_brackets("−3", leading=True)
    ('x', 'tanh(x)', '(x*w)', '(−3)', '−3')
    """
    return text if TERM.fullmatch(text.removeprefix("−") if leading else text) else f"({text})"


def is_infix(op: Op) -> bool:
    """Is the operation written between its two operands?"""
    return op.scalars == 2 and (not op.symbol[0].isalpha() or op.symbol in WORDS)


class Spelling(NamedTuple):
    """A way to write an operation.

    signs     texts in place of the symbols of the table
    spaced    the symbols with a blank on either side
    brackets  of an operand: takes its text, and whether a negative number may do without
    bare      the symbols before which it may
    """

    signs: Mapping[str, str]
    spaced: Collection[str]
    brackets: Callable[[str, bool], str] = in_brackets
    bare: Collection[str] = ()

    def formula(self, op: Op, operands: Sequence[str]) -> str:
        """The operation on these texts."""
        if is_infix(op):
            sign = self.signs.get(op.symbol, op.symbol)
            left = self.brackets(operands[0], op.symbol in self.bare)
            right = self.brackets(operands[1], False)
            return f"{left} {sign} {right}" if op.symbol in self.spaced else f"{left}{sign}{right}"
        if op.symbol[0].isalpha():
            return f"{self.signs.get(op.symbol, op.name)}({', '.join(operands)})"
        return self.signs.get(op.symbol, op.symbol) + self.brackets(operands[0], False)


WITH_BLANKS = ("+", "-", "*", "/", "//", "%", "<", "<=", "==", *WORDS)

CODE = Spelling({"not": "not"}, WORDS, brackets=lambda text, leading: text)  # x1*w1, as in Python
COMPACT = Spelling({"-": "−"}, ("+", "-", *WORDS))  # (x*w) + b
TEXTBOOK = Spelling(MULTIPLICATION, WITH_BLANKS, bare=WITH_BLANKS)  # x1 × w1


def arguments_of(value: Value, text_of: Callable[[Value], str]) -> list[str]:
    """The arguments of a result: an operand by its text, a constant as a number, a list of them in square brackets."""

    def written(argument: Value | float | tuple) -> str:
        if isinstance(argument, tuple):
            return f"[{', '.join(map(written, argument))}]"
        return number(argument) if isinstance(argument, float) else text_of(argument)

    return list(map(written, value.args))


def abridged(value: Value) -> str:
    """A result of too many operands to be written out: `dot(… 32 operands …)`."""
    return f"{value.op}(… {len(value.operands):,} operands …)"


def badge_of(value: Value) -> str:
    """The operation with its constants: ×, tanh, **2, 1/, or 1, leaky_relu(·, 0.01); "" for a leaf."""
    if value.op is None:
        return ""
    sign = SIGNS.get(value.op.symbol, value.op.symbol)
    arguments = list(flatten(value.args))
    if not any(type(x) is float for x in arguments):
        return sign
    if is_infix(value.op):
        first, second = (number(x) if type(x) is float else "" for x in arguments)
        second = second and in_brackets(second)
        return f"{first} {sign} {second}".strip() if sign in WORDS else f"{first}{sign}{second}"
    if len(arguments) > 4:
        return f"{sign}(…)"
    return f"{sign}({', '.join(number(x) if type(x) is float else '·' for x in arguments)})"
