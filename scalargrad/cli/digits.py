"""`scalargrad digits`, `mnist` and `predict`: a network learns to read digits, is saved, and reads pictures."""

import argparse
from collections.abc import Callable
from math import isqrt, prod
from pathlib import Path

from scalargrad import datasets
from scalargrad.cli.options import (
    add_settings,
    check_writable,
    chosen_settings,
    finished_files,
    place,
    print_files,
    print_seconds,
    printable,
)
from scalargrad.demos import digits
from scalargrad.files.architecture import describe
from scalargrad.nn import Module, Sequential
from scalargrad.nn.loading import load
from scalargrad.optim import OPTIMIZERS
from scalargrad.schedules import SCHEDULES

SETTINGS = {
    "hidden": "neurons in each hidden layer",
    "optimizer": ", ".join(OPTIMIZERS),
    "lr": "highest learning rate",
    "schedule": f"of the learning rate: {', '.join(SCHEDULES)}",
    "weight_decay": "how strongly adamw shrinks the weights",
    "batch_size": "images of a step",
    "epochs": "passes over the images",
    "rotation": "degrees by which images are turned at most, another angle in each epoch",
    "validation": "fraction of the images for training that is only watched",
    "seed": "gives the first weights and the order of the images",
}
PRESETS = {"mlp": digits.MNIST, "conv": digits.MNIST_CONVOLUTION}
ENDING = ".safetensors"
SIDES = (8, 28)  # of the images of the two data sets
# Pictures that Values predict sooner than a program is made: 0.6 s each by the convolutional network, and 2.6 s.
FEW = 4
LIKELIEST = 4  # digits that predict shows
BAR = 30  # letters for a probability of 1


def add_digits_options(parser: argparse.ArgumentParser) -> None:
    """Every setting of `digits.Settings`, with its default for 8 x 8 pixels, and where to put what comes of it."""
    purposes = SETTINGS | {"seed": "gives the first weights, the order of the images, and which are for testing"}
    _add_training_options(parser, digits.DIGITS, purposes, "digits")
    parser.set_defaults(model="mlp")


def add_mnist_options(parser: argparse.ArgumentParser) -> None:
    """Where the data are, which model, and every setting of `digits.Settings`, with its defaults for 28 x 28 pixels."""
    parser.add_argument(
        "--data",
        type=place,
        metavar="FOLDER",
        help="the folder of MNIST's four files (default: that of SCALARGRAD_DATA, or else they are downloaded)",
    )
    parser.add_argument(
        "--model",
        choices=list(PRESETS),
        default="mlp",
        help="a multilayer perceptron, or a convolutional network of 13,808 parameters (default mlp)",
    )
    _add_training_options(parser, digits.MNIST, {name: _purpose(name) for name in SETTINGS}, "mnist")
    parser.set_defaults(**dict.fromkeys(SETTINGS))  # which depend on the model


def add_predict_options(parser: argparse.ArgumentParser) -> None:
    """The network and the pictures."""
    parser.add_argument("model", type=place, metavar="MODEL", help="what --save of digits or mnist wrote")
    parser.add_argument("images", type=place, nargs="+", metavar="IMAGE", help="a PNG, JPEG, GIF ... of one digit")


def run_digits(options: argparse.Namespace) -> None:
    """Train on scikit-learn's digits of 8 x 8 pixels, test on a fifth held out, and draw what came of it."""
    settings = chosen_settings(options, digits.DIGITS)
    _train(options, settings, lambda: digits.split_digits(settings.seed))


def run_mnist(options: argparse.Namespace) -> None:
    """Train on MNIST's 60,000 digits of 28 x 28 pixels, test on the 10,000 others, and draw what came of it."""
    preset = PRESETS[options.model]
    for name in SETTINGS:
        if getattr(options, name) is None:
            setattr(options, name, getattr(preset, name))
    settings = chosen_settings(options, preset)
    _train(options, settings, lambda: digits.Images(*datasets.load_mnist(options.data)))


