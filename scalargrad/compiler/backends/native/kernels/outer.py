"""Outer products summed over lanes: the gradients of weights."""

from dataclasses import dataclass

from scalargrad.compiler.backends.native.kernels.body import Vectors
from scalargrad.compiler.backends.native.kernels.kernel_code import KernelCode
from scalargrad.compiler.backends.native.kernels.loops import over_lanes
from scalargrad.compiler.backends.native.kernels.operands import Access, MatrixCode
from scalargrad.compiler.backends.native.kernels.sums import accumulate

COLUMN_BLOCK = 48  # columns: so many places of a few rows fill a third of the first cache


@dataclass(frozen=True)
class Outer:
    """The variant of an outer kernel.

    height     rows of a tile, and `width` its terms: their sums stay in registers
    upstream   the kind of this operand, and of `inputs`
    adjacent   results of one row follow each other in memory
    single     there is one column
    """

    height: int
    width: int
    upstream: Access
    inputs: Access
    adjacent: bool
    single: bool


def outer_kernel(code: KernelCode, variant: Outer) -> None:
    """out[r, k] = sum over columns and lanes of upstream[r, c] * inputs[c, k].

    for tile of rows:
        for panel in the block:
            for block of columns:                              # its upstream rows stay in the first cache
                for tile of terms:
                    for c in the block:
                        sums[rows, terms] += upstream[rows, c] * inputs[c, terms]
        for tile of terms: partial[rows, terms] += the elements of the sums

    The accumulators of a tile lie in scratch memory between two blocks. With a `single` column they stay in registers,
    as the loop over panels is the inner one.
    """
    _OuterCode(code, variant).write()


class _OuterCode:
    """The code of an outer product, its loops from the outside in; fields of the record are asked for once."""

    def __init__(self, code: KernelCode, variant: Outer) -> None:
        self.code, self.variant = code, variant
        self.row_tiles, self.term_tiles = code.field("row tiles"), code.field("term tiles")
        self.columns = code.field("columns")
        self.first_row, self.first_term = code.field("first row"), code.field("first term")
        self.above = MatrixCode(code, variant.upstream, "upstream")
        self.below = MatrixCode(code, variant.inputs, "inputs")
        self.target, self.row_step = code.field("result start"), code.field("result step")
        self.term_step = code.field("result stride")
        self.zeros = [code.constant(-0.0)] * (variant.height * variant.width)
        self.rows: list[str] = []  # of the tile at hand, and where their upstream numbers begin
        self.begins: list[str] = []

    def write(self) -> None:
        self.code.loop(self.row_tiles, self._row_tile)

    def _row_tile(self, i: str) -> None:
        code, height = self.code, self.variant.height
        self.rows = [
            code.integer_add(code.integer_add(self.first_row, code.integer_mul(i, height)), h) for h in range(height)
        ]
        self.begins = [self.above.row(row) for row in self.rows]
        if self.variant.single:
            code.loop(self.term_tiles, self._in_registers)
            return
        code.loop(self.term_tiles, lambda j: code.store_all(self.zeros, self._accumulators(j)))
        over_lanes(code, [], self._in_blocks)
        code.loop(
            self.term_tiles,
            lambda j: self._finish(j, [code.load(self._accumulators(j), n) for n in range(len(self.zeros))]),
        )

    def _in_registers(self, j: str) -> None:
        start = [(self.code.vector, zero) for zero in self.zeros]
        self._finish(
            j, over_lanes(self.code, start, lambda lanes, masks, *sums: self._added(lanes, masks, j, "0", sums))
        )

    def _in_blocks(self, lanes: str, masks: list[str] | None) -> None:
        code = self.code

        def block(first: str) -> None:
            last = code.integer_min(code.integer_add(first, COLUMN_BLOCK), self.columns)

            def term_tile(j: str) -> None:
                place = self._accumulators(j)
                sums = [(code.vector, code.load(place, n)) for n in range(len(self.zeros))]
                found = code.loop(last, lambda c, *sums: self._added(lanes, masks, j, c, sums), sums, first=first)
                code.store_all(found, place)

            code.loop(self.term_tiles, term_tile)

        code.loop(self.columns, block, step=COLUMN_BLOCK)

    def _terms(self, j: str) -> list[str]:
        """The numbers of a tile's terms."""
        code, width = self.code, self.variant.width
        first = code.integer_add(self.first_term, code.integer_mul(j, width))
        return [code.integer_add(first, w) for w in range(width)]

    def _accumulators(self, j: str) -> str:
        """The address of the sums of a tile in scratch memory."""
        code = self.code
        tile_bytes = len(self.zeros) * code.width * code.size
        return code.at(code.context("scratch", "ptr"), code.integer_mul(j, tile_bytes))

    def _added(self, lanes: str, masks: list[str] | None, j: str, c: str, sums: tuple[str, ...]) -> Vectors:
        """The sums of a tile with one column more."""
        code, height, width = self.code, self.variant.height, self.variant.width
        ups = [self.above.load(lanes, begin, c) for begin in self.begins]
        xs = [self.below.load(lanes, self.below.row(c), k) for k in self._terms(j)]
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

    def _finish(self, j: str, sums: Vectors) -> None:
        code, width = self.code, self.variant.width
        for h, row in enumerate(self.rows):
            start = code.integer_add(self.target, code.integer_mul(row, self.row_step))
            of_row = sums[h * width : (h + 1) * width]
            _accumulate_totals(code, of_row, start, self._terms(j), self.term_step, self.variant.adjacent)


def _accumulate_totals(
    code: KernelCode, sums: Vectors, start: str, terms: list[str], stride: str, adjacent: bool
) -> None:
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
        accumulate(code, code.total(x), address)


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


def dense_outer_kernel(code: KernelCode, height: int, vectors: int, upstream: Access, inputs: Access) -> None:
    """out[r, k] = sum over lanes of upstream[r] * inputs[k], with vectors along k: no sum across a vector is needed.

    for tile of terms, as many as `vectors` hold:
        pack inputs[terms] of all panels, transposed: the terms of a lane follow each other
        for tile of rows, `height` of them:
            for lane in the block:
                sums[rows, terms] += upstream[rows] * packed[lane]
            partial[rows, terms] += sums
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

        def pack(panel: str) -> None:
            lanes = code.panel(panel)
            line = code.at(scratch, code.integer_mul(panel, lanes_of_panel * line_bytes))
            for v in range(code.vectors):
                for part in range(vectors):
                    mine = offsets[part * width : (part + 1) * width]
                    square = code.transposed([code.load(code.at(lanes, offset), v) for offset in mine])
                    for lane, x in enumerate(square):
                        code.store(x, code.at(line, (v * width + lane) * line_bytes), part)

        code.loop(code.context("panels"), pack)
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
