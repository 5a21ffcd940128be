"""Latent groups: block descent on latent coefficients against the dual proximal map on columns.

The design of Mosci et al. (2010): columns of U(-1, 1), windows of neighbouring columns as groups,
the first 25 coefficients of U(0, 1), noise at a tenth of the signal. ``python -m
benchmarks.latent`` prints a line for every size: seconds of the better of two runs.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from .first import timed

SIZES = ((10, 2), (20, 2), (20, 4), (20, 10), (20, 20), (50, 50), (100, 100))  # width, overlap
ROWS = (100, 1000)
N_COLUMNS = 1000
N_LAMBDA, SMALLEST = 20, 0.05  # of lambda_max
RUNS = 2


def windows(n_rows: int, width: int, overlap: int) -> tuple[Any, Any, list[list[int]]]:
    """Columns, response and groups in which nearly every column is `overlap` times."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1.0, 1.0, (n_rows, N_COLUMNS))
    coef = np.zeros(N_COLUMNS)
    coef[:25] = rng.uniform(0.0, 1.0, 25)
    signal = X @ coef
    y = signal + rng.normal(size=n_rows) * signal.std() / 10.0
    first = range(0, N_COLUMNS - width + 1, width // overlap)
    groups = [list(range(start, start + width)) for start in first]
    if groups[-1][-1] < N_COLUMNS - 1:
        groups.append(list(range(N_COLUMNS - width, N_COLUMNS)))
    return X, y, groups


def raced(n_rows: int, width: int, overlap: int) -> dict[str, Any]:
    """Seconds of both solvers on the same lambdas."""
    import grpsparse as gs

    X, y, groups = windows(n_rows, width, overlap)
    common: dict[str, Any] = {"penalty": "latent_group_lasso", "standardize": False, "tol": 1e-7}
    common["groups"] = groups
    path = gs.fit(X, y, n_lambda=N_LAMBDA, lambda_min_ratio=SMALLEST, **common).lambda_
    found: dict[str, Any] = {"n": n_rows, "width": width, "overlap": overlap}
    for solver in ("block_descent", "latent_dual"):

        def work(solver: str = solver) -> Any:
            return gs.fit(X, y, lambda_=path, solver=solver, **common)

        found[solver] = min((timed(work) for _ in range(RUNS)), key=lambda run: run["wall"])
    return found


def main() -> None:
    """Time both at every size, and print."""
    for n_rows in ROWS:
        for width, overlap in SIZES:
            print(json.dumps(raced(n_rows, width, overlap)), flush=True)


if __name__ == "__main__":
    main()
