"""What people hand in as data: what is welcome comes as it is, what is not is refused with its place and a remedy."""

import tracemalloc
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse

from scalargrad.datasets.arrays import BLOCK, checked_inputs, checked_numbers, checked_weights
from scalargrad.engine import Value

NAN, INF = float("nan"), float("inf")


class Frame:
    """What of a DataFrame this package sees: columns of several types come as an array of objects."""

    def __init__(self, rows):
        self.rows = rows

    def __array__(self, dtype=None, copy=None):
        return np.array(self.rows, dtype=object)


# What is welcome.


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_contiguous_floats_are_not_copied(dtype):
    samples = np.ones((3, 2), dtype)
    assert checked_inputs(samples) is samples


@pytest.mark.parametrize(
    "samples",
    [
        [[1, 2], [3, 4]],
        ((1.0, 2.0), [3.0, 4.0]),
        [np.array([1.0, 2.0]), np.array([3.0, 4.0])],
        np.array([[1, 2], [3, 4]], "int8"),
        np.array([[1, 2], [3, 4]], "int32"),
        np.array([[1, 2], [3, 4]], "uint64"),
        np.array([[1, 2], [3, 4]], "float16"),
        np.array([[1, 2], [3, 4]], ">f8"),
        np.array([[1, 2], [3, 4]], "longdouble"),
        np.array([[1.0, 3.0], [2.0, 4.0]]).T,
        np.array([[1.0, 0.0, 2.0], [3.0, 0.0, 4.0]])[:, ::2],
        np.ma.array([[1.0, 2.0], [3.0, 4.0]]),
        Frame([[True, 2], [3.0, np.float32(4.0)]]),
        [[Fraction(1), 2], [Decimal(3), 4]],
        np.array([[1, 2], [3, 4], None], dtype=object)[:2],
    ],
    ids=lambda samples: type(samples).__name__,
)
def test_numbers_of_any_kind_become_float64(samples):
    array = checked_inputs(samples)
    assert array.dtype == "float64"
    assert array.flags.c_contiguous
    assert array.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_truth_values_are_0_and_1():
    assert checked_inputs([[True, False]]).tolist() == [[1.0, 0.0]]


def test_float32_stays_float32_whatever_its_order():
    turned = np.arange(6, dtype=">f4").reshape(2, 3).T
    array = checked_inputs(turned)
    assert array.dtype == np.float32
    assert array.flags.c_contiguous
    assert array.tolist() == turned.tolist()


def test_a_type_can_be_demanded():
    assert checked_inputs([[1.0]], dtype="float32").dtype == np.float32
    assert checked_inputs(np.ones((1, 1), "float32"), dtype="float64").dtype == np.float64


def test_samples_may_have_several_axes():
    assert checked_inputs(np.zeros((5, 28, 28))).shape == (5, 28, 28)


def test_the_largest_floats_are_finite_though_their_sum_is_not():
    largest = np.full((4, 2), np.finfo("float64").max)
    assert checked_inputs(largest) is largest


def test_the_check_makes_no_copy_of_the_data():
    samples = np.ones((2000, 784))
    broken = samples.copy()
    broken[-1, -1] = NAN
    tracemalloc.start()
    try:
        checked_inputs(samples)
        assert tracemalloc.get_traced_memory()[1] < samples.nbytes / 100
        with pytest.raises(ValueError, match=r"X\[1999, 783\] is nan"):
            checked_inputs(broken)
        assert tracemalloc.get_traced_memory()[1] < samples.nbytes / 10
    finally:
        tracemalloc.stop()


# What is refused.

REFUSED = {
    "nan": ([[1.0, 2.0], [3.0, NAN]], r"X\[1, 1\] is nan: row 1, column 1 .*fill it in, or take the row out"),
    "inf": ([[1.0, INF], [NAN, 1.0]], r"X\[0, 1\] is inf: row 0, column 1"),
    "opposite infinities": ([[-INF], [INF]], r"X\[0, 0\] is -inf"),
    "nan in an image": ([[[1.0, 2.0], [3.0, NAN]]], r"X\[0, 1, 1\] is nan: row 0 is"),
    "nan as object": (Frame([[1.0, True], [NAN, 2]]), r"X\[1, 0\] is nan"),
    "a huge whole number": ([[10**400]], "beyond the largest float64"),
    "ragged": ([[1, 2], [3, 4], [5]], "X is ragged: row 2 has 1 number, row 0 has 2 numbers"),
    "a number among rows": ([[1, 2], 3], "X is ragged: row 1 has no list, but one number, row 0 has 2 numbers"),
    "ragged inside": ([[[1], [2]], [[1], [2, 3]]], "row 1 holds lists of different lengths"),
    "images of two sizes": ([np.ones((2, 2)), np.ones((3, 2))], r"row 1 has the shape \(3, 2\), row 0 has the shape"),
    "ragged objects": (np.array([[1, 2], [3]], dtype=object), "X is ragged: row 1 has 1 number"),
    "an empty list": ([], r"X has no rows: its shape is \(0,\)"),
    "no rows": (np.ones((0, 3)), r"X has no rows: its shape is \(0, 3\)"),
    "no columns": ([[], []], r"X has no columns: its shape is \(2, 0\)"),
    "one axis": ([1.0, 2.0], r"numpy\.reshape\(X, \(-1, 1\)\) for one number a sample, \(1, -1\) for one sample"),
    "words": ([[1.0, "blue"]], r"X holds text, such as X\[0, 1\] = 'blue': pass numbers"),
    "numbers as text": ([["1", "2"]], r"X holds text, such as X\[0, 0\] = '1'"),
    "words among objects": (Frame([[1, "blue"]]), r"X holds text, such as X\[0, 1\] = 'blue'"),
    "None inside": ([[1.0, None]], r"X\[0, 1\] is None, and not a number"),
    "a Value inside": ([[Value(1.0)]], r"X\[0, 0\] is the Value .*, and not a number"),
    "sets inside": ([{1}, {2}], r"X\[0\] is the set \{1\}, and not a number"),
    "complex": ([[1j]], r"complex128 and not real numbers: .*numpy\.hstack\(\[X\.real, X\.imag\]\)"),
    "dates": (np.array([["2024-02-29"]], "datetime64[D]"), r"datetime64\[D\] and not real numbers: count from"),
    "durations": (np.array([[1]], "timedelta64[s]"), r"timedelta64\[s\] and not real numbers: divide by"),
    "records": (np.zeros((1, 1), [("a", float)]), "structured_to_unstructured"),
    "masked": (np.ma.masked_invalid([[1.0, NAN]]), r"X\[0, 1\] is masked"),
}
if np.finfo("longdouble").maxexp > np.finfo("float64").maxexp:  # on Windows and on Apple's processors they are the same
    REFUSED["beyond float64"] = (
        np.full((1, 1), np.longdouble("1e400")),
        r"X\[0, 0\] is .*(beyond the largest float64|not finite)",
    )


