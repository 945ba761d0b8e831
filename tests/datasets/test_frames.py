"""pandas' frames and Series as samples, targets and weights: like arrays of their numbers, or one line with names."""

import numpy as np
import pytest

from scalargrad import MLP, Adam
from scalargrad.datasets import load_moons
from scalargrad.datasets.arrays import checked_inputs, checked_numbers, checked_weights
from scalargrad.training.objectives import confusion

POINTS, LABELS = load_moons(40, noise=0.2, seed=1)
INDEX = range(100, 140)


def everything(X, y, weights, others):
    """All that training and predictions say of these."""
    model = MLP(2, [4, 2], activation="tanh", rng=0)
    settings = {"batch_size": 16, "backend": "numpy", "progress": False, "class_weight": "balanced"}
    history = model.fit(X, y, "cross_entropy", Adam(0.05), 3, validation=others, sample_weight=weights, **settings)
    evaluation = model.evaluate(X, y, backend="numpy")
    return (
        [parameter.data for parameter in model.parameters()],
        dict(history),
        model.predict(X, backend="numpy").tolist(),
        model.predict_proba(X, backend="numpy").tolist(),
        (evaluation.loss, evaluation.accuracy, evaluation.confusion.tolist()),
        confusion(y, model.predict(X, backend="numpy"), [0, 1]).tolist(),
    )


FRAMES = {  # X, y and weights, from the frame of the samples and the Series of the labels
    "floats": lambda X, y: (X, y, None),
    "float32": lambda X, y: (X.astype("float32"), y, None),
    "whole numbers": lambda X, y: ((X * 10).astype("int16"), y.astype("uint8"), y + 1),
    "truth values": lambda X, y: (X > 0.5, y.astype(bool), None),
    "mixed": lambda X, y: (X.assign(left=X["left"] > 0.5), y, y + 0.5),
    "nullable": lambda X, y: (X.astype("Float64"), y.astype("Int64"), (y + 1).astype("Int8")),
    "nullable and others": lambda X, y: (X.assign(left=(X["left"] > 0.5).astype("boolean")), y.astype("boolean"), None),
    "objects": lambda X, y: (X.astype(object), y.astype(object), None),
    "categories that are numbers": lambda X, y: (X.round().astype("category"), y.astype("category"), None),
    "one column as y": lambda X, y: (X, y.to_frame()["label"], None),
}


@pytest.mark.parametrize("name", FRAMES)
def test_frames_are_arrays_of_their_numbers(pandas, name):
    frame = pandas.DataFrame(POINTS, columns=["left", "right"], index=INDEX)
    X, y, weights = FRAMES[name](frame, pandas.Series(LABELS, index=INDEX, name="label"))
    arrays = (
        np.array(X.to_numpy().tolist(), "float32" if name == "float32" else "float64"),
        np.array(y.tolist(), "int64"),
        None if weights is None else np.array(weights.tolist(), "float64"),
    )
    expected = everything(*arrays, others=(arrays[0][:9], arrays[1][:9]))
    assert everything(X, y, weights, others=(X.iloc[:9], y.iloc[:9])) == expected


# Errors, with names.


def broken(pandas, **columns):
    frame = pandas.DataFrame({"age": [30.0, 40.0, 50.0], "height": [1.5, 1.75, 2.0]}, index=[11, 13, 17])
    return frame.assign(**columns)


