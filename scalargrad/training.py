"""Training: the same few steps, once an epoch. It knows functions and parameters, no Module."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from typing import Any

from scalargrad.engine import Value
from scalargrad.optim import Optimizer

Measures = dict[str, float]  # what is known after an epoch: "loss", and whatever else the objective measures
History = dict[str, list[float]]  # each measure before training, and after every epoch


def train(
    objective: Callable[[], Any],
    parameters: Sequence[Value],
    optimizer: Optimizer,
    epochs: int,
    after_epoch: Callable[[int, Measures], None] | None = None,
) -> History:
    """Move the parameters `epochs` times down the gradient of the whole objective.

    objective    computes the loss from the parameters as they are: a Value, or a Value and a dict of other measures
    after_epoch  called with the number of the epoch, 1 to `epochs`, and its measures

    In the history, position 0 is the untrained network and position k is what k steps have made of it: the last one
    holds for the parameters as they stay. FloatingPointError, if the loss becomes inf or nan.

    >>> from scalargrad.optim import SGD
    >>> w = Value(3.0)
    >>> history = train(lambda: w * w, [w], SGD(lr=0.25), epochs=3)
    >>> history, w.data
    ({'loss': [9.0, 2.25, 0.5625, 0.140625]}, 0.375)
    """
    loss, measures = _measured(objective, epoch=0)
    history = {name: [measure] for name, measure in measures.items()}
    for epoch in range(1, epochs + 1):
        for parameter in parameters:
            parameter.grad = 0.0
        loss.backward()
        optimizer.step(parameters)
        loss, measures = _measured(objective, epoch)
        for name, measure in measures.items():
            history[name].append(measure)
        if after_epoch:
            after_epoch(epoch, measures)
    return history


def accuracy(predicted: Sequence[Any], labels: Sequence[Any]) -> float:
    """The share of the predicted labels that are right, 0 to 1.

    >>> accuracy([True, False, True, True], [1, 0, 0, 1])
    0.75
    """
    return sum(guess == label for guess, label in zip(predicted, labels, strict=True)) / len(labels)


@contextmanager
def progress_bar(epochs: int) -> Iterator[Callable[[int, Measures], None]]:
    """An `after_epoch` that shows a bar and the measures on standard error; quiet where that is no terminal.

    >>> with progress_bar(epochs=2) as show:
    ...     show(1, {"loss": 0.5})
    """
    from tqdm import tqdm

    with tqdm(total=epochs, unit="epoch", disable=None, dynamic_ncols=True) as bar:

        def show(epoch: int, measures: Measures) -> None:
            bar.set_postfix({name: f"{measure:.4f}" for name, measure in measures.items()}, refresh=False)
            bar.update(epoch - bar.n)

        yield show


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
