"""Writes SVG: elements in the colours of a theme, and the document around them."""

import math

from scalargrad.drawing.layout import Box
from scalargrad.drawing.lettering import escaped
from scalargrad.drawing.palette import THEMES

SANS_FONT = "Verdana, 'DejaVu Sans', Geneva, sans-serif"
MONO_FONT = "'DejaVu Sans Mono', Menlo, Consolas, monospace"
DASHES = ' stroke-dasharray="5 4"'


class SvgWriter:
    """Writes figures with one id and one theme, and collects the colours that they use."""

    def __init__(self, figure: str, theme: str) -> None:
        self.figure, self.theme = figure, theme
        self.prefix = figure  # of the ids of cards and edges: another one for each frame of an animation
        self.fills: set[str] = set()
        self.strokes: set[str] = set()

    # Elements.

    def fill(self, colour: str) -> str:
        self.fills.add(colour)
        return f"sg-f-{colour}"

    def stroke(self, colour: str) -> str:
        self.strokes.add(colour)
        return f"sg-s-{colour}"

    def text(
        self, x: float, y: float, text: str, size: float, colour: str, *, anchor: str = "start", style: str = ""
    ) -> str:
        """One line of text; `style` is "bold", "mono", "bold mono" or nothing."""
        attributes = f' text-anchor="{anchor}"' if anchor != "start" else ""
        attributes += ' font-weight="bold"' if "bold" in style else ""
        attributes += f' font-family="{MONO_FONT}"' if "mono" in style else ""
        return (
            f'<text class="{self.fill(colour)}" x="{round_off(x)}" y="{round_off(y)}" font-size="{size:g}"{attributes}>'
            f"{escaped(text)}</text>"
        )

    def rectangle(
        self,
        box: Box,
        fill: str,
        radius: float = 0.0,
        *,
        line: str = "",
        line_width: float = 1.2,
        dashed: bool = False,
    ) -> str:
        """A rectangle, filled, framed, or both."""
        corners = f' rx="{radius:g}"' if radius else ""
        border = f' stroke-width="{line_width:g}"' if line else ""
        border += "" if fill else ' fill="none"'
        border += DASHES if dashed else ""
        classes = " ".join(([self.fill(fill)] if fill else []) + ([self.stroke(line)] if line else []))
        return (
            f'<rect class="{classes}" x="{round_off(box.left)}" y="{round_off(box.top)}" '
            f'width="{round_off(box.width)}" height="{round_off(box.height)}"{corners}{border}/>'
        )

    def line(self, path: str, colour: str, thickness: float, dashed: bool = False) -> str:
        """A line along the path."""
        look = f'class="sg-line {self.stroke(colour)}" fill="none" stroke-width="{thickness:.1f}"'
        look += DASHES if dashed else ""
        return f'<path {look} d="{path}"/>'

    def area(self, path: str, fill: str) -> str:
        """All inside an odd number of these outlines."""
        return f'<path class="{self.fill(fill)}" fill-rule="evenodd" d="{path}"/>'

    def panel(self, box: Box, fill: str, radii: tuple[float, float, float, float]) -> str:
        """A rectangle with a radius for each corner: upper left, upper right, lower right, lower left."""
        upper_left, upper_right, lower_right, lower_left = radii
        arc = "a{0:g} {0:g} 0 0 1 {1:g} {2:g}".format
        path = f"M{round_off(box.left + upper_left)} {round_off(box.top)}H{round_off(box.right - upper_right)}"
        path += arc(upper_right, upper_right, upper_right) if upper_right else ""
        path += f"V{round_off(box.bottom - lower_right)}" + (
            arc(lower_right, -lower_right, lower_right) if lower_right else ""
        )
        path += f"H{round_off(box.left + lower_left)}" + (
            arc(lower_left, -lower_left, -lower_left) if lower_left else ""
        )
        path += f"V{round_off(box.top + upper_left)}" + (arc(upper_left, upper_left, -upper_left) if upper_left else "")
        return f'<path class="{self.fill(fill)}" d="{path}z"/>'

    def document(
        self, size: tuple[float, float], title: str, description: str, body: list[str], style: str = ""
    ) -> str:
        """A whole SVG file around what was written."""
        width, height = map(math.ceil, size)
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" id="{self.figure}" class="scalargrad" role="img" '
            f'aria-labelledby="{self.figure}-title {self.figure}-desc" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" font-family="{SANS_FONT}" style="max-width:100%;height:auto">'
        )
        ground = self.rectangle(Box(0, 0, width, height), "ground", radius=10)
        parts = [
            head,
            f'<title id="{self.figure}-title">{escaped(title)}</title>',
            f'<desc id="{self.figure}-desc">{escaped(description)}</desc>',
            f"<style>{self._colours()}{style}</style>",
            ground,
            *body,
            "</svg>\n",
        ]
        return "\n".join(parts)

    def _colours(self) -> str:
        self.fills.add("ground")
        colours, dark = THEMES[self.theme]

        def rules(palette: dict[str, str]) -> str:
            fills = "".join(f"#{self.figure} .sg-f-{name}{{fill:{palette[name]}}}" for name in sorted(self.fills))
            return fills + "".join(
                f"#{self.figure} .sg-s-{name}{{stroke:{palette[name]}}}" for name in sorted(self.strokes)
            )

        return rules(colours) + (f"@media (prefers-color-scheme:dark){{{rules(dark)}}}" if dark else "")


def round_off(x: float) -> str:
    """A coordinate with one decimal."""
    return f"{x:.1f}".removesuffix(".0")
