"""The command: `scalargrad moons` and its siblings, one row of COMMANDS each.

Exit status: 0, or 2 after a mistake in one line on standard error, or 130 after Ctrl-C. Files appear when they are
finished, all at the end: a run that stops before leaves everything as it was.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple, NoReturn

from scalargrad import moons
from scalargrad.graph_commands import add_draw_options, add_explain_options, run_draw, run_explain

LONGEST_ERROR = 500  # characters
INTERRUPTED = 130  # 128 + the number of SIGINT, as shells have it
METAVARS = {int: "N", float: "X", str: "NAME"}


class Command(NamedTuple):
    """A subcommand. What is wrong with its options, `run` reports as a ValueError."""

    name: str
    purpose: str
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with these arguments, or with those from the shell; returns the exit status.

    >>> main(["--version"])
    Traceback (most recent call last):
    SystemExit: 0
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if not options.command:
        parser.print_help()
        return 0
    try:
        options.command.run(options)
    except KeyboardInterrupt:
        print(f"{options.parser.prog}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        place = f"{error.filename} " if error.filename else ""
        options.parser.error(f"{place}{error.strerror or error}")
    except (FloatingPointError, ValueError) as error:
        options.parser.error(str(error))
    return 0


@contextmanager
def finished_files(folder: Path) -> Iterator[Path]:
    """A temporary folder, whose files move to `folder` at the end of the block, and vanish if it ends early.

    `folder` and the folders above it are made when needed; what it holds under other names stays.

    >>> with tempfile.TemporaryDirectory() as home:
    ...     with finished_files(Path(home) / "new") as unfinished:
    ...         _ = (unfinished / "a.txt").write_text("all of it")
    ...     (Path(home) / "new" / "a.txt").read_text()
    'all of it'
    """
    folder = folder.absolute()
    # Where a file can be moved from in one step: the folder itself or, until it exists, the nearest one above it.
    home = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    try:
        unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=home))
    except OSError as error:
        raise OSError(error.errno, f"cannot be written to ({error.strerror})", str(home)) from error
    try:
        yield unfinished
        folder.mkdir(parents=True, exist_ok=True)
        for file in sorted(unfinished.iterdir()):
            file.replace(folder / file.name)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def add_moons_options(parser: argparse.ArgumentParser) -> None:
    """Every setting of `moons.Settings`, with its default, and where to put the pictures."""
    default = moons.Settings()
    activations = "relu, tanh, sigmoid, linear, ... as in MLP"
    options: list[tuple[str, type, str]] = [
        ("samples", int, "how many points"),
        ("noise", float, "standard deviation of the noise on each coordinate"),
        ("hidden", int, "neurons in each hidden layer"),
        ("activation", str, f"of the hidden layers: {activations}"),
        ("output-activation", str, "of the output, likewise"),
        ("optimizer", str, ", ".join(moons.OPTIMIZERS)),
        ("lr", float, "learning rate"),
        ("epochs", int, "steps of training, each on all points"),
        ("alpha", float, "weight of the squared parameters in the loss"),
        ("seed", int, "gives the points and the first weights"),
        ("engine", str, ", ".join(moons.ENGINES)),
    ]
    for name, kind, purpose in options:
        preset = getattr(default, name.replace("-", "_"))
        several = isinstance(preset, tuple)
        shown = " ".join(map(str, preset)) if several else preset
        parser.add_argument(
            f"--{name}",
            type=kind,
            nargs="+" if several else None,
            default=preset,
            metavar=METAVARS[kind],
            help=f"{purpose} (default {shown})",
        )
    parser.add_argument("--animate", action="store_true", help="also write training.svg, the boundary as it moves")
    parser.add_argument("--out", type=_path, default=Path("moons"), metavar="FOLDER", help="default: moons")


def run_moons(options: argparse.Namespace) -> None:
    """Train on two moons, write the pictures, and say what came of it."""
    chosen = {field.name: getattr(options, field.name) for field in fields(moons.Settings)}
    settings = moons.Settings(**{**chosen, "hidden": tuple(options.hidden)})
    with finished_files(options.out) as unfinished:
        result = moons.run(settings, unfinished, options.animate)
    epochs = "1 epoch" if settings.epochs == 1 else f"{settings.epochs} epochs"
    print(result.model)
    for name, seconds in {**result.preparation, "training": result.seconds}.items():
        print(f"{name:<10} {seconds:.3f} s")
    print(f"\n{epochs}: loss {result.loss:.4f}, accuracy {result.accuracy:.1%}\n")
    files = moons.FILES | (moons.ANIMATION if options.animate else {})
    places = {str(options.out / name): content for name, content in files.items()}
    for place, content in places.items():
        print(f"  {place:<{max(map(len, places))}}  {content}")


COMMANDS = [
    Command("moons", "train a network on two moons, and draw it", add_moons_options, run_moons),
    Command("draw", "draw the graph of a formula, with its gradients", add_draw_options, run_draw),
    Command("explain", "write out the chain rule of a formula, with its numbers", add_explain_options, run_explain),
]


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, whatever was typed."""

    def error(self, message: str) -> NoReturn:
        line = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in message)
        shown = line if len(line) <= LONGEST_ERROR else f"{line[:LONGEST_ERROR]} ..."
        self.exit(2, f"{self.prog}: error: {shown}\n")


def _parser() -> argparse.ArgumentParser:
    from scalargrad import __version__

    parser = _Parser(prog="scalargrad", description="A scalar autograd engine to learn from.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"scalargrad {__version__}")
    parser.set_defaults(command=None)
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in COMMANDS:
        subparser = subparsers.add_parser(
            command.name, help=command.purpose, description=command.run.__doc__, allow_abbrev=False
        )
        command.add_options(subparser)
        subparser.set_defaults(command=command, parser=subparser)
    return parser


def _path(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("a name is missing")
    return Path(text)
