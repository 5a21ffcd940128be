"""Interactions made orthogonal to their margins.

The coordinates of an interaction with columns C and margins M (the terms it contains that are
in the formula) are Z = (C - M A) T with A the weighted least squares coefficients of C on M.
Where the columns span a margin, M_1 = C S, the correction is written on the interaction's own
columns, C (I - S A_1); what is left, M_2 A_2 (levels' means of a number, say), moves the
margins' coefficients: the leak.

All of it comes from cross-products of the columns; the rows of Z are made, a few at a time,
only where T is so large that the cross-products have lost digits.

An empty cell of known levels keeps coefficient 0, so that it predicts nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grpsparse.design.grams import centred_gram, image_gram
from grpsparse.design.orthonormal import EIGENVALUE_FLOOR, Columns
from grpsparse.groups import FloatArray, IntArray, TermColumns

__all__ = ["OrthogonalInteraction", "orthogonal_interaction", "plain_because"]

MAX_MARGIN_COLUMNS = 3000  # beyond this, plain cells are kept
MAX_COLUMNS = 5000  # of the interaction itself that some row may fall into
REFINE_BELOW = 1e-4  # share of the columns' variance that cross-products leave digits in


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
    present = np.flatnonzero(columns.scale[term.index] > 0)
    margin_index = np.concatenate([terms[m.term].index for m in term.margins])
    turn, adjust = _beyond(columns, term.index[present], margin_index)
    own = np.zeros((term.index.size, turn.shape[1]))
    own[present] = turn
    start, free_index, free_adjust = 0, [], []
    for margin in term.margins:
        width = terms[margin.term].index.size
        part = adjust[start : start + width]
        if margin.span is None:
            free_index.append(terms[margin.term].index)
            free_adjust.append(part)
        else:
            own[present] -= margin.span[present] @ part
        start += width
    if not free_index or not own.shape[1]:
        return OrthogonalInteraction(own, np.empty(0, np.int64), np.empty((0, own.shape[0])))
    leak = np.zeros((sum(index.size for index in free_index), own.shape[0]))
    leak[:, present] = -np.concatenate(free_adjust) @ np.linalg.pinv(own[present])
    return OrthogonalInteraction(own, np.concatenate(free_index), leak)


def plain_because(terms: Sequence[TermColumns], term: TermColumns, n_rows: int) -> str | None:
    """Return why an interaction keeps plain cells beside its margins, None where it does not.

    Parameters
    ----------
    terms : sequence of TermColumns
        All terms, which `term.margins` points into.
    term : TermColumns
    n_rows : int
        Number of rows, whatever their weights.
    """
    if sum(terms[margin.term].index.size for margin in term.margins) > MAX_MARGIN_COLUMNS:
        return f"its margins have more than {MAX_MARGIN_COLUMNS} columns"
    if term.margins and min(term.index.size, n_rows) > MAX_COLUMNS:
        return f"it has more than {MAX_COLUMNS} columns"
    return None


def _beyond(
    columns: Columns, index: IntArray, margin_index: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Return T (m, r) and A T (k, r), in coefficients of the columns given."""
    both = np.concatenate([index, margin_index])
    scale = columns.scale[both]
    unit = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
    gram = centred_gram(columns.design, both, columns.weights, columns.centre)
    gram *= unit[:, None] * unit
    m = index.size
    coefficients, left = _least_squares(gram[m:, m:], gram[m:, :m], gram[:m, :m])
    values, vectors = np.linalg.eigh(left)
    largest = max(float(values[-1]), 1.0) if m else 1.0
    kept = values > EIGENVALUE_FLOOR * largest
    turn = vectors[:, kept] / np.sqrt(values[kept])
    whole = unit[:, None] * np.concatenate([turn, -coefficients @ turn])
    if kept.any() and values[kept][0] < REFINE_BELOW * largest:
        image = image_gram(columns.design, both, whole, columns.weights, columns.centre)
        whole = np.linalg.solve(np.linalg.cholesky(image), whole.T).T
    return whole[:m], -whole[m:]


def _least_squares(
    margins: FloatArray, mixed: FloatArray, cells: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return minimum-norm coefficients on the margins, and the Gram of what they leave."""
    values, vectors = np.linalg.eigh(margins)
    kept = values > EIGENVALUE_FLOOR * max(float(values[-1]), 1.0)
    basis = vectors[:, kept] / np.sqrt(values[kept])
    along = basis.T @ mixed
    coefficients: FloatArray = basis @ along
    return coefficients, cells - along.T @ along
