"""playground: a page on which a network with two inputs trains live, with the user's own loss, compiled."""

import re
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy
from numpy import ndarray

from scalargrad.checks import instance, listed, whole
from scalargrad.compiler import TraceError
from scalargrad.datasets.arrays import checked_inputs
from scalargrad.datasets.sequences import differ_in_length
from scalargrad.drawing.figure import check_options
from scalargrad.drawing.lettering import visible
from scalargrad.engine import Value
from scalargrad.given import given_among
from scalargrad.holders import without_frozen
from scalargrad.javascript.bundle import bundle
from scalargrad.optim import Optimizer
from scalargrad.pages.code import code_of, program_lines
from scalargrad.pages.decisions import Decision, decision_of
from scalargrad.pages.live_training import Choice, Training, offered, sample_of
from scalargrad.pages.network import described, network_of
from scalargrad.pages.page import HERE, Page, page_html, styles_of
from scalargrad.pages.still_map import grid, in_words, still
from scalargrad.structure import Structure
from scalargrad.support.words import brief, plural
from scalargrad.training.objectives import Objective, objective_of, refuse_one_class
from scalargrad.training.programs import lock_of, shapes_of_outputs
from scalargrad.training.settings import FitSettings
from scalargrad.training.targets import counted
from scalargrad.training.verbs import Verbs

AROUND_POINTS = 0.12  # of their extent
BATCHES = (32, 8, 1)  # beside all rows and the user's own
HEIGHT = 820  # of the page inside a notebook
SPEED = "10×"  # at first: epochs a second
# What else `fit` can do stays as it is there unless said.
NOTHING_ELSE = {name: parameter.default for name, parameter in signature(Verbs.fit).parameters.items()}
NOTHING_ELSE |= {"backend": "numpy", "progress": False}


class PlaygroundPage(Page):
    """A page of `playground`."""


def playground(
    model: Structure,
    X: object,
    y: object,
    loss: str | Callable = "mse",
    optimizer: Optimizer | None = None,
    epochs: int = 200,
    batch_size: int | None = None,
    l2: float = 0.0,
    validation: tuple[object, object] | None = None,
    rng: int = 0,
    names: Sequence[str] = ("x1", "x2"),
    title: str | None = None,
    theme: str = "auto",
) -> PlaygroundPage:
    """A page on which `model` trains on from where it is, as `model.fit` with these arguments would.

    model       a Module with two inputs that can be compiled
    X, y        points [rows, 2] and their targets, as `fit` takes them
    loss        "mse", "cross_entropy" ... or a function (outputs, target) -> Value, as `fit` takes it
    optimizer   Adam() unless given; the page offers the others, too
    epochs      how far the curves go at first; the page trains for as long as one likes
    validation  (X, y) of other points, whose measures are dashed
    names       of the two inputs
    title       the heading; the model's first line unless given
    theme       "light", "dark", or "auto": as the reader's browser is set

    Nothing changes in Python: the page has numbers of its own. With all rows in a batch its losses are those of `fit`,
    with smaller batches rows come in the same order. In a notebook the page shows itself; elsewhere
    `.save("playground.html")`.

    TypeError for what is no Module; ValueError for points or targets that do not fit it; TraceError for what does not
    compile.

    >>> from scalargrad import MLP
    >>> playground(MLP(2, [3, 1], rng=0), [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0])
    <PlaygroundPage playground · MLP(2, [3, 1]): 13 parameters, 4 points, 129 operations a sample>
    """
    check_options(theme, None, None, "" if title is None else title)
    if len(listed(names, "playground", "two names of inputs")) != 2:
        raise ValueError(f"names are those of the two inputs, got {len(names)}")
    for name in names:
        instance("names", name, str, "two names of inputs")
    given = {"loss": loss, "optimizer": optimizer, "epochs": epochs, "batch_size": batch_size, "l2": l2}
    given["rng"] = whole("rng", rng, 0)  # no function, as in fit: the page shuffles by itself
    settings = FitSettings.among(NOTHING_ELSE | given)
    # In a context of its own: no_grad() or anomaly_detection() around this call are not meant for the page.
    return Context().run(_page, model, X, y, settings, validation, names, title, theme)


