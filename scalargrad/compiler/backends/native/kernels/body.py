"""Body: the operations of fused tasks on one row, which stays in registers between them.

A kernel is a head, which brings rows into registers, and a body: load further operands, compute, store. Behind a
product or a fold a body is what compilers call an epilogue.
"""

from dataclasses import dataclass

from scalargrad.compiler.backends.native.functions import FUNCTIONS
from scalargrad.compiler.backends.native.kernels.elementwise import ELEMENTWISE, counter, mixed, random_number, whole
from scalargrad.compiler.backends.native.kernels.kernel_code import KernelCode
from scalargrad.compiler.backends.native.kernels.operands import Access, load_operand
from scalargrad.randomness import GAMMA

HEAD_RESULT = -1  # the number of the operation that stands for the result of the head
Vectors = list[str]  # the names of the registers that hold a row


@dataclass(frozen=True)
class Operation:
    """One operation of a body: on operands ("in", n) and on the results of earlier operations ("result", n)."""

    op: str
    args: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Body:
    """operands: the kind of each; stores: the operations whose results go to memory, HEAD_RESULT for the head's."""

    operands: tuple[Access, ...]
    operations: tuple[Operation, ...]
    stores: tuple[int, ...]


class BodyCode:
    """The code of a body; its fields of the record are asked for once."""

    def __init__(self, code: KernelCode, body: Body) -> None:
        self.code, self.body = code, body
        self.keys: dict[int, tuple[Vectors, int]] = {}  # of random operations: what `hoist` has mixed
        self.places = [self._fields(kind, f"operand {n}") for n, kind in enumerate(body.operands)]
        self.targets = [code.field(f"result {n} start") for n in range(len(body.stores))]

    def _fields(self, kind: Access, name: str) -> tuple[str, ...]:
        if kind in (Access.ROW, Access.NUMBER):
            return self.code.field(f"{name} start"), self.code.field(f"{name} step")
        return (self.code.field(f"{name} start"),)

    def hoist(self, lanes: str) -> None:
        """Compute before the loop over rows what is invariant in it: the first counters of random()."""
        for number, operation in enumerate(self.body.operations):
            if operation.op == "random":
                once = [
                    kind == "in" and self.body.operands[n] in (Access.WHOLE, Access.ROW_ONCE, Access.NUMBER_ONCE)
                    for kind, n in operation.args
                ]
                count = [*once[:-1], False].index(False)
                self.keys[number] = self._key(number, lanes, "0", {}, count), count

    def row(self, lanes: str, index: str) -> None:
        """Run the body, as that of a loop which hands nothing on."""
        self.run(lanes, index)

    def run(self, lanes: str, index: str, head: Vectors | None = None) -> dict[int, Vectors]:
        """Compute and store the row `index` of the instruction; returns the result of each operation.

        lanes   the address of the panel, or "" for uniform rows
        """
        code, results = self.code, {HEAD_RESULT: head or []}
        loaded: dict[int, Vectors] = {}
        for number, operation in enumerate(self.body.operations):
            if operation.op == "random":
                keys = self._key(number, lanes, index, results, len(operation.args) - 1)
                sites = self._counters(operation.args[-1], lanes, index, results)
                results[number] = [random_number(code, key, site) for key, site in zip(keys, sites, strict=True)]
                continue
            args = []
            for kind, n in operation.args:
                if kind == "result":
                    args.append(results[n])
                else:
                    if n not in loaded:
                        loaded[n] = self._load(n, lanes, index)
                    args.append(loaded[n])
            results[number] = _computed(code, operation.op, args)
        for target, number in zip(self.targets, self.body.stores, strict=True):
            offset = code.integer_mul(index, code.row_bytes if lanes else code.size)
            address = code.at(lanes or code.context("uniform", "ptr"), code.integer_add(target, offset))
            code.store_all(results[number], address)
        return results

    def _key(self, number: int, lanes: str, index: str, results: dict[int, Vectors], stop: int) -> Vectors:
        """The key of a random operation after its counters up to `stop`, from where `hoist` left off."""
        code = self.code
        keys, first = self.keys.get(number, ([whole(code, GAMMA)] * code.vectors, 0))
        for argument in self.body.operations[number].args[first:stop]:
            counters = self._counters(argument, lanes, index, results)
            keys = [mixed(code, key, x) for key, x in zip(keys, counters, strict=True)]
        return keys

    def _counters(self, argument: tuple[str, int], lanes: str, index: str, results: dict[int, Vectors]) -> Vectors:
        """An argument of random() as 64-bit integers. A number is converted once, not in every lane."""
        code, (kind, number) = self.code, argument
        if kind == "result":
            return [counter(code, x) for x in results[number]]
        place = self.body.operands[number]
        if place == Access.WHOLE:
            return [self._in_all_lanes(self.places[number][0])] * code.vectors
        if place not in (Access.NUMBER, Access.NUMBER_TABLE, Access.NUMBER_ONCE):
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

    def _load(self, number: int, lanes: str, index: str) -> Vectors:
        code, kind = self.code, self.body.operands[number]
        offset = self._offset(number, index)
        if kind == Access.NUMBERS:
            return [code.load(code.at(code.context("uniform", "ptr"), offset))]
        return load_operand(code, kind, lanes, offset)

    def _offset(self, number: int, index: str) -> str:
        """Bytes from the start of the operand's bank."""
        code, kind, place = self.code, self.body.operands[number], self.places[number]
        if kind in (Access.ROW_ONCE, Access.NUMBER_ONCE):
            return place[0]
        if kind == Access.NUMBERS:
            return code.integer_add(place[0], code.integer_mul(index, code.size))
        if kind in (Access.ROW, Access.NUMBER):
            return code.integer_add(place[0], code.integer_mul(index, place[1]))
        entry = code.table_entry(place[0], index)
        return code.integer_mul(entry, code.row_bytes if kind == Access.ROW_TABLE else code.size)


def _computed(code: KernelCode, op: str, args: list[Vectors]) -> Vectors:
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
