"""The margin of a local minimum: the smallest eigenvalue of the objective's Hessian where it bends.

The Hessian is that of the loss plus that of the penalty, in what carries no penalty, in what is not
zero, and in the directions in which what is only just zero would leave it. At a jump of a second
derivative the lower side counts. A constant added to all classes, where neither the softmax nor
the penalty sees it, is no direction.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np

from grpsparse.groups import BoolArray, FloatArray, IntArray
from grpsparse.penalties import JointPenalty, NestedPenalty
from grpsparse.problem import Observed, loss_hessian
from grpsparse.results.check_case import Case, Point
from grpsparse.results.check_stationarity import limits

__all__ = ["FLAT", "LARGEST_SYSTEM", "margin"]

LARGEST_SYSTEM = 2000  # variables of a Hessian whose eigenvalues are taken
FLAT = 1e-10  # eigenvalue, over the largest, that is rounding
BESIDE = 1e-6  # relative, on either side of a norm, where curvatures are looked at
JUST = 1e-6  # relative, by which a gradient may miss the length that keeps its block at zero
LEAVING = 1e-9  # norm of a block that has just left zero, over its level


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some coefficients: the penalty's Hessian in them, and the directions in which they move.

    Parameters
    ----------
    rows, classes : ndarray of int, shape (s,)
    hessian : ndarray of shape (s, s)
    directions : ndarray of shape (s, d)
        Orthonormal columns; none where other pieces have them.
    """

    rows: IntArray
    classes: IntArray
    hessian: FloatArray
    directions: FloatArray


def margin(case: Case, point: Point) -> float:
    """Return the smallest eigenvalue.

    NaN where there are too many variables, infinity where there are none.
    """
    pieces = list(_pieces(case, point))
    used = np.unique(np.concatenate([np.empty(0, np.int64), *(each.rows for each in pieces)]))
    n_free, n_outputs = case.spanned.shape[0], point.theta.shape[1]
    width = n_free + used.size
    if width * n_outputs > LARGEST_SYSTEM:
        return float("nan")
    if not width:
        return float("inf")
    rows = case.rows
    columns = np.concatenate([case.spanned, case.coordinates.rows[used]]) / rows.root.T
    data = Observed(rows.family, rows.y, rows.share, rows.offset)
    hessian = loss_hessian(data, columns, point.eta, data.residual(point.eta))
    size = hessian.shape[0]
    turn = [np.eye(size)[:, np.arange(size) % width < n_free]]
    seen = np.zeros(size, dtype=np.bool_)
    for piece in pieces:
        place = piece.classes * width + n_free + np.searchsorted(used, piece.rows)
        hessian[np.ix_(place, place)] += piece.hessian
        seen[place[piece.hessian.any(axis=1)]] = True
        turn.append(np.zeros((size, piece.directions.shape[1])))
        turn[-1][place] = piece.directions
    if rows.family.hessian == "softmax":
        _lift_shift(hessian, np.asarray(~seen.reshape(n_outputs, width).any(axis=0)))
    directions = np.concatenate(turn, axis=1)
    values = np.linalg.eigvalsh(directions.T @ hessian @ directions)
    if not values.size:
        return float("inf")
    least = float(values[0])
    return 0.0 if abs(least) <= FLAT * float(np.abs(values).max()) else least


def _lift_shift(hessian: FloatArray, flat: BoolArray) -> None:
    """Give the constant over classes, of rows where nothing bends along it, the largest curvature.

    It is an eigenvector of eigenvalue 0, which is no sign of a flat minimum.
    """
    n_outputs = hessian.shape[0] // flat.size
    top = float(np.abs(hessian).max()) / n_outputs
    for row in np.flatnonzero(flat).tolist():
        mine = row + flat.size * np.arange(n_outputs)
        hessian[np.ix_(mine, mine)] += top


