"""Runs in files: all that training needs to go on as if it had never stopped, to the bit.

That is the numbers of the model, which parameters are frozen, what the optimizer remembers, how far shuffles, random()
and the schedule are, the best epoch so far, and the history. The file says what the run depends on, too, and a run that
differs is refused.
"""

import json
import os
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

import numpy
from numpy import ndarray

from scalargrad.away import numbers_of as numbers_now
from scalargrad.away import set_numbers
from scalargrad.checks import file_name, instance, whole
from scalargrad.engine import Value
from scalargrad.files.safetensors import read_arrays, write_arrays
from scalargrad.holders import flat, without_frozen
from scalargrad.structure import Parameter, Structure
from scalargrad.support.forks import kept
from scalargrad.training.learners import Counters, Learner
from scalargrad.training.run import EarlyStopping, Run
from scalargrad.training.together import Alone, Processes

CURVE = "history."  # before the name of a measure
FREE = ("early_stopping",)  # settings that files of before hold, and that a resumed run may change


class Details:
    """Details of a run besides what its callbacks see. Most of it is asked for by checkpoints only.

    describe   says all that the run depends on, by name
    learner    what does the epochs, once they begin
    processes  that train together; the first one writes the files
    """

    def __init__(self, model: Structure, describe: Callable[[], dict[str, Any]], processes: Alone | Processes) -> None:
        self.model, self.describe, self.processes = model, describe, processes
        self.stopping: EarlyStopping | None = None
        self.learner: Learner

    @kept
    def parameters(self) -> list[Parameter]:
        return list(self.model.parameters())

    @kept
    def values(self) -> list[Value]:
        """All numbers that training changes: parameters and buffers."""
        held = (value for _, array in self.model.named_arrays() for value in flat(array))
        return list(dict.fromkeys([*self.parameters, *held]))

    @kept
    def description(self) -> dict[str, Any]:
        return self.describe()


class Checkpoint:
    """A callback for `fit` that writes the run to a file, from which `fit(resume=path)` goes on.

        model.fit(X, y, epochs=50, callbacks=[Checkpoint("run.safetensors")])
        model.fit(X, y, epochs=50, callbacks=[Checkpoint("run.safetensors")], resume="run.safetensors")

    path    replaced in one step each time: whenever the program dies, the file holds a whole run
    every   so many epochs, and after the last one

    It runs after all other callbacks of an epoch. To resume, pass the same data and settings, and a model and an
    optimizer made the same way; only `epochs` may be another number, unless there is a schedule, and `devices`,
    `early_stopping` and `min_delta`: it counts on from the epochs without a better loss that the run had. Of
    several processes the first one writes, and all read. The files that `scalargrad.load` opens are others:
    `model.save` writes them.
    """

    def __init__(self, path: str | os.PathLike[str], every: int = 1) -> None:
        self.path: str | os.PathLike[str] = file_name(path)
        self.every = whole("every", every, 1, "a whole number of epochs from 1 on,")

    def __call__(self, run: Run) -> None:
        instance("run", run, Run, "what fit passes to its callbacks")
        if run.epoch % self.every == 0 or run.epoch == run.epochs or run.history.stopped:
            processes = run.details.processes
            with processes.in_step():
                if processes.is_first:
                    write_run(self.path, run)


def write_run(path: str | os.PathLike[str], run: Run) -> None:
    """Write a run, as it is after an epoch, to a file, which is replaced in one step."""
    details: Details = run.details
    optimizer = run.optimizer
    curves = {name: curve for name, curve in run.history.items() if all(isinstance(x, Real) for x in curve)}
    arrays = {
        **numbers_of(run),
        **{f"{CURVE}{name}": numpy.array(curve, "float64") for name, curve in curves.items()},
    }
    state = {
        "description": details.description,
        "epoch": run.epoch,
        "measures": [name for name, curve in curves.items() if curve],
        "seconds": run.history.seconds,
        "counters": details.learner.counters._asdict(),
        "steps": optimizer.steps,
        "lr": float(optimizer.lr),
    }
    if len(without_frozen(details.parameters)) < len(details.parameters):
        arrays["frozen"] = numpy.array([not parameter.requires_grad for parameter in details.parameters], "int64")
    if stopping := details.stopping:
        arrays["best"] = numpy.array(stopping.numbers)
        state |= {"best_loss": stopping.best, "best_epoch": stopping.epoch, "best_numbers": len(stopping.numbers)}
    write_arrays(path, {name: array for name, array in arrays.items() if array.size}, {"run": json.dumps(state)})


