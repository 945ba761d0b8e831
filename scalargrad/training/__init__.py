"""Training: what `model.fit` does. A module of it is loaded when a name of it is first used."""

import sys
from typing import TYPE_CHECKING

from scalargrad.support.doors import door

if TYPE_CHECKING:  # the same names once more, for editors and type checkers: a test compares
    from scalargrad.training.history import History as History
    from scalargrad.training.run import EarlyStopping as EarlyStopping
    from scalargrad.training.run import Run as Run

NAMES = {"history": ["History"], "run": ["EarlyStopping", "Run"]}

__getattr__, __dir__, __all__ = door(sys.modules[__name__], NAMES)
