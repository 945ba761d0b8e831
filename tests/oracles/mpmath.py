"""Oracles for the tests: the truth about every operation from mpmath, and points at which to ask for it."""

import functools
import itertools
import math
import random
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from mpmath import mp, mpf

from scalargrad.engine import Value, gradients
from scalargrad.ops import OPERATIONS, Op

DIGITS, MANY_DIGITS = 60, 480  # many: for what is small beside 1, like exp(-700)
VALUE_ULP, GRADIENT_ULP = 4.0, dict.fromkeys(OPERATIONS, 8.0) | {"pow": 16.0}  # beyond twice the condition number
HIGHER_ULP = 32.0  # of second and third derivatives
LARGEST = sys.float_info.max
SMALLEST = sys.float_info.min  # of the floats with all their digits


class Truth(NamedTuple):
    """What is known about an operation, in mpmath's arithmetic.

    value        the operation
    derivatives  one for each operand, lists opened; None where it is flat wherever it is smooth
    terms        what is added up on the way to the value, where the error is judged against the sum of |terms|
    slack        for each derivative, the ulp allowed beyond the condition number, for a reason that the table gives
    sizes        (places, *arguments) -> for a second or third derivative, its size but for what cancels at ties
    through      what the derivatives of an order pass through: they are not judged where it leaves the normal floats
    """

    value: Callable[..., Any]
    derivatives: Callable[..., tuple] | None = None
    terms: Callable[..., Iterable] | None = None
    slack: Callable[..., Iterable] | None = None
    sizes: Callable[..., Any] | None = None
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


def surprisal(index: Any, xs: tuple) -> Any:
    return mp.log1p(mp.fsum(odds(index, xs)))


def surprisal_slopes(index: Any, xs: tuple) -> tuple:
    others = odds(index, xs)
    slopes = [x / (1 + mp.fsum(others)) for x in others]
    slopes[int(index)] = -mp.fsum(slopes)
    return (0, *slopes)


def odds(index: Any, xs: tuple) -> list:
    """How much more likely each of the others is."""
    chosen = xs[int(index)]
    return [mp.exp(mp.fsub(x, chosen, exact=True)) if place != index else mpf(0) for place, x in enumerate(xs)]


def sizes_of_products(places: tuple[int, ...], xs: tuple) -> Any:
    """Of derivatives of logsumexp: p (1 - p) (1 - 2 p) by one operand, p q (1 - 2 p) by two; 1 - 2 p may be 0."""
    kinds = sorted(set(places))
    if len(kinds) == 1:
        chosen = softmax(xs)[kinds[0]]
        return chosen * (1 - chosen)
    return mp.fprod(softmax(xs)[place] for place in kinds)


def unit_vector(length: int, position: int) -> tuple:
    return tuple(int(here == position) for here in range(length))


def shares(xs: tuple, best: Any) -> tuple:
    return tuple(mpf(x == best) / xs.count(best) for x in xs)


def choice(condition: Any, choices: tuple) -> Any:
    return choices[0 if condition else 1]


def clamp_slopes(x: Any, bounds: tuple) -> tuple:
    low, high = bounds
    return int(low <= x <= high), int(x < low < high), int(x > high or high < low)


def divided(x: Any, y: Any) -> tuple:
    """The quotient, rounded down, and the remainder."""
    if not y:
        return mp.nan, mp.nan
    with mp.workdps(MANY_DIGITS):
        quotient = mp.floor(x / y)
        return quotient, x - y * quotient


def is_between(quotient: Any) -> bool:
    """Is it so far from the next whole numbers that no nudge reaches them?"""
    return abs(quotient) < 1e30 and mp.frac(quotient) != 0


def length(x: Any, y: Any) -> Any:
    """Of the vector (x, y), to divide by: slopes by what has none are 0."""
    return mp.hypot(x, y) or mp.inf


