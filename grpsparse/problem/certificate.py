"""Certificates: how far a point can be from the optimum, without trusting the solver.

Convex problems: the duality gap. theta = y - mu is made orthogonal to intercept and
unpenalised columns, U'W theta = 0, then scaled into the dual unit ball of the penalty;
D(theta) = -sum_i w_i phi_i*(-theta_i) - p*(Z'W theta). Because theta is orthogonal to U, the
offset in phi* may be replaced by the null fit's linear predictor, which saves digits. The gap
is reported over f(null) - f(saturated), so units of y and X drop out.

Nonconvex problems: directional stationarity. The largest violation over blocks, each over its
weight, unpenalised directions on their orthonormal basis, over lambda_max.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from grpsparse.groups import FloatArray
from grpsparse.penalties import ConvexPenalty
from grpsparse.problem.problem import Problem, State

__all__ = ["Certificate", "certify"]

MIXTURES = (0.0, *(10.0**power for power in range(-16, -2)))


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certified point: the number, and the correlations it was computed from.

    Parameters
    ----------
    value : float
        Relative duality gap or relative violation of stationarity.
    correlation : ndarray of shape (q, K)
        Z'W theta of the (projected, unscaled) residual.
    """

    value: float
    correlation: FloatArray


def certify(problem: Problem, state: State, lambda_: float) -> Certificate:
    """Certify a point of the path with one pass over X."""
    if problem.penalty.convex:
        return _duality_gap(problem, state, lambda_)
    return _stationarity(problem, state, lambda_)


def _duality_gap(problem: Problem, state: State, lambda_: float) -> Certificate:
    data, blocks = problem.data, problem.blocks
    penalty = cast(ConvexPenalty, problem.penalty)
    dual = _dual_point(problem, state)
    correlation = problem.coordinates.correlate(data.weights[:, None] * dual)
    level, single = lambda_ * blocks.weight, lambda_ * blocks.penalised.astype(np.float64)
    views = blocks.views(correlation)
    scale = min(
        (penalty.dual_scale(view, blocks, level, single) for view in views), default=1.0
    )
    conjugate = data.family.conjugate(data.y, scale * dual, problem.start.eta)
    dual_value = -data.mean(conjugate) - sum(
        penalty.conjugate(scale * view, blocks, level, single) for view in views
    )
    gap = (problem.objective(state, lambda_) - dual_value) / problem.scale
    return Certificate(gap, correlation)


def _dual_point(problem: Problem, state: State) -> FloatArray:
    """Return y - mu made orthogonal to U, and moved inside the domain of phi*.

    Projecting can push a fitted mean of nearly 0 or 1 out of its range; a mixture with the
    null fit's residual, which is orthogonal to U too, brings it back.
    """
    data = problem.data
    dual = problem.basis.project_out(data.residual(state.eta), data.weights)
    inner = None
    for mixture in MIXTURES:
        point = dual
        if mixture > 0:
            if inner is None:
                inner = data.residual(problem.start.eta)
                inner = problem.basis.project_out(inner, data.weights)
            point = (1.0 - mixture) * dual + mixture * inner
        conjugate = data.family.conjugate(data.y, point, problem.start.eta)
        if np.isfinite(conjugate[data.weights > 0]).all():
            return point
    return dual


def _stationarity(problem: Problem, state: State, lambda_: float) -> Certificate:
    data, penalty, blocks = problem.data, problem.penalty, problem.blocks
    residual = data.weights[:, None] * data.residual(state.eta)
    correlation = problem.coordinates.correlate(residual)
    norms = blocks.norms(state.theta)
    excess = blocks.excess(penalty, correlation, lambda_)
    violation = np.where(norms > 0, 0.0, np.maximum(excess, 0.0))
    level = lambda_ * blocks.weight
    sizes = np.diff(blocks.starts)
    for v, (view, theta) in enumerate(
        zip(blocks.views(correlation), blocks.views(state.theta), strict=True)
    ):
        slope = penalty.radial_derivative(norms[:, v], level)
        pull = np.divide(slope, norms[:, v], out=np.zeros_like(slope), where=norms[:, v] > 0)
        balance = view - np.repeat(pull, sizes)[:, None] * theta
        left = blocks.norms(balance)[:, 0]
        violation[:, v] = np.where(norms[:, v] > 0, left, violation[:, v])
    relative = violation[blocks.penalised] / blocks.weight[blocks.penalised, None]
    free = problem.basis.rows @ residual
    worst = max(float(relative.max(initial=0.0)), float(np.abs(free).max(initial=0.0)))
    return Certificate(worst / max(problem.lambda_max, 1e-300), correlation)
