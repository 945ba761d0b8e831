"""`model.fit`: from a user's arrays to a trained model. What can be wrong is found before anything changes."""

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from os import PathLike
from typing import Any

from scalargrad.checks import file_name
from scalargrad.compiler import TraceError
from scalargrad.compiler.backends import devices_for
from scalargrad.compiler.trainer import Measures, Watch
from scalargrad.datasets.sequences import Ragged
from scalargrad.files.architecture import describe
from scalargrad.optim import Optimizer
from scalargrad.schedules import schedule_of
from scalargrad.structure import Structure, in_mode
from scalargrad.support.progress import progress_bar
from scalargrad.training.checkpoint import Checkpoint, Details, numbers_of, read_run
from scalargrad.training.data import Data
from scalargrad.training.history import History
from scalargrad.training.learners import Learner, learner_for
from scalargrad.training.objectives import Objective, measure_of, objective_of
from scalargrad.training.prediction import measured
from scalargrad.training.programs import lock_of, seconds_of_preparation
from scalargrad.training.run import EarlyStopping, Run
from scalargrad.training.settings import FitSettings, rule_of
from scalargrad.training.together import Alone, Processes, processes_of


def fit(
    model: Structure,
    X: object,
    y: object,
    settings: FitSettings,
    validation: object = None,
    sample_weight: object = None,
    resume: str | PathLike[str] | None = None,
) -> History:
    """See `Module.fit`."""
    objective = objective_of(settings.loss)
    schedule_of(settings.schedule)  # or an error
    _refuse_others(model, settings.optimizer)
    devices = devices_for(settings.backend, settings.devices)
    processes = processes_of(devices)
    with processes.in_step():
        data = Data(model, objective, X, y, validation, sample_weight, settings.rng, settings.class_weight)
        objective, uneven = data.objective, isinstance(data.inputs, Ragged)
        if uneven and settings.augment:
            raise ValueError("augment changes samples of one shape, and X has several: change the sequences before fit")
        if devices and (settings.batch_size or not uneven):
            devices.refuse_uneven(settings.batch_size or len(data.inputs))
    run = Run(model, settings.optimizer, settings.epochs)
    details = run.details = Details(model, _describing(model, settings, data), processes)
    if settings.early_stopping:
        details.stopping = EarlyStopping(settings.early_stopping, details.values, settings.min_delta)
    processes.refuse_others(lambda: _conditions(run, settings, data) | _state(run))
    validate = partial(_validated, model, objective, data, settings.backend)
    with _fitted_with(model, objective):
        with processes.in_step():
            learner = learner_for(model, objective, data, settings, len(devices) if devices else None)
            details.learner = learner
            _prepare(learner, run.history, validate, settings.progress and processes.is_first)
            if resume is not None:
                learner.go_on_from(read_run(file_name(resume, "resume"), run))
        processes.refuse_others(lambda: _state(run))
    _go(run, settings, data, learner, lambda: processes.agreed(validate()), processes)
    return run.history


def _go(
    run: Run,
    settings: FitSettings,
    data: Data,
    learner: Learner,
    validate: Callable[[], Measures],
    processes: Alone | Processes,
) -> None:
    """The epochs, with their callbacks and a bar that shows how far they are."""

    def learn(watch: Watch) -> Measures:
        with lock_of(run.model), in_mode(run.model, training=True):
            return learner.epoch(watch)

    # Checkpoints come last: what other callbacks change belongs to the run.
    callbacks = sorted(settings.callbacks, key=lambda callback: isinstance(callback, Checkpoint))
    stopping = run.details.stopping
    callbacks = [stopping, *callbacks] if stopping else callbacks
    callbacks.append(lambda run: processes.refuse_others(lambda: _state(run)))
    rows = len(data.inputs)
    shown = settings.progress and processes.is_first
    shown = shown and not any(getattr(callback, "shows_progress", False) for callback in callbacks)
    with progress_bar(rows * run.epochs, " samples", shown, done=run.epoch * rows) as show:
        run.go(learn, validate, callbacks, lambda done, found: show(run.epoch * rows + done, found))


