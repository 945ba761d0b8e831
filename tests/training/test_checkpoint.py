"""A run stopped anywhere and resumed ends with the same bits, or is refused with everything as it was."""

import random
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from scalargrad import MLP, SGD, Adam, AdamW, Buffer, Module, RMSProp, less, where
from scalargrad import random as random_number
from scalargrad.datasets import load_moons
from scalargrad.files.safetensors import read_arrays, write_arrays
from scalargrad.optim import Optimizer
from scalargrad.schedules import Schedule
from scalargrad.training.checkpoint import Checkpoint
from tests.platforms import needs_posix

POINTS, LABELS = load_moons(41, noise=0.2, seed=1)


class Forgetful(Optimizer):
    """Remembers nothing: sign descent."""

    def update(self, p, g, state, lr, t):
        return p - lr * where(less(g, 0.0), -1.0, 1.0), ()


OPTIMIZERS = {
    "sgd": lambda: SGD(0.05),
    "momentum": lambda: SGD(0.05, momentum=0.9),
    "nesterov": lambda: SGD(0.05, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "rmsprop": lambda: RMSProp(0.01, momentum=0.5),
    "adam": lambda: Adam(0.02),
    "adamw": lambda: AdamW(0.02),
    "forgetful": lambda: Forgetful(0.001),
}


class Dropping(Module):
    """Drops a third of its inputs in training, and has a buffer."""

    def __init__(self, seed):
        self.inner, self.seen = MLP(2, [5, 2], activation="tanh", init="xavier", rng=seed), Buffer(0.0)

    def __call__(self, x):
        if not self.training:
            return self.inner(x)
        self.seen.update(self.seen + 1.0)
        return self.inner([where(less(random_number(7, site), 0.3), 0.0, x[site]) for site in range(2)])


SETTINGS = {
    "loss": "cross_entropy",
    "epochs": 12,
    "batch_size": 16,  # and a smaller last one
    "l2": 1e-4,
    "validation": 0.2,
    "schedule": "one_cycle",
    "early_stopping": 8,
    "rng": 5,
    "progress": False,
}


def numbers(model):
    return [parameter.data for parameter in model.parameters()]


class LastWords(Checkpoint):
    """Writes the run, and then the machine is gone."""

    def __init__(self, path, after):
        super().__init__(path)
        self.after = after

    def __call__(self, run):
        super().__call__(run)
        if run.epoch == self.after:
            raise RuntimeError("the machine is gone")


def stopped(path, optimizer, after, model=None, **settings):
    """Train, and stop after so many epochs with a checkpoint; what was in memory is lost."""
    model = model or Dropping(seed=0)
    with pytest.raises(RuntimeError, match="gone"):
        model.fit(POINTS, LABELS, optimizer=optimizer, callbacks=[LastWords(path, after)], **{**SETTINGS, **settings})


def ended(optimizer, path=None, **settings):
    """Everything that a run ends with."""
    model = Dropping(seed=0 if path is None else 99)  # a resumed one has all its numbers from the file
    history = model.fit(POINTS, LABELS, optimizer=optimizer, resume=path, **{**SETTINGS, **settings})
    state = [optimizer.state.get(parameter) for parameter in model.parameters()]
    return numbers(model), model.seen.data, dict(history), history.best_epoch, optimizer.steps, optimizer.lr, state


@pytest.mark.sampled(7)
@pytest.mark.parametrize("engine", ["compiled", "eager"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_resumed_run_ends_with_the_bits_of_one_that_never_stopped(name, engine, tmp_path):
    path, make = tmp_path / "run.safetensors", OPTIMIZERS[name]
    expected = ended(make(), engine=engine)
    stopped(path, make(), after=5, engine=engine)
    assert ended(make(), path, engine=engine) == expected


@pytest.mark.long
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_random_stops_for_each_optimizer(name, tmp_path):
    """Each with another length, seed, batch and number of stops on the way."""
    path, make, choice = tmp_path / "run.safetensors", OPTIMIZERS[name], random.Random(name)
    for _ in range(8):
        settings = {
            "epochs": choice.randint(2, 15),
            "rng": choice.randrange(1000),
            "batch_size": choice.choice([None, 1, 7, 16, 33]),
            "schedule": choice.choice([None, "cosine", "step"]),
            "early_stopping": choice.choice([None, 3]),
        }
        expected, resume = ended(make(), **settings), None
        points = sorted(choice.sample(range(1, settings["epochs"]), min(2, settings["epochs"] - 1)))
        for point in points:
            if point < len(expected[2]["loss"]):
                model = Dropping(seed=0)
                stopped(path, make(), point, model, resume=resume, **settings)
                resume = path
        if resume:
            assert ended(make(), path, **settings) == expected, (settings, points)


CHILD = textwrap.dedent("""
    import sys
    from tests.training.test_checkpoint import LABELS, OPTIMIZERS, POINTS, SETTINGS, Checkpoint, Dropping
    def say(run):
        print(run.epoch, flush=True)
    Dropping(seed=0).fit(
        POINTS, LABELS, optimizer=OPTIMIZERS["adam"](), callbacks=[Checkpoint(sys.argv[1]), say],
        **{**SETTINGS, "epochs": 100000, "schedule": None, "early_stopping": None},
    )
""")


@pytest.mark.long
@needs_posix
def test_a_killed_process_is_resumed_in_another_one(tmp_path):
    path, make = tmp_path / "run.safetensors", OPTIMIZERS["adam"]
    with subprocess.Popen([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, encoding="utf-8") as child:
        while int(child.stdout.readline()) < 7:
            pass
        child.send_signal(signal.SIGKILL)
    assert list(tmp_path.iterdir())  # and maybe a half-written file beside it
    settings = {"epochs": 300, "schedule": None, "early_stopping": None}
    assert ended(make(), path, **settings) == ended(make(), **settings)


def test_a_finished_run_is_resumed_for_more_epochs(tmp_path):
    path, make = tmp_path / "run.safetensors", OPTIMIZERS["adam"]
    settings = {"schedule": None, "early_stopping": None}
    Dropping(0).fit(
        POINTS, LABELS, optimizer=make(), callbacks=[Checkpoint(path)], **{**SETTINGS, **settings, "epochs": 4}
    )
    assert ended(make(), path, **settings) == ended(make(), **settings)


def test_early_stopping_without_validation_is_resumed(tmp_path):
    path, settings = tmp_path / "run.safetensors", {"validation": None, "schedule": None, "epochs": 8}
    stopped(path, Adam(0.02), after=3, **settings)
    assert ended(Adam(0.02), path, **settings) == ended(Adam(0.02), **settings)


def test_a_run_that_had_ended_stays_as_it_was(tmp_path):
    path, make = tmp_path / "run.safetensors", OPTIMIZERS["adam"]
    Dropping(0).fit(POINTS, LABELS, optimizer=make(), callbacks=[Checkpoint(path)], **SETTINGS)
    assert ended(make(), path) == ended(make())
    settings = {"epochs": 200, "schedule": None, "early_stopping": 2}
    model = Dropping(0)
    history = model.fit(POINTS, LABELS, optimizer=make(), callbacks=[Checkpoint(path)], **{**SETTINGS, **settings})
    assert history.stopped
    assert ended(make(), path, **settings) == ended(make(), **settings)


def test_checkpoints_are_written_every_so_many_epochs_and_after_the_last(tmp_path):
    written = []

    class Recorded(Checkpoint):
        def __call__(self, run):
            before = self.path.read_bytes() if self.path.exists() else b""
            super().__call__(run)
            if self.path.exists() and self.path.read_bytes() != before:
                written.append(run.epoch)

    checkpoint = Recorded(tmp_path / "run.safetensors", every=5)
    Dropping(0).fit(POINTS, LABELS, optimizer=Adam(), callbacks=[checkpoint], **{**SETTINGS, "early_stopping": None})
    assert written == [5, 10, 12]
    with pytest.raises(ValueError, match="every is a whole number of epochs from 1 on, got 0"):
        Checkpoint("run.safetensors", every=0)


CHANGES = {
    "loss": {"loss": "mse"},
    "optimizer": {"optimizer": SGD(0.02)},
    "optimizer ": {"optimizer": Adam(0.02, betas=(0.8, 0.999))},
    "optimizer  ": {"optimizer": Adam(0.03)},
    "batch_size": {"batch_size": 8},
    "l2": {"l2": 0.0},
    "clip_grad_norm": {"clip_grad_norm": 1.0},
    "rng": {"rng": 6},
    "engine": {"engine": "eager"},
    "schedule": {"schedule": "cosine"},
    "epochs": {"epochs": 20},
    "rows": {"validation": 0.3},
    "dtype": {"X": POINTS.astype("float32")},
    "other samples": {"X": POINTS + 1.0},
    "other samples ": {"y": 1 - LABELS},
    "model": {"model": MLP(2, [5, 2])},
}


@pytest.mark.sampled(7)
@pytest.mark.parametrize("name", CHANGES)
def test_a_run_that_depends_on_something_else_is_refused(name, tmp_path):
    path = tmp_path / "run.safetensors"
    stopped(path, Adam(0.02), after=3)
    settings = {"model": Dropping(99), "X": POINTS, "y": LABELS, "optimizer": Adam(0.02), **SETTINGS, **CHANGES[name]}
    model, optimizer = settings.pop("model"), settings["optimizer"]
    if name == "loss":
        model.inner = MLP(2, [5, 2])
        settings["y"] = np.eye(2)[LABELS]
    before = numbers(model)
    with pytest.raises(ValueError, match=f"holds a run .*{name.strip()}") as caught:
        model.fit(resume=path, **settings)
    assert "\n" not in str(caught.value)
    assert (numbers(model), optimizer.steps, dict(optimizer.state)) == (before, 0, {})
    assert model.fitted_loss == ""


def test_what_callbacks_after_a_checkpoint_change_is_in_it(tmp_path):
    path = tmp_path / "run.safetensors"

    def change(run):
        run.optimizer.lr *= 0.5
        run.history.setdefault("rate", []).append(run.optimizer.lr)
        run.history.setdefault("note", []).append("text")
        if run.epoch % 2:
            run.history.setdefault("odd", []).append(1.0)

    def fit(epochs, resume=None):
        model, optimizer = Dropping(0), Adam(0.1)
        settings = {**SETTINGS, "epochs": epochs, "schedule": None}
        history = model.fit(
            POINTS, LABELS, optimizer=optimizer, callbacks=[Checkpoint(path), change], resume=resume, **settings
        )
        return numbers(model), history["rate"], history["odd"], optimizer.lr

    expected = fit(6)
    fit(3)
    assert fit(6, resume=path) == expected


class Falling(Schedule):
    """Without a repr."""

    def __init__(self):
        self.speed = np.float64(0.5)

    def factor(self, t, steps):
        return 1.0 / (1.0 + self.speed * t)


def test_numpys_numbers_and_schedules_of_ones_own_are_settings_like_others(tmp_path):
    path = tmp_path / "run.safetensors"
    settings = {
        "batch_size": np.int64(16),
        "rng": np.int64(3),
        "early_stopping": np.int32(9),
        "epochs": np.int16(6),
        "l2": np.float32(0.125),
    }

    def make():
        return Adam(lr=np.float32(0.03125))

    expected = ended(make(), schedule=Falling(), **settings)
    stopped(path, make(), after=2, schedule=Falling(), **settings)
    assert ended(make(), path, schedule=Falling(), **{name: x.item() for name, x in settings.items()}) == expected


def test_files_of_other_kinds_are_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    MLP(2, [5, 2]).save(path)
    with pytest.raises(ValueError, match=r"holds no run: no Checkpoint wrote it; scalargrad.load\(path\) opens it"):
        ended(Adam(), path)
    stopped(path, Adam(0.02), after=2)
    from scalargrad import load

    with pytest.raises(ValueError, match="does not say of which model"):
        load(path)
    with pytest.raises(FileNotFoundError):
        ended(Adam(), tmp_path / "nothing.safetensors")


@pytest.mark.long
def test_damaged_runs_are_refused(tmp_path):
    path = tmp_path / "run.safetensors"
    stopped(path, Adam(0.02), after=2)
    whole, choice = path.read_bytes(), random.Random(0)
    for _ in range(20):
        place = choice.randrange(len(whole))
        changed = whole[:place] + bytes([whole[place] ^ 1 << choice.randrange(8)]) + whole[place + 1 :]
        for content in (changed, whole[:place]):
            path.write_bytes(content)
            with pytest.raises(ValueError, match=r"run\.safetensors"):
                ended(Adam(0.02), path)
    path.write_bytes(whole)
    arrays, metadata = read_arrays(path)
    for missing in arrays:
        write_arrays(path, {name: array for name, array in arrays.items() if name != missing}, {"run": metadata["run"]})
        with pytest.raises(ValueError, match="holds a run that is not complete"):
            ended(Adam(0.02), path)
