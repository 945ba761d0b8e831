"""Products: contractions, and the dots of long stretches of uniform rows."""

from dataclasses import dataclass
from functools import partial

from scalargrad.compiler.backends.native.kernels.body import Body, BodyCode, Vectors
from scalargrad.compiler.backends.native.kernels.kernel_code import Integer, KernelCode
from scalargrad.compiler.backends.native.kernels.loops import everywhere, over_lanes
from scalargrad.compiler.backends.native.kernels.operands import Access, MatrixCode, load_operand
from scalargrad.compiler.backends.native.kernels.sums import NO_SUMS, Sums, SumsCode


@dataclass(frozen=True)
class Contraction:
    """The variant of a contraction kernel.

    height       rows of a tile: their sums stay in registers
    weights      the kind of this operand, and of `inputs`
    body         the epilogue: what is fused behind the product
    single       there is one column: a tile of weights meets all lanes, since most of the memory is weights. Else a
                 column meets all weights
    packed       a column is packed first, row after row: an index table is read once then, and inputs a power of two
                 apart, which compete for the same sets of the cache, are read from there by all tiles
    depth_block  a column too long for the first cache comes in blocks of so many terms, and the accumulators of all
                 rows lie in scratch memory; 0: in one
    sums         over all columns and lanes of a row, of what the body computes: their accumulators lie there, too
    scattered    an index table says to which of its results each number is added: see `accumulation`
    """

    height: int
    weights: Access
    inputs: Access
    body: Body
    uniform: bool
    single: bool
    packed: bool
    depth_block: int = 0
    sums: Sums = NO_SUMS
    scattered: bool = False


def contraction_kernel(code: KernelCode, variant: Contraction) -> None:
    """out[r, c] = sum of weights[r, k] * inputs[c, k] over k, from left to right, with fused multiply-adds.

    for panel in the block:                                    # if `single`: inside of the loop over tiles
        for column c:
            for depth block of terms:
                pack inputs[c, block]                          # if `packed`
                for tile of rows:
                    for k in the block:
                        sums[tile] += weights[tile, k] * inputs[c, k]
            for tile of rows: body(sums[tile])
    """
    _ContractionCode(code, variant).write()


