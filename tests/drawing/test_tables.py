"""Results in a cell of a notebook: tables and curves that are well-formed, escaped, and ask for nothing."""

import math
import pickle
from xml.etree import ElementTree

import numpy as np
import pytest

from scalargrad import MLP, Value, diagnose
from scalargrad.drawing.curves import curves
from scalargrad.drawing.tables import table, titled
from scalargrad.training import History
from scalargrad.training.prediction import Evaluation

HOSTILE = '<script>alert("1")</script>&\x00'


def parsed(html):
    """The elements, in order: well-formed, without scripts, ids, styles for others, or anything from outside."""
    root = ElementTree.fromstring(html)
    for node in root.iter():
        assert node.tag.rpartition("}")[2] not in ("script", "style", "link", "iframe")
        assert not any(name == "id" or name.startswith("on") or name.endswith(("src", "href")) for name in node.attrib)
    return root


def cells(html):
    rows = [[cell.text or "" for cell in row] for row in parsed(html).iter("tr")]
    return [row for row in rows if row]


def with_finding():
    w = Value(0.0, HOSTILE)
    with diagnose([w]) as report:
        w.log().backward()
    return report


HISTORY = History(loss=[0.5, 0.25], accuracy=[0.5, 1.0], val_loss=[0.75, math.nan])
SHOWN = {
    "history": HISTORY,
    "no epoch": History(),
    "hostile measure": History({HOSTILE: [1.0]}),
    "summary": MLP(2, [8, 1], rng=0).summary(),
    "evaluation": Evaluation(0.5, accuracy=0.75, confusion=np.array([[3, 0], [1, 0]]), classes=(0, 1)),
    "numbers": Evaluation(0.5, r2=0.75),
    "report": with_finding(),
}


@pytest.mark.parametrize("name", SHOWN)
def test_results_show_themselves_in_a_notebook(name):
    html = SHOWN[name]._repr_html_()
    parsed(html)
    assert "<script" not in html


def test_a_history_has_a_row_for_each_measure_and_its_curves():
    html = HISTORY._repr_html_()
    assert cells(html) == [
        ["", "first", "least", "largest", "last"],
        ["loss", "0.5", "0.25", "0.5", "0.25"],
        ["accuracy", "0.5", "0.5", "1", "1"],
        ["val_loss", "0.75", "0.75", "0.75", "nan"],
    ]
    assert html.count("<svg") == 1


def test_a_summary_is_its_text_and_its_table():
    summary = SHOWN["summary"]
    assert isinstance(summary, str)
    assert repr(summary) == str(summary) != ""
    rows = cells(summary._repr_html_())
    assert rows[0] == ["", "layer", "output", "parameters", "multiply-adds"]
    assert rows[-1] == ["total", "", "number", "33", "24"]
    copy = pickle.loads(pickle.dumps(summary))
    assert (copy, copy._repr_html_()) == (summary, summary._repr_html_())


def test_an_evaluation_has_its_confusion():
    assert cells(SHOWN["evaluation"]._repr_html_())[-3:] == [
        ["true \\ predicted", "0", "1"],
        ["0", "3", "0"],
        ["1", "1", "0"],
    ]


def test_texts_are_escaped():
    html = titled(HOSTILE, table([HOSTILE], [[HOSTILE]]))
    assert cells(html) == [['<script>alert("1")</script>&␀']] * 2


# Curves.


def lines(history, **options):
    """The points of each line, in pixels."""
    root = parsed(curves(history, **options))
    texts = [node.get("points") for node in root.iter() if node.tag.endswith("polyline")]
    return [[tuple(map(float, point.split(","))) for point in text.split()] for text in texts]


def test_a_line_goes_through_its_numbers_from_the_first_to_the_last_epoch():
    ((first, second, third),) = lines({"loss": [3.0, 1.0, 2.0]}, last=5)
    assert second[0] - first[0] == pytest.approx(third[0] - second[0])
    assert third[0] < 420 - 12 < first[0] + 4 * (second[0] - first[0]) + 0.5
    assert first[1] < third[1] < second[1]  # downwards
    assert second[1] - third[1] == pytest.approx(third[1] - first[1], abs=0.2)


def test_a_loss_above_0_is_logarithmic():
    ((first, second, third),) = lines({"loss": [1.0, 0.1, 0.01]})
    assert second[1] - first[1] == pytest.approx(third[1] - second[1], abs=0.2)


@pytest.mark.parametrize(
    ("numbers", "points"),
    [([1.0], 1), ([1.0, math.inf, 2.0], 2), ([0.0, 0.0], 2), ([-1.0, 1.0], 2), ([1e-320, 1e300], 2), ([math.nan], 0)],
    ids=repr,
)
def test_odd_numbers_are_drawn_or_left_out(numbers, points):
    drawn = lines({"loss": numbers})
    assert sum(map(len, drawn)) == points
    assert all(math.isfinite(x) for line in drawn for point in line for x in point)


def test_many_epochs_are_as_many_points_as_can_be_seen():
    (line,) = lines({"loss": [1.0] * 99_999 + [2.0]})
    assert len(line) <= 500
    assert line[-1][1] < line[0][1]


def test_validation_is_dashed_in_the_panel_of_training():
    svg = curves({"loss": [1.0, 2.0], "val_loss": [2.0, 1.0]})
    assert svg.count("<polyline") == 2
    assert svg.count("stroke-dasharray") == 1
    assert "loss, validation dashed" in svg
    assert curves({}) == curves({"loss": []}) == ""
