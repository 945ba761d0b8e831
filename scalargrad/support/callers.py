"""Whose code runs: this package's own, a library's that nobody changes, or the user's, whose line an error names."""

import os
import sys
import warnings
from functools import lru_cache
from types import FrameType

# pathlib would be a third of the time of `import scalargrad`.
PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep
LIBRARIES = frozenset({*sys.stdlib_module_names, "numpy", "scalargrad"})
STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep


def frame_of_user() -> FrameType:
    """The innermost frame that is not Python's, NumPy's or this package's own."""
    frame: FrameType = sys._getframe(1)
    outside = None  # of this package
    while True:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            outside = outside or frame
            code = frame.f_code
            # Of this package: it bears the name of the module that it is in.
            is_example = code.co_filename.startswith("<doctest ")
            is_of_dataclass = code.co_qualname.startswith("__create_fn__.")  # which writes methods in the user's name
            if is_example or not (is_of_dataclass or is_library(library_of(frame))):
                return frame
        if frame.f_back is None:
            return outside or frame
        frame = frame.f_back


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Give a warning that names the user's line."""
    frame = frame_of_user()
    warnings.warn_explicit(
        message,
        category,
        frame.f_code.co_filename,
        frame.f_lineno,
        module=frame.f_globals.get("__name__"),
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )


def line_of(frame: FrameType) -> str:
    """`file.py:14`"""
    return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"


def library_of(frame: FrameType) -> str:
    """The package that the code of a frame belongs to."""
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def is_library(module: str) -> bool:
    """Is this the name of a module of Python's, NumPy's or this package's, and no file of the user's bears it?"""
    root = module.partition(".")[0]
    file = getattr(sys.modules.get(root), "__file__", None)
    return root in LIBRARIES and (not isinstance(file, str) or is_file_of_library(file))


def is_file_of_library(file: str) -> bool:
    """Does a file of code belong to Python, to NumPy or to this package?"""
    if file.startswith((PACKAGE, "<frozen", "<__array_function__")):  # the third: of older NumPys
        return True
    if file.startswith(STANDARD_LIBRARY) and "site-packages" not in file and "dist-packages" not in file:
        return True
    numpy = getattr(sys.modules.get("numpy"), "__file__", None)
    return isinstance(numpy, str) and file.startswith(_folder_of(numpy))


@lru_cache
def _folder_of(file: str) -> str:
    return os.path.dirname(file) + os.sep
