"""The modes of explore's page: the panel, descent, steps and quiz show what Python computes, to mouse and keyboard."""

import json
import math
import re
import subprocess

import pytest

from scalargrad.drawing.lettering import factor, gradient_text, number
from scalargrad.engine import Value, topological_order
from scalargrad.explaining.explanation import explain
from scalargrad.explaining.steps import Story
from scalargrad.explaining.terms import backward_terms, copy_of
from scalargrad.javascript.bundle import bundle
from scalargrad.javascript.operations import operations_module
from scalargrad.nn import Parameter
from scalargrad.optim import SGD
from scalargrad.pages.explore import explore
from scalargrad.pages.recorded import Recorded
from tests.pages.graphs import many_kinds, network, neuron, not_finite

SIZES = {"wide": (1280, 800), "cell": (848, 760), "phone": (390, 844)}
FRAME = (
    "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(done))))"
)


def settle(tab):
    """Wait until what was asked for is painted."""
    tab.evaluate(FRAME)


def frozen(tab):
    """From now on the page's time passes only where a test lets it."""
    tab.clock.install(time=0)
    tab.clock.pause_at(1000)


def card(tab, output, value):
    return tab.locator(f".sg-card[data-value='{Recorded(output).position[value]}']")


def pick(tab, output, value):
    card(tab, output, value).locator(".sg-pick").click(position={"x": 30, "y": 10})
    settle(tab)


def to_mode(tab, name):
    tab.locator(".sg-modes button", has_text=name).click()
    settle(tab)


def leaf(output, name):
    (found,) = [value for value in topological_order(output) if value.label == name]
    return found


def type_data(tab, output, name, text):
    field = card(tab, output, leaf(output, name)).locator(".sg-field")
    field.click()
    field.fill(text)
    field.press("Enter")
    settle(tab)


def several_paths():
    a, b = Value(0.75, "a"), Value(-0.5, "b")
    p = a * b
    p.label = "p"
    output = (p * a + b) * (p + a)
    output.label = "o"
    return output


# The panel.


def shown_paths(tab):
    """(factors, product, share) of each path that the panel lists."""
    rows = [row.locator("> *").all_inner_texts() for row in tab.locator(".sg-path").all()]
    return [(factors, product, share) for _, product, factors, share, _ in rows]


def share_text(share):
    return "" if math.isnan(share) else f"{number(float(f'{100 * share:.3g}'))} %"


def product_of(steps):
    slopes = [step.derivative + 0.0 for step in steps]
    return " × ".join(factor(x) if place else gradient_text(x) for place, x in enumerate(slopes))


@pytest.mark.parametrize("graph", [neuron, several_paths, many_kinds])
def test_the_panel_explains_each_value_as_explain_does(visit, graph):
    output = graph()
    output.backward()
    tab = visit(explore(output))
    for value in topological_order(output)[:-1]:
        if not card(tab, output, value).count():
            continue  # folded into a sum
        pick(tab, output, value)
        explanation = explain(output, value, show=3)
        assert tab.locator(".sg-facts dd").all_inner_texts() == [number(value.data), gradient_text(value.grad)]
        if explanation.count == 0:
            assert tab.locator(".sg-pathed").is_hidden()
        elif explanation.count == 1:
            (path,) = explanation.paths
            links = tab.locator(".sg-link > b").all_inner_texts()
            assert links == [gradient_text(step.derivative) for step in reversed(path.steps)]
        else:
            folded = tab.locator(".sg-card").count() < len(topological_order(output))
            expected = [
                ("" if folded else product_of(path.steps), gradient_text(path.product), share_text(path.share))
                for path in explanation.paths
            ]
            shown = [("" if folded else factors, *rest) for factors, *rest in shown_paths(tab)]
            assert sorted(shown) == sorted(expected)  # those of one size in any order
            others = explanation.count - len(explanation.paths)
            rest = tab.locator(".sg-rest")
            assert rest.is_visible() == (others > 0)
            if others:
                assert rest.inner_text().startswith(f"and {others} more, together ")


