"""One block's step: the proximal map of its penalty in a metric that bounds its curvature.

In the metric s D the step minimises b's D b / 2 - u'b + p(||b||), u the gradient plus s D
times the old coefficients. Where D is one number that is a scalar prox; where every row has
its own, the norm solves one equation. :mod:`grpsparse.backend.kernels` says what `plan` and
`penalty` hold.
"""

from __future__ import annotations

import math
from typing import Any

from numba import njit

from grpsparse.backend.compiling import INNER, LEAN, ONCE
from grpsparse.backend.prox import radial_prox

__all__ = ["accept", "plain_step", "turned_step"]

ROOT_ACCURACY = 1e-9  # of the one-dimensional equation for a block's norm
MOST_ROOT_STEPS = 50


@njit(**ONCE, **LEAN)
def _block_norm(
    target: Any,
    m: int,
    width: int,
    scale: Any,
    first: int,
    metric: float,
    level: float,
    penalty: Any,
) -> float:
    """Return the norm r of the minimiser: sum u_j^2 / ((s D_j + b l) r + a l)^2 = 1, or 0."""
    fixed, curved = penalty[0] * level, penalty[1] * level
    total = largest = 0.0
    for j in range(m):
        largest = max(largest, scale[first + j])
        for k in range(width):
            total += target[j, k] * target[j, k]
    if total <= fixed * fixed:
        return 0.0
    norm: float = (math.sqrt(total) - fixed) / (metric * largest + curved)
    for _ in range(MOST_ROOT_STEPS):
        square = slope = 0.0
        for j in range(m):
            bend = metric * scale[first + j] + curved
            inverse = 1.0 / (bend * norm + fixed)
            part = 0.0
            for k in range(width):
                part += target[j, k] * target[j, k]
            part *= inverse * inverse
            square += part
            slope += part * bend * inverse
        # 1 / root is concave in r, so that Newton's method from the left never passes it
        change = square * (math.sqrt(square) - 1.0) / slope
        norm += change
        if abs(change) <= ROOT_ACCURACY * norm:
            break
    return norm


@njit(**INNER, **LEAN)
def turned_step(plan: Any, block: int, theta: Any, gradient: Any, penalty: Any, step: Any) -> float:
    """Fill `step` where every row has its own curvature; return its squared length in D."""
    spans, levels, scale, metrics = plan
    first, low = spans[block, 0], spans[block, 2]
    m, width = spans[block, 1] - first, spans[block, 3] - low
    metric, level = metrics[block], levels[block, 0]
    for j in range(m):
        for k in range(width):
            old = theta[first + j, low + k]
            step[j, k] = gradient[j, k] + metric * scale[first + j] * old
    norm = 1.0
    if level > 0.0:
        norm = _block_norm(step, m, width, scale, first, metric, level, penalty)
    length = 0.0
    for j in range(m):
        factor = 0.0
        if norm > 0.0:
            bend = metric * scale[first + j]
            factor = 1.0 / (bend + level * (penalty[1] + penalty[0] / norm))
        for k in range(width):
            step[j, k] = step[j, k] * factor - theta[first + j, low + k]
            length += scale[first + j] * step[j, k] * step[j, k]
    return length


@njit(**INNER, **LEAN)
def plain_step(
    code: int, plan: Any, block: int, theta: Any, gradient: Any, penalty: Any, step: Any
) -> float:
    """Fill `step` where one scalar is the metric; return its squared length in D."""
    spans, levels, scale, metrics = plan
    first, low = spans[block, 0], spans[block, 2]
    m, width = spans[block, 1] - first, spans[block, 3] - low
    inverse = 1.0 / (metrics[block] * scale[first])
    level, cut = levels[block, 0], levels[block, 1] * inverse
    square = 0.0
    for j in range(m):
        for k in range(width):
            target = theta[first + j, low + k] + gradient[j, k] * inverse
            if cut > 0.0:
                target = math.copysign(max(abs(target) - cut, 0.0), target)
            step[j, k] = target
            square += target * target
    ratio = 1.0
    if level > 0.0:
        norm = math.sqrt(square)
        ratio = 0.0
        if norm > 0.0:
            ratio = radial_prox(code, penalty[0], penalty[1], norm, inverse, level) / norm
    length = 0.0
    for j in range(m):
        for k in range(width):
            step[j, k] = step[j, k] * ratio - theta[first + j, low + k]
            length += step[j, k] * step[j, k]
    scaled: float = length * scale[first]
    return scaled


@njit(**ONCE, **LEAN)
def accept(
    plan: Any, block: int, theta: Any, penalty: Any, step: Any, observed: float, length: float
) -> float:
    """Move a block, bring its metric nearer to the curvature seen, and return the gain."""
    spans, metric = plan[0], plan[3]
    first, last, low, high = spans[block, 0], spans[block, 1], spans[block, 2], spans[block, 3]
    for j in range(last - first):
        for k in range(high - low):
            theta[first + j, low + k] += step[j, k]
    gain: float = metric[block] * length - 0.5 * observed
    seen = max(observed / length, penalty[3])  # a maximum of three would be compiled by itself
    metric[block] = max(0.8 * metric[block], seen)
    return gain
