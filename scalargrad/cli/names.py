"""`scalargrad gpt`: a GPT in scalars learns names, or the lines of a file, and makes up more of them."""

import argparse
from pathlib import Path

from scalargrad.cli.options import (
    add_settings,
    chosen_settings,
    finished_files,
    place,
    print_files,
    print_seconds,
    printable,
)
from scalargrad.demos import names
from scalargrad.support.words import plural

SETTINGS = {
    "steps": "steps of training, each on a batch of texts",
    "batch_size": "texts of a step",
    "lr": "learning rate of the first step: it falls along a line to 0",
    "longest": "tokens of a text that are read at most: its letters and its end",
    "names": "how many names are made up",
    "temperature": "below 1, likely letters become likelier when names are made up",
    "seed": "gives the first weights, the batches and the names that are made up",
    "backend": "who computes: native, numpy, jax; or eager: Values, one after another",
}
SHOWN = 20  # of the names made up


def add_gpt_options(parser: argparse.ArgumentParser) -> None:
    """Where the texts are, every setting of `names.Settings`, and where to put what comes of it."""
    parser.add_argument(
        "--data",
        type=place,
        metavar="FILE",
        help="a file in UTF-8 with a name, or another short text, a line (default: names that a grammar makes up)",
    )
    add_settings(parser, names.Settings(), SETTINGS)
    parser.add_argument("--out", type=place, default=Path("gpt"), metavar="FOLDER", help="default: gpt")


def run_gpt(options: argparse.Namespace) -> None:
    """Train a GPT on names, draw how it learned and where it looks, and show the names that it makes up."""
    settings = chosen_settings(options, names.Settings())
    with finished_files(options.out, names.FILES) as unfinished:
        data = names.data_from(options.data)
        tell(settings, data)
        result = names.run(settings, data, unfinished)
    print_seconds({"preparing": result.preparation, "training": result.seconds})
    known = "" if data.floor is None else f"; the grammar itself has {data.floor:.4f}"
    print(f"\n{plural(settings.steps, 'step')}: loss {result.loss:.4f}{known}\n")
    print(printable(" ".join(result.made_up[:SHOWN])), end="\n\n")
    print_files({options.out / name: content for name, content in names.FILES.items()})


def tell(settings: names.Settings, data: names.Data) -> None:
    """Print what is about to happen, and how long it takes before anything is seen."""
    longest, letters = max(map(len, data.texts)), len(data.letters) - 1
    print(f"{plural(len(data.texts), 'text')} of up to {plural(longest, 'letter')}, an alphabet of {letters}")
    cut = sum(len(text) >= settings.longest for text in data.texts)
    if cut:
        print(f"{plural(cut, 'text')} longer than {settings.longest - 1} letters: only the beginnings are learned")
    print(names.new_model(settings, data))
    tokens = min(settings.longest, longest + 1)
    if settings.backend != "eager":
        seconds = 3 + tokens**2 // 800 + letters // 100
        print(f"tracing and compiling for {tokens} tokens: about {seconds} s", flush=True)