def test_a_path_is_lit_while_it_is_looked_at(visit):
    output = several_paths()
    tab = visit(explore(output))
    pick(tab, output, leaf(output, "b"))
    rows = tab.locator(".sg-path")
    assert rows.count() == 3

    def lit():
        settle(tab)
        return tab.locator(".sg-path.sg-lit > b").inner_text(), tab.locator("path.sg-halo.sg-lit").count()

    first, second = (rows.nth(place).locator("> b").inner_text() for place in (0, 1))
    assert lit()[0] == first
    rows.nth(1).hover()
    assert lit()[0] == second
    tab.mouse.move(5, 5)
    assert lit()[0] == first
    rows.nth(1).focus()
    assert lit()[0] == second
    rows.nth(0).focus()
    rows.nth(1).click()
    tab.mouse.move(5, 5)
    tab.locator(".sg-frame").focus()
    assert lit()[0] == second  # kept
    assert lit()[1] > 1


def test_bars_are_as_long_as_shares(visit):
    output = several_paths()
    tab = visit(explore(output))
    pick(tab, output, leaf(output, "a"))
    largest, *others = explain(output, leaf(output, "a"), show=3).paths
    widths = tab.locator(".sg-share span").evaluate_all("all => all.map(bar => parseFloat(bar.style.width))")
    assert widths == pytest.approx([100.0, *(100 * path.share / largest.share for path in others)], abs=0.01)


def test_paths_through_units_are_told_by_their_cards(visit):
    output = network(3)
    tab = visit(explore(output))
    pick(tab, output, leaf(output, "x1"))
    paths = {gradient_text(path.product) for path in explain(output, leaf(output, "x1"), show=3).paths}
    for row in tab.locator(".sg-path").all():
        trail, product, factors, _, _ = row.locator("> *").all()
        stations = trail.locator("span").all_inner_texts()
        assert stations[0] == "x1"
        assert stations[-1] == "loss"
        assert len(stations) == 5  # x1, a unit, the unit of the output, − 1, and the square
        numbers = [float(x.strip("()").replace("−", "-")) for x in factors.inner_text().split(" × ")]
        assert len(numbers) == len(stations) - 1
        shown = product.inner_text()
        assert shown in paths
        assert math.prod(numbers) == pytest.approx(float(shown.replace("−", "-")), rel=1e-3)


def test_the_gradient_is_the_slope_of_the_tangent(visit):
    output = neuron()
    output.backward()
    tab = visit(explore(output))
    for value in topological_order(output):
        pick(tab, output, value)
        label = tab.locator(".sg-curve").get_attribute("aria-label")
        if value is not output:
            low, high = number(value.data - 3.0), number(value.data + 3.0)
            assert f"moves from {low} to {high}; at {number(value.data)}" in label
        assert label.endswith(f"the slope is {gradient_text(value.grad)}")
        slope = tab.evaluate(
            """() => {
                const numbers = (path) => path.getAttribute("d").match(/-?[\\d.]+/g).map(Number);
                const svg = document.querySelector(".sg-curve");
                const [x1, y1, x2, y2] = numbers(svg.querySelector(".sg-curve-tangent"));
                const ticks = [...svg.querySelectorAll(".sg-curve-heights text")];
                const heights = ticks.map(t => [Number(t.textContent.replace("−", "-")), Number(t.getAttribute("y"))]);
                const [[low, below], [high, above]] = [heights[0], heights.at(-1)];
                const places = [...svg.querySelectorAll(".sg-curve-places text")].map(t => Number(t.getAttribute("x")));
                const unit = (places[2] - places[0]) / 6;
                return ((y2 - y1) / ((above - below) / (high - low))) / ((x2 - x1) / unit);
            }"""
        )
        assert slope == pytest.approx(value.grad, rel=0.05, abs=0.02)


