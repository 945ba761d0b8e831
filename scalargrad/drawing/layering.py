"""The first step of a layered drawing (Sugiyama, Tagawa and Toda 1981): a column for each card, and lanes through it.

Every card gets a column right of all its operands. An edge that passes columns gets a lane in each of them, a vertex
of its own that keeps cards out of its way. Where that makes too many lanes, the edges of one source share theirs until
they part, and the longest edges go underneath the picture.
"""

from collections.abc import Iterable

LANES_PER_CARD = 4  # above that, lanes are shared
MOST_STEPS, STEPS_PER_CARD = 2000, 12  # of all edges from column to column; above that, the longest go underneath
MANY_USES = 3

Edges = list[tuple[int, int]]


class Layers:
    """Vertices in columns: the cards 0, 1, ... and after them the lanes.

    columns      the vertices of each column, from top to bottom
    column       the column of each vertex
    left, right  the neighbours of each vertex in the columns beside its own
    paths        for each edge the vertices that it runs through, or None for one that goes underneath
    cards        how many of the vertices are cards
    """

    def __init__(self, cards: int, edges: Edges) -> None:
        self.cards = cards
        self.column = columns_of_cards(cards, edges)
        self.left: list[list[int]] = [[] for _ in range(cards)]
        self.right: list[list[int]] = [[] for _ in range(cards)]
        self.paths: list[list[int] | None] = []
        lengths = [self.column[target] - self.column[source] for source, target in edges]
        shared = sum(lengths) - len(edges) > LANES_PER_CARD * cards
        longest = _longest_with_lanes(lengths, MOST_STEPS + STEPS_PER_CARD * cards)
        lanes: dict[tuple[int, int, int], int] = {}
        for number, (source, target) in enumerate(edges):
            if lengths[number] > longest:
                self.paths.append(None)
                continue
            path = [source]
            for column in range(self.column[source] + 1, self.column[target]):
                key = (source, column, -1 if shared else number)
                if key not in lanes:
                    lanes[key] = self._new_lane(column)
                    self._connect(path[-1], lanes[key])
                path.append(lanes[key])
            self._connect(path[-1], target)
            self.paths.append([*path, target])
        self.columns: list[list[int]] = [[] for _ in range(max(self.column, default=0) + 1)]
        for vertex, place in enumerate(self.column):
            self.columns[place].append(vertex)

    def _new_lane(self, column: int) -> int:
        self.column.append(column)
        self.left.append([])
        self.right.append([])
        return len(self.column) - 1

    def _connect(self, vertex: int, other: int) -> None:
        self.right[vertex].append(other)
        self.left[other].append(vertex)


def _longest_with_lanes(lengths: Iterable[int], allowed: int) -> int:
    """The largest length such that all edges up to it take no more steps together than allowed."""
    longest = steps = 0
    for length in sorted(lengths):
        steps += length
        if steps > allowed and length > 1:
            return min(longest, length - 1)
        longest = length
    return longest


def columns_of_cards(cards: int, edges: Edges) -> list[int]:
    """The column of each card: the longest way from a leaf, then moved right where that shortens the edges.

    Longest-path layering with node promotion (Nikolov and Tarassov 2006), in one sweep from the output: a card moves
    next to its nearest consumer if it has no more operands than consumers to be pulled away from; a leaf always does.
    """
    operands: list[set[int]] = [set() for _ in range(cards)]
    consumers: list[set[int]] = [set() for _ in range(cards)]
    for source, target in edges:
        operands[target].add(source)
        consumers[source].add(target)
    has_own_leaf = [any(not operands[x] and len(consumers[x]) == 1 for x in below) for below in operands]

    def length(source: int, target: int) -> int:
        # A card that many use fans out in a column of lanes, where the leaves of those that use it are not in the way.
        return 2 if len(consumers[source]) >= MANY_USES and has_own_leaf[target] else 1

    order = operands_first(operands, consumers)
    column = [0] * cards
    for card in order:
        column[card] = max((column[x] + length(x, card) for x in operands[card]), default=0)
    for card in reversed(order):
        results = sum(bool(operands[x]) for x in operands[card])  # leaves come along
        if consumers[card] and results <= len(consumers[card]):
            column[card] = max(column[card], min(column[x] - length(card, x) for x in consumers[card]))
    leftmost = min(column, default=0)
    return [place - leftmost for place in column]


def operands_first(operands: list[set[int]], consumers: list[set[int]]) -> list[int]:
    """The cards in an order in which operands stand before consumers (Kahn 1962)."""
    waiting = [len(below) for below in operands]
    order = [card for card, count in enumerate(waiting) if count == 0]
    for card in order:  # grows while it is read
        for consumer in sorted(consumers[card]):
            waiting[consumer] -= 1
            if waiting[consumer] == 0:
                order.append(consumer)
    return order
