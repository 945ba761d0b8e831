"""What would fail on another system fails here: text without an encoding, line ends, names of files."""

import ast

import pytest

from tests.paths import PACKAGE, ROOT

FOLDERS = [PACKAGE, *(folder for name in ("tests", "notebooks", "benchmarks") if (folder := ROOT / name).is_dir())]
FILES = sorted(path for folder in FOLDERS for path in folder.rglob("*.py"))
OTHER_OPENERS = {"os", "image", "Image", "webbrowser"}  # whose open() takes no encoding


def systems_own_texts(source):
    """The lines of calls whose text depends on the system: its encoding, or the ends of its lines."""
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call) or any(isinstance(arg, ast.Starred) for arg in call.args):
            continue  # what is handed on was written somewhere else
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        modes = [arg.value for arg in (*call.args, given.get("mode")) if isinstance(arg, ast.Constant)]
        binary = any(isinstance(mode, str) and "b" in mode and {*mode} <= {*"rwxab+"} for mode in modes)
        opens = name == "open" and not binary and ast.unparse(call.func).removesuffix(".open") not in OTHER_OPENERS
        reads, writes = name == "read_text" and not call.args, name == "write_text" and len(call.args) < 2
        runs = bool({"text", "universal_newlines"} & {*given})
        if (opens or reads or writes or runs) and "encoding" not in given:
            yield call.lineno


PLANTED = [
    "open('a')",
    "open('a', 'w')",
    "path.open()",
    "path.open('a')",
    "path.read_text()",
    "path.write_text('a')",
    "subprocess.run(['a'], text=True)",
    "Popen(['a'], universal_newlines=True)",
]
HARMLESS = [
    "open('a', 'rb')",
    "open('a', mode='wb')",
    "open('a', encoding='utf-8')",
    "path.open('xb')",
    "os.open('a', os.O_RDONLY)",
    "open(*arguments)",
    "Image.open(path)",
    "path.read_text('utf-8')",
    "path.write_text('a', encoding='utf-8')",
    "subprocess.run(['a'], encoding='utf-8')",
]


@pytest.mark.long
def test_every_text_names_its_encoding():
    found = {str(path): [*systems_own_texts(path.read_text(encoding="utf-8"))] for path in FILES}
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_a_text_without_an_encoding_is_found():
    for expected, sources in ((1, PLANTED), (0, HARMLESS)):
        for source in sources:
            assert len([*systems_own_texts(source)]) == expected, source


def test_every_file_is_compiled_without_a_warning():  # a newer Python may have one
    for path in FILES:
        compile(path.read_text(encoding="utf-8"), path, "exec", dont_inherit=True)


@pytest.mark.long
def test_a_file_that_is_written_has_the_same_line_ends_everywhere():
    for path in PACKAGE.rglob("*.py"):
        calls = [call for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(call, ast.Call)]
        writers = [call for call in calls if getattr(call.func, "attr", "") == "write_text"]
        assert all("newline" in {keyword.arg for keyword in call.keywords} for call in writers), path
