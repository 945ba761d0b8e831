"""draw_frames: gradients and decision boundaries, frame by frame."""

import base64
import json
import math
import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from scalargrad.drawing import DecisionBoundary, draw, draw_frames
from scalargrad.drawing.contours import contours
from scalargrad.drawing.palette import LIGHT
from scalargrad.engine import Value
from tests.drawing.cells import WIDTHS, measured, network, show

SVG = "{http://www.w3.org/2000/svg}"
__all__ = ["show"]  # a fixture

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
    assert re.search(r":hover \.sg-frame\{animation-play-state:paused\}", svg)  # and it stays for who looks closely
    assert "<script" not in svg


def test_graphs_of_different_structure_may_follow_each_other(tmp_path):
    x = Value(1.0, "x")
    path = draw_frames([x * x, x * x + x, draw(x.tanh())], tmp_path / "a.svg")
    assert ElementTree.parse(path).getroot().get("role") == "img"


def area_of(outline):
    """Twice the area, negative for a hole (the shoelace formula)."""
    return sum(x * after_y - after_x * y for (x, y), (after_x, after_y) in pairwise([*outline, outline[0]]))


def test_a_boundary_is_blue_above_the_level_and_orange_below():
    picture = boundary(shift=1.0, level=0.0, resolution=10)
    areas = dict(picture.areas())
    colours = [f"tint-negative-{step}" for step in (2, 1)] + [f"tint-positive-{step}" for step in (1, 2, 3)]
    assert list(areas) == colours
    sizes = [sum(map(area_of, areas[colour].outlines)) / 2 for colour in colours]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[2] == pytest.approx(360.0**2 / 2, rel=1e-6)  # x + y > 1, half of the plane
    for x, y in areas["tint-positive-1"].outlines[0]:
        assert x - y >= -1e-6  # the upper right half: upwards on the page is less
    (line,) = areas["tint-positive-1"].lines
    assert all(x == pytest.approx(y) for x, y in line)
    assert {line[0], line[-1]} == {(0.0, 0.0), (360.0, 360.0)} or len(line) >= 2
    assert [colour for _, _, colour in picture.dots()] == ["negative", "positive", "positive"]
    (x, y, _), (other_x, other_y, _), _ = picture.dots()
    assert x < other_x
    assert y > other_y


def test_classes_have_shapes_as_well_as_colours(tmp_path):
    root = ElementTree.parse(draw_frames([boundary(shift=1.0, level=0.0)], tmp_path / "a.svg")).getroot()
    dots = [element for element in root.iter(f"{SVG}circle") if "sg-f-positive" in element.get("class")]
    diamonds = [element for element in root.iter(f"{SVG}path") if "sg-f-negative" in element.get("class")]
    assert len(dots) == CLASSES.count(1)
    assert len(diamonds) == CLASSES.count(0)
    (line,) = [element for element in root.iter(f"{SVG}path") if "sg-s-ink" in element.get("class")]
    assert line.get("fill") == "none"


def test_a_plane_without_a_boundary_has_no_line(tmp_path):
    picture = DecisionBoundary(lambda rows: [1.0 for _ in rows], POINTS, CLASSES, resolution=5)
    assert dict(picture.areas())["tint-positive-1"].lines == []
    assert "sg-s-ink" not in draw_frames([picture], tmp_path / "a.svg").read_text(encoding="utf-8")


def waves(rows, columns, a, b):
    return [[math.sin(a * row) * math.cos(b * column) + 0.3 * a for column in range(columns)] for row in range(rows)]


