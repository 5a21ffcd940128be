"""The matrix door: columns of numbers become a design, and labels become its groups.

It hands over what the formula door does: blocks of columns, and a spec that re-creates them on
new data. A matrix knows nothing of factors, so its spec is names, labels and their order.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np

from grpsparse.design.finite import blank_missing, require_finite
from grpsparse.design.labels import group_columns, lay_out, resolve_labels
from grpsparse.design.reading import Numbers, read_column, read_matrix
from grpsparse.errors import DataError, OptionError
from grpsparse.groups import BoolArray, FloatArray, IntArray, NumberedNames, TermColumns, members

__all__ = ["MatrixFrame", "MatrixSpec", "matrix_model", "resolve_label"]

_FORMAT = 1


@dataclass(frozen=True, slots=True, eq=False)
class MatrixSpec:
    """How a matrix becomes a design; meets `grpsparse.groups.Model`.

    Parameters
    ----------
    columns : sequence of str
        Names of the p columns: a frame's own, or x1, x2, ...
    terms : sequence of TermColumns
        The groups, in order of first appearance.
    labels : tuple, optional
        Their labels as given; None where each column is a group.
    named : bool
        Whether the names are those of a frame.
    response : str
        Name of the response.
    """

    columns: Sequence[str]
    terms: Sequence[TermColumns]
    labels: tuple[Hashable, ...] | None
    named: bool
    response: str = "y"

    @property
    def formula(self) -> str | None:
        """None: there is no formula."""
        return None

    def matrix(self, new: Any, *, unseen: str = "raise") -> tuple[Any, BoolArray, Any]:
        """Return the design of new rows.

        Parameters
        ----------
        new : array, scipy sparse, frame, mapping of columns, or one row
            A frame is read by its column names, in any order and with others beside them, if
            the model was fitted to a frame or the names are x1, x2, ...; all else by position.
        unseen : {"raise", "shrink"}
            Without effect: a matrix has no levels.

        Returns
        -------
        X : ndarray or scipy.sparse.csc_array of shape (m, p)
            One row for each row of `new`, in order; 0 where a value is missing.
        complete : ndarray of bool, shape (m,)
            False where a value is missing.
        index : pandas.Index
            Labels of the rows.

        Raises
        ------
        DataError
            For a missing column, another number of columns, what is not a number, or infinity.
        """
        if unseen not in ("raise", "shrink"):
            raise OptionError(f"`unseen` is {unseen!r}; it is 'raise' or 'shrink'.")
        numbers = read_matrix(_as_rows(new, len(self.columns)), what="new", select=self._select)
        width = numbers.values.shape[1]
        if width != len(self.columns):
            raise DataError(
                f"`new` has {width} column{'s' * (width != 1)} but the model was fitted to "
                f"{len(self.columns)}; give the same columns in the same order, or a DataFrame."
            )
        values, complete = blank_missing(numbers.values, self.columns, what="new")
        return values, complete, numbers.index

    def column(self, new: Any, name: str) -> FloatArray:
        """Return a numeric column of new data, NaN where it is missing.

        Raises
        ------
        DataError
            When there is no such column, or it does not hold finite numbers.
        """
        return read_column(_as_rows(new, len(self.columns)), name)

    def to_dict(self) -> dict[str, Any]:
        """Return the spec in JSON types; a label that JSON lacks by its text."""
        labels = None if self.labels is None else [_encode(label) for label in self.labels]
        codes = None if self.labels is None else _codes(self.terms, len(self.columns)).tolist()
        return {
            "format": _FORMAT,
            "columns": list(self.columns) if self.named else len(self.columns),
            "labels": labels,
            "codes": codes,
            "response": self.response,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> MatrixSpec:
        """Return the spec that `to_dict` described.

        Raises
        ------
        DataError
            When the content is not such a description.
        """
        if content.get("format") != _FORMAT:
            raise DataError(
                f"The model's description has format {content.get('format')!r}; this version "
                f"reads format {_FORMAT}."
            )
        listed, stored = content["columns"], content["labels"]
        named = not isinstance(listed, int)
        columns = tuple(str(c) for c in listed) if named else NumberedNames(listed)
        labels = None if stored is None else tuple(_decode(label) for label in stored)
        codes = None if stored is None else np.asarray(content["codes"], dtype=np.int64)
        terms = lay_out(columns, labels, codes)
        return cls(columns, terms, labels, named, str(content["response"]))

    def with_scope(self, scope: Mapping[str, Any]) -> MatrixSpec:  # noqa: ARG002
        """Return the spec as it is: a matrix calls no functions."""
        return self

    def _select(self, names: tuple[str, ...]) -> IntArray | None:
        """Return where the columns of the model are among the names of a frame."""
        if names == self.columns:
            return None
        place = {name: position for position, name in enumerate(names)}
        absent = [name for name in self.columns if name not in place]
        if absent and not self.named:
            return None
        if absent:
            shown = ", ".join(repr(name) for name in absent[:5])
            more = f" and {len(absent) - 5} more" if len(absent) > 5 else ""
            close = get_close_matches(absent[0], names, n=1)
            hint = f" (did `new` call it {close[0]!r}?)" if close else ""
            raise DataError(
                f"`new` lacks the column{'s' * (len(absent) > 1)} {shown}{more}{hint}; give every "
                "column that the model was fitted to."
            )
        if len(place) < len(names):
            _refuse_repeated([name for name in names if name in set(self.columns)], "new")
        return np.array([place[name] for name in self.columns], dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class MatrixFrame:
    """A matrix, read and grouped.

    Parameters
    ----------
    blocks : tuple
        The columns in one block: a float64 array or a ``scipy.sparse.csc_array``, (n, p).
    spec : MatrixSpec
        What re-creates the design on new data.
    n : int
        Number of rows.
    index : pandas.Index
        Labels of the rows.
    sums : ndarray of shape (p,), optional
        Sums of the columns, where they are known.
    """

    blocks: tuple[Any, ...]
    spec: MatrixSpec
    n: int
    index: Any
    sums: FloatArray | None = None


def matrix_model(
    X: Any, *, groups: Any = "auto", single_columns: bool = False, response: str = "y"
) -> MatrixFrame:
    """Read a matrix and its groups.

    Parameters
    ----------
    X : array, scipy sparse, sequence of rows, or pandas, polars or pyarrow frame
        Real numbers of shape (n, p), bool counting as 0 and 1, none missing or infinite. It is
        copied.
    groups : str, sequence or mapping
        ``"auto"`` or ``"column"``: each column is a group. Otherwise one label per column, any
        hashables, or labels by column name.
    single_columns : bool
        Whether the penalty sees single columns; labels are then refused.
    response : str
        Name of the response, for printing.

    Returns
    -------
    MatrixFrame

    Raises
    ------
    DataError
        For what is not a matrix of finite numbers, an empty one, or columns of one name.
    GroupError
        For labels that do not match the columns.
    BackendError
        For an array on a device.

    Examples
    --------
    >>> frame = matrix_model([[1, 2, 3], [4, 5, 7]], groups=["size", "age", "size"])
    >>> [(term.name, term.columns) for term in frame.spec.terms]
    [('size', ('x1', 'x3')), ('age', ('x2',))]
    """
    numbers = read_matrix(X)
    n, p = numbers.values.shape
    if n == 0 or p == 0:
        raise DataError(
            f"X has {n} rows and {p} columns; a model needs at least one row and one column."
        )
    columns = _unique_names(numbers, p)
    named = numbers.names is not None
    if numbers.sums is None or not np.isfinite(numbers.sums).all():
        require_finite(numbers.values, columns, what="X")
    found = group_columns(groups, columns, named=named, single_columns=single_columns)
    labels, codes = found if found is not None else (None, None)
    terms = lay_out(columns, labels, codes)
    spec = MatrixSpec(columns, terms, labels, named, str(response))
    return MatrixFrame((numbers.values,), spec, n, numbers.index, numbers.sums)


def resolve_label(key: Any, spec: MatrixSpec) -> int:
    """Return the position of the group that a label, or its text, stands for.

    Parameters
    ----------
    key : hashable
        A label as given in `groups`, or the name of a group or column.
    spec : MatrixSpec
        The fitted matrix.

    Raises
    ------
    GroupError
        For an unknown label, with near matches.

    Examples
    --------
    >>> spec = matrix_model([[1, 2], [3, 5]], groups=[0, 7]).spec
    >>> resolve_label(7, spec), resolve_label("7", spec)
    (1, 1)
    """
    return resolve_labels([key], spec.terms, spec.labels)[0]


def _unique_names(numbers: Numbers, p: int) -> Sequence[str]:
    if numbers.names is None:
        return NumberedNames(p)
    if len(set(numbers.names)) < p:
        _refuse_repeated(numbers.names, "X")
    return numbers.names


def _refuse_repeated(names: Sequence[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DataError(
                f"`{what}` has {list(names).count(name)} columns called {name!r} (names are read "
                "as text); rename them, so that a name stands for one."
            )
        seen.add(name)


def _as_rows(new: Any, width: int) -> Any:
    """Return new data in two dimensions: a mapping as a frame, a single row as one row."""
    import pandas as pd

    if isinstance(new, pd.Series):
        labels = None if new.name is None else [new.name]
        return pd.DataFrame([new.tolist()], columns=new.index, index=labels)
    if isinstance(new, Mapping):
        single = all(pd.api.types.is_scalar(value) for value in new.values())
        try:
            return pd.DataFrame(dict(new), index=range(1) if single else None)
        except (TypeError, ValueError) as error:
            raise DataError(
                f"`new` can't be read as columns of one length ({error}); give a DataFrame."
            ) from error
    if isinstance(new, list | tuple) and new and all(map(np.isscalar, new)):
        new = np.asarray(new)
    if isinstance(new, np.ndarray) and new.shape == (width,):
        return new.reshape(1, -1)
    return new


def _codes(terms: Sequence[TermColumns], p: int) -> IntArray:
    index, starts = members(terms)
    codes = np.empty(p, dtype=np.int64)
    codes[index] = np.repeat(np.arange(len(terms)), np.diff(starts))
    return codes


def _encode(label: Any) -> Any:
    if isinstance(label, bool | int | str) and type(label) in (bool, int, str):
        return label
    if type(label) is float:
        return label if math.isfinite(label) else {"$float": repr(label)}
    if type(label) is tuple:
        return {"$tuple": [_encode(part) for part in label]}
    return {"$text": str(label)}


def _decode(stored: Any) -> Any:
    if not isinstance(stored, dict):
        return stored
    ((kind, content),) = stored.items()
    if kind == "$tuple":
        return tuple(_decode(part) for part in content)
    return float(content) if kind == "$float" else str(content)
