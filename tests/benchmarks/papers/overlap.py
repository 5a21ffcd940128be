"""ON1: groups that overlap, and a model that is a union of some of them.

100 rows, 1000 columns from U(-1, 1), 199 groups of 10 neighbours that share 5 with the next; the
first 25 columns have coefficients from U(0, 1), noise at 20 dB (variance of the signal over that
of the noise 100). 5-fold cross-validation chooses lambda, by the smallest error or the 1-SE rule;
ridge regression on the selected columns, its level by leave-one-out error, is the debiased fit.
Errors on 500 new rows are relative to the variance of their response. Part "recovery" sets the
latent penalty beside two that do not know the overlap: the lasso, and a group lasso by tens. Part
"time" fits one lambda, 5% of lambda_max, with columns duplicated (block descent) and without
(latent_dual), as neighbours share more.

References: Mosci, Villa, Verri & Rosasco (2010), Advances in Neural Information Processing
Systems 23; Jacob, Obozinski & Vert (2009), doi:10.1145/1553374.1553431.
"""

from __future__ import annotations

import time
from functools import lru_cache

import numpy as np

import grpsparse as gs

from .study import Cell, Measures, Missing, Study

ROWS, TEST_ROWS, COLUMNS, SIZE, SHARED, ACTIVE = 100, 500, 1000, 10, 5, 25
DECIBEL = 20.0
FOLDS = 5
SHARE = 0.05  # of lambda_max, at which solvers are timed
TIMED_TOL = 1e-7
REPEATS = 3
METHODS = ("latent", "lasso", "tens")
SHARINGS = (0, 2, 5, 8, 9)


def cells() -> list[Cell]:
    """Three methods; then two solvers by the number of columns that neighbours share."""
    found: list[Cell] = [{"part": "recovery", "method": method} for method in METHODS]
    return found + [
        {"part": "time", "shared": shared, "solver": solver}
        for shared in SHARINGS
        for solver in ("block_descent", "latent_dual")
    ]


@lru_cache(maxsize=1)
def draw(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """X and y of the rows to fit and to test, and the true coefficients."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1.0, 1.0, (ROWS + TEST_ROWS, COLUMNS))
    truth = np.zeros(COLUMNS)
    truth[:ACTIVE] = rng.uniform(0.0, 1.0, ACTIVE)
    signal = X @ truth
    noise = np.std(signal[:ROWS]) * 10.0 ** (-DECIBEL / 20.0)
    return np.asfortranarray(X), signal + noise * rng.standard_normal(len(X)), truth


def neighbours(shared: int) -> list[list[int]]:
    """Groups of neighbouring columns, each of which shares some with the next."""
    starts = range(0, COLUMNS - SIZE + 1, SIZE - shared)
    found = [list(range(start, start + SIZE)) for start in starts]
    if found[-1][-1] < COLUMNS - 1:
        found.append(list(range(COLUMNS - SIZE, COLUMNS)))
    return found


def run(cell: Cell, seed: int) -> Measures:
    """One part."""
    if not hasattr(gs, "LatentGroupLasso"):
        raise Missing("penalty 'latent_group_lasso'")
    return recovery(cell["method"], seed) if cell["part"] == "recovery" else timing(cell, seed)


def recovery(method: str, seed: int) -> Measures:
    """Selected columns and error on new rows, with lambda by cross-validation."""
    X, y, truth = draw(seed)
    train, new, active = np.asfortranarray(X[:ROWS]), X[ROWS:], truth != 0
    options = {
        "latent": {"penalty": "latent_group_lasso", "groups": neighbours(SHARED)},
        "lasso": {"penalty": "lasso"},
        "tens": {"penalty": "group_lasso", "groups": np.arange(COLUMNS) // SIZE},
    }[method]
    begin = time.process_time()
    cv = gs.fit_cv(
        train, y[:ROWS], n_folds=FOLDS, seed=seed, standardize="column", progress=False, **options
    )
    seconds = time.process_time() - begin
    found: Measures = {"seconds": seconds}
    for rule, index in (("min", cv.index_min), ("1se", cv.index_1se)):
        coef = cv.path.coef_path[index]
        chosen = coef != 0
        eta = new @ coef + cv.path.intercept_path[index]
        again = ridge(train[:, chosen], y[:ROWS], new[:, chosen])
        found |= {
            f"missed_{rule}": int(np.sum(active & ~chosen)),
            f"wrong_{rule}": int(np.sum(chosen & ~active)),
            f"error_{rule}": float(np.mean((y[ROWS:] - eta) ** 2) / np.var(y[ROWS:])),
            f"debiased_{rule}": float(np.mean((y[ROWS:] - again) ** 2) / np.var(y[ROWS:])),
            f"certificate_{rule}": float(cv.path.certificate[index]),
        }
    return found


def ridge(X: np.ndarray, y: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Predictions of ridge regression, its level by leave-one-out error."""
    if X.shape[1] == 0:
        return np.full(len(new), y.mean())
    centre = X.mean(axis=0)
    U, d, Vt = np.linalg.svd(X - centre, full_matrices=False)
    levels = d[0] ** 2 * np.geomspace(1e-8, 1.0, 50)
    rotated, residual = U.T @ (y - y.mean()), y - y.mean()
    errors = []
    for level in levels:
        kept = d**2 / (d**2 + level)
        hat = np.sum(U**2 * kept, axis=1) + 1.0 / len(y)
        errors.append(np.mean(((residual - U @ (kept * rotated)) / (1.0 - hat)) ** 2))
    best = levels[int(np.argmin(errors))]
    return y.mean() + (new - centre) @ (Vt.T @ (d / (d**2 + best) * rotated))


def timing(cell: Cell, seed: int) -> Measures:
    """Median CPU seconds of one fit, and its certificate."""
    if cell["solver"] not in gs.solvers.names():
        raise Missing(f"solver {cell['solver']!r}")
    X, y, _ = draw(seed)
    train = np.asfortranarray(X[:ROWS])
    groups = neighbours(cell["shared"])
    options = {
        "penalty": "latent_group_lasso",
        "groups": groups,
        "standardize": "column",
        "solver": cell["solver"],
        "tol": TIMED_TOL,
        "progress": False,
    }
    largest = gs.fit(train, y[:ROWS], n_lambda=2, lambda_min_ratio=0.999, **options).lambda_[0]
    seconds = []
    for _ in range(REPEATS + 1):
        begin = time.process_time()
        fit = gs.fit(train, y[:ROWS], lambda_=SHARE * largest, **options)
        seconds.append(time.process_time() - begin)
    return {
        "copies": sum(map(len, groups)) / COLUMNS,
        "seconds": float(np.median(seconds[1:])),
        "deviance": float(fit.deviance[0]),
        "certificate": float(fit.certificate[0]),
    }


STUDY = Study(
    name="on1",
    title="Overlapping groups: the latent group lasso",
    cells=cells,
    run=run,
    seeds=20,
    parameters={
        "rows": ROWS,
        "test_rows": TEST_ROWS,
        "columns": COLUMNS,
        "size": SIZE,
        "shared": SHARED,
        "active": ACTIVE,
        "decibel": DECIBEL,
        "folds": FOLDS,
        "timed_share": SHARE,
        "timed_tol": TIMED_TOL,
    },
)
