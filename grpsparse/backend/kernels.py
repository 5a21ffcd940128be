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

from typing import Any

from numba import njit

from grpsparse.backend.compiling import INNER, KERNEL, LEAN
from grpsparse.backend.lazy import lazy_flush, lazy_gradient, lazy_subtract
from grpsparse.backend.rows import SPARSE, block_change, block_gradient, subtract, weighted_change
from grpsparse.backend.steps import accept, propose

__all__ = ["descend"]

UNSEEN = 1e-6  # square of the relative change of a gradient in single precision that tells nothing
MOST_RAISES = 60  # of a block's metric in one visit


@njit(**INNER, **LEAN)
def _gram_change(gram: Any, spans: Any, block: int, n_rows: int, step: Any) -> float:
    """Return step' G step of one block; variables are rows, class after class."""
    first, last, low, high = spans[block, 0], spans[block, 1], spans[block, 2], spans[block, 3]
    total = 0.0
    for k in range(low, high):
        for j in range(first, last):
            inner = 0.0
            for other in range(low, high):
                row = gram[k * n_rows + j, other * n_rows + first : other * n_rows + last]
                for i in range(last - first):
                    inner += row[i] * step[i, other - low]
            total += step[j - first, k - low] * inner
    return total


@njit(**INNER, **LEAN)
def _gram_subtract(gram: Any, spans: Any, block: int, step: Any, gradient: Any) -> None:
    """Take G step off the gradient (K, m)."""
    first, last, low, high = spans[block, 0], spans[block, 1], spans[block, 2], spans[block, 3]
    n_classes, n_rows = gradient.shape
    for k in range(low, high):
        for j in range(first, last):
            amount = step[j - first, k - low]
            if amount != 0.0:
                for other in range(n_classes):
                    # a slice: an index that is a sum might be negative, and would stay scalar
                    row = gram[k * n_rows + j, other * n_rows : (other + 1) * n_rows]
                    for i in range(n_rows):
                        gradient[other, i] -= amount * row[i]


@njit(**INNER, **LEAN)
def _residual_visit(
    sources: Any,
    sparse: Any,
    factors: Any,
    spans: Any,
    block: int,
    plan: Any,
    penalty: Any,
    state: Any,
    chances: Any,
    curvature: Any,
    work: Any,
) -> float:
    """Visit one block in residual form; return by how much model plus penalty fell."""
    rows, frames = sources
    theta, base, residual, moved = state
    gradient, step, change, mean, sums, lazy = work[:6]
    first, last, low, high = spans[block, 0], spans[block, 1], spans[block, 2], spans[block, 3]
    if sparse is not None:
        if chances is None:
            if spans[block, 4] == SPARSE:
                fall: float = _lazy_visit(
                    sparse, frames, spans, block, plan, penalty, state, curvature, work
                )
                return fall
            lazy_flush(lazy, curvature, residual, moved)
    block_gradient(rows, factors, sparse, frames, spans, block, residual, sums, gradient)
    for j in range(last - first):
        for k in range(high - low):
            gradient[j, k] += base[low + k, first + j]
    metric = plan[2]
    observed = length = 0.0
    for _ in range(MOST_RAISES):
        length = propose(spans, block, plan, theta, gradient, penalty, step)
        if length == 0.0:
            return 0.0
        block_change(rows, factors, sparse, frames, spans, block, step, sums, change)
        observed = weighted_change(change, low, high, chances, curvature, mean)
        if observed <= penalty[4] * metric[block] * length:
            break
        metric[block] = 1.05 * observed / length
    subtract(change, low, high, chances, curvature, mean, residual, moved)
    gain: float = accept(spans, block, plan, penalty, theta, step, observed, length)
    return gain


@njit(**INNER, **LEAN)
def _lazy_visit(
    sparse: Any,
    frames: Any,
    spans: Any,
    block: int,
    plan: Any,
    penalty: Any,
    state: Any,
    curvature: Any,
    work: Any,
) -> float:
    """Visit one block of sparse columns, touching their own rows only.

    The curvature along a step is seen in the gradient after it.
    """
    theta, base, residual, moved = state
    gradient, step, lazy, after = work[0], work[1], work[5], work[6]
    first, last = spans[block, 0], spans[block, 1]
    metric = plan[2]
    lazy_gradient(sparse, frames, spans, block, residual, curvature, lazy, gradient)
    for j in range(last - first):
        gradient[j, 0] += base[0, first + j]
    observed = length = 0.0
    for _ in range(MOST_RAISES):
        length = propose(spans, block, plan, theta, gradient, penalty, step)
        if length == 0.0:
            return 0.0
        lazy_subtract(sparse, frames, spans, block, step, 1.0, curvature, lazy, residual, moved)
        lazy_gradient(sparse, frames, spans, block, residual, curvature, lazy, after)
        size = change = observed = 0.0
        for j in range(last - first):
            moving = gradient[j, 0] - base[0, first + j] - after[j, 0]
            observed += step[j, 0] * moving
            change += moving * moving
            size += gradient[j, 0] * gradient[j, 0]
        if change <= UNSEEN * size:  # rounding hides it
            observed = metric[block] * length
        if observed <= penalty[4] * metric[block] * length:
            gain: float = accept(spans, block, plan, penalty, theta, step, observed, length)
            return gain
        lazy_subtract(sparse, frames, spans, block, step, -1.0, curvature, lazy, residual, moved)
        metric[block] = 1.05 * observed / length
    return 0.0


