"""`model.fit` and what follows it: the same numbers from both engines and from PyTorch, and no half-trained models."""

import io
import signal
import threading

import numpy as np
import pytest

from scalargrad import (
    MLP,
    SGD,
    Adam,
    AdamW,
    Buffer,
    Module,
    Parameter,
    RMSProp,
    TraceError,
    Value,
    compile,
    less,
    mse,
    random,
    where,
)
from scalargrad.datasets import load_digits, load_moons
from scalargrad.holders import noted
from scalargrad.ops import batch_mean
from scalargrad.schedules import SCHEDULES, Cosine, Schedule, WarmUp
from scalargrad.training.history import History
from scalargrad.training.objectives import OBJECTIVES, objective_of
from scalargrad.training.programs import Target, training_program
from scalargrad.training.run import EarlyStopping, Run
from tests.platforms import needs_posix

POINTS, LABELS = load_moons(50, noise=0.2, seed=1)
LOSSES = {  # name -> outputs of a model that fits it, targets
    "mse": (1, LABELS.astype(float)),
    "huber": (2, np.stack([POINTS[:, 0] * 2, POINTS[:, 1] - LABELS], axis=1)),
    "cross_entropy": (3, (LABELS + (POINTS[:, 0] > 1.0)).astype(int)),
    "binary_cross_entropy": (1, LABELS),
    "hinge": (1, 2 * LABELS - 1),
}
OPTIMIZERS = {
    "sgd": lambda: SGD(0.05),
    "momentum": lambda: SGD(0.05, momentum=0.9),
    "nesterov": lambda: SGD(0.05, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "rmsprop": lambda: RMSProp(0.01),
    "adam": lambda: Adam(0.02),
    "adamw": lambda: AdamW(0.02),
}


def model_for(loss, seed=0):
    return MLP(2, [6, LOSSES[loss][0]], activation="tanh", init="xavier", rng=seed)


def numbers(model):
    return np.array([parameter.data for parameter in model.parameters()])


def fitted(loss="cross_entropy", **settings):
    """A model and its history."""
    model = model_for(loss)
    settings = {"epochs": 5, "optimizer": Adam(0.02), "batch_size": 16, "progress": False, **settings}
    return model, model.fit(POINTS, LOSSES[loss][1], loss=loss, **settings)


# Both engines take the same steps.


@pytest.mark.sampled(4)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("batch_size", [None, 16, 50])
def test_compiled_and_eager_training_give_the_same_history_and_model(loss, batch_size):
    settings = {"batch_size": batch_size, "l2": 1e-3, "validation": 0.2, "schedule": "one_cycle"}
    (one, history), (other, expected) = (fitted(loss, engine=engine, **settings) for engine in ("compiled", "eager"))
    assert list(history) == list(expected)
    assert len(history) == 4
    for name in history:
        np.testing.assert_allclose(history[name], expected[name], rtol=1e-9, atol=1e-12, err_msg=name)
    np.testing.assert_allclose(numbers(one), numbers(other), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_schedule_acts_the_same_in_both_engines(schedule):
    models = [fitted(schedule=schedule, engine=engine)[0] for engine in ("compiled", "eager")]
    np.testing.assert_allclose(*map(numbers, models), rtol=1e-9)


def test_a_schedule_spans_the_epochs_of_this_fit():
    steps, rates = 4 * 5, []

    class Recorded(SGD):
        def step(self, parameters, lr=None):
            rates.append(lr)
            super().step(parameters, lr)

    optimizer = Recorded(0.1)
    for _ in range(2):
        fitted(optimizer=optimizer, schedule=Cosine(), engine="eager")
    assert rates == [0.1 * Cosine().factor(t, steps) for t in (*range(steps), *range(steps))]


def test_a_schedule_that_changes_its_settings_is_another_one():
    class Scaled(Schedule):
        def __init__(self, factor):
            self.scale = factor

        def factor(self, t, steps):
            return self.scale

    for inside in (lambda schedule: schedule, lambda schedule: WarmUp(0.5, schedule, start=0.0)):
        found = {}
        for engine in ("compiled", "eager"):
            schedule, model = Scaled(1.0), model_for("mse")
            for schedule.scale in (1.0, 0.0, 0.5):
                settings = {"optimizer": SGD(0.1), "epochs": 2, "engine": engine, "schedule": inside(schedule)}
                history = model.fit(POINTS, LOSSES["mse"][1], **settings)
                found.setdefault(engine, []).append(numbers(model))
        np.testing.assert_allclose(found["compiled"], found["eager"], rtol=1e-10)
        assert (found["eager"][0] != found["eager"][2]).any()
    settings["schedule"] = WarmUp(0.5, Scaled(0.5), start=0.0)  # made anew, and the same
    history = model.fit(POINTS, LOSSES["mse"][1], **{**settings, "engine": "compiled"})
    history = model.fit(
        POINTS, LOSSES["mse"][1], **{**settings, "schedule": WarmUp(0.5, Scaled(0.5), start=0.0), "engine": "compiled"}
    )
    assert history.preparation["compiling"] == 0.0


def test_callbacks_may_come_from_a_generator():
    seen = []
    fitted(epochs=3, callbacks=(callback for callback in [lambda run: seen.append(run.epoch)]))
    assert seen == [1, 2, 3]


@pytest.mark.parametrize("engine", ["compiled", "eager"])
def test_the_gradient_of_parameters_that_no_output_reads_is_0(engine):
    class Half(Module):
        def __init__(self):
            self.used, self.unused = Parameter(1.0), Parameter(1.0)

        def __call__(self, x):
            return self.used * x[0]

    model = Half()
    model.fit(POINTS, LABELS, optimizer=AdamW(0.1, weight_decay=0.5), epochs=3, engine=engine)
    assert model.unused.data == pytest.approx((1.0 - 0.1 * 0.5) ** 3, rel=1e-12)
    assert model.used.data != 1.0


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_weights_are_repetitions_for_full_batches(optimizer):
    weights = np.arange(50) % 4
    repeated = np.repeat(np.arange(50), weights)
    weighted, plain = model_for("cross_entropy"), model_for("cross_entropy")
    labels = LOSSES["cross_entropy"][1]
    settings = {"loss": "cross_entropy", "epochs": 10, "progress": False}
    weighted.fit(POINTS, labels, optimizer=OPTIMIZERS[optimizer](), sample_weight=weights, **settings)
    plain.fit(POINTS[repeated], labels[repeated], optimizer=OPTIMIZERS[optimizer](), **settings)
    np.testing.assert_allclose(numbers(weighted), numbers(plain), rtol=1e-8)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_only_ratios_of_weights_count(scale, dtype):
    found = []
    for factor in (1.0, scale):
        model = model_for("mse")
        weights = factor * (1.0 + np.arange(50) % 3)
        model.fit(POINTS.astype(dtype), LOSSES["mse"][1], epochs=3, batch_size=7, sample_weight=weights)
        found.append(numbers(model))
    np.testing.assert_allclose(*found, rtol=1e-6 if dtype == "float32" else 1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_weight_that_is_as_good_as_nothing_is_nothing(dtype):
    weights, found = np.ones(50), []
    for tiny in (0.0, 1e-42 if dtype == "float32" else 1e-318):
        weights[3:7] = tiny
        model = model_for("mse")
        model.fit(POINTS.astype(dtype), LOSSES["mse"][1], epochs=3, batch_size=1, sample_weight=weights)
        found.append(numbers(model))
    assert (found[0] == found[1]).all()


@pytest.mark.parametrize("engine", ["compiled", "eager"])
def test_equal_weights_are_no_weights_and_rows_of_weight_zero_take_no_part(engine):
    labels, some = LOSSES["cross_entropy"][1], np.arange(50) < 40
    settings = {"loss": "cross_entropy", "epochs": 3, "batch_size": 16, "engine": engine, "progress": False}
    models = [model_for("cross_entropy") for _ in range(4)]
    models[0].fit(POINTS, labels, **settings)
    models[1].fit(POINTS, labels, sample_weight=np.full(50, 3.0), **settings)
    models[2].fit(POINTS[some], labels[some], **settings)
    models[3].fit(POINTS, labels, sample_weight=some.astype(float), **settings)
    np.testing.assert_allclose(numbers(models[0]), numbers(models[1]), rtol=1e-9)
    np.testing.assert_allclose(numbers(models[2]), numbers(models[3]), rtol=1e-9)


def test_training_is_what_pytorch_does(torch):
    from torch.nn.functional import cross_entropy

    labels = LOSSES["cross_entropy"][1]
    model = model_for("cross_entropy")
    state = {name: torch.tensor(array, requires_grad=True) for name, array in model.state_dict().items()}
    optimizer = torch.optim.Adam(state.values(), lr=0.02)
    inputs, targets, losses, right = torch.tensor(POINTS), torch.tensor(labels), [], []
    for _ in range(30):
        hidden = torch.tanh(inputs @ state["layers.0.weight"].T + state["layers.0.bias"])
        outputs = hidden @ state["layers.1.weight"].T + state["layers.1.bias"]
        loss = cross_entropy(outputs, targets) + 1e-3 * sum((array**2).sum() for array in state.values())
        losses.append(loss.item())
        right.append((outputs.argmax(1) == targets).double().mean().item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    history = model.fit(POINTS, labels, "cross_entropy", Adam(0.02), epochs=30, l2=1e-3, progress=False)
    np.testing.assert_allclose(history["loss"], losses, rtol=1e-10)
    np.testing.assert_allclose(history["accuracy"], right, rtol=1e-12)
    for name, array in model.state_dict().items():
        np.testing.assert_allclose(array, state[name].detach().numpy(), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("engine", ["compiled", "eager"])
def test_random_masks_and_buffers_are_the_same_in_both_engines(engine):
    """A layer that drops inputs, and counts steps."""

    class Dropping(Module):
        def __init__(self):
            self.inner, self.count = MLP(2, [4, 2], init="xavier", rng=0), Buffer(0.0)

        def __call__(self, x):
            if not self.training:
                return self.inner(x)
            return self.inner([where_kept(number, site) for site, number in enumerate(x)])

    def where_kept(number, site):
        return where(less(random(7, site), 0.3), 0.0, number / 0.7)

    models = []
    for name in ("compiled", engine):
        model = Dropping()
        model.fit(POINTS, LABELS, "cross_entropy", epochs=4, batch_size=16, engine=name, progress=False)
        models.append(model)
    np.testing.assert_allclose(*map(numbers, models), rtol=1e-9)
    plain = MLP(2, [4, 2], init="xavier", rng=0)
    plain.fit(POINTS, LABELS, "cross_entropy", epochs=4, batch_size=16, progress=False)
    assert not np.allclose(numbers(models[0]), numbers(plain))


def test_buffers_change_once_a_step_in_both_engines():
    class Counting(Module):
        def __init__(self):
            self.inner, self.count = MLP(2, [3], init="xavier", rng=0), Buffer(0.0)

        def __call__(self, x):
            if self.training:
                self.count.update(self.count + 1.0)
            return tuple(output * (1.0 + self.count) for output in self.inner(x))

    found = []
    for engine in ("compiled", "eager"):
        model = Counting()
        model.fit(POINTS, LOSSES["cross_entropy"][1], "cross_entropy", epochs=3, batch_size=16, engine=engine)
        assert model.count.data == 3 * 4
        found.append(numbers(model))
    np.testing.assert_allclose(*found, rtol=1e-9)


# What a history says.


def test_the_loss_is_the_mean_over_the_rows_each_at_the_parameters_of_its_step():
    model, reference = model_for("mse"), model_for("mse")
    y = LOSSES["mse"][1]
    history = model.fit(POINTS, y, "mse", SGD(0.0), epochs=2, batch_size=16, progress=False)
    mean = np.mean([(reference(point).data - label) ** 2 for point, label in zip(POINTS.tolist(), y, strict=True)])
    np.testing.assert_allclose(history["loss"], [mean, mean], rtol=1e-12)
    np.testing.assert_allclose(history["r2"], 1.0 - mean / y.var(), rtol=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_validation_is_what_evaluate_says_after_each_epoch(loss):
    found = []
    y = LOSSES[loss][1]

    def record(run):
        found.append(run.model.evaluate(POINTS[:20], y[:20]))

    _, history = fitted(loss, validation=(POINTS[:20], y[:20]), callbacks=[record])
    assert history["val_loss"] == [evaluation.loss for evaluation in found]
    measure = OBJECTIVES[loss].measure
    assert history[f"val_{measure}"] == [getattr(evaluation, measure) for evaluation in found]


def test_a_fraction_for_validation_is_a_seeded_choice_of_rows():
    rows = {}

    def of(seed):
        """The rows that move the model: each has an input of its own."""
        model = MLP(50, [1], rng=0)
        before = model.state_dict()["layers.0.weight"]
        model.fit(np.eye(50), np.arange(50.0), epochs=1, optimizer=SGD(0.1), validation=0.3, rng=seed, progress=False)
        return tuple(np.flatnonzero(model.state_dict()["layers.0.weight"][0] != before[0]))

    rows = [of(seed) for seed in (0, 0, 1)]
    assert rows[0] == rows[1] != rows[2]
    assert {len(chosen) for chosen in rows} == {35}


def test_a_history_is_a_dict_that_plots_itself_and_writes_tables(tmp_path):
    history = History(loss=[0.5, 0.25, 0.125], accuracy=[0.5, 1.0, 1.0])
    assert history == {"loss": [0.5, 0.25, 0.125], "accuracy": [0.5, 1.0, 1.0]}
    assert repr(history) == "History(3 epochs: loss 0.125, accuracy 1)"
    history.to_csv(tmp_path / "h.csv")
    lines = (tmp_path / "h.csv").read_text(encoding="utf-8").splitlines()
    assert lines == ["epoch,loss,accuracy", "1,0.5,0.5", "2,0.25,1.0", "3,0.125,1.0"]
    assert history.plot("A title").axes[0].get_title(loc="left") == "A title"
    history.stopped = "interrupted"
    assert "\n" not in repr(history)
    assert "interrupted" in repr(history)


def test_no_epochs_change_nothing():
    model, history = fitted(epochs=0)
    assert (numbers(model) == numbers(model_for("cross_entropy"))).all()
    assert history == {}
    assert repr(history) == "History(0 epochs)"


# Callbacks, early stopping, Ctrl-C.


def test_a_callback_sees_the_run_and_may_change_and_stop_it():
    seen = []

    def watch(run: Run):
        seen.append((run.epoch, run.epochs, run.measures["loss"], run.history["loss"][-1], run.optimizer.lr))
        run.optimizer.lr = 0.0
        if run.epoch == 3:
            run.stop("enough")

    _, history = fitted(epochs=10, callbacks=[watch])
    assert [epoch for epoch, *_ in seen] == [1, 2, 3]
    assert [rate for *_, rate in seen] == [0.02, 0.0, 0.0]
    assert history.stopped == "enough"
    np.testing.assert_allclose(history["loss"][1], history["loss"][2], rtol=1e-12)


def test_early_stopping_puts_the_best_parameters_back():
    states = []
    model, history = fitted(
        "cross_entropy",
        epochs=300,
        optimizer=Adam(0.1),
        validation=0.4,
        early_stopping=7,
        callbacks=[lambda run: states.append(numbers(run.model))],
    )
    best = int(np.argmin(history["val_loss"]))
    assert history.best_epoch == best + 1
    assert history.epochs == best + 1 + 7 < 300
    assert history.stopped == f"no better val_loss since epoch {best + 1}"
    assert (numbers(model) == states[best]).all()


def test_early_stopping_takes_nan_for_no_better():
    value = Value(0.0)
    stopping, run = EarlyStopping(2, [value]), Run(None, SGD(), 9)
    for loss in (np.nan, 2.0, 1.0, np.inf, np.nan):
        run.epoch += 1
        value.data = float(run.epoch)
        run.history.add({"loss": 0.0, "val_loss": loss})
        stopping(run)
    assert run.history.stopped == "no better val_loss since epoch 3"
    stopping.restore()
    assert value.data == 3.0


def test_early_stopping_without_validation_watches_the_loss():
    _, history = fitted(optimizer=SGD(0.0), epochs=50, batch_size=None, early_stopping=3)
    assert history.epochs == 4
    assert history.stopped == "no better loss since epoch 1"
    states = []
    model, history = fitted(
        optimizer=SGD(1.0),
        batch_size=None,
        early_stopping=50,
        callbacks=[lambda run: states.append(numbers(run.model))],
    )
    assert (numbers(model) == states[-1]).all()  # no loss is known of any one of them


@pytest.mark.parametrize("engine", ["compiled", "eager"])
def test_ctrl_c_ends_the_epochs_and_keeps_the_last_finished_step(engine):
    def interrupt(run):
        if run.epoch == 2:
            signal.raise_signal(signal.SIGINT)

    model, history = fitted(epochs=10, engine=engine, callbacks=[interrupt])
    assert (history.epochs, history.stopped) == (2, "interrupted")
    assert (numbers(model) == numbers(fitted(epochs=2, engine=engine)[0])).all()


@needs_posix
def test_ctrl_c_in_the_middle_of_an_epoch_leaves_parameters_of_a_finished_step():
    """Pressed until it is heard: Python drops an exception that comes while it collects garbage."""
    images, labels = load_digits()
    images, labels = np.tile(images, (40, 1)), np.tile(labels, 40)
    model = MLP(64, [128, 10], init="he", rng=0)
    model.fit(images[:64], labels[:64], "cross_entropy", epochs=1, batch_size=64, progress=False)  # compiled by now
    before, optimizer, over = numbers(model), Adam(), []

    def press(*_):
        if optimizer.steps and not over:
            raise KeyboardInterrupt

    def count(run):
        assert run.epoch < 10_000, "nobody heard it"

    handler = signal.signal(signal.SIGALRM, press)
    signal.setitimer(signal.ITIMER_REAL, 0.3, 0.3)
    try:
        settings = {"epochs": 10_000, "batch_size": 64, "callbacks": [count], "progress": False}
        history = model.fit(images, labels, "cross_entropy", optimizer, **settings)
        over.append(True)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, handler)
    assert history.stopped == "interrupted"
    assert np.isfinite(numbers(model)).all()
    assert (numbers(model) != before).any()


def test_a_lost_loss_is_an_error_that_says_when():
    with pytest.raises(
        FloatingPointError, match=r"the loss is (inf|nan) after epoch \d+; a smaller learning rate helps"
    ):
        fitted("mse", optimizer=SGD(1e200), batch_size=None)


# Repetition.


def test_equal_seeds_give_equal_bits_and_other_seeds_another_order():
    runs = [numbers(fitted(rng=seed)[0]).tolist() for seed in (3, 3, 4)]
    assert runs[0] == runs[1] != runs[2]


def test_a_second_fit_goes_on_with_the_optimizer_and_shuffles_otherwise():
    labels = LOSSES["cross_entropy"][1]
    settings = {"loss": "cross_entropy", "epochs": 1, "batch_size": 16, "progress": False}
    model, optimizer = model_for("cross_entropy"), Adam(0.02)
    for _ in range(3):
        model.fit(POINTS, labels, optimizer=optimizer, **settings)
    assert optimizer.steps == 3 * 4
    assert len(optimizer.state) == len(model.parameters())
    fresh = model_for("cross_entropy")
    for _ in range(3):
        fresh.fit(POINTS, labels, optimizer=Adam(0.02), **settings)
    assert (numbers(model) != numbers(fresh)).any()


def test_what_an_optimizer_remembers_can_be_cleared():
    optimizer = Adam(0.02)
    model, _ = fitted(optimizer=optimizer)
    assert any(state != (0.0, 0.0) for state in optimizer.state.values())
    optimizer.state.clear()
    assert set(optimizer.state.values()) == {(0.0, 0.0)}
    optimizer.steps = 0
    fresh = model_for("cross_entropy")
    fresh.load_state_dict(model.state_dict())
    for one, own in ((model, optimizer), (fresh, Adam(0.02))):
        one.fit(POINTS, LOSSES["cross_entropy"][1], "cross_entropy", own, 2)
    assert (numbers(model) == numbers(fresh)).all()


def test_a_second_fit_compiles_nothing_again():
    model, _ = fitted()
    history = model.fit(POINTS, LOSSES["cross_entropy"][1], "cross_entropy", Adam(0.01), 2, 16, progress=False)
    assert history.preparation == {"tracing": 0.0, "compiling": 0.0}


def test_two_optimizers_that_take_turns_keep_what_they_remember():
    labels = LOSSES["cross_entropy"][1]
    settings = {"loss": "cross_entropy", "epochs": 1, "progress": False}
    turns, alone = Adam(0.01), Adam(0.01)
    model, other = model_for("cross_entropy"), model_for("cross_entropy")
    start = numbers(model)
    for _ in range(4):
        model.fit(POINTS, labels, optimizer=turns, **settings)
        kept = numbers(model)
        model.fit(POINTS, labels, optimizer=Adam(0.01), **settings)  # a stranger, in the same program
        for parameter, number in zip(model.parameters(), kept, strict=True):
            parameter.data = float(number)
        other.fit(POINTS, labels, optimizer=alone, **settings)
    assert (numbers(model) != start).any()
    assert (numbers(model) == numbers(other)).all()
    assert list(turns.state.values()) == list(alone.state.values())


def test_float32_samples_train_in_float32():
    model = model_for("mse")
    model.fit(POINTS.astype("float32"), LOSSES["mse"][1], epochs=3, progress=False)
    assert (numbers(model) == numbers(model).astype("float32")).all()
    assert model.predict(POINTS.astype("float32")).dtype == np.float32
    assert model.predict(POINTS).dtype == np.float64


def test_training_and_evaluation_mode_are_put_back():
    model = model_for("mse")
    model.layers[0].eval()
    before = [module.training for module in model.modules()]
    model.fit(POINTS, LOSSES["mse"][1], epochs=1, progress=False)
    model.predict(POINTS)
    assert [module.training for module in model.modules()] == before
    assert False in before
    assert True in before


# Predictions.


@pytest.mark.sampled(4)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("engine", ["compiled", "eager"])
def test_predictions_are_those_of_the_model_one_by_one(loss, engine):
    model, _ = fitted(loss)
    outputs = np.array([np.vectorize(float)(model(point)) for point in POINTS.tolist()])
    expected = OBJECTIVES[loss].predictions(outputs)
    found = model.predict(POINTS, engine=engine)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    if OBJECTIVES[loss].probabilities:
        probabilities = model.predict_proba(POINTS, engine=engine)
        np.testing.assert_allclose(probabilities, OBJECTIVES[loss].probabilities(outputs), rtol=1e-9)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-12)


@pytest.mark.parametrize("engine", ["compiled", "eager"])
def test_evaluation_refuses_what_is_no_loss(engine):
    with pytest.raises(TypeError, match="loss is one Value for one sample"):
        model_for("mse").evaluate(POINTS, LABELS, lambda output, target: [output, 10.0 * output], engine=engine)


def test_what_a_model_means_is_kept_in_its_file(tmp_path):
    from scalargrad import load

    model, _ = fitted("cross_entropy")
    model.save(tmp_path / "m.safetensors")
    other = load(tmp_path / "m.safetensors")
    assert other.fitted_loss == "cross_entropy"
    assert (other.predict(POINTS) == model.predict(POINTS)).all()


def test_evaluation_agrees_with_scikit_learn():
    from sklearn.metrics import accuracy_score, confusion_matrix, log_loss, r2_score

    model, _ = fitted("cross_entropy")
    labels = LOSSES["cross_entropy"][1]
    found = model.evaluate(POINTS, labels)
    guesses = model.predict(POINTS)
    assert found.accuracy == accuracy_score(labels, guesses)
    assert (found.confusion == confusion_matrix(labels, guesses, labels=range(3))).all()
    np.testing.assert_allclose(found.loss, log_loss(labels, model.predict_proba(POINTS)), rtol=1e-12)
    assert repr(found).splitlines()[0].startswith("Evaluation(loss")
    assert len(repr(found).splitlines()) == 5
    model, _ = fitted("mse")
    found = model.evaluate(POINTS, LOSSES["mse"][1])
    np.testing.assert_allclose(found.r2, r2_score(LOSSES["mse"][1], model.predict(POINTS)), rtol=1e-12)
    assert found.confusion is None
    assert "r2" in repr(found)


def test_predictions_in_many_parts_are_those_in_one():
    model, _ = fitted("mse")
    many = np.tile(POINTS, (100, 1))
    np.testing.assert_allclose(model.predict(many), np.tile(model.predict(POINTS), 100), rtol=1e-14)


# A loss and models of one's own.


def test_a_function_is_a_loss():
    def quartic(output, target):
        return (output - target) ** 4

    model, other = model_for("mse"), model_for("mse")
    history = model.fit(POINTS, LABELS, quartic, SGD(0.05), epochs=20, progress=False)
    assert list(history) == ["loss"]
    compile(lambda x, y: quartic(other(x), y)).trainer(SGD(0.05)).run(POINTS, LABELS, epochs=20)
    np.testing.assert_allclose(numbers(model), numbers(other), rtol=1e-12)
    assert model.evaluate(POINTS, LABELS, loss=quartic).loss < history["loss"][0]
    with pytest.raises(ValueError, match="trained with a function, quartic\\(\\): pass it to evaluate"):
        model.evaluate(POINTS, LABELS)


class Parts(Module):
    """Returns lists of different lengths, or numbers and lists."""

    def __init__(self, *lengths):
        self.weight, self.lengths = Parameter(0.5), lengths

    def __call__(self, x):
        output = self.weight * x[0]
        return tuple((output,) * length if length else output for length in self.lengths)


@pytest.mark.parametrize("lengths", [(2, 1), (2, 0), (0, 2)])
@pytest.mark.parametrize("engine", ["compiled", "eager"])
def test_a_loss_of_ones_own_may_take_parts_that_differ_and_predictions_are_arrays(engine, lengths):
    def of_the_first(outputs, target):
        return mse(outputs[0] if lengths[0] == 0 else outputs[0][1], target)

    model = Parts(*lengths)
    history = model.fit(POINTS, LABELS, of_the_first, epochs=2, engine=engine, progress=False)
    assert history["loss"][1] < history["loss"][0]
    with pytest.raises((TraceError, ValueError), match=r"ragged: .* differ in length"):
        model.predict(POINTS, engine=engine)


def test_what_an_augmentation_holds_is_no_concern_of_a_fit_without_checkpoints():
    class Circular:
        def __init__(self):
            self.itself = self

        def __call__(self, X, seed, epoch):
            return X

    history = model_for("mse").fit(POINTS, LABELS, augment=Circular(), epochs=1, progress=False)
    assert len(history["loss"]) == 1


def test_a_function_may_use_what_values_can_in_both_engines():
    def smooth(output, target):
        return (output - target).tanh() ** 2

    found = []
    for engine in ("compiled", "eager"):
        model = model_for("mse")
        history = model.fit(POINTS, LABELS, smooth, SGD(0.1), 3, validation=0.2, engine=engine)
        found.append([history["val_loss"], [model.evaluate(POINTS, LABELS, smooth, engine=engine).loss] * 3])
    np.testing.assert_allclose(*found, rtol=1e-10)


def test_copies_and_pickles_have_all_attributes_and_no_programs():
    import copy
    import pickle

    model, _ = fitted()
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert noted(other, "programs") is None
        assert (other.predict(POINTS) == model.predict(POINTS)).all()
    slotted = Slotted()
    slotted.fit(POINTS, LABELS, epochs=1)
    other = copy.deepcopy(slotted)
    assert (other.extra, other.programs, other.weight.data) == (3, [1], slotted.weight.data)


class Slotted(Module):
    __slots__ = ("extra",)

    def __init__(self):
        object.__setattr__(self, "extra", 3)
        self.weight, self.programs = Parameter(1.0), [1]

    def __call__(self, x):
        return self.weight * x[0]


class Branching(Module):
    def __init__(self):
        self.weight = Parameter(1.0)

    def __call__(self, x):
        return self.weight * x[0] if x[0] > 0.0 else self.weight


def test_a_model_that_cannot_be_compiled_trains_eagerly():
    model = Branching()
    with pytest.raises(TraceError) as caught:
        model.fit(POINTS, LABELS, epochs=1, progress=False)
    assert any('backend="eager"' in note for note in caught.value.__notes__)
    assert (model.weight.data, model.fitted_loss) == (1.0, "")
    history = model.fit(POINTS, LABELS, epochs=3, engine="eager", validation=0.2, progress=False)
    assert history["loss"][-1] < history["loss"][0]
    assert model.evaluate(POINTS, LABELS, engine="eager").loss < history["val_loss"][0] * 2
    assert model.predict(POINTS[:2], engine="eager").shape == (2,)


@pytest.mark.parametrize("engine", ["compiled", "eager"])
def test_only_the_parameters_of_the_model_move(engine):
    """A Value that the loss reads, and the layers that `parameters()` leaves out, stay."""

    class Frozen(Module):
        def __init__(self):
            self.body, self.head = MLP(2, [4], output_activation="tanh", rng=0), MLP(4, [1], rng=1)

        def parameters(self):
            return self.head.parameters()

        def __call__(self, x):
            return self.head(self.body(x))

    factor, model, plain = Value(2.0, "factor"), Frozen(), MLP(4, [1], rng=1)
    body = [p.data for p in model.body.parameters()]
    settings = {"epochs": 5, "batch_size": 16, "engine": engine}
    optimizer = AdamW(0.1)
    model.fit(POINTS, LABELS, lambda output, target: factor * mse(output, target), optimizer, **settings)
    assert factor.data == 2.0
    assert [p.data for p in model.body.parameters()] == body
    assert set(optimizer.state) == set(model.head.parameters())
    features = np.array([np.vectorize(float)(model.body(point)) for point in POINTS.tolist()])
    plain.fit(features, LABELS, lambda output, target: 2.0 * mse(output, target), AdamW(0.1), **settings)
    np.testing.assert_allclose([p.data for p in model.head.parameters()], numbers(plain), rtol=1e-9)


@pytest.mark.parametrize("frozen", [[1], [0, 2], [0, 1, 2]])
def test_any_layers_can_be_frozen_and_unfrozen_by_a_callback(frozen):
    class Net(MLP):
        frozen = ()

        def parameters(self):
            return [p for n, layer in enumerate(self.layers) if n not in self.frozen for p in layer.parameters()]

    def thaw(run):
        if run.epoch == 2:
            run.model.frozen = ()

    found = []
    for engine in ("compiled", "eager"):
        model = Net(2, [5, 4, 3], activation="tanh", rng=0)
        model.frozen = tuple(frozen)
        before = model.state_dict()
        settings = {"batch_size": 16, "engine": engine}
        labels = LOSSES["cross_entropy"][1]
        model.fit(POINTS, labels, "cross_entropy", Adam(0.1), epochs=2, **settings)
        for name, array in model.state_dict().items():
            assert (array == before[name]).all() == (int(name.split(".")[1]) in frozen)
        model.fit(POINTS, labels, "cross_entropy", Adam(0.1), epochs=4, callbacks=[thaw], **settings)
        found.append(np.concatenate([array.ravel() for array in model.state_dict().values()]))
        assert all((array != before[name]).any() for name, array in model.state_dict().items())
    np.testing.assert_allclose(*found, rtol=1e-8)


@pytest.mark.parametrize("engine", ["compiled", "eager"])
def test_a_layer_that_a_callback_replaces_is_trained(engine):
    def replace(run):
        if run.epoch == 1:
            run.model.layers[1] = MLP(6, [3], rng=9).layers[0]

    model, _ = fitted(callbacks=[replace], engine=engine)
    fresh = MLP(6, [3], rng=9)
    assert all(p.data != q.data for p, q in zip(model.layers[1].parameters(), fresh.parameters(), strict=True))


# What changes between two calls is noticed, as in compile().


def replaced_layer(model):
    model.layers[1] = MLP(6, [3], rng=9).layers[0]


def replaced_parameter(model):
    model.layers[0].neurons[0].bias = Parameter(7.0)


def another_activation(model):
    for neuron in model.layers[0].neurons:
        neuron.activation = "sin"


@pytest.mark.parametrize("change", [replaced_layer, replaced_parameter, another_activation])
def test_a_model_that_changed_is_compiled_anew(change):
    model, _ = fitted()
    labels = LOSSES["cross_entropy"][1]
    before = model.predict_proba(POINTS), model.evaluate(POINTS, labels).loss
    change(model)
    found = model.predict_proba(POINTS)
    np.testing.assert_allclose(found, model.predict_proba(POINTS, engine="eager"), rtol=1e-9)
    assert not np.allclose(found, before[0])
    assert model.evaluate(POINTS, labels).loss != before[1]
    import copy

    other = copy.deepcopy(model)
    settings = {"epochs": 1, "batch_size": 16}
    histories = [model.fit(POINTS, labels, "cross_entropy", Adam(), **settings)]
    histories.append(other.fit(POINTS, labels, "cross_entropy", Adam(), engine="eager", **settings))
    np.testing.assert_allclose(histories[0]["loss"], histories[1]["loss"], rtol=1e-9)


def test_a_loss_whose_closure_changed_is_compiled_anew():
    power, model = [2.0], model_for("mse")

    def loss(output, target):
        return power[0] * (output - target) ** 2

    first = model.evaluate(POINTS, LABELS, loss).loss
    power[0] = 6.0
    np.testing.assert_allclose(model.evaluate(POINTS, LABELS, loss).loss, 3.0 * first, rtol=1e-12)


def test_retrace_forgets_what_was_compiled():
    class Scale:
        factor = 1.0

    scale, model = Scale(), model_for("mse")

    def loss(output, target):
        return scale.factor * (output - target) ** 2

    first = model.evaluate(POINTS, LABELS, loss).loss
    scale.factor = 2.0  # an attribute of an object of one's own
    model.retrace()
    np.testing.assert_allclose(model.evaluate(POINTS, LABELS, loss).loss, 2.0 * first, rtol=1e-12)


def test_threads_that_train_and_predict_do_not_see_each_others_mode():
    class Dropping(Module):
        def __init__(self):
            self.inner = MLP(2, [8, 3], init="xavier", rng=0)

        def __call__(self, x):
            return self.inner(
                [where(less(random(7, site), 0.5), 0.0, x[site]) for site in range(2)] if self.training else x
            )

    labels, settings = LOSSES["cross_entropy"][1], {"epochs": 6, "batch_size": 8, "progress": False}
    expected, expected_model = None, Dropping()
    expected = expected_model.fit(POINTS, labels, "cross_entropy", Adam(0.01), **settings)
    for _ in range(3):
        model, wrong, over = Dropping(), [], threading.Event()

        def ask(model=model, wrong=wrong, over=over):
            while not over.is_set():
                # At one moment or another of training, but never with anything dropped: rows alike are alike.
                outputs = model.predict(np.repeat(POINTS[:1], 50, axis=0))
                wrong += [outputs] if len(np.unique(outputs, axis=0)) > 1 else []

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        history = model.fit(POINTS, labels, "cross_entropy", Adam(0.01), **settings)
        over.set()
        for thread in threads:
            thread.join()
        assert not wrong
        assert history == expected
        assert (numbers(model) == numbers(expected_model)).all()


def test_losses_of_one_name_are_told_apart():
    def factory(power):
        return lambda output, target: (output - target) ** power

    model = model_for("mse")
    target = Target("float64")
    programs = {training_program(model, objective_of(factory(power)), 0.0, False, target)[0] for power in (2, 4)}
    assert len(programs) == 2


def test_a_model_of_plain_values_trains_as_well():
    """As micrograd's modules: `parameters()` is theirs."""

    class Line(Module):
        def __init__(self):
            self.slope = Value(0.0)

        def parameters(self):
            return [self.slope]

        def __call__(self, x):
            return self.slope * x[0]

    line = Line()
    line.fit([[1.0], [2.0]], [3.0, 6.0], optimizer=SGD(0.2), epochs=50, progress=False)
    assert line.slope.data == pytest.approx(3.0)


# Bad input: one error, and nothing changed.

NAN = POINTS.copy()
NAN[12, 1] = np.nan
BAD = {
    "nan": ({"X": NAN}, r"X\[12, 1\] is nan: row 12, column 1"),
    "ragged": ({"X": [[1.0, 2.0], [3.0]], "y": [0, 1]}, "X is ragged: row 1 has 1 number"),
    "no rows": ({"X": np.empty((0, 2)), "y": []}, "X has no rows"),
    "lengths": ({"y": LABELS[:49]}, "y has 49 rows and X has 50"),
    "width": ({"X": np.ones((50, 3))}, "this MLP takes 2 inputs, got 3"),
    "text": ({"y": ["cat", "dog"] * 25}, "y holds text"),
    "unseen label": ({"y": LABELS + 2}, "y holds the labels 2, 3, and a model of 3 outputs knows 0 to 2"),
    "one class": ({"y": np.zeros(50, int)}, "y holds one class only, 0"),
    "half a label": ({"y": LABELS + 0.5}, "labels are the whole numbers"),
    "loss": ({"loss": "l1"}, "loss 'l1' is not known; there are mse, huber, cross_entropy"),
    "epochs": ({"epochs": -1}, "epochs is a whole number from 0 on; got -1"),
    "epochs, not whole": ({"epochs": 2.5}, "epochs is a whole number"),
    "batch_size": ({"batch_size": 0}, "batch_size is a whole number from 1 on, or None for all rows; got 0"),
    "l2": ({"l2": -1.0}, "l2 is a number from 0 on, got -1.0"),
    "l2, no number": ({"l2": True}, "l2 is a number from 0 on, got True"),
    "l2, beyond the floats": ({"l2": 10**400}, "l2 is a number from 0 on, got 1000"),
    "validation": ({"validation": 1.5}, "validation is .* a fraction of the rows above 0 and below 1; got 1.5"),
    "validation, too small": ({"validation": 0.001}, "leaves 50 to train on, 0 to validate"),
    "validation, too wide": ({"validation": (np.ones((5, 3)), [0] * 5)}, r"rows of the shape \(3,\), and X of \(2,\)"),
    "validation, nan": ({"validation": (NAN, LABELS)}, r"validation X\[12, 1\] is nan"),
    "validation, text": ({"validation": "0.1"}, "validation is"),
    "validation, samples alone": ({"validation": POINTS}, "validation is .* got "),
    "clip_grad_norm": ({"clip_grad_norm": -1.0}, "clip_grad_norm is a number from 0 on, got -1.0"),
    "min_delta": ({"early_stopping": 2, "min_delta": -1.0}, "min_delta is a number from 0 on, got -1.0"),
    "class_weight": ({"class_weight": "even"}, 'class_weight is "balanced" or a dictionary'),
    "early_stopping": ({"early_stopping": 0}, "early_stopping is a whole number from 1 on"),
    "backend": ({"backend": "warp"}, "backend 'warp' is not known; there are eager, numpy, native, jax"),
    "engine": ({"engine": "warp"}, "engine 'warp' is not known; there are eager, numpy, native, jax"),
    "schedule": ({"schedule": "stairs"}, "schedule 'stairs' is not known"),
    "rng": ({"rng": -1}, "rng is a whole number from 0 on; got -1"),
    "weights": ({"sample_weight": [-1.0] * 50}, r"sample_weight\[0\] is -1.0"),
    "weights, all 0": ({"sample_weight": [0.0] * 50}, "sample_weight holds zeros only"),
    "targets beyond float32": (
        {"X": POINTS.astype("float32"), "y": LABELS * 1e39, "loss": lambda outputs, y: outputs[0] - y},
        "y holds 1e[+]39, which is beyond float32, the type of X",
    ),
    "weights, too few": ({"sample_weight": [1.0]}, "sample_weight has 1 row"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_error_and_changes_nothing(name):
    changes, message = BAD[name]
    model, optimizer = model_for("cross_entropy"), Adam()
    before = numbers(model)
    arguments = {"X": POINTS, "y": LABELS, "loss": "cross_entropy", "optimizer": optimizer, "epochs": 2, **changes}
    with pytest.raises(ValueError, match=message) as caught:
        model.fit(**arguments, progress=False)
    assert "\n" not in str(caught.value)
    assert (numbers(model) == before).all()
    assert (model.fitted_loss, optimizer.steps, optimizer.state) == ("", 0, {})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer": "adam"}, "optimizer is one such as Adam"),
        ({"callbacks": [3]}, "callbacks is a list of functions of the run, got 3 among them"),
        ({"callbacks": print}, "callbacks is a list of functions of the run"),
        ({"loss": 3}, "loss is a name or a function"),
        ({"loss": lambda output, target: None}, "loss is one Value for one sample, and this one returned None"),
        ({"loss": lambda output, target: [output]}, "loss is one Value for one sample"),
    ],
)
def test_arguments_of_another_type_are_type_errors(changes, message):
    with pytest.raises(TypeError, match=message):
        model_for("mse").fit(POINTS, LABELS, **changes)


def test_predictions_refuse_what_fit_refuses():
    model, _ = fitted("cross_entropy")
    for X, message in (
        (NAN, r"X\[12, 1\] is nan"),
        (np.ones((2, 3)), "takes 2 inputs, got 3"),
        ([1.0, 2.0], "reshape"),
    ):
        for ask in (model.predict, model.predict_proba, lambda X: model.evaluate(X, LABELS)):
            with pytest.raises(ValueError, match=message):
                ask(X)
    with pytest.raises(ValueError, match="engine 'warp' is not known"):
        model.predict(POINTS, engine="warp")
    with pytest.raises(ValueError, match="this model was not trained by fit, whose outputs are no probabilities"):
        model_for("mse").predict_proba(POINTS)
    with pytest.raises(ValueError, match="was trained with mse"):
        fitted("mse")[0].predict_proba(POINTS)
    with pytest.raises(ValueError, match="this model was not trained by fit: evaluate"):
        model_for("mse").evaluate(POINTS, LABELS)


# The bar.


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "wanted", "shown"), [(Terminal(), True, True), (Terminal(), False, False), (io.StringIO(), True, False)]
)
def test_the_bar_shows_measures_speed_and_time_left_on_a_terminal_only(monkeypatch, stream, wanted, shown):
    monkeypatch.setattr("sys.stderr", stream)
    fitted(validation=0.2, progress=wanted)
    text = stream.getvalue()
    assert bool(text) == shown
    if shown:
        assert "200/200" in text
        for part in ("loss=", "accuracy=", "val_loss=", "samples/s", "<"):
            assert part in text


# Statistics of a batch, sample by sample.


class Averaged(Module):
    """Tracks the mean of what it reads, which nothing else reads."""

    def __init__(self):
        self.w, self.average = Parameter(1.0), Buffer(0.0)

    def __call__(self, x):
        self.average.update(batch_mean(x[0]))
        return self.w * x[0]


BATCH, ITS_TARGETS = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.25]]), np.array([0.0, 1.0, 1.0])


