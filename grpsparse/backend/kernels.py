"""Block coordinate descent on a quadratic model, in residual form.

The model of the loss around a linear predictor is applied row by row with its exact Hessian:
``diagonal`` curvature h_i, or the softmax's diag(p_i) - p_i p_i'. No weighted group Gram is
ever formed. A block's metric is one adaptive scalar s, raised until the curvature observed
along the step is covered, so that every step lowers model plus penalty:

    u = b + g / s,   b_new = prox_{p / s}(u),   g = Z_g'U,   U -= W H Z_g (b_new - b).

Rows of `columns` are coordinates (contiguous over observations); `residual` U and `moved` E
are (K, n), so that every inner loop runs over contiguous memory and few arrays.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from grpsparse.backend.prox import radial_prox

__all__ = ["descend"]

_FAST = {"reassoc", "nsz", "contract", "arcp"}
# Called by kernels only: without wrappers for Python a cold start is seconds shorter.
_INNER: Any = {
    "nogil": True,
    "error_model": "numpy",
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}


@njit(**_INNER, fastmath=_FAST)
def _block_gradient(
    columns: Any, first: int, last: int, low: int, high: int, residual: Any, out: Any
) -> None:
    n = columns.shape[1]
    for j in range(first, last):
        for k in range(low, high):
            total = 0.0
            for i in range(n):
                total += columns[j, i] * residual[k, i]
            out[j - first, k - low] = total


@njit(**_INNER, fastmath=_FAST)
def _apply_step(columns: Any, first: int, last: int, step: Any, width: int, out: Any) -> None:
    n = columns.shape[1]
    for k in range(width):
        for i in range(n):
            out[k, i] = 0.0
        for j in range(first, last):
            amount = step[j - first, k]
            if amount != 0.0:
                for i in range(n):
                    out[k, i] += amount * columns[j, i]


@njit(**_INNER, fastmath=_FAST)
def _weighted_change(
    change: Any, low: int, high: int, curvature: Any, weights: Any, softmax: bool, mean: Any
) -> float:
    """Return change' W H change; for the softmax leave sum_k p_k change_k in `mean`."""
    n = weights.shape[0]
    total = 0.0
    if not softmax:
        for k in range(low, high):
            for i in range(n):
                total += curvature[k, i] * change[k - low, i] * change[k - low, i]
        return total
    for i in range(n):
        mean[i] = 0.0
    for k in range(low, high):
        for i in range(n):
            mean[i] += curvature[k, i] * change[k - low, i]
    for k in range(low, high):
        for i in range(n):
            total += weights[i] * curvature[k, i] * change[k - low, i] * change[k - low, i]
    for i in range(n):
        total -= weights[i] * mean[i] * mean[i]
    return total


@njit(**_INNER, fastmath=_FAST)
def _subtract(
    change: Any,
    low: int,
    high: int,
    curvature: Any,
    weights: Any,
    softmax: bool,
    mean: Any,
    residual: Any,
    moved: Any,
) -> None:
    n = weights.shape[0]
    for k in range(low, high):
        for i in range(n):
            moved[k, i] += change[k - low, i]
    if not softmax:
        for k in range(low, high):
            for i in range(n):
                residual[k, i] -= curvature[k, i] * change[k - low, i]
        return
    for k in range(residual.shape[0]):
        for i in range(n):
            residual[k, i] += weights[i] * curvature[k, i] * mean[i]
    for k in range(low, high):
        for i in range(n):
            residual[k, i] -= weights[i] * curvature[k, i] * change[k - low, i]


@njit(**_INNER)
def _propose(
    old: Any, gradient: Any, metric: float, code: int, a: float, b: float, levels: Any, step: Any
) -> float:
    """Fill `step` with the prox step of one block; return its squared length."""
    m, width = gradient.shape
    square = 0.0
    for j in range(m):
        for k in range(width):
            target = old[j, k] + gradient[j, k] / metric
            if levels[1] > 0.0:
                cut = levels[1] / metric
                target = math.copysign(max(abs(target) - cut, 0.0), target)
            step[j, k] = target
            square += target * target
    norm = math.sqrt(square)
    ratio = 1.0
    if levels[0] > 0.0:
        ratio = radial_prox(code, a, b, norm, 1.0 / metric, levels[0]) / norm if norm > 0 else 0.0
    length = 0.0
    for j in range(m):
        for k in range(width):
            step[j, k] = step[j, k] * ratio - old[j, k]
            length += step[j, k] * step[j, k]
    return length


