"""step_through: the steps are those of backward(), and the page works, and stays inside itself, in a real browser."""

import base64
import hashlib
import html
import json
import math
import re

import pytest

from scalargrad.anomaly import anomaly_detection
from scalargrad.drawing.palette import DARK, LIGHT
from scalargrad.engine import Value, topological_order
from scalargrad.explaining.terms import MOST_VALUES, backward_terms, copy_of
from scalargrad.nn import MLP, Parameter
from scalargrad.observers import no_grad
from scalargrad.ops import dot, less, maximum, mean, take, where
from scalargrad.ops import sum as sum_of
from scalargrad.pages.stepping import step_through
from tests.pages.reader import Reader

LAST_STEP = 15  # of the neuron


# Graphs.


def neuron():
    x1, x2 = Value(2.0, "x1"), Value(0.0, "x2")
    w1, w2, b = Parameter(-3.0, "w1"), Parameter(1.0, "w2"), Parameter(6.8813735870195432, "b")
    n = x1 * w1 + x2 * w2 + b
    n.label = "n"
    o = n.tanh()
    o.label = "o"
    return o


def cube():
    a = Value(3.0, "a")
    return (a * a) * a + a


def network():
    y = MLP(2, [3, 1])([1.0, -2.0])
    return ((y if isinstance(y, Value) else y[0]) - 1.0) ** 2


def crossed_dot():
    a, b, c = Value(2.0, "a"), Value(3.0, "b"), Value(0.1, "c")
    return dot((b, a, a), (a, c, a)) * a


def many_kinds():
    x, y = Value(0.7, "x"), Value(-1.2, "y")
    chosen = where(less(x, y), x * 2.0, [x, y][1] - 1.0)
    return maximum(x, y, chosen) + mean((x, y, x)) + sum_of((x, x)) - (2.0 / y) + x**2 + y.relu()


def not_finite():
    x = Value(0.0, "x")
    return x.log() + x.sqrt() * x + (x - 1.0) ** 0.5


GRAPHS = [neuron, cube, network, crossed_dot, many_kinds, not_finite, lambda: Value(1.0, "leaf")]


def _set(value, gradient):
    LOG.append((value, repr(gradient)))
    Value.grad.__set__(value, gradient)


LOG: list = []
# Values that write down what their gradients are set to: classes with the slots of those that they stand for.
OBSERVED = {
    kind: type("Observed", (kind,), {"__slots__": (), "grad": property(Value.grad.__get__, _set)})
    for kind in (Value, Parameter)
}


# The steps.


@pytest.mark.parametrize("graph", GRAPHS)
def test_the_terms_are_what_backward_adds_in_its_order(graph):
    output = copy_of(graph(), None)
    order = topological_order(output)
    terms = backward_terms(output)
    for value in order:
        value.grad = 0.0
        value.__class__ = OBSERVED[type(value)]
    LOG.clear()
    output.backward()
    results = [value for value in order if value.op is not None]
    additions = LOG[len(results) + 1 :]  # after the interior is set to 0, and the seed
    assert [(order[term.operand], repr(term.after)) for term in terms] == additions
    for term in terms:
        expected = term.before + term.local * term.upstream
        assert repr(expected) == repr(term.after)


@pytest.mark.parametrize("graph", GRAPHS)
def test_the_graph_stays_as_it_was(graph):
    for ran_before in (False, True):
        output = graph()
        if ran_before:
            output.backward()
        order = topological_order(output)
        before = [(value.grad, value.label, value.op, value.first, value.second, type(value)) for value in order]
        step_through(output, names={"o": output})
        assert repr(before) == repr([(v.grad, v.label, v.op, v.first, v.second, type(v)) for v in order])


def test_the_page_is_the_same_before_and_after_backward_and_inside_blocks():
    page = step_through(neuron()).html
    ran = neuron()
    ran.backward()
    ran.backward()
    assert step_through(ran).html == page
    outside, broken = neuron(), not_finite()
    with no_grad():
        assert step_through(outside).html == page
    with anomaly_detection():
        assert step_through(outside).html == page
        assert "NaN" in step_through(broken).html