@pytest.mark.parametrize("level", [-0.4, 0.05, 0.31])
@pytest.mark.parametrize("grid", [waves(9, 12, 0.9, 0.7), waves(5, 5, 2.1, 1.9), waves(2, 7, 0.4, 3.0)])
def test_contours_are_those_of_contourpy(grid, level):
    contourpy = pytest.importorskip("contourpy")  # matplotlib brings it
    theirs = contourpy.contour_generator(z=grid, name="serial", line_type="Separate", fill_type="OuterOffset")
    ours = contours(grid, level)

    def points(lines):
        return sorted({(round(float(x), 7), round(float(y), 7)) for line in lines for x, y in line})

    assert points(ours.lines) == points(theirs.lines(level))
    polygons, offsets = theirs.filled(level, 1e9)
    expected = sum(
        abs(area_of(polygon[begin:end])) * (1 if place == 0 else -1)
        for polygon, parts in zip(polygons, offsets, strict=True)
        for place, (begin, end) in enumerate(pairwise(parts))
    )
    assert sum(map(area_of, ours.outlines)) == pytest.approx(expected, rel=1e-9)


def test_the_pixels_are_those_of_the_svg():
    picture = boundary(shift=1.0, level=0.0, resolution=10)
    image = picture.image()
    ground, down, left = LIGHT["ground"], 40, 20

    def colour(x, y):
        return "#{:02X}{:02X}{:02X}".format(*image.getpixel((left + x, down + y)))

    assert image.size == (400, 420)
    assert colour(-5, 5) == ground
    assert colour(330, 30) == LIGHT["tint-positive-3"]
    assert colour(30, 330) == LIGHT["tint-negative-3"]
    assert sum(image.getpixel((left + 100, down + 100))) < 150  # the line
    x, y, _ = picture.dots()[0]
    assert colour(round(x), round(y)) == LIGHT["negative"]


def test_boundaries_are_animated_as_svg_and_gif(tmp_path):
    frames = [boundary(shift, resolution=8, title=f"<epoch {shift}>") for shift in (0.0, 0.5, 1.0)]
    root = ElementTree.parse(draw_frames(frames, tmp_path / "a.svg")).getroot()
    assert "<epoch 0.5>" in [text.text for text in root.iter(f"{SVG}text")]
    image = pytest.importorskip("PIL.Image")
    with image.open(draw_frames(frames, tmp_path / "a.gif", seconds=0.2)) as gif:
        assert gif.n_frames == 3
        assert gif.info["duration"] == 200
        gif.seek(2)
        counts = gif.convert("RGB").getcolors()
    used = {f"#{red:02X}{green:02X}{blue:02X}" for count, (red, green, blue) in counts if count > 500}
    assert used == {LIGHT[part] for part in ("ground", "tint-positive-1", "tint-positive-2", "tint-positive-3")} | {
        LIGHT[f"tint-negative-{step}"] for step in (1, 2, 3)
    }


@pytest.mark.oracle("dot")
def test_a_gif_of_graphs_is_drawn_by_graphviz(tmp_path):
    image = pytest.importorskip("PIL.Image")
    with image.open(draw_frames(descent(3), tmp_path / "a.gif")) as gif:
        assert gif.n_frames == 3


def test_nan_scores_are_neutral():
    picture = DecisionBoundary(lambda rows: [math.nan for _ in rows], POINTS, CLASSES, resolution=4)
    assert sum(box.width * box.height for box in picture.unknown()) == pytest.approx(360.0**2)
    assert picture.image().getpixel((370, 50)) == tuple(bytes.fromhex(LIGHT["tint-zero"][1:]))
    half = DecisionBoundary(lambda rows: [x if x > 0.5 else math.inf for x, _ in rows], POINTS, CLASSES, resolution=4)
    assert half.unknown() == []


# Films.


def test_without_a_path_there_is_a_film(tmp_path):
    film = draw_frames(descent(), seconds=0.5)
    assert repr(film) == "<Film of 5 frames, 0.5 s each: w*w = 1.51>"
    bundle = film._repr_mimebundle_()
    assert list(bundle) == ["text/html", "image/svg+xml", "text/plain"]
    assert bundle["text/html"].startswith("<div ")
    written = film.save(tmp_path / "a.svg").read_text(encoding="utf-8")
    other = draw_frames(descent(), tmp_path / "b.svg", seconds=0.5).read_text(encoding="utf-8")

    def without_id(svg):
        return re.sub(r"scalargrad-[0-9a-f]+-animation-\d+", "ID", svg)

    assert without_id(written) == without_id(other) == without_id(bundle["image/svg+xml"])
    with pytest.raises(ValueError, match=r"saved as .svg or .gif, got 'a.mp4'"):
        film.save(tmp_path / "a.mp4")


