"""What the README quotes is what the files say."""

import re
from pathlib import Path

import pytest

from tests.test_package import LEVELS, PACKAGE, ROOT

README = (ROOT / "README.md").read_text()


def block(source: str, start: str) -> str:
    """A function's text in a file, from its `def` to the line before the next thing as far left."""
    lines = source.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith(start))
    indent = len(start) - len(start.lstrip())
    rest = lines[first + 1 :]
    end = next(i for i, line in enumerate(rest) if line.strip() and len(line) - len(line.lstrip()) <= indent)
    return "\n".join(lines[first : first + 1 + end]).rstrip()


@pytest.mark.parametrize("start", ["def topological_order(", "    def backward("])
def test_the_readme_quotes_the_engine_whole(start):
    text = block((PACKAGE / "engine.py").read_text(), start)
    assert text in README


def test_the_readme_shows_the_import_picture():
    for names in LEVELS:
        for name in names:
            assert re.search(rf"\b{name}\b", README), name


def test_every_file_that_the_readme_links_is_there():
    for link in re.findall(r"\]\((?!https?:|#)([^)]+)\)", README):
        assert (ROOT / link).exists(), link


def test_the_readme_never_installs_somebody_elses_package():
    assert not re.search(r"pip install scalargrad\b(?!-engine)", README)
    assert Path(ROOT / "pyproject.toml").read_text().count('name = "scalargrad-engine"') == 1
