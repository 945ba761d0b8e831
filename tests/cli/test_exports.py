"""`scalargrad export`, as a person types it."""

import pytest

from scalargrad import MLP, cli
from scalargrad.nn import Flatten, Layer, Sequential


def run(*arguments):
    try:
        return cli.main([str(argument) for argument in arguments])
    except SystemExit as stopped:
        return stopped.code


@pytest.fixture
def saved(tmp_path):
    MLP(2, [4, 1], rng=0).save(tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def test_a_module_and_a_page_beside_it(saved, capsys):
    assert run("export", saved, "-o", saved.with_name("small.js")) == 0
    assert sorted(path.name for path in saved.parent.iterdir()) == ["model.safetensors", "small.html", "small.js"]
    shown = capsys.readouterr().out
    assert "small.js    the module: predict(rows)" in shown
    assert "small.html  a page that tries it" in shown
    assert "export const { outputs, predict, probabilities }" in saved.with_name("small.js").read_text("utf-8")
    assert "<title>model</title>" in saved.with_name("small.html").read_text("utf-8")


def test_it_is_named_as_the_model_unless_said(saved):
    assert run("export", saved) == 0
    assert saved.with_suffix(".js").is_file()


def test_the_page_alone(saved):
    assert run("export", saved, "-o", saved.with_suffix(".html")) == 0
    assert not saved.with_suffix(".js").exists()


def test_the_shape_of_a_row_is_said_where_a_model_does_not(tmp_path, capsys):
    file = tmp_path / "model.safetensors"
    Sequential(Flatten(), Layer(4, 1, rng=0)).save(file)
    assert run("export", file) == 2
    assert "does not say what a row looks like" in capsys.readouterr().err
    assert run("export", file, "--shape", 2, 2) == 0
    assert "export const SHAPE = [2, 2];" in file.with_suffix(".js").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{model}", "-o", "model.py"], "-o model.py ends in none of .js, .mjs, .html"),
        (["{model}", "-o", ""], "a name is missing"),
        (["{model}", "-o", "no/such/folder/m.js"], "no/such/folder/m.js cannot be written to"),
        (["{model}", "-o", "text.safetensors/m.js"], "text.safetensors/m.js cannot be written"),
        (["nowhere.safetensors"], "nowhere.safetensors (No such file or directory)"),
        (["{model}", "--shape", "3", "-o", "m.js"], "no module for rows of the shape [3]: "),
        (["{model}", "--shape", "0", "-o", "m.js"], "shape is whole numbers from 1 on"),
        (["{other}", "-o", "m.js"], "text.safetensors"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(arguments, words, saved, capsys, monkeypatch):
    text = saved.with_name("text.safetensors")
    text.write_text("no model", encoding="utf-8")
    monkeypatch.chdir(saved.parent)
    before = sorted(path.name for path in saved.parent.iterdir())
    assert run("export", *(argument.format(model=saved, other=text) for argument in arguments)) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert words in shown.err
    assert len(shown.err.splitlines()) == 1
    assert sorted(path.name for path in saved.parent.iterdir()) == before
