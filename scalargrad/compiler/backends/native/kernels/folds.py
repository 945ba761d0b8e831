"""Folds: many operands of a row become one number."""

from scalargrad.compiler.backends.native.kernels.body import Body, BodyCode
from scalargrad.compiler.backends.native.kernels.elementwise import ELEMENTWISE
from scalargrad.compiler.backends.native.kernels.kernel_code import KernelCode
from scalargrad.compiler.backends.native.kernels.loops import everywhere
from scalargrad.compiler.backends.native.kernels.operands import Access, MatrixCode


def fold_kernel(code: KernelCode, op: str, operands: tuple[Access, ...], body: Body, uniform: bool) -> None:
    """A sum, dot, maximum or take of many operands for each row, wherever they are.

    for panel in the block:
        for row i in the instruction:
            result = -0.0                                  # of a maximum operand[i, 0]
            for k in terms:
                result = op(result, operands[i, k])        # take instead gathers operand[i, index[i]]
            body(result)
    """
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
    """Vector number v of a take: for each lane the operand whose number it wants."""
    most = code.splat(code(f"sitofp i64 {terms} to {code.number}"))
    fits = code.mask("and", code.compare("oge", wanted, code.constant(0.0)), code.compare("olt", wanted, most))
    fits = code.mask("and", fits, code.compare("oeq", code.floor(wanted), wanted))
    code.fail_where(code.invert(fits))
    safe = code.select(fits, wanted, code.constant(0.0))
    result = code.constant(0.0)
    for lane in range(code.width):
        place = code(f"fptosi {code.number} {code.element(safe, lane)} to i64")
        entry = code.table_entry(begin, code.integer_mul(place, values.stride))
        if values.kind == Access.ROW_TABLE:
            offset = code.integer_add(code.integer_mul(entry, code.row_bytes), (v * code.width + lane) * code.size)
            number = code.load_number(code.at(lanes, offset))
        else:
            address = code.at(code.context("uniform", "ptr"), code.integer_mul(entry, code.size))
            number = code.load_number(address)
        result = code(f"insertelement {code.vector} {result}, {code.number} {number}, i32 {lane}")
    return result
