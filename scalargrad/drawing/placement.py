"""The third step of a layered drawing: the height of each card and each lane.

Sweeps over the columns move every vertex towards the weighted mean of its neighbours (the priority method of Sugiyama,
Tagawa and Toda 1981, with the weights of Gansner and others 1993, which straighten lanes). Within a column that is a
least squares problem with fixed order and least distances, solved exactly by pooling adjacent violators (Ayer and
others 1955).
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

from scalargrad.drawing.layering import Layers

WORK = 120_000  # vertices and edges that all sweeps together may visit
MOST_SWEEPS, LEAST_SWEEPS = 40, 6
LANE_TO_LANE, CARD_TO_LANE, CARD_TO_CARD, OWN_LEAF = 8.0, 2.0, 1.0, 0.001


def heights(layers: Layers, distance: Callable[[int, int], float]) -> list[float]:
    """The middle of each vertex, with at least `distance(upper, lower)` between two that stand next to each other."""
    middle = [0.0] * len(layers.column)
    offsets = []
    for column in layers.columns:
        offset = [0.0]
        for upper, lower in pairwise(column):
            offset.append(offset[-1] + distance(upper, lower))
        offsets.append(offset)
        for vertex, place in zip(column, offset, strict=False):
            middle[vertex] = place - offset[-1] / 2
    both = [left + right for left, right in zip(layers.left, layers.right, strict=True)]
    size = len(layers.column) + sum(map(len, layers.left))
    sweeps = max(LEAST_SWEEPS, min(MOST_SWEEPS, WORK // (size + 1)))
    columns = list(range(len(layers.columns)))
    for sweep in range(sweeps):
        to_the_right = sweep % 2 == 1
        neighbours = (layers.left if to_the_right else layers.right) if sweep < sweeps // 2 else both
        for place in columns if to_the_right else reversed(columns):
            _settle(layers, layers.columns[place], offsets[place], neighbours, middle)
    return middle


def _settle(
    layers: Layers, column: list[int], offsets: list[float], neighbours: Sequence[list[int]], middle: list[float]
) -> None:
    """Move the vertices of one column as near to their neighbours as order and distances allow."""
    wanted, weights = [], []
    for vertex, offset in zip(column, offsets, strict=False):
        total, weight = 0.0, 0.0
        for neighbour in neighbours[vertex]:
            stiffness = _stiffness(layers, vertex, neighbour)
            total += stiffness * middle[neighbour]
            weight += stiffness
        if weight == 0.0:  # nothing to follow: stays where it is, if others let it
            total, weight = 0.01 * middle[vertex], 0.01
        wanted.append(total / weight - offset)
        weights.append(weight)
    for vertex, offset, place in zip(column, offsets, isotonic(wanted, weights), strict=False):
        middle[vertex] = place + offset


def _stiffness(layers: Layers, vertex: int, other: int) -> float:
    """The force that pulls `vertex` towards its neighbour `other`."""
    if _is_own_leaf(layers, vertex) or _is_own_leaf(layers, other):
        return OWN_LEAF  # a leaf comes to its consumer, and is pushed aside by what stands in its way
    lanes = (vertex >= layers.cards) + (other >= layers.cards)
    return (CARD_TO_CARD, CARD_TO_LANE, LANE_TO_LANE)[lanes]


def _is_own_leaf(layers: Layers, vertex: int) -> bool:
    return not layers.left[vertex] and len(layers.right[vertex]) == 1


def isotonic(wanted: list[float], weights: list[float]) -> list[float]:
    """The non-decreasing numbers nearest to `wanted` by weighted least squares.

    >>> isotonic([1.0, 3.0, 2.0], [1.0, 1.0, 1.0])
    [1.0, 2.5, 2.5]
    """
    pools: list[tuple[float, float, int]] = []  # mean, weight, how many
    for mean, weight in zip(wanted, weights, strict=True):
        count = 1
        while pools and pools[-1][0] > mean:
            mean_above, weight_above, count_above = pools.pop()
            mean = (mean_above * weight_above + mean * weight) / (weight_above + weight)
            weight += weight_above
            count += count_above
        pools.append((mean, weight, count))
    return [mean for mean, _, count in pools for _ in range(count)]
