"""`model.fit`: from a user's arrays to a trained model. What can be wrong is found before anything changes."""

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from numbers import Real
from os import PathLike
from typing import Any

from scalargrad.arrays import quiet, shuffled
from scalargrad.checks import is_real, one_of, whole
from scalargrad.compiler import TraceError
from scalargrad.compiler.backends import devices_for
from scalargrad.compiler.trainer import Measures, Watch
from scalargrad.datasets.arrays import checked_inputs, checked_weights
from scalargrad.files.architecture import describe as describe_model
from scalargrad.optim import Optimizer
from scalargrad.progress import progress_bar
from scalargrad.schedules import Constant, Schedule, schedule_of
from scalargrad.structure import Structure, in_mode
from scalargrad.training.checkpoint import Checkpoint, Details, describe, numbers_of, read_run
from scalargrad.training.history import History
from scalargrad.training.learners import LEARNERS, Counters, Task
from scalargrad.training.objectives import Objective, measure_of, objective_of, refuse_one_class
from scalargrad.training.prediction import measured
from scalargrad.training.programs import seconds_of_preparation, shape_of_outputs
from scalargrad.training.run import EarlyStopping, Run
from scalargrad.training.together import Processes

SPLIT = 2**52  # in the place of an epoch, for the shuffle that chooses rows for validation


@dataclass(frozen=True)
class Settings:
    """How to train, checked: see `Module.fit`."""

    loss: str | Callable
    optimizer: Optimizer
    epochs: int
    batch_size: int | None
    l2: float
    early_stopping: int | None
    callbacks: Sequence[Callable]
    rng: int
    engine: str
    progress: bool
    schedule: str | Schedule | None
    augment: Callable | None
    devices: int | str | None

    def __post_init__(self) -> None:
        if not isinstance(self.optimizer, Optimizer):
            raise TypeError(f"optimizer is one such as Adam(lr=0.001), got {self.optimizer!r}")
        whole("epochs", self.epochs, 0, "a whole number from 0 on;")
        if self.batch_size is not None:
            whole("batch_size", self.batch_size, 1, "a whole number from 1 on, or None for all rows;")
        if self.early_stopping is not None:
            what = "a whole number from 1 on (how many epochs to wait), or None;"
            whole("early_stopping", self.early_stopping, 1, what)
        whole("rng", self.rng, 0, "a whole number from 0 on;")
        if self.rng >= SPLIT:
            raise ValueError(f"rng is a seed below 2**52, got {self.rng}")
        if not (isinstance(self.l2, Real) and isfinite(self.l2) and self.l2 >= 0.0):
            raise ValueError(f"l2 is a number from 0 on, got {self.l2!r}")
        if not isinstance(self.callbacks, Iterable):
            raise TypeError(f"callbacks is a list of functions of the run, got {self.callbacks!r}")
        object.__setattr__(self, "callbacks", tuple(self.callbacks))  # a generator, too, is walked once
        for callback in self.callbacks:
            if not callable(callback):
                raise TypeError(f"a callback is a function of the run, got {callback!r}")
        if self.augment is not None and not callable(self.augment):
            raise TypeError(
                f"augment is a function (images, seed, epoch) -> images such as Shift(1), got {self.augment!r}"
            )
        one_of("engine", self.engine, LEARNERS)
        if self.devices is not None and self.engine != "jax":
            raise ValueError(f'devices are those of JAX: engine="jax", not {self.engine!r}')


