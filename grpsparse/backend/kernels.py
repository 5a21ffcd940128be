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

from grpsparse.backend.compiling import INNER, KERNEL, LEAN, ONCE
from grpsparse.backend.lazy import lazy_change, lazy_flush, lazy_gradient, lazy_subtract
from grpsparse.backend.rows import SPARSE, block_change, block_gradient, subtract, weighted_change
from grpsparse.backend.steps import accept, plain_step, turned_step

__all__ = ["descend"]

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


@njit(**ONCE, **LEAN)
def _gram_gradient(spans: Any, block: int, base: Any, gradient: Any) -> None:
    """Fill the block's gradient (m, K) from that of all coordinates (K, m)."""
    first, last, low, high = spans[block, 0], spans[block, 1], spans[block, 2], spans[block, 3]
    for j in range(last - first):
        for k in range(high - low):
            gradient[j, k] = base[low + k, first + j]


@njit(**ONCE, **LEAN)
def _rows_gradient(
    sources: Any,
    factors: Any,
    sparse: Any,
    spans: Any,
    block: int,
    state: Any,
    chances: Any,
    curvature: Any,
    work: Any,
) -> bool:
    """Fill the block's gradient (m, K); return whether the visit touches its own rows only."""
    rows, frames = sources
    base, residual, moved = state[1], state[2], state[3]
    gradient, sums, lazy, raw = work[0], work[4], work[5], work[6]
    first, last, low, high = spans[block, 0], spans[block, 1], spans[block, 2], spans[block, 3]
    alone = False
    if sparse is not None:
        if chances is None:
            alone = spans[block, 4] == SPARSE and residual.shape[0] == 1
            if alone:
                lazy_gradient(sparse, frames, spans, block, residual, curvature, lazy, gradient)
            else:
                lazy_flush(lazy, curvature, residual, moved)
    if not alone:
        block_gradient(rows, factors, sparse, frames, spans, block, residual, sums, raw, gradient)
    for j in range(last - first):
        for k in range(high - low):
            gradient[j, k] += base[low + k, first + j]
    return alone


@njit(**ONCE, **LEAN)
def _rows_change(
    sources: Any,
    factors: Any,
    sparse: Any,
    spans: Any,
    block: int,
    alone: bool,
    bound: float,
    state: Any,
    chances: Any,
    curvature: Any,
    work: Any,
) -> float:
    """Return the curvature along the step; a visit to own rows only has taken the step then."""
    rows, frames = sources
    gradient, step, change, mean, sums, lazy, after, _ = work
    observed = 0.0
    if sparse is not None:
        if chances is None:
            if alone:
                _, base, residual, moved = state
                lazy_subtract(
                    sparse, frames, spans, block, step, 1.0, curvature, lazy, residual, moved
                )
                lazy_gradient(sparse, frames, spans, block, residual, curvature, lazy, after)
                observed = lazy_change(spans, block, step, gradient, base, after, bound)
    if not alone:
        block_change(rows, factors, sparse, frames, spans, block, step, sums, after, change)
        low, high = spans[block, 2], spans[block, 3]
        observed = weighted_change(change, low, high, chances, curvature, mean)
    return observed


@njit(**ONCE, **LEAN)
def _rows_settle(
    sources: Any,
    sparse: Any,
    spans: Any,
    block: int,
    alone: bool,
    covered: bool,
    state: Any,
    chances: Any,
    curvature: Any,
    work: Any,
) -> None:
    """Take a step that the metric covers; undo one that was taken and is not covered."""
    step, change, mean, lazy = work[1], work[2], work[3], work[5]
    residual, moved = state[2], state[3]
    if sparse is not None:
        if chances is None:
            if alone and not covered:
                lazy_subtract(
                    sparse, sources[1], spans, block, step, -1.0, curvature, lazy, residual, moved
                )
    if covered and not alone:
        low, high = spans[block, 2], spans[block, 3]
        subtract(change, low, high, chances, curvature, mean, residual, moved)


