"""Replacing a file: all of it or nothing, whatever fails, whoever dies, however many do it at once."""

import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from scalargrad.files import atomic
from scalargrad.files.atomic import replace_file
from tests.paths import ROOT, in_a_checkout

NOBODY = 65534
needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="signals, locks and permissions as POSIX has them")


def contents_of(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def leftover(folder, name="a.bin", number="0123456789abcdef"):
    """A file such as a killed run leaves beside `name`."""
    file = folder / f".{name}.unfinished-{number}"
    file.write_bytes(b"hal")
    return file


def test_a_file_is_made_and_replaced(tmp_path):
    for contents in (b"old", b"", b"new" * 1_000_000):
        replace_file(tmp_path / "a.bin", contents)
        assert contents_of(tmp_path) == {"a.bin": contents}
    replace_file(str(tmp_path / "ä b.bin"), b"a string, and no plain name")
    assert set(contents_of(tmp_path)) == {"a.bin", "ä b.bin"}


def test_a_name_without_a_folder_is_in_the_current_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    replace_file("a.bin", b"new")
    assert contents_of(tmp_path) == {"a.bin": b"new"}


@needs_posix
def test_permissions_are_those_of_the_file_before_or_of_any_new_file(tmp_path):
    replace_file(tmp_path / "a.bin", b"old")
    (tmp_path / "ordinary").touch()
    assert (tmp_path / "a.bin").stat().st_mode == (tmp_path / "ordinary").stat().st_mode
    (tmp_path / "a.bin").chmod(0o600)
    replace_file(tmp_path / "a.bin", b"new")
    assert stat.S_IMODE((tmp_path / "a.bin").stat().st_mode) == 0o600


@needs_posix
def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "far" / "a.bin")
    for contents in (b"old", b"new"):
        replace_file(tmp_path / "link", contents)
    assert (tmp_path / "link").is_symlink()
    assert contents_of(tmp_path / "far") == {"a.bin": b"new"}


def test_what_is_no_file_is_not_replaced(tmp_path):
    with pytest.raises(ValueError, match="is a folder: choose another name"):
        replace_file(tmp_path, b"new")
    with pytest.raises(FileNotFoundError, match="cannot be written") as error:
        replace_file(tmp_path / "nowhere" / "a.bin", b"new")
    assert error.value.filename == str(tmp_path / "nowhere" / "a.bin")
    if sys.platform != "win32":
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ValueError, match="is no ordinary file"):
            replace_file(tmp_path / "pipe", b"new")


@needs_posix
def test_the_contents_are_on_the_disk_before_the_name_and_the_name_before_it_returns(tmp_path, monkeypatch):
    calls = []

    def recorded(name, function):
        def record(subject, *others):
            is_folder = isinstance(subject, int) and stat.S_ISDIR(os.fstat(subject).st_mode)
            calls.append(f"{name} {'folder' if is_folder else 'file'}")
            return function(subject, *others)

        return record

    for name in ("fsync", "replace"):
        monkeypatch.setattr(os, name, recorded(name, getattr(os, name)))
    replace_file(tmp_path / "a.bin", b"new")
    assert calls == ["fsync file", "replace file", "fsync folder"]


FAILING = {  # a function that a save calls, by the moment of the failure
    "made": (atomic, "open"),
    "given its permissions": (shutil, "copymode"),
    "flushed": (os, "fsync"),
    "renamed": (os, "replace"),
}


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("moment", FAILING)
def test_when_it_fails_the_file_is_as_it_was_and_nothing_is_left(tmp_path, monkeypatch, moment, failure):
    replace_file(tmp_path / "a.bin", b"old")

    def fail(*arguments, **options):
        raise failure

    module, name = FAILING[moment]
    monkeypatch.setattr(module, name, fail, raising=False)
    with pytest.raises(type(failure)) as error:
        replace_file(tmp_path / "a.bin", b"new")
    monkeypatch.undo()
    assert contents_of(tmp_path) == {"a.bin": b"old"}
    if isinstance(failure, OSError):
        assert error.value.errno == errno.ENOSPC
        assert error.value.strerror == "cannot be written (No space left on device)"
        assert error.value.filename == str(tmp_path / "a.bin")


