"""Training: the same few steps, once an epoch. It knows functions and parameters, no Module."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from math import inf, isfinite
from os import PathLike
from time import perf_counter
from typing import TYPE_CHECKING, Any

from scalargrad.compiler.trainer import Measures, Watch
from scalargrad.engine import Value
from scalargrad.files.atomic import replace_file
from scalargrad.optim import Optimizer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Curves = dict[str, list[float]]  # each measure before training, and after every epoch


def train(
    objective: Callable[[], Any],
    parameters: Sequence[Value],
    optimizer: Optimizer,
    epochs: int,
    after_epoch: Callable[[int, Measures], None] | None = None,
) -> Curves:
    """Move the parameters `epochs` times down the gradient of the whole objective.

    objective    computes the loss from the parameters as they are: a Value, or a Value and a dict of other measures
    after_epoch  called with the number of the epoch, 1 to `epochs`, and its measures

    Of the curves, position 0 is the untrained network and position k is what k steps have made of it: the last one
    holds for the parameters as they stay. FloatingPointError, if the loss becomes inf or nan.

    >>> from scalargrad.optim import SGD
    >>> w = Value(3.0)
    >>> curves = train(lambda: w * w, [w], SGD(lr=0.25), epochs=3)
    >>> curves, w.data
    ({'loss': [9.0, 2.25, 0.5625, 0.140625]}, 0.375)
    """
    loss, measures = _measured(objective, epoch=0)
    curves = {name: [measure] for name, measure in measures.items()}
    for epoch in range(1, epochs + 1):
        for parameter in parameters:
            parameter.grad = 0.0
        loss.backward()
        optimizer.step(parameters)
        loss, measures = _measured(objective, epoch)
        for name, measure in measures.items():
            curves[name].append(measure)
        if after_epoch:
            after_epoch(epoch, measures)
    return curves


def accuracy(predicted: Sequence[Any], labels: Sequence[Any]) -> float:
    """The share of the predicted labels that are right, 0 to 1.

    >>> accuracy([True, False, True, True], [1, 0, 0, 1])
    0.75
    """
    return sum(guess == label for guess, label in zip(predicted, labels, strict=True)) / len(labels)


def _measured(objective: Callable[[], Any], epoch: int) -> tuple[Value, Measures]:
    result = objective()
    loss, others = result if isinstance(result, tuple) else (result, {})
    refuse_inf_and_nan(loss.data, epoch)
    return loss, {"loss": loss.data, **others}


def refuse_inf_and_nan(loss: float, epoch: int) -> None:
    """A FloatingPointError, if the loss after so many epochs is no number to go on with."""
    if not isfinite(loss):
        when = f"after epoch {epoch}; a smaller learning rate helps" if epoch else "before any training"
        raise FloatingPointError(f"the loss is {loss} {when}")


# Many epochs, of whatever computes one: what `fit` does.


class History(dict[str, list[float]]):
    """What was measured: for each measure a list, with a number for each epoch, the first one at position 0.

    seconds      of the epochs, validation included
    preparation  seconds spent before them on "tracing" the model and on "compiling" the traces
    stopped      why it ended before its last epoch; "" if it did not
    best_epoch   1, 2, ...: of early stopping, the epoch with the best loss; 0 without one

    >>> History(loss=[0.5, 0.25], accuracy=[0.75, 1.0])
    History(2 epochs: loss 0.25, accuracy 1)
    """

    def __init__(self, *curves: Any, **more: list[float]) -> None:
        super().__init__(*curves, **more)
        self.seconds, self.preparation = 0.0, {"tracing": 0.0, "compiling": 0.0}
        self.stopped, self.best_epoch = "", 0

    @property
    def epochs(self) -> int:
        return len(self.get("loss", ()))

    def add(self, measures: Measures) -> None:
        """Those of one more epoch."""
        for name, measure in measures.items():
            self.setdefault(name, []).append(measure)

    def plot(self, title: str = "") -> "Figure":
        """The curves, training and validation in one panel: a matplotlib Figure, which a notebook shows."""
        from scalargrad.plots import plot_curves

        return plot_curves(self, title or repr(self))

    def to_csv(self, path: str | PathLike[str]) -> None:
        """Write a line for each epoch, below one of names: a file that spreadsheets and pandas read."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["epoch", *self])
        for epoch, row in enumerate(zip_longest(*self.values(), fillvalue=""), start=1):
            writer.writerow([epoch, *row])
        replace_file(path, text.getvalue().encode())

    def __repr__(self) -> str:
        count = "1 epoch" if self.epochs == 1 else f"{self.epochs} epochs"
        last = ", ".join(f"{name} {curve[-1]:.4g}" for name, curve in self.items() if curve)
        why = f"; {self.stopped}" if self.stopped else ""
        return f"History({count}{': ' if last else ''}{last}{why})"


