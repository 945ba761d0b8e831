"""The lessons: each notebook is its script, holds its outputs and nothing of a machine, and runs."""

import importlib.util
import json
import math
import os
import re
import runpy
import subprocess
import sys
import warnings

import pytest

from tests.oracles.needed import marked
from tests.paths import PACKAGE, ROOT

FOLDER = ROOT / "notebooks"
LONGEST_FILE, LONGEST_FILM = 300_000, 450_000  # bytes
# Run as notebooks only.
SLOW = {
    "5_two_moons",
    "9_mnist_from_scalars",
    "10_a_scikit_learn_estimator",
    "11_a_convolution_is_a_dot_that_moves",
    "12_recurrence",
    "13_a_gpt_from_scalars",
}
# Training in arrays makes another last bit, from another processor, another digit: their words are compared.
TRAINED_IN_ARRAYS = {
    "9_mnist_from_scalars",
    "10_a_scikit_learn_estimator",
    "11_a_convolution_is_a_dot_that_moves",
    "12_recurrence",
    "13_a_gpt_from_scalars",
}


def loaded(name):
    """A script of the folder, as a module."""
    spec = importlib.util.spec_from_file_location(f"notebooks_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build, record = loaded("build"), loaded("record")
SCRIPTS = build.lessons()
every_lesson = pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)


def quietly(module):
    """The module, without the warnings of its own import."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(module)


def notebook_of(script):
    return json.loads(script.with_suffix(".ipynb").read_text(encoding="utf-8"))


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def texts(cells):
    """What each cell prints or shows as text, with the kernel's names for its own files left out."""
    shown = []
    for cell in cells:
        parts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell["outputs"]]
        shown.append(re.sub(r"\b\d+\.py:", "cell:", "".join("".join(part) for part in parts)))
    return shown


def without_numbers(text):
    """Its words. A column is as wide as its numbers, so how wide a space is does not count."""
    return re.sub(r"\s+", " ", re.sub(r"[-−+]?\d[\d.,]*(e[-+]?\d+)?", "#", text))


def same(script, text, other):
    """Does a run of the lesson print what another one did?"""
    if script.stem in TRAINED_IN_ARRAYS:
        return without_numbers(text) == without_numbers(other)
    return text == other


def with_mnist(scripts):
    """Cases for parametrize: the ninth lesson shows MNIST, and other digits where it is not at hand."""
    return marked(scripts, {script: "mnist" for script in scripts if script.stem == "9_mnist_from_scalars"})


def test_there_are_thirteen_lessons_in_order():
    assert [build.number_of(script) for script in SCRIPTS] == list(range(1, 14))


def test_runs_are_compared_by_their_numbers_or_by_their_words():
    by_hand, trained = SCRIPTS[3], SCRIPTS[9]
    assert same(by_hand, "loss 0.25\n", "loss 0.25\n")
    assert not same(by_hand, "loss 0.25\n", "loss 0.26\n")
    assert same(trained, "loss  0.25 of 1,437\n", "loss 3e-05 of 360\n")
    assert not same(trained, "loss 0.25\n", "gain 0.25\n")


# The pair.


@every_lesson
def test_notebook_and_script_hold_the_same_cells(script):
    assert build.cells_of_notebook(script.with_suffix(".ipynb")) == build.cells_of_script(script)


@pytest.mark.oracle("jupytext")
@every_lesson
def test_jupytext_reads_the_script_as_we_do(script):
    jupytext = quietly("jupytext")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cells = jupytext.read(script, fmt="py:percent").cells
    assert [(cell.cell_type, cell.source) for cell in cells] == [cell[:2] for cell in build.cells_of_script(script)]


def test_the_comparison_of_the_pair_sees_a_change(tmp_path):
    script, notebook = tmp_path / "1_x.py", tmp_path / "1_x.ipynb"
    script.write_text('# %% [markdown]\n# # Title\n#\n# Text\n\n# %% figure="x.svg"\nprint(1)\n', encoding="utf-8")
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Title\n", "\n", "Text"]},
        {"cell_type": "code", "metadata": {"figure": "x.svg"}, "source": ["print(1)"], "outputs": []},
    ]
    notebook.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    assert build.cells_of_notebook(notebook) == build.cells_of_script(script)
    cells[1]["source"] = ["print(2)"]
    notebook.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    assert build.cells_of_notebook(notebook) != build.cells_of_script(script)


