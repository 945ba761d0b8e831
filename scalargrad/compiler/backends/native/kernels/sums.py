"""Sums over lanes: reductions of rows, in partial sums for each share of a batch, and of these into the whole.

Each share of a batch adds up in memory of its own, block after block; `reduce_kernel` adds the shares. Sums of products
of rows, the gradients of weights, are in `outer`.
"""

from dataclasses import dataclass

from scalargrad.compiler.backends.native.kernels.body import Body, BodyCode, Vectors
from scalargrad.compiler.backends.native.kernels.kernel_code import KernelCode
from scalargrad.compiler.backends.native.kernels.loops import chunk, in_vectors, over_lanes


def accumulate(code: KernelCode, number: str, address: str) -> None:
    """Add a number to the sum over the earlier blocks of this share."""
    fresh = code(f"icmp ne i64 {code.context('fresh')}, 0")
    before = code(f"select i1 {fresh}, {code.number} -0.0, {code.number} {code.load_number(address)}")
    code.store_number(code(f"fadd {code.number} {before}, {number}"), address)


@dataclass(frozen=True)
class Sums:
    """Sums over lanes of what a body computes, for each row one: of the results of the operations with these numbers.

    tables   for each sum: does an index table say where it goes? Else sums are evenly spaced
    """

    operations: tuple[int, ...]
    tables: tuple[bool, ...]


NO_SUMS = Sums((), ())


class SumsCode:
    """The code of sums; their fields of the record are asked for once."""

    def __init__(self, code: KernelCode, sums: Sums) -> None:
        self.code, self.sums = code, sums
        self.targets = [(code.field("sum start"), code.field("sum step")) for _ in sums.operations]

    @property
    def zeros(self) -> list[tuple[str, str]]:
        return [(self.code.vector, self.code.constant(-0.0))] * (len(self.sums.operations) * self.code.vectors)

    def added(self, before: tuple[str, ...], results: dict[int, Vectors], masks: list[str] | None) -> list[str]:
        """The sums so far, and one row more; masks say which lanes are samples, None that all are."""
        code = self.code
        xs = [(x, v) for number in self.sums.operations for v, x in enumerate(results[number])]
        if masks:
            xs = [(code.select(masks[v], x, code.constant(-0.0)), v) for x, v in xs]
        return [code.add(s, x) for s, (x, _) in zip(before, xs, strict=True)]

    def store(self, row: str, found: list[str]) -> None:
        """The totals of row number `row` go to the partial sums of this share."""
        code = self.code
        for number, ((start, step), table) in enumerate(zip(self.targets, self.sums.tables, strict=True)):
            total = code.total(_sum(code, found[number * code.vectors : (number + 1) * code.vectors]))
            even = code.integer_add(start, code.integer_mul(row, step))
            offset = code.integer_mul(code.table_entry(even, "0"), code.size) if table else even
            accumulate(code, total, code.at(code.context("partial", "ptr"), offset))

    # Accumulators of many rows at once lie in scratch memory: row after row, all sums of one next to each other.

    def accumulate_row(self, accumulators: str, row: str, results: dict[int, Vectors], masks: list[str] | None) -> None:
        if self.sums.operations:
            address = self._of_row(accumulators, row)
            before = tuple(self.code.load(address, v) for v in range(len(self.zeros)))
            self.code.store_all(self.added(before, results, masks), address)

    def clear_accumulators(self, accumulators: str, rows: str) -> None:
        zeros = [zero for _, zero in self.zeros]
        self.code.loop(rows, lambda row: self.code.store_all(zeros, self._of_row(accumulators, row)))

    def store_accumulators(self, accumulators: str, rows: str, first: str) -> None:
        """The first of these rows is row number `first` of the sums."""
        code = self.code

        def one(row: str) -> None:
            address = self._of_row(accumulators, row)
            self.store(code.integer_add(first, row), [code.load(address, v) for v in range(len(self.zeros))])

        code.loop(rows, one)

    def _of_row(self, accumulators: str, row: str) -> str:
        return self.code.at(accumulators, self.code.integer_mul(row, self.code.row_bytes * len(self.sums.operations)))


def lane_sum_kernel(code: KernelCode, body: Body, sums: Sums) -> None:
    """Sums over lanes, and over `columns` rows each, of what a body computes for each row.

    for i in the sums:
        for panel in the block:
            for c in columns:
                sum += body(row i * columns + c), where a lane is a sample
        partial[i] += the elements of the sum
    """
    count, columns = code.field("count"), code.field("columns")
    totals = SumsCode(code, sums)
    inside = BodyCode(code, body)

    def row(i: str) -> None:
        first = code.integer_mul(i, columns)

        def turn(lanes: str, masks: list[str] | None, *before: str) -> list[str]:
            def column(c: str, *before: str) -> list[str]:
                return totals.added(before, inside.run(lanes, code.integer_add(first, c)), masks)

            carried = [(code.vector, x) for x in before]
            return code.loop(columns, column, carried)

        totals.store(i, over_lanes(code, totals.zeros, turn))

    code.loop(count, row)


def _sum(code: KernelCode, vectors: list[str]) -> str:
    result = vectors[0]
    for x in vectors[1:]:
        result = code.add(result, x)
    return result


def reduce_kernel(code: KernelCode) -> None:
    """Uniform rows from the partial sums of all shares, in their order.

    for rows in this thread's chunk, a vector at a time:
        total = partial[share 0]
        for share in 1, 2, ...:
            total += partial[share]
        store the total
    """
    count, shared = code.field("count"), code.field("shared")
    start, target = code.field("partial start"), code.field("result start")
    first, last = chunk(code, count, shared)
    shares, share_bytes = code.context("shares"), code.context("share_bytes")
    bank, partial = code.context("uniform", "ptr"), code.context("partial", "ptr")

    def one(index: str) -> None:
        offset = code.integer_mul(index, code.size)
        begin = code.at(partial, code.integer_add(start, offset))

        def add(share: str, sum_: str) -> list[str]:
            return [code.add(sum_, code.load(code.at(begin, code.integer_mul(share, share_bytes))))]

        (total,) = code.loop(shares, add, [(code.vector, code.load(begin))], first=1)
        code.store(total, code.at(bank, code.integer_add(target, offset)))

    in_vectors(code, first, last, one)
