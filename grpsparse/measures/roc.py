"""The area under the ROC curve: how often a score puts two rows of two classes in order.

Ranks instead of pairs: rows are sorted once, and every row of the second class counts the
weight of the first class below it, plus half of that level with it.

References: Hanley & McNeil (1982), doi:10.1148/radiology.143.1.7063747.
"""

from __future__ import annotations

import numpy as np

from grpsparse.groups import FloatArray

__all__ = ["auc"]


def auc(y: FloatArray, score: FloatArray, weights: FloatArray) -> FloatArray:
    """Compute the area under the ROC curve for every column of scores.

    The weighted share of pairs, one row of each class, that the score puts in order; a tie
    counts one half. A proportion is a row of either class with the weights w y and w (1 - y).

    Parameters
    ----------
    y : ndarray of shape (n,)
        0, 1 or proportions.
    score : ndarray of shape (n, L)
        Larger for the second class.
    weights : ndarray of shape (n,)
        Observation weights.

    Returns
    -------
    ndarray of shape (L,)
        NaN where one class has no weight or a score is NaN.

    Examples
    --------
    >>> y, score = np.array([0.0, 0.0, 1.0, 1.0]), np.array([[0.1], [0.4], [0.4], [0.8]])
    >>> auc(y, score, np.ones(4)).tolist()
    [0.875]
    """
    n = y.shape[0]
    order = np.argsort(score, axis=0, kind="stable")
    ranked = np.take_along_axis(score, order, axis=0)
    ones = (weights * y)[order]
    zeros = (weights * (1.0 - y))[order]
    below = np.concatenate([np.zeros((1, score.shape[1])), np.cumsum(zeros, axis=0)])
    position = np.arange(n)[:, None]
    differs = ranked[1:] != ranked[:-1]
    edge = np.ones((1, score.shape[1]), dtype=np.bool_)
    starts = np.where(np.concatenate([edge, differs]), position, 0)
    first = np.maximum.accumulate(starts, axis=0)
    ends = np.where(np.concatenate([differs, edge]), position, n - 1)
    last = np.minimum.accumulate(ends[::-1], axis=0)[::-1]
    half = 0.5 * (
        np.take_along_axis(below, first, axis=0) + np.take_along_axis(below, last + 1, axis=0)
    )
    pairs = float(np.sum(weights * y)) * float(np.sum(weights * (1.0 - y)))
    area = np.sum(ones * half, axis=0) / pairs if pairs > 0 else np.full(score.shape[1], np.nan)
    return np.where(np.isnan(score).any(axis=0), np.nan, area)
