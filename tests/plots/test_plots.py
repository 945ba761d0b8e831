"""Pictures: that they are drawn, say what they should, and leave no trace in matplotlib's global state."""

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest

from scalargrad import Value
from scalargrad.plots import (
    places,
    plot_boundary,
    plot_comparison,
    plot_confusion,
    plot_curves,
    plot_history,
    plot_images,
    plot_points,
)
from scalargrad.plots.mistakes import MISTAKEN
from scalargrad.plots.places import CLASSES
from tests.paths import ROOT


@pytest.fixture(autouse=True)
def coarse_pictures(monkeypatch):
    monkeypatch.setattr(places, "GRID", 9)


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


@pytest.mark.sampled(4)
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


FITTED = {
    "loss": [0.5, 0.2, 0.1],
    "accuracy": [0.8, 0.9, 1.0],
    "val_loss": [0.6, 0.4, 0.3],
    "val_accuracy": [0.7, 0.8, 0.9],
}


def test_training_and_validation_share_a_panel_from_epoch_1_and_are_told_apart(tmp_path):
    figure = plot_curves(FITTED, "Three epochs")
    assert png(figure, tmp_path).startswith(b"\x89PNG")
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "accuracy"]
    assert figure.axes[0].get_title(loc="left") == "Three epochs"
    assert names(figure) == ["training", "validation"]
    for axes, measure in zip(figure.axes, ["loss", "accuracy"], strict=True):
        training, validation = axes.lines
        assert training.get_xdata().tolist() == validation.get_xdata().tolist() == [1, 2, 3]
        assert training.get_ydata().tolist() == FITTED[measure]
        assert validation.get_ydata().tolist() == FITTED["val_" + measure]
        assert (training.get_linestyle(), validation.get_linestyle()) == ("-", "--")
        assert training.get_color() != validation.get_color()


def test_without_validation_there_is_nothing_to_tell_apart():
    assert plot_curves({"loss": [0.5, 0.2]}, "").legends == []


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("measure", "numbers", "scale"),
    [
        ("loss", [0.5, 0.001], "log"),
        ("loss", [0.5, 0.0], "linear"),
        ("loss", [0.5, -0.5], "linear"),
        ("loss", [math.nan, math.inf], "linear"),
        ("accuracy", [0.5, 0.9], "linear"),
        ("r2", [-0.5, 0.9], "linear"),
        ("r2", [-500.0, 0.9], "symlog"),
    ],
)
def test_the_scale_suits_the_numbers(measure, numbers, scale, tmp_path):
    figure = plot_curves({measure: numbers}, "")
    assert png(figure, tmp_path).startswith(b"\x89PNG")
    assert figure.axes[0].get_yscale() == scale


@pytest.mark.parametrize(("numbers", "whole"), [([0.5, 0.99], True), ([0.95, 0.982], False), ([1.0, 1.0], False)])
def test_high_accuracies_get_a_closer_look_and_no_place_beyond_100_percent(numbers, whole):
    low, high = plot_curves({"accuracy": numbers}, "").axes[0].get_ylim()
    assert low < min(numbers)
    assert max(numbers) < high <= 1.03
    assert (low < 0.0) == whole


@pytest.mark.parametrize("first_epoch", [0, 1])
def test_one_epoch_is_seen(first_epoch):
    (axes,) = plot_curves({"loss": [0.5]}, "", first_epoch).axes
    (line,) = axes.lines
    left, right = axes.get_xlim()
    assert left < line.get_xdata()[0] == first_epoch < right
    assert line.get_marker() == "o"


@pytest.mark.parametrize("history", [{}, {"loss": []}])
def test_a_history_of_no_epoch_is_refused(history):
    with pytest.raises(ValueError, match="no epoch"):
        plot_curves(history, "")


def test_runs_are_compared_measure_by_measure(tmp_path):
    runs = {f"run {n}": {"loss": [1.0 / n, 0.5 / n], "val_loss": [2.0 / n]} for n in range(1, 10)}
    figure = plot_comparison(runs, ["val_loss", "loss"], "Nine runs")
    assert png(figure, tmp_path).startswith(b"\x89PNG")
    assert [axes.get_ylabel() for axes in figure.axes] == ["validation loss", "loss"]
    assert names(figure) == list(runs)
    for axes, measure in zip(figure.axes, ["val_loss", "loss"], strict=True):
        assert [line.get_ydata().tolist() for line in axes.lines] == [history[measure] for history in runs.values()]
        assert len({(line.get_color(), line.get_linestyle()) for line in axes.lines}) == len(runs)