@njit(**INNER, **LEAN)
def _gram_visit(
    gram: Any, spans: Any, block: int, plan: Any, penalty: Any, state: Any, work: Any
) -> float:
    """Visit one block on a Gram matrix; return by how much model plus penalty fell."""
    theta, base = state[0], state[1]
    gradient, step = work[0], work[1]
    first, last, low, high = spans[block, 0], spans[block, 1], spans[block, 2], spans[block, 3]
    for j in range(last - first):
        for k in range(high - low):
            gradient[j, k] = base[low + k, first + j]
    metric = plan[2]
    observed = length = 0.0
    for _ in range(MOST_RAISES):
        length = propose(spans, block, plan, theta, gradient, penalty, step)
        if length == 0.0:
            return 0.0
        observed = _gram_change(gram, spans, block, theta.shape[0], step)
        if observed <= penalty[4] * metric[block] * length:
            break
        metric[block] = 1.05 * observed / length
    _gram_subtract(gram, spans, block, step, base)
    gain: float = accept(spans, block, plan, penalty, theta, step, observed, length)
    return gain


@njit(**INNER, **LEAN)
def _mark_active(spans: Any, theta: Any, active: Any) -> None:
    """Mark the blocks with a nonzero coefficient."""
    for block in range(spans.shape[0]):
        active[block] = False
        for j in range(spans[block, 0], spans[block, 1]):
            for k in range(spans[block, 2], spans[block, 3]):
                if theta[j, k] != 0.0:
                    active[block] = True


@njit(cache=True, **KERNEL, **LEAN)
def descend(
    sources: Any,
    factors: Any,
    sparse: Any,
    gram: Any,
    plan: Any,
    penalty: Any,
    state: Any,
    chances: Any,
    curvature: Any,
    work: Any,
    limits: Any,
) -> tuple[int, float]:
    """Minimise quadratic model + penalty over the blocks, in place.

    Sweeps over all blocks alternate with sweeps over the active ones until these gain little.

    Parameters
    ----------
    sources : tuple of rows, frames, or None
        See :mod:`grpsparse.backend.rows`; None with a Gram matrix.
    factors, sparse : tuple or None
        Storages other than dense rows, where there are any.
    gram : ndarray of shape (K m, K m) or None
        Z'WHZ of the coordinates, class after class; None in residual form.
    plan : tuple of spans, levels, scale, metric
        Spans, int64 (B, 8). Levels (B, 2): lambda * weight of the norm and of the elementwise
        part; 0, 0: unpenalised. Scale (m,): D. Metric (B,): s, updated.
    penalty : tuple of int, float, float, bool, float, float
        Code, its two parameters, whether coordinates of a block differ in D (linear penalties
        only), by how much the observed curvature may exceed the metric, and the least s.
    state : tuple of theta (m, K), base (K, m), residual (K, n), moved (K, n)
        Coefficients, updated; gradient in double precision, updated with a Gram matrix; W (y -
        mu) - W H E as far as `base` does not hold it; E, the change of the linear predictor.
        The last two are None with a Gram matrix.
    chances : ndarray of shape (K, n) or None
        Probabilities of the softmax.
    curvature : ndarray of shape (K, n) or None
        Curvature, or probabilities, times weights.
    work : tuple of ndarrays
        From :func:`grpsparse.backend.scratch.scratch`.
    limits : tuple of int, float, float, int
        Largest number of sweeps; the gain of a sweep over all blocks at which it was the last;
        the share of that gain at which sweeps over the active blocks end; how many sweeps over
        all blocks there may be.

    Returns
    -------
    sweeps : int
    gain : float
        Gain of the last sweep over all blocks.
    """
    spans, parts = plan[0], plan[1:]
    max_sweeps, tolerance, share, max_full = limits
    opening = 0.0
    sweeps = full = 0
    whole, chosen = True, work[7]
    chosen[:] = True
    while sweeps < max_sweeps:
        gain = 0.0
        for block in range(spans.shape[0]):
            if not chosen[block]:
                continue
            # a storage that is None is pruned where this is compiled
            if sources is not None:
                gain += _residual_visit(
                    sources,
                    sparse,
                    factors,
                    spans,
                    block,
                    parts,
                    penalty,
                    state,
                    chances,
                    curvature,
                    work,
                )
            if gram is not None:
                gain += _gram_visit(gram, spans, block, parts, penalty, state, work)
        sweeps += 1
        if whole:
            full += 1
            opening = gain
        if gain <= tolerance or (not whole and gain <= share * opening):
            if whole or full >= max_full:
                break
            whole = True
            chosen[:] = True
        else:
            whole = False
            _mark_active(spans, state[0], chosen)
    if sparse is not None:
        if chances is None:
            lazy_flush(work[5], curvature, state[2], state[3])
    return sweeps, opening