def texts(page):
    """Formula and note of each step."""
    data = json.loads(re.search('id="data">(.*?)</script>', page.html)[1])
    return [" ".join(piece for piece, _ in step["formula"]) + " | " + step["note"] for step in data["steps"]]


def test_the_words_of_a_neuron():
    words = texts(step_through(neuron()))
    assert len(words) == LAST_STEP + 1
    assert words[0].startswith("5 numbers are given, 5 will be computed from them.")
    assert words[1].startswith("x1*w1 = 2 × (−3) = −6 | ")
    assert re.match(r"n = v\d \+ b = −6 \+ 6.881 = 0.8814 \| ", words[4])
    assert words[5].startswith("o = tanh(n) = tanh(0.8814) = 0.7071 | ")
    assert words[6].startswith("∂o/∂o = 1 | ")
    assert words[7] == (
        "∂o/∂n += ∂o/∂n × ∂o/∂o = 0.5 × 1 = 0.5 | ∂o/∂n is now 0 + 0.5 = 0.5: its only term. "
        "tanh has the slope 1 − tanh²(n) = 1 − 0.7071² = 0.5 here."
    )
    assert words[8].endswith("its only term. A sum passes it on as it is.")
    assert words[14].endswith("its only term. A product passes on the other factor, here w1 = −3.")
    assert "∂o/∂x1 += ∂(x1*w1)/∂x1 × ∂o/∂(x1*w1) = −3 × 0.5 = −1.5 | ∂o/∂x1 is now 0 + (−1.5) = −1.5" in "\n".join(
        words
    )


def test_a_value_used_again_shows_its_running_sum():
    words = texts(step_through(cube()))
    sums = [re.search(r"∂output/∂a is now (.*?)\.", text)[1] for text in words if "∂output/∂a is now" in text]
    assert sums == [
        "0 + 1 = 1: the 1st of its 4 terms",
        "1 + 9 = 10: the 2nd of its 4 terms",
        "10 + 9 = 19: the 3rd of its 4 terms",
        "19 + 9 = 28: the 4th of its 4 terms",
    ]
    assert "∂(a*a)/∂(1st a)" in "".join(words)
    assert "∂(a*a)/∂(2nd a)" in "".join(words)


@pytest.mark.parametrize(
    ("expression", "written"),
    [
        (lambda x: (-x) ** 3, "(−2)**3 = −8"),
        (lambda x: 1 - x * 3, "1 − 6 = −5"),
        (lambda x: -(x * -1), "−(−2) = 2"),
        (lambda x: x / 4, "2 / 4 = 0.5"),
        (lambda x: less(x, 3.0), "2 < 3 = 1"),
        (lambda x: dot([x, x], [x, x]), "dot([2, 2], [2, 2]) = 8"),
        (lambda x: sum_of([x] * 9), "sum(… 9 operands …) = 18"),
        (lambda x: x.log() * 0 + math.inf, "0 + inf = inf"),
    ],
)
def test_a_forward_step_shows_the_numbers(expression, written):
    page = step_through(expression(Value(2.0, "x")))
    assert any(f"= {written} | " in text for text in texts(page)), texts(page)


def test_a_result_that_its_operands_no_longer_give_is_pointed_out():
    x = Value(3.0, "x")
    y = x * 2.0
    assert "changed" not in "".join(texts(step_through(y)))
    x.data = 4.0
    assert "was 6 when it was computed; an operand has been changed since" in texts(step_through(y))[1]
    root = x.sqrt()
    x.data = -1.0
    assert "was 2 when it was computed; an operand has been changed since" in texts(step_through(root))[1]
    index = Value(0.0, "index")
    chosen = take(index, [Value(math.nan, "a"), Value(1.0, "b")]) * 2.0
    assert "changed" not in "".join(texts(step_through(chosen)))
    index.data = 9.0  # outside: there is no number, not even nan
    assert "was NaN when it was computed; an operand has been changed since" in texts(step_through(chosen))[1]


def test_two_values_of_one_name_are_told_apart():
    words = "\n".join(texts(step_through(Value(1.0, "h") * Value(2.0, "h"))))
    assert "/∂(h#2)" in words or "/∂h#2" in words


