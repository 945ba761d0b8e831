"""An executable: a lowered program in memory, with the numbers of its uniform rows, its records and their stages."""

from collections.abc import Callable

import numpy as np
from numpy import ndarray

from scalargrad.compiler.backends.native.kernels.driver import STAGE
from scalargrad.compiler.backends.native.kernels.kernel_code import HEADER, VECTORS
from scalargrad.compiler.backends.native.planning.lower import NativeProgram, lower
from scalargrad.compiler.backends.native.planning.memory import MemoryPlan
from scalargrad.compiler.backends.native.planning.table import Record
from scalargrad.compiler.backends.native.running import buffers
from scalargrad.compiler.backends.native.running.target import Machine
from scalargrad.compiler.backends.native.running.threads import RunFunction
from scalargrad.compiler.program import Program

# Integers that threads share, each on a line of the cache of its own.
STOP, FAILED, DONE, BARRIER, FLAGS = 0, 8, 16, 24, 40


class Executable:
    """A program that is ready to run: the job says on which rows, and in how many threads.

    native    the table of the program, lowered
    uniform   the numbers of uniform rows, at the places of the memory plan: constants, leaves, results
    indices   the index tables
    records   the records one after another, and in `stages` for each stage where its parts begin, how long they are
    flags     integers that the threads share
    buffers   working memory: lanes, partial sums, scratch memory, an order
    """

    def __init__(self, program: Program, dtype: str, machine: Machine, moved: Callable[[], None]) -> None:
        self.program, self.dtype, self.machine = program, dtype, machine
        self.native: NativeProgram = lower(program, machine, dtype)
        self.run = RunFunction(machine.run_address(dtype))
        self.size = np.dtype(dtype).itemsize
        self.lanes_of_panel = VECTORS * machine.width(dtype)
        self.uniform = buffers.allocated(self.memory.uniform_places, dtype, aligned=len(program.constants))
        for row, number in program.numbers.items():
            self.uniform[self.memory.uniform[row]] = number
        self.indices = buffers.allocated(len(self.native.indices), "int32")
        self.indices[:] = self.native.indices
        self.records, self.stages = self._table()
        self.flags = buffers.integers(FLAGS)
        self.buffers = buffers.Buffers(moved)

    @property
    def memory(self) -> MemoryPlan:
        return self.native.memory

    def numbers(self, rows: ndarray) -> ndarray:
        """The numbers of uniform rows."""
        return self.uniform[self.memory.uniform[rows]]

    def _table(self) -> tuple[ndarray, ndarray]:
        parts = [part for stage in self.native.stages for part in stage.parts]
        lines = [[self._integers(record) for record in part] for part in parts]
        lengths = [sum(map(len, part)) for part in lines]
        records = buffers.allocated(max(1, sum(lengths)), "int64")
        flat = [x for part in lines for line in part for x in line]
        records[: len(flat)] = flat
        begins = [records.ctypes.data + 8 * sum(lengths[:i]) for i in range(len(parts))]
        stages = np.array([x for i, part in enumerate(parts) for x in (begins[i], len(part))], "int64")
        assert len(stages) == STAGE * len(self.native.stages)
        return records, stages

    def _integers(self, record: Record) -> list[int]:
        return [self.native.addresses[record.kernel], HEADER + len(record.fields), *record.fields]
