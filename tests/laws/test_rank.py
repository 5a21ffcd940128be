"""Rank, null directions and what is unpenalised: the coefficients that a user sees."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import grpsparse as gs

TIGHT = 1e-13
SAME = 1e-9
ZERO = 1e-10  # sums that are zero by the definition of the solution


def link(fit: gs.PathFit) -> np.ndarray:
    """Linear predictors (n, [K,] L), classes centred because the softmax sees no more."""
    eta = fit.predict(type="link")
    return eta - eta.mean(axis=1, keepdims=True) if eta.ndim == 3 else eta


def classes_last(path: np.ndarray) -> np.ndarray:
    """Return coefficients as (L, p, K)."""
    return path if path.ndim == 3 else path[:, :, None]


def test_constant_columns_have_coefficient_zero(case: Any, penalty: str) -> None:
    X = np.column_stack([case.X, np.full(len(case.y), 3.3), np.zeros(len(case.y))])
    labels = [*"aaabbccdee", "a", "k"]
    options = {} if gs.penalties.get(penalty).elementwise else {"groups": labels}
    fit = gs.fit(
        X,
        case.y,
        family=case.given,
        penalty=penalty,
        n_lambda=8,
        lambda_min_ratio=0.05,
        tol=TIGHT,
        **options,
    )
    plain = case.fit(penalty=penalty, tol=TIGHT)
    path = classes_last(fit.coef_path)
    assert not path[:, 10:].any()
    np.testing.assert_allclose(fit.lambda_, plain.lambda_, rtol=1e-12)
    np.testing.assert_allclose(link(fit), link(plain), atol=SAME)
    if "groups" in options:
        assert fit.group_rank.tolist() == [3, 2, 2, 1, 2, 0]


@pytest.mark.parametrize("name", ["group_lasso", "group_mcp"])
@pytest.mark.parametrize("standardize", ["group", "column", False])
def test_constant_columns_keep_their_coefficient_without_an_intercept(
    case: Any, name: str, standardize: Any
) -> None:
    if case.family == "cox":
        pytest.skip("columns are centred, with an intercept or without")
    X = np.column_stack([case.X[:, :4], np.full(len(case.y), 2.0)])
    fit = gs.fit(
        X,
        case.y,
        family=case.given,
        penalty=name,
        standardize=standardize,
        intercept=False,
        penalty_factor={"x5": 0},
        n_lambda=5,
        lambda_min_ratio=0.1,
        tol=1e-11,
    )
    free = gs.fit(
        case.X[:, :4],
        case.y,
        family=case.given,
        penalty=name,
        standardize=standardize,
        lambda_=fit.lambda_,
        tol=1e-11,
    )
    path = classes_last(fit.coef_path)
    assert path[:, 4].any() or case.family == "gaussian"
    if standardize is False:  # only then is a column the same with and without centring
        np.testing.assert_allclose(link(fit), link(free), atol=1e-6)


def test_rank_zero_is_never_unpenalised(case: Any) -> None:
    X = np.column_stack([case.X[:, :3], np.ones(len(case.y))])
    fit = gs.fit(X, case.y, family=case.given, penalty_factor={"x4": 0}, n_lambda=4)
    assert not classes_last(fit.coef_path)[:, 3].any()
    assert fit.converged.all()


@pytest.mark.parametrize("name", ["group_lasso", "group_elastic_net", "group_mcp", "group_scad"])
def test_duplicate_columns_share_minimum_norm(case: Any, name: str) -> None:
    """A copy in other units takes half: the minimum norm in columns of unit variance."""
    X = np.column_stack([case.X[:, :5], 10.0 * case.X[:, 0] + 4.0])
    labels = list("aaabba")
    options = {
        "family": case.given,
        "penalty": name,
        "n_lambda": 6,
        "lambda_min_ratio": 0.1,
        "tol": TIGHT,
    }
    fit = gs.fit(X, case.y, groups=labels, **options)
    plain = gs.fit(X[:, :5], case.y, groups=labels[:5], **options)
    path, single = classes_last(fit.coef_path), classes_last(plain.coef_path)
    assert fit.group_rank.tolist() == [3, 2]
    np.testing.assert_allclose(link(fit), link(plain), atol=SAME)
    np.testing.assert_allclose(path[:, 0], 10.0 * path[:, 5], atol=1e-8)
    np.testing.assert_allclose(2 * path[:, 0], single[:, 0], atol=1e-8)


def test_minimum_norm_of_a_rank_deficient_group(case: Any) -> None:
    rng = np.random.default_rng(8)
    base = case.X[:, :2]
    X = base @ rng.normal(size=(2, 4))
    # rounding over lambda stays below TIGHT where one scale makes a dual point
    options = {"n_lambda": 4, "lambda_min_ratio": 0.01, "tol": TIGHT}
    fit = gs.fit(X, case.y, groups=list("aaaa"), family=case.given, **options)
    assert fit.group_rank.tolist() == [2]
    sd = X.std(axis=0)
    scaled = classes_last(fit.coef_path)[-1] * sd[:, None]
    Z = (X - X.mean(axis=0)) / sd
    _, values, rows = np.linalg.svd(Z)
    null = rows[2:]
    assert (values[2:] < 1e-9).all()
    np.testing.assert_allclose(null @ scaled, 0, atol=ZERO * 100)


def test_factors_sum_to_zero_under_frequencies(case: Any) -> None:
    w = case.frame["w"].to_numpy()
    for name in ("group_lasso", "group_mcp", "group_elastic_net"):
        fit = case.fit_formula("f + x + g", penalty=name, weights="w", penalty_factor={"g": 0})
        path = classes_last(fit.coef_path)
        for term in ("f", "g"):
            index = [j for j, column in enumerate(fit.columns) if column.startswith(f"{term}[")]
            levels = np.unique(case.frame[term])
            share = [w[case.frame[term] == level].sum() / w.sum() for level in levels]
            np.testing.assert_allclose(np.einsum("j,ljk->lk", share, path[:, index]), 0, atol=ZERO)


def test_norm_of_a_factor_is_the_standard_deviation_of_its_effects(cases: Any) -> None:
    case = cases("gaussian")
    fit = case.fit_formula("f + x", weights="w")
    at = float(fit.lambda_[4])
    w = case.frame["w"] / case.frame["w"].sum()
    part = fit.predict(case.frame, at, type="terms")
    for term in ("f", "x"):
        centred = part[term] - w @ part[term]
        assert fit.term_norms(at)[term] == pytest.approx(np.sqrt(w @ centred**2), rel=1e-10)


@pytest.mark.parametrize("name", ["group_lasso", "group_elastic_net", "group_mcp", "group_scad"])
def test_shared_classes_sum_to_zero(cases: Any, name: str) -> None:
    """Group lasso and elastic net by themselves, the others where the shift is free."""
    case = cases("multinomial")
    fit = case.fit(penalty=name, tol=TIGHT, penalty_factor={"d": 0})
    assert fit.coef_path.any(axis=(0, 2)).sum() >= 6
    np.testing.assert_allclose(fit.coef_path.sum(axis=2), 0, atol=1e-9)
    np.testing.assert_allclose(fit.intercept_path.sum(axis=1), 0, atol=1e-12)


def test_separate_classes_have_median_zero(cases: Any) -> None:
    """The lasso's shift is the median over classes; of three classes one is exactly zero."""
    case = cases("multinomial")
    fit = case.fit(penalty="lasso", tol=TIGHT)
    np.testing.assert_allclose(np.median(fit.coef_path, axis=2), 0, atol=1e-9)
    np.testing.assert_allclose(fit.intercept_path.sum(axis=1), 0, atol=1e-12)


