"""Dropout: in training, leave out numbers at random, so that no unit relies on a single other one."""

import random
from typing import Any

from scalargrad import ops
from scalargrad.checks import is_real
from scalargrad.datasets.nested import Sample, like, numbers_in
from scalargrad.files.architecture import Shapes, check_number, described
from scalargrad.nn.dense import generator
from scalargrad.nn.module import Module
from scalargrad.operands import operand
from scalargrad.ops import less_equal
from scalargrad.randomness import current_row, current_step
from scalargrad.support.words import brief


def _dropout_shapes(p: float, seed: float) -> Shapes:
    check_number("seed", seed, largest=2.0**24 - 1.0)
    if not float(seed).is_integer():
        raise ValueError(f"seed is a whole number, got {seed}")
    return {}


def _dropout(p: float, seed: float) -> "Dropout":
    layer = Dropout(p, rng=0)
    layer.seed = float(seed)
    return layer


@described(_dropout_shapes, build=_dropout, free=("seed",))
class Dropout(Module):
    """In training each number becomes 0 with probability p, or else is divided by 1 - p. In evaluation nothing happens.

    p     from 0 to less than 1
    rng   a seed or a random.Random, which gives the seed of this layer; None uses Python's global one

    Which numbers are left out is counted, not drawn: it depends on the seed of this layer, the step of training, the
    row of the sample in its data set and the place of the number in the sample, and on nothing else. So all rows and
    steps have masks of their own, and a run that is stopped and resumed has the masks of one that was not, if its
    model is built from the same seed. Outside of `fit` and of compiled functions, step and row are 0: the mask does
    not change. Two layers of one seed, and two calls of one layer for one sample, have the same mask.

    >>> Dropout(0.5, rng=0)([1.0, 1.0, 1.0, 1.0])
    (0.0, 2.0, 2.0, 2.0)
    """

    def __init__(self, p: float = 0.5, rng: int | random.Random | None = None) -> None:
        if not is_real(p) or not 0.0 <= p < 1.0:
            raise ValueError(f"p is a probability from 0 to less than 1, got {brief(p)}")
        self.p = float(p)
        self.seed = float(generator(rng).randrange(2**24))  # whole in float32, too

    def __call__(self, inputs: Sample) -> Any:
        if not self.training or self.p == 0.0:
            return inputs
        row, step, scale = current_row(), current_step(), 1.0 / (1.0 - self.p)

        def factor(place: int) -> Any:
            number = ops.random(row, step, self.seed, float(place))
            return less_equal(self.p, number) * scale  # 0, or the scale

        return like(inputs, (operand(x, "Dropout") * factor(place) for place, x in enumerate(numbers_in(inputs))))

    def __repr__(self) -> str:
        return f"Dropout({self.p:g})"
