"""The page "Sequences of different lengths": its examples are right, it is short, and it is linked."""

import doctest
import re

import pytest

from scalargrad.compiler.programs import MOST_SHAPES
from tests.paths import ROOT, in_a_checkout

PATH = ROOT / "notebooks" / "sequences.md"
PAGE = PATH.read_text(encoding="utf-8")


@pytest.mark.long
def test_the_examples_are_right():
    failed, tried = doctest.testfile(str(PATH), module_relative=False, encoding="utf-8")
    assert failed == 0
    assert tried == PAGE.count(">>> ") >= 20


def test_the_page_is_short():
    lines = PAGE.splitlines()
    assert len(lines) <= 115
    assert max(map(len, lines)) <= 120


def test_the_page_says_for_how_many_shapes_programs_are_kept():
    assert f"kept for {MOST_SHAPES} shapes" in PAGE


@in_a_checkout
def test_the_figures_are_those_of_the_benchmark():
    """Each row of the page is one of the output, rounded."""
    output = (ROOT / "benchmarks" / "results" / "sequences.txt").read_text(encoding="utf-8")
    found = [re.split(r" {2,}", line.strip()) for line in output.splitlines() if "way" not in line and "$" not in line]
    measured = {(lengths, way): numbers for lengths, way, *numbers in found}
    ways = {"a program for each": "a program a length", "padded to 4, 8, 12, 16 or 20": "to multiples of 4"}
    lengths, rows = "", 0
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) != 5 or not re.fullmatch(r"[\d.]+", cells[2]):
            continue
        lengths, rows = cells[0] or lengths, rows + 1
        numbers = measured[lengths, ways.get(cells[1], "padded")]
        assert [f"{float(number):.2g}" for number in numbers] == [f"{float(cell):.2g}" for cell in cells[2:]], line
    assert rows == 7


@in_a_checkout
def test_the_page_is_linked():
    from scalargrad import Module

    for path, link in (("notebooks", "sequences.md"), ("scalargrad/training", "../../notebooks/sequences.md")):
        assert f"({link})" in (ROOT / path / "README.md").read_text(encoding="utf-8")
    assert "notebooks/sequences.md" in Module.fit.__doc__