def normalised(order: int, x: Any, y: Any) -> tuple:
    """The direction of (x, y) and the size of what is differentiated, of which a derivative is a product."""
    size = mp.hypot(x, y)
    if not size:
        return (0,)
    return ((x / size) ** order or 1, (y / size) ** order or 1, size**order, size**-order)


# fmt: off
TRUTH = {
    "add":        Truth(lambda x, y: x + y,     lambda x, y: (1, 1)),
    "sub":        Truth(lambda x, y: x - y,     lambda x, y: (1, -1)),
    "mul":        Truth(lambda x, y: x * y,     lambda x, y: (y, x)),
    "div":        Truth(lambda x, y: x / y,     lambda x, y: (1 / y, -x / y**2),
                        through=lambda order, x, y: (x / y or 1, 1 / y**order) if y else (0,)),
    "neg":        Truth(lambda x: -x,           lambda x: (-1,)),
    "pow":        Truth(lambda x, n: x**n,      lambda x, n: (n * x**(n - 1), mp.log(x) * x**n),
                        slack=lambda x, n: (abs(mp.log(x)), 0),  # n - 1 is rounded
                        through=lambda order, x, n: (x**n, x**(n - order))),
    "exp":        Truth(mp.exp,                 lambda x: (mp.exp(x),)),
    "expm1":      Truth(mp.expm1,               lambda x: (mp.exp(x),)),
    "log":        Truth(mp.log,                 lambda x: (1 / x,)),
    "exp2":       Truth(lambda x: mpf(2)**x,    lambda x: (mp.log(2) * mpf(2)**x,)),
    "log1p":      Truth(mp.log1p,               lambda x: (1 / (1 + x),)),
    "log2":       Truth(lambda x: mp.log(x) / mp.log(2), lambda x: (1 / (x * mp.log(2)),)),
    "log10":      Truth(lambda x: mp.log(x) / mp.log(10), lambda x: (1 / (x * mp.log(10)),)),
    "sqrt":       Truth(mp.sqrt,                lambda x: (1 / (2 * mp.sqrt(x)),)),
    "sin":        Truth(mp.sin,                 lambda x: (mp.cos(x),)),
    "cos":        Truth(mp.cos,                 lambda x: (-mp.sin(x),)),
    "tan":        Truth(mp.tan,                 lambda x: (1 / mp.cos(x)**2,)),
    "asin":       Truth(mp.asin,                lambda x: (1 / mp.sqrt(1 - x**2),)),
    "acos":       Truth(mp.acos,                lambda x: (-1 / mp.sqrt(1 - x**2),)),
    "atan":       Truth(mp.atan,                lambda x: (1 / (1 + x**2),),
                        through=lambda order, x: (1 / (1 + x**2)**order,)),
    "atan2":      Truth(lambda y, x: mp.atan2(y, x), lambda y, x: (x / length(x, y)**2, -y / length(x, y)**2),
                        through=lambda order, y, x: normalised(order, x, y)),
    "hypot":      Truth(lambda x, y: mp.hypot(x, y), lambda x, y: (x / length(x, y), y / length(x, y)),
                        through=normalised),
    "sinh":       Truth(mp.sinh,                lambda x: (mp.cosh(x),)),
    "cosh":       Truth(mp.cosh,                lambda x: (mp.sinh(x),)),
    "sech":       Truth(mp.sech,                lambda x: (-mp.sech(x) * mp.tanh(x),)),
    "asinh":      Truth(mp.asinh,               lambda x: (1 / mp.hypot(1, x),)),
    "acosh":      Truth(mp.acosh,               lambda x: (1 / mp.sqrt((x - 1) * (x + 1)),)),
    "atanh":      Truth(mp.atanh,               lambda x: (1 / ((1 - x) * (1 + x)),)),
    "tanh":       Truth(mp.tanh,                lambda x: (1 / mp.cosh(x)**2,)),
    "sigmoid":    Truth(sigmoid,                lambda x: (1 / (2 + 2 * mp.cosh(x)),)),
    "relu":       Truth(lambda x: max(x, 0),    lambda x: (int(x > 0),)),
    "leaky_relu": Truth(lambda x, slope: x if x > 0 else slope * x,
                        lambda x, slope: (1 if x > 0 else slope, 0 if x > 0 else x)),
    "softplus":   Truth(softplus,               lambda x: (sigmoid(x),)),
    "log_sigmoid": Truth(lambda x: -softplus(-x), lambda x: (sigmoid(-x),)),
    "silu":       Truth(lambda x: x * sigmoid(x), lambda x: (sigmoid(x) * (1 + x * sigmoid(-x)),)),
    "elu":        Truth(lambda x, alpha: x if x > 0 else alpha * mp.expm1(x),
                        lambda x, alpha: (1 if x > 0 else alpha * mp.exp(x), 0 if x > 0 else mp.expm1(x)),
                        through=lambda order, x, alpha: (mp.exp(min(x, 0)),)),
    "erf":        Truth(mp.erf,                 lambda x: (2 / mp.sqrt(mp.pi) * mp.exp(-x * x),)),
    "erfc":       Truth(erfc,                   lambda x: (-2 / mp.sqrt(mp.pi) * mp.exp(-x * x),)),
    "gelu":       Truth(lambda x: x * normal_probability(x),
                        lambda x: (normal_probability(x) + x * normal_density(x),),
                        through=lambda order, x: (1 + abs(x)**order,)),
    "abs":        Truth(abs,                    lambda x: (mp.sign(x),)),
    "step":       Truth(lambda x: int(x > 0)),
    "sign":       Truth(mp.sign),
    "maximum":    Truth(max,                    lambda xs: shares(xs, max(xs))),
    "minimum":    Truth(min,                    lambda xs: shares(xs, min(xs))),
    "clamp":      Truth(lambda x, bounds: min(max(x, bounds[0]), bounds[1]), clamp_slopes),
    "where":      Truth(choice,                 lambda c, choices: (0, *unit_vector(2, 0 if c else 1))),
    "take":       Truth(lambda index, values: values[int(index)],
                        lambda index, values: (0, *unit_vector(len(values), int(index)))),
    "floor":      Truth(mp.floor),
    "ceil":       Truth(mp.ceil),
    "round":      Truth(mp.nint),
    "mod":        Truth(lambda x, y: divided(x, y)[1], lambda x, y: (1, -divided(x, y)[0]),
                        through=lambda order, x, y: (x / y or 1,) if y and (order == 1 or is_between(x / y)) else (0,)),
    "floor_divide": Truth(lambda x, y: divided(x, y)[0]),
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
                        sizes=sizes_of_products),
    "surprisal":  Truth(surprisal,              surprisal_slopes,
                        sizes=lambda places, index, xs: sizes_of_products([place - 1 for place in places], xs)),
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


