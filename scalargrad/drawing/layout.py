"""Where everything stands: a box for each card and a route for each edge, from left to right or downwards.

Sizes and places along the edges come first here, across them second: for a picture from left to right that is x and y,
for one that runs downwards y and x.
"""

from collections import Counter
from itertools import pairwise
from typing import NamedTuple

from scalargrad.drawing.layering import Layers
from scalargrad.drawing.lettering import factor, width
from scalargrad.drawing.ordering import reduce_crossings
from scalargrad.drawing.placement import heights
from scalargrad.drawing.view import Card, Edge, View

HEADER, CELLS = 21.0, 33.0
CARD_HEIGHT = HEADER + CELLS
NARROWEST_CARD, WIDEST_HEADER, WIDEST_CARD, PADDING = 118.0, 216.0, 264.0, 12.0
BETWEEN_CARDS, AROUND_LANE = 18.0, 9.0

NAME_SIZE, TAG_SIZE, CAPTION_SIZE, NUMBER_SIZE = 13.0, 10.0, 9.5, 12.0
BADGE_SIZE, BADGE_RADIUS, LONGEST_BADGE = 12.0, 11.0, 150.0
PILL_SIZE, PILL_HEIGHT = 10.5, 16.0

NARROWEST_GAP, WIDEST_GAP = 52.0, 150.0
SHORTEST_GAP, LONGEST_GAP = 34.0, 90.0  # downwards
BAND_TITLE, AROUND_BAND = 34.0, 14.0
MANY_LABELS = 6  # in one gap, which is widened for them
SHARES = (0.45, 0.55, 0.35, 0.65, 0.25, 0.75, 0.15, 0.82)  # of its curve, where an edge may be labelled
MOST_PILLS = 60  # above that many edges they would hide the picture

Point = tuple[float, float]


class Box(NamedTuple):
    """A rectangle."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def bottom(self) -> float:
        return self.top + self.height

    @property
    def middle(self) -> float:
        return self.top + self.height / 2


class Route(NamedTuple):
    """The way of an edge: a curve from the first point to the second, a line to the third, a curve, ... and a line."""

    points: list[Point]
    pill: Point | None  # the middle of the label with the local derivative


class Band(NamedTuple):
    """The box around a layer."""

    box: Box
    title: str


class Layout(NamedTuple):
    """The picture's geometry; (0, 0) is the upper left corner of the drawn graph."""

    boxes: list[Box]
    routes: list[Route]
    bands: list[Band]
    width: float
    height: float
    downwards: bool = False


def lay_out(views: list[View], downwards: bool = False) -> Layout:
    """The geometry of one picture, or of several with the same cards and edges, with room for the widest of each."""
    view = views[0]
    edges = [(edge.source, edge.target) for edge in view.edges]
    layers = Layers(len(view.cards), edges)
    reduce_crossings(layers)
    widths = [max(card_width(each.cards[card], downwards) for each in views) for card in range(len(view.cards))]
    across = widths if downwards else [CARD_HEIGHT] * len(widths)
    middles = heights(layers, lambda upper, lower: _distance(across, upper, lower))
    with_pills = len(view.edges) <= MOST_PILLS and view.backward_ran
    begins, ends = _columns(view, layers, middles, widths, with_pills, downwards)

    top = min(*(middle - size / 2 for middle, size in zip(middles, across, strict=False)), *middles)
    middles = [middle - top for middle in middles]
    bottom = max(*(middle + size / 2 for middle, size in zip(middles, across, strict=False)), *middles)

    boxes = []
    for card in range(layers.cards):
        column, middle = layers.column[card], middles[card]
        if downwards:
            boxes.append(Box(middle - across[card] / 2, begins[column], across[card], CARD_HEIGHT))
        else:
            boxes.append(Box(begins[column], middle - CARD_HEIGHT / 2, ends[column] - begins[column], CARD_HEIGHT))
    arrivals = _arrivals(layers, edges, middles, across, downwards)
    uses = Counter(edges)
    underneath: dict[int, float] = {}
    routes = []
    for number, (source, target) in enumerate(edges):
        path = layers.paths[number]
        if path is None:  # beside everything, each source at a depth of its own
            if source not in underneath:
                bottom += AROUND_LANE
                underneath[source] = bottom
            columns = (layers.column[source] + 1, layers.column[target] - 1)
            lanes = [(begins[columns[0]], ends[columns[1]], underneath[source])]
        else:
            lanes = [(begins[layers.column[lane]], ends[layers.column[lane]], middles[lane]) for lane in path[1:-1]]
        offset = arrivals[number] - middles[target] if uses[source, target] > 1 else 0.0
        begin = begins[layers.column[target]]
        arrival = (begin - badge_overhang(view.cards[target].badge, downwards), begin, arrivals[number])
        routes.append(_route((ends[layers.column[source]], middles[source] + offset), [*lanes, arrival]))
    pills = _pills(view.edges, routes, downwards) if with_pills else [None] * len(edges)
    bands = _bands(view, layers, begins, ends, bottom, downwards)
    turned = [
        Route([turn(point, downwards) for point in route], pill) for route, pill in zip(routes, pills, strict=True)
    ]
    width, height = turn((ends[-1], bottom), downwards)
    return Layout(boxes, turned, bands, width, height, downwards)