FILL = "fill it in, or take the row out"
ENCODE = r"encode text, pandas\.get_dummies\(X\), count dates from some day, or leave them out, X\.drop\(columns="
REFUSED = {
    "nan": (lambda pd: broken(pd, age=[1.0, 2.0, np.nan]), rf"X: column 'age', row 2 \(index 17\) is nan: {FILL}"),
    "inf": (lambda pd: broken(pd, age=[1.0, -np.inf, 3.0]), rf"X: column 'age', row 1 \(index 13\) is -inf: {FILL}"),
    "whole numbers, NA": (
        lambda pd: broken(pd, age=pd.array([1, None, 3], dtype="Int64")),
        rf"X: column 'age', row 1 \(index 13\) is <NA>: {FILL}",
    ),
    "truth values, NA": (
        lambda pd: broken(pd, member=pd.array([True, False, None], dtype="boolean")),
        rf"X: column 'member', row 2 \(index 17\) is <NA>: {FILL}",
    ),
    "None among numbers": (
        lambda pd: broken(pd, age=np.array([1, None, 3], object)),
        rf"X: column 'age', row 1 \(index 13\) is None: {FILL}",
    ),
    "a missing category": (
        lambda pd: broken(pd, age=pd.Categorical([1, None, 3])),
        rf"X: column 'age', row 1 \(index 13\) is nan: {FILL}",
    ),
    "the usual index": (
        lambda pd: broken(pd, age=[1.0, 2.0, np.nan]).reset_index(drop=True),
        rf"X: column 'age', row 2 is nan: {FILL}",
    ),
    "names of two levels": (
        lambda pd: pd.DataFrame([[1.0, np.nan]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")])),
        rf"X: column \('a', 'y'\), row 0 is nan: {FILL}",
    ),
    "two columns of one name": (
        lambda pd: pd.DataFrame([[1.0, 2.0], [3.0, np.nan]], columns=["a", "a"]),
        rf"X: column 'a', row 1 is nan: {FILL}",
    ),
    "text": (
        lambda pd: broken(pd, city=["Rome", "Oslo", "Bonn"], name=pd.array(["a", "b", "c"], dtype="string")),
        rf"X has columns that hold no numbers, 'city' \((str|object)\), 'name' \(string\): {ENCODE}",
    ),
    "categories": (
        lambda pd: broken(pd, city=pd.Categorical(["Rome", "Oslo", "Bonn"])),
        rf"X has columns that hold no numbers, 'city' \(category\): {ENCODE}",
    ),
    "dates and durations": (
        lambda pd: broken(pd, day=pd.to_datetime(["2020-02-29"] * 3), long=pd.to_timedelta([1, 2, 3], unit="D")),
        rf"X has columns that hold no numbers, 'day' \(datetime64.*\), 'long' \(timedelta64.*\): {ENCODE}",
    ),
    "only dates": (
        lambda pd: pd.DataFrame({"day": pd.to_datetime(["2020-02-29"])}),
        rf"X has columns that hold no numbers, 'day' \(datetime64.*\): {ENCODE}",
    ),
    "complex": (
        lambda pd: broken(pd, z=[1j, 2.0, 3.0]),
        rf"X has columns that hold no numbers, 'z' \(complex128\): {ENCODE}",
    ),
    "lists and nan": (
        lambda pd: broken(pd, age=[np.nan, 1.0, 2.0], pair=[[1], [2], [3]]),
        rf"X has columns that hold no numbers, 'pair' \(object\): {ENCODE}",
    ),
    "many": (
        lambda pd: pd.DataFrame([["a"] * 20], columns=[f"c{place}" for place in range(20)]),
        r"X has columns that hold no numbers, 'c0' \(.*\), .*'c5' \((str|object)\), 14 more: encode",
    ),
    "a huge whole number": (
        lambda pd: pd.DataFrame({"a": [10**400]}),
        "X holds whole numbers beyond the largest float64",
    ),
    "no rows": (lambda pd: broken(pd).iloc[:0], r"X has no rows: its shape is \(0, 2\)"),
    "no columns": (lambda pd: broken(pd)[[]], r"X has no columns: its shape is \(3, 0\)"),
    "one column": (lambda pd: broken(pd)["age"], r"X is one list of 3 numbers, .*: numpy\.reshape\(X, \(-1, 1\)\)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_frame_lacks_is_one_line_with_its_names(pandas, name):
    make, words = REFUSED[name]
    with pytest.raises(ValueError, match=f"^{words}") as caught:
        checked_inputs(make(pandas))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_numbers_beyond_float32_are_named(pandas):
    frame = broken(pandas, age=[1.0, 1e39, 3.0])
    assert checked_inputs(frame).tolist()[1] == [1e39, 1.75]
    with pytest.raises(
        ValueError, match=r"column 'age', row 1 \(index 13\) is 1e\+39: that is beyond .* float32, scale"
    ):
        checked_inputs(frame, "validation X", "float32")


def test_targets_and_weights_are_named_by_row(pandas):
    series = pandas.Series([1.0, np.nan, 3.0], index=["a", "b", "c"])
    with pytest.raises(ValueError, match=rf"^y: row 1 \(index b\) is nan: {FILL}"):
        checked_numbers(series)
    with pytest.raises(ValueError, match=rf"^y: column 'target', row 1 \(index b\) is nan: {FILL}"):
        checked_numbers(series.to_frame("target"))
    with pytest.raises(ValueError, match=rf"^sample_weight: row 1 \(index b\) is <NA>: {FILL}"):
        checked_weights(series.astype("Float64"), 3)
    with pytest.raises(ValueError, match=r"^y has 3 rows and X has 4"):
        checked_numbers(series.fillna(0.0), 4)
    with pytest.raises(ValueError, match=r"^sample_weight\[0\] is -1.0: weights are 0 or more"):
        checked_weights(-series.fillna(0.0), 3)


@pytest.mark.parametrize("dtype", ["object", "string", "category"])
def test_labels_that_are_text_are_to_be_numbered(pandas, dtype):
    y = pandas.Series(["no", "yes"] * 20, dtype=dtype, name="label")
    for labels in (y, y.to_frame()):
        with pytest.raises(ValueError, match=r"^y h.*: number the classes 0, 1, \.\.\. \(numpy\.unique\(y") as caught:
            MLP(2, [2], rng=0).fit(POINTS, labels, "cross_entropy", progress=False)
        assert "\n" not in str(caught.value)


def test_every_verb_names_the_column(pandas):
    frame = pandas.DataFrame(POINTS, columns=["left", "right"], index=INDEX)
    model = MLP(2, [2], rng=0)
    settings = {"loss": "cross_entropy", "backend": "numpy", "progress": False, "epochs": 1}
    model.fit(frame, LABELS, **settings)
    frame.loc[103, "right"] = np.nan
    words = r"X: column 'right', row 3 \(index 103\) is nan"
    for call in (
        lambda: model.fit(frame, LABELS, **settings),
        lambda: model.fit(POINTS, LABELS, validation=(frame, LABELS), **settings),
        lambda: model.predict(frame),
        lambda: model.predict_proba(frame),
        lambda: model.evaluate(frame, LABELS),
    ):
        with pytest.raises(ValueError, match=words):
            call()


def test_a_dictionary_of_columns_is_to_be_a_frame(pandas):
    with pytest.raises(TypeError, match=r"^X takes an array or a list .*; pass pandas\.DataFrame\(X\)"):
        MLP(2, [1], rng=0).fit({"left": [1.0, 2.0], "right": [3.0, 4.0]}, [1.0, 0.0])
