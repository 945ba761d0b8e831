"""The command: help, errors in one line, and files that are whole or not there."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import scalargrad
from scalargrad import cli
from scalargrad.demos import moons
from scalargrad.plots import places
from tests.paths import ROOT
from tests.platforms import needs_linux, needs_posix

TINY = ["--samples", "6", "--hidden", "2", "--epochs", "2"]


@pytest.fixture(autouse=True)
def coarse_pictures(monkeypatch):
    monkeypatch.setattr(places, "GRID", 5)


def moons_in(folder, *options):
    """Exit status of `scalargrad moons`."""
    try:
        return cli.main(["moons", *TINY, "--out", str(folder), *options])
    except SystemExit as stopped:
        return stopped.code


def test_alone_it_prints_help(capsys):
    assert cli.main([]) == 0
    shown = capsys.readouterr().out
    assert all(command.name in shown and command.purpose in shown for command in cli.COMMANDS)


@pytest.mark.parametrize("name", [command.name for command in cli.COMMANDS])
def test_every_command_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main([name, "--help"])
    assert stopped.value.code == 0
    assert f"usage: scalargrad {name}" in capsys.readouterr().out


def test_a_command_is_a_row_and_its_module_is_loaded_when_it_is_called(monkeypatch, tmp_path, capsys):
    (tmp_path / "toy_command.py").write_text(
        "def add_toy_options(parser): parser.add_argument('--times', type=int, default=1)\n"
        "def run_toy(options):\n    'Say it.'\n    print('toy ' * options.times)\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(cli, "COMMANDS", [*cli.COMMANDS, cli.Command("toy", "say toy", "toy_command")])
    assert cli.main([]) == 0
    assert "say toy" in capsys.readouterr().out
    assert "toy_command" not in sys.modules
    assert cli.main(["toy", "--times", "2"]) == 0
    assert capsys.readouterr().out == "toy toy \n"
    del sys.modules["toy_command"]


def test_as_a_module_it_is_the_same_command():
    shown = subprocess.run(
        [sys.executable, "-m", "scalargrad", "--version"], capture_output=True, encoding="utf-8", check=True, cwd=ROOT
    )
    assert shown.stdout == f"scalargrad {scalargrad.__version__}\n"


@pytest.mark.parametrize("arguments", [[], *([command.name, "--help"] for command in cli.COMMANDS)], ids=" ".join)
def test_its_help_loads_only_the_standard_library(arguments):
    code = f"""
