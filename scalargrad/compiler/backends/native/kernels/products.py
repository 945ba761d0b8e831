"""Products: contractions, and the dots of long stretches of uniform rows."""

from typing import Any

from scalargrad.compiler.backends.native.kernels.kernel_code import KernelCode
from scalargrad.compiler.backends.native.kernels.maps import ROW, Body, BodyCode, MatrixCode, everywhere, load_operand
from scalargrad.compiler.backends.native.kernels.sums import NO_SUMS, Sums, SumsCode, over_lanes


def contraction_kernel(
    code: KernelCode,
    height: int,
    weights: str,
    inputs: str,
    body: Body,
    uniform: bool,
    single: bool,
    aside: bool,
    part: int = 0,
    sums: Sums = NO_SUMS,
    adds: bool = False,
) -> None:
    """out[r, c] = sum of weights[r, k] * inputs[c, k] over k: `height` rows at a time stay in registers.

    The sum goes from left to right, with fused multiply-adds.
    single   there is one column: a few weights at a time meet all lanes, as weights are what there is much of. Else a
             column meets all weights
    aside    a column is put aside first, row after row: a table is read once then, and inputs that lie a power of two
             apart share a few lines of the cache, where they drive each other out before the next weights come
    part     a column that is too long for the first cache comes in parts of so many terms, while the sums of all rows
             wait in memory of the thread; 0: in one
    sums     over all columns and lanes of a row, of what the body makes of it: they wait there, too
    adds     a table says to which of its results each number is added: see `adding_up`
    """
    tiles, first_row = code.field("tiles"), code.field("first row")
    columns, terms = code.field("columns"), code.field("terms")
    left, right = MatrixCode(code, weights, "weights"), MatrixCode(code, inputs, "inputs")
    totals = SumsCode(code, sums)
    added_to, cleared = (code.field("added to"), code.field("cleared")) if adds else ("", "0")
    inside = BodyCode(code, body)
    zeros = [code.constant(-0.0)] * (height * code.vectors)
    rows_in_all = code.integer_mul(tiles, height)
    # Memory of the thread: a column that was put aside, the sums of its rows so far, and those over columns and lanes.
    column_aside = code.context("scratch", "ptr")
    row_sums = _rows_on(code, column_aside, part or terms) if aside else column_aside
    column_sums = _rows_on(code, row_sums, rows_in_all) if part else row_sums

    def read(lanes: str, c: str, k: str) -> list[str]:
        return right.load(lanes, right.row(c), k)

    def put_aside(lanes: str, c: str, first: Any, last: str) -> None:
        def one(k: str) -> None:
            code.store_all(read(lanes, c, k), _rows_on(code, column_aside, code.integer_sub(k, first)))

        code.loop(last, one, first=first)

    def summed(lanes: str, c: str, number: str, start: list[str], first: Any, last: str) -> list[str]:
        """The sums of a tile's rows with the terms from `first` on added."""
        begins = [left.row(code.integer_add(first_row, place)) for place in places(number)]

        def term(k: str, *sums: str) -> list[str]:
            if aside:
                xs = load_operand(code, ROW, column_aside, code.integer_mul(code.integer_sub(k, first), code.row_bytes))
            else:
                xs = read(lanes, c, k)
            results = []
            for h, begin in enumerate(begins):
                ws = left.load(lanes, begin, k)
                for v in range(code.vectors):
                    results.append(code.multiply_add(ws[v], xs[v], sums[h * code.vectors + v]))
            return results

        return code.loop(last, term, [(code.vector, x) for x in start], first=first)

    def places(number: str) -> list[str]:
        return [code.integer_add(code.integer_mul(number, height), h) for h in range(height)]

    def finish(lanes: str, masks: list[str] | None, c: str, number: str, found: list[str]) -> None:
        for h, place in enumerate(places(number)):
            index = code.integer_add(code.integer_mul(code.integer_add(first_row, place), columns), c)
            if adds:
                add(lanes, code.table_entry(added_to, index), found[h * code.vectors : (h + 1) * code.vectors])
                continue
            results = inside.run(lanes, index, found[h * code.vectors : (h + 1) * code.vectors])
            totals.add_to_waiting(column_sums, place, results, masks)

    def in_one(lanes: str, masks: list[str] | None, c: str) -> None:
        if aside:
            put_aside(lanes, c, 0, terms)
        code.loop(tiles, lambda number: finish(lanes, masks, c, number, summed(lanes, c, number, zeros, 0, terms)))

    def in_parts(lanes: str, masks: list[str] | None, c: str) -> None:
        def of_tile(number: str) -> str:
            return _rows_on(code, row_sums, code.integer_mul(number, height))

        def waiting(number: str) -> list[str]:
            return [code.load(of_tile(number), v) for v in range(len(zeros))]

        def one(first: str) -> None:
            last = code.integer_min(code.integer_add(first, part), terms)
            if aside:
                put_aside(lanes, c, first, last)
            code.loop(
                tiles,
                lambda number: code.store_all(summed(lanes, c, number, waiting(number), first, last), of_tile(number)),
            )

        code.loop(tiles, lambda number: code.store_all(zeros, of_tile(number)))
        code.loop(terms, one, step=part)
        code.loop(tiles, lambda number: finish(lanes, masks, c, number, waiting(number)))

    def result(lanes: str, number: str) -> str:
        return _rows_on(code, code.at(lanes, inside.targets[0]), number)

    def add(lanes: str, number: str, xs: list[str]) -> None:
        address = result(lanes, number)
        code.store_all([code.add(code.load(address, v), x) for v, x in enumerate(xs)], address)

    def column_by_column(lanes: str, masks: list[str] | None = None) -> None:
        column = in_parts if part else in_one
        if adds:
            code.loop(cleared, lambda number: code.store_all(zeros[: code.vectors], result(lanes, number)))
        code.loop(columns, lambda c: column(lanes, masks, c))

    if sums.steps:
        totals.clear_waiting(column_sums, rows_in_all)
        over_lanes(code, [], column_by_column)
        totals.store_waiting(column_sums, rows_in_all, first_row)
    elif single and not uniform:
        code.loop(
            tiles,
            lambda number: code.over_panels(
                lambda lanes: finish(lanes, None, "0", number, summed(lanes, "0", number, zeros, 0, terms))
            ),
        )
    else:
        everywhere(code, column_by_column, uniform)


def _rows_on(code: KernelCode, address: str, rows: Any) -> str:
    """The address so many rows of lanes on."""
    return code.at(address, code.integer_mul(rows, code.row_bytes))


def long_dot_kernel(code: KernelCode, product: bool) -> None:
    """The dot of two stretches of uniform rows, or the sum of one: four vectors of sums side by side."""
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
