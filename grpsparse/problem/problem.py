"""The problem: objective, null fits, lambda_max, and everything a solver may ask.

    minimise  sum_i w_i loss(y_i, offset_i + b0 + z_i'theta) + sum_g p(||theta_g||; lambda w_g)

with w summing to one and theta on the standardised scale. This is the only owner of
lambda_max and of the null fits, so a path, its cross-validation and its certificates can
never come from different problems.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from grpsparse.backend import LINEAR
from grpsparse.design import Standardised
from grpsparse.errors import ResponseError
from grpsparse.families import n_outputs
from grpsparse.groups import Deferred, FloatArray, IntArray
from grpsparse.penalties import Penalty
from grpsparse.penalties.dual import norm_critical
from grpsparse.problem.blocks import Blocks
from grpsparse.problem.bounds import bounding_curvature, joint_eigenvalue, largest_eigenvalues
from grpsparse.problem.grams import GroupGrams
from grpsparse.problem.null import Basis, fit_null, unpenalised_basis
from grpsparse.problem.smooth import Observed, SmoothFit
from grpsparse.problem.weights import PenaltySpec, group_weights

__all__ = ["NullFit", "Problem", "State", "build_problem"]

LEAST_CURVATURE = 1e-6  # of the typical one
EXPLAINED = 1e-13  # null deviance below this share of the loss leaves nothing to explain


@dataclass(frozen=True, slots=True)
class NullFit:
    """The fit of the intercept and of what carries no penalty.

    Parameters
    ----------
    theta : ndarray of shape (q, K)
    intercept : ndarray of shape (K,)
    eta : ndarray of shape (n, K)
        Linear predictor, offset included.
    loss : float
        Weighted mean loss.
    dual : ndarray of shape (n, K)
        Residual y - mu, orthogonal to what carries no penalty.
    correlation : ndarray of shape (q, K)
        Z'W dual.
    """

    theta: FloatArray
    intercept: FloatArray
    eta: FloatArray
    loss: float
    dual: FloatArray
    correlation: FloatArray


@dataclass(frozen=True, slots=True)
class State:
    """A point of the path: coefficients of a working set and their linear predictor.

    Parameters
    ----------
    theta : ndarray of shape (m, K)
        Coefficients of the rows of the working set, which may have grown since.
    intercept : ndarray of shape (K,)
    eta : ndarray of shape (n, K)
        Linear predictor, offset included.
    loss : float
        Weighted mean loss.
    correlation : ndarray of shape (q, 1)
        Z'Wr of a problem that is solved through its moments, where `eta` stays at the null fit;
        empty for others.
    """

    theta: FloatArray
    intercept: FloatArray
    eta: FloatArray
    loss: float
    correlation: FloatArray = field(default_factory=lambda: np.empty((0, 1)))

    def lean(self) -> State:
        """Return the point without what is as long as rows or coordinates."""
        nothing = np.empty((0, self.theta.shape[1]))
        return State(self.theta, self.intercept, nothing, self.loss)


@dataclass(frozen=True, slots=True)
class Problem:
    """One penalised fit for one set of weights; see the module's formula."""

    coordinates: Standardised
    data: Observed
    penalty: Penalty
    blocks: Blocks
    intercept: bool
    basis: Basis
    null_loss: float
    start: NullFit
    scale: float
    lambda_max: float
    # lambda_max, where norms are judged that of the group lasso, or if 0 the null residual's norm
    gradient_scale: float
    curvature: float  # of the loss in eta, typical at the null fit; its bound if it is steep
    squares: Deferred[FloatArray]  # W-norms squared of the coordinates, (q,)
    grams: GroupGrams

    @property
    def dtype(self) -> Any:
        """Storage type of the design's columns."""
        return self.coordinates.design.dtype

    @property
    def n_outputs(self) -> int:
        """Number of linear predictors K."""
        return n_outputs(self.data.family, self.data.y)

    @property
    def turned(self) -> bool:
        """Whether groups may be solved in any orthonormal basis: the penalty is one of norms."""
        norms_only = self.penalty.l1_fraction == 0 and not self.penalty.nested
        return self.penalty.code == LINEAR and norms_only

    @property
    def least_curvature(self) -> float:
        """Least metric of a block in the linear predictor.

        A penalty that judges zeros by a proximal map takes steps of one length only, that of the
        bound; other metrics only must not run away on rounding where nothing moves.
        """
        return self.curvature * (1.0 if self.penalty.steep else LEAST_CURVATURE)

    def model_curvature(self, eta: FloatArray) -> tuple[FloatArray, float]:
        """Return the curvature (n, K) of a quadratic model of the loss, and a factor of it.

        That of the loss, or its bound for a penalty that judges zeros by a proximal map: under
        the bound the objective falls as the model does, so that no damping comes in between.
        """
        family = self.data.family
        if self.penalty.steep:
            return bounding_curvature(family, self.curvature, eta)
        return family.curvature(self.data.y, eta), 1.0

    def critical_lambda(self, correlation: FloatArray) -> float:
        """Return the smallest lambda at which gradients (q, K) leave every group at zero."""
        return _largest(self.penalty.critical_lambda, self.blocks, correlation)

    def correlate(self, dual: FloatArray) -> FloatArray:
        """Return Z'W dual, (q, K), for a dual point (n, K)."""
        return self.coordinates.correlate(self.data.weights[:, None] * dual)


