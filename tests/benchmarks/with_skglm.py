"""skglm: its solvers from lambda to lambda, warm started here (no path method for groups)."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.linalg import norm

from .contract import Ask, centred, columns, fold_by_fold, installed, is_lasso, tolerances
from .objective import Solution
from .problems import Problem


class Skglm:
    """GroupBCD, GroupProxNewton, and AndersonCD for the lasso."""

    name = "skglm"
    tols = tolerances(3, 9)

    def version(self) -> str:
        """Version of the package."""
        return installed("skglm")

    def refusal(self, problem: Problem) -> str:
        """No classes, and no sparse X but for the gaussian family."""
        if problem.spec.family == "multinomial":
            return "no multinomial with groups"
        if sp.issparse(problem.X) and problem.spec.family != "gaussian":
            return "no sparse X but gaussian"
        return ""

    def solve(self, problem: Problem, ask: Ask) -> list[Solution]:
        """One path, or one for each fold."""
        return fold_by_fold(self.fit, problem, ask)

    def fit(self, problem: Problem, ask: Ask) -> Solution:
        """Fit; centred data in place of an intercept where the loss allows it."""
        if is_lasso(problem):
            return lasso(problem, ask)
        if problem.spec.family == "gaussian" and not sp.issparse(problem.X):
            data = centred(problem)
            return data.solution(group_path(problem, ask, data.X, data.y)[1])
        y = 2.0 * problem.y - 1 if problem.spec.family == "binomial" else problem.y
        return Solution(*group_path(problem, ask, problem.X, y, intercept=True))


def lasso(problem: Problem, ask: Ask) -> Solution:
    """Coordinate descent on centred data."""
    import skglm

    data = centred(problem)
    solver = skglm.solvers.AndersonCD(
        tol=ask.tol, max_iter=200, max_epochs=50_000, fit_intercept=False, warm_start=True
    )
    losses, penalties = skglm.datafits, skglm.penalties
    path = solver.path(
        data.X, data.y, losses.Quadratic(), penalties.L1(1.0), alphas=problem.lambdas
    )
    return data.solution(columns(path[1]))


def group_path(
    problem: Problem, ask: Ask, X: Any, y: np.ndarray, *, intercept: bool = False
) -> tuple[np.ndarray, list[Any]]:
    """Intercepts and coefficients, each lambda started from the last."""
    p = X.shape[1]
    solver, loss, penalty = pieces(problem, ask, p, intercept)
    coef, predictor = np.zeros(p + intercept), np.zeros(X.shape[0])
    intercepts, coefs = [], []
    for lambda_ in problem.lambdas:
        penalty.alpha = float(lambda_)
        coef = solver.solve(X, y, loss, penalty, coef.copy(), predictor, run_checks=False)[0]
        live = np.flatnonzero(coef[:p])
        free = coef[-1] if intercept else 0.0
        predictor = np.asarray(X[:, live] @ coef[live]) + free
        coefs.append(sp.csc_matrix(coef[:p, None]))
        intercepts.append([free])
        if time.perf_counter() > ask.deadline:
            break
    return np.array(intercepts), coefs


def pieces(problem: Problem, ask: Ask, p: int, intercept: bool) -> tuple[Any, Any, Any]:
    """Solver, loss and penalty of a group problem."""
    import skglm

    pointers = np.concatenate([problem.starts, [p]]).astype(np.int32)
    index = np.arange(p, dtype=np.int32)
    if problem.spec.penalty == "mcp":
        penalty = group_mcp()(1.0, problem.gamma, problem.weights, pointers, index)
    else:
        penalty = skglm.penalties.WeightedGroupL2(1.0, problem.weights, pointers, index)
    keywords = {"tol": ask.tol, "fit_intercept": intercept, "warm_start": True}
    if problem.spec.family == "gaussian":
        solver = skglm.solvers.GroupBCD(max_iter=1000, max_epochs=1000, **keywords)
        return solver, skglm.datafits.QuadraticGroup(pointers, index), penalty
    solver = skglm.solvers.GroupProxNewton(max_iter=200, **keywords)
    return solver, skglm.datafits.LogisticGroup(pointers, index), penalty


def group_mcp() -> Any:
    """Group MCP as a penalty of the user's, which skglm asks for: its own is over rows."""
    from numba import float64, int32
    from skglm.penalties import WeightedGroupL2

    kinds = (float64, float64, float64[:], int32[:], int32[:])

    class GroupMCP(WeightedGroupL2):
        def __init__(self, alpha, gamma, weights, grp_ptr, grp_indices):
            self.alpha, self.gamma, self.weights = alpha, gamma, weights
            self.grp_ptr, self.grp_indices = grp_ptr, grp_indices

        def get_spec(self):
            return tuple(zip(MCP_FIELDS, kinds, strict=True))

        def params_to_dict(self):
            return {name: getattr(self, name) for name in MCP_FIELDS}

        value, prox_1group, subdiff_distance = mcp_value, mcp_prox, mcp_distance

    return GroupMCP


MCP_FIELDS = ("alpha", "gamma", "weights", "grp_ptr", "grp_indices")


# What follows is compiled as methods of the class above, so it names things as skglm does.
def mcp_value(self, w):
    """Penalty of all groups."""
    total = 0.0
    for g in range(len(self.grp_ptr) - 1):
        r = norm(w[self.grp_indices[self.grp_ptr[g] : self.grp_ptr[g + 1]]])
        t = self.alpha * self.weights[g]
        if r <= self.gamma * t:
            total += t * r - r * r / (2 * self.gamma)
        else:
            total += self.gamma * t * t / 2
    return total


def mcp_prox(self, value, stepsize, g):
    """Firm thresholding."""
    r, t = norm(value), self.alpha * self.weights[g]
    if r <= stepsize * t:
        return np.zeros_like(value)
    if r <= self.gamma * t:
        return value * ((r - stepsize * t) / (1 - stepsize / self.gamma) / r)
    return value


def mcp_distance(self, w, grad_ws, ws):
    """Distance to stationarity of the groups in the working set."""
    scores = np.zeros(len(ws))
    at = 0
    for i, g in enumerate(ws):
        own = w[self.grp_indices[self.grp_ptr[g] : self.grp_ptr[g + 1]]]
        grad = grad_ws[at : at + len(own)]
        at += len(own)
        r, t = norm(own), self.alpha * self.weights[g]
        if r == 0:
            scores[i] = max(0.0, norm(grad) - t)
        elif r <= self.gamma * t:
            scores[i] = norm(grad + own * ((t - r / self.gamma) / r))
        else:
            scores[i] = norm(grad)
    return scores
