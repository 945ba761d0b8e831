"""differentiate: a program that also computes the gradient of its mean, by the transpose of each instruction.

    map        the partials of the table, times the upstream gradient
    a table    read by an instruction: its transpose adds up what arrives at each row
    take       of a whole table: an outer product of which row is taken and what arrives
    contract   a contraction with the weights turned around, and an outer product summed over lanes
    lane_sum   a broadcast, and the other way round

Gradients are rows like all others: a row that receives several terms gets a `sum` of them, in a fixed order.
"""

from collections.abc import Iterator

import numpy
from numpy import ndarray

from scalargrad.compiler.plan import with_composites_expanded
from scalargrad.compiler.program import LANE, UNIFORM, Instruction, Kind, Program, Table
from scalargrad.compiler.writer import Rows, Writer
from scalargrad.operands import flatten
from scalargrad.ops import dot, equal, mul, sum, take


def differentiate(program: Program) -> Program:
    """The program with `mean` and `gradient` set. Its result must be one number for each sample."""
    assert program.result is not None
    assert program.result.rows.shape == (1,)
    _Differentiator(program).run()
    program = with_composites_expanded(program)  # their own partials have done their part
    program.verify()
    return program


class _Differentiator(Writer):
    def __init__(self, program: Program) -> None:
        super().__init__(program, backward=True)
        self.forward = list(program.instructions)
        self.zeros: dict[str, int] = {}
        self.needed = self._needed()
        # What arrives at the rows of each instruction and of the parameters: (rows, rows of the terms), by bank.
        self.arrived: dict[int, list[tuple[ndarray, Table]]] = {}
        starts: dict[str, list[tuple[int, int]]] = {LANE: [(0, -1)], UNIFORM: [(0, -1)]}
        for place, instruction in enumerate(self.forward):
            starts[instruction.bank].append((instruction.first, place))
        self.starts = {bank: tuple(map(numpy.array, zip(*pairs, strict=True))) for bank, pairs in starts.items()}

    def run(self) -> None:
        program = self.program
        loss = program.result
        assert loss is not None
        batch = Table(UNIFORM, numpy.array([program.batch_row]))
        if loss.bank == LANE:
            total = self.emit(Kind.LANE_SUM, UNIFORM, 1, (Table(LANE, loss.rows[:, None]),))
            program.mean = self.emit(Kind.MAP, UNIFORM, 1, (total, batch), mul)
            self.arrive(loss, self.broadcast(batch))
        else:
            program.mean = loss
            self.arrive(loss, self.constant(1.0, 1))
        for place in range(len(self.forward) - 1, -1, -1):
            instruction = self.forward[place]
            reached, upstream = self.adjoint(instruction.bank, instruction.first, instruction.count, place)
            if reached.any():
                self.transpose(instruction, reached, upstream)
        first = len(program.constants)
        _, program.gradient = self.adjoint(UNIFORM, first, len(program.parameters), -1)

    # What arrives, and its sum.

    def arrive(self, target: Table, terms: Table) -> None:
        """Add `terms` to the gradient of the rows of `target`, one for each."""
        rows, term_rows = target.rows.ravel(), terms.rows.ravel()
        if target.bank == UNIFORM and terms.bank == LANE:
            rows, term_rows = self.summed_over_lanes(rows, term_rows)
        elif target.bank == LANE and terms.bank == UNIFORM:
            term_rows = self.broadcast(Table(UNIFORM, term_rows)).rows
        firsts, places = self.starts[target.bank]
        owners = places[numpy.searchsorted(firsts, rows, side="right") - 1]
        for owner in numpy.unique(owners):
            if owner >= 0 or target.bank == UNIFORM:  # nobody asks for the gradient of the data
                mine = owners == owner
                self.arrived.setdefault(int(owner), []).append((rows[mine], Table(target.bank, term_rows[mine])))

    def summed_over_lanes(self, rows: ndarray, terms: ndarray) -> tuple[ndarray, ndarray]:
        """Lane terms that arrive at uniform rows: each of these rows once, and what it gets from all lanes."""
        summed: tuple[list, list] = ([], [])
        for receivers, table in self.by_receiver(rows, terms):
            summed[0].append(receivers)
            summed[1].append(self.emit(Kind.LANE_SUM, UNIFORM, len(receivers), (Table(LANE, table),)).rows)
        return numpy.concatenate(summed[0]), numpy.concatenate(summed[1])

    def by_receiver(self, rows: ndarray, terms: ndarray) -> Iterator[tuple[ndarray, ndarray]]:
        """Rows by the number of terms that they get: the rows [n] of one number, and their terms [n, many]."""
        order = numpy.argsort(rows, kind="stable")
        receivers, begins, counts = numpy.unique(rows[order], return_index=True, return_counts=True)
        for many in numpy.unique(counts):
            places = begins[counts == many][:, None] + numpy.arange(many)
            yield receivers[counts == many], terms[order][places]

    def adjoint(self, bank: str, first: int, count: int, place: int) -> tuple[ndarray, Table]:
        """Which of `count` rows from `first` on a gradient has reached, as a mask, and the gradients, 0 elsewhere."""
        # The largest first: what all parameters get, such as the slope of their squares, is one column of the table.
        arrived = sorted(self.arrived.pop(place, []), key=lambda pair: -len(pair[0]))
        rows = numpy.concatenate([numpy.empty(0, int), *(rows for rows, _ in arrived)]) - first
        terms = numpy.concatenate([numpy.empty(0, int), *(table.rows for _, table in arrived)])
        mine = (rows >= 0) & (rows < count)  # other leaves may have got something, too
        reached = numpy.zeros(count, bool)
        reached[rows[mine]] = True
        result = numpy.empty(count, dtype=numpy.int64)
        if arrived or place < 0:
            result[~reached] = self.zero(bank) if not reached.all() else 0
        for receivers, table in self.by_receiver(rows[mine], terms[mine]):
            if table.shape[1] == 1:
                result[receivers] = table[:, 0]
            else:
                result[receivers] = self.emit(Kind.MAP, bank, len(receivers), (Table(bank, table),), sum).rows
        return reached, Table(bank, result)

    def zero(self, bank: str) -> int:
        """The row of 0 in a bank."""
        if bank not in self.zeros:
            zero = self.constant(0.0, 1)
            self.zeros[bank] = int((self.broadcast(zero) if bank == LANE else zero).rows[0])
        return self.zeros[bank]

    # The transposes.

    def transpose(self, instruction: Instruction, reached: ndarray, upstream: Table) -> None:
        # Not for rows that no gradient reaches: 0 times an infinite partial is nan.
        if instruction.kind is Kind.CONTRACT:
            self.transpose_contraction(instruction.args, reached, upstream)
            return
        args = tuple(Table(table.bank, table.rows[reached]) for table in instruction.args)
        upstream = Table(upstream.bank, upstream.rows[reached])
        if instruction.kind is Kind.LANE_SUM:
            self.arrive(args[0], self.broadcast(self.repeated(upstream, args[0].rows.shape[1])))
        elif instruction.kind is Kind.BROADCAST:
            self.arrive(args[0], upstream)
        elif instruction.op is sum:
            self.arrive(args[0], self.repeated(upstream, args[0].rows.shape[1]))
        elif instruction.op is dot:
            wide = self.repeated(upstream, args[0].rows.shape[1])
            for mine, other in ((args[0], args[1]), (args[1], args[0])):
                if self.wants(mine):
                    self.arrive(mine, self.map(mul, Table(other.bank, other.rows.ravel()), wide))
        elif instruction.op is take and (grid := self.grid_of_rows_taken(args, upstream)):
            self.transpose_taking(*grid)
        else:
            self.transpose_map(instruction, Table(instruction.bank, instruction.rows[reached]), args, upstream)

    def transpose_contraction(self, args: tuple[Table, ...], reached: ndarray, upstream: Table) -> None:
        """Block by block: rows of which a gradient reaches the same columns, and these columns. Mostly it is one."""
        weights, inputs = args
        shape = len(weights.rows), len(inputs.rows)
        reached, rows_above = reached.reshape(shape), upstream.rows.reshape(shape)
        for columns in numpy.unique(reached, axis=0)[::-1]:
            rows = (reached == columns).all(axis=1)
            if columns.any():
                above = Table(upstream.bank, rows_above[rows][:, columns])
                self.transpose_block(
                    Table(weights.bank, weights.rows[rows]), Table(inputs.bank, inputs.rows[columns]), above
                )

    def transpose_block(self, weights: Table, inputs: Table, above: Table) -> None:
        if self.wants(weights):
            if weights.bank == UNIFORM and inputs.bank == LANE:
                arrived = self.emit(Kind.OUTER, UNIFORM, weights.rows.size, (above, inputs))
            else:
                turned = Table(inputs.bank, inputs.rows.T)
                arrived = self.emit(Kind.CONTRACT, above.bank, weights.rows.size, (above, turned), dot)
            self.arrive(weights, arrived)
        if self.wants(inputs):
            turned = Table(weights.bank, weights.rows.T)
            above = Table(above.bank, above.rows.T)
            arrived = self.emit(Kind.CONTRACT, above.bank, inputs.rows.size, (turned, above), dot)  # [k, columns]
            self.arrive(Table(inputs.bank, inputs.rows.T), arrived)

    def grid_of_rows_taken(self, args: tuple[Table, ...], upstream: Table) -> tuple[ndarray, ndarray, ndarray] | None:
        """Where each index takes one number out of every column of a table of parameters, as an embedding does.

        Then these are the indices [n], the columns [columns, rows of the table], and what arrives [n, columns].
        """
        index, values = args
        if (index.bank, values.bank, upstream.bank) != (LANE, UNIFORM, LANE) or self.wants(index):
            return None
        indices, taker = numpy.unique(index.rows, return_inverse=True)
        columns, column = numpy.unique(values.rows, axis=0, return_inverse=True)
        above = numpy.full((len(indices), len(columns)), -1)
        above[taker.ravel(), column.ravel()] = upstream.rows
        return (indices, columns, above) if above.size == len(index.rows) and (above >= 0).all() else None

    def transpose_taking(self, indices: ndarray, columns: ndarray, above: ndarray) -> None:
        """An outer product of which row each index takes, 1 or 0, and what arrives."""
        positions = columns.shape[1]
        every = Rows(self, Table(LANE, numpy.tile(indices, positions)))
        each = numpy.repeat([self.constant(float(place), 1).rows[0] for place in range(positions)], len(indices))
        taken = equal(every, Rows(self, Table(UNIFORM, each))).table.rows.reshape(positions, len(indices))
        arrived = self.emit(Kind.OUTER, UNIFORM, columns.size, (Table(LANE, taken), Table(LANE, above)))
        self.arrive(Table(UNIFORM, columns.T), arrived)

    def transpose_map(self, instruction: Instruction, results: Table, tables: tuple, upstream: Table) -> None:
        op = instruction.op
        assert op is not None
        if op.partials is None or not any(self.wants(table) for table in tables):
            return
        args, above = self.operands(tables), Rows(self, upstream)
        # A partial of 0 is multiplied like any other: 0 times inf is nan, as in eager.
        for x, partial in zip(flatten(args), flatten(op.partials(Rows(self, results), *args)), strict=True):
            if self.wants(x.table):
                self.arrive(x.table, (partial * above).table)

    def repeated(self, table: Table, times: int) -> Table:
        return Table(table.bank, numpy.repeat(table.rows, times))

    def wants(self, table: Table) -> bool:
        """Does anything in the table depend on a parameter?"""
        return bool(self.needed[table.bank][table.rows].any())

    def _needed(self) -> dict[str, ndarray]:
        program = self.program
        needed = {LANE: numpy.zeros(program.lane_rows, bool), UNIFORM: numpy.zeros(program.uniform_rows, bool)}
        first = len(program.constants)
        needed[UNIFORM][first : first + len(program.parameters)] = True
        for instruction in program.instructions:
            here = slice(instruction.first, instruction.first + instruction.count)
            if instruction.kind is Kind.MAP:
                depends = [needed[table.bank][table.rows] for table in instruction.args]
                depends = [d if d.ndim == 1 else d.any(axis=1) for d in depends]
                needed[instruction.bank][here] = numpy.logical_or.reduce(depends)
            else:
                needed[instruction.bank][here] = any(needed[t.bank][t.rows].any() for t in instruction.args)
        return needed
