"""Arrays and strings in one file that can hold no code: the safetensors format, with a checksum.

    8 bytes     how many bytes the header has, as a little-endian number
    the header  JSON: {"__metadata__": {name: string, ...}, name: {"dtype", "shape", "data_offsets"}, ...}
    the rest    the numbers of the arrays, little-endian, one array after the other

Every reader of the format can read these files. Two strings of the metadata are ours, and demanded back: the version
of these rules, and the SHA-256 of the whole file, taken with 64 zeros in the place where it then stands.
"""

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from scalargrad.checks import file_name
from scalargrad.files.atomic import replace_file

if TYPE_CHECKING:
    from numpy import ndarray

FORMAT_VERSION = "1"
LONGEST_HEADER = 1_000_000  # bytes
LONGEST_REASON = 300  # characters of an error: a damaged file may have any name or number in it
MOST_DIMENSIONS = 32  # as many as every NumPy has
DTYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8"}  # the format's name of each, and NumPy's
DIGITS = 64  # of a SHA-256
METADATA = "__metadata__"
OWN_NAMES = ("sha256", "format_version")
NO_METADATA: Mapping[str, str] = MappingProxyType({})


class Entry(NamedTuple):
    """The header's entry for an array: its bytes are those from `begin` up to `end` behind the header."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def write_arrays(
    path: str | os.PathLike[str], arrays: Mapping[str, "ndarray"], metadata: Mapping[str, str] = NO_METADATA
) -> None:
    """Write arrays of float64, float32 or int64, and strings, to a file, which is replaced in one step.

    ValueError for what the format cannot hold, OSError (a full disk, no permission): the file is then as it was.

    >>> import numpy, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "a.safetensors"
    ...     write_arrays(file, {"weight": numpy.array([[1.0, 2.0]])}, {"epoch": "7"})
    ...     read_arrays(file)
    ({'weight': array([[1., 2.]])}, {'epoch': '7'})
    """
    replace_file(path, _encoded(arrays, metadata))


def read_arrays(path: str | os.PathLike[str]) -> tuple[dict[str, "ndarray"], dict[str, str]]:
    """The arrays and the metadata of a file that `write_arrays` made.

    ValueError, naming the file and what is wrong with it, unless every bit of it is as it was written.
    """
    path = Path(file_name(path))
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise ValueError(f"{path} is {'a folder' if stat.S_ISDIR(mode) else 'no ordinary file'}")
    with path.open("rb") as file:
        try:
            return _decoded(file, os.fstat(file.fileno()).st_size)
        except ValueError as error:
            raise ValueError(f"{path} {str(error)[:LONGEST_REASON]}") from error


# Writing.


def _encoded(arrays: Mapping[str, "ndarray"], metadata: Mapping[str, str]) -> bytes:
    import numpy

    _check_metadata(metadata)
    codes = {dtype: code for code, dtype in DTYPES.items()}
    entries, pieces, position = {}, [], 0
    for name, array in arrays.items():
        if not isinstance(name, str) or name == METADATA:
            raise ValueError(f"an array cannot have the name {name!r}")
        dtype = numpy.asarray(array).dtype.newbyteorder("<")
        if dtype.str not in codes:
            raise ValueError(f"{name} holds {dtype.name}: a file holds float64, float32 and int64; use .astype()")
        piece = numpy.asarray(array, dtype).tobytes()
        offsets = [position, position + len(piece)]
        entries[name] = {"dtype": codes[dtype.str], "shape": list(numpy.shape(array)), "data_offsets": offsets}
        pieces.append(piece)
        position += len(piece)

    def contents(digest: str) -> bytes:
        own = dict(zip(OWN_NAMES, (digest, FORMAT_VERSION), strict=True))
        text = json.dumps({METADATA: own | dict(metadata), **entries}, ensure_ascii=False, separators=(",", ":"))
        header = text.encode()
        header += b" " * (-len(header) % 8)  # the numbers begin where a processor likes them to
        if len(header) > LONGEST_HEADER:
            raise ValueError(f"{len(entries)} arrays and the metadata need a header over {LONGEST_HEADER:,} bytes")
        return b"".join([len(header).to_bytes(8, "little"), header, *pieces])

    return contents(_digest(contents("0" * DIGITS)))


def _check_metadata(metadata: Mapping[str, str]) -> None:
    for name, text in metadata.items():
        if not isinstance(name, str) or not isinstance(text, str):
            raise ValueError(f"metadata are strings, got {name!r}: {text!r}")
        if name in OWN_NAMES:
            raise ValueError(f"the metadata {name!r} is the file's own: choose another name")


# Reading. What is announced is compared with the size of the file before it is read.


def _decoded(file: IO[bytes], size: int) -> tuple[dict[str, "ndarray"], dict[str, str]]:
    import numpy

    start = file.read(8)
    length = int.from_bytes(start, "little")
    if len(start) < 8:
        raise ValueError(f"is truncated: it has {size} bytes, and a safetensors file begins with 8 that give a length")
    if length > LONGEST_HEADER:
        raise ValueError(
            f"is no safetensors file, or damaged: its first 8 bytes announce a header of {length:,} bytes, "
            f"and at most {LONGEST_HEADER:,} are read"
        )
    if 8 + length > size:
        raise ValueError(f"is truncated: its header ends at byte {8 + length:,}, the file at byte {size:,}")
    text = file.read(length)
    header = _parsed(text)
    metadata = _metadata(header.pop(METADATA, None))
    entries = sorted(
        (_entry(name, about) for name, about in header.items()), key=lambda entry: (entry.begin, entry.end)
    )
    _check_layout(entries, size - 8 - length)
    numbers = file.read(size - 8 - length)
    digest = metadata.pop("sha256")
    if digest != _digest(start, text.replace(digest.encode(), b"0" * DIGITS, 1), numbers):
        raise ValueError("is damaged: it does not have the SHA-256 that it was written with")
    arrays = {}
    for name, dtype, shape, begin, end in entries:
        array = numpy.frombuffer(numbers[begin:end], DTYPES[dtype]).reshape(shape)
        arrays[name] = array.astype(array.dtype.newbyteorder("="))  # a copy, which can be written to
    return {name: arrays[name] for name in header}, metadata


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text.decode(), object_pairs_hook=_without_duplicates)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError("is no safetensors file, or damaged: its header is not JSON") from error
    if not isinstance(header, dict):
        raise ValueError("is no safetensors file, or damaged: its header is not a JSON object")
    return header


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, content in pairs:
        if name in found:
            raise ValueError(f"has the name {name!r} twice in its header")
        found[name] = content
    return found


def _metadata(found: object) -> dict[str, str]:
    """The metadata without the version, which is checked."""
    found = {} if found is None else found
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise ValueError(f"is damaged: its {METADATA} are not strings")
    missing = [name for name in OWN_NAMES if name not in found]
    if missing:
        raise ValueError(
            f"has no {' and no '.join(missing)} in its metadata: scalargrad did not write it, or it is damaged. Arrays "
            "from elsewhere: read them with the safetensors package, and give them to model.load_state_dict()"
        )
    version = found.pop("format_version")
    if version != FORMAT_VERSION:
        raise ValueError(
            f"has format version {version!r}, and this scalargrad reads version {FORMAT_VERSION}: "
            "update scalargrad if a newer one wrote the file"
        )
    return found


def _entry(name: str, about: object) -> Entry:
    if not isinstance(about, dict) or set(about) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"is damaged: its entry for {name!r} does not consist of dtype, shape and data_offsets")
    dtype, shape, offsets = about["dtype"], about["shape"], about["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError(f"holds {name!r} with the dtype {dtype!r}; those that are read are {', '.join(DTYPES)}")
    if not _are_counts(shape) or len(shape) > MOST_DIMENSIONS:
        raise ValueError(f"is damaged: {name!r} has no shape, but {shape}")
    if not _are_counts(offsets) or len(offsets) != 2:
        raise ValueError(f"is damaged: {name!r} has no begin and end, but {offsets}")
    begin, end = offsets
    needed = prod(shape) * int(DTYPES[dtype][-1])
    if end - begin != needed:
        raise ValueError(f"is damaged: {name!r} of shape {shape} needs {needed:,} bytes, and has {end - begin:,}")
    return Entry(name, dtype, tuple(shape), begin, end)


def _are_counts(numbers: object) -> bool:
    return isinstance(numbers, list) and all(type(n) is int and 0 <= n < 2**63 for n in numbers)


def _check_layout(entries: list[Entry], available: int) -> None:
    """The arrays lie end to end, from the first byte to the last."""
    position, previous = 0, "the header"
    for entry in entries:
        if entry.begin < position:
            raise ValueError(f"is damaged: the bytes of {entry.name!r} overlap those of {previous}")
        if entry.begin > position:
            raise ValueError(f"is damaged: there is a gap between the bytes of {previous} and those of {entry.name!r}")
        position, previous = entry.end, repr(entry.name)
    if position > available:
        raise ValueError(f"is truncated: its arrays have {position:,} bytes, of which {available:,} are there")
    if position < available:
        raise ValueError(f"is damaged: {available - position:,} bytes follow its last array")


def _digest(*pieces: bytes) -> str:
    sha256 = hashlib.sha256()
    for piece in pieces:
        sha256.update(piece)
    return sha256.hexdigest()
