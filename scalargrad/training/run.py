"""Runs: epoch after epoch of whatever computes one, callbacks between them, and the callback that stops early."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Any

from scalargrad.away import numbers_of, set_numbers
from scalargrad.engine import Value
from scalargrad.optim import Optimizer
from scalargrad.training.history import History, refuse_inf_and_nan

if TYPE_CHECKING:
    from scalargrad.compiler.trainer import Measures, Watch


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
    def measures(self) -> "Measures":
        """The numbers of the last epoch."""
        return {name: curve[-1] for name, curve in self.history.items()}

    def stop(self, why: str = "a callback stopped it") -> None:
        """Let this epoch be the last one."""
        self.history.stopped = why or "a callback stopped it"

    def go(
        self,
        learn: "Callable[[Watch], Measures]",
        validate: "Callable[[], Measures]",
        callbacks: Iterable[Callable],
        watch: "Watch",
    ) -> None:
        """The epochs from here to the last.

        learn      does one epoch, telling its argument now and then how far it is
        validate   measures on other data, after each epoch
        callbacks  each is called after every epoch; if it has a method `around`, that gives a context manager for the
                   run, in which all epochs happen
        watch      is told the number of rows as `learn` tells them, and at the end of each epoch the measures

        A Ctrl-C ends it, and the parameters are those of the last finished step.
        FloatingPointError, if a loss is inf or nan.
        """
        callbacks = [*callbacks]
        with ExitStack() as around:
            for callback in reversed(callbacks):  # so that the first one is the first to see the end
                if hasattr(callback, "around"):
                    around.enter_context(callback.around(self))
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

    min_delta   a loss is better if it is below the best one by more than that, as in Keras: the best epoch, too, is the
                last one that was better by this rule

    A loss of validation is that of the numbers after the epoch: the values are put back to the best ones at the end,
    unless a Ctrl-C or an error ended it. The loss of training was measured on the way there, and says nothing about any
    one state: it only stops.
    """

    def __init__(self, patience: int, values: Sequence[Value], min_delta: float = 0.0) -> None:
        self.patience, self.values, self.min_delta = patience, values, min_delta
        self.best, self.epoch = inf, 0
        self.numbers: list[float] = []  # of the values, after the best epoch

    def __call__(self, run: Run) -> None:
        name = "val_loss" if "val_loss" in run.history else "loss"
        loss = run.measures[name]
        if loss + self.min_delta < self.best:
            self.best, self.epoch = loss, run.epoch
            if name == "val_loss":
                self.numbers = numbers_of(self.values)
        run.history.best_epoch = self.epoch
        if run.epoch - self.epoch >= self.patience:
            run.stop(f"no better {name} since epoch {self.epoch}" if self.epoch else f"no {name} is a number")

    @contextmanager
    def around(self, run: Run) -> Iterator[None]:
        yield
        if run.history.stopped != "interrupted":
            self.restore()

    def restore(self) -> None:
        if self.numbers:
            set_numbers(self.values, self.numbers)
