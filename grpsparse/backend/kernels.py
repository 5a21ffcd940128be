"""Block coordinate descent on a quadratic model, in residual form or on a Gram matrix.

The model of the loss around a linear predictor is applied with its exact Hessian H: row by
row (``diagonal`` curvature, or the softmax's diag(p_i) - p_i p_i'), or as the matrix Z'WHZ of
the working set where that is smaller. No weighted Gram of a group is ever formed in residual
form. A block's metric is s D: D the eigenvalues of Z_g'WZ_g in whose basis its rows stand, and
s one adaptive scalar, raised until the curvature observed along the step is covered:

    u = g + s D b,   b_new = argmin b's D b / 2 - u'b + p(||b||),   g = base + Z_g'U,

so that every step lowers model plus penalty. The arrays over rows are single precision: they
hold only what changed since `base`, the gradient, was computed in double precision, so that
repeating the model is iterative refinement and loses no digits.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from grpsparse.backend.prox import radial_prox
from grpsparse.backend.rows import block_change, block_gradient, subtract, weighted_change

__all__ = ["descend"]

# Called by kernels only: without wrappers for Python a cold start is seconds shorter.
_INNER: Any = {
    "nogil": True,
    "error_model": "numpy",
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
ROOT_ACCURACY = 1e-9  # of the one-dimensional equation for a block's norm
MOST_ROOT_STEPS = 50
MOST_RAISES = 60  # of a block's metric in one visit


@njit(**_INNER)
def _block_norm(target: Any, scale: Any, metric: float, level: float, penalty: Any) -> float:
    """Return the norm r of the minimiser: sum u_j^2 / ((s D_j + b l) r + a l)^2 = 1, or 0."""
    a, b = penalty[1], penalty[2]
    m, width = target.shape
    total = largest = 0.0
    for j in range(m):
        largest = max(largest, scale[j])
        for k in range(width):
            total += target[j, k] * target[j, k]
    if total <= (a * level) ** 2:
        return 0.0
    norm = (math.sqrt(total) - a * level) / (metric * largest + b * level)
    for _ in range(MOST_ROOT_STEPS):
        square = slope = 0.0
        for j in range(m):
            bend = metric * scale[j] + b * level
            inverse = 1.0 / (bend * norm + a * level)
            for k in range(width):
                part = target[j, k] * inverse
                square += part * part
                slope += part * part * bend * inverse
        # 1 / root is concave in r, so that Newton's method from the left never passes it
        change = square * (math.sqrt(square) - 1.0) / slope
        norm += change
        if abs(change) <= ROOT_ACCURACY * norm:
            break
    return norm


@njit(**_INNER)
def _turned_step(
    old: Any, gradient: Any, scale: Any, metric: float, penalty: Any, level: float, step: Any
) -> float:
    """Fill `step` where every row has its own curvature; return its squared length in D."""
    a, b = penalty[1], penalty[2]
    m, width = gradient.shape
    for j in range(m):
        for k in range(width):
            step[j, k] = gradient[j, k] + metric * scale[j] * old[j, k]
    norm = 1.0
    if level > 0.0:
        norm = _block_norm(step, scale, metric, level, penalty)
    length = 0.0
    for j in range(m):
        factor = 0.0
        if norm > 0.0:
            factor = 1.0 / (metric * scale[j] + level * (b + a / norm))
        for k in range(width):
            step[j, k] = step[j, k] * factor - old[j, k]
            length += scale[j] * step[j, k] * step[j, k]
    return length


@njit(**_INNER)
def _plain_step(
    old: Any, gradient: Any, metric: float, penalty: Any, levels: Any, step: Any
) -> float:
    """Fill `step` where one scalar is the metric; return its squared length."""
    code, a, b = penalty[0], penalty[1], penalty[2]
    m, width = gradient.shape
    inverse = 1.0 / metric
    cut = levels[1] * inverse
    square = 0.0
    for j in range(m):
        for k in range(width):
            target = old[j, k] + gradient[j, k] * inverse
            if cut > 0.0:
                target = math.copysign(max(abs(target) - cut, 0.0), target)
            step[j, k] = target
            square += target * target
    ratio = 1.0
    if levels[0] > 0.0:
        norm = math.sqrt(square)
        ratio = radial_prox(code, a, b, norm, inverse, levels[0]) / norm if norm > 0.0 else 0.0
    length = 0.0
    for j in range(m):
        for k in range(width):
            step[j, k] = step[j, k] * ratio - old[j, k]
            length += step[j, k] * step[j, k]
    return length


@njit(**_INNER)
def _propose(
    old: Any, gradient: Any, scale: Any, metric: float, penalty: Any, levels: Any, step: Any
) -> float:
    """Fill `step` with the prox step of one block; return its squared length in D."""
    if penalty[3] and old.shape[0] > 1:
        return _turned_step(old, gradient, scale, metric, penalty, levels[0], step)
    length = _plain_step(old, gradient, metric * scale[0], penalty, levels, step)
    return length * scale[0]


@njit(**_INNER)
def _gram_change(gram: Any, span: Any, n_rows: int, step: Any) -> float:
    """Return step' G step of one block; variables are rows, class after class."""
    first, last, low, high = span[0], span[1], span[2], span[3]
    total = 0.0
    for k in range(low, high):
        for j in range(first, last):
            inner = 0.0
            for other in range(low, high):
                for i in range(first, last):
                    inner += gram[k * n_rows + j, other * n_rows + i] * step[i - first, other - low]
            total += step[j - first, k - low] * inner
    return total