def test_panel_and_curve_follow_a_leaf_in_the_same_frame(visit):
    output = neuron()
    tab = visit(explore(output))
    pick(tab, output, leaf(output, "w1"))
    type_data(tab, output, "w1", "−2.5")
    leaf(output, "w1").data = -2.5
    moved = topological_order(output)
    output = neuron_at(w1=-2.5)
    output.backward()
    assert len(moved) == 10
    w1 = leaf(output, "w1")
    assert tab.locator(".sg-facts dd").all_inner_texts() == ["−2.5", gradient_text(w1.grad)]
    assert f"at −2.5 the slope is {gradient_text(w1.grad)}" in tab.locator(".sg-curve").get_attribute("aria-label")


def neuron_at(**numbers):
    """The neuron, computed from other numbers."""
    found = {"x1": 2.0, "x2": 0.0, "w1": -3.0, "w2": 1.0, "b": 6.8813735870195432} | numbers
    x1, x2 = Value(found["x1"], "x1"), Value(found["x2"], "x2")
    w1, w2, b = (Parameter(found[name], name) for name in ("w1", "w2", "b"))
    n = x1 * w1 + x2 * w2 + b
    n.label = "n"
    o = n.tanh()
    o.label = "o"
    return o


def test_a_gradient_of_0_is_explained_and_its_cause_outlined(visit):
    output = neuron()
    tab = visit(explore(output))
    pick(tab, output, leaf(output, "w2"))
    assert tab.locator(".sg-said h3").inner_text() == "Why is this 0?"
    assert "x2 is 0" in tab.locator(".sg-said > p").last.inner_text()
    assert "sg-cause" in card(tab, output, leaf(output, "x2")).get_attribute("class")
    pick(tab, output, leaf(output, "w1"))
    assert tab.locator(".sg-said h3").inner_text() == "What it says"
    assert tab.locator(".sg-cause").count() == 0


def test_what_is_not_finite_has_no_curve_but_a_sentence(visit):
    output = not_finite()
    tab = visit(explore(output))
    pick(tab, output, leaf(output, "x"))
    assert tab.locator(".sg-curve").is_hidden()
    assert tab.locator(".sg-none").inner_text() == "There is no curve, since output is NaN."


def test_the_sheet_of_a_phone_moves_the_leaf(visit):
    output = neuron()
    tab = visit(explore(output), *SIZES["phone"], has_touch=True)
    card(tab, output, leaf(output, "w1")).locator(".sg-pick").tap(position={"x": 30, "y": 10})
    settle(tab)
    mover = tab.locator(".sg-mover")
    assert mover.is_visible()
    mover.get_by_role("button", name="more").tap()
    settle(tab)
    assert mover.locator(".sg-field").input_value() == "−2.8"
    mover.get_by_role("button", name="less").tap()
    mover.get_by_role("button", name="less").tap()
    settle(tab)
    assert mover.locator(".sg-field").input_value() == "−3.2"
    mover.locator(".sg-field").fill("1.5")
    mover.locator(".sg-field").press("Enter")
    settle(tab)
    output = neuron_at(w1=1.5)
    output.backward()
    assert tab.locator(".sg-short b").inner_text() == gradient_text(leaf(output, "w1").grad)
    box = mover.locator("input[type=range]").bounding_box()
    tab.touchscreen.tap(box["x"] + box["width"] - 3, box["y"] + box["height"] / 2)
    settle(tab)
    assert mover.locator(".sg-field").input_value() == "10"


# Descent.


def descended(graph, rate, steps, held=()):
    """The outputs of SGD on the parameters of a graph, from Values."""
    numbers = {value.label: value.data for value in topological_order(graph()) if value.op is None}
    outputs = []
    for _ in range(steps + 1):
        output = graph(**numbers)
        output.backward()
        outputs.append(output.data)
        parameters = [x for x in topological_order(output) if isinstance(x, Parameter) and x.label not in held]
        SGD(rate).step(parameters)
        numbers |= {x.label: x.data for x in parameters}
    return outputs, numbers


