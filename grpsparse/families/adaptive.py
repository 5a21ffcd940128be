"""Families with a number that the data may choose: a scale, or a dispersion.

It is chosen once, from the response, the weights and the offset of the fit, before anything is
standardised; folds and replicates keep it, so that their losses can be compared.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from grpsparse.families.protocol import Family
from grpsparse.groups import FloatArray

__all__ = ["Adaptive", "for_data", "weighted_median"]

TIE = 1e-12  # of the total weight: as much below as above


@runtime_checkable
class Adaptive(Protocol):
    """A family whose number may be left open."""

    def for_data(self, y: FloatArray, weights: FloatArray, offset: FloatArray) -> Family:
        """Return the family with its number given, itself where it has one.

        Parameters
        ----------
        y, offset : ndarray of shape (n, K)
        weights : ndarray of shape (n,)
        """

    @property
    def origin(self) -> str:
        """How the number came about, for a note; empty where the user gave it."""


def for_data(
    family: Family, y: FloatArray, weights: FloatArray, offset: FloatArray | None
) -> tuple[Family, tuple[str, ...]]:
    """Return a family without open numbers, and notes on what was chosen."""
    if not isinstance(family, Adaptive):
        return family, ()
    seen = weights > 0
    shift = np.zeros_like(y) if offset is None else offset
    chosen = family.for_data(y[seen], weights[seen], shift[seen])
    note = chosen.origin if isinstance(chosen, Adaptive) else ""
    return chosen, (note,) if note else ()


def weighted_median(values: FloatArray, weights: FloatArray) -> float:
    """Return the median of values (n,) of which each counts as often as its weight says.

    Examples
    --------
    >>> weighted_median(np.array([3.0, 1.0, 2.0]), np.array([2.0, 1.0, 1.0]))
    2.5
    """
    order = np.argsort(values, kind="stable")
    above = values[order]
    reached = np.cumsum(weights[order]) / weights.sum()
    first = int(np.searchsorted(reached, 0.5 - TIE))
    tied = abs(reached[first] - 0.5) <= TIE and first + 1 < above.size
    return float(0.5 * (above[first] + above[first + 1]) if tied else above[first])