@njit(**_INNER)
def _gram_subtract(gram: Any, span: Any, step: Any, gradient: Any) -> None:
    """gradient (K, m) -= G step."""
    first, last, low, high = span[0], span[1], span[2], span[3]
    n_classes, n_rows = gradient.shape
    for k in range(low, high):
        for j in range(first, last):
            amount = step[j - first, k - low]
            if amount != 0.0:
                row = gram[k * n_rows + j]
                for other in range(n_classes):
                    part = gradient[other]
                    for i in range(n_rows):
                        part[i] -= amount * row[other * n_rows + i]


@njit(**_INNER)
def _visit(
    sources: Any, gram: Any, block: int, plan: Any, penalty: Any, state: Any, model: Any, work: Any
) -> float:
    """Visit one block; return by how much model plus penalty fell, at least."""
    spans, levels, scale, metric = plan
    theta, base, residual, moved = state
    gradient, step, change, mean, sums = work
    span = spans[block]
    first, last, low, high = span[0], span[1], span[2], span[3]
    g = gradient[: last - first, : high - low]
    d = step[: last - first, : high - low]
    old = theta[first:last, low:high]
    if gram is None:
        block_gradient(sources, span, residual, sums, g)
        for j in range(last - first):
            for k in range(high - low):
                g[j, k] += base[low + k, first + j]
    else:
        for j in range(last - first):
            for k in range(high - low):
                g[j, k] = base[low + k, first + j]
    own = scale[first:last]
    slack = penalty[4]
    observed = length = 0.0
    for _ in range(MOST_RAISES):
        length = _propose(old, g, own, metric[block], penalty, levels[block], d)
        if length == 0.0:
            return 0.0
        if gram is None:
            block_change(sources, span, d, sums, change)
            observed = weighted_change(change, low, high, model, mean)
        else:
            observed = _gram_change(gram, span, theta.shape[0], d)
        if observed <= slack * metric[block] * length:
            break
        metric[block] = 1.05 * observed / length
    if gram is None:
        subtract(change, low, high, model, mean, residual, moved)
    else:
        _gram_subtract(gram, span, d, base)
    for j in range(last - first):
        for k in range(high - low):
            old[j, k] += d[j, k]
    gain: float = metric[block] * length - 0.5 * observed
    metric[block] = max(0.8 * metric[block], observed / length)
    return gain


@njit(**_INNER)
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
    sources: Any, gram: Any, plan: Any, penalty: Any, state: Any, model: Any, limits: Any
) -> tuple[int, float, int]:
    """Minimise quadratic model + penalty over the blocks, in place.

    One sweep over all blocks, then sweeps over the active ones until they gain little.

    Parameters
    ----------
    sources : tuple or None
        Columns of the blocks (:mod:`grpsparse.backend.rows`); None with a Gram matrix.
    gram : ndarray of shape (K m, K m) or None
        Z'WHZ of the rows, class after class; None in residual form.
    plan : tuple of spans, levels, scale, metric
        Spans, int64 (B, 8): first and last row, first and last class, storage, place in it,
        number of cells, start of the turn. Levels (B, 2): lambda * weight of the norm and of
        the elementwise part; 0, 0: unpenalised. Scale (m,): D. Metric (B,): s, updated.
    penalty : tuple of int, float, float, bool, float
        Code, its two parameters, whether rows of a block differ in D (linear penalties only),
        and by how much the observed curvature may exceed the metric.
    state : tuple of ndarrays theta (m, K), base (K, m), residual, moved (K, n)
        Coefficients, updated; gradient in double precision, updated with a Gram matrix; W (y -
        mu) - W H E as far as `base` does not hold it; E, the change of the linear predictor
        (empty: not wanted).
    model : tuple of two ndarrays (K, n)
        Probabilities where softmax, else empty; curvature (or probabilities) times weights.
    limits : tuple of int, float, float
        Largest number of sweeps; a sweep gaining less than the second number, or than the
        third times the first sweep, is the last.

    Returns
    -------
    sweeps : int
    gain : float
        Gain of the first sweep.
    visits : int
        Blocks visited.
    """
    spans = plan[0]
    theta, _, residual, _ = state
    n_blocks, n_classes = spans.shape[0], theta.shape[1]
    tallest = cells = 1
    for block in range(n_blocks):
        tallest = max(tallest, spans[block, 1] - spans[block, 0])
        cells = max(cells, spans[block, 6])
    n = residual.shape[1]
    work = (
        np.empty((tallest, n_classes)),
        np.empty((tallest, n_classes)),
        np.empty((n_classes, n), dtype=np.float32),
        np.empty(n if model[0].shape[0] else 0, dtype=np.float32),
        np.empty(cells + 1),
    )
    chosen = np.ones(n_blocks, dtype=np.bool_)
    max_sweeps, tolerance, share = limits
    opening = 0.0
    sweeps = visits = 0
    while sweeps < max_sweeps:
        gain = 0.0
        for block in range(n_blocks):
            if chosen[block]:
                gain += _visit(sources, gram, block, plan, penalty, state, model, work)
                visits += 1
        sweeps += 1
        if sweeps == 1:
            opening = gain
        if gain <= tolerance or (sweeps > 1 and gain <= share * opening):
            break
        _mark_active(spans, theta, chosen)
    return sweeps, opening, visits
