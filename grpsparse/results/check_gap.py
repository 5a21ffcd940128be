"""The duality gap of a point, recomputed.

The residual y - mu is made orthogonal to the intercept and the unpenalised coordinates and scaled
into the dual ball of the penalty; with the conjugates of loss and penalty it bounds the objective
from below.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from grpsparse.groups import BoolArray, FloatArray
from grpsparse.results.check_case import Case, Free, Point
from grpsparse.results.check_conjugate import conjugate, mixture
from grpsparse.results.check_loss import project_out, settled
from grpsparse.results.check_overlap import Overlap

__all__ = ["duality_gap"]

HALVINGS = 64


def duality_gap(case: Case, point: Point, free: Free) -> float:
    """Return the gap between objective and dual value, over f(null) - f(saturated)."""
    if case.overlap is not None:
        return _overlap_gap(case, case.overlap, point, free)
    penalty = case.penalty
    penalised = (case.weight > 0) & (point.lambda_ > 0)
    shape = (int(penalised.sum()), point.norms.shape[1])
    level = np.broadcast_to(point.lambda_ * case.weight[penalised, None], shape)
    single: FloatArray = np.where(penalised, point.lambda_ * penalty.l1_fraction, 0.0)
    value = float(np.sum(penalty.radial_value(point.norms[penalised], level)))
    if penalty.matrix:
        value = point.lambda_ * float(_singular_values(case, point.theta, case.weight).sum())
    value += float(np.sum(single[case.coordinates.group, None] * np.abs(point.theta)))

    # the penalty is slope * norm + bend * norm**2 / 2, and the single coefficients
    slope = penalty.radial_derivative(np.zeros_like(level), level)
    bend = penalty.radial_curvature(np.ones_like(level), level)
    bent = bend > 0
    bound = np.where(bent, np.inf, slope)
    scale = _largest_scale(case, point, single, penalised, bound)
    if _outside(case, point, free, scale):
        point = _inside(case, point, free)
        scale = _largest_scale(case, point, single, penalised, bound)
    excess = np.maximum(_sizes(case, scale * point.correlation, single)[penalised] - slope, 0.0)
    against = float(np.sum(excess[bent] ** 2 / (2.0 * bend[bent])))

    return _gap(case, point, free, scale, value + against)


def _overlap_gap(case: Case, overlap: Overlap, point: Point, free: Free) -> float:
    """Return the same where norms are of groups that overlap."""
    at = point.lambda_
    value = at * overlap.value(point.theta)
    scale = overlap.scale(point.correlation, point.theta, at)
    if _outside(case, point, free, scale):
        point = _inside(case, point, free)
        scale = overlap.scale(point.correlation, point.theta, at)
    return _gap(case, point, free, scale, value)


def _gap(case: Case, point: Point, free: Free, scale: float, paid: float) -> float:
    """Return loss and what is paid less the dual value of a scaled point, relatively."""
    rows = case.rows
    # the dual point is orthogonal to the unpenalised fit, which may so stand for the offset
    gap = _lost(case, point, free, scale) + paid
    return gap / (rows.loss(case.null) - rows.saturated())


def _outside(case: Case, point: Point, free: Free, scale: float) -> bool:
    """Return whether a scaled dual point is outside the domain of the loss's conjugate."""
    rows = case.rows
    if rows.partial is not None:  # its dual points are shares by themselves
        return False
    return mixture(rows.family, rows.y, scale * point.dual, scale * free.inner) > 0


def _lost(case: Case, point: Point, free: Free, scale: float) -> float:
    """Return the loss and its conjugate at the scaled dual point."""
    rows = case.rows
    if rows.partial is not None:
        slack = float(np.linalg.norm(free.spanned @ (rows.root * point.dual)))
        bound = rows.partial.conjugate(point.dual, point.settled, scale, case.start, slack)
        return rows.loss(point.eta) + bound
    lost = rows.family.loss(rows.y, point.eta) + conjugate(
        rows.family, rows.y, scale * point.dual, case.start
    )
    return float(rows.share @ lost)


def _inside(case: Case, point: Point, free: Free) -> Point:
    """Return the point with its dual point brought into the domain.

    The unpenalised part is settled to rounding; what is still outside is mixed with `inner`.
    """
    rows = case.rows
    residual = rows.residual(settled(rows, free.spanned, point.eta))
    dual = project_out(residual, free.spanned, rows.root)
    share = mixture(rows.family, rows.y, dual, free.inner)
    if share > 0:
        dual = (1.0 - share) * dual + share * free.inner
    return replace(point, dual=dual, correlation=case.coordinates.rows @ (rows.root * dual))


def _singular_values(case: Case, values: FloatArray, factor: FloatArray) -> FloatArray:
    """Return the singular values of a matrix (q, K), rows times the factors (G,) of groups."""
    rows = factor[case.coordinates.group, None] * values
    return np.asarray(np.linalg.svd(rows, compute_uv=False))


def _sizes(case: Case, correlation: FloatArray, single: FloatArray) -> FloatArray:
    """Return the norms of blocks after soft-thresholding, (G, 1) or (G, K)."""
    cut = single[case.coordinates.group, None]
    return case.block_norms(np.maximum(np.abs(correlation) - cut, 0.0))


def _largest_scale(
    case: Case, point: Point, single: FloatArray, penalised: BoolArray, bound: FloatArray
) -> float:
    """Return the largest factor up to 1 that takes the correlations into the dual ball."""

    def inside(scale: float) -> bool:
        sizes = _sizes(case, scale * point.correlation, single)[penalised]
        return bool((sizes <= bound).all())

    if case.penalty.matrix and penalised.any():
        inverse = np.divide(1.0, case.weight, out=np.zeros_like(case.weight), where=penalised)
        top = float(_singular_values(case, point.correlation, inverse).max(initial=0.0))
        return min(1.0, point.lambda_ / top) if top > 0 else 1.0
    if not single.any():
        sizes = case.block_norms(point.correlation)[penalised]
        over = sizes > bound
        return float(np.min(bound[over] / sizes[over], initial=1.0))
    if inside(1.0):
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if inside(middle) else (low, middle)
    return low
