"""Kernels: a function in JavaScript for each form of instruction, which loops over its rows and the samples in them.

A kernel takes both banks, v and u, the number L of samples, and then the first row of its results, its sizes, and the
row numbers that it reads, as Int32Arrays: so many instructions share one. Rows of v lie one after another, L numbers
each. Sums go from left to right, as those of Values do.
"""

from collections.abc import Callable
from typing import NamedTuple

from scalargrad.compiler.program import LANE, SHORT, Instruction, Kind, Table
from scalargrad.javascript.terms import Term, Written, takes_an_array
from scalargrad.ops import Op

AT_ONCE = 4  # terms of a sum of products in one pass over the samples


class Kernel(NamedTuple):
    """name       of the function
    text       of it
    sizes      that a call passes on, before the tables
    functions  of elementary.js that it calls
    """

    name: str
    text: str
    sizes: tuple[int, ...]
    functions: frozenset[str] = frozenset()


def kernel(instruction: Instruction) -> Kernel:
    """The kernel for an instruction that computes something."""
    if instruction.kind is Kind.MAP:
        assert instruction.op is not None
        make = ARRAYS[instruction.op.name] if takes_an_array(instruction.op) else _map
        return make(instruction)
    return KINDS[instruction.kind](instruction)


class Operand(NamedTuple):
    """A number of a table: how it is found once for a row, and how it is read for a sample."""

    found: str
    read: str


def operand(table: Table, name: str, place: str) -> Operand:
    """The number whose row is at that place of the table, an argument of this name in capitals."""
    row = f"{name[0].upper()}[{place}]"
    if table.bank == LANE:
        return Operand(f"const {name} = {row} * L;", f"v[{name} + l]")
    return Operand(f"const {name} = u[{row}];", name)


def for_samples(bank: str, body: str) -> str:
    return f"for (let l = 0; l < L; l++) {body}" if bank == LANE else body


def result(bank: str) -> tuple[str, str]:
    """Where a row n of results begins, and one number of it."""
    return ("const out = (first + n) * L;", "v[out + l]") if bank == LANE else ("", "u[first + n]")


def named(instruction: Instruction) -> str:
    """The name of a kernel: mul_v_vu writes lane rows, from lane rows and uniform rows."""
    name = instruction.name if instruction.kind is Kind.MAP else str(instruction.kind)
    return f"{name}_{SHORT[instruction.bank]}_{''.join(SHORT[table.bank] for table in instruction.args)}"


def function(name: str, arguments: str, body: str) -> str:
    return f"function {name}(v, u, L, first, {arguments}) {{\n{body}\n}}"


# One number after another.


def _map(instruction: Instruction) -> Kernel:
    op, tables = instruction.op, instruction.args
    assert op is not None
    operands = [
        operand(table, f"{letter}{column}", "n" if table.rows.ndim == 1 else f"{table.rows.shape[1]} * n + {column}")
        for letter, table in zip("abc", tables, strict=False)
        for column in range(1 if table.rows.ndim == 1 else table.rows.shape[1])
    ]
    written = Written([_applied(op, [Term(x.read) for x in operands])])
    begin, out = result(instruction.bank)
    found = " ".join([begin, *(x.found for x in operands)])
    inner = " ".join([*written.statements, f"{out} = {written.expressions[0]};"])
    body = f"  for (let n = 0; n < count; n++) {{\n    {found}\n"
    body += f"    {for_samples(instruction.bank, f'{{ {inner} }}')}\n  }}"
    arguments = ", ".join(["count", *"ABC"[: len(tables)]])
    name = named(instruction)
    return Kernel(name, function(name, arguments, body), (instruction.count,), frozenset(written.functions))


def _applied(op: Op, terms: list[Term]) -> Term:
    return op(*terms) if op.scalars else op(terms[0], tuple(terms[1:]))


# Operations on tuples.


def _sum(instruction: Instruction) -> Kernel:
    (table,) = instruction.args
    return _accumulated(instruction, [table], "A", lambda operands: operands[0])


def _dot(instruction: Instruction) -> Kernel:
    return _accumulated(instruction, list(instruction.args), "A, B", lambda operands: f"{operands[0]} * {operands[1]}")


def _accumulated(instruction: Instruction, tables: list[Table], names: str, term: Callable) -> Kernel:
    """A sum over the columns of the tables, several at once in a pass over the samples."""
    begin, out = result(instruction.bank)
    body = f"  for (let n = 0; n < count; n++) {{\n    {begin}\n    let k = 0;\n"
    start = "v.fill(-0, out, out + L);" if instruction.bank == LANE else "u[first + n] = -0;"
    body += f"    {start}\n{_passes(instruction.bank, tables, ['n * width'] * len(tables), out, 'width', term)}\n  }}"
    name = named(instruction)
    sizes = (instruction.count, tables[0].rows.shape[1])
    return Kernel(name, function(name, f"count, width, {names}", body), sizes)


def _passes(bank: str, tables: list[Table], starts: list[str], out: str, width: str, term: Callable) -> str:
    """Loops over k < width that add terms to the result, several at once, and then the rest one by one."""
    lines = []
    for count in (AT_ONCE, 1):
        columns = [
            [operand(table, f"{letter}{n}", f"{start} + k + {n}") for n in range(count)]
            for letter, table, start in zip("ab", tables, starts, strict=False)
        ]
        found = " ".join(x.found for column in columns for x in column)
        terms = " + ".join(term([column[n].read for column in columns]) for n in range(count))
        added = for_samples(bank, f"{out} = {out} + {terms};")
        condition = f"k + {count} <= {width}" if count > 1 else f"k < {width}"
        lines.append(f"    for (; {condition}; k += {count}) {{\n      {found}\n      {added}\n    }}")
    return "\n".join(lines)