def test_a_buffer_that_nothing_reads_gets_the_mean_of_the_batch():
    model = Averaged()
    model.fit(BATCH, ITS_TARGETS, "mse", SGD(0.0), epochs=1, progress=False)
    assert model.average.data == 1.5
    model.fit(BATCH, ITS_TARGETS, "mse", SGD(0.0), epochs=1, batch_size=1, progress=False)
    assert model.average.data in BATCH[:, 0]


@pytest.mark.parametrize(
    "call",
    [
        lambda model: model.fit(BATCH, ITS_TARGETS, "mse", SGD(0.0), epochs=1, engine="eager", progress=False),
        lambda model: model.predict(BATCH, engine="eager"),
        lambda model: model.evaluate(BATCH, ITS_TARGETS, "mse", engine="eager"),
    ],
)
def test_the_mean_of_a_batch_is_refused_where_samples_come_one_at_a_time(call):
    model = Averaged()
    with pytest.raises(ValueError, match='batch_mean: statistics of a batch take backend="native"'):
        call(model)
    assert model.average.data == 0.0


def test_a_batch_of_one_sample_has_its_mean_in_both_engines():
    ends = []
    for engine in ("eager", "compiled"):
        model = Averaged()
        model.fit(BATCH, ITS_TARGETS, "mse", SGD(0.1), epochs=2, batch_size=1, engine=engine, progress=False)
        ends.append((model.average.data, model.w.data))
    assert ends[0] == pytest.approx(ends[1], rel=1e-12)


@pytest.mark.parametrize("engine", ["eager", "compiled"])
def test_prediction_changes_no_buffer(engine):
    class Counting(Module):
        def __init__(self):
            self.w, self.count = Parameter(1.0), Buffer(0.0)

        def __call__(self, x):
            self.count.update(self.count + 1.0)
            return self.w * x[0]

    model = Counting()
    model.predict(BATCH, engine=engine)
    model.evaluate(BATCH, ITS_TARGETS, "mse", engine=engine)
    assert model.count.data == 0.0
    model.fit(BATCH, ITS_TARGETS, "mse", SGD(0.0), epochs=2, engine=engine, progress=False)
    assert model.count.data == 2.0
