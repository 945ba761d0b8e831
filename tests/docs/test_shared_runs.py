"""Two runs share the tests (conftest.py): the second does all that the first did not pass, and nothing else."""

import os
import subprocess
import sys

import pytest

from tests.paths import ROOT

TESTS = """
import os

import pytest

SECOND = "SCALARGRAD_LEAVE_OUT" in os.environ


def test_that_passes():
    assert not SECOND


@pytest.mark.parametrize("text", ["", "x y[1]", "two\\nlines", "é"])
def test_of_text_that_passes(text):
    assert not SECOND


@pytest.mark.parametrize("agrees", [True, False])
def test_that_passes_with_an_oracle(agrees):  # its name begins with that of another test
    if not SECOND:
        pytest.skip("an oracle is missing")
    assert agrees


@pytest.mark.xfail(reason="a known error")
def test_that_is_known_to_fail():
    assert False


@pytest.mark.long
def test_that_is_long():
    assert SECOND


if SECOND:

    def test_that_is_new():
        pass
"""


def run_of(folder, *options, **environment):
    """What the last line of a run of the tests in a folder counts."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("SCALARGRAD_", "PYTEST_"))}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider", *options]
    command += ["-c", ROOT / "pyproject.toml", "--rootdir", folder, folder]
    result = subprocess.run(command, capture_output=True, encoding="utf-8", cwd=ROOT, env={**kept, **environment})
    return result.stdout.splitlines()[-1].partition(" in ")[0]


@pytest.mark.long
@pytest.mark.parametrize("processes", ["0", "2"])
def test_the_second_run_does_all_that_the_first_did_not_pass(processes, tmp_path):
    (tmp_path / "test_it.py").write_text(TESTS, encoding="utf-8")
    passed = str(tmp_path / "passed.json")
    first = run_of(tmp_path, "-n", processes, SCALARGRAD_NOTE_PASSED=passed)
    second = run_of(tmp_path, "-n", processes, "-m", "long or not long", SCALARGRAD_LEAVE_OUT=passed)
    assert first.replace(", 1 deselected", "") == "5 passed, 2 skipped, 1 xfailed"
    assert second.replace(", 5 deselected", "") == "1 failed, 3 passed, 1 xfailed"


@pytest.mark.long
def test_a_second_run_without_a_first_is_an_error(tmp_path):
    (tmp_path / "test_it.py").write_text(TESTS, encoding="utf-8")
    assert "passed" not in run_of(tmp_path, SCALARGRAD_LEAVE_OUT=str(tmp_path / "nothing.json"))
