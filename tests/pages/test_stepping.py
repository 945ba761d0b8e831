"""step_through: the steps are those of backward(), and the page works, and stays inside itself, in a real browser."""

import base64
import gzip
import hashlib
import html
import json
import math
import re

import pytest

from scalargrad.anomaly import anomaly_detection
from scalargrad.drawing.palette import DARK, LIGHT
from scalargrad.engine import Value, topological_order
from scalargrad.explaining.steps import Story
from scalargrad.explaining.terms import MOST_VALUES, backward_terms, copy_of
from scalargrad.nn import MLP, Parameter
from scalargrad.observers import no_grad
from scalargrad.ops import dot, less, maximum, mean, take, where
from scalargrad.ops import sum as sum_of
from scalargrad.pages.stepping import step_through
from tests.pages.conftest import settle
from tests.pages.graphs import neuron
from tests.pages.reader import Reader

LAST_STEP = 15  # of the neuron


# Graphs.


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


def texts(output, names=None):
    """Formula and note of each step, as Python writes them; test_words.py compares what the page writes."""
    copy = copy_of(output, names)
    steps = Story(copy, backward_terms(copy)).steps()
    return [" ".join(piece for piece, _ in step.formula) + " | " + step.note for step in steps]


def test_the_words_of_a_neuron():
    words = texts(neuron())
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
    words = texts(cube())
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
    words = texts(expression(Value(2.0, "x")))
    assert any(f"= {written} | " in text for text in words), words


def test_a_result_that_its_operands_no_longer_give_is_pointed_out():
    x = Value(3.0, "x")
    y = x * 2.0
    assert "changed" not in "".join(texts(y))
    x.data = 4.0
    assert "was 6 when it was computed; an operand has been changed since" in texts(y)[1]
    root = x.sqrt()
    x.data = -1.0
    assert "was 2 when it was computed; an operand has been changed since" in texts(root)[1]
    index = Value(0.0, "index")
    chosen = take(index, [Value(math.nan, "a"), Value(1.0, "b")]) * 2.0
    assert "changed" not in "".join(texts(chosen))
    index.data = 9.0  # outside: there is no number, not even nan
    assert "was NaN when it was computed; an operand has been changed since" in texts(chosen)[1]


def test_two_values_of_one_name_are_told_apart():
    words = "\n".join(texts(Value(1.0, "h") * Value(2.0, "h")))
    assert "/∂(h#2)" in words or "/∂h#2" in words


def test_names_and_title_are_used():
    x = Value(3.0)
    loss = x * x
    page = step_through(loss, names={"x": x, "loss": loss}, title="My loss")
    assert page.title == "My loss"
    assert repr(page) == "<SteppingPage My loss: 2 values: 1 result forward, the seed, 2 chain-rule terms backward>"
    assert "∂loss/∂x" in "".join(texts(loss, {"x": x, "loss": loss}))
    assert (x.label, loss.label) == ("", "")


