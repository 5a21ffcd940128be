"""Reading data: every kind of table becomes named columns of one length.

A column is a pandas Series on a plain 0..n-1 index, of a NumPy dtype: numbers, bool,
category, date, or object for text and for anything mixed. Column names are read as text, so
a column called 0 is `` `0` `` in a formula. A name that occurs twice is an error only where
it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from grpsparse.errors import DataError
from grpsparse.formula.names import nearest

__all__ = ["Table", "array_like", "cut", "kind_of", "normalise", "read_table"]


@dataclass(frozen=True, slots=True)
class Table:
    """Named columns of one length.

    Parameters
    ----------
    names : tuple of str
        Names of the columns.
    n : int
        Number of rows.
    index : object
        Labels of the rows, a pandas Index.
    fetch : callable
        Returns the raw column at a position.
    """

    names: tuple[str, ...]
    n: int
    index: Any
    fetch: Callable[[int], Any]
    _cache: dict[str, Any] = field(default_factory=dict)

    def column(self, name: str) -> Any:
        """Return one column as a Series of a plain dtype on the index 0..n-1."""
        if name not in self._cache:
            places = [i for i, known in enumerate(self.names) if known == name]
            if len(places) > 1:
                raise DataError(
                    f"The data have {len(places)} columns called '{name}'; rename them, so that "
                    "the name stands for one."
                )
            if not places:
                raise DataError(
                    f"The data have no column called '{name}'; {nearest(name, self.names)}"
                )
            self._cache[name] = normalise(self.fetch(places[0]), name, self.n)
        return self._cache[name]

    def beside(self, name: str, values: Any) -> Table:
        """Return the table with one more column, the last."""
        last = len(self.names)
        return Table(
            (*self.names, name),
            self.n,
            self.index,
            lambda place: values if place == last else self.fetch(place),
        )


def read_table(data: Any, *, what: str = "data") -> Table:
    """Read a table of any kind.

    Parameters
    ----------
    data : pandas, polars or pyarrow frame, or mapping of columns
        A mapping of single values is one row; single values beside columns are repeated.
    what : str
        What the messages call it.

    Raises
    ------
    DataError
        For anything that is not a table.
    """
    if isinstance(data, Table):
        return data
    if isinstance(data, pd.Series):
        data = data.to_dict()
    if isinstance(data, pd.DataFrame):
        names = tuple(str(c) for c in data.columns)
        frame = data
        return Table(names, len(data), data.index, lambda i: frame.iloc[:, i])
    if isinstance(data, Mapping):
        return _read_mapping(data, what)
    try:
        wrapped = nw.from_native(data)
    except TypeError as error:
        raise DataError(
            f"`{what}` is {_a(data)}; give a DataFrame (pandas, polars, pyarrow) or a dict of "
            "columns."
        ) from error
    if isinstance(wrapped, nw.LazyFrame):
        raise DataError(f"`{what}` is a lazy frame; call `.collect()` on it first.")
    eager: Any = wrapped
    names = tuple(str(c) for c in eager.columns)
    return Table(names, len(eager), pd.RangeIndex(len(eager)), lambda i: _to_pandas(eager[:, i]))


def _a(value: Any) -> str:
    return f"of type {type(value).__name__}"


def _read_mapping(data: Mapping[Any, Any], what: str) -> Table:
    columns = {str(k): v for k, v in data.items()}
    if len(columns) < len(data):
        raise DataError(f"`{what}` has two names that read the same as text; rename one.")
    for name, value in columns.items():
        if not array_like(value) and not pd.api.types.is_scalar(value):
            raise DataError(
                f"`{name}` in `{what}` is {_a(value)}; give a flat sequence of values, or one."
            )
    lengths = {k: len(v) for k, v in columns.items() if array_like(v)}
    sizes = set(lengths.values())
    if len(sizes) > 1:
        shown = ", ".join(f"{k} has {v}" for k, v in list(lengths.items())[:5])
        raise DataError(f"The columns of `{what}` differ in length ({shown}); make them equal.")
    n = sizes.pop() if sizes else int(bool(columns))
    index = next((v.index for v in columns.values() if isinstance(v, pd.Series)), None)
    values = list(columns.values())

    def fetch(place: int) -> Any:
        value = values[place]
        return value if array_like(value) else [value] * n

    return Table(tuple(columns), n, pd.RangeIndex(n) if index is None else index, fetch)


def array_like(value: Any) -> bool:
    """Whether a value is a column: one-dimensional, with a length, and not a text."""
    if isinstance(value, (str, bytes, Mapping, type)) or not hasattr(value, "__len__"):
        return False
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        return len(shape) == 1
    return isinstance(value, (list, tuple, range)) or hasattr(value, "__array__")


def _to_pandas(series: Any) -> Any:
    dtype, native = series.dtype, nw.to_native(series)
    if isinstance(native, pd.Series):
        return native
    if dtype.is_numeric() and dtype != nw.Decimal:
        values = series.to_numpy()
        return pd.Series(values) if values.dtype != object else pd.Series(series.to_list())
    if isinstance(dtype, nw.Enum):
        return pd.Series(pd.Categorical(series.to_list(), categories=list(dtype.categories)))
    if dtype == nw.Categorical:
        if hasattr(native, "combine_chunks"):
            return _from_dictionary(native)
        return pd.Series(series.cast(nw.String).to_list(), dtype=object)
    if dtype in (nw.Datetime, nw.Date, nw.Duration):
        return pd.Series(pd.to_datetime(series.to_list()) if dtype != nw.Duration else series)
    return pd.Series(series.to_list(), dtype=object)


def _from_dictionary(native: Any) -> Any:
    chunk = native
    if hasattr(native, "unify_dictionaries"):
        chunk = native.unify_dictionaries().combine_chunks()
    if hasattr(chunk, "chunks"):
        chunk = chunk.chunk(0)
    codes = chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return pd.Series(pd.Categorical.from_codes(codes, chunk.dictionary.to_pylist()))


def normalise(values: Any, name: str, n: int) -> Any:
    """Return values as a Series of a plain dtype on the index 0..n-1.

    Nullable and Arrow-backed dtypes become their NumPy counterparts; objects that are all
    numbers become numbers, and objects that are all true or false become bool.
    """
    if not isinstance(values, (pd.Series, pd.Categorical, np.ndarray, pd.Index)):
        native = nw.from_native(values, series_only=True, pass_through=True)
        values = _to_pandas(native) if isinstance(native, nw.Series) else list(values)
    if isinstance(values, list):
        values = pd.Series(values)
    if isinstance(values, np.ndarray) and values.dtype.kind in "US":
        values = values.astype(object)
    series = values if isinstance(values, pd.Series) else pd.Series(values)
    if len(series) != n:
        raise DataError(f"`{name}` has {len(series)} values where the data have {n} rows.")
    if series.dtype == object:
        series = _infer(series)
    elif not isinstance(series.dtype, (np.dtype, pd.CategoricalDtype)):
        series = _plain(series)
    if series.dtype.kind == "c":
        raise DataError(f"`{name}` is complex; give real numbers.")
    series = _widen(series)
    if isinstance(series.index, pd.RangeIndex) and series.index.equals(pd.RangeIndex(n)):
        return series
    return series.set_axis(pd.RangeIndex(n))


def _widen(series: Any) -> Any:
    # Arithmetic in a formula must not wrap around in 8 bits, nor depend on the kind of table.
    kind = series.dtype.kind if isinstance(series.dtype, np.dtype) else ""
    if kind == "i" or (kind == "u" and series.dtype.itemsize < 8):
        return series.astype(np.int64)
    return series.astype(np.float64) if kind in ("u", "f") else series


def _infer(series: Any) -> Any:
    found = pd.api.types.infer_dtype(series, skipna=True)
    missing = series.isna()
    if found in ("integer", "floating", "mixed-integer-float", "decimal", "empty"):
        if found == "integer" and not missing.any():
            try:
                return series.astype(np.int64)
            except OverflowError:
                return series.astype(np.float64)
        return series.where(~missing, np.nan).astype(np.float64)
    if found == "boolean" and not missing.any():
        return series.astype(bool)
    if found in ("datetime", "datetime64", "date"):
        return pd.to_datetime(series)
    return series


def _plain(series: Any) -> Any:
    dtype = series.dtype
    if isinstance(dtype, pd.SparseDtype):
        return pd.Series(np.asarray(series), index=series.index)
    if pd.api.types.is_bool_dtype(dtype):
        return series.astype(object) if series.isna().any() else series.astype(bool)
    if pd.api.types.is_numeric_dtype(dtype):
        if series.isna().any() or pd.api.types.is_float_dtype(dtype):
            values = series.to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            values = series.to_numpy()
        plain = pd.Series(values, index=series.index)
        return _infer(plain) if plain.dtype == object else plain
    if pd.api.types.is_string_dtype(dtype) and str(dtype) == "str":
        return series
    if isinstance(dtype, pd.DatetimeTZDtype):
        return series
    if str(dtype).startswith("dictionary"):
        return _from_dictionary(nw.from_native(series, series_only=True).to_arrow())
    return _infer(series.astype(object))


def kind_of(series: Any) -> str:
    """Return what a column holds: ``number``, ``logical``, ``category``, ``date``, ``text``."""
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return "category"
    if dtype.kind == "b":
        return "logical"
    if dtype.kind in "iuf":
        return "number"
    if dtype.kind in "mM" or isinstance(dtype, pd.DatetimeTZDtype):
        return "date"
    if pd.api.types.infer_dtype(series, skipna=True) == "boolean":
        return "logical"
    return "text"


def cut(series: Any, rows: Any) -> Any:
    """Return a pandas Series on some of its rows, by position and numbered anew."""
    return series if len(rows) == len(series) else series.iloc[rows].reset_index(drop=True)
