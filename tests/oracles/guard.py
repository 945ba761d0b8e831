"""Guard pages: memory for kernels that ends, or begins, at a page nobody may touch. One byte too far kills the process.

    SCALARGRAD_GUARD_PAGES=1 python -m pytest -k native

Each array ends or begins at such a page: a read or write behind it is fatal, or one before it. Which it is is drawn by
the array's number in this process, so that one run has both, and has them again.
Samples, their order and the history of losses, which kernels use as they come, are copied into such memory.
"""

import ctypes
import inspect
import itertools
import math
import mmap
import random
from functools import wraps
from typing import Any

import numpy as np

from scalargrad.compiler.backends.native.running import backend, buffers

EDGES = ("end", "start")
CARRIED = ("arrays", "order", "history")  # what run_batch gets from outside


class Guard:
    """Places arrays flush against a forbidden page at this edge; there is one behind the other edge as well.

    edge   "end" or "start"; None: drawn for each array
    """

    def __init__(self, edge: str | None = None) -> None:
        if edge not in (*EDGES, None):
            raise ValueError(f"an array has the edges {' and '.join(EDGES)}, got {edge!r}")
        self.edge, self.numbers = edge, itertools.count()
        try:
            self.protect = ctypes.CDLL(None, use_errno=True).mprotect
        except (TypeError, AttributeError):
            raise OSError(
                "guard pages need mprotect, which this system has not: unset SCALARGRAD_GUARD_PAGES"
            ) from None
        self.protect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)

    def next_edge(self) -> str:
        """That of all arrays, or the one drawn by the number of this array."""
        number = next(self.numbers)
        return self.edge or random.Random(number).choice(EDGES)

    def allocated(self, count: int, dtype: str, aligned: int = 0) -> Any:
        """Zeros, as `allocated` of running/buffers.py gives them, but for the alignment."""
        page, size = mmap.PAGESIZE, np.dtype(dtype).itemsize * count
        inside = math.ceil(size / page) * page
        memory = mmap.mmap(-1, inside + 2 * page)
        address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        for forbidden in (address, address + page + inside):
            if self.protect(forbidden, page, 0):
                raise OSError(ctypes.get_errno(), "mprotect failed")
        begin = page if self.next_edge() == "start" else page + inside - size
        return np.frombuffer(memory, "uint8", size, begin).view(dtype)

    def copied(self, array: Any) -> Any:
        guarded = self.allocated(array.size, array.dtype.str).reshape(array.shape)
        guarded[...] = array
        return guarded


def install(edge: str | None = None) -> None:
    """From now on all native programs of this process run in guarded memory."""
    guard, run_batch = Guard(edge), backend.NativeBackend.run_batch
    signature = inspect.signature(run_batch)

    @wraps(run_batch)
    def guarded(*args: Any, **options: Any) -> Any:
        call = signature.bind(*args, **options).arguments
        given = {name: call[name] for name in CARRIED if call.get(name) is not None}
        for name, content in given.items():
            call[name] = [guard.copied(x) for x in content] if name == "arrays" else guard.copied(content)
        call["self"].guarded = call  # reports go on with the arrays of the last run
        try:
            return run_batch(**call)
        finally:
            if "history" in given:
                given["history"][...] = call["history"]

    buffers.allocated = guard.allocated  # type: ignore[assignment]
    backend.NativeBackend.run_batch = guarded  # type: ignore[method-assign]