def build_problem(
    coordinates: Standardised,
    data: Observed,
    spec: PenaltySpec,
    *,
    intercept: bool,
    names: Mapping[int, str] | None = None,
) -> Problem:
    """Solve the null fits and resolve weights, rescaling and lambda_max.

    Parameters
    ----------
    coordinates : Standardised
    data : Observed
        With weights summing to one.
    spec : PenaltySpec
    intercept : bool
    names : mapping of int to str, optional
        Group names for messages.

    Raises
    ------
    ResponseError
        No finite null fit, or nothing to explain.
    """
    weight = group_weights(coordinates, data, spec)
    blocks = Blocks(coordinates.starts, spec.shared, weight)
    free = np.flatnonzero((weight == 0) & coordinates.present)
    where = blocks.rows(free)
    only_intercept = unpenalised_basis(
        np.empty((0, data.y.shape[0])), data.weights, intercept=intercept
    )
    null = fit_null(data, only_intercept, what="the intercept")
    scale = _scale(data, null.loss)
    if where.size:
        rows = coordinates.working_rows(where).astype(np.float64)
        basis = unpenalised_basis(rows, data.weights, intercept=intercept)
        label = ", ".join((names or {}).get(int(g), f"group {g}") for g in free)
        fit = fit_null(data, basis, what=f"the unpenalised terms ({label})")
    else:
        basis, fit = only_intercept, null
    penalty = spec.penalty.rescaled(_curvature_scale(data, fit))
    # without a bound no solver takes a steep penalty
    bend = (data.family.curvature_bound or 1.0) if penalty.steep else 1.0
    grams = GroupGrams(coordinates, data.weights)
    if penalty.steep:
        blocks = replace(blocks, curvature=bend * largest_eigenvalues(coordinates, grams))
    if penalty.steep and penalty.joint:
        together = joint_eigenvalue(coordinates, data.weights, blocks.penalised)
        blocks = replace(blocks, together=bend * together)
    dual = basis.project_out(data.residual(fit.eta), data.weights)
    correlation = coordinates.correlate(data.weights[:, None] * dual)
    start = _null_fit(fit, basis, where, dual, correlation, intercept=intercept)
    lambda_max = _largest(penalty.critical_lambda, blocks, correlation)
    first = penalty.critical_lambda if penalty.nested else norm_critical
    size = _largest(first, blocks, correlation) or _norm(data, null)
    return Problem(
        coordinates,
        data,
        penalty,
        blocks,
        intercept,
        basis,
        null.loss,
        start,
        scale,
        lambda_max,
        size,
        bend if penalty.steep else _typical_curvature(data, fit),
        Deferred(lambda: coordinates.squares(data.weights)),
        grams,
    )


def _largest(critical: Callable[..., float], blocks: Blocks, correlation: FloatArray) -> float:
    """Return the largest critical lambda of the classes that have blocks of their own."""
    weight = blocks.weight
    return max(
        (critical(view, blocks, weight, weight > 0) for view in blocks.views(correlation)),
        default=0.0,
    )


def _typical_curvature(data: Observed, fit: SmoothFit) -> float:
    """Return the weighted mean of the curvature, of the class that bends most."""
    curvature = data.family.curvature(data.y, fit.eta)
    if data.family.hessian == "softmax":
        curvature = curvature * (1.0 - curvature)
    return float((data.weights @ curvature).max())


def _norm(data: Observed, fit: SmoothFit) -> float:
    """Return the W-norm of y - mu."""
    return float(np.sqrt(data.mean(np.sum(data.residual(fit.eta) ** 2, axis=1))))


def _scale(data: Observed, null_loss: float) -> float:
    saturated = float(data.weights @ data.family.saturated_loss(data.y))
    scale = null_loss - saturated
    if scale <= EXPLAINED * max(abs(null_loss), abs(saturated), 1e-300):
        raise ResponseError(
            "the model without terms already fits the response exactly, so there is nothing "
            "to explain; check the response, the weights and the offset."
        )
    return scale


def _curvature_scale(data: Observed, fit: SmoothFit) -> float:
    if data.family.rescale is not None:
        return data.family.rescale
    return _typical_curvature(data, fit)


def _null_fit(
    fit: SmoothFit,
    basis: Basis,
    where: IntArray,
    dual: FloatArray,
    correlation: FloatArray,
    *,
    intercept: bool,
) -> NullFit:
    coefficients = basis.back @ fit.theta
    top = 1 if intercept else 0
    theta = np.zeros_like(correlation)
    theta[where] = coefficients[top:]
    constant = coefficients[0] if intercept else np.zeros(correlation.shape[1])
    return NullFit(theta, constant, fit.eta, fit.loss, dual, correlation)
