"""`scalargrad draw`, `explain`, `explore` and `step`: a formula and its numbers, as a picture, in words, as a page."""

import argparse
from collections.abc import Callable
from pathlib import Path

from scalargrad.cli.expressions import evaluate, parse_assignments
from scalargrad.cli.options import place, printable
from scalargrad.drawing import draw
from scalargrad.engine import Value
from scalargrad.explaining.explanation import explain
from scalargrad.files.atomic import replace_file, writable_target
from scalargrad.pages.explore import explore
from scalargrad.pages.page import Page
from scalargrad.pages.stepping import step_through

THEMES = ("light", "dark", "auto")
DETAILS = ("values", "folded", "units", "layers")
PAGES = (".html", ".htm")
ENDINGS = (".svg", ".png", ".pdf", ".dot", ".gv")


def add_formula(parser: argparse.ArgumentParser) -> None:
    """The formula and the numbers of its names, which all these commands take."""
    parser.add_argument(
        "formula", help='such as "tanh(x1*w1 + x2*w2 + b)": numbers, names, + - * / // %% **, operations'
    )
    parser.add_argument("numbers", nargs="*", metavar="NAME=NUMBER", help="such as x1=2 w1=-3")


def add_draw_options(parser: argparse.ArgumentParser) -> None:
    add_formula(parser)
    parser.add_argument(
        "-o", "--out", type=place, default=Path("graph.svg"), metavar="FILE", help=f"{' '.join(ENDINGS)}; graph.svg"
    )
    parser.add_argument("--theme", choices=THEMES, default="light")
    parser.add_argument("--detail", choices=DETAILS, help="chosen by size unless said")
    parser.add_argument("--title", default="", help="the formula unless said")


def add_explain_options(parser: argparse.ArgumentParser) -> None:
    add_formula(parser)
    parser.add_argument("--wrt", required=True, metavar="NAME", help="the name to differentiate by")


def add_explore_options(parser: argparse.ArgumentParser) -> None:
    _add_page_options(parser, "explore.html")


def add_step_options(parser: argparse.ArgumentParser) -> None:
    _add_page_options(parser, "steps.html")


def _add_page_options(parser: argparse.ArgumentParser, file: str) -> None:
    add_formula(parser)
    parser.add_argument("-o", "--out", type=place, default=Path(file), metavar="FILE", help=f".html; default {file}")
    parser.add_argument("--theme", choices=THEMES, default="auto")
    parser.add_argument("--title", default="", help="the formula unless said")


def run_draw(options: argparse.Namespace) -> None:
    """Compute a formula, run backward() from it, and draw its graph."""
    if options.out.suffix.lower() not in ENDINGS:
        raise ValueError(f"-o {options.out} ends in none of {', '.join(ENDINGS)}")
    writable_target(options.out)
    output, _ = computed(options)
    figure = draw(output, theme=options.theme, detail=options.detail, title=options.title or options.formula)
    try:
        contents = figure.contents(options.out.suffix)
    except RuntimeError as error:  # no Graphviz
        raise ValueError(str(error)) from error
    options.out.parent.mkdir(parents=True, exist_ok=True)
    replace_file(options.out, contents)
    print(printable(str(options.out)))


def run_explain(options: argparse.Namespace) -> None:
    """Compute a formula, and write out the chain rule for one of its names, with its numbers."""
    output, leaves = computed(options)
    if options.wrt not in leaves:
        raise ValueError(f"--wrt {options.wrt} is no name in the formula; it has {', '.join(leaves) or 'none'}")
    print(explain(output, leaves[options.wrt]))


def run_explore(options: argparse.Namespace) -> None:
    """Compute a formula, and write a page that computes it again for every number that is moved."""
    _write_page(options, explore)


def run_step(options: argparse.Namespace) -> None:
    """Compute a formula, and write a page that shows how, and how its gradients follow, step by step."""
    _write_page(options, step_through)


def _write_page(options: argparse.Namespace, make_page: Callable[..., Page]) -> None:
    if options.out.suffix.lower() not in PAGES:
        raise ValueError(f"-o {options.out} does not end in .html")
    writable_target(options.out)
    output, _ = evaluate(options.formula, parse_assignments(options.numbers))
    page = make_page(output, title=options.title or options.formula, theme=options.theme)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    page.save(options.out)
    print(printable(str(options.out)))


def computed(options: argparse.Namespace) -> tuple[Value, dict[str, Value]]:
    """The formula's value after backward(), and its names as leaves."""
    output, leaves = evaluate(options.formula, parse_assignments(options.numbers))
    output.backward()
    return output, leaves