def test_films_follow_the_theme_of_the_reader_and_files_do_not():
    for frames in (descent(2), [boundary(), boundary()]):
        film = draw_frames(frames)
        html = base64.b64decode(re.search('base64,([^"]+)', film.html())[1]).decode()
        assert "prefers-color-scheme:dark" in html
        assert "prefers-color-scheme" not in film.svg()


def frames_shown(tab):
    return tab.evaluate(
        "[...document.querySelectorAll('.sg-frame')].map((frame) => getComputedStyle(frame).visibility === 'visible')"
    )


def test_a_film_can_be_held(show):
    tab = show(draw_frames([boundary(shift, resolution=6) for shift in (0.0, 0.5, 1.0)], seconds=0.1).html())
    tab.wait_for_function("getComputedStyle(document.querySelector('.sg-frame')).visibility === 'visible'")
    tab.wait_for_function("getComputedStyle(document.querySelector('.sg-frame')).visibility === 'hidden'")
    tab.get_by_role("button", name="Hold the film").click()
    ids = tab.evaluate("[...document.querySelectorAll('[id]')].map((element) => element.id)")
    assert len(ids) == len(set(ids))
    held = frames_shown(tab)
    assert held.count(True) == 1
    for _ in range(5):
        tab.wait_for_timeout(70)
        assert frames_shown(tab) == held
    tab.get_by_role("button", name="Let the film go on").click()
    tab.mouse.move(0, 0)
    tab.wait_for_function(
        "held => held !== JSON.stringify([...document.querySelectorAll('.sg-frame')]"
        ".map((frame) => getComputedStyle(frame).visibility === 'visible'))",
        arg=json.dumps(held, separators=(",", ":")),
    )


def test_who_asks_for_less_motion_sees_the_last_frame(show):
    tab = show(draw_frames([boundary(), boundary()], seconds=0.1).html(), reduced_motion="reduce")
    assert frames_shown(tab) == [False, True]
    assert not tab.get_by_role("button", name="Hold the film").is_visible()


def test_a_film_fits_its_cell(show):
    def steps():
        for rate in (0.1, 0.2):
            loss = network(backward=False)
            loss.backward()
            yield loss + rate

    html = draw_frames(steps()).html()
    for width in WIDTHS:
        found = measured(show(html, width=width))
        assert found["right"] <= 12 + width
        assert found["smallest"] >= 9 - 1e-6


@pytest.mark.parametrize(
    ("frames", "options", "error", "message"),
    [
        ([], {}, ValueError, "got no frames"),
        ([1.0], {}, TypeError, "takes Values, Drawings or DecisionBoundaries, got 1.0"),
        ([Value(1.0), boundary()], {}, TypeError, "frames of one kind"),
        ([Value(1.0)], {"path": "a.mp4"}, ValueError, "saved as .svg or .gif, got 'a.mp4'"),
        ([Value(1.0)], {"seconds": 0}, ValueError, "from 0.02 to 60, got 0"),
        ([Value(1.0)], {"theme": "blue"}, ValueError, "theme 'blue' is not known"),
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
        ({"theme": "blue"}, "theme 'blue' is not known"),
        ({"points": [[math.nan, 0.0]] * 3}, "finite numbers"),
        ({"score": lambda rows: [0.0]}, "one number for each of 1600 rows, got 1"),
    ],
)
def test_wrong_boundaries_are_one_clear_error(arguments, message):
    defaults = {"score": lambda rows: [0.0 for _ in rows], "points": POINTS, "classes": CLASSES}
    with pytest.raises(ValueError, match=re.escape(message)):
        DecisionBoundary(**(defaults | arguments))
