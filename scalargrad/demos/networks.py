"""Networks of the demonstrations: one that reads digits of 28 x 28 pixels, and two that spell names."""

import random
from collections.abc import Sequence
from typing import Any

from scalargrad.datasets.names import ALPHABET, END, STEPS, decode
from scalargrad.losses import cross_entropy
from scalargrad.nn import BatchNorm2d, Conv2d, Dropout, Flatten, GlobalAvgPool, MaxPool2d, Sequential
from scalargrad.nn.attention import TransformerBlock
from scalargrad.nn.dense import Layer, checked_size, generator
from scalargrad.nn.embedding import Embedding
from scalargrad.nn.module import Module
from scalargrad.nn.normalisation import LayerNorm, Normalize
from scalargrad.nn.recurrent import LSTM
from scalargrad.nn.sequences import matrix
from scalargrad.ops import equal, relu, sum, where
from scalargrad.randomness import uniform

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


# Networks that spell names: each reads tokens [STEPS], and says after each the logits of the one that follows,
# [STEPS][len(ALPHABET)].


class LSTMNames(Module):
    """Embedding, LSTM and a linear layer that reads each of its outputs.

    >>> LSTMNames(rng=0)
    LSTMNames, 7723 parameters
    """

    def __init__(self, embedding_dim: int = 16, hidden_size: int = 32, rng: int | random.Random | None = None) -> None:
        source = generator(rng)
        self.embedding = Embedding(len(ALPHABET), embedding_dim, source)
        self.lstm = LSTM(embedding_dim, hidden_size, rng=source)
        self.head = Layer(hidden_size, len(ALPHABET), activation="linear", init="xavier", rng=source)

    def __call__(self, tokens: Any) -> tuple:
        outputs, _ = self.lstm(self.embedding(tokens))
        return tuple([self.head(output) for output in outputs])


class AttentionNames(Module):
    """Embeddings of the token and of its position, added; one block of causal self-attention; a norm; a linear layer.

    >>> AttentionNames(rng=0)
    AttentionNames, 10747 parameters
    """

    def __init__(
        self,
        d_model: int = 32,
        nhead: int = 4,
        dim_feedforward: int = 64,
        rng: int | random.Random | None = None,
    ) -> None:
        d_model, source = checked_size("d_model", d_model), generator(rng)
        self.embedding = Embedding(len(ALPHABET), d_model, source)
        self.position = matrix(STEPS, d_model, lambda: source.gauss(0.0, 1.0))
        self.block = TransformerBlock(d_model, nhead, dim_feedforward, rng=source)
        self.norm = LayerNorm(d_model)
        self.head = Layer(d_model, len(ALPHABET), activation="linear", init="xavier", rng=source)

    def __call__(self, tokens: Any) -> tuple:
        if len(tokens) > STEPS:
            raise ValueError(f"this AttentionNames knows {STEPS} positions, got {len(tokens)} tokens")
        rows = zip(self.embedding(tokens), self.position, strict=False)
        steps = [tuple([a + b for a, b in zip(row, position, strict=True)]) for row, position in rows]
        return tuple([self.head(step) for step in self.norm(self.block(steps))])


def name_loss(outputs: Sequence[Any], targets: Sequence[Any]) -> Any:
    """-log of the probability that a network gives to a name, its end included: what follows the end does not count.

    outputs   logits [steps][tokens]
    targets   tokens [steps]
    """
    losses = [cross_entropy(logits, target) for logits, target in zip(outputs, targets, strict=True)]
    later = [where(equal(before, END), 0.0, loss) for before, loss in zip(targets, losses[1:], strict=False)]
    return sum([losses[0], *later])


def sample_names(model: Module, count: int, seed: int = 0) -> list[str]:
    """Names that a network makes up: each letter is drawn with the probability that the network gives to it.

    All names grow together, a letter at a time. Their numbers are drawn by counting, so that name number n of a seed
    is the same one however many there are.
    """
    import numpy

    tokens = numpy.zeros((count, STEPS + 1))
    for step in range(STEPS):
        logits = model.predict(tokens[:, :-1])[:, step]  # what lies after this step is not seen by it
        powers = numpy.exp(logits - logits.max(axis=1, keepdims=True))
        bounds = numpy.cumsum(powers, axis=1)
        drawn = numpy.array([uniform(seed, 0, row, step) for row in range(count)]) * bounds[:, -1]
        tokens[:, step + 1] = (bounds <= drawn[:, None]).sum(axis=1)
    return [decode(row[1:]) for row in tokens]