import contextlib, io, sys
before = set(sys.modules)
from scalargrad.cli import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main({arguments})
new = {{name.split(".")[0] for name in set(sys.modules) - before}}
print(sorted(new - sys.stdlib_module_names - {{"scalargrad"}}))
"""
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True, cwd=ROOT)
    assert loaded.stdout.strip() == "[]"


def test_moons_says_what_came_of_it_and_where_everything_is(tmp_path, capsys):
    out = tmp_path / "a" / "new place"
    assert moons_in(out) == 0
    shown, errors = capsys.readouterr()
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert f"loss {summary['loss']:.4f}, accuracy {summary['accuracy']:.1%}" in shown
    assert all(str(out / name) in shown for name in moons.FILES)
    assert {path.name for path in out.iterdir()} == set(moons.FILES)
    assert errors == ""  # no progress bar where there is no terminal
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.long
def test_one_seed_gives_one_loss_in_every_process(tmp_path):
    results = []
    for name, hash_seed in (("one", "1"), ("two", "2")):
        code = (
            "from scalargrad import cli; from scalargrad.plots import places; places.GRID = 5; "
            f"cli.main(['moons', *{TINY}, '--seed', '4', '--out', {str(tmp_path / name)!r}])"
        )
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=environment, capture_output=True)
        summary = json.loads((tmp_path / name / "summary.json").read_text(encoding="utf-8"))
        results.append((summary["loss"], summary["accuracy"]))
    assert results[0] == results[1]


def test_every_setting_can_be_chosen(tmp_path):
    chosen = moons.Settings(7, 0.2, (3, 2), "tanh", "sigmoid", "sgd", 0.01, 1, 0.5, 9)
    options = ["--samples", "7", "--noise", "0.2", "--hidden", "3", "2", "--activation", "tanh", "--alpha", "0.5"]
    options += ["--output-activation", "sigmoid", "--optimizer", "sgd", "--lr", "0.01", "--epochs", "1", "--seed", "9"]
    assert moons_in(tmp_path, *options) == 0
    settings = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))["settings"]
    assert moons.Settings(**{**settings, "hidden": tuple(settings["hidden"])}) == chosen


NUMBERS = ["-1", "0", "nan", "inf", "-inf", "two", "", "1e999"]
MISTAKES = [
    *([option, number] for option in ("--samples", "--hidden", "--epochs", "--lr") for number in NUMBERS),
    *([option, number] for option in ("--noise", "--alpha", "--seed") for number in NUMBERS if number != "0"),
    ["--samples", "1"],
    ["--samples", "2.5"],
    ["--samples", "1000000000"],
    ["--samples", "9" * 5000],
    ["--hidden"],
    ["--hidden", "8", "x"],
    ["--hidden", "100000", "100000"],
    ["--hidden", "9" * 4000, "9" * 4000],
    ["--seed", str(2**32)],
    ["--activation", "softmax"],
    ["--activation", "line\nbreak"],
    ["--activation", "log"],  # of a negative number
    ["--output-activation", "é\udc80"],
    ["--optimizer", "lbfgs"],
    ["--optimizer", "sgd", "--lr", "1e300"],
    ["--noise", "1e300"],
    ["--sample", "5"],
    ["--color"],
    ["surplus"],
    ["surplus\nwith a line break"],
    ["--out"],
    ["--out", ""],
]


@pytest.mark.parametrize(
    "options", MISTAKES, ids=lambda options: " ".join(options)[:30].encode("unicode_escape").decode()
)
def test_a_mistake_is_one_line_and_nothing_is_written(options, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert moons_in("out", *options) == 2
    shown, errors = capsys.readouterr()
    assert shown == ""
    assert errors.startswith("scalargrad")
    assert ": error: " in errors
    assert errors[-1] == "\n"
    assert errors[:-1].isprintable()
    assert len(errors) < 600
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_command_is_one_line(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["suns"])
    assert stopped.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


PLACES = [
    "file",
    "file/below",
    pytest.param("dangling", marks=needs_posix),
    pytest.param("/dev/null", marks=needs_posix),
    pytest.param("/proc/moons", marks=needs_linux),
]


@pytest.mark.parametrize("place", PLACES)
def test_a_place_that_cannot_hold_files_is_refused_before_training(place, tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("precious", encoding="utf-8")
    if place == "dangling":
        (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(moons, "run", lambda *arguments: pytest.fail("it trained"))
    assert moons_in(place) == 2
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert "cannot be written to" in errors
    assert (tmp_path / "file").read_text(encoding="utf-8") == "precious"
    assert {path.name for path in tmp_path.iterdir()} == {"file"} | ({place} & {"dangling"})


def test_other_files_in_the_folder_stay(tmp_path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    (tmp_path / "data.png").write_text("old", encoding="utf-8")
    assert moons_in(tmp_path) == 0
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert (tmp_path / "data.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", *moons.FILES}


STAGES = [
    "datasets.loaders.load_moons",
    "plots.places.plot_points",
    "plots.places.plot_boundary",
    "training.programs.compile",
    "plots.curves.plot_history",
    "demos.moons.draw_neuron",
    "demos.moons.draw_model",
    "demos.moons.summarised",
]


@pytest.mark.sampled(5)
@pytest.mark.parametrize("stage", STAGES)
def test_ctrl_c_at_any_stage_leaves_everything_as_it_was(stage, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out"
    out.mkdir()
    (out / "data.png").write_text("old", encoding="utf-8")

    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"scalargrad.{stage}", interrupted)
    assert moons_in(out) == 130
    assert capsys.readouterr().err == "scalargrad moons: interrupted\n"
    assert [path.read_text(encoding="utf-8") for path in out.iterdir()] == ["old"]


@needs_posix
def test_ctrl_c_from_outside_ends_a_run_in_one_line(tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "scalargrad", "moons", *TINY, "--epochs", "1000000", "--out", str(out)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
    try:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob(".unfinished-*/boundary-before.png")):  # until it trains
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        shown, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, shown, errors) == (130, "", "scalargrad moons: interrupted\n")
    assert list(tmp_path.iterdir()) == []


# What standard output is.

EXPLAIN = ["explain", "x*x - y", "x=2", "y=1", "--wrt", "x"]


def shell(arguments, **options):
    environment = {**os.environ, **options.pop("environment", {})}
    environment.pop("PYTHONUNBUFFERED", None)
    command = [sys.executable, "-m", "scalargrad", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, timeout=120, **options)


@pytest.mark.sampled(5)
@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "cp932", "ascii", "latin-1", "koi8-r", "utf-16", "utf-8"])
def test_output_is_written_in_every_encoding(encoding):
    done = shell(EXPLAIN, environment={"PYTHONIOENCODING": encoding}, stdout=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")
    shown = done.stdout.decode(encoding).translate(str.maketrans("∂·×−", "d**-"))
    assert shown.splitlines()[1] == "doutput/dx = doutput/d(x*x) * d(x*x)/d(1st x)"


@pytest.mark.skipif(sys.getfilesystemencoding() == "ascii", reason="such a name cannot be handed to a command here")
def test_letters_without_a_plain_sign_are_escaped(tmp_path):
    draw = ["draw", "x", "x=1", "-o", str(tmp_path / "Größe ж.svg")]
    done = shell(draw, environment={"PYTHONIOENCODING": "ascii"}, stdout=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"Gr\xf6\xdfe \u0436" in done.stdout


def test_the_stream_is_as_it_was_afterwards(capsys):
    before = sys.stdout.errors
    assert cli.main(EXPLAIN) == 0
    assert sys.stdout.errors == before


FORMULAS = [EXPLAIN, ["--help"], ["explain", "--help"], ["draw", "x", "x=1"]]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
@pytest.mark.parametrize("arguments", FORMULAS, ids=" ".join)
def test_a_full_disk_is_one_line(arguments, tmp_path):
    arguments = [*arguments, *(["-o", str(tmp_path / "a.svg")] if "draw" in arguments else [])]
    with open("/dev/full", "wb") as full:
        done = shell(arguments, stdout=full)
    assert done.returncode == 2
    assert done.stderr == b"scalargrad: error: standard output cannot be written (No space left on device)\n"


@pytest.mark.skipif(os.name == "nt", reason="pipes are POSIX's")
@pytest.mark.parametrize("arguments", FORMULAS, ids=" ".join)
def test_a_reader_that_has_left_is_no_mistake(arguments, tmp_path):
    arguments = [*arguments, *(["-o", str(tmp_path / "a.svg")] if "draw" in arguments else [])]
    reading, writing = os.pipe()
    os.close(reading)
    done = shell(arguments, stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.sampled(5)
@pytest.mark.skipif(os.name == "nt", reason="descriptors are POSIX's")
@pytest.mark.parametrize("arguments", [*FORMULAS, ["suns"]], ids=" ".join)
def test_closed_streams_do_no_harm(arguments, tmp_path):
    arguments = [*arguments, *(["-o", str(tmp_path / "a.svg")] if "draw" in arguments else [])]
    command = f"exec '{sys.executable}' -m scalargrad {shlex.join(arguments)} >&- 2>&-"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, timeout=120)
    assert done.returncode == (2 if "suns" in arguments else 0)
    assert (tmp_path / "a.svg").exists() == ("draw" in arguments)


def test_a_package_that_is_missing_is_one_line(capsys, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["draw", "x", "x=1", "-o", str(tmp_path / "a.dot")])
    assert stopped.value.code == 2
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert "graphviz" in errors
    assert "install scalargrad again" in errors
