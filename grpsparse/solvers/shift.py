"""Class shifts of the symmetric softmax, where the penalty alone decides them.

Adding a constant to all classes of a row of coefficients leaves the softmax unchanged, so the
best constant minimises sum_k a |b_k - c| + r (b_k - c)^2 / 2: the median of the b_k and, with
a ridge part, of the intervals' own minimisers. Coordinate steps find it too, but crawl.
"""

from __future__ import annotations

import numpy as np

from grpsparse.backend import LINEAR
from grpsparse.groups import FloatArray, IntArray
from grpsparse.problem import Problem

__all__ = ["class_shift"]


def class_shift(
    problem: Problem, spans: IntArray, levels: FloatArray, theta: FloatArray
) -> FloatArray | None:
    """Return the best constant of every row of theta (m, K), or None where none applies.

    Only single rows with separate classes and a penalty that is linear plus ridge are
    shifted; larger blocks find their shift in the sweeps, penalties of all norms in their steps.
    """
    softmax = problem.data.family.hessian == "softmax"
    penalty = problem.penalty
    if not softmax or problem.blocks.shared or penalty.joint or penalty.code != LINEAR:
        return None
    single = (spans[:, 1] - spans[:, 0] == 1) & (levels[:, 0] > 0)
    rows = np.unique(spans[single, 0])
    rows = rows[(theta[rows] != 0).sum(axis=1) > 1]
    if not rows.size:
        return None
    constant = np.zeros(theta.shape[0])
    constant[rows] = _best_constant(theta[rows], *penalty.parameters)
    return constant


def _best_constant(values: FloatArray, alpha: float, ridge: float) -> FloatArray:
    count = values.shape[1]
    if ridge > 0:
        steps = alpha * (2.0 * np.arange(count + 1) - count) / ridge
        minimisers = (values.sum(axis=1, keepdims=True) - steps) / count
        constant: FloatArray = np.median(np.concatenate([values, minimisers], axis=1), axis=1)
        return constant
    ordered = np.sort(values, axis=1)
    nearest: FloatArray = np.clip(0.0, ordered[:, (count - 1) // 2], ordered[:, count // 2])
    return nearest
