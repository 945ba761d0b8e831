"""What notebooks show, in JupyterLab, Notebook 7 and marimo themselves: widgets, training while it runs, tables."""

import json
import re
import time
import urllib.request
from itertools import count

import pytest

from tests.pages.conftest import settle
from tests.pages.notebooks import MarimoNotebook, Notebook, jupyter, marimo, write_notebook

numbers = count(1)  # of notebooks: each has a file, and a kernel, of its own
pytestmark = pytest.mark.oracle("jupyterlab", "chromium")

GRAPH = """
from scalargrad import Value, explore
x, w, b = Value(2.0, "x"), Value(-3.0, "w"), Value(1.0, "b")
o = (x * w + b).tanh()
o.label = "o"
page = explore(o)
page
""".strip()
READ = "print(x.data, o.data, x.grad, w.grad, b.data)"
TRAINING = """
from scalargrad import MLP, live
import numpy
X = numpy.random.default_rng(0).normal(size=(40, 2))
model = MLP(2, [4, 1], rng=0)
history = model.fit(X, X[:, 0] > 0, loss="binary_cross_entropy", epochs=EPOCHS, validation=0.2, callbacks=[live(model)])
""".strip()


@pytest.fixture(scope="module", params=["light", "dark"])
def themed(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    with jupyter(folder, dark=request.param == "dark") as address:
        yield request.param, folder, address


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("jupyter")
    with jupyter(folder) as address:
        yield folder, address


def end_kernels(address):
    with urllib.request.urlopen(f"{address}/api/sessions") as answer:
        sessions = json.load(answer)
    for session in sessions:
        urllib.request.urlopen(urllib.request.Request(f"{address}/api/sessions/{session['id']}", method="DELETE"))


@pytest.fixture
def open_notebook(browser):
    """Opens a notebook of these cells in a tab, or one that there is; afterwards no script of ours may have failed."""
    opened, failed = [], []

    def opened_notebook(server, cells, application="lab/tree", name=""):
        folder, address = server
        name = name or f"cells-{next(numbers)}"
        if cells is not None:
            write_notebook(folder / f"{name}.ipynb", cells)
        tab = browser.new_page(viewport={"width": 1280, "height": 1200})
        tab.on("pageerror", lambda error: failed.append(error.stack) if "blob:" in (error.stack or "") else None)
        opened.append(tab)
        return Notebook(tab, f"{address}/{application}/{name}.ipynb?reset")  # without other notebooks in tabs

    yield opened_notebook
    for tab in opened:
        tab.close()
    assert failed == []


def drag(tab, slider, share):
    """Drag a slider's knob with the mouse to this share of its width."""
    slider.scroll_into_view_if_needed()
    settle(tab)
    box = slider.bounding_box()
    now = slider.evaluate("x => (x.value - x.min) / (x.max - x.min)")
    middle = box["y"] + box["height"] / 2
    tab.mouse.move(box["x"] + box["width"] * now, middle)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] * share, middle, steps=8)
    tab.mouse.up()
    settle(tab)


def sliders(place):
    return place.locator('.sg-live .sg-stage input[type="range"]')


def numbers_read(text):
    return [float(number) for number in re.findall(r"-?\d[\d.e-]*", text)]


def expected(x, w, b):
    """What eager Values give."""
    from scalargrad import Value

    x, w, b = Value(x), Value(w), Value(b)
    o = (x * w + b).tanh()
    o.backward()
    return [x.data, o.data, x.grad, w.grad, b.data]


def wait_for(found, wanted, seconds=30.0):
    end = time.monotonic() + seconds
    while (now := found()) != wanted:
        assert time.monotonic() < end, f"{now} is not {wanted}"
        time.sleep(0.05)


@pytest.mark.parametrize("application", ["lab/tree", "notebooks"])
def test_values_move_with_sliders_and_sliders_with_values(server, open_notebook, application):
    notebook = open_notebook(server, [GRAPH, READ, "x.data = 1.0", READ], application)
    notebook.run(0)
    knobs = sliders(notebook.cell(0))
    knobs.first.wait_for()
    assert knobs.count() == 3
    drag(notebook.tab, knobs.nth(0), 0.75)
    moved = float(knobs.nth(0).input_value())
    assert 4.0 < moved < 6.0
    found = numbers_read(notebook.text(1))
    assert found == pytest.approx(expected(moved, -3.0, 1.0), rel=1e-12)
    notebook.run(2)
    wait_for(lambda: float(knobs.nth(0).input_value()), 1.0)
    assert numbers_read(notebook.text(3))[0] == 1.0


