"""Reading a matrix: whatever holds numbers in rows and columns becomes float64 columns.

Dense input becomes a NumPy array, sparse input a CSC array without explicit zeros; both belong
to the reader, so that a later change of the user's array changes no fit. What is not a number
is refused by name; missing and infinite values are the business of `grpsparse.design.finite`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from grpsparse.errors import BackendError, DataError
from grpsparse.groups import FloatArray, IntArray

__all__ = [
    "Numbers",
    "Select",
    "read_column",
    "read_matrix",
    "refuse_device",
]

CHUNK_ENTRIES = 131_072  # entries copied at a time, so that they are still in cache for a sum

Select: TypeAlias = Callable[[tuple[str, ...]], IntArray | None]
"""From the names of a frame's columns to the positions wanted; None takes all as they are."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """A matrix of float64 numbers.

    Parameters
    ----------
    values : ndarray or scipy.sparse.csc_array of shape (n, p)
        The numbers, which may still be missing or infinite.
    names : tuple of str, optional
        Names of the columns, None where the source has none.
    index : pandas.Index
        Labels of the rows.
    sums : ndarray of shape (p,), optional
        Sums of the columns, where reading has them: a finite one has only finite numbers.
    """

    values: Any
    names: tuple[str, ...] | None
    index: Any
    sums: FloatArray | None = None


def read_matrix(X: Any, *, what: str = "X", select: Select | None = None) -> Numbers:
    """Read a matrix of any kind.

    Parameters
    ----------
    X : array, scipy sparse, sequence of rows, or pandas, polars or pyarrow frame
        Two-dimensional numbers; bool counts as 0 and 1.
    what : str
        What the messages call it.
    select : callable, optional
        Which columns of a frame to take, so that others need not be numbers.

    Raises
    ------
    DataError
        For another number of dimensions, or for what is not a real number.
    BackendError
        For an array on a device.
    """
    import pandas as pd

    refuse_device(X, what)
    if isinstance(X, pd.DataFrame):
        return _from_pandas(X, what, select)
    frame = _narwhals(X, what)
    if frame is not None:
        return _from_frame(frame, what, select)
    if hasattr(X, "tocsc"):
        values, sums = _from_sparse(X, what), None
    else:
        values, sums = _columns(_from_array(X, what))
    return Numbers(values, None, pd.RangeIndex(values.shape[0]), sums)


def read_column(data: Any, name: str, *, what: str = "new") -> FloatArray:
    """Return one column of a frame, NaN where it is missing.

    Raises
    ------
    DataError
        When the data have no names, no such column, or no finite numbers in it.
    """

    def find(names: tuple[str, ...]) -> IntArray:
        places = [i for i, known in enumerate(names) if known == name]
        if len(places) != 1:
            found = f"{len(places)} columns" if places else "no column"
            shown = ", ".join(repr(n) for n in names[:8]) + (", ..." if len(names) > 8 else "")
            raise DataError(f"`{what}` has {found} called {name!r}; its columns are {shown}.")
        return np.array(places, dtype=np.int64)

    numbers = read_matrix(data, what=what, select=find)
    if numbers.names is None:
        raise DataError(
            f"`{what}` is a matrix without column names, so the column {name!r} can't be looked "
            "up; give the values as an array, or a DataFrame."
        )
    values = numbers.values if isinstance(numbers.values, np.ndarray) else numbers.values.toarray()
    column: FloatArray = values[:, 0]
    if np.isinf(column).any():
        raise DataError(f"The column {name!r} of `{what}` has infinite values; give finite ones.")
    return column


def refuse_device(X: Any, what: str) -> None:
    """Raise a BackendError for an array on a device."""
    if type(X).__module__.partition(".")[0] in ("cupy", "cupyx"):
        raise BackendError(
            f"`{what}` is a CuPy array, but the cupy backend is not part of this version; pass "
            "numpy arrays (X.get())."
        )


def _from_pandas(X: Any, what: str, select: Select | None) -> Numbers:
    import pandas as pd

    names = tuple(str(column) for column in X.columns)
    places = select(names) if select else None
    if places is not None:
        X, names = X.iloc[:, places], tuple(names[i] for i in places)
    X = _convert_objects(X)
    dtypes = X.dtypes.to_numpy()
    refused = {kind for kind in set(dtypes) if not _is_real(kind)}
    if refused:
        _refuse_columns([(n, d) for n, d in zip(names, dtypes, strict=True) if d in refused], what)
    sparse = {kind for kind in set(dtypes) if isinstance(kind, pd.SparseDtype)}
    if sparse and len(sparse) == len(set(dtypes)) and all(s.fill_value == 0 for s in sparse):
        return Numbers(_from_sparse(X.sparse.to_coo(), what), names, X.index)
    values = X.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    return Numbers(values, names, X.index)


def _is_real(dtype: Any) -> bool:
    import pandas as pd

    kinds = pd.api.types
    real = kinds.is_numeric_dtype(dtype) or kinds.is_bool_dtype(dtype)
    return bool(real and not kinds.is_complex_dtype(dtype))


_REAL = ("boolean", "decimal", "empty", "floating", "integer", "mixed-integer-float")


def _convert_objects(X: Any) -> Any:
    """Return a pandas frame whose object columns of plain numbers or None are numbers."""
    import pandas as pd

    places = np.flatnonzero(X.dtypes.to_numpy() == np.dtype(object))
    columns = {i: X.iloc[:, i] for i in places.tolist()}
    real = {i: c for i, c in columns.items() if pd.api.types.infer_dtype(c, skipna=True) in _REAL}
    if not real:
        return X
    parts = [
        real[i].where(real[i].notna(), np.nan).astype(np.float64) if i in real else X.iloc[:, i]
        for i in range(X.shape[1])
    ]
    return pd.concat(parts, axis=1)


def _narwhals(X: Any, what: str) -> Any:
    """Return an eager narwhals frame, or None for anything that is no frame."""
    import narwhals as nw
    from narwhals.exceptions import DuplicateError

    if isinstance(X, np.ndarray | list | tuple) or hasattr(X, "tocsc"):
        return None
    try:
        frame = nw.from_native(X, pass_through=True)
    except DuplicateError as error:
        raise DataError(
            f"`{what}` has columns of the same name ({error}); rename them, so that a name "
            "stands for one."
        ) from error
    if isinstance(frame, nw.LazyFrame):
        raise DataError(f"`{what}` is a lazy frame; call `.collect()` on it first.")
    return frame if isinstance(frame, nw.DataFrame) else None


def _from_frame(frame: Any, what: str, select: Select | None) -> Numbers:
    import narwhals as nw
    import pandas as pd

    names = tuple(str(column) for column in frame.columns)
    places = select(names) if select else None
    if places is not None:
        frame, names = frame[:, places.tolist()], tuple(names[i] for i in places)
    dtypes = list(frame.schema.values())
    refused = [
        (name, dtype)
        for name, dtype in zip(names, dtypes, strict=True)
        if not (dtype.is_numeric() or dtype in (nw.Boolean, nw.Unknown))
    ]
    n = len(frame)
    # A column of nulls only has no type yet: it is missing throughout.
    refused += [
        (name, dtype)
        for place, (name, dtype) in enumerate(zip(names, dtypes, strict=True))
        if dtype == nw.Unknown and frame[:, place].null_count() < n
    ]
    if refused:
        _refuse_columns(refused, what)
    if not names:
        return Numbers(np.empty((n, 0)), names, pd.RangeIndex(n))
    values = np.array(frame.select(nw.all().cast(nw.Float64)).to_numpy(), dtype=np.float64)
    return Numbers(values, names, pd.RangeIndex(n))


def _refuse_columns(refused: Sequence[tuple[str, Any]], what: str) -> None:
    shown = ", ".join(f"{name!r} ({dtype})" for name, dtype in refused[:3])
    more = f" and {len(refused) - 3} more" if len(refused) > 3 else ""
    raise DataError(
        f"`{what}` must hold numbers, but it has the column{'s' * (len(refused) > 1)} "
        f"{shown}{more}; use a formula, such as 'y ~ {refused[0][0]}', which encodes text and "
        "categories, or convert to numbers."
    )


def _from_sparse(X: Any, what: str) -> Any:
    from scipy import sparse

    _check_dimensions(X.ndim, X.shape, what)
    _check_kind(X.dtype, what)
    # Duplicate entries are summed on the way to CSC: integers as floats, which do not wrap.
    widened = X if X.dtype.kind == "b" else X.astype(np.float64)
    with np.errstate(over="ignore"):
        values = sparse.csc_array(widened, copy=True).astype(np.float64)
        values.sum_duplicates()
    values.eliminate_zeros()
    return values


def _columns(array: Any) -> tuple[FloatArray, FloatArray]:
    """Return an array (n, p) in column order, and the sums of its columns.

    Copied column by column, unless it is in column order and of type float64 already.
    """
    n, p = array.shape
    in_place = array.flags.f_contiguous and not array.flags.c_contiguous
    in_place &= array.dtype == np.float64
    columns, sums = array.T if in_place else np.empty((p, n)), np.empty(p)
    ones = np.ones(n)
    step = max(1, CHUNK_ENTRIES // max(n, 1))
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, p, step):
            chunk = columns[start : start + step]
            if not in_place:
                chunk[...] = array[:, start : start + step].T
            np.matmul(chunk, ones, out=sums[start : start + step])
    return columns.T, sums


def _from_array(X: Any, what: str) -> Any:
    if isinstance(X, dict | str | bytes | set) or X is None:
        raise DataError(
            f"`{what}` is of type {type(X).__name__}; give a two-dimensional array, a sparse "
            "matrix or a DataFrame of numbers."
        )
    try:
        array: Any = np.asanyarray(X) if np.ma.isMA(X) else np.asarray(X)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"`{what}` of type {type(X).__name__} can't be read as rows of equal length "
            f"({error}); give a two-dimensional array of numbers."
        ) from error
    _check_dimensions(array.ndim, array.shape, what)
    _check_kind(array.dtype, what, array)
    if np.ma.isMA(array):
        array = np.ma.filled(array.astype(np.float64), np.nan)
    return array


def _check_dimensions(ndim: int, shape: tuple[int, ...], what: str) -> None:
    if ndim == 2:
        return
    advice = f"{what}.reshape(-1, 1) makes it one column" if ndim == 1 else "reshape it"
    raise DataError(
        f"`{what}` has {ndim} dimension{'s' * (ndim != 1)} (shape {tuple(shape)}) and needs two, "
        f"rows and columns; {advice}."
    )


_KINDS = {"c": "complex numbers", "U": "text", "S": "text", "O": "Python objects"}


def _check_kind(dtype: Any, what: str, array: Any = None) -> None:
    if dtype.kind in "biuf":
        return
    held = _KINDS.get(dtype.kind, f"values of type {dtype}")
    where = ""
    if array is not None and dtype.kind in "USO":
        where = _first_that_is_no_number(array)
    raise DataError(
        f"`{what}` holds {held}{where}; give real numbers (int, float or bool), or use a formula "
        "on a DataFrame, which encodes text and categories."
    )


def _first_that_is_no_number(array: Any) -> str:
    for (row, column), value in np.ndenumerate(np.asarray(array)):
        try:
            float(value)
        except (TypeError, ValueError):
            plain = value.item() if isinstance(value, np.generic) else value
            return f" ({plain!r} in row {row}, column {column}, counting from 0)"
    return f" that read as numbers (.astype(float) converts dtype {array.dtype})"
