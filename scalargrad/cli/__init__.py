"""The command: `scalargrad moons` and its siblings, one row of COMMANDS each.

Exit status: 0, or 2 after a mistake in one line on standard error, or 130 after Ctrl-C, or 141 where the reader of the
output has left. Files appear when they are finished, all at the end: a run that stops before leaves all as it was.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NamedTuple, NoReturn

from scalargrad.cli.options import READER_LEFT, finish_output, plain_where_needed, printable

LONGEST_ERROR = 500  # characters
INTERRUPTED, NOBODY_READS = 130, 141  # 128 + the numbers of SIGINT and SIGPIPE, as shells have it


class Command(NamedTuple):
    """A subcommand. Its module, loaded when it is called, has `add_NAME_options(parser)` and `run_NAME(options)`.

    What is wrong with its options, `run` reports as a ValueError.
    """

    name: str
    purpose: str
    module: str

    @property
    def add_options(self) -> Callable[[argparse.ArgumentParser], None]:
        return getattr(import_module(self.module), f"add_{self.name}_options")

    @property
    def run(self) -> Callable[[argparse.Namespace], None]:
        return getattr(import_module(self.module), f"run_{self.name}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with these arguments, or with those from the shell; returns the exit status.

    >>> main(["--version"])
    Traceback (most recent call last):
    SystemExit: 0
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = _parser(arguments)
    with plain_where_needed():
        try:
            try:
                return _run(parser, arguments)
            finally:
                finish_output()
        except OSError as error:
            if error.errno in READER_LEFT:
                return NOBODY_READS
            parser.error(f"standard output cannot be written ({error.strerror or error})")


def _run(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> int:
    options = parser.parse_args(arguments)
    if not options.command:
        parser.print_help()
        return 0
    try:
        options.command.run(options)
    except KeyboardInterrupt:
        print(f"{options.parser.prog}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except OSError as error:
        what = error.strerror or str(error)
        if error.filename:
            is_of_system = error.errno is not None and what == os.strerror(error.errno)
            what = f"{error.filename} ({what})" if is_of_system else f"{error.filename} {what}"
        options.parser.error(what)
    except ModuleNotFoundError as error:
        if (error.name or "scalargrad").startswith("scalargrad"):  # a mistake of ours
            raise
        options.parser.error(f"{error}: install scalargrad again, with the packages that it needs")
    except (FloatingPointError, ValueError) as error:
        options.parser.error(str(error))
    return 0


# fmt: off
COMMANDS = [
    Command("moons",   "train a network on two moons, and draw it",                "scalargrad.cli.moons"),
    Command("digits",  "train a network on small handwritten digits",              "scalargrad.cli.digits"),
    Command("mnist",   "train a network on the handwritten digits of MNIST",       "scalargrad.cli.digits"),
    Command("predict", "say which digit is in a picture",                          "scalargrad.cli.digits"),
    Command("gpt",     "train a GPT on names, and let it make up more",            "scalargrad.cli.names"),
    Command("draw",    "draw the graph of a formula, with its gradients",          "scalargrad.cli.graphs"),
    Command("explain", "write out the chain rule of a formula, with its numbers",  "scalargrad.cli.graphs"),
    Command("explore", "write a page in which the numbers of a formula are moved", "scalargrad.cli.graphs"),
    Command("step",    "write a page that goes through a formula step by step",    "scalargrad.cli.graphs"),
    Command("export",  "write a saved model as JavaScript, with a page to try it",  "scalargrad.cli.exports"),
]
# fmt: on


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, whatever was typed."""

    def error(self, message: str) -> NoReturn:
        line = printable(message)
        shown = line if len(line) <= LONGEST_ERROR else f"{line[:LONGEST_ERROR]} ..."
        self.exit(2, f"{self.prog}: error: {shown}\n")


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of these arguments: of the commands, only the one that is called has its options."""
    from scalargrad.support.version import __version__

    parser = _Parser(prog="scalargrad", description="A scalar autograd engine to learn from.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"scalargrad {__version__}")
    parser.set_defaults(command=None)
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND")
    called = next((argument for argument in arguments if not argument.startswith("-")), "")
    for command in COMMANDS:
        subparser = subparsers.add_parser(command.name, help=command.purpose, allow_abbrev=False)
        subparser.set_defaults(command=command, parser=subparser)
        if command.name == called:
            subparser.description = command.run.__doc__
            command.add_options(subparser)
    return parser
