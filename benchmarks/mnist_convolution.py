"""The convolutional network of 13,808 parameters on MNIST: a published recipe, repeated, and one of our own.

    SCALARGRAD_DATA=folder python benchmarks/mnist_convolution.py > benchmarks/results/mnist_convolution.txt
    SCALARGRAD_DATA=folder python benchmarks/mnist_convolution.py --choose

The published one: SGD, rate 0.01, momentum 0.9, cross-entropy (negative log-likelihood of log-softmax), 20 epochs,
batches of 128, images normalised by 0.1307 and 0.3081, dropout 0.1, rotation by up to 7 degrees. Published for it:
99.34 % on the test images after the last epoch, 99.49 % in the best of the 20, which is a choice by the test images and
is repeated here as a way of counting only.

Ours has the same network and as many epochs. It was chosen among a few (RECIPES) by --choose, which trains with the
first 50,000 images and looks at the other 10,000, and was then run on the test images once. float32. Each epoch is
saved, so that a run that was stopped goes on: give it a folder with --keep.
"""

import argparse
import platform
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from scalargrad import SGD, Checkpoint, Constant, OneCycle, Schedule
from scalargrad.datasets import load_mnist
from scalargrad.datasets.augmentation import Augment, Rotate, Shift
from scalargrad.demos.networks import convolutional_network
from scalargrad.plots import plot_comparison
from scalargrad.training import History

PICTURE = Path(__file__).parent / "results" / "mnist_convolution.png"
HELD_OUT = 10_000  # of the images to train on, the last ones, for --choose
MEAN_OF_LASTS, BEST = "mean of the last epochs", "best epoch of the best seed"


class Recipe(NamedTuple):
    rate: float
    dropout: float
    augment: Any
    schedule: Schedule = OneCycle()
    nesterov: bool = True
    batch_size: int = 128


RECIPES = {  # --choose, seed 0: 99.45 % of the images held out with little dropout, 99.52 % with none
    "published": Recipe(0.01, 0.1, Rotate(7.0), Constant(), nesterov=False),
    "little dropout": Recipe(0.1, 0.05, Augment(Rotate(10.0), Shift(2))),
    "no dropout": Recipe(0.1, 0.0, Augment(Rotate(10.0), Shift(1))),
}
OURS = "no dropout"
GOALS = {"published": {MEAN_OF_LASTS: 0.9925, BEST: 0.9945}, OURS: {MEAN_OF_LASTS: 0.9950}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--choose", action="store_true", help="hold out images to train on, and leave the test alone")
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, help="which ones; else the published one and ours")
    parser.add_argument("--seeds", type=int, nargs="+", help="0 1 2, or 0 with --choose")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--keep", type=Path, help="a folder for the runs; one that is there is resumed")
    options = parser.parse_args()
    names = options.recipes or (list(RECIPES)[1:] if options.choose else ["published", OURS])
    seeds = options.seeds or ([0] if options.choose else [0, 1, 2])
    train_images, train_labels, test_images, test_labels = load_mnist()
    train = train_images.reshape(-1, 1, 28, 28), train_labels
    test = test_images.reshape(-1, 1, 28, 28), test_labels
    if options.choose:
        train, test = tuple(a[:-HELD_OUT] for a in train), tuple(a[-HELD_OUT:] for a in train)
    print(f"Python {platform.python_version()}, {len(train[0]):,} images to train on, {options.epochs} epochs")
    print(
        f"accuracy on {HELD_OUT:,} images held out of those to train on" if options.choose else "accuracy on the test"
    )
    histories = {}
    for name in names:
        print(f"\n{name}: {RECIPES[name]}\n")
        found = []
        for seed in seeds:
            with tempfile.TemporaryDirectory() as folder:
                file = (options.keep or Path(folder)) / f"{name.replace(' ', '_')}_{seed}.safetensors"
                found.append(trained(RECIPES[name], seed, options.epochs, train, test, file))
        print_summary(found, {} if options.choose else GOALS.get(name, {}))
        histories[name] = found[0]
    if not options.choose:
        title = f"13,808 parameters on MNIST, seed {seeds[0]}, validation by the test"
        plot_comparison(histories, ["loss", "val_accuracy"], title).savefig(PICTURE)


def trained(recipe: Recipe, seed: int, epochs: int, train: tuple, test: tuple, file: Path) -> History:
    model = convolutional_network(recipe.dropout, rng=seed)
    history = model.fit(
        *train,
        loss="cross_entropy",
        optimizer=SGD(recipe.rate, momentum=0.9, nesterov=recipe.nesterov),
        schedule=recipe.schedule,
        epochs=epochs,
        batch_size=recipe.batch_size,
        validation=test,  # watched, never used
        augment=recipe.augment,
        callbacks=[Checkpoint(file), lambda run: print(run.epoch, run.measures, file=sys.stderr, flush=True)],
        resume=file if file.exists() else None,
        rng=seed,
    )
    accuracies = history["val_accuracy"]
    print(
        f"seed {seed}: last epoch {accuracies[-1]:.2%}, best epoch {max(accuracies):.2%} "
        f"(number {1 + accuracies.index(max(accuracies))}), training loss {history['loss'][-1]:.4f}, "
        f"{history.seconds / history.epochs:.1f} s an epoch, tracing and compiling "
        f"{sum(history.preparation.values()):.1f} s",
        flush=True,
    )
    return history


def print_summary(histories: list[History], goals: dict[str, float]) -> None:
    found = {
        MEAN_OF_LASTS: statistics.mean(history["val_accuracy"][-1] for history in histories),
        BEST: max(max(history["val_accuracy"]) for history in histories),
    }
    for what, accuracy in found.items():
        goal = f"   {'met' if accuracy >= goals[what] else 'MISSED'} (goal: {goals[what]:.2%})" if what in goals else ""
        print(f"{what:<30}{accuracy:.2%}{goal}")


if __name__ == "__main__":
    main()
