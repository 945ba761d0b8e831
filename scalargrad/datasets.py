"""Data sets to train on, as NumPy arrays: one row of numbers a sample, one whole number a label."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy import ndarray


def load_moons(samples: int = 100, noise: float = 0.1, seed: int = 0) -> tuple["ndarray", "ndarray"]:
    """Scikit-learn's two interleaving half circles: points [samples, 2] and labels [samples], 0 or 1.

    noise is the standard deviation of what is added to each coordinate. One seed gives the same points each time.

    >>> points, labels = load_moons(samples=4, noise=0.0)
    >>> points.shape, sorted(labels.tolist())
    ((4, 2), [0, 0, 1, 1])
    """
    from sklearn.datasets import make_moons

    return make_moons(samples, noise=noise, random_state=seed)