class _ContractionCode:
    """The code of a contraction, its loops from the outside in; fields of the record are asked for once."""

    def __init__(self, code: KernelCode, variant: Contraction) -> None:
        self.code, self.variant = code, variant
        self.tiles, self.first_row = code.field("tiles"), code.field("first row")
        self.columns, self.terms = code.field("columns"), code.field("terms")
        self.left, self.right = MatrixCode(code, variant.weights, "weights"), MatrixCode(code, variant.inputs, "inputs")
        self.totals = SumsCode(code, variant.sums)
        self.added_to, self.cleared = (
            (code.field("added to"), code.field("cleared")) if variant.scattered else ("", "0")
        )
        self.body = BodyCode(code, variant.body)
        self.zeros = [code.constant(-0.0)] * (variant.height * code.vectors)
        self.rows = code.integer_mul(self.tiles, variant.height)
        # Scratch memory: a packed column, the sums of its rows so far, and those over columns and lanes.
        self.packed_column = code.context("scratch", "ptr")
        self.row_sums = self.column_sums = self.packed_column
        if variant.packed:
            self.row_sums = self.column_sums = self._rows_on(self.packed_column, variant.depth_block or self.terms)
        if variant.depth_block:
            self.column_sums = self._rows_on(self.row_sums, self.rows)

    def write(self) -> None:
        code, totals = self.code, self.totals
        if self.variant.sums.operations:
            totals.clear_accumulators(self.column_sums, self.rows)
            over_lanes(code, [], self._all_columns)
            totals.store_accumulators(self.column_sums, self.rows, self.first_row)
        elif self.variant.single and not self.variant.uniform:
            code.loop(self.tiles, lambda tile: code.over_panels(partial(self._whole_tile, None, "0", tile)))
        else:
            everywhere(code, self._all_columns, self.variant.uniform)

    def _all_columns(self, lanes: str, masks: list[str] | None = None) -> None:
        code, column = self.code, self._in_blocks if self.variant.depth_block else self._in_one
        if self.variant.scattered:
            zeros = self.zeros[: code.vectors]
            code.loop(self.cleared, lambda number: code.store_all(zeros, self._result(lanes, number)))
        code.loop(self.columns, lambda c: column(lanes, masks, c))

    def _in_one(self, lanes: str, masks: list[str] | None, c: str) -> None:
        if self.variant.packed:
            self._pack(lanes, c, 0, self.terms)
        self.code.loop(self.tiles, lambda tile: self._whole_tile(masks, c, tile, lanes))

    def _in_blocks(self, lanes: str, masks: list[str] | None, c: str) -> None:
        code = self.code

        def sums_of(tile: str) -> str:
            return self._rows_on(self.row_sums, code.integer_mul(tile, self.variant.height))

        def accumulators(tile: str) -> Vectors:
            return [code.load(sums_of(tile), v) for v in range(len(self.zeros))]

        def block(first: str) -> None:
            last = code.integer_min(code.integer_add(first, self.variant.depth_block), self.terms)
            if self.variant.packed:
                self._pack(lanes, c, first, last)

            def tile(tile: str) -> None:
                code.store_all(self._summed(lanes, c, tile, accumulators(tile), first, last), sums_of(tile))

            code.loop(self.tiles, tile)

        code.loop(self.tiles, lambda tile: code.store_all(self.zeros, sums_of(tile)))
        code.loop(self.terms, block, step=self.variant.depth_block)
        code.loop(self.tiles, lambda tile: self._finish(lanes, masks, c, tile, accumulators(tile)))

    def _pack(self, lanes: str, c: str, first: Integer, last: str) -> None:
        code = self.code

        def one(k: str) -> None:
            code.store_all(self._input(lanes, c, k), self._rows_on(self.packed_column, code.integer_sub(k, first)))

        code.loop(last, one, first=first)

    def _input(self, lanes: str, c: str, k: str) -> Vectors:
        return self.right.load(lanes, self.right.row(c), k)

    def _whole_tile(self, masks: list[str] | None, c: str, tile: str, lanes: str) -> None:
        self._finish(lanes, masks, c, tile, self._summed(lanes, c, tile, self.zeros, 0, self.terms))

    def _summed(self, lanes: str, c: str, tile: str, start: Vectors, first: Integer, last: str) -> Vectors:
        """The sums of a tile's rows with the terms from `first` on added."""
        code = self.code
        begins = [self.left.row(code.integer_add(self.first_row, place)) for place in self._places(tile)]

        def term(k: str, *sums: str) -> Vectors:
            if self.variant.packed:
                offset = code.integer_mul(code.integer_sub(k, first), code.row_bytes)
                xs = load_operand(code, Access.ROW, self.packed_column, offset)
            else:
                xs = self._input(lanes, c, k)
            results = []
            for h, begin in enumerate(begins):
                ws = self.left.load(lanes, begin, k)
                for v in range(code.vectors):
                    results.append(code.multiply_add(ws[v], xs[v], sums[h * code.vectors + v]))
            return results

        return code.loop(last, term, [(code.vector, x) for x in start], first=first)

    def _finish(self, lanes: str, masks: list[str] | None, c: str, tile: str, found: Vectors) -> None:
        """Hand the sums of a tile to the body, or add them to the results that they belong to."""
        code = self.code
        for h, place in enumerate(self._places(tile)):
            index = code.integer_add(code.integer_mul(code.integer_add(self.first_row, place), self.columns), c)
            row = found[h * code.vectors : (h + 1) * code.vectors]
            if self.variant.scattered:
                self._scatter_add(lanes, code.table_entry(self.added_to, index), row)
                continue
            results = self.body.run(lanes, index, row)
            self.totals.accumulate_row(self.column_sums, place, results, masks)

    def _scatter_add(self, lanes: str, number: str, xs: Vectors) -> None:
        address = self._result(lanes, number)
        self.code.store_all([self.code.add(self.code.load(address, v), x) for v, x in enumerate(xs)], address)

    def _result(self, lanes: str, number: str) -> str:
        return self._rows_on(self.code.at(lanes, self.body.targets[0]), number)

    def _places(self, tile: str) -> Vectors:
        """The numbers of a tile's rows."""
        height = self.variant.height
        return [self.code.integer_add(self.code.integer_mul(tile, height), h) for h in range(height)]

    def _rows_on(self, address: str, rows: Integer) -> str:
        """The address so many rows of lanes on."""
        return self.code.at(address, self.code.integer_mul(rows, self.code.row_bytes))


def long_dot_kernel(code: KernelCode, product: bool) -> None:
    """The dot of two stretches of uniform rows, or the sum of one, in the first thread.

    for i in 0, 4 vectors, 8 vectors, ...:
        for n in 0 ... 3:                                      # side by side: each waits only for itself
            sums[n] += x[i + n vectors] * y[i + n vectors]
    total = the elements of (sums[0] + sums[1]) + (sums[2] + sums[3])
    for i in the rest: total += x[i] * y[i]
    """
    count, target = code.field("count"), code.field("result")
    starts = [code.field(f"operand {n} start") for n in range(2 if product else 1)]
    lines, bank = 4, code.context("uniform", "ptr")

    def terms(index: str, line: int, sum_: str) -> str:
        offset = code.integer_mul(index, code.size)
        xs = [
            code.load(code.at(bank, code.integer_add(start, code.integer_add(offset, line * code.width * code.size))))
            for start in starts
        ]
        return code.multiply_add(xs[0], xs[1], sum_) if product else code.add(sum_, xs[0])

    with code.when(code(f"icmp eq i64 {code.context('thread')}, 0")):
        most = code.integer_sub(count, lines * code.width - 1)
        carried = [(code.vector, code.constant(-0.0))] * lines
        sums = code.loop(
            most, lambda i, *s: [terms(i, n, x) for n, x in enumerate(s)], carried, step=lines * code.width
        )
        total = code.total(code.add(code.add(sums[0], sums[1]), code.add(sums[2], sums[3])))
        rest = code.integer_sub(count, code(f"srem i64 {count}, {lines * code.width}"))
        width, code.width = code.width, 1
        start = code(f"insertelement {code.vector} poison, {code.number} {total}, i32 0")
        (result,) = code.loop(count, lambda i, s: [terms(i, 0, s)], [(code.vector, start)], first=rest)
        code.store(result, code.at(bank, target))
        code.width = width
