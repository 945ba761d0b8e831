"""playground: its numbers are those of `fit`, and the page works, and stays inside itself, in a real browser."""

import json
import re

import numpy
import pytest

from scalargrad.anomaly import anomaly_detection
from scalargrad.arrays import shuffled
from scalargrad.compiler import TraceError
from scalargrad.datasets import load_moons
from scalargrad.demos import moons
from scalargrad.javascript.bundle import bundle
from scalargrad.nn import MLP, BatchNorm1d, Dropout, Layer, Module, Parameter, Sequential
from scalargrad.observers import no_grad
from scalargrad.ops import sin
from scalargrad.optim import SGD, Adam, AdamW, Optimizer, RMSProp
from scalargrad.pages.page import HERE
from scalargrad.pages.playing import NOTHING_ELSE, playground, training_data
from scalargrad.training.settings import FitSettings
from tests.oracles.scripts import in_node
from tests.pages.reader import Reader

SIZES = {"wide": (1280, 800), "cell": (848, 800), "phone": (390, 844)}
LOSSES = """
const { Training, PROGRAMS } = entry;
const answer = ([data, epochs, changes]) => {
  const training = new Training(data, PROGRAMS);
  for (const [setting, value] of changes ?? []) training.set(setting, value);
  const losses = [];
  for (let epoch = 0; epoch < epochs; epoch++) losses.push(training.epoch());
  return [...losses, ...training.leaves];
};
"""
MEASURES = """
const { Training, PROGRAMS } = entry;
const answer = ([data, epochs]) => {
  const training = new Training(data, PROGRAMS);
  const found = [];
  for (let epoch = 0; epoch <= epochs; epoch++) {
    const { loss, accuracy } = training.measure();
    found.push(loss, accuracy);
    training.epoch();
  }
  return found;
};
"""


def points(rows=40, seed=0):
    X, y = load_moons(rows, 0.1, seed)
    return X, y


def settings(loss="mse", optimizer=None, epochs=20, batch_size=None, l2=0.0, rng=0):
    given = {"loss": loss, "optimizer": optimizer, "epochs": epochs, "batch_size": batch_size, "l2": l2, "rng": rng}
    return FitSettings.among(NOTHING_ELSE | given)


def script(training, body):
    """The training of a page and its programs, and then `body`, where `entry` has them."""
    entry = f"""import {{ Training }} from "{HERE}/playground/training.js";
import {{ PROGRAMS }} from "./programs.js";
export {{ Training, PROGRAMS }};
"""
    text = bundle(entry, {"programs.js": training.text()}, module=True)
    return text.replace("export const {", "const {").replace(
        "const { Training, PROGRAMS } = entry;", ""
    ) + body.replace("const { Training, PROGRAMS } = entry;", "")


def in_page(node, model, X, y, given, body=LOSSES, validation=None, more=()):
    """What a page makes of the model: losses, and then its numbers, parameters first."""
    data, training = training_data(model, X, y, given, validation)
    return in_node(node, script(training, body), [data, given.epochs, *more])


def fitted(make, X, y, given):
    """The losses of `fit`, and the parameters after it."""
    model = make()
    history = model.fit(
        X, y, given.loss, given.optimizer, given.epochs, given.batch_size, given.l2, rng=given.rng, progress=False
    )
    return history["loss"], [parameter.data for parameter in model.parameters()], model


def agree(found, expected, most):
    assert len(found) == len(expected)
    return max(abs(a - b) / max(1.0, abs(b)) for a, b in zip(found, expected, strict=True)) <= most


# Its numbers are those of Python.


def test_the_moons_are_learned_as_python_learns_them(node):
    result = moons.learn(moons.Settings())
    X, y = load_moons(100, 0.1, 0)
    given = settings(optimizer=Adam(0.025), epochs=200, l2=1e-4)
    found = in_page(node, MLP(2, [8, 8, 1], rng=0), X, y, given, MEASURES)
    assert agree(found[::2], result.history["loss"], 1e-12)
    assert found[1::2] == result.history["accuracy"]


class Cubes(Module):
    """A network of its own, with a loss of its own."""

    def __init__(self):
        self.layer = Layer(2, 5, activation="tanh", rng=1)
        self.weights = [Parameter(0.3 * n - 0.5) for n in range(5)]
        self.shift = Parameter(0.1)

    def __call__(self, x):
        hidden = self.layer(x)
        return sum((w * h**3 + sin(h) for w, h in zip(self.weights, hidden, strict=True)), self.shift)


def own_loss(output, label):
    return (output - label) ** 4 + 0.1 * (output - label).abs()


class Halves(Optimizer):
    """An optimizer of a user: half a step, and a memory."""

    state_size = 1

    def update(self, p, g, state, lr, t):
        (before,) = state
        return p - lr * (0.5 * g + 0.5 * before) / t, (g,)


