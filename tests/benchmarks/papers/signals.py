"""ON6: signals of five sizes among 2000 zeros, by elementwise MCP and SCAD.

    y = X b + e,  b = five blocks of 10 signals with 500 zeros in between,
    rows of X from N(0, rho^|i-j|), var(e) = b'Sb / SNR

and for the binomial family a draw with log odds y. 1000 rows are fitted at 50 equally spaced
lambdas, the lambda with the least loss on 1000 others counts. Measures are taken over all 2051
numbers, the intercept among them (its truth is 0), as in the published table.

Two things in the published code decide what can be compared. Its logistic loss is half the mean
negative log likelihood, so that on our scale its penalty is P(2 t; l) / 2 (`half`; `plain` is P
itself, `rescaled` the default of this package). And in linear models its strong rule
halves the gradient and looks at nothing that was discarded, which :mod:`.discarding` repeats.

References: Yang, Asgharian & Bhatnagar (2022), arXiv:2009.10629.
"""

from __future__ import annotations

import time
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

import grpsparse as gs

from .designs import (
    held_out_loss,
    predictive_values,
    relative_error,
    toeplitz_form,
    toeplitz_rows,
)
from .discarding import discarding_path
from .published import recovered as recovered_by_others
from .study import Cell, Measures, Study

ROWS = 1000  # to fit, and as many to choose lambda
LAMBDAS = 50
BLOCK, GAP = 10, 500
# Mean and standard deviation of the signals of each block.
SIGNALS = {
    "gaussian": ((0.5, 1.0), (5.0, 2.0), (10.0, 3.0), (20.0, 4.0), (50.0, 5.0)),
    "binomial": ((0.5, 1.0), (0.5, 1.0), (-0.5, 1.0), (-0.5, 1.0), (1.0, 1.0)),
}
CORRELATIONS = (0.1, 0.5, 0.9)
RATIOS = (1, 3, 7, 10)
# A tenth of what they ask of the step, y being of unit variance, relative to a smaller lambda_max.
TOL = 1e-6

PENALTIES: dict[tuple[str, str], gs.penalties.Penalty] = {
    ("mcp", "plain"): gs.MCP(gamma=3.0, rescale=False),
    ("scad", "plain"): gs.SCAD(gamma=3.7, rescale=False),
    ("mcp", "half"): gs.MCP(gamma=1.5, rescale=False),
    ("scad", "half"): gs.SCAD(gamma=3.7, rescale=False, scale=2.0),
    ("mcp", "rescaled"): gs.MCP(gamma=3.0),
    ("scad", "rescaled"): gs.SCAD(gamma=3.7),
}


def cells() -> list[Cell]:
    """24 cells of the table, with two penalties on the scales that make a difference."""
    scales = {"gaussian": ("plain", "discarding"), "binomial": ("half", "plain", "rescaled")}
    return [
        {"family": family, "rho": rho, "snr": ratio, "penalty": penalty, "scale": scale}
        for family in SIGNALS
        for rho, ratio, scale in product(CORRELATIONS, RATIOS, scales[family])
        for penalty in ("mcp", "scad")
    ]


@lru_cache(maxsize=1)
def draw(
    family: str, rho: float, ratio: float, seed: int, rows: int = ROWS, gap: int = GAP
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """X and y of twice the rows, and the true coefficients."""
    rng = np.random.default_rng(seed)
    truth = np.zeros(5 * BLOCK + 4 * gap)
    for k, (mean, sd) in enumerate(SIGNALS[family]):
        start = k * (BLOCK + gap)
        truth[start : start + BLOCK] = rng.normal(mean, sd, BLOCK)
    X = toeplitz_rows(rng, 2 * rows, truth.size, rho)
    X = (X - X.mean(axis=0)) / X.std(axis=0, ddof=1)
    noise = np.sqrt(toeplitz_form(truth, rho) / ratio)
    y = X @ truth + noise * rng.standard_normal(2 * rows)
    if family == "binomial":
        y = (rng.random(2 * rows) < 1.0 / (1.0 + np.exp(-y))).astype(float)
    return np.asfortranarray(X), y, truth


def grid(X: np.ndarray, y: np.ndarray, n_lambda: int) -> np.ndarray:
    """Equally spaced lambdas from lambda_max down to, without, 0."""
    centred = (X - X.mean(axis=0)) / X.std(axis=0)
    largest = np.max(np.abs(centred.T @ (y - y.mean()))) / len(y)
    return largest * np.arange(n_lambda, 0, -1) / n_lambda


def run(cell: Cell, seed: int, *, rows: int = ROWS, gap: int = GAP) -> Measures:
    """Fit a path, choose by the other rows, measure."""
    family = cell["family"]
    X, y, truth = draw(family, cell["rho"], cell["snr"], seed, rows, gap)
    begin = time.process_time()
    solve = discarded if cell["scale"] == "discarding" else fitted
    coef, intercept, certificate = solve(cell, np.asfortranarray(X[:rows]), y[:rows])
    seconds = time.process_time() - begin
    loss = held_out_loss(family, y[rows:], X[rows:] @ coef.T + intercept)
    best = int(np.argmin(loss))
    # Theirs leaves the mean of y as intercept, though the columns are not centred on these rows.
    left = np.append(y[:rows].mean(), coef[best])
    return {
        **recovered(np.append(intercept[best], coef[best]), np.append(0.0, truth)),
        "error_mean_intercept": relative_error(left, np.append(0.0, truth)),
        "index": best,
        "certificate": float(certificate[best]),
        "worst_certificate": float(np.max(certificate)),
        "seconds": seconds,
    }


def fitted(cell: Cell, X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coefficients, intercepts and certificates of a path of this package."""
    fit = gs.fit(
        X,
        y,
        family=cell["family"],
        penalty=PENALTIES[cell["penalty"], cell["scale"]],
        lambda_=grid(X, y, LAMBDAS),
        tol=TOL,
        progress=False,
    )
    return fit.coef_path, fit.intercept_path, fit.certificate


def discarded(
    cell: Cell, X: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same with columns discarded by half of their gradient."""
    spread, scale = X.std(axis=0), y.std()
    centre = X.mean(axis=0)
    standard, response = (X - centre) / spread, (y - y.mean()) / scale
    coef, certificate = discarding_path(
        standard, response, grid(X, response, LAMBDAS), PENALTIES[cell["penalty"], "plain"]
    )
    coef = coef * scale / spread
    return coef, y.mean() - coef @ centre, certificate


def recovered(estimate: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """The five measures of the table."""
    positive, negative = predictive_values(estimate != 0, truth != 0)
    return {
        "error": relative_error(estimate, truth),
        "sup_error": float(np.max(np.abs(estimate - truth))),
        "ppv": positive,
        "npv": negative,
        "size": int(np.sum(estimate != 0)),
    }


STUDY = Study(
    name="on6",
    title="Signals of five sizes among 2000 zeros (MCP, SCAD)",
    cells=cells,
    run=run,
    seeds=100,
    parameters={"rows": ROWS, "columns": 5 * BLOCK + 4 * GAP, "n_lambda": LAMBDAS, "tol": TOL},
    published=recovered_by_others,
)
