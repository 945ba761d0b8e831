"""Where everything stands: a box for each card and a route for each edge, from left to right."""

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


def lay_out(views: list[View]) -> Layout:
    """The geometry of one picture, or of several with the same cards and edges, with room for the widest of each."""
    view = views[0]
    edges = [(edge.source, edge.target) for edge in view.edges]
    layers = Layers(len(view.cards), edges)
    reduce_crossings(layers)
    middles = heights(layers, lambda upper, lower: _distance(layers, upper, lower))
    with_pills = len(view.edges) <= MOST_PILLS and view.backward_ran
    widths = [max(card_width(each.cards[card]) for each in views) for card in range(len(view.cards))]
    lefts, rights = _columns(view, layers, middles, widths, with_pills)

    top = min((middles[card] for card in range(layers.cards)), default=0.0) - CARD_HEIGHT / 2
    bottom = max(middles[card] for card in range(layers.cards)) + CARD_HEIGHT / 2
    top, bottom = min(top, *middles), max(bottom, *middles)
    middles = [middle - top for middle in middles]
    bottom -= top

    boxes = []
    for card in range(layers.cards):
        column = layers.column[card]
        boxes.append(Box(lefts[column], middles[card] - CARD_HEIGHT / 2, rights[column] - lefts[column], CARD_HEIGHT))
    ends = _ends(layers, edges, middles)
    uses = Counter(edges)
    underneath: dict[int, float] = {}
    routes = []
    for number, (source, target) in enumerate(edges):
        path = layers.paths[number]
        if path is None:  # below everything, each source at a depth of its own
            if source not in underneath:
                bottom += AROUND_LANE
                underneath[source] = bottom
            columns = (layers.column[source] + 1, layers.column[target] - 1)
            lanes = [(lefts[columns[0]], rights[columns[1]], underneath[source])]
        else:
            lanes = [(lefts[layers.column[lane]], rights[layers.column[lane]], middles[lane]) for lane in path[1:-1]]
        offset = ends[number] - boxes[target].middle if uses[source, target] > 1 else 0.0
        arrival = (boxes[target].left - badge_overhang(view.cards[target].badge), boxes[target].left, ends[number])
        routes.append(_route((boxes[source].right, boxes[source].middle + offset), [*lanes, arrival]))
    pills = _pills(view.edges, routes) if with_pills else [None] * len(edges)
    bands = _bands(view, layers, lefts, rights, bottom)
    return Layout(boxes, [Route(*route) for route in zip(routes, pills, strict=True)], bands, rights[-1], bottom)


def _route(start: Point, lines: list[tuple[float, float, float]]) -> list[Point]:
    """The points of a route along horizontal lines (left, right, level); lines of one level become one."""
    points = [start]
    for left, right, level in lines:
        if len(points) > 1 and abs(points[-1][1] - level) < 0.05:
            points[-1] = (right, points[-1][1])
        else:
            points += [(left, level), (right, level)]
    return points


def card_width(card: Card) -> float:
    """The room that a card's texts need, within limits."""
    header = header_indent(card) + width(card.name, NAME_SIZE, bold=True) + 8
    header += width(card.tag, TAG_SIZE, bold=True) + PADDING
    data = width(card.data, NUMBER_SIZE, mono=True) + cell_indent(card)
    grad = width(card.grad, NUMBER_SIZE, mono=True)
    return min(max(NARROWEST_CARD, min(header, WIDEST_HEADER), 2 * max(data, grad) + 20), WIDEST_CARD)


def header_indent(card: Card) -> float:
    """The left end of the name: beside the badge, whose right half stands on the card, or beside a parameter's bar."""
    return cell_indent(card) + 6 if card.badge else PADDING + cell_indent(card)


def cell_indent(card: Card) -> float:
    """The part of the card's left side that is covered."""
    return BADGE_RADIUS if card.badge else 3.0 if card.kind == "parameter" else 0.0


def badge_width(badge: str) -> float:
    """A circle for a sign, a pill for a word."""
    return min(max(2 * BADGE_RADIUS, width(badge, BADGE_SIZE, bold=True) + 14), LONGEST_BADGE)


def badge_overhang(badge: str) -> float:
    """The part of a badge that stands out of the left edge of its card: half a circle, a pill but for one radius."""
    return badge_width(badge) - BADGE_RADIUS if badge else 0.0


def pill_text(edge: Edge) -> str:
    return "" if edge.slope is None else f"×{factor(edge.slope + 0.0)}"


def pill_width(edge: Edge) -> float:
    return width(pill_text(edge), PILL_SIZE, mono=True) + 12


