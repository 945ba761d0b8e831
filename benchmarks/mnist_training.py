"""MNIST with the network 784-128-64-10: a recipe is chosen on held-out training images, then tested on the test images.

    SCALARGRAD_DATA=folder python benchmarks/mnist_training.py > benchmarks/results/mnist_training.txt

Choosing sees the 60,000 training images only: 50,000 to train on and 10,000, drawn with a fixed seed, to validate
with. Of each table the row with the highest validation accuracy after its last epoch is taken, whatever it is, trained
anew on all 60,000 images with three seeds, and tested once, after the last epoch. The seed gives the first weights and
the order of the rows. Only rate, decay, batch size and schedule are chosen: no augmentation, no dropout, no ensemble,
no picking of an epoch. Two of the chosen recipes are drawn by epoch, Adam's and plain SGD's, on the validation images:
results/mnist_training.png. Progress goes to standard error. float32, one core; about a quarter of an hour.
"""

import argparse
import platform
import statistics
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy
from numpy import ndarray
from peers import hold_to_cores

from scalargrad import MLP, SGD, Adam, AdamW
from scalargrad.datasets import Mnist, load_mnist
from scalargrad.plots import plot_comparison

HIDDEN, CLASSES = (128, 64), 10
HELD_OUT, SPLIT_SEED, CHOOSING_SEED = 10_000, 2026, 0
PICTURE = Path(__file__).parent / "results" / "mnist_training.png"


class Recipe(NamedTuple):
    """How a network is trained."""

    optimizer: str
    rate: float
    decay: float = 0.0
    schedule: str = "constant"
    batch: int = 128
    epochs: int = 50

    def make_optimizer(self) -> Any:
        if self.optimizer == "AdamW":
            return AdamW(lr=self.rate, weight_decay=self.decay)
        return {"Adam": Adam, "SGD": SGD}[self.optimizer](lr=self.rate)

    def __str__(self) -> str:
        decay = f", weight_decay={self.decay:g}" if self.decay else ""
        return f"{self.optimizer}(lr={self.rate:g}{decay}), {self.schedule}, batches of {self.batch}"


SHORT = [
    Recipe("Adam", 0.001, batch=64, epochs=10),
    Recipe("Adam", 0.001, schedule="cosine", batch=64, epochs=10),
    Recipe("Adam", 0.003, schedule="one_cycle", batch=64, epochs=10),
    Recipe("Adam", 0.003, schedule="one_cycle", epochs=10),
    Recipe("AdamW", 0.003, 0.1, "one_cycle", epochs=10),
    Recipe("AdamW", 0.005, 0.1, "one_cycle", epochs=10),
    Recipe("AdamW", 0.01, 0.1, "one_cycle", epochs=10),
]
UNREGULARISED = [
    Recipe("Adam", 0.001, batch=64),
    Recipe("Adam", 0.001, schedule="cosine", batch=64),
    Recipe("Adam", 0.003, schedule="one_cycle"),
]
REGULARISED = [
    Recipe("AdamW", 0.001, 1.0, "cosine"),
    Recipe("AdamW", 0.003, 0.1, "one_cycle"),
    Recipe("AdamW", 0.003, 0.3, "one_cycle"),
    Recipe("AdamW", 0.003, 1.0, "one_cycle"),
    Recipe("AdamW", 0.005, 0.1, "one_cycle"),
    Recipe("AdamW", 0.005, 0.3, "one_cycle"),
    Recipe("AdamW", 0.01, 0.1, "one_cycle"),
    Recipe("AdamW", 0.01, 0.3, "one_cycle"),
    Recipe("AdamW", 0.01, 0.2, "one_cycle", batch=256),
]
DESCENT = [
    Recipe("SGD", 0.1),
    Recipe("SGD", 0.3, schedule="one_cycle"),
    Recipe("SGD", 0.1, schedule="one_cycle", batch=32),
    Recipe("SGD", 0.3, schedule="one_cycle", batch=32),
]
SMALLEST = Recipe("SGD", 0.03, batch=32, epochs=1)


def train(recipe: Recipe, hidden: tuple[int, ...], seed: int, images: ndarray, labels: ndarray, **options: Any) -> Any:
    """A trained network and its history."""
    model = MLP(images.shape[1], [*hidden, CLASSES], init="he", rng=seed)
    history = model.fit(
        images,
        labels,
        loss="cross_entropy",
        optimizer=recipe.make_optimizer(),
        schedule=recipe.schedule,
        batch_size=recipe.batch,
        epochs=recipe.epochs,
        rng=seed,
        **options,
    )
    return model, history


# Choosing.