@needs_posix
def test_when_no_more_can_be_written_the_file_is_as_it_was(tmp_path):
    import resource

    replace_file(tmp_path / "a.bin", b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))  # half of it is really written
    try:
        with pytest.raises(OSError, match=r"cannot be written \(File too large\)"):
            replace_file(tmp_path / "a.bin", b"n" * 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert contents_of(tmp_path) == {"a.bin": b"old"}


@needs_posix
def test_a_folder_that_may_not_be_written_is_an_error():
    with tempfile.TemporaryDirectory() as folder:  # not tmp_path, which nobody else may enter
        file = Path(folder) / "a.bin"
        replace_file(file, b"old")
        file.parent.chmod(0o555)
        administrator = os.geteuid() == 0  # who may write everywhere: be somebody else for the moment
        try:
            if administrator:
                os.seteuid(NOBODY)
            with pytest.raises(PermissionError, match=r"cannot be written \(Permission denied\)") as error:
                replace_file(file, b"new")
        finally:
            if administrator:
                os.seteuid(0)
            file.parent.chmod(0o755)
        assert error.value.filename == str(file)
        assert contents_of(file.parent) == {"a.bin": b"old"}


def test_leftovers_of_this_very_file_are_removed_and_nothing_else(tmp_path):
    for number in ("0123456789abcdef", "fedcba9876543210"):
        leftover(tmp_path, number=number)
    others = [
        leftover(tmp_path, "b.bin"),
        leftover(tmp_path, "aabin"),  # the dot stands for itself
        leftover(tmp_path, number="0123456789abcdef.bak"),
        leftover(tmp_path, number="mine"),
    ]
    (tmp_path / ".a.bin.unfinished-00000000000000ff").mkdir()
    replace_file(tmp_path / "a.bin", b"new")
    names = {file.name for file in others} | {"a.bin", ".a.bin.unfinished-00000000000000ff"}
    assert {file.name for file in tmp_path.iterdir()} == names


def test_a_file_that_somebody_is_writing_is_no_leftover(tmp_path):
    unfinished = leftover(tmp_path)
    with unfinished.open("rb+") as file:
        atomic._lock(file)
        replace_file(tmp_path / "a.bin", b"new")
        assert unfinished.exists()
    replace_file(tmp_path / "a.bin", b"new")
    assert not unfinished.exists()


@pytest.mark.parametrize(("module", "name"), [(atomic, "_lock"), (os, "fsync")], ids=["_lock", "fsync"])
def test_a_file_that_is_taken_for_a_leftover_is_written_again(tmp_path, monkeypatch, module, name):
    call, taken = getattr(module, name), []

    def taken_away_once(*arguments):
        if not taken:
            taken.append(True)
            for file in tmp_path.glob(".*"):
                file.unlink()
        return call(*arguments)

    replace_file(tmp_path / "a.bin", b"old")
    monkeypatch.setattr(module, name, taken_away_once)
    replace_file(tmp_path / "a.bin", b"new")
    assert taken
    assert contents_of(tmp_path) == {"a.bin": b"new"}


def test_many_threads_may_replace_one_file_at_once(tmp_path):
    versions = [bytes([65 + index]) * 10_000 for index in range(8)]
    failures = []

    def replace(contents):
        try:
            for _ in range(5):
                replace_file(tmp_path / "a.bin", contents)
                assert (tmp_path / "a.bin").read_bytes() in versions
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=replace, args=[contents]) for contents in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    (contents,) = contents_of(tmp_path).values()
    assert contents in versions