# What is committed.


@every_lesson
def test_outputs_are_there_in_order_and_hold_no_error(script):
    cells = code_cells(notebook_of(script))
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert {output["output_type"] for output in outputs} <= {"stream", "execute_result", "display_data"}
    assert all(output.get("name") != "stderr" for output in outputs)
    for cell in cells:
        if "print(" in "".join(cell["source"]) or "plt.show()" in "".join(cell["source"]):
            assert cell["outputs"], "".join(cell["source"])


@every_lesson
def test_every_lesson_shows_pictures_that_a_code_host_shows(script):
    shown = [output.get("data", {}) for cell in code_cells(notebook_of(script)) for output in cell["outputs"]]
    assert any("image/png" in data for data in shown)
    for data in shown:
        assert not data.keys() & {"image/svg+xml", "application/javascript"}
        assert "image/png" in data or "<Figure" not in "".join(data.get("text/plain", ""))  # a name, no picture
    assert "<iframe" not in script.with_suffix(".ipynb").read_text(encoding="utf-8")


@every_lesson
def test_a_notebook_says_nothing_about_a_machine(script):
    notebook = notebook_of(script)
    assert notebook["metadata"] == build.METADATA
    text = script.with_suffix(".ipynb").read_text(encoding="utf-8")
    text = re.sub(r'"image/png": "[^"]*"', "", text)
    assert not re.search(r"(?<![\w.])/(home|root|tmp|usr|work|Users|var|opt|mnt)/|[A-Z]:\\\\|ipykernel_", text)
    assert not re.search(r"\bat 0x[0-9a-f]+|\d seconds|wall time", text, re.IGNORECASE)
    for cell in notebook["cells"]:
        assert set(cell["metadata"]) <= {"figure"}


def test_files_are_small():
    for path in [*FOLDER.glob("*.ipynb"), *build.FIGURES.iterdir()]:
        assert path.stat().st_size < (LONGEST_FILM if path.suffix == ".gif" else LONGEST_FILE), path.name


def test_links_and_pictures_exist():
    texts = {"README.md": (FOLDER / "README.md").read_text(encoding="utf-8")}
    for script in SCRIPTS:
        cells = build.cells_of_script(script)
        texts[script.name] = "\n".join(cell.source for cell in cells if cell.kind == "markdown")
    for name, text in texts.items():
        for link in re.findall(r"\]\((?!https?:|#)([^)\s]+)\)", text):
            assert (FOLDER / link).exists(), f"{name}: {link}"


def test_the_film_of_the_readme_can_be_made_anew(tmp_path, monkeypatch):
    monkeypatch.setattr("scalargrad.demos.moons.FRAMES", 3)
    build.moving_moons(tmp_path / "moons.gif")
    assert (tmp_path / "moons.gif").read_bytes().startswith(b"GIF89a")


def test_the_pages_can_be_recorded_anew(tmp_path, browser):
    for shot in record.SHOTS:
        record.record(browser, shot._replace(keys=shot.keys[:2]), tmp_path)
    record.film(browser, tmp_path / "explore.gif", 2)
    found = {path.name: path.read_bytes()[:6] for path in tmp_path.iterdir()}
    assert found.pop("explore.gif") == b"GIF89a"
    assert set(found) == {f"{shot.name}.png" for shot in record.SHOTS}
    assert set(found.values()) == {b"\x89PNG\r\n"}


def test_every_figure_is_shown_somewhere():
    pages = [*SCRIPTS, ROOT / "README.md", PACKAGE / "pages/README.md"]
    shown = "".join(path.read_text(encoding="utf-8") for path in pages)
    for path in build.FIGURES.iterdir():
        assert path.name in shown or f"{path.stem}.png" in shown, path.name


# Running.


