"""Training: what `model.fit` does. A module of it is loaded when a name of it is first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scalargrad.training.history import History
    from scalargrad.training.run import EarlyStopping, Run

LATER = {"EarlyStopping": "run", "History": "history", "Run": "run"}


def __getattr__(name: str) -> Any:
    if name not in LATER:
        raise AttributeError(f"module 'scalargrad.training' has no attribute {name!r}")
    return getattr(import_module(f"scalargrad.training.{LATER[name]}"), name)


__all__ = ["EarlyStopping", "History", "Run"]
