"""export: what a model in JavaScript says is what it says in Python, and a page tries it in a real browser."""

import json
import re

import numpy as np
import pytest

from scalargrad import MLP, export
from scalargrad.nn import GRU, BatchNorm1d, Conv2d, Dropout, Embedding, Flatten, Layer, Module, Sequential
from scalargrad.ops import relu, tanh
from tests.oracles.scripts import in_node

X = np.random.default_rng(0).normal(size=(40, 2))
CLASSES, SIDES = (X[:, 0] > 0).astype(int) + (X[:, 1] > 1), (X[:, 0] > 0).astype(int)

ALL = """
globalThis.answer = (rows) => {
  const shares = probabilities === null ? [] : probabilities(rows);
  return [outputs(rows), predict(rows), shares].flat(Infinity);
};
"""


def script(model, tmp_path, shape=None):
    text = export(model, tmp_path / "model.js", shape).read_text("utf-8")
    return re.sub(r"^export ", "", text, flags=re.MULTILINE) + ALL


def said(model, rows):
    found = [model.predict_proba(rows)] if model.fitted_loss in ("cross_entropy", "binary_cross_entropy") else []
    fitted, model.fitted_loss = model.fitted_loss, ""
    outputs = model.predict(rows)
    model.fitted_loss = fitted
    return [x for array in [outputs, model.predict(rows), *found] for x in np.ravel(array).tolist()]


@pytest.mark.parametrize(
    ("sizes", "loss", "targets"),
    [
        ([8, 3], "cross_entropy", CLASSES),
        ([8, 1], "binary_cross_entropy", SIDES),
        ([8, 1], "hinge", 2 * SIDES - 1),
        ([8, 1], "mse", X[:, 0]),
        ([8, 2], "huber", X),
        ([4], "", None),
    ],
)
def test_a_fitted_network_predicts_as_in_python(sizes, loss, targets, node, tmp_path):
    model = MLP(2, sizes, activation="tanh", rng=0)
    if loss:
        model.fit(X, targets, loss=loss, epochs=3, progress=False)
    assert in_node(node, script(model, tmp_path), X.tolist()) == pytest.approx(said(model, X), abs=1e-12)


class Pairs(Module):
    """A model whose outputs are a list of lists."""

    def __init__(self):
        self.layer = Layer(2, 2, rng=0)

    def __call__(self, x):
        return [self.layer(x), self.layer((x[1], x[0]))]


class Last(Module):
    """The last state of a recurrent layer."""

    def __init__(self):
        self.layer = GRU(2, 3, rng=0)

    def __call__(self, steps):
        outputs, _ = self.layer(steps)
        return outputs[-1]


OTHERS = {
    "convolution": (lambda: Sequential(Conv2d(1, 2, 3, rng=0), relu, Flatten(), Layer(8, 3, rng=1)), [1, 4, 4]),
    "batch norm": (lambda: Sequential(Layer(2, 4, rng=0), BatchNorm1d(4), tanh, Dropout(0.5), Layer(4, 1, rng=1)), [2]),
    "recurrent": (Last, [4, 2]),
    "embedding": (lambda: Embedding(5, 3, rng=0), [2]),
    "a list of lists": (Pairs, [2]),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_models_give_what_they_give_in_python(name, node, tmp_path):
    make, shape = OTHERS[name]
    model = make()
    source = np.random.default_rng(1)
    rows = source.integers(0, 5, (6, *shape)) if name == "embedding" else source.normal(size=(6, *shape))
    if name == "batch norm":
        model.fit(X, X[:, 0], epochs=2, progress=False)  # its averages have moved, and count in evaluation
    text = script(model, tmp_path, shape)
    assert in_node(node, text, rows.tolist()) == pytest.approx(said(model, rows), abs=1e-12)


def test_one_row_is_several_of_one(node, tmp_path):
    ways = "[[1, 2], [[1, 2]], Float32Array.of(1, 2), [Float64Array.of(1, 2), [3, 4]]]"
    text = script(MLP(2, [3], rng=0), tmp_path)
    text = text.replace(ALL, f"globalThis.answer = () => {ways}.map((rows) => predict(rows).length);")
    assert in_node(node, text, 0) == [1, 1, 1, 2]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("predict([1, 2, 3])", "a model has rows of the shape [2], and not 3 numbers"),
        ("predict([[1, 2, 3], [4, 5, 6]])", "and row 0 is none: [1,2,3]"),
        ("predict([[1], [2]])", "and row 0 is none: [1]"),
        ("predict([[1, 2], []])", "and row 1 is none: []"),
        ("predict([[1, 2], [3, null]])", "and row 1 is none: [3,null]"),
        ("predict([[1, 2], undefined])", "and row 1 is none: undefined"),
        ("predict([])", "a model has rows of the shape [2], and not 0 numbers"),
        ("predict(undefined)", "a model has rows of the shape [2], and not undefined"),
        ("predict(Float32Array.of(1, 2, 3))", "a model has rows of the shape [2], and not 3 numbers"),
        ("predict(new Float64Array(0))", "a model has rows of the shape [2], and not 0 numbers"),
        ("predict([[1, 2], [3, NaN]])", "row 1 holds NaN: all numbers are finite"),
        ("predict([['a', 2]])", 'and row 0 is none: ["a",2]'),
        ("predict([1, Infinity])", "row 0 holds Infinity"),
    ],
)
def test_rows_that_are_none_are_told(call, words, node, tmp_path):
    text = script(MLP(2, [3], rng=0), tmp_path).replace(ALL, f"globalThis.answer = () => {call};")
    with pytest.raises(AssertionError, match=re.escape(words)):
        in_node(node, text, 0)


