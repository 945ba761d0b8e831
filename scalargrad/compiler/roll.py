"""roll: scalars of one depth, operation and operand pattern become one array instruction over tables of rows.

No layer is known here. Dots that are a full product of weight rows and input rows become one contraction: that is what
a dense layer, a convolution and an attention score turn out to be.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy
from numpy import ndarray

from scalargrad.compiler.errors import TraceError
from scalargrad.compiler.program import LANE, UNIFORM, Instruction, Kind, Program, Table
from scalargrad.compiler.scalars import ScalarProgram, Spread
from scalargrad.ops import Op, dot, mul

MOST_ALIKE = 4  # contractions of one shape and depth, before they become one table of dots
BANKS = {True: LANE, False: UNIFORM}  # by: does it differ from sample to sample?


def roll(scalars: ScalarProgram, inputs: list[int]) -> Program:
    """`inputs`: how many numbers each array argument has for one sample."""
    program = _Roller(scalars, inputs).program
    program.verify()
    return program


class _Roller:
    def __init__(self, scalars: ScalarProgram, inputs: list[int]) -> None:
        self.scalars = scalars
        spreads = numpy.array(scalars.spreads(), dtype=numpy.int8)
        self.lane, self.batch = spreads == int(Spread.LANE), spreads == int(Spread.BATCH)
        self.row = numpy.full(len(scalars.ops), -1, dtype=numpy.int64)
        self.program = self._leaves(inputs)
        self.group_tables: dict[int, tuple[ndarray, bool]] = {}
        self.lifted = numpy.full(len(scalars.ops), -1)  # uniform terms -> lane rows, for tuples that mix both
        for bucket in self._buckets():
            self._instruction(*bucket)
        rows, lane = self._group_rows(scalars.results)
        self.program.result = Table(BANKS[lane], rows)
        self.program.scalars = len(scalars.ops)
        for buffer, term in scalars.updates.items():
            if self.lane[term]:
                raise TraceError(
                    f"the update of buffer {buffer.label or buffer.data} depends on the sample: use batch_mean()"
                )
            self.program.updates[buffer] = Table(UNIFORM, self.row[[term]])

    def _leaves(self, inputs: list[int]) -> Program:
        leaves = self.scalars.leaves
        constants = [term for term, leaf in leaves.items() if leaf[0] == "constant"]
        parameters = [term for term, leaf in leaves.items() if leaf[0] == "parameter"]
        buffers = [term for term, leaf in leaves.items() if leaf[0] == "buffer"]
        for row, term in enumerate([*constants, *parameters, *buffers]):
            self.row[term] = row
        starts = [sum(inputs[:i]) for i in range(len(inputs))]
        for term, leaf in leaves.items():
            if leaf[0] == "input":
                self.row[term] = starts[leaf[1]] + leaf[2]
        program = Program(inputs, [leaves[t][1] for t in constants], [leaves[t][1] for t in parameters])
        # A trainer writes back to what has a place: that are also those which are updated and never read.
        program.buffers = list(dict.fromkeys([*(leaves[t][1] for t in buffers), *self.scalars.updates]))
        self.row[[term for term, leaf in leaves.items() if leaf[0] == "share"]] = program.batch_row
        program.lane_rows, program.uniform_rows = sum(inputs), program.batch_row + 1
        return program

    def _buckets(self) -> list[tuple]:
        """Terms that one instruction can compute, in an order in which operands come first."""
        scalars = self.scalars
        lane, batch = self.lane.tolist(), self.batch.tolist()
        depth = [0] * len(scalars.ops)
        of_group: dict[int, tuple[int, tuple]] = {}  # depth, and part of the pattern
        buckets: dict[tuple, list[int]] = defaultdict(list)
        for term, op in enumerate(scalars.ops):
            if op is None:
                continue
            deepest, pattern = 0, []
            for argument in scalars.args[term]:
                if argument < 0:
                    if argument not in of_group:
                        group = scalars.groups[-1 - argument]
                        of_group[argument] = max(depth[x] for x in group), (any(lane[x] for x in group), len(group))
                    below, part = of_group[argument]
                else:
                    below, part = depth[argument], (lane[argument], 0)
                pattern.append(part)
                if below > deepest:
                    deepest = below
            depth[term] = deepest + 1
            buckets[deepest + 1, op.name, batch[term], tuple(pattern)].append(term)
        return [(scalars.ops[terms[0]], terms, key[3]) for key, terms in sorted(buckets.items(), key=_by_depth)]

    def _instruction(self, op: Op, terms: list[int], pattern: tuple) -> None:
        if op is dot:
            self._dots(terms, pattern)
        elif op.name == "batch_mean" and pattern[0][0]:
            table = self._column(terms, 0, True)
            total = self._append(Kind.LANE_SUM, UNIFORM, None, (Table(LANE, table.rows[:, None]),), None)
            batch = Table(UNIFORM, numpy.full(len(terms), self.program.batch_row))
            self._append(Kind.MAP, UNIFORM, terms, (Table(UNIFORM, total.rows), batch), mul)
        else:
            if len(terms) > 1:
                terms = self._sorted(terms)
            args = tuple(self._column(terms, i, lane) for i, (lane, _) in enumerate(pattern))
            self._append(Kind.MAP, BANKS[any(lane for lane, _ in pattern)], terms, args, op)

    def _sorted(self, terms: list[int]) -> list[int]:
        """In the order of a scalar lane operand's rows: then the table is often a range."""
        args = self.scalars.args
        for i in range(len(args[terms[0]])):
            firsts = [args[term][i] for term in terms]
            if firsts[0] >= 0 and len(set(firsts)) == len(firsts):
                order = numpy.argsort(self.row[firsts], kind="stable")
                return [terms[j] for j in order]
        return terms

    def _append(
        self, kind: Kind, bank: str, terms: list[int] | None, args: tuple[Table, ...], op: Op | None
    ) -> Instruction:
        count = len(terms) if terms is not None else len(args[0].rows)
        instruction = self.program.append(Instruction(kind, bank, count, args, op))
        if terms is not None:
            self.row[terms] = instruction.rows
        return instruction

    def _column(self, terms: list[int], position: int, lane: bool) -> Table:
        """The table of one argument of many terms."""
        arguments = [self.scalars.args[term][position] for term in terms]
        if arguments[0] >= 0:
            return Table(BANKS[lane], self.row[arguments])
        groups = numpy.array([self.scalars.groups[-1 - argument] for argument in arguments], numpy.int64)
        return Table(BANKS[lane], self._rows(groups, lane))

    def _group(self, argument: int) -> tuple[ndarray, bool]:
        if argument not in self.group_tables:
            self.group_tables[argument] = self._group_rows(self.scalars.groups[-1 - argument])
        return self.group_tables[argument]

    def _group_rows(self, group: Sequence[int]) -> tuple[ndarray, bool]:
        """The rows of a tuple, all in one bank: uniform ones among lanes are broadcast first."""
        terms = numpy.array(group, dtype=numpy.int64)
        lane = bool(self.lane[terms].any())
        return self._rows(terms, lane), lane

    def _rows(self, terms: ndarray, lane: bool) -> ndarray:
        """The rows of terms that are read together: as lanes, uniform ones among them are broadcast first."""
        rows, uniform = self.row[terms], ~self.lane[terms]
        if lane and uniform.any():
            wanted = terms[uniform]
            missing = numpy.unique(wanted[self.lifted[wanted] < 0])
            if len(missing):
                table = Table(UNIFORM, self.row[missing])
                self.lifted[missing] = self._append(Kind.BROADCAST, LANE, None, (table,), None).rows
            rows[uniform] = self.lifted[wanted]
        return rows

    def _dots(self, terms: list[int], pattern: tuple) -> None:
        """One contraction for each full product of weight rows and input rows; the rest row by row."""
        swap = pattern[0][0] and not pattern[1][0]  # the weights are what all samples share
        pairs = [self.scalars.args[term][::-1] if swap else self.scalars.args[term] for term in terms]
        bank = BANKS[pattern[0][0] or pattern[1][0]]
        banks = [BANKS[pattern[i][0]] for i in ((1, 0) if swap else (0, 1))]
        single: list[int] = []
        components = _components(pairs)
        shapes = [(len({pairs[i][0] for i in members}), len({pairs[i][1] for i in members})) for members in components]
        alike = Counter(shapes)
        for members, shape in zip(components, shapes, strict=True):
            # Hundreds of small products of one shape, as in a locally connected layer, are one table of dots.
            if len(members) != shape[0] * shape[1] or alike[shape] > MOST_ALIKE:
                single += members
                continue
            weights = list(dict.fromkeys(pairs[i][0] for i in members))
            inputs = list(dict.fromkeys(pairs[i][1] for i in members))
            term_of = {pairs[i]: terms[i] for i in members}
            inputs = self._by_first_row(inputs)
            tables = tuple(
                Table(name, numpy.stack([self._group(x)[0] for x in groups]))
                for name, groups in zip(banks, (weights, inputs), strict=True)
            )
            self._append(Kind.CONTRACT, bank, [term_of[w, x] for w in weights for x in inputs], tables, dot)
        if single:
            tables = tuple(
                Table(name, numpy.stack([self._group(pairs[i][side])[0] for i in single]))
                for side, name in enumerate(banks)
            )
            self._append(Kind.MAP, bank, [terms[i] for i in single], tables, dot)

    def _by_first_row(self, groups: list[int]) -> list[int]:
        return sorted(groups, key=lambda group: int(self._group(group)[0][0])) if len(groups) > 1 else groups


def _by_depth(item: tuple) -> tuple:
    (depth, name, batch, pattern), terms = item
    return depth, terms[0], name, batch, pattern


def _components(pairs: list[tuple[int, ...]]) -> list[list[int]]:
    """Positions of pairs, put together where they share a weight row or an input row."""
    parent: dict[tuple[int, int], tuple[int, int]] = {}

    def root(x: tuple[int, int]) -> tuple[int, int]:
        while parent.setdefault(x, x) != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        return x

    for weight, row in pairs:
        parent[root((0, weight))] = root((1, row))
    members: dict[tuple[int, int], list[int]] = defaultdict(list)
    for i, (weight, _) in enumerate(pairs):
        members[root((0, weight))].append(i)
    return list(members.values())
