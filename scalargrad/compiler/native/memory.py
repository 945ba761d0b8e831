"""Memory for kernels: arrays that begin where vectors like it."""

from typing import Any

ALIGNMENT = 64  # bytes: a line of the cache


def allocated(count: int, dtype: str) -> Any:
    """An array of zeros that begins at a multiple of ALIGNMENT."""
    import numpy

    size = numpy.dtype(dtype).itemsize * count
    raw = numpy.zeros(size + ALIGNMENT, "uint8")
    begin = -raw.ctypes.data % ALIGNMENT
    return raw[begin : begin + size].view(dtype)
