"""Curves of a training run as SVG for a notebook's cell: drawn in a millisecond, again and again."""

import math
from collections.abc import Mapping, Sequence

from scalargrad.drawing.lettering import escaped, number
from scalargrad.drawing.svg import SANS_FONT, round_off
from scalargrad.drawing.tables import QUIET, STRONG

VALIDATION = "val_"  # a measure of this beginning was taken on the samples held back
ZOOM = 0.75  # accuracies that are all above this get a closer look
WIDE, HIGH = 420.0, 118.0  # pixels of a panel
LEFT, RIGHT, TOP, BOTTOM = 58.0, 12.0, 20.0, 20.0  # around its lines
MOST_POINTS = 400  # of a line: there are no more pixels

Point = tuple[int, float]


def curves(history: Mapping[str, Sequence[float]], last: int = 0, first_epoch: int = 1) -> str:
    """One SVG with a panel for each measure of a history; a measure and its "val_" share one, dashed and solid.

    last          the epoch at the right end; that of the last numbers, if they go further
    first_epoch   that of the first numbers

    "" for a history without numbers. A loss above 0 has a logarithmic scale; inf and nan are left out.

    >>> curves({"loss": [0.5, 0.25], "val_loss": [0.6, 0.5], "accuracy": [0.5, 1.0]}).count("<polyline")
    3
    """
    panels = [name for name, numbers in history.items() if numbers and not name.startswith(VALIDATION)]
    if not panels:
        return ""
    ends = first_epoch, max(last, first_epoch + max(map(len, history.values())) - 1)
    parts = []
    for place, name in enumerate(panels):
        lines = {kind: _chosen(history.get(f"{kind}{name}", ())) for kind in ("", VALIDATION)}
        parts.append(f'<g transform="translate(0 {place * HIGH:g})">{_panel(name, lines, ends)}</g>')
    words = "; ".join(f"{name} {number(history[name][-1])}" for name in panels)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escaped(words)}" '
        f'viewBox="0 0 {WIDE:g} {len(panels) * HIGH:g}" width="{WIDE:g}" style="max-width:100%;height:auto" '
        f'font-family="{SANS_FONT}" font-size="10" fill="currentColor">{"".join(parts)}</svg>'
    )


def _panel(name: str, lines: Mapping[str, Sequence[Point]], ends: tuple[int, int]) -> str:
    low, high, logarithmic = _scale(name, [x for points in lines.values() for _, x in points])
    first, last = ends

    def height(x: float) -> float:
        share = math.log(x / low) / math.log(high / low) if logarithmic else (x - low) / (high - low)
        return HIGH - BOTTOM - share * (HIGH - TOP - BOTTOM)

    def place(epoch: float) -> float:
        return LEFT + (epoch - first) / max(last - first, 1) * (WIDE - LEFT - RIGHT)

    middle = math.sqrt(low * high) if logarithmic else (low + high) / 2
    written = f"{name}, validation dashed" if lines[VALIDATION] else name
    parts = [f'<text x="{LEFT:g}" y="12" font-weight="bold">{escaped(written)}</text>']
    for x in (low, middle, high):
        text = f"{100 * x:.3g}%" if name == "accuracy" else number(float(f"{x:.2g}"))
        parts.append(f'<path d="M{LEFT:g} {round_off(height(x))}H{WIDE - RIGHT:g}" style="stroke:{QUIET}"/>')
        parts.append(f'<text x="{LEFT - 6:g}" y="{round_off(height(x) + 3.5)}" text-anchor="end">{text}</text>')
    for epoch, anchor in ((first, "start"), (last, "end")):
        parts.append(f'<text x="{round_off(place(epoch))}" y="{HIGH - 6:g}" text-anchor="{anchor}">{epoch:,}</text>')
    parts.append(f'<text x="{(LEFT + WIDE - RIGHT) / 2:g}" y="{HIGH - 6:g}" text-anchor="middle">epoch</text>')
    for kind, points in lines.items():
        if points:
            drawn = [(place(first + epoch), height(x)) for epoch, x in points]
            parts.append(_line(drawn, STRONG["negative" if kind else "output"], dashed=bool(kind)))
    return "".join(parts)


def _line(points: Sequence[tuple[float, float]], colour: str, dashed: bool) -> str:
    """A line through points, with a dot where it is now."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    x, y = points[-1]
    dashes = ' stroke-dasharray="5 3"' if dashed else ""
    return (
        f'<polyline points="{path}" fill="none" style="stroke:{colour};stroke-width:2"{dashes}/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" style="fill:{colour}"/>'
    )


def _chosen(numbers: Sequence[float]) -> list[Point]:
    """Places and finite numbers of a line: of many as many as can be seen, the last one among them."""
    stride = max(1, len(numbers) // MOST_POINTS)
    places = range((len(numbers) - 1) % stride, len(numbers), stride)
    return [(place, numbers[place]) for place in places if math.isfinite(numbers[place])]


def _scale(name: str, numbers: Sequence[float]) -> tuple[float, float, bool]:
    """The lower and upper end of a panel, and whether its scale is logarithmic."""
    if not numbers:
        return 0.0, 1.0, False
    low, high = min(numbers), max(numbers)
    if name == "accuracy":
        return (low if ZOOM < low < 1.0 else 0.0), 1.0, False
    if name != "r2" and low > 0.0 and high / low > 3.0 and math.isfinite(high / low):
        return low, high, True
    return (low, high, False) if high > low else (low - 0.5, high + 0.5, False)