def _maximum(instruction: Instruction) -> Kernel:
    (table,) = instruction.args
    begin, out = result(instruction.bank)
    x, y = operand(table, "a0", "n * width"), operand(table, "a1", "n * width + k")
    larger = f"{{ const x = {y.read}; if (x !== x || x > {out}) {out} = x; }}"
    body = f"""  for (let n = 0; n < count; n++) {{
    {begin} {x.found}
    {for_samples(instruction.bank, f"{out} = {x.read};")}
    for (let k = 1; k < width; k++) {{
      {y.found}
      {for_samples(instruction.bank, larger)}
    }}
  }}"""
    name = named(instruction)
    sizes = (instruction.count, table.rows.shape[1])
    return Kernel(name, function(name, "count, width, A", body), sizes)


def _take(instruction: Instruction) -> Kernel:
    index, values = instruction.args
    begin, out = result(instruction.bank)
    place = operand(index, "a0", "n")
    row = "B[n * width + checkedIndex(i, width)]"
    value = f"v[{row} * L + l]" if values.bank == LANE else f"u[{row}]"
    inner = f"{{ const i = {place.read}; {out} = {value}; }}"
    body = f"""  for (let n = 0; n < count; n++) {{
    {begin} {place.found}
    {for_samples(instruction.bank, inner)}
  }}"""
    name = named(instruction)
    sizes = (instruction.count, values.rows.shape[1])
    return Kernel(name, function(name, "count, width, A, B", body), sizes, frozenset({"checkedIndex"}))


def _random(instruction: Instruction) -> Kernel:
    (table,) = instruction.args
    begin, out = result(instruction.bank)
    counter = "v[A[n * width + k] * L + l]" if table.bank == LANE else "u[A[n * width + k]]"
    inner = f"{{ for (let k = 0; k < width; k++) counters[k] = {counter}; {out} = random(counters); }}"
    body = f"""  const counters = new Float64Array(width);
  for (let n = 0; n < count; n++) {{
    {begin}
    {for_samples(instruction.bank, inner)}
  }}"""
    name = named(instruction)
    sizes = (instruction.count, table.rows.shape[1])
    return Kernel(name, function(name, "count, width, A", body), sizes, frozenset({"random"}))


ARRAYS = {"sum": _sum, "dot": _dot, "maximum": _maximum, "take": _take, "random": _random}


# The other kinds.


def _contract(instruction: Instruction) -> Kernel:
    weights, inputs = instruction.args
    begin = "const out = (first + r * columns + c) * L;" if instruction.bank == LANE else ""
    out = "v[out + l]" if instruction.bank == LANE else "u[first + r * columns + c]"
    start = "v.fill(-0, out, out + L);" if instruction.bank == LANE else f"{out} = -0;"
    passes = _passes(
        instruction.bank,
        [weights, inputs],
        ["r * terms", "c * terms"],
        out,
        "terms",
        lambda operands: f"{operands[0]} * {operands[1]}",
    )
    body = f"""  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) {{
    {begin} {start}
    let k = 0;
{passes}
  }}"""
    name = named(instruction)
    sizes = (len(weights.rows), len(inputs.rows), weights.rows.shape[1])
    return Kernel(name, function(name, "rows, columns, terms, A, B", body), sizes)


def _outer(instruction: Instruction) -> Kernel:
    above, inputs = instruction.args
    bank = LANE if LANE in (above.bank, inputs.bank) else instruction.bank
    blocks = []
    for count in (AT_ONCE, 1):
        x = operand(above, "a0", "r * columns + c")
        columns = [operand(inputs, f"b{n}", f"c * width + k + {n}") for n in range(count)]
        sums = ", ".join(f"s{n} = -0" for n in range(count))
        found = " ".join([x.found, *(column.found for column in columns)])
        added = " ".join(f"s{n} += x * {column.read};" for n, column in enumerate(columns))
        inner = for_samples(bank, f"{{ const x = {x.read}; {added} }}")
        given = " ".join(f"u[out + k + {n}] = s{n};" for n in range(count))
        condition = f"k + {count} <= width" if count > 1 else "k < width"
        blocks.append(f"""    for (; {condition}; k += {count}) {{
      let {sums};
      for (let c = 0; c < columns; c++) {{
        {found}
        {inner}
      }}
      {given}
    }}""")
    body = "  for (let r = 0; r < rows; r++) {\n    const out = first + r * width;\n    let k = 0;\n"
    body += "\n".join(blocks) + "\n  }"
    name = named(instruction)
    sizes = (*above.rows.shape, inputs.rows.shape[1])
    return Kernel(name, function(name, "rows, columns, width, A, B", body), sizes)


def _lane_sum(instruction: Instruction) -> Kernel:
    (table,) = instruction.args
    body = """  for (let n = 0; n < count; n++) {
    let s = -0;
    for (let k = 0; k < width; k++) {
      const a = A[n * width + k] * L;
      for (let l = 0; l < L; l++) s += v[a + l];
    }
    u[first + n] = s;
  }"""
    return Kernel("lane_sum", function("lane_sum", "count, width, A", body), table.rows.shape)


def _broadcast(instruction: Instruction) -> Kernel:
    body = "  for (let n = 0; n < count; n++) v.fill(u[A[n]], (first + n) * L, (first + n + 1) * L);"
    return Kernel("broadcast", function("broadcast", "count, A", body), (instruction.count,))


KINDS = {Kind.CONTRACT: _contract, Kind.OUTER: _outer, Kind.LANE_SUM: _lane_sum, Kind.BROADCAST: _broadcast}
