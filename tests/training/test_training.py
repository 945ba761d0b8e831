"""What an epoch of `fit` is, written out; and what it does with a loss that is lost."""

import math

import pytest

from scalargrad import MLP, Adam, mse
from scalargrad.training.history import refuse_inf_and_nan

X, Y = [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]


def line():
    return MLP(1, [1], output_activation="linear", rng=0)


def test_training_is_the_loop_written_out():
    trained, by_hand = line(), line()
    history = trained.fit(X, Y, optimizer=Adam(lr=0.1), epochs=30, engine="eager", progress=False)
    optimizer, losses = Adam(lr=0.1), []
    for _ in range(30):
        by_hand.zero_grad()
        loss = mse([by_hand(x) for x in X], Y)
        losses.append(loss.data)
        loss.backward()
        optimizer.step(by_hand.parameters())
    assert [p.data for p in trained.parameters()] == [p.data for p in by_hand.parameters()]
    assert history["loss"] == losses


@pytest.mark.parametrize("engine", ["compiled", "eager"])
def test_gradients_from_before_do_not_count(engine):
    fresh, used = line(), line()
    for parameter in used.parameters():
        parameter.grad = 1000.0
    for model in (fresh, used):
        model.fit(X, Y, epochs=1, engine=engine, progress=False)
    assert [p.data for p in fresh.parameters()] == [p.data for p in used.parameters()]


@pytest.mark.parametrize(
    ("loss", "epoch", "message"),
    [
        (math.inf, 0, "the loss is inf before any training"),
        (math.nan, 0, "the loss is nan before any training"),
        (math.inf, 1, "the loss is inf after epoch 1; a smaller learning rate helps"),
    ],
)
def test_a_loss_that_is_lost_is_an_error(loss, epoch, message):
    with pytest.raises(FloatingPointError, match=message):
        refuse_inf_and_nan(loss, epoch)
