"""Sequences of different lengths: what is one, groups of one shape, and the batches of an epoch."""

import itertools

import numpy as np
import pytest
import scipy.sparse

from scalargrad import MLP, Value
from scalargrad.arrays import shuffled
from scalargrad.datasets.sequences import (
    Ragged,
    as_ragged,
    checked_samples,
    differ_in_length,
    grouped,
    joined,
    pieces_of_an_epoch,
    shapes_in_words,
    steps_of_an_epoch,
)
from tests.oracles.sequences import batches_of_shapes

LENGTHS = [3, 5, 3, 4, 3, 3, 5, 3, 4, 3, 6]


def sequences(*inner):
    source = np.random.default_rng(0)
    return [source.normal(size=(length, *inner)) for length in LENGTHS]


def objects(*samples):
    array = np.empty(len(samples), object)
    array[:] = samples
    return array


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (sequences(2), True),
        (tuple(sequences()), True),
        ([[1.0], [2.0, 3.0]], True),
        (objects([1.0], [2.0, 3.0]), True),
        (objects([1.0], [2.0]), False),
        ([[1.0], [2.0]], False),
        ([[[1.0], [2.0]], [[1.0], [2.0, 3.0]]], False),  # of one length, and broken inside
        ([1.0, 2.0], False),
        ([], False),
        (["a", "bc"], False),
        ([[1.0, 2.0], 3.0], False),
        ([np.array(1.0), np.ones(2)], False),
        ([scipy.sparse.csr_matrix([[1.0, 2.0]]), np.ones(3)], False),
        ([np.ones(2), scipy.sparse.csr_matrix([[1.0, 2.0]])], False),
        ([{1: 2}, {1: 2, 3: 4}], False),
        ([Value(1.0), Value(2.0)], False),
        (np.ones((2, 3)), False),
        (np.array(["a", "bc"], object), False),
        ("text", False),
        (None, False),
        (5.0, False),
        (lambda x: x, False),
    ],
)
def test_what_differs_in_length(samples, expected):
    assert differ_in_length(samples) is expected


def test_rows_whose_length_is_not_told_are_refused_by_what_they_are():
    with pytest.raises(ValueError, match=r"X\[0\] is the csr_matrix .*, and not a number"):
        MLP(2, [1], rng=0).predict([scipy.sparse.csr_matrix([[1.0, 2.0]])] * 2)


def test_samples_are_what_they_were_and_nobody_writes_to_them():
    given = sequences(2)
    found = as_ragged(given, "X")
    assert all((ours == theirs).all() for ours, theirs in zip(found, given, strict=True))
    assert found.dtype == np.float64
    assert np.shares_memory(found[0], given[0])
    with pytest.raises(ValueError, match="read-only"):
        found[0][0, 0] = 1.0
    given[0][0, 0] = 1.0  # theirs still are their own


def test_types_of_numbers():
    single = [sample.astype("float32") for sample in sequences()]
    assert as_ragged(single, "X").dtype == np.float32
    assert as_ragged([*single, np.ones(2)], "X").dtype == np.float64
    assert as_ragged(single, "X", "float64").dtype == np.float64
    assert [sample.tolist() for sample in as_ragged([[1, 2], [True]], "X")] == [[1.0, 2.0], [1.0]]


