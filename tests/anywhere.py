"""What the engine does where there is nothing but Python: numbers to compare with those of another Python or system.

    python -m tests.anywhere      # one line of JSON: chapter by chapter, its numbers and words

tests/docs/test_anywhere.py runs it without any other package, .ci/pyodide in node and in a browser.
"""

import base64
import gc
import gzip
import json
import math
import re
from collections.abc import Callable, Iterator
from itertools import chain

from scalargrad import (
    MLP,
    SGD,
    Adam,
    Value,
    cross_entropy,
    diagnose,
    dot,
    draw,
    explain,
    grad,
    gradients,
    hessian,
    hvp,
    jvp,
    mse,
    step_through,
)
from scalargrad.cli.expressions import evaluate
from scalargrad.ops import OPERATIONS

POINTS, TARGETS = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0.0, 1.0, 1.0, 0.0]


def neuron() -> Value:
    x, w, b = Value(2.0, "x"), Value(-3.0, "w"), Value(6.5, "b")
    return x * w + b


def backward() -> Iterator[float]:
    y = neuron() ** 2 / 3.0
    y.backward()
    w = y.operands[0].operands[0].operands[0].operands[1]
    assert w.label == "w"
    yield from (y.data, w.grad)
    assert math.isclose(w.grad, 2.0 * 0.5 * 2.0 / 3.0)


def edges() -> Iterator[float]:
    for x in (0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324, 1e308):
        for y in (Value(x) / 0.0, Value(x) * 10.0, Value(x) ** 2, Value(x).sqrt(), Value(x).exp(), Value(x).log()):
            y.backward()
            yield from (y.data, y.operands[0].grad)


def operations() -> Iterator[float]:
    for op in OPERATIONS.values():
        for data in (0.1, 0.7, 2.5) if op.scalars == 1 else ():
            x = Value(data)
            y = op(x)
            yield from (y.data, gradients(y, x))


def derivatives() -> Iterator[float]:
    def rosenbrock(v: list) -> Value:
        return (1.0 - v[0]) ** 2 + 100.0 * (v[1] - v[0] ** 2) ** 2

    yield from chain(*hessian(rosenbrock)([-1.2, 1.0]))
    yield from hvp(rosenbrock, [-1.2, 1.0], [1.0, 2.0])
    yield grad(grad(grad(lambda x: x**5)))(0.3)
    x = Value(0.3)
    yield jvp(x * x * x, x, 1.0)


def training() -> Iterator[float]:
    """relu and mse: nothing but correctly rounded arithmetic, and the powers of Adam."""
    model, optimizer = MLP(2, [8, 8, 1], activation="relu", rng=0), Adam(lr=0.05)
    for _ in range(100):
        loss = mse([model(point) for point in POINTS], TARGETS)
        model.zero_grad()
        loss.backward()
        optimizer.step(model.parameters())
        yield loss.data
    yield from (parameter.data for parameter in model.parameters())
    assert loss.data < 0.01


def classifying() -> Iterator[float]:
    model = MLP(2, [4, 2], activation="tanh", rng=1)
    loss = cross_entropy([model(point) for point in POINTS], [0, 1, 1, 0])
    loss.backward()
    yield loss.data
    yield from (parameter.grad for parameter in model.parameters())


def sums() -> Iterator[float]:
    tenths, ones = [0.1] * 10, [1.0] * 10
    yield from (dot(tenths, ones), dot([Value(x) for x in tenths], ones).data, evaluate("x + y", {"x": 1, "y": 2})[0])


def pictures() -> Iterator[str]:
    y = neuron()
    y.backward()
    units = draw(MLP(2, [3, 1], rng=0)(POINTS[1]), detail="units")
    for picture in (draw(y), draw(y, theme="dark"), units):
        yield re.sub(r"(scalargrad-\w+)-\d+", r"\1", picture.svg())  # a picture counts those of its process before it


def explanations() -> Iterator[str]:
    y = neuron() ** 2
    y.backward()
    w = y.operands[0].operands[0].operands[1]
    yield str(explain(y, w))
    yield explain(y, w)._repr_latex_()


def steps() -> Iterator[str]:
    page = step_through(neuron())
    yield page.summary
    (packed,) = re.findall(r'id="packed">(.*?)</script>', page.html)
    yield page.html.replace(packed, "")
    yield gzip.decompress(base64.b64decode(packed)).decode()  # what it is packed into differs from zlib to zlib


def diagnosis() -> Iterator[str]:
    model, optimizer = MLP(2, [3, 1], rng=0), SGD(lr=0.1)
    for forgets in (False, True):
        with diagnose(model) as report:
            for _ in range(3):
                loss = mse([model(point) for point in POINTS], TARGETS)
                if not forgets:
                    model.zero_grad()
                loss.backward()
                optimizer.step(model.parameters())
        yield from (finding.what for finding in report.findings)


def deep_chains() -> Iterator[float]:
    """Their gradients, and how many Values stay: the collector does not run, and garbage of others does not count."""
    collects = gc.isenabled()
    gc.disable()
    try:
        for length in (1_000, 100_000):
            before = _values()
            x = Value(1.0)
            y = x
            for _ in range(length):
                y = y + x
            y.backward()
            yield x.grad
            del x, y
            yield float(_values() - before)
    finally:
        if collects:
            gc.enable()


def _values() -> int:
    return sum(type(thing) is Value for thing in gc.get_objects())


# By how many ulp a chapter may differ from one system to another: their libraries of functions do.
CHAPTERS: dict[Callable[[], Iterator], int] = {
    backward: 0,
    edges: 2,
    operations: 8,
    derivatives: 0,
    training: 0,
    classifying: 64,
    sums: 0,
    pictures: 0,
    explanations: 0,
    steps: 0,
    diagnosis: 0,
    deep_chains: 0,
}


def told() -> dict[str, list[str]]:
    """What each chapter gives: floats to the bit, as `float.hex` writes them, and words."""
    return {chapter.__name__: [x if isinstance(x, str) else float(x).hex() for x in chapter()] for chapter in CHAPTERS}


def differences(ours: dict[str, list[str]], theirs: dict[str, list[str]]) -> list[str]:
    """One line for each chapter that differs by more than it may."""
    found = []
    for chapter, ulp in CHAPTERS.items():
        mine, other = ours[chapter.__name__], theirs.get(chapter.__name__, [])
        wrong = [pair for pair in zip(mine, other, strict=False) if not _agree(*pair, ulp)]
        if len(mine) != len(other):
            found.append(f"{chapter.__name__}: {len(other)} results, not {len(mine)}")
        elif wrong:
            x, y = wrong[0]
            found.append(f"{chapter.__name__}: {len(wrong)} of {len(mine)} differ, the first: {y[:99]}, not {x[:99]}")
    return found


def _agree(one: str, other: str, ulp: int) -> bool:
    if one == other:
        return True
    try:
        x, y = float.fromhex(one), float.fromhex(other)
    except ValueError:  # words
        return False
    return abs(x - y) <= ulp * math.ulp(x) and math.copysign(1.0, x) == math.copysign(1.0, y)


if __name__ == "__main__":
    print(json.dumps(told()))
