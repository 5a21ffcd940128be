"""Norms of overlapping groups as one penalty of all columns.

The coordinates of such a problem are single columns, each with weight 1 if any group that holds it
is penalised; the groups, with their weights, are inside of the penalty.
"""

from __future__ import annotations

import numpy as np

from grpsparse.design import ColumnScale, Standardised
from grpsparse.groups import IntArray
from grpsparse.penalties import OverlapNorm
from grpsparse.problem.smooth import Observed
from grpsparse.problem.weights import PenaltySpec, group_weights

__all__ = ["columns_of", "overlap_spec"]


def overlap_spec(
    groups: Standardised, columns: Standardised, data: Observed, spec: PenaltySpec
) -> PenaltySpec:
    """Return a penalty of all columns together, and their factors.

    Parameters
    ----------
    groups : Standardised
        Every group's columns, scaled as they are in `columns`.
    columns : Standardised
        Every column as a group of its own.
    data : Observed
    spec : PenaltySpec
        An overlapping group lasso, and the factors of the groups.
    """
    weight = group_weights(groups, data, spec)
    index = columns_of(groups)
    penalised = np.flatnonzero(weight > 0)
    entries = groups.coordinates_of(penalised)
    sizes = np.diff(groups.starts)[penalised]
    factor = np.zeros(columns.present.size)
    factor[index[entries]] = 1.0
    row = np.cumsum(factor > 0) - 1
    norm = OverlapNorm(
        row[index[entries]].astype(np.int64),
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        weight[penalised],
    )
    return PenaltySpec(norm, factor, sqrt_df=False, shared=spec.shared)


def columns_of(groups: Standardised) -> IntArray:
    """Return the column that every coordinate is a multiple of."""
    whole = groups.whole
    if not isinstance(whole, ColumnScale):
        raise TypeError("norms of overlapping groups are of columns that are at most scaled.")
    return whole.index
