"""The batches of sequences of different lengths, one sample after another, and training on them by Values."""

from collections.abc import Callable, Hashable, Sequence

from scalargrad import mean, randomness
from scalargrad.optim import Optimizer
from scalargrad.schedules import Schedule
from tests.oracles.functions import value_of_row

SHUFFLE = 0x5AFE  # part of what is promised: the same seed gives the same batches for ever


def batches_of_shapes(shapes: Sequence[Hashable], batch_size: int | None, seed: int, epoch: int) -> list[list[int]]:
    """The rows of each batch: each shuffled sample joins the last batch of its shape or, if that is full, opens one."""
    rows, bits = range(len(shapes)), len(shapes).bit_length()
    keys = [(int(randomness.uniform(seed, epoch, row, SHUFFLE) * 2**53) >> bits, row) for row in rows]
    opened: list[list[int]] = []
    last: dict[Hashable, list[int]] = {}
    for _, row in sorted(keys):
        if shapes[row] not in last or len(last[shapes[row]]) == batch_size:
            opened.append([])
            last[shapes[row]] = opened[-1]
        last[shapes[row]].append(row)
    return opened if len(opened) > 1 else [[*rows]]


def train_by_values(
    function: Callable,
    parameters: Sequence,
    optimizer: Optimizer,
    columns: Sequence,
    epochs: int,
    batch_size: int | None,
    schedule: Schedule | None = None,
    seed: int = 0,
) -> list[float]:
    """The loss of each epoch: the mean over samples, each at the parameters of its step."""
    shapes = [tuple(getattr(x, "shape", ()) for x in sample) for sample in zip(*columns, strict=True)]
    epoch_of_batches = [batches_of_shapes(shapes, batch_size, seed, epoch) for epoch in range(epochs)]
    steps, history = sum(map(len, epoch_of_batches)), []
    for batches in epoch_of_batches:
        total = 0.0
        for rows in batches:
            loss = mean([_loss_of(function, [column[row] for column in columns], row, optimizer) for row in rows])
            for parameter in parameters:
                parameter.grad = 0.0
            loss.backward()
            factor = 1.0 if schedule is None else schedule.factor(float(optimizer.steps), float(steps))
            optimizer.step(parameters, optimizer.lr * factor)
            total += loss.data * len(rows)
        history.append(total / len(shapes))
    return history


def _loss_of(function: Callable, sample: Sequence, row: int, optimizer: Optimizer) -> object:
    outer = randomness.row.set(float(row)), randomness.step.set(float(optimizer.steps))
    try:
        return function(*map(value_of_row, sample))
    finally:
        randomness.row.reset(outer[0])
        randomness.step.reset(outer[1])
