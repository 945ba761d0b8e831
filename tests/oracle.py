"""Oracles for the tests: the truth about every operation from mpmath, and points at which to ask for it."""

import importlib
import math
import os
import random
import sys
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from mpmath import mp, mpf

from scalargrad.engine import Value
from scalargrad.ops import OPERATIONS, Op

DIGITS = 60
VALUE_ULP, GRADIENT_ULP = 4.0, dict.fromkeys(OPERATIONS, 8.0) | {"pow": 16.0}  # beyond twice the condition number
LARGEST = sys.float_info.max
SMALLEST = sys.float_info.min  # of the floats with all their digits


def oracle(module: str) -> ModuleType:
    """A module that is no dependency: without it the test is skipped, or fails if SCALARGRAD_REQUIRE_ORACLES is set."""
    if os.environ.get("SCALARGRAD_REQUIRE_ORACLES"):
        return importlib.import_module(module)
    return pytest.importorskip(module)


class Truth(NamedTuple):
    """What is known about an operation, in mpmath's arithmetic.

    value        the operation
    derivatives  one for each operand, lists opened; None where it is flat wherever it is smooth
    terms        what is added up on the way to the value, where the error is judged against the sum of |terms|
    slack        for each derivative, the ulp allowed beyond the condition number, for a reason that the table gives
    through      what the derivatives pass through: they are not judged where that leaves the normal floats
    """

    value: Callable[..., Any]
    derivatives: Callable[..., tuple] | None = None
    terms: Callable[..., Iterable] | None = None
    slack: Callable[..., Iterable] | None = None
    through: Callable[..., Iterable] | None = None


def sigmoid(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def softplus(x: Any) -> Any:
    return x + mp.log1p(mp.exp(-x)) if x > 0 else mp.log1p(mp.exp(x))


def erfc(x: Any) -> Any:
    return mp.erfc(x) if x < 1e9 else mp.exp(-x * x) / (x * mp.sqrt(mp.pi))  # mpmath's own fails from 1e154 on


def normal_density(x: Any) -> Any:
    return mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)


def normal_probability(x: Any) -> Any:
    return erfc(-x / mp.sqrt(2)) / 2


def logsumexp(xs: tuple) -> Any:
    return max(xs) + mp.log(mp.fsum(mp.exp(x - max(xs)) for x in xs))


def softmax(xs: tuple) -> tuple:
    y = logsumexp(xs)
    return tuple(mp.exp(x - y) for x in xs)


def exponent_sizes(xs: tuple) -> list:
    """The slopes of logsumexp are exp(x - y): what x and y lose when they are rounded, in ulp of the result."""
    y = logsumexp(xs)
    return [2 * (abs(x) + abs(y)) for x in xs]


def unit_vector(length: int, position: int) -> tuple:
    return tuple(int(here == position) for here in range(length))


def shares(xs: tuple, best: Any) -> tuple:
    return tuple(mpf(x == best) / xs.count(best) for x in xs)


def choice(condition: Any, choices: tuple) -> Any:
    return choices[0 if condition else 1]