def test_the_first_of_equal_outputs_is_the_class(node, tmp_path):
    model = MLP(2, [3], rng=0)
    for parameter in model.parameters():
        parameter.data = 0.0
    model.fitted_loss = "cross_entropy"
    found = in_node(node, script(model, tmp_path), [[1.0, 2.0]])
    assert found[3:4] == model.predict([[1.0, 2.0]]).tolist() == [0]


def test_mistakes_are_told(tmp_path):
    model = MLP(2, [1], rng=0)
    with pytest.raises(ValueError, match=r"a model is exported as .js, .mjs, .html, got 'm.py'"):
        export(model, tmp_path / "m.py")
    with pytest.raises(TypeError, match=r"model is a Module, such as MLP\(2, \[8, 1\]\), got 3"):
        export(3, tmp_path / "m.js")
    with pytest.raises(ValueError, match=r"a Sequential does not say what a row looks like: say it, as shape="):
        export(Sequential(Flatten(), Layer(4, 1)), tmp_path / "m.js")
    with pytest.raises(ValueError, match=r"no module for rows of the shape \[3\]: "):
        export(model, tmp_path / "m.js", [3])
    with pytest.raises(ValueError, match="shape is whole numbers from 1 on"):
        export(model, tmp_path / "m.js", [0])
    with pytest.raises(OSError, match="cannot be written"):
        export(model, tmp_path / "nowhere" / "m.js")
    assert not list(tmp_path.iterdir())


# The page.


def opened(browser, path, width=848):
    page = browser.new_page(viewport={"width": width, "height": 700})
    page.requests, page.mistakes = [], []
    page.on("request", lambda request: page.requests.append(request.url))
    page.on("pageerror", lambda error: page.mistakes.append(str(error)))
    page.on("console", lambda message: page.mistakes.append(message.text))
    page.goto(path.as_uri())
    page.wait_for_selector(".sg-trial td")
    return page


def test_the_page_says_what_the_model_says(browser, tmp_path):
    model = MLP(2, [8, 3], activation="tanh", rng=0)
    model.fit(X, CLASSES, epochs=20, loss="cross_entropy", progress=False)
    path = export(model, tmp_path / "model.html", title="<b>points</b>")
    page = opened(browser, path)
    row = [1.5, -0.25]
    for place, number in enumerate(row):
        page.fill(f"input >> nth={place}", str(number))
    assert page.inner_text(".sg-said") == f"predicted: {model.predict([row])[0]}"
    assert page.inner_text("h1") == "<b>points</b>"
    shares = [float(cell.inner_text().rstrip(" %")) for cell in page.query_selector_all("td:has(meter)")]
    assert shares == pytest.approx(100.0 * model.predict_proba([row])[0], abs=0.06)
    page.fill("input >> nth=0", "")
    assert "is no finite number" in page.inner_text(".sg-said")
    assert page.query_selector(".sg-trial td") is None
    assert page.requests == [path.as_uri()]
    assert page.mistakes == []


def test_many_numbers_have_one_field_and_no_page_is_too_wide(browser, tmp_path):
    model = MLP(64, [10], rng=0)
    page = opened(browser, export(model, tmp_path / "model.html"), width=390)
    page.fill("textarea", ", ".join(["0.5"] * 64))
    found = [float(cell.inner_text()) for cell in page.query_selector_all("td")]
    assert found == pytest.approx(model.predict([[0.5] * 64])[0].tolist(), rel=1e-5)
    page.fill("textarea", "1 2 three")
    assert page.inner_text(".sg-said") == '"three" is no finite number'
    page.fill("textarea", "1 2")
    assert page.inner_text(".sg-said") == "a row has 64 numbers, and these are 2"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_without_a_script_the_page_says_what_it_would_do(browser, tmp_path):
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(export(MLP(2, [1], rng=0), tmp_path / "model.html").as_uri())
    assert "With JavaScript this page computes" in page.inner_text("main")
    assert json.dumps("MLP(2, [1]), 3 parameters")[1:-1] in page.inner_text("main")
