"""celer: ``celer_path`` for the gaussian lasso and group lasso."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from .contract import Ask, centred, columns, fold_by_fold, installed, is_lasso, tolerances
from .objective import Solution
from .problems import Problem


class Celer:
    """Its logistic regression has no intercept, so only the gaussian family is asked."""

    name = "celer"
    tols = tolerances(3, 10)

    def version(self) -> str:
        """Version of the package."""
        return installed("celer")

    def refusal(self, problem: Problem) -> str:
        """Gaussian and convex only."""
        if problem.spec.family != "gaussian":
            return f"no {problem.spec.family} with groups and intercept"
        return "" if problem.spec.penalty == "lasso" else "no MCP"

    def solve(self, problem: Problem, ask: Ask) -> list[Solution]:
        """One path, or one for each fold."""
        return fold_by_fold(self.fit, problem, ask)

    def fit(self, problem: Problem, ask: Ask) -> Solution:
        """Fit on centred data."""
        from celer.homotopy import celer_path

        data = centred(problem)
        keywords: dict[str, Any] = {"tol": ask.tol, "max_iter": 200, "prune": True}
        kind = "lasso" if is_lasso(problem) else "grouplasso"
        if kind == "grouplasso":
            sizes = [int(size) for size in problem.sizes]
            keywords |= {"groups": sizes, "weights": problem.weights}
        if sp.issparse(data.X):
            keywords |= {"X_offset": data.x_mean, "X_scale": np.ones(len(data.x_mean))}
        coef = celer_path(data.X, data.y, kind, alphas=problem.lambdas, **keywords)[1]
        return data.solution(columns(coef))
