"""B9: every solver at the same problems.

200 rows, 60 groups of 5 columns, lambda a tenth of lambda_max, and every solver that takes the
problem. Where it is convex all must reach the lowest objective to 1e-8 of the loss of the null
model; elsewhere each is a point of its own, with its certificate and objective for the record.

References: Ke, Shin, Lou & Ahn (2024), doi:10.1007/s10915-024-02571-9, for the notion of
stationarity that the certificate of a nonconvex problem measures.
"""

from __future__ import annotations

import time
import warnings
from functools import lru_cache
from typing import Any

import numpy as np

import grpsparse as gs

from .designs import toeplitz_form, toeplitz_rows
from .study import Cell, Measures, Missing, Study

ROWS, GROUPS, SIZE, ACTIVE = 200, 60, 5, 6
RHO = 0.5
SHARE = 0.1
TOL = 1e-11
CLASSES = 3
PROBLEMS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("gaussian", "group_lasso", {}),
    ("gaussian", "group_elastic_net", {}),
    ("gaussian", "sparse_group_lasso", {}),
    ("gaussian", "lasso", {}),
    ("binomial", "group_lasso", {}),
    ("binomial", "sparse_group_lasso", {}),
    ("poisson", "group_lasso", {}),
    ("multinomial", "group_lasso", {}),
    ("mgaussian", "group_lasso", {}),
    ("gaussian", "group_mcp", {}),
    ("gaussian", "group_scad", {}),
    ("gaussian", "group_capped_l1", {}),
    ("gaussian", "group_transformed_l1", {}),
    ("gaussian", "group_log_sum", {}),
    ("gaussian", "group_lq", {}),
    ("gaussian", "group_l1_l2", {}),
    ("binomial", "group_mcp", {"gamma": 12.0, "rescale": False}),
    ("poisson", "group_mcp", {"gamma": 3.0, "rescale": False}),
)


def cells() -> list[Cell]:
    """Problems, and whatever solvers there are."""
    return [
        {"family": family, "penalty": penalty, "options": options, "solver": solver}
        for family, penalty, options in PROBLEMS
        for solver in gs.solvers.names()
    ]


@lru_cache(maxsize=1)
def draw(family: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """X and y."""
    rng = np.random.default_rng(seed)
    X = np.asfortranarray(toeplitz_rows(rng, ROWS, GROUPS * SIZE, RHO))
    truth = np.zeros((GROUPS, SIZE, CLASSES))
    truth[rng.choice(GROUPS, ACTIVE, replace=False)] = rng.standard_normal((ACTIVE, SIZE, CLASSES))
    truth = truth.reshape(-1, CLASSES)
    truth /= np.sqrt([toeplitz_form(b, RHO) for b in truth.T])
    eta = X @ truth
    noise = rng.gumbel(size=eta.shape)
    if family == "multinomial":
        return X, np.argmax(2.0 * eta + noise, axis=1).astype(str)
    if family == "mgaussian":
        return X, eta + 0.5 * rng.standard_normal(eta.shape)
    if family == "gaussian":
        return X, eta[:, 0] + 0.5 * rng.standard_normal(ROWS)
    if family == "poisson":
        return X, rng.poisson(np.exp(0.5 * eta[:, 0])).astype(float)
    return X, (2.0 * eta[:, 0] > noise[:, 0] - noise[:, 1]).astype(float)


def run(cell: Cell, seed: int) -> Measures:
    """Objective, certificate and time of one solver, at the second point of a path."""
    family, name = cell["family"], cell["penalty"]
    if name not in gs.penalties.names():
        raise Missing(f"penalty {name!r}")
    X, y = draw(family, seed)
    penalty = type(gs.penalties.get(name))(**cell["options"])
    size, groups = SIZE, np.repeat(np.arange(GROUPS), SIZE)
    if penalty.elementwise:
        size, groups = 1, "column"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gs.errors.ConvergenceWarning)
        try:
            for _ in range(2):  # the first compiles
                begin = time.process_time()
                fit = gs.fit(
                    X,
                    y,
                    family=family,
                    penalty=penalty,
                    groups=groups,
                    group_weight=None,
                    standardize=False,
                    n_lambda=2,
                    lambda_min_ratio=SHARE,
                    solver=cell["solver"],
                    tol=TOL,
                    progress=False,
                )
                seconds = time.process_time() - begin
        except gs.errors.OptionError as refusal:
            raise Missing(f"{cell['solver']}, {family}, {name}: {refusal}") from refusal
    null = float(fit.null_deviance) / (2.0 * ROWS)
    return {
        "objective": objective(fit, X, y, size) / null,
        "certificate": float(fit.certificate[-1]),
        "seconds": seconds,
        "groups": int(fit.n_terms[-1]),
        "convex": float(penalty.convex),
    }


def objective(fit: gs.PathFit, X: np.ndarray, y: np.ndarray, size: int) -> float:
    """Mean loss plus penalty at the last point of the path."""
    coef = fit.coef_path[-1].reshape(X.shape[1], -1)
    eta = X @ coef + fit.intercept_path[-1]
    if fit.family.name == "multinomial":
        own = np.take_along_axis(eta, np.searchsorted(fit.classes, y)[:, None], axis=1)
        loss = np.logaddexp.reduce(eta, axis=1) - own[:, 0]
    elif fit.family.name == "binomial":
        loss = np.logaddexp(0.0, eta[:, 0]) - y * eta[:, 0]
    elif fit.family.name == "poisson":
        loss = np.exp(eta[:, 0]) - y * eta[:, 0]
    else:
        loss = 0.5 * np.sum((y.reshape(eta.shape) - eta) ** 2, axis=1)
    lambda_, blocks = float(fit.lambda_[-1]), coef.reshape(-1, size, coef.shape[1])
    if fit.penalty.name == "group_l1_l2":
        norms = np.linalg.norm(blocks, axis=(1, 2))
        return float(
            loss.mean() + lambda_ * (norms.sum() - fit.penalty.alpha * np.linalg.norm(norms))
        )
    return float(loss.mean() + sum(fit.penalty.value(block, lambda_) for block in blocks))


STUDY = Study(
    name="b9",
    title="Agreement of solvers",
    cells=cells,
    run=run,
    seeds=3,
    parameters={"rows": ROWS, "groups": GROUPS, "size": SIZE, "share": SHARE, "tol": TOL},
    digits=12,  # of objectives, to compare
)
