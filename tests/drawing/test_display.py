"""A picture in a cell: never cut off, legible at every width, alive where scripts run, else an image."""

import base64
import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from scalargrad.drawing import display, draw
from scalargrad.engine import Value
from scalargrad.nn import Parameter
from scalargrad.nn.recurrent import LSTMCell
from tests.drawing.cells import MEASURE, WIDTHS, measured, network, show

__all__ = ["show"]  # a fixture

# Graphs.


def neuron():
    x1, x2 = Value(2.0, "x1"), Value(0.0, "x2")
    w1, w2, b = Parameter(-3.0, "w1"), Parameter(1.0, "w2"), Parameter(6.8813735870195432, "b")
    o = (x1 * w1 + x2 * w2 + b).tanh()
    o.label = "o"
    o.backward()
    return o


def recurrent():
    hidden = cell = None
    lstm = LSTMCell(2, 2, rng=0)
    for step in ([Value(0.5, "x1"), Value(0.1, "x2")], [0.2, 0.3]):
        hidden, cell = lstm(step, hidden and (hidden, cell))
    total = hidden[0] + hidden[1]
    total.backward()
    return total


def chain():
    x = Value(1.0, "x")
    for _ in range(12):
        x = (x * 1.1).tanh()
    x.backward()
    return x


def large():
    values = [Value(float(place), f"a long label of the leaf {place}") for place in range(90)]
    for _ in range(5):
        values = [x * y for x, y in zip(values, values[1:] + values[:1], strict=True)]
    total = sum(values[1:], values[0])
    total.backward()
    return total


def wide_network():
    return network(widths=(16, 16, 1))


def network_before_backward():
    return network(backward=False)


GRAPHS = [neuron, network, network_before_backward, wide_network, chain, large]
GRAPHS.append(pytest.param(recurrent, marks=pytest.mark.long))


# Without a browser.


class Elements(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


def test_where_scripts_are_stripped_an_image_is_left():
    drawing = draw(neuron())
    html = drawing.html()
    tags = Elements(html).found
    assert [tag for tag, _ in tags] == ["div", "img", "script"]
    image = tags[1][1]
    kind, _, content = image["src"].partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert ElementTree.fromstring(base64.b64decode(content)).tag.endswith("svg")
    assert image["alt"].startswith("o = 0.7071: 10 values, after backward()")
    assert "∂o/∂x1 = −1.5" in image["alt"]
    assert image["style"] == "max-width:100%"


def test_a_notebook_gets_html_svg_and_text():
    drawing = draw(neuron())
    bundle = drawing._repr_mimebundle_()
    assert list(bundle) == ["text/html", "image/svg+xml", "text/plain"]
    assert bundle["image/svg+xml"] == drawing.svg()


def test_pages_follow_the_reader_and_files_do_not_unless_asked():
    graph = neuron()

    def shown(drawing):
        return base64.b64decode(re.search('base64,([^"]+)', drawing.html())[1]).decode()

    assert "prefers-color-scheme:dark" in shown(draw(graph))
    assert "prefers-color-scheme" not in draw(graph).svg()
    assert "#0F141A" not in draw(graph).svg()
    for theme, ground in (("light", "#FFFFFF"), ("dark", "#0F141A")):
        for text in (draw(graph, theme=theme).svg(), shown(draw(graph, theme=theme))):
            assert "prefers-color-scheme" not in text
            assert f".sg-f-ground{{fill:{ground}}}" in text
    assert "prefers-color-scheme" in draw(graph, theme="auto").svg()


def test_no_id_stands_twice_on_a_page_that_shows_a_drawing_twice():
    drawing = draw(neuron())
    pages = [drawing.html(), drawing.html(), draw(neuron()).html(), drawing.svg()]
    ids = [set(re.findall(r"scalargrad-[0-9a-f]{8}-\d+", page)) for page in pages]
    assert [len(found) for found in ids] == [1, 1, 1, 1]
    assert len(set.union(*ids)) == 4


def test_the_same_graph_gives_the_same_html_apart_from_the_id():
    def without_id(html):
        figure = re.search('id="([^"]+)"', html)[1]
        source = re.search('base64,([^"]+)', html)[1]
        return (html.replace(source, "") + base64.b64decode(source).decode()).replace(figure, "ID")

    assert without_id(draw(network()).html()) == without_id(draw(network()).html())


def test_a_drawing_keeps_what_it_showed_at_every_width():
    output = neuron()
    drawing = draw(output)
    output.data = output.grad = 99.0
    output.operands[0].data = 98.0
    assert not re.search(r">9[89]<", "".join(display_of(drawing)))


def display_of(drawing):
    """The SVGs that are in its HTML."""
    html = drawing.html()
    (arguments,) = re.findall(r'"[^"]+",(\[\[.*\]\]),"', html)
    first = base64.b64decode(re.search('base64,([^"]+)', html)[1]).decode()
    return [text or first for _, text in json.loads(arguments)]


@pytest.mark.parametrize("graph", GRAPHS)
def test_each_picture_is_narrower_than_the_one_before_and_the_last_fits_a_telephone(graph):
    drawing = draw(graph())
    pictures = display_of(drawing)
    widths = [display.least_width(svg) for svg in pictures]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] <= 390
    assert len(pictures) <= 5
    ids = [re.search('<svg[^>]* id="([^"]+)"', svg)[1] for svg in pictures]
    assert len(set(ids)) == len(ids)
    for svg in pictures:
        assert drawing.heading in [element.text for element in ElementTree.fromstring(svg).iter() if element.text]