def numbers_of(run: Run) -> dict[str, ndarray]:
    """Numbers that training has changed: "values" [n], and what the "optimizer" remembers, [parameters, numbers]."""
    optimizer, details = run.optimizer, run.details
    remembered, fresh = optimizer.state.copy(), (0.0,) * optimizer.state_size
    return {
        "values": numpy.array(numbers_now(details.values)),
        "optimizer": numpy.array([remembered.get(parameter, fresh) for parameter in details.parameters]),
    }


def read_run(path: str | os.PathLike[str], run: Run) -> Counters:
    """Bring a run to where the file's was, its model and optimizer too. Returns the counters of its learner.

    ValueError, and everything as it was, if the file is damaged, holds no run, or one that depends on something else.
    """
    details: Details = run.details
    arrays, metadata = read_arrays(path)
    if "run" not in metadata:
        hint = "; scalargrad.load(path) opens it" if "architecture" in metadata else ""
        raise ValueError(f"{path} holds no run: no Checkpoint wrote it{hint}")
    try:
        state = json.loads(metadata["run"])
        found = state["description"]
        own = details.description
        undescribed = str({"class": type(details.model).__name__, "arguments": None})
        if found.get("model") == undescribed:  # by the version of before, say: then its arrays tell
            own = {**own, "model": undescribed}
        found = {name: setting for name, setting in found.items() if name not in FREE}
        _refuse_other_runs(path, found, own)
        counters = Counters(**{name: int(count) for name, count in state["counters"].items()})
        epoch, seconds, steps, lr = (state[name] for name in ("epoch", "seconds", "steps", "lr"))
        values = arrays["values"].tolist()
        curves = {name: arrays[f"{CURVE}{name}"].tolist() for name in state["measures"]}
        best = None
        if details.stopping and "best_epoch" in state:
            numbers = arrays["best"].tolist() if state["best_numbers"] else []
            best = state["best_loss"], state["best_epoch"], numbers
        remembered = _remembered(run, arrays)
        frozen = arrays["frozen"].tolist() if "frozen" in arrays else [0] * len(details.parameters)
        if (len(values), len(frozen)) != (len(details.values), len(details.parameters)) or len(
            curves.get("loss", ())
        ) != epoch:
            raise KeyError("values")
    except (KeyError, TypeError, AttributeError, RecursionError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} holds a run that is not complete") from error
    set_numbers(details.values, values)
    for parameter, is_frozen in zip(details.parameters, frozen, strict=True):
        parameter.requires_grad = not is_frozen
    run.optimizer.state, run.optimizer.steps, run.optimizer.lr = remembered, steps, lr
    run.epoch, run.history.seconds = epoch, seconds
    run.history.update(curves)
    if details.stopping:
        if best:
            details.stopping.best, details.stopping.epoch, details.stopping.numbers = best
        details.stopping(run)
    return counters


def _refuse_other_runs(path: object, found: dict[str, Any], own: dict[str, Any]) -> None:
    for name in [*own, *(name for name in found if name not in own)]:
        if found.get(name) != own.get(name):
            if name == "data":
                raise ValueError(f"{path} holds a run on other samples: to train on with new ones, fit without resume")
            raise ValueError(
                f"{path} holds a run with {name} {found.get(name)!r}, and this one has {own.get(name)!r}: "
                "a run is resumed with the settings that it had"
            )


def _remembered(run: Run, arrays: Mapping[str, ndarray]) -> dict[Value, tuple[float, ...]]:
    parameters, size = run.details.parameters, run.optimizer.state_size
    if not size:
        return {}
    rows = arrays["optimizer"].tolist()
    if [len(row) for row in rows] != [size] * len(parameters):
        raise KeyError("optimizer")
    return dict(zip(parameters, map(tuple, rows), strict=True))
