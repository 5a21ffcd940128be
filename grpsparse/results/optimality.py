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

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from grpsparse.groups import BoolArray, FloatArray, IntArray
from grpsparse.problem import Observed, loss_hessian
from grpsparse.results import check

if TYPE_CHECKING:
    import pandas as pd

    from grpsparse.results.path_fit import PathFit

__all__ = ["optimality"]

LARGEST_SYSTEM = 2000  # variables of a Hessian whose eigenvalues are taken
FLAT = 1e-10  # eigenvalue, over the largest, that is rounding
BESIDE = 1e-6  # relative, on either side of a norm, where curvatures are looked at
JUST = 1e-6  # relative, by which a gradient may miss the length that keeps its block at zero
LEAVING = 1e-9  # norm of a block that has just left zero


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

    case = check.take_apart(fit)
    squared = check.squared_singular_values(case.coordinates, case.weight.size)
    strong = 0.0 if case.penalty.convex else _least_curvature(case)
    rows = []
    for number, (point, free) in enumerate(check.points(fit, case)):
        row: dict[str, Any] = {
            "lambda_": point.lambda_,
            "status": "not converged",
            "certificate": check.certificate(case, point, free),
            "d_stationarity": _directional(case, point, free),
            "prox_stationarity": _proximal(case, point, free, squared),
            "margin": np.nan if case.penalty.convex else _margin(case, point),
        }
        if fit.converged[number]:
            row["status"] = _status(case, point, strong, row)
        rows.append(row)
    return pd.DataFrame(rows)


def _status(case: check.Case, point: check.Point, strong: float, row: dict[str, Any]) -> str:
    """Say in words what a point is."""
    value = max(row["certificate"], 0.0)
    if case.penalty.convex:
        return f"global optimum to gap {value:.1e}"
    if case.penalty.weak_convexity(point.lambda_ * case.weight) <= strong:
        return f"global optimum to gradient {value:.1e}"
    kind = "prox-stationary" if case.penalty.steep else "d-stationary"
    return f"{kind}, strict local minimum" if row["margin"] > 0.0 else kind


def _least_curvature(case: check.Case) -> float:
    """Return the least curvature of the loss in the penalised coordinates, 0 where not known.

    What is unpenalised follows them, so that only what is orthogonal to it counts.
    """
    rows = case.coordinates.rows[case.weight[case.coordinates.group] > 0]
    if case.rows.family.hessian != "constant" or not 0 < len(rows) <= LARGEST_SYSTEM:
        return 0.0
    left = rows - (rows @ case.spanned.T) @ case.spanned
    values = np.linalg.eigvalsh(left @ left.T)
    return float(max(values[0] - FLAT * values[-1], 0.0))


def _directional(case: check.Case, point: check.Point, free: check.Free) -> float:
    """Return the largest violation of d-stationarity, as the certificate measures it."""
    level = np.broadcast_to(point.lambda_ * case.weight[:, None], point.norms.shape)
    slope = case.penalty.radial_derivative(point.norms, level)
    active = point.norms > 0
    pull = np.divide(slope, point.norms, out=np.zeros_like(slope), where=active)
    single = point.lambda_ * case.penalty.l1_fraction * np.ones_like(point.theta)
    balance = point.correlation - case.per_row(pull) * point.theta
    balance -= np.where(point.theta != 0, single * np.sign(point.theta), 0.0)
    inside = np.where(point.theta != 0, 0.0, np.minimum(np.abs(balance), single))
    balance -= inside * np.sign(balance)
    outside = np.maximum(np.abs(point.correlation) - single, 0.0)
    steep = np.maximum(case.block_norms(outside) - slope, 0.0)
    return _worst(case, point, free, np.where(active, case.block_norms(balance), steep))


def _proximal(case: check.Case, point: check.Point, free: check.Free, squared: FloatArray) -> float:
    """Return the largest violation of prox-stationarity, as the certificate measures it.

    Of a block b it is L_g ||b - prox(b - gradient / L_g)||.
    """
    bend = (squared * _largest_bend(case, point))[:, None]
    step = np.divide(1.0, bend, out=np.zeros_like(bend), where=bend > 0)
    moved = point.theta + case.per_row(step) * point.correlation
    soft = case.per_row(step) * (point.lambda_ * case.penalty.l1_fraction)
    moved = np.sign(moved) * np.maximum(np.abs(moved) - soft, 0.0)
    size = case.block_norms(moved)
    new = _prox_norms(case, point.lambda_, size, step)
    share = np.divide(new, size, out=np.zeros_like(size), where=size > 0)
    away = point.theta - case.per_row(share) * moved
    return _worst(case, point, free, case.block_norms(away) * bend)


def _prox_norms(case: check.Case, lambda_: float, size: FloatArray, step: FloatArray) -> FloatArray:
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


def _largest_bend(case: check.Case, point: check.Point) -> float:
    """Return the bound on the loss's curvature in the linear predictor, or what it is here."""
    family = case.rows.family
    if family.curvature_bound is not None:
        return family.curvature_bound
    return float(np.max(family.curvature(case.rows.y, point.eta)))


def _worst(case: check.Case, point: check.Point, free: check.Free, violation: FloatArray) -> float:
    """Return the largest of violations (G, V) over weights, and of the free part's gradient."""
    penalised = (case.weight > 0) & (point.lambda_ > 0)
    over = violation[penalised] / case.weight[penalised, None]
    left = float(np.linalg.norm(free.spanned @ (case.rows.root * point.dual)))
    return max(float(over.max(initial=0.0)), left) / check.gradient_scale(case)