# In a browser.


@pytest.mark.parametrize("graph", GRAPHS)
def test_nothing_is_cut_off_and_every_text_can_be_read(show, graph):
    html = draw(graph()).html()
    for width in WIDTHS:
        found = measured(show(html, width=width))
        assert found["left"] >= 12
        assert found["right"] <= 12 + width
        assert found["page"] == 0
        assert found["shown"] == pytest.approx([0, 0, *found["size"]], abs=1)
        assert found["smallest"] >= 9 - 1e-6
        assert found["scale"] <= 1 + 1e-6
        assert len(found["titles"]) > 2
        assert all(found["titles"])


def test_the_measure_finds_texts_that_are_too_small(show, monkeypatch):
    monkeypatch.setattr(display, "LEAST_TEXT", 3.0)
    found = measured(show(draw(neuron()).html(), width=390))
    assert found["smallest"] < 9


def test_tooltips_are_those_of_the_picture(show):
    drawing = draw(network())
    tab = show(drawing.html(), width=1400)
    titles = measured(tab)["titles"]
    for edge in drawing.view.edges:
        assert edge.explanation in titles
    for card in drawing.view.cards:
        assert card.explanation in titles


def test_it_follows_its_cell(show):
    tab = show(draw(neuron()).html(), width=1200)
    heights = []
    for width in (1200, 848, 390, 1200):
        tab.evaluate(f"document.getElementById('cell').style.width = '{width}px'")
        tab.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        heights.append(round(measured(tab)["height"]))
    assert heights == [406, heights[1], heights[2], 406]
    assert len(set(heights)) == 3


def press(tab, name):
    tab.get_by_role("button", name=name, exact=True).click()


def test_buttons_zoom_and_fit(show):
    tab = show(draw(network()).html(), width=1000)
    fitted = measured(tab)
    press(tab, "Zoom in")
    press(tab, "Zoom in")
    closer = measured(tab)
    assert closer["scale"] == pytest.approx(fitted["scale"] * 1.25**2, rel=0.01)
    assert closer["height"] == fitted["height"]  # the page below does not jump
    assert closer["right"] == fitted["right"]
    press(tab, "Natural size")
    assert measured(tab)["scale"] == pytest.approx(1.0)
    press(tab, "Fit to the width")
    assert measured(tab)["shown"] == fitted["shown"]
    for _ in range(9):
        press(tab, "Zoom out")
    assert measured(tab)["scale"] == pytest.approx(fitted["scale"], rel=0.01)


def test_dragging_and_arrows_move_what_was_enlarged_and_stop_at_its_edges(show):
    tab = show(draw(neuron()).html(), width=1000)
    stage = tab.locator(".sg-stage")
    press(tab, "Zoom in")
    press(tab, "Zoom in")
    before = measured(tab)["shown"]
    box = stage.bounding_box()
    x, y = box["x"] + 500, box["y"] + 200
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.mouse.move(x - 60, y - 30, steps=3)
    tab.mouse.up()
    after = measured(tab)["shown"]
    assert after[0] - before[0] == pytest.approx(60 / 1.25**2, abs=1)
    assert after[1] - before[1] == pytest.approx(30 / 1.25**2, abs=1)
    tab.mouse.move(x - 200, y)
    assert measured(tab)["shown"] == after  # the button is up
    stage.focus()
    for _ in range(30):
        tab.keyboard.press("ArrowLeft")
    assert measured(tab)["shown"][0] == 0
    for _ in range(30):
        tab.keyboard.press("ArrowRight")
    found = measured(tab)
    assert found["shown"][0] + found["shown"][2] == pytest.approx(found["size"][0], abs=1)
    tab.keyboard.press("0")
    assert measured(tab)["shown"][0] == 0


