"""Class shifts of the symmetric softmax, where the penalty alone decides them.

Adding a constant to all classes of a row of coefficients leaves the softmax unchanged, so the
best constant minimises sum_k a_k |b_k - c| + r (b_k - c)^2 / 2: the median of the b_k by the
weights a_k and, with a ridge part (all a_k are then the same), of the intervals' own minimisers.
Coordinate steps find it too, but crawl.
"""

from __future__ import annotations

import numpy as np

from grpsparse.backend import LINEAR
from grpsparse.groups import FloatArray, IntArray
from grpsparse.penalties.dual import DOWN, UP
from grpsparse.problem import Problem

__all__ = ["class_shift"]


def class_shift(
    problem: Problem, spans: IntArray, levels: FloatArray, theta: FloatArray
) -> FloatArray | None:
    """Return the best constant of every row of theta (m, K), or None where none applies.

    Only blocks of one coefficient under a penalty that is linear plus ridge are shifted; larger
    blocks find their shift in the sweeps, penalties of all norms in their steps.
    """
    penalty = problem.penalty
    softmax = problem.data.family.hessian == "softmax"
    if not softmax or penalty.code != LINEAR or penalty.nested or penalty.joint:
        return None
    single = (spans[:, 1] - spans[:, 0] == 1) & (spans[:, 3] - spans[:, 2] == 1)
    single &= levels[:, 0] > 0
    rows = np.unique(spans[single, 0])
    rows = rows[(theta[rows] != 0).sum(axis=1) > 1]
    if not rows.size:
        return None
    weights = np.zeros(theta.shape)
    weights[spans[single, 0], spans[single, 2]] = levels[single, 0]
    constant = np.zeros(theta.shape[0])
    constant[rows] = _best_constant(theta[rows], *penalty.parameters, weights[rows])
    return constant


def _best_constant(
    values: FloatArray, alpha: float, ridge: float, weights: FloatArray
) -> FloatArray:
    count = values.shape[1]
    if ridge > 0:
        steps = alpha * (2.0 * np.arange(count + 1) - count) / ridge
        minimisers = (values.sum(axis=1, keepdims=True) - steps) / count
        constant: FloatArray = np.median(np.concatenate([values, minimisers], axis=1), axis=1)
        return constant
    order = np.argsort(values, axis=1)
    ordered = np.take_along_axis(values, order, axis=1)
    share = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    half = 0.5 * share[:, -1:]
    # the first value with half of the weight up to it, and the first with more than half
    low, high = (share < half * DOWN).sum(axis=1), (share <= half * UP).sum(axis=1)
    row = np.arange(values.shape[0])
    nearest: FloatArray = np.clip(0.0, ordered[row, low], ordered[row, np.minimum(high, count - 1)])
    return nearest