# fmt: off
TRUTH = {
    "add":        Truth(lambda x, y: x + y,     lambda x, y: (1, 1)),
    "sub":        Truth(lambda x, y: x - y,     lambda x, y: (1, -1)),
    "mul":        Truth(lambda x, y: x * y,     lambda x, y: (y, x)),
    "div":        Truth(lambda x, y: x / y,     lambda x, y: (1 / y, -x / y**2),
                        through=lambda x, y: (x / y,)),
    "neg":        Truth(lambda x: -x,           lambda x: (-1,)),
    "pow":        Truth(lambda x, n: x**n,      lambda x, n: (n * x**(n - 1), mp.log(x) * x**n),
                        slack=lambda x, n: (abs(mp.log(x)), 0),  # n - 1 is rounded
                        through=lambda x, n: (x**n, x**(n - 1))),
    "exp":        Truth(mp.exp,                 lambda x: (mp.exp(x),)),
    "expm1":      Truth(mp.expm1,               lambda x: (mp.exp(x),)),
    "log":        Truth(mp.log,                 lambda x: (1 / x,)),
    "log1p":      Truth(mp.log1p,               lambda x: (1 / (1 + x),)),
    "sqrt":       Truth(mp.sqrt,                lambda x: (1 / (2 * mp.sqrt(x)),)),
    "sin":        Truth(mp.sin,                 lambda x: (mp.cos(x),)),
    "cos":        Truth(mp.cos,                 lambda x: (-mp.sin(x),)),
    "tan":        Truth(mp.tan,                 lambda x: (1 / mp.cos(x)**2,)),
    "asin":       Truth(mp.asin,                lambda x: (1 / mp.sqrt(1 - x**2),)),
    "acos":       Truth(mp.acos,                lambda x: (-1 / mp.sqrt(1 - x**2),)),
    "atan":       Truth(mp.atan,                lambda x: (1 / (1 + x**2),)),
    "sinh":       Truth(mp.sinh,                lambda x: (mp.cosh(x),)),
    "cosh":       Truth(mp.cosh,                lambda x: (mp.sinh(x),)),
    "sech":       Truth(mp.sech,                lambda x: (-mp.sech(x) * mp.tanh(x),)),
    "tanh":       Truth(mp.tanh,                lambda x: (1 / mp.cosh(x)**2,)),
    "sigmoid":    Truth(sigmoid,                lambda x: (1 / (2 + 2 * mp.cosh(x)),)),
    "relu":       Truth(lambda x: max(x, 0),    lambda x: (int(x > 0),)),
    "leaky_relu": Truth(lambda x, slope: x if x > 0 else slope * x,
                        lambda x, slope: (1 if x > 0 else slope, 0 if x > 0 else x)),
    "softplus":   Truth(softplus,               lambda x: (sigmoid(x),)),
    "erf":        Truth(mp.erf,                 lambda x: (2 / mp.sqrt(mp.pi) * mp.exp(-x * x),)),
    "erfc":       Truth(erfc,                   lambda x: (-2 / mp.sqrt(mp.pi) * mp.exp(-x * x),)),
    "gelu":       Truth(lambda x: x * normal_probability(x),
                        lambda x: (normal_probability(x) + x * normal_density(x),)),
    "abs":        Truth(abs,                    lambda x: (mp.sign(x),)),
    "step":       Truth(lambda x: int(x > 0)),
    "sign":       Truth(mp.sign),
    "maximum":    Truth(max,                    lambda xs: shares(xs, max(xs))),
    "minimum":    Truth(min,                    lambda xs: shares(xs, min(xs))),
    "where":      Truth(choice,                 lambda c, choices: (0, *unit_vector(2, 0 if c else 1))),
    "take":       Truth(lambda index, values: values[int(index)],
                        lambda index, values: (0, *unit_vector(len(values), int(index)))),
    "less":       Truth(lambda x, y: int(x < y)),
    "less_equal": Truth(lambda x, y: int(x <= y)),
    "equal":      Truth(lambda x, y: int(x == y)),
    "both":       Truth(lambda x, y: int(x != 0 and y != 0)),
    "either":     Truth(lambda x, y: int(x != 0 or y != 0)),
    "invert":     Truth(lambda x: int(x == 0)),
    "sum":        Truth(mp.fsum,                lambda xs: (1,) * len(xs),              terms=lambda xs: xs),
    "dot":        Truth(mp.fdot,                lambda ws, xs: (*xs, *ws),
                        terms=lambda ws, xs: [w * x for w, x in zip(ws, xs, strict=True)]),
    "batch_mean": Truth(lambda x: x,            lambda x: (1,)),  # of the one sample that the eager engine has
    "mean":       Truth(lambda xs: mp.fsum(xs) / len(xs), lambda xs: (mpf(1) / len(xs),) * len(xs),
                        terms=lambda xs: [x / len(xs) for x in xs]),
    "logsumexp":  Truth(logsumexp,              softmax,
                        terms=lambda xs: (max(xs), logsumexp(xs) - max(xs), 1),  # 1: the largest exponential
                        slack=exponent_sizes),
}
# fmt: on


# Points.


def points(op: Op, count: int, seed: int = 0) -> Iterator[tuple]:
    """`count` argument lists: floats, or tuples of floats where the operation takes a list."""
    source = random.Random(f"{op.name} {seed}")
    draw = SPECIAL_POINTS.get(op.name, _arguments)
    for _ in range(count):
        yield draw(op, source)


def _arguments(op: Op, source: random.Random) -> tuple:
    if op.scalars == 0:
        length = source.randint(1, 8)
        return tuple(_list(source, length) for _ in op.arguments)
    domains = [*op.domain] + [op.domain[-1]] * (op.scalars - len(op.domain))
    return tuple(_number(source, *domain) for domain in domains)


def _number(source: random.Random, lowest: float = -math.inf, highest: float = math.inf, decades: int = 300) -> float:
    """A number between the ends of a domain: any magnitude, the usual ones, the tails, the neighbours of the kinks."""
    ends = [end for end in (lowest, highest, 0.0, 1.0, -1.0) if math.isfinite(end)]
    while True:
        kind = source.random()
        if kind < 0.35:
            x = 10.0 ** source.uniform(-decades, decades)
        elif kind < 0.75:
            x = 10.0 ** source.uniform(-3.0, 2.0)
        elif kind < 0.90:
            x = source.uniform(0.0, 760.0)
        elif kind < 0.95:
            x = abs(source.choice(ends) + source.choice((-1, 1)) * 2.0 ** source.uniform(-52.0, 0.0))
        else:
            x = abs(math.nextafter(source.choice(ends), source.choice((-math.inf, math.inf))))
        x = source.choice((-x, x))
        if lowest < x < highest:
            return x


def _list(source: random.Random, length: int) -> tuple[float, ...]:
    """Numbers of different sizes, or of one size, or neighbours."""
    first = _number(source, decades=140)
    kind = source.random()
    if kind < 0.4:
        return (first, *(_number(source, decades=140) for _ in range(length - 1)))
    if kind < 0.8:
        return tuple(first * source.uniform(-1.0, 1.0) for _ in range(length))
    neighbours = [first]
    while len(neighbours) < length:
        neighbours.append(math.nextafter(neighbours[-1], math.inf))
    source.shuffle(neighbours)
    return tuple(neighbours)