@pytest.mark.parametrize("optimizer", [
    SGD(0.01), SGD(0.005, momentum=0.9, nesterov=True), RMSProp(0.01), Adam(0.02, betas=(0.8, 0.99)),
    AdamW(0.02, weight_decay=0.1), Halves(0.02),
], ids=lambda optimizer: type(optimizer).__name__)  # fmt: skip
def test_twenty_steps_of_each_optimizer(optimizer, node):
    X, y = points(20)
    make = Cubes
    found = in_page(node, make(), X, y, settings(own_loss, optimizer, 20, l2=0.01))
    losses, numbers, _ = fitted(make, X, y, settings(own_loss, optimizer, 20, l2=0.01))
    assert agree(found[: len(losses)], losses, 1e-12)
    assert agree(found[len(losses) :][: len(numbers)], numbers, 1e-12)


@pytest.mark.parametrize("batch", [1, 8, 32, 64])
def test_the_first_twenty_steps_on_batches(batch, node):
    X, y = points(50)
    steps = -(-50 // batch)
    epochs = max(1, round(20 / steps))
    make = lambda: MLP(2, [6, 1], rng=2)  # noqa: E731
    found = in_page(node, make(), X, y, settings("huber", Adam(0.02), epochs, batch, rng=5))
    losses, numbers, _ = fitted(make, X, y, settings("huber", Adam(0.02), epochs, batch, rng=5))
    assert agree(found[:epochs], losses, 1e-12)
    assert agree(found[epochs:][: len(numbers)], numbers, 1e-12)


def test_dropout_leaves_out_what_it_leaves_out_in_python(node):
    X, y = points(30)

    def make():
        return Sequential(Layer(2, 8, rng=0), Dropout(0.4, rng=3), Layer(8, 1, activation="linear", rng=1))

    found = in_page(node, make(), X, y, settings("mse", SGD(0.05), 5, 8))
    losses, numbers, _ = fitted(make, X, y, settings("mse", SGD(0.05), 5, 8))
    assert agree(found[:5], losses, 1e-12)
    assert agree(found[5:][: len(numbers)], numbers, 1e-12)


def test_batch_normalisation_keeps_its_averages(node):
    X, y = points(24)

    def make():
        layers = Layer(2, 4, activation="linear", rng=0), BatchNorm1d(4), Layer(4, 1, activation="linear", rng=1)
        return Sequential(*layers)

    given = settings("mse", SGD(0.1), 6, 8)
    model = make()
    data, training = training_data(model, X, y, given)
    found = in_node(node, script(training, LOSSES), [data, given.epochs])
    losses, _, other = fitted(make, X, y, settings("mse", SGD(0.1), 6, 8))
    assert agree(found[:6], losses, 1e-12)
    buffers, others = ([*x.layers[1].running_mean, *x.layers[1].running_var] for x in (model, other))
    for own, buffer in zip(buffers, others, strict=True):
        assert own.data in (0.0, 1.0)
        assert found[6 + training.leaves.place[own]] == pytest.approx(buffer.data, abs=1e-12)


@pytest.mark.parametrize(("loss", "y"), [
    ("binary_cross_entropy", lambda y: y), ("hinge", lambda y: 2 * y - 1), ("cross_entropy", lambda y: y),
])  # fmt: skip
def test_losses_of_classes(loss, y, node):
    X, labels = points(30)
    make = lambda: MLP(2, [4, 2 if loss == "cross_entropy" else 1], "tanh", rng=0)  # noqa: E731
    # Not by Adam, which makes 5e-11 of a slope of 1e-17 where terms cancel: engines differ in whether it is 0.
    found = in_page(node, make(), X, y(labels), settings(loss, SGD(0.2), 10))
    losses, _numbers, model = fitted(make, X, y(labels), settings(loss, SGD(0.2), 10))
    assert agree(found[:10], losses, 1e-12)
    measures = in_page(node, make(), X, y(labels), settings(loss, SGD(0.2), 10), MEASURES)
    evaluated = model.evaluate(X, y(labels))
    assert measures[-1] == pytest.approx(evaluated.accuracy, abs=1e-15)
    assert measures[-2] == pytest.approx(evaluated.loss, rel=1e-12)


def test_training_goes_on_from_where_it_is(node):
    X, y = points(30)
    model, optimizer = MLP(2, [4, 1], rng=0), Adam(0.02)
    model.fit(X, y, "mse", optimizer, 3, 8, progress=False)
    found = in_page(node, model, X, y, settings("mse", optimizer, 4, 8))
    history = model.fit(X, y, "mse", optimizer, 4, 8, progress=False)
    assert agree(found[:4], history["loss"], 1e-12)


def test_the_optimizer_and_the_model_stay_as_they_were():
    X, y = points(30)
    model, optimizer = MLP(2, [4, 1], rng=0), Adam(0.02)
    model.fit(X, y, "mse", optimizer, 3, backend="numpy", progress=False)
    before = [[p.data, p.grad] for p in model.parameters()], dict(optimizer.state), optimizer.steps, model.fitted_loss
    playground(model, X, y, own_loss, optimizer)
    after = [[p.data, p.grad] for p in model.parameters()], dict(optimizer.state), optimizer.steps, model.fitted_loss
    assert after == before


def test_blocks_around_the_call_are_not_meant_for_the_page():
    X, y = points(20)
    page = playground(MLP(2, [3, 1], rng=0), X, y)
    with no_grad(), anomaly_detection():
        assert playground(MLP(2, [3, 1], rng=0), X, y).html == page.html
    nowhere = MLP(2, [3, 1], rng=0)
    nowhere.layers[0].neurons[0].bias.data = float("inf")
    with anomaly_detection():
        assert "Infinity" in playground(nowhere, X, y).html


def test_one_point_is_enough():
    data = data_of(playground(MLP(2, [2, 1], rng=0), [[1.0, 2.0]], [3.0]))
    assert data["decision"]["kind"] == "number"
    assert data["range"] == [0.0, 2.0, 1.0, 3.0]


def test_frozen_and_held_parameters_stay(node):
    X, y = points(20)
    model = MLP(2, [3, 1], rng=0)
    model.layers[0].neurons[1].requires_grad_(False)
    body = LOSSES.replace("const losses = [];", "training.hold(0, true); const losses = [];")
    found = in_page(node, model, X, y, settings("mse", SGD(0.1), 5), body)[5:]
    start = [parameter.data for parameter in model.parameters()]
    assert [n for n in range(len(start)) if found[n] == start[n]] == [0, 3, 4, 5]


def test_what_the_optimizer_was_not_given_stays():
    X, y = points(20)
    model = MLP(2, [2, 1], rng=0)
    page = playground(model, X, y, "mse", SGD(model.layers[1].parameters(), 0.1))
    assert data_of(page)["frozen"] == [*range(6)]


def test_restart_gives_the_numbers_that_python_had(node):
    X, y = points(20)
    model = MLP(2, [5, 1], rng=0)
    body = """
const answer = ([data, epochs]) => {
  const training = new Training(data, PROGRAMS);
  const first = [...training.leaves];
  const losses = () => Array.from({ length: epochs }, () => training.epoch());
  const begun = losses();
  training.set("optimizer", "momentum");
  training.set("batch", 8);
  training.step();
  training.set("optimizer", "adam");
  training.set("batch", 0);
  training.restart();
  return [...training.leaves.map((x, n) => x - first[n]), ...losses().map((x, n) => x - begun[n])];
};
"""
    assert set(in_page(node, model, X, y, settings("mse", Adam(0.02), 5), body)) == {0.0}


def test_settings_act_at_once(node):
    X, y = points(20)
    make = lambda: MLP(2, [5, 1], rng=0)  # noqa: E731
    changes = [["rate", 0.3], ["l2", 0.02], ["optimizer", "sgd"], ["batch", 5]]
    found = in_page(node, make(), X, y, settings("mse", Adam(0.02), 4), more=[changes])
    losses, _numbers, _ = fitted(make, X, y, settings("mse", SGD(0.3), 4, 5, 0.02))
    assert agree(found[:4], losses, 1e-12)


def test_a_loss_that_is_no_number_moves_nothing(node):
    X, y = points(20)
    body = LOSSES.replace("return [...losses", "return [losses.findIndex((x) => !Number.isFinite(x))").replace(
        ", ...training.leaves]", ", ...training.leaves.map((x) => Number.isFinite(x))]"
    )
    given = settings(lambda output, label: (output - label) ** 8, SGD(10.0), 30)
    broken, *finite = in_page(node, MLP(2, [5, 1], rng=0), X, y, given, body)
    assert 0 < broken < 30
    assert set(finite) == {1.0}


def test_rows_come_in_the_orders_of_python(node):
    X, y = points(20)
    _, training = training_data(MLP(2, [1]), X, y, settings())
    cases = [(rows, seed, epoch) for rows in (1, 2, 5, 64, 100, 1000) for seed in (0, 7, 2**40 + 1) for epoch in (0, 3)]
    body = "const answer = (cases) => cases.flatMap((given) => [...PROGRAMS.order(...given)]);"
    found = in_node(node, script(training, body), cases)
    assert found == [row for case in cases for row in shuffled(*case).tolist()]


def test_a_planted_error_is_seen(node):
    X, y = points(20)
    given = settings("mse", Adam(0.02), 20)
    data, training = training_data(MLP(2, [5, 1], rng=0), X, y, given)
    text, clock = script(training, LOSSES), "this.leaves[this.data.places.time] += 1;"
    assert clock in text
    broken = in_node(node, text.replace(clock, clock.replace("1", "2")), [data, 20])
    losses, *_ = fitted(lambda: MLP(2, [5, 1], rng=0), X, y, settings("mse", Adam(0.02), 20))
    assert not agree(broken[:20], losses, 1e-12)


# What is refused.


class Branches(Module):
    def __init__(self):
        self.w = Parameter(1.0)

    def __call__(self, x):
        return x[0] * self.w if x[0] > 0 else x[1] * self.w


class Grid(Module):
    def __init__(self):
        self.w = Parameter(1.0)

    def __call__(self, x):
        return [[x[0] * self.w, x[1]], [x[0], x[1]]]


class Steps(SGD):
    def step(self, parameters, lr=None):
        super().step(parameters, lr)


GOOD = [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1]


@pytest.mark.parametrize(("change", "error", "words"), [
    ({"model": len}, TypeError, "a model with two inputs such as MLP"),
    ({"X": [[1.0, 2.0, 3.0]] * 3}, ValueError, "X has 3 numbers a row, .* networks with two inputs"),
    ({"X": [[[1.0, 2.0]] * 2] * 3}, ValueError, r"X has the shape \(3, 2, 2\)"),
    ({"X": [[[1.0, 2.0]], [[1.0, 2.0]] * 2, [[1.0, 2.0]]]}, ValueError, "X holds sequences"),
    ({"X": [[1.0, float("nan")], [1.0, 2.0], [0.0, 0.0]]}, ValueError, "nan"),
    ({"X": [[-1.7e308, 0.0], [1.7e308, 1.0], [0.0, 0.0]]}, ValueError, "too far for a map"),
    ({"X": "points"}, TypeError, "X"),
    ({"y": [0, 1]}, ValueError, "y has 2 rows and X has 3"),
    ({"y": [0, float("inf"), 1]}, ValueError, "inf"),
    ({"y": [0, 1, 2], "loss": "binary_cross_entropy"}, ValueError, "labels"),
    ({"y": [1, 1, 1], "loss": "binary_cross_entropy"}, ValueError, "one class only"),
    ({"loss": "mean"}, ValueError, "loss 'mean' is not known"),
    ({"loss": 3}, TypeError, "loss is a name or a function"),
    ({"model": MLP(3, [1])}, ValueError, "the model does not take rows of the shape"),
    ({"model": Branches()}, TraceError, "this model or loss does not compile: .*`if`"),
    ({"model": Grid()}, ValueError, "maps one number, or one for each class"),
    ({"optimizer": Steps(0.1)}, ValueError, "Steps has a step of its own"),
    ({"optimizer": "adam"}, TypeError, "optimizer is one such as Adam"),
    ({"batch_size": 0}, ValueError, "batch_size"),
    ({"epochs": -1}, ValueError, "epochs"),
    ({"l2": -1.0}, ValueError, "l2"),
    ({"theme": "blue"}, ValueError, "theme"),
    ({"names": ["x"]}, ValueError, "names are those of the two inputs, got 1"),
    ({"title": 3}, TypeError, "title"),
    ({"model": Sequential(Dropout(0.1))}, ValueError, "Sequential has no parameters"),
    ({"validation": [1, 2, 3]}, ValueError, "validation is a pair"),
    ({"validation": ([[1.0]], [1])}, ValueError, "validation X has 1 number a row"),
])  # fmt: skip
def test_refusals_are_one_sentence(change, error, words):
    given = {"model": MLP(2, [2, 1], rng=0), "X": GOOD[0], "y": GOOD[1]} | change
    with pytest.raises(error, match=words) as caught:
        playground(given.pop("model"), given.pop("X"), given.pop("y"), **given)
    assert "\n" not in str(caught.value)


# The page as text.


def data_of(page):
    return json.loads(re.search('id="data">(.*?)</script>', page.html)[1])


def moons_page(**more):
    X, y = points(60)
    return playground(MLP(2, [8, 8, 1], rng=3), X, y, optimizer=Adam(0.025), l2=1e-4, **more)


def test_the_page_needs_nothing_else():
    page = moons_page()
    reader = Reader(page.html)
    assert "default-src 'none'" in reader.policy
    assert {name for name, _ in reader.attributes}.isdisjoint(("src", "href", "style", "onclick"))
    assert len(page.html) < 200_000
    assert repr(page) == (
        "<PlaygroundPage playground · MLP(2, [8, 8, 1]): 105 parameters, 60 points, 973 operations a sample>"
    )


def test_a_page_is_saved(tmp_path):
    page = moons_page()
    assert page.save(tmp_path / "p.html").read_text(encoding="utf-8") == page.html
    assert "<iframe" in page._repr_html_()
    with pytest.raises(ValueError, match=r"saved as \.html"):
        page.save(tmp_path / "p.png")


def test_labels_full_of_script_do_nothing():
    evil = '</script><script>alert("x")</script><img src=x onerror=alert(1)>'
    page = moons_page(title=evil, names=[evil, evil])
    reader = Reader(page.html)
    assert "img" not in reader.tags
    assert 'alert("x")' not in "".join(text for _, text in reader.inline)


def test_the_program_is_that_which_print_shows():
    X, y = points(20)
    data, training = training_data(MLP(2, [8, 8, 1], rng=0), X, y, settings(l2=1e-4))
    lines = data["code"]["program"]
    assert "\n".join(line for line, _, _ in lines) == str(training.programs["loss"])
    assert lines[0][0] == "164 scalars in 36 instructions, 973 operations a sample"
    modules = {module for _, module, when in lines if when == "forward"}
    assert modules == {"layers.0", "layers.1", "layers.2"}


def test_the_picture_of_what_cannot_run():
    page = moons_page()
    still = re.search('<div class="sg-still">.*?</div>', page.html, re.DOTALL)[0]
    assert still.count("<circle") == 30
    assert still.count("<path") == 30
    assert re.search(r"loss [\d.]+, accuracy [\d.]+ %, wrong points \d+", still)
    assert "tint-positive-" in still
    assert "tint-negative-" in still


# The page in a browser.


@pytest.fixture
def show(visit):
    """Opens a page and waits for what its script makes."""

    def open_page(page, size="wide", **options):
        tab = visit(page, *SIZES[size], **options)
        tab.set_default_timeout(10_000)
        tab.wait_for_selector(".sg-playground[data-size]")
        return tab

    return open_page


def drawn(tab):
    """Waits for the next frame but one, in which all is drawn."""
    tab.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 50))))"
    )