def choose(title: str, recipes: list[Recipe], data: Mnist) -> tuple[Recipe, Any]:
    """The recipe that is best on held-out training images, and its history."""
    order = numpy.random.default_rng(SPLIT_SEED).permutation(len(data.train_labels))
    held_out, rest = numpy.split(order, [HELD_OUT])
    images, labels = data.train_images[rest], data.train_labels[rest]
    validation = data.train_images[held_out], data.train_labels[held_out]
    histories = {}
    for recipe in recipes:
        print(f"choosing: {recipe}, {recipe.epochs} epochs", file=sys.stderr)
        _, histories[recipe] = train(recipe, HIDDEN, CHOOSING_SEED, images, labels, validation=validation)
    accuracies = {recipe: history["val_accuracy"][-1] for recipe, history in histories.items()}
    chosen = max(accuracies, key=accuracies.__getitem__)
    print(f"\n{title}\n{'':64}{'validation':>11}{'training loss':>15}")
    for recipe, history in histories.items():
        mark = "*" if recipe == chosen else " "
        print(f"{mark} {recipe!s:62}{accuracies[recipe]:>11.2%}{history['loss'][-1]:>15.2g}", flush=True)
    return chosen, histories[chosen]


# Testing.


class Tested(NamedTuple):
    """What three seeds of a recipe end with: accuracy on the test images, mean training loss of the last epoch."""

    accuracies: list[float]
    losses: list[float]


def test(title: str, recipe: Recipe, hidden: tuple[int, ...], seeds: int, data: Mnist) -> Tested:
    accuracies, losses, seconds = [], [], []
    for seed in range(seeds):
        print(f"testing: {recipe}, {recipe.epochs} epochs, seed {seed}", file=sys.stderr)
        model, history = train(recipe, hidden, seed, data.train_images, data.train_labels)
        accuracies.append(model.evaluate(data.test_images, data.test_labels).accuracy)
        losses.append(history["loss"][-1])
        seconds.append(history.seconds)
    epochs = f"{recipe.epochs} epoch{'s' if recipe.epochs > 1 else ''}"
    each = "  ".join(f"{accuracy:.2%}" for accuracy in accuracies)
    print(f"\n{title}\n  {recipe}, {epochs}, {statistics.mean(seconds):.1f} s")
    print(f"  test accuracy  {statistics.mean(accuracies):.2%}  (seeds: {each})")
    print(f"  training loss  {', '.join(f'{loss:.2g}' for loss in losses)} in the last epoch", flush=True)
    return Tested(accuracies, losses)


def goals(short: Tested, regularised: Tested, unregularised: Tested) -> None:
    """Each must hold for every seed."""
    print("\ngoals, for every seed")
    rows = [
        ("test accuracy after 10 epochs", min(short.accuracies), ">=", 0.978, ".2%"),
        ("test accuracy after 50 epochs", min(regularised.accuracies), ">=", 0.982, ".2%"),
        ("training loss without regularisation", max(unregularised.losses), "<", 0.001, ".2g"),
    ]
    for what, worst, sign, wanted, shape in rows:
        met = worst >= wanted if sign == ">=" else worst < wanted
        print(f"  {'met   ' if met else 'MISSED'} {what}: {worst:{shape}} at worst (goal: {sign} {wanted:{shape}})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="of each test (default 3)")
    options = parser.parse_args()
    hold_to_cores(1)  # one core, as is said

    data = load_mnist()
    print(f"{data!r}, network 784-128-64-10, cross-entropy, float32, one core, Python {platform.python_version()}")
    print(f"\nChoosing: {HELD_OUT:,} of the training images held out; after the last epoch; * is taken")
    print("(Accuracies of 98.5 % on 10,000 images that differ by less than 0.2 % may do so by chance.)")
    short, _ = choose("10 epochs", SHORT, data)
    regularised, adam_curve = choose("50 epochs, regularised", REGULARISED, data)
    unregularised, _ = choose("50 epochs, not regularised", UNREGULARISED, data)
    descent, descent_curve = choose("50 epochs, plain SGD", DESCENT, data)

    print("\n\nTesting: trained on all 60,000 images, tested after the last epoch")
    tested = [
        test(title, recipe, HIDDEN, options.seeds, data)
        for title, recipe in (
            ("Adam, 10 epochs", short),
            ("Adam, 50 epochs, regularised", regularised),
            ("Adam, 50 epochs, not regularised", unregularised),
        )
    ]
    test("plain SGD, 50 epochs", descent, HIDDEN, options.seeds, data)
    test("the smallest network, 784-10-10", SMALLEST, (10,), options.seeds, data)
    goals(*tested)
    draw({regularised.optimizer: adam_curve, "plain SGD": descent_curve})


def draw(histories: dict[str, Any]) -> None:
    plot_comparison(histories, ["loss", "val_accuracy"], "MNIST, 784-128-64-10").savefig(PICTURE)
    print(f"\nThe curves of two chosen recipes by epoch, validation included: {PICTURE.name}")


if __name__ == "__main__":
    main()
