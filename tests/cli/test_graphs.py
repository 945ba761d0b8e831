"""`scalargrad draw`, `explain`, `explore` and `step`, as a person types them."""

import json
import os
import re
from xml.etree import ElementTree

import pytest

from scalargrad import cli
from scalargrad.demos import moons
from scalargrad.nn import MLP
from tests.platforms import needs_posix

NEURON = ["tanh(x1*w1 + x2*w2 + b)", "x1=2", "w1=-3", "x2=0", "w2=1", "b=6.8814"]
LINE = ["(y - (x*w + b))**2", "x=2", "w=2", "b=3", "y=10"]


def run(*arguments):
    try:
        return cli.main([str(argument) for argument in arguments])
    except SystemExit as stopped:
        return stopped.code


def test_draw_writes_the_picture_with_every_name(tmp_path, capsys):
    file = tmp_path / "new" / "neuron.svg"
    assert run("draw", *NEURON, "-o", file) == 0
    assert capsys.readouterr().out.strip() == str(file)
    texts = {"".join(element.itertext()) for element in ElementTree.parse(file).iter()}
    assert {"x1", "w1", "x2", "w2", "b", "tanh"} <= texts


def test_explain_writes_the_chain_rule_with_its_numbers(capsys):
    assert run("explain", *LINE, "--wrt", "w") == 0
    shown = capsys.readouterr().out
    assert "= 6 × (−1) × 1 × 2 = −12" in shown
    assert "Checked" in shown


@pytest.mark.parametrize("command", ["explore", "step"])
def test_pages_are_written(command, tmp_path, capsys):
    file = tmp_path / "new" / "page.html"
    assert run(command, *NEURON, "-o", file, "--theme", "dark") == 0
    assert capsys.readouterr().out.strip() == str(file)
    text = file.read_text(encoding="utf-8")
    assert f"<title>{NEURON[0]}</title>" in text
    assert "x1*w1" in text
    assert run(command, *NEURON, "-o", file, "--title", "A <neuron>") == 0
    assert "<title>A &lt;neuron&gt;</title>" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["explore", "x*y", "x=1"], "y"),
        (["explore", "x", "x=1"], "computed from nothing"),
        (["explore", "x*x", "x=1", "-o", "a.svg"], "-o a.svg does not end in .html"),
        (["step", "x*x", "x=1", "-o", "a.txt"], "-o a.txt does not end in .html"),
        (["step", "+".join(["x"] * 400), "x=1"], "300 values"),
        (["explain", *LINE, "--wrt", "z"], "--wrt z is no name in the formula; it has x, w, b, y"),
        (["explain", "x", "--wrt", "x"], "x"),
        (["explain", "x*", "x=1", "--wrt", "x"], "column"),
        (["explain", "__import__('os').system('true')", "--wrt", "x"], "not understood"),
        (["explain", "x" + "*x" * 100_000, "x=1", "--wrt", "x"], "10,000 are the limit"),
        (["explain", "(" * 500 + "x" + ")" * 500, "x=1", "--wrt", "x"], "50"),
        (["draw", "x*y", "x=1", "y=two", "-o", "a.svg"], "two"),
        (["draw", "x", "x=1", "-o", "a.txt"], "-o a.txt ends in none of .svg"),
        (["draw", "x", "x=1", "--theme", "pink"], "theme"),
        (["draw", "x", "x=1", "-o", "a.gif"], "-o a.gif ends in none of .svg, .png, .pdf"),
        (["draw", "x", "x=1", "-o", ""], "a name is missing"),
        (["draw", "x", "x=1", "-o", "."], "-o . ends in none"),
        pytest.param(["draw", "x", "x=1", "-o", "/dev/null"], "-o /dev/null ends in none", marks=needs_posix),
        pytest.param(["draw", "x", "x=1", "-o", f"{'a' * 300}.svg"], "(File name too long)", marks=needs_posix),
        (["draw", "x", "x=1", "-o", "a\0.svg"], "is no name of a file: "),
    ],
)
def test_a_mistake_is_one_line(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1 or "usage:" in shown.err
    assert words in shown.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", ["png", "PDF"])
def test_without_graphviz_there_is_a_remedy(ending, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run("draw", *NEURON, "-o", tmp_path / "new" / f"a.{ending}") == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert "Graphviz's program `dot`, which is not installed here" in shown.err
    assert "save the picture as .svg, which needs no program" in shown.err
    assert not list(tmp_path.iterdir())


@needs_posix
def test_what_graphviz_says_is_passed_on(tmp_path, monkeypatch, capsys):
    program = tmp_path / "dot"
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    for script, said in {
        "cat > /dev/null; echo 'pdf is not known' >&2; exit 1": "made no pdf: pdf is not known",
        "cat > /dev/null; exit 1": "made no pdf: ",
    }.items():
        program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        program.chmod(0o755)
        assert run("draw", *NEURON, "-o", tmp_path / "a.pdf") == 2
        assert said in capsys.readouterr().err


@needs_posix
def test_a_link_stays_and_capitals_are_understood(tmp_path):
    (tmp_path / "link.SVG").symlink_to(tmp_path / "far.svg")
    assert run("draw", *NEURON, "-o", tmp_path / "link.SVG") == 0
    assert (tmp_path / "link.SVG").is_symlink()
    assert ElementTree.parse(tmp_path / "far.svg")


@pytest.mark.long
def test_moons_have_a_page_that_trains(tmp_path, capsys):
    pytest.importorskip("sklearn")  # a browser has none
    options = ["--samples", 6, "--hidden", 2, "--epochs", 3, "--seed", 4, "--lr", 0.1, "--out", tmp_path, "--page"]
    assert run("moons", *options) == 0
    assert "playground.html" in capsys.readouterr().out
    page = (tmp_path / "playground.html").read_text(encoding="utf-8")
    assert "MLP(2, [2, 1])" in page
    data = json.loads(re.search('id="data">(.*?)</script>', page)[1])
    weights = MLP(2, [2, 1], rng=4).parameters()  # it begins before the training
    assert data["leaves"][: len(weights)] == [weight.data for weight in weights]


def test_the_page_of_moons_has_their_settings():
    settings = moons.Settings(samples=4, hidden=(2,), epochs=3, optimizer="momentum", lr=0.1, alpha=0.01)
    page = moons.playground_of(settings, MLP(2, [2, 1], rng=0), [[0.0, 1.0], [1.0, 0.0]], [0, 1])
    data = json.loads(re.search('id="data">(.*?)</script>', page.html)[1])
    assert data["settings"] == {"optimizer": "momentum", "rate": 0.1, "l2": 0.01, "batch": 0}
    assert data["epochs"] == 3


def test_moons_can_be_animated(tmp_path):
    pytest.importorskip("sklearn")  # a browser has none
    options = ["--samples", 6, "--hidden", 2, "--epochs", 3, "--out", tmp_path, "--animate"]
    assert run("moons", *options) == 0
    picture = (tmp_path / "training.svg").read_text(encoding="utf-8")
    assert picture.count("epoch 3") >= 1
    assert "before training" in picture
