"""What a column of the response holds: numbers, truth values or labels, and its classes."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import isnan
from numbers import Real
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from grpsparse.errors import ResponseError
from grpsparse.groups import FloatArray, IntArray

__all__ = ["Classes", "Column", "read_column"]


@dataclass(frozen=True, slots=True)
class Classes:
    """The classes of a column: ``labels[codes[i]]`` is the label of row i.

    Parameters
    ----------
    codes : ndarray of int, shape (n,)
        Position of each row's label.
    labels : tuple
        Labels that have rows, in order, as Python objects.
    dropped : tuple
        Categories without rows.
    """

    codes: IntArray
    labels: tuple[Any, ...]
    dropped: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Column:
    """One column of raw values.

    Parameters
    ----------
    kind : str
        ``"number"``, ``"bool"`` or ``"label"``.
    values : ndarray of shape (n,)
        Numbers, truth values, labels as objects, or the codes of a categorical.
    categories : tuple, optional
        The categories of a categorical, in order.
    """

    kind: Literal["number", "bool", "label"]
    values: NDArray[Any]
    categories: tuple[Any, ...] | None = None

    def numbers(self) -> FloatArray:
        """Return the values of a numeric or boolean column as floats."""
        return self.values.astype(np.float64)

    def classes(self, name: str) -> Classes:
        """Return the classes, sorted, or in the order of the categories.

        Parameters
        ----------
        name : str
            The response's name, for messages.

        Raises
        ------
        ResponseError
            If the labels can't be sorted because their types differ.
        """
        if self.categories is not None:
            used = np.bincount(self.values, minlength=len(self.categories)) > 0
            codes = (np.cumsum(used) - 1)[self.values]
            kept = [c for c, has_rows in zip(self.categories, used, strict=True) if has_rows]
            dropped = [c for c, has_rows in zip(self.categories, used, strict=True) if not has_rows]
            return Classes(codes, tuple(kept), tuple(dropped))
        if self.kind != "label":
            unique, codes = np.unique(self.values, return_inverse=True)
            return Classes(codes, _whole(tuple(unique.tolist())))
        items = self.values.tolist()
        try:
            labels = sorted(set(items))
        except TypeError:
            types = sorted({type(item).__name__ for item in items})
            raise ResponseError(
                f"{name} mixes values of the types {', '.join(types)}; make them one type, for "
                "example with astype(str)."
            ) from None
        position = {label: k for k, label in enumerate(labels)}
        return Classes(np.array([position[item] for item in items]), tuple(labels))


def _whole(labels: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return numbers as integers if all of them are whole: 1.0 is the label 1."""
    if all(isinstance(label, float) and label.is_integer() for label in labels):
        return tuple(int(label) for label in labels)
    return labels


def read_column(values: Any, name: str) -> Column:
    """Read one column of a response.

    Parameters
    ----------
    values : array_like of shape (n,) or (n, 1)
        A pandas Series or Categorical, an array or a list.
    name : str
        The response's name, for messages.

    Returns
    -------
    Column

    Raises
    ------
    ResponseError
        If values are missing, or are neither numbers nor labels.
    """
    categories = getattr(getattr(values, "dtype", None), "categories", None)
    if categories is not None:
        codes = np.asarray(getattr(values, "array", values).codes, dtype=np.int64)
        _refuse_missing(codes < 0, name)
        return Column("label", codes, tuple(categories.tolist()))
    array = np.asarray(values).reshape(-1)
    if array.dtype.kind == "b":
        return Column("bool", array)
    if array.dtype.kind in "iuf":
        return Column("number", array)
    if array.dtype.kind in "OUT":
        return _read_objects(array, name)
    raise ResponseError(
        f"{name} has the type {array.dtype}; a response holds numbers, strings, booleans or "
        "categories."
    )


def _read_objects(array: NDArray[Any], name: str) -> Column:
    """Tell numbers and truth values from labels in an array of objects or strings."""
    items = [v.item() if isinstance(v, np.generic) else v for v in array.tolist()]
    _refuse_missing(np.array([_is_missing(item) for item in items]), name)
    types = {type(item) for item in items}
    if types == {bool}:
        return Column("bool", np.array(items))
    if bool not in types and all(issubclass(t, Real | Decimal) for t in types):
        whole = types == {int}
        return Column("number", np.array(items, dtype=np.int64 if whole else np.float64))
    labels = np.empty(len(items), dtype=object)
    labels[:] = items
    return Column("label", labels)


def _is_missing(item: object) -> bool:
    """Tell None, NaN, pandas.NA and NaT, the last two without importing pandas."""
    if isinstance(item, float):
        return isnan(item)
    return item is None or type(item).__name__ in {"NAType", "NaTType"}


def _refuse_missing(missing: NDArray[np.bool_], name: str) -> None:
    if missing.any():
        raise ResponseError(
            f"{name} is missing in row {int(np.argmax(missing))}; drop the rows without a response."
        )
