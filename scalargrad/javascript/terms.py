"""Terms: numbers that write themselves in JavaScript. The table's formulas and partials, run on them, become code."""

import math
from collections import Counter
from collections.abc import Iterable

from scalargrad.methods import stamp_operations
from scalargrad.operands import Operand, flatten
from scalargrad.ops import Op

# How operations on single operands are written; the others call the function of their name in elementary.js.
INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/"}


class Term:
    """An operation on terms and numbers, or a name."""

    __slots__ = ("args", "name", "op")

    def __init__(self, name: str = "", op: Op | None = None, args: tuple = ()) -> None:
        self.name, self.op, self.args = name, op, args

    @staticmethod
    def apply_operation(op: Op, args: tuple) -> Operand:
        args = op.checked(args)
        if op.composite:
            return op.formula(*args[:-1], *args[-1]) if op.collects else op.formula(*args)
        return Term("", op, args)

    @staticmethod
    def lift(number: float) -> float:
        return number


stamp_operations(Term)


def number(x: float) -> str:
    """A float as JavaScript reads it back to the bit.

    >>> number(0.1), number(-math.inf), number(math.nan), number(3.0), number(-0.0)
    ('0.1', '-Infinity', 'NaN', '3', '-0')
    """
    if math.isinf(x) or math.isnan(x):
        return "NaN" if x != x else "Infinity" if x > 0 else "-Infinity"
    return repr(x).removesuffix(".0")


def takes_an_array(op: Op) -> bool:
    """Do its operands come in one array? Those of `where` and `clamp` are always three, and have names."""
    return not op.scalars and not (op.collects and op.names)


class Written:
    """Terms as statements and expressions: what is used twice has a name.

    statements   `const t0 = ...;`, in order
    functions    the names of the functions that are called
    """

    def __init__(self, results: Iterable[Operand], prefix: str = "t") -> None:
        self.results, self.prefix = tuple(results), prefix
        self.statements: list[str] = []
        self.functions: set[str] = set()
        self.names: dict[int, str] = {}
        self.uses = self._uses()
        self.expressions = [self.expression(result) for result in self.results]

    def _uses(self) -> Counter:
        uses: Counter = Counter()
        stack = list(self.results)
        while stack:
            term = stack.pop()
            if isinstance(term, Term):
                uses[id(term)] += 1
                if uses[id(term)] == 1:
                    stack += flatten(term.args)
        return uses

    def expression(self, term: Operand) -> str:
        if not isinstance(term, Term):
            return number(float(term))
        if term.op is None:
            return term.name
        if id(term) not in self.names:
            text = self._applied(term.op, [self.expression(x) for x in flatten(term.args)])
            if self.uses[id(term)] == 1:
                return text
            self.names[id(term)] = f"{self.prefix}{len(self.names)}"
            self.statements.append(f"const {self.names[id(term)]} = {text};")
        return self.names[id(term)]

    def _applied(self, op: Op, operands: list[str]) -> str:
        if op.name in INFIX:
            return f"({operands[0]} {INFIX[op.name]} {operands[1]})"
        if op.name == "neg":
            return f"(-{operands[0]})"
        self.functions.add(op.name)
        listed = ", ".join(operands)
        return f"{op.name}([{listed}])" if takes_an_array(op) else f"{op.name}({listed})"
