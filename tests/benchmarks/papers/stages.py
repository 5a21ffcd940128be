"""ON3: what every stage of convex relaxation of the capped group penalty is worth.

    (1 / 2n) ||y - X b||^2 + lambda sqrt(5) sum_g min(||b_g||, theta),  stage by stage

Stage 1 is the group lasso; each later one is the group lasso without the groups whose norm has
reached theta in the stage before. 100 rows, 100 groups of 5 columns of length sqrt(100), three
groups with coefficients from U(-10, 10), noise sd 1 or 5. A stage is judged by its best pair of
lambda and theta, the best in the mean over all seeds.

`solver` "stages" writes the relaxation out as fits with penalty factors 0 and 1; "reweighted" is
the solver of the package with that number of stages.

References: Zhang (2008), Advances in Neural Information Processing Systems 21; Zhang (2010),
Journal of Machine Learning Research 11, 1081-1107.
"""

from __future__ import annotations

import warnings
from functools import lru_cache

import numpy as np

import grpsparse as gs

from .study import Cell, Measures, Missing, Study

ROWS, GROUPS, SIZE, ACTIVE = 100, 100, 5, 3
NOISE = (1.0, 5.0)
MULTIPLES = (0.5, 1.0, 2.0, 4.0)  # of lambda sqrt(5), that theta is
SHARES = tuple(float(x) for x in np.geomspace(0.5, 0.01, 9))  # of lambda_max, that lambda is
STAGES = 8
TOL = 1e-9


def cells() -> list[Cell]:
    """Noise, theta, lambda, each by both ways."""
    return [
        {"noise": noise, "multiple": multiple, "share": round(share, 6), "solver": solver}
        for solver in ("stages", "reweighted")
        for noise in NOISE
        for multiple in MULTIPLES
        for share in SHARES
    ]


@lru_cache(maxsize=1)
def draw(noise: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """X, y and the true coefficients, (GROUPS, SIZE)."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((ROWS, GROUPS * SIZE))
    X *= np.sqrt(ROWS) / np.linalg.norm(X, axis=0)
    truth = np.zeros((GROUPS, SIZE))
    truth[rng.choice(GROUPS, ACTIVE, replace=False)] = rng.uniform(-10, 10, (ACTIVE, SIZE))
    y = X @ truth.ravel() + noise * rng.standard_normal(ROWS)
    return np.asfortranarray(X), y, truth


def fit(X: np.ndarray, y: np.ndarray, lambda_: float, **options: object) -> np.ndarray:
    """Coefficients of one fit without intercept on the scale of the columns."""
    found = gs.fit(
        X,
        y,
        family="gaussian",
        groups=np.repeat(np.arange(GROUPS), SIZE),
        lambda_=lambda_,
        standardize=False,
        intercept=False,
        tol=TOL,
        progress=False,
        **options,
    )
    return found.coef_path[0].reshape(GROUPS, SIZE)


def by_hand(X: np.ndarray, y: np.ndarray, lambda_: float, theta: float) -> list[np.ndarray]:
    """Coefficients after each stage; once the released groups repeat, so does everything."""
    found, factor = [], np.ones(GROUPS)
    while len(found) < STAGES:
        found.append(fit(X, y, lambda_, penalty_factor=factor))
        before, factor = factor, (np.linalg.norm(found[-1], axis=1) < theta).astype(float)
        if np.array_equal(before, factor):
            found += [found[-1]] * (STAGES - len(found))
    return found


def by_solver(X: np.ndarray, y: np.ndarray, lambda_: float, theta: float) -> list[np.ndarray]:
    """The same by the package."""
    if not hasattr(gs.solvers, "Reweighted"):
        raise Missing("solver 'reweighted'")
    penalty = gs.GroupCappedL1(theta=theta)
    found = []
    with warnings.catch_warnings():
        # a stage before the last is not stationary, and is not meant to be
        warnings.simplefilter("ignore", gs.errors.ConvergenceWarning)
        for stages in range(1, STAGES + 1):
            solver = gs.solvers.Reweighted(max_stages=stages)
            found.append(fit(X, y, lambda_, penalty=penalty, solver=solver))
            if len(found) > 1 and np.array_equal(found[-1], found[-2]):
                break
    return found + [found[-1]] * (STAGES - len(found))


def run(cell: Cell, seed: int) -> Measures:
    """Error, wrong groups and objective after every stage."""
    X, y, truth = draw(cell["noise"], seed)
    blocks = (X.T @ y).reshape(GROUPS, SIZE)
    largest = np.max(np.linalg.norm(blocks, axis=1)) / (ROWS * np.sqrt(SIZE))
    level = cell["share"] * largest * np.sqrt(SIZE)
    theta = cell["multiple"] * level
    way = by_hand if cell["solver"] == "stages" else by_solver
    found = way(X, y, cell["share"] * largest, theta)
    active = np.any(truth != 0, axis=1)
    norms = [np.linalg.norm(b, axis=1) for b in found]
    loss = [0.5 * np.mean((y - X @ b.ravel()) ** 2) for b in found]
    value = [f + level * np.sum(np.minimum(r, theta)) for f, r in zip(loss, norms, strict=True)]
    return {
        "error": [float(np.linalg.norm(b - truth)) for b in found],
        "wrong": [int(np.sum((r > 0) & ~active)) for r in norms],
        "objective": [float(v) for v in value],
        "rise": float(np.max(np.diff(value), initial=0.0)),
        "last_change": max(
            (k + 2 for k in range(STAGES - 1) if not np.array_equal(found[k], found[k + 1])),
            default=1,
        ),
        "on_kink": float(np.min(np.abs(np.array(norms[-1]) - theta)) / theta),
        "oracle": oracle_error(X, y, truth),
    }


def oracle_error(X: np.ndarray, y: np.ndarray, truth: np.ndarray) -> float:
    """Error of least squares on the true groups."""
    active = truth.ravel() != 0
    estimate = np.linalg.lstsq(X[:, active], y, rcond=None)[0]
    return float(np.linalg.norm(estimate - truth.ravel()[active]))


STUDY = Study(
    name="on3",
    title="Stages of convex relaxation (capped group penalty)",
    cells=cells,
    run=run,
    seeds=100,
    parameters={
        "rows": ROWS,
        "groups": GROUPS,
        "size": SIZE,
        "active": ACTIVE,
        "stages": STAGES,
        "tol": TOL,
    },
)
