"""Held-out survival times: the partial likelihood beside the training rows, and concordance."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import grpsparse as gs
from grpsparse.measures import concordance

TIGHT = 1e-12
LABELS = list("aaabbc")


def rows(n: int = 90, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return columns, (start, stop, event, stratum) and weights."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6))
    time, censored = rng.exponential(np.exp(-X[:, 0])), rng.exponential(2.0, n)
    stop = np.ceil(15.0 * np.minimum(time, censored))
    start = np.where(rng.random(n) < 0.3, np.floor(0.5 * stop), 0.0)
    y = np.column_stack([start, stop, time <= censored, rng.integers(0, 2, n)])
    return X, y.astype(float), rng.uniform(0.5, 2.0, n)


def surv(y: np.ndarray) -> gs.Surv:
    return gs.Surv(*y[:, :3].T, strata=y[:, 3].astype(int))


def deviance(y: np.ndarray, w: np.ndarray, eta: np.ndarray) -> float:
    """Return 2 (saturated - fitted) under Breslow, by loops."""
    total = 0.0
    for t, s in {(t, s) for _, t, e, s in y if e}:
        at_risk = (y[:, 3] == s) & (y[:, 0] < t) & (y[:, 1] >= t)
        tied = at_risk & (y[:, 1] == t) & (y[:, 2] > 0)
        d = w[tied].sum()
        total += d * np.log(w[at_risk] @ np.exp(eta[at_risk])) - w[tied] @ eta[tied] - d * np.log(d)
    return 2.0 * total


def test_the_curve_is_van_houwelingens() -> None:
    X, y, w = rows()
    options = {"groups": LABELS, "tol": TIGHT}
    cv = gs.fit_cv(X, surv(y), n_folds=4, seed=3, weights=w, n_lambda=6, **options)
    assert cv.measure == "deviance"
    values, events = [], []
    for fold in range(4):
        out = cv.folds == fold
        fit = gs.fit(X[~out], surv(y)[~out], weights=w[~out], lambda_=cv.lambda_, **options)
        eta = X @ fit.coef_path.T
        gained = [deviance(y, w, each) - deviance(y[~out], w[~out], each[~out]) for each in eta.T]
        events.append(w[out] @ y[out, 2])
        values.append(np.array(gained) / events[-1])
        np.testing.assert_allclose(cv.oof[out], fit.predict(X[out]), rtol=1e-7)
    share = np.array(events) / sum(events)
    mean = share @ np.array(values)
    np.testing.assert_allclose(cv.cv_mean, mean, rtol=1e-8)
    np.testing.assert_allclose(cv.cv_se, np.sqrt(share @ (values - mean) ** 2 / 3), rtol=1e-6)
    table = cv.measures()
    assert table.loc["deviance", "min"] == cv.cv_mean[cv.index_min]
    assert 0.5 < table.loc["c_index", "min"] < 1.0


def by_pairs(y: np.ndarray, risk: np.ndarray, w: np.ndarray) -> float:
    good = whole = 0.0
    for i, j in itertools.permutations(range(len(y)), 2):
        beyond = y[j, 1] > y[i, 1] or (y[j, 1] == y[i, 1] and not y[j, 2])
        if y[i, 2] and y[i, 3] == y[j, 3] and y[j, 0] < y[i, 1] and beyond:
            whole += w[i] * w[j]
            good += w[i] * w[j] * (float(risk[i] > risk[j]) + 0.5 * float(risk[i] == risk[j]))
    return good / whole


@pytest.mark.parametrize("late", [False, True])
def test_concordance_is_that_of_pairs(late: bool) -> None:
    X, y, w = rows(60)
    if not late:
        y[:, 0] = -np.inf
    risk = np.round(X[:, :3], 1)  # with ties
    expected = [by_pairs(y, each, w) for each in risk.T]
    np.testing.assert_allclose(concordance(y, risk, w), expected, rtol=1e-12)
    np.testing.assert_allclose(concordance(y, -risk, w), 1.0 - np.array(expected), rtol=1e-12)
    assert np.isnan(concordance(y[y[:, 2] == 0], risk[y[:, 2] == 0], w[y[:, 2] == 0])).all()


def test_concordance_chooses_the_largest() -> None:
    X, y, w = rows()
    cv = gs.fit_cv(X, surv(y), n_folds=3, seed=1, weights=w, measure="c_index", n_lambda=8)
    assert cv.index_min == int(np.argmax(cv.cv_mean))
    assert "Measure: concordance" in str(cv)
    assert np.isnan(cv.measures().loc["deviance"]).all()
    held = [
        concordance(y[cv.folds == k], cv.oof[cv.folds == k], w[cv.folds == k]) for k in range(3)
    ]
    sizes = [w[cv.folds == k].sum() for k in range(3)]
    np.testing.assert_allclose(cv.cv_mean, np.average(held, axis=0, weights=sizes), rtol=1e-12)


def test_folds_share_the_events() -> None:
    X, y, _ = rows()
    cv = gs.fit_cv(X, surv(y), n_folds=5, seed=1, n_lambda=3)
    assert cv.plan.title == "5 stratified folds"
    counts = [int(y[cv.folds == k, 2].sum()) for k in range(5)]
    assert max(counts) - min(counts) <= 1


def test_one_row_a_fold() -> None:
    """A fold of a censored row says nothing of the partial likelihood, and is left out."""
    X, y, _ = rows(30)
    cv = gs.fit_cv(X, surv(y), n_folds=30, seed=1, n_lambda=4)
    assert np.isfinite(cv.cv_mean).all()
    with pytest.raises(gs.GrpsparseError, match="fewer than 3 rows a fold"):
        gs.fit_cv(X, surv(y), n_folds=30, seed=1, n_lambda=4, measure="c_index")


def test_training_rows_without_events_are_named() -> None:
    X, y, _ = rows(40)
    y[:, 2], y[:, 3] = 0.0, 0.0
    y[:10, 2] = 1.0
    with pytest.raises(gs.GrpsparseError, match=r"training rows of fold 1.*no event"):
        gs.fit_cv(X, surv(y), folds=np.where(np.arange(40) < 10, 1, 2), n_lambda=3)
    with pytest.raises(gs.GrpsparseError, match="the cox family can have 'deviance', 'c_index'"):
        gs.fit_cv(X, surv(y), measure="auc")
