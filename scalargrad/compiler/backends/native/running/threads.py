"""Threads that run one job of native code together, while the main thread listens for Ctrl-C."""

import _thread
import ctypes
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from math import ceil
from pathlib import Path
from time import sleep

PATIENCE = 0.05  # seconds between two looks at what the user wants
QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of a container on Linux: microseconds of computing in a period, or "max"


def available_threads() -> int:
    """The processors that this process may use: beyond its container's quota threads would only wait for each other."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = map(int, QUOTA.read_text(encoding="ascii").split())
    except (OSError, ValueError):  # there is no such file, or no limit
        return count
    return max(1, min(count, ceil(quota / period)))


RunFunction = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)  # a call without Python's lock


def run_together(run: Callable, job: int, contexts: list[int], stop: ctypes.Array[ctypes.c_int64], brief: bool) -> None:
    """Run a job in as many threads as there are contexts; `stop[0] = 1` ends it early.

    brief   the job takes less than a moment: if it is for one thread, this one runs it
    """
    if brief and len(contexts) == 1:
        run(job, contexts[0])
        return
    ready, over, go = threading.Event(), threading.Lock(), [False]
    ended: list[int] = []
    over.acquire()

    def work(context: int) -> None:
        ready.wait()  # nobody begins before all are there: they will wait for each other
        try:
            if go[0]:
                run(job, context)
        finally:
            ended.append(context)
            if len(ended) == len(contexts):
                over.release()

    # Not Thread.start, Thread.join or Event.wait: a signal that interrupts these becomes another error, or makes them
    # believe that a thread has ended while it still runs.
    try:
        for context in contexts:
            _thread.start_new_thread(work, (context,))
        go[0] = True
        ready.set()
        while not over.acquire(timeout=PATIENCE):
            pass
    except BaseException:
        stop[0] = 1
        ready.set()
        while go[0] and len(ended) < len(contexts):  # their memory is in use: another Ctrl-C changes nothing
            with suppress(BaseException):
                sleep(0.001)
        raise