@pytest.mark.parametrize("application", ["lab/tree", "notebooks"])
def test_letters_on_the_widget_are_no_commands_of_the_notebook(server, open_notebook, application):
    notebook = open_notebook(server, [GRAPH, "1", "2"], application)
    notebook.run(0)
    notebook.run(2)
    sliders(notebook.cell(0)).first.click()
    for key in "ddxx":
        notebook.tab.keyboard.press(key)
    assert notebook.tab.locator(".jp-Notebook .jp-CodeCell").count() == 3


def test_a_loop_in_a_cell_moves_the_page_while_it_runs(server, open_notebook):
    loop = "import time\nfor n in range(40):\n    b.data = n / 10\n    time.sleep(0.05)"
    notebook = open_notebook(server, [GRAPH, loop])
    notebook.run(0)
    knob = sliders(notebook.cell(0)).nth(2)
    knob.wait_for()
    notebook.run(1, wait=False)
    seen = set()
    while notebook.count(1) == "[*]:":
        seen.add(knob.input_value())
    assert len(seen) > 5
    wait_for(lambda: float(knob.input_value()), 3.9)


def test_several_widgets_move_together_and_cells_are_run_again(server, open_notebook):
    notebook = open_notebook(server, [GRAPH, "page", "explore(o + x)", GRAPH, READ])
    for place in (0, 1, 2):
        notebook.run(place)
    first, same, other = (sliders(notebook.cell(place)).first for place in (0, 1, 2))
    other.wait_for()
    drag(notebook.tab, first, 0.75)
    moved = first.input_value()
    wait_for(same.input_value, moved)
    wait_for(other.input_value, moved)
    drag(notebook.tab, other, 0.25)
    wait_for(first.input_value, other.input_value())
    notebook.run(0)  # new Values, and the old widgets stay as they are
    sliders(notebook.cell(0)).first.wait_for()
    drag(notebook.tab, sliders(notebook.cell(0)).first, 0.9)
    moved = float(sliders(notebook.cell(0)).first.input_value())
    assert numbers_read(notebook.text(4))[0] == moved


def test_a_notebook_that_was_saved_with_its_widgets_shows_them_without_a_kernel_that_knows_them(server, open_notebook):
    folder, address = server
    path = folder / "settings" / "@jupyter-widgets" / "jupyterlab-manager" / "plugin.jupyterlab-settings"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{"saveState": true}', encoding="utf-8")
    notebook = open_notebook(server, [GRAPH], name="saved")
    notebook.run(0)
    drag(notebook.tab, sliders(notebook.cell(0)).first, 0.75)
    moved = sliders(notebook.cell(0)).first.input_value()
    notebook.tab.keyboard.press("Control+s")
    file = folder / "saved.ipynb"
    wait_for(lambda: re.search(r'"widgets": .*\}\s*$', file.read_text(encoding="utf-8"), re.DOTALL) is not None, True)
    notebook.tab.close()
    end_kernels(address)
    again = open_notebook(server, None, name="saved")
    sliders(again.cell(0)).first.wait_for()
    assert sliders(again.cell(0)).first.input_value() == moved
    (output,) = json.loads(file.read_text(encoding="utf-8"))["cells"][0]["outputs"]
    assert sorted(output["data"]) == ["application/vnd.jupyter.widget-view+json", "image/svg+xml", "text/plain"]


def test_without_anywidget_the_page_itself_is_shown_in_a_frame(server, open_notebook):
    notebook = open_notebook(server, [f"import sys\nsys.modules['anywidget'] = None\n{GRAPH}"])
    notebook.run(0)
    knob = notebook.cell(0).locator("iframe").content_frame.locator('input[type="range"]').first
    knob.wait_for()
    assert knob.input_value() == "2"


