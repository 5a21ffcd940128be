"""Labels of rows, as numbers: fold identifiers, clusters, classes."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from grpsparse.errors import OptionError
from grpsparse.groups import IntArray

__all__ = ["label_codes"]


def label_codes(values: Any, n: int, *, name: str) -> tuple[IntArray, tuple[object, ...]]:
    """Replace hashable labels by their positions in sorted order.

    Parameters
    ----------
    values : array_like of shape (n,)
        Numbers, strings or any hashables, without missing values.
    n : int
        Length expected.
    name : str
        Name of the argument, for errors.

    Returns
    -------
    codes : ndarray of shape (n,)
        Position of every value among the labels.
    labels : tuple
        The distinct values, sorted; values that cannot be compared by type and text.

    Raises
    ------
    OptionError
        If the length, the shape or a value is not usable.
    """
    array = _label_array(values, name=name)
    if array.size != n:
        raise OptionError(f"`{name}` has {array.size} values for {n} rows; give one per row.")
    missing = (
        any(map(_is_missing, array))
        if array.dtype.kind == "O"
        else np.not_equal(array, array).any()
    )
    if missing:
        raise OptionError(
            f"`{name}` has missing values; give every row a value, or drop those rows first."
        )
    if array.dtype.kind == "f" and np.isinf(array).any():
        raise OptionError(f"`{name}` has infinite values; give finite numbers or other labels.")
    if array.dtype.kind != "O":
        labels, codes = np.unique(array, return_inverse=True)
        return codes.astype(np.int64), tuple(labels.tolist())
    try:
        distinct = dict.fromkeys(array.tolist())
    except TypeError as error:
        raise OptionError(f"`{name}` has values that are not hashable: {error}.") from error
    try:
        ordered = sorted(distinct)
    except TypeError:
        ordered = sorted(distinct, key=lambda label: (type(label).__name__, str(label)))
    position = {label: code for code, label in enumerate(ordered)}
    codes = np.array([position[label] for label in array.tolist()], dtype=np.int64)
    return codes, tuple(ordered)


def _label_array(values: Any, *, name: str) -> np.ndarray[Any, Any]:
    if isinstance(values, (list, tuple)) and any(isinstance(v, (tuple, list)) for v in values):
        array = np.empty(len(values), dtype=object)
        array[:] = values
        return array
    array = np.asarray(values)
    if array.ndim == 2 and array.size == len(array):
        array = array.ravel()
    if array.ndim != 1:
        raise OptionError(
            f"`{name}` has shape {array.shape}; give one value per row in one dimension."
        )
    return array


def _is_missing(value: Any) -> bool:
    if value is None:
        return True
    try:
        return bool(operator.ne(value, value))
    except (TypeError, ValueError):  # pandas.NA has no truth value
        return True
