"""IDX files, the format of MNIST: read with no trust in what they claim, gzipped or not.

4 bytes       0, 0, 8 for items of unsigned bytes, and how many dimensions follow
4 bytes each  the dimensions, big-endian; the first one counts the items
the rest      the bytes of the items, the last dimension fastest
"""

import stat
import zlib
from math import prod
from os import PathLike
from pathlib import Path
from typing import BinaryIO

import numpy
from numpy import ndarray

from scalargrad.support.words import plural

MOST_ITEMS = 60_000  # MNIST's training images: 47 MB, all that a file can make us hold
GZIP = b"\x1f\x8b"
GZIP_EXTRA = 2**16  # bytes that gzip may add to what it cannot compress
PIECE = 2**16  # bytes read or unpacked at a time


def read_idx(path: str | PathLike[str], item_shape: tuple[int, ...] = (), most: int = MOST_ITEMS) -> ndarray:
    """The items of an IDX file of bytes: uint8 [items, *item_shape].

    item_shape  what each item must be: () for labels, (28, 28) for MNIST's images
    most        items that are accepted; with them, no file takes more memory than so many items and a little

    The magic number, the dimensions and the length must be exact, and gzip's checksum right. FileNotFoundError, if
    there is no such file; for all else a ValueError, which names the file and says what is wrong with it.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "labels-idx1-ubyte"
    ...     _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
    ...     read_idx(path).tolist()
    [7, 2, 1]
    """
    path = Path(path)
    try:
        # Looked at before it is opened, since opening a pipe waits for a writer.
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(f"{path} is not a file" + (" but a folder" if stat.S_ISDIR(status.st_mode) else ""))
        largest = _header_length(item_shape) + most * prod(item_shape)
        if status.st_size > largest + GZIP_EXTRA:
            raise ValueError(f"{path} has {status.st_size:,} bytes, more than the {largest:,} of {most:,} items")
        with path.open("rb") as file:
            packed = file.read(len(GZIP)) == GZIP
            file.seek(0)
            return _items(path, _Unpacked(file) if packed else file, item_shape, most)
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {path}") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from error
    except zlib.error as error:
        raise ValueError(f"{path} is damaged gzip: {error}") from error


class _Unpacked:
    """A gzip stream, unpacked only as far as it is read. zlib.error, where the stream is not whole.

    Python's gzip module would accept a million empty streams one after another, and take its time over them.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.unpacker = file, zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)  # 16: gzip with its checksum

    def read(self, most: int) -> bytes:
        """The next bytes, 1 to `most`; none at the end."""
        while not self.unpacker.eof:
            packed = self.unpacker.unconsumed_tail or self.file.read(PIECE)
            unpacked = self.unpacker.decompress(packed, most)
            if unpacked:
                return unpacked
            if not packed:
                raise zlib.error("the file is cut off before the end of its stream")
        if self.unpacker.unused_data or self.file.read(1):
            raise zlib.error("the file goes on after the end of its stream")
        return b""


def _items(path: Path, file: BinaryIO | _Unpacked, item_shape: tuple[int, ...], most: int) -> ndarray:
    header = _take(file, _header_length(item_shape))
    count = _checked_count(path, header, item_shape, most)
    length = count * prod(item_shape)
    content = _take(file, length)
    if len(content) < length:
        missing = length - len(content)
        raise ValueError(
            f"{path} is too short: of the {length:,} bytes of its {count:,} items, {missing:,} are missing"
        )
    if file.read(1):
        raise ValueError(f"{path} has trailing bytes: it goes on after the {count:,} items that its header promises")
    return numpy.frombuffer(content, "uint8").reshape(count, *item_shape)


def _take(file: BinaryIO | _Unpacked, length: int) -> bytearray:
    """The next `length` bytes, or what there is; memory grows with what there is, not with what a header claims."""
    content = bytearray()
    while len(content) < length and (piece := file.read(min(PIECE, length - len(content)))):
        content += piece
    return content


def _header_length(item_shape: tuple[int, ...]) -> int:
    return 4 + 4 * (1 + len(item_shape))


def _checked_count(path: Path, header: bytearray, item_shape: tuple[int, ...], most: int) -> int:
    """Count of the items, from a header that must be that of such items."""
    magic = bytes([0, 0, 8, 1 + len(item_shape)])
    if not header:
        raise ValueError(f"{path} is empty")
    if header[:4] != magic[: len(header)]:
        raise ValueError(
            f"{path} begins with {header[:4].hex(' ')} and not with {magic.hex(' ')}, as an IDX file of bytes in "
            f"{plural(magic[3], 'dimension')} does, nor is it gzip of one"
        )
    if len(header) < _header_length(item_shape):
        missing = _header_length(item_shape) - len(header)
        raise ValueError(
            f"{path} is too short: of the {_header_length(item_shape)} bytes of a header, {missing} are missing"
        )
    count, *shape = (int.from_bytes(header[place : place + 4], "big") for place in range(4, len(header), 4))
    if tuple(shape) != item_shape:
        raise ValueError(f"{path} holds items of {_by(tuple(shape))} bytes and not of {_by(item_shape)}")
    if not 1 <= count <= most:
        raise ValueError(f"{path} claims to hold {count:,} items; 1 to {most:,} are accepted")
    return count


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(str(length) for length in shape)
