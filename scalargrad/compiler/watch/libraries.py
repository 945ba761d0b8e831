"""Libraries: Python, NumPy and this package, whose code and classes nobody changes. Only the rest is watched."""

import sys
from typing import Any

from scalargrad.support.callers import is_file_of_library, is_library


def module_of(kind: type) -> str:
    return kind.__module__ if isinstance(kind.__module__, str) else ""


def is_of_library(thing: Any) -> bool:
    """Is this class Python's own or NumPy's, or this code one of theirs or of this package? It does not change."""
    if isinstance(thing, type):
        module = module_of(thing)
        if not is_library(module) or module.startswith("scalargrad"):
            return False
        is_static = not thing.__flags__ & 1 << 9
        return is_static or vars(sys.modules.get(module, thing)).get(thing.__name__) is thing or module == "builtins"
    return is_file_of_library(thing.co_filename)


def is_installed(file: str) -> bool:
    return "site-packages" in file or "dist-packages" in file
