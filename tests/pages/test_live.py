"""live: what is drawn while a model trains, where, how often, and that the training is the same."""

import importlib
import io
import os
import re
import sys
from base64 import b64decode
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from scalargrad import MLP, Adam, Module, live
from scalargrad.nn import Embedding
from scalargrad.pages import screens
from scalargrad.plots import maps
from scalargrad.training import EarlyStopping, Run

module = importlib.import_module("scalargrad.pages.live")
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(40, 2))
LABELS = (X[:, 0] > 0).astype(int)


class Notes(screens.Screen):
    """A screen that keeps what it showed."""

    draws = True

    def __init__(self):
        self.words, self.pictures, self.closed = [], [], 0

    def show(self, words, picture):
        self.words.append(words)
        self.pictures.append(picture())

    def close(self):
        self.closed += 1


@pytest.fixture
def screen(monkeypatch):
    notes = Notes()
    monkeypatch.setattr(module, "screen_here", lambda: notes)
    monkeypatch.setattr(module, "CELLS", 5)
    monkeypatch.setattr(module, "CELLS_OF_VALUES", 3)
    monkeypatch.setattr(module, "PAUSE", 0.0)
    monkeypatch.setattr(module, "SHARE", 1e9)
    return notes


def new_model(outputs=1, inputs=2):
    return MLP(inputs, [4, outputs], activation="tanh", rng=0)


def fitted(model, X=X, y=LABELS, loss="binary_cross_entropy", epochs=3, callbacks=None, **settings):
    callbacks = [live(model)] if callbacks is None else callbacks
    return model.fit(X, y, loss=loss, epochs=epochs, callbacks=callbacks, **{"backend": "numpy"} | settings)


def elements(html):
    """The parsed picture: well-formed, without scripts, ids, or anything from outside."""
    root = ElementTree.fromstring(html.replace("&nbsp;", " "))
    found = [node.tag.partition("}")[2] or node.tag for node in root.iter()]
    assert not {"script", "style", "link", "iframe"} & {*found}
    for node in root.iter():
        assert not any(name == "id" or name.startswith("on") for name in node.attrib)
        assert node.get("src", "data:").startswith("data:")
    return found


def pixels(html):
    (encoded,) = re.findall(r'src="data:image/png;base64,([^"]*)"', html)
    return np.asarray(Image.open(io.BytesIO(b64decode(encoded))))


@pytest.mark.parametrize("backend", ["native", "numpy", "eager"])
def test_it_is_drawn_before_after_and_between_the_epochs(screen, backend):
    history = fitted(new_model(), backend=backend)
    assert screen.words[0] == "epoch 0 of 3"
    assert (
        screen.words[-1]
        == f"epoch 3 of 3, loss {history['loss'][-1]:.4g}, accuracy {100 * history['accuracy'][-1]:.4g}%"
    )
    assert [words.split(",")[0] for words in screen.words[1:-1]] == [f"epoch {epoch} of 3" for epoch in (1, 2, 3)]
    assert screen.closed == 1
    for picture in screen.pictures:
        assert "img" in elements(picture)
    assert "polyline" not in elements(screen.pictures[0])
    assert elements(screen.pictures[-1]).count("polyline") == 2


@pytest.mark.parametrize("backend", ["native", "eager"])
def test_training_is_the_same_to_the_bit(screen, backend):
    settings = {"backend": backend, "batch_size": 7, "validation": 0.25, "early_stopping": 2, "epochs": 6}
    plain, shown = new_model(), new_model()
    first, second = fitted(plain, callbacks=[], **settings), fitted(shown, **settings)
    assert first == second
    assert [x.data for x in plain.parameters()] == [x.data for x in shown.parameters()]
    assert len(screen.pictures) > 3


def test_after_early_stopping_the_last_picture_is_of_the_best_parameters(screen, monkeypatch):
    model, seen = new_model(), []
    monkeypatch.setattr(screen, "show", lambda words, picture: seen.append([x.data for x in model.parameters()]))
    history = fitted(model, epochs=200, validation=0.25, early_stopping=2, optimizer=Adam(lr=1.0))
    assert 0 < history.best_epoch < history.epochs
    assert seen[-1] == [x.data for x in model.parameters()] == seen[history.best_epoch] != seen[-2]


def interrupts(run):
    if run.epoch == 2:
        raise KeyboardInterrupt


def fails(run):
    if run.epoch == 2:
        raise RuntimeError("a mistake of a callback")


def test_the_last_picture_stays_after_a_ctrl_c(screen):
    model = new_model()
    fitted(model, epochs=9, callbacks=[live(model), interrupts])
    assert screen.words[-1].startswith("epoch 2 of 9, ")
    assert screen.words[-1].endswith("; interrupted")
    assert screen.closed == 1


