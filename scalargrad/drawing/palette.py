"""The colours of a picture, light and dark, by the part that each plays."""

LIGHT = {
    "ground": "#FFFFFF",
    "band": "#F8FAFC",
    "band-line": "#CBD5E1",
    "card": "#FFFFFF",
    "header": "#F1F5F9",
    "ink": "#0F172A",
    "caption": "#334155",
    "muted": "#475569",
    "badge": "#0F172A",
    "badge-ink": "#FFFFFF",
    "input": "#475569",
    "parameter": "#0F766E",
    "result": "#64748B",
    "output": "#6D28D9",
    "positive": "#0B5CAD",
    "negative": "#A84300",
    "zero": "#64748B",
    "not-finite": "#B5179E",
    "tint-zero": "#EEF2F6",
    **{f"tint-positive-{step}": tint for step, tint in enumerate(("#EAF3FC", "#CFE4F8", "#A9CEF1", "#7DB4E8"), 1)},
    **{f"tint-negative-{step}": tint for step, tint in enumerate(("#FDF0E4", "#FBDDC0", "#F7C08E", "#F0A05A"), 1)},
}

DARK = {
    "ground": "#0F141A",
    "band": "#141A22",
    "band-line": "#3A4656",
    "card": "#1A212B",
    "header": "#242E3A",
    "ink": "#E8EEF5",
    "caption": "#C0CAD6",
    "muted": "#A9B4C2",
    "badge": "#E8EEF5",
    "badge-ink": "#0F141A",
    "input": "#A9B4C2",
    "parameter": "#4FD1C0",
    "result": "#8391A3",
    "output": "#C4A5FF",
    "positive": "#7CC0FF",
    "negative": "#FFB066",
    "zero": "#8391A3",
    "not-finite": "#FF7AD9",
    "tint-zero": "#222B36",
    **{f"tint-positive-{step}": tint for step, tint in enumerate(("#16283C", "#193652", "#1B3F63", "#1D4A76"), 1)},
    **{f"tint-negative-{step}": tint for step, tint in enumerate(("#33230F", "#4A2F10", "#5A3710", "#6A4010"), 1)},
}

THEMES = {"light": (LIGHT, None), "dark": (DARK, None), "auto": (LIGHT, DARK)}  # the second, where the reader's is dark

TINT_STEPS = [f"tint-negative-{step}" for step in (4, 3, 2, 1)] + ["tint-zero"]
TINT_STEPS += [f"tint-positive-{step}" for step in (1, 2, 3, 4)]


def tint(gradient: float, largest: float) -> str:
    """The part of the palette for a gradient: each of four steps is a third of the one above; `largest` has the last.

    >>> tint(1.5, 1.5), tint(0.5, 1.5), tint(-0.01, 1.5)
    ('tint-positive-4', 'tint-positive-3', 'tint-negative-1')
    """
    if gradient == 0.0 or not abs(gradient) <= largest:
        return "tint-zero"  # NaN and inf, too: they have no place on the scale
    step = 4
    while step > 1 and abs(gradient) < largest / 3 ** (4 - step) * (1 - 1e-9):
        step -= 1
    return f"tint-{'positive' if gradient > 0 else 'negative'}-{step}"


def sign_colour(x: float) -> str:
    """The part of the palette for a signed quantity."""
    if x - x != 0.0:
        return "not-finite"
    return "positive" if x > 0 else "negative" if x < 0 else "zero"