def reading(tab, name):
    return tab.inner_text(f".sg-reading.sg-{name} b")


def run_of(tab, expression):
    return tab.evaluate(
        f"() => {{ const {{ run }} = document.querySelector('main').playground; return {expression}; }}"
    )


def test_the_moons_are_learned_in_a_browser_as_python_learns_them(show):
    result = moons.learn(moons.Settings())
    X, y = load_moons(100, 0.1, 0)
    page = playground(MLP(2, [8, 8, 1], rng=0), X, y, optimizer=Adam(0.025), l2=1e-4)
    tab = show(page)
    found = run_of(tab, "(Array.from({ length: 200 }, () => run.step()), run.history.map(({ loss }) => loss))")
    assert agree(found, result.history["loss"], 1e-12)
    assert run_of(tab, "run.history.map(({ accuracy }) => accuracy)") == result.history["accuracy"]


def test_play_pause_step_restart(show):
    tab = show(moons_page())
    assert reading(tab, "epoch") == "0"
    loss = reading(tab, "loss")
    tab.click("text=One step")
    drawn(tab)
    assert reading(tab, "epoch") == "1"
    assert reading(tab, "loss") != loss
    tab.click(".sg-settings >> text=max")
    tab.click("button:has-text('Play')")
    tab.wait_for_selector(".sg-epoch b:text-matches('[1-9][0-9]')")
    tab.click("button:has-text('Pause')")
    tab.wait_for_selector("button:has-text('Play')")
    drawn(tab)
    epoch = reading(tab, "epoch")
    tab.wait_for_timeout(100)
    assert reading(tab, "epoch") == epoch
    tab.click("text=Restart")
    drawn(tab)
    assert (reading(tab, "epoch"), reading(tab, "loss")) == ("0", loss)


