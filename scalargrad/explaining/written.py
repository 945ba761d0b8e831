"""Terms as texts: in symbols, `1 − tanh²(n)`, or with numbers in place of names, `1 − 0.7071²`."""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from scalargrad.drawing.formulas import TERM
from scalargrad.drawing.lettering import number
from scalargrad.explaining.symbols import Term

SUPERSCRIPTS = str.maketrans("−0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
NAMED = {"pi": "π"}
COMPARISONS = {"less": ("<", ">"), "less_equal": ("≤", "≥"), "equal": ("=", "=")}
COMPARISON, SUM, PRODUCT, POWER, ATOM = range(5)  # how strongly the parts of a text hang together


class Piece(NamedTuple):
    """A part of a formula. A call is a name with arguments, whose power stands behind the name: tanh²(n)."""

    text: str
    level: int
    is_call: bool = False

    def beside(self, least: int, leading: bool = False) -> str:
        """In brackets, if it hangs together less than that, or begins with a minus and is not `leading`."""
        alone = self.level >= least and (leading or not self.text.startswith("−"))
        return self.text if alone else f"({self.text})"


def piece_of(text: str) -> Piece:
    """A name or a number."""
    return Piece(text, ATOM if TERM.fullmatch(text.removeprefix("−")) else COMPARISON)


def names_in(term: Term) -> bool:
    """Are there names in a term?"""
    return any(map(names_in, term[1:])) if isinstance(term, list) else isinstance(term, str)


def simplified(term: Term, constant: Callable[[str], float | None]) -> Term:
    """A term with the numbers of its constants, and without powers of 1 and factors of 1 or 0."""
    if isinstance(term, str):
        x = constant(term)
        return term if x is None else x
    if not isinstance(term, list):
        return term
    head, *operands = (term[0], *(simplified(x, constant) for x in term[1:]))
    numbers = [x for x in operands if not isinstance(x, str | list)]
    if head in ("add", "sub") and len(numbers) == 2:
        return numbers[0] + numbers[1] if head == "add" else numbers[0] - numbers[1]
    if head == "neg" and numbers:
        return 0 - numbers[0]  # no −0
    if (head == "mul" and 0 in numbers) or (head == "div" and operands[0] == 0):
        return 0
    if head == "mul" and 1 in numbers:
        return operands[0] if operands[1] == 1 else operands[1]
    if head in ("pow", "div") and operands[1] == 1:
        return operands[0]
    if head == "pow" and operands[1] == 0:
        return 1
    return [head, *operands]


def written(term: Term, named: Callable[[str], Piece], spellings: Mapping[str, Any]) -> Piece:
    """The text of a term, each name as `named` has it."""
    if isinstance(term, str):
        return piece_of(NAMED[term]) if term in NAMED else named(term)
    if not isinstance(term, list):
        return piece_of(number(term))
    head, pieces = term[0], [written(x, named, spellings) for x in term[1:]]
    if head in COMPARISONS:
        left, right = pieces
        turned = not isinstance(term[1], str | list)  # x > 0, not 0 < x
        sign = COMPARISONS[head][turned]
        return Piece(f"{right.text} {sign} {left.text}" if turned else f"{left.text} {sign} {right.text}", COMPARISON)
    if head == "pow":
        return _power(*pieces)
    if head == "neg":
        return Piece(f"−{pieces[0].beside(POWER)}", PRODUCT)  # −(x // y) is not −x // y
    if spellings[head]["kind"] == "call":
        return Piece(f"{spellings[head]['sign']}({', '.join(piece.text for piece in pieces)})", ATOM, True)
    left, right = pieces
    return _between(head, left, right, spellings[head]["sign"])


def _between(head: str, left: Piece, right: Piece, sign: str) -> Piece:
    """A sum or a product."""
    if head == "div" and right.text == "1":
        return left
    level = SUM if head in ("add", "sub") else PRODUCT
    least = SUM if head == "add" else level + 1
    return Piece(f"{left.beside(level, leading=True)} {sign} {right.beside(least)}", level)


def _power(base: Piece, exponent: Piece) -> Piece:
    if not re.fullmatch(r"−?[0-9]+", exponent.text):
        return Piece(f"{base.beside(ATOM)}**{exponent.beside(ATOM)}", POWER)
    raised = exponent.text.translate(SUPERSCRIPTS)
    if base.is_call:
        name, bracket, arguments = base.text.partition("(")
        return Piece(f"{name}{raised}{bracket}{arguments}", ATOM)
    return Piece(f"{base.beside(ATOM)}{raised}", POWER)
