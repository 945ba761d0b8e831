"""The command: `scalargrad moons` and its siblings, one row of COMMANDS each.

Exit status: 0, or 2 after a mistake in one line on standard error, or 130 after Ctrl-C, or 141 where the reader of the
output has left. Files appear when they are finished, all at the end: a run that stops before leaves all as it was.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple, NoReturn

from scalargrad.cli.digits import (
    add_digits_options,
    add_mnist_options,
    add_predict_options,
    run_digits,
    run_mnist,
    run_predict,
)
from scalargrad.cli.graphs import add_draw_options, add_explain_options, run_draw, run_explain
from scalargrad.cli.moons import add_moons_options, run_moons
from scalargrad.cli.options import READER_LEFT, finish_output, plain_where_needed, printable

LONGEST_ERROR = 500  # characters
INTERRUPTED, NOBODY_READS = 130, 141  # 128 + the numbers of SIGINT and SIGPIPE, as shells have it


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


def _run(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> int:
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
        place = f"{error.filename} " if error.filename else ""
        options.parser.error(f"{place}{error.strerror or error}")
    except ModuleNotFoundError as error:
        if (error.name or "scalargrad").startswith("scalargrad"):  # a mistake of ours
            raise
        options.parser.error(f"{error}: install scalargrad again, with the packages that it needs")
    except (FloatingPointError, ValueError) as error:
        options.parser.error(str(error))
    return 0


COMMANDS = [
    Command("moons", "train a network on two moons, and draw it", add_moons_options, run_moons),
    Command("digits", "train a network on small handwritten digits", add_digits_options, run_digits),
    Command("mnist", "train a network on the handwritten digits of MNIST", add_mnist_options, run_mnist),
    Command("predict", "say which digit is in a picture", add_predict_options, run_predict),
    Command("draw", "draw the graph of a formula, with its gradients", add_draw_options, run_draw),
    Command("explain", "write out the chain rule of a formula, with its numbers", add_explain_options, run_explain),
]


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, whatever was typed."""

    def error(self, message: str) -> NoReturn:
        line = printable(message)
        shown = line if len(line) <= LONGEST_ERROR else f"{line[:LONGEST_ERROR]} ..."
        self.exit(2, f"{self.prog}: error: {shown}\n")


def _parser() -> argparse.ArgumentParser:
    from scalargrad.version import __version__

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
