"""Handwritten digits: a network that learns to read them, how well it reads digits it has not seen, and pictures of it.

The images of test are looked at once, after training: nothing is chosen by them.
"""

from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from scalargrad import datasets, plots
from scalargrad.checks import one_of
from scalargrad.demos.networks import convolutional_network
from scalargrad.demos.results import check, check_training, write_summary
from scalargrad.nn import MLP, Module
from scalargrad.optim import OPTIMIZERS
from scalargrad.schedules import SCHEDULES

if TYPE_CHECKING:
    from numpy import ndarray

    from scalargrad.training.history import History
    from scalargrad.training.prediction import Evaluation

CLASSES = range(10)
SHAPES = {"mlp": (-1,), "conv": (1, 28, 28)}  # of an image, as each model takes it
MOST_PARAMETERS = 2_000_000
WORST = 24  # images in mistakes.png
FILES = {
    "curves.png": "loss and accuracy by epoch",
    "confusion.png": "which digit was taken for which, on the test images",
    "mistakes.png": "the test images with the highest loss: truth, guess, probability of the guess",
    "summary.json": "settings, results, versions",
}


@dataclass(frozen=True)
class Settings:
    """All that a run depends on, beside the images: one seed gives the first weights and the order of the images.

    model     "mlp", with the sizes of its hidden layers; or "conv", `convolutional_network`, which has none to choose
    rotation  each image is turned by up to so many degrees to either side, another angle in each epoch

    The defaults were chosen on images held out of those to train on, in the manner of digits_training.py and
    mnist_training.py in benchmarks/. Those for the convolutional network are published: see mnist_convolution.py there.

    >>> Settings(batch_size=0)
    Traceback (most recent call last):
    ValueError: batch_size is at least 1, got 0
    """

    model: str = "mlp"
    hidden: tuple[int, ...] = (128, 64)
    optimizer: str = "adamw"
    lr: float = 0.01
    schedule: str = "one_cycle"
    weight_decay: float = 0.1
    batch_size: int = 128
    epochs: int = 10
    rotation: float = 0.0
    validation: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        one_of("model", self.model, SHAPES)
        if self.model != "mlp":
            check("hidden", list(self.hidden), not self.hidden, f"a setting of the MLP and not of {self.model}")
            replace(self, model="mlp", hidden=(1,))  # which checks all the others
            return
        check_training(self)
        one_of("schedule", self.schedule, SCHEDULES)
        decay = self.weight_decay
        check("weight_decay", decay, isfinite(decay) and decay >= 0.0, "a number from 0 on")
        check("batch_size", self.batch_size, self.batch_size >= 1, "at least 1")
        turned = self.rotation
        check("rotation", turned, 0.0 <= turned <= 180.0, "a number of degrees from 0 to 180")
        check("validation", self.validation, 0.0 <= self.validation < 1.0, "from 0 to less than 1")


MNIST = Settings()
MNIST_CONVOLUTION = Settings(
    model="conv",
    hidden=(),
    optimizer="momentum",
    lr=0.01,
    schedule="constant",
    weight_decay=0.0,
    batch_size=128,
    epochs=20,
    rotation=7.0,
)
DIGITS = Settings(hidden=(32,), lr=0.03, batch_size=32, epochs=120)


class Images(NamedTuple):
    """Images to train on and to test with, [n, side * side] of 0.0 to 1.0, and their labels [n], the digits 0 to 9."""

    train_images: "ndarray"
    train_labels: "ndarray"
    test_images: "ndarray"
    test_labels: "ndarray"


@dataclass(frozen=True)
class Result:
    """A trained network, how that went, and how it does on the test images."""

    model: Module
    history: "History"
    evaluation: "Evaluation"
    probabilities: "ndarray"  # float [n, 10], of each digit for each test image

    @property
    def accuracy(self) -> float:
        assert self.evaluation.accuracy is not None  # cross_entropy has one
        return self.evaluation.accuracy


def split_digits(seed: int) -> Images:
    """Scikit-learn's digits, one fifth of each kind for testing: 1,437 images and 360 others. A seed gives one split.

    >>> [array.shape for array in split_digits(seed=0)]
    [(1437, 64), (1437,), (360, 64), (360,)]
    """
    from sklearn.model_selection import train_test_split

    images, labels = datasets.load_digits()
    train_images, test_images, train_labels, test_labels = train_test_split(
        images, labels, test_size=0.2, stratify=labels, random_state=seed
    )
    return Images(train_images, train_labels, test_images, test_labels)


