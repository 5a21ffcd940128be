"""The response: raw values of the left side, before any family encodes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from grpsparse.errors import FormulaError
from grpsparse.formula.evaluate import Labels, Numbers, sort_value
from grpsparse.formula.factors import learn_levels
from grpsparse.formula.names import split_outside
from grpsparse.formula.parse import ParsedFormula
from grpsparse.survival import Surv

__all__ = ["assemble_response", "response_value"]


def response_value(raw: Any, name: str, n: int) -> Labels | Numbers | Surv:
    """Sort an evaluated response; a value marked by ``C()`` becomes a Categorical.

    Survival times stay what they are.

    Parameters
    ----------
    raw : object
        What the expression gave.
    name : str
        The response, for messages.
    n : int
        Number of rows it must have.
    """
    if isinstance(raw, Surv):
        return raw
    value = sort_value(raw, name, n)
    if isinstance(value, Numbers) and value.matrix.shape[1] == 1 and value.fields is None:
        return Labels(pd.Series(value.matrix[:, 0]))
    return value


def assemble_response(values: Sequence[Any], parsed: ParsedFormula) -> Any:
    """Return the raw response of the kept rows.

    Parameters
    ----------
    values : sequence of Labels, Numbers or Surv
        The parts of the left side.
    parsed : ParsedFormula
        For messages and the name.

    Returns
    -------
    pandas.Series, DataFrame of two or more columns, or Surv
        Values; survival times; or counts of successes and failures, or several responses: the
        family tells.

    Raises
    ------
    FormulaError
        When one of several columns is not numbers.
    """
    if len(values) == 1 and isinstance(values[0], Surv):
        return values[0]
    if len(values) == 1 and isinstance(values[0], Labels):
        return _series(values[0], parsed)
    if len(values) == 1:
        return pd.DataFrame(values[0].matrix, columns=_column_names(values[0], parsed))
    columns: dict[str, Any] = {}
    for value, part in zip(values, parsed.response, strict=True):
        if not isinstance(value, Labels) or value.series.dtype.kind not in "iufb":
            raise FormulaError(
                f"The response `{parsed.response_name}` has {len(values)} parts, so each must be a "
                "column of numbers: counts of successes and failures, or responses."
            )
        columns[part.text] = value.series.to_numpy(dtype=np.float64)
    return pd.DataFrame(columns)


def _column_names(value: Numbers, parsed: ParsedFormula) -> list[str]:
    """Return the arguments of cbind, or what else the columns are called."""
    count, text = value.matrix.shape[1], parsed.response[0].text
    if text.startswith("cbind("):
        parts = [part.strip() for part in split_outside(text[len("cbind(") : -1], ",")]
        if len(parts) == count:
            return [part.strip("`") for part in parts]
    named = value.fields is not None and not any(field.isdigit() for field in value.fields)
    return list(value.fields or ()) if named else [f"y{k + 1}" for k in range(count)]


def _series(value: Labels, parsed: ParsedFormula) -> Any:
    series = value.series
    if value.marked:
        codes, levels = learn_levels(value, parsed.response_name)
        series = pd.Series(
            pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(list(levels)))
        )
    return series.rename(parsed.response_name)