@pytest.mark.parametrize("name", ["group_lasso", "group_mcp", "sparse_group_lasso", "lasso"])
def test_unpenalised_terms_are_in_from_the_start(case: Any, name: str) -> None:
    fit = case.fit_formula("f + x + z", penalty=name, penalty_factor={"x": 0}, tol=1e-10)
    assert fit.selected(float(fit.lambda_[0])) == ["x"]
    assert (fit.n_terms >= 1).all()
    alone = case.fit_formula("x", penalty=name, lambda_=0.0, tol=1e-12)
    np.testing.assert_allclose(
        fit.predict(lambda_=float(fit.lambda_[0])), alone.predict(lambda_=0.0), atol=1e-7
    )
    assert fit.dev_ratio[0] == pytest.approx(alone.dev_ratio[0], abs=1e-9)


def test_an_unpenalised_factor_spans_all_its_levels(case: Any) -> None:
    fit = case.fit_formula("f + x", penalty_factor={"f": 0}, tol=TIGHT)
    assert fit.group_rank.tolist() == [2, 1]
    y = case.frame["y"]
    if case.family in {"multinomial", "huber", "cox"}:  # the others fit no means
        return
    y = (y == "yes").astype(float) if case.family == "binomial" else y
    means = fit.predict(lambda_=float(fit.lambda_[0]))
    expected = y.groupby(case.frame["f"]).transform("mean")
    np.testing.assert_allclose(means, expected, atol=1e-8)


