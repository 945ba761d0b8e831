"""Early stopping: how much better an epoch must be, and another patience for a run that goes on."""

import json
import math
import random

import numpy as np
import pytest

from scalargrad import MLP, SGD, Adam, Checkpoint, Value
from scalargrad.datasets import load_moons
from scalargrad.files.safetensors import read_arrays, write_arrays
from scalargrad.training.run import EarlyStopping, Run

POINTS, LABELS = load_moons(41, noise=0.2, seed=1)


def numbers(model):
    return [parameter.data for parameter in model.parameters()]


LABELS = np.where(np.arange(41) % 4 == 1, 1 - LABELS, LABELS)  # some are wrong: soon it learns these by heart


def network(seed=1):
    return MLP(2, [6, 2], activation="tanh", init="xavier", rng=seed)


def fitted(epochs=40, model=None, **settings):
    """A model and its history, with a loss of validation that rises after some epochs."""
    model = model or network()
    settings = {"batch_size": 16, "validation": 0.3, "backend": "numpy", "progress": False, **settings}
    return model, model.fit(POINTS, LABELS, "cross_entropy", Adam(0.3), epochs, **settings)


# min_delta.


def followed(curve, patience, min_delta):
    """The numbers of epochs and of the best one, as a run of these losses ends, and whose values are put back."""
    value = Value(0.0)
    stopping, run = EarlyStopping(patience, [value], min_delta), Run(None, SGD(), len(curve))
    for loss in curve:
        run.epoch += 1
        value.data = float(run.epoch)
        run.history.add({"loss": 0.0, "val_loss": loss})
        stopping(run)
        if run.history.stopped:
            break
    stopping.restore()
    return run.epoch, run.history.best_epoch, value.data


def followed_as_keras(curve, patience, min_delta):
    """Its EarlyStopping(monitor="val_loss", patience=..., min_delta=..., restore_best_weights=True), step by step."""
    best, best_epoch, waited = math.inf, 0, 0
    for epoch, loss in enumerate(curve, 1):
        waited += 1
        if loss - -min_delta < best:
            best, best_epoch, waited = loss, epoch, 0
        elif waited >= patience:
            break
    return epoch, best_epoch, float(best_epoch)


@pytest.mark.parametrize("min_delta", [0.0, 0.05, 0.3])
def test_the_rule_is_that_of_keras(min_delta):
    choice = random.Random(0)
    for _ in range(200):
        curve = [choice.choice([1.0, 0.5, math.nan, math.inf]) * choice.random() for _ in range(20)]
        curve[0] = 1.0  # where no loss is a number yet, Keras keeps the first values, and there is no best epoch here
        patience = choice.randint(1, 6)
        assert followed(curve, patience, min_delta) == followed_as_keras(curve, patience, min_delta), curve


def test_better_by_just_so_much_is_not_better():
    assert followed([1.0, 0.75, 0.5], 9, 0.25) == (3, 3, 3.0)  # 0.5 is better than the best so far, 1.0
    assert followed([1.0, 0.75, 0.5], 9, 0.5) == (3, 1, 1.0)
    assert followed([1.0, 0.75, 0.5], 2, 0.5) == (3, 1, 1.0)
    assert followed([1.0, 0.75, 0.5], 9, 0.0) == (3, 3, 3.0)


@pytest.mark.parametrize("backend", ["native", "numpy", pytest.param("eager", marks=pytest.mark.long)])
def test_fit_stops_earlier_and_keeps_the_best_by_the_same_rule(backend):
    states = []
    model, history = fitted(
        early_stopping=7,
        min_delta=0.05,
        backend=backend,
        callbacks=[lambda run: states.append(numbers(run.model))],
    )
    curve = fitted(backend=backend)[1]["val_loss"]
    assert (history.epochs, history.best_epoch) == followed_as_keras(curve, 7, 0.05)[:2]
    assert history.epochs < followed_as_keras(curve, 7, 0.0)[0]
    assert history.best_epoch != np.argmin(history["val_loss"]) + 1
    assert numbers(model) == states[history.best_epoch - 1]


