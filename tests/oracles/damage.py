"""Every way of damaging a file by one bit, or of cutting it short."""

import os
from collections.abc import Iterator
from pathlib import Path


def flipped_bits(path: Path) -> Iterator[str]:
    """Flip each bit of the file in turn; at the end it is as it was."""
    contents = path.read_bytes()
    with path.open("rb+", buffering=0) as file:  # in place: to write thousands of files would take long
        for place, byte in enumerate(contents):
            for bit in range(8):
                file.seek(place)
                file.write(bytes([byte ^ 1 << bit]))
                yield f"bit {bit} of byte {place} flipped"
            file.seek(place)
            file.write(bytes([byte]))


def shorter_lengths(path: Path) -> Iterator[str]:
    """Cut the file to each shorter length in turn; at the end it is empty."""
    for length in reversed(range(path.stat().st_size)):
        os.truncate(path, length)
        yield f"cut to {length} bytes"
