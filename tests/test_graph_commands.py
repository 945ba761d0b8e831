"""`scalargrad draw` and `scalargrad explain`, as a person types them."""

from xml.etree import ElementTree

import pytest

from scalargrad import cli

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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["explain", *LINE, "--wrt", "z"], "--wrt z is no name in the formula; it has x, w, b, y"),
        (["explain", "x", "--wrt", "x"], "x"),
        (["explain", "x*", "x=1", "--wrt", "x"], "column"),
        (["explain", "__import__('os').system('true')", "--wrt", "x"], "not understood"),
        (["explain", "x" + "*x" * 100_000, "x=1", "--wrt", "x"], "10,000 are the limit"),
        (["explain", "(" * 500 + "x" + ")" * 500, "x=1", "--wrt", "x"], "50"),
        (["draw", "x*y", "x=1", "y=two", "-o", "a.svg"], "two"),
        (["draw", "x", "x=1", "-o", "a.txt"], "-o a.txt ends in none of .svg"),
        (["draw", "x", "x=1", "--theme", "pink"], "theme"),
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


def test_moons_can_be_animated(tmp_path):
    options = ["--samples", 6, "--hidden", 2, "--epochs", 3, "--out", tmp_path, "--animate"]
    assert run("moons", *options) == 0
    picture = (tmp_path / "training.svg").read_text()
    assert picture.count("epoch 3") >= 1
    assert "before training" in picture