def test_nothing_starts_by_itself(show):
    tab = show(moons_page())
    tab.wait_for_timeout(200)
    assert reading(tab, "epoch") == "0"


def test_wrong_points_are_ringed_and_counted(show):
    X, y = points(60)
    model = MLP(2, [8, 8, 1], rng=3)
    wrong = [
        row
        for row, (point, label) in enumerate(zip(X.tolist(), y.tolist(), strict=True))
        if (model(point).data > 0.5) != label
    ]
    tab = show(playground(model, X, y))
    drawn(tab)
    rings, marks = (
        tab.evaluate(f"() => [...document.querySelectorAll('.sg-says {x}')].map((x) => x.getAttribute('transform'))")
        for x in (".sg-rings .sg-ring", ".sg-point[transform]")
    )
    assert rings == [marks[row] for row in wrong]
    assert f"wrong: {len(wrong)}" in tab.inner_text(".sg-says .sg-legend")
    assert reading(tab, "accuracy") == f"{round(100 * (1 - len(wrong) / 60), 1):.4g} %"
    assert len(tab.get_attribute(".sg-over .sg-level", "d")) > 100


def test_a_neuron_is_shown_large_and_stays(show):
    model_page = moons_page()
    tab = show(model_page)
    tab.hover(".sg-unit >> nth=5")
    drawn(tab)
    assert tab.inner_text(".sg-neuron h2") == "layers.0 n3"
    assert re.fullmatch(r"relu, (off|on \d+ %)", tab.inner_text(".sg-neuron header span"))
    assert tab.get_attribute(".sg-neuron .sg-on", "d").startswith("M")
    tab.mouse.move(5, 5)
    drawn(tab)
    assert tab.inner_text(".sg-neuron h2") == "layers.0 n3"
    # A unit with a large negative bias is off everywhere, and says so.
    run_of(
        tab,
        "run.training.data.parameters.forEach((name, n) => { if (name === 'layers.0.neurons.3.bias') "
        "run.training.leaves[n] = -99; })",
    )
    tab.click("text=One step")
    drawn(tab)
    assert "off" in tab.inner_text(".sg-unit >> nth=5")
    assert "sg-off" in tab.get_attribute(".sg-unit >> nth=5", "class")


