"""Causal self-attention: each step of a sequence looks back at those before it, and at itself."""

import random
from math import sqrt

from scalargrad.checks import one_of, real
from scalargrad.datasets.nested import Sample
from scalargrad.files.architecture import (
    Arguments,
    Description,
    Shapes,
    consists_of,
    described,
    shapes_of_parts,
)
from scalargrad.nn.dense import Layer, checked_size, generator, layer_description
from scalargrad.nn.functions import softmax
from scalargrad.nn.module import Module, Parameter
from scalargrad.nn.normalisation import LayerNorm
from scalargrad.nn.sequences import as_sequence, linear, matrix
from scalargrad.ops import dot

ACTIVATIONS = ("relu", "gelu")


def _attention_parts(embed_dim: int, num_heads: int) -> dict[str, Description]:
    return {"out_proj": layer_description(embed_dim, embed_dim, "linear")}


def _attention_shapes(embed_dim: int, num_heads: int) -> Shapes:
    checked_size("embed_dim", embed_dim)
    projections = {"in_proj_weight": [3 * embed_dim, embed_dim], "in_proj_bias": [3 * embed_dim]}
    return {**projections, **shapes_of_parts(_attention_parts(embed_dim, num_heads))}


def _attention_arguments(layer: "CausalSelfAttention") -> Arguments | None:
    arguments = {"embed_dim": layer.embed_dim, "num_heads": layer.num_heads}
    return arguments if consists_of(layer, _attention_parts(**arguments)) else None


@described(_attention_shapes, _attention_arguments)
class CausalSelfAttention(Module):
    """softmax(queries keys^T / sqrt(head size)) values, over the steps up to each one (Vaswani et al. 2017).

    embed_dim   how many numbers a step has, coming in and going out
    num_heads   how many parts of them attend by themselves; it divides embed_dim
    rng         a seed or a random.Random; None uses Python's global one

    It takes a sequence [steps][embed_dim] and returns one of that shape. Names and shapes of its arrays are those of
    PyTorch's MultiheadAttention: `in_proj_weight` [3 * embed_dim, embed_dim], the rows of queries, keys and values in
    this order; `in_proj_bias`; `out_proj.weight` and `out_proj.bias`.

    >>> attention = CausalSelfAttention(4, num_heads=2, rng=0)
    >>> outputs = attention([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]])
    >>> attention, len(outputs), len(outputs[0])
    (CausalSelfAttention(4, num_heads=2), 2, 4)
    """

    def __init__(self, embed_dim: int, num_heads: int = 1, rng: int | random.Random | None = None) -> None:
        embed_dim, num_heads = checked_size("embed_dim", embed_dim), checked_size("num_heads", num_heads)
        if embed_dim % num_heads:
            raise ValueError(f"num_heads divides embed_dim: {embed_dim} numbers are not {num_heads} equal parts")
        source, limit = generator(rng), sqrt(6.0 / (4 * embed_dim))  # Glorot's, for 3 * embed_dim rows
        self.embed_dim, self.num_heads = embed_dim, num_heads
        self.in_proj_weight = matrix(3 * embed_dim, embed_dim, lambda: source.uniform(-limit, limit))
        self.in_proj_bias = tuple(Parameter(0.0) for _ in range(3 * embed_dim))
        self.out_proj = Layer(embed_dim, embed_dim, activation="linear", init="xavier", rng=source)

    def __call__(self, sequence: Sample) -> tuple[tuple, ...]:
        size = self.embed_dim // self.num_heads
        steps = as_sequence(sequence, self.embed_dim, self)
        projected = [linear(self.in_proj_weight, self.in_proj_bias, step) for step in steps]
        heads = []
        for first in range(0, self.embed_dim, size):
            queries, keys, values = (
                [tuple(numbers[start : start + size]) for numbers in projected]
                for start in (first, self.embed_dim + first, 2 * self.embed_dim + first)
            )
            heads.append(attend(queries, keys, values))
        return tuple([as_tuple(self.out_proj(joined(parts))) for parts in zip(*heads, strict=True)])

    def __repr__(self) -> str:
        return f"CausalSelfAttention({self.embed_dim}, num_heads={self.num_heads})"


def attend(queries: list[tuple], keys: list[tuple], values: list[tuple]) -> list[tuple]:
    """For each step the mean of the values up to it, weighted by how well their keys fit its query."""
    scale = 1.0 / sqrt(len(queries[0]))
    columns = list(zip(*values, strict=True))
    outputs = []
    for step, query in enumerate(queries, start=1):
        weights = softmax([dot(query, key) * scale for key in keys[:step]])
        outputs.append(tuple([dot(weights, column[:step]) for column in columns]))
    return outputs


