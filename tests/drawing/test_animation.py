"""draw_frames: gradients and decision boundaries, frame by frame."""

import math
import re
from xml.etree import ElementTree

import pytest

from scalargrad.drawing import DecisionBoundary, draw, draw_frames
from scalargrad.engine import Value

SVG = "{http://www.w3.org/2000/svg}"
POINTS, CLASSES = [[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]], [0, 1, 1]


def descent(steps=5):
    w = Value(3.0, "w")
    for _ in range(steps):
        loss = w * w
        w.grad = 0.0
        loss.backward()
        yield loss
        w.data -= 0.1 * w.grad


def boundary(shift=0.0, **options):
    return DecisionBoundary(lambda rows: [x + y - shift for x, y in rows], POINTS, CLASSES, **options)


def test_each_frame_shows_the_values_of_its_moment(tmp_path):
    root = ElementTree.parse(draw_frames(descent(), tmp_path / "a.svg", seconds=0.5)).getroot()
    frames = [element for element in root.iter(f"{SVG}g") if element.get("class") == "sg-frame"]
    shown = [[text.text for text in frame.iter(f"{SVG}text")] for frame in frames]
    assert len(frames) == 5
    for frame, data in zip(shown, (3.0, 2.4, 1.92, 1.536, 1.229), strict=True):
        assert f"{data:.4g}" in frame
    # Each frame's turn comes half a second after the one before; none waits, for a waiting last frame would be seen.
    delays = [frame.get("style") for frame in frames]
    assert delays == [f"animation-delay:{delay}s" for delay in ("-2.5", "-2", "-1.5", "-1", "-0.5")]
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))


def test_cards_of_one_graph_stand_still(tmp_path):
    root = ElementTree.parse(draw_frames(descent(), tmp_path / "a.svg")).getroot()
    places = {}
    for card in root.iter(f"{SVG}g"):
        if card.get("class") == "sg-node":
            places.setdefault(card.get("data-node"), set()).add(card.find(f"{SVG}rect").get("x"))
    assert all(len(places_of_card) == 1 for places_of_card in places.values())


def test_reduced_motion_shows_the_last_frame_and_nothing_else_moves(tmp_path):
    svg = draw_frames(descent(), tmp_path / "a.svg").read_text(encoding="utf-8")
    assert re.search(r"prefers-reduced-motion:reduce\)\{[^}]*animation:none", svg)
    assert ".sg-frame:last-of-type{visibility:visible}" in svg
    assert "<script" not in svg


def test_graphs_of_different_structure_may_follow_each_other(tmp_path):
    x = Value(1.0, "x")
    path = draw_frames([x * x, x * x + x, draw(x.tanh())], tmp_path / "a.svg")
    assert ElementTree.parse(path).getroot().get("role") == "img"


def test_a_boundary_is_blue_above_the_level_and_orange_below():
    picture = boundary(shift=1.0, level=0.0, resolution=10)
    colours = {}
    for box, colour in picture.strips():
        colours.setdefault(colour.split("-")[1], []).append((box.left, -box.top))
    assert max(colours["positive"]) > max(colours["negative"])
    assert sum(box.width * box.height for box, _ in picture.strips()) == pytest.approx(360.0**2)
    assert [colour for _, _, colour in picture.dots()] == ["negative", "positive", "positive"]
    (x, y, _), (other_x, other_y, _), _ = picture.dots()
    assert x < other_x
    assert y > other_y  # upwards on the page is less


def test_boundaries_are_animated_as_svg_and_gif(tmp_path):
    frames = [boundary(shift, resolution=8, title=f"<epoch {shift}>") for shift in (0.0, 0.5, 1.0)]
    root = ElementTree.parse(draw_frames(frames, tmp_path / "a.svg")).getroot()
    assert "<epoch 0.5>" in [text.text for text in root.iter(f"{SVG}text")]
    image = pytest.importorskip("PIL.Image")
    with image.open(draw_frames(frames, tmp_path / "a.gif", seconds=0.2)) as gif:
        assert gif.n_frames == 3
        assert gif.info["duration"] == 200


@pytest.mark.oracle("dot")
def test_a_gif_of_graphs_is_drawn_by_graphviz(tmp_path):
    image = pytest.importorskip("PIL.Image")
    with image.open(draw_frames(descent(3), tmp_path / "a.gif")) as gif:
        assert gif.n_frames == 3


def test_nan_scores_are_neutral():
    picture = DecisionBoundary(lambda rows: [math.nan for _ in rows], POINTS, CLASSES, resolution=4)
    assert {colour for _, colour in picture.strips()} == {"tint-zero"}


@pytest.mark.parametrize(
    ("frames", "options", "error", "message"),
    [
        ([], {}, ValueError, "got no frames"),
        ([1.0], {}, TypeError, "takes Values, Drawings or DecisionBoundaries, got 1.0"),
        ([Value(1.0), boundary()], {}, TypeError, "frames of one kind"),
        ([Value(1.0)], {"path": "a.mp4"}, ValueError, "saved as .svg or .gif, got 'a.mp4'"),
        ([Value(1.0)], {"seconds": 0}, ValueError, "from 0.02 to 60, got 0"),
        ([Value(1.0)], {"theme": "blue"}, ValueError, "theme is one of"),
        ([Value(1.0)] * 600, {}, ValueError, "at most 500 frames"),
    ],
)
def test_wrong_frames_are_one_clear_error(tmp_path, frames, options, error, message):
    path = tmp_path / options.pop("path", "a.svg")
    with pytest.raises(error, match=re.escape(message)):
        draw_frames(frames, path, **options)
    assert not path.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"points": []}, "as many classes as points"),
        ({"classes": [1]}, "got 3 points and 1 classes"),
        ({"resolution": 1}, "2 to 200, got 1"),
        ({"theme": "blue"}, "theme is one of"),
        ({"points": [[math.nan, 0.0]] * 3}, "finite numbers"),
        ({"score": lambda rows: [0.0]}, "one number for each of 1600 rows, got 1"),
    ],
)
def test_wrong_boundaries_are_one_clear_error(arguments, message):
    defaults = {"score": lambda rows: [0.0 for _ in rows], "points": POINTS, "classes": CLASSES}
    with pytest.raises(ValueError, match=re.escape(message)):
        DecisionBoundary(**(defaults | arguments))