def choose_edge(tab, number=20):
    tab.evaluate(f"() => document.querySelector('[data-edge=\"{number}\"]').dispatchEvent(new MouseEvent('click'))")
    drawn(tab)


def test_a_weight_is_moved_held_and_cut(show):
    tab = show(moons_page())
    choose_edge(tab)
    name = tab.inner_text(".sg-name")
    assert name == "layers.1.neurons.0.weights.4 from n4"
    place = data_of(moons_page())["parameters"].index(name.split()[0])
    weight = lambda: run_of(tab, f"run.training.leaves[{place}]")  # noqa: E731
    loss = reading(tab, "loss")
    tab.fill(".sg-weight .sg-field", "−1,5")
    tab.press(".sg-weight .sg-field", "Enter")
    drawn(tab)
    assert weight() == -1.5
    assert reading(tab, "loss") != loss
    tab.fill(".sg-weight .sg-field", "nonsense")
    tab.press(".sg-weight .sg-field", "Enter")
    assert weight() == -1.5
    assert tab.get_attribute(".sg-weight .sg-field", "aria-invalid") == "true"
    tab.fill(".sg-weight .sg-field", "7")
    tab.press(".sg-weight .sg-field", "Enter")
    drawn(tab)
    assert float(tab.get_attribute(".sg-weight .sg-slider", "max")) == 14.0
    tab.click("text=Set to 0")
    drawn(tab)
    assert weight() == 0.0
    tab.focus(".sg-weight .sg-slider")
    tab.keyboard.press("ArrowRight")
    drawn(tab)
    moved = weight()
    assert moved > 0.0
    tab.click("text=Hold it")
    tab.click("text=One step")
    drawn(tab)
    assert weight() == moved
    tab.click("text=Let it learn")
    tab.click("text=One step")
    assert weight() != moved


