"""The response beside a matrix: one value, or one pair of counts, for each row."""

from __future__ import annotations

from typing import Any

import numpy as np

from grpsparse.design.reading import refuse_device
from grpsparse.errors import DataError
from grpsparse.survival import Surv

__all__ = ["check_order", "read_response"]


def read_response(y: Any, n: int, *, index: Any = None) -> tuple[Any, str]:
    """Read the response of a matrix with n rows.

    Parameters
    ----------
    y : Series, array, list, frame, or Surv
        Numbers or labels, pandas, polars and pyarrow included; several columns are counts or
        responses, as the family says.
    n : int
        Number of rows of the matrix.
    index : pandas.Index, optional
        Labels of these rows. A Series or frame with the same labels in another order is
        refused, since rows are matched by position.

    Returns
    -------
    values : pandas.Series, Categorical or DataFrame, or ndarray of shape (n,) or (n, k)
        What :func:`grpsparse.families.encode_response` takes.
    name : str
        Name of a Series or of the only column of a frame, else ``"y"``.

    Raises
    ------
    DataError
        For another length, rows in another order, or what is no column.
    BackendError
        For an array on a device.

    Examples
    --------
    >>> read_response([[1], [2]], 2)
    (array([1, 2]), 'y')
    """
    if isinstance(y, Surv):
        if len(y) != n:
            raise DataError(f"`y` has {len(y)} rows but X has {n}; give one row per row of X.")
        return y, "y"
    refuse_device(y, "y")
    if y is None or isinstance(y, str | bytes | dict | set) or hasattr(y, "tocsc"):
        advice = " (a name belongs to a formula with data)" if isinstance(y, str) else ""
        raise DataError(
            f"`y` is of type {type(y).__name__}{advice}; give one value per row of X, as an array "
            "or a Series."
        )
    check_order(y, n, index, name="y")
    values, name = _column(y)
    shape = np.shape(values)
    if not shape or shape[0] != n:
        came = f"{shape[0]} values" if len(shape) == 1 else f"the shape {shape}"
        raise DataError(f"`y` has {came} but X has {n} rows; give one value per row.")
    return values, name


def check_order(values: Any, n: int, index: Any, *, name: str) -> None:
    """Refuse a Series or DataFrame with the labels of the rows in another order.

    Parameters
    ----------
    values : object
        What was given; only pandas objects carry labels.
    n : int
        Number of rows.
    index : pandas.Index, optional
        Labels of the rows.
    name : str
        Name of the argument, for the message.

    Raises
    ------
    DataError
        The same labels in another order.
    """
    import pandas as pd

    if index is None or not isinstance(values, pd.Series | pd.DataFrame):
        return
    if len(values) != n or not index.is_unique or index.equals(values.index):
        return
    if values.index.is_unique and index.isin(values.index).all():
        raise DataError(
            f"`{name}` has the row labels of the data in another order, and rows are matched by "
            f"position; reorder it by the labels of the data ({name}.loc[data.index]), or give "
            f"{name}.to_numpy() if the order is right."
        )


def _column(y: Any) -> tuple[Any, str]:
    import narwhals as nw
    import pandas as pd

    if isinstance(y, pd.DataFrame):
        return _column(y.iloc[:, 0]) if y.shape[1] == 1 else (y, "y")
    if isinstance(y, pd.Series | pd.Index):
        return y, "y" if y.name is None else str(y.name)
    if isinstance(y, pd.Categorical):
        return y, "y"
    if type(y).__module__.startswith("pyarrow") and hasattr(y, "dictionary"):
        return y.to_pandas(), "y"
    if not isinstance(y, np.ndarray | list | tuple):
        native = nw.from_native(y, pass_through=True, allow_series=True)
        if isinstance(native, nw.LazyFrame):
            raise DataError("`y` is a lazy frame; call `.collect()` on it first.")
        if isinstance(native, nw.DataFrame):
            if native.shape[1] != 1:
                return pd.DataFrame(native.to_numpy(), columns=native.columns), "y"
            native = native[:, 0]
        if isinstance(native, nw.Series):
            return _from_series(native), str(native.name or "y")
    return _from_array(y), "y"


def _from_series(series: Any) -> Any:
    import narwhals as nw
    import pandas as pd

    if series.implementation.is_pyarrow():
        return series.to_native().to_pandas()  # keeps the order of a dictionary
    dtype = series.dtype
    if isinstance(dtype, nw.Enum):
        return pd.Categorical(series.to_list(), categories=list(dtype.categories))
    if dtype.is_numeric() and dtype != nw.Decimal:
        return np.asarray(series.to_numpy())
    return np.array(series.to_list(), dtype=object)


def _from_array(y: Any) -> Any:
    try:
        array: Any = np.asanyarray(y) if np.ma.isMA(y) else np.asarray(y)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"`y` of type {type(y).__name__} can't be read as a column ({error}); give one value "
            "per row."
        ) from error
    if np.ma.isMA(array) and array.dtype.kind in "biuf":
        array = np.ma.filled(array.astype(np.float64), np.nan)
    if array.dtype.kind == "U" and isinstance(y, list | tuple):
        # NumPy would turn numbers beside text into text.
        array = np.asarray(y, dtype=object)
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