def _pieces(case: Case, point: Point) -> Iterator[_Piece]:
    """Yield what is not zero, or only just."""
    penalised = (case.weight > 0) & (point.lambda_ > 0)
    if case.penalty.nested:
        yield from _coefficients(case, point, penalised)
        return
    slope, _, _ = limits(case, point)
    near = case.block_norms(point.correlation) >= slope * (1.0 - JUST)
    chosen = ((point.norms > 0) | (near & (slope > 0))) & penalised[:, None]
    for view in range(point.norms.shape[1]):
        curvature = _second_derivatives(case, point, view)
        classes = np.arange(point.theta.shape[1]) if case.shared else np.array([view])
        coupled: list[tuple[IntArray, FloatArray]] = []
        for g in np.flatnonzero(chosen[:, view]).tolist():
            mine = np.flatnonzero(case.coordinates.group == g)
            moving = point.theta if point.norms[g, view] > 0 else point.correlation
            direction = moving[mine][:, classes].T.ravel()
            direction /= np.linalg.norm(direction)
            yield _block(
                (np.tile(mine, classes.size), np.repeat(classes, mine.size)),
                direction,
                (float(point.norms[g, view]), float(slope[g, view]), float(curvature[0][g])),
            )
            coupled.append((mine, curvature[1][g] * direction))
        if coupled and curvature[2] != 0.0:
            rows = np.concatenate([np.tile(mine, classes.size) for mine, _ in coupled])
            kinds = np.concatenate([np.repeat(classes, mine.size) for mine, _ in coupled])
            along = np.concatenate([vector for _, vector in coupled])
            bend = curvature[2] * np.outer(along, along)
            yield _Piece(rows, kinds, bend, np.empty((rows.size, 0)))


def _block(
    entries: tuple[IntArray, IntArray], direction: FloatArray, radial: tuple[float, float, float]
) -> _Piece:
    """Return a block with norm, slope and second derivative in the norm."""
    norm, slope, bend = radial
    along = np.outer(direction, direction)
    if norm == 0.0:
        return _Piece(*entries, bend * along, direction[:, None])
    every = np.eye(direction.size)
    return _Piece(*entries, slope / norm * (every - along) + bend * along, every)


def _second_derivatives(
    case: Case, point: Point, view: int
) -> tuple[FloatArray, FloatArray, float]:
    """Return c (G,), v (G,) and d of the penalty's second derivatives diag(c) + d vv' in norms."""
    norms, none = point.norms[:, view], np.zeros(case.weight.size)
    if case.penalty.joint:
        seen, joint = case.weight > 0, cast(JointPenalty, case.penalty)
        if not norms[seen].any():
            return none, none, 0.0
        constant, along, factor = joint.joint_curvature(
            norms[seen], case.weight[seen], point.lambda_
        )
        vector = none.copy()
        vector[seen] = along
        return none + constant, vector, float(factor)
    level = point.lambda_ * case.weight
    near = np.where(norms > 0, norms, LEAVING * level)
    sides = [case.penalty.radial_curvature(near * (1.0 + s), level) for s in (0.0, -BESIDE, BESIDE)]
    return np.minimum.reduce(sides), none, 0.0


def _coefficients(case: Case, point: Point, penalised: BoolArray) -> Iterator[_Piece]:
    """Yield the blocks of a penalty of coefficients inside of groups."""
    penalty = cast(NestedPenalty, case.penalty)
    n_outputs = point.theta.shape[1]
    views = [np.arange(n_outputs)] if case.shared else [np.array([k]) for k in range(n_outputs)]
    for g in np.flatnonzero(penalised).tolist():
        mine = np.flatnonzero(case.coordinates.group == g)
        level = np.array([point.lambda_ * case.weight[g]])
        for classes in views:
            values = point.theta[mine][:, classes].T.ravel()
            pull = point.correlation[mine][:, classes].T.ravel()
            value, steepness, bend = penalty.inner(np.abs(values), level)
            _, slope, outer_bend = penalty.outer(value.sum(keepdims=True), level, values.size)
            active = values != 0
            chosen = active | (np.abs(pull) >= slope * steepness * (1.0 - JUST))
            if not chosen.any():
                continue
            sign = np.where(active, np.sign(values), np.sign(pull))[chosen]
            towards = sign * steepness[chosen]
            hessian = outer_bend * np.outer(towards, towards) + np.diag(slope * bend[chosen])
            yield _Piece(
                np.tile(mine, classes.size)[chosen],
                np.repeat(classes, mine.size)[chosen],
                hessian,
                np.eye(sign.size),
            )
