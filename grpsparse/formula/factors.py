"""Factors of a formula: learned once from the training rows, encoded on any rows.

A categorical factor with levels 1..L is kept as one code per row, and stands for L indicator
columns; with a coding it stands for the columns ``coding[code]``. Levels of integral floats
are integers, so that a missing value in a column of whole numbers does not rename them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from grpsparse.errors import DataError, UnseenLevelError
from grpsparse.formula.contrasts import coding_of
from grpsparse.formula.evaluate import Labels, Numbers
from grpsparse.formula.frames import kind_of
from grpsparse.formula.parse import Expression
from grpsparse.groups import CodeArray, FloatArray, IntArray

__all__ = ["Encoded", "Factor", "encode", "learn", "learn_levels", "tidy_levels"]

_SPLINES = frozenset({"poly", "bs", "cs", "cr", "cc"})


@dataclass(frozen=True, slots=True)
class Encoded:
    """A factor on some rows: codes (-1 for an unseen level), or dense columns."""

    codes: CodeArray | None
    matrix: FloatArray | None
    width: int


@dataclass(frozen=True, slots=True)
class Factor:
    """What the training rows fix of a factor.

    Parameters
    ----------
    expression : Expression
        What is evaluated.
    variables : tuple of str
        The columns it reads.
    kind : str
        ``"numeric"``, ``"spline"`` or ``"factor"``.
    columns : tuple of str
        Names of the columns it stands for.
    levels : tuple, optional
        Levels of a categorical factor.
    coding : ndarray of shape (levels, columns), optional
        A contrast that is the design; None is full one-hot.
    centre : ndarray, optional
        Training means of the columns of `coding`: the average level.
    report_columns, report_coding
        A contrast in which full one-hot coefficients are reported.
    state : dict
        State of stateful transforms.
    """

    expression: Expression
    variables: tuple[str, ...]
    kind: str
    columns: tuple[str, ...]
    levels: tuple[Any, ...] | None = None
    coding: FloatArray | None = None
    centre: FloatArray | None = None
    report_columns: tuple[str, ...] | None = None
    report_coding: FloatArray | None = None
    state: dict[str, Any] = field(default_factory=dict)

    @property
    def is_cells(self) -> bool:
        """Whether the columns are indicators of levels."""
        return self.levels is not None and self.coding is None


def learn(
    expression: Expression,
    value: Labels | Numbers,
    *,
    variables: tuple[str, ...],
    state: dict[str, Any],
    single_columns: bool,
) -> tuple[Factor, Encoded]:
    """Learn a factor from its training values.

    Parameters
    ----------
    expression : Expression
        The factor as parsed.
    value : Labels or Numbers
        Its values on the training rows, none missing.
    variables : tuple of str
        The columns it reads.
    state : dict
        State left by its evaluation.
    single_columns : bool
        Whether a written contrast is the design.

    Returns
    -------
    Factor, Encoded
    """
    name = expression.name
    if isinstance(value, Numbers):
        kind = "spline" if _SPLINES.intersection(expression.calls) else "numeric"
        fields = value.fields
        columns = (name,) if fields is None else tuple(f"{name}[{f}]" for f in fields)
        factor = Factor(expression, variables, kind, columns, state=state)
        return factor, Encoded(None, value.matrix, len(columns))
    codes, levels = learn_levels(value, name)
    coding = coding_of(value.contrasts, levels, name=name)
    cells = tuple(f"{name}[{level}]" for level in levels)
    if coding is not None and (single_columns or not coding.full):
        factor = Factor(
            expression,
            variables,
            "factor",
            coding.names,
            levels=levels,
            coding=coding.matrix,
            centre=coding.matrix[codes].mean(axis=0),
            state=state,
        )
        return factor, Encoded(None, coding.matrix[codes], len(coding.names))
    reported = coding if coding is not None and len(coding.names) == len(levels) - 1 else None
    factor = Factor(
        expression,
        variables,
        "factor",
        cells,
        levels=levels,
        report_columns=None if reported is None else reported.names,
        report_coding=None if reported is None else reported.matrix,
        state=state,
    )
    return factor, Encoded(codes, None, len(levels))


def encode(factor: Factor, value: Labels | Numbers, *, unseen: str = "raise") -> Encoded:
    """Encode new values as the training values were.

    Parameters
    ----------
    factor : Factor
        The factor learned.
    value : Labels or Numbers
        Its values on the new rows, none missing.
    unseen : str
        ``"raise"``, or ``"shrink"`` to the average level.

    Raises
    ------
    UnseenLevelError
        Naming variable, levels and the known levels.
    DataError
        When the new values are of another kind.
    """
    name, width = factor.expression.name, len(factor.columns)
    if factor.levels is None:
        if isinstance(value, Labels):
            if kind_of(value.series) != "logical":
                raise DataError(f"`{name}` holds labels in the new data but numbers in training.")
            value = Numbers(value.series.to_numpy(dtype=np.float64)[:, None])
        if value.matrix.shape[1] != width:
            raise DataError(
                f"`{name}` gives {value.matrix.shape[1]} columns on the new data but {width} in "
                "training."
            )
        return Encoded(None, value.matrix, width)
    series = pd.Series(value.matrix[:, 0]) if isinstance(value, Numbers) else value.series
    codes = _match(series, factor.levels, name, unseen)
    if factor.coding is None:
        return Encoded(codes, None, width)
    columns = factor.coding[codes]
    columns[codes < 0] = factor.centre
    return Encoded(None, columns, width)


def learn_levels(value: Labels, name: str) -> tuple[CodeArray, tuple[Any, ...]]:
    """Return the code of each row and the levels: given, a Categorical's, or sorted.

    Raises
    ------
    DataError
        For values without an order, or outside the levels given.
    """
    series = value.series
    if value.levels is not None:
        levels = tidy_levels(value.levels)
        if len(set(levels)) < len(levels):
            raise DataError(f"`levels` of `{name}` names a level twice; name each once.")
        codes = _match(series, levels, name, "raise", given=True)
        return codes, levels
    if isinstance(series.dtype, pd.CategoricalDtype):
        # a copy, so that codes never change with the user's data
        return np.array(series.cat.codes, dtype=np.int32), tidy_levels(series.cat.categories)
    if kind_of(series) == "logical":
        return series.to_numpy(dtype=np.bool_).astype(np.int32), (False, True)
    numbers, found = _factorize(series, name)
    values = list(found)
    try:
        order = sorted(range(len(values)), key=values.__getitem__)
    except TypeError as error:
        kinds = sorted({type(v).__name__ for v in values})
        raise DataError(
            f"`{name}` mixes values of the types {', '.join(kinds)}, which have no order; convert "
            "the column to one type."
        ) from error
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order))
    return rank[numbers], tidy_levels([values[i] for i in order])


def _factorize(series: Any, name: str) -> tuple[IntArray, Any]:
    try:
        return pd.factorize(series)
    except TypeError as error:
        raise DataError(
            f"`{name}` holds values that cannot be levels, such as lists; use text or numbers."
        ) from error


def tidy_levels(levels: Sequence[Any]) -> tuple[Any, ...]:
    """Return levels as plain Python values, integral floats as integers."""
    plain = [level.item() if isinstance(level, np.generic) else level for level in levels]
    if all(isinstance(level, float) and level.is_integer() for level in plain):
        return tuple(int(level) for level in plain)
    return tuple(str(level) if isinstance(level, str) else level for level in plain)


def _match(
    series: Any, levels: tuple[Any, ...], name: str, unseen: str, *, given: bool = False
) -> CodeArray:
    codes, found = _factorize(series, name)
    place = {level: i for i, level in enumerate(levels)}
    # True == 1 == 1.0 hash alike, so a level matches whatever its numeric type.
    targets = np.array([place.get(value, -1) for value in found] + [-1], dtype=np.int32)
    strange = [value for value, target in zip(found, targets, strict=False) if target < 0]
    if strange and (unseen == "raise" or given):
        raise _unseen(name, strange, levels, given)
    return np.asarray(targets[codes])


def _unseen(name: str, strange: list[Any], levels: tuple[Any, ...], given: bool) -> DataError:
    def listed(values: Sequence[Any]) -> str:
        return ", ".join(repr(v) for v in tidy_levels(values[:10])) + (
            f", ... ({len(values)})" if len(values) > 10 else ""
        )

    if given:
        return DataError(
            f"`{name}` has the values {listed(strange)} outside its `levels` {listed(levels)}; "
            "add them, or drop the rows."
        )
    return UnseenLevelError(
        f"`{name}` has levels that training did not: {listed(strange)}; it knows "
        f"{listed(levels)}. Recode them, or predict with unseen='shrink' for the average level."
    )
