"""Every solver reaches the same optimum, which the certificate of each proves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import grpsparse as gs

TIGHT = 1e-12
SAME = 1e-8  # of the null deviance, of objectives
SAME_ETA = 1e-4  # the root of the certificate
RECOMPUTED = 1e-11
CONVEX = ("group_lasso", "group_elastic_net", "adaptive_group_lasso", "lasso")
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "unpenalised": {"penalty_factor": {"b": 0, "d": 3.0}},
    "separate": {"class_groups": "separate"},
    "columns as they are": {"standardize": False, "intercept": False},
}


def objectives(fit: gs.PathFit) -> np.ndarray:
    """Half the deviance, and the penalty from the norms, over half the null deviance."""
    penalty, lambdas = gs.penalties.get(fit.penalty), fit.lambda_
    total = float(fit.training.weights.sum())
    norms = fit.group_norms.reshape(len(lambdas), fit.group_weights.size, -1)
    level = np.broadcast_to(np.outer(lambdas, fit.group_weights)[:, :, None], norms.shape)
    paid = penalty.radial_value(norms.ravel(), level.ravel()).reshape(norms.shape).sum((1, 2))
    return (0.5 * fit.deviance + total * paid) / (0.5 * fit.null_deviance)


def assert_same_optimum(one: gs.PathFit, other: gs.PathFit) -> None:
    assert other.converged.all()
    assert (other.certificate <= other.settings.tol).all()
    np.testing.assert_allclose(objectives(other), objectives(one), atol=SAME)
    np.testing.assert_allclose(other.check(), other.certificate, rtol=1e-5, atol=RECOMPUTED)


@pytest.mark.parametrize("name", CONVEX)
def test_varpro_agrees_with_block_descent(case: Any, name: str) -> None:
    options = {"penalty": name, "weights": case.weights, "offset": case.offset, "lambda_": None}
    one, other = (case.fit(solver=s, **options) for s in ("block_descent", "varpro"))
    assert_same_optimum(one, other)


@pytest.mark.parametrize("variant", VARIANTS)
def test_varpro_on_variants(case: Any, variant: str) -> None:
    one, other = (case.fit(solver=s, **VARIANTS[variant]) for s in ("block_descent", "varpro"))
    assert_same_optimum(one, other)


def test_varpro_on_a_formula(case: Any) -> None:
    right = "x + f*g + bs(z, df=4)"
    options = {"weights": "w", "penalty_factor": {"x": 0}}
    one, other = (case.fit_formula(right, solver=s, **options) for s in ("block_descent", "varpro"))
    assert_same_optimum(one, other)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_varpro_on_several_responses_and_few_rows(dtype: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 80))
    Y = X[:, :6] @ rng.normal(size=(6, 4)) + rng.normal(size=(30, 4))
    options = {"family": "mgaussian", "groups": np.arange(80) // 2, "n_lambda": 8, "dtype": dtype}
    one, other = (gs.fit(X, Y, solver=s, **options) for s in ("block_descent", "varpro"))
    assert other.converged.all()
    np.testing.assert_allclose(objectives(other), objectives(one), atol=10 * one.settings.tol)


def test_varpro_to_the_last_digit(case: Any) -> None:
    one, other = (case.fit(solver=s, tol=TIGHT) for s in ("block_descent", "varpro"))
    assert other.converged.all()
    np.testing.assert_allclose(other.predict(), one.predict(), atol=SAME_ETA)
    np.testing.assert_allclose(objectives(other), objectives(one), atol=TIGHT)


def test_varpro_takes_coarse_tolerances(case: Any) -> None:
    """Products in single precision then stand beside double ones."""
    fit = case.fit(solver=gs.solvers.VarPro(memory=5), tol=1e-3)
    assert fit.converged.all()
    assert (fit.certificate <= 1e-3).all()


def test_varpro_near_lambda_zero() -> None:
    """A design of the paper in small: fewer rows than columns, lambda far below lambda_max."""
    rng = np.random.default_rng(40)
    X = rng.normal(size=(20, 120))
    Y = X[:, :4] @ rng.normal(size=(4, 5)) + rng.normal(size=(20, 5))
    options = {"family": "mgaussian", "standardize": False, "intercept": False}
    top = float(gs.fit(X, Y, n_lambda=2, **options).lambda_[0])
    lambdas = top * np.array([1e-2, 1e-4, 1e-6, 1e-8])
    fit = gs.fit(X, Y, lambda_=lambdas, solver="varpro", tol=1e-11, **options)
    assert fit.converged.all()
    assert (fit.n_iter < 4000).all()


@pytest.mark.parametrize("q", [0.7, 0.9])
def test_lq_ends_at_proximal_points(cases: Any, q: float) -> None:
    """Local minima of the smooth problem, held to the proximal map by block descent."""
    case = cases("gaussian")
    fit = case.fit(penalty=gs.GroupLq(q=q), solver="varpro", n_lambda=6)
    assert fit.converged.all()
    assert fit.certificate_kind == "stationarity"
    np.testing.assert_allclose(fit.check(), fit.certificate, rtol=1e-5, atol=RECOMPUTED)


def test_folds_and_replicates_take_varpro(case: Any) -> None:
    """A replicate equals a fit with its weights."""
    labels = {"groups": list("aaabbccdee"), "family": case.given, "solver": "varpro"}
    cv = gs.fit_cv(case.X, case.y, n_folds=3, seed=0, n_lambda=5, **labels)
    assert cv.path.converged.all()
    counts = np.stack([np.ones(len(case.y)), np.arange(len(case.y)) >= 5]).astype(float)
    fits = gs.fit_replicates(case.X, case.y, counts, n_lambda=5, **labels)
    for fit, weights in zip(fits, counts, strict=True):
        assert fit.converged.all()
        alone = gs.fit(case.X, case.y, weights=weights, lambda_=fit.lambda_, **labels)
        np.testing.assert_allclose(objectives(fit), objectives(alone), atol=SAME)
