"""Checks of the arrays that people train on: finite numbers, a row for each sample, or an error that says where."""

import reprlib
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from math import isfinite
from numbers import Real
from typing import Any

import numpy
from numpy import ndarray

from scalargrad.arrays import quiet
from scalargrad.checks import refuse_hidden
from scalargrad.datasets.frames import NUMBERS, with_names
from scalargrad.support.words import plural

BLOCK = 2**18  # numbers that are looked at together, once there must be a nan or inf among them


def checked_inputs(samples: object, name: str = "X", dtype: str | None = None) -> ndarray:
    """The samples as an array [rows, ...] of float64, or of float32 if they come so: C-contiguous, finite, not empty.

    name    what an error calls them
    dtype   "float32" or "float64", whatever they come as: for samples that must fit a model trained before

    The array is `samples` itself where nothing has to change. Lists of rows, integers, bools and pandas' DataFrames are
    welcome. ValueError for nan, inf, text, complex numbers, dates, ragged rows, no rows, no columns, and for a single
    list of numbers; TypeError for what holds no rows at all.

    >>> checked_inputs([[1, 2], [3, 4]])
    array([[1., 2.],
           [3., 4.]])
    """
    with with_names(samples, name, dtype=dtype or "float64"):
        return _inputs(as_numbers(samples, name), name, dtype)


def _inputs(array: ndarray, name: str, dtype: str | None) -> ndarray:
    if not len(array):
        raise ValueError(f"{name} has no rows: its shape is {array.shape}, and each sample is a row")
    if array.ndim == 1:
        raise ValueError(
            f"{name} is one list of {len(array)} numbers, and a row for each sample is needed: "
            f"numpy.reshape({variable(name)}, (-1, 1)) for one number a sample, (1, -1) for one sample"
        )
    if not array.size:
        raise ValueError(f"{name} has no columns: its shape is {array.shape}, and a sample holds at least one number")
    single = array.dtype.kind == "f" and array.dtype.itemsize == 4
    return _as_floats(array, dtype or ("float32" if single else "float64"), name)


def checked_numbers(y: object, rows: int | None = None, name: str = "y", text: str = "pass numbers") -> ndarray:
    """The targets as an array [rows] or [rows, ...] of float64: finite, and as many rows as there are samples.

    text   the remedy that an error names where `y` holds text
    """
    with with_names(y, name, text):
        return _targets(as_numbers(y, name, text), rows, name)


def _targets(array: ndarray, rows: int | None, name: str) -> ndarray:
    if not array.size:
        raise ValueError(f"{name} is empty: its shape is {array.shape}, and each sample has a target")
    if rows is not None and len(array) != rows:
        inputs = name.removesuffix(variable(name)) + "X"
        raise ValueError(f"{name} has {plural(len(array), 'row')} and {inputs} has {rows}: they must match, row by row")
    return _as_floats(array, "float64", name)


def checked_weights(weights: object, rows: int, name: str = "sample_weight") -> ndarray:
    """The weights as an array [rows] of float64: one for each sample, from 0 on, not all of them 0."""
    array = checked_numbers(weights, rows, name)
    if array.ndim != 1:
        raise ValueError(f"{name} has the shape {array.shape}: it is one number for each sample")
    if (array < 0).any():
        row = int(numpy.argmax(array < 0))
        raise ValueError(f"{name}[{row}] is {array[row]}: weights are 0 or more")
    if not array.any():
        raise ValueError(f"{name} holds zeros only: no sample takes part")
    return array


# What comes as an array, and what of it are numbers.


def as_numbers(given: object, name: str, text: str = "pass numbers") -> ndarray:
    """`given` as a NumPy array of real numbers, of at least one axis; nan and inf may be among them."""
    if hasattr(given, "toarray"):
        raise TypeError(f"{name} is a sparse matrix: pass {variable(name)}.toarray()")
    array = _as_array(given, name)
    if not array.ndim:
        remedy = ""
        if isinstance(given, Mapping):
            remedy = f"; pass pandas.DataFrame({variable(name)}), or an array of its columns"
        elif hasattr(given, "__iter__") and not isinstance(given, str | bytes):
            remedy = f"; pass list({variable(name)})"
        raise TypeError(f"{name} takes an array or a list with a row for each sample, got {_shown(given)}{remedy}")
    if isinstance(given, numpy.ma.MaskedArray) and numpy.ma.is_masked(given):
        index = _first_in_blocks(numpy.ma.getmaskarray(given), lambda masked: masked)
        raise ValueError(f"{_place(name, index)} is masked: fill it in, or take the row out")
    refuse_hidden(given, name)  # in a list of rows
    if array.dtype == object:
        return _numbers_of_objects(array, name, text)
    if array.dtype.kind in "US":
        raise ValueError(f"{name} holds text{_such_as(array, name)}: {text}")
    if array.dtype.kind not in "biuf":
        remedy = OTHER_KINDS.get(array.dtype.kind, "pass numbers").format(name=variable(name))
        raise ValueError(f"{name} holds {array.dtype} and not real numbers: {remedy}")
    return array


OTHER_KINDS = {
    "c": "make columns of the parts, numpy.hstack([{name}.real, {name}.imag])",
    "M": "count from some day, ({name} - {name}.min()) / numpy.timedelta64(1, 'D')",
    "m": "divide by a unit, {name} / numpy.timedelta64(1, 'D')",
    "V": "make columns of its fields, numpy.lib.recfunctions.structured_to_unstructured({name})",
}