class Data:
    """The checked arrays of one `fit`.

    inputs, targets, weights   to train on; weights are None or above 0
    held_out                   (inputs, targets) to validate on, or None
    shape                      of what the model returns for a sample
    """

    def __init__(
        self,
        model: Structure,
        objective: Objective,
        X: Any,
        y: Any,
        validation: Any,
        sample_weight: Any,
        seed: int,
    ) -> None:
        inputs = checked_inputs(X)
        self.shape = shape_of_outputs(model, inputs)
        targets = objective.targets(y, self.shape, len(inputs))
        weights = None if sample_weight is None else _shares(checked_weights(sample_weight, len(inputs)), inputs.dtype)
        self.held_out: tuple[Any, Any] | None = None
        if is_real(validation):
            kept, put_aside = _split(len(inputs), float(validation), seed)
            self.held_out = inputs[put_aside], targets[put_aside]
            inputs, targets = inputs[kept], targets[kept]
            weights = None if weights is None else weights[kept]
        elif validation is not None:
            self.held_out = self._other_samples(model, objective, inputs, validation)
        if weights is not None and not weights.all():
            taking_part = weights > 0.0
            inputs, targets, weights = inputs[taking_part], targets[taking_part], weights[taking_part]
            if not len(weights):
                raise ValueError("sample_weight is 0 for every row that is left to train on")
        refuse_one_class(objective, targets)
        self._refuse_targets_beyond(inputs.dtype, targets)
        self.inputs, self.targets = _unchanging(inputs), _unchanging(targets)
        self.weights = None if weights is None else _unchanging(weights)

    def _refuse_targets_beyond(self, dtype: Any, targets: Any) -> None:
        import numpy

        largest = abs(targets).max()
        if largest > numpy.finfo(dtype).max:
            raise ValueError(f"y holds {largest:g}, which is beyond {dtype}, the type of X: scale the targets")

    def _other_samples(self, model: Structure, objective: Objective, inputs: Any, validation: Any) -> tuple[Any, Any]:
        if not isinstance(validation, tuple | list) or len(validation) != 2:
            raise ValueError(f"validation is (X, y), or a fraction of the rows such as 0.1; got {validation!r:.100}")
        others = checked_inputs(validation[0], "validation X", str(inputs.dtype))
        if others.shape[1:] != inputs.shape[1:]:
            raise ValueError(f"validation X has rows of the shape {others.shape[1:]}, and X of {inputs.shape[1:]}")
        return others, objective.targets(validation[1], self.shape, len(others), "validation y")

    def fingerprint(self) -> str:
        """Equal for equal arrays."""
        arrays = [self.inputs, self.targets, self.weights, *(self.held_out or ())]
        sums = [0 if array is None else zlib.crc32(array) for array in arrays]
        return " ".join(f"{number:08x}" for number in sums)


def fit(
    model: Structure,
    X: Any,
    y: Any,
    settings: Settings,
    validation: Any = None,
    sample_weight: Any = None,
    resume: str | PathLike[str] | None = None,
) -> History:
    """See `Module.fit`."""
    objective, schedule = objective_of(settings.loss), schedule_of(settings.schedule)
    devices = devices_for("jax", settings.devices) if settings.engine == "jax" else None
    processes = Processes(devices.jax if devices else None)
    with processes.in_step():
        data = Data(model, objective, X, y, validation, sample_weight, settings.rng)
        if devices:
            devices.refuse_uneven(settings.batch_size or len(data.inputs))
    optimizer = settings.optimizer
    run = Run(model, optimizer, settings.epochs)
    rule = describe(optimizer, but=("state", "steps"))  # now: callbacks may change the rate
    details = run.details = Details(model, lambda: _description(model, objective, rule, settings, schedule, data))
    stopping = EarlyStopping(settings.early_stopping, details.values) if settings.early_stopping else None
    details.stopping, details.processes = stopping, processes
    processes.refuse_others(lambda: _conditions(run, settings, data) | _state(run))
    task = Task(
        model,
        objective,
        optimizer,
        schedule,
        data.inputs,
        data.targets,
        data.weights,
        settings.batch_size,
        float(settings.l2),
        int(settings.rng),
        settings.augment,
        settings.engine,
        len(devices) if devices else None,
    )

    def measure() -> Measures:
        return _measures_of_validation(model, objective, data, settings.engine)

    def validate() -> Measures:
        return processes.agreed(measure())

    with _fitted_with(model, objective):
        with processes.in_step():
            learner = details.learner = _learner(task, settings, run.history, measure)
            if resume is not None:
                learner.go_on_from(read_run(resume, run))
        processes.refuse_others(lambda: _state(run))

    def learn(watch: Watch) -> Measures:
        with in_mode(model, training=True):
            return learner.epoch(watch)

    rows = task.rows
    shown = settings.progress and processes.is_first
    with progress_bar(rows * run.epochs, " samples", shown, done=run.epoch * rows) as show:
        # Checkpoints come last: what other callbacks change belongs to the run.
        callbacks = sorted(settings.callbacks, key=lambda callback: isinstance(callback, Checkpoint))
        callbacks = [stopping, *callbacks] if stopping else callbacks
        callbacks.append(lambda run: processes.refuse_others(lambda: _state(run)))
        run.go(learn, validate, callbacks, lambda done, found: show(run.epoch * rows + done, found))
    if stopping and run.history.stopped != "interrupted":
        stopping.restore()
    return run.history


