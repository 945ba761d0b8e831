"""The report: where the time of a native program goes, and how near it comes to what the processor can do."""

import ctypes
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy import ndarray

from scalargrad.compiler.backends.native.kernels.kernel_code import CONTEXT, HEADER, KernelCode
from scalargrad.compiler.backends.native.planning.table import BARRIER_KERNEL, Record
from scalargrad.compiler.backends.native.running.executable import Executable
from scalargrad.compiler.backends.native.running.job import Batch, Job
from scalargrad.compiler.backends.native.running.threads import RunFunction
from scalargrad.compiler.program import LANE

WalkFunction = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p)
SHORTEST = 2e-4  # seconds that a measurement takes at least
TURNS = 3
ALL_OTHERS = 12  # lines of a report, before the small ones become one


@dataclass
class Line:
    """One group of instructions: what it is, its multiply-adds or operations, and its seconds in one run."""

    name: str
    work: float
    seconds: float

    @property
    def rate(self) -> float:
        """10**9 floating-point operations a second: two for each multiply-add."""
        return 2.0 * self.work / self.seconds / 1e9 if self.seconds else 0.0


def timed_lines(executable: Executable, batch: Batch, arrays: list[ndarray]) -> list[Line]:
    """The lines of a report: each record of the table is timed by itself, in one thread, on one block.

    A record of lanes counts as often as a run has blocks.
    """
    executable.program.name_modules()
    kept = executable.uniform.copy()
    result = executable.program.result
    results = np.zeros((batch.rows, 0 if result is None else result.rows.size), executable.dtype)
    job = Job(executable, batch, threads=1)  # its contexts are this report's
    job.run(arrays, results, None, 1, 0, None, brief=False)
    executable.uniform[:] = kept
    context = job.contexts[0]
    context[CONTEXT.index("fresh")] = 1  # sums begin anew in each turn
    blocks = batch.panels / max(1, int(context[CONTEXT.index("panels")]))
    walk = WalkFunction(executable.machine.walk_address(executable.dtype))
    found: dict[Hashable, Line] = {}
    place = executable.records.ctypes.data
    for stage in executable.native.stages:
        for records in stage.parts:
            for record in records:
                if record.kernel != BARRIER_KERNEL and not (records is stage.sums and job.sums_in_place):
                    times = blocks if records is stage.lanes else 1.0
                    key, line = _line(record, batch.rows)
                    found.setdefault(key, line).seconds += _seconds(walk, place, ctypes.addressof(context)) * times
                place += 8 * (HEADER + len(record.fields))
    executable.uniform[:] = kept
    return list(found.values())


def _line(record: Record, rows: int) -> tuple[Hashable, Line]:
    """The key of the line to which a record belongs, that of its group, and the line."""
    if record.group is None:
        name = "samples into lanes, sums and results"
        return name, Line(name, 0.0, 0.0)
    head = record.group.head
    lanes = rows if head.bank == LANE or head.sums_lanes else 1
    where = f"{head.instruction.module}: " if head.instruction and head.instruction.module else ""
    work = float(sum(task.work for task in record.group.tasks) * lanes)
    return id(record.group), Line(f"{where}{record.group}", work, 0.0)


def _seconds(walk: Callable, record: int, context: int) -> float:
    times, fastest = 1, float("inf")
    while True:
        begin = perf_counter()
        for _ in range(times):
            walk(record, 1, context)
        seconds = perf_counter() - begin
        if seconds > SHORTEST:
            break
        times *= 4
    for _ in range(TURNS):
        begin = perf_counter()
        for _ in range(times):
            walk(record, 1, context)
        fastest = min(fastest, (perf_counter() - begin) / times)
    return max(0.0, fastest - _overhead(walk, context))


def _overhead(walk: Callable, context: int) -> float:
    """The seconds of a call from Python."""
    begin = perf_counter()
    for _ in range(200):
        walk(context, 0, context)
    return (perf_counter() - begin) / 200


def peak(executable: Executable) -> float:
    """10**9 operations a second of fused multiply-adds that wait for nothing, measured here and now."""
    machine, dtype = executable.machine, executable.dtype
    code = machine.code(dtype)
    turns, lines = 20_000, 12
    peak_kernel(code, turns, lines)
    name = f"peak_{dtype}"
    address = machine.compiled({name: code.text(name)})[name]
    run = RunFunction(address)
    memory = np.ones(256)
    best = float("inf")
    for _ in range(10):
        begin = perf_counter()
        run(memory.ctypes.data, memory.ctypes.data)
        best = min(best, perf_counter() - begin)
    return 2.0 * turns * lines * code.width / best / 1e9


def peak_kernel(code: KernelCode, turns: int, lines: int) -> None:
    """Independent chains of multiply-adds in registers.

    for turn in turns:
        for n in lines: sums[n] = sums[n] * x + x
    """
    x = code.load("%record")

    def turn(index: str, *sums: str) -> list[str]:
        return [code.multiply_add(s, x, x) for s in sums]

    sums = code.loop(turns, turn, [(code.vector, x)] * lines)
    total = sums[0]
    for s in sums[1:]:
        total = code.add(total, s)
    code.store(total, "%context")


def report(executable: Executable, batch: Batch, arrays: list[ndarray]) -> str:
    """The slowest lines as a table, beside the processor's peak."""
    lines = timed_lines(executable, batch, arrays)
    total = max(sum(line.seconds for line in lines), 1e-9)
    most = peak(executable)
    work, rows = sum(line.work for line in lines), batch.rows
    text = [
        f"native: all of {work:,.0f} multiply-adds or operations, {rows:,} rows, {total * 1e6:,.1f} us in one thread,",
        f"{2 * work / total / 1e9:.1f} GFLOP/s of the {most:.0f} that this processor reaches with multiply-adds alone",
        f"{'':2}{'us':>10} {'share':>6} {'GFLOP/s':>8} {'of peak':>8}",
    ]
    lines.sort(key=lambda line: -line.seconds)
    shown = lines if len(lines) <= ALL_OTHERS else lines[:ALL_OTHERS]
    if len(lines) > len(shown):
        rest = lines[len(shown) :]
        shown = [*shown, Line(f"{len(rest)} others", sum(x.work for x in rest), sum(x.seconds for x in rest))]
    for line in shown:
        text.append(
            f"{'':2}{line.seconds * 1e6:>10.2f} {line.seconds / total:>6.1%} {line.rate:>8.1f} {line.rate / most:>8.0%}"
            f"  {line.name}"
        )
    return "\n".join(text)
