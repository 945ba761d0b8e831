"""Files that are replaced whole: whoever opens one finds the old contents or the new, also after a crash or a kill."""

import os
import re
import secrets
import shutil
import stat
import sys
import zlib
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO

from scalargrad.checks import file_name

try:
    import fcntl
except ImportError:  # Windows has none; Pyodide has none either
    fcntl = None  # type: ignore[assignment]
WINDOWS = sys.platform == "win32"  # which has no flock, but neither removes nor renames a file that is open
STREAMS = (1, 2)  # standard output and standard error, as files
LONGEST_NAME = 200  # bytes: file systems take 255, of which a file that is not finished needs some more


def replace_file(path: str | os.PathLike[str], contents: bytes) -> None:
    """Make `contents` the contents of a file, in one step, so that they are on the disk when this returns.

    An OSError names the file; the file is then as it was before. Several processes may do this at once: one comes last.
    ValueError for what is no ordinary file, such as a folder, a pipe, or the file that standard output goes to: that
    would be lost.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for contents in (b"old", b"new"):
    ...         replace_file(Path(folder) / "a.bin", contents)
    ...     [(file.name, file.read_bytes()) for file in Path(folder).iterdir()]
    [('a.bin', b'new')]
    """
    target = writable_target(path)
    try:
        _remove_leftovers(target)
        while not _replaced(target, contents):
            pass
    except OSError as error:
        raise _unwritable(str(path), error) from error
    _flush_folder(target.parent)


def writable_target(path: str | os.PathLike[str]) -> Path:
    """Where to write a file of this name: where a link leads, for the link stays. ValueError, if no file can be there.

    >>> writable_target("no/such/folder/")
    Traceback (most recent call last):
    ValueError: no/such/folder/ is a folder: choose another name
    """
    name = os.fspath(file_name(path))
    try:
        there = os.stat(name)
    except FileNotFoundError:  # or a link that leads to nothing yet
        if name.endswith(("/", os.sep)) or not name:
            raise ValueError(f"{name or repr(name)} is a folder: choose another name") from None
    except OSError as error:
        raise _unwritable(name, error) from error
    except ValueError as error:
        raise ValueError(f"{name!r} is no name of a file: {error}") from None
    else:
        if not stat.S_ISREG(there.st_mode):
            what = "a folder" if stat.S_ISDIR(there.st_mode) else "no ordinary file"
            raise ValueError(f"{name} is {what}: choose another name")
        if any(map(partial(_leads_to, there), STREAMS)):
            raise ValueError(f"{name} is where this program's output goes: choose another name")
    return Path(os.path.realpath(name))


def _unwritable(name: str, error: OSError) -> OSError:
    return OSError(error.errno, f"cannot be written ({error.strerror or error})", name)


def _leads_to(there: os.stat_result, stream: int) -> bool:
    try:
        return os.path.samestat(os.fstat(stream), there)
    except OSError:  # it is closed
        return False


def _replaced(target: Path, contents: bytes) -> bool:
    """Write the contents beside the target and move them there; False if another save has removed them meanwhile."""
    unfinished = target.with_name(f"{_unfinished_prefix(target)}{secrets.token_hex(8)}")
    made = False
    try:
        with open(unfinished, "xb") as file:
            made = True
            _lock(file)
            with suppress(FileNotFoundError):
                shutil.copymode(target, unfinished)
            file.write(contents)
            file.flush()
            os.fsync(file.fileno())
            if WINDOWS:
                file.close()
            os.replace(unfinished, target)
    except BaseException as error:
        gone = isinstance(error, FileNotFoundError) and made and not unfinished.exists() and target.parent.is_dir()
        unfinished.unlink(missing_ok=True)
        if not gone:
            raise
        return False
    return True


def _unfinished_prefix(target: Path) -> str:
    name = os.fsencode(target.name)
    return f".{target.name if len(name) <= LONGEST_NAME else f'{zlib.crc32(name):08x}'}.unfinished-"


# A lock, not a process number in the name, tells a leftover from a file that is being written: the system frees it
# when its holder dies, however it dies, while numbers are given out again (in a container the next run often has the
# same one) and mean nothing to other machines that share the folder. The moment between the making of a file and its
# lock is harmless: who loses the file then writes another.


def _lock(file: IO[bytes]) -> None:
    if fcntl:
        with suppress(OSError):  # a filesystem without locks: there nobody can tell, and leftovers stay
            fcntl.flock(file, fcntl.LOCK_EX)


def _remove_leftovers(target: Path) -> None:
    """Remove what killed runs have left of this very target, and nothing that somebody is writing."""
    ours = re.compile(re.escape(_unfinished_prefix(target)) + "[0-9a-f]{16}")
    leftovers = []
    with suppress(OSError), os.scandir(target.parent) as entries:  # one may write into folders that one cannot list
        leftovers = [entry.path for entry in entries if ours.fullmatch(entry.name)]
    for leftover in leftovers:
        with suppress(OSError):  # it is locked, another user's, or has its final name by now
            if WINDOWS:
                os.unlink(leftover)
            elif fcntl:
                with open(leftover, "rb+") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.unlink(leftover)


def _flush_folder(folder: Path) -> None:
    """Make the new name outlive a power failure, where a folder can be flushed; the contents are safe in any case."""
    if WINDOWS:
        return
    with suppress(OSError):  # some network filesystems refuse
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
