"""`scalargrad digits`, `mnist` and `predict`: what they learn, write, print and refuse."""

import json
import math
import os
import re
import struct
from dataclasses import replace

import matplotlib
import numpy
import pytest
import sklearn.metrics
from PIL import Image

from scalargrad import MLP, cli, load
from scalargrad.cli import digits as commands
from scalargrad.datasets import load_digits, load_mnist
from scalargrad.datasets.augmentation import Rotate
from scalargrad.demos import digits
from scalargrad.nn import AvgPool2d, Conv2d, Flatten, Layer, MaxPool2d, Module, Sequential
from scalargrad.ops import relu
from scalargrad.training.history import History
from tests.platforms import needs_linux, needs_posix

TINY = ["--hidden", "4", "--epochs", "2"]


def run(*arguments):
    """Exit status of the command."""
    try:
        return cli.main([str(argument) for argument in arguments])
    except SystemExit as stopped:
        return stopped.code


def idx(array):
    """The array as the contents of an IDX file of bytes."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype("uint8").tobytes()


def write_mnist(folder, rows=40):
    """Four files like MNIST's: an image is black but for one bright row, and its digit says which."""
    folder.mkdir()
    labels = numpy.arange(rows) % 10
    images = numpy.zeros((rows, 28, 28))
    images[numpy.arange(rows), 2 * labels + 4, 4:24] = 255
    for part in ("train", "t10k"):
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx(images))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels))
    return folder


def write_images(folder, images):
    """Each image, 0.0 to 1.0, as a PNG of the size of the data set, light on dark."""
    side = math.isqrt(images.shape[1])
    places = [folder / f"{position}.png" for position in range(len(images))]
    for path, image in zip(places, images, strict=True):
        Image.fromarray((255 * image.reshape(side, side)).round().astype("uint8")).save(path)
    return places


def places_below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.fixture(autouse=True)
def coarse_pictures(monkeypatch):
    monkeypatch.setitem(matplotlib.rcParams, "savefig.dpi", 20)
    monkeypatch.setattr(digits, "WORST", 2)


# The job.

REFUSED = [
    ("model", "transformer"),
    ("rotation", -1.0),
    ("rotation", 181.0),
    ("rotation", math.nan),
    ("hidden", ()),
    ("hidden", (8, 0)),
    ("optimizer", "lbfgs"),
    ("lr", 0.0),
    ("lr", math.nan),
    ("lr", math.inf),
    ("schedule", "weekly"),
    ("weight_decay", -0.1),
    ("weight_decay", math.nan),
    ("weight_decay", math.inf),
    ("batch_size", 0),
    ("epochs", 0),
    ("validation", -0.1),
    ("validation", 1.0),
    ("validation", math.nan),
    ("seed", -1),
    ("seed", 2**32),
]


@pytest.mark.parametrize(("name", "setting"), REFUSED)
def test_a_setting_that_makes_no_sense_is_refused_by_name(name, setting):
    with pytest.raises(ValueError, match=name):
        replace(digits.DIGITS, **{name: setting})


@pytest.mark.parametrize(("name", "setting"), [("hidden", (8,)), ("lr", 0.0), ("rotation", -1.0), ("seed", -1)])
def test_settings_of_the_convolutional_network_are_checked_too(name, setting):
    with pytest.raises(ValueError, match=f"^{name} is "):
        replace(digits.MNIST_CONVOLUTION, **{name: setting})


def test_the_convolutional_network_is_not_for_small_images():
    with pytest.raises(ValueError, match="the model conv takes images of 28 x 28 pixels, got 64 pixels"):
        digits.learn(digits.MNIST_CONVOLUTION, digits.split_digits(seed=0))


