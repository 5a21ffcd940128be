"""ON2 (c): how few measurements recover a sparse vector, by the power of the norm.

    minimise sum_i |b_i|^q  subject to  X b = y,   y = X b*,

X from N(0, 1), b* of length 256 with 40 nonzeros from N(0, 1).

Variable projection writes |b|^q = min over v of b^2 / (2 v^2) + C |v|^P, P = 2q / (2 - q),
C = (2 - q) q^(q / (2 - q)) / 2, and minimises what is left after b,

    C sum |v_i|^P + y'(X diag(v^2) X')^-1 y / 2,

by L-BFGS from v = 0.1 N(0, 1), ten times if q < 1, of which the lowest counts. Beside it stand
iteratively reweighted least squares, which anneals b^2 + eps, and this package: the last point of
a path of Lq (q < 1) or of the lasso, down to 1e-6 of lambda_max. A trial succeeds when the relative
error is below 1%.

References: Poon & Peyre (2021), "Smooth bilevel programming for sparse regularization"; Chartrand
& Yin (2008), doi:10.1109/ICASSP.2008.4518498.
"""

from __future__ import annotations

import warnings
from functools import lru_cache

import numpy as np
import scipy.linalg
import scipy.optimize

import grpsparse as gs

from .study import Cell, Measures, Study

COLUMNS, NONZERO = 256, 40
MEASUREMENTS = tuple(range(60, 141, 8))
POWERS = (0.67, 0.75, 0.9, 1.0)
METHODS = ("varpro", "irls", "path")
RESTARTS = 9
SPREAD = 0.1
SUCCESS = 0.01
MIN_RATIO, LAMBDAS = 1e-6, 60
SMOOTH = tuple(10.0**-k for k in range(9))  # eps of the reweighting


def cells() -> list[Cell]:
    """Measurements, powers, methods."""
    return [
        {"measurements": m, "q": q, "method": method}
        for m in MEASUREMENTS
        for q in POWERS
        for method in METHODS
    ]


@lru_cache(maxsize=1)
def draw(m: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """X, y and the vector to recover."""
    rng = np.random.default_rng([seed, m])
    truth = np.zeros(COLUMNS)
    truth[rng.choice(COLUMNS, NONZERO, replace=False)] = rng.standard_normal(NONZERO)
    X = rng.standard_normal((m, COLUMNS))
    return X, X @ truth, truth


def run(cell: Cell, seed: int) -> Measures:
    """Whether the vector is recovered."""
    X, y, truth = draw(cell["measurements"], seed)
    estimate = {"varpro": varpro, "irls": irls, "path": path}[cell["method"]](X, y, cell["q"], seed)
    error = float(np.linalg.norm(estimate - truth) / np.linalg.norm(truth))
    return {"success": float(error < SUCCESS), "error": min(error, 10.0)}


def varpro(X: np.ndarray, y: np.ndarray, q: float, seed: int) -> np.ndarray:
    """The lowest of the local minima from several random starts."""
    rng = np.random.default_rng([seed, len(y), 1])
    power, constant = 2.0 * q / (2.0 - q), 0.5 * (2.0 - q) * q ** (q / (2.0 - q))

    def value(v: np.ndarray) -> tuple[float, np.ndarray]:
        size = np.abs(v)
        inner = X.T @ dual(X, y, v**2)
        top = constant * np.sum(size**power) + 0.5 * np.sum((v * inner) ** 2)
        slope = constant * power * np.sign(v) * size ** (power - 1.0) - v * inner**2
        return float(top), slope

    best, lowest = np.zeros(COLUMNS), np.inf
    for _ in range(1 + (RESTARTS if q < 1.0 else 0)):
        start = SPREAD * rng.standard_normal(COLUMNS)
        found = scipy.optimize.minimize(
            value, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000, "maxcor": 20}
        )
        b = found.x**2 * (X.T @ dual(X, y, found.x**2))
        if np.sum(np.abs(b) ** q) < lowest:
            best, lowest = b, np.sum(np.abs(b) ** q)
    return best


def dual(X: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Solve X diag(weight) X' a = y."""
    gram = (X * weight) @ X.T
    # rounding keeps a nearly singular matrix positive definite
    gram[np.diag_indices_from(gram)] *= 1.0 + 1e-14
    try:
        return scipy.linalg.cho_solve(scipy.linalg.cho_factor(gram), y)
    except scipy.linalg.LinAlgError:
        return np.linalg.lstsq(gram, y, rcond=None)[0]


def irls(X: np.ndarray, y: np.ndarray, q: float, seed: int) -> np.ndarray:  # noqa: ARG001
    """Least squares of weights (b^2 + eps)^(q / 2 - 1), from those of weight 1."""
    b = X.T @ dual(X, y, np.ones(COLUMNS))
    for eps in SMOOTH:
        for _ in range(200):
            weight = (b**2 + eps) ** (1.0 - q / 2.0)
            before, b = b, weight * (X.T @ dual(X, y, weight))
            if np.linalg.norm(b - before) < 0.01 * np.sqrt(eps) * np.linalg.norm(b):
                break
    return b


def path(X: np.ndarray, y: np.ndarray, q: float, seed: int) -> np.ndarray:  # noqa: ARG001
    """The last point of a path of this package."""
    penalty = gs.Lasso() if q == 1.0 else gs.GroupLq(q=q)
    with warnings.catch_warnings():
        # the last points interpolate, where the certificate has little to be relative to
        warnings.simplefilter("ignore", gs.errors.ConvergenceWarning)
        lambda_max = gs.fit(
            X, y, penalty=penalty, groups="column", standardize=False, intercept=False, n_lambda=2
        ).lambda_[0]
        fit = gs.fit(
            X,
            y,
            penalty=penalty,
            groups="column",
            standardize=False,
            intercept=False,
            lambda_=lambda_max * np.geomspace(1.0, MIN_RATIO, LAMBDAS),
            progress=False,
        )
    return fit.coef_path[-1]


STUDY = Study(
    name="on2c",
    title="Recovery of a sparse vector by the power of the norm",
    cells=cells,
    run=run,
    seeds=100,
    parameters={
        "columns": COLUMNS,
        "nonzero": NONZERO,
        "restarts": RESTARTS,
        "spread": SPREAD,
        "success": SUCCESS,
        "min_ratio": MIN_RATIO,
    },
)
