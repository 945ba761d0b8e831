"""Wrapping: lines of LaTeX broken at signs and between words, where they are wider than a notebook's cell.

MathJax breaks nothing by itself: what is wider than the cell is cut off.
"""

import re
from collections.abc import Iterable, Iterator

ROOM = 780.0  # pixels of a cell that is 848 wide, less its edges
WIDEST_HEAD = 160.0  # that stands beside its lines, and not above them
LETTER, SIGN = 9.0, 24.0  # pixels, of MathJax in JupyterLab: a letter of a name, a sign with its blanks
SMALL = 0.7  # a subscript
INDENT = r"\qquad "
TOKEN = re.compile(r"\\[A-Za-z]+ ?|\\.|.", re.DOTALL)
NEIGHBOURS = re.compile(r"(\\text\{[^{}\\]*\})+")  # words that stay beside each other
# Signs with a blank on either side: `-` in `(-3)` is none.
BREAKS = re.compile(r"\\times |\\cdot |(?<= )[-+=] ")


def wrapped(lines: Iterable[str]) -> list[str]:
    r"""Lines of an `aligned` block, each `head &rest`; a long line is broken, and goes on indented.

    >>> wrapped([r"x &= 1 + 2"])
    ['x &= 1 + 2']
    >>> wrapped([rf"\frac{{{'a' * 30}}}{{b}} &= 1"])[1]
    '&\\qquad = 1'
    """
    split = [line.split("&", 1) for line in lines]
    above = any(_width(head) > WIDEST_HEAD for head, _ in split)
    found = []
    for head, rest in split:
        if above:
            if head.strip():
                found.append(f"&{head.strip()}")
            rest = rest if rest.startswith("\\text") else f"{INDENT}{rest}"
            head = ""
        room = ROOM - (0.0 if above else max(_width(head) for head, _ in split))
        first, *others = _filled(rest, room)
        found += [f"{head}&{first}", *(f"&{INDENT}{INDENT if above else ''}{piece}" for piece in others)]
    return found


def _filled(rest: str, room: float) -> list[str]:
    """The pieces of a line, none of them wider than the room where a break can help it."""
    lines, width = [""], 0.0
    for piece in _unbroken(rest):
        wide = _width(piece)
        if lines[-1] and width + wide > room:
            lines.append("")
            width = 3 * SIGN  # of the indent
        lines[-1] += piece
        width += wide
    return [NEIGHBOURS.sub(lambda words: words[0].replace(r"}\text{", ""), line) for line in lines]


def _unbroken(rest: str) -> Iterator[str]:
    """The line in pieces between which it may be broken."""
    piece, place = "", 0
    while place < len(rest):
        if rest.startswith(r"\text{", place):
            end = _end_of_group(rest, place + len(r"\text"))
            words = re.findall(r"\S+\s*|\s+", rest[place + len(r"\text{") : end - 1])
            for number, word in enumerate(words):
                if number:
                    yield piece
                    piece = ""
                piece += rf"\text{{{word}}}"
            place = end
            continue
        if piece and BREAKS.match(rest, place) and re.search(r"[\w)}%]", piece):
            yield piece
            piece = ""
        token = TOKEN.match(rest, place)
        assert token is not None
        end = _end_of_group(rest, place) if rest[place] == "{" else token.end()
        piece += rest[place:end]
        place = end
    yield piece


def _end_of_group(text: str, begin: int) -> int:
    """The place behind the bracket that closes the one at `begin`."""
    depth = 0
    for token in TOKEN.finditer(text, begin):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if depth == 0:
            return token.end()
    return len(text)


def _width(text: str) -> float:
    """Pixels that a piece takes, about."""
    width, place = 0.0, 0
    while place < len(text):
        token = TOKEN.match(text, place)
        assert token is not None
        place = token.end()
        name = token[0].strip()
        if name == "\\frac":
            middle = _end_of_group(text, place)
            end = _end_of_group(text, middle)
            width += max(_width(text[place + 1 : middle - 1]), _width(text[middle + 1 : end - 1])) + 4.0
            place = end
        elif name == "_":
            end = _end_of_group(text, place) if text.startswith("{", place) else place + 1
            width += SMALL * _width(text[place:end])
            place = end
        elif name in ("\\times", "\\cdot", "=", "\\quad", "\\qquad") or (
            name in "+-" and text[place : place + 1] == " "
        ):
            width += SIGN * (1.5 if name == "\\qquad" else 1.0)
        elif name not in ("", "{", "}", "\\text", "\\mathrm"):
            width += LETTER
        elif token[0] == " ":
            width += 0.5 * LETTER
    return width
