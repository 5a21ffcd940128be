"""Sets of weights solved together are the fits solved apart, whatever computes them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

import grpsparse as gs

TIGHT = 1e-13
SAME = 1e-10  # of linear predictors, at TIGHT
ARITHMETICS = ("residual", "gram")
DEFAULT = ("group_lasso", "adaptive_group_lasso", "lasso")
CONVEX = [
    name if name in DEFAULT else pytest.param(name, marks=pytest.mark.slow)
    for name in gs.penalties.names()
    if gs.penalties.get(name).convex and gs.penalties.get(name).solver == "block_descent"
] + [pytest.param("overlap_group_lasso", marks=pytest.mark.slow)]
OVERLAPPING = [["x1", "x2", "x3"], ["x3", "x4", "x5"], ["x5", "x6"], ["x7", "x8", "x9", "x10"]]


@pytest.fixture(autouse=True)
def arithmetic() -> None:
    """Ask for arithmetics by name here."""


def centred(eta: np.ndarray) -> np.ndarray:
    """Linear predictors (n, [K,] L), classes centred because the softmax sees no more."""
    return eta - eta.mean(axis=1, keepdims=True) if eta.ndim == 3 else eta


def link(fit: gs.PathFit, new: Any = None) -> np.ndarray:
    """Linear predictors (n, [K,] L)."""
    return centred(fit.predict(new, type="link"))


def sets_of_weights(n: int) -> np.ndarray:
    """A bootstrap sample, a half, and all rows but a few."""
    rng = np.random.default_rng(12)
    bootstrap = rng.multinomial(n, np.full(n, 1 / n))
    half = rng.permutation(np.repeat([0, 1], n // 2))
    return np.stack([bootstrap, half, np.arange(n) >= 5]).astype(float)


def options_of(case: Any, penalty: str, arithmetic: str) -> dict[str, Any]:
    return {
        "family": case.given,
        "penalty": penalty,
        "solver": gs.BlockDescent(arithmetic=arithmetic),
        "tol": TIGHT,
    }


@pytest.mark.parametrize("name", CONVEX)
@pytest.mark.parametrize("arithmetic", ARITHMETICS)
@pytest.mark.parametrize("right", ["f*g + x:f + z", pytest.param(None, marks=pytest.mark.slow)])
def test_replicates_are_separate_fits(
    case: Any, name: str, arithmetic: str, right: str | None
) -> None:
    """Of a formula with factors and interactions, and of a matrix."""
    factors = sets_of_weights(len(case.y))
    options = options_of(case, name, arithmetic)
    if right is None:
        given: tuple[Any, Any] = (case.X, case.y)
        if not gs.penalties.get(name).elementwise:
            options["groups"] = list("aaabbccdee")
    else:
        given = (f"{case.left} ~ {right}", case.frame)
    fits = gs.fit_replicates(
        *given, factors, weights=case.weights, n_lambda=5, lambda_min_ratio=0.1, **options
    )
    for fit, factor in zip(fits, factors, strict=True):
        alone = gs.fit(*given, weights=factor * case.weights, lambda_=fit.lambda_, **options)
        rows = factor > 0
        np.testing.assert_allclose(link(fit)[rows], link(alone)[rows], atol=SAME, rtol=0)
        np.testing.assert_array_equal(fit.n_terms, alone.n_terms)
        np.testing.assert_allclose(fit.group_weights, alone.group_weights, rtol=1e-14)


@pytest.mark.parametrize(
    ("family", "name", "groups"),
    [
        ("gaussian", "overlap_group_lasso", OVERLAPPING),
        ("gaussian", "latent_group_lasso", OVERLAPPING),
        ("binomial", "overlap_group_lasso", OVERLAPPING),
        ("binomial", "latent_group_lasso", OVERLAPPING),
        ("mgaussian", "trace_norm", "column"),
    ],
)
def test_replicates_by_other_solvers_are_separate_fits(
    cases: Any, family: str, name: str, groups: Any
) -> None:
    case = cases("binomial" if family == "binomial" else "gaussian")
    factors = sets_of_weights(len(case.y))
    names = [f"x{k + 1}" for k in range(case.X.shape[1])]
    y = np.stack([case.y, case.X[:, 0] - case.y**2], 1) if family == "mgaussian" else case.y
    given = (pd.DataFrame(case.X, columns=names), y)
    options = {"family": family, "penalty": name, "groups": groups, "tol": TIGHT}
    fits = gs.fit_replicates(
        *given, factors, weights=case.weights, n_lambda=4, lambda_min_ratio=0.1, **options
    )
    for fit, factor in zip(fits, factors, strict=True):
        alone = gs.fit(*given, weights=factor * case.weights, lambda_=fit.lambda_, **options)
        rows = factor > 0
        np.testing.assert_allclose(link(fit)[rows], link(alone)[rows], atol=1e-7, rtol=0)
        np.testing.assert_array_equal(fit.n_terms, alone.n_terms)


def links_of_means(family: str, mean: np.ndarray) -> np.ndarray:
    """Linear predictors from means."""
    if family in {"gaussian", "huber", "sqrt_gaussian"}:
        return mean
    if family in {"poisson", "gamma", "negative_binomial"}:
        return np.log(mean)
    if family == "binomial":
        return np.log(mean) - np.log1p(-mean)
    return centred(np.log(mean))


@pytest.mark.parametrize("name", CONVEX)
@pytest.mark.parametrize("arithmetic", ARITHMETICS)
def test_folds_are_separate_fits(case: Any, name: str, arithmetic: str) -> None:
    options = options_of(case, name, arithmetic)
    cv = gs.fit_cv(
        f"{case.left} ~ f*x + g",
        case.frame,
        n_folds=3,
        seed=1,
        weights=case.weights,
        n_lambda=5,
        lambda_min_ratio=0.2,
        **options,
    )
    assert set(cv.path.diagnostics["arithmetic"]) == {arithmetic}
    for fold in range(3):
        held = cv.folds == fold
        alone = gs.fit(
            f"{case.left} ~ f*x + g",
            case.frame,
            weights=np.where(held, 0.0, case.weights),
            lambda_=cv.lambda_,
            **options,
        )
        eta = links_of_means(case.family, cv.oof[held])
        # a mean near 1 has lost digits that its linear predictor has
        np.testing.assert_allclose(eta, link(alone)[held], atol=SAME, rtol=1e-12)


@pytest.fixture
def threads() -> Iterator[Any]:
    """Set the number of threads; it is set back afterwards."""
    import numba

    if numba.config.NUMBA_NUM_THREADS < 2:
        pytest.skip("one thread is all there is")
    before = numba.get_num_threads()
    yield numba.set_num_threads
    numba.set_num_threads(before)


@pytest.mark.parametrize("name", ["group_lasso", pytest.param("lasso", marks=pytest.mark.slow)])
@pytest.mark.parametrize("arithmetic", ARITHMETICS)
def test_threads_change_no_digit(case: Any, name: str, arithmetic: str, threads: Any) -> None:
    factors = np.tile(sets_of_weights(len(case.y)), (2, 1))
    found = []
    for count in (1, 2):
        threads(count)
        fits = gs.fit_replicates(
            f"{case.left} ~ f*g + x:f + z",
            case.frame,
            factors,
            n_lambda=5,
            lambda_min_ratio=0.1,
            **options_of(case, name, arithmetic),
        )
        found.append(fits)
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one.coef_path, other.coef_path)
        np.testing.assert_array_equal(one.certificate, other.certificate)
        np.testing.assert_array_equal(one.n_iter, other.n_iter)


def test_equal_weights_are_equal_fits(case: Any) -> None:
    """Where a set stands among the others changes nothing."""
    factors = sets_of_weights(len(case.y))
    for each in ARITHMETICS:
        options = {**options_of(case, "group_lasso", each), "n_lambda": 5}
        if case.family in {
            "huber",
            "cox",
            "sqrt_gaussian",
        }:  # scaling a dual point costs rounding over lambda
            options["lambda_min_ratio"] = 0.01
        fits = gs.fit_replicates(f"{case.left} ~ f*x", case.frame, factors[[0, 1, 0]], **options)
        np.testing.assert_array_equal(fits[0].coef_path, fits[2].coef_path)
        reordered = gs.fit_replicates(f"{case.left} ~ f*x", case.frame, factors[[1, 0]], **options)
        for fit, other in itertools.zip_longest(fits[:2], reordered[::-1]):
            np.testing.assert_allclose(link(fit), link(other), atol=SAME, rtol=0)
