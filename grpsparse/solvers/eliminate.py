"""Coefficients eliminated from a penalised fit: ridge regressions with a spread for each row.

    minimise over theta   loss(theta) + sum_j ||theta_j||**2 / (2 s_j)

with the intercept and the unpenalised rows free. The spreads s come from outside; s_j = 0 keeps
a row out. At the minimum theta_j = s_j c_j with c = Z'W(y - mu), which is all that an outer
problem needs: by the envelope theorem the derivative of the minimum in s_j is -||c_j||**2 / 2.

A quadratic loss takes one Cholesky factor of a matrix as large as the smaller of rows of data
and coordinates, after the free part is projected out. Other losses take Newton's method, on a
triangle as wide as there are rows of data where coordinates are more.

Reference: Golub & Pereyra (2003), doi:10.1088/0266-5611/19/2/201, for variable projection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import linalg

from grpsparse.groups import BoolArray, Deferred, FloatArray
from grpsparse.problem import Observed, Problem
from grpsparse.problem.null import Basis, unpenalised_basis
from grpsparse.problem.smooth import Curved, newton

__all__ = ["Eliminated", "Elimination", "Quadratic", "elimination"]

ENOUGH = 1e-28  # Newton decrement over the null deviance: an envelope is exact to its root
NARROWEST = 1e-30  # of the largest spread: a narrower one stands for zero, where one divides by it


@dataclass(frozen=True, slots=True)
class Eliminated:
    """A ridge regression.

    Parameters
    ----------
    value : float
        Loss and ridge.
    theta : ndarray of shape (m, K)
    correlation : ndarray of shape (m, K)
        Z'W(y - mu).
    """

    value: float
    theta: FloatArray
    correlation: FloatArray


class Elimination(Protocol):
    """Ridge regressions of one response on one set of columns."""

    def __call__(self, spread: FloatArray) -> Eliminated:
        """Return the regression of spreads (m, 1), or (m, K) where classes have their own."""

    def unpenalised(self, theta: FloatArray) -> FloatArray:
        """Return the coefficients (u, K) of the free rows beside theta, the one last found."""


def elimination(problem: Problem, rows: FloatArray, free: FloatArray) -> Elimination:
    """Return what eliminates the coefficients of rows (m, n), and of free rows (u, n)."""
    data = problem.data
    basis = unpenalised_basis(free, data.weights, intercept=False)
    if data.family.hessian == "constant":
        return Quadratic(data, rows, basis)
    return _General(problem, rows, basis)


class Quadratic:
    """A quadratic loss, the free rows projected out.

    Parameters
    ----------
    data : Observed
    rows : ndarray of shape (m, n)
    basis : Basis
        Of the free rows.

    Attributes
    ----------
    columns, target : ndarrays of shapes (m, n) and (n, K)
        Rows A and responses Y, times the roots of the weights.
    inner : ndarray of shape (m, K)
        A Y.
    """

    def __init__(self, data: Observed, rows: FloatArray, basis: Basis) -> None:
        self._data, self._rows, self._basis = data, rows, basis
        root = np.sqrt(data.weights)
        target = basis.project_out(data.y - data.offset, data.weights)
        self.target: FloatArray = root[:, None] * target
        self.columns: FloatArray = basis.project_out(rows.T, data.weights).T * root
        self.inner: FloatArray = self.columns @ self.target
        self._wide = rows.shape[0] > rows.shape[1]
        self._gram: Deferred[FloatArray] = Deferred(lambda: self.columns @ self.columns.T)

    def __call__(self, spread: FloatArray) -> Eliminated:
        """Return the regression of the spreads."""
        solve = self._by_rows if self._wide else self._by_coordinates
        if spread.shape[1] == 1:
            return solve(spread[:, 0], slice(None))
        parts = [solve(column, slice(k, k + 1)) for k, column in enumerate(spread.T)]
        return Eliminated(
            sum(part.value for part in parts),
            np.concatenate([part.theta for part in parts], axis=1),
            np.concatenate([part.correlation for part in parts], axis=1),
        )

    def residual(self, spread: FloatArray, target: FloatArray) -> FloatArray:
        """Return r of (I + A'SA) r = target, what spreads (m,) leave of a target (n, K)."""
        system = (self.columns.T * spread) @ self.columns
        system.flat[:: system.shape[0] + 1] += 1.0
        return _solved(system, target)

    def _by_rows(self, spread: FloatArray, classes: slice) -> Eliminated:
        """Take theta = S A r from the residual."""
        target = self.target[:, classes]
        residual = self.residual(spread, target)
        correlation = self.columns @ residual
        value = 0.5 * float(np.sum(target * residual))
        return Eliminated(value, spread[:, None] * correlation, correlation)

    def _by_coordinates(self, spread: FloatArray, classes: slice) -> Eliminated:
        """Solve (I + R AA' R) z = R A y, R the root of S; then theta = R z."""
        root = np.sqrt(spread)
        system = root[:, None] * self._gram.value * root
        system.flat[:: root.size + 1] += 1.0
        inner = self.inner[:, classes]
        scaled = _solved(system, root[:, None] * inner)
        theta = root[:, None] * scaled
        correlation = inner - self._gram.value @ theta
        left = self.target[:, classes] - self.columns.T @ theta
        value = 0.5 * float(np.sum(left**2) + np.sum(scaled**2))
        return Eliminated(value, theta, correlation)

    def unpenalised(self, theta: FloatArray) -> FloatArray:
        """Return the coefficients of the free rows: they fit what theta leaves."""
        data, basis = self._data, self._basis
        left = data.y - data.offset - self._rows.T @ theta
        coef: FloatArray = basis.back @ (basis.rows @ (data.weights[:, None] * left))
        return coef


def _solved(system: FloatArray, target: FloatArray) -> FloatArray:
    """Solve with a matrix I + a positive semidefinite one.

    Its eigenvalues are at least 1, also where the other matrix is so large that rounding hides it.
    """
    try:
        factor = linalg.cho_factor(system, lower=True, check_finite=False)
    except linalg.LinAlgError:
        values, vectors = linalg.eigh(system, check_finite=False)
        return np.asarray((vectors / np.maximum(values, 1.0)) @ (vectors.T @ target))
    solution: FloatArray = linalg.cho_solve(factor, target, check_finite=False)
    return solution


class _General:
    """Any other loss, by Newton's method from where the last one ended."""

    def __init__(self, problem: Problem, rows: FloatArray, basis: Basis) -> None:
        self._problem, self._rows, self._basis = problem, rows, basis
        data = problem.data
        moved = problem.start.eta - data.offset
        self._free: FloatArray = basis.rows @ (data.weights[:, None] * moved)
        self._scaled = np.zeros((rows.shape[0], moved.shape[1]))  # theta over the root of s

    def __call__(self, spread: FloatArray) -> Eliminated:
        """Return the regression of the spreads."""
        root = np.sqrt(np.maximum(spread, NARROWEST * spread.max(initial=0.0)))
        if spread.shape[1] > 1:  # columns can't be scaled for each class
            value, residual, coef = self._fit(self._rows, root * self._scaled, 1.0 / root**2)
            self._scaled = coef / root
        elif self._rows.shape[0] > self._rows.shape[1]:
            turn, triangle = linalg.qr(root * self._rows, mode="economic")
            unit = np.ones((triangle.shape[0], 1))
            value, residual, coef = self._fit(triangle, turn.T @ self._scaled, unit)
            self._scaled = turn @ coef
        else:
            value, residual, coef = self._fit(root * self._rows, self._scaled, np.ones_like(root))
            self._scaled = coef
        correlation = self._rows @ (self._problem.data.weights[:, None] * residual)
        return Eliminated(value, root * self._scaled, correlation)

    def _fit(
        self, rows: FloatArray, start: FloatArray, ridge: FloatArray
    ) -> tuple[float, FloatArray, FloatArray]:
        """Return loss plus ridge, residual y - mu, and the coefficients of the rows."""
        data, count = self._problem.data, self._free.shape[0]
        fit = newton(
            data,
            np.concatenate([self._basis.rows, rows]),
            np.concatenate([self._free, start]),
            penalty=_ridge(np.concatenate([np.zeros((count, ridge.shape[1])), ridge]), start),
            scale=self._problem.scale,
            enough=ENOUGH,
        )
        self._free, coef = fit.theta[:count], fit.theta[count:]
        value = fit.loss + 0.5 * float(np.sum(ridge * coef**2))
        return value, data.residual(fit.eta), coef

    def unpenalised(self, theta: FloatArray) -> FloatArray:  # noqa: ARG002
        """Return the coefficients of the free rows, as the last regression found them."""
        coef: FloatArray = self._basis.back @ self._free
        return coef


def _ridge(weight: FloatArray, like: FloatArray) -> Curved:
    """Return sum weight theta**2 / 2 of weights (m, 1) or (m, K)."""
    whole = np.ascontiguousarray(np.broadcast_to(weight, (weight.shape[0], like.shape[1])))
    free: BoolArray = np.ones(whole.shape, dtype=np.bool_)
    none, nothing = np.empty((*whole.shape, 0)), np.empty(0)
    return Curved(
        free,
        ~free,
        kinked=False,
        value=lambda theta: 0.5 * float(np.sum(whole * theta**2)),
        gradient=lambda theta: whole * theta,
        hessian=lambda theta: (whole, none, nothing),  # noqa: ARG005
    )
