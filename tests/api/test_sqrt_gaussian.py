"""Scale-free fits: their equivalents, their scale, and the pivotal lambda."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import grpsparse as gs
from grpsparse.__main__ import main
from grpsparse.errors import LambdaError, OptionError

N = 80
TIGHT = 1e-13
SAME = 1e-9  # two problems that are one, at TIGHT
OTHER_PROGRAM = 1e-4  # coefficients where a cone solver's gap is 1e-9
SIMULATED = 0.015  # quantiles of 4000 draws against one another, relative: three standard errors
LABELS = np.repeat(np.arange(5), 3)
SHORT: dict[str, Any] = {"n_lambda": 8, "lambda_min_ratio": 0.05}
GROUPED: dict[str, Any] = {"groups": LABELS, "family": "sqrt_gaussian"}


@pytest.fixture
def rows():
    """Columns, a response, three responses and weights."""
    rng = np.random.default_rng(4)
    X = rng.normal(size=(N, 15)) + 1.0
    X[:, 1] += 0.5 * X[:, 0]
    effects = np.zeros((15, 3))
    effects[[0, 2, 6]] = rng.normal(size=(3, 3))
    Y = X @ effects + rng.normal(size=(N, 3)) * [1.0, 0.5, 3.0]
    return X, Y[:, 0], Y, rng.uniform(0.5, 2.0, N)


def link(fit: gs.PathFit) -> np.ndarray:
    return np.asarray(fit.predict(type="link"))


def root_mean_square(values: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    return np.sqrt(np.average(values**2, axis=0, weights=weights))


def test_lambda_max_has_a_formula(rows):
    X, y, _, w = rows
    fit = gs.fit(X, y, standardize=False, weights=w, **GROUPED, **SHORT)
    r = y - np.average(y, weights=w)
    slope = X.T @ (w * r) / w.sum() / root_mean_square(r, w)
    expected = max(np.linalg.norm(slope[g == LABELS]) for g in range(5)) / np.sqrt(3)
    assert fit.lambda_[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("penalty", ["group_lasso", "sparse_group_lasso", "group_mcp", "lasso"])
@pytest.mark.parametrize("factor", [1e-5, 1e7])
def test_units_of_the_response_leave_lambda_alone(rows, penalty, factor):
    X, y, _, w = rows
    options = {"family": "sqrt_gaussian", "penalty": penalty, "weights": w, "tol": 1e-12, **SHORT}
    if penalty != "lasso":
        options["groups"] = LABELS
    one = gs.fit(X, y, **options)
    other = gs.fit(X, factor * y, **options)
    np.testing.assert_allclose(other.lambda_, one.lambda_, rtol=1e-10)
    np.testing.assert_array_equal(other.group_norms > 0, one.group_norms > 0)
    np.testing.assert_allclose(other.coef_path / factor, one.coef_path, atol=SAME)
    np.testing.assert_allclose(other.scale_path / factor, one.scale_path, rtol=SAME)
    np.testing.assert_allclose(other.dev_ratio, one.dev_ratio, atol=SAME)
    assert other.lambda_pivotal == pytest.approx(one.lambda_pivotal, rel=1e-10)


@pytest.mark.parametrize("penalty", ["group_lasso", "sparse_group_lasso", "group_elastic_net"])
def test_the_solution_is_that_of_least_squares_at_lambda_sigma(rows, penalty):
    """Of the elastic net the ridge part is in units of y: its curvature is divided by sigma."""
    X, y, _, w = rows
    offset = 0.3 * np.random.default_rng(1).normal(size=N)
    options = {"groups": LABELS, "weights": w, "offset": offset, "tol": TIGHT}
    fit = gs.fit(X, y, family="sqrt_gaussian", penalty=penalty, **options, **SHORT)
    sigma = root_mean_square(y[:, None] - link(fit), w)
    np.testing.assert_allclose(fit.scale_path, sigma, rtol=1e-12)
    for at, lambda_ in enumerate(fit.lambda_):
        other = gs.fit(X, y, penalty=penalty, lambda_=lambda_ * sigma[at], **options)
        np.testing.assert_allclose(link(other)[:, 0], link(fit)[:, at], atol=1e-8)
        np.testing.assert_array_equal(other.group_norms[0] > 0, fit.group_norms[at] > 0)


def test_a_nonconvex_solution_is_stationary_for_least_squares(rows):
    """At lambda sigma; its penalty is rescaled by the null scale, so gamma moves with sigma."""
    X, y, _, _ = rows
    fit = gs.fit(X, y, penalty="group_mcp", tol=1e-12, **GROUPED, **SHORT)
    null = root_mean_square(y - y.mean())
    for at, sigma in enumerate(fit.scale_path):
        point = slice(at, at + 1)
        other = replace(
            fit,
            family=gs.families.get("gaussian"),
            penalty=gs.GroupMCP(gamma=3.0 * null / sigma),
            lambda_=fit.lambda_[point] * sigma,
            raw_coef=fit.raw_coef[point],
            raw_intercept=fit.raw_intercept[point],
        )
        assert other.check()[0] < 1e-11
    assert fit.n_terms[-1] > 0


@pytest.mark.parametrize("sharing", ["shared", "separate"])
def test_responses_with_scales_of_their_own(rows, sharing):
    """Separate groups make separate fits, where units do not matter; a norm over all mixes them."""
    X, _, Y, w = rows
    family = gs.families.SqrtGaussian(separate_scales=True)
    options = {"groups": LABELS, "weights": w, "class_groups": sharing, "tol": TIGHT, **SHORT}
    fit = gs.fit(X, Y, family=family, **options)
    assert fit.classes == ("y1", "y2", "y3")
    sigma = root_mean_square(Y[:, :, None] - link(fit), w).T
    np.testing.assert_allclose(fit.scale_path, sigma, rtol=1e-12)
    np.testing.assert_allclose(fit.check(), fit.certificate, atol=1e-12)
    if sharing == "shared":
        return
    units = np.array([1e-4, 1.0, 1e4])
    other = gs.fit(X, Y * units, family=family, **options)
    np.testing.assert_allclose(other.lambda_, fit.lambda_, rtol=1e-10)
    np.testing.assert_allclose(other.coef_path / units, fit.coef_path, atol=1e-7)
    np.testing.assert_allclose(other.scale_path / units, fit.scale_path, rtol=1e-7)
    for k, floor in enumerate(fit.family.sigma0):
        alone = gs.fit(
            X,
            Y[:, k],
            family=gs.families.SqrtGaussian(floor),
            groups=LABELS,
            weights=w,
            tol=TIGHT,
            lambda_=fit.lambda_,
        )
        np.testing.assert_allclose(alone.coef_path, fit.coef_path[:, :, k], atol=1e-8)
        np.testing.assert_allclose(alone.scale_path, fit.scale_path[:, k], rtol=1e-8)


def test_responses_with_one_scale_are_mgaussian_at_lambda_sigma(rows):
    X, _, Y, w = rows
    options = {"groups": LABELS, "weights": w, "tol": TIGHT}
    fit = gs.fit(X, Y, family="sqrt_gaussian", **options, **SHORT)
    sigma = np.sqrt(np.mean(root_mean_square(Y[:, :, None] - link(fit), w) ** 2, axis=0))
    np.testing.assert_allclose(fit.scale_path, sigma, rtol=1e-12)
    other = gs.fit(X, Y, family="mgaussian", lambda_=fit.lambda_[5] * sigma[5], **options)
    np.testing.assert_allclose(other.coef_path[0], fit.coef_path[5], atol=1e-8)
    assert "(3 responses)" in str(fit)
    with pytest.raises(OptionError, match="no classes"):
        fit.predict(X, type="class")


def test_a_formula_reads_responses_as_the_matrix_does(rows):
    X, y, Y, _ = rows
    frame = pd.DataFrame(X[:, :3], columns=list("abc")).assign(y=y, u=Y[:, 1])
    one = gs.fit("y ~ a + b + c", frame, family="sqrt_gaussian", tol=TIGHT, **SHORT)
    other = gs.fit(X[:, :3], y, family="sqrt_gaussian", tol=TIGHT, **SHORT)
    thin = gs.fit(
        sparse.csc_array(X[:, :3]),
        y,
        family="sqrt_gaussian",
        standardize="group",
        tol=TIGHT,
        **SHORT,
    )
    np.testing.assert_allclose(one.coef_path, other.coef_path, atol=SAME)
    np.testing.assert_allclose(thin.coef_path, other.coef_path, atol=SAME)
    several = gs.fit("cbind(y, u) ~ a + b", frame, family="sqrt_gaussian", **SHORT)
    assert several.classes == ("y", "u")
    single = gs.fit(X[:, :3], y[:, None], family="sqrt_gaussian", tol=TIGHT, **SHORT)
    assert single.classes is None
    np.testing.assert_array_equal(single.coef_path, other.coef_path)


@pytest.mark.parametrize(
    ("columns", "penalty"),
    [(15, "group_lasso"), (15, "group_mcp"), (300, "group_lasso"), (300, "sparse_group_lasso")],
)
def test_a_fit_that_interpolates_stays_well_posed(columns, penalty):
    """Without noise, or with more columns than rows: the scale ends at sigma0."""
    rng = np.random.default_rng(2)
    X = rng.normal(size=(N, columns))
    y = X[:, :6] @ rng.normal(size=6) + (columns > N) * rng.normal(size=N)
    fit = gs.fit(
        X,
        y,
        family="sqrt_gaussian",
        penalty=penalty,
        groups=np.arange(columns) // 3,
        lambda_=np.geomspace(0.5, 5e-5, 30),
    )
    assert fit.converged.all()
    np.testing.assert_allclose(fit.check(), fit.certificate, atol=1e-8)
    assert fit.scale_path[-1] == fit.family.sigma0
    assert (np.diff(fit.scale_path) <= 1e-9).all()
    assert 0.999 < fit.dev_ratio[-1] <= 1.0


@pytest.mark.parametrize("strength", [1e2, 1e6])
@pytest.mark.parametrize("penalty", ["group_lasso", "sparse_group_lasso", "group_mcp"])
def test_signals_far_above_the_errors_are_certified(rows, strength, penalty):
    """Near lambda_max the residual is nearly what the terms span; far below, lambda is small."""
    X, _, _, _ = rows
    y = strength * (X[:, 0] + X[:, 1] - X[:, 6]) + np.random.default_rng(1).normal(size=N)
    family = gs.families.SqrtGaussian(1e-3)
    grid = np.geomspace(0.6, 1e-5, 20)
    fit = gs.fit(X, y, family=family, penalty=penalty, groups=LABELS, lambda_=grid)
    assert fit.converged.all()
    np.testing.assert_allclose(fit.check(), fit.certificate, atol=1e-8)
    assert fit.scale_path[-1] < 1.2


@pytest.mark.parametrize("strength", [1.0, 1e3, 1e8])
def test_strong_unpenalised_terms_have_a_null_fit(rows, strength):
    X, y, _, _ = rows
    y = strength * X[:, 0] + y
    fit = gs.fit(X, y, penalty_factor={0: 0.0}, **GROUPED, **SHORT)
    assert fit.converged.all()
    known = np.c_[np.ones(N), X[:, :3]]
    left = y - known @ np.linalg.lstsq(known, y, rcond=None)[0]
    expected = max(float(root_mean_square(left)), fit.family.sigma0)
    assert fit.scale_path[0] == pytest.approx(expected, rel=1e-9)
    assert ("at the floor sigma0" in str(fit.summary(fit.lambda_[0]))) == (strength > 1.0)


def test_the_command_line_knows_the_pivotal_lambda(rows, tmp_path, capsys):
    X, y, _, _ = rows
    frame = pd.DataFrame(X[:, :4], columns=list("abcd")).assign(y=y)
    table, model = str(tmp_path / "table.csv"), str(tmp_path / "model")
    frame.to_csv(table, index=False)
    given = ["--family", "sqrt_gaussian:sigma0=0.02", "--lambda", "pivotal", "--save", model]
    assert main(["fit", "y ~ a + b + c + d", table, *given]) == 0
    assert "Pivotal lambda" in capsys.readouterr().out
    assert main(["predict", model, table, "--lambda", "pivotal"]) == 0
    shown = capsys.readouterr().out.splitlines()
    expected = gs.load(model).predict(frame, "pivotal")
    np.testing.assert_allclose([float(row.split(",")[1]) for row in shown[1:]], expected)


@pytest.mark.oracle
@pytest.mark.parametrize("sigma0", [0.05, 2.0])
@pytest.mark.parametrize("separate", [False, True])
def test_cvxpy_agrees(rows, sigma0, separate):
    """Above the floor the loss is a norm; at it, the Huber function of a norm."""
    cp = pytest.importorskip("cvxpy")
    X, _, Y, _ = rows
    Y = Y[:, : 2 if separate else 1]
    count = Y.shape[1]
    family = gs.families.SqrtGaussian(sigma0, separate_scales=separate)
    options = {"standardize": False, "groups": LABELS, "tol": TIGHT}
    fit = gs.fit(X, Y, family=family, lambda_=[0.1, 0.02], **options)
    for at, lambda_ in enumerate(fit.lambda_):
        B, b0 = cp.Variable((15, count)), cp.Variable((1, count))
        residual = (Y - np.ones((N, 1)) @ b0 - X @ B) / np.sqrt(N)
        loss = sum(
            cp.huber(cp.norm(residual[:, k]), sigma0) / (2 * sigma0) + sigma0 / 2
            for k in range(count)
        )
        size = sum(np.sqrt(3 * count) * cp.norm(B[g == LABELS], "fro") for g in range(5))
        problem = cp.Problem(cp.Minimize(loss + float(lambda_) * size))
        problem.solve(solver="CLARABEL", tol_gap_abs=1e-9, tol_gap_rel=1e-9, tol_feas=1e-9)
        found = fit.coef_path[at].reshape(15, count)
        np.testing.assert_allclose(found, B.value, atol=OTHER_PROGRAM)
        ours = problem.objective.value
        B.value, b0.value = found, fit.intercept_path[at].reshape(1, count)
        assert problem.objective.value <= ours + 1e-12


def noise_maxima(X, weights, groups, n_draws, seed, free=()):
    """Lambda of pure noise, from the columns as given: independent of the engine."""
    rng = np.random.default_rng(seed)
    root = np.sqrt(weights / weights.sum())[:, None]
    spanned = np.linalg.qr(np.hstack([root, *(root * X[:, groups == g] for g in free)]))[0]
    bases = []
    for g in sorted(set(groups.tolist()) - set(free)):
        # the standardised columns span the centred ones, and are not orthogonal to other free ones
        centred = root * (
            X[:, groups == g] - np.average(X[:, groups == g], axis=0, weights=weights)
        )
        bases.append(np.linalg.qr(centred)[0] / np.sqrt((groups == g).sum()))
    noise = rng.normal(size=(len(X), n_draws))
    noise -= spanned @ (spanned.T @ noise)
    noise /= np.linalg.norm(noise, axis=0)
    sizes = [np.linalg.norm(Q.T @ noise, axis=0) for Q in bases]
    return np.max(sizes, axis=0)


@pytest.mark.parametrize("free", [(), (1,)])
def test_the_pivotal_lambda_is_a_quantile_of_what_noise_reaches(rows, free):
    X, y, _, w = rows
    rule = gs.PivotalLambda(level=0.1, factor=1.0, n_draws=4000)
    factor = dict.fromkeys(free, 0.0)
    fit = gs.fit(X, y, weights=w, penalty_factor=factor, lambda_=rule, n_lambda=3, **GROUPED)
    reached = noise_maxima(X, w, LABELS, 20_000, seed=9, free=free)
    expected = float(np.quantile(reached, 0.9))
    assert fit.lambda_pivotal == pytest.approx(expected, rel=SIMULATED)
    assert fit.lambda_[-1] == fit.lambda_pivotal
    assert fit.lambda_.size == 3
    options = {"penalty_factor": factor, "lambda_": rule, "n_lambda": 1}
    again = gs.fit(X, -7.0 * y, weights=w, **options, **GROUPED)
    assert again.lambda_pivotal == pytest.approx(fit.lambda_pivotal, rel=SIMULATED)
    few = gs.PivotalLambda(factor=1.0, n_draws=50)
    larger = gs.fit(X, y, weights=w, lambda_=replace(few, factor=1.3), n_lambda=1, **GROUPED)
    smaller = gs.fit(X, y, weights=w, lambda_=few, n_lambda=1, **GROUPED)
    assert larger.lambda_pivotal == pytest.approx(1.3 * smaller.lambda_pivotal, rel=1e-12)


def test_the_pivotal_lambda_is_on_the_path_and_has_a_name(rows, tmp_path):
    X, y, _, _ = rows
    fit = gs.fit(X, y, **GROUPED, **SHORT)
    assert fit.lambda_pivotal in fit.lambda_.tolist()
    assert fit.lambda_.size == 9
    at = fit.lambda_pivotal
    direct = gs.fit(X, y, lambda_="pivotal", tol=1e-11, **GROUPED)
    assert direct.lambda_pivotal == at
    assert direct.lambda_[-1] == at
    np.testing.assert_allclose(
        direct.predict(lambda_="pivotal"), fit.predict(lambda_=at), atol=1e-3
    )
    assert fit.selected() == fit.selected("pivotal") == fit.selected(at)
    pd.testing.assert_frame_equal(fit.coef("pivotal"), fit.coef(at))
    np.testing.assert_array_equal(fit.predict(X, "pivotal"), fit.predict(X, at))
    np.testing.assert_array_equal(fit.residuals("pivotal"), fit.residuals(at))
    summary = fit.summary()
    assert summary.lambda_ == at
    assert summary.stationary
    scale = fit.scale_path[fit.lambda_.tolist().index(at)]
    assert summary.scale == pytest.approx((scale,), rel=1e-12)
    assert f"scale {summary.scale[0]:.4g}" in " ".join(str(summary).split())
    assert str(summary).splitlines()[1].startswith("lambda_pivotal = ")
    place = fit.lambda_.tolist().index(at)
    assert f"Pivotal lambda: {at:.4g} (index {place}), 2 terms selected." in str(fit)
    fit.save(tmp_path / "fit")
    loaded = gs.load(tmp_path / "fit")
    assert str(loaded) == str(fit)
    assert loaded.family == fit.family
    np.testing.assert_array_equal(loaded.scale_path, fit.scale_path)


def test_folds_and_replicates_have_the_lambdas_of_all_rows(rows):
    X, y, Y, _ = rows
    cv = gs.fit_cv(X, y, n_folds=4, seed=1, **GROUPED, **SHORT)
    assert "Measure: mean squared error" in str(cv)
    np.testing.assert_array_equal(cv.lambda_, gs.fit(X, y, **GROUPED, **SHORT).lambda_)
    assert cv.selected("pivotal") == cv.path.selected("pivotal")
    assert "lambda_pivotal" in str(cv.summary("pivotal"))
    assert list(cv.measures().index) == ["mse", "mae"]
    with pytest.raises(OptionError, match="can have 'mse', 'mae'"):
        gs.fit_cv(X, y, measure="deviance", **GROUPED)
    for fit in gs.fit_replicates(X, y, np.ones((2, N)), **GROUPED, **SHORT):
        assert fit.family == cv.path.family
        assert fit.lambda_pivotal == cv.path.lambda_pivotal
        np.testing.assert_array_equal(fit.lambda_, cv.lambda_)
    several = gs.fit_cv(X, Y, n_folds=3, seed=1, lambda_="pivotal", n_lambda=4, **GROUPED)
    assert several.oof.shape == (N, 3, 4)


def test_noise_alone_selects_nothing(rows):
    X, _, _, _ = rows
    y = np.random.default_rng(11).normal(size=N)
    fit = gs.fit(X, y, lambda_="pivotal", **GROUPED)
    assert fit.lambda_.tolist() == [fit.lambda_pivotal]
    assert fit.selected() == []
    whole = gs.fit(X, y, **GROUPED, **SHORT)
    assert whole.lambda_pivotal == fit.lambda_pivotal > whole.lambda_[0]
    assert "above lambda_max: no term stands out from noise" in str(whole)
    assert whole.selected("pivotal") == []


@pytest.mark.slow
@pytest.mark.parametrize("level", [0.05, 0.3])
@pytest.mark.parametrize("weighted", [False, True])
def test_noise_is_left_out_as_often_as_promised(rows, level, weighted):
    """With factor 1 the share of empty fits is 1 - level, within three standard errors."""
    X, _, _, w = rows
    n_fits, rng = 600, np.random.default_rng(5)
    weights = w if weighted else np.ones(N)
    rule = gs.PivotalLambda(level=level, factor=1.0, n_draws=4000)
    options = {**GROUPED, "weights": weights, "penalty_factor": {0: 0.0}}
    base = X[:, :3] @ [1.0, -1.0, 2.0] + 5.0
    at = gs.fit(X, base + rng.normal(size=N), lambda_=rule, n_lambda=1, **options).lambda_pivotal
    empty = 0
    for _ in range(n_fits):
        y = base + 3.0 * rng.normal(size=N) / np.sqrt(weights)
        fit = gs.fit(X, y, lambda_=at, **options)
        empty += not fit.group_norms[0, 1:].any()
    error = np.sqrt(level * (1 - level) * (1 / n_fits + 1 / rule.n_draws))
    assert abs(empty / n_fits - (1 - level)) < 3 * error


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"level": 0.0}, "`level` is 0.0"),
        ({"level": "5%"}, "`level` is '5%'"),
        ({"factor": -1.0}, "`factor` is -1.0"),
        ({"n_draws": 0}, "`n_draws` is 0"),
        ({"seed": 1.5}, "`seed` is 1.5"),
    ],
)
def test_rules_out_of_range(options, words):
    with pytest.raises(LambdaError, match=words):
        gs.PivotalLambda(**options)


def test_messages(rows):
    X, y, _, _ = rows
    with pytest.raises(LambdaError, match="Gaussian family does not estimate the scale"):
        gs.fit(X, y, lambda_="pivotal")
    with pytest.raises(LambdaError, match="`lambda_` is 'pivot'"):
        gs.fit(X, y, lambda_="pivot", **GROUPED)
    given = gs.fit(X, y, lambda_=[0.2, 0.1], **GROUPED)
    with pytest.raises(LambdaError, match="no pivotal lambda"):
        given.summary()
    with pytest.raises(LambdaError, match="lambda_ is '1se'"):
        given.coef("1se")
    assert given.scale_path.shape == (2,)
    assert gs.fit(X, y, lambda_=0.1).scale_path is None
    short = gs.fit(X, y, max_terms=1, lambda_="pivotal", n_lambda=60, **GROUPED)
    assert "below the end of the path" in str(short)
    with pytest.raises(LambdaError, match="before its pivotal lambda"):
        short.selected()