@njit(**ONCE, **LEAN)
def _is_active(spans: Any, block: int, theta: Any) -> bool:
    """Return whether the block has a nonzero coefficient."""
    active = False
    for j in range(spans[block, 0], spans[block, 1]):
        for k in range(spans[block, 2], spans[block, 3]):
            if theta[j, k] != 0.0:
                active = True
    return active


@njit(cache=True, **KERNEL, **LEAN)
def descend(  # noqa: C901, PLR0912, PLR0915
    sources: Any,
    factors: Any,
    sparse: Any,
    gram: Any,
    plan: Any,
    code: Any,
    penalty: Any,
    state: Any,
    chances: Any,
    curvature: Any,
    work: Any,
    limits: Any,
) -> tuple[int, float, float, float, float]:
    """Minimise quadratic model + penalty over the blocks, in place.

    Sweeps over all blocks alternate with sweeps over the active ones until these gain little.
    A block that no metric covers is left alone.

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
    code : int or None
        Of the penalty; None where coordinates of blocks may differ in D (linear penalties only).
    penalty : tuple of float, float, float, float
        Its two parameters, by how much the observed curvature may exceed the metric, and the
        least s.
    state : tuple of theta (m, K), base (K, m), residual (K, n), moved (K, n)
        Coefficients, updated; gradient in double precision, updated with a Gram matrix; W (y -
        mu) - W H E as far as `base` does not hold it; E, the change of the linear predictor, or
        None where nobody asks for it. The last two are None with a Gram matrix.
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
    opening : float
        Gain of the last sweep over all blocks.
    total, before, last : float
        Gains of all sweeps, of the one before the last, and of the last.
    """
    spans, metric = plan[0], plan[3]
    theta, base = state[0], state[1]
    gradient, step, chosen = work[0], work[1], work[7]
    max_sweeps, tolerance, share, max_full = limits
    opening = total = before = gain = 0.0
    sweeps = full = 0
    whole = True
    while sweeps < max_sweeps:
        before, gain = gain, 0.0
        for block in range(spans.shape[0]):
            if not (whole or chosen[block]):
                continue
            # A visit, written out here: only a kernel's own branches on what is None are pruned
            # before functions are made part of it, so that those of another form cost nothing.
            alone = False
            if sources is not None:
                alone = _rows_gradient(
                    sources, factors, sparse, spans, block, state, chances, curvature, work
                )
            if gram is not None:
                _gram_gradient(spans, block, base, gradient)
            for _ in range(MOST_RAISES):
                length = observed = 0.0
                if code is None:
                    length = turned_step(plan, block, theta, gradient, penalty, step)
                if code is not None:
                    length = plain_step(code, plan, block, theta, gradient, penalty, step)
                if length == 0.0:
                    break
                if sources is not None:
                    bound = metric[block] * length
                    observed = _rows_change(
                        sources,
                        factors,
                        sparse,
                        spans,
                        block,
                        alone,
                        bound,
                        state,
                        chances,
                        curvature,
                        work,
                    )
                if gram is not None:
                    observed = _gram_change(gram, spans, block, theta.shape[0], step)
                covered = observed <= penalty[2] * metric[block] * length
                if sources is not None:
                    _rows_settle(
                        sources,
                        sparse,
                        spans,
                        block,
                        alone,
                        covered,
                        state,
                        chances,
                        curvature,
                        work,
                    )
                if covered:
                    if gram is not None:
                        _gram_subtract(gram, spans, block, step, base)
                    gain += accept(plan, block, theta, penalty, step, observed, length)
                    break
                metric[block] = 1.05 * observed / length
            chosen[block] = _is_active(spans, block, theta)
        sweeps += 1
        total += gain
        if whole:
            full += 1
            opening = gain
        little = gain <= tolerance or (not whole and gain <= share * opening)
        if little and (whole or full >= max_full):
            break
        whole = little
    if sparse is not None:
        if chances is None:
            lazy_flush(work[5], curvature, state[2], state[3])
    return sweeps, opening, total, before, gain
