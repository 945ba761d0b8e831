"""Record the live pages in Chromium: pictures under figures/, and the film with which the README begins.

    python notebooks/record.py            all of them
    python notebooks/record.py explore    those whose names begin so

It takes playwright, and Chromium where CHROMIUM says, or at /usr/bin/chromium.
"""

import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy
from PIL import Image

from scalargrad import MLP, Adam, Parameter, Value, explore, mse, playground
from scalargrad.datasets import load_moons

FIGURES = Path(__file__).resolve().parent / "figures"
WIDE, CELL, PHONE = (1280, 800), (848, 812), (390, 844)
FILM_SIZE, FILM_STEPS, FILM_SECONDS = (1200, 720), 14, 0.13
FROM, TO = 0.64, 0.53  # of the slider's width
PLAYED = 60  # epochs of the playground
MOST_COLOURS = 255  # and one for what stays as it was


class Shot(NamedTuple):
    """A picture of a page: its file, which page, the window, the theme, and which card and keys are pressed before."""

    name: str
    page: str
    size: tuple[int, int]
    theme: str = "light"
    card: str = ""
    keys: tuple[str, ...] = ()


SHOTS = [
    Shot("explore", "neuron", WIDE, card="x1"),
    Shot("explore-dark", "neuron", WIDE, "dark", "x1"),
    Shot("explore-cell", "network", CELL, card="x1"),
    Shot("explore-phone", "neuron", PHONE, card="w1"),
    Shot("step", "neuron", WIDE, keys=("s", "End", "ArrowLeft")),
    Shot("quiz", "neuron", WIDE, keys=("q",)),
    Shot("playground", "playground", WIDE, keys=("ArrowRight",) * PLAYED),
    Shot("playground-phone", "playground", PHONE, "dark", keys=("ArrowRight",) * PLAYED),
]


def neuron() -> Value:
    """The neuron of lesson 2: tanh(x1·w1 + x2·w2 + b)."""
    x1, x2 = Value(2.0, "x1"), Value(0.0, "x2")
    w1, w2, b = Parameter(-3.0, "w1"), Parameter(1.0, "w2"), Parameter(6.8813735870195432, "b")
    both = x1 * w1 + x2 * w2
    n = both + b
    o = n.tanh()
    both.label, n.label, o.label = "x1w1+x2w2", "n", "o"
    return o


def network() -> Value:
    """The loss of a small network on one sample."""
    model = MLP(2, [3, 1], activation="tanh", rng=3)
    loss = mse([model([Value(1.0, "x1"), Value(-2.0, "x2")])], [1.0])
    loss.label = "loss"
    return loss


def moons() -> Any:
    """The playground of the main job's network."""
    points, labels = load_moons()
    return playground(MLP(2, [8, 8, 1], rng=3), points, labels, optimizer=Adam(0.025), l2=1e-4)


PAGES = {"neuron": lambda: explore(neuron()), "network": lambda: explore(network()), "playground": moons}


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium, without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        found = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield found
        finally:
            found.close()


@contextmanager
def opened(chromium: Any, page: str, size: tuple[int, int], theme: str = "light") -> Iterator[Any]:
    """A page in a tab of this size."""
    width, height = size
    tab = chromium.new_page(viewport={"width": width, "height": height}, color_scheme=theme)
    with tempfile.TemporaryDirectory() as folder:
        tab.goto(PAGES[page]().save(Path(folder) / "page.html").resolve().as_uri())
        tab.wait_for_timeout(300)
        try:
            yield tab
        finally:
            tab.close()


def picture_of(tab: Any) -> Image.Image:
    return Image.open(io.BytesIO(tab.screenshot())).convert("RGB")


def with_few_colours(pictures: list[Image.Image]) -> list[Image.Image]:
    """Each with the colours alone that all together have most of: others become the nearest of these.

    Pillow's own quantize() would turn white into a grey. What does not change from picture to picture costs nothing.
    """
    packed = [numpy.asarray(picture).astype(numpy.int64) @ (65536, 256, 1) for picture in pictures]
    colours, places, counts = numpy.unique(numpy.stack(packed), return_inverse=True, return_counts=True)
    parts = numpy.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1).astype(float)
    kept = parts[numpy.argsort(-counts, kind="stable")[:MOST_COLOURS]]
    distances = (parts**2).sum(1)[:, None] - 2.0 * parts @ kept.T + (kept**2).sum(1)
    found = distances.argmin(1).astype(numpy.uint8)[places].reshape(len(pictures), *packed[0].shape)
    results = [Image.fromarray(each, "P") for each in found]
    for result in results:
        result.putpalette(kept.astype(numpy.uint8).tobytes())
    return results


def record(chromium: Any, shot: Shot, folder: Path = FIGURES) -> Path:
    """Take one picture. Returns its path."""
    with opened(chromium, shot.page, shot.size, shot.theme) as tab:
        if shot.card:
            tab.get_by_role("button", name=f"{shot.card},").first.click()
        for key in shot.keys:
            tab.keyboard.press(key)
        tab.wait_for_timeout(300)
        path = folder / f"{shot.name}.png"
        (picture,) = with_few_colours([picture_of(tab)])
        picture.save(path, optimize=True)
    return path


def film(chromium: Any, path: Path = FIGURES / "explore.gif", steps: int = FILM_STEPS) -> Path:
    """A slider of the neuron is dragged to the left and back, and all numbers follow. Returns the path."""
    with opened(chromium, "neuron", FILM_SIZE) as tab:
        slider = tab.get_by_role("slider", name="x1").first
        box = slider.bounding_box()
        middle = box["y"] + box["height"] / 2
        places = [box["x"] + (FROM + (TO - FROM) * step / steps) * box["width"] for step in range(steps + 1)]
        tab.mouse.move(places[0], middle)
        tab.mouse.down()
        pictures = []
        for place in places:
            tab.mouse.move(place, middle)
            tab.wait_for_timeout(50)
            pictures.append(picture_of(tab))
        tab.mouse.up()
    there = with_few_colours(pictures)
    others = [*there[1:], *there[-2:0:-1]]
    there[0].save(path, save_all=True, append_images=others, duration=round(1000 * FILM_SECONDS), loop=0)
    return path


if __name__ == "__main__":
    wanted = tuple(sys.argv[1:]) or ("",)
    with browser() as chromium:
        for shot in SHOTS:
            if shot.name.startswith(wanted):
                print(record(chromium, shot).name)
        if "explore.gif".startswith(wanted):
            print(film(chromium).name)
