"""Rows: rows of a program as operands of the table's formulas. An operation on them is an instruction."""

from collections.abc import Callable
from typing import Any

import numpy

from scalargrad.compiler.program import LANE, UNIFORM, Instruction, Kind, Program, Table
from scalargrad.compiler.simplify import same_as_operand
from scalargrad.methods import stamp_operations
from scalargrad.operands import flatten
from scalargrad.ops import Op, where


class Writer:
    """Adds instructions to a program, and constants, each only once."""

    def __init__(self, program: Program, backward: bool = False) -> None:
        self.program, self.backward = program, backward
        self.constants = dict(enumerate(program.constants))  # uniform rows -> numbers
        self.constant_rows = {number.hex(): row for row, number in enumerate(program.constants)}

    def emit(self, kind: Kind, bank: str, count: int, args: tuple[Table, ...], op: Op | None = None) -> Table:
        instruction = self.program.append(Instruction(kind, bank, count, args, op, backward=self.backward))
        return Table(bank, instruction.rows)

    def map(self, op: Op, *tables: Table) -> Table:
        bank = LANE if any(table.bank == LANE for table in tables) else UNIFORM
        count = len(tables[0].rows)
        if count > 1 and all((table.rows == table.rows[0]).all() for table in tables):  # computed once
            once = self.emit(Kind.MAP, bank, 1, tuple(Table(t.bank, t.rows[:1]) for t in tables), op)
            return Table(bank, numpy.repeat(once.rows, count))
        return self.emit(Kind.MAP, bank, count, tables, op)

    def broadcast(self, table: Table) -> Table:
        return self.emit(Kind.BROADCAST, LANE, len(table.rows), (table,)) if table.bank == UNIFORM else table

    def constant(self, number: float, count: int) -> Table:
        """A table of one constant."""
        key = number.hex()
        if key not in self.constant_rows:
            fresh = Instruction(Kind.CONSTANT, UNIFORM, 1, (), number=number, backward=self.backward)
            self.constant_rows[key] = row = self.program.append(fresh).first
            self.constants[row] = number
        return Table(UNIFORM, numpy.full(count, self.constant_rows[key]))

    def operands(self, tables: tuple[Table, ...]) -> tuple:
        """The tables of an instruction as operands: the columns of a wide one are a tuple."""
        return tuple(
            self.operand(table)
            if table.rows.ndim == 1
            else tuple(self.operand(Table(table.bank, column)) for column in table.rows.T)
            for table in tables
        )

    def operand(self, table: Table) -> "Rows":
        same = table.bank == UNIFORM and (table.rows == table.rows[0]).all()
        return Rows(self, table, self.constants.get(int(table.rows[0])) if same else None)


class Rows:
    """Some rows, and their number if they all are one constant: what is computed from constants is one, too."""

    __slots__ = ("number", "table", "writer")

    def __init__(self, writer: Writer, table: Table, number: float | None = None) -> None:
        self.writer, self.table, self.number = writer, table, number

    @staticmethod
    def apply_operation(op: Op, args: tuple) -> Any:
        args = op.checked(args)
        known = next(x for x in flatten(args) if isinstance(x, Rows))
        writer, count = known.writer, len(known.table.rows)
        numbers = [_each(_number, argument) for argument in args]
        if None not in flatten(numbers):
            number = float(op.compute(*numbers))
            return Rows(writer, writer.constant(number, count), number)
        if op.composite:
            return op.formula(*args[:-1], *args[-1]) if op.collects else op.formula(*args)
        if op is where and numbers[0] is not None:
            return args[1][0] if numbers[0] else args[1][1]
        same = same_as_operand(op, numbers) if op.scalars else None
        if same is not None:
            return args[same]

        def table_of(x: Any) -> Table:
            return x.table if isinstance(x, Rows) else writer.constant(float(x), count)

        tables = []
        for argument in args:
            columns = _each(table_of, argument)
            if type(columns) is tuple:
                if len({column.bank for column in columns}) > 1:
                    columns = tuple(map(writer.broadcast, columns))
                columns = Table(columns[0].bank, numpy.stack([c.rows for c in columns], axis=1))
            tables.append(columns)
        return Rows(writer, writer.map(op, *tables))

    @staticmethod
    def lift(number: float) -> float:
        return number

    def _refuse(self, *_: object) -> bool:
        raise TypeError("an `if` or a comparison would choose once, for all rows and for ever: use where() and less()")

    __bool__ = __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse  # type: ignore[assignment]
    __hash__ = object.__hash__


def _each(function: Callable, argument: object) -> Any:
    return tuple(map(function, argument)) if type(argument) is tuple else function(argument)


def _number(x: Any) -> float | None:
    return x.number if isinstance(x, Rows) else float(x)


stamp_operations(Rows)