def learn(settings: Settings, images: Images) -> Result:
    """Make the network, train it, and test it. KeyboardInterrupt, if Ctrl-C ends the training.

    >>> result = learn(Settings(hidden=(2,), epochs=1), split_digits(seed=0))
    >>> result.model
    MLP(64, [2, 10]), 160 parameters
      layers.0  Layer(64, 2, relu)   130 parameters
      layers.1  Layer(2, 10, linear)  30 parameters
    >>> result.evaluation.confusion.shape
    (10, 10)
    """
    model = new_model(settings, images.train_images.shape[1])
    train_images, test_images = (shaped(settings, part) for part in (images.train_images, images.test_images))
    # Weight decay in other optimizers is another thing: there it goes through their steps.
    decay = {"weight_decay": settings.weight_decay} if settings.optimizer == "adamw" else {}
    history = model.fit(
        train_images,
        images.train_labels,
        loss="cross_entropy",
        optimizer=OPTIMIZERS[settings.optimizer](settings.lr, **decay),
        schedule=settings.schedule,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        validation=settings.validation or None,
        augment=datasets.Rotate(settings.rotation) if settings.rotation else None,
        rng=settings.seed,
    )
    if history.stopped:  # which only Ctrl-C does here
        raise KeyboardInterrupt
    evaluation = model.evaluate(test_images, images.test_labels)
    return Result(model, history, evaluation, model.predict_proba(test_images))


def new_model(settings: Settings, pixels: int) -> Module:
    """The untrained model for images of so many pixels. ValueError, if it does not take those, or is too large."""
    if settings.model == "conv":
        side = SHAPES["conv"][-1]
        if pixels != side * side:
            raise ValueError(f"the model conv takes images of {side} x {side} pixels, got {pixels} pixels")
        return convolutional_network(rng=settings.seed)
    sizes = [pixels, *settings.hidden, len(CLASSES)]
    if sum((sources + 1) * targets for sources, targets in pairwise(sizes)) > MOST_PARAMETERS:
        raise ValueError(f"hidden makes more than {MOST_PARAMETERS:,} parameters, the most that there may be")
    return MLP(sizes[0], sizes[1:], init="he", rng=settings.seed)


def shaped(settings: Settings, images: "ndarray") -> "ndarray":
    """Images [n, pixels] as the model takes them."""
    return images.reshape(len(images), *SHAPES[settings.model])


def run(settings: Settings, images: Images, folder: Path) -> Result:
    """Learn, and put the pictures and summary.json into a folder that exists."""
    result = learn(settings, images)
    shown = f"{result.accuracy:.2%} of {len(images.test_labels):,} test images"
    loss, accuracy = result.history["loss"][-1], result.history["accuracy"][-1]
    reached = f"Training: loss {loss:.4g}, accuracy {accuracy:.2%}"
    plots.plot_curves(result.history, reached).savefig(folder / "curves.png")
    plots.plot_confusion(result.evaluation.confusion, CLASSES, f"Right: {shown}").savefig(folder / "confusion.png")
    worst, captions = worst_classified(result.probabilities, images.test_labels)
    title = "The highest losses: truth, guess (its probability)"
    plots.plot_images(images.test_images[worst], captions, title).savefig(folder / "mistakes.png")
    write_summary(folder / "summary.json", summarised(settings, images, result))
    return result


def worst_classified(probabilities: "ndarray", labels: "ndarray") -> tuple["ndarray", list[str]]:
    """The positions of the images whose digit was given the least probability, least first, and captions for them.

    >>> import numpy
    >>> worst_classified(numpy.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]]), numpy.array([0, 1, 1]))
    (array([1, 2, 0]), ['1, guess 0 (0.80)', '1, guess 1 (0.70)', '0, guess 0 (0.90)'])
    """
    # The loss is -log of this probability.
    worst = probabilities[range(len(labels)), labels].argsort(kind="stable")[:WORST]
    guesses = probabilities.argmax(axis=1)
    captions = [f"{labels[row]}, guess {guesses[row]} ({probabilities[row, guesses[row]]:.2f})" for row in worst]
    return worst, captions


def summarised(settings: Settings, images: Images, result: Result) -> dict[str, Any]:
    """Contents of summary.json, beside the versions."""
    return {
        "settings": asdict(settings),
        "seed": settings.seed,
        "images": {"training": len(images.train_labels), "test": len(images.test_labels)},
        "training": {name: numbers[-1] for name, numbers in result.history.items()},
        "test": {"loss": float(result.evaluation.loss), "accuracy": result.accuracy},
        "seconds": round(result.history.seconds, 3),
        "preparation": {name: round(seconds, 3) for name, seconds in result.history.preparation.items()},
    }
