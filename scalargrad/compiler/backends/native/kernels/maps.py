"""The kernels: loops over the rows and lanes of one instruction, or of several that are done in one go.

A body is what happens to each row once it is in registers: load operands, compute, store. A kernel is a head, which
brings rows into registers, and a body. The heads here are a plain loop (`map_kernel`), a loop over uniform rows, and a
fold of many operands into one (`fold_kernel`); those of products are in `products`, of sums over lanes in `sums`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from scalargrad.compiler.backends.native.functions import FUNCTIONS
from scalargrad.compiler.backends.native.kernels.elementwise import ELEMENTWISE, counter, mixed, random_number, whole
from scalargrad.compiler.backends.native.kernels.kernel_code import KernelCode
from scalargrad.randomness import GAMMA

# Where an operand is. An affine one starts somewhere and advances evenly; a table names the place of each.
ROW, ROW_TABLE = "row", "row table"  # of lanes
NUMBER, NUMBER_TABLE = "number", "number table"  # uniform, the same for all lanes
ROW_ONCE, NUMBER_ONCE = "row once", "number once"  # one place, for all rows of the instruction
NUMBERS = "numbers"  # uniform rows one after another, where they are what the vector runs over
WHOLE = "whole"  # a constant of 64-bit integers
HEAD_RESULT = -1  # the number of the step that stands for what the head computed


@dataclass(frozen=True)
class Step:
    """One operation of a body: on operands ("in", n) and on the results of earlier steps ("step", n)."""

    op: str
    args: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Body:
    """operands: the kind of each; stores: the steps whose results go to memory, HEAD_RESULT for the head's."""

    operands: tuple[str, ...]
    steps: tuple[Step, ...]
    stores: tuple[int, ...]


class BodyCode:
    """The code of a body; its fields of the record are asked for once."""

    def __init__(self, code: KernelCode, body: Body) -> None:
        self.code, self.body = code, body
        self.keys: dict[int, tuple[list[str], int]] = {}  # of random steps: what `before` has mixed
        self.places = [self._fields(kind, f"operand {n}") for n, kind in enumerate(body.operands)]
        self.targets = [code.field(f"result {n} start") for n in range(len(body.stores))]

    def _fields(self, kind: str, name: str) -> tuple[str, ...]:
        if kind in (ROW, NUMBER):
            return self.code.field(f"{name} start"), self.code.field(f"{name} step")
        return (self.code.field(f"{name} start"),)

    def before(self, lanes: str) -> None:
        """What is the same for all rows of a panel: the first counters of random()."""
        for number, step in enumerate(self.body.steps):
            if step.op == "random":
                once = [
                    kind == "in" and self.body.operands[n] in (WHOLE, ROW_ONCE, NUMBER_ONCE) for kind, n in step.args
                ]
                count = [*once[:-1], False].index(False)
                self.keys[number] = self._key(number, lanes, "0", {}, count), count

    def row(self, lanes: str, index: str, head: list[str] | None = None) -> None:
        """As `run`, for those who have no use for what comes out of it."""
        self.run(lanes, index, head)

    def run(self, lanes: str, index: str, head: list[str] | None = None) -> dict[int, list[str]]:
        """For the row `index` of the instruction; returns what each step gave, as vectors.

        lanes   the address of the panel, or "" for uniform rows
        """
        code, results = self.code, {HEAD_RESULT: head or []}
        loaded: dict[int, list[str]] = {}
        for number, step in enumerate(self.body.steps):
            if step.op == "random":
                keys = self._key(number, lanes, index, results, len(step.args) - 1)
                sites = self._counters(step.args[-1], lanes, index, results)
                results[number] = [random_number(code, key, site) for key, site in zip(keys, sites, strict=True)]
                continue
            args = []
            for kind, n in step.args:
                if kind == "step":
                    args.append(results[n])
                else:
                    if n not in loaded:
                        loaded[n] = self._load(n, lanes, index)
                    args.append(loaded[n])
            results[number] = _computed(code, step.op, args)
        for target, number in zip(self.targets, self.body.stores, strict=True):
            offset = code.integer_mul(index, code.row_bytes if lanes else code.size)
            address = code.at(lanes or code.context("uniform", "ptr"), code.integer_add(target, offset))
            code.store_all(results[number], address)
        return results

    def _key(self, number: int, lanes: str, index: str, results: dict[int, list[str]], stop: int) -> list[str]:
        """The key of a random step after its counters up to `stop`, from where `before` left off."""
        code = self.code
        keys, first = self.keys.get(number, ([whole(code, GAMMA)] * code.vectors, 0))
        for argument in self.body.steps[number].args[first:stop]:
            counters = self._counters(argument, lanes, index, results)
            keys = [mixed(code, key, x) for key, x in zip(keys, counters, strict=True)]
        return keys

    def _counters(self, argument: tuple[str, int], lanes: str, index: str, results: dict[int, list[str]]) -> list[str]:
        """An argument of random() as 64-bit integers. A number is converted once, not in every lane."""
        code, (kind, number) = self.code, argument
        if kind == "step":
            return [counter(code, x) for x in results[number]]
        place = self.body.operands[number]
        if place == WHOLE:
            return [self._in_all_lanes(self.places[number][0])] * code.vectors
        if place not in (NUMBER, NUMBER_TABLE, NUMBER_ONCE):
            return [counter(code, x) for x in self._load(number, lanes, index)]
        address = code.at(code.context("uniform", "ptr"), self._offset(number, index))
        width, code.width = code.width, 1
        one = code(f"extractelement <1 x i64> {counter(code, code.load(address))}, i32 0")
        code.width = width
        return [self._in_all_lanes(one)] * code.vectors

    def _in_all_lanes(self, integer: str) -> str:
        vector = f"<{self.code.width} x i64>"
        one = self.code(f"insertelement {vector} poison, i64 {integer}, i32 0")
        zeros = f"<{self.code.width} x i32> zeroinitializer"
        return self.code(f"shufflevector {vector} {one}, {vector} poison, {zeros}")

    def _load(self, number: int, lanes: str, index: str) -> list[str]:
        code, kind = self.code, self.body.operands[number]
        offset = self._offset(number, index)
        if kind == NUMBERS:
            return [code.load(code.at(code.context("uniform", "ptr"), offset))]
        return load_operand(code, kind, lanes, offset)

    def _offset(self, number: int, index: str) -> str:
        """Bytes from the start of the operand's bank."""
        code, kind, place = self.code, self.body.operands[number], self.places[number]
        if kind in (ROW_ONCE, NUMBER_ONCE):
            return place[0]
        if kind == NUMBERS:
            return code.integer_add(place[0], code.integer_mul(index, code.size))
        if kind in (ROW, NUMBER):
            return code.integer_add(place[0], code.integer_mul(index, place[1]))
        entry = code.table_entry(place[0], index)
        return code.integer_mul(entry, code.row_bytes if kind == ROW_TABLE else code.size)


