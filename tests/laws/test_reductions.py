"""Special cases reduce to each other, and to other programs where the penalty is gone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import grpsparse as gs

TIGHT = 1e-13
SAME = 1e-9  # two problems that are one, solved at TIGHT: the gap's root is 3e-7 at worst
NEARLY = 1e-6  # a limit that is approached, not reached
OTHER_PROGRAM = 1e-6  # statsmodels stops at about this
GAMMA_LARGE = 1e9

PAIRS = {
    "lasso": ("group_lasso", "lasso"),
    "elastic net": ("group_elastic_net", "elastic_net"),
    "MCP": ("group_mcp", "mcp"),
    "SCAD": (gs.GroupSCAD(gamma=3.7), "scad"),
}


def link(fit: gs.PathFit) -> np.ndarray:
    """Linear predictors (n, [K,] L), classes centred because the softmax sees no more."""
    eta = fit.predict(type="link")
    return eta - eta.mean(axis=1, keepdims=True) if eta.ndim == 3 else eta


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("standardize", ["column", False])
def test_groups_of_one(case: Any, pair: str, standardize: Any) -> None:
    grouped, single = PAIRS[pair]
    options = {"standardize": standardize, "tol": TIGHT, "weights": case.weights}
    fit = case.fit(penalty=single, **options)
    other = case.fit(
        penalty=grouped,
        groups="column",
        class_groups="separate",
        lambda_=fit.lambda_,
        **options,
    )
    np.testing.assert_allclose(link(other), link(fit), atol=SAME)


EDGES: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "elastic net": (gs.GroupElasticNet(alpha=1.0), "group_lasso", {}),
    "sparse group lasso, alpha 0": (
        gs.SparseGroupLasso(alpha=0.0),
        "group_lasso",
        {"standardize": "column"},
    ),
    "single elastic net": (gs.ElasticNet(alpha=1.0), "lasso", {"groups": "auto"}),
}


@pytest.mark.parametrize("edge", EDGES)
def test_edges_of_alpha(case: Any, edge: str) -> None:
    ours, limit, options = EDGES[edge]
    fit = case.fit(penalty=limit, tol=TIGHT, **options)
    other = case.fit(penalty=ours, tol=TIGHT, **options)
    np.testing.assert_allclose(other.lambda_, fit.lambda_, rtol=1e-12)
    np.testing.assert_allclose(link(other), link(fit), atol=SAME)


def test_sparse_group_lasso_of_alpha_one_is_the_lasso(case: Any) -> None:
    fit = case.fit(penalty="lasso", tol=TIGHT)
    other = case.fit(penalty=gs.SparseGroupLasso(alpha=1.0), tol=TIGHT)
    np.testing.assert_allclose(other.lambda_, fit.lambda_, rtol=1e-12)
    np.testing.assert_allclose(link(other), link(fit), atol=SAME)


@pytest.mark.parametrize("name", ["GroupMCP", "GroupSCAD"])
def test_no_concavity_is_the_group_lasso(case: Any, name: str) -> None:
    fit = case.fit(tol=TIGHT)
    other = case.fit(penalty=getattr(gs, name)(gamma=GAMMA_LARGE), tol=1e-10)
    np.testing.assert_allclose(other.lambda_, fit.lambda_, rtol=1e-12)
    np.testing.assert_allclose(link(other), link(fit), atol=NEARLY)


LIMITS: dict[str, tuple[Any, float]] = {
    "capped-L1, theta": (gs.GroupCappedL1(theta=GAMMA_LARGE), 1.0),
    "transformed L1, a": (gs.GroupTransformedL1(a=GAMMA_LARGE), 1.0),
    "log-sum, eps": (gs.GroupLogSum(eps=GAMMA_LARGE), GAMMA_LARGE),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_a_large_parameter_is_the_group_lasso(case: Any, limit: str) -> None:
    """The log-sum penalty's slope at 0 is lambda / eps: its lambda is eps times as large."""
    penalty, factor = LIMITS[limit]
    fit = case.fit(tol=TIGHT)
    other = case.fit(penalty=penalty, tol=1e-10)
    np.testing.assert_allclose(other.lambda_, factor * fit.lambda_, rtol=2e-9)
    other = case.fit(penalty=penalty, tol=1e-10, lambda_=factor * fit.lambda_)
    np.testing.assert_allclose(link(other), link(fit), atol=NEARLY)


def test_adaptive_is_the_group_lasso_with_its_weights(case: Any) -> None:
    options = {"weights": case.weights, "tol": TIGHT}
    fit = case.fit(penalty=gs.AdaptiveGroupLasso(gamma=0.5), penalty_factor={"b": 2.0}, **options)
    given = {"group_weight": None, "penalty_factor": fit.group_weights}
    other = case.fit(**given, **options)
    np.testing.assert_allclose(other.lambda_, fit.lambda_, rtol=1e-12)
    np.testing.assert_allclose(link(other), link(fit), atol=SAME)


