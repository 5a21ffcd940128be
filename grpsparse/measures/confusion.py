"""Observed against predicted classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from grpsparse.groups import FloatArray, IntArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["confusion_matrix"]


def confusion_matrix(
    observed: IntArray,
    predicted: IntArray,
    classes: Sequence[object],
    weights: FloatArray | None = None,
) -> pd.DataFrame:
    """Cross-tabulate observed and predicted classes.

    Parameters
    ----------
    observed, predicted : ndarray of shape (n,)
        Positions in `classes`; rows with a negative one are left out.
    classes : sequence
        Names of the classes.
    weights : ndarray of shape (n,), optional
        Sums of weights instead of counts.

    Returns
    -------
    pandas.DataFrame
        Observed classes in rows, predicted in columns.
    """
    import pandas as pd

    size = len(classes)
    used = (observed >= 0) & (predicted >= 0)
    cell = observed[used] * size + predicted[used]
    counts = np.bincount(
        cell, weights=None if weights is None else weights[used], minlength=size * size
    )
    names: list[Any] = list(classes)
    return pd.DataFrame(
        counts.reshape(size, size),
        index=pd.Index(names, name="observed"),
        columns=pd.Index(names, name="predicted"),
    )
