"""Counts, shares, lists and objects in words."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

LONGEST_NAME = 40  # characters
LONGEST_LIST = 6


def plural(count: int, one: str, many: str = "") -> str:
    """
    >>> plural(1, "pass", "passes"), plural(2, "value")
    ('1 pass', '2 values')
    """
    return f"{count} {one if count == 1 else many or one + 's'}"


def short_list(names: Sequence[str], between: str = ", ") -> str:
    """
    >>> short_list("abc"), short_list("abcdefghi")
    ('a, b, c', 'a, b, c, d, e and 4 more')
    """
    if len(names) <= LONGEST_LIST:
        return between.join(names)
    return f"{between.join(names[: LONGEST_LIST - 1])} and {len(names) - LONGEST_LIST + 1} more"


def short_name(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def brief(x: object) -> str:
    """An object as an error shows it: in a line that is not long, and without its place in memory.

    >>> brief(object()), brief([object()] * 9)
    ('<object object>', '[<object object>, <object object>, <object object>, <object object>, <object object>...')
    """
    text = repr(x)
    first, *others = text.split("\n")[0][:4000].split(" at 0x")
    first = "".join([first, *(other.lstrip("0123456789abcdefABCDEF") for other in others)])
    return f"{first[:88]}..." if len(first) > 100 or "\n" in text else first


def distinct(names: Iterable[str]) -> list[str]:
    """
    >>> distinct(["h", "x", "h"])
    ['h', 'x', 'h#2']
    """
    repeats: Counter[str] = Counter()
    told_apart = []
    for name in names:
        repeats[name] += 1
        told_apart.append(name if repeats[name] == 1 else f"{name}#{repeats[name]}")
    return told_apart


def ordinal(place: int) -> str:
    """
    >>> [ordinal(place) for place in (1, 2, 3, 4, 11, 22)]
    ['1st', '2nd', '3rd', '4th', '11th', '22nd']
    """
    ending = {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th") if place % 100 not in (11, 12, 13) else "th"
    return f"{place}{ending}"


def short_count(count: int) -> str:
    """A whole number, in words of powers of ten where it has too many digits to be read.

    >>> short_count(1234567), short_count(2**1000)
    ('1,234,567', 'about 1.072e301')
    """
    if count < 10**15:
        return f"{count:,}"
    exponent = math.log10(count)  # str() of an int stops at 4,300 digits
    digits, power = 10.0 ** (exponent % 1.0), math.floor(exponent)
    return f"about {digits:.4g}e{power}" if f"{digits:.4g}" != "10" else f"about 1e{power + 1}"


def short_share(share: float) -> str:
    if share != share:
        return ""
    return f"{100.0 * share:.3g} %" if share >= 0.001 else "< 0.1 %"