def test_the_widget_is_light_or_dark_as_the_notebook_is(themed, open_notebook):
    theme, folder, address = themed
    notebook = open_notebook((folder, address), [GRAPH])
    notebook.run(0)
    root = notebook.cell(0).locator(".sg-live")
    root.wait_for()
    wait_for(lambda: root.get_attribute("data-theme"), theme)


def test_training_is_drawn_while_it_runs_and_stays(server, open_notebook):
    notebook = open_notebook(server, [TRAINING.replace("EPOCHS", "200_000"), "history"])
    notebook.run(0, wait=False)
    output = notebook.cell(0).locator(".jp-OutputArea-output")
    output.locator("polyline").first.wait_for()
    seen = set()
    while len(seen) < 3:
        seen.add(output.inner_text().split(", loss")[0])
        assert notebook.count(0) == "[*]:"
    assert all(re.fullmatch(r"epoch [\d,]+ of 200,000", words) for words in seen)
    notebook.tab.locator('[data-command="notebook:interrupt-kernel"]').first.click()
    wait_for(lambda: notebook.count(0) == "[*]:", False)
    assert output.count() == 1
    assert output.inner_text().split("\n")[0].endswith("; interrupted")
    assert output.locator("img").evaluate("x => [x.naturalWidth, x.width]") == [600, 300]
    notebook.run(1)
    assert notebook.cell(1).locator("svg polyline").count() == 4


def test_tables_are_read_on_light_and_on_dark_pages(themed, open_notebook):
    _, folder, address = themed
    cells = [
        "from scalargrad import MLP, Value, diagnose\nMLP(2, [4, 1], rng=0).summary()",
        "w = Value(0.0, 'w')\nwith diagnose([w]) as report:\n    w.log().backward()\nreport",
    ]
    notebook = open_notebook((folder, address), cells)
    for place, element in ((0, "td"), (1, "li")):
        notebook.run(place)
        found = notebook.cell(place).locator(f".jp-OutputArea-output {element}").first
        colours = found.evaluate(
            "x => [getComputedStyle(x).color, getComputedStyle(document.querySelector('.jp-Notebook')).backgroundColor]"
        )
        light, dark = sorted((_luminance(colour) for colour in colours), reverse=True)
        assert (light + 0.05) / (dark + 0.05) > 4.5
        assert found.evaluate("x => getComputedStyle(x).textAlign") in ("left", "start")


def _luminance(colour):
    linear = [(c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4) for c in _shares(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _shares(colour):
    return [float(x) / 255 for x in re.findall(r"[\d.]+", colour)[:3]]


def test_long_formulas_are_no_wider_than_the_cell(server, open_notebook):
    cell = """
from scalargrad import MLP, explain
model = MLP(2, [16, 16, 1], rng=0)
explain(model([0.5, -1.0]), model.parameters()[0])
""".strip()
    notebook = open_notebook(server, [cell])
    output = notebook.run(0)
    output.locator("mjx-container mjx-math").wait_for()
    width, room = output.evaluate(
        "x => [x.querySelector('mjx-math').getBoundingClientRect().width, x.getBoundingClientRect().width]"
    )
    assert room / 2 < width <= room


@pytest.mark.oracle("marimo")
def test_marimo_shows_the_same(tmp_path, browser):
    cells = [GRAPH, READ.replace("print(", "[").replace(")", "]"), "x.data = 1.0", TRAINING.replace("EPOCHS", "20")]
    with marimo(tmp_path, cells) as address:
        tab = browser.new_page(viewport={"width": 1280, "height": 1200})
        notebook = MarimoNotebook(tab, address)
        notebook.run(0)
        knob = sliders(tab).first
        knob.wait_for()
        drag(tab, knob, 0.75)
        moved = float(knob.input_value())
        shown = notebook.run(1)
        wait_for(lambda: numbers_read(re.sub(r"\d+ Items|\d+:", "", shown.inner_text()))[:1], [moved])
        found = numbers_read(re.sub(r"\d+ Items|\d+:", "", shown.inner_text()))
        assert found == pytest.approx(expected(moved, -3.0, 1.0), rel=1e-12)
        notebook.run(2)
        wait_for(lambda: float(knob.input_value()), 1.0)
        notebook.run(3).locator("polyline").first.wait_for()
        wait_for(lambda: notebook.output(3).inner_text().split(",")[0], "epoch 20 of 20")
        tab.close()