def test_an_edge_is_found_under_the_pointer(show):
    tab = show(moons_page())
    drawn(tab)
    x, y = tab.evaluate(
        "() => { const path = document.querySelector('[data-edge=\"3\"]'); const p = path.getPointAtLength(4);"
        "const box = path.ownerSVGElement.getBoundingClientRect(); return [box.x + p.x, box.y + p.y]; }"
    )
    tab.mouse.click(x, y)
    drawn(tab)
    assert "from x" in tab.inner_text(".sg-name")


def test_the_slope_of_a_weight_is_that_of_the_loss(show):
    X, y = points(60)
    model = MLP(2, [8, 8, 1], rng=3)
    tab = show(playground(model, X, y))
    choose_edge(tab)
    outputs = [model(point) for point in X.tolist()]
    loss = sum(((output - label) ** 2 for output, label in zip(outputs, y.tolist(), strict=True)), 0.0) / 60.0
    loss.backward()
    slope = model.layers[1].neurons[0].weights[4].grad
    assert tab.inner_text(".sg-slope b") == f"{slope:.4g}".replace("-", "−").replace("e−0", "e−")


def test_the_code_follows_the_settings(show):
    tab = show(moons_page(epochs=50))
    assert "optimizer=Adam(lr=0.025)," in tab.inner_text(".sg-source")
    assert "l2=0.0001," in tab.inner_text(".sg-source")
    tab.select_option(".sg-settings select >> nth=0", "momentum")
    tab.select_option(".sg-settings select >> nth=1", "8")
    tab.focus(".sg-settings .sg-slider >> nth=0")
    tab.keyboard.press("End")
    tab.focus(".sg-settings .sg-slider >> nth=1")
    tab.keyboard.press("Home")
    drawn(tab)
    code = tab.inner_text(".sg-source")
    assert code.startswith("def mse(")
    assert "optimizer=SGD(lr=1, momentum=0.9)," in code
    assert "batch_size=8," in code
    assert "l2" not in code
    assert run_of(tab, "run.training.settings") == {"optimizer": "momentum", "rate": 1, "l2": 0, "batch": 8}


def test_a_link_shares_the_settings(show):
    tab = show(moons_page())
    tab.select_option(".sg-settings select >> nth=0", "momentum")
    tab.select_option(".sg-settings select >> nth=1", "8")
    tab.click(".sg-settings >> text=max")
    tab.wait_for_timeout(500)
    address = tab.evaluate("location.hash")
    assert address == "#optimizer=momentum&batch=8&speed=max"
    tab.evaluate("location.hash = '#rate=0.5&optimizer=%3Cscript%3E&batch=7&l2=-1&speed=9&__proto__=1&rate=x'")
    tab.wait_for_timeout(500)
    assert run_of(tab, "run.training.settings") == {"optimizer": "momentum", "rate": 0.5, "l2": 1e-4, "batch": 8}
    tab.evaluate(f"location.hash = '{address}'")
    tab.reload()
    tab.wait_for_selector(".sg-playground[data-size]")
    tab.noted.clear()  # the page itself, once more
    assert run_of(tab, "run.training.settings") == {"optimizer": "momentum", "rate": 0.025, "l2": 1e-4, "batch": 8}