def test_a_descent_is_gradient_descent_of_python(node):
    """To 1e-12: functions of JavaScript may differ in the last bit."""
    recorded = Recorded(neuron())
    parameters = [place for place, x in recorded.leaves().items() if isinstance(x, Parameter)]
    script = f"""
import {{ Graph }} from "./graph.js";
import {{ OPERATIONS }} from "./operations.js";
import {{ lookAhead }} from "../pages/explore/descend.js";
const graph = new Graph({json.dumps(recorded.graph())}, OPERATIONS);
graph.compute();
const before = [...graph.data, ...graph.grad].join();
const {{ outputs, first }} = lookAhead(graph, {parameters}, 0.05, 30);
const same = before === [...graph.data, ...graph.grad].join();
globalThis.process.stdout.write(JSON.stringify({{ outputs, first, same }}));
"""
    text = bundle(script, {"operations.js": operations_module()})
    found = json.loads(subprocess.run([node, "-e", text], capture_output=True, encoding="utf-8", check=True).stdout)
    outputs, _ = descended(neuron_at, 0.05, 30)
    assert found["outputs"] == pytest.approx(outputs[1:], rel=0.0, abs=1e-12)
    assert found["same"]  # to look ahead changes nothing
    _, numbers = descended(neuron_at, 0.05, 0)
    assert found["first"] == pytest.approx(
        [numbers[x.label] for x in recorded.leaves().values() if x.label in numbers and isinstance(x, Parameter)],
        abs=1e-12,
    )


def shown_numbers(tab):
    return tab.locator(".sg-numbers b").all_inner_texts()


def test_descend_steps_by_key_and_button_and_shows_now_and_next(visit):
    output = neuron()
    tab = visit(explore(output))
    settle(tab)
    outputs, numbers = descended(neuron_at, 0.05, 31)
    assert shown_numbers(tab) == [number(outputs[0]), number(outputs[1])]
    for step in range(1, 31):
        if step % 2:
            tab.keyboard.press("d")
        else:
            tab.get_by_role("button", name="Step down").click()
        settle(tab)
        assert shown_numbers(tab) == [number(outputs[step]), number(outputs[step + 1])]
    assert tab.locator(".sg-chart").get_attribute("aria-label").startswith("30 steps taken, now ")
    _, numbers = descended(neuron_at, 0.05, 29)
    for name in ("w1", "w2", "b"):
        assert card(tab, output, leaf(output, name)).locator(".sg-field").input_value() == number(numbers[name])


def test_a_name_that_is_clicked_is_held(visit):
    output = neuron()
    tab = visit(explore(output))
    hold = tab.get_by_role("button", name="hold w1", exact=True)
    assert hold.get_attribute("aria-pressed") == "false"
    hold.click()
    settle(tab)
    assert hold.get_attribute("aria-pressed") == "true"
    outputs, _ = descended(neuron_at, 0.05, 2, held=("w1",))
    assert shown_numbers(tab) == [number(outputs[0]), number(outputs[1])]
    tab.keyboard.press("d")
    settle(tab)
    assert card(tab, output, leaf(output, "w1")).locator(".sg-field").input_value() == "−3"
    assert shown_numbers(tab) == [number(outputs[1]), number(outputs[2])]


def test_the_rate_is_on_a_logarithmic_scale(visit):
    tab = visit(explore(neuron()))
    slider = tab.get_by_role("slider", name="learning rate")
    seen = []
    for key in ("Home", "End"):
        slider.press(key)
        settle(tab)
        seen.append(slider.get_attribute("aria-valuetext"))
    assert seen == ["0.001", "1"]
    outputs, _ = descended(neuron_at, 1.0, 1)
    assert shown_numbers(tab)[1] == number(outputs[1])
    box = slider.bounding_box()
    tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    settle(tab)
    assert 0.025 < float(slider.get_attribute("aria-valuetext")) < 0.04