def test_two_processes_may_replace_one_file_at_once(tmp_path):
    code = (
        "import sys; from scalargrad.files.atomic import replace_file\n"
        "for _ in range(40): replace_file(sys.argv[1], sys.argv[2].encode() * 10_000)"
    )
    file = tmp_path / "a.bin"
    replace_file(file, b"A" * 10_000)
    writers = [subprocess.Popen([sys.executable, "-c", code, file, letter], cwd=ROOT) for letter in "AB"]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        seen.add(file.read_bytes())
    assert [writer.returncode for writer in writers] == [0, 0]
    assert seen == {b"A" * 10_000, b"B" * 10_000}
    assert [file.name for file in tmp_path.iterdir()] == ["a.bin"]


@needs_posix
@in_a_checkout
@pytest.mark.parametrize("kills", [20, pytest.param(200, marks=pytest.mark.long)])
def test_a_kill_at_any_moment_loses_nothing_and_leaves_nothing_after_the_next_save(kills):
    script = ROOT / "benchmarks" / "kill_while_saving.py"
    result = subprocess.run(
        [sys.executable, script, "--kills", str(kills)], capture_output=True, encoding="utf-8", cwd=ROOT
    )
    assert result.returncode == 0, result.stderr
    assert f"{kills} kills at random moments" in result.stdout


@needs_posix
def test_the_system_frees_the_lock_of_a_process_that_is_killed(tmp_path):
    code = (
        "import sys, time; from scalargrad.files import atomic\n"
        "file = open(sys.argv[1], 'rb+'); atomic._lock(file); print('locked', flush=True); time.sleep(60)"
    )
    unfinished = leftover(tmp_path)
    child = subprocess.Popen([sys.executable, "-c", code, unfinished], cwd=ROOT, stdout=subprocess.PIPE)
    with child.stdout:
        assert child.stdout.readline() == b"locked\n"
        replace_file(tmp_path / "a.bin", b"new")
        assert unfinished.exists()
        child.send_signal(signal.SIGKILL)
        child.wait()
    replace_file(tmp_path / "a.bin", b"new")
    assert not unfinished.exists()


# What a name may lead to. Every writer of the package goes through replace_file.


def writers(tmp_path):
    """Whatever writes a file that a user names, by the ending that it wants."""
    from scalargrad import MLP, Checkpoint, Value, draw, draw_frames, step_through
    from scalargrad.training.history import History

    x, model = Value(3.0, "x"), MLP(1, [1], rng=0)
    return {
        ".csv": History(loss=[1.0, 0.5]).to_csv,
        ".safetensors": model.save,
        ".run": lambda path: model.fit([[1.0]], [1.0], epochs=1, callbacks=[Checkpoint(path)]),
        ".svg": draw(x * x).save,
        ".dot": draw(x * x).save,
        ".html": step_through(x * x).save,
        ".anim.svg": lambda path: draw_frames([x * x], path),
    }


ENDINGS = [".csv", ".safetensors", ".run", ".svg", ".dot", ".html", ".anim.svg"]