def test_what_the_first_fit_of_an_adaptive_penalty_leaves_out_stays_out(cases: Any) -> None:
    case = cases("gaussian")
    X = np.hstack([case.X, np.random.default_rng(9).normal(size=(len(case.y), 60))])
    top = float(gs.fit(X, case.y, standardize="column", n_lambda=2).lambda_[0])
    first = gs.fit(X, case.y, standardize="column", lambda_=[0.2 * top, 0.05 * top], tol=1e-12)
    fit = gs.fit(X, case.y, standardize="column", penalty="adaptive_group_lasso")
    out = first.group_norms[-1] == 0
    assert out.any()
    np.testing.assert_array_equal(fit.group_weights == 1e10, out)
    assert not fit.group_norms[:, out].any()
    assert fit.converged.all()


def test_cel0_of_every_family_is_an_mcp(case: Any) -> None:
    """Of level sqrt(2 l v) and concavity 1 / v, with the same weight for all groups.

    Near lambda_max, because further on a path says which of many local minima is met.
    """
    options = {"group_weight": None, "weights": case.weights}
    near = {"n_lambda": 2, "lambda_min_ratio": 0.8}
    fit = case.fit(penalty="group_cel0", tol=1e-10, **options, **near)
    assert fit.n_terms[1] > 0
    unit = case.fit(penalty=gs.GroupMCP(gamma=2.0), tol=1e-10, n_lambda=2, **options)
    v = float(unit.lambda_[0]) ** 2 / (2 * float(fit.lambda_[0]))
    mcp = gs.GroupMCP(gamma=2.0, rescale=False, scale=2.0 * v)
    other = case.fit(penalty=mcp, tol=1e-10, lambda_=np.sqrt(2 * v * fit.lambda_), **options)
    np.testing.assert_allclose(link(other), link(fit), atol=NEARLY)
    np.testing.assert_array_equal(other.n_terms, fit.n_terms)


TWO_CLASSES = {
    "group_lasso": {},
    "group_mcp": {},
    "group_scad": {},
    "group_lasso, unpenalised": {"penalty_factor": {"b": 0, "a": 2.0}},
    "group_lasso, column": {"standardize": "column"},
    "group_lasso, weighted": {"group_weight": None},
}


@pytest.mark.parametrize("name", TWO_CLASSES)
def test_two_classes_are_binomial(cases: Any, name: str) -> None:
    """B = (-b, b)/2 has norm |b|/sqrt(2), and K' = K - 1 = 1 leaves the weights alone."""
    case = cases("binomial")
    options = {"penalty": name.partition(",")[0], "weights": case.weights, **TWO_CLASSES[name]}
    fit = case.fit(tol=TIGHT, **options)
    lambda_ = np.sqrt(2) * fit.lambda_
    other = case.fit(**{**options, "family": "multinomial"}, lambda_=lambda_, tol=TIGHT)
    np.testing.assert_allclose(other.predict()[:, 1], fit.predict(), atol=SAME)
    np.testing.assert_allclose(other.deviance, fit.deviance, rtol=1e-10)
    assert other.group_norms[0].any() == fit.group_norms[0].any()


def test_counts_and_proportions_are_rows(cases: Any) -> None:
    """s successes of m are a proportion with weight m, and m rows."""
    case, rng = cases("gaussian"), np.random.default_rng(4)
    trials = rng.integers(1, 5, len(case.y))
    wins = rng.binomial(trials, 1 / (1 + np.exp(-case.X[:, 0])))
    y = np.column_stack([wins, trials - wins])
    by_counts = gs.fit(case.X, y, family="binomial", tol=TIGHT, n_lambda=8)
    by_share = gs.fit(
        case.X, wins / trials, family="binomial", weights=trials, tol=TIGHT, n_lambda=8
    )
    rows = np.repeat(np.arange(len(trials)), trials)
    single = np.concatenate([np.arange(m) < s for m, s in zip(trials, wins, strict=True)])
    by_rows = gs.fit(case.X[rows], single, tol=TIGHT, n_lambda=8)
    np.testing.assert_allclose(by_share.lambda_, by_counts.lambda_, rtol=1e-12)
    np.testing.assert_allclose(by_rows.lambda_, by_counts.lambda_, rtol=1e-10)
    np.testing.assert_allclose(link(by_share), link(by_counts), atol=SAME)
    np.testing.assert_allclose(link(by_rows), link(by_counts)[rows], atol=SAME)