def _page(
    model: Structure,
    X: object,
    y: object,
    settings: FitSettings,
    validation: tuple[object, object] | None,
    names: Sequence[str],
    title: str | None,
    theme: str,
) -> PlaygroundPage:
    data, training = training_data(model, X, y, settings, validation, names)
    data |= {"title": visible(title or _title(model)), "summary": _summary(data, training), "theme": theme}
    script = bundle(HERE / "playground/page.js", {"programs.js": training.text()})
    heading = f"playground · {data['title']}"
    text = page_html(heading, theme, styles_of("playground"), script, data, _still(data, training))
    return PlaygroundPage(text, heading, data["summary"], HEIGHT)


def _title(model: Structure) -> str:
    """The first line of what the model says of itself, without the number of its parameters."""
    return re.sub(r", [\d,]+ parameters?$", "", repr(model).splitlines()[0])


def _summary(data: dict[str, Any], training: Training) -> str:
    program = training.programs["loss"]
    work = sum(instruction.work for instruction in program.instructions)
    points = plural(len(data["points"]), "point")
    return f"{plural(training.count, 'parameter')}, {points}, {work:,} operations a sample"


def _still(data: dict[str, Any], training: Training) -> str:
    outputs = training.outputs(grid(data["range"]))
    rows, targets = numpy.array(data["points"]), numpy.array(data["targets"])
    loss, outputs_of_rows = training.measured(rows, targets)
    decision = Decision(**data["decision"])
    if decision.kind == "number":
        return still(data, outputs, in_words(loss, None, 0))
    wrong = int((decision.labels_of(outputs_of_rows) != targets[:, 0]).sum())
    return still(data, outputs, in_words(loss, 1.0 - wrong / len(rows), wrong))


@dataclass(frozen=True)
class Points:
    """Checked points float64 [rows, 2], their targets [rows] or [rows, k], and those for validation, or None."""

    rows: ndarray
    targets: ndarray
    held_out: tuple[ndarray, ndarray] | None = None


def training_data(
    model: Structure,
    X: object,
    y: object,
    settings: FitSettings,
    validation: tuple[object, object] | None = None,
    names: Sequence[str] = ("x1", "x2"),
) -> tuple[dict[str, Any], Training]:
    """All that the page knows, as JSON has it, and the programs that it runs."""
    if not isinstance(model, Structure):
        raise TypeError(f"playground takes a model with two inputs such as MLP(2, [8, 8, 1]), got {brief(model)}")
    if not model.parameters():
        raise ValueError(f"{type(model).__name__} has no parameters: there is nothing to train")
    objective = objective_of(settings.loss)
    points = _points(model, objective, X, y, validation)
    shape = _shape_of_outputs(model, points.rows)
    decision = decision_of(objective, shape, points.targets)
    choices = offered(settings.optimizer)
    try:
        with lock_of(model):  # another thread may be training it
            sample = sample_of(model, points.rows[0])
            training = Training(model, objective, (points.rows, points.targets), sample, settings.l2)
    except TraceError as error:
        raise TraceError(f"a playground trains compiled, and this model or loss does not compile: {error}") from error
    network = network_of(sample)
    if network.units:
        training.add_units(network.units)
    for name, choice in choices.items():
        training.add_optimizer(name, choice.optimizer)
    data = {
        **_numbers(training, settings, next(iter(choices))),
        **_rows(points),
        "decision": decision._asdict(),
        "names": [str(name) for name in names],
        "range": _range(points.rows),
        "optimizers": {name: _said(choice) for name, choice in choices.items()},
        "programs": {name: training.facts(name) for name in training.programs},
        "network": described(network, names, training.leaves.place),
        "code": code_of(settings.loss, objective.loss, model) | {"program": program_lines(training.programs["loss"])},
        "fit": {"loss": f'"{settings.loss}"' if isinstance(settings.loss, str) else objective.name.removesuffix("()")},
    }
    return data, training


# Checks.


def _points(model: Structure, objective: Objective, X: object, y: object, validation: object) -> Points:
    rows = _checked_rows(X, "X")
    shape = _shape_of_outputs(model, rows)
    targets = objective.targets(y, shape, len(rows))
    refuse_one_class(objective, targets)
    held_out = None
    if validation is not None:
        pair = listed(validation, "playground", "a pair (X, y) for validation")
        if len(pair) != 2:
            raise ValueError(f"validation is a pair (X, y), got {len(pair)} things")
        others = _checked_rows(pair[0], "validation X")
        held_out = others, objective.targets(pair[1], shape, len(others), "validation y").astype("float64")
    return Points(rows, targets.astype("float64"), held_out)


