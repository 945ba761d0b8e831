"""All paths from a value to the output: counted and added up without being listed, and the largest written out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import frexp
from operator import itemgetter
from typing import NamedTuple

from scalargrad.engine import Value, local_derivatives


class Factor(NamedTuple):
    """One edge of a path: the result `target` changes by `derivative` for each unit of its operand `source`.

    occurrence says which one is meant where an operand stands more than once, 1 or 2 in `a * a`; otherwise it is 0.
    """

    operation: str
    source: str
    target: str
    derivative: float
    occurrence: int


@dataclass(frozen=True)
class Path:
    """One term of the chain rule, from the output back to the value asked about.

    steps: its factors, from the output back. product is theirs.
    share is |product| / sum of |products| over all paths; nan where that sum is 0, inf or nan.
    """

    steps: tuple[Factor, ...]
    product: float
    share: float


class Link(NamedTuple):
    """An edge of the graph that lies on a path from `wrt`: `result` changes by `slope` with its operand."""

    result: Value
    position: int  # among the operands of the result
    operand: Value
    slope: float


Links = dict[Value, list[Link]]


def links_from(order: list[Value], wrt: Value) -> Links:
    """The links of each value that depends on `wrt` to its operands that do.

    A locally constant operation (step, less) has no slope to pass on: no path leads through it, as in `backward`.
    """
    links: Links = {wrt: []}
    for value in order:
        if value is wrt or value.op is None or value.op.partials is None or links.keys().isdisjoint(value.operands):
            continue
        slopes = enumerate(local_derivatives(value))
        links[value] = [Link(value, position, x, slope) for position, (x, slope) in slopes if x in links]
    return links


def sums_over_paths(order: list[Value], links: Links, wrt: Value) -> tuple[int, float, float]:
    """Count the paths from `wrt` to the output, and add up their products, and the absolute values of those."""
    last_use = {link.operand: value for value in order if value in links for link in links[value]}
    sums: dict[Value, tuple[int, float, float]] = {wrt: (1, 1.0, 1.0)}
    for value in order:
        if value in links and value is not wrt:
            count, total, magnitude = 0, 0.0, 0.0
            for link in links[value]:
                count_below, total_below, magnitude_below = sums[link.operand]
                count += count_below
                total += total_below * link.slope
                magnitude += magnitude_below * abs(link.slope)
            sums[value] = count, total, magnitude
            for link in links[value]:
                if last_use[link.operand] is value:
                    sums.pop(link.operand, None)  # 100,000 counts of 30,000 digits each would fill the memory
    return sums[order[-1]]


# What the product of a path can be, from the smallest to the largest, and of what kind the product of two kinds is.
ZERO, FINITE, INFINITE, NAN = range(4)
KIND_OF_PRODUCT = (
    (ZERO, ZERO, NAN, NAN),
    (ZERO, FINITE, INFINITE, NAN),
    (NAN, INFINITE, INFINITE, NAN),
    (NAN, NAN, NAN, NAN),
)


class Trail(NamedTuple):
    """A path from the output to some value as a linked list: its last link, and the trail before it.

    The product's magnitude is mantissa * 2**exponent, so that it neither overflows nor vanishes on the way.
    """

    kind: int
    exponent: int
    mantissa: float
    link: Link | None = None
    before: "Trail | None" = None


_size = itemgetter(0, 1, 2)  # what trails are compared by


def largest_trails(order: list[Value], links: Links, wrt: Value, show: int) -> list[Trail]:
    """The paths with the largest |product|, by dynamic programming from the output down.

    Of all trails that end at one value, only the `show` largest of each kind can become one of the largest paths.
    """
    arriving: dict[Value, list[Trail]] = {order[-1]: [Trail(FINITE, 1, 0.5)]}
    for value in reversed(order):
        if value is wrt:
            break
        if value not in links or value not in arriving:  # no path from `wrt` here, or none from here to the output
            continue
        trails = _largest_of_each_kind(arriving.pop(value), show)
        for link in links[value]:
            kind, shift, scale = _scaled(link.slope)
            arrived = arriving.setdefault(link.operand, [])
            for trail in trails:
                mantissa, carry = frexp(trail.mantissa * scale)
                exponent = trail.exponent + shift + carry
                arrived.append(Trail(KIND_OF_PRODUCT[trail.kind][kind], exponent, mantissa, link, trail))
    return sorted(arriving[wrt], key=_size, reverse=True)[:show]


def _largest_of_each_kind(trails: list[Trail], show: int) -> list[Trail]:
    if len(trails) <= show:
        return trails
    ranked = sorted(trails, key=_size, reverse=True)
    if ranked[0].kind == ranked[-1].kind:
        return ranked[:show]
    return [trail for kind in range(4) for trail in [trail for trail in ranked if trail.kind == kind][:show]]


def _scaled(slope: float) -> tuple[int, int, float]:
    """(kind, exponent, mantissa) of |slope|."""
    if slope == 0.0:
        return ZERO, 0, 1.0
    if math.isfinite(slope):
        mantissa, exponent = frexp(abs(slope))
        return FINITE, exponent, mantissa
    return (NAN if math.isnan(slope) else INFINITE), 0, 1.0


def paths_along(trails: list[Trail], magnitude: float, called: Mapping[Value, str]) -> tuple[Path, ...]:
    """The trails as paths, their values called by name."""
    factors: dict[tuple[Value, int], Factor] = {}  # long paths share most of theirs

    def path(trail: Trail) -> Path:
        backwards = []
        while trail.link is not None and trail.before is not None:
            key = trail.link[:2]
            if key not in factors:
                factors[key] = _factor(trail.link, called)
            backwards.append(factors[key])
            trail = trail.before
        taken = tuple(reversed(backwards))
        product = math.prod([factor.derivative for factor in taken], start=1.0)
        return Path(taken, product, abs(product) / magnitude if 0.0 < magnitude < math.inf else math.nan)

    return tuple(map(path, trails))


def _factor(link: Link, called: Mapping[Value, str]) -> Factor:
    place = occurrence(link.result.operands, link.position)
    return Factor(str(link.result.op), called[link.operand], called[link.result], link.slope, place)


def occurrence(operands: Sequence[object], position: int) -> int:
    """Of an operand that stands more than once, which one it is, from 1 on; 0 for one that stands once.

    >>> occurrence("xax", 2), occurrence("xax", 1)
    (2, 0)
    """
    operand = operands[position]
    return operands[: position + 1].count(operand) if operands.count(operand) > 1 else 0
