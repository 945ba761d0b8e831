"""differentiate: a program that also computes the gradient of its mean, by the transpose of each instruction.

    map        the partials of the table, times the upstream gradient
    a table    read by an instruction: its transpose adds up what arrives at each row
    contract   a contraction with the weights turned around, and an outer product summed over lanes
    lane_sum   a broadcast, and the other way round

Gradients are rows like all others: a row that receives several terms gets a `sum` of them, in a fixed order.
"""

from typing import Any

from scalargrad.compiler.program import LANE, UNIFORM, Instruction, Program, Table
from scalargrad.compiler.simplify import give_operators, same_as_operand
from scalargrad.operands import flatten
from scalargrad.ops import Op, dot, mul, sum


def differentiate(program: Program) -> Program:
    """The program with `mean` and `gradient` set. Its result must be one number for each sample."""
    assert program.result is not None
    assert program.result.rows.shape == (1,)
    _Differentiator(program).run()
    program.verify()
    return program


class _Differentiator:
    def __init__(self, program: Program) -> None:
        import numpy

        self.numpy, self.program = numpy, program
        self.forward = list(program.instructions)
        self.constants = dict(enumerate(program.constants))
        self.constant_rows = {number.hex(): row for row, number in enumerate(program.constants)}
        self.zeros: dict[str, int] = {}
        self.needed = self._needed()
        # What arrives at the rows of each instruction and of the parameters: (rows, rows of the terms), by bank.
        self.arrived: dict[int, list[tuple[Any, Table]]] = {}
        starts: dict[str, list[tuple[int, int]]] = {LANE: [(0, -1)], UNIFORM: [(0, -1)]}
        for place, instruction in enumerate(self.forward):
            starts[instruction.bank].append((instruction.first, place))
        self.starts = {bank: tuple(map(numpy.array, zip(*pairs, strict=True))) for bank, pairs in starts.items()}

    def run(self) -> None:
        numpy, program = self.numpy, self.program
        loss = program.result
        assert loss is not None
        batch = Table(UNIFORM, numpy.array([program.batch_row]))
        if loss.bank == LANE:
            total = self.emit("lane_sum", UNIFORM, 1, (loss,))
            program.mean = self.emit("map", UNIFORM, 1, (total, batch), mul)
            self.arrive(loss, self.broadcast(batch))
        else:
            program.mean = loss
            self.arrive(loss, self.constant(1.0, 1))
        for place in range(len(self.forward) - 1, -1, -1):
            instruction = self.forward[place]
            upstream = self.adjoint(instruction.bank, instruction.first, instruction.count, place)
            if upstream is not None:
                self.transpose(instruction, upstream)
        first = len(program.constants)
        gradient = self.adjoint(UNIFORM, first, len(program.parameters), -1, of_leaves=True)
        program.gradient = gradient or self.constant(0.0, len(program.parameters))

    # What arrives, and its sum.

    def arrive(self, target: Table, terms: Table) -> None:
        """Add `terms` to the gradient of the rows of `target`, one for each."""
        rows, term_rows = target.rows.ravel(), terms.rows.ravel()
        if target.bank == UNIFORM and terms.bank == LANE:
            terms = self.emit("lane_sum", UNIFORM, len(rows), (Table(LANE, term_rows),))
            term_rows = terms.rows
        elif target.bank == LANE and terms.bank == UNIFORM:
            term_rows = self.broadcast(Table(UNIFORM, term_rows)).rows
        firsts, places = self.starts[target.bank]
        owners = places[self.numpy.searchsorted(firsts, rows, side="right") - 1]
        for owner in self.numpy.unique(owners):
            if owner >= 0 or target.bank == UNIFORM:  # nobody asks for the gradient of the data
                mine = owners == owner
                self.arrived.setdefault(int(owner), []).append((rows[mine], Table(target.bank, term_rows[mine])))

    def adjoint(self, bank: str, first: int, count: int, place: int, of_leaves: bool = False) -> Table | None:
        """The gradient of `count` rows from `first` on: None if nothing has arrived."""
        numpy = self.numpy
        arrived = self.arrived.pop(place, [])
        if not arrived:
            return None
        rows = numpy.concatenate([rows for rows, _ in arrived]) - first
        terms = numpy.concatenate([table.rows for _, table in arrived])
        if of_leaves:
            mine = (rows >= 0) & (rows < count)
            rows, terms = rows[mine], terms[mine]
        order = numpy.argsort(rows, kind="stable")
        rows, terms = rows[order], terms[order]
        counts = numpy.bincount(rows, minlength=count)
        begins = numpy.concatenate([[0], numpy.cumsum(counts)[:-1]])
        result = numpy.empty(count, dtype=numpy.int64)
        for many in numpy.unique(counts):
            receivers = numpy.flatnonzero(counts == many)
            if many == 0:
                result[receivers] = self.zero(bank)
                continue
            table = terms[begins[receivers][:, None] + numpy.arange(many)]
            if many == 1:
                result[receivers] = table[:, 0]
            else:
                result[receivers] = self.emit("map", bank, len(receivers), (Table(bank, table),), sum).rows
        return Table(bank, result)

    def zero(self, bank: str) -> int:
        """The row of 0 in a bank."""
        if bank not in self.zeros:
            zero = self.constant(0.0, 1)
            self.zeros[bank] = int((self.broadcast(zero) if bank == LANE else zero).rows[0])
        return self.zeros[bank]

    # The transposes.

    def transpose(self, instruction: Instruction, upstream: Table) -> None:
        args = instruction.args
        if instruction.name == "contract":
            self.transpose_contraction(instruction, upstream)
        elif instruction.name == "lane_sum":
            self.arrive(args[0], self.broadcast(upstream))
        elif instruction.name == "broadcast":
            self.arrive(args[0], upstream)
        elif instruction.op is sum:
            self.arrive(args[0], self.repeated(upstream, args[0].rows.shape[1]))
        elif instruction.op is dot:
            wide = self.repeated(upstream, args[0].rows.shape[1])
            for mine, other in ((args[0], args[1]), (args[1], args[0])):
                if self.wants(mine):
                    self.arrive(mine, self.map(mul, Table(other.bank, other.rows.ravel()), wide))
        else:
            self.transpose_map(instruction, upstream)

    def transpose_contraction(self, instruction: Instruction, upstream: Table) -> None:
        weights, inputs = instruction.args
        rows, columns = len(weights.rows), len(inputs.rows)
        above = Table(upstream.bank, upstream.rows.reshape(rows, columns))
        if self.wants(weights):
            if weights.bank == UNIFORM and inputs.bank == LANE:
                arrived = self.emit("outer", UNIFORM, weights.rows.size, (above, inputs))
            else:
                turned = Table(inputs.bank, inputs.rows.T)
                arrived = self.emit("contract", upstream.bank, weights.rows.size, (above, turned), dot)
            self.arrive(weights, arrived)
        if self.wants(inputs):
            turned = Table(weights.bank, weights.rows.T)
            above = Table(above.bank, above.rows.T)
            bank = upstream.bank
            arrived = self.emit("contract", bank, inputs.rows.size, (turned, above), dot)  # [k, columns]
            self.arrive(Table(inputs.bank, inputs.rows.T), arrived)

    def transpose_map(self, instruction: Instruction, upstream: Table) -> None:
        op = instruction.op
        assert op is not None
        if op.partials is None or not any(self.wants(table) for table in instruction.args):
            return
        result = Rows(self, Table(instruction.bank, instruction.rows))
        tables = [
            table if table.rows.ndim == 1 else tuple(Table(table.bank, column) for column in table.rows.T)
            for table in instruction.args
        ]
        args = [tuple(map(self.operand, x)) if isinstance(x, tuple) else self.operand(x) for x in tables]
        above = Rows(self, upstream)
        for table, partial in zip(flatten(tables), flatten(op.partials(result, *args)), strict=True):
            if self.wants(table) and not (isinstance(partial, float) and partial == 0.0):
                self.arrive(table, (partial * above).table)

    def operand(self, table: Table) -> "Rows | float":
        """What the partials get for a table: a number where all its rows are one constant."""
        if table.bank == UNIFORM and (table.rows == table.rows[0]).all() and table.rows[0] in self.constants:
            return self.constants[table.rows[0]]
        return Rows(self, table)

    # Instructions of the backward half.

    def emit(self, name: str, bank: str, count: int, args: tuple[Table, ...], op: Op | None = None) -> Table:
        instruction = self.program.append(Instruction(name, bank, count, args, op, backward=True))
        return Table(bank, instruction.rows)

    def map(self, op: Op, *tables: Table) -> Table:
        bank = LANE if any(table.bank == LANE for table in tables) else UNIFORM
        return self.emit("map", bank, len(tables[0].rows), tables, op)

    def broadcast(self, table: Table) -> Table:
        return self.emit("broadcast", LANE, len(table.rows), (table,)) if table.bank == UNIFORM else table

    def repeated(self, table: Table, times: int) -> Table:
        return Table(table.bank, self.numpy.repeat(table.rows, times))

    def constant(self, number: float, count: int) -> Table:
        """A table of one constant."""
        key = number.hex()
        if key not in self.constant_rows:
            fresh = Instruction("constant", UNIFORM, 1, (), number=number, backward=True)
            self.constant_rows[key] = self.program.append(fresh).first
        return Table(UNIFORM, self.numpy.full(count, self.constant_rows[key]))

    def wants(self, table: Table) -> bool:
        """Does anything in the table depend on a parameter?"""
        return bool(self.needed[table.bank][table.rows].any())

    def _needed(self) -> dict[str, Any]:
        program, numpy = self.program, self.numpy
        needed = {LANE: numpy.zeros(program.lane_rows, bool), UNIFORM: numpy.zeros(program.uniform_rows, bool)}
        first = len(program.constants)
        needed[UNIFORM][first : first + len(program.parameters)] = True
        for instruction in program.instructions:
            here = slice(instruction.first, instruction.first + instruction.count)
            if instruction.name == "map":
                depends = [needed[table.bank][table.rows] for table in instruction.args]
                depends = [d if d.ndim == 1 else d.any(axis=1) for d in depends]
                needed[instruction.bank][here] = numpy.logical_or.reduce(depends)
            else:
                needed[instruction.bank][here] = any(needed[t.bank][t.rows].any() for t in instruction.args)
        return needed