def test_the_last_picture_stays_after_an_error(screen):
    model = new_model()
    with pytest.raises(RuntimeError, match="a mistake"):
        fitted(model, epochs=9, callbacks=[live(model), fails])
    assert screen.words[-1].startswith("epoch 2 of 9, ")
    assert screen.closed == 1
    fitted(model, epochs=1)  # and may be used again
    assert screen.closed == 2


def test_one_callback_draws_one_run_after_another(screen):
    model = new_model()
    callback = live(model)
    fitted(model, callbacks=[callback])
    fitted(model, callbacks=[callback], epochs=2)
    assert screen.words[-1].startswith("epoch 2 of 2, ")
    assert screen.closed == 2


class Tokens(Module):
    """A model of two tokens: between these it says nothing."""

    def __init__(self):
        self.table = Embedding(3, 2, rng=0)
        self.last = MLP(4, [1], rng=0)

    def __call__(self, x):
        return self.last([number for token in x for number in self.table(token)])


@pytest.mark.parametrize(
    ("model", "X", "y", "loss", "drawn"),
    [
        (new_model(3), X, np.arange(40) % 3, "cross_entropy", True),
        (new_model(6), X, np.arange(40) % 6, "cross_entropy", True),
        (new_model(1), X, 2 * LABELS - 1, "hinge", True),
        (new_model(1), X, X[:, 0], "mse", True),
        (new_model(1), X, np.ones(40), "mse", True),
        (new_model(1), X, LABELS, lambda output, target: (output - target) ** 4, True),
        (new_model(2), X, LABELS, lambda outputs, target: (outputs[0] - target) ** 2, True),
        (new_model(2), X, X, "mse", False),
        (new_model(1, inputs=3), RANDOM.normal(size=(40, 3)), LABELS, "binary_cross_entropy", False),
        (new_model(1, inputs=1), X[:, :1], X[:, 0], "mse", False),
        (Tokens(), np.arange(80).reshape(40, 2) % 3, LABELS, "binary_cross_entropy", False),
    ],
    ids=["3 classes", "6 classes", "hinge", "numbers", "one number", "own loss", "own loss, 2 outputs", "2 numbers",
         "3 inputs", "1 input", "tokens"],
)  # fmt: skip
def test_models_of_every_kind_are_drawn_with_the_plane_where_there_is_one(screen, model, X, y, loss, drawn):
    fitted(model, X, y, loss, epochs=1)
    for picture in screen.pictures:
        assert ("img" in elements(picture)) == drawn
    assert "polyline" in elements(screen.pictures[-1])


def test_single_precision_and_one_point_are_drawn_too(screen):
    fitted(new_model(), X.astype("float32"), epochs=1)
    fitted(new_model(), X[:1], X[:1, 0], "mse", epochs=1)
    assert all("img" in elements(picture) for picture in screen.pictures)


def test_pictures_take_a_small_share_of_the_time(screen, monkeypatch):
    now, model = [0.0], new_model()
    monkeypatch.setattr(module, "perf_counter", lambda: now[0])
    monkeypatch.setattr(module, "PAUSE", 0.25)
    monkeypatch.setattr(module, "SHARE", 1 / 40)
    monkeypatch.setattr(screen, "show", lambda words, picture: now.__setitem__(0, now[0] + 0.1))

    shown, callback, run = [], live(model), Run(model, Adam(), 1000)
    with callback.around(run):
        for _ in range(1000):
            now[0] += 0.01
            before = now[0]
            callback(run)
            shown.append(now[0] - before)
    assert sum(shown) <= sum([0.01] * 1000) / 40 + 0.1
    assert 2 <= sum(map(bool, shown)) <= 4


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ([X], TypeError, r"live takes a model, such as MLP\(2, \[8, 1\]\), got array"),
        ([MLP], TypeError, "live takes a model, such as"),
        ([Run(new_model(), Adam(), 1)], TypeError, r"callbacks=\[live\(model\)\]"),
    ],
)
def test_what_is_no_model_is_refused(arguments, kind, words):
    with pytest.raises(kind, match=words):
        live(*arguments)


def test_another_model_is_refused_before_the_first_epoch(screen):
    model, other = new_model(), new_model()
    with pytest.raises(ValueError, match=r"live was made for another model than fit trains: live\(MLP"):
        fitted(model, callbacks=[live(other)])
    with pytest.raises(TypeError, match=r"callbacks=\[live\(model\)\]"):
        fitted(model, callbacks=[live])
    with pytest.raises(TypeError, match="callbacks is a list"):
        fitted(model, callbacks=live(model))
    assert not screen.words


