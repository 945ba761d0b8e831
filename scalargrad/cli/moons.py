"""`scalargrad moons`: a network learns two moons, and every step of it is drawn."""

import argparse
from pathlib import Path

from scalargrad.cli.options import add_settings, chosen_settings, finished_files, place, print_files, print_seconds
from scalargrad.demos import moons
from scalargrad.optim import OPTIMIZERS
from scalargrad.support.words import plural

ACTIVATIONS = "relu, tanh, sigmoid, linear, ... as in MLP"
SETTINGS = {
    "samples": "how many points",
    "noise": "standard deviation of the noise on each coordinate",
    "hidden": "neurons in each hidden layer",
    "activation": f"of the hidden layers: {ACTIVATIONS}",
    "output_activation": "of the output, likewise",
    "optimizer": ", ".join(OPTIMIZERS),
    "lr": "learning rate",
    "epochs": "steps of training, each on all points",
    "alpha": "weight of the squared parameters in the loss",
    "seed": "gives the points and the first weights",
    "engine": "a backend of fit, such as native, which is also called compiled, or eager",
}


def add_moons_options(parser: argparse.ArgumentParser) -> None:
    """Every setting of `moons.Settings`, with its default, and where to put the pictures."""
    add_settings(parser, moons.Settings(), SETTINGS)
    parser.add_argument(
        "--backend", dest="engine", default=argparse.SUPPRESS, metavar="NAME", help="another word for --engine"
    )
    parser.add_argument("--animate", action="store_true", help="also write training.svg, the boundary as it moves")
    parser.add_argument("--page", action="store_true", help="also write playground.html, where it trains in a browser")
    parser.add_argument("--out", type=place, default=Path("moons"), metavar="FOLDER", help="default: moons")


def run_moons(options: argparse.Namespace) -> None:
    """Train on two moons, write the pictures, and say what came of it."""
    settings = chosen_settings(options, moons.Settings())
    files = moons.FILES | (moons.ANIMATION if options.animate else {}) | (moons.PAGE if options.page else {})
    with finished_files(options.out, files) as unfinished:
        result = moons.run(settings, unfinished, options.animate, options.page)
    print(result.model)
    print_seconds({**result.preparation, "training": result.seconds})
    print(f"\n{plural(settings.epochs, 'epoch')}: loss {result.loss:.4f}, accuracy {result.accuracy:.1%}\n")
    print_files({options.out / name: content for name, content in files.items()})
