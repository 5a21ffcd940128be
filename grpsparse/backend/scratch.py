"""Memory that the kernels work in: they allocate none, so that they count no references."""

from __future__ import annotations

from typing import Any

import numpy as np

from grpsparse.groups import IntArray

__all__ = ["scratch"]


def scratch(spans: IntArray, shape: tuple[int, int], *, constant: bool = False) -> tuple[Any, ...]:
    """Return the work arrays of :func:`grpsparse.backend.kernels.descend`.

    Parameters
    ----------
    spans : ndarray of int, shape (B, 8)
    shape : tuple of int
        Classes K and rows n; no rows with a Gram matrix.
    constant : bool
        Whether the curvature is the weights.

    Returns
    -------
    gradient, step : ndarray of shape (m, K)
        Of the tallest block.
    change : ndarray of float32, shape (K, n)
    mean : ndarray of float32, shape (n,)
        Empty for one class.
    sums : ndarray
        An entry for each cell of the largest factor, and one for rows without a cell.
    lazy : ndarray of shape (5,)
        See :mod:`grpsparse.backend.lazy`.
    after : ndarray of shape (m, K)
        The gradient after a step, or what belongs to rows that coordinates are made of.
    chosen : ndarray of bool, shape (B,)
        Blocks to visit.
    """
    n_classes, n = shape
    tallest = int((spans[:, 1] - spans[:, 0]).max(initial=1))
    return (
        np.empty((tallest, n_classes)),
        np.empty((tallest, n_classes)),
        np.empty((n_classes, n), dtype=np.float32),
        np.empty(n if n_classes > 1 else 0, dtype=np.float32),
        np.empty(int(spans[:, 6].max(initial=0)) + 1),
        np.array([0.0, 0.0, 0.0, 1.0, float(constant)]),
        np.empty((tallest, n_classes)),
        np.ones(spans.shape[0], dtype=np.bool_),
    )