def test_a_network_of_too_many_parameters_is_refused_before_it_is_made(monkeypatch):
    monkeypatch.setattr(digits, "MLP", lambda *arguments, **options: pytest.fail("it was made"))
    with pytest.raises(ValueError, match="hidden makes more than 2,000,000 parameters"):
        digits.learn(replace(digits.DIGITS, hidden=(10**4, 10**4)), digits.split_digits(seed=0))


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_each_digit_is_either_for_training_or_for_testing(seed):
    images, labels = load_digits()
    split = digits.split_digits(seed)
    parts = zip((split.train_images, split.test_images), (split.train_labels, split.test_labels), strict=True)
    rows = [numpy.column_stack(part) for part in parts]
    assert sorted(numpy.vstack(rows).tolist()) == sorted(numpy.column_stack([images, labels]).tolist())
    assert len(split.test_labels) == 360  # a fifth of 1,797, rounded up
    assert numpy.abs(numpy.bincount(split.test_labels) - numpy.bincount(labels) / 5).max() < 1


def test_one_seed_gives_one_split_and_another_seed_another():
    first, again, other = (digits.split_digits(seed).test_images for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_the_defaults_for_digits_are_right_about_97_of_100():
    result = digits.learn(digits.DIGITS, digits.split_digits(seed=0))
    assert [len(layer.neurons) for layer in result.model.layers] == [32, 10]
    assert result.accuracy >= 0.97


def test_the_default_network_for_mnist_is_784_128_64_10():
    assert digits.MNIST.hidden == (128, 64)


@pytest.mark.oracle("mnist")
@pytest.mark.long
def test_the_defaults_for_mnist_are_right_about_97_8_of_100():
    assert digits.learn(digits.MNIST, digits.Images(*load_mnist())).accuracy >= 0.978


def test_what_is_reported_is_what_scikit_learn_finds_in_the_probabilities():
    images = digits.split_digits(seed=3)
    result = digits.learn(digits.Settings(hidden=(8,), epochs=8, lr=0.01), images)
    labels, probabilities = images.test_labels, result.probabilities
    guesses = probabilities.argmax(axis=1)
    assert result.accuracy == pytest.approx(sklearn.metrics.accuracy_score(labels, guesses), abs=1e-12)
    assert 0.2 < result.accuracy < 0.95  # else a mistake could hide
    assert result.evaluation.loss == pytest.approx(sklearn.metrics.log_loss(labels, probabilities), rel=1e-9)
    assert (result.evaluation.confusion == sklearn.metrics.confusion_matrix(labels, guesses)).all()


def test_one_seed_gives_one_network_and_another_seed_another():
    images = digits.split_digits(seed=0)
    first, again, other = (
        digits.learn(digits.Settings(hidden=(4,), epochs=2, seed=seed), images).probabilities for seed in (1, 1, 2)
    )
    assert (first == again).all()
    assert (first != other).any()


def test_the_seed_gives_the_first_weights_and_the_order_of_the_images(monkeypatch):
    weights, seeds = [], []

    def watched(model, *arguments, rng, **options):
        weights.append(model.layers[0].neurons[0].weights[0].data)
        seeds.append(rng)
        raise KeyboardInterrupt

    monkeypatch.setattr(MLP, "fit", watched)
    for seed in (1, 1, 2):
        with pytest.raises(KeyboardInterrupt):
            digits.learn(digits.Settings(seed=seed), digits.split_digits(seed=0))
    assert weights[0] == weights[1] != weights[2]
    assert seeds == [1, 1, 2]


def test_the_worst_images_are_those_with_the_highest_loss(monkeypatch):
    monkeypatch.setattr(digits, "WORST", 24)
    draws = numpy.random.default_rng(0)
    probabilities, labels = draws.dirichlet(numpy.ones(10), size=50), draws.integers(0, 10, 50)
    worst, captions = digits.worst_classified(probabilities, labels)
    losses = [
        sklearn.metrics.log_loss(labels[[row]], probabilities[[row]], labels=numpy.arange(10)) for row in range(50)
    ]
    assert worst.tolist() == sorted(range(50), key=lambda row: -losses[row])[:24]
    for row, caption in zip(worst, captions, strict=True):
        truth, guess, probability = re.fullmatch(r"(\d), guess (\d) \((.*)\)", caption).groups()
        assert (int(truth), int(guess)) == (labels[row], probabilities[row].argmax())
        assert float(probability) == pytest.approx(probabilities[row].max(), abs=0.005)


def test_weight_decay_is_for_adamw_only(monkeypatch):
    seen = {}
    monkeypatch.setattr(MLP, "fit", lambda self, *arguments, **options: seen.update(options) or 1 / 0)
    for name, decay in {"adamw": 0.25, "adam": 0.0, "sgd": 0.0, "momentum": 0.0, "rmsprop": 0.0}.items():
        with pytest.raises(ZeroDivisionError):
            digits.learn(digits.Settings(optimizer=name, weight_decay=0.25), digits.split_digits(seed=0))
        assert seen["optimizer"].weight_decay == decay


@pytest.mark.parametrize("degrees", [0.0, 12.5])
def test_images_are_rotated_by_so_many_degrees_or_not_at_all(degrees, monkeypatch):
    seen = {}
    monkeypatch.setattr(MLP, "fit", lambda self, *arguments, **options: seen.update(options) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        digits.learn(replace(digits.DIGITS, rotation=degrees), digits.split_digits(seed=0))
    assert seen["augment"] == (Rotate(degrees) if degrees else None)


# The files and what is printed.


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with what `scalargrad digits` writes, validation included."""
    folder = tmp_path_factory.mktemp("home") / "a" / "new place"
    options = ["--hidden", "16", "--epochs", "12", "--seed", "5", "--validation", "0.1"]
    assert run("digits", *options, "--out", folder, "--save", folder / "m.safetensors") == 0
    return folder


def test_every_file_is_written_and_no_other(trained):
    assert {path.name for path in trained.iterdir()} == {*digits.FILES, "m.safetensors"}
    assert [path.name for path in trained.parent.iterdir()] == [trained.name]
    for path in trained.glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        assert path.read_bytes().endswith(b"IEND\xaeB`\x82")


def test_the_summary_holds_the_settings_the_results_and_the_versions(trained):
    summary = json.loads((trained / "summary.json").read_text(encoding="utf-8"))
    chosen = replace(digits.DIGITS, hidden=(16,), epochs=12, seed=5, validation=0.1)
    assert digits.Settings(**{**summary["settings"], "hidden": tuple(summary["settings"]["hidden"])}) == chosen
    assert summary["images"] == {"training": 1437, "test": 360}
    assert set(summary["training"]) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert set(summary["versions"]) == {"python", "scalargrad", "numpy", "scikit-learn", "matplotlib"}
    images = digits.split_digits(seed=5)
    right = load(trained / "m.safetensors").evaluate(images.test_images, images.test_labels)
    assert summary["test"] == {"loss": pytest.approx(right.loss, rel=1e-9), "accuracy": right.accuracy}


def test_it_says_what_came_of_it_and_where_everything_is(tmp_path, capsys):
    assert run("digits", *TINY, "--out", tmp_path / "out", "--save", tmp_path / "m.safetensors") == 0
    shown, errors = capsys.readouterr()
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert "MLP(64, [4, 10])" in shown
    assert f"accuracy on the test images: {summary['test']['accuracy']:.2%}" in shown
    for name in ("tracing", "compiling", "training"):
        assert re.search(rf"^{name} +\d+\.\d{{3}} s$", shown, re.MULTILINE)
    assert all(str(tmp_path / "out" / name) in shown for name in digits.FILES)
    assert str(tmp_path / "m.safetensors") in shown
    assert errors == ""  # no progress bar where there is no terminal
    assert places_below(tmp_path) == sorted(["m.safetensors", "out", *(f"out/{name}" for name in digits.FILES)])


def test_every_setting_can_be_chosen(tmp_path):
    chosen = digits.Settings("mlp", (3, 2), "momentum", 0.01, "cosine", 0.5, 50, 1, 5.0, 0.25, 9)
    options = ["--hidden", 3, 2, "--optimizer", "momentum", "--lr", 0.01, "--schedule", "cosine", "--epochs", 1]
    options += ["--weight-decay", 0.5, "--batch-size", 50, "--rotation", 5, "--validation", 0.25, "--seed", 9]
    assert run("digits", *options, "--out", tmp_path) == 0
    settings = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))["settings"]
    assert digits.Settings(**{**settings, "hidden": tuple(settings["hidden"])}) == chosen


@pytest.mark.long
@pytest.mark.parametrize("named", [True, False], ids=["--data", "SCALARGRAD_DATA"])
def test_mnist_trains_on_the_four_files(named, tmp_path, monkeypatch):
    folder = write_mnist(tmp_path / "data")
    monkeypatch.setenv("SCALARGRAD_DATA", str(tmp_path / "elsewhere" if named else folder))
    options = ["--data", folder] if named else []
    options += ["--hidden", 16, "--epochs", 30, "--batch-size", 8, "--lr", 0.01]
    assert run("mnist", *options, "--out", tmp_path / "out", "--save", tmp_path / "out" / "m.safetensors") == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*digits.FILES, "m.safetensors"}
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert summary["images"] == {"training": 40, "test": 40}
    assert summary["test"]["accuracy"] == 1.0


# The convolutional network.


def small_network(rng):
    """Reads what `write_mnist` writes: in which row the ink is."""
    rows = [AvgPool2d((2, 28)), Conv2d(1, 4, (3, 1), padding=(1, 0), rng=rng), relu, Flatten()]
    return Sequential(*rows, Layer(56, 10, activation="linear", init="he", rng=rng))


@pytest.fixture(scope="module")
def convolution(tmp_path_factory):
    """A folder with data like MNIST's and with what `scalargrad mnist --model conv` makes of them, with few scalars."""
    folder = tmp_path_factory.mktemp("convolution")
    data = write_mnist(folder / "data")
    options = ["--data", data, "--model", "conv", "--epochs", 100, "--lr", 0.05, "--batch-size", 8, "--rotation", 2]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(digits, "convolutional_network", small_network)
        assert run("mnist", *options, "--out", folder / "out", "--save", folder / "out" / "m.safetensors") == 0
    return folder


@pytest.mark.long
def test_a_convolutional_network_learns_and_writes_the_same_files(convolution):
    assert {path.name for path in (convolution / "out").iterdir()} == {*digits.FILES, "m.safetensors"}
    summary = json.loads((convolution / "out" / "summary.json").read_text(encoding="utf-8"))
    chosen = replace(digits.MNIST_CONVOLUTION, epochs=100, lr=0.05, batch_size=8, rotation=2.0)
    assert digits.Settings(**{**summary["settings"], "hidden": tuple(summary["settings"]["hidden"])}) == chosen
    assert summary["test"]["accuracy"] == 1.0


@pytest.mark.long
@pytest.mark.parametrize("count", [1, commands.FEW, commands.FEW + 1])
def test_predict_reads_with_a_convolutional_network(count, convolution, tmp_path, capsys):
    files = write_images(tmp_path, load_mnist(convolution / "data").test_images[:count])
    assert run("predict", convolution / "out" / "m.safetensors", *files) == 0
    found = shown_predictions(capsys.readouterr().out)
    assert [digit for _, digit, _ in found] == list(range(count))
    assert all(probabilities[0][1] > 50.0 for _, _, probabilities in found)


@pytest.mark.long
def test_only_many_pictures_are_worth_a_program(convolution, tmp_path, monkeypatch):
    files = write_images(tmp_path, load_mnist(convolution / "data").test_images[: commands.FEW + 1])
    engines = []

    def watched(model, images, engine):
        engines.append(engine)
        return numpy.full((len(images), 10), 0.1)

    monkeypatch.setattr(Module, "predict_proba", watched)
    for count in (1, commands.FEW, commands.FEW + 1):
        assert run("predict", convolution / "out" / "m.safetensors", *files[:count]) == 0
    assert engines == ["eager", "eager", "compiled"]


@pytest.mark.long
def test_the_network_of_13808_parameters_is_trained_and_read_by_its_command(tmp_path, capsys):
    """Two steps of 8 images: nothing is learned, but everything is made."""
    data = write_mnist(tmp_path / "data", rows=16)
    options = [
        "--data",
        data,
        "--model",
        "conv",
        "--epochs",
        1,
        "--batch-size",
        8,
        "--save",
        tmp_path / "m.safetensors",
    ]
    assert run("mnist", *options, "--out", tmp_path / "out") == 0
    shown = capsys.readouterr().out
    assert "Sequential, 13808 parameters" in shown
    assert re.search(r"^  total .* 13,808 ", shown, re.MULTILINE)
    model = load(tmp_path / "m.safetensors")
    assert [layer.p for layer in model.layers if hasattr(layer, "p")] == [0.1] * 6
    (file,) = write_images(tmp_path, load_mnist(data).test_images[:1])
    assert run("predict", tmp_path / "m.safetensors", file) == 0
    assert len(shown_predictions(capsys.readouterr().out)) == 1


def test_each_model_has_the_defaults_of_its_recipe(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(digits, "run", lambda settings, *arguments: seen.append(settings) or 1 / 0)
    data = write_mnist(tmp_path / "data")
    for options in ([], ["--model", "mlp"], ["--model", "conv"], ["--model", "conv", "--lr", 0.5, "--rotation", 0]):
        with pytest.raises(ZeroDivisionError):
            run("mnist", "--data", data, "--out", tmp_path / "out", *options)
    recipe = {"optimizer": "momentum", "lr": 0.01, "schedule": "constant", "batch_size": 128, "epochs": 20}
    convolutional = digits.Settings("conv", (), **recipe, weight_decay=0.0, rotation=7.0)
    assert seen == [digits.MNIST, digits.MNIST, convolutional, replace(convolutional, lr=0.5, rotation=0.0)]


CONVOLUTION_MISTAKES = [
    (["--hidden", "128"], "hidden is a setting of the MLP and not of conv, got [128]"),
    (["--hidden", "128", "64"], "hidden is a setting of the MLP and not of conv, got [128, 64]"),
    (["--model", "transformer"], "transformer"),
    (["--rotation", "-1"], "rotation"),
    (["--rotation", "nan"], "rotation"),
    (["--epochs", "0"], "epochs"),
]


@pytest.mark.parametrize(("options", "words"), CONVOLUTION_MISTAKES, ids=[row[1] for row in CONVOLUTION_MISTAKES])
def test_a_mistake_about_the_convolutional_network_is_one_line(options, words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("mnist", "--model", "conv", *options) == 2
    is_one_line(capsys.readouterr().err, words)
    assert list(tmp_path.iterdir()) == []


def test_other_files_in_the_folder_stay_and_old_results_go(tmp_path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    (tmp_path / "curves.png").write_text("old", encoding="utf-8")
    assert run("digits", *TINY, "--out", tmp_path) == 0
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert places_below(tmp_path) == sorted([*digits.FILES, "notes.txt"])


# predict.


def shown_predictions(text):
    """[(file, digit, [(digit, probability in %), ...])] of what predict printed."""
    found = []
    for line in text.splitlines():
        if row := re.fullmatch(r"  (\d)  +([\d.]+)%(?:  #+)?", line):
            found[-1][2].append((int(row[1]), float(row[2])))
        else:
            file, digit = line.rsplit(": ", 1)
            found.append((file, int(digit), []))
    return found


def test_predict_says_what_the_network_says(trained, tmp_path, capsys):
    images = digits.split_digits(seed=5).test_images[:12]
    files = write_images(tmp_path, images)
    assert run("predict", trained / "m.safetensors", *files) == 0
    found = shown_predictions(capsys.readouterr().out)
    expected = load(trained / "m.safetensors").predict_proba((255 * images).round() / 255)
    assert [file for file, _, _ in found] == list(map(str, files))
    for probabilities, (_, digit, rows) in zip(expected, found, strict=True):
        assert digit == rows[0][0] == probabilities.argmax()
        assert len(rows) == commands.LIKELIEST
        assert [chance for _, chance in rows] == sorted((chance for _, chance in rows), reverse=True)
        for shown, chance in rows:
            assert chance == pytest.approx(100 * probabilities[shown], abs=0.051)


@pytest.mark.long
def test_predict_knows_mnists_size_from_the_network(tmp_path, capsys):
    folder = write_mnist(tmp_path / "data")
    options = ["--data", folder, "--hidden", 16, "--epochs", 30, "--batch-size", 8, "--lr", 0.01]
    assert run("mnist", *options, "--out", tmp_path / "out", "--save", tmp_path / "m.safetensors") == 0
    files = write_images(tmp_path, load_mnist(folder).test_images[:10])
    capsys.readouterr()
    assert run("predict", tmp_path / "m.safetensors", *files) == 0
    assert [digit for _, digit, _ in shown_predictions(capsys.readouterr().out)] == list(range(10))


def test_a_bar_is_as_long_as_the_probability(trained, tmp_path, capsys, monkeypatch):
    chances = numpy.array([[0.5, 0.3, 0.1, 0.06, 0.04, 0, 0, 0, 0, 0]])
    monkeypatch.setattr(MLP, "predict_proba", lambda model, images, engine: chances)
    (file,) = write_images(tmp_path, digits.split_digits(seed=5).test_images[:1])
    monkeypatch.chdir(tmp_path)
    assert run("predict", trained / "m.safetensors", file.name) == 0
    assert capsys.readouterr().out.splitlines() == [
        "0.png: 0",
        "  0   50.0%  ###############",
        "  1   30.0%  #########",
        "  2   10.0%  ###",
        "  3    6.0%  ##",
    ]


@needs_posix
def test_a_name_that_cannot_be_printed_is_escaped(trained, tmp_path, capsys):
    (file,) = write_images(tmp_path, digits.split_digits(seed=5).test_images[:1])
    odd = file.rename(tmp_path / "two\nlines.png")
    assert run("predict", trained / "m.safetensors", odd) == 0
    assert r"two\nlines.png: " in capsys.readouterr().out


# Mistakes.


def is_one_line(errors, words):
    assert errors.startswith("scalargrad")
    assert ": error: " in errors
    assert errors[-1] == "\n"
    assert errors[:-1].isprintable()
    assert len(errors) < 600
    assert words in errors.replace(os.sep, "/")


NUMBERS = ["-1", "0", "nan", "inf", "two", "", "1e999"]
POSITIVE = ("--hidden", "--epochs", "--lr", "--batch-size")
FROM_ZERO = ("--weight-decay", "--rotation", "--validation", "--seed")
MISTAKES = [  # the options, and what the error names
    *(
        ([option, number], option)
        for option in (*POSITIVE, *FROM_ZERO)
        for number in NUMBERS
        if number != "0" or option not in FROM_ZERO
    ),
    (["--validation", "1"], "--validation"),
    (["--validation", "0.0001"], "--validation"),
    (["--hidden"], "--hidden"),
    (["--hidden", "100000", "100000"], "--hidden"),
    (["--optimizer", "lbfgs"], "--optimizer"),
    (["--optimizer", "sgd", "--lr", "1e308"], "smaller learning rate"),
    (["--schedule", "weekly"], "--schedule"),
    (["--rotation", "181"], "--rotation"),
    (["--model", "conv"], "--model"),
    (["--schedule", "line\nbreak"], "--schedule"),
    (["--seed", str(2**32)], "--seed"),
    (["--save"], "--save"),
    (["--save", ""], "--save"),
    (["--save", "m.txt"], "m.txt"),
    (["--save", "no/such/m.safetensors"], "no/such/m.safetensors"),
    (["--out", ""], "--out"),
    (["surplus"], "surplus"),
]


@pytest.mark.parametrize(("options", "words"), MISTAKES, ids=[repr(" ".join(options))[:30] for options, _ in MISTAKES])
def test_a_mistake_is_one_line_and_nothing_is_written(options, words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("digits", *TINY, *options) == 2
    shown, errors = capsys.readouterr()
    assert shown == ""
    is_one_line(errors.replace("_", "-"), words.removeprefix("--"))
    assert list(tmp_path.iterdir()) == []


SAVES = [
    "folder.safetensors",
    "out/folder.safetensors",
    "no/m.safetensors",
    "notes.txt/m.safetensors",
    pytest.param("/proc/m.safetensors", marks=needs_linux),
]


@pytest.mark.parametrize("save", SAVES)
def test_a_place_that_cannot_hold_the_network_is_refused_before_training(save, tmp_path, capsys, monkeypatch):
    for folder in ("folder.safetensors", "out/folder.safetensors"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    before = places_below(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(digits, "run", lambda *arguments: pytest.fail("it trained"))
    assert run("digits", *TINY, "--out", "out", "--save", save) == 2
    is_one_line(capsys.readouterr().err, save.removesuffix("/m.safetensors"))
    assert places_below(tmp_path) == before


OUTS = [
    "file",
    "file/below",
    "taken",
    pytest.param("dangling", marks=needs_posix),
    pytest.param("/proc/digits", marks=needs_linux),
]


@pytest.mark.parametrize("out", OUTS)
def test_a_place_that_cannot_hold_the_pictures_is_refused_before_training(out, tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("precious", encoding="utf-8")
    if out == "dangling":
        (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "taken" / "curves.png").mkdir(parents=True)
    before = places_below(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(digits, "run", lambda *arguments: pytest.fail("it trained"))
    assert run("digits", *TINY, "--out", out) == 2
    is_one_line(capsys.readouterr().err, "where a file is to be" if out == "taken" else "cannot be written to")
    assert places_below(tmp_path) == before
    assert (tmp_path / "file").read_text(encoding="utf-8") == "precious"


DAMAGE = {
    "no folder": (lambda folder: folder.rename(folder.with_name("away")), "there is no folder"),
    "a file": (
        lambda folder: (folder.rename(folder.with_name("away")), folder.write_text("", encoding="utf-8")),
        "cannot be read as a folder",
    ),
    "a file less": (lambda folder: (folder / "t10k-labels-idx1-ubyte").unlink(), "t10k-labels-idx1-ubyte"),
    "a file cut short": (
        lambda folder: os.truncate(folder / "train-images-idx3-ubyte", 999),
        "train-images-idx3-ubyte",
    ),
    "a label too high": (
        lambda folder: (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(numpy.full(40, 10))),
        "holds the label 10",
    ),
}


@pytest.mark.parametrize(("damage", "words"), DAMAGE.values(), ids=DAMAGE)
def test_data_that_are_not_mnist_are_named_and_nothing_is_written(damage, words, tmp_path, capsys):
    folder = write_mnist(tmp_path / "data")
    damage(folder)
    before = places_below(tmp_path)
    assert run("mnist", "--data", folder, "--out", tmp_path / "out", "--save", tmp_path / "m.safetensors") == 2
    is_one_line(capsys.readouterr().err, words)
    assert places_below(tmp_path) == before


def untrained(folder, *sizes):
    model = MLP(sizes[0], list(sizes[1:]), rng=0)
    model.save(folder / "m.safetensors")


def trained_with(loss, folder, *sizes):
    model = MLP(sizes[0], list(sizes[1:]), rng=0)
    inputs = numpy.zeros((2, sizes[0]))
    targets = [0, 1] if loss == "cross_entropy" else numpy.zeros((2, sizes[-1]))
    model.fit(inputs, targets, loss=loss, epochs=1, progress=False)
    model.save(folder / "m.safetensors")


def layers_trained(folder, *layers):
    model = Sequential(*layers)
    model.fitted_loss = "cross_entropy"
    model.save(folder / "m.safetensors")


def damage_a_number(folder):
    contents = bytearray((folder / "m.safetensors").read_bytes())
    contents[-1] ^= 1
    (folder / "m.safetensors").write_bytes(contents)


PREDICTIONS = {
    "no network": (lambda folder: (folder / "m.safetensors").unlink(), "m.safetensors"),
    "a folder": (
        lambda folder: ((folder / "m.safetensors").unlink(), (folder / "m.safetensors").mkdir()),
        "m.safetensors",
    ),
    "an empty file": (lambda folder: (folder / "m.safetensors").write_bytes(b""), "m.safetensors"),
    "a network cut short": (lambda folder: os.truncate(folder / "m.safetensors", 999), "m.safetensors"),
    "a flipped bit": (damage_a_number, "m.safetensors"),
    "2 inputs": (lambda folder: trained_with("cross_entropy", folder, 2, 10), "takes 2 and gives 10"),
    "65 inputs": (lambda folder: trained_with("cross_entropy", folder, 65, 4, 10), "takes 65 and gives 10"),
    "9 outputs": (lambda folder: trained_with("cross_entropy", folder, 64, 9), "takes 64 and gives 9"),
    "another loss": (lambda folder: trained_with("mse", folder, 64, 10), "was trained with mse"),
    "an untrained network": (lambda folder: untrained(folder, 64, 10), "was not trained by fit"),
    "three channels": (
        lambda folder: layers_trained(folder, Conv2d(3, 10, 28, rng=0), Flatten()),
        r"m.safetensors does not read digits: this Conv2d(3, 10, 28) takes an image of 3 channels, got [1, 28, 28]",
    ),
    "9 classes": (
        lambda folder: layers_trained(folder, Conv2d(1, 9, 28, rng=0), Flatten()),
        "m.safetensors does not read digits: it gives [9] for a picture",
    ),
    "images of classes": (lambda folder: layers_trained(folder, Conv2d(1, 10, 28, rng=0)), "does not read digits"),
    "images of images": (lambda folder: layers_trained(folder, MaxPool2d(2)), "does not read digits"),
    "nothing but one number": (lambda folder: layers_trained(folder, MLP(784, [1], rng=0)), "does not read digits"),
    "one number": (lambda folder: layers_trained(folder, Flatten(), MLP(784, [1], rng=0)), "does not read digits"),
    "no picture": (lambda folder: (folder / "0.png").unlink(), "0.png"),
    "a text": (lambda folder: (folder / "0.png").write_text("hello", encoding="utf-8"), "0.png is not a picture"),
    "an empty picture": (lambda folder: (folder / "0.png").write_bytes(b""), "0.png is empty"),
    "a picture cut short": (lambda folder: os.truncate(folder / "0.png", 60), "0.png"),
    "a blank picture": (lambda folder: write_images(folder, numpy.zeros((1, 64))), "0.png: the picture is blank"),
}


@pytest.mark.sampled(5)
@pytest.mark.parametrize(("damage", "words"), PREDICTIONS.values(), ids=PREDICTIONS)
def test_what_predict_cannot_use_is_named_in_one_line(damage, words, trained, tmp_path, capsys):
    (tmp_path / "m.safetensors").write_bytes((trained / "m.safetensors").read_bytes())
    write_images(tmp_path, digits.split_digits(seed=5).test_images[:2])
    damage(tmp_path)
    assert run("predict", tmp_path / "m.safetensors", tmp_path / "1.png", tmp_path / "0.png") == 2
    shown, errors = capsys.readouterr()
    assert shown == ""  # not even of the picture that was right
    is_one_line(errors, words)


# Ctrl-C.

STAGES = [
    *(f"demos.digits.{name}" for name in ("split_digits", "learn", "summarised", "write_summary")),
    *(f"plots.{name}" for name in ("curves.plot_curves", "mistakes.plot_confusion", "mistakes.plot_images")),
    *("nn.MLP.fit", "nn.MLP.save"),
]


@pytest.mark.sampled(5)
@pytest.mark.parametrize("stage", STAGES)
def test_ctrl_c_at_any_stage_leaves_everything_as_it_was(stage, tmp_path, capsys, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "curves.png").write_text("old", encoding="utf-8")
    (tmp_path / "m.safetensors").write_text("old", encoding="utf-8")

    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"scalargrad.{stage}", interrupted)
    assert run("digits", *TINY, "--out", tmp_path / "out", "--save", tmp_path / "m.safetensors") == 130
    assert capsys.readouterr() == ("", "scalargrad digits: interrupted\n")
    assert places_below(tmp_path) == ["m.safetensors", "out", "out/curves.png"]
    assert {path.read_text(encoding="utf-8") for path in tmp_path.rglob("*") if path.is_file()} == {"old"}


def test_what_fit_has_learned_before_a_ctrl_c_is_not_taken_for_the_result(tmp_path, capsys, monkeypatch):
    def interrupted(history, measures):
        raise KeyboardInterrupt

    monkeypatch.setattr(History, "add", interrupted)  # at the end of the first epoch: fit then returns
    assert run("digits", *TINY, "--out", tmp_path / "out") == 130
    assert capsys.readouterr() == ("", "scalargrad digits: interrupted\n")
    assert list(tmp_path.iterdir()) == []
