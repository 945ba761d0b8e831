"""The table of operations as an ES module: each row's value and partials, written by running them on terms."""

from collections.abc import Iterable

from scalargrad.checks import one_of
from scalargrad.javascript.terms import Term, Written, takes_an_array
from scalargrad.operands import Operand
from scalargrad.ops import OPERATIONS, Op


def operations_module(names: Iterable[str] | None = None) -> str:
    """A module with `export const OPERATIONS = {tanh: {value: (x) => ..., partials: (y, x) => [...]}, ...};`.

    names   of the rows, all unless given

    `partials` is null of what is locally constant. Rows on many operands have `many: true`: `value` takes an array
    of them, and `partials(result, operands, slopes)` fills an array of slopes. The module imports elementary.js and
    many.js, which lie beside this file. ValueError for a name that the table does not have.
    """
    wanted = OPERATIONS if names is None else [one_of("operation", name, OPERATIONS) for name in dict.fromkeys(names)]
    functions: set[str] = set()
    rows = [f"  {name}: {_row(OPERATIONS[name], functions)}," for name in wanted]
    lines = []
    if functions:
        lines.append(f'import {{ {", ".join(sorted(functions))} }} from "./elementary.js";')
    if any(takes_an_array(OPERATIONS[name]) for name in wanted):
        lines.append('import { MANY } from "./many.js";')
    return "\n".join([*lines, "", "export const OPERATIONS = {", *rows, "};", ""])


def _row(op: Op, functions: set[str]) -> str:
    if takes_an_array(op):
        return f"{{ many: true, ...MANY.{op.name} }}"
    args, names = _arguments(op)
    value = _function(names, Written([op(*args)]), functions)
    if op.partials is None:
        return f"{{ value: {value}, partials: null }}"
    slopes = op.partials(Term("result"), *args)
    flat = [x for slope in slopes for x in (slope if isinstance(slope, tuple) else (slope,))]
    partials = _function(["result", *names], Written(flat), functions, listed=True)
    return f"{{ value: {value}, partials: {partials} }}"


def _arguments(op: Op) -> tuple[list[Operand], list[str]]:
    """Terms for the arguments of an operation, and the names of its operands."""
    names = list(op.arguments if op.scalars else op.names)
    terms: list[Operand] = [Term(name) for name in names]
    return (terms if op.scalars else [terms[0], tuple(terms[1:])]), names


def _function(names: list[str], written: Written, functions: set[str], listed: bool = False) -> str:
    """An arrow function of these statements, which returns the expressions in an array, or the only one."""
    functions |= written.functions
    result = f"[{', '.join(written.expressions)}]" if listed else written.expressions[0]
    head = f"({', '.join(names)}) => "
    if not written.statements:
        return head + result
    return f"{head}{{ {' '.join(written.statements)} return {result}; }}"