def runs(script):
    environment = {**os.environ, "MPLBACKEND": "Agg", "PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        capture_output=True,
        encoding="utf-8",
        env=environment,
        cwd=ROOT,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout


@pytest.mark.sampled(6)
@pytest.mark.parametrize("script", [x for x in SCRIPTS if x.stem not in SLOW], ids=lambda path: path.stem)
def test_the_script_runs_and_prints_what_the_notebook_shows(script):
    prints = [
        "".join(output["text"])
        for cell in code_cells(notebook_of(script))
        for output in cell["outputs"]
        if output["output_type"] == "stream"
    ]
    printed = re.sub(r"\b[\w.]+\.py:", "cell:", runs(script))
    assert same(script, printed, re.sub(r"\b\d+\.py:", "cell:", "".join(prints)))


@pytest.mark.long
@pytest.mark.oracle("nbclient", "ipykernel")
@pytest.mark.parametrize("script", with_mnist(SCRIPTS), ids=lambda path: path.stem)
def test_the_notebook_runs_and_gives_the_committed_outputs(script):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fresh = build.executed(script)
    committed = code_cells(notebook_of(script))
    for new, old in zip(texts(code_cells(fresh)), texts(committed), strict=True):
        assert same(script, new, old), f"{old}\nis now\n{new}"
    for cell, kept in zip(code_cells(fresh), committed, strict=True):
        assert [output["output_type"] for output in cell["outputs"]] == [x["output_type"] for x in kept["outputs"]]
        if name := cell["metadata"].get("figure"):
            drawn = cell["outputs"][0]["data"]["image/svg+xml"]
            assert drawn == (build.FIGURES / name).read_text(encoding="utf-8")


# The numbers that the lessons are about.


@pytest.fixture(scope="module")
def lesson():
    """Runs a lesson in this process and gives its variables."""

    def variables(number):
        matplotlib = quietly("matplotlib")
        matplotlib.use("Agg")
        namespace = runpy.run_path(str(SCRIPTS[number - 1]))
        importlib.import_module("matplotlib.pyplot").close("all")
        return namespace

    return variables


FIRST_GRADIENTS = [3.169934e-4, 6.339868e-4, 3.517763e-4, 7.035526e-4]
FIRST_GRADIENTS += [0.0128808186, 0.0129760849, 0.0154083483, 0.0155223081]


def test_the_network_by_hand_has_the_published_numbers(lesson):
    found = lesson(4)
    assert found["first_gradients"] == pytest.approx(FIRST_GRADIENTS, rel=2e-7)
    losses = found["errors"]
    assert len(losses) == 64
    assert losses[0] == pytest.approx(0.01418137794, abs=5e-12)
    assert losses[63] == pytest.approx(0.00025585536037, abs=5e-15)
    assert found["curves"][1.0] == losses


def test_the_spreadsheet_takes_the_slope_of_the_wrong_hidden_neuron(lesson):
    found = lesson(4)
    wrong = found["back_to_h2"] * found["a_h1"].data * (1 - found["a_h1"].data)
    assert [wrong * found[x].data for x in ("i1", "i2")] == pytest.approx([3.518687e-4, 7.037374e-4], rel=2e-7)
    on_paths = {step.target for path in found["explanation"].paths for step in path.steps}
    assert "a_h2" in on_paths
    assert "a_h1" not in on_paths


def test_the_neurons_of_lesson_2_have_the_published_numbers(lesson, capsys):
    found = lesson(2)
    assert found["o"].data == pytest.approx(2**-0.5)
    assert [found[name].grad for name in ("x1", "w1", "x2", "w2")] == pytest.approx([-1.5, 1.0, 0.5, 0.0])
    printed = re.findall(r"^dL/d(\w+) += ([+-].*)$", capsys.readouterr().out, re.MULTILINE)
    assert dict(printed) == {"z3": "+2.54", "y": "+2.54", "z2": "-2.54", "z1": "-2.54", "b": "-2.54", "w": "-5.08"}


def test_the_update_loop_of_lesson_2_converges_in_one_step():
    from scalargrad import SGD, Value

    w, b = Value(2.0), Value(3.0)
    ((10.0 - (2.0 * w + b)) ** 2).backward()
    SGD(lr=0.1).step([w, b])
    assert (w.data, b.data) == pytest.approx((3.2, 3.6))
    assert 2.0 * w.data + b.data == pytest.approx(10.0)


def test_both_modes_of_lesson_7_give_the_same_derivatives(lesson, capsys):
    found = lesson(7)
    printed = capsys.readouterr().out
    assert printed.count("same derivatives: True") == len(found["sizes"])
    assert "the same velocities: True" in printed
    assert found["forward_costs"][-1] > 10 * found["reverse_costs"][-1]


def test_the_planted_mistakes_of_lesson_8_are_found_and_named(lesson, capsys):
    lesson(8)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines if "finite differences give" in line] == ["cube", "input 0 = 3.0"]
    assert lines.count("True") == 2


