"""Sums over lanes: of rows, and of products of rows, which is what gradients of weights are.

Each share of a batch adds up in memory of its own, block after block; `reduce_kernel` adds the shares.
"""

from collections.abc import Callable
from dataclasses import dataclass

from scalargrad.compiler.backends.native.kernels.kernel_code import KernelCode
from scalargrad.compiler.backends.native.kernels.maps import Body, BodyCode, MatrixCode, chunk, in_vectors

COLUMNS_OF_PART = 48  # of an outer product: so many places of a few rows fill a third of the first cache


def over_lanes(code: KernelCode, start: list[tuple[str, str]], turn: Callable[..., list[str] | None]) -> list[str]:
    """turn(lanes, masks, *sums) for each panel; masks are None where all lanes are samples."""
    lanes_of_panel = code.vectors * code.width
    full = code(f"sdiv i64 {code.context('valid')}, {lanes_of_panel}")

    sums = code.loop(full, lambda panel, *sums: turn(code.panel(panel), None, *sums), start)
    carried = [(kind, name) for (kind, _), name in zip(start, sums, strict=True)]

    def last(panel: str, *sums: str) -> list[str] | None:
        return turn(code.panel(panel), code.masks(panel), *sums)

    return code.loop(code.context("panels"), last, carried, first=full)


def _accumulate(code: KernelCode, number: str, address: str) -> None:
    """Add a number to what this share has summed up in its earlier blocks."""
    fresh = code(f"icmp ne i64 {code.context('fresh')}, 0")
    before = code(f"select i1 {fresh}, {code.number} -0.0, {code.number} {code.load_number(address)}")
    code.store_number(code(f"fadd {code.number} {before}, {number}"), address)


@dataclass(frozen=True)
class Sums:
    """Sums over lanes of what a body computes, for each row one: of the results of the steps with these numbers.

    tables   for each sum: does a table say where it goes? Else sums lie evenly
    """

    steps: tuple[int, ...]
    tables: tuple[bool, ...]


NO_SUMS = Sums((), ())


class SumsCode:
    """The code of sums; their fields of the record are asked for once."""

    def __init__(self, code: KernelCode, sums: Sums) -> None:
        self.code, self.sums = code, sums
        self.targets = [(code.field("sum start"), code.field("sum step")) for _ in sums.steps]

    @property
    def zeros(self) -> list[tuple[str, str]]:
        return [(self.code.vector, self.code.constant(-0.0))] * (len(self.sums.steps) * self.code.vectors)

    def added(self, before: tuple[str, ...], results: dict[int, list[str]], masks: list[str] | None) -> list[str]:
        """The sums so far, and one row more; masks say which lanes are samples, None that all are."""
        code = self.code
        xs = [(x, v) for step in self.sums.steps for v, x in enumerate(results[step])]
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
            _accumulate(code, total, code.at(code.context("partial", "ptr"), offset))

    # Sums of many rows at once wait in memory: row after row, all sums of one next to each other.

    def add_to_waiting(self, waiting: str, row: str, results: dict[int, list[str]], masks: list[str] | None) -> None:
        if self.sums.steps:
            address = self._of_row(waiting, row)
            before = tuple(self.code.load(address, v) for v in range(len(self.zeros)))
            self.code.store_all(self.added(before, results, masks), address)

    def clear_waiting(self, waiting: str, rows: str) -> None:
        zeros = [zero for _, zero in self.zeros]
        self.code.loop(rows, lambda row: self.code.store_all(zeros, self._of_row(waiting, row)))

    def store_waiting(self, waiting: str, rows: str, first: str) -> None:
        """The first of these rows is row number `first` of the sums."""
        code = self.code

        def one(row: str) -> None:
            address = self._of_row(waiting, row)
            self.store(code.integer_add(first, row), [code.load(address, v) for v in range(len(self.zeros))])

        code.loop(rows, one)

    def _of_row(self, waiting: str, row: str) -> str:
        return self.code.at(waiting, self.code.integer_mul(row, self.code.row_bytes * len(self.sums.steps)))


def lane_sum_kernel(code: KernelCode, body: Body, sums: Sums) -> None:
    """Sums over lanes, and over `columns` rows each, of what a body computes for each row."""
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


