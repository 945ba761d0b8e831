"""Memory for kernels: arrays that begin where vectors like it."""

from typing import Any

ALIGNMENT = 64  # bytes: a line of the cache


def allocated(count: int, dtype: str, aligned: int = 0) -> Any:
    """An array of zeros whose item number `aligned` lies at a multiple of ALIGNMENT."""
    import numpy

    item = numpy.dtype(dtype).itemsize
    raw = numpy.zeros(item * count + ALIGNMENT, "uint8")
    begin = -(raw.ctypes.data + item * aligned) % ALIGNMENT
    return raw[begin : begin + item * count].view(dtype)
