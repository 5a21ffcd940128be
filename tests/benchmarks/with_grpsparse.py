"""The project itself, through its public functions only."""

from __future__ import annotations

from typing import Any

import numpy as np

from .contract import Absent, Ask, tolerances
from .objective import Solution
from .problems import Problem


class Project:
    """``grpsparse.fit`` and ``fit_replicates`` with the weights and lambdas of the problem."""

    name = "grpsparse"
    tols = tolerances(2, 10)

    def version(self) -> str:
        """Version of the checkout that is measured."""
        try:
            import grpsparse as gs
        except ImportError:
            raise Absent(self.name) from None
        return gs.__version__

    def refusal(self, _problem: Problem, /) -> str:
        """Nothing: it solves them all."""
        return ""

    def solve(self, problem: Problem, ask: Ask) -> list[Solution]:
        """One path, or one for each fold by replicate weights."""
        import grpsparse as gs

        data, keywords = arguments(problem)
        if not problem.spec.folds:
            return [solution(gs.fit(*data, tol=ask.tol, **keywords))]
        kept = np.stack([problem.fold_id != k for k in range(problem.spec.folds)]).astype(float)
        fits = gs.fit_replicates(*data, replicate_weights=kept, tol=ask.tol, **keywords)
        return [solution(fit) for fit in fits]


def arguments(problem: Problem) -> tuple[tuple[Any, Any], dict[str, Any]]:
    """First two arguments and keywords of ``fit``: factors as a data frame, else a matrix."""
    import grpsparse as gs

    mcp = problem.spec.penalty == "mcp"
    penalty = gs.GroupMCP(gamma=problem.gamma, rescale=False) if mcp else gs.GroupLasso()
    keywords: dict[str, Any] = {
        "family": problem.spec.family,
        "penalty": penalty,
        "standardize": False,
        "group_weight": None,
        "lambda_": problem.lambdas,
    }
    if problem.codes is not None:
        names = [f"f{j:02d}" for j in range(problem.codes.shape[1])]
        keywords["penalty_factor"] = dict(zip(names, problem.weights, strict=True))
        return ("y ~ " + " + ".join(names), frame(problem, names)), keywords
    keywords["groups"] = np.repeat(np.arange(len(problem.sizes)), problem.sizes)
    keywords["penalty_factor"] = problem.weights
    return (problem.X, labels(problem)), keywords


def frame(problem: Problem, names: list[str]) -> Any:
    """Factors and response as a data frame of categoricals."""
    import pandas as pd

    data = {
        name: pd.Categorical.from_codes(codes, categories=range(n_levels))
        for name, codes, n_levels in zip(names, problem.codes.T, problem.levels, strict=True)
    }
    return pd.DataFrame({**data, "y": labels(problem)})


def labels(problem: Problem) -> np.ndarray:
    """Response as a user has it: class labels instead of indicators."""
    if problem.spec.family != "multinomial":
        return problem.y
    names = np.array([f"c{k:02d}" for k in range(problem.spec.classes)])
    return names[problem.y.argmax(axis=1)]


def solution(fit: Any) -> Solution:
    """Path of a fit."""
    coef = np.asarray(fit.coef_path)
    coef = coef if coef.ndim == 3 else coef[:, :, None]
    intercepts = np.asarray(fit.intercept_path).reshape(len(coef), -1)
    return Solution(intercepts, coef)
