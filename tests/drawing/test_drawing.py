"""draw: right, safe, readable, and laid out without overlaps or needless crossings."""

import math
import re
import subprocess
import sys
from itertools import combinations, pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalargrad.drawing import Drawing, draw, figure, ordering, svg
from scalargrad.drawing.folding import fold, levels
from scalargrad.drawing.layout import CARD_HEIGHT, Box, Layout, Route, lay_out, point_on_curve
from scalargrad.drawing.lettering import clipped, clipped_name, escaped, number, visible, width
from scalargrad.drawing.palette import THEMES, TINT_STEPS, tint
from scalargrad.drawing.snapshot import Snapshot
from scalargrad.drawing.view import view_of
from scalargrad.engine import Value
from scalargrad.nn.recurrent import GRUCell, LSTMCell, RNNCell
from scalargrad.ops import dot
from scalargrad.ops import sum as sum_of

SVG = "{http://www.w3.org/2000/svg}"
DETAILS = ("values", "folded", "units", "layers")


class Weight(Value):
    """A Value that calls itself a parameter, as those of nn do."""

    is_parameter = True


def neuron(backward=True):
    x1, x2 = Value(2.0, "x1"), Value(0.0, "x2")
    w1, w2, b = Weight(-3.0, "w1"), Weight(1.0, "w2"), Weight(6.8813735870195432, "b")
    n = x1 * w1 + x2 * w2 + b
    n.label = "n"
    output = n.tanh()
    output.label = "o"
    if backward:
        output.backward()
    return output


def network(sizes=(2, 4, 4, 1), bias_first=True, with_dot=False, samples=1):
    """A network written one binary operation at a time; with several samples, the sum of its outputs squared."""
    weights, biases = [], []
    for layer, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        names = [f"layers.{layer}.neurons.{unit}" for unit in range(fan_out)]
        weights.append(
            [
                [Weight(math.sin(7 * layer + 3 * u + x), f"{names[u]}.weights.{x}") for x in range(fan_in)]
                for u in range(fan_out)
            ]
        )
        biases.append([Weight(0.1 * math.cos(layer + u), f"{names[u]}.bias") for u in range(fan_out)])
    outputs = []
    for sample in range(samples):
        values = [Value(1.0 - 0.1 * x - 0.05 * sample, f"x{x + 1}") for x in range(sizes[0])]
        for layer, rows in enumerate(weights):
            following = []
            for row, bias in zip(rows, biases[layer], strict=True):
                if with_dot:
                    total = dot(tuple(row), tuple(values)) + bias
                else:
                    terms = [w * x for w, x in zip(row, values, strict=True)]
                    total = bias if bias_first else terms.pop(0)
                    for term in terms:
                        total = total + term
                    total = total if bias_first else total + bias
                following.append(total.relu() if layer < len(weights) - 1 else total)
            values = following
        outputs.append(values[0])
    return outputs[0] if samples == 1 else sum_of(tuple((x - 1.0) ** 2 for x in outputs))


def parsed(drawing):
    return ElementTree.fromstring(drawing.svg() if isinstance(drawing, Drawing) else drawing)


def texts(drawing):
    return ["".join(element.itertext()) for element in parsed(drawing).iter(f"{SVG}text")]


# Numbers and letters.


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (0.0, "0"),
        (-0.0, "−0"),
        (2.0, "2"),
        (-1.5, "−1.5"),
        (0.70710678, "0.7071"),
        (6.8813735, "6.881"),
        (-1234.56, "−1235"),
        (123456.0, "1.235e5"),
        (-1e-10, "−1e−10"),
        (math.nan, "NaN"),
        (math.inf, "inf"),
        (-math.inf, "−inf"),
    ],
)
def test_numbers_have_four_significant_digits_and_a_true_minus(x, text):
    assert number(x) == text


HOSTILE = [
    "<script>alert(1)</script>",
    "{|}",
    "\"quoted\" and 'quoted'",
    "back\\slash \\N \\l",
    "two\nlines\r\tand a tab",
    "bell\x07 null\x00 escape\x1b delete\x7f",
    "<b>x</b>",
    "&lt; &amp; &#0; ]]> <!-- -->",
    "lone \ud800 surrogate \ufffe",
    "turned \u202eround\u2066",
    "\x85\u2028\u2029",
    "x" * 10_000,
    "漢字 é e\u0301 🙂",
    "</title></svg>",
    " ",
    "javascript:alert(1)",
    'onload="x"',
]


