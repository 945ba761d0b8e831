"""Operands: where the numbers are that a kernel reads, and the code that loads them."""

from enum import StrEnum

from scalargrad.compiler.backends.native.kernels.kernel_code import KernelCode


class Access(StrEnum):
    """How an operand is found: an affine one starts somewhere and advances evenly; an index table names each place."""

    ROW = "row"  # of lanes
    ROW_TABLE = "row table"
    NUMBER = "number"  # uniform, the same for all lanes
    NUMBER_TABLE = "number table"
    ROW_ONCE = "row once"  # one place, for all rows of the instruction
    NUMBER_ONCE = "number once"
    NUMBERS = "numbers"  # uniform rows one after another, where they are what the vector runs over
    WHOLE = "whole"  # a constant of 64-bit integers


def load_operand(code: KernelCode, kind: Access, lanes: str, offset: str) -> list[str]:
    """The vectors of a row of lanes, or those of a number in all lanes, so many bytes into its bank."""
    if kind in (Access.ROW, Access.ROW_TABLE, Access.ROW_ONCE):
        address = code.at(lanes, offset)
        return [code.load(address, v) for v in range(code.vectors)]
    number = code.load_number(code.at(code.context("uniform", "ptr"), offset))
    return [code.splat(number)] * code.vectors


class MatrixCode:
    """The operands [i, k] of an instruction: at start + i * step + k * stride, or there in an index table."""

    def __init__(self, code: KernelCode, kind: Access, name: str) -> None:
        self.code, self.kind = code, kind
        names = ("start", "step", "stride")
        self.start, self.step, self.stride = (code.field(f"{name} {part}") for part in names)

    def row(self, index: str) -> str:
        """The beginning of a row: bytes, or a place in the index table."""
        return self.code.integer_add(self.start, self.code.integer_mul(index, self.step))

    def load(self, lanes: str, row: str, k: str) -> list[str]:
        return load_operand(self.code, self.kind, lanes, self.offset(row, k))

    def offset(self, row: str, k: str) -> str:
        """Bytes from the start of the bank."""
        code = self.code
        if self.kind in (Access.ROW, Access.NUMBER):
            return code.integer_add(row, code.integer_mul(k, self.stride))
        entry = code.table_entry(row, code.integer_mul(k, self.stride))
        return code.integer_mul(entry, code.row_bytes if self.kind == Access.ROW_TABLE else code.size)
