"""What does it cost to notice changes? A call with and without much in reach, the guards alone, and tracing.

    python benchmarks/what_may_change.py [--rounds 400]

Calls of a training step and of a program of the moons network take turns, and each is compared with one that has
nothing in reach: 32,000 texts, a dictionary of 10,000 numbers and an array of a million that the loss does not read
(bound: 10 microseconds), and with losses that read the texts (50) or the dictionary (120). Each loss gives the same
numbers. All guards of the network 784-128-64-10 together: 35. Tracing twice, watched, with the walk over all that is in
reach, against two traces that are only compared with each other.
"""

import argparse
import gc
import statistics
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

TEXTS = [f"name {n}" for n in range(32_000)]
TABLE = {f"key {n}": n + 1.0 for n in range(10_000)}


class Reach:
    """An object that a loss can reach; `scale` is all that it needs."""

    def __init__(self, **more: Any) -> None:
        self.scale = 1.0
        vars(self).update(more)


def losses() -> dict[str, Any]:
    """Loss functions of one moons network each, equal in what they compute."""
    import numpy as np

    from scalargrad import MLP

    big = np.zeros(10**6)

    def plain(model: Any, reach: Reach) -> Callable:
        return lambda x, y: reach.scale * (model(x) - y) ** 2

    def reading_texts(model: Any, texts: list) -> Callable:
        return lambda x, y: len(texts) / 32_000 * (model(x) - y) ** 2

    def reading_table(model: Any, table: dict) -> Callable:
        return lambda x, y: table["key 0"] * (model(x) - y) ** 2

    def network() -> Any:
        return MLP(2, [16, 16, 1], activation="tanh", rng=0)

    return {
        "nothing in reach": plain(network(), Reach()),
        "not read": plain(network(), Reach(texts=TEXTS, table=TABLE, big=big)),
        "texts read": reading_texts(network(), TEXTS),
        "dictionary read": reading_table(network(), TABLE),
    }


def calls(rounds: int) -> None:
    import numpy as np

    from scalargrad import SGD, compile

    x = np.random.default_rng(0).normal(size=(8, 2))
    y = (x[:, 0] > 0.0) * 1.0
    programs = {name: compile(loss) for name, loss in losses().items()}
    trainers = {name: program.trainer(SGD(0.01)) for name, program in programs.items()}
    kinds: dict[str, dict[str, Callable[[], float]]] = {
        "trainer.step(X, Y)": {name: lambda t=trainer: t.step(x, y) for name, trainer in trainers.items()},
        "program(X, Y)": {name: lambda p=program: p(x, y) for name, program in programs.items()},
    }
    for kind, found in kinds.items():
        results = {name: call() for name, call in found.items()}
        assert len(set(results.values())) == 1, results
        spent: dict[str, list[float]] = {name: [] for name in found}
        for _ in range(rounds):
            for name, call in found.items():
                begin = perf_counter()
                call()
                spent[name].append(perf_counter() - begin)
        medians = {name: statistics.median(times) * 1e6 for name, times in spent.items()}
        first = medians["nothing in reach"]
        print(f"{kind:<20} {first:7.1f} us with nothing in reach")
        for name, median in medians.items():
            if name != "nothing in reach":
                print(f"  {name:<18} {median:7.1f} us, {median - first:+6.1f}")


def guards(rounds: int) -> None:
    import numpy as np

    from scalargrad import MLP, compile

    for name, model, width in (
        ("2-16-16-1", MLP(2, [16, 16, 1], rng=0), 2),
        ("784-128-64-10", MLP(784, [128, 64, 10], rng=0), 784),
    ):
        program = compile(lambda x, model=model: [model(x)])
        program(np.zeros((2, width)))
        assert program.last is not None
        spent = []
        for _ in range(rounds):
            begin = perf_counter()
            assert program.last.is_current
            spent.append(perf_counter() - begin)
        print(f"all guards of {name:<14} {statistics.median(spent) * 1e6:6.1f} us, least {min(spent) * 1e6:.1f}")


def tracing(rounds: int) -> None:
    from scalargrad import MLP
    from scalargrad.compiler.agreement import must_agree, traced_twice
    from scalargrad.compiler.trace import trace
    from tests.oracles.functions import ConvolutionalNetwork

    def unwatched(function: Callable, shape: tuple) -> None:
        must_agree(trace(function, [shape], [None]), trace(function, [shape], [None], moved=True))

    networks: dict[str, tuple[Any, tuple, int]] = {
        "2-16-16-1": (MLP(2, [16, 16, 1], rng=0), (2,), rounds // 4),
        "784-128-64-10": (MLP(784, [128, 64, 10], rng=0), (784,), rounds // 30),
        "convolutional": (ConvolutionalNetwork(), (28, 28), max(3, rounds // 130)),
    }
    for name, (model, shape, count) in networks.items():
        ways: dict[str, Callable] = {"watched": lambda f, shape: traced_twice(f, [shape], [None]), "not": unwatched}
        function = partial(model, label=0.0) if name == "convolutional" else lambda x, model=model: [model(x)]
        spent: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(count):
            for way, run in ways.items():
                gc.collect()
                gc.disable()
                begin = perf_counter()
                run(function, shape)
                spent[way].append(perf_counter() - begin)
                gc.enable()
        watched, plain = (statistics.median(times) * 1e3 for times in spent.values())
        print(f"tracing {name:<14} {watched:8.2f} ms watched, {plain:8.2f} not: {watched / plain:.2f} times")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=400)
    given = parser.parse_args()
    print(f"Python {sys.version.split()[0]}")
    calls(given.rounds)
    guards(given.rounds)
    tracing(given.rounds)