def test_a_min_delta_of_0_changes_no_bit():
    ends = [fitted(early_stopping=4, **more) for more in ({}, {"min_delta": 0.0}, {"min_delta": np.float32(0.0)})]
    assert len({(*numbers(model), *history["val_loss"], history.best_epoch) for model, history in ends}) == 1


def test_without_validation_it_is_that_of_the_loss():
    _, history = fitted(validation=None, early_stopping=3, min_delta=10.0)
    assert history.stopped == "no better loss since epoch 1"


@pytest.mark.parametrize("wrong", [-0.1, math.nan, math.inf, "0.1", True, None], ids=str)
def test_what_is_no_difference_is_refused(wrong):
    with pytest.raises(ValueError, match=r"^min_delta is a number from 0 on, got"):
        fitted(early_stopping=3, min_delta=wrong)


def test_min_delta_alone_is_refused():
    with pytest.raises(ValueError, match=r"^min_delta=0.1 is for early_stopping: pass that, too, early_stopping=10$"):
        fitted(min_delta=0.1)


# Another patience for a run that goes on.

RULES = {
    "more patience": ({"early_stopping": 3}, {"early_stopping": 7}),
    "less": ({"early_stopping": 9}, {"early_stopping": 4}),
    "none any more": ({"early_stopping": 3}, {}),
}


@pytest.mark.parametrize("name", RULES)
def test_a_run_that_goes_on_may_have_another_patience(name, tmp_path):
    """It counts on from the epochs that it has waited, and ends with the bits of one that had it from the start."""
    path, (before, after) = tmp_path / "run.safetensors", RULES[name]
    stopped, first = fitted(callbacks=[Checkpoint(path)], **before)
    assert first.stopped
    model, whole = fitted(**after)
    resumed, history = fitted(resume=path, model=network(99), **after)
    if name == "less":  # it has waited longer than that
        model, whole = stopped, first
    assert (history, history.best_epoch, numbers(resumed)) == (whole, whole.best_epoch, numbers(model))
    assert (first.best_epoch < whole.best_epoch) == (name == "more patience")


def test_a_run_that_had_no_patience_begins_to_count(tmp_path):
    path = tmp_path / "run.safetensors"
    _, first = fitted(epochs=30, callbacks=[Checkpoint(path)])
    best = int(np.argmin(first["val_loss"])) + 1
    assert best < 20
    _, history = fitted(resume=path, early_stopping=5)
    assert history.best_epoch >= 30  # the numbers of epochs before are nowhere
    assert history.stopped == f"no better val_loss since epoch {history.best_epoch}"


def test_another_min_delta_holds_from_there_on(tmp_path):
    path = tmp_path / "run.safetensors"
    fitted(epochs=3, early_stopping=5, callbacks=[Checkpoint(path)])
    _, history = fitted(resume=path, early_stopping=5, min_delta=10.0)
    assert history.best_epoch == np.argmin(history["val_loss"][:3]) + 1
    assert history.epochs == history.best_epoch + 5


def test_files_of_before_go_on(tmp_path):
    """They name the patience among the settings that a resumed run must share."""
    path = tmp_path / "run.safetensors"
    fitted(epochs=5, early_stopping=6, callbacks=[Checkpoint(path)])
    arrays, metadata = read_arrays(path)
    state = json.loads(metadata["run"])
    assert not {"early_stopping", "min_delta"} & state["description"].keys()
    state["description"] = {"loss": state["description"].pop("loss"), "early_stopping": 6, **state["description"]}
    for name in ("clip_grad_norm", "class_weight"):
        state["description"].pop(name, None)
    write_arrays(path, arrays, {"run": json.dumps(state)})
    for patience in (6, 8):
        (model, history), (whole, expected) = (
            fitted(resume=path, early_stopping=patience),
            fitted(early_stopping=patience),
        )
        assert (numbers(model), history) == (numbers(whole), expected)