@pytest.mark.parametrize(("motion", "interval"), [("no-preference", 100), ("reduce", 1000)])
def test_run_steps_on_until_pause(visit, motion, interval):
    tab = visit(explore(neuron()), reduced_motion=motion)
    settle(tab)
    frozen(tab)
    run = tab.locator(".sg-run")
    run.click()
    tab.clock.run_for(4 * interval + 50)
    assert run.inner_text() == "Pause"
    run.click()
    tab.clock.run_for(50)
    assert run.inner_text() == "Run"
    outputs, _ = descended(neuron_at, 0.05, 5)
    assert shown_numbers(tab)[0] == number(outputs[5])  # one at once, and four
    tab.clock.run_for(5 * interval)
    assert shown_numbers(tab)[0] == number(outputs[5])


def test_a_descent_stops_at_the_last_finite_step(visit):
    x = Parameter(10.0, "x")
    output = x * x * x * x * x
    output.label = "o"
    tab = visit(explore(output))
    settle(tab)
    tab.get_by_role("slider", name="learning rate").press("End")
    frozen(tab)
    tab.locator(".sg-run").click()
    tab.clock.run_for(3000)
    assert tab.locator(".sg-run").inner_text() == "Run"
    assert tab.locator(".sg-words").inner_text() == "The next step is not finite: a smaller learning rate helps."
    now, next_one = shown_numbers(tab)
    assert next_one == "not finite"
    assert "inf" not in now
    assert "NaN" not in now
    tab.keyboard.press("r")
    tab.clock.run_for(100)
    assert shown_numbers(tab)[0] == "1e5"
    assert tab.locator(".sg-words").inner_text() == ""


def test_a_graph_without_parameters_moves_its_inputs_and_says_so(visit):
    x, y = Value(2.0, "x"), Value(1.0, "y")
    tab = visit(explore(x * x + y * y))
    settle(tab)
    assert tab.locator(".sg-movers").inner_text().split() == [
        *("the", "inputs", "x", "y", "move", "against", "their", "gradients")
    ]
    tab.keyboard.press("d")
    settle(tab)
    assert shown_numbers(tab)[0] == number(1.8**2 + 0.9**2)
    tab = visit(explore(network(3)))
    settle(tab)
    assert tab.locator(".sg-movers summary").inner_text() == "13 parameters"


def test_on_a_phone_descend_fills_the_sheet(visit):
    tab = visit(explore(neuron()), *SIZES["phone"])
    settle(tab)
    row = tab.locator(".sg-descend")
    assert row.is_hidden()
    tab.get_by_role("button", name="Descend", exact=True).click()
    assert row.is_visible()
    assert tab.locator(".sg-explains").is_hidden()
    tab.get_by_role("button", name="Step down").click()
    settle(tab)
    outputs, _ = descended(neuron_at, 0.05, 1)
    assert shown_numbers(tab)[0] == number(outputs[1])
    tab.locator(".sg-descend .sg-close").click()
    assert row.is_hidden()
    assert tab.locator(".sg-explains").is_visible()


# Steps.


def in_words(output):
    """Formula and note of each step, from Python."""
    copy = copy_of(output, None)
    steps = Story(copy, backward_terms(copy)).steps()
    return [(" ".join(piece for piece, _ in step.formula), step.note) for step in steps]


def step_shown(tab):
    pieces = tab.locator(".sg-formula > span").evaluate_all("all => all.map(piece => piece.firstChild.textContent)")
    return " ".join(pieces), tab.locator(".sg-note").inner_text()


@pytest.mark.parametrize("graph", [neuron, several_paths, many_kinds, not_finite])
def test_all_steps_and_notes_are_those_of_python(visit, graph):
    tab = visit(explore(graph()))
    tab.keyboard.press("s")
    for place, expected in enumerate(in_words(graph())):
        assert step_shown(tab) == expected, place
        tab.keyboard.press("ArrowRight")


def test_a_leaf_moved_in_step_mode_computes_again_and_stays_at_the_step(visit):
    output = neuron()
    tab = visit(explore(output))
    to_mode(tab, "Step")
    for _ in range(14):
        tab.keyboard.press("ArrowRight")
    type_data(tab, output, "x2", "0.5")
    assert tab.locator(".sg-counter").inner_text().startswith("14 / 15")
    assert step_shown(tab) == in_words(neuron_at(x2=0.5))[14]
    moved = neuron_at(x2=0.5)
    moved.backward()
    grads = [value.grad for value in topological_order(moved)]
    for value, grad in zip(topological_order(output), grads, strict=True):
        expected = "0" if value.label == "w1" else gradient_text(grad)
        assert card(tab, output, value).locator(".sg-grad .sg-number").inner_text() == expected


