"""ON2 (a) and (b): many tasks with the same few columns, by every solver at several tolerances.

    (1 / 2n) ||Y - X B||^2 + lambda sum_j ||B_j||,  B_j row j of B

X and noise from N(0, 1); row j of B, if it is not 0, is sin((1 + z1) t + 3 z2) at q values of t
from 0 to 2 pi, z1 and z2 from N(0, 1). (a) 50 rows, 1200 columns, 20 tasks, 10 columns that count;
(b) 300, 1000, 100 and 5. Lambda is a share of lambda_max. Each solver is run at tolerances from
loose to tight; seconds against the distance from the lowest objective of all are its curve, and
max_j ||X_j'(X B - Y)|| / (n lambda) is at most 1 at a solution.

References: Poon & Peyre (2021), "Smooth bilevel programming for sparse regularization".
"""

from __future__ import annotations

import time
import warnings
from functools import lru_cache

import numpy as np

import grpsparse as gs

from .study import Cell, Measures, Missing, Study

SIZES = {"a": (50, 1200, 20, 10), "b": (300, 1000, 100, 5)}  # rows, columns, tasks, that count
SEEDS = {"a": 40, "b": 42}  # of the first draw; the seed of a run is added
SHARES = (10, 20, 50, 100)  # lambda_max over lambda
SOLVERS = ("block_descent", "varpro", "accelerated")
TOLS = (1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12)
REPEATS = 3


def cells() -> list[Cell]:
    """Designs, lambdas, solvers."""
    return [
        {"design": design, "share": share, "solver": solver}
        for design in SIZES
        for share in SHARES
        for solver in SOLVERS
    ]


@lru_cache(maxsize=1)
def draw(design: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """X and the responses."""
    n, p, q, active = SIZES[design]
    rng = np.random.default_rng(SEEDS[design] + seed)
    X = rng.standard_normal((n, p))
    B = np.zeros((p, q))
    t = np.linspace(0.0, 2.0 * np.pi, q)
    for j in rng.choice(p, active, replace=False):
        B[j] = np.sin((1.0 + rng.standard_normal()) * t + 3.0 * rng.standard_normal())
    return np.asfortranarray(X), X @ B + rng.standard_normal((n, q))


def run(cell: Cell, seed: int) -> Measures:
    """Seconds, objective and certificate at every tolerance."""
    if cell["solver"] not in gs.solvers.names():
        raise Missing(f"solver {cell['solver']!r}")
    X, Y = draw(cell["design"], seed)
    lambda_ = np.max(np.linalg.norm(X.T @ Y, axis=1)) / len(X) / cell["share"]
    found = [timed(X, Y, lambda_, cell["solver"], tol) for tol in TOLS]
    return {name: [point[name] for point in found] for name in found[0]}


def timed(X: np.ndarray, Y: np.ndarray, lambda_: float, solver: str, tol: float) -> Measures:
    """One tolerance: the median of several runs."""
    seconds = []
    for _ in range(REPEATS):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", gs.errors.ConvergenceWarning)
            begin = time.process_time()
            fit = gs.fit(
                X,
                Y,
                family="mgaussian",
                group_weight=None,
                standardize=False,
                intercept=False,
                lambda_=lambda_,
                solver=solver,
                tol=tol,
                progress=False,
            )
            seconds.append(time.process_time() - begin)
    B = fit.coef_path[0]
    residual = Y - X @ B
    rows = np.linalg.norm(B, axis=1)
    slope = np.linalg.norm(X.T @ residual, axis=1) / (len(X) * lambda_)
    return {
        "seconds": float(np.median(seconds)),
        "objective": float(np.sum(residual**2) / (2 * len(X)) + lambda_ * rows.sum()),
        "slope": float(np.max(slope)),
        "certificate": float(fit.certificate[0]),
        "rows": int(np.sum(rows > 0)),
    }


STUDY = Study(
    name="on2ab",
    title="Multitask group lasso: solvers against the clock",
    cells=cells,
    run=run,
    seeds=1,
    parameters={"sizes": SIZES, "seeds": SEEDS, "tols": TOLS, "repeats": REPEATS},
    digits=12,  # of objectives, to compare
)
