"""The violation of stationarity of a point, recomputed.

The largest one over blocks, each over its weight, and over the orthonormal directions of the
unpenalised part.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from grpsparse.groups import BoolArray, FloatArray
from grpsparse.penalties import JointPenalty, NestedPenalty
from grpsparse.results.check_case import Case, Free, Point
from grpsparse.results.check_nested import largest_by_block, nested_left

__all__ = ["gradient_scale", "limits", "violation"]

SHORT = 1e-9  # relative, by which a norm may miss the least one that a prox gives


def violation(case: Case, point: Point, free: Free) -> float:
    """Return the largest violation of stationarity, over the largest gradient of the null fit."""
    penalised = (case.weight > 0) & (point.lambda_ > 0)
    violation = (_nested if case.penalty.nested else _radial)(case, point)
    relative = violation[penalised] / case.weight[penalised, None]
    left = free.spanned @ (case.rows.root * point.dual)
    worst = max(float(np.max(relative, initial=0.0)), float(np.linalg.norm(left)))
    return worst / gradient_scale(case)


def _nested(case: Case, point: Point) -> FloatArray:
    """Return what a nested penalty leaves of the gradient of every block, (G, K')."""
    return nested_left(
        cast(NestedPenalty, case.penalty),
        point.lambda_ * case.weight,
        case.coordinates.group,
        point.theta,
        point.correlation,
        shared=case.shared,
    )


def _radial(case: Case, point: Point) -> FloatArray:
    """Return what a penalty of norms leaves of the gradient of every block, (G, K')."""
    slope, limit, short = limits(case, point)
    active = point.norms > 0
    pull = np.divide(slope, point.norms, out=np.zeros_like(slope), where=active)
    balance = point.correlation - pull[case.coordinates.group] * point.theta
    too_steep = np.maximum(case.block_norms(point.correlation) - limit, 0.0)
    unbalanced = case.block_norms(balance) + short * case.curvature[:, None] * point.norms
    left: FloatArray = np.where(active, unbalanced, too_steep)
    return left


def limits(case: Case, point: Point) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return slopes, what a gradient may be where zero is, and which norms are too short."""
    norms, penalty, weight = point.norms, case.penalty, case.weight
    if penalty.joint:
        return _joint_limits(case, point)
    level = np.broadcast_to(point.lambda_ * weight[:, None], norms.shape)
    curvature = np.broadcast_to(case.curvature[:, None], norms.shape)
    least = penalty.least_norm(level, curvature) * (1.0 - SHORT)
    slope = penalty.radial_derivative(norms, level)
    return slope, penalty.zero_limit(level, curvature), norms < least


def _joint_limits(case: Case, point: Point) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return the same for a penalty of all norms, class by class where they are separate."""
    penalty, seen = cast(JointPenalty, case.penalty), case.weight > 0
    slope, limit = np.zeros_like(point.norms), np.zeros_like(point.norms)
    short = np.zeros(point.norms.shape, dtype=np.bool_)
    for k in range(point.norms.shape[1]):
        given = (point.norms[seen, k], case.weight[seen], point.lambda_)
        slope[seen, k] = penalty.joint_slope(*given)
        limit[seen, k] = penalty.joint_limit(*given, case.curvature[seen], case.together)
        least = penalty.joint_least(*given, case.together) * (1.0 - SHORT)
        short[seen, k] = np.linalg.norm(given[0]) < least
    return slope, limit, short


def gradient_scale(case: Case) -> float:
    """Return the largest gradient of a penalised block at the null fit, over its weight.

    That is its largest entry for a nested penalty, its norm for others.
    Where nothing is penalised, the size of the null fit's residual takes its place.
    """
    rows, penalised = case.rows, case.weight > 0
    if not penalised.any():
        return float(np.sqrt(rows.share @ np.sum(rows.residual(case.null) ** 2, axis=1)))
    gradient = case.coordinates.rows @ (rows.root * rows.residual(case.start))
    if case.penalty.nested:
        n_groups, group = case.weight.size, case.coordinates.group
        sizes = largest_by_block(gradient, group, n_groups, shared=case.shared)[penalised]
    else:
        sizes = case.block_norms(gradient)[penalised]
    return float(np.max(sizes / case.weight[penalised, None]))