def _refuse_others(model: Structure, optimizer: Optimizer) -> None:
    """ValueError, if an optimizer was given parameters that are not the model's."""
    given = optimizer.own_parameters or ()
    if others := len(set(given) - set(model.parameters())):
        kind = type(model).__name__
        raise ValueError(
            f"fit moves parameters of this {kind}, and of the {len(given)} of its optimizer {others} are not: "
            f"make it with some of model.parameters(), or without any"
        )


def _choice(model: Structure, optimizer: Optimizer) -> dict[str, str]:
    """The parameters that an optimizer was given, as a run says it that moves no others; nothing if it moves all."""
    parameters, given = model.parameters(), set(optimizer.own_parameters or ())
    if not given or given.issuperset(parameters):
        return {}
    places = [place for place, parameter in enumerate(parameters) if parameter in given]
    return {"choice of parameters": f"{len(places)} of {len(parameters)}, {zlib.crc32(str(places).encode()):08x}"}


def _describing(model: Structure, settings: FitSettings, data: Data) -> Callable[[], dict[str, Any]]:
    """A function that says all that a run depends on and that a resumed one must share."""
    rule = rule_of(settings.optimizer)  # as it is now: callbacks may change the rate

    def description() -> dict[str, Any]:
        return {
            "model": str(describe(model)),
            "arrays": str([(name, array.shape) for name, array in model.state_dict().items()]),
            **settings.shared(),
            **_choice(model, settings.optimizer),
            "optimizer": rule,
            "dtype": str(data.inputs.dtype),
            "rows": len(data.inputs),
            "data": data.fingerprint(),
        }

    return description


def _conditions(run: Run, settings: FitSettings, data: Data) -> dict[str, Any]:
    """Conditions that several processes must have in common before they train together."""
    checkpoints = [callback.every for callback in settings.callbacks if isinstance(callback, Checkpoint)]
    more = {
        "epochs": run.epochs,
        "early_stopping": settings.early_stopping,
        "min_delta": settings.min_delta,
        "validation": data.held_out is not None,
        "number of checkpoints": checkpoints,
    }
    return {**run.details.description, **more}


def _state(run: Run) -> dict[str, Any]:
    """The state that several processes must have in common after each epoch, and its callbacks."""
    numbers = numbers_of(run)
    return {
        "number in the model": numbers["values"],
        "state of the optimizer": [run.optimizer.steps, zlib.crc32(numbers["optimizer"].tobytes())],
        "learning rate": run.optimizer.lr,
        "choice of frozen parameters": [not parameter.requires_grad for parameter in run.details.parameters],
        "reason to stop": run.history.stopped,
    }


@contextmanager
def _fitted_with(model: Structure, objective: Objective) -> Iterator[None]:
    """A block after which the model's outputs mean what this loss says: if the block fails, what they meant before."""
    before = model.fitted_loss
    with lock_of(model):  # another thread may be tracing it, and would find it changed
        model.fitted_loss = objective.name
    try:
        yield
    except BaseException:
        with lock_of(model):
            model.fitted_loss = before
        raise


def _prepare(learner: Learner, history: History, validate: Callable[..., Measures], progress: bool) -> None:
    """Trace and compile the learner's programs; a first look at the data for validation prepares that, too."""
    spent = seconds_of_preparation(learner.model)
    try:
        with lock_of(learner.model), in_mode(learner.model, training=True):
            learner.prepare(progress)
        validate(progress=progress)
    except TraceError as error:
        error.add_note('fit(backend="eager") trains models that cannot be compiled, slowly')
        raise
    for name, seconds in seconds_of_preparation(learner.model).items():
        history.preparation[name] = max(0.0, seconds - spent[name])


def _validated(model: Structure, objective: Objective, data: Data, backend: str, progress: bool = False) -> Measures:
    """Measures on the data for validation, if there are some."""
    if data.held_out is None:
        return {}
    inputs, targets = data.held_out
    loss, outputs = measured(model, objective, inputs, targets, backend, progress)
    if not objective.measure or isinstance(targets, Ragged):
        return {"val_loss": loss}
    return {"val_loss": loss, f"val_{objective.measure}": measure_of(objective, outputs, targets)}