def outer_kernel(
    code: KernelCode, height: int, width: int, upstream: str, inputs: str, adjacent: bool, single: bool
) -> None:
    """out[r, k] = sum over columns and lanes of upstream[r, c] * inputs[c, k], `height` x `width` at a time.

    The columns come in parts, so that the upstream rows of a part stay in the first cache while all terms pass by; the
    sums of a tile wait in memory of the thread meanwhile.

    adjacent   results of one row follow each other in memory
    single     there is one column
    """
    rows, terms, columns = code.field("row tiles"), code.field("term tiles"), code.field("columns")
    first_row, first_term = code.field("first row"), code.field("first term")
    above, below = MatrixCode(code, upstream, "upstream"), MatrixCode(code, inputs, "inputs")
    target, row_step, term_step = code.field("result start"), code.field("result step"), code.field("result stride")
    vector_bytes = code.width * code.size
    zero = code.constant(-0.0)

    def row_tile(i: str) -> None:
        my_rows = [code.integer_add(code.integer_add(first_row, code.integer_mul(i, height)), h) for h in range(height)]
        begins = [above.row(row) for row in my_rows]

        def my_terms(j: str) -> list[str]:
            first = code.integer_add(first_term, code.integer_mul(j, width))
            return [code.integer_add(first, w) for w in range(width)]

        def waiting(j: str) -> str:
            """Where the sums of a tile wait."""
            return code.at(code.context("scratch", "ptr"), code.integer_mul(j, height * width * vector_bytes))

        def added(lanes: str, masks: list[str] | None, j: str, c: str, sums: tuple[str, ...]) -> list[str]:
            ups = [above.load(lanes, begin, c) for begin in begins]
            xs = [below.load(lanes, below.row(c), k) for k in my_terms(j)]
            if masks:  # what padded lanes hold must not count, not even as 0 times inf
                ups, xs = (
                    [[code.select(m, x, code.constant(0.0)) for m, x in zip(masks, row, strict=True)] for row in of]
                    for of in (ups, xs)
                )
            results = list(sums)
            for v in range(code.vectors):
                for h in range(height):
                    for w in range(width):
                        place = h * width + w
                        results[place] = code.multiply_add(ups[h][v], xs[w][v], results[place])
            return results

        def finish(j: str, sums: list[str]) -> None:
            for h, row in enumerate(my_rows):
                start = code.integer_add(target, code.integer_mul(row, row_step))
                of_row = sums[h * width : (h + 1) * width]
                _store_totals(code, of_row, start, my_terms(j), term_step, adjacent)

        if single:
            start = [(code.vector, zero)] * (height * width)

            def tile(j: str) -> None:
                finish(j, over_lanes(code, start, lambda lanes, masks, *sums: added(lanes, masks, j, "0", sums)))

            code.loop(terms, tile)
            return

        def panel(lanes: str, masks: list[str] | None) -> None:
            def part(first: str) -> None:
                last = code.integer_min(code.integer_add(first, COLUMNS_OF_PART), columns)

                def tile(j: str) -> None:
                    place = waiting(j)
                    sums = [(code.vector, code.load(place, n)) for n in range(height * width)]
                    found = code.loop(last, lambda c, *sums: added(lanes, masks, j, c, sums), sums, first=first)
                    code.store_all(found, place)

                code.loop(terms, tile)

            code.loop(columns, part, step=COLUMNS_OF_PART)

        def clear(j: str) -> None:
            code.store_all([zero] * (height * width), waiting(j))

        code.loop(terms, clear)
        over_lanes(code, [], panel)
        code.loop(terms, lambda j: finish(j, [code.load(waiting(j), n) for n in range(height * width)]))

    code.loop(rows, row_tile)


def _store_totals(code: KernelCode, sums: list[str], start: str, terms: list[str], stride: str, adjacent: bool) -> None:
    partial = code.context("partial", "ptr")
    if adjacent and len(sums) == 4 and code.width >= 4:
        address = code.at(partial, code.integer_add(start, code.integer_mul(terms[0], code.size)))
        fours, width = _totals_of_four(code, sums), code.width
        code.width = 4
        fresh = code(f"icmp ne i64 {code.context('fresh')}, 0")
        zero, before = code.constant(-0.0), code.load(address)
        before = code(f"select i1 {fresh}, {code.vector} {zero}, {code.vector} {before}")
        code.store(code.add(before, fours), address)
        code.width = width
        return
    for x, k in zip(sums, terms, strict=True):
        address = code.at(partial, code.integer_add(start, code.integer_mul(k, stride)))
        _accumulate(code, code.total(x), address)