class Run:
    """Some epochs of training, as callbacks see them: each gets it as its argument after every epoch.

    model, optimizer   what is trained, and by what: `run.optimizer.lr = ...` holds from the next step on
    epoch, epochs      how many there were, and how many there shall be
    history            of all epochs so far
    """

    def __init__(self, model: Any, optimizer: Optimizer, epochs: int) -> None:
        self.model, self.optimizer, self.epochs = model, optimizer, epochs
        self.epoch, self.history = 0, History()
        self.details: Any = None  # for Checkpoint

    @property
    def measures(self) -> Measures:
        """The numbers of the last epoch."""
        return {name: curve[-1] for name, curve in self.history.items()}

    def stop(self, why: str = "a callback stopped it") -> None:
        """Let this epoch be the last one."""
        self.history.stopped = why or "a callback stopped it"

    def go(
        self,
        learn: Callable[[Watch], Measures],
        validate: Callable[[], Measures],
        callbacks: Iterable[Callable],
        watch: Watch,
    ) -> None:
        """The epochs from here to the last.

        learn      does one epoch, telling its argument now and then how far it is
        validate   measures on other data, after each epoch
        watch      is told the number of rows as `learn` tells them, and at the end of each epoch the measures

        A Ctrl-C ends it, and the parameters are those of the last finished step.
        FloatingPointError, if a loss is inf or nan.
        """
        try:
            while self.epoch < self.epochs and not self.history.stopped:
                begin = perf_counter()
                measures = learn(watch)
                refuse_inf_and_nan(measures["loss"], self.epoch + 1)
                measures |= validate()
                self.history.add(measures)
                self.history.seconds += perf_counter() - begin
                self.epoch += 1
                watch(0, measures)
                for callback in callbacks:
                    callback(self)
        except KeyboardInterrupt:
            self.stop("interrupted")


class EarlyStopping:
    """A callback: stops after so many epochs without a better loss, of validation if there is one.

    A loss of validation is that of the numbers after the epoch: `restore()` can put the values back to the best ones.
    The loss of training was measured on the way there, and says nothing about any one state: it only stops.
    """

    def __init__(self, patience: int, values: Sequence[Value]) -> None:
        self.patience, self.values = patience, values
        self.best, self.epoch = inf, 0
        self.numbers: list[float] = []  # of the values, after the best epoch

    def __call__(self, run: Run) -> None:
        name = "val_loss" if "val_loss" in run.history else "loss"
        loss = run.measures[name]
        if loss < self.best:
            self.best, self.epoch = loss, run.epoch
            if name == "val_loss":
                self.numbers = [value.data for value in self.values]
        run.history.best_epoch = self.epoch
        if run.epoch - self.epoch >= self.patience:
            run.stop(f"no better {name} since epoch {self.epoch}" if self.epoch else f"no {name} is a number")

    def restore(self) -> None:
        if self.numbers:
            for value, number in zip(self.values, self.numbers, strict=True):
                value.data = number
