"""Processors for tests: this one, and those with narrower vectors that it can stand for.

python -m tests.machines                                            # the widths besides its own, in bytes
SCALARGRAD_VECTOR_BYTES=16 python -m pytest tests/compiler/backends/test_native.py    # native programs at such a width
"""

import os
from functools import cache, partial

import pytest

from scalargrad.compiler.backends.native.running import backend
from scalargrad.compiler.backends.native.running.target import Machine

WIDTHS = (16, 32, 64)
CHOSEN = int(os.environ.get("SCALARGRAD_VECTOR_BYTES") or 0) or None  # for the whole run; None: the processor's own

machine = cache(Machine)


def machine_with(vector_bytes: int | None = None, fma: bool = True) -> Machine:
    """See `Machine`; None: the width of this run. Without llvmlite the test is skipped."""
    pytest.importorskip("llvmlite.binding")
    return machine(vector_bytes or CHOSEN, fma)


def install_if_asked() -> None:
    """From now on all native programs of this process are compiled for the width of this run."""
    if CHOSEN:
        backend.machine = partial(machine, CHOSEN, True)  # type: ignore[assignment]


def narrower_widths() -> list[int]:
    return [width for width in WIDTHS if width < Machine().vector_bytes]


if __name__ == "__main__":
    print(*narrower_widths())
