"""Pictures: that they are drawn, say what they should, and leave no trace in matplotlib's global state."""

import math
import sys

import pytest

from scalargrad import Value, plots
from scalargrad.plots import CLASSES, plot_boundary, plot_history, plot_points


@pytest.fixture(autouse=True)
def coarse_pictures(monkeypatch):
    monkeypatch.setattr(plots, "GRID", 9)


POINTS, LABELS = [[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]], [0, 1, 1]
OUTPUTS = {
    "a line": lambda point: point[0],
    "one class": lambda point: 0.0,
    "nan": lambda point: math.nan,
    "nan beside numbers": lambda point: math.nan if point[0] > 0.5 else point[1],
    "infinities": lambda point: math.inf if point[0] > 0.5 else -math.inf,
    "Values": lambda point: Value(point[0]) * point[1],
}


def png(figure, folder):
    figure.savefig(folder / "picture.png")
    return (folder / "picture.png").read_bytes()


def names(figure):
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def test_points_are_drawn_where_they_are_in_the_colour_of_their_class(tmp_path):
    figure = plot_points(POINTS, LABELS, "Three points")
    assert png(figure, tmp_path).startswith(b"\x89PNG\r\n\x1a\n")
    (axes,) = figure.axes
    assert axes.get_title(loc="left") == "Three points"
    assert [marks.get_offsets().tolist() for marks in axes.collections] == [[[0, 0]], [[1, 1], [0, 1]]]
    assert len({colour for _, colour, _ in CLASSES}) == len({shape for _, _, shape in CLASSES}) == 2
    assert names(figure) == ["class 0", "class 1"]


@pytest.mark.parametrize("output", OUTPUTS.values(), ids=OUTPUTS)
def test_a_boundary_is_drawn_for_every_kind_of_output(output, tmp_path):
    assert png(plot_boundary(output, POINTS, LABELS, "Somewhere"), tmp_path).startswith(b"\x89PNG")


def test_a_boundary_picture_asks_for_every_place_and_shows_it_there():
    figure = plot_boundary(lambda point: 10 * point[1] + point[0], POINTS, LABELS, "")
    (image,) = figure.axes[0].images
    shown = image.get_array()
    left, right, bottom, top = image.get_extent()
    assert shown.shape == (9, 9)
    assert shown[0, 0] == pytest.approx(10 * bottom + left)
    assert shown[0, -1] == pytest.approx(10 * bottom + right)
    assert shown[-1, 0] == pytest.approx(10 * top + left)


@pytest.mark.parametrize(("output", "drawn"), [("a line", True), ("one class", False), ("nan", False)])
def test_the_line_is_drawn_where_the_classes_meet(output, drawn):
    assert ("output 0.5" in names(plot_boundary(OUTPUTS[output], POINTS, LABELS, ""))) == drawn


def test_a_boundary_picture_records_no_graph():
    asked = []

    def output(point):
        asked.append(Value(point[0]) * 2.0)
        return asked[-1]

    plot_boundary(output, POINTS, LABELS, "")
    assert {value.op for value in asked} == {None}


@pytest.mark.parametrize("measures", [[0.5, 0.25, 0.125], [0.5, 0.0], [1.0]])
def test_history_is_drawn_from_epoch_0_one_panel_a_measure(measures, tmp_path):
    figure = plot_history({"loss": measures, "accuracy": measures}, "Training")
    assert png(figure, tmp_path).startswith(b"\x89PNG")
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "accuracy"]
    for axes in figure.axes:
        (line,) = axes.lines
        assert line.get_xdata().tolist() == list(range(len(measures)))
        assert line.get_ydata().tolist() == measures


def test_no_picture_touches_pyplot(tmp_path):
    modules = sys.modules.copy()
    sys.modules.pop("matplotlib.pyplot", None)
    try:
        png(plot_points(POINTS, LABELS, ""), tmp_path)
        png(plot_history({"loss": [1.0, 0.5]}, ""), tmp_path)
        assert "matplotlib.pyplot" not in sys.modules
    finally:
        sys.modules.update(modules)
