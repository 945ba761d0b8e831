"""The native backend: a program as machine code for the processor at hand, with its memory."""

from struct import Struct
from struct import error as StructError  # noqa: N812
from time import perf_counter
from typing import Any

from scalargrad.compiler.backends.native.kernels.driver import STAGE
from scalargrad.compiler.backends.native.kernels.kernel_code import VECTORS
from scalargrad.compiler.backends.native.planning.lower import NativeProgram, Record, lower
from scalargrad.compiler.backends.native.running.buffers import allocated
from scalargrad.compiler.backends.native.running.job import DONE, FLAGS, Batch, Job
from scalargrad.compiler.backends.native.running.target import Machine
from scalargrad.compiler.backends.native.running.threads import Run
from scalargrad.compiler.backends.reference import NumpyBackend
from scalargrad.compiler.program import LANE, Program
from scalargrad.engine import Value
from scalargrad.forks import undone

BLOCK_BYTES = 512 * 1024  # of lane rows: a part of the second cache
MOST_SHARES = 16  # of a batch, each with sums of its own
FEWEST_PANELS = 8  # of a share, if there are enough for two
SMALLEST_SPLIT = 32  # rows
WORTH_A_THREAD = 1_000_000  # operations of a step
WORTH_STARTING = 2e-3  # seconds that a job takes, from which on starting threads for it pays
BRIEF = 0.03  # seconds that the thread of the caller may be away: Ctrl-C waits for it
UNKNOWN_PACE = 1e-9  # seconds an operation, before a program has run
MOST_JOBS = 8  # kept for numbers of rows that come back: whole batches and the last one