@dataclass(frozen=True, slots=True)
class _Block:
    """One block that is not zero, or only just: its variables, and the penalty's curvature."""

    variables: Any  # (s,) positions among the variables
    direction: FloatArray  # (s,), of norm 1
    round: float  # across the direction, p'(r) / r
    bend: float  # along it, p''(r), the lower where it jumps
    leaving: bool  # whether it is zero, and can only move along the direction

    def add(self, hessian: FloatArray) -> None:
        """Add the penalty's Hessian to that of the loss."""
        along = np.outer(self.direction, self.direction)
        part = (self.bend - self.round) * along
        part.flat[:: along.shape[0] + 1] += self.round
        hessian[np.ix_(self.variables, self.variables)] += part


def _margin(case: check.Case, point: check.Point) -> float:
    """Return the smallest eigenvalue of the objective's Hessian in all that may move.

    NaN where there are too many variables, infinity where there are none.
    """
    rows = case.rows
    penalised = ((case.weight > 0) & (point.lambda_ > 0))[:, None]
    active = (point.norms > 0) & penalised
    leaving = _only_just_zero(case, point) & penalised
    used = np.flatnonzero(case.per_row((active | leaving).any(axis=1)))
    n_free, n_outputs = case.spanned.shape[0], point.theta.shape[1]
    inside: BoolArray = np.ones((n_free + used.size, n_outputs), dtype=np.bool_)
    inside[n_free:] = case.per_row(active)[used]
    if inside.size > LARGEST_SYSTEM:
        return float("nan")
    if not inside.size:
        return float("inf")
    columns = np.concatenate([case.spanned, case.coordinates.rows[used]]) / rows.root.T
    data = Observed(rows.family, rows.y, rows.share, rows.offset)
    hessian = loss_hessian(data, columns, point.eta, data.residual(point.eta))
    blocks = _blocks(case, point, active | leaving, used)
    softmax = rows.family.hessian == "softmax"
    shifting: BoolArray = np.asarray(inside.all(axis=1) & softmax)
    for block in blocks:
        block.add(hessian)
        shifting[block.variables % inside.shape[0]] &= not (block.round or block.bend)
    turn = _directions(inside, shifting, blocks)
    values = np.linalg.eigvalsh(turn.T @ hessian @ turn)
    least = float(values[0])
    return 0.0 if abs(least) <= FLAT * float(np.abs(values).max()) else least


def _only_just_zero(case: check.Case, point: check.Point) -> BoolArray:
    """Return the blocks at zero whose gradient is as long as it may be, (G, V)."""
    level = np.broadcast_to(point.lambda_ * case.weight[:, None], point.norms.shape)
    limit = case.penalty.radial_derivative(np.zeros_like(level), level)
    near = case.block_norms(point.correlation) >= limit * (1.0 - JUST)
    return np.asarray(near & (point.norms == 0) & (limit > 0))


def _blocks(
    case: check.Case, point: check.Point, chosen: BoolArray, used: IntArray
) -> list[_Block]:
    """Return the chosen blocks; variables are counted class after class."""
    n_free = case.spanned.shape[0]
    width = n_free + used.size
    owner = case.coordinates.group[used]
    found = []
    for g in np.unique(owner).tolist():
        mine = np.flatnonzero(owner == g)
        level = float(point.lambda_ * case.weight[g])
        for view in np.flatnonzero(chosen[g]).tolist():
            classes = np.arange(point.theta.shape[1]) if case.shared else np.array([view])
            variables = (classes[:, None] * width + n_free + mine).ravel()
            norm = float(point.norms[g, view])
            moving = point.theta if norm > 0 else point.correlation
            direction = moving[used[mine]][:, classes].T.ravel()
            direction /= np.linalg.norm(direction)
            slope, bend = _derivatives(case, norm or LEAVING, level)
            over = slope / norm if norm > 0 else 0.0
            found.append(_Block(variables, direction, over, bend, norm == 0))
    return found


def _derivatives(case: check.Case, norm: float, level: float) -> tuple[float, float]:
    """Return p' and p'' at a norm; of a jump in p'' the lower side."""
    near = norm * np.array([1.0, 1.0 - BESIDE, 1.0 + BESIDE])
    levels = np.full(3, level)
    slope = case.penalty.radial_derivative(near, levels)
    bend = case.penalty.radial_curvature(near, levels)
    return float(slope[0]), float(bend.min())


def _directions(inside: BoolArray, shifting: BoolArray, blocks: list[_Block]) -> FloatArray:
    """Return orthonormal directions (m K, d) in which something may move, classes outermost.

    Rows that a constant may be added to (over all classes) without any change leave it out.
    """
    width, n_outputs = inside.shape
    contrasts = np.linalg.qr(np.eye(n_outputs) - 1.0 / n_outputs)[0][:, : n_outputs - 1]
    parts = []
    for row in range(width):
        basis = contrasts if shifting[row] else np.eye(n_outputs)[:, inside[row]]
        part = np.zeros((n_outputs, width, basis.shape[1]))
        part[:, row] = basis
        parts.append(part.reshape(n_outputs * width, -1))
    for block in blocks:
        if block.leaving:
            parts.append(np.zeros((n_outputs * width, 1)))
            parts[-1][block.variables, 0] = block.direction
    return np.concatenate(parts, axis=1)