def run_predict(options: argparse.Namespace) -> None:
    """Say which digit is in each picture, and how probable it and the next ones are."""
    model = load(options.model)
    shape = sample_shape(model, options.model)
    side = isqrt(prod(shape))
    images = [datasets.read_digit(path, side).reshape(shape) for path in options.images]
    engine = "eager" if len(images) <= FEW else "compiled"
    try:
        predictions = model.predict_proba(images, engine=engine)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{options.model} does not read digits: {error}") from error
    if predictions.shape != (len(images), len(digits.CLASSES)):
        raise ValueError(f"{options.model} does not read digits: it gives {list(predictions.shape[1:])} for a picture")
    for path, probabilities in zip(options.images, predictions, strict=True):
        likeliest = (-probabilities).argsort(kind="stable")[:LIKELIEST]
        print(f"{printable(str(path))}: {likeliest[0]}")
        for digit in likeliest:
            bar = "#" * round(BAR * probabilities[digit])
            print(f"  {digit}  {probabilities[digit]:6.1%}  {bar}".rstrip())


def sample_shape(model: Module, path: Path) -> tuple[int, ...]:
    """The shape of the images that the model of this file reads: [pixels], or [1, rows, columns] for a Sequential.

    ValueError, if it is none that reads digits; what is inside a Sequential is only seen when it reads.

    >>> from scalargrad.nn import MLP
    >>> sample_shape(MLP(64, [10], rng=0), Path("m.safetensors"))
    (64,)
    """
    if isinstance(model, Sequential):
        return digits.SHAPES["conv"]
    arguments = describe(model)["arguments"] or {}
    taken, given = arguments.get("fan_in"), arguments.get("fan_outs", [arguments.get("fan_out", 1)])[-1]
    sizes = [side * side for side in SIDES]
    if taken not in sizes or given != len(digits.CLASSES):
        raise ValueError(
            f"{path} is no network that reads digits: those take {' or '.join(map(str, sizes))} numbers and give "
            f"{len(digits.CLASSES)}; this one takes {taken} and gives {given}"
        )
    return (taken,)


def _purpose(name: str) -> str:
    """Purpose of a setting, with its default for the convolutional network, if that is another default."""
    if name == "hidden":
        return f"{SETTINGS[name]} of the MLP"
    ordinary, convolutional = (getattr(preset, name) for preset in PRESETS.values())
    return SETTINGS[name] if ordinary == convolutional else f"{SETTINGS[name]}; {convolutional} for conv"


def _add_training_options(
    parser: argparse.ArgumentParser, default: digits.Settings, purposes: dict[str, str], folder: str
) -> None:
    add_settings(parser, default, purposes)
    parser.add_argument("--save", type=place, metavar="FILE", help=f"also write the network, to a {ENDING} file")
    parser.add_argument("--out", type=place, default=Path(folder), metavar="FOLDER", help=f"default: {folder}")


def _train(options: argparse.Namespace, settings: digits.Settings, load_images: Callable[[], digits.Images]) -> None:
    """Train, write the files, and say what came of it; whatever stands in the way is found out before."""
    save, files = options.save, dict(digits.FILES)
    beside = save and save.absolute().parent == options.out.absolute()  # the pictures, and finished with them
    if save and save.suffix != ENDING:
        raise ValueError(f"--save {save} does not end in {ENDING}")
    if beside:
        files[save.name] = "the network"
    with finished_files(options.out, files) as unfinished:
        if save and not beside:
            check_writable(save)
        images = load_images()
        result = digits.run(settings, images, unfinished)
        if save:
            result.model.save(unfinished / save.name if beside else save)
    print(result.model.summary(digits.shaped(settings, images.test_images[:1])[0]))
    print_seconds({**result.history.preparation, "training": result.history.seconds})
    print(f"\naccuracy on the test images: {result.accuracy:.2%}\n")
    places = {options.out / name: content for name, content in files.items()}
    print_files(places | ({save: "the network"} if save else {}))
