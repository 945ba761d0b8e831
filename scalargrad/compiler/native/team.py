"""The team: threads that run one job of native code together, while the main thread listens for Ctrl-C."""

import ctypes
import os
import threading
from collections.abc import Callable
from typing import Any

PATIENCE = 0.05  # seconds between two looks at what the user wants


def available_threads() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


Run = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)  # a call without Python's lock


def run_together(run: Callable, job: int, contexts: list[int], stop: Any, brief: bool) -> None:
    """Run a job in as many threads as there are contexts; `stop[0] = 1` ends it early.

    brief   it takes less than a moment: do it here and now, if it is for one thread
    """
    if brief and len(contexts) == 1:
        run(job, contexts[0])
        return
    ready, go = threading.Event(), [False]

    def work(context: int) -> None:
        ready.wait()  # nobody begins before all are there: they will wait for each other
        if go[0]:
            run(job, context)

    threads = [threading.Thread(target=work, args=(context,), daemon=True) for context in contexts]
    try:
        for thread in threads:
            thread.start()
        go[0] = True
        ready.set()
        for thread in threads:
            while thread.is_alive():
                thread.join(PATIENCE)
    except BaseException:
        stop[0] = 1
        ready.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join()
        raise
