"""History: the curves of a training run, epoch by epoch."""

import csv
import io
from collections.abc import Mapping
from itertools import zip_longest
from math import isfinite
from os import PathLike
from typing import TYPE_CHECKING

from scalargrad import plots
from scalargrad.checks import instance
from scalargrad.files.atomic import replace_file
from scalargrad.support.words import plural

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from scalargrad.compiler.trainer import Measures


class History(dict[str, list[float]]):
    """Measures of a run: for each a list, with a number for each epoch, the first one at position 0.

    seconds      of the epochs, validation included
    preparation  seconds spent before them on "tracing" the model and on "compiling" the traces
    stopped      why it ended before its last epoch; "" if it did not
    best_epoch   1, 2, ...: of early stopping, the epoch with the best loss; 0 without one

    >>> History(loss=[0.5, 0.25], accuracy=[0.75, 1.0])
    History(2 epochs: loss 0.25, accuracy 1)
    """

    def __init__(self, *curves: Mapping[str, list[float]], **more: list[float]) -> None:
        for curve in curves:
            instance("curves", curve, Mapping, "a dict of lists of numbers by measure")
        super().__init__(*curves, **more)
        self.seconds, self.preparation = 0.0, {"tracing": 0.0, "compiling": 0.0}
        self.stopped, self.best_epoch = "", 0

    @property
    def epochs(self) -> int:
        return len(self.get("loss", ()))

    def add(self, measures: "Measures") -> None:
        """Record the measures of one more epoch."""
        for name, measure in measures.items():
            self.setdefault(name, []).append(measure)

    def plot(self, title: str = "") -> "Figure":
        """The curves, training and validation in one panel: a matplotlib Figure, which a notebook shows."""
        return plots.plot_curves(self, instance("title", title, str, "a text") or self._words())

    def _repr_html_(self) -> str:
        """A table of the measures, and their curves, for a notebook."""
        from scalargrad.drawing.curves import curves
        from scalargrad.drawing.tables import table, titled

        rows = [
            (name, *(f"{x:.4g}" for x in (curve[0], min(curve), max(curve), curve[-1])))
            for name, curve in self.items()
            if curve
        ]
        if not rows:
            return titled(self._words())
        shown = table(["", "first", "least", "largest", "last"], rows)
        return titled(self._words(), shown, curves(self, self.epochs))

    def to_csv(self, path: str | PathLike[str]) -> None:
        """Write a line for each epoch, below one of names: a file that spreadsheets and pandas read."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["epoch", *self])
        for epoch, row in enumerate(zip_longest(*self.values(), fillvalue=""), start=1):
            writer.writerow([epoch, *row])
        replace_file(path, text.getvalue().encode())

    def __repr__(self) -> str:
        return f"History({self._words()})"

    def _words(self) -> str:
        """`20 epochs: loss 0.25, accuracy 1; interrupted`."""
        last = ", ".join(f"{name} {curve[-1]:.4g}" for name, curve in self.items() if curve)
        why = f"; {self.stopped}" if self.stopped else ""
        return f"{plural(self.epochs, 'epoch')}{': ' if last else ''}{last}{why}"


def refuse_inf_and_nan(loss: float, epoch: int) -> None:
    """A FloatingPointError, if the loss after so many epochs is no number to go on with."""
    if not isfinite(loss):
        when = f"after epoch {epoch}; a smaller learning rate helps" if epoch else "before any training"
        raise FloatingPointError(f"the loss is {loss} {when}")
