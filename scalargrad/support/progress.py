"""A bar for long work: how much of it is done, what is known so far, and how long the rest will take."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from scalargrad.support.forks import freed, loaded


@contextmanager
def progress_bar(
    total: int, unit: str, wanted: bool = True, delay: float = 0.0, done: int = 0
) -> Iterator[Callable[[int, Mapping[str, Any]], None]]:
    """A block with a bar on standard error; quiet where that is no terminal. It gives `show(done, measures)`.

    delay   seconds before the bar appears: work that is over by then shows none
    done    what had been done before

    >>> with progress_bar(total=2, unit="epoch") as show:
    ...     show(1, {"loss": 0.5})
    """
    if not wanted or not _is_terminal(sys.stderr):
        yield lambda done, measures: None
        return
    loaded("tqdm")
    from tqdm.std import TqdmDefaultWriteLock, tqdm

    freed(TqdmDefaultWriteLock.th_lock)

    class Bar(tqdm):
        monitor_interval = 0  # no thread that looks after it: a browser has none, and a fork loses it

    many = total >= 10_000
    with Bar(total=total, initial=done, unit=unit, unit_scale=many, miniters=1, delay=delay, dynamic_ncols=True) as bar:

        def show(done: int, measures: Mapping[str, Any]) -> None:
            shown = {name: x if isinstance(x, str) else f"{x:.4f}" for name, x in measures.items()}
            bar.set_postfix(shown, refresh=False)
            bar.update(done - bar.n)

        yield show


def _is_terminal(stream: Any) -> bool:
    """No, if it is closed or, as in a Windows program without a console, None."""
    return hasattr(stream, "isatty") and not getattr(stream, "closed", False) and stream.isatty()
