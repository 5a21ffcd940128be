"""A replicate is the separate fit on its rows of positive weight; folds are replicates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import grpsparse as gs

TIGHT = 1e-13
TIGHT_NONCONVEX = 1e-12  # stationarity, whose error enters eta linearly
SAME = 1e-9  # of linear predictors, at TIGHT


def link(fit: gs.PathFit, new: Any = None) -> np.ndarray:
    """Linear predictors (n, [K,] L), classes centred because the softmax sees no more."""
    eta = fit.predict(new, type="link")
    return eta - eta.mean(axis=1, keepdims=True) if eta.ndim == 3 else eta


def replicates(case: Any) -> np.ndarray:
    """A bootstrap sample, a half, and a delete-a-few jackknife."""
    rng = np.random.default_rng(10)
    n = len(case.y)
    bootstrap = rng.multinomial(n, np.full(n, 1 / n))
    half = rng.permutation(np.repeat([0, 1], n // 2))
    jackknife = np.where(np.arange(n) < 5, 0, 1)
    return np.stack([bootstrap, half, jackknife]).astype(float)


def assert_replicate(case: Any, fit: gs.PathFit, factor: np.ndarray, right: str, **options: Any):
    """Hold a replicate to the fit on its own rows."""
    rows = factor > 0
    alone = case.fit_formula(
        right,
        data=case.frame[rows],
        weights=(factor * case.frame["w"])[rows].to_numpy(),
        lambda_=fit.lambda_,
        tol=TIGHT,
        **options,
    )
    np.testing.assert_allclose(link(fit)[rows], link(alone), atol=SAME)
    np.testing.assert_allclose(fit.deviance, alone.deviance, rtol=1e-9, atol=1e-9)
    assert fit.null_deviance == pytest.approx(alone.null_deviance, rel=1e-12)
    if fit.columns == alone.columns or len(fit.group_rank) == len(fit.terms):
        np.testing.assert_array_equal(fit.group_rank, alone.group_rank)
        np.testing.assert_allclose(fit.group_weights, alone.group_weights, rtol=1e-14)
    np.testing.assert_array_equal(fit.n_terms, alone.n_terms)
    if options.get("penalty") in ("lasso", "sparse_group_lasso"):
        return  # full one-hot columns share a lasso penalty in more ways than one
    shared = [name for name in alone.columns if name in fit.columns]
    ours = [fit.columns.index(name) for name in shared]
    theirs = [alone.columns.index(name) for name in shared]
    np.testing.assert_allclose(fit.coef_path[:, ours], alone.coef_path[:, theirs], atol=1e-7)


@pytest.mark.parametrize("right", ["f*x + z", pytest.param("f + x + g", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "name", ["group_lasso", "group_elastic_net", "sparse_group_lasso", "lasso"]
)
def test_replicates_are_separate_fits(case: Any, name: str, right: str) -> None:
    factors = replicates(case)
    fits = gs.fit_replicates(
        f"{case.left} ~ {right}",
        case.frame,
        factors,
        family=case.given,
        penalty=name,
        weights="w",
        tol=TIGHT,
        n_lambda=6,
        lambda_min_ratio=0.1,
    )
    assert len(fits) == 3
    for fit, factor in zip(fits, factors, strict=True):
        assert_replicate(case, fit, factor, right, penalty=name)


@pytest.mark.parametrize("name", ["group_mcp", "group_scad"])
def test_nonconvex_replicates(cases: Any, name: str) -> None:
    """With rows enough that the flat zone separates no classes, and at large lambdas, where the
    local minimum that is met is the only one near.
    """
    families = ("gaussian", "binomial", "multinomial", "poisson", "huber", "gamma")
    for family in (*families, "negative_binomial"):
        case = cases(family, n=150)
        factors = replicates(case)[2:]
        fits = gs.fit_replicates(
            f"{case.left} ~ f + x",
            case.frame,
            factors,
            family=case.given,
            penalty=name,
            weights="w",
            tol=TIGHT_NONCONVEX,
            n_lambda=5,
            lambda_min_ratio=0.3,
        )
        for fit, factor in zip(fits, factors, strict=True):
            assert_replicate(case, fit, factor, "f + x", penalty=name)


@pytest.mark.parametrize("name", ["group_lasso", "lasso"])
def test_levels_that_vanish(case: Any, name: str) -> None:
    """Without its rows a level has coefficient 0, and ranks count what is left."""
    factor = (case.frame["f"] != "q").to_numpy().astype(float)
    fits = gs.fit_replicates(
        f"{case.left} ~ f*g + x",
        case.frame,
        factor,
        family=case.given,
        penalty=name,
        weights="w",
        tol=TIGHT,
        n_lambda=5,
        lambda_min_ratio=0.2,
    )
    (fit,) = fits
    assert_replicate(case, fit, factor, "f*g + x", penalty=name)
    gone = [j for j, column in enumerate(fit.columns) if "q" in column]
    assert len(gone) == 5
    assert not fit.coef_path[:, gone].any()


@pytest.mark.parametrize("right", ["f:g + x", "f*g", "x:f + g", "x*f"])
def test_interactions_with_empty_cells(case: Any, right: str) -> None:
    cell = (case.frame["f"] == "p") & case.frame["g"].isin(["s", "t"])
    factor = (~cell).to_numpy().astype(float)
    (fit,) = gs.fit_replicates(
        f"{case.left} ~ {right}",
        case.frame,
        factor,
        family=case.given,
        weights="w",
        tol=TIGHT,
        n_lambda=5,
        lambda_min_ratio=0.2,
    )
    assert_replicate(case, fit, factor, right)


def test_replicates_of_a_matrix(case: Any, penalty: str) -> None:
    convex = gs.penalties.get(penalty).convex
    factor = replicates(case)[1 if convex else 2]
    rows = factor > 0
    options = {
        "family": case.given,
        "penalty": penalty,
        "tol": TIGHT if convex else TIGHT_NONCONVEX,
    }
    if not gs.penalties.get(penalty).elementwise:
        options["groups"] = list("aaabbccdee")
    grid = case.fit(penalty=penalty, weights=case.weights, n_lambda=4, lambda_min_ratio=0.5).lambda_
    (fit,) = gs.fit_replicates(
        case.X, case.y, factor[None], weights=case.weights, lambda_=grid, **options
    )
    alone = gs.fit(case.X[rows], case.y[rows], weights=case.weights[rows], lambda_=grid, **options)
    np.testing.assert_allclose(link(fit)[rows], link(alone), atol=SAME)


def test_ones_are_the_fit(case: Any) -> None:
    fit = case.fit_formula("f*x", weights="w", tol=TIGHT)
    (ones,) = gs.fit_replicates(
        f"{case.left} ~ f*x",
        case.frame,
        np.ones(len(case.y)),
        family=case.given,
        weights="w",
        tol=TIGHT,
        n_lambda=8,
        lambda_min_ratio=0.05,
    )
    np.testing.assert_array_equal(ones.lambda_, fit.lambda_)
    np.testing.assert_allclose(ones.coef_path, fit.coef_path, atol=1e-9)


def test_rows_dropped_for_missing_values(cases: Any) -> None:
    """Replicate weights are over the rows given, dropped ones included."""
    case = cases("gaussian")
    frame = case.frame.copy()
    frame.loc[[3, 17], "x"] = np.nan
    factors = replicates(case)
    fits = gs.fit_replicates(f"{case.left} ~ f + x", frame, factors, n_lambda=5, tol=TIGHT)
    kept = frame["x"].notna().to_numpy()
    others = gs.fit_replicates(
        f"{case.left} ~ f + x", frame[kept], factors[:, kept], n_lambda=5, tol=TIGHT
    )
    for one, other in zip(fits, others, strict=True):
        np.testing.assert_allclose(one.coef_path, other.coef_path, atol=1e-12)


def test_predictions_of_a_level_that_a_replicate_lacks(cases: Any) -> None:
    case = cases("gaussian")
    factor = (case.frame["f"] != "q").to_numpy().astype(float)
    (fit,) = gs.fit_replicates(f"{case.left} ~ f + x", case.frame, factor, n_lambda=5)
    new = pd.DataFrame({"f": ["q"], "x": [0.0]})
    part = fit.predict(new, float(fit.lambda_[-1]), type="terms")
    assert part["f"][0] == 0.0