def test_a_run_without_the_measure_is_named():
    with pytest.raises(ValueError, match="the history of SGD has no 'accuracy'; it has loss"):
        plot_comparison({"Adam": {"loss": [1.0], "accuracy": [1.0]}, "SGD": {"loss": [1.0]}}, ["accuracy"], "")


def luminance(colour):
    """Of WCAG 2.2, which demands a contrast of 4.5 between a text and what is behind it."""
    from matplotlib.colors import to_rgb

    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    darker, lighter = sorted([luminance(one), luminance(other)])
    return (lighter + 0.05) / (darker + 0.05)


def counted(classes, seed=0):
    """Up to 20 mistakes in a cell beside a thousand hits, and a class that never occurred."""
    rng = np.random.default_rng(seed)
    matrix = rng.integers(0, 21, (classes, classes)) * rng.integers(0, 2, (classes, classes))
    matrix[np.diag_indices(classes)] = rng.integers(900, 1100, classes)
    matrix[-1] = 0
    return matrix


MATRICES = {
    "2": ([[45, 5], [2, 48]], "01"),
    "3, long names": ([[50, 0, 0], [0, 47, 3], [0, 1, 49]], ["setosa", "versicolor", "virginica"]),
    "10": (counted(10), range(10)),
    "100,000": ([[100000, 3], [0, 200000]], ["ham", "spam"]),
    "no mistake": (np.eye(3, dtype=int), "abc"),
    "nothing": (np.zeros((2, 2)), "ab"),
    "1": ([[7]], ["all"]),
}


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("matrix", "classes"), MATRICES.values(), ids=MATRICES)
def test_every_count_of_a_confusion_matrix_is_read_well(matrix, classes, tmp_path):
    figure = plot_confusion(matrix, classes, "Which is taken for which")
    assert png(figure, tmp_path).startswith(b"\x89PNG")
    (axes,) = figure.axes
    (image,) = axes.images
    colours, shown = image.get_array(), iter(axes.texts)
    for row, counts in enumerate(np.asarray(matrix).astype(int).tolist()):
        for column, count in enumerate(counts):
            text = next(shown)
            assert (text.get_text(), text.get_position()) == (f"{count:,}", (column, row))
            assert contrast(text.get_color(), colours[row, column][:3]) >= 4.5
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")
    assert [label.get_text() for label in axes.get_xticklabels()] == [str(name) for name in classes]
    check_no_text_covers_another(figure)


def test_mistakes_are_seen_beside_a_thousand_hits_and_told_from_them():
    from matplotlib.colors import to_hex

    figure = plot_confusion([[1000, 1, 0], [20, 980, 0], [0, 0, 1000]], "abc", "")
    colours = figure.axes[0].images[0].get_array()[:, :, :3]
    one, twenty, hits, nothing = colours[0, 1], colours[1, 0], colours[0, 0], colours[0, 2]
    assert nothing.tolist() == [1.0, 1.0, 1.0]
    assert luminance(twenty) < luminance(one) < luminance(nothing)
    assert to_hex(twenty) == MISTAKEN[-1].lower()  # the most frequent mistake, though only 2% of its row
    assert hits[2] > hits[0]  # blue
    assert all(mistake[0] > mistake[2] for mistake in (one, twenty))  # orange
    assert names(figure) == ["right: 100% of its row", "mistaken: 2% of its row"]


@pytest.mark.parametrize(
    ("matrix", "classes", "words"),
    [
        ([[1, 0], [0, 1]], "abc", r"of 3 classes is \[3, 3\], got \[2, 2\]"),
        ([1, 2], "ab", r"got \[2\]"),
        ([], "", "of 0 classes"),
        ([[0.98, 0.02], [0.0, 1.0]], "ab", "whole numbers"),
        ([[1, -1], [0, 1]], "ab", "whole numbers"),
        ([[1, math.nan], [0, 1]], "ab", "whole numbers"),
        ([["1", "0"], ["0", "1"]], "ab", "matrix holds text"),
    ],
)
def test_what_is_no_confusion_matrix_is_refused(matrix, classes, words):
    with pytest.raises(ValueError, match=words):
        plot_confusion(matrix, classes, "")