def _power(op: Op, source: random.Random) -> tuple[float, float]:
    x = _number(source, 0.0)
    if x == 1.0 or source.random() < 0.3:
        return x, _number(source)
    return x, source.uniform(-760.0, 760.0) / math.log(x)  # a power that is mostly a float


def _take(op: Op, source: random.Random) -> tuple[float, tuple]:
    values = _list(source, source.randint(1, 8))
    return float(source.randrange(len(values))), values


def _where(op: Op, source: random.Random) -> tuple[float, tuple]:
    return source.choice((0.0, 1.0, -2.0)), _list(source, 2)


def _same_or_not(op: Op, source: random.Random) -> tuple:
    x = source.choice((0.0, -0.0, 1.0, _number(source)))
    return tuple(source.choice((x, math.nextafter(x, math.inf), _number(source))) for _ in op.arguments)


SPECIAL_POINTS: dict[str, Callable[[Op, random.Random], tuple]] = {
    "random": lambda op, source: (tuple(float(source.randrange(100)) for _ in range(4)),),
    "pow": _power,
    "take": _take,
    "where": _where,
    **dict.fromkeys(("less", "less_equal", "equal", "both", "either", "invert"), _same_or_not),
}


# The comparison.


class Worst(NamedTuple):
    """The largest errors met, in units in the last place beyond twice the condition number, and where."""

    value: float = 0.0
    value_at: tuple = ()
    gradient: float = 0.0
    gradient_at: tuple = ()


def worst_case(op: Op, arguments: Iterable[tuple], truth: Truth | None = None) -> Worst:
    """How far the values and gradients of `op` are from the truth. nan and a wrong infinity are infinitely far."""
    value, derivatives, terms, slack, through = truth or TRUTH[op.name]
    derivatives = derivatives or (lambda *args: (0,) * len(flat(args)))
    worst = Worst()
    with mp.workdps(DIGITS):
        for args in arguments:
            exact_args = deep(mpf, args)
            data, slopes = backward(op, args)
            exact, exact_slopes = value(*exact_args), derivatives(*exact_args)

            scale = mp.fsum(abs(term) for term in terms(*exact_args)) if terms else exact
            error = distance(data, exact, scale)
            if error > worst.value:  # so far; the condition number is asked for only where it decides
                error -= 2 * condition_number(exact, flat(exact_args), exact_slopes)
                if error > worst.value:
                    worst = worst._replace(value=error, value_at=args)

            if through and not all(SMALLEST <= abs(x) <= LARGEST for x in through(*exact_args)):
                continue
            for position, (slope, exact) in enumerate(zip(slopes, exact_slopes, strict=True)):
                error = distance(slope, exact, exact)
                if error > worst.gradient:
                    error -= float(slack(*exact_args)[position]) if slack else 0.0
                    error -= 2 * movement(lambda *xs, p=position: derivatives(*xs)[p], exact_args)
                    if error > worst.gradient:
                        worst = worst._replace(gradient=error, gradient_at=args)
    return worst


def backward(op: Op, args: tuple) -> tuple[float, list[float]]:
    """The value of `op` and its derivative by every operand."""
    values = deep(Value, args)
    result = Value.apply_operation(op, values)
    result.backward()
    return result.data, [x.grad for x in flat(values)]


def distance(computed: float, exact: Any, scale: Any) -> float:
    """|computed - exact| in units in the last place of `scale`; inf stands for anything beyond the largest float."""
    if computed != computed:
        return math.inf
    if abs(exact) >= LARGEST and abs(computed) == math.inf:
        return 0.0 if (exact > 0) == (computed > 0) else math.inf
    if math.isinf(computed):
        computed = math.copysign(LARGEST, computed)
    unit = math.ulp(float(min(abs(scale), LARGEST)))
    return min(float(abs(mpf(computed) - exact) / unit), LARGEST)


def condition_number(exact: Any, operands: list, slopes: Iterable) -> float:
    """By how many ulp a result moves, at most, when each operand moves by one."""
    if exact == 0:
        return 0.0
    return float(mp.fsum(abs(x * slope / exact) for x, slope in zip(operands, slopes, strict=True)))


def movement(function: Callable, args: tuple) -> float:
    """The condition number of `function`, by finite differences."""
    nudge = mpf(10) ** -25
    before = function(*args)
    if before == 0:
        return 0.0
    change = mpf(0)
    for place in range(len(flat(args))):
        places = iter(range(len(flat(args))))
        moved = deep(lambda x, place=place, places=places: x * (1 + nudge) if next(places) == place else x, args)
        change += abs((function(*moved) - before) / before)
    return float(change / nudge)


def deep(function: Callable, args: Any) -> Any:
    """`function` of every number in an argument list, in order."""
    return tuple(deep(function, x) if isinstance(x, tuple) else function(x) for x in args)


def flat(args: Iterable) -> list:
    """The operands of an argument list, tuples opened."""
    return [x for argument in args for x in (argument if isinstance(argument, tuple) else (argument,))]