def test_the_list_leads_to_each_step_and_keeps_the_present_one_in_view(visit):
    output = network(3)
    tab = visit(explore(output), reduced_motion="reduce")
    to_mode(tab, "Step")
    rows = tab.locator(".sg-all-steps .sg-listed")
    words = in_words(output)
    assert rows.count() == len(words) - 1
    tab.keyboard.press("End")
    box, panel = rows.last.bounding_box(), tab.locator(".sg-side").bounding_box()
    assert panel["y"] <= box["y"]
    assert box["y"] + box["height"] <= panel["y"] + panel["height"]
    assert rows.last.get_attribute("aria-current") == "step"
    rows.nth(6).click()
    assert tab.locator(".sg-counter").inner_text().startswith("7 / ")
    assert step_shown(tab) == words[7]
    assert rows.nth(20).locator("b").inner_text() == ""  # not known yet


def test_speeds_set_how_fast_it_plays(visit):
    tab = visit(explore(neuron()))
    tab.keyboard.press("s")
    frozen(tab)
    at = tab.locator(".sg-counter b")
    for key, milliseconds in [("1", 2400), ("2", 1200), ("3", 600), ("4", 300)]:
        tab.keyboard.press("Home")
        tab.keyboard.press(key)
        tab.keyboard.press("Space")
        tab.clock.run_for(3 * milliseconds + 30)
        assert at.inner_text() == "4"  # the first at once
        tab.keyboard.press("Space")
    assert tab.locator(".sg-speeds [aria-pressed=true]").inner_text() == "4×"


def test_reduced_motion_plays_one_step_a_second_at_most(visit):
    tab = visit(explore(neuron()), reduced_motion="reduce")
    tab.keyboard.press("s")
    frozen(tab)
    tab.keyboard.press("4")
    tab.keyboard.press("Space")
    tab.clock.run_for(3030)
    assert tab.locator(".sg-counter b").inner_text() == "4"


def test_step_and_back_leaves_what_was_chosen(visit):
    output = neuron()
    tab = visit(explore(output))
    pick(tab, output, leaf(output, "w1"))
    to_mode(tab, "Step")
    assert tab.locator(".sg-explanation").is_hidden()
    assert tab.locator(".sg-card.sg-selected").count() == 0
    to_mode(tab, "Explore")
    assert tab.locator(".sg-explains h2").inner_text() == "w1"


# The quiz.


def quiz_order(output):
    """As the backward pass completes the gradients."""
    copy = copy_of(output, None)
    order = topological_order(copy)
    places = {}
    for term in backward_terms(copy):
        places.pop(term.operand, None)
        places[term.operand] = None
    return [order[place] for place in places]


def answer(tab, text):
    tab.locator(".sg-answer").fill(text)
    tab.locator(".sg-answer").press("Enter")
    settle(tab)


def question(tab):
    return tab.locator(".sg-what b").inner_text()


def plain(x):
    return repr(float(f"{x:.4g}"))


@pytest.mark.parametrize("graph", [neuron, several_paths])
def test_a_quiz_is_asked_from_the_output_backwards_and_all_is_right(visit, graph):
    output = graph()
    tab = visit(explore(output))
    tab.keyboard.press("q")
    settle(tab)
    values = quiz_order(output)
    assert tab.locator(".sg-grad .sg-number", has_text="?").count() == len(values)
    assert tab.locator(".sg-pill:visible").count() == 0
    assert "largest" not in tab.locator(".sg-legend").inner_text()
    for place, value in enumerate(values, 1):
        assert tab.locator(".sg-asking header p").inner_text() == f"question {place} of {len(values)}"
        assert tab.locator(".sg-glow").count() == 1
        answer(tab, plain(value.grad))
        assert tab.locator(".sg-mark", has_text="✓").count() == place
    assert tab.locator(".sg-done").inner_text() == f"All {len(values)} are known: {len(values)} right, 0 not."
    assert tab.locator(".sg-score p").inner_text().split() == [
        *f"{len(values)} of {len(values)} {len(values)} right ✓, 0 not ✗, 0 to go".split()
    ]
    shown = tab.locator(".sg-so-far .sg-listed b").all_inner_texts()
    assert shown == [gradient_text(value.grad) for value in values]


