"""Interactions made orthogonal to their margins.

The coordinates of an interaction with columns C and margins M (the terms it contains that are
in the formula) are Z = (C - M A) T with A the weighted least squares coefficients of C on M.
Where the columns span a margin, M_1 = C S, the correction is written on the interaction's own
columns, C (I - S A_1); what is left, M_2 A_2 (levels' means of a number, say), moves the
margins' coefficients: the leak.

An empty cell of known levels keeps coefficient 0, so that it predicts nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grpsparse.design.orthonormal import EIGENVALUE_FLOOR, Columns, centred_rows, whiten
from grpsparse.groups import FloatArray, IntArray, TermColumns

__all__ = ["MAX_MARGIN_COLUMNS", "OrthogonalInteraction", "orthogonal_interaction"]

MAX_MARGIN_COLUMNS = 3000  # beyond this, plain cells are kept


@dataclass(frozen=True, slots=True)
class OrthogonalInteraction:
    """Transform of one interaction.

    Parameters
    ----------
    own : ndarray of shape (m, r)
        Coefficients of the interaction's columns per coordinate.
    margin_index : ndarray of int
        Columns of the margins that it does not span.
    leak : ndarray of shape (len(margin_index), m)
        Coefficients of those columns per coefficient of the interaction's columns.
    """

    own: FloatArray
    margin_index: IntArray
    leak: FloatArray


def orthogonal_interaction(
    columns: Columns, terms: Sequence[TermColumns], term: TermColumns
) -> OrthogonalInteraction:
    """Return the transform of an interaction, orthogonal to its margins.

    Parameters
    ----------
    columns : Columns
    terms : sequence of TermColumns
        All terms, which `term.margins` points into.
    term : TermColumns
        The interaction, with at least one margin.
    """
    present = columns.scale[term.index] > 0
    cells = _scaled(columns, term.index)
    margin_index = np.concatenate([terms[m.term].index for m in term.margins])
    margins = _scaled(columns, margin_index)
    coefficients = _least_squares(margins, cells)
    rows = cells - coefficients.T @ margins
    values, vectors = np.linalg.eigh(rows @ rows.T)
    turn = whiten(values, vectors, rows)
    inverse = _inverse(columns.scale[margin_index])[:, None]
    adjust = inverse * (coefficients @ turn)  # margin coefficients per coordinate
    own = turn * _inverse(columns.scale[term.index])[:, None]
    start, free_index, free_adjust = 0, [], []
    for margin in term.margins:
        width = terms[margin.term].index.size
        part = adjust[start : start + width]
        if margin.span is None:
            free_index.append(terms[margin.term].index)
            free_adjust.append(part)
        else:
            own = own - margin.span @ part
        start += width
    own = own * present[:, None]
    if not free_index or not own.shape[1]:
        return OrthogonalInteraction(own, np.empty(0, np.int64), np.empty((0, own.shape[0])))
    leak = -np.concatenate(free_adjust) @ np.linalg.pinv(own)
    return OrthogonalInteraction(own, np.concatenate(free_index), leak)


def _scaled(columns: Columns, index: IntArray) -> FloatArray:
    return centred_rows(columns, index) * _inverse(columns.scale[index])[:, None]


def _inverse(scale: FloatArray) -> FloatArray:
    return np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)


def _least_squares(margins: FloatArray, cells: FloatArray) -> FloatArray:
    """Return the minimum-norm coefficients of the rows of `cells` on those of `margins`."""
    values, vectors = np.linalg.eigh(margins @ margins.T)
    kept = values > EIGENVALUE_FLOOR * max(float(values[-1]), 1.0)
    basis = vectors[:, kept] / np.sqrt(values[kept])
    coefficients: FloatArray = basis @ ((basis.T @ margins) @ cells.T)
    return coefficients