def turn(point: Point, downwards: bool) -> Point:
    """(along, across) as (x, y), or the other way round."""
    return point[::-1] if downwards else point


def _route(start: Point, lines: list[tuple[float, float, float]]) -> list[Point]:
    """The points of a route along horizontal lines (left, right, level); lines of one level become one."""
    points = [start]
    for left, right, level in lines:
        if len(points) > 1 and abs(points[-1][1] - level) < 0.05:
            points[-1] = (right, points[-1][1])
        else:
            points += [(left, level), (right, level)]
    return points


def card_width(card: Card, downwards: bool = False) -> float:
    """The room that a card's texts need, within limits."""
    header = header_indent(card, downwards) + width(card.name, NAME_SIZE, bold=True) + 8
    header += width(card.tag, TAG_SIZE, bold=True) + PADDING
    data = width(card.data, NUMBER_SIZE, mono=True) + cell_indent(card, downwards)
    grad = width(card.grad, NUMBER_SIZE, mono=True)
    return min(max(NARROWEST_CARD, min(header, WIDEST_HEADER), 2 * max(data, grad) + 20), WIDEST_CARD)


def header_indent(card: Card, downwards: bool = False) -> float:
    """The left end of the name: beside the badge, whose right half stands on the card, or beside a parameter's bar."""
    indent = cell_indent(card, downwards)
    return indent + 6 if indent == BADGE_RADIUS else PADDING + indent


def cell_indent(card: Card, downwards: bool = False) -> float:
    """The part of the card's left side that is covered."""
    if card.badge and not downwards:
        return BADGE_RADIUS
    return 3.0 if card.kind == "parameter" else 0.0


def badge_width(badge: str) -> float:
    """A circle for a sign, a pill for a word."""
    return min(max(2 * BADGE_RADIUS, width(badge, BADGE_SIZE, bold=True) + 14), LONGEST_BADGE)


def badge_overhang(badge: str, downwards: bool = False) -> float:
    """The part of a badge that stands out of the left edge of its card: half a circle, a pill but for one radius.

    Downwards it stands on the upper edge.
    """
    if not badge:
        return 0.0
    return 2 * BADGE_RADIUS - 3 if downwards else badge_width(badge) - BADGE_RADIUS


def pill_text(edge: Edge) -> str:
    return "" if edge.slope is None else f"×{factor(edge.slope + 0.0)}"


def pill_width(edge: Edge) -> float:
    return width(pill_text(edge), PILL_SIZE, mono=True) + 12


def _distance(sizes: list[float], upper: int, lower: int) -> float:
    """The least distance between the middles of two neighbours in a column, cards of these sizes or lanes."""
    return sum((sizes[x] + BETWEEN_CARDS) / 2 if x < len(sizes) else AROUND_LANE for x in (upper, lower))


def _columns(
    view: View, layers: Layers, middles: list[float], widths: list[float], with_pills: bool, downwards: bool
) -> tuple[list[float], list[float]]:
    """The begin and end of each column: as wide as its widest card, after a gap that its edges and badges need."""
    count = len(layers.columns)
    size, overhang = [CARD_HEIGHT if downwards else 0.0] * count, [0.0] * count
    for card, text_width in enumerate(widths):
        column = layers.column[card]
        if not downwards:
            size[column] = max(size[column], text_width)
        overhang[column] = max(overhang[column], badge_overhang(view.cards[card].badge, downwards))
    widest_pill, pills, steepest = [0.0] * count, [0] * count, [0.0] * count  # in the gap before a column
    for edge in view.edges:
        if with_pills and edge.slope is not None:
            column = layers.column[edge.target]
            widest_pill[column] = max(widest_pill[column], pill_width(edge))
            pills[column] += 1
    for vertex, neighbours in enumerate(layers.left):
        for neighbour in neighbours:
            column = layers.column[vertex]
            steepest[column] = max(steepest[column], abs(middles[vertex] - middles[neighbour]))
    begins, ends = [overhang[0]], [overhang[0] + size[0]]
    for column in range(1, count):
        if downwards:
            gap = min(max(SHORTEST_GAP + (PILL_HEIGHT if pills[column] else 0.0), 0.15 * steepest[column]), LONGEST_GAP)
            gap += BAND_TITLE + AROUND_BAND if _group(view, layers, column) or _group(view, layers, column - 1) else 0.0
        else:
            gap = min(max(NARROWEST_GAP, 28 + widest_pill[column], 0.6 * steepest[column]), WIDEST_GAP)
            gap += 1.5 * widest_pill[column] if pills[column] > MANY_LABELS else 0.0
        begins.append(ends[-1] + gap + overhang[column])
        ends.append(begins[-1] + size[column])
    return begins, ends


