"""What belongs to Python, NumPy and this package, whose code and classes nobody changes: only the rest is watched."""

import os
import sys
from functools import lru_cache
from typing import Any

from scalargrad.observers import PACKAGE

LIBRARIES = frozenset({*sys.stdlib_module_names, "numpy", "scalargrad"})
STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep


def module_of(kind: type) -> str:
    return kind.__module__ if isinstance(kind.__module__, str) else ""


def is_library(module: str) -> bool:
    """Is this the name of a module of Python's, NumPy's or this package's, and no file of the user's bears it?"""
    root = module.partition(".")[0]
    file = getattr(sys.modules.get(root), "__file__", None)
    return root in LIBRARIES and (not isinstance(file, str) or _is_file_of_library(file))


def _is_file_of_library(file: str) -> bool:
    return (
        file.startswith((PACKAGE, "<frozen", "<__array_function__", _folder_of_numpy()))  # the third: of older NumPys
        or (file.startswith(STANDARD_LIBRARY) and "site-packages" not in file and "dist-packages" not in file)
    )


@lru_cache
def _folder_of_numpy() -> str:
    import numpy

    return os.path.dirname(numpy.__file__) + os.sep


def is_of_library(thing: Any) -> bool:
    """Is this class Python's own or NumPy's, or this code one of theirs or of this package? It does not change."""
    if isinstance(thing, type):
        module = module_of(thing)
        if not is_library(module) or module.startswith("scalargrad"):
            return False
        is_static = not thing.__flags__ & 1 << 9
        return is_static or vars(sys.modules.get(module, thing)).get(thing.__name__) is thing or module == "builtins"
    return _is_file_of_library(thing.co_filename)


def is_installed(file: str) -> bool:
    return "site-packages" in file or "dist-packages" in file