def as_array(given: Any) -> ndarray:
    """`numpy.asarray`, also of PyTorch's tensors on other devices or with gradients, and of JAX's short floats."""
    if type(given) is numpy.ndarray and given.dtype.kind != "V":
        return given
    if hasattr(given, "detach") and hasattr(given, "cpu"):
        given = given.detach().cpu()
        if str(given.dtype) == "torch.bfloat16":
            given = given.float()
    array = numpy.asarray(given)
    # What ml_dtypes defines: bfloat16, float8_e4m3, int4. A structured array has fields, and raw bytes no scalar type.
    foreign = array.dtype.kind == "V" and array.dtype.type is not numpy.void
    return array.astype("float32") if foreign else array


def _as_array(given: object, name: str) -> ndarray:
    try:
        array = as_array(given)
    except ValueError as error:
        raise ValueError(why_ragged(given, name) or f"{name} is no array: {error}") from error
    except (RuntimeError, TypeError) as error:  # PyTorch's, for a tensor that is sparse or holds nothing
        raise TypeError(f"{name} cannot be read as an array: {str(error).splitlines()[0]}") from error
    if array.dtype == object and array.ndim and array.size and isinstance(array.flat[0], list | tuple | numpy.ndarray):
        return _as_array(array.tolist(), name)  # rows that are objects: a Series of lists, say
    return array


def why_ragged(given: Any, name: str) -> str:
    """The first row that is not shaped like row 0, in words, better one of another depth; nothing if there is none."""
    rows, shapes = list(given), []
    for place, row in enumerate(rows):
        try:
            shapes.append(numpy.shape(row))
        except ValueError:
            return f"{name} is ragged: row {place} holds lists of different lengths"
    for differs in (lambda shape: len(shape) != len(shapes[0]), lambda shape: shape != shapes[0]):
        for place, shape in enumerate(shapes):
            if differs(shape):
                first, other = _size(shapes[0], rows[0]), _size(shape, rows[place])
                return f"{name} is ragged: row {place} has {other}, row 0 has {first}"
    return ""


def _size(shape: tuple, row: object) -> str:
    if len(shape) > 1:
        return f"the shape {shape}"
    if shape:
        return plural(shape[0], "number")
    return f"no list, but {'one number' if isinstance(row, Real) else _shown(row)}"


def _numbers_of_objects(array: ndarray, name: str, text: str) -> ndarray:
    """Objects are welcome where all of them are real numbers: a DataFrame of bools and floats comes like this."""
    if not all(issubclass(kind, NUMBERS) for kind in set(map(type, array.flat))):
        index, x = next((index, x) for index, x in _items(array) if not isinstance(x, NUMBERS))
        if isinstance(x, str | bytes):
            raise ValueError(f"{name} holds text, such as {_place(name, index)} = {x!r}: {text}")
        raise ValueError(f"{_place(name, index)} is {_shown(x)}, and not a number")
    try:
        return array.astype("float64")
    except OverflowError as error:
        raise ValueError(f"{name} holds whole numbers beyond the largest float64: scale them") from error


def _such_as(texts: ndarray, name: str) -> str:
    """The first text, or better one that is no number, if there is one near."""
    near = list(islice(_items(texts), 1000))
    for index, text in [item for item in near if not _reads_as_number(item[1])] + near:
        return f", such as {_place(name, index)} = {text.item()!r}"
    return ""


def _reads_as_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


# Finite floats.


@quiet
def _as_floats(array: ndarray, dtype: str, name: str) -> ndarray:
    """A C-contiguous array of this type, the same one where it can be; a ValueError for nan and inf."""
    floats = numpy.ascontiguousarray(array, dtype)
    finite = array.dtype.kind in "biu" or isfinite(numpy.add.reduce(floats, None))  # one pass over them, and no copy
    if not finite:
        index = _first_in_blocks(floats, lambda block: ~numpy.isfinite(block))
        if index:
            raise ValueError(_why_not_finite(array, index, dtype, name))
    return floats


def _why_not_finite(array: ndarray, index: tuple, dtype: str, name: str) -> str:
    row, *columns = index
    column = f", column {columns[0]}" if len(columns) == 1 else ""
    where = f"{_place(name, index)} is {array[index]}: row {row}{column}"
    if numpy.isfinite(array[index]):
        return f"{where} is beyond the largest {dtype}: scale the numbers first"
    return f"{where} is not finite: fill it in, or take the row out"


def _first_in_blocks(array: ndarray, is_found: Callable[[ndarray], ndarray]) -> tuple:
    """The index of the first number that is found, or (), without an array of conditions as large as the data."""
    flat = array.reshape(-1)
    for start in range(0, flat.size, BLOCK):
        found = is_found(flat[start : start + BLOCK])
        if found.any():
            return tuple(map(int, numpy.unravel_index(start + int(found.argmax()), array.shape)))
    return ()


# Words.


def variable(name: str) -> str:
    """Name of the variable in a formula.

    >>> variable("validation y")
    'y'
    """
    return name.split()[-1]


def _items(array: ndarray) -> Iterator[tuple[tuple, Any]]:
    return ((index, array[index]) for index in numpy.ndindex(array.shape))


def _place(name: str, index: tuple) -> str:
    return f"{name}[{', '.join(map(str, index))}]"


def _shown(x: object) -> str:
    """An object in a few words: None, a number or a list as it is, anything else with its type."""
    shown = reprlib.repr(x)
    return shown if x is None or isinstance(x, Real | str | bytes) else f"the {type(x).__name__} {shown}"
