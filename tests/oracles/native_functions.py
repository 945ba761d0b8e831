"""The functions of vector_math over whole arrays, and how far from the truth they are: for tests and a benchmark."""

import ctypes
import math
import random
from collections.abc import Callable, Iterable
from typing import Any

import numpy
from mpmath import isnan, mp, mpf

from scalargrad.compiler.backends.native.code import BITS, Formula, function, rounded
from scalargrad.compiler.backends.native.running.target import Machine
from scalargrad.ops import OPERATIONS
from tests.oracles.mpmath import TRUTH, points

inf = math.inf

TYPES = {"double": numpy.float64, "float": numpy.float32}

# A loop over arrays, `repeats` times: the lengths are multiples of the width.
LOOP = """
define void @run_{name}(ptr noalias %results, ptr noalias %x0, ptr noalias %x1, i64 %count, i64 %repeats) {{
  br label %turn
turn:
  %done = phi i64 [ 0, %0 ], [ %more, %end ]
  br label %vector
vector:
  %i = phi i64 [ 0, %turn ], [ %next, %vector ]
  %a0 = getelementptr {number}, ptr %x0, i64 %i
  %a1 = getelementptr {number}, ptr %x1, i64 %i
  %v0 = load {vector}, ptr %a0, align {size}
  %v1 = load {vector}, ptr %a1, align {size}
  %y = call {vector} @{name}({arguments})
  %a = getelementptr {number}, ptr %results, i64 %i
  store {vector} %y, ptr %a, align {size}
  %next = add i64 %i, {width}
  %inside = icmp slt i64 %next, %count
  br i1 %inside, label %vector, label %end
end:
  %more = add i64 %done, 1
  %again = icmp slt i64 %more, %repeats
  br i1 %again, label %turn, label %finish
finish:
  ret void
}}
"""


class Native:
    """Formulas as functions of arrays: `native.exp(x)`. `repeats` computes the same several times, to be timed."""

    def __init__(self, formulas: dict[str, Formula], number: str, machine: Machine, width: int | None = None) -> None:
        self.machine, self.type = machine, TYPES[number]
        self.width = width or machine.width(self.type.__name__)
        mark = f"{number}_{len(machine.addresses)}"  # there may be others of this name
        texts = {
            f"run_{name}_{mark}": self._text(f"{name}_{mark}", formula, OPERATIONS[name].scalars, number, machine.fma)
            for name, formula in formulas.items()
        }
        addresses = machine.compiled(texts)
        for name in formulas:
            setattr(self, name, self._function(addresses[f"run_{name}_{mark}"]))

    def _text(self, name: str, formula: Formula, arguments: int, number: str, fma: bool) -> str:
        vector = f"<{self.width} x {number}>"
        given = ", ".join(f"{vector} %v{i}" for i in range(arguments))
        loop = LOOP.format(
            name=name, number=number, vector=vector, arguments=given, width=self.width, size=BITS[number] // 8
        )
        return function(name, formula, arguments, number, self.width, fma) + loop

    def _function(self, address: int) -> Callable[..., Any]:
        compiled = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3, *[ctypes.c_int64] * 2)(address)

        def run(*arrays: Any, repeats: int = 1) -> Any:
            count = len(arrays[0])
            padded = [numpy.append(x, numpy.ones(-count % self.width)).astype(self.type) for x in arrays]
            results = numpy.empty_like(padded[0])
            compiled(results.ctypes.data, padded[0].ctypes.data, padded[-1].ctypes.data, len(results), repeats)
            return results[:count]

        return run


def declarations(lines: Iterable[str]) -> list[str]:
    return [line for line in lines if line.startswith("declare")]


# Errors.

LARGEST = {"double": mpf(2) ** 1024 * (1 - mpf(2) ** -53), "float": mpf(2) ** 128 * (1 - mpf(2) ** -24)}
DIGITS = {"double": 53, "float": 24}
LEAST_EXPONENT = {"double": -1074, "float": -149}  # of the last digit