class NativeBackend:
    def __init__(self, program: Program, dtype: str, machine: Machine, threads: int) -> None:
        import numpy

        self.numpy, self.program, self.dtype, self.machine, self.threads = numpy, program, dtype, machine, threads
        self.native: NativeProgram = lower(program, machine, dtype)
        self.run_job = Run(machine.run_address(dtype))
        self.lanes_of_panel = VECTORS * machine.width(dtype)
        self.size = numpy.dtype(dtype).itemsize
        self.uniform = allocated(self.native.layout.uniform_places, dtype, aligned=len(program.constants))
        for row, number in program.numbers.items():
            self.uniform[self.native.layout.uniform[row]] = number
        self.tables = allocated(len(self.native.tables), "int32")
        self.tables[:] = self.native.tables
        self.records, self.stages = self._table()
        self.work = sum(instruction.work for instruction in program.instructions)
        self.flags = allocated(FLAGS, "int64")
        self.memories: dict[str, Any] = {}
        self.jobs: dict[tuple[int, int], Job] = {}  # by rows and threads
        self.pace = UNKNOWN_PACE
        self.running = False
        self.reference: NumpyBackend | None = None
        self.leaves = slice(len(program.constants), program.batch_row)
        count = self.leaves.stop - self.leaves.start
        self.packing, self.packed = Struct(f"{count}d"), bytearray(8 * count)
        places = self.native.layout.uniform[: program.batch_row + 1]
        assert (places == numpy.arange(len(places))).all(), "leaves stay where the program has them"

    # What a compiled function asks for.

    def results(self, arrays: list, numbers: list[float], rows: int) -> Any:
        """[rows, numbers of one result]; `numbers` are those of the parameters and buffers."""
        table = self.program.result
        assert table is not None
        result = allocated(rows * table.rows.size, self.dtype).reshape(rows, -1)
        self._call(arrays, numbers, rows, result)
        if table.bank == LANE:
            return result
        result[:] = self.uniform[self.native.layout.uniform[table.rows]]
        return result

    def slopes(self, arrays: list, numbers: list[float], rows: int) -> tuple[float, Any, dict[Value, float]]:
        """The mean, its gradient in the order of the parameters, and the new numbers of buffers."""
        program, places = self.program, self.native.layout.uniform
        assert program.mean is not None
        assert program.gradient is not None
        self._call(arrays, numbers, rows, None)
        updates = {buffer: float(self.uniform[places[t.rows[0]]]) for buffer, t in program.updates.items()}
        return float(self.uniform[places[program.mean.rows[0]]]), self.uniform[places[program.gradient.rows]], updates

    def _call(self, arrays: list, numbers: list[float], rows: int, result: Any) -> None:
        self._refuse_while_running()
        self.write(self.leaves, numbers)
        if not self.run_batch(arrays, rows, result):
            self._refuse(arrays, numbers, rows, result)

    def _refuse(self, arrays: list, numbers: list[float], rows: int, result: Any) -> None:
        """An operation met a wrong argument: NumPy says which, or knows the result after all."""
        if self.reference is None:
            self.reference = NumpyBackend(self.program, self.dtype)
        lanes, uniform = self.reference.run(self.numpy.concatenate(arrays, axis=1).T, numbers, rows)
        self.uniform[self.native.layout.uniform] = uniform[:, 0]
        if result is not None and self.program.result is not None and self.program.result.bank == LANE:
            result[:] = lanes[self.program.result.rows].T

    # What a trainer asks for.

    def read(self, rows: Any) -> Any:
        """The numbers of uniform rows: an array of row numbers, or `leaves`."""
        return self.uniform[rows if rows is self.leaves else self.native.layout.uniform[rows]]

    def write(self, rows: Any, numbers: Any) -> None:
        if rows is self.leaves and self.packed:
            try:
                self.packing.pack_into(self.packed, 0, *numbers)  # twice as fast as NumPy from a list
            except StructError as problem:
                raise TypeError(f"a parameter holds no number: {problem}") from None
            self.uniform[rows] = self.numpy.frombuffer(self.packed)
        else:
            self.uniform[self.native.layout.uniform[rows]] = numbers

    def prepare(self, *_: Any) -> None:
        """It is compiled, for any number of rows."""

    def train(self, arrays: list, order: Any, rows: int, steps: int, advance: int, history: Any) -> bool:
        """Steps of a program with `moves`, on `rows` rows each; False if an operation met a wrong argument."""
        return self.run_batch(arrays, rows, None, order, steps, advance, history)

    # A job.

    def batch(self, rows: int) -> Batch:
        panels = -(-rows // self.lanes_of_panel)
        shares = max(1, min(MOST_SHARES, panels // FEWEST_PANELS))
        if rows >= SMALLEST_SPLIT:
            shares = max(shares, min(2, panels))
        # Each block reads all weights: where they are many, it is worth having as many lanes.
        room = max(BLOCK_BYTES, self.size * len(self.program.parameters))
        block = max(1, min(room // self.native.panel_bytes, -(-panels // shares)))
        return Batch(rows, panels, shares, block)

    def run_batch(
        self,
        arrays: list,
        rows: int,
        result: Any = None,
        order: Any = None,
        steps: int = 1,
        advance: int = 0,
        history: Any = None,
    ) -> bool:
        """Run the program on `rows` rows of the arrays, `steps` times.

        order     numbers of rows; without it they come as they are
        advance   positions in the order from one step to the next
        history   an array for the loss of each step
        Returns whether all went well: False if an operation met a wrong argument. It stops after a step with a loss of
        inf or nan, if there is a history. `done` counts the steps.
        """
        self._refuse_while_running()
        with undone(self._ended):
            try:
                try:
                    self.running = True
                    return self._run(arrays, rows, result, order, steps, advance, history)
                finally:
                    self._ended()
            finally:  # should a Ctrl-C have come just there
                self._ended()

    def _ended(self) -> None:
        self.running = False

    def _refuse_while_running(self) -> None:
        if self.running:
            raise RuntimeError("this program is running: a signal handler cannot run it again before it has ended")

    def _run(self, arrays: list, rows: int, result: Any, order: Any, steps: int, advance: int, history: Any) -> bool:
        operations = self.work * rows  # of one step
        expected = operations * steps * self.pace
        threads = max(1, min(self.threads, operations // WORTH_A_THREAD)) if expected >= WORTH_STARTING else 1
        key = rows, threads
        if key not in self.jobs:
            if len(self.jobs) == MOST_JOBS:
                self.jobs.pop(next(iter(self.jobs)))
            self.jobs[key] = Job(self, self.batch(rows), threads)
        self.uniform[self.program.batch_row] = 1.0 / rows
        begin, before = perf_counter(), self.done
        well = self.jobs[key].run(arrays, result, order, steps, advance, history, expected < BRIEF)
        if self.done > before:
            seconds = max(perf_counter() - begin, 1e-9)  # a clock may stand still
            self.pace = seconds / (operations * (self.done - before) + 1)
        return well

    def steps_at_once(self, rows: int) -> int:
        """As many as take about as long as the caller's thread may be away."""
        return max(1, int(BRIEF / (self.pace * (self.work * rows + 1))))

    @property
    def done(self) -> int:
        """Steps that have been finished so far."""
        return int(self.flags[DONE])

    def memory(self, name: str, count: int) -> Any:
        """Memory of that name for so many numbers. If it had to grow, jobs that know where it was are forgotten."""
        if len(self.memories.get(name, ())) < max(1, count):
            self.memories[name] = allocated(max(1, count), "int64" if name == "order" else self.dtype)
            self.jobs.clear()
        return self.memories[name]

    # The table.

    def _table(self) -> tuple[Any, Any]:
        """The records one after another, and for each stage where its parts begin and how long they are."""
        numpy, parts = self.numpy, [part for stage in self.native.stages for part in stage]
        lines = [[self._integers(record) for record in part] for part in parts]
        lengths = [sum(map(len, part)) for part in lines]
        records = allocated(max(1, sum(lengths)), "int64")
        flat = [x for part in lines for line in part for x in line]
        records[: len(flat)] = flat
        begins = [records.ctypes.data + 8 * sum(lengths[:i]) for i in range(len(parts))]
        stages = numpy.array([x for i, part in enumerate(parts) for x in (begins[i], len(part))], "int64")
        assert len(stages) == STAGE * len(self.native.stages)
        return records, stages

    def _integers(self, record: Record) -> list[int]:
        return [self.native.addresses[record.kernel], 2 + len(record.fields), *record.fields]
