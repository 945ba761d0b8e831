"""Embedding: a row of learned numbers for each token. Which row is taken may differ from sample to sample."""

import random

from scalargrad.datasets.nested import Sample, is_nested
from scalargrad.files.architecture import Arguments, described
from scalargrad.nn.dense import checked_size, generator
from scalargrad.nn.module import Module
from scalargrad.nn.sequences import matrix
from scalargrad.operands import is_recorded, operand
from scalargrad.ops import take
from scalargrad.support.words import brief


def _embedding_arguments(layer: "Embedding") -> Arguments:
    return {"num_embeddings": len(layer.weight), "embedding_dim": len(layer.weight[0])}


@described(lambda num_embeddings, embedding_dim: {"weight": [num_embeddings, embedding_dim]}, _embedding_arguments)
class Embedding(Module):
    """A table [num_embeddings, embedding_dim], called `weight` as in PyTorch, from which a token takes its row.

    num_embeddings   how many tokens there are: they are the numbers 0 to num_embeddings - 1
    embedding_dim    how many numbers stand for each
    rng              a seed or a random.Random; None uses Python's global one

    A row is chosen by `take`, a number at a time, so that one compiled program serves every token, and the gradient
    goes to the chosen row. Of one token it returns a tuple of Values, of a list of tokens a tuple of such tuples.
    IndexError for a token that there is not.

    >>> embedding = Embedding(3, 2, rng=0)
    >>> embedding
    Embedding(3, 2)
    >>> [x.data for x in embedding(1)] == [x.data for x in embedding.weight[1]]
    True
    >>> len(embedding([2, 0, 1, 1]))
    4
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, rng: int | random.Random | None = None) -> None:
        rows, columns = checked_size("num_embeddings", num_embeddings), checked_size("embedding_dim", embedding_dim)
        source = generator(rng)
        self.weight = matrix(rows, columns, lambda: source.gauss(0.0, 1.0))

    def __call__(self, tokens: Sample) -> tuple:
        columns = tuple(zip(*self.weight, strict=True))  # each is shared by all tokens
        if not is_nested(tokens):
            return self._row(tokens, columns)
        return tuple([self._row(token, columns) for token in tokens])

    def _row(self, token: Sample, columns: tuple) -> tuple:
        if is_nested(token):
            raise TypeError(f"this {self} takes a token or a list of tokens, got a list that holds {brief(token)}")
        index = operand(token, "Embedding")
        if not is_recorded(index) and index not in range(len(self.weight)):
            raise IndexError(f"this {self} has the tokens 0 to {len(self.weight) - 1}, got {token}")
        return tuple([take(index, column) for column in columns])

    def __repr__(self) -> str:
        return f"Embedding({len(self.weight)}, {len(self.weight[0])})"