@needs_posix
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_place_where_no_file_can_be_is_one_clear_error(tmp_path, monkeypatch, ending):
    monkeypatch.chdir(tmp_path)
    write, name = writers(tmp_path)[ending], f"a{ending}"
    (tmp_path / "file").touch()
    (tmp_path / f"folder{ending}").mkdir()
    (tmp_path / f"loop{ending}").symlink_to(tmp_path / f"loop{ending}")
    (tmp_path / f"null{ending}").symlink_to("/dev/null")
    (tmp_path / f"lost{ending}").symlink_to(tmp_path / "nowhere" / name)
    os.mkfifo(tmp_path / f"pipe{ending}")
    for place, said in {
        f"folder{ending}": "is a folder: choose another name",
        f"null{ending}": "is no ordinary file: choose another name",
        f"pipe{ending}": "is no ordinary file: choose another name",
        f"loop{ending}": r"cannot be written \(Too many levels of symbolic links\)",
        f"lost{ending}": r"cannot be written \(No such file or directory\)",
        f"nowhere/{name}": r"cannot be written \(No such file or directory\)",
        f"file/{name}": r"cannot be written \(Not a directory\)",
        f"{'n' * 300}{ending}": r"cannot be written \(File name too long\)",
        f"a\0{ending}": "is no name of a file: .*embedded null",
        f"/proc/{name}": r"cannot be written \(No such file or directory\)|no ordinary file|Permission denied",
    }.items():
        before = {file: os.readlink(file) for file in tmp_path.iterdir() if file.is_symlink()}
        with pytest.raises((OSError, ValueError), match=said):
            write(place)
        assert {file: os.readlink(file) for file in tmp_path.iterdir() if file.is_symlink()} == before
    assert not list(tmp_path.glob(".*"))
    assert (tmp_path / "file").read_bytes() == b""


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_cannot_be_finished_leaves_the_file_as_it_was(tmp_path, monkeypatch, ending):
    file = tmp_path / f"a{ending}"
    file.write_bytes(b"old")
    write = writers(tmp_path)[ending]

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(file)
    assert contents_of(tmp_path) == {file.name: b"old"}


@needs_posix
@pytest.mark.parametrize("redirected", [True, False], ids=["to a file", "into a pipe"])
def test_the_file_of_standard_output_is_not_replaced(tmp_path, redirected):
    code = (
        "from scalargrad.training.history import History; print('before', flush=True)\n"
        "try: History(loss=[1.0]).to_csv('/dev/stdout')\n"
        "except ValueError as error: print(error)"
    )
    with (tmp_path / "log.txt").open("wb") as log:
        done = subprocess.run(
            [sys.executable, "-c", code],
            stdout=log if redirected else subprocess.PIPE,
            cwd=ROOT,
            timeout=60,
            check=True,
        )
    said = (tmp_path / "log.txt").read_bytes() if redirected else done.stdout
    reason = "where this program's output goes" if redirected else "no ordinary file"
    assert said.decode() == f"before\n/dev/stdout is {reason}: choose another name\n"


def test_a_name_may_be_as_long_as_the_system_takes(tmp_path):
    for name in ("n" * 255, "ä" * 127):
        leftover(tmp_path, f"{atomic.zlib.crc32(os.fsencode(name)):08x}")
        for contents in (b"old", b"new"):
            replace_file(tmp_path / name, contents)
            assert contents_of(tmp_path) == {name: contents}
        (tmp_path / name).unlink()


@pytest.mark.parametrize("name", ["", "a/", "folder/"])
def test_a_name_that_is_a_folders_makes_no_file(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(ValueError, match="is a folder: choose another name"):
        replace_file(name, b"new")
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]


@needs_posix
def test_a_folder_that_cannot_be_listed_can_be_written_to(tmp_path, monkeypatch):
    def refuse(folder):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    replace_file(tmp_path / "a.bin", b"new")
    monkeypatch.undo()
    assert contents_of(tmp_path) == {"a.bin": b"new"}


def test_without_locks_and_where_open_files_are_not_renamed(tmp_path, monkeypatch):
    """As on Windows, and in Pyodide: there is no fcntl; a file is closed before it gets its name."""
    monkeypatch.setattr(atomic, "fcntl", None)
    mine = leftover(tmp_path)
    replace_file(tmp_path / "a.bin", b"old")
    assert mine.exists()  # somebody may be writing it
    monkeypatch.setattr(atomic, "WINDOWS", True)
    opened, replace = [], os.replace

    def recorded(*arguments):
        opened.append(open(*arguments))  # noqa: SIM115
        return opened[-1]

    def replace_closed(old, new):
        assert opened[-1].closed
        replace(old, new)

    monkeypatch.setattr(atomic, "open", recorded, raising=False)
    monkeypatch.setattr(os, "replace", replace_closed)
    replace_file(tmp_path / "a.bin", b"new")
    assert contents_of(tmp_path) == {"a.bin": b"new"}
