"""The trace norm by factors, against proximal gradients, CVXPY and its own derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad

import grpsparse as gs
from grpsparse.errors import OptionError, PenaltyError
from grpsparse.solvers.spectral import Spectral

TIGHT = 1e-12
SAME = 1e-8  # relative, of objectives
DIFFERENCE = 1e-6
ROUNDED = 1e-9  # of the largest singular value: none
STEPS = 5000


def rows(n, p, K, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + 0.5 * rng.normal(size=(n, 1))
    B = rng.normal(size=(p, 2)) @ rng.normal(size=(2, K)) / np.sqrt(p)
    return X, X @ B + rng.normal(size=(n, K)), rng.uniform(0.5, 2.0, n)


def objective(X, Y, w, B, lambda_):
    """Loss and trace norm at B, the intercept fitted, on columns as they are."""
    left = Y - X @ B
    left = left - w @ left
    return 0.5 * float(w @ np.sum(left**2, axis=1)) + lambda_ * np.linalg.norm(B, "nuc")


def by_proximal_gradient(X, Y, w, lambda_):
    """Accelerated, written out from the objective."""
    A, T = (np.sqrt(w)[:, None] * (each - w @ each) for each in (X, Y))
    length = np.linalg.norm(A, 2) ** 2
    B = ahead = np.zeros((X.shape[1], Y.shape[1]))
    momentum = 1.0
    for _ in range(STEPS):
        left, values, right = np.linalg.svd(
            ahead + A.T @ (T - A @ ahead) / length, full_matrices=False
        )
        new = (left * np.maximum(values - lambda_ / length, 0.0)) @ right
        larger = 0.5 * (1 + np.sqrt(1 + 4 * momentum**2))
        if np.sum((ahead - new) * (new - B)) > 0:
            larger = 1.0
        ahead = new + (momentum - 1) / larger * (new - B)
        B, momentum = new, larger
    return B


OPTIONS = {"family": "mgaussian", "penalty": "trace_norm", "standardize": False}


@pytest.mark.parametrize("shape", [(60, 8, 4), (30, 50, 5), (40, 3, 7)])
def test_objective_is_that_of_proximal_gradients(shape):
    X, Y, w = rows(*shape)
    fit = gs.fit(X, Y, weights=w, n_lambda=5, lambda_min_ratio=0.05, tol=TIGHT, **OPTIONS)
    w = w / w.sum()
    for at, lambda_ in enumerate(fit.lambda_[1:].tolist(), 1):
        ours = objective(X, Y, w, fit.coef_path[at], lambda_)
        other = objective(X, Y, w, by_proximal_gradient(X, Y, w, lambda_), lambda_)
        assert ours == pytest.approx(other, rel=SAME)
        assert ours <= other * (1 + TIGHT)


@pytest.mark.oracle
def test_objective_is_that_of_cvxpy():
    cvxpy = pytest.importorskip("cvxpy")
    X, Y, w = rows(40, 12, 4)
    w = w / w.sum()
    fit = gs.fit(X, Y, weights=w, n_lambda=4, lambda_min_ratio=0.05, tol=TIGHT, **OPTIONS)
    for at, lambda_ in enumerate(fit.lambda_[1:].tolist(), 1):
        B, b = cvxpy.Variable((12, 4)), cvxpy.Variable((1, 4))
        left = cvxpy.multiply(np.sqrt(w)[:, None], Y - X @ B - np.ones((40, 1)) @ b)
        loss = 0.5 * cvxpy.sum_squares(left) + lambda_ * cvxpy.normNuc(B)
        value = cvxpy.Problem(cvxpy.Minimize(loss)).solve(solver="SCS", eps=1e-9, max_iters=50_000)
        assert objective(X, Y, w, fit.coef_path[at], lambda_) == pytest.approx(value, rel=1e-7)


def test_lambda_max_is_the_spectral_norm():
    X, Y, _ = rows(50, 6, 4)
    top = np.linalg.norm((X - X.mean(0)).T @ (Y - Y.mean(0)) / 50, 2)
    fit = gs.fit(X, Y, n_lambda=3, **OPTIONS)
    assert fit.lambda_[0] == pytest.approx(top, rel=1e-12)
    assert not fit.coef_path[0].any()
    below = gs.fit(X, Y, lambda_=0.999 * top, **OPTIONS)
    assert np.linalg.matrix_rank(below.coef_path[0]) == 1
    np.testing.assert_array_equal(below.group_weights, 1.0)


def test_rank_is_exact_and_grows():
    X, Y, _ = rows(100, 10, 6)
    fit = gs.fit(X, Y, n_lambda=15, lambda_min_ratio=0.01, **OPTIONS)
    values = np.linalg.svd(fit.coef_path, compute_uv=False)
    rank = np.sum(values > ROUNDED * values.max(), axis=1)
    assert rank[0] == 0
    assert (np.diff(rank) >= 0).all()
    assert 1 < rank[7] < 6 == rank[-1]
    np.testing.assert_allclose(fit.check(), fit.certificate, atol=1e-11)


def test_responses_may_be_rotated():
    X, Y, _ = rows(60, 8, 4)
    turn = np.linalg.qr(np.random.default_rng(9).normal(size=(4, 4)))[0]
    lambdas = [0.3, 0.1]
    one, other = (gs.fit(X, each, lambda_=lambdas, tol=TIGHT, **OPTIONS) for each in (Y, Y @ turn))
    np.testing.assert_allclose(one.coef_path @ turn, other.coef_path, atol=1e-6)


def test_unpenalised_columns_stay_outside():
    X, Y, _ = rows(60, 8, 4)
    factor = np.r_[0.0, np.ones(7)]
    fit = gs.fit(X, Y, penalty_factor=factor, n_lambda=4, **OPTIONS)
    assert fit.coef_path[0, 0].any()
    assert not fit.coef_path[0, 1:].any()
    assert fit.converged.all()


def test_derivatives_by_differences():
    rng = np.random.default_rng(2)
    spectral = Spectral.of(rng.normal(size=(7, 5)), rng.normal(size=(5, 3)), 2.0)
    factor, step = rng.normal(size=(2, 3, 3))
    error = check_grad(
        lambda v: spectral(v.reshape(3, 3))[0],
        lambda v: spectral(v.reshape(3, 3))[1].ravel(),
        factor.ravel(),
    )
    assert error <= DIFFERENCE * 10
    h = 1e-6
    slope = (spectral(factor + h * step)[1] - spectral(factor - h * step)[1]) / (2 * h)
    np.testing.assert_allclose(spectral.bend(factor, step), slope, atol=DIFFERENCE)


def test_cross_validation_and_replicates():
    X, Y, _ = rows(60, 8, 3)
    cv = gs.fit_cv(X, Y, n_folds=3, seed=0, n_lambda=6, **OPTIONS)
    assert cv.path.converged.all()
    counts = np.random.default_rng(0).poisson(1.0, (3, 60))
    fits = gs.fit_replicates(X, Y, counts, n_lambda=4, **OPTIONS)
    assert all(fit.converged.all() for fit in fits)


def test_prox_and_value_are_those_of_singular_values():
    penalty = gs.TraceNorm()
    rng = np.random.default_rng(4)
    b = rng.normal(size=(5, 3))
    x = penalty.prox(b, 0.7, 0.9)
    assert penalty.value(b, 2.0) == pytest.approx(2 * np.linalg.norm(b, "nuc"))

    def value(z):
        return 0.5 * np.sum((z - b) ** 2) + 0.7 * penalty.value(z, 0.9)

    best = value(x)
    for size in (1.0, 1e-2, 1e-4):
        assert all(best <= value(x + size * rng.normal(size=b.shape)) for _ in range(50))


def test_refusals():
    X, Y, _ = rows(30, 4, 3)
    with pytest.raises(PenaltyError, match="class_groups='separate'"):
        gs.fit(X, Y, class_groups="separate", **OPTIONS)
    with pytest.raises(OptionError, match="quadratic loss"):
        gs.fit(X, Y[:, 0] > 0, penalty="trace_norm")
    with pytest.raises(OptionError, match="does not split"):
        gs.fit(X, Y, solver="block_descent", **OPTIONS)
