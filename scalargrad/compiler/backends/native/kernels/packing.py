"""Packing: samples become lanes, and rows of lanes become results.

An array has the numbers of one sample next to each other, a panel those of one row: a transposition in each direction.
"""

from scalargrad.compiler.backends.native.kernels.kernel_code import CACHE_LINE, KernelCode


def import_kernel(code: KernelCode) -> None:
    """Samples of an array, [rows, numbers of one sample], become lanes.

    for panel in the block:
        for vector of lanes:
            samples = the rows of the array that the order names
            for column in 0, width, 2 width, ...:
                lanes[column ... column + width] = transposed(samples[column ... column + width])
            for column in the rest: one by one
        prefetch the samples of the panel's lanes in the next batch
    """
    array, numbers, first_row = code.field("array"), code.field("numbers"), code.field("first row")
    inputs = code.context("inputs", "ptr")
    base = code(f"load ptr, ptr {code.at(inputs, code.integer_mul(array, 8))}, align 8")
    valid = code.integer_sub(code.context("valid"), 1)
    sample_bytes, width = code.integer_mul(numbers, code.size), code.width

    def panel(number: str) -> None:
        lanes = code.panel(number)
        for v in range(code.vectors):
            samples = []
            for lane in range(width):
                place = code.integer_add(code.integer_mul(number, code.vectors * width), v * width + lane)
                place = code.integer_add(code.context("position"), code.integer_min(place, valid))
                address = code.at(code.context("order", "ptr"), code.integer_mul(place, 8))
                row = code(f"load i64, ptr {address}, align 8")
                samples.append(code.at(base, code.integer_mul(row, sample_bytes)))
            _transpose_into(code, samples, numbers, code.at(lanes, v * width * code.size), first_row)
        with code.when(code(f"icmp sgt i64 {code.context('ahead')}, 0")):
            code.loop(code.vectors * width, lambda lane: prefetch(number, lane))

    def prefetch(number: str, lane: str) -> None:
        """Rows come in a random order: the processor cannot guess which ones the next batch will read."""
        place = code.integer_add(code.integer_mul(number, code.vectors * width), lane)
        place = code.integer_add(code.integer_add(code.context("position"), place), code.context("ahead"))
        place = code.integer_min(place, code.context("last_position"))
        row = code(f"load i64, ptr {code.at(code.context('order', 'ptr'), code.integer_mul(place, 8))}, align 8")
        sample = code.at(base, code.integer_mul(row, sample_bytes))

        def line(offset: str) -> None:
            code.calls["llvm.prefetch.p0"] = "declare void @llvm.prefetch.p0(ptr, i32, i32, i32)"
            code.write(f"call void @llvm.prefetch.p0(ptr {code.at(sample, offset)}, i32 0, i32 2, i32 1)")

        code.loop(sample_bytes, line, step=CACHE_LINE)

    code.loop(code.context("panels"), panel)


def _transpose_into(code: KernelCode, samples: list[str], numbers: str, lanes: str, first_row: str) -> None:
    width = code.width

    def target(column: str) -> str:
        return code.at(lanes, code.integer_mul(code.integer_add(first_row, column), code.row_bytes))

    def square(column: str) -> None:
        offset = code.integer_mul(column, code.size)
        for place, vector in enumerate(code.transposed([code.load(code.at(s, offset)) for s in samples])):
            code.store(vector, target(code.integer_add(column, place)))

    def single(column: str) -> None:
        offset, result = code.integer_mul(column, code.size), "poison"
        for lane, sample in enumerate(samples):
            number = code.load_number(code.at(sample, offset))
            result = code(f"insertelement {code.vector} {result}, {code.number} {number}, i32 {lane}")
        code.store(result, target(column))

    code.loop(code.integer_sub(numbers, width - 1), square, step=width)
    code.loop(numbers, single, first=code.integer_sub(numbers, code(f"srem i64 {numbers}, {width}")))


def export_kernel(code: KernelCode) -> None:
    """Rows of lanes to the array of results, [rows, numbers of one result].

    for lane in the block, if it is a sample:
        for column j of the result:
            result[position + lane, j] = row[table[j]] of the lane
    """
    numbers, table = code.field("numbers"), code.field("table")
    result, lanes_of_panel = code.context("result", "ptr"), code.vectors * code.width

    def lane(number: str) -> None:
        panel = code(f"sdiv i64 {number}, {lanes_of_panel}")
        inside = code.integer_mul(code(f"srem i64 {number}, {lanes_of_panel}"), code.size)
        lanes = code.panel(panel)
        row = code.integer_mul(code.integer_add(code.context("position"), number), numbers)

        def column(j: str) -> None:
            offset = code.integer_add(code.integer_mul(code.table_entry(table, j), code.row_bytes), inside)
            x = code.load_number(code.at(lanes, offset))
            code.store_number(x, code.at(result, code.integer_mul(code.integer_add(row, j), code.size)))

        code.loop(numbers, column)

    code.loop(code.context("valid"), lane)
