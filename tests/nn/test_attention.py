"""Causal self-attention and the block around it: agreement with PyTorch's of the same weights, causality, errors."""

import pytest

from scalargrad.compiler import compile
from scalargrad.engine import gradients
from scalargrad.nn.attention import CausalSelfAttention, TransformerBlock
from tests.oracles.functions import numbers, value_of_row
from tests.oracles.torch_agreement import EVERY_WAY, Agreement, flat_of

ROWS, STEPS, WIDTH = 4, 5, 6


def mask(torch):
    """True where a step may not look."""
    return torch.triu(torch.ones(STEPS, STEPS, dtype=torch.bool), diagonal=1)


@EVERY_WAY
@pytest.mark.parametrize("heads", [1, 2, 6])
def test_attention_is_pytorchs_with_a_causal_mask(heads, way, torch):
    peer = torch.nn.MultiheadAttention(WIDTH, heads, batch_first=True, dtype=torch.float64)
    layer = CausalSelfAttention(WIDTH, heads)

    def peer_outputs(x):
        return peer(x, x, x, attn_mask=mask(torch), need_weights=False)[0]

    Agreement(layer, peer, layer, peer_outputs, numbers(ROWS, STEPS, WIDTH, seed=1)).check(way)


@EVERY_WAY
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_the_block_is_pytorchs_encoder_layer(activation, way, torch):
    peer = torch.nn.TransformerEncoderLayer(
        WIDTH, 2, 8, dropout=0.0, activation=activation, norm_first=True, batch_first=True, dtype=torch.float64
    )
    layer = TransformerBlock(WIDTH, 2, 8, activation=activation)

    def peer_outputs(x):
        return peer(x, src_mask=mask(torch))

    Agreement(layer, peer, layer, peer_outputs, numbers(ROWS, STEPS, WIDTH, seed=2)).check(way)


@pytest.mark.parametrize("layer", [CausalSelfAttention(4, 2, rng=0), TransformerBlock(4, 2, 8, rng=0)], ids=repr)
def test_no_step_sees_a_later_one(layer):
    sequence = value_of_row(numbers(4, 4, seed=3))
    outputs = layer(sequence)
    for step, output in enumerate(outputs):
        slopes = gradients(sum(output), flat_of(sequence))
        seen, later = slopes[: 4 * (step + 1)], slopes[4 * (step + 1) :]
        assert all(seen)
        assert not any(later)
    before = [[x.data for x in output] for output in layer(sequence[:2])]
    assert before == [[x.data for x in output] for output in outputs[:2]]


def test_one_number_a_step_is_enough():
    outputs = TransformerBlock(1, 1, 1, rng=0)([[1.0], [2.0]])
    assert [len(step) for step in outputs] == [1, 1]


def test_the_products_with_weights_are_one_contraction_for_all_steps():
    """What makes the compiled program fast: queries, keys and values of all steps are one product of two matrices."""
    layer = CausalSelfAttention(WIDTH, 2, rng=0)
    program = compile(lambda x: flat_of(layer(x)), backend="numpy")
    program(numbers(2, STEPS, WIDTH, seed=4))
    lines = program.full.splitlines()
    assert sum(f"contract [{3 * WIDTH}, {WIDTH}] x [{WIDTH}, {STEPS}]" in line for line in lines) == 1
    assert sum(f"contract [{WIDTH}, {WIDTH}] x [{WIDTH}, {STEPS}]" in line for line in lines) == 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: CausalSelfAttention(4, 2)([[1.0, 2.0]]),
            r"this CausalSelfAttention\(4, num_heads=2\) takes a sequence \[steps, 4\], got \[1, 2\]",
        ),
        (lambda: CausalSelfAttention(2)([1.0, 2.0]), r"takes a sequence \[steps, 2\], got \[2\]"),
        (lambda: CausalSelfAttention(4, 3), "num_heads divides embed_dim: 4 numbers are not 3 equal parts"),
        (lambda: CausalSelfAttention(4, 0), "num_heads is a whole number of at least 1, got 0"),
        (
            lambda: TransformerBlock(2, 1, 3)([[1.0]]),
            r"this TransformerBlock\(2, nhead=1, dim_feedforward=3, relu\) takes a sequence \[steps, 2\], got \[1, 1\]",
        ),
        (lambda: TransformerBlock(2, 1, 3)([]), "which holds no numbers"),
        (lambda: TransformerBlock(2, 1, 0), "dim_feedforward is a whole number of at least 1, got 0"),
        (lambda: TransformerBlock(2, 1, 3, "tanh"), "activation 'tanh' is not known; there are relu, gelu"),
    ],
)
def test_a_wrong_use_is_told(call, words):
    with pytest.raises(ValueError, match=words):
        call()
