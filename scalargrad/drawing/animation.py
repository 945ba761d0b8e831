"""draw_frames: a film of how gradients, or a decision boundary, change during training, as an animated SVG or GIF."""

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path

from scalargrad.checks import file_name, instance, real
from scalargrad.drawing.boundary import DecisionBoundary
from scalargrad.drawing.display import figure_html, much_narrower
from scalargrad.drawing.figure import Drawing, check_options, draw, views_by_width
from scalargrad.drawing.layout import same_structure
from scalargrad.drawing.palette import THEMES
from scalargrad.drawing.svg import SvgWriter
from scalargrad.engine import Value
from scalargrad.files.atomic import replace_file, writable_target
from scalargrad.support.words import brief, plural

MOST_FRAMES = 500
FORMATS = (".svg", ".gif")

Picture = Drawing | DecisionBoundary
Elements = Callable[[SvgWriter], tuple[list[str], tuple[float, float]]]  # of a frame: see Drawing.elements

_animations = count(1)


def draw_frames(
    frames: Iterable[Value | Drawing | DecisionBoundary],
    path: str | Path | None = None,
    *,
    seconds: float = 0.4,
    theme: str | None = None,
    detail: str | None = None,
    names: Mapping[str, object] | None = None,
    title: str = "",
) -> "Path | Film":
    """A film, which a notebook shows and `.save` writes; with a path it is written there, and the path returned.

    frames   what to show one after the other, all of one kind: Values (drawn as they are when the iterable gives them,
             so a generator may train between two), Drawings, or DecisionBoundaries
    path     ends in .svg or .gif; a GIF of graphs needs Graphviz
    seconds  how long each frame stays
    theme, detail, names, title   as in `draw`, for frames that are Values

    In a notebook it has a button that holds it. The SVG stays at a frame while the pointer is on it, where that can be
    seen, and stands still on its last frame where the reader asks for reduced motion.

        def training():
            for step in range(20):
                loss = ...
                loss.backward()
                yield loss
                ...             # the optimizer's step, zero_grad

        draw_frames(training(), "training.svg", detail="units")
    """
    if path is not None:
        path = checked_path(path)
    seconds = real("seconds", seconds, 0.02, 60.0, "how long each frame stays, from 0.02 to 60,")
    check_options("light" if theme is None else theme, detail, names, title)

    def drawn(frame: object) -> Drawing | DecisionBoundary:
        if isinstance(frame, Value):
            return draw(frame, theme=theme, detail=detail, names=names, title=title)
        if isinstance(frame, Drawing | DecisionBoundary):
            return frame
        raise TypeError(f"draw_frames takes Values, Drawings or DecisionBoundaries, got {brief(frame)}")

    pictures: list[Picture] = []
    for frame in instance("frames", frames, Iterable, "a list of pictures or Values, or a generator of them"):
        pictures.append(drawn(frame))
        if len(pictures) > MOST_FRAMES:
            raise ValueError(f"draw_frames shows at most {MOST_FRAMES} frames: give every tenth, say")
    if not pictures:
        raise ValueError("draw_frames got no frames: the iterable was empty (a generator can be used only once)")
    if len({type(picture) for picture in pictures}) > 1:
        raise TypeError("draw_frames takes frames of one kind, either graphs or boundaries")
    film = Film(pictures, seconds)
    return film if path is None else film.save(path)


def checked_path(path: str | Path) -> Path:
    """A path that a film can be written to. ValueError for other endings, OSError where nothing can be written."""
    path = Path(file_name(path))
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"path: an animation is saved as .svg or .gif, got {path.name!r:.100}")
    writable_target(path)
    return path


