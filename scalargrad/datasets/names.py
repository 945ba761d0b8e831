"""Names: a small grammar that makes them up, and their letters as tokens.

The grammar knows how probable each of its names is, so it is known, too, how well a network can do at best.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from math import log
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy import ndarray

# A rule chooses among its alternatives, each as likely as the others. Words with a capital are rules, the rest letters.
GRAMMAR = {
    "Name":   "Start End | Start End | Start Link End | Vowel Link End",
    "Start":  "Onset Vowel | Onset Vowel | Onset Glide",
    "Link":   "Middle Vowel",
    "Onset":  "b | br | c | d | f | g | gr | h | j | k | l | m | n | p | r | s | st | t | th | tr | v | w",
    "Vowel":  "a | a | a | e | e | i | i | o | u",
    "Glide":  "ai | ea | ei | eo | ia | io",
    "Middle": "d | l | ld | ll | m | n | nd | nn | r | rr | s | v",
    "End":    "bert | da | dra | la | lin | lo | mir | mund | na | nor | ra | ric | ris | ron | sa | thea | via | wyn",
}  # fmt: skip
ALTERNATIVES = {rule: [tuple(choice.split()) for choice in text.split("|")] for rule, text in GRAMMAR.items()}

END = 0  # the token that ends a name, and that fills the places after it
ALPHABET = ".abcdefghijklmnopqrstuvwxyz"  # the tokens, by number
LONGEST = 11  # letters of a name
STEPS = LONGEST + 1  # of a network: the last one has the end still to say


# The grammar.


def generate_names(count: int, seed: int = 0) -> list[str]:
    """Names that the grammar makes up; the same ones for the same seed. Some come more than once.

    >>> generate_names(5)
    ['illemund', 'annunor', 'peavia', 'ollivia', 'cesuna']
    """
    rng = random.Random(seed)

    def written(part: str) -> str:
        if part not in ALTERNATIVES:
            return part
        choices = ALTERNATIVES[part]
        return "".join(map(written, choices[int(rng.random() * len(choices))]))

    return [written("Name") for _ in range(count)]


def probability(name: str) -> float:
    """Probability that the grammar makes this name, in whatever way; 0 for what is no name of it.

    >>> probability("hora"), probability("zoe")
    (9.35...e-05, 0.0)
    """
    return _ends("Name", name, 0).get(len(name), 0.0)


def _ends(rule: str, text: str, begin: int) -> dict[int, float]:
    """Probability that the rule writes `text` from `begin` to each of the places where it may end."""
    found: dict[int, float] = defaultdict(float)
    for parts in ALTERNATIVES[rule]:
        reached = {begin: 1.0 / len(ALTERNATIVES[rule])}
        for part in parts:
            following: dict[int, float] = defaultdict(float)
            for place, chance in reached.items():
                if part in ALTERNATIVES:
                    for end, share in _ends(part, text, place).items():
                        following[end] += chance * share
                elif text.startswith(part, place):
                    following[place + len(part)] += chance
            reached = following
        for end, chance in reached.items():
            found[end] += chance
    return found


def surprise(names: Iterable[str]) -> float:
    """The mean of -log(probability): the loss of one who knows the grammar, which in the long run no network beats."""
    return fmean(-log(probability(name)) for name in names)


# Names as numbers.


def encode(names: Sequence[str]) -> tuple["ndarray", "ndarray"]:
    """Tokens that a network reads, and those to say next, float64 [names, STEPS] both: positions in ALPHABET.

    It reads the end of the name before, and then the letters; places after a name hold END. ValueError for a name that
    is longer than LONGEST or holds something else than the letters a to z.

    >>> inputs, targets = encode(["ana"])
    >>> inputs[0, :5].tolist(), targets[0, :5].tolist()
    ([0.0, 1.0, 14.0, 1.0, 0.0], [1.0, 14.0, 1.0, 0.0, 0.0])
    """
    import numpy

    tokens = numpy.zeros((len(names), STEPS + 1))
    for row, name in enumerate(names):
        if len(name) > LONGEST or not set(name) <= set(ALPHABET[1:]):
            raise ValueError(f"a name has up to {LONGEST} letters a to z, got {name!r}")
        tokens[row, 1 : len(name) + 1] = [ALPHABET.index(letter) for letter in name]
    return tokens[:, :-1].copy(), tokens[:, 1:].copy()


def decode(tokens: Iterable[float]) -> str:
    """The name that the tokens after the first END spell, up to the next.

    >>> decode([1, 14, 1, 0, 0])
    'ana'
    """
    return "".join(ALPHABET[int(token)] for token in tokens).partition(ALPHABET[END])[0]
