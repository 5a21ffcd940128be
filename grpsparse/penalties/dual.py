"""Norms of groups of rows, and the largest scale that keeps them in a dual ball.

Everything here is vectorised over groups. A group without rows (rank 0) has norm 0, a group
without level is unpenalised: neither limits anything.
"""

from __future__ import annotations

import numpy as np

from grpsparse.backend import Array, namespace, segment_norms, segment_sums
from grpsparse.groups import FloatArray, IntArray
from grpsparse.penalties.protocol import Segments

__all__ = [
    "DOWN",
    "UP",
    "any_positive",
    "group_norms",
    "norm_critical",
    "norm_scale",
    "sparse_scale",
]

# a few units in the last place, so that a rounded product stays on the safe side
DOWN = 1.0 - 4.0 * float(np.finfo(float).eps)
UP = 1.0 + 4.0 * float(np.finfo(float).eps)


def any_positive(level: Array | float) -> bool:
    """Return whether any group is penalised."""
    return (
        bool(level > 0.0)
        if isinstance(level, float | int)
        else bool(namespace(level).any(level > 0.0))
    )


def group_norms(rows: FloatArray, starts: IntArray) -> FloatArray:
    """Return the Frobenius norm of every group of rows of a (q, K) array, (G,)."""
    return segment_norms(rows, starts, shared=True)[:, 0]


def norm_scale(correlation: FloatArray, segments: Segments, level: FloatArray) -> float:
    """Return the largest c in (0, 1] with ``||c * correlation_g|| <= level_g`` for all g."""
    norms = group_norms(correlation, segments.starts)
    over = ((level > 0.0) & (norms > level)).nonzero()[0]
    return float((level[over] / norms[over]).min()) * DOWN if over.size else 1.0


def norm_critical(
    correlation: FloatArray, segments: Segments, weight: FloatArray, penalised: Array
) -> float:
    """Return the smallest lambda with ``||correlation_g|| <= lambda * weight_g`` for all g."""
    norms = group_norms(correlation, segments.starts)
    seen = np.asarray(penalised, dtype=bool) & (weight > 0.0)
    return float(np.max(norms[seen] / weight[seen])) * UP if seen.any() else 0.0


def sparse_scale(
    magnitude: FloatArray, starts: IntArray, threshold: FloatArray, bound: FloatArray, start: float
) -> float:
    """Return the largest c <= start with ``||(c * magnitude_g - threshold_g)+|| <= bound_g``.

    The norm on the left is convex and increasing in c, so Newton's method from the right never
    passes the root; the smallest of the groups' Newton points then bounds the answer, and a
    group once inside stays inside.

    Parameters
    ----------
    magnitude : ndarray of shape (q, K)
        Absolute correlations, rows sorted by group.
    starts : ndarray of int, shape (G + 1,)
        Boundaries of the groups.
    threshold, bound : ndarray of shape (G,)
        Soft threshold and radius; a threshold of infinity passes a group over.
    start : float
        Where to begin, positive.

    Returns
    -------
    float
    """
    c = start
    sizes = np.diff(starts)
    while True:
        cut = np.maximum(c * magnitude - np.repeat(threshold, sizes)[:, None], 0.0)
        norms = group_norms(cut, starts)
        over = norms > bound
        if not over.any():
            return c
        rows = np.repeat(over, sizes)
        magnitude, cut = magnitude[rows], cut[rows]
        threshold, bound, norms, sizes = threshold[over], bound[over], norms[over], sizes[over]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        # where the tangent at c meets the bound, as sums of positive terms: nothing cancels
        reach = bound * norms + threshold * segment_sums(cut.sum(axis=1), starts)
        slope = segment_sums(np.einsum("ij,ij->i", cut, magnitude), starts)
        # the factor ends the descent where rounding hides the last step
        c = min(float(np.min(reach / slope)), c * DOWN)