def test_a_plain_wheel_scrolls_the_page_and_one_with_ctrl_zooms_at_the_pointer(show):
    tab = show(draw(neuron()).html(), "<div style='height:3000px'>", width=1000)
    box = tab.locator(".sg-stage").bounding_box()
    tab.mouse.move(box["x"] + 700, box["y"] + 100)
    fitted = measured(tab)["shown"]
    tab.mouse.wheel(0, 200)
    tab.wait_for_function("window.scrollY > 100")
    assert measured(tab)["shown"] == fitted
    tab.evaluate("window.scrollTo(0, 0)")
    tab.keyboard.down("Control")
    tab.mouse.wheel(0, -200)
    tab.keyboard.up("Control")
    tab.wait_for_function(f"document.querySelector('.sg-stage svg').viewBox.baseVal.width < {fitted[2] - 1}")
    x, _, width, _ = measured(tab)["shown"]
    at = x + 700 * width / min(1000, fitted[2])
    assert at == pytest.approx(700, abs=2)
    assert tab.evaluate("window.scrollY") == 0


def test_more_and_less_detail_are_there_at_every_width(show):
    tab = show(draw(network()).html(), width=390)
    coarse = measured(tab)
    assert "9 values" not in " ".join(coarse["texts"])
    while tab.get_by_role("button", name="Show more detail").is_enabled():
        press(tab, "Show more detail")
    fine = measured(tab)
    assert "neurons.3" in fine["texts"]
    assert fine["scale"] == pytest.approx(1.0)  # it pans, and is not made small
    assert fine["right"] <= 390 + 12
    press(tab, "Fit to the width")
    assert measured(tab) == coarse


def test_keys_of_the_page_are_left_alone(show):
    tab = show(draw(neuron()).html(), width=1000)
    tab.evaluate("document.addEventListener('keydown', (event) => (window.last = event.defaultPrevented))")
    tab.locator(".sg-stage").focus()
    for key, taken in (
        ("a", False),
        ("ArrowDown", False),
        ("Control+-", False),
        ("+", True),
        ("ArrowDown", True),
        ("0", True),
    ):
        tab.keyboard.press(key)
        assert tab.evaluate("window.last") is taken, key


def test_several_pictures_on_a_page_are_told_apart(show):
    drawing = draw(neuron())
    tab = show(drawing.html(), drawing.html(), draw(network()).html(), width=1000)
    ids = tab.evaluate("[...document.querySelectorAll('[id]')].map((element) => element.id)")
    assert len(ids) == len(set(ids)) > 60
    before = [found["shown"] for found in tab.evaluate(MEASURE)]
    tab.get_by_role("button", name="Zoom in").nth(1).click()
    after = [found["shown"] for found in tab.evaluate(MEASURE)]
    assert [first == second for first, second in zip(before, after, strict=True)] == [True, False, True]


GROUND = "getComputedStyle(document.querySelector('.sg-stage .sg-f-ground')).fill"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_are_those_of_the_reader_or_of_the_notebook_where_it_has_a_theme(show, scheme):
    white, black = "rgb(255, 255, 255)", "rgb(15, 20, 26)"
    html = draw(neuron()).html()
    assert show(html, color_scheme=scheme).evaluate(GROUND) == (black if scheme == "dark" else white)
    for says, ground in (('data-jp-theme-light="false"', black), ('data-jp-theme-light="true"', white)):
        assert show(html, body=says, color_scheme=scheme).evaluate(GROUND) == ground
    assert show(html, body='class="vscode-dark"', color_scheme=scheme).evaluate(GROUND) == black
    tab = show(html, color_scheme=scheme)
    tab.evaluate("document.body.dataset.jpThemeLight = 'false'")
    tab.wait_for_function(f"{GROUND} === '{black}'")
    assert show(draw(neuron(), theme="dark").html(), color_scheme=scheme).evaluate(GROUND) == black


def test_without_scripts_the_image_fits_the_cell(show):
    tab = show(draw(network()).html(), width=600, java_script_enabled=False)
    box = tab.locator("img").bounding_box()
    assert box["width"] == pytest.approx(600, abs=1)
    assert box["height"] > 150


HOSTILE = ["</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "]]>", "\"'&quot;", "\u2028\ud800"]


def test_labels_stay_text(show):
    leaves = [Value(1.0, label) for label in HOSTILE]
    total = sum(leaves[1:], leaves[0])
    total.backward()
    tab = show(draw(total, title="</title><b>").html(), width=390)
    assert tab.evaluate("document.querySelectorAll('script').length") == 1
    assert tab.evaluate("document.querySelectorAll('img, b').length") == 0
    titles = tab.evaluate("[...document.querySelectorAll('title')].map((title) => title.textContent).join()")
    assert "</title><b>" in titles
