"""Inputs that once gave a wrong number, a crash or a very long wait."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import grpsparse as gs
from grpsparse.errors import (
    DataError,
    GroupError,
    GrpsparseError,
    LambdaError,
    OptionError,
    ResponseError,
)

SAME = 1e-6  # relative; both fits are solved to a gap of 1e-7 only


@pytest.mark.parametrize("penalty", ["group_mcp", "group_scad", "mcp", "scad"])
def test_a_path_runs_on_while_a_group_is_in_its_flat_zone(penalty):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(300, 4)), columns=list("abcd"))
    frame["y"] = 10 * frame.a + 0.3 * frame.b + 0.5 * rng.normal(size=300)
    fit = gs.fit("y ~ a + b + c + d", frame, penalty=penalty)
    assert "b" in fit.selected(fit.lambda_[-1])


@pytest.mark.parametrize("offset", [-300.0, -25.0, 40.0, 500.0])
def test_the_intercept_takes_up_a_large_common_offset(offset):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 6))
    y = rng.poisson(np.exp(0.3 * X[:, 0] + 0.6 * X[:, 1]))
    plain = gs.fit(X, y, family="poisson", penalty="lasso", n_lambda=20)
    moved = gs.fit(
        X, y, family="poisson", penalty="lasso", n_lambda=20, offset=np.full(100, offset)
    )
    assert moved.null_deviance == pytest.approx(plain.null_deviance, rel=1e-10)
    assert moved.converged.all()
    assert moved.check().max() < 1e-7
    np.testing.assert_allclose(moved.deviance, plain.deviance, rtol=SAME)


@pytest.mark.parametrize("constant", [1.0, 1e3, 0.1])
def test_a_constant_sparse_column_has_coefficient_zero(constant):
    X = sparse.random(80, 4, density=0.3, random_state=1).toarray()
    rng = np.random.default_rng(0)
    y = rng.normal(size=80) + X[:, 0]
    joined = np.column_stack([X, np.full(80, constant)])
    for options in ({"penalty": "lasso"}, {"groups": [0, 0, 1, 1, 1]}):
        options["weights"] = rng.uniform(0.5, 2, size=80)
        thin = gs.fit(sparse.csr_array(joined), y, lambda_=[0.05, 0.01], **options)
        dense = gs.fit(joined, y, lambda_=[0.05, 0.01], **options)
        np.testing.assert_allclose(thin.coef_path, dense.coef_path, atol=1e-5)
        assert np.all(thin.coef_path[:, 4] == 0)


@pytest.mark.parametrize("penalty", ["group_scad", "group_mcp"])
def test_a_nonconvex_model_that_misleads_is_damped(penalty):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(100, 6))
    y = X @ [1, 2, 0, 0, 0, 0] + rng.normal(size=100) > 0
    fit = gs.fit(X, y, groups=[0, 0, 1, 1, 2, 2], penalty=penalty)
    assert fit.converged.all()
    assert fit.n_iter.sum() < 5000  # it took the 20 000 sweeps allowed, at two points


def test_a_duplicated_column_does_not_stall_the_multinomial_lasso():
    plans = gs.datasets.load("medicare")
    fit = gs.fit("share ~ brand + drugs + dental + vision + premium", plans, penalty="lasso")
    assert fit.converged.all()
    assert fit.n_iter.sum() < 5000


def test_names_around_a_comprehension_are_seen():
    u = np.random.default_rng(0).normal(size=30)
    v = u**2
    assert v.size == u.size
    assert [gs.fit("v ~ u", lambda_=at).terms for at in (0.1, 0.2)] == [("u",), ("u",)]


def test_labels_in_another_order_are_refused():
    frame = pd.DataFrame({"y": np.arange(20.0), "x": np.arange(20.0) ** 2})
    backwards = pd.Series(np.linspace(1, 2, 20), index=frame.index[::-1])
    for argument in ("weights", "offset"):
        with pytest.raises(DataError, match=argument):
            gs.fit("y ~ x", frame, **{argument: backwards})
        with pytest.raises(DataError, match=argument):
            gs.fit(frame[["x"]], frame["y"], **{argument: backwards})
    gs.fit("y ~ x", frame, weights=backwards.to_numpy())


def test_huge_weights_are_only_a_scale():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 2)), rng.normal(size=20)
    plain = gs.fit(X, y, lambda_=0.05)
    huge = gs.fit(X, y, lambda_=0.05, weights=np.full(20, 1e300))
    np.testing.assert_allclose(huge.coef_path, plain.coef_path, rtol=1e-12)


@pytest.mark.parametrize("lambda_", ["0.1", [True], [0.1, "0.2"]])
def test_a_lambda_that_is_no_number_is_refused(lambda_):
    with pytest.raises(LambdaError, match="lambda_"):
        gs.fit(np.eye(4)[:, :2], np.arange(4.0), lambda_=lambda_)


@pytest.mark.parametrize("seed", [4, 7])
def test_nearly_separated_classes_are_certified(seed):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"x": rng.normal(size=60), "f": rng.choice(list("abc"), 60)})
    draws = rng.gumbel(size=(60, 3)) + np.array([0, -2.0, -1.0])
    frame["y"] = np.array(list("uvw"))[np.argmax(draws, 1)]
    fit = gs.fit(
        "y ~ f + bs(x, df=4)",
        frame,
        penalty_factor={"bs(x, df=4)": 0},
        n_lambda=10,
        lambda_min_ratio=0.05,
    )
    assert fit.converged.all()
    assert fit.check().max() < 1e-7


def test_float32_is_certified_in_float64():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 20)) * np.logspace(-2, 2, 20) + 5
    fit = gs.fit(X, X[:, 0] * 50 + rng.normal(size=100), penalty="lasso", dtype="float32")
    assert fit.converged.all()
    assert fit.certificate.min() > -1e-12
    np.testing.assert_allclose(fit.check(), fit.certificate, atol=1e-7)


@pytest.mark.parametrize("standardize", ["auto", False])
@pytest.mark.parametrize("size", [1, 40])
def test_coarse_tolerances_are_met_by_columns_far_from_zero(standardize, size):
    """What rounding to single precision may change must not keep a fit from converging."""
    rng = np.random.default_rng(0)
    X = rng.uniform(8.0, 9.0, size=(1500, 120))  # 29 deviations, and 14 below
    X[:, ::2] -= 4.0
    y = (
        (X[:, :20] - X[:, :20].mean(axis=0)) @ rng.normal(size=20) * 3 + rng.logistic(size=1500)
    ) > 0
    for tol in (1e-3, 1e-4):
        fit = gs.fit(
            X,
            y.astype(float),
            family="binomial",
            groups=np.arange(120) // size,
            standardize=standardize,
            tol=tol,
            n_lambda=20,
        )
        assert fit.converged.all()
        assert (fit.check() <= fit.certificate + 1e-9).all()


@pytest.mark.parametrize("tol", [1e-2, 1e-7])
def test_certificates_at_lambda_zero_are_those_of_the_data(tol):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(200, 60))
    y = 0.4 * X[:, :8] @ rng.normal(size=8) + rng.normal(size=200)
    fit = gs.fit(X, y, penalty="lasso", lambda_=[0.1, 0.0], tol=tol)
    assert (fit.certificate >= 0).all()
    np.testing.assert_allclose(fit.certificate, fit.check(), rtol=1e-4, atol=1e-13)


@pytest.mark.parametrize("standardize", ["auto", False])
def test_constant_columns_do_not_disturb_coarse_fits(standardize):
    rng = np.random.default_rng(4)
    X = rng.normal(size=(300, 90))
    y = X[:, :6] @ rng.normal(size=6) + rng.normal(size=300)
    with_constants = np.insert(X, [0, 9, 60], 2.0, axis=1)
    asked = {"penalty": "lasso", "standardize": standardize, "tol": 1e-3, "n_lambda": 15}
    solver = gs.solvers.BlockDescent(arithmetic="residual")
    fits = [gs.fit(each, y, solver=solver, **asked) for each in (X, with_constants)]
    kept = np.flatnonzero((with_constants != 2.0).any(axis=0))
    assert fits[1].converged.all()
    assert (fits[1].check() <= fits[1].certificate + 1e-9).all()
    np.testing.assert_allclose(fits[1].coef_path[:, kept], fits[0].coef_path, atol=1e-6)


LISTS = [[0, 1], [1, 2], [2, 3]]


@pytest.fixture
def lists():
    rng = np.random.default_rng(12)
    X = rng.normal(size=(40, 4))
    time = rng.exponential(np.exp(-X[:, 0]))
    return X, X[:, 0] + rng.normal(size=40), gs.Surv(time, rng.random(40) < 0.7)


def test_overlapping_norms_of_a_constant_column(lists):
    X, y, _ = lists
    X[:, 2] = 1.0
    fit = gs.fit(X, y, groups=LISTS, penalty="overlap_group_lasso", n_lambda=5)
    assert fit.check().max() <= fit.settings.tol
    assert not fit.coef_path[:, 2].any()


@pytest.mark.parametrize("lambda_", [[0.1, 0.0], [0.0]])
def test_overlapping_norms_without_a_penalty(lists, lambda_):
    X, y, _ = lists
    fit = gs.fit(X, y, groups=LISTS, penalty="overlap_group_lasso", lambda_=lambda_, tol=1e-12)
    free = gs.fit(X, y, lambda_=0.0)
    np.testing.assert_allclose(fit.coef_path[-1], free.coef_path[-1], atol=1e-5)


def test_overlapping_norms_of_a_cox_model_are_checked(lists):
    X, _, times = lists
    fit = gs.fit(X, times, groups=LISTS, penalty="overlap_group_lasso", n_lambda=5)
    assert fit.check().max() <= fit.settings.tol


def test_max_terms_counts_groups_that_overlap(lists):
    X, y, _ = lists
    options = {"groups": LISTS, "penalty": "overlap_group_lasso", "standardize": False}
    whole = gs.fit(X, y, **options)
    few = gs.fit(X, y, max_terms=1, **options)
    counts = [len(whole.selected_groups(lambda_)) for lambda_ in few.lambda_]
    assert counts[-1] > 1
    assert max(counts[:-1]) <= 1


def test_a_penalty_of_several_coefficients_at_once_is_not_taken_for_convex():
    """Six orthonormal columns of one group: zero is stationary, and far from the minimum."""
    Q = np.linalg.qr(np.random.default_rng(0).normal(size=(60, 6)))[0]
    Q = np.linalg.qr(Q - Q.mean(axis=0))[0]
    y = Q.sum(axis=1) * np.sqrt(60)
    fit = gs.fit(
        Q, y, groups=[0] * 6, penalty="group_exponential_lasso", group_weight=None, n_lambda=3
    )
    assert not any(status.startswith("global") for status in fit.status)


def test_interpolation_refuses_what_it_can_not_interpolate():
    y = np.arange(5.0)
    with pytest.raises(DataError, match="orthogonal"):
        gs.solvers.interpolate(np.zeros((5, 8)), y)
    with pytest.raises(GroupError, match="weights"):
        gs.solvers.interpolate(np.eye(5), y, weights=[np.inf] * 5)


def test_survival_times_by_name():
    one, other = gs.Surv([1.0, 2.0], [1, 0]), gs.Surv(time=[1.0, 2.0], event=[1, 0])
    np.testing.assert_array_equal(one.table(), other.table())


def test_strata_of_any_kind(lists, tmp_path):
    X, _, times = lists
    days = pd.to_datetime(["2020-01-01", "2021-01-01"] * 20)
    fit = gs.fit(X, gs.Surv(times.stop, times.event, strata=days), n_lambda=3)
    fit.save(tmp_path / "fit")
    again = gs.load(tmp_path / "fit")
    np.testing.assert_array_equal(fit.check(), again.check())
    curves = again.survival(X[:2], fit.lambda_[1], strata=list(days[:2]))
    assert curves.notna().to_numpy().all()
    with pytest.raises(ResponseError, match="missing in row 0"):
        gs.Surv(times.stop, times.event, strata=[pd.NA, *range(39)])
    pairs = np.array([["a", "x"], ["b", "y"]] * 20)
    assert len(gs.Surv(times.stop, times.event, strata=pairs).labels) == 2
    for wrong in ("site", [[1]], 3):
        with pytest.raises(OptionError, match="strata"):
            fit.survival(X[:2], fit.lambda_[1], strata=wrong)


def test_what_is_no_solver_and_what_are_no_lists(lists):
    class Solver:
        def solve(self):
            """Nothing."""

    X, y, _ = lists
    with pytest.raises(OptionError, match="neither a name nor a solver"):
        gs.fit(X, y, solver=Solver())
    with pytest.raises(GrpsparseError):
        gs.fit(X, y, groups=(part for part in LISTS))
    named = [{"x2", "x1"}, {"x4", "x3", "x2"}]
    fit = gs.fit(X, y, groups=named, penalty="latent_group_lasso", n_lambda=3)
    assert fit.groups == ("x1 + x2", "x2 + x3 + x4")