def dense_outer_kernel(code: KernelCode, height: int, vectors: int, upstream: str, inputs: str) -> None:
    """out[r, k] = sum over lanes of upstream[r] * inputs[k], with vectors along k: no sum across a vector is needed.

    The inputs of a few terms are turned around, so that each lane has its terms in a row; then `height` rows at a time
    add up, lane by lane, an upstream number times such a row.
    """
    tiles, first_row = code.field("row tiles"), code.field("first row")
    terms, first_term = code.field("term tiles"), code.field("first term")
    above, below = MatrixCode(code, upstream, "upstream"), MatrixCode(code, inputs, "inputs")
    target, row_step = code.field("result start"), code.field("result step")
    scratch, width = code.context("scratch", "ptr"), code.width
    lanes_of_panel, line_bytes = code.vectors * width, vectors * width * code.size
    start = [(code.vector, code.constant(-0.0))] * (height * vectors)
    fresh = code(f"icmp ne i64 {code.context('fresh')}, 0")

    def term_tile(j: str) -> None:
        first = code.integer_add(first_term, code.integer_mul(j, vectors * width))
        row = below.row("0")
        terms = [code.integer_add(first, n) for n in range(vectors * width)]
        offsets = [below.offset(row, k) for k in terms]

        def turn(panel: str) -> None:
            lanes = code.panel(panel)
            line = code.at(scratch, code.integer_mul(panel, lanes_of_panel * line_bytes))
            for v in range(code.vectors):
                for part in range(vectors):
                    mine = offsets[part * width : (part + 1) * width]
                    square = code.transposed([code.load(code.at(lanes, offset), v) for offset in mine])
                    for lane, x in enumerate(square):
                        code.store(x, code.at(line, (v * width + lane) * line_bytes), part)

        code.loop(code.context("panels"), turn)
        code.loop(tiles, lambda i: row_tile(i, first))

    def row_tile(i: str, first: str) -> None:
        rows = [code.integer_add(code.integer_add(first_row, code.integer_mul(i, height)), h) for h in range(height)]
        begins = [above.offset(above.row(row), "0") for row in rows]

        def panel_sums(panel: str, *sums: str) -> list[str]:
            addresses = [code.at(code.panel(panel), begin) for begin in begins]
            before = code.integer_mul(panel, lanes_of_panel)
            count = code.integer_min(code.integer_sub(code.context("valid"), before), lanes_of_panel)
            line = code.at(scratch, code.integer_mul(before, line_bytes))

            def lane(n: str, *sums: str) -> list[str]:
                here = code.at(line, code.integer_mul(n, line_bytes))
                xs = [code.load(here, part) for part in range(vectors)]
                ups = [code.splat(code.load_number(code.at(a, code.integer_mul(n, code.size)))) for a in addresses]
                return [
                    code.multiply_add(ups[h], xs[part], sums[h * vectors + part])
                    for h in range(height)
                    for part in range(vectors)
                ]

            return code.loop(count, lane, [(code.vector, s) for s in sums])

        sums = code.loop(code.context("panels"), panel_sums, start)
        for h, row in enumerate(rows):
            offset = code.integer_add(code.integer_mul(row, row_step), code.integer_mul(first, code.size))
            address = code.at(code.context("partial", "ptr"), code.integer_add(target, offset))
            for part in range(vectors):
                before = code.load(address, part)
                before = code(f"select i1 {fresh}, {code.vector} {code.constant(-0.0)}, {code.vector} {before}")
                code.store(code.add(before, sums[h * vectors + part]), address, part)

    code.loop(terms, term_tile)


def _totals_of_four(code: KernelCode, sums: list[str]) -> str:
    """The totals of four vectors as one vector of four: first halves are added, then neighbours."""
    width = code.width
    while width > 4:
        half = width // 2
        sums = [
            code(
                f"fadd <{half} x {code.number}> {code.shuffle(x, x, list(range(half)), width)}, "
                f"{code.shuffle(x, x, list(range(half, width)), width)}"
            )
            for x in sums
        ]
        width = half
    kind = f"<4 x {code.number}>"

    def added(x: str, y: str, low: list[int], high: list[int]) -> str:
        return code(f"fadd {kind} {code.shuffle(x, y, low, 4)}, {code.shuffle(x, y, high, 4)}")

    pairs = [added(sums[n], sums[n + 1], [0, 4, 2, 6], [1, 5, 3, 7]) for n in (0, 2)]
    return added(pairs[0], pairs[1], [0, 1, 4, 5], [2, 3, 6, 7])


def reduce_kernel(code: KernelCode) -> None:
    """Uniform rows from the partial sums of all shares, in their order."""
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