def _computed(code: KernelCode, op: str, args: list[list[str]]) -> list[str]:
    """An operation on all vectors of its operands."""
    formula = ELEMENTWISE[op]
    if op not in FUNCTIONS or code.vectors == 1:
        return [formula(code, *(operand[v] for operand in args)) for v in range(code.vectors)]
    # A function waits for its own results: it takes little longer for both vectors at once.
    width = code.width
    both = [code.shuffle(x, y, list(range(2 * width))) for x, y in args]
    code.width = 2 * width
    result = formula(code, *both)
    halves = [code.shuffle(result, result, list(range(h * width, (h + 1) * width))) for h in range(2)]
    code.width = width
    return halves


def load_operand(code: KernelCode, kind: str, lanes: str, offset: str) -> list[str]:
    """The vectors of a row of lanes, or those of a number in all lanes, so many bytes into its bank."""
    if kind in (ROW, ROW_TABLE, ROW_ONCE):
        address = code.at(lanes, offset)
        return [code.load(address, v) for v in range(code.vectors)]
    number = code.load_number(code.at(code.context("uniform", "ptr"), offset))
    return [code.splat(number)] * code.vectors


# A loop over rows.


def map_kernel(code: KernelCode, body: Body) -> None:
    """Each row of an instruction, each panel."""
    count = code.field("count")
    inside = BodyCode(code, body)

    def panel(lanes: str) -> None:
        inside.before(lanes)
        code.loop(count, lambda index: inside.row(lanes, index))

    code.over_panels(panel)


def uniform_kernel(code: KernelCode, body: Body) -> None:
    """Uniform rows, as many at once as a vector holds; the last few one by one. Threads share a long loop."""
    count, shared = code.field("count"), code.field("shared")
    inside = BodyCode(code, body)
    first, last = chunk(code, count, shared)
    in_vectors(code, first, last, lambda index: inside.row("", index))


def uniform_rows_kernel(code: KernelCode, body: Body) -> None:
    """Uniform rows one by one, wherever their operands are. `code` is one number wide."""
    count, shared = code.field("count"), code.field("shared")
    inside = BodyCode(code, body)
    first, last = chunk(code, count, shared)
    code.loop(last, lambda index: inside.row("", index), first=first)


def in_vectors(code: KernelCode, first: str, last: str, body: Callable[[str], None]) -> None:
    """Run the body for whole vectors from `first` on, and number by number for the rest before `last`."""
    width, count = code.width, code.integer_sub(last, first)
    whole = code.integer_sub(count, code(f"srem i64 {count}, {width}"))
    code.loop(code.integer_sub(last, width - 1), body, first=first, step=width)
    code.width = 1
    code.loop(last, body, first=code.integer_add(first, whole))
    code.width = width