def _arrivals(
    layers: Layers, edges: list[tuple[int, int]], middles: list[float], across: list[float], downwards: bool
) -> list[float]:
    """Where edges arrive at their targets, across: those from above arrive above."""
    arriving: dict[int, list[tuple[float, int]]] = {}
    for number, (_, target) in enumerate(edges):
        path = layers.paths[number]
        level = float("inf") if path is None else middles[path[-2]]
        arriving.setdefault(target, []).append((level, number))
    ends = [0.0] * len(edges)
    for target, incoming in arriving.items():
        incoming.sort()
        roomy = 18.0 if len(incoming) == 2 and edges[incoming[0][1]] == edges[incoming[1][1]] else 9.0  # a + a
        step = min(roomy, (across[target] - 14) / max(1, len(incoming) - 1))
        for place, (_, number) in enumerate(incoming):
            ends[number] = middles[target] + (place - (len(incoming) - 1) / 2) * step
    return ends


def _pills(edges: list[Edge], routes: list[list[Point]], downwards: bool) -> list[Point | None]:
    """A place on each edge for its label: on the last curve, near its middle, where no other label is; else none."""
    placed: list[tuple[float, float, float]] = []
    pills: list[Point | None] = []
    for edge, points in zip(edges, routes, strict=True):
        if edge.slope is None:
            pills.append(None)
            continue
        half = pill_width(edge) / 2
        choices = (turn(point_on_curve(points[-3], points[-2], share), downwards) for share in SHARES)
        free = (
            (x, y)
            for x, y in choices
            if all(abs(x - a) > half + other or abs(y - b) > PILL_HEIGHT for a, b, other in placed)
        )
        place = next(free, None)
        pills.append(place)
        if place:
            placed.append((*place, half))
    return pills


def point_on_curve(start: Point, end: Point, share: float) -> Point:
    """A point of the cubic curve (Bezier) that leaves `start` and reaches `end` along the direction of the edges."""
    rest = 1 - share
    bend = (start[0] + end[0]) / 2
    x = rest**3 * start[0] + 3 * rest * share * bend + share**3 * end[0]
    y = (rest**3 + 3 * rest**2 * share) * start[1] + (3 * rest * share**2 + share**3) * end[1]
    return x, y


def _group(view: View, layers: Layers, column: int) -> str:
    """The layer that all cards of a column belong to, or ""."""
    groups = {view.cards[vertex].group for vertex in layers.columns[column] if vertex < layers.cards}
    return groups.pop() if len(groups) == 1 else ""


def _bands(
    view: View, layers: Layers, begins: list[float], ends: list[float], bottom: float, downwards: bool
) -> list[Band]:
    """A box around each column whose cards are of one layer."""
    bands = []
    for column, vertices in enumerate(layers.columns):
        cards = [view.cards[vertex] for vertex in vertices if vertex < layers.cards]
        if group := _group(view, layers, column):
            (left, top), (right, end) = turn((begins[column], 0.0), downwards), turn((ends[column], bottom), downwards)
            around = AROUND_BAND
            box = Box(left - around, top - BAND_TITLE, right - left + 2 * around, end - top + BAND_TITLE + around)
            functions = " or ".join(sorted({card.function for card in cards}))
            bands.append(Band(box, f"{group} · {len(cards)} {functions}" if functions else group))
    return bands


def same_structure(views: list[View]) -> bool:
    """Do all have the same cards and edges, so that one geometry serves them all?"""

    def structure(view: View) -> tuple:
        return [card.members for card in view.cards], [(edge.source, edge.target) for edge in view.edges]

    return all(structure(first) == structure(second) for first, second in pairwise(views))
