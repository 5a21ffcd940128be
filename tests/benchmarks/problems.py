"""Named, seeded problems that every solver is given.

    F(b0, B) = (1/n) sum_i loss(y_i, b0 + x_i'B) + lambda_ sum_g P(||B_g||),  group weight
    w_g = sqrt(number of coefficients in group g), which is K |g| with K classes

with a free intercept and P(r) = w_g r, or group MCP at lambda_ w_g. Dense columns are centred
and scaled to mean square 1 here; sparse columns and factors stay raw. The losses are
(y - eta)^2 / 2, log(1 + e^eta) - y eta, and logsumexp(eta) - eta_y.

The order of the draws is part of a problem: the stored objectives hold for these data only.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import scipy.sparse as sp

from .objective import lambda_max

CORRELATION = 0.5  # of neighbouring columns, AR(1)
ACTIVE_SHARE = {"dense": 0.05, "sparse": 0.05, "factors": 0.2}
SIGNAL_TO_NOISE = 3.0
GROUP_SIZE = 10
DENSITY = 0.005


@dataclasses.dataclass(frozen=True)
class Spec:
    """What a problem is made from.

    Attributes
    ----------
    family : {"gaussian", "binomial", "multinomial"}
    n, p : int
        Rows, and columns or factors.
    groups : {"tens", "single"}
        Groups of ten columns, or of one.
    design : {"dense", "sparse", "factors"}
    classes : int
    penalty : {"lasso", "mcp"}
        Of the group norms.
    orthonormal : bool
        Make the columns of every group orthonormal.
    ratio : float
        Last lambda over the first.
    n_lambda : int
    folds : int
        More than 0 asks for the paths of a cross-validation.
    n_active : int
        Groups with an effect; 0 takes a share of all groups.
    seed : int
    """

    family: str
    n: int
    p: int
    groups: str = "tens"
    design: str = "dense"
    classes: int = 1
    penalty: str = "lasso"
    orthonormal: bool = False
    ratio: float = 0.05
    n_lambda: int = 100
    folds: int = 0
    n_active: int = 0
    seed: int = 2026


@dataclasses.dataclass(frozen=True)
class Problem:
    """Data and lambdas of one problem.

    Attributes
    ----------
    name : str
    spec : Spec
    X : ndarray (n, p) in column order, or csc_matrix
    y : ndarray
        (n,), or (n, K) indicators of the classes.
    starts, sizes : ndarray (n_groups,)
        First column and number of columns of every group.
    weights : ndarray (n_groups,)
    lambdas : ndarray (n_lambda,)
    codes, levels : ndarray, optional
        Factors: the level of each row, (n, d), and the number of levels.
    fold_id : ndarray (n,), optional
    gamma : float
        Concavity of group MCP.
    """

    name: str
    spec: Spec
    X: Any
    y: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray
    weights: np.ndarray
    lambdas: np.ndarray
    codes: np.ndarray | None = None
    levels: np.ndarray | None = None
    fold_id: np.ndarray | None = None
    gamma: float = 3.0


PROBLEMS = {
    "G1": Spec("gaussian", 1000, 10_000),
    "G2": Spec("gaussian", 1000, 100_000),
    "G3": Spec("gaussian", 20_000, 2_000),
    "B1": Spec("binomial", 1000, 5_000, ratio=0.1),
    "B2": Spec("binomial", 5000, 20_000, ratio=0.1),
    "M1": Spec("multinomial", 1000, 2_000, groups="single", classes=4, ratio=0.1),
    "M2": Spec("multinomial", 2000, 10_000, classes=5, ratio=0.1),
    "N1": Spec("gaussian", 1000, 10_000, penalty="mcp", orthonormal=True),
    "L1": Spec("gaussian", 1000, 20_000, groups="single"),
    "S1": Spec("gaussian", 20_000, 20_000, design="sparse"),
    "CV1": Spec("gaussian", 500, 5_000, folds=10),
    "F1": Spec("gaussian", 200_000, 30, design="factors"),
    "F1b": Spec("binomial", 200_000, 30, design="factors", ratio=0.1),
    "F1CV": Spec("gaussian", 200_000, 30, design="factors", folds=10),
}

TITLES = {
    "G1": "gaussian group lasso, n=1000, p=10 000",
    "G2": "gaussian group lasso, n=1000, p=100 000",
    "G3": "gaussian group lasso, n=20 000, p=2000",
    "B1": "binomial group lasso, n=1000, p=5000",
    "B2": "binomial group lasso, n=5000, p=20 000",
    "M1": "multinomial, 4 classes, n=1000, 2000 columns",
    "M2": "multinomial, 5 classes, n=2000, p=10 000 in groups",
    "N1": "gaussian group MCP, n=1000, p=10 000",
    "L1": "gaussian lasso, n=1000, p=20 000",
    "S1": "gaussian group lasso, sparse X, n=p=20 000",
    "CV1": "10 folds, gaussian group lasso, n=500, p=5000",
    "F1": "gaussian, 30 factors, n=200 000",
    "F1b": "binomial, 30 factors, n=200 000",
    "F1CV": "10 folds, gaussian, 30 factors, n=200 000",
}


def make(name: str, spec: Spec | None = None) -> Problem:
    """Generate a problem; without `spec` the one of this name."""
    spec = spec or PROBLEMS[name]
    rng = np.random.default_rng(spec.seed)
    codes = levels = fold_id = None
    if spec.design == "factors":
        X, codes, levels = factor_design(spec, rng)
        sizes = levels
    else:
        width = 1 if spec.groups == "single" else GROUP_SIZE
        sizes = np.full(spec.p // width, width)
        X = sparse_design(spec, rng) if spec.design == "sparse" else dense_design(spec, sizes, rng)
    y = response(signal(X, sizes, spec, rng), spec, rng)
    if spec.folds:
        fold_id = rng.permutation(np.arange(spec.n) % spec.folds)
    problem = Problem(
        name=name,
        spec=spec,
        X=X,
        y=y,
        starts=first_columns(sizes),
        sizes=sizes,
        weights=np.sqrt(sizes * float(spec.classes)),
        lambdas=np.empty(0),
        codes=codes,
        levels=levels,
        fold_id=fold_id,
    )
    lambdas = lambda_max(problem) * np.geomspace(1, spec.ratio, spec.n_lambda)
    return dataclasses.replace(problem, lambdas=lambdas)


def tiny(spec: Spec) -> Problem:
    """Problem of the same kind with few rows, on which solvers compile."""
    n, p = (500, 5) if spec.design == "factors" else (60, 100)
    small = dataclasses.replace(spec, n=n, p=p, n_lambda=3, folds=min(spec.folds, 2), n_active=0)
    return make("tiny", small)


def training_part(problem: Problem, fold: int) -> Problem:
    """Rows outside one fold; the columns are not standardised again."""
    keep = np.flatnonzero(problem.fold_id != fold)
    X = problem.X[keep] if sp.issparse(problem.X) else np.asfortranarray(problem.X[keep])
    codes = None if problem.codes is None else np.asfortranarray(problem.codes[keep])
    return dataclasses.replace(
        problem,
        X=X,
        y=problem.y[keep],
        codes=codes,
        fold_id=None,
        name=f"{problem.name}-fold{fold}",
    )


def first_columns(sizes: np.ndarray) -> np.ndarray:
    """First column of every group."""
    return np.concatenate([[0], np.cumsum(sizes)[:-1]])


def dense_design(spec: Spec, sizes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """AR(1) columns of mean 0 and mean square 1, in column order."""
    X = rng.standard_normal((spec.p, spec.n)).T
    for j in range(1, spec.p):
        X[:, j] *= np.sqrt(1 - CORRELATION**2)
        X[:, j] += CORRELATION * X[:, j - 1]
    for a in range(0, spec.p, 1000):
        block = X[:, a : a + 1000]
        block -= block.mean(axis=0)
        block /= np.sqrt(np.mean(block**2, axis=0))
    if spec.orthonormal:
        for start, size in zip(first_columns(sizes), sizes, strict=True):
            block = X[:, start : start + size]
            block[:] = np.linalg.qr(block)[0] * np.sqrt(spec.n)
    return X


def sparse_design(spec: Spec, rng: np.random.Generator) -> sp.csc_matrix:
    """Normal numbers at random places."""
    return sp.random(
        spec.n,
        spec.p,
        density=DENSITY,
        format="csc",
        random_state=rng,
        data_rvs=rng.standard_normal,
    )


def factor_design(
    spec: Spec, rng: np.random.Generator
) -> tuple[sp.csc_matrix, np.ndarray, np.ndarray]:
    """Factors of 5 to 200 levels of unequal frequency: indicators, codes and numbers of levels."""
    levels = np.unique(np.round(np.geomspace(5, 200, spec.p)).astype(int))
    levels = np.sort(np.concatenate([levels, rng.integers(5, 201, spec.p - len(levels))]))
    codes = np.empty((spec.n, spec.p), dtype=np.int64, order="F")
    for j, k in enumerate(levels):
        frequency = rng.dirichlet(np.full(k, 2.0))
        codes[:, j] = rng.choice(k, spec.n, p=frequency)
    return one_hot(codes, levels), codes, levels


def one_hot(codes: np.ndarray, levels: np.ndarray) -> sp.csc_matrix:
    """Indicators of the levels, one column per level."""
    n, d = codes.shape
    indices = (codes + first_columns(levels)).ravel()
    pointers = np.arange(0, n * d + 1, d)
    X = sp.csr_matrix((np.ones(n * d), indices, pointers), shape=(n, int(levels.sum()))).tocsc()
    X.sort_indices()
    return X


def signal(X: Any, sizes: np.ndarray, spec: Spec, rng: np.random.Generator) -> np.ndarray:
    """Linear predictors (n, K) of mean 0 and variance 1, of a few active groups."""
    starts = first_columns(sizes)
    share = max(1, round(ACTIVE_SHARE[spec.design] * len(sizes)))
    active = np.sort(rng.choice(len(sizes), spec.n_active or share, replace=False))
    columns = np.concatenate([np.arange(starts[g], starts[g] + sizes[g]) for g in active])
    coef = rng.standard_normal((len(columns), spec.classes))
    eta = np.asarray(X[:, columns] @ coef)
    eta -= eta.mean(axis=0)
    return eta / eta.std(axis=0)


def response(eta: np.ndarray, spec: Spec, rng: np.random.Generator) -> np.ndarray:
    """Responses whose signal has SIGNAL_TO_NOISE times the variance of the noise."""
    if spec.family == "gaussian":
        return np.sqrt(SIGNAL_TO_NOISE) * eta[:, 0] + rng.standard_normal(len(eta))
    if spec.family == "binomial":
        # The logistic noise has variance pi^2 / 3.
        probability = 1 / (1 + np.exp(-np.pi * eta[:, 0]))
        return (rng.random(len(eta)) < probability).astype(float)
    utility = np.sqrt(SIGNAL_TO_NOISE) * eta + rng.gumbel(size=eta.shape)
    return np.ascontiguousarray(np.eye(spec.classes)[utility.argmax(axis=1)])


def fingerprint(problem: Problem) -> list[float]:
    """Few numbers that tell the data of a problem apart from others."""
    n, p = problem.X.shape
    rows, columns = np.cos(np.arange(n)), np.cos(np.arange(p))
    values = problem.X.data if sp.issparse(problem.X) else problem.X.ravel(order="K")
    folds = 0.0 if problem.fold_id is None else float(problem.fold_id @ rows)
    return [
        float(values @ values),
        float(rows @ (problem.X @ columns)),
        float(np.sum(rows @ problem.y.reshape(n, -1) * np.arange(1, problem.spec.classes + 1))),
        float(problem.lambdas[0]),
        folds,
    ]
