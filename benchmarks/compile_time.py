"""How long does compiling take, pass by pass, and how much memory? Each function in a process of its own.

    python benchmarks/compile_time.py [--only convolution] [--runs 3]

The functions are those of tests/oracles/functions.py. The bound: the convolutional network, about 200,000 scalars of
one 28x28 image, goes from function to program in under 4 s and 1 GiB. A chain 10,000 deep is the worst case of another
kind: an instruction for every operation.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

PASSES = ("trace", "trace again", "compare", "simplify", "roll", "differentiate", "plan", "first run")
BOUND_SECONDS, BOUND_MEBIBYTES = 4.0, 1024.0


def functions() -> dict[str, Callable[[], Any]]:
    from tests.oracles.functions import CASES, Case, ConvolutionalNetwork, chain, numbers

    def convolution() -> Case:
        network = ConvolutionalNetwork()
        return Case(network, network.parameters(), (numbers(8, 28, 28), numbers(8) * 0.0))

    return {
        "perceptron 2-16-16-1": CASES["2-16-16-1"],
        "attention": CASES["attention"],
        "chain of 10,000": lambda: chain(10_000),
        "convolution": convolution,
    }


def measure(name: str) -> dict[str, Any]:
    """Seconds of each pass, sizes, and the most memory that the process has used."""
    import numpy as np

    from scalargrad.compiler.agreement import must_agree
    from scalargrad.compiler.backends.reference import NumpyBackend
    from scalargrad.compiler.differentiate import differentiate
    from scalargrad.compiler.plan import plan
    from scalargrad.compiler.roll import roll
    from scalargrad.compiler.simplify import simplify
    from scalargrad.compiler.trace import trace

    case = functions()[name]()
    shapes, passed = [np.shape(array)[1:] for array in case.arrays], [None] * len(case.arrays)
    widths = [int(np.prod(shape)) for shape in shapes]
    memory_before = memory()
    seconds: dict[str, float] = {}

    def timed(label: str, action: Callable[[], Any]) -> Any:
        begin = time.perf_counter()
        result = action()
        seconds[label] = time.perf_counter() - begin
        return result

    first = timed("trace", lambda: trace(case.function, shapes, passed))
    second = timed("trace again", lambda: trace(case.function, shapes, passed))
    timed("compare", lambda: must_agree(first, second))
    scalars = timed("simplify", lambda: simplify(first))
    program = timed("roll", lambda: roll(scalars, widths))
    program = timed("differentiate", lambda: differentiate(program))
    program = timed("plan", lambda: plan(program))
    memory_compiled = memory()
    rows = [np.asarray(array, dtype=float).reshape(len(array), -1) for array in case.arrays]
    backend = NumpyBackend(program, "float64")
    leaves = [leaf.data for leaf in (*program.parameters, *program.buffers)]
    timed("first run", lambda: backend.run(np.concatenate(rows, axis=1).T, leaves, len(rows[0])))
    return {
        "seconds": seconds,
        "traced": len(first.tracers),
        "scalars": program.scalars,
        "forward": sum(not i.backward for i in program.instructions),
        "all": len(program.instructions),
        "before": memory_before,
        "compiled": memory_compiled,
        "most": memory(),
    }


def memory() -> float:
    """The most that this process has used, in MiB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)


def report(name: str, results: list[dict[str, Any]]) -> None:
    last = results[-1]
    print(
        f"\n{name}: {last['traced']:,} traced operations, {last['scalars']:,} scalars, {last['forward']} instructions"
    )
    print(f"  and with gradients {last['all']}")
    total = 0.0
    for label in PASSES:
        middle = statistics.median(result["seconds"][label] for result in results)
        total += middle if label != "first run" else 0.0
        print(f"  {label:<14} {middle:8.3f} s")
    print(f"  {'to a program':<14} {total:8.3f} s, {last['compiled']:.0f} MiB (imports {last['before']:.0f} MiB)")
    if name == "convolution":
        within = total < BOUND_SECONDS and last["compiled"] < BOUND_MEBIBYTES
        print(f"  {'within' if within else 'OVER'} the bound of {BOUND_SECONDS:.0f} s and {BOUND_MEBIBYTES:.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help="one of the functions, by a part of its name")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure)))
        return
    for name in functions():
        if arguments.only and arguments.only not in name:
            continue
        command = [sys.executable, __file__, "--measure", name]
        runs = [
            subprocess.run(command, capture_output=True, encoding="utf-8", check=True) for _ in range(arguments.runs)
        ]
        report(name, [json.loads(run.stdout) for run in runs])


if __name__ == "__main__":
    main()
