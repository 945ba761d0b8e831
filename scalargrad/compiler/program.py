"""The array program: instructions over rows of numbers, each standing for many scalars.

There are two banks of rows. A `lane` row has a number for every sample, a `uniform` row has one number for all of them:
constants, parameters, and what is computed from them alone or by a mean over the batch. Every instruction writes rows
of its own, next to each other, and reads rows through tables of row numbers.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import numpy
from numpy import ndarray

from scalargrad.engine import Value
from scalargrad.ops import Op
from scalargrad.structure import Buffer, outermost_layer_of

LANE, UNIFORM = "lane", "uniform"
SHORT = {LANE: "v", UNIFORM: "u"}


@dataclass(frozen=True, eq=False)
class Table:
    """Row numbers in a bank: [n], one for each result, or [n, m] for an operation on m operands."""

    bank: str
    rows: ndarray

    @property
    def range(self) -> slice | None:
        """The rows as first:last:step, if they are evenly spaced and there is one for each result."""
        rows = self.rows
        if rows.ndim != 1 or not len(rows):
            return None
        step = int(rows[1] - rows[0]) if len(rows) > 1 else 1
        if step < 1 or (len(rows) > 2 and (rows[1:] - rows[:-1] != step).any()):
            return None
        return slice(int(rows[0]), int(rows[-1]) + 1, step)

    def __str__(self) -> str:
        rows, short = self.rows, SHORT[self.bank]
        if rows.size == 1:
            return f"{short}{int(rows.ravel()[0])}"
        if self.range is not None:
            return f"{short}[{self.range.start}:{self.range.stop}" + (
                f":{self.range.step}]" if self.range.step > 1 else "]"
            )
        return f"{short}<{' x '.join(map(str, rows.shape))}>"


class Kind(StrEnum):
    """The kinds of instructions.

    MAP        the operation `op` for every row of its tables
    CONTRACT   out[r, c] = dot(weights[r], inputs[c]) for tables [rows, k] and [columns, k]
    OUTER      out[r, k] = sum over columns and lanes of upstream[r, c] * inputs[c, k]: a weight gradient
    LANE_SUM   out[r] = sum over columns and lanes of rows[r, c] for a table [rows, columns]
    BROADCAST  a uniform row as a lane row
    LEAF       uniform rows that keep their numbers from one training step to the next
    CONSTANT   a uniform row of one number
    """

    MAP = "map"
    CONTRACT = "contract"
    OUTER = "outer"
    LANE_SUM = "lane_sum"
    BROADCAST = "broadcast"
    LEAF = "leaf"
    CONSTANT = "constant"

    @property
    def sums_lanes(self) -> bool:
        """Does its result have a term for each lane?"""
        return self is Kind.OUTER or self is Kind.LANE_SUM

    @property
    def is_given(self) -> bool:
        """Are its numbers there before a run begins?"""
        return self is Kind.LEAF or self is Kind.CONSTANT


@dataclass(eq=False)
class Instruction:
    """One array operation.

    first   its first result row; `count` rows follow each other in `bank`
    """

    kind: Kind
    bank: str
    count: int
    args: tuple[Table, ...]
    op: Op | None = None
    first: int = -1
    module: str = ""
    backward: bool = False
    number: float = 0.0

    @property
    def rows(self) -> ndarray:
        return numpy.arange(self.first, self.first + self.count)

    @property
    def name(self) -> str:
        """The name of the operation, or of the kind."""
        return self.op.name if self.op else str(self.kind)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        return [table.rows.shape for table in self.args]

    @property
    def work(self) -> int:
        """Multiply-adds, or operations, for one sample."""
        return RULES[self.kind].work(self)

    def verify(self) -> None:
        """The tables fit the kind, the count and the bank."""
        rule = RULES[self.kind]
        assert rule.width is None or len(self.args) == rule.width, f"{self}: {len(self.args)} operands"
        assert rule.bank is None or self.bank == rule.bank, f"{self}: results are {rule.bank} rows"
        assert rule.reads is None or all(table.bank == rule.reads for table in self.args), f"{self}: reads {rule.reads}"
        assert rule.fits(self), f"{self}: shapes {self.shapes}"

    def __str__(self) -> str:
        short = SHORT[self.bank]
        span = f"{short}{self.first}" if self.count == 1 else f"{short}[{self.first}:{self.first + self.count}]"
        if self.kind is Kind.CONSTANT:
            return f"{span} = {self.number}"
        if self.kind is Kind.CONTRACT:
            weights, inputs = self.args
            shape = f"[{len(weights.rows)}, {weights.rows.shape[1]}] x [{weights.rows.shape[1]}, {len(inputs.rows)}]"
            return f"{span} = contract {shape}  {weights} {inputs}"
        return f"{span} = {self.name} {' '.join(map(str, self.args))}"

    def summary(self) -> str:
        """The operation and its shapes, without rows."""
        if self.kind is Kind.CONTRACT:
            (rows, k), (columns, _) = self.shapes
            return f"contract [{rows}, {k}] x [{k}, {columns}]"
        if self.kind is Kind.OUTER:
            (rows, columns), (_, k) = self.shapes
            return f"outer [{rows}, {columns}] x [{columns}, {k}]"
        widths = [shape[1] for shape in self.shapes if len(shape) > 1]
        of = f" of {widths[0]}" if widths and widths[0] > 1 else ""
        return f"{self.name}{of} [{self.count}]"


class Rule(NamedTuple):
    """The form of the instructions of a kind; None where it depends on the instruction.

    width   how many tables they read
    bank    where their results lie, and `reads` the bank that they read
    work    multiply-adds, or operations, for one sample
    fits    do the shapes of the tables fit each other and the count?
    """

    width: int | None
    bank: str | None
    reads: str | None
    work: Callable[[Instruction], int]
    fits: Callable[[Instruction], bool]


def _largest(i: Instruction) -> int:
    return max((table.rows.size for table in i.args), default=i.count)


def _fits_operation(i: Instruction) -> bool:
    assert i.op is not None, i
    assert i.bank == LANE or all(table.bank == UNIFORM for table in i.args), f"{i}: lanes into a uniform row"
    wide = [name[0] in "[*" for name in i.op.arguments]
    return [len(shape) == 2 for shape in i.shapes] == wide and all(shape[0] == i.count for shape in i.shapes)


def _fits_contraction(i: Instruction) -> bool:
    (rows, k), (columns, same) = i.shapes
    return k == same and i.count == rows * columns


def _fits_outer(i: Instruction) -> bool:
    (rows, columns), (same, k) = i.shapes
    return columns == same and i.count == rows * k


RULES = {
    Kind.MAP: Rule(None, None, None, _largest, _fits_operation),
    Kind.CONTRACT: Rule(2, None, None, lambda i: i.count * i.shapes[0][1], _fits_contraction),
    Kind.OUTER: Rule(2, None, None, lambda i: i.args[0].rows.size * i.shapes[1][1], _fits_outer),
    Kind.LANE_SUM: Rule(1, UNIFORM, LANE, _largest, lambda i: i.args[0].rows.ndim == 2 and i.shapes[0][0] == i.count),
    Kind.BROADCAST: Rule(1, LANE, UNIFORM, _largest, lambda i: i.shapes == [(i.count,)]),
    Kind.LEAF: Rule(0, UNIFORM, None, _largest, lambda i: True),
    Kind.CONSTANT: Rule(0, UNIFORM, None, _largest, lambda i: i.count == 1),
}


@dataclass(eq=False)
class Program:
    """Instructions in order, and what their first rows are.

    inputs       how many numbers each array argument has for one sample: they are the first lane rows, in order
    constants    the numbers of the first uniform rows
    parameters   the Values whose numbers come next
    buffers      the Values whose numbers follow: they have no gradient
    batch_row    the uniform row of 1 / batch size, after these
    updates      for each buffer that a training step changes, the row of its new number
    moves        (rows, rows): what a step of the trainer copies at its end, to parameters, buffers and leaves
    result       the rows of what the function returned, and where the mean over the batch is, for a scalar result
    gradient     for each parameter the uniform row of d mean / d parameter; empty before `differentiate`
    """

    inputs: list[int]
    constants: list[float]
    parameters: list[Value]
    buffers: list[Buffer] = field(default_factory=list)
    instructions: list[Instruction] = field(default_factory=list)
    updates: dict[Buffer, Table] = field(default_factory=dict)
    moves: list[tuple[Table, Table]] = field(default_factory=list)
    result: Table | None = None
    mean: Table | None = None
    gradient: Table | None = None
    lane_rows: int = 0
    uniform_rows: int = 0
    scalars: int = 0

    @property
    def batch_row(self) -> int:
        return len(self.constants) + len(self.parameters) + len(self.buffers)

    @property
    def numbers(self) -> dict[int, float]:
        """The uniform rows that are constants, and their numbers."""
        later = {i.first: i.number for i in self.instructions if i.kind is Kind.CONSTANT}
        return dict(enumerate(self.constants)) | later

    @property
    def leaves(self) -> list[Value]:
        """The parameters and buffers."""
        return [*self.parameters, *self.buffers]

    def known_numbers(self) -> dict[str, tuple[ndarray, ndarray]]:
        """Masks of the rows of each bank that are constants, or repeat one in all lanes, and their numbers, else 0."""
        sizes = {LANE: self.lane_rows, UNIFORM: self.uniform_rows}
        found = {bank: (numpy.zeros(size, bool), numpy.zeros(size)) for bank, size in sizes.items()}
        rows = list(self.numbers)
        found[UNIFORM][0][rows], found[UNIFORM][1][rows] = True, list(self.numbers.values())
        for instruction in self.instructions:
            if instruction.kind is Kind.BROADCAST:
                for whole, lanes in zip(found[UNIFORM], found[LANE], strict=True):
                    lanes[instruction.rows] = whole[instruction.args[0].rows]
        return found

    def reached(self) -> list[Value]:
        """The parameters that the mean depends on: others may be read for the update of a buffer alone."""
        assert self.mean is not None
        if not self.updates:
            return self.parameters
        wanted = {LANE: numpy.zeros(self.lane_rows, bool), UNIFORM: numpy.zeros(self.uniform_rows, bool)}
        wanted[self.mean.bank][self.mean.rows] = True
        for instruction in reversed(self.instructions):
            mask = wanted[instruction.bank][instruction.rows]
            if not mask.any():  # as of all gradients
                continue
            if instruction.kind is Kind.CONTRACT:
                table = mask.reshape([len(table.rows) for table in instruction.args])
                masks = [table.any(axis=1), table.any(axis=0)]
            else:
                masks = [mask[: len(table.rows)] for table in instruction.args]
            for mask, table in zip(masks, instruction.args, strict=True):
                wanted[table.bank][table.rows[mask]] = True
        first = len(self.constants)
        return [parameter for row, parameter in enumerate(self.parameters, first) if wanted[UNIFORM][row]]

    def append(self, instruction: Instruction) -> Instruction:
        """Add an instruction and give it its rows."""
        if instruction.bank == LANE:
            instruction.first, self.lane_rows = self.lane_rows, self.lane_rows + instruction.count
        else:
            instruction.first, self.uniform_rows = self.uniform_rows, self.uniform_rows + instruction.count
        self.instructions.append(instruction)
        return instruction

    def outputs(self) -> Iterator[Table]:
        moved = (source for source, _ in self.moves)
        for table in (self.result, self.mean, self.gradient, *self.updates.values(), *moved):
            if table is not None:
                yield table

    def verify(self) -> None:
        """Every row is written once and before it is read, and every table fits its instruction."""
        written = {LANE: sum(self.inputs), UNIFORM: self.batch_row + 1}
        for instruction in self.instructions:
            for table in instruction.args:
                assert table.rows.size == 0 or table.rows.min() >= 0, instruction
                assert table.rows.size == 0 or table.rows.max() < written[table.bank], f"{instruction}: read too early"
            assert instruction.first == written[instruction.bank], f"{instruction}: its rows do not follow"
            written[instruction.bank] += instruction.count
            instruction.verify()
        for table in self.outputs():
            assert table.rows.size == 0 or table.rows.max() < written[table.bank], "an output is never computed"
        assert written == {LANE: self.lane_rows, UNIFORM: self.uniform_rows}

    def name_modules(self) -> None:
        """Give each instruction the module whose parameters it reads, or that of what it reads."""
        first = len(self.constants)
        names = [outermost_layer_of(parameter.label) for parameter in self.parameters]
        owner: dict[tuple[str, int], str] = {(UNIFORM, first + i): name for i, name in enumerate(names)}
        for instruction in self.instructions:
            tables = sorted(instruction.args, key=lambda table: table.bank == LANE)  # parameters say more than data
            found = [owner.get((t.bank, int(t.rows.ravel()[0])), "") for t in tables if t.rows.size]
            instruction.module = next((name for name in found if name), "")
            owner[instruction.bank, instruction.first] = instruction.module
            if instruction.count > 1:
                owner.update(((instruction.bank, int(row)), instruction.module) for row in instruction.rows)

    def lines(self) -> list[tuple[str, Instruction | None]]:
        """The program by module, as it is printed: lines, and the instruction that each of them tells of, if one."""
        self.name_modules()
        total = sum(instruction.work for instruction in self.instructions) or 1
        count = len(self.instructions)
        title = f"{self.scalars:,} scalars in {count} instructions, {total:,} operations a sample"
        lines: list[tuple[str, Instruction | None]] = [(title, None)]
        module = None
        for instruction in sorted(self.instructions, key=lambda instruction: instruction.backward):
            if instruction.kind.is_given:
                continue
            heading = "backward" if instruction.backward else instruction.module or "(data)"
            if heading != module:
                module = heading
                lines.append((module, None))
            share = 100.0 * instruction.work / total
            said = f"  {instruction.summary():<44} {instruction.count:>8,} scalars {share:5.1f} %"
            lines.append((said, instruction))
        return lines

    def __str__(self) -> str:
        """The program by module: how many instructions stand for how many scalars, and their share of the work."""
        return "\n".join(line for line, _ in self.lines())

    @property
    def full(self) -> str:
        """Every instruction with its rows, one a line."""
        return "\n".join(map(str, self.instructions))
