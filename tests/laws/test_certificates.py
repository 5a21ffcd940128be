"""Every point of every path is certified, and lambda_max is where the model begins.

Families x penalties x standardisation x storage x precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse

import grpsparse as gs

GAP_FLOOR = -1e-12  # a duality gap below this is a bug, not rounding
SINGLE_FLOOR = -1e-6  # products of float32 columns carry errors of 1e-7 into both objectives
RECOMPUTED = 1e-11  # rounding of sums in another order, over lambda_max or the null deviance
TIGHT = 1e-13
JUST_BELOW = 0.99  # of lambda_max: a gap of 1e-4, far above TIGHT


def standardisations(penalty: str) -> tuple[Any, ...]:
    """Return what a penalty accepts."""
    chosen = gs.penalties.get(penalty)
    single = chosen.elementwise or chosen.bilevel
    return ("column", False) if single else ("group", "column", False)


def assert_certified(fit: gs.PathFit) -> None:
    """Hold a path to its certificate, and the certificate to its recomputation."""
    assert fit.converged.all()
    assert (fit.certificate <= fit.settings.tol).all()
    floor = GAP_FLOOR if fit.settings.dtype == "float64" else SINGLE_FLOOR
    assert (fit.certificate >= floor).all()
    assert np.isfinite(fit.coef_path).all()
    assert np.isfinite(fit.intercept_path).all()
    assert (np.diff(fit.lambda_) < 0).all()
    kind = "duality_gap" if gs.penalties.get(fit.penalty).convex else "stationarity"
    assert fit.certificate_kind == kind


def assert_starts_at_lambda_max(fit: gs.PathFit, refit: Any) -> None:
    """Zero at the first lambda of an automatic path, something just below it."""
    if gs.penalties.get(fit.penalty).constraint:  # every lambda above 0 is the same problem
        np.testing.assert_array_equal(fit.lambda_, [1.0])
        return
    free = fit.group_weights == 0
    norms = fit.group_norms.reshape(len(fit.lambda_), len(free), -1)
    assert not norms[0, ~free].any()
    top = float(fit.lambda_[0])
    below = refit(lambda_=[top, JUST_BELOW * top], tol=TIGHT)
    norms = below.group_norms.reshape(2, len(free), -1)
    assert not norms[0, ~free].any()
    assert norms[1, ~free].any()


def test_every_standardisation(case: Any, penalty: str) -> None:
    for standardize in standardisations(penalty):
        options = {"penalty": penalty, "standardize": standardize}
        fit = case.fit(**options)
        assert_certified(fit)
        assert_starts_at_lambda_max(fit, lambda o=options, **k: case.fit(**o, **k))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("storage", ["dense", "sparse"])
def test_storage_and_precision(case: Any, penalty: str, storage: str, dtype: str) -> None:
    X = case.X if storage == "dense" else sparse.csr_array(case.X)
    groups = {} if gs.penalties.get(penalty).elementwise else {"groups": list("aaabbccdee")}
    fit = gs.fit(
        X,
        case.y,
        family=case.given,
        penalty=penalty,
        dtype=dtype,
        n_lambda=8,
        lambda_min_ratio=0.05,
        **groups,
    )
    assert_certified(fit)
    assert fit.settings.tol == (1e-7 if dtype == "float64" else 1e-5)


VARIANTS: dict[str, dict[str, Any]] = {
    "unpenalised": {"penalty_factor": {"b": 0}},
    "unpenalised and uneven": {"penalty_factor": {"b": 0, "d": 3.0, "a": 0.2}},
    "no base weight": {"group_weight": None},
    "separate": {"class_groups": "separate"},
    "separate, unpenalised": {"class_groups": "separate", "penalty_factor": {"b": 0}},
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", ["group_lasso", "group_elastic_net", "group_mcp"])
def test_variants_of_groups(case: Any, name: str, variant: str) -> None:
    options = {"penalty": name, **VARIANTS[variant]}
    fit = case.fit(**options)
    assert_certified(fit)
    assert_starts_at_lambda_max(fit, lambda **k: case.fit(**options, **k))


@pytest.mark.parametrize("name", ["group_lasso", "sparse_group_lasso", "group_scad", "lasso"])
@pytest.mark.parametrize("intercept", [True, False])
def test_weights_and_offset(case: Any, name: str, intercept: bool) -> None:
    options = {
        "penalty": name,
        "weights": case.weights,
        "offset": case.offset,
        "intercept": intercept,
    }
    fit = case.fit(**options)
    assert_certified(fit)
    assert_starts_at_lambda_max(fit, lambda **k: case.fit(**options, **k))
    if not intercept:
        assert not fit.intercept_path.any()


@pytest.mark.parametrize("name", ["group_lasso", "group_mcp", "sparse_group_lasso", "lasso"])
def test_formula(case: Any, name: str) -> None:
    right = "x + f*g + bs(z, df=4)"
    fit = case.fit_formula(right, penalty=name, weights="w")
    assert_certified(fit)
    assert_starts_at_lambda_max(
        fit, lambda **k: case.fit_formula(right, penalty=name, weights="w", **k)
    )


def test_check_agrees_with_the_certificate(case: Any, penalty: str) -> None:
    fit = case.fit(penalty=penalty, weights=case.weights)
    np.testing.assert_allclose(fit.check(), fit.certificate, rtol=1e-5, atol=RECOMPUTED)


def test_check_of_a_formula_fit(case: Any) -> None:
    fit = case.fit_formula("x + f*g + bs(z, df=4)", weights="w", penalty_factor={"x": 0})
    np.testing.assert_allclose(fit.check(), fit.certificate, rtol=1e-5, atol=RECOMPUTED)


def test_automatic_paths_start_at_the_users_lambda_max(case: Any) -> None:
    top = float(case.fit().lambda_[0])
    assert case.fit(lambda_=[2 * top]).n_terms[0] == 0
    assert case.fit(lambda_=[top * (1 + 1e-12)]).n_terms[0] == 0


def test_penalised_objective_falls_along_the_path(case: Any) -> None:
    """Less penalty never fits worse: the loss falls with lambda for a convex penalty."""
    fit = case.fit(tol=TIGHT)
    assert (np.diff(fit.deviance) <= 1e-9 * fit.null_deviance).all()
    assert fit.dev_ratio[0] == pytest.approx(0.0, abs=1e-12)


OFF_THE_KINK = 1e-3  # relative distance from theta that a norm keeps, far above what tol leaves


@pytest.mark.parametrize("theta", [0.05, 0.2, 0.5, 1.0])
def test_no_group_of_capped_l1_is_on_its_kink(case: Any, theta: float) -> None:
    """The slopes to the left and to the right contradict each other there."""
    fit = case.fit(penalty=gs.GroupCappedL1(theta=theta), n_lambda=30, lambda_min_ratio=0.01)
    assert_certified(fit)
    norms = fit.group_norms[fit.group_norms > 0]
    assert norms.size
    assert np.min(np.abs(norms / theta - 1.0)) > OFF_THE_KINK


COLUMNS = [n for n in gs.penalties.names() if not gs.penalties.get(n).elementwise]


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("class_groups", ["shared", "separate"])
def test_columns_as_groups(case: Any, name: str, class_groups: str) -> None:
    """Every group penalty is one of single coefficients where groups are columns."""
    options = {"penalty": name, "groups": "column", "class_groups": class_groups}
    if (name, case.family, class_groups) == ("group_hoyer", "multinomial", "separate"):
        with pytest.raises(gs.GrpsparseError, match="falls without end as all classes are shifted"):
            case.fit(**options)
        return
    fit = case.fit(**options)
    assert_certified(fit)
    assert_starts_at_lambda_max(fit, lambda **k: case.fit(**options, **k))


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(40, 120), (300, 60)])
def test_larger_problems(case: Any, penalty: str, shape: tuple[int, int]) -> None:
    n, p = shape
    if case.family == "cox" and n < p and not gs.penalties.get(penalty).convex:
        pytest.skip("in a flat zone the partial likelihood of so few rows has no maximum")
    rng = np.random.default_rng(5)
    big = type(case)(case.family, *_large(case, rng, n, p), case.weights, case.offset)
    groups = {} if gs.penalties.get(penalty).elementwise else {"groups": np.arange(p) // 4}
    fit = gs.fit(
        big.X,
        big.y,
        family=case.given,
        penalty=penalty,
        n_lambda=25,
        lambda_min_ratio=0.05,
        **groups,
    )
    assert_certified(fit)


def _large(case: Any, rng: np.random.Generator, n: int, p: int) -> tuple[Any, Any, Any]:
    X = rng.normal(size=(n, p)) + 0.5 * rng.normal(size=(n, 1))
    eta = X[:, :8] @ rng.normal(size=(8, 3)) * 0.4
    if case.family in {"gaussian", "sqrt_gaussian"}:
        y = eta[:, 0] + rng.normal(size=n)
    elif case.family == "binomial":
        y = eta[:, 0] + rng.logistic(size=n) > 0
    elif case.family == "poisson":
        y = rng.poisson(np.exp(np.clip(eta[:, 0], -3, 2)))
    elif case.family == "huber":
        y = eta[:, 0] + rng.standard_t(2.0, size=n)
    elif case.family == "gamma":
        y = np.exp(eta[:, 0]) * rng.gamma(2.0, 0.5, size=n)
    elif case.family == "negative_binomial":
        y = rng.negative_binomial(1.5, 1.5 / (1.5 + np.exp(np.clip(eta[:, 0], -3, 2))))
    elif case.family == "cox":
        time, censored = rng.exponential(np.exp(-eta[:, 0])), rng.exponential(2.0, size=n)
        y = gs.Surv(np.minimum(time, censored), time <= censored)
    else:
        y = np.array(list("uvw"))[(eta + rng.gumbel(size=(n, 3))).argmax(axis=1)]
    return X, y, case.frame