@pytest.mark.long
def test_lesson_9_does_with_small_digits_where_mnist_is_not_at_hand(lesson, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("SCALARGRAD_DATA", str(tmp_path))
    found = lesson(9)
    assert found["side"] == 8
    assert found["evaluation"].accuracy > 0.9
    assert {line.split()[-1] for line in capsys.readouterr().out.splitlines() if re.match(r" +\d+  ", line)} == {"64"}
    assert (found["loaded"].predict(found["images"]) == found["model"].predict(found["images"])).all()


@pytest.mark.long
def test_the_search_and_the_slope_of_lesson_10(lesson, capsys):
    found = lesson(10)
    assert found["search"].best_score_ > 0.9 > found["pipeline"].score(found["points"], found["labels"])
    assert "\n2 paths lead from layers.2.neurons.0.weights." in capsys.readouterr().out
    h = 1e-6
    nudged = [found["curve"].predict(found["places"].reshape(-1, 1) + step) for step in (-h, h)]
    assert found["slopes"] == pytest.approx((nudged[1] - nudged[0]) / (2 * h), abs=1e-6)


@pytest.mark.long
def test_the_places_of_lesson_11_add_up_and_the_convolution_stands_a_shift(lesson):
    found = lesson(11)
    assert found["contributions"].shape == (26, 26)
    assert found["contributions"].sum() == pytest.approx(found["weight"].grad, rel=1e-12)
    assert found["feature_map"][0][found["top"]][found["left"]].data == pytest.approx(found["output"].data)
    moved, labels = found["moved"], found["test_labels"]  # by two pixels
    assert found["model"].evaluate(found["test"], labels).accuracy > 0.95
    ordinary = found["ordinary"].evaluate(moved.reshape(-1, 64), labels).accuracy
    assert found["model"].evaluate(moved, labels).accuracy > ordinary + 0.1


@pytest.mark.long
def test_the_gradients_of_lesson_12_vanish_explode_or_last_and_the_grammar_is_the_floor(lesson):
    found = lesson(12)
    w, u = 1.0, 0.8
    h1 = math.tanh(w * 0.9 + u * 0.5)
    h2 = math.tanh(w * 0.4 + u * h1)
    h3 = math.tanh(w * -0.3 + u * h2)
    assert found["xs"][0].grad == pytest.approx((1 - h3**2) * u * (1 - h2**2) * u * (1 - h1**2) * w)
    by_name = {**found["curves"], **found["gated"]}
    last = [by_name[name][50] for name in ("RNN, memory x 1", "LSTM, forget bias + 0", "RNN, memory x 8")]
    assert last[0] < last[1] < 1e-12 < 100 < last[2]
    assert 1e-5 < by_name["LSTM, forget bias + 5"][50] < 1
    assert found["history"]["val_loss"][-1] > found["floor"] > 10


@pytest.mark.long
def test_the_curves_of_lesson_13_are_one_and_the_names_come_near_the_grammar(lesson, capsys):
    found = lesson(13)
    assert found["curves"]["native"] == pytest.approx(found["curves"]["eager"], rel=1e-12)
    assert [value.grad for value in found["values"]] == pytest.approx([weight.data for weight in found["weights"]])
    assert sum(found["losses"][-100:]) / 100 < found["data"].floor + 0.05
    shares = [int(share) for share in re.findall(r"^(\d+)% of 100 are possible", capsys.readouterr().out, re.MULTILINE)]
    assert shares[0] < 10 < 70 < shares[1]


def test_the_recursion_of_lesson_3_counts_29_for_25(lesson, capsys):
    lesson(3)
    printed = capsys.readouterr().out
    assert "recursion: 29.0\nbackward(): 25.0\n" in printed
