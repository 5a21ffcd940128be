"""Memory that the kernels work in: they allocate none, so that they count no references."""

from __future__ import annotations

import numpy as np

from grpsparse.groups import FloatArray, IntArray

__all__ = ["scratch"]


def scratch(spans: IntArray, residual: FloatArray) -> tuple[FloatArray, ...]:
    """Return the work arrays of :func:`grpsparse.backend.kernels.descend`.

    Parameters
    ----------
    spans : ndarray of int, shape (B, 8)
    residual : ndarray of shape (K, n)
    """
    n_classes, n = residual.shape
    tallest = int((spans[:, 1] - spans[:, 0]).max(initial=1))
    return (
        np.empty((tallest, n_classes)),
        np.empty((tallest, n_classes)),
        np.empty((n_classes, n), dtype=np.float32),
        np.empty(n if n_classes > 1 else 0, dtype=np.float32),
        np.empty(int(spans[:, 6].max(initial=0)) + 1),
        np.array([0.0, 0.0, 0.0, 1.0]),
        np.empty((tallest, n_classes)),
    )