def test_a_run_of_its_own_is_drawn_without_the_plane(screen):
    model = new_model()
    run, losses = Run(model, Adam(), 3), iter([0.5, 0.25, 0.125])
    run.go(lambda watch: {"loss": next(losses)}, dict, [live(model)], lambda rows, found: None)
    assert screen.words[-1] == "epoch 3 of 3, loss 0.125"
    assert "img" not in elements(screen.pictures[-1])


def test_stopping_early_alone_puts_the_best_parameters_back_at_the_end_of_a_run():
    model = new_model()
    values, losses = model.parameters(), iter([0.5, 0.75])
    run = Run(model, Adam(), 2)

    def learn(watch):
        values[0].data += 1.0
        return {"loss": 1.0}

    start = values[0].data
    run.go(learn, lambda: {"val_loss": next(losses)}, [EarlyStopping(9, values)], lambda rows, found: None)
    assert values[0].data == start + 1.0


# Where there is no notebook.


class Tty(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_has_one_line_in_place_of_the_bar(monkeypatch):
    terminal = Tty()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(module, "PAUSE", 0.0)
    monkeypatch.setattr(module, "SHARE", 1e9)
    monkeypatch.setattr(screens.shutil, "get_terminal_size", lambda: os.terminal_size((60, 24)))
    fitted(new_model(), validation=0.2)
    shown = terminal.getvalue()
    assert shown.count("\n") == 1
    assert shown.endswith("\n")
    lines = shown.rstrip("\n").split("\r")[1:]
    assert [line[:12] for line in lines] == [f"epoch {epoch} of 3" for epoch in (0, 1, 2, 3, 3)]
    assert max(map(len, lines)) == 59
    assert "samples" not in shown  # of the bar


def test_where_there_is_no_terminal_there_is_one_line_at_the_end(capsys):
    fitted(new_model())
    assert re.fullmatch(r"epoch 3 of 3, loss \S+, accuracy \S+%\n", capsys.readouterr().err)


@pytest.mark.parametrize("stream", [None, io.StringIO()])
def test_no_standard_error_is_no_error(monkeypatch, stream):
    if stream is not None:
        stream.close()
    monkeypatch.setattr(sys, "stderr", stream)
    fitted(new_model())


# The map.


def by_colour(image):
    """Which hue is the stronger one: "blue", "orange", "grey" or "dark"."""
    red, green, blue = image[..., 0].astype(int), image[..., 1].astype(int), image[..., 2].astype(int)
    return np.select([red + green + blue < 200, blue > red + 5, red > blue + 5], ["dark", "blue", "orange"], "grey")


CORNERS = np.array([[0.0, 0.0], [1.0, 1.0]])


def drawn(score, classes=(0, 1), cells=21, **options):
    map = maps.Map(CORNERS, np.array(classes), cells, **options)
    says = maps.asked(score, None, map.places)
    return np.asarray(Image.open(io.BytesIO(map.png(says, 3))))


def test_places_are_asked_and_coloured_where_they_are():
    shown = by_colour(drawn(lambda places: places[:, 0]))  # above 0.5 at the right
    assert shown.shape == (600, 600)
    assert (shown[:, 100] == "blue").mean() > 0.9
    assert (shown[:, 500] == "orange").mean() > 0.9
    assert (shown[:, 295:306] == "dark").any(axis=1).mean() > 0.95  # the line
    upward = by_colour(drawn(lambda places: places[:, 1]))
    assert (upward[100] == "orange").mean() > 0.9
    assert (upward[500] == "blue").mean() > 0.9


def test_points_lie_at_their_places_in_the_colour_and_shape_of_their_class():
    image = drawn(lambda places: np.full(len(places), np.nan))
    low, high = 600 * 0.08 / 1.16, 600 * 1.08 / 1.16
    hex_of = "#{:02X}{:02X}{:02X}".format
    assert hex_of(*image[round(600 - low), round(low)]) == maps.LIGHT["positive"]
    assert hex_of(*image[round(600 - high), round(high)]) == maps.LIGHT["negative"]
    assert hex_of(*image[300, 300]) == maps.LIGHT["tint-zero"]  # where the model says nan


def test_classes_share_the_plane_as_they_are_chosen():
    def thirds(places):
        return (
            np.stack([places[:, 0] < 0.3, (places[:, 0] >= 0.3) & (places[:, 0] < 0.7), places[:, 0] >= 0.7], 1) * 1.0
        )

    image = drawn(thirds, classes=(0, 2), cells=41)
    middle = [tuple(image[300, x]) for x in (60, 300, 560)]
    assert len({*middle}) == 3
    assert by_colour(np.array([middle[0], middle[1]])).tolist() == ["blue", "orange"]


def test_numbers_have_no_line():
    assert "dark" not in by_colour(drawn(lambda places: places[:, 0], classes=(0.0, 1.0), lined=False))[:, 250:350]
