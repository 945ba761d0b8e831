"""export: a model as a module in JavaScript, and as a page that tries it: neither needs Python, or anything else."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy

from scalargrad.checks import file_name, instance, listed, whole
from scalargrad.compiler.backends.javascript.module import FILES as MODULE_FILES
from scalargrad.drawing.lettering import escaped
from scalargrad.files.atomic import replace_file
from scalargrad.javascript.bundle import bundle
from scalargrad.javascript.picked import picked
from scalargrad.nn.module import Module
from scalargrad.observers import no_grad
from scalargrad.pages.page import page_html, styles_of
from scalargrad.structure import in_mode
from scalargrad.training.objectives import OBJECTIVES
from scalargrad.training.programs import Target, lock_of, outputs_program

HERE = Path(__file__).parent
FILES = [*MODULE_FILES, HERE / "trial" / "predict.js"]
SUFFIXES = (".js", ".mjs", ".html")
LABELLED = [name for name, objective in OBJECTIVES.items() if objective.classes is not None]


def export(
    model: Module, path: str | os.PathLike[str], shape: Sequence[int] | None = None, title: str | None = None
) -> Path:
    """Write a trained model as an ES module to a .js or .mjs file, or as a page that tries it to a .html file.

    shape   of one row, such as [1, 28, 28]; an MLP or a Layer says itself how many numbers it takes
    title   the heading of the page; the name of the file unless said

    The module imports nothing, in browsers and in node. It exports `predict(rows)`, which gives what `model.predict`
    gives, `outputs(rows)`, and of a model that was fitted with cross-entropy `probabilities(rows)`; else that is null.
    Numbers are float64. The page has the module inside and asks the network for nothing. Returns the path.

    >>> import tempfile
    >>> from scalargrad import MLP
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     text = export(MLP(2, [8, 1], rng=0), f"{folder}/model.js").read_text("utf-8")
    >>> "export const { outputs, predict, probabilities }" in text
    True
    """
    instance("model", model, Module, "a Module, such as MLP(2, [8, 1])")
    path = Path(file_name(path))
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"path: a model is exported as {', '.join(SUFFIXES)}, got {path.name!r:.100}")
    if title is not None:
        instance("title", title, str, "a text")
    text = trial_page(model, shape, title or path.stem) if suffix == ".html" else model_module(model, shape)
    replace_file(path, text.encode())
    return path


def model_module(model: Module, shape: Sequence[int] | None = None) -> str:
    """The text of the module."""
    sizes = shape_of_rows(model, shape)
    with lock_of(model), in_mode(model, training=False), no_grad():
        program = outputs_program(model, Target("float64", "numpy"))
        try:
            text = program.javascript(numpy.zeros((1, *sizes)), names=False)
        except (TypeError, ValueError, IndexError) as error:
            raise type(error)(f"export writes no module for rows of the shape {sizes}: {error}") from error
    return "\n".join(
        [
            text,
            f"export const SHAPE = {json.dumps(sizes)};",
            "export const { outputs, predict, probabilities } = (() => {",
            picked(FILES, ["verbsOf"]),
            f"return verbsOf(forward, NUMBERS, SHAPE, OUTPUT, {json.dumps(model.fitted_loss or '')});",
            "})();",
            "",
        ]
    )


def shape_of_rows(model: Module, shape: Sequence[int] | None) -> list[int]:
    """The shape of one row: what was said, or what the first layer takes. ValueError, if nobody knows."""
    if shape is not None:
        sizes = listed(shape, "export", "a list of sizes as shape")
        return [whole("shape", size, 1, "whole numbers from 1 on,") for size in sizes]
    first: object = model
    while not hasattr(first, "_zeros") and (layers := getattr(first, "layers", None)):
        first = layers[0]
    zeros = getattr(first, "_zeros", None)
    if zeros is None:
        raise ValueError(f"a {type(model).__name__} does not say what a row looks like: say it, as shape=[1, 28, 28]")
    return [len(zeros())]


def trial_page(model: Module, shape: Sequence[int] | None, title: str) -> str:
    """The page: fields for the numbers of a row, and what the model says of it."""
    script = bundle(HERE / "trial" / "main.js", {"model.js": model_module(model, shape)})
    shown = repr(model)
    still = f'<div class="sg-still"><h1>{escaped(title)}</h1><pre>{escaped(shown)}</pre>'
    still += "<p>With JavaScript this page computes what the model says of numbers that you type.</p></div>"
    data = {"title": title, "model": shown, "labels": model.fitted_loss in LABELLED}
    return page_html(title, "auto", styles_of("trial"), script, data, still)