def test_mistakes_are_told():
    with pytest.raises(TypeError, match=r"takes a Value, got \[1\.0\]"):
        step_through([1.0])
    with pytest.raises(ValueError, match=r"theme .* is not known"):
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
    packed = json.loads(gzip.decompress(base64.b64decode(re.search('id="packed">(.*?)<', page.html)[1])))
    for tag in ("style", "script"):
        allowed = [text for kind, text in reader.inline if kind == tag] + [packed[tag]]
        hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in allowed]
        assert hashes == directives[f"{tag}-src"].split()
    names = {name for name, _ in reader.attributes}
    assert not {name for name in names if name.startswith("on") or name in ("style", "src", "href", "srcset")}
    assert not set(reader.tags) & {"link", "img", "iframe", "object", "embed", "base", "form", "image", "use"}
    assert set(re.findall(r"[a-z]+://[^\s\"'<]+", page.html)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|eval\(|innerHTML", page.html)


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
    return int(tab.locator(".sg-timeline input").input_value())


def last_step(tab):
    return int(tab.locator(".sg-timeline input").get_attribute("max"))


def go_to(tab, step):
    tab.locator(".sg-timeline input").evaluate(
        "(slider, step) => { slider.value = step; slider.dispatchEvent(new Event('input')) }", step
    )
    settle(tab)


def card(tab, place):
    """The card of a value, by its place in the topological order of a graph without constants."""
    return tab.locator(f".sg-card[data-value='{place}']")


def gradient(tab, place):
    return card(tab, place).locator(".sg-grad .sg-number").text_content()


def told(tab, place):
    """What a screen reader says of a card."""
    return card(tab, place).locator(".sg-pick").get_attribute("aria-label")


def press(tab, key):
    tab.keyboard.press(key)
    settle(tab)


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
    tab.locator(".sg-timeline input").focus()  # where the browser itself knows these keys: not two steps at once
    for key, expected in [("ArrowRight", 1), ("ArrowUp", 2), ("ArrowDown", 1), ("End", LAST_STEP), ("Home", 0)]:
        tab.keyboard.press(key)
        assert at(tab) == expected, key
    tab.locator(".sg-play").focus()
    tab.keyboard.press("Control+ArrowRight")  # is the browser's
    assert at(tab) == 0


def test_slider_and_buttons_step(visit):
    tab = visit(step_through(neuron()))
    box = tab.locator(".sg-timeline input").bounding_box()
    tab.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    assert at(tab) == LAST_STEP
    assert tab.locator(".sg-counter").text_content() == f"{LAST_STEP} / {LAST_STEP}backward"
    assert tab.locator(".sg-forward").get_attribute("aria-disabled") == "true"
    tab.locator(".sg-back").click()
    assert at(tab) == LAST_STEP - 1
    tab.locator(".sg-forward").click()
    assert at(tab) == LAST_STEP
    assert tab.locator(".sg-timeline input").get_attribute("aria-valuetext") == f"{LAST_STEP} of {LAST_STEP}, backward"


def test_play_runs_to_the_end_and_pause_stops(visit):
    tab = visit(step_through(cube()))
    last = last_step(tab)
    tab.clock.install()
    play = tab.locator(".sg-play")
    for press_it in (play.click, lambda: tab.keyboard.press("Space")):
        tab.keyboard.press("Home")
        press_it()
        assert (at(tab), play.inner_text()) == (1, "Pause")
        assert tab.locator(".sg-step").get_attribute("aria-live") == "off"
        tab.clock.run_for(1300)
        assert at(tab) == 2
        press_it()
        assert play.inner_text() == "Play"
        assert tab.locator(".sg-step").get_attribute("aria-live") == "polite"
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
    assert tab.locator(".sg-card.sg-unknown").count() == len(results)
    for step, position in enumerate(results, 1):
        press(tab, "ArrowRight")
        assert tab.locator(".sg-card.sg-unknown").count() == len(results) - step
        assert tab.locator(".sg-glow").get_attribute("data-value") == str(position)
        assert card(tab, position).locator(".sg-data .sg-number").text_content() != ""
        assert "not known" not in told(tab, position)
    assert {gradient(tab, place) for place in range(len(order))} == {"0"}
    assert tab.locator(".sg-pill:not(.sg-hidden):visible").count() == 0  # no local derivative before its turn
    press(tab, "ArrowRight")
    assert gradient(tab, len(order) - 1) == "1"
    assert tab.locator(".sg-formula").inner_text().replace("\n", " ").startswith("∂o/∂o = 1")
    for term in terms:
        assert gradient(tab, term.operand) == "0"
        press(tab, "ArrowRight")
        assert gradient(tab, term.operand) == f"{term.after + 0.0:.4g}".replace("-", "−")
        assert tab.locator(".sg-glow").get_attribute("data-value") == str(term.operand)
        assert tab.locator(".sg-gives").get_attribute("data-value") == str(term.result)
        assert tab.locator(".sg-line.sg-active").count() == 1
        assert tab.locator(".sg-pill.sg-lit").is_visible()
    assert at(tab) == LAST_STEP
    assert tab.locator(".sg-line.sg-ahead, .sg-line.sg-passed, .sg-card.sg-unknown").count() == 0


def test_the_slider_may_jump_and_every_step_looks_the_same_from_both_sides(visit):
    tab = visit(step_through(cube()))
    last = last_step(tab)
    look = """() => {
        const cards = [...document.querySelectorAll('.sg-card, .sg-line, .sg-pill')].map((e) => e.outerHTML);
        return [...cards.sort(), document.querySelector('.sg-step').outerHTML].join();
    }"""
    forward = []
    for step in range(last + 1):
        go_to(tab, step)
        forward.append(tab.evaluate(look))
    assert len(set(forward)) == last + 1
    for step in reversed(range(0, last + 1, 2)):
        go_to(tab, step)
        assert tab.evaluate(look) == forward[step]


def test_what_is_said_of_a_card_follows_the_running_sum(visit):
    tab = visit(step_through(cube()))
    seen = []
    for step in range(last_step(tab) + 1):
        go_to(tab, step)
        if not seen or seen[-1] != told(tab, 0):
            seen.append(told(tab, 0))
    assert seen[0] == "a, input, data 3, gradient 0"
    assert [re.search(r"gradient (\d+)", text)[1] for text in seen[1:]] == ["1", "10", "19", "28"]
    assert seen[2].endswith("gradient 10, 2 of 4 terms")
    tints = {card(tab, 0).locator(".sg-grad").get_attribute("class").split()[-1]}
    go_to(tab, 0)
    tints.add(card(tab, 0).locator(".sg-grad").get_attribute("class").split()[-1])
    assert tints == {"sg-tint-zero", "sg-tint-positive-4"}


def test_the_last_step_shows_what_the_picture_without_script_shows(visit):
    page = step_through(network())
    tab = visit(page, java_script_enabled=False)
    drawn = tab.locator(".sg-still").text_content()
    assert tab.locator(".sg-still svg").is_visible()
    tab = visit(page, width=3600, height=1600)
    press(tab, "End")
    cells = tab.locator(".sg-cell .sg-number").evaluate_all(
        "cells => cells.map(cell => cell.value ?? cell.textContent)"
    )
    short = [cell for cell in cells if 0 < len(cell) < 7]  # longer ones may have fewer digits
    assert len(short) > 20
    assert all(cell in drawn for cell in short)


def test_clicking_a_value_explains_it(visit):
    tab = visit(step_through(cube()))
    panel = tab.locator(".sg-explanation")
    assert panel.is_hidden()
    card(tab, 0).locator(".sg-pick").click(position={"x": 20, "y": 8})
    settle(tab)
    assert panel.is_visible()
    assert panel.locator("h2").inner_text() == "a"
    text = panel.inner_text()
    assert "∂output/∂a" in text
    assert "28" in text
    assert "4 paths" in text
    card(tab, 1).locator(".sg-pick").click()
    settle(tab)
    assert panel.locator("h2").inner_text() == "a*a"
    assert tab.locator(".sg-selected").count() == 1
    press(tab, "Escape")
    assert panel.is_hidden()
    assert tab.locator(".sg-selected").count() == 0
    for key in ("Enter", "Space"):
        card(tab, 2).locator(".sg-pick").focus()
        press(tab, key)
        assert panel.is_visible()
        tab.locator(".sg-explanation .sg-close").click()
        settle(tab)
        assert panel.is_hidden()
        assert tab.evaluate("document.activeElement.parentElement.dataset.value") == "2"
        tab.evaluate("document.activeElement.blur()")
    assert tab.locator(".sg-play").inner_text() == "Play"


def test_everything_can_be_reached_with_the_tab_key_and_shows_its_focus(visit):
    tab = visit(step_through(neuron()))
    reached = []
    for _ in range(45):
        tab.keyboard.press("Tab")
        outline = tab.evaluate("getComputedStyle(document.activeElement).outline")
        assert "solid 3px" in outline, (reached, outline)
        reached.append(tab.evaluate("document.activeElement.ariaLabel ?? document.activeElement.textContent"))
        if tab.evaluate("document.activeElement.matches('.sg-back')"):
            break
    for _ in range(30):
        tab.keyboard.press("Tab")
        reached.append(tab.evaluate("document.activeElement.ariaLabel ?? document.activeElement.textContent"))
    wanted = ["Step back", "Play", "Step forward", "Step", *(told(tab, place) for place in range(10))]
    after = reached[reached.index("Step back") :]
    assert [text for text in after if text in wanted][: len(wanted)] == wanted
    assert tab.get_by_role("button", name="x1, input, data 2, gradient 0", exact=True).count() == 1
    assert tab.locator(".sg-step").get_attribute("aria-live") == "polite"


WIDE_NAMES = {"x": "a_very_long_name_without_any_space_in_it_" * 3}


def wide():
    x, w = Value(-1.23456e-10, WIDE_NAMES["x"]), Parameter(1.0, "layers.0.neurons.3.weights.1")
    return (x * w + x * x) * w


@pytest.mark.parametrize("graph", [neuron, cube, network, wide, not_finite, lambda: Value(1.0, "leaf")])
@pytest.mark.parametrize("width", [320, 360, 1280])
def test_nothing_overflows(visit, graph, width):
    tab = visit(step_through(graph(), title=WIDE_NAMES["x"]), width=width, height=640)
    last = last_step(tab)
    for step in range(0, last + 1, max(1, last // 6)):
        go_to(tab, step)
        beyond = tab.evaluate(
            """() => [...document.querySelectorAll('.sg-frame *')]
                .filter(e => !e.closest('.sg-ground, .sg-unseen, dialog'))
                .filter(e => e.getBoundingClientRect().right > innerWidth + 0.5).map(e => e.outerHTML.slice(0, 80))"""
        )
        assert beyond == []
        assert tab.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [360, 1280])
def test_the_picture_moves_to_the_card_of_each_step(visit, width):
    tab = visit(step_through(network()), width=width, height=740, reduced_motion="reduce")
    last = last_step(tab)
    for step in (*range(1, last + 1, 3), last):
        go_to(tab, step)
        glowing = tab.locator(".sg-glow")
        if glowing.count() == 0:
            continue  # inside of a unit that is folded
        there, box = glowing.bounding_box(), tab.locator(".sg-ground").bounding_box()
        assert box["x"] - 1 <= there["x"]
        assert there["x"] + there["width"] <= box["x"] + box["width"] + 1
        assert box["y"] - 1 <= there["y"]
        assert there["y"] + there["height"] <= box["y"] + box["height"] + 1


def test_running_sums_fit_into_their_cells(visit):
    """−3.333e−11 on the way to 0 takes fewer digits."""
    x = Value(1.0, "x")
    output = x * (-1e-10 / 3) - x * (-1e-10 / 3)
    tab = visit(step_through(output))
    for step in range(last_step(tab) + 1):
        go_to(tab, step)
        for cell in tab.locator(".sg-cell").all():
            assert cell.evaluate("cell => cell.scrollWidth <= cell.clientWidth + 1")
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
    for _ in range(last_step(tab)):
        tab.keyboard.press("ArrowRight")
    card(tab, 0).locator(".sg-pick").click(position={"x": 20, "y": 8})
    settle(tab)
    assert tab.evaluate("window.harmed") is None
    assert tab.evaluate("document.querySelectorAll('img').length") == 0
    shown = label
    for code in range(0x20):
        shown = shown.replace(chr(code), chr(0x2400 + code))
    shown = re.sub("[\u2028\u2029\u202e\u2066\ud800]", "\N{REPLACEMENT CHARACTER}", shown)
    assert tab.locator("h1").text_content() == shown
    assert tab.title().split() == shown.split()
    assert told(tab, 0).startswith(f"{shown}, input, data 2")
    for element in (".sg-formula", ".sg-note", ".sg-explanation h2"):
        assert shown[:39] in tab.locator(element).text_content()
    assert not re.search("[\u2028\u2029\u202a-\u202e\u2066-\u2069]", tab.content())
    frame = visit(f"<!DOCTYPE html><title>notebook</title>{page._repr_html_()}").frame_locator("iframe")
    assert frame.locator("h1").last.text_content() == shown


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("theme", ["auto", "light", "dark"])
def test_the_page_and_the_picture_have_the_theme(visit, theme, scheme):
    tab = visit(step_through(neuron(), theme=theme), color_scheme=scheme)
    palette = {"light": LIGHT, "dark": DARK}[scheme if theme == "auto" else theme]

    def colour(selector, part):
        red, green, blue = re.findall(r"\d+", tab.evaluate(f"getComputedStyle({selector})['{part}']"))[:3]
        return f"#{int(red):02X}{int(green):02X}{int(blue):02X}"

    assert colour("document.querySelector('.sg-page')", "background-color") == palette["ground"]
    assert colour("document.querySelector('.sg-page')", "color") == palette["ink"]
    assert colour("document.querySelector('.sg-frame')", "background-color") == palette["ground"]
    assert colour("document.querySelector('.sg-card')", "background-color") == palette["card"]
    assert colour("document.querySelector('.sg-forward')", "color") == palette["ink"]


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_nothing_moves_for_readers_who_ask_for_less_motion(visit, motion):
    tab = visit(step_through(network()), width=360, reduced_motion=motion)
    durations = tab.evaluate(
        "[...document.querySelectorAll('*')].map(e => getComputedStyle(e).transitionDuration).filter(d => d != '0s')"
    )
    behaviours = tab.evaluate(
        """() => {
            const asked = [], side = document.querySelector('.sg-side');
            for (const one of [side, ...side.querySelectorAll('*')]) {
                const scroll = one.scrollTo.bind(one);
                one.scrollTo = options => { asked.push(options.behavior); scroll(options) };
            }
            const slider = document.querySelector('.sg-timeline input');
            slider.value = slider.max; slider.dispatchEvent(new Event('input'));
            return asked;
        }"""
    )
    if motion == "reduce":
        assert durations == []
        assert set(behaviours) == {"instant"}
    else:
        assert durations
        assert set(behaviours) == {"smooth"}


def test_the_page_works_in_a_notebook(visit):
    tab = visit(f"<!DOCTYPE html><title>notebook</title><body>{step_through(neuron())._repr_html_()}")
    frame = tab.frame_locator("iframe")
    frame.locator(".sg-forward").click()
    tab.keyboard.press("End")
    assert frame.locator(".sg-counter").text_content() == f"{LAST_STEP} / {LAST_STEP}backward"
    frame.locator(".sg-card .sg-pick").first.click(position={"x": 20, "y": 8})
    assert "∂o/∂" in frame.locator(".sg-explanation").inner_text()
    assert frame.locator("html").evaluate("root => root.scrollWidth <= innerWidth")


def test_steps_are_in_order():
    copy = copy_of(neuron(), None)
    phases = [step.phase for step in Story(copy, backward_terms(copy)).steps()]
    assert phases == ["start", *["forward"] * 5, "seed", *["backward"] * 9]
