"""Evaluation: a factor on some rows of a table gives labels or numbers.

formulaic evaluates the expression, with the state of ``poly``, ``bs``, ``scale`` and their
like; what comes back, whatever its type, is sorted into `Labels` (a factor) or `Numbers`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from formulaic.utils.layered_mapping import LayeredMapping
from formulaic.utils.stateful_transforms import stateful_eval

from grpsparse.errors import DataError, FormulaError, GrpsparseError
from grpsparse.formula.frames import kind_of, normalise
from grpsparse.formula.parse import Expression
from grpsparse.formula.scope import LANGUAGE, Labelled
from grpsparse.groups import BoolArray, FloatArray
from grpsparse.survival import Surv

__all__ = ["Labels", "Numbers", "check_finite", "evaluate", "missing_rows", "sort_value"]


@dataclass(frozen=True, slots=True)
class Labels:
    """A factor's values: a Series, and the contrast and levels the user gave by ``C()``."""

    series: Any
    contrasts: Any = None
    levels: tuple[Any, ...] | None = None
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers (n, m), and the names of their columns where there are several."""

    matrix: FloatArray
    fields: tuple[str, ...] | None = None


def evaluate(
    expression: Expression,
    columns: Mapping[str, Any],
    *,
    scope: Mapping[str, Any],
    state: dict[str, Any],
) -> Any:
    """Evaluate one factor.

    Parameters
    ----------
    expression : Expression
        The factor.
    columns : mapping of str to Series
        The columns it reads, cut to the rows wanted.
    scope : mapping
        Functions and values it takes from the caller.
    state : dict
        State of its stateful transforms; filled where it is empty.

    Raises
    ------
    FormulaError
        When the expression fails.
    """
    if expression.lookup:
        return columns[expression.text]
    layers = LayeredMapping(LayeredMapping(dict(columns), name="data"), dict(scope), LANGUAGE)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return stateful_eval(expression.text, layers, None, state, None)
    except GrpsparseError:
        raise
    except Exception as error:
        if "extend beyond upper and/or lower bounds" in str(error):
            raise DataError(
                f"`{expression.name}` has values outside the range of the training data; add "
                "extrapolation='clip' or 'extend' to the spline."
            ) from error
        raise FormulaError(
            f"`{expression.name}` cannot be evaluated: {type(error).__name__}: {error}"
        ) from error


def sort_value(raw: Any, name: str, n: int) -> Labels | Numbers:
    """Sort an evaluated factor into labels or numbers.

    Parameters
    ----------
    raw : object
        What the expression gave.
    name : str
        The factor, for messages.
    n : int
        Number of rows it must have.
    """
    raw = getattr(raw, "__wrapped__", raw) if not isinstance(raw, dict) else raw
    if isinstance(raw, Labelled):
        series = normalise(_one_column(raw.values, name), name, n)
        return Labels(series, raw.contrasts, raw.levels, marked=True)
    if isinstance(raw, Mapping):
        return _from_mapping(raw, name, n)
    if isinstance(raw, pd.DataFrame):
        return _from_mapping({str(k): raw.iloc[:, i] for i, k in enumerate(raw.columns)}, name, n)
    if isinstance(raw, np.ndarray) and raw.ndim == 2 and raw.shape[1] != 1:
        return _from_mapping({str(i + 1): raw[:, i] for i in range(raw.shape[1])}, name, n)
    series = normalise(_one_column(raw, name), name, n)
    kind = kind_of(series)
    if kind == "date":
        raise DataError(
            f"`{name}` is a date or a time span; make it a number (such as {name}.dt.year) or a "
            f"factor (C({name}))."
        )
    if kind == "number":
        return Numbers(_finite(series, name)[:, None])
    return Labels(series)


def _one_column(raw: Any, name: str) -> Any:
    if isinstance(raw, np.ndarray) and raw.ndim == 2 and raw.shape[1] == 1:
        return raw[:, 0]
    if not hasattr(raw, "__len__") or isinstance(raw, (str, bytes)) or np.ndim(raw) != 1:
        raise FormulaError(
            f"`{name}` gives {_shape(raw)} where one value a row is expected; use a column."
        )
    return raw


def _shape(raw: Any) -> str:
    if np.ndim(raw) == 0:
        return f"one {type(raw).__name__}"
    return f"an array of shape {np.shape(raw)}"


def _from_mapping(columns: Mapping[Any, Any], name: str, n: int) -> Numbers:
    fields = [k for k in columns if not str(k).startswith("__")]
    parts = []
    for key in fields:
        series = normalise(np.asarray(columns[key]), name, n)
        if kind_of(series) not in ("number", "logical"):
            raise FormulaError(f"Column {key} of `{name}` does not hold numbers.")
        parts.append(_finite(series, name))
    if not parts:
        raise FormulaError(f"`{name}` gives no columns; it needs one at least.")
    return Numbers(np.column_stack(parts), tuple(str(k) for k in fields))


def _finite(series: Any, name: str) -> FloatArray:
    values: FloatArray = series.to_numpy(dtype=np.float64)
    check_finite(values, name)
    return values


def check_finite(values: FloatArray, name: str) -> None:
    """Raise for infinity.

    Raises
    ------
    DataError
        Naming the column and its first rows.
    """
    infinite = np.isinf(values)
    if infinite.any():
        rows = np.flatnonzero(infinite)
        raise DataError(
            f"`{name}` is infinite in {len(rows)} row(s), first in row {rows[0]} (counted from "
            "0); replace these values or drop the rows."
        )


def missing_rows(value: Labels | Numbers | Surv) -> BoolArray:
    """Return which rows of an evaluated factor, or response, are missing."""
    if isinstance(value, Surv):  # which is made of complete columns only
        return np.zeros(len(value), dtype=np.bool_)
    if isinstance(value, Numbers):
        return np.asarray(np.isnan(value.matrix).any(axis=1))
    return np.asarray(value.series.isna().to_numpy(), dtype=np.bool_)
