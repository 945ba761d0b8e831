"""Data sets to train on, as NumPy arrays: one row of numbers a sample, one whole number a label."""

import sys
from typing import TYPE_CHECKING

from scalargrad.support.doors import door

if TYPE_CHECKING:  # the same names once more, for editors and type checkers: a test compares
    from scalargrad.datasets.augmentation import Augment as Augment
    from scalargrad.datasets.augmentation import Rotate as Rotate
    from scalargrad.datasets.augmentation import Shift as Shift
    from scalargrad.datasets.loaders import Mnist as Mnist
    from scalargrad.datasets.loaders import load_digits as load_digits
    from scalargrad.datasets.loaders import load_mnist as load_mnist
    from scalargrad.datasets.loaders import load_moons as load_moons
    from scalargrad.datasets.pictures import read_digit as read_digit

NAMES = {
    "augmentation": ["Augment", "Rotate", "Shift"],
    "loaders": ["Mnist", "load_digits", "load_mnist", "load_moons"],
    "pictures": ["read_digit"],
}

__getattr__, __dir__, __all__ = door(sys.modules[__name__], NAMES)
