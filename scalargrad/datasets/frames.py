"""Frames: pandas' tables and columns in errors, by the names that people gave them. pandas itself is not imported."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy

from scalargrad.arrays import quiet

MOST_COLUMNS = 6  # that an error lists
NUMBERS = (Real, Decimal, numpy.bool_)


@contextmanager
def with_names(given: object, name: str, remedy: str = "", dtype: str = "float64") -> Iterator[None]:
    """A block that makes an array of what is given: of a frame or Series an error names the column and the row.

    name     what the error calls it
    remedy   for columns that hold no numbers; "": that for samples
    dtype    of the array
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        why = _why_not(given, name, remedy, dtype) if hasattr(given, "iloc") else ""
        if not why:
            raise
        raise ValueError(why) from error


def _why_not(given: Any, name: str, remedy: str, dtype: str) -> str:
    """The columns that are no numbers, or else the first number that is missing, infinite or beyond the type."""
    is_frame = hasattr(given, "columns")
    labels = list(given.columns) if is_frame else [None]
    columns = [given.iloc[:, place] for place in range(len(labels))] if is_frame else [given]
    others = [f"{x!r} ({c.dtype})" for x, c in zip(labels, columns, strict=True) if not _holds_numbers(c)]
    if others:
        return _why_not_these(others, name, remedy) if is_frame else ""
    for label, column in zip(labels, columns, strict=True):
        row = _first_broken(column, dtype)
        if row is not None:
            index, number = given.index[row], column.iloc[row]
            where = f"{f'column {label!r}, ' if is_frame else ''}row {row}{'' if index == row else f' (index {index})'}"
            way_out = "fill it in, or take the row out"
            if isinstance(number, NUMBERS) and numpy.isfinite(float(number)):
                way_out = f"that is beyond the largest {dtype}, scale the numbers first"
            return f"{name}: {where} is {number}: {way_out}"
    return ""


def _why_not_these(columns: list[str], name: str, remedy: str) -> str:
    variable, more = name.split()[-1], len(columns) - MOST_COLUMNS
    listed = ", ".join(columns[:MOST_COLUMNS]) + (f", {more} more" if more > 0 else "")
    encode = f"encode text, pandas.get_dummies({variable}), count dates from some day"
    return (
        f"{name} has columns that hold no numbers, {listed}: "
        f"{remedy or f'{encode}, or leave them out, {variable}.drop(columns=[...])'}"
    )


def _holds_numbers(column: Any) -> bool:
    known = numpy.asarray(column.dropna())
    return known.dtype.kind in "biuf" or (known.dtype == object and all(isinstance(x, NUMBERS) for x in known))


@quiet
def _first_broken(column: Any, dtype: str) -> int | None:
    """The first row that is missing, or not finite in this type."""
    broken = numpy.array(column.isna(), bool)
    try:
        broken[~broken] = ~numpy.isfinite(numpy.asarray(column.dropna()).astype("float64").astype(dtype))
    except OverflowError:  # a whole number beyond all floats, which the first error names
        return None
    return int(broken.argmax()) if broken.any() else None
