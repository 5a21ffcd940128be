"""Grams of centred columns, and of their combinations, without writing columns out."""

from __future__ import annotations

import numpy as np

from grpsparse.design.columns import CHUNK_ENTRIES
from grpsparse.design.storage import DENSE, FACTOR, SPARSE, Design
from grpsparse.groups import FloatArray, IntArray

__all__ = ["centred_gram", "image_gram"]


def centred_gram(
    design: Design, index: IntArray, weights: FloatArray, centre: FloatArray
) -> FloatArray:
    """Return sum_i w_i (x_i - c)(x_i - c)' of the columns in `index`, (m, m).

    Parameters
    ----------
    design : Design
    index : ndarray of int
        Columns, each at most once.
    weights : ndarray of shape (n,)
        Not negative, summing to one.
    centre : ndarray of shape (p,)
        Weighted means of the columns, or zeros.
    """
    gram = design.cross(index, weights)
    gram -= np.outer(centre[index], centre[index])
    return gram


def image_gram(
    design: Design, index: IntArray, coef: FloatArray, weights: FloatArray, centre: FloatArray
) -> FloatArray:
    """Return Z'WZ (r, r) of Z = (X - centre)[:, index] @ coef, from some rows of Z at a time.

    Slower than from the Gram of X, and exact where coefficients are so large that they cancel.

    Parameters
    ----------
    design, index, weights, centre
        As for :func:`centred_gram`.
    coef : ndarray of shape (len(index), r)
    """
    n, width = weights.size, coef.shape[1]
    out = np.zeros((width, width))
    step = max(1, CHUNK_ENTRIES // max(width, 1))
    constant = np.where(design.kind[index] == DENSE, 0.0, centre[index]) @ coef
    for low in range(0, n, step):
        rows = slice(low, min(n, low + step))
        image = _image(design, index, coef, rows, centre) - constant[:, None]
        image *= np.sqrt(weights[rows])
        out += image @ image.T
    return out


def _image(
    design: Design, index: IntArray, coef: FloatArray, rows: slice, centre: FloatArray
) -> FloatArray:
    """Return some rows of X[:, index] @ coef, (r, rows), with dense columns centred."""
    out = np.zeros((coef.shape[1], rows.stop - rows.start))
    kind, position = design.kind[index], design.position[index]
    if design.dense is not None:
        mine = np.flatnonzero(kind == DENSE)
        columns = design.dense.columns[:, rows][position[mine]]
        out += coef[mine].T @ (columns - centre[index[mine], None])
    if design.factors is not None:
        mine = np.flatnonzero(kind == FACTOR)
        for t, places, levels in design.factors.by_term(position[mine]):
            table = np.zeros((coef.shape[1], design.factors.width(t) + 1))
            table[:, levels] = coef[mine[places]].T
            effect = table[:, design.factors.codes[t, rows]]
            values = design.factors.value_of(t)
            out += effect if values is None else effect * values[rows]
    if design.sparse is not None:
        mine = np.flatnonzero(kind == SPARSE)
        out += (design.sparse.matrix[:, position[mine]][rows] @ coef[mine]).T
    return out