BAD = {
    "an empty one": ([[1.0, 2.0], []], r"X\[1\] is empty, of the shape \(0,\)"),
    "other insides": (
        [np.ones((2, 3)), np.ones((4, 2))],
        r"X is ragged: X\[1\] has the shape \(4, 2\) and X\[0\] \(2, 3\)",
    ),
    "another depth": ([np.ones((2, 3)), np.ones(4)], r"X\[1\] has the shape \(4,\) and X\[0\] \(2, 3\)"),
    "broken inside": ([[[1.0], [2.0]], [[1.0], [2.0, 3.0], [4.0]]], r"X\[1\] is ragged: row 1 has 2 numbers"),
    "text": ([["a"], ["b", "c"]], r"X\[0\] holds text"),
    "Values": ([[1.0], [Value(2.0), Value(3.0)]], r"X\[1\]\[0\] is the Value"),
    "None": ([[1.0], [2.0, None]], r"X\[1\]\[1\] is None"),
    "complex": ([[1.0], [2.0, 1j]], r"X\[1\] holds complex128"),
    "nan": ([[1.0], [2.0, np.nan]], r"X\[1\]\[1\] is nan, which is not finite"),
    "inf inside": ([np.ones((2, 2)), np.array([[1.0, 2.0], [np.inf, 4.0], [5.0, 6.0]])], r"X\[1\]\[1, 0\] is inf"),
    "beyond float32": ([np.ones(2, "float32"), [1e39]], r"X\[1\]\[0\] is inf"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_sequences_are_one_error_that_names_the_sample(name):
    samples, message = BAD[name]
    with pytest.raises(ValueError, match=message) as caught:
        checked_samples(samples, dtype="float32" if "float32" in name else None)
    assert "\n" not in str(caught.value)


def test_finite_sequences_whose_sum_is_not_are_good():
    assert checked_samples([[1e308, 1e308], [1e308]])[0].tolist() == [1e308, 1e308]


# Groups.


def test_groups_are_of_one_shape_each_and_hold_every_sample_once():
    x, y = Ragged(sequences(2)), Ragged(sequences())
    groups = grouped([x, "a setting", y, np.arange(len(x))])
    assert [len(group.arrays[0][0]) for group in groups] == [3, 4, 5, 6]
    assert sorted(row for group in groups for row in group.rows) == [*range(len(x))]
    for group in groups:
        assert group.arrays[1] == "a setting"
        assert (group.arrays[3] == group.rows).all()
        for place, row in enumerate(group.rows):
            assert (group.arrays[0][place] == x[row]).all()
            assert (group.arrays[2][place] == y[row]).all()
    assert shapes_in_words(groups[0]) == "3 x 2, 3"


def test_columns_that_are_ragged_in_different_ways_make_more_groups():
    x, y = Ragged([np.ones(2), np.ones(2), np.ones(1)]), Ragged([np.ones(1), np.ones(3), np.ones(3)])
    assert [group.rows.tolist() for group in grouped([x, y])] == [[2], [0], [1]]


def test_samples_of_one_shape_are_one_group_as_they_are():
    x = np.ones((3, 2))
    ((rows, (found,)),) = grouped([x])
    assert rows is None
    assert found is x


def test_other_numbers_of_rows_are_refused():
    with pytest.raises(ValueError, match="11 and 3 rows"):
        grouped([Ragged(sequences()), np.ones(3)])


def test_results_of_groups_come_back_in_the_order_of_samples():
    x = Ragged(sequences())
    groups = grouped([x])
    sums = joined(groups, [group.arrays[0].sum(axis=1) for group in groups])
    np.testing.assert_allclose(sums, [sample.sum() for sample in x], rtol=1e-15)
    same = joined(groups, [group.arrays[0] for group in groups])
    assert all((ours == theirs).all() for ours, theirs in zip(same, x, strict=True))


def test_rows_of_ragged_samples():
    x = Ragged(sequences())
    assert x[np.array([3, 1])].shapes == [(4,), (5,)]
    assert x[np.arange(len(x)) < 2].shapes == [(3,), (5,)]
    assert x.astype("float32").dtype == np.float32


# The batches of an epoch.


def batches(groups, batch_size, seed, epoch):
    """Rows of each batch."""
    found = []
    for group, chosen, size, steps in pieces_of_an_epoch(groups, batch_size, seed, epoch):
        places = range(size) if chosen is None else chosen.tolist()
        assert len(places) == size * steps
        found += [[int(groups[group][place]) for place in places[n * size : (n + 1) * size]] for n in range(steps)]
    return found


@pytest.mark.parametrize("batch_size", [1, 2, 3, 4, 100, None])
@pytest.mark.parametrize("lengths", [LENGTHS, [3, 5], [4] * 7, [4], [*range(1, 12)]], ids=len)
def test_the_batches_are_those_of_samples_one_after_another(lengths, batch_size):
    groups = [[row for row, own in enumerate(lengths) if own == length] for length in sorted(set(lengths))]
    for seed, epoch in ((0, 0), (0, 1), (7, 3)):
        found = batches(groups, batch_size, seed, epoch)
        assert found == batches_of_shapes(lengths, batch_size, seed, epoch)
        assert sorted(row for batch in found for row in batch) == [*range(len(lengths))]
        assert len(found) == steps_of_an_epoch([len(group) for group in groups], batch_size)


def test_equal_lengths_are_shuffled_as_ever():
    (piece, rest) = pieces_of_an_epoch([range(7)], 3, seed=5, epoch=2)
    assert (*piece.chosen, *rest.chosen) == (*shuffled(7, 5, 2),)
    assert (piece.size, piece.steps, rest.size, rest.steps) == (3, 2, 1, 1)


def test_lengths_are_mixed_and_another_epoch_mixes_them_otherwise():
    lengths = [3] * 40 + [5] * 40
    groups = [range(40), range(40, 80)]
    orders = [[lengths[batch[0]] for batch in batches(groups, 4, 0, epoch)] for epoch in range(3)]
    assert len({*map(tuple, orders)}) == 3
    for order in orders:
        assert sum(a != b for a, b in itertools.pairwise(order)) >= 4