def chunk(code: KernelCode, count: str, shared: str) -> tuple[str, str]:
    """This thread's part of 0 ... count, if the loop is `shared`; else the first thread has all of it."""
    thread, threads = code.context("thread"), code.context("threads")
    following = code.integer_add(thread, 1)
    begin = code(f"sdiv i64 {code.integer_mul(count, thread)}, {threads}")
    end = code(f"sdiv i64 {code.integer_mul(count, following)}, {threads}")
    alone = code(f"icmp eq i64 {shared}, 0")
    leads = code(f"icmp eq i64 {thread}, 0")
    all_or_none = code(f"select i1 {leads}, i64 {count}, i64 0")
    return code(f"select i1 {alone}, i64 0, i64 {begin}"), code(f"select i1 {alone}, i64 {all_or_none}, i64 {end}")


# Many operands.


class MatrixCode:
    """The operands [i, k] of an instruction: at start + i * step + k * stride, or there in a table."""

    def __init__(self, code: KernelCode, kind: str, name: str) -> None:
        self.code, self.kind = code, kind
        names = ("start", "step", "stride")
        self.start, self.step, self.stride = (code.field(f"{name} {part}") for part in names)

    def row(self, index: str) -> str:
        """Where the row begins: bytes, or a place in the table."""
        return self.code.integer_add(self.start, self.code.integer_mul(index, self.step))

    def load(self, lanes: str, row: str, k: str) -> list[str]:
        return load_operand(self.code, self.kind, lanes, self.offset(row, k))

    def offset(self, row: str, k: str) -> str:
        """Bytes from the start of the bank."""
        code = self.code
        if self.kind in (ROW, NUMBER):
            return code.integer_add(row, code.integer_mul(k, self.stride))
        entry = code.table_entry(row, code.integer_mul(k, self.stride))
        return code.integer_mul(entry, code.row_bytes if self.kind == ROW_TABLE else code.size)


def fold_kernel(code: KernelCode, op: str, operands: tuple[str, ...], body: Body, uniform: bool) -> None:
    """A sum, dot, maximum or take of many operands for each row, wherever they are."""
    count, terms = code.field("count"), code.field("terms")
    index_of = MatrixCode(code, operands[0], "index") if op == "take" else None
    matrices = [MatrixCode(code, kind, f"operand {n}") for n, kind in enumerate(operands[op == "take" :])]
    inside = BodyCode(code, body)

    def all_rows(lanes: str) -> None:
        def one(i: str) -> None:
            begins = [matrix.row(i) for matrix in matrices]

            def loaded(k: str) -> list[list[str]]:
                return [m.load(lanes, begin, k) for m, begin in zip(matrices, begins, strict=True)]

            if index_of is not None:
                wanted = index_of.load(lanes, index_of.row(i), "0")
                results = [_gather(code, matrices[0], begins[0], lanes, terms, x, v) for v, x in enumerate(wanted)]
                inside.run(lanes, i, results)
                return

            def turn(k: str, *sums: str) -> list[str]:
                operands = loaded(k)
                if op == "dot":
                    return [code.multiply_add(w, x, s) for w, x, s in zip(*operands, sums, strict=True)]
                return [ELEMENTWISE[op](code, s, x) for s, x in zip(sums, operands[0], strict=True)]

            if op == "maximum":
                carried, first = [(code.vector, x) for x in loaded("0")[0]], 1
            else:
                carried, first = [(code.vector, code.constant(-0.0))] * code.vectors, 0
            inside.run(lanes, i, code.loop(terms, turn, carried, first=first))

        code.loop(count, one)

    everywhere(code, all_rows, uniform)


def _gather(code: KernelCode, values: MatrixCode, begin: str, lanes: str, terms: str, wanted: str, v: int) -> str:
    """In each lane the operand whose number stands there."""
    most = code.splat(code(f"sitofp i64 {terms} to {code.number}"))
    fits = code.mask("and", code.compare("oge", wanted, code.constant(0.0)), code.compare("olt", wanted, most))
    fits = code.mask("and", fits, code.compare("oeq", code.floor(wanted), wanted))
    code.fail_where(code.invert(fits))
    safe = code.select(fits, wanted, code.constant(0.0))
    result = code.constant(0.0)
    for lane in range(code.width):
        place = code(f"fptosi {code.number} {code.element(safe, lane)} to i64")
        entry = code.table_entry(begin, code.integer_mul(place, values.stride))
        if values.kind == ROW_TABLE:
            offset = code.integer_add(code.integer_mul(entry, code.row_bytes), (v * code.width + lane) * code.size)
            number = code.load_number(code.at(lanes, offset))
        else:
            address = code.at(code.context("uniform", "ptr"), code.integer_mul(entry, code.size))
            number = code.load_number(address)
        result = code(f"insertelement {code.vector} {result}, {code.number} {number}, i32 {lane}")
    return result


def everywhere(code: KernelCode, body: Callable[[str], None], uniform: bool) -> None:
    """In every panel; for uniform rows once, in the first thread."""
    if uniform:
        with code.when(code(f"icmp eq i64 {code.context('thread')}, 0")):
            body("")
    else:
        code.over_panels(body)