def _clamp(op: Op, source: random.Random) -> tuple[float, tuple]:
    low, high = sorted(_number(source, decades=140) for _ in range(2))
    return source.choice((low, high, _number(source), source.uniform(low, high))), (low, high)


def _half(op: Op, source: random.Random) -> tuple[float]:
    return (source.choice((_number(source), source.randint(-99, 99) / 2.0)),)


def _quotient(op: Op, source: random.Random) -> tuple[float, float]:
    y = _number(source, decades=100)
    return source.choice((_number(source, decades=100), y * source.uniform(-1e3, 1e3), y * source.randint(-99, 99))), y


def _same_or_not(op: Op, source: random.Random) -> tuple:
    x = source.choice((0.0, -0.0, 1.0, _number(source)))
    return tuple(source.choice((x, math.nextafter(x, math.inf), _number(source))) for _ in op.arguments)


SPECIAL_POINTS: dict[str, Callable[[Op, random.Random], tuple]] = {
    "random": lambda op, source: (tuple(float(source.randrange(100)) for _ in range(4)),),
    "pow": _power,
    "take": _take,
    "surprisal": _take,
    "where": _where,
    "clamp": _clamp,
    **dict.fromkeys(("floor", "ceil", "round"), _half),
    **dict.fromkeys(("mod", "floor_divide"), _quotient),
    **dict.fromkeys(("less", "less_equal", "equal", "both", "either", "invert"), _same_or_not),
}


