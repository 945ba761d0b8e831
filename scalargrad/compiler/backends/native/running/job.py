"""A job: one program on batches of so many rows, with so many threads, ready to be run again and again."""

import ctypes
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scalargrad.compiler.backends.native.kernels.driver import JOB, STOPPED, WRONG
from scalargrad.compiler.backends.native.kernels.kernel_code import CONTEXT, HEAD, VECTORS
from scalargrad.compiler.backends.native.running.threads import run_together

if TYPE_CHECKING:
    from scalargrad.compiler.backends.native.running.backend import NativeBackend

# Integers that threads share, each on a line of the cache of its own.
STOP, FAILED, DONE, BARRIER, FLAGS = 0, 8, 16, 24, 40
LINE = 64  # bytes


@dataclass
class Batch:
    """How a batch of so many rows is cut: panels into blocks, blocks into shares. The threads have no say in it."""

    rows: int
    panels: int
    shares: int
    block: int


class Job:
    def __init__(self, backend: "NativeBackend", batch: Batch, threads: int) -> None:
        native, size = backend.native, backend.size
        self.backend, self.batch = backend, batch
        threads = min(threads, batch.shares)
        crosses = native.crosses_stages
        block_bytes = batch.block * native.panel_bytes
        lines = batch.block * backend.lanes_of_panel  # for an outer product, a line of numbers for each lane
        scratch = max(lines, native.aside) * VECTORS * backend.machine.width(backend.dtype) * size
        sums = sum(count for _, count in native.layout.sum_ranges)
        share_bytes = -(-sums * size // LINE) * LINE
        # One thread that sums up each share in one go adds the shares in their order, as `reduce` would: the same bits.
        self.sums_in_place = in_place = threads == 1 and batch.block >= -(-batch.panels // batch.shares)
        own_lanes = batch.panels * native.panel_bytes if crosses else block_bytes * threads
        lanes = backend.memory("lanes", own_lanes // size)
        partial = backend.memory("partial", batch.shares * share_bytes // size)
        scratches = backend.memory("scratch", scratch * threads // size)
        order = backend.memory("order", batch.rows)
        order[:] = backend.numpy.arange(len(order))
        self.kept = lanes, partial, scratches, order  # as long as addresses of them are known here
        self.order = order.ctypes.data
        uniform, flags, mean = backend.uniform.ctypes.data, backend.flags.ctypes.data, backend.program.mean
        self.job = _integers(
            JOB,
            HEAD,
            batch=batch.rows,
            block=batch.block,
            stages=len(native.stages),
            table=backend.stages.ctypes.data,
            stop=flags + 8 * STOP,
            mean=uniform + (int(native.layout.uniform[mean.rows[0]]) * size if mean is not None else 0),
            done=flags + 8 * DONE,
            own_lanes=lanes.ctypes.data,
            own_lanes_bytes=block_bytes,
            lanes_of_blocks=int(crosses),
            own_partial=uniform + native.layout.sums * size if in_place else partial.ctypes.data,
            sums_in_place=int(in_place),
        )
        self.inputs = (ctypes.c_int64 * max(1, len(backend.program.inputs)))()
        self.contexts = [
            _integers(
                CONTEXT,
                0,
                uniform=uniform,
                tables=backend.tables.ctypes.data,
                panel_bytes=native.panel_bytes,
                thread=thread,
                threads=threads,
                shares=batch.shares,
                share_bytes=0 if in_place else share_bytes,
                failed=flags + 8 * FAILED,
                barrier=flags + 8 * BARRIER,
                inputs=ctypes.addressof(self.inputs),
                scratch=scratches.ctypes.data + thread * scratch,
            )
            for thread in range(threads)
        ]
        self.addresses = [ctypes.addressof(context) for context in self.contexts]

    def run(self, arrays: list, result: Any, order: Any, steps: int, advance: int, history: Any, brief: bool) -> bool:
        """See `NativeBackend.run_batch`."""
        backend, job = self.backend, self.job
        for number, array in enumerate(arrays):
            self.inputs[number] = array.ctypes.data
        job[HEAD + STEPS], job[HEAD + ADVANCE] = steps, advance
        job[HEAD + HISTORY] = 0 if history is None else history.ctypes.data
        for context in self.contexts:
            context[ORDER] = self.order if order is None else order.ctypes.data
            context[AHEAD] = 0 if order is None else advance
            context[LAST] = 0 if order is None else len(order) - 1
            context[RESULT] = 0 if result is None else result.ctypes.data
        flags = backend.flags
        flags[STOP] = flags[FAILED] = flags[BARRIER] = 0
        run_together(backend.run_job, ctypes.addressof(job), self.addresses, flags, brief)
        assert flags[FAILED] != STOPPED, "only an exception stops a job"
        return flags[FAILED] != WRONG


STEPS, ADVANCE, HISTORY = (JOB.index(name) for name in ("steps", "advance", "history"))
ORDER, RESULT, AHEAD, LAST = (CONTEXT.index(name) for name in ("order", "result", "ahead", "last_position"))


def _integers(names: tuple[str, ...], head: int, **known: int) -> Any:
    """A row of integers by name, 0 where nothing is known yet."""
    return (ctypes.c_int64 * (head + len(names)))(*[0] * head, *(known.get(name, 0) for name in names))
