"""draw_frames: how gradients, or a decision boundary, change during training, as an animated SVG or GIF."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path

from scalargrad.drawing.boundary import DecisionBoundary
from scalargrad.drawing.figure import Drawing, check_options, draw
from scalargrad.drawing.layout import lay_out, same_structure
from scalargrad.drawing.svg import SvgWriter
from scalargrad.engine import Value
from scalargrad.files.atomic import replace_file, writable_target

MOST_FRAMES = 500
FORMATS = (".svg", ".gif")

Picture = Drawing | DecisionBoundary

_animations = count(1)


def draw_frames(
    frames: Iterable[Value | Drawing | DecisionBoundary],
    path: str | Path,
    *,
    seconds: float = 0.4,
    theme: str = "light",
    detail: str | None = None,
    names: Mapping[str, object] | None = None,
    title: str = "",
) -> Path:
    """Write an animation to `path` (.svg or .gif) and return the path.

    frames   what to show one after the other, all of one kind: Values (drawn as they are when the iterable gives them,
             so a generator may train between two), Drawings, or DecisionBoundaries
    seconds  how long each frame stays
    theme, detail, names, title   as in `draw`, for frames that are Values

    The SVG stands still on its last frame where the reader asks for reduced motion. A GIF of graphs needs Graphviz.

        def training():
            for step in range(20):
                loss = ...
                loss.backward()
                yield loss
                ...             # the optimizer's step, zero_grad

        draw_frames(training(), "training.svg", detail="units")
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"an animation is saved as .svg or .gif, got {path.name!r:.100}")
    writable_target(path)
    if not 0.02 <= seconds <= 60:
        raise ValueError(f"seconds is how long each frame stays, from 0.02 to 60, got {seconds!r}")
    check_options(theme, detail, names, title)

    def drawn(frame: object) -> Drawing | DecisionBoundary:
        if isinstance(frame, Value):
            return draw(frame, theme=theme, detail=detail, names=names, title=title)
        if isinstance(frame, Drawing | DecisionBoundary):
            return frame
        raise TypeError(f"draw_frames takes Values, Drawings or DecisionBoundaries, got {frame!r}")

    pictures: list[Picture] = []
    for frame in frames:
        pictures.append(drawn(frame))
        if len(pictures) > MOST_FRAMES:
            raise ValueError(f"an animation has at most {MOST_FRAMES} frames: give every tenth, say")
    if not pictures:
        raise ValueError("draw_frames got no frames: the iterable was empty (a generator can be used only once)")
    if len({type(picture) for picture in pictures}) > 1:
        raise TypeError("draw_frames takes frames of one kind, either graphs or boundaries")
    if path.suffix.lower() == ".gif":
        _save_gif(pictures, path, seconds)
    else:
        replace_file(path, animated_svg(pictures, seconds).encode())
    return path


def animated_svg(pictures: Sequence[Picture], seconds: float) -> str:
    """One SVG with a group for each frame, shown in turn by CSS alone."""
    last = pictures[-1]
    figure = f"scalargrad-{zlib.crc32(repr(pictures).encode(errors='replace')):08x}-animation-{next(_animations)}"
    writer = SvgWriter(figure, last.theme)
    views = [picture.view for picture in pictures if isinstance(picture, Drawing)]
    # One geometry for all frames if they are one graph, so that only what changes moves.
    shared = lay_out(views) if views and same_structure(views) else None
    body, width, height = [], 0.0, 0.0
    for place, picture in enumerate(pictures):
        writer.prefix = f"{figure}-{place}"  # ids stay unique
        parts, size = picture.elements(writer, shared)
        width, height = max(width, size[0]), max(height, size[1])
        delay = f"animation-delay:{(place - len(pictures)) * seconds:g}s"  # as if all had turned once already
        body += [f'<g class="sg-frame" data-frame="{place}" style="{delay}">', *parts, "</g>"]
    description = f"{len(pictures)} frames, {seconds:g} s each. The last one: {last.description}"
    return writer.document((width, height), last.heading, description, body, _turns(figure, len(pictures), seconds))


def _turns(figure: str, frames: int, seconds: float) -> str:
    """The style that shows frame after frame; the last one where nothing is animated."""
    share = 100 / frames
    frame = f"#{figure} .sg-frame"
    return (
        f"{frame}{{visibility:hidden;animation:{figure}-turn {frames * seconds:g}s step-end infinite}}"
        f"{frame}:last-of-type{{visibility:visible}}"
        f"@keyframes {figure}-turn{{0%{{visibility:visible}}{share:.6g}%{{visibility:hidden}}}}"
        f"@media (prefers-reduced-motion:reduce){{{frame}{{animation:none}}}}"
    )


def _save_gif(pictures: Sequence[Picture], path: Path, seconds: float) -> None:
    from io import BytesIO

    from PIL import Image

    images = [picture.image() for picture in pictures]
    size = max(image.width for image in images), max(image.height for image in images)
    frames = []
    for image in images:
        frame = Image.new("RGB", size, image.getpixel((0, 0)))
        frame.paste(image, (0, 0))
        frames.append(frame)
    contents = BytesIO()
    duration = round(seconds * 1000)
    frames[0].save(contents, "gif", save_all=True, append_images=frames[1:], duration=duration, loop=0)
    replace_file(path, contents.getvalue())
