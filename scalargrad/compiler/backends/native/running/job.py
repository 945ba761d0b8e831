"""A job: one program on batches of so many rows, with so many threads, ready to be run again and again."""

import ctypes
from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from scalargrad.compiler.backends.native.kernels.driver import JOB, STOPPED, WRONG
from scalargrad.compiler.backends.native.kernels.kernel_code import CACHE_LINE, CONTEXT, HEADER, VECTORS
from scalargrad.compiler.backends.native.running.buffers import address
from scalargrad.compiler.backends.native.running.executable import BARRIER, DONE, FAILED, STOP, Executable
from scalargrad.compiler.backends.native.running.threads import run_together

Integers = ctypes.Array[ctypes.c_int64]


@dataclass
class Batch:
    """The partition of a batch: its rows in panels, these in blocks, these in shares. The threads have no say in it."""

    rows: int
    panels: int
    shares: int
    block: int


class Job:
    """One executable, one partition of a batch, one number of threads: the integers by which the driver runs them.

    job        the record of the driver
    contexts   one for each thread
    """

    def __init__(self, executable: Executable, batch: Batch, threads: int) -> None:
        self.executable, self.batch = executable, batch
        self.threads = threads = min(threads, batch.shares)
        # One thread that sums up each share in one go adds the shares in their order, as `reduce` would: the same bits.
        self.sums_in_place = threads == 1 and batch.block >= -(-batch.panels // batch.shares)
        native, size, buffers = executable.native, executable.size, executable.buffers
        sums = sum(count for _, count in native.memory.sum_ranges)
        self.share_bytes = -(-sums * size // CACHE_LINE) * CACHE_LINE
        self.block_bytes = batch.block * native.panel_bytes
        lanes_bytes = batch.panels * native.panel_bytes if native.crosses_stages else self.block_bytes * threads
        lines = batch.block * executable.lanes_of_panel  # for an outer product, a line of numbers for each lane
        width = executable.machine.width(executable.dtype)
        self.scratch_bytes = max(lines, native.scratch_rows) * VECTORS * width * size
        # Kept for as long as addresses of them are known here.
        self.lanes = buffers.of("lanes", lanes_bytes // size, executable.dtype)
        self.partial = buffers.of("partial", batch.shares * self.share_bytes // size, executable.dtype)
        self.scratch = buffers.of("scratch", self.scratch_bytes * threads // size, executable.dtype)
        self.order = buffers.of("order", batch.rows, "int64")
        self.order[:] = np.arange(len(self.order))
        self.own_order = self.order.ctypes.data
        self.inputs = (ctypes.c_int64 * max(1, len(executable.program.inputs)))()
        self.job = self._job()
        self.address = ctypes.addressof(self.job)
        self.contexts = [self._context(thread) for thread in range(threads)]
        self.addresses = [ctypes.addressof(context) for context in self.contexts]

    def _job(self) -> Integers:
        executable, native, mean = self.executable, self.executable.native, self.executable.program.mean
        uniform, flags = executable.uniform.ctypes.data, ctypes.addressof(executable.flags)
        sums = uniform + native.memory.sums * executable.size
        return _integers(
            JOB,
            HEADER,
            batch=self.batch.rows,
            block=self.batch.block,
            stages=len(native.stages),
            table=executable.stages.ctypes.data,
            stop=flags + 8 * STOP,
            mean=uniform + (int(native.memory.uniform[mean.rows[0]]) * executable.size if mean is not None else 0),
            done=flags + 8 * DONE,
            own_lanes=self.lanes.ctypes.data,
            own_lanes_bytes=self.block_bytes,
            lanes_of_blocks=int(native.crosses_stages),
            own_partial=sums if self.sums_in_place else self.partial.ctypes.data,
            sums_in_place=int(self.sums_in_place),
        )

    def _context(self, thread: int) -> Integers:
        executable = self.executable
        flags = ctypes.addressof(executable.flags)
        return _integers(
            CONTEXT,
            0,
            uniform=executable.uniform.ctypes.data,
            tables=executable.indices.ctypes.data,
            panel_bytes=executable.native.panel_bytes,
            thread=thread,
            threads=self.threads,
            shares=self.batch.shares,
            share_bytes=0 if self.sums_in_place else self.share_bytes,
            failed=flags + 8 * FAILED,
            barrier=flags + 8 * BARRIER,
            inputs=ctypes.addressof(self.inputs),
            scratch=self.scratch.ctypes.data + thread * self.scratch_bytes,
        )

    def run(
        self,
        arrays: list[ndarray],
        result: ndarray | None,
        order: ndarray | None,
        steps: int,
        advance: int,
        history: ndarray | None,
        brief: bool,
    ) -> bool:
        """See `NativeBackend.run_batch`; `brief`: the job takes less than a moment."""
        executable, job = self.executable, self.job
        self.inputs[: len(arrays)] = list(map(address, arrays))
        job[HEADER + STEPS], job[HEADER + ADVANCE] = steps, advance
        job[HEADER + HISTORY] = 0 if history is None else address(history)
        for context in self.contexts:
            context[ORDER] = self.own_order if order is None else address(order)
            context[AHEAD] = 0 if order is None else advance
            context[LAST] = 0 if order is None else len(order) - 1
            context[RESULT] = 0 if result is None else address(result)
        flags = executable.flags
        flags[STOP] = flags[FAILED] = flags[BARRIER] = 0
        run_together(executable.run, self.address, self.addresses, flags, brief)
        assert flags[FAILED] != STOPPED, "only an exception stops a job"
        return flags[FAILED] != WRONG


STEPS, ADVANCE, HISTORY = (JOB.index(name) for name in ("steps", "advance", "history"))
ORDER, RESULT, AHEAD, LAST = (CONTEXT.index(name) for name in ("order", "result", "ahead", "last_position"))


def _integers(names: tuple[str, ...], head: int, **known: int) -> Integers:
    """A row of integers by name, 0 where nothing is known yet."""
    return (ctypes.c_int64 * (head + len(names)))(*[0] * head, *(known.get(name, 0) for name in names))
