"""live: a model's loss, its accuracy and what it says about the plane, drawn while `fit` trains it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import NamedTuple

import numpy
from numpy import ndarray

from scalargrad.arrays import quiet
from scalargrad.compiler.backends import BACKENDS
from scalargrad.drawing.curves import curves
from scalargrad.drawing.lettering import escaped
from scalargrad.drawing.tables import titled
from scalargrad.pages.screens import Screen, screen_here
from scalargrad.plots.maps import SIDE, Map, as_source, asked
from scalargrad.structure import Structure
from scalargrad.support.words import brief
from scalargrad.training.objectives import Objective
from scalargrad.training.prediction import outputs_of
from scalargrad.training.run import Run
from scalargrad.training.together import Alone

PAUSE = 0.25  # seconds between two pictures, at least
SHARE = 1 / 40  # of the time that pictures take, at most
CELLS, CELLS_OF_VALUES = 60, 20  # places along each side: in compiled code, and where each one costs a graph


def live(model: Structure) -> "Live":
    """A callback for `fit`, which draws how the training goes while it goes on.

        model.fit(X, y, epochs=500, callbacks=[live(model)])

    In a notebook one picture is drawn anew a few times a second: the curves of all measures, and, of a model that takes
    two numbers, what it says about the plane around the samples. In a terminal it is one line of text, in place of the
    bar; where standard error is no terminal, that line once, at the end. The last picture stays, also after a Ctrl-C or
    an error; after early stopping it is that of the best parameters, which `fit` has put back.

    Pictures take a fortieth of the time at most, those before the first epoch and after the last one not counted. They
    change neither the run nor its numbers. Of several processes that train together the first one draws, without the
    plane.

    TypeError for what is no model; ValueError, before the first epoch, if `fit` trains another one.

    >>> from scalargrad import MLP
    >>> live(MLP(2, [8, 1]))
    live(MLP(2, [8, 1]), 33 parameters)
    """
    if isinstance(model, Run):
        raise TypeError("live takes a model, and makes a callback of it: callbacks=[live(model)]")
    if not isinstance(model, Structure):
        raise TypeError(f"live takes a model, such as MLP(2, [8, 1]), got {brief(model)}")
    return Live(model)


class Live:
    """The callback that `live` makes; it may be used for one run after another."""

    shows_progress = True

    def __init__(self, model: Structure) -> None:
        self.model = model
        self.screen: Screen | None = None
        self.plane: _Plane | None = None
        self.next = 0.0  # when there may be another picture

    @contextmanager
    def around(self, run: Run) -> Iterator[None]:
        """The run: one picture before it, and one after it, however it ends."""
        if run.model is not self.model:
            raise ValueError(f"live was made for another model than fit trains: live({_first_line(run.model)})")
        processes = run.details.processes if run.details else None
        if processes is not None and not processes.is_first:
            yield
            return
        self.screen = screen_here()
        alone = isinstance(processes, Alone)
        self.plane = _plane_of(run) if alone and self.screen.draws else None
        try:
            self._show(run)
            yield
        finally:
            self._show(run)
            self.screen.close()
            self.screen, self.plane = None, None

    def __call__(self, run: Run) -> None:
        if self.screen is not None and perf_counter() >= self.next:
            begin = perf_counter()
            self._show(run)
            end = perf_counter()
            self.next = end + max(PAUSE, (end - begin) / SHARE)

    def _show(self, run: Run) -> None:
        assert self.screen is not None
        words = in_words(run)
        self.screen.show(words, lambda: _as_html(run, words, self.plane))
        self.next = perf_counter() + PAUSE

    def __repr__(self) -> str:
        return f"live({_first_line(self.model)})"


def in_words(run: Run) -> str:
    """`epoch 20 of 500, loss 0.03125, accuracy 98%`: where a run is."""
    shown = [f"epoch {run.epoch:,} of {run.epochs:,}"]
    for name, x in run.measures.items():
        shown.append(f"{name} {100 * x:.4g}%" if name.endswith("accuracy") else f"{name} {x:.4g}")
    return ", ".join(shown) + (f"; {run.history.stopped}" if run.history.stopped else "")


def _as_html(run: Run, words: str, plane: "_Plane | None") -> str:
    parts = [plane.as_html(run.model)] if plane else []
    if drawn := curves(run.history, run.epochs):
        parts.append(f'<div style="flex:1 1 300px;max-width:{SIDE + 120}px">{drawn}</div>')
    return titled(words, f'<div style="display:flex;flex-wrap:wrap;gap:16px;margin-top:6px">{"".join(parts)}</div>')


class _Plane:
    """The plane around the samples, and how outputs there become colours."""

    def __init__(self, map: Map, scored: "_Scored", dtype: numpy.dtype, backend: str) -> None:
        self.map, self.scored, self.backend = map, scored, backend
        self.places = map.places.astype(dtype)  # the type of the samples: there are programs for it

    def as_html(self, model: Structure) -> str:
        says = asked(
            lambda places: self.scored.of(outputs_of(model, places, self.backend)), self.scored.shares, self.places
        )
        picture = as_source(self.map.png(says, len(self.scored.names)))
        legend = self.map.legend(self.scored.names)
        return (
            f'<div style="flex:0 1 {SIDE}px"><img src="{picture}" width="{SIDE}" height="{SIDE}" '
            f'alt="{escaped(f"What the model says around the samples. {legend}")}" style="max-width:100%;height:auto"/>'
            f'<div style="font-size:11px">{escaped(legend)}</div></div>'
        )


class _Scored(NamedTuple):
    """How targets and outputs are shown.

    names    of the classes; none, if targets are numbers
    classes  [rows]: of the samples their classes by position, or numbers from 0 to 1
    of       outputs as they are drawn: of one output from 0 to 1
    shares   from these the probabilities of classes, if the loss knows some
    """

    names: list[str]
    classes: ndarray
    of: Callable[[ndarray], ndarray]
    shares: Callable[[ndarray], ndarray] | None = None


def _plane_of(run: Run) -> _Plane | None:
    """The plane, if samples have two numbers, and the model one output, or one for each class."""
    learner = run.details.learner
    inputs, targets, backend = learner.data.inputs, learner.data.targets, learner.settings.backend
    if not isinstance(inputs, ndarray) or inputs.shape[1:] != (2,) or not isinstance(targets, ndarray):
        return None
    cells = CELLS if BACKENDS[backend].trains else CELLS_OF_VALUES
    try:
        outputs = outputs_of(run.model, inputs[:1], backend)
        scored = _scored(learner.objective, outputs.reshape(1, -1).shape[1], targets)
        if scored is None:
            return None
        map = Map(inputs, scored.classes, cells, lined=bool(scored.names))
        plane = _Plane(map, scored, inputs.dtype, backend)
        plane.as_html(run.model)  # compiled now, and not in an epoch
    except Exception:  # a model may refuse numbers between its samples, such as those of tokens
        return None
    return plane


@quiet
def _scored(objective: Objective, outputs: int, targets: ndarray) -> _Scored | None:
    def one(found: ndarray) -> ndarray:
        return found.reshape(len(found), -1)[:, 0] if outputs == 1 else found.reshape(len(found), -1)

    targets = targets.reshape(len(targets), -1)
    if targets.shape[1] != 1 or not numpy.isfinite(targets).all():
        return None
    column = targets[:, 0]
    seen = numpy.unique(column).tolist()
    if outputs > 1:
        if objective.classes is None and not {*seen} <= {*range(outputs)}:
            return None
        return _Scored(_named(range(outputs)), column.astype("int64"), one, objective.probabilities)
    if objective.probabilities:
        return _Scored(_named((0, 1)), column.astype("int64"), one, objective.probabilities)
    if seen in ([0, 1], [-1, 1]):  # labels, to a loss of numbers or of a user's own
        low = seen[0]
        return _Scored(_named((int(low), 1)), (column > low).astype("int64"), lambda x: (one(x) - low) / (1 - low))
    low, high = min(seen), max(seen)
    wide = (high - low) or 1.0
    return _Scored([], (column - low) / wide, lambda x: (one(x) - low) / wide)


def _named(labels: Iterable[int]) -> list[str]:
    return [f"class {label}" for label in labels]


def _first_line(model: Structure) -> str:
    return repr(model).splitlines()[0]
