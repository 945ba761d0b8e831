"""A test that may be left out bears a mark: what needs an oracle, and what is long. See tests/conftest.py."""

import os
import re
import subprocess
import sys

import pytest

from tests.paths import ROOT, in_a_checkout

TESTS = """
import importlib

import pytest


def test_of_every_run():
    pass


def test_that_asks_for_an_oracle(torch):
    assert torch.__name__ == "torch"


@pytest.fixture
def through_another_fixture(pandas):
    return pandas


def test_that_asks_for_an_oracle_through_a_fixture(through_another_fixture):
    pass


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_of_backends(backend):
    pass


@pytest.mark.oracle("dot")
def test_of_a_program():
    pass


@pytest.mark.sampled(3)
@pytest.mark.parametrize("case", range(7))
def test_of_many_cases(case):
    pass


@pytest.mark.long
def test_that_is_long():
    pass
"""
ORACLES = {
    "test_that_asks_for_an_oracle",
    "test_that_asks_for_an_oracle_through_a_fixture",
    "test_of_backends[jax]",
    "test_of_a_program",
}
SHORT = {"test_of_every_run", "test_of_backends[numpy]", *(f"test_of_many_cases[{case}]" for case in (0, 3, 6))}
LONG = {"test_that_is_long", *(f"test_of_many_cases[{case}]" for case in (1, 2, 4, 5))}


def run(folder, *arguments, tests=TESTS, **environment):
    """What pytest says about such tests beside this conftest.py, where no oracle is installed."""
    (folder / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "test_of_marks.py").write_text(tests, encoding="utf-8")
    (folder / "none").mkdir(exist_ok=True)
    own = {name: text for name, text in os.environ.items() if not name.startswith(("SCALARGRAD_", "PYTEST_"))}
    environment = own | {"PATH": str(folder / "none"), "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", ROOT / "pyproject.toml"]
    done = subprocess.run(
        [*command, "--rootdir", folder, folder / "test_of_marks.py", "-rs", *arguments],
        capture_output=True, encoding="utf-8", cwd=folder, env=environment, check=False,
    )  # fmt: skip
    return done.stdout


def chosen(folder, *arguments):
    return set(re.findall(r"test_of_marks.py::(\S+)", run(folder, "--collect-only", *arguments)))


@pytest.mark.long
def test_the_readmes_command_and_the_other_run_share_the_tests(tmp_path):
    assert chosen(tmp_path) == SHORT
    assert chosen(tmp_path, "-m", "oracle or long") == ORACLES | LONG
    assert chosen(tmp_path, "-m", "oracle") == ORACLES


@pytest.mark.long
def test_what_is_missing_is_skipped_and_fails_where_nothing_may_be_missing(tmp_path):
    said = run(tmp_path, "-m", "oracle", "-k", "program")
    assert "1 skipped" in said
    assert "dot is not installed" in said
    assert "1 error" in run(tmp_path, "-m", "oracle", "-k", "program", SCALARGRAD_REQUIRE_ORACLES="1")


@pytest.mark.long
def test_mnist_alone_may_be_missing(tmp_path):
    text = 'import pytest\n\n\n@pytest.mark.oracle("mnist")\ndef test_of_data():\n    pass\n'
    environment = {"SCALARGRAD_REQUIRE_ORACLES": "1", "SCALARGRAD_DATA": ""}
    assert "1 skipped" in run(tmp_path, "-m", "oracle", tests=text, **environment)


def test_nothing_else_skips_for_an_oracle():
    """A package without which a test is skipped is a dependency, which only a browser or a processor can lack."""
    dependencies = {"llvmlite.binding", "scalargrad.nn", "scalargrad.sklearn", "sklearn", "graphviz", "PIL.Image"}
    dependencies |= {"sklearn.datasets", "contourpy"}  # which matplotlib brings
    for file in sorted((ROOT / "tests").rglob("*.py")):
        asked = set(re.findall(r'importorskip\("([^"]+)"', file.read_text(encoding="utf-8")))
        assert asked <= dependencies, f"{file.relative_to(ROOT)}: mark the test, see tests/oracles/needed.py"


def expanded(pattern):
    """The words of braces, as a shell opens them."""
    if not (braces := re.search(r"\{([^{}]*)\}", pattern)):
        return [pattern]
    before, after = pattern[: braces.start()], pattern[braces.end() :]
    return [word for part in braces[1].split(",") for word in expanded(before + part + after)]


@in_a_checkout
@pytest.mark.parametrize("script", ["run", "aarch64"])
def test_the_files_that_ci_names_are_there(script):
    text = (ROOT / ".ci" / script).read_text(encoding="utf-8")
    named = [word for pattern in re.findall(r"\btests/[\w/{},.]+\.py", text) for word in expanded(pattern)]
    assert named
    assert [name for name in named if not (ROOT / name).is_file()] == []


@in_a_checkout
def test_the_files_that_a_browser_runs_are_there():
    text = (ROOT / ".ci" / "pyodide").read_text(encoding="utf-8")
    (named,) = re.findall(r'TESTED = """(.*?)"""', text, re.DOTALL)
    assert [name for name in named.split() if not (ROOT / "tests" / f"{name}.py").is_file()] == []