# Where each function is asked densely, beside the points of all magnitudes. Reductions change at ln(2)/2, pi/4, 1/2 ...
# fmt: off
RANGES = {
    "exp":     [(-750, 715), (-105, 90), (-2, 2), (0.34, 0.36)],
    "exp2":    [(-1080, 1030), (-152, 130), (-2, 2), (0.49, 0.51)],
    "expm1":   [(-750, 715), (-40, 90), (-2, 2), (0.34, 0.36)],
    "log":     [(0, 3), (0.7, 0.72), (1.4, 1.42), (0, 1000)],
    "log1p":   [(-1, 2), (-0.3, -0.29), (0.41, 0.42), (-1, 1000)],
    "log2":    [(0, 3), (0.7, 0.72), (1.4, 1.42), (0, 1000)],
    "log10":   [(0, 3), (0.7, 0.72), (1.4, 1.42), (0, 1000)],
    "sin":     [(-4, 4), (-100, 100), (-40000, 40000), (-(2.0**30), 2.0**30)],
    "cos":     [(-4, 4), (-100, 100), (-40000, 40000), (-(2.0**30), 2.0**30)],
    "tan":     [(-4, 4), (-100, 100), (-40000, 40000), (-(2.0**30), 2.0**30)],
    "asin":    [(-1, 1), (0.49, 0.51), (0.999, 1)],
    "acos":    [(-1, 1), (0.49, 0.51), (0.999, 1), (-1, -0.999)],
    "atan":    [(-1, 1), (0.4, 0.43), (2.3, 2.5), (-100, 100)],
    "sinh":    [(-715, 715), (-90, 90), (-20, 20), (-2, 2), (0.34, 0.36)],
    "cosh":    [(-715, 715), (-90, 90), (-20, 20), (-2, 2), (0.34, 0.36)],
    "asinh":   [(-3, 3), (-0.1, 0.1), (-1000, 1000), (2.0**27, 2.0**29)],
    "acosh":   [(1, 3), (1, 1.001), (1, 1000), (2.0**27, 2.0**29)],
    "atanh":   [(-1, 1), (-0.1, 0.1), (0.999, 1)],
    "tanh":    [(-20, 20), (-2, 2), (0.16, 0.18)],
    "sigmoid": [(-750, 40), (-105, 20), (-10, 10), (-2, 2)],
    "erf":     [(-6, 6), (-1, 1), (0.7, 0.8)],
    "erfc":    [(-6, 28), (-1, 1), (0.7, 0.8), (9, 11), (25, 27.5)],
}
# fmt: on


def in_ulp(value: float, exact, number: str) -> float:
    """|value - exact| in units in the last place of the exact number. Beyond the largest number lies inf."""
    if isnan(exact) or value != value:
        return 0.0 if isnan(exact) and value != value else inf
    if abs(exact) > LARGEST[number] and math.isinf(value):
        return 0.0 if (value > 0) == (exact > 0) else inf
    if math.isinf(exact):
        return inf
    exponent = mp.frexp(min(abs(exact), LARGEST[number]))[1] if exact else -inf
    unit = mpf(2) ** max(exponent - DIGITS[number], LEAST_EXPONENT[number])
    value = mpf(value) if math.isfinite(value) else math.copysign(1, value) * 2 ** mp.frexp(LARGEST[number])[1]
    return float(abs(value - exact) / unit)


def worst(name: str, number: str, native: Native, arguments: list[tuple]) -> tuple[float, tuple]:
    """The largest error, and where."""
    values = getattr(native, name)(*numpy.array(arguments, dtype=TYPES[number]).T).tolist()
    with mp.workdps(60):
        return max(
            (in_ulp(value, TRUTH[name].value(*map(mpf, args)), number), args)
            for value, args in zip(values, arguments, strict=True)
        )


def places(name: str, number: str, count: int, seed: int = 0) -> list[tuple]:
    """`count` points of all magnitudes, and as many in the ranges of the table."""
    source = random.Random(f"{name} {seed}")
    spread = list(points(OPERATIONS[name], count, seed))
    found = spread + dense(name, source, count)
    if number == "float":
        found = [args for args in (tuple(map(rounded, args)) for args in found) if all(args)]
    domains = [*OPERATIONS[name].domain] * 2
    return [args for args in found if all(low < x < high for x, (low, high) in zip(args, domains, strict=False))]


def dense(name: str, source: random.Random, count: int) -> list[tuple]:
    if name == "pow":
        return powers(source, count)
    if OPERATIONS[name].scalars == 2:
        return numbers_of_like_size(source, count)
    ranges = RANGES[name]
    return [(source.uniform(*ranges[i % len(ranges)]),) for i in range(count)]


def numbers_of_like_size(source: random.Random, count: int) -> list[tuple]:
    """Two numbers each: of any ratio up to 1000, and near those at which the reductions of atan2 and hypot change."""
    found = []
    for i in range(count):
        x = source.choice((-1.0, 1.0)) * 10.0 ** source.uniform(-30.0, 30.0)
        ratio = (10.0 ** source.uniform(-3.0, 3.0), math.sqrt(2.0) - 1.0, 1.0, 2.0**-30)[i % 4]
        y = x * ratio * source.choice((-1.0, 1.0)) * (1.0 + source.uniform(-1e-3, 1e-3))
        found.append((x, y) if source.random() < 0.5 else (y, x))
    return found


def powers(source: random.Random, count: int) -> list[tuple]:
    """Arguments of pow whose result is mostly a float: bases near 1, small whole exponents."""
    bases = [source.choice((1.0 + source.uniform(-1e-3, 1e-3), source.uniform(0.0, 30.0))) for _ in range(count)]
    return [
        (x, float(source.randint(-30, 30)) if i % 2 else source.uniform(-90.0, 90.0) / math.log(x))
        for i, x in enumerate(bases)
    ]
