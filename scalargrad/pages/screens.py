"""Screens: where something that changes is shown while code runs: a cell of a notebook, a terminal, or neither."""

import shutil
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from IPython.display import DisplayHandle


class Screen:
    """A place that shows the latest state of something, and nothing by itself: the last line, on standard error.

    draws   does it show pictures?
    """

    draws = False

    def __init__(self) -> None:
        self.last = ""

    def show(self, words: str, picture: Callable[[], str]) -> None:
        """Show this in place of what was there: words, or HTML that the function makes."""
        self.last = words

    def close(self) -> None:
        """Let what is shown stay."""
        if _is_open(sys.stderr):
            print(self.last, file=sys.stderr)


class Terminal(Screen):
    """One line, written over again and again."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.written = stream, 0

    def show(self, words: str, picture: Callable[[], str]) -> None:
        room = shutil.get_terminal_size().columns - 1
        line = words if len(words) <= room else f"{words[: room - 3]}..."
        self._write(f"\r{line}{' ' * (self.written - len(line))}")
        self.written = len(line)

    def close(self) -> None:
        self._write("\n")

    def _write(self, text: str) -> None:
        if _is_open(self.stream):
            self.stream.write(text)
            self.stream.flush()


class Cell(Screen):
    """The output of a cell of a notebook that runs IPython: Jupyter, VS Code, Colab."""

    draws = True

    def __init__(self) -> None:
        self.handle: DisplayHandle | None = None

    def show(self, words: str, picture: Callable[[], str]) -> None:
        from IPython.display import display

        shown = {"text/html": picture(), "text/plain": words}
        if self.handle is None:
            self.handle = display(shown, raw=True, display_id=True)
        else:
            self.handle.update(shown, raw=True)

    def close(self) -> None:
        """Nothing: it stays by itself."""


class MarimoCell(Screen):
    """The output of a cell of marimo."""

    draws = True

    def show(self, words: str, picture: Callable[[], str]) -> None:
        import marimo

        marimo.output.replace(marimo.Html(picture()))

    def close(self) -> None:
        """Nothing: it stays by itself."""


def screen_here() -> Screen:
    """The screen of the code that runs: only what is loaded already is asked."""
    marimo = sys.modules.get("marimo")
    if marimo is not None and marimo.running_in_notebook():
        return MarimoCell()
    if in_a_kernel():
        return Cell()
    stream = sys.stderr
    return Terminal(stream) if _is_open(stream) and stream.isatty() else Screen()


def in_a_kernel() -> bool:
    """Does IPython run here with a notebook before it, not in a terminal?"""
    interpreter = sys.modules.get("IPython")
    shell = interpreter.get_ipython() if interpreter is not None else None
    return shell is not None and "Terminal" not in type(shell).__name__


def _is_open(stream: object) -> bool:
    """Not, if it is closed or, as in a Windows program without a console, None."""
    return stream is not None and not getattr(stream, "closed", False)
