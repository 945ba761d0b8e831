"""The second step of a layered drawing: the order within the columns, so that few edges cross.

Sweeps to the right and to the left sort each column by the barycentres of its neighbours (Sugiyama, Tagawa and Toda
1981) or by their medians (Eades and Wormald 1994); then neighbours are exchanged where that removes crossings (the
transpose step of Gansner, Koutsofios, North and Vo 1993). Crossings are counted with a tree of counts (Barth, Jünger
and Mutzel 2002). The best of several beginnings is kept. Leaves used once stand aside meanwhile and get a place
beside their consumer's other operands afterwards. At the end cards of the same operands and consumers change places,
so that operands stand as they are written, the first on top.
"""

import random
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Iterable

from scalargrad.drawing.layering import Layers

WORK = 150_000  # vertices and edges that all sweeps together may visit; a small graph gets many sweeps
MOST_BEGINNINGS = 12
SWEEPS_PER_BEGINNING = 12
LEAST_SWEEPS = 4


def reduce_crossings(layers: Layers) -> None:
    """Reorder `layers.columns` in place."""
    leaves = [leaf for leaf in range(layers.cards) if not layers.left[leaf] and len(layers.right[leaf]) == 1]
    consumers = _set_aside(layers, leaves)
    size = len(layers.column) + sum(map(len, layers.right))
    sweeps = max(LEAST_SWEEPS, WORK // (size + 1))
    rounds = 4 if sweeps > SWEEPS_PER_BEGINNING else 1
    beginnings = max(1, min(MOST_BEGINNINGS, sweeps // SWEEPS_PER_BEGINNING))
    best_columns, fewest = layers.columns, -1
    for number in range(beginnings):
        layers.columns = beginning(layers, number)
        idle = 0
        for sweep in range(min(sweeps, 4 * SWEEPS_PER_BEGINNING)):
            crossings = crossings_in(layers)
            idle += 1
            if fewest < 0 or crossings < fewest:
                best_columns, fewest, idle = [list(column) for column in layers.columns], crossings, 0
            if fewest == 0 or idle > SWEEPS_PER_BEGINNING:
                break
            sort = barycentre if (sweep // 2 + number) % 2 == 0 else median
            _sweep(layers, to_the_right=sweep % 2 == 0, key=sort)
            exchange_neighbours(layers, rounds)
        if fewest == 0:
            break
    layers.columns = best_columns
    _put_back(layers, leaves, consumers)
    exchange_neighbours(layers, rounds)
    _sort_alike(layers)


def _sort_alike(layers: Layers) -> None:
    """Exchange cards that have the same operands and the same consumers, so that the first operand is on top.

    They take each other's places with all their lanes: the same lines are drawn, and as many of them cross.
    """
    paths = [path for path in layers.paths if path]
    ways: list[list[tuple[int, int, list[int]]]] = [
        [] for _ in range(layers.cards)
    ]  # (source, target, lanes), in order
    for path in paths:
        for card in (path[0], path[-1]):
            ways[card].append((path[0], path[-1], path[1:-1]))
    alike: dict[Hashable, list[int]] = {}
    for card in dict.fromkeys(path[0] for path in paths):  # in the order of the operands of their first consumer
        ends = [
            (source if target == card else -1, target if source == card else -1) for source, target, _ in ways[card]
        ]
        alike.setdefault((layers.column[card], *sorted(ends)), []).append(card)
    place, new = places(layers), list(range(len(layers.column)))
    for cards in alike.values():
        for here, card in zip(sorted(cards, key=place.__getitem__), cards, strict=True):
            new[here] = card
            for (_, _, there), (_, _, own) in zip(sorted(ways[here]), sorted(ways[card]), strict=True):
                for lane, own_lane in zip(there, own, strict=True):
                    new[lane] = own_lane
    layers.columns = [[new[vertex] for vertex in column] for column in layers.columns]


def _set_aside(layers: Layers, leaves: list[int]) -> list[int]:
    """Take leaves with one consumer each out of the columns; returns the consumers."""
    consumers = [layers.right[leaf][0] for leaf in leaves]
    aside = set(leaves)
    for consumer in set(consumers):
        layers.left[consumer] = [vertex for vertex in layers.left[consumer] if vertex not in aside]
    layers.columns = [[vertex for vertex in column if vertex not in aside] for column in layers.columns]
    for leaf in leaves:
        layers.right[leaf] = []
    return consumers


def _put_back(layers: Layers, leaves: list[int], consumers: list[int]) -> None:
    """Each leaf next to the operand in the middle of its consumer's others, or else as its consumers are ordered."""
    place = places(layers)
    returning: dict[int, list[int]] = {}
    for leaf, consumer in zip(leaves, consumers, strict=True):
        returning.setdefault(consumer, []).append(leaf)
    for before, column in enumerate(layers.columns[1:]):
        keys: dict[int, float] = {}
        reached = -1.0
        for consumer in column:
            beside = [place[x] for x in layers.left[consumer]]
            if beside:
                reached = median(beside)
            for leaf in returning.get(consumer, ()):
                keys[leaf] = reached + 0.25
        if keys:
            stay = layers.columns[before]
            keys.update((vertex, own) for own, vertex in enumerate(stay))
            layers.columns[before] = sorted(keys, key=lambda vertex: keys[vertex])
            for own, vertex in enumerate(layers.columns[before]):
                place[vertex] = own
    for leaf, consumer in zip(leaves, consumers, strict=True):
        layers.left[consumer].append(leaf)
        layers.right[leaf].append(consumer)


def beginning(layers: Layers, number: int) -> list[list[int]]:
    """An order to begin with: depth first from the outputs, so that the operands of a card stand together.

    For a tree it has no crossings. Number 1 takes the operands in reverse, and higher numbers shuffle them.
    """
    chance = random.Random(number)
    columns: list[list[int]] = [[] for _ in layers.columns]
    seen = [False] * len(layers.column)
    present = {vertex for column in layers.columns for vertex in column}
    ends = [vertex for vertex, right in enumerate(layers.right) if not right and vertex in present]
    for end in ends:
        stack = [end]
        while stack:
            vertex = stack.pop()
            if seen[vertex]:
                continue
            seen[vertex] = True
            columns[layers.column[vertex]].append(vertex)
            operands = list(layers.left[vertex])
            if number > 1:
                chance.shuffle(operands)
            stack += operands if number == 1 else reversed(operands)
    return columns


def barycentre(places: list[int]) -> float:
    return sum(places) / len(places)


def median(places: list[int]) -> float:
    places.sort()
    middle = len(places) // 2
    return places[middle] if len(places) % 2 else (places[middle - 1] + places[middle]) / 2


def _sweep(layers: Layers, to_the_right: bool, key: Callable[[list[int]], float]) -> None:
    neighbours = layers.left if to_the_right else layers.right
    columns = layers.columns if to_the_right else layers.columns[::-1]
    place = [0] * len(layers.column)
    for column in columns:
        keys = {vertex: key([place[x] for x in neighbours[vertex]]) for vertex in column if neighbours[vertex]}
        moving = iter(sorted(keys, key=keys.__getitem__))  # stable
        column[:] = [next(moving) if vertex in keys else vertex for vertex in column]  # those without neighbours stay
        for own, vertex in enumerate(column):
            place[vertex] = own


def exchange_neighbours(layers: Layers, rounds: int) -> None:
    """Exchange two vertices that stand next to each other wherever that removes crossings, until nothing improves."""
    place = places(layers)
    for _ in range(rounds):
        improved = False
        for column in layers.columns:
            for own in range(len(column) - 1):
                upper, lower = column[own], column[own + 1]
                if _gain(layers, upper, lower, place) > 0:
                    column[own], column[own + 1] = lower, upper
                    place[upper], place[lower] = own + 1, own
                    improved = True
        if not improved:
            return


def _gain(layers: Layers, upper: int, lower: int, place: list[int]) -> int:
    """The number of crossings that go away if these neighbours are exchanged."""
    gain = 0
    for neighbours in (layers.left, layers.right):
        above, below = neighbours[upper], neighbours[lower]
        if above and below:
            gain += _exchange_gain([place[x] for x in above], [place[x] for x in below])
    return gain


def _exchange_gain(above: list[int], below: list[int]) -> int:
    """The number of crossings that go away if the vertex with the neighbours `above` moves below the other."""
    if len(above) == len(below) == 1:
        return (above[0] > below[0]) - (above[0] < below[0])
    below.sort()
    return sum(bisect_left(below, x) + bisect_right(below, x) - len(below) for x in above)


def places(layers: Layers) -> list[int]:
    """The place of each vertex in its column."""
    place = [0] * len(layers.column)
    for column in layers.columns:
        for own, vertex in enumerate(column):
            place[vertex] = own
    return place


def crossings_in(layers: Layers) -> int:
    """The number of pairs of edges between neighbouring columns that cross."""
    place = places(layers)
    total = 0
    for column, following in zip(layers.columns, layers.columns[1:], strict=False):
        ends: list[int] = []
        for vertex in column:
            ends += sorted([place[x] for x in layers.right[vertex]])
        total += inversions(ends, len(following))
    return total


def inversions(ends: Iterable[int], size: int) -> int:
    """The number of pairs in the wrong order, by a tree of counts.

    >>> inversions([2, 0, 1], size=3)
    2
    """
    counts = [0] * (size + 1)
    total = 0
    for seen, end in enumerate(ends):
        place = end + 1
        not_above = 0
        while place > 0:
            not_above += counts[place]
            place -= place & -place
        total += seen - not_above
        place = end + 1
        while place <= size:
            counts[place] += 1
            place += place & -place
    return total
