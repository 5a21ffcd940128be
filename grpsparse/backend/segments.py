"""Consecutive runs of rows, one run per group: their entries, and sums over them."""

from __future__ import annotations

import numpy as np

from grpsparse.groups import FloatArray, IntArray

__all__ = ["segment_entries", "segment_norms", "segment_sums"]


def segment_entries(segments: IntArray, starts: IntArray) -> IntArray:
    """Return the entries of some segments, one segment after the other.

    Parameters
    ----------
    segments : ndarray of int
    starts : ndarray of int, shape (G + 1,)
        Segment g is ``starts[g]:starts[g + 1]``.

    Examples
    --------
    >>> import numpy as np
    >>> segment_entries(np.array([2, 0]), np.array([0, 2, 2, 3]))
    array([2, 0, 1])
    """
    from grpsparse.backend.runs import fill_entries

    out = np.empty((starts[segments + 1] - starts[segments]).sum(), dtype=np.int64)
    fill_entries(segments, starts, out)
    return out


def segment_sums(values: FloatArray, starts: IntArray) -> FloatArray:
    """Sum the entries ``starts[g]:starts[g + 1]`` for every g.

    Parameters
    ----------
    values : ndarray of shape (q,)
        Entries sorted by segment.
    starts : ndarray of int, shape (G + 1,)
        Boundaries, not decreasing; a segment may be empty, its sum is 0.

    Returns
    -------
    ndarray of shape (G,)

    Examples
    --------
    >>> import numpy as np
    >>> segment_sums(np.array([1.0, 2.0, 4.0]), np.array([0, 2, 2, 3]))
    array([3., 0., 4.])
    """
    # reduceat gives values[start] for an empty segment, so those are left out of it
    filled = starts[1:] > starts[:-1]
    if filled.all() and filled.size:
        whole: FloatArray = np.add.reduceat(values[: starts[-1]], starts[:-1])
        return whole
    sums = np.zeros(filled.shape[0])
    if filled.any():
        sums[filled] = np.add.reduceat(values[: starts[-1]], starts[:-1][filled])
    return sums


def segment_norms(values: FloatArray, starts: IntArray, *, shared: bool) -> FloatArray:
    """Return the Frobenius norms of segments of rows, over all columns or of each.

    Parameters
    ----------
    values : ndarray of shape (q, K)
    starts : ndarray of int, shape (G + 1,)
    shared : bool
        Whether a norm is that of all columns.

    Returns
    -------
    ndarray of shape (G, 1), or (G, K) where columns are apart

    Examples
    --------
    >>> import numpy as np
    >>> segment_norms(np.array([[3.0], [4.0], [2.0]]), np.array([0, 2, 3]), shared=True)
    array([[5.],
           [2.]])
    """
    from grpsparse.backend.runs import fill_norms

    by_column = np.ascontiguousarray(values.T)
    out = np.empty((1 if shared else by_column.shape[0], starts.size - 1))
    fill_norms(by_column, starts, out)
    return out.T