def _conditions(run: Run, settings: Settings, data: Data) -> dict[str, Any]:
    """What several processes must have in common before they train together."""
    checkpoints = [callback.every for callback in settings.callbacks if isinstance(callback, Checkpoint)]
    more = {"epochs": run.epochs, "validation": data.held_out is not None, "number of checkpoints": checkpoints}
    return {**run.details.description, **more}


def _state(run: Run) -> dict[str, Any]:
    """What several processes must have in common after each epoch, and its callbacks."""
    numbers = numbers_of(run)
    return {
        "number in the model": numbers["values"],
        "state of the optimizer": [run.optimizer.steps, zlib.crc32(numbers["optimizer"])],
        "learning rate": run.optimizer.lr,
        "reason to stop": run.history.stopped,
    }


def _unchanging(array: Any) -> Any:
    """The array as one that nobody writes to while it is trained on: it may stay on a device."""
    view = array.view()
    view.flags.writeable = False
    return view


@quiet
def _shares(weights: Any, dtype: Any) -> Any:
    """Only ratios of weights count: as shares of the largest one they fit into every type, or are as good as 0."""
    import numpy

    shares = (weights / weights.max()).astype(dtype)
    return numpy.where(shares < numpy.finfo(dtype).tiny, 0, shares).astype(dtype)


@contextmanager
def _fitted_with(model: Structure, objective: Objective) -> Iterator[None]:
    """A block after which the model's outputs mean what this loss says: if the block fails, what they meant before."""
    before, model.fitted_loss = model.fitted_loss, objective.name
    try:
        yield
    except BaseException:
        model.fitted_loss = before
        raise


def _learner(task: Task, settings: Settings, history: History, validate: Callable[[], Measures]) -> Any:
    """What does the epochs, traced and compiled; a first look at the data for validation prepares that, too."""
    spent, steps = seconds_of_preparation(task.model), task.optimizer.steps
    try:
        # From the steps before, not from 0: a later fit with the same optimizer shuffles otherwise than this one.
        with in_mode(task.model, training=True):
            learner = LEARNERS[settings.engine](task, Counters(steps, steps, steps), settings.epochs)
        validate()
    except TraceError as error:
        error.add_note('fit(engine="eager") trains models that cannot be compiled, slowly')
        raise
    for name, seconds in seconds_of_preparation(task.model).items():
        history.preparation[name] = max(0.0, seconds - spent[name])
    return learner


def _measures_of_validation(model: Structure, objective: Objective, data: Data, engine: str) -> Measures:
    if data.held_out is None:
        return {}
    inputs, targets = data.held_out
    loss, outputs = measured(model, objective, inputs, targets, engine)
    if not objective.measure:
        return {"val_loss": loss}
    return {"val_loss": loss, f"val_{objective.measure}": measure_of(objective, outputs, targets)}


def _split(rows: int, fraction: float, seed: int) -> tuple[Any, Any]:
    """The rows to train on and those to validate on, each in their order."""
    import numpy

    if not 0.0 < fraction < 1.0:
        raise ValueError(f"validation is (X, y), or a fraction of the rows above 0 and below 1; got {fraction}")
    count = round(rows * fraction)
    if not 0 < count < rows:
        raise ValueError(f"validation={fraction} of {rows} rows leaves {rows - count} to train on, {count} to validate")
    chosen = shuffled(rows, seed, SPLIT)
    return numpy.sort(chosen[count:]), numpy.sort(chosen[:count])


def _description(
    model: Structure, objective: Objective, optimizer: str, settings: Settings, schedule: Schedule, data: Data
) -> dict[str, Any]:
    """All that a run depends on and that a resumed one must share."""
    description = {
        "model": str(describe_model(model)),
        "arrays": str([(name, array.shape) for name, array in model.state_dict().items()]),
        "loss": objective.name,
        "optimizer": optimizer,
        "batch_size": None if settings.batch_size is None else int(settings.batch_size),
        "l2": float(settings.l2),
        "early_stopping": None if settings.early_stopping is None else int(settings.early_stopping),
        "rng": int(settings.rng),
        "engine": settings.engine,
        "schedule": describe(schedule),
        "augment": describe(settings.augment),
        "dtype": str(data.inputs.dtype),
        "rows": len(data.inputs),
        "data": data.fingerprint(),
    }
    if schedule != Constant():
        description["epochs"] = int(settings.epochs)
    return description
