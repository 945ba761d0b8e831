"""Files that are replaced whole: whoever opens one finds the old contents or the new, also after a crash or a kill."""

import os
import re
import secrets
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

WINDOWS = sys.platform == "win32"  # which has no flock, but neither removes nor renames a file that is open
if sys.platform != "win32":
    import fcntl


def replace_file(path: str | os.PathLike[str], contents: bytes) -> None:
    """Make `contents` the contents of a file, in one step, so that they are on the disk when this returns.

    An OSError names the file; the file is then as it was before. Several processes may do this at once: one comes last.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for contents in (b"old", b"new"):
    ...         replace_file(Path(folder) / "a.bin", contents)
    ...     [(file.name, file.read_bytes()) for file in Path(folder).iterdir()]
    [('a.bin', b'new')]
    """
    target = Path(os.path.realpath(path))  # where a link leads: the link stays
    try:
        if target.exists() and not target.is_file():
            raise ValueError(f"{path} is {'a folder' if target.is_dir() else 'no ordinary file'}: choose another name")
        _remove_leftovers(target)
        while not _replaced(target, contents):
            pass
    except OSError as error:
        raise OSError(error.errno, f"cannot be written ({error.strerror or error})", str(path)) from error
    _flush_folder(target.parent)


def _replaced(target: Path, contents: bytes) -> bool:
    """Write the contents beside the target and move them there; False if another save has removed them meanwhile."""
    unfinished = target.with_name(f"{_unfinished_prefix(target)}{secrets.token_hex(8)}")
    try:
        with open(unfinished, "xb") as file:
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
        gone = isinstance(error, FileNotFoundError) and target.parent.is_dir()
        unfinished.unlink(missing_ok=True)
        if not gone:
            raise
        return False
    return True


def _unfinished_prefix(target: Path) -> str:
    return f".{target.name}.unfinished-"


# A lock, not a process number in the name, tells a leftover from a file that is being written: the system frees it
# when its holder dies, however it dies, while numbers are given out again (in a container the next run often has the
# same one) and mean nothing to other machines that share the folder. The moment between the making of a file and its
# lock is harmless: who loses the file then writes another.


def _lock(file: IO[bytes]) -> None:
    if not WINDOWS:
        with suppress(OSError):  # a filesystem without locks: there nobody can tell, and leftovers stay
            fcntl.flock(file, fcntl.LOCK_EX)


def _remove_leftovers(target: Path) -> None:
    """Remove what killed runs have left of this very target, and nothing that somebody is writing."""
    ours = re.compile(re.escape(_unfinished_prefix(target)) + "[0-9a-f]{16}")
    with os.scandir(target.parent) as entries:
        leftovers = [entry.path for entry in entries if ours.fullmatch(entry.name)]
    for leftover in leftovers:
        with suppress(OSError):  # it is locked, another user's, or has its final name by now
            if WINDOWS:
                os.unlink(leftover)
                continue
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