def _checked_rows(X: object, name: str) -> ndarray:
    if differ_in_length(X):
        raise ValueError(f"{name} holds sequences, and a playground shows points of two numbers")
    rows = checked_inputs(X, name, "float64")
    if rows.ndim > 2:
        raise ValueError(f"{name} has the shape {rows.shape}, and a playground shows points of two numbers")
    if rows.shape[1] != 2:
        raise ValueError(
            f"{name} has {plural(rows.shape[1], 'number')} a row, and a playground shows networks with two inputs"
        )
    return rows


def _shape_of_outputs(model: Structure, rows: ndarray) -> tuple[int, ...]:
    (shape,) = shapes_of_outputs(model, rows).values()
    if len(shape) > 1:
        raise ValueError(f"the model returns {counted(shape)}, and a playground maps one number, or one for each class")
    return shape


# Data.


def _numbers(training: Training, settings: FitSettings, optimizer: str) -> dict[str, Any]:
    """The numbers to begin with: parameters, buffers, what the optimizer remembers, settings."""
    leaves, place = training.leaves, training.leaves.place
    parameters = leaves.values[: training.count]
    free = set(without_frozen(given_among(settings.optimizer, parameters)))
    remembered = dict(settings.optimizer.state)
    nothing = (0.0,) * settings.optimizer.state_size
    memory = [remembered.get(parameter, nothing) for parameter in parameters]
    steps = settings.optimizer.steps
    started: dict[Value, float] = {training.step: float(steps), training.time: float(steps)}
    return {
        "leaves": [_json(started.get(value, value.data)) for value in leaves.values],
        "parameters": [str(value.label) or f"p{n}" for n, value in enumerate(parameters)],
        "frozen": [place[value] for value in parameters if value not in free],
        "places": {name: place[getattr(training, name)] for name in ("strength", "rate", "time", "step")},
        "memory": [[_json(numbers[k]) for numbers in memory] for k in range(len(nothing))],
        "stepsBefore": steps,
        "seed": settings.rng,
        "epochs": settings.epochs,
        "speed": SPEED,
        "countsRows": training.counts_rows,
        "settings": {
            "optimizer": optimizer,
            "rate": float(settings.optimizer.lr),
            "l2": settings.l2,
            "batch": settings.batch_size or 0,
        },
        "batches": sorted({0, *BATCHES, settings.batch_size or 0}, key=lambda size: -size or -numpy.inf),
    }


def _rows(points: Points) -> dict[str, Any]:
    def rows(targets: ndarray) -> list[list[float]]:
        return targets.reshape(len(targets), -1).tolist()

    held_out = points.held_out and {"points": points.held_out[0].tolist(), "targets": rows(points.held_out[1])}
    return {"points": points.rows.tolist(), "targets": rows(points.targets), "validation": held_out}


def _range(rows: ndarray) -> list[float]:
    """The left, right, lower and upper end of the map."""
    found: list[float] = []
    for numbers in rows.T:
        low, high = float(numbers.min()), float(numbers.max())
        border = AROUND_POINTS * (high - low) or 1.0
        if not numpy.isfinite(high - low + 4.0 * border):
            raise ValueError(f"X reaches from {low} to {high}: too far for a map")
        found += [low - border, high + border]
    return found


def _said(choice: Choice) -> dict[str, Any]:
    """An optimizer as the page names it, and as Python writes it, with a place for the rate."""
    optimizer = choice.optimizer
    defaults = _defaults(type(optimizer))
    settings = {
        name: setting
        for name, setting in vars(optimizer).items()
        if name not in ("lr", "steps", "state") and defaults.get(name) != setting
    }
    others = "".join(f", {name}={setting!r}" for name, setting in settings.items())
    return {
        "title": choice.title,
        "code": [f"{type(optimizer).__name__}(", f"{others})"],
        "remembers": optimizer.state_size,
    }


def _defaults(kind: Callable) -> dict[str, Any]:
    """The settings of an optimizer of this class that was made without any; none, if it cannot be."""
    try:
        return vars(kind())
    except TypeError:
        return {}


def _json(x: float) -> float | str:
    """A number as JSON has it: that knows no inf and no nan."""
    return x if numpy.isfinite(x) else {"inf": "Infinity", "-inf": "-Infinity"}.get(str(x), "NaN")
