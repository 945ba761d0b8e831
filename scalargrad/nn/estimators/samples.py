"""Samples as the estimators take them: sparse matrices made dense, finite numbers, and a weight for each row."""

from collections.abc import Sequence
from typing import Any

import numpy
from numpy import ndarray
from scipy.sparse import issparse

from scalargrad.checks import is_real
from scalargrad.datasets.arrays import checked_weights

ROWS_AT_ONCE = 2048  # of a sparse matrix, where outputs are computed
Samples = Any  # an array or a sparse matrix [rows, columns]
is_sparse = issparse


def dense(X: Samples) -> ndarray:
    """The array of a sparse matrix [rows, columns], or the array itself."""
    return X.toarray(order="C") if issparse(X) else X


def as_weights(weights: object, rows: int) -> ndarray:
    """A weight for each row, as `checked_weights` gives them; one number is that of all."""
    return checked_weights(numpy.full(rows, weights) if is_real(weights) else weights, rows)


def refuse_nan_and_inf(X: Samples, names: Sequence[str] | ndarray | None = None) -> None:
    """A ValueError with row and column of the first number that is none; `names` are those of the columns."""
    finite = numpy.isfinite(X.data if issparse(X) else X)
    if finite.all():
        return
    if issparse(X):  # its rows lie one after another
        place = numpy.argmin(finite)
        row, column, number = numpy.searchsorted(X.indptr, place, "right") - 1, X.indices[place], X.data[place]
    else:
        row, column = numpy.argwhere(~finite)[0]
        number = X[row, column]
    where = f"column {column}" if names is None else f"column {names[column]!r}"
    raise ValueError(
        f"X has {'NaN' if numpy.isnan(number) else 'inf'} in row {row}, {where}: fill it in, or take the row out"
    )
