"""A GPT in scalars: it reads a text token by token, and says after each how probable every one is to come next."""

import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from scalargrad.losses import cross_entropy
from scalargrad.nn import Module, Parameter
from scalargrad.observers import no_grad
from scalargrad.operands import Operand
from scalargrad.ops import dot, equal, exp, maximum, mean, relu, sqrt, sum, take, where
from scalargrad.optim import Adam
from scalargrad.schedules import LinearDecay

END = 0  # the token that ends a text, stands before its first one, and fills the places after it
Numbers = Sequence[Any]  # Values, the compiler's terms, or plain ones
Memory = list[tuple[Numbers, Numbers, list[Numbers]]]  # of each token its key, its value, and its weights by head


class GPT(Module):
    """A table of tokens, one block that looks back and thinks, and a table of scores.

    vocabulary   how many tokens there are: the numbers from 0 on, of which 0 is END
    longest      how many tokens of a text it can read
    width        how many numbers stand for a token
    heads        how many parts of these look back by themselves

    >>> GPT(vocabulary=27)
    GPT, 4192 parameters
    """

    def __init__(self, vocabulary: int, longest: int = 16, width: int = 16, heads: int = 4, rng: int = 0) -> None:
        source = random.Random(rng)

        def table(rows: int, columns: int) -> list[tuple]:
            return [tuple([Parameter(source.gauss(0.0, 0.08)) for _ in range(columns)]) for _ in range(rows)]

        self.longest, self.heads, self.size = longest, heads, width // heads
        self.tokens, self.places = table(vocabulary, width), table(longest, width)
        self.query, self.key, self.value, self.mix = [table(width, width) for _ in range(4)]
        self.widen, self.narrow = table(4 * width, width), table(width, 4 * width)
        self.score = table(vocabulary, width)

    def read(self, token: Operand, memory: Memory) -> Numbers:
        """Read one more token; returns a score for every token to come next."""
        if len(memory) == self.longest:
            raise ValueError(f"this GPT reads a text of up to {self.longest} tokens, and this is one more")
        x = added([take(token, column) for column in zip(*self.tokens, strict=True)], self.places[len(memory)])
        x = added(x, self.look_back(normalised(x), memory))
        x = added(x, times(self.narrow, [relu(hidden) for hidden in times(self.widen, normalised(x))]))
        return times(self.score, normalised(x))

    def look_back(self, x: Numbers, memory: Memory) -> Numbers:
        """Of each head the mean of all values so far, weighted by how well their keys fit its query; mixed."""
        memory.append((times(self.key, x), times(self.value, x), []))
        query, found = times(self.query, x), []
        for first in range(0, self.size * self.heads, self.size):
            own = slice(first, first + self.size)
            weights = shares([dot(query[own], key[own]) / sqrt(self.size) for key, _, _ in memory])
            found += [dot(weights, column) for column in zip(*[value[own] for _, value, _ in memory], strict=True)]
            memory[-1][2].append(weights)
        return times(self.mix, found)

    def loss(self, tokens: Numbers) -> Any:
        """The mean, over the tokens after the first, of -log of the probability that each was given."""
        memory: Memory = []
        losses = [cross_entropy(self.read(a, memory), b) for a, b in pairwise(tokens)]
        counted = [1.0, *[where(equal(token, END), 0.0, 1.0) for token in tokens[1:-1]]]  # up to the first END
        return dot(losses, counted) / sum(counted)

    def write(self, source: random.Random, temperature: float = 1.0) -> list[int]:
        """The tokens of a text that it makes up, each drawn with its probability; the colder, the likelier ones."""
        tokens = [END]
        memory: Memory = []
        with no_grad():
            while not memory or (tokens[-1] != END and len(memory) < self.longest):
                chances = shares([score / temperature for score in self.read(tokens[-1], memory)])
                tokens += source.choices(range(len(chances)), [float(chance) for chance in chances])
        return [token for token in tokens if token != END]


def times(matrix: Sequence[Numbers], x: Numbers) -> Numbers:
    return tuple([dot(row, x) for row in matrix])


def added(a: Numbers, b: Numbers) -> Numbers:
    return tuple([one + other for one, other in zip(a, b, strict=True)])


def normalised(x: Numbers) -> Numbers:
    root = sqrt(dot(x, x) / len(x) + 1e-5)
    return tuple([one / root for one in x])


def shares(scores: Numbers) -> Numbers:
    """Numbers above 0 that add up to 1, in the ratios of exp(score)."""
    peak = maximum(*scores)
    powers = [exp(score - peak) for score in scores]
    total = sum(powers)
    return tuple([power / total for power in powers])


def train(model: GPT, batches: Iterable[Any], steps: int, lr: float, backend: str = "native") -> Iterator[float]:
    """The loss of each step, one step a batch [texts][tokens]: Adam, at a rate that falls along a line to 0."""
    optimizer, schedule, parameters = Adam(lr), LinearDecay(), model.parameters()
    if backend == "eager":
        for t, batch in enumerate(batches):
            loss = mean([model.loss(tokens) for tokens in batch])
            model.zero_grad()
            loss.backward()
            optimizer.lr = lr * schedule.factor(t, steps)
            optimizer.step(parameters)
            yield loss.data
    else:
        from scalargrad.compiler import compile  # behind it is NumPy

        program = compile(model.loss, backend=backend)
        trainer = program.trainer(optimizer, schedule=schedule, steps=steps, parameters=parameters)
        yield from map(trainer.step, batches)