# Where digits are lost: near 0, where an exponential is lost beside 1, far out, at the ends of a domain.
TAILS = (
    0.0, 1e-300, 1e-16, 1e-8, 1e-3, 0.3, 1.0 - 1e-8, 1.0 - 2.0**-53, 1.0, 3.0, 20.0, 30.0, 37.0, 40.0, 300.0, 700.0
)  # fmt: skip
FEW_TAILS = (0.0, 1e-300, 1e-8, 0.7, -2.0, 40.0)
LIST_TAILS = (
    (2.0,), (2.0, 2.0), (40.0, 0.0), (0.0, 700.0), (0.0, -0.0, 1e-16), (40.0, 39.0, 0.0), (0.0, 30.0, 30.0),
    (1e15 + 40.0, 1e15, 1e15 - 1.0),
)  # fmt: skip
KINKED = ("relu", "leaky_relu", "elu", "abs", "maximum", "minimum", "clamp", "mod")  # at 0, or where operands are equal
CHOOSING = ("take", "surprisal", "where")  # by their first operand
OF_TWO = ("where", "clamp")  # first one operand, then two


def tails(op: Op) -> Iterator[tuple]:
    """Argument lists at which derivatives of derivatives lose their digits, if an operation is written carelessly."""
    signed = [sign * x for x in TAILS for sign in (1.0, -1.0)]
    for args in {1: [(x,) for x in signed], 2: list(itertools.product(FEW_TAILS, repeat=2))}.get(op.scalars, []):
        domains = [*op.domain] + [op.domain[-1]] * (op.scalars - len(op.domain))
        if all(lowest < x < highest for x, (lowest, highest) in zip(args, domains, strict=True)):
            yield args
    for xs in LIST_TAILS if op.scalars == 0 else ():
        if op.name in OF_TWO:
            yield from ((first, tuple(sorted(xs))) for first in (0.0, 1.0) if len({*xs}) == len(xs) == 2)
        elif op.name in CHOOSING:
            yield from ((float(place), xs) for place in range(len(xs)))
        else:
            yield tuple(xs for _ in op.arguments)


def few_operands(op: Op, count: int, seed: int = 0) -> Iterator[tuple]:
    """Points of so few operands that all third derivatives can be asked for."""
    return itertools.islice((args for args in points(op, 50 * count, seed) if len(flat(args)) <= 4), count)


# The comparison.


class Worst(NamedTuple):
    """The largest errors met, in units in the last place beyond twice the condition number, and where."""

    value: float = 0.0
    value_at: tuple = ()
    gradient: float = 0.0
    gradient_at: tuple = ()


def worst_case(
    op: Op, arguments: Iterable[tuple], truth: Truth | None = None, computed: Callable | None = None
) -> Worst:
    """How far the values and gradients of `op` are from the truth. nan and a wrong infinity are infinitely far.

    computed   what is judged: as `backward`, which it is unless given
    """
    value, by_operand, terms, slack, _, through = truth or TRUTH[op.name]
    by_operand = by_operand or (lambda *args: (0,) * len(flat(args)))
    worst = Worst()
    with mp.workdps(DIGITS):
        for args in arguments:
            exact_args = deep(mpf, args)
            data, slopes = (computed or backward)(op, args)
            exact, exact_slopes = value(*exact_args), by_operand(*exact_args)

            scale = mp.fsum(abs(term) for term in terms(*exact_args)) if terms else exact
            error = distance(data, exact, scale)
            if error > worst.value:  # so far; the condition number is asked for only where it decides
                error -= 2 * condition_number(exact, flat(exact_args), exact_slopes)
                if error > worst.value:
                    worst = worst._replace(value=error, value_at=args)

            if through and not all(map(is_normal, through(1, *exact_args))):
                continue
            for position, (slope, exact) in enumerate(zip(slopes, exact_slopes, strict=True)):
                error = distance(slope, exact, exact)
                if error > worst.gradient:
                    error -= float(slack(*exact_args)[position]) if slack else 0.0
                    error -= 2 * movement(lambda *xs, p=position: by_operand(*xs)[p], exact_args)
                    if error > worst.gradient:
                        worst = worst._replace(gradient=error, gradient_at=args)
    return worst