@pytest.mark.parametrize("label", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_labels_are_text_and_nothing_else(label):
    a, b = Value(1.0, label), Value(2.0, "b")
    output = a * b
    output.label = label
    output.backward()
    drawing = draw(output, title=label, names={label: b})
    allowed = {"svg", "title", "desc", "style", "rect", "text", "g", "path"}
    root = parsed(drawing)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= allowed
    assert not [name for element in root.iter() for name in element.attrib if name.startswith("on") or "href" in name]
    titles = [element.text for element in root.iter(f"{SVG}title")]
    assert any(title.startswith(visible(label)) for title in titles)  # the full text
    shown = [text for text in texts(drawing) if text.strip("…") and visible(label).startswith(text.rstrip("…"))]
    assert len(shown) >= 2  # on the card and in the heading
    assert drawing.dot().source  # and Graphviz's source, see below


def test_the_check_of_hostile_labels_finds_a_label_that_is_not_escaped(monkeypatch):
    monkeypatch.setattr(svg, "escaped", str)
    root = parsed(draw(Value(1.0, "<script/>")))
    assert any(element.tag == f"{SVG}script" for element in root.iter())
    with pytest.raises(ElementTree.ParseError):
        parsed(draw(Value(1.0, "a & b")))


def test_a_short_label_is_shown_whole_and_a_long_one_ends_in_an_ellipsis():
    for label in ("x", "<i>", "a & b"):
        assert label in texts(draw(Value(1.0, label)))
    assert clipped("w" * 50, 60, 12).endswith("…")
    assert width(clipped("w" * 50, 60, 12), 12) <= 60


def test_a_long_name_keeps_its_first_and_its_last_parts():
    name = "layers.0.neurons.3.weights.1"
    shown = [clipped_name(name, room, 13) for room in (300, 200, 170, 100, 40, 5)]
    assert shown[:4] == [name, "layers.0…weights.1", "layers.0…weights.1", "layers.…hts.1"]
    for text, room in zip(shown, (300, 200, 170, 100, 40, 5), strict=True):
        assert width(text, 13, bold=True) <= room or text == "…"
    assert clipped_name("a_name_without_parts", 80, 13).endswith("…")
    output = network((2, 2, 1), with_dot=True)
    assert "layers.0…weights.1" in texts(draw(output))


def test_widths_are_those_of_the_usual_fonts():
    assert width("Hello", 100) == pytest.approx(75 + 62 + 28 + 28 + 61)
    assert width("e\u0301", 10) == width("e", 10)
    assert width("漢", 10) == 10


def test_escaped_text_survives_a_parser():
    for label in HOSTILE:
        for markup in (f"<a>{escaped(label)}</a>", f'<a b="{escaped(label)}"/>'):
            element = ElementTree.fromstring(markup)
            assert (element.text or element.get("b")) == visible(label)


# What the picture says.


def test_the_neuron_shows_its_data_gradients_and_local_derivatives():
    drawing = draw(neuron())
    shown = texts(drawing)
    for text in ("x1", "−1.5", "0.7071", "6.881", "0.8814", "×(−3)", "×0.5", "tanh", "input", "param", "output"):
        assert text in shown, text
    assert "o = 0.7071" in shown
    assert "10 values, after backward()" in shown
    root = parsed(drawing)
    assert "∂o/∂x1 = −1.5" in root.find(f"{SVG}desc").text
    tips = [element.text for element in root.iter(f"{SVG}title")]
    assert "∂o/∂x1 += ∂(x1*w1)/∂x1 × ∂o/∂(x1*w1) = −3 × 0.5 = −1.5" in tips
    assert any("x1 (input): data 2; ∂o/∂x1 = −3 × 0.5 = −1.5" in tip for tip in tips)


def test_a_graph_that_has_not_run_backward_says_so_and_shows_no_gradients():
    drawing = draw(neuron(backward=False))
    shown = texts(drawing)
    assert any("backward() not run" in text for text in shown)
    assert "grad" not in shown
    assert not [text for text in shown if text.startswith("×") and len(text) > 1]
    assert shown.count("0") == 2  # the data of x2 and of x2*w2
    assert "no gradients yet" in parsed(drawing).find(f"{SVG}desc").text
    assert "grad" in texts(draw(neuron()))  # the check can fail


def test_stale_gradients_of_leaves_are_not_shown_for_a_new_graph():
    x = Value(3.0, "x")
    (x * x).backward()
    assert "grad" not in texts(draw(x * 2.0))


def test_a_drawing_keeps_what_it_showed():
    output = neuron()
    drawing = draw(output)
    output.data = 99.0
    output.operands[0].grad = 99.0
    assert "99" not in texts(drawing)


@pytest.mark.parametrize("detail", DETAILS)
@pytest.mark.parametrize("theme", THEMES)
def test_leaves_alone_can_be_drawn(detail, theme):
    for leaf in (Value(1.5, "x"), Weight(1.5, "layers.0.neurons.1.bias"), Value(math.nan)):
        drawing = draw(leaf, detail=detail, theme=theme)
        assert len(drawing.view.cards) == 1
        assert parsed(drawing).get("role") == "img"


def test_a_value_used_twice_has_an_edge_for_each_use():
    a = Value(3.0, "a")
    for output in (a + a, a * a):
        output.backward()
        assert len(draw(output).view.edges) == 2
    a.grad = 0.0
    dotted = dot((a, a), (a, a))
    dotted.backward()
    edges = draw(dotted).view.edges
    assert [edge.operand for edge in edges] == [0, 1, 2, 3]
    assert math.fsum(edge.flow for edge in edges) == a.grad == 12.0


def test_flows_into_a_value_add_up_to_its_gradient():
    for output in (neuron(), network(), network(with_dot=True)):
        if output.grad == 0.0:
            output.backward()
        for detail in ("values", "folded"):
            view = view_of(output, detail)
            received = [0.0] * len(view.cards)
            for edge in view.edges:
                received[edge.source] += edge.flow
            for card, total in zip(view.cards, received, strict=True):
                if card.kind != "output" and len(card.exits) == 1:
                    assert total == pytest.approx(view.values[card.exits[0]].grad, abs=1e-12)


def test_nan_and_inf_have_a_colour_of_their_own():
    x = Value(math.inf, "x")
    output = x * 0.0 + Value(1.0, "y")
    output.backward()
    drawing = draw(output)
    found = {e.text: e.get("class") for e in parsed(drawing).iter(f"{SVG}text") if e.text in ("NaN", "inf")}
    assert found == {"NaN": "sg-f-not-finite", "inf": "sg-f-not-finite"}
    assert "#B5179E" in drawing.svg()
    assert "#FF7AD9" in draw(output, theme="dark").svg()


def test_a_switched_off_relu_is_dashed_and_says_off():
    for x, off in ((-1.0, True), (0.0, True), (2.0, False)):
        output = Value(x, "x").relu()
        output.backward()
        drawing = draw(output)
        card = parsed(drawing).find(f".//{SVG}g[@data-node='1']")
        assert ("off" in texts(drawing)) == off
        assert any(e.get("stroke-dasharray") for e in card.iter(f"{SVG}rect")) == off


def test_constants_stand_in_the_badge():
    x = Value(2.0, "x")
    badges = {
        "**2": x**2,
        "+1": x + 1,
        "1/": 1 / x,
        "×0.5": x * 0.5,
        "−3": x - 3,
        "leaky_relu(·, 0.01)": x.leaky_relu(),
        "−": -x,
        "Σ": sum_of((x, x)),
    }
    for badge, output in badges.items():
        assert view_of(output).cards[-1].badge == badge


def test_names_label_values_that_have_no_label():
    a, b = Value(1.0), Value(2.0, "own")
    weights = [Value(3.0), Value(4.0)]
    c = a * b + weights[0] * weights[1]
    names = {"a": a, "b": b, "_": c, "c": c, "weights": weights, "text": "x", "numbers": [1, 2], "nothing": None}
    labels = {card.name for card in view_of(c, names=names).cards}
    assert {"a", "own", "weights[0]", "weights[1]", "c"} <= labels
    assert a.label == ""  # the graph itself is left alone


# Colours.


def luminance(colour):
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first, second):
    darker, lighter = sorted((luminance(first), luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


def text_contrasts(drawing, palette):
    """(contrast, text) for every text, on the first shape of the nearest group that has one: see picture.py."""
    found = []

    def fill(element):
        names = [name for name in element.get("class", "").split() if name.startswith("sg-f-")]
        return palette[names[0].removeprefix("sg-f-")] if names else None

    def walk(element, ground):
        for child in element:
            if child.tag in (f"{SVG}rect", f"{SVG}path") and fill(child):
                ground = fill(child)
                break
        for child in element:
            if child.tag == f"{SVG}text":
                found.append((contrast(fill(child), ground), child.text))
            walk(child, ground)

    walk(parsed(drawing), None)
    return found


def colourful():
    """A graph with every tint, NaN, inf, every kind of card and an off relu."""
    leaves = [Value(1.0, f"x{place}") for place in range(9)]
    slopes = [1.0, 0.3, 0.1, 0.01, 0.0, -0.01, -0.1, -0.3, -1.0]
    total = sum_of(tuple(x * slope for x, slope in zip(leaves, slopes, strict=True)))
    odd = Value(-1.0, "odd").relu() * Weight(1.0, "w") + Value(math.nan, "nan") * Value(math.inf, "inf")
    output = total + odd
    output.backward()
    return output


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_is_readable_on_its_background(theme):
    palette = THEMES[theme][0]
    network_output = network()
    network_output.backward()
    drawings = [draw(colourful(), theme=theme), draw(neuron(False), theme=theme)]
    drawings += [draw(network_output, theme=theme, detail=detail) for detail in DETAILS]
    for drawing in drawings:
        found = text_contrasts(drawing, palette)
        assert len(found) > 10
        worst, text = min(found)
        assert worst >= 4.5, text
    for step in TINT_STEPS:  # whatever may stand on a tinted cell
        assert min(contrast(palette[colour], palette[step]) for colour in ("ink", "caption")) >= 4.5, step


def test_the_contrast_check_finds_a_text_that_cannot_be_read():
    faint = THEMES["light"][0] | {"ink": "#DDDDDD"}
    assert min(text_contrasts(draw(neuron()), faint))[0] < 4.5
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)


def test_tints_are_four_steps_of_three_on_each_side_of_zero():
    expected = {9.0: 4, 3.0: 3, 1.0: 2, 0.99: 1, 1e-9: 1, 5.0: 3}
    for gradient, step in expected.items():
        assert tint(gradient, 9.0) == f"tint-positive-{step}"
        assert tint(-gradient, 9.0) == f"tint-negative-{step}"
    for gradient in (0.0, -0.0, math.nan, math.inf):
        assert tint(gradient, 9.0) == "tint-zero"


def test_the_auto_theme_follows_the_reader_and_the_others_do_not():
    graph = neuron()
    assert "prefers-color-scheme:dark" in draw(graph, theme="auto").svg()
    for theme, ground in (("light", "#FFFFFF"), ("dark", "#0F141A")):
        text = draw(graph, theme=theme).svg()
        assert "prefers-color-scheme" not in text
        assert f".sg-f-ground{{fill:{ground}}}" in text


# The SVG as a document.


def test_the_svg_is_accessible_and_its_parts_can_be_addressed():
    drawing = draw(neuron(), title="One neuron")
    root = parsed(drawing)
    assert root.get("role") == "img"
    labels = [root.find(f".//*[@id='{name}']").text for name in root.get("aria-labelledby").split()]
    assert labels[0].startswith("One neuron: 10 values")
    for kind, count in (("node", len(drawing.view.cards)), ("edge", len(drawing.view.edges))):
        groups = [element for element in root.iter(f"{SVG}g") if element.get("class") == f"sg-{kind}"]
        groups.sort(key=lambda group: int(group.get(f"data-{kind}")))
        assert [group.get("id") for group in groups] == [f"{drawing.id}-{kind}-{place}" for place in range(count)]
        assert [group.get(f"data-{kind}") for group in groups] == [str(place) for place in range(count)]
        assert all(group.find(f"{SVG}title").text for group in groups)


def test_ids_are_unique_over_several_figures():
    graph = neuron()
    drawings = [draw(graph), draw(graph), draw(graph, theme="dark"), draw(network())]
    ids = [element.get("id") for drawing in drawings for element in parsed(drawing).iter() if element.get("id")]
    assert len(ids) == len(set(ids)) > 50


def test_the_same_graph_gives_the_same_svg_apart_from_the_id():
    for graph in (neuron(), network(), colourful()):
        first, second = draw(graph), draw(graph)
        assert first.id != second.id
        assert first.svg().replace(first.id, "ID") == second.svg().replace(second.id, "ID")


def test_a_fresh_process_gives_the_same_svg():
    code = (
        "from scalargrad.engine import Value; from scalargrad.drawing import draw;"
        "x = Value(2.0, 'x'); y = (x * x + x).tanh(); y.backward();"
        "import hashlib; print(hashlib.sha256(draw(y).svg().encode()).hexdigest())"
    )
    runs = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(runs) == 1


def test_importing_the_drawing_loads_nothing_from_outside_the_standard_library():
    code = "import sys, scalargrad.drawing; print(*{name.partition('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, encoding="utf-8")
    assert not {"numpy", "PIL", "matplotlib", "graphviz", "sklearn"} & set(run.stdout.split())


def test_a_notebook_shows_the_svg():
    drawing = draw(neuron())
    bundle = drawing._repr_mimebundle_()
    assert bundle.pop("text/html").startswith("<div ")
    assert bundle == {"image/svg+xml": drawing.svg(), "text/plain": repr(drawing)}
    assert repr(drawing) == "<Drawing of o = 0.7071: 10 values, after backward()>"


# Names.


def names_in(output, names=None):
    snapshot = Snapshot(output, names)
    return [snapshot.name(position) for position in range(len(snapshot.values)) if snapshot.op(position)]


def test_results_without_names_are_called_by_what_they_are():
    found = names_in(network((2, 2, 1), with_dot=True))
    for name in ("layers.0.neurons.0", "layers.0.neurons.1", "layers.0.neurons.1.sum", "layers.0.neurons.1.dot"):
        assert name in found
    assert "layers.1.neurons.0.dot" in found
    assert found[-1] == "output"
    assert not [name for name in found if re.fullmatch(r"v\d+", name)]


def test_no_two_results_of_modules_have_one_name():
    found = names_in(network((2, 2, 1), with_dot=True, samples=3))
    assert {"layers.0.neurons.1", "layers.0.neurons.1#2", "layers.0.neurons.1#3"} <= set(found)
    assert len(found) == len(set(found))


def test_rows_of_a_matrix_are_units():
    rows = [[Weight(1.0 + row, f"head.weight.{row}.{place}") for place in range(2)] for row in range(2)]
    x = [Value(1.0, "x1"), Value(2.0, "x2")]
    first, second = (dot(tuple(row), tuple(x)) + Weight(0.0, f"head.bias.{n}") for n, row in enumerate(rows))
    assert {"head.0", "head.1", "head.0.dot", "head.1.dot"} <= set(names_in(first * second))


def test_numbers_remain_the_names_of_what_nobody_named():
    x, w = Value(2.0, "x"), Weight(3.0, "w")
    assert names_in((x * w - 1.0).tanh()) == ["x*w", "v3", "output"]


def test_gates_are_called_by_their_letters_and_by_the_users_names_before_that():
    (h,), (c,) = LSTMCell(1, 1, rng=0)([Value(0.5, "x")])
    snapshot = Snapshot(h)
    operations = {snapshot.name(x): snapshot.op(x).name for x in range(len(snapshot.values)) if snapshot.op(x)}
    expected = {"i": "sigmoid", "f": "sigmoid", "g": "tanh", "o": "sigmoid", "c": "add", "h": "mul", "i*g": "mul"}
    assert expected.items() <= operations.items()
    (gru,) = GRUCell(1, 1, rng=0)([Value(0.5, "x")])
    assert {"r", "z", "n", "h"} <= set(names_in(gru))
    hidden = RNNCell(1, 3, rng=0)([Value(0.5, "x")])
    assert [Snapshot(h).name(Snapshot(h).output) for h in hidden] == ["h.0", "h.1", "h.2"]
    assert "mine" in names_in(h, {"mine": c})
    assert "c" not in names_in(h, {"mine": c})
    c.label = "state"
    assert "state" in names_in(h, {"mine": c})


# Folding.


def test_the_detail_is_chosen_by_size():
    wide = network((2, 40, 40, 1), with_dot=True)
    plain = sum_of(tuple(Value(float(x)) for x in range(70)))
    for output, detail in ((neuron(), "values"), (network(), "units"), (wide, "layers"), (plain, "folded")):
        assert draw(output).view.detail == detail


@pytest.mark.parametrize("with_dot", [False, True])
def test_a_network_folds_into_units_whose_edges_are_weights(with_dot):
    output = network(with_dot=with_dot)
    output.backward()
    drawing = draw(output)
    view = drawing.view
    if not with_dot:
        assert view.summary == "103 values folded into 11 units, after backward()"
    assert len(view.cards) == 2 + 4 + 4 + 1
    assert len(view.edges) == 8 + 16 + 4
    assert view.edges_are_weights
    # An edge is as wide as the gradient of its weight.
    weights = {value.label: value for value in view.values}
    places = {card.group + card.name: place for place, card in enumerate(view.cards)}
    for unit in range(4):
        source, target = places["layers.0neurons.1"], places[f"layers.1neurons.{unit}"]
        (edge,) = [edge for edge in view.edges if (edge.source, edge.target) == (source, target)]
        assert edge.flow == pytest.approx(weights[f"layers.1.neurons.{unit}.weights.1"].grad, abs=1e-12)
    assert {"inputs", "layers.0 · 4 relu", "layers.1 · 4 relu", "layers.2 · 1 linear"} <= set(texts(drawing))


def test_the_tooltip_of_a_weight_gives_the_weight_itself():
    x = [Value(1.0, "x1"), Value(-2.0, "x2")]
    names = [f"layers.0.neurons.{n}.weights" for n in (0, 1)]
    weights = [[Weight(0.6888, f"{name}.0"), Weight(0.5, f"{name}.1")] for name in names]
    biases = [Weight(0.0, "layers.0.neurons.0.bias"), Weight(-5.0, "layers.0.neurons.1.bias")]  # the second is off
    sums = [dot(tuple(row), tuple(x)) + b for row, b in zip(weights, biases, strict=True)]
    output = sums[0].tanh() + sums[1].relu()
    output.backward()
    tips = [edge.explanation for edge in view_of(output, "units").edges]
    for n in (0, 1):
        (tip,) = [tip for tip in tips if tip.startswith(f"layers.0.neurons.{n}.weights.0 = ")]
        gradient = number(weights[n][0].grad + 0.0)
        assert tip.startswith(f"layers.0.neurons.{n}.weights.0 = 0.6888, gradient of the weight {gradient}; adds ")


def test_the_calls_of_a_unit_share_its_card():
    loss = network(samples=10, with_dot=True)
    loss.backward()
    names = [card.name for card in view_of(loss, "units").cards if card.group.startswith("layers.0")]
    assert sorted(names) == [f"neurons.{unit}" for unit in range(4)]
    layers = view_of(loss, "layers").cards
    assert {card.name for card in layers if card.name.startswith("layers")} == {"layers.0", "layers.1", "layers.2"}


def test_what_surrounds_the_units_is_stacked_where_it_is_much():
    loss = network(samples=40, with_dot=True)
    loss.backward()
    for detail in ("units", "layers"):
        view = view_of(loss, detail)
        assert len(view.cards) < 20
        assert {"40 × −1", "40 × **2"} <= {card.name for card in view.cards}
    wide = network((2, 70, 1), with_dot=True)
    assert len(view_of(wide, "units").cards) == 2 + 70 + 1  # the units themselves are not


def test_a_recurrent_unit_stays_apart_for_each_step():
    weight, state = Weight(0.5, "cell.weights.0"), Value(1.0, "h0")
    for step in range(5):
        state = (weight * state + Value(float(step), f"x{step}")).tanh()
    state.backward()
    for detail in DETAILS:
        assert draw(state, detail=detail).svg()


def test_a_sum_chain_is_one_card_unless_the_user_has_named_its_parts():
    xs = [Value(float(x), f"x{x}") for x in range(5)]
    plain = sum((x * x for x in xs[1:]), xs[0])
    assert len(view_of(plain, "folded").cards) == 6
    assert view_of(plain, "folded").cards[-1].badge == "Σ"
    named = xs[0] + xs[1]
    named.label = "mine"
    assert len(view_of(named + xs[2], "folded").cards) == 5
    assert view_of(plain).summary.startswith("13 values,")


def test_slopes_of_folded_cards_are_total_derivatives():
    x = Value(3.0, "x")
    output = x * 2.0 + x * x + x * 5.0
    output.backward()
    (edge,) = view_of(output, "folded").edges
    assert edge.slope == pytest.approx(2 + 6 + 5)
    assert edge.flow == pytest.approx(x.grad)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("detail", [None, "folded", "units", "layers"])
def test_deep_and_large_graphs_fold(detail):
    chain, weight = Value(1.0, "x"), Weight(1.0001, "weight")
    for _ in range(3_334):
        chain = (chain * weight + 0.1).relu()
    chain.backward()
    drawing = draw(chain, detail=detail)
    assert len(drawing.view.cards) < 100
    assert "10004 values folded into" in drawing.view.summary
    assert parsed(drawing).get("id") == drawing.id


def test_values_apart_have_a_limit_that_is_explained():
    chain = Value(1.0)
    for _ in range(6_000):
        chain = chain + 1.0
    with pytest.raises(ValueError, match=r"draws up to 5000 values and this graph has 6001; use detail='folded'"):
        draw(chain, detail="values")


@pytest.mark.long
def test_a_sum_of_a_thousand_terms_can_be_drawn_at_every_detail():
    xs = [Value(float(x), f"x{x}") for x in range(1000)]
    total = sum(xs[1:], xs[0])
    total.backward()
    for detail in DETAILS:
        assert parsed(draw(total, detail=detail)).tag == f"{SVG}svg"


# The layout.


def rows_of(output, detail="values"):
    """The heights of the cards, by name."""
    view = view_of(output, detail)
    return {
        f"{card.group}.{card.name}".lstrip("."): box.top
        for card, box in zip(view.cards, lay_out([view]).boxes, strict=True)
    }


@pytest.mark.parametrize("count", [2, 3, 5])
def test_operands_of_a_dot_stand_in_their_order(count):
    weights = [Weight(1.0, f"weights.{place}") for place in range(count)]
    xs = [Value(1.0, f"x{place}") for place in range(count)]
    top = rows_of((dot(tuple(weights), tuple(xs)) + Weight(0.0, "bias")).tanh())
    order = [f"weights.{place}" for place in range(count)] + [f"x{place}" for place in range(count)]
    assert sorted(order, key=top.__getitem__) == order


@pytest.mark.parametrize("detail", ["values", "units"])
def test_inputs_and_units_of_a_network_stand_in_their_order(detail):
    output = network((3, 4, 4, 1), with_dot=True)
    top = rows_of(output, detail)
    orders = [[f"layers.{layer}.neurons.{unit}" for unit in range(4)] for layer in (0, 1)]
    orders.append([f"{'inputs.' if detail == 'units' else ''}x{place}" for place in (1, 2, 3)])
    for order in orders:
        assert sorted(order, key=top.__getitem__) == order


@pytest.mark.parametrize("cell", [LSTMCell, GRUCell, RNNCell])
def test_inputs_of_recurrent_cells_stand_in_their_order(cell):
    xs = [Value(1.0, f"x{place}") for place in range(3)]
    outputs = cell(3, 2, rng=0)(xs)
    first, second = outputs[0] if cell is LSTMCell else outputs
    top = rows_of(first * second)
    assert top["x0"] < top["x1"] < top["x2"]


def test_sorting_operands_makes_no_crossing(monkeypatch):
    for output in (network((3, 3, 1), with_dot=True), GRUCell(3, 2, rng=0)([Value(1.0, f"x{n}") for n in range(3)])[0]):
        view = view_of(output, "values")
        sorted_ones = drawn_crossings(lay_out([view]))
        with monkeypatch.context() as patch:
            patch.setattr(ordering, "_sort_alike", lambda layers: None)
            assert sorted_ones <= drawn_crossings(lay_out([view]))


def test_the_check_of_the_order_finds_one_that_is_not(monkeypatch):
    monkeypatch.setattr(ordering, "_sort_alike", lambda layers: None)
    with pytest.raises(AssertionError):
        test_operands_of_a_dot_stand_in_their_order(3)


def test_edges_of_gradient_zero_lie_under_the_others_without_halos():
    output = colourful()
    drawing = draw(output)
    edges = [group for group in parsed(drawing).iter(f"{SVG}g") if group.get("class") == "sg-edge"]
    flows = [drawing.view.edges[int(group.get("data-edge"))].flow for group in edges]
    zeros = flows.count(0.0)
    assert 0 < zeros < len(flows)
    assert all(flow == 0.0 for flow in flows[:zeros])
    for group, flow in zip(edges, flows, strict=True):
        halos = [line for line in group.iter(f"{SVG}path") if "sg-s-ground" in line.get("class")]
        assert len(halos) == (flow != 0.0)


def sampled(route, steps=13):
    """The drawn line of a route as short straight pieces; an odd number, for symmetric curves cross half-way."""
    points = [route.points[0]]
    for place in range(1, len(route.points), 2):
        start, end = route.points[place - 1], route.points[place]
        points += [point_on_curve(start, end, step / steps) for step in range(1, steps + 1)]
        points.append(route.points[place + 1])
    return points


def side(a, b, c):
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def cross(first, second):
    """Do two lines cross somewhere? Touching, or running together, is not crossing."""
    for a, b in pairwise(first):
        for c, d in pairwise(second):
            if max(a[0], b[0]) < min(c[0], d[0]) or max(c[0], d[0]) < min(a[0], b[0]):
                continue
            if side(a, b, c) * side(a, b, d) < -1e-9 and side(c, d, a) * side(c, d, b) < -1e-9:
                return True
    return False


def drawn_crossings(layout):
    """How many pairs of the drawn curves cross, measured on the final geometry."""
    lines = [sampled(route) for route in layout.routes]
    return sum(cross(first, second) for first, second in combinations(lines, 2))


def test_the_count_of_crossings_counts():
    crossing = [Route([(0, 0), (50, 40), (60, 40)], None), Route([(0, 40), (50, 0), (60, 0)], None)]
    beside = [Route([(0, 0), (50, 0), (60, 0)], None), Route([(0, 40), (50, 40), (60, 40)], None)]
    assert drawn_crossings(Layout([], crossing, [], 60, 40)) == 1
    assert drawn_crossings(Layout([], beside, [], 60, 40)) == 0
    assert drawn_crossings(Layout([], crossing + beside, [], 60, 40)) >= 1


@pytest.mark.sampled(2)
@pytest.mark.parametrize("bias_first", [True, False])
def test_a_network_has_no_more_crossings_than_graphviz_draws(bias_first):
    output = network(bias_first=bias_first)
    output.backward()
    view = view_of(output, "values")
    assert len(view.cards) == 103
    assert drawn_crossings(lay_out([view])) <= 26


def test_a_tree_has_no_crossings():
    leaves = [Value(float(x), f"x{x}") for x in range(32)]
    while len(leaves) > 1:
        leaves = [first * second for first, second in zip(leaves[::2], leaves[1::2], strict=True)]
    assert drawn_crossings(lay_out([view_of(leaves[0], "values")])) == 0


def assert_sound(view, layout):
    """No card overlaps another; every edge begins and ends at its cards and keeps clear of the others."""
    boxes = layout.boxes
    by_column = sorted(boxes)
    for first, second in pairwise(by_column):
        apart = first.right <= second.left + 1e-6 or first.bottom <= second.top + 1e-6
        assert apart or second.bottom <= first.top + 1e-6, (first, second)
    for edge, route in zip(view.edges, layout.routes, strict=True):
        source, target = boxes[edge.source], boxes[edge.target]
        (x, y), (end_x, end_y) = route.points[0], route.points[-1]
        assert x == source.right
        assert source.top < y < source.bottom
        assert end_x == target.left
        assert target.top < end_y < target.bottom
        for x, y in sampled(route):
            for box in boxes:
                assert not (box.left + 0.1 < x < box.right - 0.1 and box.top + 0.1 < y < box.bottom - 0.1)


def test_the_soundness_check_finds_overlaps_and_loose_edges():
    output = neuron()
    view = view_of(output)
    layout = lay_out([view])
    assert_sound(view, layout)
    first = layout.boxes[0]
    on_top = [Box(first.left, first.top + 5, first.width, CARD_HEIGHT)]
    with pytest.raises(AssertionError):
        assert_sound(view, layout._replace(boxes=[first, *on_top, *layout.boxes[2:]]))
    with pytest.raises(AssertionError):
        assert_sound(view, layout._replace(routes=layout.routes[::-1]))


@st.composite
def graphs(draw_from):
    """Random graphs with shared nodes, a + a, parameters and long edges."""
    values = [
        (Weight if draw_from(st.booleans()) else Value)(1.0 + place, f"leaf{place}")
        for place in range(draw_from(st.integers(1, 5)))
    ]
    for _ in range(draw_from(st.integers(0, 25))):
        kind = draw_from(st.integers(0, 4))
        picked = [values[draw_from(st.integers(0, len(values) - 1))] for _ in range(3)]
        made = (
            picked[0] + picked[1],
            picked[0] * picked[1],
            picked[0].tanh(),
            sum_of(tuple(picked)),
            dot(tuple(picked), tuple(picked[::-1])),
        )[kind]
        values.append(made)
    output = sum_of(tuple(values[-3:]))
    if draw_from(st.booleans()):
        output.backward()
    return output


@pytest.mark.long
@settings(max_examples=120, deadline=None)
@given(graphs(), st.sampled_from(DETAILS))
def test_random_graphs_are_drawn_soundly(output, detail):
    view = view_of(output, detail)
    assert_sound(view, lay_out([view]))
    assert parsed(draw(output, detail=detail)).tag == f"{SVG}svg"


@settings(max_examples=60, deadline=None)
@given(graphs(), st.sampled_from(DETAILS))
def test_every_value_lies_on_one_card_and_cards_form_no_cycle(output, detail):
    snapshot = Snapshot(output)
    folding, _ = fold(snapshot, detail)
    assert len(folding) == len(snapshot.values)
    levels(snapshot, folding)  # asserts
    members = [member for card in view_of(output, detail).cards for member in card.members]
    assert sorted(members) == list(range(len(snapshot.values)))


@pytest.mark.long
def test_long_edges_that_would_need_too_many_lanes_go_underneath():
    xs = [Value(1.0, f"x{place}") for place in range(40)]
    chain = Value(1.0, "c")
    for _ in range(4):
        for x in xs:
            chain = chain * x
    view = view_of(chain, "values")
    layout = lay_out([view])
    assert_sound(view, layout)
    assert max(y for route in layout.routes for _, y in route.points) > max(box.bottom for box in layout.boxes)


# Files and errors.


def test_saving_writes_the_format_of_the_suffix(tmp_path):
    drawing = draw(neuron())
    assert drawing.save(tmp_path / "a.svg").read_text(encoding="utf-8") == drawing.svg()
    for suffix in ("dot", "gv"):
        assert drawing.save(str(tmp_path / f"a.{suffix}")).read_text(encoding="utf-8") == drawing.dot().source
    with pytest.raises(ValueError, match=r"saved as .svg, .png, .pdf, .dot or .gv, got 'a.jpg'"):
        drawing.save(tmp_path / "a.jpg")


@pytest.mark.parametrize("suffix", ["png", "pdf"])
def test_without_graphviz_one_line_says_what_to_install(tmp_path, monkeypatch, suffix):
    pytest.importorskip("graphviz")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"program `dot`, which is not installed here") as caught:
        draw(neuron()).save(tmp_path / f"a.{suffix}")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.oracle("dot")
