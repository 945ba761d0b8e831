"""The table of a native program: records, the kernels that they call, and the index tables that these read.

A record names a kernel and holds its fields: offsets, counts, steps. Kernels and index tables are kept by content:
instructions that differ only in where their rows lie share a kernel.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np
from numpy import ndarray

from scalargrad.compiler.backends.native.kernels.kernel_code import VECTORS
from scalargrad.compiler.backends.native.planning.fusion import Group
from scalargrad.compiler.backends.native.planning.memory import MemoryPlan
from scalargrad.compiler.backends.native.running.target import Machine
from scalargrad.compiler.program import LANE, Table

BARRIER_KERNEL = "barrier"  # the kernel in which threads wait for each other
SHARED = 4096  # uniform rows, from which on the threads do them together
# The registers that a row takes: how many vectors, and their width; None for that of the processor.
LANE_CODE, UNIFORM_CODE, SCALAR_CODE = (VECTORS, None), (1, None), (1, 1)


@dataclass
class Record:
    """A row of the table before it has addresses."""

    kernel: str
    fields: list[int]
    group: Group | None = None  # for reports
    shared: bool = False  # all threads do it together

    def __str__(self) -> str:
        """The kind of kernel, and the operations of the group."""
        return f"{self.kernel.partition('_kernel_')[0]:<14} {self.group or ''}".rstrip()


@dataclass
class Stage:
    """The records of a stage, in the order of its parts."""

    uniform: list[Record] = field(default_factory=list)
    lanes: list[Record] = field(default_factory=list)
    sums: list[Record] = field(default_factory=list)

    @property
    def parts(self) -> tuple[list[Record], list[Record], list[Record]]:
        return self.uniform, self.lanes, self.sums

    def __str__(self) -> str:
        named = zip(("uniform", "lanes", "sums"), self.parts, strict=True)
        return "\n".join(f"  {name:<8} {record}" for name, records in named for record in records)


class RecordTable:
    """The table while it is being written, group after group.

    memory        where rows lie
    texts         the kernels so far, by a name that says what they hold
    scratch_rows  rows of lanes for which each thread needs scratch memory
    """

    def __init__(self, machine: Machine, dtype: str, memory: MemoryPlan, stages: int) -> None:
        self.machine, self.dtype, self.memory = machine, dtype, memory
        self.width = machine.width(dtype)
        self.size = np.dtype(dtype).itemsize
        self.row_bytes = VECTORS * self.width * self.size
        self.stages = [Stage() for _ in range(stages)]
        self.scratch_rows = 0
        self.texts: dict[str, str] = {}
        self._names: dict[Hashable, str] = {}
        self._indices: list[ndarray] = [np.zeros(1, "int32")]
        self._index_starts: dict[bytes, int] = {}
        self._index_count = 1

    def kernel(
        self, write: Callable[..., None], *variant: Hashable, registers: tuple[int, int | None] = LANE_CODE
    ) -> str:
        """The name of the kernel that `write(code, *variant)` writes."""
        key = write, *variant, registers
        if key not in self._names:
            code = self.machine.code(self.dtype, *registers)
            write(code, *variant)
            text = code.text("KERNEL")
            name = f"{write.__name__}_{sha256(text.encode()).hexdigest()[:20]}"
            self._names[key] = name
            self.texts[name] = text.replace("@KERNEL(", f"@{name}(")
        return self._names[key]

    def index_table(self, places: ndarray) -> int:
        """The start of the index table with these entries."""
        flat = np.ascontiguousarray(places, dtype="int32").ravel()
        key = flat.tobytes()
        if key not in self._index_starts:
            self._index_starts[key] = self._index_count
            self._indices.append(flat)
            self._index_count += len(flat)
        return self._index_starts[key]

    @property
    def indices(self) -> ndarray:
        """All index tables one after another."""
        return np.concatenate(self._indices).astype("int32")

    # Where rows lie.

    def places(self, table: Table) -> ndarray:
        return (self.memory.lanes if table.bank == LANE else self.memory.uniform)[table.rows]

    def partial_places(self, rows: ndarray) -> ndarray:
        """Places in the partial sums."""
        return self.memory.uniform[rows] - self.memory.sums

    def unit(self, bank: str) -> int:
        """Bytes from one place to the next."""
        return self.row_bytes if bank == LANE else self.size

    # Records.

    def add_lanes(self, stage: int, kernel: str, fields: list[int], group: Group | None = None) -> None:
        self.stages[stage].lanes.append(Record(kernel, [int(x) for x in fields], group))

    def add_sums(self, stage: int, kernel: str, fields: list[int]) -> None:
        self.stages[stage].sums.append(Record(kernel, [int(x) for x in fields]))

    def add_uniform(
        self, stage: int, kernel: str, fields: list[int], group: Group | None = None, shared: bool = False
    ) -> None:
        records = self.stages[stage].uniform
        if records and (shared or records[-1].shared):  # what one thread wrote, others will read
            records.append(Record(BARRIER_KERNEL, []))
        records.append(Record(kernel, [int(x) for x in fields], group, shared))

    def reserve_scratch(self, rows: int) -> None:
        self.scratch_rows = max(self.scratch_rows, rows)