def _distance(layers: Layers, upper: int, lower: int) -> float:
    """The least distance between the middles of two neighbours in a column."""
    half = CARD_HEIGHT / 2 + BETWEEN_CARDS / 2
    return sum(half if vertex < layers.cards else AROUND_LANE for vertex in (upper, lower))


def _columns(
    view: View, layers: Layers, middles: list[float], widths: list[float], with_pills: bool
) -> tuple[list[float], list[float]]:
    """The left and right edge of each column: as wide as its widest card, a gap that its edges and badges need."""
    count = len(layers.columns)
    column_width, overhang = [0.0] * count, [0.0] * count
    for card, text_width in enumerate(widths):
        column = layers.column[card]
        column_width[column] = max(column_width[column], text_width)
        overhang[column] = max(overhang[column], badge_overhang(view.cards[card].badge))
    widest_pill, pills, steepest = [0.0] * count, [0] * count, [0.0] * count  # in the gap on the left of a column
    for edge in view.edges:
        if with_pills and edge.slope is not None:
            on_the_left = layers.column[edge.target]
            widest_pill[on_the_left] = max(widest_pill[on_the_left], pill_width(edge))
            pills[on_the_left] += 1
    for vertex, neighbours in enumerate(layers.left):
        for neighbour in neighbours:
            on_the_left = layers.column[vertex]
            steepest[on_the_left] = max(steepest[on_the_left], abs(middles[vertex] - middles[neighbour]))
    lefts, rights = [overhang[0]], [overhang[0] + column_width[0]]
    for column in range(1, count):
        gap = min(max(NARROWEST_GAP, 28 + widest_pill[column], 0.6 * steepest[column]), WIDEST_GAP)
        if pills[column] > MANY_LABELS:
            gap += 1.5 * widest_pill[column]
        lefts.append(rights[-1] + gap + overhang[column])
        rights.append(lefts[-1] + column_width[column])
    return lefts, rights


def _ends(layers: Layers, edges: list[tuple[int, int]], middles: list[float]) -> list[float]:
    """The heights at which edges arrive at their targets: those from above arrive above."""
    arriving: dict[int, list[tuple[float, int]]] = {}
    for number, (_, target) in enumerate(edges):
        path = layers.paths[number]
        level = float("inf") if path is None else middles[path[-2]]
        arriving.setdefault(target, []).append((level, number))
    ends = [0.0] * len(edges)
    for target, incoming in arriving.items():
        incoming.sort()
        roomy = 18.0 if len(incoming) == 2 and edges[incoming[0][1]] == edges[incoming[1][1]] else 9.0  # a + a
        step = min(roomy, (CARD_HEIGHT - 14) / max(1, len(incoming) - 1))
        for place, (_, number) in enumerate(incoming):
            ends[number] = middles[target] + (place - (len(incoming) - 1) / 2) * step
    return ends


def _pills(edges: list[Edge], routes: list[list[Point]]) -> list[Point | None]:
    """A place on each edge for its label: on the last curve, near its middle, where no other label is; else none."""
    placed: list[tuple[float, float, float]] = []
    pills: list[Point | None] = []
    for edge, points in zip(edges, routes, strict=True):
        if edge.slope is None:
            pills.append(None)
            continue
        half = pill_width(edge) / 2
        choices = (point_on_curve(points[-3], points[-2], share) for share in SHARES)
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
    """A point of the cubic curve (Bezier) that leaves `start` and reaches `end` horizontally."""
    rest = 1 - share
    bend = (start[0] + end[0]) / 2
    x = rest**3 * start[0] + 3 * rest * share * bend + share**3 * end[0]
    y = (rest**3 + 3 * rest**2 * share) * start[1] + (3 * rest * share**2 + share**3) * end[1]
    return x, y


def _bands(view: View, layers: Layers, lefts: list[float], rights: list[float], bottom: float) -> list[Band]:
    """A box around each column whose cards are of one layer."""
    bands = []
    for column, vertices in enumerate(layers.columns):
        cards = [view.cards[vertex] for vertex in vertices if vertex < layers.cards]
        groups = {card.group for card in cards}
        if len(groups) == 1 and (group := groups.pop()):
            box = Box(lefts[column] - 14, -34, rights[column] - lefts[column] + 28, bottom + 34 + 14)
            functions = " or ".join(sorted({card.function for card in cards}))
            bands.append(Band(box, f"{group} · {len(cards)} {functions}" if functions else group))
    return bands


def same_structure(views: list[View]) -> bool:
    """Do all have the same cards and edges, so that one geometry serves them all?"""

    def structure(view: View) -> tuple:
        return [card.members for card in view.cards], [(edge.source, edge.target) for edge in view.edges]

    return all(structure(first) == structure(second) for first, second in pairwise(views))