def test_a_factor_of_one_level_is_nothing(case: Any) -> None:
    data = case.frame.assign(only="a", two=pd.Categorical(["b"] * 60, categories=["a", "b"]))
    fit = case.fit_formula("x + only + two", data=data)
    plain = case.fit_formula("x")
    assert fit.group_rank.tolist() == [1, 0, 0]
    np.testing.assert_allclose(fit.predict(), plain.predict(), atol=1e-6)
    assert not fit.coef(float(fit.lambda_[-1])).loc[["only", "two"]].to_numpy().any()


def test_an_intercept_alone(case: Any) -> None:
    fit = case.fit_formula("1")
    assert fit.terms == ()
    assert fit.n_terms.tolist() == [0]
    assert fit.coef_path.shape[1] == 0
    assert fit.dev_ratio[0] == pytest.approx(0.0, abs=1e-12)
    assert fit.converged.all()
    assert ("Intercept" in str(fit.coef(0.0))) == (case.family != "cox")
    assert str(fit)


def test_nothing_at_all(case: Any) -> None:
    """No column carries information: the path is the null fit."""
    X = np.ones((len(case.y), 2))
    fit = gs.fit(X, case.y, family=case.given)
    assert fit.n_terms.max() == 0
    assert fit.lambda_.tolist() == [0.0]
    assert fit.converged.all()


def test_more_columns_than_rows_fit_exactly(cases: Any) -> None:
    case = cases("gaussian")
    X = np.random.default_rng(9).normal(size=(60, 100))
    fit = gs.fit(X, case.y, groups=np.arange(100) // 4, lambda_=[0.0])
    assert fit.dev_ratio[0] == pytest.approx(1.0, abs=1e-6)


def test_interactions_with_empty_cells(case: Any) -> None:
    """An empty cell of known levels is no unseen level, and predicts nothing for its term."""
    data = case.frame[~((case.frame["f"] == "p") & (case.frame["g"] == "s"))]
    fit = case.fit_formula("f*g", data=data, tol=TIGHT)
    empty = int((pd.crosstab(data["f"], data["g"]) == 0).to_numpy().sum())
    assert fit.group_rank.tolist() == [2, 3, 6 - empty]
    new = pd.DataFrame({"f": ["p", "q"], "g": ["s", "s"]})
    at = float(fit.lambda_[-1])
    parts = fit.predict(new, at, type="terms")
    assert np.isfinite(parts.to_numpy()).all()
    coef = fit.coef(at).loc["f:g"]
    row = [name for name in coef.index if "p" in name and "s" in name]
    assert not coef.loc[row].to_numpy().any()
