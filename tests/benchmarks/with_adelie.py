"""adelie: ``grpnet`` with its early exit off. It needs numpy < 2, so an environment of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from .contract import Ask, installed, tolerances
from .objective import Solution
from .problems import Problem


class Adelie:
    """Pivot rule, the default; folds are zero weights, so that X is not copied."""

    name = "adelie"
    tols = tolerances(4, 12)
    rule = "pivot"

    def version(self) -> str:
        """Version of the package."""
        return installed("adelie")

    def refusal(self, problem: Problem) -> str:
        """Convex penalties only."""
        return "" if problem.spec.penalty == "lasso" else "no MCP"

    def solve(self, problem: Problem, ask: Ask) -> list[Solution]:
        """One path, or one for each fold."""
        X = design(problem, ask.threads)
        if not problem.spec.folds:
            return [self.path(problem, X, None, ask)]
        kept = [(problem.fold_id != k).astype(float) for k in range(problem.spec.folds)]
        return [self.path(problem, X, keep / keep.sum(), ask) for keep in kept]

    def path(self, problem: Problem, X: Any, weights: np.ndarray | None, ask: Ask) -> Solution:
        """Fit; its multinomial loss carries 1/K, so lambda is divided by K."""
        import adelie as ad

        classes = problem.spec.classes
        state = ad.grpnet(
            X,
            getattr(ad.glm, problem.spec.family)(y=problem.y, weights=weights),
            groups=problem.starts,
            penalty=problem.weights,
            lmda_path=problem.lambdas / classes,
            tol=ask.tol,
            irls_tol=ask.tol,
            early_exit=False,
            n_threads=ask.threads,
            screen_rule=self.rule,
            progress_bar=False,
        )
        betas = state.betas
        coefs = [betas[l] for l in range(betas.shape[0])]
        return Solution(np.asarray(state.intercepts).reshape(-1, classes), coefs)


class AdelieStrong(Adelie):
    """The strong rule in place of the pivot rule."""

    name = "adelie-strong"
    rule = "strong"


def design(problem: Problem, threads: int) -> Any:
    """Factors and sparse columns in the forms that the package has for them."""
    import adelie as ad

    if problem.codes is not None:
        codes = np.asfortranarray(problem.codes, dtype=float)
        return ad.matrix.one_hot(codes, problem.levels, n_threads=threads)
    if sp.issparse(problem.X):
        return ad.matrix.sparse(problem.X, method="naive", n_threads=threads)
    return problem.X
