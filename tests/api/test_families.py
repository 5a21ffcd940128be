"""Families through the door: their numbers, predictions, residuals, folds, files and messages."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import grpsparse as gs
from grpsparse.errors import FamilyError, ResponseError

N = 120
TIGHT = 1e-13
SAME = 1e-9  # two problems that are one, at TIGHT
OTHER_PROGRAM = 1e-6  # statsmodels stops at about this
SHORT = {"n_lambda": 8, "lambda_min_ratio": 0.05}
NAMES = ("huber", "gamma", "negative_binomial")


@pytest.fixture
def frame():
    rng = np.random.default_rng(4)
    data = pd.DataFrame({"a": rng.choice(list("pqr"), N), "x": rng.normal(size=N)})
    eta = 0.5 + 0.6 * (data["a"] == "q") - 0.5 * data["x"]
    data["huber"] = eta + rng.standard_t(1.5, size=N)
    data["gamma"] = np.exp(eta) * rng.gamma(2.0, 0.5, size=N)
    data["negative_binomial"] = rng.negative_binomial(1.5, 1.5 / (1.5 + np.exp(eta)))
    data["log_time"] = 0.2 * rng.normal(size=N)
    return data


@pytest.mark.parametrize(
    ("name", "title", "note"),
    [
        ("huber", "Huber (delta {0:.4g})", "delta: {0:.6g}, 1.345 times"),
        ("negative_binomial", "Negative binomial (theta {0:.4g})", "theta: {0:.6g}, by maximum"),
    ],
)
def test_numbers_that_data_choose_are_reported(frame, name, title, note):
    fit = gs.fit(f"{name} ~ a + x", frame, family=name, **SHORT)
    number = fit.family.delta if name == "huber" else fit.family.theta
    assert number > 0
    text = str(fit)
    assert title.format(number) in text
    assert note.format(number) in text
    assert title.format(number) in str(fit.summary(float(fit.lambda_[-1])))
    given = type(fit.family)(number)
    again = gs.fit(f"{name} ~ a + x", frame, family=given, **SHORT)
    np.testing.assert_array_equal(again.coef_path, fit.coef_path)
    assert note.format(number) not in str(again)


@pytest.mark.parametrize("name", NAMES)
def test_folds_replicates_and_files_keep_the_numbers(frame, name, tmp_path):
    formula = f"{name} ~ a + x"
    options = {"family": name, "n_lambda": 5, "lambda_min_ratio": 0.1}
    cv = gs.fit_cv(formula, frame, n_folds=4, seed=1, **options)
    titles = {"huber": "Huber", "gamma": "gamma", "negative_binomial": "negative binomial"}
    assert f"Measure: {titles[name]} deviance" in str(cv)
    cv.save(tmp_path / "cv.fit")
    loaded = gs.load(tmp_path / "cv.fit")
    assert loaded.path.family == cv.path.family
    assert str(loaded) == str(cv)
    np.testing.assert_array_equal(loaded.predict(frame), cv.predict(frame))
    np.testing.assert_allclose(loaded.path.check(), cv.path.certificate, atol=1e-11)
    mu, y = cv.oof[:, cv.index_min], frame[[name]].to_numpy(float)
    assert cv.measures().loc["deviance", "min"] == pytest.approx(cv.cv_mean[cv.index_min])
    deviance = cv.path.family.deviance(y, mu[:, None])
    folds = [deviance[cv.folds == k].mean() for k in range(4)]
    sizes = np.bincount(cv.folds, minlength=4)
    assert cv.cv_mean[cv.index_min] == pytest.approx(np.average(folds, weights=sizes))
    for fit in gs.fit_replicates(formula, frame, np.ones((2, N)), **options):
        assert fit.family == cv.path.family


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["gamma", "negative_binomial"])
@pytest.mark.parametrize("kind", ["response", "pearson", "deviance", "working"])
def test_residuals_are_those_of_statsmodels(frame, name, kind):
    import statsmodels.api as sm

    families = sm.families
    other = {
        "gamma": families.Gamma(families.links.Log()),
        "negative_binomial": families.NegativeBinomial(alpha=0.5),
    }[name]
    given = gs.families.NegativeBinomial(2.0) if name == "negative_binomial" else name
    weights = np.random.default_rng(1).integers(1, 4, N)
    options = {"offset": "log_time", "weights": weights}
    fit = gs.fit(f"{name} ~ x", frame, family=given, lambda_=0.0, tol=1e-12, **options)
    model = sm.GLM(
        frame[name],
        sm.add_constant(frame["x"]),
        family=other,
        offset=frame["log_time"],
        freq_weights=weights,
    ).fit(tol=1e-13)
    expected = np.asarray(getattr(model, f"resid_{kind}"))
    if kind == "deviance":
        expected = np.sqrt(weights) * other.resid_dev(frame[name], model.mu)
    if kind == "pearson":
        expected = np.sqrt(weights) * (frame[name] - model.mu) / np.sqrt(other.variance(model.mu))
    np.testing.assert_allclose(fit.residuals(type=kind)[:, 0], expected, atol=OTHER_PROGRAM)
    assert fit.deviance[0] == pytest.approx(model.deviance, rel=1e-9)


def test_huber_residuals(frame):
    fit = gs.fit("huber ~ a + x", frame, family=gs.families.Huber(0.8), **SHORT)
    left = frame["huber"].to_numpy() - fit.predict()[:, -1]
    at = {"lambda_": float(fit.lambda_[-1])}
    for kind in ("response", "pearson", "working"):
        np.testing.assert_allclose(fit.residuals(type=kind, **at), left, atol=1e-12)
    size = np.where(np.abs(left) <= 0.8, left**2, 1.6 * np.abs(left) - 0.64)
    np.testing.assert_allclose(
        fit.residuals(type="deviance", **at), np.sign(left) * np.sqrt(size), atol=1e-12
    )


@pytest.mark.parametrize("factor", [1e-4, 1e4])
def test_units_of_the_response(frame, factor):
    options = {"tol": 1e-12, **SHORT}
    scaled = frame.assign(huber=factor * frame["huber"], gamma=factor * frame["gamma"])
    one = gs.fit("huber ~ a + x", frame, family="huber", **options)
    other = gs.fit("huber ~ a + x", scaled, family="huber", **options)
    assert other.family.delta == pytest.approx(factor * one.family.delta, rel=1e-12)
    np.testing.assert_allclose(other.lambda_, factor * one.lambda_, rtol=1e-9)
    np.testing.assert_allclose(other.predict() / factor, one.predict(), atol=1e-7)
    one = gs.fit("gamma ~ a + x", frame, family="gamma", **options)
    other = gs.fit("gamma ~ a + x", scaled, family="gamma", **options)
    np.testing.assert_allclose(other.lambda_, one.lambda_, rtol=1e-9)
    np.testing.assert_allclose(other.coef_path, one.coef_path, atol=1e-7)
    np.testing.assert_allclose(other.dev_ratio, one.dev_ratio, atol=1e-9)


def test_huber_of_large_delta_is_gaussian(frame):
    options = {"tol": TIGHT, **SHORT}
    gaussian = gs.fit("huber ~ a + x", frame, family="gaussian", **options)
    huber = gs.fit("huber ~ a + x", frame, family=gs.families.Huber(1e6), **options)
    np.testing.assert_allclose(huber.lambda_, gaussian.lambda_, rtol=1e-10)
    np.testing.assert_allclose(huber.predict(), gaussian.predict(), atol=SAME)


def test_negative_binomial_of_large_theta_is_poisson(frame):
    options = {"tol": TIGHT, **SHORT}
    formula = "negative_binomial ~ a + x"
    poisson = gs.fit(formula, frame, family="poisson", **options)
    other = gs.fit(formula, frame, family=gs.families.NegativeBinomial(1e9), **options)
    np.testing.assert_allclose(other.predict(), poisson.predict(), rtol=1e-6)


def test_one_wild_row_moves_a_huber_fit_little(frame):
    wild = frame.copy()
    wild.loc[7, "huber"] = 1e8
    options = {"family": gs.families.Huber(1.0), "lambda_": [0.05]}
    one = gs.fit("huber ~ a + x", frame, **options)
    other = gs.fit("huber ~ a + x", wild, **options)
    assert other.converged.all()
    assert np.abs(other.coef_path - one.coef_path).max() < 0.1
    np.testing.assert_allclose(other.check(), other.certificate, atol=1e-11)


@pytest.mark.parametrize("delta", [1e-4, 1e-3, 1e-2, 0.1, 10.0])
@pytest.mark.parametrize(
    "options", [{}, {"intercept": False}, {"penalty_factor": {"a": 0}}, {"penalty": "group_mcp"}]
)
def test_any_delta_is_certified(frame, delta, options):
    """A delta far below the errors makes it a median regression, with hardly a row inside."""
    family = gs.families.Huber(delta)
    fit = gs.fit("huber ~ a + x + a:x", frame, family=family, **SHORT, **options)
    assert fit.converged.all()
    assert (fit.certificate >= -1e-12).all()
    np.testing.assert_allclose(fit.check(), fit.certificate, atol=1e-7)


@pytest.mark.parametrize("theta", [None, 1e-4, 1.0, 1e9])
@pytest.mark.parametrize("level", [0.0, 20.0])
def test_counts_of_any_size_are_certified(frame, theta, level):
    """Loss and conjugate hold no differences of large numbers."""
    rng = np.random.default_rng(2)
    y = rng.poisson(np.exp(level) * rng.gamma(1.5, size=N))
    given = gs.families.NegativeBinomial(theta)
    fit = gs.fit("y ~ a + x", frame.assign(y=y), family=given, **SHORT)
    assert fit.converged.all()
    assert (fit.certificate >= -1e-12).all()
    np.testing.assert_allclose(fit.check(), fit.certificate, atol=1e-10)


def test_theta_of_a_fit_is_larger(frame):
    """What the terms explain is no dispersion."""
    formula, y = "negative_binomial ~ a + x", frame["negative_binomial"]
    fit = gs.fit(formula, frame, family="negative_binomial", **SHORT)
    better = gs.families.NegativeBinomial.estimated(y, fit.predict()[:, -1])
    assert better.theta > fit.family.theta
    assert gs.fit(formula, frame, family=better, **SHORT).family == better


@pytest.mark.parametrize("name", ["gamma", "negative_binomial", "poisson"])
def test_rows_of_weight_zero_may_hold_what_a_family_can_not_have(frame, name):
    y = frame["negative_binomial"] + (name == "gamma")
    wrong, weights = y.astype(float), np.ones(N)
    wrong[[3, 7]], weights[[3, 7]] = -2.0, 0.0
    X = frame[["x", "log_time"]].to_numpy()
    with pytest.raises(ResponseError):
        gs.fit(X, wrong, family=name)
    given = gs.fit(X, y, family=name).family  # theta is chosen from y
    one, other = (
        gs.fit(X, each, family=given, weights=weights, tol=TIGHT, **SHORT) for each in (wrong, y)
    )
    np.testing.assert_allclose(one.coef_path, other.coef_path, rtol=0, atol=SAME)


def test_messages(frame):
    with pytest.raises(ResponseError, match="gamma response is positive"):
        gs.fit("negative_binomial ~ x", frame, family="gamma")
    with pytest.raises(ResponseError, match=r'holds labels .*family="huber" needs numbers'):
        gs.fit("a ~ x", frame, family="huber")
    with pytest.raises(FamilyError, match="median absolute deviation is 0"):
        gs.fit("y ~ x", frame.assign(y=(frame["x"] > 1.5) * 1.0), family="huber")
    with pytest.raises(FamilyError, match=r"did you mean .*'negative_binomial'"):
        gs.fit("a ~ x", frame, family="negbinomial")
    with pytest.raises(FamilyError, match="spread no more than a Poisson"):
        gs.fit("y ~ x", frame.assign(y=[1, 2] * (N // 2)), family="negative_binomial")