def test_names_and_title_are_used():
    x = Value(3.0)
    loss = x * x
    page = step_through(loss, names={"x": x, "loss": loss}, title="My loss")
    assert page.title == "My loss"
    assert repr(page) == "<SteppingPage My loss: 2 values: 1 result forward, the seed, 2 chain-rule terms backward>"
    assert "∂loss/∂x" in "".join(texts(page))
    assert (x.label, loss.label) == ("", "")


def test_mistakes_are_told():
    with pytest.raises(TypeError, match=r"takes a Value, got \[1\.0\]"):
        step_through([1.0])
    with pytest.raises(ValueError, match="theme is one of"):
        step_through(neuron(), theme="blue")
    with pytest.raises(TypeError, match="names takes a dict"):
        step_through(neuron(), names=["x"])
    with pytest.raises(ValueError, match=r"saved as \.html, got 'steps\.svg'"):
        step_through(neuron()).save("steps.svg")


@pytest.mark.long
def test_a_graph_too_big_to_step_through_is_refused():
    def chain(length):
        x = value = Value(1.0, "x")
        for _ in range(length - 1):
            value = value + x
        return value

    step_through(chain(MOST_VALUES))
    with pytest.raises(ValueError, match=r"up to 300 values .* has 301 .*draw\(detail='units'\)"):
        step_through(chain(MOST_VALUES + 1))
    with pytest.raises(ValueError, match=r"1,000 chain-rule terms, and this graph has 2 and 1,001"):
        step_through(sum_of([Value(1.0)] * 1001))
    with pytest.raises(ValueError, match="200,000"):
        step_through(chain(200_000))


# The page as text.


