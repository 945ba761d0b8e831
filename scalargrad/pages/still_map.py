"""A playground where no script runs: the map as it is, with its points, and the measures in words."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

import numpy
from numpy import ndarray

from scalargrad.drawing.lettering import number

ACROSS, DOWN = 50, 43  # cells
WIDTH, HEIGHT = 500, 430
CLASSES = ("positive", "negative", "parameter", "output", "not-finite", "muted")  # colours, as colours.js has them
STYLE = (
    ".sg-still svg{display:block;width:700px;border-radius:9px}"
    ".sg-still circle,.sg-still path{stroke:var(--ground);stroke-width:1.2}"
)


def grid(ends: Sequence[float]) -> ndarray:
    """The places of the map, [cells, 2], in rows from the top."""
    left, right, bottom, top = ends
    across = left + (numpy.arange(ACROSS) + 0.5) / ACROSS * (right - left)
    upward = top - (numpy.arange(DOWN) + 0.5) / DOWN * (top - bottom)
    return numpy.stack(numpy.broadcast_arrays(across[None], upward[:, None]), axis=-1).reshape(-1, 2)


def still(data: dict[str, Any], outputs: ndarray, measures: dict[str, Any]) -> str:
    """The HTML. outputs: of the model on the `grid`, [cells, numbers]."""
    parts = _colours(outputs, data["decision"])
    style = STYLE + "".join(f".sg-still .f-{part}{{fill:var(--{part})}}" for part in sorted({*parts, *CLASSES}))
    cells = "".join(_strips(parts))
    marks = "".join(_marks(data))
    says = ", ".join(f"{name} {text}" for name, text in measures.items())
    title, summary = escape(data["title"]), escape(data["summary"])
    return (
        f'<div class="sg-still"><style>{style}</style><h1>playground · {title}</h1>'
        f"<p>{summary}. Training needs JavaScript; this is how things stand: {escape(says)}.</p>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="What the network says of every place">'
        f'<g shape-rendering="crispEdges">{cells}</g>{marks}</svg></div>\n'
    )


def _colours(outputs: ndarray, decision: dict[str, Any]) -> list[str]:
    """The part of the palette for each cell."""
    if decision["kind"] == "argmax":
        names = [f"{CLASSES[k % len(CLASSES)]}" for k in range(outputs.shape[1])]
        return [names[k] for k in outputs.argmax(axis=1)]
    low, high = decision["labels"]
    shares = (outputs[:, 0] - decision["level"]) / (0.5 * (high - low) or 1.0)
    blue_above = decision["kind"] == "number"

    def part(share: float) -> str:
        if share != share:
            return "not-finite"
        step = 1 + int(min(2.0, 3.0 * abs(share)))
        return f"tint-{'positive' if (share > 0) == blue_above else 'negative'}-{step}"

    return [part(share) for share in shares.tolist()]


def _strips(parts: Sequence[str]) -> Iterator[str]:
    """Neighbours of one colour in one rectangle."""
    wide, high = WIDTH / ACROSS, HEIGHT / DOWN
    for row in range(DOWN):
        colours, begin = parts[row * ACROSS : (row + 1) * ACROSS], 0
        for place in range(1, ACROSS + 1):
            if place == ACROSS or colours[place] != colours[begin]:
                yield (
                    f'<rect class="f-{colours[begin]}" x="{begin * wide:g}" y="{row * high:g}" '
                    f'width="{(place - begin) * wide:g}" height="{high:g}"/>'
                )
                begin = place


def _marks(data: dict[str, Any]) -> Iterator[str]:
    """A dot for each point, a diamond for those of the second class."""
    left, right, bottom, top = data["range"]
    decision = data["decision"]
    for (x, y), (target, *_) in zip(data["points"], data["targets"], strict=True):
        across, down = WIDTH * (x - left) / (right - left), HEIGHT * (top - y) / (top - bottom)
        if decision["kind"] == "number":
            kind, is_second = ("positive" if target >= decision["level"] else "negative"), False
        else:
            place = int(target) if decision["kind"] == "argmax" else int(target > decision["labels"][0])
            kind, is_second = CLASSES[place % len(CLASSES)], place == 1
        where = f'class="f-{kind}" transform="translate({across:.1f} {down:.1f})"'
        yield f'<path {where} d="M0-6L6 0L0 6L-6 0Z"/>' if is_second else f'<circle {where} r="4.6"/>'


def in_words(loss: float, accuracy: float | None, wrong: int) -> dict[str, str]:
    """The measures as the page says them."""
    found = {"loss": number(loss)}
    return found if accuracy is None else found | {"accuracy": f"{100 * accuracy:.4g} %", "wrong points": str(wrong)}
