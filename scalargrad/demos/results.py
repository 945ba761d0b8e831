"""Results of the commands that train: checks of their settings, and summary.json."""

import json
import platform
from math import isfinite
from pathlib import Path
from typing import Any

from scalargrad.checks import one_of
from scalargrad.optim import OPTIMIZERS


def check_training(settings: Any) -> None:
    """A ValueError by name, unless hidden, optimizer, lr, epochs and seed make sense."""
    for size in settings.hidden:
        check("hidden", size, size >= 1, "made of sizes of at least 1")
    check("hidden", settings.hidden, len(settings.hidden) > 0, "at least one size")
    one_of("optimizer", settings.optimizer, OPTIMIZERS)
    check("lr", settings.lr, isfinite(settings.lr) and settings.lr > 0.0, "a number above 0")
    check("epochs", settings.epochs, settings.epochs >= 1, "at least 1")
    check_seed(settings.seed)


def check_seed(seed: int) -> None:
    check("seed", seed, 0 <= seed < 2**32, f"0 to {2**32 - 1}")


def check(name: str, setting: object, fits: bool, what: str) -> None:
    """A ValueError that says what the setting is, unless it fits.

    >>> check("epochs", 0, False, "at least 1")
    Traceback (most recent call last):
    ValueError: epochs is at least 1, got 0
    """
    if not fits:
        raise ValueError(f"{name} is {what}, got {setting}")


def write_summary(path: Path, summary: dict[str, Any]) -> None:
    """Write the summary and the versions of what made it, as JSON."""
    text = json.dumps({**summary, "versions": versions()}, indent=2, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def versions() -> dict[str, str]:
    """Of Python, and of the packages that a result depends on."""
    from importlib.metadata import version

    from scalargrad.support.version import __version__

    return {
        "python": platform.python_version(),
        "scalargrad": __version__,
        **{package: version(package) for package in ("numpy", "scikit-learn", "matplotlib")},
    }
