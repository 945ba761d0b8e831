"""Numbers and labels as they appear in a picture, and how much room they take."""

import math
import re
import unicodedata

# Advance widths of the printable ASCII characters, in hundredths of the font size (DejaVu Sans; Verdana is the same).
SANS = (
    *(32, 40, 46, 84, 64, 95, 78, 27, 39, 39, 50, 84, 32, 36, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 34, 34),
    *(84, 84, 84, 53, 100, 68, 69, 70, 77, 63, 58, 77, 75, 29, 29, 66, 56, 86, 75, 79, 60, 79, 69, 63, 61, 73, 68, 99),
    *(69, 61, 69, 39, 34, 39, 84, 50, 50, 61, 63, 55, 63, 62, 35, 63, 63, 28, 28, 58, 28, 97, 63, 61, 63, 63, 41, 52),
    *(39, 63, 59, 82, 59, 59, 52, 64, 34, 64, 84),
)
BOLD_IS_WIDER = 1.13
MONO = 60
OTHER = 84  # a character outside the table: as wide as a mathematical sign
IDEOGRAPH = 100
MOST_CHARACTERS = 300  # that are measured
PART = re.compile(r"[^.]+(?:\.\d+)*")  # of a name: `layers.0`, `bias`

# Control characters as Unicode's pictures of them; what XML forbids, breaks a line or turns its direction, as �.
SURROGATES, DIRECTIONS = range(0xD800, 0xE000), (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
FORBIDDEN = (*range(0x7F, 0xA0), 0x2028, 0x2029, *DIRECTIONS, *SURROGATES, 0xFFFE, 0xFFFF)
REPLACED = dict.fromkeys(FORBIDDEN, "\N{REPLACEMENT CHARACTER}") | {code: chr(0x2400 + code) for code in range(0x20)}
ESCAPED = REPLACED | {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord('"'): "&quot;"}


def number(x: float) -> str:
    """`x` with four significant digits and a true minus sign.

    >>> number(-1234.56), number(0.5), number(1e-10), number(float("nan"))
    ('−1235', '0.5', '1e−10', 'NaN')
    """
    if math.isnan(x):
        return "NaN"
    mantissa, _, exponent = f"{float(x):.4g}".partition("e")  # of a Fraction, too
    text = f"{mantissa}e{int(exponent)}" if exponent else mantissa
    return text.replace("-", "−")


def factor(x: float) -> str:
    """`x` as the right side of a product: a negative number stands in brackets."""
    return f"({number(x)})" if x < 0 else number(x)


def gradient_text(x: float) -> str:
    """A gradient or a slope: -0.0, the slope of a switched-off unit times a negative number, as 0."""
    return number(x + 0.0)


def product_text(slope: float, upstream: float) -> str:
    """
    >>> product_text(-3.0, -0.5)
    '−3 × (−0.5)'
    """
    return f"{gradient_text(slope)} × {factor(upstream + 0.0)}"


def visible(text: str) -> str:
    """`text` with every character that XML forbids, or that would disturb the line, replaced.

    >>> visible("two" + chr(10) + "lines")
    'two␊lines'
    """
    return text.translate(REPLACED)


def escaped(text: str) -> str:
    """`text` for XML, as an element's content or between double quotes."""
    return text.translate(ESCAPED)


def width(text: str, size: float, bold: bool = False, mono: bool = False) -> float:
    """The length of `text` set at `size`, in the same unit."""
    if mono:
        hundredths = MONO * len(text)
    else:
        hundredths = sum(SANS[ord(x) - 32] if " " <= x <= "~" else _other_width(x) for x in text)
    return hundredths * size / 100 * (BOLD_IS_WIDER if bold and not mono else 1.0)


def _other_width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return IDEOGRAPH if unicodedata.east_asian_width(character) in "WF" else OTHER


def clipped(text: str, room: float, size: float, *, bold: bool = False, mono: bool = False) -> str:
    """`text`, or as much of its beginning as fits into `room` with an ellipsis."""
    text = visible(text[:MOST_CHARACTERS])
    if width(text, size, bold, mono) <= room:
        return text
    while text and width(text + "…", size, bold, mono) > room:
        text = text[:-1]
    return text + "…"


def clipped_name(name: str, room: float, size: float) -> str:
    """A name in bold, or its first and last parts: `layers.0…weights.3`; where it has no parts, its beginning.

    >>> clipped_name("layers.0.neurons.2.weights.3", 170, 13), clipped_name("layers.0.neurons.2.weights.3", 100, 13)
    ('layers.0…weights.3', 'layers.…hts.3')
    """
    name = visible(name[:MOST_CHARACTERS])
    if "." not in name or width(name, size, bold=True) <= room:
        return clipped(name, room, size, bold=True)
    parts = PART.findall(name)
    shorter = [
        f"{'.'.join(parts[:first])}…{'.'.join(parts[last:])}"
        for first in range(1, len(parts))
        for last in range(first + 1, len(parts))
    ]
    shorter += [f"{name[:kept]}…{name[-kept + 2 :]}" for kept in range(len(name) // 2, 4, -1)]
    fitting = (text for text in shorter if width(text, size, bold=True) <= room)
    return next(fitting, None) or clipped(name, room, size, bold=True)
