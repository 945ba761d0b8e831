"""Local derivatives in symbols: the partials of a row run on names, or the text that the row has for them.

A term is a number, a name, or an operation with its operands: ["sub", 1, ["pow", "result", 2]]. It is what JSON can
carry, and pages fill it in. Nothing is computed with it: numbers are always those of the partials.
"""

import ast
from functools import cache
from typing import Any, TypeAlias

from scalargrad.methods import stamp_operations
from scalargrad.operands import flatten
from scalargrad.ops import OPERATIONS, Op, where

Term: TypeAlias = Any  # float | str | list of the name of an operation and its operands: mypy knows no such recursion

RESULT = "result"  # the name of the number that the operation gave


class Symbol:
    """A name, or an operation on symbols and numbers: the operations of the table, applied to it, only record.

    >>> x = Symbol("x")
    >>> (1.0 - x * x).term
    ['sub', 1.0, ['mul', 'x', 'x']]
    """

    __slots__ = ("term",)

    def __init__(self, term: Term) -> None:
        self.term = term

    @staticmethod
    def apply_operation(op: Op, args: tuple) -> "Symbol":
        return Symbol([op.name, *map(term_of, flatten(args))])

    def __repr__(self) -> str:
        return str(self.term)


stamp_operations(Symbol)


def term_of(x: Symbol | float) -> Term:
    return x.term if isinstance(x, Symbol) else x


@cache
def rules_of(op: Op) -> tuple[Term, ...]:
    """The derivatives of an operation by its operands, as terms; the last one stands for all further operands.

    Names are those of the arguments, `result`, and what `Op` lists under `rule`.

    >>> rules_of(OPERATIONS["tanh"]), rules_of(OPERATIONS["mul"])
    ((['sub', 1, ['pow', 'result', 2]],), ('y', 'x'))
    """
    if op.partials is None:
        return (0.0,)
    if op.rule:
        return tuple(parsed(text, op) for text in op.rule)
    names = [Symbol(name) for name in op.arguments]
    return tuple(squared(term_of(partial)) for partial in op.partials(Symbol(RESULT), *names))


def squared(term: Term) -> Term:
    """A factor times itself as its square."""
    if not isinstance(term, list):
        return term
    head, *operands = (term[0], *map(squared, term[1:]))
    return ["pow", operands[0], 2] if head == "mul" and operands[0] == operands[1] else [head, *operands]


INFIX = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.Mod: "mod",
    ast.FloorDiv: "floor_divide",
    ast.Pow: "pow",
    ast.Lt: "less",
    ast.LtE: "less_equal",
    ast.Eq: "equal",
}
TURNED: dict[type, type[ast.cmpop]] = {ast.Gt: ast.Lt, ast.GtE: ast.LtE}


def parsed(text: str, op: Op) -> Term:
    """The term of a rule, in which the operation itself on its arguments is `result`."""
    own = [op.name, *(name.strip("[]*") for name in op.arguments)]

    def read(node: ast.AST) -> Term:
        term = read_node(node)
        return RESULT if term == own else term

    def read_node(node: ast.AST) -> Term:
        match node:
            case ast.Expression(body):
                return read(body)
            case ast.Constant(value):
                return value
            case ast.Name(name):
                return name
            case ast.UnaryOp(ast.USub(), x):
                below = read(x)
                return -below if isinstance(below, int) else ["neg", below]
            case ast.BinOp(left, sign, right) if type(sign) in INFIX:
                return [INFIX[type(sign)], read(left), read(right)]
            case ast.Compare(left, [sign], [right]) if type(sign) in {*INFIX, *TURNED}:
                first, second = (right, left) if type(sign) in TURNED else (left, right)
                return [INFIX[TURNED.get(type(sign), type(sign))], read(first), read(second)]
            case ast.IfExp(condition, chosen, otherwise):
                return [where.name, read(condition), read(chosen), read(otherwise)]
            case ast.Call(ast.Name(name), operands) if name in OPERATIONS:
                return [name, *map(read, operands)]
        raise ValueError(f"the rule of {op} takes names, numbers, operations and `if`, got {ast.unparse(node)!r}")

    return read(ast.parse(text, mode="eval"))


def cases_of(term: Term) -> list[tuple[Term | None, Term]]:
    """A term as its cases: (condition, term) in order, the last without a condition."""
    cases: list[tuple[Term | None, Term]] = []
    while isinstance(term, list) and term[0] == where.name:
        _, condition, chosen, term = term
        cases.append((condition, chosen))
    return [*cases, (None, term)]
