"""How exact is each operation? Its values and gradients against mpmath at 60 digits, the worst of many points.

    python -m benchmarks.accuracy > benchmarks/accuracy.txt

Errors are in units in the last place, beyond twice the condition number at that point; for sum, mean, dot and
logsumexp in units of the sum of |terms|. Two gradients are allowed more, because their formulas round an exponent:
|log x| ulp by the base of pow, 2 (|x| + |y|) ulp for y = logsumexp. The points and the truth are those of the tests
(tests/oracle.py).
"""

import argparse

from scalargrad.ops import OPERATIONS
from tests.oracle import GRADIENT_ULP, VALUE_ULP, Worst, points, worst_case


def row(name: str, worst: Worst) -> str:
    where = f"{shown(worst.value_at):34} {shown(worst.gradient_at)}".rstrip()
    bounds = f"{VALUE_ULP:7.0f} {GRADIENT_ULP[name]:9.0f}"
    return f"{name:12} {worst.value:7.2f} {worst.gradient:9.2f} {bounds}   {where}"


def shown(args: tuple) -> str:
    text = ", ".join(f"{x:.6g}" if isinstance(x, float) else f"{len(x)} numbers" for x in args)
    return text or "-"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=10_000, help="points for each operation (default 10,000)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(f"The worst of {options.points} points for each operation, in ulp beyond twice the condition number\n")
    print(f"{'':12} {'worst':>17} {'allowed':>17}   {'worst at':34}".rstrip())
    print(f"{'operation':12} {'value':>7} {'gradient':>9} {'value':>7} {'gradient':>9}   {'value':34} gradient")
    for op in [op for op in OPERATIONS.values() if op.name != "random"]:
        print(row(op.name, worst_case(op, points(op, options.points, options.seed))), flush=True)


if __name__ == "__main__":
    main()
