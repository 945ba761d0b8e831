"""The grammar of names and its probabilities, names as tokens, and networks that learn them as PyTorch's do."""

import math
from collections import Counter

import numpy as np
import pytest

from scalargrad import Adam
from scalargrad.compiler import compile
from scalargrad.datasets import names
from scalargrad.datasets.names import (
    ALPHABET,
    END,
    LONGEST,
    STEPS,
    decode,
    encode,
    generate_names,
    probability,
    surprise,
)
from scalargrad.demos.networks import AttentionNames, LSTMNames, name_loss, sample_names

SMALL = [LSTMNames(4, 6, rng=0), AttentionNames(6, 2, 8, rng=0)]
MODELS = pytest.mark.parametrize("model", SMALL, ids=lambda model: type(model).__name__)


# The grammar.


@pytest.fixture
def ambiguous(monkeypatch):
    """A grammar of 9 derivations that writes some names in two ways."""
    grammar = {"Name": [("A", "B"), ("A",)], "A": [("a",), ("ab",), ("a", "b", "c")], "B": [("b",), ("bc",)]}
    monkeypatch.setattr(names, "ALTERNATIVES", grammar)


PROBABILITIES = {"ab": 1 / 12 + 1 / 6, "abc": 1 / 12 + 1 / 6, "a": 1 / 6, "abb": 1 / 12, "abbc": 1 / 12}
PROBABILITIES |= {"abcb": 1 / 12, "abcbc": 1 / 12}


def test_the_probability_of_a_name_is_the_sum_over_all_ways_to_write_it(ambiguous):
    assert sum(PROBABILITIES.values()) == pytest.approx(1.0)
    for name, expected in PROBABILITIES.items():
        assert probability(name) == pytest.approx(expected), name
    for name in ("", "b", "ac", "abcc", "aa", "A"):
        assert probability(name) == 0.0, name


def test_names_come_as_often_as_their_probability_says(ambiguous):
    count = 6000
    found = Counter(generate_names(count, seed=1))
    assert found.keys() == PROBABILITIES.keys()
    for name, share in PROBABILITIES.items():
        deviation = math.sqrt(count * share * (1.0 - share))
        assert abs(found[name] - count * share) < 4.0 * deviation, name


def test_surprise_is_the_mean_of_minus_log_probability(ambiguous):
    assert surprise(["a", "ab"]) == pytest.approx((math.log(6.0) + math.log(4.0)) / 2.0)


def test_the_grammar_makes_thousands_of_names_that_fit():
    made = generate_names(3000)
    assert made == generate_names(3000) != generate_names(3000, seed=1)
    assert len(set(made)) > 2000
    assert set("".join(made)) <= set(ALPHABET[1:])
    assert all(probability(name) > 0.0 for name in made[:200])
    assert longest("Name") == LONGEST


def longest(part):
    choices = names.ALTERNATIVES.get(part)
    return max(sum(map(longest, choice)) for choice in choices) if choices else len(part)


# Names as tokens.


def test_tokens_spell_the_name_and_targets_are_one_step_ahead():
    made = [*generate_names(20), "", "a" * LONGEST]
    inputs, targets = encode(made)
    assert inputs.shape == targets.shape == (len(made), STEPS)
    assert (inputs[:, 0] == END).all()
    assert (inputs[:, 1:] == targets[:, :-1]).all()
    assert [decode(row) for row in targets] == made


@pytest.mark.parametrize("name", ["a" * (LONGEST + 1), "Ana", "an.a", "zoë"])
def test_a_name_that_does_not_fit_is_refused(name):
    with pytest.raises(ValueError, match=f"up to {LONGEST} letters a to z, got '{name}'"):
        encode(["ana", name])


# Networks.


@MODELS
def test_the_loss_of_a_name_is_minus_log_of_its_probability_and_padding_does_not_count(model):
    (inputs,), (targets,) = (array.tolist() for array in encode(["ba"]))
    outputs = model(inputs)
    expected = 0.0
    for step, token in enumerate((2, 1, END)):
        powers = [math.exp(x.data) for x in outputs[step]]
        expected -= math.log(powers[token] / sum(powers))
    assert name_loss(outputs, targets).data == pytest.approx(expected, rel=1e-12)
    assert name_loss(outputs[:3], targets[:3]).data == pytest.approx(expected, rel=1e-12)


@MODELS
def test_fifty_steps_of_training_are_pytorchs_from_the_same_weights(model, torch):
    """Short names with and without an end inside, so that padding and its gradient take part."""
    from tests.oracles import torch_names

    arguments = {"LSTMNames": (4, 6), "AttentionNames": (6, 2, 8)}[type(model).__name__]
    model = type(model)(*arguments, rng=1)
    steps, batch = 5, 8
    peer = torch_names.PEERS[type(model).__name__](*arguments, steps=steps).double()
    inputs, targets = (array[:, :steps] for array in encode(generate_names(40, seed=2) + ["ana", "lo", "x", ""] * 2))
    load_prefix(peer, model)
    ours, theirs = Adam(lr=0.02), torch.optim.Adam(peer.parameters(), lr=0.02)
    trainer = compile(lambda x, y: name_loss(model(x), y), threads=1).trainer(ours)
    for step in range(50):
        chosen = slice(step * batch % 48, step * batch % 48 + batch)
        theirs.zero_grad()
        expected = torch_names.name_loss(
            peer(torch.tensor(inputs[chosen]).long()), torch.tensor(targets[chosen]).long()
        )
        expected.backward()
        theirs.step()
        assert trainer.step(inputs[chosen], targets[chosen]) == pytest.approx(expected.item(), abs=1e-8), step


def load_prefix(peer, model):
    """Our weights into the peer, which has as many positions as it needs."""
    import torch

    own = peer.state_dict()
    peer.load_state_dict({name: torch.tensor(array[: len(own[name])]) for name, array in model.state_dict().items()})


@pytest.mark.long
def test_a_network_that_has_seen_one_name_only_says_it():
    model = LSTMNames(4, 8, rng=0)
    before = sample_names(model, 5, seed=3)
    assert before == sample_names(model, 5, seed=3) != sample_names(model, 5, seed=4)
    assert before[:2] == sample_names(model, 2, seed=3)
    inputs, targets = encode(["anna"])
    history = model.fit(inputs, targets, loss=name_loss, optimizer=Adam(lr=0.05), epochs=200, progress=False)
    assert history["loss"][-1] < 0.01 < history["loss"][0]
    assert sample_names(model, 20, seed=3) == ["anna"] * 20


def test_letters_are_drawn_with_the_probabilities_of_the_network():
    model = LSTMNames(2, 2, rng=0)
    state = {name: np.zeros(array.shape) for name, array in model.state_dict().items()}
    state["head.bias"][:] = -1e3
    state["head.bias"][[END, 1, 2]] = np.log([0.2, 0.5, 0.3])
    model.load_state_dict(state)
    letters = Counter("".join(name + ALPHABET[END] for name in sample_names(model, 1000)))
    assert letters.keys() == {".", "a", "b"}
    assert letters["a"] / letters["b"] == pytest.approx(0.5 / 0.3, rel=0.1)


def test_more_tokens_than_positions_are_refused():
    with pytest.raises(ValueError, match=f"AttentionNames knows {STEPS} positions, got {STEPS + 1} tokens"):
        SMALL[1]([0] * (STEPS + 1))