class Film:
    """Pictures that are shown one after the other: see `draw_frames`."""

    def __init__(self, pictures: Sequence[Picture], seconds: float) -> None:
        self.pictures, self.seconds = pictures, seconds
        self.description = f"{len(pictures)} frames, {seconds:g} s each. The last one: {pictures[-1].description}"

    def svg(self) -> str:
        """One SVG with a group for each frame, shown in turn by CSS alone."""
        return next(self._by_width(self._new_id(), self.pictures[-1].theme))

    def html(self) -> str:
        """The film for a cell or a page, as wide as there is room, with a button that holds it: see display.py."""
        figure, last = self._new_id(), self.pictures[-1]
        pictures = much_narrower(self._by_width(figure, last.theme_of_pages))
        return figure_html(figure, pictures, f"{last.heading}. {self.description}")

    def save(self, path: str | Path) -> Path:
        """Write the film, as .svg or .gif. Returns the path."""
        path = checked_path(path)
        replace_file(path, self._gif() if path.suffix.lower() == ".gif" else self.svg().encode())
        return path

    def _new_id(self) -> str:
        return (
            f"scalargrad-{zlib.crc32(repr(self.pictures).encode(errors='replace')):08x}-animation-{next(_animations)}"
        )

    def _by_width(self, figure: str, theme: str) -> Iterator[str]:
        """The SVG, and others for less room if all frames are one graph, so that one geometry serves them all."""
        drawings = [picture for picture in self.pictures if isinstance(picture, Drawing)]
        views = [drawing.view for drawing in drawings]
        if not views or not same_structure(views):
            yield self._document(f"{figure}-0", theme, [picture.elements for picture in self.pictures])
            return
        for place, (shown, layout) in enumerate(views_by_width(views)):
            pairs = zip(drawings, shown, strict=True)
            frames = [partial(drawing.elements, view=view, layout=layout) for drawing, view in pairs]
            yield self._document(f"{figure}-{place}", theme, frames)

    def _document(self, figure: str, theme: str, frames: Sequence[Elements]) -> str:
        writer = SvgWriter(figure, theme)
        body, width, height = [], 0.0, 0.0
        for place, elements in enumerate(frames):
            writer.prefix = f"{figure}-{place}"  # ids stay unique
            parts, size = elements(writer)
            width, height = max(width, size[0]), max(height, size[1])
            delay = f"animation-delay:{(place - len(frames)) * self.seconds:g}s"  # as if all had turned once already
            body += [f'<g class="sg-frame" data-frame="{place}" style="{delay}">', *parts, "</g>"]
        style, heading = _turns(figure, len(frames), self.seconds), self.pictures[-1].heading
        return writer.document((width, height), heading, self.description, body, style)

    def _gif(self) -> bytes:
        from io import BytesIO

        from PIL import Image

        images = [picture.image() for picture in self.pictures]
        size = max(image.width for image in images), max(image.height for image in images)
        colours = {part: colour for part, colour in THEMES[self.pictures[-1].theme][0].items() if part != "band"}
        palette = Image.new("P", (1, 1))
        palette.putpalette(bytes.fromhex("".join(colours.values()).replace("#", "")))
        frames = []
        for image in images:
            frame = Image.new("RGB", size, image.getpixel((0, 0)))
            frame.paste(image, (0, 0))
            # One palette, those of the theme: a frame is then no more than where it differs from the one before.
            frames.append(frame.quantize(palette=palette, dither=Image.Dither.NONE))
        contents = BytesIO()
        duration = round(self.seconds * 1000)
        frames[0].save(contents, "gif", save_all=True, append_images=frames[1:], duration=duration, loop=0)
        return contents.getvalue()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.html(), "image/svg+xml": self.svg(), "text/plain": repr(self)}

    def __repr__(self) -> str:
        return f"<Film of {plural(len(self.pictures), 'frame')}, {self.seconds:g} s each: {self.pictures[-1].heading}>"


def _turns(figure: str, frames: int, seconds: float) -> str:
    """The style that shows frame after frame; the last one where nothing is animated."""
    share = 100 / frames
    frame = f"#{figure} .sg-frame"
    return (
        f"{frame}{{visibility:hidden;animation:{figure}-turn {frames * seconds:g}s step-end infinite}}"
        f"{frame}:last-of-type{{visibility:visible}}"
        f"@keyframes {figure}-turn{{0%{{visibility:visible}}{share:.6g}%{{visibility:hidden}}}}"
        f"#{figure}:hover .sg-frame{{animation-play-state:paused}}"
        f"@media (prefers-reduced-motion:reduce){{{frame}{{animation:none}}}}"
    )
