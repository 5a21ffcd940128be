"""Certificates: how far a point can be from the optimum, without trusting the solver.

Convex problems: the duality gap. theta = y - mu is made orthogonal to intercept and
unpenalised columns, U'W theta = 0, then scaled into the dual unit ball of the penalty;
D(theta) = -sum_i w_i phi_i*(-theta_i) - p*(Z'W theta). Because theta is orthogonal to U, the
offset in phi* may be replaced by the null fit's linear predictor, which saves digits.
Projecting can push a fitted mean of nearly 0 or 1 out of its range: then the unpenalised part
is solved once more, and if that is not enough, a mixture with the null fit's residual, which
is orthogonal to U too, brings it back. The gap is reported over f(null) - f(saturated), so
units of y and X drop out.

Nonconvex problems: directional stationarity. The largest violation over blocks, each over its
weight, the gradient's norm on an orthonormal basis of the unpenalised directions, over the largest
gradient of the null fit over its weight, which is lambda_max where a penalty is as steep as lambda.
Where p'(0+) is infinite every zero is stationary in that sense; there a block has to be its own
proximal point at step 1 / L_g, L_g a bound on the loss's curvature along it: a zero block by
the size of its gradient, an active one by being no shorter than such a point can be. A penalty of
all norms is judged by its norms together, with a bound along all penalised groups at once. A nested
penalty has a slope for every coefficient, and a block's violation is the largest of its
coefficients'.

A group that a bound has cleared (:mod:`grpsparse.screening`) limits neither: its correlation
is proven to be inside the ball, where the conjugate is zero and zero is stationary. So a
certificate asks for the correlations of the other groups only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from grpsparse.groups import FloatArray
from grpsparse.penalties import ConvexPenalty, OverlapNorm
from grpsparse.penalties.nested import largest_entries
from grpsparse.problem.blocks import Blocks
from grpsparse.problem.null import Basis, unpenalised_basis
from grpsparse.problem.problem import Problem, State
from grpsparse.problem.smooth import Observed, newton

__all__ = ["Checked", "certify", "dual_point", "left_over", "violation"]

POLISHING_STEPS = 10
SMALLEST_MIXTURE = 1e-16
MIXTURE_STEP = 1.1  # ratio to which the smallest share is searched


@dataclass(frozen=True, slots=True)
class Checked:
    """The groups that a certificate looks at; all others are proven to be optimal at zero.

    Parameters
    ----------
    blocks : Blocks
        Theirs, rows one group after the other.
    correlation : ndarray of shape (r, K)
        Z'W dual of their rows.
    theta : ndarray of shape (r, K)
        Their coefficients, empty for a convex problem, unless norms overlap: only stationarity and
        the dual ball of such norms ask for them.
    """

    blocks: Blocks
    correlation: FloatArray
    theta: FloatArray


def dual_point(problem: Problem, state: State, lambda_: float) -> FloatArray:
    """Return the residual (n, K) whose correlations a certificate needs.

    For a convex problem it is orthogonal to everything without penalty.
    """
    residual = problem.data.residual(state.eta)
    if not problem.penalty.convex:
        return residual
    return _basis(problem, lambda_).project_out(residual, problem.data.weights)


def certify(
    problem: Problem,
    state: State,
    lambda_: float,
    dual: FloatArray,
    checked: Checked,
    *,
    penalty: float,
) -> float:
    """Return the relative duality gap or violation of stationarity of a point.

    Parameters
    ----------
    problem, state, lambda_
    dual : ndarray of shape (n, K)
        From :func:`dual_point`.
    checked : Checked
        What is known of its correlations.
    penalty : float
        Penalty of the point.
    """
    if problem.penalty.convex:
        return _duality_gap(problem, state, lambda_, dual, checked, penalty)
    return _stationarity(problem, lambda_, dual, checked)


def _duality_gap(
    problem: Problem,
    state: State,
    lambda_: float,
    dual: FloatArray,
    checked: Checked,
    paid: float,
) -> float:
    value = _dual_value(problem, state, dual, lambda_, checked)
    if not np.isfinite(value):
        basis = _basis(problem, lambda_)
        theta = checked.theta
        eta, polished = _polished(problem, state, basis)
        value = _whole_dual_value(problem, replace(state, eta=eta), polished, lambda_, theta)
        if not np.isfinite(value):
            inside = _inside(problem, state, dual, basis)
            value = _whole_dual_value(problem, state, inside, lambda_, theta)
    return (state.loss + paid - value) / problem.scale


def _whole_dual_value(
    problem: Problem, state: State, dual: FloatArray, lambda_: float, theta: FloatArray
) -> float:
    checked = Checked(problem.blocks, problem.correlate(dual), theta)
    return _dual_value(problem, state, dual, lambda_, checked)


def _dual_value(
    problem: Problem, state: State, dual: FloatArray, lambda_: float, checked: Checked
) -> float:
    """Return the dual objective of a point scaled into the ball."""
    blocks, correlation = checked.blocks, checked.correlation
    penalty = cast(ConvexPenalty, problem.penalty)
    level, single = lambda_ * blocks.weight, lambda_ * blocks.penalised.astype(np.float64)
    views = blocks.views(correlation)
    if penalty.overlapping:
        norm = cast(OverlapNorm, penalty)
        seen = np.repeat(blocks.penalised, blocks.sizes)
        both = zip(views, blocks.views(checked.theta), strict=True)
        scales = [norm.scale_at(view[seen], b[seen], lambda_) for view, b in both]
    else:
        scales = [penalty.dual_scale(view, blocks, level, single) for view in views]
    scale = min(scales, default=1.0)
    conjugate = problem.data.conjugate(scale * dual, problem.start.eta, state.eta)
    return -conjugate - sum(
        penalty.conjugate(scale * view, blocks, level, single) for view in views
    )


def _polished(problem: Problem, state: State, basis: Basis) -> tuple[FloatArray, FloatArray]:
    """Solve the unpenalised part to rounding once more; return linear predictor and residual."""
    data = problem.data
    ahead = Observed(data.family, data.y, data.weights, state.eta)
    start = np.zeros((basis.rows.shape[0], problem.n_outputs))
    fit = newton(ahead, basis.rows, start, max_steps=POLISHING_STEPS, scale=problem.scale)
    return fit.eta, basis.project_out(data.residual(fit.eta), data.weights)


def _inside(problem: Problem, state: State, dual: FloatArray, basis: Basis) -> FloatArray:
    """Return the mixture of a dual point with the null residual that just is in the domain.

    Half of it, because a residual of the null fit may stand on the border itself.
    """
    data = problem.data
    inner = 0.5 * basis.project_out(data.residual(problem.start.eta), data.weights)

    def mixed(share: float) -> FloatArray:
        return (1.0 - share) * dual + share * inner

    def allowed(share: float) -> bool:
        return bool(np.isfinite(data.conjugate(mixed(share), problem.start.eta, state.eta)))

    low, high = SMALLEST_MIXTURE, 1.0
    if allowed(low):
        return mixed(low)
    while high > MIXTURE_STEP * low:
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if allowed(middle) else (middle, high)
    return mixed(high)


def _basis(problem: Problem, lambda_: float) -> Basis:
    """Return the directions without penalty: all of them at lambda 0."""
    if lambda_ > 0:
        return problem.basis
    every = np.arange(problem.coordinates.size)
    rows = problem.coordinates.working_rows(every).astype(np.float64)
    return unpenalised_basis(rows, problem.data.weights, intercept=problem.intercept)


def _stationarity(problem: Problem, lambda_: float, dual: FloatArray, checked: Checked) -> float:
    weighted = problem.data.weights[:, None] * dual
    free = float(np.linalg.norm(_basis(problem, lambda_).rows @ weighted))
    return max(violation(problem, lambda_, checked), free) / problem.gradient_scale


def violation(problem: Problem, lambda_: float, checked: Checked) -> float:
    """Return the largest violation of stationarity over penalised blocks, over their weights."""
    penalty, blocks = problem.penalty, checked.blocks
    slope = blocks.slopes(penalty, checked.theta, lambda_)
    left = left_over(blocks, checked.correlation, checked.theta, slope, nested=penalty.nested)
    if penalty.steep:
        norms = blocks.norms(checked.theta)
        short = blocks.short(penalty, norms, lambda_)
        left += short * blocks.curvature[:, None] * norms
    relative = left[blocks.penalised] / blocks.weight[blocks.penalised, None]
    return float(relative.max(initial=0.0))


def left_over(
    blocks: Blocks, correlation: FloatArray, theta: FloatArray, slope: FloatArray, *, nested: bool
) -> FloatArray:
    """Return what gradients of blocks leave over when penalties have pulled, (G, K').

    Parameters
    ----------
    blocks : Blocks
    correlation, theta : ndarray of shape (q, K)
        Minus the gradient, and coefficients.
    slope : ndarray of shape (G, K'), or (q, K) if nested
        Slopes in norms or in coefficients; a zero one's gradient may be as long.
    nested : bool
        Whether the largest coefficient counts; their norm otherwise.
    """
    if nested:
        gap = np.abs(correlation - slope * np.sign(theta))
        gap = np.where(theta != 0, gap, np.maximum(np.abs(correlation) - slope, 0.0))
        return np.stack([largest_entries(view, blocks.starts) for view in blocks.views(gap)], 1)
    norms = blocks.norms(theta)
    left = np.maximum(blocks.norms(correlation) - slope, 0.0)
    pull = np.divide(slope, norms, out=np.zeros_like(slope), where=norms > 0)
    for v, (view, own) in enumerate(
        zip(blocks.views(correlation), blocks.views(theta), strict=True)
    ):
        balance = view - np.repeat(pull[:, v], blocks.sizes)[:, None] * own
        left[:, v] = np.where(norms[:, v] > 0, blocks.norms(balance)[:, 0], left[:, v])
    return left
