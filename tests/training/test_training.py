"""The epoch loop: what it measures and when, and what it does with a loss that is lost."""

import math

import pytest

from scalargrad import SGD, Adam, Value, mse
from scalargrad.training.run import accuracy, train


def test_history_starts_before_training_and_ends_with_the_parameters_as_they_stay():
    w = Value(3.0)
    history = train(lambda: w * w, [w], SGD(lr=0.25), epochs=4)
    assert history["loss"] == [9.0 * 0.25**epoch for epoch in range(5)]
    assert history["loss"][-1] == w.data * w.data


def test_training_is_the_loop_written_out():
    points = [(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]

    def line(slope, offset):
        return lambda: mse([slope * x + offset for x, _ in points], [y for _, y in points])

    trained, by_hand = [Value(0.5), Value(-0.5)], [Value(0.5), Value(-0.5)]
    train(line(*trained), trained, Adam(lr=0.1), epochs=30)
    optimizer = Adam(lr=0.1)
    for _ in range(30):
        for parameter in by_hand:
            parameter.grad = 0.0
        line(*by_hand)().backward()
        optimizer.step(by_hand)
    assert [p.data for p in trained] == [p.data for p in by_hand]


def test_gradients_from_before_do_not_count():
    w = Value(3.0)
    w.grad = 1000.0
    train(lambda: w * w, [w], SGD(lr=0.25), epochs=1)
    assert w.data == 1.5


def test_other_measures_are_recorded_beside_the_loss_and_shown_after_each_epoch():
    w, seen = Value(1.0), []
    history = train(lambda: (w * w, {"w": w.data}), [w], SGD(lr=0.25), 2, lambda epoch, own: seen.append((epoch, own)))
    assert history == {"loss": [1.0, 0.25, 0.0625], "w": [1.0, 0.5, 0.25]}
    assert seen == [(1, {"loss": 0.25, "w": 0.5}), (2, {"loss": 0.0625, "w": 0.25})]


def test_no_epochs_measure_and_change_nothing():
    w = Value(3.0)
    assert train(lambda: w * w, [w], SGD(lr=0.25), epochs=0) == {"loss": [9.0]}
    assert w.data == 3.0


@pytest.mark.parametrize(
    ("start", "rate", "message"),
    [
        (math.inf, 0.1, "the loss is inf before any training"),
        (math.nan, 0.1, "the loss is nan before any training"),
        (1e100, 1e100, "the loss is inf after epoch 1; a smaller learning rate helps"),
    ],
)
def test_a_loss_that_is_lost_is_an_error(start, rate, message):
    w = Value(start)
    with pytest.raises(FloatingPointError, match=message):
        train(lambda: w * w, [w], SGD(lr=rate), epochs=5)


@pytest.mark.parametrize(("guesses", "right"), [([1, 1], 0.5), ([1, 0], 1.0), ([False, True], 0.0)])
def test_accuracy_is_the_share_that_is_right(guesses, right):
    assert accuracy(guesses, [1, 0]) == right