def unpenalised(case: Any, X: np.ndarray, weights: np.ndarray, offset: Any) -> np.ndarray:
    """Return the means that statsmodels fits."""
    import statsmodels.api as sm

    A = sm.add_constant(X)
    if case.family == "cox":
        model = sm.PHReg(case.y.stop, X, status=case.y.event, offset=offset, ties="breslow")
        eta = X @ model.fit(disp=0).params + offset
        return np.asarray(np.exp(eta - eta.mean()))
    if case.family == "multinomial":
        model = sm.MNLogit(pd.Categorical(case.y).codes, A)
        return np.asarray(model.fit(disp=0, method="newton", maxiter=100, tol=1e-12).predict(A))
    if case.family == "huber":  # a scale of 1 that stays makes delta the constant of HuberT
        model = sm.RLM(case.y - offset, A, M=sm.robust.norms.HuberT(case.given.delta))
        model = model.fit(start_scale=1.0, update_scale=False, tol=1e-13, maxiter=5000)
        return np.asarray(model.fittedvalues) + offset
    theta = getattr(case.given, "theta", 1.0)
    family = {
        "gaussian": sm.families.Gaussian(),
        "sqrt_gaussian": sm.families.Gaussian(),
        "binomial": sm.families.Binomial(),
        "poisson": sm.families.Poisson(),
        "gamma": sm.families.Gamma(sm.families.links.Log()),
        "negative_binomial": sm.families.NegativeBinomial(alpha=1 / theta),
    }[case.family]
    y = (case.y == "yes").astype(float) if case.family == "binomial" else case.y
    model = sm.GLM(y, A, family=family, freq_weights=weights, offset=offset)
    return np.asarray(model.fit(tol=1e-14, maxiter=100).fittedvalues)


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["group_lasso", "group_mcp", "sparse_group_lasso", "lasso"])
def test_no_penalty_is_maximum_likelihood(case: Any, name: str) -> None:
    """statsmodels GLM, MNLogit, RLM and PHReg; the second takes no offset, none but GLM weights."""
    X = case.X[:, [0, 2, 3, 5]]
    n = len(case.y)
    several = case.family == "multinomial"
    weights = np.ones(n) if several or case.family in {"huber", "cox"} else case.weights
    offset = None if several else case.offset
    expected = unpenalised(case, X, weights, offset)
    fit = gs.fit(
        X,
        case.y,
        family=case.given,
        penalty=name,
        weights=weights,
        offset=offset,
        lambda_=[0.1, 0.0],
        tol=1e-12,
    )
    np.testing.assert_allclose(fit.predict(lambda_=0.0), expected, atol=OTHER_PROGRAM)


@pytest.mark.oracle
def test_a_formula_without_penalty_is_ordinary_least_squares(cases: Any) -> None:
    import statsmodels.formula.api as smf

    case = cases("gaussian")
    for right in ("x + f*g + z", "f:g", "x*f", "0 + f + x", "bs(z, df=4) + x"):
        fit = case.fit_formula(right, lambda_=0.0)
        expected = smf.ols(f"{case.left} ~ {right}", case.frame).fit()
        np.testing.assert_allclose(fit.predict()[:, 0], expected.fittedvalues, atol=OTHER_PROGRAM)
        assert fit.deviance[0] == pytest.approx(expected.ssr, rel=1e-9)


def test_all_unpenalised_is_no_penalty(case: Any) -> None:
    fit = case.fit(penalty_factor=0)
    other = case.fit(lambda_=0.0, tol=TIGHT)
    np.testing.assert_allclose(link(fit), link(other), atol=1e-7)


def test_half_the_factor_is_half_the_lambda(case: Any) -> None:
    """penalty_factor multiplies w_g, and lambda multiplies all of them."""
    fit = case.fit(tol=TIGHT)
    other = case.fit(penalty_factor=0.5, tol=TIGHT)
    np.testing.assert_allclose(other.lambda_, 2 * fit.lambda_, rtol=1e-12)
    np.testing.assert_allclose(link(other), link(fit), atol=SAME)


def test_base_weights_are_penalty_factors(case: Any) -> None:
    """sqrt_df is None with the factors sqrt(rank K')."""
    copies = 2 if case.family == "multinomial" else 1
    fit = case.fit(tol=TIGHT)
    factors = np.sqrt(copies * np.array([3, 2, 2, 1, 2]))
    other = case.fit(group_weight=None, penalty_factor=factors, tol=TIGHT)
    np.testing.assert_allclose(fit.group_weights, factors, rtol=1e-14)
    np.testing.assert_allclose(other.lambda_, fit.lambda_, rtol=1e-12)
    np.testing.assert_allclose(link(other), link(fit), atol=SAME)
