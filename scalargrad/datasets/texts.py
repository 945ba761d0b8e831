r"""Texts: the lines of a file, such as a name each, and their letters as tokens.

Letters are written one after another in a text of their own: the place of a letter is its token. In the first place
stands "\n", which no line holds: the end.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy import ndarray

MOST_LETTERS = 300  # of one data set


def read_texts(path: str | Path) -> list[str]:
    r"""The lines of a file in UTF-8, without the spaces around them, and without lines that are empty then.

    Letters of several parts come in their composed form, so that each is one letter. OSError for a file that cannot be
    read; ValueError, with the line, for one that is no text, or has nothing in it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as home:
    ...     path = Path(home) / "names.txt"
    ...     _ = path.write_bytes(b"Ada\r\n\r\n  Bob \n")
    ...     read_texts(path)
    ['Ada', 'Bob']
    """
    contents = Path(path).read_bytes()
    try:
        written = contents.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = contents[: error.start].count(b"\n") + 1
        byte = f"{contents[error.start]:#04x}"
        raise ValueError(f"{path} is no text in UTF-8: line {line} holds the byte {byte}") from None
    lines = unicodedata.normalize("NFC", written).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    texts = [line.strip() for line in lines]
    for number, text in enumerate(texts, start=1):
        for letter in text:
            if unicodedata.category(letter) == "Cc":
                raise ValueError(f"{path} is no list of texts: line {number} holds {letter!r}, which is no letter")
    if not any(texts):
        raise ValueError(f"{path} holds no text: one a line is wanted, such as a name")
    return [text for text in texts if text]


def letters_of(texts: Iterable[str]) -> str:
    r"""The end, and all letters of the texts in order. ValueError, if they are more than MOST_LETTERS.

    >>> letters_of(["ana", "bob"])
    '\nabno'
    """
    letters = sorted({letter for text in texts for letter in text})
    if len(letters) > MOST_LETTERS:
        raise ValueError(f"the texts are written in {len(letters):,} different letters, and at most {MOST_LETTERS} do")
    return "\n" + "".join(letters)


def encode(texts: Sequence[str], letters: str, longest: int) -> "ndarray":
    """Tokens [texts, 1 + tokens to say]: an end, the letters of a text, and ends up to the length of the longest one.

    Of a text that with its end has more than `longest` tokens to say, these are the first ones, and the end is missing.

    >>> encode(["ab", "b"], letters_of("ab"), longest=16).tolist()
    [[0.0, 1.0, 2.0, 0.0], [0.0, 2.0, 0.0, 0.0]]
    """
    import numpy

    place = {letter: float(token) for token, letter in enumerate(letters)}
    tokens = numpy.zeros((len(texts), 1 + min(longest, 1 + max(map(len, texts)))))
    for row, text in zip(tokens, texts, strict=True):
        said = [place[letter] for letter in text[:longest]]
        row[1 : len(said) + 1] = said
    return tokens


def decode(tokens: Iterable[float], letters: str) -> str:
    """The letters of these tokens.

    >>> decode([2, 1], letters_of("ab"))
    'ba'
    """
    return "".join(letters[int(token)] for token in tokens)
