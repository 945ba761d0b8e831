"""TraceError: what a traced function may not do, with the user's line, the user's own words, and the way out."""

import ast
import inspect
import linecache
import os
import threading
from types import FrameType
from typing import Any

from scalargrad.support.callers import PACKAGE, frame_of_user, library_of, line_of

DEBUGGERS = {"pdb", "bdb", "IPython", "ipykernel", "debugpy", "_pydevd_bundle", "pydevd"}  # which show what there is

state = threading.local()  # .trace: the one that this thread is in the middle of


class TraceError(TypeError):
    """The function does something that a program for every sample cannot repeat."""

    @classmethod
    def at_line(cls, what: str, remedy: str, kept: bool = True) -> "TraceError":
        """An error for user code that runs now. The trace keeps it, for its end, should that code swallow it."""
        frame = frame_of_user()
        words = words_of(frame)
        error = cls(f"{line_of(frame)}: {what}; {remedy}" + (f" (here: `{words}`)" if words else ""))
        trace = active_trace()
        if kept and trace is not None and trace.refused is None:
            trace.refused = error
        return error


def active_trace() -> Any:
    """The trace that this thread is in the middle of, or None."""
    return getattr(state, "trace", None)


def written_at(function: Any) -> str:
    """`file.py:14`: where a function is written; "" where that cannot be found."""
    function = inspect.unwrap(function)
    code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
    return f"{os.path.basename(code.co_filename)}:{code.co_firstlineno}" if code else ""


def words_of(frame: FrameType, most: int = 60) -> str:
    """The source of what a frame is computing now; "" where there is none, or it is long."""
    places = list(frame.f_code.co_positions())
    first, last, begin, end = places[frame.f_lasti // 2]
    if first is None or first != last or begin is None or end is None:
        return ""
    line = linecache.getline(frame.f_code.co_filename, first, frame.f_globals).encode()
    words = line[begin:end].decode(errors="replace").strip()
    return words if len(words) <= most else ""


def called_by_package(frame: FrameType) -> bool:
    """Does this package ask, and not the user? Classes of the standard library's `abc` ask for others."""
    while frame.f_globals.get("__name__") == "abc" and frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code.co_filename.startswith(PACKAGE) or library_of(frame) in DEBUGGERS


def prints(frame: FrameType) -> bool:
    """Is a frame just calling `print`? What that shows on the screen gets into no program."""
    words = words_of(frame, 1000)
    return words.startswith("print(") and "file=" not in words


def is_no_matter(frame: FrameType, value: type) -> bool:
    """Would the class that a frame asks for make no difference, were it a float, an int or a `value`?"""
    if frame.f_globals.get("__name__") == "functools":  # singledispatch
        given = frame.f_locals
        dispatch = given.get("dispatch") or getattr(getattr(given.get("self"), "dispatcher", None), "dispatch", None)
        return dispatch is not None and len({dispatch(kind) for kind in (float, int, value)}) == 1
    asked = classes_asked(frame)
    return bool(asked) and (issubclass(value, asked) or not any(issubclass(kind, asked) for kind in (float, int)))


def classes_asked(frame: FrameType) -> tuple:
    """The classes of the `isinstance` that a frame is computing; () where that cannot be seen."""
    try:
        call = ast.parse(words_of(frame, 1000), mode="eval").body
        if not (isinstance(call, ast.Call) and ast.unparse(call.func) == "isinstance" and len(call.args) == 2):
            return ()
        named = call.args[1]
        kinds = (ast.Name, ast.Attribute, ast.Tuple, ast.BinOp, ast.BitOr, ast.Load, ast.Constant)
        if not all(isinstance(node, kinds) for node in ast.walk(named)):
            return ()
        asked = eval(compile(ast.Expression(named), "isinstance", "eval"), frame.f_globals, frame.f_locals)
    except (SyntaxError, NameError, AttributeError, TypeError):
        return ()
    return asked if isinstance(asked, tuple) else getattr(asked, "__args__", (asked,))