def test_a_line_of_the_program_marks_its_units(show):
    tab = show(moons_page())
    tab.click("text=What the compiler made of it")
    assert "164 scalars in 36 instructions" in tab.inner_text(".sg-program")
    tab.hover(".sg-program .sg-line:has-text('contract [8, 8]') >> nth=0")
    marked = tab.evaluate(
        "() => [...document.querySelectorAll('.sg-unit')].map((x) => x.classList.contains('sg-marked'))"
    )
    assert [n for n, is_marked in enumerate(marked) if is_marked] == list(range(10, 18))
    tab.click(".sg-code header button")
    assert tab.is_hidden(".sg-program")


def test_the_keyboard(show):
    tab = show(moons_page())
    tab.keyboard.press("ArrowRight")
    drawn(tab)
    assert reading(tab, "epoch") == "1"
    tab.keyboard.press("Space")
    tab.wait_for_selector("button:has-text('Pause')")
    tab.keyboard.press("Space")
    tab.wait_for_selector("button:has-text('Play')")
    tab.keyboard.press("r")
    drawn(tab)
    assert reading(tab, "epoch") == "0"
    tab.keyboard.press("c")
    assert tab.is_visible(".sg-program")
    tab.keyboard.press("c")
    # From neuron to neuron, and through the weights of one.
    tab.focus(".sg-unit >> nth=2")
    for key, name in {"ArrowDown": "layers.0 n1", "ArrowRight": "layers.1 n1", "ArrowUp": "layers.1 n0"}.items():
        tab.keyboard.press(key)
        drawn(tab)
        assert tab.inner_text(".sg-neuron h2") == name
    tab.keyboard.press("w")
    drawn(tab)
    assert tab.inner_text(".sg-name") == "layers.1.neurons.0.weights.0 from n0"
    tab.keyboard.press("ArrowRight")
    drawn(tab)
    assert tab.inner_text(".sg-name") == "layers.1.neurons.0.weights.1 from n1"
    assert reading(tab, "epoch") == "0"
    # Space on a neuron plays; in a field letters are text.
    tab.keyboard.press("Space")
    tab.wait_for_selector("button:has-text('Pause')")
    tab.keyboard.press("Space")
    tab.focus(".sg-weight .sg-field")
    epoch = reading(tab, "epoch")
    tab.keyboard.type("r c")
    assert tab.is_hidden(".sg-program")
    assert reading(tab, "epoch") == epoch
    tab.keyboard.press("Escape")


def test_a_rate_that_is_too_large_is_told(show):
    X, y = points(40)
    loss = lambda output, label: (output - label) ** 8  # noqa: E731
    tab = show(playground(MLP(2, [5, 1], rng=0), X, y, loss, SGD(10.0)))
    tab.click(".sg-settings >> text=max")
    tab.click("button:has-text('Play')")
    tab.wait_for_selector("text=A smaller learning rate helps")
    assert tab.is_visible("button:has-text('Play')")
    tab.click("text=Restart")
    drawn(tab)
    assert tab.inner_text(".sg-status") == ""


def test_classes_have_letters_and_numbers_have_no_accuracy(show):
    X, _y = points(40)
    places = numpy.arange(40) % 5
    tab = show(playground(MLP(2, [4, 5], rng=0), X, places, "cross_entropy"))
    drawn(tab)
    assert (
        "".join(
            tab.evaluate(
                "() => [...document.querySelectorAll('.sg-says .sg-points .sg-letter')].map((x) => x.textContent)"
            )
        )
        == "ABCDE" * 8
    )
    assert "between classes" in tab.inner_text(".sg-says .sg-legend")
    numbers = show(playground(MLP(2, [4, 1], rng=0), X, X[:, 0] * X[:, 1]))
    drawn(numbers)
    assert numbers.is_hidden(".sg-accuracy")
    assert numbers.inner_text(".sg-curves figcaption").startswith("loss")
    assert "above the middle" in numbers.inner_text(".sg-says .sg-legend")


@pytest.mark.parametrize("make", [
    Cubes, lambda: MLP(2, [40, 1], rng=0), lambda: MLP(2, [5] * 6 + [1], rng=0), lambda: MLP(2, [1], rng=0),
    lambda: Sequential(Layer(2, 4, rng=0), Dropout(0.5, rng=0), BatchNorm1d(4), Layer(4, 1, rng=0)),
], ids=["own", "wide", "deep", "one", "dropout"])  # fmt: skip
def test_any_network_is_shown_and_learns(make, show):
    X, y = points(40)
    tab = show(playground(make(), X, y, optimizer=Adam(0.02), validation=points(20, 1)))
    for _ in range(3):
        tab.click("text=One step")
    drawn(tab)
    assert reading(tab, "epoch") == "3"
    assert len(tab.get_attribute(".sg-curve.sg-held >> nth=0", "d")) > 10


def test_a_wide_layer_says_how_many_more(show):
    X, y = points(20)
    tab = show(playground(MLP(2, [64, 1], rng=0), X, y))
    assert tab.locator(".sg-unit").count() == 2 + 16 + 1
    assert tab.inner_text(".sg-more") == "48 more"


