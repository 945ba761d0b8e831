"""Programs as text: the kernels and tables of row numbers that they share, and for each the list of its calls."""

from collections.abc import Sequence

import numpy
from numpy import ndarray

from scalargrad.compiler.backends.javascript.kernels import Kernel, kernel
from scalargrad.compiler.program import Kind, Program
from scalargrad.javascript.terms import number

SHORTEST_RUN = 8  # of rows that are written as a range


class Text:
    """Kernels, tables and programs, each once.

    functions   of elementary.js that the kernels call
    """

    def __init__(self) -> None:
        self.kernels: dict[str, Kernel] = {}
        self.tables: dict[bytes, str] = {}
        self.lines: list[str] = []
        self.functions: set[str] = set()

    @property
    def declarations(self) -> str:
        """The kernels and the tables, for the functions that `add` has given."""
        return "\n".join([*(each.text for each in self.kernels.values()), *self.lines])

    def add(self, name: str, program: Program) -> str:
        """`const name = new Program({...}, run);`, where run has a call for each instruction."""
        calls = []
        for instruction in program.instructions:
            if instruction.kind.is_given or not instruction.count:
                continue
            each = kernel(instruction)
            self.kernels.setdefault(each.name, each)
            self.functions |= each.functions
            tables = [self.table(table.rows) for table in instruction.args]
            passed = ", ".join(map(str, (instruction.first, *each.sizes, *tables)))
            calls.append(f"  {each.name}(v, u, L, {passed}); // {instruction.summary()}")
        shape = ",\n  ".join(f"{key}: {text}" for key, text in self._shape(program).items())
        run = "\n".join(calls)
        return f"const {name} = new Program({{\n  {shape},\n}}, (v, u, L) => {{\n{run}\n}});"

    def table(self, rows: ndarray) -> str:
        """The name of a constant array of row numbers."""
        rows = numpy.ascontiguousarray(rows, "int32")
        key = str(rows.shape[1:]).encode() + rows.tobytes()
        if key not in self.tables:
            self.tables[key] = f"t{len(self.tables)}"
            self.lines.append(f"const {self.tables[key]} = {_written(rows)};")
        return self.tables[key]

    def _shape(self, program: Program) -> dict[str, str]:
        """The properties of class Program in runtime.js."""
        numbers = ", ".join(f"[{row}, {number(x)}]" for row, x in program.numbers.items())
        shape = {
            "laneRows": str(program.lane_rows),
            "uniformRows": str(program.uniform_rows),
            "constants": f"[{numbers}]",
            "inputs": str(list(program.inputs)),
            "kept": str([[part.start, part.stop - part.start] for part in kept_rows(program)]),
            "batchRow": str(program.batch_row),
        }
        if program.result is not None:
            rows = self.table(program.result.rows)
            shape["result"] = f'{{ bank: "{program.result.bank}", rows: {rows} }}'
        if program.mean is not None and program.gradient is not None:
            shape["mean"] = str(int(program.mean.rows[0]))
            shape["gradient"] = self.table(program.gradient.rows)
            shape["updates"] = self.table(_joined([table.rows for table in program.updates.values()]))
        if program.moves:
            sources, targets = (self.table(_joined([move[side].rows for move in program.moves])) for side in (0, 1))
            shape["moves"] = f"{{ sources: {sources}, targets: {targets} }}"
        return shape


def kept_rows(program: Program) -> list[slice]:
    """The uniform rows that are a program's state: its parameters and buffers, and then each `leaf` instruction."""
    leaves = [i for i in program.instructions if i.kind is Kind.LEAF]
    return [
        slice(len(program.constants), program.batch_row),
        *(slice(leaf.first, leaf.first + leaf.count) for leaf in leaves),
    ]


def _joined(arrays: Sequence[ndarray]) -> ndarray:
    return numpy.concatenate([numpy.zeros(0, int), *arrays])


def _written(rows: ndarray) -> str:
    """Row numbers: evenly spaced ones, or sums of two shorter lists, as that; else one by one."""
    flat = rows.ravel()
    steps = numpy.diff(flat)
    if len(flat) and (len(flat) < 2 or (steps == steps[0]).all()):
        return f"evenly({flat[0]}, {len(flat)}, {steps[0] if len(steps) else 1})"
    if rows.ndim == 2 and rows.size > sum(rows.shape) and (rows == rows[:, :1] + rows[:1] - rows[0, 0]).all():
        return f"crossed({_written(rows[:, 0])}, {_written(rows[0] - rows[0, 0])})"
    if rows.ndim == 1:
        for size in _divisors(len(rows)):
            grid = rows.reshape(-1, size)
            if (grid == grid[:, :1] + grid[:1] - grid[0, 0]).all():
                return f"crossed({_written(grid[:, 0])}, {_written(grid[0] - grid[0, 0])})"
    return _runs(flat)


def _runs(rows: ndarray) -> str:
    """Row numbers one by one, but for long runs of evenly spaced ones."""
    steps = numpy.diff(rows)
    ends = [*(numpy.flatnonzero(numpy.diff(steps)) + 1).tolist(), len(rows) - 1]
    pieces: list[str] = []
    alone: list[int] = []
    begin = 0
    for end in ends:
        if end - begin >= SHORTEST_RUN:
            pieces += [str(alone)] if alone else []
            pieces.append(f"evenly({rows[begin]}, {end + 1 - begin}, {steps[begin]})")
            alone, begin = [], end + 1
        elif end >= begin:
            alone += rows[begin : end + 1].tolist()
            begin = end + 1
    alone += rows[begin:].tolist()
    if not pieces:
        return f"Int32Array.of({', '.join(map(str, alone))})"
    return f"joined([{', '.join([*pieces, *([str(alone)] if alone else [])])}])"


def _divisors(count: int) -> list[int]:
    """Lengths of the groups in which so many rows may repeat a pattern, the longest first."""
    return [size for size in range(count // 2, 1, -1) if count % size == 0 and count >= 12]
