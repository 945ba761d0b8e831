"""The bar for long work: where it shows, and what."""

import io
import threading

import pytest

from scalargrad.support.progress import progress_bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("name", ["closed", None, "no terminal at all"])
def test_without_a_standard_error_there_is_no_bar(monkeypatch, name):
    stream = Terminal() if name == "closed" else name
    if name == "closed":
        stream.close()
    monkeypatch.setattr("sys.stderr", stream)
    with progress_bar(total=2, unit="epoch") as show:
        show(1, {"loss": 0.5})


@pytest.mark.parametrize(("stream", "shown"), [(Terminal(), True), (io.StringIO(), False)])
def test_the_bar_shows_every_measure_on_a_terminal_only(monkeypatch, stream, shown):
    monkeypatch.setattr("sys.stderr", stream)
    with progress_bar(total=2, unit="epoch") as show:
        show(1, {"loss": 0.5, "accuracy": 0.75})
        show(2, {"loss": 0.25, "accuracy": 1.0})
    assert ("2/2" in stream.getvalue() and "loss=0.2500, accuracy=1.0000" in stream.getvalue()) == shown
    assert shown or stream.getvalue() == ""


def test_without_a_standard_error_there_is_none(monkeypatch):
    monkeypatch.setattr("sys.stderr", None)  # a program for Windows that has no console
    with progress_bar(total=1, unit="epoch") as show:
        show(1, {})


def test_the_bar_takes_no_thread(monkeypatch):
    def start(thread):
        raise RuntimeError("can't start new thread")  # as in a browser

    monkeypatch.setattr("tqdm.tqdm.monitor", None)
    monkeypatch.setattr(threading.Thread, "start", start)
    monkeypatch.setattr("sys.stderr", Terminal())
    with progress_bar(total=1, unit="epoch") as show:
        show(1, {"loss": 0.5})