class Rows:
    """Rows as an operand of the table's partials: an operation on them is an instruction."""

    __slots__ = ("differentiator", "table")

    def __init__(self, differentiator: _Differentiator, table: Table) -> None:
        self.differentiator, self.table = differentiator, table

    @staticmethod
    def apply_operation(op: Op, args: tuple) -> Any:
        args = op.checked(args)
        if op.composite:
            return op.formula(*args[:-1], *args[-1]) if op.collects else op.formula(*args)
        if op.name == "where" and type(args[0]) is float:
            return args[1][0] if args[0] else args[1][1]
        same = same_as_operand(op, [x if type(x) is float else None for x in args]) if op.scalars else None
        if same is not None:
            return args[same]
        known = next(x for x in flatten(args) if isinstance(x, Rows))
        differentiator, count = known.differentiator, len(known.table.rows)

        def table_of(x: Any) -> Table:
            return x.table if isinstance(x, Rows) else differentiator.constant(float(x), count)

        tables = []
        for argument in args:
            if type(argument) is tuple:
                columns = [table_of(x) for x in argument]
                if len({column.bank for column in columns}) > 1:
                    columns = [differentiator.broadcast(column) for column in columns]
                tables.append(Table(columns[0].bank, differentiator.numpy.stack([c.rows for c in columns], axis=1)))
            else:
                tables.append(table_of(argument))
        return Rows(differentiator, differentiator.map(op, *tables))

    @staticmethod
    def lift(number: float) -> float:
        return number


give_operators(Rows)