@pytest.mark.parametrize("name", REFUSED)
def test_bad_samples_are_refused_with_their_place(name):
    samples, words = REFUSED[name]
    with pytest.raises(ValueError, match=words):
        checked_inputs(samples)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, "X takes an array or a list with a row for each sample, got None"),
        (3.0, "got 3.0"),
        ("text", "got 'text'"),
        ({1, 2}, r"got the set \{1, 2\}; pass list\(X\)"),
        ((row for row in [[1.0]]), r"got the generator .*; pass list\(X\)"),
        ({"a": 1}, "got the dict"),
        (scipy.sparse.csr_array(np.eye(2)), r"X is a sparse matrix: pass X\.toarray\(\)"),
    ],
    ids=lambda given: type(given).__name__,
)
def test_what_holds_no_rows_is_a_wrong_type(given, words):
    with pytest.raises(TypeError, match=words):
        checked_inputs(given)


@pytest.mark.parametrize("place", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK - 1])
def test_the_place_is_found_in_every_block(place):
    samples = np.zeros((BLOCK, 2))
    samples.ravel()[place] = NAN
    with pytest.raises(ValueError, match=rf"X\[{place // 2}, {place % 2}\] is nan"):
        checked_inputs(samples)


def test_numbers_beyond_float32_are_refused_where_float32_is_demanded():
    with pytest.raises(ValueError, match=r"X\[1, 0\] is 1e\+39: row 1, column 0 is beyond the largest float32"):
        checked_inputs([[1.0], [1e39]], dtype="float32")


def test_an_error_calls_the_samples_by_their_name():
    with pytest.raises(ValueError, match=r"validation X\[0, 0\] is nan"):
        checked_inputs([[NAN]], name="validation X")
    with pytest.raises(ValueError, match=r"validation X is one list .*: numpy\.reshape\(X, \(-1, 1\)\)"):
        checked_inputs([1.0], name="validation X")
    with pytest.raises(ValueError, match="validation y has 1 row and validation X has 2"):
        checked_numbers([1.0], 2, name="validation y")


# Targets and weights.


def test_targets_are_float64_whatever_they_come_as():
    for given in ([1, 2], (1.0, 2.0), np.array([1, 2], "float32"), range(1, 3), Frame([1, 2.0])):
        array = checked_numbers(given, 2)
        assert array.dtype == "float64"
        assert array.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([1.0], "y has 1 row and X has 3: they must match"),
        ([1.0] * 4, "y has 4 rows and X has 3"),
        ([], r"y is empty: its shape is \(0,\)"),
        ([[], [], []], r"y is empty: its shape is \(3, 0\)"),
        ([1.0, 2.0, NAN], r"y\[2\] is nan: row 2 is not finite"),
        ([[1.0, 2.0], [1.0, INF], [1.0, 2.0]], r"y\[1, 1\] is inf: row 1, column 1"),
        ([[1.0], [2.0, 3.0], [4.0]], "y is ragged: row 1 has 2 numbers, row 0 has 1 number"),
        (["a", "b", "c"], r"y holds text, such as y\[0\] = 'a': pass numbers"),
        ([1.0, None, 2.0], r"y\[1\] is None, and not a number"),
    ],
)
def test_bad_targets_are_refused(given, words):
    with pytest.raises(ValueError, match=words):
        checked_numbers(given, 3)


def test_weights_are_one_number_a_row_from_0_on():
    assert checked_weights([0, 2], 2).tolist() == [0.0, 2.0]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([1.0, -0.5], r"sample_weight\[1\] is -0.5: weights are 0 or more"),
        ([0.0, -0.0], "sample_weight holds zeros only"),
        ([[1.0], [2.0]], r"sample_weight has the shape \(2, 1\)"),
        ([1.0], "sample_weight has 1 row and X has 2"),
        ([1.0, NAN], r"sample_weight\[1\] is nan"),
    ],
)
def test_bad_weights_are_refused(given, words):
    with pytest.raises(ValueError, match=words):
        checked_weights(given, 2)