@njit(**_INNER, inline="always")
def _update_block(
    columns: Any,
    spans: Any,
    levels: Any,
    metric: Any,
    block: int,
    penalty: Any,
    theta: Any,
    residual: Any,
    moved: Any,
    model: Any,
    scratch: Any,
) -> float:
    """Visit one block; return metric times the squared step, about twice the decrease."""
    first, last, low, high = spans[block, 0], spans[block, 1], spans[block, 2], spans[block, 3]
    curvature, weights, softmax = model
    gradient, step, change, mean = scratch
    g = gradient[: last - first, : high - low]
    d = step[: last - first, : high - low]
    _block_gradient(columns, first, last, low, high, residual, g)
    old = theta[first:last, low:high]
    code, a, b = penalty
    length = 0.0
    observed = 0.0
    for _ in range(60):
        length = _propose(old, g, metric[block], code, a, b, levels[block], d)
        if length == 0.0:
            return 0.0
        _apply_step(columns, first, last, d, high - low, change)
        observed = _weighted_change(change, low, high, curvature, weights, softmax, mean)
        if observed <= 1.000001 * metric[block] * length:
            break
        metric[block] = 1.05 * observed / length
    _subtract(change, low, high, curvature, weights, softmax, mean, residual, moved)
    for j in range(last - first):
        for k in range(high - low):
            old[j, k] += d[j, k]
    gain: float = metric[block] * length
    metric[block] = max(0.8 * metric[block], observed / length)
    return gain


@njit(**_INNER, inline="always")
def _sweep(
    columns: Any,
    spans: Any,
    levels: Any,
    metric: Any,
    chosen: Any,
    penalty: Any,
    state: Any,
    model: Any,
    scratch: Any,
) -> float:
    """Visit every chosen block once; return the sum of gains."""
    theta, residual, moved = state
    gain = 0.0
    for block in range(spans.shape[0]):
        if chosen[block]:
            gain += _update_block(
                columns,
                spans,
                levels,
                metric,
                block,
                penalty,
                theta,
                residual,
                moved,
                model,
                scratch,
            )
    return gain


@njit(**_INNER, inline="always")
def _mark_active(spans: Any, theta: Any, active: Any) -> None:
    """Mark the blocks with a nonzero coefficient."""
    for block in range(spans.shape[0]):
        active[block] = False
        for j in range(spans[block, 0], spans[block, 1]):
            for k in range(spans[block, 2], spans[block, 3]):
                if theta[j, k] != 0.0:
                    active[block] = True


@njit(cache=True, nogil=True, error_model="numpy")
def descend(
    columns: Any,
    spans: Any,
    levels: Any,
    metric: Any,
    penalty: Any,
    theta: Any,
    residual: Any,
    moved: Any,
    model: Any,
    limits: Any,
) -> tuple[int, float, float]:
    """Minimise quadratic model + penalty over the blocks, in place.

    Parameters
    ----------
    columns : ndarray of shape (m, n)
        Coordinates of the working set; an intercept is a row of ones with unpenalised blocks.
    spans : int64 ndarray of shape (B, 4)
        First and last row, first and last class of every block.
    levels : ndarray of shape (B, 2)
        lambda * weight of the block's norm and of its elementwise part; 0, 0: unpenalised.
    metric : ndarray of shape (B,)
        Current scalars s of the blocks; updated.
    penalty : tuple (int, float, float)
        Penalty code and its two parameters.
    theta : ndarray of shape (m, K)
        Updated.
    residual, moved : ndarrays of shape (K, n)
        W (y - mu) - W H E, and E, the change of the linear predictor; updated.
    model : tuple (ndarray (K, n), ndarray (n,), bool)
        Curvature (with the weights in it where diagonal; probabilities where softmax),
        weights, and whether it is the softmax's.
    limits : tuple (int, float, float)
        Largest number of sweeps; stop once a full sweep gains less than the second number,
        or than the third times the first sweep.

    Returns
    -------
    sweeps : int
    first_gain, gain : float
        Gains of the first and of the last full sweep.
    """
    n_blocks = spans.shape[0]
    n_classes, n = residual.shape
    tallest = 1
    for block in range(n_blocks):
        tallest = max(tallest, spans[block, 1] - spans[block, 0])
    scratch = (
        np.empty((tallest, n_classes)),
        np.empty((tallest, n_classes)),
        np.empty((n_classes, n)),
        np.empty(n),
    )
    chosen = np.ones(n_blocks, dtype=np.bool_)
    max_sweeps, tolerance, share = limits
    state = (theta, residual, moved)
    opening_gain = full_gain = 0.0
    sweeps = 0
    full = True
    while sweeps < max_sweeps:
        gain = _sweep(columns, spans, levels, metric, chosen, penalty, state, model, scratch)
        sweeps += 1
        if not full:
            if gain <= max(0.05 * full_gain, 0.5 * tolerance):
                full = True
                chosen[:] = True
            continue
        full_gain = gain
        if sweeps == 1:
            opening_gain = gain
        if gain <= tolerance or (sweeps > 1 and gain <= share * opening_gain):
            break
        full = False
        _mark_active(spans, theta, chosen)
    return sweeps, opening_gain, full_gain