@pytest.mark.parametrize(
    ("typed", "right"),
    [("0.5", True), ("0.5049", True), ("0.4951", True), ("0.506", False), ("0,5", True), ("−0.5", False)],
)
def test_right_is_within_1_percent(visit, typed, right):
    tab = visit(explore(neuron()))
    to_mode(tab, "Quiz")
    answer(tab, typed)
    assert tab.locator(".sg-mark", has_text="✓").count() == right
    assert tab.locator(".sg-told").is_visible()


def test_a_wrong_number_is_named_and_shown_after_two_tries(visit):
    output = neuron()
    tab = visit(explore(output))
    to_mode(tab, "Quiz")
    show_me, check = tab.get_by_role("button", name="Show me"), tab.get_by_role("button", name="Check")
    pick(tab, output, leaf(output, "w1"))
    assert question(tab) == "∂o/∂w1"
    answer(tab, "abc")
    assert tab.locator(".sg-told").inner_text().startswith("That is no number.")
    assert "sg-primary" in check.get_attribute("class")
    for typed in ("7", "8"):
        answer(tab, typed)
        assert tab.locator(".sg-told h3").inner_text().startswith(f"✗ Not {typed}")
    assert "sg-primary" in show_me.get_attribute("class")
    show_me.click()
    settle(tab)
    assert card(tab, output, leaf(output, "w1")).locator(".sg-mark").inner_text() == "✗"
    row = tab.locator(".sg-not")
    assert [row.locator("s").inner_text(), row.locator("b").inner_text().split()] == ["8", ["8", "1"]]
    assert tab.locator(".sg-quiz > .sg-says h3").inner_text() == "w1: you typed 8, it is 1"
    assert question(tab) == "∂o/∂n"  # the first that is open


def test_the_own_factor_is_named(visit):
    output = neuron()
    tab = visit(explore(output))
    to_mode(tab, "Quiz")
    pick(tab, output, leaf(output, "w1"))
    answer(tab, "-1.5")
    told = tab.locator(".sg-told").inner_text()
    assert told.startswith("✗ Not −1.5: that is w1 × 0.5.")
    assert "Try once more." in told


def test_keys_of_the_quiz(visit):
    output = neuron()
    tab = visit(explore(output))
    tab.keyboard.press("q")
    settle(tab)
    tab.keyboard.press("h")  # no field has the focus
    assert tab.locator(".sg-told h3").inner_text() == "Hint"
    field = tab.locator(".sg-answer")
    field.focus()
    asked = [question(tab)]
    for _ in range(8):
        tab.keyboard.press("Tab")
        settle(tab)
        asked.append(question(tab))
    assert len(set(asked)) == 9
    assert asked[-1] == "∂o/∂w1"
    tab.keyboard.press("Tab")  # after the last one it leads on: nobody is trapped
    assert tab.evaluate("document.activeElement.textContent") == "Check"
    field.focus()
    tab.keyboard.press("H")
    assert tab.locator(".sg-told h3").inner_text() == "Hint"
    assert field.input_value() == ""
    tab.keyboard.type("2.0")
    tab.keyboard.press("Enter")
    assert tab.locator(".sg-told h3").inner_text().startswith("✗ Not 2")