def check_no_text_covers_another(figure):
    """And none is cut off by the edge of the picture."""
    figure.draw_without_rendering()
    texts = [*figure.texts, *figure.legends]
    for axes in figure.axes:
        texts += [axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
        texts += [*axes.get_xticklabels(), *axes.get_yticklabels()]
    boxes = {text: text.get_window_extent() for text in texts if not hasattr(text, "get_text") or text.get_text()}
    for box in boxes.values():
        assert box.x0 >= 0 <= box.y0
        assert box.x1 <= figure.bbox.x1
        assert box.y1 <= figure.bbox.y1
    for (one, box), (other, other_box) in itertools.combinations(boxes.items(), 2):
        assert not box.overlaps(other_box), (one, other)


@pytest.mark.sampled(7)
@pytest.mark.parametrize("count", [1, 2, 6, 7, 24])
@pytest.mark.parametrize("caption", ["4, not 9 (0.98)", "versicolor, not virginica"])
def test_every_image_is_shown_with_its_caption(caption, count, tmp_path):
    images = np.random.default_rng(0).random((count, 64))
    figure = plot_images(images, [f"{caption} {place}" for place in range(count)], "The worst-classified images")
    assert png(figure, tmp_path).startswith(b"\x89PNG")
    assert [axes.get_title() for axes in figure.axes] == [f"{caption} {place}" for place in range(count)]
    for axes, image in zip(figure.axes, images, strict=True):
        assert axes.images[0].get_array().ravel().tolist() == image.tolist()
        assert axes.images[0].get_clim() == (0.0, 1.0)
    check_no_text_covers_another(figure)


def test_ink_is_black_on_white_paper():
    (axes,) = plot_images([[0.0, 1.0, 0.5, 0.0]], ["0"], "").axes
    (paper, ink), _ = axes.images[0].to_rgba([[0.0, 1.0], [0.5, 0.0]])
    assert (paper[:3].tolist(), ink[:3].tolist()) == ([1.0, 1.0, 1.0], [0.0, 0.0, 0.0])


@pytest.mark.parametrize(
    ("images", "titles", "columns", "words"),
    [
        (np.zeros((0, 64)), [], 6, "at least one image"),
        (np.zeros((1, 63)), ["0"], 6, r"side \* side pixels, got \[1, 63\]"),
        (np.zeros((1, 0)), ["0"], 6, "at least one image"),
        (np.zeros(64), ["0"], 6, r"got \[64\]"),
        (np.zeros((2, 64)), ["0"], 6, "2 images and 1 titles"),
        (np.full((1, 64), math.nan), ["0"], 6, "NaN"),
        (np.zeros((1, 64)), ["0"], 0, "columns is a whole number from 1 on"),
    ],
)
def test_what_cannot_be_shown_as_images_is_refused(images, titles, columns, words):
    with pytest.raises(ValueError, match=words):
        plot_images(images, titles, "", columns)


def test_no_picture_touches_pyplot(tmp_path):
    modules = sys.modules.copy()
    sys.modules.pop("matplotlib.pyplot", None)
    try:
        png(plot_points(POINTS, LABELS, ""), tmp_path)
        png(plot_history({"loss": [1.0, 0.5]}, ""), tmp_path)
        png(plot_confusion([[1, 0], [1, 1]], [0, 1], ""), tmp_path)
        png(plot_images([[0.0, 0.5, 0.5, 1.0]], ["0"], ""), tmp_path)
        assert "matplotlib.pyplot" not in sys.modules
    finally:
        sys.modules.update(modules)


@pytest.mark.long
def test_a_notebook_shows_a_figure_without_pyplot():
    code = (
        "import sys; from scalargrad.plots import plot_points; "
        "picture = plot_points([[0.0, 1.0], [1.0, 0.0]], [0, 1], 't')._repr_png_(); "
        "assert picture.startswith(b'\\x89PNG') and 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
