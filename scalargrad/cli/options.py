"""Options for settings, files that appear when they are finished, and what is printed: shared by the commands."""

import argparse
import codecs
import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from scalargrad.files.atomic import writable_target

# For terminals and files that do not know a sign: Windows' cp1252, ASCII.
PLAIN = {"∂": "d", "·": "*", "×": "*", "−": "-", "÷": "/", "…": "...", "⋯": "...", "Σ": "sum", "→": "->", "≤": "<="}
READER_LEFT = (errno.EPIPE, errno.EINVAL)  # POSIX, Windows
METAVARS = {int: "N", float: "X", str: "NAME"}


def add_settings(parser: argparse.ArgumentParser, default: Any, purposes: Mapping[str, str]) -> None:
    """An option for each setting in `purposes`, of the kind and with the default that it has in a dataclass.

    >>> from dataclasses import make_dataclass
    >>> parser, default = argparse.ArgumentParser(), make_dataclass("Settings", ["batch_size"])(32)
    >>> add_settings(parser, default, {"batch_size": "images of a step"})
    >>> chosen_settings(parser.parse_args(["--batch-size", "64"]), default)
    Settings(batch_size=64)
    """
    for name, purpose in purposes.items():
        preset = getattr(default, name)
        several = isinstance(preset, tuple)
        kind = type(preset[0] if several else preset)
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=kind,
            nargs="+" if several else None,
            default=preset,
            metavar=METAVARS[kind],
            help=f"{purpose} (default {' '.join(map(str, preset)) if several else preset})",
        )


def chosen_settings(options: argparse.Namespace, default: Any) -> Any:
    """The dataclass `default` with what was chosen. ValueError, if that makes no sense."""
    chosen = {field.name: getattr(options, field.name) for field in fields(default)}
    return replace(default, **{name: tuple(one) if isinstance(one, list) else one for name, one in chosen.items()})


def place(text: str) -> Path:
    """The kind of an option that takes a file or a folder."""
    if not text:
        raise argparse.ArgumentTypeError("a name is missing")
    return Path(text)


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Replace letters that an encoding does not have."""
    assert isinstance(error, UnicodeEncodeError)
    letters = error.object[error.start : error.end]
    return "".join(PLAIN.get(x) or x.encode("ascii", "backslashreplace").decode() for x in letters), error.end


codecs.register_error("scalargrad.plain", _plain)


@contextmanager
def plain_where_needed() -> Iterator[None]:
    """A block in which standard output takes every letter, whatever its encoding."""
    stream: Any = sys.stdout
    if not hasattr(stream, "reconfigure"):  # it is closed, or somebody's own
        yield
        return
    before = stream.errors
    stream.reconfigure(errors="scalargrad.plain")
    try:
        yield
    finally:
        stream.reconfigure(errors=before)


def finish_output() -> None:
    """Write out what is still in standard output's buffer. If that fails, nobody will try again: an OSError."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        with suppress(OSError, ValueError):  # Python flushes it once more at its end, and must not fail
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)
        raise


@contextmanager
def finished_files(folder: Path, names: Iterable[str] = ()) -> Iterator[Path]:
    """A temporary folder, whose files move to `folder` at the end of the block, and vanish if it ends early.

    `folder` and the folders above it are made when needed; what it holds under other names stays. An OSError before
    the block, if files cannot be made there, or not those called `names`.

    >>> with tempfile.TemporaryDirectory() as home:
    ...     with finished_files(Path(home) / "new") as unfinished:
    ...         _ = (unfinished / "a.txt").write_text("all of it", "utf-8")
    ...     (Path(home) / "new" / "a.txt").read_text("utf-8")
    'all of it'
    """
    folder = folder.absolute()
    for name in names:
        if (folder / name).is_dir():
            raise ValueError(f"{folder / name} is a folder, where a file is to be written")
    # Where a file can be moved from in one step: the folder itself or, until it exists, the nearest one above it.
    home = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    try:
        unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=home))
    except OSError as error:
        raise OSError(error.errno, f"cannot be written to ({error.strerror})", str(home)) from error
    try:
        yield unfinished
        folder.mkdir(parents=True, exist_ok=True)
        for file in sorted(unfinished.iterdir()):
            file.replace(folder / file.name)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def check_writable(path: Path) -> None:
    """An OSError or a ValueError, unless a file can be made or replaced there: to be found out before the work.

    >>> check_writable(Path("no/such/folder/m.safetensors"))
    Traceback (most recent call last):
    FileNotFoundError: [Errno 2] cannot be written to (No such file or directory): 'no/such/folder/m.safetensors'
    """
    try:
        with tempfile.TemporaryFile(dir=writable_target(path).parent):
            pass
    except OSError as error:
        raise OSError(error.errno, f"cannot be written to ({error.strerror})", str(path)) from error


def printable(text: str) -> str:
    r"""The text on one line, whatever it holds.

    >>> print(printable("two\nlines"))
    two\nlines
    """
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def print_seconds(seconds: Mapping[str, float]) -> None:
    """Print how long each part of the work took.

    >>> print_seconds({"compiling": 0.25, "training": 1.5})
    compiling  0.250 s
    training   1.500 s
    """
    for name, duration in seconds.items():
        print(f"{name:<10} {duration:.3f} s")


def print_files(files: Mapping[Path, str]) -> None:
    """Where the files are, and what each of them holds.

    >>> print_files({Path("data.png"): "the points", Path("summary.json"): "settings, results"})
      data.png      the points
      summary.json  settings, results
    """
    shown = {printable(str(path)): content for path, content in files.items()}
    for path, content in shown.items():
        print(f"  {path:<{max(map(len, shown))}}  {content}")
