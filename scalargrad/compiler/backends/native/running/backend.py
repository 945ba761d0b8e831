"""The native backend: a program as machine code for the processor at hand, with its memory."""

from collections.abc import Sequence
from time import perf_counter

import numpy as np
from numpy import ndarray

from scalargrad.compiler.backends import Slopes, Source, Toolchain
from scalargrad.compiler.backends.native.running import buffers
from scalargrad.compiler.backends.native.running.executable import DONE, Executable
from scalargrad.compiler.backends.native.running.job import Batch, Job
from scalargrad.compiler.backends.native.running.report import report
from scalargrad.compiler.backends.native.running.target import Machine, UnavailableError, machine
from scalargrad.compiler.backends.native.running.threads import available_threads
from scalargrad.compiler.backends.reference import NumpyBackend, refuse
from scalargrad.compiler.program import LANE, Program
from scalargrad.compiler.store import Lease, Places, as_places
from scalargrad.support.forks import undone

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
    """A program as machine code for the processor at hand: an executable, and its jobs for the batches that come.

    leaves   the uniform rows of parameters, buffers and what else keeps its number from step to step
    jobs     by rows of a batch and threads: they are made when they are first needed
    pace     seconds an operation in the last job, by which the next one is given threads

    A program runs in one thread of Python at a time.
    """

    def __init__(self, program: Program, dtype: str, machine: Machine, threads: int) -> None:
        self.program, self.dtype, self.threads = program, dtype, threads
        self.jobs: dict[tuple[int, int], Job] = {}
        self.executable = Executable(program, dtype, machine, moved=self.jobs.clear)
        self.uniform, self.memory = self.executable.uniform, self.executable.native.memory
        self.work = sum(instruction.work for instruction in program.instructions)
        self.pace = UNKNOWN_PACE
        self.running = False
        self.reference: NumpyBackend | None = None
        self.leaves = slice(len(program.constants), program.batch_row)
        self.lease = Lease(program.leaves)
        places = self.memory.uniform[: program.batch_row + 1]
        assert (places == np.arange(len(places))).all(), "leaves stay where the program has them"

    @classmethod
    def made(cls, source: Source, toolchain: Toolchain) -> "NativeBackend | NumpyBackend":
        """NumPy runs what cannot become native code, and reports why."""
        try:
            return cls(source.program, toolchain.dtype, machine(), toolchain.threads or available_threads())
        except UnavailableError as reason:
            return NumpyBackend(source.program, toolchain.dtype, f"there is no native code, {reason}")

    # For a compiled function.

    def results(self, arrays: list[ndarray], rows: int) -> ndarray:
        """The results, [rows, numbers of one result]."""
        table = self.program.result
        assert table is not None
        result = buffers.allocated(rows * table.rows.size, self.dtype).reshape(rows, -1)
        self._call(arrays, rows, result)
        if table.bank == LANE:
            return result
        result[:] = self.executable.numbers(table.rows)
        return result

    def slopes(self, arrays: list[ndarray], rows: int) -> Slopes:
        """The mean, its gradient in the order of the parameters, and the new numbers of buffers."""
        program, places = self.program, self.memory.uniform
        assert program.mean is not None
        assert program.gradient is not None
        self._call(arrays, rows, None)
        updates = {buffer: float(self.uniform[places[t.rows[0]]]) for buffer, t in program.updates.items()}
        return float(self.uniform[places[program.mean.rows[0]]]), self.uniform[places[program.gradient.rows]], updates

    def _call(self, arrays: list[ndarray], rows: int, result: ndarray | None) -> None:
        self._refuse_while_running()
        self.lease.copy_to(self.read(self.leaves))
        if not self.run_batch(arrays, rows, result):
            self._run_in_numpy(arrays, rows, result)

    def _run_in_numpy(self, arrays: list[ndarray], rows: int, result: ndarray | None) -> None:
        """An operation met a wrong argument: NumPy says which, or knows the result after all."""
        if self.reference is None:
            self.reference = NumpyBackend(self.program, self.dtype)
        self.reference.write(self.leaves, self.read(self.leaves))
        lanes, uniform = self.reference.run(np.concatenate(arrays, axis=1).T, rows)
        self.uniform[self.memory.uniform] = uniform[:, 0]
        if result is not None and self.program.result is not None and self.program.result.bank == LANE:
            result[:] = lanes[self.program.result.rows].T

    # For a trainer.

    def refuse(self, arrays: list[ndarray]) -> None:
        """Raise the error for the argument that is wrong in these arrays."""
        refuse(self.program, self.dtype, arrays, self.read(self.leaves))

    def located(self, rows: ndarray) -> Places:
        return as_places(self.memory.uniform[rows])

    def read(self, places: Places) -> ndarray:
        return self.uniform[places]

    def write(self, places: Places, numbers: Sequence[float] | ndarray) -> None:
        self.uniform[places] = numbers

    def prepare(self, *_: object) -> None:
        """Nothing is left to do: a program is compiled for any number of rows."""

    def train(
        self, arrays: list[ndarray], order: ndarray | None, rows: int, steps: int, advance: int, history: ndarray
    ) -> bool:
        """Make steps of a program with `moves`, on `rows` rows each; False if an operation met a wrong argument."""
        return self.run_batch(arrays, rows, None, order, steps, advance, history)

    # A job.

    def batch(self, rows: int) -> Batch:
        """The partition of a batch of so many rows."""
        panels = -(-rows // self.executable.lanes_of_panel)
        shares = max(1, min(MOST_SHARES, panels // FEWEST_PANELS))
        if rows >= SMALLEST_SPLIT:
            shares = max(shares, min(2, panels))
        # Each block reads all weights: where they are many, it is worth having as many lanes.
        room = max(BLOCK_BYTES, self.executable.size * len(self.program.parameters))
        block = max(1, min(room // self.executable.native.panel_bytes, -(-panels // shares)))
        return Batch(rows, panels, shares, block)

    def run_batch(
        self,
        arrays: list[ndarray],
        rows: int,
        result: ndarray | None = None,
        order: ndarray | None = None,
        steps: int = 1,
        advance: int = 0,
        history: ndarray | None = None,
    ) -> bool:
        """Run the program on `rows` rows of the arrays, `steps` times.

        order     numbers of rows; without it they come as they are
        advance   positions in the order from one step to the next
        history   an array for the loss of each step
        Returns whether all went well: False if an operation met a wrong argument. A run with a history stops after a
        step whose loss is inf or nan. `done` counts the steps.
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

    def _run(
        self,
        arrays: list[ndarray],
        rows: int,
        result: ndarray | None,
        order: ndarray | None,
        steps: int,
        advance: int,
        history: ndarray | None,
    ) -> bool:
        operations = self.work * rows  # of one step
        expected = operations * steps * self.pace
        threads = max(1, min(self.threads, operations // WORTH_A_THREAD)) if expected >= WORTH_STARTING else 1
        key = rows, threads
        job = self.jobs.get(key) or self._new_job(key)
        self.uniform[self.program.batch_row] = 1.0 / rows
        begin, before = perf_counter(), self.done
        well = job.run(arrays, result, order, steps, advance, history, expected < BRIEF)
        made = self.done - before
        if made:
            seconds = max(perf_counter() - begin, 1e-9)  # a clock may stand still
            self.pace = seconds / (operations * made + 1)
        return well

    def _new_job(self, key: tuple[int, int]) -> Job:
        rows, threads = key
        if len(self.jobs) == MOST_JOBS:
            self.jobs.pop(next(iter(self.jobs)))
        self.jobs[key] = job = Job(self.executable, self.batch(rows), threads)
        return job

    def steps_at_once(self, rows: int) -> int:
        """The number of steps that take about as long as the caller's thread may be away."""
        return max(1, int(BRIEF / (self.pace * (self.work * rows + 1))))

    @property
    def done(self) -> int:
        """Steps that have been finished so far."""
        return self.executable.flags[DONE]

    def report(self, rows: int) -> str:
        """Where the time of a run on so many rows goes, group by group."""
        arrays = [np.zeros((rows, count), self.dtype) for count in self.program.inputs]
        return report(self.executable, self.batch(rows), arrays)