@pytest.mark.parametrize("theme", ["auto", "light", "dark"])
def test_the_page_needs_nothing_else_and_its_policy_allows_only_what_is_in_it(theme):
    page = step_through(neuron(), theme=theme)
    reader = Reader(page.html)
    directives = dict(part.strip().split(" ", 1) for part in reader.policy.split(";"))
    assert directives.keys() == {"default-src", "style-src", "script-src", "base-uri", "form-action"}
    assert directives["default-src"] == directives["base-uri"] == directives["form-action"] == "'none'"
    for tag in ("style", "script"):
        hashes = [
            f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
            for kind, text in reader.inline
            if kind == tag
        ]
        assert hashes == directives[f"{tag}-src"].split()
    names = {name for name, _ in reader.attributes}
    assert not {name for name in names if name.startswith("on") or name in ("style", "src", "href", "srcset")}
    assert not set(reader.tags) & {"link", "img", "iframe", "object", "embed", "base", "form", "image", "use"}
    assert set(re.findall(r"[a-z]+://[^\s\"'<]+", page.html)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|eval\(|innerHTML", page.html)


def test_no_number_is_computed_in_the_script():
    script = next(text for tag, text in Reader(step_through(neuron()).html).inline if tag == "script")
    assert "toFixed" not in script
    assert "toPrecision" not in script
    assert "parseFloat" not in script


def test_a_notebook_shows_the_same_page():
    page = step_through(neuron(), title='<"title"> & more')
    frame = page._repr_html_()
    assert frame.startswith("<iframe srcdoc=")
    assert html.unescape(re.search('srcdoc="([^"]*)"', frame)[1]) == page.html
    assert re.search('title="([^"]*)"', frame)[1] == "&lt;&quot;title&quot;&gt; &amp; more"
    assert "allow-same-origin" not in frame


def test_the_page_is_saved(tmp_path):
    page = step_through(neuron())
    path = page.save(tmp_path / "steps.html")
    assert path.read_bytes() == page.html.encode()


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_texts_stand_out_from_their_grounds(palette):
    def luminance(colour):
        channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    pairs = [("ink", "ground"), ("ink", "header"), ("ink", "band"), ("caption", "band"), ("muted", "band")]
    for text, ground in [*pairs, ("muted", "ground"), ("badge-ink", "zero")]:
        low, high = sorted(luminance(palette[part]) for part in (text, ground))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (text, ground)


# The page in a browser.


def at(tab):
    return int(tab.locator("#slider").input_value())


def go_to(tab, step):
    tab.evaluate(
        "step => { const s = document.getElementById('slider'); s.value = step; s.dispatchEvent(new Event('input')) }",
        step,
    )


def gradient(tab, card):
    return tab.locator(f"#figure-node-{card} .sg-grad text").last.text_content()


def tooltip(tab, card):
    return tab.locator(f"#figure-node-{card} > title").text_content()


def test_keys_step(visit):
    tab = visit(step_through(neuron()))
    assert at(tab) == 0
    for key, expected in [
        ("ArrowRight", 1),
        ("ArrowRight", 2),
        ("ArrowLeft", 1),
        ("End", LAST_STEP),
        ("ArrowRight", LAST_STEP),
        ("Home", 0),
        ("ArrowLeft", 0),
    ]:
        tab.keyboard.press(key)
        assert at(tab) == expected, key
    tab.locator("#slider").focus()  # where the browser itself knows these keys: not two steps at once
    for key, expected in [("ArrowRight", 1), ("ArrowUp", 2), ("ArrowDown", 1), ("End", LAST_STEP), ("Home", 0)]:
        tab.keyboard.press(key)
        assert at(tab) == expected, key
    tab.locator("#play").focus()
    tab.keyboard.press("Control+ArrowRight")  # is the browser's
    assert at(tab) == 0


def test_slider_and_buttons_step(visit):
    tab = visit(step_through(neuron()))
    box = tab.locator("#slider").bounding_box()
    tab.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    assert at(tab) == LAST_STEP
    assert tab.locator("#counter").inner_text() == f"{LAST_STEP} / {LAST_STEP}backward"
    assert tab.locator("#forward").get_attribute("aria-disabled") == "true"
    tab.locator("#back").click()
    assert at(tab) == LAST_STEP - 1
    tab.locator("#forward").click()
    assert at(tab) == LAST_STEP
    assert tab.locator("#slider").get_attribute("aria-valuetext") == f"{LAST_STEP} of {LAST_STEP}, backward"


def test_play_runs_to_the_end_and_pause_stops(visit):
    tab = visit(step_through(cube()))
    last = int(tab.locator("#slider").get_attribute("max"))
    tab.clock.install()
    play = tab.locator("#play")
    for press in (play.click, lambda: tab.keyboard.press("Space")):
        tab.keyboard.press("Home")
        press()
        assert (at(tab), play.inner_text()) == (1, "Pause")
        assert tab.locator("#step").get_attribute("aria-live") == "off"
        tab.clock.run_for(1300)
        assert at(tab) == 2
        press()
        assert play.inner_text() == "Play"
        assert tab.locator("#step").get_attribute("aria-live") == "polite"
        tab.clock.run_for(5000)
        assert at(tab) == 2
        play.evaluate("button => button.blur()")
    tab.keyboard.press("Space")
    tab.clock.run_for(60_000)
    assert (at(tab), play.inner_text()) == (last, "Play")
    tab.keyboard.press("Space")  # again from the beginning
    assert (at(tab), play.inner_text()) == (0, "Pause")
    tab.keyboard.press("ArrowRight")  # a step by hand takes over
    assert (at(tab), play.inner_text()) == (1, "Play")


def test_data_appears_forward_then_the_seed_then_each_term(visit):
    output = neuron()
    order = topological_order(output)
    results = [position for position, value in enumerate(order) if value.op is not None]
    terms = backward_terms(copy_of(output, None))
    tab = visit(step_through(output))
    assert tab.locator(".unknown").count() == len(results)
    for step, position in enumerate(results, 1):
        tab.keyboard.press("ArrowRight")
        assert tab.locator(".unknown").count() == len(results) - step
        assert tab.locator(".gains").get_attribute("data-node") == str(position)
        assert tab.locator(f"#figure-node-{position} .sg-data text").last.is_visible()
        assert "not computed" not in tooltip(tab, position)
    assert {gradient(tab, card) for card in range(len(order))} == {"0"}
    assert tab.locator(".sg-pill:visible").count() == 0  # no local derivative before its turn
    tab.keyboard.press("ArrowRight")
    assert gradient(tab, len(order) - 1) == "1"
    assert tab.locator("#formula").inner_text().replace("\n", " ").startswith("∂o/∂o = 1")
    for term in terms:
        assert gradient(tab, term.operand) == "0"
        tab.keyboard.press("ArrowRight")
        assert gradient(tab, term.operand) == f"{term.after + 0.0:.4g}".replace("-", "−")
        assert tab.locator(".gains").get_attribute("data-node") == str(term.operand)
        assert tab.locator(".gives").get_attribute("data-node") == str(term.result)
        assert tab.locator(".sg-edge.active").get_attribute("data-from") == str(term.operand)
        assert tab.locator(".sg-edge.active > title").text_content().startswith("∂o/∂")
        assert tab.locator(".sg-pill.active").is_visible()
    assert at(tab) == LAST_STEP
    assert tab.locator(".ahead, .passed, .unknown").count() == 0


def test_the_slider_may_jump_and_every_step_looks_the_same_from_both_sides(visit):
    tab = visit(step_through(cube()))
    last = int(tab.locator("#slider").get_attribute("max"))
    look = "document.getElementById('figure').outerHTML + document.getElementById('step').outerHTML"
    forward = []
    for step in range(last + 1):
        go_to(tab, step)
        forward.append(tab.evaluate(look))
    assert len(set(forward)) == last + 1
    for step in reversed(range(0, last + 1, 2)):
        go_to(tab, step)
        assert tab.evaluate(look) == forward[step]


def test_tooltips_follow_the_running_sum(visit):
    tab = visit(step_through(cube()))
    seen = []
    for step in range(int(tab.locator("#slider").get_attribute("max")) + 1):
        go_to(tab, step)
        if not seen or seen[-1] != tooltip(tab, 0):
            seen.append(tooltip(tab, 0))
    assert seen[0] == "a (input): data 3"
    assert [re.search(r"= (.*?),", text)[1] for text in seen[1:]] == ["1", "10", "19", "28"]
    assert seen[2].endswith("∂output/∂a = 10, 2 of 4 terms")
    tints = {tab.locator("#figure-node-0 .sg-grad path").get_attribute("class")}
    go_to(tab, 0)
    tints.add(tab.locator("#figure-node-0 .sg-grad path").get_attribute("class"))
    assert tints == {"sg-f-tint-zero", "sg-f-tint-positive-4"}


def test_the_last_step_shows_what_the_picture_without_script_shows(visit):
    page = step_through(network())
    tab = visit(page, java_script_enabled=False)
    drawn = tab.locator("#figure").text_content()
    assert tab.locator("#controls").is_hidden()
    assert tab.locator("noscript").is_visible()
    tab = visit(page)
    tab.keyboard.press("End")

    def numbers(text):
        return re.sub(r"\s+", "", text)

    cells = "[...document.querySelectorAll('#figure .sg-grad, #figure .sg-data')].map(c => c.textContent).join()"
    shown = tab.evaluate(cells)
    assert numbers(shown)
    assert all(cell in numbers(drawn) for cell in numbers(shown).split(","))


def test_clicking_a_value_explains_it(visit):
    tab = visit(step_through(cube()))
    panel = tab.locator("#explanation")
    assert panel.is_hidden()
    tab.locator("#figure-node-0").click()
    assert panel.is_visible()
    assert panel.locator("h2").inner_text() == "∂output/∂a = 28"
    text = panel.locator("pre").inner_text()
    assert text.startswith("4 paths lead from a to output")
    assert "gradients() and the grad of a give the same" in text
    tab.locator("#figure-node-1").click()
    assert panel.locator("h2").inner_text() == "∂output/∂(a*a) = 3"
    assert tab.locator(".picked").count() == 1
    tab.keyboard.press("Escape")
    assert panel.is_hidden()
    assert tab.locator(".picked").count() == 0
    tab.locator("#figure-node-2").focus()
    for key in ("Enter", "Space"):
        tab.keyboard.press(key)
        assert panel.is_visible()
        tab.locator("#close").click()
        assert panel.is_hidden()
        assert tab.evaluate("document.activeElement.id") == "figure-node-2"
    assert tab.locator("#play").inner_text() == "Play"


def test_everything_can_be_reached_with_the_tab_key_and_shows_its_focus(visit):
    tab = visit(step_through(neuron()))
    reached = []
    for _ in range(15):
        tab.keyboard.press("Tab")
        reached.append(tab.evaluate("document.activeElement.id"))
        outline = tab.evaluate("getComputedStyle(document.activeElement).outline")
        assert "solid 3px" in outline, (reached, outline)
    assert reached == ["back", "play", "forward", "slider", "picture", *(f"figure-node-{card}" for card in range(10))]
    assert tab.get_by_role("button", name="x1 (input): data 2", exact=True).count() == 1
    assert tab.locator("#step").get_attribute("aria-live") == "polite"


WIDE_NAMES = {"x": "a_very_long_name_without_any_space_in_it_" * 3}


def wide():
    x, w = Value(-1.23456e-10, WIDE_NAMES["x"]), Parameter(1.0, "layers.0.neurons.3.weights.1")
    return (x * w + x * x) * w


@pytest.mark.parametrize("graph", [neuron, cube, network, wide, not_finite, lambda: Value(1.0, "leaf")])
@pytest.mark.parametrize("width", [320, 360, 1280])
def test_nothing_overflows(visit, graph, width):
    tab = visit(step_through(graph(), title=WIDE_NAMES["x"]), width=width, height=640)
    last = int(tab.locator("#slider").get_attribute("max"))
    tab.locator("#figure-node-0").click()
    for step in range(0, last + 1, max(1, last // 12)):
        go_to(tab, step)
        beyond = tab.evaluate(
            """() => {
                const inside = e => e.closest('#picture, pre') && !e.matches('#picture, pre');
                return [...document.querySelectorAll('body *')].filter(e => !inside(e))
                    .filter(e => e.getBoundingClientRect().right > innerWidth + 0.5).map(e => e.outerHTML.slice(0, 80));
            }"""
        )
        assert beyond == []
        assert tab.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [360, 1280])
def test_the_picture_scrolls_to_the_card_of_each_step(visit, width):
    tab = visit(step_through(network()), width=width, height=640, reduced_motion="reduce")
    last = int(tab.locator("#slider").get_attribute("max"))
    for step in (*range(1, last + 1, 3), last):
        go_to(tab, step)
        card, box = tab.locator(".gains").bounding_box(), tab.locator("#picture").bounding_box()
        assert box["x"] - 1 <= card["x"]
        assert card["x"] + card["width"] <= box["x"] + box["width"] + 1
        assert box["y"] - 1 <= card["y"]
        assert card["y"] + card["height"] <= min(box["y"] + box["height"], 640) + 1


def test_running_sums_fit_into_their_cells(visit):
    """−3.333e−11 on the way to 0: the card is as wide as its longest number."""
    x = Value(1.0, "x")
    output = x * (-1e-10 / 3) - x * (-1e-10 / 3)
    tab = visit(step_through(output))
    widest = 0
    for step in range(int(tab.locator("#slider").get_attribute("max")) + 1):
        go_to(tab, step)
        cell = tab.locator("#figure-node-0 .sg-grad path").bounding_box()
        text = tab.locator("#figure-node-0 .sg-grad text").last.bounding_box()
        widest = max(widest, text["width"])
        assert cell["x"] <= text["x"]
        assert text["x"] + text["width"] <= cell["x"] + cell["width"]
    assert widest > 60
    assert gradient(tab, 0) == "0"


HOSTILE = [
    "</script><script>window.harmed = 1</script>",
    "<img src=x onerror=window.harmed=1>",
    "<!-- <script>",
    "\"' onload='window.harmed=1' \"",
    "]]> &lt;b&gt; &amp; &#60;",
    "</title></svg></style>",
    "${harmed} $title $$ \\u003c {{x}}",
    "line\u2028separator\u2029s",
    "turned \u202eround\u2066",
    "lone \ud800 surrogate",
    "null\x00 bell\x07 two\nlines",
    "אב גד",
    "漢字 🙂",
]


@pytest.mark.parametrize("label", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_labels_are_shown_as_text(visit, label):
    a, b = Value(2.0, label), Value(3.0)
    output = a * b + a
    output.label = label
    page = step_through(output, names={label: b}, title=label)
    tab = visit(page)
    for _ in range(int(tab.locator("#slider").get_attribute("max"))):
        tab.keyboard.press("ArrowRight")
    tab.locator("#figure-node-0").click()
    assert tab.evaluate("window.harmed") is None
    assert tab.evaluate("document.querySelectorAll('img, b:not(#counter b), script').length") == 2
    shown = label
    for code in range(0x20):
        shown = shown.replace(chr(code), chr(0x2400 + code))
    shown = re.sub("[\u2028\u2029\u202e\u2066\ud800]", "\N{REPLACEMENT CHARACTER}", shown)
    assert tab.locator("h1").text_content() == shown
    assert tab.title().split() == shown.split()
    assert tooltip(tab, 0).startswith(f"{shown} (input): data 2")
    for element in ("#formula", "#note", "#explanation h2", "#explanation pre"):
        assert shown[:39] in tab.locator(element).text_content()
    assert not re.search("[\u2028\u2029\u202a-\u202e\u2066-\u2069]", tab.content())
    frame = visit(f"<!DOCTYPE html><title>notebook</title>{page._repr_html_()}").frame_locator("iframe")
    assert frame.locator("h1").text_content() == shown


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("theme", ["auto", "light", "dark"])
def test_the_page_and_the_picture_have_the_theme(visit, theme, scheme):
    tab = visit(step_through(neuron(), theme=theme), color_scheme=scheme)
    palette = {"light": LIGHT, "dark": DARK}[scheme if theme == "auto" else theme]

    def colour(selector, part):
        red, green, blue = re.findall(r"\d+", tab.evaluate(f"getComputedStyle({selector})['{part}']"))[:3]
        return f"#{int(red):02X}{int(green):02X}{int(blue):02X}"

    assert colour("document.body", "background-color") == palette["ground"]
    assert colour("document.body", "color") == palette["ink"]
    assert colour("document.querySelector('#figure rect')", "fill") == palette["ground"]
    assert colour("document.querySelector('#figure .sg-node > rect')", "fill") == palette["card"]
    assert colour("document.getElementById('play')", "color") == palette["ink"]


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_nothing_moves_for_readers_who_ask_for_less_motion(visit, motion):
    tab = visit(step_through(network()), width=360, reduced_motion=motion)
    durations = tab.evaluate(
        "[...document.querySelectorAll('*')].map(e => getComputedStyle(e).transitionDuration).filter(d => d != '0s')"
    )
    behaviours = tab.evaluate(
        """() => {
            const asked = [], box = document.getElementById('picture'), scroll = box.scrollTo.bind(box);
            box.scrollTo = options => { asked.push(options.behavior); scroll(options) };
            document.getElementById('forward').click();
            return asked;
        }"""
    )
    if motion == "reduce":
        assert durations == []
        assert behaviours == ["instant"]
    else:
        assert durations
        assert behaviours == ["smooth"]


def test_the_page_works_in_a_notebook(visit):
    tab = visit(f"<!DOCTYPE html><title>notebook</title><body>{step_through(neuron())._repr_html_()}")
    frame = tab.frame_locator("iframe")
    frame.locator("#forward").click()
    tab.keyboard.press("End")
    assert frame.locator("#counter").inner_text() == f"{LAST_STEP} / {LAST_STEP}backward"
    frame.locator("#figure-node-0").click()
    assert "∂o/∂" in frame.locator("#explanation h2").inner_text()
    assert frame.locator("html").evaluate("root => root.scrollWidth <= innerWidth")


def test_the_policy_stops_what_is_not_part_of_the_page(visit):
    """Planted: an inline script, an inline style, an image. Chromium complains of each, and obeys none."""
    planted = "<script>window.harmed = 1</script><p id=planted style='color:red'></p><img src='other.png'></main>"
    tab = visit(step_through(neuron()).html.replace("</main>", planted))
    assert tab.evaluate("window.harmed") is None
    assert tab.evaluate("getComputedStyle(document.getElementById('planted')).color") != "rgb(255, 0, 0)"
    complaints = [text for text in tab.noted if "Content Security Policy" in text]
    assert len(complaints) == 3
    tab.noted.clear()


def test_steps_are_in_order():
    phases = re.findall('"phase":"([a-z]+)"', step_through(neuron()).html)
    assert phases == ["start", *["forward"] * 5, "seed", *["backward"] * 9]