def _block_parts(
    d_model: int, nhead: int, dim_feedforward: int, activation: str, layer_norm_eps: float
) -> dict[str, Description]:
    norm = {"class": "LayerNorm", "arguments": {"normalized_shape": [d_model], "eps": layer_norm_eps}}
    return {
        "self_attn": {"class": "CausalSelfAttention", "arguments": {"embed_dim": d_model, "num_heads": nhead}},
        "linear1": layer_description(d_model, dim_feedforward, activation),
        "linear2": layer_description(dim_feedforward, d_model, "linear"),
        "norm1": norm,
        "norm2": norm,
    }


def _block_arguments(block: "TransformerBlock") -> Arguments | None:
    hidden = block.linear1.neurons
    arguments: Arguments = {
        "d_model": block.self_attn.embed_dim,
        "nhead": block.self_attn.num_heads,
        "dim_feedforward": len(hidden),
        "activation": hidden[0].activation,
        "layer_norm_eps": block.norm1.eps,
    }
    return arguments if consists_of(block, _block_parts(**arguments)) else None


@described(lambda **arguments: shapes_of_parts(_block_parts(**arguments)), _block_arguments)
class TransformerBlock(Module):
    """x + attention(norm(x)), and of that y: y + network(norm(y)), with a network of two layers for each step.

    d_model           how many numbers a step has
    nhead             of the attention
    dim_feedforward   how many neurons the first layer of the network has; the second has d_model
    activation        "relu" or "gelu"
    layer_norm_eps    of both norms
    rng               a seed or a random.Random; None uses Python's global one

    It takes a sequence [steps][d_model] and returns one of that shape. Names and shapes of its arrays are those of
    PyTorch's TransformerEncoderLayer(norm_first=True), which it equals with a causal mask and without dropout:
    `self_attn.in_proj_weight` ..., `linear1.weight`, `linear2.weight`, `norm1.weight`, `norm2.weight` and biases.

    >>> block = TransformerBlock(4, 2, 8, rng=0)
    >>> block, len(block([[1.0, 2.0, 3.0, 4.0]]))
    (TransformerBlock(4, nhead=2, dim_feedforward=8, relu), 1)
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int,
        activation: str = "relu",
        layer_norm_eps: float = 1e-5,
        rng: int | random.Random | None = None,
    ) -> None:
        d_model, dim_feedforward = checked_size("d_model", d_model), checked_size("dim_feedforward", dim_feedforward)
        nhead, layer_norm_eps = checked_size("nhead", nhead), real("layer_norm_eps", layer_norm_eps, 0.0)
        if d_model % nhead:
            raise ValueError(f"nhead divides d_model: {d_model} numbers are not {nhead} equal parts")
        one_of("activation", activation, ACTIVATIONS)
        rng = generator(rng)
        self.self_attn = CausalSelfAttention(d_model, nhead, rng)
        self.linear1 = Layer(d_model, dim_feedforward, activation=activation, init="he", rng=rng)
        self.linear2 = Layer(dim_feedforward, d_model, activation="linear", init="xavier", rng=rng)
        self.norm1 = LayerNorm(d_model, layer_norm_eps)
        self.norm2 = LayerNorm(d_model, layer_norm_eps)

    def __call__(self, sequence: Sample) -> tuple[tuple, ...]:
        steps = as_sequence(sequence, self.self_attn.embed_dim, self)
        steps = added(steps, self.self_attn(self.norm1(steps)))
        return added(steps, [self._network(step) for step in self.norm2(steps)])

    def _network(self, step: tuple) -> tuple:
        return as_tuple(self.linear2(as_tuple(self.linear1(step))))

    def __repr__(self) -> str:
        first = self.linear1.neurons
        return (
            f"TransformerBlock({self.self_attn.embed_dim}, nhead={self.self_attn.num_heads}, "
            f"dim_feedforward={len(first)}, {first[0].activation})"
        )


def added(steps: Sample, others: Sample) -> tuple[tuple, ...]:
    """The sum of two sequences, number by number."""
    return tuple(
        [tuple([a + b for a, b in zip(step, other, strict=True)]) for step, other in zip(steps, others, strict=True)]
    )


def joined(parts: tuple) -> tuple:
    """The numbers of all heads, one after another."""
    return tuple([x for part in parts for x in part])


def as_tuple(outputs: Sample) -> tuple:
    """The outputs of a Layer as a tuple, also of a single neuron."""
    return outputs if type(outputs) is tuple else (outputs,)
