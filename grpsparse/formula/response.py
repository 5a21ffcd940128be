"""The response: raw values of the left side, before any family encodes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from grpsparse.errors import FormulaError
from grpsparse.formula.evaluate import Labels, Numbers, sort_value
from grpsparse.formula.factors import learn_levels
from grpsparse.formula.parse import ParsedFormula

__all__ = ["assemble_response", "response_value"]


def response_value(raw: Any, name: str, n: int) -> Labels | Numbers:
    """Sort an evaluated response; a value marked by ``C()`` becomes a Categorical.

    Parameters
    ----------
    raw : object
        What the expression gave.
    name : str
        The response, for messages.
    n : int
        Number of rows it must have.
    """
    value = sort_value(raw, name, n)
    if isinstance(value, Numbers):
        if value.matrix.shape[1] > 2:
            raise FormulaError(
                f"The response `{name}` has {value.matrix.shape[1]} columns; it has one, or two "
                "for counts of successes and failures."
            )
        if value.fields is None:
            return Labels(pd.Series(value.matrix[:, 0]))
    return value


def assemble_response(values: Sequence[Any], parsed: ParsedFormula) -> Any:
    """Return the raw response of the kept rows.

    Parameters
    ----------
    values : sequence of Labels or Numbers
        The parts of the left side.
    parsed : ParsedFormula
        For messages and the name.

    Returns
    -------
    pandas.Series or ndarray of shape (n, 2)
        Values, or counts of successes and failures.

    Raises
    ------
    FormulaError
        When counts are not numbers.
    """
    if len(values) == 1 and isinstance(values[0], Labels):
        return _series(values[0], parsed)
    if len(values) == 1:
        return values[0].matrix
    columns = []
    for value in values:
        if not isinstance(value, Labels) or value.series.dtype.kind not in "iufb":
            raise FormulaError(
                f"The response `{parsed.response_name}` has two parts, so both must be columns of "
                "counts: successes and failures."
            )
        columns.append(value.series.to_numpy(dtype=np.float64))
    return np.column_stack(columns)


def _series(value: Labels, parsed: ParsedFormula) -> Any:
    series = value.series
    if value.marked:
        codes, levels = learn_levels(value, parsed.response_name)
        series = pd.Series(
            pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(list(levels)))
        )
    return series.rename(parsed.response_name)
