"""How exact is each operation? Values and derivatives against mpmath at 60 digits, the worst of many points.

    python -m benchmarks.accuracy > benchmarks/results/accuracy.txt

Errors are in units in the last place, beyond twice the condition number at that point; for the values of sum, mean,
dot and logsumexp in units of the sum of |terms|, for the higher derivatives of logsumexp and surprisal in units of the
product of probabilities that they are but for a factor that may be 0. The gradient by the base of pow, whose formula
rounds an exponent, is allowed |log x| ulp more. Points and truth are those of the tests (tests/oracles/mpmath.py);
second and third derivatives are asked for in the tails and at some points of at most four operands.

The columns of JavaScript are values and gradients of the same rows in node, and in Chromium: V8's functions differ from
the C library's, and those of one V8 from those of another.
"""

import argparse
import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from shutil import which

from scalargrad.ops import OPERATIONS, Op
from tests.javascript.rows import computed_rows
from tests.oracles.mpmath import (
    GRADIENT_ULP,
    HIGHER_ULP,
    VALUE_ULP,
    few_operands,
    points,
    tails,
    worst_case,
    worst_derivative,
)
from tests.oracles.needed import PROGRAMS
from tests.oracles.scripts import a_browser, in_a_page_of, in_node

COLUMNS = "{:12} {:>7} {:>9} {:>7} {:>7}   {:>7} {:>9} {:>7} {:>9}   {:>7} {:>9} {:>7}   {:34} {:34} {:24} {}"
Runs = Mapping[str, Callable | None]  # how a script is run in each engine, None where it is missing


def row(op: Op, options: argparse.Namespace, runs: Runs) -> str:
    worst = worst_case(op, points(op, options.points, options.seed))
    errors, places = [worst.value, worst.gradient], [worst.value_at, worst.gradient_at]
    for order in (2, 3):
        asked = itertools.chain(tails(op), few_operands(op, options.higher, options.seed)) if op.partials else ()
        error, place = worst_derivative(op, asked, order)
        errors.append(error)
        places.append(place)
    bounds = VALUE_ULP, GRADIENT_ULP[op.name], HIGHER_ULP
    numbers = [f"{error:.2f}" for error in errors]
    for run in runs.values():
        numbers += in_javascript(op, options, run) if run else ["-", "-"]
    numbers += [f"{bound:.0f}" for bound in bounds]
    return COLUMNS.format(op.name, *numbers, *map(shown, places)).rstrip()


def in_javascript(op: Op, options: argparse.Namespace, run: Callable) -> list[str]:
    """The worst value and the worst gradient of the row in JavaScript."""
    arguments = list(points(op, options.javascript, options.seed))
    found: Iterator = iter(computed_rows(run, op, arguments))
    worst = worst_case(op, arguments, computed=lambda op, args: next(found))
    return [f"{worst.value:.2f}", f"{worst.gradient:.2f}"]


def engines(stack: ExitStack) -> Runs:
    """Node and Chromium, as far as they are here."""
    node, chromium = which(PROGRAMS["node"]), which(PROGRAMS["chromium"])
    runs: dict[str, Callable | None] = {"node": None, "chromium": None}
    if node:
        runs["node"] = lambda script, data: in_node(node, script, data)
    if chromium:
        from playwright import sync_api

        browser = stack.enter_context(a_browser(sync_api, chromium))
        runs["chromium"] = stack.enter_context(in_a_page_of(browser))
    return runs


def shown(args: tuple) -> str:
    text = ", ".join(f"{x:.6g}" if isinstance(x, float) else f"{len(x)} numbers" for x in args)
    return text or "-"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=10_000, help="points for each operation (default 10,000)")
    parser.add_argument("--higher", type=int, default=60, help="of these for second and third derivatives (default 60)")
    parser.add_argument("--javascript", type=int, default=2_000, help="points in JavaScript (default 2,000)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(
        f"The worst of {options.points} points for each operation, of {options.higher} and the tails for the second and"
    )
    print(f"third derivatives, of {options.javascript} in JavaScript, in ulp beyond twice the condition number\n")
    names = ("value", "gradient", "second", "third")
    pairs = ("value", "gradient") * 2
    groups = ("worst", "", "", "", "node", "", "Chromium", "", "allowed", "", "", "worst at", "", "", "")
    print(COLUMNS.format("", *groups).rstrip())
    print(COLUMNS.format("operation", *names, *pairs, "value", "gradient", "higher", *names).rstrip())
    with ExitStack() as stack:
        runs = engines(stack)
        for op in [op for op in OPERATIONS.values() if op.name != "random"]:
            print(row(op, options, runs), flush=True)


if __name__ == "__main__":
    main()