@pytest.mark.parametrize("size", SIZES)
def test_nothing_sticks_out(size, show):
    for page in (moons_page(), playground(MLP(2, [16, 16, 1], rng=0), *points(30))):
        tab = show(page, size)
        drawn(tab)
        width, _ = SIZES[size]
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        plane = tab.locator(".sg-says .sg-plane").bounding_box()
        assert plane["width"] > 250
        assert plane["x"] + plane["width"] <= width


def test_on_a_phone_parts_take_turns(show):
    tab = show(moons_page(), "phone", has_touch=True)
    assert tab.is_visible(".sg-network")
    for name, part in {
        "Settings": ".sg-settings",
        "Code": ".sg-code",
        "Neuron": ".sg-neuron",
        "Network": ".sg-network",
    }.items():
        tab.tap(f".sg-tabs >> text={name}")
        assert tab.is_visible(part)
        assert sum(tab.is_visible(other) for other in (".sg-settings", ".sg-code", ".sg-neuron", ".sg-network")) == 1
    tab.tap(".sg-unit >> nth=3")
    tab.tap(".sg-tabs >> text=Neuron")
    drawn(tab)
    assert tab.inner_text(".sg-neuron h2") == "layers.0 n1"
    small = tab.evaluate(
        "() => [...document.querySelectorAll('.sg-run button, .sg-tabs button')]"
        ".filter((x) => x.clientHeight && x.clientHeight < 39).length"
    )
    assert small == 0


def test_themes(show):
    tab = show(moons_page(), color_scheme="dark")
    drawn(tab)
    ground = lambda: tab.evaluate("getComputedStyle(document.querySelector('.sg-playground')).backgroundColor")  # noqa: E731
    corner = lambda: tab.evaluate("document.querySelector('.sg-says canvas').toDataURL()")  # noqa: E731
    dark, pixel = ground(), corner()
    tab.click(".sg-theme")
    drawn(tab)
    assert ground() == "rgb(255, 255, 255)" != dark
    assert corner() != pixel
    assert dark == "rgb(15, 20, 26)"


def test_less_motion_is_one_frame_a_second(show):
    tab = show(moons_page(), reduced_motion="reduce")
    tab.click(".sg-settings >> text=max")
    tab.evaluate("""() => {
      window.frames = 0;
      const counted = () => window.frames++;
      new MutationObserver(counted).observe(
        document.querySelector(".sg-epoch b"), { childList: true, characterData: true, subtree: true });
    }""")
    tab.click("button:has-text('Play')")
    tab.wait_for_timeout(1600)
    assert 1 <= tab.evaluate("window.frames") <= 3


def test_without_javascript_there_is_a_picture(visit):
    tab = visit(moons_page(), java_script_enabled=False)
    assert tab.locator(".sg-still svg").is_visible()
    assert tab.locator(".sg-playground").count() == 0
    assert "wrong points" in tab.inner_text(".sg-still")


def test_a_screen_reader_has_names_words_and_a_table(show):
    tab = show(moons_page())
    tab.click("text=One step")
    tab.wait_for_selector("[aria-live]:has-text('epoch 1: loss')", state="attached")
    assert re.fullmatch(r"epoch 1: loss [\d.]+, accuracy [\d.]+ %, wrong points \d+", tab.text_content("[aria-live]"))
    table = tab.evaluate(
        "() => [...document.querySelectorAll('.sg-playground table :is(th, td)')].map((x) => x.textContent)"
    )
    assert table[:5] == ["epoch", "loss", "accuracy", "wrong points", "1"]
    name = tab.get_attribute(".sg-unit >> nth=4", "aria-label")
    assert re.fullmatch(r"n2 (off|on \d+ %), layers\.0, relu", name)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(size, scheme, show, axe):
    tab = show(moons_page(), size, color_scheme=scheme)
    choose_edge(tab)
    drawn(tab)
    with open(axe, encoding="utf-8") as file:
        tab.evaluate(f"() => {{ {file.read()} }}")
    for part in ("Network", "Neuron", "Settings", "Code") if size == "phone" else ("",):
        if part:
            tab.click(f".sg-tabs >> text={part}")
        found = tab.evaluate(
            "async () => (await axe.run()).violations"
            ".map((x) => [x.id, x.nodes.map((y) => y.target + ' ' + y.failureSummary)])"
        )
        assert found == [], part


def test_two_playgrounds_on_a_page_and_one_that_goes(show):
    tab = show(moons_page())
    assert tab.locator(".sg-playground [id]").count() == 0
    tab.click("button:has-text('Play')")
    tab.evaluate("() => document.querySelector('main').playground.destroy()")
    tab.wait_for_timeout(100)
    assert tab.locator(".sg-playground").count() == 0


def test_the_main_button_has_room_on_the_smallest_phone(visit):
    X, y = points()
    tab = visit(playground(MLP(2, [3, 1], rng=0), X, y), width=320, height=640)
    button = tab.locator(".sg-main-button")
    for _ in range(2):  # Play, and Pause
        assert button.evaluate("button => button.scrollWidth <= button.clientWidth")
        button.click()