def worst_derivative(op: Op, arguments: Iterable[tuple], order: int) -> tuple[float, tuple]:
    """The largest error of the derivatives of that order, 2 or 3, beyond twice the condition number, and where.

    Not judged: what passes through numbers that are not normal floats, and kinks.
    """
    truth = TRUTH[op.name]
    worst: tuple[float, tuple] = 0.0, ()
    with mp.workdps(MANY_DIGITS):
        for args in arguments:
            numbers, exact_args = flat(args), deep(mpf, args)
            if op.name in KINKED and (0.0 in numbers or len(set(numbers)) < len(numbers)):
                continue
            if truth.through and not all(map(is_normal, truth.through(order, *exact_args))):
                continue
            exact = functools.cache(functools.partial(exact_derivative, op, args))
            slack = float(order * sum(truth.slack(*exact_args))) if truth.slack else 0.0
            for places, computed in derivatives(op, args, order).items():
                if op.name in CHOOSING and 0 in places:
                    continue
                if not all(x == 0 or is_normal(x) for x in map(exact, prefixes(places))):
                    continue
                places = tuple(sorted(places))
                scale = truth.sizes(places, *exact_args) if truth.sizes else exact(places)
                error = distance(computed, exact(places), scale) - slack
                if error > worst[0]:
                    error -= 2 * movement(lambda *xs, p=places: exact_derivative(op, xs, p), exact_args)
                    if error > worst[0]:
                        worst = error, args
    return worst


def is_normal(x: Any) -> bool:
    return bool(SMALLEST <= abs(x) <= LARGEST)


def prefixes(places: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The derivatives that one passes through, and the value."""
    return [tuple(sorted(places[:length])) for length in range(len(places))]


def derivatives(op: Op, args: tuple, order: int) -> dict[tuple[int, ...], float]:
    """The derivative by the operands at each `order` places, taken one after the other."""
    values = deep(Value, args)
    found = {(): Value.apply_operation(op, values)}
    for _ in range(order):
        found = {
            (*places, place): slope
            for places, value in found.items()
            for place, slope in enumerate(gradients(value, flat(values), create_graph=True))
        }
    return {places: value.data for places, value in found.items()}


def exact_derivative(op: Op, args: tuple, places: tuple[int, ...]) -> Any:
    """The derivative by the operands at these places: the first by its formula, the others by central differences."""
    nudges = [mpf(10) ** -40 * (min(1, abs(x)) or 1) for x in flat(args)]

    def along(here: tuple, places: tuple[int, ...]) -> Any:
        if not places:
            return mpf(formula(*here))
        after, before = (along(shifted(here, places[0], side * nudges[places[0]]), places[1:]) for side in (1, -1))
        return (after - before) / (2 * nudges[places[0]])

    value, by_operand = TRUTH[op.name][:2]
    formula = (lambda *xs: by_operand(*xs)[places[0]]) if places and by_operand else value
    # More digits for each difference, and for large and small operands.
    sizes = [abs(float(mp.log10(abs(x)))) for x in flat(args) if x]
    with mp.workdps(MANY_DIGITS + int(40 + max(sizes, default=0)) * max(len(places), 1)):
        result = along(deep(mpf, args), places[1:])
        return mpf(0) if abs(result) < mpf(10) ** -400 else result  # what rounding leaves of nothing


def shifted(args: tuple, place: int, by: Any) -> tuple:
    """The argument list with one operand moved."""
    places = itertools.count()
    return deep(lambda x: x + by if next(places) == place else x, args)


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
