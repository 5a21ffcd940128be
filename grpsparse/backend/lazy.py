"""Sparse columns under a diagonal curvature: a visit touches their own rows only.

A centred column moves all rows by a constant, which is put off: with kappa the sum of these
constants, the residual is residual + kappa H. `lazy` is kappa, the sum of the residual, the
sum of H, whether the sum of the residual has to be taken again, and whether H is the weights
that the columns are centred by: then a column's product with H is known. Storages are those of
:mod:`grpsparse.backend.rows`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from grpsparse.backend.compiling import INNER, LEAN, ONCE

__all__ = ["lazy_change", "lazy_flush", "lazy_gradient", "lazy_subtract"]

UNSEEN = 1e-6  # square of the relative change of a gradient in single precision that tells nothing


@njit(**INNER, **LEAN)
def lazy_flush(lazy: Any, curvature: Any, residual: Any, moved: Any) -> None:
    """Carry out what was put off."""
    lazy[3] = 1.0
    if lazy[0] == 0.0:
        return
    kappa = np.float32(lazy[0])
    for i in range(residual.shape[1]):
        residual[0, i] += kappa * curvature[0, i]
    if moved is not None:
        for i in range(residual.shape[1]):
            moved[0, i] -= kappa
    lazy[0] = 0.0


@njit(**INNER, **LEAN)
def lazy_gradient(
    sparse: Any,
    frames: Any,
    spans: Any,
    block: int,
    residual: Any,
    curvature: Any,
    lazy: Any,
    out: Any,
) -> None:
    """Fill out[j, 0] with the products of sparse columns with the residual."""
    indptr, indices, data = sparse
    scale, centre, column, _ = frames
    if lazy[3] > 0.0:  # nothing is put off then
        lazy[1] = lazy[2] = lazy[3] = 0.0
        for i in range(residual.shape[1]):
            lazy[1] += residual[0, i]
            lazy[2] += curvature[0, i]
    first = spans[block, 0]
    for j in range(first, spans[block, 1]):
        product = 0.0
        if lazy[0] == 0.0 or lazy[4] > 0.0:
            for p in range(indptr[column[j]], indptr[column[j] + 1]):
                product += data[p] * residual[0, np.uint32(indices[p])]
        else:
            for p in range(indptr[column[j]], indptr[column[j] + 1]):
                row = np.uint32(indices[p])
                product += data[p] * (residual[0, row] + lazy[0] * curvature[0, row])
        out[j - first, 0] = scale[j] * product - centre[j] * (lazy[1] - lazy[4] * lazy[0])


@njit(**INNER, **LEAN)
def lazy_subtract(
    sparse: Any,
    frames: Any,
    spans: Any,
    block: int,
    step: Any,
    sign: float,
    curvature: Any,
    lazy: Any,
    residual: Any,
    moved: Any,
) -> None:
    """Take sign W H change off the residual, and add sign change to `moved` unless it is None."""
    indptr, indices, data = sparse
    scale, centre, column, _ = frames
    first = spans[block, 0]
    constant = linear = 0.0
    for j in range(first, spans[block, 1]):
        constant += sign * centre[j] * step[j - first, 0]
        amount = np.float32(sign * scale[j] * step[j - first, 0])
        if amount != 0.0:
            for p in range(indptr[column[j]], indptr[column[j] + 1]):
                row = np.uint32(indices[p])
                change = amount * np.float32(data[p])
                bent = curvature[0, row] * change
                if moved is not None:
                    moved[0, row] += change
                residual[0, row] -= bent
                linear += bent
    lazy[0] += constant
    lazy[1] -= linear - constant * lazy[2]


@njit(**ONCE, **LEAN)
def lazy_change(
    spans: Any, block: int, step: Any, gradient: Any, base: Any, after: Any, bound: float
) -> float:
    """Return the curvature along a step, seen in the gradient `after` it.

    Where rounding hides it, it is the `bound`.
    """
    first, last = spans[block, 0], spans[block, 1]
    size = change = observed = 0.0
    for j in range(last - first):
        moving = gradient[j, 0] - base[0, first + j] - after[j, 0]
        observed += step[j, 0] * moving
        change += moving * moving
        size += gradient[j, 0] * gradient[j, 0]
    return bound if change <= UNSEEN * size else observed
