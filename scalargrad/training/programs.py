"""The compiled functions of a model: made when they are first needed, and kept with it for as long as it lives."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from numpy import ndarray

from scalargrad import randomness
from scalargrad.compiler import compile
from scalargrad.datasets.arrays import why_ragged
from scalargrad.datasets.nested import Sample, is_nested
from scalargrad.datasets.sequences import Column
from scalargrad.engine import Value
from scalargrad.holders import note, noted
from scalargrad.losses import l2 as sum_of_squares
from scalargrad.observers import Observer, no_grad, observed_by
from scalargrad.operands import is_recorded
from scalargrad.ops import batch_mean
from scalargrad.structure import Buffer, Structure, in_mode
from scalargrad.support.forks import freed
from scalargrad.support.words import brief
from scalargrad.training.objectives import Objective

if TYPE_CHECKING:
    from scalargrad.compiler.compiled import Compiled

MOST_PROGRAMS = 8  # of one model
_locks = freed(threading.RLock())


class Target(NamedTuple):
    """A type of numbers and a backend to compile for; `devices` are those of JAX that share the rows."""

    dtype: str
    backend: str = "native"
    devices: int | None = None

    def compile(self, function: Callable) -> "Compiled":
        return compile(function, dtype=self.dtype, backend=self.backend, devices=self.devices)


def training_program(
    model: Structure, objective: Objective, l2: float, weighted: bool, target: Target
) -> tuple["Compiled", Buffer]:
    """The loss of a sample (x, y) or, `weighted`, (x, y, weight), and a Buffer to which a step adds its mean score."""

    def make() -> tuple["Compiled", Buffer]:
        score = Buffer(0.0, "score")

        def loss(x: Sample, y: Sample) -> Value:
            outputs = model(x)
            if objective.score is not None:
                score.update(score + batch_mean(objective.score(outputs, y)))
            return one_value(objective.loss(outputs, y))

        def penalty() -> Value | float:
            return l2 * sum_of_squares(model.parameters()) if l2 else 0.0

        def plain(x: Sample, y: Sample) -> Value:
            return loss(x, y) + penalty()

        def by_weight(x: Sample, y: Sample, weight: Sample) -> Value:
            return batch_mean(weight * loss(x, y)) / batch_mean(weight) + penalty()

        return target.compile(by_weight if weighted else plain), score

    return _kept(model, ("training", objective, l2, weighted, target), make)


def outputs_program(model: Structure, target: Target) -> "Compiled":
    """A program of the model's outputs for a sample, as the only item of a list: a number alone would be its mean."""

    def make() -> "Compiled":
        def outputs(x: Sample) -> list:
            return [model(x)]

        return target.compile(outputs)

    return _kept(model, ("outputs", target), make)


def loss_program(model: Structure, objective: Objective, target: Target) -> "Compiled":
    """The loss of what a model returned for a sample, and the sample's target, (outputs, y)."""

    def make() -> "Compiled":
        def losses(outputs: Sample, y: Sample) -> list:
            return [one_value(objective.loss(outputs, y))]

        return target.compile(losses)

    return _kept(model, ("loss", objective, target), make)


def seconds_of_preparation(model: Structure) -> dict[str, float]:
    """Spent so far on "tracing" its functions and on "compiling" the traces."""
    found = {"tracing": 0.0, "compiling": 0.0}
    for made, _ in _programs_of(model).values():
        program = made[0] if isinstance(made, tuple) else made
        found = {name: total + program.seconds[name] for name, total in found.items()}
    return found


def _kept(model: Structure, key: tuple, make: Callable[[], Any]) -> Any:
    """The program of this key, made if it is new. Objectives are told apart by the identity of their loss."""
    names = tuple((id(part.loss), part.name, part.measure) if isinstance(part, Objective) else part for part in key)
    programs = _programs_of(model)
    kept = programs.pop(names) if names in programs else (make(), key)  # the key keeps the id its own
    programs[names] = kept  # the last ones used come last
    while len(programs) > MOST_PROGRAMS:
        programs.pop(next(iter(programs)))
    return kept[0]


def _programs_of(model: Structure) -> dict[tuple, Any]:
    if noted(model, "programs") is None:
        note(model, "programs", {})
    return noted(model, "programs")


def lock_of(model: Structure) -> Any:
    """The lock of threads that train a model or compute with it: in between, its numbers are of two steps."""
    if noted(model, "lock") is None:
        with _locks:
            if noted(model, "lock") is None:
                note(model, "lock", freed(threading.RLock()))
    return noted(model, "lock")


def one_value(loss: Any) -> Value:
    """The result of a loss function, if it is one Value."""
    if not is_recorded(loss) and not isinstance(loss, float):
        raise TypeError(f"loss is one Value for one sample, and this one returned {brief(loss)}")
    return loss


class Updates(Observer):
    """Keeps what samples make of buffers: a step of training changes them once, prediction does not."""

    def __init__(self) -> None:
        self.numbers: dict[Buffer, float] = {}

    def updated(self, buffer: Buffer, expression: Any) -> bool:
        self.numbers[buffer] = float(expression)
        return True


@contextmanager
def in_batch_of(samples: int) -> Iterator[None]:
    """A block in which each sample by itself is one of so many."""
    outer = randomness.share.set(1.0 / samples)
    try:
        yield
    finally:
        randomness.share.reset(outer)


def shapes_of_outputs(model: Structure, inputs: Column, name: str = "X") -> dict[tuple, tuple[int, ...]]:
    """By the shape of a sample: () if the model returns one Value for it, (k,) if a tuple of k.

    It is asked about the first row of each shape. What it raises for that is raised again, with the shape.
    """
    if isinstance(inputs, ndarray):
        return {inputs.shape[1:]: _shape_of_outputs(model, inputs[0])}
    first = {sample.shape: sample for sample in reversed(inputs.samples)}
    try:
        return {shape: _shape_of_outputs(model, first[shape]) for shape in sorted(first)}
    except (TypeError, ValueError, IndexError) as error:
        raise type(error)(f"{why_ragged(inputs.samples, name)}, and {error}") from error


def _shape_of_outputs(model: Structure, sample: ndarray) -> tuple[int, ...]:
    try:
        with in_mode(model, training=False), no_grad(), observed_by(Updates()):
            return _first_shape(model(rows_as_tuples(sample)))
    except (TypeError, ValueError, IndexError) as error:
        raise type(error)(f"X: the model does not take rows of the shape {sample.shape}: {error}") from error


def rows_as_tuples(array: ndarray) -> Any:
    """A sample as programs hand it to a model: nested tuples of numbers."""

    def nested(numbers: Any) -> Any:
        return tuple(map(nested, numbers)) if isinstance(numbers, list) else numbers

    return nested(array.tolist())


def _first_shape(outputs: Any) -> tuple[int, ...]:
    """As `shape_of`, by the first of the parts: a loss of one's own may take parts that differ."""
    return (len(outputs), *_first_shape(outputs[0])) if is_nested(outputs) else ()