@pytest.mark.parametrize("label", HOSTILE, ids=range(len(HOSTILE)))
def test_graphviz_reads_every_label_as_text(tmp_path, label):
    a, b = Value(1.0, label), Value(2.0, "b")
    output = a * b
    output.backward()
    drawing = draw(output, title=label)
    root = ElementTree.fromstring(drawing.dot().pipe(format="svg").decode())
    assert not [element for element in root.iter() if element.tag.endswith("script")]
    shown = ["".join(element.itertext()) for element in root.iter(f"{SVG}text")]
    begin = re.sub(r"\s+", " ", visible(label)[:20]).strip()
    assert any(re.sub(r"\s+", " ", text).strip().startswith(begin) for text in shown)
    assert drawing.save(tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_the_digraph_has_a_node_for_each_card_and_each_operation():
    source = draw(neuron()).dot().source
    assert len(re.findall(r"^\s*value\d+ \[", source, re.M)) == 10
    assert len(re.findall(r"^\s*operation\d+ \[", source, re.M)) == 5
    assert len(re.findall(r" -> ", source)) == 9 + 5


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"value": 3.0}, TypeError, "draw takes a Value, got 3.0"),
        ({"value": [Value(1.0)]}, TypeError, "draw a network by its output"),
        ({"theme": "blue"}, ValueError, "theme 'blue' is not known; there are light, dark, auto"),
        ({"detail": "all"}, ValueError, "detail 'all' is not known; there are values, folded, units, layers, or None"),
        ({"names": ["x"]}, TypeError, "names takes a dict"),
        ({"names": {1: Value(1.0)}}, TypeError, "names takes a dict"),
        ({"title": 3}, TypeError, "title is a text, got 3"),
    ],
)
def test_wrong_arguments_are_one_clear_error(arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        draw(arguments.pop("value", neuron()), **arguments)


def test_a_drawing_of_the_real_network_knows_its_units():
    nn = pytest.importorskip("scalargrad.nn")
    import random

    model = nn.MLP(2, [4, 4, 1], rng=random.Random(0))
    output = model([Value(1.0, "x1"), Value(-2.0, "x2")])
    output = output[0] if isinstance(output, list) else output
    output.backward()
    assert figure.draw(output).view.summary.endswith("values folded into 11 units, after backward()")
