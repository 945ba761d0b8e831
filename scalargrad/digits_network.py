"""A small convolutional network that reads handwritten digits of 28 x 28 pixels: 13,808 parameters."""

import random

from scalargrad.nn import BatchNorm2d, Conv2d, Dropout, Flatten, GlobalAvgPool, MaxPool2d, Sequential
from scalargrad.nn.dense import generator
from scalargrad.nn.normalisation import Normalize
from scalargrad.ops import relu

MEAN, DEVIATION = 0.1307, 0.3081  # of the pixels of MNIST's images to train on


def convolutional_network(dropout: float = 0.1, rng: int | random.Random | None = None) -> Sequential:
    """From images [1, 28, 28] of 0.0 (paper) to 1.0 (ink) to 10 logits, in convolutions of 3,393,376 multiply-adds.

    dropout   the probability of each Dropout
    rng       a seed or a random.Random; None uses Python's global one

    Train it with loss="cross_entropy", which takes logits: the negative log-likelihood of their log_softmax.
    """
    rng = generator(rng)

    def convolution(inputs: int, outputs: int, size: int, padding: int = 0) -> Conv2d:
        return Conv2d(inputs, outputs, size, padding=padding, bias=False, rng=rng)

    def block(inputs: int, outputs: int, padding: int = 0) -> list:
        return [convolution(inputs, outputs, 3, padding), relu, BatchNorm2d(outputs), Dropout(dropout, rng=rng)]

    return Sequential(
        Normalize(MEAN, DEVIATION),
        *block(1, 16),  # 26 x 26
        *block(16, 32),  # 24 x 24
        convolution(32, 10, 1),
        MaxPool2d(2),  # 12 x 12
        *block(10, 16),  # 10 x 10
        *block(16, 16),  # 8 x 8
        *block(16, 16),  # 6 x 6
        *block(16, 16, padding=1),
        GlobalAvgPool(),
        convolution(16, 10, 1),
        Flatten(),
    )