def test_the_quiz_traps_nobody_who_walks_from_card_to_card(visit):
    output = neuron()
    tab = visit(explore(output))
    tab.keyboard.press("q")
    settle(tab)
    first = topological_order(output)[0]
    card(tab, output, first).locator(".sg-pick").focus()
    visited = []
    for _ in range(3):
        tab.keyboard.press("Tab")
        settle(tab)
        visited.append(tab.evaluate("document.activeElement.closest('[data-value]')?.dataset.value"))
    assert visited == ["1", "2", "3"]
    asked = question(tab)
    tab.keyboard.press("Shift+Tab")
    settle(tab)
    assert tab.evaluate("document.activeElement.closest('[data-value]')?.dataset.value") == "2"
    assert question(tab) != asked
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.className") == "sg-answer"


def test_new_numbers_hide_all_and_show_all(visit):
    output = neuron()
    tab = visit(explore(output))
    to_mode(tab, "Quiz")
    answer(tab, "0.5")
    tab.get_by_role("button", name="Show all").click()
    settle(tab)
    assert tab.locator(".sg-done").inner_text() == "All 9 are known: 1 right, 8 not."
    assert tab.locator(".sg-grad .sg-number", has_text="?").count() == 0
    tab.get_by_role("button", name="Hide all again").click()
    settle(tab)
    assert tab.locator(".sg-grad .sg-number", has_text="?").count() == 9
    fields = tab.locator(".sg-card .sg-field")
    before = fields.evaluate_all("all => all.map(field => field.value)")
    tab.get_by_role("button", name="New numbers").click()
    settle(tab)
    after = fields.evaluate_all("all => all.map(field => field.value)")
    assert before != after
    assert all(re.fullmatch(r"−?[0-3](\.5)?", text) for text in after)
    assert tab.locator(".sg-grad .sg-number", has_text="?").count() == 9
    assert tab.locator(".sg-done").is_hidden()


def test_the_quiz_gives_nothing_away(visit):
    """No gradient that is not known stands anywhere on the page, neither for eyes nor for ears."""
    output = neuron_at(w1=-2.75, b=5.125)
    output.backward()
    tab = visit(explore(output))
    to_mode(tab, "Quiz")
    secrets = {gradient_text(leaf(output, name).grad) for name in ("w1", "x1", "b")} - {"0", "1"}
    assert len(secrets) == 3
    texts = tab.evaluate(
        "[...document.querySelectorAll('.sg-frame *')].filter(e => !e.closest('.sg-hidden'))"
        ".map(e => `${e.getAttribute('aria-label') ?? ''} ${e.title ?? ''} ${e.children.length ? '' : e.textContent}`)"
        ".join(' ')"
    )
    assert not {secret for secret in secrets if re.search(rf"(?<![\d.]){re.escape(secret)}(?![\d.])", texts)}


def test_a_quiz_of_folded_units_asks_for_what_is_seen(visit):
    tab = visit(explore(network(4, 4)), *SIZES["cell"])
    to_mode(tab, "Quiz")
    asked = tab.locator(".sg-asking header p").inner_text()
    shown = tab.locator(".sg-card:not(.sg-output) .sg-grad .sg-number", has_text="?").count()
    assert 0 < int(asked.rpartition(" ")[2]) <= shown
    tab.get_by_role("button", name="Show all").click()
    settle(tab)
    assert tab.locator(".sg-grad .sg-number", has_text="?").count() == 0


# Everybody.


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["Explore", "Step", "Quiz"])
def test_axe_finds_nothing(visit, axe, mode, size, scheme):
    output = neuron()
    page = explore(output)
    policy = re.compile('<meta http-equiv="Content-Security-Policy"[^>]*>')  # it would keep axe out
    tab = visit(policy.sub("", page.html), *SIZES[size], color_scheme=scheme)
    to_mode(tab, mode)
    if mode == "Explore":
        pick(tab, output, leaf(output, "w2"))
    if mode == "Step":
        tab.keyboard.press("End")
    if mode == "Quiz":
        answer(tab, "7")
        answer(tab, "0.5")
        answer(tab, "7")
    tab.add_script_tag(path=axe)
    found = tab.evaluate(
        "axe.run().then(({violations}) => violations.map(v => [v.id, v.nodes.map(n => n.html + n.failureSummary)]))"
    )
    tab.noted.clear()
    assert found == []
