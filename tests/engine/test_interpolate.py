"""Interpolation of least norm: proven by its dual point, and by linear programming."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

import grpsparse as gs
from grpsparse.errors import DataError, GroupError, OptionError
from grpsparse.solvers import interpolate

GAP = 1e-6  # what derivatives of 1e-9 leave of the certificate where few blocks are active
SAME = 1e-9  # relative, of norms: the misfit is at rounding, so the norm errs by the gap squared
ROUNDED = 1e-12


def rows(n=25, p=60, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, p)), rng


def test_is_basis_pursuit():
    X, rng = rows()
    for y in (rng.normal(size=25), X[:, :4] @ rng.normal(size=4)):
        found = interpolate(X, y, intercept=False)
        program = linprog(np.ones(120), A_eq=np.hstack([X, -X]), b_eq=y, method="highs")
        assert found.norm == pytest.approx(program.fun, rel=SAME)
        assert abs(found.gap) < GAP
        assert found.certificate <= 1 + GAP
        assert found.misfit <= ROUNDED
        np.testing.assert_allclose(X @ found.coef, y, atol=ROUNDED)
        assert np.count_nonzero(found.coef) <= 25


@pytest.mark.parametrize("outputs", [None, 3])
def test_groups_weights_and_intercept_are_certified(outputs):
    X, rng = rows()
    y = rng.normal(size=25 if outputs is None else (25, outputs)) + 2.0
    labels = np.arange(60) % 15  # not side by side
    weights = rng.uniform(0.5, 2.0, 15)
    found = interpolate(X, y, groups=labels, weights=weights)
    assert found.coef.shape == (60, *y.shape[1:])
    np.testing.assert_allclose(X @ found.coef + found.intercept, y, atol=ROUNDED * 100)
    norms = np.array([np.linalg.norm(found.coef[labels == g]) for g in range(15)])
    assert found.norm == pytest.approx(weights @ norms, rel=1e-12)
    # the dual point by itself bounds the norm of any interpolation from below
    push = [np.linalg.norm(X[:, labels == g].T @ found.dual) for g in range(15)] / weights
    np.testing.assert_allclose(np.sum(found.dual, axis=0), 0.0, atol=1e-9)
    bound = np.sum(found.dual * y) / max(1.0, push.max())
    assert 1 - bound / found.norm == pytest.approx(found.gap, abs=1e-9)
    assert abs(found.gap) < GAP


def test_is_the_limit_of_fits():
    """Small lambda converges, and goes to the interpolation linearly."""
    X, rng = rows()
    y = rng.normal(size=25)
    labels = np.arange(60) // 4
    found = interpolate(X, y, groups=labels)
    fit = gs.fit(
        X,
        y,
        groups=labels,
        standardize=False,
        group_weight=None,
        lambda_=[1e-4, 1e-6, 1e-8],
        solver="varpro",
        tol=1e-12,
    )
    assert fit.converged.all()
    norms = np.sum(fit.group_norms, axis=1)
    left = 1 - norms / found.norm
    assert (left > -GAP).all()
    assert left[0] > left[1] > 0
    assert left[1] < 0.05 * left[0]


def test_lower_powers_recover_from_fewer_rows():
    """The order of the paper's third experiment; its starts are random, ours are not."""
    recovered = {}
    for q in (1.0, 0.75):
        count = 0
        for seed in range(4):
            rng = np.random.default_rng(seed)
            X, b = rng.normal(size=(36, 90)), np.zeros(90)
            b[rng.choice(90, 15, replace=False)] = rng.normal(size=15)
            found = interpolate(X, X @ b, intercept=False, q=q, max_iter=300)
            count += bool(np.linalg.norm(found.coef - b) < 0.01 * np.linalg.norm(b))
            assert np.isnan(found.gap) == (q < 1)
        recovered[q] = count
    assert recovered[0.75] > recovered[1.0]


def test_nothing_to_interpolate():
    X, _ = rows()
    found = interpolate(X, np.full(25, 3.0))
    assert found.norm == found.gap == 0.0
    assert found.intercept == pytest.approx(3.0)
    assert not found.coef.any()


def test_what_cannot_be_interpolated_is_refused():
    X, rng = rows()
    with pytest.raises(DataError, match="fewer than columns"):
        interpolate(X[:, :10], rng.normal(size=25))
    with pytest.raises(DataError, match="shape"):
        interpolate(X, np.ones(3))
    with pytest.raises(DataError, match="not finite"):
        interpolate(X, np.full(25, np.nan))
    with pytest.raises(GroupError, match="labels"):
        interpolate(X, np.ones(25), groups=[1, 2])
    with pytest.raises(GroupError, match="positive"):
        interpolate(X, np.ones(25), weights=np.zeros(60))
    with pytest.raises(OptionError, match="2/3"):
        interpolate(X, np.ones(25), q=0.5)
