"""What the adapters share: their contract, and conversions."""

from __future__ import annotations

import dataclasses
import importlib.metadata
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import scipy.sparse as sp

from .objective import Solution
from .problems import Problem, training_part

if TYPE_CHECKING:
    from collections.abc import Callable


class Absent(Exception):
    """The package of a solver is not installed."""


@dataclasses.dataclass(frozen=True)
class Ask:
    """How to solve: tolerance in the solver's own measure, threads, and when to give up.

    A solver that goes from lambda to lambda returns the part of the path that is done once
    ``time.perf_counter()`` is past `deadline`.
    """

    tol: float
    threads: int = 1
    deadline: float = float("inf")


class Adapter(Protocol):
    """One way to call one package."""

    name: str
    tols: tuple[float, ...]  # loose to tight

    def version(self) -> str:
        """Version of the package; raises :class:`Absent`."""
        ...

    def refusal(self, problem: Problem, /) -> str:
        """Why the package cannot solve the problem, or nothing."""
        ...

    def solve(self, problem: Problem, ask: Ask) -> list[Solution]:
        """One path, or one for each fold."""
        ...


def tolerances(loosest: int, tightest: int) -> tuple[float, ...]:
    """Two tolerances a decade, for every solver alike: 1 and 0.3 times each power of ten."""
    return tuple(share * 10.0**-k for k in range(loosest, tightest + 1) for share in (1.0, 0.3))


def installed(package: str) -> str:
    """Version of a Python package."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        raise Absent(package) from None


def fold_by_fold(
    fit: Callable[[Problem, Ask], Solution], problem: Problem, ask: Ask
) -> list[Solution]:
    """One path, or one on a copy of the training rows of each fold."""
    if not problem.spec.folds:
        return [fit(problem, ask)]
    parts = (training_part(problem, k) for k in range(problem.spec.folds))
    return [fit(part, ask) for part in parts]


def is_lasso(problem: Problem) -> bool:
    """Whether every coefficient is a group of its own."""
    spec = problem.spec
    return spec.groups == "single" and spec.classes == 1 and spec.penalty == "lasso"


def columns(coef: Any) -> list[Any]:
    """Coefficients (p, n_lambda) as one sparse column for each lambda."""
    coef = sp.csc_matrix(coef)
    return [coef[:, [l]] for l in range(coef.shape[1])]


@dataclasses.dataclass(frozen=True)
class Centred:
    """Data with column means and mean response removed; a sparse X keeps its means."""

    X: Any
    y: np.ndarray
    x_mean: np.ndarray
    y_mean: float

    def solution(self, coefs: list[Any]) -> Solution:
        """Path on the data as they were."""
        intercepts = [[self.y_mean - float((c.T @ self.x_mean)[0])] for c in coefs]
        return Solution(np.array(intercepts), coefs)


def centred(problem: Problem) -> Centred:
    """Centre; X is copied only where its columns are not centred yet."""
    X, y_mean = problem.X, float(problem.y.mean())
    if sp.issparse(X):
        x_mean = np.asarray(X.mean(axis=0)).ravel()
    elif "-fold" in problem.name:
        x_mean = X.mean(axis=0)
        X = np.asfortranarray(X - x_mean)
    else:
        x_mean = np.zeros(X.shape[1])
    return Centred(X, problem.y - y_mean, x_mean, y_mean)
