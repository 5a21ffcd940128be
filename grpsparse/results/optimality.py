"""What kind of point every solution of a path is, and how far from it.

Convex problems: the duality gap says how far from the global optimum a point can be. Others: a
point is d-stationary if no direction leads down to first order; prox-stationary, which is more, if
every block is its own proximal point at step 1 / L_g, L_g a bound on the loss's curvature along
it; and a strict local minimum if moreover the Hessian of the objective is positive definite in what
is not zero and in the directions in which blocks that are only just zero would leave it. Its
smallest eigenvalue is the margin. Where the loss bends up by more in every direction than the
penalty can bend down, the objective is convex and the point a global optimum.

References: Pang, Razaviyayn & Alvarado (2017), doi:10.1287/moor.2016.0795, for d-stationarity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from grpsparse.groups import FloatArray
from grpsparse.penalties import JointPenalty
from grpsparse.results.check import certificate
from grpsparse.results.check_case import (
    Case,
    Free,
    Point,
    points,
    squared_singular_values,
    take_apart,
)
from grpsparse.results.check_stationarity import gradient_scale, limits
from grpsparse.results.margin import FLAT, LARGEST_SYSTEM, margin

if TYPE_CHECKING:
    import pandas as pd

    from grpsparse.results.path_fit import PathFit

__all__ = ["optimality"]


def optimality(fit: PathFit) -> pd.DataFrame:
    """Make the table of `PathFit.optimality`, from the stored data as `check` does.

    Parameters
    ----------
    fit : PathFit

    Returns
    -------
    pandas.DataFrame
        A row per lambda: ``lambda_``; ``status``; ``certificate``, as `check` finds it;
        ``d_stationarity`` and ``prox_stationarity``, the largest violation of each, in the units
        of a nonconvex certificate; ``margin``, the smallest eigenvalue of the Hessian, NaN for
        convex penalties and where there are more than 2000 variables. The status is one of

        - ``"global optimum to gap 3.1e-09"``, for a convex penalty;
        - ``"global optimum to gradient 3.1e-09"``, for another that the loss outweighs;
        - ``"d-stationary, strict local minimum"`` where the margin is positive, otherwise
          ``"d-stationary"``; ``"prox-stationary"`` for penalties of infinite slope at zero;
        - ``"not converged"``.

    Examples
    --------
    >>> import grpsparse as gs
    >>> births = gs.datasets.load("birthwt")
    >>> fit = gs.fit("bwt ~ race + smoke", births, penalty="group_capped_l1", lambda_=50.0)
    >>> fit.optimality()["status"][0]
    'd-stationary, strict local minimum'
    """
    import pandas as pd

    case = take_apart(fit)
    squared = squared_singular_values(case.coordinates, case.weight.size)
    strong = 0.0 if case.penalty.convex else _least_curvature(case)
    rows = []
    for number, (point, free) in enumerate(points(fit, case)):
        value = certificate(case, point, free)
        row: dict[str, Any] = {
            "lambda_": point.lambda_,
            "status": "not converged",
            "certificate": value,
            "d_stationarity": _directional(case, point, free, value),
            "prox_stationarity": _proximal(case, point, free, squared),
            "margin": np.nan if case.penalty.convex else margin(case, point),
        }
        if fit.converged[number]:
            row["status"] = _status(case, point, strong, row)
        rows.append(row)
    return pd.DataFrame(rows)


def _status(case: Case, point: Point, strong: float, row: dict[str, Any]) -> str:
    """Say in words what a point is."""
    value = max(row["certificate"], 0.0)
    if case.penalty.convex:
        return f"global optimum to gap {value:.1e}"
    # a nested penalty bends more along several coefficients at once than along one
    weak = case.penalty.weak_convexity(point.lambda_ * case.weight)
    if not case.penalty.nested and weak <= strong:
        return f"global optimum to gradient {value:.1e}"
    kind = "prox-stationary" if case.penalty.steep else "d-stationary"
    return f"{kind}, strict local minimum" if row["margin"] > 0.0 else kind


def _least_curvature(case: Case) -> float:
    """Return the least curvature of the loss in the penalised coordinates, 0 where not known.

    What is unpenalised follows them, so that only what is orthogonal to it counts.
    """
    rows = case.coordinates.rows[case.weight[case.coordinates.group] > 0]
    if case.rows.family.hessian != "constant" or not 0 < len(rows) <= LARGEST_SYSTEM:
        return 0.0
    left = rows - (rows @ case.spanned.T) @ case.spanned
    values = np.linalg.eigvalsh(left @ left.T)
    return float(max(values[0] - FLAT * values[-1], 0.0))


def _directional(case: Case, point: Point, free: Free, value: float) -> float:
    """Return the largest violation of d-stationarity, as the certificate measures it.

    That is the certificate, unless it is a gap, or judges zeros by a proximal map. NaN for convex
    penalties that are not of the norms of blocks.
    """
    penalty = case.penalty
    if not (penalty.convex or penalty.steep):
        return value
    if penalty.matrix or case.overlap is not None:
        return float("nan")
    slope, _, _ = limits(case, point)
    active = point.norms > 0
    pull = np.divide(slope, point.norms, out=np.zeros_like(slope), where=active)
    single = point.lambda_ * penalty.l1_fraction * np.ones_like(point.theta)
    balance = point.correlation - case.per_row(pull) * point.theta
    balance -= np.where(point.theta != 0, single * np.sign(point.theta), 0.0)
    inside = np.where(point.theta != 0, 0.0, np.minimum(np.abs(balance), single))
    balance -= inside * np.sign(balance)
    outside = np.maximum(np.abs(point.correlation) - single, 0.0)
    steep = np.maximum(case.block_norms(outside) - slope, 0.0)
    return _worst(case, point, free, np.where(active, case.block_norms(balance), steep))


def _proximal(case: Case, point: Point, free: Free, squared: FloatArray) -> float:
    """Return the largest violation of prox-stationarity, as the certificate measures it.

    Of a block b it is L_g ||b - prox(b - gradient / L_g)||; a penalty of all norms has one L. NaN
    for convex penalties that are not of blocks.
    """
    penalty, bend = case.penalty, squared[:, None] * _largest_bend(case, point)
    if penalty.matrix or case.overlap is not None:
        return float("nan")
    if penalty.joint:
        seen = case.coordinates.rows[case.weight[case.coordinates.group] > 0]
        together = float(np.linalg.norm(seen, 2)) ** 2 if seen.size else 0.0
        bend = np.full_like(bend, together * _largest_bend(case, point))
    step = np.divide(1.0, bend, out=np.zeros_like(bend), where=bend > 0)
    moved = point.theta + case.per_row(step) * point.correlation
    if penalty.nested:
        new = _nested_prox(case, point.lambda_, moved, step[:, 0])
    else:
        soft = case.per_row(step) * (point.lambda_ * penalty.l1_fraction)
        moved = np.sign(moved) * np.maximum(np.abs(moved) - soft, 0.0)
        size = case.block_norms(moved)
        shrunk = (_joint_prox if penalty.joint else _prox_norms)(case, point.lambda_, size, step)
        share = np.divide(shrunk, size, out=np.zeros_like(size), where=size > 0)
        new = case.per_row(share) * moved
    return _worst(case, point, free, case.block_norms(point.theta - new) * bend)


def _prox_norms(case: Case, lambda_: float, size: FloatArray, step: FloatArray) -> FloatArray:
    """Return the norms (G, V) of proximal points of blocks of norms `size`."""
    from grpsparse.backend.prox import radial_prox

    penalty = case.penalty
    first, second = penalty.parameters
    new = np.zeros_like(size)
    for g in np.flatnonzero(size.any(axis=1) & (case.weight > 0)).tolist():
        length, level = float(step[g, 0]), float(lambda_ * case.weight[g])
        new[g] = [
            radial_prox(penalty.code, first, second, norm, length, level)
            for norm in size[g].tolist()
        ]
    return new


def _joint_prox(case: Case, lambda_: float, size: FloatArray, step: FloatArray) -> FloatArray:
    """Return the same for a penalty of all norms, class by class where they are separate."""
    penalty, seen = cast(JointPenalty, case.penalty), case.weight > 0
    new = np.zeros_like(size)
    for view in range(size.shape[1]):
        length = float(step[:, 0].max(initial=0.0))
        new[seen, view] = penalty.joint_prox(size[seen, view], case.weight[seen], length, lambda_)
    return new


def _nested_prox(case: Case, lambda_: float, moved: FloatArray, step: FloatArray) -> FloatArray:
    """Return the proximal points (q, K) of blocks of coefficients."""
    new = np.zeros_like(moved)
    every = [slice(None)] if case.shared else [slice(k, k + 1) for k in range(moved.shape[1])]
    for g in np.flatnonzero((step > 0) & (case.weight > 0)).tolist():
        mine = case.coordinates.group == g
        for view in every:
            level = float(lambda_ * case.weight[g])
            new[mine, view] = case.penalty.prox(moved[mine, view], float(step[g]), level)
    return new


def _largest_bend(case: Case, point: Point) -> float:
    """Return the bound on the loss's curvature in the linear predictor, or what it is here."""
    family = case.rows.family
    if family.curvature_bound is not None:
        return family.curvature_bound
    return float(np.max(family.curvature(case.rows.y, point.eta)))


def _worst(case: Case, point: Point, free: Free, violation: FloatArray) -> float:
    """Return the largest of violations (G, V) over weights, and of the free part's gradient."""
    penalised = (case.weight > 0) & (point.lambda_ > 0)
    over = violation[penalised] / case.weight[penalised, None]
    left = float(np.linalg.norm(free.spanned @ (case.rows.root * point.dual)))
    return max(float(over.max(initial=0.0)), left) / gradient_scale(case)
